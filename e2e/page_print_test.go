package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	devtools "github.com/chromedp/cdproto/page"
)

var squeezed = regexp.MustCompile(`[\s\p{Z}\x{ad}\x{2010}-]+`)

// squeeze removes what line breaks change: spaces, and hyphens.
func squeeze(text string) string { return squeezed.ReplaceAllString(text, "") }

// The page as Chromium prints it to PDF: every cookie with its purpose and lifetime, the heads of tables
// again on each sheet, the digest and the date, and no form. It is tagged, so that it can be read aloud.
func testPagePrint(t *testing.T, s *pageSites) {
	pdftotext, pdfinfo := need(t, "pdftotext"), need(t, "pdfinfo")
	v := s.visitor(t, "https", "long")
	for _, language := range pageLanguages {
		t.Run(language, func(t *testing.T) {
			v.T = t
			v.open("/cookies?lang=" + language)
			var page struct {
				Policy struct {
					Digest string
					Since  struct{ Text string } `json:"in_force_since"`
				}
				Controller string
				Kinds      []struct {
					Name  string
					Rules []struct {
						Cookies           []string
						Provider          string
						Function, Purpose struct{ Text string }
						Lifetime          struct{ Text string }
					}
				}
			}
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
				"http://127.0.0.1:"+s.http+"/cookies?lang="+language, nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Host = v.host + ":" + s.http
			request.Header.Set("Accept", "application/json")
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			if err := json.NewDecoder(response.Body).Decode(&page); err != nil {
				t.Fatal(err)
			}
			forms := v.text(`[...document.querySelectorAll('button, legend, label')].map(e => e.innerText).join('\n')`)
			head := v.text(`document.querySelector('thead').innerText`)

			file := filepath.Join(t.TempDir(), "page.pdf")
			v.run(chromedp.ActionFunc(func(ctx context.Context) error {
				pdf, _, err := devtools.PrintToPDF().WithPreferCSSPageSize(true).WithPaperWidth(8.27).
					WithPaperHeight(11.69).WithGenerateTaggedPDF(true).Do(ctx)
				if err != nil {
					return err
				}
				return os.WriteFile(file, pdf, 0o600)
			}))
			out, err := exec.Command(pdftotext, "-raw", file, "-").Output()
			if err != nil {
				t.Fatal(err)
			}
			text := squeeze(string(out))
			wants := []string{page.Policy.Digest, page.Policy.Since.Text, page.Controller, "long.city.test"}
			rules := 0
			for _, kind := range page.Kinds {
				wants = append(wants, kind.Name)
				for _, rule := range kind.Rules {
					rules++
					wants = append(wants, rule.Cookies...)
					wants = append(wants, rule.Provider, rule.Function.Text, rule.Purpose.Text, rule.Lifetime.Text,
						strings.Join(rule.Cookies, ", ")+rule.Purpose.Text)
				}
			}
			if rules != 33 {
				t.Errorf("the page has %d rules, want 33", rules)
			}
			for _, want := range wants {
				if want == "" || !strings.Contains(text, squeeze(want)) {
					t.Errorf("%q is not on paper", want)
				}
			}
			for _, unwanted := range strings.Split(forms, "\n") {
				if strings.Contains(text, squeeze(unwanted)) {
					t.Errorf("%q of the form is on paper", unwanted)
				}
			}
			// The table of statistical cookies is longer than a sheet.
			sheets := strings.Split(strings.TrimSuffix(string(out), "\f"), "\f")
			heads := strings.Count(text, squeeze(head))
			if tables := 2; len(sheets) < 3 || heads <= tables {
				t.Errorf("%d sheets have %d heads of %d tables", len(sheets), heads, tables)
			}
			for i, sheet := range sheets {
				if squeeze(sheet) == "" {
					t.Errorf("the sheet %d is empty", i+1)
				}
			}
			info, err := exec.Command(pdfinfo, file).Output()
			if err != nil {
				t.Fatal(err)
			}
			if !regexp.MustCompile(`(?m)^Tagged: +yes$`).Match(info) ||
				!strings.Contains(string(info), v.text("document.title")) {
				t.Errorf("the PDF is not tagged, or has no title:\n%s", info)
			}
		})
	}
}
