package enforcer_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// withConsent returns a rule that needs one of the keys.
func withConsent(category policy.Category, cookie string, keys ...string) policy.Rule {
	return policy.Rule{Category: category, Cookies: []string{cookie},
		RuleOptions: policy.RuleOptions{Consent: keys}}
}

// anonymous returns a rule that lets its cookie through until one of the keys is refused.
func anonymous(cookie string, keys ...string) policy.Rule {
	r := withConsent(policy.Statistical, cookie, keys...)
	r.Anonymous = true
	return r
}

func TestQuestions(t *testing.T) {
	prefs := policy.Preference{Cookies: []string{"prefs"}}
	flag := policy.Preference{Cookies: []string{"flag"}, Format: policy.FormatFlag, Value: "yes"}
	two := flag
	two.Keys = []string{"a", "c", "other"}
	necessary := policy.Rule{Category: policy.Necessary, Cookies: []string{"sessionid"}}
	for _, c := range []struct {
		name        string
		rules       []policy.Rule
		preferences []policy.Preference
		want        []string // keys: cookies: categories, and a question mark for consent
	}{
		{"necessary rules", []policy.Rule{necessary}, nil, nil},
		{"one rule", []policy.Rule{necessary, withConsent(policy.ThirdParty, "x", "a")}, nil,
			[]string{"a: x: third_party?"}},
		{"a rule without keys", []policy.Rule{withConsent(policy.ThirdParty, "x")}, nil,
			[]string{"third_party: x: third_party?"}},
		{"a rule with two keys", []policy.Rule{withConsent(policy.Statistical, "x", "b", "a")}, nil,
			[]string{"b a: x: statistical?"}},
		{"rules with a key of their own", []policy.Rule{withConsent(policy.Statistical, "x", "b"),
			withConsent(policy.Statistical, "y", "a")}, nil,
			[]string{"b: x: statistical?", "a: y: statistical?"}},
		{"rules that share a key", []policy.Rule{withConsent(policy.Statistical, "x", "at", "xiti"),
			withConsent(policy.FirstParty, "z", "z"), withConsent(policy.ThirdParty, "y", "at")}, nil,
			[]string{"at xiti: x y: statistical third_party?", "z: z: first_party?"}},
		{"rules that share keys with a third", []policy.Rule{withConsent(policy.Statistical, "x", "a"),
			withConsent(policy.Statistical, "y", "b"), withConsent(policy.Statistical, "z", "b", "a")}, nil,
			[]string{"a b: x y z: statistical?"}},
		{"an anonymous rule", []policy.Rule{anonymous("x", "a")}, nil, []string{"a: x: statistical!"}},
		{"an anonymous rule and another", []policy.Rule{anonymous("x", "a"),
			withConsent(policy.Statistical, "y", "a")}, nil, []string{"a: x y: statistical?"}},
		{"a flag for all keys", []policy.Rule{withConsent(policy.Statistical, "x", "a"),
			withConsent(policy.ThirdParty, "y", "b")}, []policy.Preference{prefs, flag},
			[]string{"a b: x y: statistical third_party?"}},
		{"a flag for two keys", []policy.Rule{withConsent(policy.Statistical, "x", "a"),
			withConsent(policy.Statistical, "y", "b"), withConsent(policy.Statistical, "z", "c")},
			[]policy.Preference{prefs, two}, []string{"a c: x z: statistical?", "b: y: statistical?"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := compiled(t, policy.Policy{Allow: c.rules, Preference: c.preferences})
			var got []string
			for _, q := range e.Questions() {
				var cookies, categories []string
				for _, r := range q.Rules {
					cookies = append(cookies, r.Cookies...)
				}
				for _, category := range q.Categories {
					categories = append(categories, string(category))
				}
				kind := map[bool]string{false: "?", true: "!"}[q.Objection]
				got = append(got, strings.Join(q.Keys, " ")+": "+strings.Join(cookies, " ")+": "+
					strings.Join(categories, " ")+kind)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("the questions are %q, want %q", got, c.want)
			}
		})
	}
}

