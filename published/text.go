package published

import (
	"encoding/csv"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	hashes = regexp.MustCompile(`^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$`)
	ruler  = regexp.MustCompile(`^[\s|+:=\-–—_┼─│]*$`)
	// quoting are the marks of quoted mail and of quotations in Markdown.
	quoting = regexp.MustCompile(`^(?:> ?)+`)
	// marked is code in Markdown, and what stands in bold at the beginning of an entry.
	marked = regexp.MustCompile("`([^`]{1,256})`" + `|^\s*[-*+]\s+\*\*([^*]{1,256})\*\*`)
	bolded = regexp.MustCompile(`^\s*(?:\*\*|__)([^*]+)(?:\*\*|__):?\s*$`)
)

// textItems splits a page of text into items, one for each line.
func textItems(page string) []item {
	page = strings.ReplaceAll(page, "\r\n", "\n")
	page = strings.NewReplacer("\r", "\n", "\f", "\n", "\v", "\n", "\u2028", "\n").Replace(page)
	lines := strings.Split(page, "\n")
	items := make([]item, 0, len(lines))
	for i, line := range lines {
		line = quoting.ReplaceAllString(line, "")
		it := item{line: i + 1, text: strings.ReplaceAll(line, "\u00a0", " ")}
		for _, m := range marked.FindAllStringSubmatch(line, -1) {
			it.marks = append(it.marks, m[1]+m[2])
		}
		if m := hashes.FindStringSubmatch(line); m != nil {
			it.level, it.text = len(m[1]), m[2]
		} else if m := bolded.FindStringSubmatch(line); m != nil && !readsAsName(m[1]) {
			it.level, it.text = levelBold, m[1]
		} else if i+1 < len(lines) && isUnderline(lines[i+1]) && !it.blank() && !strings.ContainsAny(line, "\t|") &&
			(i == 0 || strings.TrimSpace(lines[i-1]) == "") {
			it.level = 2
			if strings.HasPrefix(lines[i+1], "=") {
				it.level = 1
			}
		}
		it.listed = trimBullet(line) != strings.TrimLeft(line, " \t\u00a0")
		items = append(items, it)
	}
	return items
}

// isUnderline reports whether a line makes a heading of the one above it.
func isUnderline(line string) bool {
	line = strings.TrimSpace(line)
	return len(line) >= 4 && (strings.Trim(line, "=") == "" || strings.Trim(line, "-") == "")
}

// separator is what stands between the cells of a row of text.
type separator int

const (
	byTab separator = iota
	byPipe
	bySpaces // two or more
	bySemicolon
	byComma
)

// separators are those of tables whose headings are known, in the order in which they are tried.
var separators = []separator{byTab, byPipe, bySpaces, bySemicolon, byComma}

// split cuts a line into cells and tells where each begins, in characters. ok is false if the
// separator does not stand in the line.
func (s separator) split(line string) (cells []string, starts []int, ok bool) {
	switch s {
	case byTab:
		if !strings.Contains(line, "\t") {
			return nil, nil, false
		}
		cells = strings.Split(line, "\t")
	case bySemicolon:
		cells, ok = splitQuoted(line, ';')
	case byComma:
		cells, ok = splitQuoted(line, ',')
	case byPipe:
		line = strings.TrimSpace(line)
		if !strings.ContainsAny(line, "|│") {
			return nil, nil, false
		}
		line = strings.ReplaceAll(strings.ReplaceAll(line, "│", "|"), `\|`, "\x00")
		line = strings.TrimSuffix(strings.TrimPrefix(line, "|"), "|")
		for _, c := range strings.Split(line, "|") {
			cells = append(cells, strings.ReplaceAll(c, "\x00", "|"))
		}
	case bySpaces:
		return splitSpaces(line)
	}
	for i := range cells {
		cells[i] = trimCell(cells[i])
	}
	return cells, nil, s < bySemicolon || ok
}

// splitQuoted cuts a line of comma-separated values (RFC 4180), or what else separates them.
func splitQuoted(line string, comma rune) (cells []string, ok bool) {
	if !strings.ContainsRune(line, comma) {
		return nil, false
	}
	if !strings.Contains(line, `"`) {
		return strings.Split(line, string(comma)), true
	}
	r := csv.NewReader(strings.NewReader(line))
	r.Comma, r.LazyQuotes, r.TrimLeadingSpace = comma, true, true
	cells, err := r.Read()
	return cells, err == nil && len(cells) > 1
}

