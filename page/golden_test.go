package page

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/languages"
)

var update = flag.Bool("update", false, "write the golden pages anew")

// The page in each language, for a visitor who has not chosen yet.
func TestHTMLGolden(t *testing.T) {
	for _, l := range languages.All() {
		t.Run(l.Tag, func(t *testing.T) {
			p := newPage(t, Config{Controller: "City of Example", Contact: "mailto:dpo@city.example"})
			d, err := p.Data(compile(t, city()), InForce{Since: noon}, Visitor{Host: "data.city.example", Language: l.Tag})
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.HTML(d)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", "page."+l.Tag+".html")
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("the page differs from %s; see the difference after go test -run Golden -update", file)
			}
		})
	}
}
