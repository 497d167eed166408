package enforcer_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

const (
	inAnHour  = "Thu, 15 Jan 2026 13:00:00 GMT"
	inTwo     = "Thu, 15 Jan 2026 14:00:00 GMT"
	inAYear   = "Fri, 15 Jan 2027 12:00:00 GMT"
	hourLater = "Max-Age=3600"
)

// mended passes one line through a Visit and returns what becomes of it, or nothing if it is
// refused. Other fields of the response can matter too.
func mended(e *enforcer.Enforcer, https bool, line string, header http.Header) string {
	if header == nil {
		header = http.Header{}
	}
	header["Set-Cookie"] = []string{line}
	visit := e.Visit(enforcer.Request{Header: http.Header{}, Host: "data.city.example",
		HTTPS: https})
	visit.FilterResponse(header)
	return strings.Join(header["Set-Cookie"], "\n")
}

// withOptions compiles a policy whose only rule, for the cookie a, has the given options.
func withOptions(tb testing.TB, o policy.RuleOptions) *enforcer.Enforcer {
	tb.Helper()
	return compiled(tb, policy.Policy{Allow: []policy.Rule{{Category: policy.Necessary,
		Cookies: []string{"a"}, RuleOptions: o}}})
}

// A lifetime that is longer than max_age in some browser is cut. Package wire tests what is longer.
func TestMaxAge(t *testing.T) {
	e := withOptions(t, policy.RuleOptions{MaxAge: policy.Duration(time.Hour)})
	for _, c := range []struct{ what, line, want string }{
		{"a longer lifetime", "a=b; Max-Age=3601", "a=b; Max-Age=3600"},
		{"a lifetime as long", "a=b; Max-Age=3600", ""},
		{"a shorter lifetime, which wins over Expires", "a=b; Expires=" + inAYear + "; Max-Age=60", ""},
		{"a number past int64 before a word", "a=b; Max-Age=9223372036854775808x", "a=b; Max-Age=3600"},
		{"a deletion", "a=b; Max-Age=0; Expires=" + inAYear, ""},
		{"a deletion by date", "a=b" + longAgo, ""},
		{"a session cookie", "a=b; Path=/", ""},
		{"a longer Expires", "a=b; Expires=" + inTwo, "a=b; Expires=" + inTwo + "; " + hourLater},
		{"a Max-Age that browsers ignore, and a longer Expires", "a=b; Max-Age=1.5; Expires=" + inAYear,
			"a=b; Max-Age=3600; Expires=" + inAYear},
		{"a Max-Age that Chromium reads only, and a longer Expires", "a=b; Max-Age=+60; Expires=" + inAYear,
			"a=b; Max-Age=+60"},
		{"an Expires that some browser may read", "a=b; Expires=01/15/2027", "a=b"},
		{"a date in another zone", "a=b; Expires=Thu, 15 Jan 2026 12:30:00 PST",
			"a=b"},
		{"a tab, for which Chromium rejects the line",
			"a=b;\tMax-Age=7200", "a=b;\tMax-Age=7200; Max-Age=3600"},
	} {
		t.Run(c.what, func(t *testing.T) {
			want := c.want
			if want == "" {
				want = c.line
			}
			for _, https := range []bool{true, false} {
				got := mended(e, https, c.line, nil)
				if again := mended(e, https, got, nil); got != want || again != got {
					t.Errorf("%q became %q and then %q, want %q", c.line, got, again, want)
				}
			}
		})
	}
}

// Browsers correct Expires for the difference between the server's clock and their own. The
// lifetime is not too long whether they do or not, and a portal whose clock is ahead keeps its
// cookie.
func TestMaxAgeByBothClocks(t *testing.T) {
	e := withOptions(t, policy.RuleOptions{MaxAge: policy.Duration(time.Hour)})
	const atNoon, before, after = "Thu, 15 Jan 2026 12:00:00 GMT", "Thu, 15 Jan 2026 11:30:00 GMT",
		"Thu, 15 Jan 2026 12:30:00 GMT"
	for _, c := range []struct {
		what       string
		date       []string
		line, want string // what is added
	}{
		{"clocks that agree", []string{atNoon}, "a=b; Expires=" + inTwo, hourLater},
		{"no Date", nil, "a=b; Expires=" + inTwo, hourLater},
		{"a Date that cannot be read", []string{"yesterday"}, "a=b; Expires=" + inTwo, hourLater},
		{"a server behind", []string{before}, "a=b; Expires=" + inAnHour, hourLater},
		{"a server behind, and a lifetime as short by its clock",
			[]string{before}, "a=b; Expires=" + after, ""},
		{"a server ahead", []string{after}, "a=b; Expires=" + inTwo, hourLater},
		{"a server an hour ahead", []string{inAnHour}, "a=b; Expires=Thu, 15 Jan 2026 13:20:00 GMT",
			hourLater},
		{"two Dates", []string{after, before}, "a=b; Expires=" + inTwo, hourLater},
	} {
		t.Run(c.what, func(t *testing.T) {
			want := c.line
			if c.want != "" {
				want += "; " + c.want
			}
			if got := mended(e, true, c.line, http.Header{"Date": c.date}); got != want {
				t.Errorf("%q became %q, want %q", c.line, got, want)
			}
		})
	}
	// Max-Age needs no clock.
	got := mended(e, true, "a=b; Max-Age=7200", http.Header{"Date": {before}})
	if got != "a=b; "+hourLater {
		t.Errorf("got %q", got)
	}
}

