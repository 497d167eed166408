package e2e

import (
	"context"
	"fmt"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	devtools "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
)

// TestPage holds the policy page against Chromium: one browser, and one gateway with many sites before
// one portal. Each part has profiles of its own. [TestPageAxe] takes the longest, and stands alone.
func TestPage(t *testing.T) {
	s := startPageSites(t)
	for _, part := range []struct {
		name string
		run  func(*testing.T, *pageSites)
	}{
		{"content", testPageContent},
		{"form", testPageForm},
		{"objection", testPageObjection},
		{"notices", testPageNotices},
		{"accessibility", testPageAccessibility},
		{"keyboard", testPageKeyboard},
		{"layout", testPageLayout},
		{"headers", testPageHeaders},
		{"visitor", testPageVisitor},
		{"copies", testPageCopies},
		{"django", testPageDjango},
		{"klaro", testPageKlaro},
		{"tarteaucitron", testPageTarteaucitron},
		{"cookieconsent", testPageCookieConsent},
		{"print", testPagePrint},
	} {
		t.Run(part.name, func(t *testing.T) { part.run(t, s) })
	}
}

// The languages of the page.
var pageLanguages = []string{"en", "de", "es", "fr", "it", "nl", "pt"}

// pageOptions are what most sites say about their page.
const pageOptions = `cookie_policy_page /cookies {
	controller "City of Example"
	contact mailto:dpo@city.example
}
`

// The policy of most sites: questions of consent and one of objection, a rule of each kind, texts in
// another language, and what is not stated.
const pagePolicy = `cookie_policy opendatasoft matomo at_internet {
	name SITE
	preset eulerian {
		anonymous
	}
	allow first_party comfort {
		consent  comfort
		provider "City of Example"
		function en "Font size (all pages)"
		purpose  en "Remembers the size of the font."
		lifetime session
	}
	allow third_party mp_*_mixpanel {
		consent  mixpanel
		provider Mixpanel
		function de "Werbung (alle Seiten)"
		max_age  183d
	}
	key comfort {
		title   en "Font size"
		refused en "The site forgets the size of the font."
	}
	signal gpc statistical
}
`

// pageSiteDirectives are the sites of the gateway, by the first label of their host.
var pageSiteDirectives = map[string]string{
	"data":     pagePolicy + pageOptions,
	"observed": strings.Replace(pagePolicy, "name SITE", "name SITE\nmode report", 1) + pageOptions,
	"readonly": "cookie_policy onetrust {\npreset matomo {\nconsent C0002\n}\n}\n" +
		"cookie_policy_page /cookies {\ncontroller \"City of Example\"\nmanage /privacy-settings\n}\n",
	"long": "cookie_policy opendatasoft matomo google_analytics at_internet piano eulerian load_balancing {\n" +
		"lifetimes enforce\n}\n" + pageOptions,
	"forgetful": pagePolicy + pageOptions + "header {\ndefer\n-Set-Cookie\n}\n",

	// Headers of operators. Those with defer, or with a > before the name, are set after the page's own.
	"csp":             pagePolicy + pageOptions + "header Content-Security-Policy \"default-src 'none'\"\n",
	"second-csp":      pagePolicy + pageOptions + "header {\ndefer\n+Content-Security-Policy \"default-src 'self'\"\n}\n",
	"no-referrer":     pagePolicy + pageOptions + "header Referrer-Policy no-referrer\n",
	"late-noreferrer": pagePolicy + pageOptions + "header >Referrer-Policy no-referrer\n",

	"elsewhere": "",

	// Banners of other makers.
	"klaro": "cookie_policy klaro matomo google_analytics\n" + pageOptions,
	"tarteaucitron": "cookie_policy tarteaucitron {\npreset matomo {\nconsent stats\n}\n" +
		"preset google_analytics {\nconsent ads\n}\n}\n" + pageOptions,
	"cookieconsent": "cookie_policy cookieconsent matomo google_analytics\n" + pageOptions,
}

// The sites are siblings, but for one.
const pageDomain, otherDomain = ".city.test", ".other.test"

// pageSites are a browser, and the sites that it visits.
type pageSites struct {
	chromium    context.Context
	http, https string // the ports

	portal *pagePortal
}

