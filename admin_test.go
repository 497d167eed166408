package cookiepolicy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// inventory returns the items of a policy's inventory by channel and name. The keys of items of mode
// report begin with the word `report`.
func inventory(t testing.TB, w *caddytest.Instance, policy string) map[string]report.Item {
	t.Helper()
	var answer report.Inventory
	w.AskJSON("/cookie-policy/"+policy+"/inventory", &answer)
	items := map[string]report.Item{}
	for _, item := range answer.Cookies {
		key := item.Channel + " " + item.Name
		if item.Mode == "report" {
			key = "report " + key
		}
		items[key] = item
	}
	return items
}

// The inventory lists what was met of each cookie, by mode, and continues over reloads. Names that a
// client makes up fill a bounded number of places: they displace neither names that the portal sets,
// nor names that rules name, nor a name that comes with most requests.
func TestAdminInventory(t *testing.T) {
	portal := portaltest.StartPortal(t,
		portaltest.Response("200 OK", []string{"sessionid=1; Path=/; HttpOnly; Max-Age=1209600",
			"sessionid=2; Domain=.City.example; Path=/app; Secure; SameSite=LAX", google}, "hello"))
	site := "cookie_policy opendatasoft matomo {\nname city\n%s\n}\nreverse_proxy " + portal.Address
	before := time.Now().Add(-time.Second)
	w := caddytest.StartInstance(t, fmt.Sprintf(site, ""))
	w.Get("/", "Cookie: _pk_id.1=1")
	const flood = 100 // requests, each with one name more than a request can bring in
	for request := range flood {
		cookies := []string{"often=1"}
		for len(cookies) < observe.NamesPerRequest+1 {
			cookies = append(cookies, fmt.Sprintf("junk%d_%d=1", request, len(cookies)))
		}
		w.Get("/", "Cookie: "+strings.Join(cookies, "; "))
	}
	w.Get("/", "Cookie: sessionid=1; csrftoken=2; _ga=3; s3cr3t")
	var first, second report.Inventory
	w.AskJSON("/cookie-policy/city/inventory", &first)
	if n := len(first.Cookies); n > 4200 || n < 3000 || first.Overflow != flood {
		t.Errorf("%d names are known, for %d there was no place", n, first.Overflow)
	}
	w.Reload(fmt.Sprintf(site, "mode report"))
	w.Get("/", "Cookie: sessionid=1")
	w.AskJSON("/cookie-policy/city/inventory", &second)
	if first.Since.Before(before) || !second.Since.Equal(first.Since) ||
		second.Digest == first.Digest || second.At.Before(first.At) {
		t.Errorf("observed since %v, then since %v, at %v and %v", first.Since, second.Since,
			first.At, second.At)
	}
	items := inventory(t, w, "city")
	item := items["set sessionid"]
	const facts = "[localhost] [city.example] [/ (other)] [lax] 1209600 true true true"
	show := func(item report.Item) string {
		return fmt.Sprint(item.Category, item.Rule, item.Count, item.Verdicts, item.Hosts, item.Domains,
			item.Paths, item.SameSite, item.Lifetime, item.Session, item.Insecure, item.MissingHTTPOnly)
	}
	want(t, "sessionid", show(item), "necessarynecessary sessionid204 map[let_through:204] "+facts)
	if item.First.Before(before) || item.Last.Before(item.First.Truncate(time.Second)) ||
		item.First.After(time.Now()) {
		t.Errorf("met from %v to %v", item.First, item.Last)
	}
	want(t, "sessionid in mode report", show(items["report set sessionid"]),
		"necessarynecessary sessionid2 map[let_through:2] "+facts)
	for key, verdicts := range map[string]map[string]uint64{
		"read sessionid":        {"let_through": 1},
		"report read sessionid": {"let_through": 1},
		"read csrftoken":        {"let_through": 1}, // rules name it
		"read _pk_id.1":         {"refused": 1},     // a wildcard of a rule names it
		"read _ga":              {"refused": 1},     // the portal sets it
		"read (nameless)":       {"refused": 1},
		"read often":            {"refused": flood},
		"set _ga":               {"refused": flood + 2},
		"report set _ga":        {"would_refuse": 1},
	} {
		want(t, key, items[key].Verdicts, verdicts)
	}
	want(t, "requests that may have been missed", items["read often"].Missed, 0)
}

