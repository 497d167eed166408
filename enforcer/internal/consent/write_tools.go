package consent

import (
	"slices"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// convention is what one consent tool expects of its cookie beyond the format.
type convention struct {
	cookie string
	format string

	raw       bool   // JSON is not percent-encoded
	always    string // the member of a JSON object that is true whatever was chosen
	needs     string // the member without which the tool discards its cookie
	services  string // the object that lists the granted services of each key
	separated bool   // pairs begin with a separator
	httpOnly  bool
	companion Change // the cookie by which the tool knows that the visitor answered
}

var conventions = []convention{
	// The banner of Opendatasoft writes its necessary cookies as a member that is always true.
	{cookie: "cookies_preferences", format: policy.FormatJSON, always: "functional_cookies"},

	// govuk_publishing_components, lib/cookie-functions.js: the JSON is read as it stands, and the banner
	// is shown until the other cookie is there.
	{cookie: "cookies_policy", format: policy.FormatJSON, raw: true, always: "essential",
		companion: Change{Cookie: "cookies_preferences_set", Value: "true"}},

	// Cookieconsent, src/core/api.js: a cookie without consentId does not count, and scripts of a service
	// run if the service is listed, whether or not its category is.
	{cookie: "cc_cookie", format: policy.FormatJSON, needs: "consentId", services: "services"},

	// tarteaucitron.js looks for !key=true.
	{cookie: "tarteaucitron", format: policy.FormatPairs, separated: true},

	// Complianz shows its banner until the other cookie says that it was closed.
	{cookie: "cmplz_functional", format: policy.FormatFlag, companion: bannerClosed},
	{cookie: "cmplz_preferences", format: policy.FormatFlag, companion: bannerClosed},
	{cookie: "cmplz_statistics", format: policy.FormatFlag, companion: bannerClosed},
	{cookie: "cmplz_marketing", format: policy.FormatFlag, companion: bannerClosed},

	// django-cookie-consent: COOKIE_CONSENT_HTTPONLY is true by default.
	{cookie: "cookie_consent", format: policy.FormatPairs, httpOnly: true},
}

var bannerClosed = Change{Cookie: "cmplz_banner-status", Value: "dismissed"}

// convention returns what the tool expects whose cookie this is. A cookie of the same name in another
// format is not the tool's.
func (p *preference) convention() convention {
	i := slices.IndexFunc(conventions, func(c convention) bool {
		return c.cookie == p.cookie && c.format == p.format
	})
	if i < 0 || p.base64 ||
		conventions[i].httpOnly && !slices.Contains(p.words, policy.AnyTime) { // others use this name too
		return convention{}
	}
	return conventions[i]
}
