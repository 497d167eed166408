package cookiepolicy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/cookie-policy/caddy-cookie-policy/audit"
	"github.com/cookie-policy/caddy-cookie-policy/audit/output"
)

// runAuditCommand runs the command, and returns its status, what it printed and its error.
func runAuditCommand(t *testing.T, args ...string) (status int, out string, err error) {
	t.Helper()
	parent := &cobra.Command{SilenceErrors: true, SilenceUsage: true}
	parent.AddCommand(auditCommand(newQuery(parent)))
	var b bytes.Buffer
	parent.SetOut(&b)
	parent.SetErr(&b)
	parent.SetArgs(append([]string{"audit"}, args...))
	err = parent.Execute()
	// Caddy keeps a status above 1 in an error of its own, which it does not export.
	if e := reflect.Indirect(reflect.ValueOf(err)); err != nil {
		status = 1
		if e.Kind() == reflect.Struct && e.FieldByName("ExitCode").IsValid() {
			status = int(e.FieldByName("ExitCode").Int())
		}
	}
	return status, b.String(), err
}

// A browser that is none: the audit says why it was not carried out, and what the browser printed.
func TestAuditCommandRefuses(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	config := write("Caddyfile", twoPolicies, 0o600)
	browser := write("browser", "#!/bin/sh\n[ \"$1\" = --version ] && echo Chromium 156.0.1.2 && exit\n"+
		"echo no display >&2\nexit 1\n", 0o700)
	none := write("none", "#!/bin/sh\n", 0o700)
	full := filepath.Join(dir, "full")
	if err := os.Mkdir(full, 0o700); err != nil {
		t.Fatal(err)
	}
	write("full/file", "", 0o600)
	common := []string{"--config", config, "--browser", browser, "--no-sandbox"}
	const page = "https://data.example.org/"
	for _, c := range []struct {
		what string
		args []string
		err  string
	}{
		{"no page", nil, "say which page to visit"},
		{"no address", []string{"data.example.org"}, `"data.example.org": want an address such as`},
		{"a state", []string{page, "--state", "accepted"}, `state "accepted": want none, refused, granted`},
		{"a way", []string{page, "--by", "guess"}, `by "guess": want stored, clicked or both`},
		{"clicks on nothing", []string{page, "--by", "clicked"}, "say what is clicked to accept"},
		{"a key that is clicked", []string{page, "--by", "clicked", "--state", "granted:ga", "--accept", "#a"},
			"granted:<key> can only be stored"},
		{"a stay", []string{page, "--settle", "31s"}, "--settle 31s: want 0s to 30s"},
		{"runs", []string{page, "--runs", "0"}, "--runs 0: want 1 or more"},
		{"third parties", []string{page, "--third-party-cookies", "no"}, `--third-party-cookies "no": want allow or block`},
		{"an address of a host", []string{page, "--resolve", "a:b"}, `resolve "a:b": want <host>:<port>:<address>`},
		{"pictures for nobody", []string{page, "--screenshots"}, "--screenshots: say where to"},
		{"a format", []string{page, "--output", filepath.Join(dir, "new"), "--format", "pdf"},
			`format "pdf": want json, html`},
		{"a full directory", []string{page, "--output", full}, "is not empty"},
		{"no policy for the host", []string{"https://other.example/"}, "choose one with --policy"},
		{"an unknown policy", []string{page, "--policy", "x"}, `"x": there is no policy of this name`},
		{"no browser", []string{page, "--browser", none}, "this is no Chromium that runs here"},
		{"a browser that ends", []string{page}, "it printed: no display"},
		{"a field", []string{page, "--header", "secret"}, "--header: want '<name>: <value>'"},
		{"a public suffix", []string{page, "--first-party", "cdn.Example.org", "--first-party", ".co.uk"},
			`first party "co.uk": want a domain`},
		{"an address for a domain", []string{page, "--first-party", "https://a.test"}, `first party "https://a.test": want`},
		{"a machine's name", []string{page, "--user-agent", "AuditBot/1"}, `no banner to one with "Bot" in it`},
		{"two sources", []string{page, "--policy-file", config}, "--policy-file, --config and --address: want one"},
		{"a page beside a report", []string{page, "--report", config}, "no page is visited"},
		{"a report that is none", []string{"--report", config}, "invalid character"},
		{"a date", []string{page, "--accept-until", write("dates", "_ga soon reason\n", 0o600)}, `"soon": want a date`},
		{"no reason", []string{page, "--accept-until", write("short", "_ga 2030-01-01\n", 0o600)},
			"want a name, a date and a reason"},
	} {
		t.Run(c.what, func(t *testing.T) {
			status, out, err := runAuditCommand(t, append(common, c.args...)...)
			if status != 2 || err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("status %d, %v; want %q\n%s", status, err, c.err, out)
			}
		})
	}
}

