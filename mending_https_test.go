package cookiepolicy

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// Secure is for visitors whose own connection is HTTPS. A proxy in front knows that, if it is one
// that Caddy trusts.
func TestMendingSecure(t *testing.T) {
	portal := portaltest.StartPortal(t, portaltest.Response("200 OK", []string{"a=1"}, ""))
	const (
		trusting = "servers {\ntrusted_proxies static 127.0.0.1/32\n}"
		doubting = "servers {\ntrusted_proxies static 192.0.2.0/24\n}"
	)
	for _, c := range []struct {
		what, options string
		tls           bool
		proto         []string // X-Forwarded-Proto
		secure        bool
	}{
		{"HTTP", doubting, false, nil, false},
		{"HTTPS", doubting, true, nil, true},
		{"HTTP, and an untrusted proxy says HTTPS", doubting, false, []string{"https"}, false},
		{"HTTPS, and an untrusted proxy says HTTP", doubting, true, []string{"http"}, true},
		{"HTTP, and a trusted proxy says HTTPS", trusting, false, []string{"https"}, true},
		{"HTTP, and a trusted proxy says HTTPS loudly", trusting, false, []string{"HTTPS"}, true},
		{"HTTP, and a trusted proxy says HTTP", trusting, false, []string{"http"}, false},
		{"HTTP, and a trusted proxy says nothing", trusting, false, nil, false},
		{"HTTPS, and a trusted proxy says HTTP", trusting, true, []string{"http"}, false},
		{"HTTPS, and a trusted proxy says nothing", trusting, true, nil, true},
		{"HTTP, and a trusted proxy adds its word to the visitor's", trusting, false,
			[]string{"https", "http"}, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			g := caddytest.StartAnyHost(t, caddytest.DiscardLogs+c.options,
				"cookie_policy {\nallow necessary a {\nsecure\n}\n}\nreverse_proxy "+portal.Address)
			want := "a=1"
			if c.secure {
				want = "a=1; Secure"
			}
			got := map[string][]string{}
			if c.tls {
				for protocol, client := range portaltest.Protocols(t) {
					got[protocol] = g.Ask(t, client, http.MethodGet, "/",
						http.Header{"X-Forwarded-Proto": c.proto}, nil).Header["Set-Cookie"]
				}
			} else {
				request := "GET / HTTP/1.1\r\nHost: localhost\r\n"
				for _, proto := range c.proto {
					request += "X-Forwarded-Proto: " + proto + "\r\n"
				}
				got["HTTP/1.1"] = g.Send(t, request+"Connection: close\r\n\r\n").SetCookies()
			}
			for protocol, lines := range got {
				if !slices.Equal(lines, []string{want}) {
					t.Errorf("%s: got %q, want %q", protocol, lines, want)
				}
			}
		})
	}
}

// Browsers accept SameSite=None over HTTPS only. The first response over plain HTTP with a cookie of
// such a rule logs a warning, and the cookie goes out without the attributes.
func TestMendingNeedsHTTPS(t *testing.T) {
	portal := portaltest.StartHandler(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Set-Cookie"] = []string{"b=s3cr3t"}
		switch r.URL.Path {
		case "/a":
			w.Header()["Set-Cookie"] = []string{"a=s3cr3t; Path=/", "b=s3cr3t"}
		case "/gone":
			w.Header()["Set-Cookie"] = []string{"a=; Max-Age=0", "b=s3cr3t"}
		}
	})
	const warning = "browsers accept SameSite=None over HTTPS only, and this visitor's connection is plain " +
		"HTTP: serve the site over HTTPS, name the proxies in front of it with trusted_proxies, or remove " +
		"same_site none"
	const policy = "cookie_policy {\nname city\n%s\nallow necessary a {\nsame_site %s\n}\n" +
		"allow necessary b\n}\n"
	const mended, plain = "a=s3cr3t; Path=/; SameSite=None; Secure", "a=s3cr3t; Path=/"
	for _, c := range []struct {
		what, mode, sameSite, path string
		https                      bool
		lines                      []string
		set                        string
		warnings                   string
	}{
		{"HTTPS", "enforce", "none", "/a", true, nil, mended, ""},
		{"HTTP", "enforce", "none", "/a", false, nil, plain, "warn|city|a\n"},
		{"HTTP, and no cookie of the rule", "enforce", "none", "/", false, nil, "", ""},
		{"a trusted proxy says HTTPS", "enforce", "none", "/a", false,
			[]string{"X-Forwarded-Proto: https"}, mended, ""},
		{"a trusted proxy says HTTP", "enforce", "none", "/a", false,
			[]string{"X-Forwarded-Proto: http"}, plain, "warn|city|a\n"},
		{"HTTP, and the cookie is deleted", "enforce", "none", "/gone", false, nil, "a=; Max-Age=0", ""},
		{"HTTP, mode report", "report", "none", "/a", false, nil, plain, "warn|city|a\n"},
		{"HTTP, same_site lax", "enforce", "lax", "/a", false, nil, plain + "; SameSite=Lax", ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			w := caddytest.NewInstance(t)
			directives := fmt.Sprintf(policy, "mode "+c.mode, c.sameSite) + "reverse_proxy " + portal
			gateway := portaltest.Gateway(portaltest.FreePort(t))
			w.Load(fmt.Sprintf("http://localhost:%d {\n%s\n}\nhttps://localhost:%d {\n%s\n%s\n}\n",
				gateway, directives, gateway.HTTPSPort(), caddytest.TLS(), directives))
			set := []string{"b=s3cr3t"}
			if c.set != "" {
				set = []string{c.set, "b=s3cr3t"}
			}
			for range 3 {
				answer := gateway.Fetch(t, c.https, "localhost", c.path, c.lines...)
				if got := answer.SetCookies(); !slices.Equal(got, set) {
					t.Errorf("got %q, want %q", got, set)
				}
			}
			caddytest.Stop(t) // the log is complete then
			entries := w.Log("all.log", handlerLog, warning)
			want(t, "the warnings", caddytest.Pick(entries, "level", "policy", "cookie"), c.warnings)
			for _, entry := range entries {
				if where, _ := entry["written"].(string); !strings.HasPrefix(where, "Caddyfile:") {
					t.Errorf("the warning %v does not say where same_site was written", entry)
				}
			}
			if strings.Contains(fmt.Sprint(entries), "s3cr3t") {
				t.Errorf("a warning has a value: %v", entries)
			}
		})
	}
}
