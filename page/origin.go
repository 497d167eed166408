package page

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// fromThisSite reports whether a POST was sent by a page of this site. A form that another site made
// must not choose for the visitor.
//
// [http.CrossOriginProtection] refuses what a browser says is from elsewhere. It lets requests pass that
// say nothing, as programs send them; this form is for browsers, all of which say something.
func fromThisSite(r *http.Request) bool {
	if new(http.CrossOriginProtection).Check(r) != nil {
		return false
	}
	return r.Header.Get("Sec-Fetch-Site") != "" || r.Header.Get("Origin") != "" || refererPath(r) != ""
}

// refererPath returns the path and query of the page that led here, if it is one of the same host.
func refererPath(r *http.Request) string {
	u, err := url.Parse(r.Header.Get("Referer"))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil ||
		!strings.EqualFold(u.Host, r.Host) || r.Host == "" {
		return ""
	}
	path := (&url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery}).String()
	if path == "" {
		path = "/"
	}
	return localPath(path)
}

// maxBack is the largest number of bytes of the path of the page that led here.
const maxBack = 1000

// localPath returns what a client sent as the path of a page of the site, if every browser takes it for
// one, and "" otherwise. It is built anew of its parts: [url.Parse] finds no host in `/\evil.example`, in
// which browsers do.
func localPath(text string) string {
	if len(text) > maxBack || !isPath(text) {
		return ""
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" {
		return ""
	}
	rebuilt := (&url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: escapedQuery(u.RawQuery)}).String()
	if !isPath(rebuilt) || strings.HasPrefix(u.Path, "//") || strings.HasPrefix(u.Path, `/\`) {
		return ""
	}
	return rebuilt
}

// escapedQuery escapes what RFC 3986 section 3.4 does not allow in a query. What is left cannot begin an
// action of a template, in case Caddy's templates directive is around the page.
func escapedQuery(query string) string {
	var b strings.Builder
	for _, c := range []byte(query) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			strings.IndexByte("-._~!$&'()*+,;=:@/?%", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
