package wire

import "strings"

// SetCookie is one Set-Cookie line as browsers read it. Its strings are parts of the line.
type SetCookie struct {
	Name       string
	Value      string
	Attributes string // what follows the first semicolon
}

// ParseSetCookie reads a line by RFC 6265bis section 5.6, steps 2 to 5; step 1 is [HasControl]. It
// reports false where browsers disagree about the name: for a line without an equals sign before
// the first semicolon (Firefox stores `a` as a name, Chromium as a value without a name), and for
// one with nothing before it.
func ParseSetCookie(line string) (c SetCookie, ok bool) {
	pair := line
	if semicolon := strings.IndexByte(line, ';'); semicolon >= 0 {
		pair, c.Attributes = line[:semicolon], line[semicolon+1:]
	}
	equals := strings.IndexByte(pair, '=')
	if equals < 0 {
		return c, false
	}
	c.Name, c.Value = Trim(pair[:equals]), Trim(pair[equals+1:])
	return c, c.Name != ""
}

// Storable reports whether every browser accepts the pair, apart from control characters. Chromium
// rejects a tab inside a name or a value.
func (c *SetCookie) Storable() bool {
	return len(c.Name)+len(c.Value) <= MaxPair &&
		strings.IndexByte(c.Name, '\t') < 0 && strings.IndexByte(c.Value, '\t') < 0
}

// Attributes are the attributes of a Set-Cookie line that have a meaning to the gateway: the values
// of those that have one, empty if absent, and whether the others are present. Where an attribute is
// given twice, the last one counts, valid or not.
type Attributes struct {
	Domain, Path, MaxAge, Expires, SameSite string
	Secure, HTTPOnly, Partitioned           bool

	// Rejected is set if some browser does not store a line with these attributes.
	Rejected bool
}

// ParseAttributes reads what follows the pair, by RFC 6265bis section 5.6, steps 6 and following.
func (c *SetCookie) ParseAttributes() (a Attributes) {
	hasTab := strings.IndexByte(c.Attributes, '\t') >= 0
	for rest, more := c.Attributes, true; more; {
		var av string
		if semicolon := strings.IndexByte(rest, ';'); semicolon >= 0 {
			av, rest = rest[:semicolon], rest[semicolon+1:]
		} else {
			av, more = rest, false
		}
		av = trimLeft(av)
		known, value := usualAttribute(av)
		if known == unknownAttribute {
			name, _, _ := strings.Cut(av, "=")
			value = av[min(len(name)+1, len(av)):]
			name = Trim(name)
			known = attributeNamed(name)
			if hasTab && strings.IndexByte(name, '\t') >= 0 {
				a.Rejected = true // by Chromium, whether it knows the attribute or not
			}
		}
		value = Trim(value)
		if hasTab && strings.IndexByte(value, '\t') >= 0 {
			a.Rejected = true
		}
		if len(value) <= MaxAttributeValue {
			a.set(known, value)
		}
	}
	a.Rejected = a.Rejected || !a.meet(c.Name)
	return a
}

// usualAttribute reads an attribute that is written as most portals do.
func usualAttribute(av string) (known attribute, value string) {
	switch {
	case strings.HasPrefix(av, "Path="):
		return pathAttribute, av[len("Path="):]
	case strings.HasPrefix(av, "expires="), strings.HasPrefix(av, "Expires="):
		return expiresAttribute, av[len("expires="):]
	case strings.HasPrefix(av, "Max-Age="):
		return maxAgeAttribute, av[len("Max-Age="):]
	case strings.HasPrefix(av, "SameSite="):
		return sameSiteAttribute, av[len("SameSite="):]
	case strings.HasPrefix(av, "Domain="):
		return domainAttribute, av[len("Domain="):]
	case av == "Secure":
		return secureAttribute, ""
	case av == "HttpOnly":
		return httpOnlyAttribute, ""
	}
	return unknownAttribute, ""
}

// set stores an attribute, if it is one that is known.
func (a *Attributes) set(known attribute, value string) {
	switch known {
	case domainAttribute:
		a.Domain = value
	case pathAttribute:
		a.Path = value
	case maxAgeAttribute:
		a.MaxAge = value
	case expiresAttribute:
		a.Expires = value
	case sameSiteAttribute:
		a.SameSite = value
	case secureAttribute:
		a.Secure = true
	case httpOnlyAttribute:
		a.HTTPOnly = true
	case partitionedAttribute:
		a.Partitioned = true
	}
}

