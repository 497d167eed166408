package policy

import (
	"strings"
	"unicode"
)

// toolKeys are the consent keys of a preset whose tool fixes them. A site cannot choose others.
type toolKeys struct {
	keys []string

	// For a tool that makes identifiers of its own: reports whether a key is such an identifier.
	// The keys are then examples.
	identifier func(key string) bool
}

// keysOfTools are the presets with fixed keys. Those that are not here let the site choose, or say
// their keys in their own preference.
var keysOfTools = map[string]toolKeys{
	"govuk":     {keys: []string{"essential", "settings", "usage", "campaigns"}},
	"onetrust":  {keys: []string{"C0001", "C0002", "C0003", "C0004", "C0005"}, identifier: isOneTrustKey},
	"cookiebot": {keys: []string{"necessary", "preferences", "statistics", "marketing"}},
	"cookieyes": {keys: []string{
		"necessary", "functional", "analytics", "performance", "advertisement", "other",
	}},
}

func (t toolKeys) can(key string) bool {
	for _, k := range t.keys {
		if k == key {
			return true
		}
	}
	return t.identifier != nil && t.identifier(key)
}

// isOneTrustKey accepts the identifiers that OneTrust gives to categories and groups of them: C0002,
// BG001, V2STACK42, SSPD_BG, and the plain numbers of older scripts. None is a word in small letters.
func isOneTrustKey(key string) bool {
	return strings.ContainsAny(key, "0123456789") || !strings.ContainsFunc(key, unicode.IsLower)
}

// openKeys are keys known to stand in preferences whose keys a site chooses: those by which the
// presets' trackers are known, and those of the portals' own banner.
func openKeys(preferences []Preference) (keys []string) {
	seen := map[string]bool{}
	add := func(key string) {
		if !seen[key] {
			seen[key] = true
			keys = append(keys, key)
		}
	}
	for i := range presets {
		for _, r := range presets[i].rules {
			for _, key := range r.Consent {
				add(key)
			}
		}
	}
	for i := range preferences {
		for _, name := range preferences[i].Cookies {
			if name == "cookies_preferences" {
				add("functional_cookies")
			}
		}
	}
	return keys
}
