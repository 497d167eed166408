package cookiepolicy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/cookie-policy/caddy-cookie-policy/evidence"
	"github.com/cookie-policy/caddy-cookie-policy/evidence/print"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// runReport runs the report command with some flags, and returns what it writes.
func runReport(t *testing.T, q reportQuery) (written string, status int, err error) {
	t.Helper()
	if q.language == "" {
		q.language = "en"
	}
	var out bytes.Buffer
	status, err = q.report(&out)
	if strings.Contains(out.String(), "S3CR3T") || err != nil && strings.Contains(err.Error(), "S3CR3T") {
		t.Errorf("a value is shown: %v\n%s", err, out.String())
	}
	return out.String(), status, err
}

// A gateway with a history answers for it, over a restart: what was in force and how it changed, the verdicts of
// each mode by themselves, and the rest, in each format and language.
func TestReportCommand(t *testing.T) {
	w, dir := keeping(t)
	portal := portaltest.StartPortal(t, portaltest.Response("200 OK", []string{"_ga=S3CR3T; Path=/",
		"sessionid=S3CR3T"}, ""))
	site := "cookie_policy opendatasoft {\nname city\nmode %s\n%s\n}\nreverse_proxy " + portal.Address
	w.Reload(fmt.Sprintf(site, "report", "allow third_party _ga {\nconsent ga\nlifetime 30d\n}"))
	w.Get("/", "Cookie: sessionid=S3CR3T; stray=S3CR3T")
	w.Get("/")
	caddytest.Stop(t)
	aside := filepath.Join(filepath.Dir(recordFile(t, dir)), "dead-0.json.gz.aside-20260101T000000Z")
	w.Reload(fmt.Sprintf(site, "enforce", "allow third_party _ga {\nconsent ga\nlifetime 60d\n}"))
	w.Get("/", "Cookie: sessionid=S3CR3T")
	if err := os.WriteFile(aside, []byte("S3CR3T"), 0o600); err != nil {
		t.Fatal(err)
	}
	one := &query{addresses: []string{w.Admin}}
	for _, c := range []struct {
		what string
		q    reportQuery
		says []string // regular expressions
	}{
		{"Markdown", reportQuery{query: one}, []string{
			`^# Cookie policy report\n`, `\n## Policy city\n`, `(?m)^\| [^|]+ \| in force \| enforce \| `,
			`\n- Rule changed: third\\_party \\_ga: lifetime: 60d, before: 30d\n`, `\n- mode: enforce, before: report\n`,
			`\| set by the portal \| third-party \| 1 \| 0 \| 0 \| 0 \|`, // enforce: refused
			`\| Channel \| Category \| Let through, would have been refused \|[^\n]*\n[^\n]*\n(\|[^\n]*\n)*` +
				`\| set by the portal \| third-party \| 2 \| 0 \| 0 \| 0 \|`,
			"\\| `stray` \\| sent by browsers \\|", `\nThere is no chain of days to check\.\n`, `one gateway only`,
			"\\| Command \\| `caddy cookie-policy report --address " + regexp.QuoteMeta(w.Admin) + "` \\|"}},
		{"a fleet", reportQuery{query: &query{addresses: one.addresses, fleet: true, policy: "city"}}, []string{
			`\nThe answer comes from [0-9a-f-]{36}-0;`, `dead-0\.json\.gz\.aside-20260101T000000Z`,
			`report --policy city --fleet --address`}},
		{"HTML", reportQuery{query: one, html: true}, []string{
			`^<!DOCTYPE html>\n<html lang="en">`, `<svg `, `default-src &#39;none&#39;`, `<code>_ga</code>`}},
		{"French", reportQuery{query: one, html: true, language: "fr"}, []string{`<html lang="fr">`,
			`<h1>Rapport sur la politique`}},
		{"days before the observation", reportQuery{query: one, since: "2001-01-01", until: "2001-01-31"}, []string{
			`The report covers the days 2001-01-01 to 2001-01-31`, `No verdict was counted`,
			`Of the time before it nothing is known`,
			`\n- 2001-01-01 to 2001-01-31\n`, `report --since 2001-01-01 --until 2001-01-31 `}},
	} {
		written, status, err := runReport(t, c.q)
		if status != exitDone || err != nil {
			t.Errorf("%s: %d, %v", c.what, status, err)
		}
		for _, says := range c.says {
			if !regexp.MustCompile(says).MatchString(written) {
				t.Errorf("%s: not %s in\n%s", c.what, says, written)
			}
		}
	}

	written, status, err := runReport(t, reportQuery{query: &query{addresses: one.addresses, json: true}})
	var r print.Report
	if err := json.Unmarshal([]byte(written), &r); err != nil {
		t.Fatal(err)
	}
	if status != exitDone || err != nil || len(r.Policies) != 1 || len(r.Policies[0].InForce) != 2 ||
		r.Policies[0].Scope != evidence.ScopeInstance ||
		r.Policies[0].Address != w.Admin || r.Policies[0].Totals.Requests != 3 {
		t.Errorf("%d, %v, %s", status, err, written)
	}
	if days := r.At.Sub(mustDay(t, r.Policies[0].Since)).Hours() / 24; days < 30 || days > 31 {
		t.Errorf("without --since the report is about %.1f days", days)
	}

	// A record that cannot be read is told, and the status says that something is missing.
	if err := os.WriteFile(strings.TrimSuffix(aside, ".aside-20260101T000000Z"), []byte("S3CR3T"), 0o600); err != nil {
		t.Fatal(err)
	}
	written, status, err = runReport(t, reportQuery{query: &query{addresses: one.addresses, fleet: true}})
	if status != exitFailed || err == nil || !strings.Contains(err.Error(), "dead-0.json.gz") ||
		!strings.Contains(written, "These records could not be read, and are not in this report") {
		t.Errorf("%d, %v, %s", status, err, written)
	}
}

