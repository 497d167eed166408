package enforcer_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// An Enforcer shares no memory with the policy that was compiled.
func TestCompileClonesPolicy(t *testing.T) {
	p := policy.Policy{
		Presets: []policy.Preset{{
			Name: "matomo", RuleOptions: policy.RuleOptions{Consent: []string{"stats"}, Path: []string{"/"}},
		}},
		Allow: []policy.Rule{{
			Category: policy.ThirdParty, Cookies: []string{"_ga"},
			RuleOptions: policy.RuleOptions{
				Consent: []string{"ads"}, Domain: []string{"city.example"}, Path: []string{"/"},
				Purpose: []policy.Text{{Language: "en", Text: "to count"}},
			},
		}},
		Preference: []policy.Preference{{
			Cookies: []string{"prefs"}, Format: policy.FormatFlag, Value: "yes", Keys: []string{"ads"},
		}},
		Signal: []policy.Signal{
			{Signal: policy.SignalGPC, Categories: []policy.Category{policy.ThirdParty}},
		},
		RewriteDomain: []policy.Rewrite{{From: "portal.example.org", To: "city.example"}},
	}
	e := compiled(t, p)
	digest := compiled(t, p).Policy().Digest()
	p.Presets[0].Name, p.Presets[0].Consent[0], p.Presets[0].Path[0] = "piano", "x", "/x"
	rule := &p.Allow[0]
	rule.Category, rule.Cookies[0], rule.Consent[0] = policy.Necessary, "x", "x"
	rule.Domain[0], rule.Path[0], rule.Purpose[0].Text = "x.example", "/x", "x"
	preference := &p.Preference[0]
	preference.Cookies[0], preference.Keys[0], preference.Value = "x", "x", "x"
	p.Signal[0].Signal, p.Signal[0].Categories[0] = policy.SignalDNT, policy.Statistical
	p.RewriteDomain[0] = policy.Rewrite{From: "x.example"}

	line := "_ga=1; Domain=city.example; Path=/"
	for cookie, want := range map[string]bool{"prefs=yes": true, "prefs=no": false, "": false, "x=x": false} {
		if got := letThrough(e, []string{cookie}, line); got != want {
			t.Errorf("with %q: let through is %t", cookie, got)
		}
	}
	if got := e.Policy().Policy(); got.Allow[len(got.Allow)-1].Purpose[0].Text != "to count" {
		t.Errorf("the policy became %+v", got)
	}
	if got := e.Policy().Digest(); got != digest {
		t.Errorf("the digest became %s", got)
	}
}

func TestCompileReturnsFaults(t *testing.T) {
	e, err := enforcer.Compile(policy.Policy{Unlisted: "maybe"}, atNoon)
	var faults policy.Faults
	if e != nil || !errors.As(err, &faults) || len(faults) != 2 {
		t.Errorf("got %v and the error %v", e, err)
	}
}

// No exported function panics on empty input.
func TestVisitEmptyInput(t *testing.T) {
	if e, err := enforcer.Compile(policy.Policy{}, atNoon); e != nil || err == nil {
		t.Errorf("the empty policy compiles to %v, %v", e, err)
	}
	for _, observes := range []bool{false, true} {
		p := tracking(policy.RuleOptions{}, "_ga")
		p.Preference[0].Timestamp, p.Preference[0].MaxAge, p.Preference[0].Persist = "timestamp", day, "/"
		e := compiled(t, p)
		if observes {
			e.Observe(observe.New(noon))
		}
		visit := e.Visit(enforcer.Request{})
		visit.Trace()
		visit.FilterRequest()
		visit.FilterRequestTrailer(nil)
		if state, known := visit.Consent(""); state != policy.Undecided || known {
			t.Errorf("the empty key is %v, known %t", state, known)
		}
		visit.FilterResponse(nil)
		visit.CompleteResponse(http.Header{"": nil, "Set-Cookie": nil, "Set-Cookie ": nil, "Vary": nil})
		visit.CompleteResponse(http.Header{"Set-Cookie": {""}, "set-cookie": {";", "="}, "Date": {""}})
		if u, met := visit.Unusable(); met {
			t.Errorf("unusable: %+v", u)
		}
		visit.End()
		if discoveries := visit.End(); len(discoveries) > 3 {
			t.Errorf("ended twice: %+v", discoveries)
		}
	}
}

// A nil header map is empty, also where the response depends on the visitor's choice.
func TestCompleteResponseOfNilHeader(t *testing.T) {
	defer func() {
		if reason := recover(); reason != nil {
			t.Errorf("panic: %v", reason)
		}
	}()
	visit := visitWith(compiled(t, tracking(policy.RuleOptions{}, "_ga")))
	visit.Consent("statistical")
	visit.CompleteResponse(nil)
}
