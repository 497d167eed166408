package enforcer

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// Of a tracker's preset a part is enough, as no version sets all of its cookies. A published policy is another matter: its cookies are promised.
func TestDriftOfPresets(t *testing.T) {
	policy := Policy{Presets: []Preset{{Name: "opendatasoft"}, {Name: "matomo"}, {Name: "google_analytics"}}, Allow: []Rule{{Category: Statistical, Cookies: []string{"_pk_id*", "own"}}}}
	for cookie, want := range map[string]string{
		"": "_ga _pk_ref* _pk_id* cookies_preferences csrftoken django_language own sessionid",
		"sessionid=1; csrftoken=1; django_language=1; cookies_preferences=1; own=1; _pk_id.1=1": "_ga _pk_ref*",
		"_pk_ses.1=1; _ga_X=1; own=1; sessionid=1; csrftoken=1":                                 "_pk_id* cookies_preferences django_language",
		"_pk_testcookie.x=1; _gid=1; _pk_id.1=1; own=1; sessionid=1; csrftoken=1":               "cookies_preferences django_language",
	} {
		e, o := observed(t, policy)
		meet(e, "data.city.example", cookie)
		var got []string
		for _, f := range e.Drift(o).Findings {
			if f.Kind == FindingNeverSeen {
				got = append(got, f.Cookie)
			}
		}
		wanted := strings.Fields(want)
		slices.Sort(wanted)
		slices.Sort(got)
		if !slices.Equal(got, wanted) {
			t.Errorf("met %q: never seen are %q, want %q", cookie, got, wanted)
		}
	}
	e, o := observed(t, policy)
	if detail := e.Drift(o).Findings[0].Detail; detail != "neither this nor another name of the preset google_analytics was met since 2026-01-15T12:00:00Z" {
		t.Errorf("the detail is %q", detail)
	}
}

// Each kind of difference between a portal and its policy is found, and none where there is none.
func TestDrift(t *testing.T) {
	policy := Policy{
		Allow: []Rule{
			{Category: Necessary, Cookies: []string{"sessionid"}, RuleOptions: RuleOptions{
				Domain: []string{"city.example"}, Lifetime: 14 * day, Secure: true, HTTPOnly: true, SameSite: SameSiteLax}},
			{Category: Statistical, Cookies: []string{"_pk_*"}},
		},
	}
	const well = "sessionid=1; Max-Age=1209600; Secure; HttpOnly; SameSite=Lax"
	type page struct {
		cookie string
		lines  []string
	}
	for _, c := range []struct {
		what  string
		pages []page
		want  []string
	}{
		{"all is well", []page{{"", []string{well, "_pk_id=1"}}, {"sessionid=1; _pk_id=1", nil}}, nil},
		{"stricter than declared", []page{{"", []string{"sessionid=1; Max-Age=60; Secure; HttpOnly; SameSite=Strict; Domain=.CITY.example", "_pk_id=1"}}, {"sessionid=1", nil}}, nil},
		{"a logout", []page{{"sessionid=1; _pk_id=1", []string{well, "sessionid=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/"}}}, nil},
		{"a logout, and nothing else", []page{{"_pk_id=1", []string{"sessionid=; Max-Age=0"}}}, nil},
		{"a cookie that no rule names", []page{{"sessionid=1; _pk_id=1; _ga=1", []string{well, "_ga=1", "x\x1b=1"}}}, []string{
			"unlisted (nameless): met on set, at data.city.example",
			"unlisted _ga: met on set, at data.city.example; met on read, at data.city.example"}},
		{"nothing at all", nil, []string{"never_seen _pk_*: not met since 2026-01-15T12:00:00Z", "never_seen sessionid: not met since 2026-01-15T12:00:00Z"}},
		{"a rule whose cookies do not come", []page{{"sessionid=1", []string{well}}}, []string{"never_seen _pk_*: not met since 2026-01-15T12:00:00Z"}},
		{"a longer life", []page{{"sessionid=1; _pk_id=1", []string{strings.Replace(well, "1209600", "1209601", 1)}}},
			[]string{"longer sessionid: lives 336h0m1s, declared are 14d"}},
		{"a longer life by its date", []page{{"sessionid=1; _pk_id=1", []string{strings.Replace(well, "Max-Age=1209600", "Expires=Fri, 15 Jan 2027 12:00:00 GMT", 1)}}},
			[]string{"longer sessionid: lives 365d, declared are 14d"}},
		{"weaker attributes", []page{{"sessionid=1; _pk_id=1", []string{"sessionid=1; SameSite=None; Domain=example"}}}, []string{
			"weaker sessionid: sent with Domain=example, declared are city.example",
			"weaker sessionid: sent with SameSite=none, declared is lax",
			"weaker sessionid: sent without HttpOnly",
			"weaker sessionid: sent without Secure"}},
		{"a necessary cookie that never comes back", []page{{"_pk_id=1", []string{well}}}, []string{"never_read sessionid: set, and never sent back by a browser"}},
	} {
		e, o := observed(t, policy)
		for _, p := range c.pages {
			meet(e, "data.city.example", p.cookie, p.lines...)
		}
		var got []string
		for _, f := range e.Drift(o).Findings {
			got = append(got, fmt.Sprintf("%s %s: %s", f.Kind, f.Cookie, f.Detail))
		}
		slices.Sort(got)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got\n\t%s\nwant\n\t%s", c.what, strings.Join(got, "\n\t"), strings.Join(c.want, "\n\t"))
		}
	}
	// A line without SameSite is weaker than what browsers have to be told.
	policy.Allow[0].SameSite = SameSiteStrict
	e, o := observed(t, policy)
	meet(e, "data.city.example", "sessionid=1; _pk_id=1", "sessionid=1; Secure; HttpOnly")
	if got := fmt.Sprint(e.Drift(o).Findings); got != "[{weaker sessionid sent without SameSite, declared is strict}]" {
		t.Error(got)
	}
}

