package published

import (
	"regexp"
	"slices"
	"strings"
)

// read reads the items of a page in their order.
func (r *reader) read(items []item) {
	r.listed = -1
	for i := 0; i < len(items); {
		it := items[i]
		switch {
		case it.table != nil:
			r.readTable(it.table)
			i++
			continue
		case it.ends != 0:
			r.endHeadings(it.ends)
			i++
			continue
		case it.blank() || ruler.MatchString(it.text):
			i++
			continue
		}
		next := i
		for _, form := range []func([]item, int) int{
			r.readDelimited, r.readSpaced, r.readHeads, r.readColumns, r.readLabels, r.readList, r.readUnknown,
		} {
			if next = form(items, i); next > i {
				break
			}
		}
		if next == i {
			r.line(items, i)
			next++
		}
		i = next
	}
}

// line reads a line that is part of no table: a heading, or a sentence.
func (r *reader) line(items []item, i int) {
	it := items[i]
	text := clean(it.text)
	if it.level > 0 {
		r.pushHeading(it.level, text)
		r.mentions(it)
		return
	}
	r.mentions(it)
	if _, label := labelsIn(text); label || !headingLike(text) || it.listed && !r.marked {
		return
	}
	c := claimOf(text)
	switch {
	case c.category != "" && r.listed >= 0 && r.listed == previous(items, i) && r.top().category != c.category:
		// Categories one below the other are a list, and head nothing.
		r.endHeadings(levelWeak)
		r.headings = append(r.headings, heading{levelWeak, text, claim{doubtful: true}})
		r.listed = i
	case c.category != "":
		r.pushWeak(text)
		r.listed = i
	case c.silent || strings.HasSuffix(text, ":") && !c.doubtful:
	case !r.marked, c.doubtful, r.afterRows && strings.Contains(fold(text), "cookie"), r.afterRows && r.weak():
		r.pushWeak(text)
	}
}

// pushWeak puts a heading in force that the page does not mark as one. On a page that marks none, it
// takes the place of all others.
func (r *reader) pushWeak(text string) {
	if !r.marked {
		r.endHeadings(0)
	}
	r.pushHeading(levelWeak, text)
}

func (r *reader) top() claim {
	if len(r.headings) == 0 {
		return claim{}
	}
	return r.headings[len(r.headings)-1].claim
}

// weak reports whether the heading in force is not marked as one.
func (r *reader) weak() bool {
	return len(r.headings) > 0 && r.headings[len(r.headings)-1].level == levelWeak
}

// previous returns the number of the item before i that is not blank.
func previous(items []item, i int) int {
	for i--; i >= 0 && items[i].blank(); i-- {
	}
	return i
}

// headingLike reports whether a line of text can be a heading: it is short, and no sentence.
func headingLike(text string) bool {
	text = text[len(numbering.FindString(text)):]
	return len(text) <= 160 && len(strings.Fields(text)) <= 22 && !strings.HasSuffix(text, ".") &&
		!strings.HasSuffix(text, ",") && !strings.HasSuffix(text, ";") && !strings.Contains(text, ". ") &&
		!strings.HasSuffix(text, "!")
}

// numbering is the number of a heading: "4.", "4.1", "b)", "IV.".
var numbering = regexp.MustCompile(`^(?:\d{1,2}(?:\.\d{1,2})*[.)]?|[a-zA-Z][.)]|[IVX]{1,4}[.)])\s+`)

// mayBeName reports whether a line that stands alone, or the beginning of an entry of a list, may be
// names of cookies. Below headings about cookies, a hyphen is enough.
func (r *reader) mayBeName(text string) bool {
	if !readsAsName(text) {
		return false
	}
	return slices.ContainsFunc(pieces([]string{text}), looksLikeName) ||
		strings.Contains(text, "-") && r.underCookies()
}

// mentions tells of the names of cookies in a line from which no row is made.
func (r *reader) mentions(it item) {
	if generatedTexts().legends[clean(it.text)] {
		return
	}
	names := candidates(it.text)
	for _, sep := range []separator{byTab, byPipe, bySpaces, bySemicolon} {
		// A line that looks like a row of a table.
		if cells, _, ok := sep.split(it.text); ok && len(cells) > 2 && len(cells) <= 12 {
			for _, c := range cells {
				if readsAsName(c) {
					names = append(names, c)
				}
			}
			break
		}
	}
	if m := entry.FindStringSubmatch(trimBullet(clean(it.text))); m != nil && readsAsName(m[1]) {
		if c, _, _ := r.current(); c.category != "" {
			names = append(names, m[1])
		}
	}
	if r.underCookies() {
		for _, mark := range slices.Concat(it.marks, calledSo(it.text)) {
			if readsAsName(mark) && !isDigest(mark) {
				names = append(names, clean(mark))
			}
		}
	}
	if text := clean(it.text); len(text) < 300 && r.mayBeName(text) {
		names = append(names, text)
	} else if word, _, _ := strings.Cut(trimBullet(text), " "); it.listed && r.mayBeName(word) {
		names = append(names, word)
	}
	if len(names) == 0 {
		return
	}
	r.loose = append(r.loose, mention{it.line, names})
}

// called finds single words in quotes.
var called = regexp.MustCompile(`["“«„‘]\s*([A-Za-z0-9_][\w.-]*)\s*["”“»’]`)

// calledSo returns the words in quotes of a sentence about cookies, but for kinds of cookies.
func calledSo(text string) (names []string) {
	if !strings.Contains(fold(text), "cookie") {
		return nil
	}
	for _, m := range called.FindAllStringSubmatch(text, -1) {
		if c := claimOf(m[1]); c.category == "" && !c.doubtful {
			names = append(names, m[1])
		}
	}
	return names
}

// mention is names of cookies in a line from which no row is made.
type mention struct {
	line  int
	names []string
}

// tellMentions tells of the names that stand in sentences and in no row.
func (r *reader) tellMentions() {
	inRow := map[string]bool{}
	for _, row := range r.page.Rows {
		for _, n := range row.Names {
			inRow[n.Written], inRow[n.Pattern] = true, true
		}
	}
	for _, m := range r.loose {
		names := slices.DeleteFunc(m.names, func(name string) bool { return inRow[name] })
		if len(names) == 0 {
			continue
		}
		slices.Sort(names)
		names = slices.Compact(names)
		for i, name := range names {
			names[i] = quoted(name)
		}
		if len(names) > 20 {
			names = append(names[:20], "…")
		}
		r.note(m.line, NotUnderstood, "no rule is made from this line, which mentions %s", strings.Join(names, ", "))
	}
}
