package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/wire"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// Drift lists where a portal and its policy differ.
type Drift struct {
	Policy   string    `json:"policy"`
	Digest   string    `json:"digest"`
	Since    time.Time `json:"since"`
	At       time.Time `json:"at"`
	Findings []Finding `json:"findings"`
}

// Finding is one difference.
type Finding struct {
	Kind   string `json:"kind"`
	Cookie string `json:"cookie"`           // a name that was met, or one that the policy names; empty about gateways
	Origin string `json:"origin,omitempty"` // a third party, in place of a cookie
	Detail string `json:"detail"`
	Digest string `json:"digest,omitempty"` // if those of several gateways differ
}

// Subject returns the cookie or the origin that the finding is about.
func (f *Finding) Subject() string { return cmp.Or(f.Cookie, f.Origin) }

// Counts reports whether the portal and the policy differ because of the finding.
func (f *Finding) Counts() bool { return f.Kind != Rare }

// Counted returns the number of findings that count.
func Counted(findings []Finding) (n int) {
	for i := range findings {
		if findings[i].Counts() {
			n++
		}
	}
	return n
}

// Kinds of findings.
const (
	// A name was met that no rule names. A client's name is reported once it came with 100 requests, or
	// with 10 on three days.
	Unlisted = "unlisted"
	// A rule names it, and it was not met. Of a tracker's preset, one finding stands for all names.
	NeverSeen = "never_seen"
	// It was set with a longer lifetime than declared.
	Longer = "longer"
	// It was set with weaker attributes, or another Domain, than the rule says.
	Weaker = "weaker"
	// It is necessary, was set, and was never sent back by a browser.
	NeverRead = "never_read"
)

// Kinds of findings about gateways, when several are asked.
const (
	// Gateways have policies of one name and different digests.
	Differs = "differs"
	// A gateway has no policy of this name, and others have.
	Missing = "missing"
	// A gateway could not be asked: what follows from the answers of all is not known.
	Unanswered = "unanswered"
)

// NewDrift compares what an observer saw with what the policy says.
func NewDrift(p *policy.Resolved, o *observe.Observer, at time.Time) Drift {
	d := Drift{Policy: p.Name(), Digest: p.Digest(), Since: o.Since(), At: at, Findings: []Finding{}}
	sightings := o.Sightings()
	read := map[string]bool{}
	for _, s := range sightings {
		read[s.Name] = read[s.Name] || s.Channel == observe.Read
	}
	seen := map[*policy.Rule]map[string]bool{} // the names and wildcards of each rule that were met
	unlisted := map[string][]string{}
	for i := range sightings {
		s := &sightings[i]
		rule, pattern := p.Lookup(s.Name)
		if rule == nil || s.Name == observe.Nameless {
			if s.Established {
				name := wire.Printable(s.Name)
				unlisted[name] = append(unlisted[name], where(s))
			}
			continue
		}
		if seen[rule] == nil {
			seen[rule] = map[string]bool{}
		}
		seen[rule][pattern] = true
		if s.Channel == observe.Set {
			d.compare(s, rule)
			persists := s.Session || s.Longest > 0
			letThrough := s.Counts[observe.Enforce][observe.LetThrough]+s.Counts[observe.Report][observe.LetThrough] > 0
			if rule.Category == policy.Necessary && persists && letThrough && !read[s.Name] {
				d.add(NeverRead, s.Name, "set, and never sent back by a browser")
			}
		}
	}
	for name, places := range unlisted {
		slices.Sort(places)
		slices.Reverse(places) // set before read
		d.add(Unlisted, name, strings.Join(places, "; "))
	}
	d.neverSeen(p, seen)
	d.origins(p, o)
	sortFindings(d.Findings)
	return d
}

// where says where and how often a name was met.
func where(s *observe.Sighting) string {
	times := s.Counts.Total(observe.Enforce) + s.Counts.Total(observe.Report)
	hosts := strings.Join(printable(s.Hosts), ", ")
	return fmt.Sprintf("met on %s %s, at %s", s.Channel, plural(times, "time"), hosts)
}

func plural(n uint64, word string) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// neverSeen adds the names that the policy names and that were not met.
func (d *Drift) neverSeen(p *policy.Resolved, seen map[*policy.Rule]map[string]bool) {
	since := " since " + d.Since.UTC().Format(time.RFC3339)
	trackers := map[string]bool{} // presets of which something was met, or that have a finding
	for rule := range seen {
		trackers[tracker(rule)] = true
	}
	for _, rule := range p.Rules() {
		preset := tracker(rule)
		switch {
		case rule.Place().Implicit:
		case preset == "":
			for _, name := range rule.Cookies {
				if !seen[rule][name] {
					d.add(NeverSeen, name, "not met"+since)
				}
			}
		case !trackers[preset]:
			trackers[preset] = true
			d.add(NeverSeen, rule.Cookies[0],
				"neither this nor another name of the preset "+preset+" was met"+since)
		}
	}
}

// tracker returns the preset of a rule that waits for consent: such presets name the cookies of all
// versions of a tool, of which a portal has one.
func tracker(rule *policy.Rule) string {
	if rule.Category == policy.Necessary {
		return ""
	}
	return rule.Place().Preset
}

func (d *Drift) add(kind, cookie, detail string) {
	d.Findings = append(d.Findings, Finding{Kind: kind, Cookie: wire.Printable(cookie), Detail: detail})
}

// compare compares one cookie with its rule.
func (d *Drift) compare(s *observe.Sighting, rule *policy.Rule) {
	lives := "lives " + policy.Duration(s.Longest.Truncate(time.Second)).String()
	switch declared := time.Duration(rule.Lifetime); {
	case rule.Lifetime == policy.Session && s.Longest > 0:
		d.add(Longer, s.Name, lives+", declared is a session cookie")
	case declared > 0 && s.Longest > declared:
		d.add(Longer, s.Name, lives+", declared are "+rule.Lifetime.String())
	}
	if rule.Secure && s.NoSecure {
		d.add(Weaker, s.Name, "sent without Secure")
	}
	if rule.HTTPOnly && s.NoHTTPOnly {
		d.add(Weaker, s.Name, "sent without HttpOnly")
	}
	for _, sameSite := range s.SameSite {
		switch {
		case wire.Strictness(sameSite) >= wire.Strictness(rule.SameSite):
		case sameSite == "":
			d.add(Weaker, s.Name, "sent without SameSite, declared is "+rule.SameSite)
		default:
			d.add(Weaker, s.Name, "sent with SameSite="+wire.Printable(sameSite)+", declared is "+rule.SameSite)
		}
	}
	for _, domain := range s.Domains {
		accepted := slices.ContainsFunc(rule.Domain, func(d string) bool { return wire.NormalDomain(d) == domain })
		if len(rule.Domain) > 0 && !accepted {
			d.add(Weaker, s.Name, "sent with Domain="+wire.Printable(domain)+
				", declared are "+strings.Join(rule.Domain, ", "))
		}
	}
}

// sortFindings sorts by kind, then by cookie. Those that do not count are the last: anybody can cause them.
func sortFindings(findings []Finding) {
	doesNotCount := func(f *Finding) int {
		if f.Counts() {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(doesNotCount(&a), doesNotCount(&b)), strings.Compare(a.Kind, b.Kind), strings.Compare(a.Cookie, b.Cookie), strings.Compare(a.Origin, b.Origin),
			strings.Compare(a.Detail, b.Detail), strings.Compare(a.Digest, b.Digest))
	})
}