// Keys that the policy calls one switch have one question, with what it says about them.
func TestQuestionsSwitches(t *testing.T) {
	title := func(text string) []policy.Text { return []policy.Text{{Text: text}} }
	e := compiled(t, policy.Policy{
		Allow: []policy.Rule{withConsent(policy.Statistical, "x", "a"), withConsent(policy.Statistical, "y", "b"),
			withConsent(policy.Statistical, "z", "c", "d"), withConsent(policy.Statistical, "v", "e")},
		Key: []policy.Key{{Keys: []string{"d"}, Title: title("D")}, {Keys: []string{"b", "a"}, Title: title("BA")},
			{Keys: []string{"c"}, Title: title("C")}},
	})
	var got []string
	for _, q := range e.Questions() {
		text := strings.Join(q.Keys, " ") + ":"
		for _, k := range q.Switches {
			text += " " + k.Title[0].Text
		}
		got = append(got, text)
	}
	if want := []string{"a b: BA", "c d: D C", "e:"}; !slices.Equal(got, want) {
		t.Errorf("the questions are %q, want %q", got, want)
	}
}

// answeredAll answers every question of a policy.
func answeredAll(e *enforcer.Enforcer, granted bool) enforcer.Answers {
	answers := enforcer.Answers{}
	for _, q := range e.Questions() {
		answers.Answer(&q, granted)
	}
	return answers
}

// chooseIn answers in a request, and returns the lines that store it.
func chooseIn(t *testing.T, visit *enforcer.Visit, answers enforcer.Answers) []string {
	t.Helper()
	lines, err := visit.Choose(answers)
	if err != nil {
		t.Fatalf("the answers %v cannot be written: %v", answers, err)
	}
	return lines
}

// What follows in lines that remove a cookie over HTTPS.
const (
	thirdParty  = "; Secure; SameSite=None"
	partitioned = thirdParty + "; Partitioned"
)

