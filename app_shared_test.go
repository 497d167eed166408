package cookiepolicy

import (
	"fmt"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// handlersRunning returns the handlers of all policies of the config that runs.
func handlersRunning(t *testing.T) (handlers []*Handler) {
	t.Helper()
	app, err := caddy.ActiveContext().App("http")
	if err != nil {
		t.Fatal(err)
	}
	var walk func(caddyhttp.RouteList)
	walk = func(routes caddyhttp.RouteList) {
		for _, route := range routes {
			for _, handler := range route.Handlers {
				switch h := handler.(type) {
				case *Handler:
					handlers = append(handlers, h)
				case *caddyhttp.Subroute:
					walk(h.Routes)
				}
			}
		}
	}
	for _, server := range app.(*caddyhttp.App).Servers {
		walk(server.Routes)
		if server.Errors != nil {
			walk(server.Errors.Routes)
		}
	}
	return handlers
}

// All sites with one policy share the compiled policy and its counts.
func TestAppSharesPolicies(t *testing.T) {
	portal := portaltest.StartPortal(t, portaltest.Response("200 OK", []string{google, session}, ""))
	w := caddytest.NewInstance(t)
	port := portaltest.FreePort(t)
	const site = "http://localhost:%d {\ncookie_policy opendatasoft {\nname city\n}\nreverse_proxy %s\n" +
		"handle_errors {\ncookie_policy opendatasoft {\nname city\n}\nrespond oops\n}\n}\n"
	w.Load(fmt.Sprintf(site, w.Site, portal.Address) + fmt.Sprintf(site, port, portal.Address) +
		fmt.Sprintf("http://other.localhost:%d {\ncookie_policy opendatasoft {\nname other\n}\n"+
			"reverse_proxy %s\n}\n", port, portal.Address))
	handlers := map[string][]*Handler{}
	for _, h := range handlersRunning(t) {
		handlers[h.name()] = append(handlers[h.name()], h)
	}
	if len(handlers["city"]) != 4 || len(handlers["other"]) != 1 {
		t.Fatalf("the handlers are %v", handlers)
	}
	first := handlers["city"][0]
	for _, h := range handlers["city"] {
		if h.running != first.running || h.running.enforcer != first.running.enforcer {
			t.Error("two sites with the same policy do not share it")
		}
	}
	if handlers["other"][0].running.enforcer == first.running.enforcer {
		t.Error("two policies share an enforcer")
	}
	for range 2 {
		w.Get("/")
	}
	portaltest.Gateway(port).Get(t, "")
	want(t, "the counts", w.Verdicts("city"),
		map[string]string{"set/unlisted/refused": "3", "set/necessary/let_through": "3"})
	want(t, "the inventory", inventory(t, w, "city")["set _ga"].Count, 3)
	want(t, "requests", w.Metrics()[`requests_total{policy="city"}`], 3)
}