// trimCell takes blanks and marks of emphasis off a cell.
func trimCell(text string) string {
	text = strings.TrimSpace(text)
	for _, mark := range []string{"**", "__", "`"} {
		if len(text) > 2*len(mark) && strings.HasPrefix(text, mark) && strings.HasSuffix(text, mark) &&
			!(mark == "__" && !strings.Contains(text, " ")) {
			return strings.TrimSpace(text[len(mark) : len(text)-len(mark)])
		}
	}
	return text
}

// splitSpaces cuts a line where two or more spaces stand.
func splitSpaces(line string) (cells []string, starts []int, ok bool) {
	line = strings.TrimRight(strings.ReplaceAll(line, "\t", "    "), " ")
	at := 0 // in characters
	for line != "" {
		trimmed := strings.TrimLeft(line, " ")
		at += len(line) - len(trimmed)
		cell, rest, found := strings.Cut(trimmed, "  ")
		cells, starts = append(cells, trimCell(cell)), append(starts, at)
		if !found {
			break
		}
		at += utf8.RuneCountInString(cell) + 2
		line = rest
	}
	return cells, starts, len(cells) > 1
}

// readDelimited reads a table of text that begins at item i, and returns the first item behind it.
// It returns i if none begins there.
func (r *reader) readDelimited(items []item, i int) int {
	for _, sep := range separators {
		cells, starts, ok := sep.split(items[i].text)
		if !ok {
			continue
		}
		roles, ok := headRow(cells, false)
		if !ok || sep == byComma && !allHeads(cells) {
			continue
		}
		head := tableRow{line: items[i].line}
		for _, c := range cells {
			head.cells = append(head.cells, cell{lines: []string{c}})
		}
		r.leftOut(head, roles)
		d := &delimited{r: r, sep: sep, starts: starts, table: &table{line: items[i].line, roles: roles,
			generated: generatedTexts().heads[headsOf(cells)]}}
		return d.read(items, i+1)
	}
	return i
}

// allHeads reports whether all of three or more cells are headings and nothing else: a sentence has commas
// too.
func allHeads(cells []string) bool {
	return len(cells) > 2 && !slices.ContainsFunc(cells, func(c string) bool {
		r, strict := headCell(c)
		return r == noRole || !strict
	})
}

// delimited is a table of text whose headings were found.
type delimited struct {
	r      *reader
	sep    separator
	starts []int // of the columns, where they are aligned
	table  *table
}

// read reads the rows. The table ends at a heading or at a line that is no row; blank lines may
// stand between rows.
func (d *delimited) read(items []item, i int) int {
	end := i
	blanks := 0
	for ; i < len(items); i++ {
		it := items[i]
		if it.table != nil || it.ends != 0 || it.level > 0 && !strings.Contains(it.text, "\t") {
			break
		}
		if it.blank() || ruler.MatchString(it.text) {
			if it.blank() {
				blanks++
			}
			continue
		}
		if blanks > 0 && d.startsTable(it.text) {
			break
		}
		if !d.row(it, blanks > 0) {
			if blanks > 0 || i+1 >= len(items) || headingLike(clean(it.text)) && claimOf(it.text).category != "" {
				break
			}
			if cells, _, ok := d.sep.split(items[i+1].text); !ok || len(cells) != len(d.table.roles) {
				break
			}
			d.r.note(it.line, NotUnderstood,
				"this line is left out: it is not divided as the rows around it are (%s)", quoted(it.text))
		}
		blanks = 0
		end = i + 1
	}
	d.r.readTable(d.table)
	if d.sep == byTab || d.sep == bySpaces {
		return d.r.readLoose(items, end, d.table.roles, true)
	}
	return end
}

// startsTable reports whether a line is the headings of another table.
func (d *delimited) startsTable(line string) bool {
	for _, sep := range []separator{byTab, byPipe, bySpaces} {
		if cells, _, ok := sep.split(line); ok {
			if _, head := headRow(cells, false); head {
				return sep != d.sep
			}
		}
	}
	return false
}

