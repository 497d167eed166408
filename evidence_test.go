package cookiepolicy

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
)

// witness is a gateway with all that it tells: an admin endpoint, metrics, and logs of all levels, the audit log in a file of its own.
type witness struct {
	t     *testing.T
	site  gateway
	admin string // its address
	dir   string // of the log files
}

func newWitness(t *testing.T) *witness {
	t.Helper()
	port := freePort(t) // and the next one, on which a site that speaks no TLS does not listen
	return &witness{t, gateway(port), fmt.Sprintf("127.0.0.1:%d", port+1), t.TempDir()}
}

// startWitness runs one with a site, given its directives.
func startWitness(t *testing.T, directives string) *witness {
	t.Helper()
	w := newWitness(t)
	w.reload(directives)
	return w
}

// reload gives the site other directives.
func (w *witness) reload(directives string) {
	w.t.Helper()
	w.load(w.siteWith(directives))
}

func (w *witness) siteWith(directives string) string {
	return fmt.Sprintf("http://localhost:%d {\nlog\n%s\n}\n", w.site, directives)
}

func (w *witness) load(sites string) {
	w.t.Helper()
	if err := w.tryLoad(sites); err != nil {
		w.t.Fatalf("%v\nin this Caddyfile:\n%s", err, sites)
	}
	w.t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			w.t.Error(err)
		}
	})
}

func (w *witness) tryLoad(sites string) error {
	w.t.Helper()
	config, err := w.adapt(sites)
	if err != nil {
		return err
	}
	return caddy.Load(config, true)
}

func (w *witness) adapt(sites string) ([]byte, error) {
	options := fmt.Sprintf(`{
	admin %s
	metrics
	persist_config off
	default_bind 127.0.0.1
	grace_period 5s
	storage file_system %s
	servers {
		trusted_proxies static 127.0.0.1/32
	}
	log {
		output file %s
		format json
		level DEBUG
	}
	log audit {
		output file %s
		format json
		include http.handlers.cookie_policy.audit
	}
}
`, w.admin, storage, filepath.Join(w.dir, "all.log"), filepath.Join(w.dir, "audit.log"))
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(options+sites), map[string]any{"filename": "Caddyfile"})
	return config, err
}

// get asks the site. When the answer is there, all that is told of it has been told: the connection closes after the last handler has returned.
func (w *witness) get(path string, header ...string) answer {
	w.t.Helper()
	answer, err := w.site.tryAgain("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" + strings.Join(append(header, "Connection: close"), "\r\n") + "\r\n\r\n")
	if err != nil {
		w.t.Fatal(err)
	}
	return answer
}

// ask asks the admin endpoint. Where a reload closed the connection before anything was answered, it asks again.
func (w *witness) ask(method, path string, header ...string) (status int, answered http.Header, body string) {
	w.t.Helper()
	var err error
	for range 10 {
		req, _ := http.NewRequestWithContext(w.t.Context(), method, "http://"+w.admin+path, nil)
		for _, line := range header {
			name, value, _ := strings.Cut(line, ": ")
			req.Header.Set(name, value)
		}
		req.Close = true
		var resp *http.Response
		if resp, err = http.DefaultClient.Do(req); err != nil {
			continue
		}
		b, readErr := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err = readErr; err == nil {
			return resp.StatusCode, resp.Header, string(b)
		}
	}
	w.t.Fatal(err)
	return 0, nil, ""
}

func (w *witness) askJSON(path string, v any) {
	w.t.Helper()
	status, header, body := w.ask(http.MethodGet, path)
	if status != http.StatusOK || header.Get("Content-Type") != "application/json" {
		w.t.Fatalf("%s: %d %s: %s", path, status, header.Get("Content-Type"), body)
	}
	if err := json.Unmarshal([]byte(body), v); err != nil {
		w.t.Fatalf("%s: %v in %s", path, err, body)
	}
}

// inventory is what a policy met, by channel and name.
func (w *witness) inventory(policy string) map[string]enforcer.Item {
	w.t.Helper()
	var report enforcer.Report
	w.askJSON("/cookie-policy/"+policy+"/inventory", &report)
	items := map[string]enforcer.Item{}
	for _, item := range report.Cookies {
		items[item.Channel+" "+item.Name] = item
	}
	return items
}

