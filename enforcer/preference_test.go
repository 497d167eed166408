package enforcer

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func withPreference(tb testing.TB) *Enforcer { return compiled(tb, policyOfPreference()) }

// policyOfPreference is a policy whose verdicts tell what was read of the preference `prefs`, or `more`: cookies that need the keys a and b, cookies
// that pass until a and b are refused, and one that passes wherever the preference leaves no doubt.
func policyOfPreference() Policy {
	asks := func(category Category, key, cookie string, anonymous bool) Rule {
		return Rule{Category: category, Cookies: []string{cookie}, RuleOptions: RuleOptions{Consent: []string{key}, Anonymous: anonymous}}
	}
	return Policy{
		Allow: []Rule{
			asks(ThirdParty, "a", "needs_a", false), asks(Statistical, "a", "until_a", true),
			asks(FirstParty, "b", "needs_b", false), asks(Statistical, "b", "until_b", true),
			asks(Statistical, "nobody writes this key", "sure", true),
		},
		Preference: []Preference{{Cookies: []string{"prefs", "more"}}},
	}
}

// readChoicesOf says what was read of the preference in these Cookie lines: `+a` where a is granted, `-a` where it is refused, or `doubt`.
func readChoicesOf(e *Enforcer, cookies ...string) string {
	if !letThrough(e, cookies, "sure=1") {
		for _, line := range []string{"needs_a=1", "until_a=1", "needs_b=1", "until_b=1"} {
			if letThrough(e, cookies, line) {
				return "doubt, and yet " + line + " was let through"
			}
		}
		return "doubt"
	}
	var said []string
	for _, key := range []string{"a", "b"} {
		switch needs, until := letThrough(e, cookies, "needs_"+key+"=1"), letThrough(e, cookies, "until_"+key+"=1"); {
		case needs && until:
			said = append(said, "+"+key)
		case !needs && !until:
			said = append(said, "-"+key)
		case needs:
			said = append(said, "granted and refused: "+key)
		}
	}
	return strings.Join(said, " ")
}

func TestAPreferenceIsReadInEveryFormInWhichItIsMet(t *testing.T) {
	e := withPreference(t)
	const text = `{"functional_cookies":true,"a":true,"b":false,"timestamp":1769309526000}`
	quoted := strings.NewReplacer(`"`, `\"`)
	python := strings.NewReplacer(`"`, `\"`, `,`, `\054`)
	for _, c := range []struct{ what, value string }{
		{"not encoded", text},
		{"fully encoded, as encodeURIComponent does", strings.ReplaceAll(url.QueryEscape(text), "+", "%20")},
		{"every byte encoded", encodeEvery(text)},
		{"every byte encoded, in lower case", strings.ToLower(encodeEvery(text))},
		{"quotes encoded, as encodeURI does", strings.NewReplacer(`"`, "%22", "{", "%7B", "}", "%7D").Replace(text)},
		{"quotes and commas encoded", strings.NewReplacer(`"`, "%22", ",", "%2C").Replace(text)},
		{"commas encoded", strings.ReplaceAll(text, ",", "%2C")},
		{"braces encoded", strings.NewReplacer("{", "%7b", "}", "%7d").Replace(text)},
		{"in quotes", `"` + text + `"`},
		{"encoded, in quotes", `"` + url.QueryEscape(text) + `"`},
		{"in quotes, with backslashes before those inside", `"` + quoted.Replace(text) + `"`},
		{"in quotes, with commas in octal, as Python does", `"` + python.Replace(text) + `"`},
		{"spread out", `{ "functional_cookies" : true , "a" : true,` + "\t" + `"b" : false, "timestamp":1 }`},
		{"with encoded line ends", `{%0A"a":true,%0D%0A"b":false%0A}%0A`},
		{"other values of any kind", `{"x":null,"y":[1,{"a":false},"\"}"],"a":true,"z":{"b":true},"b":false,"n":-1.5e+9,"":""}`},
		{"keys with escapes", `{"\u0061":true,"\u0062":false}`},
		{"non-ASCII letters", `{"café":"crème","a":true,"b":false}`},
		{"encoded non-ASCII letters", `{"caf%C3%A9":"","a":true,"b":false}`},
	} {
		t.Run(c.what, func(t *testing.T) {
			if got := readChoicesOf(e, "prefs="+c.value); got != "+a -b" {
				t.Errorf("%s was read as %q", c.value, got)
			}
		})
	}
}

