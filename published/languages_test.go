package published_test

import (
	"fmt"
	"html"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/languages"
	"github.com/cookie-policy/caddy-cookie-policy/published"
)

// TestRead_languages reads tables with the headings, names of categories and lifetimes that a
// generated page has in each language, and text tables with the same.
func TestRead_languages(t *testing.T) {
	const day = 24 * time.Hour
	lifetimes := []time.Duration{0, -1, time.Second, time.Minute, 30 * time.Minute, time.Hour, 36 * time.Hour,
		day, 14 * day, 183 * day, 365 * day, 395 * day, 730 * day, 1825 * day, 400*day + 3*time.Hour + 2*time.Minute + time.Second}
	for _, l := range languages.All() {
		words := l.Page.Cookies
		heads := []string{string(words.Provider), string(words.Function), string(words.Names), string(words.Purpose),
			string(words.Lifetime)}
		for _, category := range policy.Categories {
			kind, err := l.Page.Kinds.Of(string(category))
			if err != nil {
				t.Fatal(err)
			}
			var rows [][]string
			var want []policy.Duration
			for i, d := range lifetimes {
				for _, bounded := range []bool{false, true} {
					text := l.Duration(d)
					switch {
					case d == 0 && bounded, d < 0 && bounded:
						continue
					case d == 0:
						text = string(words.NotStated)
					case d < 0:
						text, d = string(words.Session), time.Duration(policy.Session)
					case bounded:
						if text, err = words.AtMost.With("duration", text); err != nil {
							t.Fatal(err)
						}
						text += ", " + string(words.NotProlonged)
					}
					rows = append(rows, []string{"Example", "A service", fmt.Sprintf("abc_%d_%t", i, bounded), "A purpose", text})
					want = append(want, policy.Duration(d))
				}
			}
			caption, err := l.Page.Kinds.Caption.With("kind", string(kind.Name))
			if err != nil {
				t.Fatal(err)
			}
			var inHTML, inText strings.Builder
			fmt.Fprintf(&inHTML, "<html lang=%q><h1>%s</h1><h2>%s</h2>\n<h3>%s</h3>\n<p>%s</p>", l.Tag, l.Page.Title,
				l.Page.Kinds.Title, kind.Name, kind.About)
			fmt.Fprintf(&inHTML, "<table><caption>%s</caption>\n", caption)
			fmt.Fprintf(&inText, "%s\n\n%s\n\n%s\n\n%s\n\n", l.Page.Title, l.Page.Kinds.Title, kind.About, kind.Name)
			for i, row := range slices.Concat([][]string{heads}, rows) {
				tag := "td"
				if i == 0 {
					tag = "th"
				}
				inHTML.WriteString("<tr>")
				for _, c := range row {
					fmt.Fprintf(&inHTML, "<%s>%s</%s>", tag, html.EscapeString(c), tag)
				}
				inHTML.WriteString("</tr>\n")
				inText.WriteString(strings.Join(row, "\t") + "\n")
			}
			inHTML.WriteString("</table>")
			for kind, text := range map[published.Kind]string{published.HTML: inHTML.String(), published.Text: inText.String()} {
				page := published.Read([]byte(text), kind)
				if kind == published.HTML && page.Language != l.Tag || len(page.Rows) != len(rows) {
					t.Errorf("%v %s %s: language %q, %d rows of %d: %v", l.Tag, category, kind, page.Language, len(page.Rows),
						len(rows), page.Notes)
					continue
				}
				for i, row := range page.Rows {
					lifetime := row.Lifetime.Duration
					if row.Lifetime.Session {
						lifetime = policy.Session
					}
					if row.Category != category || row.Doubt != "" || row.Provider != "Example" || row.Function != "A service" ||
						row.Purpose != "A purpose" || row.Names[0].Pattern != rows[i][2] || lifetime != want[i] {
						t.Errorf("%v %s: %q is read as %+v", l.Tag, kind, rows[i], row)
					}
				}
			}
		}
	}
}
