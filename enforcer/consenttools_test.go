package enforcer

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// consentToolCase is one consent tool and values of its cookies as browsers send them. What is read of them is written as
// `+granted -refused ?undecided`, or `doubt` where the value cannot be read.
type consentToolCase struct {
	preset string
	own    []string // cookies that the tool cannot do without
	keys   []string
	cases  []wireValue
}

type wireValue struct{ what, cookies, want string }

const (
	oneTrust = "isGpcEnabled=0&datestamp=Thu+Nov+20+2025+11%3A15%3A34+GMT%2B0100+(Central+European+Standard+Time)&version=202409.1.0&browserGpcFlag=0&isIABGlobal=false" +
		"&hosts=H3%3A1%2CH14%3A0&consentId=3f1c0a52-6a8b-4b7e-9b1e-2d9f1a7c4e10&interactionCount=1&isAnonUser=1&landingPath=NotLandingPage&groups="
	oneTrustRest = "&geolocation=FR%3BIDF&AwaitingReconsent=false; OptanonAlertBoxClosed=2025-11-20T10:15:30.123Z"

	cookiebot = "{stamp:%27Q2xvc2VkIGV4YW1wbGUgc3RhbXAgdmFsdWUgbm90IHJlYWwu+A==%27%2Cnecessary:true%2C"

	ccCookieRest = "%2C%22revision%22%3A0%2C%22data%22%3Anull%2C%22consentTimestamp%22%3A%222025-11-20T10%3A15%3A30.123Z%22%2C%22consentId%22%3A%223f1c0a52-6a8b-4b7e-9b1e-2d9f1a7c4e10%22" +
		"%2C%22services%22%3A%7B%22necessary%22%3A%5B%5D%2C%22analytics%22%3A%5B%22ga%22%5D%2C%22marketing%22%3A%5B%5D%7D%2C%22languageCode%22%3A%22en%22" +
		"%2C%22lastConsentTimestamp%22%3A%222025-11-20T10%3A15%3A30.123Z%22%2C%22expirationTime%22%3A1779272130123%7D"

	axeptio = "{%22$$token%22:%22k3v9x0q2m7h1f8s5t6ab%22%2C%22$$date%22:%222025-11-20T10:15:30.123Z%22%2C" +
		"%22$$cookiesVersion%22:{%22name%22:%22site-en%22%2C%22identifier%22:%225df8f53f730c99249ab59382%22}%2C"

	// {"user_id":"…","created":"2025-11-20T10:15:30.123Z","updated":"2025-11-20T10:15:34.456Z","ve and then the rest of vendors or version.
	didomi        = "eyJ1c2VyX2lkIjoiMTlhOWYzYzItN2IxZS02YzRkLThhNTItM2YwZTlkMWM1Yjc3IiwiY3JlYXRlZCI6IjIwMjUtMTEtMjBUMTA6MTU6MzAuMTIzWiIsInVwZGF0ZWQiOiIyMDI1LTExLTIwVDEwOjE1OjM0LjQ1NloiLCJ2ZW"
	didomiAll     = didomi + "5kb3JzIjp7ImVuYWJsZWQiOlsiZ29vZ2xlIiwiYzpob3RqYXIiXX0sInB1cnBvc2VzIjp7ImVuYWJsZWQiOlsiZ2VvbG9jYXRpb25fZGF0YSIsImFuYWx5dGljcy1IcEJKcnJLNyJdfSwidmVyc2lvbiI6MiwiYWMiOiJBRm1BQ0FGay5BQUFBIn0="
	didomiRefused = didomi + "JzaW9uIjoyLCJwdXJwb3NlcyI6eyJkaXNhYmxlZCI6WyJnZW9sb2NhdGlvbl9kYXRhIiwiYW5hbHl0aWNzLUhwQkpycks3Il19LCJ2ZW5kb3JzIjp7ImRpc2FibGVkIjpbImdvb2dsZSIsImM6aG90amFyIl19LCJhYyI6IkFBQUEuQUFBQSJ9"
	didomiPart    = didomi + "5kb3JzIjp7ImVuYWJsZWQiOlsiYzpob3RqYXIiXSwiZGlzYWJsZWQiOlsiZ29vZ2xlIl19LCJwdXJwb3NlcyI6eyJlbmFibGVkIjpbImFuYWx5dGljcy1IcEJKcnJLNyJdLCJkaXNhYmxlZCI6WyJnZW9sb2NhdGlvbl9kYXRhIl19LCJ2ZXJzaW9uIjoyfQ=="
	didomiNothing = didomi + "JzaW9uIjpudWxsfQ=="

	cookieYes = "consentid:WTN6Qk5qUXpOVFkzT0RreE1qTTBOVFkzT0RreE1q,"
)

