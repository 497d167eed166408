// Package consent reads the visitor's choice from the cookies in which it is stored, in each of the
// formats that a policy can name, and writes it in the same formats.
//
// It knows formats, ages and contradictions, and what consent tools expect of their cookies. It does not know which cookies depend on the choice:
// that is in package enforcer.
package consent

import (
	"slices"
	"strings"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/wire"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// Keys numbers consent keys, from 0 to 63.
type Keys map[string]int

// Set is a set of consent keys, by their numbers.
type Set uint64

// Has reports whether the set contains key k.
func (s Set) Has(k int) bool { return s&(1<<k) != 0 }

// Add adds key k.
func (s *Set) Add(k int) { *s |= 1 << k }

// State is what reading a preference came to.
type State = policy.PreferenceState

// The states of a preference.
const (
	None          = policy.PreferenceNone
	TooOld        = policy.PreferenceTooOld
	Valid         = policy.PreferenceValid
	Unreadable    = policy.PreferenceUnreadable
	Contradictory = policy.PreferenceContradictory
)

// Choice is what the visitor chose. The zero Choice is that of a visitor without a preference.
type Choice struct {
	State   State
	Granted Set
	Refused Set
}

// InDoubt reports whether the preference could not be understood. Then it grants nothing, and no
// anonymous cookie is let through either.
func (c *Choice) InDoubt() bool { return c.State.InDoubt() }

// Consent returns what the choice says about key k.
func (c *Choice) Consent(k int) policy.Consent {
	switch {
	case c.Granted.Has(k):
		return policy.Granted
	case c.Refused.Has(k):
		return policy.Refused
	}
	return policy.Undecided
}

// Written is a preference cookie that the response itself sets or deletes.
type Written struct {
	Cookie  string
	Value   string
	Deleted bool

	// Doubtful is set if not every browser keeps it in place of the cookie that the request
	// brought. Then what the request brought counts as well.
	Doubtful bool
}

// Reader reads the preferences of one policy. It is immutable.
type Reader struct {
	preferences []preference
	now         func() time.Time
	initials    [256]bool // the bytes with which a line that writes one can begin
}

// preference is one cookie that stores choices, and how it is read.
type preference struct {
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

	declared *policy.Preference
	first    bool // of the cookies that the preference names
}

// NewReader returns a Reader for preferences whose defaults are written out.
func NewReader(preferences []policy.Preference, now func() time.Time) *Reader {
	r := &Reader{now: now}
	for i := range preferences {
		p := &preferences[i]
		for j, name := range p.Cookies {
			compiled := preference{
				cookie: name, format: p.Format, path: splitPath(p.Path), base64: p.Base64,
				separator: p.Separator, assignment: p.Assignment, listKey: p.ListKey,
				value: p.Value, keys: p.Keys, words: p.Granted,
				maxAge: time.Duration(p.MaxAge), persist: p.Persist,
				declared: p, first: j == 0,
			}
			switch {
			case p.Timestamp == "":
			case p.Format == policy.FormatPairs:
				compiled.timestamp = []string{p.Timestamp}
			default:
				compiled.timestamp = splitPath(p.Timestamp)
			}
			r.preferences = append(r.preferences, compiled)
			for _, c := range [...]byte{name[0], ' ', '\t'} {
				r.initials[c] = true
			}
		}
	}
	return r
}

// Any reports whether the policy has a preference.
func (r *Reader) Any() bool { return len(r.preferences) > 0 }

// Persists reports whether a preference is to be sent again.
func (r *Reader) Persists() bool {
	return slices.ContainsFunc(r.preferences, func(p preference) bool { return p.persist != "" })
}

// Knows reports whether a preference names a consent key itself.
func (r *Reader) Knows(key string) bool {
	return slices.ContainsFunc(r.preferences, func(p preference) bool { return slices.Contains(p.keys, key) })
}

// MayWrite reports whether a Set-Cookie line can be one that writes a preference cookie. Most are not.
func (r *Reader) MayWrite(line string) bool { return line != "" && r.initials[line[0]] }

// Writes returns the name of the preference cookie that a Set-Cookie line writes, or "".
func (r *Reader) Writes(line string) string {
	line = wire.Trim(line)
	for i := range r.preferences {
		cookie := r.preferences[i].cookie
		if strings.HasPrefix(line, cookie) {
			if name, _, found := strings.Cut(line[len(cookie):], "="); found && wire.Trim(name) == "" {
				return cookie
			}
		}
	}
	return ""
}

// Read reads the visitor's choice about keys from the Cookie lines of the request and from what the
// response writes. Doubt is refusal: one cookie that cannot be read or that contradicts itself, and
// nothing is granted.
//
// A cookie that comes more than once (with different paths) grants a key only if every copy does. Of
// several cookies, one that grants a key is enough. What any of them refuses is refused.
func (r *Reader) Read(keys Keys, cookies []string, written []Written) Choice {
	return r.read(keys, cookies, written, nil)
}

// ReadAll does what Read does, and also returns what each copy of each cookie says.
func (r *Reader) ReadAll(keys Keys, cookies []string, written []Written) (Choice, []Reading) {
	readings := []Reading{}
	return r.read(keys, cookies, written, &readings), readings
}

// Reading is what one copy of a preference cookie says.
type Reading struct {
	Cookie       string
	FromResponse bool // the response sets it; otherwise the request brought it
	State        State
	Failure      Failure       // of an unreadable copy, or one that contradicts itself
	Made         time.Time     // when the choice was made; zero if the copy does not tell
	MaxAge       time.Duration // how long it counts; zero if always
	Granted      Set
	Refused      Set
}

func (r *Reader) read(keys Keys, cookies []string, written []Written, readings *[]Reading) (choice Choice) {
	if len(cookies) == 0 && len(written) == 0 {
		return choice
	}
	for i := range r.preferences {
		copies := copies{reader: r, preference: &r.preferences[i], keys: keys, readings: readings}
		copies.read(cookies, written)
		choice.State = max(choice.State, copies.state)
		choice.Granted |= copies.granted
		choice.Refused |= copies.refused
	}
	if choice.InDoubt() {
		return Choice{State: choice.State}
	}
	choice.Granted &^= choice.Refused
	return choice
}

// copies puts the copies of one preference cookie together.
type copies struct {
	reader     *Reader
	preference *preference
	keys       Keys
	state      State
	granted    Set // by every copy so far
	refused    Set // by any
	seen       bool
	readings   *[]Reading // of all preferences; nil if nobody asks
}

// read reads the copies of the request and of the response. What the response writes takes the place
// of a single copy that the request brought; of several, it is unknown which one.
func (c *copies) read(cookies []string, written []Written) {
	name, rewritten := c.preference.cookie, false
	for _, w := range written {
		rewritten = rewritten || w.Cookie == name && !w.Doubtful
	}
	if !rewritten || wire.CountPairs(cookies, name) > 1 {
		for pair, value := range wire.Pairs(cookies) {
			if pair == name {
				c.add(value, false)
			}
		}
	}
	for _, w := range written {
		if w.Cookie == name && !w.Deleted {
			c.add(w.Value, true)
		}
	}
}

func (c *copies) add(value string, fromResponse bool) {
	stored := c.preference.parse(value, c.keys)
	if !stored.state.InDoubt() && !c.preference.counts(stored.made, c.reader.now) {
		stored = parsed{state: TooOld, made: stored.made}
	}
	if c.readings != nil {
		reading := Reading{
			Cookie: c.preference.cookie, FromResponse: fromResponse,
			State: stored.state, Failure: stored.failure, Made: stored.made, MaxAge: c.preference.maxAge,
		}
		if !stored.state.InDoubt() {
			reading.Failure = Failure{}
			reading.Granted, reading.Refused = stored.granted, stored.refused
		}
		*c.readings = append(*c.readings, reading)
	}
	c.state = max(c.state, stored.state)
	c.refused |= stored.refused
	if !c.seen {
		c.granted, c.seen = stored.granted, true
	} else {
		c.granted &= stored.granted
	}
}

// clockSkew is how far ahead of the gateway's clock a visitor's clock may be.
const clockSkew = time.Hour

// counts reports whether a choice is recent enough to count. One that does not tell its time has no
// known age, and counts.
func (p *preference) counts(made time.Time, now func() time.Time) bool {
	if made.IsZero() || p.maxAge == 0 {
		return true
	}
	age := now().Sub(made)
	return age <= p.maxAge && age >= -clockSkew
}

// Renewal is a preference that is sent again before the browser drops it.
type Renewal struct {
	Cookie string
	Value  string
	Path   string
	Left   time.Duration // what is left of the choice's max_age
}

// Renewals returns the preferences to send again: those with persist that the request brought once,
// readable, and with at least a second left.
func (r *Reader) Renewals(keys Keys, cookies []string) (renewals []Renewal) {
	for i := range r.preferences {
		p := &r.preferences[i]
		if p.persist == "" || wire.CountPairs(cookies, p.cookie) != 1 {
			continue
		}
		for name, value := range wire.Pairs(cookies) {
			if name != p.cookie {
				continue
			}
			stored := p.parse(value, keys)
			if stored.state != Valid || stored.made.IsZero() || !p.counts(stored.made, r.now) {
				continue
			}
			left := min(p.maxAge-r.now().Sub(stored.made), p.maxAge) // the visitor's clock may be ahead
			if left >= time.Second {
				renewals = append(renewals, Renewal{name, value, p.persist, left})
			}
		}
	}
	return renewals
}

// splitPath splits a dotted path. An empty one leads to the whole object.
func splitPath(path string) []string {
	if path == "" {
		return []string{}
	}
	return strings.Split(path, ".")
}
