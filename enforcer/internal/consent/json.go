package consent

import (
	"bytes"
	"encoding/json"
)

// jsonReader reads a preference that is a JSON object (RFC 8259), in one pass. The choices are
// the object or the array at one path in it, the time of the choice is the value at another. Text
// that is not JSON to the last byte is unreadable; a member that matters and is given twice is a
// contradiction, whatever its values.
type jsonReader struct {
	*parsed
	text          []byte
	i             int // of the byte to be read next
	path          []string
	timestamp     []string
	visited       [2]uint64 // members on the paths to choices and timestamp, one bit for each level
	contradictory bool
	seen          keysSeen
}

func (r *jsonReader) read() State {
	r.blanks()
	switch {
	case len(r.path) == 0 && r.i < len(r.text) && r.text[r.i] == '[':
		if !r.array() {
			return r.failHere()
		}
	case !r.object(r.path, r.timestamp):
		return r.failHere()
	}
	if r.blanks(); r.i < len(r.text) {
		return r.fail("something follows the JSON", r.i)
	}
	if r.contradictory {
		return Contradictory
	}
	return Valid
}

// failHere records where reading stopped, unless the reason is known already.
func (r *jsonReader) failHere() State {
	if r.i >= len(r.text) {
		return r.fail("the JSON ends too early", r.i)
	}
	return r.fail("it is not the JSON that is wanted", r.i)
}

// object reads an object on the path to the choices, to the timestamp or to both; what is left of
// each path tells where they are. A nil path leads elsewhere. An empty one has been followed to its
// end: this object holds the choices.
func (r *jsonReader) object(path, timestamp []string) bool {
	if !r.take('{') {
		return false
	}
	for more := !r.take('}'); more; {
		key, ok := r.string()
		if !ok || !r.take(':') {
			return false
		}
		if !r.member(key, path, timestamp) {
			return false
		}
		if r.take('}') {
			more = false
		} else if !r.take(',') {
			return false
		}
	}
	return true
}

// member reads the value of one member.
func (r *jsonReader) member(key []byte, path, timestamp []string) bool {
	r.blanks()
	toTime := len(timestamp) > 0 && isKey(key, timestamp[0]) && r.visit(1, len(timestamp))
	switch {
	case toTime && len(timestamp) == 1:
		start := r.i
		value, ok := r.valueText()
		if ok && !r.setTime(bytes.Trim(value, `"`)) {
			r.fail(badTime, start)
			return false
		}
		return ok
	case path != nil && len(path) == 0:
		if toTime { // the timestamp lies within an object among the choices
			return r.object(nil, timestamp[1:])
		}
		return r.choice(key)
	}
	toChoices := len(path) > 0 && isKey(key, path[0]) && r.visit(0, len(path))
	switch {
	case toChoices && len(path) == 1:
		if r.i < len(r.text) && r.text[r.i] == '[' {
			return r.array()
		}
		return r.object(path[1:], below(timestamp, toTime))
	case toChoices || toTime:
		return r.object(below(path, toChoices), below(timestamp, toTime))
	}
	return r.value()
}

// visit marks a member on the path to the choices or to the timestamp. It always returns true; a
// member that is visited twice is a contradiction.
func (r *jsonReader) visit(way, left int) bool {
	bit := uint64(1) << min(left, 63)
	if r.visited[way]&bit != 0 {
		r.contradictory = true
		r.contradict(memberTwice, nil)
	}
	r.visited[way] |= bit
	return true
}

// below returns what is left of a path one level down, or nil if that is elsewhere.
func below(path []string, follow bool) []string {
	if !follow {
		return nil
	}
	return path[1:]
}

// choice reads one key: true grants it, or a word that counts as yes; any other value refuses it.
func (r *jsonReader) choice(key []byte) bool {
	value, ok := r.valueText()
	if !ok {
		return false
	}
	key = unescaped(key)
	twice, ok := r.seen.add(key)
	if !ok {
		r.fail(tooManyKeys, noPlace)
		return false
	}
	if twice {
		r.contradictory = true
		r.contradict(keyTwice, key)
	}
	if k, known := r.keys[string(key)]; known {
		r.set(k, string(value) == "true" || r.isYes(bytes.Trim(value, `"`)))
	}
	return true
}

// array reads an array of granted keys.
func (r *jsonReader) array() bool {
	r.i++ // the opening bracket
	for more := !r.take(']'); more; {
		r.blanks()
		value, ok := r.valueText()
		if !ok {
			return false
		}
		if value[0] == '"' {
			if k, known := r.keys[string(unescaped(value[1:len(value)-1]))]; known {
				r.set(k, true)
			}
		}
		if r.take(']') {
			more = false
		} else if !r.take(',') {
			return false
		}
	}
	return true
}

