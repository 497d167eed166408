package audit

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

const portal = "https://data.city.example/"

// originPolicy is the policy of these tests, with third parties of each kind of rule.
func originPolicy(change func(*policy.Policy)) policy.Policy {
	p := testPolicy()
	rule := func(category policy.Category, consent, origin string) policy.Rule {
		r := policy.Rule{Category: category, RuleOptions: policy.RuleOptions{Origin: []string{origin}}}
		if consent != "" {
			r.Consent = []string{consent}
		}
		return r
	}
	p.Allow[2].Origin = []string{"https://*.stats.example"} // stat_*
	exempt := rule(policy.Statistical, "audience", "https://audience.city.example")
	exempt.Anonymous = true
	p.Allow = append(p.Allow, exempt, rule(policy.Necessary, "", "https://tiles.example"),
		rule(policy.ThirdParty, "video", "https://video.example:8443"))
	if change != nil {
		change(&p)
	}
	return p
}

const grantsVideo = `choice={"stats":true,"audience":true,"video":true}`

// A request to another origin is judged by the rule that names it and by the choice at the time.
func TestContacts(t *testing.T) {
	type asked struct{ url, kind, document string }
	script := func(url string) asked { return asked{url, "Script", portal} }
	image := func(url string) asked { return asked{url, "Image", portal} }
	framed := func(url string) asked { return asked{url, "Script", "https://frame.example/a"} }
	for _, c := range []struct {
		what, state, preference string
		policy                  func(*policy.Policy)
		asked                   asked
		want                    string // finding
		rule                    string
	}{
		{"necessary", None, "", nil, script("https://tiles.example/1.js"), "", "necessary https://tiles.example"},
		{"consent, undecided", None, "", nil, script("https://a.stats.example/x?uid=secret"), "early https://a.stats.example",
			"first_party stat_*"},
		{"consent, refused", Refuse, refusesAll, nil, script("https://a.stats.example/"), "early https://a.stats.example",
			"first_party stat_*"},
		{"consent, granted", Grant, grantsAll, nil, script("https://a.stats.example/"), "", "first_party stat_*"},
		{"another key is granted", "granted:stats", grantsAll, nil, script("https://video.example:8443/"),
			"early https://video.example:8443", "third_party https://video.example:8443"},
		{"a WebSocket", None, "", nil, asked{"wss://a.stats.example/", "WebSocket", portal}, "early https://a.stats.example",
			"first_party stat_*"},
		{"the default port", None, "", nil, script("https://a.stats.example:443/"), "early https://a.stats.example",
			"first_party stat_*"},
		{"a frame", None, "", nil, asked{"https://video.example:8443/v", "Document", portal},
			"early https://video.example:8443", "third_party https://video.example:8443"},
		{"another port", None, "", nil, script("https://video.example/"), "unlisted https://video.example", ""},
		{"without TLS", None, "", nil, script("http://a.stats.example/"), "unlisted http://a.stats.example", ""},
		{"the wildcard's own name", None, "", nil, script("https://stats.example/"), "unlisted https://stats.example", ""},
		{"unlisted, with consent", Grant, grantsVideo, nil, script("https://b.example/"), "unlisted https://b.example", ""},
		{"an address", Grant, grantsVideo, nil, script("https://192.0.2.7/"), "unlisted https://192.0.2.7", ""},
		{"anonymous, undecided", None, "", nil, script("https://audience.city.example/"), "",
			"statistical https://audience.city.example"},
		{"anonymous, refused, of the portal's site", Refuse, refusesAll, nil, script("https://audience.city.example/"),
			"early https://audience.city.example", "statistical https://audience.city.example"},
		{"the portal's site, in no rule", None, "", nil, script("https://www.city.example/"), "", ""},
		{"the portal itself", None, "", nil, script("https://data.city.example/a.js"), "", "-"},
		{"the portal itself, over a WebSocket", None, "", nil, asked{"wss://data.city.example/", "WebSocket", portal}, "", "-"},
		{"the portal itself, which a rule names for other hosts", None, "", func(p *policy.Policy) {
			p.Allow[2].Origin = []string{"https://*.city.example"}
		}, script("https://data.city.example/a.js"), "", "-"},
		{"another port of the portal, in no rule", None, "", nil, script("https://data.city.example:8443/a.js"), "", "-"},
		{"another port of the portal, in a rule", None, "", func(p *policy.Policy) {
			p.Allow[2].Origin = []string{"https://data.city.example:8443"}
		}, script("https://data.city.example:8443/a.js"), "early https://data.city.example:8443", "first_party stat_*"},
		{"the page itself", None, "", nil, asked{"https://b.example/", "Document", ""}, "third_party b.example", ""},
		{"a report of the portal's own policy", None, "", nil, asked{"https://b.example/", "CSPViolationReport", portal},
			"third_party b.example", ""},
		{"unlisted, by a frame of a third party", None, "", nil, framed("https://b.example/"), "third_party b.example", ""},
		{"unlisted, by a frame of a third party, with consent", Grant, grantsVideo, nil, framed("https://b.example/"), "", ""},
		{"listed, by a frame of a third party", None, "", nil, framed("https://a.stats.example/"),
			"early https://a.stats.example", "first_party stat_*"},
		{"open", None, "", func(p *policy.Policy) {
			p.Load = policy.Load{Mode: policy.LoadEnforce, Open: []string{policy.OpenImage}}
		}, image("https://b.example/1.png"), "third_party b.example", ""},
		{"open, another kind", None, "", func(p *policy.Policy) {
			p.Load = policy.Load{Mode: policy.LoadEnforce, Open: []string{policy.OpenImage}}
		}, script("https://b.example/"), "unlisted https://b.example", ""},
		{"unlisted pass", None, "", func(p *policy.Policy) { p.Unlisted = policy.UnlistedPass },
			script("https://b.example/"), "third_party b.example", ""},
		{"unlisted pass does not grant", None, "", func(p *policy.Policy) { p.Unlisted = policy.UnlistedPass },
			script("https://a.stats.example/"), "early https://a.stats.example", "first_party stat_*"},
		{"no origins", None, "", func(p *policy.Policy) { *p = testPolicy() }, script("https://a.stats.example/"),
			"third_party a.stats.example", "?"},
		{"no origins, with consent", Grant, grantsAll, func(p *policy.Policy) { *p = testPolicy() },
			script("https://a.stats.example/"), "", "?"},
		{"no origins, and load", None, "", func(p *policy.Policy) {
			*p = testPolicy()
			p.Load.Mode = policy.LoadReport
		}, script("https://a.stats.example/"), "unlisted https://a.stats.example", ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			a := newAuditOf(t, originPolicy(c.policy))
			out := newOutcome(t, c.state, c.preference, 1)
			q := out.request(t, 0, c.asked.url)
			q.kind, q.document = c.asked.kind, c.asked.document
			a.collect(out)
			got := a.kinds()
			if want := slices.DeleteFunc([]string{c.want}, func(w string) bool { return w == "" }); !slices.Equal(got, want) {
				t.Errorf("found %q, want %q", got, want)
			}
			for _, f := range a.report.Findings {
				isError := f.Finding == Early || f.Finding == Unlisted
				if isError != (f.Level == LevelError) || *f.Request != 0 || f.Finding == Early && f.Rule != c.rule {
					t.Errorf("%+v", f)
				}
			}
			if c.rule == "-" {
				if len(a.report.Requests) > 0 {
					t.Errorf("%+v", a.report.Requests)
				}
				return
			}
			if len(a.report.Requests) != 1 {
				t.Fatalf("%+v", a.report.Requests)
			}
			r := a.report.Requests[0]
			category := "unlisted"
			if c.rule == "?" {
				category, c.rule = "", ""
			} else if c.rule != "" {
				category, _, _ = strings.Cut(c.rule, " ")
			}
			isEarly := len(got) == 1 && a.report.Findings[0].Finding == Early
			if r.Rule != c.rule || r.Category != category || slices.Equal(r.Early, []string{c.state}) != isEarly {
				t.Errorf("%+v", r)
			}
		})
	}
}

