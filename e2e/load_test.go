package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
)

// thirdParties counts what the other hosts are asked for, by host and path.
type thirdParties struct {
	mu    sync.Mutex
	asked map[string]int
}

func (p *thirdParties) serve(w http.ResponseWriter, r *http.Request) {
	host, _, _ := strings.Cut(r.Host, ":")
	p.mu.Lock()
	p.asked[host+r.URL.Path]++
	p.mu.Unlock()
	setCookie(w, "b_id=1; Path=/; SameSite=None; Secure")
	w.Header().Set("Access-Control-Allow-Origin", "https://"+r.Header.Get("Origin"))
	switch r.URL.Path {
	case "/lib.js":
		w.Header().Set("Content-Type", "text/javascript")
	case "/style.css":
		w.Header().Set("Content-Type", "text/css")
	case "/frame":
		w.Header().Set("Content-Type", "text/html")
	case "/pixel":
		w.Header().Set("Content-Type", "image/svg+xml")
		fmt.Fprint(w, `<svg xmlns="http://www.w3.org/2000/svg"/>`)
		return
	}
	fmt.Fprint(w, " ")
}

// take returns what was asked for since the last time.
func (p *thirdParties) take() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []string
	for path := range p.asked {
		all = append(all, path)
	}
	clear(p.asked)
	slices.Sort(all)
	return strings.Join(all, " ")
}

// loadSites are a portal whose pages load from two third parties, and a gateway before it.
type loadSites struct {
	*testing.T
	others  *thirdParties
	portal  auditedSite
	profile context.Context
	admin   string
	origin  string // of the site, as visitors know it
}

func startLoadSites(t *testing.T, policy string) *loadSites {
	t.Helper()
	s := &loadSites{T: t, others: &thirdParties{asked: map[string]int{}}}
	s.portal.trackers = s.others.serve
	s.portal.behave = func(w http.ResponseWriter, r *http.Request, _ map[string]bool, _ bool) {
		_, port, _ := strings.Cut(s.portal.address, ":")
		tracker, widget := "https://"+trackerHost+":"+port, "https://"+widgetHost+":"+port
		switch r.URL.Path {
		case "/out":
			http.Redirect(w, r, tracker+"/redirected", http.StatusFound)
		case "/worker.js":
			if isUnchanged(w, r) {
				return
			}
			w.Header().Set("Content-Type", "text/javascript")
			fmt.Fprintf(w, "fetch(%q, {mode: 'no-cors'}).then(() => postMessage('sent'), () => postMessage('stopped'))",
				tracker+"/from-worker")
		case "/favicon.ico":
			w.WriteHeader(http.StatusNoContent)
		default:
			if isUnchanged(w, r) {
				return
			}
			w.Header().Set("Content-Security-Policy", "object-src 'none'")
			writePage(w, strings.NewReplacer("TRACKER", tracker, "WIDGET", widget).Replace(
				`<img src="TRACKER/pixel"><script src="TRACKER/lib.js"></script><iframe src="TRACKER/frame"></iframe>
				<link rel=stylesheet href="TRACKER/style.css"><img src="WIDGET/pixel"><style>p {color: red}</style>
				<script>window.inline = eval("1 + 1")</script>`))
		}
	}
	s.portal.start(t)
	_, port, _ := strings.Cut(s.portal.address, ":")
	admin, site := portaltest.FreePort(t), portaltest.FreePort(t)
	s.admin = fmt.Sprintf("127.0.0.1:%d", admin)
	s.origin = fmt.Sprintf("https://%s:%d", auditedHost, site)
	policy = strings.NewReplacer("TRACKER", "https://"+trackerHost+":"+port, "WIDGET", "https://"+widgetHost+":"+port).
		Replace(policy)
	startSites(t, caddy, "admin "+s.admin, fmt.Sprintf(
		"https://:%d {\n\tbind 127.0.0.1\n\ttls %s %s\n\trespond /health 204\n\t%s\n\treverse_proxy https://%s {\n"+
			"\t\theader_up Host %s\n\t\ttransport http {\n\t\t\ttls_insecure_skip_verify\n\t\t}\n\t}\n}\n",
		site, s.portal.cert, s.portal.key, policy, s.portal.address, auditedHost),
		[]string{fmt.Sprintf("https://127.0.0.1:%d/health", site)})
	s.profile = startLoadBrowser(t, s.portal.spki)
	return s
}

