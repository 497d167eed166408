package cookiepolicy

import (
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
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
	for _, name := range sortedKeys(app.Servers) {
		server := app.Servers[name]
		w := walk{layout: l, server: name}
		w.routes(server.Routes, place{})
		if len(w.policies) > 0 && server.Errors != nil && proxiesWithoutPolicy(server.Errors.Routes) {
			for _, policy := range w.policies {
				l.warn(policy, name, errorRoutesWarning)
			}
		}
		if server.Errors != nil {
			w.routes(server.Errors.Routes, place{inErrors: true})
		}
	}
	return l
}

func sortedKeys(servers map[string]*caddyhttp.Server) (names []string) {
	for name := range servers {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
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
	server   string
	policies []*runningPolicy
}

// place is what is known at one place of the routes, from what comes before and around it.
type place struct {
	hosts          []string // of the nearest host matcher around
	answered       bool     // a handler before answers every request
	maybeAnswered  bool     // a handler before answers some requests
	deferredCookie bool     // a deferred header outside sets Set-Cookie
	policy         *runningPolicy
	inErrors       bool
}

// routes walks through a list of routes, of which a request runs all that match, in order.
func (w *walk) routes(routes caddyhttp.RouteList, at place) {
	for _, route := range routes {
		inside := at
		if hosts := hostsOf(route.MatcherSets); len(hosts) > 0 {
			inside.hosts = hosts
		}
		conditional := len(route.MatcherSets) > 0
		for _, handler := range route.Handlers {
			inside = w.handler(handler, inside)
			if answers(handler) && !containsPolicy(handler) {
				inside.answered = true
			}
		}
		// A route of a group excludes the others of the group, and one with matchers or another policy
		// lets other requests pass.
		switch {
		case route.Group != "":
		case !conditional:
			at.answered = at.answered || inside.answered
			at.deferredCookie, at.policy = inside.deferredCookie, inside.policy
		case inside.answered && len(hostsOf(route.MatcherSets)) == 0:
			at.maybeAnswered = true
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
	case *headers.Handler:
		if h.Response != nil && h.Response.Deferred && writes(h.Response.HeaderOps, "Set-Cookie") {
			at.deferredCookie = true
		}
		if at.policy != nil && h.Request != nil && writes(h.Request, "Cookie") {
			w.layout.warn(at.policy, w.server, cookieHeaderWarning)
		}
	case *reverseproxy.Handler:
		for _, response := range h.HandleResponse {
			w.routes(response.Routes, at)
		}
	}
	return at
}

func (w *walk) policy(p *runningPolicy, at place) {
	if !at.inErrors {
		w.policies = append(w.policies, p)
	}
	for _, host := range at.hosts {
		if host = strings.ToLower(host); !slices.Contains(w.layout.sites[p], host) {
			w.layout.sites[p] = append(w.layout.sites[p], host)
		}
	}
	switch {
	case at.answered:
		w.layout.warn(p, w.server, neverRunsWarning)
	case at.maybeAnswered:
		w.layout.warn(p, w.server, bypassedWarning)
	}
	if at.deferredCookie {
		w.layout.warn(p, w.server, deferredHeaderWarning)
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

// terminal are the modules that answer every request that reaches them.
var terminal = map[caddy.ModuleID]bool{
	"http.handlers.reverse_proxy":   true,
	"http.handlers.static_response": true,
	"http.handlers.error":           true,
	"http.handlers.file_server":     true,
}

// answers reports whether a handler answers every request that reaches it.
func answers(handler caddyhttp.MiddlewareHandler) bool {
	if subroute, ok := handler.(*caddyhttp.Subroute); ok {
		return slices.ContainsFunc(subroute.Routes, func(r caddyhttp.Route) bool {
			return len(r.MatcherSets) == 0 && slices.ContainsFunc(r.Handlers, answers)
		})
	}
	module, ok := handler.(caddy.Module)
	return ok && terminal[module.CaddyModule().ID]
}

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