var consentToolCases = []consentToolCase{
	{
		preset: "govuk", own: []string{"cookies_policy", "cookies_preferences_set"}, keys: []string{"essential", "settings", "usage", "campaigns"},
		cases: []wireValue{
			{"all granted", `cookies_policy={"essential":true,"settings":true,"usage":true,"campaigns":true}; cookies_preferences_set=true`, "+essential +settings +usage +campaigns"},
			{"all granted, encoded", "cookies_policy=%7B%22essential%22%3Atrue%2C%22settings%22%3Atrue%2C%22usage%22%3Atrue%2C%22campaigns%22%3Atrue%7D; cookies_preferences_set=true", "+essential +settings +usage +campaigns"},
			{"all refused", `cookies_policy={"essential":true,"settings":false,"usage":false,"campaigns":false}; cookies_preferences_set=true`, "+essential -settings -usage -campaigns"},
			{"part", `cookies_policy={"essential":true,"settings":false,"usage":true,"campaigns":false}; cookies_preferences_set=true`, "+essential -settings +usage -campaigns"},
			{"statistics in the aggregate, before any answer", `cookies_policy={"essential":true,"settings":false,"usage":"aggregate","campaigns":false}`, "+essential -settings -usage -campaigns"},
			{"JSON in a JSON text", `cookies_policy="{\"essential\":true,\"settings\":false,\"usage\":true}"`, "+essential -settings +usage ?campaigns"},
			{"no cookie", "cookies_preferences_set=true", "?essential ?settings ?usage ?campaigns"},
			{"cut short", `cookies_policy={"essential":true,"settings":fal`, "doubt"},
			{"a word", "cookies_policy=true", "doubt"},
			{"base64, as others write it", "cookies_policy=eyJlc3NlbnRpYWwiOnRydWUsImFuYWx5dGljcyI6ZmFsc2UsInRpbWVzdGFtcCI6MTc2MzYzMzczMH0=", "doubt"},
		},
	},
	{
		preset: "onetrust", own: []string{"OptanonConsent", "OptanonAlertBoxClosed", "eupubconsent-v2", "OTAdditionalConsentString", "OTGPPConsent"},
		keys: []string{"C0001", "C0002", "C0003", "C0004"},
		cases: []wireValue{
			{"all granted", "OptanonConsent=" + oneTrust + "C0001%3A1%2CC0002%3A1%2CC0003%3A1%2CC0004%3A1" + oneTrustRest, "+C0001 +C0002 +C0003 +C0004"},
			{"all refused", "OptanonConsent=" + oneTrust + "C0001%3A1%2CC0002%3A0%2CC0003%3A0%2CC0004%3A0" + oneTrustRest, "+C0001 -C0002 -C0003 -C0004"},
			{"part, and a stack", "OptanonConsent=" + oneTrust + "C0001%3A1%2CC0002%3A1%2CC0003%3A0%2CV2STACK42%3A0" + oneTrustRest, "+C0001 +C0002 -C0003 ?C0004"},
			{"other keys around, before any answer", "OptanonConsent=groups=C0001%3A1%2CC0002%3A0&interactionCount=0&landingPath=https%3A%2F%2Fwww.example.org%2F%3Fgroups%3DC0003%3A1%26a%3Db", "+C0001 -C0002 ?C0003 ?C0004"},
			{"a time zone in other letters", "OptanonConsent=datestamp=Mon+(%D0%9C%D0%BE%D1%81%D0%BA%D0%B2%D0%B0)&groups=C0001%3A1%2CC0002%3A1", "+C0001 +C0002 ?C0003 ?C0004"},
			{"groups alone", "OptanonConsent=groups=C0001%3A1%2CC0002%3A0", "+C0001 -C0002 ?C0003 ?C0004"},
			{"no groups", "OptanonConsent=isGpcEnabled=0&datestamp=Thu+Nov+20", "?C0001 ?C0002 ?C0003 ?C0004"},
			{"the time of the answer alone", "OptanonAlertBoxClosed=2025-11-20T10:15:30.123Z", "?C0001 ?C0002 ?C0003 ?C0004"},
			{"cut short", "OptanonConsent=groups=C0001%3A1%2CC0002", "doubt"},
			{"cut short within an escape", "OptanonConsent=" + oneTrust + "C0001%3A1%2CC0002%3", "doubt"},
			{"two groups", "OptanonConsent=groups=C0001%3A1&groups=C0002%3A1", "doubt"},
			{"a group twice", "OptanonConsent=groups=C0002%3A1%2CC0002%3A0", "doubt"},
			{"empty", "OptanonConsent=", "doubt"},
		},
	},
	{
		preset: "cookiebot", own: []string{"CookieConsent"}, keys: []string{"necessary", "preferences", "statistics", "marketing"},
		cases: []wireValue{
			{"all granted", "CookieConsent=" + cookiebot + "preferences:true%2Cstatistics:true%2Cmarketing:true%2Cmethod:%27explicit%27%2Cver:1%2Cutc:1763633730123%2Cregion:%27gb%27}", "+necessary +preferences +statistics +marketing"},
			{"all refused", "CookieConsent=" + cookiebot + "preferences:false%2Cstatistics:false%2Cmarketing:false%2Cmethod:%27explicit%27%2Cver:1%2Cutc:1763633730123%2Cregion:%27gb%27}", "+necessary -preferences -statistics -marketing"},
			{"part, without a method", "CookieConsent=" + cookiebot + "preferences:true%2Cstatistics:true%2Cmarketing:false%2Cver:1%2Cutc:1633609730123%2Cregion:%27cz%27}", "+necessary +preferences +statistics -marketing"},
			{"part, without a region", "CookieConsent=" + cookiebot + "preferences:true%2Cstatistics:false%2Cmarketing:false%2Cver:1%2Cutc:1633609730123}", "+necessary +preferences -statistics -marketing"},
			{"part, and nothing behind", "CookieConsent=" + cookiebot + "preferences:false%2Cstatistics:false%2Cmarketing:true}", "+necessary -preferences -statistics +marketing"},
			{"part, with the advertisers' string", "CookieConsent=" + cookiebot + "preferences:true%2Cstatistics:false%2Cmarketing:false%2Cmethod:%27explicit%27%2Cver:1%2Cutc:1763633730123%2Ciab2:%27CQEXy8AQEXy8AAHABBENBFFoAP_AAAAAAAAAF5w.f_gAAAAAAAAA%27%2Cregion:%27us-06%27}", "+necessary +preferences -statistics -marketing"},
			{"part, not encoded", "CookieConsent={stamp:'abc+/==',necessary:true,preferences:false,statistics:true,marketing:false,method:'explicit',ver:1,utc:1763633730123,region:'gb'}", "+necessary -preferences +statistics -marketing"},
			{"part, fully encoded", "CookieConsent=%7Bstamp%3A%27abc%27%2Cnecessary%3Atrue%2Cpreferences%3Afalse%2Cstatistics%3Atrue%2Cmarketing%3Afalse%2Cver%3A1%2Cutc%3A1763633730123%7D", "+necessary -preferences +statistics -marketing"},
			{"granted where no consent is needed", "CookieConsent={stamp:%27-1%27%2Cnecessary:true%2Cpreferences:true%2Cstatistics:true%2Cmarketing:true%2Cmethod:%27implied%27%2Cver:1%2Cutc:1763633730123%2Cregion:%27CN%27}", "+necessary +preferences +statistics +marketing"},
			{"no consent needed, in the old form", "CookieConsent=-1", "doubt"},
			{"a digit", "CookieConsent=0", "doubt"},
			{"another tool's value", "CookieConsent=true", "doubt"},
			{"cut short within a key", "CookieConsent={stamp:%27abc%27%2Cnecessary:true%2Cpref", "doubt"},
			{"cut short behind a choice", "CookieConsent={stamp:%27abc%27%2Cnecessary:true%2Cpreferences:true%2Cstatistics:true", "doubt"},
			{"a choice twice", "CookieConsent={statistics:true%2Cstatistics:true}", "doubt"},
		},
	},
	{
		preset: "tarteaucitron", own: []string{"tarteaucitron"}, keys: []string{"gtag", "youtube", "facebookpixel"},
		cases: []wireValue{
			{"all granted", "tarteaucitron=!gtag=true!youtube=true!facebookpixel=true", "+gtag +youtube +facebookpixel"},
			{"all refused", "tarteaucitron=!gtag=false!youtube=false!facebookpixel=false", "-gtag -youtube -facebookpixel"},
			{"part, and one that waits", "tarteaucitron=!youtube=wait!facebookpixel=false!gtag=true", "+gtag -youtube -facebookpixel"},
			{"all wait", "tarteaucitron=!gtag=wait!youtube=wait", "-gtag -youtube ?facebookpixel"},
			{"an entry of another kind", "tarteaucitron=!id=5df8f53f730c9924!atinternet=true!gtag=true!", "+gtag ?youtube ?facebookpixel"},
			{"encoded equals signs", "tarteaucitron=!gtag%3Dtrue!youtube%3Dfalse", "+gtag -youtube ?facebookpixel"},
			{"cut short within a word", "tarteaucitron=!youtube=true!gtag=tru", "-gtag +youtube ?facebookpixel"},
			{"cut short within a key", "tarteaucitron=!youtube=true!gta", "doubt"},
			{"nothing", "tarteaucitron=!", "doubt"},
			{"a service twice", "tarteaucitron=!gtag=true!gtag=false", "doubt"},
			{"a word", "tarteaucitron=true", "doubt"},
		},
	},
	{
		preset: "klaro", own: []string{"klaro"}, keys: []string{"klaro", "matomo", "youtube"},
		cases: []wireValue{
			{"all granted", "klaro=%7B%22matomo%22%3Atrue%2C%22youtube%22%3Atrue%7D", "?klaro +matomo +youtube"},
			{"all refused", "klaro=%7B%22matomo%22%3Afalse%2C%22youtube%22%3Afalse%7D", "?klaro -matomo -youtube"},
			{"part", "klaro=%7B%22klaro%22%3Atrue%2C%22matomo%22%3Atrue%2C%22youtube%22%3Afalse%7D", "+klaro +matomo -youtube"},
			{"a text for yes", "klaro=%7B%22matomo%22%3A%22yes%22%7D", "?klaro -matomo ?youtube"},
			{"cut short", "klaro=%7B%22matomo%22%3Atru", "doubt"},
			{"cut short behind a choice", "klaro=%7B%22matomo%22%3Atrue%2C%22youtube%22%3Atrue", "doubt"},
			{"empty", "klaro=", "doubt"},
		},
	},
	{
		preset: "cookieconsent", own: []string{"cc_cookie"}, keys: []string{"necessary", "analytics", "marketing"},
		cases: []wireValue{
			{"all granted", "cc_cookie=%7B%22categories%22%3A%5B%22necessary%22%2C%22analytics%22%2C%22marketing%22%5D" + ccCookieRest, "+necessary +analytics +marketing"},
			{"all refused", "cc_cookie=%7B%22categories%22%3A%5B%22necessary%22%5D" + ccCookieRest, "+necessary ?analytics ?marketing"},
			{"all refused, none necessary", "cc_cookie=%7B%22categories%22%3A%5B%5D" + ccCookieRest, "?necessary ?analytics ?marketing"},
			{"part", "cc_cookie=%7B%22categories%22%3A%5B%22necessary%22%2C%22analytics%22%5D" + ccCookieRest, "+necessary +analytics ?marketing"},
			{"part, version 2", `cc_cookie={"categories":["necessary","marketing"],"level":["necessary","marketing"],"revision":0,"data":null,"rfc_cookie":false,"consent_date":"2025-11-20T10:15:30.123Z","consent_uuid":"3f1c0a52","last_consent_update":"2025-11-20T10:15:30.123Z"}`, "+necessary ?analytics +marketing"},
			{"cut short", "cc_cookie=%7B%22categories%22%3A%5B%22necessary", "doubt"},
			{"cut short behind the choices", "cc_cookie=%7B%22categories%22%3A%5B%22necessary%22%2C%22analytics%22%5D%2C%22revision%22%3A0", "doubt"},
			{"a text for a list", "cc_cookie=%7B%22categories%22%3A%22analytics%22%7D", "doubt"},
			{"categories twice", "cc_cookie=%7B%22categories%22%3A%5B%22analytics%22%5D%2C%22categories%22%3A%5B%5D%7D", "doubt"},
			{"a time that is none", "cc_cookie=%7B%22categories%22%3A%5B%22analytics%22%5D%2C%22lastConsentTimestamp%22%3A%22soon%22%7D", "doubt"},
		},
	},
	{
		preset: "axeptio", own: []string{"axeptio_cookies", "axeptio_authorized_vendors", "axeptio_all_vendors"}, keys: []string{"google_analytics", "facebook_pixel"},
		cases: []wireValue{
			{"all granted", "axeptio_cookies=" + axeptio + "%22google_analytics%22:true%2C%22facebook_pixel%22:true%2C%22$$completed%22:true}; axeptio_authorized_vendors=%2Cgoogle_analytics%2Cfacebook_pixel%2C; axeptio_all_vendors=%2Cgoogle_analytics%2Cfacebook_pixel%2C", "+google_analytics +facebook_pixel"},
			{"all refused", "axeptio_cookies=" + axeptio + "%22google_analytics%22:false%2C%22facebook_pixel%22:false%2C%22$$completed%22:true}; axeptio_authorized_vendors=%2C%2C; axeptio_all_vendors=%2Cgoogle_analytics%2Cfacebook_pixel%2C", "-google_analytics -facebook_pixel"},
			{"part", "axeptio_cookies=" + axeptio + "%22google_analytics%22:true%2C%22facebook_pixel%22:false%2C%22$$completed%22:true}; axeptio_authorized_vendors=%2Cgoogle_analytics%2C; axeptio_all_vendors=%2Cgoogle_analytics%2Cfacebook_pixel%2C", "+google_analytics -facebook_pixel"},
			{"part, fully encoded", "axeptio_cookies=%7B%22%24%24token%22%3A%22k3v9x0q2m7h1f8s5t6ab%22%2C%22%24%24date%22%3A%222025-11-20T10%3A15%3A30.123Z%22%2C%22%24%24cookiesVersion%22%3A%7B%22name%22%3A%22site-en%22%2C%22identifier%22%3A%225df8f53f730c99249ab59382%22%7D%2C%22google_analytics%22%3Atrue%2C%22facebook_pixel%22%3Afalse%2C%22%24%24completed%22%3Atrue%7D", "+google_analytics -facebook_pixel"},
			{"part, not encoded", `axeptio_cookies={"$$token":"k3v9x0q2m7h1f8s5t6ab","$$date":"2025-11-20T10:15:30.123Z","google_analytics":false,"facebook_pixel":true,"$$completed":true}`, "-google_analytics +facebook_pixel"},
			{"refused, whatever Google is told", "axeptio_cookies=" + axeptio + "%22$$googleConsentMode%22:{%22version%22:2%2C%22analytics_storage%22:%22granted%22%2C%22google_analytics%22:true}%2C%22google_analytics%22:false%2C%22$$completed%22:true}", "-google_analytics ?facebook_pixel"},
			{"one vendor in two spellings", "axeptio_cookies=" + axeptio + "%22google_analytics%22:true%2C%22Google_Analytics%22:false%2C%22$$completed%22:true}", "+google_analytics ?facebook_pixel"},
			{"before any answer", "axeptio_cookies={%22$$token%22:%22k3v9x0q2m7h1f8s5t6ab%22%2C%22$$date%22:%222025-11-20T10:15:30.123Z%22%2C%22$$cookiesVersion%22:{}%2C%22$$completed%22:false}; axeptio_authorized_vendors=%2C%2C; axeptio_all_vendors=%2C%2C", "?google_analytics ?facebook_pixel"},
			{"cut short", "axeptio_cookies={%22$$token%22:%22k3v9x0q2m", "doubt"},
			{"cut short behind a choice", "axeptio_cookies=" + axeptio + "%22google_analytics%22:true", "doubt"},
			{"quotes encoded in one place only", `axeptio_cookies={%22google_analytics%22:true,"facebook_pixel":true}`, "doubt"},
		},
	},
	{
		preset: "didomi", own: []string{"didomi_token", "didomi_dcs", "euconsent-v2"}, keys: []string{"geolocation_data", "analytics-HpBJrrK7"},
		cases: []wireValue{
			{"all granted", "didomi_token=" + didomiAll + "; euconsent-v2=CQEXy8AQEXy8AAHABBENBFFoAP_AAAAAAAAAF5wBQAIAAtABkAFsBeYAAABSUAGAAIKalIAMAAQU1IQAYAAgpqOgAwABBTUJABgACCmo.f_gAAAAAAAAA", "+geolocation_data +analytics-HpBJrrK7"},
			{"all refused", "didomi_token=" + didomiRefused, "?geolocation_data ?analytics-HpBJrrK7"},
			{"part", "didomi_token=" + didomiPart, "?geolocation_data +analytics-HpBJrrK7"},
			{"part, its padding encoded", "didomi_token=" + strings.ReplaceAll(didomiPart, "=", "%3D"), "?geolocation_data +analytics-HpBJrrK7"},
			{"before any answer", "didomi_token=" + didomiNothing, "?geolocation_data ?analytics-HpBJrrK7"},
			{"the binary form alone", "didomi_dcs=CAAAAAAAAAAA", "?geolocation_data ?analytics-HpBJrrK7"},
			{"cut short", "didomi_token=eyJ1c2VyX2lkIjoi", "doubt"},
			{"cut short behind a choice", "didomi_token=" + didomiAll[:len(didomiAll)-24], "doubt"},
			{"no base64", "didomi_token=%%%not-base64", "doubt"},
			{"JSON without base64", `didomi_token={"purposes":{"enabled":["geolocation_data"]}}`, "doubt"},
		},
	},
	{
		preset: "cookieyes", own: []string{"cookieyes-consent"}, keys: []string{"necessary", "functional", "analytics", "advertisement"},
		cases: []wireValue{
			{"all granted", "cookieyes-consent=" + cookieYes + "consent:yes,action:yes,necessary:yes,functional:yes,analytics:yes,performance:yes,advertisement:yes,other:yes,lastRenewedDate:1734959335000", "+necessary +functional +analytics +advertisement"},
			{"all refused", "cookieyes-consent=" + cookieYes + "consent:no,action:yes,necessary:yes,functional:no,analytics:no,performance:no,advertisement:no,other:no", "+necessary -functional -analytics -advertisement"},
			{"part", "cookieyes-consent=" + cookieYes + "consent:yes,action:yes,necessary:yes,functional:yes,analytics:no,performance:no,advertisement:no", "+necessary +functional -analytics -advertisement"},
			{"part, encoded", "cookieyes-consent=consentid%3AWTN6Qk5q%2Cconsent%3Ayes%2Caction%3Ayes%2Cnecessary%3Ayes%2Cfunctional%3Ano%2Canalytics%3Ayes%2Cadvertisement%3Ano", "+necessary -functional +analytics -advertisement"},
			{"before any answer", "cookieyes-consent=" + cookieYes + "consent:no,action:,necessary:yes,functional:no,analytics:no,performance:no,advertisement:no", "+necessary -functional -analytics -advertisement"},
			{"before any answer, without defaults", "cookieyes-consent=" + cookieYes + "consent:,action:,necessary:,functional:,analytics:,advertisement:", "-necessary -functional -analytics -advertisement"},
			{"a visitor's number alone", "cookieyes-consent=consentid:WTN6Qk5q", "?necessary ?functional ?analytics ?advertisement"},
			{"granted without a banner", "cookieyes-consent=" + cookieYes + "consent:yes,action:no,necessary:yes,functional:yes,analytics:yes,performance:yes,advertisement:yes", "+necessary +functional +analytics +advertisement"},
			{"a word", "cookieyes-consent=yes", "doubt"},
			{"cut short within a key", "cookieyes-consent=" + cookieYes + "consent:yes,action:yes,analytics:yes,adver", "doubt"},
			{"no percent-encoding", "cookieyes-consent=%E0%A4%A", "doubt"},
			{"a category twice", "cookieyes-consent=analytics:yes,analytics:no", "doubt"},
		},
	},
	{
		preset: "complianz", keys: []string{"functional", "preferences", "statistics", "marketing"},
		own: []string{
			"cmplz_functional", "cmplz_preferences", "cmplz_statistics", "cmplz_marketing", "cmplz_consented_services", "cmplz_saved_categories", "cmplz_saved_services",
			"cmplz_banner-status", "cmplz_policy_id", "cmplz_id",
		},
		cases: []wireValue{
			{"all granted", "cmplz_consented_services=; cmplz_policy_id=14; cmplz_marketing=allow; cmplz_statistics=allow; cmplz_preferences=allow; cmplz_functional=allow; cmplz_banner-status=dismissed", "+functional +preferences +statistics +marketing"},
			{"all refused", "cmplz_policy_id=14; cmplz_functional=allow; cmplz_preferences=deny; cmplz_statistics=deny; cmplz_marketing=deny; cmplz_consented_services=; cmplz_banner-status=dismissed", "+functional -preferences -statistics -marketing"},
			{"part, with services", `cmplz_policy_id=14; cmplz_functional=allow; cmplz_preferences=allow; cmplz_statistics=allow; cmplz_marketing=deny; cmplz_consented_services={"youtube":true}; cmplz_saved_categories=["functional","statistics"]; cmplz_banner-status=dismissed`, "+functional +preferences +statistics -marketing"},
			{"some categories alone", "cmplz_statistics=allow; cmplz_marketing=deny", "?functional ?preferences +statistics -marketing"},
			{"closed without an answer", "cmplz_banner-status=dismissed", "?functional ?preferences ?statistics ?marketing"},
			{"no such words", `cmplz_marketing=; cmplz_statistics=optin; cmplz_preferences=ALLOW; cmplz_consented_services={"youtube":tr`, "?functional -preferences -statistics -marketing"},
			{"two copies that differ", "cmplz_statistics=allow; cmplz_statistics=deny", "?functional ?preferences -statistics ?marketing"},
			{"no percent-encoding", "cmplz_statistics=allow; cmplz_marketing=%zz", "doubt"},
		},
	},
	{
		preset: "django_cookie_consent", own: []string{"cookie_consent"}, keys: []string{"analytics", "social"},
		cases: []wireValue{
			{"all granted", `cookie_consent="analytics=2025-11-20T10:15:30.123456+00:00|social=2025-11-18T08:00:00+00:00"`, "+analytics +social"},
			{"all granted, without time zones", `cookie_consent="analytics=2013-06-10T12:00:00.123456|social=2013-06-10T12:00:00"`, "+analytics +social"},
			{"all refused", `cookie_consent="analytics=-1|social=-1"`, "-analytics -social"},
			{"part", `cookie_consent="analytics=2025-11-20T10:15:30.123456+00:00|social=-1"`, "+analytics -social"},
			{"part, without quotes", "cookie_consent=analytics=2025-11-20T10:15:30.123456+00:00|social=-1", "+analytics -social"},
			{"part, encoded", "cookie_consent=analytics%3D2025-11-20T10%3A15%3A30.123456%2B00%3A00%7Csocial%3D-1", "+analytics -social"},
			{"one group", `cookie_consent="social=2025-11-18T08:00:00+00:00"`, "?analytics +social"},
			{"a word for a time", `cookie_consent="analytics=yes|"`, "-analytics ?social"},
			{"cut short within a time", `cookie_consent=social=-1|analytics=2025-11-20T10:1`, "-analytics -social"},
			{"no time", `cookie_consent="analytics"`, "doubt"},
			{"another tool's value", "cookie_consent=accepted", "doubt"},
			{"one quote", `cookie_consent="analytics`, "doubt"},
			{"empty", `cookie_consent=""`, "doubt"},
		},
	},
	{
		preset: "aspnet", own: []string{".AspNet.Consent"}, keys: []string{"analytics", "marketing"},
		cases: []wireValue{
			{"granted", ".AspNet.Consent=yes", "+analytics +marketing"},
			{"refused", ".AspNet.Consent=no", "-analytics -marketing"},
			{"withdrawn", "", "?analytics ?marketing"},
			{"in capitals", ".AspNet.Consent=YES", "-analytics -marketing"},
			{"another word", ".AspNet.Consent=true", "-analytics -marketing"},
			{"nothing", ".AspNet.Consent=", "-analytics -marketing"},
			{"no percent-encoding", ".AspNet.Consent=%y", "doubt"},
		},
	},
}

