package enforcer

import (
	"strings"
	"time"
)

// deletes says whether every browser would act on a line with these attributes as a deletion: its life is over when it arrives.
//
// Max-Age wins over Expires (RFC 6265bis section 5.7, step 8), unless no browser reads it as a number: then it is as if it were not given
// (section 5.6.2).
func (a *attributes) deletes(p *past) bool {
	if a.refused {
		return false
	}
	if m := parseMaxAge(a.maxAge); m.readBy != noBrowser {
		return m.readBy == everyBrowser && m.seconds <= 0
	}
	if a.expires == "" || p.isFuture(a.expires) {
		return false
	}
	date, ok := parseDate(a.expires)
	return ok && p.isLongPast(date)
}

// outlives says at a glance that a line is no deletion, where that is plain: it has no lifetime, or one plain Max-Age, or no Max-Age and one
// Expires in a later year than this. Most lines are of this kind.
func (c *setCookie) outlives(p *past) bool {
	maxAge, expires := false, ""
	for rest := c.attributes; rest != ""; {
		rest = trimLeft(rest)
		end := strings.IndexByte(rest, ';')
		if end < 0 {
			end = len(rest)
		}
		if end > 0 {
			switch av := rest[:end]; av[0] | 0x20 {
			case 'm':
				if maxAge || !isPlainLife(av) {
					return false
				}
				maxAge = true
			case 'e':
				if expires != "" || end > maxAttributeValue || !hasPrefixFold(av, "expires=") {
					return false
				}
				expires = av
			}
		}
		rest = rest[min(end+1, len(rest)):]
	}
	return maxAge || expires == "" || p.isFuture(expires)
}

// isPlainLife says whether an attribute is Max-Age with a positive number, written as nearly everybody writes it.
func isPlainLife(av string) bool {
	digits, found := strings.CutPrefix(av, "Max-Age=")
	return found && len(digits) <= 18 && isNumber(digits) && digits[0] != '0'
}

func isNumber(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// past tells long past dates from others. It reads the clock once, and only when a verdict needs it.
type past struct {
	now    func() time.Time
	header map[string][]string // the response's, for its Date
	before time.Time
	known  bool // before is set

	thisYear int // zero until it is asked for
}

// isFuture is a quick look at a date: a number of four digits beyond this year is its year, or makes it no date that parseDate reads.
func (p *past) isFuture(text string) bool {
	// In `Sat, 15 Jan 2028 12:00:00 GMT` it stands here.
	if end := len(text) - len(" 12:00:00 GMT"); end > 4 && text[end] == ' ' && text[end-5] == ' ' && p.hasLaterYear(text[end-4:end]) {
		return true
	}
	return p.hasLaterYear(text)
}

// hasLaterYear finds a number of four digits beyond this year.
func (p *past) hasLaterYear(text string) bool {
	digits, number := 0, 0
	for i := range len(text) {
		c := text[i]
		if '0' <= c && c <= '9' {
			digits, number = digits+1, 10*number+int(c-'0')
			continue
		}
		if digits == 4 && number > p.year() {
			return true
		}
		digits, number = 0, 0
	}
	return digits == 4 && number > p.year()
}

// year is the gateway's, which no later one can be long past of.
func (p *past) year() int {
	if p.thisYear == 0 {
		p.thisYear = p.now().UTC().Year()
	}
	return p.thisYear
}

// isLongPast says whether a date is a day or more in the past by the gateway's clock and by the response's Date. Browsers correct Expires
// for the difference between the server's clock, which Date shows, and their own. A Date that cannot be read makes no date long past.
func (p *past) isLongPast(date time.Time) bool {
	if !p.known {
		p.known = true
		p.before = p.now()
		for key, lines := range p.header {
			if equalFold(key, "date") {
				p.notBefore(lines)
			}
		}
	}
	return !p.before.IsZero() && !date.Add(time.Duration(day)).After(p.before)
}

// earliest is the gateway's clock or the response's Date, whichever is earlier: an Expires that much later ends a life of no more in any browser.
func (p *past) earliest() time.Time {
	p.isLongPast(time.Time{})
	if p.before.IsZero() {
		return p.now()
	}
	return p.before
}

func (p *past) notBefore(dates []string) {
	for _, text := range dates {
		if sent, ok := parseDate(text); !ok {
			p.before = time.Time{}
		} else if sent.Before(p.before) {
			p.before = sent
		}
	}
}
