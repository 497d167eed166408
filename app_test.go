package cookiepolicy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// Two different policies cannot have one name; the same one may stand on several sites, and its numbers are one.
func TestAppNamesOfPolicies(t *testing.T) {
	w := caddytest.NewInstance(t)
	port := portaltest.FreePort(t)
	for port == int(w.Site) || port == int(w.Site)+1 {
		port = portaltest.FreePort(t)
	}
	two := "http://localhost:%d {\ncookie_policy opendatasoft {\nname city\n%s\n}\nreverse_proxy %s\n}\n"
	portal := portaltest.StartPortal(t, portaltest.Response("200 OK", []string{google, session}, ""))
	err := w.TryLoad(fmt.Sprintf(two, w.Site, "", portal.Address) + fmt.Sprintf(two, port, "mode report", portal.Address))
	if err == nil || !strings.Contains(err.Error(), "two different policies have this name") {
		t.Errorf("loaded: %v", err)
	}
	w.Load(fmt.Sprintf(two, w.Site, "", portal.Address) + fmt.Sprintf(two, port, "", portal.Address) +
		fmt.Sprintf("http://other.localhost:%d {\ncookie_policy opendatasoft matomo\nreverse_proxy %s\n}\n", port, portal.Address))
	w.Get("/")
	portaltest.Gateway(port).Get(t, "")
	portaltest.Gateway(port).Send(t, "GET / HTTP/1.1\r\nHost: other.localhost\r\nConnection: close\r\n\r\n")
	var policies []policyInForce
	w.AskJSON("/cookie-policy/policies", &policies)
	if len(policies) != 2 || policies[0].Name != policies[0].Digest[:8] || policies[1].Name != "city" {
		t.Fatalf("in force are %+v", policies)
	}
	want(t, "two sites", w.Verdicts("city"), map[string]string{"set/unlisted/refused": "2", "set/necessary/let_through": "2"})
	want(t, "the other one", w.Verdicts(policies[0].Name), map[string]string{"set/unlisted/refused": "1", "set/necessary/let_through": "1"})
	want(t, "hosts", inventory(t, w, policies[0].Name)["set _ga"].Hosts, []string{"other.localhost"})
}
