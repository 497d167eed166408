package e2e

import (
	"encoding/json"
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

// gatewayOfCommand is a gateway as the command sees it.
type gatewayOfCommand struct{ admin, url string }

// startGatewayOfCommand validates a config with a policy in it, runs it, and returns its addresses.
// The site sets what the published policy names, and a tracker where the query asks for it.
func startGatewayOfCommand(t *testing.T, options, more string) gatewayOfCommand {
	t.Helper()
	admin, site := portaltest.FreePort(t), portaltest.FreePort(t)
	dir := t.TempDir()
	audit := filepath.Join(dir, "audit.log")
	caddyfile := fmt.Sprintf(`{
	admin 127.0.0.1:%d
	persist_config off
	storage file_system %s
	log {
		output file %s
	}
	log audit {
		output file %s
		include http.handlers.cookie_policy.audit
	}
}
http://127.0.0.1:%d {
	cookie_policy opendatasoft {
		name city
		%s
	}
	header +Set-Cookie "sessionid=1; Path=/"
	header +Set-Cookie "csrftoken=1"
	header +Set-Cookie "django_language=fr"
	header +Set-Cookie "cookies_preferences=1"
	@tracked query tracked=1
	header @tracked +Set-Cookie "_ga=1"
	respond ok
}
%s
`, admin, dir, filepath.Join(dir, "all.log"), audit, site, options, more)
	config := writeFile(t, dir, "Caddyfile", caddyfile)
	if status, out := run(t, "validate", "--adapter", "caddyfile", "--config", config); status != 0 {
		t.Fatalf("validate: exit status %d\n%s", status, out)
	}
	if b, err := os.ReadFile(audit); err == nil && len(b) > 0 {
		t.Errorf("a policy that was only validated is in the audit log: %s", b)
	}
	cmd := exec.Command(caddy, "run", "--adapter", "caddyfile", "--config", config)
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir)
	start(t, cmd)
	g := gatewayOfCommand{fmt.Sprintf("127.0.0.1:%d", admin), fmt.Sprintf("http://127.0.0.1:%d/", site)}
	waitFor(t, g.url)
	if b, err := os.ReadFile(audit); err != nil || !strings.Contains(string(b), "policy comes into force") {
		t.Errorf("the audit log: %v, %s", err, b)
	}
	return g
}

// visit asks a gateway for a page, as a browser that has all cookies of the published policy.
func (g gatewayOfCommand) visit(t *testing.T, query string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.url+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Cookie", "sessionid=1; csrftoken=1; django_language=fr; cookies_preferences=1")
	req.Close = true // the answer ends when all that is counted of it has been counted
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}

// run runs the Caddy under test, and returns its exit status and all that it prints.
func run(t *testing.T, args ...string) (status int, out string) {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), caddy, args...)
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir)
	b, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%v: %v\n%s", args, err, b)
	}
	return cmd.ProcessState.ExitCode(), string(b)
}

// expect runs `caddy cookie-policy`.
func expect(t *testing.T, want int, says string, args ...string) {
	t.Helper()
	if got, out := run(t, append([]string{"cookie-policy"}, args...)...); got != want ||
		!strings.Contains(out, says) {
		t.Errorf("%v: exit status %d, want %d and %q\n%s", args, got, want, says, out)
	}
}

// `caddy cookie-policy` as an operator types it: two gateways in front of one portal, one answer,
// and the exit status that a scheduler looks at.
func TestCommand(t *testing.T) {
	one, other := startGatewayOfCommand(t, "", ""), startGatewayOfCommand(t, "", "")
	nobody := fmt.Sprintf("127.0.0.1:%d", portaltest.FreePort(t))
	both := []string{"--address", one.admin, "--address", other.admin}
	one.visit(t, "")
	expect(t, 0, "sessionid", append([]string{"inventory"}, both...)...)
	expect(t, 0, "The portal and the policy do not differ.",
		append([]string{"drift"}, both...)...) // what one of them met is met
	expect(t, 0, `"findings": []`, append([]string{"drift", "--json", "--policy", "city"}, both...)...)
	other.visit(t, "?tracked=1")
	expect(t, 0, "do not differ", "drift", "--address", one.admin)
	expect(t, 1, "_ga", append([]string{"drift"}, both...)...)
	expect(t, 1, "the portal and the policy differ; findings: 1", "drift", "--address", other.admin)
	expect(t, 2, "connect", "drift", "--address", one.admin, "--address", nobody)
	expect(t, 2, "no policy of this name is in force", "inventory", "--policy", "town", "--address",
		one.admin)
	expect(t, 2, "say what to show; want inventory, ")
	expect(t, 2, "no such command; want inventory, ", "drfit", "--address", one.admin)
	expect(t, 2, "drift takes no arguments", "drift", "inventory", "--address", one.admin)
	expect(t, 2, "--adapter: it is for the file of --config", "explain", "--adapter", "caddyfile", "--cookie", "a=1")
}

// Words that are no flags, and flags without their word, get no answer but what is wrong with them.
func TestCommandFlags(t *testing.T) {
	g := startGatewayOfCommand(t, "", "")
	g.visit(t, "")
	for _, c := range []struct {
		says string
		args []string
	}{
		{"unknown flag: --adress", []string{"--adress", g.admin}},
		{"unknown flag: --polcy", []string{"--polcy", "city", "--address", g.admin}},
		{"unknown flag: --csv", []string{"--csv", "--address", g.admin}},
		{"flag needs an argument: --policy", []string{"--address", g.admin, "--policy"}},
		{"flag needs an argument: --address", []string{"--address"}},
		{`invalid argument \"maybe\" for \"--json\"`, []string{"--address", g.admin, "--json=maybe"}},
	} {
		for _, asked := range []string{"inventory", "drift"} {
			status, out := run(t, append([]string{"cookie-policy", asked}, c.args...)...)
			if status != 2 || !strings.Contains(out, c.says) ||
				strings.Contains(out, "sessionid") || strings.Contains(out, "differ") {
				t.Errorf("%s %v: exit status %d, want %q and no answer\n%s", asked, c.args, status,
					c.says, out)
			}
		}
	}
}

