package e2e

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/cookie-policy/caddy-cookie-policy/har"
)

// The files are those that the network panel of DevTools exports: a second tab runs the front end that
// is in Chromium, which records what the first tab does.

// recordScript waits until the front end records what the first tab does, and navigates that tab.
const recordScript = `(async () => {
	const SDK = await import('./core/sdk/sdk.js');
	const targets = SDK.TargetManager.TargetManager.instance();
	const manager = await new Promise(attached => targets.observeModels(SDK.NetworkManager.NetworkManager,
		{modelAdded: attached, modelRemoved() {}}));
	await manager.target().pageAgent().invoke_navigate({url: %q});
})()`

// recordedScript reports whether a number of requests was recorded in full, with the headers that the
// network service reports by itself.
const recordedScript = `(async () => {
	const Logs = await import('./models/logs/logs.js');
	const requests = Logs.NetworkLog.NetworkLog.instance().requests();
	return requests.length === %d && requests.every(request => request.finished && (request.cached() ||
		request.hasExtraRequestInfo() && request.hasExtraResponseInfo()));
})()`

// exportScript returns a HAR file, as the menu item for one does.
const exportScript = `(async () => {
	const [Common, HAR, Logs] = await Promise.all([import('./core/common/common.js'),
		import('./models/har/har.js'), import('./models/logs/logs.js')]);
	let text = '';
	await HAR.Writer.Writer.write({write: async chunk => { text += chunk; }},
		[...Logs.NetworkLog.NetworkLog.instance().requests()], {sanitize: %t}, new Common.Progress.Progress());
	return text;
})()`

// evaluate runs a script in a tab and waits for its promise.
func evaluate(t *testing.T, tab context.Context, result any, script string, arguments ...any) {
	t.Helper()
	err := chromedp.Run(tab, chromedp.Evaluate(fmt.Sprintf(script, arguments...), result,
		func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
	if err != nil {
		t.Fatalf("DevTools: %v", err)
	}
}

// recordHAR visits a page in a fresh browser until its title is "done", and returns the HAR file of
// that, with cookies and without.
func recordHAR(t *testing.T, url string, requests int) (full, sanitized string) {
	t.Helper()
	profile := t.TempDir()
	tab := startChromium(t, chromedp.UserDataDir(profile), chromedp.Flag("remote-allow-origins", "*"))
	// Chromium writes its port before it accepts connections.
	content, err := os.ReadFile(filepath.Join(profile, "DevToolsActivePort"))
	if err != nil {
		t.Fatal(err)
	}
	port, _, _ := strings.Cut(string(content), "\n")
	devtools, cancel := chromedp.NewContext(tab)
	t.Cleanup(cancel)
	if err := chromedp.Run(devtools, chromedp.Navigate(fmt.Sprintf(
		"http://127.0.0.1:%s/devtools/inspector.html?ws=127.0.0.1:%s/devtools/page/%s", port, port,
		chromedp.FromContext(tab).Target.TargetID))); err != nil {
		t.Fatal(err)
	}
	evaluate(t, devtools, nil, recordScript, url)
	if err := chromedp.Run(tab, chromedp.Poll(`document.title === "done"`, nil,
		chromedp.WithPollingTimeout(30*time.Second))); err != nil {
		t.Fatalf("the page did not finish: %v", err)
	}
	if err := chromedp.Run(devtools, chromedp.PollFunction(`() => `+fmt.Sprintf(recordedScript, requests), nil,
		chromedp.WithPollingInterval(50*time.Millisecond),
		chromedp.WithPollingTimeout(30*time.Second))); err != nil {
		t.Fatalf("DevTools did not record %d requests: %v", requests, err)
	}
	evaluate(t, devtools, &full, exportScript, false)
	evaluate(t, devtools, &sanitized, exportScript, true)
	return full, sanitized
}

// startHARPortal runs a portal with HTTP/2, and returns its address: a redirect, a page with an image,
// and a script that asks once more. All but the image set cookies.
func startHARPortal(t *testing.T) (base string) {
	t.Helper()
	portal := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, line := range harLines[r.URL.Path] {
			w.Header().Add("Set-Cookie", line)
		}
		switch r.URL.Path {
		case "/":
			http.Redirect(w, r, "/explore/", http.StatusFound)
		case "/explore/":
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, `<!DOCTYPE html><link rel="icon" href="data:,"><img src="/logo.gif"><script>`+
				`onload = async () => { const answer = await fetch("/api", {method: "POST", body: "x"});`+
				`await answer.text(); document.title = "done"; };</script>`)
		case "/logo.gif":
			w.Header().Set("Content-Type", "image/gif")
			fmt.Fprint(w, "GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00"+
				",\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x01D\x00;")
		case "/api":
			fmt.Fprint(w, `{"lines": "one\ntwo", "quotes": "\"\\"}`)
		default:
			http.NotFound(w, r)
		}
	}))
	portal.EnableHTTP2 = true
	portal.Config.ErrorLog = log.New(io.Discard, "", 0) // Chromium drops connections that it does not need
	portal.StartTLS()
	t.Cleanup(portal.Close)
	address, err := url.Parse(portal.URL)
	if err != nil {
		t.Fatal(err)
	}
	return "https://portal.test:" + address.Port()
}

