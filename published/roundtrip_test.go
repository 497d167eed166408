package published_test

import (
	"fmt"
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

// Origins stand on the page, and come back with the rules that have them, with cookies and without.
func TestRoundTripOrigins(t *testing.T) {
	from := func(category policy.Category, cookies []string, origins ...string) policy.Rule {
		return policy.Rule{Category: category, Cookies: cookies, RuleOptions: policy.RuleOptions{
			Provider: "Maker", Purpose: []policy.Text{{Text: "Shows it"}}, Origin: origins}}
	}
	// What a policy says of origins in its own words is a text like others.
	says := from(policy.Necessary, []string{"words"})
	says.Purpose[0].Text = "Pages may then load content from: https://words.example."
	both := from(policy.Necessary, []string{"both"}, "https://both.example")
	both.Purpose = says.Purpose
	silent := from(policy.Necessary, []string{"silent"}, "https://silent.example")
	silent.Purpose = nil
	e, err := enforcer.Compile(policy.Policy{Presets: []policy.Preset{{Name: "opendatasoft"}}, Allow: []policy.Rule{
		from(policy.Necessary, nil, "https://tiles.example.org", "https://*.api.example.org"),
		from(policy.Necessary, []string{"map"}, "https://maps.example.org"),
		from(policy.ThirdParty, []string{"video"}, "https://*.video.example"),
		from(policy.ThirdParty, nil, "https://ads.example:8443"),
		from(policy.Statistical, []string{"no cookie"}, "https://counter.example"), // as the page writes that there is none
		says, both, silent,
	}}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	p, err := page.New(page.Config{}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"necessary [] https://tiles.example.org https://*.api.example.org: Shows it",
		"necessary [both] https://both.example: " + says.Purpose[0].Text,
		"necessary [map] https://maps.example.org: Shows it",
		"necessary [silent] https://silent.example: ",
		"necessary [words] : " + says.Purpose[0].Text,
		"statistical [no cookie] https://counter.example: Shows it",
		"third_party [] https://ads.example:8443: Shows it",
		"third_party [video] https://*.video.example: Shows it",
	}
	told := func(category policy.Category, names, origins []string, purpose string) string {
		return fmt.Sprintf("%s %v %s: %s", category, names, strings.Join(origins, " "), purpose)
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
		read := published.Read(html, published.HTML)
		var rows, rules []string
		for _, row := range read.Rows {
			var names []string
			for _, name := range row.Names {
				names = append(names, name.Pattern)
			}
			if row.Provider == "Maker" {
				rows = append(rows, told(row.Category, names, row.Origins, row.Purpose))
			}
		}
		block, notes := read.Block("")
		for _, rule := range adapt(t, block).Allow {
			purpose := ""
			if len(rule.Purpose) > 0 {
				purpose = rule.Purpose[0].Text
			}
			if rule.Provider == "Maker" {
				rules = append(rules, told(rule.Category, rule.Cookies, rule.Origin, purpose))
			}
		}
		for what, got := range map[string][]string{"read": rows, "written": rules} {
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("%s: %s is\n%s", l.Tag, what, strings.Join(got, "\n"))
			}
		}
		for _, n := range read.Notes {
			if n.Kind == published.NotUnderstood {
				t.Errorf("%s: %+v", l.Tag, n)
			}
		}
		loads := 0
		for _, n := range notes {
			if strings.Contains(n.Message, "add load") {
				loads++
			}
		}
		if loads != 1 {
			t.Errorf("%s: that load is missing is told %d times: %+v", l.Tag, loads, notes)
		}
	}
}

// Only what a page of this module marks as its own sentence, and only origins, become origins.
func TestReadOrigins(t *testing.T) {
	english, _ := languages.ByTag("en")
	words := english.Page.Cookies
	row := fmt.Sprintf("<table><tr><th>%s<th>%s<th>%s<th>%s<th>%s</tr>", words.Provider, words.Function, words.Names,
		words.Purpose, words.Lifetime) + "<tr><td>Maker<td>Maps<th>%s<td>Shows it %s<td>1 year</tr></table>"
	const cookie = "<code>map</code>"
	for _, c := range []struct {
		name, sentence string
		origins        int
	}{
		{cookie, `<span class="condition">Pages may then load content from: https://a.example, https://*.b.example.</span>`, 2},
		{"no cookie", `<span class="condition">Pages may then load content from: https://a.example.</span>`, 1},
		{cookie, `Pages may then load content from: https://a.example.`, 0},
		{cookie, `<span>Pages may then load content from: https://a.example.</span>`, 0},
		{cookie, `<span class="condition">Pages may then load content from: https://a.example, *.</span>`, 0},
		{cookie, `<span class="condition">Pages may then load content from: https://a.example/x.</span>`, 0},
		{cookie, `<span class="condition">Pages may then load content from: .</span>`, 0},
		{"no cookie", `<span class="condition">Only with your consent</span>`, 0},
		{cookie, `<span class="condition">Pages may then load <br> content from: https://a.example.</span>`, 0},
	} {
		page := "<html lang=en><h2>Necessary cookies</h2>" + fmt.Sprintf(row, c.name, c.sentence)
		read := published.Read([]byte(page), published.HTML)
		var origins []string
		for _, row := range read.Rows {
			origins = append(origins, row.Origins...)
		}
		if len(origins) != c.origins {
			t.Errorf("%s: the origins are %q of %+v", c.sentence, origins, read.Rows)
		}
	}
}
