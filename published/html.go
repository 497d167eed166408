package published

import (
	"bytes"
	"strconv"
	"strings"

	"golang.org/x/net/html"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// htmlItems splits a page of HTML into items, and returns the language that it declares. It reads
// tags one after the other and builds no tree, so that its time is linear and each item has the line
// it stands in.
func htmlItems(page string) (items []item, language string) {
	b := &htmlReader{}
	z := html.NewTokenizer(strings.NewReader(page))
	z.SetMaxBuf(0)
	line := 1
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			break
		}
		raw := z.Raw()
		b.line = line
		line += bytes.Count(raw, []byte("\n"))
		switch kind {
		case html.TextToken:
			b.text(string(z.Text()))
		case html.StartTagToken, html.SelfClosingTagToken:
			name, attributes := tag(z)
			if (name == "html" || name == "body") && language == "" {
				language = languageTag(attributes["lang"])
			}
			b.start(name, attributes, kind == html.SelfClosingTagToken)
		case html.EndTagToken:
			name, _ := tag(z)
			b.end(name)
		}
	}
	for len(b.tables) > 0 {
		b.endTable()
	}
	b.breakLine()
	return b.items, language
}

// tag returns the name and the attributes of a tag. Of attributes given twice the first counts.
func tag(z *html.Tokenizer) (string, map[string]string) {
	name, more := z.TagName()
	tagName := string(name)
	var attributes map[string]string
	for more {
		var key, value []byte
		key, value, more = z.TagAttr()
		if attributes == nil {
			attributes = map[string]string{}
		}
		if _, twice := attributes[string(key)]; !twice {
			attributes[string(key)] = string(value)
		}
	}
	return tagName, attributes
}

// languageTag returns the language of a tag such as fr-FR, or "" if it is none.
func languageTag(tag string) string {
	language, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(strings.ReplaceAll(tag, "_", "-"))), "-")
	if !isLanguage(language) {
		return ""
	}
	return language
}

// isLanguage reports whether a policy takes a language tag.
func isLanguage(tag string) bool {
	if tag == "" || len(tag) > 35 { // RFC 5646 section 4.4.1
		return false
	}
	probe := policy.Policy{Presets: []policy.Preset{{Name: portalPreset, RuleOptions: policy.RuleOptions{
		Purpose: []policy.Text{{Language: tag, Text: "?"}},
	}}}}
	return len(probe.Faults()) == 0
}

// htmlReader collects the text of elements into items, and that of tables into cells.
type htmlReader struct {
	items []item
	line  int

	buffer     strings.Builder // the text of the line that is being read
	bufferLine int
	level      int // of the heading that is being read
	strong     int // depth of elements in bold
	bold       bool
	term       bool
	definition int
	list       int // depth of entries of lists
	pre        int

	raw bool // it keeps its blanks

	marks  []string // names in the line that stand in elements for code, or in bold at its beginning
	markAt int      // where such an element begins in the buffer
	ended  string   // the element that ended last, if nothing stands behind it yet

	inCondition bool // an element for a condition, as generated pages have it, is being read
	conditionAt int  // where it begins in the buffer

	open   []element
	at     map[string][]int // where elements stand in open, by name
	scopes []int            // where cells, captions and tables stand in open
	frames []int            // where tables stand in open
	skip   int              // depth of elements whose text is not read
	hidden int              // depth of elements that are not shown at first
	tables []*htmlTable
}

// element is an open element, and what ends with it.
type element struct {
	name    string
	skipped bool
	role    string // the element that it stands for
	hidden  bool

	condition bool // a generated page has a condition of a rule in it
}

// Elements by what they do to the text around them.
var (
	skippedElements = wordSet(`script style template svg head title select option textarea iframe noframes
		noembed object math datalist sup`)
	inlineElements = wordSet(`a abbr b bdi bdo big cite code data dfn em font i ins kbd label mark q s samp
		small span strong sub sup time tt u var wbr nobr acronym strike del button`)
	apartElements = wordSet("a code kbd samp tt label button") // two of them are two things
	voidElements  = wordSet(`area base br col embed hr img input link meta source track wbr param`)
)

