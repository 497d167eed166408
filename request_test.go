package cookiepolicy

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// The portal gets the cookies that the policy lets through for this visitor, byte for byte and in
// order.
func TestHandlerRequestCookies(t *testing.T) {
	portal := portaltest.StartPortal(t, portaltest.Page())
	refused := "cookies_preferences=%7B%22matomo%22%3Afalse%7D"
	for policy, cases := range map[string][]struct {
		what       string
		send, want []string
	}{
		"opendatasoft matomo": {
			{"nothing", nil, nil},
			{"necessary ones", []string{"sessionid=1; csrftoken=2"}, []string{"sessionid=1; csrftoken=2"}},
			{"without a choice", []string{"sessionid=1; _pk_id.1.1fff=2; csrftoken=3"},
				[]string{"sessionid=1; csrftoken=3"}},
			{"granted", []string{"_pk_id.1.1fff=2; " + grantsMatomo},
				[]string{"_pk_id.1.1fff=2; " + grantsMatomo}},
			{"refused", []string{"_pk_id.1.1fff=2; " + refused}, []string{refused}},
			{"granted and refused", []string{"_pk_id.1.1fff=2; " + refused + "; " + grantsMatomo},
				[]string{refused + "; " + grantsMatomo}},
			{"a choice that cannot be read stays in place",
				[]string{`_pk_id.1.1fff=2; cookies_preferences={"matomo":true`},
				[]string{`cookies_preferences={"matomo":true`}},
			{"nothing left", []string{"_pk_id.1.1fff=2; _ga=3; campaign=4"}, nil},
			{"several lines", []string{"sessionid=1; _ga=2", "_ga=3", "csrftoken=4"},
				[]string{"sessionid=1", "csrftoken=4"}},
			{"bytes of any kind", []string{"_ga=1;\tsessionid = \"a, b\" " +
				"=\xff\xe9;csrftoken={\"x\":1};_ga=2"},
				[]string{"sessionid = \"a, b\" =\xff\xe9;csrftoken={\"x\":1}"}},
			{"duplicates and pairs without a name",
				[]string{"sessionid=1; sessionid; =sessionid; _ga=2; sessionid=3"},
				[]string{"sessionid=1; sessionid=3"}},
		},
		"opendatasoft {\nallow third_party _ga\nunlisted pass\n}": {
			{"unlisted ones pass, refused ones do not",
				[]string{"campaign=1; _ga=2; _pk_id.1.1fff=3"}, []string{"campaign=1; _pk_id.1.1fff=3"}},
		},
		"opendatasoft {\npreset matomo {\nanonymous\n}\n}": {
			{"anonymous, without a choice", []string{"_pk_id.1.1fff=1"}, []string{"_pk_id.1.1fff=1"}},
			{"anonymous, and refused", []string{"_pk_id.1.1fff=1; " + refused}, []string{refused}},
			{"anonymous, and the choice cannot be read",
				[]string{"_pk_id.1.1fff=1; cookies_preferences=x"}, []string{"cookies_preferences=x"}},
		},
	} {
		gateway := caddytest.Start(t, "cookie_policy "+policy+"\nreverse_proxy "+portal.Address)
		for _, c := range cases {
			t.Run(c.what, func(t *testing.T) {
				var lines []string
				for _, cookie := range c.send {
					lines = append(lines, "Cookie: "+cookie)
				}
				gateway.Fetch(t, false, "localhost", "/", lines...)
				if got := portal.Cookies(t); !slices.Equal(got, c.want) {
					t.Errorf("got  %q\nwant %q", got, c.want)
				}
				if len(c.send) != 1 || strings.Contains(c.send[0], "\t") {
					return // HTTP/2 has one line only, and trims
				}
				gateway.Ask(t, portaltest.Protocols(t)["HTTP/2"], http.MethodGet, "/",
					http.Header{"Cookie": c.send}, nil)
				// Each pair is a field of its own there, and joined they have `; `.
				if got, want := portal.Cookies(t), strings.Join(c.want, ""); strings.Join(got,
					"; ") != want {
					t.Errorf("over HTTP/2: got %q, want %q", got, want)
				}
			})
		}
	}
}

