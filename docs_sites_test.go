package cookiepolicy

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// docsSite returns the one example in the docs that contains a text, with the addresses of the site
// and of its portal replaced.
func docsSite(t *testing.T, holding, address, portal string) string {
	t.Helper()
	var found []string
	for _, text := range fenced(t, "caddyfile") {
		if strings.Contains(text, holding) {
			found = append(found, strings.NewReplacer("data.city.example {", address+" {",
				"https://portal.example.org", portal).Replace(text))
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d examples in the docs hold %s", len(found), holding)
	}
	return found[0]
}

// The README's example: a tracker's script is there once the visitor grants it, and empty until
// then.
func TestDocsGateAScript(t *testing.T) {
	portal := portaltest.StartPortal(t, portaltest.Response("200 OK", nil, "script"))
	port := portaltest.FreePort(t)
	caddytest.Load(t, caddytest.DiscardLogs,
		docsSite(t, "/matomo.js", fmt.Sprintf("http://localhost:%d", port), portal.Address))
	for cookie, want := range map[string]string{"": "204", grantsMatomo: "200",
		"cookies_preferences=%7B%22matomo%22%3Afalse%7D": "204", "cookies_preferences=x": "204"} {
		got := portaltest.Gateway(port).Fetch(t, false, "localhost", "/matomo.js", "Cookie: "+cookie)
		if !strings.HasPrefix(got.Raw, "HTTP/1.1 "+want) || (got.Body() == "script") != (want == "200") {
			t.Errorf("with %q: got %q", cookie, got.Raw)
		}
		if !slices.Contains(got.Field("Vary"), "Cookie") {
			t.Errorf("with %q: Vary is %q", cookie, got.Field("Vary"))
		}
		if other := portaltest.Gateway(port).Fetch(t, false, "localhost", "/other.js",
			"Cookie: "+cookie); !strings.HasPrefix(other.Raw, "HTTP/1.1 200") {
			t.Errorf("with %q: another script is %q", cookie, other.Raw)
		}
	}
}

// The README's example: the tracker's host is in the Content-Security-Policy once the visitor
// grants it.
func TestDocsBuildAContentSecurityPolicy(t *testing.T) {
	portal := portaltest.StartPortal(t, portaltest.Page("Content-Security-Policy: default-src *"))
	port := portaltest.FreePort(t)
	caddytest.Load(t, caddytest.DiscardLogs,
		docsSite(t, "Content-Security-Policy", fmt.Sprintf("http://localhost:%d", port), portal.Address))
	for cookie, want := range map[string]bool{"": false, grantsMatomo: true,
		"cookies_preferences=%7B%22matomo%22%3Afalse%7D": false} {
		got := portaltest.Gateway(port).Get(t, cookie).Field("Content-Security-Policy")
		if len(got) != 1 || !strings.Contains(got[0], "script-src 'self'") ||
			strings.Contains(got[0], "https://matomo.city.example") != want {
			t.Errorf("with %q: got %q", cookie, got)
		}
	}
}
