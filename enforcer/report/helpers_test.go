package report_test

import (
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
)

var noon = time.Date(2026, time.January, 15, 12, 0, 0, 0, time.UTC)

const day = policy.Duration(24 * time.Hour)

// gateway is a policy with what was observed under it.
type gateway struct {
	*enforcer.Enforcer
	observer *observe.Observer
	now      time.Time
}

// newGateway compiles a policy for sites, whose clock shows noon.
func newGateway(t *testing.T, p policy.Policy, sites ...string) *gateway {
	t.Helper()
	g := &gateway{observer: observe.New(noon), now: noon}
	e, err := enforcer.Compile(p, func() time.Time { return g.now })
	if err != nil {
		t.Fatal(err)
	}
	g.Enforcer = e
	g.observer.SetSites(append(sites, "data.city.example"))
	e.Observe(g.observer)
	return g
}

// portal returns a gateway whose policy has a rule of each kind that matters here.
func portal(t *testing.T, sites ...string) *gateway {
	return newGateway(t, policy.Policy{
		Presets: []policy.Preset{{Name: "opendatasoft"}},
		Allow: []policy.Rule{
			{Category: policy.Statistical, Cookies: []string{"_pk_*"}},
			{Category: policy.ThirdParty, Cookies: []string{"_ga"}},
		},
	}, sites...)
}

// serve passes one request and its response through the policy.
func (g *gateway) serve(host, cookie string, lines ...string) {
	request := enforcer.Request{Header: map[string][]string{}, Host: host}
	if cookie != "" {
		request.Header["Cookie"] = []string{cookie}
	}
	visit := g.Visit(request)
	visit.FilterRequest()
	visit.CompleteResponse(map[string][]string{"Set-Cookie": lines})
	visit.End()
}

func (g *gateway) inventory() report.Inventory {
	return report.NewInventory(g.Policy(), g.observer, g.now)
}

func (g *gateway) drift() []report.Finding {
	return report.NewDrift(g.Policy(), g.observer, g.now).Findings
}

// item returns a cookie of the inventory in mode enforce. It is empty if the cookie was not met.
func (g *gateway) item(channel observe.Channel, name string) (item report.Item) {
	for _, item := range g.inventory().Cookies {
		if item.Name == name && item.Channel == channel.String() && item.Mode == policy.ModeEnforce {
			return item
		}
	}
	return item
}
