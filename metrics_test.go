package cookiepolicy

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// Numbers go on over reloads, and can be asked for right after each; a policy that is gone is gone
// from them too.
func TestMetricsOverReloads(t *testing.T) {
	portal := portaltest.StartPortal(t, portaltest.Response("200 OK", []string{google, session}, ""))
	w := caddytest.NewInstance(t)
	site := func(options string) string {
		return w.SiteWith("cookie_policy opendatasoft matomo {\nname city\n" + options +
			"\n}\nreverse_proxy " + portal.Address)
	}
	for i := range 5 {
		w.Load(site([]string{"", "mode report"}[i%2]))
		if i > 0 {
			want(t, "right after the reload", w.Verdicts("city"),
				map[string]string{"set/unlisted/refused": fmt.Sprint(i),
					"set/necessary/let_through":  fmt.Sprint(i),
					"read/statistical/refused":   fmt.Sprint(i),
					"read/necessary/let_through": fmt.Sprint(i)})
		}
		w.Get("/", "Cookie: _pk_id.1=1; cookies_preferences={\"matomo\":false}")
	}
	var policies []policyInForce
	w.AskJSON("/cookie-policy/policies", &policies)
	metrics := w.Metrics()
	info := fmt.Sprintf("info{digest=%q,mode=%q,policy=%q}", policies[0].Digest, "enforce", "city")
	if value, err := json.Number(metrics[info]).Float64(); err != nil ||
		int64(value) != policies[0].Since.Unix() {
		t.Errorf("%s is %q, want %d, in %v", info, metrics[info], policies[0].Since.Unix(), metrics)
	}
	want(t, "preferences", metrics[`preferences_total{policy="city",state="valid"}`], 5)
	want(t, "unlisted names", metrics[`unlisted_names{policy="city"}`], 1)

	w.Load(w.SiteWith("cookie_policy opendatasoft {\nname town\n}\nreverse_proxy " + portal.Address))
	w.Get("/")
	want(t, "the policy renamed", w.Verdicts("town"), map[string]string{"set/unlisted/refused": "1",
		"set/necessary/let_through": "1"})
	want(t, "its old name", w.Verdicts("city"), map[string]string{})
	if status, _, _ := w.Ask(http.MethodGet,
		"/cookie-policy/city/inventory"); status != http.StatusNotFound {
		t.Errorf("the old name answers with %d", status)
	}
	w.Load(w.SiteWith("respond ok"))
	want(t, "no policy", len(w.Metrics()), 0)
	w.AskJSON("/cookie-policy/policies", &policies)
	want(t, "no policy", len(policies), 0)
}
