package cookiepolicy

import (
	"fmt"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

const (
	handlerLog = "http.handlers.cookie_policy"
	auditLog   = "http.handlers.cookie_policy.audit"
	appLog     = "cookie_policy"
)

func want(t *testing.T, what string, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s:\ngot  %v\nwant %v", what, got, want)
	}
}

// The first meeting with a cookie that no rule names is logged once, on either channel, and not
// again after a reload.
func TestLogUnlistedCookiesOnce(t *testing.T) {
	portal := portaltest.StartPortal(t,
		portaltest.Response("200 OK", []string{"tracker=s3cr3t; Domain=.city.example; path=/a; " +
			"Secure; token=s3cr3t", "both=1", session, "s3cr3t"}, "hello"))
	site := "cookie_policy opendatasoft {\nname city\n%s\n}\nreverse_proxy " + portal.Address
	w := caddytest.StartInstance(t, fmt.Sprintf(site, ""))
	for range 3 {
		w.Get("/", "Cookie: both=1; sent=1; sessionid=1; s3cr3t")
	}
	w.Reload(fmt.Sprintf(site, "mode report"))
	w.Get("/", "Cookie: both=1; sent=1; sessionid=1; s3cr3t")
	w.Reload(fmt.Sprintf(site, "unlisted pass"))
	w.Get("/", "Cookie: both=1; sent=1; sessionid=1; s3cr3t")
	want(t, "the warnings", caddytest.Pick(w.Log("all.log", handlerLog,
		"met a cookie that the policy does not name"), "level", "policy", "cookie", "channel",
		"attributes", "host"),
		`warn|city|both|read||localhost
warn|city|sent|read||localhost
warn|city|(nameless)|read||localhost
warn|city|tracker|set|Domain=.city.example; path=/a; Secure|localhost
`)
}