// A policy is read from a file of its own, in each form in which this program writes one.
func TestAuditPolicyFile(t *testing.T) {
	const bad = `"allow": [{"category": "marketing", "cookies": ["a"]}, {"category": "necessary", "cookies": ["b;"]}]`
	for _, c := range []struct{ what, text, name, err string }{
		{"a policy", `{"name": "city", "presets": ["opendatasoft"]}`, "city", ""},
		{"a handler", `{"handler": "cookie_policy", "name": "city", "presets": ["opendatasoft"]}`, "city", ""},
		{"an answer", `{"name": "city", "hosts": ["a.test"], "policy": {"name": "city", "presets": ["opendatasoft"]}}`,
			"city", ""},
		{"another handler", `{"handler": "respond"}`, "", `handler: "respond": want "cookie_policy"`},
		{"a config", `{"apps": {}}`, "", "this is a config, not one policy; use --config"},
		{"no JSON", `cookie_policy`, "", "this is not a policy as JSON"},
		{"an unknown member", `{"allows": []}`, "", `unknown field "allows"`},
		{"an unknown member of an answer", `{"policy": {}, "polices": 1}`, "", `unknown field "polices"`},
		{"another digest", `{"digest": "00", "policy": {"presets": ["opendatasoft"]}}`, "", "has another one"},
		{"all faults", `{` + bad + `}`, "", "FILE: allow[0].category: \"marketing\""},
		{"the last of all faults", `{` + bad + `}`, "", "\nFILE: allow[1].cookies[0]: \"b;\""},
		{"faults of an answer", `{"policy": {` + bad + `}}`, "", "FILE: policy.allow[0].category: \"marketing\""},
		{"no rule", `{"policy": {}}`, "", "FILE: policy: "},
	} {
		t.Run(c.what, func(t *testing.T) {
			file := filepath.Join(writeFiles(t, "policy.json", c.text), "policy.json")
			p, err := loadPolicy(file)
			switch want := strings.ReplaceAll(c.err, "FILE", file); {
			case want == "" && (err != nil || p.Resolved.Name() != c.name):
				t.Errorf("got %+v, %v", p, err)
			case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
	file := filepath.Join(writeFiles(t, "policy.json", `{"name": "city", "presets": ["opendatasoft"]}`), "policy.json")
	x := auditQuery{query: &query{policy: "other"}, policyFile: file}
	if err := x.takePolicy(); err == nil || !strings.Contains(err.Error(), `--policy "other": the policy of`) {
		t.Errorf("another name: %v", err)
	}
	x.policy = "city"
	if err := x.takePolicy(); err != nil || x.options.Source != "file" || x.options.Inventory != nil {
		t.Errorf("the policy of the name: %v, %+v", err, x.options)
	}
}

// Reports are written again from an audit.json, and what counts of the findings can be said.
func TestAuditCommandReport(t *testing.T) {
	dir := t.TempDir()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	r := audit.Report{
		Schema: audit.Schema, Started: at, Ended: at,
		Policy: audit.PolicyInfo{Name: "city", Digest: "sha256:00"}, Method: audit.Method{Pages: []string{"https://a.test/"}},
		States: []audit.State{{State: "refused", By: "stored", Run: 1, Verdict: audit.Broken}},
		Findings: []audit.Finding{
			{ID: "set_refused:_ga@a.test:refused", Finding: audit.SetRefused, Level: audit.LevelError, State: "refused",
				Name: "_ga", Setter: &audit.Setter{Kind: "header", URL: "https://a.test/\x1b[31m"}, Detail: "not granted"},
			{ID: "third_party:cdn.test@:refused", Finding: audit.ThirdParty, Level: audit.LevelWarning,
				State: "refused", Name: "cdn.test"},
		},
	}
	write := func(name string, content any) string {
		b, err := output.JSON(content)
		if text, is := content.(string); is {
			b = []byte(text)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		return filepath.Join(dir, name)
	}
	path := write("audit.json", &r)
	tomorrow, yesterday := time.Now().AddDate(0, 0, 1), time.Now().AddDate(0, 0, -1)
	accept := func(name string, day time.Time) string {
		return write(name, "# known\n_ga "+day.Format(time.DateOnly)+" is replaced in spring\n")
	}
	for _, c := range []struct {
		what   string
		args   []string
		status int
		says   string
	}{
		{"findings", nil, 1, "error    set_refused  refused  _ga       header https://a.test/\\x1b[31m  not granted"},
		{"a baseline", []string{"--baseline", path}, 0, "known  set_refused"},
		{"accepted", []string{"--accept-until", accept("tomorrow", tomorrow)}, 0, "known    set_refused"},
		{"accepted until today", []string{"--accept-until", accept("today", time.Now().UTC())}, 0, "known    set_refused"},
		{"accepted no longer", []string{"--accept-until", accept("yesterday", yesterday)}, 1, "error    set_refused"},
		{"other kinds", []string{"--fail-on", "unlisted,longer"}, 0, ""},
		{"a warning that counts", []string{"--baseline", write("other.json", &audit.Report{Schema: audit.Schema}),
			"--fail-on", "third_party"}, 1, ""},
		{"JSON", []string{"--json"}, 1, `"schema": "audit-1"`},
	} {
		t.Run(c.what, func(t *testing.T) {
			status, out, err := runAuditCommand(t, append([]string{"--report", path}, c.args...)...)
			if status != c.status || !strings.Contains(out, c.says) || strings.Contains(out, "\x1b") {
				t.Errorf("status %d, %v; want %d\n%s", status, err, c.status, out)
			}
		})
	}
	if status, _, err := runAuditCommand(t, "--report", path, "--output", dir, "--overwrite"); status != 2 ||
		!strings.Contains(err.Error(), "another directory") {
		t.Errorf("the evidence is overwritten: %d, %v", status, err)
	}
	again := filepath.Join(dir, "again")
	if status, out, err := runAuditCommand(t, "--report", path, "--output", again); status != 1 {
		t.Errorf("status %d, %v\n%s", status, err, out)
	}
	b, err := os.ReadFile(filepath.Join(again, "audit.json"))
	if err != nil {
		t.Fatal(err)
	}
	var copied audit.Report
	if err := json.Unmarshal(b, &copied); err != nil || !reflect.DeepEqual(copied, r) {
		t.Errorf("%v: got %+v, want %+v", err, copied, r)
	}
	for _, name := range []string{"audit.en.html", "audit.fr.html", "audit.md", "cookies.csv", "wec/inspection.json",
		"SHA256SUMS"} {
		if _, err := os.Stat(filepath.Join(again, name)); err != nil {
			t.Error(err)
		}
	}
}

// The flags and the kinds of findings are documented.
func TestAuditDocs(t *testing.T) {
	text := read(t, "docs/audit.md")
	usages := auditCommand(newQuery(&cobra.Command{})).Flags().FlagUsages()
	flags := regexp.MustCompile(`(?m)^ +(--[a-z-]+)`).FindAllStringSubmatch(usages, -1)
	if len(flags) < 20 {
		t.Fatalf("there are only %d flags in\n%s", len(flags), usages)
	}
	for _, f := range flags {
		if !strings.Contains(text, "`"+f[1]) {
			t.Errorf("docs/audit.md does not name %s", f[1])
		}
	}
	for _, kind := range []string{audit.SetRefused, audit.SentRefused, audit.Kept, audit.Unlisted, audit.Longer,
		audit.Weaker,
		audit.Renewed, audit.ChoiceMissing, audit.ChoiceContrary, audit.ChoiceLost, audit.Unattributed, audit.ThirdParty,
		audit.StorageUsed, audit.NeverSeen, audit.ControlNotShown} {
		if !strings.Contains(text, fmt.Sprintf("| `%s` |", kind)) {
			t.Errorf("docs/audit.md has no row for the finding %s", kind)
		}
	}
}
