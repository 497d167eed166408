package cookiepolicy

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
	"github.com/cookie-policy/caddy-cookie-policy/languages"
)

// runCommand runs a sub-command as the program does, and returns what it prints and its exit status.
func runCommand(t *testing.T, args ...string) (out, notes string, status int, err error) {
	t.Helper()
	parent := &cobra.Command{Use: "cookie-policy", SilenceUsage: true, SilenceErrors: true}
	q := newQuery(parent)
	parent.AddCommand(importCommand(q), compareCommand(q), pageCommand(q))
	var o, n bytes.Buffer
	parent.SetOut(&o)
	parent.SetErr(&n)
	parent.SetArgs(args)
	err = parent.Execute()
	return o.String(), n.String(), exitCode(err), err
}

// exitCode returns the exit status that Caddy gives to a command's error, in a field of a type of its own.
func exitCode(err error) int {
	if err == nil {
		return exitDone
	}
	field := reflect.Indirect(reflect.ValueOf(err)).FieldByName("ExitCode")
	if !field.IsValid() {
		return 1 // as Caddy does with any other error
	}
	return int(field.Int())
}

const germanPage = `<html lang=de><h2>Statistik</h2><table>
<tr><th>Anbieter<th>Name<th>Zweck<th>Speicherdauer
<tr><td>Matomo<td>_pk_id.1<td>Zählt Besuche<td>13 Monate
<tr><td>Nobody<td>mystery<td>Zählt {$HOME}<td>ewig
</table>`

// The command writes a block that a gateway takes, and tells on standard error what it made of each line.
func TestImportCommand(t *testing.T) {
	dir := writeFiles(t, "page.html", germanPage)
	file := filepath.Join(dir, "page.html")
	for _, c := range []struct {
		what   string
		args   []string
		status int
		out    []string // regular expressions
		notes  []string
	}{
		{"a page", []string{file}, 1, []string{`^# The page does not say`, `allow statistical _pk_id\.1 \{\n`, `purpose de "?Zählt Besuche`, `lifetime 395d`},
			[]string{`(?m)^line 3: understood: `, `(?m)^line 4: .*ewig`}},
		{"a preset", []string{"--preset", "klaro", file}, 1, []string{`^cookie_policy klaro \{\n`}, nil},
		{"a language", []string{"--language", "de-AT", file}, 1, []string{`purpose de-AT `}, nil},
		{"JSON", []string{"--json", file}, 1, []string{`^\{\n\t"language": "de"`, `"block": "`, `"kind": "understood"`}, []string{`^$`}},
		{"no preset", []string{"--preset", "klara", file}, 2, nil, []string{`--preset "klara": there is no such preset; did you mean klaro\?`}},
		{"no language", []string{"--language", "no language", file}, 2, nil, []string{`want a language tag`}},
		{"two pages", []string{file, file}, 2, nil, []string{`takes one page, and here are 2`}},
		{"no cookie", []string{writeFiles(t, "empty.txt", "Nothing") + "/empty.txt"}, 2, nil, []string{`no cookie was found`}},
		{"no file", []string{file + "x"}, 2, nil, []string{"no such file"}},
	} {
		out, notes, status, err := runCommand(t, append([]string{"import"}, c.args...)...)
		if status != c.status {
			t.Errorf("%s: status %d, %v", c.what, status, err)
		}
		if status == exitFailed {
			notes += err.Error()
		}
		for _, says := range c.out {
			if !regexp.MustCompile(says).MatchString(out) {
				t.Errorf("%s: not %s in\n%s", c.what, says, out)
			}
		}
		for _, says := range c.notes {
			if !regexp.MustCompile(says).MatchString(notes) {
				t.Errorf("%s: not %s in\n%s", c.what, says, notes)
			}
		}
		if c.what == "JSON" && !json.Valid([]byte(out)) {
			t.Errorf("no JSON: %s", out)
		}
	}
}

