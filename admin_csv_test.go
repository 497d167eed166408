package cookiepolicy

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// csvOf returns the rows of a CSV answer of the admin endpoint, by column.
func csvOf(t *testing.T, w *caddytest.Instance, path string, lines ...string) (rows []map[string]string) {
	t.Helper()
	status, header, body := w.Ask(http.MethodGet, path, lines...)
	cells, err := csv.NewReader(strings.NewReader(body)).ReadAll()
	if err != nil || len(cells) == 0 || status != 200 ||
		header.Get("Content-Type") != "text/csv; charset=utf-8" {
		t.Fatalf("%s %q: %d %v, %v: %s", path, lines, status, header, err, body)
	}
	for _, line := range cells[1:] {
		row := map[string]string{}
		for i, cell := range line {
			row[cells[0][i]] = cell
		}
		rows = append(rows, row)
	}
	return rows
}

// Inventory and drift are CSV with ?format=csv or Accept: text/csv. The parameter decides if the two
// differ.
func TestAdminCSV(t *testing.T) {
	portal := portaltest.StartPortal(t,
		portaltest.Response("200 OK", []string{"sessionid=1; Path=/; HttpOnly; Max-Age=1209600",
			"sessionid=2; Domain=.City.example; Path=/app; Secure; SameSite=LAX",
			"=HYPERLINK(1)", google}, "hello"))
	site := "cookie_policy opendatasoft {\nname city\n%s\n}\nreverse_proxy " + portal.Address
	w := caddytest.StartInstance(t, fmt.Sprintf(site, ""))
	w.Get("/")
	w.Reload(fmt.Sprintf(site, "mode report"))
	w.Get("/", "Cookie: sessionid=1")
	for _, ask := range [][]string{
		{"?format=csv"},
		{"?format=csv", "Accept: application/json"},
		{"", "Accept: text/csv"},
		{"", "Accept: text/html, text/csv;q=0.9"},
	} {
		rows := csvOf(t, w, "/cookie-policy/city/inventory"+ask[0], ask[1:]...)
		byKey := map[string]map[string]string{}
		for _, row := range rows {
			byKey[row["channel"]+" "+row["mode"]+" "+row["name"]] = row
		}
		if len(rows) != 7 || len(byKey) != 7 {
			t.Errorf("%q: the inventory has the items %v", ask, byKey)
		}
		facts := map[string]string{
			"name": "sessionid", "category": "necessary", "rule": "necessary sessionid",
			"refused": "0", "deletion": "0", "expired": "0", "would_refuse": "0", "would_expire": "0",
			"domains": "city.example", "paths": "/ (other)", "same_site": "lax",
			"lifetime": "1209600", "session": "true", "insecure": "true", "missing_http_only": "true",
			"hosts": "localhost", "count": "2", "let_through": "2", "missed": "0",
		}
		for _, mode := range []string{"enforce", "report"} {
			row := byKey["set "+mode+" sessionid"]
			for column, cell := range facts {
				want(t, fmt.Sprintf("%q, mode %s: %s", ask, mode, column), row[column], cell)
			}
			for _, column := range []string{"first", "last"} {
				if at, err := time.Parse(time.RFC3339, row[column]); err != nil ||
					time.Since(at) > time.Minute {
					t.Errorf("%q: %s is %q (%v)", ask, column, row[column], err)
				}
			}
		}
		want(t, "refused", byKey["set enforce _ga"]["refused"], 1)
		want(t, "would_refuse", byKey["set report _ga"]["would_refuse"], 1)

		rows = csvOf(t, w, "/cookie-policy/city/drift"+ask[0], ask[1:]...)
		var unlisted []string
		for _, row := range rows {
			if row["kind"] == "unlisted" {
				unlisted = append(unlisted, row["cookie"]+": "+row["detail"])
			}
		}
		want(t, fmt.Sprintf("%q: the drift", ask), strings.Join(unlisted, "\n"),
			"(nameless): met on set 2 times, at localhost\n_ga: met on set 2 times, at localhost")
	}

	// The parameter decides.
	_, header, body := w.Ask(http.MethodGet, "/cookie-policy/city/drift?format=json", "Accept: text/csv")
	if header.Get("Content-Type") != "application/json" || !json.Valid([]byte(body)) {
		t.Errorf("format=json: %v %s", header, body)
	}
}

