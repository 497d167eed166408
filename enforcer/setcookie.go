package enforcer

import "strings"

// Limits that browsers set (RFC 6265bis section 5.6).
const (
	maxPair           = 4096 // bytes of name and value together; a longer pair is not stored
	maxAttributeValue = 1024 // bytes; a longer value counts as if the attribute were not there
)

// setCookie is one Set-Cookie line as browsers read it. Its strings are parts of the line.
type setCookie struct {
	name       string
	value      string
	attributes string // what follows the first semicolon
}

// read reads a line into an empty cookie, by RFC 6265bis section 5.6, steps 2 to 5; step 1 is hasControl. It is not ok where browsers differ: a
// line without a name (Chromium stores `a` and `=a` nameless or not at all, Firefox stores `a` under that name).
func (c *setCookie) read(line string) (ok bool) {
	pair := line
	if semicolon := strings.IndexByte(line, ';'); semicolon >= 0 {
		pair, c.attributes = line[:semicolon], line[semicolon+1:]
	}
	equals := strings.IndexByte(pair, '=')
	if equals < 0 {
		return false
	}
	c.name, c.value = trim(pair[:equals]), trim(pair[equals+1:])
	return c.name != ""
}

// storable says whether every browser takes the line at all, whatever the policy says. Chromium refuses a tab inside a name or a value.
func (c *setCookie) storable() bool {
	return len(c.name)+len(c.value) <= maxPair && strings.IndexByte(c.name, '\t') < 0 && strings.IndexByte(c.value, '\t') < 0
}

// attributes are what decides something here: the values of those that have one, empty where one is not given, and whether the others are
// given. Of attributes given twice the last counts, valid or not.
type attributes struct {
	domain, path, maxAge, expires, sameSite string
	secure, httpOnly, partitioned           bool

	refused bool // not every browser takes a line with these attributes
}

// readAttributes reads what follows the pair, by RFC 6265bis section 5.6, step 6 and following.
func (c *setCookie) readAttributes() (a attributes) {
	hasTab := strings.IndexByte(c.attributes, '\t') >= 0
	for rest, more := c.attributes, true; more; {
		var av string
		if semicolon := strings.IndexByte(rest, ';'); semicolon >= 0 {
			av, rest = rest[:semicolon], rest[semicolon+1:]
		} else {
			av, more = rest, false
		}
		name, value := av, ""
		if equals := strings.IndexByte(av, '='); equals >= 0 {
			name, value = av[:equals], trim(av[equals+1:])
		}
		name = trim(name)
		if hasTab && (strings.IndexByte(name, '\t') >= 0 || strings.IndexByte(value, '\t') >= 0) {
			a.refused = true // by Chromium, be the attribute known or not
		}
		if len(value) > maxAttributeValue {
			continue
		}
		switch len(name) {
		case len("path"):
			if equalFold(name, "path") {
				a.path = value
			}
		case len("domain"), len("max-age"), len("samesite"), len("partitioned"):
			a.set(name, value)
		}
	}
	a.refused = a.refused || !a.suit(c.name)
	return a
}

// set keeps an attribute, if it is one of those that decide something.
func (a *attributes) set(name, value string) {
	switch {
	case equalFold(name, "domain"):
		a.domain = value
	case equalFold(name, "secure"):
		a.secure = true
	case equalFold(name, "max-age"):
		a.maxAge = value
	case equalFold(name, "expires"):
		a.expires = value
	case equalFold(name, "httponly"):
		a.httpOnly = true
	case equalFold(name, "samesite"):
		a.sameSite = value
	case equalFold(name, "partitioned"):
		a.partitioned = true
	}
}

// suit says whether the attributes are such as browsers demand for the name, for SameSite=None and for Partitioned.
func (a *attributes) suit(name string) bool {
	secure, httpOnly, hostOnly := demandsOf(name)
	secure = secure || a.partitioned || equalFold(a.sameSite, "none")
	return (a.secure || !secure) && (a.httpOnly || !httpOnly) && (!hostOnly || a.domain == "" && a.path == "/")
}

// demandsOf says what browsers demand of a line for a name with a prefix, whatever its case: Secure, HttpOnly, and that the cookie is the host's
// alone, at Path=/ (RFC 6265bis section 5.4; Chromium and Firefox know __Http- and __Host-Http- too).
func demandsOf(name string) (secure, httpOnly, hostOnly bool) {
	if !hasPrefixFold(name, "__") {
		return false, false, false
	}
	hostOnly = hasPrefixFold(name, "__host-")
	httpOnly = hasPrefixFold(name, "__http-") || hasPrefixFold(name, "__host-http-")
	return hostOnly || httpOnly || hasPrefixFold(name, "__secure-"), httpOnly, hostOnly
}

// trim removes spaces and tabs around s, and nothing else: not what Unicode calls blank.
func trim(s string) string {
	s = trimLeft(s)
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

func trimLeft(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	return s
}

// hasControl finds a control character other than tab (RFC 6265bis section 5.6, step 1). It looks at many bytes at once: every byte of
// every line that stays comes by here.
func hasControl(s string) bool {
	const (
		ones  = 0x0101010101010101
		highs = 0x8080808080808080
	)
	// The high bit of a byte is set where it was below a blank, or 0x7F. A borrow or a carry can set it for the next byte too: what is
	// suspected is looked at.
	suspects := func(s string) uint64 {
		x := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
		return ((x - ones*' ') | (x + ones)) &^ x
	}
	for ; len(s) >= 32; s = s[32:] {
		if (suspects(s)|suspects(s[8:])|suspects(s[16:])|suspects(s[24:]))&highs != 0 && anyControl(s[:32]) {
			return true
		}
	}
	for ; len(s) >= 8; s = s[8:] {
		if suspects(s)&highs != 0 && anyControl(s[:8]) {
			return true
		}
	}
	return anyControl(s)
}

func anyControl(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return true
		}
	}
	return false
}

// equalFold compares s with a word of lower-case ASCII, without regard to the case of ASCII letters in s.
func equalFold(s, lower string) bool {
	if len(s) != len(lower) {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
