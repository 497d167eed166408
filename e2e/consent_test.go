package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
)

// browsing is someone with a real browser, at one site.
type browsing struct {
	*testing.T
	profile context.Context
	origin  string
}

func (b *browsing) run(actions ...chromedp.Action) {
	b.Helper()
	if err := chromedp.Run(b.profile, actions...); err != nil {
		b.Fatal(err)
	}
}

// open goes to a page of the site, and returns its text when it is there.
func (b *browsing) open(path string) (text string) {
	b.Helper()
	b.run(chromedp.Navigate(b.origin+path), chromedp.Evaluate("document.body.innerText", &text))
	return text
}

// script runs a script on the page at hand, and waits for what it promises.
func (b *browsing) script(script string, result any) {
	b.Helper()
	b.run(chromedp.Evaluate(script, result,
		func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
}

// choose stores a choice as the portal's banner does: by script, as percent-encoded JSON with the
// time in milliseconds. What a script wrote has reached the jar once the script has read its
// cookies again.
func (b *browsing) choose(choices string, days int) {
	b.Helper()
	b.script(fmt.Sprintf("document.cookie = 'cookies_preferences=' + "+
		"encodeURIComponent(JSON.stringify(Object.assign(%s, {timestamp: %d}))) + '; path=/; "+
		"max-age=15811200'; document.cookie",
		choices, time.Now().AddDate(0, 0, -days).UnixMilli()), nil)
}

// jar returns the names of all cookies that the browser has for the site, those of its domains
// included.
func (b *browsing) jar() []string {
	b.Helper()
	all, err := jar(b.profile)
	if err != nil {
		b.Fatal(err)
	}
	names := map[string]bool{}
	for _, c := range of(all, "portal.test") {
		names[c.Name] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// received returns the names of the cookies that Django received with a navigation or, by script,
// with an API call.
func (b *browsing) received(byScript bool) []string {
	b.Helper()
	var text string
	if byScript {
		b.script("fetch('/').then(r => r.text())", &text)
	} else {
		text = b.open("/")
	}
	var k known
	if err := json.Unmarshal([]byte(text), &k); err != nil {
		b.Fatalf("%v: %s", err, text)
	}
	return slices.Sorted(maps.Keys(k.Cookies))
}

// want compares names, given as one text.
func (b *browsing) want(what string, got []string, want string) {
	b.Helper()
	if joined := strings.Join(got, " "); joined != want {
		b.Errorf("%s: %q, want %q", what, joined, want)
	}
}

// sites are two addresses of one gateway: for HTTP and for HTTPS.
type sites struct{ http, https string }

// startConsentGateway runs a gateway with a policy in front of a portal, for any host name.
func startConsentGateway(t *testing.T, host, certFile, keyFile, policy, portal string) sites {
	t.Helper()
	plain, secure := portaltest.FreePort(t), portaltest.FreePort(t)
	var caddyfile strings.Builder
	for address, certificate := range map[string]string{fmt.Sprintf("http://:%d", plain): "",
		fmt.Sprintf("https://:%d", secure): "tls " + certFile + " " + keyFile} {
		fmt.Fprintf(&caddyfile, "%s {\n\tbind 127.0.0.1\n\t%s\n\t%s\n\treverse_proxy %s\n}\n",
			address, certificate, policy, portal)
	}
	startGateway(t, fmt.Sprintf("http://127.0.0.1:%d/", plain), caddyfile.String())
	return sites{fmt.Sprintf("http://%s:%d", host, plain), fmt.Sprintf("https://%s:%d", host, secure)}
}

// A visitor's choice, from the first visit to the withdrawal, in real Chromium at a real Django
// portal: what the portal receives, and what is in the browser's jar. Django knows itself as
// localhost.
func TestChromiumConsent(t *testing.T) {
	const host = "data.portal.test"
	_, certFile, keyFile := portaltest.NewCertificate(t, host)
	django := startDjango(t) + " {\n\t\theader_up Host localhost\n\t}"
	byChoice := startConsentGateway(t, host, certFile, keyFile, "cookie_policy opendatasoft matomo", django)
	anonymous := startConsentGateway(t, host, certFile, keyFile,
		"cookie_policy opendatasoft {\n\t\tpreset matomo {\n\t\t\tanonymous\n\t\t}\n"+
			"\t\tsignal gpc statistical\n\t}", django)
	chromium := startChromium(t)

	const (
		necessary = "csrftoken django_language"
		chosen    = "cookies_preferences csrftoken django_language"
		trackers  = "_pk_id.1.abcd _pk_ses.1.abcd "
	)
	for scheme, origins := range map[string][2]string{"HTTP": {byChoice.http, anonymous.http},
		"HTTPS": {byChoice.https, anonymous.https}} {
		t.Run("a choice, over "+scheme, func(t *testing.T) {
			b := &browsing{t, newProfile(t, chromium), origins[0]}

			// The first visit: nothing but what is necessary, though the portal sets trackers.
			b.open("/subscribe/")
			b.open("/trackers/")
			b.want("the first visit's jar", b.jar(), necessary)
			b.want("the first visit's cookies, at the portal", b.received(false), necessary)

			b.choose("{matomo: true, ga: true}", 0)
			b.open("/trackers/")
			b.want("the jar after the grant", b.jar(), trackers+chosen)
			for range 2 {
				b.want("cookies at the portal after the grant", b.received(false), trackers+chosen)
				b.open("/subscribe/")
			}
			b.want("the jar, pages later", b.jar(), trackers+chosen)

			// From the very next request on the portal does not read them. An API call removes
			// nothing, a page does.
			b.choose("{matomo: false, ga: true}", 0)
			b.want("cookies of an API call after the withdrawal", b.received(true), chosen)
			b.want("the jar before the next page", b.jar(), trackers+chosen)
			b.open("/subscribe/")
			b.want("the jar after the next page", b.jar(), chosen)
			b.open("/trackers/")
			b.want("the jar after a page with trackers", b.jar(), chosen)
			b.want("cookies at the portal after the withdrawal", b.received(false), chosen)

			// A choice counts for six months. After seven it is asked for again, and nothing is
			// granted; it stays where it is.
			b.choose("{matomo: true}", 0)
			b.open("/trackers/")
			b.want("the jar after another grant", b.jar(), trackers+chosen)
			b.choose("{matomo: true}", 213)
			b.want("cookies of an API call, seven months later", b.received(true), chosen)
			b.open("/subscribe/")
			b.open("/trackers/")
			b.want("the jar seven months later", b.jar(), chosen)
			b.want("cookies at the portal seven months later", b.received(false), chosen)
		})
		t.Run("a signal, over "+scheme, func(t *testing.T) {
			silent := &browsing{t, newProfile(t, chromium), origins[1]}
			silent.open("/subscribe/")
			silent.open("/trackers/")
			silent.want("the jar of who does not object", silent.jar(), trackers+necessary)
			silent.want("cookies at the portal of who does not object", silent.received(false),
				trackers+necessary)

			// The same visitor switches Global Privacy Control on.
			silent.run(network.Enable(), network.SetExtraHTTPHeaders(network.Headers{"Sec-GPC": "1"}))
			silent.want("cookies of an API call after that", silent.received(true), necessary)
			silent.open("/subscribe/")
			silent.open("/trackers/")
			silent.want("the jar of who objects", silent.jar(), necessary)
			silent.want("cookies at the portal of who objects", silent.received(false), necessary)

			// A choice of their own counts more.
			silent.choose("{matomo: true}", 0)
			silent.open("/trackers/")
			silent.want("the jar of who objects, but to Matomo", silent.jar(), trackers+chosen)
			silent.want("cookies at the portal of who objects, but to Matomo",
				silent.received(false), trackers+chosen)
		})
	}
}

// Every kind of cookie that a tracker may have left is gone after the next page, and what is the
// portal's own or the visitor's stays.
func TestChromiumForgetsRefusedCookies(t *testing.T) {
	const host, elsewhere = "data.portal.test", "embedder.example.test"
	certificate, certFile, keyFile := portaltest.NewCertificate(t, host, elsewhere)
	const html = "<!doctype html><title>portal</title>"
	planted := map[string][]string{
		"own": {"sessionid=1; Path=/; HttpOnly", "csrftoken=2; Path=/; SameSite=Lax",
			"django_language=fr; Path=/; Max-Age=1000",
			"cookies_preferences={}; Path=/; Max-Age=1000", "campaign=spring; Path=/"},
	}
	portal := portaltest.StartSite(t, certificate, func(path string) (a portaltest.SiteAnswer, ok bool) {
		if path == "/favicon.ico" { // no page: over HTTP only its type tells
			return a, false
		}
		for _, line := range planted[strings.TrimPrefix(path, "/plant/")] {
			a.Header = append(a.Header, "Set-Cookie: "+line)
		}
		a.Body = html
		return a, true
	})
	gateway := startConsentGateway(t, host, certFile, keyFile,
		"cookie_policy opendatasoft {\n\t\tallow third_party tracker *-tracker {\n"+
			"\t\t\tdomain portal.test\n\t\t\tpath / /app\n\t\t}\n\t}", portal.Address)
	profile := t.TempDir()
	if err := os.MkdirAll(filepath.Join(profile, "Default"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(profile, "Default", "Preferences"),
		[]byte(`{"profile":{"cookie_controls_mode":0}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	chromium := startChromium(t, chromedp.UserDataDir(profile))
	const own = "campaign cookies_preferences csrftoken django_language sessionid"

	type variant struct {
		what, line string
		script     string // in place of the line
		path       string // of the page after which it is gone
		onlyHTTPS  bool
	}
	variants := []variant{
		{what: "of the host alone", line: "tracker=1; Path=/; Max-Age=1000"},
		{what: "of the session", line: "tracker=1; Path=/"},
		{what: "that scripts cannot reach", line: "tracker=1; Path=/; HttpOnly"},
		{what: "of the host as a domain", line: "tracker=1; Path=/; Domain=data.portal.test; HttpOnly"},
		{what: "of the domain above", line: "tracker=1; Path=/; Domain=.portal.test"},
		{what: "at a path that the rule names", line: "tracker=1; Path=/app; Domain=portal.test",
			path: "/app/x"},
		{what: "of this site alone", line: "tracker=1; Path=/; SameSite=Strict"},
		{what: "with a value in quotes", line: `tracker="a, b c"; Path=/`},
		{what: "by script", script: "tracker=1; path=/; max-age=1000"},
		{what: "by script, of the domain above",
			script: "tracker=1; path=/; domain=portal.test; max-age=1000"},
		{what: "by script, of the host as a domain", script: "tracker=1; path=/; domain=data.portal.test"},
		{what: "for HTTPS", line: "tracker=1; Path=/; Secure", onlyHTTPS: true},
		{what: "for frames", line: "tracker=1; Path=/; Secure; SameSite=None", onlyHTTPS: true},
		{what: "of a partition", line: "tracker=1; Path=/; Secure; SameSite=None; Partitioned",
			onlyHTTPS: true},
		{what: "of a partition, of the domain above",
			line:      "tracker=1; Path=/; Domain=portal.test; Secure; SameSite=None; Partitioned",
			onlyHTTPS: true},
		{what: "__Secure-", line: "__Secure-tracker=1; Path=/; Domain=portal.test; Secure",
			onlyHTTPS: true},
		{what: "__Host-", line: "__Host-tracker=1; Path=/; Secure", onlyHTTPS: true},
		{what: "__Host-, of a partition", line: "__Host-tracker=1; Path=/; Secure; Partitioned",
			onlyHTTPS: true},
		{what: "__Http-", line: "__Http-tracker=1; Path=/; Secure; HttpOnly", onlyHTTPS: true},
		{what: "__Host-Http-", line: "__Host-Http-tracker=1; Path=/; Secure; HttpOnly", onlyHTTPS: true},
	}
	// Without SameSite=None no cookie is stored in a frame on another site.
	framed := func(line string) (_ string, ok bool) {
		switch {
		case strings.Contains(line, "SameSite=None"):
			return line, true
		case strings.Contains(line, "Partitioned"):
			return line + "; SameSite=None", true
		}
		return "", false
	}
	for i, v := range variants {
		if v.line != "" {
			planted[fmt.Sprint(i)] = []string{v.line}
		}
		if line, ok := framed(v.line); ok {
			planted[fmt.Sprintf("frame%d", i)] = []string{line}
		}
	}
	// The portal sets cookies at an address of its own: cookies know no ports.
	address := func(origin string) string {
		scheme, _, _ := strings.Cut(origin, "://")
		return scheme + "://" + host + ":" + portal.Port()
	}
	plant := func(b *browsing, i int, v *variant) string {
		b.Helper()
		b.run(chromedp.Navigate(address(b.origin) + "/plant/" + fmt.Sprint(i)))
		name, _, _ := strings.Cut(v.line+v.script, "=")
		if v.script != "" {
			b.script(fmt.Sprintf("document.cookie = %q; document.cookie", v.script), nil)
		}
		if !slices.Contains(b.jar(), name) {
			b.Fatalf("%s: the browser did not take %s", v.what, v.line+v.script)
		}
		return name
	}
	unread := func(t *testing.T, path, name string) {
		t.Helper()
		lines, ok := portal.Received(path)
		if !ok || strings.Contains(strings.Join(lines, "; "), name+"=") {
			t.Errorf("the portal was asked for %s: %t, with %q", path, ok, lines)
		}
	}
	for _, origin := range []string{gateway.http, gateway.https} {
		t.Run(strings.SplitN(origin, ":", 2)[0], func(t *testing.T) {
			b := &browsing{t, newProfile(t, chromium), origin}
			b.run(chromedp.Navigate(address(origin) + "/plant/own"))
			for i, v := range variants {
				if v.onlyHTTPS && origin == gateway.http {
					continue
				}
				name := plant(b, i, &v)
				path := v.path + fmt.Sprintf("/page/%d", i)
				b.open(path)
				b.want(v.what, b.jar(), own)
				unread(t, path, name)
			}
			// All variants at once, as far as they are different cookies: pages later none is left.
			var first string
			for i, v := range variants {
				if v.path == "" && (!v.onlyHTTPS || origin == gateway.https) {
					first = plant(b, i, &v)
				}
			}
			for n := 0; n < 20 && len(b.jar()) > len(strings.Fields(own)); n++ {
				b.open("/again")
				unread(t, "/again", first)
			}
			b.want("after some pages", b.jar(), own)
		})
	}
	t.Run("a frame on another site", func(t *testing.T) {
		// A profile of its own is a private window's, in which frames of other sites get no
		// cookies.
		b := &browsing{t, chromium, gateway.https}
		b.run(chromedp.Navigate("https://" + net.JoinHostPort(elsewhere, portal.Port()) + "/"))
		frame := func(url string) {
			b.script(fmt.Sprintf("new Promise(done => { const f = document.createElement('iframe'); "+
				"f.onload = () => done(true); f.src = %q; document.body.append(f) })", url), nil)
		}
		for i, v := range variants {
			line, ok := framed(v.line)
			if !ok {
				continue
			}
			frame(address(gateway.https) + fmt.Sprintf("/plant/frame%d", i))
			name, _, _ := strings.Cut(line, "=")
			if !slices.Contains(b.jar(), name) {
				t.Fatalf("%s: the browser did not take %s", v.what, line)
			}
			path := fmt.Sprintf("/frame/%d", i)
			frame(gateway.https + path)
			b.want(v.what, b.jar(), "")
			unread(t, path, name)
		}
	})
}