// Gateways that do not have the same policies: one has two of them, and another mode. What they
// share is merged by its name.
func TestCommandOfDifferentGateways(t *testing.T) {
	town := fmt.Sprintf("http://127.0.0.1:%d {\n\tcookie_policy matomo {\n\t\tname town\n\t}\n}",
		portaltest.FreePort(t))
	one, other := startGatewayOfCommand(t, "", ""), startGatewayOfCommand(t, "mode report", town)
	one.visit(t, "?tracked=1")
	other.visit(t, "?tracked=1")
	other.visit(t, "")
	both := []string{"--address", one.admin, "--address", other.admin}

	for _, asked := range []string{"inventory", "drift"} {
		status, out := run(t, append([]string{"cookie-policy", asked}, both...)...)
		for _, says := range []string{"Policy city, digest different, ", "differs", one.admin + " has no policy of this name",
			"Policy town, digest "} {
			if status != 1 || !strings.Contains(out, says) {
				t.Errorf("%s: exit status %d, want 1 and %q\n%s", asked, status, says, out)
			}
		}
	}
	expect(t, 1, one.admin+" has no policy of this name",
		append([]string{"inventory", "--policy", "town"}, both...)...)
	expect(t, 0, "Policy town, digest ", "inventory", "--policy", "town", "--address", other.admin)
	expect(t, 1, "findings: 1", "drift", "--policy", "town", "--address", other.admin)
	expect(t, 1, "Policy city, digest different, observed since ",
		append([]string{"inventory", "--policy", "city"}, both...)...)
	expect(t, 1, "          differs ", append([]string{"drift", "--policy", "city"}, both...)...)

	status, out := run(t, append([]string{"cookie-policy", "inventory", "--json", "--policy",
		"city"}, both...)...)
	var merged struct {
		Digest  string
		Cookies []struct {
			Name, Channel, Mode string
			Count               int
			Verdicts            map[string]int
		}
	}
	// Behind it Caddy says why the status is 1.
	if err := json.NewDecoder(strings.NewReader(out)).Decode(&merged); err != nil || status != 1 ||
		merged.Digest != "different" {
		t.Fatalf("exit status %d, %v\n%s", status, err, out)
	}
	counts := map[string]string{}
	for _, c := range merged.Cookies {
		counts[c.Mode+" "+c.Channel+" "+c.Name] = fmt.Sprint(c.Count, c.Verdicts)
	}
	for item, want := range map[string]string{
		"enforce set _ga":        "1 map[refused:1]",
		"report set _ga":         "1 map[would_refuse:1]",
		"enforce read sessionid": "1 map[let_through:1]",
		"report read sessionid":  "2 map[let_through:2]",
	} {
		if got := counts[item]; got != want {
			t.Errorf("of %s the gateways together have counted %s, want %s, in %v", item, got, want, counts)
		}
	}
}

// `caddy validate` says of a policy all that is wrong with it, and where: in a Caddyfile by line,
// in JSON by path.
func TestCommandValidate(t *testing.T) {
	for name, c := range map[string]struct {
		adapter, config string
		status          int
		says            []string
	}{
		"a policy": {"caddyfile", ":8080 {\n\tcookie_policy opendatasoft matomo\n\trespond ok\n}\n",
			0, []string{"Valid configuration"}},
		"a policy with faults": {"caddyfile",
			":8080 {\n\tcookie_policy opendatasoft {\n\t\tallow vital a\n\t\tname a/b\n\t}\n}\n", 1,
			[]string{`config:3: \"vital\": no such category`, `config:4: \"a/b\": a name cannot hold`}},
		"a policy without a rule": {"caddyfile", ":8080 {\n\tcookie_policy\n}\n", 1,
			[]string{"this policy lets no cookie through"}},
		"two policies of one name": {"caddyfile",
			"http://:8080 {\n\tcookie_policy opendatasoft {\n\t\tname city\n\t}\n}\n" +
				"http://:8081 {\n\tcookie_policy opendatasoft {\n\t\tname city\n\t\tmode report\n" +
				"\t}\n}\n", 1, []string{"two different policies have this name"}},
		"rules that wait for a preference": {"caddyfile", ":8080 {\n\tcookie_policy matomo\n}\n", 0,
			[]string{"the policy names no preference to read it from", "Valid configuration"}},
		"a policy in JSON": {"", jsonWith(`"presets": ["opendatasoft"]`), 0,
			[]string{"Valid configuration"}},
		"faults in JSON": {"", jsonWith(`"presets": ["opendatasoft"], "unlisted": "maybe"`), 1,
			[]string{`unlisted: \"maybe\": no such unlisted`}},
	} {
		t.Run(name, func(t *testing.T) {
			file := writeFile(t, t.TempDir(), "config", c.config)
			status, out := run(t, "validate", "--adapter", c.adapter, "--config", file)
			if status != c.status {
				t.Errorf("exit status %d, want %d\n%s", status, c.status, out)
			}
			for _, says := range c.says {
				if !strings.Contains(out, says) {
					t.Errorf("it does not say %q\n%s", says, out)
				}
			}
		})
	}
}

// jsonWith is a config with a policy, given its fields.
func jsonWith(fields string) string {
	return `{"apps": {"http": {"servers": {"s": {"listen": [":8080"], "routes": [{"handle": ` +
		`[{"handler": "cookie_policy", ` + fields + `}]}]}}}}}`
}
