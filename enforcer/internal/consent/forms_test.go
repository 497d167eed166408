package consent

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// encodeEvery percent-encodes each byte.
func encodeEvery(text string) string {
	var b strings.Builder
	for i := range len(text) {
		fmt.Fprintf(&b, "%%%02X", text[i])
	}
	return b.String()
}

func TestReadForms(t *testing.T) {
	r := prefsReader(t, policy.Preference{})
	const text = `{"functional_cookies":true,"a":true,"b":false,"timestamp":1769309526000}`
	replace := func(oldnew ...string) string { return strings.NewReplacer(oldnew...).Replace(text) }
	for _, c := range []struct{ name, value string }{
		{"not encoded", text},
		{"fully encoded, as encodeURIComponent does", strings.ReplaceAll(url.QueryEscape(text), "+", "%20")},
		{"every byte encoded", encodeEvery(text)},
		{"every byte encoded, in lower case", strings.ToLower(encodeEvery(text))},
		{"quotes encoded, as encodeURI does", replace(`"`, "%22", "{", "%7B", "}", "%7D")},
		{"quotes and commas encoded", replace(`"`, "%22", ",", "%2C")},
		{"commas encoded", replace(",", "%2C")},
		{"braces encoded", replace("{", "%7b", "}", "%7d")},
		{"in quotes", `"` + text + `"`},
		{"encoded, in quotes", `"` + url.QueryEscape(text) + `"`},
		{"in quotes, with backslashes before those inside", `"` + replace(`"`, `\"`) + `"`},
		{"in quotes, with commas in octal, as Python does", `"` + replace(`"`, `\"`, `,`, `\054`) + `"`},
		{"spread out", `{ "functional_cookies" : true , "a" : true,` + "\t" + `"b" : false, "timestamp":1 }`},
		{"with encoded line ends", `{%0A"a":true,%0D%0A"b":false%0A}%0A`},
		{"other values of any kind",
			`{"x":null,"y":[1,{"a":false},"\"}"],"a":true,"z":{"b":true},"b":false,"n":-1.5e+9,"":""}`},
		{"keys with escapes", `{"\u0061":true,"\u0062":false}`},
		{"non-ASCII letters", `{"café":"crème","a":true,"b":false}`},
		{"encoded non-ASCII letters", `{"caf%C3%A9":"","a":true,"b":false}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := readAB(t, r, "prefs="+c.value); got != "+a -b" {
				t.Errorf("%s was read as %q", c.value, got)
			}
		})
	}
}

func TestReadDoubt(t *testing.T) {
	r := prefsReader(t, policy.Preference{})
	nested := func(n int, open, closed string) string {
		return `{"a":true,"x":` + strings.Repeat(open, n) + "1" + strings.Repeat(closed, n) + `}`
	}
	for _, c := range []struct {
		name, value string
		want        State
	}{
		{"nothing", "", Unreadable},
		{"blanks", "%20", Unreadable},
		{"a word", "true", Unreadable},
		{"a string", `"a"`, Unreadable},
		{"an array of arrays that does not end", `["a",["b"]`, Unreadable},
		{"an unfinished object", `{"a":true`, Unreadable},
		{"an unfinished object, encoded", `%7B%22a%22%3Atrue`, Unreadable},
		{"a comma too many", `{"a":true,}`, Unreadable},
		{"a comma before", `{,"a":true}`, Unreadable},
		{"a comma too few", `{"a":true "b":true}`, Unreadable},
		{"single quotes", `{'a':true}`, Unreadable},
		{"keys without quotes", `{a:true}`, Unreadable},
		{"a key that is no string", `{1:true,"a":true}`, Unreadable},
		{"a key without its first quote", `{a":true}`, Unreadable},
		{"a key without a colon", `{"a" true}`, Unreadable},
		{"no brace before", `"a":true}`, Unreadable},
		{"a number at the end", `{"a":1`, Unreadable},
		{"a comment", `{"a":true}//`, Unreadable},
		{"garbage behind", `{"a":true}x`, Unreadable},
		{"garbage before", `x{"a":true}`, Unreadable},
		{"two objects", `{"a":true}{"a":true}`, Unreadable},
		{"a NUL behind", `{"a":true}%00`, Unreadable},
		{"a byte order mark", `%EF%BB%BF{"a":true}`, Unreadable},
		{"a no-break space", "{\u00a0\"a\":true}", Unreadable},
		{"plus signs for blanks", `{+"a":true}`, Unreadable},
		{"a percent sign alone", `{"a":true,"x":"%"}`, Unreadable},
		{"half a percent-encoding", `{"a":true,"x":"%4"}`, Unreadable},
		{"half a percent-encoding at the end", `{"a":true}%2`, Unreadable},
		{"no hexadecimal digit", `{"a":true,"x":"%4g"}`, Unreadable},
		{"no hexadecimal digit first", `{"a":true,"x":"%g4"}`, Unreadable},
		{"no hexadecimal digit, where the bytes around would make a letter",
			`{"a":true,"x":"%g2%80%80%80"}`, Unreadable},
		{"encoded twice", `%257B%2522a%2522%253Atrue%257D`, Unreadable},
		{"quotes encoded here and not there", `{%22a%22:true,"b":false}`, Unreadable},
		{"a quote encoded within a string", `{"a":true,"x":"%22"}`, Unreadable},
		{"a backslash encoded within a string", `{"a":true,"x":"%5C""}`, Unreadable},
		{"a quote encoded within what backslashes quote", `"{\"a\":true,%22x%22:1}"`, Unreadable},
		{"a quote before it alone", `"{"a":true}`, Unreadable},
		{"a quote behind it alone", `{"a":true}"`, Unreadable},
		{"quoted twice", `""{"a":true}""`, Unreadable},
		{"backslashes without quotes around", `{\"a\":true}`, Unreadable},
		{"an octal escape beyond a byte", `"{\"a\":true\454}"`, Unreadable},
		{"a backslash at the end of what is quoted", `"{\"a\":true}\"`, Unreadable},
		{"UTF-8 cut short", "{\"a\":true,\"x\":\"\xc3\"}", Unreadable},
		{"encoded UTF-8 cut short", `{"a":true,"x":"%C3"}`, Unreadable},
		{"overlong UTF-8", `{"a":true,"x":"%C0%A2"}`, Unreadable},
		{"an encoded surrogate", `{"a":true,"x":"%ED%A0%80"}`, Unreadable},
		{"arrays very deep in one another", nested(400, "[", "]"), Unreadable},
		{"objects very deep in one another", nested(400, `{"x":`, "}"), Unreadable},
		{"arrays very deep in one another, unfinished", `{"a":true,"x":` + strings.Repeat("[", 4000),
			Unreadable},
		{"more than any browser stores", `{"a":true,"x":"` + strings.Repeat("x", 4096) + `"}`, Unreadable},
		{"a key granted twice", `{"a":true,"a":true}`, Contradictory},
		{"a key refused twice", `{"b":true,"a":false,"a":false}`, Contradictory},
		{"a key granted and refused", `{"a":true,"b":true,"a":false}`, Contradictory},
		{"a key refused and granted", `{"a":false,"b":true,"a":true}`, Contradictory},
		{"a key given twice, once with an escape", `{"a":true,"\u0061":true}`, Contradictory},
		{"a key given twice, once percent-encoded", `{"a":true,"%61":true}`, Contradictory},
		{"a key given three times", `{"b":true,"a":true,"a":true,"a":true}`, Contradictory},
		{"a key that the policy does not know given twice", `{"x":true,"a":true,"x":true}`, Contradictory},
		{"a key given twice, unfinished", `{"a":true,"a":true`, Unreadable},
		{"an escape that is cut short", `{"a":true,"x":"\`, Unreadable},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := readAB(t, r, "prefs="+c.value); got != c.want.String() {
				t.Errorf("%s was read as %q, want %v", c.value, got, c.want)
			}
		})
	}
}

// Quotes around the value and backslashes inside belong together.
func TestReadQuotes(t *testing.T) {
	r := prefsReader(t, policy.Preference{Format: policy.FormatFlag, Value: `a"\,é`, Keys: []string{"a"}})
	for value, want := range map[string]string{
		`a"\,é`:               "+a",
		`"a"\,é"`:             "+a", // a bare quote inside: the backslash is no escape
		`"a\"\\,é"`:           "+a",
		`"a\042\134\054é"`:    "+a",
		`"a\"\\\,é"`:          "+a",
		`"\a\"\\,\303\251"`:   "+a",
		`a%22%5C,%C3%A9`:      "+a",
		`"a%22%5C%2C%c3%a9"`:  "+a",
		`a\"\\,é`:             "-a", // backslashes are escapes only in quotes
		`"a\"\\,é`:            "-a",
		`"a\"\\\54é"`:         "-a", // octal escapes have three digits
		`"a\"\\\454é"`:        "-a", // and end at a byte
		`"a\"\\\058é"`:        "-a", // and no digit but 0 to 7
		`"a\"\\\085é"`:        "-a",
		`"`:                   "-a",
		`""`:                  "-a",
		`"a\"\\,é\"`:          "unreadable",
		`"a%22\"%5C,é"`:       "unreadable",
		`a%22%5C,"é`:          "unreadable",
		`a%22%5C,\303\251`:    "-a",
		`"a\"\\,\303"`:        "unreadable",
		`%`:                   "unreadable",
		`%2`:                  "unreadable",
		`a%2`:                 "unreadable",
		`a%22%5C,%C3%A9%2C%4`: "unreadable",
	} {
		if got := readAB(t, r, "prefs="+value); got != want {
			t.Errorf("%s was read as %q, want %q", value, got, want)
		}
	}
}

// What is left when quotes and escapes are removed.
func TestReadEscapes(t *testing.T) {
	for value, text := range map[string]string{
		`"\058"`:     "058", // octal escapes have three digits from 0 to 7
		`"\085"`:     "085",
		`"\508"`:     "508",
		`"\05"`:      "05",
		`"\0"`:       "0",
		`"\400"`:     "400",
		`"\077"`:     "?",
		`"\173\176"`: "{~",
		`"\%41"`:     "%41",
		`""""`:       `""`,
		`"""`:        `"`,
		`"a""`:       `a"`,
		"%7e%7E":     "~~",
	} {
		flag := policy.Preference{
			Cookies: []string{"p"}, Format: policy.FormatFlag, Value: text, Keys: []string{"a"}}
		if got := readAB(t, readerOf(t, flag), "p="+value); got != "+a" {
			t.Errorf("%s was read as %q, want the text %s", value, got, text)
		}
	}
}

func TestReadBase64(t *testing.T) {
	r := prefsReader(t, policy.Preference{Base64: true})
	std, raw := base64.StdEncoding, base64.RawURLEncoding
	// The text has bytes for which the two alphabets differ, and each of three lengths.
	texts := []string{
		`{"a":true,"b":0,"x":"~~~???>>>"}`, `{"a":true,"b":0,"x":"~~~???>>>."}`,
		`{"a":true,"b":0,"x":"~~~???>>>.."}`,
	}
	for _, text := range texts {
		if !strings.ContainsAny(std.EncodeToString([]byte(text)), "+/") {
			t.Fatalf("%s tells no alphabet", text)
		}
		for _, value := range []string{
			std.EncodeToString([]byte(text)), raw.EncodeToString([]byte(text)),
			base64.RawStdEncoding.EncodeToString([]byte(text)),
			base64.URLEncoding.EncodeToString([]byte(text)),
			url.QueryEscape(std.EncodeToString([]byte(text))), encodeEvery(std.EncodeToString([]byte(text))),
			`"` + std.EncodeToString([]byte(text)) + `"`, std.EncodeToString([]byte(text)) + "==",
		} {
			if got := readAB(t, r, "prefs="+value); got != "+a -b" {
				t.Errorf("%s was read as %q", value, got)
			}
		}
	}
	std2 := func(text string) string { return std.EncodeToString([]byte(text)) }
	for name, value := range map[string]string{
		"nothing":                  "",
		"padding alone":            "==",
		"JSON that is not encoded": `{"a":true}`,
		"text that is not JSON":    std2("yes"),
		"both alphabets":           std2(texts[0]) + "-_",
		"a byte that is not UTF-8": std2("{\"a\":true,\"x\":\"\xff\"}"),
		"UTF-8 cut short":          std2("{\"a\":true,\"x\":\"\xc3\"}"),
		"a byte that is not UTF-8, URL": raw.EncodeToString(
			[]byte("{\"a\":true,\"x\":\"\xff\xfe\xff\"}")),
		"a letter too few":                     strings.TrimRight(std2(texts[0]), "=")[1:],
		"one letter alone behind":              std2(`{"a":true,"b":0}..`) + "A",
		"padding within":                       std2(`{"a":true,`) + "=" + std2(`"b":1}`),
		"base64 of base64":                     std2(std2(texts[0])),
		"percent-encoding inside":              std2(`%7B%22a%22:true%7D`),
		"a byte that is not UTF-8, not base64": "\xff",
	} {
		if got := readAB(t, r, "prefs="+value); got != "unreadable" {
			t.Errorf("%s was read as %q", name, got)
		}
	}
}

func TestReadLength(t *testing.T) {
	r := prefsReader(t, policy.Preference{})
	const begin, end = `{"a":true,"x":"`, `"}`
	for length, want := range map[int]string{
		4096 - len("prefs"): "+a", 4096: "+a", 4097: "unreadable", 512: "+a", 513: "+a", 1024: "+a",
	} {
		value := begin + strings.Repeat("x", length-len(begin)-len(end)) + end
		if got := readAB(t, r, "prefs="+value); got != want {
			t.Errorf("a value of %d bytes was read as %q, want %q", length, got, want)
		}
	}
}
