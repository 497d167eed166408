package enforcer

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// mended gives one line to a visit, over HTTPS or not, and returns what becomes of it: nothing if it is refused. The response's other header
// lines can matter too.
func mended(e *Enforcer, https bool, line string, header http.Header) string {
	if header == nil {
		header = http.Header{}
	}
	header["Set-Cookie"] = []string{line}
	visit := e.Visit(Request{Header: http.Header{}, Host: "data.city.example", HTTPS: https})
	visit.FilterResponse(header)
	return strings.Join(header["Set-Cookie"], "\n")
}

// withOptions is a policy whose one rule, for the cookie a, has some options.
func withOptions(tb testing.TB, o RuleOptions) *Enforcer {
	tb.Helper()
	return compiled(tb, Policy{Allow: []Rule{{Category: Necessary, Cookies: []string{"a"}, RuleOptions: o}}})
}

// rewriting is a policy that allows all cookies, and rewrites domains. Each pair is where from, and where to.
func rewriting(pairs ...string) Policy {
	p := allowing("*")
	for i := 0; i < len(pairs); i += 2 {
		p.RewriteDomain = append(p.RewriteDomain, Rewrite{pairs[i], pairs[i+1]})
	}
	return p
}

const (
	inAnHour  = "Thu, 15 Jan 2026 13:00:00 GMT"
	inTwo     = "Thu, 15 Jan 2026 14:00:00 GMT"
	inAYear   = "Fri, 15 Jan 2027 12:00:00 GMT"
	hourLater = "Max-Age=3600"
)

func TestALongerLifeIsCut(t *testing.T) {
	e := withOptions(t, RuleOptions{MaxAge: Duration(time.Hour)})
	over := strings.Repeat("9", 1025)
	for _, c := range []struct{ what, line, want string }{
		{"a longer life", "a=b; Max-Age=3601", "a=b; Max-Age=3600"},
		{"a life as long", "a=b; Max-Age=3600", ""},
		{"a shorter life", "a=b; Max-Age=3599", ""},
		{"a life of a second", "a=b; Max-Age=1", ""},
		{"a life without end", "a=b; Max-Age=99999999999999999999999999", "a=b; Max-Age=3600"},
		{"a number past int64 before a word, which browsers clip", "a=b; Max-Age=9223372036854775808x", "a=b; Max-Age=3600"},
		{"zeros and a number past int64 before a word", "a=b; Max-Age=0009223372036854775807.5", "a=b; Max-Age=3600"},
		{"a plus and a number past int64 before a word", "a=b; Max-Age=+99999999999999999999 1; Expires=" + inAYear, "a=b; Max-Age=3600; Expires=" + inAYear},
		{"leading zeros before a longer life", "a=b; Max-Age=0007200", "a=b; Max-Age=3600"},
		{"leading zeros before a shorter life", "a=b; Max-Age=0000600", ""},
		{"zero is a deletion", "a=b; Max-Age=0; Expires=" + inAYear, ""},
		{"a negative number is a deletion", "a=b; Max-Age=-1; Expires=" + inAYear, ""},
		{"a negative number without end is a deletion", "a=b; Max-Age=-99999999999999999999999999", ""},
		{"a cookie of the session", "a=b", ""},
		{"a cookie of the session, with other attributes", "a=b; Path=/; HttpOnly; Secure", ""},
		{"only the number's bytes change", " a = \"b\" ; max-AGE \t=  7200 ;;Path=/ ; X", " a = \"b\" ; max-AGE \t=  3600 ;;Path=/ ; X"},
		{"the last of two counts, the longer", "a=b; Max-Age=60; Max-Age=7200", "a=b; Max-Age=60; Max-Age=3600"},
		{"the last of two counts, the shorter", "a=b; Max-Age=7200; Max-Age=60", ""},
		{"the last of two counts, and is no number", "a=b; Max-Age=7200; Max-Age=abc", ""},
		{"the last is too long to count", "a=b; Max-Age=7200; Max-Age=" + over, "a=b; Max-Age=3600; Max-Age=" + over},
		{"a Max-Age wins over Expires", "a=b; Expires=" + inAYear + "; Max-Age=60", ""},
		{"a longer Max-Age wins over Expires", "a=b; Max-Age=7200; Expires=" + inAYear, "a=b; Max-Age=3600; Expires=" + inAYear},
		{"a fraction is no number", "a=b; Max-Age=7200.5", ""},
		{"a fraction leaves the word to Expires", "a=b; Max-Age=1.5; Expires=" + inAYear, "a=b; Max-Age=1.5; Expires=" + inAnHour},
		{"words leave the word to Expires", "a=b; Max-Age=forever; Expires=" + inAYear, "a=b; Max-Age=forever; Expires=" + inAnHour},
		{"an empty one leaves the word to Expires", "a=b; Max-Age=; Expires=" + inAYear, "a=b; Max-Age=; Expires=" + inAnHour},
		{"one without a value leaves the word to Expires", "a=b; Max-Age; Expires=" + inAYear, "a=b; Max-Age; Expires=" + inAnHour},
		{"a plus is a number to Chromium alone", "a=b; Max-Age=+7200", "a=b; Max-Age=3600"},
		{"a shorter life with a plus leaves the word to Expires in Firefox", "a=b; Max-Age=+60; Expires=" + inAYear, "a=b; Max-Age=+60; Expires=" + inAnHour},
		{"those of the pair do not count", "a=Max-Age=7200", ""},
		{"names that only look like it do not count", "a=b; XMax-Age=7200; Max-Ages=7200; Max Age=7200", ""},

		{"a longer Expires", "a=b; Expires=" + inTwo, "a=b; Expires=" + inAnHour},
		{"an Expires as late", "a=b; Expires=" + inAnHour, ""},
		{"an earlier Expires", "a=b; Expires=Thu, 15 Jan 2026 12:30:00 GMT", ""},
		{"an Expires a minute ago", "a=b; Expires=Thu, 15 Jan 2026 11:59:00 GMT", ""},
		{"an Expires long past is a deletion", "a=b; Expires=Thu, 01 Jan 1970 00:00:00 GMT", ""},
		{"the last of two Expires counts", "a=b; Expires=" + inAnHour + "; Expires=" + inAYear, "a=b; Expires=" + inAnHour + "; Expires=" + inAnHour},
		{"only the date's bytes change", "a=b;EXPIRES= " + inAYear + " ;Path=/;", "a=b;EXPIRES= " + inAnHour + " ;Path=/;"},
		{"no date", "a=b; Expires=never", ""},
		{"a number is no date", "a=b; Expires=0", ""},
		{"seconds since 1970 are no date", "a=b; Expires=1800000000", ""},
		{"ISO 8601 is no date to browsers", "a=b; Expires=2027-01-15T12:00:00Z", ""},
		{"no year", "a=b; Expires=Fri, 15 Jan 12:00:00 GMT", ""},
		{"letters after the day", "a=b; Expires=15th Jan 2027 12:00:00 GMT", ""},
		{"letters after the year", "a=b; Expires=15 Jan 2027AD 12:00:00 GMT", ""},
		{"numbers between dots", "a=b; Expires=15.1.2027 12:00:00", ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			want := c.want
			if want == "" {
				want = c.line
			}
			got := mended(e, true, c.line, nil)
			if got != want {
				t.Errorf("%q\nbecame %q\nwant   %q", c.line, got, want)
			}
			if again := mended(e, true, got, nil); again != got {
				t.Errorf("mended twice it is %q", again)
			}
		})
	}
}

