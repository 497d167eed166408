// Package published reads a cookie policy as it is published for people, a page of HTML or text in
// one of seven languages, into rows of data, and writes a cookie_policy block from them.
//
// Reading may lose rows, and says which, with their lines. It never invents: a name in a row stands
// on the page, and cookies are necessary only where the page says so in so many words.
package published

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// Kind is the form of a page.
type Kind string

// The kinds of pages.
const (
	HTML Kind = "html"
	Text Kind = "text" // plain text or Markdown
)

// Page is what was read of a published policy.
type Page struct {
	Language string `json:"language,omitempty"` // of the page's texts, "" if it is unknown
	Rows     []Row  `json:"rows"`
	Notes    []Note `json:"notes"` // in the order of their lines
}

// Row is what the page says about one or more cookies, or about origins.
type Row struct {
	Line      int             `json:"line"`
	Provider  string          `json:"provider,omitempty"`
	Function  string          `json:"function,omitempty"` // the service and where it is used
	Names     []Name          `json:"names"`
	Purpose   string          `json:"purpose,omitempty"`
	Lifetime  Lifetime        `json:"lifetime,omitzero"`
	Category  policy.Category `json:"category,omitempty"` // "" if the page names none that is known
	Heading   string          `json:"heading,omitempty"`  // the words from which the category was taken
	Anonymous bool            `json:"anonymous,omitempty"`
	Origins   []string        `json:"origins,omitempty"` // from which pages may load, if a page of this module says so

	// The languages of texts that are not in the page's.
	FunctionLanguage string `json:"function_language,omitempty"`
	PurposeLanguage  string `json:"purpose_language,omitempty"`

	// Doubt says why the row cannot become a rule as it stands. It is empty for a row that can.
	Doubt string `json:"doubt,omitempty"`
}

// NoteKind tells how far a line of a page was understood.
type NoteKind string

// The kinds of notes.
const (
	Understood    NoteKind = "understood"
	Assumed       NoteKind = "assumed"
	NotUnderstood NoteKind = "not understood"
)

// Note says what was made of a line of a page.
type Note struct {
	Line    int      `json:"line"`
	Kind    NoteKind `json:"kind"`
	Message string   `json:"message"`
}

// Status returns the exit status of an import: 0 if all was understood, 1 if something was not, and
// 2 if no cookie was found.
func (p *Page) Status() int {
	if len(p.Rows) == 0 {
		return 2
	}
	if slices.ContainsFunc(p.Notes, func(n Note) bool { return n.Kind == NotUnderstood }) {
		return 1
	}
	return 0
}

// KindOf tells the kind of a page from its content type, or, where that tells nothing, from its
// beginning.
func KindOf(contentType string, page []byte) Kind {
	media, _, _ := strings.Cut(strings.ToLower(contentType), ";")
	switch strings.TrimSpace(media) {
	case "text/html", "application/xhtml+xml":
		return HTML
	}
	start := bytes.ToLower(page[:min(len(page), 4096)])
	for _, tag := range []string{"<!doctype html", "<html", "<head", "<body", "<table", "<div", "<section", "<h1",
		"<h2", "<dl", "<p>"} {
		if bytes.Contains(start, []byte(tag)) {
			return HTML
		}
	}
	return Text
}

// Read reads a page. It takes any bytes, in time linear in their number.
func Read(page []byte, kind Kind) *Page {
	r := &reader{page: &Page{Rows: []Row{}, Notes: []Note{}}}
	text := r.decode(page)
	var items []item
	if kind == HTML {
		items, r.page.Language = htmlItems(text)
		r.marked = true
	} else {
		items = textItems(text)
		r.text = true
		r.marked = slices.ContainsFunc(items, func(it item) bool { return it.level > 0 })
	}
	r.languageOf(items)
	r.read(items)
	r.repeated()
	r.tellMentions()
	slices.SortStableFunc(r.page.Notes, func(a, b Note) int { return cmp.Compare(a.Line, b.Line) })
	return r.page
}

// decode returns the page's text. A page that is not UTF-8, except for some damage, is read as
// Windows-1252, of which the letters of the seven languages are those of ISO 8859-1.
func (r *reader) decode(page []byte) string {
	page = bytes.TrimPrefix(page, []byte("\xef\xbb\xbf"))
	if utf8.Valid(page) {
		return string(page)
	}
	valid, invalid := 0, 0
	for i := 0; i < len(page); {
		switch c, size := utf8.DecodeRune(page[i:]); {
		case c == utf8.RuneError && size <= 1:
			invalid++
			i++
		case size > 1:
			valid++
			fallthrough
		default:
			i += size
		}
	}
	if valid > invalid {
		r.note(1, Assumed, "the page is UTF-8 but for %d bytes, which are left out", invalid)
		return strings.ToValidUTF8(string(page), "\ufffd")
	}
	r.note(1, Assumed, "the page is not UTF-8: it is read as Windows-1252")
	runes := make([]rune, len(page))
	for i, c := range page {
		runes[i] = rune(c)
		if r, ok := windows1252[c]; ok {
			runes[i] = r
		}
	}
	return string(runes)
}

// windows1252 are characters of Windows-1252 that pages in the seven languages have and that are not
// those of ISO 8859-1.
var windows1252 = map[byte]rune{0x80: '€', 0x85: '…', 0x8c: 'Œ', 0x91: '‘', 0x92: '’', 0x93: '“', 0x94: '”',
	0x96: '–', 0x97: '—', 0x9c: 'œ'}

// item is a piece of a page, in reading order: a line of text, a table, or the end of a scope.
type item struct {
	line   int
	text   string   // with its blanks, where the page is text
	level  int      // of a heading, 1 to 6; 7 for headings without a number
	listed bool     // an entry of a list
	marks  []string // what stands in it as code, or in bold at its beginning
	term   bool     // a term of a list of definitions

	definition bool // in such a list, what stands behind a term

	table *table
	ends  int // the headings of this level and below end here
}

func (it item) blank() bool {
	return it.table == nil && it.ends == 0 && strings.TrimSpace(it.text) == ""
}
