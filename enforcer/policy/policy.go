package policy

import "cmp"

// Category is one of the four categories into which published cookie policies sort cookies.
type Category string

// The categories. There are no others.
const (
	Necessary   Category = "necessary"   // let through always
	Statistical Category = "statistical" // let through with consent, or, if anonymous, until refused
	FirstParty  Category = "first_party" // let through with consent
	ThirdParty  Category = "third_party" // let through with consent
)

// Categories are the four categories, in the order in which policy pages list them.
var Categories = []Category{Necessary, Statistical, FirstParty, ThirdParty}

// Policy is all that one cookie_policy block says. The zero Policy has no rule and is refused.
type Policy struct {
	// A label for this policy in logs: letters, digits, dots, hyphens and underscores, 64 at most.
	// Default: the first eight digits of the policy's digest.
	Name string `json:"name,omitempty"`

	// Ready-made rules and preferences. Each is the preset's name, or an object with the name and
	// options for all of its rules. What the policy itself allows beats a preset's rule for the
	// same name; of two presets with the same name, the first one's rule counts.
	Presets []Preset `json:"presets,omitempty"`

	// The rules: which cookies may be set, and on what condition. An exact name beats a wildcard;
	// among wildcards the one with more literal bytes wins, then the first written (presets come
	// first).
	Allow []Rule `json:"allow,omitempty"`

	// The cookies in which the visitor's choices are stored. Naming them here makes them necessary.
	Preference []Preference `json:"preference,omitempty"`

	// What the switches of the preference are, for people. Each consent key stands in one of them
	// at most. What the policy itself says about a switch beats what a preset says about it.
	Key []Key `json:"key,omitempty"`

	// Signals by which a browser objects where the visitor made no choice of their own.
	Signal []Signal `json:"signal,omitempty"`

	// What happens to cookies that no rule names: `block` or `pass`. Default: `block`.
	Unlisted string `json:"unlisted,omitempty"`

	// What the gateway does with its verdicts: `enforce` acts on them, `report` changes nothing and
	// counts and logs what would have happened. Default: `enforce`.
	Mode string `json:"mode,omitempty"`

	// What declared lifetimes do: `report` leaves lifetimes as they are, `enforce` cuts a longer
	// lifetime to the declared one, or makes a session cookie of it, wherever a rule has no
	// `max_age` of its own. Default: `report`.
	Lifetimes string `json:"lifetimes,omitempty"`

	// `Domain` attributes that become others, where visitors know the portal under another name
	// than it knows itself. The rules' `domain` conditions are judged before that. Cookies whose
	// name begins with `__Host-` are left alone.
	RewriteDomain []Rewrite `json:"rewrite_domain,omitempty"`

	// What happens to responses that carry cookies: `protect` makes them private, so that no
	// shared cache replays them to another visitor, and lets responses vary by what a verdict
	// depended on; `keep` leaves the headers as they are. Default: `protect`.
	SharedCache string `json:"shared_cache,omitempty"`

	// What the gateway does about third parties that pages load from: by default, nothing.
	Load Load `json:"load,omitzero"`

	// What is kept in Caddy's storage. It changes no verdict, so it is not in the policy's digest.
	Evidence Evidence `json:"evidence,omitzero"`

	// The text of each duration in the JSON config that is not one, by the field's path.
	badDurations map[string]string
}

// Rule lets cookies through on a condition.
type Rule struct {
	// One of `necessary`, `statistical`, `first_party`, `third_party`. Necessary cookies are let
	// through always, the others only while one of the rule's consent keys is granted.
	Category Category `json:"category"`

	// Names of cookies: exact, or with `*` for any run of characters. Case counts, as it does in
	// browsers. None are wanted where the rule has an origin.
	Cookies []string `json:"cookies,omitempty"`

	RuleOptions

	place Place
}

