package enforcer

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// faultsOf returns what is wrong with a policy, each as the field's path and the offending word.
func faultsOf(t *testing.T, p Policy) []string {
	t.Helper()
	e, err := Compile(p, atNoon)
	if (e == nil) != (err != nil) {
		t.Errorf("compiling returned %v and the error %v", e, err)
	}
	if err == nil {
		return nil
	}
	var faults Faults
	if !errors.As(err, &faults) {
		t.Fatalf("%v is not a list of faults", err)
	}
	var all []string
	for _, f := range faults {
		if f.Problem == "" || f.Right == "" || !strings.Contains(f.Error(), f.Problem) || !strings.Contains(f.Error(), f.Right) || !strings.HasPrefix(f.Error(), f.Path) {
			t.Errorf("the fault %#v does not say what is wrong, and what would be right: %v", f, f)
		}
		all = append(all, f.Path+" "+f.Word)
	}
	if lines := strings.Split(err.Error(), "\n"); len(lines) != len(all) {
		t.Errorf("%d faults were told in %d lines", len(all), len(lines))
	}
	return all
}

func TestEachFaultOfAPolicyIsFound(t *testing.T) {
	rule := func(names ...string) []Rule { return []Rule{{Category: ThirdParty, Cookies: names}} }
	with := func(o RuleOptions) Policy {
		return Policy{Allow: []Rule{{Category: Statistical, Cookies: []string{"a"}, RuleOptions: o}}}
	}
	preset := func(name string, o RuleOptions) Policy { return Policy{Presets: []Preset{{name, o}}} }
	long := strings.Repeat("x", 4097)
	for _, c := range []struct {
		what   string
		policy Policy
		want   string
	}{
		{"no rule", Policy{}, " "},
		{"no rule, though unlisted cookies pass", Policy{Unlisted: UnlistedPass}, " "},
		{"no rule, though there is a preference", Policy{Preference: []Preference{{Cookies: []string{"a"}}}}, " "},
		{"a blank in the policy's name", Policy{Name: "a b", Allow: rule("a")}, "name a b"},
		{"a quote in the policy's name", Policy{Name: `a"`, Allow: rule("a")}, `name a"`},
		{"a line end in the policy's name", Policy{Name: "a\n", Allow: rule("a")}, "name a\n"},
		{"a name that is too long", Policy{Name: long[:65], Allow: rule("a")}, "name " + long[:65]},
		{"an unknown preset", preset("nobody", RuleOptions{}), "presets[0] nobody"},
		{"a preset without a name", preset("", RuleOptions{}), "presets[0] "},
		{"a preset in another case", preset("Matomo", RuleOptions{}), "presets[0] Matomo"},
		{"a preset twice", Policy{Presets: []Preset{{Name: "matomo"}, {Name: "piano"}, {Name: "matomo"}}}, "presets[2] matomo"},
		{"an anonymous preset without statistics", preset("opendatasoft", RuleOptions{Anonymous: true}), "presets[0].anonymous anonymous"},
		{"consent for a preset of necessary cookies", preset("load_balancing", RuleOptions{Consent: []string{"k"}}), "presets[0].consent k"},
		{"a fault in a preset's options", preset("matomo", RuleOptions{Path: []string{"x"}}), "presets[0].path[0] x"},
		{"no category", Policy{Allow: []Rule{{Cookies: []string{"a"}}}}, "allow[0].category "},
		{"an unknown category", Policy{Allow: []Rule{{Category: "marketing", Cookies: []string{"a"}}}}, "allow[0].category marketing"},
		{"a category in another case", Policy{Allow: []Rule{{Category: "Necessary", Cookies: []string{"a"}}}}, "allow[0].category Necessary"},
		{"a rule without cookies", Policy{Allow: []Rule{{Category: Necessary}}}, "allow[0].cookies "},
		{"an empty name", Policy{Allow: rule("a", "")}, "allow[0].cookies[1] "},
		{"a name with an equals sign", Policy{Allow: rule("a=b")}, "allow[0].cookies[0] a=b"},
		{"a name with a semicolon", Policy{Allow: rule("a;b")}, "allow[0].cookies[0] a;b"},
		{"a name with a control character", Policy{Allow: rule("a\x01")}, "allow[0].cookies[0] a\x01"},
		{"a name with a tab", Policy{Allow: rule("a\tb")}, "allow[0].cookies[0] a\tb"},
		{"a name with a blank before it", Policy{Allow: rule(" a")}, "allow[0].cookies[0]  a"},
		{"a name with a blank behind it", Policy{Allow: rule("a ")}, "allow[0].cookies[0] a "},
		{"a name longer than browsers store", Policy{Allow: rule(long)}, "allow[0].cookies[0] " + long},
		{"a name twice in a rule", Policy{Allow: rule("a", "b", "a")}, "allow[0].cookies[2] a"},
		{"a name twice in the block", Policy{Allow: append(rule("a"), rule("b", "a")...)}, "allow[1].cookies[1] a"},
		{"a wildcard twice in the block", Policy{Allow: append(rule("a*"), rule("a*")...)}, "allow[1].cookies[0] a*"},
		{"an anonymous rule that is not statistical", Policy{Allow: []Rule{{Category: FirstParty, Cookies: []string{"a"}, RuleOptions: RuleOptions{Anonymous: true}}}}, "allow[0].anonymous anonymous"},
		{"consent for a necessary rule", Policy{Allow: []Rule{{Category: Necessary, Cookies: []string{"a"}, RuleOptions: RuleOptions{Consent: []string{"k"}}}}}, "allow[0].consent k"},
		{"an empty consent key", with(RuleOptions{Consent: []string{""}}), "allow[0].consent[0] "},
		{"a consent key with a control character", with(RuleOptions{Consent: []string{"k\n"}}), "allow[0].consent[0] k\n"},
		{"a consent key twice", with(RuleOptions{Consent: []string{"k", "k"}}), "allow[0].consent[1] k"},
		{"an empty domain", with(RuleOptions{Domain: []string{""}}), "allow[0].domain[0] "},
		{"a dot for a domain", with(RuleOptions{Domain: []string{"."}}), "allow[0].domain[0] ."},
		{"two dots before a domain", with(RuleOptions{Domain: []string{"..a"}}), "allow[0].domain[0] ..a"},
		{"two dots within a domain", with(RuleOptions{Domain: []string{"a..b"}}), "allow[0].domain[0] a..b"},
		{"a domain with a port", with(RuleOptions{Domain: []string{"a:80"}}), "allow[0].domain[0] a:80"},
		{"a domain with a scheme", with(RuleOptions{Domain: []string{"https://a"}}), "allow[0].domain[0] https://a"},
		{"a domain with a wildcard", with(RuleOptions{Domain: []string{"*.a"}}), "allow[0].domain[0] *.a"},
		{"a domain that is not ASCII", with(RuleOptions{Domain: []string{"é.fr"}}), "allow[0].domain[0] é.fr"},
		{"a domain twice", with(RuleOptions{Domain: []string{"a", "a"}}), "allow[0].domain[1] a"},
		{"a path without a slash", with(RuleOptions{Path: []string{"x"}}), "allow[0].path[0] x"},
		{"an empty path", with(RuleOptions{Path: []string{""}}), "allow[0].path[0] "},
		{"a path with a semicolon", with(RuleOptions{Path: []string{"/a;b"}}), "allow[0].path[0] /a;b"},
		{"a path with a control character", with(RuleOptions{Path: []string{"/\x7f"}}), "allow[0].path[0] /\x7f"},
		{"a path with a blank behind it", with(RuleOptions{Path: []string{"/a "}}), "allow[0].path[0] /a "},
		{"a path longer than browsers take", with(RuleOptions{Path: []string{"/" + long[:1024]}}), "allow[0].path[0] /" + long[:1024]},
		{"a path twice", with(RuleOptions{Path: []string{"/", "/"}}), "allow[0].path[1] /"},
		{"a negative lifetime", with(RuleOptions{Lifetime: -day}), "allow[0].lifetime -1d"},
		{"an empty purpose", with(RuleOptions{Purpose: []Purpose{{"en", ""}}}), "allow[0].purpose[0] "},
		{"a purpose in no language", with(RuleOptions{Purpose: []Purpose{{"in English", "x"}}}), "allow[0].purpose[0] in English"},
		{"a purpose in a language of one letter", with(RuleOptions{Purpose: []Purpose{{"e", "x"}}}), "allow[0].purpose[0] e"},
		{"a purpose in a language of digits", with(RuleOptions{Purpose: []Purpose{{"12", "x"}}}), "allow[0].purpose[0] 12"},
		{"a purpose in a language with an empty subtag", with(RuleOptions{Purpose: []Purpose{{"en-", "x"}}}), "allow[0].purpose[0] en-"},
		{"two purposes in a language", with(RuleOptions{Purpose: []Purpose{{"en", "x"}, {"en", "y"}}}), "allow[0].purpose[1] en"},
		{"two purposes without a language", with(RuleOptions{Purpose: []Purpose{{"", "x"}, {"", "y"}}}), "allow[0].purpose[1] y"},
		{"a preference without cookies", Policy{Allow: rule("a"), Preference: []Preference{{}}}, "preference[0].cookies "},
		{"a preference with a wildcard", Policy{Allow: rule("a"), Preference: []Preference{{Cookies: []string{"p*"}}}}, "preference[0].cookies[0] p*"},
		{"a preference under no name", Policy{Allow: rule("a"), Preference: []Preference{{Cookies: []string{""}}}}, "preference[0].cookies[0] "},
		{"a preference twice", Policy{Allow: rule("a"), Preference: []Preference{{Cookies: []string{"p"}}, {Cookies: []string{"q", "p"}, Format: "json"}}}, "preference[1].cookies[1] p"},
		{"a preference in an unknown format", Policy{Allow: rule("a"), Preference: []Preference{{Cookies: []string{"p"}, Format: "yaml"}}}, "preference[0].format yaml"},
		{"a preference that needs consent", Policy{Allow: rule("a", "p"), Preference: []Preference{{Cookies: []string{"p"}}}}, "allow[0].cookies[1] p"},
		{"a preference that needs consent, of the preset and of the block", Policy{
			Presets: []Preset{{Name: "opendatasoft"}}, Allow: rule("cookies_preferences"), Preference: []Preference{{Cookies: []string{"cookies_preferences"}}},
		}, "allow[0].cookies[0] cookies_preferences"},
		{"a preset's preference that needs consent", Policy{Presets: []Preset{{Name: "opendatasoft"}}, Allow: rule("cookies_preferences")}, "allow[0].cookies[0] cookies_preferences"},
		{"an unknown word for unlisted cookies", Policy{Allow: rule("a"), Unlisted: "allow"}, "unlisted allow"},
		{"an unknown mode", Policy{Allow: rule("a"), Mode: "dry-run"}, "mode dry-run"},
	} {
		t.Run(c.what, func(t *testing.T) {
			if got := faultsOf(t, c.policy); !slices.Equal(got, []string{c.want}) {
				t.Errorf("the faults are %.200q, want %.200q", got, c.want)
			}
		})
	}
}