func TestLifetimesEnforce(t *testing.T) {
	p := policy.Policy{
		Presets: []policy.Preset{{Name: "matomo",
			RuleOptions: policy.RuleOptions{Lifetime: 30 * day}}},
		Allow: []policy.Rule{
			{Category: policy.Necessary, Cookies: []string{"declared"},
				RuleOptions: policy.RuleOptions{Lifetime: policy.Duration(time.Hour)}},
			{Category: policy.Necessary, Cookies: []string{"both"},
				RuleOptions: policy.RuleOptions{Lifetime: policy.Duration(time.Minute),
					MaxAge: policy.Duration(2 * time.Hour)}},
			{Category: policy.Necessary, Cookies: []string{"neither"}},
			{Category: policy.Necessary, Cookies: []string{"_pk_own"},
				RuleOptions: policy.RuleOptions{MaxAge: day}},
		},
		Preference: []policy.Preference{{Cookies: []string{"prefs"}}},
	}
	lines := []string{"declared=1; Max-Age=99999999", "both=1; Max-Age=99999999",
		"neither=1; Max-Age=99999999", "_pk_own=1; Max-Age=99999999",
		"_pk_id.1=1; Max-Age=99999999", `prefs={"matomo":true}; Max-Age=99999999`}
	reported := slices.Clone(lines)
	reported[1], reported[3] = "both=1; Max-Age=7200", "_pk_own=1; Max-Age=86400"
	enforced := slices.Clone(reported)
	enforced[0], enforced[4] = "declared=1; Max-Age=3600", "_pk_id.1=1; Max-Age=2592000"
	for word, want := range map[string][]string{"": reported, policy.LifetimesReport: reported,
		policy.LifetimesEnforce: enforced} {
		p.Lifetimes = word
		if got := keptLines(compiled(t, p), []string{`prefs={"matomo":true}`},
			lines...); !slices.Equal(got, want) {
			t.Errorf("lifetimes %s: got %q, want %q", word, got, want)
		}
	}
}

// A declared session cookie becomes one where lifetimes are enforced and the rule has no limit of its
// own.
func TestLifetimesEnforceSession(t *testing.T) {
	session := policy.RuleOptions{Lifetime: policy.Session}
	limited := session
	limited.MaxAge = policy.Duration(time.Hour)
	p := policy.Policy{
		Presets: []policy.Preset{{Name: "matomo", RuleOptions: session}},
		Allow: []policy.Rule{
			{Category: policy.Necessary, Cookies: []string{"a"}, RuleOptions: session},
			{Category: policy.Necessary, Cookies: []string{"limited"}, RuleOptions: limited},
		},
		Preference: []policy.Preference{{Cookies: []string{"prefs"}}},
	}
	lines := []string{"a=1; Path=/; Max-Age=60; Expires=" + inAYear + "; Secure", "limited=1; Max-Age=7200",
		"_pk_id.1=1; Expires=" + inAYear, "a=; Max-Age=0; Path=/", "a=1; HttpOnly"}
	reported := slices.Clone(lines)
	reported[1] = "limited=1; Max-Age=3600"
	enforced := slices.Clone(reported)
	enforced[0], enforced[2] = "a=1; Path=/; Secure", "_pk_id.1=1"
	for word, want := range map[string][]string{policy.LifetimesReport: reported,
		policy.LifetimesEnforce: enforced} {
		p.Lifetimes = word
		if got := keptLines(compiled(t, p), []string{`prefs={"matomo":true}`}, lines...); !slices.Equal(got, want) {
			t.Errorf("lifetimes %s: got %q, want %q", word, got, want)
		}
	}
	p.Mode = policy.ModeReport
	if got := keptLines(compiled(t, p), []string{`prefs={"matomo":true}`}, lines...); !slices.Equal(got, lines) {
		t.Errorf("mode report: got %q, want %q", got, lines)
	}
}

func TestLifetimesEnforceOnPresets(t *testing.T) {
	e := compiled(t, policy.Policy{Presets: []policy.Preset{{Name: "opendatasoft"},
		{Name: "matomo"}}, Lifetimes: policy.LifetimesEnforce})
	for _, line := range []string{"cookies_preferences={}; Max-Age=%", "csrftoken=x; Max-Age=%",
		"django_language=fr; Max-Age=%", "_pk_id.1=x; Max-Age=%"} {
		long := strings.Replace(line, "%", "999999999", 1)
		got := keptLines(e, []string{`cookies_preferences={"matomo":true}`}, long)
		if len(got) != 1 || got[0] == long || !strings.HasPrefix(got[0], line[:len(line)-1]) {
			t.Errorf("%q became %q", long, got)
		}
	}
}
