package cookiepolicy

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// ownOptions is the beginning of a Caddyfile with global options.
var ownOptions = regexp.MustCompile(`\A(?:#.*\n|\n)*\{\n`)

// layoutWarnings loads or validates a Caddyfile and returns the warnings that the app logs. It fails
// if the same one is logged twice.
func layoutWarnings(t *testing.T, caddyfile string, run func(config []byte) error) (warnings []string) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "caddy.log")
	options := "{\nadmin off\npersist_config off\nskip_install_trust\nauto_https off\n" +
		"default_bind 127.0.0.1\n" + caddytest.Storage() + "\nlog {\noutput file " +
		log + "\nformat json\nlevel DEBUG\n}\n"
	if own := ownOptions.FindString(caddyfile); own != "" {
		caddyfile = caddyfile[len(own):]
	} else {
		options += "}\n"
	}
	config, _, err := caddytest.Adapt(options + caddyfile)
	if err != nil {
		t.Fatalf("%v\nin this Caddyfile:\n%s", err, options+caddyfile)
	}
	if err := run(config); err != nil {
		t.Fatalf("%v\nin this Caddyfile:\n%s", err, options+caddyfile)
	}
	for _, e := range caddytest.ReadLog(t, log, appLog, "") {
		if e["level"] != "warn" || e["server"] == nil {
			continue
		}
		warning := fmt.Sprintf("%s: %s", e["policy"], e["msg"])
		if slices.Contains(warnings, warning) {
			t.Errorf("logged twice: %s", warning)
		}
		warnings = append(warnings, warning)
	}
	return warnings
}

// A config in which a policy does not see all cookies is loaded, and a warning says why, once. So
// does a validation.
func TestLayoutWarnings(t *testing.T) {
	portal := portaltest.StartPortal(t, portaltest.Response("200 OK", nil, ""))
	var cases []portaltest.Case
	for _, file := range []string{"layout.txtar", "layout_load.txtar"} {
		cases = append(cases, portaltest.ReadCases(t, filepath.Join("testdata", file), "PORTAL", portal.Address)...)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			caddyfile := strings.ReplaceAll(c.Caddyfile, "PORT", fmt.Sprint(portaltest.FreePort(t)))
			for what, run := range map[string]func([]byte) error{
				"loaded":    loadAndStop,
				"validated": caddytest.Validate,
			} {
				got := layoutWarnings(t, caddyfile, run)
				if !slices.EqualFunc(got, c.Notes("warning"), strings.HasPrefix) {
					t.Errorf("%s:\ngot  %q\nwant %q", what, got, c.Notes("warning"))
				}
			}
		})
	}
}

func loadAndStop(config []byte) error {
	if err := caddy.Load(config, true); err != nil {
		return err
	}
	return caddy.Stop()
}

// The examples for people have no such mistake.
func TestLayoutWarningsOfExamples(t *testing.T) {
	examples := []string{read(t, "Caddyfile.example")}
	files, err := filepath.Glob("examples/*.Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		examples = append(examples, read(t, file))
	}
	examples = append(examples, fenced(t, "caddyfile")...)
	for _, text := range examples {
		text = strings.ReplaceAll(text, "/var/log/caddy", t.TempDir())
		if got := layoutWarnings(t, text, caddytest.Validate); got != nil {
			t.Errorf("%q\nin\n%s", got, text)
		}
	}
}

// The hosts in the inventory are the names of the sites that have the policy, wherever on a site it
// is. All others are (other).
func TestLayoutSites(t *testing.T) {
	portal := portaltest.StartPortal(t, portaltest.Response("200 OK", []string{google}, ""))
	for what, c := range map[string]struct {
		directives string
		hosts      []string
	}{
		"a site": {"cookie_policy opendatasoft {\nname city\n}\nreverse_proxy PORTAL", []string{"localhost"}},
		"handle": {
			"handle {\ncookie_policy opendatasoft {\nname city\n}\nreverse_proxy PORTAL\n}",
			[]string{"localhost"},
		},
		"handle_errors": {"error 500\nhandle_errors {\ncookie_policy opendatasoft {\nname city\n}\n" +
			"reverse_proxy PORTAL\n}", []string{"localhost"}},
		"a host matcher": {"@localhost host localhost\nroute @localhost {\n" +
			"cookie_policy opendatasoft {\nname city\n}\nreverse_proxy PORTAL\n}",
			[]string{"localhost"}},
	} {
		t.Run(what, func(t *testing.T) {
			w := caddytest.StartInstance(t, strings.ReplaceAll(c.directives, "PORTAL", portal.Address))
			w.Get("/")
			want(t, "hosts", inventory(t, w, "city")["set _ga"].Hosts, c.hosts)
		})
	}
	w := caddytest.NewInstance(t)
	w.Load(fmt.Sprintf("&(named) {\nroute {\ncookie_policy opendatasoft {\nname city\n}\n"+
		"reverse_proxy %s\n}\n}\nhttp://localhost:%d {\ninvoke named\n}\n", portal.Address, w.Site))
	w.Get("/")
	want(t, "hosts of a named route", inventory(t, w, "city")["set _ga"].Hosts, []string{"localhost"})
	caddytest.Stop(t) // the inventory begins anew

	w.Load(fmt.Sprintf("(site) {\ncookie_policy opendatasoft {\nname city\n}\nreverse_proxy %s\n}\n"+
		"http://*.localhost:%d, http://localhost:%[2]d {\nimport site\n}\nhttp://:%[2]d {\nimport site\n}\n",
		portal.Address, w.Site))
	for _, host := range []string{
		"localhost", "LOCALHOST", "a.localhost", "a.b.localhost", "made-up.example",
	} {
		w.Site.Send(t, "GET / HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n")
	}
	hosts := inventory(t, w, "city")["set _ga"].Hosts
	slices.Sort(hosts)
	want(t, "hosts", hosts, []string{"(other)", "*.localhost", "localhost"})
}
