package print

import (
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/evidence"
)

// Third parties have a section where the policy or the evidence speaks of them, as that of an older gateway
// does not. What is missing is said.
func TestOrigins(t *testing.T) {
	const title, noReports, noOrigins = "Third parties that pages load from", "No report of a browser", "No origin was reported."
	for _, c := range []struct {
		what   string
		change func(*evidence.Report)
		want   []string
	}{
		{"all", func(*evidence.Report) {}, []string{title}},
		{"nothing", func(r *evidence.Report) { r.Load, r.Origins, r.Totals.Loads, r.Totals.Dropped = "", nil, nil, nil }, nil},
		{"load without reports", func(r *evidence.Report) { r.Origins, r.Totals.Loads, r.Totals.Dropped = nil, nil, nil },
			[]string{title, noReports, noOrigins}},
		{"reports of an earlier policy", func(r *evidence.Report) { r.Load, r.Origins = "", nil }, []string{title, noOrigins}},
		{"origins of other days", func(r *evidence.Report) { r.Load, r.Totals.Loads = "", nil }, []string{title, noReports}},
	} {
		r := fixed(t)
		c.change(&r.Policies[0].Report)
		document := markdown(t, r, "en")
		var got []string
		for _, text := range []string{title, noReports, noOrigins} {
			if strings.Contains(document, text) {
				got = append(got, text)
			}
		}
		if strings.Join(got, "; ") != strings.Join(c.want, "; ") {
			t.Errorf("%s: it says %q, want %q", c.what, got, c.want)
		}
	}
}
