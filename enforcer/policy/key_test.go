package policy

import (
	"reflect"
	"strings"
	"testing"
)

// withKeys returns a policy with the consent keys matomo and k, and with key blocks.
func withKeys(blocks ...Key) Policy {
	p := allowing(Statistical, RuleOptions{Consent: []string{"matomo", "k"}}, "a")
	p.Key = blocks
	return p
}

func title(text string) []Text { return []Text{{"", text}} }

func TestPolicyFaultsKeyBlocks(t *testing.T) {
	testFaults(t, []faultCase{
		{"without a key", withKeys(Key{Title: title("x")}), []string{"key[0].keys "}},
		{"an empty key", withKeys(Key{Keys: []string{""}}), []string{"key[0].keys[0] "}},
		{"a key that no rule has", withKeys(Key{Keys: []string{"k", "mattomo"}}),
			[]string{"key[0].keys[1] mattomo"}},
		{"a category that is the key of no rule", withKeys(Key{Keys: []string{"statistical"}}),
			[]string{"key[0].keys[0] statistical"}},
		{"a key where no rule has one", Policy{Presets: []Preset{{Name: "opendatasoft"}}, Key: []Key{{Keys: []string{"k"}}}},
			[]string{"key[0].keys[0] k"}},
		{"a key that perhaps an unknown preset has",
			Policy{Presets: []Preset{{Name: "matommo"}}, Key: []Key{{Keys: []string{"matomo"}}}},
			[]string{"presets[0] matommo"}},
		{"a key twice in a block", withKeys(Key{Keys: []string{"k", "k"}}), []string{"key[0].keys[1] k"}},
		{"a key in two blocks", withKeys(Key{Keys: []string{"k"}}, Key{Keys: []string{"matomo", "k"}}),
			[]string{"key[1].keys[1] k"}},
		{"texts", withKeys(Key{Keys: []string{"k"}, Title: []Text{{"", " "}, {"x y", "a"}},
			Purpose: []Text{{"en", "a\nb"}, {"en", "c"}}, Refused: []Text{{"", strings.Repeat("x", 1001)}}}),
			[]string{"key[0].title[0]  ", "key[0].title[1] x y", "key[0].purpose[0] a\nb",
				"key[0].purpose[1] en", "key[0].refused[0] " + strings.Repeat("x", 1001)}},

		{"one block for each key, without texts",
			withKeys(Key{Keys: []string{"k"}}, Key{Keys: []string{"matomo"}}), nil},
		{"one block for two keys", withKeys(Key{Keys: []string{"k", "matomo"}, Title: title("x"),
			Purpose: title("y"), Refused: title(strings.Repeat("x", 1000))}), nil},
		{"the key of a preset", Policy{Presets: []Preset{{Name: "matomo"}},
			Key: []Key{{Keys: []string{"matomo"}}}}, nil},
		{"the key of a preset, replaced", Policy{
			Presets: []Preset{{"matomo", RuleOptions{Consent: []string{"stats"}}}},
			Key:     []Key{{Keys: []string{"stats"}}, {Keys: []string{"matomo"}}}},
			[]string{"key[1].keys[0] matomo"}},
	})
	const want = `key[1].keys[0]: "k": this consent key is named twice; keep one of the two; ` +
		`the first is key[0].keys[1]` + "\n" +
		`key[2].keys[0]: "mattomo": no rule of this policy has this consent key; ` +
		`did you mean matomo? want matomo or k`
	p := withKeys(Key{Keys: []string{"matomo", "k"}}, Key{Keys: []string{"k"}}, Key{Keys: []string{"mattomo"}})
	if got := p.Faults().Error(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestPolicyFaultsTexts(t *testing.T) {
	for text, problem := range map[string]string{
		"": "purpose is empty", " \u00a0": "purpose is empty",
		"a\tb":                              `"\t"`,
		"a\x7f":                             `"\x7f"`,
		"a\u0085b":                          `"\u0085"`,
		"a\r\nb":                            `"\r"`,
		"\xff":                              "not UTF-8",
		strings.Repeat("é", 500):            "",
		strings.Repeat("é", 501):            "a text of 1002 bytes is too long",
		"<b>\"bold\"</b> & {braces} \u200e": "",
	} {
		faults := new(Policy{Allow: options(RuleOptions{Purpose: title(text)}).Allow}).Faults()
		if problem == "" && faults != nil ||
			problem != "" && (len(faults) != 1 || !strings.Contains(faults[0].Problem, problem)) {
			t.Errorf("%.20q: the faults are %v, want %q", text, faults, problem)
		}
	}
	// Tags that are written differently are one language.
	for _, tags := range [][2]string{{"en", "EN"}, {"pt-BR", "pt-br"}, {"iw", "he"}} {
		p := options(RuleOptions{Function: []Text{{tags[0], "x"}, {tags[1], "y"}}})
		faults := p.Faults()
		if len(faults) != 1 || faults[0].Path != "allow[0].function[1]" ||
			faults[0].First != "allow[0].function[0]" {
			t.Errorf("%q: the faults are %+v", tags, faults)
		}
	}
}

// A switch of the policy beats that of a preset: as a whole where the keys differ, text by text where
// they are the same.
func TestResolveKeys(t *testing.T) {
	saved := presets
	t.Cleanup(func() { presets = saved })
	statistics := func(keys ...string) []Rule {
		return []Rule{{Category: Statistical, Cookies: keys, RuleOptions: RuleOptions{Consent: keys}}}
	}
	presets = []preset{
		{name: "one", rules: statistics("a", "b"), keys: []Key{
			{Keys: []string{"a", "b"}, Title: title("one"), Purpose: title("why"), Refused: title("so")}}},
		{name: "two", rules: statistics("b", "c"), keys: []Key{
			{Keys: []string{"b"}, Title: title("b of two")}, {Keys: []string{"c"}, Title: title("c of two")}}},
	}
	for _, c := range []struct {
		what      string
		presets   []Preset
		own, want []Key
	}{
		{"a preset's", []Preset{{Name: "one"}}, nil, presets[0].keys},
		{"of two presets, the first", []Preset{{Name: "one"}, {Name: "two"}}, nil,
			[]Key{presets[0].keys[0], presets[1].keys[1]}},
		{"of two presets, the other first", []Preset{{Name: "two"}, {Name: "one"}}, nil,
			[]Key{presets[1].keys[0], presets[1].keys[1], {Keys: []string{"a"}, Title: title("one"),
				Purpose: title("why"), Refused: title("so")}}},
		{"the policy's, with the same keys", []Preset{{Name: "one"}},
			[]Key{{Keys: []string{"b", "a"}, Title: title("own")}},
			[]Key{{Keys: []string{"b", "a"}, Title: title("own"), Purpose: title("why"), Refused: title("so")}}},
		{"the policy's, with one of them", []Preset{{Name: "one"}},
			[]Key{{Keys: []string{"a"}, Title: title("own")}},
			[]Key{{Keys: []string{"b"}, Title: title("one"), Purpose: title("why"), Refused: title("so")},
				{Keys: []string{"a"}, Title: title("own")}}},
		{"the policy's, with more", []Preset{{Name: "one"}, {Name: "two"}},
			[]Key{{Keys: []string{"a", "b", "c"}, Title: title("own")}},
			[]Key{{Keys: []string{"a", "b", "c"}, Title: title("own")}}},
		{"a preset's, whose keys an option replaces",
			[]Preset{{"one", RuleOptions{Consent: []string{"other"}}}}, nil, nil},
		{"a preset's, one of whose keys remains",
			[]Preset{{"one", RuleOptions{Consent: []string{"b", "other"}}}}, nil,
			[]Key{{Keys: []string{"b"}, Title: title("one"), Purpose: title("why"), Refused: title("so")}}},
	} {
		r := resolved(t, Policy{Presets: c.presets, Key: c.own})
		if got := r.Policy().Key; !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: the keys are %+v, want %+v", c.what, got, c.want)
		}
	}
}

func TestNear(t *testing.T) {
	words := []string{"necessary", "statistical", "first_party", "third_party", "lax", "gpc", "dnt", "ga",
		"google_analytics", "cookiebot", "cookieconsent"}
	for word, want := range map[string]string{
		"necesary": "necessary", "statstical": "statistical", "thirdparty": "third_party",
		"third-party": "third_party", "Third_Party": "third_party", "statistics": "statistical", "LAX": "lax", "gcp": "gpc",
		"dns": "dnt", "gpcc": "gpc", "GA": "ga", "gb": "", "google": "google_analytics", "cookie": "",
		"cookieb": "cookiebot", "nobody": "", "": "", "g": "", "gp": "", strings.Repeat("x", 100): "",
	} {
		if got := Near(word, words); got != want {
			t.Errorf("Near(%.20q) is %q, want %q", word, got, want)
		}
	}
	if got := Near("x", nil); got != "" {
		t.Errorf("of no words %q is near", got)
	}
}
