package consent

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/wire"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// answersOf reads answers such as "+a -b": the keys, numbered in this order, and what is granted and
// refused. A key with a question mark gets no answer.
func answersOf(text string) (keys Keys, granted, refused Set) {
	keys = Keys{}
	for k, word := range strings.Fields(text) {
		keys[word[1:]] = k
		switch word[0] {
		case '+':
			granted.Add(k)
		case '-':
			refused.Add(k)
		}
	}
	return keys, granted, refused
}

// writtenTo returns the cookies that are written for a request with a Cookie header, one a line.
func writtenTo(t *testing.T, r *Reader, cookies, answers string) string {
	t.Helper()
	keys, granted, refused := answersOf(answers)
	changes, _, err := r.Write(keys, granted, refused, []string{cookies})
	if err != nil {
		return "error: " + err.Error()
	}
	var lines []string
	for _, c := range changes {
		lines = append(lines, c.Cookie+"="+c.Value)
	}
	return strings.Join(lines, "; ")
}

// The clock of these tests shows noon on 15 January 2026.
const (
	noonSeconds      = "1768478400"
	noonMilliseconds = "1768478400000"
)

func TestWriteTools(t *testing.T) {
	for _, c := range []struct{ preset, name, cookies, answers, want string }{
		{"opendatasoft", "from nothing", "", "+matomo -ga",
			`cookies_preferences=%7B%22functional_cookies%22%3Atrue%2C%22matomo%22%3Atrue%2C%22ga%22%3Afalse` +
				`%2C%22timestamp%22%3A` + noonMilliseconds + `%7D`},
		{"opendatasoft", "as the portal writes it",
			`cookies_preferences=%7B%22functional_cookies%22%3Atrue%2C%22matomo%22%3Afalse%2C%22xiti%22%3Atrue` +
				`%2C%22timestamp%22%3A1767309526000%7D`, "+matomo",
			`cookies_preferences=%7B%22functional_cookies%22%3Atrue%2C%22matomo%22%3Atrue%2C%22xiti%22%3Atrue` +
				`%2C%22timestamp%22%3A` + noonMilliseconds + `%7D`},
		{"opendatasoft", "raw, in seconds", `cookies_preferences={"matomo":true,"timestamp":1767309526}`,
			"-matomo", `cookies_preferences={"matomo":false,"timestamp":` + noonSeconds +
				`,"functional_cookies":true}`},
		{"opendatasoft", "partly encoded",
			`cookies_preferences={%22matomo%22:true%2C%22functional_cookies%22:true}`, "-matomo +ga",
			`cookies_preferences={%22matomo%22:false%2C%22functional_cookies%22:true%2C%22ga%22:true` +
				`%2C%22timestamp%22:` + noonMilliseconds + `}`},
		{"opendatasoft", "in quotes, as Python writes it",
			`cookies_preferences="{\"functional_cookies\": true\054 \"matomo\": true\054 \"timestamp\": 1767309526}"`,
			"-matomo +ga",
			`cookies_preferences="{\"functional_cookies\": true\054 \"matomo\": false\054 \"timestamp\": ` +
				noonSeconds + `\054\"ga\":true}"`},
		{"opendatasoft", "in quotes", `cookies_preferences="{"functional_cookies":true,"matomo":true}"`,
			"-matomo", `cookies_preferences="{"functional_cookies":true,"matomo":false,"timestamp":` +
				noonMilliseconds + `}"`},
		{"opendatasoft", "too old, with a choice that nobody made again",
			`cookies_preferences={"functional_cookies":true,"ga":true,"own":[1],"timestamp":1467309526}`,
			"+matomo ?ga", `cookies_preferences={"functional_cookies":true,"own":[1],"timestamp":` +
				noonSeconds + `,"matomo":true}`},
		{"opendatasoft", "unreadable", "cookies_preferences=%7B%22functional_cookies%22%3Atrue%2C", "-ga",
			`cookies_preferences=%7B%22functional_cookies%22%3Atrue%2C%22ga%22%3Afalse%2C%22timestamp%22%3A` +
				noonMilliseconds + `%7D`},
		{"opendatasoft", "contradictory", `cookies_preferences={"ga":true,"ga":false}`, "-ga",
			`cookies_preferences=%7B%22functional_cookies%22%3Atrue%2C%22ga%22%3Afalse%2C%22timestamp%22%3A` +
				noonMilliseconds + `%7D`},

		{"govuk", "from nothing", "", "+usage -campaigns",
			`cookies_policy={"essential":true,"usage":true,"campaigns":false}; cookies_preferences_set=true`},
		{"govuk", "before any answer",
			`cookies_policy={"essential":true,"settings":false,"usage":"aggregate","campaigns":false}`,
			"-usage +campaigns",
			`cookies_policy={"essential":true,"settings":false,"usage":false,"campaigns":true}; ` +
				`cookies_preferences_set=true`},

		{"tarteaucitron", "from nothing", "", "+gtag -youtube", "tarteaucitron=!gtag=true!youtube=false"},
		{"tarteaucitron", "with other services", "tarteaucitron=!id=5df8!gtag=wait!vimeo=true",
			"-gtag +youtube", "tarteaucitron=!id=5df8!gtag=false!vimeo=true!youtube=true"},
		{"tarteaucitron", "with a separator at the end", "tarteaucitron=!gtag=true!", "-gtag +youtube",
			"tarteaucitron=!gtag=false!youtube=true!"},
		{"tarteaucitron", "with encoded equals signs", "tarteaucitron=!gtag%3Dtrue!x%3Dwait", "-gtag +youtube",
			"tarteaucitron=!gtag%3Dfalse!x%3Dwait!youtube%3Dtrue"},

		{"klaro", "from nothing", "", "+matomo -youtube",
			"klaro=%7B%22matomo%22%3Atrue%2C%22youtube%22%3Afalse%7D"},
		{"klaro", "with a service that is required", "klaro=%7B%22klaro%22%3Atrue%2C%22matomo%22%3Atrue%7D",
			"-matomo", "klaro=%7B%22klaro%22%3Atrue%2C%22matomo%22%3Afalse%7D"},

		{"cookieconsent", "edited",
			`cc_cookie=%7B%22categories%22%3A%5B%22necessary%22%2C%22analytics%22%5D%2C%22consentTimestamp%22` +
				`%3A%222025-11-20T10%3A15%3A30.123Z%22%2C%22consentId%22%3A%22x%22%2C%22services%22%3A%7B%22` +
				`analytics%22%3A%5B%22ga%22%5D%2C%22ads%22%3A%5B%5D%7D%2C%22lastConsentTimestamp%22%3A%22` +
				`2025-11-20T10%3A15%3A30.123Z%22%7D`, "-analytics +ads",
			`cc_cookie=%7B%22categories%22%3A%5B%22necessary%22%2C%22ads%22%5D%2C%22consentTimestamp%22` +
				`%3A%222025-11-20T10%3A15%3A30.123Z%22%2C%22consentId%22%3A%22x%22%2C%22services%22%3A%7B%22` +
				`analytics%22%3A%5B%5D%2C%22ads%22%3A%5B%5D%7D%2C%22lastConsentTimestamp%22%3A%22` +
				`2026-01-15T12%3A00%3A00.000Z%22%7D`},
		{"cookieconsent", "from nothing", "", "+analytics",
			`error: the cookie "cc_cookie" can be changed where the browser has it, and cannot be written from nothing`},
		{"cookieconsent", "without an identifier", `cc_cookie={"categories":[]}`, "+analytics",
			`error: the cookie "cc_cookie" can be changed where the browser has it, and cannot be written from nothing`},

		{"complianz", "from nothing", "", "+statistics -marketing",
			"cmplz_statistics=allow; cmplz_banner-status=dismissed; cmplz_marketing=deny"},
		{"complianz", "changed", "cmplz_statistics=allow; cmplz_marketing=allow", "+statistics -marketing",
			"cmplz_statistics=allow; cmplz_banner-status=dismissed; cmplz_marketing=deny"},
		{"complianz", "a category that no rule asks for, unreadable", "cmplz_preferences=%zz", "+statistics",
			"cmplz_preferences=deny; cmplz_banner-status=dismissed; cmplz_statistics=allow"},

		{"django_cookie_consent", "from nothing", "", "+analytics -social",
			"cookie_consent=analytics=2026-01-15T12:00:00.000000+00:00|social=-1"},
		{"django_cookie_consent", "in quotes", `cookie_consent="other=2025-11-20T10:15:30+00:00|analytics=-1"`,
			"+analytics -social",
			`cookie_consent="other=2025-11-20T10:15:30+00:00|analytics=2026-01-15T12:00:00.000000+00:00|social=-1"`},
		{"django_cookie_consent", "granted again", `cookie_consent=analytics=2025-11-20T10:15:30+00:00`,
			"+analytics", `cookie_consent=analytics=2026-01-15T12:00:00.000000+00:00`},

		{"aspnet", "granted", "", "+analytics", ".AspNet.Consent=yes"},
		{"aspnet", "refused", ".AspNet.Consent=yes", "-analytics -ads", ".AspNet.Consent=no"},
	} {
		t.Run(c.preset+"/"+c.name, func(t *testing.T) {
			r := NewReader(resolvedTool(t, c.preset).Policy().Preference, atNoon)
			if got := writtenTo(t, r, c.cookies, c.answers); got != c.want {
				t.Errorf("%s in %q is written as\n%s, want\n%s", c.answers, c.cookies, got, c.want)
			}
		})
	}
}