// row adds a line to the table: as a row, or to the row above. It reports whether the line is part of
// the table.
func (d *delimited) row(it item, afterBlank bool) bool {
	cells, starts, ok := d.sep.split(it.text)
	width := len(d.table.roles)
	rows := d.table.rows
	if d.sep == bySpaces && len(cells) > 0 && (ok || starts[0] > 0) {
		cells, ok = d.align(cells, starts)
		if !ok {
			if len(candidates(it.text)) > 0 || len(cells) > 1 {
				d.r.note(it.line, NotUnderstood,
					"this line is left out: its cells do not stand below the headings (%s)", quoted(it.text))
				return true
			}
			return false
		}
	}
	if !ok {
		// A line without separators goes on with the last cell of the row above, if it begins as no
		// sentence does.
		text := strings.TrimSpace(it.text)
		if afterBlank || len(rows) == 0 || !goesOn(text) {
			return false
		}
		last := rows[len(rows)-1].cells
		for j := len(last) - 1; j >= 0; j-- {
			if last[j].text() != "" && d.table.roles[min(j, width-1)] != roleName {
				d.r.note(it.line, Assumed, "%s goes on with the line above", quoted(text))
				last[j].lines = append(last[j].lines, text)
				return true
			}
		}
		return false
	}
	for len(cells) > width && cells[len(cells)-1] == "" {
		cells = cells[:len(cells)-1]
	}
	if d.sep == byComma && len(cells) != width {
		if len(candidates(it.text)) == 0 && (len(cells) == 0 || !readsAsName(cells[0])) {
			return false
		}
		d.r.note(it.line, NotUnderstood, "this line is left out: it has %d values, and the headings are %d (%s)",
			len(cells), width, quoted(it.text))
		return true
	}
	row := tableRow{line: it.line}
	for _, c := range cells {
		row.cells = append(row.cells, cell{lines: splitBreaks(c)})
	}
	if len(rows) > 0 && d.goesOn(row, rows[len(rows)-1]) {
		above := rows[len(rows)-1].cells
		for j, c := range row.cells {
			if c.text() == "" {
				continue
			}
			for j >= len(above) {
				above = append(above, cell{})
			}
			above[j].lines = append(above[j].lines, c.lines...)
		}
		rows[len(rows)-1].cells = above
		return true
	}
	d.table.rows = append(rows, row)
	return true
}

// splitBreaks splits a cell at the line breaks that Markdown takes from HTML.
func splitBreaks(text string) []string {
	if !strings.Contains(text, "<") {
		return []string{text}
	}
	return strings.Split(breaks.Replace(text), "\n")
}

var breaks = strings.NewReplacer("<br>", "\n", "<br/>", "\n", "<br />", "\n", "&lt;", "<", "&gt;", ">")

// goesOn reports whether a row goes on with the one above: it names no cookie and has other cells
// empty, or its names stand behind a comma.
func (d *delimited) goesOn(row, above tableRow) bool {
	name := column(d.table.roles, roleName)
	empty := 0
	for i := range d.table.roles {
		if i >= len(row.cells) || row.cells[i].text() == "" {
			empty++
		}
	}
	if empty == 0 || empty == len(d.table.roles) {
		return false
	}
	if name < len(row.cells) && row.cells[name].text() != "" {
		return row.cells[0].text() == "" && name < len(above.cells) && strings.HasSuffix(above.cells[name].text(), ",")
	}
	if text, at, alone := row.alone(); alone && at == 0 {
		return goesOn(text)
	}
	// A row of several cells, none of which is the name, goes on only where its first cell is empty.
	return len(row.cells) > 0 && row.cells[0].text() == "" || name == 0
}

// goesOn reports whether a text begins in the middle of a sentence.
func goesOn(text string) bool {
	r, _ := utf8.DecodeRuneInString(text)
	return unicode.IsLower(r) || strings.ContainsRune("(,;&", r)
}

// align puts cells that two or more spaces separate below the headings where they begin.
func (d *delimited) align(cells []string, starts []int) ([]string, bool) {
	width := len(d.table.roles)
	if len(cells) == width {
		return cells, true
	}
	if len(cells) > width {
		return cells, false
	}
	out := make([]string, width)
	j := 0
	for i, c := range cells {
		for j < width && d.starts[j] < starts[i]-1 {
			j++
		}
		if j == width || d.starts[j] > starts[i]+1 {
			return cells, false
		}
		out[j] = c
		j++
	}
	return out, true
}

// readUnknown reads lines that tabs or pipes divide into cells and above which no headings stand. Only
// headings further down, or in the first column, can make rows of them.
func (r *reader) readUnknown(items []item, i int) int {
	for _, sep := range []separator{byTab, byPipe} {
		t := &table{line: items[i].line}
		end := i
		for j := i; j < len(items) && items[j].table == nil && items[j].ends == 0 && items[j].level == 0; j++ {
			if ruler.MatchString(items[j].text) && !items[j].blank() {
				continue
			}
			cells, _, ok := sep.split(items[j].text)
			if !ok || len(cells) < 2 {
				break
			}
			if _, head := headRow(cells, false); head {
				break
			}
			row := tableRow{line: items[j].line}
			for _, c := range cells {
				row.cells = append(row.cells, cell{lines: splitBreaks(c)})
			}
			t.rows = append(t.rows, row)
			end = j + 1
		}
		if len(t.rows) > 1 || len(t.rows) == 1 && len(t.rows[0].cells) > 2 {
			r.readTable(t)
			return end
		}
	}
	return i
}
