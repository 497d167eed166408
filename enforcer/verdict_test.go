package enforcer_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

func TestVerdictByCategory(t *testing.T) {
	e := compiled(t, policy.Policy{
		Presets: []policy.Preset{{Name: "opendatasoft"}},
		Allow: []policy.Rule{
			{Category: policy.Necessary, Cookies: []string{"basket"}},
			{Category: policy.Statistical, Cookies: []string{"by_category"}},
			{Category: policy.FirstParty, Cookies: []string{"inner"}},
			{Category: policy.ThirdParty, Cookies: []string{"outer"}},
			{Category: policy.Statistical, Cookies: []string{"_pk_*"},
				RuleOptions: policy.RuleOptions{Consent: []string{"matomo"}}},
			{Category: policy.Statistical, Cookies: []string{"at*"},
				RuleOptions: policy.RuleOptions{Consent: []string{"at", "xiti"}}},
			{Category: policy.Statistical, Cookies: []string{"counter"},
				RuleOptions: policy.RuleOptions{Consent: []string{"counts", "figures"},
					Anonymous: true}},
		},
	})
	names := []string{"sessionid", "csrftoken", "django_language", "basket", "by_category", "inner",
		"outer", "_pk_id.1", "atid", "counter", "unlisted"}
	necessary := []string{"sessionid", "csrftoken", "django_language", "basket"}
	for _, c := range []struct {
		what, preference string
		want             []string // besides the necessary ones
	}{
		{"no preference", "", []string{"counter"}},
		{"a preference that says nothing", `{}`, []string{"counter"}},
		{"an unreadable preference", `{`, nil},
		{"a preference that contradicts itself", `{"counts":true,"counts":true,"matomo":true}`,
			nil},
		{"everything granted by the categories' names",
			`{"necessary":true,"statistical":true,"first_party":true,"third_party":true}`,
			[]string{"by_category",
				"inner", "outer", "counter"}},
		{"everything refused",
			`{"necessary":false,"statistical":false,"first_party":false,"third_party":false,` +
				`"matomo":false,"at":false,"xiti":false,"counts":false,"figures":false,` +
				`"functional_cookies":false}`,
			nil},
		{"one tracker granted", `{"matomo":true}`, []string{"_pk_id.1", "counter"}},
		{"one tracker refused", `{"matomo":false,"statistical":true}`,
			[]string{"by_category", "counter"}},
		{"the first of two keys granted", `{"at":true}`, []string{"atid", "counter"}},
		{"the second of two keys granted", `{"xiti":true}`, []string{"atid", "counter"}},
		{"one of two keys granted, the other refused", `{"at":false,"xiti":true}`,
			[]string{"atid", "counter"}},
		{"one of two keys refused, the other undecided", `{"at":false}`, []string{"counter"}},
		{"an anonymous rule's key refused", `{"counts":false}`, nil},
		{"an anonymous rule's second key refused", `{"figures":false}`, nil},
		{"an anonymous rule's key granted, the other refused", `{"counts":false,"figures":true}`,
			[]string{"counter"}},
		{"a category's name does not stand for keys that are named", `{"statistical":false}`,
			[]string{"counter"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			var cookies []string
			if c.preference != "" {
				cookies = []string{"cookies_preferences=" + url.PathEscape(c.preference)}
			}
			for _, name := range names {
				want := slices.Contains(necessary, name) || slices.Contains(c.want, name)
				if got := letThrough(e, cookies, name+"=1; Path=/; Max-Age=60"); got != want {
					t.Errorf("%s: let through is %t", name, got)
				}
			}
		})
	}
}