// metrics are those of this module that are not zero: the series without the common prefix, and the value.
func (w *witness) metrics() map[string]string {
	w.t.Helper()
	status, _, body := w.ask(http.MethodGet, "/metrics")
	if status != http.StatusOK {
		w.t.Fatalf("/metrics: %d %s", status, body)
	}
	series := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^caddy_cookie_policy_(.*) (\S+)$`).FindAllStringSubmatch(body, -1) {
		if m[2] != "0" {
			series[m[1]] = m[2]
		}
	}
	return series
}

// verdicts are the counters of one policy, as channel/category/verdict.
func (w *witness) verdicts(policy string) map[string]string {
	w.t.Helper()
	numbers := map[string]string{}
	for series, n := range w.metrics() {
		m := regexp.MustCompile(`^verdicts_total\{category="(.*)",channel="(.*)",policy="(.*)",verdict="(.*)"\}$`).FindStringSubmatch(series)
		if m != nil && m[3] == policy {
			numbers[m[2]+"/"+m[1]+"/"+m[4]] = n
		}
	}
	return numbers
}

// entry is a line of a log.
type entry map[string]any

// log returns the lines of a file, those of one logger and message; of all if they are empty.
func (w *witness) log(file, logger, message string) (entries []entry) {
	w.t.Helper()
	b, err := os.ReadFile(filepath.Join(w.dir, file))
	if err != nil {
		w.t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		var e entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			w.t.Fatalf("%v in %s", err, line)
		}
		if (logger == "" || e["logger"] == logger) && (message == "" || e["msg"] == message) {
			entries = append(entries, e)
		}
	}
	return entries
}

const (
	handlerLog = "http.handlers.cookie_policy"
	auditLog   = "http.handlers.cookie_policy.audit"
	appLog     = "cookie_policy"
)

// pick writes down some fields of log entries, one entry a line.
func pick(entries []entry, fields ...string) string {
	var b strings.Builder
	for _, e := range entries {
		for i, field := range fields {
			if i > 0 {
				b.WriteByte('|')
			}
			fmt.Fprint(&b, e[field])
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func want(t *testing.T, what string, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s:\ngot  %v\nwant %v", what, got, want)
	}
}

// A policy that only reports changes no byte on either wire, over all paths and channels; and what it counts is what an enforcing one counts.
func TestReportModeChangesNoByte(t *testing.T) {
	const policy = "cookie_policy opendatasoft matomo {\nname city\nmode %s\nallow third_party _ga {\nconsent ga\n}\n" +
		"allow necessary mended {\nmax_age 1h\nsecure\nhttp_only\nsame_site strict\n}\nallow necessary csrftoken {\nlifetime 1h\n}\nlifetimes enforce\n" +
		"rewrite_domain portal.example localhost\nsignal gpc statistical\n" +
		"preference cookies_preferences {\ntimestamp timestamp\nmax_age 183d\npersist\n}\n}\n"
	cookies := []string{session, matomo, csrf + "; Max-Age=9999999", google, unlisted, "mended=1; Max-Age=86400", "moved=1; Domain=portal.example", "sessionid=2; Domain=.portal.example",
		"s3cr3t", "_gid=; Max-Age=0", strings.Repeat("n", 5000) + "=1", "\xff=1"}
	page := strings.Replace(response("200 OK", cookies, "hello"), "text/plain", "text/html\r\nCache-Control: public, s-maxage=60\r\nSurrogate-Control: max-age=5\r\n"+
		"Vary: Accept\r\nset-COOKIE: _ga=1\r\nSet-Cookie2: a=b", 1)
	choice := fmt.Sprintf(`cookies_preferences={"matomo":false,"timestamp":%d}`, time.Now().Add(-time.Hour).Unix())
	for _, c := range []struct {
		what     string
		around   string // directives; POLICY and PORTAL are put in
		response string
		request  []string
	}{
		{"a page", "POLICY reverse_proxy PORTAL", page, nil},
		{"a page for one who refused", "POLICY reverse_proxy PORTAL", page, []string{"Cookie: sessionid=1; _pk_id.1=2; _ga=3;; stray=1; s3cr3t; " + choice, "Sec-Fetch-Mode: navigate"}},
		{"a page for one who granted", "POLICY reverse_proxy PORTAL", page, []string{"Cookie: " + grantsMatomo + "; _pk_id.1=2", "Cookie: =x;  a=b ;", "Sec-Gpc: 1"}},
		{"a page for one who objects", "POLICY reverse_proxy PORTAL", page, []string{"Sec-Gpc: 1", "Cookie: _pk_id.1=2"}},
		{"a choice that is sent again", "POLICY reverse_proxy PORTAL", response("200 OK", nil, "hello"), []string{"Cookie: " + choice, "Sec-Fetch-Mode: navigate"}},
		{"a choice that the response writes", "POLICY reverse_proxy PORTAL", response("200 OK", []string{matomo, grantsMatomo}, "hello"), []string{"Cookie: _pk_id.1=2"}},
		{"a redirect", "POLICY reverse_proxy PORTAL", strings.Replace(response("302 Found", cookies, ""), "text/plain", "text/plain\r\nLocation: /x\r\nContent-Length: 0", 1), nil},
		{"no change", "POLICY reverse_proxy PORTAL", response("304 Not Modified", cookies, ""), nil},
		{"an error of the portal", "POLICY reverse_proxy PORTAL", response("500 Internal Server Error", cookies, "oops"), nil},
		{"early hints", "POLICY header +Set-Cookie `" + google + "`\nreverse_proxy PORTAL", "HTTP/1.1 103 Early Hints\r\nSet-Cookie: " + google + "\r\nSet-Cookie: " + session + "\r\n\r\n" + page, nil},
		{"trailers", "POLICY reverse_proxy PORTAL", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\nTrailer: Set-Cookie\r\nTransfer-Encoding: chunked\r\nSet-Cookie: " + session +
			"\r\n\r\n5\r\nhello\r\n0\r\nSet-Cookie: " + google + "\r\n\r\n", nil},
		// Bodies of unknown length have a type of their own: whether Go finds one out for them is a matter of time.
		{"a body in chunks", "POLICY reverse_proxy PORTAL", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\nSet-Cookie: " + google + "\r\n\r\n5\r\nhello\r\n5\r\nthere\r\n0\r\n\r\n", nil},
		{"a body until the end", "POLICY reverse_proxy PORTAL", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\nSet-Cookie: " + google + "\r\n\r\nhello", nil},
		{"another protocol", "POLICY reverse_proxy PORTAL", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\nSet-Cookie: " + google + "\r\nSet-Cookie: " + session + "\r\n\r\nhello",
			[]string{"Connection: Upgrade", "Upgrade: chat", "Cookie: _ga=1"}},
		{"encode", "POLICY encode gzip\nreverse_proxy PORTAL", response("200 OK", cookies, strings.Repeat("hello ", 500)), []string{"Accept-Encoding: gzip"}},
		{"header", "POLICY header {\n+Set-Cookie `" + google + "`\n+Set-Cookie `" + session + "`\ndefer\n}\nrespond hello", "", []string{"Cookie: _ga=1"}},
		{"a placeholder", "POLICY vars consent {http.cookie_policy.consent.matomo}\nreverse_proxy PORTAL", page, nil},
		{"lb_policy cookie", "POLICY reverse_proxy PORTAL {\nlb_policy cookie lb secret\n}", page, nil},
		{"handle_response", "POLICY reverse_proxy PORTAL {\nhandle_response {\ncopy_response_headers\nrespond bye\n}\n}", response("200 OK", cookies, ""), nil},
		{"an error", "POLICY header +Set-Cookie `" + google + "`\nerror 503", "", []string{"Cookie: _ga=1"}},
		{"an error route", "POLICY header +Set-Cookie `" + google + "`\nerror 503\nhandle_errors {\nPOLICY header +Set-Cookie `" + matomo + "`\nrespond oops 503\n}", "", []string{"Cookie: _ga=1"}},
		{"what a handler may do", "route {\nPOLICY test_handler\n}", "", []string{"Cookie: _ga=1"}},
		{"no portal", "POLICY header +Set-Cookie `" + google + "`\nreverse_proxy 127.0.0.1:1", "", []string{"Cookie: _ga=1"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			setHandler(t, func(w http.ResponseWriter, r *http.Request) error {
				w.Header()["set-cookie"] = []string{google, session}
				w.Header()["Set-Cookie"] = []string{matomo, csrf}
				w.Write([]byte(strings.Join(r.Header["Cookie"], "|")))
				http.NewResponseController(w).Flush()
				w.Header()[http.TrailerPrefix+"Set-Cookie"] = []string{google, session}
				return nil
			})
			site := newWitness(t)
			wires := map[string]string{}
			numbers := map[string]string{}
			for _, mode := range []string{"", enforcer.ModeReport, enforcer.ModeEnforce} {
				portal := startPortal(t, c.response)
				p := ""
				if mode != "" {
					p = fmt.Sprintf(policy, mode)
				}
				site.reload(strings.NewReplacer("POLICY ", p, "PORTAL", portal.address).Replace(c.around))
				answer := site.get("/", c.request...)
				portal.mu.Lock()
				requests := strings.ReplaceAll(strings.Join(portal.requests, "\n"), portal.address, "")
				portal.mu.Unlock()
				wires[mode] = requests + "\n-----\n" + regexp.MustCompile(`Date: .*\r\n`).ReplaceAllString(answer.raw, "")
				// Another port is another balancer's cookie.
				wires[mode] = regexp.MustCompile(`lb=\w+`).ReplaceAllString(wires[mode], "lb=")
				counted := site.verdicts("city")
				// A connection that was handed over ends before its handler does.
				for begun := time.Now(); mode != "" && len(counted) == 0 && time.Since(begun) < 10*time.Second; {
					counted = site.verdicts("city")
				}
				numbers[mode] = fmt.Sprint(counted)
				if err := caddy.Stop(); err != nil { // the numbers begin anew
					t.Fatal(err)
				}
			}
			if wires[enforcer.ModeReport] != wires[""] {
				t.Errorf("with the module:\n%q\nwithout:\n%q", wires[enforcer.ModeReport], wires[""])
			}
			twice := c.what == "an error route" // where two policies judge one after the other, an enforcing one leaves nothing to the second
			if !twice && numbers[enforcer.ModeReport] != numbers[enforcer.ModeEnforce] || numbers[enforcer.ModeReport] == "map[]" {
				t.Errorf("counted\n%s, enforcing\n%s", numbers[enforcer.ModeReport], numbers[enforcer.ModeEnforce])
			}
			if wires[enforcer.ModeEnforce] == wires[""] {
				t.Errorf("nothing was there to change:\n%q", wires[""])
			}
		})
	}
}

// All that a policy that only reports would do can be read from its log, its numbers and its inventory.
func TestReportModeTellsAll(t *testing.T) {
	page := strings.Replace(response("200 OK", []string{session, matomo, google, "_gid=; Max-Age=0"}, "hello"), "text/plain", "text/html", 1)
	w := startWitness(t, "cookie_policy opendatasoft matomo {\nname city\nmode report\n}\nreverse_proxy "+startPortal(t, page).address)
	w.get("/", "Cookie: sessionid=1; _pk_id.1=2; stray=3")
	want(t, "verdicts", w.verdicts("city"), map[string]string{"set/necessary/let_through": "1", "set/statistical/refused": "1", "set/unlisted/refused": "1",
		"set/unlisted/deletion": "1", "read/necessary/let_through": "1", "read/statistical/refused": "1", "read/unlisted/refused": "1", "expire/statistical/expired": "1"})
	want(t, "the log", pick(w.log("all.log", handlerLog, "verdict"), "level", "policy", "cookie", "channel", "verdict", "rule"),
		`debug|city|sessionid|read|let_through|necessary sessionid
debug|city|_pk_id.1|read|refused|statistical _pk_id*
debug|city|stray|read|refused|
debug|city|sessionid|set|let_through|necessary sessionid
debug|city|_pk_id.1.1fff|set|refused|statistical _pk_id*
debug|city|_ga|set|refused|
debug|city|_gid|set|deletion|
debug|city|_pk_id.1|expire|expired|statistical _pk_id*
`)
	got := w.inventory("city")
	want(t, "the inventory", slices.Sorted(maps.Keys(got)), []string{"read _pk_id.1", "read sessionid", "read stray", "set _ga", "set _gid", "set _pk_id.1.1fff", "set sessionid"})
	want(t, "a removal", got["read _pk_id.1"].Verdicts, map[string]uint64{"expired": 1, "refused": 1})
	want(t, "the mode", pick(w.log("all.log", appLog, "cookie policy in force"), "mode"), "report\n")
}

// At each load one line for each policy tells what is in force and what changed.
func TestLoadIsLogged(t *testing.T) {
	w := startWitness(t, "cookie_policy opendatasoft {\nname city\n}\nrespond ok")
	w.reload("cookie_policy opendatasoft {\nname city\n}\nrespond again")
	w.reload("cookie_policy opendatasoft {\nname city\nmode report\nallow third_party _ga\n}\nrespond ok")
	w.reload("cookie_policy opendatasoft {\nname town\nmode report\nallow third_party _ga\n}\nrespond ok")
	lines := w.log("all.log", appLog, "cookie policy in force")
	want(t, "the lines", pick(lines, "level", "policy", "mode", "rules", "cookies", "preferences", "changes"), `info|city|enforce|4|4|1|[new]
info|city|enforce|4|4|1|[]
info|city|report|5|5|1|[added: allow third_party _ga mode report, was enforce]
info|town|report|5|5|1|[new]
`)
	digests := regexp.MustCompile(`^([0-9a-f]{64})\n([0-9a-f]{64})\n([0-9a-f]{64})\n([0-9a-f]{64})\n$`).FindStringSubmatch(pick(lines, "digest"))
	if digests == nil || digests[1] != digests[2] || digests[2] == digests[3] || digests[3] != digests[4] {
		t.Errorf("the digests are %q", pick(lines, "digest"))
	}
}

// The first meeting with a cookie that no rule names is told once, on whichever channel, and not again after a reload.
func TestUnlistedCookiesAreToldOnce(t *testing.T) {
	portal := startPortal(t, response("200 OK", []string{"tracker=s3cr3t; Domain=.city.example; path=/a; Secure; token=s3cr3t", "both=1", session, "s3cr3t"}, "hello"))
	site := "cookie_policy opendatasoft {\nname city\n%s\n}\nreverse_proxy " + portal.address
	w := startWitness(t, fmt.Sprintf(site, ""))
	for range 3 {
		w.get("/", "Cookie: both=1; sent=1; sessionid=1; s3cr3t")
	}
	w.reload(fmt.Sprintf(site, "mode report"))
	w.get("/", "Cookie: both=1; sent=1; sessionid=1; s3cr3t")
	w.reload(fmt.Sprintf(site, "unlisted pass"))
	w.get("/", "Cookie: both=1; sent=1; sessionid=1; s3cr3t")
	want(t, "the warnings", pick(w.log("all.log", handlerLog, "met a cookie that the policy does not name"), "level", "policy", "cookie", "channel", "attributes", "host"),
		`warn|city|both|read||localhost
warn|city|sent|read||localhost
warn|city|(nameless)|read||localhost
warn|city|tracker|set|Domain=.city.example; path=/a; Secure|localhost
`)
}

// The audit log tells what was in force, from when to when, and nothing else is in it: not what was only validated, nor what failed to load,
// however far it got.
func TestAudit(t *testing.T) {
	w := startWitness(t, "cookie_policy opendatasoft {\nname city\n}\nrespond one")
	begun := w.since("city")
	audit := func() string { return pick(w.log("audit.log", "", ""), "level", "logger", "msg", "policy") }
	first := "info|" + auditLog + "|policy comes into force|city\n"
	want(t, "at the start", audit(), first)

	w.reload("cookie_policy opendatasoft {\nname city\n}\nrespond two")
	want(t, "the same policy again", audit(), first)
	if !w.since("city").Equal(begun) {
		t.Error("the same policy is in force since another time")
	}

	config, err := w.adapt(w.siteWith("cookie_policy opendatasoft {\nname validated\n}\nrespond three"))
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
	portal := startPortal(t, response("200 OK", []string{google}, ""))
	w.reload("cookie_policy opendatasoft {\nname city\n}\nreverse_proxy " + portal.address)
	w.get("/")
	numbers := fmt.Sprint(w.metrics(), w.inventory("city"))
	for what, sites := range map[string]string{
		"faults":             w.siteWith("cookie_policy opendatasoft {\nname city\nallow necessary a b a\n}"),
		"another's fault":    w.siteWith("cookie_policy opendatasoft {\nname city\nmode report\n}\n@x path_regexp (\nrespond @x ok"),
		"a port that is not": w.siteWith("cookie_policy opendatasoft {\nname city\nmode report\n}") + fmt.Sprintf("http://localhost:%d {\ncookie_policy matomo {\nname other\n}\n}", taken.Addr().(*net.TCPAddr).Port),
	} {
		for range 6 { // Caddy starts apps in any order
			if err := w.tryLoad(sites); err == nil {
				t.Fatalf("%s: loaded", what)
			}
			want(t, what+": the audit log", audit(), first)
			var policies []policyInForce
			w.askJSON("/cookie-policy/policies", &policies)
			if len(policies) != 1 || policies[0].Name != "city" || policies[0].Mode != "enforce" || !policies[0].Since.Equal(begun) {
				t.Errorf("%s: in force are %+v", what, policies)
			}
			want(t, what+": the numbers", fmt.Sprint(w.metrics(), w.inventory("city")), numbers)
		}
	}
	if lines := w.log("all.log", appLog, "cookie policy in force"); len(lines) != 3 {
		t.Errorf("the log tells of %d loads", len(lines))
	}
	w.get("/")
	want(t, "the running policy counts on", w.verdicts("city"), map[string]string{"set/unlisted/refused": "2"})

	w.reload("cookie_policy opendatasoft {\nname city\nmode report\n}\nrespond four")
	second := first + "info|" + auditLog + "|policy comes into force|city\n" + "info|" + auditLog + "|policy ends|city\n"
	want(t, "another policy of this name", audit(), second)
	w.reload("cookie_policy opendatasoft {\nname town\nmode report\n}\nrespond four")
	third := second + "info|" + auditLog + "|policy comes into force|town\n" + "info|" + auditLog + "|policy ends|city\n"
	want(t, "another name", audit(), third)
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	want(t, "after the end", audit(), third+"info|"+auditLog+"|policy ends|town\n")

	// The whole policy is there as data, and the times.
	entries := w.log("audit.log", "", "")
	begin, end := entries[0], entries[2]
	content, err := json.Marshal(begin["content"])
	if err != nil {
		t.Fatal(err)
	}
	var p enforcer.Policy
	d := json.NewDecoder(bytes.NewReader(content))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil || p.Mode != "enforce" || len(p.Allow) != 4 || len(p.Preference) != 1 {
		t.Errorf("%v: the policy is %s", err, content)
	}
	compiled, err := enforcer.Compile(p, time.Now)
	if err != nil || compiled.Digest() != begin["digest"] || end["digest"] != begin["digest"] {
		t.Errorf("%v: the digest of what is written is another than %v and %v", err, begin["digest"], end["digest"])
	}
	since, _ := begin["time"].(float64)
	until, _ := end["time"].(float64)
	if since == 0 || until < since || end["since"] != begin["time"] {
		t.Errorf("in force from %v to %v, which is since %v", begin["time"], end["time"], end["since"])
	}
}

func (w *witness) since(policy string) time.Time {
	w.t.Helper()
	var policies []policyInForce
	w.askJSON("/cookie-policy/policies", &policies)
	for _, p := range policies {
		if p.Name == policy {
			return p.Since
		}
	}
	w.t.Fatalf("%s is not in force: %+v", policy, policies)
	return time.Time{}
}

// Two different policies cannot have one name; the same one may stand on several sites, and its numbers are one.
func TestNamesOfPolicies(t *testing.T) {
	w := newWitness(t)
	port := freePort(t)
	for port == int(w.site) || port == int(w.site)+1 {
		port = freePort(t)
	}
	two := "http://localhost:%d {\ncookie_policy opendatasoft {\nname city\n%s\n}\nreverse_proxy %s\n}\n"
	portal := startPortal(t, response("200 OK", []string{google, session}, ""))
	err := w.tryLoad(fmt.Sprintf(two, w.site, "", portal.address) + fmt.Sprintf(two, port, "mode report", portal.address))
	if err == nil || !strings.Contains(err.Error(), "two different policies have this name") {
		t.Errorf("loaded: %v", err)
	}
	w.load(fmt.Sprintf(two, w.site, "", portal.address) + fmt.Sprintf(two, port, "", portal.address) +
		fmt.Sprintf("http://other.localhost:%d {\ncookie_policy opendatasoft matomo\nreverse_proxy %s\n}\n", port, portal.address))
	w.get("/")
	gateway(port).get(t, "")
	gateway(port).send(t, "GET / HTTP/1.1\r\nHost: other.localhost\r\nConnection: close\r\n\r\n")
	var policies []policyInForce
	w.askJSON("/cookie-policy/policies", &policies)
	if len(policies) != 2 || policies[0].Name != policies[0].Digest[:8] || policies[1].Name != "city" {
		t.Fatalf("in force are %+v", policies)
	}
	want(t, "two sites", w.verdicts("city"), map[string]string{"set/unlisted/refused": "2", "set/necessary/let_through": "2"})
	want(t, "the other one", w.verdicts(policies[0].Name), map[string]string{"set/unlisted/refused": "1", "set/necessary/let_through": "1"})
	want(t, "hosts", w.inventory(policies[0].Name)["set _ga"].Hosts, []string{"other.localhost"})
}

// Nothing of what the gateway writes holds a value; and nothing that this module writes holds an address, a path or a query string either.
func TestNoValueAnywhere(t *testing.T) {
	secrets := []string{}
	secret := func() string {
		secrets = append(secrets, fmt.Sprintf("s3cr3t%03d", len(secrets)))
		return secrets[len(secrets)-1]
	}
	lines := []string{"sessionid=" + secret() + "; Path=/", "_ga=" + secret(), "_pk_id.1=" + secret() + "; Max-Age=60", "stray=" + secret() + "; token=" + secret() + "; Secure=" + secret() + "; HttpOnly=" + secret() + "; Path=/t0k3n",
		secret(), "=" + secret(), "a\tb=" + secret(), "gone=" + secret() + "; Max-Age=0", `quoted="` + secret() + `"`, "far=" + secret() + "; Domain=elsewhere.example",
		"cookies_preferences=" + secret(), " " + secret() + " ; Path=/", "sessionid=" + secret() + "; " + secret(), "utf=\xff" + secret()}
	cookies := []string{"sessionid=" + secret(), "_ga=" + secret(), "_pk_id.1=" + secret(), "stray=" + secret(), secret(), "=" + secret(), "client=" + secret(), `"` + secret() + `"`,
		"cookies_preferences=%7B%22matomo%22%3Afalse%2C%22visitor%22%3A%22" + secret() + "%22%7D", "cookies_preferences=" + secret()}
	private := []string{"203.0.113.77", "127.0.0.1", "2001:db8", "/pr1vate", "qu3ry"}
	portal := startUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Set-Cookie"] = lines
		if strings.HasPrefix(r.URL.Path, "/pr1vate/page") {
			w.Header().Set("Content-Type", "text/html")
		}
		w.Write([]byte("hello"))
	})
	w := newWitness(t)
	for _, options := range []string{"", "mode report", "unlisted pass", "allow necessary * {\nmax_age 1h\n}", "rewrite_domain portal.example\nallow necessary far", "allow statistical st* {\ndomain x.example\n}"} {
		w.reload("cookie_policy opendatasoft matomo {\nname city\n" + options + "\n}\nmap {http.cookie_policy.consent.nobody} {x} {\ndefault y\n}\nheader X-Consent {x}\n" +
			"handle_errors {\ncookie_policy opendatasoft\nrespond oops\n}\n@broken path *broken\nerror @broken 500\nreverse_proxy " + portal)
		for _, path := range []string{"/pr1vate/page?qu3ry=1", "/pr1vate/asset?qu3ry=1", "/pr1vate/broken?qu3ry"} {
			for _, client := range []string{"203.0.113.77", "2001:db8::7"} {
				answer := w.get(path, "Cookie: "+strings.Join(cookies, "; "), "X-Forwarded-For: "+client, "Referer: http://localhost/pr1vate?qu3ry")
				if answer.raw == "" {
					t.Error("no answer")
				}
			}
		}
	}
	told := map[string]string{}
	for _, path := range []string{"/metrics", "/cookie-policy/policies", "/cookie-policy/city/inventory", "/cookie-policy/city/inventory?format=csv", "/cookie-policy/city/drift"} {
		_, _, told[path] = w.ask(http.MethodGet, path)
	}
	for _, asked := range []string{"inventory", "drift"} {
		for _, asJSON := range []bool{false, true} {
			var out bytes.Buffer
			c := command{addresses: addresses{w.admin}, policy: "city", json: asJSON}
			_, err := c.run([]string{asked}, &out)
			told[fmt.Sprint(asked, asJSON)] = fmt.Sprint(out.String(), err)
		}
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"all.log", "audit.log"} {
		b, err := os.ReadFile(filepath.Join(w.dir, file))
		if err != nil {
			t.Fatal(err)
		}
		whole := "the whole " + file // Caddy's own access log has addresses and paths
		for line := range strings.Lines(string(b)) {
			told[whole] += line
			if strings.Contains(line, `"logger":"http.handlers.cookie_policy`) || strings.Contains(line, `"logger":"cookie_policy`) {
				told[file] += line
			}
		}
	}
	for _, what := range slices.Sorted(maps.Keys(told)) {
		text := told[what]
		if text == "" {
			t.Errorf("%s is empty", what)
		}
		forbidden := slices.Clone(secrets)
		if !strings.HasPrefix(what, "the whole") && what != "/metrics" { // Caddy's own metrics have its admin paths
			forbidden = append(forbidden, private...)
		}
		for _, word := range append(forbidden, "s3cr3t") {
			if at := strings.Index(text, word); at >= 0 {
				t.Errorf("%s holds %s: %.300s", what, word, text[max(0, at-200):])
				break
			}
		}
	}
	for _, word := range []string{"stray", "(nameless)", "_ga"} { // it has looked at something
		for _, what := range []string{"all.log", "/cookie-policy/city/inventory", "inventoryfalse"} {
			if !strings.Contains(told[what], word) {
				t.Errorf("%s does not hold %s", what, word)
			}
		}
	}
}

// Numbers go on over reloads, and can be asked for right after each; a policy that is gone is gone from them too.
func TestMetricsOverReloads(t *testing.T) {
	portal := startPortal(t, response("200 OK", []string{google, session}, ""))
	w := newWitness(t)
	site := func(options string) string {
		return w.siteWith("cookie_policy opendatasoft matomo {\nname city\n" + options + "\n}\nreverse_proxy " + portal.address)
	}
	for i := range 5 {
		w.load(site([]string{"", "mode report"}[i%2]))
		if i > 0 {
			want(t, "right after the reload", w.verdicts("city"), map[string]string{"set/unlisted/refused": fmt.Sprint(i), "set/necessary/let_through": fmt.Sprint(i), "read/statistical/refused": fmt.Sprint(i), "read/necessary/let_through": fmt.Sprint(i)})
		}
		w.get("/", "Cookie: _pk_id.1=1; cookies_preferences={\"matomo\":false}")
	}
	var policies []policyInForce
	w.askJSON("/cookie-policy/policies", &policies)
	metrics := w.metrics()
	info := fmt.Sprintf("info{digest=%q,mode=%q,policy=%q}", policies[0].Digest, "enforce", "city")
	if value, err := json.Number(metrics[info]).Float64(); err != nil || int64(value) != policies[0].Since.Unix() {
		t.Errorf("%s is %q, want %d, in %v", info, metrics[info], policies[0].Since.Unix(), metrics)
	}
	want(t, "preferences", metrics[`preferences_total{policy="city",state="valid"}`], 5)
	want(t, "unlisted names", metrics[`unlisted_names{policy="city"}`], 1)

	w.load(w.siteWith("cookie_policy opendatasoft {\nname town\n}\nreverse_proxy " + portal.address))
	w.get("/")
	want(t, "the policy renamed", w.verdicts("town"), map[string]string{"set/unlisted/refused": "1", "set/necessary/let_through": "1"})
	want(t, "its old name", w.verdicts("city"), map[string]string{})
	if status, _, _ := w.ask(http.MethodGet, "/cookie-policy/city/inventory"); status != http.StatusNotFound {
		t.Errorf("the old name answers with %d", status)
	}
	w.load(w.siteWith("respond ok"))
	want(t, "no policy", len(w.metrics()), 0)
	w.askJSON("/cookie-policy/policies", &policies)
	want(t, "no policy", len(policies), 0)
}

// hostileNames are names that a client or a portal may choose to do harm where they are shown.
var hostileNames = []string{"\u009b31mred", "\u202egnp.exe", "<script>alert(1)</script>", "@SUM(1+1)", "+cmd|'/C calc'!A0", "-2+3", "'x", `"quoted","cells"`, "\xff\xfe", "x\ty", "{{x}}", "%0a%0d",
	`back\slash`, "\uff1dwide", "nul\u2028line", strings.Repeat("x", 10_000), "caddy_cookie_policy_verdicts_total{}", "🍪"}

// Names that mean harm come out harmless everywhere: in logs, JSON, CSV and tables. They are never a label.
func TestHostileNames(t *testing.T) {
	portal := startUpstream(t, func(w http.ResponseWriter, _ *http.Request) {
		for _, name := range hostileNames {
			w.Header().Add("Set-Cookie", name+"=1; Domain="+name+"; Path=/"+name+"; SameSite="+name+"; Max-Age="+name)
		}
		w.Header().Add("Set-Cookie", "=HYPERLINK(1)")
	})
	w := startWitness(t, "cookie_policy opendatasoft {\nname city\n}\nreverse_proxy "+portal)
	for _, name := range hostileNames {
		w.get("/", "Cookie: "+name+"=1; =HYPERLINK(1)")
	}
	answers := map[string]string{}
	for _, path := range []string{"/cookie-policy/city/inventory", "/cookie-policy/city/inventory?format=csv", "/cookie-policy/city/drift", "/metrics"} {
		_, _, answers[path] = w.ask(http.MethodGet, path)
	}
	for _, asked := range []string{"inventory", "drift"} {
		var out bytes.Buffer
		c := command{addresses: addresses{w.admin}}
		if status, err := c.run([]string{asked}, &out); status == exitNotAsked {
			t.Fatal(err)
		}
		answers[asked] = out.String()
	}
	for file, logger := range map[string]string{"all.log": handlerLog, "audit.log": ""} {
		for _, e := range w.log(file, logger, "") {
			b, _ := json.Marshal(e["cookie"])
			answers[file] += fmt.Sprint(e["cookie"], e["attributes"], e["host"]) + string(b) + "\n"
		}
	}
	for what, text := range answers {
		if !utf8.ValidString(text) {
			t.Errorf("%s is no UTF-8", what)
		}
		for _, r := range text {
			if !unicode.IsGraphic(r) && r != '\n' && r != '\t' {
				t.Errorf("%s holds %q", what, r)
				break
			}
		}
		if strings.Contains(text, strings.Repeat("x", 101)) {
			t.Errorf("%s holds a long name", what)
		}
	}
	for _, name := range []string{"alert", "SUM", "calc", "xxx", "🍪", "slash"} {
		if strings.Contains(answers["/metrics"], name) {
			t.Errorf("%s is in the metrics", name)
		}
	}
	if strings.Contains(answers["/cookie-policy/city/inventory"], "<") {
		t.Error("the JSON holds HTML")
	}
	rows, err := csv.NewReader(strings.NewReader(answers["/cookie-policy/city/inventory?format=csv"])).ReadAll()
	if err != nil || len(rows) < 2*len(hostileNames)-4 {
		t.Fatalf("%d rows: %v", len(rows), err)
	}
	for _, row := range rows {
		for _, cell := range row {
			if cell != "" && strings.ContainsRune("=+-@\t\r\uff1d\uff0b\uff0d\uff20", []rune(cell)[0]) {
				t.Errorf("a spreadsheet takes this for a formula: %q", cell)
			}
		}
	}
	if table := strings.Split(strings.TrimSpace(answers["inventory"]), "\n"); len(table) != len(rows)+2 {
		t.Errorf("the table has %d lines, the CSV %d", len(table), len(rows))
	}
}

// The inventory tells of each cookie what was met, since when, and goes on over reloads; clients cannot grow it, nor push out what the portal sets.
func TestInventory(t *testing.T) {
	portal := startPortal(t, response("200 OK", []string{"sessionid=1; Path=/; HttpOnly; Max-Age=1209600", "sessionid=2; Domain=.City.example; Path=/app; Secure; SameSite=LAX", google}, "hello"))
	site := "cookie_policy opendatasoft {\nname city\n%s\n}\nreverse_proxy " + portal.address
	before := time.Now().Add(-time.Second)
	w := startWitness(t, fmt.Sprintf(site, ""))
	var names []string
	for i := range 1500 {
		names = append(names, fmt.Sprintf("junk%d=1", i))
	}
	for part := range slices.Chunk(names, 100) {
		w.get("/", "Cookie: "+strings.Join(part, "; "))
	}
	w.get("/", "Cookie: sessionid=1; s3cr3t")
	var first, second enforcer.Report
	w.askJSON("/cookie-policy/city/inventory", &first)
	if len(first.Cookies) != 1000+4 || first.Overflow != 500 {
		t.Errorf("%d names are known, for %d there was no room", len(first.Cookies), first.Overflow)
	}
	w.reload(fmt.Sprintf(site, "mode report"))
	w.get("/", "Cookie: sessionid=1")
	w.askJSON("/cookie-policy/city/inventory", &second)
	if first.Since.Before(before) || !second.Since.Equal(first.Since) || second.Digest == first.Digest || second.At.Before(first.At) {
		t.Errorf("observed since %v, then since %v, at %v and %v", first.Since, second.Since, first.At, second.At)
	}
	items := w.inventory("city")
	item := items["set sessionid"]
	want(t, "sessionid", fmt.Sprint(item.Category, item.Rule, item.Count, item.Verdicts, item.Hosts, item.Domains, item.Paths, item.SameSite, item.Lifetime, item.Session, item.Insecure, item.Scripted),
		"necessarynecessary sessionid34 map[let_through:34] [localhost] [city.example] [/ /app] [lax] 1209600 true true true")
	if item.First.Before(before) || item.Last.Before(item.First.Truncate(time.Second)) || item.First.After(time.Now()) {
		t.Errorf("met from %v to %v", item.First, item.Last)
	}
	want(t, "read", items["read sessionid"].Count, 2)
	want(t, "nameless", items["read (nameless)"].Verdicts, map[string]uint64{"refused": 1})
	want(t, "refused", items["set _ga"].Verdicts, map[string]uint64{"refused": 17})

	for _, ask := range [][]string{{"/cookie-policy/city/inventory?format=csv"}, {"/cookie-policy/city/inventory", "Accept: text/csv"}} {
		_, header, body := w.ask(http.MethodGet, ask[0], ask[1:]...)
		rows, err := csv.NewReader(strings.NewReader(body)).ReadAll()
		if err != nil || len(rows) != 1+len(second.Cookies) || header.Get("Content-Type") != "text/csv; charset=utf-8" {
			t.Fatalf("%d rows, %v, %v", len(rows), header, err)
		}
		i := slices.IndexFunc(rows, func(row []string) bool { return row[0] == "sessionid" && row[1] == "set" })
		row := map[string]string{}
		for column, cell := range rows[i] {
			row[rows[0][column]] = cell
		}
		want(t, "the CSV", fmt.Sprint(row["category"], row["rule"], row["count"], row["let_through"], row["refused"], row["domains"], row["paths"], row["lifetime"], row["session"], row["hosts"]),
			"necessarynecessary sessionid34340city.example/ /app1209600truelocalhost")
	}
}

// Where the portal and the policy differ, the gateway says so; where they do not, it says that.
func TestDrift(t *testing.T) {
	portal := startPortal(t, response("200 OK", []string{session, csrf, language, "longer=1; Max-Age=90000; HttpOnly", "weaker=1; Domain=example", google, choices}, ""))
	w := startWitness(t, `cookie_policy {
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
	reverse_proxy `+portal.address)
	w.get("/", "Cookie: sessionid=1; django_language=fr; cookies_preferences=1; sent=1")
	var drift enforcer.Drift
	w.askJSON("/cookie-policy/city/drift", &drift)
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

	well := startPortal(t, response("200 OK", []string{session, csrf, language, choices}, ""))
	w.reload("cookie_policy opendatasoft\nreverse_proxy " + well.address)
	w.get("/", "Cookie: sessionid=1; django_language=fr; cookies_preferences=1; csrftoken=1")
	var policies []policyInForce
	w.askJSON("/cookie-policy/policies", &policies)
	w.askJSON("/cookie-policy/"+policies[0].Name+"/drift", &drift)
	want(t, "no drift", drift.Findings, []enforcer.Finding{})
}

// The admin routes answer to what there is, and say clearly what there is not.
func TestAdminRoutes(t *testing.T) {
	w := startWitness(t, "cookie_policy opendatasoft {\nname city\n}\nrespond ok")
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
		status, header, body := w.ask(c.method, c.path)
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
	w.askJSON("/cookie-policy/policies", &policies)
	p := policies[0]
	if len(policies) != 1 || p.Name != "city" || len(p.Digest) != 64 || p.Mode != "enforce" || p.Rules != 4 || time.Since(p.Since) > time.Minute || p.Observed.After(p.Since) {
		t.Errorf("in force are %+v", policies)
	}
}

// The command asks gateways, merges what they say, and shows it to people or to machines. Its exit status says how it went.
func TestCommand(t *testing.T) {
	portal := startPortal(t, response("200 OK", []string{session, csrf, language, choices, google, "long=1; Max-Age=3600"}, ""))
	w := startWitness(t, "cookie_policy opendatasoft {\nname city\n}\nreverse_proxy "+portal.address)
	w.get("/", "Cookie: sessionid=1; django_language=fr; cookies_preferences=1")
	hung := httptest.NewServer(http.NotFoundHandler())
	defer hung.Close()
	nobody := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	again := "http://" + w.admin + "/"
	for _, c := range []struct {
		what   string
		c      command
		args   []string
		status int
		err    string
		says   []string
	}{
		{"a table", command{addresses: addresses{w.admin}}, []string{"inventory"}, 0, "", []string{
			`^Policy city, digest [0-9a-f]{64}, observed since \S+Z\n\n`,
			`\nCOOKIE +CHANNEL +CATEGORY +COUNT +LET THROUGH +REFUSED +DELETIONS +EXPIRED +LIFETIME +LAST +HOSTS\n`,
			`\n_ga +set +unlisted +1 +0 +1 +0 +0 +session +\S+Z +localhost\n`,
			`\nlong +set +unlisted +1 +0 +1 +0 +0 +1h0m0s +`,
			`\nsessionid +set +necessary +1 +1 +0 +0 +0 +session +\S+Z +localhost\nsessionid +read +necessary +1 `}},
		{"one gateway twice", command{addresses: addresses{w.admin, again}, policy: "city"}, []string{"inventory"}, 0, "", []string{`\n_ga +set +unlisted +2 +0 +2 +0 +0 +session`}},
		{"JSON", command{addresses: addresses{w.admin}, json: true}, []string{"inventory"}, 0, "", []string{`^\{\n\t"policy": "city",`, `"name": "_ga",`}},
		{"drift", command{addresses: addresses{w.admin}}, []string{"drift"}, 1, "the portal and the policy differ; findings: 3", []string{
			`\nFINDING +COOKIE +DETAIL\n`, `\nnever_read +csrftoken +set, and never sent back by a browser\nunlisted +_ga +met on set, at localhost\nunlisted +long `}},
		{"drift of one gateway twice", command{addresses: addresses{w.admin, again}}, []string{"drift"}, 1, "findings: 3", nil},
		{"drift in JSON", command{addresses: addresses{w.admin}, json: true}, []string{"drift"}, 1, "findings: 3", []string{`"kind": "never_read"`}},
		{"nobody there", command{addresses: addresses{nobody}}, []string{"drift"}, 2, nobody, nil},
		{"one of two not there", command{addresses: addresses{w.admin, nobody}}, []string{"inventory"}, 2, nobody, nil},
		{"no gateway of this kind", command{addresses: addresses{hung.Listener.Addr().String()}}, []string{"inventory"}, 2, "404", nil},
		{"no such policy", command{addresses: addresses{w.admin}, policy: "town"}, []string{"drift"}, 2, "no policy of this name is in force", nil},
		{"a name that is none", command{addresses: addresses{w.admin}, policy: "../config"}, []string{"drift"}, 2, "404", nil},
		{"no address", command{addresses: addresses{"::::"}}, []string{"drift"}, 2, "::::", nil},
		{"no word", command{}, nil, 2, "say what to show", nil},
		{"another word", command{}, []string{"policies"}, 2, "say what to show", nil},
		{"too many words", command{}, []string{"drift", "inventory"}, 2, "say what to show", nil},
	} {
		var out bytes.Buffer
		status, err := c.c.run(c.args, &out)
		if status != c.status || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %d, %v, want %d, %s", c.what, status, err, c.status, c.err)
		}
		for _, says := range c.says {
			if !regexp.MustCompile(says).MatchString(out.String()) {
				t.Errorf("%s: not %s in\n%s", c.what, says, out.String())
			}
		}
		if c.c.json && !json.Valid(out.Bytes()) {
			t.Errorf("%s: no JSON: %s", c.what, out.String())
		}
		if status == exitNotAsked && out.Len() > 0 {
			t.Errorf("%s: an answer all the same: %s", c.what, out.String())
		}
	}

	w.get("/", "Cookie: csrftoken=1")
	w.load(w.siteWith("cookie_policy opendatasoft {\nname city\nallow necessary _ga long\n}\nreverse_proxy "+portal.address) +
		fmt.Sprintf("http://localhost:%d {\ncookie_policy opendatasoft {\nname town\n}\n}", freePort(t)))
	w.get("/", "Cookie: _ga=1; long=1")
	var out bytes.Buffer
	one := command{addresses: addresses{w.admin}}
	if status, err := one.run([]string{"drift"}, &out); status != exitNotAsked || !strings.Contains(err.Error(), "2 policies (city, town)") {
		t.Errorf("%d, %v", status, err)
	}
	one.policy = "city"
	if status, err := one.run([]string{"drift"}, &out); status != exitNoDrift || err != nil || !strings.Contains(out.String(), "The portal and the policy do not differ.") {
		t.Errorf("%d, %v, %s", status, err, out.String())
	}
}

// A gateway whose admin endpoint is a socket in the file system is asked as Caddy's own commands ask it.
func TestCommandOverUnixSocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "admin") // a socket's path has to be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	w := newWitness(t)
	w.admin = "unix/" + filepath.Join(dir, "s")
	w.load(w.siteWith("cookie_policy opendatasoft {\nname city\n}\nrespond ok"))
	var out bytes.Buffer
	c := command{addresses: addresses{w.admin}}
	if status, err := c.run([]string{"inventory"}, &out); status != exitNoDrift || err != nil || !strings.HasPrefix(out.String(), "Policy city,") {
		t.Errorf("%d, %v, %s", status, err, out.String())
	}
}

// What several gateways say becomes one answer: something is missing only where all of them miss it.
func TestMerging(t *testing.T) {
	noon := time.Date(2026, time.January, 15, 12, 0, 0, 0, time.UTC)
	finding := func(kind, cookie, detail string) enforcer.Finding {
		return enforcer.Finding{Kind: kind, Cookie: cookie, Detail: detail}
	}
	a := enforcer.Drift{Digest: "a", Since: noon, Findings: []enforcer.Finding{
		finding(enforcer.FindingNeverSeen, "x", "not met since noon"), finding(enforcer.FindingNeverSeen, "y", "not met since noon"), finding(enforcer.FindingWeaker, "z", "sent without Secure"),
		finding(enforcer.FindingWeaker, "z", "sent without HttpOnly"), finding(enforcer.FindingNeverRead, "r", ""), finding(enforcer.FindingNeverSeen, "s", "")}}
	b := enforcer.Drift{Digest: "a", Since: noon.Add(time.Hour), Findings: []enforcer.Finding{
		finding(enforcer.FindingNeverSeen, "x", "not met since one"), finding(enforcer.FindingWeaker, "z", "sent without Secure"), finding(enforcer.FindingUnlisted, "u", ""),
		finding(enforcer.FindingNeverSeen, "r", ""), finding(enforcer.FindingNeverRead, "s", "")}}
	merged := enforcer.MergeDrifts([]enforcer.Drift{a, b})
	var got []string
	for _, f := range merged.Findings {
		got = append(got, f.Kind+" "+f.Cookie+" "+f.Detail)
	}
	want(t, "drift", strings.Join(got, "\n"), "never_read r \nnever_read s \nnever_seen x not met since noon\nunlisted u \nweaker z sent without Secure\nweaker z sent without HttpOnly")
	if !merged.Since.Equal(b.Since) || merged.Digest != "a" {
		t.Errorf("got %+v", merged)
	}

	report := enforcer.MergeReports([]enforcer.Report{
		{Digest: "a", Since: noon, Overflow: 1, Cookies: []enforcer.Item{{Name: "b", Channel: "set", First: noon, Last: noon, Count: 2, Verdicts: map[string]uint64{"refused": 2}, Hosts: []string{"x"}, Lifetime: 5}}},
		{Digest: "b", Since: noon.Add(time.Hour), Overflow: 2, Cookies: []enforcer.Item{
			{Name: "a", Channel: "set"}, {Name: "b", Channel: "read"},
			{Name: "b", Channel: "set", First: noon.Add(-time.Hour), Last: noon.Add(time.Hour), Count: 3, Verdicts: map[string]uint64{"refused": 1, "deletion": 2}, Hosts: []string{"x", "y"}, Lifetime: 3, Session: true}}},
	})
	want(t, "inventory", fmt.Sprintf("%s %s %d %+v", report.Digest, report.Since.Format("15:04"), report.Overflow, report.Cookies[1]),
		fmt.Sprintf("different 13:00 3 %+v", enforcer.Item{Name: "b", Channel: "set", First: noon.Add(-time.Hour), Last: noon.Add(time.Hour), Count: 5,
			Verdicts: map[string]uint64{"refused": 3, "deletion": 2}, Hosts: []string{"x", "y"}, Lifetime: 5, Session: true}))
	want(t, "the order", report.Cookies[0].Name+report.Cookies[1].Channel+report.Cookies[2].Channel, "asetread")
}

// A thousand reloads leave nothing behind, and the numbers go on.
func TestManyReloads(t *testing.T) {
	w := gateway(freePort(t))
	config := func(i int) []byte {
		mode := []string{"enforce", "report"}[i%2]
		return fmt.Appendf(nil, `{"admin":{"disabled":true,"config":{"persist":false}},"logging":{"logs":{"default":{"level":"ERROR"}}},"apps":{"http":{"grace_period":"5s","servers":{"s":{"listen":["127.0.0.1:%d"],"automatic_https":{"disable":true},
			"routes":[{"handle":[{"handler":"cookie_policy","name":"city","presets":["opendatasoft"],"mode":%q},{"handler":"headers","response":{"set":{"Set-Cookie":["_ga=1"]}}},{"handler":"static_response","body":"%d"}]},
			{"handle":[{"handler":"cookie_policy","presets":["opendatasoft"],"allow":[{"category":"necessary","cookies":["c%d"]}]}]}]}}}}}`, w, mode, i, i)
	}
	reload := func(i int) {
		if err := caddy.Load(config(i), true); err != nil {
			t.Fatal(err)
		}
	}
	visit := func() {
		if _, err := w.tryAgain("GET / HTTP/1.1\r\nHost: localhost\r\nCookie: _ga=1\r\nConnection: close\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { caddy.Stop() })
	for i := range 100 {
		reload(i)
		visit()
	}
	goroutines, heap := runtime.NumGoroutine(), heapAfterGC()
	for i := range 1000 {
		reload(i)
		if i%100 == 0 {
			visit()
		}
	}
	p, ok := policyNamed("city")
	if !ok {
		t.Fatal("the policy is gone")
	}
	var refused uint64
	p.observer.Verdicts(func(channel enforcer.Channel, _ enforcer.Category, verdict enforcer.Verdict, n uint64) {
		if channel == enforcer.ChannelSet && verdict == enforcer.VerdictRefused {
			refused += n
		}
	})
	want(t, "refused over all reloads", refused, 110)
	references := 0
	observers.Range(func(key, _ any) bool { references++; return true })
	want(t, "observers", references, 2)
	// What a config leaves running ends by and by; no event says when.
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for runtime.NumGoroutine() > goroutines+5 {
		select {
		case <-deadline.C:
			t.Fatalf("%d goroutines were %d", runtime.NumGoroutine(), goroutines)
		case <-tick.C:
		}
	}
	if now := heapAfterGC(); now > heap+4<<20 {
		t.Errorf("the heap has grown from %d to %d bytes", heap, now)
	}
}

func heapAfterGC() uint64 {
	var m runtime.MemStats
	for range 3 { // finalizers, and what they let go of
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