// Some browser takes each of these for a date in the far future. What Firefox takes for one and others do not is taken out.
func TestEveryFormOfALongerExpiresIsCut(t *testing.T) {
	e := withOptions(t, RuleOptions{MaxAge: Duration(time.Hour)})
	for _, date := range []string{
		"Fri, 15 Jan 2027 12:00:00 GMT", "Friday, 15-Jan-27 12:00:00 GMT", "Fri Jan 15 12:00:00 2027", "15 jan 2027 12:00:00", "JANUARY 15, 2027 12:00:00", "15/Jan/2027 12:00:00 UTC",
		"12:00:00 15 Jan 2027", "Fri, 15 Jan 2027 1:2:3 GMT", "\tFri,\t15 Jan 2027 12:00:00\t", "31 Dec 9999 23:59:59 GMT", "15 Jan 2027 12:00:00 +0200",
		"2027 Jan 15 12:00:00", "15 Jan 02027 12:00:00", "15 Jan 2027 12:00:00 2030", "15 Jan 2027 012:00:00", "15 Jan 2027 12:00:00.000Z",
		// Chromium alone
		"15_Jan_2027_12:00:00", "15.Jan.2027 12:00:00", "15+Jan+2027 12:00:00", "15 Jan 027 12:00:00", "15 Jan 99999 12:00:00",
		// Firefox alone
		"Fri, 15 Jan 2027", "Jan 15 2027", "15 Jan 2027 12:00", "15 Jan 2027 12:00:00AM", "15 Jan 2027 12:00:00Z", "15 Jan 2027 24:00:00", "30 Feb 2027 12:00:00", "0 Jan 2027 12:00:00", "15 Jan 2027 x12:00:00",
	} {
		if got, want := mended(e, true, "a=b; Expires="+date+"; Path=/", nil), "a=b; Expires="+inAnHour+"; Path=/"; strings.TrimRight(strings.ReplaceAll(got, "\t", ""), " ") != want {
			t.Errorf("%q became %q, want %q", date, got, want)
		}
	}
	for _, date := range []string{"01/15/2027", "1/15/2027 12:00:00", "15/1/27", "15-01-2027 12:00:00", "Fri, 01-15-27 12:00 PM", "31-12-99", "1/31/2030 Jan 1 1999 00:00:00"} {
		if got, want := mended(e, true, "a=b; Expires="+date+"; Path=/", nil), "a=b; Path=/"; got != want {
			t.Errorf("%q became %q, want %q", date, got, want)
		}
		if got, want := mended(e, true, "a=b; Expires="+inAYear+"; Expires="+date+"; Path=/", nil), "a=b; Path=/"; got != want {
			t.Errorf("%q, behind another, became %q, want %q", date, got, want)
		}
	}
}

