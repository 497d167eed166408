package enforcer_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// explained is a policy with a rule for each verdict.
func explained() policy.Policy {
	return policy.Policy{
		Name:    "city",
		Presets: []policy.Preset{{Name: "matomo"}},
		Allow: []policy.Rule{
			{Category: policy.Necessary, Cookies: []string{"sessionid"}, RuleOptions: policy.RuleOptions{
				Domain: []string{"example.org"}, Path: []string{"/"}, MaxAge: day, Secure: true}},
			{Category: policy.Statistical, Cookies: []string{"visits"}, RuleOptions: policy.RuleOptions{
				Anonymous: true, Consent: []string{"visits"}}},
			{Category: policy.ThirdParty, Cookies: []string{"_ga", "_ga_*"}, RuleOptions: policy.RuleOptions{
				Consent: []string{"ga", "at"}}},
		},
		Preference: []policy.Preference{{Cookies: []string{"prefs"}, Timestamp: "time", MaxAge: 183 * day}},
		Signal:     []policy.Signal{{Signal: "gpc", Categories: []policy.Category{policy.ThirdParty}}},
	}
}

// explanations are what each verdict says, as channel, cookie, verdict, reason and text.
var explanations = []struct {
	name     string
	request  http.Header
	response []string
	change   func(*policy.Policy)
	want     string
}{
	{
		name: "no preference", request: http.Header{"Cookie": {"sessionid=1; _ga=2; visits=3; stray=4; x"}},
		want: `
read sessionid let_through necessary: its category is necessary
read _ga refused not_granted: the visitor has not consented: ga and at are undecided: the visitor has no stored preference
read visits let_through not_refused: the rule is anonymous, and the visitor does not object: visits is undecided: the visitor has no stored preference
read stray refused unlisted: no rule names it
read (nameless) refused no_name: browsers read no name in it, or different ones
expire _ga expired not_granted: the browser sent it, and the visitor has not consented: ga and at are undecided: the visitor has no stored preference
`,
	},
	{
		name:    "consent",
		request: http.Header{"Cookie": {`prefs={"ga":true,"matomo":false}`}},
		response: []string{"_ga=1", "_ga_X=1", "_pk_id.1=1", "_pk_id.1=; Max-Age=0",
			"sessionid=1; Path=/; Max-Age=9999999", "sessionid=1; Domain=example.com", "sessionid=1; Path=/admin"},
		want: `
read prefs let_through necessary: it holds the visitor's preference, which makes it necessary
set _ga let_through granted: the visitor consents: ga is granted by prefs
set _ga_X let_through granted: the visitor consents: ga is granted by prefs
set _pk_id.1 refused not_granted: the visitor has not consented: matomo is refused by prefs
set _pk_id.1 deletion not_granted: every browser reads it as a deletion; it would be refused otherwise: the visitor has not consented: matomo is refused by prefs
set sessionid let_through necessary: its category is necessary [Max-Age becomes 86400, Secure is added]
set sessionid refused domain: the rule does not accept Domain=example.com; it accepts example.org (no browser stores it: its Domain does not contain the host)
set sessionid refused path: the rule does not accept Path=/admin; it accepts /
`,
	},
	{
		name:    "a contradiction",
		request: http.Header{"Cookie": {`prefs={"ga":true,"ga":false}; _ga=1; visits=2`}},
		want: `
read prefs let_through necessary: it holds the visitor's preference, which makes it necessary
read _ga refused not_granted: the visitor has not consented: ga and at are undecided: prefs is contradictory and grants nothing: a key is given twice: ga
read visits refused not_granted: the visitor has not consented: visits is undecided: prefs is contradictory and grants nothing: a key is given twice: ga
expire _ga expired not_granted: the browser sent it, and the visitor has not consented: ga and at are undecided: prefs is contradictory and grants nothing: a key is given twice: ga
expire visits expired not_granted: the browser sent it, and the visitor has not consented: visits is undecided: prefs is contradictory and grants nothing: a key is given twice: ga
`,
	},
	{
		name:    "an old preference, and a signal",
		request: http.Header{"Cookie": {`prefs={"ga":true,"time":1000000000}; _ga=1`}, "Sec-Gpc": {"1"}},
		want: `
read prefs let_through necessary: it holds the visitor's preference, which makes it necessary
read _ga refused not_granted: the visitor has not consented: ga and at are refused by Sec-GPC
expire _ga expired not_granted: the browser sent it, and the visitor has not consented: ga and at are refused by Sec-GPC
`,
	},
	{
		name:     "lines that browsers read differently",
		response: []string{"sessionid", "=1", "sessionid=1\x01", "a\x01=1", "_ga=; Max-Age=-x", "__Host-x=1", "stray\t=1; Max-Age=0"},
		want: `
set (nameless) refused no_name: browsers read no name in it, or different ones
set (nameless) refused no_name: browsers read no name in it, or different ones
set sessionid refused control_character: the line contains a control character, by which browsers end or reject it
set (nameless) refused control_character: the line contains a control character, by which browsers end or reject it
set _ga refused not_granted: the visitor has not consented: ga and at are undecided: the visitor has no stored preference (not every browser reads it as a deletion, so it does not pass as one)
set __Host-x refused unlisted: no rule names it (not every browser stores it: the prefix of its name, SameSite=None or Partitioned requires other attributes, or there is a tab in an attribute)
set stray deletion unlisted: every browser reads it as a deletion; it would be refused otherwise: no rule names it
`,
	},
	{
		name: "unlisted cookies pass", change: func(p *policy.Policy) { p.Unlisted = "pass" },
		request: http.Header{"Cookie": {"stray=1"}}, response: []string{"stray=2; Max-Age=0"},
		want: `
read stray let_through unlisted_passes: no rule names it, and the policy lets unlisted cookies pass
set stray let_through unlisted_passes: no rule names it, and the policy lets unlisted cookies pass (it is a deletion)
`,
	},
	{
		name: "mode report", change: func(p *policy.Policy) { p.Mode = "report" },
		request:  http.Header{"Cookie": {"prefs=garbage; _ga=1"}},
		response: []string{"stray=2"},
		want: `
read prefs let_through necessary: it holds the visitor's preference, which makes it necessary
read _ga would_refuse not_granted: the visitor has not consented: ga and at are undecided: prefs is unreadable and grants nothing: it is not the JSON that is wanted
set stray would_refuse unlisted: no rule names it
expire _ga would_expire not_granted: the browser sent it, and the visitor has not consented: ga and at are undecided: prefs is unreadable and grants nothing: it is not the JSON that is wanted
`,
	},
	{
		name: "the response writes the preference", request: http.Header{"Cookie": {`prefs={"ga":true}; _ga=1`}},
		response: []string{`prefs={"ga":false}; Path=/`},
		want: `
read prefs let_through necessary: it holds the visitor's preference, which makes it necessary
read _ga let_through granted: the visitor consents: ga is granted by prefs
set prefs let_through necessary: it holds the visitor's preference, which makes it necessary
expire _ga expired not_granted: the browser sent it, and the visitor has not consented: ga is refused by prefs; at is undecided: prefs does not name it
`,
	},
	{
		name: "copies that disagree", request: http.Header{"Cookie": {`prefs={"ga":true}; prefs={"at":true}; _ga=1`}},
		want: `
read prefs let_through necessary: it holds the visitor's preference, which makes it necessary
read prefs let_through necessary: it holds the visitor's preference, which makes it necessary
read _ga refused not_granted: the visitor has not consented: ga and at are undecided: not every copy of prefs grants it
expire _ga expired not_granted: the browser sent it, and the visitor has not consented: ga and at are undecided: not every copy of prefs grants it
`,
	},
	{
		name: "a choice from the future", request: http.Header{"Cookie": {`prefs={"ga":true,"time":4102444800}; _ga=1`}},
		want: `
read prefs let_through necessary: it holds the visitor's preference, which makes it necessary
read _ga refused not_granted: the visitor has not consented: ga and at are undecided: prefs is from the future and counts as no choice
expire _ga expired not_granted: the browser sent it, and the visitor has not consented: ga and at are undecided: prefs is from the future and counts as no choice
`,
	},
	{
		name: "preferences that do not name a key", request: http.Header{"Cookie": {`prefs={}; second={}; third={}; _ga=1`}},
		change: func(p *policy.Policy) {
			p.Preference = append(p.Preference, policy.Preference{Cookies: []string{"second", "third"}})
		},
		want: `
read prefs let_through necessary: it holds the visitor's preference, which makes it necessary
read second let_through necessary: it holds the visitor's preference, which makes it necessary
read third let_through necessary: it holds the visitor's preference, which makes it necessary
read _ga refused not_granted: the visitor has not consented: ga and at are undecided: prefs, second and third do not name it
expire _ga expired not_granted: the browser sent it, and the visitor has not consented: ga and at are undecided: prefs, second and third do not name it
`,
	},
}

