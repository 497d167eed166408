// Package caddytext writes Caddyfiles from words that nobody has checked, such as names of cookies and
// text of web pages. Caddy reads each word exactly as it was given, in a site, a snippet and an
// imported file alike, and `caddy fmt` leaves the text as it is.
package caddytext

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line is one line of a Caddyfile. The zero Line is an empty one.
type Line struct {
	// Comment stands above the line, or alone if there are no words. Each of its lines becomes a line
	// of its own.
	Comment string

	// Words are written with quotes where they need some. The first one is the caller's own: at the
	// start of a line, Caddy gives some words a meaning that quotes do not take from them.
	Words []string

	// Block is written in braces after the words.
	Block []Line

	// Disabled makes a comment of the words and the block.
	Disabled bool
}

// Text returns lines as Caddyfile text, with tabs and spaces as `caddy fmt` writes them. The error
// says which word cannot be written, as that of [Quote] does.
func Text(lines []Line) (string, error) {
	var b strings.Builder
	if err := write(&b, lines, "", 0); err != nil {
		return "", err
	}
	return b.String(), nil
}

// write writes lines of one block. All start with the prefix, which is empty outside of comments, and
// with tabs for the depth.
func write(b *strings.Builder, lines []Line, prefix string, depth int) error {
	for _, line := range lines {
		prefix, depth := prefix, depth
		start := prefix + strings.Repeat("\t", depth)
		if line.Comment != "" {
			for text := range strings.SplitSeq(line.Comment, "\n") {
				b.WriteString(strings.TrimRight(start+"# "+harmless(text), " ") + "\n")
			}
		}
		if len(line.Words) == 0 {
			if line.Comment == "" {
				b.WriteString(strings.TrimRight(prefix, " ") + "\n")
			}
			continue
		}
		quoted := make([]string, len(line.Words))
		for i, word := range line.Words {
			var err error
			if quoted[i], err = Quote(word); err != nil {
				return err
			}
		}
		if line.Disabled {
			start += "# "
			prefix, depth = start, 0
		}
		b.WriteString(start + strings.Join(quoted, " "))
		if len(line.Block) == 0 {
			b.WriteString("\n")
			continue
		}
		b.WriteString(" {\n")
		if err := write(b, line.Block, prefix, depth+1); err != nil {
			return err
		}
		b.WriteString(start + "}\n")
	}
	return nil
}

// harmless returns text for a comment. Caddy replaces environment variables in comments too, before
// it looks for the ends of lines.
func harmless(text string) string {
	text = strings.ReplaceAll(text, "{$", "{ $")
	var b strings.Builder
	for _, r := range text {
		if strconv.IsGraphic(r) || r == '\t' {
			b.WriteRune(r)
			continue
		}
		b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
	}
	return b.String()
}

// Quote returns a word as it is written in a Caddyfile: in double quotes unless it is plain. The error
// says why a word cannot be written so that Caddy reads that word, or so that people can see what
// they read.
func Quote(word string) (string, error) {
	if err := check(word); err != nil {
		return "", fmt.Errorf("%s: %w", strconv.QuoteToASCII(word), err)
	}
	if word != "" && strings.IndexFunc(word, isNotPlain) < 0 {
		return word, nil
	}
	return `"` + strings.ReplaceAll(word, `"`, `\"`) + `"`, nil
}

// isNotPlain reports whether a word with r needs quotes.
func isNotPlain(r rune) bool {
	return r <= ' ' || r > '~' || strings.ContainsRune("\"`\\#{}<", r)
}

// check returns why a word cannot be written.
func check(word string) error {
	if !utf8.ValidString(word) {
		return errors.New("it is not UTF-8, and Caddyfiles are")
	}
	if strings.Contains(word, "{$") {
		return errors.New("after the brace and the dollar sign Caddy would read an environment variable")
	}
	if _, after, found := strings.Cut(word, "{"); found && strings.Contains(after, "}") {
		return errors.New("its braces could be read as a placeholder")
	}
	if strings.Contains(word, `\{`) || strings.Contains(word, `\}`) {
		return errors.New("its backslash before the brace would be dropped where the text is imported")
	}
	backslashes := 0
	for _, r := range word + `"` {
		switch {
		case r == '\\':
			backslashes++
			continue
		case r == '"' && backslashes%2 == 1:
			return errors.New("its backslash would be read as part of the quotation mark after it")
		case unicode.IsControl(r):
			return fmt.Errorf("it has a control character (%U), for which Caddyfiles have no escape", r)
		case !strconv.IsGraphic(r):
			return fmt.Errorf("it has an invisible character (%U), for which Caddyfiles have no escape", r)
		}
		backslashes = 0
	}
	return nil
}
