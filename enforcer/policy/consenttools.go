package policy

// consentTools are tools by which sites ask for consent: how each one's cookie is read, and the
// cookies that the tool itself cannot do without. The names of categories, services and cookies
// are those that a tool writes unless the site configures others.
//
// None has a max_age: a policy in which old choices do not count repeats the preference, with one.
// Where a cookie tells no time of the choice, or tells it in another cookie, there is no
// timestamp.
//
// Lifetimes are the tools' defaults. Those of open source are in the source: GOV.UK
// (lib/cookie-settings.js), tarteaucitron, Klaro (config), Orejime, Cookieconsent, Complianz,
// django-cookie-consent (COOKIE_CONSENT_MAX_AGE) and ASP.NET Core (CookiePolicyOptions). The others
// are documented by the makers: OneTrust ("OneTrust Cookies"), Cookiebot ("Cookie consent expiration
// in Safari 12.1 and newer"), Axeptio ("What cookies does Axeptio set?"), Didomi (web SDK, "Behavior")
// and CookieYes (in the declaration that it generates).
//
// Two limits are common to several. Some tools write their cookie before any answer, or grant all
// of it by themselves where they think that no consent is needed; what they write then counts as
// it stands. And where a tool lists only what was granted, what was refused looks undecided.
var consentTools = []preset{
	{
		// The banner of GOV.UK and of the sites that share its components; the JSON is not
		// encoded. Limits: usage can be "aggregate", which is not a yes and so refuses; the
		// default is written before any answer, and only cookies_preferences_set would tell.
		// Sites that borrow the name and write base64 need a preference of their own.
		name: "govuk",
		rules: []Rule{
			choiceCookies("GOV.UK", twelveMonths, "cookies_policy"),
			necessary("banner.answered", "GOV.UK", twelveMonths, "cookies_preferences_set"),
		},
		preference: []Preference{{Cookies: []string{"cookies_policy"}, Format: FormatJSON}},
		keys: []Key{
			key("preferences", "settings"), key("statistics", "usage"), key("marketing", "campaigns"),
		},
	},
	{
		// A query string whose member groups is a list: C0001:1,C0002:0. Limits: the defaults of
		// the visitor's region are written before any answer, granted ones too; datestamp changes
		// with every page, and OptanonAlertBoxClosed, which has the time of the answer, is
		// another cookie.
		name: "onetrust",
		rules: []Rule{
			choiceCookies("OneTrust", twelveMonths, "OptanonConsent"),
			necessary("banner.closed", "OneTrust", twelveMonths, "OptanonAlertBoxClosed"),
			necessary("banner.advertisers", "OneTrust", twelveMonths,
				"eupubconsent-v2", "OTAdditionalConsentString", "OTGPPConsent"),
		},
		preference: []Preference{{
			Cookies: []string{"OptanonConsent"}, Format: FormatPairs, Separator: "&",
			Assignment: "=", ListKey: "groups", Granted: []string{"1"},
		}},
		keys: []Key{
			key("statistics", "C0002"), key("preferences", "C0003"), key("marketing", "C0004"),
			key("social", "C0005"),
		},
	},
	{
		// An object as scripts write it, not JSON: no quotes around keys, and single ones around
		// texts. Limit: where Cookiebot thinks that no consent is needed it grants all (method
		// 'implied'). Its old form for that is -1 alone, which holds no choice and grants
		// nothing.
		name:  "cookiebot",
		rules: []Rule{choiceCookies("Cookiebot", twelveMonths, "CookieConsent")},
		preference: []Preference{{
			Cookies: []string{"CookieConsent"}, Format: FormatPairs, Separator: ",",
			Assignment: ":", Granted: []string{"true"}, Timestamp: "utc",
		}},
		keys: []Key{
			key("preferences", "preferences"), key("statistics", "statistics"), key("marketing", "marketing"),
		},
	},
	{
		// Keys are services. Limits: a service that still waits for an answer says wait, which is
		// not a yes and so refuses; services that the site calls exempt from consent say true
		// without an answer.
		name:  "tarteaucitron",
		rules: []Rule{choiceCookies("tarteaucitron.js", twelveMonths, "tarteaucitron")},
		preference: []Preference{{
			Cookies: []string{"tarteaucitron"}, Format: FormatPairs, Separator: "!",
			Assignment: "=", Granted: []string{"true"},
		}},
	},
	{
		// Keys are the services that the site defines.
		name:       "klaro",
		rules:      []Rule{choiceCookies("Klaro", 120*day, "klaro")},
		preference: []Preference{{Cookies: []string{"klaro"}, Format: FormatJSON}},
	},
	{
		// Orejime, version 3: JSON.stringify, and 120 days, in its source (CookieConsentsRepository).
		// Keys are the purposes that the site defines. Limits: version 2 calls its cookie orejime;
		// a site can have its own stringify.
		name:       "orejime",
		rules:      []Rule{choiceCookies("Orejime", 120*day, "eu-consent")},
		preference: []Preference{{Cookies: []string{"eu-consent"}, Format: FormatJSON}},
	},
	{
		// Cookieconsent by Orest Bida, version 3. Version 2 lists its categories in the same
		// place, but names the time differently. Limits: only the granted categories are listed;
		// services within a category are not read.
		name:  "cookieconsent",
		rules: []Rule{choiceCookies("CookieConsent", 182*day, "cc_cookie")},
		preference: []Preference{{
			Cookies: []string{"cc_cookie"}, Format: FormatJSON, Path: "categories",
			Timestamp: "lastConsentTimestamp",
		}},
	},
	{
		// Keys are vendors, as members of one object together with members of Axeptio's own,
		// which begin with $$. Before any answer there is no vendor.
		name: "axeptio",
		rules: []Rule{
			choiceCookies("Axeptio", sixMonths, "axeptio_cookies"),
			necessary("banner.services", "Axeptio", sixMonths,
				"axeptio_authorized_vendors", "axeptio_all_vendors"),
		},
		preference: []Preference{{
			Cookies: []string{"axeptio_cookies"}, Format: FormatJSON, Timestamp: "$$date",
		}},
	},
	{
		// Keys are purposes. Limits: only the enabled ones are read; vendors are not, nor what
		// stands in the consent string of the advertisers' framework (euconsent-v2) or in
		// Didomi's own binary one (didomi_dcs).
		name: "didomi",
		rules: []Rule{
			choiceCookies("Didomi", thirteenMonths, "didomi_token", "didomi_dcs"),
			necessary("banner.advertisers", "Didomi", thirteenMonths, "euconsent-v2"),
		},
		preference: []Preference{{
			Cookies: []string{"didomi_token"}, Format: FormatJSON, Path: "purposes.enabled",
			Base64: true, Timestamp: "updated",
		}},
	},
	{
		// Limits: defaults are written before any answer (action is empty then), and all is
		// granted where no banner is shown (action is no); lastRenewedDate is the site's, not the
		// visitor's.
		name:  "cookieyes",
		rules: []Rule{choiceCookies("CookieYes", twelveMonths, "cookieyes-consent")},
		preference: []Preference{{
			Cookies: []string{"cookieyes-consent"}, Format: FormatPairs, Separator: ",",
			Assignment: ":", Granted: []string{"yes"},
		}},
		keys: []Key{
			key("preferences", "functional"), key("statistics", "analytics"),
			key("marketing", "advertisement"),
		},
	},
	{
		// One cookie for each category. Limits: choices for single services are not read; where
		// no banner is shown, Complianz allows all.
		name: "complianz",
		rules: []Rule{
			choiceCookies("Complianz", twelveMonths, "cmplz_functional", "cmplz_preferences",
				"cmplz_statistics", "cmplz_marketing",
				"cmplz_consented_services", "cmplz_saved_categories", "cmplz_saved_services"),
			necessary("banner.policy", "Complianz", twelveMonths,
				"cmplz_banner-status", "cmplz_policy_id", "cmplz_id"),
		},
		preference: []Preference{
			{Cookies: []string{"cmplz_functional"}, Format: FormatFlag, Value: "allow", Keys: []string{"functional"}},
			{Cookies: []string{"cmplz_preferences"}, Format: FormatFlag, Value: "allow", Keys: []string{"preferences"}},
			{Cookies: []string{"cmplz_statistics"}, Format: FormatFlag, Value: "allow", Keys: []string{"statistics"}},
			{Cookies: []string{"cmplz_marketing"}, Format: FormatFlag, Value: "allow", Keys: []string{"marketing"}},
		},
		keys: []Key{
			key("preferences", "preferences"), key("statistics", "statistics"), key("marketing", "marketing"),
		},
	},
	{
		// A group is accepted by a time, and declined by -1. The time is that of the group's last
		// change, not of the choice. Limit: that the group has changed since, and the visitor has
		// to be asked again, is known to Django alone.
		name:  "django_cookie_consent",
		rules: []Rule{choiceCookies("django-cookie-consent", twelveMonths, "cookie_consent")},
		preference: []Preference{{
			Cookies: []string{"cookie_consent"}, Format: FormatPairs, Separator: "|",
			Assignment: "=", Granted: []string{AnyTime},
		}},
	},
	{
		// One consent for all keys. To withdraw it is to delete the cookie; some sites write no.
		name:  "aspnet",
		rules: []Rule{choiceCookies("ASP.NET Core", twelveMonths, ".AspNet.Consent")},
		preference: []Preference{{
			Cookies: []string{".AspNet.Consent"}, Format: FormatFlag, Value: "yes",
		}},
	},
}
