package cookiepolicy

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

const loading = "cookie_policy opendatasoft {\nname city\nallow third_party {\nconsent video\n" +
	"origin https://*.video.example\n}\nallow necessary {\norigin https://tiles.example.org\n}\n" +
	"load %s {\nsample 100%%\n}\n}\n"

// sendReport posts a body to the gateway as a browser posts reports, and returns the status.
func sendReport(t *testing.T, w *caddytest.Instance, method, contentType, body string, lines ...string) portaltest.Answer {
	t.Helper()
	answer, err := w.Site.TryAgain(fmt.Sprintf("%s /.cookie-policy/report?s3cr3t HTTP/1.1\r\nHost: localhost\r\n"+
		"Content-Type: %s\r\nContent-Length: %d\r\nUser-Agent: s3cr3t\r\nReferer: http://localhost/s3cr3t\r\n%s\r\n%s",
		method, contentType, len(body), strings.Join(append(lines, "Connection: close", ""), "\r\n"), body))
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// violation is a report about a page of the site.
func violation(blocked, directive string) string {
	return fmt.Sprintf(`{"csp-report":{"document-uri":"http://localhost/s3cr3t?s3cr3t","referrer":"http://s3cr3t.example/",`+
		`"blocked-uri":"%s","effective-directive":"%s","script-sample":"s3cr3t"}}`, blocked, directive)
}

// Reports never reach the portal, are judged by the choice of the visitor who sends them, and leave an origin
// and nothing else.
func TestLoadReports(t *testing.T) {
	portal := portaltest.StartPortal(t, strings.Replace(portaltest.Response("200 OK", nil, "hello"), "text/plain", "text/html", 1))
	w := caddytest.StartInstance(t, fmt.Sprintf(loading, "report")+"reverse_proxy "+portal.Address)
	page := w.Get("/", "Sec-Fetch-Dest: document")
	if got := page.Field("Content-Security-Policy-Report-Only"); len(got) != 1 ||
		!strings.HasSuffix(got[0], " https://tiles.example.org wss://tiles.example.org; report-uri /.cookie-policy/report; report-to cookie-policy") ||
		len(page.Field("Content-Security-Policy")) > 0 || len(page.Field("Reporting-Endpoints")) > 0 {
		t.Errorf("the page is %q", page.Raw)
	}
	const oldCSP, newCSP = "application/csp-report", "application/reports+json"
	const granted = `Cookie: cookies_preferences={"video":true}; sessionid=s3cr3t`
	for _, c := range []struct {
		name, method, contentType, body, line string
		status                                string
	}{
		{"unlisted", "POST", oldCSP, violation("https://b.example/s3cr3t?s3cr3t", "img-src"), "X: y", "204"},
		{"early", "POST", oldCSP, violation("https://www.video.example/s3cr3t", "frame-src"), "X: y", "204"},
		{"granted", "POST", oldCSP, violation("https://www.video.example/s3cr3t", "frame-src"), granted, "204"},
		{"a redirect", "POST", oldCSP, violation("http://localhost/s3cr3t", "script-src-elem"), "X: y", "204"},
		{"another host", "POST", oldCSP, strings.Replace(violation("https://c.example/", "img-src"), "localhost", "evil.example", 1), "X: y", "204"},
		{"deep", "POST", newCSP, strings.Repeat("[", 10000), "X: y", "204"},
		{"large", "POST", oldCSP, strings.Repeat("x", 17<<10), "X: y", "204"},
		{"another type", "POST", "text/plain", "s3cr3t", "X: y", "204"},
		{"another method", "GET", oldCSP, "", "X: y", "405"},
		{"a preflight", "OPTIONS", oldCSP, "", "X: y", "405"},
	} {
		answer := sendReport(t, w, c.method, c.contentType, c.body, c.line)
		if !strings.HasPrefix(answer.Raw, "HTTP/1.1 "+c.status) || len(answer.SetCookies()) > 0 ||
			strings.Join(answer.Field("Cache-Control"), "") != "no-store" {
			t.Errorf("%s: %q", c.name, answer.Raw)
		}
	}
	if n := len(portal.Requests()); n != 1 {
		t.Errorf("the portal got %d requests: %q", n, portal.Requests())
	}
	var inventory report.Inventory
	w.AskJSON("/cookie-policy/city/inventory", &inventory)
	var got []string
	for _, o := range inventory.Origins {
		got = append(got, fmt.Sprint(o.Origin, " ", o.Category, " ", o.Directives, " ", o.Count, " ", o.Granted, o.Refused, o.Undecided,
			" ", o.Verdicts, " ", o.Hosts))
	}
	want(t, "the inventory", strings.Join(got, "\n"), `(redirect) unlisted [script-src-elem] 1 0 0 1 map[would_refuse:1] [localhost]
https://*.video.example third_party [frame-src] 2 1 0 1 map[let_through:1 would_refuse:1] [localhost]
https://b.example unlisted [img-src] 1 0 0 1 map[would_refuse:1] [localhost]`)
	metrics := w.Metrics()
	for series, n := range map[string]string{
		`load_reports_total{category="unlisted",policy="city",verdict="would_refuse"}`:    "2",
		`load_reports_total{category="third_party",policy="city",verdict="let_through"}`:  "1",
		`load_reports_total{category="third_party",policy="city",verdict="would_refuse"}`: "1",
		`load_reports_dropped_total{policy="city",reason="other_page"}`:                   "1",
		`load_reports_dropped_total{policy="city",reason="malformed"}`:                    "1",
		`load_reports_dropped_total{policy="city",reason="too_large"}`:                    "1",
		`load_reports_dropped_total{policy="city",reason="type"}`:                         "1",
	} {
		want(t, series, metrics[series], n)
	}
	_, _, answers := w.Ask(http.MethodGet, "/cookie-policy/city/inventory")
	for _, path := range []string{"/cookie-policy/city/drift", "/metrics"} {
		_, _, answer := w.Ask(http.MethodGet, path)
		answers += answer
	}
	for _, name := range []string{"all.log", "audit.log"} {
		log, err := os.ReadFile(filepath.Join(w.Dir, name))
		if err != nil && name == "all.log" {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(log)) { // Caddy's own access log has what was asked for
			if !strings.Contains(line, `"logger":"http.log.access`) {
				answers += line
			}
		}
	}
	if i := strings.Index(answers, "s3cr3t"); i >= 0 {
		t.Errorf("what a report holds is told: …%s", answers[max(0, i-200):min(len(answers), i+50)])
	}

	// Handlers before the policy may change the path for the portal.
	w.Reload("route {\nrewrite * /portal{uri}\n" + fmt.Sprintf(loading, "report") + "reverse_proxy " + portal.Address + "\n}")
	seen := len(portal.Requests())
	sendReport(t, w, "POST", oldCSP, violation("https://rewritten.example/", "img-src"), "X: y")
	want(t, "requests of the portal behind a rewrite", len(portal.Requests()), seen)

	// A body that is not read to its end does not take the answer with it.
	for range 20 {
		answer := sendReport(t, w, "POST", "text/plain", strings.Repeat("x", 60<<10), "X: y")
		if !strings.HasPrefix(answer.Raw, "HTTP/1.1 204") {
			t.Errorf("the answer to a long body is %q", answer.Raw)
		}
	}

	// A flood costs the gateway little, and is told as one.
	for range 300 {
		sendReport(t, w, "POST", oldCSP, violation("https://b.example/", "img-src"), "X: y")
	}
	if n := w.Metrics()[`load_reports_dropped_total{policy="city",reason="too_often"}`]; n == "" {
		t.Error("every report of a flood was counted")
	}
}

// What the warnings about header directives say is so: those that are warned of take the gateway's policy
// away from pages, or never give theirs.
func TestLoadBehindHeaders(t *testing.T) {
	page := strings.Replace(portaltest.Response("200 OK", nil, "hello"), "text/plain", "text/html", 1)
	portal := portaltest.StartPortal(t, page)
	for directive, c := range map[string]struct{ gateways, own bool }{
		`header >Content-Security-Policy "img-src *"`:                          {false, true},
		"header {\nContent-Security-Policy \"img-src *\"\n-Server\n}":          {false, true},
		`header -Content-Security-*`:                                           {false, false},
		`header ?Content-Security-Policy "img-src *"`:                          {true, false},
		`header Content-Security-Policy "img-src *"`:                           {true, true},
		"header {\n+Content-Security-Policy \"img-src *\"\n-Server\n}":         {true, true},
		`header >Content-Security-Policy "font-src a.example" "font-src *"`:    {true, false},
		`header >Content-Security-Policy "default-src 'self'" "default-src *"`: {false, false},
	} {
		w := caddytest.StartInstance(t, "route {\n"+directive+"\n"+fmt.Sprintf(loading, "enforce")+"reverse_proxy "+portal.Address+"\n}")
		policies := w.Get("/", "Sec-Fetch-Dest: document").Field("Content-Security-Policy")
		gateways := slices.ContainsFunc(policies, func(p string) bool { return strings.HasPrefix(p, "default-src 'self' 'unsafe-inline'") })
		want(t, directive+": the gateway's policy", gateways, c.gateways)
		want(t, directive+": the directive's policy", slices.Contains(policies, "img-src *"), c.own)
	}
}

// What browsers reported on few days is listed, in the table and as data, and is no drift: the exit status
// and the suggested lines do not know it.
func TestRareOrigins(t *testing.T) {
	w := caddytest.StartInstance(t, "cookie_policy {\nname city\nallow necessary {\norigin https://tiles.example.org\n}\n"+
		"load report\n}\nrespond ok")
	sendReport(t, w, "POST", "application/csp-report", violation("https://b.example/", "img-src"))
	for _, c := range []struct {
		q    query
		says string
	}{
		{query{}, `\n\nThe portal and the policy do not differ.\n\nFINDING +COOKIE +DETAIL\n` +
			`rare +https://b.example +unlisted: reported once on one day, loaded as img-src, at localhost\n$`},
		{query{json: true, policy: "city"}, `"kind": "rare",\n\t+"cookie": "",\n\t+"origin": "https://b.example",`},
		{query{suggest: true}, `^# Policy city, [^\n]*\n\n?# Every cookie that was met has a rule.\n$`},
	} {
		c.q.addresses = []string{w.Admin}
		var out bytes.Buffer
		status, err := c.q.drift(&out)
		if status != exitDone || err != nil || !regexp.MustCompile(c.says).MatchString(out.String()) {
			t.Errorf("%+v: %d, %v, not %s in\n%s", c.q, status, err, c.says, out.String())
		}
	}
	rows := csvOf(t, w, "/cookie-policy/city/drift?format=csv")
	if len(rows) != 1 || rows[0]["kind"] != "rare" || rows[0]["origin"] != "https://b.example" {
		t.Errorf("the drift as CSV is %v", rows)
	}
}

// Without load the path is the portal's, and a page stays as it is; enforced, it has the policy of its
// visitor, and the portal is not asked whether a page has changed.
func TestLoadModes(t *testing.T) {
	response := strings.Replace(portaltest.Response("200 OK", nil, "hello"), "text/plain",
		"text/html\r\nContent-Security-Policy: img-src *", 1)
	for _, c := range []struct {
		load, choice string
		policies     int
		reported     bool
	}{
		{"off", `{"video":true}`, 1, false}, {"report", `{"video":true}`, 1, true},
		{"enforce", `{"video":true}`, 2, true}, {"enforce", `{"video":false}`, 2, true},
	} {
		portal := portaltest.StartPortal(t, response)
		block := strings.ReplaceAll(fmt.Sprintf(loading, c.load), "load off {\nsample 100%\n}\n", "load off\n")
		w := caddytest.StartInstance(t, block+"reverse_proxy "+portal.Address)
		answer := w.Get("/", "Sec-Fetch-Dest: document", "If-None-Match: x", "Cookie: cookies_preferences="+c.choice)
		policies := answer.Field("Content-Security-Policy")
		want(t, c.load+": policies", len(policies), c.policies)
		want(t, c.load+": the portal's", policies[0], "img-src *")
		if c.policies == 2 {
			want(t, c.load+": videos", strings.Contains(policies[1], "https://*.video.example wss://*.video.example"),
				strings.Contains(c.choice, "true"))
			want(t, "Vary", strings.Join(answer.Field("Vary"), ", "), "Cookie")
		}
		want(t, c.load+": the condition", strings.Contains(portal.Requests()[0], "If-None-Match"), c.policies == 1)
		want(t, c.load+": asks for reports", len(answer.Field("Content-Security-Policy-Report-Only")) == 1, c.reported)
		sendReport(t, w, "POST", "application/csp-report", violation("https://b.example/", "img-src"))
		want(t, c.load+": requests of the portal", len(portal.Requests()), map[bool]int{true: 1, false: 2}[c.reported])
	}
}
