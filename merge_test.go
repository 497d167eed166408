package cookiepolicy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
)

// What several gateways say becomes one answer: something is missing only where all of them miss
// it.
func TestMerge(t *testing.T) {
	noon := time.Date(2026, time.January, 15, 12, 0, 0, 0, time.UTC)
	finding := func(kind, cookie, detail string) enforcer.Finding {
		return enforcer.Finding{Kind: kind, Cookie: cookie, Detail: detail}
	}
	a := enforcer.Drift{Digest: "a", Since: noon, Findings: []enforcer.Finding{
		finding(enforcer.FindingNeverSeen, "x", "not met since noon"),
		finding(enforcer.FindingNeverSeen, "y", "not met since noon"),
		finding(enforcer.FindingWeaker, "z", "sent without Secure"),
		finding(enforcer.FindingWeaker, "z", "sent without HttpOnly"),
		finding(enforcer.FindingNeverRead, "r", ""), finding(enforcer.FindingNeverSeen, "s", "")}}
	b := enforcer.Drift{Digest: "a", Since: noon.Add(time.Hour), Findings: []enforcer.Finding{
		finding(enforcer.FindingNeverSeen, "x", "not met since one"),
		finding(enforcer.FindingWeaker, "z", "sent without Secure"),
		finding(enforcer.FindingUnlisted, "u", ""),
		finding(enforcer.FindingNeverSeen, "r", ""), finding(enforcer.FindingNeverRead, "s", "")}}
	merged := enforcer.MergeDrifts([]enforcer.Drift{a, b})
	var got []string
	for _, f := range merged.Findings {
		got = append(got, f.Kind+" "+f.Cookie+" "+f.Detail)
	}
	want(t, "drift", strings.Join(got, "\n"),
		"never_read r \nnever_read s \nnever_seen x not met since noon\nunlisted u \n"+
			"weaker z sent without Secure\nweaker z sent without HttpOnly")
	if !merged.Since.Equal(b.Since) || merged.Digest != "a" {
		t.Errorf("got %+v", merged)
	}

	report := enforcer.MergeReports([]enforcer.Report{
		{Digest: "a", Since: noon, Overflow: 1,
			Cookies: []enforcer.Item{{Name: "b", Channel: "set", First: noon, Last: noon, Count: 2,
				Verdicts: map[string]uint64{"refused": 2}, Hosts: []string{"x"}, Lifetime: 5}}},
		{Digest: "b", Since: noon.Add(time.Hour), Overflow: 2, Cookies: []enforcer.Item{
			{Name: "a", Channel: "set"}, {Name: "b", Channel: "read"},
			{Name: "b", Channel: "set", First: noon.Add(-time.Hour), Last: noon.Add(time.Hour),
				Count: 3, Verdicts: map[string]uint64{"refused": 1, "deletion": 2},
				Hosts: []string{"x", "y"}, Lifetime: 3, Session: true}}},
	})
	want(t, "inventory", fmt.Sprintf("%s %s %d %+v", report.Digest, report.Since.Format("15:04"),
		report.Overflow, report.Cookies[1]),
		fmt.Sprintf("different 13:00 3 %+v",
			enforcer.Item{Name: "b", Channel: "set", First: noon.Add(-time.Hour),
				Last: noon.Add(time.Hour), Count: 5,
				Verdicts: map[string]uint64{"refused": 3, "deletion": 2}, Hosts: []string{"x", "y"},
				Lifetime: 5, Session: true}))
	want(t, "the order", report.Cookies[0].Name+report.Cookies[1].Channel+report.Cookies[2].Channel,
		"asetread")
}
