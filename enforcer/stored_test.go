package enforcer_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// What a visitor's preferences say: the state, when the newest choice was made, and each key, with those
// that a signal refuses.
func TestVisitStored(t *testing.T) {
	now := time.Date(2026, time.January, 15, 12, 0, 0, 0, time.UTC)
	e, err := enforcer.Compile(policy.Policy{
		Presets: []policy.Preset{{Name: "opendatasoft"}},
		Allow:   []policy.Rule{withConsent(policy.Statistical, "x", "a"), withConsent(policy.ThirdParty, "y", "b")},
		Signal:  []policy.Signal{{Signal: policy.SignalGPC, Categories: []policy.Category{policy.ThirdParty}}},
	}, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ cookie, gpc, want string }{
		{"", "", "none 0 []"},
		{"", "1", "none 0 [b refused signal]"},
		{`cookies_preferences={"a":true,"timestamp":1768000000}`, "", "valid 1768000000 [a granted]"},
		{`cookies_preferences={"a":true,"timestamp":1768000000}`, "1", "valid 1768000000 [a granted b refused signal]"},
		{`cookies_preferences={"a":false,"b":true}`, "1", "valid 0 [a refused b granted]"},
		{`cookies_preferences={"a":true,"timestamp":1768000000}; cookies_preferences={"a":true,"timestamp":1768000001}`,
			"", "valid 1768000001 [a granted]"},
		{`cookies_preferences={"a":true}; cookies_preferences={"a":false}`, "", "valid 0 [a refused]"},
		{`cookies_preferences={"a":true,"timestamp":1}`, "1", "too_old 0 [b refused signal]"},
		{`cookies_preferences={`, "1", "unreadable 0 []"},
		{`cookies_preferences={"a":true,"a":true}`, "", "contradictory 0 []"},
	} {
		header := http.Header{"Cookie": {c.cookie}, "Sec-Gpc": {c.gpc}}
		v := e.Visit(enforcer.Request{Header: header})
		v.FilterRequest()
		s := v.Stored()
		var keys []string
		for key, k := range s.Keys {
			word := key + " " + k.Consent.String()
			if k.BySignal {
				word += " signal"
			}
			keys = append(keys, word)
		}
		slices.Sort(keys)
		if len(s.Signals) != len(c.gpc) {
			t.Errorf("%s: the signals are %v", c.cookie, s.Signals)
		}
		got := fmt.Sprintf("%s %d %v", s.State, max(0, s.Made().Unix()), keys)
		if got != c.want {
			t.Errorf("%s, GPC %q: %s, want %s", c.cookie, c.gpc, got, c.want)
		}
		// A page that shows it depends on it.
		response := http.Header{"Content-Type": {"text/html"}}
		v.CompleteResponse(response)
		if vary := strings.Join(response["Vary"], ", "); !strings.HasPrefix(vary, "Cookie") {
			t.Errorf("%s: Vary is %q", c.cookie, vary)
		}
	}
}

// What a browser would have stored after a response.
func TestStoredBy(t *testing.T) {
	e, err := enforcer.Compile(policy.Policy{
		Presets: []policy.Preset{{Name: "opendatasoft"}},
		Allow:   []policy.Rule{withConsent(policy.Statistical, "x", "a")},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	v := e.Visit(enforcer.Request{Header: http.Header{"Cookie": {`cookies_preferences={"a":false}`}}, Host: "a.example"})
	before := time.Now().Truncate(time.Second)
	lines, err := v.Choose(enforcer.Answers{"a": true})
	if err != nil || len(lines) < 2 {
		t.Fatalf("%q, %v", lines, err)
	}
	s := e.StoredBy(lines)
	if s.State != policy.PreferenceValid || s.Keys["a"].Consent != policy.Granted || s.Made().Before(before) {
		t.Errorf("%+v", s)
	}
}