// What a line's Domain means to browsers is unknown where the host is.
func TestExplainWithoutHost(t *testing.T) {
	x := compiled(t, explained()).Explain(enforcer.Request{}, http.Header{"Set-Cookie": {"sessionid=1; Domain=example.org"}})
	if notes := x.Verdicts[0].Notes; len(notes) > 0 {
		t.Errorf("got %q", notes)
	}
}

// What browsers do is told of the line that they get: the changed one, but in mode report.
func TestExplainMended(t *testing.T) {
	line := "sessionid=1; Domain=portal.example; SameSite=None"
	for mode, want := range map[string][]string{
		policy.ModeEnforce: nil,
		policy.ModeReport: {"not every browser stores it: the prefix of its name, SameSite=None or Partitioned requires other " +
			"attributes, or there is a tab in an attribute"},
	} {
		x := explainCase(t, func(p *policy.Policy) {
			p.Mode = mode
			p.Allow[0].Domain = nil
			p.RewriteDomain = []policy.Rewrite{{From: "portal.example", To: "example.org"}}
		}, nil, []string{line})
		if v := x.Verdicts[0]; !slices.Equal(v.Notes, want) || len(v.Changes) != 2 {
			t.Errorf("mode %s: %+v", mode, v)
		}
	}
}

func explainCase(tb testing.TB, change func(*policy.Policy), request http.Header, response []string) *enforcer.Explanation {
	p := explained()
	if change != nil {
		change(&p)
	}
	request = request.Clone()
	if request == nil {
		request = http.Header{}
	}
	request.Set("Sec-Fetch-Mode", "navigate")
	header := http.Header{"Set-Cookie": slices.Clone(response)}
	return compiled(tb, p).Explain(
		enforcer.Request{Header: request, Host: "data.example.org", HTTPS: true}, header)
}

