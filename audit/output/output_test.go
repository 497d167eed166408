package output

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/cookie-policy/caddy-cookie-policy/audit"
)

// hostile is text from a stranger, which no format may let through as it is.
const hostile = "=cmd|'<script>alert(1)</script>|[x](javascript:y)"

// sample is an audit in which strangers named everything that they can.
func sample() *audit.Report {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	zero := 0
	setter := &audit.Setter{Kind: "script", URL: "https://cdn.test/" + hostile, Line: 3, Stack: []string{hostile}}
	return &audit.Report{
		Schema: audit.Schema, Tool: audit.Tool{Version: "v1"}, Started: at, Ended: at.Add(time.Minute),
		Policy:  audit.PolicyInfo{Name: "city", Digest: "sha256:00", Source: "config", Mode: "enforce"},
		Browser: audit.BrowserInfo{Product: "Chrome/1", CommandLine: []string{"chromium"}, ThirdPartyCookies: "allow"},
		Method: audit.Method{Pages: []string{"https://data.city.test/"}, FirstParty: []string{}, Runs: 2,
			Certificates: []string{}, Resolve: []string{}, Headers: []string{}},
		Origin: audit.Origin{Address: "192.0.2.7:443", Certificate: "c0ffee"},
		States: []audit.State{
			{State: "refused", By: "stored", Run: 1, Verdict: audit.Broken, Reasons: []string{hostile},
				Purposes: []audit.Purpose{{Keys: []string{"stats"}, Verdict: audit.Broken}},
				ReadAs:   map[string]string{"stats": "refused"},
				AtEnd:    "same", Made: []string{"choice"}, Clicks: []audit.Click{{Selector: hostile, Frame: hostile, At: at}},
				Pages: []audit.Page{{URL: "https://data.city.test/", Started: at, Loaded: &at, Left: at}}},
			{State: "granted:stats", By: "stored", Run: 1, Verdict: audit.Holds, Reasons: []string{},
				Purposes: []audit.Purpose{{Keys: []string{"stats"}, Verdict: audit.Holds}}, ReadAs: map[string]string{},
				Pages: []audit.Page{}},
		},
		Cookies: []audit.Cookie{{
			Name: hostile, Domain: ".city.test", Path: "/", Party: "third", Category: "unlisted", Consent: []string{},
			Seen: []audit.Seen{{State: "refused", Run: 1, At: at, What: "set", Count: 1, Setter: setter, Declared: "395d",
				Effective: "395d", Flags: &audit.Flags{Secure: true, SameSite: "lax"}, Length: 5, MAC: "0123456789abcdef"}},
		}},
		Requests: []audit.Contact{{Origin: "https://cdn.test", Category: "statistical", Rule: hostile,
			Consent: []string{"stats"}, Early: []string{"refused"}, Host: "cdn.test", Site: "cdn.test", Party: "third", States: []string{"refused"},
			Pages: []string{hostile}, Types: []string{"Script"}, Initiators: []string{hostile},
			QueryKeys: []string{}, Count: 1}},
		Storage: []audit.Stored{{Origin: "https://data.city.test", Party: "host", Kind: "local", Key: hostile, Size: 3,
			Setters: []string{}, States: []string{"refused"}}},
		Reads: []audit.Read{{Script: hostile, Site: "cdn.test", Party: "third", Host: "data.city.test", Count: 4711,
			States: []string{"refused"}, Pages: []string{}}},
		Never: []audit.Finding{{ID: "never_seen:x", Finding: "never_seen", Level: "warning", Runs: []int{}, Name: "x"}},
		Findings: []audit.Finding{{ID: "unlisted:" + hostile, Finding: "unlisted", Level: "error", State: "refused",
			Runs: []int{1}, Cookie: &zero, Name: hostile, Domain: ".city.test", Page: "https://data.city.test/", At: &at,
			Setter: setter, Detail: hostile}},
	}
}

// The page has no script, loads nothing, and shows what strangers wrote as text. Every text that it
// looks up is there, in both languages.
func TestHTML(t *testing.T) {
	for language, want := range map[string][]string{
		"en": {"All refused", "does not hold", "In no rule of the policy", "no legal assessment",
			"192.0.2.7:443", "c0ffee", "Clicked", "4711"},
		"fr": {"Tout refusé", "non respecté", "Absent de la politique", "appréciation juridique",
			"192.0.2.7:443", "c0ffee", "Cliqué", "4711"},
	} {
		b, err := HTML(sample(), language)
		if err != nil {
			t.Fatal(err)
		}
		text := string(b)
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%s: %q is missing", language, w)
			}
		}
		doc, err := html.Parse(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		for n := range doc.Descendants() {
			if n.Type == html.ElementNode && slices.Contains([]string{"script", "img", "link", "iframe", "a", "form"}, n.Data) {
				t.Errorf("%s: the page has <%s>", language, n.Data)
			}
			for _, a := range n.Attr {
				if a.Key == "src" || a.Key == "href" || strings.HasPrefix(a.Key, "on") {
					t.Errorf("%s: the page has %s=%q", language, a.Key, a.Val)
				}
			}
		}
		if !strings.Contains(text, `<html lang="`+language+`">`) {
			t.Errorf("%s: the page does not say its language", language)
		}
	}
	if _, err := HTML(sample(), "xx"); err == nil {
		t.Error("an unknown language is no error")
	}
}