// encodeEvery percent-encodes each byte.
func encodeEvery(text string) string {
	var b strings.Builder
	for i := range len(text) {
		fmt.Fprintf(&b, "%%%02X", text[i])
	}
	return b.String()
}

func TestOnlyTrueGrants(t *testing.T) {
	e := withPreference(t)
	for value, want := range map[string]string{
		"true": "+a", "false": "-a", "null": "-a", "1": "-a", "0": "-a", `"true"`: "-a", `"granted"`: "-a", `""`: "-a", "[true]": "-a", "[]": "-a",
		`{"a":true}`: "-a", "{}": "-a", "-0.0e-0": "-a", "1.0": "-a", " true ": "+a",
		"True": "doubt", "TRUE": "doubt", "tru": "doubt", "truefalse": "doubt", "true1": "doubt", "yes": "doubt", "": "doubt", "undefined": "doubt", "NaN": "doubt",
		"01": "doubt", "-": "doubt", "1.": "doubt", ".5": "doubt", "1e": "doubt", "1e+": "doubt", "+1": "doubt", "0x1": "doubt", "--1": "doubt", "-01": "doubt",
		"'true'": "doubt", `"`: "doubt", `"\x"`: "doubt", `"\u00g0"`: "doubt", `"\u00"`: "doubt", `"%09"`: "doubt", `"%7F"`: "-a",
		"[": "doubt", "]": "doubt", "[1,]": "doubt", "[,1]": "doubt", "[1 2]": "doubt", "[1}": "doubt", "{": "doubt", `{"x"}`: "doubt", `{"x":}`: "doubt", `{"x":1,}`: "doubt", `{x:1}`: "doubt", `{"x":1]`: "doubt",
	} {
		if got := readChoicesOf(e, `prefs={"a":`+value+`}`); got != want {
			t.Errorf("%s was read as %q, want %q", value, got, want)
		}
	}
}

func TestWhatAPreferenceDoesNotSayIsUndecided(t *testing.T) {
	e := withPreference(t)
	for _, c := range []struct {
		what    string
		cookies []string
	}{
		{"no Cookie line", nil},
		{"an empty Cookie line", []string{""}},
		{"no preference among the cookies", []string{"sessionid=x; a=true; b=true"}},
		{"an empty object", []string{"prefs={}"}},
		{"blanks in an object", []string{"prefs={ }"}},
		{"other keys", []string{`prefs={"ga":true,"aa":true,"a ":true,"":true}`}},
		{"keys in another case", []string{`prefs={"A":true,"B":false}`}},
		{"keys deeper down", []string{`prefs={"x":{"a":true,"b":true},"y":[{"a":true}]}`}},
		{"a cookie in another case", []string{`PREFS={"a":true}`}},
		{"a cookie with another name", []string{`prefs2={"a":true}; xprefs={"a":true}; "prefs"={"a":true}`}},
		{"a cookie of another kind of blank", []string{"\u00a0prefs={\"a\":true}"}},
		{"a nameless cookie", []string{`{"a":true}; ={"b":true}; prefs`}},
		{"a preference in another cookie's value", []string{`x=prefs={"a":true}, prefs={"a":true}`}},
	} {
		t.Run(c.what, func(t *testing.T) {
			if got := readChoicesOf(e, c.cookies...); got != "" {
				t.Errorf("%q was read as %q", c.cookies, got)
			}
		})
	}
}

