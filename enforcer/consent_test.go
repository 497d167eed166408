package enforcer_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// A signal refuses the keys that the visitor left undecided, in its categories only.
func TestSignals(t *testing.T) {
	p := tracking(policy.RuleOptions{Consent: []string{"stats"}}, "_ga")
	p.Allow = append(p.Allow,
		policy.Rule{Category: policy.Statistical, Cookies: []string{"counter"},
			RuleOptions: policy.RuleOptions{Consent: []string{"counts"}, Anonymous: true}},
		policy.Rule{Category: policy.ThirdParty, Cookies: []string{"outer"},
			RuleOptions: policy.RuleOptions{Consent: []string{"ads", "stats"}}})
	p.Preference[0].Timestamp, p.Preference[0].MaxAge = "timestamp", 183*day
	gpc, both := p, p
	gpc.Signal = []policy.Signal{{Signal: policy.SignalGPC,
		Categories: []policy.Category{policy.Statistical}}}
	both.Signal = append(slices.Clone(gpc.Signal),
		policy.Signal{Signal: policy.SignalDNT, Categories: []policy.Category{policy.ThirdParty}})
	objecting, all := http.Header{"Sec-Gpc": {"1"}}, http.Header{"Sec-Gpc": {"1"}, "Dnt": {"1"}}
	for _, c := range []struct {
		what       string
		p          policy.Policy
		header     http.Header
		preference string
		want       []string // let through
		refused    []string // keys
	}{
		{"no signal in the policy", p, all, "", []string{"counter"}, nil},
		{"the browser does not say", gpc, http.Header{}, "", []string{"counter"}, nil},
		{"it objects, and there is no choice", gpc, objecting, "", nil,
			[]string{"stats", "counts"}},
		{"it objects, and the choice says nothing of it", gpc, objecting, `{"x":true}`, nil,
			[]string{"stats", "counts"}},
		{"it objects, and the visitor granted one", gpc, objecting, `{"counts":true}`,
			[]string{"counter"}, []string{"stats"}},
		{"it objects, and the visitor granted the other", gpc, objecting, `{"stats":true}`,
			[]string{"_ga", "outer"}, []string{"counts"}},
		{"it objects, and the choice is out of date", gpc, objecting,
			`{"stats":true,"timestamp":1500000000}`, nil, []string{"stats", "counts"}},
		{"it objects, and the choice cannot be read", gpc, objecting, `{`, nil, nil},
		{"it objects to another category", both, http.Header{"Dnt": {"1"}}, "", []string{"counter"},
			[]string{"ads", "stats"}},
		{"it objects in both ways", both, all, "", nil, []string{"ads", "stats", "counts"}},
		{"zero", gpc, http.Header{"Sec-Gpc": {"0"}}, "", []string{"counter"}, nil},
		{"a word", gpc, http.Header{"Sec-Gpc": {"true"}}, "", []string{"counter"}, nil},
		{"blanks around", gpc, http.Header{"Sec-Gpc": {" 1\t"}}, "", nil,
			[]string{"stats", "counts"}},
		{"twice", gpc, http.Header{"Sec-Gpc": {"0", "1"}}, "", nil, []string{"stats", "counts"}},
		{"the other signal", gpc, http.Header{"Dnt": {"1"}}, "", []string{"counter"}, nil},
	} {
		t.Run(c.what, func(t *testing.T) {
			e := compiled(t, c.p)
			request := c.header.Clone()
			if c.preference != "" {
				request["Cookie"] = []string{"prefs=" + c.preference}
			}
			response := http.Header{"Set-Cookie": {"_ga=1", "counter=1", "outer=1"}}
			visit := e.Visit(enforcer.Request{Header: request})
			visit.FilterResponse(response)
			var got []string
			for _, line := range response["Set-Cookie"] {
				got = append(got, line[:len(line)-len("=1")])
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("let through are %q, want %q", got, c.want)
			}
			for _, key := range []string{"stats", "counts", "ads"} {
				if consent, _ := visit.Consent(key); (consent == policy.Refused) != slices.Contains(c.refused,
					key) {
					t.Errorf("%s is %v", key, consent)
				}
			}
		})
	}
}