func TestAllFaultsAreToldAtOnce(t *testing.T) {
	got := faultsOf(t, Policy{
		Name:    "my policy",
		Presets: []Preset{{Name: "nobody", RuleOptions: RuleOptions{Domain: []string{"a/b"}}}, {Name: "matomo"}, {Name: "matomo"}},
		Allow: []Rule{
			{Category: "marketing", Cookies: []string{"a", "b=c"}, RuleOptions: RuleOptions{Consent: []string{"", "k", "k"}, Path: []string{"x"}, Lifetime: -1}},
			{Category: Necessary, RuleOptions: RuleOptions{Anonymous: true}},
			{Category: ThirdParty, Cookies: []string{"a"}},
		},
		Preference: []Preference{{Cookies: []string{"p*"}, Format: "yaml"}},
		Unlisted:   "maybe",
		Mode:       "later",
	})
	for _, want := range []string{
		"name my policy", "presets[0] nobody", "presets[0].domain[0] a/b", "presets[2] matomo", "allow[0].category marketing", "allow[0].cookies[1] b=c",
		"allow[0].consent[0] ", "allow[0].consent[2] k", "allow[0].path[0] x", "allow[0].lifetime -1ns", "allow[1].cookies ", "allow[1].anonymous anonymous",
		"allow[2].cookies[0] a", "preference[0].cookies[0] p*", "preference[0].format yaml", "unlisted maybe", "mode later",
	} {
		i := slices.Index(got, want)
		if i < 0 {
			t.Fatalf("%q is not among the faults that are left: %q", want, got)
		}
		got = got[i+1:]
	}
}

