package cookiepolicy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
	"github.com/cookie-policy/caddy-cookie-policy/languages"
	"github.com/cookie-policy/caddy-cookie-policy/page"
)

// The links that the documents give for a portal's footer lead to the page of the example.
func TestDocsFooter(t *testing.T) {
	portal := portaltest.StartPortal(t, portaltest.Page())
	i := caddytest.NewInstance(t)
	i.Load(strings.NewReplacer("data.city.example", fmt.Sprintf("http://localhost:%d", i.Site),
		"https://portal.example.org", portal.Address).Replace(read(t, "examples/with-page.Caddyfile")))
	lines := fenced(t, "html")
	if len(lines) < 2 {
		t.Fatalf("%q", lines)
	}
	for _, line := range lines {
		link := regexp.MustCompile(`^<a href="(/[a-z]+)">Cookies</a>\n$`).FindStringSubmatch(line)
		if link == nil {
			t.Fatalf("this test does not understand %q", line)
		}
		if text := i.Get(link[1]).Body(); !strings.Contains(text, "<h1>Cookie policy</h1>") ||
			!strings.Contains(text, "City of Example") || !strings.Contains(text, "<form") {
			t.Errorf("%s leads to %s", link[1], text)
		}
	}
	if len(portal.Requests()) > 0 {
		t.Error("the portal was asked")
	}
}

// The documents name all languages of the page.
func TestDocsLanguages(t *testing.T) {
	var tags []string
	for _, l := range languages.All() {
		tags = append(tags, "`"+l.Tag+"`")
	}
	row := "the languages of the page: " + strings.Join(tags, ", ") + "."
	if !strings.Contains(read(t, "docs/reference.md"), row) {
		t.Errorf("docs/reference.md does not say %q", row)
	}
}

// What docs/page.md says of templates is there in the built-in one.
func TestDocsTemplate(t *testing.T) {
	_, text, _ := strings.Cut(read(t, "docs/page.md"), "## Style and template")
	text, _, _ = strings.Cut(text, "## As data")
	var names []string
	for _, m := range regexp.MustCompile("`(\\.[A-Z]\\w*)`").FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
		if !strings.Contains(page.DefaultTemplate, m[1]) {
			t.Errorf("the built-in template has no %s", m[1])
		}
	}
	if slices.Index(names, ".T") < 0 || len(names) < 6 {
		t.Errorf("found %q", names)
	}
}
