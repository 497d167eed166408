package enforcer

import (
	"hash/maphash"
	"slices"
	"strconv"
	"strings"
	"time"
)

// compiledPreference is one cookie that stores choices, and how it is read.
type compiledPreference struct {
	cookie     string
	format     string
	path       []string // json: where the choices are; empty, not nil, for the whole object
	base64     bool
	separator  string
	assignment string
	listKey    string
	value      string   // flag
	keys       []string // flag: what the value grants; none for all
	words      []string // what counts as yes
	timestamp  []string
	maxAge     time.Duration
	persist    string // the path at which it is sent again; empty if it is not
}

// preference is what the visitor chose, as far as it was asked for.
type preference struct {
	state   preferenceState
	granted keySet
	refused keySet
}

type preferenceState uint8

const (
	preferenceNone          preferenceState = iota // no cookie holds a choice
	preferenceOutdated                             // the choice is too old to count, or from the future
	preferenceValid                                // every cookie that holds a choice was read
	preferenceUnreadable                           // one could not be read
	preferenceContradictory                        // one says two things about a key
)

// Consent is what a visitor's preference says about one key.
type Consent uint8

// The zero Consent is Undecided.
const (
	Undecided Consent = iota
	Granted
	Refused
)

// String is `undecided`, `granted` or `refused`.
func (c Consent) String() string { return [...]string{"undecided", "granted", "refused"}[c] }

func (p *preference) consent(k int) Consent {
	switch {
	case p.granted.has(k):
		return Granted
	case p.refused.has(k):
		return Refused
	}
	return Undecided
}

// inDoubt says whether the preference lets nothing through, not even what waits for no consent.
func (p *preference) inDoubt() bool { return p.state >= preferenceUnreadable }

// choices are what one copy of a preference cookie says about the keys asked for.
type choices struct {
	keys    map[string]int
	words   []string
	granted keySet
	refused keySet
	made    time.Time // zero where the copy does not say
}

func (p *compiledPreference) newChoices(keys map[string]int) choices {
	return choices{keys: keys, words: p.words, granted: newKeySet(len(keys)), refused: newKeySet(len(keys))}
}

func (c *choices) set(k int, granted bool) {
	if granted {
		c.granted.add(k)
	} else {
		c.refused.add(k)
	}
}

// anyTime stands among the words for yes where a tool writes a time for it.
const anyTime = "<time>"

func (c *choices) isWord(word []byte) bool {
	for _, w := range c.words {
		if w == anyTime {
			if _, ok := parseTime(string(word)); ok {
				return true
			}
		} else if w == string(word) {
			return true
		}
	}
	return false
}

