package print

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/evidence"
)

// What changed from one policy to the next is said in the words of the configuration, with what was before.
func TestChanges(t *testing.T) {
	base := policy.Policy{
		Presets: []policy.Preset{{Name: "opendatasoft"}},
		Allow: []policy.Rule{
			{Category: policy.Statistical, Cookies: []string{"_pk_*"},
				RuleOptions: policy.RuleOptions{Consent: []string{"matomo"}}},
			{Category: policy.ThirdParty, Cookies: []string{"_ga"}},
		},
		Key: []policy.Key{{Keys: []string{"matomo"}, Title: []policy.Text{{Text: "Counting"}}}},
	}
	before := period(t, noon, noon.Add(time.Hour), base)
	for _, c := range []struct {
		what   string
		change func(*policy.Policy)
		want   []string
	}{
		{"nothing", func(*policy.Policy) {}, []string{"Nothing: it is the same policy as in the period before."}},
		{"an option", func(p *policy.Policy) { p.Allow[1].Secure = true },
			[]string{"Rule changed: third_party _ga: secure: true, before: not set"}},
		{"two options", func(p *policy.Policy) {
			p.Allow[0].Consent, p.Allow[0].Lifetime = []string{"matomo", "statistics"}, policy.Session
		},
			[]string{"Rule changed: statistical _pk_*: consent: matomo statistics, before: matomo; " +
				"lifetime: session, before: not set"}},
		{"a text", func(p *policy.Policy) { p.Allow[1].Purpose = []policy.Text{{Text: "Advertising"}} },
			[]string{"Rule changed: third_party _ga: purpose: another text for visitors"}},
		{"rules", func(p *policy.Policy) {
			p.Allow = []policy.Rule{p.Allow[0], {Category: policy.Necessary, Cookies: []string{"a", "b"}}}
		}, []string{"New rule: necessary a b", "Rule removed: third_party _ga"}},
		{"settings", func(p *policy.Policy) { p.Mode, p.Unlisted = policy.ModeReport, policy.UnlistedPass },
			[]string{"mode: report, before: enforce", "unlisted: pass, before: block"}},
		{"a preset", func(p *policy.Policy) { p.Presets = nil }, []string{
			"Rule removed: necessary sessionid", "Rule removed: necessary csrftoken", "Rule removed: necessary django_language",
			"Rule removed: necessary cookies_preferences",
			"preference, removed: cookies cookies_preferences, format json, max_age 183d, timestamp timestamp"}},
		{"an element of a list", func(p *policy.Policy) {
			p.Signal = []policy.Signal{{Signal: policy.SignalGPC, Categories: []policy.Category{policy.Statistical}}}
		}, []string{"signal, added: categories statistical, signal gpc"}},
		{"in an element of a list", func(p *policy.Policy) { p.Key[0].Title = []policy.Text{{Text: "Statistics"}} },
			[]string{"key matomo, changed: title: another text for visitors"}},
		{"the order", func(p *policy.Policy) { p.Allow[0], p.Allow[1] = p.Allow[1], p.Allow[0] },
			[]string{"The order of rules or of settings."}},
	} {
		p := base
		p.Allow, p.Key = slices.Clone(base.Allow), slices.Clone(base.Key)
		c.change(&p)
		after := period(t, noon.Add(time.Hour), time.Time{}, p)
		if got := changes(t, &before, &after); !slices.Equal(got, c.want) {
			t.Errorf("%s: got\n%q\nwant\n%q", c.what, got, c.want)
		}
	}
	unreadable := before
	unreadable.Digest, unreadable.Policy, unreadable.Changes = "0", json.RawMessage(`{"allow": 1}`),
		[]string{"changed: key"}
	if got, want := changes(t, &before, &unreadable),
		[]string{"This program cannot read one of the two policies. In short:",
			"changed: key"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// changes returns the paragraphs and lists about a change, but for what is always said.
func changes(t *testing.T, before, after *evidence.PeriodAnswer) (said []string) {
	t.Helper()
	w, err := newWriter("en")
	if err != nil {
		t.Fatal(err)
	}
	w.changes(before, after)
	for _, b := range w.content.Blocks {
		if b.Paragraph != "" && b.Paragraph != string(w.Force.Compared) {
			said = append(said, b.Paragraph)
		}
		said = append(said, b.List...)
	}
	if w.err != nil {
		t.Error(w.err)
	}
	return said
}