// The published policies of five portals become policies that a gateway enforces: the four necessary
// cookies pass, and no other.
func TestImportedPoliciesAreEnforced(t *testing.T) {
	pages, err := filepath.Glob("published/testdata/portals/*.txt")
	if err != nil || len(pages) != 5 {
		t.Fatalf("%q, %v", pages, err)
	}
	portal := portaltest.StartPortal(t, portaltest.Response("200 OK", []string{session, csrf, language, choices, google, unlisted}, "hello"))
	for _, page := range pages {
		block, _, status, err := runCommand(t, "import", page)
		if status != exitDone {
			t.Fatalf("%s: %d, %v", page, status, err)
		}
		w := caddytest.StartInstance(t, block+"\nreverse_proxy "+portal.Address)
		got := strings.Join(w.Get("/").SetCookies(), "\n")
		if want := strings.Join([]string{session, csrf, language, choices}, "\n"); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", page, got, want)
		}
		config := filepath.Join(writeFiles(t, "Caddyfile", "http://localhost {\n"+block+"\n}\n"), "Caddyfile")
		if out, _, status, err := runCommand(t, "compare", "--config", config, page); status != exitDone {
			t.Errorf("%s: %d, %v\n%s", page, status, err, out)
		}
	}
}

// The page and the policy are compared, for people and for programs.
func TestCompareCommand(t *testing.T) {
	dir := writeFiles(t, "page.html", strings.Replace(germanPage, "ewig", "6 Monate", 1))
	file := filepath.Join(dir, "page.html")
	config := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(config, []byte("http://a {\ncookie_policy opendatasoft {\nname city\nallow statistical _pk_id.1 {\nlifetime 30d\n}\n}\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _, status, err := runCommand(t, "compare", "--config", config, file)
	if status != exitFindings {
		t.Errorf("status %d, %v", status, err)
	}
	for _, says := range []string{`^Policy city, digest [0-9a-f]{8}\n\nDIFFERENCE +COOKIE +PAGE +POLICY\n`,
		`(?m)^lifetime +_pk_id\.1 `, `mystery`, `sessionid`} {
		if !regexp.MustCompile(says).MatchString(out) {
			t.Errorf("not %s in\n%s", says, out)
		}
	}
	out, _, _, _ = runCommand(t, "compare", "--config", config, "--json", file)
	if !json.Valid([]byte(out)) || !strings.Contains(out, `"differences": [`) {
		t.Errorf("no JSON: %s", out)
	}
	for _, args := range [][]string{{"compare", "--config", config}, {"compare", "--config", config, dir}, {"compare", "--config", dir, file}} {
		if _, _, status, err := runCommand(t, args...); status != exitFailed {
			t.Errorf("%q: status %d, %v", args, status, err)
		}
	}
}

// The page that is made of a policy says what the policy enforces, in every language, also with presets,
// wildcards, and rules that say little.
func TestCompareCommand_generatedPages(t *testing.T) {
	dir := writeFiles(t, "Caddyfile", `http://a {
	cookie_policy opendatasoft matomo google_analytics {
		allow necessary name x#y {
			lifetime session
		}
		allow first_party shop_*_a shop_b {
			lifetime 36h
			purpose fr "Durée : 2 ans"
		}
		allow third_party quiet
	}
}
`)
	config := filepath.Join(dir, "Caddyfile")
	for _, l := range languages.All() {
		html, _, status, err := runCommand(t, "page", "--config", config, "--language", l.Tag)
		if status != exitDone {
			t.Fatalf("%s: %d, %v", l.Tag, status, err)
		}
		page := filepath.Join(dir, "page.html")
		if err := os.WriteFile(page, []byte(html), 0o600); err != nil {
			t.Fatal(err)
		}
		out, _, status, err := runCommand(t, "compare", "--config", config, "--json", page)
		if status != exitDone || !strings.Contains(out, `"differences": []`) || !strings.Contains(out, `"notes": []`) {
			t.Errorf("%s: %d, %v\n%s", l.Tag, status, err, out)
		}
	}
}