// What changed between two policies is told in the words of the configuration.
func TestChangesSince(t *testing.T) {
	base := portalPolicy()
	for _, c := range []struct {
		what   string
		change func(*Policy)
		want   []string
	}{
		{"nothing", func(*Policy) {}, nil},
		{"its name", func(p *Policy) { p.Name = "city" }, nil},
		{"a rule more", func(p *Policy) { p.Allow = append(p.Allow, Rule{Category: Necessary, Cookies: []string{"a", "b"}}) }, []string{"added: allow necessary a b"}},
		{"a rule less", func(p *Policy) { p.Allow = p.Allow[:1] }, []string{"removed: allow third_party _ga"}},
		{"an option", func(p *Policy) { p.Allow = slices.Clone(p.Allow); p.Allow[1].Secure = true }, []string{"changed: allow third_party _ga"}},
		{"the order", func(p *Policy) { p.Allow = []Rule{p.Allow[1], p.Allow[0]} }, []string{"changed: the order of rules"}},
		{"settings", func(p *Policy) {
			p.Mode, p.Unlisted, p.Signal = ModeReport, UnlistedPass, []Signal{{SignalGPC, []Category{Statistical}}}
		}, []string{"mode report, was enforce", "unlisted pass, was block", "changed: signal"}},
	} {
		changed := base
		c.change(&changed)
		if got := compiled(t, changed).ChangesSince(compiled(t, base)); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.what, got, c.want)
		}
	}
	got := compiled(t, base).Counts()
	if want := (Counts{Rules: 6, Cookies: 6, Preferences: 1}); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
}

// The report of nothing is empty lists, not absent ones: programs read it.
func TestReportOfNothing(t *testing.T) {
	e, o := observed(t, portalPolicy())
	if r := e.Report(o); r.Cookies == nil || len(r.Cookies) != 0 {
		t.Errorf("got %+v", r)
	}
	if n := len(e.Drift(o).Findings); n == 0 {
		t.Error("nothing was met, and nothing is missed")
	}
	visit := e.Visit(Request{Header: http.Header{}})
	if told, traced := visit.End(); told != nil || traced != nil {
		t.Error("told of nothing")
	}
}
