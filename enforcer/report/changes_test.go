package report_test

import (
	"slices"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
)

// Changes are in the words of the configuration.
func TestChanges(t *testing.T) {
	base := portal(t).Policy()
	for _, c := range []struct {
		what   string
		change func(*policy.Policy)
		want   []string
	}{
		{"nothing", func(*policy.Policy) {}, nil},
		{"its name", func(p *policy.Policy) { p.Name = "city" }, nil},
		{"a rule more", func(p *policy.Policy) {
			p.Allow = append(p.Allow, policy.Rule{Category: policy.Necessary, Cookies: []string{"a", "b"}})
		}, []string{"added: allow necessary a b"}},
		{"a rule less", func(p *policy.Policy) { p.Allow = p.Allow[:1] },
			[]string{"removed: allow third_party _ga"}},
		{"an option", func(p *policy.Policy) { p.Allow[1].Secure = true },
			[]string{"changed: allow third_party _ga"}},
		{"the order", func(p *policy.Policy) { p.Allow[0], p.Allow[1] = p.Allow[1], p.Allow[0] },
			[]string{"changed: the order of rules"}},
		{"settings", func(p *policy.Policy) {
			p.Mode, p.Unlisted = policy.ModeReport, policy.UnlistedPass
			p.Signal = []policy.Signal{
				{Signal: policy.SignalGPC, Categories: []policy.Category{policy.Statistical}},
			}
		}, []string{"mode report, was enforce", "unlisted pass, was block", "changed: signal"}},
		{"the other settings", func(p *policy.Policy) {
			p.Lifetimes, p.SharedCache = policy.LifetimesEnforce, policy.SharedCacheKeep
			p.RewriteDomain = []policy.Rewrite{{From: "portal.example.org"}}
			p.Preference = []policy.Preference{{Cookies: []string{"prefs"}}}
		}, []string{
			"lifetimes enforce, was report", "shared_cache keep, was protect",
			"changed: preference", "changed: rewrite_domain",
		}},
		{"texts", func(p *policy.Policy) {
			p.Allow[1].Function = []policy.Text{{Text: "Audience"}}
			p.Key = []policy.Key{{Keys: []string{"third_party"}, Title: []policy.Text{{Text: "Trackers"}}}}
		}, []string{"changed: allow third_party _ga", "changed: key"}},
		{"a session cookie", func(p *policy.Policy) { p.Allow[1].Lifetime = policy.Session },
			[]string{"changed: allow third_party _ga"}},
	} {
		p := policy.Policy{
			Presets: []policy.Preset{{Name: "opendatasoft"}},
			Allow: []policy.Rule{
				{Category: policy.Statistical, Cookies: []string{"_pk_*"}},
				{Category: policy.ThirdParty, Cookies: []string{"_ga"}},
			},
		}
		c.change(&p)
		changed, err := p.Resolve()
		if err != nil {
			t.Fatal(err)
		}
		if got := report.Changes(base, changed); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.what, got, c.want)
		}
	}
	if got := base.Counts(); got != (policy.Counts{Rules: 6, Cookies: 6, Preferences: 1}) {
		t.Errorf("counted %+v", got)
	}
}
