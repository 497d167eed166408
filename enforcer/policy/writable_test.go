package policy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// unwritable returns the reasons for which choices under a policy cannot be written.
func unwritable(t *testing.T, p policy.Policy) (reasons []string) {
	t.Helper()
	resolved, err := p.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range resolved.Unwritable() {
		words := []string{u.Path, string(u.Reason), u.Cookie, u.Tool, u.Key}
		reasons = append(reasons, strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), " "))
		if u.Error() == string(u.Reason) || strings.HasSuffix(u.Error(), ".") {
			t.Errorf("%+v is no sentence without a period: %q", u, u.Error())
		}
	}
	return reasons
}

// Every preset with a preference can be written, or says why it cannot.
func TestUnwritablePresets(t *testing.T) {
	cannot := map[string][]string{
		"onetrust":      {"presets[0] tool_state OptanonConsent OneTrust"},
		"cookiebot":     {"presets[0] tool_state CookieConsent Cookiebot"},
		"axeptio":       {"presets[0] tool_state axeptio_cookies Axeptio"},
		"didomi":        {"presets[0] tool_state didomi_token Didomi"},
		"cookieyes":     {"presets[0] tool_state cookieyes-consent CookieYes"},
		"cookieconsent": {"presets[0] existing_only cc_cookie"},
	}
	for _, name := range policy.Presets() {
		p := policy.Policy{Presets: []policy.Preset{{Name: name}}}
		resolved, err := p.Resolve()
		if err != nil {
			t.Fatal(err)
		}
		if len(resolved.Policy().Preference) == 0 {
			cannot[name] = []string{"no_preference"}
		}
		if got := unwritable(t, p); !slices.Equal(got, cannot[name]) {
			t.Errorf("%s cannot be written: %q, want %q", name, got, cannot[name])
		}
	}
}

func TestUnwritable(t *testing.T) {
	rule := func(keys ...string) policy.Rule {
		return policy.Rule{Category: policy.Statistical, Cookies: []string{strings.Join(keys, "")},
			RuleOptions: policy.RuleOptions{Consent: keys}}
	}
	anonymous := rule("counts")
	anonymous.Anonymous = true
	of := func(p policy.Preference) policy.Preference {
		p.Cookies = []string{"prefs"}
		return p
	}
	for _, c := range []struct {
		name        string
		rules       []policy.Rule
		preferences []policy.Preference
		want        []string
	}{
		{"an object", []policy.Rule{rule("a")}, []policy.Preference{of(policy.Preference{})}, nil},
		{"an object at a path", []policy.Rule{rule("a")}, []policy.Preference{of(policy.Preference{Path: "p"})},
			[]string{"preference[0] existing_only prefs"}},
		{"the timestamp for a key", []policy.Rule{rule("a"), rule("t")},
			[]policy.Preference{of(policy.Preference{Timestamp: "t"})}, []string{"allow[1] key t"}},
		{"a timestamp beside the choices for a key", []policy.Rule{rule("t")},
			[]policy.Preference{of(policy.Preference{Path: "p", Timestamp: "p.t.u"})},
			[]string{"preference[0] existing_only prefs", "allow[0] key t"}},
		{"a timestamp elsewhere for a key", []policy.Rule{rule("t")},
			[]policy.Preference{of(policy.Preference{Path: "p", Timestamp: "t"})},
			[]string{"preference[0] existing_only prefs"}},
		{"a key that pairs cannot hold, twice", []policy.Rule{rule("a&b"), rule("a", "a&b")},
			[]policy.Preference{of(policy.Preference{Format: policy.FormatPairs})}, []string{"allow[0] key a&b"}},
		{"keys that a list within a pair cannot hold", []policy.Rule{rule("a,b"), rule("a:b"), rule("ab")},
			[]policy.Preference{of(policy.Preference{Format: policy.FormatPairs, ListKey: "g"})},
			[]string{"allow[0] key a,b", "allow[1] key a:b"}},
		{"a key for which there is no flag", []policy.Rule{rule("a"), rule("b")}, []policy.Preference{
			of(policy.Preference{Format: policy.FormatFlag, Value: "1", Keys: []string{"a"}})},
			[]string{"allow[1] key b"}},
		{"a key that the other preference holds", []policy.Rule{rule("a"), rule("b")}, []policy.Preference{
			{Cookies: []string{"flag"}, Format: policy.FormatFlag, Value: "1", Keys: []string{"a"}},
			of(policy.Preference{})}, nil},
		{"an objection in a list", []policy.Rule{rule("a"), anonymous},
			[]policy.Preference{of(policy.Preference{Format: policy.FormatList})},
			[]string{"allow[1] objection counts"}},
		{"an objection in a list and an object", []policy.Rule{anonymous}, []policy.Preference{
			{Cookies: []string{"list"}, Format: policy.FormatList}, of(policy.Preference{})}, nil},
		{"another tool's format under a tool's name", []policy.Rule{rule("a")},
			[]policy.Preference{{Cookies: []string{"CookieConsent"}, Format: policy.FormatFlag, Value: "true"}}, nil},
		{"a tool's format under its name", []policy.Rule{rule("a")},
			[]policy.Preference{{Cookies: []string{"mine", "CookieConsent"}, Format: policy.FormatPairs}},
			[]string{"preference[0] tool_state CookieConsent Cookiebot"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := unwritable(t, policy.Policy{Allow: c.rules, Preference: c.preferences})
			if !slices.Equal(got, c.want) {
				t.Errorf("the reasons are %q, want %q", got, c.want)
			}
		})
	}
}

func TestUnwritableLater(t *testing.T) {
	for reason, want := range map[policy.UnwritableReason]string{
		policy.ReasonTooLong: `the cookie "prefs" would be longer than browsers store`,
		policy.ReasonHTTPS:   `browsers accept the cookie "prefs" over HTTPS only`,
		"other":              "other",
	} {
		if got := (policy.Unwritable{Reason: reason, Cookie: "prefs"}).Error(); got != want {
			t.Errorf("%s is %q, want %q", reason, got, want)
		}
	}
}
