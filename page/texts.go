package page

import (
	"slices"
	"strings"

	"golang.org/x/text/language"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/languages"
)

// phrase returns the text for a reader of a language: in this language, in a variant of it, without a
// language, in the page's first language, in English, or the first one.
//
// A text without a language is in the operator's only one. Which one that is, is known if the page's
// languages are named.
func (p *Page) phrase(texts []policy.Text, l *languages.Language) Phrase {
	if len(texts) == 0 {
		return Phrase{}
	}
	find := func(matches func(tag string) bool) int {
		return slices.IndexFunc(texts, func(t policy.Text) bool { return matches(t.Language) })
	}
	first := p.languages[0].Tag
	for _, matches := range []func(tag string) bool{
		func(tag string) bool { return strings.EqualFold(tag, l.Tag) },
		func(tag string) bool { return tag != "" && base(tag) == base(l.Tag) },
		func(tag string) bool { return tag == "" },
		func(tag string) bool { return base(tag) == base(first) },
		func(tag string) bool { return base(tag) == "en" },
		func(string) bool { return true },
	} {
		if i := find(matches); i >= 0 {
			tag := texts[i].Language
			if tag == "" && len(p.config.Languages) > 0 {
				tag = first
			}
			if base(tag) == base(l.Tag) {
				tag = ""
			}
			return Phrase{texts[i].Text, tag}
		}
	}
	return Phrase{}
}

// base returns the language of a tag without script and region.
func base(tag string) string {
	if tag == "" {
		return ""
	}
	b, _ := language.Make(tag).Base()
	return b.String()
}
