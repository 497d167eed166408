package enforcer

import "time"

// deletes says whether every browser would act on a line with these attributes as a deletion: its life is over when it arrives.
//
// Max-Age wins over Expires (RFC 6265bis section 5.7, step 8). Where a Max-Age is given that is no number, browsers differ: some take
// Expires then, some make a session cookie of it. That is no deletion. An empty Max-Age counts nowhere.
func (a *attributes) deletes(p *past) bool {
	if a.maxAge != "" {
		return isSpent(a.maxAge)
	}
	if a.expires == "" {
		return false
	}
	date, ok := parseDate(a.expires)
	return ok && p.isLongPast(date)
}

// isSpent accepts a Max-Age of zero or less (RFC 6265bis section 5.6.2): an optional minus and digits, no other sign, no fraction.
func isSpent(maxAge string) bool {
	digits, negative := maxAge, false
	if digits[0] == '-' {
		digits, negative = digits[1:], true
	}
	if digits == "" {
		return false
	}
	zero := true
	for _, c := range []byte(digits) {
		if c < '0' || c > '9' {
			return false
		}
		zero = zero && c == '0'
	}
	return negative || zero
}

// past tells long past dates from others. It reads the clock once, and only when a verdict needs it.
type past struct {
	now    func() time.Time
	header map[string][]string // the response's, for its Date
	before time.Time
	known  bool // before is set
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

func (p *past) notBefore(dates []string) {
	for _, text := range dates {
		if sent, ok := parseDate(text); !ok {
			p.before = time.Time{}
		} else if sent.Before(p.before) {
			p.before = sent
		}
	}
}
