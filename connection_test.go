package cookiepolicy

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// Secure is for visitors whose own connection is HTTPS. A proxy in front knows that, if it is one that Caddy trusts.
func TestMendingSecure(t *testing.T) {
	portal := portaltest.StartPortal(t, portaltest.Response("200 OK", []string{"a=1"}, ""))
	const trusting, doubting = "servers {\ntrusted_proxies static 127.0.0.1/32\n}", "servers {\ntrusted_proxies static 192.0.2.0/24\n}"
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
		{"HTTP, and a trusted proxy adds its word to the visitor's", trusting, false, []string{"https", "http"}, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			g := caddytest.StartAnyHost(t, caddytest.DiscardLogs+c.options, "cookie_policy {\nallow necessary a {\nsecure\n}\n}\nreverse_proxy "+portal.Address)
			want := "a=1"
			if c.secure {
				want = "a=1; Secure"
			}
			got := map[string][]string{}
			if c.tls {
				for protocol, client := range portaltest.Protocols(t) {
					got[protocol] = g.Ask(t, client, http.MethodGet, "/", http.Header{"X-Forwarded-Proto": c.proto}, nil).Header["Set-Cookie"]
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

// What can never act is refused at load: SameSite=None where no visitor comes over HTTPS.
func TestProvisionSameSiteNone(t *testing.T) {
	const (
		none  = "cookie_policy {\nallow necessary a {\nsame_site none\n}\n}\n"
		clear = "http://localhost:8080 {\n" + none + "}\n"
		fault = `allow[0].same_site: "none": browsers take SameSite=None over HTTPS only, and this config has neither a server with TLS nor a proxy that it trusts to tell of HTTPS; ` +
			`serve the site over HTTPS, name the proxies in front of it with trusted_proxies, or remove this`
	)
	secure := fmt.Sprintf("https://localhost:8443 {\n%s\nrespond ok\n}\n", caddytest.TLS())
	for _, c := range []struct{ name, caddyfile, want string }{
		{"in the clear", clear, fault},
		{"without a name", ":8080 {\n" + none + "}", fault},
		{"on a socket", "http://localhost {\nbind unix//tmp/x.sock\n" + none + "}", fault},
		{"on several sites in the clear", clear + "http://other.example:8081 {\n" + none + "}", fault},
		{"within a route", "http://localhost:8080 {\nroute /a {\n" + none + "}\n}", fault},
		{"asked for with a preset, and with other faults", "http://localhost:8080 {\nroute {\ncookie_policy matomo {\npreset opendatasoft {\nsame_site none\n}\n}\n}\n}", strings.Replace(fault, "allow[0]", "presets[1]", 1)},
		{"same_site lax", strings.ReplaceAll(clear, "none", "lax"), ""},
		{"over HTTPS", strings.Replace(secure, "respond ok", none, 1), ""},
		{"with a site of each kind", clear + secure, ""},
		{"with a name, which gets HTTPS by itself", "data.city.example {\n" + none + "}", ""},
		{"with a name, and no HTTPS by itself", "{\nauto_https off\n}\nhttp://data.city.example {\n" + none + "}", fault},
		{"behind proxies that are trusted", "{\nservers {\ntrusted_proxies static private_ranges\n}\n}\n" + clear, ""},
		{"behind a proxy on a socket", "{\nservers {\ntrusted_proxies_unix\n}\n}\n" + clear, ""},
		{"behind a listener that may know more", "{\nservers {\nlistener_wrappers {\nproxy_protocol\n}\n}\n}\n" + clear, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			config, _, err := caddytest.Adapt("{\n" + caddytest.Storage() + "\n}\n" + c.caddyfile)
			if strings.HasPrefix(c.caddyfile, "{") {
				config, _, err = caddytest.Adapt("{\n" + caddytest.Storage() + c.caddyfile[1:])
			}
			if err != nil {
				t.Fatal(err)
			}
			var parsed caddy.Config
			if err := json.Unmarshal(config, &parsed); err != nil {
				t.Fatal(err)
			}
			switch err := caddy.Validate(&parsed); {
			case c.want == "" && err != nil:
				t.Errorf("got %v, want no fault", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}
