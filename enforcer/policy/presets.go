package policy

import (
	"slices"
	"strings"

	"github.com/cookie-policy/caddy-cookie-policy/languages"
)

// preset is a ready-made set of rules and preferences.
type preset struct {
	name       string
	rules      []Rule
	preference []Preference
	keys       []Key // what the switches of its consent keys are

	// What pages load from the tool's maker, for each of the rules. Many sites host some tools
	// themselves, and load them from elsewhere.
	origins    []string
	selfHosted bool
}

// presets are all the ready-made policies there are, as data: facts published by the portals and
// by the tools' makers. Their texts, in each language, are in the package languages. A lifetime is
// what the maker documents as the default; where none is documented there is none.
var presets = slices.Concat(portalsAndTrackers, consentTools)

var portalsAndTrackers = []preset{
	{
		// The cookie policy that Opendatasoft portals publish: four necessary cookies, one of
		// which stores the visitor's choices.
		name: "opendatasoft",
		rules: []Rule{
			necessary("opendatasoft.sessionid", "Opendatasoft", 14*day, "sessionid"),
			necessary("opendatasoft.csrftoken", "Opendatasoft", twelveMonths, "csrftoken"),
			necessary("opendatasoft.django_language", "Opendatasoft", twelveMonths, "django_language"),
			necessary("opendatasoft.cookies_preferences", "Opendatasoft", sixMonths, "cookies_preferences"),
		},
		preference: []Preference{{
			Cookies: []string{"cookies_preferences"}, Format: FormatJSON,
			Timestamp: "timestamp", MaxAge: sixMonths,
		}},
	},
	{
		// https://matomo.org/faq/general/faq_146/ has the names, purposes and lifetimes. Those of
		// _pk_uid and of the ignore cookies are in Matomo's source: cookie_expire in
		// config/global.ini.php, and core/Tracker/IgnoreCookie.php. No lifetime is documented for
		// matomo_sessid, and none for _pk_testcookie, which is deleted at once.
		name: "matomo",
		rules: []Rule{
			statistical("matomo.visitor", "Matomo", thirteenMonths, "matomo", "_pk_id*"),
			statistical("matomo.source", "Matomo", sixMonths, "matomo", "_pk_ref*"),
			statistical("matomo.visit", "Matomo", halfHour, "matomo", "_pk_ses*", "_pk_cvar*", "_pk_hsr*"),
			statistical("matomo.several_sites", "Matomo", thirteenMonths, "matomo", "_pk_uid*"),
			statistical("matomo.test", "Matomo", 0, "matomo", "_pk_testcookie*"),
			statistical("matomo.consent", "Matomo", thirtyYears, "matomo", "mtm_consent*"),
			statistical("matomo.objection", "Matomo", thirtyYears, "matomo", "matomo_ignore", "piwik_ignore"),
			statistical("matomo.objection_form", "Matomo", 0, "matomo", "matomo_sessid"),
		},
		keys: []Key{key("matomo", "matomo")},
		// Those of Matomo Cloud: https://matomo.org/faq/general/faq_20904/ and the tracking code that
		// it gives. Innocraft is its former name.
		origins: []string{"https://cdn.matomo.cloud", "https://*.matomo.cloud",
			"https://cdn.innocraft.cloud", "https://*.innocraft.cloud"},
		selfHosted: true,
	},
	{
		// https://support.google.com/analytics/answer/11397207 and
		// https://developers.google.com/analytics/devguides/collection/analyticsjs/cookie-usage
		name: "google_analytics",
		rules: []Rule{
			statistical("google_analytics.visitor", "Google", 730*day, "ga", "_ga", "_ga_*"),
			statistical("google_analytics.day", "Google", day, "ga", "_gid"),
			statistical("google_analytics.rate", "Google", oneMinute, "ga", "_gat*"),
		},
		keys: []Key{key("google_analytics", "ga")},
		// "Google Analytics 4" in https://developers.google.com/tag-platform/security/guides/csp,
		// without Google Signals and advertising. The first two are those of Universal Analytics too.
		origins: []string{"https://*.googletagmanager.com", "https://*.google-analytics.com",
			"https://*.analytics.google.com"},
	},
	{
		// "AT Internet cookies" in the documentation of SmartTag, at
		// https://github.com/at-internet/smarttag-documentation-archive/wiki/AT-Internet-cookies.
		// The lifetime of atid, which the measuring server sets, is not documented there.
		name: "at_internet",
		rules: []Rule{
			statistical("at_internet.visitor", "AT Internet", thirteenMonths, "at xiti", "atuserid"),
			statistical("at_internet.visitor", "AT Internet", 0, "at xiti", "atid"),
			statistical("at_internet.identified", "AT Internet", sixMonths, "at xiti", "atidvisitor"),
			statistical("at_internet.campaign", "AT Internet", 30*day, "at xiti", "atreman"),
			statistical("at_internet.redirect", "AT Internet", halfMinute, "at xiti", "atredir"),
			statistical("at_internet.visit", "AT Internet", halfHour, "at xiti", "atsession"),
		},
		keys: []Key{key("at_internet", "at", "xiti")},
		// The library and the collectors, logs*.xiti.com, of SmartTag.
		origins: []string{"https://tag.aticdn.net", "https://*.xiti.com", "https://*.at-o.net"},
	},
	{
		// "Client Side Cookies (JS SDK)" in
		// https://developers.atinternet-solutions.com/piano-analytics/data-collection/general/cookie-storage
		name: "piano",
		rules: []Rule{
			statistical("piano.visitor", "Piano", thirteenMonths, "piano", "_pcid", "pa_vid"),
			statistical("piano.context", "Piano", thirteenMonths, "piano", "_pctx"),
			statistical("piano.user", "Piano", thirteenMonths, "piano", "pa_user"),
			statistical("piano.privacy", "Piano", thirteenMonths, "piano", "pa_privacy"),
		},
		keys: []Key{key("piano", "piano")},
		// The library, and the collectors that are not under a name of the site's own: "Collect
		// domains" in https://support.piano.io.
		origins: []string{"https://tag.aticdn.net", "https://*.pa-cd.com", "https://*.piano.io",
			"https://*.xiti.com"},
		selfHosted: true,
	},
	{
		// Thirteen months is Eulerian's default for all of its trackers:
		// https://doc.eulerian.com/p/WijZuvqwsFKoQB/What-is-important-to-know-about-Eulerian-Cookies
		name: "eulerian",
		rules: []Rule{
			statistical("eulerian.visitor", "Eulerian", thirteenMonths, "eulerian", "etuix"),
		},
		keys: []Key{key("eulerian", "eulerian")},
		// The generic collectors; a site usually gives the tool a name of its own.
		origins:    []string{"https://*.eulerian.net"},
		selfHosted: true,
	},
	{
		// Affinity and protection cookies of common load balancers. Operators name this preset
		// only if they have one. The lifetimes are the defaults in: the guide to Application Load
		// Balancers, "Sticky sessions"; F5's reference of cookie persistence profiles; the manuals
		// of HAProxy ("cookie", insert), of Apache's mod_proxy_balancer (its example) and of
		// Caddy's reverse_proxy; and "Cloudflare Cookies". F5 documents none for TS01.
		name: "load_balancing",
		rules: []Rule{
			necessary("load_balancing.server", "Amazon Web Services", 7*day, "AWSALB*"),
			necessary("load_balancing.server", "F5", Session, "BIGipServer*"),
			necessary("load_balancing.protection", "F5", 0, "TS01*"),
			necessary("load_balancing.server", "HAProxy", Session, "SERVERID"),
			necessary("load_balancing.server", "Apache", Session, "ROUTEID"),
			necessary("load_balancing.server", "Caddy", Session, "lb"),
			necessary("load_balancing.bots", "Cloudflare", halfHour, "__cf_bm"),
		},
	},
}