func startPageSites(t *testing.T) *pageSites {
	t.Helper()
	_, certFile, keyFile := portaltest.NewCertificate(t, "*"+pageDomain, "*"+otherDomain)
	s := &pageSites{portal: &pagePortal{cookies: map[string][]string{}}}
	upstream := portaltest.StartHandler(t, s.portal.serve)
	s.http, s.https = fmt.Sprint(portaltest.FreePort(t)), fmt.Sprint(portaltest.FreePort(t))
	var caddyfile strings.Builder
	for name, directives := range pageSiteDirectives {
		directives = strings.Replace(directives, "name SITE", "name "+name, 1) // no two policies have one name
		for _, scheme := range []string{"http", "https"} {
			fmt.Fprintf(&caddyfile, "%s {\nbind 127.0.0.1\n", s.origin(scheme, name))
			if scheme == "https" {
				fmt.Fprintf(&caddyfile, "tls %s %s\n", certFile, keyFile)
			}
			fmt.Fprintf(&caddyfile, "%sreverse_proxy %s\n}\n", directives, upstream)
		}
	}
	startSites(t, caddy, "log {\nlevel ERROR\n}", caddyfile.String(), []string{"http://127.0.0.1:" + s.http})
	s.chromium = startChromium(t)
	return s
}

func (s *pageSites) origin(scheme, name string) string {
	domain := pageDomain
	if name == "elsewhere" {
		domain = otherDomain
	}
	return scheme + "://" + name + domain + ":" + map[string]string{"http": s.http, "https": s.https}[scheme]
}

// visitor opens a profile of its own, and is at one site with it.
func (s *pageSites) visitor(t *testing.T, scheme, name string) *pageVisitor {
	t.Helper()
	profile, cancel := context.WithTimeout(newProfile(t, s.chromium), 2*time.Minute)
	t.Cleanup(cancel)
	v := &pageVisitor{browsing{t, profile, s.origin(scheme, name)}, s, name, name + pageDomain}
	v.screen(1280, 800, "light")
	return v
}

// pageVisitor is someone with a real browser at a site with a policy page.
type pageVisitor struct {
	browsing
	sites      *pageSites
	site, host string
}

// screen sets the size of the window, and whether the visitor likes colours light or dark.
func (v *pageVisitor) screen(width, height int64, colours string) {
	v.Helper()
	v.run(emulation.SetDeviceMetricsOverride(width, height, 1, false),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: colours}}))
}

// text returns what a script says.
func (v *pageVisitor) text(script string) (text string) {
	v.Helper()
	v.script(script, &text)
	return text
}

// holds reports whether a script says true.
func (v *pageVisitor) holds(script string) (holds bool) {
	v.Helper()
	v.script(script, &holds)
	return holds
}

// must fails the test where a script does not say true.
func (v *pageVisitor) must(what, script string) {
	v.Helper()
	if !v.holds(script) {
		v.Errorf("%s: %s is false", what, script)
	}
}

// is compares what a script says.
func (v *pageVisitor) is(what, script, want string) {
	v.Helper()
	if got := v.text(script); got != want {
		v.Errorf("%s: %q, want %q", what, got, want)
	}
}

// submits does what sends the form, and returns the status of the page to which that leads.
func (v *pageVisitor) submits(actions ...chromedp.Action) int64 {
	v.Helper()
	response, err := chromedp.RunResponse(v.profile, actions...)
	if err != nil {
		v.Fatal(err)
	}
	return response.Status
}

// presses clicks a button of the form.
func (v *pageVisitor) presses(choice string) {
	v.Helper()
	if status := v.submits(chromedp.Click(button(choice), chromedp.ByQuery)); status != http.StatusOK {
		v.Fatalf("after the button %s comes a page with status %d", choice, status)
	}
}

func button(choice string) string { return "button[value=" + choice + "]" }

// stored returns what the browser has stored for the site.
func (v *pageVisitor) stored() map[string]*network.Cookie {
	v.Helper()
	c := chromedp.FromContext(v.profile)
	all, err := storage.GetCookies().WithBrowserContextID(c.BrowserContextID).
		Do(cdp.WithExecutor(v.profile, c.Browser))
	if err != nil {
		v.Fatal(err)
	}
	cookies := map[string]*network.Cookie{}
	for _, c := range all {
		if domain := strings.TrimPrefix(c.Domain, "."); domain != v.host && !strings.HasSuffix(v.host, "."+domain) {
			continue
		}
		if cookies[c.Name] != nil {
			v.Errorf("the browser has %s more than once", c.Name)
		}
		cookies[c.Name] = c
	}
	return cookies
}

