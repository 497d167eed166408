package cookiepolicy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// The audit log records what was in force, from when to when, and nothing else is in it: not what
// was only validated, nor what failed to load, however far it got.
func TestAuditLog(t *testing.T) {
	w := caddytest.StartInstance(t, "cookie_policy opendatasoft {\nname city\n}\nrespond one")
	begun := since(t, w, "city")
	audit := func() string {
		return caddytest.Pick(w.Log("audit.log", "", ""), "level", "logger", "msg", "policy")
	}
	first := "info|" + auditLog + "|policy comes into force|city\n"
	want(t, "at the start", audit(), first)

	w.Reload("cookie_policy opendatasoft {\nname city\n}\nrespond two")
	want(t, "the same policy again", audit(), first)
	if !since(t, w, "city").Equal(begun) {
		t.Error("the same policy is in force since another time")
	}

	config, err := w.Adapt(w.SiteWith("cookie_policy opendatasoft {\nname validated\n}\nrespond three"))
	if err != nil {
		t.Fatal(err)
	}
	var parsed caddy.Config
	if err := json.Unmarshal(config, &parsed); err != nil {
		t.Fatal(err)
	}
	parsed.Admin = nil // one that is validated has no business with the endpoint of the one that runs
	if err := caddy.Validate(&parsed); err != nil {
		t.Fatal(err)
	}
	want(t, "after validation", audit(), first)

	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	portal := portaltest.StartPortal(t, portaltest.Response("200 OK", []string{google}, ""))
	w.Reload("cookie_policy opendatasoft {\nname city\n}\nreverse_proxy " + portal.Address)
	w.Get("/")
	numbers := fmt.Sprint(w.Metrics(), inventory(t, w, "city"))
	for what, sites := range map[string]string{
		"faults": w.SiteWith("cookie_policy opendatasoft {\nname city\n" +
			"allow necessary a b a\n}"),
		"another's fault": w.SiteWith("cookie_policy opendatasoft {\nname city\nmode report\n}\n" +
			"@x path_regexp (\nrespond @x ok"),
		"a port that is not": w.SiteWith("cookie_policy opendatasoft {\nname city\n"+
			"mode report\n}") + fmt.Sprintf("http://localhost:%d {\ncookie_policy matomo {\n"+
			"name other\n}\n}", taken.Addr().(*net.TCPAddr).Port),
	} {
		for range 6 { // Caddy starts apps in any order
			if err := w.TryLoad(sites); err == nil {
				t.Fatalf("%s: loaded", what)
			}
			want(t, what+": the audit log", audit(), first)
			var policies []policyInForce
			w.AskJSON("/cookie-policy/policies", &policies)
			if len(policies) != 1 || policies[0].Name != "city" || policies[0].Mode != "enforce" ||
				!policies[0].Since.Equal(begun) {
				t.Errorf("%s: in force are %+v", what, policies)
			}
			want(t, what+": the numbers", fmt.Sprint(w.Metrics(), inventory(t, w, "city")), numbers)
		}
	}
	if lines := w.Log("all.log", appLog, "cookie policy in force"); len(lines) != 3 {
		t.Errorf("the log has %d loads", len(lines))
	}
	w.Get("/")
	want(t, "the running policy counts on", w.Verdicts("city"),
		map[string]string{"set/unlisted/refused": "2"})

	w.Reload("cookie_policy opendatasoft {\nname city\nmode report\n}\nrespond four")
	second := first + "info|" + auditLog + "|policy comes into force|city\n" + "info|" + auditLog +
		"|policy ends|city\n"
	want(t, "another policy of this name", audit(), second)
	w.Reload("cookie_policy opendatasoft {\nname town\nmode report\n}\nrespond four")
	third := second + "info|" + auditLog + "|policy comes into force|town\n" + "info|" + auditLog +
		"|policy ends|city\n"
	want(t, "another name", audit(), third)
	caddytest.Stop(t)
	want(t, "after the end", audit(), third+"info|"+auditLog+"|policy ends|town\n")

	// The whole policy is there as data, and the times.
	entries := w.Log("audit.log", "", "")
	begin, end := entries[0], entries[2]
	content, err := json.Marshal(begin["content"])
	if err != nil {
		t.Fatal(err)
	}
	var p enforcer.Policy
	d := json.NewDecoder(bytes.NewReader(content))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil || p.Mode != "enforce" || len(p.Allow) != 4 ||
		len(p.Preference) != 1 {
		t.Errorf("%v: the policy is %s", err, content)
	}
	compiled, err := enforcer.Compile(p, time.Now)
	if err != nil || compiled.Digest() != begin["digest"] || end["digest"] != begin["digest"] {
		t.Errorf("%v: the digest of what is written is another than %v and %v", err,
			begin["digest"], end["digest"])
	}
	since, _ := begin["time"].(float64)
	until, _ := end["time"].(float64)
	if since == 0 || until < since || end["since"] != begin["time"] {
		t.Errorf("in force from %v to %v, which is since %v", begin["time"], end["time"], end["since"])
	}
}

func since(t testing.TB, w *caddytest.Instance, policy string) time.Time {
	t.Helper()
	var policies []policyInForce
	w.AskJSON("/cookie-policy/policies", &policies)
	for _, p := range policies {
		if p.Name == policy {
			return p.Since
		}
	}
	t.Fatalf("%s is not in force: %+v", policy, policies)
	return time.Time{}
}
