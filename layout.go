package cookiepolicy

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/fileserver"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/headers"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
)

// layout is where in a config policies are: on which sites, and among which other handlers.
type layout struct {
	sites    map[*runningPolicy][]string
	warnings []layoutWarning
}

// layoutWarning is a mistake that keeps a policy from seeing cookies.
type layoutWarning struct{ policy, server, message string }

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
)

// newLayout walks through the routes of all servers.
func newLayout(app *caddyhttp.App) *layout {
	l := &layout{sites: map[*runningPolicy][]string{}}
	for _, name := range slices.Sorted(maps.Keys(app.Servers)) {
		server := app.Servers[name]
		w := walk{layout: l, name: name, server: server}
		w.routes(server.Routes, place{})
		if server.Errors != nil {
			w.routes(server.Errors.Routes, place{inErrors: true})
		}
	}
	return l
}

func (l *layout) warn(p *runningPolicy, server, message string) {
	w := layoutWarning{p.name(), server, message}
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
	invoked  []string       // the named routes around
}

// placedPolicy is a policy and the hosts of the site that it is on; none means all hosts.
type placedPolicy struct {
	policy *runningPolicy
	hosts  []string
}

// place is what is known at one place of the routes, from what comes before and around it.
type place struct {
	hosts          []string       // of the nearest host matcher around
	policy         *runningPolicy // before
	answered       bool           // by a handler before, every request
	unprotected    bool           // by a proxy before, some requests, which met no policy
	deferredCookie bool           // a deferred header before sets Set-Cookie
	inErrors       bool
}

// routes walks through a list of routes and returns the place behind it. A request runs all routes
// that match, in order; of a group only the first one.
func (w *walk) routes(routes caddyhttp.RouteList, at place) place {
	groups := map[string]bool{} // those in which requests are answered unprotected
	for _, route := range routes {
		inside := at
		for group := range groups {
			inside.unprotected = inside.unprotected || group != route.Group
		}
		hosts := hostsOf(route.MatcherSets)
		if len(hosts) > 0 {
			inside.hosts = hosts
		}
		for _, handler := range route.Handlers {
			inside = w.handler(handler, inside)
		}
		switch {
		case len(hosts) > 0: // another site
		case route.Group != "":
			if inside.unprotected && !at.unprotected {
				groups[route.Group] = true
			}
			at.deferredCookie = inside.deferredCookie
		case len(route.MatcherSets) > 0:
			at.unprotected = at.unprotected || inside.unprotected
			at.deferredCookie = inside.deferredCookie
		default:
			at = inside
		}
	}
	at.unprotected = at.unprotected || len(groups) > 0
	return at
}

// handler walks into one handler and returns the place behind it.
func (w *walk) handler(handler caddyhttp.MiddlewareHandler, at place) place {
	switch h := handler.(type) {
	case *Handler:
		w.policy(h.running, at)
		at.policy = h.running
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
		if h.Response != nil && h.Response.Deferred && writes(h.Response.HeaderOps, "Set-Cookie") {
			at.deferredCookie = true
		}
		w.requestHeader(h.Request, at)
	case *reverseproxy.Handler:
		w.proxy(h, at)
		at.unprotected = at.unprotected || at.policy == nil
		at.answered = at.answered || len(h.HandleResponse) == 0 // forward_auth passes requests on
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
	if !at.inErrors || at.policy != nil {
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
	if at.policy != nil && writes(ops, "Cookie") {
		w.layout.warn(at.policy, w.name, cookieHeaderWarning)
	}
}

func (w *walk) policy(p *runningPolicy, at place) {
	if !at.inErrors {
		w.policies = append(w.policies, placedPolicy{p, at.hosts})
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
	if at.deferredCookie {
		w.layout.warn(p, w.name, deferredHeaderWarning)
	}
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
