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

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// linesOver asks a gateway in every way there is, and returns the Set-Cookie lines by the way's
// name.
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
	for _, c := range readCases(t, "mending") {
		t.Run(c.Name, func(t *testing.T) {
			portal := portaltest.StartPortal(t, portaltest.Response("200 OK", c.Notes("send"), "hello"))
			gateway := caddytest.Start(t, strings.ReplaceAll(c.Caddyfile, "PORTAL", portal.Address))
			for protocol, got := range linesOver(t, gateway, c.Note("Cookie")) {
				want := c.Notes("want")
				if clear := c.Notes("want over HTTP"); strings.HasPrefix(protocol, "clear") &&
					clear != nil {
					want = clear
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
	portal := portaltest.StartPortal(t,
		portaltest.Response("200 OK", []string{"a=1; expires=\"Fri, 31-Dec-2099 23:59:59 " +
			"GMT\"; Path=/", "a=1; Expires=Fri, 31-Dec-2099 23:59:59 GMT; Path=/", short,
			"a=1; Expires=1/31/2099; Path=/"}, ""))
	gateway := caddytest.Start(t, "cookie_policy {\nallow necessary a {\nmax_age 1d\n}\n}\n"+
		"reverse_proxy "+portal.Address)
	for protocol, got := range linesOver(t, gateway, "") {
		if len(got) != 4 || got[2] != short || got[3] != "a=1; Path=/" {
			t.Fatalf("%s: got %q", protocol, got)
		}
		for i, attribute := range []string{"expires", "Expires"} {
			date, before := strings.CutPrefix(strings.TrimSuffix(got[i], "; Path=/"), "a=1; "+attribute+"=")
			cut, err := http.ParseTime(date)
			if err != nil || !before || cut.Before(now.Add(most-time.Minute)) ||
				cut.After(time.Now().Add(most)) {
				t.Errorf("%s: got %q, want a date in a day", protocol, got[i])
			}
		}
	}
}

// A header that is filtered more than once is mended once: by hints, by a writer around the gateway
// that holds the header back, and at the end.
func TestMendingTwice(t *testing.T) {
	const sent = "sessionid=1; Domain=portal.example.org; Max-Age=7200"
	const want = "sessionid=1; Domain=city.example; Max-Age=3600; SameSite=Strict; Secure; HttpOnly"
	policy := "cookie_policy {\nallow necessary sessionid {\ndomain portal.example.org\nmax_age 1h\n" +
		"secure\nhttp_only\nsame_site strict\n}\nrewrite_domain portal.example.org city.example\n" +
		"rewrite_domain city.example elsewhere.example\n}\n"
	hints := portaltest.StartPortal(t, "HTTP/1.1 103 Early Hints\r\nSet-Cookie: "+sent+"\r\n\r\n"+
		portaltest.Response("200 OK", []string{sent}, "hello"))
	for name, directives := range map[string]string{
		"hints of the portal": policy + "reverse_proxy " + hints.Address,
		"within encode": "route {\nencode {\ngzip\nminimum_length 1\n}\n" + policy +
			"test_handler\n}",
		"within templates":      "route {\ntemplates\n" + policy + "test_handler\n}",
		"hints of a handler":    "route {\n" + policy + "test_handler\n}",
		"an error of a handler": "route {\n" + policy + "header Set-Cookie `" + sent + "`\nerror 500\n}",
		"deferred by a handler": policy + "header >Set-Cookie `" + sent + "`\nrespond hello",
		"a policy within itself": "route {\n" + policy +
			strings.NewReplacer("domain portal.example.org", "path /",
				"rewrite_domain portal.example.org city.example\n", "",
				"rewrite_domain city.example elsewhere.example\n", "").Replace(policy) + "test_handler\n}",
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

// A Domain that no browser takes from the host that the visitor typed is logged: once, and
// without the value.
func TestMendingUnusableDomain(t *testing.T) {
	portal := portaltest.StartPortal(t,
		portaltest.Response("200 OK", []string{"sessionid=s3cr3t; Domain=portal.example.org",
			"csrftoken=s3cr3t; Domain=localhost"}, ""))
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
		caddytest.Load(t, "log {\noutput file "+log+"\n}",
			fmt.Sprintf("http://localhost:%d {\ncookie_policy opendatasoft {\n%s\n}\n"+
				"reverse_proxy %s\n}", g, policy, portal.Address))
		g.Get(t, "")
		g.Get(t, "")
		caddytest.Stop(t) // which writes the log's last lines
		text, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(string(text), "no browser accepts a cookie of the portal"); got != want {
			t.Errorf("%s: logged %d times, want %d:\n%s", policy, got, want, text)
		}
		if want > 0 && (!strings.Contains(string(text), `"cookie":"sessionid"`) ||
			!strings.Contains(string(text), `"host":"localhost`)) ||
			strings.Contains(string(text), "s3cr3t") {
			t.Errorf("%s: the log is\n%s", policy, text)
		}
	}
}