// withConsentTool is a policy of a consent tool's preset with, for each key, a cookie that needs it and one that passes until it is refused.
func withConsentTool(t *testing.T, c *consentToolCase) *Enforcer {
	p := Policy{Presets: []Preset{{Name: c.preset}}}
	for _, key := range c.keys {
		p.Allow = append(p.Allow,
			Rule{Category: ThirdParty, Cookies: []string{"needs_" + key}, RuleOptions: RuleOptions{Consent: []string{key}}},
			Rule{Category: Statistical, Cookies: []string{"until_" + key}, RuleOptions: RuleOptions{Consent: []string{key}, Anonymous: true}},
		)
	}
	return compiled(t, p)
}

// readConsentTool says what was read of the tool's cookies, and complains where verdicts say something else.
func readConsentTool(t *testing.T, e *Enforcer, c *consentToolCase, cookies string) string {
	t.Helper()
	visit := visitWith(e, cookies)
	var said []string
	doubt, sure := false, false
	for _, key := range c.keys {
		consent, known := visit.Consent(key)
		if !known {
			t.Errorf("the key %s is not known", key)
		}
		needs, until := letThrough(e, []string{cookies}, "needs_"+key+"=1"), letThrough(e, []string{cookies}, "until_"+key+"=1")
		if needs != (consent == Granted) || until && consent == Refused || needs && !until {
			t.Errorf("%s is %s, a cookie that needs it let through is %t, one that passes until it is refused %t", key, consent, needs, until)
		}
		doubt, sure = doubt || consent == Undecided && !until, sure || consent != Undecided || until
		said = append(said, [...]string{Undecided: "?", Granted: "+", Refused: "-"}[consent]+key)
	}
	switch {
	case doubt && sure:
		t.Errorf("of the keys of %s some are in doubt and some are not", c.preset)
	case doubt:
		return "doubt"
	}
	return strings.Join(said, " ")
}

