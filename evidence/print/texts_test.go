package print

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/languages"
)

// textsIn returns all texts of a language by their paths: those of the file, and those that the program knows.
func textsIn(t *testing.T, tag string) map[string]string {
	t.Helper()
	known, err := textsOf(tag)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(known)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	flatten(v, "", all)
	return all
}

func flatten(v any, path string, all map[string]string) {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			flatten(inner, path+"."+name, all)
		}
	case []any:
		for i, inner := range v {
			flatten(inner, path+"."+strconv.Itoa(i), all)
		}
	case string:
		all[path] = v
	}
}

// Each language has every text, with the placeholders of the English one, and no other. No text is missing in
// English, as every field is one.
func TestTextsComplete(t *testing.T) {
	placeholder := regexp.MustCompile(`\{[^{}]*\}`)
	placeholders := func(text string) []string {
		found := placeholder.FindAllString(text, -1)
		slices.Sort(found)
		return slices.Compact(found)
	}
	entries, err := filepath.Glob("*.json")
	if err != nil || len(entries) != len(Languages) {
		t.Errorf("the files are %q, %v", entries, err)
	}
	english := textsIn(t, "en")
	if len(english) < 200 {
		t.Fatalf("only %d texts were found", len(english))
	}
	for _, tag := range Languages {
		if _, ok := languages.ByTag(tag); !ok {
			t.Errorf("%s is not a language of the page", tag)
		}
		texts := textsIn(t, tag)
		if got, want := slices.Sorted(maps.Keys(texts)), slices.Sorted(maps.Keys(english)); !slices.Equal(got, want) {
			t.Errorf("%s.json has the texts\n%q, and not\n%q", tag, got, want)
		}
		for path, text := range texts {
			if text == "" {
				t.Errorf("%s.json: %s is missing or empty", tag, path)
			}
			if !slices.Equal(placeholders(text), placeholders(english[path])) {
				t.Errorf("%s.json: %s has other placeholders than English: %s", tag, path, text)
			}
		}
	}
}

// A text differs from the English one, except for words of the configuration, of browsers and of both languages.
func TestTextsTranslated(t *testing.T) {
	english, french := textsIn(t, "en"), textsIn(t, "fr")
	var same []string
	for path, text := range french {
		if text == english[path] {
			same = append(same, path)
		}
	}
	slices.Sort(same)
	want := []string{".columns.mode", ".columns.same_site", ".value", ".words.modes.enforce", ".words.modes.report"}
	if !slices.Equal(same, want) {
		t.Errorf("the same as in English are %q, want %q", same, want)
	}
}

// Quotation marks, apostrophes and spaces are those of print.
func TestTextsTypography(t *testing.T) {
	faults := map[string]*regexp.Regexp{
		"en": regexp.MustCompile(`["'<>&]|  |\.\.\.`),
		"fr": regexp.MustCompile(`["'<>&]|  |\.\.\.|[^\x{a0}](:|»)|[^\x{202f}][;?!]|«[^\x{a0}]`),
	}
	for tag, fault := range faults {
		for path, text := range textsIn(t, tag) {
			if found := fault.FindString(text); found != "" {
				t.Errorf("%s.json: %s has %q: %s", tag, path, found, text)
			}
		}
	}
}

// Every text is used in the program.
func TestTextsUsed(t *testing.T) {
	var program strings.Builder
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if file == "texts.go" || strings.HasSuffix(file, "_test.go") {
			continue
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		program.Write(b)
	}
	b, err := os.ReadFile("texts.go")
	if err != nil {
		t.Fatal(err)
	}
	fields := regexp.MustCompile(`(?m)^\t(\w+) +(?:\[\])?languages\.Text`).FindAllStringSubmatch(string(b), -1)
	if len(fields) < 100 {
		t.Fatalf("%d fields were found", len(fields))
	}
	for _, field := range fields {
		if !regexp.MustCompile(`\.` + field[1] + `\b`).MatchString(program.String()) {
			t.Errorf("%s is not used", field[1])
		}
	}
}

func TestTextsOf(t *testing.T) {
	if _, err := textsOf("de"); err == nil || !strings.Contains(err.Error(), "want en or fr") {
		t.Errorf("the error is %v", err)
	}
}
