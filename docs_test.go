package cookiepolicy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
	"github.com/cookie-policy/caddy-cookie-policy/evidence"
	"github.com/cookie-policy/caddy-cookie-policy/explain"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// A Caddyfile in the docs adapts without a warning, is formatted as `caddy fmt` does, holds a
// policy, and provisions.
func TestDocsCaddyfiles(t *testing.T) {
	for _, file := range documents(t) {
		for i, text := range blocks(t, file, "caddyfile") {
			t.Run(fmt.Sprintf("%s/%d", file, i+1), func(t *testing.T) { provisions(t, text) })
		}
	}
}

// A file in examples/ is a Caddyfile like those in the docs, and the docs link to it.
func TestExampleFiles(t *testing.T) {
	linked := map[string]bool{}
	for _, file := range documents(t) {
		for _, link := range links(read(t, file)) {
			linked[filepath.Join(filepath.Dir(file), link)] = true
		}
	}
	files, err := filepath.Glob("examples/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			if filepath.Ext(file) != ".Caddyfile" {
				t.Errorf("the name of an example ends in .Caddyfile")
			}
			if !linked[file] {
				t.Errorf("no document links to it")
			}
			provisions(t, read(t, file))
		})
	}
}

func provisions(t *testing.T, text string) {
	t.Helper()
	text = strings.ReplaceAll(text, "/var/log/caddy", t.TempDir())
	config, warnings, err := caddytest.Adapt(text)
	if err != nil || len(warnings) > 0 {
		t.Fatalf("%v, %v\n%s", err, warnings, text)
	}
	handlerConfig(t, config)
	var parsed caddy.Config
	if err := json.Unmarshal(config, &parsed); err != nil {
		t.Fatal(err)
	}
	if err := caddy.Validate(&parsed); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
}

// The commands in the docs print what the docs say, with Caddyfile.example running. Here they run
// without a shell or curl, and on other ports, which are free; e2e runs them as they are written.
func TestDocsCommands(t *testing.T) {
	port := portaltest.FreePort(t)
	ports := strings.NewReplacer("8080", fmt.Sprint(port), "8081", fmt.Sprint(port+1))
	caddytest.Load(t, caddytest.DiscardLogs, ports.Replace(read(t, "Caddyfile.example")))
	var (
		curl = regexp.MustCompile(`^curl (-s|-si)((?: -H '[^']*')*) http://localhost:808([01])/` +
			`( \| grep -i \^set-cookie)?$`)
		fields  = regexp.MustCompile(`-H '([^']*)'`)
		command = regexp.MustCompile(`(?m)^\$ (.*)\n((?:[^$].*\n)*)`)
	)
	found := 0
	for _, file := range documents(t) {
		for _, console := range blocks(t, file, "console") {
			for _, c := range command.FindAllStringSubmatch(console, -1) {
				line, want := c[1], c[2]
				found++
				if args, found := strings.CutPrefix(line, "caddy cookie-policy explain "); found {
					digest := regexp.MustCompile(`\b[0-9a-f]{8}\b`) // of the presets' texts too
					got := digest.ReplaceAllString(runExplain(t, args), "#")
					if got != digest.ReplaceAllString(want, "#") {
						t.Errorf("%s: %s\nprints\n%s\nand not\n%s", file, line, got, want)
					}
					continue
				}
				words := curl.FindStringSubmatch(line)
				if words == nil {
					t.Fatalf("%s: this test does not understand %s", file, line)
				}
				request := "GET / HTTP/1.1\r\nHost: localhost\r\n"
				for _, field := range fields.FindAllStringSubmatch(words[2], -1) {
					request += field[1] + "\r\n"
				}
				site := portaltest.Gateway(port + int(words[3][0]-'0'))
				answer := site.Send(t, request+"Connection: close\r\n\r\n")
				var got strings.Builder
				switch head, body, _ := strings.Cut(answer.Raw, "\r\n\r\n"); {
				case words[1] == "-s" && words[4] == "" && strings.HasPrefix(head, "HTTP/1.1 200 "):
					got.WriteString(body)
				case words[1] == "-si" && words[4] != "":
					for _, line := range answer.SetCookies() {
						fmt.Fprintf(&got, "Set-Cookie: %s\n", line)
					}
				default:
					t.Fatalf("%s: this test does not understand %s, answered by\n%s", file, line, answer.Raw)
				}
				if got.String() != want {
					t.Errorf("%s: %s\nprints\n%s\nand not\n%s", file, line, got.String(), want)
				}
			}
		}
	}
	if found == 0 {
		t.Error("the docs show no command")
	}
}

