package policy

import (
	"slices"
	"testing"
)

// preferring returns a policy with a rule and preferences.
func preferring(preferences ...Preference) Policy {
	p := rule("a")
	p.Preference = preferences
	return p
}

func TestPolicyFaultsSignal(t *testing.T) {
	signalling := func(signals ...Signal) Policy {
		p := rule("a")
		p.Signal = signals
		return p
	}
	objects := []Category{Statistical}
	testFaults(t, []faultCase{
		{"without a name", signalling(Signal{"", objects}), []string{"signal[0].signal "}},
		{"unknown", signalling(Signal{"p3p", objects}), []string{"signal[0].signal p3p"}},
		{"without a category", signalling(Signal{SignalDNT, nil}), []string{"signal[0].categories dnt"}},
		{"with an unknown category", signalling(Signal{SignalGPC, []Category{"ads"}}),
			[]string{"signal[0].categories[0] ads"}},
		{"with necessary cookies", signalling(Signal{SignalGPC, []Category{Statistical, Necessary}}),
			[]string{"signal[0].categories[1] necessary"}},
		{"with a category twice", signalling(Signal{SignalGPC, []Category{Statistical, Statistical}}),
			[]string{"signal[0].categories[1] statistical"}},
		{"twice", signalling(Signal{SignalGPC, objects}, Signal{SignalGPC, objects}), nil},
		{"nine times", signalling(slices.Repeat([]Signal{{SignalGPC, objects}}, 9)...), nil},
		{"both",
			signalling(Signal{SignalGPC, objects},
				Signal{SignalDNT, []Category{ThirdParty, FirstParty}}), nil},
	})
}

