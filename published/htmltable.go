package published

import (
	"cmp"
	"math"
	"slices"
)

// htmlTable is a table that is being read.
type htmlTable struct {
	table  *table
	host   *htmlTable // the table of cookies in whose cell this one stands, as text of it
	row    *tableRow
	cell   *cell
	column int
	spans  []span // cells of rows above that reach further down

	wide, high int // columns and rows that the cell spans
	inHead     bool
	caption    bool
	ofCookies  bool
}

// span is a cell and the number of rows that it still reaches.
type span struct {
	rows int
	cell cell
}

// maxColumns is the number of columns of a table that are read.
const maxColumns = 24

// startTable begins a table. One within a cell of a table of cookies belongs to the cell; one within
// any other makes that one a means of layout, whose cells are lines of text.
func (b *htmlReader) startTable() {
	b.breakLine()
	if outer := b.current(); outer != nil {
		if outer.isOfCookies() {
			b.tables = append(b.tables, &htmlTable{host: cmp.Or(outer.host, outer)})
			return
		}
		b.spill(outer)
	}
	b.tables = append(b.tables, &htmlTable{table: &table{line: b.line, hidden: b.hidden > 0}})
}

// isOfCookies reports whether a table has headings for cookies, or stands in a cell of one that has.
func (t *htmlTable) isOfCookies() bool {
	if t.host != nil || t.ofCookies {
		return true
	}
	for i := range t.table.rows[:min(4, len(t.table.rows))] {
		if _, ok := headRow(t.table.rows[i].texts(), t.table.rows[i].marked()); ok {
			t.ofCookies = true
			return true
		}
	}
	return false
}

// spill turns what was read of a table into items.
func (b *htmlReader) spill(t *htmlTable) {
	if len(t.table.rows) > 0 {
		b.emit(item{line: t.table.line, table: t.table})
	}
	if t.row != nil {
		for _, c := range t.row.cells {
			for _, line := range c.lines {
				b.emit(item{line: t.row.line, text: line})
			}
		}
	}
	if t.cell != nil {
		for _, line := range t.cell.lines {
			b.emit(item{line: t.row.line, text: line})
		}
	}
	t.table = &table{line: b.line, hidden: t.table.hidden}
	t.row, t.cell, t.spans = nil, nil, nil
}

func (b *htmlReader) endTable() {
	t := b.current()
	b.endRow()
	if t.host != nil {
		b.tables = b.tables[:len(b.tables)-1]
		return
	}
	b.tables = b.tables[:len(b.tables)-1]
	if len(t.table.rows) > 0 || t.table.caption != "" {
		b.emit(item{line: t.table.line, table: t.table})
	}
}

func (b *htmlReader) startRow(hidden bool) {
	b.endRow()
	if t := b.current(); t.host == nil {
		t.row, t.column = &tableRow{line: b.line, hidden: hidden}, 0
	}
}

func (b *htmlReader) startCell(head bool, attributes map[string]string) {
	b.endCell()
	t := b.current()
	if t.host != nil {
		return
	}
	if t.row == nil {
		t.row, t.column = &tableRow{line: b.line}, 0
	}
	t.fromAbove()
	t.row.hidden = t.row.hidden || hides(attributes)
	t.cell = &cell{head: head}
	t.wide = number(attributes["colspan"], 1)
	t.high = number(attributes["rowspan"], 1)
	if t.high == 0 { // to the end of the table
		t.high = math.MaxInt
	}
}

// endCell puts the cell that is being read into its row, once for each column that it spans.
func (b *htmlReader) endCell() {
	b.breakLine()
	t := b.current()
	if t.cell == nil {
		return
	}
	c := *t.cell
	t.cell = nil
	if t.column == maxColumns { // what no column holds is text
		t.table.tooWide = true
		for _, line := range c.lines {
			b.emit(item{line: b.line, text: line})
		}
	}
	for i := 0; i < max(1, t.wide) && t.column < maxColumns; i++ {
		if i > 0 && t.spanned() {
			break
		}
		c.repeated = i > 0
		t.row.cells = append(t.row.cells, c)
		if t.high > 1 && t.spans == nil {
			t.spans = make([]span, maxColumns)
		}
		if t.spans != nil {
			above := c
			above.repeated = true
			t.spans[t.column] = span{t.high - 1, above}
		}
		t.column++
	}
}

// fromAbove puts in the cells of rows above that span this one.
func (t *htmlTable) fromAbove() {
	for t.column < maxColumns && t.spanned() {
		t.row.cells = append(t.row.cells, t.spans[t.column].cell)
		t.spans[t.column].rows--
		t.column++
	}
}

// spanned reports whether a cell of a row above reaches the current column.
func (t *htmlTable) spanned() bool { return t.spans != nil && t.spans[t.column].rows > 0 }

func (b *htmlReader) endRow() {
	b.endCell()
	t := b.current()
	if t.row == nil {
		return
	}
	t.fromAbove()
	if slices.ContainsFunc(t.row.cells, func(c cell) bool { return !c.repeated && len(c.lines) > 0 }) {
		t.table.rows = append(t.table.rows, *t.row)
	}
	t.row = nil
}
