package cookiepolicy

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/fileserver"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/headers"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/rewrite"
)

// layout is where in a config policies are: on which sites, and among which other handlers.
type layout struct {
	sites    map[*runningPolicy][]string
	warnings []layoutWarning
}

// layoutWarning is a mistake that keeps a policy from seeing cookies, or a second policy around it.
type layoutWarning struct{ policy, server, message, outer string }

const (
	neverRunsWarning = "this policy never runs: a handler before it answers every request; " +
		"put cookie_policy before it, or remove the order option that moves it"
	bypassedWarning = "some requests do not reach this policy: a handler before it answers them; " +
		"put cookie_policy before it"
	deferredHeaderWarning = "a deferred header directive outside this policy sets Set-Cookie, " +
		"which the policy does not see; put it inside, or remove defer"
	cookieHeaderWarning = "a handler inside this policy writes the request's Cookie header, " +
		"and the portal reads what the policy has not filtered; copy another header instead"
	errorRoutesWarning = "error routes proxy requests without a policy: " +
		"what that portal sets reaches the visitor; put a cookie_policy into handle_errors too"
	twoPoliciesWarning = "another policy is around the same requests, and a cookie has to pass both; " +
		"make them one, or give each requests of its own with handle blocks"
	partialWarning = "some requests reach the portal of this policy without any policy; " +
		"remove the matcher of cookie_policy, or give the other requests a policy too"
)

// newLayout walks through the routes of all servers.
func newLayout(app *caddyhttp.App) *layout {
	l := &layout{sites: map[*runningPolicy][]string{}}
	for _, name := range slices.Sorted(maps.Keys(app.Servers)) {
		server := app.Servers[name]
		w := walk{layout: l, name: name, server: server}
		w.routes(server.Routes, place{})
		w.withoutPolicy()
		w.withoutReports()
		if server.Errors != nil {
			w.routes(server.Errors.Routes, place{inErrors: true})
		}
	}
	return l
}

func (l *layout) warn(p *runningPolicy, server, message string) {
	l.add(layoutWarning{policy: p.name(), server: server, message: message})
}

func (l *layout) add(w layoutWarning) {
	if !slices.Contains(l.warnings, w) {
		l.warnings = append(l.warnings, w)
	}
}

// walk goes through the routes of one server.
type walk struct {
	layout   *layout
	name     string
	server   *caddyhttp.Server
	policies []placedPolicy // outside of error routes
	proxies  []placedProxy  // outside of error routes
	invoked  []string       // the named routes around
}

// placedPolicy is a policy and the hosts of the site that it is on; none means all hosts.
type placedPolicy struct {
	policy    *runningPolicy
	hosts     []string
	noReports bool // browsers' reports do not get there
}

// placedProxy is a proxy, by the addresses of its upstreams, and where it is.
type placedProxy struct {
	upstreams []string
	at        place
}

// metPolicy is a policy that requests have met, and which: those for which all conditions hold.
type metPolicy struct {
	policy     *runningPolicy
	conditions []*condition
}

// place is what is known at one place of the routes, from what comes before and around it.
type place struct {
	hosts       []string       // of the nearest host matcher around
	conditions  []*condition   // that hold for all requests here
	met         []metPolicy    // before, by some of the requests
	answered    bool           // by a handler before, every request
	unprotected bool           // by a proxy before, some requests, which met no policy
	lateHeaders []lateHeader   // before
	rewrites    [][]*condition // before, by the conditions there
	noReports   bool           // no report of a browser gets here
	inErrors    bool
}

// protected reports whether every request here has met a policy.
func (at *place) protected() bool {
	lists := make([][]*condition, len(at.met))
	for i := range at.met {
		lists[i] = at.met[i].conditions
	}
	steps := maxSteps
	return certain(at.conditions, lists, &steps)
}

// innermost returns the last policy that requests here can have met, or nil.
func (at *place) innermost() *runningPolicy {
	for _, m := range slices.Backward(at.met) {
		if _, possible := unknown(m.conditions, at.conditions); possible {
			return m.policy
		}
	}
	return nil
}