func TestConsentToolsAreReadAsTheyWrite(t *testing.T) {
	for _, c := range consentToolCases {
		t.Run(c.preset, func(t *testing.T) {
			e := withConsentTool(t, &c)
			for _, v := range c.cases {
				t.Run(v.what, func(t *testing.T) {
					if got := readConsentTool(t, e, &c, v.cookies); got != v.want {
						t.Errorf("%s was read as %q, want %q", v.cookies, got, v.want)
					}
					if got := readConsentTool(t, e, &c, "sessionid=x; theme=dark; "+v.cookies); got != v.want {
						t.Errorf("%s, behind other cookies, was read as %q, want %q", v.cookies, got, v.want)
					}
				})
			}
		})
	}
}

func TestConsentToolsKeepTheirOwnCookies(t *testing.T) {
	for _, c := range consentToolCases {
		t.Run(c.preset, func(t *testing.T) {
			e := withConsentTool(t, &c)
			for _, v := range c.cases {
				if v.cookies == "" {
					continue
				}
				header := http.Header{"Cookie": {v.cookies}}
				visit := e.Visit(Request{Header: header})
				visit.FilterRequest()
				if got := header["Cookie"]; !slices.Equal(got, []string{v.cookies}) {
					t.Errorf("%s reaches the portal as %q", v.cookies, got)
				}
				for _, name := range c.own {
					if !letThrough(e, []string{v.cookies}, name+"=x; Path=/") {
						t.Errorf("%s is not set for a visitor with %s", name, v.cookies)
					}
				}
			}
			for _, name := range c.own {
				if !letThrough(e, nil, name+"=x; Path=/") {
					t.Errorf("%s is not set on a first visit", name)
				}
			}
		})
	}
}

