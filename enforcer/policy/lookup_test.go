package policy

import (
	"slices"
	"strings"
	"testing"
)

// portal is a policy with rules from each place.
func portal() Policy {
	return Policy{
		Presets: []Preset{{Name: "google_analytics"}, {Name: "opendatasoft"}},
		Allow: []Rule{
			{Category: Necessary, Cookies: []string{"_gid", "csrftoken"}},
			{Category: ThirdParty, Cookies: []string{"fb*", "cookies_*"},
				RuleOptions: RuleOptions{Consent: []string{"fb", "ads"}}},
			{Category: FirstParty, Cookies: []string{"inner"}},
		},
		Preference: []Preference{{Cookies: []string{"prefs", "more"}}, {Cookies: []string{"cookies_old"}}},
	}
}

func TestRuleOrigin(t *testing.T) {
	r := resolved(t, portal())
	type place struct {
		label string
		Place
	}
	want := []place{
		{"statistical _ga _ga_*", Place{Preset: "google_analytics", Path: "presets[0]"}},
		{"statistical _gat*", Place{Preset: "google_analytics", Path: "presets[0]"}},
		{"necessary sessionid", Place{Preset: "opendatasoft", Path: "presets[1]"}},
		{"necessary django_language", Place{Preset: "opendatasoft", Path: "presets[1]"}},
		{"necessary cookies_preferences", Place{Preset: "opendatasoft", Path: "presets[1]"}},
		{"necessary _gid csrftoken", Place{Path: "allow[0]"}},
		{"third_party fb* cookies_*", Place{Path: "allow[1]"}},
		{"first_party inner", Place{Path: "allow[2]"}},
		{"necessary prefs", Place{Path: "preference[0]", Implicit: true}},
		{"necessary more", Place{Path: "preference[0]", Implicit: true}},
		{"necessary cookies_old", Place{Path: "preference[1]", Implicit: true}},
	}
	var got []place
	for _, rule := range r.Rules() {
		got = append(got, place{rule.Label(), rule.Place()})
		for _, name := range rule.Cookies {
			if found, pattern := r.Lookup(name); found != rule || pattern != name {
				t.Errorf("%s is found under %q in another rule", name, pattern)
			}
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%v, want\n%v", got, want)
	}
}

// A preset has no say about the category of a preference that the policy names.
func TestResolvePreferenceOfAnotherCategory(t *testing.T) {
	p := Policy{
		Presets:    []Preset{{Name: "google_analytics"}},
		Preference: []Preference{{Cookies: []string{"_gid", "_ga_x"}}},
	}
	r := resolved(t, p)
	for _, name := range []string{"_gid", "_ga_x"} {
		found, _ := r.Lookup(name)
		want := Place{Path: "preference[0]", Implicit: true}
		if found == nil || found.Category != Necessary || found.Place() != want {
			t.Errorf("the rule of %s is %+v", name, found)
		}
	}
	if got := r.Counts(); got != (Counts{Rules: 3, Cookies: 4, Preferences: 2}) {
		t.Errorf("counted %+v", got)
	}
}

func TestRuleConsentKeys(t *testing.T) {
	for _, c := range []struct {
		rule Rule
		want []string
	}{
		{Rule{Category: Necessary}, nil},
		{Rule{Category: Statistical}, []string{"statistical"}},
		{Rule{Category: FirstParty}, []string{"first_party"}},
		{Rule{Category: ThirdParty, RuleOptions: RuleOptions{Consent: []string{"k", "l"}}},
			[]string{"k", "l"}},
	} {
		if got := c.rule.ConsentKeys(); !slices.Equal(got, c.want) {
			t.Errorf("the keys of %+v are %q, want %q", c.rule, got, c.want)
		}
	}
	want := map[string][]string{
		"sessionid": nil, "_ga": {"ga"}, "fb1": {"fb", "ads"}, "inner": {"first_party"}, "prefs": nil,
	}
	r := resolved(t, portal())
	for name, keys := range want {
		rule, _ := r.Lookup(name)
		if got := rule.ConsentKeys(); !slices.Equal(got, keys) || !slices.Equal(rule.Consent, keys) {
			t.Errorf("the keys of %s are %q, declared %q; want %q", name, got, rule.Consent, keys)
		}
	}
}

func TestResolvedLookup(t *testing.T) {
	// The rule that counts is open; the others are closed.
	closed := func(names ...string) Rule { return Rule{Category: ThirdParty, Cookies: names} }
	open := func(names ...string) Rule { return Rule{Category: Necessary, Cookies: names} }
	rules := func(rules ...Rule) Policy { return Policy{Allow: rules} }
	with := func(preset string, rules ...Rule) Policy {
		return Policy{Presets: []Preset{{Name: preset}}, Allow: rules}
	}
	const google = "google_analytics"
	for _, c := range []struct {
		name    string
		policy  Policy
		cookie  string
		pattern string
	}{
		{"an exact name beats a wildcard written before it", rules(closed("a*"), open("abc")), "abc", "abc"},
		{"an exact name beats a wildcard with as many literals", rules(closed("abc*"), open("abc")),
			"abc", "abc"},
		{"more literal bytes beat fewer", rules(closed("a*"), open("ab*")), "abc", "ab*"},
		{"more literal bytes beat fewer, at the other end", rules(closed("ab*"), open("*xyz")),
			"abxyz", "*xyz"},
		{"more literal bytes beat fewer, in the middle", rules(closed("a*", "*z"), open("*mmm*")),
			"ammmz", "*mmm*"},
		{"literal bytes are added up over the parts", rules(closed("ab*"), open("a*y*z")), "abyz", "a*y*z"},
		{"bytes count, not letters", rules(closed("*e"), open("é*")), "ée", "é*"},
		{"the first written counts among equals", rules(open("a*"), closed("*c")), "abc", "a*"},
		{"the first written counts among equals, from the other end", rules(open("*c"), closed("a*")),
			"abc", "*c"},
		{"the first written counts among equals, in the middle", rules(open("*b*"), closed("a*", "*c")),
			"abc", "*b*"},
		{"the first written counts among equals, within the middle",
			rules(open("*b*c*"), closed("*a*b*")), "abc", "*b*c*"},
		{"any wildcard beats a lone *", rules(closed("*"), open("*b*")), "abc", "*b*"},
		{"the first of two lone wildcards counts", rules(open("*"), closed("**")), "abc", "*"},
		{"case counts", rules(closed("ABC", "A*"), open("abc")), "abc", "abc"},
		{"the block's name beats the same name of a preset", with(google, open("_ga")), "_ga", "_ga"},
		{"the block's wildcard beats the same wildcard of a preset", with(google, open("_ga_*")),
			"_ga_1", "_ga_*"},
		{"the block's exact name beats a preset's wildcard", with(google, open("_ga_1")),
			"_ga_1", "_ga_1"},
		{"the block's wildcard with more literals beats a preset's", with(google, open("_ga_1*")),
			"_ga_12", "_ga_1*"},
		{"a preset's exact name beats the block's wildcard", with("opendatasoft", closed("session*")),
			"sessionid", "sessionid"},
		{"a preset's wildcard beats the block's with as many literals",
			with("load_balancing", closed("*WSALB")), "AWSALBWSALB", "AWSALB*"},
		{"a preference beats the block's wildcard", Policy{Allow: []Rule{closed("*")},
			Preference: []Preference{{Cookies: []string{"prefs"}}}}, "prefs", "prefs"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, pattern := resolved(t, c.policy).Lookup(c.cookie)
			if r == nil || r.Category != Necessary || pattern != c.pattern {
				t.Errorf("%s is found under %q in %+v, want %q", c.cookie, pattern, r, c.pattern)
			}
		})
	}
	if r, pattern := resolved(t, rules(open("a", "b*"))).Lookup("c"); r != nil || pattern != "" {
		t.Errorf("a name that no rule has is found under %q in %+v", pattern, r)
	}
}

