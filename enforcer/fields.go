package enforcer

import (
	"math"
	"strings"
)

// fields are what a look at a header map tells.
type fields struct {
	setCookie    []string // lines under the canonical key, as under the others
	cacheControl []string
	vary         []string
	cookies      bool // there are cookies
	odd          bool // and some of them under another key than Set-Cookie
	caches       bool // there are fields for caches under other keys than Cache-Control and Vary
}

// survey goes through a header map, once: most responses need no more, and each look-up would cost as much as several keys of this.
func survey(header map[string][]string) (f fields) {
	for key, lines := range header {
		switch kindOf(key) {
		case setCookieField:
			if f.cookies = true; key == "Set-Cookie" {
				f.setCookie = lines
			} else {
				f.odd = true
			}
		case setCookie2Field:
			f.cookies, f.odd = true, true
		case cacheControlField:
			f.cacheControl = lines
		case varyField:
			f.vary = lines
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
	cacheControlField
	varyField
	cacheField // for caches, under another key than Cache-Control and Vary
)

// kindOf reads a key of a header map. Keys that carry cookies may be in any case, with blanks around them, or with the prefix of a trailer.
func kindOf(key string) fieldKind {
	if key == "" {
		return otherField
	}
	matter := &fieldsThatMatter[key[0]]
	if matter.lengths>>min(len(key), 63)&1 == 0 { // most keys
		return otherField
	}
	switch key {
	case "Set-Cookie":
		return setCookieField
	case "Cache-Control":
		return cacheControlField
	case "Vary":
		return varyField
	}
	for _, name := range matter.cache {
		if isField(key, name) {
			return cacheField
		}
	}
	if !matter.cookies {
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

// fieldsThatMatter tells, by the first byte of a key, of which fields it may be.
var fieldsThatMatter = func() (fields [256]struct {
	lengths uint64   // a bit for each length of such a key; the last one stands for longer ones too
	cache   []string // names of fields for caches
	cookies bool
}) {
	for _, name := range cacheFields {
		for _, first := range [...]byte{name[0], name[0] | 0x20} {
			fields[first].lengths |= 1 << len(name)
			fields[first].cache = append(fields[first].cache, name)
		}
	}
	for _, first := range []byte("SsT \t") { // there may be blanks around, or the prefix
		fields[first].lengths |= math.MaxUint64 &^ (1<<len("Set-Cookie") - 1)
		fields[first].cookies = true
	}
	return fields
}()

// isField compares the key of a header map with a field's name, whatever the key's case. Few keys have the right length and third letter.
func isField(key, name string) bool {
	return len(key) == len(name) && key[2]|0x20 == name[2]|0x20 && strings.EqualFold(key, name)
}