func TestEachFeatureMakesAValidPolicy(t *testing.T) {
	rule := Rule{Category: Statistical, Cookies: []string{"a"}}
	with := func(o RuleOptions) Policy {
		r := rule
		r.RuleOptions = o
		return Policy{Allow: []Rule{r}}
	}
	for _, c := range []struct {
		what   string
		policy Policy
	}{
		{"a preset alone", Policy{Presets: []Preset{{Name: "opendatasoft"}}}},
		{"a preset with options", Policy{Presets: []Preset{{"matomo", RuleOptions{Consent: []string{"k"}, Anonymous: true, Domain: []string{"a"}, Path: []string{"/"}, Lifetime: day, Provider: "p", Purpose: []Purpose{{"", "x"}}}}}}},
		{"a rule alone", Policy{Allow: []Rule{rule}}},
		{"a name", Policy{Name: "Paris.data-1_x", Allow: []Rule{rule}}},
		{"a name as long as they may be", Policy{Name: strings.Repeat("x", 64), Allow: []Rule{rule}}},
		{"each category", Policy{Allow: []Rule{{Category: Necessary, Cookies: []string{"a"}}, {Category: Statistical, Cookies: []string{"b"}}, {Category: FirstParty, Cookies: []string{"c"}}, {Category: ThirdParty, Cookies: []string{"d"}}}}},
		{"names of any kind", allowing("a", "A", "a*", "*a", "*", "a b", "é", `"a"`, "a,b", "a/b", "__Host-a", strings.Repeat("x", 4096))},
		{"a preset's name in the block", Policy{Presets: []Preset{{Name: "matomo"}}, Allow: []Rule{{Category: Necessary, Cookies: []string{"_pk_id*"}}}}},
		{"a preset's preference as a necessary cookie", Policy{Presets: []Preset{{Name: "opendatasoft"}}, Allow: []Rule{{Category: Necessary, Cookies: []string{"cookies_preferences"}}}}},
		{"consent", with(RuleOptions{Consent: []string{"k", "K", "my key", "é"}})},
		{"anonymous", with(RuleOptions{Anonymous: true})},
		{"domains", with(RuleOptions{Domain: []string{"example.org", ".example.org", "localhost", "127.0.0.1", "xn--bcher-kva.example", "a_b.example", "EXAMPLE.com", "example.net."}})},
		{"paths", with(RuleOptions{Path: []string{"/", "/a", "/a/", "/é", "/a b,c=d"}})},
		{"a path as long as browsers take", with(RuleOptions{Path: []string{"/" + strings.Repeat("x", 1023)}})},
		{"a lifetime", with(RuleOptions{Lifetime: thirteenMonths})},
		{"a provider", with(RuleOptions{Provider: "Matomo, self-hosted"})},
		{"purposes", with(RuleOptions{Purpose: []Purpose{{"", "x"}, {"en", "x"}, {"pt-BR", "x"}, {"zh-Hant-TW", "x"}, {"de-1996", "x"}}})},
		{"preferences", Policy{Allow: []Rule{rule}, Preference: []Preference{{Cookies: []string{"p", "q"}}, {Cookies: []string{"r"}, Format: FormatJSON}}}},
		{"a preference that is a necessary cookie", Policy{Allow: []Rule{{Category: Necessary, Cookies: []string{"p"}}}, Preference: []Preference{{Cookies: []string{"p"}}}}},
		{"a preset's preference read anew", Policy{Presets: []Preset{{Name: "opendatasoft"}}, Preference: []Preference{{Cookies: []string{"cookies_preferences"}}}}},
		{"unlisted cookies block", Policy{Allow: []Rule{rule}, Unlisted: UnlistedBlock}},
		{"unlisted cookies pass", Policy{Allow: []Rule{rule}, Unlisted: UnlistedPass}},
		{"a mode", Policy{Allow: []Rule{rule}, Mode: ModeEnforce}},
	} {
		t.Run(c.what, func(t *testing.T) {
			if got := faultsOf(t, c.policy); got != nil {
				t.Errorf("the faults are %q", got)
			}
		})
	}
}

