package portaltest

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// archiveFile is a file of an archive.
type archiveFile struct{ Name, Text string }

// parseArchive returns the files of a text in the txtar format.
func parseArchive(text string) (files []archiveFile) {
	for line := range strings.Lines(text) {
		trimmed := strings.TrimRight(line, "\r\n")
		if strings.HasPrefix(trimmed, "-- ") && strings.HasSuffix(trimmed, " --") &&
			len(trimmed) > len("--  --") {
			files = append(files,
				archiveFile{Name: strings.TrimSpace(trimmed[len("-- ") : len(trimmed)-len(" --")])})
		} else if len(files) > 0 {
			files[len(files)-1].Text += line
		}
	}
	return files
}

// Case is a Caddyfile, or a part of one, and what is said of it: the comments that it begins with,
// such as `# status: 200`.
type Case struct {
	Name, Caddyfile string

	notes map[string][]string
}

// Notes returns the values of the comments with a key, in their order.
func (c *Case) Notes(key string) []string { return c.notes[key] }

// Note returns the one value of the comments with a key, or nothing.
func (c *Case) Note(key string) string { return strings.Join(c.notes[key], "\n") }

// ReadCases reads a txtar file of cases, in which words are replaced by others.
func ReadCases(t testing.TB, path string, words ...string) []Case {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return parseCases(t, string(text), words...)
}

// parseCases parses cases. A value that begins with a double quote is written as a string of Go is.
func parseCases(t testing.TB, text string, words ...string) (cases []Case) {
	t.Helper()
	replace := strings.NewReplacer(words...).Replace
	for _, file := range parseArchive(text) {
		c := Case{Name: file.Name, notes: map[string][]string{}}
		rest := file.Text
		for strings.HasPrefix(rest, "# ") {
			line, after, _ := strings.Cut(rest, "\n")
			key, value, found := strings.Cut(strings.TrimPrefix(line, "# "), ":")
			if !found {
				t.Fatalf("%s: %q has no key; write `# key: value`", file.Name, line)
			}
			if value = replace(strings.TrimPrefix(value, " ")); strings.HasPrefix(value, `"`) {
				var err error
				if value, err = strconv.Unquote(value); err != nil {
					t.Fatalf("%s: %s: %v", file.Name, line, err)
				}
			}
			c.notes[key] = append(c.notes[key], value)
			rest = after
		}
		c.Caddyfile = replace(rest)
		cases = append(cases, c)
	}
	if len(cases) == 0 {
		t.Fatal("the archive has no line `-- name --`")
	}
	return cases
}
