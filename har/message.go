package har

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// A cookie is one of an array.
type cookie struct {
	name, value, path, domain, expires, sameSite string
	httpOnly, secure, partitioned                bool
}

// The creators of files whose headers need care.
const (
	chromium = "WebInspector"
	safari   = "WebKit Web Inspector"
)

// build makes an entry of what is kept of it.
func (f *file) build(k *keptEntry) *Entry {
	e := &Entry{Index: k.index, Page: f.pages[k.page], Start: k.start, ResourceType: k.resourceType,
		FromCache: k.fromCache}
	e.Request = Request{Method: k.method, URL: k.url, HTTPVersion: k.request.httpVersion}
	f.buildRequest(&e.Request, &k.request)
	e.Response = Response{Status: k.status, HTTPVersion: k.response.httpVersion, RedirectURL: k.redirectURL}
	f.buildResponse(&e.Response, &k.response, k.url)
	return e
}

func (f *file) buildRequest(r *Request, m *message) {
	r.Header = http.Header{}
	for _, h := range m.fields {
		switch name := strings.TrimSpace(h.name); {
		case name == ":authority":
			r.Host = h.value
		case !isToken(name):
		case strings.EqualFold(name, "Cookie"):
			if replacedField(h.value) {
				r.Redacted = true
				continue
			}
			for _, pairs := range lines(f.raw(h.value)) {
				r.Header.Add(name, pairs)
				r.Cookies = FromHeader
				for pair := range strings.SplitSeq(pairs, ";") {
					r.Redacted = r.Redacted || replacedPair(pair)
				}
			}
		default:
			f.add(r.Header, name, h.value)
		}
	}
	if r.Host == "" {
		r.Host = r.Header.Get("Host")
	}
	if r.Cookies == FromHeader || len(m.cookies) == 0 {
		return
	}
	r.Cookies = FromArray
	pairs := make([]string, len(m.cookies))
	for i, c := range m.cookies {
		pairs[i] = c.pair()
		r.Redacted = r.Redacted || replaced(c.value)
	}
	r.Header.Set("Cookie", strings.Join(pairs, "; "))
}

func (f *file) buildResponse(r *Response, m *message, url string) {
	r.Header = http.Header{}
	for _, h := range m.fields {
		switch name := strings.TrimSpace(h.name); {
		case !isToken(name):
		case strings.EqualFold(name, "Set-Cookie"):
			if replacedField(h.value) {
				r.Redacted = true
				continue
			}
			for _, line := range lines(f.raw(h.value)) {
				joined := []string{line}
				if f.summary.Creator == safari {
					joined = splitJoined(line)
				}
				for _, line := range joined {
					r.Header.Add(name, line)
					r.Cookies = FromHeader
					pair, _, _ := strings.Cut(line, ";")
					r.Redacted = r.Redacted || replacedPair(pair)
				}
			}
		default:
			f.add(r.Header, name, h.value)
		}
	}
	if r.Cookies == FromHeader || len(m.cookies) == 0 {
		return
	}
	r.Cookies = FromArray
	host := hostOf(url)
	for _, c := range m.cookies {
		r.Header.Add("Set-Cookie", f.raw(c.line(host)))
		r.Redacted = r.Redacted || replaced(c.value)
	}
}

func (f *file) add(h http.Header, name, value string) {
	for _, line := range lines(f.raw(value)) {
		h.Add(name, line)
	}
}

// raw returns the bytes that a text was made of. In a file of Chromium each character of a header, and
// of the array of a response, stands for one byte, but not in the array of a request, which comes from
// the cookie jar (e2e, TestHARChromium). What the others do is not known.
func (f *file) raw(text string) string {
	if f.summary.Creator != chromium {
		return text
	}
	raw := make([]byte, 0, len(text))
	for _, r := range text {
		if r > 0xff {
			return text
		}
		raw = append(raw, byte(r))
	}
	return string(raw)
}

// lines splits a value at newlines, which no header can have (RFC 9110, section 5.5): several fields
// of one name were joined.
func lines(value string) []string {
	if !strings.Contains(value, "\n") {
		return []string{strings.Trim(value, " \t\r")}
	}
	var values []string
	for v := range strings.SplitSeq(value, "\n") {
		if v = strings.Trim(v, " \t\r"); v != "" {
			values = append(values, v)
		}
	}
	return values
}

