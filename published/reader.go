package published

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// reader turns the items of a page into rows and notes.
type reader struct {
	page     *Page
	text     bool // the page is text
	marked   bool // the page marks its headings
	headings []heading
	loose    []mention

	languages map[role]string // of the texts of the row that is read, if it is not the page's

	generated bool     // the table that is read is one that this module made
	origins   []string // from which the row that is read lets pages load
	sentence  string   // that says so
	afterRows bool     // rows were read since the last heading
	listed    int      // the number of the item that was the last heading without a mark
}

// heading is a heading that is in force.
type heading struct {
	level int
	text  string
	claim claim
}

// Levels of headings that have no number on the page.
const (
	levelBold    = 7  // a line in bold, a summary or a legend
	levelWeak    = 8  // a line of text
	levelCaption = 9  // of a table
	levelSection = 10 // a row of a table
)

func (r *reader) note(line int, kind NoteKind, format string, args ...any) {
	r.page.Notes = append(r.page.Notes, Note{line, kind, fmt.Sprintf(format, args...)})
}

// pushHeading puts a heading in force, in place of those of its level and below.
func (r *reader) pushHeading(level int, text string) {
	text = clean(text)
	r.endHeadings(level)
	r.headings = append(r.headings, heading{level, text, claimOf(text)})
	r.afterRows = false
}

func (r *reader) endHeadings(level int) {
	n := len(r.headings)
	for n > 0 && r.headings[n-1].level >= level {
		n--
	}
	r.headings = r.headings[:n]
}

// current returns what the headings in force claim, and the heading that says so. A heading without
// a category, such as the name of a service, leaves what the one above it says, but only if it does
// not speak of cookies of another kind. inherited is set if one was passed over.
func (r *reader) current() (c claim, text string, inherited bool) {
	skipped := ""
	for i := len(r.headings) - 1; i >= 0; i-- {
		h := r.headings[i]
		switch {
		case h.claim.category == policy.Necessary && skipped != "" && !namesThing(skipped):
			return claim{doubtful: true}, skipped, false
		case h.claim.category != "":
			return h.claim, h.text, skipped != ""
		case h.claim.silent:
		case h.claim.doubtful, strings.Contains(fold(h.text), "cookie") && !namesThing(h.text):
			return h.claim, cmp.Or(skipped, h.text), false
		default:
			skipped = cmp.Or(skipped, h.text)
		}
	}
	return claim{silent: true}, skipped, false
}

// namesThing reports whether a heading is the name of a known provider or of cookies.
func namesThing(text string) bool {
	if p, ok := providerAt(text); ok && len(p) == len(text) {
		return true
	}
	return readsAsName(text)
}

// fields are the cells of one row, by what they say. A role can have several cells, and a cell
// several lines.
type fields map[role][][]string

func (f fields) add(r role, lines ...string) {
	if r == noRole || r == roleOther || clean(strings.Join(lines, " ")) == "" {
		return
	}
	f[r] = append(f[r], lines)
}

// text joins the cells of a role.
func (f fields) text(r role) string {
	var cells []string
	for _, lines := range f[r] {
		if t := clean(strings.Join(lines, " ")); f.exact() || !isNothing(t) {
			cells = append(cells, t)
		}
	}
	return strings.Join(cells, "; ")
}

// exact reports whether the fields are those of a row of a generated table.
func (f fields) exact() bool { return len(f[roleExact]) > 0 }

// first returns the first cell of a role.
func (f fields) first(r role) string {
	cell, _, _ := strings.Cut(f.text(r), "; ")
	if len(f[r]) == 1 {
		return f.text(r)
	}
	return cell
}

// isNothing reports whether a cell stands for no text.
func isNothing(text string) bool { return isBlankCell(text) }

