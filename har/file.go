package har

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"time"
)

// names are those of the members that are read.
var names = [...]string{
	"log", "creator", "name", "version", "pages", "id", "title", "entries", "pageref", "startedDateTime",
	"_resourceType", "_fromCache", "_fetchType", "request", "response", "method", "url", "httpVersion",
	"headers", "cookies", "value", "path", "domain", "expires", "httpOnly", "secure", "sameSite",
	"partitionKey", "status", "redirectURL",
}

const maxName = 32 // no name is longer

// memberNames has the place of each name in names, from 1.
var memberNames = func() map[string]int {
	m := map[string]int{}
	for i, name := range names {
		m[name] = i + 1
	}
	return m
}()

// A file is what is kept of a HAR file until its entries are visited. Entries need not be in order,
// and pages and the creator may come behind them, so nothing is visited before the end of the file.
type file struct {
	*scanner
	summary Summary
	pages   map[string]*Page
	entries []keptEntry
	texts   map[string]string // each text once: most headers are those of many entries
	room    int               // the bytes that may still be kept, about
	fields  []field           // of the message that is being read
	cookies []cookie          // likewise
}

// A keptEntry is the part of an entry that is kept.
type keptEntry struct {
	index             int
	page              string
	start, order      time.Time // order is start, or that of the entry before where there is none
	resourceType      string
	fromCache         bool
	method, url       string
	status            int
	redirectURL       string
	request, response message
}

// A message is a request or response.
type message struct {
	httpVersion string
	fields      []field
	cookies     []cookie // the array, if no field has them
}

type field struct{ name, value string }

// What is held for each of these besides its texts, in bytes, about.
const (
	entrySize  = 512
	fieldSize  = 32
	cookieSize = 128
	textSize   = 64
)

func newFile(r io.Reader) *file {
	return &file{scanner: newScanner(r), pages: map[string]*Page{}, texts: map[string]string{},
		room: maxKept}
}

func (f *file) read() error {
	f.begin()
	found := false
	if !f.object(func(name string) {
		if name == "log" {
			found = f.log()
		} else {
			f.skip()
		}
	}) {
		f.fail("expected an object, found null")
	}
	f.require("log", found)
	f.finish()
	return f.err
}

// require fails unless what every HAR file has is there.
func (f *file) require(what string, found bool) {
	if !found {
		f.fail("%s is missing or null; every HAR file has it", what)
	}
}

func (f *file) log() bool {
	entries := false
	found := f.object(func(name string) {
		switch name {
		case "creator":
			f.object(func(name string) {
				switch name {
				case "name":
					f.summary.Creator = f.string()
				case "version":
					f.summary.CreatorVersion = f.string()
				default:
					f.skip()
				}
			})
		case "pages":
			f.array(func(int) { f.page() })
		case "entries":
			entries = f.array(f.entry)
		default:
			f.skip()
		}
	})
	if found {
		f.require("entries", entries)
	}
	return found
}

func (f *file) page() {
	page := &Page{}
	f.object(func(name string) {
		switch name {
		case "id":
			page.ID = f.string()
		case "title":
			page.Title = f.title()
		default:
			f.skip()
		}
	})
	if len(f.summary.Pages) == maxPages {
		f.fail("there are more than %d pages", maxPages)
	}
	f.hold(entrySize)
	if isWeb(page.Title) {
		page.URL = page.Title
	}
	f.summary.Pages = append(f.summary.Pages, page)
	if f.pages[page.ID] == nil {
		f.pages[page.ID] = page
	}
}

func (f *file) entry(index int) {
	if index == maxEntries {
		f.fail("there are more than %d entries: export a part of the recording", maxEntries)
	}
	f.hold(entrySize)
	e := keptEntry{index: index}
	request := false
	f.require("the entry", f.object(func(name string) {
		switch name {
		case "pageref":
			e.page = f.string()
		case "startedDateTime":
			e.start = f.time()
		case "_resourceType":
			e.resourceType = f.string()
		case "_fromCache": // Chromium: "memory" or "disk", or not there
			e.fromCache = f.string() != "" || e.fromCache
		case "_fetchType": // Safari: "Network Load", "Service Worker", "Memory Cache", "Disk Cache"
			e.fromCache = strings.HasSuffix(f.string(), " Cache") || e.fromCache
		case "request":
			request = f.request(&e)
		case "response":
			f.response(&e)
		default:
			f.skip()
		}
	}))
	f.require("request", request)
	e.order = e.start
	if n := len(f.entries); e.order.IsZero() && n > 0 {
		e.order = f.entries[n-1].order
	}
	f.entries = append(f.entries, e)
}

func (f *file) request(e *keptEntry) bool {
	url := false
	found := f.object(func(name string) {
		switch name {
		case "method":
			e.method = f.string()
		case "url":
			e.url = f.url()
			url = e.url != ""
		default:
			f.member(name, &e.request, "Cookie")
		}
	})
	if found {
		f.require("url", url)
	}
	f.complete(&e.request, "Cookie")
	return found
}

func (f *file) response(e *keptEntry) {
	f.object(func(name string) {
		switch name {
		case "status":
			e.status = max(f.integer(), 0) // some programs write -1 where there was no response
		case "redirectURL":
			e.redirectURL = f.url()
		default:
			f.member(name, &e.response, "Set-Cookie")
		}
	})
	f.complete(&e.response, "Set-Cookie")
}

