package enforcer_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// consentTools are the presets of consent tools, each with the cookies that the tool needs, and a
// Cookie header as browsers send it in which the key is not granted. How the values are read is
// tested in package consent.
var consentTools = []struct{ preset, cookies, key string }{
	{"govuk", `cookies_policy={"essential":true,"settings":false,"usage":false,"campaigns":false}; ` +
		`cookies_preferences_set=true`,
		"usage"},
	{"onetrust",
		"OptanonConsent=groups=C0001%3A1%2CC0002%3A0; OptanonAlertBoxClosed=2025-11-20T10:15:30.123Z",
		"C0002"},
	{"cookiebot",
		"CookieConsent={stamp:%27x%27%2Cnecessary:true%2Cpreferences:false%2C" +
			"statistics:false%2Cmarketing:false}",
		"statistics"},
	{"tarteaucitron", "tarteaucitron=!gtag=false!youtube=false!facebookpixel=false", "gtag"},
	{"klaro", "klaro=%7B%22matomo%22%3Afalse%2C%22youtube%22%3Afalse%7D", "matomo"},
	{"orejime", "eu-consent={%22analytics%22:false%2C%22ads%22:false}", "analytics"},
	{"cookieconsent", "cc_cookie=%7B%22categories%22%3A%5B%22necessary%22%5D%7D", "analytics"},
	{"axeptio",
		"axeptio_cookies={%22google_analytics%22:false%2C%22$$completed%22:true}; " +
			"axeptio_all_vendors=%2Cx%2C",
		"google_analytics"},
	{"didomi", "didomi_token=eyJwdXJwb3NlcyI6eyJkaXNhYmxlZCI6WyJhbmFseXRpY3MiXX19", "analytics"},
	{"cookieyes", "cookieyes-consent=consentid:x,consent:no,action:yes,necessary:yes,analytics:no",
		"analytics"},
	{"complianz",
		"cmplz_policy_id=14; cmplz_functional=allow; cmplz_statistics=deny; cmplz_banner-status=dismissed",
		"statistics"},
	{"django_cookie_consent", `cookie_consent="analytics=-1|social=-1"`, "analytics"},
	{"aspnet", ".AspNet.Consent=no", "analytics"},
}

// A consent tool keeps its own cookies, whatever the visitor chose and also without a choice.
func TestConsentToolsKeepTheirCookies(t *testing.T) {
	for _, c := range consentTools {
		t.Run(c.preset, func(t *testing.T) {
			resolved := compiled(t,
				policy.Policy{Presets: []policy.Preset{{Name: c.preset}}}).Policy()
			e := compiled(t, policy.Policy{
				Presets: []policy.Preset{{Name: c.preset}},
				Allow: []policy.Rule{{
					Category: policy.ThirdParty, Cookies: []string{"tracker"},
					RuleOptions: policy.RuleOptions{Consent: []string{c.key}},
				}},
			})
			header := http.Header{"Cookie": {c.cookies + "; tracker=1"}}
			visit := e.Visit(enforcer.Request{Header: header})
			visit.FilterRequest()
			if got := header["Cookie"]; !slices.Equal(got, []string{c.cookies}) {
				t.Errorf("%s reaches the portal as %q", c.cookies, got)
			}
			if state, known := visit.Consent(c.key); state == policy.Granted || !known {
				t.Errorf("%s is %v, known %t", c.key, state, known)
			}
			var names []string
			for _, rule := range resolved.Rules() {
				names = append(names, rule.Cookies...)
			}
			for _, name := range names {
				for _, cookies := range [][]string{nil, {c.cookies}} {
					if !letThrough(e, cookies, name+"=x; Path=/") {
						t.Errorf("%s is not set for a visitor with %q", name, cookies)
					}
				}
			}
		})
	}
}