// start reads a start tag.
func (b *htmlReader) start(name string, attributes map[string]string, closed bool) {
	if name == "body" {
		b.closeSkipped() // a page without </head>
	}
	void := voidElements[name]
	as := name
	switch attributes["role"] {
	case "table", "grid", "treegrid":
		as = "table"
	case "row":
		as = "tr"
	case "cell", "gridcell":
		as = "td"
	case "columnheader", "rowheader":
		as = "th"
	case "heading":
		as = "h" + strconv.Itoa(max(1, min(6, number(attributes["aria-level"], 2))))
	}
	if !void && !closed {
		b.push(element{name: name, role: as, skipped: skippedElements[name], hidden: as != "tr" && as != "td" &&
			as != "th" && hides(attributes), condition: isCondition(name, attributes)})
	}
	if b.skip > 0 {
		return
	}
	t := b.current()
	if b.ended == name && b.buffer.Len() > 0 {
		switch {
		case apartElements[name]:
			b.buffer.WriteByte(' ')
		case inlineElements[name] && t != nil:
			b.buffer.WriteRune(touching)
		}
	}
	b.ended = ""
	if isCondition(name, attributes) {
		b.inCondition, b.conditionAt = true, b.buffer.Len()
	}
	if lang, ok := attributes["lang"]; ok && t != nil && t.cell != nil && t.cell.language == "" {
		t.cell.language = lang
	}
	switch as {
	case "br":
		b.breakLine()
	case "wbr", "img", "input":
	case "code", "tt", "kbd", "samp":
		b.markAt = b.buffer.Len()
	case "table":
		b.startTable()
	case "caption":
		if t != nil {
			b.breakLine()
			t.caption = true
		}
	case "thead":
		if t != nil {
			t.inHead = true
		}
	case "tbody", "tfoot":
		if t != nil {
			b.endRow()
			t.inHead = false
		}
	case "tr":
		if t != nil {
			b.startRow(hides(attributes))
		}
	case "td", "th":
		if t != nil {
			b.startCell(as == "th" || t.inHead, attributes)
		} else {
			b.breakLine()
		}
	case "h1", "h2", "h3", "h4", "h5", "h6":
		b.breakLine()
		b.level = int(as[1] - '0')
	case "summary", "legend":
		b.breakLine()
		b.level = levelBold
	case "strong", "b":
		b.strong++
		b.markAt = b.buffer.Len()
		if b.buffer.Len() == 0 {
			b.bold = true
		}
	case "dt":
		b.breakLine()
		b.term = true
	case "dd":
		b.breakLine()
		b.term = false
		b.definition++
	case "li":
		b.breakLine()
		b.list++
	case "pre":
		b.breakLine()
		b.pre++
	default:
		if !inlineElements[name] {
			b.breakLine()
		}
	}
}

// tableParts are the elements that tables consist of.
var tableParts = wordSet("table caption thead tbody tfoot tr td th")

// end reads an end tag: it closes the innermost element of that name, and those within it. One that
// stands outside of the cell or table that is open is not closed from within.
func (b *htmlReader) end(name string) {
	places := b.at[name]
	if len(places) == 0 {
		return
	}
	place, bounds := places[len(places)-1], b.scopes
	if tableParts[name] {
		bounds = b.frames
	}
	if len(bounds) > 0 && place < bounds[len(bounds)-1] {
		return
	}
	for len(b.open) > place {
		b.pop()
	}
	b.ended = name
}

// maxMark is the number of bytes of the longest name that browsers store.
const maxMark = 4096

// mark notes what stands in the element that ends.
func (b *htmlReader) mark() {
	if b.markAt < b.buffer.Len() && b.buffer.Len()-b.markAt <= maxMark {
		b.marks = append(b.marks, b.buffer.String()[b.markAt:])
	}
	b.markAt = b.buffer.Len()
}

// isCondition reports whether an element is one in which generated pages say when a rule holds, and what
// it lets pages load. What a policy says stands outside of them.
func isCondition(name string, attributes map[string]string) bool {
	return name == "span" && attributes["class"] == "condition"
}

// endCondition notes the text of a condition.
func (b *htmlReader) endCondition() {
	if t := b.current(); b.inCondition && t != nil && t.cell != nil {
		t.cell.conditions = append(t.cell.conditions, clean(b.buffer.String()[b.conditionAt:]))
	}
	b.inCondition = false
}

func (b *htmlReader) push(e element) {
	if b.at == nil {
		b.at = map[string][]int{}
	}
	place := len(b.open)
	b.at[e.name] = append(b.at[e.name], place)
	switch e.name {
	case "table":
		b.frames = append(b.frames, place)
		b.scopes = append(b.scopes, place)
	case "td", "th", "caption":
		b.scopes = append(b.scopes, place)
	}
	if e.skipped {
		b.skip++
	}
	if e.hidden {
		b.hidden++
	}
	b.open = append(b.open, e)
}