// record makes a row of what one row of a table, or the lines about one cookie, say. doubt says why it
// cannot become a rule, if something else than its category does.
func (r *reader) record(line int, f fields, doubt string) {
	r.afterRows = true
	var nameLines []string
	for _, lines := range f[roleName] {
		nameLines = append(nameLines, lines...)
	}
	written := quoted(strings.Join(nameLines, " "))
	for _, lines := range f[roleKind] {
		if what, other := kindOfStorage(strings.Join(lines, " ")); other {
			r.note(line, NotUnderstood, "%s is left out: it is %s, not a cookie", written, what)
			return
		}
	}
	if !f.exact() && generatedTexts().noCookie[clean(strings.Join(nameLines, " "))] {
		r.note(line, NotUnderstood, "this row is left out: its rule has origins and no cookie; write an allow with origin")
		return
	}
	var in namesIn
	if f.exact() {
		in = exactNames(f[roleExact][0])
	} else {
		in = readNames(nameLines)
		f.partyIsKind()
		f.neededIsKind()
		f.takeLabels()
		f.takeLifetime()
	}
	for _, ref := range in.refused {
		r.note(line, NotUnderstood, "%s is left out: %s", quoted(ref.written), ref.why)
	}
	if len(in.names) == 0 && len(r.origins) == 0 {
		if len(in.refused) == 0 {
			r.note(line, NotUnderstood, "this row is left out: it names no cookie (%s)", quoted(f.summary()))
			for _, role := range []role{roleProvider, roleFunction, rolePurpose, roleLifetime, roleKind} {
				for _, cell := range f[role] {
					r.mentions(item{line: line, text: strings.Join(cell, " ")})
				}
			}
		}
		return
	}
	if len(in.names) == 0 { // the origins are left
		delete(f, roleLifetime)
	}
	for _, q := range in.question {
		r.note(line, NotUnderstood, "%s", q)
	}
	for _, a := range in.assumed {
		r.note(line, Assumed, "%s", a)
	}
	row := Row{Line: line, Names: append([]Name{}, in.names...), Origins: r.origins,
		Provider: f.first(roleProvider), Function: f.text(roleFunction),
		Purpose: r.withoutConditions(line, f.text(rolePurpose)), Lifetime: readLifetime(f.text(roleLifetime))}
	row.FunctionLanguage, row.PurposeLanguage = r.languages[roleFunction], r.languages[rolePurpose]
	if row.Lifetime.Words == "" {
		row.Lifetime = lifetimeOfKind(f.text(roleKind))
	}
	each := oneEach(f[roleLifetime], len(in.names)+len(in.refused))
	switch {
	case each == nil || len(in.refused) > 0 || r.generated:
		each = nil
	case !slices.ContainsFunc(each, func(l Lifetime) bool { return l.Duration != each[0].Duration }):
		row.Lifetime, each = each[0], nil
	default:
		row.Lifetime = Lifetime{}
		r.note(line, Assumed, "of the lifetimes %s, each is taken for that of the cookie in its place",
			quoted(f.text(roleLifetime)))
	}
	if row.Lifetime.listed && len(in.names) > 1 && !r.generated {
		row.Lifetime = Lifetime{Words: row.Lifetime.Words, Problem: "these are several durations"}
	}
	if row.Lifetime.Problem != "" {
		r.note(line, NotUnderstood, "the lifetime %s is left out: %s", quoted(row.Lifetime.Words), row.Lifetime.Problem)
	} else if row.Lifetime.rest {
		r.note(line, Assumed, "the lifetime %s is taken for %s", quoted(row.Lifetime.Words), row.Lifetime.Duration)
	}
	r.categorise(&row, f)
	if doubt != "" && row.Doubt == "" {
		row.Doubt = doubt
		r.note(line, NotUnderstood, "%s: %s", row.spelled(), row.Doubt)
	}
	r.mentioned(line, row)
	if row.Doubt == "" {
		r.note(line, Understood, "%s: %s", row.spelled(), row.Category)
	}
	if each == nil {
		r.page.Rows = append(r.page.Rows, row)
	}
	for i, l := range each {
		one := row
		one.Names, one.Lifetime = row.Names[i:i+1:i+1], l
		r.page.Rows = append(r.page.Rows, one)
	}
}

