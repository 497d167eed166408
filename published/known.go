package published

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// knownCookie is a cookie name, or a wildcard, that a preset names.
type knownCookie struct {
	preset string
	name   string
	stem   string // the name without * and what joins it
	words  string // its words, sorted
	rule   *policy.Rule
}

// knownCookies returns what the presets name, in their order.
var knownCookies = sync.OnceValue(func() []knownCookie {
	var known []knownCookie
	for _, preset := range policy.Presets() {
		resolved, err := (&policy.Policy{Presets: []policy.Preset{{Name: preset}}}).Resolve()
		if err != nil {
			panic("published: preset " + preset + ": " + err.Error())
		}
		for _, rule := range resolved.Rules() {
			for _, name := range rule.Cookies {
				stem := strings.TrimRight(strings.ReplaceAll(name, "*", ""), "._-")
				known = append(known, knownCookie{preset, name, stem, translated(stem), rule})
			}
		}
	}
	return known
})

// knownExact are the known names by themselves, and knownProviders who sets them, the longest first.
var (
	knownExact = sync.OnceValue(func() map[string]knownCookie {
		m := map[string]knownCookie{}
		for _, k := range knownCookies() {
			if _, twice := m[k.name]; !twice {
				m[k.name] = k
			}
		}
		return m
	})
	knownProviders = sync.OnceValue(func() []string {
		providers := strings.Split(`Google Analytics|Google Tag Manager|Google|YouTube|Facebook|Meta|Twitter|`+
			`LinkedIn|Hotjar|Vimeo|Cloudflare|Microsoft|Stripe|HubSpot|Hubspot|Adobe|Dailymotion|Piwik|`+
			`Matomo Analytics|TikTok|Pinterest|Instagram|Huwise|AddThis|ShareThis|Snapchat|Criteo|`+
			`DoubleClick|Zendesk|Intercom|Crisp|Sentry|reCAPTCHA|Amazon|Yandex|Bing|Xiti|Didomi|Axeptio|`+
			`WordPress|WooCommerce|OpenStreetMap|PayPal|SoundCloud|ReadSpeaker|OneTrust|GitHub|OpenAI|MailChimp|`+
			`SiteImprove|AddToAny|AppNexus|BingAds|ChatGPT|CookieFirst|CookieHub|DoubleVerify|FullStory|GetSiteControl|`+
			`JotForm|LiveChat|NewRelic|PubMatic|QuantCast|SalesForce|SharePoint|SurveyMonkey|TripAdvisor|TrustPilot|`+
			`WhatsApp|ZenDesk`, "|")
		for _, k := range knownCookies() {
			if k.rule.Provider != "" {
				providers = append(providers, k.rule.Provider)
			}
		}
		slices.SortFunc(providers, func(a, b string) int {
			return cmp.Or(cmp.Compare(len(b), len(a)), strings.Compare(a, b))
		})
		return slices.Compact(providers)
	})
)

// lookupKnown finds the preset's cookie for a name or wildcard as a page spells it: the same one, or
// a wildcard that matches it with something other than one more letter.
func lookupKnown(pattern string) (knownCookie, bool) {
	if k, ok := knownExact()[pattern]; ok {
		return k, true
	}
	literal, _, _ := strings.Cut(pattern, "*")
	best, found := knownCookie{}, false
	for _, k := range knownCookies() {
		stem, wild := strings.CutSuffix(k.name, "*")
		if !wild || !strings.HasPrefix(literal, stem) {
			continue
		}
		if rest := literal[len(stem):]; len(rest) == 1 && isAlphanumeric(rest[0]) {
			continue // _pk_sess is not _pk_ses*
		}
		if !found || len(k.name) > len(best.name) {
			best, found = k, true
		}
	}
	return best, found
}

// wellKnown are names that presets do not have, by which a cookie is recognised in a sentence, and
// which is no reason to ask about a name like it.
var wellKnown = wordSet(`PHPSESSID JSESSIONID ASP.NET_SessionId __utma __utmb __utmc __utmt __utmz __utmv
	_fbp _fbc fr datr IDE NID ANID CONSENT SOCS VISITOR_INFO1_LIVE YSC PREF _gcl_au _gcl_aw _uetsid
	_uetvid MUID bcookie lidc li_gc UserMatchHistory AnalyticsSyncHistory li_sugr _hjid _hjSession
	_hjSessionUser _hjFirstSeen __hssc __hssrc __hstc hubspotutk __cfduid cf_clearance _cfuvid
	test_cookie guest_id personalization_id _pin_unauth _ttp _tt_enable_cookie vuid player __stripe_mid
	__stripe_sid laravel_session XSRF-TOKEN wordpress_test_cookie _dc_gtm __gads _gpi __gpi
	_clck _clsk has_js ARRAffinity ai_session ai_user _sid _uid _sp_id _sp_ses gat gid`)

// resembles returns the known name that a name on a page looks like without being it: equal but for
// underscores in front, one letter apart, or translated.
func resembles(pattern string) (string, bool) {
	literal := strings.TrimRight(strings.ReplaceAll(pattern, "*", ""), "._-")
	if _, ok := lookupKnown(pattern); ok || wellKnown[literal] && literal != "gat" && literal != "gid" {
		return "", false
	}
	bare, words := strings.TrimLeft(literal, "_"), translated(literal)
	for _, k := range knownCookies() {
		switch {
		case strings.EqualFold(bare, strings.TrimLeft(k.stem, "_")),
			len(k.stem) >= 4 && oneApart(literal, k.stem),
			strings.ContainsAny(literal, "_-") && words == k.words:
			return k.name, true
		}
	}
	for name := range wellKnown { // _utma
		if strings.HasPrefix(name, "__") && bare == strings.TrimLeft(name, "_") {
			return name, true
		}
	}
	return "", false
}

// oneApart reports whether two names differ in one letter: another, one more, one less, or two
// neighbours exchanged.
func oneApart(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > 1 || a == b {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	if len(a) < len(b) {
		return a[i:] == b[i+1:]
	}
	return a[i+1:] == b[i+1:] ||
		i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
}

// translations are words of known names in other languages, folded.
var translations = map[string]string{
	"langue": "language", "sprache": "language", "idioma": "language", "lingua": "language", "taal": "language",
	"preference": "preferences", "preferencias": "preferences", "preferenze": "preferences",
	"voorkeuren": "preferences", "einstellungen": "preferences", "preferencia": "preferences",
	"galletas": "cookies", "cookie": "cookies", "sitzung": "session", "sesion": "session",
	"sessione": "session", "sessie": "session", "sessao": "session",
}

// translated returns the words of a name in English, sorted.
func translated(name string) string {
	words := strings.Fields(fold(name))
	for i, w := range words {
		if english, ok := translations[w]; ok {
			words[i] = english
		}
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

// providerAt returns the known provider with which a text begins.
func providerAt(text string) (string, bool) {
	for _, p := range knownProviders() {
		if len(text) >= len(p) && strings.EqualFold(text[:len(p)], p) {
			return text[:len(p)], true
		}
	}
	return "", false
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
