package explain_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/explain"
)

var noon = time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)

func compiled(tb testing.TB) *enforcer.Enforcer {
	tb.Helper()
	e, err := enforcer.Compile(policy.Policy{
		Name:    "city",
		Presets: []policy.Preset{{Name: "opendatasoft"}, {Name: "matomo"}},
		Allow: []policy.Rule{{Category: policy.Necessary, Cookies: []string{"lang"},
			RuleOptions: policy.RuleOptions{Path: []string{"/"}, MaxAge: policy.Duration(time.Hour), Secure: true}}},
		Signal: []policy.Signal{{Signal: "gpc", Categories: []policy.Category{policy.Statistical}}},
	}, func() time.Time { return noon })
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

// Each file of testdata/print has a question, and below a line of hyphens what people see.
func TestPrint(t *testing.T) {
	files, err := filepath.Glob("testdata/print/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text, want, found := strings.Cut(string(b), "\n---\n")
		var q explain.Question
		if err := json.Unmarshal([]byte(text), &q); err != nil || !found {
			t.Fatalf("%s: %v", file, err)
		}
		x := q.Ask(compiled(t))
		x.Digest = "0123456789"
		explain.Locate(x, func(path string) string {
			if path == "allow[0]" {
				return "Caddyfile:7"
			}
			return ""
		})
		var got bytes.Buffer
		if err := explain.Print(&got, x, noon); err != nil {
			t.Fatal(err)
		}
		if got.String() != want {
			t.Errorf("%s: got\n%s\nwant\n%s", file, got.String(), want)
		}
	}
}

// In mode report nothing is changed and removed.
func TestPrintReport(t *testing.T) {
	x := (&explain.Question{SetCookie: []string{"lang=fr; Max-Age=9999"}, Cookie: []string{"_pk_id.1=1"}}).Ask(compiled(t))
	x.Mode = policy.ModeReport
	var got bytes.Buffer
	if err := explain.Print(&got, x, noon); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"  would be changed: Max-Age becomes 3600\n", "  would be removed: Path /\n"} {
		if !strings.Contains(got.String(), want) {
			t.Errorf("not %q in\n%s", want, got.String())
		}
	}
}

// Fields are read with one line or with several, and in any case.
func TestFields(t *testing.T) {
	var q explain.Question
	err := json.Unmarshal([]byte(`{"headers": {"sec-gpc": "1", "X-Forwarded-PROTO": ["http", "https, http"]},
		"cookie": ["_pk_id.1=1"]}`), &q)
	if err != nil || q.Headers.Get("Sec-Gpc") != "1" {
		t.Fatalf("%v, %v", q, err)
	}
	if x := q.Ask(compiled(t)); len(x.Signals) != 1 || !x.HTTPS {
		t.Errorf("signals %v, HTTPS %t", x.Signals, x.HTTPS)
	}
	for _, bad := range []string{`{"headers": 1}`, `{"headers": {"a": 1}}`, `{"headers": ["a"]}`} {
		if err := json.Unmarshal([]byte(bad), &q); err == nil {
			t.Errorf("%s is read", bad)
		}
	}
}

// An asset removes nothing from the browser; a page does.
func TestQuestionPage(t *testing.T) {
	yes, no := true, false
	for _, c := range []struct {
		page *bool
		mode string
		want int
	}{{nil, "", 2}, {&yes, "no-cors", 2}, {&no, "navigate", 1}, {nil, "no-cors", 1}} {
		q := explain.Question{Cookie: []string{"_pk_id.1=1"}, Page: c.page, Headers: explain.Fields{}}
		if c.mode != "" {
			q.Headers.Add("sec-fetch-mode", c.mode)
		}
		if x := q.Ask(compiled(t)); len(x.Verdicts) != c.want {
			t.Errorf("page %v, mode %q: %+v", c.page, c.mode, x.Verdicts)
		}
	}
}
