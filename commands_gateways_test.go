package cookiepolicy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// One process runs one Caddy: another gateway is what this one answered before it was given another
// config.
func keepAnswering(t *testing.T, w *caddytest.Instance) (address string) {
	t.Helper()
	answers := map[string]string{}
	keep := func(path string) {
		_, _, answers["/cookie-policy/"+path] = w.Ask(http.MethodGet, "/cookie-policy/"+path)
	}
	keep("policies")
	var policies []policyInForce
	w.AskJSON("/cookie-policy/policies", &policies)
	for _, p := range policies {
		keep(p.Name + "/policy")
		keep(p.Name + "/inventory")
		keep(p.Name + "/drift")
	}
	return portaltest.StartHandler(t, func(w http.ResponseWriter, r *http.Request) {
		answer, known := answers[r.URL.Path]
		if !known {
			w.WriteHeader(http.StatusNotFound)
		}
		w.Write([]byte(answer))
	})
}

// Gateways that do not have the same policy under a name, or not all of the policies, are findings. What
// they counted is never added up under one of their digests, whatever the order of the addresses.
func TestCommandGatewaysDiffer(t *testing.T) {
	portal := portaltest.StartPortal(t, portaltest.Response("200 OK", []string{session, google}, ""))
	w := caddytest.NewInstance(t)
	config := func(allow, other string) string {
		return w.SiteWith("cookie_policy {\nname city\n"+allow+"\n}\nreverse_proxy "+portal.Address) +
			fmt.Sprintf("http://localhost:%d {\ncookie_policy {\nname %s\nallow necessary sessionid\n}\n}",
				portaltest.FreePort(t), other)
	}
	w.Load(config("allow necessary sessionid", "old"))
	w.Get("/", "Cookie: sessionid=1")
	before := keepAnswering(t, w)
	w.Load(config("allow necessary sessionid _ga", "new"))
	w.Get("/", "Cookie: sessionid=1; _ga=1")
	var policies []policyInForce
	w.AskJSON("/cookie-policy/policies", &policies)
	after := policies[0].Digest
	var kept []policyInForce
	if err := get(before, "policies", &kept); err != nil {
		t.Fatal(err)
	}
	was := kept[0].Digest

	for _, order := range [][]string{{before, w.Admin}, {w.Admin, before}} {
		var out bytes.Buffer
		q := query{addresses: order, json: true}
		status, err := q.inventory(&out)
		if status != exitFindings || err == nil ||
			err.Error() != "the gateways do not have the same policies; findings: 3" {
			t.Errorf("inventory: %d, %v", status, err)
		}
		var all struct{ Policies []report.Inventory }
		if err := json.Unmarshal(out.Bytes(), &all); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, inventory := range all.Policies {
			got = append(got, inventory.Policy)
			for _, f := range inventory.Findings {
				got = append(got, f.Kind+": "+f.Detail)
			}
			for _, item := range inventory.Cookies {
				if item.Channel == "set" {
					got = append(got, fmt.Sprint(item.Name, " ", item.Category, " ", item.Count, " ", item.Digest))
				}
			}
		}
		digests := []string{"digest " + was + " on " + before, "digest " + after + " on " + w.Admin}
		slices.Sort(digests)
		items := []string{"_ga unlisted 1 " + was, "_ga necessary 2 " + after,
			"sessionid necessary 1 " + was, "sessionid necessary 2 " + after}
		if after < was {
			items = []string{items[1], items[0], items[3], items[2]}
		}
		want(t, "inventory", got, slices.Concat(
			[]string{"city", "differs: " + strings.Join(digests, "; ")}, items,
			[]string{
				"new", "missing: " + before + " has no policy of this name",
				"old", "missing: " + w.Admin + " has no policy of this name",
			}))

		out.Reset()
		q.json, q.policy = false, "city"
		if status, err = q.drift(&out); status != exitFindings || !regexp.MustCompile(
			`^Policy city, digest different, .*\n\nDIGEST +FINDING +COOKIE +DETAIL\n +differs +`+
				regexp.QuoteMeta(strings.Join(digests, "; "))+`\n`+was[:8]+` +unlisted +_ga `).MatchString(out.String()) {
			t.Errorf("drift: %d, %v, %s", status, err, out.String())
		}
		out.Reset()
		q.policy = "old"
		if status, err = q.inventory(&out); status != exitFindings || strings.Contains(out.String(), "DIGEST") ||
			!strings.Contains(out.String(), w.Admin+" has no policy of this name") {
			t.Errorf("a policy of one gateway: %d, %v, %s", status, err, out.String())
		}
	}
}

// The table of origins has digests where that of cookies does.
func TestOriginsOfGatewaysDiffer(t *testing.T) {
	for digest, says := range map[string]string{
		report.Different: `\nDIGEST +ORIGIN +CATEGORY .*\n01234567 +https://t\.example +unlisted +2 `,
		"0123456789":     `\nORIGIN +CATEGORY .*\nhttps://t\.example +unlisted +2 `,
	} {
		var out bytes.Buffer
		origin := report.Origin{Origin: "https://t.example", Category: "unlisted", Digest: "0123456789", Count: 2}
		err := printInventory(&out, &inventoryAnswer{Inventory: report.Inventory{
			Policy: "city", Digest: digest, Origins: []report.Origin{origin}}})
		if err != nil || !regexp.MustCompile(says).MatchString(out.String()) {
			t.Errorf("%v, not %s in\n%s", err, says, out.String())
		}
	}
}

// Policies of a gateway are those of its config: explained by the same rules, on the same hosts.
func TestCommandPoliciesOfGateway(t *testing.T) {
	w := caddytest.NewInstance(t)
	w.Load(w.SiteWith("cookie_policy opendatasoft {\nname city\npreset matomo {\nanonymous\n}\n}\nrespond ok") +
		fmt.Sprintf("http://b.example:%d, http://a.example:%[1]d {\ncookie_policy matomo {\nmode report\n}\n}", w.Site))
	before := keepAnswering(t, w)
	q := query{addresses: []string{w.Admin, before}}
	policies, err := q.policies()
	if err != nil || len(policies) != 2 {
		t.Fatalf("%+v, %v", policies, err)
	}
	var inForce []policyInForce
	w.AskJSON("/cookie-policy/policies", &inForce)
	for i, p := range policies {
		want(t, "the digest", p.Resolved.Digest(), inForce[i].Digest)
	}
	unnamed, city := policies[0], policies[1]
	if city.Resolved.Name() != "city" {
		unnamed, city = city, unnamed
	}
	want(t, "hosts", [][]string{city.Hosts, unnamed.Hosts}, [][]string{{"localhost"}, {"a.example", "b.example"}})
	want(t, "presets", city.Policy.Presets[1].Name, "matomo")
	want(t, "where", []string{city.Where(""), city.Where("presets[1].anonymous")},
		[]string{w.Admin, w.Admin + ": presets[1].anonymous"})

	q.policy = "city"
	if policies, err = q.policies(); err != nil || len(policies) != 1 || policies[0].Resolved.Name() != "city" {
		t.Errorf("%+v, %v", policies, err)
	}
	q.policy = "town"
	if _, err = q.policies(); err == nil || !strings.Contains(err.Error(), `"town": there is no policy of this name`) {
		t.Error(err)
	}

	w.Load(w.SiteWith("cookie_policy opendatasoft {\nname city\n}\nrespond ok"))
	if _, err = q.policies(); err == nil ||
		err.Error() != fmt.Sprintf("name: %q: two different policies have this name: %s and %s; ask one gateway at a time", "city", w.Admin, before) {
		t.Error(err)
	}
}
