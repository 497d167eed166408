package policy

import (
	"slices"
	"strings"
	"testing"
)

// warningsOf returns the warnings of a policy, each as the field's path, the word and what is wrong.
func warningsOf(t *testing.T, p Policy) (all []string) {
	t.Helper()
	if faults := p.Faults(); faults != nil {
		t.Fatalf("the policy has the faults %v", faults)
	}
	for _, w := range p.Warnings() {
		if text := w.Message(); w.Right == "" || !strings.Contains(text, w.Problem) ||
			!strings.HasSuffix(text, w.Right) {
			t.Errorf("the warning %#v reads %q", w, text)
		}
		all = append(all, w.Path+" "+w.Word+": "+w.Problem)
	}
	return all
}

// A name is refused that can only be a regular expression. One that looks like an expression or a
// shell pattern, and could be a cookie's, makes a warning.
func TestPolicyWarningsNames(t *testing.T) {
	for problem, names := range map[string][]string{
		"": {"_ga", "_ga*", "*_ga", "_ga_*", "_pk_id.*", "_pk_*.*.1", "a.b", "a+b", "a$b", "a^b", "$a", "a|b",
			"prefs[key]", "prefs[my-key]", "size[x-large]", "{0f8fad5b-d9cb}", "(a)", "__Host-*", "a", "ab"},
		everyNameWarning: {"*", "***"},
		manyNamesWarning: {"_*", "*a*", "ab*", "*é"},
		expressionWarning: {"^_ga", "_ga$", "/^_ga/", "/_ga$/", "_g?", "^_ga*", `_ga_\w`, `_ga\.x`, "_ga.+",
			"(_ga|_gid)", "{_ga,_gid}", "_ga[0-9]", "_ga[a-zA-Z_]*", "[!a-z]", "[^a-z]*", "?*"},
	} {
		for _, name := range names {
			var want []string
			if problem != "" {
				want = []string{"allow[0].cookies[0] " + name + ": " + problem}
			}
			if got := warningsOf(t, allowing(Necessary, RuleOptions{}, name)); !slices.Equal(got, want) {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
	}
	for _, name := range []string{"^_ga.*$", "^_g?$", "^$", "^*$"} {
		p := allowing(Necessary, RuleOptions{}, name)
		if got, want := faultsOf(t, p), []string{"allow[0].cookies[0] " + name}; !slices.Equal(got, want) {
			t.Errorf("%s has the faults %q, want %q", name, got, want)
		}
	}
}

// A preset alone, and one beside the portals' own, gives no warning but that its rules wait for consent
// where nobody can give it.
func TestPolicyWarningsPresets(t *testing.T) {
	for _, preset := range presets {
		waits := slices.ContainsFunc(preset.rules, func(r Rule) bool { return r.Category != Necessary })
		var want []string
		if waits && len(preset.preference) == 0 {
			want = []string{"presets[0] " + preset.name + ": " + noPreferenceWarning}
		}
		if got := warningsOf(t, withPreset(preset.name, RuleOptions{})); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", preset.name, got, want)
		}
		p := Policy{Presets: []Preset{{Name: preset.name}}}
		if preset.name != "opendatasoft" {
			p.Presets = append(p.Presets, Preset{Name: "opendatasoft"})
		}
		if got := warningsOf(t, p); got != nil {
			t.Errorf("%s, opendatasoft: %q", preset.name, got)
		}
	}
}

// Each tool holds the keys that it fixes, and no key that a tracker's preset has by itself.
func TestPolicyWarningsToolKeys(t *testing.T) {
	for name, tool := range keysOfTools {
		if _, ok := presetNamed(name); !ok {
			t.Errorf("%s is no preset", name)
		}
		for _, key := range tool.keys {
			p := withPreset(name, RuleOptions{})
			p.Allow = []Rule{{Category: ThirdParty, Cookies: []string{"x"},
				RuleOptions: RuleOptions{Consent: []string{key}}}}
			if got := warningsOf(t, p); got != nil {
				t.Errorf("%s, %s: %q", name, key, got)
			}
		}
		for _, key := range openKeys(nil) {
			if tool.can(key) {
				t.Errorf("%s can hold %s", name, key)
			}
		}
	}
}

// A signal objects to something, and once.
func TestPolicyWarningsSignals(t *testing.T) {
	p := withPreset("matomo", RuleOptions{})
	p.Presets = append(p.Presets, Preset{Name: "opendatasoft"})
	p.Signal = []Signal{
		{Signal: SignalGPC, Categories: []Category{Statistical, ThirdParty}},
		{Signal: SignalDNT, Categories: []Category{Statistical}},
		{Signal: SignalGPC, Categories: []Category{Statistical}},
	}
	want := []string{
		"signal[0].categories[1] third_party: " + idleSignalWarning,
		"signal[2].categories[0] statistical: " + secondSignalWarning,
	}
	if got := warningsOf(t, p); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// Lifetimes of anonymous statistics are judged as they are enforced.
func TestPolicyWarningsAnonymous(t *testing.T) {
	for _, c := range []struct {
		name             string
		lifetime, maxAge Duration
		want             string
	}{
		{"none is stated", 0, 0, ""},
		{"a session", Session, 0, ""},
		{"thirteen months", thirteenMonths, 0, ""},
		{"more", thirteenMonths + 1, 0, (thirteenMonths + 1).String()},
		{"more, and cut", 730 * day, thirteenMonths, ""},
		{"less, and cut later", day, 730 * day, "730d"},
	} {
		p := allowing(Statistical, RuleOptions{Anonymous: true, Lifetime: c.lifetime, MaxAge: c.maxAge}, "a")
		var want []string
		if c.want != "" {
			want = []string{"allow[0].anonymous " + c.want + ": " + longAnonymousWarning}
		}
		if got := warningsOf(t, p); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", c.name, got, want)
		}
	}
}

// The warnings of a policy with faults are of no use, and finding them does no harm.
func TestPolicyWarningsOfFaults(t *testing.T) {
	for _, p := range []Policy{
		{},
		{Presets: []Preset{{Name: "nosuch"}}},
		{Allow: []Rule{{}}, Signal: []Signal{{}}, Preference: []Preference{{}}},
		{Allow: []Rule{{Category: ThirdParty}}},
		{Allow: []Rule{{Category: "vital", Cookies: []string{""}}}, Preference: []Preference{{Format: "flag"}}},
	} {
		if p.Faults() == nil {
			t.Errorf("%+v has no faults", p)
		}
		p.Warnings()
	}
}
