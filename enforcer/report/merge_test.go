package report_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
)

// Gateways with one digest are added up. Those with different digests are a finding that names each
// digest, and what they counted stays apart. The order of the gateways does not matter.
func TestMergeInventories(t *testing.T) {
	item := func(category string, n uint64, hosts ...string) report.Item {
		return report.Item{Name: "_ga", Channel: "set", Mode: "enforce", Category: "unlisted", Rule: category,
			First: noon.Add(time.Duration(n) * time.Minute), Last: noon, Count: n, Hosts: hosts,
			Lifetime: int64(n), Verdicts: map[string]uint64{"refused": n}}
	}
	answer := func(gateway, digest string, items ...report.Item) report.Answer[report.Inventory] {
		return report.Answer[report.Inventory]{Gateway: gateway, Report: report.Inventory{
			Policy: "city", Digest: digest, Since: noon, At: noon.Add(time.Hour), Cookies: items, Overflow: 1}}
	}
	for _, c := range []struct {
		what     string
		answers  []report.Answer[report.Inventory]
		digest   string
		items    []report.Item
		findings []report.Finding
	}{
		{"nothing", nil, "", []report.Item{}, nil},
		{"the same digest",
			[]report.Answer[report.Inventory]{
				answer("one", "a", item("", 1, "b.example")), answer("two", "a", item("", 2, "a.example"))},
			"a",
			[]report.Item{{Name: "_ga", Channel: "set", Mode: "enforce", Category: "unlisted",
				First: noon.Add(time.Minute), Last: noon, Count: 3, Hosts: []string{"a.example", "b.example"},
				Lifetime: 2, Verdicts: map[string]uint64{"refused": 3}}},
			nil},
		{"two digests on three gateways",
			[]report.Answer[report.Inventory]{
				answer("one", "b", item("", 1)), answer("two", "a", item("", 2)), answer("three", "b", item("", 4))},
			report.Different,
			[]report.Item{
				{Name: "_ga", Channel: "set", Mode: "enforce", Category: "unlisted", Digest: "a",
					First: noon.Add(2 * time.Minute), Last: noon, Count: 2, Lifetime: 2,
					Verdicts: map[string]uint64{"refused": 2}},
				{Name: "_ga", Channel: "set", Mode: "enforce", Category: "unlisted", Digest: "b",
					First: noon.Add(time.Minute), Last: noon, Count: 5, Lifetime: 4,
					Verdicts: map[string]uint64{"refused": 5}},
			},
			[]report.Finding{{Kind: "differs", Detail: "digest a on two; digest b on one, three"}}},
	} {
		for range 2 {
			merged := report.MergeInventories("city", c.answers, nil)
			if merged.Policy != "city" || merged.Digest != c.digest || merged.Overflow != uint64(len(c.answers)) ||
				!reflect.DeepEqual(merged.Cookies, c.items) || !reflect.DeepEqual(merged.Findings, c.findings) {
				t.Errorf("%s: got %+v", c.what, merged)
			}
			slices.Reverse(c.answers)
		}
	}
	missing := []report.Finding{{Kind: report.Missing, Detail: "two"}}
	if merged := report.MergeInventories("city", nil, missing); !reflect.DeepEqual(merged.Findings, missing) {
		t.Errorf("got %+v, and not the findings about gateways", merged)
	}
}

// An answer without verdicts, as none that this module gives, can be merged with one that has some.
func TestMergeInventories_withoutVerdicts(t *testing.T) {
	answers := []report.Answer[report.Inventory]{
		{Gateway: "one", Report: report.Inventory{Cookies: []report.Item{{Name: "a"}}}},
		{Gateway: "two", Report: report.Inventory{Cookies: []report.Item{
			{Name: "a", Verdicts: map[string]uint64{"refused": 1}}}}},
	}
	merged := report.MergeInventories("city", answers, nil)
	if len(merged.Cookies) != 1 || merged.Cookies[0].Verdicts["refused"] != 1 || answers[0].Report.Cookies[0].Verdicts != nil {
		t.Errorf("got %+v of %+v", merged, answers)
	}
}

// That a cookie was never met, or never sent back, is so only if no gateway with the digest met it. All
// else is a finding if one gateway found it.
func TestMergeDrifts(t *testing.T) {
	answer := func(gateway, digest string, findings ...string) report.Answer[report.Drift] {
		a := report.Answer[report.Drift]{Gateway: gateway, Report: report.Drift{Policy: "city", Digest: digest}}
		for _, f := range findings {
			words := strings.SplitN(f, " ", 3)
			a.Report.Findings = append(a.Report.Findings, report.Finding{Kind: words[0], Cookie: words[1], Detail: words[2]})
		}
		return a
	}
	for _, c := range []struct {
		what    string
		answers []report.Answer[report.Drift]
		digest  string
		want    []string
	}{
		{"nothing", nil, "", nil},
		{"never met on one of two",
			[]report.Answer[report.Drift]{answer("one", "a", "never_seen x since 1"), answer("two", "a")}, "a", nil},
		{"never met on both",
			[]report.Answer[report.Drift]{
				answer("one", "a", "never_seen x since 1"), answer("two", "a", "never_seen x since 2")},
			"a", []string{"never_seen x since 2"}},
		{"never met on one, never sent back on the other",
			[]report.Answer[report.Drift]{
				answer("one", "a", "never_seen x since 1"), answer("two", "a", "never_read x set")},
			"a", []string{"never_read x set"}},
		{"unlisted on one, and on both",
			[]report.Answer[report.Drift]{
				answer("one", "a", "unlisted x once", "unlisted y once"), answer("two", "a", "unlisted y once")},
			"a", []string{"unlisted x once", "unlisted y once"}},
		{"two digests",
			[]report.Answer[report.Drift]{
				answer("one", "b", "never_seen x since 1", "unlisted y once"), answer("two", "a", "unlisted y once")},
			report.Different, []string{
				"differs  digest a on two; digest b on one",
				"never_seen x since 1 (b)",
				"unlisted y once (a)",
				"unlisted y once (b)",
			}},
	} {
		for range 2 {
			merged := report.MergeDrifts("city", c.answers, nil)
			var got []string
			for _, f := range merged.Findings {
				line := f.Kind + " " + f.Cookie + " " + f.Detail
				if f.Digest != "" {
					line += " (" + f.Digest + ")"
				}
				got = append(got, line)
			}
			if merged.Digest != c.digest || merged.Findings == nil || !slices.Equal(got, c.want) {
				t.Errorf("%s: got %s, %q, want %s, %q", c.what, merged.Digest, got, c.digest, c.want)
			}
			slices.Reverse(c.answers)
		}
	}
	unanswered := report.Finding{Kind: report.Unanswered, Detail: "two"}
	if merged := report.MergeDrifts("city", nil, []report.Finding{unanswered}); !slices.Contains(merged.Findings, unanswered) {
		t.Errorf("got %+v, and not the findings about gateways", merged)
	}
}
