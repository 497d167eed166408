package policy

import (
	"reflect"
	"slices"
	"testing"
)

// resolved resolves a policy without faults.
func resolved(tb testing.TB, p Policy) *Resolved {
	tb.Helper()
	r, err := p.Resolve()
	if err != nil {
		tb.Fatalf("this policy has faults: %v", err)
	}
	return r
}

func TestResolveDefaults(t *testing.T) {
	p := Policy{
		Presets: []Preset{{Name: "opendatasoft"}},
		Allow:   []Rule{{Category: FirstParty, Cookies: []string{"a"}}},
		Preference: []Preference{
			{Cookies: []string{"object"}},
			{Cookies: []string{"pairs"}, Format: FormatPairs},
			{Cookies: []string{"other_pairs"}, Format: FormatPairs, Separator: "|", Assignment: ":",
				Granted: []string{"y"}},
			{Cookies: []string{"list"}, Format: FormatList},
			{Cookies: []string{"flag"}, Format: FormatFlag, Value: "yes"},
		},
	}
	r := resolved(t, p)
	got := r.Policy()
	if got.Unlisted != UnlistedBlock || got.Mode != ModeEnforce || got.Lifetimes != LifetimesReport ||
		got.SharedCache != SharedCacheProtect || got.Presets != nil || r.Reports() {
		t.Errorf("the defaults are %+v", got)
	}
	for i, want := range []Preference{
		{Cookies: []string{"cookies_preferences"}, Format: FormatJSON, Timestamp: "timestamp",
			MaxAge: sixMonths},
		{Cookies: []string{"object"}, Format: FormatJSON},
		{Cookies: []string{"pairs"}, Format: FormatPairs, Separator: "&", Assignment: "=",
			Granted: []string{"true", "1", "yes", "allow", "accept"}},
		{Cookies: []string{"other_pairs"}, Format: FormatPairs, Separator: "|", Assignment: ":",
			Granted: []string{"y"}},
		{Cookies: []string{"list"}, Format: FormatList, Separator: ","},
		{Cookies: []string{"flag"}, Format: FormatFlag, Value: "yes"},
	} {
		preference := got.Preference[i]
		preference.place = ""
		if !reflect.DeepEqual(preference, want) {
			t.Errorf("preference %d is %+v, want %+v", i, preference, want)
		}
	}
	p.Mode, p.Unlisted = ModeReport, UnlistedPass
	p.Lifetimes, p.SharedCache = LifetimesEnforce, SharedCacheKeep
	r = resolved(t, p)
	got = r.Policy()
	if got.Unlisted != UnlistedPass || got.Mode != ModeReport || got.Lifetimes != LifetimesEnforce ||
		got.SharedCache != SharedCacheKeep || !r.Reports() {
		t.Errorf("the words became %+v", got)
	}
}

func TestResolvePresetOptions(t *testing.T) {
	all := RuleOptions{
		Consent: []string{"stats"}, Anonymous: true, Domain: []string{"example.org"}, Path: []string{"/x"},
		Lifetime: day, MaxAge: 2 * day, Secure: true, HTTPOnly: true, SameSite: SameSiteStrict, Provider: "p",
		Origin:   []string{"https://cdn.example.org"},
		Function: []Text{{"en", "f"}}, Purpose: []Text{{"en", "x"}},
	}
	for _, c := range []struct {
		name    string
		options RuleOptions
		want    func(*RuleOptions)
	}{
		{"none", RuleOptions{}, func(*RuleOptions) {}},
		{"consent", RuleOptions{Consent: all.Consent}, func(o *RuleOptions) { o.Consent = all.Consent }},
		{"anonymous", RuleOptions{Anonymous: true}, func(o *RuleOptions) { o.Anonymous = true }},
		{"domain", RuleOptions{Domain: all.Domain}, func(o *RuleOptions) { o.Domain = all.Domain }},
		{"origin", RuleOptions{Origin: all.Origin}, func(o *RuleOptions) { o.Origin = all.Origin }},
		{"path", RuleOptions{Path: all.Path}, func(o *RuleOptions) { o.Path = all.Path }},
		{"lifetime", RuleOptions{Lifetime: day}, func(o *RuleOptions) { o.Lifetime = day }},
		{"max_age", RuleOptions{MaxAge: 2 * day}, func(o *RuleOptions) { o.MaxAge = 2 * day }},
		{"secure", RuleOptions{Secure: true}, func(o *RuleOptions) { o.Secure = true }},
		{"http_only", RuleOptions{HTTPOnly: true}, func(o *RuleOptions) { o.HTTPOnly = true }},
		{"same_site", RuleOptions{SameSite: SameSiteStrict},
			func(o *RuleOptions) { o.SameSite = SameSiteStrict }},
		{"provider", RuleOptions{Provider: "p"}, func(o *RuleOptions) { o.Provider = "p" }},
		{"lifetime session", RuleOptions{Lifetime: Session}, func(o *RuleOptions) { o.Lifetime = Session }},
		{"function", RuleOptions{Function: all.Function}, func(o *RuleOptions) { o.Function = all.Function }},
		{"purpose", RuleOptions{Purpose: all.Purpose}, func(o *RuleOptions) { o.Purpose = all.Purpose }},
		{"all", all, func(o *RuleOptions) { *o = all }},
	} {
		t.Run(c.name, func(t *testing.T) {
			known, _ := presetNamed("google_analytics")
			rules := resolved(t, withPreset(known.name, c.options)).Rules()
			if len(rules) != len(known.rules) {
				t.Fatalf("%d rules became %d", len(known.rules), len(rules))
			}
			for i, r := range rules {
				want := known.rules[i].RuleOptions
				if c.want(&want); !reflect.DeepEqual(r.RuleOptions, want) {
					t.Errorf("%s has the options %+v, want %+v", r.Label(), r.RuleOptions, want)
				}
			}
		})
	}
}

