package har

import (
	"encoding/binary"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// plain returns how many bytes at the start of b stand for themselves in a string. It takes eight at a
// time: bodies are nearly all of a file.
func plain(b []byte) int {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	n := 0
	for ; n+8 <= len(b); n += 8 {
		w := binary.LittleEndian.Uint64(b[n:])
		quote, backslash := w^'"'*ones, w^'\\'*ones
		// Each of these has a bit of high if a byte is less than a space, or is 0.
		if ((w-' '*ones)&^w|(quote-ones)&^quote|(backslash-ones)&^backslash)&high != 0 {
			break
		}
	}
	for n < len(b) && b[n] >= ' ' && b[n] != '"' && b[n] != '\\' {
		n++
	}
	return n
}

// text reads a string and keeps its first limit bytes in scratch. It reports whether that is all of
// it. As in encoding/json, what is not UTF-8 becomes U+FFFD.
func (s *scanner) text(limit int) (whole bool) {
	s.pos++ // the quote
	s.scratch = s.scratch[:0]
	whole = true
	high := rune(-1) // the first half of a surrogate pair
	for {
		if s.pos == s.end && !s.fill() {
			s.fail("expected the end of a string, found the end of the file")
			return false
		}
		run := s.buf[s.pos:s.end]
		n := plain(run)
		if high >= 0 && (n > 0 || run[0] != '\\') {
			whole = s.keepRune(utf8.RuneError, limit) && whole
			high = -1
		}
		whole = s.keep(run[:n], limit) && whole
		if s.pos += n; n == len(run) {
			continue
		}
		switch c := run[n]; c {
		case '"':
			s.pos++
			if !utf8.Valid(s.scratch) {
				s.scratch = toUTF8(s.scratch)
			}
			return whole
		case '\\':
			s.pos++
			r := s.escape()
			if s.err != nil {
				return false
			}
			if high >= 0 {
				if pair := utf16.DecodeRune(high, r); pair != utf8.RuneError {
					r = pair
				} else {
					whole = s.keepRune(utf8.RuneError, limit) && whole
				}
				high = -1
			}
			if 0xd800 <= r && r < 0xdc00 {
				high = r
			} else {
				whole = s.keepRune(r, limit) && whole
			}
		default:
			s.fail("a string holds a control character, which has to be written as \\u%04x", c)
			return false
		}
	}
}

// keep adds to scratch up to a limit, and reports whether there was room for everything.
func (s *scanner) keep(b []byte, limit int) bool {
	room := limit - len(s.scratch)
	s.scratch = append(s.scratch, b[:min(len(b), room)]...)
	return len(b) <= room
}

func (s *scanner) keepRune(r rune, limit int) bool {
	var b [utf8.UTFMax]byte
	return s.keep(b[:utf8.EncodeRune(b[:], r)], limit)
}

// escape reads what is behind a backslash.
func (s *scanner) escape() rune {
	c, ok := s.peek()
	if !ok {
		s.fail("expected the end of a string, found the end of the file")
		return 0
	}
	if c != 'u' {
		i := strings.IndexByte(`"\/bfnrt`, c)
		if i < 0 {
			s.fail(`a string holds a backslash that is not of \" \\ \/ \b \f \n \r \t \u`)
			return 0
		}
		s.pos++
		return rune("\"\\/\b\f\n\r\t"[i])
	}
	s.pos++
	var r rune
	for range 4 {
		c, _ := s.peek()
		digit := strings.IndexByte("0123456789abcdef", c|0x20)
		if digit < 0 || c < '0' {
			s.fail(`expected four hexadecimal digits after \u`)
			return 0
		}
		r = r<<4 | rune(digit)
		s.pos++
	}
	return r
}

// toUTF8 replaces each byte that is not of a character.
func toUTF8(b []byte) []byte {
	var valid []byte
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		valid = utf8.AppendRune(valid, r)
		b = b[n:]
	}
	return valid
}
