package consent

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// FuzzPreference gives a preference's value to the reader as it is, and once more with every byte
// encoded. The latter is read if, and only if, encoding/json reads it as an object or an array; and
// neither grants a key unless that second reader finds true under it, once.
func FuzzPreference(f *testing.F) {
	for _, value := range []string{
		`{"a":true,"b":false}`, `%7B%22a%22:true%7D`, `"{\"a\":true\054\"b\":1}"`, `"{"a":true}"`,
		`{"a":true,"a":false}`, `{"\u0061":true,"x":[1,{"a":[]}, "\\"]}`, `{"a":tru}`, `{"a":true}x`,
		`{"a":-0.5e+9}`, `{"a":[[[]]]}`, "", "{", `{"a":true,}`, "{\"\xff\":1}", `{"\ud800":true}`,
		`{ "a" : true }`, `{"":{"":{}}}`, "{%22a%22:true%7d", `["a",1]`, `["\u0061","b"`,
	} {
		f.Add(value)
	}
	r := prefsReader(f, policy.Preference{})
	read := func(t *testing.T, value string) string {
		choice := r.Read(ab, []string{"prefs=" + value}, nil)
		if got := describe(t, choice, ab); !choice.InDoubt() {
			return got
		}
		return "doubt"
	}
	f.Fuzz(func(t *testing.T, value string) {
		value = strings.ReplaceAll(value, ";", "%3B")
		got := read(t, value)
		readings := plainReadings(strings.Trim(value, " \t"))
		if !slices.Contains(readings, got) {
			t.Errorf("%q was read as %q, and is %q", value, got, readings)
		}

		if len(value) > 1000 || nesting(value) > 30 {
			return // more than a cookie holds when it is encoded, or deeper than any tool writes
		}
		if got, want := read(t, encodeEvery(value)), plainReading(value); got != want {
			t.Errorf("%q, every byte encoded, was read as %q, and is %q", value, got, want)
		}
	})
}

// FuzzReadCookies gives Cookie lines to the reader. Without a preference among them nothing is read.
func FuzzReadCookies(f *testing.F) {
	for _, text := range []string{
		"", "a=b; prefs={}", `prefs={}; prefs={"a":true}`, "prefs", "prefs=x\nprefs=y",
		"\u00a0prefs={\"a\":true}", `=prefs={"a":true}`, "a=\"b; prefs={\"a\":true}\"; \x00\xff=",
		"more\t=\t[\"b\"]", `PREFS={"a":true}`,
	} {
		f.Add(text)
	}
	r := prefsReader(f, policy.Preference{})
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Split(text, "\n")
		pairs := strings.FieldsFunc(text, func(r rune) bool { return r == ';' || r == '\n' })
		preferred := slices.ContainsFunc(pairs, func(pair string) bool {
			name, _, found := strings.Cut(pair, "=")
			name = strings.Trim(name, " \t")
			return found && (name == "prefs" || name == "more")
		})
		choice := r.Read(ab, lines, nil)
		if got := describe(t, choice, ab); !preferred && choice != (Choice{}) {
			t.Errorf("without a preference %q was read from %q", got, lines)
		}
		if preferred && choice.State == None {
			t.Errorf("the preference in %q was not read", lines)
		}
	})
}

// plainReadings are all that a value could mean: doubt, and what is left when quotes, backslashes and
// percent signs are removed.
func plainReadings(value string) []string {
	readings := []string{"doubt", plainReading(plainDecode(percents, value))}
	if inside, ok := strings.CutPrefix(value, `"`); ok {
		if inside, ok = strings.CutSuffix(inside, `"`); ok {
			readings = append(readings, plainReading(plainDecode(percents, inside)),
				plainReading(plainDecode(percentsAndBackslashes, inside)))
		}
	}
	return readings
}

var (
	percents               = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)
	percentsAndBackslashes = regexp.MustCompile(`(?s)%[0-9A-Fa-f]{2}|\\([0-3][0-7]{2}|.)`)
)

// plainDecode replaces escapes by the bytes they stand for: percent-encoding, and the backslashes that
// Python writes.
func plainDecode(escapes *regexp.Regexp, text string) string {
	return escapes.ReplaceAllStringFunc(text, func(escape string) string {
		base := map[bool]int{true: 16, false: 8}[escape[0] == '%']
		b, err := strconv.ParseUint(escape[1:], base, 8)
		if err != nil || len(escape) == 2 { // a backslash, and the byte it stands before
			return escape[1:]
		}
		return string([]byte{byte(b)})
	})
}

// plainReading reads choices with encoding/json, and returns what describe returns, or "doubt".
func plainReading(text string) string {
	if !json.Valid([]byte(text)) || !utf8.ValidString(text) {
		return "doubt"
	}
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	switch begin, _ := d.Token(); begin {
	case json.Delim('['):
		return plainArray(text)
	case json.Delim('{'):
	default:
		return "doubt"
	}
	said := map[string]string{}
	for d.More() {
		token, err := d.Token()
		key, isKey := token.(string)
		var value json.RawMessage
		if err != nil || !isKey || d.Decode(&value) != nil {
			return "doubt"
		}
		if said[key] != "" {
			return "doubt"
		}
		said[key] = "-" + key
		if string(value) == "true" {
			said[key] = "+" + key
		}
	}
	return strings.Trim(said["a"]+" "+said["b"], " ")
}

// plainArray reads an array of the keys that are granted.
func plainArray(text string) string {
	var array []any
	if json.Unmarshal([]byte(text), &array) != nil {
		return "doubt"
	}
	said := ""
	for _, key := range []string{"a", "b"} {
		if slices.Contains(array, any(key)) {
			said += " +" + key
		}
	}
	return strings.Trim(said, " ")
}

// nesting counts brackets, of which there are at least as many as levels.
func nesting(text string) int { return strings.Count(text, "[") + strings.Count(text, "{") }
