package consent

import (
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// testValues reads values of a preference.
func testValues(t *testing.T, r *Reader, values map[string]string) {
	t.Helper()
	for value, want := range values {
		if got := readAB(t, r, "prefs="+value); got != want {
			t.Errorf("%s was read as %q, want %q", value, got, want)
		}
	}
}

func TestReadPairsBraces(t *testing.T) {
	r := prefsReader(t, policy.Preference{
		Format: policy.FormatPairs, Separator: ",", Assignment: ":", Timestamp: "when"})
	testValues(t, r, map[string]string{
		"a:true,b:false":                     "+a -b",
		"{a:true,b:false}":                   "+a -b",
		"{b:false,a:true}":                   "+a -b",
		"{b:false,x:'y',when:1763633730}":    "-b",
		"{a:true%2Cb:false}":                 "+a -b",
		"%7Ba%3Atrue%2Cb%3Afalse%7D":         "+a -b",
		"%20%7Ba%3Atrue%2Cb%3Afalse%7D%20":   "+a -b",
		`"{a:true,b:false}"`:                 "+a -b",
		"{a:true}":                           "+a",
		"{a:true,b:false":                    "unreadable",
		"a:true,b:false}":                    "unreadable",
		"{a:true":                            "unreadable",
		"%7Ba%3Atrue":                        "unreadable",
		"{":                                  "unreadable",
		"}":                                  "unreadable",
		"{a:true,b}":                         "unreadable",
		"{b,a:true}":                         "unreadable",
		"{a:true,b:true,a:true}":             "contradictory",
		"{a:true,x:1,x:1}":                   "contradictory",
		"{a:true,when:soon}":                 "unreadable",
		"{a:true,when}":                      "unreadable",
		"{a:true,when:1763633730,when:17}":   "contradictory",
		"{when:1763633730,when:17,a:true}":   "contradictory",
		"{a:true,WHEN:soon, when : 1763633}": "+a",
	})
}

func TestReadPairsEmpty(t *testing.T) {
	r := prefsReader(t, policy.Preference{Format: policy.FormatPairs, Separator: "!"})
	for _, value := range []string{"", "!", "!!!", `""`, "%21", "%20", "{}", "! !"} {
		if got := readAB(t, r, "prefs="+value); got != "unreadable" {
			t.Errorf("%q was read as %q", value, got)
		}
	}
}

// A separator in the clear separates, and an encoded one is then part of a value.
func TestReadPairsEncoding(t *testing.T) {
	r := prefsReader(t, policy.Preference{Format: policy.FormatPairs})
	testValues(t, r, map[string]string{
		"a=true&b=0":            "+a -b",
		"a%3Dtrue&b%3D0":        "+a -b",
		"a%3Dtrue%26b%3D0":      "+a -b",
		"a=true%26b=0&x=1":      "-a",
		"a=%74rue&%62=1":        "+a +b",
		"a=true%26":             "+a",
		"a=%2574rue":            "-a", // decoded once
		"a=%2574rue&b=1":        "-a +b",
		"a=true%26x=%C3":        "unreadable",
		`a=true%26x="%22`:       "unreadable",
		"x=%&a=true":            "unreadable",
		"a=true&x=%":            "unreadable",
		"a=true%":               "unreadable",
		"a=true&x=%C3":          "unreadable",
		"a=true&x=%C3%A9":       "+a",
		`"a=true&b=\060"`:       "+a -b",
		`"a=true\046b=0"`:       "+a -b",
		`"a=true&b=\"`:          "unreadable",
		" a = true & b = 0 ":    "+a -b",
		"%09a%20=true%20&%20b=": "+a -b",
		"a==true":               "-a",
		"=true&a=true":          "+a",
		"=1&=2&a=true":          "contradictory",
		"a=&b=yes":              "-a +b",
		"a&b=yes":               "unreadable",
		"&&a=true&&":            "+a",
	})
}

// The words that count as yes where the policy names none.
func TestReadPairsGranted(t *testing.T) {
	r := prefsReader(t, policy.Preference{Format: policy.FormatPairs})
	for value, want := range map[string]string{
		"true": "+a", "1": "+a", "yes": "+a", "allow": "+a", "accept": "+a",
		"True": "-a", "0": "-a", "no": "-a", "on": "-a", "": "-a", "2026-01-15": "-a", "true1": "-a",
	} {
		if got := readAB(t, r, "prefs=a="+value); got != want {
			t.Errorf("%q was read as %q, want %q", value, got, want)
		}
	}
}

func TestReadPairsListKey(t *testing.T) {
	r := prefsReader(t, policy.Preference{
		Format: policy.FormatPairs, ListKey: "groups", Granted: []string{"1"}, Timestamp: "t"})
	testValues(t, r, map[string]string{
		"groups=a:1,b:0":                    "+a -b",
		"groups=a%3A1%2Cb%3A0":              "+a -b",
		"x=1&groups=a:1&y=2":                "+a",
		" groups = a : 1 , b : 0 ":          "+a -b",
		"groups=a:1,":                       "+a",
		"groups=":                           "",
		"x=1":                               "",
		"a=1&b=1":                           "",
		"a=1&a=1&x=1&x=1&groups=b:1":        "+b",
		"Groups=a:1":                        "",
		"groups=a:1&t=1768478400":           "+a",
		"groups=a:1,b":                      "unreadable",
		"groups=b,a:1":                      "unreadable",
		"groups=,a:1":                       "unreadable",
		"groups=a:1&x":                      "unreadable",
		"groups=a:1&t=soon":                 "unreadable",
		"groups":                            "unreadable",
		"groups=a:1&groups=b:1":             "contradictory",
		"groups=&groups=b:1":                "contradictory",
		"groups=a:1,a:1":                    "contradictory",
		"groups=x:1,x:1,a:1":                "contradictory",
		"groups=a:1&t=1768478400&t=1768478": "contradictory",
	})
}

func TestReadGrantedTime(t *testing.T) {
	granted := []string{policy.AnyTime, "always"}
	pairs := prefsReader(t, policy.Preference{Format: policy.FormatPairs, Separator: "|", Granted: granted})
	object := prefsReader(t, policy.Preference{Format: policy.FormatJSON, Granted: granted})
	for value, want := range map[string]string{
		"2025-11-20T10:15:30.123456+00:00": "+a",
		"2025-11-20T10:15:30.123456":       "+a",
		"2025-11-20T10:15:30Z":             "+a",
		"2025-11-20T10:15:30+02:00":        "+a",
		"2025-11-20 10:15:30":              "+a",
		"2025-11-20":                       "+a",
		"always":                           "+a",
		"<time>":                           "-a",
		"-1":                               "-a",
		"1763633730":                       "-a",
		"2025-13-20":                       "-a",
		"2025-11-20T10:15:30.123+":         "-a",
		"":                                 "-a",
	} {
		if got := readAB(t, pairs, "prefs=a="+value); got != want {
			t.Errorf("%q was read as %q, want %q", value, got, want)
		}
		if got := readAB(t, object, `prefs={"a":"`+value+`"}`); got != want {
			t.Errorf("%q in JSON was read as %q, want %q", value, got, want)
		}
	}
	if got := readAB(t, pairs, "prefs=a=true|b=1"); got != "-a -b" {
		t.Errorf("words that are not the tool's were read as %q", got)
	}
}

func TestReadList(t *testing.T) {
	testValues(t, prefsReader(t, policy.Preference{Format: policy.FormatList}), map[string]string{
		"":             "",
		"a":            "+a",
		"a,b":          "+a +b",
		"b,x":          "+b",
		" a , b ":      "+a +b",
		"a%2Cb":        "+a +b",
		"%61%20,,":     "+a",
		`"a,b"`:        "+a +b",
		`"a\054b"`:     "+a +b",
		"a,a":          "+a",
		"A,ab,a|b":     "",
		"true,1,yes":   "",
		"a=true,b:1":   "",
		"a,%":          "unreadable",
		"a,%C3":        "unreadable",
		`"a\"`:         "unreadable",
		"x,y,z,a,,b,,": "+a +b",
	})
	all := policy.Preference{
		Format: policy.FormatList, Separator: "|", Granted: []string{"all", policy.AnyTime, "a"}}
	testValues(t, prefsReader(t, all), map[string]string{
		"all":        "+a +b",
		"x| all ":    "+a +b",
		"a":          "+a", // a key that is a word too is the key
		"ALL":        "",
		"b":          "+b",
		"2026-01-15": "+a +b",
		"all,b":      "",
	})
}

func TestReadFlag(t *testing.T) {
	flag := policy.Preference{Format: policy.FormatFlag, Value: "yes"}
	testValues(t, prefsReader(t, flag), map[string]string{
		"yes": "+a +b", "%79es": "+a +b", `"yes"`: "+a +b", "YES": "-a -b", "yes1": "-a -b", "": "-a -b",
		"no": "-a -b", "%20yes": "-a -b", "true": "-a -b", "%": "unreadable", "%C3": "unreadable",
		`"yes\"`: "unreadable",
	})
	flag.Keys = []string{"b", "unknown"}
	testValues(t, prefsReader(t, flag), map[string]string{"yes": "+b", "no": "-b", "%": "unreadable"})
	flag.Value = `""` // quotes around a value are removed, so this is what is left of four
	testValues(t, prefsReader(t, flag), map[string]string{`""`: "-b", `""""`: "+b"})
	flag.Value = "yes"
	if got := readAB(t, prefsReader(t, flag), "prefs=yes; prefs=no"); got != "-b" {
		t.Errorf("two copies that differ were read as %q", got)
	}
}