// necessary returns a rule whose texts have the identifier in the package languages. A lifetime of
// zero is not stated.
func necessary(texts, provider string, lifetime Duration, cookies ...string) Rule {
	function, purpose := textsOf(texts)
	return Rule{Category: Necessary, Cookies: cookies, RuleOptions: RuleOptions{
		Lifetime: lifetime, Provider: provider, Function: function, Purpose: purpose,
	}}
}

// statistical returns a rule, as necessary does, that one of the consent keys lets through. The keys
// are separated by blanks.
func statistical(texts, provider string, lifetime Duration, consent string, cookies ...string) Rule {
	r := necessary(texts, provider, lifetime, cookies...)
	r.Category, r.Consent = Statistical, strings.Fields(consent)
	return r
}

// choiceCookies returns the rule for cookies in which a consent tool keeps the visitor's choices.
func choiceCookies(provider string, lifetime Duration, cookies ...string) Rule {
	return necessary("banner.choices", provider, lifetime, cookies...)
}

// textsOf returns texts in all languages.
func textsOf(id string) (function, purpose []Text) {
	for _, l := range languages.All() {
		use, ok := l.Preset(id)
		if !ok {
			panic("no texts of " + id + " in " + l.Tag)
		}
		function = append(function, Text{l.Tag, use.Function})
		purpose = append(purpose, Text{l.Tag, use.Purpose})
	}
	return function, purpose
}

// key returns what consent keys switch, with the texts that have the identifier in the package
// languages.
func key(texts string, keys ...string) Key {
	k := Key{Keys: keys}
	for _, l := range languages.All() {
		described, ok := l.Key(texts)
		if !ok {
			panic("no texts of the key " + texts + " in " + l.Tag)
		}
		k.Title = append(k.Title, Text{l.Tag, described.Title})
		k.Purpose = append(k.Purpose, Text{l.Tag, described.Purpose})
		k.Refused = append(k.Refused, Text{l.Tag, described.Refused})
	}
	return k
}

// Presets returns the names of all presets.
func Presets() []string {
	names := make([]string, len(presets))
	for i := range presets {
		names[i] = presets[i].name
	}
	return names
}

func presetNamed(name string) (preset, bool) {
	i := slices.IndexFunc(presets, func(p preset) bool { return p.name == name })
	if i < 0 {
		return preset{}, false
	}
	return presets[i], true
}

// with returns the preset's rule with the options that an operator gave for all of its rules.
// Necessary rules take no consent.
func (r Rule) with(o RuleOptions) Rule {
	if len(o.Consent) > 0 && r.Category != Necessary {
		r.Consent = o.Consent
	}
	if o.Anonymous && r.Category == Statistical {
		r.Anonymous = true
	}
	if len(o.Domain) > 0 {
		r.Domain = o.Domain
	}
	if len(o.Path) > 0 {
		r.Path = o.Path
	}
	if o.Lifetime != 0 {
		r.Lifetime = o.Lifetime
	}
	if o.MaxAge != 0 {
		r.MaxAge = o.MaxAge
	}
	if len(o.Origin) > 0 {
		r.Origin = o.Origin
	}
	r.Secure = r.Secure || o.Secure
	r.HTTPOnly = r.HTTPOnly || o.HTTPOnly
	if o.SameSite != "" {
		r.SameSite = o.SameSite
	}
	if o.Provider != "" {
		r.Provider = o.Provider
	}
	if len(o.Function) > 0 {
		r.Function = o.Function
	}
	if len(o.Purpose) > 0 {
		r.Purpose = o.Purpose
	}
	return r
}
