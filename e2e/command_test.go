package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
)

// `caddy cookie-policy` as an operator types it: two gateways in front of one portal, one answer, and the exit status that a scheduler looks at.
func TestCommand(t *testing.T) {
	portal := portaltest.FreePort(t)
	var admins, sites []string
	for range 2 {
		admin, site := portaltest.FreePort(t), portaltest.FreePort(t)
		dir := t.TempDir()
		config := filepath.Join(dir, "Caddyfile")
		caddyfile := fmt.Sprintf("{\nadmin 127.0.0.1:%d\npersist_config off\nstorage file_system %s\nlog {\noutput file %s\n}\nlog audit {\noutput file %s\ninclude http.handlers.cookie_policy.audit\n}\n}\n"+
			"http://127.0.0.1:%d {\ncookie_policy opendatasoft {\nname city\n}\nheader +Set-Cookie \"sessionid=1; Path=/\"\nheader +Set-Cookie \"csrftoken=1\"\nheader +Set-Cookie \"django_language=fr\"\n"+
			"header +Set-Cookie \"cookies_preferences=1\"\n@tracked query tracked=1\nheader @tracked +Set-Cookie \"_ga=1\"\nrespond ok\n}\n",
			admin, dir, filepath.Join(dir, "all.log"), filepath.Join(dir, "audit.log"), site)
		if err := os.WriteFile(config, []byte(caddyfile), 0o600); err != nil {
			t.Fatal(err)
		}
		validate := exec.CommandContext(t.Context(), caddy, "validate", "--adapter", "caddyfile", "--config", config)
		validate.Env = append(os.Environ(), "HOME="+dir)
		if out, err := validate.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if b, err := os.ReadFile(filepath.Join(dir, "audit.log")); err == nil && len(b) > 0 {
			t.Errorf("a policy that was only validated is in the audit log: %s", b)
		}
		cmd := exec.Command(caddy, "run", "--adapter", "caddyfile", "--config", config)
		cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir)
		start(t, cmd)
		waitFor(t, fmt.Sprintf("http://127.0.0.1:%d/", site))
		if b, err := os.ReadFile(filepath.Join(dir, "audit.log")); err != nil || strings.Count(string(b), "policy comes into force") != 1 {
			t.Errorf("the audit log: %v, %s", err, b)
		}
		admins, sites = append(admins, fmt.Sprintf("127.0.0.1:%d", admin)), append(sites, fmt.Sprintf("http://127.0.0.1:%d/", site))
	}
	visit := func(url string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Cookie", "sessionid=1; csrftoken=1; django_language=fr; cookies_preferences=1")
		req.Close = true // the answer ends when all that is told of it has been told
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	expect := func(want int, says string, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), caddy, append([]string{"cookie-policy"}, args...)...)
		var out, errors strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &errors
		err := cmd.Run()
		if got := exitStatus(err); got != want || !strings.Contains(out.String()+errors.String(), says) {
			t.Errorf("%v: exit status %d, want %d\n%s%s", args, got, want, out.String(), errors.String())
		}
	}
	both := []string{"--address", admins[0], "--address", admins[1]}
	visit(sites[0])
	expect(0, "sessionid", append([]string{"inventory"}, both...)...)
	expect(0, "The portal and the policy do not differ.", append([]string{"drift"}, both...)...) // what one of them met is met
	expect(0, `"findings": []`, append([]string{"drift", "--json", "--policy", "city"}, both...)...)
	visit(sites[1] + "?tracked=1")
	expect(0, "do not differ", "drift", "--address", admins[0])
	expect(1, "_ga", append([]string{"drift"}, both...)...)
	expect(1, "the portal and the policy differ; findings: 1", "drift", "--address", admins[1])
	expect(2, "connect", "drift", "--address", admins[0], "--address", fmt.Sprintf("127.0.0.1:%d", portal))
	expect(2, "no policy of this name is in force", "inventory", "--policy", "town", "--address", admins[0])
	expect(2, "say what to show: inventory or drift")
}

func exitStatus(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	return -1
}
