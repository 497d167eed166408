package cookiepolicy

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// Every form that another site, a script or a mistake could send is refused with a page that says what
// to do, and stores nothing.
func TestPageAttacks(t *testing.T) {
	gateway := caddytest.Start(t, pageDirectives)
	v := newReader(t, gateway)
	digest := hiddenDigest.FindStringSubmatch(v.ask(http.MethodGet, "/cookies", "").Text(t))[1]
	good := "choice=accept&policy=" + digest
	for _, c := range []struct {
		what, body string
		lines      []string
		status     int
	}{
		{"same origin", good, nil, 303},
		{"none, as by a reload", good, []string{"Sec-Fetch-Site: none", "Origin"}, 303},
		{"whatever Origin says", good, []string{"Origin: https://cdn.example"}, 303},
		{"Origin alone", good, []string{"Sec-Fetch-Site"}, 303},
		{"Referer alone", good, []string{"Sec-Fetch-Site", "Origin", "Referer: https://localhost/cookies"}, 303},
		{"unknown fields", good + "&q99=granted&evil=granted", nil, 303},

		{"another site", good, []string{"Sec-Fetch-Site: cross-site"}, 403},
		{"a sibling host", good, []string{"Sec-Fetch-Site: same-site"}, 403},
		{"a foreign Origin alone", good, []string{"Sec-Fetch-Site", "Origin: https://evil.example"}, 403},
		{"Origin null alone", good, []string{"Sec-Fetch-Site", "Origin: null"}, 403},
		{"a sibling Origin alone", good, []string{"Sec-Fetch-Site", "Origin: https://x.localhost"}, 403},
		{"a foreign Referer alone", good, []string{"Sec-Fetch-Site", "Origin", "Referer: https://evil.example/"}, 403},
		{"a Referer like the host", good,
			[]string{"Sec-Fetch-Site", "Origin", "Referer: https://localhost.evil.example/"}, 403},
		{"a Referer with the host as user", good,
			[]string{"Sec-Fetch-Site", "Origin", "Referer: https://localhost@evil.example/"}, 403},
		{"nothing that a browser says", good, []string{"Sec-Fetch-Site", "Origin"}, 403},
		{"a host that somebody forwards", good, []string{"Sec-Fetch-Site", "Origin: https://evil.example",
			"X-Forwarded-Host: evil.example"}, 403},

		{"text", good, []string{"Content-Type: text/plain"}, 415},
		{"JSON", `{"choice":"accept"}`, []string{"Content-Type: application/json"}, 415},
		{"a form of parts", good, []string{"Content-Type: multipart/form-data; boundary=x"}, 415},
		{"no type", good, []string{"Content-Type"}, 415},
		{"packed", good, []string{"Content-Encoding: gzip"}, 415},
		{"too large", good + "&x=" + strings.Repeat("x", 16<<10), nil, 413},
		{"not a form", "%zz", nil, 400},
		{"no button", "policy=" + digest, nil, 400},
		{"an unknown button", "choice=all&policy=" + digest, nil, 400},
		{"two buttons", good + "&choice=refuse", nil, 400},
		{"an unknown answer", "choice=save&q1=yes&policy=" + digest, nil, 400},
		{"two answers", "choice=save&q1=granted&q1=refused&policy=" + digest, nil, 400},
		{"another policy", "choice=accept&policy=" + strings.Repeat("0", 64), nil, 409},
		{"no policy", "choice=accept", nil, 409},
	} {
		t.Run(c.what, func(t *testing.T) {
			v := newReader(t, gateway)
			reply := v.ask(http.MethodPost, "/cookies", c.body, c.lines...)
			want(t, "status", reply.Status, c.status)
			if c.status == 303 {
				want(t, "the preference", v.preference(), `{"functional_cookies":true,"matomo":true,"timestamp":T}`)
				return
			}
			want(t, "cookies", reply.Header["Set-Cookie"], []string(nil))
			want(t, "Cache-Control", reply.Header["Cache-Control"], []string{"no-store"})
			text := reply.Text(t)
			if !strings.Contains(text, "<title>Error: ") || !strings.Contains(text, `role="alert"`) ||
				!strings.Contains(text, `<a href="/cookies">`) {
				t.Errorf("the page does not say what to do: %s", text)
			}
		})
	}
}

