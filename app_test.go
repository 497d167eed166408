package cookiepolicy

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// Two different policies cannot have one name; the same one may stand on several sites, and its
// numbers are one.
func TestAppNamesOfPolicies(t *testing.T) {
	w := caddytest.NewInstance(t)
	port := portaltest.FreePort(t)
	two := "http://localhost:%d {\ncookie_policy opendatasoft {\nname city\n%s\n}\nreverse_proxy %s\n}\n"
	portal := portaltest.StartPortal(t, portaltest.Response("200 OK", []string{google, session}, ""))
	err := w.TryLoad(fmt.Sprintf(two, w.Site, "", portal.Address) + fmt.Sprintf(two, port,
		"mode report", portal.Address))
	if err == nil || !strings.Contains(err.Error(), "two different policies have this name") {
		t.Errorf("loaded: %v", err)
	}
	w.Load(fmt.Sprintf(two, w.Site, "", portal.Address) + fmt.Sprintf(two, port, "", portal.Address) +
		fmt.Sprintf("http://other.localhost:%d {\ncookie_policy opendatasoft matomo\n"+
			"reverse_proxy %s\n}\n", port, portal.Address))
	w.Get("/")
	portaltest.Gateway(port).Get(t, "")
	portaltest.Gateway(port).Send(t, "GET / HTTP/1.1\r\nHost: other.localhost\r\nConnection: close\r\n\r\n")
	var policies []policyInForce
	w.AskJSON("/cookie-policy/policies", &policies)
	if len(policies) != 2 || policies[0].Name != policies[0].Digest[:8] || policies[1].Name != "city" {
		t.Fatalf("in force are %+v", policies)
	}
	want(t, "two sites", w.Verdicts("city"), map[string]string{"set/unlisted/refused": "2",
		"set/necessary/let_through": "2"})
	want(t, "the other one", w.Verdicts(policies[0].Name),
		map[string]string{"set/unlisted/refused": "1", "set/necessary/let_through": "1"})
	want(t, "hosts", inventory(t, w, policies[0].Name)["set _ga"].Hosts, []string{"other.localhost"})
}

// A config that fails to start leaves nothing behind: neither where one of its apps fails, nor
// where something fails after all of them have started. What ran before runs on.
func TestAppCleanupAfterFailedStart(t *testing.T) {
	w := caddytest.StartInstance(t, "cookie_policy opendatasoft {\nname city\n}\nrespond ok")
	begun := since(t, w, "city")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	policies := "cookie_policy opendatasoft {\nname city\nmode report\n}\ncookie_policy matomo {\n" +
		"name later\n}\n"
	for what, c := range map[string]struct {
		sites string
		admin string // in place of the instance's
	}{
		"an app": {
			sites: fmt.Sprintf("http://localhost:%d {\nroute {\n%s}\n}",
				taken.Addr().(*net.TCPAddr).Port, policies),
		},
		"after all apps": {
			sites: fmt.Sprintf("http://localhost:%d {\nroute {\n%s}\n}", portaltest.FreePort(t), policies),
			admin: `"config":{"persist":false,"load":{"module":"nosuch"}}`,
		},
	} {
		config, err := w.Adapt(c.sites)
		if err != nil {
			t.Fatal(err)
		}
		if c.admin != "" {
			replaced := strings.Replace(string(config), `"config":{"persist":false}`, c.admin, 1)
			if replaced == string(config) {
				t.Fatalf("the admin endpoint is configured in another way: %.300s", config)
			}
			config = []byte(replaced)
		}
		for range 4 { // Caddy starts apps in any order
			if err := caddy.Load(config, true); err == nil {
				t.Fatalf("%s: the config has started", what)
			}
			var names []string
			observers.Range(func(key, _ any) bool {
				n, _ := observers.References(key)
				names = append(names, fmt.Sprint(key, " ", n))
				return true
			})
			want(t, what+": observers, and their policies", names, []string{"city 1"})
			if now := since(t, w, "city"); !now.Equal(begun) {
				t.Errorf("%s: city is in force since %v, and not since %v", what, now, begun)
			}
			var policies []policyInForce
			w.AskJSON("/cookie-policy/policies", &policies)
			if len(policies) != 1 || policies[0].Mode != "enforce" {
				t.Errorf("%s: in force are %+v", what, policies)
			}
		}
	}
	begins, ends := map[any]int{}, map[any]int{}
	for _, e := range w.Log("audit.log", "", "policy comes into force") {
		begins[e["digest"]]++
	}
	for _, e := range w.Log("audit.log", "", "policy ends") {
		ends[e["digest"]]++
	}
	var running []policyInForce
	w.AskJSON("/cookie-policy/policies", &running)
	ends[running[0].Digest]++
	want(t, "of what came into force, and has ended or is running", ends, begins)
	if len(begins) != 3 {
		t.Errorf("into force came %v, want the policy that runs and the two that failed after all "+
			"apps had started", begins)
	}
}
