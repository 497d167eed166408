package cookiepolicy

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// limitingPolicy lets pages load from one third party always, and from another one with consent.
const limitingPolicy = `cookie_policy opendatasoft {
	name city
	allow necessary {
		origin https://tiles.example.org
	}
	allow third_party {
		consent ads
		origin https://ads.example.org
	}
	load enforce {
		except /backoffice/*
		sample 100%
	}
}
`

const (
	loadOwn     = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob: mediastream: filesystem:"
	loadRefused = loadOwn + " https://tiles.example.org wss://tiles.example.org"
	loadGranted = loadRefused + " https://ads.example.org wss://ads.example.org"
	loadAsked   = loadRefused + "; report-uri /.cookie-policy/report; report-to cookie-policy"
)

// Pages of a running gateway get the policy once, whatever answers and whatever is around it, beside
// those of the portal and of the operator.
func TestHandlerLimitsLoads(t *testing.T) {
	const grants = "Cookie: cookies_preferences=%7B%22ads%22%3Atrue%7D"
	const document = "Sec-Fetch-Dest: document"
	own := []string{"Content-Security-Policy: img-src *", "Content-Security-Policy: script-src 'nonce-1'"}
	for _, c := range []struct {
		what       string
		portal     string // what the portal answers, if it is asked
		directives string
		path       string
		lines      []string
		want       []string // the lines of Content-Security-Policy
		asks       bool
	}{
		{"a page", portaltest.Page(), "", "/", []string{document}, []string{loadRefused}, true},
		{"a page after a grant", portaltest.Page(), "", "/", []string{document, grants}, []string{loadGranted}, true},
		{"beside the portal's", portaltest.Page(own...), "", "/", []string{document},
			[]string{"img-src *", "script-src 'nonce-1'", loadRefused}, true},
		{"excepted", portaltest.Page(own[0]), "", "/backoffice/x", []string{document}, []string{"img-src *"}, false},
		{"excepted, where the path is cut", portaltest.Page(),
			"handle_path /backoffice/* {\n" + limitingPolicy + "reverse_proxy PORTAL\n}", "/backoffice/x",
			[]string{document}, nil, false},
		{"the operator's, inside", portaltest.Page(),
			"route {\n" + limitingPolicy + "header Content-Security-Policy \"img-src *\"\nreverse_proxy PORTAL\n}", "/",
			[]string{document}, []string{"img-src *", loadRefused}, true},
		{"the operator's, inside and deferred", portaltest.Page(own...),
			"route {\n" + limitingPolicy + "header >Content-Security-Policy \"img-src *\"\nreverse_proxy PORTAL\n}", "/",
			[]string{document}, []string{"img-src *", loadRefused}, true},
		{"the operator's, outside", portaltest.Page(),
			"route {\nheader Content-Security-Policy \"img-src *\"\n" + limitingPolicy + "reverse_proxy PORTAL\n}", "/",
			[]string{document}, []string{"img-src *", loadRefused}, true},
		{"within encode", portaltest.Page(), "route {\nencode gzip\n" + limitingPolicy + "reverse_proxy PORTAL\n}", "/",
			[]string{document, "Accept-Encoding: gzip"}, []string{loadRefused}, true},
		{"an error", "", limitingPolicy + "error 500", "/", []string{document}, []string{loadRefused}, true},
		{"an error and its route, which has the policy", "",
			limitingPolicy + "error 500\nhandle_errors {\n" + limitingPolicy + "header Content-Type text/html\nrespond oops\n}",
			"/", []string{document}, []string{loadRefused}, true},
		{"the same, over plain HTTP", "",
			limitingPolicy + "error 500\nhandle_errors {\n" + limitingPolicy + "header Content-Type text/html\nrespond oops\n}",
			"/", []string{"Accept: text/html"}, []string{loadRefused}, true},
		{"the same, of a client that tells nothing", "",
			limitingPolicy + "error 500\nhandle_errors {\n" + limitingPolicy + "header Content-Type text/html\nrespond oops\n}",
			"/", nil, []string{loadRefused}, true},
		{"the same, excepted", "", limitingPolicy + "error 500\nhandle_errors {\n" + limitingPolicy +
			"rewrite * /error.html\nheader Content-Type text/html\nrespond oops\n}",
			"/backoffice/x", []string{document}, nil, false},
		{"Caddy's own answer", "", limitingPolicy + "header Content-Type text/html\nrespond hello", "/",
			[]string{document}, []string{loadRefused}, true},
		{"the script of a worker", portaltest.Response("200 OK", nil, ""),
			"route {\n" + limitingPolicy + "header >Content-Type text/javascript\nreverse_proxy PORTAL\n}", "/w.js",
			[]string{"Sec-Fetch-Dest: worker"}, []string{loadRefused}, false},
		{"the script of a worker, where the portal is not told", portaltest.Response("200 OK", nil, ""),
			"route {\n" + limitingPolicy + "request_header -Sec-Fetch-Dest\nreverse_proxy PORTAL\n}", "/w.js",
			[]string{"Sec-Fetch-Dest: worker"}, []string{loadRefused}, false},
		{"not modified", "", limitingPolicy + "header Content-Type text/html\nrespond 304", "/", []string{document}, nil, false},
		{"no page", "", limitingPolicy + "header Content-Type text/css\nrespond hello", "/", []string{document}, nil, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			directives := c.directives
			if directives == "" {
				directives = limitingPolicy + "reverse_proxy PORTAL"
			}
			if c.portal != "" {
				directives = strings.ReplaceAll(directives, "PORTAL", portaltest.StartPortal(t, c.portal).Address)
			}
			gateway := caddytest.Start(t, directives)
			for _, https := range []bool{false, true} {
				got := gateway.Fetch(t, https, "localhost", c.path, c.lines...)
				if lines := got.Field("Content-Security-Policy"); !slices.Equal(lines, c.want) {
					t.Errorf("HTTPS %t: Content-Security-Policy is %q, want %q", https, lines, c.want)
				}
				var asked, endpoints []string
				if c.asks {
					if asked = []string{loadAsked}; https {
						endpoints = []string{`cookie-policy="/.cookie-policy/report"`}
					}
				}
				if lines := got.Field("Content-Security-Policy-Report-Only"); !slices.Equal(lines, asked) {
					t.Errorf("HTTPS %t: Content-Security-Policy-Report-Only is %q, want %q", https, lines, asked)
				}
				if lines := got.Field("Reporting-Endpoints"); !slices.Equal(lines, endpoints) {
					t.Errorf("HTTPS %t: Reporting-Endpoints is %q, want %q", https, lines, endpoints)
				}
			}
		})
	}
}

