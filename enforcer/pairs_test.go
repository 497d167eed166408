package enforcer

import "testing"

// withPairs is the policy of withPreference, its preference read in another way.
func withPairs(tb testing.TB, p Preference) *Enforcer {
	policy := policyOfPreference()
	p.Cookies = policy.Preference[0].Cookies
	policy.Preference = []Preference{p}
	return compiled(tb, policy)
}

func TestPairsWithOrWithoutBraces(t *testing.T) {
	e := withPairs(t, Preference{Format: FormatPairs, Separator: ",", Assignment: ":", Timestamp: "when"})
	for value, want := range map[string]string{
		"a:true,b:false":                   "+a -b",
		"{a:true,b:false}":                 "+a -b",
		"{b:false,a:true}":                 "+a -b",
		"{b:false,x:'y',when:1763633730}":  "-b",
		"{a:true%2Cb:false}":               "+a -b",
		"%7Ba%3Atrue%2Cb%3Afalse%7D":       "+a -b",
		`"{a:true,b:false}"`:               "+a -b",
		"{a:true}":                         "+a",
		"{a:true,b:false":                  "doubt",
		"a:true,b:false}":                  "doubt",
		"{a:true":                          "doubt",
		"{":                                "doubt",
		"}":                                "doubt",
		"{a:true,b}":                       "doubt",
		"{a:true,b:true,a:true}":           "doubt",
		"{a:true,when:soon}":               "doubt",
		"{a:true,when:1763633730,when:17}": "doubt",
	} {
		if got := readChoicesOf(e, "prefs="+value); got != want {
			t.Errorf("%s was read as %q, want %q", value, got, want)
		}
	}
}

func TestPairsWithoutAPairAreInDoubt(t *testing.T) {
	e := withPairs(t, Preference{Format: FormatPairs, Separator: "!"})
	for _, value := range []string{"", "!", "!!!", `""`, "%21", "%20", "{}", "! !"} {
		if got := readChoicesOf(e, "prefs="+value); got != "doubt" {
			t.Errorf("%q was read as %q", value, got)
		}
	}
}

func TestATimeIsAWordForYes(t *testing.T) {
	pairs := withPairs(t, Preference{Format: FormatPairs, Separator: "|", Granted: []string{"<time>", "always"}})
	object := withPairs(t, Preference{Format: FormatJSON, Granted: []string{"<time>", "always"}})
	for value, want := range map[string]string{
		"2025-11-20T10:15:30.123456+00:00": "+a",
		"2025-11-20T10:15:30.123456":       "+a",
		"2025-11-20T10:15:30Z":             "+a",
		"2025-11-20T10:15:30+02:00":        "+a",
		"2025-11-20":                       "+a",
		"always":                           "+a",
		"<time>":                           "-a",
		"-1":                               "-a",
		"1763633730":                       "-a",
		"2025-13-20":                       "-a",
		"2025-11-20T10:15:30.123+":         "-a",
		"":                                 "-a",
	} {
		if got := readChoicesOf(pairs, "prefs=a="+value); got != want {
			t.Errorf("%q was read as %q, want %q", value, got, want)
		}
		if got := readChoicesOf(object, `prefs={"a":"`+value+`"}`); got != want {
			t.Errorf("%q in JSON was read as %q, want %q", value, got, want)
		}
	}
	if got := readChoicesOf(pairs, "prefs=a=true|b=1"); got != "-a -b" {
		t.Errorf("words that are not the tool's were read as %q", got)
	}
}
