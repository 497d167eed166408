package print

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
	"github.com/cookie-policy/caddy-cookie-policy/evidence"
)

var noon = time.Date(2026, time.January, 15, 12, 0, 0, 0, time.UTC)

// period returns a period with a policy.
func period(t testing.TB, since, until time.Time, p policy.Policy) evidence.PeriodAnswer {
	t.Helper()
	p.Name = "city"
	resolved, err := p.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	content, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return evidence.PeriodAnswer{Policy: content, Period: evidence.Period{
		Digest: resolved.Digest(), Mode: resolved.Policy().Mode, Since: since, Until: until}}
}

// counts returns numbers of a day, which are the same each time.
func counts(mode string, n uint64) evidence.Counts {
	word := map[string][2]string{"enforce": {"refused", "expired"}, "report": {"would_refuse", "would_expire"}}[mode]
	return evidence.Counts{
		Requests: 100 + n,
		Verdicts: []evidence.VerdictCount{
			{Mode: mode, Channel: "expire", Category: "statistical", Verdict: word[1], Count: n / 9},
			{Mode: mode, Channel: "read", Category: "necessary", Verdict: "let_through", Count: 80 + 2*n},
			{Mode: mode, Channel: "read", Category: "statistical", Verdict: word[0], Count: n / 2},
			{Mode: mode, Channel: "read", Category: "unlisted", Verdict: word[0], Count: 3 + n%7},
			{Mode: mode, Channel: "set", Category: "necessary", Verdict: "let_through", Count: 60 + n},
			{Mode: mode, Channel: "set", Category: "necessary", Verdict: "deletion", Count: n % 5},
			{Mode: mode, Channel: "set", Category: "third_party", Verdict: word[0], Count: n},
		},
		Preferences: map[string]uint64{"valid": 20 + n, "none": 70, "too_old": n % 3},
		Choices:     []evidence.ChoiceCount{{Key: "matomo", Granted: n % 11, Refused: n % 13}},
	}
}

// loads returns numbers of reports about third parties.
func loads(mode, refused string, n uint64) []evidence.LoadCount {
	return []evidence.LoadCount{
		{Mode: mode, Category: "first_party", Verdict: "let_through", Count: 100 * n},
		{Mode: mode, Category: "first_party", Verdict: refused, Count: 7 * n},
		{Mode: mode, Category: "unlisted", Verdict: refused, Count: 3 * n},
	}
}

