package published

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Name is a cookie's name as a page spells it, and what the policy calls it.
type Name struct {
	Written string `json:"written"` // as it stands on the page
	Pattern string `json:"pattern"` // the same, with * for what stands for any characters
}

// refusal is a piece of a cell of names that is not taken for a name, and why.
type refusal struct{ written, why string }

// namesIn is what a cell of names holds.
type namesIn struct {
	names    []Name
	refused  []refusal
	assumed  []string // what was assumed about which piece
	question []string
}

// readNames reads the lines of a cell of names.
func readNames(lines []string) (in namesIn) {
	seen := map[string]bool{}
	apart := make([]string, 0, len(lines))
	for _, line := range lines {
		if parts := strings.Split(line, string(touching)); isTorn(parts) {
			in.refused = append(in.refused, refusal{clean(line), "it may be one name or several: nothing separates " +
				quoted(parts[0]) + " and what follows"})
			continue
		}
		apart = append(apart, line)
	}
	for _, piece := range pieces(apart) {
		name, assumed, why := readName(piece)
		switch {
		case why != "":
			in.refused = append(in.refused, refusal{clean(piece), why})
			continue
		case seen[name.Pattern]:
			continue
		}
		seen[name.Pattern] = true
		in.names = append(in.names, name)
		if assumed != "" {
			in.assumed = append(in.assumed, assumed)
		}
		if known, ok := resembles(name.Pattern); ok {
			in.question = append(in.question, quoted(name.Written)+" is written as it stands: was "+
				quoted(known)+" meant?")
		}
	}
	return in
}

// isTorn reports whether two neighbours of the parts of a line can each be a name.
func isTorn(parts []string) bool {
	for i := 1; i < len(parts); i++ {
		before, after := strings.Fields(parts[i-1]), strings.Fields(parts[i])
		if strings.HasSuffix(parts[i-1], " ") || strings.HasPrefix(parts[i], " ") || len(before) == 0 || len(after) == 0 {
			continue
		}
		if looksLikeName(before[len(before)-1]) && looksLikeName(after[0]) {
			return true
		}
	}
	return false
}

// pieces splits the lines of a cell at what stands between names.
func pieces(lines []string) (out []string) {
	add := func(piece string) {
		if p := clean(piece); p != "" {
			out = append(out, p)
		}
	}
	for _, line := range lines {
		line = trimBullet(line)
		if line == "" {
			continue
		}
		if startsWith(fold(line)) {
			add(line)
			continue
		}
		depth := 0 // within brackets of a placeholder nothing is split
		start := 0
		for i, r := range line {
			switch r {
			case '(', '[', '{', '<':
				depth++
			case ')', ']', '}', '>':
				depth = max(0, depth-1)
			case ',', ';', '|', '\n', '、':
				if depth == 0 {
					conjunctions(line[start:i], add)
					start = i + len(string(r))
				}
			}
		}
		conjunctions(line[start:], add)
	}
	return out
}

// trimBullet takes off the mark of a list item, which has a blank behind it.
func trimBullet(line string) string {
	line = strings.TrimLeft(line, " \t\u00a0")
	for _, mark := range []string{"- ", "* ", "• ", "•", "·", "▪", "‣", "– ", "+ "} {
		if rest, ok := strings.CutPrefix(line, mark); ok {
			return strings.TrimLeft(rest, " \t\u00a0")
		}
	}
	return line
}

var joiners = regexp.MustCompile(`(?i)\s+(?:and|et|und|en|or|ou|oder|of)\s+|\s+[ye&+/]\s+`)

// conjunctions splits a piece at the words for "and" and "or". Where all of what is left are words
// that look like names of cookies, it is split at its spaces.
func conjunctions(piece string, add func(string)) {
	parts := []string{piece}
	if strings.ContainsAny(strings.TrimSpace(piece), " \t\u00a0") {
		parts = joiners.Split(piece, -1)
	}
	for _, part := range parts {
		fields := strings.Fields(part)
		if len(fields) > 1 && !slices.ContainsFunc(fields, func(f string) bool { return !looksLikeName(f) }) {
			for _, f := range fields {
				add(f)
			}
			continue
		}
		add(part)
	}
}