// Firefox heeds time zones, and AM and PM; the standard passes over them. A date that is too late in one of its readings becomes one that is not.
func TestADateInAnotherZoneIsReadByEveryBrowserAlike(t *testing.T) {
	e := withOptions(t, RuleOptions{MaxAge: Duration(time.Hour)})
	for _, c := range []struct{ what, date, want string }{
		{"west of Greenwich", "Thu, 15 Jan 2026 12:30:00 -0800", "Thu, 15 Jan 2026 12:30:00 GMT"},
		{"west of Greenwich, by its name", "Thu, 15 Jan 2026 12:30:00 PST", "Thu, 15 Jan 2026 12:30:00 GMT"},
		{"further west than there is land", "Thu, 15 Jan 2026 12:30:00 -9959", "Thu, 15 Jan 2026 12:30:00 GMT"},
		{"in the afternoon", "15 Jan 2026 12:30:00 PM", "Thu, 15 Jan 2026 12:30:00 GMT"},
		{"long before the limit", "01 Jan 2026 12:30:00 -0800", ""},
		{"in Greenwich, in small letters", "15 Jan 2026 12:30:00 gmt", ""},
		{"in universal time", "15-Jan-2026 12:30:00 UTC", ""},
		{"nowhere", "15 Jan 2026 12:30:00", ""},
		{"nowhere, with the year behind", "Thu Jan 15 12:30:00 2026", ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			want := c.want
			if want == "" {
				want = c.date
			}
			if got := mended(e, true, "a=b; Expires="+c.date, nil); got != "a=b; Expires="+want {
				t.Errorf("%q became %q, want the date %q", c.date, got, want)
			}
		})
	}
}

// Browsers correct Expires for the difference between the server's clock and their own. A life is cut so that it is not too long whether they do
// or not.
func TestExpiresIsCutByBothClocks(t *testing.T) {
	e := withOptions(t, RuleOptions{MaxAge: Duration(time.Hour)})
	for _, c := range []struct {
		what       string
		date       []string
		line, want string
	}{
		{"clocks that agree", []string{"Thu, 15 Jan 2026 12:00:00 GMT"}, "a=b; Expires=" + inTwo, "a=b; Expires=" + inAnHour},
		{"no Date", nil, "a=b; Expires=" + inTwo, "a=b; Expires=" + inAnHour},
		{"a Date that cannot be read", []string{"yesterday"}, "a=b; Expires=" + inTwo, "a=b; Expires=" + inAnHour},
		{"a server behind", []string{"Thu, 15 Jan 2026 11:30:00 GMT"}, "a=b; Expires=" + inAnHour, "a=b; Expires=Thu, 15 Jan 2026 12:30:00 GMT"},
		{"a server behind, and a life as short by its clock", []string{"Thu, 15 Jan 2026 11:30:00 GMT"}, "a=b; Expires=Thu, 15 Jan 2026 12:30:00 GMT", "a=b; Expires=Thu, 15 Jan 2026 12:30:00 GMT"},
		{"a server ahead", []string{"Thu, 15 Jan 2026 12:30:00 GMT"}, "a=b; Expires=" + inTwo, "a=b; Expires=" + inAnHour},
		{"two Dates", []string{"Thu, 15 Jan 2026 12:30:00 GMT", "Thu, 15 Jan 2026 11:30:00 GMT"}, "a=b; Expires=" + inTwo, "a=b; Expires=Thu, 15 Jan 2026 12:30:00 GMT"},
		{"Max-Age knows no clocks", []string{"Thu, 15 Jan 2026 11:30:00 GMT"}, "a=b; Max-Age=7200", "a=b; " + hourLater},
	} {
		t.Run(c.what, func(t *testing.T) {
			if got := mended(e, true, c.line, http.Header{"Date": c.date}); got != c.want {
				t.Errorf("%q became %q, want %q", c.line, got, c.want)
			}
		})
	}
}

func TestDeclaredLifetimesAreEnforcedWhereThePolicySaysSo(t *testing.T) {
	policy := Policy{
		Presets: []Preset{{Name: "matomo", RuleOptions: RuleOptions{Lifetime: 30 * day}}},
		Allow: []Rule{
			{Category: Necessary, Cookies: []string{"declared"}, RuleOptions: RuleOptions{Lifetime: Duration(time.Hour)}},
			{Category: Necessary, Cookies: []string{"both"}, RuleOptions: RuleOptions{Lifetime: Duration(time.Minute), MaxAge: Duration(2 * time.Hour)}},
			{Category: Necessary, Cookies: []string{"neither"}},
			{Category: Necessary, Cookies: []string{"_pk_own"}, RuleOptions: RuleOptions{MaxAge: day}},
		},
		Preference: []Preference{{Cookies: []string{"prefs"}}},
	}
	lines := []string{"declared=1; Max-Age=99999999", "both=1; Max-Age=99999999", "neither=1; Max-Age=99999999", "_pk_own=1; Max-Age=99999999", "_pk_id.1=1; Max-Age=99999999", `prefs={"matomo":true}; Max-Age=99999999`}
	reported := slices.Clone(lines)
	reported[1], reported[3] = "both=1; Max-Age=7200", "_pk_own=1; Max-Age=86400"
	enforced := slices.Clone(reported)
	enforced[0], enforced[4] = "declared=1; Max-Age=3600", "_pk_id.1=1; Max-Age=2592000"
	for word, want := range map[string][]string{"": reported, LifetimesReport: reported, LifetimesEnforce: enforced} {
		policy.Lifetimes = word
		if got := keptLines(compiled(t, policy), []string{`prefs={"matomo":true}`}, lines...); !slices.Equal(got, want) {
			t.Errorf("lifetimes %s: got %q, want %q", word, got, want)
		}
	}
}

func TestThePublishedLifetimesBecomeCaps(t *testing.T) {
	e := compiled(t, Policy{Presets: []Preset{{Name: "opendatasoft"}, {Name: "matomo"}}, Lifetimes: LifetimesEnforce})
	for _, line := range []string{"cookies_preferences={}; Max-Age=%", "csrftoken=x; Max-Age=%", "django_language=fr; Max-Age=%", "_pk_id.1=x; Max-Age=%"} {
		long := strings.Replace(line, "%", "999999999", 1)
		got := keptLines(e, []string{`cookies_preferences={"matomo":true}`}, long)
		if len(got) != 1 || got[0] == long || !strings.HasPrefix(got[0], line[:len(line)-1]) {
			t.Errorf("%q became %q", long, got)
		}
	}
}