// The header is changed in place: handlers inside the policy and in error routes see the
// stripped one.
func TestHandlerRequestHeaderIsChangedInPlace(t *testing.T) {
	portal := portaltest.StartPortal(t, portaltest.Page())
	const shown = "[{http.request.header.Cookie}] [{http.request.cookie._ga}] " +
		"[{http.request.cookie.sessionid}]"
	const want = "[sessionid=2] [] [2]"
	for what, directives := range map[string]string{
		"respond": "cookie_policy opendatasoft\nrespond `" + shown + "`",
		"header": "cookie_policy opendatasoft\nheader X-Seen `" + shown +
			"`\nreverse_proxy " + portal.Address,
		"header_up": "cookie_policy opendatasoft\nheader X-Seen {http.request.header.X-Seen}\n" +
			"request_header X-Seen `" + shown + "`\nreverse_proxy " + portal.Address,
		"an error route": "cookie_policy opendatasoft\nerror 500\nhandle_errors {\nrespond `" +
			shown + "`\n}",
		"an error route with a policy of its own": "cookie_policy opendatasoft\nerror 500\n" +
			"handle_errors {\ncookie_policy opendatasoft\nrespond `" + shown + "`\n}",
		"a matcher": "cookie_policy opendatasoft\n@tracked header Cookie *_ga*\n" +
			"respond @tracked tracked\nrespond `" + shown + "`",
		"handle": "cookie_policy opendatasoft\nhandle {\nrespond `" + shown + "`\n}",
		"vars":   "cookie_policy opendatasoft\nvars seen `" + shown + "`\nrespond {vars.seen}",
		"map": "cookie_policy opendatasoft\nmap {http.request.cookie._ga} {ga} {\n`` none\n" +
			"default some\n}\nrespond `{ga}`",
		"a rewrite":    "cookie_policy opendatasoft\nrewrite /{http.request.cookie._ga}x\nrespond {uri}",
		"a Go handler": "route {\ncookie_policy opendatasoft\ntest_handler\n}",
	} {
		t.Run(what, func(t *testing.T) {
			caddytest.SetHandler(t, func(w http.ResponseWriter, r *http.Request) error {
				ga, _ := r.Cookie("_ga")
				session, _ := r.Cookie("sessionid")
				fmt.Fprintf(w, "[%s] [%v] [%s]", strings.Join(r.Header["Cookie"], ";"),
					map[bool]string{true: ""}[ga == nil], session.Value)
				return nil
			})
			got := caddytest.Start(t, directives).Fetch(t, false, "localhost", "/",
				"Cookie: _ga=1; sessionid=2", "X-Seen: x")
			seen, want := got.Body(), want
			switch what {
			case "header":
				seen = strings.Join(got.Field("X-Seen"), "")
			case "header_up":
				seen = strings.Join(portal.Last(t).Field("X-Seen"), "")
			case "map":
				want = "none"
			case "a rewrite":
				want = "/x"
			}
			if seen != want {
				t.Errorf("got %q, want %q\n%s", seen, want, got.Raw)
			}
		})
	}
}

// The access log is what came and what went out: all cookies are there, and none with its value.
func TestHandlerAccessLogKeepsTheOriginal(t *testing.T) {
	portal := portaltest.StartPortal(t, portaltest.Page("Set-Cookie: "+session, "Set-Cookie: "+google))
	file := filepath.Join(t.TempDir(), "access.log")
	gateway := caddytest.Start(t, "log {\noutput file "+file+
		"\n}\ncookie_policy opendatasoft\nreverse_proxy "+portal.Address)
	gateway.Fetch(t, false, "localhost", "/", navigate,
		"Cookie: _ga=s3cr3t-visitor; sessionid=s3cr3t-session")
	caddytest.Stop(t) // it writes once the answer is out
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var entry struct {
		Request struct{ Headers http.Header }
		Headers http.Header `json:"resp_headers"`
	}
	if err := json.Unmarshal(text, &entry); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	if got := entry.Request.Headers["Cookie"]; !slices.Equal(got, []string{"REDACTED"}) ||
		strings.Contains(string(text), "s3cr3t") {
		t.Errorf("the log has the request's cookies %q:\n%s", got, text)
	}
}
