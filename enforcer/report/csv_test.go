package report_test

import (
	"encoding/csv"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
)

// rowsOf returns the header of a CSV, and its rows by channel and name.
func rowsOf(t *testing.T, b []byte) (header string, rows map[string]map[string]string) {
	t.Helper()
	cells, err := csv.NewReader(strings.NewReader(string(b))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	rows = map[string]map[string]string{}
	for _, line := range cells[1:] {
		row := map[string]string{}
		for i, cell := range line {
			row[cells[0][i]] = cell
		}
		rows[row["channel"]+" "+row["name"]] = row
	}
	return strings.Join(cells[0], ","), rows
}

// Origins are rows of the channel load behind those of cookies, and each kind of row is empty in the
// columns of the other.
func TestInventoryCSVOfOrigins(t *testing.T) {
	g := loading(t)
	g.serve("data.city.example", "", "sessionid=1; Path=/")
	g.load("", "https://t.example", "https://a.video.example", "")
	g.load(`cookies_preferences={"video":false}`, "https://a.video.example")
	g.load(`cookies_preferences={"video":true}`, "https://a.video.example")
	header, rows := rowsOf(t, g.inventory().CSV())
	const columns = "name,channel,mode,category,rule,first,last,count,missed,let_through,refused,deletion,expired," +
		"would_refuse,would_expire,domains,paths,same_site,lifetime,session,insecure,missing_http_only,hosts,"
	if !strings.HasPrefix(header, columns) {
		t.Errorf("the columns are %s", header)
	}
	const at = "2026-01-15T12:00:00Z"
	origin := map[string]string{
		"name": "https://*.video.example", "channel": "load", "category": "third_party",
		"rule": "third_party https://*.video.example", "first": at, "last": at, "count": "3", "missed": "0",
		"let_through": "1", "refused": "0", "would_refuse": "2", "hosts": "data.city.example",
		"directives": "img-src", "days": "1", "granted": "1", "refused_by_choice": "1", "undecided": "1",
	}
	for _, column := range strings.Split(header, ",") {
		if got := rows["load https://*.video.example"][column]; got != origin[column] {
			t.Errorf("the origin's %s is %q, want %q", column, got, origin[column])
		}
	}
	for _, column := range strings.Split(strings.TrimPrefix(header, columns), ",") {
		if got := rows["set sessionid"][column]; got != "" {
			t.Errorf("the cookie's %s is %q", column, got)
		}
	}
	if len(rows) != 4 || rows["load (redirect)"]["count"] != "1" || rows["load https://t.example"]["category"] != "unlisted" {
		t.Errorf("the rows are %v", rows)
	}
}

// Rows of gateways with different policies can be told apart.
func TestCSVOfDigests(t *testing.T) {
	_, rows := rowsOf(t, report.Inventory{Origins: []report.Origin{{Origin: "https://a.example", Digest: "x"}},
		Cookies: []report.Item{{Name: "a", Channel: "set", Digest: "y"}}}.CSV())
	if rows["load https://a.example"]["digest"] != "x" || rows["set a"]["digest"] != "y" {
		t.Errorf("the inventory is %v", rows)
	}
	_, rows = rowsOf(t, report.Drift{Findings: []report.Finding{{Kind: "early", Origin: "https://a.example", Digest: "z"}}}.CSV())
	if rows[" "]["digest"] != "z" {
		t.Errorf("the drift is %v", rows)
	}
}

// What another gateway answered, or a damaged record holds, is no formula for a spreadsheet.
func TestCSVOfHostileOrigins(t *testing.T) {
	_, rows := rowsOf(t, report.Inventory{Origins: []report.Origin{{
		Origin: "=HYPERLINK(1)", Category: observe.Unlisted, Rule: "+1", Directives: []string{"-src", "\uff20a"},
		Hosts: []string{"@a\",\nb"},
	}}}.CSV())
	row := rows["load '=HYPERLINK(1)"]
	if len(rows) != 1 || row["rule"] != "'+1" || row["directives"] != "'-src \uff20a" || row["hosts"] != "'@a\",\nb" {
		t.Errorf("the rows are %q", rows)
	}
	_, rows = rowsOf(t, report.Drift{Findings: []report.Finding{{Kind: "early", Origin: "=1"}}}.CSV())
	if len(rows) != 1 || rows[" "]["origin"] != "'=1" {
		t.Errorf("the drift is %q", rows)
	}
}
