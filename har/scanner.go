package har

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// An Error is a fault of a file. Its text never holds anything from the file but names that every HAR
// file has.
type Error struct {
	Line, Column int    // both from 1; the column counts bytes
	Offset       int64  // from the start of the file, in bytes
	Path         string // such as log.entries[3].request.url; it is empty for the file as a whole
	Problem      string
	Err          error // of the reader, or nil
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "line %d, column %d", e.Line, e.Column)
	if e.Path != "" {
		b.WriteString(", " + e.Path)
	}
	b.WriteString(": " + e.Problem)
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// A scanner reads JSON (RFC 8259) from a stream. encoding/json holds a string as a whole before it
// can be skipped; a scanner holds no more than its buffer and the strings that it is asked for.
//
// Its methods read nothing after the first error, which stays in err, and then return zero values.
type scanner struct {
	r         io.Reader
	readErr   error // of r, io.EOF included
	buf       []byte
	pos, end  int   // what is left of buf
	base      int64 // the offset of buf[0]
	line      int
	lineStart int64 // the offset of the line
	depth     int
	path      []step
	scratch   []byte // the last string or number that was kept
	err       error
}

// A step is the name of a member, or the index of an element of an array.
type step struct {
	name  string
	index int
}

const bufferSize = 64 << 10

func newScanner(r io.Reader) *scanner {
	return &scanner{r: r, buf: make([]byte, bufferSize), line: 1}
}

func (s *scanner) fail(format string, args ...any) {
	if s.err != nil {
		return
	}
	offset := s.base + int64(s.pos)
	e := &Error{Line: s.line, Column: int(offset-s.lineStart) + 1, Offset: offset, Path: s.place(),
		Problem: fmt.Sprintf(format, args...)}
	if s.pos == s.end && s.readErr != nil && s.readErr != io.EOF {
		e.Problem, e.Err = "reading the file", s.readErr
	}
	s.err = e
}

// place writes the path.
func (s *scanner) place() string {
	var b strings.Builder
	for _, step := range s.path {
		switch {
		case step.name == "":
			b.WriteString("[" + strconv.Itoa(step.index) + "]")
		case b.Len() > 0:
			b.WriteString("." + step.name)
		default:
			b.WriteString(step.name)
		}
	}
	return b.String()
}

// fill reads more into the buffer, of which everything was used. It reports whether there is more.
func (s *scanner) fill() bool {
	if s.err != nil || s.readErr != nil {
		return false
	}
	s.base += int64(s.end)
	s.pos, s.end = 0, 0
	for range 100 {
		s.end, s.readErr = s.r.Read(s.buf)
		if s.end > 0 {
			return true
		}
		if s.readErr != nil {
			return false
		}
	}
	s.readErr = io.ErrNoProgress
	return false
}

// peek returns the next byte, and whether there is one.
func (s *scanner) peek() (byte, bool) {
	if s.err != nil || s.pos == s.end && !s.fill() {
		return 0, false
	}
	return s.buf[s.pos], true
}

// begin skips a byte order mark, which RFC 8259, section 8.1, lets a reader ignore.
func (s *scanner) begin() {
	var mark [3]byte
	n, err := io.ReadFull(s.r, mark[:])
	switch {
	case n == len(mark) && mark == [3]byte{0xef, 0xbb, 0xbf}:
		s.base, s.lineStart = 3, 3
	case n >= 2 && (mark[0] == 0xff && mark[1] == 0xfe || mark[0] == 0xfe && mark[1] == 0xff):
		s.fail("expected UTF-8, found UTF-16")
	default:
		s.end = copy(s.buf, mark[:n])
	}
	if err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = io.EOF
		}
		s.readErr = err
	}
}

// finish checks that nothing but white space is left.
func (s *scanner) finish() {
	if c, ok := s.space(); ok {
		s.fail("expected the end of the file, found %s", describe(c))
	} else if s.readErr != io.EOF {
		s.fail("")
	}
}

// space skips white space and peeks at what is behind it.
func (s *scanner) space() (byte, bool) {
	for {
		c, ok := s.peek()
		switch {
		case !ok:
			return 0, false
		case c == '\n':
			s.line++
			s.lineStart = s.base + int64(s.pos) + 1
		case c != ' ' && c != '\t' && c != '\r':
			return c, true
		}
		s.pos++
	}
}

// value peeks at the first byte of a value.
func (s *scanner) value(expected string) byte {
	c, ok := s.space()
	if !ok {
		s.fail("expected %s, found the end of the file", expected)
	}
	return c
}

// describe names what begins with a byte. It shows no byte that could be one of a value.
func describe(c byte) string {
	switch {
	case c == '{':
		return "an object"
	case c == '[':
		return "an array"
	case c == '"':
		return "a string"
	case c == '-' || '0' <= c && c <= '9':
		return "a number"
	case c == 't' || c == 'f':
		return "true or false"
	case c == 'n':
		return "null"
	case c == '}' || c == ']' || c == ',' || c == ':':
		return strconv.QuoteRune(rune(c))
	}
	return "something that is not JSON"
}

// null reads a value if it is null, and reports whether it was.
func (s *scanner) null(expected string) bool {
	if s.value(expected) != 'n' {
		return false
	}
	s.literal("null")
	return true
}

