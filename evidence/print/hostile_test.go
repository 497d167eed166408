package print

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/cookie-policy/caddy-cookie-policy/evidence"
)

// hostile are texts that a client, a portal or a gateway could make of a name.
var hostile = []string{
	"<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "'+alert(1)+'", "</style><b>", "<!--", "]]>",
	"{{.}}", "{name}",
	"url(javascript:alert(1))", "https://evil.example/ www.evil.example x@evil.example", "a|b", `a\|b`, `a\`,
	"a\nb\r\n| c | d |", "\x1b[31mred",
	"\u202egnp.exe", "\u2028x\u00ad\u200b", "\x00\xff\xfe", "`a` ``b`` |", "# heading", "1. list", "- item",
	"=====", "[a](http://evil.example)",
	"*a* _b_ ~~c~~", "&lt;b&gt;", " ", "", strings.Repeat("a", 5000), strings.Repeat("\U0001F36A", 300),
}

// withText returns the report with every text but for times replaced.
func withText(t *testing.T, r *Report, text string) *Report {
	t.Helper()
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	if b, err = json.Marshal(replace(v, text)); err != nil {
		t.Fatal(err)
	}
	replaced := new(Report)
	if err := json.Unmarshal(b, replaced); err != nil {
		t.Fatal(err)
	}
	return replaced
}

func replace(v any, text string) any {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			if name == "scope" || name == "mode" || name == "channel" {
				continue // so that as much is shown as there can be
			}
			v[name] = replace(inner, text)
		}
		if counts, ok := v["preferences"].(map[string]any); ok {
			counts[text] = 7.0
		}
		if counts, ok := v["verdicts"].(map[string]any); ok {
			counts[text] = 7.0
		}
	case []any:
		for i, inner := range v {
			v[i] = replace(inner, text)
		}
	case string:
		if _, err := time.Parse(time.RFC3339, v); err != nil {
			return text
		}
	}
	return v
}

// Whatever names and texts are, the document is the same but for them: no element, no row and no cell is added,
// and no control character reaches a terminal.
func TestHostileTexts(t *testing.T) {
	for _, text := range hostile {
		r := withText(t, fixed(t), text)
		for _, language := range Languages {
			checkHTML(t, text, printHTML(t, r, language))
			checkMarkdown(t, text, markdown(t, r, language))
		}
	}
}

// checkMarkdown checks what holds for every document: no HTML, no control character, and rows of as many cells
// as columns.
func checkMarkdown(t *testing.T, what, document string) {
	t.Helper()
	columns := 0
	for line := range strings.Lines(document) {
		line = strings.TrimSuffix(line, "\n")
		if strings.ContainsAny(line, "<>") {
			t.Errorf("%q: HTML in %s", what, line)
		}
		for _, r := range line {
			if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' {
				t.Errorf("%q: %q in %q", what, r, line)
			}
		}
		if !strings.HasPrefix(line, "|") {
			columns = 0
			continue
		}
		n := strings.Count(line, "|")
		if columns == 0 {
			columns = n
		}
		if n != columns || strings.Contains(line, `\|`) {
			t.Errorf("%q: %d cells, want %d: %s", what, n-1, columns-1, line)
		}
	}
}

// A text in Markdown is shown as it is: what means something there is escaped.
func TestMarkdownText(t *testing.T) {
	for text, want := range map[string][2]string{ // as text, and as code in a table
		"_pk_id*":               {`\_pk\_id\*`, "`_pk_id*`"},
		"a|b":                   {`a&#124;b`, `a&#124;b`},
		`a\|b`:                  {`a\\&#124;b`, `a\\&#124;b`},
		"a`b":                   {"a\\`b", "a\\`b"},
		"# a":                   {`\# a`, "`# a`"},
		"12. a":                 {`12\. a`, "`12. a`"},
		"- a":                   {`\- a`, "`- a`"},
		"<b>&":                  {`&lt;b&gt;&amp;`, `&lt;b&gt;&amp;`},
		"http://a www.b c@d":    {`http:&#47;/a www&#46;b c&#64;d`, "`http://a www.b c@d`"},
		"necessary sessionid a": {"necessary sessionid a", "`necessary sessionid a`"},
		"é":                     {"é", "é"},
		"":                      {"", ""},
	} {
		if got := plain(text); got != want[0] {
			t.Errorf("%q as text is %q, want %q", text, got, want[0])
		}
		if got := codeSpan(text); got != want[1] {
			t.Errorf("%q as code is %q, want %q", text, got, want[1])
		}
	}
}

