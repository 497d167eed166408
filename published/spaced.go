package published

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// gluedHeads are headings of several words, folded, as they stand in a line where single spaces, or
// nothing, separate the cells. Single words come from headWords.
var gluedHeads = func() map[string]role {
	m := map[string]role{}
	for r, phrases := range map[role]string{
		roleName: `cookie name s|cookie names|cookie name|name of cookie|name of the cookie|nom du cookies|nom du cookie|
			nom des cookies|nom cookie|noms des cookies|name des cookies|cookie bezeichnung|naam van de cookie|
			nombre de la cookie|
			nombre del cookie|nombre de cookie|nome del cookie|nome cookie|nome do cookie|nome dei cookie|cookie s`,
		roleProvider: `service provider s name|provider s name|provider name|supplier name|service provider|name of provider|
			nom du prestataire|nom du fournisseur|nom du service|name des anbieters|naam van de aanbieder|nombre del proveedor|
			nome del fornitore|nome do fornecedor|set by`,
		roleLifetime: `retention period|storage period|storage duration|maximum storage duration|expiry date|expiration date|
			retention time|duree de conservation|duree de vie|duree de validite|periodo de conservacion|plazo de conservacion|
			periodo di conservazione|data di scadenza|fecha de caducidad|data de validade|prazo de validade|lasts for`,
		rolePurpose: `purpose of the cookie|but du cookie|finalite du cookie|zweck des cookies|doel van de cookie`,
		roleKind:    `cookie type|type of cookie|type de cookie|art des cookies|tipo de cookie|tipo di cookie`,
	} {
		for _, p := range strings.Split(phrases, "|") {
			m[strings.TrimSpace(p)] = r
		}
	}
	for _, p := range headPhrases {
		m[p.phrase] = p.role
	}
	for i := len(headWords) - 1; i >= 0; i-- {
		for w := range headWords[i].words {
			m[w] = headWords[i].role
		}
	}
	return m
}()

// spacedHeads reads a line of headings that single spaces, or nothing, separate. It takes the
// reading with the fewest headings.
func spacedHeads(line string) (roles []role, glued, ok bool) {
	if len(line) > 200 || strings.Contains(line, "_") {
		return nil, false, false
	}
	apart := unglue(line)
	words := strings.Fields(fold(apart))
	if len(words) < 2 || len(words) > 24 {
		return nil, false, false
	}
	const none = 1000
	type step struct {
		heads, from int
		role        role
	}
	best := make([]step, len(words)+1)
	for i := 1; i <= len(words); i++ {
		best[i].heads = none
		for from := max(0, i-5); from < i; from++ {
			r, known := gluedHeads[strings.Join(words[from:i], " ")]
			if known && best[from].heads+1 < best[i].heads {
				best[i] = step{best[from].heads + 1, from, r}
			}
		}
	}
	if best[len(words)].heads >= none {
		return nil, false, false
	}
	for i := len(words); i > 0; i = best[i].from {
		if best[i].role != roleOther && slices.Contains(roles, best[i].role) {
			return nil, false, false
		}
		roles = append(roles, best[i].role)
	}
	slices.Reverse(roles)
	if c := claimOf(line); c.category != "" && len(roles) < 3 {
		return nil, false, false // a heading: "Essential cookies"
	}
	return roles, apart != line, len(roles) > 1 && slices.Contains(roles, roleName)
}