func TestAPreferenceInDoubtGrantsNothing(t *testing.T) {
	e := withPreference(t)
	nested := func(n int, open, closed string) string {
		return `{"a":true,"x":` + strings.Repeat(open, n) + "1" + strings.Repeat(closed, n) + `}`
	}
	for _, c := range []struct{ what, value string }{
		{"nothing", ""},
		{"blanks", "%20"},
		{"a word", "true"},
		{"a string", `"a"`},
		{"a list of lists that does not end", `["a",["b"]`},
		{"a text", `"a"`},
		{"an unfinished object", `{"a":true`},
		{"an unfinished object, encoded", `%7B%22a%22%3Atrue`},
		{"a comma too many", `{"a":true,}`},
		{"a comma before", `{,"a":true}`},
		{"a comma too few", `{"a":true "b":true}`},
		{"single quotes", `{'a':true}`},
		{"keys without quotes", `{a:true}`},
		{"a key that is no string", `{1:true,"a":true}`},
		{"a comment", `{"a":true}//`},
		{"garbage behind", `{"a":true}x`},
		{"garbage before", `x{"a":true}`},
		{"two objects", `{"a":true}{"a":true}`},
		{"a NUL behind", `{"a":true}%00`},
		{"a byte order mark", `%EF%BB%BF{"a":true}`},
		{"a no-break space", "{\u00a0\"a\":true}"},
		{"plus signs for blanks", `{+"a":true}`},
		{"a percent sign alone", `{"a":true,"x":"%"}`},
		{"half a percent-encoding", `{"a":true,"x":"%4"}`},
		{"half a percent-encoding at the end", `{"a":true}%2`},
		{"no hexadecimal digit", `{"a":true,"x":"%4g"}`},
		{"encoded twice", `%257B%2522a%2522%253Atrue%257D`},
		{"quotes encoded here and not there", `{%22a%22:true,"b":false}`},
		{"a quote encoded within a string", `{"a":true,"x":"%22"}`},
		{"a backslash encoded within a string", `{"a":true,"x":"%5C""}`},
		{"a quote before it alone", `"{"a":true}`},
		{"a quote behind it alone", `{"a":true}"`},
		{"quoted twice", `""{"a":true}""`},
		{"backslashes without quotes around", `{\"a\":true}`},
		{"an octal escape beyond a byte", `"{\"a\":true\454}"`},
		{"a backslash at the end of what is quoted", `"{\"a\":true}\"`},
		{"UTF-8 cut short", "{\"a\":true,\"x\":\"\xc3\"}"},
		{"encoded UTF-8 cut short", `{"a":true,"x":"%C3"}`},
		{"overlong UTF-8", `{"a":true,"x":"%C0%A2"}`},
		{"an encoded surrogate", `{"a":true,"x":"%ED%A0%80"}`},
		{"lists very deep in one another", nested(400, "[", "]")},
		{"objects very deep in one another", nested(400, `{"x":`, "}")},
		{"lists very deep in one another, unfinished", `{"a":true,"x":` + strings.Repeat("[", 4000)},
		{"more than any browser stores", `{"a":true,"x":"` + strings.Repeat("x", 4096) + `"}`},
		{"a key granted twice", `{"a":true,"a":true}`},
		{"a key refused twice", `{"b":true,"a":false,"a":false}`},
		{"a key granted and refused", `{"a":true,"b":true,"a":false}`},
		{"a key refused and granted", `{"a":false,"b":true,"a":true}`},
		{"a key given twice, once with an escape", `{"a":true,"\u0061":true}`},
		{"a key given twice, once percent-encoded", `{"a":true,"%61":true}`},
		{"a key given three times", `{"b":true,"a":true,"a":true,"a":true}`},
	} {
		t.Run(c.what, func(t *testing.T) {
			if got := readChoicesOf(e, "prefs="+c.value); got != "doubt" {
				t.Errorf("%s was read as %q", c.value, got)
			}
		})
	}
}

func TestAPreferenceAsLargeAsBrowsersStoreIsRead(t *testing.T) {
	const begin, end = `{"a":true,"x":"`, `"}`
	value := begin + strings.Repeat("x", 4096-len("prefs")-len(begin)-len(end)) + end
	if got := readChoicesOf(withPreference(t), "prefs="+value); got != "+a" {
		t.Errorf("a preference of %d bytes was read as %q", len(value), got)
	}
}