// partyIsKind takes a function that only says who sets the cookie for its kind.
func (f fields) partyIsKind() {
	cells := f[roleFunction]
	if len(cells) == 1 && len(strings.Fields(cells[0][0])) <= 3 && claimOf(cells[0][0]).party {
		f[roleKind] = append(f[roleKind], cells[0])
		delete(f, roleFunction)
	}
}

// neededIsKind takes cells that answer neither yes nor no for the kind: "Essential", "Optional".
func (f fields) neededIsKind() {
	if _, ok := yesOrNo(f.text(roleNeeded)); !ok {
		f[roleKind] = append(f[roleKind], f[roleNeeded]...)
		delete(f, roleNeeded)
	}
}

// summary shows what a row says where its name is unknown.
func (f fields) summary() string {
	for _, role := range []role{roleProvider, roleFunction, rolePurpose, roleLifetime, roleKind} {
		if t := f.text(role); t != "" {
			return t
		}
	}
	return ""
}

// spelled joins the names as the page spells them.
func (row *Row) spelled() string {
	names := make([]string, len(row.Names))
	for i, n := range row.Names {
		names[i] = n.Written
	}
	if len(names) == 0 {
		names = row.Origins
	}
	return quoted(strings.Join(names, ", "))
}

// lifetimeOfKind reads the lifetime of a page whose only word about it is the kind of cookie.
func lifetimeOfKind(kind string) Lifetime {
	for _, w := range strings.Fields(fold(kind)) {
		if !sessionWords[w] && w != "cookie" && w != "cookies" && w != "de" && w != "di" && w != "http" {
			return Lifetime{}
		}
	}
	if l := readLifetime(kind); l.Session {
		return l
	}
	return Lifetime{}
}

// categorise takes the category from the nearest heading, then from the column of kinds. A column
// that asks whether the cookie is necessary wins over both.
func (r *reader) categorise(row *Row, f fields) {
	c, text, inherited := r.current()
	row.Category, row.Heading = c.category, text
	if c.category != "" && inherited {
		r.note(row.Line, Assumed, "%s: %s, as the heading %s says further up", row.spelled(), c.category, quoted(text))
	}
	doubt := func(format string, args ...any) {
		row.Category, row.Doubt = "", fmt.Sprintf(format, args...)
	}
	anonymous := c.anonymous
	var kinds, parties []string // who sets a cookie says less of it than what it is for
	for _, lines := range f[roleKind] {
		cell := clean(strings.Join(lines, " "))
		if claimOf(cell).party {
			parties = append(parties, cell)
		} else {
			kinds = append(kinds, cell)
		}
	}
	for _, cell := range append(kinds, parties...) {
		k := claimOf(cell)
		switch {
		case row.Doubt != "":
		case k.category == "" && row.Category == policy.Necessary && negatesNecessary(cell):
			doubt("the heading says necessary, and its kind is %s", quoted(cell))
		case k.category == "":
		case row.Category == "" && c.doubtful && k.category == policy.Necessary:
			doubt("its kind is %s, under the heading %s", quoted(cell), quoted(text))
		case row.Category == "":
			row.Category, row.Heading = k.category, cell
			anonymous = k.anonymous
		case row.Category == k.category:
			anonymous = anonymous || k.anonymous
		case row.Category == policy.Necessary && !k.party && k.category != policy.FirstParty:
			doubt("the heading says necessary, and its kind is %s", quoted(cell))
		case !k.party && row.Category != policy.Necessary:
			r.note(row.Line, Assumed, "%s: %s by its heading, though its kind is %s", row.spelled(),
				row.Category, quoted(cell))
		}
	}
	if needed, ok := yesOrNo(f.text(roleNeeded)); ok && row.Doubt == "" {
		switch {
		case needed:
			row.Category, row.Heading = policy.Necessary, cmp.Or(row.Heading, "necessary: yes")
		case row.Category == policy.Necessary:
			doubt("the heading says necessary, and the row says that it is not")
		}
	}
	if asksForConsent(f.text(roleConsent)) && row.Category == policy.Necessary {
		doubt("it is called necessary, and consent is asked for it")
	}
	row.Anonymous = row.Category == policy.Statistical && (anonymous || saysExemptFromConsent(row.Purpose))
	if row.Category == "" && row.Doubt == "" {
		if row.Heading == "" {
			row.Doubt = "no heading says what category it is of"
		} else {
			row.Doubt = "the heading " + quoted(row.Heading) + " names no category that is known"
		}
	}
	if row.Doubt != "" {
		r.note(row.Line, NotUnderstood, "%s: %s", row.spelled(), row.Doubt)
	}
}

