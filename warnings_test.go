package cookiepolicy

import (
	"fmt"
	"go/ast"
	goparser "go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// A mistake that weakens a policy is told with its line by whatever reads the Caddyfile, and with its
// field by whatever loads the JSON: once.
func TestWarnings(t *testing.T) {
	for _, c := range portaltest.ReadCases(t, filepath.Join("testdata", "warnings.txtar")) {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			var withLines, withFields []string
			for i, warning := range c.Notes("warning") {
				line, message, _ := strings.Cut(warning, ": ")
				withLines = append(withLines, "Caddyfile:"+line+": "+message)
				withFields = append(withFields, c.Notes("field")[i]+": "+message)
			}
			dir := t.TempDir()
			write(t, filepath.Join(dir, "Caddyfile"), c.Caddyfile)
			config, log := command(t, dir, "adapt", "--config", "Caddyfile")
			equal(t, "adapt", warnings(log, "file", "line"), withLines)
			write(t, filepath.Join(dir, "caddy.json"), config)
			_, log = command(t, dir, "validate", "--config", "caddy.json")
			equal(t, "validate JSON", warnings(log, "field"), withFields)
		})
	}
}

// To validate a Caddyfile is to read it and to load what it becomes, and tells each warning once.
func TestWarningsOfValidate(t *testing.T) {
	const key = `"usages": no preference of this policy can hold this consent key, and the rule has no other: ` +
		"its cookies are never let through; did you mean usage? govuk has essential, settings, usage and campaigns"
	dir := t.TempDir()
	write(t, filepath.Join(dir, "Caddyfile"), ":80 {\n\tcookie_policy /a/* govuk {\n\t\tname city\n"+
		"\t\tallow statistical _ga* {\n\t\t\tconsent usages\n\t\t}\n\t}\n\treverse_proxy 127.0.0.1:1\n}\n")
	_, log := command(t, dir, "validate", "--config", "Caddyfile")
	equal(t, "warnings", warnings(log, "policy", "file", "line"), []string{
		"<nil>:Caddyfile:5: " + key,
		"city:<nil>:<nil>: " + partialWarning,
	})
}

// A gateway that runs tells the warnings of each config that it loads: those of a Caddyfile with their
// lines, and those of JSON, the same JSON too, with their fields; once, however many sites have the policy.
func TestWarningsOfLoads(t *testing.T) {
	w := caddytest.StartInstance(t, "respond ok") // from here on, the log is a file
	site := "route /a {\nimport policy\n}\nroute /b {\nimport policy\n}"
	config, err := w.Adapt("(policy) {\ncookie_policy matomo {\nname city\n}\n}\n" + w.SiteWith(site))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := caddy.Load(config, true); err != nil {
			t.Fatal(err)
		}
	}
	want(t, "warnings", caddytest.Pick(w.Log("all.log", appLog,
		`"matomo": this waits for consent, and the policy names no preference to read it from: `+
			"its cookies are never let through; name the preset of the tool that asks for consent, "+
			"or write a preference"), "level", "file", "line", "policy", "field"),
		"warn|Caddyfile|23|<nil>|<nil>\nwarn|<nil>|<nil>|city|presets[0]\n")
}

// Right configs give no warning: the examples for people, and the snippets of the documents.
func TestWarningsNone(t *testing.T) {
	texts := append(fenced(t, "caddyfile"), read(t, "Caddyfile.example"))
	files, err := filepath.Glob("examples/*.Caddyfile")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, file := range files {
		texts = append(texts, read(t, file))
	}
	w := caddytest.StartInstance(t, "respond ok") // from here on, the log is a file
	for _, text := range texts {
		if _, _, err := caddytest.Adapt(text); err != nil {
			t.Errorf("%v\nin\n%s", err, text)
		}
	}
	equal(t, "the warnings", warnings(w.Log("all.log", "", ""), "file", "line"), nil)
	if _, _, err := caddytest.Adapt(":80\ncookie_policy matomo"); err != nil {
		t.Fatal(err)
	}
	if warnings(w.Log("all.log", "", ""), "file", "line") == nil {
		t.Error("the log misses what reading a Caddyfile logs")
	}
}

// What is wrong with a policy, in the words of its warnings, is explained to people.
func TestDocsPolicyWarnings(t *testing.T) {
	parsed, err := goparser.ParseFile(token.NewFileSet(),
		filepath.Join("enforcer", "policy", "warnings.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	evidence, found := read(t, "docs/evidence.md"), 0
	ast.Inspect(parsed, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && strings.HasSuffix(spec.Names[0].Name, "Warning") {
			found++
			if text, ok := constantText(spec.Values[0]); !ok || !strings.Contains(evidence, "| `"+text+"` |") {
				t.Errorf("docs/evidence.md has no row for the warning %q", text)
			}
		}
		return true
	})
	if found == 0 {
		t.Error("no warning was found")
	}
}

// command runs `caddy`, which must succeed.
func command(t *testing.T, dir string, args ...string) (output string, log []caddytest.Entry) {
	t.Helper()
	output, log, status := caddytest.Command(t, dir, args...)
	if status != 0 {
		t.Fatalf("%v: status %d, %v", args, status, log)
	}
	return output, log
}

// warnings writes down the app's warnings: some of their fields, and the message.
func warnings(log []caddytest.Entry, fields ...string) (warnings []string) {
	for _, e := range log {
		if e["logger"] == appLog && e["level"] == "warn" {
			var place []string
			for _, field := range fields {
				place = append(place, fmt.Sprint(e[field]))
			}
			warnings = append(warnings, fmt.Sprintf("%s: %s", strings.Join(place, ":"), e["msg"]))
		}
	}
	return warnings
}

func equal(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\ngot  %q\nwant %q", what, got, want)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
