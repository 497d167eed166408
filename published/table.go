package published

import (
	"slices"
	"strings"
)

// table is a table of a page: rows of cells, with cells that span several written out.
type table struct {
	line    int
	caption string
	rows    []tableRow
	hidden  bool   // the page does not show it at first
	tooWide bool   // it has more columns than are read
	roles   []role // of the columns, where the headings have been read already

	generated bool // the headings that have been read already are those of a generated table
}

type tableRow struct {
	line   int
	cells  []cell
	hidden bool // the page does not show it
}

type cell struct {
	lines    []string
	head     bool     // the page marks it as a heading
	marks    []string // what stands in it as code
	language string   // of the first element in it that declares one
	repeated bool     // it is a copy of one that spans several columns or rows

	conditions []string // what stands in it as generated pages write a rule's conditions
}

func (c cell) text() string { return clean(strings.Join(c.lines, " ")) }

// texts returns the cells of a row on one line each.
func (row tableRow) texts() []string {
	texts := make([]string, len(row.cells))
	for i, c := range row.cells {
		texts[i] = c.text()
	}
	return texts
}

// marked reports whether all cells with a text are marked as headings.
func (row tableRow) marked() bool {
	return !slices.ContainsFunc(row.cells, func(c cell) bool { return !c.head && c.text() != "" })
}

// alone returns the text of the only cell that has one, and where it stands.
func (row tableRow) alone() (text string, at int, ok bool) {
	at = -1
	for i, c := range row.cells {
		if c.repeated && at >= 0 {
			continue
		}
		if t := c.text(); t != "" {
			if at >= 0 {
				return "", 0, false
			}
			text, at = t, i
		}
	}
	return text, at, at >= 0
}

// readTable reads the rows of a table.
func (r *reader) readTable(t *table) {
	defer func() { r.generated = false }()
	r.generated = t.generated
	defer r.endHeadings(levelSection)
	if t.caption != "" {
		r.pushHeading(levelCaption, t.caption)
		defer r.endHeadings(levelCaption)
	}
	roles := t.roles
	before := len(r.page.Rows)
	defer func() {
		if t.hidden && len(r.page.Rows) > before {
			r.note(t.line, Assumed, "the table that begins here is hidden at first; it is read as if it were shown")
		}
		if t.tooWide {
			r.note(t.line, NotUnderstood, "the table that begins here has more than %d columns; the others are left out",
				maxColumns)
		}
	}()
	if roles == nil && r.transposed(t) {
		return
	}
	speaks := r.text || r.underCookies() || t.speaksOfCookies()
	headed := t.roles != nil
	for _, row := range t.rows {
		texts := row.texts()
		if r.generated { // below its headings, all rows are of cookies
			r.tableRecord(row, roles)
			continue
		}
		if head, ok := headRow(texts, row.marked()); ok {
			if headed { // the headings take two rows
				for i := range min(len(head), len(roles)) {
					if texts[i] == "" {
						head[i] = roles[i]
					}
				}
			}
			roles, headed = head, true
			r.generated = generatedTexts().heads[headsOf(texts)]
			r.leftOut(row, roles)
			continue
		}
		headed = false
		text, at, alone := row.alone()
		spanning := alone && at+1 < len(row.cells) && row.cells[at+1].repeated
		switch {
		case strings.Join(texts, "") == "":
		case alone && roles == nil && readsAsName(text):
			r.unknownRow(row)
		case alone && len(row.cells) > 1 && isSection(text) &&
			(at != column(roles, roleName) || spanning || !readsAsName(text)):
			r.pushHeading(levelSection, text)
			r.mentions(item{line: row.line, text: text})
		case roles == nil && speaks:
			r.unknownRow(row)
		case roles == nil:
		default:
			r.tableRecord(row, roles)
		}
	}
}

// leftOut tells of columns whose headings are not known.
func (r *reader) leftOut(row tableRow, roles []role) {
	for i, c := range row.cells {
		if (roles[i] == noRole || roles[i] == roleOther) && c.text() != "" && !c.repeated {
			r.note(row.line, Assumed, "the column %s is left out", quoted(c.text()))
			for _, line := range c.lines {
				r.mentions(item{line: row.line, text: line})
			}
		}
	}
}

// unseen is the doubt about a row that the page does not show.
func unseen(hidden bool) string {
	if hidden {
		return "the page does not show this row"
	}
	return ""
}

// isSection reports whether the only text of a row can be a heading for the rows below it.
func isSection(text string) bool { return len(text) <= 140 && !strings.HasSuffix(text, ".") }

// readsAsName reports whether a text is names of cookies and nothing else.
func readsAsName(text string) bool {
	if len(text) > 2000 {
		return false
	}
	found := pieces([]string{text})
	return len(found) > 0 && !slices.ContainsFunc(found, func(piece string) bool {
		_, _, why := readName(piece)
		return why != ""
	})
}

