package cookiepolicy

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

func TestMain(m *testing.M) { caddytest.Main(m) }

// Cookies of the published policy, and some that it does not name.
const (
	session, csrf, language, choices = portaltest.Session, portaltest.CSRF, portaltest.Language, portaltest.Choices
	matomo, google, unlisted         = portaltest.Matomo, portaltest.Google, portaltest.Unlisted
	grantsMatomo                     = portaltest.GrantsMatomo
)

// What the policy lets through reaches the visitor byte for byte and in order, and nothing else does: whatever the lines look like, whatever
// the status, and whatever the visitor stored.
func TestHandlerSetCookie(t *testing.T) {
	for _, c := range []struct {
		name       string
		policy     string
		cookie     string // the request's Cookie header
		send, want []string
	}{
		{"only what the policy names", "opendatasoft", "", []string{session, matomo, csrf, google, language, unlisted, choices}, []string{session, csrf, language, choices}},
		{"all refused leaves no header", "opendatasoft", "", []string{matomo, google, unlisted}, nil},
		{"statistics without a choice", "opendatasoft matomo", "", []string{matomo, session}, []string{session}},
		{"statistics that were granted", "opendatasoft matomo", grantsMatomo, []string{google, matomo, session}, []string{matomo, session}},
		{"statistics that were refused", "opendatasoft matomo", "cookies_preferences=%7B%22matomo%22%3Afalse%7D", []string{matomo}, nil},
		{"a choice in plain JSON", "opendatasoft matomo", `cookies_preferences={"matomo":true}`, []string{matomo}, []string{matomo}},
		{"a choice in quotes", "opendatasoft matomo", `cookies_preferences="%7B%22matomo%22%3Atrue%7D"`, []string{matomo}, []string{matomo}},
		{"a choice given twice, and once refused", "opendatasoft matomo", grantsMatomo + "; cookies_preferences=%7B%22matomo%22%3Afalse%7D", []string{matomo}, nil},
		{"a choice that cannot be read", "opendatasoft matomo", "cookies_preferences=yes", []string{matomo}, nil},
		{"anonymous statistics without a choice", "opendatasoft {\npreset matomo {\nanonymous\n}\n}", "", []string{matomo}, []string{matomo}},
		{"anonymous statistics that were refused", "opendatasoft {\npreset matomo {\nanonymous\n}\n}", "cookies_preferences=%7B%22matomo%22%3Afalse%7D", []string{matomo}, nil},
		{"anonymous statistics where the choice cannot be read", "opendatasoft {\npreset matomo {\nanonymous\n}\n}", "cookies_preferences=%", []string{matomo}, nil},
		{"a rule with a domain", "{\nallow necessary a b c d {\ndomain .Example.com\n}\n}", "",
			[]string{"a=1", "b=1; Domain=EXAMPLE.com", "c=1; domain = .example.com", "d=1; Domain=sub.example.com"},
			[]string{"a=1", "b=1; Domain=EXAMPLE.com", "c=1; domain = .example.com"}},
		{"a rule with a path", "{\nallow necessary a b c {\npath /app\n}\n}", "",
			[]string{"a=1; Path=/app", "b=1; Path=/app/x", "c=1"}, []string{"a=1; Path=/app", "c=1"}},
		{"unlisted cookies pass where the policy says so", "opendatasoft {\nunlisted pass\nallow third_party _ga\n}", "", []string{unlisted, google, session}, []string{unlisted, session}},
		{"deletions pass, whatever their name", "opendatasoft", "",
			[]string{"_ga=; Max-Age=0", "_gid=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Domain=.example.com", "x=; Max-Age=60; Max-Age=-1", "y=; Max-Age=0; Max-Age=60"},
			[]string{"_ga=; Max-Age=0", "_gid=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Domain=.example.com", "x=; Max-Age=60; Max-Age=-1"}},
		{"lines that net/http would lose or rewrite", "opendatasoft", "",
			[]string{`sessionid="a; Domain=x; b"`, "sessionid = a b,c ;Path = / ; Foo", "csrftoken=é\xff", "sessionid\u00a0=x", "=sessionid=x", "sessionid", `_ga=1, sessionid=2`, "SessionID=x"},
			[]string{`sessionid="a; Domain=x; b"`, "sessionid = a b,c ;Path = / ; Foo", "csrftoken=é\xff"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			portal := portaltest.StartPortal(t, portaltest.Response("200 OK", c.send, "hello"))
			gateway := caddytest.Start(t, "cookie_policy "+c.policy+"\nreverse_proxy "+portal.Address)
			answer := gateway.Get(t, c.cookie)
			if got := answer.SetCookies(); !slices.Equal(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
			if !strings.HasSuffix(answer.Raw, "hello") {
				t.Errorf("the body is %q", answer.Raw)
			}
		})
	}
}

// Five portals publish the policy; one gateway enforces it for all of them, under five names.
func TestHandlerFivePolicies(t *testing.T) {
	portal := portaltest.StartPortal(t, portaltest.Response("200 OK", []string{session, matomo, language, google, csrf, choices, unlisted}, ""))
	sites := []string{"dashboard.paris", "opendata.paris.fr", "cityai.my.opendatasoft.com", "desidedatum-partners.opendatasoft.com", "data.city.example"}
	port := portaltest.FreePort(t)
	caddyfile := "(portal) {\ncookie_policy opendatasoft\nreverse_proxy " + portal.Address + "\n}\n"
	for _, site := range sites {
		caddyfile += fmt.Sprintf("http://%s:%d {\nimport portal\n}\n", site, port)
	}
	caddytest.Load(t, caddytest.DiscardLogs, caddyfile)
	for _, site := range sites {
		answer := portaltest.Gateway(port).Send(t, "GET / HTTP/1.1\r\nHost: "+site+"\r\nConnection: close\r\n\r\n")
		if got := answer.SetCookies(); !slices.Equal(got, []string{session, language, csrf, choices}) {
			t.Errorf("%s: got %q", site, got)
		}
	}
}