// runExplain runs the command with arguments as a shell reads them, without its escapes.
func runExplain(t *testing.T, line string) string {
	t.Helper()
	var args []string
	for _, m := range regexp.MustCompile(`'([^']*)'|([^ ']+)`).FindAllStringSubmatch(line, -1) {
		args = append(args, m[1]+m[2])
	}
	var out bytes.Buffer
	parent := &cobra.Command{}
	cmd := explainCommand(newQuery(parent))
	parent.AddCommand(cmd)
	parent.SetOut(&out)
	parent.SetArgs(append([]string{cmd.Name()}, args...))
	if err := parent.Execute(); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return out.String()
}

// With a second policy that rewrites domains behind it, a policy that reports counts what it counts
// alone, while browsers accept the portal's cookies and everything that has a name passes.
func TestDocsRewritingInReportMode(t *testing.T) {
	lines := []string{session, csrf, google, unlisted, matomo, "_gid=; Max-Age=0; Path=/"}
	sent := slices.Clone(lines)
	for i := range sent {
		sent[i] += "; Domain=portal.example.org"
	}
	portal := portaltest.StartPortal(t, portaltest.Page("Set-Cookie: "+strings.Join(sent, "\r\nSet-Cookie: "),
		"Cache-Control: public, s-maxage=60"))
	const cookies = "sessionid=1; _pk_id.1=2; _ga=3"
	w := caddytest.NewInstance(t)
	both := docsSite(t, "name rewriting", fmt.Sprintf("http://localhost:%d", w.Site), portal.Address)
	rewriting := regexp.MustCompile(`(?s)\t\tcookie_policy \{\n\t\t\tname rewriting.*?\n\t\t\}\n`)
	alone := rewriting.ReplaceAllString(both, "")
	if alone == both {
		t.Fatalf("there is no rewriting policy in\n%s", both)
	}
	counted := map[string]map[string]string{}
	for _, c := range []struct {
		what, caddyfile string
		lines           []string
		warnings        int
	}{{"both", both, lines, 0}, {"alone", alone, sent, 1}} {
		w.Load(c.caddyfile)
		answer := w.Get("/", "Cookie: "+cookies, "Sec-Fetch-Mode: navigate")
		want(t, c.what+": the lines", answer.SetCookies(), c.lines)
		want(t, c.what+": Cache-Control", answer.Field("Cache-Control"), []string{"public, s-maxage=60"})
		want(t, c.what+": the portal's cookies", portal.Cookies(t), []string{cookies})
		counted[c.what] = w.Verdicts("city-data")
		warnings := w.Log("all.log", handlerLog, "no browser accepts a cookie of the portal from this host, "+
			"because of its Domain: mode report does not apply rewrite_domain; "+
			"see the documentation of rewrite_domain for what to do until then")
		want(t, c.what+": warnings about the Domain", len(warnings), c.warnings)
		caddytest.Stop(t) // the counts begin anew
	}
	want(t, "what both count", counted["both"], counted["alone"])
	if len(counted["alone"]) < 5 {
		t.Errorf("only %v is counted", counted["alone"])
	}
}

// Links between the documents resolve: to a file of the repository, and to a heading in it.
func TestDocsLinks(t *testing.T) {
	for _, file := range documents(t) {
		for _, link := range links(read(t, file)) {
			if strings.Contains(link, "://") {
				continue
			}
			path, anchor, _ := strings.Cut(link, "#")
			target := file
			if path != "" {
				target = filepath.Join(filepath.Dir(file), path)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s: %v", file, link, err)
				continue
			}
			if anchor != "" && !slices.Contains(anchors(read(t, target)), anchor) {
				t.Errorf("%s links to %s, and %s has no such heading", file, link, target)
			}
		}
	}
}