func (r *reader) tableRecord(row tableRow, roles []role) {
	f := fields{}
	for i, c := range row.cells {
		spansColumns := c.repeated && i > 0 && row.cells[i-1].text() == c.text()
		if i < len(roles) && (roles[i] == noRole || roles[i] == roleOther) && !c.repeated {
			for _, line := range c.lines { // the column is left out
				if len(candidates(line)) > 0 || readsAsName(line) && looksLikeName(line) {
					r.mentions(item{line: row.line, text: line})
				}
			}
		}
		if i < len(roles) && !(spansColumns && roles[i] != roles[i-1]) {
			f.add(roles[i], c.lines...)
		} else if i >= len(roles) && !c.repeated && c.text() != "" {
			r.note(row.line, NotUnderstood, "%s stands in a column without a heading and is left out", quoted(c.text()))
		}
	}
	if r.generated {
		r.origins, r.sentence = originsIn(row.cells)
		defer func() { r.origins, r.sentence = nil, "" }()
	}
	if name := column(roles, roleName); r.generated && name < len(row.cells) &&
		(len(row.cells[name].marks) > 0 || len(r.origins) > 0) {
		for r, cells := range f {
			if r != roleName && generatedTexts().notStated[clean(strings.Join(cells[0], " "))] {
				delete(f, r)
			}
		}
		f[roleExact] = [][]string{row.cells[name].marks}
		r.languages = map[role]string{}
		for i, c := range row.cells {
			if i < len(roles) && isLanguage(c.language) {
				r.languages[roles[i]] = c.language
			}
		}
		defer func() { r.languages = nil }()
	}
	r.record(row.line, f, unseen(row.hidden))
}

// speaksOfCookies reports whether a cell of the table is the name of a cookie.
func (t *table) speaksOfCookies() bool {
	for _, row := range t.rows {
		for _, c := range row.cells {
			for _, line := range c.lines {
				if !c.repeated && (len(candidates(line)) > 0 || readsAsName(line) && looksLikeName(line)) {
					return true
				}
			}
		}
	}
	return false
}

// underCookies reports whether the headings in force speak of cookies.
func (r *reader) underCookies() bool {
	return slices.ContainsFunc(r.headings, func(h heading) bool {
		return h.claim.category != "" || strings.Contains(fold(h.text), "cookie")
	})
}

// unknownRow tells of a row whose table has no headings that are understood, if it may name a cookie.
func (r *reader) unknownRow(row tableRow) {
	for _, c := range row.cells {
		for _, line := range c.lines {
			if !c.repeated && (readsAsName(line) || len(candidates(line)) > 0) {
				r.note(row.line, NotUnderstood,
					"this row is left out: no heading of its table says which column holds the names (%s)",
					quoted(strings.Join(row.texts(), " | ")))
				return
			}
		}
	}
}

// transposed reads a table whose headings stand in its first column, and reports whether it is one.
func (r *reader) transposed(t *table) bool {
	var roles []role
	var heads []string
	names, others, width := 0, 0, 0
	for _, row := range t.rows {
		if len(row.cells) < 2 {
			return false
		}
		if _, ok := headRow(row.texts(), row.marked()); ok {
			return false
		}
		head := row.cells[0].text()
		found, strict := headCell(head)
		if head == "" && len(roles) == 0 && row.namesOnly() {
			found, strict = roleName, true // the corner above the headings
		}
		switch {
		case found == roleName && strict:
			names++
		case found != noRole && strict:
			others++
		}
		roles, heads = append(roles, found), append(heads, head)
		width = max(width, len(row.cells))
	}
	if names == 0 || others == 0 || (names+others)*2 < len(t.rows) {
		return false
	}
	if repeats(heads) {
		r.stacked(t, heads)
		return true
	}
	settle(roles, heads)
	for i := 1; i < width; i++ {
		f := fields{}
		line, hidden := t.line, false
		for j, row := range t.rows {
			if i >= len(row.cells) || i > 1 && row.cells[i].repeated {
				continue
			}
			f.add(roles[j], row.cells[i].lines...)
			if roles[j] == roleName {
				line, hidden = row.line, row.hidden
			}
		}
		if len(f) > 0 {
			r.record(line, f, unseen(hidden))
		}
	}
	return true
}

// namesOnly reports whether the cells of a row behind the first one look like names of cookies.
func (row tableRow) namesOnly() bool {
	return !slices.ContainsFunc(row.cells[1:], func(c cell) bool {
		return !readsAsName(c.text()) || !looksLikeName(c.text())
	})
}

// repeats reports whether a heading stands twice.
func repeats(heads []string) bool {
	seen := map[string]bool{}
	for _, h := range heads {
		if h = fold(h); h != "" && seen[h] {
			return true
		}
		seen[h] = true
	}
	return false
}

// stacked reads a table of two columns in which the headings of the first start over for each
// cookie.
func (r *reader) stacked(t *table, heads []string) {
	var unique []string
	var roles []role
	index := map[string]int{}
	for _, h := range heads {
		if _, ok := index[fold(h)]; !ok {
			index[fold(h)] = len(unique)
			found, _ := headCell(h)
			unique, roles = append(unique, h), append(roles, found)
		}
	}
	settle(roles, unique)
	f, taken := fields{}, map[int]bool{}
	line, hidden := 0, false
	flush := func() {
		if len(f) > 0 {
			r.record(line, f, unseen(hidden))
		}
		f, taken, line, hidden = fields{}, map[int]bool{}, 0, false
	}
	for i, row := range t.rows {
		k := index[fold(heads[i])]
		if taken[k] {
			flush()
		}
		taken[k] = true
		if line == 0 || roles[k] == roleName {
			line = row.line
		}
		hidden = hidden || row.hidden
		f.add(roles[k], row.cells[1].lines...)
	}
	flush()
}
