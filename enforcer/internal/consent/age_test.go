package consent

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/wire"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

const day = policy.Duration(24 * time.Hour)

// aged is a preference that counts for 183 days.
var aged = policy.Preference{Timestamp: "timestamp", MaxAge: 183 * day}

// A choice counts for as long as the policy says, whatever the unit of its timestamp. An older one is
// no choice, whether it grants or refuses.
func TestReadAge(t *testing.T) {
	const d = 24 * time.Hour
	r := prefsReader(t, aged)
	for name, form := range map[string]func(time.Time) string{
		"seconds":                  func(t time.Time) string { return fmt.Sprint(t.Unix()) },
		"milliseconds":             func(t time.Time) string { return fmt.Sprint(t.UnixMilli()) },
		"milliseconds as a text":   func(t time.Time) string { return fmt.Sprintf(`"%d"`, t.UnixMilli()) },
		"milliseconds as JSON may": func(t time.Time) string { return fmt.Sprintf("%d.0e3", t.Unix()) },
		"ISO 8601": func(t time.Time) string {
			return `"` + t.Format(time.RFC3339Nano) + `"`
		},
		"ISO 8601, elsewhere": func(t time.Time) string {
			return `"` + t.In(time.FixedZone("", 7*3600)).Format(time.RFC3339) + `"`
		},
		"ISO 8601, without an offset": func(t time.Time) string { return t.Format(`"2006-01-02T15:04:05"`) },
		"ISO 8601, with a blank":      func(t time.Time) string { return t.Format(`"2006-01-02 15:04:05"`) },
	} {
		for ago, counts := range map[time.Duration]bool{
			0: true, time.Second: true, 100 * d: true, 183 * d: true, 183*d + time.Second: false,
			213 * d: false, 5000 * d: false, -time.Minute: true, -time.Hour: true,
			-time.Hour - time.Second: false, -300 * d: false,
		} {
			want, state := "+a -b", Valid
			if !counts {
				want, state = "", TooOld
			}
			cookie := `prefs={"a":true,"b":false,"timestamp":` + form(noon.Add(-ago)) + `}`
			choice := r.Read(ab, []string{cookie}, nil)
			if got := describe(t, choice, ab); got != want || choice.State != state {
				t.Errorf("%s, %v ago: read as %q, %v", name, ago, got, choice.State)
			}
		}
	}
}

func TestReadTimestamp(t *testing.T) {
	r := prefsReader(t, aged)
	for member, want := range map[string]string{
		``:                            "+a",
		`,"Timestamp":1`:              "+a",
		`,"x":{"timestamp":1}`:        "+a",
		`,"\u0074imestamp":1`:         "",
		`,"timestamp":1768478400.9`:   "+a",
		`,"timestamp":"2026-01-15"`:   "+a",
		`,"timestamp":"2026-01-16"`:   "", // from the future
		`,"timestamp":99999999999`:    "",
		`,"timestamp":1e11`:           "", // in milliseconds: 1973
		`,"timestamp":99999999999999`: "",

		`,"timestamp":""`:                     "unreadable",
		`,"timestamp":null`:                   "unreadable",
		`,"timestamp":true`:                   "unreadable",
		`,"timestamp":0`:                      "unreadable",
		`,"timestamp":0.5`:                    "unreadable",
		`,"timestamp":-1768478400`:            "unreadable",
		`,"timestamp":100000000000000`:        "unreadable",
		`,"timestamp":1768478400000000`:       "unreadable",
		`,"timestamp":17684784000000000`:      "unreadable",
		`,"timestamp":176847840000000000`:     "unreadable",
		`,"timestamp":1768478400000000000000`: "unreadable",
		`,"timestamp":18446744073709551617`:   "unreadable",
		`,"timestamp":18446744075478030016`:   "unreadable", // 2^64 and a time of today
		`,"timestamp":1e99`:                   "unreadable",
		`,"timestamp":1e999`:                  "unreadable",
		`,"timestamp":"NaN"`:                  "unreadable",
		`,"timestamp":"Infinity"`:             "unreadable",
		`,"timestamp":"soon"`:                 "unreadable",
		`,"timestamp":"1768478400 "`:          "unreadable",
		`,"timestamp":"2026-01-32"`:           "unreadable",
		`,"timestamp":[1768478400]`:           "unreadable",
		`,"timestamp":{"a":1768478400}`:       "unreadable",

		`,"timestamp":1768478400,"timestamp":1768478400`: "contradictory",
	} {
		if got := readAB(t, r, `prefs={"a":true`+member+`}`); got != want {
			t.Errorf("%s was read as %q, want %q", member, got, want)
		}
	}
	// Below 1e11 a number is in seconds, from there on in milliseconds.
	p := aged
	p.Cookies = []string{"prefs"}
	p.Format = policy.FormatJSON
	r = NewReader([]policy.Preference{p}, func() time.Time { return time.UnixMilli(1e11) })
	for member, want := range map[string]string{
		`,"timestamp":100000000000`: "+a", `,"timestamp":99999999999`: "",
	} {
		if got := readAB(t, r, `prefs={"a":true`+member+`}`); got != want {
			t.Errorf("in March 1973 %s was read as %q, want %q", member, got, want)
		}
	}
	// Without max_age a time must be one as well, and does not matter.
	r = prefsReader(t, policy.Preference{Timestamp: "timestamp"})
	for member, want := range map[string]string{
		"": "+a", `,"timestamp":1`: "+a", `,"timestamp":99999999999`: "+a",
		`,"timestamp":"soon"`: "unreadable",
	} {
		if got := readAB(t, r, `prefs={"a":true`+member+`}`); got != want {
			t.Errorf("without max_age %s was read as %q, want %q", member, got, want)
		}
	}
}

