package cookiepolicy

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// Whatever sets a cookie, and on whatever way it takes through Caddy: with an access log and
// without, over HTTP/1.1 and HTTP/2, the visitor gets the lines that the policy lets through, and
// the same status and body as ever.
func TestHandlerEveryPath(t *testing.T) {
	for _, path := range portaltest.Paths(t) {
		for log, withLog := range map[string]string{"": "", ", logged": caddytest.DiscardLogs} {
			t.Run(path.Name+log, func(t *testing.T) {
				gateway := caddytest.Start(t, withLog+path.Directives)
				for protocol, client := range portaltest.Protocols(t) {
					header := http.Header{"Accept-Encoding": {"gzip"}}
					path.Check(t, protocol, gateway.Ask(t, client, http.MethodGet, "/", header, nil))
				}
			})
		}
	}
}

// What Caddy itself and its other handlers set is filtered like what the portal sets.
func TestHandlerCookiesOfOtherDirectives(t *testing.T) {
	portal := portaltest.StartPortal(t, portaltest.Response("200 OK", []string{google, session}, ""))
	for _, c := range readCases(t, "other_directives") {
		t.Run(c.Name, func(t *testing.T) {
			gateway := caddytest.Start(t, strings.ReplaceAll(c.Caddyfile, "PORTAL", portal.Address))
			if got := gateway.Get(t, "").SetCookies(); !slices.Equal(got, c.Notes("want")) {
				t.Errorf("got %q, want %q", got, c.Notes("want"))
			}
		})
	}
	// A cookie of the load balancer passes once the operator names it.
	got := caddytest.Start(t, "cookie_policy opendatasoft load_balancing\nreverse_proxy "+
		portal.Address+" {\nlb_policy cookie lb secret\n}").Get(t, "").SetCookies()
	if len(got) != 2 || !strings.HasPrefix(got[0], "lb=") {
		t.Errorf("got %q, want the cookie lb and the session", got)
	}
}

// A balancer's cookie passes where the policy names it, and where the request is none of the
// policy's.
func TestHandlerBalancerCookie(t *testing.T) {
	portal := portaltest.StartHandler(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Set-Cookie"] = []string{google, session}
	})
	balanced := "\nreverse_proxy " + portal + " {\nlb_policy cookie lb secret\n}"
	for policy, want := range map[string][]string{
		"cookie_policy opendatasoft":                                    {"sessionid="},
		"cookie_policy opendatasoft load_balancing":                     {"lb=", "sessionid="},
		"cookie_policy opendatasoft {\nallow necessary lb\n}":           {"lb=", "sessionid="},
		"cookie_policy opendatasoft {\nallow statistical lb\n}":         {"sessionid="},
		"cookie_policy /datasets/* opendatasoft":                        {"lb=", "_ga=", "sessionid="},
		"@page path /\ncookie_policy @page opendatasoft load_balancing": {"lb=", "sessionid="},
	} {
		gateway := caddytest.Start(t, policy+balanced)
		for protocol, client := range portaltest.Protocols(t) {
			if got := gateway.Ask(t, client, http.MethodGet, "/", nil,
				nil).Header["Set-Cookie"]; !slices.EqualFunc(got, want, strings.HasPrefix) {
				t.Errorf("%s, over %s: got %q, want %q", policy, protocol, got, want)
			}
		}
	}
}

// Access logs wrap the writer once more; nothing changes.
func TestHandlerWithinAccessLog(t *testing.T) {
	portal := portaltest.StartPortal(t, portaltest.Response("200 OK", []string{session, google}, "hello"))
	answer := caddytest.Start(t, "log {\noutput discard\n}\ncookie_policy opendatasoft\n"+
		"reverse_proxy "+portal.Address).Get(t, "")
	if got := answer.SetCookies(); !slices.Equal(got, []string{session}) ||
		!strings.HasSuffix(answer.Raw, "hello") {
		t.Errorf("got %q", answer.Raw)
	}
}