// An error of the admin endpoint says what is wrong and what would be right. Its text has no
// escapes for what a person types.
func TestAdminErrors(t *testing.T) {
	w := caddytest.StartInstance(t, "cookie_policy opendatasoft {\nname city\n}\nrespond ok")
	for _, c := range []struct {
		path   string
		status int
		says   string
	}{
		{"/cookie-policy/city/inventory?format=xml", 400, `format: "xml": no such format; want json or csv`},
		{"/cookie-policy/city/drift?format=CSV", 400, `format: "CSV": no such format; want json or csv`},
		{"/cookie-policy/policies?format=x", 400, `format: "x": no such format; want json or csv`},
		{"/cookie-policy/", 404, "no such page; there are /cookie-policy/policies, " +
			"/cookie-policy/NAME/policy, /cookie-policy/NAME/inventory, /cookie-policy/NAME/drift, " +
			"/cookie-policy/NAME/history, /cookie-policy/NAME/report and, by POST, /cookie-policy/NAME/explain"},
		{"/cookie-policy/town/drift", 404,
			"no policy of this name is in force; /cookie-policy/policies lists those that are"},
	} {
		status, header, body := w.Ask(http.MethodGet, c.path)
		var problem struct{ Error string }
		err := json.Unmarshal([]byte(body), &problem)
		if status != c.status || err != nil || problem.Error != c.says ||
			header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %v %s, want %d %s", c.path, status, header, body, c.status, c.says)
		}
		if strings.Contains(body, `\u`) {
			t.Errorf("%s: the text has escapes: %s", c.path, body)
		}
	}
}

// The list of policies and the metrics show how many requests each policy saw, and when the last
// was: they tell whether a policy runs at all.
func TestAdminRequests(t *testing.T) {
	w := caddytest.NewInstance(t)
	sites := func(mode string) string {
		return w.SiteWith("cookie_policy opendatasoft {\nname city\nmode "+mode+"\n}\nrespond ok") +
			fmt.Sprintf("http://localhost:%d {\ncookie_policy matomo {\nname idle\n}\nrespond ok\n}\n",
				portaltest.FreePort(t))
	}
	w.Load(sites("enforce"))
	before := time.Now().Truncate(time.Second)
	for range 3 {
		w.Get("/")
	}
	w.Get("/", "Cookie: sessionid=1; _ga=1")
	w.Load(sites("report"))
	w.Get("/")
	var policies []policyInForce
	w.AskJSON("/cookie-policy/policies", &policies)
	if len(policies) != 2 || policies[0].Name != "city" || policies[1].Name != "idle" {
		t.Fatalf("in force are %+v", policies)
	}
	city, idle := policies[0], policies[1]
	if city.Requests != 5 || city.LastRequest == nil || city.LastRequest.Before(before) ||
		city.LastRequest.After(time.Now()) {
		t.Errorf("city saw %d requests, the last at %v", city.Requests, city.LastRequest)
	}
	if idle.Requests != 0 || idle.LastRequest != nil {
		t.Errorf("idle saw %d requests, the last at %v", idle.Requests, idle.LastRequest)
	}
	_, _, body := w.Ask(http.MethodGet, "/metrics")
	for _, line := range []string{
		`caddy_cookie_policy_requests_total{policy="city"} 5`,
		`caddy_cookie_policy_requests_total{policy="idle"} 0`,
		`caddy_cookie_policy_last_request_timestamp_seconds{policy="idle"} 0`,
		"# TYPE caddy_cookie_policy_requests_total counter",
		"# TYPE caddy_cookie_policy_last_request_timestamp_seconds gauge",
	} {
		if !strings.Contains(body, line+"\n") {
			t.Errorf("the metrics do not have %q", line)
		}
	}
	series := `last_request_timestamp_seconds{policy="city"}`
	value, err := json.Number(w.Metrics()[series]).Float64()
	if err != nil || int64(value) != city.LastRequest.Unix() {
		t.Errorf("%s is %v (%v), want %d", series, value, err, city.LastRequest.Unix())
	}
}
