package published_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/published"
)

var update = flag.Bool("update", false, "write the golden files")

// TestPortals reads the five published policies that a gateway has to be able to enforce.
func TestPortals(t *testing.T) {
	en := [][2]string{
		{"Authentication (front and back office)", "To remember the user from one page to another"},
		{"Language selection (front and back office)", "To remember the visitor's language"},
		{"API (CSRF) (front et back office)", "To retrieve data via API calls"},
		{"Choices related to your cookie preferences", "To remember the visitor's cookie preferences"},
	}
	fr := [][2]string{
		{"Authentification (front et back office)", "Se souvenir de l'utilisateur d'une page à une autre."},
		{"Sélection de la langue (front et back office)", "Se souvenir de la langue du visiteur"},
		{"API (CSRF) (front et back office)", "Récupérer des données via des appels API"},
		{"Choix concernant vos préférences sur les cookies",
			"Permet de se souvenir du choix opéré par le visiteur concernant les cookies"},
	}
	names := []string{"sessionid", "django_language", "csrftoken", "cookies_preferences"}
	files, err := filepath.Glob("testdata/portals/*.txt")
	if err != nil || len(files) != 5 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			language, texts := "en", en
			if strings.HasSuffix(file, ".fr.txt") {
				language, texts = "fr", fr
			}
			page := published.Read(readFile(t, file), published.Text)
			block, notes := page.Block("")
			if page.Status() != 0 || len(notes) != 0 {
				t.Errorf("status %d, notes %v %v", page.Status(), page.Notes, notes)
			}
			p := adapt(t, block)
			if len(p.Presets) != 1 || p.Presets[0].Name != "opendatasoft" || len(p.Allow) != len(names) {
				t.Fatalf("presets %v and rules %v", p.Presets, p.Allow)
			}
			for i, rule := range p.Allow {
				rule.Purpose[0].Text = strings.ReplaceAll(rule.Purpose[0].Text, "’", "'")
				function := policy.Text{Language: language, Text: texts[i][0]}
				purpose := policy.Text{Language: language, Text: texts[i][1]}
				if rule.Category != policy.Necessary || !slices.Equal(rule.Cookies, names[i:i+1]) ||
					rule.Provider != "Opendatasoft" || !slices.Equal(rule.Function, []policy.Text{function}) ||
					!slices.Equal(rule.Purpose, []policy.Text{purpose}) || rule.Lifetime != 0 {
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
// and the notes.
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
			shown := regexp.MustCompile(`<!--.*?-->|<[a-zA-Z/][^>]*>`).ReplaceAll(b, nil)
			for _, row := range page.Rows {
				for _, n := range row.Names {
					if !standsOn(shown, n.Pattern) {
						t.Errorf("%q does not stand on the page", n.Pattern)
					}
				}
			}
			block, notes := page.Block("")
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
