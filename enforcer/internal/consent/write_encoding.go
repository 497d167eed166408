package consent

import (
	"encoding/base64"
	"strings"
)

// encoding is how the text of a cookie's value is encoded. The zero encoding changes only what cannot
// stand in a cookie.
type encoding struct {
	quoted    bool // in double quotes
	escapes   bool // within these, backslashes before what would end them
	component bool // as encodeURIComponent does, where the old value had no such byte
	percent   byteSet
	clear     byteSet // bytes that stood in the clear in the old value
}

// byteSet is a set of bytes.
type byteSet [4]uint64

func (s *byteSet) add(c byte)      { s[c>>6] |= 1 << (c & 63) }
func (s *byteSet) has(c byte) bool { return s[c>>6]&(1<<(c&63)) != 0 }

// encodingOf returns the encoding of a value that was decoded without an error. Where the value does
// not show whether quotes are encoded, component tells.
func encodingOf(value string, component bool) encoding {
	inside, escapes := unquote(value)
	e := encoding{quoted: len(inside) < len(value), escapes: escapes, component: component}
	for i := 0; i < len(inside); i++ {
		switch c := inside[i]; {
		case c == '%':
			e.percent.add(hexDigits[inside[i+1]]<<4 | hexDigits[inside[i+2]])
			i += 2
		case c == '\\' && escapes:
			if c, i, _ = unquoteByte(inside, i); c == '"' {
				e.clear.add(c)
			}
		default:
			e.clear.add(c)
		}
	}
	switch {
	case e.percent.has('"') || e.percent.has('\\'):
		e.component = true
	case e.clear.has('"'):
		e.component = false
	}
	return e
}

// decoded returns what a text stands for that was read without doubt.
func decoded(text string, escapes bool) []byte {
	decoded, _, _ := appendDecoded(nil, text, escapes)
	return decoded
}

// encode returns a text as it stands in the value, between the quotes if there are any.
func (e encoding) encode(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	for i := range len(text) {
		c := text[i]
		quote := c == '"' || c == '\\'
		atEnd := i == 0 || i == len(text)-1
		switch {
		case quote && !e.component && e.escapes:
			b.WriteByte('\\')
			b.WriteByte(c)
		case quote && !e.component && e.clear.has('"'):
			b.WriteByte(c)
		case quote:
			writePercent(&b, c)
		case e.percent.has(c):
			writePercent(&b, c)
		case e.escapes && !e.component && !isCookieText(c):
			b.WriteByte('\\')
			b.WriteByte('0' + c>>6)
			b.WriteByte('0' + c>>3&7)
			b.WriteByte('0' + c&7)
		case c == '%' || c == ';' || c < ' ' || c == 0x7f, c == ' ' && atEnd && !e.quoted:
			writePercent(&b, c)
		case !e.clear.has(c) && (c == ' ' || e.component && !isUnreserved(c)):
			writePercent(&b, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// wrap puts quotes around an encoded text, if the old value had some.
func (e encoding) wrap(text string) string {
	if e.quoted {
		return `"` + text + `"`
	}
	return text
}

func writePercent(b *strings.Builder, c byte) {
	const digits = "0123456789ABCDEF"
	b.WriteByte('%')
	b.WriteByte(digits[c>>4])
	b.WriteByte(digits[c&15])
}

// isUnreserved reports whether encodeURIComponent leaves a byte as it is (ECMA-262, section 19.2.6.4).
func isUnreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		strings.IndexByte("-_.!~*'()", c) >= 0
}

// isCookieText reports whether a byte is written as it is between quotes with backslashes. Others are
// written in octal, as Python's http.cookies does; so is the percent sign.
func isCookieText(c byte) bool {
	return ' ' <= c && c < 0x7f && c != ',' && c != ';' && c != '%'
}

// base64Of returns how a value is encoded in base64.
func base64Of(text string) *base64.Encoding {
	url, padded := strings.ContainsAny(text, "-_"), strings.HasSuffix(text, "=") || len(text)%4 == 0
	switch {
	case url && padded:
		return base64.URLEncoding
	case url:
		return base64.RawURLEncoding
	case padded:
		return base64.StdEncoding
	}
	return base64.RawStdEncoding
}