// Nothing but a form writes: not a link, and no other method.
func TestPageMethods(t *testing.T) {
	gateway := caddytest.Start(t, pageDirectives)
	for _, c := range []struct {
		method, path string
		status       int
		allow        []string
	}{
		{"GET", "/cookies?choice=accept&q1=granted&accept=all", 200, nil},
		{"HEAD", "/cookies?choice=accept", 200, nil},
		{"PUT", "/cookies", 405, []string{"GET, HEAD, POST"}},
		{"DELETE", "/cookies", 405, []string{"GET, HEAD, POST"}},
		{"OPTIONS", "/cookies", 405, []string{"GET, HEAD, POST"}},
	} {
		reply := newReader(t, gateway).ask(c.method, c.path, "")
		want(t, c.method, []any{reply.Status, reply.Header["Allow"], reply.Header["Set-Cookie"]},
			[]any{c.status, c.allow, []string(nil)})
	}
	reading := caddytest.Start(t, "cookie_policy opendatasoft matomo\ncookie_policy_page")
	reply := newReader(t, reading).ask("POST", "/cookies", "choice=accept", "Origin: https://localhost")
	want(t, "POST without a form", []any{reply.Status, reply.Header["Allow"], reply.Header["Set-Cookie"]},
		[]any{405, []string{"GET, HEAD"}, []string(nil)})
}

// The answer to a form leads to the page as the browser knows it, and never to another host.
func TestPageLocation(t *testing.T) {
	saved := func(path string) string { return path + `saved=\d+#saved` }
	for _, c := range []struct{ what, directives, path, want string }{
		{"handle_path", "handle_path /legal/* {\nPAGE\n}", "/legal/cookies", saved(`/legal/cookies\?`)},
		{"rewrite", "rewrite /terms/cookies-policy/ /cookies\nPAGE", "/terms/cookies-policy/",
			saved(`/terms/cookies-policy/\?`)},
		{"a language", "PAGE", "/cookies?lang=fr", saved(`/cookies\?lang=fr&`)},
		{"a language with a region", "PAGE", "/cookies?lang=FR-ca", saved(`/cookies\?lang=fr&`)},
		{"no language", "PAGE", "/cookies?lang=%0d%0aX:y&next=//evil.example", saved(`/cookies\?`)},
		{"two slashes", "PAGE", "//evil.example/cookies", saved(`\?`)},
		{"a backslash", "PAGE", `/%5Cevil.example/`, saved(`(/%5Cevil.example/)?\?`)},
	} {
		t.Run(c.what, func(t *testing.T) {
			page := "cookie_policy_page {\ncontroller City\n}"
			v := newReader(t, caddytest.Start(t, "cookie_policy opendatasoft matomo\n"+
				strings.ReplaceAll(c.directives, "PAGE", page)))
			body := "choice=accept&back=" + url.QueryEscape("https://evil.example/") + "&policy="
			path := c.path
			digest := hiddenDigest.FindStringSubmatch(v.ask("GET", path, "").Text(t))[1]
			reply := v.ask("POST", path, body+digest)
			location := reply.Header.Get("Location")
			if !regexp.MustCompile("^" + c.want + "$").MatchString(location) {
				t.Errorf("%d leads to %q", reply.Status, location)
			}
		})
	}
}

