package report_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
)

// Of a tracker's preset some of the names are enough, as no version of a tool sets all of its
// cookies. All cookies of a published policy are expected.
func TestDriftOfPresets(t *testing.T) {
	p := policy.Policy{
		Presets: []policy.Preset{{Name: "opendatasoft"}, {Name: "matomo"},
			{Name: "google_analytics"}},
		Allow: []policy.Rule{{Category: policy.Statistical, Cookies: []string{"_pk_id*", "own"}}},
	}
	const four = "sessionid=1; csrftoken=1; django_language=1; cookies_preferences=1"
	for cookie, want := range map[string]string{
		"": "_ga _pk_id* _pk_ref* cookies_preferences csrftoken django_language own sessionid",

		four + "; own=1; _pk_id.1=1": "_ga _pk_ref*",
		"_pk_ses.1=1; _ga_X=1; own=1; sessionid=1; csrftoken=1": "_pk_id* cookies_preferences " +
			"django_language",
		"_pk_testcookie.x=1; _gid=1; _pk_id.1=1; own=1; sessionid=1; csrftoken=1": "cookies_preferences " +
			"django_language",
	} {
		g := newGateway(t, p)
		g.serve("data.city.example", cookie)
		var got []string
		for _, f := range g.drift() {
			if f.Kind == report.NeverSeen {
				got = append(got, f.Cookie)
			}
		}
		if got := strings.Join(got, " "); got != want {
			t.Errorf("met %q: never seen are %q, want %q", cookie, got, want)
		}
	}
	const want = "neither this nor another name of the preset google_analytics was met " +
		"since 2026-01-15T12:00:00Z"
	if detail := newGateway(t, p).drift()[0].Detail; detail != want {
		t.Errorf("the detail is %q", detail)
	}
}

