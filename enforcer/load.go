package enforcer

import (
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/consent"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// loading is what a policy does about third parties that pages load from.
type loading struct {
	enforces bool
	open     []string
	excepts  func(path string) bool
	share    float64 // of pages that ask for reports
	report   string  // the policy that they get: the same for everybody

	always     []string    // the origins of necessary rules
	conditions []condition // of all other rules with origins
	keys       consent.Set // of these rules

	// The policies that were made, by a bit for each condition that is met. The map is never changed, but
	// replaced.
	sources atomic.Pointer[map[uint64]string]
	mu      sync.Mutex // held to add one
}

// condition is one on which pages may load from origins.
type condition struct {
	rule    *rule // one of those that have it
	origins []string
}

// maxSources bounds the policies that are kept: visitors choose which there are. Others are made anew.
const maxSources = 256

// newLoading returns nil if the policy does nothing about third parties.
func (e *Enforcer) newLoading() *loading {
	mode := e.policy.LoadMode()
	if mode == policy.LoadOff {
		return nil
	}
	load := &e.policy.Policy().Load
	isNecessary := func(r *policy.Rule) bool { return r.Category == policy.Necessary }
	l := &loading{
		enforces: mode == policy.LoadEnforce,
		open:     load.Open,
		excepts:  load.Excepts(),
		share:    load.Share(),
		always:   e.policy.Origins(isNecessary),
	}
	l.sources.Store(&map[uint64]string{})
	l.report = policy.Sources(l.always, nil) + "; report-uri " + policy.ReportPath + "; report-to " + reportGroup
	for _, declared := range e.policy.Rules() {
		r := e.rules[declared]
		if len(declared.Origin) == 0 || r.always {
			continue
		}
		l.keys |= r.keys
		same := func(c condition) bool { return c.rule.keys == r.keys && c.rule.anonymous == r.anonymous }
		i := slices.IndexFunc(l.conditions, same)
		if i < 0 {
			i = len(l.conditions)
			l.conditions = append(l.conditions, condition{rule: r})
		}
		l.conditions[i].origins = append(l.conditions[i].origins, declared.Origin...)
	}
	return l
}

// reportGroup is the name of the endpoint for reports in Reporting-Endpoints.
const reportGroup = "cookie-policy"

// reportEndpoint is the field's value (Reporting API section 3.2). Browsers heed it over HTTPS only.
const reportEndpoint = reportGroup + `="` + policy.ReportPath + `"`

// sourcesFor returns the Content-Security-Policy for a visitor.
func (l *loading) sourcesFor(v *visitor) string {
	var met uint64
	cached := len(l.conditions) <= 64
	origins := l.always
	for i := range l.conditions {
		if v.grants(l.conditions[i].rule).letsThrough() {
			if cached {
				met |= 1 << i
			} else {
				origins = union(origins, l.conditions[i].origins)
			}
		}
	}
	if !cached {
		return policy.Sources(origins, l.open)
	}
	if sources, made := (*l.sources.Load())[met]; made {
		return sources
	}
	for i := range l.conditions {
		if met&(1<<i) != 0 {
			origins = union(origins, l.conditions[i].origins)
		}
	}
	sources := policy.Sources(origins, l.open)
	l.keep(met, sources)
	return sources
}

// keep keeps a policy that was made, if there is room.
func (l *loading) keep(met uint64, sources string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	kept := *l.sources.Load()
	if len(kept) == maxSources {
		return
	}
	more := maps.Clone(kept)
	more[met] = sources
	l.sources.Store(&more)
}

// union returns the origins of both lists, each once, in a new slice.
func union(origins, more []string) []string {
	all := slices.Clone(origins)
	for _, origin := range more {
		if !slices.Contains(all, origin) {
			all = append(all, origin)
		}
	}
	return all
}

// asked is what a request asks for, as far as it matters for what that loads.
type asked uint8

const (
	anything asked = iota
	aPage          // something that a browser shows, also in a frame
	aWorker        // the script of a worker, which has a policy of its own
	excepted       // whatever is at a path whose pages get no header
)

// askedBy returns what a request asks for: by its Sec-Fetch-Dest and Sec-Fetch-Mode, or, where the browser
// sends neither (old ones, and all over plain HTTP), by the types that it accepts. Of the script of a
// service worker browsers tell in any case (HTML section 10.2.4; Service Workers section 6.2.4).
func (l *loading) askedBy(r *Request) asked {
	if l.excepts(r.Path) {
		return excepted
	}
	destinations, modes := r.Header["Sec-Fetch-Dest"], r.Header["Sec-Fetch-Mode"]
	for _, destination := range destinations {
		switch destination {
		case "worker", "sharedworker", "serviceworker":
			return aWorker
		case "document", "iframe", "frame", "embed", "object":
			return aPage
		}
	}
	switch {
	case slices.Contains(r.Header["Service-Worker"], "script"):
		return aWorker
	case slices.Contains(modes, "navigate"):
		return aPage
	case len(destinations) > 0 || len(modes) > 0:
		return anything
	}
	for _, line := range r.Header["Accept"] {
		for member := range directives(line) {
			if isHTMLType(member) {
				return aPage
			}
		}
	}
	return anything
}

// dropConditions takes the conditions out of a request for a page: an answer 304 would keep the page
// together with the Content-Security-Policy of an earlier choice, or put the gateway's in place of the
// portal's.
func (l *loading) dropConditions(v *visitor) {
	if !l.enforces || v.asked != aPage && v.asked != aWorker {
		return
	}
	for key := range v.request.Header {
		if isField(key, "If-None-Match") || isField(key, "If-Modified-Since") {
			delete(v.request.Header, key)
		}
	}
}

// addPolicies adds the Content-Security-Policy of this visitor to a page or the script of a worker, and to
// a sample of pages the one that asks for reports.
func (l *loading) addPolicies(f *responseFilter) {
	v, s := f.visitor, f.state
	isPage := f.isHTML()
	if s.notModified || v.asked == excepted || !isPage && v.asked != aWorker {
		return
	}
	if l.enforces {
		f.addLine("Content-Security-Policy", l.sourcesFor(v))
		if l.keys != 0 {
			s.dependsOn(v, l.keys)
		}
	}
	if !isPage {
		return
	}
	if !s.drawn {
		s.drawn, s.asksForReports = true, rand.Float64() < l.share
	}
	if s.asksForReports {
		f.addLine("Content-Security-Policy-Report-Only", l.report)
		if v.request.HTTPS {
			f.addLine("Reporting-Endpoints", reportEndpoint)
		}
	}
}

// AddToHints adds to the header of a 103 (Early Hints) the Content-Security-Policy that the page will have.
// What a 103 names browsers load before they have the page, by the policies of the 103 itself (HTML
// standard, "process early hint headers"). The header map becomes that of the final response: what
// AddToHints returns must be called when the 103 was sent, and takes the policy away again.
func (v *Visit) AddToHints(header map[string][]string) (remove func()) {
	l := v.enforcer.loading
	if l == nil || !l.enforces || v.visitor.asked == excepted || header == nil {
		return func() {}
	}
	const field = "Content-Security-Policy"
	lines, has := header[field]
	v.visitor.forgetWritten()
	header[field] = append(slices.Clip(lines), l.sourcesFor(&v.visitor))
	return func() {
		if has {
			header[field] = lines
		} else {
			delete(header, field)
		}
	}
}

// isHTML reports whether the response is a page: by its type, under any spelling of the field. Where it
// has none, browsers and net/http guess it from the body (MIME Sniffing section 7): what was asked for as a
// page may become one.
func (f *responseFilter) isHTML() bool {
	isTyped := false
	for key, types := range f.header {
		if isField(key, "Content-Type") {
			isTyped = isTyped || len(types) > 0
			if slices.ContainsFunc(types, isHTMLType) {
				return true
			}
		}
	}
	return !isTyped && f.visitor.asked == aPage
}

// addLine adds a line behind those that a field has, unless it is there already: the routes of an error
// have a Visit of their own.
func (f *responseFilter) addLine(field, line string) {
	if lines := f.header[field]; !slices.Contains(lines, line) {
		f.header[field] = append(slices.Clip(lines), line)
	}
}
