// Package print writes the evidence of policies for people, above all for auditors: as Markdown, or as
// one HTML file without scripts and outside resources, which can be printed. It says the same in both, in
// English or French.
//
// What gateways answer is not trusted: names and texts are made printable, and escaped.
package print

import (
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/evidence"
)

// Report is what gateways answered, and how they were asked.
type Report struct {
	Program    string    `json:"program"` // with its version
	At         time.Time `json:"at"`      // when the report was made
	Command    string    `json:"command"` // without secrets
	Addresses  []string  `json:"addresses"`
	Unanswered []string  `json:"unanswered,omitempty"` // gateways that did not answer, and why
	Policies   []Answer  `json:"policies"`
}

// Answer is what one gateway answered about one policy.
type Answer struct {
	Address string `json:"address"`
	evidence.Report
}

// content is a document in no format.
type content struct {
	Language string
	Title    string // of the file
	Heading  string
	Contents string // the heading of the list of sections
	Blocks   []block
	Sections []section
}

// section is a part with a heading. Its level is that of HTML: 2 is below the heading of the document.
type section struct {
	ID     string
	Level  int
	Title  string
	Blocks []block
}

// block is one of its fields.
type block struct {
	Paragraph string
	Warning   string // a paragraph that must not be overlooked
	List      []string
	Table     *table
	Picture   *picture
}

// table is a table whose first column has the heads of its rows. Where it is grouped, rows that follow each
// other and have the same first cell are a group.
type table struct {
	ID      string
	Caption string
	Columns []column
	Rows    [][]cell
	Grouped bool
}

type column struct {
	Title string
	Kind  string // number, time, or nothing
}

// Kinds of columns.
const (
	numberColumn = "number"
	timeColumn   = "time"
)

// cell is the text of a cell. Code is text as machines write it.
type cell struct {
	Text string
	Code bool
}

// IsLong reports whether the text may be broken anywhere: otherwise one word could be wider than a page.
func (c cell) IsLong() bool { return len(c.Text) > 24 }

// IsShort reports whether the table is to stay on one page of paper.
func (t *table) IsShort() bool { return len(t.Rows) <= 15 }

func (t *table) add(cells ...cell) { t.Rows = append(t.Rows, cells) }
