package print

import (
	"bufio"
	"io"
	"regexp"
	"strings"
)

// Markdown writes a report as Markdown with tables, as GitHub reads it. The language is one of [Languages].
func Markdown(out io.Writer, r *Report, language string) error {
	c, err := newContent(r, language)
	if err != nil {
		return err
	}
	b := bufio.NewWriter(out)
	b.WriteString("# " + plain(c.Heading) + "\n")
	writeBlocks(b, c.Blocks)
	for _, s := range c.Sections {
		b.WriteString("\n" + strings.Repeat("#", s.Level) + " " + plain(s.Title) + "\n")
		writeBlocks(b, s.Blocks)
	}
	return b.Flush()
}

func writeBlocks(b *bufio.Writer, blocks []block) {
	for _, block := range blocks {
		switch {
		case block.Paragraph != "":
			b.WriteString("\n" + plain(block.Paragraph) + "\n")
		case block.Warning != "":
			b.WriteString("\n**" + plain(block.Warning) + "**\n")
		case block.List != nil:
			b.WriteString("\n")
			for _, item := range block.List {
				b.WriteString("- " + plain(item) + "\n")
			}
		case block.Table != nil:
			writeTable(b, block.Table)
		}
	}
}

func writeTable(b *bufio.Writer, t *table) {
	b.WriteString("\n*" + plain(t.Caption) + "*\n\n|")
	for _, c := range t.Columns {
		b.WriteString(" " + plain(c.Title) + " |")
	}
	b.WriteString("\n|")
	for _, c := range t.Columns {
		b.WriteString(map[bool]string{true: "---:|", false: "---|"}[c.Kind == numberColumn])
	}
	b.WriteString("\n")
	for _, row := range t.Rows {
		b.WriteString("|")
		for _, c := range row {
			b.WriteString(" ")
			if c.Code {
				b.WriteString(codeSpan(c.Text))
			} else {
				b.WriteString(plain(c.Text))
			}
			b.WriteString(" |")
		}
		b.WriteString("\n")
	}
}

// special are the characters that mean something in Markdown, or in HTML within it. Autolinks of GitHub need
// no brackets: they begin with www., a scheme, or have an @.
var special = strings.NewReplacer(
	`\`, `\\`, "`", "\\`", `*`, `\*`, `_`, `\_`, `[`, `\[`, `]`, `\]`, `~`, `\~`,
	`<`, `&lt;`, `>`, `&gt;`, `&`, `&amp;`, `|`, `&#124;`, `@`, `&#64;`,
	`://`, `:&#47;/`, `www.`, `www&#46;`, `WWW.`, `WWW&#46;`,
	"\r", " ", "\n", " ",
)

// first matches what makes a heading, a list, a line or code of a paragraph, at its start.
var first = regexp.MustCompile(`^(\s*)([-+#=]|\d+[.)])`)

// plain writes text so that Markdown reads it as it is.
func plain(text string) string {
	return first.ReplaceAllStringFunc(special.Replace(strings.TrimSpace(text)), func(start string) string {
		return start[:len(start)-1] + `\` + start[len(start)-1:]
	})
}

// simple matches text that is the same in a code span of a table.
var simple = regexp.MustCompile(`^[!-%'-;=?-\[\]-_a-{}~]([ !-%'-;=?-\[\]-_a-{}~]*[!-%'-;=?-\[\]-_a-{}~])?$`)

// codeSpan writes text as code, or as plain text where a code span could not hold it.
func codeSpan(text string) string {
	if simple.MatchString(text) {
		return "`" + text + "`"
	}
	return plain(text)
}