func TestEachConsentToolIsTested(t *testing.T) {
	for i, tool := range consentTools {
		if i >= len(consentToolCases) || consentToolCases[i].preset != tool.name {
			t.Fatalf("%s is not tested in its place", tool.name)
		}
		var names []string
		for _, r := range tool.rules {
			names = append(names, r.Cookies...)
			if r.Category != Necessary || r.Provider == "" || len(r.Purpose) != 2 || r.Purpose[0].Language != "en" || r.Purpose[1].Language != "fr" {
				t.Errorf("%s: %q are %s, of %q, for %q", tool.name, r.Cookies, r.Category, r.Provider, r.Purpose)
			}
		}
		if own := consentToolCases[i].own; !slices.Equal(names, own) {
			t.Errorf("%s lets %q through, want %q", tool.name, names, own)
		}
		for _, p := range tool.preference {
			if p.MaxAge != 0 || p.Persist != "" {
				t.Errorf("%s: how long a choice counts is for the operator to say", tool.name)
			}
		}
	}
}

// The choices were made on 20 November at 10:15; the clock shows noon on 15 January.
func TestConsentToolsTellWhenTheChoiceWasMade(t *testing.T) {
	var told []string
	for _, c := range consentToolCases {
		known, _ := presetNamed(c.preset)
		preference := known.preference[0]
		if preference.Timestamp == "" {
			continue
		}
		told = append(told, c.preset)
		t.Run(c.preset, func(t *testing.T) {
			key := c.keys[len(c.keys)-1]
			for maxAge, want := range map[Duration]bool{56 * day: false, 57 * day: true} {
				preference.MaxAge = maxAge
				e := compiled(t, Policy{
					Presets:    []Preset{{Name: c.preset}},
					Allow:      []Rule{{Category: ThirdParty, Cookies: []string{"tracker"}, RuleOptions: RuleOptions{Consent: []string{key}}}},
					Preference: []Preference{preference},
				})
				if got := letThrough(e, []string{c.cases[0].cookies}, "tracker=1"); got != want {
					t.Errorf("where a choice counts for %s, a tracker let through is %t", maxAge, got)
				}
			}
		})
	}
	if want := []string{"cookiebot", "cookieconsent", "axeptio", "didomi"}; !slices.Equal(told, want) {
		t.Errorf("%q tell, want %q", told, want)
	}
}
