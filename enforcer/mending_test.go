package enforcer_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// Attributes are raised and never lowered, Secure and SameSite=None over HTTPS only. Package wire
// tests how a line is edited.
func TestMending(t *testing.T) {
	secure, httpOnly := policy.RuleOptions{Secure: true}, policy.RuleOptions{HTTPOnly: true}
	lax := policy.RuleOptions{SameSite: policy.SameSiteLax}
	strict := policy.RuleOptions{SameSite: policy.SameSiteStrict}
	none := policy.RuleOptions{SameSite: policy.SameSiteNone}
	all := policy.RuleOptions{
		Secure: true, HTTPOnly: true, SameSite: policy.SameSiteLax, MaxAge: policy.Duration(time.Hour),
	}
	for _, c := range []struct {
		what        string
		options     policy.RuleOptions
		line        string
		https, http string // what is added; the whole line where it begins with a=
	}{
		{"Secure is added over HTTPS only", secure, "a=b", "; Secure", ""},
		{"Secure is present", secure, "a=b; \tsECURE ; Path=/", "", ""},
		{"HttpOnly is added", httpOnly, "a=b; Path=/", "; HttpOnly", "; HttpOnly"},
		{"SameSite is added", lax, "a=b", "; SameSite=Lax", "; SameSite=Lax"},
		{"Strict is added", strict, "a=b", "; SameSite=Strict", "; SameSite=Strict"},
		{"None becomes Lax", lax, "a=b; SameSite=None; Secure",
			"a=b; SameSite=Lax; Secure", "a=b; SameSite=Lax; Secure"},
		{"Strict stays Strict", lax, "a=b; SameSite=strict", "", ""},
		{"None is added with Secure, and over HTTPS only", none, "a=b", "; SameSite=None; Secure", ""},
		{"None is added, Secure is present", none, "a=b; Secure", "; SameSite=None", ""},
		{"None gets its Secure", none, "a=b; SameSite=None", "; Secure", ""},
		{"None in place of an unknown word", none, "a=b; SameSite=Maybe", "a=b; SameSite=None; Secure", ""},
		{"Lax is not lowered to None", none, "a=b; SameSite=Lax; Secure", "", ""},
		{"all at once, in one order", all, "a=b; Max-Age=7200",
			"a=b; Max-Age=3600; SameSite=Lax; Secure; HttpOnly", "a=b; Max-Age=3600; SameSite=Lax; HttpOnly"},
		{"a deletion", all, "a=; Max-Age=0", "", ""},
		{"a deletion by date", all, "a=" + longAgo + "; Path=/", "", ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			e := withOptions(t, c.options)
			for https, want := range map[bool]string{true: c.https, false: c.http} {
				if !strings.HasPrefix(want, "a=") {
					want = c.line + want
				}
				got := mended(e, https, c.line, nil)
				if again := mended(e, https, got, nil); got != want || again != got {
					t.Errorf("HTTPS %t: %q became %q and then %q, want %q", https, c.line, got, again, want)
				}
			}
		})
	}
}

// linesSeen returns the Set-Cookie lines in the table of what Chromium stores.
func linesSeen(tb testing.TB) (lines []string) {
	tb.Helper()
	table, err := os.ReadFile("internal/wire/testdata/setcookie.jsonl")
	if err != nil {
		tb.Fatal(err)
	}
	for row := range strings.Lines(string(table)) {
		var seen struct{ Lines []string }
		if err := json.Unmarshal([]byte(row), &seen); err != nil {
			tb.Fatal(err)
		}
		for _, line := range seen.Lines { // each character stands for a byte
			raw := make([]byte, 0, len(line))
			for _, r := range line {
				raw = append(raw, byte(r))
			}
			lines = append(lines, string(raw))
		}
	}
	if len(lines) < 300 {
		tb.Fatalf("%d lines are not the table", len(lines))
	}
	return lines
}

// Where its rule asks for nothing, a line keeps its bytes, also if the policy mends others.
func TestMendingKeepsBytes(t *testing.T) {
	hardened := policy.Rule{Category: policy.Necessary, Cookies: []string{"another"},
		RuleOptions: policy.RuleOptions{MaxAge: day, Secure: true, HTTPOnly: true,
			SameSite: policy.SameSiteStrict}}
	declared := policy.RuleOptions{Lifetime: day, Provider: "the portal",
		Purpose: []policy.Text{{Language: "en", Text: "to test"}}}
	plain := policy.Policy{Allow: []policy.Rule{{Category: policy.Necessary, Cookies: []string{"*"},
		RuleOptions: declared}, hardened}}
	rewriting := plain
	rewriting.RewriteDomain = []policy.Rewrite{{From: "nobody.example.org"},
		{From: "nothing.example.org", To: "city.example"}}
	unlisted := policy.Policy{Allow: []policy.Rule{hardened}, Unlisted: policy.UnlistedPass,
		Lifetimes: policy.LifetimesEnforce}
	for name, e := range map[string]*enforcer.Enforcer{"a rule": compiled(t, plain),
		"rewrites of others": compiled(t, rewriting), "unlisted": compiled(t, unlisted)} {
		passed := 0
		for _, line := range linesSeen(t) {
			for _, https := range []bool{true, false} {
				if got := mended(e, https, line, nil); got != "" && got != line {
					t.Errorf("%s: %q became %q", name, line, got)
				} else if got != "" {
					passed++
				}
			}
		}
		if passed < 300 {
			t.Errorf("%s: only %d lines passed", name, passed)
		}
	}
}