// The way back is a link to a page of the site that the visitor came from, or was not there.
func TestPageBack(t *testing.T) {
	gateway := caddytest.Start(t, pageDirectives)
	for _, c := range []struct{ referer, href string }{
		{"https://localhost/explore/?q=a&amp=%22", "/explore/?q=a&amp;amp=%22"},
		{"https://localhost", "/"},
		{"http://LOCALHOST/x", "/x"},
		{"https://localhost/cookies?lang=fr", ""},
		{"https://evil.example/explore", ""},
		{"https://localhost.evil.example/", ""},
		{"https://localhost:pw@evil.example/", ""},
		{"https://localhost//evil.example/", ""},
		{`https://localhost/\evil.example/`, ""},
		{"https://localhost/" + strings.Repeat("x", 2000), ""},
		{"javascript:alert(1)", ""},
		{"https:evil", ""},
		{"/explore", ""},
	} {
		v := newReader(t, gateway)
		text := v.ask("GET", "/cookies", "", "Referer: "+c.referer).Text(t)
		got := ""
		if m := regexp.MustCompile(`<p class="back"><a href="([^"]*)">`).FindStringSubmatch(text); m != nil {
			got = m[1]
		}
		want(t, c.referer, got, c.href)
		want(t, c.referer+": in the form", strings.Contains(text, `name="back"`), c.href != "")
	}
	// It comes back with a form that is refused, if it still is one.
	for back, href := range map[string]string{
		"/explore/": `href="/explore/"`, "//evil.example": "", `/\evil.example`: "", "/\tevil": "",
		"javascript:alert(1)": "", "https://evil.example/": "", `/"><script>`: `href="/%22%3E%3Cscript%3E"`,
	} {
		text := newReader(t, gateway).ask("POST", "/cookies", "choice=accept&back="+url.QueryEscape(back)).Text(t)
		if href == "" && strings.Contains(text, `class="back"`) || !strings.Contains(text, href) ||
			strings.Contains(text, "<script") {
			t.Errorf("%q: %s", back, text)
		}
	}
}

// The directive templates around the page runs nothing that a visitor sends.
func TestPageInsideTemplates(t *testing.T) {
	v := newReader(t, caddytest.Start(t, "templates\n"+pageDirectives))
	for _, referer := range []string{"https://localhost/?{{add 40 2}}", "https://localhost/{{add 40 2}}"} {
		reply := v.ask(http.MethodGet, "/cookies", "", "Referer: "+referer)
		text := reply.Text(t)
		if reply.Status != http.StatusOK || !strings.Contains(text, `name="back" value="/`) ||
			strings.Contains(text, `value="/?42`) || strings.Contains(text, `value="/42`) {
			t.Errorf("%s: %d: what it sends was run, or is not kept", referer, reply.Status)
		}
	}
}

// The page never gets into a shared cache, whatever else the site says to caches: what it shows is
// about one visitor.
func TestPageStaysPrivate(t *testing.T) {
	for _, directive := range []string{
		`header >Cache-Control "public, max-age=600"`, `header CDN-Cache-Control "max-age=600"`,
		`header Surrogate-Control "max-age=600"`, `header >X-Accel-Expires 600`,
	} {
		for _, word := range []string{"", "mode report", "shared_cache keep"} {
			pageStaysPrivate(t, directive, strings.Replace(pageDirectives, "name city", "name city\n"+word, 1))
		}
	}
}

func pageStaysPrivate(t *testing.T, directive, page string) {
	t.Helper()
	v := newReader(t, caddytest.Start(t, directive+"\n"+page))
	for range 2 { // without a stored choice, and with one
		reply := v.ask(http.MethodGet, "/cookies", "")
		for name := range reply.Header {
			if strings.HasSuffix(name, "Cache-Control") && name != "Cache-Control" ||
				name == "Surrogate-Control" || name == "X-Accel-Expires" {
				t.Errorf("%s, %s: %s is %q", directive, page, name, reply.Header[name])
			}
		}
		control := strings.Join(reply.Header["Cache-Control"], ", ")
		if !strings.Contains(control, "private") && !strings.Contains(control, "no-store") ||
			strings.Contains(control, "public") {
			t.Errorf("%s, %s: Cache-Control is %q", directive, page, control)
		}
		v.choose("/cookies", "choice=accept")
	}
}
