package consent

import (
	"slices"
	"strings"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/wire"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// Change is a cookie that stores a visitor's choice.
type Change struct {
	Cookie   string
	Value    string
	MaxAge   time.Duration // how long the choice counts; 0 if the policy does not say
	HTTPOnly bool          // the tool that reads it sets it so
}

// Write writes the visitor's answers into the preferences: into the first cookie of each, and into
// every other that the request brought. Keys without an answer, members that the policy does not
// know, the order of members and the encoding stay as they are. A value that cannot be read is
// replaced, and so is one in which the answers would make the cookie too long.
//
// The choice is what [Reader.Read] reads from what was written: the answers. Only where a preference
// lists what is granted, a refusal is read as undecided. The error is of type [policy.Unwritable].
func (r *Reader) Write(keys Keys, granted, refused Set, cookies []string) ([]Change, Choice, error) {
	a := r.answers(keys, granted&^refused, refused)
	if len(r.preferences) == 0 {
		return nil, Choice{}, policy.Unwritable{Reason: policy.ReasonNoPreference}
	}
	if a.granted|a.refused == 0 {
		return nil, Choice{}, nil
	}
	var changes []Change
	var written []Written
	for i := range r.preferences {
		p := &r.preferences[i]
		value, ok, err := p.write(a, cookies)
		if err != nil {
			return nil, Choice{}, err
		}
		if ok {
			c := p.convention()
			changes = append(changes, Change{p.cookie, value, p.maxAge, c.httpOnly})
			companion := c.companion
			companion.MaxAge = p.maxAge
			if companion.Cookie != "" && !slices.Contains(changes, companion) {
				changes = append(changes, companion)
			}
			written = append(written, Written{Cookie: p.cookie, Value: value})
		}
	}
	choice := r.Read(keys, nil, written)
	return changes, choice, a.check(&choice)
}

// check returns an error if a choice is not what was answered.
func (a *answers) check(choice *Choice) error {
	for k, name := range a.names {
		said := choice.Consent(k)
		if a.granted.Has(k) && said != policy.Granted || a.refused.Has(k) && said == policy.Granted {
			return policy.Unwritable{Reason: policy.ReasonKey, Key: name}
		}
	}
	return nil
}

// CanEdit reports whether a preference that cannot be written from nothing has a value among the request's
// cookies that can be changed.
func (r *Reader) CanEdit(cookie string, keys Keys, cookies []string) bool {
	a := r.answers(keys, 0, 1<<len(keys)-1)
	return slices.ContainsFunc(r.preferences, func(p preference) bool {
		if p.cookie != cookie {
			return false
		}
		_, ok, err := p.write(a, cookies)
		return ok && err == nil
	})
}

// Disagree returns the preference cookies that the request brought more than once, and whose copies
// do not say the same about the keys. One that is too old says nothing.
func (r *Reader) Disagree(keys Keys, cookies []string) (names []string) {
	_, readings := r.ReadAll(keys, cookies, nil) // the copies of a cookie follow one another
	var first Reading
	for _, reading := range readings {
		switch {
		case reading.Cookie != first.Cookie:
			first = reading
		case reading.State != first.State || reading.Granted != first.Granted ||
			reading.Refused != first.Refused:
			if !slices.Contains(names, reading.Cookie) {
				names = append(names, reading.Cookie)
			}
		}
	}
	return names
}

// answers are what a visitor answered.
type answers struct {
	keys    Keys
	names   []string // by number
	granted Set
	refused Set
	now     time.Time
	stale   bool // what was chosen before no longer counts
	listed  bool // the value that was written lists what is granted, and cannot hold what is refused
}

func (r *Reader) answers(keys Keys, granted, refused Set) answers {
	a := answers{keys: keys, names: make([]string, len(keys)), granted: granted, refused: refused, now: r.now()}
	for name, k := range keys {
		a.names[k] = name
	}
	return a
}

// answer is what becomes of a key in a value.
type answer uint8

const (
	keep answer = iota
	grant
	refuse
	remove // a choice that no longer counts, and that nobody made again
)

// about returns what becomes of a key that is in the old value.
func (a *answers) about(key string) answer {
	k, known := a.keys[key]
	switch {
	case !known:
		return keep
	case a.granted.Has(k):
		return grant
	case a.refused.Has(k):
		return refuse
	case a.stale:
		return remove
	}
	return keep
}

// missing calls f with each answer whose key was not seen.
func (a *answers) missing(seen Set, f func(key string, granted bool)) {
	for k, name := range a.names {
		if (a.granted | a.refused).Has(k) && !seen.Has(k) {
			f(name, a.granted.Has(k))
		}
	}
}

// write returns the value that a cookie gets. It is not ok if the cookie stays what it is.
func (p *preference) write(a answers, cookies []string) (value string, ok bool, err error) {
	a = a.held(p)
	var copies []string
	doubt := false
	for name, value := range wire.Pairs(cookies) {
		if name == p.cookie {
			copies = append(copies, value)
			stored := p.parse(value, a.keys)
			doubt = doubt || stored.state.InDoubt()
		}
	}
	switch {
	case len(copies) == 0 && !p.first:
		return "", false, nil
	case a.granted|a.refused == 0 && !doubt:
		return "", false, nil
	case p.format == policy.FormatFlag:
		if a.granted != 0 && a.refused != 0 {
			return "", false, policy.Unwritable{Reason: policy.ReasonKey, Cookie: p.cookie,
				Key: a.nameOf(a.refused)}
		}
		value := p.flagValue(a.granted != 0)
		return value, true, p.fits(value)
	}
	// Browsers send the copy with the shortest path last (RFC 6265bis section 5.8.3): the likeliest to
	// be the one that is written.
	for _, old := range slices.Backward(copies) {
		stored := p.parse(old, a.keys)
		if stored.state != Valid {
			continue
		}
		a.stale = !p.counts(stored.made, func() time.Time { return a.now })
		if value, ok := p.edit(old, &a); ok && p.fits(value) == nil && p.says(value, &a) {
			return value, true, nil
		}
	}
	a.stale, a.listed = false, false
	value, ok = p.fresh(&a)
	if !ok {
		return "", false, policy.Unwritable{Reason: policy.ReasonExistingOnly, Cookie: p.cookie}
	}
	if err := p.fits(value); err != nil {
		return "", false, err
	}
	if !p.says(value, &a) {
		return "", false, policy.Unwritable{Reason: policy.ReasonKey, Cookie: p.cookie,
			Key: a.nameOf(a.granted | a.refused)}
	}
	return value, true, nil
}

// held returns the answers whose keys the preference holds.
func (a answers) held(p *preference) answers {
	for k, name := range a.names {
		if !p.declared.Holds(name) {
			a.granted &^= 1 << k
			a.refused &^= 1 << k
		}
	}
	return a
}

// nameOf returns the first key of a set.
func (a *answers) nameOf(set Set) string {
	for k, name := range a.names {
		if set.Has(k) {
			return name
		}
	}
	return ""
}

// edit puts the answers into a value that was read without doubt. It is not ok where it has no place
// for them.
func (p *preference) edit(old string, a *answers) (value string, ok bool) {
	a.listed = p.format == policy.FormatList
	switch p.format {
	case policy.FormatPairs:
		return p.editPairs(old, a), true
	case policy.FormatList:
		return p.editList(old, a), true
	}
	return p.editJSON(old, a)
}

// fresh returns a value that holds the answers and nothing else. It is not ok where nobody knows what
// the tool expects around them.
func (p *preference) fresh(a *answers) (value string, ok bool) {
	switch p.format {
	case policy.FormatPairs:
		return p.freshPairs(a), true
	case policy.FormatList:
		return p.edit("", a)
	}
	if len(p.path) > 0 {
		return "", false
	}
	return p.freshJSON(a)
}

// says reports whether a value is read as the answers.
func (p *preference) says(value string, a *answers) bool {
	stored := p.parse(value, a.keys)
	return stored.state == Valid && p.counts(stored.made, func() time.Time { return a.now }) &&
		stored.granted&a.granted == a.granted && stored.refused&a.granted == 0 &&
		(stored.refused&a.refused == a.refused || a.listed && stored.granted&a.refused == 0)
}

// fits returns an error if browsers or servers on the way would not keep the cookie as it is.
func (p *preference) fits(value string) error {
	switch {
	case len(p.cookie)+len(value) > wire.MaxPair:
		return policy.Unwritable{Reason: policy.ReasonTooLong, Cookie: p.cookie}
	case !storable(value) || wire.Trim(value) != value:
		return policy.Unwritable{Reason: policy.ReasonKey, Cookie: p.cookie}
	}
	return nil
}

// storable reports whether browsers store a value with these bytes. Chromium rejects a tab.
func storable(value string) bool {
	return !wire.HasControl(value) && !strings.ContainsAny(value, ";\t")
}

// yesAndNo are the words of a preference for what is granted and what is refused.
type yesAndNo struct{ yes, no string }

// opposites are words by which tools refuse, by the word by which they grant.
var opposites = map[string]string{
	"true": "false", "True": "False", "TRUE": "FALSE", "1": "0", "yes": "no", "y": "n", "on": "off",
	"allow": "deny", "allowed": "denied", "granted": "denied", "grant": "deny",
	"accept": "reject", "accepted": "rejected", "opt-in": "opt-out", "optin": "optout",
	policy.AnyTime: "-1",
}

// no returns the word that refuses where yes grants.
func no(yes string, grants func(word string) bool) string {
	for _, word := range []string{opposites[yes], "no", "false", "0"} {
		if word != "" && !grants(word) {
			return word
		}
	}
	return "refused"
}

// wordsFor returns the words that a tool writes where one of its own values stands, or, if that is no
// word of the preference, the first ones.
func (p *preference) wordsFor(value string) (words yesAndNo, recognized bool) {
	counts := parsed{words: p.words}
	isYes := func(word string) bool { return counts.isYes([]byte(word)) }
	for _, yes := range p.words {
		if w := (yesAndNo{yes, no(yes, isYes)}); value == w.yes || value == w.no {
			return w, true
		}
	}
	if len(p.words) == 0 {
		return yesAndNo{"true", "false"}, false
	}
	return yesAndNo{p.words[0], no(p.words[0], isYes)}, false
}

// flagValue returns the value of a flag.
func (p *preference) flagValue(granted bool) string {
	word := p.value
	if !granted {
		word = no(p.value, func(word string) bool { return word == p.value })
	}
	return encoding{}.wrap(encoding{}.encode(word))
}