func TestWriteFormats(t *testing.T) {
	json, pairs, list, flag := policy.FormatJSON, policy.FormatPairs, policy.FormatList, policy.FormatFlag
	for _, c := range []struct {
		name          string
		preference    policy.Preference
		old           string
		answers, want string
	}{
		{"an array", policy.Preference{Format: json}, `["x","a","b"]`, "-a +c", `["x","b","c"]`},
		{"an array, emptied", policy.Preference{Format: json}, `[ "a" ]`, "-a", `[]`},
		{"an array with blanks", policy.Preference{Format: json}, `["x", 1, "a"]`, "+a +c",
			`["x", 1, "a","c"]`},
		{"blanks and nested members", policy.Preference{Format: json},
			`{ "x" : {"a":true} , "a" : true }`, "-a +c", `{ "x" : {"a":true} , "a" : false ,"c":true}`},
		{"an object at a path", policy.Preference{Format: json, Path: "p.q", Timestamp: "t.u"},
			`{"p":{"a":true,"q":{"a":true}},"z":null}`, "-a",
			`{"p":{"a":true,"q":{"a":false}},"z":null,"t":{"u":` + noonMilliseconds + `}}`},
		{"a timestamp among the choices", policy.Preference{Format: json, Path: "p", Timestamp: "p.t"},
			`{"p":{"a":true,"t":"2025-01-01 10:00:00.5"}}`, "-a",
			`{"p":{"a":false,"t":"2026-01-15 12:00:00.0"}}`},
		{"a timestamp in an object beside the choices", policy.Preference{Format: json, Timestamp: "m.t"},
			`{"a":true,"m":{"t":"1767309526","v":1}}`, "-a",
			`{"a":false,"m":{"t":"` + noonSeconds + `","v":1}}`},
		{"an object at a path from nothing", policy.Preference{Format: json, Path: "p"}, "", "-a",
			`error: the cookie "prefs" can be changed where the browser has it, and cannot be written from nothing`},
		{"an object at a path that is not there", policy.Preference{Format: json, Path: "p"}, "{}", "-a",
			`error: the cookie "prefs" can be changed where the browser has it, and cannot be written from nothing`},
		{"words", policy.Preference{Format: json, Granted: []string{"allow", "1"}},
			`{"a":"allow","b":1,"c":false,"d":"x"}`, "-a -b +c +d +e",
			`{"a":"deny","b":0,"c":true,"d":"allow","e":"allow"}`},
		{"times for yes", policy.Preference{Format: json, Granted: []string{policy.AnyTime}},
			`{"a":"2025-11-20T10:15:30.123Z","b":"2025-11-20"}`, "+a -b +c -d",
			`{"a":"2026-01-15T12:00:00.000Z","b":false,"c":"2026-01-15T12:00:00.000000+00:00","d":false}`},
		{"an array at a path, too old", policy.Preference{Format: json, Path: "p", Timestamp: "t", MaxAge: day},
			`{"p":["x","a","b"],"t":"2025-11-20"}`, "+c ?a ?b -d", `{"p":["x","c"],"t":"2026-01-15"}`},
		{"base64", policy.Preference{Format: json, Base64: true}, "eyJhIjp0cnVlfQ==", "-a", "eyJhIjpmYWxzZX0="},
		{"base64 without padding", policy.Preference{Format: json, Base64: true}, "eyJhIjp0cnVlfQ", "-a",
			"eyJhIjpmYWxzZX0"},
		{"base64 with encoded padding", policy.Preference{Format: json, Base64: true}, "eyJhIjp0cnVlfQ%3D%3D",
			"-a", "eyJhIjpmYWxzZX0%3D"},
		{"base64 from nothing", policy.Preference{Format: json, Base64: true}, "", "-a", "eyJhIjpmYWxzZX0="},
		{"an empty object", policy.Preference{Format: json}, "{}", "+a", "%7B%22a%22%3Atrue%7D"},
		{"a tab", policy.Preference{Format: json}, "{\t\"a\":true}", "-a", `{%09"a":false}`},
		{"a semicolon in a raw text", policy.Preference{Format: json}, `{"x":"%3B","a":true}`, "-a",
			`{"x":"%3B","a":false}`},
		{"letters", policy.Preference{Format: json}, `{"é":1}`, "+ü", `{"é":1,"ü":true}`},

		{"pairs from nothing", policy.Preference{Format: pairs}, "", "+a -b", "a=true&b=false"},
		{"pairs of numbers", policy.Preference{Format: pairs}, "a=0&v=yes", "+a -b +c", "a=1&v=yes&b=0&c=1"},
		{"pairs, all encoded", policy.Preference{Format: pairs}, "a%3Dtrue%26x%3D%2525", "-a +b",
			"a%3Dfalse%26x%3D%2525%26b%3Dtrue"},
		{"pairs, encoded one by one", policy.Preference{Format: pairs}, "a%3dtrue&x%3d%26", "-a",
			"a%3Dfalse&x%3d%26"},
		{"pairs in braces", policy.Preference{Format: pairs, Separator: ",", Assignment: ":", Timestamp: "utc"},
			"{x:'%2C',a:true,utc:1767309526123}", "-a +b",
			"{x:'%2C',a:false,utc:" + noonMilliseconds + ",b:true}"},
		{"pairs in braces, all encoded", policy.Preference{Format: pairs, Separator: ",", Assignment: ":"},
			"%7Bx%3A1%7D", "-a", "%7Bx%3A1%2Ca%3Afalse%7D"},
		{"pairs in braces, cut short", policy.Preference{Format: pairs, Separator: ","}, "{x=1,a=true", "-a",
			"a=false"},
		{"pairs with a time", policy.Preference{Format: pairs, Timestamp: "t"}, "t=1767309526&a=true", "-a",
			"t=" + noonSeconds + "&a=false"},
		{"pairs without a time", policy.Preference{Format: pairs, Timestamp: "t"}, "a=true", "-a",
			"a=false&t=" + noonMilliseconds},
		{"pairs, too old", policy.Preference{Format: pairs, Timestamp: "t", MaxAge: day},
			"x=1&a=1&t=1467309526", "?a -b", "x=1&t=" + noonSeconds + "&b=0"},
		{"a list within a pair, too old", policy.Preference{Format: pairs, ListKey: "g", Timestamp: "t", MaxAge: day},
			"g=z:1,a:1&t=2025-11-20 10:15:30", "?a -b", "g=z:1,b:0&t=2026-01-15 12:00:00"},
		{"pairs in quotes", policy.Preference{Format: pairs}, `"a=1&x=\"\054\134"`, "-a +ü",
			`"a=0&x=\"\054\134&\303\274=1"`},
		{"a pair with a tab", policy.Preference{Format: pairs}, "x=\t1&a=1", "-a", "x=%091&a=0"},
		{"a list within a pair", policy.Preference{Format: pairs, ListKey: "g"}, "x=%26&g=a%3A1%2Cz%3A1", "-a +b",
			"x=%26&g=a%3A0%2Cz%3A1%2Cb%3A1"},
		{"a list within a pair from nothing", policy.Preference{Format: pairs, ListKey: "g"}, "", "-a +b",
			"g=a:false,b:true"},
		{"a list that is missing", policy.Preference{Format: pairs, ListKey: "g"}, "a=true&b=true", "-a",
			"a=true&b=true&g=a:false"},

		{"a list", policy.Preference{Format: list}, "x,a, b", "-a +c", "x, b,c"},
		{"a list, encoded", policy.Preference{Format: list}, "x%2Ca", "+c", "x%2Ca%2Cc"},
		{"a list from nothing", policy.Preference{Format: list}, "", "-a +c", "c"},
		{"a list of nothing", policy.Preference{Format: list}, "", "-a", ""},
		{"a list with a word for all", policy.Preference{Format: list, Granted: []string{"all"}}, "x,all",
			"+a ?b", "x,all"},
		{"a list with a word for all, and a refusal", policy.Preference{Format: list, Granted: []string{"all"}},
			"x,all", "+a ?b -c", "x,a,b"},

		{"a flag", policy.Preference{Format: flag, Value: "ok; 100%"}, "", "+a", "ok%3B%20100%25"},
		{"a flag whose word for yes is no", policy.Preference{Format: flag, Value: "no"}, "no", "-a", "false"},
		{"a flag, torn between two keys", policy.Preference{Format: flag, Value: "1"}, "", "+a -b",
			`error: no preference of the policy can hold the consent key "b"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.preference.Cookies = []string{"prefs"}
			r := readerOf(t, c.preference)
			cookies := "other=1"
			if c.old != "" {
				cookies += "; prefs=" + c.old
			}
			got := strings.TrimPrefix(writtenTo(t, r, cookies, c.answers), "prefs=")
			if got != c.want {
				t.Errorf("%s in %s is written as\n%s, want\n%s", c.answers, c.old, got, c.want)
			}
		})
	}
}

// Every value that a tool writes can be changed to every answer, unless the tool's cookie is needed and
// cannot be read.
func TestWriteToolsAll(t *testing.T) {
	for _, tool := range readTools(t) {
		resolved := resolvedTool(t, tool.preset)
		r := NewReader(resolved.Policy().Preference, atNoon)
		keys := Keys{}
		for i, key := range tool.keys {
			keys[key] = i
		}
		all := Set(1)<<len(keys) - 1
		for _, c := range tool.cases {
			before := r.Read(keys, []string{c.cookies}, nil)
			for granted := range all + 1 {
				for _, refused := range []Set{0, all &^ granted} {
					if tool.preset == "aspnet" && granted != all && refused != all {
						continue // there is one answer for all
					}
					testWritten(t, r, keys, granted, refused, c.cookies, before)
				}
			}
		}
	}
}

// testWritten writes answers and checks what is read afterwards.
func testWritten(t *testing.T, r *Reader, keys Keys, granted, refused Set, cookies string, before Choice) {
	t.Helper()
	changes, choice, err := r.Write(keys, granted, refused, []string{cookies})
	if u, ok := err.(policy.Unwritable); ok && u.Reason == policy.ReasonExistingOnly {
		return
	}
	if err != nil {
		t.Errorf("%b and %b in %s: %v", granted, refused, cookies, err)
		return
	}
	written := cookies
	for _, c := range changes {
		written = replaceCookie(written, c)
	}
	after := r.Read(keys, []string{written}, nil)
	answered := granted | refused
	for _, read := range []Choice{choice, after} {
		if answered != 0 && (read.InDoubt() || read.Granted&answered != granted || read.Refused&granted != 0) {
			t.Errorf("%b and %b in %s are written as %s, and read as %+v", granted, refused, cookies, written, read)
		}
	}
	if before.State == Valid && (after.Granted&^answered != before.Granted&^answered ||
		after.Refused&^answered != before.Refused&^answered) {
		t.Errorf("%b and %b in %s are written as %s: other keys change from %+v to %+v", granted, refused, cookies,
			written, before, after)
	}
}

// replaceCookie returns a Cookie header with a change.
func replaceCookie(cookies string, c Change) string {
	kept, _ := wire.FilterPairs(cookies, func(name string) bool { return name != c.Cookie })
	return kept + "; " + c.Cookie + "=" + c.Value
}

func TestWriteManyCopies(t *testing.T) {
	r := prefsReader(t, policy.Preference{})
	changes, _, err := r.Write(ab, 1, 2, []string{`prefs={"a":1,"x":1}; prefs={"x":2}; prefs=%zz`})
	want := []Change{{Cookie: "prefs", Value: `{"x":2,"a":true,"b":false}`}}
	if err != nil || !slices.Equal(changes, want) {
		t.Errorf("the last copy that can be read is not the one that was edited: %+v, %v", changes, err)
	}
	// Another cookie of the preference is written where the browser has it.
	changes, _, err = r.Write(ab, 1, 2, []string{`more={"a":false}`})
	want = []Change{{Cookie: "prefs", Value: "%7B%22a%22%3Atrue%2C%22b%22%3Afalse%7D"},
		{Cookie: "more", Value: `{"a":true,"b":false}`}}
	if err != nil || !slices.Equal(changes, want) {
		t.Errorf("got %+v, %v, want %+v", changes, err, want)
	}
}

func TestDisagree(t *testing.T) {
	r := prefsReader(t, policy.Preference{})
	for cookies, want := range map[string][]string{
		"":                                   nil,
		`prefs={"a":true}`:                   nil,
		`prefs={"a":true}; prefs={"a":true}`: nil,
		`prefs={"a":true}; prefs=%7B%22a%22:true,%22x%22:1}`: nil,
		`prefs={"a":true}; more={"a":false}`:                 nil,
		`prefs={"a":true}; prefs={"a":false}`:                {"prefs"},
		`prefs={"a":true}; prefs={}`:                         {"prefs"},
		`prefs={"a":true}; prefs=`:                           {"prefs"},
		`prefs={}; more={"b":1}; more={}; prefs={"x":1}`:     {"more"},
		`more={}; more={"a":1}; prefs={}; prefs={"b":true}`:  {"prefs", "more"},
	} {
		if got := r.Disagree(ab, []string{cookies}); !slices.Equal(got, want) {
			t.Errorf("in %s, %q disagree, want %q", cookies, got, want)
		}
	}
	r = prefsReader(t, policy.Preference{Timestamp: "t", MaxAge: day})
	const cookies = `prefs={"a":true,"t":1768478300}; prefs={"a":true,"t":1468478300}`
	if got := r.Disagree(ab, []string{cookies}); !slices.Equal(got, []string{"prefs"}) {
		t.Errorf("a copy that counts and one that is too old: %q disagree", got)
	}
}

// Keys that a format cannot hold are known before anybody answers.
func TestWriteKeys(t *testing.T) {
	keys := []string{"a", "a b", " a", "é", `"`, `\`, "%41", "a&b", "a=b", "a,b", "a:b", "{a}", "a;b", "true", "0", "t",
		"g", "p", "m", "all", "functional_cookies", strings.Repeat("k", 300), "\xff"}
	for _, preference := range writtenPreferences(t) {
		r := readerOf(t, preference)
		preference = *r.preferences[0].declared
		for _, key := range keys {
			for _, granted := range []Set{0, 1} {
				old := preference.Cookies[0] + `={"p":{"q":{}}}`
				if preference.Base64 {
					old = preference.Cookies[0] + "=" + base64.StdEncoding.EncodeToString([]byte(`{"p":{"q":{}}}`))
				}
				if preference.Path == "categories" {
					old = preference.Cookies[0] + `={"categories":[],"consentId":"x"}`
				}
				_, _, err := r.Write(Keys{key: 0}, granted, granted^1, []string{old})
				if holds := preference.Holds(key); holds != (err == nil) && (holds || granted == 1) {
					t.Errorf("%+v holds %q: %t, and writing it fails with %v", preference, key, holds, err)
				}
			}
		}
	}
}

