package published_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/published"
)

var update = flag.Bool("update", false, "write the golden files")

// TestPortals reads the five published policies that a gateway has to be able to enforce.
func TestPortals(t *testing.T) {
	en := [][]policy.Text{
		{{Language: "en", Text: "Authentication (front and back office)"}, {Language: "en", Text: "To remember the user from one page to another"}},
		{{Language: "en", Text: "Language selection (front and back office)"}, {Language: "en", Text: "To remember the visitor's language"}},
		{{Language: "en", Text: "API (CSRF) (front et back office)"}, {Language: "en", Text: "To retrieve data via API calls"}},
		{{Language: "en", Text: "Choices related to your cookie preferences"}, {Language: "en", Text: "To remember the visitor's cookie preferences"}},
	}
	fr := [][]policy.Text{
		{{Language: "fr", Text: "Authentification (front et back office)"}, {Language: "fr", Text: "Se souvenir de l'utilisateur d'une page à une autre."}},
		{{Language: "fr", Text: "Sélection de la langue (front et back office)"}, {Language: "fr", Text: "Se souvenir de la langue du visiteur"}},
		{{Language: "fr", Text: "API (CSRF) (front et back office)"}, {Language: "fr", Text: "Récupérer des données via des appels API"}},
		{{Language: "fr", Text: "Choix concernant vos préférences sur les cookies"}, {Language: "fr", Text: "Permet de se souvenir du choix opéré par le visiteur concernant les cookies"}},
	}
	names := []string{"sessionid", "django_language", "csrftoken", "cookies_preferences"}
	files, err := filepath.Glob("testdata/portals/*.txt")
	if err != nil || len(files) != 5 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			texts := en
			if strings.HasSuffix(file, ".fr.txt") {
				texts = fr
			}
			page := published.Read(readFile(t, file), published.Text)
			block, notes := page.Block()
			if page.Status() != 0 || len(notes) != 0 {
				t.Errorf("status %d, notes %v %v", page.Status(), page.Notes, notes)
			}
			p := adapt(t, block)
			if len(p.Presets) != 1 || p.Presets[0].Name != "opendatasoft" || len(p.Allow) != len(names) {
				t.Fatalf("presets %v and rules %v", p.Presets, p.Allow)
			}
			for i, rule := range p.Allow {
				rule.Function[0].Text = strings.ReplaceAll(rule.Function[0].Text, "’", "'")
				rule.Purpose[0].Text = strings.ReplaceAll(rule.Purpose[0].Text, "’", "'")
				if rule.Category != policy.Necessary || !slices.Equal(rule.Cookies, names[i:i+1]) ||
					rule.Provider != "Opendatasoft" || !slices.Equal(rule.Function, texts[i][:1]) ||
					!slices.Equal(rule.Purpose, texts[i][1:]) || rule.Lifetime != 0 {
					t.Errorf("%+v", rule)
				}
			}
			resolved, err := p.Resolve()
			if err != nil {
				t.Fatal(err)
			}
			if got := resolved.Counts(); got != (policy.Counts{Rules: 4, Cookies: 4, Preferences: 1}) {
				t.Errorf("the policy has %+v", got)
			}
		})
	}
}

// TestPages compares what is read of pages in many layouts with golden files: the status, the block
// and the notes. Every name in the golden files was compared with its page by a person.
func TestPages(t *testing.T) {
	for _, file := range pages(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			b := readFile(t, file)
			kind := published.Text
			if strings.HasSuffix(file, ".html") {
				kind = published.HTML
			}
			if got := published.KindOf("", b); got != kind {
				t.Errorf("the kind of the page is taken for %s", got)
			}
			check(t, b, kind)
			page := published.Read(b, kind)
			block, notes := page.Block()
			var got strings.Builder
			fmt.Fprintf(&got, "status %d, language %q\n\n%s\n", page.Status(), page.Language, block)
			for _, n := range append(page.Notes, notes...) {
				fmt.Fprintf(&got, "%d: %s: %s\n", n.Line, n.Kind, n.Message)
			}
			golden := filepath.Join("testdata/golden", filepath.Base(file)+".golden")
			if *update {
				if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want := string(readFile(t, golden)); got.String() != want {
				t.Errorf("got\n%s\nwant\n%s", got.String(), want)
			}
		})
	}
}