// Every document in docs/ can be reached by links from the README.
func TestDocsAreReachable(t *testing.T) {
	reached := map[string]bool{}
	var visit func(file string)
	visit = func(file string) {
		if reached[file] {
			return
		}
		reached[file] = true
		for _, link := range links(read(t, file)) {
			path, _, _ := strings.Cut(link, "#")
			if !strings.Contains(link, "://") && filepath.Ext(path) == ".md" {
				visit(filepath.Join(filepath.Dir(file), path))
			}
		}
	}
	visit("README.md")
	for _, file := range documents(t) {
		if !reached[file] {
			t.Errorf("no link leads from README.md to %s", file)
		}
	}
}

// Prose is narrow enough to be read in a terminal and in a diff. Tables and code are as wide as they
// have to be.
func TestDocsWidth(t *testing.T) {
	const widest = 120
	for _, file := range documents(t) {
		for i, line := range strings.Split(prose(read(t, file)), "\n") {
			if n := utf8.RuneCountInString(line); n > widest &&
				!strings.HasPrefix(strings.TrimSpace(line), "|") {
				t.Errorf("%s:%d: %d columns, and at most %d are wanted", file, i+1, n, widest)
			}
		}
	}
}

// Code in the docs is in a language that is known here, so that no Caddyfile or command escapes the
// tests by the way its block is marked.
func TestDocsCode(t *testing.T) {
	languages := []string{"caddyfile", "console", "dockerfile", "html", "ini", "json", "promql", "sh", "text", "yaml"}
	for _, file := range documents(t) {
		text := read(t, file)
		if n, found := strings.Count(text, "```"), len(fence.FindAllString(text, -1)); n != 2*found {
			t.Errorf("%s: %d fences make %d blocks", file, n, found)
		}
		for _, m := range fence.FindAllStringSubmatch(text, -1) {
			if !slices.Contains(languages, m[1]) {
				t.Errorf("%s: the language %q of a block is not one of %q", file, m[1], languages)
			}
			if m[1] == "json" && !json.Valid([]byte(m[2])) {
				t.Errorf("%s: this is not JSON: %s", file, m[2])
			}
		}
	}
}

