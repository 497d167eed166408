package published_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/languages"
	"github.com/cookie-policy/caddy-cookie-policy/page"
	"github.com/cookie-policy/caddy-cookie-policy/published"
)

// TestRoundTrip makes the page of a policy in each language, reads it, and compares what was read with
// the policy: names, categories, providers, functions, purposes and lifetimes.
func TestRoundTrip(t *testing.T) {
	const day = policy.Duration(24 * time.Hour)
	noon := func() time.Time { return time.Date(2026, time.January, 15, 12, 0, 0, 0, time.UTC) }
	own := func(category policy.Category, lifetime policy.Duration, names ...string) policy.Rule {
		return policy.Rule{Category: category, Cookies: names, RuleOptions: policy.RuleOptions{
			Lifetime: lifetime, Provider: "City of Example",
			Function: []policy.Text{{Text: "Search (front office)"}},
			Purpose:  []policy.Text{{Text: "Remembers what was searched for."}},
		}}
	}
	want := policy.Policy{
		Presets: []policy.Preset{{Name: "opendatasoft"}, {Name: "matomo"}, {Name: "google_analytics"}},
		Allow: []policy.Rule{
			own(policy.Necessary, policy.Session, "search_session"),
			own(policy.FirstParty, 36*60*60*policy.Duration(time.Second), "search_a", "search_b"),
			own(policy.ThirdParty, 395*day, "tracker_*"),
			own(policy.Statistical, 0, "visits"),
		},
	}
	e, err := enforcer.Compile(want, noon)
	if err != nil {
		t.Fatal(err)
	}
	resolved, err := want.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	for _, controller := range []string{"", "City of Example"} {
		p, err := page.New(page.Config{Controller: controller}, noon)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range languages.All() {
			data, err := p.Data(e, page.InForce{Since: noon()}, page.Visitor{Host: "data.example.org", Language: l.Tag})
			if err != nil {
				t.Fatal(err)
			}
			html, err := p.HTML(data)
			if err != nil {
				t.Fatal(err)
			}
			read := published.Read(html, published.HTML)
			if read.Language != l.Tag {
				t.Errorf("%s: the page's language is read as %q", l.Tag, read.Language)
			}
			for _, d := range published.Compare(read, resolved) {
				t.Errorf("%s: %+v", l.Tag, d)
			}
			for _, n := range read.Notes {
				if n.Kind == published.NotUnderstood {
					t.Errorf("%s: line %d is not understood: %s", l.Tag, n.Line, n.Message)
				}
			}
			if len(read.Rows) != len(resolved.Rules()) {
				t.Errorf("%s: %d rules are %d rows", l.Tag, len(resolved.Rules()), len(read.Rows))
			}
			for _, row := range read.Rows {
				rule, _ := resolved.Lookup(row.Names[0].Pattern)
				if rule == nil {
					continue // told by Compare
				}
				function := slices.ContainsFunc(rule.Function, func(f policy.Text) bool { return f.Text == row.Function })
				if row.Provider != rule.Provider || function != (row.Function != "") {
					t.Errorf("%s: %s: provider %q, function %q of %+v", l.Tag, row.Names[0].Pattern, row.Provider,
						row.Function, rule)
				}
			}
			block, _ := read.Block("")
			if _, err := adapt(t, block).Resolve(); err != nil {
				t.Errorf("%s: %v", l.Tag, err)
			}
		}
	}
}

// Origins stand on the page, and are told to be lost when it is read: they are no cookies, and no purpose.
func TestRoundTripOrigins(t *testing.T) {
	from := func(category policy.Category, cookies []string, origins ...string) policy.Rule {
		return policy.Rule{Category: category, Cookies: cookies, RuleOptions: policy.RuleOptions{
			Provider: "Maker", Purpose: []policy.Text{{Text: "Shows it"}}, Origin: origins}}
	}
	e, err := enforcer.Compile(policy.Policy{Presets: []policy.Preset{{Name: "opendatasoft"}}, Allow: []policy.Rule{
		from(policy.Necessary, nil, "https://tiles.example.org", "https://*.api.example.org"),
		from(policy.Necessary, []string{"map"}, "https://maps.example.org"),
		from(policy.ThirdParty, []string{"video"}, "https://*.video.example"),
		from(policy.ThirdParty, nil, "https://ads.example:8443"),
	}}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	p, err := page.New(page.Config{}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range languages.All() {
		data, err := p.Data(e, page.InForce{}, page.Visitor{Language: l.Tag})
		if err != nil {
			t.Fatal(err)
		}
		html, err := p.HTML(data)
		if err != nil {
			t.Fatal(err)
		}
		for _, origin := range []string{"https://tiles.example.org, https://*.api.example.org", "https://maps.example.org",
			"https://*.video.example", "https://ads.example:8443"} {
			if n := strings.Count(string(html), origin); n != 1 {
				t.Errorf("%s: %s stands on the page %d times", l.Tag, origin, n)
			}
		}
		read := published.Read(html, published.HTML)
		var names []string
		for _, row := range read.Rows {
			for _, name := range row.Names {
				names = append(names, name.Pattern)
				if (name.Pattern == "map" || name.Pattern == "video") && row.Purpose != "Shows it" {
					t.Errorf("%s: the purpose of %s is %q", l.Tag, name.Pattern, row.Purpose)
				}
			}
		}
		slices.Sort(names)
		if got := strings.Join(names, " "); got != "cookies_preferences csrftoken django_language map sessionid video" {
			t.Errorf("%s: the cookies are %s", l.Tag, got)
		}
		lost := 0
		for _, n := range read.Notes {
			if n.Kind == published.NotUnderstood && strings.Contains(n.Message, "origin") {
				lost++
			}
		}
		if lost != 2 {
			t.Errorf("%s: %d losses are told: %+v", l.Tag, lost, read.Notes)
		}
	}
}
