package enforcer_test

import (
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// What is open is let through, whatever the browser calls the kind.
func TestCountLoadOpen(t *testing.T) {
	e, err := enforcer.Compile(policy.Policy{
		Presets: []policy.Preset{{Name: "opendatasoft"}},
		Load:    policy.Load{Mode: policy.LoadReport, Open: []string{policy.OpenStyle, policy.OpenImage}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for directive, want := range map[string]observe.Verdict{
		"style-src": observe.LetThrough, "style-src-elem": observe.LetThrough, "style-src-attr": observe.LetThrough,
		"img-src": observe.LetThrough, "script-src-elem": observe.Refused, "font-src": observe.Refused,
	} {
		o := observe.New(time.Now())
		e.Observe(o)
		visit := e.Visit(enforcer.Request{Host: "data.city.example"})
		visit.CountLoad("https://b.example", directive)
		if got := o.Origins()[0].Counts[observe.Report]; got[want] != 1 {
			t.Errorf("%s: %v", directive, got)
		}
	}
}