// startLoadGateway runs a Caddy with a policy before a portal, and returns the origin that visitors know.
func startLoadGateway(t *testing.T, portal, certFile, keyFile, policy string) (origin string) {
	t.Helper()
	site := portaltest.FreePort(t)
	startGateway(t, fmt.Sprintf("https://127.0.0.1:%d/health", site), fmt.Sprintf(
		"https://:%d {\n\ttls %s %s\n\trespond /health 204\n\t%s\n\treverse_proxy %s\n}\n",
		site, certFile, keyFile, policy, portal))
	return fmt.Sprintf("https://%s:%d", auditedHost, site)
}

// startLoadBrowser runs a Chromium that trusts a certificate and takes the cookies of third parties.
func startLoadBrowser(t *testing.T, spki string) context.Context {
	t.Helper()
	directory := t.TempDir()
	if err := os.MkdirAll(filepath.Join(directory, "Default"), 0o700); err != nil {
		t.Fatal(err)
	}
	// Debian's Chromium blocks third-party cookies otherwise, whatever the gateway does.
	if err := os.WriteFile(filepath.Join(directory, "Default", "Preferences"),
		[]byte(`{"profile":{"cookie_controls_mode":0}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	// With ignore-certificate-errors the browser keeps no page, and asks for none on a condition.
	return startChromium(t, chromedp.UserDataDir(directory), chromedp.Flag("short-reporting-delay", true),
		chromedp.Flag("ignore-certificate-errors", false),
		chromedp.Flag("ignore-certificate-errors-spki-list", spki))
}

// isUnchanged makes browsers ask each time whether something has changed, and answers those that ask.
func isUnchanged(w http.ResponseWriter, r *http.Request) bool {
	w.Header().Set("ETag", `"always"`)
	w.Header().Set("Cache-Control", "no-cache")
	if r.Header.Get("If-None-Match") == "" {
		return false
	}
	w.WriteHeader(http.StatusNotModified)
	return true
}

// visits opens a page of an origin, and returns what third parties were asked for by then, and by a script.
func (s *loadSites) visits(origin string) string {
	s.Helper()
	_, port, _ := strings.Cut(s.portal.address, ":")
	var inline float64
	var fetched, worked, out string
	await := func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }
	fetch := "fetch(%q, {mode: 'no-cors'}).then(() => 'sent', () => 'stopped')"
	err := chromedp.Run(s.profile,
		chromedp.Navigate(origin+"/"),
		chromedp.Evaluate("window.inline", &inline),
		chromedp.Evaluate(fmt.Sprintf(fetch, "https://"+trackerHost+":"+port+"/fetched"), &fetched, await),
		chromedp.Evaluate(fmt.Sprintf(fetch, origin+"/out"), &out, await),
		chromedp.Evaluate("new Promise(done => { new Worker('/worker.js').onmessage = m => done(m.data) })", &worked, await))
	if err != nil {
		s.Fatal(err)
	}
	if inline != 2 {
		s.Errorf("the page's own script came to %v", inline)
	}
	return strings.TrimSpace(s.others.take())
}

// chooses stores a choice as the portal's script does.
func (s *loadSites) chooses(choice string) {
	s.Helper()
	script := fmt.Sprintf("document.cookie = 'cookies_preferences=' + encodeURIComponent(%q) + '; Path=/; Secure'", choice)
	if err := chromedp.Run(s.profile, chromedp.Evaluate(script, nil)); err != nil {
		s.Fatal(err)
	}
}

// stored returns the hosts of third parties that have a cookie in the browser.
func (s *loadSites) stored() string {
	s.Helper()
	cookies, err := jar(s.profile)
	if err != nil {
		s.Fatal(err)
	}
	var hosts []string
	for _, c := range cookies {
		if c.Name == "b_id" {
			hosts = append(hosts, c.Domain)
		}
	}
	return strings.Join(hosts, " ")
}

const loadPolicy = `cookie_policy opendatasoft {
		name loading
		allow third_party {
			consent tracker
			origin TRACKER
		}
		allow statistical {
			anonymous
			consent counter
			origin WIDGET
		}
		signal gpc statistical
		load %s {
			sample 100%%
		}
	}`

// What a page loads from third parties follows the visitor's choice: before it, with it, and after it is
// taken back. The portal answers 304 where it is asked whether a page has changed, and is not asked.
func TestLoadEnforced(t *testing.T) {
	s := startLoadSites(t, fmt.Sprintf(loadPolicy, "enforce"))
	const widget = widgetHost + "/pixel"
	granted := strings.Join([]string{trackerHost + "/fetched", trackerHost + "/frame", trackerHost + "/from-worker",
		trackerHost + "/lib.js", trackerHost + "/pixel", trackerHost + "/redirected", trackerHost + "/style.css", widget}, " ")
	is := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	direct := strings.Replace(s.origin, s.origin[strings.LastIndex(s.origin, ":"):], ":"+port(s.portal.address), 1)
	is("without the gateway", s.visits(direct), granted)
	if err := chromedp.Run(s.profile, network.ClearBrowserCookies()); err != nil {
		t.Fatal(err)
	}
	is("before a choice", s.visits(s.origin), widget)
	is("before a choice, stored", s.stored(), widgetHost)
	s.chooses(`{"tracker":true}`)
	is("with consent", s.visits(s.origin), granted)
	is("with consent, stored", s.stored(), trackerHost+" "+widgetHost)
	s.chooses(`{"tracker":false,"counter":false}`)
	is("after a withdrawal", s.visits(s.origin), "")
	s.chooses(`{"tracker":true,"tracker":false}`)
	is("with a choice that contradicts itself", s.visits(s.origin), "")
	s.chooses(`{}`)
	if err := chromedp.Run(s.profile, network.SetExtraHTTPHeaders(network.Headers{"Sec-GPC": "1"})); err != nil {
		t.Fatal(err)
	}
	is("with a signal", s.visits(s.origin), "")
}

// Where nothing is enforced, the browser's own reports come to the inventory, each with what the visitor had
// chosen.
func TestLoadReported(t *testing.T) {
	s := startLoadSites(t, fmt.Sprintf(loadPolicy, "report"))
	if got := s.visits(s.origin); !strings.Contains(got, trackerHost+"/lib.js") {
		t.Errorf("the page loads %q", got)
	}
	tracker := "https://" + trackerHost + ":" + port(s.portal.address)
	widget := "https://" + widgetHost + ":" + port(s.portal.address)
	// Browsers send reports when they like.
	deadline := time.After(60 * time.Second)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		origins := s.inventory()
		t1, w1 := origins[tracker], origins[widget]
		wanted := []string{"connect-src", "frame-src", "img-src", "script-src-elem", "style-src-elem"}
		missing := slices.DeleteFunc(wanted, func(d string) bool { return slices.Contains(t1.Directives, d) })
		if len(missing) == 0 && w1.Verdicts["let_through"] > 0 {
			if t1.Undecided != t1.Count || t1.Category != "third_party" || t1.Verdicts["would_refuse"] != t1.Count ||
				w1.Category != "statistical" || w1.Verdicts["let_through"] != w1.Count {
				t.Errorf("reported is %+v", origins)
			}
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("no report came for %v: %+v", missing, origins)
		}
	}
}

// inventory returns the origins that the gateway knows.
func (s *loadSites) inventory() map[string]report.Origin {
	s.Helper()
	address := url.URL{Scheme: "http", Host: s.admin, Path: "/cookie-policy/loading/inventory"}
	resp, err := http.Get(address.String())
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	var inventory report.Inventory
	if err := json.NewDecoder(resp.Body).Decode(&inventory); err != nil {
		s.Fatal(err)
	}
	origins := map[string]report.Origin{}
	for _, o := range inventory.Origins {
		origins[o.Origin] = o
	}
	return origins
}

func port(address string) string {
	_, port, _ := strings.Cut(address, ":")
	return port
}
