package consent

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

func TestReadJSONValues(t *testing.T) {
	r := prefsReader(t, policy.Preference{})
	refused := []string{
		"false", "null", "1", "0", `"true"`, `"granted"`, `""`, "[true]", "[]", `{"a":true}`, "{}",
		"-0.0e-0", "1.0", "1E5", "1e+5", "10", `"%7F"`, `"\"\\\/\b\f\n\r\t\u00e9\u00Ff"`, `[[],{},[{}]]`,
		"[ 1 , 2 ]", `{ "x" : 1 , "y" : 2 }`, "0 ",
	}
	unreadable := []string{
		"True", "TRUE", "tru", "truefalse", "true1", "yes", "", "undefined", "NaN", "fals", "nul", "nulL",
		"01", "-", "1.", ".5", "1e", "1e+", "+1", "0x1", "--1", "-01", "1.e5", "1e5.0",
		"'true'", `"`, `"\x"`, `"\u00g0"`, `"\u00"`, `"\u"`, `"\`, `"%09"`, `"%1F"`,
		"[", "]", "[1,]", "[,1]", "[1 2]", "[1}", "{", `{"x"}`, `{"x":}`, `{"x":1,}`, `{x:1}`, `{"x":1]`,
		`{"x":1 "y":2}`, `{,}`, `{"x" 1}`, "[true,fals]", `{"x":1`, "[1",
	}
	test := func(value, want string) {
		t.Helper()
		if got := readAB(t, r, `prefs={"a":`+value+`}`); got != want {
			t.Errorf("%s was read as %q, want %q", value, got, want)
		}
	}
	test("true", "+a")
	test(" true ", "+a")
	for _, value := range refused {
		test(value, "-a")
	}
	for _, value := range unreadable {
		test(value, "unreadable")
	}
}

// Words that count as yes are compared with strings and with other values as they are written.
func TestReadJSONGranted(t *testing.T) {
	r := prefsReader(t, policy.Preference{Granted: []string{"yes", "1", `a\u0062`}})
	for value, want := range map[string]string{
		"true": "+a", `"yes"`: "+a", "1": "+a", `"1"`: "+a", `"a\u0062"`: "+a",
		"false": "-a", `"true"`: "-a", `"YES"`: "-a", `" yes"`: "-a",
		"1.0": "-a", "10": "-a", `["yes"]`: "-a",
		`{"yes":true}`: "-a", `"ab"`: "-a", "null": "-a", `""`: "-a",
	} {
		if got := readAB(t, r, `prefs={"a":`+value+`}`); got != want {
			t.Errorf("%s was read as %q, want %q", value, got, want)
		}
	}
}

// An array holds the keys that are granted.
func TestReadJSONArray(t *testing.T) {
	r := prefsReader(t, policy.Preference{})
	for value, want := range map[string]string{
		`[]`: "", `[ ]`: "", `["a"]`: "+a", `%20[ "a" , "b" ]%20`: "+a +b",
		`["c","b"]`: "+b", `["a","a"]`: "+a",
		`["\u0061"]`: "+a", `[1,"b",null,{"a":true},["a"]]`: "+b", `["A","a "]`: "", `[true]`: "",
		`["a"`: "unreadable", `["a",]`: "unreadable", `[,"a"]`: "unreadable", `["a" "b"]`: "unreadable",
		`["a"}`: "unreadable", `["a"]x`: "unreadable", `["a"][]`: "unreadable", `[a]`: "unreadable",
		`[`: "unreadable", `]`: "unreadable", `["a"],`: "unreadable",
	} {
		if got := readAB(t, r, "prefs="+value); got != want {
			t.Errorf("%s was read as %q, want %q", value, got, want)
		}
	}
}

func TestReadJSONPath(t *testing.T) {
	r := prefsReader(t, policy.Preference{Path: "x.y"})
	for value, want := range map[string]string{
		`{"x":{"y":{"a":true,"b":false}}}`:                     "+a -b",
		`{"x":{"y":["a"]}}`:                                    "+a",
		` { "x" : { "y" : [ "a" ] } } `:                        "+a",
		`{"\u0078":{"\u0079":["a"]}}`:                          "+a",
		`{"a":true,"x":{"b":true,"y":{},"a":true},"y":["a"]}`:  "",
		`{"y":{"a":true},"z":{"y":{"a":true}},"xy":1,"x.y":1}`: "",
		`{"z":{"x":{"y":{"a":true}}}}`:                         "",
		`{}`:                                                   "",
		`{"x":{}}`:                                             "",
		`{"x":{"y":{}}}`:                                       "",
		`{"x":{"z":1,"y":["b"]},"z":[{"x":1}]}`:                "+b",
		`{"x":{"y":{"x":{"y":{"a":true}},"b":true}}}`:          "+b",
		`["a"]`:                       "unreadable",
		`{"x":["y"]}`:                 "unreadable",
		`{"x":"y"}`:                   "unreadable",
		`{"x":null}`:                  "unreadable",
		`{"x":{"y":"a"}}`:             "unreadable",
		`{"x":{"y":true}}`:            "unreadable",
		`{"x":{"y":}}`:                "unreadable",
		`{"x":{"y"`:                   "unreadable",
		`{"x":{"y":`:                  "unreadable",
		`{"x":{"y":["a"]}`:            "unreadable",
		`{"x":{"y":["a"]},}`:          "unreadable",
		`{"x":{"y":["a"]},"x":{}}`:    "contradictory",
		`{"x":{"y":["a"],"y":["a"]}}`: "contradictory",
	} {
		if got := readAB(t, r, "prefs="+value); got != want {
			t.Errorf("%s was read as %q, want %q", value, got, want)
		}
	}
}

// A member on the path to the choices, or to the time of the choice, that is given twice is a
// contradiction, at every level.
func TestReadJSONPathTwice(t *testing.T) {
	r := prefsReader(t, policy.Preference{Path: "x.y", Timestamp: "x.at"})
	for value, want := range map[string]string{
		`{"x":{"y":{"a":true}}}`:                                            "+a",
		`{"x":{"y":["a"],"at":1}}`:                                          "+a",
		`{"x":{"y":{"a":true}},"x":{}}`:                                     "contradictory",
		`{"x":{},"x":{"y":{"a":true}}}`:                                     "contradictory",
		`{"x":{"y":{"a":true},"y":{}}}`:                                     "contradictory",
		`{"x":{"y":{"a":true},"at":1768478400,"\u0061t":1768478400}}`:       "contradictory",
		`{"x":{"y":{"a":true}},"z":{"x":{"y":{"a":false}}},"y":{"a":0}}`:    "+a",
		`{"x":{"y":{"a":true}},"at":1,"at":2,"z":{"at":"soon"}}`:            "+a",
		`{"x":{"z":1,"z":2,"y":{"a":true}},"other":1,"other":2}`:            "+a",
		`{"x":{"y":{"a":true},"z":{"at":1,"at":2}},"z":{"y":[],"y":[1]}}`:   "+a",
		`{"x":{"y":{"a":true,"at":1},"at":1768478400},"at":[],"z":{"x":1}}`: "+a",
	} {
		if got := readAB(t, r, "prefs="+value); got != want {
			t.Errorf("%s was read as %q, want %q", value, got, want)
		}
	}
}

// The time of the choice can lie among the choices, within one of their objects, or elsewhere.
func TestReadJSONTimestampPath(t *testing.T) {
	const now, old = "1768478400", "1500000000"
	for _, c := range []struct{ path, timestamp, value, want string }{
		{"", "t", `{"a":true,"t":` + now + `}`, "+a"},
		{"", "t", `{"t":` + old + `,"a":true}`, ""},
		{"", "m.t", `{"a":true,"m":{"t":` + now + `,"b":true}}`, "+a"},
		{"", "m.t", `{"a":true,"m":{"x":{},"t":` + old + `}}`, ""},
		{"", "m.t", `{"a":true,"m":true}`, "unreadable"},
		{"", "m.t", `{"a":true,"m":{"t":` + now + `},"m":{}}`, "contradictory"},
		{"", "m.t", `{"a":true,"m":{"t":` + now + `,"t":` + now + `}}`, "contradictory"},
		{"", "m.n.t", `{"a":true,"m":{"n":{"t":` + old + `}}}`, ""},
		{"", "a.t", `{"b":true,"a":{"t":` + now + `}}`, "+b"},
		{"x", "t", `{"t":` + old + `,"x":["a"]}`, ""},
		{"x", "t", `{"x":["a"],"t":` + now + `}`, "+a"},
		{"x", "x.t", `{"x":{"a":true,"t":` + old + `}}`, ""},
		{"x", "x.t", `{"x":{"a":true,"t":` + now + `}}`, "+a"},
		{"x", "x.t", `{"x":{"a":true},"t":` + old + `}`, "+a"},
		{"x", "x.m.t", `{"x":{"a":true,"m":{"t":` + old + `}}}`, ""},
		{"x.y", "x.t", `{"x":{"t":` + old + `,"y":["a"]}}`, ""},
		{"x.y", "z.t", `{"x":{"t":` + old + `,"y":["a"]},"z":{"y":["b"],"t":` + now + `}}`, "+a"},
		{"x.y", "z.t", `{"x":{"y":["a"]},"z":{"t":` + old + `}}`, ""},
		{"x.y", "z.t", `{"x":{"y":["a"]},"z":1}`, "unreadable"},
		{"x", "x.t", `{"x":["a"]}`, "+a"},
	} {
		r := prefsReader(t, policy.Preference{Path: c.path, Timestamp: c.timestamp, MaxAge: 183 * day})
		if got := readAB(t, r, "prefs="+c.value); got != c.want {
			t.Errorf("choices at %q, time at %q: %s was read as %q, want %q",
				c.path, c.timestamp, c.value, got, c.want)
		}
	}
}

func TestReadJSONNested(t *testing.T) {
	r := prefsReader(t, policy.Preference{})
	for depth := range 31 {
		value := `{"x":` + strings.Repeat(`[{"b":`, depth) + "true" + strings.Repeat("}]", depth) +
			`,"a":true}`
		if got := readAB(t, r, "prefs="+value); got != "+a" {
			t.Errorf("%d levels were read as %q", 2*depth, got)
		}
	}
}

// At most 63 objects and arrays that are not empty can be nested in a value.
func TestReadJSONDepth(t *testing.T) {
	r := prefsReader(t, policy.Preference{})
	for _, form := range []struct{ open, closed string }{
		{"[", "]"}, {`{"x":`, "}"}, {`[0,`, "]"}, {`{"y":1,"x":`, "}"},
	} {
		for _, inside := range []struct {
			text  string
			depth int // of its own, where it is not empty
		}{{"1", 0}, {"[]", 0}, {"{}", 0}, {"[ ]", 0}, {"[1]", 1}, {`{"y":[]}`, 1}, {`[{"y":1}]`, 2}} {
			for n := 60; n <= 66; n++ {
				want := "+a"
				if n+inside.depth > 63 {
					want = "unreadable"
				}
				value := strings.Repeat(form.open, n) + inside.text + strings.Repeat(form.closed, n)
				for _, cookie := range []string{
					`{"a":true,"x":` + value + `}`, `{"x":` + value + `,"a":true}`, `["a",` + value + `]`,
				} {
					if got := readAB(t, r, "prefs="+cookie); got != want {
						t.Errorf("%d of %q around %s were read as %q, want %q",
							n, form.open, inside.text, got, want)
					}
				}
			}
		}
	}
}

// A preference has at most 256 keys, so that a key that is given twice is found.
func TestReadJSONManyMembers(t *testing.T) {
	members := func(n int, format, separator string) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(format, i))
		}
		return strings.Join(all, separator)
	}
	readers := map[string]struct {
		*Reader
		member, separator, begin, end, a, twice string
	}{
		"json": {prefsReader(t, policy.Preference{}), `"k%d":0`, ",", "{", "}", `"a":true`, `"k%d":0`},
		"pairs": {prefsReader(t, policy.Preference{Format: policy.FormatPairs}),
			"k%d=0", "&", "", "", "a=true", "k%d=0"},
		"pairs in a list": {prefsReader(t, policy.Preference{Format: policy.FormatPairs, ListKey: "groups"}),
			"k%d:0", ",", "groups=", "", "a:true", "k%d:0"},
	}
	for name, r := range readers {
		read := func(members ...string) string {
			return readAB(t, r.Reader, "prefs="+r.begin+strings.Join(members, r.separator)+r.end)
		}
		for n, want := range map[int]string{
			1: "+a", 23: "+a", 24: "+a", 25: "+a", 255: "+a",
			256: "unreadable", 257: "unreadable", 300: "unreadable",
		} {
			others := members(n, r.member, r.separator)
			if got := read(others, r.a); got != want {
				t.Errorf("%s: %d other keys, and a, were read as %q, want %q", name, n, got, want)
			}
			if got := read(r.a, others); got != want {
				t.Errorf("%s: a, and %d other keys, were read as %q, want %q", name, n, got, want)
			}
		}
		// Each of 255 keys is found again, at any place.
		for _, n := range []int{1, 23, 24, 25, 26, 255, 256} {
			others := members(n, r.member, r.separator)
			for _, i := range []int{0, 22, 23, 24, 25, 254, 255} {
				if i >= n {
					continue
				}
				if got := read(others, fmt.Sprintf(r.twice, i)); got != "contradictory" {
					t.Errorf("%s: of %d keys the one at %d, given twice, was read as %q", name, n, i, got)
				}
			}
		}
	}
	// Keys of an array, and members that hold no choice, are not counted.
	array := `["a",` + members(300, `"k%d"`, ",") + `]`
	if got := readAB(t, readers["json"].Reader, "prefs="+array); got != "+a" {
		t.Errorf("an array of 301 keys was read as %q", got)
	}
	deeper := prefsReader(t, policy.Preference{Path: "x"})
	if got := readAB(t, deeper, `prefs={"x":["a"],`+members(300, `"k%d":0`, ",")+`}`); got != "+a" {
		t.Errorf("300 members beside the choices were read as %q", got)
	}
}
