package cookiepolicy

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// linesOver asks a gateway in every way there is, and returns the Set-Cookie lines by the way's name.
func linesOver(t testing.TB, g portaltest.Gateway, cookie string) map[string][]string {
	t.Helper()
	lines := map[string][]string{"clear HTTP/1.1": g.Get(t, cookie).SetCookies()}
	for protocol, client := range portaltest.Protocols(t) {
		header := http.Header{}
		if cookie != "" {
			header.Set("Cookie", cookie)
		}
		lines[protocol] = g.Ask(t, client, http.MethodGet, "/", header, nil).Header["Set-Cookie"]
	}
	return lines
}

// Each word that mends something, as an operator writes it.
func TestMending(t *testing.T) {
	const granted = "cookies_preferences=%7B%22matomo%22%3Atrue%7D"
	for _, c := range []struct {
		name, policy, cookie string
		send, want           []string
		clear                []string // what arrives over plain HTTP, if that is something else
	}{
		{"max_age", "opendatasoft {\nallow necessary a b c d e {\nmax_age 1h\n}\n}", "",
			[]string{"a=1; Path=/ ;Max-Age= 7200;HttpOnly", "b=1; max-age=60; Expires=Thu, 01 Jan 2099 00:00:00 GMT", "c=1", "d=; Max-Age=0", "e=1; Expires=Thu, 01-Jan-70 00:00:00 GMT", session},
			[]string{"a=1; Path=/ ;Max-Age= 3600;HttpOnly", "b=1; max-age=60; Expires=Thu, 01 Jan 2099 00:00:00 GMT", "c=1", "d=; Max-Age=0", "e=1; Expires=Thu, 01-Jan-70 00:00:00 GMT", session}, nil},
		{"max_age of a preset", "opendatasoft {\npreset matomo {\nmax_age 30d\n}\n}", granted,
			[]string{matomo + "; Max-Age=34128000", session + "; Max-Age=34128000"}, []string{matomo + "; Max-Age=2592000", session + "; Max-Age=34128000"}, nil},
		{"a lifetime that is declared", "{\nallow necessary a {\nlifetime 1d\n}\n}", "", []string{"a=1; Max-Age=86401"}, []string{"a=1; Max-Age=86401"}, nil},
		{"lifetimes enforce", "{\nlifetimes enforce\nallow necessary a {\nlifetime 1d\n}\nallow necessary b {\nlifetime 1d\nmax_age 2d\n}\nallow necessary c\n}", "",
			[]string{"a=1; Max-Age=999999", "b=1; Max-Age=999999", "c=1; Max-Age=999999"}, []string{"a=1; Max-Age=86400", "b=1; Max-Age=172800", "c=1; Max-Age=999999"}, nil},
		{"lifetimes enforce, with the published ones", "opendatasoft matomo {\nlifetimes enforce\n}", granted, []string{matomo + "; Max-Age=63072000"}, []string{matomo + "; Max-Age=34128000"}, nil},
		{"secure", "{\nallow necessary a b {\nsecure\n}\n}", "", []string{"a=1; Path=/", "b=1; SECURE"}, []string{"a=1; Path=/; Secure", "b=1; SECURE"}, []string{"a=1; Path=/", "b=1; SECURE"}},
		{"http_only", "{\nallow necessary a b {\nhttp_only\n}\n}", "", []string{"a=1; Path=/", "b=1;httponly"}, []string{"a=1; Path=/; HttpOnly", "b=1;httponly"}, nil},
		{"same_site lax", "{\nallow necessary a b c {\nsame_site lax\n}\n}", "",
			[]string{"a=1", "b=1; SameSite=None; Secure", "c=1; SameSite=Strict"}, []string{"a=1; SameSite=Lax", "b=1; SameSite=Lax; Secure", "c=1; SameSite=Strict"}, nil},
		{"same_site strict", "{\nallow necessary a b {\nsame_site strict\n}\n}", "", []string{"a=1", "b=1; samesite=LAX; Path=/"}, []string{"a=1; SameSite=Strict", "b=1; samesite=Strict; Path=/"}, nil},
		{"same_site none", "{\nallow necessary a b {\nsame_site none\n}\n}", "",
			[]string{"a=1", "b=1; SameSite=Lax"}, []string{"a=1; SameSite=None; Secure", "b=1; SameSite=Lax; Secure"}, []string{"a=1", "b=1; SameSite=Lax"}},
		{"rewrite_domain to the visitor's host alone", "opendatasoft {\nrewrite_domain portal.example.org\n}", "",
			[]string{"sessionid=1; Domain=.Portal.example.org; Path=/", "_ga=; domain=portal.example.org; Max-Age=0", "csrftoken=1; Domain=other.example.org"},
			[]string{"sessionid=1; Path=/", "_ga=; Max-Age=0", "csrftoken=1; Domain=other.example.org"}, nil},
		{"rewrite_domain to another", "opendatasoft {\nrewrite_domain portal.example.org city.example\nallow necessary __Host-a\n}", "",
			[]string{"sessionid=1; Domain=portal.example.org; Path=/", "__Host-a=1; Secure; Path=/"}, []string{"sessionid=1; Domain=city.example; Path=/", "__Host-a=1; Secure; Path=/"}, nil},
		{"conditions are judged before rewriting", "{\nrewrite_domain portal.example.org city.example\nallow necessary a b {\ndomain portal.example.org\n}\n}", "",
			[]string{"a=1; Domain=portal.example.org", "b=1; Domain=city.example"}, []string{"a=1; Domain=city.example"}, nil},
		{"nothing is configured", "opendatasoft", "",
			[]string{" sessionid = x ;; max-AGE=99999999999 ; SameSite ; domain = .portal.example.org ;EXPIRES=1/2/2099; secure=no"},
			[]string{"sessionid = x ;; max-AGE=99999999999 ; SameSite ; domain = .portal.example.org ;EXPIRES=1/2/2099; secure=no"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			portal := portaltest.StartPortal(t, portaltest.Response("200 OK", c.send, "hello"))
			gateway := caddytest.Start(t, "cookie_policy "+c.policy+"\nreverse_proxy "+portal.Address)
			for protocol, got := range linesOver(t, gateway, c.cookie) {
				want := c.want
				if strings.HasPrefix(protocol, "clear") && c.clear != nil {
					want = c.clear
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s: got  %q\nwant %q", protocol, got, want)
				}
			}
		})
	}
}