// Where the portal and the policy differ, the gateway says so; where they do not, it says that.
func TestAdminDrift(t *testing.T) {
	portal := portaltest.StartPortal(t,
		portaltest.Response("200 OK", []string{session, csrf, language,
			"longer=1; Max-Age=90000; HttpOnly", "weaker=1; Domain=example", google, choices}, ""))
	w := caddytest.StartInstance(t, `cookie_policy {
		name city
		allow necessary sessionid csrftoken django_language
		allow statistical longer {
			lifetime 1d
		}
		allow statistical weaker {
			http_only
			domain city.example
		}
		allow third_party missing
		preference cookies_preferences
	}
	reverse_proxy `+portal.Address)
	w.Get("/", "Cookie: sessionid=1; django_language=fr; cookies_preferences=1; sent=1")
	var drift report.Drift
	w.AskJSON("/cookie-policy/city/drift", &drift)
	var got []string
	for _, f := range drift.Findings {
		got = append(got, f.Kind+" "+f.Cookie+": "+f.Detail)
	}
	want(t, "drift", strings.Join(got, "\n"), `longer longer: lives 25h0m0s, declared are 1d
never_read csrftoken: set, and never sent back by a browser
never_seen missing: not met since `+drift.Since.UTC().Format(time.RFC3339)+`
unlisted _ga: met on set once, at localhost
weaker weaker: sent with Domain=example, declared are city.example
weaker weaker: sent without HttpOnly`)

	for range 99 { // after which the name is no longer one that a client may have made up
		w.Get("/", "Cookie: sent=1")
	}
	w.AskJSON("/cookie-policy/city/drift", &drift)
	for _, finding := range []report.Finding{
		{Kind: "unlisted", Cookie: "_ga", Detail: "met on set 100 times, at localhost"},
		{Kind: "unlisted", Cookie: "sent", Detail: "met on read 100 times, at localhost"},
	} {
		if !slices.Contains(drift.Findings, finding) {
			t.Errorf("after 100 requests %+v is not in %+v", finding, drift.Findings)
		}
	}

	well := portaltest.StartPortal(t,
		portaltest.Response("200 OK", []string{session, csrf, language, choices}, ""))
	w.Reload("cookie_policy opendatasoft\nreverse_proxy " + well.Address)
	w.Get("/", "Cookie: sessionid=1; django_language=fr; cookies_preferences=1; csrftoken=1")
	var policies []policyInForce
	w.AskJSON("/cookie-policy/policies", &policies)
	w.AskJSON("/cookie-policy/"+policies[0].Name+"/drift", &drift)
	want(t, "no drift", drift.Findings, []report.Finding{})
}

// The admin routes answer to what there is, and say clearly what there is not.
func TestAdminRoutes(t *testing.T) {
	w := caddytest.StartInstance(t, "cookie_policy opendatasoft {\nname city\n}\nrespond ok")
	for _, c := range []struct {
		method, path string
		status       int
		says         string
	}{
		{"GET", "/cookie-policy/policies", 200, `"name": "city"`},
		{"GET", "/cookie-policy/city/inventory", 200, `"cookies": []`},
		{"GET", "/cookie-policy/city/drift", 200, `"never_seen"`},
		{"HEAD", "/cookie-policy/city/drift", 200, ""},
		{"GET", "/cookie-policy/", 404, "no such page; there are /cookie-policy/policies"},
		{"GET", "/cookie-policy/city", 404, "no such page"},
		{"GET", "/cookie-policy/city/", 404, "no such page"},
		{"GET", "/cookie-policy/city/verdicts", 404, "no such page"},
		{"GET", "/cookie-policy/city/inventory/all", 404, "no such page"},
		{"GET", "/cookie-policy/policies/", 404, "no such page"},
		{"GET", "/cookie-policy/town/inventory", 404, "no policy of this name is in force"},
		{"GET", "/cookie-policy/policies/inventory", 404, "no policy of this name is in force"},
		{"GET", "/cookie-policy/%3Cscript%3E/drift", 404, "no policy of this name is in force"},
		{"POST", "/cookie-policy/policies", 405, "this can only be read"},
		{"DELETE", "/cookie-policy/city/inventory", 405, "this can only be read"},
		{"PUT", "/cookie-policy/nobody/drift", 405, "this can only be read"},
	} {
		status, header, body := w.Ask(c.method, c.path)
		if status != c.status || !strings.Contains(body, c.says) || strings.Contains(body, "script") {
			t.Errorf("%s %s: %d %s", c.method, c.path, status, body)
		}
		if status == 405 && header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: allowed are %q", c.path, header.Get("Allow"))
		}
		if header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s: %s", c.method, c.path, header.Get("Content-Type"))
		}
	}
	var policies []policyInForce
	w.AskJSON("/cookie-policy/policies", &policies)
	p := policies[0]
	if len(policies) != 1 || p.Name != "city" || len(p.Digest) != 64 || p.Mode != "enforce" ||
		p.Rules != 4 || time.Since(p.Since) > time.Minute || p.Observed.After(p.Since) {
		t.Errorf("in force are %+v", policies)
	}
}
