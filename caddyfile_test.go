package cookiepolicy

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

var update = flag.Bool("update", false, "write what is seen into the golden files")

// Each file of testdata/config holds a Caddyfile and the JSON it becomes; the JSON provisions.
func TestCaddyfileConfig(t *testing.T) {
	golden(t, "config", func(t *testing.T, caddyfile string) string {
		config, warnings, err := caddytest.Adapt(caddyfile)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range warnings {
			if !strings.Contains(w.Message, "not formatted") {
				t.Errorf("warning: %s", w)
			}
		}
		if err := caddytest.Validate(config); err != nil {
			t.Errorf("the JSON does not provision: %v", err)
		}
		return indent(t, handlerConfig(t, config))
	})
}

// Each file of testdata/faults holds a Caddyfile and all that is wrong with it, with file and line.
func TestCaddyfileFaults(t *testing.T) {
	golden(t, "faults", func(t *testing.T, caddyfile string) string {
		_, _, err := caddytest.Adapt(caddyfile)
		if err == nil {
			t.Fatal("the Caddyfile was accepted")
		}
		return err.Error()
	})
}

// In JSON the field's path stands for the line.
func TestHandlerJSONFaults(t *testing.T) {
	presets := policy.Presets()
	names := strings.Join(presets[:len(presets)-1], ", ") + " or " + presets[len(presets)-1]
	for _, c := range []struct{ name, config, want string }{
		{"every fault at once, with its path",
			`{"presets": ["nosuch", {"name": "opendatasoft", "anonymous": true}], "allow": ` +
				`[{"category": "vital", "cookies": ["a", "a"]}], "unlisted": "maybe"}`,
			`presets[0]: "nosuch": no such preset; want ` + names + `
presets[1].anonymous: "anonymous": the preset opendatasoft has no statistical cookies; ` +
				`remove it: only they can be anonymous
allow[0].category: "vital": no such category; want necessary, statistical, first_party or third_party
allow[0].cookies[1]: "a": this name is allowed twice; keep one of the two; the first is allow[0].cookies[0]
unlisted: "maybe": no such unlisted; want block or pass`},
		{"a policy without a rule", `{}`,
			"this policy lets no cookie through; name a preset such as opendatasoft, or write an " +
				"allow line"},
		{"a field nobody knows", `{"alow": []}`, `unknown field "alow"`},
		{"a field of a preset nobody knows", `{"presets": [{"name": "matomo", "anonymus": true}]}`,
			`unknown field "anonymus"`},
		{"a duration that is none", `{"allow": [{"category": "necessary", "cookies": ["a"], ` +
			`"lifetime": "2 weeks"}]}`, `allow[0].lifetime: "2 weeks": this is not a duration; write 14d`},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := `{"admin": {"disabled": true}, "apps": {"http": {"servers": {"s": {"listen": ` +
				`["127.0.0.1:0"], "routes": [{"handle": [` +
				strings.Replace(c.config, "{", `{"handler": "cookie_policy",`, 1) + `]}]}}}}}`
			config = strings.Replace(config, `"cookie_policy",}`, `"cookie_policy"}`, 1)
			var parsed caddy.Config
			if err := json.Unmarshal([]byte(config), &parsed); err != nil {
				t.Fatal(err)
			}
			if err := caddy.Validate(&parsed); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

// The directive stands before map, so that no global option is needed and everything that sets
// cookies runs inside.
func TestCaddyfilePlaceInTheChain(t *testing.T) {
	config, _, err := caddytest.Adapt(":80\nrespond ok\nheader X y\nvars a b\nmap {path} {x} {\n" +
		"default y\n}\nencode gzip\ncookie_policy opendatasoft\n")
	if err != nil {
		t.Fatal(err)
	}
	place := -1
	for _, handler := range []string{"cookie_policy", "map", "vars", "headers", "encode",
		"static_response"} {
		i := bytes.Index(config, []byte(`"handler":"`+handler+`"`))
		if i < place {
			t.Errorf("%s comes too early in %s", handler, config)
		}
		place = i
	}
}

// The whole directory of examples is written as `caddy fmt` writes it, and adapts.
func TestCaddyfileExample(t *testing.T) {
	example, err := os.ReadFile("Caddyfile.example")
	if err != nil {
		t.Fatal(err)
	}
	_, warnings, err := caddytest.Adapt(string(example))
	if err != nil || len(warnings) > 0 {
		t.Errorf("%v, %v", err, warnings)
	}
	// The second half is commented out; it has to work once the signs are removed.
	_, portals, found := strings.Cut(string(example), "# (portal) {")
	if !found {
		t.Fatal("the example no longer shows real portals")
	}
	portals = "# (portal) {" + portals
	var uncommented strings.Builder
	for line := range strings.Lines(portals) {
		uncommented.WriteString(strings.TrimPrefix(strings.TrimPrefix(line, "# "), "#"))
	}
	config, warnings, err := caddytest.Adapt(uncommented.String())
	if err != nil || len(warnings) > 0 {
		t.Errorf("%v, %v", err, warnings)
	}
	if n := bytes.Count(config, []byte(`"handler":"cookie_policy"`)); n != 5 {
		t.Errorf("%d sites have the policy, want 5", n)
	}
}

const rule = "\n----------\n"

// golden compares what check makes of the first half of each file with the second half, which
// -update writes.
func golden(t *testing.T, dir string, check func(t *testing.T, caddyfile string) string) {
	files, err := filepath.Glob(filepath.Join("testdata", dir, "*.caddyfiletest"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".caddyfiletest"), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			caddyfile, want, _ := strings.Cut(string(b), rule)
			got := check(t, caddyfile+"\n") + "\n"
			if *update {
				if err := os.WriteFile(file, []byte(caddyfile+rule+got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// handlerConfig finds the one cookie_policy handler in a config.
func handlerConfig(t *testing.T, config []byte) any {
	t.Helper()
	var parsed any
	if err := json.Unmarshal(config, &parsed); err != nil {
		t.Fatal(err)
	}
	var found any
	var look func(any)
	look = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if v["handler"] == "cookie_policy" {
				found = v
			}
			for _, member := range v {
				look(member)
			}
		case []any:
			for _, member := range v {
				look(member)
			}
		}
	}
	look(parsed)
	if found == nil {
		t.Fatal("no cookie_policy in the config")
	}
	return found
}

func indent(t *testing.T, v any) string {
	t.Helper()
	b, err := json.MarshalIndent(v, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
