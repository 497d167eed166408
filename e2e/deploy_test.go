package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
)

// deployed is a gateway with a Caddyfile of the operations kit.
type deployed struct {
	config               string
	admin, site, metrics int // ports
	socket               string
}

// startDeployed runs a Caddyfile of the kit. Only the ports, the directories, the storage and the
// portal are others.
func startDeployed(t *testing.T, file string) deployed {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "deploy", file))
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "kit") // the path of a socket has to be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	portal := portaltest.StartPortal(t, portaltest.Response("200 OK",
		[]string{"sessionid=1; Path=/", "_ga=1; Path=/"}, "page"))
	d := deployed{filepath.Join(dir, "Caddyfile"), portaltest.FreePort(t), portaltest.FreePort(t),
		portaltest.FreePort(t), filepath.Join(dir, "admin.sock")}
	caddyfile := regexp.MustCompile(`(?s)storage redis \{.*?\n\t\}`).ReplaceAllString(string(text),
		"storage file_system "+dir)
	site := fmt.Sprintf("http://data.city.example:%d {", d.site)
	caddyfile = strings.NewReplacer("http://data.city.example:8080 {", site,
		"data.city.example {", site, "https://portal.example.org", portal.Address,
		":2019", fmt.Sprintf(":%d", d.admin), ":9180", fmt.Sprintf(":%d", d.metrics),
		"/run/caddy-cookie-policy/admin.sock", d.socket, "/var/log/caddy-cookie-policy", dir).Replace(caddyfile)
	caddyfile = strings.Replace(caddyfile, "\n{\n", "\n{\n\tdefault_bind 127.0.0.1\n", 1)
	writeFile(t, dir, "Caddyfile", caddyfile)
	cmd := exec.Command(caddy, "run", "--config", d.config)
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir)
	start(t, cmd)
	waitFor(t, fmt.Sprintf("http://127.0.0.1:%d/", d.site))
	return d
}

// filters fails if the gateway's policy lets a tracker pass, or if its metrics do not say so.
func (d deployed) filters(t *testing.T) {
	t.Helper()
	_, header, _ := ask(t, d.site, "/", "data.city.example")
	if got := header["Set-Cookie"]; len(got) != 1 || !strings.HasPrefix(got[0], "sessionid=") {
		t.Errorf("cookies that pass: %q", got)
	}
	const refused = `caddy_cookie_policy_verdicts_total{category="unlisted",channel="set",mode="enforce",` +
		`policy="city-data",verdict="refused"} 1`
	_, _, text := ask(t, d.metrics, "/metrics", fmt.Sprintf("localhost:%d", d.metrics))
	if !strings.Contains(text, refused) {
		t.Errorf("no %s in the metrics:\n%s", refused, text)
	}
}

// ask asks a port of this machine for a page, and returns the answer once it has ended.
func ask(t *testing.T, port int, path, host string) (status int, header http.Header, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
		fmt.Sprintf("http://127.0.0.1:%d%s", port, path), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host, req.Close = host, true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(b)
}

// With the Caddyfile of the systemd unit, the unit's reload and the commands reach the gateway by its
// socket, and the audit log is written.
func TestDeploySystemd(t *testing.T) {
	d := startDeployed(t, "systemd/Caddyfile")
	d.filters(t)
	unit, err := os.ReadFile("../deploy/systemd/caddy-cookie-policy.service")
	if err != nil {
		t.Fatal(err)
	}
	reload := regexp.MustCompile(`(?m)^ExecReload=/usr/local/bin/caddy (.*) /etc/caddy/Caddyfile$`).
		FindSubmatch(unit)
	if reload == nil {
		t.Fatalf("there is no reload in\n%s", unit)
	}
	text, err := os.ReadFile(d.config)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Dir(d.config), "Caddyfile",
		strings.Replace(string(text), "name city-data", "name town-data", 1))
	if status, out := run(t, append(strings.Fields(string(reload[1])), d.config)...); status != 0 {
		t.Errorf("reload: exit status %d\n%s", status, out)
	}
	expect(t, 0, "Policy town-data", "inventory", "--address", "unix/"+d.socket)
	log, err := os.ReadFile(filepath.Join(filepath.Dir(d.config), "audit.log"))
	if err != nil || strings.Count(string(log), `"policy comes into force"`) != 2 {
		t.Errorf("the audit log: %v\n%s", err, log)
	}
}

// With the Caddyfiles for containers, the image's health check and the pods' probes are answered.
func TestDeployContainers(t *testing.T) {
	containerfile, err := os.ReadFile("../deploy/container/Containerfile")
	if err != nil {
		t.Fatal(err)
	}
	check := regexp.MustCompile(`http://127\.0\.0\.1:2019(/[^"]*)`).FindSubmatch(containerfile)
	if check == nil {
		t.Fatalf("there is no health check in\n%s", containerfile)
	}
	for _, c := range []struct {
		file  string
		probe string
	}{{"compose/caddy/Caddyfile", ""}, {"kubernetes/Caddyfile", "/healthz"}} {
		t.Run(c.file, func(t *testing.T) {
			d := startDeployed(t, c.file)
			d.filters(t)
			status, _, body := ask(t, d.admin, string(check[1]), fmt.Sprintf("127.0.0.1:%d", d.admin))
			if status != http.StatusOK || !strings.Contains(body, `"city-data"`) {
				t.Errorf("the health check: %d %s", status, body)
			}
			if c.probe == "" {
				return
			}
			if status, _, _ := ask(t, d.metrics, c.probe, "10.0.0.7:9180"); status != http.StatusOK {
				t.Errorf("the probe: %d", status)
			}
		})
	}
}

// Prometheus understands the queries of the dashboard.
func TestDeployDashboardQueries(t *testing.T) {
	promtool := need(t, "promtool")
	text, err := os.ReadFile("../deploy/grafana/cookie-policy.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Annotations struct{ List []struct{ Expr string } }
		Panels      []struct{ Targets []struct{ Expr string } }
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	var queries []string
	for _, annotation := range dashboard.Annotations.List {
		queries = append(queries, annotation.Expr)
	}
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			queries = append(queries, target.Expr)
		}
	}
	type rule struct {
		Record string `json:"record"`
		Expr   string `json:"expr"`
	}
	var rules []rule
	for i, query := range queries {
		rules = append(rules, rule{fmt.Sprintf("query_%d", i),
			strings.ReplaceAll(query, "$__rate_interval", "5m")})
	}
	if len(rules) < 10 {
		t.Fatalf("only %d queries were found", len(rules))
	}
	file, err := json.Marshal(map[string]any{"groups": []any{
		map[string]any{"name": "dashboard", "rules": rules},
	}})
	if err != nil {
		t.Fatal(err)
	}
	path := writeFile(t, t.TempDir(), "rules.yml", string(file)) // JSON is YAML
	if out, err := exec.CommandContext(t.Context(), promtool, "check", "rules", path).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
