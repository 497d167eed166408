package consent

import (
	"hash/maphash"
	"slices"
	"strconv"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/wire"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// parsed is what one copy of a preference cookie says about the keys asked for.
type parsed struct {
	keys    Keys
	words   []string // what counts as yes
	state   State
	granted Set
	refused Set
	made    time.Time // zero if the copy does not tell
	failure Failure   // why it is unreadable or contradicts itself
}

// Failure is why a copy of a preference cannot be read, or how it contradicts itself. It holds
// nothing of the value but a consent key that the policy knows.
type Failure struct {
	Reason string // in words; empty if nothing failed
	Byte   int    // the place, counted from 1, where there is one
	Coded  bool   // the place is in the value as it came, not in the decoded one
	Key    string // the consent key that is given twice, if the policy knows it
}

// fail records why the copy is unreadable, once, and returns that state. The place counts from 0.
func (c *parsed) fail(reason string, at int) State {
	if c.failure.Reason == "" {
		c.failure = Failure{Reason: reason, Byte: at + 1}
	}
	return Unreadable
}

// contradict records what is given twice, once.
func (c *parsed) contradict(what string, key []byte) {
	if c.failure.Reason == "" {
		c.failure = Failure{Reason: what}
		if _, known := c.keys[string(key)]; known {
			c.failure.Key = string(key)
		}
	}
}

// Reasons of failures that more than one format has.
const (
	badTime     = "the time of the choice is neither a number of seconds or milliseconds nor ISO 8601"
	keyTwice    = "a key is given twice"
	memberTwice = "the member with the choices or their time is given twice"
	tooManyKeys = "it has more keys than any consent tool writes"
)

// noPlace is the place of a failure that concerns the whole value.
const noPlace = -1

// decode takes off what scripts and servers put around the value.
func (c *parsed) decode(buffer []byte, value string, escapes bool) ([]byte, bool) {
	text, reason, at := appendDecoded(buffer, value, escapes)
	if reason != "" && c.failure.Reason == "" {
		c.failure = Failure{Reason: reason, Byte: at + 1, Coded: true}
	}
	return text, reason == ""
}

// parse reads one copy. A value longer than any browser stores is unreadable.
func (p *preference) parse(value string, keys Keys) parsed {
	c := parsed{keys: keys, words: p.words, state: Unreadable}
	if len(value) > wire.MaxPair {
		c.fail("it is longer than browsers store", noPlace)
		return c
	}
	var buffer [512]byte // room for what most tools write
	switch p.format {
	case policy.FormatPairs:
		c.state = p.readPairs(buffer[:0], value, &c)
	case policy.FormatList:
		c.state = p.readList(buffer[:0], value, &c)
	case policy.FormatFlag:
		c.state = p.readFlag(buffer[:0], value, &c)
	default:
		c.state = p.readJSON(buffer[:0], value, &c)
	}
	return c
}

func (p *preference) readJSON(buffer []byte, value string, c *parsed) State {
	inside, escapes := unquote(value)
	text, ok := c.decode(buffer, inside, escapes)
	if !ok {
		return Unreadable
	}
	if p.base64 {
		if text, ok = decodeBase64(text); !ok {
			return c.fail("it is not base64", noPlace)
		}
	}
	r := jsonReader{parsed: c, text: text, path: p.path, timestamp: p.timestamp}
	return r.read()
}

func (c *parsed) set(k int, granted bool) {
	if granted {
		c.granted.Add(k)
	} else {
		c.refused.Add(k)
	}
}

// isYes reports whether a word counts as yes.
func (c *parsed) isYes(word []byte) bool {
	for _, w := range c.words {
		if w == policy.AnyTime {
			if _, ok := parseTime(string(word)); ok {
				return true
			}
		} else if w == string(word) {
			return true
		}
	}
	return false
}

// setTime reads the time of the choice: seconds or milliseconds since 1970, told apart by their
// magnitude, or ISO 8601.
func (c *parsed) setTime(text []byte) bool {
	if n, ok := timeNumber(text); ok {
		const milliseconds = 1e11 // as seconds the year 5138, as milliseconds 1973
		switch {
		case n <= 0 || n >= 1e14:
			return false
		case n < milliseconds:
			c.made = time.Unix(n, 0)
		default:
			c.made = time.UnixMilli(n)
		}
		return true
	}
	made, ok := parseTime(string(text))
	if ok {
		c.made = made
	}
	return ok
}

// timeNumber reads a number and drops its fraction. One that does not fit an int64 becomes zero.
func timeNumber(text []byte) (n int64, ok bool) {
	digits := 0
	for digits < len(text) && '0' <= text[digits] && text[digits] <= '9' {
		n = 10*n + int64(text[digits]-'0')
		digits++
	}
	if digits == len(text) && 0 < digits && digits < 18 { // as nearly every tool writes it
		return n, true
	}
	float, err := strconv.ParseFloat(string(text), 64)
	if !(float > 0 && float < 1<<63) {
		float = 0
	}
	return int64(float), err == nil
}

// parseTime reads a time in ISO 8601. One without an offset is taken to be in UTC.
func parseTime(text string) (time.Time, bool) {
	layouts := [...]string{time.RFC3339, "2006-01-02T15:04:05.999999999", time.DateTime, time.DateOnly}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// keysSeen detects a key that is given twice, whether or not the policy knows it.
type keysSeen struct {
	first [fewKeys]uint64            // hashes: hardly any tool writes more keys than these
	more  *[maxKeys - fewKeys]uint64 // nil until there are
	n     int
}

const (
	fewKeys = 24
	maxKeys = 256 // of a preference: more than any tool writes
)

// hashSeed makes hashes that visitors cannot predict.
var hashSeed = maphash.MakeSeed()

// add reports whether the key was seen before. It is not ok if there are too many keys to tell.
func (s *keysSeen) add(key []byte) (twice, ok bool) {
	hash := maphash.Bytes(hashSeed, key)
	few := min(s.n, len(s.first))
	if slices.Contains(s.first[:few], hash) ||
		s.more != nil && slices.Contains(s.more[:s.n-few], hash) {
		return true, true
	}
	switch {
	case s.n == maxKeys:
		return false, false
	case s.n < len(s.first):
		s.first[s.n] = hash
	default:
		if s.more == nil {
			s.more = new([maxKeys - fewKeys]uint64)
		}
		s.more[s.n-few] = hash
	}
	s.n++
	return false, true
}
