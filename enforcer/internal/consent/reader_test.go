package consent

import (
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

func TestReader(t *testing.T) {
	flag := policy.Preference{Cookies: []string{"flag"}, Format: policy.FormatFlag, Value: "y",
		Keys: []string{"maps", "video"}}
	persisted := policy.Preference{Cookies: []string{"prefs"}, Timestamp: "t", MaxAge: day, Persist: "/"}
	object := policy.Preference{Cookies: []string{"object"}}
	for _, c := range []struct {
		name                 string
		reader               *Reader
		any, persists, knows bool
	}{
		{"of none", readerOf(t), false, false, false},
		{"of an object", readerOf(t, object), true, false, false},
		{"of a flag", readerOf(t, object, flag), true, false, true},
		{"of one that persists", readerOf(t, object, persisted), true, true, false},
		{"of all", readerOf(t, persisted, flag), true, true, true},
	} {
		if got := c.reader.Any(); got != c.any {
			t.Errorf("a Reader %s: Any is %t", c.name, got)
		}
		if got := c.reader.Persists(); got != c.persists {
			t.Errorf("a Reader %s: Persists is %t", c.name, got)
		}
		for _, key := range []string{"maps", "video"} {
			if got := c.reader.Knows(key); got != c.knows {
				t.Errorf("a Reader %s knows %s: %t", c.name, key, got)
			}
		}
		if c.reader.Knows("map") || c.reader.Knows("") {
			t.Errorf("a Reader %s knows a key that no preference names", c.name)
		}
	}
}

func TestReaderWrites(t *testing.T) {
	r := readerOf(t, policy.Preference{Cookies: []string{"prefs", "prefs2", "a b"}})
	for line, want := range map[string]string{
		"":                       "",
		"prefs={}":               "prefs",
		"prefs=":                 "prefs",
		"prefs=; Max-Age=0":      "prefs",
		"prefs2={}":              "prefs2",
		"prefs3={}":              "",
		"prefs":                  "",
		"prefs; x=1":             "",
		"prefs ; x=1":            "",
		" \t prefs \t = {}":      "prefs",
		"\tprefs2\t=1":           "prefs2",
		"a b=1":                  "a b",
		"a  b=1":                 "",
		"PREFS={}":               "",
		"xprefs={}":              "",
		"={}":                    "",
		"={}; prefs={}":          "",
		"sessionid=1; prefs={}":  "",
		"sessionid=prefs={}":     "",
		"\u00a0prefs={}":         "",
		"prefs\u00a0={}":         "",
		"prefs x={}":             "",
		"prefs=prefs2={}; a b=1": "prefs",
	} {
		if got := r.Writes(line); got != want {
			t.Errorf("%q writes %q, want %q", line, got, want)
		}
	}
	if got := readerOf(t).Writes("prefs={}"); got != "" {
		t.Errorf("without a preference, %q is written", got)
	}
}

func TestReaderZero(t *testing.T) {
	for name, r := range map[string]*Reader{"zero": {}, "empty": NewReader(nil, nil)} {
		choice := r.Read(nil, []string{"prefs={}"}, []Written{{}})
		if choice != (Choice{}) || choice.InDoubt() || choice.Consent(0) != policy.Undecided {
			t.Errorf("the %s Reader reads %+v", name, choice)
		}
		if r.Any() || r.Persists() || r.Knows("") || r.Writes("=") != "" ||
			r.Renewals(nil, []string{"a=b"}) != nil {
			t.Errorf("the %s Reader has a preference", name)
		}
	}
	// The Reader of the zero Preference reads no cookie, as it names none.
	if r := NewReader(make([]policy.Preference, 1), nil); r.Any() {
		t.Errorf("the zero Preference names a cookie: %+v", r)
	}
	// Without keys and without a clock, states are known all the same.
	r := NewReader([]policy.Preference{{Cookies: []string{"p"}}}, nil)
	if got := r.Read(nil, []string{`p={"a":true}`}, nil); got != (Choice{State: Valid}) {
		t.Errorf("without keys %+v was read", got)
	}
}