// fixed returns a report about one policy of a fleet: first in mode report, then in mode enforce, with a
// gap, a restart and a change.
func fixed(t testing.TB) *Report {
	since := noon.AddDate(0, 0, -9).Truncate(24 * time.Hour)
	day := func(n int) time.Time { return since.AddDate(0, 0, n) }
	rules := []policy.Rule{
		{Category: policy.Necessary, Cookies: []string{"sessionid"}},
		{Category: policy.Statistical, Cookies: []string{"_pk_id*", "_pk_ref*"},
			RuleOptions: policy.RuleOptions{Consent: []string{"matomo"}, Lifetime: policy.Duration(395 * 24 * time.Hour)}},
		{Category: policy.ThirdParty, Cookies: []string{"_ga"}, RuleOptions: policy.RuleOptions{Consent: []string{"ga"}}},
	}
	first := policy.Policy{Mode: policy.ModeReport, Allow: rules}
	first.Preference = []policy.Preference{{Cookies: []string{"cookies_preferences"}}}
	second := first
	second.Mode = policy.ModeEnforce
	second.Allow = append([]policy.Rule{}, rules[:2]...)
	second.Allow[1].Lifetime, second.Allow[1].Secure = policy.Duration(183*24*time.Hour), true
	second.Allow = append(second.Allow, policy.Rule{Category: policy.FirstParty, Cookies: []string{"map_view"},
		RuleOptions: policy.RuleOptions{Purpose: []policy.Text{{Text: "Keeps the map as it was"}}}})
	second.Allow[2].Origin, second.Load = []string{"https://*.map.example"}, policy.Load{Mode: policy.LoadEnforce}
	second.Signal = []policy.Signal{{Signal: policy.SignalGPC, Categories: []policy.Category{policy.Statistical}}}
	change := day(4).Add(9 * time.Hour)
	periods := []evidence.PeriodAnswer{
		period(t, day(1).Add(8*time.Hour), change, first), period(t, change, time.Time{}, second),
	}
	digest := periods[1].Digest
	r := evidence.Report{Policy: "city", Digest: digest, Mode: policy.ModeEnforce, Load: policy.LoadEnforce,
		Since: since.Format(time.DateOnly), Until: noon.Format(time.DateOnly), At: noon, InForce: periods}
	r.Scope = evidence.ScopeFleet
	r.Instances = []evidence.Instance{
		{Instance: "6c5f1c1e-0b5e-4b5c-9d6c-0d3c5a4f1b2a-0", Self: true, Live: true, Since: day(1).Add(8 * time.Hour),
			Written: noon,
			Digest:  digest, Mode: policy.ModeEnforce, Requests: 1234567},
		{Instance: "9d6c0d3c-1111-4b5c-9d6c-5a4f1b2a0b5e-0", Since: day(2), Written: day(6).Add(30 * time.Minute),
			Digest: periods[0].Digest,
			Mode:   policy.ModeReport, Requests: 420},
	}
	r.Aside = []string{"cookie_policy/city-0a1b2c3d/9d6c0d3c-1111-4b5c-9d6c-5a4f1b2a0b5e-0.json.gz.aside-20260110T101112Z"}
	for n := 1; n < 10; n++ {
		if n == 6 {
			continue // a gap
		}
		d := evidence.DayAnswer{Day: day(n).Format(time.DateOnly), InForce: []string{digest}}
		switch {
		case n < 4:
			d.Counts = counts("report", uint64(30*n))
		case n == 4: // both
			d.Counts = counts("report", 20)
			d.Verdicts = append(d.Verdicts, counts("enforce", 33).Verdicts...)
		default:
			d.Counts = counts("enforce", uint64(17*n))
		}
		if n >= 4 {
			d.Loads = loads("enforce", "refused", uint64(n))
			d.Dropped = map[string]uint64{"malformed": 1, "too_often": uint64(10 * n)}
		}
		if n == 4 {
			d.Loads = append(d.Loads, loads("report", "would_refuse", 2)...)
		}
		if n == 2 {
			d.Unlisted, d.More = []string{"campaign", "_fbp"}, 2
		}
		r.Days = append(r.Days, d)
		r.Totals.Requests += d.Requests
		r.Totals.Verdicts = append(r.Totals.Verdicts, d.Verdicts...)
		r.Totals.Loads = append(r.Totals.Loads, d.Loads...)
	}
	r.Totals.Dropped = map[string]uint64{"malformed": 5, "too_often": 330}
	r.Totals.Preferences = map[string]uint64{"valid": 900, "none": 560, "too_old": 3}
	r.Totals.Choices = []evidence.ChoiceCount{{Key: "matomo", Granted: 31, Refused: 44}}
	r.Totals.Overflow = 3
	r.Gaps = []evidence.Gap{{From: day(5).Add(22 * time.Hour), To: day(7).Add(3 * time.Hour)}}
	item := report.Item{Name: "_ga", Channel: "set", Mode: "report", Category: "unlisted",
		First: day(1).Add(9 * time.Hour), Last: noon, Count: 220, Verdicts: map[string]uint64{"would_refuse": 200,
			"let_through": 20},
		Hosts: []string{"data.city.example"}, Domains: []string{"city.example"}, Paths: []string{"/"},
		SameSite: []string{"lax", "none"},
		Lifetime: 400 * 24 * 60 * 60, Insecure: true, MissingHTTPOnly: true}
	enforced := item
	enforced.Mode, enforced.Count, enforced.Verdicts = "enforce", 12345, map[string]uint64{"refused": 12345}
	session := report.Item{Name: "sessionid", Channel: "set", Mode: "enforce", Category: policy.Necessary,
		Rule:  "necessary sessionid",
		First: day(1), Last: noon, Count: 7, Verdicts: map[string]uint64{"let_through": 6, "deletion": 1},
		Hosts: []string{"data.city.example", "map.city.example"}, Session: true}
	read := report.Item{Name: "campaign", Channel: "read", Mode: "enforce", Category: "unlisted", First: day(2),
		Last:  noon,
		Count: 40, Missed: 5, Verdicts: map[string]uint64{"refused": 40}, Hosts: []string{"(other)"}}
	r.Cookies = []report.Item{enforced, item, read, session}
	r.Origins = []report.Origin{
		{Origin: "(redirect)", Category: "unlisted", Directives: []string{"img-src"}, First: day(4), Last: day(4), Days: 1,
			Count: 1, Undecided: 1, Verdicts: map[string]uint64{"refused": 1}, Hosts: []string{"data.city.example"}},
		{Origin: "https://*.map.example", Category: policy.FirstParty, Rule: "first_party map_view",
			Directives: []string{"img-src", "script-src-elem"}, First: day(4), Last: noon, Days: 5, Count: 1234, Granted: 1000,
			Refused: 34, Undecided: 200, Verdicts: map[string]uint64{"let_through": 1000, "refused": 230, "would_refuse": 4},
			Hosts: []string{"data.city.example", "(other)"}},
		{Origin: "https://pixel.example", Category: "unlisted", Directives: []string{"connect-src"}, First: day(5),
			Last: noon, Days: 4, Count: 90, Missed: 3, Refused: 50, Undecided: 40, Verdicts: map[string]uint64{"refused": 90},
			Hosts: []string{"data.city.example"}},
	}
	r.Findings = []report.Finding{
		{Kind: report.Unlisted, Cookie: "campaign", Detail: "met on read 40 times, at (other)"},
		{Kind: report.Longer, Cookie: "_pk_id.1", Detail: "lives 395d, declared are 183d"},
		{Kind: report.Rare, Origin: "https://t.example",
			Detail: "unlisted: reported once on one day, loaded as img-src, at data.city.example"},
		{Kind: report.Early, Origin: "https://*.map.example", Detail: "reported 234 times on 5 days"},
	}
	r.Chains = []evidence.Chain{
		{Instance: r.Instances[0].Instance, Holds: true, Days: 7, First: r.Days[0].Day, Last: r.Days[6].Day,
			Digest: strings.Repeat("0123456789abcdef", 4)},
		{Instance: r.Instances[1].Instance, Holds: false, Days: 4, First: r.Days[1].Day, Last: r.Days[4].Day,
			Digest: strings.Repeat("fedcba9876543210", 4), Broken: r.Days[3].Day},
	}
	return &Report{Program: "caddy-cookie-policy v1.0.0, Caddy v2.11.9", At: noon.Add(time.Second),
		Command:   "caddy cookie-policy report --fleet --address localhost:2019",
		Addresses: []string{"localhost:2019"}, Policies: []Answer{{Address: "localhost:2019", Report: r}}}
}