// Numbers, days and times that cannot be do no harm.
func TestHostileNumbers(t *testing.T) {
	for what, change := range map[string]func(*evidence.Report){
		"largest numbers": func(r *evidence.Report) {
			for i := range r.Days {
				for j := range r.Days[i].Verdicts {
					r.Days[i].Verdicts[j].Count = math.MaxUint64
				}
			}
			r.Totals.Verdicts = append(r.Totals.Verdicts, r.Days[0].Verdicts...)
			r.Cookies[0].Lifetime = math.MaxInt64
			for i := range r.Totals.Loads {
				r.Totals.Loads[i].Count = math.MaxUint64
			}
			r.Totals.Dropped["malformed"] = math.MaxUint64
		},
		"negative numbers": func(r *evidence.Report) {
			r.Days[0].More, r.Chains[0].Days, r.Cookies[0].Lifetime, r.Dropped = -1, -1, -1, -1
			r.Days[0].Unlisted = []string{"a"}
			r.Origins[0].Days = -1
		},
		"all days there are": func(r *evidence.Report) { r.Since, r.Until = "0001-01-01", "9999-12-31" },
		"no days":            func(r *evidence.Report) { r.Since, r.Until = "2026-02-01", "2026-01-01" },
		"days in no order":   func(r *evidence.Report) { slices.Reverse(r.Days) },
		"days twice":         func(r *evidence.Report) { r.Days = append(r.Days, r.Days...) },
		"gaps that end before they begin": func(r *evidence.Report) {
			r.Gaps = append(r.Gaps, evidence.Gap{From: noon, To: time.Time{}}, evidence.Gap{To: noon.AddDate(5000, 0, 0)})
		},
		"a policy that is none": func(r *evidence.Report) {
			for i := range r.InForce {
				r.InForce[i].Policy = json.RawMessage(`[1]`)
			}
		},
		"unknown modes": func(r *evidence.Report) {
			for i := range r.Totals.Verdicts {
				r.Totals.Verdicts[i].Mode = []string{"enforce", "pause", "<b>"}[i%3]
			}
			for i := range r.Totals.Loads {
				r.Totals.Loads[i].Mode = []string{"enforce", "pause", "<b>"}[i%3]
			}
		},
		"nothing": func(r *evidence.Report) { *r = evidence.Report{} },
	} {
		r := fixed(t)
		change(&r.Policies[0].Report)
		checkHTML(t, what, printHTML(t, r, "en"))
		checkMarkdown(t, what, markdown(t, r, "fr"))
	}
}

// What mode report would have refused is never said to have been refused: the two modes share no table, and the
// words of each are those of what happened.
func TestModesApart(t *testing.T) {
	r := fixed(t)
	a := &r.Policies[0]
	onlyReport := func(all []evidence.VerdictCount) []evidence.VerdictCount {
		return slices.DeleteFunc(all, func(v evidence.VerdictCount) bool { return v.Mode != "report" })
	}
	onlyNoted := func(all []evidence.LoadCount) []evidence.LoadCount {
		return slices.DeleteFunc(all, func(l evidence.LoadCount) bool { return l.Mode != "report" })
	}
	a.Totals.Verdicts, a.Totals.Loads = onlyReport(a.Totals.Verdicts), onlyNoted(a.Totals.Loads)
	for i := range a.Days {
		a.Days[i].Verdicts, a.Days[i].Loads = onlyReport(a.Days[i].Verdicts), onlyNoted(a.Days[i].Loads)
	}
	a.Totals.Choices = nil
	a.Cookies = a.Cookies[1:2]
	for language, words := range map[string][2]string{
		"en": {"Refused", "Let through, would have been refused"}, "fr": {"Refusé", "Laissé passer, aurait été refusé"},
	} {
		for _, line := range strings.Split(markdown(t, r, language), "\n") {
			if strings.Contains(line, "| "+words[0]+" |") {
				t.Errorf("%s: a column says that something was refused: %s", language, line)
			}
		}
		if document := markdown(t, r, language); strings.Count(document, "| "+words[1]+" |") != 6 {
			t.Errorf("%s: not each table says what would have been refused:\n%s", language, document)
		}
	}
	for _, section := range []string{"enforce", "report"} {
		if !strings.Contains(markdown(t, fixed(t), "en"), "Reports by day and category, load "+section) {
			t.Errorf("there is no table of reports for %s", section)
		}
		section = "mode " + section
		if !strings.Contains(markdown(t, fixed(t), "en"), "Verdicts by day, all channels and categories together, "+section) {
			t.Errorf("there is no table for %s", section)
		}
	}
	known := slices.Sorted(maps.Keys(verdictWords))
	if !slices.Equal(known, []string{"enforce", "report"}) {
		t.Errorf("the modes are %q", known)
	}
}
