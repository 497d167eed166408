package caddytext_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/cookie-policy/caddy-cookie-policy/caddytext"
)

func TestQuote(t *testing.T) {
	for word, want := range map[string]string{
		"_ga":            "_ga",
		"_ga_*":          "_ga_*",
		"":               `""`,
		"two words":      `"two words"`,
		`say "yes"`:      `"say \"yes\""`,
		"a`b":            "\"a`b\"",
		"{":              `"{"`,
		"}":              `"}"`,
		"}{":             `"}{"`,
		"#note":          `"#note"`,
		"<<END":          `"<<END"`,
		`a\b`:            `"a\b"`,
		`a\\"b`:          `"a\\\"b"`,
		"a$b":            "a$b",
		"fréquentation":  `"fréquentation"`,
		"non\u00a0break": "\"non\u00a0break\"",
		"import":         "import",
	} {
		if got, err := caddytext.Quote(word); got != want || err != nil {
			t.Errorf("%q: %s, %v, want %s", word, got, err, want)
		}
		readsAs(t, word)
	}
}

func TestQuote_cannotBeWritten(t *testing.T) {
	for word, want := range map[string]string{
		"{$HOME}":    `"{$HOME}": after the brace and the dollar sign Caddy would read an environment variable`,
		"a{$":        `"a{$": after the brace and the dollar sign Caddy would read an environment variable`,
		"{host}":     `"{host}": its braces could be read as a placeholder`,
		"{env.HOME}": `"{env.HOME}": its braces could be read as a placeholder`,
		"{args[0]}":  `"{args[0]}": its braces could be read as a placeholder`,
		"{block}":    `"{block}": its braces could be read as a placeholder`,
		`\{`:         `"\\{": its backslash before the brace would be dropped where the text is imported`,
		`a\`:         `"a\\": its backslash would be read as part of the quotation mark after it`,
		`a\"b`:       `"a\\\"b": its backslash would be read as part of the quotation mark after it`,
		"a\nb":       `"a\nb": it has a control character (U+000A), for which Caddyfiles have no escape`,
		"a\x1b[31m":  `"a\x1b[31m": it has a control character (U+001B), for which Caddyfiles have no escape`,
		"a\u009b":    `"a\u009b": it has a control character (U+009B), for which Caddyfiles have no escape`,
		"a\u202eb":   `"a\u202eb": it has an invisible character (U+202E), for which Caddyfiles have no escape`,
		"\ufeffa":    `"\ufeffa": it has an invisible character (U+FEFF), for which Caddyfiles have no escape`,
		"caf\xe9":    `"caf\xe9": it is not UTF-8, and Caddyfiles are`,
	} {
		if got, err := caddytext.Quote(word); got != "" || err == nil || err.Error() != want {
			t.Errorf("%q: %s, %v, want %s", word, got, err, want)
		}
		if text, err := caddytext.Text([]caddytext.Line{{Words: []string{"log", word}}}); text != "" || err == nil {
			t.Errorf("%q as a word of a line: %q, %v", word, text, err)
		}
	}
}

func TestText(t *testing.T) {
	got, err := caddytext.Text([]caddytext.Line{{
		Comment: "From a page:\n\n\t{$HOME} \x1b[31m",
		Words:   []string{"cookie_policy", "opendatasoft"},
		Block: []caddytext.Line{
			{Words: []string{"allow", "necessary", "a b"}},
			{},
			{
				Comment: "Not known.", Words: []string{"allow", "statistical", "c"}, Disabled: true,
				Block: []caddytext.Line{
					{Comment: "Which one?", Words: []string{"provider", "{"}},
					{},
					{Words: []string{"anonymous"}, Disabled: true},
				},
			},
			{Words: []string{"mode", "report"}, Disabled: true},
			{Comment: "The end."},
		},
	}})
	want := `# From a page:
#
# 	{ $HOME} \x1b[31m
cookie_policy opendatasoft {
	allow necessary "a b"

	# Not known.
	# allow statistical c {
	# 	# Which one?
	# 	provider "{"
	#
	# 	# anonymous
	# }
	# mode report
	# The end.
}
`
	if got != want || err != nil {
		t.Errorf("%v\n%s\nwant\n%s", err, got, want)
	}
	if formatted := string(caddyfile.Format([]byte(got))); formatted != got {
		t.Errorf("caddy fmt writes it as\n%s", formatted)
	}
}

// FuzzQuote checks that what can be written is read as it was given.
func FuzzQuote(f *testing.F) {
	f.Setenv("COOKIE", "}\n{")
	for _, word := range []string{
		"_ga", "", `say "yes"`, `a\\"b`, "a`b`", "}{", "{$COOKIE}", "{$X:{$COOKIE}}", "{}", "<<E", "\\<<E",
		"#", "a#b", "import", "\r", "\u2028", "é", "\\\\", "`\"`", "{path.1}", "é\xff", "@a", "(a)", "a{", "\"",
	} {
		f.Add(word)
	}
	f.Fuzz(func(t *testing.T, word string) {
		if quoted, err := caddytext.Quote(word); err == nil {
			readsAs(t, word)
			if strings.ContainsFunc(quoted, func(r rune) bool { return r < ' ' || r == 0x7f }) {
				t.Errorf("%q has a control character", quoted)
			}
		}
		// A comment never ends before its line does, whatever is in it.
		text, err := caddytext.Text([]caddytext.Line{{Comment: word, Words: []string{"log", "off"}}})
		if tokens := tokenize(t, text); err != nil || !slices.Equal(tokens, []string{"log", "off"}) {
			t.Errorf("the comment %q: %v, tokens are %q", word, err, tokens)
		}
		checkFormat(t, text)
	})
}