// long returns a report about many days.
func long(t testing.TB, days int) *Report {
	r := fixed(t)
	a := &r.Policies[0]
	since := noon.AddDate(0, 0, 1-days)
	a.Since, a.Days, a.Totals = since.Format(time.DateOnly), nil, evidence.Counts{}
	for n := range days {
		if n%97 == 50 {
			continue
		}
		mode := "report"
		if n > days/3 {
			mode = "enforce"
		}
		d := evidence.DayAnswer{Day: since.AddDate(0, 0, n).Format(time.DateOnly), Counts: counts(mode, uint64(n*n%4001))}
		a.Days = append(a.Days, d)
		a.Totals.Verdicts = append(a.Totals.Verdicts, d.Verdicts...)
	}
	return r
}

func write(t testing.TB, f func(out *strings.Builder) error) string {
	t.Helper()
	var out strings.Builder
	if err := f(&out); err != nil {
		t.Fatal(err)
	}
	if out.Len() == 0 {
		t.Fatal(fmt.Errorf("nothing was written"))
	}
	return out.String()
}

func markdown(t testing.TB, r *Report, language string) string {
	t.Helper()
	return write(t, func(out *strings.Builder) error { return Markdown(out, r, language) })
}

func printHTML(t testing.TB, r *Report, language string) string {
	t.Helper()
	return write(t, func(out *strings.Builder) error { return HTML(out, r, language) })
}