func (b *htmlReader) pop() {
	place := len(b.open) - 1
	e := b.open[place]
	b.open = b.open[:place]
	b.at[e.name] = b.at[e.name][:len(b.at[e.name])-1]
	if n := len(b.scopes); n > 0 && b.scopes[n-1] == place {
		b.scopes = b.scopes[:n-1]
	}
	if n := len(b.frames); n > 0 && b.frames[n-1] == place {
		b.frames = b.frames[:n-1]
	}
	if e.hidden {
		b.hidden--
	}
	if e.skipped {
		b.skip--
		return
	}
	if b.skip > 0 {
		return
	}
	if e.condition {
		b.endCondition()
	}
	switch e.role {
	case "table":
		if b.current() != nil {
			b.endTable()
		}
	case "caption":
		b.breakLine()
		if t := b.current(); t != nil {
			t.caption = false
		}
	case "thead":
		if t := b.current(); t != nil {
			b.endRow()
			t.inHead = false
		}
	case "tr", "tbody", "tfoot":
		if b.current() != nil {
			b.endRow()
		}
	case "td", "th":
		if b.current() != nil {
			b.endCell()
		} else {
			b.breakLine()
		}
	case "h1", "h2", "h3", "h4", "h5", "h6", "summary", "legend":
		b.breakLine()
		b.level = 0
	case "strong", "b":
		b.strong--
		if b.markAt == 0 {
			b.mark()
		}
	case "code", "tt", "kbd", "samp":
		b.mark()
	case "dt":
		b.breakLine()
		b.term = false
	case "dd":
		b.breakLine()
		b.definition--
	case "li":
		b.breakLine()
		b.list--
	case "pre":
		b.breakLine()
		b.pre--
	case "details", "fieldset":
		b.breakLine()
		b.emit(item{line: b.line, ends: levelBold})
	default:
		if !inlineElements[e.name] {
			b.breakLine()
		}
	}
}

// closeSkipped closes elements that are not shown, and those within them.
func (b *htmlReader) closeSkipped() {
	for b.skip > 0 {
		b.pop()
	}
}

func (b *htmlReader) text(text string) {
	if b.skip > 0 {
		return
	}
	b.ended = ""
	if b.pre > 0 && b.current() == nil {
		for i, line := range strings.Split(text, "\n") {
			if i > 0 {
				b.breakLine()
				b.line++
			}
			b.write(line)
		}
		b.raw = true
		return
	}
	if strings.TrimSpace(text) == "" {
		if b.buffer.Len() > 0 {
			b.buffer.WriteByte(' ')
		}
		return
	}
	if b.buffer.Len() == 0 {
		b.line += strings.Count(text[:len(text)-len(strings.TrimLeft(text, " \t\r\n\f"))], "\n")
	}
	if b.strong == 0 {
		b.bold = false
	}
	b.write(blanks.Replace(text))
}

var blanks = strings.NewReplacer("\n", " ", "\t", " ", "\r", " ", "\f", " ")

func (b *htmlReader) write(text string) {
	if b.buffer.Len() == 0 {
		b.bufferLine = b.line
	}
	b.buffer.WriteString(text)
}

func (b *htmlReader) current() *htmlTable {
	if len(b.tables) == 0 {
		return nil
	}
	return b.tables[len(b.tables)-1]
}

// breakLine ends the line that is being read: in a cell it is a line of the cell, elsewhere an item.
func (b *htmlReader) breakLine() {
	text := b.buffer.String()
	if !b.raw {
		text = cleanCell(text)
	}
	b.buffer.Reset()
	bold, marks := b.bold, b.marks
	b.marks, b.markAt, b.inCondition = nil, 0, false
	b.bold, b.raw = b.strong > 0, b.pre > 0
	if strings.TrimSpace(text) == "" {
		return
	}
	t := b.current()
	if t != nil && t.host != nil {
		t = t.host
	}
	switch {
	case t == nil:
		level := b.level
		if level == 0 && bold && b.strong == 0 {
			level = levelBold
		}
		b.emit(item{line: b.bufferLine, text: text, level: level, term: b.term,
			definition: !b.term && b.definition > 0, listed: b.list > 0, marks: marks})
	case t.caption:
		t.table.caption = strings.TrimSpace(t.table.caption + " " + text)
	case t.cell != nil:
		t.cell.lines = append(t.cell.lines, text)
		t.cell.marks = append(t.cell.marks, marks...)
	default: // text between the cells of a table is shown before it
		b.emit(item{line: b.bufferLine, text: text, level: b.level})
	}
}

func (b *htmlReader) emit(it item) { b.items = append(b.items, it) }

// hides reports whether an element is not shown.
func hides(attributes map[string]string) bool {
	if _, hidden := attributes["hidden"]; hidden {
		return true
	}
	style := strings.ReplaceAll(strings.ToLower(attributes["style"]), " ", "")
	return strings.Contains(style, "display:none") || strings.Contains(style, "visibility:hidden")
}

func number(text string, otherwise int) int {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || n < 0 {
		return otherwise
	}
	return n
}
