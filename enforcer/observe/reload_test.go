package observe_test

import (
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// serve sends requests with one cookie through a policy with one rule.
func serve(t *testing.T, o *observe.Observer, category policy.Category, name, cookie string, requests int) {
	t.Helper()
	e, err := enforcer.Compile(policy.Policy{
		Allow: []policy.Rule{{Category: category, Cookies: []string{name}}},
	}, func() time.Time { return noon })
	if err != nil {
		t.Fatal(err)
	}
	e.Observe(o)
	for range requests {
		visit := e.Visit(enforcer.Request{Header: map[string][]string{"Cookie": {cookie}}})
		visit.FilterRequest()
		visit.End()
	}
}

// What is met after a reload is in the inventory, once for each name and with all counts, though the
// rule that named it was removed, became a wildcard, or came anew.
func TestObserverOverChangesOfPolicy(t *testing.T) {
	for _, c := range []struct {
		what          string
		before, after string // the names that the rules have
		first, second int    // requests
	}{
		{"a rule is removed", "old", "other", 1, 500},
		{"a name becomes a wildcard", "old", "ol*", 2, 500},
		{"a name becomes listed by a wildcard", "other", "ol*", 150, 7},
		{"a wildcard is removed", "ol*", "other", 7, 300},
		{"a name becomes listed", "other", "old", 150, 7},
	} {
		o := observe.New(noon)
		serve(t, o, policy.Necessary, c.before, "old=1", c.first)
		serve(t, o, policy.Necessary, c.after, "old=1", c.second)
		serve(t, o, policy.Necessary, c.before, "old=1", 1)
		found := 0
		for _, s := range o.Sightings() {
			if s.Name != "old" {
				continue
			}
			found++
			if n := s.Counts.Total(observe.Enforce); n != uint64(c.first+c.second+1) {
				t.Errorf("%s: %d are counted, want %d", c.what, n, c.first+c.second+1)
			}
		}
		if found != 1 {
			t.Errorf("%s: the name is there %d times", c.what, found)
		}
	}
}

// A name that a rule once named is a client's name without that rule, and reported once it came often.
func TestObserverFormerNameIsNotEstablished(t *testing.T) {
	o := observe.New(noon)
	serve(t, o, policy.Necessary, "old", "old=1", 1)
	serve(t, o, policy.Necessary, "other", "old=1", 1)
	for _, s := range o.Sightings() {
		if s.Name == "old" && s.Established {
			t.Error("two requests of clients make a name known")
		}
	}
}
