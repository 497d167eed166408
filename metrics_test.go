package cookiepolicy

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

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
			enforcing, reporting := fmt.Sprint((i+1)/2), fmt.Sprint(i/2)
			numbers := map[string]string{
				"set/unlisted/refused":       enforcing,
				"set/necessary/let_through":  enforcing,
				"read/statistical/refused":   enforcing,
				"read/necessary/let_through": enforcing,
			}
			if i > 1 {
				numbers["report set/unlisted/would_refuse"] = reporting
				numbers["report set/necessary/let_through"] = reporting
				numbers["report read/statistical/would_refuse"] = reporting
				numbers["report read/necessary/let_through"] = reporting
			}
			want(t, "right after the reload", w.Verdicts("city"), numbers)
		}
		w.Get("/", "Cookie: _pk_id.1=1; cookies_preferences={\"matomo\":false}")
	}
	var policies []policyInForce
	w.AskJSON("/cookie-policy/policies", &policies)
	metrics := w.Metrics()
	info := fmt.Sprintf("info{digest=%q,mode=%q,policy=%q}", policies[0].Digest, "enforce", "city")
	want(t, info, metrics[info], 1)
	for series, at := range map[string]time.Time{
		`in_force_since_timestamp_seconds{policy="city"}`: policies[0].Since,
		`last_request_timestamp_seconds{policy="city"}`:   *policies[0].LastRequest,
	} {
		if value, err := json.Number(metrics[series]).Float64(); err != nil || int64(value) != at.Unix() {
			t.Errorf("%s is %q, want %d, in %v", series, metrics[series], at.Unix(), metrics)
		}
	}
	want(t, "requests", metrics[`requests_total{policy="city"}`], 5)
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

// A request counts once, also where its error routes have the policy too.
func TestMetricsOfErrorRoutes(t *testing.T) {
	const policy = "cookie_policy opendatasoft {\nname city\nmode report\n}\n"
	w := caddytest.StartInstance(t, policy+"header Set-Cookie \"_gid=1\"\nerror 500\n"+
		"handle_errors {\n"+policy+"header +Set-Cookie \"_fbp=1\"\nrespond failed 500\n}")
	w.Get("/", "Cookie: sessionid=1; _ga=2")
	want(t, "verdicts", w.Verdicts("city"), map[string]string{
		"report read/necessary/let_through": "1", "report read/unlisted/would_refuse": "1",
		"report set/unlisted/would_refuse": "2",
	})
	want(t, "requests", w.Metrics()[`requests_total{policy="city"}`], "1")
}
