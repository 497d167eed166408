package wire

import (
	"math"
	"strings"
	"time"
)

// Clock is the time against which the lines of one response are judged. It reads the clock that it
// was given at most once, and only when a line needs it.
//
// Browsers correct an Expires for the difference between the server's clock, as the response's Date
// shows it, and their own. A Clock therefore takes the earlier of its own time and Date.
type Clock struct {
	now      func() time.Time
	dates    []string // the lines of the response's Date
	read     bool
	earliest time.Time // zero where a Date cannot be read
}

// NewClock returns a Clock for a response with the given Date lines.
func NewClock(now func() time.Time, dates []string) Clock { return Clock{now: now, dates: dates} }

// Now returns the time of the clock that the Clock was given.
func (c *Clock) Now() time.Time { return c.now() }

// isLongPast reports whether a date is a day or more in the past by both clocks. If the Date cannot
// be read, no date is.
func (c *Clock) isLongPast(date time.Time) bool {
	c.readOnce()
	return !c.earliest.IsZero() && !date.Add(24*time.Hour).After(c.earliest)
}

// start returns the earliest time at which the lifetime of a line can begin in any browser.
func (c *Clock) start() time.Time {
	c.readOnce()
	if c.earliest.IsZero() {
		return c.now()
	}
	return c.earliest
}

func (c *Clock) readOnce() {
	if c.read {
		return
	}
	c.read = true
	c.earliest = c.now()
	for _, text := range c.dates {
		if sent, ok := ParseDate(text); !ok {
			c.earliest = time.Time{}
		} else if sent.Before(c.earliest) {
			c.earliest = sent
		}
	}
}

// Deletes reports whether every browser acts on a line with these attributes as a deletion.
//
// Max-Age wins over Expires (RFC 6265bis section 5.7, step 8), unless it is not a number: then it
// counts as if it were absent (section 5.6.2).
func (a *Attributes) Deletes(c *Clock) bool {
	if a.Rejected || a.MaxAge == "" && a.Expires == "" {
		return false
	}
	switch m := parseMaxAge(a.MaxAge); {
	case m.chromium.isNumber && m.firefox.isNumber:
		return m.chromium.seconds <= 0 && m.firefox.seconds <= 0
	case m.chromium.isNumber || m.firefox.isNumber && m.firefox.seconds > 0:
		return false
	}
	if a.Expires == "" {
		return false
	}
	date, ok := ParseDate(a.Expires)
	return ok && c.isLongPast(date)
}

// MayDelete reports whether some browser may act on a line with these attributes as a deletion, its
// clock being up to a day ahead.
func (a *Attributes) MayDelete(now time.Time) bool {
	m := parseMaxAge(a.MaxAge)
	for _, r := range [...]reading{m.chromium, m.firefox} {
		if r.isNumber && r.seconds <= 0 {
			return true
		}
	}
	if m.chromium.isNumber && m.firefox.isNumber || a.Expires == "" {
		return false
	}
	expires, ok := ParseDate(a.Expires)
	if !ok {
		return true // some browser may read a date here
	}
	return !expires.After(now.Add(24*time.Hour + maxZoneShift))
}

// longestLifetime is how long browsers keep a cookie at most (RFC 6265bis section 5.5).
const longestLifetime = 400 * 24 * time.Hour

// Lifetime returns the longest time for which a browser may keep a cookie with these attributes. It
// reports false for a session cookie. A lifetime of zero or less is that of a deletion. A date that
// not every browser reads may be one of any year that stands in it.
func (a *Attributes) Lifetime(now time.Time) (lifetime time.Duration, persistent bool) {
	m := parseMaxAge(a.MaxAge)
	for _, r := range [...]reading{m.chromium, m.firefox} {
		if r.isNumber {
			seconds := min(max(r.seconds, 0), int64(longestLifetime/time.Second))
			lifetime, persistent = max(lifetime, time.Duration(seconds)*time.Second), true
		}
	}
	if a.Expires == "" || m.chromium.isNumber && m.firefox.isNumber {
		return lifetime, persistent
	}
	left := time.Duration(0)
	switch expires, ok := ParseDate(a.Expires); {
	case ok:
		left = min(expires.Sub(now).Round(time.Minute), longestLifetime) // the portal's clock differs
	case mayBeFuture(a.Expires, now.Year()):
		left = longestLifetime
	case !hasMonth(a.Expires):
		return lifetime, persistent
	}
	if !persistent || left > lifetime {
		lifetime = left
	}
	return lifetime, true
}

// maxAge is what browsers read in the value of a Max-Age attribute.
type maxAge struct{ chromium, firefox reading }

// reading is the number that a browser reads, if it reads one: otherwise the attribute counts as if
// it were absent. Zero or less deletes.
type reading struct {
	seconds  int64
	isNumber bool
}

// exceeds reports whether the reading is a longer lifetime than limit seconds.
func (r reading) exceeds(limit int64) bool { return r.isNumber && r.seconds > limit }

// parseMaxAge reads a Max-Age: an optional minus and digits (RFC 6265bis section 5.6.2). A number
// past int64 is clipped. Browsers read more than that:
//
//   - Chromium reads a plus as a sign. A number at an end of the range of int64 or beyond counts,
//     whatever follows: 9223372036854775807x is the longest lifetime there is, and 3600x is not a
//     number (base::StringToInt64, and ParseExpiration in net/cookies/canonical_cookie.cc).
//   - Firefox takes anything that begins with a minus as a deletion. A number past int64 counts,
//     whatever follows.
func parseMaxAge(text string) (m maxAge) {
	digits, negative := strings.CutPrefix(text, "-")
	plus := false
	if !negative {
		digits, plus = strings.CutPrefix(digits, "+")
	}
	var n uint64
	end := 0
	for ; isDigit(digits, end); end++ {
		if n > math.MaxInt64/10 {
			n = 1 << 63 // another digit takes it past int64, and there it stays
			continue
		}
		n = 10*n + uint64(digits[end]-'0')
	}
	isNumber := end > 0 && end == len(digits)
	past := n > math.MaxInt64
	switch {
	case negative:
		m.chromium = reading{-int64(min(n, math.MaxInt64)), isNumber || past}
		m.firefox = reading{-1, true}
	default:
		seconds := int64(min(n, math.MaxInt64))
		m.chromium = reading{seconds, isNumber || n >= math.MaxInt64}
		m.firefox = reading{seconds, !plus && (isNumber || past)}
	}
	return m
}