// setTime reads the time of the choice: seconds or milliseconds since 1970, told apart by their magnitude, or ISO 8601.
func (c *choices) setTime(text []byte) bool {
	if n, ok := timeNumber(text); ok {
		const milliseconds = 1e11 // as seconds that would be the year 5138, as milliseconds it is 1973
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

// timeNumber reads a number, and leaves out its fraction. One that is no int64 becomes zero.
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

// parseTime reads a time in ISO 8601. One without an offset is taken for UTC.
func parseTime(text string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05.999999999", time.DateTime, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// clockSkew is how far ahead of the gateway's clock a visitor's may be.
const clockSkew = time.Hour

// counts says whether a choice is young enough to be one. A choice that does not say when it was made has no known age, and counts.
func (p *compiledPreference) counts(c *choices, now func() time.Time) bool {
	if c.made.IsZero() || p.maxAge == 0 {
		return true
	}
	age := now().Sub(c.made)
	return age <= p.maxAge && age >= -clockSkew
}

// readPreference reads the visitor's choices about keys. Doubt is refusal: a single cookie that cannot be read, or that contradicts itself,
// and nothing is granted.
//
// A cookie that comes more than once (with different paths) grants a key only if every copy does. Of several cookies one that grants is
// enough. What any of them refuses is refused.
func (e *Enforcer) readPreference(keys map[string]int, cookies []string, written []newest) preference {
	p := preference{granted: newKeySet(len(keys)), refused: newKeySet(len(keys))}
	if len(cookies) == 0 && len(written) == 0 {
		return p // nobody brings one
	}
	for i := range e.preferences {
		m := merger{enforcer: e, preference: &e.preferences[i], keys: keys, refused: newKeySet(len(keys))}
		m.copies(cookies, written)
		p.state = max(p.state, m.state)
		p.granted.addAll(m.granted)
		p.refused.addAll(m.refused)
	}
	if p.inDoubt() {
		return preference{state: p.state, granted: newKeySet(len(keys)), refused: newKeySet(len(keys))}
	}
	p.granted.removeAll(p.refused)
	return p
}

// merger puts the copies of one preference cookie together.
type merger struct {
	enforcer   *Enforcer
	preference *compiledPreference
	keys       map[string]int
	state      preferenceState
	granted    keySet // by every copy so far
	refused    keySet // by any
	seen       bool
}

// copies reads those of the request and of the response. What the response writes takes the place of a single copy that the request
// brought; of several, nobody knows which one.
func (m *merger) copies(cookies []string, written []newest) {
	rewritten := false
	for _, w := range written {
		rewritten = rewritten || w.cookie == m.preference.cookie && !w.doubtful
	}
	if !rewritten || countPairs(cookies, m.preference.cookie) > 1 {
		for name, value := range cookiePairs(cookies) {
			if name == m.preference.cookie {
				m.add(value)
			}
		}
	}
	for _, w := range written {
		if w.cookie == m.preference.cookie && !w.deleted {
			m.add(w.value)
		}
	}
}

func (m *merger) add(value string) {
	c := m.preference.newChoices(m.keys)
	state := m.preference.readChoices(value, &c)
	if state < preferenceUnreadable && !m.preference.counts(&c, m.enforcer.now) {
		state, c = preferenceOutdated, m.preference.newChoices(m.keys)
	}
	m.state = max(m.state, state)
	m.refused.addAll(c.refused)
	if !m.seen {
		m.granted, m.seen = c.granted, true
	} else {
		m.granted.keepOnly(c.granted)
	}
}

// readChoices reads one copy. A value longer than any browser stores is unreadable.
func (p *compiledPreference) readChoices(value string, c *choices) preferenceState {
	if len(value) > maxPair {
		return preferenceUnreadable
	}
	var buffer [512]byte // room for what most tools write
	switch p.format {
	case FormatPairs:
		return p.readPairs(buffer[:0], value, c)
	case FormatList:
		return p.readList(buffer[:0], value, c)
	case FormatFlag:
		return p.readFlag(buffer[:0], value, c)
	}
	inside, escapes := unquote(value)
	text, ok := appendDecoded(buffer[:0], inside, escapes)
	if ok && p.base64 {
		text, ok = decodeBase64(text)
	}
	if !ok {
		return preferenceUnreadable
	}
	r := jsonReader{choices: c, text: text, path: p.path, timestamp: p.timestamp}
	return r.read()
}

// keysSeen notices a key that is given twice, be it known to the policy or not.
type keysSeen struct {
	first [fewKeys]uint64            // hashes: hardly any tool writes more keys than these
	more  *[maxKeys - fewKeys]uint64 // nil until there are
	n     int
}

const (
	fewKeys = 24
	maxKeys = 256 // that a preference may have: more than any tool writes
)

// add says whether the key was seen before. It is not ok where there are too many keys to tell.
func (s *keysSeen) add(key []byte) (twice, ok bool) {
	hash := maphash.Bytes(hashSeed, key)
	few := min(s.n, len(s.first))
	if slices.Contains(s.first[:few], hash) || s.more != nil && slices.Contains(s.more[:s.n-few], hash) {
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

// countPairs counts the pairs of a name.
func countPairs(cookies []string, cookie string) (n int) {
	for name := range cookiePairs(cookies) {
		if name == cookie {
			n++
		}
	}
	return n
}

// splitPath splits a dotted path. An empty one leads to the whole object.
func splitPath(path string) []string {
	if path == "" {
		return []string{}
	}
	return strings.Split(path, ".")
}
