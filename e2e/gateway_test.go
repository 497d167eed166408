// Package e2e holds the gateway against real browsers, real portals and real caches. It has a Go module of its own, so that what it needs
// stays out of the product's dependencies. Everything listens on loopback, and every process that a test starts it also ends.
package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
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

// need returns the path of a program, and fails the test where it is missing: a test that silently does nothing is worse than none.
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

// freePort returns a TCP port of the loopback interface that nobody listens on.
func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// start runs a program until the test ends, when it is asked to stop, and killed if it does not. What it printed is shown if the test failed.
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

// startGateway runs the Caddy under test with a Caddyfile, whose global options it writes itself, and returns when url answers, whatever it answers.
func startGateway(t testing.TB, url, caddyfile string) {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "Caddyfile")
	options := fmt.Sprintf("{\n\tadmin off\n\tpersist_config off\n\tskip_install_trust\n\tlocal_certs\n\tauto_https disable_redirects\n\tstorage file_system %s\n}\n", dir)
	if err := os.WriteFile(config, []byte(options+caddyfile), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(caddy, "run", "--adapter", "caddyfile", "--config", config)
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir)
	start(t, cmd)
	waitFor(t, url)
}

// waitFor returns when a server answers at url, whatever it answers.
func waitFor(t testing.TB, url string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} // whoever answers: the gateway's authority was made for this run
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