func mustDay(t *testing.T, day string) time.Time {
	t.Helper()
	at, err := time.Parse(time.DateOnly, day)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// recordFile returns the file of the only record of a policy.
func recordFile(t *testing.T, dir string) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "cookie_policy", "city-*", "*-0.json.gz"))
	if err != nil || len(paths) != 1 {
		t.Fatalf("stored are %q, %v", paths, err)
	}
	return paths[0]
}

// Gateways answer for themselves each, and policies too. One that does not answer is named in the report, and the
// rest is written.
func TestReportCommandGateways(t *testing.T) {
	w, _ := keeping(t)
	w.Load(w.SiteWith("cookie_policy opendatasoft {\nname city\n}\nrespond ok") +
		fmt.Sprintf("http://localhost:%d {\ncookie_policy opendatasoft {\nname town\n}\n}", portaltest.FreePort(t)))
	nobody := fmt.Sprintf("127.0.0.1:%d", portaltest.FreePort(t))
	again := "http://user:S3CR3T@" + w.Admin + "/"
	foreign := portaltest.StartHandler(t, func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte(map[bool]string{true: `[{"name": "city"}]`,
			false: `{"policy": "city"}`}[strings.HasSuffix(r.URL.Path, "/policies")]))
	})
	off := "cookie_policy opendatasoft {\nname city\nevidence off\n}\nrespond ok"
	for _, c := range []struct {
		what     string
		q        reportQuery
		status   int
		err      string
		headings string // of policies
	}{
		{"every policy", reportQuery{query: &query{addresses: []string{w.Admin}}}, 0, "", "Policy city; Policy town"},
		{"one policy", reportQuery{query: &query{addresses: []string{w.Admin}, policy: "town"}}, 0, "", "Policy town"},
		{"two gateways", reportQuery{query: &query{addresses: []string{w.Admin, again}, policy: "city"}}, 0, "",
			"Policy city, as answered by " + w.Admin + "; Policy city, as answered by http:&#47;/" + w.Admin + "/"},
		{"one of two not there", reportQuery{query: &query{addresses: []string{w.Admin, nobody}, policy: "city"}}, 2, nobody,
			"Policy city, as answered by " + w.Admin},
		{"none there", reportQuery{query: &query{addresses: []string{nobody}}}, 2, "connection refused", ""},
		{"a secret, and nobody", reportQuery{query: &query{addresses: []string{"http://user:S3CR3T@" + nobody}}}, 2,
			nobody, ""},
		{"a secret, and no address", reportQuery{query: &query{addresses: []string{"http://us er:S3CR3T@::x"}}}, 2,
			"::x", ""},
		{"no such policy", reportQuery{query: &query{addresses: []string{w.Admin}, policy: "village"}}, 2,
			"there are city, town", ""},
		{"another answer", reportQuery{query: &query{addresses: []string{foreign}}}, 2,
			"did not answer what it was asked", ""},
		{"no days", reportQuery{query: &query{addresses: []string{w.Admin}, json: true}, html: true,
			since: "yesterday", until: "2026-02-30",
			language: "de"}, 2, "--until \"2026-02-30\": this is no day; write one such as 2026-01-15\n" +
			"--since \"yesterday\": this is no day; write one such as 2026-01-15\n" +
			"--language \"de\": there is no report in this language; want en or fr\n--html and --json: want one of the two", ""},
		{"the wrong order", reportQuery{query: &query{addresses: []string{w.Admin}}, since: "2026-02-02",
			until: "2026-02-01"}, 2,
			"--since 2026-02-02 is after --until 2026-02-01", ""},
		{"evidence off", reportQuery{query: &query{addresses: []string{w.Admin}}}, 2, "evidence off", ""},
	} {
		if c.what == "evidence off" {
			w.Reload(off)
		}
		written, status, err := runReport(t, c.q)
		if status != c.status || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %d, %v, want %d, %s", c.what, status, err, c.status, c.err)
		}
		var headings []string
		for _, m := range regexp.MustCompile(`(?m)^## (Policy .*)$`).FindAllStringSubmatch(written, -1) {
			headings = append(headings, m[1])
		}
		if got := strings.Join(headings, "; "); got != c.headings {
			t.Errorf("%s: the policies are %q, want %q", c.what, got, c.headings)
		}
		if strings.Contains(written, nobody+": ") != (c.what == "one of two not there") {
			t.Errorf("%s: the gateway that did not answer is not named, or another one is:\n%s", c.what, written)
		}
	}
}