func TestTexts(t *testing.T) {
	for _, m := range regexp.MustCompile(`\bt "([a-z_]+)"`).FindAllStringSubmatch(page, -1) {
		for language, words := range texts {
			if words[m[1]] == "" {
				t.Errorf("%s has no text for %s", language, m[1])
			}
		}
	}
	for key := range texts["en"] {
		if texts["fr"][key] == "" {
			t.Errorf("fr has no text for %s", key)
		}
	}
	if len(texts["en"]) != len(texts["fr"]) {
		t.Error("fr has texts that en has not")
	}
}

func TestCSV(t *testing.T) {
	b, err := CSV(sample())
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(string(b))).ReadAll()
	if err != nil || len(rows) != 2 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	if rows[1][0] != "'"+hostile {
		t.Errorf("the name is %q, and a spreadsheet takes it for a formula", rows[1][0])
	}
	for i, name := range rows[0] {
		if name == "page" && rows[1][i] != "https://data.city.test/" || name == "length" && rows[1][i] != "5" {
			t.Errorf("%s is %q", name, rows[1][i])
		}
	}
}

func TestOriginsCSV(t *testing.T) {
	b, err := OriginsCSV(sample())
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(string(b))).ReadAll()
	if err != nil || len(rows) != 2 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for i, name := range rows[0] {
		want := map[string]string{"origin": "https://cdn.test", "rule": "'" + hostile, "category": "statistical",
			"consent": "stats", "early": "refused", "types": "Script", "pages": "'" + hostile, "count": "1"}
		if w, told := want[name]; told && rows[1][i] != w {
			t.Errorf("%s is %q, want %q", name, rows[1][i], w)
		}
	}
}

// Where the policy names no origins, no rule is asked for.
func TestOrigins(t *testing.T) {
	for _, names := range []bool{true, false} {
		r := sample()
		if c := &r.Requests[0]; !names {
			c.Category, c.Rule, c.Consent, c.Early = "", "", nil, nil
		}
		page, err := HTML(r, "en")
		if err != nil {
			t.Fatal(err)
		}
		text, err := Markdown(r)
		if err != nil {
			t.Fatal(err)
		}
		for what, has := range map[string]bool{
			texts["en"]["early"]:          strings.Contains(string(page), texts["en"]["early"]) == names,
			texts["en"]["hosts_no_rules"]: strings.Contains(string(page), texts["en"]["hosts_no_rules"]) != names,
			"Markdown":                    strings.Contains(string(text), "## Other hosts") == names,
		} {
			if !has {
				t.Errorf("the policy names origins: %t, and %s is wrong", names, what)
			}
		}
	}
}

func TestMarkdown(t *testing.T) {
	b, err := Markdown(sample())
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for _, want := range []string{"192.0.2.7", "c0ffee", "cookies stored by the audit: choice", ", clicked: "} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if strings.Contains(text, "<script") || strings.Contains(text, "](") || strings.Contains(text, "cmd|") {
		t.Errorf("strangers' text is not escaped:\n%s", text)
	}
	for line := range strings.Lines(text) {
		if cells := len(regexp.MustCompile(`(^|[^\\])\|`).FindAllString(line, -1)); strings.HasPrefix(line, "| ") &&
			cells != 6 && cells != 7 && cells != 10 {
			t.Errorf("%d bars in %q", cells, line)
		}
	}
}