func TestChooseLines(t *testing.T) {
	const value = "cookies_preferences=%7B%22functional_cookies%22%3Atrue%2C%22matomo%22%3Atrue%2C" +
		"%22timestamp%22%3A1768478400000%7D"
	ods := func(change func(p *policy.Policy)) policy.Policy {
		p := policy.Policy{Presets: []policy.Preset{{Name: "opendatasoft"}, {Name: "matomo"}}}
		change(&p)
		return p
	}
	as := func(o policy.RuleOptions) policy.Policy {
		return ods(func(p *policy.Policy) {
			p.Allow = []policy.Rule{{Category: policy.Necessary, Cookies: []string{"cookies_preferences"},
				RuleOptions: o}}
		})
	}
	plain := ods(func(*policy.Policy) {})
	named := func(name string) policy.Policy {
		return policy.Policy{Presets: []policy.Preset{{Name: "matomo"}},
			Preference: []policy.Preference{{Cookies: []string{name}}}}
	}
	for _, c := range []struct {
		name    string
		policy  policy.Policy
		request enforcer.Request
		want    []string
	}{
		{"over HTTP", plain, enforcer.Request{Host: "data.city.example"},
			[]string{value + "; Path=/; Max-Age=15811200; SameSite=Lax"}},
		{"over HTTPS", plain, enforcer.Request{Host: "data.city.example:8443", HTTPS: true},
			[]string{value + "; Path=/; Max-Age=15811200; SameSite=Lax; Secure"}},
		{"where there is a copy", plain, enforcer.Request{Host: "data.city.example",
			Header: navigation("cookies_preferences=")}, []string{
			"cookies_preferences=; Path=/; Domain=data.city.example" + expired,
			value + "; Path=/; Max-Age=15811200; SameSite=Lax"}},
		{"where there is a copy, over HTTPS", plain, enforcer.Request{Host: "data.city.example", HTTPS: true,
			Header: navigation("cookies_preferences=")}, []string{
			"cookies_preferences=; Path=/" + expired + partitioned,
			"cookies_preferences=; Path=/; Domain=data.city.example" + expired + thirdParty,
			"cookies_preferences=; Path=/; Domain=data.city.example" + expired + partitioned,
			value + "; Path=/; Max-Age=15811200; SameSite=Lax; Secure"}},
		{"on an address", plain, enforcer.Request{Host: "127.0.0.1", Header: navigation("cookies_preferences=")},
			[]string{value + "; Path=/; Max-Age=15811200; SameSite=Lax"}},
		{"with domains and paths", as(policy.RuleOptions{Domain: []string{"city.example"},
			Path: []string{"/", "/explore"}}), enforcer.Request{Host: "data.city.example",
			Header: navigation("cookies_preferences=")}, []string{
			"cookies_preferences=; Path=/; Domain=data.city.example" + expired,
			"cookies_preferences=; Path=/; Domain=city.example" + expired,
			"cookies_preferences=; Path=/explore" + expired,
			"cookies_preferences=; Path=/explore; Domain=data.city.example" + expired,
			"cookies_preferences=; Path=/explore; Domain=city.example" + expired,
			value + "; Path=/; Max-Age=15811200; SameSite=Lax"}},
		{"with a path that is not the root", as(policy.RuleOptions{Path: []string{"/portal"}}),
			enforcer.Request{Host: "data.city.example"},
			[]string{value + "; Path=/portal; Max-Age=15811200; SameSite=Lax"}},
		{"as the rule asks", as(policy.RuleOptions{MaxAge: 30 * day, SameSite: "strict", Secure: true}),
			enforcer.Request{Host: "data.city.example", HTTPS: true},
			[]string{value + "; Path=/; Max-Age=2592000; SameSite=Strict; Secure"}},
		{"where the host's own domain is rewritten", ods(func(p *policy.Policy) {
			p.RewriteDomain = []policy.Rewrite{{From: "data.city.example"}}
		}), enforcer.Request{Host: "data.city.example", Header: navigation("cookies_preferences=")}, []string{
			"cookies_preferences=; Path=/; Domain=data.city.example" + expired,
			value + "; Path=/; Max-Age=15811200; SameSite=Lax"}},
		{"without a max_age", named("prefs"), enforcer.Request{Host: "data.city.example"},
			[]string{"prefs=%7B%22matomo%22%3Atrue%7D; Path=/; Max-Age=15811200; SameSite=Lax"}},
		{"with a prefix", named("__Host-prefs"), enforcer.Request{Host: "data.city.example", HTTPS: true,
			Header: navigation("__Host-prefs={}")}, []string{"__Host-prefs=; Path=/" + expired + partitioned,
			"__Host-prefs=%7B%22matomo%22%3Atrue%7D; Path=/; Max-Age=15811200; SameSite=Lax; Secure"}},
		{"with the prefix of a cookie that scripts do not see", named("__Http-prefs"),
			enforcer.Request{Host: "data.city.example", HTTPS: true}, []string{
				"__Http-prefs=%7B%22matomo%22%3Atrue%7D; Path=/; Max-Age=15811200; SameSite=Lax; Secure; HttpOnly"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := compiled(t, c.policy)
			visit := e.Visit(c.request)
			got := chooseIn(t, &visit, answeredAll(e, true))
			if !slices.Equal(got, c.want) {
				t.Errorf("the lines are\n%s, want\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
			// The response's filter has nothing to change, however often it is passed.
			header := http.Header{"Set-Cookie": slices.Clone(got)}
			for range 2 {
				visit.CompleteResponse(header)
				if filtered := header["Set-Cookie"]; !slices.Equal(filtered, got) {
					t.Errorf("the filter makes %q of %q", filtered, got)
				}
			}
		})
	}
}

// The cookie of each tool that can be written has the life and the attributes that the tool needs.
func TestChooseTools(t *testing.T) {
	const life = "; Path=/; Max-Age=15811200; SameSite=Lax"
	for preset, want := range map[string][]string{
		"govuk": {`cookies_policy={"essential":true,"a":false}` + life, "cookies_preferences_set=true" + life},
		"klaro": {"klaro=%7B%22a%22%3Afalse%7D" + life}, "tarteaucitron": {"tarteaucitron=!a=false" + life},
		"django_cookie_consent": {"cookie_consent=a=-1" + life + "; HttpOnly"},
		"aspnet":                {".AspNet.Consent=no" + life},
	} {
		e := compiled(t, policy.Policy{Presets: []policy.Preset{{Name: preset}},
			Allow: []policy.Rule{withConsent(policy.Statistical, "x", "a")}})
		visit := visitWith(e)
		if got := chooseIn(t, &visit, answeredAll(e, false)); !slices.Equal(got, want) {
			t.Errorf("%s: the lines are %q, want %q", preset, got, want)
		}
	}
	// A preference of one's own in place of a preset's leaves its other cookies unnamed.
	e := compiled(t, policy.Policy{Preference: []policy.Preference{{Cookies: []string{"cookies_policy"}}},
		Allow: []policy.Rule{withConsent(policy.Statistical, "x", "a")}})
	visit := visitWith(e)
	want := []string{`cookies_policy={"essential":true,"a":false}` + life}
	if got := chooseIn(t, &visit, answeredAll(e, false)); !slices.Equal(got, want) {
		t.Errorf("without the rule for its other cookie, the lines are %q, want %q", got, want)
	}
}

// The response that stores a choice already acts on it.
func TestChooseJudges(t *testing.T) {
	p := portalPolicy()
	p.Allow = append(p.Allow, anonymous("counter", "counts"))
	e := compiled(t, p)
	const grants = "cookies_preferences=%7B%22matomo%22%3Atrue%2C%22ga%22%3Atrue%7D"
	for _, c := range []struct {
		name    string
		cookies string
		answers enforcer.Answers
		sets    []string // by the names of the response's other lines
		expires []string
	}{
		{"a refusal", grants + "; _pk_id.1=x; _ga=y; counter=z",
			enforcer.Answers{"matomo": false, "ga": false, "counts": false}, nil, []string{"_pk_id.1", "_ga", "counter"}},
		{"a withdrawal of one", grants + "; _pk_id.1=x; _ga=y; counter=z",
			enforcer.Answers{"matomo": false, "ga": true}, []string{"_ga", "counter"}, []string{"_pk_id.1"}},
		{"an objection", "counter=z", enforcer.Answers{"counts": false}, nil, []string{"counter"}},
		{"a grant", "_ga=y", enforcer.Answers{"matomo": true, "ga": true, "counts": true},
			[]string{"_pk_id.1", "_ga", "counter"}, nil},
		{"a choice in place of one that cannot be read", "cookies_preferences=%7B; _ga=y; _pk_id.1=x",
			enforcer.Answers{"ga": true}, []string{"_ga", "counter"}, []string{"_pk_id.1"}},
		{"a refusal, of two copies", grants + "; " + grants + "; _ga=y",
			enforcer.Answers{"matomo": false, "ga": false}, []string{"counter"}, []string{"_ga"}},
	} {
		for _, mode := range [][]string{nil, {"navigate"}, {"cors"}} {
			t.Run(c.name, func(t *testing.T) {
				header := http.Header{"Cookie": {c.cookies}}
				if mode != nil {
					header["Sec-Fetch-Mode"] = mode
				}
				visit := e.Visit(enforcer.Request{Header: header, Host: "data.city.example"})
				visit.FilterRequest()
				lines := chooseIn(t, &visit, c.answers)
				response := http.Header{"Location": {"/cookies"},
					"Set-Cookie": slices.Concat(lines, []string{"_pk_id.1=1", "_ga=1", "counter=1"})}
				visit.CompleteResponse(response)
				got := response["Set-Cookie"]
				if !slices.Equal(got[:len(lines)], lines) {
					t.Fatalf("the lines %q became %q", lines, got)
				}
				var sets, expires []string
				for _, line := range got[len(lines):] {
					name, _, _ := strings.Cut(line, "=")
					switch {
					case !strings.Contains(line, "Max-Age=0"):
						sets = append(sets, name)
					case !slices.Contains(expires, name):
						expires = append(expires, name)
					}
				}
				if !slices.Equal(sets, c.sets) {
					t.Errorf("the response sets %q, want %q", sets, c.sets)
				}
				if !slices.Equal(expires, c.expires) {
					t.Errorf("the response expires %q, want %q", expires, c.expires)
				}
			})
		}
	}
}

// A page that stores no choice is told by its request or its type: what other handlers write opens no
// way around that.
func TestChooseMarksOneResponse(t *testing.T) {
	e := compiled(t, portalPolicy())
	request := func() enforcer.Request {
		return enforcer.Request{Header: http.Header{"Cookie": {acceptsMatomo + "; _pk_id.1=x"}}}
	}
	visit := e.Visit(request())
	lines := chooseIn(t, &visit, enforcer.Answers{"matomo": false})
	other := e.Visit(request())
	other.FilterRequest()
	header := http.Header{"Set-Cookie": slices.Clone(lines)}
	other.CompleteResponse(header)
	if got := header["Set-Cookie"]; !slices.Equal(got, lines) {
		t.Errorf("the same lines from another handler expire cookies on what is no page: %q", got)
	}
}

func TestChooseErrors(t *testing.T) {
	rules := []policy.Rule{withConsent(policy.Statistical, "x", "a", "b"), anonymous("y", "c")}
	of := func(p policy.Preference) policy.Policy {
		p.Cookies = []string{"prefs"}
		return policy.Policy{Allow: rules, Preference: []policy.Preference{p}}
	}
	secure := of(policy.Preference{})
	secure.Preference[0].Cookies = []string{"__Secure-prefs"}
	long := of(policy.Preference{})
	long.Allow = []policy.Rule{withConsent(policy.Statistical, "x", strings.Repeat("k", 5000))}
	for _, c := range []struct {
		name, cookies string
		policy        policy.Policy
		answers       enforcer.Answers
		want          string
	}{
		{"an unknown key", "", of(policy.Preference{}), enforcer.Answers{"d": true},
			`no rule of the policy asks for the consent key "d"`},
		{"half an answer", "", of(policy.Preference{}), enforcer.Answers{"b": false},
			`the consent keys ["a" "b"] have one answer, and not several`},
		{"two answers to one question", "", of(policy.Preference{}), enforcer.Answers{"a": true, "b": false},
			`the consent keys ["a" "b"] have one answer, and not several`},
		{"no preference", "", policy.Policy{Allow: rules}, enforcer.Answers{"c": true},
			"the policy names no preference in which a choice could be stored"},
		{"a list, which holds no objection", "", of(policy.Preference{Format: policy.FormatList}),
			enforcer.Answers{"c": true},
			`the preference lists only what is granted, so nobody can object to the anonymous cookies of "c"`},
		{"an array, which holds no objection", `prefs=["c"]`, of(policy.Preference{}),
			enforcer.Answers{"c": false},
			`the preference lists only what is granted, so nobody can object to the anonymous cookies of "c"`},
		{"a path from nothing", "", of(policy.Preference{Path: "p"}), enforcer.Answers{"c": true},
			`the cookie "prefs" can be changed where the browser has it, and cannot be written from nothing`},
		{"a path in what cannot be read", `prefs={"p":{}`, of(policy.Preference{Path: "p"}),
			enforcer.Answers{"c": true},
			`the cookie "prefs" can be changed where the browser has it, and cannot be written from nothing`},
		{"a path", `prefs={"p":{}}`, of(policy.Preference{Path: "p"}), enforcer.Answers{"c": true}, ""},
		{"a prefix over plain HTTP", "", secure, enforcer.Answers{"c": true},
			`browsers accept the cookie "__Secure-prefs" over HTTPS only`},
		{"keys longer than a cookie", "", long, answeredAll(compiled(t, long), true),
			`the cookie "prefs" would be longer than browsers store`},
		{"a tool's own state", "OptanonConsent=groups=c:1", policy.Policy{
			Presets: []policy.Preset{{Name: "onetrust"}}, Allow: rules}, enforcer.Answers{"c": true},
			`the cookie "OptanonConsent" also holds state of OneTrust that only OneTrust can write: ` +
				`visitors make their choices there`},
	} {
		t.Run(c.name, func(t *testing.T) {
			visit := visitWith(compiled(t, c.policy), c.cookies)
			lines, err := visit.Choose(c.answers)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != c.want || (len(lines) == 0) != (err != nil) {
				t.Errorf("the lines are %q and the error is %q, want %q", lines, got, c.want)
			}
		})
	}
}

func TestVisitDisagreeing(t *testing.T) {
	e := compiled(t, portalPolicy())
	for cookies, want := range map[string][]string{
		"": nil, acceptsMatomo: nil, acceptsMatomo + "; " + acceptsMatomo: nil,
		acceptsMatomo + "; " + refusesMatomo: {"cookies_preferences"},
	} {
		visit := visitWith(e, cookies)
		if got := visit.Disagreeing(); !slices.Equal(got, want) {
			t.Errorf("in %s, %q disagree, want %q", cookies, got, want)
		}
	}
}

// Whatever the browser sent, a choice that is written is read as it was made: with the next request,
// and over months.
func FuzzChoose(f *testing.F) {
	presets := []string{"opendatasoft", "govuk", "klaro", "tarteaucitron", "django_cookie_consent", "complianz",
		"cookieconsent", "aspnet"}
	for i := range presets {
		for _, cookies := range []string{"", acceptsMatomo, refusesMatomo + "; " + acceptsMatomo + "; _ga=1; _pk_id=2",
			`cookies_policy={"usage":true}; cookies_preferences_set=true`, "tarteaucitron=!statistics=wait!x=true",
			`klaro={"x":1}; klaro=%zz; x=y`, `cookie_consent="x=-1|statistics=2025-11-20T10:15:30+00:00"`,
			"cmplz_statistics=allow; cmplz_marketing=%", ".AspNet.Consent=yes; _ga=1",
			`cc_cookie={"categories":["x"],"consentId":"c"}; _ga`} {
			f.Add(uint8(i), true, cookies)
			f.Add(uint8(i), false, cookies)
		}
	}
	var now, later []*enforcer.Enforcer
	for _, preset := range presets {
		p := policy.Policy{Presets: []policy.Preset{{Name: preset}},
			Allow: []policy.Rule{withConsent(policy.Statistical, "_ga", "statistics"),
				withConsent(policy.ThirdParty, "_pk_*", "marketing")}}
		now = append(now, compiled(f, p))
		e, err := enforcer.Compile(p, func() time.Time { return noon.Add(182 * 24 * time.Hour) })
		if err != nil {
			f.Fatal(err)
		}
		later = append(later, e)
	}
	f.Fuzz(func(t *testing.T, which uint8, granted bool, cookies string) {
		e := now[int(which)%len(now)]
		visit := e.Visit(enforcer.Request{Header: http.Header{"Cookie": {cookies}}, Host: "data.city.example"})
		visit.FilterRequest()
		unwritable := visit.Unwritable()
		answers := answeredAll(e, granted)
		lines, err := visit.Choose(answers)
		if (err == nil) != (len(unwritable) == 0) {
			t.Fatalf("%q: %v, and before: %v", cookies, err, unwritable)
		}
		if err != nil {
			return
		}
		header := http.Header{"Set-Cookie": slices.Clone(lines)}
		visit.CompleteResponse(header)
		if got := header["Set-Cookie"]; len(got) < len(lines) || !slices.Equal(got[:len(lines)], lines) {
			t.Fatalf("the filter makes %q of %q", got, lines)
		}
		jar := map[string]string{} // of a browser without the old cookies
		for _, line := range lines {
			if pair, attributes, _ := strings.Cut(line, "; "); !strings.Contains(attributes, "Max-Age=0") {
				name, value, _ := strings.Cut(pair, "=")
				jar[name] = value
			}
		}
		var pairs []string
		for _, name := range slices.Sorted(maps.Keys(jar)) {
			pairs = append(pairs, name+"="+jar[name])
		}
		for _, e := range []*enforcer.Enforcer{e, later[int(which)%len(later)]} {
			next := visitWith(e, strings.Join(pairs, "; "))
			for key := range answers {
				state, _ := next.Consent(key)
				if (state == policy.Granted) != granted {
					t.Fatalf("%q became %q, in which %s is %v", cookies, pairs, key, state)
				}
			}
		}
	})
}