// member reads what requests and responses both have. Cookies are in a header and in an array, which
// is needed only if there is no such header.
func (f *file) member(name string, m *message, cookieField string) {
	switch name {
	case "httpVersion":
		m.httpVersion = f.string()
	case "headers":
		f.array(func(int) { f.header() })
	case "cookies":
		if f.hasField(cookieField) {
			f.skip()
		} else {
			f.array(func(int) { f.cookie() })
		}
	default:
		f.skip()
	}
}

// hasField reports whether a header with cookies was read for the message, whose value was not replaced.
func (f *file) hasField(cookieField string) bool {
	return slices.ContainsFunc(f.fields, func(h field) bool {
		return strings.EqualFold(h.name, cookieField) && !replacedField(h.value)
	})
}

func (f *file) header() {
	var h field
	f.object(func(name string) {
		switch name {
		case "name":
			h.name = f.string()
		case "value":
			h.value = f.string()
		default:
			f.skip()
		}
	})
	f.fields = append(f.fields, h)
	f.hold(fieldSize)
}

func (f *file) cookie() {
	var c cookie
	f.object(func(name string) {
		switch name {
		case "name":
			c.name = f.string()
		case "value":
			c.value = f.string()
		case "path":
			c.path = f.string()
		case "domain":
			c.domain = f.string()
		case "expires":
			c.expires = f.string()
		case "sameSite":
			c.sameSite = f.string()
		case "httpOnly":
			c.httpOnly = f.boolean()
		case "secure":
			c.secure = f.boolean()
		case "partitionKey": // Chromium: a string, or an object since version 122
			c.partitioned = f.value("a value") != 'n'
			f.skip()
		default:
			f.skip()
		}
	})
	f.cookies = append(f.cookies, c)
	f.hold(cookieSize)
}

// complete ends a message.
func (f *file) complete(m *message, cookieField string) {
	if !f.hasField(cookieField) {
		m.cookies = slices.Clone(f.cookies)
	}
	m.fields = slices.Clone(f.fields)
	clear(f.fields)
	clear(f.cookies)
	f.fields, f.cookies = f.fields[:0], f.cookies[:0]
}

// string reads a string that is kept, or null, which is empty.
func (f *file) string() string {
	if f.bytes(maxText) || f.err != nil {
		return f.intern(f.scratch)
	}
	f.fail("the string is longer than %d bytes", maxText)
	return ""
}

// url is like string. It cuts a data URL, which may be as long as a body.
func (f *file) url() string {
	whole := f.bytes(maxText)
	if b := f.scratch; len(b) > maxDataURL && strings.EqualFold(string(b[:5]), "data:") {
		return f.intern(bytes.ToValidUTF8(b[:maxDataURL], nil))
	}
	if !whole {
		f.fail("the URL is longer than %d bytes", maxText)
	}
	return f.intern(f.scratch)
}

// title is like string, and cuts a long text, maybe within a character.
func (f *file) title() string {
	whole := f.bytes(maxTitle)
	b := f.scratch
	if !whole || len(b) > maxTitle {
		b = bytes.TrimRight(bytes.ToValidUTF8(b[:min(len(b), maxTitle)], nil), "\uFFFD")
	}
	return f.intern(b)
}

// bytes reads a string, or null, and keeps up to a limit of it in scratch. It reports whether that is
// all of it.
func (f *file) bytes(limit int) (whole bool) {
	const expected = "a string"
	f.scratch = f.scratch[:0]
	if f.null(expected) || f.err != nil {
		return true
	}
	if c := f.buf[f.pos]; c != '"' {
		f.fail("expected %s, found %s", expected, describe(c))
		return true
	}
	return f.text(limit)
}

// intern returns the one copy of a text.
func (f *file) intern(b []byte) string {
	if f.err != nil {
		return ""
	}
	text, ok := f.texts[string(b)]
	if !ok {
		text = string(b)
		f.texts[text] = text
		f.hold(len(text) + textSize)
	}
	return text
}

// hold counts what is kept.
func (f *file) hold(bytes int) {
	if f.room -= bytes; f.room < 0 {
		f.fail("the headers and URLs up to here take more than %d MiB: export a part of the recording",
			maxKept>>20)
	}
}

// time reads when an entry started. Safari writes an empty string where it does not know.
func (f *file) time() time.Time {
	text := f.string()
	if text == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t, err = time.Parse("2006-01-02T15:04:05Z0700", text)
	}
	if err != nil {
		f.fail("expected a time such as 2009-07-24T19:20:30.45+01:00")
	}
	return t
}

// isWeb reports whether a text is a URL of the web.
func isWeb(text string) bool {
	return strings.HasPrefix(text, "http://") || strings.HasPrefix(text, "https://")
}

// sort puts the entries in order.
func (f *file) sort() {
	slices.SortStableFunc(f.entries, func(a, b keptEntry) int { return a.order.Compare(b.order) })
}

// locatePages gives each page that has no URL that of its first entry.
func (f *file) locatePages() {
	for i := range f.entries {
		e := &f.entries[i]
		if page := f.pages[e.page]; page != nil && page.URL == "" && isWeb(e.url) {
			page.URL = e.url
		}
	}
}
