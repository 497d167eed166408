package evidence

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
)

// Day is what was counted on one day, in UTC.
//
// A later version can add fields if they are left out where they are empty: the digests of days that are
// kept stay the same then.
type Day struct {
	Day string `json:"day"` // 2026-01-15

	observe.Counters

	InForce  []string `json:"in_force,omitempty"` // digests of the policies that were in force
	Unlisted []string `json:"unlisted,omitempty"` // names that no rule names, reported for the first time
	More     int      `json:"more,omitempty"`     // how many more such names there were

	// Previous is the digest of the record of the day before, or nothing for the first day.
	Previous string `json:"previous,omitempty"`
}

// Bounds of the names of a day.
const (
	maxUnlisted = 50
	maxWord     = 200
	maxInForce  = 50
)

func dayOf(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// Digest returns the SHA-256 of the day's JSON, in hexadecimal digits. The digest of the day before is
// part of it.
func (d *Day) Digest() string {
	b, err := json.Marshal(d)
	if err != nil {
		panic("evidence: a day is plain data: " + err.Error())
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// bound cuts a day that was read down to what a day can hold.
func (d *Day) bound() {
	d.Counters.Bound()
	d.InForce, d.Unlisted = boundWords(d.InForce, maxInForce), boundWords(d.Unlisted, maxUnlisted)
}

// shorten cuts text between two characters, and makes it UTF-8: JSON holds no other text, and the day's
// digest is that of its JSON.
func shorten(text string) string {
	text = strings.ToValidUTF8(text, "?")
	for n := maxWord; len(text) > maxWord; n-- {
		if utf8.RuneStart(text[n]) {
			text = text[:n]
		}
	}
	return text
}

// boundWords returns as many words as there can be, each cut.
func boundWords(words []string, n int) []string {
	words = words[:min(n, len(words))]
	for i, word := range words {
		words[i] = shorten(word)
	}
	return words
}

// addUnlisted adds names that were not reported on an earlier day.
func (d *Day) addUnlisted(names ...string) {
	for _, name := range names {
		name = shorten(name)
		switch {
		case slices.Contains(d.Unlisted, name):
		case len(d.Unlisted) < maxUnlisted:
			d.Unlisted = append(d.Unlisted, name)
		default:
			d.More++
		}
	}
}

// addInForce adds the digest of a policy that is in force on the day.
func (d *Day) addInForce(digest string) {
	if digest != "" && !slices.Contains(d.InForce, digest) && len(d.InForce) < maxInForce {
		d.InForce = append(d.InForce, digest)
	}
}

// Chain is what checking the digests of a record's days came to.
type Chain struct {
	Instance string `json:"instance"`
	Holds    bool   `json:"holds"`           // each day has the digest of the one before
	Days     int    `json:"days"`            // that are over
	First    string `json:"first,omitempty"` // day
	Last     string `json:"last,omitempty"`  // day that is over
	Digest   string `json:"digest,omitempty"`
	Broken   string `json:"broken,omitempty"` // the first day that does not follow from the one before
}

// Verify checks that each day has the digest of the one before, and that days are in order. The last day
// is not over, and has no digest that anything holds. Days before the first one that is kept cannot be
// checked.
func Verify(instance string, days []Day) Chain {
	c := Chain{Instance: instance, Holds: true, Days: max(0, len(days)-1)}
	for i := range days {
		d := &days[i]
		if _, err := time.Parse(time.DateOnly, d.Day); err != nil {
			c.breakAt(d)
		}
		if i > 0 && (d.Day <= days[i-1].Day || d.Previous != days[i-1].Digest()) {
			c.breakAt(d)
		}
	}
	if c.Days > 0 {
		last := &days[c.Days-1]
		c.First, c.Last, c.Digest = days[0].Day, last.Day, last.Digest()
	}
	return c
}

func (c *Chain) breakAt(d *Day) {
	if c.Holds {
		c.Holds, c.Broken = false, d.Day[:min(len(d.Day), len(time.DateOnly))]
	}
}