// BenchmarkWrite writes into old values of two sizes. The metric growth is the time for a byte of the
// larger ones, divided by that for a byte of the smaller ones: about 1 where the work is linear.
func BenchmarkWrite(b *testing.B) {
	const factor = 8
	for _, shape := range []struct{ what, begin, text, end string }{
		{"members", `{"a":false`, `,"x":{}`, "}"},
		{"known keys", `["a"`, `,"a"`, "]"},
		{"arrays in arrays", "", "[", ""},
		{"octal escapes", `"`, `\054`, `"`},
		{"percent-encoding", "a=1&", "%22", ""},
		{"separators", "a=1", "&", ""},
		{"pairs", "a=1", "&x", ""},
		{"inner pairs", "g=", "x:1,", ""},
		{"list", "a", ",x", ""},
		{"copies", "a", ";p=a", ""},
		{"copies that cannot be read", "%", ";p=%", ""},
	} {
		b.Run(shape.what, func(b *testing.B) {
			var readers []*Reader
			for _, p := range []policy.Preference{{}, {Format: policy.FormatList}, {Format: policy.FormatPairs},
				{Format: policy.FormatPairs, ListKey: "g"}} {
				p.Cookies = []string{"p"}
				readers = append(readers, readerOf(b, p))
			}
			write := func(n int) {
				cookies := []string{"p=" + shape.begin + strings.Repeat(shape.text, n) + shape.end}
				for _, r := range readers {
					_, _, _ = r.Write(ab, 1, 2, cookies)
				}
			}
			n := 400 / len(shape.text)
			var small, large time.Duration
			for b.Loop() {
				began := time.Now()
				for range factor {
					write(n)
				}
				middle := time.Now()
				write(n * factor)
				small, large = small+middle.Sub(began), large+time.Since(middle)
			}
			b.ReportMetric(large.Seconds()/small.Seconds(), "growth")
		})
	}
}