func TestAttributesAreRaisedAndNeverLowered(t *testing.T) {
	over := strings.Repeat("x", 1025)
	secure, httpOnly := RuleOptions{Secure: true}, RuleOptions{HTTPOnly: true}
	lax, strict, none := RuleOptions{SameSite: SameSiteLax}, RuleOptions{SameSite: SameSiteStrict}, RuleOptions{SameSite: SameSiteNone}
	for _, c := range []struct {
		what        string
		options     RuleOptions
		line        string
		https, http string // nothing: the line stays as it is
	}{
		{"Secure is added over HTTPS alone", secure, "a=b", "a=b; Secure", ""},
		{"Secure is there", secure, "a=b; Secure; Path=/", "", ""},
		{"Secure is there in another case, with blanks", secure, "a=b; \tsECURE ", "", ""},
		{"Secure has a value, which means nothing", secure, "a=b; Secure=false", "", ""},
		{"Secure is there, then too long to count", secure, "a=b; Secure; Secure=" + over, "", ""},
		{"Secure is too long to count", secure, "a=b; Secure=" + over, "a=b; Secure=" + over + "; Secure", ""},
		{"Secure is but the value", secure, "a=Secure", "a=Secure; Secure", ""},
		{"Secure is but a part of a name", secure, "a=b; Secured; InSecure", "a=b; Secured; InSecure; Secure", ""},
		{"a semicolon at the end", secure, "a=b;", "a=b;; Secure", ""},
		{"blanks at the end", secure, "a=b; Path=/ \t", "a=b; Path=/ \t; Secure", ""},
		{"HttpOnly is added", httpOnly, "a=b; Path=/", "a=b; Path=/; HttpOnly", "a=b; Path=/; HttpOnly"},
		{"HttpOnly is there in another case", httpOnly, "a=b;HTTPONLY;Path=/", "", ""},
		{"HttpOnly is there twice", httpOnly, "a=b; HttpOnly; HttpOnly", "", ""},
		{"SameSite is added", lax, "a=b", "a=b; SameSite=Lax", "a=b; SameSite=Lax"},
		{"Strict is added", strict, "a=b", "a=b; SameSite=Strict", "a=b; SameSite=Strict"},
		{"None becomes Lax", lax, "a=b; SameSite=None; Secure", "a=b; SameSite=Lax; Secure", "a=b; SameSite=Lax; Secure"},
		{"None becomes Strict, in its place", strict, "a=b; samesite = none ; Secure", "a=b; samesite = Strict ; Secure", "a=b; samesite = Strict ; Secure"},
		{"Lax becomes Strict", strict, "a=b; SameSite=lax", "a=b; SameSite=Strict", "a=b; SameSite=Strict"},
		{"Lax stays Lax", lax, "a=b; SameSite=LAX", "", ""},
		{"Strict stays Strict", lax, "a=b; SameSite=strict", "", ""},
		{"the last of two counts, and stays", lax, "a=b; SameSite=None; SameSite=Strict", "", ""},
		{"the last of two counts, and is raised", lax, "a=b; SameSite=Strict; SameSite=None; Secure", "a=b; SameSite=Strict; SameSite=Lax; Secure", "a=b; SameSite=Strict; SameSite=Lax; Secure"},
		{"a word that browsers do not know is as if it were not there", lax, "a=b; SameSite=Maybe", "a=b; SameSite=Lax", "a=b; SameSite=Lax"},
		{"an empty one is as if it were not there", lax, "a=b; SameSite=; Path=/", "a=b; SameSite=Lax; Path=/", "a=b; SameSite=Lax; Path=/"},
		{"one of blanks is as if it were not there", lax, "a=b; SameSite= \t ; Path=/", "a=b; SameSite= \t Lax; Path=/", "a=b; SameSite= \t Lax; Path=/"},
		{"one without a value is as if it were not there", strict, "a=b; SameSite; Path=/", "a=b; SameSite=Strict; Path=/", "a=b; SameSite=Strict; Path=/"},
		{"one without a value, with blanks", strict, "a=b; SameSite ", "a=b; SameSite =Strict", "a=b; SameSite =Strict"},
		{"one too long to count is as if it were not there", lax, "a=b; SameSite=" + over, "a=b; SameSite=" + over + "; SameSite=Lax", "a=b; SameSite=" + over + "; SameSite=Lax"},
		{"None is added with Secure, and over HTTPS alone", none, "a=b", "a=b; SameSite=None; Secure", ""},
		{"None is added where Secure is", none, "a=b; Secure", "a=b; Secure; SameSite=None", ""},
		{"None gets its Secure", none, "a=b; SameSite=None", "a=b; SameSite=None; Secure", ""},
		{"None in the place of a word nobody knows", none, "a=b; SameSite=Maybe", "a=b; SameSite=None; Secure", ""},
		{"Lax is not lowered to None", none, "a=b; SameSite=Lax; Secure", "", ""},
		{"Strict is not lowered to None", none, "a=b; SameSite=Strict; Secure", "", ""},
		{"all at once, in one order", RuleOptions{Secure: true, HTTPOnly: true, SameSite: SameSiteLax, MaxAge: Duration(time.Hour)}, "a=b; Max-Age=7200", "a=b; Max-Age=3600; SameSite=Lax; Secure; HttpOnly", "a=b; Max-Age=3600; SameSite=Lax; HttpOnly"},
		{"a deletion stays as it is", RuleOptions{Secure: true, HTTPOnly: true, SameSite: SameSiteLax}, "a=; Max-Age=0", "", ""},
		{"a deletion by Expires stays as it is", RuleOptions{Secure: true, HTTPOnly: true, SameSite: SameSiteLax}, "a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/", "", ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			e := withOptions(t, c.options)
			for https, want := range map[bool]string{true: c.https, false: c.http} {
				if want == "" {
					want = c.line
				}
				got := mended(e, https, c.line, nil)
				if got != want {
					t.Errorf("over HTTPS (%t) %.200q\nbecame %.200q\nwant   %.200q", https, c.line, got, want)
				}
				if again := mended(e, https, got, nil); again != got {
					t.Errorf("mended twice it is %q", again)
				}
			}
		})
	}
}