func TestPolicyFaultsPreference(t *testing.T) {
	p := []string{"p"}
	needsConsent := rule("a", "p")
	needsConsent.Preference = []Preference{{Cookies: p}}
	presetAndBlock := rule("cookies_preferences")
	presetAndBlock.Presets = []Preset{{Name: "opendatasoft"}}
	presetBlockAndPreference := presetAndBlock
	presetBlockAndPreference.Preference = []Preference{{Cookies: []string{"cookies_preferences"}}}
	testFaults(t, []faultCase{
		{"without cookies", preferring(Preference{}), []string{"preference[0].cookies "}},
		{"with a wildcard", preferring(Preference{Cookies: []string{"p*"}}),
			[]string{"preference[0].cookies[0] p*"}},
		{"under no name", preferring(Preference{Cookies: []string{""}}),
			[]string{"preference[0].cookies[0] "}},
		{"twice", preferring(Preference{Cookies: p}, Preference{Cookies: []string{"q", "p"}, Format: "json"}),
			[]string{"preference[1].cookies[1] p"}},
		{"in two formats", preferring(Preference{Cookies: p}, Preference{Cookies: p, Format: FormatList}),
			[]string{"preference[1].cookies[0] p"}},
		{"that needs consent", needsConsent, []string{"allow[0].cookies[1] p"}},
		{"that needs consent, of a preset", presetAndBlock,
			[]string{"allow[0].cookies[0] cookies_preferences"}},
		{"that needs consent, of a preset and the block", presetBlockAndPreference,
			[]string{"allow[0].cookies[0] cookies_preferences"}},

		{"format unknown", preferring(Preference{Cookies: p, Format: "yaml"}),
			[]string{"preference[0].format yaml"}},
		{"path of pairs", preferring(Preference{Cookies: p, Format: FormatPairs, Path: "a"}),
			[]string{"preference[0].path a"}},
		{"base64 of pairs", preferring(Preference{Cookies: p, Format: FormatPairs, Base64: true}),
			[]string{"preference[0].base64 base64"}},
		{"separator of json", preferring(Preference{Cookies: p, Separator: "|"}),
			[]string{"preference[0].separator |"}},
		{"assignment of a list", preferring(Preference{Cookies: p, Format: FormatList, Assignment: ":"}),
			[]string{"preference[0].assignment :"}},
		{"list_key of json", preferring(Preference{Cookies: p, ListKey: "groups"}),
			[]string{"preference[0].list_key groups"}},
		{"value of json", preferring(Preference{Cookies: p, Value: "yes"}),
			[]string{"preference[0].value yes"}},
		{"keys of json", preferring(Preference{Cookies: p, Keys: []string{"k", "l"}}),
			[]string{"preference[0].keys k l"}},
		{"granted of a flag",
			preferring(Preference{Cookies: p, Format: FormatFlag, Value: "yes", Granted: []string{"1"}}),
			[]string{"preference[0].granted 1"}},
		{"timestamp of a list", preferring(Preference{Cookies: p, Format: FormatList, Timestamp: "t"}),
			[]string{"preference[0].timestamp t"}},
		{"flag without a value", preferring(Preference{Cookies: p, Format: FormatFlag}),
			[]string{"preference[0].value "}},
		{"one word for separator and assignment",
			preferring(Preference{Cookies: p, Format: FormatPairs, Separator: "="}),
			[]string{"preference[0].assignment ="}},
		{"keys with an empty one",
			preferring(Preference{Cookies: p, Format: FormatFlag, Value: "y", Keys: []string{"k", ""}}),
			[]string{"preference[0].keys[1] "}},
		{"keys with one twice",
			preferring(Preference{Cookies: p, Format: FormatFlag, Value: "y", Keys: []string{"k", "k"}}),
			[]string{"preference[0].keys[1] k"}},
		{"granted with a control character", preferring(Preference{Cookies: p, Granted: []string{"y\n"}}),
			[]string{"preference[0].granted[0] y\n"}},
		{"granted with a word twice", preferring(Preference{Cookies: p, Granted: []string{"y", "y"}}),
			[]string{"preference[0].granted[1] y"}},
		{"path with an empty part", preferring(Preference{Cookies: p, Path: "a..b"}),
			[]string{"preference[0].path a..b"}},
		{"path that begins with a dot", preferring(Preference{Cookies: p, Path: ".a"}),
			[]string{"preference[0].path .a"}},
		{"timestamp with an empty part", preferring(Preference{Cookies: p, Timestamp: "a."}),
			[]string{"preference[0].timestamp a."}},
		{"timestamp at the path", preferring(Preference{Cookies: p, Path: "a.b", Timestamp: "a.b"}),
			[]string{"preference[0].timestamp a.b"}},
		{"timestamp at the list_key",
			preferring(Preference{Cookies: p, Format: FormatPairs, ListKey: "g", Timestamp: "g"}),
			[]string{"preference[0].timestamp g"}},

		{"max_age negative", preferring(Preference{Cookies: p, Timestamp: "t", MaxAge: -day}),
			[]string{"preference[0].max_age -1d"}},
		{"max_age that is no duration",
			preferring(Preference{Cookies: p, Timestamp: "t", MaxAge: noDuration}),
			[]string{"preference[0].max_age "}},
		{"max_age without a timestamp", preferring(Preference{Cookies: p, MaxAge: day}),
			[]string{"preference[0].max_age 1d"}},
		{"persist without max_age", preferring(Preference{Cookies: p, Timestamp: "t", Persist: "/"}),
			[]string{"preference[0].persist /"}},
		{"persist without a slash",
			preferring(Preference{Cookies: p, Timestamp: "t", MaxAge: day, Persist: "x"}),
			[]string{"preference[0].persist x"}},
		{"persist of a __Host- cookie elsewhere",
			preferring(Preference{Cookies: []string{"__Host-p"}, Timestamp: "t", MaxAge: day, Persist: "/x"}),
			[]string{"preference[0].persist /x"}},
		{"persist of a __Host- cookie",
			preferring(Preference{Cookies: []string{"__Host-p"}, Timestamp: "t", MaxAge: day, Persist: "/"}),
			nil},
	})
}

// A timestamp above the choices would be an object, and never a time.
func TestPolicyFaultsOfTimestampAboveChoices(t *testing.T) {
	for timestamp, fault := range map[string]bool{
		"a": true, "a.b": true, "a.bc": false, "ab": false, "a.b.c": false,
	} {
		p := Policy{
			Presets:    []Preset{{Name: "opendatasoft"}},
			Preference: []Preference{{Cookies: []string{"prefs"}, Path: "a.b", Timestamp: timestamp}},
		}
		if got := len(p.Faults()) > 0; got != fault {
			t.Errorf("timestamp %s: %v", timestamp, p.Faults())
		}
	}
}

// A preference that is sent again at a path that its own rule does not accept would be refused.
func TestPolicyFaultsOfPersistPath(t *testing.T) {
	for path, fault := range map[string]bool{"/": true, "/fr": false} {
		p := Policy{
			Allow: []Rule{{
				Category: Necessary, Cookies: []string{"prefs"},
				RuleOptions: RuleOptions{Path: []string{"/fr"}},
			}},
			Preference: []Preference{{
				Cookies: []string{"prefs"}, Timestamp: "at", MaxAge: 183 * day, Persist: path,
			}},
		}
		if got := len(p.Faults()) > 0; got != fault {
			t.Errorf("persist %s: %v", path, p.Faults())
		}
	}
}