// wantStored compares the names of the cookies that the browser has stored, in any order.
func (v *pageVisitor) wantStored(what, names string) {
	v.Helper()
	v.want(what, sorted(v.stored()), names)
}

// wantReceived goes to the portal's first page, and compares the names of the cookies that came with it.
func (v *pageVisitor) wantReceived(what, names string) {
	v.Helper()
	v.open("/")
	received := map[string]bool{}
	for _, line := range v.sites.portal.received(v.site, "/") {
		for pair := range strings.SplitSeq(line, ";") {
			name, _, _ := strings.Cut(strings.TrimSpace(pair), "=")
			received[name] = true
		}
	}
	v.want(what, sorted(received), names)
}

// pagePortal is a portal with trackers, and with a banner on some of its hosts.
type pagePortal struct {
	mu      sync.Mutex
	cookies map[string][]string // the Cookie lines of the last request, by site and path
	files   map[string][]byte   // of the banners, by path
}

// received returns the Cookie lines of the last request for a path, and forgets them.
func (p *pagePortal) received(site, path string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	lines := p.cookies[site+path]
	delete(p.cookies, site+path)
	return lines
}

// offer makes files of a package available to the portal's pages, under /npm/.
func (p *pagePortal) offer(files map[string][]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.files = files
}

func (p *pagePortal) serve(w http.ResponseWriter, r *http.Request) {
	site, _, _ := strings.Cut(r.Host, ".")
	p.mu.Lock()
	p.cookies[site+r.URL.Path] = r.Header["Cookie"]
	file, found := p.files[strings.TrimPrefix(r.URL.Path, "/npm/")]
	p.mu.Unlock()
	h := w.Header()
	switch {
	case strings.HasPrefix(r.URL.Path, "/npm/") && found:
		h.Set("Content-Type", mime.TypeByExtension(path.Ext(r.URL.Path)))
		_, _ = w.Write(file)
		return
	case r.URL.Path != "/" && r.URL.Path != "/datasets":
		http.NotFound(w, r)
		return
	}
	// A session, trackers that no script can read or delete, and one that the policy does not name.
	for _, line := range []string{"sessionid=1; Path=/; HttpOnly; SameSite=Lax",
		"_pk_id.1.abcd=2; Path=/; Max-Age=34128000; HttpOnly; SameSite=Lax",
		"_ga=3; Path=/; Max-Age=63072000; HttpOnly", "atuserid=4; Path=/; Max-Age=34128000; HttpOnly",
		"etuix=5; Path=/; Max-Age=34128000; HttpOnly", "campaign=spring; Path=/"} {
		h.Add("Set-Cookie", line)
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, "<!doctype html><html lang=en><title>Portal</title><p><a href=/cookies>Cookies</a></p>%s",
		banners[site])
}

// choiceLife is how long a choice is kept: six months.
const choiceLife = 183 * 24 * time.Hour

// goes moves in the history of the tab, and returns when the other page is there: loaded again, or as
// the browser kept it (bfcache), of which chromedp's own actions know nothing.
func (v *pageVisitor) goes(steps int64) (kept bool) {
	v.Helper()
	arrived := make(chan bool, 8)
	ctx, cancel := context.WithCancel(v.profile)
	defer cancel()
	loading := false
	chromedp.ListenTarget(ctx, func(event any) {
		switch event := event.(type) {
		case *devtools.EventFrameNavigated:
			if event.Type == devtools.NavigationTypeBackForwardCacheRestore {
				arrived <- true
			}
			loading = true
		case *devtools.EventLoadEventFired:
			if loading {
				arrived <- false
			}
		}
	})
	v.run(chromedp.ActionFunc(func(ctx context.Context) error {
		current, entries, err := devtools.GetNavigationHistory().Do(ctx)
		if err != nil {
			return err
		}
		return devtools.NavigateToHistoryEntry(entries[current+steps].ID).Do(ctx)
	}))
	select {
	case kept = <-arrived:
	case <-ctx.Done():
		v.Fatal("the browser did not move in its history")
	}
	return kept
}
