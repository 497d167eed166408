package consent

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/wire"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// writtenPreferences are preferences of every format, and those of every preset that can be written.
func writtenPreferences(tb testing.TB) (preferences []policy.Preference) {
	tb.Helper()
	for _, p := range []policy.Preference{
		{},
		{Timestamp: "timestamp", MaxAge: 183 * day},
		{Base64: true, Timestamp: "t"},
		{Granted: []string{"allow", "1"}, Timestamp: "m.t"},
		{Path: "p", Timestamp: "p.t"},
		{Path: "p.q", Base64: true},
		{Format: policy.FormatPairs},
		{Format: policy.FormatPairs, Separator: ",", Assignment: ":", Timestamp: "t", MaxAge: day},
		{Format: policy.FormatPairs, Separator: "-|", Assignment: "=>", Granted: []string{"on"}},
		{Format: policy.FormatPairs, ListKey: "g", Granted: []string{"1"}},
		{Format: policy.FormatList, Granted: []string{"all"}},
		{Format: policy.FormatList, Separator: "|"},
		{Format: policy.FormatFlag, Value: "yes"},
		{Format: policy.FormatFlag, Value: "no, \"thanks\""},
	} {
		p.Cookies = []string{"prefs"}
		preferences = append(preferences, p)
	}
	for _, name := range policy.Presets() {
		p := policy.Policy{Presets: []policy.Preset{{Name: name}}}
		resolved, err := p.Resolve()
		if err != nil {
			tb.Fatal(err)
		}
		for _, u := range resolved.Unwritable() {
			if u.Reason != policy.ReasonExistingOnly {
				resolved = nil
				break
			}
		}
		if resolved != nil {
			preferences = append(preferences, resolved.Policy().Preference...)
		}
	}
	return preferences
}

// FuzzWrite writes answers into arbitrary old values: what is read afterwards is what was answered, and
// what stood beside the choices is still there.
func FuzzWrite(f *testing.F) {
	preferences := writtenPreferences(f)
	for i := range preferences {
		for _, value := range []string{
			"", `{"a":true,"x":{"y":[1]},"b":false,"timestamp":1768478300}`, `{"p":{"q":["a","x"],"t":1}}`,
			`%7B%22a%22%3Atrue%2C%22x%22%3A%22%C3%A9%22%7D`, `{%22a%22:true%2C%22x%22:null}`,
			`"{\"a\": true\054 \"x\": \"\\\\\"}"`, `"{"a":true}"`, `["a","x",1]`, "eyJhIjp0cnVlLCJ4IjoxfQ",
			"a=true&x=%26&b=0", "{a:true,x:'y',t:1768478300}", "a=>on-|x=>-%7C-", "x=1&g=a:1,z:0",
			"a%3Dtrue%26x%3D1", "!a=wait!x=true!", "!0=\t", `"a=2025-11-20T10:15:30+00:00|x=-1"`, "a,x, b", "x,all", "yes",
			"no", "%", "%zz", "\"", "{", "a", "a=", "\xff", `{"a":true,"a":false}`, `{"categories":["a"],"consentId":"x",` +
				`"services":{"a":["s"],"b":[]},"lastConsentTimestamp":"2025-11-20T10:15:30.123Z"}`,
			`{"consentId":"x","categories":[]}`, `{"":{},"a":"allow","m":{"t":"2026-01-15"}}`,
		} {
			f.Add(uint8(i), uint8(0b01), value)
			f.Add(uint8(i), uint8(0b10_00), value)
		}
	}
	f.Fuzz(func(t *testing.T, which, how uint8, value string) {
		preference := preferences[int(which)%len(preferences)]
		value = wire.Trim(strings.ReplaceAll(value, ";", "%3B"))
		name := preference.Cookies[0]
		r := readerOf(t, preference)
		keys := Keys{"a": 0, "b": 1}
		if len(preference.Keys) > 0 {
			keys = Keys{preference.Keys[0]: 0, "b": 1}
		}
		granted, refused := Set(how&3), Set(how>>2&3)
		if preference.Format == policy.FormatFlag {
			granted, refused = Set(how&1), Set(how&1^1)
			if len(preference.Keys) == 0 {
				granted, refused = granted*3, refused*3
			}
		}
		refused &^= granted
		cookies := []string{name + "=" + value}
		before := r.Read(keys, cookies, nil)
		changes, choice, err := r.Write(keys, granted, refused, cookies)
		if err != nil {
			if u := err.(policy.Unwritable); u.Reason == policy.ReasonExistingOnly && preference.Path != "" {
				return
			}
			if len(preference.Keys) > 0 && (granted | refused).Has(1) {
				return // no flag holds this key
			}
			t.Fatalf("%b, %b in %q: %v", granted, refused, value, err)
		}
		if granted|refused == 0 || len(changes) == 0 {
			return
		}
		change := changes[0]
		line := name + "=" + change.Value + "; Path=/"
		if cookie, ok := wire.ParseSetCookie(line); !ok || cookie.Value != change.Value || !cookie.Storable() ||
			wire.HasControl(line) || change.Cookie != name {
			t.Fatalf("%q is written as %q, which no browser stores", value, change.Value)
		}
		after := r.Read(keys, []string{name + "=" + change.Value}, nil)
		if after != choice || after.State != Valid {
			t.Fatalf("%q is written as %q: read as %+v, and told to be %+v", value, change.Value, after, choice)
		}
		if after.Granted&(granted|refused) != granted || after.Refused&granted != 0 ||
			!listsGranted(&preference, change.Value) && after.Refused&refused != refused {
			t.Fatalf("%b, %b in %q is written as %q, and read as %+v", granted, refused, value, change.Value, after)
		}
		others := ^(granted | refused)
		if before.State == Valid && preference.Format != policy.FormatFlag && tight(name, value, change.Value) &&
			(after.Granted&others != before.Granted&others || after.Refused&others != before.Refused&others) {
			t.Fatalf("%b, %b in %q is written as %q: other keys were %+v, and are %+v", granted, refused, value,
				change.Value, before, after)
		}
		if before.State == Valid || before.State == TooOld {
			testKept(t, &preference, keys, value, change.Value)
		}
	})
}