// routes walks through a list of routes and returns the place behind it. A request runs all routes
// that match, in order; of a group only the first one.
func (w *walk) routes(routes caddyhttp.RouteList, at place) place {
	groups := map[string]*group{}
	for _, route := range routes {
		inside := at
		for name, g := range groups {
			inside.unprotected = inside.unprotected || g.unprotected && name != route.Group
		}
		g := groups[route.Group]
		if g == nil {
			g = new(group)
		}
		inside.require(slices.Concat(g.passed, allOf(route.MatcherSets)))
		hosts := hostsOf(route.MatcherSets)
		if len(hosts) > 0 {
			inside.hosts = hosts
		}
		for _, handler := range route.Handlers {
			inside = w.handler(handler, inside)
		}
		ends := inside.answered || route.Terminal
		if route.Group != "" {
			groups[route.Group] = g
			g.passed = append(g.passed, noneOf(route.MatcherSets)...)
			g.continues = g.continues || !ends
		}
		if !ends {
			at.met = inside.met
		} else if len(hosts) == 0 && !g.continues {
			at.require(noneOf(route.MatcherSets))
		}
		switch {
		case len(hosts) > 0: // another site
		case route.Group != "":
			g.unprotected = g.unprotected || inside.unprotected && !at.unprotected
			at.lateHeaders, at.rewrites = inside.lateHeaders, inside.rewrites
		case len(route.MatcherSets) > 0:
			at.unprotected = at.unprotected || inside.unprotected
			at.lateHeaders, at.rewrites = inside.lateHeaders, inside.rewrites
		default:
			at = inside
		}
	}
	for _, g := range groups {
		at.unprotected = at.unprotected || g.unprotected
	}
	return at
}

// group is what is known of the routes of a group so far.
type group struct {
	passed      []*condition // that hold for requests which none of them matched
	continues   bool         // requests that one of them matched go on behind the group
	unprotected bool         // one of them answers requests that met no policy
}

// handler walks into one handler and returns the place behind it.
func (w *walk) handler(handler caddyhttp.MiddlewareHandler, at place) place {
	switch h := handler.(type) {
	case *Handler:
		w.policy(h.running, at)
		at.met = append(slices.Clip(at.met), metPolicy{h.running, at.conditions})
	case *caddyhttp.Subroute:
		if h.Errors != nil {
			w.routes(h.Errors.Routes, at)
		}
		return w.routes(h.Routes, at)
	case *caddyhttp.Invoke:
		if route := w.server.NamedRoutes[h.Name]; route != nil && !slices.Contains(w.invoked, h.Name) {
			w.invoked = append(w.invoked, h.Name)
			at = w.routes(caddyhttp.RouteList{*route}, at)
			w.invoked = w.invoked[:len(w.invoked)-1]
		}
	case *headers.Handler:
		if h.Response != nil && (h.Response.Deferred || h.Response.Require != nil) {
			at.lateHeaders = append(slices.Clip(at.lateHeaders), lateHeader{h.Response, at.conditions})
		}
		w.requestHeader(h.Request, at)
	case *reverseproxy.Handler:
		w.proxy(h, at)
		at.unprotected = at.unprotected || !at.protected()
		at.answered = at.answered || len(h.HandleResponse) == 0 // forward_auth passes requests on
	case *rewrite.Rewrite:
		at.rewrites = append(slices.Clip(at.rewrites), at.conditions)
	case *fileserver.FileServer:
		at.answered = at.answered || !h.PassThru
	case *caddyhttp.StaticResponse, *caddyhttp.StaticError:
		at.answered = true
	}
	return at
}

func (w *walk) proxy(h *reverseproxy.Handler, at place) {
	if h.Headers != nil {
		w.requestHeader(h.Headers.Request, at)
	}
	for _, response := range h.HandleResponse {
		w.routes(response.Routes, at)
	}
	if !at.inErrors {
		w.proxies = append(w.proxies, placedProxy{upstreamsOf(h), at})
		return
	}
	if at.protected() {
		return
	}
	for _, p := range w.policies { // of the same site
		if len(at.hosts) == 0 ||
			slices.ContainsFunc(at.hosts, func(host string) bool { return slices.Contains(p.hosts, host) }) {
			w.layout.warn(p.policy, w.name, errorRoutesWarning)
		}
	}
}