// Options that no rule of today's presets shows.
func TestRuleWith(t *testing.T) {
	o := RuleOptions{Consent: []string{"k"}, Anonymous: true}
	if r := (Rule{Category: Necessary}).with(o); r.Consent != nil || r.Anonymous {
		t.Errorf("a necessary rule became %+v", r)
	}
	all := Rule{Category: Statistical, RuleOptions: RuleOptions{
		Consent: []string{"k"}, Anonymous: true, Domain: []string{"a"}, Path: []string{"/"}, Lifetime: day,
		MaxAge: day, Secure: true, HTTPOnly: true, SameSite: SameSiteLax, Provider: "p",
		Purpose: []Text{{"en", "x"}},
	}}
	if r := all.with(RuleOptions{}); !reflect.DeepEqual(r, all) {
		t.Errorf("without options a rule became %+v", r)
	}
	if r := (Rule{Category: ThirdParty}).with(o); !slices.Equal(r.Consent, o.Consent) || r.Anonymous {
		t.Errorf("a third-party rule became %+v", r)
	}
}

func TestResolveSignals(t *testing.T) {
	one := Policy{Allow: rule("a").Allow, Signal: []Signal{
		{SignalGPC, []Category{Statistical, ThirdParty, FirstParty}}, {SignalDNT, []Category{ThirdParty}},
	}}
	several := one
	several.Signal = []Signal{
		{SignalGPC, []Category{Statistical}}, {SignalDNT, []Category{ThirdParty}},
		{SignalGPC, []Category{ThirdParty, Statistical}}, {SignalGPC, []Category{FirstParty}},
		{SignalDNT, []Category{ThirdParty}},
	}
	want, got := resolved(t, one), resolved(t, several)
	if !reflect.DeepEqual(got.Policy().Signal, one.Signal) {
		t.Errorf("the signals are %v, want %v", got.Policy().Signal, one.Signal)
	}
	if got.Digest() != want.Digest() {
		t.Error("several lines of a signal have another digest than one")
	}
}

func TestResolvedCounts(t *testing.T) {
	p := Policy{
		Presets: []Preset{{Name: "opendatasoft"}},
		Allow: []Rule{
			{Category: Statistical, Cookies: []string{"_pk_*"}},
			{Category: ThirdParty, Cookies: []string{"_ga"}},
		},
	}
	if got, want := resolved(t, p).Counts(), (Counts{Rules: 6, Cookies: 6, Preferences: 1}); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
	want := Counts{Rules: 8, Cookies: 11, Preferences: 4}
	if got := resolved(t, portal()).Counts(); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
}

func TestPolicyZero(t *testing.T) {
	var p Policy
	if faults := p.Faults(); len(faults) != 1 {
		t.Errorf("the zero Policy has the faults %v", faults)
	}
	if r, err := p.Resolve(); r != nil || err == nil {
		t.Errorf("the zero Policy is resolved to %v, %v", r, err)
	}
	var r Resolved
	rule, pattern := r.Lookup("a")
	if r.Name() != "" || r.Digest() != "" || r.Policy() == nil || r.Reports() || len(r.Rules()) != 0 ||
		rule != nil || pattern != "" || r.Counts() != (Counts{}) {
		t.Errorf("the zero Resolved is %+v", r)
	}
	var zero Rule
	keys := zero.ConsentKeys()
	if zero.Label() != " " || zero.Place() != (Place{}) || !slices.Equal(keys, []string{""}) {
		t.Errorf("the zero Rule is %q, of %v, with the keys %q", zero.Label(), zero.Place(), keys)
	}
	for want, c := range map[string]Consent{"undecided": 0, "granted": Granted, "refused": Refused} {
		if got := c.String(); got != want {
			t.Errorf("%d is written as %q, want %q", c, got, want)
		}
	}
}