func TestPresetsHoldWhatIsPublished(t *testing.T) {
	want := []struct {
		name      string
		cookies   []string
		lifetimes map[string]Duration
		category  Category
		keys      []string
		prefers   []string
	}{
		{
			name: "opendatasoft", category: Necessary, cookies: []string{"sessionid", "csrftoken", "cookies_preferences", "django_language"},
			lifetimes: map[string]Duration{"sessionid": 14 * day, "csrftoken": 365 * day, "cookies_preferences": 183 * day, "django_language": 365 * day},
			prefers:   []string{"cookies_preferences"},
		},
		{name: "matomo", category: Statistical, keys: []string{"matomo"}, cookies: []string{
			"_pk_id*", "_pk_ses*", "_pk_ref*", "_pk_cvar*", "_pk_hsr*", "_pk_uid*", "_pk_testcookie*", "mtm_consent*", "matomo_ignore", "matomo_sessid", "piwik_ignore",
		}},
		{name: "google_analytics", category: Statistical, keys: []string{"ga"}, cookies: []string{"_ga", "_ga_*", "_gid", "_gat*"}},
		{name: "at_internet", category: Statistical, keys: []string{"at", "xiti"}, cookies: []string{"atidvisitor", "atreman", "atredir", "atsession", "atuserid", "atid"}},
		{name: "piano", category: Statistical, keys: []string{"piano"}, cookies: []string{"_pcid", "_pctx", "pa_user", "pa_privacy", "pa_vid"}},
		{name: "eulerian", category: Statistical, keys: []string{"eulerian"}, cookies: []string{"etuix"}},
		{name: "load_balancing", category: Necessary, cookies: []string{"AWSALB*", "BIGipServer*", "TS01*", "SERVERID", "ROUTEID", "lb", "__cf_bm"}},
	}
	for _, w := range want {
		t.Run(w.name, func(t *testing.T) {
			if !slices.Contains(Presets(), w.name) {
				t.Fatal("there is no such preset")
			}
			p, _ := presetNamed(w.name)
			var cookies, prefers []string
			for _, r := range p.rules {
				if r.Category != w.category || !slices.Equal(r.Consent, w.keys) || r.Anonymous {
					t.Errorf("%q are %s, of the keys %q, anonymous %t", r.Cookies, r.Category, r.Consent, r.Anonymous)
				}
				for _, name := range r.Cookies {
					if lifetime, published := w.lifetimes[name]; published && r.Lifetime != lifetime {
						t.Errorf("%s lives %s, want %s", name, r.Lifetime, lifetime)
					}
				}
				cookies = append(cookies, r.Cookies...)
			}
			for _, preference := range p.preference {
				if preference.withDefaults().Format != FormatJSON {
					t.Errorf("%q are read as %s", preference.Cookies, preference.withDefaults().Format)
				}
				prefers = append(prefers, preference.Cookies...)
			}
			slices.Sort(cookies)
			slices.Sort(w.cookies)
			if !slices.Equal(cookies, w.cookies) || !slices.Equal(prefers, w.prefers) {
				t.Errorf("the cookies are %q, those of preferences %q", cookies, prefers)
			}
		})
	}
}