// The names of the interface that are documented exist, and those that exist are documented.
func TestDocsNames(t *testing.T) {
	reference, evidenceDoc := read(t, "docs/reference.md"), read(t, "docs/evidence.md")

	// Words of the Caddyfile are the cases of its parser.
	parser, err := filepath.Glob("caddyfile*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range parser {
		for _, m := range regexp.MustCompile(`case "(\w+)":`).FindAllStringSubmatch(read(t, file), -1) {
			if !strings.Contains(reference, "| `"+m[1]) {
				t.Errorf("docs/reference.md has no row for the word %s", m[1])
			}
		}
	}
	for _, preset := range policy.Presets() {
		row := "| `" + preset + "`"
		if !strings.Contains(reference, row) && !strings.Contains(read(t, "docs/consent-tools.md"), row) {
			t.Errorf("no document has a row for the preset %s", preset)
		}
	}

	var metrics []string
	descs := make(chan *prometheus.Desc, 100)
	new(collector).Describe(descs)
	close(descs)
	for desc := range descs {
		name := regexp.MustCompile(`fqName: "([^"]*)"`).FindStringSubmatch(desc.String())[1]
		metrics = append(metrics, name)
		if !strings.Contains(evidenceDoc, "| `"+name+"`") {
			t.Errorf("docs/evidence.md has no row for the metric %s", name)
		}
	}
	for _, file := range documents(t) {
		for _, name := range regexp.MustCompile(`caddy_cookie_policy_\w+`).FindAllString(read(t, file), -1) {
			if !slices.Contains(metrics, name) {
				t.Errorf("%s names the metric %s, which does not exist", file, name)
			}
		}
	}

	for _, answer := range []any{
		report.Inventory{}, report.Item{}, report.Drift{}, report.Finding{}, policyInForce{},
		evidence.About{}, evidence.Instance{}, evidence.HistoryAnswer{}, evidence.PeriodAnswer{}, evidence.Report{},
		evidence.DayAnswer{}, evidence.VerdictCount{}, evidence.ChoiceCount{}, evidence.Gap{}, evidence.Chain{},
		evidence.Record{},
	} {
		for _, field := range reflect.VisibleFields(reflect.TypeOf(answer)) {
			if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" &&
				!strings.Contains(evidenceDoc, "`"+name+"`") {
				t.Errorf("docs/evidence.md does not name the field %s of %T", name, answer)
			}
		}
	}

	explained := read(t, "docs/explain.md")
	for _, answer := range []any{
		explain.Question{}, enforcer.Explanation{}, enforcer.ExplainedPreference{}, enforcer.ExplainedSignal{},
		enforcer.ExplainedVerdict{}, enforcer.ExplainedRule{}, enforcer.ExplainedKey{},
		enforcer.ExplainedCondition{}, enforcer.ExplainedRemoval{}, enforcer.ExplainedCache{},
	} {
		for _, field := range reflect.VisibleFields(reflect.TypeOf(answer)) {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if !strings.Contains(explained, "`"+name+"`") && !strings.Contains(explained, `"`+name+`":`) {
				t.Errorf("docs/explain.md does not name the field %s of %T", name, answer)
			}
		}
	}
	for r := enforcer.RuleIsNecessary; r <= enforcer.NoName; r++ {
		if !strings.Contains(explained, "`"+r.String()+"`") {
			t.Errorf("docs/explain.md has no row for the reason %s", r)
		}
	}

	logged := logMessages(t)
	for message, file := range logged {
		if !strings.Contains(evidenceDoc, "| `"+message+"` |") {
			t.Errorf("docs/evidence.md has no row for the log message %q of %s", message, file)
		}
	}
	rows := regexp.MustCompile("(?m)^\\| `[a-z._]+` \\| [a-z]+ \\| `([^`]*)` \\|")
	for _, m := range rows.FindAllStringSubmatch(evidenceDoc, -1) {
		if logged[m[1]] == "" {
			t.Errorf("docs/evidence.md has the log message %q, which does not exist", m[1])
		}
	}
	if len(logged) == 0 {
		t.Error("no log message was found")
	}
}

// documents are the files for people.
func documents(t *testing.T) []string {
	t.Helper()
	docs, err := filepath.Glob("docs/*.md")
	if err != nil || len(docs) == 0 {
		t.Fatalf("no docs: %v", err)
	}
	return append([]string{"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"}, docs...)
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// fence matches a code block: its language, and what is in it.
var fence = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")

// fenced returns the code blocks in a language, of all documents.
func fenced(t *testing.T, language string) (found []string) {
	t.Helper()
	for _, file := range documents(t) {
		found = append(found, blocks(t, file, language)...)
	}
	return found
}

// blocks returns a document's code blocks in a language.
func blocks(t *testing.T, file, language string) (found []string) {
	t.Helper()
	for _, m := range fence.FindAllStringSubmatch(read(t, file), -1) {
		if m[1] == language {
			found = append(found, m[2])
		}
	}
	return found
}

// prose is a document with its code blocks emptied.
func prose(text string) string {
	return fence.ReplaceAllStringFunc(text, func(block string) string {
		return strings.Repeat("\n", strings.Count(block, "\n"))
	})
}

// links returns the targets of a document's links.
func links(text string) (targets []string) {
	for _, m := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(prose(text), -1) {
		targets = append(targets, m[1])
	}
	return targets
}

// anchors returns the names by which links reach a document's headings, as GitHub makes them: lower
// case, hyphens for spaces, no other punctuation, and a number at the end of one that comes again.
func anchors(text string) (names []string) {
	seen := map[string]int{}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(prose(text), -1) {
		name := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '_':
				return unicode.ToLower(r)
			}
			return -1
		}, m[1])
		if n := seen[name]; n > 0 {
			names = append(names, fmt.Sprintf("%s-%d", name, n))
		} else {
			names = append(names, name)
		}
		seen[name]++
	}
	return names
}
