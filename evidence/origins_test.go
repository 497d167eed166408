package evidence

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// loadPolicy puts a policy in force that names origins.
func (g *gateway) loadPolicy(mode string) {
	g.t.Helper()
	video := policy.Rule{Category: policy.ThirdParty}
	video.Consent, video.Origin = []string{"video"}, []string{"https://*.video.example"}
	g.policy = policy.Policy{Name: "city", Allow: []policy.Rule{video}, Load: policy.Load{Mode: mode},
		Preference: []policy.Preference{{Cookies: []string{"choice"}}}}
	var err error
	if g.enforcer, err = enforcer.Compile(g.policy, func() time.Time { return *g.now }); err != nil {
		g.t.Fatal(err)
	}
	g.enforcer.Observe(g.observer)
	g.keeper.Begin(Policy{g.enforcer.Policy().Digest(), policy.ModeEnforce, []byte(asJSON(g.t, g.policy))}, *g.now)
}

// reported counts reports of a visitor that a page loads from origins.
func (g *gateway) reported(cookie string, origins ...string) {
	visit := g.enforcer.Visit(enforcer.Request{Header: map[string][]string{"Cookie": {cookie}}})
	for _, origin := range origins {
		visit.CountLoad(origin, "img-src")
	}
}

func loadsOf(c *Counts) (all []string) {
	for _, l := range c.Loads {
		all = append(all, fmt.Sprint(l.Mode, " ", l.Category, " ", l.Verdict, " ", l.Count))
	}
	return all
}

// Reports of browsers are counted by day, modes apart, over restarts and for a fleet, and the chain of days holds
// them. Origins are those of the days that are asked about.
func TestQuestionReportOrigins(t *testing.T) {
	storage, now := newDirectory(t), noon
	one, two := start(t, storage, "one-0", &now, "a"), start(t, storage, "two-0", &now, "a")
	for _, g := range []*gateway{one, two} {
		g.read()
		g.loadPolicy(policy.LoadReport)
	}
	one.reported("", "https://a.video.example", "https://early.example")
	one.observer.CountDropped("malformed", 2)
	two.reported(`choice={"video":true}`, "https://b.video.example")
	two.reported(`choice={"video":false}`, "https://b.video.example")
	now = now.Add(24 * time.Hour)
	for _, g := range []*gateway{one, two} {
		g.write()
	}
	one = start(t, storage, "one-0", &now, "a")
	one.read()
	one.loadPolicy(policy.LoadEnforce)
	one.reported("", "https://a.video.example", "https://late.example")
	now = now.Add(24 * time.Hour)
	one.write()

	q := one.ask()
	answer, err := q.Report(t.Context(), "2026-01-15", "2026-01-15")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"report third_party let_through 1", "report third_party would_refuse 2", "report unlisted would_refuse 1"}
	if got := loadsOf(&answer.Days[0].Counts); !slices.Equal(got, want) || !slices.Equal(loadsOf(&answer.Totals), want) ||
		answer.Totals.Dropped["malformed"] != 2 {
		t.Errorf("on the first day %q, in all %q, %v; want %q", got, loadsOf(&answer.Totals), answer.Totals.Dropped, want)
	}
	var origins []string
	for _, o := range answer.Origins {
		origins = append(origins, fmt.Sprint(o.Origin, " ", o.Category, " ", o.Rule, " ", o.First.Format(time.DateOnly), " ",
			o.Last.Format(time.DateOnly), " ", o.Days, " ", o.Count, " ", o.Granted, " ", o.Refused, " ", o.Undecided))
	}
	wantOrigins := []string{
		"https://*.video.example third_party third_party https://*.video.example 2026-01-15 2026-01-16 2 4 1 1 2",
		"https://early.example unlisted  2026-01-15 2026-01-15 1 1 0 0 1",
	}
	if !slices.Equal(origins, wantOrigins) || answer.Load != policy.LoadEnforce {
		t.Errorf("load %s, the origins are\n%s\nwant\n%s", answer.Load, strings.Join(origins, "\n"),
			strings.Join(wantOrigins, "\n"))
	}
	if answer, err = q.Report(t.Context(), "2026-01-16", "2026-01-17"); err != nil {
		t.Fatal(err)
	}
	if got, want := loadsOf(&answer.Totals), []string{"enforce third_party refused 1", "enforce unlisted refused 1"}; !slices.Equal(
		got, want) || len(answer.Totals.Dropped) > 0 {
		t.Errorf("later %q, %v, want %q", got, answer.Totals.Dropped, want)
	}
	answer.Findings = nil // they are those of now, whatever the days
	if s := asJSON(t, answer); strings.Contains(s, "early.example") || !strings.Contains(s, "https://late.example") {
		t.Errorf("later it has %s", s)
	}

	for what, change := range map[string]func(*Day){
		"another count":        func(d *Day) { d.Loads["report/unlisted/would_refuse"]++ },
		"a verdict less":       func(d *Day) { delete(d.Loads, "report/third_party/would_refuse") },
		"a reason less":        func(d *Day) { d.Dropped = nil },
		"a verdict by itself":  func(d *Day) { d.Loads["report/necessary/would_refuse"] = 1 },
		"another mode's count": func(d *Day) { d.Loads["enforce/unlisted/refused"] = 1 },
	} {
		b, _ := storage.Load(t.Context(), key("city", "one-0"))
		r, err := decode(b, "city", now)
		if err != nil || !Verify("", r.Days).Holds {
			t.Fatalf("%v", err)
		}
		change(&r.Days[0])
		if Verify("", r.Days).Holds {
			t.Errorf("%s: the chain holds", what)
		}
	}
}

// Numbers that no gateway counts are not taken from a record. A day without reports has the digest that it had
// before there were any.
func TestDayOfReports(t *testing.T) {
	d := Day{Day: "2026-01-15", Counters: observe.Counters{Requests: 1}}
	const digest = "ea57388f71ab775c48994bc1e8383c64c7edba4c3ce008de3a2d619ea9ea66e4" // of {"day":"2026-01-15","requests":1}
	if got := d.Digest(); got != digest {
		t.Errorf("the digest is %s", got)
	}
	d.Loads = map[string]uint64{"report/unlisted/would_refuse": 1, "report/unlisted/refused": 1, "<b>": 1}
	d.bound()
	if got := loadsOf(&Counts{Loads: newCounts(d.Counters).Loads}); !slices.Equal(got,
		[]string{"report unlisted would_refuse 1"}) {
		t.Errorf("it has %q", got)
	}
}
