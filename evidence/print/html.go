package print

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"io"
)

//go:embed page.css
var style string

//go:embed page.html
var page string

// pageTemplate escapes by itself, but for the style, which is a part of the program.
var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"groups": groups,
	"column": func(t *table, i int) column { return t.Columns[i+1] }, // of a cell that is not the first
}).Parse(page))

// HTML writes a report as one HTML file. It needs nothing from elsewhere, and nothing can make it load
// something: its Content-Security-Policy allows its own style only. The language is one of [Languages].
func HTML(out io.Writer, r *Report, language string) error {
	c, err := newContent(r, language)
	if err != nil {
		return err
	}
	return pageTemplate.Execute(out, struct {
		*content
		Security string
		Style    template.CSS
	}{c, securityPolicy(), template.CSS(style)})
}

// securityPolicy returns the file's Content-Security-Policy. A style is known by its digest.
func securityPolicy() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'"
}

// group is rows that have the same first cell, which each of them shows: a page of paper can begin with any.
type group struct {
	Head cell
	Rows [][]cell // without the first cell
}

// groups returns the rows of a table in groups: of one row each, if it is not grouped.
func groups(t *table) (all []group) {
	for _, row := range t.Rows {
		if n := len(all); t.Grouped && n > 0 && all[n-1].Head == row[0] {
			all[n-1].Rows = append(all[n-1].Rows, row[1:])
			continue
		}
		all = append(all, group{row[0], [][]cell{row[1:]}})
	}
	return all
}