// splitJoined splits Set-Cookie lines that were joined with ", ". A comma ends a line if what is
// behind it reads like a name with a value, which a date does not. A value that holds such text is
// split too: what Safari writes does not tell the two apart.
func splitJoined(value string) []string {
	var split []string
	start := 0
	for i := range len(value) {
		if value[i] != ',' {
			continue
		}
		rest := strings.TrimLeft(value[i+1:], " ")
		if end := strings.IndexAny(rest, "=;,"); end > 0 && rest[end] == '=' && isToken(rest[:end]) {
			split = append(split, strings.Trim(value[start:i], " "))
			start = i + 1
		}
	}
	return append(split, strings.Trim(value[start:], " "))
}

// isToken reports whether a text can be the name of a field (RFC 9110, section 5.6.2).
func isToken(text string) bool {
	for i := range len(text) {
		c := text[i]
		if !('a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' ||
			strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0) {
			return false
		}
	}
	return text != ""
}

// pair writes a cookie as a Cookie header has it.
func (c *cookie) pair() string { return escape(c.name, true) + "=" + escape(c.value, false) }

// line writes a cookie as a Set-Cookie line for a response of a host.
func (c *cookie) line(host string) string {
	var b strings.Builder
	b.WriteString(c.pair())
	attribute := func(name, value string) {
		if value != "" {
			b.WriteString("; " + name + "=" + escape(value, false))
		}
	}
	// Chromium gives a cookie that has no Domain the host of the response, without a dot
	// (devtools-frontend, CookieParser.ts, addCookie).
	if !strings.EqualFold(c.domain, host) {
		attribute("Domain", c.domain)
	}
	attribute("Path", c.path)
	if t, err := time.Parse(time.RFC3339, c.expires); err == nil {
		attribute("Expires", t.UTC().Format(http.TimeFormat))
	} else {
		attribute("Expires", c.expires)
	}
	if c.secure {
		b.WriteString("; Secure")
	}
	if c.httpOnly {
		b.WriteString("; HttpOnly")
	}
	attribute("SameSite", c.sameSite)
	if c.partitioned {
		b.WriteString("; Partitioned")
	}
	return b.String()
}

// escape writes bytes that end a part of a line, or that no line can have, as percent and two digits.
// An array of a cookie that was sent has none, but that Firefox decodes percent signs in it
// (devtools/shared/webconsole/network-helper.js, parseCookieHeader).
func escape(text string, isName bool) string {
	special := func(c byte) bool {
		return c < ' ' && c != '\t' || c == 0x7f || c == ';' || c == '=' && isName
	}
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; special(c) {
			const digits = "0123456789ABCDEF"
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// hostOf returns the host of a URL, whatever is behind it: browsers leave percent signs there that
// begin no escape.
func hostOf(address string) string {
	scheme, rest, found := strings.Cut(address, "://")
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	u, err := url.Parse(scheme + "://" + rest)
	if err != nil || !found {
		return ""
	}
	return u.Hostname()
}

// replacedField reports whether a whole Cookie or Set-Cookie header was replaced. No browser sends an
// empty one.
func replacedField(value string) bool {
	value = strings.TrimSpace(value)
	return value == "" || replaced(value)
}

// replacedPair reports whether the value of name=value was replaced.
func replacedPair(pair string) bool {
	_, value, _ := strings.Cut(pair, "=")
	return replaced(value)
}

// replaced reports whether a value is what programs that clean HAR files write in place of one: a
// word for it, such as "redacted", "[redacted]", "[sid redacted]" or "***".
func replaced(value string) bool {
	text := strings.ToLower(strings.Trim(value, " \""))
	if len(text) >= 3 && strings.Trim(text, "*") == "" {
		return true
	}
	inner := strings.Trim(text, "[]<>{}()_*")
	if inner == text {
		return text == "redacted"
	}
	words := strings.FieldsFunc(inner, func(r rune) bool { return strings.ContainsRune(" _-:", r) })
	return slices.ContainsFunc(words, func(word string) bool {
		return slices.Contains([]string{"redacted", "removed", "masked", "sanitized", "filtered",
			"scrubbed"}, word)
	})
}