// Each kind of difference between a portal and its policy is found, and none where there is none.
func TestDrift(t *testing.T) {
	p := policy.Policy{Allow: []policy.Rule{
		{Category: policy.Necessary, Cookies: []string{"sessionid"},
			RuleOptions: policy.RuleOptions{
				Domain: []string{"city.example"}, Lifetime: 14 * day,
				Secure: true, HTTPOnly: true, SameSite: policy.SameSiteLax,
			}},
		{Category: policy.Statistical, Cookies: []string{"_pk_*"}},
	}}
	const asDeclared = "sessionid=1; Max-Age=1209600; Secure; HttpOnly; SameSite=Lax"
	instead := func(old, new string) string { return strings.Replace(asDeclared, old, new, 1) }
	type page struct {
		cookie string
		lines  []string
	}
	for _, c := range []struct {
		what  string
		pages []page
		want  []string
	}{
		{"no difference", []page{{"", []string{asDeclared, "_pk_id=1"}},
			{"sessionid=1; _pk_id=1", nil}}, nil},
		{"stricter than declared", []page{
			{"", []string{
				"sessionid=1; Max-Age=60; Secure; HttpOnly; SameSite=Strict; Domain=.CITY.example",
				"_pk_id=1",
			}},
			{"sessionid=1", nil},
		}, nil},
		{"a logout", []page{{"sessionid=1; _pk_id=1", []string{
			asDeclared, "sessionid=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/",
		}}}, nil},
		{"a logout, and nothing else", []page{{"_pk_id=1", []string{"sessionid=; Max-Age=0"}}},
			nil},
		{"a cookie that no rule names", []page{
			{"sessionid=1; _pk_id=1", []string{asDeclared, "_ga=1", "x\x1b=1"}}, {"_ga=1", nil},
		}, []string{
			"unlisted (nameless): met on set once, at data.city.example",
			"unlisted _ga: met on set once, at data.city.example; met on read once, at data.city.example",
		}},
		{"a client's name that no rule names, and that came once", []page{
			{"sessionid=1; _pk_id=1; _ga=1", []string{asDeclared}},
		}, nil},
		{"a client's name that came often", slices.Repeat([]page{
			{"sessionid=1; _pk_id=1; _ga=1", []string{asDeclared}},
		}, 100), []string{"unlisted _ga: met on read 100 times, at data.city.example"}},
		{"nothing at all", nil, []string{
			"never_seen _pk_*: not met since 2026-01-15T12:00:00Z",
			"never_seen sessionid: not met since 2026-01-15T12:00:00Z",
		}},
		{"a rule whose cookies do not come", []page{{"sessionid=1", []string{asDeclared}}},
			[]string{"never_seen _pk_*: not met since 2026-01-15T12:00:00Z"}},
		{"a longer lifetime", []page{{"sessionid=1; _pk_id=1",
			[]string{instead("1209600", "1209601")}}},
			[]string{"longer sessionid: lives 336h0m1s, declared are 14d"}},
		{"a longer lifetime by its date", []page{{"sessionid=1; _pk_id=1", []string{
			instead("Max-Age=1209600", "Expires=Fri, 15 Jan 2027 12:00:00 GMT"),
		}}}, []string{"longer sessionid: lives 365d, declared are 14d"}},
		{"weaker attributes",
			[]page{{"sessionid=1; _pk_id=1",
				[]string{"sessionid=1; SameSite=None; Domain=example"}}},
			[]string{
				"weaker sessionid: sent with Domain=example, declared are city.example",
				"weaker sessionid: sent with SameSite=none, declared is lax",
				"weaker sessionid: sent without HttpOnly",
				"weaker sessionid: sent without Secure",
			}},
		{"a necessary cookie that never comes back", []page{{"_pk_id=1", []string{asDeclared}}},
			[]string{"never_read sessionid: set, and never sent back by a browser"}},
	} {
		for _, mode := range []string{policy.ModeEnforce, policy.ModeReport} {
			p.Mode = mode
			g := newGateway(t, p)
			for _, page := range c.pages {
				g.serve("data.city.example", page.cookie, page.lines...)
			}
			var got []string
			for _, f := range g.drift() {
				got = append(got, fmt.Sprintf("%s %s: %s", f.Kind, f.Cookie, f.Detail))
			}
			slices.Sort(got)
			if !slices.Equal(got, c.want) {
				t.Errorf("%s, in mode %s: got\n\t%s\nwant\n\t%s", c.what, mode,
					strings.Join(got, "\n\t"), strings.Join(c.want, "\n\t"))
			}
		}
	}
	// A cookie that is declared to end with the session, and does not.
	declared := policy.Policy{Allow: []policy.Rule{{Category: policy.Necessary, Cookies: []string{"a", "b"},
		RuleOptions: policy.RuleOptions{Lifetime: policy.Session}}}}
	session := newGateway(t, declared)
	session.serve("data.city.example", "a=1; b=1", "a=1; Max-Age=60", "b=1", "b=; Max-Age=0")
	if got := session.drift(); len(got) != 1 || got[0].Kind != report.Longer || got[0].Cookie != "a" ||
		got[0].Detail != "lives 1m0s, declared is a session cookie" {
		t.Errorf("the findings are %+v", got)
	}
	// A line without SameSite is weaker than one with the value that is declared.
	p.Mode, p.Allow[0].SameSite = "", policy.SameSiteStrict
	g := newGateway(t, p)
	g.serve("data.city.example", "sessionid=1; _pk_id=1", "sessionid=1; Secure; HttpOnly")
	if got := fmt.Sprint(g.drift()); got != "[{weaker sessionid  sent without SameSite, declared is strict }]" {
		t.Error(got)
	}
}

// A client that sends a pair without a name does not make drift, nor does one that sends many
// names.
func TestDriftOfStrayClients(t *testing.T) {
	g := newGateway(t, policy.Policy{
		Allow: []policy.Rule{{Category: policy.Necessary, Cookies: []string{"sessionid"}}},
	})
	g.serve("data.city.example", "sessionid=1", "sessionid=1")
	for i := range 50 {
		g.serve("data.city.example", fmt.Sprintf("junk; =junk; junk%d=1; (nameless)=1", i))
	}
	if got := g.drift(); len(got) != 0 {
		t.Errorf("got %+v", got)
	}
	if n := report.CountUnlisted(g.Policy(), g.observer); n != 0 {
		t.Errorf("%d unlisted names", n)
	}
}

// Programs read an empty list, not an absent one. A name that a rule names in full counts as met
// from the first client on.
func TestDriftIsEmptyList(t *testing.T) {
	g := newGateway(t, policy.Policy{
		Allow: []policy.Rule{{Category: policy.Necessary, Cookies: []string{"sessionid"}}},
	})
	g.serve("data.city.example", "sessionid=1")
	if got := g.drift(); got == nil || len(got) != 0 {
		t.Errorf("got %+v", got)
	}
}
