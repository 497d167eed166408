package cookiepolicy

import (
	"maps"
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
			w.errorRoutes(server.Errors.Routes)
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
	policies []placedPolicy
	invoked  []string // the named routes around
}

// placedPolicy is a policy and the hosts of the site that it is on; none means all hosts.
type placedPolicy struct {
	policy *runningPolicy
	hosts  []string
}

// place is what is known at one place of the routes, from what comes before and around it.
type place struct {
	hosts          []string // of the nearest host matcher around
	answered       answering
	deferredCookie bool // a deferred header outside sets Set-Cookie
	policy         *runningPolicy
	inErrors       bool
}

// answering is how many of the requests that reach a handler it answers, so that they do not reach
// the next one.
type answering uint8

const (
	answersNone answering = iota
	answersSome
	answersAll
)

// routes walks through a list of routes, of which a request runs all that match, in order; of a group
// only the first one.
func (w *walk) routes(routes caddyhttp.RouteList, at place) {
	groups := map[string]answering{}
	for _, route := range routes {
		inside := at
		for group, answered := range groups {
			if group != route.Group {
				inside.answered = max(inside.answered, answered)
			}
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
			groups[route.Group] = max(groups[route.Group], min(inside.answered, answersSome))
		case len(route.MatcherSets) > 0:
			at.answered = max(at.answered, min(inside.answered, answersSome))
		default:
			at.answered, at.deferredCookie, at.policy = inside.answered, inside.deferredCookie, inside.policy
		}
	}
}

// handler walks into one handler and returns the place behind it.
func (w *walk) handler(handler caddyhttp.MiddlewareHandler, at place) place {
	switch h := handler.(type) {
	case *Handler:
		w.policy(h.running, at)
		at.policy = h.running
	case *caddyhttp.Subroute:
		w.routes(h.Routes, at)
		if h.Errors != nil {
			w.routes(h.Errors.Routes, at)
		}
	case *caddyhttp.Invoke:
		if route := w.server.NamedRoutes[h.Name]; route != nil && !slices.Contains(w.invoked, h.Name) {
			w.invoked = append(w.invoked, h.Name)
			w.routes(caddyhttp.RouteList{*route}, at)
			w.invoked = w.invoked[:len(w.invoked)-1]
		}
	case *headers.Handler:
		if h.Response != nil && h.Response.Deferred && writes(h.Response.HeaderOps, "Set-Cookie") {
			at.deferredCookie = true
		}
		w.requestHeader(h.Request, at)
	case *reverseproxy.Handler:
		if h.Headers != nil {
			w.requestHeader(h.Headers.Request, at)
		}
		for _, response := range h.HandleResponse {
			w.routes(response.Routes, at)
		}
	}
	if !containsPolicy(handler) { // what does not reach this policy reaches another one
		at.answered = max(at.answered, answers(handler))
	}
	return at
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
	switch at.answered {
	case answersAll:
		w.layout.warn(p, w.name, neverRunsWarning)
	case answersSome:
		w.layout.warn(p, w.name, bypassedWarning)
	}
	if at.deferredCookie {
		w.layout.warn(p, w.name, deferredHeaderWarning)
	}
}

// errorRoutes warns of error routes that proxy without a policy, for the policies of the same site.
func (w *walk) errorRoutes(routes caddyhttp.RouteList) {
	for _, route := range routes {
		if !proxiesWithoutPolicy(caddyhttp.RouteList{route}) {
			continue
		}
		hosts := hostsOf(route.MatcherSets)
		for _, p := range w.policies {
			if len(hosts) == 0 || len(p.hosts) == 0 || slices.ContainsFunc(hosts, func(host string) bool {
				return slices.Contains(p.hosts, host)
			}) {
				w.layout.warn(p.policy, w.name, errorRoutesWarning)
			}
		}
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

// answers returns how many of the requests that reach a handler it answers.
func answers(handler caddyhttp.MiddlewareHandler) answering {
	switch h := handler.(type) {
	case *caddyhttp.Subroute:
		answered := answersNone
		for _, route := range h.Routes {
			for _, inner := range route.Handlers {
				if a := answers(inner); len(route.MatcherSets) > 0 || route.Group != "" {
					answered = max(answered, min(a, answersSome))
				} else {
					answered = max(answered, a)
				}
			}
		}
		return answered
	case *reverseproxy.Handler:
		if len(h.HandleResponse) > 0 { // such as forward_auth, which passes requests on
			return answersSome
		}
		return answersAll
	case *fileserver.FileServer:
		if h.PassThru {
			return answersSome
		}
		return answersAll
	case *caddyhttp.StaticResponse, *caddyhttp.StaticError:
		return answersAll
	}
	return answersNone
}

// containsPolicy reports whether a policy is in a handler.
func containsPolicy(handler caddyhttp.MiddlewareHandler) bool {
	switch h := handler.(type) {
	case *Handler:
		return true
	case *caddyhttp.Subroute:
		return slices.ContainsFunc(h.Routes, func(r caddyhttp.Route) bool {
			return slices.ContainsFunc(r.Handlers, containsPolicy)
		})
	}
	return false
}

// proxiesWithoutPolicy reports whether some route has a proxy and no policy before it.
func proxiesWithoutPolicy(routes caddyhttp.RouteList) bool {
	for _, route := range routes {
		for _, handler := range route.Handlers {
			switch h := handler.(type) {
			case *Handler:
				return false
			case *reverseproxy.Handler:
				return true
			case *caddyhttp.Subroute:
				if containsPolicy(h) {
					return false
				}
				if proxiesWithoutPolicy(h.Routes) {
					return true
				}
			}
		}
	}
	return false
}

// writes reports whether header operations set or add a field.
func writes(ops *headers.HeaderOps, field string) bool {
	if ops == nil {
		return false
	}
	is := func(name string) bool { return strings.EqualFold(name, field) }
	for name := range ops.Set {
		if is(name) {
			return true
		}
	}
	for name := range ops.Add {
		if is(name) {
			return true
		}
	}
	return false
}
