package published

import (
	"slices"
	"strings"
	"sync"

	"github.com/cookie-policy/caddy-cookie-policy/caddytext"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/languages"
)

// generated are words of the pages that this module makes, in every language. A table with their
// headings is read to the letter: its cells hold what a policy says, and nothing else.
type generated struct {
	heads     map[string]bool // the headings of a table
	notStated map[string]bool // what stands for nothing in a cell

	// Sentences that stand behind a purpose and say nothing of what a cookie is for.
	conditions []string        // when cookies are let through
	objections []string        // the same: until the visitor objects
	origins    [][2]string     // the same: what stands around the origins that pages may load from
	legends    map[string]bool // what * means
	noCookie   map[string]bool // what stands for the name in a rule that only lets pages load something
}

var generatedTexts = sync.OnceValue(func() generated {
	g := generated{heads: map[string]bool{}, notStated: map[string]bool{}, legends: map[string]bool{},
		noCookie: map[string]bool{}}
	for _, l := range languages.All() {
		words := l.Page.Cookies
		g.heads[headsOf([]string{string(words.Provider), string(words.Function), string(words.Names),
			string(words.Purpose), string(words.Lifetime)})] = true
		g.notStated[clean(string(words.NotStated))] = true
		g.conditions = append(g.conditions, clean(string(words.Always)), clean(string(words.WithConsent)))
		g.objections = append(g.objections, clean(string(words.UntilObjection)))
		before, after, _ := strings.Cut(string(words.Origins), "{origins}")
		g.origins = append(g.origins, [2]string{clean(before), clean(after)})
		g.legends[clean(string(words.Wildcard))] = true
		g.noCookie[clean(string(words.NoCookie))] = true
	}
	return g
})

// headsOf makes a key of the headings of a table.
func headsOf(cells []string) string {
	texts := make([]string, len(cells))
	for i, c := range cells {
		texts[i] = clean(c)
	}
	return strings.Join(texts, "\t")
}

// exactNames are the names in a row of a generated table. Only what no rule should have is refused.
func exactNames(names []string) (in namesIn) {
	for _, name := range names {
		written, err := caddytext.Quote(name)
		fixed := strings.ReplaceAll(name, "*", "")
		switch {
		case err != nil || written == "" || strings.ContainsAny(name, "=;"):
			in.refused = append(in.refused, refusal{name, "it holds characters that cannot stand in a policy"})
		case clean(name) != name:
			in.refused = append(in.refused, refusal{name, "it holds characters that cannot be seen"})
		case fixed != name && len(fixed) < 3:
			in.refused = append(in.refused, refusal{name, manyNames})
		case !slices.ContainsFunc(in.names, func(n Name) bool { return n.Pattern == name }):
			in.names = append(in.names, Name{Written: name, Pattern: name})
		}
	}
	return in
}

// originsIn returns the origins that a row of a generated table lets pages load from, and the sentence that
// says so. It is marked as a condition: nothing that a policy says is taken for it.
func originsIn(cells []cell) (origins []string, sentence string) {
	for _, c := range cells {
		for _, condition := range c.conditions {
			for _, around := range generatedTexts().origins {
				text, begins := strings.CutPrefix(condition, around[0])
				text, ends := strings.CutSuffix(text, around[1])
				listed := strings.Split(strings.TrimSpace(text), ", ")
				if begins && ends && !slices.ContainsFunc(listed, func(o string) bool { return !policy.IsOrigin(o) }) {
					return listed, condition
				}
			}
		}
	}
	return nil, ""
}

// withoutConditions takes the sentences of a generated page off the end of a purpose, and tells of
// those that mean something for a rule.
func (r *reader) withoutConditions(line int, purpose string) string {
	g := generatedTexts()
	purpose = strings.TrimSpace(strings.TrimSuffix(purpose, r.sentence))
	for _, around := range g.origins {
		if at := strings.LastIndex(purpose, around[0]); !r.generated && at >= 0 && strings.Contains(purpose[at:], "://") {
			r.note(line, Assumed, "%s is left out: origins have to be added", quoted(purpose[at:]))
			purpose = strings.TrimSpace(purpose[:at])
		}
	}
	if c, _, _ := r.current(); r.generated && c.category == policy.Necessary {
		if r.sentence != "" && g.notStated[purpose] {
			return ""
		}
		return purpose // the others stand in the rows of the other kinds only
	}
	for i, sentence := range slices.Concat(g.conditions, g.objections) {
		before, found := strings.CutSuffix(purpose, sentence)
		if !found {
			continue
		}
		if i >= len(g.conditions) {
			r.note(line, Assumed, "%s: add anonymous if nobody can be traced by these statistics", quoted(sentence))
		}
		purpose = strings.TrimSpace(before)
		break
	}
	if r.generated && g.notStated[purpose] {
		return ""
	}
	return purpose
}