// What a Content-Security-Policy kept in the browser is no contact.
func TestContactsUnsent(t *testing.T) {
	a := newAuditOf(t, originPolicy(nil))
	out := newOutcome(t, None, "", 1)
	out.request(t, 0, "https://a.stats.example/").unsent = true
	a.collect(out)
	if len(a.report.Findings)+len(a.report.Requests) > 0 {
		t.Errorf("%q, %+v", a.kinds(), a.report.Requests)
	}
}

// A click counts for the page on which it is made where it grants, and for the next one where it refuses: a page
// keeps the choice with which it was loaded.
func TestContactsAtTheClick(t *testing.T) {
	for _, c := range []struct {
		what, state, before, after string
		page                       int
		seconds                    int // the click comes after ten
		want                       []string
	}{
		{"before the withdrawal", Withdrawn, grantsVideo, refusesAll, 0, 5, nil},
		{"after the withdrawal", Withdrawn, grantsVideo, refusesAll, 0, 15, []string{"third_party a.stats.example"}},
		{"on the page after the withdrawal", Withdrawn, grantsVideo, refusesAll, 1, 0, []string{"early https://a.stats.example"}},
		{"before the consent", Grant, "", grantsVideo, 0, 5, []string{"early https://a.stats.example"}},
		{"after the consent", Grant, "", grantsVideo, 0, 15, nil},
		{"before the refusal", Refuse, "", refusesAll, 0, 5, []string{"early https://a.stats.example"}},
		{"after the refusal", Refuse, "", refusesAll, 0, 15, []string{"early https://a.stats.example"}},
	} {
		a := newAuditOf(t, originPolicy(nil))
		out := newOutcome(t, c.state, c.after, 2)
		s := &out.steps[0]
		s.before.preference, s.chosen = c.before, begun.Add(10*time.Second)
		q := out.request(t, c.page, "https://a.stats.example/")
		q.at, q.document = out.steps[c.page].page.Started.Add(time.Duration(c.seconds)*time.Second), portal
		a.collect(out)
		if got := a.kinds(); !slices.Equal(got, c.want) {
			t.Errorf("%s: found %q, want %q", c.what, got, c.want)
		}
	}
}