// requestHeader warns of a Cookie header that is written behind the policy.
func (w *walk) requestHeader(ops *headers.HeaderOps, at place) {
	if !writes(ops, "Cookie") {
		return
	}
	if p := at.innermost(); p != nil {
		w.layout.warn(p, w.name, cookieHeaderWarning)
	}
}

func (w *walk) policy(p *runningPolicy, at place) {
	if !at.inErrors {
		w.policies = append(w.policies, placedPolicy{p, at.hosts, at.noReports})
	}
	for _, host := range at.hosts {
		if host = strings.ToLower(host); !slices.Contains(w.layout.sites[p], host) {
			w.layout.sites[p] = append(w.layout.sites[p], host)
		}
	}
	switch {
	case at.answered:
		w.layout.warn(p, w.name, neverRunsWarning)
	case at.unprotected:
		w.layout.warn(p, w.name, bypassedWarning)
	}
	w.lateHeaders(p, at)
	if !at.answered {
		w.secondPolicy(p, at)
	}
}

// secondPolicy warns of policies around another one, where the same requests certainly meet both:
// the conditions of one include those of the other. One that only reports changes nothing, and is
// meant to stand beside another. The same policy twice is one.
func (w *walk) secondPolicy(p *runningPolicy, at place) {
	for _, m := range at.met {
		if m.policy == p || m.policy.reports() || p.reports() {
			continue
		}
		outer, outerPossible := unknown(m.conditions, at.conditions)
		inner, innerPossible := unknown(at.conditions, m.conditions)
		if outerPossible && innerPossible && (len(outer) == 0 || len(inner) == 0) {
			w.layout.add(layoutWarning{
				policy: p.name(), server: w.name, message: twoPoliciesWarning, outer: m.policy.name(),
			})
		}
	}
}

// withoutPolicy warns of proxies that some requests reach without a policy while, on the same site,
// others reach the same upstream with one. Other upstreams may well need none.
func (w *walk) withoutPolicy() {
	for i := range w.proxies {
		proxy := &w.proxies[i]
		if proxy.at.protected() {
			continue
		}
		p := proxy.at.innermost()
		for j := 0; p == nil && j < len(w.proxies); j++ {
			if proxy.sameUpstream(&w.proxies[j]) {
				p = w.proxies[j].at.innermost()
			}
		}
		// A proxy before the policy has been told already.
		if p != nil && !slices.Contains(w.layout.warnings,
			layoutWarning{policy: p.name(), server: w.name, message: bypassedWarning}) {
			w.layout.warn(p, w.name, partialWarning)
		}
	}
}

// sameUpstream reports whether two proxies of one site have an upstream in common.
func (p *placedProxy) sameUpstream(other *placedProxy) bool {
	return slices.Equal(p.at.hosts, other.at.hosts) &&
		slices.ContainsFunc(p.upstreams, func(address string) bool {
			return slices.Contains(other.upstreams, address)
		})
}

// upstreamsOf returns the addresses of a proxy's upstreams. Those that it looks up for each request
// are its own.
func upstreamsOf(h *reverseproxy.Handler) (addresses []string) {
	for _, upstream := range h.Upstreams {
		addresses = append(addresses, upstream.Dial)
	}
	if len(addresses) == 0 {
		addresses = []string{fmt.Sprintf("%p", h)}
	}
	return addresses
}

// hostsOf returns the hosts of a route's host matchers.
func hostsOf(sets caddyhttp.MatcherSets) (hosts []string) {
	for _, set := range sets {
		for _, matcher := range set {
			if m, ok := matcher.(*caddyhttp.MatchHost); ok {
				hosts = append(hosts, *m...)
			}
		}
	}
	return hosts
}

// writes reports whether header operations set or add a field.
func writes(ops *headers.HeaderOps, field string) bool {
	has := func(header http.Header) bool {
		for name := range header {
			if strings.EqualFold(name, field) {
				return true
			}
		}
		return false
	}
	return ops != nil && (has(ops.Set) || has(ops.Add))
}
