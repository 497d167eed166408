package consent

import (
	"encoding/base64"
	"slices"
	"strings"
	"unicode/utf8"
)

// unquote takes off quotes around a value. There may be backslashes before what would end them:
// Python's cookies are written so.
func unquote(value string) (inside string, escapes bool) {
	if len(value) < 2 || value[0] != '"' || value[len(value)-1] != '"' {
		return value, false
	}
	inside = value[1 : len(value)-1]
	return inside, !hasBareQuote(inside)
}

// appendDecoded takes off what scripts and servers put around text in a cookie: percent-encoding,
// of the whole or of a part, and backslashes if there are escapes. It fails, with a reason and the
// place in the value, where an escape is malformed, where the result is not UTF-8, and where quotes
// are encoded in one place and not in another: then the text can be read in two ways.
func appendDecoded(text []byte, value string, escapes bool) (_ []byte, reason string, at int) {
	start := len(text)
	text = slices.Grow(text, len(value))[:start+len(value)] // it never gets longer
	n := start
	var rawQuote, encodedQuote bool
	var all byte
	for i := 0; i < len(value); i++ {
		c := value[i]
		switch {
		case !mayBeCoded[c]:
		case c == '%':
			if i+2 >= len(value) {
				return nil, badEscape, i
			}
			high, low := hexDigits[value[i+1]], hexDigits[value[i+2]]
			if high|low > 0xF {
				return nil, badEscape, i
			}
			c = high<<4 | low
			i += 2
			encodedQuote = encodedQuote || c == '"' || c == '\\'
		case c == '"':
			rawQuote = true
		case c == '\\' && escapes:
			at = i
			var ok bool
			if c, i, ok = unquoteByte(value, i); !ok {
				return nil, "a backslash escapes nothing", at
			}
			rawQuote = rawQuote || c == '"'
		}
		all |= c
		text[n] = c
		n++
	}
	switch {
	case rawQuote && encodedQuote:
		return nil, "quotes are percent-encoded in one place and not in another", noPlace
	case all >= utf8.RuneSelf && !utf8.Valid(text[start:n]):
		return nil, "it is not UTF-8", noPlace
	}
	return text[:n], "", 0
}

// mayBeCoded are the bytes that stand for another one, or put quotes around text.
var mayBeCoded = [256]bool{'%': true, '"': true, '\\': true}

// badEscape is the reason for which percent-encoding cannot be read.
const badEscape = "a percent sign begins no escape of two hexadecimal digits"

// hasBareQuote finds a quote that no backslash precedes.
func hasBareQuote(s string) bool {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return true
		}
	}
	return false
}

// unquoteByte reads the escape at s[i]: a backslash and three octal digits, or a backslash and
// the byte it stands for. It returns the byte and the index of the escape's last byte.
func unquoteByte(s string, i int) (c byte, last int, ok bool) {
	if i+3 < len(s) && '0' <= s[i+1] && s[i+1] <= '3' && isOctal(s[i+2]) && isOctal(s[i+3]) {
		return (s[i+1]-'0')<<6 | (s[i+2]-'0')<<3 | (s[i+3] - '0'), i + 3, true
	}
	if i+1 >= len(s) {
		return 0, i, false
	}
	return s[i+1], i + 1, true
}

func isOctal(c byte) bool { return '0' <= c && c <= '7' }

func isHex(c byte) bool { return hexDigits[c] <= 0xF }

// hexDigits are the values of hexadecimal digits; 0xFF is none.
var hexDigits = func() (digits [256]byte) {
	for i := range digits {
		digits[i] = 0xFF
	}
	for i, c := range []byte("0123456789abcdef") {
		digits[c] = byte(i)
	}
	for i, c := range []byte("ABCDEF") {
		digits[c] = byte(10 + i)
	}
	return digits
}()

// decodeBase64 decodes in place, in either alphabet, with padding or without.
func decodeBase64(text []byte) ([]byte, bool) {
	encoding := base64.RawStdEncoding
	if strings.ContainsAny(string(text), "-_") {
		encoding = base64.RawURLEncoding
	}
	for len(text) > 0 && text[len(text)-1] == '=' {
		text = text[:len(text)-1]
	}
	n, err := encoding.Decode(text, text)
	return text[:n], err == nil && utf8.Valid(text[:n])
}
