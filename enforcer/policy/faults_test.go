package policy

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// faultsOf returns the faults of a policy, each as the field's path and the offending word. It checks
// that each of them says what is wrong and what would be right, and that Resolve returns the same.
func faultsOf(t *testing.T, p Policy) []string {
	t.Helper()
	faults := p.Faults()
	r, err := p.Resolve()
	if (r == nil) != (err != nil) {
		t.Errorf("Resolve returned %v and the error %v", r, err)
	}
	if len(faults) == 0 {
		if err != nil {
			t.Errorf("Resolve returned %v for a policy without faults", err)
		}
		return nil
	}
	var resolved Faults
	if !errors.As(err, &resolved) || !slices.Equal(resolved, faults) {
		t.Errorf("Resolve returned %v, want %v", err, faults)
	}
	var all []string
	for _, f := range faults {
		text := f.Error()
		if f.Problem == "" || f.Right == "" || !strings.HasPrefix(text, f.Path) ||
			!strings.Contains(text, f.Problem) || !strings.Contains(text, f.Right) {
			t.Errorf("the fault %#v reads %q", f, text)
		}
		all = append(all, f.Path+" "+f.Word)
	}
	if lines := strings.Split(err.Error(), "\n"); len(lines) != len(all) {
		t.Errorf("%d faults are reported in %d lines", len(all), len(lines))
	}
	return all
}

type faultCase struct {
	name   string
	policy Policy
	want   []string
}

func testFaults(t *testing.T, cases []faultCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := faultsOf(t, c.policy); !slices.Equal(got, c.want) {
				t.Errorf("the faults are %.200q, want %.200q", got, c.want)
			}
		})
	}
}

// allowing returns a policy with one rule.
func allowing(category Category, o RuleOptions, names ...string) Policy {
	return Policy{Allow: []Rule{{Category: category, Cookies: names, RuleOptions: o}}}
}

// rule returns a policy with one rule for third-party cookies.
func rule(names ...string) Policy { return allowing(ThirdParty, RuleOptions{}, names...) }

func TestPolicyFaults(t *testing.T) {
	named := func(name string) Policy {
		p := rule("a")
		p.Name = name
		return p
	}
	long := strings.Repeat("x", 4097)
	testFaults(t, []faultCase{
		{"no rule", Policy{}, []string{" "}},
		{"no rule, unlisted pass", Policy{Unlisted: UnlistedPass}, []string{" "}},
		{"no rule, a preference", Policy{Preference: []Preference{{Cookies: []string{"a"}}}},
			[]string{" "}},

		{"name with a blank", named("a b"), []string{"name a b"}},
		{"name with a quote", named(`a"`), []string{`name a"`}},
		{"name with a line end", named("a\n"), []string{"name a\n"}},
		{"name with a slash", named("a/b"), []string{"name a/b"}},
		{"name that is not ASCII", named("é"), []string{"name é"}},
		{"name of one dot", named("."), []string{"name ."}},
		{"name of two dots", named(".."), []string{"name .."}},
		{"name of 65 bytes", named(long[:65]), []string{"name " + long[:65]}},

		{"category missing", Policy{Allow: []Rule{{Cookies: []string{"a"}}}},
			[]string{"allow[0].category "}},
		{"category unknown", allowing("marketing", RuleOptions{}, "a"),
			[]string{"allow[0].category marketing"}},
		{"category in another case", allowing("Necessary", RuleOptions{}, "a"),
			[]string{"allow[0].category Necessary"}},

		{"cookies missing", rule(), []string{"allow[0].cookies "}},
		{"cookie without a name", rule("a", ""), []string{"allow[0].cookies[1] "}},
		{"cookie with an equals sign", rule("a=b"), []string{"allow[0].cookies[0] a=b"}},
		{"cookie with a semicolon", rule("a;b"), []string{"allow[0].cookies[0] a;b"}},
		{"cookie with a control character", rule("a\x01"), []string{"allow[0].cookies[0] a\x01"}},
		{"cookie with a tab", rule("a\tb"), []string{"allow[0].cookies[0] a\tb"}},
		{"cookie with a blank before it", rule(" a"), []string{"allow[0].cookies[0]  a"}},
		{"cookie with a blank behind it", rule("a "), []string{"allow[0].cookies[0] a "}},
		{"cookie longer than browsers store", rule(long), []string{"allow[0].cookies[0] " + long}},
		{"cookie twice in a rule", rule("a", "b", "a"), []string{"allow[0].cookies[2] a"}},
		{"cookie twice in the block", Policy{Allow: append(rule("a").Allow, rule("b", "a").Allow...)},
			[]string{"allow[1].cookies[1] a"}},
		{"wildcard twice in the block", Policy{Allow: append(rule("a*").Allow, rule("a*").Allow...)},
			[]string{"allow[1].cookies[0] a*"}},

		{"unlisted unknown", Policy{Allow: rule("a").Allow, Unlisted: "allow"},
			[]string{"unlisted allow"}},
		{"mode unknown", Policy{Allow: rule("a").Allow, Mode: "dry-run"}, []string{"mode dry-run"}},
		{"lifetimes unknown", Policy{Allow: rule("a").Allow, Lifetimes: "cut"},
			[]string{"lifetimes cut"}},
		{"shared_cache unknown", Policy{Allow: rule("a").Allow, SharedCache: "private"},
			[]string{"shared_cache private"}},
	})
}