// The command writes to the standard output, and its exit status is that of the program.
func TestReportCommandProcess(t *testing.T) {
	w, _ := keeping(t)
	w.Reload("cookie_policy opendatasoft {\nname city\n}\nrespond ok")
	for _, c := range []struct {
		flags  string
		status int
		says   string
	}{
		{"--address " + w.Admin, 0, "# Cookie policy report\n"},
		{"--address " + w.Admin + " --html --language fr", 0, "<!DOCTYPE html>\n"},
		{"--address " + w.Admin + " --fleet --json", 0, "{\n\t\"program\": \"caddy-cookie-policy "},
		{"--address " + w.Admin + " --language", 2, ""},
		{"--address " + w.Admin + " --fleet --address " + w.Admin, 2, ""},
		{"city", 2, ""},
	} {
		output, _, status := caddytest.Command(t, t.TempDir(), append([]string{"cookie-policy", "report"},
			strings.Fields(c.flags)...)...)
		if status != c.status || !strings.HasPrefix(output, c.says) || c.says == "" && strings.Contains(output, "Policy") {
			t.Errorf("%s: status %d, %.200s", c.flags, status, output)
		}
	}
}

// Nothing that a gateway answers reaches a terminal as it came.
func TestReportCommandHostileGateway(t *testing.T) {
	text, err := json.Marshal("\x1b[31m\x07\r\n\t" + hostile)
	if err != nil {
		t.Fatal(err)
	}
	gateway := portaltest.StartHandler(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/policies") {
			fmt.Fprintf(w, `[{"name": %s}]`, text)
			return
		}
		q := r.URL.Query()
		answer := strings.ReplaceAll(`{"policy": TEXT, "digest": TEXT, "mode": TEXT,
			"scope": SCOPE, "since": SINCE, "until": UNTIL,
			"problems": [TEXT], "aside": [TEXT], "in_force": [{"digest": TEXT, "mode": TEXT, "changes": [TEXT]}],
			"totals": {"verdicts": [{"mode": TEXT, "channel": TEXT, "category": TEXT, "verdict": TEXT, "count": 1}]},
			"days": [{"day": TEXT, "unlisted": [TEXT]}], "cookies": [{"name": TEXT, "mode": TEXT, "rule": TEXT}],
			"findings": [{"kind": TEXT, "cookie": TEXT, "detail": TEXT}], "chains": [{"instance": TEXT,
				"broken": TEXT}]}`, "TEXT", string(text))
		fmt.Fprint(w, strings.NewReplacer("SCOPE", quoted(q, "scope"), "SINCE", quoted(q, "since"), "UNTIL", quoted(q,
			"until")).Replace(answer))
	})
	for what, q := range map[string]reportQuery{
		"Markdown": {query: &query{addresses: []string{gateway}}},
		"HTML":     {query: &query{addresses: []string{gateway}}, html: true},
		"JSON":     {query: &query{addresses: []string{gateway}, json: true}},
	} {
		written, status, err := runReport(t, q)
		if status != exitFailed || !strings.Contains(written, "gnp.exe") { // there are problems
			t.Errorf("%s: %d, %v, %s", what, status, err, written)
		}
		for _, r := range written + errors.Join(err).Error() {
			if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028') {
				t.Fatalf("%s: %q is written", what, r)
			}
		}
	}
}

func quoted(q url.Values, name string) string { return fmt.Sprintf("%q", q.Get(name)) }

// Addresses are shown without users, passwords and queries.
func TestWithoutSecrets(t *testing.T) {
	for address, want := range map[string]string{
		"localhost:2019":                 "localhost:2019",
		"unix//run/caddy@1.sock":         "unix//run/caddy@1.sock",
		"http://user:pass@host:2019/":    "http://host:2019/",
		"https://user:p@ss?#/x@host/a?b": "https://host/a",
		"user:pass@host:2019":            "host:2019",
		"http://host:2019/?token=x#y":    "http://host:2019/",
		"host\x1b[31m":                   `host\x1b[31m`,
	} {
		if got := withoutSecrets(address); got != want {
			t.Errorf("%q is shown as %q, want %q", address, got, want)
		}
	}
}
