// Package caddytest runs Caddy within the process of a test: sites given by their directives,
// instances with an admin endpoint, metrics and logs, and a handler of the test's own. The gateway
// is compiled in where the test imports it.
package caddytest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
)

// DiscardLogs is a global option, and a directive of a site, which then has an access log.
const DiscardLogs = "log {\noutput discard\n}\n"

// storage is where Caddy keeps what it stores, and tls is a directive that names a certificate:
// Caddy's own would come later.
var storage, tls string

// stops is how often Caddy was stopped. What starts then finds nothing in storage.
var stops int

// Main runs the tests of a package, for its TestMain. It keeps Caddy's files out of the home
// directory, and fails if something was written there.
func Main(m *testing.M) {
	if os.Getenv(commandVariable) != "" {
		runCommand()
	}
	dir, err := os.MkdirTemp("", "cookie-policy")
	if err == nil {
		_, certFile, keyFile, writeErr := portaltest.WriteCertificate(dir, "localhost")
		storage, tls, err = dir, "tls "+certFile+" "+keyFile, writeErr
	}
	if err == nil {
		err = leaveHome(dir)
	}
	if err != nil {
		panic(err)
	}
	status := m.Run()
	if left, err := os.ReadDir(filepath.Join(dir, "home")); err != nil || len(left) > 0 {
		fmt.Fprintf(os.Stderr, "FAIL: tests have written to the home directory: %v, %v\n", left, err)
		status = max(status, 1)
	}
	os.RemoveAll(dir)
	os.Exit(status)
}

// leaveHome gives the process a home directory of its own, and a data directory outside of it.
func leaveHome(dir string) error {
	data, home := filepath.Join(dir, "data"), filepath.Join(dir, "home")
	caddy.DefaultStorage.Path = filepath.Join(data, "caddy")
	caddy.ConfigAutosavePath = filepath.Join(data, "autosave.json")
	for _, variable := range []string{"XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"} {
		if err := os.Setenv(variable, data); err != nil {
			return err
		}
	}
	if err := os.Setenv("HOME", home); err != nil {
		return err
	}
	return os.MkdirAll(home, 0o700)
}

// TLS returns a directive that names a certificate for localhost.
func TLS() string { return tls }

// Storage returns a global option that keeps Caddy's files out of the home directory. A Caddy that starts
// after another one has stopped finds nothing of it there.
func Storage() string {
	return "storage file_system " + filepath.Join(storage, fmt.Sprint("storage", stops))
}

// Start runs one site, given its directives.
func Start(t testing.TB, directives string) portaltest.Gateway {
	t.Helper()
	g := portaltest.Gateway(portaltest.FreePort(t))
	Reload(t, g, directives)
	return g
}

// Reload gives a site other directives.
func Reload(t testing.TB, g portaltest.Gateway, directives string) {
	t.Helper()
	Load(t, DiscardLogs, sites(g, "localhost", directives))
}

// StartAnyHost runs one site that answers for every host name, with global options of its own.
func StartAnyHost(t testing.TB, options, directives string) portaltest.Gateway {
	t.Helper()
	g := portaltest.Gateway(portaltest.FreePort(t))
	Load(t, options, sites(g, "", directives))
	return g
}

// StartBoth runs directives twice: behind a policy, and on their own.
func StartBoth(t testing.TB, policy, directives string) (with, without portaltest.Gateway) {
	t.Helper()
	with, without = portaltest.Gateway(portaltest.FreePort(t)), portaltest.Gateway(portaltest.FreePort(t))
	Load(t, DiscardLogs, sites(with, "localhost", "route {\n"+policy+"\n"+directives+"\n}")+
		sites(without, "localhost", "route {\n"+directives+"\n}"))
	return with, without
}

// sites returns the sites of a gateway: in the clear, and over TLS.
func sites(g portaltest.Gateway, host, directives string) string {
	return fmt.Sprintf("http://%s:%d {\n%s\n}\nhttps://%[1]s:%[4]d {\n%[5]s\n%[3]s\n}\n", host, g,
		directives, g.HTTPSPort(), tls)
}

// Load runs a Caddyfile with global options until the test ends or another is loaded. It listens on
// the loopback interface only.
func Load(t testing.TB, options, caddyfile string) {
	t.Helper()
	if err := TryLoad(options, caddyfile); err != nil {
		t.Fatalf("%v\nin this Caddyfile:\n%s", err, caddyfile)
	}
	t.Cleanup(func() { Stop(t) })
}

// TryLoad does what Load does, and returns an error if the Caddyfile is faulty. What it starts
// continues to run.
func TryLoad(options, caddyfile string) error {
	options = "{\nadmin off\npersist_config off\nskip_install_trust\nauto_https disable_redirects\n" +
		"default_bind 127.0.0.1\ngrace_period 5s\n" + Storage() + "\n" + options + "\n}\n"
	config, _, err := Adapt(options + caddyfile)
	if err != nil {
		return err
	}
	return run(config)
}

// Adapt makes JSON of a Caddyfile.
func Adapt(caddyfile string) ([]byte, []caddyconfig.Warning, error) {
	return caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile),
		map[string]any{"filename": "Caddyfile"})
}

// Validate does with JSON what `caddy validate` does with it.
func Validate(config []byte) error {
	var parsed caddy.Config
	if err := json.Unmarshal(config, &parsed); err != nil {
		return err
	}
	return caddy.Validate(&parsed)
}
