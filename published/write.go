package published

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/cookie-policy/caddy-cookie-policy/caddytext"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// portalPreset is the preset that brings the preference of the portals' own banner, and portalCookies
// are the names that its published policy has.
const portalPreset = "opendatasoft"

var portalCookies = []string{"sessionid", "csrftoken", "django_language", "cookies_preferences"}

// Block returns a cookie_policy block with an allow line for each row, as `caddy fmt` writes it. A row
// in doubt becomes a comment. Where no rule is left, all of the block is comments. The notes say what
// was assumed in writing; they are not among the page's.
//
// The preset is named for its preference. If it is empty, that is opendatasoft where the four cookies of
// such a portal stand on the page.
func (p *Page) Block(preset string) (text string, notes []Note) {
	w := &writer{page: p}
	var lines []caddytext.Line
	rules, consent := 0, false
	for i := range p.Rows {
		row := &p.Rows[i]
		lines = append(lines, w.rule(row))
		if row.Doubt == "" {
			rules++
			consent = consent || row.Category != policy.Necessary
		}
	}
	block := caddytext.Line{Words: []string{"cookie_policy"}, Block: lines, Disabled: rules == 0}
	switch {
	case len(p.Rows) == 0:
		block = caddytext.Line{Comment: "No cookie was found on the page."}
	case rules == 0:
		block.Comment = "No row of the page could be taken without a doubt. See the comments."
	case preset != "":
		block.Words = append(block.Words, preset)
	case p.isPortal():
		block.Words = append(block.Words, portalPreset)
	case consent:
		block.Comment = "The page does not say in which cookie the visitors' choices are stored. Name the consent\n" +
			"tool's preset here, or write a preference: until then, what needs consent is never let through."
		w.note(p.Rows[0].Line, Assumed, "no preference is known: a preset or a preference has to be added")
	}
	text, err := caddytext.Text([]caddytext.Line{block})
	if err != nil { // each word has been made one that can be written
		panic("published: " + err.Error())
	}
	return text, w.notes
}

// isPortal reports whether the four necessary cookies of Opendatasoft stand on the page.
func (p *Page) isPortal() bool {
	for _, name := range portalCookies {
		if !slices.ContainsFunc(p.Rows, func(row Row) bool {
			return row.Doubt == "" && row.Category == policy.Necessary &&
				slices.ContainsFunc(row.Names, func(n Name) bool { return n.Pattern == name })
		}) {
			return false
		}
	}
	return true
}

type writer struct {
	page  *Page
	notes []Note
	keys  map[string]bool

	toldLoad bool // that load is missing
}

func (w *writer) note(line int, kind NoteKind, format string, args ...any) {
	w.notes = append(w.notes, Note{line, kind, fmt.Sprintf(format, args...)})
}

// rule writes a row.
func (w *writer) rule(row *Row) caddytext.Line {
	category := row.Category
	var comments []string
	if row.Doubt != "" {
		remedy := "Take the # away"
		if category == "" {
			category, remedy = "?", "Choose a category"
		}
		comments = append(comments, fmt.Sprintf("Line %d: %s. %s to let this through.", row.Line, row.Doubt, remedy))
	}
	line := caddytext.Line{Words: []string{"allow", string(category)}, Disabled: row.Doubt != ""}
	for _, n := range row.Names {
		line.Words = append(line.Words, w.word(row, n.Pattern))
		if n.Written != n.Pattern {
			comments = append(comments, fmt.Sprintf("The page writes %s for %s.", clean(n.Written), n.Pattern))
		}
		if known, ok := resembles(n.Pattern); ok {
			comments = append(comments, fmt.Sprintf("Does the page mean %s by %s?", known, n.Pattern))
		}
	}
	option := func(words ...string) { line.Block = append(line.Block, caddytext.Line{Words: words}) }
	if row.Category != "" && row.Category != policy.Necessary {
		if keys := w.consent(row); len(keys) > 0 {
			option(append([]string{"consent"}, keys...)...)
		}
	}
	if row.Anonymous {
		option("anonymous")
	}
	if len(row.Origins) > 0 {
		option(append([]string{"origin"}, row.Origins...)...)
		if !w.toldLoad {
			w.toldLoad = true
			w.note(row.Line, Assumed, "the page names origins, and not what is done about others: add load, "+
				"without which origins change nothing")
		}
	}
	switch l := row.Lifetime; {
	case l.Session:
		option("lifetime", policy.Session.String())
	case l.Duration != 0:
		option("lifetime", short(l.Duration))
	case l.Words != "":
		comments = append(comments, fmt.Sprintf("The page says of its lifetime: %s (%s).", l.Words, l.Problem))
	}
	if row.Provider != "" {
		option("provider", w.word(row, row.Provider))
	}
	w.text(row, "function", row.FunctionLanguage, row.Function, option)
	w.text(row, "purpose", row.PurposeLanguage, row.Purpose, option)
	line.Comment = strings.Join(comments, "\n")
	return line
}