// startPhrases say that a name begins with what follows, folded.
var startPhrases = phrasesOf(
	"starting with", "starts with", "start with", "beginning with", "begins with", "begin with",
	"prefixed with", "prefixed by", "with the prefix", "commencant par", "commencent par",
	"commence par", "debutant par", "debutent par", "prefixe par", "prefixes par", "beginnend mit",
	"beginnen mit", "beginnt mit", "mit dem prafix", "beginnend met", "beginnen met", "begint met",
	"que empiezan por", "que empiezan con", "que comienzan por", "que comienzan con",
	"que empieza por", "que comienza por", "che iniziano con", "che iniziano per", "che inizia con",
	"che cominciano con", "iniziano con", "que comecam por", "que comecam com", "iniciados por",
	"iniciadas por", "comecados por",
)

func startsWith(folded string) bool {
	_, ok := startPhrases.in(folded)
	return ok
}

var (
	remark      = regexp.MustCompile(`\s+[(\[].*$`)
	placeholder = regexp.MustCompile(`<[^<>]*>|\{[^{}]*\}|\[[^\[\]]*\]|#+|…|\.\.\.+|` +
		`%[A-Za-z_]+%|\$[A-Za-z_]+\$`)
	fillRun    = regexp.MustCompile(`[xX]{3,}|Y{3,}|N{3,}`)
	singleFill = regexp.MustCompile(`(^|[-_.*])[xXYN]{1,2}($|[-_.*])`)
	expression = regexp.MustCompile(`\\[dwsDWS.+*?()\[\]{}|^$/]|\{\d+(,\d*)?\}|^\^|\$$|\[\^|` +
		`\[\^?(?:[0-9a-zA-Z]-[0-9a-zA-Z]|[._*+-])+\]|\]\s*[+*?{]|\)\s*[+*?{]|\(\?|\.\+|\|`)
	footnote   = regexp.MustCompile(`\[\d+\]$`)
	realDomain = regexp.MustCompile(`(?i)^\.?([a-z0-9-]+\.)+` +
		`(com|net|org|fr|de|it|es|nl|pt|eu|be|ch|at|uk|co|info|gov|edu)$`)
	plainWord = regexp.MustCompile(`^[A-Z][a-z]+(-[A-Z]?[a-z]+)*$`)
)

// noNames are words of cells of names that name no cookie, folded.
var noNames = wordSet(`cookie cookies session sessions none various several multiple many all any aucun aucune
	divers plusieurs keine diverse verschiedene geen ninguno ninguna varios varias nessuno vari varie
	nenhum name nom naam nombre nome necessary statistics marketing preferences analytics functional
	yes no oui non ja nein nee si sim unknown inconnu unbekannt persistent permanent provider purpose
	pixel localstorage sessionstorage todos tous tutti alle tbd tba test other others autre autres andere
	overige otro otros otra otras altri altro outros note notes total more source example etc misc`)

// manyNames says why a wildcard is refused.
const manyNames = "it would match nearly every name: fewer than three of its characters are fixed"

// isPicture reports whether a character is a picture, or makes one of the character before it.
func isPicture(r rune) bool {
	return r > 0x2000 && unicode.Is(unicode.So, r) || r == 0xfe0f
}

