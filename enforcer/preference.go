package enforcer

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// preference is what the visitor chose, as far as the policy asks for it.
type preference struct {
	state   preferenceState
	granted keySet
	refused keySet
}

type preferenceState uint8

const (
	preferenceNone          preferenceState = iota // no cookie holds a choice
	preferenceValid                                // every cookie that should hold one was read
	preferenceUnreadable                           // one could not be read
	preferenceContradictory                        // one says two things about a key
)

// readPreference reads the visitor's choices from the request's Cookie header. Doubt is refusal: a single cookie that cannot be read, or that
// contradicts itself, and nothing is granted.
//
// A cookie that comes more than once (with different paths) grants a key only if every copy does. Of several cookies one that grants is enough.
// What any of them refuses is refused.
func (e *Enforcer) readPreference(cookies []string) preference {
	p := preference{state: preferenceNone, granted: newKeySet(len(e.keys)), refused: newKeySet(len(e.keys))}
	for i := range e.preferences {
		first := true
		var granted keySet
		pairs := cookiePairs{lines: cookies}
		for name, value, ok := pairs.next(); ok; name, value, ok = pairs.next() {
			if name != e.preferences[i].cookie {
				continue
			}
			one := e.readChoices(value)
			if one.state != preferenceValid {
				return preference{state: one.state}
			}
			p.state = preferenceValid
			p.refused.addAll(one.refused)
			if first {
				granted, first = one.granted, false
			} else {
				granted.keepOnly(one.granted)
			}
		}
		if !first {
			p.granted.addAll(granted)
		}
	}
	p.granted.removeAll(p.refused)
	return p
}

// readChoices reads one preference cookie.
func (e *Enforcer) readChoices(value string) preference {
	var buffer [1024]byte
	text, ok := decode(buffer[:0], value)
	if !ok {
		return preference{state: preferenceUnreadable}
	}
	r := choicesReader{text: text, keys: e.keys, granted: newKeySet(len(e.keys)), refused: newKeySet(len(e.keys))}
	return preference{state: r.read(), granted: r.granted, refused: r.refused}
}

// decode takes off what scripts and servers put around JSON in a cookie: quotes, with backslashes before what would end them (Python writes
// these), and percent-encoding, of the whole or of a part. It is not ok where the value is longer than any browser stores, where an
// escape is malformed, and where the quotes of the JSON are encoded in one place and not in another: then the text can be read in two ways.
func decode(buffer []byte, value string) (text []byte, ok bool) {
	if len(value) > maxPair {
		return nil, false
	}
	escapes := false
	if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
		value = value[1 : len(value)-1]
		escapes = !hasBareQuote(value)
	}
	text = buffer
	var rawQuote, encodedQuote bool
	for i := 0; i < len(value); i++ {
		c := value[i]
		switch {
		case c == '"':
			rawQuote = true
		case c == '\\' && escapes:
			if c, i, ok = unquoteByte(value, i); !ok {
				return nil, false
			}
			rawQuote = rawQuote || c == '"'
		case c == '%':
			if i+2 >= len(value) || !isHex(value[i+1]) || !isHex(value[i+2]) {
				return nil, false
			}
			c = unhex(value[i+1])<<4 | unhex(value[i+2])
			i += 2
			encodedQuote = encodedQuote || c == '"' || c == '\\'
		}
		text = append(text, c)
	}
	return text, !(rawQuote && encodedQuote) && utf8.Valid(text)
}

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

// unquoteByte reads the escape at s[i]: a backslash and three octal digits, or a backslash and the byte it stands for.
// It returns the byte and the index of the escape's last byte.
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

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}

// choicesReader reads an object of choices (RFC 8259) in one pass: `true` grants a key, any other value refuses it. What is not JSON to the
// last byte is unreadable; a key given twice contradicts itself, whatever its values.
type choicesReader struct {
	text    []byte
	i       int // of the byte to be read next
	keys    map[string]int
	granted keySet
	refused keySet
}

func (r *choicesReader) read() preferenceState {
	if !r.take('{') {
		return preferenceUnreadable
	}
	state := preferenceValid
	for more := !r.take('}'); more; {
		key, ok := r.string()
		if !ok || !r.take(':') {
			return preferenceUnreadable
		}
		k, known := r.key(key)
		if known && (r.granted.has(k) || r.refused.has(k)) {
			state = preferenceContradictory
		}
		r.blanks()
		value := r.i
		if !r.value() {
			return preferenceUnreadable
		}
		if known {
			if string(r.text[value:r.i]) == "true" {
				r.granted.add(k)
			} else {
				r.refused.add(k)
			}
		}
		if r.take('}') {
			more = false
		} else if !r.take(',') {
			return preferenceUnreadable
		}
	}
	if r.blanks(); r.i < len(r.text) {
		return preferenceUnreadable
	}
	return state
}

// key finds the consent key that the inside of a JSON string stands for.
func (r *choicesReader) key(raw []byte) (int, bool) {
	for _, c := range raw {
		if c == '\\' {
			var unescaped string
			if json.Unmarshal(append(append([]byte{'"'}, raw...), '"'), &unescaped) != nil {
				return 0, false
			}
			k, ok := r.keys[unescaped]
			return k, ok
		}
	}
	k, ok := r.keys[string(raw)]
	return k, ok
}

func (r *choicesReader) blanks() {
	for r.i < len(r.text) && (r.text[r.i] == ' ' || r.text[r.i] == '\t' || r.text[r.i] == '\n' || r.text[r.i] == '\r') {
		r.i++
	}
}

// take passes over blanks, and over c if it is next.
func (r *choicesReader) take(c byte) bool {
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
func (r *choicesReader) value() bool {
	var objects uint64 // the innermost in the lowest bit, set for an object
	for depth := 0; ; {
		switch {
		case r.take('{'):
			depth, objects = depth+1, objects<<1|1
			if r.take('}') {
				break
			}
			if depth > maxDepth || !r.member() {
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
				if inObject && !r.member() {
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

// member passes over a key and its colon.
func (r *choicesReader) member() bool {
	r.blanks()
	_, ok := r.string()
	return ok && r.take(':')
}

// string returns the inside of the string that is next, escapes and all.
func (r *choicesReader) string() (inside []byte, ok bool) {
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
func (r *choicesReader) scalar() bool {
	if r.i == len(r.text) {
		return false
	}
	switch c := r.text[r.i]; {
	case c == '"':
		_, ok := r.string()
		return ok
	case c == '-' || '0' <= c && c <= '9':
		return r.number()
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if bytes.HasPrefix(r.text[r.i:], []byte(word)) {
			r.i += len(word)
			return true
		}
	}
	return false
}

func (r *choicesReader) number() bool {
	r.skip("-")
	if !r.skip("0") && r.digits() == 0 {
		return false
	}
	if r.skip(".") && r.digits() == 0 {
		return false
	}
	if r.skip("eE") {
		r.skip("+-")
		return r.digits() > 0
	}
	return true
}

// skip passes over one byte of those given.
func (r *choicesReader) skip(bytes string) bool {
	if r.i < len(r.text) && strings.IndexByte(bytes, r.text[r.i]) >= 0 {
		r.i++
		return true
	}
	return false
}

func (r *choicesReader) digits() (n int) {
	for r.skip("0123456789") {
		n++
	}
	return n
}