// literal reads one of the words of JSON.
func (s *scanner) literal(word string) {
	for i := range len(word) {
		if c, ok := s.peek(); !ok || c != word[i] {
			s.fail("expected %s", word)
			return
		}
		s.pos++
	}
}

// open reads the first byte of an object or array, and reports whether there is one. A null stands for
// one that is not there.
func (s *scanner) open(first byte, expected string) bool {
	if s.null(expected) || s.err != nil {
		return false
	}
	if c := s.buf[s.pos]; c != first {
		s.fail("expected %s, found %s", expected, describe(c))
		return false
	}
	if s.depth++; s.depth > maxDepth {
		s.fail("objects and arrays are nested more than %d deep", maxDepth)
		return false
	}
	s.pos++
	return true
}

// next reads the comma before an element, or the end of what is read. It reports whether there is an
// element.
func (s *scanner) next(first *bool, last byte) bool {
	c, ok := s.space()
	switch {
	case s.err != nil:
	case !ok:
		s.fail("expected ',' or %q, found the end of the file", last)
	case c == last:
		s.pos++
		s.depth--
		return false
	case *first:
		*first = false
		return true
	case c == ',':
		s.pos++
		return true
	default:
		s.fail("expected ',' or %q, found %s", last, describe(c))
	}
	return false
}

// object reads an object, and calls member for each member whose name is in memberNames. It skips all
// others. It reports whether there is an object, and not null.
func (s *scanner) object(member func(name string)) bool {
	if !s.open('{', "an object") {
		return false
	}
	var seen uint64
	for first := true; s.next(&first, '}'); {
		if c := s.value("the name of a member"); c != '"' {
			s.fail("expected the name of a member, found %s", describe(c))
			return false
		}
		name, known := "", 0
		if member == nil {
			s.text(0)
		} else if s.text(maxName) {
			known = memberNames[string(s.scratch)]
		}
		if known > 0 {
			name = names[known-1]
			if seen&(1<<known) != 0 {
				s.fail("the member %q is there twice", name)
			}
			seen |= 1 << known
		}
		if c, ok := s.space(); !ok || c != ':' {
			s.fail("expected ':' after the name of a member")
			return false
		}
		s.pos++
		if name == "" {
			s.skip()
			continue
		}
		s.path = append(s.path, step{name: name})
		member(name)
		s.path = s.path[:len(s.path)-1]
	}
	return s.err == nil
}

// array reads an array, and calls element for each of its elements. It reports whether there is an
// array, and not null.
func (s *scanner) array(element func(i int)) bool {
	if !s.open('[', "an array") {
		return false
	}
	i := 0
	for first := true; s.next(&first, ']'); i++ {
		if element == nil {
			s.skip()
			continue
		}
		s.path = append(s.path, step{index: i})
		element(i)
		s.path = s.path[:len(s.path)-1]
	}
	return s.err == nil
}

// skip reads a value and keeps nothing of it.
func (s *scanner) skip() {
	switch c := s.value("a value"); {
	case s.err != nil:
	case c == '{':
		s.object(nil)
	case c == '[':
		s.array(nil)
	case c == '"':
		s.text(0)
	case c == 't':
		s.literal("true")
	case c == 'f':
		s.literal("false")
	case c == 'n':
		s.literal("null")
	case c == '-' || '0' <= c && c <= '9':
		s.number(false)
	default:
		s.fail("expected a value, found %s", describe(c))
	}
}

// boolean reads true or false, or null, which is false.
func (s *scanner) boolean() bool {
	switch c := s.value("true or false"); {
	case s.err != nil:
	case c == 't':
		s.literal("true")
		return s.err == nil
	case c == 'f':
		s.literal("false")
	case c == 'n':
		s.literal("null")
	default:
		s.fail("expected true or false, found %s", describe(c))
	}
	return false
}

// integer reads a whole number, or null, which is 0.
func (s *scanner) integer() int {
	const expected = "a whole number"
	if s.null(expected) || s.err != nil {
		return 0
	}
	if c := s.buf[s.pos]; c != '-' && (c < '0' || c > '9') {
		s.fail("expected %s, found %s", expected, describe(c))
		return 0
	}
	s.number(true)
	n, err := strconv.ParseInt(string(s.scratch), 10, 32)
	if err != nil {
		s.fail("expected %s of at most 32 bits", expected)
		return 0
	}
	return int(n)
}

// number reads a number, and keeps the start of it in scratch if asked to.
func (s *scanner) number(keep bool) {
	const kept = 16
	s.scratch = s.scratch[:0]
	take := func() {
		if keep && len(s.scratch) < kept {
			s.scratch = append(s.scratch, s.buf[s.pos])
		}
		s.pos++
	}
	digits := func() {
		c, ok := s.peek()
		if !ok || c < '0' || c > '9' {
			s.fail("expected a digit")
		}
		for ok && '0' <= c && c <= '9' {
			take()
			c, ok = s.peek()
		}
	}
	if c, _ := s.peek(); c == '-' {
		take()
	}
	if c, _ := s.peek(); c == '0' { // no digit may follow
		take()
	} else {
		digits()
	}
	if c, _ := s.peek(); c == '.' {
		take()
		digits()
	}
	if c, _ := s.peek(); c == 'e' || c == 'E' {
		take()
		if c, _ := s.peek(); c == '+' || c == '-' {
			take()
		}
		digits()
	}
}

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
