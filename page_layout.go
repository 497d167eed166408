package cookiepolicy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/intercept"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"go.uber.org/zap"

	"github.com/cookie-policy/caddy-cookie-policy/page"
)

const (
	pageWithoutPolicyWarning = "no cookie_policy is around this cookie_policy_page: " +
		"put one into the same site, or into the same handle block"
	pageReadOnlyWarning = "the policy page has no form, because the gateway cannot write the preference; " +
		"name with manage where visitors make their choices"
	pageNotStatedWarning = "the policy page says \"not stated\" where the policy has no provider, function, " +
		"purpose or lifetime, or does not say what a refusal changes"
)

// pagePlace is a page, and the policies that may be around it.
type pagePlace struct {
	server   string
	page     *PageHandler
	policies []*runningPolicy
}

// pagePlaces finds the pages of all servers.
func pagePlaces(app *caddyhttp.App) []pagePlace {
	var w pageWalk
	for _, name := range slices.Sorted(maps.Keys(app.Servers)) {
		w.server, w.routesByName = name, app.Servers[name].NamedRoutes
		w.routes(app.Servers[name].Routes, nil)
		if errors := app.Servers[name].Errors; errors != nil {
			w.routes(errors.Routes, nil)
		}
	}
	return w.found
}

// pageWalk goes through the routes of servers. It passes on the policies that may be around a place:
// those of earlier handlers of the same chain, whatever their matchers.
type pageWalk struct {
	server       string
	routesByName map[string]*caddyhttp.Route
	invoked      []string // the named routes around
	found        []pagePlace
}

// routes walks through a list of routes, and returns the policies around what comes behind it. Of a
// group only one route runs, and behind a terminal one nothing.
func (w *pageWalk) routes(routes caddyhttp.RouteList, around []*runningPolicy) []*runningPolicy {
	type added struct {
		group    string
		policies []*runningPolicy
	}
	var before []added
	for _, route := range routes {
		inside := slices.Clone(around)
		for _, a := range before {
			if a.group == "" || a.group != route.Group {
				inside = append(inside, a.policies...)
			}
		}
		outside := len(inside)
		for _, handler := range route.Handlers {
			inside = w.handler(handler, inside)
		}
		if !route.Terminal {
			before = append(before, added{route.Group, inside[outside:]})
		}
	}
	for _, a := range before {
		around = append(slices.Clip(around), a.policies...)
	}
	return around
}

// handler walks into one handler, and returns the policies around what comes behind it.
func (w *pageWalk) handler(handler caddyhttp.MiddlewareHandler, around []*runningPolicy) []*runningPolicy {
	switch h := handler.(type) {
	case *Handler:
		return append(slices.Clip(around), h.running)
	case *PageHandler:
		w.found = append(w.found, pagePlace{w.server, h, around})
	case *caddyhttp.Subroute:
		if h.Errors != nil {
			w.routes(h.Errors.Routes, around)
		}
		return w.routes(h.Routes, around)
	case *caddyhttp.Invoke:
		if route := w.routesByName[h.Name]; route != nil && !slices.Contains(w.invoked, h.Name) {
			w.invoked = append(w.invoked, h.Name)
			around = w.routes(caddyhttp.RouteList{*route}, around)
			w.invoked = w.invoked[:len(w.invoked)-1]
		}
	case *reverseproxy.Handler:
		for _, response := range h.HandleResponse {
			w.routes(response.Routes, around)
		}
	case *intercept.Intercept:
		for _, response := range h.HandleResponse {
			w.routes(response.Routes, around)
		}
	}
	return around
}

// httpApp returns the config's HTTP app, or nil.
func (a *App) httpApp() *caddyhttp.App {
	app, err := a.ctx.AppIfConfigured("http")
	if err != nil {
		return nil
	}
	http, _ := app.(*caddyhttp.App)
	return http
}

// pagesHavePolicies returns an error if there is a page that no policy can be around.
func (a *App) pagesHavePolicies() error {
	http := a.httpApp()
	if http == nil {
		return nil
	}
	for _, place := range pagePlaces(http) {
		if len(place.policies) == 0 {
			return fmt.Errorf("server %s: %s", place.server, pageWithoutPolicyWarning)
		}
	}
	return nil
}

// checkPages logs what is wrong with the pages of a config.
func (a *App) checkPages() {
	http := a.httpApp()
	if http == nil {
		return
	}
	told := map[string]bool{}
	once := func(message string, fields ...zap.Field) {
		if key := fmt.Sprint(message, fields); !told[key] {
			told[key] = true
			a.logger.Warn(message, fields...)
		}
	}
	for _, place := range pagePlaces(http) {
		if len(place.policies) == 0 {
			once(pageWithoutPolicyWarning, zap.String("server", place.server))
		}
		for _, p := range place.policies {
			if p.page == nil {
				p.page = &place.page.Config
			}
			if reasons := p.enforcer.Policy().Unwritable(); len(reasons) > 0 && place.page.Controller != "" &&
				len(p.enforcer.Questions()) > 0 {
				once(pageReadOnlyWarning, zap.String("policy", p.name()), zap.String("reason", reasons[0].Error()))
			}
			if missing := page.NotStated(p.enforcer); len(missing) > 0 {
				once(pageNotStatedWarning, zap.String("policy", p.name()),
					zap.String("missing", strings.Join(missing, "; ")))
			}
		}
	}
}

// auditPages records the digests of the pages that are published from now on, so that it can be shown
// later what visitors were told when they chose.
func (a *App) auditPages() {
	http := a.httpApp()
	if http == nil {
		return
	}
	told := map[string]bool{}
	for _, place := range pagePlaces(http) {
		for _, p := range place.policies {
			digests, err := place.page.page.Digests(p.enforcer, p.timesInForce())
			if key := fmt.Sprint(p.name(), digests); err == nil && !told[key] { // errors are logged with requests
				told[key] = true
				a.audit.Info("policy page published",
					zap.String("policy", p.name()),
					zap.String("digest", p.digest()),
					zap.Time("time", p.since()),
					zap.Any("pages", digests))
			}
		}
	}
}
