package enforcer

import (
	"slices"
	"strings"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/wire"
)

// headerScan is what one pass over a header map finds. Most responses need no more than that.
type headerScan struct {
	setCookie    []string // the lines under the canonical key, as all below
	cacheControl []string
	vary         []string
	date         []string

	hasCookies   bool // under any key
	nonCanonical bool // some cookies are under another key than Set-Cookie
	otherCaching bool // there are fields for caches under other keys than Cache-Control and Vary
}

// read finds what matters in a header map. The scan must be new.
func (s *headerScan) read(header map[string][]string) {
	for key, lines := range header {
		switch fieldOf(key) {
		case setCookieField:
			if s.hasCookies = true; key == "Set-Cookie" {
				s.setCookie = lines
			} else {
				s.nonCanonical = true
			}
		case setCookie2Field:
			s.hasCookies, s.nonCanonical = true, true
		case cacheControlField:
			s.cacheControl = lines
		case varyField:
			s.vary = lines
		case dateField:
			if s.date == nil {
				s.date = lines
			} else { // under two spellings of the key
				s.date = slices.Concat(s.date, lines)
			}
		case otherCachingField:
			s.otherCaching = true
		}
	}
}

// field tells the header fields that matter here from all others.
type field uint8

const (
	otherField field = iota
	setCookieField
	setCookie2Field // retired by RFC 6265 section 9.4; browsers ignore it, other clients may not
	cacheControlField
	varyField
	dateField
	otherCachingField // a field for caches under another key than Cache-Control and Vary
)

// fieldOf reads a key of a header map. A key that carries cookies can be in any case, with blanks
// around it, or with the prefix of a trailer.
func fieldOf(key string) field {
	if key == "" {
		return otherField
	}
	if f := cookieFieldOf(key); f != otherField {
		return f
	}
	if len(key) < 32 && lengthsOfFields[key[0]]&(1<<len(key)) != 0 {
		return namedField(key)
	}
	return otherField
}

// lengthsOfFields are the lengths of the fields of [namedField] that begin with a byte, a bit for each.
// Most keys of a header are told apart by that.
var lengthsOfFields = func() (lengths [256]uint32) {
	for _, name := range append(cacheFields[:], "Date") {
		lengths[name[0]] |= 1 << len(name)
		lengths[name[0]|0x20] |= 1 << len(name)
	}
	return lengths
}()

// namedField reads a key that may be one of the fields that carry no cookies and matter.
func namedField(key string) field {
	switch {
	case key == "Cache-Control":
		return cacheControlField
	case key == "Vary":
		return varyField
	case isField(key, "Date"):
		return dateField
	}
	for _, name := range cacheFields {
		if isField(key, name) {
			return otherCachingField
		}
	}
	return otherField
}

// cookieFieldOf tells the keys that carry cookies from all others.
func cookieFieldOf(key string) field {
	if key == "" {
		return otherField
	}
	switch key[0] {
	case 'S', 's', 'T', 't', ' ', '\t': // the field, the prefix of a trailer, or a blank
	default:
		return otherField
	}
	if key == "Set-Cookie" {
		return setCookieField
	}
	// Servers of HTTP/2 take off the prefix of a trailer, and then may meet the key a second time.
	for strings.HasPrefix(key, "Trailer:") {
		key = key[len("Trailer:"):]
	}
	// Letters outside ASCII count too: HTTP/3 servers lower the case of a key, and the Kelvin sign
	// becomes a k. The second letter tells most other keys apart.
	switch name := wire.Trim(key); {
	case len(name) < len("set-cookie") || name[0] < 0x80 && name[1]|0x20 != 'e':
	case strings.EqualFold(name, "set-cookie"):
		return setCookieField
	case strings.EqualFold(name, "set-cookie2"):
		return setCookie2Field
	}
	return otherField
}

// isField reports whether the key of a header map is a field's name, in any case.
func isField(key, name string) bool {
	return len(key) == len(name) && strings.EqualFold(key, name)
}

// isTrailer reports whether a key is that of a trailer, whose cookies browsers ignore.
func isTrailer(key string) bool { return strings.HasPrefix(key, "Trailer:") }

// isUnsendable reports whether a key can never be sent, because it has blanks in it. Whatever is
// under it can only end in a log.
func isUnsendable(key string) bool { return strings.ContainsAny(key, " \t") }
