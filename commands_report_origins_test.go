package cookiepolicy

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/evidence/print"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// What browsers reported of third parties is in the report for an auditor, over a restart and in each format:
// by day, and each origin with what visitors had chosen.
func TestReportCommandOrigins(t *testing.T) {
	w, _ := keeping(t)
	site := func(mode string) string { return fmt.Sprintf(loading, mode) + "respond ok" }
	w.Reload(site("report"))
	send := func(origin string, line string) {
		t.Helper()
		answer := sendReport(t, w, "POST", "application/csp-report", violation(origin+"/s3cr3t?s3cr3t", "img-src"), line)
		if !strings.HasPrefix(answer.Raw, "HTTP/1.1 204") {
			t.Fatalf("%q", answer.Raw)
		}
	}
	send("https://b.example", "X: y")
	send("https://www.video.example", `Cookie: cookies_preferences={"video":true}`)
	sendReport(t, w, "POST", "text/plain", "s3cr3t", "X: y")
	caddytest.Stop(t)
	w.Reload(site("enforce"))
	send("https://www.video.example", `Cookie: cookies_preferences={"video":false}`)

	one := &query{addresses: []string{w.Admin}}
	for _, c := range []struct {
		what string
		q    reportQuery
		says []string // regular expressions
	}{
		{"Markdown", reportQuery{query: one}, []string{
			`\n### Third parties that pages load from\n`,
			`load report\*\n\n(\|[^\n]*\n){2}\| third-party \| 0 \| 1 \|\n\| in no rule \| 1 \| 0 \|\n`,
			`by day and category, load enforce\*\n\n\| Day \| Category \| Refused \|\n\|[^\n]*\n\| \d{4}-\d\d-\d\d \| third-party \| 1 \|\n\n`,
			"\n\\| `https://\\*\\.video\\.example` \\| third-party \\| `third_party https://\\*\\.video\\.example` \\| [^|]* \\| [^|]* \\| 1 \\| 2 \\| 1 \\| 1 \\| 0 \\|\n",
			"\n\\| `https://b\\.example` \\| in no rule \\|  \\| [^|]* \\| [^|]* \\| 1 \\| 1 \\| 0 \\| 0 \\| 1 \\|\n",
			`repeated another one or came too often: 1\.`}},
		{"a fleet, in French", reportQuery{query: &query{addresses: one.addresses, fleet: true}, language: "fr"}, []string{
			`\n### Tiers depuis lesquels les pages chargent\n`, "\n\\| `https://b\\.example` \\| dans aucune règle \\|"}},
		{"HTML", reportQuery{query: one, html: true}, []string{
			`<h3 id="policy-1-origins">`, `<code>https://b\.example</code>`}},
		{"days before the observation", reportQuery{query: one, since: "2001-01-01", until: "2001-01-31"}, []string{
			`No report of a browser was counted in these days\.`, `No origin was reported\.`}},
	} {
		written, status, err := runReport(t, c.q)
		if status != exitDone || err != nil || strings.Contains(written, "s3cr3t") {
			t.Errorf("%s: %d, %v", c.what, status, err)
		}
		for _, says := range c.says {
			if !regexp.MustCompile(says).MatchString(written) {
				t.Errorf("%s: not %s in\n%s", c.what, says, written)
			}
		}
	}
	written, _, err := runReport(t, reportQuery{query: &query{addresses: one.addresses, json: true}})
	var r print.Report
	if err := json.Unmarshal([]byte(written), &r); err != nil {
		t.Fatal(err)
	}
	p := &r.Policies[0]
	var byDay uint64
	for _, d := range p.Days {
		for _, l := range d.Loads {
			byDay += l.Count
		}
	}
	want(t, "the data", fmt.Sprint(p.Load, " ", p.Totals.Loads, " ", byDay, " ", p.Totals.Dropped, " ", len(p.Origins)),
		"enforce [{enforce third_party refused 1} {report third_party let_through 1} {report unlisted would_refuse 1}] 3 "+
			"map[type:1] 2")
	if err != nil {
		t.Error(err)
	}
}