// A refusal is demonstrated for consent keys of origins alone where a page loads from one with consent, and for
// keys of cookies only where one of those was met. Origins that were never met are told.
func TestContactsControl(t *testing.T) {
	a := newAuditOf(t, originPolicy(nil))
	for _, state := range []string{Grant, Refuse} {
		out := newOutcome(t, state, map[string]string{Grant: grantsVideo, Refuse: refusesAll}[state], 1)
		if state == Grant {
			for _, link := range []string{"https://video.example:8443/", "https://a.stats.example/"} {
				out.request(t, 0, link).document = portal
			}
		}
		a.collect(out)
		a.report.States = append(a.report.States, out.state)
	}
	a.conclude()
	verdicts := map[string]string{}
	for _, p := range a.report.States[1].Purposes {
		verdicts[p.Keys[0]] = p.Verdict
	}
	want := map[string]string{"video": Holds, "stats": NotDemonstrated, "audience": NotDemonstrated}
	if fmt.Sprint(verdicts) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", verdicts, want)
	}
	var never []string
	for _, f := range a.report.Never {
		never = append(never, f.Name)
	}
	for _, name := range []string{"https://audience.city.example", "https://tiles.example"} {
		if !slices.Contains(never, name) {
			t.Errorf("%s was not met, and is not told: %q", name, never)
		}
	}
	if slices.Contains(never, "https://video.example:8443") || slices.Contains(never, "https://*.stats.example") {
		t.Errorf("never met are %q", never)
	}
}

// Who asked for a frame is the document around it, also where that has no address of its own.
func TestAttribute(t *testing.T) {
	r := &recorder{outer: map[string]string{"A": "main", "B": "A", "blank": "main", "C": "blank", "x": "y", "y": "x"}}
	add := func(frame, kind, link, document string) {
		r.requests = append(r.requests, &request{frame: frame, kind: kind, url: address(t, link), document: document})
	}
	add("main", "Document", portal, portal)
	add("A", "Document", "https://a.example/", "https://a.example/")
	add("B", "Document", "https://b.example/", "https://b.example/")
	add("C", "Document", "https://c.example/", "https://c.example/")
	add("A", "WebSocket", "wss://ws.example/", "")
	add("blank", "Script", "https://s.example/", "about:blank")
	add("B", "Script", "https://s.example/", "https://b.example/frame")
	add("x", "Script", "https://s.example/", "")
	add("", "Fetch", "https://s.example/", "")
	r.attribute()
	want := []string{"", portal, "https://a.example/", portal, "https://a.example/", portal, "https://b.example/frame", "", ""}
	for i, q := range r.requests {
		if q.document != want[i] {
			t.Errorf("%s of %s was asked for by %q, want %q", q.kind, q.frame, q.document, want[i])
		}
	}
}