func TestADomainIsRewritten(t *testing.T) {
	over := strings.Repeat("x", 1025)
	to, without := compiled(t, rewriting("portal.example.org", "city.example")), compiled(t, rewriting(".Portal.Example.org", ""))
	for _, c := range []struct{ what, line, to, without string }{
		{"a Domain", "a=b; Domain=portal.example.org; Path=/", "a=b; Domain=city.example; Path=/", "a=b; Path=/"},
		{"a leading dot", "a=b; Domain=.portal.example.org", "a=b; Domain=city.example", "a=b"},
		{"another case", "a=b; DOMAIN=Portal.EXAMPLE.org", "a=b; DOMAIN=city.example", "a=b"},
		{"blanks", "a=b;\tDomain = portal.example.org ;Path=/", "a=b;\tDomain = city.example ;Path=/", "a=b;Path=/"},
		{"none", "a=b; Path=/", "", ""},
		{"an empty one", "a=b; Domain=", "", ""},
		{"another one", "a=b; Domain=example.org", "", ""},
		{"one below", "a=b; Domain=www.portal.example.org", "", ""},
		{"one that ends alike", "a=b; Domain=myportal.example.org", "", ""},
		{"in the value", "a=Domain=portal.example.org", "", ""},
		{"the last counts", "a=b; Domain=other.example; Domain=portal.example.org", "a=b; Domain=other.example; Domain=city.example", "a=b"},
		{"the last counts, and is another", "a=b; Domain=portal.example.org; Domain=other.example", "", ""},
		{"the last is too long to count", "a=b; Domain=portal.example.org; Domain=" + over, "a=b; Domain=city.example; Domain=" + over, "a=b"},
		{"a deletion", "a=; Domain=portal.example.org; Max-Age=0", "a=; Domain=city.example; Max-Age=0", "a=; Max-Age=0"},
		{"a __Host- cookie has none, and is left alone", "__Host-a=b; Domain=portal.example.org; Secure; Path=/", "", ""},
		{"a __host- cookie too", "__hOST-a=b; Domain=portal.example.org", "", ""},
		{"a __Secure- cookie may have one", "__Secure-a=b; Domain=portal.example.org; Secure", "__Secure-a=b; Domain=city.example; Secure", "__Secure-a=b; Secure"},
	} {
		t.Run(c.what, func(t *testing.T) {
			for e, want := range map[*Enforcer]string{to: c.to, without: c.without} {
				if want == "" {
					want = c.line
				}
				if got := mended(e, true, c.line, nil); got != want {
					t.Errorf("%.200q\nbecame %.200q\nwant   %.200q", c.line, got, want)
				}
			}
		})
	}
}