// A 103 (Early Hints) has the page's policy, beside the portal's: a browser loads what it names before it
// has the page.
func TestHandlerLimitsLoadsOfHints(t *testing.T) {
	portal := portaltest.StartPortal(t, "HTTP/1.1 103 Early Hints\r\nLink: <https://b.example/>; rel=preload\r\n"+
		"Content-Security-Policy: img-src *\r\n"+ // and a choice, which no browser stores from here
		"Set-Cookie: cookies_preferences=%7B%22ads%22%3Atrue%7D; Path=/\r\n\r\n"+
		"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"+
		"HTTP/1.1 102 Processing\r\n\r\n"+
		portaltest.Page())
	gateway := caddytest.Start(t, limitingPolicy+"reverse_proxy "+portal.Address)
	for protocol, client := range portaltest.Protocols(t) {
		for _, c := range []struct {
			path, cookie string
			want         [4][]string // of the hints and the page
		}{
			{"/", "", [4][]string{{"img-src *", loadRefused}, {loadRefused}, nil, {loadRefused}}},
			{"/", "cookies_preferences=%7B%22ads%22%3Atrue%7D",
				[4][]string{{"img-src *", loadGranted}, {loadGranted}, nil, {loadGranted}}},
			{"/backoffice/x", "", [4][]string{{"img-src *"}, nil, nil, nil}},
		} {
			header := http.Header{"Sec-Fetch-Dest": {"document"}}
			if c.cookie != "" {
				header.Set("Cookie", c.cookie)
			}
			got := gateway.Ask(t, client, http.MethodGet, c.path, header, nil)
			if len(got.Hints) != 3 {
				t.Fatalf("%s: got the hints %v", protocol, got.Hints)
			}
			for i, hint := range append(got.Hints, portaltest.Hint{Status: got.Status, Header: got.Header}) {
				if lines := hint.Header["Content-Security-Policy"]; !slices.Equal(lines, c.want[i]) {
					t.Errorf("%s, %s with the cookie %q: %d has %q, want %q", protocol, c.path, c.cookie,
						hint.Status, lines, c.want[i])
				}
			}
		}
	}
}

// A portal that would answer 304 answers with the page, whose policy is that of the choice now.
func TestHandlerAnswersConditions(t *testing.T) {
	portal := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"1"`)
		if r.Header.Get("If-None-Match") != "" || r.Header.Get("If-Modified-Since") != "" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "a page")
	}))
	defer portal.Close()
	gateway := caddytest.Start(t, limitingPolicy+"reverse_proxy "+portal.URL)
	for _, c := range []struct {
		path, line string
		want       int
	}{
		{"/", "Sec-Fetch-Dest: document", 200},
		{"/", "Accept: text/html", 200},
		{"/", "Sec-Fetch-Dest: image", 304},
		{"/backoffice/x", "Sec-Fetch-Dest: document", 304},
	} {
		got := gateway.Fetch(t, true, "localhost", c.path, c.line, `If-None-Match: "1"`,
			"If-Modified-Since: Thu, 15 Jan 2026 12:00:00 GMT")
		if !strings.HasPrefix(got.Raw, fmt.Sprintf("HTTP/1.1 %d ", c.want)) ||
			c.want == 304 && got.Field("Content-Security-Policy") != nil {
			t.Errorf("%s with %s: got %.300q", c.path, c.line, got.Raw)
		}
	}
}

// Pages and reports are told by the URL that the browser asked for, whatever a handler made of it.
func TestHandlerTakesReportsOfRewrittenPaths(t *testing.T) {
	portal := portaltest.StartPortal(t, portaltest.Page())
	gateway := caddytest.Start(t, "route {\nrewrite * /portal{uri}\n"+limitingPolicy+"reverse_proxy "+portal.Address+"\n}")
	got := gateway.Fetch(t, true, "localhost", "/.cookie-policy/report")
	if !strings.HasPrefix(got.Raw, "HTTP/1.1 405 ") {
		t.Errorf("the portal was asked: %.300q", got.Raw)
	}
	got = gateway.Fetch(t, true, "localhost", "/backoffice/x", "Sec-Fetch-Dest: document")
	if lines := got.Field("Content-Security-Policy"); lines != nil {
		t.Errorf("an excepted page got %q", lines)
	}
}
