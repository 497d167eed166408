package consent

import (
	"strings"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/wire"
)

// readPairs reads a preference of keys and values such as `a=true|b=false`. With a list key, the
// choices are pairs within that key's value, `groups=C1:1,C2:0` in a query string.
//
// Separators are looked for before percent-encoding is removed, because an encoded one is part of a
// value. If there is none, the whole is encoded, and they are looked for afterwards. Braces around
// the whole, as around an object in a script, mean nothing; one without the other shows that the value
// was cut short, and so does a value without a pair.
func (p *preference) readPairs(buffer []byte, value string, c *parsed) State {
	value, escapes := unquote(value)
	encoded := strings.Contains(value, p.separator)
	if !encoded {
		text, ok := c.decode(buffer, value, escapes)
		if !ok {
			return Unreadable
		}
		value = string(text)
	}
	value, ok := unbrace(wire.Trim(value))
	if !ok {
		return c.fail("one of the braces around it is missing", noPlace)
	}
	r := pairsReader{preference: p, parsed: c, state: Valid}
	for more := true; more && r.state == Valid; {
		var pair string
		pair, value, more = strings.Cut(value, p.separator)
		if encoded {
			text, ok := c.decode(buffer, pair, escapes)
			if !ok {
				c.failure.Byte = 0 // which counts from the pair's start
				return Unreadable
			}
			pair = string(text)
		}
		r.pair(pair)
	}
	if !r.seenPair {
		return c.fail("there is no pair of key and value in it", noPlace)
	}
	return r.state
}

// unbrace removes braces around a value. It is not ok if one of the two is missing.
func unbrace(value string) (inside string, ok bool) {
	inside, opened := strings.CutPrefix(value, "{")
	inside, closed := strings.CutSuffix(inside, "}")
	return inside, opened == closed
}

type pairsReader struct {
	*parsed
	preference *preference
	state      State
	seenPair   bool
	seenTime   bool
	seenList   bool
	seen       keysSeen
}

// pair reads one pair, decoded.
func (r *pairsReader) pair(pair string) {
	if wire.Trim(pair) == "" {
		return
	}
	r.seenPair = true
	key, value, ok := strings.Cut(pair, r.preference.assignment)
	key, value = wire.Trim(key), wire.Trim(value)
	switch {
	case !ok:
		r.state = r.fail("a pair has no value", noPlace)
	case r.preference.timestamp != nil && key == r.preference.timestamp[0]:
		if r.seenTime {
			r.state = Contradictory
			r.contradict(memberTwice, nil)
		} else if !r.setTime([]byte(value)) {
			r.state = r.fail(badTime, noPlace)
		}
		r.seenTime = true
	case r.preference.listKey == "":
		r.choose(key, value)
	case key == r.preference.listKey:
		if r.seenList {
			r.state = Contradictory
			r.contradict(memberTwice, nil)
		}
		r.seenList = true
		for value != "" {
			var inner string
			inner, value, _ = strings.Cut(value, ",")
			key, word, ok := strings.Cut(inner, ":")
			if !ok {
				r.state = r.fail("a pair has no value", noPlace)
			}
			r.choose(wire.Trim(key), wire.Trim(word))
		}
	}
}

// choose grants a key if the value is a word for yes, and refuses it otherwise.
func (r *pairsReader) choose(key, value string) {
	twice, ok := r.seen.add([]byte(key))
	switch {
	case !ok:
		r.state = r.fail(tooManyKeys, noPlace)
	case twice:
		r.state = Contradictory
		r.contradict(keyTwice, []byte(key))
	}
	if k, known := r.keys[key]; known {
		r.set(k, r.isYes([]byte(value)))
	}
}

// readList reads a preference that is a list of the keys granted, such as `necessary,statistics`.
// A word that counts as yes grants all of them.
func (p *preference) readList(buffer []byte, value string, c *parsed) State {
	value, escapes := unquote(value)
	text, ok := c.decode(buffer, value, escapes)
	if !ok {
		return Unreadable
	}
	for rest, more := string(text), true; more; {
		var word string
		word, rest, more = strings.Cut(rest, p.separator)
		if k, known := c.keys[wire.Trim(word)]; known {
			c.set(k, true)
		} else if c.isYes([]byte(wire.Trim(word))) {
			for _, k := range c.keys {
				c.set(k, true)
			}
		}
	}
	return Valid
}

// readFlag reads a preference that grants its keys, or every key if it names none, by one value,
// and refuses them by any other.
func (p *preference) readFlag(buffer []byte, value string, c *parsed) State {
	value, escapes := unquote(value)
	text, ok := c.decode(buffer, value, escapes)
	if !ok {
		return Unreadable
	}
	granted := string(text) == p.value
	if len(p.keys) == 0 {
		for _, k := range c.keys {
			c.set(k, granted)
		}
	}
	for _, key := range p.keys {
		if k, known := c.keys[key]; known {
			c.set(k, granted)
		}
	}
	return Valid
}
