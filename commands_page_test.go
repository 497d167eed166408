package cookiepolicy

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
	"github.com/cookie-policy/caddy-cookie-policy/page"
)

// The command prints the page of a policy in a config file or on a gateway: what its page's block says
// counts, and there is neither a form nor a visitor.
func TestPageCommand(t *testing.T) {
	gateway := caddytest.StartInstance(t, "cookie_policy opendatasoft {\nname city\n}\n"+
		"cookie_policy_page /cookies {\ncontroller \"City of Example\"\nlanguages de en\n}\nrespond hello")
	example := "examples/with-page.Caddyfile"
	several := filepath.Join(writeFiles(t, "Caddyfile", twoPolicies), "Caddyfile")
	for _, c := range []struct {
		what   string
		q      pageQuery
		status int
		says   []string // regular expressions
	}{
		{"a config", pageQuery{query: &query{config: example}}, 0, []string{`<html lang="en">`, "City of Example",
			"_pk_id\\*", "13 months"}},
		{"in French", pageQuery{query: &query{config: example}, language: "fr"}, 0, []string{`<html lang="fr">`, "13\\x{a0}mois"}},
		{"as data", pageQuery{query: &query{config: example, policy: "city-data", json: true}}, 0,
			[]string{`^\{\n\t"language": "en"`, `"controller": "City of Example"`}},
		{"a gateway", pageQuery{query: &query{addresses: []string{gateway.Admin}}}, 0,
			[]string{`<html lang="de">`, "City of Example", "<time datetime="}},
		{"the template", pageQuery{query: &query{}, template: true}, 0, []string{regexp.QuoteMeta(page.DefaultTemplate)}},
		{"no such language", pageQuery{query: &query{config: example}, language: "xx"}, 2,
			[]string{`--language "xx": there is no such language; want one of .*\bfr\b`}},
		{"two policies", pageQuery{query: &query{config: several}}, 2, []string{"choose one with --policy: "}},
		{"no config", pageQuery{query: &query{config: "none"}}, 2, []string{"no such file"}},
	} {
		var out bytes.Buffer
		status, err := c.q.print(&out)
		if status != c.status {
			t.Errorf("%s: status %d, %v", c.what, status, err)
		}
		text := out.String()
		if err != nil {
			text += err.Error()
		}
		for _, says := range c.says {
			if !regexp.MustCompile(says).MatchString(text) {
				t.Errorf("%s: not %s in\n%s", c.what, says, text)
			}
		}
		if !c.q.template && strings.Contains(text, "<form") {
			t.Errorf("%s: there is a form", c.what)
		}
		if c.q.json && !json.Valid(out.Bytes()) {
			t.Errorf("%s: no JSON: %s", c.what, text)
		}
	}
}
