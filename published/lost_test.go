package published_test

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/published"
)

// TestRead_tellsWhatIsLost damages each page of text in many ways, and looks for each name that was
// read of the whole page: it is in a row, or a note tells of it or of its line.
func TestRead_tellsWhatIsLost(t *testing.T) {
	t.Parallel()
	plain := regexp.MustCompile(`^[A-Za-z]+$`)
	runs := regexp.MustCompile(`\t| {2,}| \| `)
	for _, file := range append(pages(t), portals(t)...) {
		if strings.HasSuffix(file, ".html") {
			continue
		}
		whole := string(readFile(t, file))
		var names []string
		for _, row := range published.Read([]byte(whole), published.Text).Rows {
			for _, n := range row.Names {
				names = append(names, n.Written)
			}
		}
		lines := strings.Split(whole, "\n")
		step := 1 + len(lines)/15 // of a long page, some lines
		for i := 0; i < len(lines); i += step {
			line := lines[i]
			for damage, with := range map[string][]string{
				"removed":     {},
				"joined":      {runs.ReplaceAllString(line, " ")},
				"doubled":     {line, line},
				"split":       strings.Split(runs.ReplaceAllString(line, "\n"), "\n"),
				"first cut":   {strings.Join(append([]string{""}, runs.Split(line, -1)[1:]...), "\t")},
				"with a head": {"# Something", line},
			} {
				page := strings.Join(slices.Concat(lines[:i], with, lines[i+1:]), "\n")
				for _, name := range silentlyLost(page, names, published.Text) {
					if plain.MatchString(name) && damage != "removed" && damage != "doubled" && damage != "apart" {
						continue // nothing but the table tells it from a word
					}
					t.Errorf("%s, line %d %s: %q is lost and not told", filepath.Base(file), i+1, damage, name)
				}
			}
		}
	}
}

// TestRead_tellsWhatIsLostOfHTML does the same with pages of HTML.
func TestRead_tellsWhatIsLostOfHTML(t *testing.T) {
	t.Parallel()
	named := regexp.MustCompile(`^[A-Za-z0-9_.*-]*[_*-][A-Za-z0-9_.*-]*$`)
	for _, file := range pages(t) {
		if !strings.HasSuffix(file, ".html") {
			continue
		}
		whole := string(readFile(t, file))
		var names []string
		for _, row := range published.Read([]byte(whole), published.HTML).Rows {
			for _, n := range row.Names {
				names = append(names, n.Written)
			}
		}
		damaged := map[string]string{
			"cells for headings": strings.NewReplacer("<th", "<td", "</th", "</td").Replace(whole),
			"no rows":            strings.NewReplacer("<tr>", "", "</tr>", "").Replace(whole),
			"no tables":          regexp.MustCompile(`</?(table|t[rhd]|thead|tbody)\b[^>]*>`).ReplaceAllString(whole, "<div>"),
			"lists":              strings.NewReplacer("<tr>", "<li>", "</tr>", "</li>", "<td>", "", "</td>", " ").Replace(whole),
			"other headings":     regexp.MustCompile(`<th>[^<]*`).ReplaceAllString(whole, "<th>Thing"),
			"no ends":            regexp.MustCompile(`</(td|th|tr|li|p|h\d)>`).ReplaceAllString(whole, ""),
		}
		lines := strings.Split(whole, "\n")
		for i := range lines {
			damaged["line removed: "+lines[i]] = strings.Join(slices.Concat(lines[:i], lines[i+1:]), "\n")
		}
		for damage, page := range damaged {
			for _, name := range silentlyLost(page, names, published.HTML) {
				if damage == "lists" && !strings.Contains(name, "_") || !named.MatchString(name) {
					continue // in a sentence it is a word like others
				}
				t.Errorf("%s, %s: %q is lost and not told", filepath.Base(file), damage, name)
			}
		}
	}
}

func portals(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/portals/*.txt")
	if err != nil || len(files) != 5 {
		t.Fatal(files, err)
	}
	return files
}

// silentlyLost returns the names that stand on a page and are neither in a row nor told.
func silentlyLost(page string, names []string, kind published.Kind) (lost []string) {
	read := published.Read([]byte(page), kind)
	told := map[int]bool{}
	known := map[string]bool{}
	for _, row := range read.Rows {
		for _, n := range row.Names {
			known[n.Written] = true
		}
	}
	messages := ""
	for _, n := range read.Notes {
		if n.Kind != published.Understood {
			told[n.Line] = true
			messages += n.Message + "\n"
		}
	}
	for i, line := range strings.Split(page, "\n") {
		for _, name := range names {
			if !known[name] && !told[i+1] && !strings.Contains(messages, name) && hasWord(line, name) {
				lost = append(lost, name)
			}
		}
	}
	return lost
}

// hasWord reports whether a name stands in a line with no letter, digit or underscore around it.
func hasWord(line, name string) bool {
	before, after, found := strings.Cut(line, name)
	isWord := func(c byte) bool { return c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' }
	return found && (before == "" || !isWord(before[len(before)-1])) && (after == "" || !isWord(after[0]))
}
