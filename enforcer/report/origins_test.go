package report_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
)

// loading returns a gateway whose policy names origins.
func loading(t *testing.T) *gateway {
	rule := func(category policy.Category, key string, origins ...string) policy.Rule {
		r := policy.Rule{Category: category}
		if r.Origin = origins; key != "" {
			r.Consent = []string{key}
		}
		return r
	}
	return newGateway(t, policy.Policy{
		Presets: []policy.Preset{{Name: "opendatasoft"}},
		Allow: []policy.Rule{
			rule(policy.Necessary, "", "https://tiles.example", "https://idle.example"),
			rule(policy.ThirdParty, "video", "https://*.video.example"),
			rule(policy.ThirdParty, "map", "https://map.example"),
		},
		Load: policy.Load{Mode: policy.LoadReport},
	})
}

// load reports what a page loads, by its origin.
func (g *gateway) load(cookie string, origins ...string) {
	visit := g.Visit(enforcer.Request{Header: map[string][]string{"Cookie": {cookie}}, Host: "data.city.example"})
	for _, origin := range origins {
		visit.CountLoad(origin, "img-src")
	}
}

// findings returns the findings about origins.
func (g *gateway) findings() (found []string) {
	for _, f := range g.drift() {
		if f.Origin != "" {
			found = append(found, f.Kind+" "+f.Origin)
		}
	}
	return found
}

func TestDriftOfOrigins(t *testing.T) {
	g := loading(t)
	rare := []string{"rare (redirect)", "rare https://*.video.example", "rare https://t.example"}
	for i := range 2 {
		g.load("", "https://t.example", "https://a.video.example", "https://tiles.example", "")
		if got := g.findings(); !slices.Equal(got, rare) {
			t.Errorf("on day %d: %q", i+1, got)
		}
		g.now = g.now.Add(24 * time.Hour)
	}
	for _, f := range g.drift() {
		const where = ", loaded as img-src, at data.city.example"
		details := map[string]string{
			"(redirect)":              "redirects: reported 2 times on 2 days" + where,
			"https://*.video.example": "early: reported 2 times on 2 days" + where + ", without consent",
			"https://t.example":       "unlisted: reported 2 times on 2 days" + where,
		}
		if f.Origin != "" && (f.Counts() || f.Detail != details[f.Origin]) {
			t.Errorf("on the second day: %+v", f)
		}
	}
	g.load("", "https://t.example", "https://b.video.example", "")
	want := []string{"early https://*.video.example", "redirects (redirect)", "unlisted https://t.example"}
	if got := g.findings(); !slices.Equal(got, want) {
		t.Errorf("on the third day: %q", got)
	}
	g.load("", "https://new.example")
	want = append(want, "rare https://new.example") // behind those that count
	if got := g.findings(); !slices.Equal(got, want) {
		t.Errorf("with a rare one: %q", got)
	}
	g.load("", slices.Repeat([]string{"https://tiles.example"}, 100)...)
	want = slices.Insert(want, 1, "never_seen https://map.example")
	if got := g.findings(); !slices.Equal(got, want) {
		t.Errorf("after many reports: %q", got)
	}

	g = loading(t)
	for range 3 {
		g.load(`cookies_preferences={"video":true}`, "https://a.video.example", "https://tiles.example")
		g.now = g.now.Add(24 * time.Hour)
	}
	if got := g.findings(); got != nil {
		t.Errorf("with consent: %q", got)
	}
}

// What a visitor had said is counted, of origins that no rule names too.
func TestInventoryOfUnlistedOrigins(t *testing.T) {
	g := loading(t)
	for _, cookie := range []string{"", `cookies_preferences={"video":false}`, `cookies_preferences={"video":false,"map":true}`,
		"cookies_preferences=%"} {
		g.load(cookie, "https://t.example")
	}
	if o := g.inventory().Origins[0]; o.Undecided != 1 || o.Refused != 2 || o.Granted != 1 {
		t.Errorf("%+v", o)
	}
}

// That an origin is in no report holds only if it is in none of any gateway.
func TestMergeDriftsOfOrigins(t *testing.T) {
	drift := func(findings ...report.Finding) report.Answer[report.Drift] {
		return report.Answer[report.Drift]{Report: report.Drift{Digest: "d", Findings: findings}}
	}
	a := report.Finding{Kind: report.NeverSeen, Origin: "https://a.example"}
	b := report.Finding{Kind: report.NeverSeen, Origin: "https://b.example"}
	merged := report.MergeDrifts("city", []report.Answer[report.Drift]{drift(a, b), drift(b)}, nil)
	if !slices.Equal(merged.Findings, []report.Finding{b}) {
		t.Errorf("%+v", merged.Findings)
	}
}

// Where the policies of gateways differ, each origin has the digest under which it was reported, and those
// of one digest are added up.
func TestMergeInventoriesOfOrigins(t *testing.T) {
	inventory := func(digest string, origins ...string) report.Answer[report.Inventory] {
		i := report.Inventory{Digest: digest}
		for _, origin := range origins {
			i.Origins = append(i.Origins, report.Origin{Origin: origin, Days: 1, Count: 2, Verdicts: map[string]uint64{"refused": 2}})
		}
		return report.Answer[report.Inventory]{Report: i}
	}
	for _, c := range []struct {
		answers []report.Answer[report.Inventory]
		want    []string
	}{
		{[]report.Answer[report.Inventory]{inventory("x", "https://b.example", "https://a.example"), inventory("x", "https://a.example")},
			[]string{"https://a.example  4", "https://b.example  2"}},
		{[]report.Answer[report.Inventory]{inventory("y", "https://b.example", "https://a.example"), inventory("x", "https://b.example"),
			inventory("x", "https://b.example")},
			[]string{"https://a.example y 2", "https://b.example x 4", "https://b.example y 2"}},
	} {
		var got []string
		for _, o := range report.MergeInventories("city", c.answers, nil).Origins {
			got = append(got, fmt.Sprint(o.Origin, " ", o.Digest, " ", o.Verdicts["refused"]))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%q, want %q", got, c.want)
		}
		if n := c.answers[0].Report.Origins[0].Verdicts["refused"]; n != 2 {
			t.Errorf("merging changes an answer: %d", n)
		}
	}
}

// An origin is rare if it is on all gateways.
func TestMergeDriftsOfRareOrigins(t *testing.T) {
	finding := func(kind string) report.Finding { return report.Finding{Kind: kind, Origin: "https://a.example"} }
	for _, c := range []struct{ kinds, want []string }{
		{[]string{report.Rare, report.Rare}, []string{report.Rare}},
		{[]string{report.Rare, report.Unlisted}, []string{report.Unlisted}},
		{[]string{report.Early, report.Rare}, []string{report.Early}},
		{[]string{report.Rare, report.NeverSeen}, []string{report.Rare}},
	} {
		var answers []report.Answer[report.Drift]
		for _, kind := range c.kinds {
			answers = append(answers, report.Answer[report.Drift]{
				Report: report.Drift{Digest: "d", Findings: []report.Finding{finding(kind)}}})
		}
		var got []string
		for _, f := range report.MergeDrifts("city", answers, nil).Findings {
			got = append(got, f.Kind)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%q are merged to %q, want %q", c.kinds, got, c.want)
		}
	}
}
