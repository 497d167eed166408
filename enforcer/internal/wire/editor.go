package wire

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Editor changes single attributes of a Set-Cookie line. All other bytes of the line stay as they
// are. Its work and its memory are linear in the line.
type Editor struct {
	line  string
	start int // index of the first attribute, behind its semicolon; past the end if there is none

	// Of each known attribute, the one that counts: the last one whose value is not too long
	// (RFC 6265bis section 5.7).
	last [attributeCount]span

	changes [attributeCount]change
	value   [attributeCount]string // in place of the one that counts, where that is replaced
	added   []string

	domain         string // in place of the line's own, if it was replaced
	domainReplaced bool
	hasTab         bool // somewhere in the attributes
}

// span is one attribute of a line.
type span struct {
	start, end           int // from its semicolon on
	valueStart, valueEnd int
	bare                 bool // without an equals sign
}

// change is what becomes of an attribute.
type change uint8

const (
	unchanged change = iota
	replaced         // the one that counts gets another value
	removed          // all of the name are removed: without the last, an earlier one would count
)

// NewEditor returns an Editor of a line, as [ParseSetCookie] read it.
func NewEditor(line string, c *SetCookie) *Editor {
	e := &Editor{line: line, start: len(line) - len(c.Attributes)}
	e.hasTab = strings.IndexByte(c.Attributes, '\t') >= 0
	e.each(func(s span, a attribute) {
		if s.valueEnd-s.valueStart <= MaxAttributeValue {
			e.last[a] = s
		}
	})
	return e
}

// each calls f with each attribute of the line, in order.
func (e *Editor) each(f func(span, attribute)) {
	for at := e.start; at < len(e.line) || at == len(e.line) && at > 0 && e.line[at-1] == ';'; {
		end := len(e.line)
		if semicolon := strings.IndexByte(e.line[at:], ';'); semicolon >= 0 {
			end = at + semicolon
		}
		s := span{start: at - 1, end: end, valueStart: end, valueEnd: end, bare: true}
		name := e.line[at:end]
		if equals := strings.IndexByte(name, '='); equals >= 0 {
			value := name[equals+1:]
			name = name[:equals]
			s.bare = false
			s.valueStart = at + equals + 1 + len(value) - len(trimLeft(value))
			s.valueEnd = s.valueStart + len(Trim(value))
		}
		f(s, attributeNamed(Trim(name)))
		at = end + 1
	}
}

func (e *Editor) has(a attribute) bool { return e.last[a].end > 0 }

// valueOf returns the value that counts, before any change.
func (e *Editor) valueOf(a attribute) string {
	return e.line[e.last[a].valueStart:e.last[a].valueEnd]
}

func (e *Editor) replace(a attribute, value string) { e.changes[a], e.value[a] = replaced, value }

func (e *Editor) add(attribute string) { e.added = append(e.added, attribute) }

// set replaces the value that counts, or adds the attribute.
func (e *Editor) set(a attribute, name, value string) {
	if e.has(a) && !e.hasTab {
		e.replace(a, value)
	} else {
		e.add(name + "=" + value)
	}
}

// remove removes an attribute, all of its occurrences: an earlier one would count in place of the
// last.
//
// Chromium rejects a line because of a tab in an attribute. It must go on doing so, so in a line with
// tabs nothing is removed: an empty attribute at the end counts as if there were none.
func (e *Editor) remove(a attribute, name string) {
	if !e.hasTab {
		e.changes[a] = removed
	} else if e.has(a) {
		e.add(name + "=")
	}
}

// String returns the edited line.
func (e *Editor) String() string {
	if len(e.added) == 0 && e.changes == [attributeCount]change{} {
		return e.line
	}
	var b strings.Builder
	at := 0
	e.each(func(s span, a attribute) {
		switch {
		case e.changes[a] == removed:
			b.WriteString(e.line[at:s.start])
			at = s.end
		case e.changes[a] == replaced && s == e.last[a]:
			b.WriteString(e.line[at:s.valueStart])
			if s.bare {
				b.WriteByte('=')
			}
			b.WriteString(e.value[a])
			at = s.valueEnd
		}
	})
	b.WriteString(e.line[at:])
	for _, attribute := range e.added {
		b.WriteString("; ")
		b.WriteString(attribute)
	}
	return b.String()
}

// Changes returns what the edited line has in place of what the line had, in words. It names attributes
// and their new values.
func (e *Editor) Changes() (changes []string) {
	for a := attribute(1); a < attributeCount; a++ {
		name := displayNames[a]
		switch e.changes[a] {
		case removed:
			if e.has(a) {
				changes = append(changes, name+" is removed")
			}
		case replaced:
			changes = append(changes, name+" becomes "+e.value[a])
		}
	}
	for _, attribute := range e.added {
		changes = append(changes, attribute+" is added")
	}
	return changes
}

