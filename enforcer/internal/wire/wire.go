// Package wire reads and edits header lines as browsers read them: Set-Cookie lines and their
// attributes, the pairs of a Cookie header, cookie dates, lifetimes, and host names.
//
// It follows RFC 6265bis, and where that leaves room or browsers differ, what Chromium and Firefox
// were seen to do. It does not use net/http's cookie parser, which rejects lines that browsers
// store. It knows nothing of policies and imports no other package of this module.
package wire

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits that browsers set (RFC 6265bis section 5.6).
const (
	// MaxPair is the largest number of bytes of a cookie's name and value together.
	// Browsers do not store a longer pair.
	MaxPair = 4096

	// MaxAttributeValue is the largest number of bytes of an attribute's value.
	// Browsers ignore an attribute with a longer value.
	MaxAttributeValue = 1024
)

// Trim removes spaces and tabs around s, and nothing else: U+00A0 and U+0085 stay.
func Trim(s string) string {
	if s == "" || min(s[0], s[len(s)-1]) > ' ' { // nearly always, and this much is inlined
		return s
	}
	return trimBoth(s)
}

//go:noinline
func trimBoth(s string) string {
	s = trimLeft(s)
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

func trimLeft(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	return s
}

// HasControl reports whether s contains a control character other than tab, for which browsers
// reject a Set-Cookie line (RFC 6265bis section 5.6, step 1).
//
// It tests 32 bytes at a time: every byte of every line that is kept passes through here.
func HasControl(s string) bool {
	const (
		ones  = 0x0101010101010101
		highs = 0x8080808080808080
	)
	// The high bit of a byte is set where the byte is below a space, or 0x7F. A borrow or a carry can
	// set it for a neighbour too, so a block with such a bit is looked at byte by byte.
	suspects := func(s string) uint64 {
		x := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
		return ((x - ones*' ') | (x + ones)) &^ x
	}
	for ; len(s) >= 32; s = s[32:] {
		bits := suspects(s) | suspects(s[8:]) | suspects(s[16:]) | suspects(s[24:])
		if bits&highs != 0 && anyControl(s[:32]) {
			return true
		}
	}
	for ; len(s) >= 8; s = s[8:] {
		if suspects(s)&highs != 0 && anyControl(s[:8]) {
			return true
		}
	}
	return anyControl(s)
}

func anyControl(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return true
		}
	}
	return false
}

// EqualFold reports whether s equals lower, a word of lower-case ASCII, ignoring the case of ASCII
// letters in s.
func EqualFold(s, lower string) bool {
	if len(s) != len(lower) {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// HasPrefixFold reports whether s begins with lower, a word of lower-case ASCII, ignoring the case
// of ASCII letters in s.
func HasPrefixFold(s, lower string) bool {
	return len(s) >= len(lower) && EqualFold(s[:len(lower)], lower)
}

func isDigit(s string, i int) bool { return i < len(s) && '0' <= s[i] && s[i] <= '9' }

// MaxWord is the largest number of bytes of a name, a domain or a path that is kept or shown.
const MaxWord = 100

// Shorten cuts s to MaxWord bytes, between two characters where it is UTF-8.
func Shorten(s string) string {
	if len(s) <= MaxWord {
		return s
	}
	for end := MaxWord; end > MaxWord-utf8.UTFMax; end-- {
		if utf8.RuneStart(s[end]) {
			return s[:end]
		}
	}
	return s[:MaxWord]
}

// Printable returns text from the wire as it can be shown to people: cut if it is long, and with
// escapes in place of control characters, of other characters that are invisible or change the
// direction of text, and of bytes that are not UTF-8.
func Printable(text string) string {
	if len(text) > 10*MaxWord {
		text = Shorten(text)
	}
	clean := true
	for i, r := range text {
		_, size := utf8.DecodeRuneInString(text[i:])
		clean = clean && strconv.IsGraphic(r) && (r != utf8.RuneError || size > 1)
	}
	if clean {
		return strings.Clone(text) // a substring would keep the whole header alive
	}
	quoted := strconv.QuoteToGraphic(text)
	return strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(quoted[1 : len(quoted)-1])
}
