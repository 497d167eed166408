package cookiepolicy

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/headers"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

const (
	reportsWarning = "load asks browsers for reports that do not reach this policy: its matcher, or a route around it " +
		"or before it, leaves out POST /.cookie-policy/report; let that through"
	deferredLoadWarning = "a deferred header directive outside this policy sets, replaces or deletes a header " +
		"that load adds to pages; put it inside, or let it add a line with +"
	defaultLoadWarning = "a header directive outside this policy has a default (?) for a header that load adds to pages, " +
		"which never get that default; put it inside"
)

// require adds conditions that hold for all requests here. A report of a browser does not get here if it
// certainly breaks one. What a rewrite before made of its path is not known.
func (at *place) require(conditions []*condition) {
	at.conditions = slices.Concat(at.conditions, conditions)
	at.noReports = at.noReports || slices.ContainsFunc(conditions, (*condition).excludesReports) &&
		!slices.ContainsFunc(at.rewrites, at.canMeet)
}

// canMeet reports whether a request here can have met a handler before, by the conditions there.
func (at *place) canMeet(conditions []*condition) bool {
	_, possible := unknown(conditions, at.conditions)
	return possible
}

// withoutReports warns of policies that ask for reports and do not get them anywhere on a site.
func (w *walk) withoutReports() {
	for _, p := range w.policies {
		if p.noReports && p.policy.share() > 0 && !slices.ContainsFunc(w.policies, func(other placedPolicy) bool {
			return other.policy == p.policy && slices.Equal(other.hosts, p.hosts) && !other.noReports
		}) {
			w.layout.warn(p.policy, w.name, reportsWarning)
		}
	}
}

// lateHeader is a header directive that changes responses once all handlers behind it have, and the
// conditions that hold for the requests that meet it.
type lateHeader struct {
	response   *headers.RespHeaderOps
	conditions []*condition
}

// late returns the header directives around that change responses behind everything here.
func (at *place) late() (around []*headers.RespHeaderOps) {
	for _, h := range at.lateHeaders {
		if at.canMeet(h.conditions) {
			around = append(around, h.response)
		}
	}
	return around
}

// lateHeaders warns of header directives that change what a policy has filtered or added.
func (w *walk) lateHeaders(p *runningPolicy, at place) {
	for _, response := range at.late() {
		if writes(response.HeaderOps, "Set-Cookie") {
			w.layout.warn(p, w.name, deferredHeaderWarning)
		}
		for _, field := range p.loadFields() {
			switch {
			case isDefault(response, field):
				w.layout.warn(p, w.name, defaultLoadWarning)
			case removes(response.HeaderOps, field):
				w.layout.warn(p, w.name, deferredLoadWarning)
			}
		}
	}
}

// share returns the share of pages that ask for reports.
func (p *runningPolicy) share() float64 {
	if !p.enforcer.AsksForReports() {
		return 0
	}
	return p.enforcer.Policy().Policy().Load.Share()
}

// loadFields returns the fields that load adds to pages.
func (p *runningPolicy) loadFields() (fields []string) {
	if p.enforcer.Policy().LoadMode() == policy.LoadEnforce {
		fields = append(fields, "Content-Security-Policy")
	}
	if p.share() > 0 {
		fields = append(fields, "Content-Security-Policy-Report-Only", "Reporting-Endpoints")
	}
	return fields
}

// isDefault reports whether header operations are carried out only where the response has no such field.
func isDefault(response *headers.RespHeaderOps, field string) bool {
	if response.Require == nil {
		return false
	}
	for name, values := range response.Require.Headers {
		if strings.EqualFold(name, field) && values == nil {
			return true
		}
	}
	return false
}

// removes reports whether header operations can take a line of a field away or change it. A replacement in
// all fields is about what stands in them, and is left alone.
func removes(ops *headers.HeaderOps, field string) bool {
	if ops == nil {
		return false
	}
	for name := range ops.Set {
		if strings.EqualFold(name, field) {
			return true
		}
	}
	for name := range ops.Replace {
		if strings.EqualFold(name, field) {
			return true
		}
	}
	return slices.ContainsFunc(ops.Delete, func(name string) bool {
		return matchesField(strings.ToLower(name), strings.ToLower(field))
	})
}

// matchesField reports whether Caddy deletes a field by a name that may begin and end with *.
func matchesField(name, field string) bool {
	name, anyEnd := strings.CutSuffix(name, "*")
	name, anyStart := strings.CutPrefix(name, "*")
	switch {
	case anyStart && anyEnd:
		return strings.Contains(field, name)
	case anyStart:
		return strings.HasSuffix(field, name)
	case anyEnd:
		return strings.HasPrefix(field, name)
	}
	return name == field
}

// certainty is how far it is known that a report of a browser matches something.
type certainty int

const (
	never certainty = iota
	maybe
	always
)

// excludesReports reports whether the condition certainly does not hold for a report of a browser.
func (c *condition) excludesReports() bool {
	if c.not {
		return reportMatches(c.sets) == always
	}
	return reportMatches(c.sets) == never
}

// reportMatches tells whether a report of a browser matches any of the sets.
func reportMatches(sets caddyhttp.MatcherSets) certainty {
	if len(sets) == 0 {
		return always
	}
	best := never
	for _, set := range sets {
		worst := always
		for _, matcher := range set {
			worst = min(worst, reportMatchesOne(matcher))
		}
		best = max(best, worst)
	}
	return best
}

func reportMatchesOne(matcher any) certainty {
	certain := func(match bool, err error) certainty {
		switch {
		case err != nil:
			return maybe
		case match:
			return always
		}
		return never
	}
	switch m := matcher.(type) {
	case *caddyhttp.MatchNot:
		return always - reportMatches(m.MatcherSets)
	case *caddyhttp.MatchMethod:
		return certain(slices.Contains(*m, http.MethodPost), nil)
	case *caddyhttp.MatchPath:
		if slices.ContainsFunc(*m, func(pattern string) bool { return strings.Contains(pattern, "{") }) {
			return maybe
		}
		return certain(m.MatchWithError(reportRequest()))
	case *caddyhttp.MatchPathRE:
		return certain(m.MatchWithError(reportRequest()))
	}
	return maybe
}

// reportRequest returns a report of a browser, as far as matchers of paths look at it.
func reportRequest() *http.Request {
	r := &http.Request{Method: http.MethodPost, URL: &url.URL{Path: policy.ReportPath}}
	return r.WithContext(context.WithValue(context.Background(), caddy.ReplacerCtxKey, caddy.NewReplacer()))
}