// tight reports whether there was room for the old value with what was added to it. Where there is
// none, it is replaced.
func tight(name, old, written string) bool { return len(name)+3*len(old)+200 < wire.MaxPair }

// listsGranted reports whether a value is a list of what is granted.
func listsGranted(p *policy.Preference, value string) bool {
	if p.Format == policy.FormatList {
		return true
	}
	if p.Format != "" && p.Format != policy.FormatJSON {
		return false
	}
	text, ok := plainText(value, p.Base64)
	var at any
	if !ok || json.Unmarshal(text, &at) != nil {
		return false
	}
	for _, member := range splitPath(p.Path) {
		object, _ := at.(map[string]any)
		at = object[member]
	}
	_, isArray := at.([]any)
	return isArray
}

// plainText decodes a value of JSON.
func plainText(value string, isBase64 bool) (text []byte, ok bool) {
	inside, escapes := unquote(value)
	text, reason, _ := appendDecoded(nil, inside, escapes)
	if ok = reason == ""; isBase64 && ok {
		text, ok = decodeBase64(text)
	}
	return text, ok
}

// testKept checks that everything in a readable value that is neither a choice nor its time is still
// there, in its order.
func testKept(t *testing.T, p *policy.Preference, keys Keys, old, written string) {
	t.Helper()
	if !tight(p.Cookies[0], old, written) {
		return
	}
	var before, after []string
	switch p.Format {
	case policy.FormatFlag:
		return
	case policy.FormatPairs, policy.FormatList:
		before, after = foreignParts(t, p, keys, old), foreignParts(t, p, keys, written)
	default:
		before, after = foreignMembers(t, p, keys, old), foreignMembers(t, p, keys, written)
		if !slices.Equal(before, after) { // a tool's own member can be new
			after = slices.DeleteFunc(after, func(m string) bool {
				return m == `"functional_cookies":true` || m == `"essential":true`
			})
			before = slices.DeleteFunc(before, func(m string) bool {
				return m == `"functional_cookies":true` || m == `"essential":true`
			})
		}
	}
	if !slices.Equal(before, after) {
		t.Fatalf("%q is written as %q: there was %q, and is %q", old, written, before, after)
	}
}

// foreignParts returns the members of pairs or of a list that are no choice.
func foreignParts(t *testing.T, p *policy.Preference, keys Keys, value string) (parts []string) {
	t.Helper()
	separator, assignment := p.Separator, p.Assignment
	if p.Format == policy.FormatList {
		assignment = "\x00"
		if separator == "" {
			separator = ","
		}
	} else if separator == "" {
		separator, assignment = "&", "="
	}
	if assignment == "" {
		assignment = "="
	}
	inside, escapes := unquote(value)
	decode := func(s string) string {
		b, reason, _ := appendDecoded(nil, s, escapes)
		if reason != "" {
			t.Fatalf("%q is not encoded as it should be", value)
		}
		return string(b)
	}
	apart := p.Format == policy.FormatPairs && strings.Contains(inside, separator)
	if !apart {
		inside = decode(inside)
	}
	inside = wire.Trim(inside)
	if p.Format == policy.FormatPairs {
		inside, _ = unbrace(inside)
	}
	for part := range strings.SplitSeq(inside, separator) {
		if apart {
			part = decode(part)
		}
		key, _, _ := strings.Cut(part, assignment)
		key = wire.Trim(key)
		_, known := keys[key]
		if known && p.ListKey == "" || key == "" || key == p.Timestamp || key == p.ListKey ||
			p.Format == policy.FormatList && slices.Contains(p.Granted, key) {
			continue
		}
		parts = append(parts, wire.Trim(part)) // blanks around mean nothing
	}
	return parts
}

// foreignMembers returns the members of an object, with those of objects on the paths in their place,
// that are neither a choice nor its time.
func foreignMembers(t *testing.T, p *policy.Preference, keys Keys, value string) (members []string) {
	t.Helper()
	text, ok := plainText(value, p.Base64)
	if !ok {
		t.Fatalf("%q is not encoded as it should be", value)
	}
	var walk func(text []byte, at string)
	walk = func(text []byte, at string) {
		d := json.NewDecoder(bytes.NewReader(text))
		token, err := d.Token()
		for err == nil && d.More() {
			key := ""
			if token == json.Delim('{') {
				k, _ := d.Token()
				key, _ = k.(string)
			}
			var member json.RawMessage
			if err = d.Decode(&member); err != nil {
				break
			}
			full := strings.TrimPrefix(at+"."+key, ".")
			_, known := keys[key]
			var s string
			if token == json.Delim('[') && json.Unmarshal(member, &s) == nil {
				if _, known := keys[s]; known {
					continue
				}
			}
			switch {
			case full == p.Timestamp, at == p.Path && known && token == json.Delim('{'):
			case strings.HasPrefix(p.Path+".", full+"."), strings.HasPrefix(p.Timestamp+".", full+"."),
				p.Path == "categories" && full == "services":
				walk(member, full)
			case at == "services" && known && p.Path == "categories":
			default:
				quoted, _ := json.Marshal(key)
				members = append(members, string(quoted)+":"+string(member))
			}
		}
		if err != nil {
			t.Fatalf("%q is not JSON: %v", value, err)
		}
	}
	walk(text, "")
	return members
}
