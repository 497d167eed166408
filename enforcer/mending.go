package enforcer

import (
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/wire"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// mending is what the operator asks for on lines that are let through. The zero mending changes
// nothing.
type mending struct {
	maxAge   time.Duration // a longer lifetime is cut to this
	session  bool          // a cookie that outlives the browser's session becomes a session cookie
	secure   bool
	httpOnly bool
	sameSite string // lower case
}

// mend returns a line with the changes that its rule and the policy ask for. What is not changed
// keeps its bytes. A deletion keeps everything but its Domain, without which it would not reach the
// cookie.
func (f *responseFilter) mend(line string, j *judgement) string {
	var m mending
	if j.name.rule != nil && j.verdict == observe.LetThrough {
		m = j.name.rule.mending
	}
	if len(f.enforcer.rewrites) == 0 && m == (mending{}) {
		return line
	}
	e := wire.NewEditor(line, &j.cookie)
	if m != (mending{}) {
		if a := j.cookie.ParseAttributes(); a.Deletes(&f.clock) {
			m = mending{}
		}
	}
	rewritten := f.state.wasRewritten(line)
	// A cookie with this prefix has no Domain.
	if len(f.enforcer.rewrites) > 0 && !rewritten && !wire.PrefixRequirements(j.cookie.Name).HostOnly {
		rewritten = f.rewriteDomain(e, j)
	}
	https := f.visitor.request.HTTPS
	if m.sameSite == policy.SameSiteNone && !https {
		f.state.needsHTTPS = j.cookie.Name
	}
	m.apply(e, &f.clock, https)
	mended := e.String()
	if f.visitor.trace != nil {
		j.changes = e.Changes()
	}
	if rewritten && mended != line {
		f.state.needRare().rewritten[mended] = true
	}
	return mended
}

// apply changes a line as the mending asks.
func (m *mending) apply(e *wire.Editor, clock *wire.Clock, https bool) {
	if m.maxAge > 0 {
		e.LimitLifetime(m.maxAge, clock)
	}
	if m.session {
		e.EndWithSession(clock)
	}
	none := m.sameSite == policy.SameSiteNone // which browsers accept with Secure only
	if m.sameSite != "" && (!none || https) {
		e.RaiseSameSite(m.sameSite)
	}
	if (m.secure || none) && https {
		e.AddSecure()
	}
	if m.httpOnly {
		e.AddHTTPOnly()
	}
}

// rewriteDomain replaces a Domain that the portal uses for its own name, and reports whether it did.
// It records a cookie that no browser accepts from the visitor's host because of its Domain.
func (f *responseFilter) rewriteDomain(e *wire.Editor, j *judgement) bool {
	domain := e.Domain()
	rewritten := false
	for _, r := range f.enforcer.rewrites {
		if domain != "" && r.from == domain {
			e.ReplaceDomain(r.to)
			rewritten = true
			break
		}
	}
	if !f.enforcer.reports { // which leaves the portal's Domain in place
		domain = e.Domain()
	}
	f.state.checkDomain(f.visitor, j.cookie.Name, domain)
	return rewritten && e.Domain() != ""
}

// Unusable is a cookie of the response that no browser accepts from the visitor's host, because of
// its Domain.
type Unusable struct {
	Name, Domain string
	Rewritable   bool // the policy has a rewrite_domain for this Domain, which mode report does not apply
}

// Unusable returns such a cookie, if one was met: with each response if the policy rewrites domains,
// and otherwise, if there is an observer, with the first response that has such attributes.
func (v *Visit) Unusable() (u Unusable, met bool) {
	u = v.response.unusable
	return u, u.Name != ""
}

// NeedsHTTPS returns a cookie for which the policy asks for SameSite=None over plain HTTP, if one was
// let through: browsers accept that over HTTPS only (RFC 6265bis section 5.7).
func (v *Visit) NeedsHTTPS() (name string, met bool) {
	return v.response.needsHTTPS, v.response.needsHTTPS != ""
}

// checkDomain records a cookie whose Domain no browser accepts.
func (r *response) checkDomain(v *visitor, name, domain string) {
	if wire.AcceptsDomain(v.request.Host, domain) {
		return
	}
	r.unusable = Unusable{Name: name, Domain: domain}
	for _, rewrite := range v.enforcer.rewrites {
		r.unusable.Rewritable = r.unusable.Rewritable || rewrite.from == domain
	}
}