// unglue puts a space where a small letter or a bracket stands before a capital.
func unglue(line string) string {
	var b strings.Builder
	var before rune
	for _, r := range line {
		if unicode.IsUpper(r) && (unicode.IsLower(before) || before == ')') {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
		before = r
	}
	return b.String()
}

// spaced is a table of text whose cells nothing but single spaces, or nothing at all, separates. A
// row is read by the name in it, which must be known or look like nothing else.
type spaced struct {
	r       *reader
	roles   []role
	glued   bool
	first   string // the first word of the first row
	pending fields
	line    int // of the pending row
	at      int // the line that is being read
}

// readSpaced reads such a table if its headings stand in item i, and returns the first item behind it.
func (r *reader) readSpaced(items []item, i int) int {
	if items[i].level > 0 {
		return i
	}
	roles, glued, ok := spacedHeads(items[i].text)
	if !ok {
		return i
	}
	s := &spaced{r: r, roles: roles, glued: glued}
	end := i
	blanks, rows := 0, 0
	for j := i + 1; j < len(items); j++ {
		it := items[j]
		if it.table != nil || it.ends != 0 || it.level > 0 {
			break
		}
		if it.blank() {
			blanks++
			continue
		}
		text := clean(it.text)
		if _, _, head := spacedHeads(text); head {
			break
		}
		s.at = it.line
		f, ok := s.row(text, blanks > 0 && rows > 0)
		switch {
		case ok:
			s.flush()
			s.pending, s.line = f, it.line
			rows++
		case blanks == 0 && rows > 0 && goesOn(text):
			s.goesOn(text)
		case blanks == 0 && len(candidates(text)) > 0 && rows > 0:
			r.note(it.line, NotUnderstood, "this row is left out: nothing tells where its cells end (%s)", quoted(text))
		default:
			s.flush()
			return end
		}
		blanks = 0
		if rows > 0 {
			end = j + 1
		}
	}
	s.flush()
	return end
}

func (s *spaced) flush() {
	if s.pending != nil {
		s.r.record(s.line, s.pending, "")
	}
	s.pending = nil
}

// goesOn adds a line to the last cell of the row that is being read.
func (s *spaced) goesOn(text string) {
	last := s.roles[len(s.roles)-1]
	if cells := s.pending[last]; len(cells) > 0 && last != roleName {
		cells[len(cells)-1] = append(cells[len(cells)-1], text)
	} else {
		s.pending.add(rolePurpose, text)
	}
}

// row reads a line.
func (s *spaced) row(text string, afterBlank bool) (fields, bool) {
	name := column(s.roles, roleName)
	before, names, after, ok := s.findName(text, name)
	if !ok {
		return nil, false
	}
	word, _, _ := strings.Cut(text, " ")
	if _, known := providerAt(text); afterBlank && name > 0 && !known && word != s.first {
		return nil, false
	}
	if s.first == "" {
		s.first = word
	}
	f := fields{}
	f.add(roleName, names)
	s.spread(f, before, s.roles[:name])
	s.spread(f, after, s.roles[name+1:])
	return f, true
}

// findName splits a line at the names in it.
func (s *spaced) findName(text string, column int) (before, names, after string, ok bool) {
	if s.glued {
		if before, names, after, ok = gluedName(text); ok {
			return before, names, after, column > 0 || before == ""
		}
	}
	words := strings.Fields(text)
	if column == 0 {
		n := 0
		for n < len(words) {
			n++
			if w := words[n-1]; !strings.HasSuffix(w, ",") && !strings.HasSuffix(w, ";") {
				break
			}
		}
		for i, w := range words[:n] {
			w = strings.TrimRight(w, ",;")
			capital := i == n-1 && n < len(words) && startsUpper(words[n])
			if _, _, why := readName(w); why != "" || !looksLikeName(w) && !capital {
				return "", "", "", false
			}
		}
		return "", strings.Join(words[:n], " "), strings.Join(words[n:], " "), true
	}
	for _, is := range []func(string) bool{looksLikeName, isKnownName} {
		first, last, groups := -1, -1, 0
		for i, w := range words {
			if is(strings.TrimRight(w, ",;")) {
				if first < 0 || i != last+1 || !strings.ContainsAny(words[last][len(words[last])-1:], ",;") {
					groups++
					first = i
				}
				last = i
			}
		}
		if groups == 1 {
			return strings.Join(words[:first], " "), strings.Join(words[first:last+1], " "),
				strings.Join(words[last+1:], " "), true
		}
	}
	return "", "", "", false
}

func isKnownName(word string) bool {
	_, known := lookupKnown(word)
	return known || wellKnown[word]
}

func startsUpper(word string) bool {
	r, _ := utf8.DecodeRuneInString(word)
	return unicode.IsUpper(r)
}

// tail is what stands for any characters behind the stem of a name.
var tail = regexp.MustCompile(`^(?:[._-]?(?:#+|\*+|<[^<>]*>|\[[^\[\]]*\]|\{[^{}]*\}))+`)

// unknownGlued is a name at the beginning of a line that ends with # or *.
var unknownGlued = regexp.MustCompile(`^[A-Za-z0-9_.\-]+[#*]+`)

// gluedName finds a known name in a line where nothing separates the cells: what follows it begins
// with a capital.
func gluedName(text string) (before, name, after string, ok bool) {
	if m := unknownGlued.FindString(text); m != "" && startsUpper(text[len(m):]) {
		return "", m, text[len(m):], true
	}
	bestAt, bestEnd := -1, -1
	for _, k := range knownCookies() {
		stem, wild := strings.CutSuffix(k.name, "*")
		if len(stem) < 4 && stem != "_ga" {
			continue
		}
		at := strings.Index(text, stem)
		if at < 0 {
			continue
		}
		end := at + len(stem)
		if wild {
			end += len(tail.FindString(text[end:]))
		}
		if end < len(text) && !startsUpper(strings.TrimLeft(text[end:], " ")) {
			continue
		}
		if bestAt >= 0 && (at >= bestEnd || end <= bestAt) {
			return "", "", "", false // two names in one line
		}
		if end-at > bestEnd-bestAt {
			bestAt, bestEnd = at, end
		}
	}
	if bestAt < 0 {
		return "", "", "", false
	}
	return strings.TrimSpace(text[:bestAt]), text[bestAt:bestEnd], strings.TrimSpace(text[bestEnd:]), true
}

// spread divides a text among columns: a known provider and a lifetime are found in it, and the rest
// is the purpose, or the function where no column is for purposes.
func (s *spaced) spread(f fields, text string, roles []role) {
	if text == "" {
		return
	}
	left := slices.DeleteFunc(slices.Clone(roles), func(r role) bool { return r == roleOther })
	take := func(r role, cell string) {
		f.add(r, strings.TrimSpace(cell))
		left = slices.DeleteFunc(left, func(l role) bool { return l == r })
	}
	if len(left) > 1 && left[0] == roleProvider {
		p, ok := providerAt(text)
		if word, _, _ := strings.Cut(text, " "); !ok && hostName.MatchString(word) {
			p, ok = word, true
		}
		if ok {
			take(roleProvider, p)
			text = strings.TrimSpace(text[len(p):])
		}
	}
	if len(left) > 1 && left[len(left)-1] == roleLifetime {
		if at := lifetimeAtEnd(text, s.glued); at >= 0 {
			take(roleLifetime, text[at:])
			text = strings.TrimSpace(text[:at])
		}
	} else if len(left) > 1 && left[0] == roleLifetime {
		if n := lifetimeAtStart(text); n > 0 {
			take(roleLifetime, text[:n])
			text = strings.TrimSpace(text[n:])
		}
	}
	switch {
	case text == "":
	case len(left) == 1:
		take(left[0], text)
	default:
		r := rolePurpose
		if !slices.Contains(left, rolePurpose) && slices.Contains(left, roleFunction) {
			r = roleFunction
		}
		s.r.note(s.at, Assumed, "nothing separates the cells of %s: it is taken for the %s", quoted(text), r)
		take(r, text)
	}
}

// hostName is a provider that a page calls by the name of its host.
var hostName = regexp.MustCompile(`^([a-z0-9-]+\.)+[a-z]{2,}$`)

// isLifetime reports whether a text is a lifetime and nothing else: it begins with the number, with
// words for a bound, or with those for a session.
func isLifetime(text string) (session, ok bool) {
	l := readLifetime(text)
	if l.Problem != "" || l.rest || l.Words == "" {
		return false, false
	}
	if l.Session {
		return true, true
	}
	tokens := lifetimeTokens(text)
	for i, t := range tokens {
		if _, ok := quantityAt(tokens, i); ok {
			return false, true
		}
		if !boundWords[t] {
			break
		}
	}
	return false, false
}

// boundWords stand before a number: an upper bound, or about so long.
var boundWords = wordSet(`up to max maximum maximal maximale jusqu jusque a au bis zu hochstens hasta fino ad ate tot
	~ ca circa about . -`)

// lifetimeAtEnd returns where the lifetime begins with which a text ends, or -1: behind a space, or,
// where cells are glued together, at a number or a capital.
func lifetimeAtEnd(text string, glued bool) int {
	best := -1
	var after rune
	for i := len(text); i > 0 && i > len(text)-70; {
		r, size := utf8.DecodeLastRuneInString(text[:i])
		starts := unicode.IsSpace(r) || glued && (unicode.IsDigit(after) && !unicode.IsDigit(r) ||
			unicode.IsUpper(after) && unicode.IsLower(r))
		if starts && i < len(text) {
			session, ok := isLifetime(text[i:])
			if ok {
				best = i
			}
			if session {
				break
			}
		}
		i -= size
		after = r
	}
	return best
}

// lifetimeAtStart returns the length of the lifetime with which a text begins, or 0.
func lifetimeAtStart(text string) int {
	best, words := 0, 0
	for i, r := range text + " " {
		if r != ' ' || i == 0 {
			continue
		}
		if words++; words > 8 {
			break
		}
		session, ok := isLifetime(text[:i])
		if ok {
			best = i
		}
		if session {
			break
		}
	}
	return best
}
