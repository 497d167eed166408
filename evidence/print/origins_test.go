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

// Where the policies of several gateways differ, each origin has the digest of the one under which it was counted.
func TestOriginsDigest(t *testing.T) {
	r := fixed(t)
	a := &r.Policies[0]
	column := "| Had not decided | Missed at most | Digest |"
	if strings.Contains(markdown(t, r, "en"), column) {
		t.Error("there is a column for digests that origins do not have")
	}
	other := a.Origins[2]
	a.Origins[2].Digest, other.Digest = strings.Repeat("a", 64), strings.Repeat("b", 64)
	a.Origins = append(a.Origins, other)
	document := markdown(t, r, "en")
	for _, want := range []string{column, "| 40 | 3 | `aaaaaaaaaaaa` |", "| 40 | 3 | `bbbbbbbbbbbb` |",
		"| `connect-src` | `data.city.example` | `aaaaaaaaaaaa` |", "| `connect-src` | `data.city.example` | `bbbbbbbbbbbb` |"} {
		if !strings.Contains(document, want) {
			t.Errorf("it does not have %q:\n%s", want, document)
		}
	}
}
