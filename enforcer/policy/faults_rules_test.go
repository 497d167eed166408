package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// options returns a policy with one rule under options.
func options(o RuleOptions) Policy { return allowing(Statistical, o, "a") }

// withPreset returns a policy with one preset under options.
func withPreset(name string, o RuleOptions) Policy {
	return Policy{Presets: []Preset{{name, o}}}
}

func TestPolicyFaultsPresets(t *testing.T) {
	testFaults(t, []faultCase{
		{"unknown", withPreset("nobody", RuleOptions{}), []string{"presets[0] nobody"}},
		{"unknown, with a fault in its options", withPreset("nobody", RuleOptions{Path: []string{"x"}}),
			[]string{"presets[0] nobody", "presets[0].path[0] x"}},
		{"without a name", withPreset("", RuleOptions{}), []string{"presets[0] "}},
		{"in another case", withPreset("Matomo", RuleOptions{}), []string{"presets[0] Matomo"}},
		{"twice", Policy{Presets: []Preset{{Name: "matomo"}, {Name: "piano"}, {Name: "matomo"}}},
			[]string{"presets[2] matomo"}},
		{"anonymous, without statistics", withPreset("opendatasoft", RuleOptions{Anonymous: true}),
			[]string{"presets[0].anonymous anonymous"}},
		{"consent, for necessary cookies",
			withPreset("load_balancing", RuleOptions{Consent: []string{"k"}}),
			[]string{"presets[0].consent k"}},
		{"path", withPreset("matomo", RuleOptions{Path: []string{"x"}}),
			[]string{"presets[0].path[0] x"}},
		{"same_site unknown", withPreset("matomo", RuleOptions{SameSite: "maybe"}),
			[]string{"presets[0].same_site maybe"}},
	})
}