func TestVerdictOnUnlistedCookies(t *testing.T) {
	for _, c := range []struct {
		unlisted, line string
		want           bool
	}{
		{"", "unlisted=1", false},
		{policy.UnlistedBlock, "unlisted=1", false},
		{policy.UnlistedPass, "unlisted=1", true},
		{policy.UnlistedPass, "Listed=1",
			true}, // case counts: this is another name
		{policy.UnlistedPass, "listed=1", false}, // by its rule
		{policy.UnlistedPass, "unlisted",
			false}, // nameless in one browser, not in the other
		{policy.UnlistedPass, "=unlisted", false},     // likewise
		{policy.UnlistedPass, "unlisted=\x00", false}, // refused by browsers
		{policy.UnlistedPass, "unlisted=1; Domain=elsewhere",
			true}, // there is no rule that says where
		{policy.UnlistedBlock, "unlisted=1; Max-Age=0", true},    // a deletion
		{policy.UnlistedBlock, "listed=1; Max-Age=0", true},      // likewise
		{policy.UnlistedBlock, "listed=1; Max-Age=1", false},     // by its rule
		{policy.UnlistedBlock, "sessionid=1; Max-Age=60", false}, // no preset was named
		{policy.UnlistedBlock, "cookies_preferences={}", false},  // likewise
		{policy.UnlistedBlock, "chosen=1; Max-Age=60",
			true}, // a preference is necessary by being named
		{policy.UnlistedBlock, "\u00a0chosen=1; Max-Age=60", false},   // another name
		{policy.UnlistedBlock, " chosen =1; Max-Age=60", true},        // the same name
		{policy.UnlistedBlock, "_ga=1, chosen=1; Max-Age=60", false},  // one cookie, named _ga
		{policy.UnlistedBlock, "chosen=1, _ga=1; Max-Age=60", true},   // one cookie, named chosen
		{policy.UnlistedBlock, "chosen=\"1; _ga=1\"; Domain=x", true}, // likewise
	} {
		e := compiled(t, policy.Policy{
			Allow:      []policy.Rule{{Category: policy.ThirdParty, Cookies: []string{"listed"}}},
			Preference: []policy.Preference{{Cookies: []string{"chosen"}}},
			Unlisted:   c.unlisted,
		})
		if got := letThrough(e, nil, c.line); got != c.want {
			t.Errorf("unlisted %q: %q let through is %t", c.unlisted, c.line, got)
		}
	}
}

func TestVerdictByDomainAndPath(t *testing.T) {
	e := compiled(t, policy.Policy{Allow: []policy.Rule{
		{Category: policy.Necessary, Cookies: []string{"free"}},
		{Category: policy.Necessary, Cookies: []string{"home"},
			RuleOptions: policy.RuleOptions{Domain: []string{"Data.Example.org", ".example.net"}}},
		{Category: policy.Necessary, Cookies: []string{"room"},
			RuleOptions: policy.RuleOptions{Path: []string{"/", "/api/v2"}}},
		{Category: policy.Necessary, Cookies: []string{"both"},
			RuleOptions: policy.RuleOptions{Domain: []string{"example.org"}, Path: []string{"/x"}}},
	}})
	for line, want := range map[string]bool{
		"free=1; Domain=anywhere.example; Path=/at/all": true,

		"home=1":                                       true,
		"home=1; Path=/x":                              true,
		"home=1; Domain":                               true,
		"home=1; Domain=":                              true,
		"home=1; Domain=data.example.org":              true,
		"home=1; domain = .DATA.example.ORG ":          true,
		"home=1; Domain=example.net":                   true,
		"home=1; Domain=..example.net":                 false,
		"home=1; Domain=example.org":                   false,
		"home=1; Domain=x.data.example.org":            false,
		"home=1; Domain=xdata.example.org":             false,
		"home=1; Domain=data.example.org.evil.example": false,
		"home=1; Domain=\"data.example.org\"":          false,
		"home=1; Domain=\u00a0data.example.org":        false,
		"home=1; Domain=ｄata.example.org":              false,
		// an ASCII d in Chromium, refused by Firefox
		"home=1; Domain=data.example.org; Domain=evil.example": false,
		"home=1; Domain=evil.example; Domain=data.example.org": true,
		"home=\"1; Domain=evil.example; \"":                    false,
		"home=1; Domain=evil.example; Domain=" +
			strings.Repeat("x", 1025): false, // the last is too long to count

		"room=1":                    true,
		"room=1; Domain=anywhere":   true,
		"room=1; Path=/":            true,
		"room=1; PATH=/api/v2":      true,
		"room=1; Path=":             true,
		"room=1; Path":              true,
		"room=1; Path=api":          true, // no browser takes it
		"room=1; Path=\"/x\"":       true, // likewise
		"room=1; Path=/api":         false,
		"room=1; Path=/api/v2/":     false,
		"room=1; Path=/api/v2/more": false,
		"room=1; Path=/API/v2":      false,
		"room=1; Path=//":           false,
		"room=1; Path=/%61pi/v2":    false,
		"room=1; Path=/; Path=/x":   false,
		"room=1; Path=/x; Path=/":   true,

		"both=1; Domain=example.org; Path=/x": true,
		"both=1; Path=/x":                     true,
		"both=1; Domain=example.org":          true,
		"both=1; Domain=example.org; Path=/":  false,
		"both=1; Domain=example.com; Path=/x": false,

		"home=1; Domain=evil.example; Max-Age=0": true, // a deletion
		"room=1; Path=/elsewhere; Max-Age=0":     true,
	} {
		if got := letThrough(e, nil, line); got != want {
			t.Errorf("%.100q: let through is %t", line, got)
		}
	}
}

