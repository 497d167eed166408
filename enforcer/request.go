package enforcer

import (
	"strings"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/wire"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
)

// FilterRequest removes from the request's Cookie header every cookie that the policy does not let
// through for this visitor, in place in the header map. What stays is byte for byte and in order. If
// nothing is left, the header is removed. Where third parties are kept out of pages, a request for a page
// loses its conditions too: the portal must not answer it with 304.
func (v *Visit) FilterRequest() {
	v.tally.countRequest()
	if v.enforcer.loading != nil {
		v.enforcer.loading.dropConditions(&v.visitor)
	}
	if cookies := v.visitor.cookies(); len(cookies) > 0 {
		f := requestFilter{enforcer: v.enforcer, visitor: &v.visitor, tally: &v.tally}
		f.filter(cookies)
	}
}

// FilterRequestTrailer removes Cookie, in any spelling, from a request's trailer: from the names that
// were announced, and once the body has been read, from the fields that came. No browser sends
// cookies there, and a server may add trailers to the header.
func (v *Visit) FilterRequestTrailer(trailer map[string][]string) {
	if v.enforcer.reports {
		return
	}
	for key := range trailer {
		if strings.EqualFold(wire.Trim(key), "cookie") {
			delete(trailer, key)
		}
	}
}

// requestFilter filters the Cookie header of one request.
type requestFilter struct {
	enforcer *Enforcer
	visitor  *visitor
	tally    *tally
}

func (f *requestFilter) filter(cookies []string) {
	var lines []string // what is left, once something was removed
	changed := false
	for i, line := range cookies {
		kept, lineChanged := wire.FilterPairs(line, f.keeps)
		if lineChanged && !changed {
			// The lines as they came are still needed: the header gets a slice of its own.
			changed, lines = true, append(make([]string, 0, len(cookies)), cookies[:i]...)
		}
		if changed && kept != "" {
			lines = append(lines, kept)
		}
	}
	switch {
	case !changed || f.enforcer.reports:
	case len(lines) == 0:
		delete(f.visitor.request.Header, "Cookie")
	default:
		f.visitor.request.Header["Cookie"] = lines
	}
}

// keeps gives the verdict on one cookie and reports whether it is let through. A cookie without a
// name never is.
func (f *requestFilter) keeps(name string) bool {
	if name == "" {
		f.tally.countPair(&knownName{}, observe.Refused, NoName, f.visitor)
		return false
	}
	c := f.tally.lookupRead(name)
	verdict, reason := observe.LetThrough, f.visitor.judge(c.rule)
	if !reason.letsThrough() {
		verdict = observe.Refused
		f.visitor.expirable = f.visitor.expirable || c.rule != nil
	}
	f.tally.countPair(&c, verdict, reason, f.visitor)
	return verdict == observe.LetThrough
}