// readName reads one piece. why says why it is no name.
func readName(piece string) (n Name, assumed, why string) {
	text := strings.TrimSpace(strings.TrimFunc(clean(piece), isPicture))
	n.Written = text
	if folded := fold(text); startsWith(folded) {
		stem, ok := afterPhrase(text)
		if !ok {
			return n, "", "it says how a name begins, but not with one word"
		}
		text, assumed = stem+"*", "assumed from "+quoted(n.Written)
	} else {
		if strings.ContainsAny(text, "([") {
			text = strings.TrimSpace(remark.ReplaceAllString(text, ""))
		}
		if text != n.Written {
			if isEitherName(text, n.Written[len(text):]) {
				return n, "", "it may name the cookie in the brackets or before them"
			}
			assumed = "the remark behind the name is left out: " + quoted(n.Written)
		}
		text = unquote(text)
	}
	if what, other := kindOfStorage(n.Written); other {
		return n, "", "it is " + what + ", not a cookie"
	}
	text = unescape(text)
	if strings.Contains(text, " ") && !strings.ContainsAny(text, "<{[") {
		return n, "", "it is several words, and a cookie's name is one"
	}
	pattern := text
	if !isPlain(text) {
		if why = unfit(text); why != "" {
			return n, "", why
		}
		pattern = wildcards(text)
	}
	switch {
	case text == "" || fold(text) == "" && !strings.Contains(text, "*"):
		return n, "", "it is no name"
	case strings.ContainsAny(pattern, " \t"):
		return n, "", "it is several words, and a cookie's name is one"
	case !isToken(pattern):
		return n, "", "it holds characters that no cookie's name on a page has"
	case realDomain.MatchString(pattern):
		return n, "", "it is the name of a host"
	case strings.Contains(pattern, "*") && len(strings.ReplaceAll(pattern, "*", "")) < 3:
		return n, "", manyNames
	case strings.Trim(pattern, "0123456789.-_*#") == "":
		return n, "", "it is a number, not a name"
	case len(pattern) > 256:
		return n, "", "it is longer than any cookie's name"
	}
	_, known := lookupKnown(pattern)
	if provider, ok := providerAt(pattern); !known && ok && len(provider) == len(pattern) {
		return n, "", "it names a company or a service, not a cookie"
	}
	if !known && !wellKnown[pattern] && (noNames[fold(pattern)] || plainWord.MatchString(pattern)) {
		return n, "", "it is a word rather than the name of a cookie"
	}
	// _ga_ and _pk_id. are stems of known names.
	if stem := strings.TrimRight(pattern, "_."); stem != pattern && !strings.Contains(pattern, "*") {
		if _, exact := knownExact()[pattern]; !exact && isKnownStem(pattern) {
			n.Pattern = pattern + "*"
			return n, quoted(n.Written) + " is taken for the beginning of names", ""
		}
	}
	n.Pattern = pattern
	return n, assumed, ""
}

// isEitherName reports whether what stands in brackets behind a word may be the name, and the word that
// of a service: "SiteImprove (nmstat)".
func isEitherName(word, brackets string) bool {
	inner := strings.Trim(brackets, " ()[].")
	if strings.ContainsAny(inner, " [](){}<>") || inner == "" {
		return false
	}
	_, known := lookupKnown(inner)
	if known || wellKnown[inner] || strings.Contains(inner, "_") {
		return true
	}
	if isKnownName(word) || strings.ContainsAny(word, "_-.*<[{") {
		return false
	}
	_, _, why := readName(inner)
	return why == ""
}

// isPlain reports whether a name has nothing in it that could stand for other characters.
func isPlain(name string) bool {
	for i, c := range []byte(name) {
		if !isAlphanumeric(c) && c != '_' && c != '-' && (c != '.' || i+1 == len(name)) ||
			strings.IndexByte("xXYN", c) >= 0 && strings.Count(name[i:min(i+3, len(name))], string(c)) == 3 {
			return false
		}
	}
	return true
}

// unfit tells why a text cannot be a name or a wildcard.
func unfit(text string) (why string) {
	switch {
	case expression.MatchString(text):
		return "it is a regular expression"
	case footnote.MatchString(text):
		return "the number in brackets may be a footnote, or stand for any number"
	case strings.Contains(text, "/"):
		return "it is a path or an address, not a name"
	}
	return ""
}