func TestConsent(t *testing.T) {
	p := tracking(policy.RuleOptions{Consent: []string{"stats"}}, "_ga")
	p.Allow = append(p.Allow, policy.Rule{Category: policy.ThirdParty, Cookies: []string{"outer"}})
	p.Preference = append(p.Preference, policy.Preference{Cookies: []string{"flag"},
		Format: policy.FormatFlag, Value: "yes", Keys: []string{"maps"}})
	e := compiled(t, p)
	for _, c := range []struct {
		cookie, key string
		want        policy.Consent
		known       bool
	}{
		{"", "stats", policy.Undecided, true},
		{`prefs={"stats":true}`, "stats", policy.Granted, true},
		{`prefs={"stats":false}`, "stats", policy.Refused, true},
		{`prefs={"stats":"yes"}`, "stats", policy.Refused, true},
		{`prefs={"stats":true}; prefs={"stats":false}`, "stats", policy.Refused, true},
		{`prefs={"stats":true`, "stats", policy.Undecided, true},
		{"", "third_party", policy.Undecided, true}, // the category's name, by default
		{`prefs={"third_party":true}`, "third_party", policy.Granted, true},
		{"", "necessary", policy.Undecided, false},
		{"", "statistical", policy.Undecided, false}, // the rule has another key
		{`prefs={"video":true}`, "video", policy.Granted, true},
		{`prefs={"video":false}`, "video", policy.Refused, true},
		{`prefs={"video":true}; prefs={}`, "video", policy.Undecided, false},
		{`prefs={"video":true`, "video", policy.Undecided, false},
		{"", "video", policy.Undecided, false},
		{"", "", policy.Undecided, false},
		{"", "maps", policy.Undecided, true}, // by the preference's own line
		{"flag=yes", "maps", policy.Granted, true},
		{"flag=no", "maps", policy.Refused, true},
	} {
		visit := visitWith(e, c.cookie)
		if consent, known := visit.Consent(c.key); consent != c.want || known != c.known {
			t.Errorf("%s with %q is %v, known %t; want %v, %t", c.key, c.cookie, consent, known,
				c.want, c.known)
		}
	}
}

// A choice counts for as long as the policy says, whatever the unit of its timestamp.
func TestConsentMaxAge(t *testing.T) {
	const d = 24 * time.Hour
	p := persisting()
	p.Preference[0].Persist = ""
	p.Allow = append(p.Allow, policy.Rule{Category: policy.Statistical,
		Cookies: []string{"counter"}, RuleOptions: policy.RuleOptions{Consent: []string{"counts"},
			Anonymous: true}})
	e := compiled(t, p)
	for what, form := range map[string]func(time.Time) string{
		"seconds":      func(t time.Time) string { return fmt.Sprint(t.Unix()) },
		"milliseconds": func(t time.Time) string { return fmt.Sprint(t.UnixMilli()) },
		"milliseconds as a text": func(t time.Time) string {
			return fmt.Sprintf(`"%d"`,
				t.UnixMilli())
		},
		"milliseconds as JSON may": func(t time.Time) string {
			return fmt.Sprintf("%d.0e3",
				t.Unix())
		},
		"ISO 8601": func(t time.Time) string {
			return `"` +
				t.Format(time.RFC3339Nano) + `"`
		},
		"ISO 8601, elsewhere": func(t time.Time) string {
			return `"` +
				t.In(time.FixedZone("", 7*3600)).Format(time.RFC3339) + `"`
		},
	} {
		for ago, counts := range map[time.Duration]bool{
			0: true, time.Second: true, 100 * d: true, 183 * d: true, 183*d +
				time.Second: false, 213 * d: false, 5000 * d: false,
			-time.Minute: true, -time.Hour: true, -time.Hour - time.Second: false, -300 * d: false,
		} {
			cookie := `prefs={"stats":true,"counts":false,"timestamp":` + form(noon.Add(-ago)) + `}`
			if got := letThrough(e, []string{cookie}, "_ga=1"); got != counts {
				t.Errorf("%s, %v ago: granted is %t", what, ago, got)
			}
			// A refusal is no choice any more either, and what is anonymous passes until the next
			// one.
			if got := letThrough(e, []string{cookie}, "counter=1"); got == counts {
				t.Errorf("%s, %v ago: refused is %t", what, ago, !got)
			}
		}
	}
	for value, counts := range map[string]bool{
		`{"stats":true}`: true, `{"stats":true,"timestamp":""}`: false,
		`{"stats":true,"timestamp":null}`: false, `{"stats":true,"timestamp":true}`: false,
		`{"stats":true,"timestamp":0}`: false, `{"stats":true,"timestamp":-1768478400}`: false,
		`{"stats":true,"timestamp":1768478400000000}`: false,
		`{"stats":true,"timestamp":"NaN"}`:            false, `{"stats":true,"timestamp":"Infinity"}`: false,
		`{"stats":true,"timestamp":"soon"}`:                            false,
		`{"stats":true,"timestamp":[1768478400]}`:                      false,
		`{"stats":true,"timestamp":{"a":1768478400}}`:                  false,
		`{"stats":true,"timestamp":1768478400,"timestamp":1768478400}`: false,
		`{"stats":true,"Timestamp":1}`:                                 true,
		`{"stats":true,"x":{"timestamp":1}}`:                           true,
	} {
		if got := letThrough(e, []string{"prefs=" + value}, "_ga=1"); got != counts {
			t.Errorf("%s: granted is %t", value, got)
		}
		if got := letThrough(e, []string{"prefs=" + value}, "counter=1"); got != counts {
			t.Errorf("%s: let through until refused is %t", value, got)
		}
	}
}
