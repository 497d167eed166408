package policy

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"
)

// Text is a text for people, in one language.
type Text struct {
	// A language tag (BCP 47) such as `en`. Empty where the policy has one language only.
	Language string `json:"language,omitempty"`

	// The text, in that language. At most 1,000 bytes, without control characters.
	Text string `json:"text"`
}

// maxText is the largest number of bytes of a text.
const maxText = 1000

// texts judges the texts of one word, such as purpose, each in a language of its own.
func (v *validator) texts(path string, texts []Text) {
	word := path[strings.LastIndexByte(path, '.')+1:]
	first := map[string]string{} // the path of the text in a language
	for i, t := range texts {
		path := fmt.Sprintf("%s[%d]", path, i)
		v.text(path, word, t.Text)
		tag, ok := v.language(path, t.Language)
		if !ok {
			continue
		}
		if before, twice := first[tag]; twice {
			shown := t.Language
			if shown == "" {
				shown = t.Text
			}
			v.twice(path, shown, word+" is given twice in one language", before)
			continue
		}
		first[tag] = path
	}
}

// text accepts what can be shown to people in one line.
func (v *validator) text(path, word, text string) {
	switch control := strings.IndexFunc(text, unicode.IsControl); {
	case strings.TrimSpace(text) == "":
		v.fault(path, text, word+" is empty", "write a text, or remove it")
	case !utf8.ValidString(text):
		v.fault(path, text, "this text is not UTF-8", "save it as UTF-8")
	case control >= 0:
		c, _ := utf8.DecodeRuneInString(text[control:])
		v.fault(path, text, "a text cannot hold the control character "+quote(string(c)),
			"write it in one line, with blanks between its words")
	case len(text) > maxText:
		v.fault(path, text, fmt.Sprintf("a text of %d bytes is too long", len(text)),
			fmt.Sprintf("write at most %d", maxText))
	}
}

// language accepts nothing, or a language tag (BCP 47, RFC 5646) whose subtags are registered. It
// returns the tag in its canonical form.
func (v *validator) language(path, tag string) (canonical string, ok bool) {
	if tag == "" {
		return "", true
	}
	parsed, err := language.Parse(tag)
	if err != nil || strings.Contains(tag, "_") { // which the package accepts, and browsers do not
		v.fault(path, tag, "this is not a language tag (BCP 47)",
			"write one such as en or pt-BR; put a text of several words in quotes")
		return "", false
	}
	return parsed.String(), true
}