// A date is cut by the clock.
func TestMendingExpires(t *testing.T) {
	const most = 24 * time.Hour
	now := time.Now()
	short := "a=1; Expires=" + now.Add(most-time.Hour).UTC().Format(http.TimeFormat) + "; Path=/"
	portal := portaltest.StartPortal(t, portaltest.Response("200 OK", []string{"a=1; expires=\"Fri, 31-Dec-2099 23:59:59 GMT\"; Path=/", "a=1; Expires=Fri, 31-Dec-2099 23:59:59 GMT; Path=/", short, "a=1; Expires=1/31/2099; Path=/"}, ""))
	gateway := caddytest.Start(t, "cookie_policy {\nallow necessary a {\nmax_age 1d\n}\n}\nreverse_proxy "+portal.Address)
	for protocol, got := range linesOver(t, gateway, "") {
		if len(got) != 4 || got[2] != short || got[3] != "a=1; Path=/" {
			t.Fatalf("%s: got %q", protocol, got)
		}
		for i, attribute := range []string{"expires", "Expires"} {
			date, before := strings.CutPrefix(strings.TrimSuffix(got[i], "; Path=/"), "a=1; "+attribute+"=")
			cut, err := http.ParseTime(date)
			if err != nil || !before || cut.Before(now.Add(most-time.Minute)) || cut.After(time.Now().Add(most)) {
				t.Errorf("%s: got %q, want a date in a day", protocol, got[i])
			}
		}
	}
}

