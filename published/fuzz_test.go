package published_test

import (
	"bytes"
	"encoding/json"
	"html"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	_ "github.com/cookie-policy/caddy-cookie-policy" // the directive
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/published"
)

// pages are the pages of testdata.
func pages(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/pages/*")
	if err != nil || len(files) == 0 {
		t.Fatal("no pages: ", err)
	}
	return files
}

func readFile(t testing.TB, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// adapt turns a block into the policy that a site with it has. Without a rule there is none.
func adapt(t testing.TB, block string) *policy.Policy {
	t.Helper()
	file := "http://localhost {\n" + block + "\trespond OK\n}\n"
	config, _, err := caddyfile.Adapter{ServerType: httpcaddyfile.ServerType{}}.Adapt([]byte(file), nil)
	if err != nil {
		t.Fatalf("the block does not adapt: %v\n%s", err, file)
	}
	var found *policy.Policy
	var walk func(value any)
	walk = func(value any) {
		switch value := value.(type) {
		case []any:
			for _, v := range value {
				walk(v)
			}
		case map[string]any:
			if value["handler"] == "cookie_policy" {
				delete(value, "handler")
				b, err := json.Marshal(value)
				if err != nil {
					t.Fatal(err)
				}
				found = new(policy.Policy)
				if err := json.Unmarshal(b, found); err != nil {
					t.Fatal(err)
				}
			}
			for _, v := range value {
				walk(v)
			}
		}
	}
	var tree any
	if err := json.Unmarshal(config, &tree); err != nil {
		t.Fatal(err)
	}
	walk(tree)
	return found
}

// standsOn reports whether the fixed parts of a name stand on a page one after the other, in its
// source or in what a reader sees of it.
func standsOn(page []byte, name string) bool {
	for _, text := range []string{string(page), html.UnescapeString(string(page))} {
		text = strings.Map(func(r rune) rune {
			if r == '\\' || r == 0xad || unicode.Is(unicode.Cf, r) || unicode.IsControl(r) {
				return -1
			}
			return r
		}, text)
		found := true
		for _, part := range strings.Split(name, "*") {
			_, after, ok := strings.Cut(text, part)
			found = found && ok
			text = after
		}
		if found {
			return true
		}
	}
	return false
}

// check checks what holds for every page: the block adapts, is formatted, and its names stand on the
// page and are in no wider category than the rows say.
func check(t *testing.T, page []byte, kind published.Kind) {
	t.Helper()
	read := published.Read(page, kind)
	block, _ := read.Block("")
	if formatted := caddyfile.Format([]byte(block)); string(formatted) != block {
		t.Errorf("caddy fmt writes\n%s\ninstead of\n%s", formatted, block)
	}
	p := adapt(t, block)
	rules := 0
	for _, row := range read.Rows {
		if row.Doubt == "" {
			rules++
		}
		if len(row.Names) == 0 {
			t.Errorf("line %d: a row without a name", row.Line)
		}
	}
	if p == nil {
		if rules > 0 {
			t.Errorf("%d rules and no policy from\n%s", rules, block)
		}
		return
	}
	if len(p.Allow) != rules {
		t.Errorf("%d rules are %d in\n%s", rules, len(p.Allow), block)
	}
	for _, rule := range p.Allow {
		for _, name := range rule.Cookies {
			if fixed := strings.ReplaceAll(name, "*", ""); strings.Contains(name, "*") && len(fixed) < 3 {
				t.Errorf("%q matches nearly every name", name)
			}
			if kind == published.Text && !standsOn(page, name) && len(page) < 4096 {
				t.Errorf("%q does not stand on the page", name)
			}
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, file := range pages(f) {
		b := readFile(f, file)
		f.Add(b, strings.HasSuffix(file, ".html"))
	}
	for _, hostile := range []string{
		"Necessary cookies\n\nCookie name\tPurpose\n{$HOME}\t{env.X}\nimport\t\"`{$X:}\nsessionid\t\u202eX\\\n",
		"## Statistics\n| Name | Purpose |\n|---|---|\n| a_b`\"{} | \\ |\n| _ga_<x> | { } |\n",
		"Necessary\nName: x_y Purpose: \"}\nName: {block} Purpose: {args[0]}\n",
	} {
		f.Add([]byte(hostile), false)
	}
	f.Add([]byte("<h2>Necessary</h2><table><tr><th>Name<th>Purpose<tr><td rowspan=0 colspan=99>x_y<td>{$X}</table>"), true)
	f.Setenv("HOME", "}\n{")
	f.Fuzz(func(t *testing.T, page []byte, isHTML bool) {
		kind := published.Text
		if isHTML {
			kind = published.HTML
		}
		check(t, page, kind)
	})
}

// TestReadIsLinear reads pages of shapes that are costly for parsers which look back or ahead: eight times
// the bytes take about eight times as long.
func TestReadIsLinear(t *testing.T) {
	before := []string{"Cookie name\tPurpose\tExpiry\n", "<h2>Necessary cookies<table><tr><th>Cookie<th>Purpose<tr><td>",
		"Necessary cookies\n\n"}
	for i, unit := range []string{
		"<table>", "<table><tr><td rowspan=2 colspan=9>", "<table><tr><th>Name<th>Purpose<tr><td>", "<div>", "</div>",
		"<b>", "<td>", "<tr>", "<tr><td colspan=99 rowspan=0>x", "<dl><dt>_ga_x<dd>y", "<h2>Necessary", "<details>",
		"<a x=1 x=2 ", "&lt;", "<!--", "<dt>", "<code>", "<code>_ga</code>", "<td><span>a_b</span><span>a_b</span>", "<dt>Name<dd>",
		"<td lang=xx>", "<li>_ga – x – 1 day",
		"Cookie name\n", "Cookie name\nPurpose\n", "Name: a_b\n", "Name:", "_ga, ", "Cookie\tPurpose\n", "Cookie  Purpose\n",
		"Cookie | Purpose\n", "a_b\tx\n", "\tx\n", "Necessary cookies\n", "Cookie Purpose Duration\n",
		"_ga Counts 1 day\n", "1 day ", "[", "{<(", "# ", "**", "starting with ", "\t", "|", "  ", "x{3}", "sessionid\n", "a\n",
		`"`, `;"`, "a,\"b\n", "Name,Purpose,Expiry\n", "`a`", " - ", "a_b – ", "> ", "1. ", "_ga, _gid – x – 1 day\n", "%a%",
	} {
		for j, kind := range []published.Kind{published.HTML, published.Text} {
			before := before[(i+j)%len(before)]
			// A machine that does something else is slow now and then: only what stays slow counts.
			for try := 0; ; try++ {
				large := cost(before, unit, 16_000, kind)
				if large < 200*time.Millisecond {
					break
				}
				if small := cost(before, unit, 2_000, kind); large < 24*small {
					break
				} else if try == 3 {
					t.Errorf("%s %q after %q: 8 times the bytes take %s rather than %s", kind, unit, before, large, small)
					break
				}
			}
		}
	}
}

// TestRead_megabytes reads pages of one and two megabytes that repeat what is costly. The time that they
// may take is ten times what they take on a slow machine, and far from what time in the square would be.
func TestRead_megabytes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		unit string
		kind published.Kind
		size int
	}{
		{"<table><tr><td>", published.HTML, 2 << 20},
		{"<tr><td>a_b<td>x", published.HTML, 1 << 20},
		{"_ga_{", published.Text, 1 << 20},
		{"1 day, _ga; ", published.Text, 1 << 20},
	} {
		d := cost("<h2>Necessary cookies</h2>\n<table>", c.unit, c.size, c.kind)
		if t.Logf("%q: %s", c.unit, d); d > 30*time.Second {
			t.Errorf("%d bytes of %q take %s", c.size, c.unit, d)
		}
	}
}

// cost is the time in which a page that repeats a unit is read.
func cost(before, unit string, size int, kind published.Kind) time.Duration {
	page := append([]byte(before), bytes.Repeat([]byte(unit), size/len(unit))...)
	start := time.Now()
	published.Read(page, kind)
	return time.Since(start)
}
