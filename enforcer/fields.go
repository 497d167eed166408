package enforcer

import "strings"

// fields are what a look at the keys of a header map tells.
type fields struct {
	cookies bool // there are cookies
	odd     bool // and some of them under another key than Set-Cookie
	caches  bool // there are fields for caches under other keys than Cache-Control and Vary
}

// survey looks at the keys of a header map, once: most responses need no more.
func survey(header map[string][]string) (f fields) {
	for key := range header {
		switch kindOf(key) {
		case setCookieField:
			f.cookies, f.odd = true, f.odd || key != "Set-Cookie"
		case setCookie2Field:
			f.cookies, f.odd = true, true
		case cacheField:
			f.caches = true
		}
	}
	return f
}

// fieldKind tells the header fields that matter from all others.
type fieldKind uint8

const (
	otherField fieldKind = iota
	setCookieField
	setCookie2Field // RFC 6265 section 9.4 retired it; browsers ignore it, other clients may not
	cacheField      // for caches, under another key than Cache-Control and Vary
)

// kindOf reads a key of a header map. Keys that carry cookies may be in any case, with blanks around them, or with the prefix of a trailer.
func kindOf(key string) fieldKind {
	if isCacheField(key) {
		return cacheField
	}
	if len(key) < len("Set-Cookie") {
		return otherField
	}
	switch key[0] {
	case 'S', 's', 'T', ' ', '\t':
	default:
		return otherField
	}
	// Letters outside ASCII count too: HTTP/3 servers lower the case of a key, and the Kelvin sign becomes a k.
	switch name := trim(strings.TrimPrefix(key, "Trailer:")); {
	case strings.EqualFold(name, "set-cookie"):
		return setCookieField
	case strings.EqualFold(name, "set-cookie2"):
		return setCookie2Field
	}
	return otherField
}

// isField compares the key of a header map with a field's name, whatever the key's case. Few keys have the right length and first letter.
func isField(key, name string) bool {
	return len(key) == len(name) && key[0]|0x20 == name[0]|0x20 && strings.EqualFold(key, name)
}