// A header that is filtered more than once is mended once: by hints, by a writer around the gateway that holds the header back, and at the end.
func TestMendingTwice(t *testing.T) {
	const sent = "sessionid=1; Domain=portal.example.org; Max-Age=7200"
	const want = "sessionid=1; Domain=city.example; Max-Age=3600; SameSite=Strict; Secure; HttpOnly"
	policy := "cookie_policy {\nallow necessary sessionid {\ndomain portal.example.org\nmax_age 1h\nsecure\nhttp_only\nsame_site strict\n}\nrewrite_domain portal.example.org city.example\nrewrite_domain city.example elsewhere.example\n}\n"
	hints := portaltest.StartPortal(t, "HTTP/1.1 103 Early Hints\r\nSet-Cookie: "+sent+"\r\n\r\n"+portaltest.Response("200 OK", []string{sent}, "hello"))
	for name, directives := range map[string]string{
		"hints of the portal":    policy + "reverse_proxy " + hints.Address,
		"within encode":          "route {\nencode {\ngzip\nminimum_length 1\n}\n" + policy + "test_handler\n}",
		"within templates":       "route {\ntemplates\n" + policy + "test_handler\n}",
		"hints of a handler":     "route {\n" + policy + "test_handler\n}",
		"an error of a handler":  "route {\n" + policy + "header Set-Cookie `" + sent + "`\nerror 500\n}",
		"deferred by a handler":  policy + "header >Set-Cookie `" + sent + "`\nrespond hello",
		"a policy within itself": "route {\n" + policy + strings.NewReplacer("domain portal.example.org", "path /", "rewrite_domain portal.example.org city.example\n", "", "rewrite_domain city.example elsewhere.example\n", "").Replace(policy) + "test_handler\n}",
	} {
		t.Run(name, func(t *testing.T) {
			caddytest.SetHandler(t, func(w http.ResponseWriter, _ *http.Request) error {
				w.Header()["Set-Cookie"] = []string{sent}
				if strings.HasPrefix(name, "hints") {
					w.WriteHeader(http.StatusEarlyHints)
				}
				w.Header().Set("Content-Type", "text/html")
				w.WriteHeader(http.StatusOK)
				io.WriteString(w, "hello")
				io.WriteString(w, "hello")
				return nil
			})
			gateway := caddytest.Start(t, directives)
			for protocol, client := range portaltest.Protocols(t) {
				got := gateway.Ask(t, client, http.MethodGet, "/", nil, nil)
				for _, header := range append(got.HintHeaders(), got.Header) {
					if !slices.Equal(header["Set-Cookie"], []string{want}) {
						t.Errorf("%s: got %q, want %q", protocol, header["Set-Cookie"], want)
					}
				}
			}
		})
	}
}

// A Domain that no browser takes from the host that the visitor typed is told in the log: once, and without the value.
func TestMendingUnusableDomain(t *testing.T) {
	portal := portaltest.StartPortal(t, portaltest.Response("200 OK", []string{"sessionid=s3cr3t; Domain=portal.example.org", "csrftoken=s3cr3t; Domain=localhost"}, ""))
	for policy, want := range map[string]int{
		"":                                 1,
		"rewrite_domain other.example.org": 1,
		"rewrite_domain portal.example.org city.example":   1,
		"rewrite_domain portal.example.org data.localhost": 1,
		"rewrite_domain portal.example.org localhost":      0,
		"rewrite_domain portal.example.org":                0,
	} {
		g := portaltest.Gateway(portaltest.FreePort(t))
		log := filepath.Join(t.TempDir(), "caddy.log")
		caddytest.Load(t, "log {\noutput file "+log+"\n}", fmt.Sprintf("http://localhost:%d {\ncookie_policy opendatasoft {\n%s\n}\nreverse_proxy %s\n}", g, policy, portal.Address))
		g.Get(t, "")
		g.Get(t, "")
		if err := caddy.Stop(); err != nil { // which writes the log's last lines
			t.Fatal(err)
		}
		text, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(string(text), "no browser accepts a cookie of the portal"); got != want {
			t.Errorf("%s: told %d times, want %d:\n%s", policy, got, want, text)
		}
		if want > 0 && (!strings.Contains(string(text), `"cookie":"sessionid"`) || !strings.Contains(string(text), `"host":"localhost`)) || strings.Contains(string(text), "s3cr3t") {
			t.Errorf("%s: the log is\n%s", policy, text)
		}
	}
}