// short writes a duration without what is zero at its end: 8h rather than 8h0m0s.
func short(d policy.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// text writes a text with its language, or that of the page.
func (w *writer) text(row *Row, word, language, text string, option func(...string)) {
	switch language = cmp.Or(language, w.page.Language); {
	case text == "":
	case language == "":
		option(word, w.word(row, text))
	default:
		option(word, language, w.word(row, text))
	}
}

// word returns a text that can stand in a Caddyfile: braces, in which Caddy would put something else,
// become brackets.
func (w *writer) word(row *Row, text string) string {
	if _, err := caddytext.Quote(text); err == nil {
		return text
	}
	written := strings.NewReplacer("{", "(", "}", ")").Replace(text)
	if _, err := caddytext.Quote(written); err != nil {
		written = strings.ReplaceAll(written, `\`, "/")
	}
	if _, err := caddytext.Quote(written); err != nil {
		written = strings.Map(func(r rune) rune {
			if _, err := caddytext.Quote(string(r)); err != nil {
				return -1
			}
			return r
		}, written)
	}
	if written == "" {
		written = "?"
	}
	w.note(row.Line, Assumed, "%s is written as %s: Caddy would read it as something else", quoted(text),
		quoted(written))
	return written
}

// consent returns the consent keys of a row: those of the presets that know its names, otherwise the
// words of the heading.
func (w *writer) consent(row *Row) (keys []string) {
	for _, n := range row.Names {
		if k, ok := lookupKnown(n.Pattern); ok && k.rule.Category != policy.Necessary {
			for _, key := range k.rule.ConsentKeys() {
				if !slices.Contains(keys, key) {
					keys = append(keys, key)
				}
			}
		}
	}
	if len(keys) == 0 {
		if key := slug(row.Heading); key != "" && key != string(row.Category) {
			keys = []string{key}
		}
		if w.keys == nil {
			w.keys = map[string]bool{}
		}
		if len(keys) > 0 && !w.keys[keys[0]] {
			w.note(row.Line, Assumed,
				"the consent key %s is made from the heading %s: write it as it stands in the preference",
				keys[0], quoted(row.Heading))
		}
	}
	for _, key := range keys {
		if !w.keys[key] && len(w.keys) >= policy.MaxKeys-len(policy.Categories) {
			return nil // the policy would have too many: the category's name is the key
		}
	}
	for _, key := range keys {
		if w.keys == nil {
			w.keys = map[string]bool{}
		}
		w.keys[key] = true
	}
	return keys
}

// slug makes a consent key of a heading.
func slug(heading string) string {
	var b strings.Builder
	for _, word := range strings.Fields(fold(heading)) {
		ascii := strings.Map(func(r rune) rune {
			if r > '~' {
				return -1
			}
			return r
		}, word)
		if strings.Trim(ascii, "0123456789") == "" {
			continue // the number of cookies behind a heading
		}
		if b.Len() > 0 {
			if b.Len()+len(ascii) > 40 {
				break
			}
			b.WriteByte('_')
		}
		b.WriteString(ascii[:min(len(ascii), 40)])
	}
	return b.String()
}
