package cookiepolicy

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// The fields for caches in front of the gateway.
func TestSharedCache(t *testing.T) {
	const forAll = "Cache-Control: public, s-maxage=600, max-age=60\r\n" +
		"Surrogate-Control: max-age=600\r\nCDN-Cache-Control: max-age=600\r\n" +
		"X-Accel-Expires: 600\r\nVary: Accept-Encoding\r\nETag: \"v1\"\r\n"
	kept := http.Header{"Cache-Control": {"public, s-maxage=600, max-age=60"},
		"Surrogate-Control": {"max-age=600"}, "Cdn-Cache-Control": {"max-age=600"},
		"X-Accel-Expires": {"600"}, "Vary": {"Accept-Encoding"}, "Etag": {`"v1"`}}
	with := func(changes ...string) http.Header {
		header := kept.Clone()
		for i := 0; i < len(changes); i += 2 {
			if header.Del(changes[i]); changes[i+1] != "" {
				header.Set(changes[i], changes[i+1])
			}
		}
		return header
	}
	private := []string{"Cache-Control", "private, max-age=60", "Surrogate-Control", "",
		"Cdn-Cache-Control", "", "X-Accel-Expires", ""}
	for _, c := range []struct {
		name, policy, more string
		send               []string
		request            http.Header
		want               http.Header
	}{
		{"a cookie", "opendatasoft", "", []string{session}, nil, with(private...)},
		{"no cookie", "opendatasoft", "", nil, nil, kept},
		{"unlisted cookies only", "opendatasoft", "", []string{google, unlisted}, nil, kept},
		{"a cookie that was refused", "opendatasoft matomo", "", []string{matomo}, nil,
			with("Vary", "Accept-Encoding, Cookie")},
		{"a cookie that was granted", "opendatasoft matomo", "", []string{matomo},
			http.Header{"Cookie": {grantsMatomo}},
			with(append(private, "Vary", "Accept-Encoding, Cookie")...)},
		{"a signal that decided", "opendatasoft matomo {\nsignal gpc statistical\n}", "",
			[]string{matomo}, http.Header{"Sec-Gpc": {"1"}},
			with("Vary", "Accept-Encoding, Cookie, Sec-Gpc")},
		{"a signal that a choice overrides", "opendatasoft matomo {\nsignal gpc statistical\n}", "",
			[]string{matomo}, http.Header{"Sec-Gpc": {"1"},
				"Cookie": {"cookies_preferences={\"matomo\":false}"}},
			with("Vary", "Accept-Encoding, Cookie")},
		{"a placeholder", "opendatasoft matomo",
			"header X-Matomo {http.cookie_policy.consent.matomo}\n", nil, nil,
			with("Vary", "Accept-Encoding, Cookie", "X-Matomo", "undecided")},
		{"shared_cache protect", "opendatasoft {\nshared_cache protect\n}", "", []string{session},
			nil, with(private...)},
		{"shared_cache keep", "opendatasoft matomo {\nshared_cache keep\n}", "",
			[]string{session, matomo}, nil, kept},
	} {
		t.Run(c.name, func(t *testing.T) {
			portal := portaltest.StartPortal(t,
				strings.Replace(portaltest.Response("200 OK", c.send, "hello"), "\r\n\r\n",
					"\r\n"+forAll+"\r\n", 1))
			hinting := portaltest.StartPortal(t,
				"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nVary: Origin\r\nSet-Cookie: "+matomo+
					"\r\n\r\n"+
					strings.Replace(portaltest.Response("304 Not Modified", c.send, ""), "\r\n\r\n",
						"\r\n"+forAll+"\r\n", 1))
			for upstream, address := range map[string]string{"a page": portal.Address,
				"not modified": hinting.Address} {
				gateway := caddytest.Start(t, "cookie_policy "+c.policy+"\n"+c.more+
					"reverse_proxy "+address)
				for protocol, client := range portaltest.Protocols(t) {
					got := gateway.Ask(t, client, http.MethodGet, "/", c.request, nil)
					want := c.want
					// The hint carried Matomo's cookie: the answer may depend on the visitor's
					// choice from then on.
					if address == hinting.Address && strings.Contains(c.policy, "matomo") &&
						!strings.Contains(c.policy, "keep") {
						want = want.Clone()
						if !strings.Contains(want.Get("Vary"), "Cookie") {
							want.Set("Vary", "Accept-Encoding, Cookie")
						}
					}
					for _, name := range []string{"Cache-Control", "Surrogate-Control",
						"Cdn-Cache-Control", "X-Accel-Expires", "Vary", "Etag", "X-Matomo"} {
						if !slices.Equal(got.Header[name], want[name]) {
							t.Errorf("%s over %s: %s is %q, want %q", upstream, protocol, name,
								got.Header[name], want[name])
						}
					}
				}
			}
		})
	}
}