func TestResolvedLookupOfAPreset(t *testing.T) {
	r := resolved(t, Policy{
		Presets: []Preset{{Name: "google_analytics"}},
		Allow:   []Rule{{Category: Necessary, Cookies: []string{"_gid", "_ga_*"}}},
	})
	for name, want := range map[string]Category{
		"_gid": Necessary, "_ga_1": Necessary, "_ga": Statistical, "_gat": Statistical,
	} {
		if rule, _ := r.Lookup(name); rule == nil || rule.Category != want {
			t.Errorf("%s is found in %+v, want a %s rule", name, rule, want)
		}
	}
}

// Of two presets with one name, the first one's rule and preference count.
func TestResolveOrderOfPresets(t *testing.T) {
	saved := presets
	defer func() { presets = saved }()
	presets = append(slices.Clone(saved),
		preset{name: "one", rules: []Rule{{Category: Statistical, Cookies: []string{"x", "y"}}},
			preference: []Preference{{Cookies: []string{"p"}}}},
		preset{name: "two",
			rules: []Rule{
				{Category: FirstParty, Cookies: []string{"y", "z"}},
				{Category: FirstParty, Cookies: []string{"x"}},
			},
			preference: []Preference{{Cookies: []string{"p", "q"}, Path: "two"}}})
	r := resolved(t, Policy{Presets: []Preset{{Name: "one"}, {Name: "two"}}})
	var labels []string
	for _, rule := range r.Rules() {
		labels = append(labels, rule.Label()+" of "+rule.Place().Path)
	}
	want := []string{
		"statistical x y of presets[0]", "first_party z of presets[1]",
		"necessary p of presets[0]", "necessary q of presets[1]",
	}
	if !slices.Equal(labels, want) {
		t.Errorf("the rules are %q, want %q", labels, want)
	}
	preferences := r.Policy().Preference
	if len(preferences) != 2 || preferences[0].Path != "" ||
		!slices.Equal(preferences[1].Cookies, []string{"q"}) {
		t.Errorf("the preferences are %+v", preferences)
	}
}

// A preference that the policy names takes the place of a preset's for the same cookie.
func TestResolveOrderOfPreferences(t *testing.T) {
	r := resolved(t, Policy{
		Presets: []Preset{{Name: "opendatasoft"}, {Name: "complianz"}},
		Preference: []Preference{{
			Cookies: []string{"cookies_preferences", "cmplz_statistics"}, Format: FormatFlag, Value: "yes",
		}},
	})
	var got []string
	for _, p := range r.Policy().Preference {
		got = append(got, strings.Join(p.Cookies, " ")+" of "+p.place)
	}
	want := []string{
		"cmplz_functional of presets[1]", "cmplz_preferences of presets[1]", "cmplz_marketing of presets[1]",
		"cookies_preferences cmplz_statistics of preference[0]",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the preferences are %q, want %q", got, want)
	}
}
