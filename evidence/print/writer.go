package print

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
	"github.com/cookie-policy/caddy-cookie-policy/languages"
)

// writer collects the content of a document, and keeps the first error.
type writer struct {
	*texts
	language *languages.Language
	content  content
	id       string // of the policy that is written, in front of other identifiers
	err      error
}

func newWriter(tag string) (*writer, error) {
	t, err := textsOf(tag)
	if err != nil {
		return nil, err
	}
	l, ok := languages.ByTag(tag)
	if !ok {
		return nil, fmt.Errorf("%q: there is no such language", tag)
	}
	return &writer{texts: t, language: l, content: content{Language: tag, Heading: string(t.Title),
		Contents: string(t.Contents)}}, nil
}

// say returns a text with its placeholders replaced.
func (w *writer) say(t languages.Text, pairs ...string) string {
	text, err := t.With(pairs...)
	if err != nil && w.err == nil {
		w.err = err
	}
	return text
}

// begin begins a section. What is added after it is in it.
func (w *writer) begin(level int, id, title string) {
	w.content.Sections = append(w.content.Sections, section{ID: w.id + id, Level: level, Title: title})
}

func (w *writer) add(b block) {
	into := &w.content.Blocks
	if n := len(w.content.Sections); n > 0 {
		into = &w.content.Sections[n-1].Blocks
	}
	*into = append(*into, b)
}

func (w *writer) paragraph(t languages.Text, pairs ...string) {
	w.add(block{Paragraph: w.say(t, pairs...)})
}

func (w *writer) warning(t languages.Text, pairs ...string) {
	w.add(block{Warning: w.say(t, pairs...)})
}

func (w *writer) list(items []string) {
	if len(items) > 0 {
		w.add(block{List: items})
	}
}

// listOf adds texts as a list.
func (w *writer) listOf(items []languages.Text) {
	var list []string
	for _, item := range items {
		list = append(list, string(item))
	}
	w.list(list)
}

// table adds a table, unless it has no rows.
func (w *writer) table(t *table) {
	if len(t.Rows) == 0 {
		return
	}
	t.ID = w.id + "table-" + strconv.Itoa(w.tables()+1)
	w.add(block{Table: t})
}

// tables returns the number of tables so far.
func (w *writer) tables() (n int) {
	for _, s := range w.content.Sections {
		for _, b := range s.Blocks {
			if b.Table != nil {
				n++
			}
		}
	}
	return n
}

func columnsOf(kind string, titles []languages.Text) (all []column) {
	for _, t := range titles {
		all = append(all, column{string(t), kind})
	}
	return all
}

func columns(titles ...languages.Text) []column { return columnsOf("", titles) }
func numbers(titles ...languages.Text) []column { return columnsOf(numberColumn, titles) }
func times(titles ...languages.Text) []column   { return columnsOf(timeColumn, titles) }

// text returns a cell with a text of the document, or with one from a gateway that has been made printable.
func text(t string) cell { return cell{Text: t} }

// code returns a cell with a name or another text of a gateway.
func code(t string) cell {
	t = printable(t)
	return cell{Text: t, Code: t != ""}
}

func codes(all []string) cell { return code(strings.Join(printables(all), " ")) }

// printable returns a text of a gateway as it can be shown: control characters, and characters that are
// invisible or change the direction of text, are escaped. Long words are cut, long texts are not.
func printable(t string) string { return strings.Join(printables(strings.Split(t, " ")), " ") }

func printables(all []string) []string {
	clean := make([]string, len(all))
	for i, t := range all {
		clean[i] = report.Printable(t)
	}
	return clean
}

// word returns the text for a word of the data.
func word(known map[string]languages.Text, raw string) string {
	if t, ok := known[raw]; ok {
		return string(t)
	}
	return printable(raw)
}

// number writes a number with its digits in groups.
func (w *writer) number(n uint64) string {
	digits := strconv.FormatUint(n, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + string(w.Thousands) + digits[i:]
	}
	return digits
}

func (w *writer) count(n uint64) cell { return cell{Text: w.number(n)} }

func (w *writer) yesNo(is bool) cell {
	if is {
		return text(string(w.Yes))
	}
	return text(string(w.No))
}

// stamp writes a time. It is the same in all languages, and can be sorted.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// duration writes how long something lasts, a fraction of a second as a whole one.
func (w *writer) duration(d time.Duration) string {
	return w.language.Duration(d)
}

const digestLength = 12

// short returns the start of a digest.
func short(digest string) string { return printable(digest[:min(digestLength, len(digest))]) }

// add returns a sum, or the largest number if it is larger.
func add(a, b uint64) uint64 {
	if a+b < a {
		return ^uint64(0)
	}
	return a + b
}
