package cookiepolicy

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// writeFiles writes files into a directory of their own, by name and text.
func writeFiles(t *testing.T, files ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for i := 0; i < len(files); i += 2 {
		if err := os.WriteFile(filepath.Join(dir, files[i]), []byte(files[i+1]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// described is the policies' names, their sites, and where fields were written.
func described(policies []configuredPolicy, dir string, fields ...string) string {
	var all []string
	for _, p := range policies {
		var b strings.Builder
		name := p.Resolved.Name()
		if name == p.Resolved.Digest()[:8] {
			name = "unnamed"
		}
		fmt.Fprintf(&b, "%s on %s\n", name, strings.Join(p.Hosts, " "))
		for _, field := range fields {
			fmt.Fprintf(&b, "  %s: %s\n", field, strings.ReplaceAll(p.Where(field), dir+"/", ""))
		}
		all = append(all, b.String())
	}
	slices.Sort(all) // a digest can be before and behind the names
	return strings.Join(all, "")
}

// Policies are found wherever a Caddyfile has them, with the sites that they are on, and with the file
// and line of each field.
func TestLoadPolicies(t *testing.T) {
	dir := writeFiles(t, "Caddyfile", `{
	admin off
}

(city) {
	cookie_policy opendatasoft {
		name city
		allow statistical {args[0]} {
			lifetime 30d
		}
	}
}

&(shared) {
	cookie_policy matomo {
		name shared
	}
}

data.city.example, http://*.city.example {
	import city _hs*
	respond ok
}

open.city.example {
	import city _hs*
	invoke shared
	respond ok
}

town.example {
	@app path /app/*
	cookie_policy @app matomo {
		name town
	}
	route /other/* {
		respond /none gone
		cookie_policy {
			import rules
			name other
		}
	}
	respond ok
	handle_errors {
		cookie_policy @app matomo {
			name town
		}
	}
}

:8080 {
	cookie_policy opendatasoft
}
`, "rules", `allow necessary sessionid
allow statistical _pk_* {
	consent matomo
}
preference choices
`)
	policies, err := loadPolicies(filepath.Join(dir, "Caddyfile"), "")
	if err != nil {
		t.Fatal(err)
	}
	got := described(policies, dir, "", "allow[0]", "allow[1].consent[0]", "presets[0]")
	want(t, "policies", got, `city on *.city.example data.city.example open.city.example
  : Caddyfile:6
  allow[0]: Caddyfile:8
  allow[1].consent[0]: Caddyfile:6
  presets[0]: Caddyfile:6
other on town.example
  : Caddyfile:38
  allow[0]: rules:1
  allow[1].consent[0]: rules:3
  presets[0]: Caddyfile:38
shared on open.city.example
  : Caddyfile:15
  allow[0]: Caddyfile:15
  allow[1].consent[0]: Caddyfile:15
  presets[0]: Caddyfile:15
town on town.example
  : Caddyfile:33
  allow[0]: Caddyfile:33
  allow[1].consent[0]: Caddyfile:33
  presets[0]: Caddyfile:33
unnamed on 
  : Caddyfile:52
  allow[0]: Caddyfile:52
  allow[1].consent[0]: Caddyfile:52
  presets[0]: Caddyfile:52
`)
}

// A JSON config has no lines: a field is where its path leads.
func TestLoadPolicies_fromJSON(t *testing.T) {
	dir := writeFiles(t, "caddy.json", `{"apps": {"http": {"servers": {"srv0": {
		"routes": [{"match": [{"host": ["Data.city.example"]}], "handle": [{"handler": "subroute", "routes": [
			{"handle": [{"handler": "invoke", "name": "shared"}, {"handler": "static_response"}]}
		]}]}],
		"named_routes": {
			"shared": {"handle": [{"handler": "cookie_policy", "name": "city", "presets": ["opendatasoft"],
				"allow": [{"category": "statistical", "cookies": ["_pk_*"], "lifetime": 1000000000}]}]},
			"loop": {"handle": [{"handler": "invoke", "name": "loop"}]},
			"unused": {"handle": [{"handler": "cookie_policy", "presets": ["matomo"]}]}
		}
	}}}}}`)
	policies, err := loadPolicies(filepath.Join(dir, "caddy.json"), "")
	if err != nil {
		t.Fatal(err)
	}
	if policies[0].Resolved.Name() != "city" {
		policies[0], policies[1] = policies[1], policies[0]
	}
	want(t, "policies", described(policies, dir, "", "allow[0].lifetime"), `city on data.city.example
  : caddy.json: apps.http.servers.srv0.named_routes.shared.handle[0]
  allow[0].lifetime: caddy.json: apps.http.servers.srv0.named_routes.shared.handle[0].allow[0].lifetime
unnamed on 
  : caddy.json: apps.http.servers.srv0.named_routes.unused.handle[0]
  allow[0].lifetime: caddy.json: apps.http.servers.srv0.named_routes.unused.handle[0].allow[0].lifetime
`)
	want(t, "lifetime", policies[0].Policy.Allow[0].Lifetime.String(), "1s")
}

// What is wrong with a config is told where it is.
func TestLoadPolicies_errors(t *testing.T) {
	for _, c := range []struct{ what, file, adapter, text, want string }{
		{"no policy", "Caddyfile", "", "localhost {\nrespond ok\n}\n", "DIR/Caddyfile: no site of this config has a cookie_policy"},
		{"a fault", "site.Caddyfile", "", "localhost {\ncookie_policy {\nallow CATEGORY a\n}\n}\n",
			`DIR/site.Caddyfile:3: "CATEGORY": no such category`},
		{"an unknown directive", "site", "caddyfile", "localhost {\ncookie_policies\n}\n", "DIR/site:2: unrecognized directive"},
		{"an unknown adapter", "Caddyfile", "toml", "", `"toml": this program has no such config adapter`},
		{"a Caddyfile for JSON", "caddy.json", "", "localhost\n", "DIR/caddy.json: this is not a JSON config"},
		{"a fault in JSON", "caddy.json", "", `{"apps": {"http": {"servers": {"x": {"routes": [{"handle": [
			{"handler": "cookie_policy", "allow": [{"category": "x", "cookies": ["a"]}]}]}]}}}}}`,
			`DIR/caddy.json: apps.http.servers.x.routes[0].handle[0].allow[0].category: "x": no such category`},
		{"an unknown field", "caddy.json", "", `{"apps": {"http": {"servers": {"x": {"routes": [{"handle": [
			{"handler": "cookie_policy", "alow": []}]}]}}}}}`,
			`DIR/caddy.json: apps.http.servers.x.routes[0].handle[0]: json: unknown field "alow"`},
		{"two of one name, in JSON", "caddy.json", "", `{"apps": {"http": {"servers": {"x": {"routes": [{"handle": [
			{"handler": "cookie_policy", "name": "x", "presets": ["opendatasoft"]},
			{"handler": "cookie_policy", "name": "x", "presets": ["opendatasoft", "matomo"]}]}]}}}}}`,
			`handle[0] and DIR/caddy.json: apps.http.servers.x.routes[0].handle[1]; give each a name of its own`},
		{"two of one name", "Caddyfile", "",
			"http://a {\ncookie_policy matomo {\nname x\n}\n}\nhttp://b {\ncookie_policy opendatasoft {\nname x\n}\n}\n",
			`DIR/Caddyfile:8: "x": two different policies have this name; give each a name of its own, or make them one ` +
				`with a snippet; the first is DIR/Caddyfile:3`},
	} {
		dir := writeFiles(t, c.file, c.text)
		_, err := loadPolicies(filepath.Join(dir, c.file), c.adapter)
		if err == nil || !strings.Contains(err.Error(), strings.ReplaceAll(c.want, "DIR", dir)) {
			t.Errorf("%s: %v, want %s", c.what, err, c.want)
		}
	}
	if _, err := loadPolicies(filepath.Join(t.TempDir(), "Caddyfile"), ""); !os.IsNotExist(err) {
		t.Errorf("no file: %v", err)
	}
}

// A config that is read is neither run nor provisioned: the policies that run stay what they are.
func TestLoadPolicies_doesNotRun(t *testing.T) {
	w := caddytest.StartInstance(t, "cookie_policy opendatasoft {\nname city\n}\nrespond ok")
	before := len(w.Log("all.log", "cookie_policy", ""))
	dir := writeFiles(t, "Caddyfile", "http://localhost {\ncookie_policy opendatasoft matomo {\nname city\n}\n}\n")
	q := query{config: filepath.Join(dir, "Caddyfile")}
	policies, err := q.policies()
	if err != nil || len(policies) != 1 || policies[0].Policy.Presets[1].Name != "matomo" {
		t.Fatalf("%+v, %v", policies, err)
	}
	var inForce []policyInForce
	w.AskJSON("/cookie-policy/policies", &inForce)
	if len(inForce) != 1 || inForce[0].Digest == policies[0].Resolved.Digest() {
		t.Errorf("in force are %+v", inForce)
	}
	want(t, "records of the log", len(w.Log("all.log", "cookie_policy", "")), before)
}

// Nothing is written: no key for a site, no log, nothing in the home directory.
func TestLoadPolicies_writesNothing(t *testing.T) {
	dir := writeFiles(t, "Caddyfile", "localhost {\ntls internal\nlog {\noutput file access.log\n}\n"+
		"cookie_policy matomo\n}\n")
	for _, variable := range []string{"HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"} {
		t.Setenv(variable, dir)
	}
	if _, err := loadPolicies(filepath.Join(dir, "Caddyfile"), ""); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Errorf("the directory has %v, %v", files, err)
	}
}
