// Package e2e holds the gateway against real browsers, real portals and real caches. It has a Go
// module of its own, so that what it needs stays out of the product's dependencies. Everything
// listens on loopback, and every process that a test starts it also ends.
package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// caddy is the path of the Caddy under test, with this module compiled in.
var caddy string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "cookie-policy-e2e")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		caddy = filepath.Join(dir, "caddy")
		build := exec.Command("go", "build", "-C", "..", "-o", caddy, "./cmd/caddy")
		if out, err := build.CombinedOutput(); err != nil {
			panic(fmt.Sprintf("building the gateway: %v\n%s", err, out))
		}
		return m.Run()
	}())
}

// need returns the path of a program, and fails the test where it is missing: a test that silently
// does nothing is worse than none.
func need(t testing.TB, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatalf("this test needs %v; .ci/run installs it", names)
	return ""
}

// start runs a program until the test ends, when it is asked to stop, and killed if it does not.
// What it printed is shown if the test failed.
func start(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		timer := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		timer.Stop()
		if t.Failed() {
			t.Logf("%s printed:\n%s", filepath.Base(cmd.Path), output.Bytes())
		}
	})
}

// startGateway runs the Caddy under test with sites, and returns when url answers, whatever it
// answers.
func startGateway(t testing.TB, url, sites string) {
	t.Helper()
	startSites(t, caddy, "", sites, []string{url})
}

// buildHandler builds the Caddy under test once more, with the directive test_handler in it.
var buildHandler = sync.OnceValues(func() (string, error) {
	root, err := filepath.Abs("..")
	if err != nil {
		return "", err
	}
	dir := filepath.Dir(caddy)
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{
		filepath.Join(root, "cmd", "caddy", "handler.go"): filepath.Join(root, "e2e", "testdata",
			"handler.go"),
	}})
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "caddy-with-handler")
	out, err := exec.Command("go", "build", "-C", root, "-overlay",
		filepath.Join(dir, "overlay.json"), "-o", binary, "./cmd/caddy").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building the gateway: %w\n%s", err, out)
	}
	return binary, nil
})

// caddyWithHandler is the path of a Caddy that has the directive test_handler, too.
func caddyWithHandler(t testing.TB) string {
	t.Helper()
	binary, err := buildHandler()
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

// startSites runs a Caddy with sites, and with global options beside those that every test needs,
// and returns its process when all urls answer.
func startSites(t testing.TB, binary, options, sites string, urls []string, env ...string) *os.Process {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "Caddyfile")
	options = fmt.Sprintf("{\nadmin off\npersist_config off\nskip_install_trust\nlocal_certs\n"+
		"auto_https disable_redirects\ndefault_bind 127.0.0.1\n"+
		"grace_period 1s\nstorage file_system %s\n%s\n}\n", dir, options)
	if err := os.WriteFile(config, []byte(options+sites), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "run", "--adapter", "caddyfile", "--config", config)
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir)
	cmd.Env = append(cmd.Env, env...)
	start(t, cmd)
	for _, url := range urls {
		waitFor(t, url)
	}
	return cmd.Process
}

// waitFor returns when a server answers at url, whatever it answers.
func waitFor(t testing.TB, url string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := client.Do(req); err == nil {
			resp.Body.Close()
			tick.Stop()
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("nothing answers at %s", url)
		}
	}
}
