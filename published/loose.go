package published

import (
	"slices"
	"strings"
)

// maxLoose is the number of lines that are looked at for a table with one cell a line.
const maxLoose = 400

// looseCell is a line that is a cell of a table with one cell a line.
type looseCell struct {
	line int
	text string
	item int
	end  int // the item behind it
}

// looseCells collects lines until a heading, a table, or the headings of one.
func looseCells(items []item, i int) (cells []looseCell) {
	for ; i < len(items) && len(cells) < maxLoose; i++ {
		it := items[i]
		if it.table != nil || it.ends != 0 || it.level > 0 ||
			strings.ContainsAny(strings.TrimSpace(it.text), "\t|") {
			break
		}
		if !it.blank() {
			cells = append(cells, looseCell{it.line, clean(it.text), i, i + 1})
		}
	}
	return cells
}

// readHeads reads a table with one cell a line whose headings stand one below the other.
func (r *reader) readHeads(items []item, i int) int {
	if items[i].level > 0 {
		return i
	}
	var heads []string
	j := i
	for ; j < len(items) && len(heads) <= 12; j++ {
		if items[j].blank() {
			continue
		}
		found, strict := lineHead(items[j].text)
		if found == noRole || !strict || items[j].table != nil || items[j].level > 0 {
			break
		}
		heads = append(heads, clean(items[j].text))
	}
	if len(heads) < 2 || len(heads) > 12 {
		return i
	}
	roles, ok := headRow(heads, false)
	if !ok {
		return i
	}
	if end := r.readLoose(items, j, roles, false); end > j {
		return end
	}
	return i
}

// readLoose reads lines as the cells of rows, or of columns, whose headings are known. It takes them
// only if the names stand where the headings say and the counts agree. It returns i if they do not.
// after is set where rows of the same table stand above.
func (r *reader) readLoose(items []item, i int, roles []role, after bool) int {
	cells := looseCells(items, i)
	width := len(roles)
	if width < 2 || len(cells) < width {
		return i
	}
	if c := claimOf(cells[0].text); after && headingLike(cells[0].text) && c.category != "" && !c.party {
		return i
	}
	name := column(roles, roleName)
	rows := 0
	for (rows+1)*width <= len(cells) && isLooseRow(cells[rows*width:(rows+1)*width], name) {
		rows++
	}
	if rows > 0 {
		for k := range rows {
			r.looseRow(cells[k*width:(k+1)*width], roles)
		}
		return cells[rows*width-1].item + 1
	}
	if used, columns := looseColumns(cells, width, name); used > 0 {
		r.note(cells[0].line, Assumed, "the lines from here on are read as columns, one below the other")
		for k := range columns[0] {
			row := make([]looseCell, width)
			for c := range columns {
				row[c] = columns[c][k]
			}
			r.looseRow(row, roles)
		}
		return used
	}
	return i
}

// looseRow makes a record of one cell for each column.
func (r *reader) looseRow(cells []looseCell, roles []role) {
	f := fields{}
	for i, c := range cells {
		f.add(roles[i], c.text)
	}
	r.record(cells[column(roles, roleName)].line, f, "")
}

// isLooseRow reports whether cells can be a row: the name is one, and the others are none.
func isLooseRow(cells []looseCell, name int) bool {
	for i, c := range cells {
		if i == name && !readsAsName(c.text) {
			return false
		}
		if i != name && readsAsName(c.text) && looksLikeName(c.text) {
			return false
		}
	}
	return true
}

