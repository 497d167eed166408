package har

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

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