func TestDomainsAreRewrittenOnAllLinesThatPass(t *testing.T) {
	p := rewriting("portal.example.org", "city.example", "old.example.org", "", "city.example", "elsewhere.example")
	p.Allow = []Rule{{Category: Necessary, Cookies: []string{"a"}}}
	p.Unlisted = UnlistedPass
	got := keptLines(compiled(t, p), nil, "a=1; Domain=portal.example.org", "other=1; Domain=old.example.org", "b=1; Domain=city.example")
	if want := []string{"a=1; Domain=city.example", "other=1", "b=1; Domain=elsewhere.example"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	p.Unlisted = UnlistedBlock
	got = keptLines(compiled(t, p), nil, "other=1; Domain=old.example.org", "other=; Domain=old.example.org; Max-Age=0")
	if want := []string{"other=; Max-Age=0"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What a rule says of domains is about what the portal sends, however often a header is filtered on its way.
func TestConditionsAreJudgedBeforeRewriting(t *testing.T) {
	p := rewriting("portal.example.org", "city.example", "city.example", "elsewhere.example")
	p.Allow = []Rule{{Category: Necessary, Cookies: []string{"a"}, RuleOptions: RuleOptions{Domain: []string{"portal.example.org"}, MaxAge: Duration(time.Hour)}}}
	e := compiled(t, p)
	visit := visitWith(e)
	header := http.Header{"Set-Cookie": {"a=1; Domain=portal.example.org; Max-Age=7200", "a=2; Domain=city.example", "a=3"}}
	want := []string{"a=1; Domain=city.example; Max-Age=3600", "a=3"}
	visit.FilterResponse(header) // a 103, say
	for range 2 {
		if got := header["Set-Cookie"]; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		visit.CompleteResponse(header)
	}
	// Another visit knows nothing of it.
	if got := keptLines(e, nil, want...); !slices.Equal(got, want[1:]) {
		t.Errorf("got %q, want %q", got, want[1:])
	}
}

// Consent that a response takes back is taken back from its rewritten lines too.
func TestARewrittenLineStillWantsConsent(t *testing.T) {
	p := rewriting("portal.example.org", "city.example")
	p.Allow = []Rule{{Category: ThirdParty, Cookies: []string{"a"}, RuleOptions: RuleOptions{Consent: []string{"k"}, Domain: []string{"portal.example.org"}}}}
	p.Preference = []Preference{{Cookies: []string{"prefs"}}}
	visit := visitWith(compiled(t, p), `prefs={"k":true}`)
	header := http.Header{"Set-Cookie": {"a=1; Domain=portal.example.org"}}
	visit.FilterResponse(header)
	if got := header["Set-Cookie"]; !slices.Equal(got, []string{"a=1; Domain=city.example"}) {
		t.Fatalf("got %q", got)
	}
	refusal := `prefs={"k":false}`
	header["Set-Cookie"] = append(header["Set-Cookie"], refusal)
	visit.CompleteResponse(header)
	if got := header["Set-Cookie"]; !slices.Equal(got, []string{refusal}) {
		t.Errorf("got %q, want %q alone", got, refusal)
	}
}

func TestACookieThatNoBrowserTakesFromThisHostIsNoted(t *testing.T) {
	for _, c := range []struct {
		what, host, line string
		want             Unusable
	}{
		{"the host itself", "data.city.example", "a=b; Domain=data.city.example", Unusable{}},
		{"the host itself, with a port and in another case", "Data.City.example:8443", "a=b; Domain=.DATA.city.example", Unusable{}},
		{"a domain above", "data.city.example", "a=b; Domain=city.example", Unusable{}},
		{"none", "data.city.example", "a=b", Unusable{}},
		{"one that is rewritten to a domain above", "data.city.example", "a=b; Domain=portal.example.org", Unusable{}},
		{"one that is rewritten to another domain", "data.town.example", "a=b; Domain=portal.example.org", Unusable{"a", "city.example"}},
		{"one that is taken out", "data.city.example", "a=b; Domain=old.example.org", Unusable{}},
		{"one that the portal uses and nobody rewrites", "data.city.example", "a=b; Domain=.Other.example.org", Unusable{"a", "other.example.org"}},
		{"a domain below", "city.example", "a=b; Domain=data.city.example", Unusable{"a", "data.city.example"}},
		{"one that ends alike", "data.city.example", "a=b; Domain=ity.example", Unusable{"a", "ity.example"}},
		{"a public suffix", "data.city.co.uk", "a=b; Domain=co.uk", Unusable{"a", "co.uk"}},
		{"a public suffix that is the host", "gov.uk", "a=b; Domain=gov.uk", Unusable{}},
		{"the end of an address", "192.0.2.7", "a=b; Domain=2.7", Unusable{"a", "2.7"}},
		{"an address", "192.0.2.7:8080", "a=b; Domain=192.0.2.7", Unusable{}},
		{"a host with an underscore", "data_portal.city.example", "a=b; Domain=city.example", Unusable{}},
		{"a cookie that is refused", "data.city.example", "b=b; Domain=other.example.org", Unusable{}},
	} {
		t.Run(c.what, func(t *testing.T) {
			p := rewriting("portal.example.org", "city.example", "old.example.org", "")
			p.Allow = []Rule{{Category: Necessary, Cookies: []string{"a"}}}
			e := compiled(t, p)
			visit := e.Visit(Request{Host: c.host})
			visit.FilterResponse(http.Header{"Set-Cookie": {c.line}})
			if got, met := visit.Unusable(); got != c.want || met != (c.want != Unusable{}) {
				t.Errorf("got %q, %t; want %q", got, met, c.want)
			}
		})
	}
}

// A policy that rewrites nothing looks at a Domain when it is new. That costs nothing later.
func TestADomainThatNoBrowserTakesIsNotedWhereNothingIsRewritten(t *testing.T) {
	e, _ := observed(t, allowing("a", "b", "c"))
	for _, c := range []struct {
		line string
		want Unusable
	}{
		{"a=b; Domain=city.example", Unusable{}},
		{"a=b; Domain=.Portal.example.org; Path=/", Unusable{"a", "portal.example.org"}},
		{"a=c; Domain=.Portal.example.org; Path=/", Unusable{}}, // known by now
		{"b=b; Domain=portal.example.org", Unusable{"b", "portal.example.org"}},
		{"c=; Domain=portal.example.org; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT", Unusable{"c", "portal.example.org"}},
		{"refused=b; Domain=portal.example.org", Unusable{}},
	} {
		visit := e.Visit(Request{Host: "data.city.example"})
		visit.CompleteResponse(http.Header{"Set-Cookie": {c.line}})
		if got, met := visit.Unusable(); got != c.want || met != (c.want != Unusable{}) {
			t.Errorf("%s: got %q, %t; want %q", c.line, got, met, c.want)
		}
		visit.End()
	}
}

func TestMendingThatCannotBeMeantIsAFault(t *testing.T) {
	own := func(category Category, o RuleOptions, names ...string) Policy {
		return Policy{Allow: []Rule{{Category: category, Cookies: names, RuleOptions: o}}}
	}
	rewrite := func(from, to string) Policy { return rewriting(from, to) }
	httpOnly := RuleOptions{HTTPOnly: true}
	portal := []Preset{{Name: "opendatasoft"}}
	hardened := []Preset{{Name: "opendatasoft", RuleOptions: httpOnly}}
	for _, c := range []struct {
		what   string
		policy Policy
		want   []string
	}{
		{"a negative max_age", own(Necessary, RuleOptions{MaxAge: -day}, "a"), []string{"allow[0].max_age -1d"}},
		{"a max_age of less than a second", own(Necessary, RuleOptions{MaxAge: Duration(999 * time.Millisecond)}, "a"), []string{"allow[0].max_age 999ms"}},
		{"a lifetime of less than a second, which could be enforced", own(Necessary, RuleOptions{Lifetime: 1}, "a"), []string{"allow[0].lifetime 1ns"}},
		{"an unknown same_site", own(Necessary, RuleOptions{SameSite: "Lax"}, "a"), []string{"allow[0].same_site Lax"}},
		{"an unknown same_site of a preset", Policy{Presets: []Preset{{Name: "matomo", RuleOptions: RuleOptions{SameSite: "maybe"}}}}, []string{"presets[0].same_site maybe"}},
		{"an unknown word for lifetimes", Policy{Presets: portal, Lifetimes: "cut"}, []string{"lifetimes cut"}},
		{"an unknown word for shared caches", Policy{Presets: portal, SharedCache: "private"}, []string{"shared_cache private"}},

		{"a public suffix to rewrite from", rewrite("co.uk", ""), []string{"rewrite_domain[0].from co.uk"}},
		{"a public suffix to rewrite to", rewrite("portal.example.org", ".fr"), []string{"rewrite_domain[0].to .fr"}},
		{"a private suffix to rewrite to", rewrite("portal.example.org", "github.io"), []string{"rewrite_domain[0].to github.io"}},
		{"nothing to rewrite from", rewrite("", "city.example"), []string{"rewrite_domain[0].from "}},
		{"an address with a scheme", rewrite("https://portal.example.org", ""), []string{"rewrite_domain[0].from https://portal.example.org"}},
		{"a domain that stays what it is", rewrite("portal.example.org", ".Portal.example.org"), []string{"rewrite_domain[0].to .Portal.example.org"}},
		{"a domain twice", rewriting("portal.example.org", "", ".PORTAL.example.org", "city.example"), []string{"rewrite_domain[1].from .PORTAL.example.org"}},

		{"a __Host- cookie on another path, which could never match", own(Necessary, RuleOptions{Path: []string{"/app"}}, "__Host-a"), []string{"allow[0].cookies[0] __Host-a"}},
		{"a __host- cookie too", own(Necessary, RuleOptions{Path: []string{"/app", "/x"}}, "a", "__host-*"), []string{"allow[0].cookies[1] __host-*"}},
		{"a __Host- cookie on that path too", own(Necessary, RuleOptions{Path: []string{"/app", "/"}}, "__Host-a"), nil},

		{"http_only on csrftoken", own(Necessary, httpOnly, "a", "csrftoken"), []string{"allow[0].http_only csrftoken"}},
		{"http_only on a wildcard that decides on csrftoken", own(Necessary, httpOnly, "csrf*"), []string{"allow[0].http_only csrftoken"}},
		{"http_only on a wildcard, where the preset decides on csrftoken", Policy{Presets: portal, Allow: []Rule{{Category: Necessary, Cookies: []string{"csrf*"}, RuleOptions: httpOnly}}}, nil},
		{"http_only on a preset that holds both", Policy{Presets: hardened}, []string{"presets[0].http_only csrftoken", "presets[0].http_only cookies_preferences"}},
		{"http_only on a preset, where the block decides on both", Policy{Presets: hardened, Allow: []Rule{{Category: Necessary, Cookies: []string{"csrftoken", "cookies_preferences"}}}}, nil},
		{"http_only on a preset, where an earlier preset decides", Policy{Presets: []Preset{{Name: "matomo"}, {Name: "opendatasoft", RuleOptions: httpOnly}}}, []string{"presets[1].http_only csrftoken", "presets[1].http_only cookies_preferences"}},
		{"http_only on the block's preference", Policy{Allow: []Rule{{Category: Necessary, Cookies: []string{"p"}, RuleOptions: httpOnly}}, Preference: []Preference{{Cookies: []string{"p"}}}}, []string{"allow[0].http_only p"}},
		{"http_only on a wildcard around the preference, on which it has no say", Policy{Allow: []Rule{{Category: Necessary, Cookies: []string{"p*"}, RuleOptions: httpOnly}}, Preference: []Preference{{Cookies: []string{"pref"}}}}, nil},
		{"same_site none alone", own(Necessary, RuleOptions{SameSite: SameSiteNone}, "a"), nil},
	} {
		t.Run(c.what, func(t *testing.T) {
			if got := faultsOf(t, c.policy); !slices.Equal(got, c.want) {
				t.Errorf("the faults are %q, want %q", got, c.want)
			}
		})
	}
}

// linesSeen returns the Set-Cookie lines of the table of what Chromium stores.
func linesSeen(tb testing.TB) (lines []string) {
	tb.Helper()
	for _, v := range readVectors[setCookieVector](tb, "setcookie.jsonl") {
		for _, line := range v.Lines {
			lines = append(lines, rawBytes(line))
		}
	}
	if len(lines) < 300 {
		tb.Fatalf("%d lines are not the table", len(lines))
	}
	return lines
}

// Whatever a line looks like: where its rule asks for nothing it arrives as the portal sent it, also where the policy mends others.
func TestWhereNothingIsConfiguredLinesKeepTheirBytes(t *testing.T) {
	hardened := Rule{Category: Necessary, Cookies: []string{"another"}, RuleOptions: RuleOptions{MaxAge: day, Secure: true, HTTPOnly: true, SameSite: SameSiteStrict}}
	declared := RuleOptions{Lifetime: day, Provider: "the portal", Purpose: []Purpose{{"en", "to test"}}}
	plain := Policy{Allow: []Rule{{Category: Necessary, Cookies: []string{"*"}, RuleOptions: declared}, hardened}}
	rewriting := plain
	rewriting.RewriteDomain = []Rewrite{{From: "nobody.example.org"}, {From: "nothing.example.org", To: "city.example"}}
	unlisted := Policy{Allow: []Rule{hardened}, Unlisted: UnlistedPass, Lifetimes: LifetimesEnforce}
	for name, e := range map[string]*Enforcer{"a rule": compiled(t, plain), "rewrites of others": compiled(t, rewriting), "unlisted": compiled(t, unlisted)} {
		passed := 0
		for _, line := range linesSeen(t) {
			for _, https := range []bool{true, false} {
				if got := mended(e, https, line, nil); got != "" && got != line {
					t.Errorf("%s: %q became %q", name, line, got)
				} else if got != "" {
					passed++
				}
			}
		}
		if passed < 300 {
			t.Errorf("%s: only %d lines passed", name, passed)
		}
	}
}

// FuzzMend gives one line to visits whose rule asks for everything. Whatever it is: what is let through is read as the same cookie, mending it
// again changes nothing, no attribute but those that are asked for is touched, and what was asked for holds.
func FuzzMend(f *testing.F) {
	for _, line := range linesSeen(f) {
		f.Add(line, "")
	}
	for _, line := range []string{
		"a=b; Max-Age=99999; Expires=" + inAYear, "a=b; Max-Age=+5; Expires=" + inAYear, "a=b;Expires=1/31/27;expires=31-1-27", "a=b; SameSite ; SameSite", "a=b; samesite=  ;", "a=b; Domain=portal.example.org; Domain=x",
		"a=b; Secure; HttpOnly; SameSite=None", "a=b;domain = .PORTAL.example.org ;;max-age=\t86401", "__Host-a=b; Domain=portal.example.org", "a=b; Expires=Thu, 15 Jan 2026 12:30:00 -0800",
	} {
		f.Add(line, inAnHour)
		f.Add(line, "")
	}
	const most = time.Hour
	hardened := RuleOptions{MaxAge: Duration(most), Secure: true, HTTPOnly: true, SameSite: SameSiteLax}
	scripted := hardened
	scripted.HTTPOnly = false
	policy := func(to string) Policy {
		return Policy{
			Allow:         []Rule{{Category: Necessary, Cookies: []string{"*"}, RuleOptions: hardened}, {Category: Necessary, Cookies: []string{"csrftoken"}, RuleOptions: scripted}},
			RewriteDomain: []Rewrite{{From: "portal.example.org", To: to}},
		}
	}
	enforcers := []*Enforcer{compiled(f, policy("")), compiled(f, policy("city.example"))}
	f.Fuzz(func(t *testing.T, line, date string) {
		for _, e := range enforcers {
			for _, https := range []bool{true, false} {
				got := mended(e, https, line, http.Header{"Date": {date}})
				if got == "" {
					if c, ok := readSetCookie(line); ok && len(c.name) <= maxPair && !hasControl(line) {
						t.Errorf("%q was refused", line)
					}
					continue
				}
				if again := mended(e, https, got, http.Header{"Date": {date}}); again != got {
					t.Errorf("%q became %q, and then %q", line, got, again)
				}
				before, _ := readSetCookie(line)
				after, ok := readSetCookie(got)
				if !ok || before.name != after.name || before.value != after.value || !strings.HasPrefix(got, line[:len(line)-len(before.attributes)]) {
					t.Errorf("%q became %q, another cookie", line, got)
				}
				if was, is := untouched(line), untouched(got); !slices.Equal(was, is) {
					t.Errorf("%q became %q: attributes that nobody asked for were %q, and are %q", line, got, was, is)
				}
				long := past{now: atNoon, header: http.Header{"Date": {date}}}
				a, was := after.readAttributes(), before.readAttributes()
				if was.deletes(&long) {
					if !a.deletes(&long) {
						t.Errorf("%q became %q, and deletes no more", line, got)
					}
					continue
				}
				if !a.httpOnly && before.name != "csrftoken" || a.secure != (was.secure || https) || strictness(a.sameSite) < 2 || strictness(a.sameSite) < strictness(was.sameSite) {
					t.Errorf("%q became %q, and is not hardened", line, got)
				}
				if !hasPrefixFold(before.name, "__host-") && normalDomain(a.domain) == "portal.example.org" {
					t.Errorf("%q became %q, and has the portal's domain", line, got)
				}
				for browser, read := range map[string]func(string) (int64, bool){"Chromium": chromiumMaxAge, "Firefox": firefoxMaxAge} {
					seconds, ok := read(a.maxAge)
					expires, isDate := latestDate(a.expires)
					if ok && seconds > int64(most/time.Second) || !ok && isDate && expires.After(noon.Add(most)) {
						t.Errorf("%q became %q, and lives too long in %s", line, got, browser)
					}
				}
			}
		}
	})
}

// untouched are the attributes of a line, byte for byte, but for those that mending is about and for empty ones.
func untouched(line string) (attributes []string) {
	for _, attribute := range strings.Split(line, ";")[1:] {
		name, _, _ := strings.Cut(attribute, "=")
		switch strings.ToLower(strings.Trim(name, " \t")) {
		case "max-age", "expires", "samesite", "secure", "httponly", "domain":
		default:
			attributes = append(attributes, attribute)
		}
	}
	return attributes
}