func TestReasonableNestingIsRead(t *testing.T) {
	e := withPreference(t)
	for depth := range 31 {
		value := `{"x":` + strings.Repeat(`[{"b":`, depth) + "true" + strings.Repeat("}]", depth) + `,"a":true}`
		if got := readChoicesOf(e, "prefs="+value); got != "+a" {
			t.Errorf("%d levels were read as %q", 2*depth, got)
		}
	}
}

func TestAPreferenceThatComesMoreThanOnce(t *testing.T) {
	e := withPreference(t)
	for _, c := range []struct {
		what    string
		cookies []string
		want    string
	}{
		{"is granted only if every copy grants", []string{`prefs={"a":true,"b":true}; prefs={"a":true,"b":true}`}, "+a +b"},
		{"is refused if any copy refuses", []string{`prefs={"a":true,"b":true}; prefs={"a":false,"b":true}`}, "-a +b"},
		{"is refused if any copy refuses, in any order", []string{`prefs={"a":false,"b":true}; prefs={"a":true,"b":true}`}, "-a +b"},
		{"is undecided where a copy says nothing", []string{`prefs={"a":true,"b":true}; prefs={"b":true}`}, "+b"},
		{"is undecided where a copy says nothing, in any order", []string{`prefs={"b":true}; prefs={"a":true,"b":true}`}, "+b"},
		{"is refused where one copy refuses and one says nothing", []string{`prefs={}; prefs={"a":false}`}, "-a"},
		{"is read over all lines", []string{`x=y; prefs={"a":true}`, `prefs={"a":false}; x=y`}, "-a"},
		{"grants nothing if one copy cannot be read", []string{`prefs={"a":true}; prefs=`}, "doubt"},
		{"grants nothing if one copy contradicts itself", []string{`prefs={"a":true}`, `prefs={"a":true,"a":true}`}, "doubt"},
		{"of three copies each counts", []string{`prefs={"a":true,"b":true}; prefs={"a":true}; prefs={"a":true,"b":true}`}, "+a"},
		{"of two cookies one that grants is enough", []string{`prefs={"a":true}; more={"b":true}`}, "+a +b"},
		{"of two cookies one that refuses is enough", []string{`prefs={"a":true}; more={"a":false,"b":true}`}, "-a +b"},
		{"of two cookies one in doubt is enough", []string{`prefs={"a":true}; more=x`}, "doubt"},
		{"of two cookies copies of one do not make up for the other", []string{`prefs={"a":true}; prefs={}; more={"b":true}`}, "+b"},
	} {
		t.Run(c.what, func(t *testing.T) {
			if got := readChoicesOf(e, c.cookies...); got != c.want {
				t.Errorf("%q was read as %q, want %q", c.cookies, got, c.want)
			}
		})
	}
}

func TestThePreferenceIsFoundWhereverItStands(t *testing.T) {
	e := withPreference(t)
	const value = `{"a":true}`
	for _, cookies := range [][]string{
		{"prefs=" + value},
		{"x=y; prefs=" + value + "; z"},
		{"x=y;prefs=" + value + ";z=1"},
		{";;; \t prefs \t = \t " + value + " \t ;;"},
		{"x=y", "", "prefs=" + value},
		{"=; nameless; prefs=" + value},
	} {
		if got := readChoicesOf(e, cookies...); got != "+a" {
			t.Errorf("%q was read as %q", cookies, got)
		}
	}
}