func TestVerdictByOptionsOfPreset(t *testing.T) {
	google := func(o policy.RuleOptions) policy.Policy {
		return policy.Policy{Presets: []policy.Preset{{Name: "google_analytics", RuleOptions: o}},
			Preference: []policy.Preference{{Cookies: []string{"p"}}}}
	}
	for _, c := range []struct {
		what       string
		options    policy.RuleOptions
		preference string
		attributes string
		want       bool
	}{
		{"none: not without consent", policy.RuleOptions{}, `{}`, "", false},
		{"none: with the preset's key", policy.RuleOptions{}, `{"ga":true}`, "", true},
		{"another key takes the place of the preset's",
			policy.RuleOptions{Consent: []string{"stats"}}, `{"ga":true}`, "", false},
		{"another key grants", policy.RuleOptions{Consent: []string{"stats"}}, `{"stats":true}`, "",
			true},
		{"anonymous: without consent", policy.RuleOptions{Anonymous: true}, `{}`, "", true},
		{"anonymous: not where it is refused", policy.RuleOptions{Anonymous: true}, `{"ga":false}`,
			"", false},
		{"domain: another one", policy.RuleOptions{Domain: []string{"example.org"}}, `{"ga":true}`,
			"; Domain=example.com", false},
		{"domain: the same", policy.RuleOptions{Domain: []string{"example.org"}}, `{"ga":true}`,
			"; Domain=example.org", true},
		{"path: another one", policy.RuleOptions{Path: []string{"/x"}}, `{"ga":true}`, "; Path=/",
			false},
		{"path: the same", policy.RuleOptions{Path: []string{"/x"}}, `{"ga":true}`, "; Path=/x",
			true},
	} {
		t.Run(c.what, func(t *testing.T) {
			e := compiled(t, google(c.options))
			for _, name := range []string{"_ga", "_ga_1", "_gid", "_gat_x"} {
				if got := letThrough(e, []string{"p=" + c.preference},
					name+"=1"+c.attributes); got != c.want {
					t.Errorf("%s let through is %t", name, got)
				}
			}
		})
	}
}

func TestVisitReadsItsOwnPreference(t *testing.T) {
	e := compiled(t, policy.Policy{Presets: []policy.Preset{{Name: "opendatasoft"},
		{Name: "matomo"}}})
	for i := range 4 {
		cookies, want := []string{`cookies_preferences={"matomo":true}`}, true
		if i%2 == 1 {
			cookies, want = nil, false
		}
		if got := letThrough(e, cookies, "_pk_id=1"); got != want {
			t.Errorf("visit %d: let through is %t", i, got)
		}
	}
}

// One policy may serve several hosts. Each request is judged by the choice that it brings.
func TestVisitKeepsNoChoiceForOtherHosts(t *testing.T) {
	e := compiled(t, tracking(policy.RuleOptions{}, "_ga"))
	first := e.Visit(enforcer.Request{Header: http.Header{"Cookie": {`prefs={"statistical":true}; _ga=1`}},
		Host: "one.example"})
	first.FilterRequest()
	header := http.Header{"Cookie": {"_ga=1"}}
	second := e.Visit(enforcer.Request{Header: header, Host: "two.example"})
	second.FilterRequest()
	if _, ok := header["Cookie"]; ok {
		t.Errorf("%q is left", header)
	}
}
