package enforcer

import (
	"strings"

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
	// Scripts and styles are reported by the directive for elements or attributes.
	kind := strings.TrimSuffix(strings.TrimSuffix(directive, "-elem"), "-attr")
	if e.policy.Policy().Load.IsOpen(kind) {
		r.Verdict = observe.LetThrough
	}
	rule, reason := v.visitor.ruleFor(origin)
	if rule == nil {
		v.visitor.readOnce()
		r.Consent = v.visitor.consentToAny()
	} else {
		r.Origin, r.Listed, r.Category = rule.declared.OriginFor(origin), true, rule.declared.Category
		r.Consent = v.visitor.consentTo(rule)
		if reason.letsThrough() {
			r.Verdict = observe.LetThrough
		}
	}
	e.observer.CountOrigin(r)
}

// MayLoad returns the rule that decides whether a page may load from an origin with this visitor's choice, or
// nil if none names it, and why. The origin is as [policy.OriginOf] returns it. What is open by its kind, and
// whether the policy enforces any of this, is not looked at.
func (v *Visit) MayLoad(origin string) (*policy.Rule, Reason) {
	rule, reason := v.visitor.ruleFor(origin)
	if rule == nil {
		return nil, v.visitor.judge(nil)
	}
	return rule.declared, reason
}

// ruleFor returns the rule that decides whether a page may load from an origin, or nil if none names it, and
// why. Of several it is one that is let through, if there is one.
func (v *visitor) ruleFor(origin string) (decides *rule, reason Reason) {
	for _, declared := range v.enforcer.policy.RulesOf(origin) {
		r := v.enforcer.rules[declared]
		why := v.grants(r)
		if decides == nil || why.letsThrough() {
			decides, reason = r, why
		}
		if why.letsThrough() {
			break
		}
	}
	return decides, reason
}

// consentToAny returns what the visitor's preference, or a signal, says where no rule names a third party:
// granted if it grants anything, refused if it only refuses.
func (v *visitor) consentToAny() policy.Consent {
	switch {
	case v.choice.InDoubt():
		return policy.Refused
	case v.choice.Granted != 0:
		return policy.Granted
	case v.choice.Refused != 0:
		return policy.Refused
	}
	return policy.Undecided
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