// attribute is an attribute that browsers know.
type attribute uint8

const (
	unknownAttribute attribute = iota
	domainAttribute
	pathAttribute
	maxAgeAttribute
	expiresAttribute
	sameSiteAttribute
	secureAttribute
	httpOnlyAttribute
	partitionedAttribute
	attributeCount
)

var attributeNames = [attributeCount]string{
	"", "domain", "path", "max-age", "expires", "samesite", "secure", "httponly", "partitioned",
}

// displayNames are the names of the attributes as they are usually written.
var displayNames = [attributeCount]string{
	"", "Domain", "Path", "Max-Age", "Expires", "SameSite", "Secure", "HttpOnly", "Partitioned",
}

func attributeNamed(name string) attribute {
	switch len(name) {
	case len("path"):
		return pathAttribute.ifNamed(name)
	case len("domain"): // and secure
		return domainAttribute.ifNamed(name) | secureAttribute.ifNamed(name)
	case len("max-age"): // and expires
		return maxAgeAttribute.ifNamed(name) | expiresAttribute.ifNamed(name)
	case len("samesite"): // and httponly
		return sameSiteAttribute.ifNamed(name) | httpOnlyAttribute.ifNamed(name)
	case len("partitioned"):
		return partitionedAttribute.ifNamed(name)
	}
	return unknownAttribute
}

// ifNamed returns the attribute if it has this name, in any case.
func (a attribute) ifNamed(name string) attribute {
	if EqualFold(name, attributeNames[a]) {
		return a
	}
	return unknownAttribute
}

// meet reports whether the attributes meet what browsers require for the name, for SameSite=None and
// for Partitioned.
func (a *Attributes) meet(name string) bool {
	require := PrefixRequirements(name)
	secure := require.Secure || a.Partitioned || EqualFold(a.SameSite, "none")
	return (a.Secure || !secure) && (a.HTTPOnly || !require.HTTPOnly) &&
		(!require.HostOnly || a.Domain == "" && a.Path == "/")
}

// Requirements are what browsers require of a line because of the prefix of its name.
type Requirements struct {
	Secure   bool
	HTTPOnly bool
	HostOnly bool // no Domain, and Path=/
}

// PrefixRequirements returns what browsers require of a cookie with this name, ignoring the case of
// the prefix (RFC 6265bis section 5.4; Chromium and Firefox know __Http- and __Host-Http- too).
func PrefixRequirements(name string) (r Requirements) {
	if len(name) < 2 || name[:2] != "__" {
		return r
	}
	r.HostOnly = HasPrefixFold(name, "__host-")
	r.HTTPOnly = HasPrefixFold(name, "__http-") || HasPrefixFold(name, "__host-http-")
	r.Secure = r.HostOnly || r.HTTPOnly || HasPrefixFold(name, "__secure-")
	return r
}

// Strictness orders the values of SameSite: 3 strict, 2 lax, 1 none, 0 for a value that browsers do
// not know, which counts as if the attribute were absent.
func Strictness(sameSite string) int {
	switch {
	case EqualFold(sameSite, "none"):
		return 1
	case EqualFold(sameSite, "lax"):
		return 2
	case EqualFold(sameSite, "strict"):
		return 3
	}
	return 0
}

// Describe writes down the names of the attributes that browsers know, with the values of Domain,
// SameSite and the lifetimes, and no others: an unknown attribute can contain anything, and a Path
// other than / the name of a person.
func (c *SetCookie) Describe() string {
	var b strings.Builder
	for av := range strings.SplitSeq(c.Attributes, ";") {
		name, value, _ := strings.Cut(av, "=")
		name = Trim(name)
		known := attributeNamed(name)
		if known == unknownAttribute {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("; ")
		}
		b.WriteString(name)
		value = Trim(value)
		if known == pathAttribute && value != "" && value != "/" {
			value = "(other)"
		}
		if value != "" && known <= sameSiteAttribute {
			b.WriteString("=" + Shorten(value))
		}
		if b.Len() > 4*MaxWord {
			break
		}
	}
	return b.String()
}
