package enforcer

import (
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// AsksForReports reports whether the policy asks browsers to report what pages load, so that requests for
// [policy.ReportPath] are reports.
func (e *Enforcer) AsksForReports() bool { return e.loading != nil }

// CountLoad counts a browser's report that a page loads from an origin, or that it was redirected there,
// if the origin is empty. It is judged by the choice of the visitor who sends it. Without an observer, or
// where the policy asks for no reports, it does nothing.
func (v *Visit) CountLoad(origin, directive string) {
	e := v.enforcer
	if e.observer == nil || e.loading == nil {
		return
	}
	r := observe.OriginReport{
		Origin: origin, Category: observe.Unlisted, Directive: directive, Host: v.visitor.request.Host,
		Consent: policy.Undecided, Mode: observe.Report, Verdict: observe.Refused, Now: e.now(),
	}
	if e.loading.enforces {
		r.Mode = observe.Enforce
	}
	if origin == "" {
		r.Origin = observe.Redirect
	}
	if e.policy.Policy().Load.IsOpen(directive) {
		r.Verdict = observe.LetThrough
	}
	for i, declared := range e.policy.RulesOf(origin) {
		rule := e.rules[declared]
		letThrough := v.visitor.grants(rule).letsThrough()
		if i > 0 && !letThrough {
			continue
		}
		r.Origin, r.Listed, r.Category = declared.OriginFor(origin), true, declared.Category
		r.Consent = v.visitor.consentTo(rule)
		if letThrough {
			r.Verdict = observe.LetThrough
			break
		}
	}
	e.observer.CountOrigin(r)
}

// consentTo returns what the visitor's preference, or a signal, says about a rule.
func (v *visitor) consentTo(r *rule) policy.Consent {
	switch {
	case r.always:
		return policy.Granted
	case v.choice.InDoubt():
		return policy.Refused
	case r.keys&v.choice.Granted != 0:
		return policy.Granted
	case r.keys&v.choice.Refused != 0:
		return policy.Refused
	}
	return policy.Undecided
}