func TestExplain(t *testing.T) {
	reasons := map[enforcer.Reason]bool{}
	for _, c := range explanations {
		x := explainCase(t, c.change, c.request, c.response)
		got := "\n"
		for _, v := range x.Verdicts {
			reasons[v.Reason] = true
			got += fmt.Sprintf("%s %s %s %s: %s", v.Channel, v.Cookie, v.Verdict, v.Reason, v.Text)
			if len(v.Changes) > 0 {
				got += fmt.Sprintf(" [%s]", strings.Join(v.Changes, ", "))
			}
			if len(v.Notes) > 0 {
				got += fmt.Sprintf(" (%s)", strings.Join(v.Notes, ", "))
			}
			got += "\n"
		}
		if got != c.want {
			t.Errorf("%s: got%s\nwant%s", c.name, got, c.want)
		}
	}
	for r := enforcer.RuleIsNecessary; r <= enforcer.NoName; r++ {
		if !reasons[r] {
			t.Errorf("no case has the reason %s", r)
		}
	}
}

// The whole explanation, as data.
func TestExplainData(t *testing.T) {
	made := noon.Add(-24 * time.Hour)
	x := explainCase(t, func(p *policy.Policy) { p.Preference[0].Persist = "/" }, http.Header{
		"Cookie":  {fmt.Sprintf(`prefs={"ga":true,"matomo":false,"time":%d}; _pk_id.1=1`, made.Unix())},
		"Sec-Gpc": {"1"},
	}, []string{"_ga=1"})
	x.Digest = ""
	got, err := json.MarshalIndent(x, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/explanation.json")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != strings.TrimSpace(string(want)) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// No value of a cookie is in an explanation, whatever its place.
func TestExplainValues(t *testing.T) {
	const secret = "S3CR3T"
	for _, preference := range []string{
		secret, `{"ga":"` + secret + `"}`, `{"` + secret + `":true,"` + secret + `":1}`, "%" + secret, `"` + secret,
	} {
		x := explainCase(t, nil, http.Header{"Cookie": {"prefs=" + preference + "; _ga=" + secret + "; " + secret}},
			[]string{"_ga=" + secret, "sessionid=" + secret + "\x01", secret, "=" + secret, "prefs=" + preference})
		b, err := json.Marshal(x)
		if err != nil || strings.Contains(string(b), secret) {
			t.Errorf("%s, %v", b, err)
		}
	}
}

// FuzzExplain passes the same lines through a Visit that is traced and through one that is not. Both
// leave the same headers, and each verdict of the explanation is what became of its line.
func FuzzExplain(f *testing.F) {
	for _, c := range explanations {
		f.Add(strings.Join(c.response, "\n"), strings.Join(c.request["Cookie"], "\n"), false, true)
	}
	f.Fuzz(func(t *testing.T, text, cookies string, reports, https bool) {
		p := explained()
		if reports {
			p.Mode = policy.ModeReport
		}
		e := compiled(t, p)
		request := func() http.Header {
			return http.Header{"Cookie": strings.Split(cookies, "\n"), "Sec-Fetch-Mode": {"navigate"}}
		}
		lines := strings.Split(text, "\n")
		plain, traced := request(), request()
		left, header := http.Header{"Set-Cookie": slices.Clone(lines)}, http.Header{"Set-Cookie": slices.Clone(lines)}
		visit := e.Visit(enforcer.Request{Header: plain, Host: "data.example.org", HTTPS: https})
		visit.FilterRequest()
		visit.CompleteResponse(left)
		x := e.Explain(enforcer.Request{Header: traced, Host: "data.example.org", HTTPS: https}, header)
		if !reflect.DeepEqual(plain, traced) || !reflect.DeepEqual(left, header) {
			t.Fatalf("with an explanation %q, %q; without %q, %q", traced, header, plain, left)
		}
		kept := left["Set-Cookie"]
		n, read, removals := 0, 0, 0
		for _, v := range x.Verdicts {
			switch {
			case v.Channel == "read" && v.Verdict != "refused":
				read++
			case v.Channel == "expire" && v.Verdict == "expired":
				removals += len(v.Removed)
			}
			if v.Channel != "set" {
				continue
			}
			line := lines[n]
			n++
			refused := v.Verdict == "refused"
			if reports && refused || !reports && v.Verdict == "would_refuse" {
				t.Errorf("%q in mode report %t: %s", line, reports, v.Verdict)
			}
			if refused {
				continue
			}
			if len(kept) == 0 || len(v.Changes) == 0 && kept[0] != line {
				t.Fatalf("%q is %s, and what is left is %q", line, v.Verdict, kept)
			}
			kept = kept[1:]
		}
		if n != len(lines) {
			t.Errorf("%d verdicts for %d lines", n, len(lines))
		}
		if removals != len(kept) {
			t.Errorf("%d removals, and the lines %q", removals, kept)
		}
		if sent := countPairs(plain["Cookie"]); read != sent {
			t.Errorf("%d cookies are let through, and %d of %q are sent: %q", read, sent, cookies, plain["Cookie"])
		}
	})
}

// countPairs counts the cookies of Cookie headers. Empty pairs are none.
func countPairs(headers []string) (n int) {
	for _, header := range headers {
		for pair := range strings.SplitSeq(header, ";") {
			if strings.Trim(pair, " \t") != "" {
				n++
			}
		}
	}
	return n
}

// BenchmarkExplain is the cost of an explanation, which nobody pays who does not ask.
func BenchmarkExplain(b *testing.B) {
	e := compiled(b, explained())
	b.ReportAllocs()
	for b.Loop() {
		e.Explain(enforcer.Request{
			Header: http.Header{"Cookie": {`prefs={"ga":true}; _ga=1; sessionid=2`}}, Host: "data.example.org",
		}, http.Header{"Set-Cookie": {"_ga=1", "sessionid=2; Path=/", "stray=3"}})
	}
}
