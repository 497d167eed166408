package cookiepolicy

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// Where the fields of a policy were written is known of a handler's JSON, if this process adapted it.
func TestWrittenAt(t *testing.T) {
	config, _, err := caddytest.Adapt(":80 {\n\tcookie_policy opendatasoft matomo {\n\t\tname places\n" +
		"\t\tpreset piano {\n\t\t\tsame_site none\n\t\t}\n\t\tallow necessary a b {\n\t\t\tsecure\n" +
		"\t\t}\n\t}\n\trespond ok\n}\n")
	if err != nil {
		t.Fatal(err)
	}
	var p policy.Policy
	b, err := json.Marshal(handlerConfig(t, config))
	if err != nil {
		t.Fatal(err)
	}
	b = []byte(strings.Replace(string(b), `"handler":"cookie_policy",`, "", 1))
	if err := json.Unmarshal(b, &p); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"": "Caddyfile:2", "name": "Caddyfile:3", "presets[1]": "Caddyfile:2", "presets[2]": "Caddyfile:4",
		"presets[2].same_site": "Caddyfile:5", "presets[2].secure": "Caddyfile:4", "allow[0]": "Caddyfile:7",
		"allow[0].cookies[1]": "Caddyfile:7", "allow[0].secure": "Caddyfile:8", "mode": "Caddyfile:2",
	} {
		if got := writtenAt(&p, path); got != want {
			t.Errorf("%s was written at %q, want %q", path, got, want)
		}
	}
	p.Name = "others"
	if got := writtenAt(&p, "name"); got != "" {
		t.Errorf("a policy that nobody wrote was written at %q", got)
	}
}

// However many Caddyfiles are read, what is remembered of them is bounded.
func TestRememberIsBounded(t *testing.T) {
	for i := range maxAdapted + 10 {
		p := policy.Policy{Name: fmt.Sprint("bounded-", i)}
		remember(map[string]any{}, &p, places{"": caddyfile.Token{File: "Caddyfile", Line: i}})
		if got := writtenAt(&p, ""); got != fmt.Sprint("Caddyfile:", i) {
			t.Fatalf("policy %d was written at %q", i, got)
		}
	}
	if n := len(adapted.places); n > maxAdapted {
		t.Errorf("%d policies are remembered", n)
	}
}

// One name for two policies is told when the Caddyfile is read, where that can be known, and in any
// case when the config is loaded. The same policy can stand anywhere.
func TestOneName(t *testing.T) {
	const first = "cookie_policy opendatasoft {\nname city\n}\n"
	const second = "cookie_policy opendatasoft {\nmode report\nname city\n}\n"
	site := func(port int, directives string) string {
		return fmt.Sprintf("http://localhost:%d {\n%srespond ok\n}\n", port, directives)
	}
	const problem = `"city": two different policies have this name; `
	for _, c := range []struct{ what, caddyfile, want string }{
		{"two sites", site(1, first) + site(2, second), "Caddyfile:10: " + problem},
		{"one site", site(1, "route {\n"+first+second+"}\n"), "Caddyfile:8: " + problem},
		{"a snippet that says it differently", "(policy) {\ncookie_policy opendatasoft {\nname city\nmode {args[0]}\n}\n}\n" +
			site(1, "import policy report\n") + site(2, "import policy enforce\n"), "Caddyfile:3: " + problem},
		{"an error route", site(1, first+"handle_errors {\n"+second+"}\n"), "Caddyfile:8: " + problem},
		{"the same twice", site(1, first) + site(2, first), ""},
		{"the same in other words", site(1, first) +
			site(2, "cookie_policy {\npreset opendatasoft\nmode enforce\nname city\n}\n"), ""},
		{"no name", site(1, strings.Replace(first, "name city\n", "", 1)) +
			site(2, strings.Replace(second, "name city\n", "", 1)), ""},
	} {
		_, _, err := caddytest.Adapt(c.caddyfile)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.what, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: got %v, want %s", c.what, err, c.want)
		}
	}
	// A named route is read before the sites, and what it says is known when the config is loaded.
	config, _, err := caddytest.Adapt("&(policy) {\n" + second + "}\n" + site(1, first+"invoke policy\n"))
	if err != nil {
		t.Fatal(err)
	}
	err = caddytest.Validate(config)
	if err == nil || !strings.Contains(err.Error(), "two different policies have this name") ||
		!strings.Contains(err.Error(), "Caddyfile:4: ") && !strings.Contains(err.Error(), "Caddyfile:8: ") {
		t.Errorf("got %v", err)
	}
}