func TestPolicyFaultsAllAtOnce(t *testing.T) {
	p := Policy{
		Name: "my policy",
		Presets: []Preset{
			{Name: "nobody", RuleOptions: RuleOptions{Domain: []string{"a/b"}}},
			{Name: "matomo"}, {Name: "matomo"},
		},
		Allow: []Rule{
			{Category: "marketing", Cookies: []string{"a", "b=c"}, RuleOptions: RuleOptions{
				Consent: []string{"", "k", "k"}, Path: []string{"x"}, Lifetime: -1}},
			{Category: Necessary, RuleOptions: RuleOptions{Anonymous: true}},
			{Category: ThirdParty, Cookies: []string{"a"}},
		},
		Preference:    []Preference{{Cookies: []string{"p*"}, Format: "yaml"}},
		Signal:        []Signal{{Signal: "p3p"}},
		Unlisted:      "maybe",
		Mode:          "later",
		Lifetimes:     "cut",
		RewriteDomain: []Rewrite{{From: "co.uk"}},
		SharedCache:   "private",
	}
	want := []string{
		"name my policy", "presets[0] nobody", "presets[0].domain[0] a/b", "presets[2] matomo",
		"allow[0].category marketing", "allow[0].cookies[1] b=c", "allow[0].consent[0] ",
		"allow[0].consent[2] k", "allow[0].path[0] x", "allow[0].lifetime -1ns",
		"allow[1].cookies ", "allow[1].anonymous anonymous", "allow[2].cookies[0] a",
		"preference[0].cookies[0] p*", "preference[0].format yaml",
		"signal[0].signal p3p", "signal[0].categories p3p",
		"unlisted maybe", "mode later", "lifetimes cut", "rewrite_domain[0].from co.uk",
		"shared_cache private",
	}
	if got := faultsOf(t, p); !slices.Equal(got, want) {
		t.Errorf("the faults are\n%q, want\n%q", got, want)
	}
}