// harLines are the Set-Cookie lines of the portal. The last cookie is not ASCII.
var harLines = map[string][]string{
	"/":         {"sessionid=1; Path=/; Secure; HttpOnly; SameSite=Lax"},
	"/explore/": {"csrftoken=2; Max-Age=3600; Path=/", "note=\xc3\xa9; Path=/", "_ga=%7B%22a%22%3A1%7D; Path=/"},
	"/api":      {"unlisted=3; Domain=.portal.test; Path=/api; Secure; SameSite=None; Partitioned"},
}

func TestHARChromium(t *testing.T) {
	base := startHARPortal(t)
	full, sanitized := recordHAR(t, base+"/", 4)
	// The same file as a program leaves it that removes headers and not the arrays.
	arrays := regexp.MustCompile(`(?i)\{\s*"name": "(set-)?cookie",\s*"value": "[^"]*"\s*\},?`).
		ReplaceAllString(full, "")
	arrays = regexp.MustCompile(`,(\s*\])`).ReplaceAllString(arrays, "$1")

	type exchange struct {
		method, path, kind string
		status             int
		redirect           string
		cookies, lines     []string
	}
	const inOrder, all = "sessionid=1", "_ga=%7B%22a%22%3A1%7D csrftoken=2 note=\xc3\xa9 sessionid=1"
	want := []exchange{
		{"GET", "/", "document", 302, "/explore/", nil, harLines["/"]},
		{"GET", "/explore/", "document", 200, "", strings.Fields(inOrder), harLines["/explore/"]},
		{"GET", "/logo.gif", "image", 200, "", strings.Fields(all), nil},
		{"POST", "/api", "fetch", 200, "", strings.Fields(all), harLines["/api"]},
	}
	for _, c := range []struct {
		name, file string
		source     har.Source
		warnings   int
	}{
		{"with sensitive data", full, har.FromHeader, 0},
		{"sanitized", sanitized, har.NoCookies, 1},
		{"arrays only", arrays, har.FromArray, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			expected := slices.Clone(want)
			for i := range expected {
				switch e := &expected[i]; {
				case c.source == har.NoCookies:
					e.cookies, e.lines = nil, nil
				case c.source == har.FromArray:
					e.lines = slices.Clone(e.lines)
					for j, line := range e.lines { // attributes come in one order, and dates for ages
						e.lines[j] = sortedAttributes(strings.Replace(line, "Max-Age=3600", "Expires", 1))
					}
				}
			}
			var got []exchange
			summary, err := har.Read(strings.NewReader(c.file), func(e *har.Entry) error {
				r, a := e.Request, e.Response
				cookies := strings.FieldsFunc(r.Header.Get("Cookie"),
					func(c rune) bool { return c == ';' || c == ' ' })
				slices.Sort(cookies)
				lines := a.Header.Values("Set-Cookie")
				if c.source == har.FromArray {
					for i, line := range lines {
						lines[i] = sortedAttributes(expiresDate.ReplaceAllString(line, "Expires"))
					}
				}
				got = append(got, exchange{r.Method, strings.TrimPrefix(r.URL, base), e.ResourceType, a.Status,
					a.RedirectURL, cookies, lines})
				if "https://"+r.Host != base || r.Header.Get("Sec-Fetch-Site") == "" || e.Start.IsZero() ||
					e.FromCache || e.Page == nil || e.Page.URL != base+"/" ||
					len(cookies) > 0 && r.Cookies != c.source || len(lines) > 0 && a.Cookies != c.source {
					t.Errorf("%s: host %q, page %+v, %+v", r.URL, r.Host, e.Page, e)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if fmt.Sprint(got) != fmt.Sprint(expected) {
				t.Errorf("\n%+v\nwant\n%+v", got, expected)
			}
			if summary.Creator != "WebInspector" || summary.Redacted() || len(summary.Warnings()) != c.warnings {
				t.Errorf("%+v %q", summary, summary.Warnings())
			}
		})
	}
	t.Run("explained", func(t *testing.T) { explainRecording(t, base, full, sanitized) })
}

// explainRecording passes a recording of the portal through the explain command, as an operator does
// before anything is deployed.
func explainRecording(t *testing.T, base, full, sanitized string) {
	dir := t.TempDir()
	config := writeFile(t, dir, "Caddyfile", "portal.test {\n\tcookie_policy opendatasoft google_analytics {\n"+
		"\t\tname city\n\t}\n}\n")
	visit := writeFile(t, dir, "visit.har", full)
	status, out := run(t, "cookie-policy", "explain", "--config", config, "--har", visit)
	if status != 0 {
		t.Fatalf("exit status %d\n%s", status, out)
	}
	for _, want := range []string{
		`(?m)^\d+  GET ` + regexp.QuoteMeta(base) + `/explore/  200\n +set +note +refused +no rule names it\n` +
			` +set +_ga +refused +the visitor has not consented: ga is undecided: the visitor has no stored preference$`,
		`(?m)^\d+  GET ` + regexp.QuoteMeta(base) + `/logo\.gif  200\n( +read +(_ga|note) +refused +.*\n){2}`,
		`on a recording of portal\.test: requests: 4\n`,
		`(?m)^` + regexp.QuoteMeta(base) + `/ +4 +3 +4 +0 +0$`,
		`(?m)^sessionid +read +let through +necessary +necessary sessionid +3$`,
		`(?m)^_ga +read +refused +not_granted +statistical _ga.* +2$`,
		`(?m)^unlisted +set +refused +unlisted +1$`,
		`allow CATEGORY note {\n\tpath /\n}`,
		`allow CATEGORY unlisted {\n\tdomain portal\.test\n}`,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("not %s in\n%s", want, out)
		}
	}
	if strings.Contains(out, "%7B") || strings.Contains(out, "Warning") {
		t.Errorf("got\n%s", out)
	}
	visit = writeFile(t, dir, "sanitized.har", sanitized)
	status, out = run(t, "cookie-policy", "explain", "--config", config, "--har", visit)
	if status != 0 || !strings.Contains(out, "Allow to generate HAR with sensitive data") {
		t.Errorf("exit status %d\n%s", status, out)
	}
}

var expiresDate = regexp.MustCompile(`Expires=\w+, \d+ \w+ \d+ \d+:\d+:\d+ GMT`)

func sortedAttributes(line string) string {
	parts := strings.Split(line, "; ")
	slices.Sort(parts[1:])
	return strings.Join(parts, "; ")
}