// valueText skips one value and returns its text.
func (r *jsonReader) valueText() ([]byte, bool) {
	start := r.i
	ok := r.value()
	return r.text[start:r.i], ok
}

// isKey compares the inside of a JSON string with a key.
func isKey(raw []byte, key string) bool { return string(unescaped(raw)) == key }

// unescaped returns what the inside of a well-formed JSON string stands for. It allocates only
// for the rare string with a backslash.
func unescaped(raw []byte) []byte {
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw
	}
	var s string
	_ = json.Unmarshal(append(append([]byte{'"'}, raw...), '"'), &s)
	return []byte(s)
}

func (r *jsonReader) blanks() {
	for r.i < len(r.text) {
		switch r.text[r.i] {
		case ' ', '\t', '\n', '\r':
			r.i++
		default:
			return
		}
	}
}

// take skips blanks, and c if it is next. It reports whether it was.
func (r *jsonReader) take(c byte) bool {
	r.blanks()
	if r.i < len(r.text) && r.text[r.i] == c {
		r.i++
		return true
	}
	return false
}

// maxDepth is how many objects and arrays can be nested in a value: more than any tool needs.
const maxDepth = 63

// value skips one value of any kind.
func (r *jsonReader) value() bool { return r.nested(0) }

// nested skips one value inside depth objects and arrays.
func (r *jsonReader) nested(depth int) bool {
	r.blanks()
	switch {
	case r.skip('{'):
		if r.take('}') {
			return true
		}
		for depth < maxDepth && r.skipKey() && r.nested(depth+1) {
			if r.take('}') {
				return true
			}
			if !r.take(',') {
				return false
			}
		}
		return false
	case r.skip('['):
		if r.take(']') {
			return true
		}
		for depth < maxDepth && r.nested(depth+1) {
			if r.take(']') {
				return true
			}
			if !r.take(',') {
				return false
			}
		}
		return false
	}
	return r.scalar()
}

// skipKey skips a key and its colon.
func (r *jsonReader) skipKey() bool {
	r.blanks()
	_, ok := r.string()
	return ok && r.take(':')
}

// string returns the inside of the string that is next, escapes and all.
func (r *jsonReader) string() (inside []byte, ok bool) {
	if !r.take('"') {
		return nil, false
	}
	start := r.i
	for i, c := range r.text[start:] { // most strings are plain
		if c == '"' {
			r.i = start + i + 1
			return r.text[start : start+i], true
		}
		if c < ' ' || c == '\\' {
			r.i = start + i
			return r.stringWithEscapes(start)
		}
	}
	r.i = len(r.text)
	return nil, false
}

// stringWithEscapes returns the inside of a string that begins at start and was read up to a byte that
// needs another look.
func (r *jsonReader) stringWithEscapes(start int) (inside []byte, ok bool) {
	for ; r.i < len(r.text); r.i++ {
		switch c := r.text[r.i]; {
		case c == '"':
			r.i++
			return r.text[start : r.i-1], true
		case c < ' ':
			return nil, false
		case c == '\\':
			if r.i++; r.i == len(r.text) {
				return nil, false
			}
			switch r.text[r.i] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				for range 4 {
					if r.i++; r.i == len(r.text) || !isHex(r.text[r.i]) {
						return nil, false
					}
				}
			default:
				return nil, false
			}
		}
	}
	return nil, false
}

// scalar skips a string, a number, true, false or null.
func (r *jsonReader) scalar() bool {
	if r.i == len(r.text) {
		return false
	}
	switch r.text[r.i] {
	case '"':
		_, ok := r.string()
		return ok
	case 't':
		return r.word("true")
	case 'f':
		return r.word("false")
	case 'n':
		return r.word("null")
	}
	return r.number()
}

func (r *jsonReader) word(word string) bool {
	end := r.i + len(word)
	if end > len(r.text) || string(r.text[r.i:end]) != word {
		return false
	}
	r.i = end
	return true
}

func (r *jsonReader) number() bool {
	r.skip('-')
	if !r.skip('0') && r.digits() == 0 {
		return false
	}
	if r.skip('.') && r.digits() == 0 {
		return false
	}
	if r.skip('e') || r.skip('E') {
		_ = r.skip('+') || r.skip('-')
		return r.digits() > 0
	}
	return true
}

// skip skips one byte, if it is next. It reports whether it was.
func (r *jsonReader) skip(c byte) bool {
	if r.i < len(r.text) && r.text[r.i] == c {
		r.i++
		return true
	}
	return false
}

func (r *jsonReader) digits() (n int) {
	for r.i < len(r.text) && '0' <= r.text[r.i] && r.text[r.i] <= '9' {
		r.i++
		n++
	}
	return n
}