// readsAs checks that Caddy reads a word as it was given: among other words, in a block, in a comment,
// in a snippet, and after the replacements of a site.
func readsAs(t *testing.T, word string) {
	t.Helper()
	lines := []caddytext.Line{
		{Words: []string{"one", word, word, "two"}, Block: []caddytext.Line{
			{Words: []string{"three", word}},
			{Words: []string{"four", word}, Block: []caddytext.Line{{Words: []string{"five", word}}}},
			{Words: []string{"six", word, "}"}, Block: []caddytext.Line{{Words: []string{"seven"}}}, Disabled: true},
		}},
		{Words: []string{"eight"}},
	}
	want := []string{
		"one", word, word, "two", "{", "three", word, "four", word, "{", "five", word, "}", "}", "eight",
	}
	text, err := caddytext.Text(lines)
	if err != nil {
		t.Fatal(err)
	}
	checkFormat(t, text)
	for _, file := range []string{
		"localhost {\n" + text + "}\n",
		"(snippet) {\n" + text + "}\nlocalhost {\nimport snippet argument\n}\n",
	} {
		blocks, err := caddyfile.Parse("Caddyfile", []byte(file))
		if err != nil || len(blocks) != 1 {
			t.Fatalf("%q: %d blocks, %v, from\n%s", word, len(blocks), err, file)
		}
		var tokens []string
		replacer := httpcaddyfile.NewShorthandReplacer()
		for _, segment := range blocks[0].Segments {
			replacer.ApplyToSegment(&segment)
			for _, token := range segment {
				tokens = append(tokens, token.Text)
			}
		}
		if !slices.Equal(tokens, want) {
			t.Errorf("%q: tokens are %q, want %q, from\n%s", word, tokens, want, file)
		}
	}
}

func checkFormat(t *testing.T, text string) {
	t.Helper()
	if formatted := caddyfile.Format([]byte(text)); !bytes.Equal(formatted, []byte(text)) {
		t.Errorf("caddy fmt writes %q as %q", text, formatted)
	}
}

// tokenize returns the tokens of a whole Caddyfile after the replacement of environment variables.
func tokenize(t *testing.T, text string) (tokens []string) {
	t.Helper()
	blocks, err := caddyfile.Parse("Caddyfile", []byte("localhost {\n"+text+"}\n"))
	if err != nil || len(blocks) != 1 {
		t.Fatalf("%d blocks, %v", len(blocks), err)
	}
	for _, segment := range blocks[0].Segments {
		for _, token := range segment {
			tokens = append(tokens, token.Text)
		}
	}
	return tokens
}