// In pairs a timestamp is a key, dots and all.
func TestReadPairsTimestamp(t *testing.T) {
	p := aged
	p.Format, p.Timestamp = policy.FormatPairs, "at.time"
	r := prefsReader(t, p)
	testValues(t, r, map[string]string{
		"a=1&at.time=1768478400":           "+a",
		"a=1&at.time=1500000000":           "",
		"at.time=2026-01-15T12:00:00Z&a=1": "+a",
		"a=1&at=1500000000&time=150000000": "+a",
		"a=1&at.time=":                     "unreadable",
	})
}

// chosen returns a preference that was stored some time before noon.
func chosen(ago time.Duration) string {
	return fmt.Sprintf(`prefs={"a":true,"timestamp":%d}`, noon.Add(-ago).UnixMilli())
}

func TestRenewals(t *testing.T) {
	const d = 24 * time.Hour
	persisted := aged
	persisted.Persist = "/portal"
	r := prefsReader(t, persisted)
	for _, c := range []struct {
		name, cookie string
		left         time.Duration // none if it is not sent again
	}{
		{"just now", chosen(0), 183 * d},
		{"a week ago", chosen(7 * d), 176 * d},
		{"in seconds", fmt.Sprintf(`prefs={"timestamp":%d}`, noon.Add(-7*d).Unix()), 176 * d},
		{"in ISO 8601", `prefs={"timestamp":"` + noon.Add(-7*d).Format(time.RFC3339) + `"}`, 176 * d},
		{"a second before the end", chosen(183*d - time.Second), time.Second},
		{"less than a second before the end", chosen(183*d - time.Second/2), 0},
		{"six months ago", chosen(183 * d), 0},
		{"longer ago", chosen(184 * d), 0},
		{"by a clock that is ahead", chosen(-time.Hour), 183 * d},
		{"by a clock that is far ahead", chosen(-2 * time.Hour), 0},
		{"at a time that it does not tell", `prefs={"a":true}`, 0},
		{"at a time that is none", `prefs={"timestamp":"soon"}`, 0},
		{"no preference", "sessionid=1", 0},
		{"unreadable", chosen(0) + "x", 0},
		{"contradictory", `prefs={"a":true,"a":true,"timestamp":1768478400}`, 0},
		{"two copies", chosen(0) + "; " + chosen(0), 0},
		{"two copies, one of them empty", "prefs=; " + chosen(0), 0},
		{"that can be read in two ways", `prefs =  "%7B%22a%22:true, \"timestamp\":1768478400000}" `, 0},
		{"encoded", `prefs=%7B%22a%22%3Afalse%2C%22timestamp%22%3A1768478400000%7D`, 183 * d},
		{"in quotes, with blanks around", `prefs	= "{"timestamp":1768478400000}" `, 183 * d},
	} {
		t.Run(c.name, func(t *testing.T) {
			var want []Renewal
			if c.left > 0 {
				for _, value := range wire.Pairs([]string{c.cookie}) {
					want = []Renewal{{"prefs", value, "/portal", c.left}}
				}
			}
			if got := r.Renewals(ab, []string{"a=b; " + c.cookie}); !slices.Equal(got, want) {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

func TestRenewalsOfSeveral(t *testing.T) {
	persisted := aged
	persisted.Persist, persisted.Cookies = "/", []string{"prefs", "more"}
	other := aged
	other.Cookies = []string{"other"}
	r := readerOf(t, other, persisted)
	const stored = `{"timestamp":1768478400}`
	left := 183 * 24 * time.Hour
	for _, c := range []struct {
		cookies []string
		want    []Renewal
	}{
		{nil, nil},
		{[]string{"other=" + stored}, nil},
		{[]string{"more=" + stored + "; other=" + stored, "x=1; prefs=" + stored},
			[]Renewal{{"prefs", stored, "/", left}, {"more", stored, "/", left}}},
		{[]string{"prefs=" + stored, "prefs=" + stored + "; more=" + stored},
			[]Renewal{{"more", stored, "/", left}}},
		{[]string{"prefs=x; more=" + stored}, []Renewal{{"more", stored, "/", left}}},
	} {
		if got := r.Renewals(ab, c.cookies); !slices.Equal(got, c.want) {
			t.Errorf("%q: got %+v, want %+v", c.cookies, got, c.want)
		}
	}
}
