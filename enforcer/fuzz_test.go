package enforcer

import (
	"bytes"
	"encoding/json"
	"iter"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzSetCookie gives a response's Set-Cookie lines, one per line of the text, to a filter. Whatever they are, those that are let through
// are a part of what came, in its order and with its bytes; each is named in the policy, or a deletion to a second reader; and none is
// refused that this reader takes for a necessary cookie.
func FuzzSetCookie(f *testing.F) {
	for _, lines := range []string{
		"sessionid=x; Path=/; HttpOnly\n_ga=1; Max-Age=600", "home=1; Domain=.Example.org\nhome=2; Domain=example.com", "=x\nx\n;\n=", "_ga=; Max-Age=0\n_ga=; Max-Age=-0",
		"_ga=\"; Expires=Thu, 01-Jan-70 00:00:00 GMT", "_pk_id.1=x; expires=Thu Jan  1 00:00:00 1970; max-age=", "\tsessionid\t=\x80; Max-Age=" + strings.Repeat("0", 1025),
		"\u00a0sessionid=x\nsessionid\x01=x", "_ga=1, sessionid=x\nsessionid=x, _ga=1; Max-Age=0, b=2",
	} {
		f.Add(lines, "prefs={}", "Thu, 15 Jan 2026 12:00:00 GMT")
		f.Add(lines, `prefs={"m":true}`, "")
	}
	e := compiled(f, Policy{
		Allow: []Rule{
			{Category: Necessary, Cookies: []string{"sessionid"}},
			{Category: Necessary, Cookies: []string{"home"}, RuleOptions: RuleOptions{Domain: []string{"example.org"}}},
			{Category: ThirdParty, Cookies: []string{"_pk_*"}, RuleOptions: RuleOptions{Consent: []string{"m"}}},
		},
		Preference: []Preference{{Cookies: []string{"prefs"}}},
	})
	f.Fuzz(func(t *testing.T, text, cookie, date string) {
		lines := strings.Split(text, "\n")
		header := map[string][]string{"Set-Cookie": slices.Clone(lines), "Date": {date}}
		filterResponse(e, []string{cookie}, header)
		left := header["Set-Cookie"]
		for _, line := range lines {
			through := len(left) > 0 && left[0] == line
			if through {
				left = left[1:]
			}
			name, ok := plainName(line)
			switch {
			case through && (!ok || !slices.Contains([]string{"sessionid", "home", "prefs"}, name) && !strings.HasPrefix(name, "_pk_") && !plainDeletion(line)):
				t.Errorf("%q was let through", line)
			case through && strings.HasPrefix(name, "_pk_") && !strings.Contains(cookie, "prefs") && !plainDeletion(line):
				t.Errorf("%q was let through without a preference", line)
			case !through && ok && (name == "sessionid" || name == "prefs"):
				t.Errorf("%q was refused", line)
			}
		}
		if len(left) > 0 {
			t.Errorf("%q was let through, out of order or with other bytes, of %q", left, lines)
		}
	})
}

// plainName reads a line's name in the plainest way.
func plainName(line string) (name string, ok bool) {
	if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return "", false
	}
	pair := strings.Split(line, ";")[0]
	name = strings.Trim(strings.Split(pair, "=")[0], " \t")
	return name, strings.Contains(pair, "=") && name != ""
}

var (
	plainDate   = regexp.MustCompile(`(?i)(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)`)
	plainTime   = regexp.MustCompile(`[0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}`)
	plainDigits = regexp.MustCompile(`[0-9]+`)
)

// plainDeletion says whether a line could be a deletion: by the last Max-Age, or, where that is missing or no number in any browser, by
// an Expires with all that makes a date, and a year that is not in the future.
func plainDeletion(line string) bool {
	given := map[string]string{}
	for _, attribute := range strings.Split(line, ";")[1:] {
		name, value, _ := strings.Cut(attribute, "=")
		if value = strings.Trim(value, " \t"); len(value) <= 1024 {
			given[strings.ToLower(strings.Trim(name, " \t"))] = value
		}
	}
	if spent, ignored := spentToAll(given["max-age"]); !ignored {
		return spent
	}
	expires := given["expires"]
	if !plainDate.MatchString(expires) || !plainTime.MatchString(expires) {
		return false
	}
	return slices.ContainsFunc(plainDigits.FindAllString(plainTime.ReplaceAllString(expires, ""), -1), func(digits string) bool {
		year, _ := strconv.Atoi(digits)
		return len(digits) == 4 && 1601 < year && year <= noon.Year() || len(digits) == 2 && (year >= 70 || year <= noon.Year()-2000)
	})
}

