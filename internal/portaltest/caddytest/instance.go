package caddytest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
)

// Instance is a Caddy with an admin endpoint, metrics, and logs of all levels, of which the audit
// log has a file of its own.
type Instance struct {
	Site  portaltest.Gateway // which speaks no TLS
	Admin string             // the address of the admin endpoint
	Dir   string             // of the log files, all.log and audit.log

	// Storage is a global option for what Caddy stores. By default nothing outlives a stop.
	Storage string

	t testing.TB
}

// NewInstance prepares an instance.
func NewInstance(t testing.TB) *Instance {
	t.Helper()
	port := portaltest.FreePort(t)
	return &Instance{Site: portaltest.Gateway(port), Admin: fmt.Sprintf("127.0.0.1:%d", port+1), Dir: t.TempDir(), t: t}
}

// StartInstance runs an instance with a site, given its directives.
func StartInstance(t testing.TB, directives string) *Instance {
	t.Helper()
	i := NewInstance(t)
	i.Reload(directives)
	return i
}

// Reload gives the site other directives.
func (i *Instance) Reload(directives string) {
	i.t.Helper()
	i.Load(i.SiteWith(directives))
}

// SiteWith returns the instance's site with some directives.
func (i *Instance) SiteWith(directives string) string {
	return fmt.Sprintf("http://localhost:%d {\nlog\n%s\n}\n", i.Site, directives)
}

// Load runs sites until the test ends or others are loaded.
func (i *Instance) Load(sites string) {
	i.t.Helper()
	if err := i.TryLoad(sites); err != nil {
		i.t.Fatalf("%v\nin this Caddyfile:\n%s", err, sites)
	}
	i.t.Cleanup(func() { Stop(i.t) })
}

// TryLoad does what Load does, and returns an error if the sites are faulty.
func (i *Instance) TryLoad(sites string) error {
	config, err := i.Adapt(sites)
	if err != nil {
		return err
	}
	return run(config)
}

// Adapt makes JSON of sites and the instance's global options.
func (i *Instance) Adapt(sites string) ([]byte, error) {
	config, _, err := Adapt(fmt.Sprintf(`{
	admin %s
	metrics
	persist_config off
	default_bind 127.0.0.1
	grace_period 5s
	%s
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
`, i.Admin, cmp.Or(i.Storage, Storage()), filepath.Join(i.Dir, "all.log"), filepath.Join(i.Dir, "audit.log")) + sites)
	return config, err
}

// Get asks the site. When the answer is there, all that the gateway counts and logs of it is there:
// the connection closes after the last handler has returned.
func (i *Instance) Get(path string, lines ...string) portaltest.Answer {
	i.t.Helper()
	answer, err := i.Site.TryAgain("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" +
		strings.Join(append(lines, "Connection: close"), "\r\n") + "\r\n\r\n")
	if err != nil {
		i.t.Fatalf("%v after %.300q", err, answer.Raw)
	}
	return answer
}

// Ask asks the admin endpoint. Where a reload closed the connection before anything was answered,
// it asks again.
func (i *Instance) Ask(method, path string, lines ...string) (status int, header http.Header, body string) {
	i.t.Helper()
	var err error
	for range 10 {
		req, _ := http.NewRequestWithContext(i.t.Context(), method, "http://"+i.Admin+path, nil)
		for _, line := range lines {
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
	i.t.Fatalf("%s %s: %v", method, path, err)
	return 0, nil, ""
}

// AskJSON asks the admin endpoint for JSON, and reads it into v.
func (i *Instance) AskJSON(path string, v any) {
	i.t.Helper()
	status, header, body := i.Ask(http.MethodGet, path)
	if status != http.StatusOK || header.Get("Content-Type") != "application/json" {
		i.t.Fatalf("%s: %d %s: %s", path, status, header.Get("Content-Type"), body)
	}
	if err := json.Unmarshal([]byte(body), v); err != nil {
		i.t.Fatalf("%s: %v in %s", path, err, body)
	}
}

var metric = regexp.MustCompile(`(?m)^caddy_cookie_policy_(.*) (\S+)$`)

// Metrics returns the gateway's own metrics that are not zero, by series, without the prefix that
// all names have.
func (i *Instance) Metrics() map[string]string {
	i.t.Helper()
	status, _, body := i.Ask(http.MethodGet, "/metrics")
	if status != http.StatusOK {
		i.t.Fatalf("/metrics: %d %s", status, body)
	}
	series := map[string]string{}
	for _, m := range metric.FindAllStringSubmatch(body, -1) {
		if m[2] != "0" {
			series[m[1]] = m[2]
		}
	}
	return series
}

var verdicts = regexp.MustCompile(
	`^verdicts_total\{category="(.*)",channel="(.*)",mode="(.*)",policy="(.*)",verdict="(.*)"\}$`)

// Verdicts returns the counters of one policy, by channel/category/verdict. Those of mode report have
// the word `report` before the channel.
func (i *Instance) Verdicts(policy string) map[string]string {
	i.t.Helper()
	numbers := map[string]string{}
	for series, n := range i.Metrics() {
		if m := verdicts.FindStringSubmatch(series); m != nil && m[4] == policy {
			key := m[2] + "/" + m[1] + "/" + m[5]
			if m[3] == "report" {
				key = "report " + key
			}
			numbers[key] = n
		}
	}
	return numbers
}

// Entry is a line of a log.
type Entry map[string]any

// Log returns the lines of a log file that one logger wrote with one message. Where either is
// empty, it does not matter.
func (i *Instance) Log(file, logger, message string) []Entry {
	i.t.Helper()
	return ReadLog(i.t, filepath.Join(i.Dir, file), logger, message)
}

// ReadLog does what [Instance.Log] does, for any log in JSON.
func ReadLog(t testing.TB, path, logger, message string) (entries []Entry) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		var e Entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if (logger == "" || e["logger"] == logger) && (message == "" || e["msg"] == message) {
			entries = append(entries, e)
		}
	}
	return entries
}

// Pick writes down some fields of log entries, one entry a line.
func Pick(entries []Entry, fields ...string) string {
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
