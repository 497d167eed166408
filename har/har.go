// Package har reads HTTP Archive (HAR) 1.2 files as Chromium, Firefox and Safari export them, for
// what they tell about cookies.
//
// A file is read as a stream. Bodies, form data, cache entries and timings are skipped without being
// kept, so a recording of 100 MB takes little more memory than its headers. A file is hostile input:
// it has at most 100,000 entries, 64 MiB of headers and URLs (each text counts once), 1 MiB in one of
// them, and objects and arrays nested 1000 deep. Errors name the place in the file and what was
// expected there, and never show what the file holds.
//
// Browsers write cookies in different ways:
//
//   - Chromium, since version 130, exports without cookies unless the setting "Allow to generate HAR
//     with sensitive data" is on. Such a file has no Cookie, Set-Cookie and Authorization headers, its
//     arrays of cookies are empty, and nothing marks it (devtools-frontend, models/har/Log.ts).
//     Summary.Warnings tells about a file without cookies.
//   - Chromium with sensitive data has each Set-Cookie line as a header of its own. Tools that record
//     over its DevTools protocol, and old versions of Firefox, join lines with newlines
//     (sitespeedio/chrome-har issue 121, sitespeedio/pagexray pull request 135).
//   - Firefox writes the names and values of an array of cookies, and no attributes
//     (netmonitor/src/har/har-builder.js). Its pages have the title of the document and no URL.
//   - Safari joins the Set-Cookie lines of a response with ", " (WebInspectorUI, Models/Resource.js,
//     responseCookies). Its requests have the headers that the network process reported, which may lack
//     Cookie, and its only page has the URL as its title (Controllers/HARBuilder.js).
//   - Programs that clean a HAR file replace values, with "[redacted]" or the like.
//
// Headers beyond ASCII have their bytes again in what is read of Chromium, which writes one character
// for each byte. Of other browsers they are as they were written, in UTF-8.
package har

import (
	"io"
	"net/http"
	"time"
)

// The limits of a file, above which Read fails.
const (
	maxEntries = 100_000
	maxPages   = 10_000
	maxKept    = 64 << 20 // bytes of all that is kept until the entries are visited
	maxText    = 1 << 20  // bytes of one value that is kept
	maxDepth   = 1000     // objects and arrays in one another
)

// The lengths in bytes to which titles and data URLs are cut.
const (
	maxTitle   = 1 << 10
	maxDataURL = 64
)

// An Entry is one request and its response.
type Entry struct {
	// Index is the place in the file, log.entries[Index].
	Index int
	// Page is the page that the entry belongs to, or nil where the file does not say.
	Page *Page
	// Start is zero where the file has none.
	Start time.Time
	// ResourceType is what Chromium calls it: "document", "script", "xhr" and so on. Other browsers
	// write none.
	ResourceType string
	// FromCache reports whether Chromium or Safari took the response from its cache: no server was
	// asked.
	FromCache bool
	Request   Request
	Response  Response
}

// A Page is one of log.pages.
type Page struct {
	ID    string
	Title string // at most 1024 bytes of it
	// URL is the title where that is a URL, as in Chromium and Safari, or else the URL of the page's
	// first entry. It is empty where there is neither.
	URL string
}

// A Request is what a browser sent.
type Request struct {
	Method string
	// URL is cut to 64 bytes where its scheme is data.
	URL string
	// HTTPVersion is as the browser wrote it: "HTTP/1.1", "h2", "http/2.0" and others.
	HTTPVersion string
	// Host is that of the pseudo-header :authority or of the Host header, with the port if there is
	// one, or else empty.
	Host string
	// Header has no pseudo-headers, and no field whose name is not a token (RFC 9110, section 5.1). A
	// value that holds newlines is several values. Cookies known from the array alone are here too.
	Header http.Header
	// Cookies says where Header has its Cookie from.
	Cookies Source
	// Redacted reports whether cookies or their values were replaced.
	Redacted bool
}

// A Response is what a browser received. Its status is 0 where there was none, or none is recorded.
type Response struct {
	Status      int
	HTTPVersion string
	RedirectURL string
	// Header is like that of a Request, with one value for each Set-Cookie line.
	Header http.Header
	// Cookies says where Header has its Set-Cookie lines from.
	Cookies Source
	// Redacted reports whether cookies or their values were replaced.
	Redacted bool
}

// A Source says where the cookies of a request or response were read.
type Source uint8

const (
	// NoCookies means that the file has none: either there were none, or they were left out.
	NoCookies Source = iota
	// FromHeader means the header as it was sent.
	FromHeader
	// FromArray means the array of parsed cookies, since there is no such header. The Set-Cookie lines
	// made of it have the attributes that the array has: none in a file of Firefox.
	FromArray
)

// Read reads a HAR file and then visits its entries in the order in which they started. Those that
// started together stay in the order of the file; one without a time comes after the one that is
// before it in the file. It visits nothing if the
// file has a fault, which is an *Error, or cannot be read. An error of visit ends the visits and is
// returned as it is. An entry that is visited may be kept and changed, except for its page.
func Read(r io.Reader, visit func(*Entry) error) (*Summary, error) {
	f := newFile(r)
	if err := f.read(); err != nil {
		return nil, err
	}
	f.sort()
	f.locatePages()
	for i := range f.entries {
		entry := f.build(&f.entries[i])
		f.summary.count(entry)
		if err := visit(entry); err != nil {
			return nil, err
		}
	}
	return &f.summary, nil
}