func TestPolicyFaultsRuleOptions(t *testing.T) {
	domains := func(d ...string) Policy { return options(RuleOptions{Domain: d}) }
	paths := func(p ...string) Policy { return options(RuleOptions{Path: p}) }
	purposes := func(p ...Text) Policy { return options(RuleOptions{Purpose: p}) }
	long := "/" + strings.Repeat("x", 1024)
	testFaults(t, []faultCase{
		{"anonymous, not statistical", allowing(FirstParty, RuleOptions{Anonymous: true}, "a"),
			[]string{"allow[0].anonymous anonymous"}},
		{"consent of a necessary rule", allowing(Necessary, RuleOptions{Consent: []string{"k"}}, "a"),
			[]string{"allow[0].consent k"}},
		{"consent key empty", options(RuleOptions{Consent: []string{""}}),
			[]string{"allow[0].consent[0] "}},
		{"consent key with a control character", options(RuleOptions{Consent: []string{"k\n"}}),
			[]string{"allow[0].consent[0] k\n"}},
		{"consent key twice", options(RuleOptions{Consent: []string{"k", "k"}}),
			[]string{"allow[0].consent[1] k"}},

		{"domain empty", domains(""), []string{"allow[0].domain[0] "}},
		{"domain of a dot", domains("."), []string{"allow[0].domain[0] ."}},
		{"domain after two dots", domains("..a"), []string{"allow[0].domain[0] ..a"}},
		{"domain with two dots", domains("a..b"), []string{"allow[0].domain[0] a..b"}},
		{"domain with a port", domains("a:80"), []string{"allow[0].domain[0] a:80"}},
		{"domain with a scheme", domains("https://a"), []string{"allow[0].domain[0] https://a"}},
		{"domain with a wildcard", domains("*.a"), []string{"allow[0].domain[0] *.a"}},
		{"domain that is not ASCII", domains("é.fr"), []string{"allow[0].domain[0] é.fr"}},
		{"domain twice", domains("a", "a"), []string{"allow[0].domain[1] a"}},
		{"domain of many owners", domains("co.uk"), []string{"allow[0].domain[0] co.uk"}},
		{"domain of many owners, written otherwise", domains(".Co.UK."),
			[]string{"allow[0].domain[0] .Co.UK."}},

		{"path without a slash", paths("x"), []string{"allow[0].path[0] x"}},
		{"path empty", paths(""), []string{"allow[0].path[0] "}},
		{"path with a semicolon", paths("/a;b"), []string{"allow[0].path[0] /a;b"}},
		{"path with a control character", paths("/\x7f"), []string{"allow[0].path[0] /\x7f"}},
		{"path with a blank behind it", paths("/a "), []string{"allow[0].path[0] /a "}},
		{"path longer than browsers accept", paths(long), []string{"allow[0].path[0] " + long}},
		{"path twice", paths("/", "/"), []string{"allow[0].path[1] /"}},
		{"path of a __Host- cookie", allowing(Necessary, RuleOptions{Path: []string{"/app"}}, "__Host-a"),
			[]string{"allow[0].cookies[0] __Host-a"}},
		{"path of a __host- wildcard",
			allowing(Necessary, RuleOptions{Path: []string{"/app", "/x"}}, "a", "__host-*"),
			[]string{"allow[0].cookies[1] __host-*"}},

		{"lifetime negative", options(RuleOptions{Lifetime: -day}), []string{"allow[0].lifetime -1d"}},
		{"lifetime of a nanosecond", options(RuleOptions{Lifetime: 1}),
			[]string{"allow[0].lifetime 1ns"}},
		{"lifetime that is no duration", options(RuleOptions{Lifetime: noDuration}),
			[]string{"allow[0].lifetime "}},
		{"max_age negative", options(RuleOptions{MaxAge: -day}), []string{"allow[0].max_age -1d"}},
		{"max_age below a second", options(RuleOptions{MaxAge: Duration(999 * time.Millisecond)}),
			[]string{"allow[0].max_age 999ms"}},
		{"max_age that is no duration", options(RuleOptions{MaxAge: noDuration}),
			[]string{"allow[0].max_age "}},
		{"same_site in another case", options(RuleOptions{SameSite: "Lax"}),
			[]string{"allow[0].same_site Lax"}},

		{"purpose empty", purposes(Text{"en", ""}), []string{"allow[0].purpose[0] "}},
		{"purpose in no language", purposes(Text{"in English", "x"}),
			[]string{"allow[0].purpose[0] in English"}},
		{"purpose in a language of one letter", purposes(Text{"e", "x"}),
			[]string{"allow[0].purpose[0] e"}},
		{"purpose in a language of digits", purposes(Text{"12", "x"}),
			[]string{"allow[0].purpose[0] 12"}},
		{"purpose in a language with a digit", purposes(Text{"e9", "x"}),
			[]string{"allow[0].purpose[0] e9"}},
		{"purpose in a language with an empty subtag", purposes(Text{"en-", "x"}),
			[]string{"allow[0].purpose[0] en-"}},
		{"purpose in a language with a subtag of nine letters", purposes(Text{"en-abcdefghi", "x"}),
			[]string{"allow[0].purpose[0] en-abcdefghi"}},
		{"purpose in a language that is not registered", purposes(Text{"zz-abcdefgh", "x"}),
			[]string{"allow[0].purpose[0] zz-abcdefgh"}},
		{"purpose in a language with an underscore", purposes(Text{"en_US", "x"}),
			[]string{"allow[0].purpose[0] en_US"}},
		{"purpose twice in a language", purposes(Text{"en", "x"}, Text{"en", "y"}),
			[]string{"allow[0].purpose[1] en"}},
		{"purpose twice without a language", purposes(Text{"", "x"}, Text{"", "y"}),
			[]string{"allow[0].purpose[1] y"}},
	})
}

func TestPolicyFaultsHTTPOnly(t *testing.T) {
	httpOnly := RuleOptions{HTTPOnly: true}
	portal := []Preset{{Name: "opendatasoft"}}
	hardened := Preset{Name: "opendatasoft", RuleOptions: httpOnly}
	with := func(p Policy, presets ...Preset) Policy {
		p.Presets = presets
		return p
	}
	reads := func(p Policy, name string) Policy {
		p.Preference = []Preference{{Cookies: []string{name}}}
		return p
	}
	testFaults(t, []faultCase{
		{"on csrftoken", allowing(Necessary, httpOnly, "a", "csrftoken"),
			[]string{"allow[0].http_only csrftoken"}},
		{"on a wildcard that matches csrftoken", allowing(Necessary, httpOnly, "csrf*"),
			[]string{"allow[0].http_only csrftoken"}},
		{"on the longest wildcard that matches csrftoken",
			Policy{Allow: append(rule("*").Allow, allowing(Necessary, httpOnly, "csrf*").Allow...)},
			[]string{"allow[1].http_only csrftoken"}},
		{"on a shorter wildcard than the one that matches csrftoken",
			Policy{Allow: append(allowing(Necessary, httpOnly, "*").Allow, rule("csrf*").Allow...)}, nil},
		{"on a wildcard, where the preset names csrftoken",
			with(allowing(Necessary, httpOnly, "csrf*"), portal...), nil},
		{"on a preset that holds both", with(Policy{}, hardened),
			[]string{"presets[0].http_only csrftoken", "presets[0].http_only cookies_preferences"}},
		{"on a preset, where the block names both",
			with(allowing(Necessary, RuleOptions{}, "csrftoken", "cookies_preferences"), hardened), nil},
		{"on a preset, behind another preset", with(Policy{}, Preset{Name: "matomo"}, hardened),
			[]string{"presets[1].http_only csrftoken", "presets[1].http_only cookies_preferences"}},
		{"on the block's preference", reads(allowing(Necessary, httpOnly, "p"), "p"),
			[]string{"allow[0].http_only p"}},
		{"on a wildcard that matches the preference", reads(allowing(Necessary, httpOnly, "p*"), "pref"),
			nil},
	})
}

