package published

import (
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

func TestClaimOf(t *testing.T) {
	for heading, want := range map[string]policy.Category{
		"Necessary cookies":                                    policy.Necessary,
		"Cookies strictement nécessaires":                      policy.Necessary,
		"Technisch notwendige Cookies":                         policy.Necessary,
		"Essenzielle Cookies (3)":                              policy.Necessary,
		"Cookies estrictamente necesarias":                     policy.Necessary,
		"Cookie strettamente necessari":                        policy.Necessary,
		"Strikt noodzakelijke cookies":                         policy.Necessary,
		"Cookies estritamente necessários":                     policy.Necessary,
		"Necessary and functional cookies":                     policy.Necessary,
		"Necessary cookies (no consent required)":              policy.Necessary,
		"Necessary: cookies that the site cannot do without":   policy.Necessary,
		"Not necessary":                                        "",
		"Not technically, legally or strictly necessary":       "",
		"Non-essential cookies":                                "",
		"Cookies autres que nécessaires":                       "",
		"Nicht notwendige Cookies":                             "",
		"Niet-noodzakelijke cookies":                           "",
		"Cookies no necesarias":                                "",
		"Cookie non necessari":                                 "",
		"Cookies não necessários":                              "",
		"Necessary: no":                                        "",
		"Optional cookies":                                     "",
		"Consent necessary":                                    "",
		"Cookies nécessitant votre consentement":               "",
		"Einwilligung erforderlich":                            "",
		"Cookies waarvoor toestemming noodzakelijk is":         "",
		"Necessary and marketing cookies":                      "",
		"Cookies necessary for advertising":                    "",
		"Cookies nécessaires à la mesure d’audience":           "",
		"Technical cookies":                                    "",
		"Required":                                             "",
		"Session cookies":                                      "",
		"Google":                                               "",
		"Statistics":                                           policy.Statistical,
		"Cookies de mesure d’audience":                         policy.Statistical,
		"Performance cookies":                                  policy.Statistical,
		"Cookies analíticas":                                   policy.Statistical,
		"Analytische Cookies":                                  policy.Statistical,
		"Third-party analytics":                                policy.Statistical,
		"Functional cookies":                                   policy.FirstParty,
		"Cookies de préférences":                               policy.FirstParty,
		"“Internal” or “first-party” cookies":                  policy.FirstParty,
		"Funktionale Cookies":                                  policy.FirstParty,
		"Voorkeuren":                                           policy.FirstParty,
		"Marketing (12)":                                       policy.ThirdParty,
		"Optional marketing cookies":                           policy.ThirdParty,
		"Cookies publicitaires":                                policy.ThirdParty,
		"Cookies de terceros":                                  policy.ThirdParty,
		"Cookie di terze parti":                                policy.ThirdParty,
		"Cookies von Drittanbietern":                           policy.ThirdParty,
		"Social media":                                         policy.ThirdParty,
		"Analytics and marketing":                              "",
		"First-party and third-party cookies":                  "",
		"Statistics: which pages are read":                     policy.Statistical,
		"Statistical cookies: provider, function, names":       policy.Statistical,
		"Statistik-Cookies: Anbieter, Funktion und Einsatzort": policy.Statistical,
	} {
		if got := claimOf(heading); got.category != want {
			t.Errorf("%q is taken for %+v, want %q", heading, got, want)
		}
	}
	for heading, want := range map[string]bool{
		"Statistics":                                      false,
		"Statistics, exempt from consent":                 true,
		"Statistics, not exempt from consent":             false,
		"Cookies de mesure d’audience exemptés":           true,
		"Cookies de mesure d’audience non exemptés":       false,
		"Estadísticas exentas de consentimiento":          true,
		"Necessary cookies, exempt from consent":          false,
		"Statistik-Cookies, von der Einwilligung befreit": true,
	} {
		if got := claimOf(heading); got.anonymous != want {
			t.Errorf("%q: anonymous is %t", heading, got.anonymous)
		}
	}
}

func TestReadLifetime(t *testing.T) {
	const problem = -1
	for text, want := range map[string]policy.Duration{
		"": 0, "-": 0, "n/a": 0, "not stated": 0,
		"1 year": 365 * day, "2 ans": 730 * day, "13 mois": 395 * day, "six months": 183 * day, "un an": 365 * day,
		"12 Monate": 365 * day, "30 Min.": 30 * minute, "24 uur": day, "~2 anni": 730 * day, "un minuto": minute,
		"1 year, 1 month and 4 days": 399 * day, "1h30": problem, "1 h 30 min": 90 * minute, "1,825 days": 1825 * day,
		"up to 13 months": 395 * day, "jusqu’à 6 mois": 183 * day, "bis zu 2 Jahre": 730 * day, "máximo 1 año": 365 * day,
		"2 years from set/update": 730 * day, "24 Monate ab dem letzten Besuch": 730 * day, "2 weeks by default": 14 * day,
		"1 year (365 days)": 365 * day, "at most 90 days": 90 * day, "no more than 1 day": day, "Persistent, 1 year": 365 * day,
		"Session": policy.Session, "Sitzungsende": policy.Session, "Durée d'une session": policy.Session,
		"Caduca al finalizar la sesión": policy.Session, "When you close your browser": policy.Session,
		"À la fermeture du navigateur": policy.Session, "fino alla chiusura del browser": policy.Session,
		"Never": problem, "Forever, unless cleared manually": problem, "No expiry": problem, "Persistent": problem,
		"18 year": problem, "6-12 months": problem, "1 to 2 years": problem, "30 seconds – 1 year (varies)": problem,
		"between 1 and 2 years": problem, "12 à 13 mois": problem, "Session (1 day)": problem, "1 day / 2 years": problem,
		"half a year": problem, "une demi-heure": problem, "anderthalb Jahre": problem, "1.5 years": problem,
		"at least 1 year": problem, "au moins un an": problem, "31/12/2030": problem, "0 days": problem,
		"6 m": problem, "soon": problem, "99999999999999999999 days": problem, "5000 years": problem,
	} {
		l := readLifetime(text)
		got := l.Duration
		switch {
		case l.Session:
			got = policy.Session
		case l.Problem != "":
			got = problem
		}
		if got != want {
			t.Errorf("%q is read as %v %+v, want %v", text, got, l, want)
		}
		if want == problem && l.Words == "" {
			t.Errorf("%q: its words are lost", text)
		}
	}
}
