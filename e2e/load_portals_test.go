package e2e

import (
	"context"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	devtools "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
)

// portalPolicies are policies that portals send themselves, and what of their own these stop.
var portalPolicies = []struct{ name, policy, stops string }{
	{name: "none"},
	{
		// As a portal of Opendatasoft sends it, with fewer origins.
		name: "opendatasoft",
		policy: "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob: https://*.opendatasoft.com " +
			"https://*.huwise.com https://api.jawg.io https://disqus.com; img-src * data: blob:; font-src * data:; " +
			"frame-src 'self' https://www.youtube.com https://player.vimeo.com; " +
			"connect-src 'self' https://*.opendatasoft.com wss://*.screeb.app; upgrade-insecure-requests",
	},
	{
		name:   "nonce",
		policy: "script-src 'nonce-portal' 'strict-dynamic'; object-src 'none'; base-uri 'none'",
		stops:  "eval, handler, inline of the page, script in srcdoc, wasm",
	},
	{
		name:   "nothing",
		policy: "default-src 'none'",
		stops: "blob worker, data picture, eval, handler, inline, inline of the page, nonced, nonced of the page, own fetch, " +
			"own frame, own nonced script, own picture, own script, own style, script in srcdoc, style, wasm, wss",
	},
}

// acceptWebSocket answers the handshake of a WebSocket (RFC 6455 section 4.2.2).
func acceptWebSocket(w http.ResponseWriter, r *http.Request) {
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	w.Header().Set("Upgrade", "websocket")
	w.Header().Set("Connection", "Upgrade")
	w.Header().Set("Sec-WebSocket-Accept", base64.StdEncoding.EncodeToString(sum[:]))
	w.WriteHeader(http.StatusSwitchingProtocols)
}

// With load enforce a portal's own policy stops the same requests as without it. Everything else on its pages still
// works, except requests to third parties.
func TestLoadPortalPolicies(t *testing.T) {
	certificate, certFile, keyFile := portaltest.NewCertificate(t, auditedHost, "*."+websiteB)
	third := strings.TrimSuffix(startOther(t, certificate).address("https", "any"), "/")
	portal := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/socket" {
			acceptWebSocket(w, r)
			return
		}
		for _, c := range portalPolicies {
			if r.URL.Path != "/"+c.name {
				continue
			}
			if c.policy != "" {
				w.Header().Set("Content-Security-Policy", c.policy)
			}
			writePage(w, "<script>window.parsed = true</script><script nonce=portal>window.parsedNonced = true</script>")
			return
		}
		serveWanted(w, r)
	}))
	t.Cleanup(portal.Close)
	without := startLoadGateway(t, portal.URL, certFile, keyFile, "")
	enforced := startLoadGateway(t, portal.URL, certFile, keyFile, `cookie_policy opendatasoft {
		load enforce {
			sample 100%
		}
	}`)

	script, err := os.ReadFile("testdata/load_tries.js")
	if err != nil {
		t.Fatal(err)
	}
	tab := startLoadBrowser(t, spkiOf(t, certificate))
	if err := chromedp.Run(tab, chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := devtools.AddScriptToEvaluateOnNewDocument(string(script)).Do(ctx)
		return err
	})); err != nil {
		t.Fatal(err)
	}
	// try opens a page, and returns what works there and what the portal's own policy stops, if that is expected to
	// be some of it.
	try := func(t *testing.T, url string, expected int) (works map[string]bool, violations []string) {
		t.Helper()
		await := func(p *runtime.EvaluateParams) *runtime.EvaluateParams {
			return p.WithAwaitPromise(true).WithAllowUnsafeEvalBlockedByCSP(false)
		}
		if err := chromedp.Run(tab, chromedp.Navigate(url),
			chromedp.Evaluate(fmt.Sprintf("tries(%q)", third), &works, await),
			chromedp.Evaluate(fmt.Sprintf("violated(%d)", expected), &violations, await)); err != nil {
			t.Fatal(err)
		}
		slices.Sort(violations)
		return works, violations
	}
	for _, c := range portalPolicies {
		t.Run(c.name, func(t *testing.T) {
			free, wantViolations := try(t, without+"/"+c.name, 0)
			works, violations := try(t, enforced+"/"+c.name, len(wantViolations))
			if !slices.Equal(violations, wantViolations) || len(violations) == 0 != (c.policy == "") {
				t.Errorf("the portal's policy stops %q, and without the gateway's %q", violations, wantViolations)
			}
			var stopped []string
			for _, what := range slices.Sorted(maps.Keys(free)) {
				if strings.HasPrefix(what, "other ") {
					if works[what] || c.policy == "" && !free[what] {
						t.Errorf("%s: works: %v, and without the gateway's policy: %v", what, works[what], free[what])
					}
					continue
				}
				if works[what] != free[what] {
					t.Errorf("%s: works: %v, and without the gateway's policy: %v", what, works[what], free[what])
				}
				if !works[what] {
					stopped = append(stopped, what)
				}
			}
			if got := strings.Join(stopped, ", "); got != c.stops {
				t.Errorf("stopped is %q, want %q", got, c.stops)
			}
		})
	}
}