func TestPolicyFaultsNone(t *testing.T) {
	statistical := Rule{Category: Statistical, Cookies: []string{"a"}}
	change := func(change func(*Policy)) Policy {
		p := Policy{Allow: []Rule{statistical}}
		change(&p)
		return p
	}
	all := RuleOptions{
		Consent: []string{"k"}, Anonymous: true, Domain: []string{"a"}, Path: []string{"/"}, Lifetime: day,
		MaxAge: Duration(time.Second), Secure: true, HTTPOnly: true, SameSite: SameSiteStrict,
		Provider: "p", Purpose: []Text{{"", "x"}},
	}
	portal := []Preset{{Name: "opendatasoft"}}
	ownPreference := allowing(Necessary, RuleOptions{}, "p")
	ownPreference.Preference = []Preference{{Cookies: []string{"p"}}}
	testFaults(t, []faultCase{
		{"a preset alone", Policy{Presets: portal}, nil},
		{"a preset with options", withPreset("matomo", all), nil},
		{"a rule alone", Policy{Allow: []Rule{statistical}}, nil},
		{"a rule with options", options(all), nil},
		{"a name", change(func(p *Policy) { p.Name = "Paris.data-1_x" }), nil},
		{"a name of each kind of byte", change(func(p *Policy) { p.Name = "AZaz09.-_" }), nil},
		{"a name of 64 bytes", change(func(p *Policy) { p.Name = strings.Repeat("x", 64) }), nil},
		{"a name of three dots", change(func(p *Policy) { p.Name = "..." }), nil},
		{"each category", Policy{Allow: []Rule{
			{Category: Necessary, Cookies: []string{"a"}}, {Category: Statistical, Cookies: []string{"b"}},
			{Category: FirstParty, Cookies: []string{"c"}}, {Category: ThirdParty, Cookies: []string{"d"}},
		}}, nil},
		{"cookies of any kind", allowing(Necessary, RuleOptions{},
			"a", "A", "a*", "*a", "*", "a b", "é", `"a"`, "a,b", "a/b", "__Host-a",
			strings.Repeat("x", 4096)), nil},
		{"a preset's name in the block", Policy{Presets: []Preset{{Name: "matomo"}},
			Allow: allowing(Necessary, RuleOptions{}, "_pk_id*").Allow}, nil},
		{"a preset's preference as a necessary cookie", Policy{Presets: portal,
			Allow: allowing(Necessary, RuleOptions{}, "cookies_preferences").Allow}, nil},
		{"consent", options(RuleOptions{Consent: []string{"k", "K", "my key", "é"}}), nil},
		{"anonymous", options(RuleOptions{Anonymous: true}), nil},
		{"domains", options(RuleOptions{Domain: []string{
			"example.org", ".example.org", "localhost", "127.0.0.1", "xn--bcher-kva.example",
			"a_b.example", "EXAMPLE.com", "example.net.",
		}}), nil},
		{"paths", options(RuleOptions{Path: []string{"/", "/a", "/a/", "/é", "/a b,c=d"}}), nil},
		{"a path of 1024 bytes", options(RuleOptions{Path: []string{"/" + strings.Repeat("x", 1023)}}), nil},
		{"a __Host- cookie with a path beside /",
			allowing(Necessary, RuleOptions{Path: []string{"/app", "/"}}, "__Host-a"), nil},
		{"a lifetime", options(RuleOptions{Lifetime: thirteenMonths}), nil},
		{"a lifetime of a second", options(RuleOptions{Lifetime: Duration(time.Second)}), nil},
		{"same_site none", options(RuleOptions{SameSite: SameSiteNone}), nil},
		{"same_site lax", options(RuleOptions{SameSite: SameSiteLax}), nil},
		{"a provider in two lines", options(RuleOptions{Provider: "Matomo\nself-hosted"}),
			[]string{"allow[0].provider Matomo\nself-hosted"}},
		{"a provider that is not UTF-8", options(RuleOptions{Provider: "Mat\xff"}),
			[]string{"allow[0].provider Mat\xff"}},
		{"a provider that is too long", options(RuleOptions{Provider: strings.Repeat("x", maxText+1)}),
			[]string{"allow[0].provider " + strings.Repeat("x", maxText+1)}},
		{"a provider", options(RuleOptions{Provider: "Matomo, self-hosted"}), nil},
		{"purposes", options(RuleOptions{Purpose: []Text{
			{"", "x"}, {"en", "x"}, {"pt-BR", "x"}, {"zh-Hant-TW", "x"},
			{"de-1996", "x"}, {"x-abcdefgh", "x"},
		}}), nil},
		{"preferences", preferring(Preference{Cookies: []string{"p", "q"}},
			Preference{Cookies: []string{"r"}, Format: FormatJSON}), nil},
		{"a preference with each option of json", preferring(Preference{
			Cookies: []string{"p"}, Format: FormatJSON, Path: "a.b", Base64: true,
			Granted: []string{"y", AnyTime}, Timestamp: "a.t", MaxAge: day, Persist: "/x"}), nil},
		{"a preference with each option of pairs", preferring(Preference{
			Cookies: []string{"p"}, Format: FormatPairs, Separator: "|", Assignment: ":", ListKey: "groups",
			Granted: []string{"y"}, Timestamp: "t", MaxAge: day, Persist: "/"}), nil},
		{"a preference with each option of a list", preferring(Preference{
			Cookies: []string{"p"}, Format: FormatList, Separator: "|", Granted: []string{"all"}}), nil},
		{"a preference with each option of a flag", preferring(Preference{
			Cookies: []string{"p"}, Format: FormatFlag, Value: "yes", Keys: []string{"k", "l"}}), nil},
		{"a preference that is a necessary cookie", ownPreference, nil},
		{"a preset's preference read anew", Policy{Presets: portal,
			Preference: []Preference{{Cookies: []string{"cookies_preferences"}}}}, nil},
		{"unlisted block", change(func(p *Policy) { p.Unlisted = UnlistedBlock }), nil},
		{"unlisted pass", change(func(p *Policy) { p.Unlisted = UnlistedPass }), nil},
		{"mode enforce", change(func(p *Policy) { p.Mode = ModeEnforce }), nil},
		{"mode report", change(func(p *Policy) { p.Mode = ModeReport }), nil},
		{"lifetimes report", change(func(p *Policy) { p.Lifetimes = LifetimesReport }), nil},
		{"lifetimes enforce", change(func(p *Policy) { p.Lifetimes = LifetimesEnforce }), nil},
		{"shared_cache protect", change(func(p *Policy) { p.SharedCache = SharedCacheProtect }), nil},
		{"shared_cache keep", change(func(p *Policy) { p.SharedCache = SharedCacheKeep }), nil},
	})
}