func TestEachPresetMakesAValidPolicy(t *testing.T) {
	if len(Presets()) == 0 {
		t.Fatal("there is no preset")
	}
	var all Policy
	for _, name := range Presets() {
		all.Presets = append(all.Presets, Preset{Name: name})
		known, ok := presetNamed(name)
		if !ok {
			t.Fatalf("%s is not found", name)
		}
		if got := faultsOf(t, Policy{Presets: []Preset{{Name: name}}}); got != nil {
			t.Errorf("the faults of %s are %q", name, got)
		}
		if got := faultsOf(t, Policy{Allow: known.rules, Preference: known.preference}); got != nil {
			t.Errorf("the faults of %s, spelled out, are %q", name, got)
		}
	}
	if got := faultsOf(t, all); got != nil {
		t.Errorf("the faults of all together are %q", got)
	}
}

func TestAPolicyIsReadBackFromItsJSON(t *testing.T) {
	var n int
	var full Policy
	fill(reflect.ValueOf(&full).Elem(), &n)
	for _, want := range []Policy{
		{}, full,
		{Presets: []Preset{{Name: "opendatasoft"}, {Name: "matomo", RuleOptions: RuleOptions{Lifetime: day}}, {Name: `"quoted" <&>`}}},
	} {
		b, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got Policy
		if err := json.Unmarshal(b, &got); err != nil {
			t.Errorf("%s is not read back: %v", b, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s was read back as %+v", b, got)
		}
	}
}

// fill gives each field of a policy that stands in its JSON a value of its own.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fill(v.Field(i), n)
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.String:
		v.SetString(fmt.Sprint("word", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n) * int64(time.Hour))
	default:
		panic("a policy is plain data, and has no " + v.Kind().String())
	}
}

