package report_test

import (
	"fmt"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
)

// BenchmarkMergeInventories merges the inventories of ten gateways, with few names and with many.
// Its time for a name does not grow with their number.
func BenchmarkMergeInventories(b *testing.B) {
	for _, names := range []int{100, 10_000} {
		answers := make([]report.Answer[report.Inventory], 10)
		for i := range answers {
			for n := range names {
				answers[i].Report.Cookies = append(answers[i].Report.Cookies, report.Item{
					Name: fmt.Sprint(n), Channel: "read", Mode: "enforce", First: noon, Last: noon, Count: 1,
					Verdicts: map[string]uint64{"refused": 1}, Hosts: []string{"data.city.example"},
				})
			}
		}
		b.Run(fmt.Sprintf("names=%d", names), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				report.MergeInventories("city", answers, nil)
			}
			perName := float64(b.Elapsed().Nanoseconds()) / float64(b.N) / float64(names)
			b.ReportMetric(perName, "ns/name")
		})
	}
}

// BenchmarkMergeDrifts does the same for findings.
func BenchmarkMergeDrifts(b *testing.B) {
	for _, names := range []int{100, 10_000} {
		answers := make([]report.Answer[report.Drift], 10)
		for i := range answers {
			for n := range names {
				answers[i].Report.Findings = append(answers[i].Report.Findings, report.Finding{
					Kind: report.NeverSeen, Cookie: fmt.Sprint(n), Detail: fmt.Sprint("since ", i),
				})
			}
		}
		b.Run(fmt.Sprintf("names=%d", names), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				report.MergeDrifts("city", answers, nil)
			}
			perName := float64(b.Elapsed().Nanoseconds()) / float64(b.N) / float64(names)
			b.ReportMetric(perName, "ns/name")
		})
	}
}
