package enforcer_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// noon is the time that the clock shows in these tests: a Thursday.
var noon = time.Date(2026, time.January, 15, 12, 0, 0, 0, time.UTC)

func atNoon() time.Time { return noon }

// day is the unit of most lifetimes.
const day = policy.Duration(24 * time.Hour)

// compiled compiles a policy that has no fault.
func compiled(tb testing.TB, p policy.Policy) *enforcer.Enforcer {
	tb.Helper()
	e, err := enforcer.Compile(p, atNoon)
	if err != nil {
		tb.Fatalf("this policy has to compile: %v", err)
	}
	return e
}

// allowing returns a policy with one rule, which lets the named cookies through always.
func allowing(names ...string) policy.Policy {
	return policy.Policy{Allow: []policy.Rule{{Category: policy.Necessary, Cookies: names}}}
}

// tracking returns a policy with a necessary cookie, a preference, and trackers that need consent.
func tracking(options policy.RuleOptions, trackers ...string) policy.Policy {
	return policy.Policy{
		Allow: []policy.Rule{
			{Category: policy.Necessary, Cookies: []string{"sessionid"}},
			{Category: policy.Statistical, Cookies: trackers, RuleOptions: options},
		},
		Preference: []policy.Preference{{Cookies: []string{"prefs"}}},
	}
}

// visitWith begins a request with the given Cookie lines.
func visitWith(e *enforcer.Enforcer, cookies ...string) enforcer.Visit {
	return e.Visit(enforcer.Request{Header: http.Header{"Cookie": cookies}})
}

// filterResponse passes a response header through a new Visit with the given Cookie lines.
func filterResponse(e *enforcer.Enforcer, cookies []string, header http.Header) {
	visit := visitWith(e, cookies...)
	visit.FilterResponse(header)
}

// keptLines returns the Set-Cookie lines that are let through for a visitor with the given Cookie
// lines.
func keptLines(e *enforcer.Enforcer, cookies []string, lines ...string) []string {
	header := http.Header{"Set-Cookie": slices.Clone(lines)}
	filterResponse(e, cookies, header)
	return header["Set-Cookie"]
}

// letThrough reports whether a line is let through.
func letThrough(e *enforcer.Enforcer, cookies []string, line string) bool {
	return len(keptLines(e, cookies, line)) == 1
}

// navigation returns the header of a request for a page.
func navigation(cookies ...string) http.Header {
	return http.Header{"Cookie": cookies, "Sec-Fetch-Mode": {"navigate"}}
}

// respond passes a request and its final response through a Visit, and returns the Set-Cookie lines
// of the response.
func respond(e *enforcer.Enforcer, r enforcer.Request, response http.Header) []string {
	visit := e.Visit(r)
	visit.FilterRequest()
	visit.CompleteResponse(response)
	return response["Set-Cookie"]
}

// observed compiles a policy and counts its verdicts in a new Observer, for one site.
func observed(tb testing.TB, p policy.Policy) (*enforcer.Enforcer, *observe.Observer) {
	tb.Helper()
	e, o := compiled(tb, p), observe.New(noon)
	o.SetSites([]string{"data.city.example"})
	e.Observe(o)
	return e, o
}

// portalPolicy has a rule of each kind that matters for counting.
func portalPolicy() policy.Policy {
	return policy.Policy{
		Presets: []policy.Preset{{Name: "opendatasoft"}},
		Allow: []policy.Rule{
			{Category: policy.Statistical, Cookies: []string{"_pk_*"},
				RuleOptions: policy.RuleOptions{Consent: []string{"matomo"}}},
			{Category: policy.ThirdParty, Cookies: []string{"_ga"},
				RuleOptions: policy.RuleOptions{Consent: []string{"ga"}}},
		},
	}
}

const (
	refusesMatomo = "cookies_preferences=%7B%22matomo%22%3Afalse%7D"
	acceptsMatomo = "cookies_preferences=%7B%22matomo%22%3Atrue%7D"
)