// RuleOptions are the conditions of a rule and what it declares. A preset takes the same options,
// for all of its rules.
type RuleOptions struct {
	// Switches of the visitor's preference. One that is granted lets the rule's cookies through.
	// Default: the category's name. Necessary cookies take none.
	Consent []string `json:"consent,omitempty"`

	// Let through until refused: for statistics by which nobody can be traced. Only in the
	// category `statistical`. Such cookies pass where there is no preference or one that does not
	// refuse the key, not where it is unreadable or contradicts itself.
	Anonymous bool `json:"anonymous,omitempty"`

	// `Domain` attributes accepted. A line without the attribute is always within them; one with
	// it must equal one of them as browsers compare domains: case and a leading dot mean nothing.
	// No suffix match.
	Domain []string `json:"domain,omitempty"`

	// `Path` attributes accepted. A line without the attribute, or with one that browsers ignore
	// (it does not begin with `/`), is always within them; any other must equal one of them. No
	// prefix match.
	Path []string `json:"path,omitempty"`

	// How long the policy page says the cookie lives: a duration, or `session` for a cookie that
	// ends with the browser. Declared: nothing is shortened by it, unless the policy's `lifetimes`
	// say so.
	Lifetime Duration `json:"lifetime,omitempty"`

	// Enforced: a longer lifetime is cut to this. A session cookie stays one, and a deletion stays a
	// deletion. Default: no limit.
	MaxAge Duration `json:"max_age,omitempty"`

	// Add `Secure` where the visitor's connection is HTTPS.
	Secure bool `json:"secure,omitempty"`

	// Add `HttpOnly`. Not for cookies that scripts have to read: `csrftoken`, and the preference.
	HTTPOnly bool `json:"http_only,omitempty"`

	// Raise `SameSite` to `lax` or `strict`, or give lines that have none `none` (with `Secure`,
	// over HTTPS only: refused at load where no server of the config has TLS and no proxy is
	// trusted to tell of it). It is never lowered.
	SameSite string `json:"same_site,omitempty"`

	// Third parties that the rule lets pages load from, if the policy's `load` says so:
	// `https://host`, perhaps with a port, or `https://*.host` for all hosts below a name. WebSockets
	// of the same host count as it.
	Origin []string `json:"origin,omitempty"`

	// For people: who sets the cookie.
	Provider string `json:"provider,omitempty"`

	// For people: the service that the cookie belongs to, and where it is used.
	Function []Text `json:"function,omitempty"`

	// For people: what the cookie is for.
	Purpose []Text `json:"purpose,omitempty"`
}

// Preset is a ready-made set of rules and preferences, by name, with options for all of its rules.
// In JSON a preset without options may be written as its name alone.
type Preset struct {
	// The preset's name, such as `opendatasoft`.
	Name string `json:"name"`

	RuleOptions
}

// Preference says where the visitor's choices are stored and how they are read. A key is granted
// by `true`, or by a word that counts as yes, refused by any other value, and undecided where it
// is absent. A preference that cannot be read, or that names a key twice, grants nothing.
type Preference struct {
	// Exact names of the cookies. Naming them here makes them necessary.
	Cookies []string `json:"cookies"`

	// How the value is read. Percent-encoding, of the whole or of a part, and quotes around the
	// value are taken off first. Default: `json`.
	//
	// - `json`: an object with one member per consent key, or an array of the keys that are
	// granted.
	// - `pairs`: keys and values, such as `a=true&b=false`.
	// - `list`: the keys that are granted.
	// - `flag`: one value that grants all keys, or those named.
	Format string `json:"format,omitempty"`

	// For `json`: the dotted path of the object or array of choices within the value, such as
	// `purposes.enabled`. Default: the whole value.
	Path string `json:"path,omitempty"`

	// For `json`: the value is encoded in base64.
	Base64 bool `json:"base64,omitempty"`

	// What separates the members of `pairs` (default: `&`) or of a `list` (default: `,`).
	Separator string `json:"separator,omitempty"`

	// For `pairs`: what stands between key and value. Default: `=`.
	Assignment string `json:"assignment,omitempty"`

	// For `pairs`: the key whose value holds the choices, as a list such as `a:1,b:0`. Default:
	// the pairs themselves are the choices.
	ListKey string `json:"list_key,omitempty"`

	// For `flag`: the value that grants. Any other refuses.
	Value string `json:"value,omitempty"`

	// For `flag`: the consent keys that the value grants. Default: all.
	Keys []string `json:"keys,omitempty"`

	// What counts as yes, as the tool writes it. In `pairs` and in JSON these are values of keys;
	// `true` always counts in JSON, and `<time>` stands for any time in ISO 8601. In a `list`
	// such a word grants every key. Default for `pairs`: `true`, `1`, `yes`, `allow`, `accept`.
	Granted []string `json:"granted,omitempty"`

	// The dotted path (for `pairs`: the key) of the time when the choice was made: seconds or
	// milliseconds since 1970, or ISO 8601.
	Timestamp string `json:"timestamp,omitempty"`

	// How long a choice counts. An older one is no choice, and neither is one from the future.
	// Wants a timestamp; a choice without one has no known age and counts. Default: no limit.
	MaxAge Duration `json:"max_age,omitempty"`

	// The path at which the gateway sends the preference again, for what is left of its
	// `max_age`, where browsers cut the life of cookies that scripts write. Default: it is not
	// sent again.
	Persist string `json:"persist,omitempty"`

	place string // the path of the field where it was written, in a resolved policy
}