// looseColumns divides cells into columns of the same height, by where the names stand. A line that
// begins in the middle of a sentence belongs to the one above it where the counts agree only then.
// It returns the item behind the last one.
func looseColumns(cells []looseCell, width, name int) (end int, columns [][]looseCell) {
	isName := func(c looseCell) bool { return readsAsName(c.text) && looksLikeName(c.text) }
	first := slices.IndexFunc(cells, isName)
	if first < 0 {
		return 0, nil
	}
	height := 0
	for first+height < len(cells) && readsAsName(cells[first+height].text) {
		height++
	}
	for ; height > 0; height-- { // the lines behind the names may look like names too
		before, ok := fit(cells[:first], name*height)
		if !ok {
			continue
		}
		behind, ok := fitBefore(cells[first+height:], (width-name-1)*height)
		if !ok || slices.ContainsFunc(behind, isName) {
			continue
		}
		all := slices.Concat(before, cells[first:first+height], behind)
		for c := range width {
			columns = append(columns, all[c*height:(c+1)*height])
		}
		last := all[len(all)-1]
		return last.end, columns
	}
	return 0, nil
}

// fitBefore returns as many cells as are wanted, and no others behind them but those of something else
// on the page: a heading, or a sentence.
func fitBefore(cells []looseCell, want int) ([]looseCell, bool) {
	if want == 0 {
		return nil, true
	}
	if all, ok := fit(cells, want); ok {
		return all, true
	}
	if all := joined(cells); len(all) > want {
		next := all[want].text
		if headingLike(next) && claimOf(next).category != "" || strings.HasSuffix(next, ".") {
			return all[:want], true
		}
	}
	return nil, false
}

// fit returns as many cells as are wanted, joined where that makes the counts agree.
func fit(cells []looseCell, want int) ([]looseCell, bool) {
	if len(cells) == want {
		return cells, true
	}
	cells = joined(cells)
	return cells, len(cells) == want && want > 0
}

// joined joins lines that begin in the middle of a sentence with those above them.
func joined(cells []looseCell) (out []looseCell) {
	for _, c := range cells {
		if len(out) > 0 && goesOn(c.text) {
			last := &out[len(out)-1]
			last.text += " " + c.text
			last.end = c.end
			continue
		}
		out = append(out, c)
	}
	return out
}

// part is a heading and the lines below it, up to the next one.
type part struct {
	role   role
	values []looseCell
}

// readColumns reads headings each of which has its values below it, one a line: the columns of a
// table, or what is said of one cookie. They end where a heading comes again.
func (r *reader) readColumns(items []item, i int) int {
	if found, strict := lineHead(items[i].text); found == noRole || !strict {
		return i
	}
	parts := partsOf(items, i)
	height, seen := 0, map[role]bool{}
	for _, p := range parts {
		seen[p.role] = true
		if p.role == roleName {
			for height < len(p.values) && readsAsName(p.values[height].text) {
				height++
			}
		}
	}
	if height == 0 || len(seen) < 2 {
		return i
	}
	for k, p := range parts {
		last := k == len(parts)-1 // what follows its values may be anything
		if len(p.values) < height || len(p.values) > height && !last && (height > 1 || p.role != rolePurpose) {
			return i
		}
	}
	end := i
	for row := range height {
		f := fields{}
		line := 0
		for k, p := range parts {
			f.add(p.role, p.values[row].text)
			end = max(end, p.values[row].item+1)
			if p.role == roleName {
				line = p.values[row].line
			}
			if height == 1 && k < len(parts)-1 {
				for _, v := range p.values[1:] {
					f[p.role][0] = append(f[p.role][0], v.text)
				}
			}
		}
		r.record(line, f, "")
	}
	return end
}

// partsOf collects headings and what stands below them, until a heading comes again.
func partsOf(items []item, i int) (parts []part) {
	seen := map[role]bool{}
	for j := i; j < len(items) && j < i+maxLoose; j++ {
		it := items[j]
		if it.blank() {
			continue
		}
		if it.table != nil || it.ends != 0 {
			break
		}
		found, strict := lineHead(it.text)
		switch {
		case found != noRole && strict && it.level == items[i].level && !it.definition:
			if seen[found] {
				return parts
			}
			seen[found] = true
			parts = append(parts, part{role: found})
		case it.level > 0:
			return parts
		default:
			last := &parts[len(parts)-1]
			last.values = append(last.values, looseCell{it.line, clean(it.text), j, j + 1})
		}
	}
	return parts
}