// Faults describe a policy and do not change it.
func TestPolicyFaultsChangeNothing(t *testing.T) {
	p, want := complete(), complete()
	if faults := p.Faults(); len(faults) > 0 {
		t.Fatal(faults)
	}
	if !reflect.DeepEqual(p, want) {
		t.Errorf("the policy became %+v", p)
	}
}

func TestFaultError(t *testing.T) {
	long := strings.Repeat("x", 81)
	for _, c := range []struct {
		fault          Fault
		message, error string
	}{
		{Fault{}, "", ""},
		{Fault{Problem: "bad"}, "bad", "bad"},
		{Fault{Problem: "bad", Right: "do good"}, "bad; do good", "bad; do good"},
		{Fault{"allow[0]", "w\n", "bad", "do good", ""}, `"w\n": bad; do good`, `allow[0]: "w\n": bad; do good`},
		{Fault{Path: "mode", Problem: "bad"}, "bad", "mode: bad"},
		{Fault{Word: long[:80], Problem: "bad"}, `"` + long[:80] + `": bad`, `"` + long[:80] + `": bad`},
		{Fault{Word: long, Problem: "bad"}, `"` + long[:80] + `"…: bad`, `"` + long[:80] + `"…: bad`},
	} {
		if got := c.fault.Message(); got != c.message {
			t.Errorf("the message of %#v is %q, want %q", c.fault, got, c.message)
		}
		if got := c.fault.Error(); got != c.error {
			t.Errorf("the error of %#v is %q, want %q", c.fault, got, c.error)
		}
	}
	if got := (Faults{{Path: "a", Problem: "b"}, {Problem: "c"}}).Error(); got != "a: b\nc" {
		t.Errorf("two faults read %q", got)
	}
	if got := Faults(nil).Error(); got != "" {
		t.Errorf("no fault reads %q", got)
	}
}

// The words of a fault that lists what would be right, and those of each kind of bad name.
func TestFaultTexts(t *testing.T) {
	for _, c := range []struct {
		policy Policy
		want   string
	}{
		{Policy{Allow: rule("a").Allow, Mode: "x"}, `mode: "x": no such mode; want enforce or report`},
		{preferring(Preference{Cookies: []string{"p"}, Format: "x"}),
			`preference[0].format: "x": no such format; want json, pairs, list or flag`},
		{preferring(Preference{Cookies: []string{"p"}, Value: "x"}),
			`preference[0].value: "x": the format json has no such thing; it belongs to flag`},
		{preferring(Preference{Cookies: []string{"p"}},
			Preference{Cookies: []string{"p"}, Format: FormatList}),
			`preference[1].cookies[0]: "p": this preference is read in two formats, json and list; ` +
				`keep one of the two; the first is preference[0].cookies[0]`},
		{preferring(Preference{Cookies: []string{"p"}}, Preference{Cookies: []string{"p"}}),
			`preference[1].cookies[0]: "p": this preference is named twice; keep one of the two; ` +
				`the first is preference[0].cookies[0]`},
		{Policy{Allow: rule("a").Allow, Mode: "Report"}, `mode: "Report": this word is all lower case; write report`},
		{Policy{Allow: rule("a").Allow, Mode: "reprt"},
			`mode: "reprt": no such mode; did you mean report? want enforce or report`},
		{options(RuleOptions{Domain: []string{"a.example", "b.example", "a.example"}}),
			`allow[0].domain[2]: "a.example": this is given twice; keep one of the two; ` +
				`the first is allow[0].domain[0]`},
		{Policy{Presets: []Preset{{Name: "piano"}, {Name: "matomo"}, {Name: "matomo"}}},
			`presets[2]: "matomo": this preset is named twice; keep one of the two; the first is presets[1]`},
		{Policy{Name: "a b", Allow: rule("a").Allow},
			`name: "a b": a name cannot hold " "; use letters, digits, dots, hyphens and underscores`},
		{rule("a=b"), `allow[0].cookies[0]: "a=b": no browser stores a name that holds = or ;; ` +
			`write the name as it stands before the = of Set-Cookie`},
		{rule(" a"), `allow[0].cookies[0]: " a": browsers trim blanks around a name; ` +
			`write the name as it stands before the = of Set-Cookie`},
		{options(RuleOptions{Domain: []string{"co.uk"}}), `allow[0].domain[0]: "co.uk": ` +
			`no browser takes a public suffix for a Domain: it belongs to many owners; ` +
			`write a name below it, such as example.co.uk`},
	} {
		if got := c.policy.Faults().Error(); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}