// isKnownStem reports whether a known wildcard begins with a stem that ends with _ or a dot.
func isKnownStem(stem string) bool {
	bare := strings.TrimRight(stem, "_.")
	for _, k := range knownCookies() {
		if known, wild := strings.CutSuffix(k.name, "*"); wild && (known == stem || known == bare) {
			return true
		}
	}
	return false
}

// afterPhrase returns the word with which names begin, where a phrase says so.
func afterPhrase(text string) (string, bool) {
	phrase, ok := startPhrases.in(fold(text))
	if !ok {
		return "", false
	}
	// The word must be what stands behind the phrase, to the end of the text.
	fields := strings.Fields(text)
	last := unquote(strings.TrimRight(fields[len(fields)-1], "….*"))
	before := fold(strings.Join(fields[:len(fields)-1], " "))
	return last, strings.HasSuffix(before, phrase) && last != ""
}

// unquote takes off quotes and marks of emphasis around a name. One quote alone is taken off too.
func unquote(text string) string {
	text = strings.Trim(text, "\"'`“”„«»‘’‹› \t\u00a0")
	for len(text) > 4 && strings.HasPrefix(text, "**") && strings.HasSuffix(text, "**") {
		text = text[2 : len(text)-2]
	}
	text = strings.Trim(text, "\"'`“”„«»‘’‹› ")
	return strings.TrimRight(text, ":")
}

// unescape takes off the backslashes of Markdown before _ and *.
func unescape(text string) string {
	if !strings.Contains(text, `\`) {
		return text
	}
	return escapes.Replace(text)
}

var escapes = strings.NewReplacer(`\_`, "_", `\*`, "*", `\#`, "#", `\<`, "<", `\>`, ">", `\[`, "[", `\]`, "]")

// wildcards replaces what stands for any characters by *.
func wildcards(text string) string {
	out := placeholder.ReplaceAllString(text, "*")
	if filled := fillRun.ReplaceAllString(out, "*"); filled != out {
		out = filled
		for range 4 { // neighbours share the sign between them: UA-XXXX-X
			out = singleFill.ReplaceAllString(out, "$1*$2")
		}
	}
	for strings.Contains(out, "**") {
		out = strings.ReplaceAll(out, "**", "*")
	}
	return out
}

// isToken reports whether a name has only characters of a token (RFC 9110 section 5.6.2).
func isToken(name string) bool {
	for _, c := range []byte(name) {
		if !isAlphanumeric(c) && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return name != ""
}

// looksLikeName reports whether a word is a name of a cookie rather than a word of a language: a
// known name, or one with signs, digits or capitals where words have none.
func looksLikeName(word string) bool {
	n, _, why := readName(word)
	if why != "" {
		return false
	}
	if _, known := lookupKnown(n.Pattern); known || wellKnown[n.Pattern] {
		return true
	}
	p := n.Pattern
	if strings.ContainsAny(p, "_*#") {
		return true
	}
	if isDigest(p) {
		return false
	}
	letters, upper, digits := 0, 0, 0
	for i, c := range []byte(p) {
		switch {
		case 'A' <= c && c <= 'Z':
			if i > 0 {
				upper++
			}
			letters++
		case 'a' <= c && c <= 'z':
			letters++
		case '0' <= c && c <= '9':
			digits++
		}
	}
	return letters > 3 && (upper > 0 || digits > 0 || strings.ContainsAny(strings.Trim(p, ".-"), "."))
}

// isDigest reports whether a word is a digest, or another number.
func isDigest(word string) bool {
	return len(word) >= 8 && strings.Trim(word, "0123456789abcdef") == ""
}

// quoted shows words of a page in a message.
func quoted(text string) string {
	text = clean(text)
	if r := []rune(text); len(r) > 60 {
		text = string(r[:60]) + "…"
	}
	return "“" + text + "”"
}
