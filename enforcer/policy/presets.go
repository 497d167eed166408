package policy

import "slices"

// preset is a ready-made set of rules and preferences.
type preset struct {
	name       string
	rules      []Rule
	preference []Preference
	keys       []Key // what the switches of its consent keys are
}

// presets are all the ready-made policies there are, as data: facts published by the portals and
// by the tools' makers.
var presets = slices.Concat(portalsAndTrackers, consentTools)

var portalsAndTrackers = []preset{
	{
		// The cookie policy that Opendatasoft portals publish: four necessary cookies, one of
		// which stores the visitor's choices.
		name: "opendatasoft",
		rules: []Rule{
			necessary("Opendatasoft", 14*day, []string{"sessionid"},
				"Keeps a signed-in user signed in from page to page.",
				"Garde la session d'un utilisateur connecté d'une page à l'autre."),
			necessary("Opendatasoft", twelveMonths, []string{"csrftoken"},
				"Protects forms and API calls against requests forged by other sites.",
				"Protège les formulaires et les appels d'API contre les requêtes forgées par d'autres sites."),
			necessary("Opendatasoft", twelveMonths, []string{"django_language"},
				"Keeps the language the visitor chose.",
				"Garde la langue choisie par le visiteur."),
			choiceCookies("Opendatasoft", sixMonths, "cookies_preferences"),
		},
		preference: []Preference{{
			Cookies: []string{"cookies_preferences"}, Format: FormatJSON,
			Timestamp: "timestamp", MaxAge: sixMonths,
		}},
	},
	{
		name: "matomo",
		rules: []Rule{
			statistical("Matomo", thirteenMonths, []string{"matomo"}, []string{"_pk_id*"},
				"Tells one visitor from another when visits are counted.",
				"Distingue les visiteurs pour compter les visites."),
			statistical("Matomo", sixMonths, []string{"matomo"}, []string{"_pk_ref*"},
				"Remembers from where the visitor came.",
				"Retient d'où vient le visiteur."),
			statistical("Matomo", halfHour, []string{"matomo"}, []string{"_pk_ses*", "_pk_cvar*", "_pk_hsr*"},
				"Holds what is measured during one visit.",
				"Conserve ce qui est mesuré pendant une visite."),
			statistical("Matomo", 0, []string{"matomo"},
				[]string{"_pk_uid*", "_pk_testcookie*", "mtm_consent*", "matomo_ignore",
					"matomo_sessid", "piwik_ignore"},
				"Serves the audience measurement: what the browser can do, and whether the visitor takes part.",
				"Sert à la mesure d'audience : capacités du navigateur et participation du visiteur."),
		},
	},
	{
		name: "google_analytics",
		rules: []Rule{
			statistical("Google", 730*day, []string{"ga"}, []string{"_ga", "_ga_*"},
				"Tells one visitor from another when visits are counted.",
				"Distingue les visiteurs pour compter les visites."),
			statistical("Google", day, []string{"ga"}, []string{"_gid"},
				"Tells one visitor from another within a day.",
				"Distingue les visiteurs au cours d'une journée."),
			statistical("Google", oneMinute, []string{"ga"}, []string{"_gat*"},
				"Slows down the rate of measurements.",
				"Limite la fréquence des mesures."),
		},
	},
	{
		name: "at_internet",
		rules: []Rule{
			statistical("AT Internet", 0, []string{"at", "xiti"},
				[]string{"atidvisitor", "atreman", "atredir", "atsession", "atuserid", "atid"},
				"Measures the audience: visitors, visits, and what brought them.",
				"Mesure l'audience : visiteurs, visites et leur provenance."),
		},
	},
	{
		name: "piano",
		rules: []Rule{
			statistical("Piano", 0, []string{"piano"},
				[]string{"_pcid", "_pctx", "pa_user", "pa_privacy", "pa_vid"},
				"Measures the audience: visitors, visits, and their choice about it.",
				"Mesure l'audience : visiteurs, visites et leur choix à ce sujet."),
		},
	},
	{
		name: "eulerian",
		rules: []Rule{
			statistical("Eulerian", 0, []string{"eulerian"}, []string{"etuix"},
				"Measures the audience and where visitors come from.",
				"Mesure l'audience et la provenance des visiteurs."),
		},
	},
	{
		// Affinity and protection cookies of common load balancers. Operators name this preset
		// only if they have one.
		name: "load_balancing",
		rules: []Rule{
			necessary("", 0, []string{"AWSALB*", "BIGipServer*", "TS01*", "SERVERID", "ROUTEID", "lb", "__cf_bm"},
				"Keeps a visitor's requests on one server.",
				"Garde les requêtes d'un visiteur sur un même serveur."),
		},
	},
}

func necessary(provider string, lifetime Duration, cookies []string, english, french string) Rule {
	return Rule{Category: Necessary, Cookies: cookies, RuleOptions: RuleOptions{
		Lifetime: lifetime, Provider: provider, Purpose: []Text{{"en", english}, {"fr", french}},
	}}
}

// choiceCookies returns the rule for cookies in which a consent tool keeps the visitor's choices.
func choiceCookies(provider string, lifetime Duration, cookies ...string) Rule {
	return necessary(provider, lifetime, cookies,
		"Keeps the visitor's choices about cookies.",
		"Garde les choix du visiteur au sujet des cookies.")
}

func statistical(provider string, lifetime Duration, consent, cookies []string, english, french string) Rule {
	return Rule{Category: Statistical, Cookies: cookies, RuleOptions: RuleOptions{
		Consent: consent, Lifetime: lifetime, Provider: provider,
		Purpose: []Text{{"en", english}, {"fr", french}},
	}}
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