// Domain returns the Domain that the edited line has, as [NormalDomain] writes it; "" if it has none.
func (e *Editor) Domain() string {
	if e.domainReplaced {
		return e.domain
	}
	return NormalDomain(e.valueOf(domainAttribute))
}

// ReplaceDomain replaces the Domain, or removes it if domain is "".
func (e *Editor) ReplaceDomain(domain string) {
	e.domain, e.domainReplaced = domain, e.has(domainAttribute)
	switch {
	case !e.has(domainAttribute):
	case domain == "":
		e.remove(domainAttribute, "Domain")
	default:
		e.set(domainAttribute, "Domain", domain)
	}
}

// AddSecure adds Secure if it is absent.
func (e *Editor) AddSecure() {
	if !e.has(secureAttribute) && !slices.Contains(e.added, "Secure") {
		e.add("Secure")
	}
}

// AddHTTPOnly adds HttpOnly if it is absent.
func (e *Editor) AddHTTPOnly() {
	if !e.has(httpOnlyAttribute) {
		e.add("HttpOnly")
	}
}

// RaiseSameSite sets a stricter SameSite than the line has: `strict`, `lax` or, on a line without
// the attribute, `none`. Not every browser treats a line without SameSite as Lax.
func (e *Editor) RaiseSameSite(sameSite string) {
	word := strings.ToUpper(sameSite[:1]) + sameSite[1:]
	if Strictness(sameSite) > Strictness(e.valueOf(sameSiteAttribute)) {
		e.set(sameSiteAttribute, "SameSite", word)
	}
}

// EndWithSession makes a session cookie of a line that is more than that in some browser: Max-Age and
// Expires are removed. What [Attributes.Deletes] reports stays a deletion, and so does a line whose
// Expires has passed by both clocks.
func (e *Editor) EndWithSession(clock *Clock) {
	m := parseMaxAge(e.valueOf(maxAgeAttribute))
	persists := m.chromium.exceeds(0) || m.firefox.exceeds(0)
	if !persists && !(m.chromium.isNumber && m.firefox.isNumber) { // some browsers go on to Expires
		persists = mayOutlast(e.valueOf(expiresAttribute), clock.start(), clock)
	}
	if persists {
		e.remove(maxAgeAttribute, "Max-Age")
		e.remove(expiresAttribute, "Expires")
	}
}

// mayOutlast reports whether some browser may keep a cookie with this Expires beyond a time.
func mayOutlast(text string, end time.Time, clock *Clock) bool {
	if text == "" {
		return false
	}
	expires, ok := ParseDate(text)
	if !ok {
		return mayBeFuture(text, clock.Now().Year())
	}
	if clock.isLongPast(expires) {
		return false
	}
	if !isInGMT(text) {
		expires = expires.Add(maxZoneShift)
	}
	return expires.After(end)
}

// LimitLifetime shortens a lifetime that is longer than most in some browser. A session cookie stays
// one, what [Attributes.Deletes] reports stays a deletion, and a line that a browser rejects stays one
// that it rejects. Where browsers disagree about the lifetime, the cookie may become a session cookie.
//
// Where Expires decides, Max-Age is added and wins over it (RFC 6265bis section 5.7, step 8): unlike
// a date, it does not depend on the clocks of portal and visitor.
func (e *Editor) LimitLifetime(most time.Duration, clock *Clock) {
	limit := int64(most / time.Second)
	m := parseMaxAge(e.valueOf(maxAgeAttribute))
	exceeds := m.chromium.exceeds(limit) || m.firefox.exceeds(limit)
	mixed := m.chromium.isNumber != m.firefox.isNumber // some browsers go on to Expires
	switch {
	case exceeds && !mixed:
		e.set(maxAgeAttribute, "Max-Age", strconv.FormatInt(limit, 10))
		return
	case exceeds:
		e.remove(maxAgeAttribute, "Max-Age")
	case m.chromium.isNumber && m.firefox.isNumber:
		return
	}
	text := e.valueOf(expiresAttribute)
	expires, ok := ParseDate(text)
	end := clock.start().Add(most) // of a lifetime as long as it may be
	earliest := expires
	if !isInGMT(text) {
		earliest = expires.Add(-maxZoneShift)
	}
	switch {
	case text == "":
	case !exceeds && !mayOutlast(text, end, clock):
	case ok && earliest.After(end) && (!mixed || exceeds):
		e.set(maxAgeAttribute, "Max-Age", strconv.FormatInt(limit, 10))
	default:
		e.remove(expiresAttribute, "Expires")
	}
}
