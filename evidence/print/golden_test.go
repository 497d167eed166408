package print

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write what is printed to testdata")

// The documents about a fixed report are those in testdata. Two runs write the same.
func TestGolden(t *testing.T) {
	for file, written := range map[string]func(*Report) string{
		"report.en.md":   func(r *Report) string { return markdown(t, r, "en") },
		"report.fr.md":   func(r *Report) string { return markdown(t, r, "fr") },
		"report.en.html": func(r *Report) string { return printHTML(t, r, "en") },
		"report.fr.html": func(r *Report) string { return printHTML(t, r, "fr") },
		"report.json": func(r *Report) string {
			b, err := json.MarshalIndent(r, "", "\t")
			if err != nil {
				t.Fatal(err)
			}
			return string(b) + "\n"
		},
	} {
		got := written(fixed(t))
		if again := written(fixed(t)); again != got {
			t.Errorf("%s: two runs differ", file)
		}
		path := filepath.Join("testdata", file)
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s differs from what is printed; look at it, and run go test -update", file)
		}
	}
}