// What encode adds to Vary and what the gateway adds stand side by side, whichever of the two is
// around the other, also behind a 103.
func TestSharedCacheVaryOfEncode(t *testing.T) {
	long := strings.Repeat("hello ", 1000)
	portal := portaltest.StartPortal(t,
		"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nSet-Cookie: "+session+"\r\n\r\n"+
			portaltest.Response("200 OK", []string{matomo}, long))
	for name, directives := range map[string]string{
		"the gateway around it": "cookie_policy opendatasoft matomo\nencode gzip\nreverse_proxy ",
		"it around the gateway": "route {\nencode gzip\ncookie_policy opendatasoft matomo\nreverse_proxy ",
	} {
		end := strings.Repeat("\n}", strings.Count(directives, "{"))
		gateway := caddytest.Start(t, directives+portal.Address+end)
		for protocol, client := range portaltest.Protocols(t) {
			got := gateway.Ask(t, client, http.MethodGet, "/",
				http.Header{"Accept-Encoding": {"gzip"}}, nil)
			var vary []string
			for _, line := range got.Header["Vary"] {
				vary = append(vary, strings.Split(line, ", ")...)
			}
			slices.Sort(vary)
			if !slices.Equal(vary, []string{"Accept-Encoding", "Cookie"}) ||
				got.Header.Get("Content-Encoding") != "gzip" || got.Text(t) != long {
				t.Errorf("%s, over %s: Vary is %q, the encoding %q", name, protocol,
					got.Header["Vary"], got.Header["Content-Encoding"])
			}
		}
	}
}

// A browser that has the page already is told so, with the portal's ETag; and one that has not gets
// it with the same.
func TestSharedCacheConditionalRequests(t *testing.T) {
	upstream := portaltest.StartHandler(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `W/"v1"`)
		w.Header().Set("Cache-Control", "public, max-age=60")
		w.Header()["Set-Cookie"] = []string{google}
		if r.URL.Path == "/session" {
			w.Header().Add("Set-Cookie", session)
		}
		http.ServeContent(w, r, "page.txt", time.Time{}, strings.NewReader("hello"))
	})
	gateway := caddytest.Start(t, "cookie_policy opendatasoft\nreverse_proxy "+upstream)
	for protocol, client := range portaltest.Protocols(t) {
		for _, c := range []struct {
			path, etag string
			status     int
			cache      string
			cookies    []string
		}{
			{"/", "", 200, "public, max-age=60", nil},
			{"/", `W/"v1"`, 304, "public, max-age=60", nil},
			{"/", `W/"v0"`, 200, "public, max-age=60", nil},
			{"/session", "", 200, "private, max-age=60", []string{session}},
			{"/session", `W/"v1"`, 304, "private, max-age=60", []string{session}},
		} {
			header := http.Header{}
			if c.etag != "" {
				header.Set("If-None-Match", c.etag)
			}
			got := gateway.Ask(t, client, http.MethodGet, c.path, header, nil)
			if got.Status != c.status || got.Header.Get("ETag") != `W/"v1"` ||
				got.Header.Get("Cache-Control") != c.cache ||
				!slices.Equal(got.Header["Set-Cookie"], c.cookies) || got.Header["Vary"] != nil {
				t.Errorf("%s with %q over %s: got %d %q", c.path, c.etag, protocol, got.Status, got.Header)
			}
		}
	}
}
