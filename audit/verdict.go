package audit

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
)

// conclude gives the verdicts, once all states were visited.
func (a *audit) conclude() {
	a.declared()
	a.report.Complete = true
	for i := range a.report.States {
		s := &a.report.States[i]
		a.report.Complete = a.verdict(s) && a.report.Complete
	}
	for _, f := range a.judge.met.drift(report.NeverSeen) {
		a.report.Never = append(a.report.Never, Finding{
			ID: NeverSeen + ":" + f.Cookie, Finding: NeverSeen, Level: LevelWarning, Name: f.Cookie, Runs: []int{},
			Detail: "in no state was it met on these pages"})
	}
	a.neverLoaded()
	rank := map[string]int{LevelError: 0, LevelWarning: 1}
	order := a.report.Findings
	slices.SortStableFunc(order, func(x, y Finding) int {
		if x.Level != y.Level {
			return rank[x.Level] - rank[y.Level]
		}
		return strings.Compare(x.ID, y.ID)
	})
	slices.SortFunc(a.report.Reads, func(x, y Read) int {
		return cmp.Or(strings.Compare(x.Script, y.Script), strings.Compare(x.Host, y.Host))
	})
	a.report.Ended = time.Now().UTC()
}

// neverLoaded adds the origins of rules from which no page loaded in any state. Of a preset, one stands for all.
func (a *audit) neverLoaded() {
	done := map[string]bool{} // origins and presets that were met, or are told
	rules := a.judge.resolved.Rules()
	for _, rule := range rules {
		for _, origin := range rule.Origin {
			if a.loaded[origin] {
				done[origin], done[rule.Place().Preset] = true, true
			}
		}
	}
	for _, rule := range rules {
		for _, origin := range rule.Origin {
			preset := rule.Place().Preset
			if done[origin] || preset != "" && done[preset] {
				continue
			}
			done[origin], done[preset] = true, true
			a.report.Never = append(a.report.Never, Finding{
				ID: NeverSeen + ":" + origin, Finding: NeverSeen, Level: LevelWarning, Name: origin, Rule: rule.Label(),
				Runs: []int{}, Detail: "in no state did these pages load from it"})
		}
	}
}

// declared adds where lifetimes and attributes with consent were not those that the policy declares.
func (a *audit) declared() {
	for _, f := range a.judge.granted.drift(report.Longer, report.Weaker) {
		finding := Finding{Finding: f.Kind, Level: LevelError, State: Grant, Name: f.Cookie, Detail: f.Detail}
		i := slices.IndexFunc(a.report.Cookies, func(c Cookie) bool { return c.Name == f.Cookie })
		if i >= 0 {
			c := &a.report.Cookies[i]
			finding.Cookie, finding.Domain, finding.Rule, finding.Keys = &i, c.Domain, c.Rule, c.Consent
			for j := range c.Seen {
				if s := &c.Seen[j]; s.What == "set" && (s.State == Grant || strings.HasPrefix(s.State, grantOne)) {
					finding.State, finding.Setter, finding.At = s.State, s.Setter, &s.At
					break
				}
			}
		}
		a.add(finding, 1)
		for j := range a.report.States {
			if s := &a.report.States[j]; s.State == finding.State {
				s.broken = append(s.broken, finding.Keys)
			}
		}
	}
}

// verdict gives the verdict on one state: what was found counts before what could not be shown. It
// reports whether the state was observed completely.
func (a *audit) verdict(s *State) (complete bool) {
	if n := s.Integrity; n != (Integrity{}) && s.Verdict == "" {
		s.Verdict = Incomplete
		s.Reasons = append(s.Reasons, "more was seen than the report has room for")
	}
	incomplete := s.Verdict == Incomplete
	hasControl := slices.ContainsFunc(a.report.States, func(o State) bool {
		return o.State == Grant || strings.HasPrefix(o.State, grantOne) || o.State == Withdrawn
	})
	s.Purposes = []Purpose{}
	missing := false
	questions := a.judge.engine.Questions()
	for i := range questions {
		p := Purpose{Keys: questions[i].Keys, Verdict: Holds}
		switch {
		case slices.ContainsFunc(s.broken, func(keys []string) bool { return intersect(keys, p.Keys) }):
			p.Verdict = Broken
		case incomplete:
			p.Verdict = Incomplete
		case needsControl(s.State) && !a.isControlled(&questions[i]) && (hasControl || s.State != None):
			p.Verdict, missing = NotDemonstrated, true
			a.add(Finding{
				Finding: ControlNotShown, Level: LevelWarning, State: s.State, Name: strings.Join(p.Keys, ", "), Keys: p.Keys,
				Detail: "with consent no cookie of these keys was met on these pages, and where they have none, no origin, " +
					"so that its absence shows nothing",
			}, s.Run)
		}
		s.Purposes = append(s.Purposes, p)
	}
	switch {
	case len(s.broken) > 0:
		s.Verdict = Broken
	case incomplete:
		s.Verdict = Incomplete
	case missing:
		s.Verdict = NotDemonstrated
		s.Reasons = append(s.Reasons, "with consent not everything was met that is missing without it")
	default:
		s.Verdict = Holds
	}
	return !incomplete
}

func intersect(a, b []string) bool {
	return slices.ContainsFunc(a, func(key string) bool { return slices.Contains(b, key) })
}

// needsControl reports whether what is missing in a state proves something only if it was there with
// consent.
func needsControl(state string) bool {
	return state == None || state == Refuse || state == Withdrawn || state == GPC
}

// isControlled reports whether a cookie that the question decides was met with consent, or, where it decides
// origins alone, one of those.
func (a *audit) isControlled(q *enforcer.Question) bool {
	hasCookies := slices.ContainsFunc(q.Rules, func(r *policy.Rule) bool { return len(r.Cookies) > 0 })
	return slices.ContainsFunc(q.Rules, func(r *policy.Rule) bool {
		return a.controls[r] && hasCookies == (len(r.Cookies) > 0)
	})
}

// Exit statuses.
const (
	StatusHolds      = 0
	StatusFindings   = 1
	StatusIncomplete = 2
)

// Status returns what an audit comes to, and why in a line. Of the findings those of the kinds in failOn
// count, by default those of the level error; excused says which are known already.
func (r *Report) Status(failOn []string, excused func(*Finding) bool) (status int, why string) {
	counted := 0
	for i := range r.Findings {
		f := &r.Findings[i]
		counts := f.Level == LevelError
		if len(failOn) > 0 {
			counts = slices.Contains(failOn, f.Finding) && f.Finding != ControlNotShown
		}
		if counts && !excused(f) {
			counted++
		}
	}
	strict := len(failOn) == 0 || slices.Contains(failOn, ControlNotShown)
	var open []string
	for i := range r.States {
		s := &r.States[i]
		if s.Verdict == Incomplete || s.Verdict == NotDemonstrated && strict || len(s.Reasons) > 0 && s.Verdict == Broken {
			open = append(open, s.State+" is "+s.Verdict)
		}
	}
	switch {
	case counted > 0:
		return StatusFindings, fmt.Sprintf("findings: %d", counted)
	case len(r.States) == 0:
		return StatusIncomplete, "no state was visited"
	case len(open) > 0:
		return StatusIncomplete, strings.Join(open, ", ")
	}
	return StatusHolds, "every state holds"
}