// negatesNecessary reports whether a kind says "not necessary" or "optional".
func negatesNecessary(cell string) bool {
	for _, w := range strings.Fields(fold(cell)) {
		if negators[w] || exceptions[w] {
			return true
		}
	}
	return false
}

// candidate finds words in a sentence that look like names of cookies.
var candidate = regexp.MustCompile(`[A-Za-z0-9_][A-Za-z0-9_.\-]*[A-Za-z0-9_*#]` +
	`(?:(?:<[^<>]*>|\[[^\[\]]*\]|\{[^{}]*\})(?:[A-Za-z0-9_.\-]*[A-Za-z0-9_])?)*`)

// mentioned tells of names in a purpose that are no names of the row.
func (r *reader) mentioned(line int, row Row) {
	for _, name := range candidates(row.Purpose) {
		own := false
		for _, n := range row.Names {
			own = own || n.Written == name || n.Pattern == name
		}
		if !own {
			r.note(line, NotUnderstood, "%s stands in the purpose of %s and is not taken for a name", quoted(name),
				row.spelled())
		}
	}
}

// candidates returns the words of a sentence that are known names, or that have an underscore.
func candidates(text string) (names []string) {
	for _, at := range candidate.FindAllStringIndex(text, -1) {
		word := text[at[0]:at[1]]
		if at[0] > 0 && strings.IndexByte("/@.-=&?%", text[at[0]-1]) >= 0 ||
			at[1] < len(text) && strings.IndexByte("/@=", text[at[1]]) >= 0 {
			continue // within an address
		}
		_, known := lookupKnown(word)
		known = known && len(word) > 2 || wellKnown[word] && len(word) > 4 && word != "player"
		inner := strings.Trim(word, "_")
		if known || word[0] == '_' && len(inner) > 1 || strings.Contains(inner, "_") && !strings.Contains(inner, ".") {
			names = append(names, word)
		}
	}
	return names
}

// repeated leaves each name in the first row that has it. A name that has two categories on the page
// is taken out of all rows.
func (r *reader) repeated() {
	type place struct {
		line     int
		category policy.Category
		torn     bool
	}
	first := map[string]*place{}
	for i := range r.page.Rows {
		row := &r.page.Rows[i]
		if row.Doubt != "" {
			continue
		}
		row.Names = slices.DeleteFunc(row.Names, func(n Name) bool {
			at := first[n.Pattern]
			switch {
			case at == nil:
				first[n.Pattern] = &place{line: row.Line, category: row.Category}
				return false
			case at.category != row.Category:
				at.torn = true
				r.note(row.Line, NotUnderstood, "%s stands here as %s and in line %d as %s: neither is taken",
					quoted(n.Written), row.Category, at.line, at.category)
			default:
				r.note(row.Line, Assumed, "%s stands in line %d already: this one is left out", quoted(n.Written),
					at.line)
			}
			return true
		})
	}
	rows := r.page.Rows[:0]
	for _, row := range r.page.Rows {
		if row.Doubt == "" {
			kept := slices.DeleteFunc(slices.Clone(row.Names), func(n Name) bool { return first[n.Pattern].torn })
			if len(kept) == 0 && len(row.Names) > 0 {
				row.Doubt = "the page says two categories of it"
			} else {
				row.Names = kept
			}
		}
		if len(row.Names)+len(row.Origins) > 0 {
			rows = append(rows, row)
		}
	}
	r.page.Rows = rows
}
