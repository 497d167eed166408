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

// A cookie of the portal that no rule names is logged once, when it is first set, and not again after
// a reload. Of its attributes, a Path other than / is hidden. Names that only clients send are not
// logged at once.
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
		"requests", "attributes", "host"),
		`warn|city|tracker|set|0|Domain=.city.example; path=(other); Secure|localhost
warn|city|both|set|0||localhost
warn|city|(nameless)|set|0||localhost
`)
}

// A name that only clients send is logged once, with the 100th request, and not again after a reload.
// However often one request repeats it, it counts once.
func TestLogUnlistedCookiesOfClients(t *testing.T) {
	w := caddytest.StartInstance(t, "cookie_policy opendatasoft {\nname city\n}\nrespond ok")
	warnings := func() string {
		return caddytest.Pick(w.Log("all.log", handlerLog, "met a cookie that the policy does not name"),
			"cookie", "channel", "requests", "attributes", "host")
	}
	for range 99 {
		w.Get("/", "Cookie: sent=1; sessionid=1; sent=2")
	}
	want(t, "after 99 requests", warnings(), "")
	w.Get("/", "Cookie: sent=1; rare=1")
	want(t, "after 100 requests", warnings(), "sent|read|100||localhost\n")
	w.Reload("cookie_policy opendatasoft {\nname city\nmode report\n}\nrespond ok")
	for range 2 {
		w.Get("/", "Cookie: sent=1; rare=1")
	}
	want(t, "after the reload", warnings(), "sent|read|100||localhost\n")
	metrics := w.Metrics()
	want(t, "unlisted names", metrics[`unlisted_names{policy="city"}`], 1)
}
