package published

import (
	"strings"
	"unicode"
)

// plainLetters maps accented letters of the seven languages to plain ones.
var plainLetters = func() map[rune]string {
	m := map[rune]string{'ß': "ss", 'œ': "oe", 'æ': "ae"}
	for plain, accented := range map[string]string{
		"a": "àáâãäåā", "c": "çć", "e": "èéêëē", "i": "ìíîïī", "n": "ñń", "o": "òóôõöøō",
		"s": "śš", "u": "ùúûüū", "y": "ýÿ", "z": "źžż",
	} {
		for _, r := range accented {
			m[r] = plain
		}
	}
	return m
}()

// fold returns a text in lower case and without accents, its words separated by single spaces. What
// is neither a letter nor a digit separates words.
func fold(text string) string {
	var b strings.Builder
	gap := false
	for _, r := range text {
		r = unicode.ToLower(r)
		switch {
		case r >= 0x300 && r <= 0x36f, invisible(r): // combining accents
			continue
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			gap = true
			continue
		}
		if gap && b.Len() > 0 {
			b.WriteByte(' ')
		}
		gap = false
		if plain, ok := plainLetters[r]; ok {
			b.WriteString(plain)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// invisible reports whether a character shows nothing and only says how to break or join lines.
func invisible(r rune) bool {
	switch r {
	case 0x00ad, 0x200b, 0x200c, 0x200d, 0x2060, 0x2061, 0x2062, 0x2063, 0x2064, 0xfeff:
		return true
	}
	return false
}

// changesDirection reports whether a character changes the direction in which a text is shown.
func changesDirection(r rune) bool {
	return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x200e || r == 0x200f ||
		r == 0x061c
}

// clean returns a text of a page on one line: runs of blanks and control characters become one space, and
// invisible characters and those that change the direction of a text are removed.
func clean(text string) string {
	var b strings.Builder
	gap := false
	for _, r := range text {
		switch {
		case unicode.IsSpace(r), r < 0x20, r == 0x7f:
			gap = true
			continue
		case invisible(r), changesDirection(r):
			continue
		case unicode.IsControl(r): // a byte that could not be read: no name is made of what stands around it
			r = unicode.ReplacementChar
		}
		if gap && b.Len() > 0 {
			b.WriteByte(' ')
		}
		gap = false
		b.WriteRune(r)
	}
	return b.String()
}

// touching stands in the text of a cell between two elements of a kind, such as <span>, where nothing
// says whether what they hold is one word or two. clean removes it.
const touching = '\u2063'

// cleanCell is clean, and keeps touching.
func cleanCell(text string) string {
	if !strings.ContainsRune(text, touching) {
		return clean(text)
	}
	parts := strings.Split(text, string(touching))
	for i, part := range parts {
		parts[i] = clean(part)
		if i > 0 && part != strings.TrimLeft(part, " ") {
			parts[i] = " " + parts[i]
		}
		if part != strings.TrimRight(part, " ") {
			parts[i] += " "
		}
	}
	return strings.TrimSpace(strings.Join(parts, string(touching)))
}

// wordSet makes a set of the words in a text.
func wordSet(text string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(text) {
		set[w] = true
	}
	return set
}

// phrases are folded phrases, each with a space on both sides.
type phrases []string

func phrasesOf(texts ...string) phrases {
	p := make(phrases, len(texts))
	for i, text := range texts {
		p[i] = " " + text + " "
	}
	return p
}

// in returns the first phrase that stands in a folded text as whole words.
func (p phrases) in(folded string) (string, bool) {
	padded := " " + folded + " "
	for _, phrase := range p {
		if strings.Contains(padded, phrase) {
			return phrase[1 : len(phrase)-1], true
		}
	}
	return "", false
}
