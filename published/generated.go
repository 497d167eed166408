package published

import (
	"strings"
	"sync"

	"github.com/cookie-policy/caddy-cookie-policy/languages"
)

// generated are sentences of the pages that this module makes, in every language, which stand behind a
// purpose and say nothing of what a cookie is for.
type generated struct {
	conditions []string        // when cookies are let through
	objections []string        // the same: until the visitor objects
	origins    []string        // the beginning of the sentence about what pages may load
	legends    map[string]bool // what * means
}

var generatedTexts = sync.OnceValue(func() generated {
	g := generated{legends: map[string]bool{}}
	for _, l := range languages.All() {
		words := l.Page.Cookies
		g.conditions = append(g.conditions, clean(string(words.Always)), clean(string(words.WithConsent)))
		g.objections = append(g.objections, clean(string(words.UntilObjection)))
		before, _, _ := strings.Cut(string(words.Origins), "{")
		g.origins = append(g.origins, clean(before))
		g.legends[clean(string(words.Wildcard))] = true
	}
	return g
})

// withoutConditions takes the sentences of a generated page off the end of a purpose, and tells of
// those that mean something for a rule.
func (r *reader) withoutConditions(line int, purpose string) string {
	g := generatedTexts()
	for _, start := range g.origins {
		if at := strings.Index(purpose, start); at >= 0 && strings.Contains(purpose[at:], "://") {
			r.note(line, Assumed, "%s is left out: origins have to be added", quoted(purpose[at:]))
			purpose = strings.TrimSpace(purpose[:at])
		}
	}
	for _, sentence := range g.conditions {
		purpose = strings.TrimSpace(strings.TrimSuffix(purpose, sentence))
	}
	for _, sentence := range g.objections {
		if before, found := strings.CutSuffix(purpose, sentence); found {
			r.note(line, Assumed, "%s: add anonymous if nobody can be traced by these statistics", quoted(sentence))
			purpose = strings.TrimSpace(before)
		}
	}
	return purpose
}
