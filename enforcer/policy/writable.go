package policy

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/wire"
)

// UnwritableReason is why the gateway cannot write a visitor's choice.
type UnwritableReason string

// The reasons. The last two show only when a choice is to be written.
const (
	// The policy names no preference.
	ReasonNoPreference UnwritableReason = "no_preference"

	// The cookie also holds state of the consent tool's own, which a choice that the tool did not
	// make would contradict: a stamp, an identifier, strings for advertisers.
	ReasonToolState UnwritableReason = "tool_state"

	// A choice can be changed in a cookie that the browser has, and cannot be written from nothing.
	ReasonExistingOnly UnwritableReason = "existing_only"

	// No preference can hold one of the consent keys.
	ReasonKey UnwritableReason = "key"

	// The preferences list what is granted. What is refused is undecided to their readers, so nobody
	// can object to anonymous cookies.
	ReasonObjection UnwritableReason = "objection"

	// The cookie would be longer than browsers store.
	ReasonTooLong UnwritableReason = "too_long"

	// Browsers accept a cookie of this name over HTTPS only.
	ReasonHTTPS UnwritableReason = "https"
)

// Unwritable is one reason why the gateway cannot write a visitor's choice.
type Unwritable struct {
	Reason UnwritableReason
	Cookie string // the preference's; empty if the reason is no single one
	Tool   string // for ReasonToolState: the consent tool
	Key    string // for ReasonKey and ReasonObjection: the consent key
	Path   string // the path of the field that the reason is about; empty for the policy as a whole
}

// Error returns the reason as a sentence without a period.
func (u Unwritable) Error() string {
	switch u.Reason {
	case ReasonNoPreference:
		return "the policy names no preference in which a choice could be stored"
	case ReasonToolState:
		return "the cookie " + quote(u.Cookie) + " also holds state of " + u.Tool +
			" that only " + u.Tool + " can write: visitors make their choices there"
	case ReasonExistingOnly:
		return "the cookie " + quote(u.Cookie) + " can be changed where the browser has it, " +
			"and cannot be written from nothing"
	case ReasonKey:
		return "no preference of the policy can hold the consent key " + quote(u.Key)
	case ReasonObjection:
		return "the preference lists only what is granted, so nobody can object to the anonymous cookies of " +
			quote(u.Key)
	case ReasonTooLong:
		return "the cookie " + quote(u.Cookie) + " would be longer than browsers store"
	case ReasonHTTPS:
		return "browsers accept the cookie " + quote(u.Cookie) + " over HTTPS only"
	}
	return string(u.Reason)
}

// toolState are the cookies that hold state of the tool's own besides the visitor's choice.
var toolState = []struct{ cookie, format, tool string }{
	{"OptanonConsent", FormatPairs, "OneTrust"},
	{"CookieConsent", FormatPairs, "Cookiebot"},
	{"didomi_token", FormatJSON, "Didomi"},
	{"axeptio_cookies", FormatJSON, "Axeptio"},
	{"cookieyes-consent", FormatPairs, "CookieYes"},
}

// Unwritable returns why the gateway cannot write visitors' choices, in the order of the policy. Without
// a reason it can. [ReasonExistingOnly] does not hold for visitors whose browser has the cookie.
//
// A choice is written into every preference, so a single one that cannot be written is enough: it
// would still say what the visitor chose before.
func (r *Resolved) Unwritable() (reasons []Unwritable) {
	preferences := r.policy.Preference
	if len(preferences) == 0 {
		return []Unwritable{{Reason: ReasonNoPreference}}
	}
	for i := range preferences {
		if u := preferences[i].unwritable(); u.Reason != "" {
			reasons = append(reasons, u)
		}
	}
	told := map[string]bool{}
	for _, rule := range r.Rules() {
		for _, key := range rule.ConsentKeys() {
			if told[key] {
				continue
			}
			holds := func(p Preference) bool { return p.Holds(key) }
			holdsRefusal := func(p Preference) bool { return p.Holds(key) && !p.listsGranted() }
			u := Unwritable{Key: key, Path: rule.place.Path}
			switch {
			case !slices.ContainsFunc(preferences, holds):
				u.Reason = ReasonKey
			case rule.Anonymous && !slices.ContainsFunc(preferences, holdsRefusal):
				u.Reason = ReasonObjection
			default:
				continue
			}
			told[key] = true
			reasons = append(reasons, u)
		}
	}
	return reasons
}

// unwritable returns why a preference cannot be written, whatever the consent keys are.
func (p *Preference) unwritable() Unwritable {
	for _, state := range toolState {
		if p.Format == state.format && slices.Contains(p.Cookies, state.cookie) {
			return Unwritable{Reason: ReasonToolState, Cookie: state.cookie, Tool: state.tool, Path: p.place}
		}
	}
	if p.Format == FormatJSON && p.Path != "" {
		// What is around the choices is unknown, and whether they are an object or an array.
		return Unwritable{Reason: ReasonExistingOnly, Cookie: p.Cookies[0], Path: p.place}
	}
	return Unwritable{}
}

// listsGranted reports whether the preference lists the keys that are granted, and no others.
func (p *Preference) listsGranted() bool {
	return p.Format == FormatList || p.Format == FormatJSON && slices.Contains(p.Cookies, "cc_cookie")
}

// Holds reports whether a choice about a consent key can be written into the preference, whose
// defaults are written out.
func (p *Preference) Holds(key string) bool {
	if key == "" || wire.Trim(key) != key || !utf8.ValidString(key) {
		return false
	}
	apart := func(words ...string) bool { // nothing in the key is read as another word
		return !slices.ContainsFunc(words, func(w string) bool { return strings.Contains(key, w) })
	}
	switch p.Format {
	case FormatFlag:
		return len(p.Keys) == 0 || slices.Contains(p.Keys, key)
	case FormatList:
		return apart(p.Separator)
	case FormatPairs:
		if p.ListKey != "" {
			return apart(p.Separator, p.Assignment, "{", "}", ",", ":")
		}
		return apart(p.Separator, p.Assignment, "{", "}") && key != p.Timestamp
	}
	// In an object the timestamp is a member like the choices, if it stands beside them.
	above := p.Path
	if above != "" {
		above += "."
	}
	rest, within := strings.CutPrefix(p.Timestamp, above)
	member, _, _ := strings.Cut(rest, ".")
	return !within || p.Timestamp == "" || key != member
}
