package cookiepolicy

import (
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

// What can never act is refused at load: SameSite=None where no visitor comes over HTTPS.
func TestProvisionSameSiteNone(t *testing.T) {
	const fault = `.same_site: "none": browsers take SameSite=None over HTTPS only, and this config ` +
		`has neither a server with TLS nor a proxy that it trusts to tell of HTTPS; serve the site over ` +
		`HTTPS, name the proxies in front of it with trusted_proxies, or remove this`
	for _, c := range readCases(t, "same_site_none") {
		t.Run(c.Name, func(t *testing.T) {
			options, sites := "{\n"+caddytest.Storage()+"\n", "}\n"+strings.ReplaceAll(c.Caddyfile,
				"CERTIFICATE", caddytest.TLS())
			if more, found := strings.CutPrefix(c.Caddyfile, "{"); found {
				sites = more
			}
			config, _, err := caddytest.Adapt(options + sites)
			if err != nil {
				t.Fatal(err)
			}
			switch err := caddytest.Validate(config); {
			case c.Note("fault") == "" && err != nil:
				t.Errorf("got %v, want no fault", err)
			case c.Note("fault") != "" && (err == nil ||
				!strings.Contains(err.Error(), c.Note("fault")+fault)):
				t.Errorf("got  %v\nwant %s", err, c.Note("fault")+fault)
			}
		})
	}
}