// FuzzCookie gives a request's Cookie header, one line per line of the text, to a reader of pairs. It has to find what splitting and trimming
// find, and the preference under its name and no other.
func FuzzCookie(f *testing.F) {
	for _, text := range []string{
		"", "a=b; c=d", "a=b;c=d;", ";; a ; =b; c=; =", "\ta\t=\tb\t;\u00a0c=d", "a=b\n\nc=d;e", "prefs={}; prefs={\"m\":true}", "prefs", "prefs=x\nprefs=y", "a=\"b; c\"; \x00\xff=",
	} {
		f.Add(text)
	}
	e := withPreference(f)
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Split(text, "\n")
		next, stop := iter.Pull2(cookiePairs(lines))
		defer stop()
		preferred := false
		for _, pair := range strings.Split(strings.Join(lines, ";"), ";") {
			if pair = strings.Trim(pair, " \t"); pair == "" {
				continue
			}
			name, value, found := strings.Cut(pair, "=")
			if !found {
				name, value = "", pair
			}
			name, value = strings.Trim(name, " \t"), strings.Trim(value, " \t")
			preferred = preferred || name == "prefs" || name == "more"
			if gotName, gotValue, ok := next(); !ok || gotName != name || gotValue != value {
				t.Fatalf("of %q the pair %q=%q was read as %q=%q, %t", lines, name, value, gotName, gotValue, ok)
			}
		}
		if name, value, ok := next(); ok {
			t.Errorf("of %q one pair too many was read: %q=%q", lines, name, value)
		}
		if got := readChoicesOf(e, lines...); got != "" && !preferred {
			t.Errorf("without a preference %q was read of %q", got, lines)
		}
	})
}

// FuzzPreference gives a preference's value to the reader as it is, and once more with every byte encoded. The latter is read if, and only if,
// it is an object to encoding/json; and neither grants a key unless that second reader finds true under it, once.
func FuzzPreference(f *testing.F) {
	for _, value := range []string{
		`{"a":true,"b":false}`, `%7B%22a%22:true%7D`, `"{\"a\":true\054\"b\":1}"`, `"{"a":true}"`, `{"a":true,"a":false}`, `{"\u0061":true,"x":[1,{"a":[]}, "\\"]}`, `{"a":tru}`,
		`{"a":true}x`, `{"a":-0.5e+9}`, `{"a":[[[]]]}`, "", "{", `{"a":true,}`, "{\"\xff\":1}", `{"\ud800":true}`, `{ "a" : true }`, `{"":{"":{}}}`, "{%22a%22:true%7d",
	} {
		f.Add(value)
	}
	e := withPreference(f)
	f.Fuzz(func(t *testing.T, value string) {
		if strings.ContainsAny(value, ";") {
			value = strings.ReplaceAll(value, ";", "%3B")
		}
		got := readChoicesOf(e, "prefs="+value)
		readings := plainReadings(strings.Trim(value, " \t"))
		if !slices.Contains(readings, got) {
			t.Errorf("%q was read as %q, and is %q", value, got, readings)
		}

		if len(value) > 1000 || nesting(value) > 30 {
			return // more than a cookie holds when it is encoded, or deeper than any reader has to go
		}
		if got, want := readChoicesOf(e, "prefs="+encodeEvery(value)), plainReading(value); got != want {
			t.Errorf("%q, every byte encoded, was read as %q, and is %q", value, got, want)
		}
	})
}

// plainReadings are all that a value could mean: nothing for sure, and what is left when quotes, backslashes and percent signs are taken off.
func plainReadings(value string) []string {
	readings := []string{"doubt", plainReading(plainDecode(percents, value))}
	if inside, ok := strings.CutPrefix(value, `"`); ok {
		if inside, ok = strings.CutSuffix(inside, `"`); ok {
			readings = append(readings, plainReading(plainDecode(percents, inside)), plainReading(plainDecode(percentsAndBackslashes, inside)))
		}
	}
	return readings
}

var (
	percents               = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)
	percentsAndBackslashes = regexp.MustCompile(`(?s)%[0-9A-Fa-f]{2}|\\([0-3][0-7]{2}|.)`)
)

// plainDecode puts bytes in the place of their escapes: percent-encoding, and the backslashes that Python writes.
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

// plainReading reads an object of choices with encoding/json, and says what [readChoicesOf] says.
func plainReading(text string) string {
	if !json.Valid([]byte(text)) || !utf8.ValidString(text) {
		return "doubt"
	}
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	switch begin, _ := d.Token(); begin {
	case json.Delim('['):
		return plainList(text)
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

// plainList reads an array of the keys that are granted.
func plainList(text string) string {
	var list []any
	if json.Unmarshal([]byte(text), &list) != nil {
		return "doubt"
	}
	said := ""
	for _, key := range []string{"a", "b"} {
		if slices.Contains(list, any(key)) {
			said += " +" + key
		}
	}
	return strings.Trim(said, " ")
}

// nesting counts brackets, of which there are at least as many as levels.
func nesting(text string) int { return strings.Count(text, "[") + strings.Count(text, "{") }
