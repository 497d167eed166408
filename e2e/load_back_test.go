package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	devtools "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
)

// A step asks a third party, which has a host for each step, and tells the portal whether it could.
const step = `async function step(name) {
		const outcome = await fetch("https://" + name + ".DOMAIN/", {mode: "no-cors"}).then(() => "sent", () => "stopped")
		fetch("/told/" + name + "/" + outcome)
	}`

// stepsPage does a step when it is shown, and others when it is asked to.
const stepsPage = `<script>` + step + `
	function choose(yes) {
		document.cookie = "cookies_preferences=" + encodeURIComponent(JSON.stringify({tracker: yes})) + "; Path=/; Secure"
	}
	function asksWorker(name) {
		navigator.serviceWorker.register("/worker.js")
		navigator.serviceWorker.ready.then(registration => registration.active.postMessage(name))
	}
	addEventListener("pageshow", e => step(location.pathname.slice(1) + (e.persisted ? "-restored" : "-loaded")))
	</script>`

// A page keeps the policy that it was loaded with. So a withdrawal counts from the next page on, and neither for
// the page that is open, also where its script shows another view, nor for one that a browser brings back as it
// was, which it may do or not. A service worker keeps the policy that it was installed with.
func TestLoadKeepsPolicyOfPage(t *testing.T) {
	certificate, certFile, keyFile := portaltest.NewCertificate(t, auditedHost, "*."+websiteB)
	third := startOther(t, certificate)
	domain := websiteB + ":" + third.port
	told := make(chan string, 10)
	portal := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if what, is := strings.CutPrefix(r.URL.Path, "/told/"); is {
			told <- what
			return
		}
		if r.URL.Path == "/worker.js" {
			w.Header().Set("Content-Type", "text/javascript")
			fmt.Fprint(w, strings.ReplaceAll(step+`; addEventListener("message", e => e.waitUntil(step(e.data)))`, "DOMAIN", domain))
			return
		}
		writePage(w, strings.ReplaceAll(stepsPage, "DOMAIN", domain))
	}))
	t.Cleanup(portal.Close)
	origin := startLoadGateway(t, portal.URL, certFile, keyFile, fmt.Sprintf(`cookie_policy opendatasoft {
		allow third_party {
			consent tracker
			origin https://*.%s
		}
		load enforce
	}`, domain))
	tab := startLoadBrowser(t, spkiOf(t, certificate))

	script := func(text string) chromedp.Action { return chromedp.Evaluate(text+";0", nil) }
	for _, c := range []struct {
		name string
		does chromedp.Action
		want []string
	}{
		{"a visitor comes", chromedp.Navigate(origin + "/first"), []string{"first-loaded/stopped"}},
		{"and grants", script(`choose(true); step("granted")`), []string{"granted/stopped"}},
		{"and opens the next page", script(`location = "/second"`), []string{"second-loaded/sent"}},
		{"and gets a service worker", script(`asksWorker("installed")`), []string{"installed/sent"}},
		{"and withdraws", script(`choose(false); step("withdrawn")`), []string{"withdrawn/sent"}},
		{"and sees another view", script(`history.replaceState({}, "", "/view"); step("shown")`), []string{"shown/sent"}},
		{"and opens a page", script(`location = "/third"`), []string{"third-loaded/stopped"}},
		{"which asks the service worker", script(`asksWorker("kept")`), []string{"kept/sent"}},
		{"and goes back", script(`history.back()`), []string{"view-restored/sent", "view-loaded/stopped"}},
		{"and reloads", devtools.Reload(), []string{"view-loaded/stopped"}},
	} {
		if err := chromedp.Run(tab, c.does); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		select {
		case got := <-told:
			name, outcome, _ := strings.Cut(got, "/")
			if !slices.Contains(c.want, got) || third.wasAsked(name) != (outcome == "sent") {
				t.Errorf("%s: told is %q, want one of %q; the third party was asked: %v", c.name, got, c.want,
					third.wasAsked(name))
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%s: no page has told anything", c.name)
		}
	}
}
