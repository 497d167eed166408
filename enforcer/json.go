package enforcer

import (
	"bytes"
	"encoding/json"
)

// jsonReader reads a preference that is a JSON object (RFC 8259), in one pass. The choices are the object or the array at a path in it, the
// time of the choice is the value at another. What is not JSON to the last byte is unreadable; a member that matters, given twice, contradicts
// itself, whatever its values.
type jsonReader struct {
	*choices
	text          []byte
	i             int // of the byte to be read next
	path          []string
	timestamp     []string
	met           [2]uint64 // members on the way to the choices and to the timestamp, one bit for each level
	contradictory bool
	seen          keysSeen
}

func (r *jsonReader) read() preferenceState {
	r.blanks()
	switch {
	case len(r.path) == 0 && r.i < len(r.text) && r.text[r.i] == '[':
		if !r.array() {
			return preferenceUnreadable
		}
	case !r.object(r.path, r.timestamp):
		return preferenceUnreadable
	}
	if r.blanks(); r.i < len(r.text) {
		return preferenceUnreadable
	}
	if r.contradictory {
		return preferenceContradictory
	}
	return preferenceValid
}

// object reads an object on the way to the choices, to the timestamp or to both; what is left of each path says where they are. A path of
// nil leads elsewhere. An empty one has been walked: this object holds the choices.
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
	toTime := len(timestamp) > 0 && isKey(key, timestamp[0]) && r.meet(1, len(timestamp))
	switch {
	case toTime && len(timestamp) == 1:
		value, ok := r.valueText()
		return ok && r.setTime(bytes.Trim(value, `"`))
	case path != nil && len(path) == 0:
		if toTime { // the timestamp lies within an object among the choices
			return r.object(nil, timestamp[1:])
		}
		return r.choice(key)
	}
	toChoices := len(path) > 0 && isKey(key, path[0]) && r.meet(0, len(path))
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

// meet notes a member on the way to the choices or to the timestamp. It is always true; a member that was met before contradicts itself.
func (r *jsonReader) meet(way, left int) bool {
	bit := uint64(1) << min(left, 63)
	r.contradictory = r.contradictory || r.met[way]&bit != 0
	r.met[way] |= bit
	return true
}

// below is what is left of a path one level down, if that is on the way.
func below(path []string, onTheWay bool) []string {
	if !onTheWay {
		return nil
	}
	return path[1:]
}

// choice reads one switch: true grants it, or a word that the policy says counts as yes; any other value refuses it.
func (r *jsonReader) choice(key []byte) bool {
	value, ok := r.valueText()
	if !ok {
		return false
	}
	key = unescaped(key)
	twice, ok := r.seen.add(key)
	if !ok {
		return false
	}
	r.contradictory = r.contradictory || twice
	if k, known := r.keys[string(key)]; known {
		r.set(k, string(value) == "true" || r.isWord(bytes.Trim(value, `"`)))
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

// valueText passes over one value and returns its text.
func (r *jsonReader) valueText() ([]byte, bool) {
	start := r.i
	ok := r.value()
	return r.text[start:r.i], ok
}

// isKey compares the inside of a JSON string with a key.
func isKey(raw []byte, key string) bool { return string(unescaped(raw)) == key }

// unescaped is what the inside of a well-formed JSON string stands for. Only the rare one that holds a backslash costs memory.
func unescaped(raw []byte) []byte {
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw
	}
	var s string
	_ = json.Unmarshal(append(append([]byte{'"'}, raw...), '"'), &s)
	return []byte(s)
}

func (r *jsonReader) blanks() {
	for r.i < len(r.text) && (r.text[r.i] == ' ' || r.text[r.i] == '\t' || r.text[r.i] == '\n' || r.text[r.i] == '\r') {
		r.i++
	}
}

// take passes over blanks, and over c if it is next.
func (r *jsonReader) take(c byte) bool {
	r.blanks()
	if r.i < len(r.text) && r.text[r.i] == c {
		r.i++
		return true
	}
	return false
}

// maxDepth is how deep objects and arrays may lie in one another: more than any consent tool needs.
const maxDepth = 63

// value passes over one value of any kind. Objects and arrays are counted, not recursed into: one bit each tells which of the two is open.
func (r *jsonReader) value() bool {
	if r.blanks(); r.i < len(r.text) && r.text[r.i] != '{' && r.text[r.i] != '[' {
		return r.scalar() // most values
	}
	var objects uint64 // the innermost in the lowest bit, set for an object
	for depth := 0; ; {
		switch {
		case r.take('{'):
			depth, objects = depth+1, objects<<1|1
			if r.take('}') {
				break
			}
			if depth > maxDepth || !r.skipKey() {
				return false
			}
			continue
		case r.take('['):
			depth, objects = depth+1, objects<<1
			if r.take(']') {
				break
			}
			if depth > maxDepth {
				return false
			}
			continue
		case r.scalar():
			depth, objects = depth+1, objects<<1 // a scalar closes at once, like an empty array
		default:
			return false
		}
		// A value has ended: close what ends with it, or go on to the next one.
		for depth, objects = depth-1, objects>>1; ; depth, objects = depth-1, objects>>1 {
			if depth == 0 {
				return true
			}
			inObject := objects&1 == 1
			if r.take(',') {
				if inObject && !r.skipKey() {
					return false
				}
				break
			}
			if inObject && !r.take('}') || !inObject && !r.take(']') {
				return false
			}
		}
	}
}

// skipKey passes over a key and its colon.
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
	for start := r.i; r.i < len(r.text); r.i++ {
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

// scalar passes over a string, a number, true, false or null.
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

// skip passes over one byte, if it is next.
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
