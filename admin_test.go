package cookiepolicy

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// inventory is what a policy met, by channel and name.
func inventory(t testing.TB, w *caddytest.Instance, policy string) map[string]enforcer.Item {
	t.Helper()
	var report enforcer.Report
	w.AskJSON("/cookie-policy/"+policy+"/inventory", &report)
	items := map[string]enforcer.Item{}
	for _, item := range report.Cookies {
		items[item.Channel+" "+item.Name] = item
	}
	return items
}

// The inventory lists for each cookie what was met, since when, and goes on over reloads; clients
// cannot grow it, nor push out what the portal sets.
func TestAdminInventory(t *testing.T) {
	portal := portaltest.StartPortal(t,
		portaltest.Response("200 OK", []string{"sessionid=1; Path=/; HttpOnly; Max-Age=1209600",
			"sessionid=2; Domain=.City.example; Path=/app; Secure; SameSite=LAX", google}, "hello"))
	site := "cookie_policy opendatasoft {\nname city\n%s\n}\nreverse_proxy " + portal.Address
	before := time.Now().Add(-time.Second)
	w := caddytest.StartInstance(t, fmt.Sprintf(site, ""))
	var names []string
	for i := range 1500 {
		names = append(names, fmt.Sprintf("junk%d=1", i))
	}
	for part := range slices.Chunk(names, 100) {
		w.Get("/", "Cookie: "+strings.Join(part, "; "))
	}
	w.Get("/", "Cookie: sessionid=1; s3cr3t")
	var first, second enforcer.Report
	w.AskJSON("/cookie-policy/city/inventory", &first)
	if len(first.Cookies) != 1000+4 || first.Overflow != 500 {
		t.Errorf("%d names are known, for %d there was no room", len(first.Cookies), first.Overflow)
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
	want(t, "sessionid", fmt.Sprint(item.Category, item.Rule, item.Count, item.Verdicts, item.Hosts,
		item.Domains, item.Paths, item.SameSite, item.Lifetime, item.Session, item.Insecure, item.Scripted),
		"necessarynecessary sessionid34 map[let_through:34] [localhost] [city.example] [/ /app] "+
			"[lax] 1209600 true true true")
	if item.First.Before(before) || item.Last.Before(item.First.Truncate(time.Second)) ||
		item.First.After(time.Now()) {
		t.Errorf("met from %v to %v", item.First, item.Last)
	}
	want(t, "read", items["read sessionid"].Count, 2)
	want(t, "nameless", items["read (nameless)"].Verdicts, map[string]uint64{"refused": 1})
	want(t, "refused", items["set _ga"].Verdicts, map[string]uint64{"refused": 17})

	for _, ask := range [][]string{{"/cookie-policy/city/inventory?format=csv"},
		{"/cookie-policy/city/inventory", "Accept: text/csv"}} {
		_, header, body := w.Ask(http.MethodGet, ask[0], ask[1:]...)
		rows, err := csv.NewReader(strings.NewReader(body)).ReadAll()
		if err != nil || len(rows) != 1+len(second.Cookies) ||
			header.Get("Content-Type") != "text/csv; charset=utf-8" {
			t.Fatalf("%d rows, %v, %v", len(rows), header, err)
		}
		i := slices.IndexFunc(rows, func(row []string) bool {
			return row[0] == "sessionid" && row[1] == "set"
		})
		row := map[string]string{}
		for column, cell := range rows[i] {
			row[rows[0][column]] = cell
		}
		want(t, "the CSV", fmt.Sprint(row["category"], row["rule"], row["count"],
			row["let_through"], row["refused"], row["domains"], row["paths"], row["lifetime"],
			row["session"], row["hosts"]),
			"necessarynecessary sessionid34340city.example/ /app1209600truelocalhost")
	}
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
	var drift enforcer.Drift
	w.AskJSON("/cookie-policy/city/drift", &drift)
	var got []string
	for _, f := range drift.Findings {
		got = append(got, f.Kind+" "+f.Cookie+": "+f.Detail)
	}
	want(t, "drift", strings.Join(got, "\n"), `longer longer: lives 25h0m0s, declared are 1d
never_read csrftoken: set, and never sent back by a browser
never_seen missing: not met since `+drift.Since.UTC().Format(time.RFC3339)+`
unlisted _ga: met on set, at localhost
unlisted sent: met on read, at localhost
weaker weaker: sent without HttpOnly
weaker weaker: sent with Domain=example, declared are city.example`)

	well := portaltest.StartPortal(t,
		portaltest.Response("200 OK", []string{session, csrf, language, choices}, ""))
	w.Reload("cookie_policy opendatasoft\nreverse_proxy " + well.Address)
	w.Get("/", "Cookie: sessionid=1; django_language=fr; cookies_preferences=1; csrftoken=1")
	var policies []policyInForce
	w.AskJSON("/cookie-policy/policies", &policies)
	w.AskJSON("/cookie-policy/"+policies[0].Name+"/drift", &drift)
	want(t, "no drift", drift.Findings, []enforcer.Finding{})
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