func TestPolicyFaultsRewriteDomain(t *testing.T) {
	rewriting := func(rewrites ...Rewrite) Policy {
		return Policy{Presets: []Preset{{Name: "opendatasoft"}}, RewriteDomain: rewrites}
	}
	const portal = "portal.example.org"
	testFaults(t, []faultCase{
		{"from a public suffix", rewriting(Rewrite{From: "co.uk"}),
			[]string{"rewrite_domain[0].from co.uk"}},
		{"to a public suffix", rewriting(Rewrite{portal, ".fr"}), []string{"rewrite_domain[0].to .fr"}},
		{"to a private suffix", rewriting(Rewrite{portal, "github.io"}),
			[]string{"rewrite_domain[0].to github.io"}},
		{"from nothing", rewriting(Rewrite{"", "city.example"}), []string{"rewrite_domain[0].from "}},
		{"from an address with a scheme", rewriting(Rewrite{From: "https://" + portal}),
			[]string{"rewrite_domain[0].from https://" + portal}},
		{"to the same domain", rewriting(Rewrite{portal, ".Portal.example.org"}),
			[]string{"rewrite_domain[0].to .Portal.example.org"}},
		{"from a domain twice",
			rewriting(Rewrite{From: portal}, Rewrite{".PORTAL.example.org", "city.example"}),
			[]string{"rewrite_domain[1].from .PORTAL.example.org"}},
		{"from two domains to one",
			rewriting(Rewrite{portal, "city.example"}, Rewrite{"b.example", "city.example"}), nil},
		{"to the host alone", rewriting(Rewrite{From: ".portal.example.org"}), nil},
	})
}

func TestPolicyFaultsKeys(t *testing.T) {
	keys := func(n int) (keys []string) {
		for i := range n {
			keys = append(keys, fmt.Sprint("k", i))
		}
		return keys
	}
	split := Policy{Allow: []Rule{
		{Category: Statistical, Cookies: []string{"a"}, RuleOptions: RuleOptions{Consent: keys(63)}},
		{Category: FirstParty, Cookies: []string{"b"}},
		{Category: Statistical, Cookies: []string{"c"}, RuleOptions: RuleOptions{Consent: keys(10)}},
	}}
	tooMany := split
	tooMany.Allow = append(slices.Clone(split.Allow), Rule{Category: ThirdParty, Cookies: []string{"d"}})
	withPresets := split
	withPresets.Presets = []Preset{{Name: "opendatasoft"}, {Name: "matomo"}}
	flag := split
	flag.Preference = []Preference{
		{Cookies: []string{"p"}, Format: FormatFlag, Value: "yes", Keys: []string{"x", "y"}},
	}
	testFaults(t, []faultCase{
		{"64", options(RuleOptions{Consent: keys(64)}), nil},
		{"65", options(RuleOptions{Consent: keys(65)}), []string{"allow[0].consent k64"}},
		{"66, reported once", options(RuleOptions{Consent: keys(66)}), []string{"allow[0].consent k64"}},
		{"64, over several rules", split, nil},
		{"65, the last a category", tooMany, []string{"allow[3].consent third_party"}},
		{"65, the first of a preset", withPresets, []string{"allow[1].consent first_party"}},
		{"64, and others that only a preference names", flag, nil},
	})
	presetLast := withPreset("matomo", RuleOptions{Consent: keys(65)})
	testFaults(t, []faultCase{{"65, of a preset", presetLast, []string{"presets[0].consent k64"}}})
}