// wecShape is what the readers of an inspection.json rely on, by the type of each member: the import of the
// Website Auditing Tool (src/app/services/inspection.service.ts and the cards that it fills) and the report's
// template of the Website Evidence Collector (assets/template.pug).
var wecShape = map[string]string{
	"script.version.npm": "string", "script.host": "string", "browser.name": "string", "browser.version": "string",
	"browser.user_agent": "string", "browser.platform.name": "string", "browser.platform.version": "string",
	"browser.extra_headers.dnt": "float64", "browsing_history": "[]", "host": "string", "start_time": "string",
	"end_time": "string", "title": "string", "uri_ins": "string", "uri_dest": "string", "uri_refs": "[]",
	"hosts.requests.firstParty": "[]", "hosts.requests.thirdParty": "[]",
	"hosts.beacons.firstParty": "[]", "hosts.beacons.thirdParty": "[]",
	"hosts.cookies.firstParty": "[]", "hosts.cookies.thirdParty": "[]",
	"hosts.localStorage.firstParty": "[]", "hosts.localStorage.thirdParty": "[]",
	"hosts.links.firstParty": "[]", "hosts.links.thirdParty": "[]", "links.social": "[]",
	"beacons": "[]", "unsafeForms": "[]", "secure_connection.https_support": "bool", "secure_connection.redirects": "[]",
	"cookies.0.name": "string", "cookies.0.value": "string", "cookies.0.domain": "string", "cookies.0.path": "string",
	"cookies.0.expires": "float64", "cookies.0.expiresUTC": "string", "cookies.0.expiresDays": "float64",
	"cookies.0.size": "float64", "cookies.0.httpOnly": "bool", "cookies.0.secure": "bool", "cookies.0.session": "bool",
	"cookies.0.sameSite": "string", "cookies.0.firstPartyStorage": "bool", "cookies.0.log.type": "string",
	"cookies.0.log.location": "string", "cookies.0.log.timestamp": "string", "cookies.0.log.stack.0.fileName": "string",
	"cookies.0.log.stack.0.lineNumber": "float64", "cookies.0.log.stack.0.source": "string",
	"localStorage.https://data|city|test.KEY.value":             "string",
	"localStorage.https://data|city|test.KEY.log.type":          "string",
	"localStorage.https://data|city|test.KEY.firstPartyStorage": "bool",
	"localStorage.https://data|city|test.KEY.event.origin":      "string",
	"localStorage.https://data|city|test.KEY.event.timestamp":   "string",
	"localStorage.https://data|city|test.KEY.event.stack":       "[]",
}

func TestWEC(t *testing.T) {
	b, err := WEC(sample())
	if err != nil {
		t.Fatal(err)
	}
	var inspection any
	if err := json.Unmarshal(b, &inspection); err != nil {
		t.Fatal(err)
	}
	at := func(path string) any {
		v := inspection
		for name := range strings.SplitSeq(path, ".") {
			switch name = strings.NewReplacer("|", ".", "KEY", hostile).Replace(name); x := v.(type) {
			case map[string]any:
				v = x[name]
			case []any:
				if len(x) == 0 {
					return nil
				}
				v = x[0]
			default:
				return nil
			}
		}
		return v
	}
	for path, want := range wecShape {
		got := fmt.Sprintf("%T", at(path))
		if got = strings.TrimSuffix(got, "interface {}"); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	for path, want := range map[string]any{
		"cookies.0.value": "", "cookies.0.name": hostile, "cookies.0.domain": "city.test", "cookies.0.expiresDays": 395.0,
		"cookies.0.sameSite": "Lax", "cookies.0.session": false, "cookies.0.firstPartyStorage": false,
		"cookies.0.log.type": "Cookie.JS", "hosts.requests.firstParty.0": "data.city.test",
		"hosts.requests.thirdParty.0": "cdn.test", "hosts.cookies.thirdParty.0": "city.test",
		"localStorage.https://data|city|test.KEY.value": "",
	} {
		if got := at(path); got != want {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	if list := at("browsing_history").([]any); len(list) != 1 {
		t.Errorf("the history is %v", list)
	}
}

func TestLifeOf(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"395d": 395 * day, "1d3h0m": 27 * time.Hour, "16m40s": 1000 * time.Second, "session": -1, "": -1, "xd": -1, "1dx": -1,
	} {
		if got, ok := lifeOf(text); ok != (want >= 0) || ok && got != want {
			t.Errorf("%q: %v, %t, want %v", text, got, ok, want)
		}
	}
}

func TestDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	if _, err := Create(dir, []string{"pdf"}, false, "v1"); err == nil {
		t.Error("an unknown format is no error")
	}
	write := func(overwrite bool, formats ...string) (string, error) {
		d, err := Create(dir, formats, overwrite, "v1")
		if err != nil {
			return "", err
		}
		r := sample()
		exchanges := []audit.Exchange{{URL: "https://data.city.test/?id", Method: "GET", Status: 200,
			Sent: []string{"a"}, Set: []string{"b=[3 bytes]; Path=/"}}}
		for i := range r.States {
			if err := d.HAR(&r.States[i], exchanges); err != nil {
				t.Fatal(err)
			}
		}
		return d.Write(r)
	}
	digest, err := write(false, Formats...)
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(dir, sumsName))
	if err != nil || sum(sums) != digest || strings.Count(string(sums), "\n") != 9 {
		t.Errorf("the list is %q, %v", sums, err)
	}
	check := exec.Command("sha256sum", "--check", "--quiet", sumsName)
	check.Dir = dir
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := os.Stat(filepath.Join(dir, "requests-granted-stats-stored-1.har")); err != nil {
		t.Error(err)
	}
	if _, err := write(false); err == nil || !strings.Contains(err.Error(), "--overwrite") {
		t.Errorf("a directory with an audit: %v", err)
	}
	other := filepath.Join(dir, "note.txt")
	if err := os.WriteFile(other, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := write(true, "md"); err != nil {
		t.Fatal(err)
	}
	var left []string
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		left = append(left, e.Name())
	}
	if want := []string{sumsName, "audit.json", "audit.md", "note.txt", "wec"}; !slices.Equal(left, want) {
		t.Errorf("after --overwrite there are %q, want %q", left, want)
	}
}