func TestEachOfManyKeysIsReadForItself(t *testing.T) {
	const keys = 200
	p := Policy{Preference: []Preference{{Cookies: []string{"prefs"}}}}
	for i := range keys {
		p.Allow = append(p.Allow, Rule{Category: ThirdParty, Cookies: []string{fmt.Sprintf("c%d", i)}, RuleOptions: RuleOptions{Consent: []string{fmt.Sprintf("k%d", i)}}})
	}
	e := compiled(t, p)
	for _, granted := range []int{0, 1, 62, 63, 64, 65, 127, 128, 129, 191, 192, keys - 1} {
		cookies := []string{fmt.Sprintf(`prefs={"k%d":true,"k%d":false}; prefs={"k%d":true}`, granted, (granted+1)%keys, granted)}
		for i := range keys {
			if got := letThrough(e, cookies, fmt.Sprintf("c%d=1", i)); got != (i == granted) {
				t.Errorf("k%d is granted, and c%d let through is %t", granted, i, got)
			}
		}
		contradicting := []string{fmt.Sprintf(`prefs={"k%d":true,"k%d":true}`, granted, granted)}
		if letThrough(e, contradicting, fmt.Sprintf("c%d=1", granted)) {
			t.Errorf("k%d is granted twice, and counted", granted)
		}
	}
}

// A signal refuses each of many keys, also where the request brings no preference, nor any cookie.
func TestASignalRefusesEachOfManyKeys(t *testing.T) {
	const keys = 200
	p := Policy{Signal: []Signal{{Signal: SignalGPC, Categories: []Category{Statistical}}}, Preference: []Preference{{Cookies: []string{"prefs"}}}}
	for i := range keys {
		p.Allow = append(p.Allow, Rule{Category: Statistical, Cookies: []string{fmt.Sprintf("c%d", i)}, RuleOptions: RuleOptions{Anonymous: true, Consent: []string{fmt.Sprintf("k%d", i)}}})
	}
	e := compiled(t, p)
	for _, cookies := range [][]string{nil, {"other=1"}, {"prefs={}"}} {
		for _, i := range []int{0, 63, 64, keys - 1} {
			for signal, want := range map[string]bool{"0": true, "1": false} {
				visit := e.Visit(Request{Header: http.Header{"Cookie": cookies, "Sec-Gpc": {signal}}})
				header := http.Header{"Set-Cookie": {fmt.Sprintf("c%d=1", i)}}
				visit.FilterResponse(header)
				if got := len(header["Set-Cookie"]) == 1; got != want {
					t.Errorf("Sec-GPC: %s with the cookies %q: c%d let through is %t", signal, cookies, i, got)
				}
			}
		}
	}
}

// A member on the way to the choices, or to the time of the choice, that is given twice contradicts itself, at every level.
func TestAWayThatIsGivenTwiceContradictsItself(t *testing.T) {
	policy := tracking(RuleOptions{Consent: []string{"m"}}, "_ga")
	policy.Preference = []Preference{{Cookies: []string{"prefs"}, Path: "a.b", Timestamp: "a.at"}}
	e := compiled(t, policy)
	for value, want := range map[string]bool{
		`{"a":{"b":{"m":true}}}`:                                             true,
		`{"a":{"b":["m"],"at":1}}`:                                           true,
		`{"a":{"b":{"m":true}},"a":{}}`:                                      false,
		`{"a":{},"a":{"b":{"m":true}}}`:                                      false,
		`{"a":{"b":{"m":true},"b":{}}}`:                                      false,
		`{"a":{"b":{"m":true},"at":1768478400,"\u0061t":1768478400}}`:        false,
		`{"a":{"b":{"m":true}},"x":{"a":{"b":{"m":false}}},"b":{"m":false}}`: true,
	} {
		if got := letThrough(e, []string{"prefs=" + value}, "_ga=1"); got != want {
			t.Errorf("%s: let through is %t", value, got)
		}
	}
}

func TestAPolicyWhoseRulesWaitForConsentWantsAPreference(t *testing.T) {
	for _, c := range []struct {
		what   string
		policy Policy
		want   bool
	}{
		{"necessary cookies only", allowing("a"), false},
		{"a preset with a preference", Policy{Presets: []Preset{{Name: "opendatasoft"}, {Name: "matomo"}}}, false},
		{"a preset without one", Policy{Presets: []Preset{{Name: "matomo"}}}, true},
		{"anonymous statistics", Policy{Presets: []Preset{{Name: "matomo", RuleOptions: RuleOptions{Anonymous: true}}}}, false},
	} {
		if got := compiled(t, c.policy).LacksPreference(); got != c.want {
			t.Errorf("%s: %t", c.what, got)
		}
	}
}