// Rewrite replaces a Domain attribute by another.
type Rewrite struct {
	// The portal's own domain, as its cookies name it.
	From string `json:"from"`

	// The domain that visitors know. Default: none, which makes the cookie one of the visitor's
	// host only.
	To string `json:"to,omitempty"`
}

// Signal is a request header by which a browser objects to cookies.
type Signal struct {
	// `gpc` (Global Privacy Control, `Sec-GPC: 1`) or `dnt` (Do Not Track, `DNT: 1`).
	Signal string `json:"signal"`

	// The categories in whose rules the signal counts as refusal of every undecided key.
	Categories []Category `json:"categories"`
}

// Values of the words of a policy.
const (
	UnlistedBlock = "block"
	UnlistedPass  = "pass"
	ModeEnforce   = "enforce"
	ModeReport    = "report"
	FormatJSON    = "json"
	FormatPairs   = "pairs"
	FormatList    = "list"
	FormatFlag    = "flag"
	SignalGPC     = "gpc"
	SignalDNT     = "dnt"

	LifetimesReport    = "report"
	LifetimesEnforce   = "enforce"
	SharedCacheProtect = "protect"
	SharedCacheKeep    = "keep"
	SameSiteLax        = "lax"
	SameSiteStrict     = "strict"
	SameSiteNone       = "none"
)

// withDefaults returns the preference with its defaults written out.
func (p Preference) withDefaults() Preference {
	p.Format = cmp.Or(p.Format, FormatJSON)
	switch p.Format {
	case FormatPairs:
		p.Separator, p.Assignment = cmp.Or(p.Separator, "&"), cmp.Or(p.Assignment, "=")
		if len(p.Granted) == 0 {
			p.Granted = []string{"true", "1", "yes", "allow", "accept"}
		}
	case FormatList:
		p.Separator = cmp.Or(p.Separator, ",")
	}
	return p
}

// Consent is what a visitor's preference says about one consent key.
type Consent uint8

// The states of a consent key. The zero Consent is Undecided.
const (
	Undecided Consent = iota
	Granted
	Refused
)

// String returns `undecided`, `granted` or `refused`.
func (c Consent) String() string {
	switch c {
	case Granted:
		return "granted"
	case Refused:
		return "refused"
	}
	return "undecided"
}

// AnyTime among the granted words of a preference stands for any time in ISO 8601.
const AnyTime = "<time>"

// PreferenceState is what reading a visitor's preferences came to. Of several the highest counts.
type PreferenceState uint8

// The states of a preference.
const (
	PreferenceNone          PreferenceState = iota // no cookie holds a choice
	PreferenceTooOld                               // the choice is older than max_age, or from the future
	PreferenceValid                                // every cookie that holds a choice was read
	PreferenceUnreadable                           // one could not be read
	PreferenceContradictory                        // one says two things about a key
	PreferenceStates        = iota
)

// String returns the state's word in metrics.
func (s PreferenceState) String() string {
	words := [...]string{"none", "too_old", "valid", "unreadable", "contradictory"}
	return words[min(int(s), len(words)-1)]
}

// InDoubt reports whether the preference could not be understood. Then it grants nothing, and no
// anonymous cookie is let through either.
func (s PreferenceState) InDoubt() bool { return s >= PreferenceUnreadable }