func TestAPresetInJSONIsANameOrAnObject(t *testing.T) {
	for text, want := range map[string]Preset{
		`"matomo"`:                              {Name: "matomo"},
		`{"name":"matomo"}`:                     {Name: "matomo"},
		`{"name":"matomo","consent":["stats"]}`: {"matomo", RuleOptions{Consent: []string{"stats"}}},
	} {
		var got Preset
		if err := json.Unmarshal([]byte(text), &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s was read as %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{`1`, `[]`, `{"name":"matomo","nobody":1}`, `{"name":1}`, `{"name":"matomo","category":"necessary"}`} {
		var got Preset
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("%s was read as %+v", text, got)
		}
	}
	if b, err := json.Marshal(Preset{Name: "matomo"}); err != nil || string(b) != `"matomo"` {
		t.Errorf("a preset without options is written as %s, %v", b, err)
	}
}

// complete is a policy with something in every place that counts for its digest.
func complete() Policy {
	return Policy{
		Name:    "paris",
		Presets: []Preset{{"matomo", RuleOptions{Consent: []string{"m"}}}, {Name: "piano"}},
		Allow: []Rule{
			{Category: Statistical, Cookies: []string{"a", "b"}, RuleOptions: RuleOptions{
				Consent: []string{"k"}, Domain: []string{"example.org"}, Path: []string{"/"}, Lifetime: day, Provider: "p", Purpose: []Purpose{{"en", "x"}},
			}},
			{Category: ThirdParty, Cookies: []string{"c"}},
		},
		Preference: []Preference{{Cookies: []string{"prefs"}}},
	}
}

func TestTheDigestTellsPoliciesApart(t *testing.T) {
	digest := func(change func(*Policy)) string {
		p := complete()
		change(&p)
		return compiled(t, p).Digest()
	}
	original := digest(func(*Policy) {})
	if len(original) != 64 || strings.Trim(original, "0123456789abcdef") != "" {
		t.Errorf("%q are not 64 hexadecimal digits", original)
	}
	for what, change := range map[string]func(*Policy){
		"nothing":                        func(*Policy) {},
		"another name":                   func(p *Policy) { p.Name = "dashboard" },
		"no name":                        func(p *Policy) { p.Name = "" },
		"the default for unlisted":       func(p *Policy) { p.Unlisted = UnlistedBlock },
		"the default mode":               func(p *Policy) { p.Mode = ModeEnforce },
		"the default format":             func(p *Policy) { p.Preference[0].Format = FormatJSON },
		"a preset's own option, written": func(p *Policy) { p.Presets[1].Consent = []string{"piano"} },
	} {
		if got := digest(change); got != original {
			t.Errorf("%s changes the digest", what)
		}
	}
	seen := map[string]string{original: "nothing"}
	for what, change := range map[string]func(*Policy){
		"unlisted":                 func(p *Policy) { p.Unlisted = UnlistedPass },
		"a preset less":            func(p *Policy) { p.Presets = p.Presets[:1] },
		"a preset more":            func(p *Policy) { p.Presets = append(p.Presets, Preset{Name: "eulerian"}) },
		"presets in another order": func(p *Policy) { slices.Reverse(p.Presets) },
		"a preset's option":        func(p *Policy) { p.Presets[0].Consent[0] = "n" },
		"a preset's provider":      func(p *Policy) { p.Presets[1].Provider = "n" },
		"a rule less":              func(p *Policy) { p.Allow = p.Allow[:1] },
		"rules in another order":   func(p *Policy) { slices.Reverse(p.Allow) },
		"a category":               func(p *Policy) { p.Allow[1].Category = FirstParty },
		"a cookie":                 func(p *Policy) { p.Allow[1].Cookies[0] = "d" },
		"a cookie's case":          func(p *Policy) { p.Allow[1].Cookies[0] = "C" },
		"a cookie less":            func(p *Policy) { p.Allow[0].Cookies = p.Allow[0].Cookies[:1] },
		"a cookie more":            func(p *Policy) { p.Allow[0].Cookies = append(p.Allow[0].Cookies, "d") },
		"consent":                  func(p *Policy) { p.Allow[0].Consent[0] = "l" },
		"no consent key":           func(p *Policy) { p.Allow[0].Consent = nil },
		"anonymous":                func(p *Policy) { p.Allow[0].Anonymous = true },
		"a domain":                 func(p *Policy) { p.Allow[0].Domain[0] = "example.com" },
		"no domain":                func(p *Policy) { p.Allow[0].Domain = nil },
		"a path":                   func(p *Policy) { p.Allow[0].Path[0] = "/x" },
		"a lifetime":               func(p *Policy) { p.Allow[0].Lifetime++ },
		"a provider":               func(p *Policy) { p.Allow[0].Provider = "q" },
		"a purpose's text":         func(p *Policy) { p.Allow[0].Purpose[0].Text = "y" },
		"a purpose's language":     func(p *Policy) { p.Allow[0].Purpose[0].Language = "fr" },
		"a preference":             func(p *Policy) { p.Preference[0].Cookies[0] = "choices" },
		"no preference":            func(p *Policy) { p.Preference = nil },
	} {
		got := digest(change)
		if other, taken := seen[got]; taken {
			t.Errorf("%s and %s have one digest", what, other)
		}
		seen[got] = what
	}
}

func TestAPolicyWithoutANameIsNamedByItsDigest(t *testing.T) {
	p := complete()
	if got := compiled(t, p).Name(); got != "paris" {
		t.Errorf("the name is %q", got)
	}
	p.Name = ""
	if e := compiled(t, p); e.Name() != e.Digest()[:8] {
		t.Errorf("the name is %q, the digest %q", e.Name(), e.Digest())
	}
}

func TestCompilingLeavesThePolicyAsItWas(t *testing.T) {
	p := complete()
	p.Presets = append(p.Presets, Preset{Name: "opendatasoft"})
	compiled(t, p)
	want := complete()
	want.Presets = append(want.Presets, Preset{Name: "opendatasoft"})
	if !reflect.DeepEqual(p, want) {
		t.Errorf("the policy became %+v", p)
	}
}
