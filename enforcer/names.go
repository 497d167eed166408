package enforcer

import (
	"slices"
	"strings"
)

// names finds the rule for a cookie's name: an exact name first, then the wildcard with the most literal bytes, then the first written.
// The cost of a look-up depends on the name, hardly on how many rules there are.
type names struct {
	exact    map[string]*rule
	prefixed tree        // wildcards that begin with a literal, by that literal
	suffixed tree        // wildcards that only end with one, by that literal read backwards
	infixed  tree        // wildcards with one literal, between two *, by that
	several  []*wildcard // wildcards with several literals, each between two *: rare, and tried one after the other
	any      *wildcard
	written  int
}

// wildcard is a name with at least one * in it.
type wildcard struct {
	parts    []string // what stands before, between and after the *
	literals int      // bytes that are not *
	written  int      // its place among the wildcards
	rule     *rule
}

// add gives a name its rule. The name must not have been added before.
func (n *names) add(name string, r *rule) {
	if !strings.Contains(name, "*") {
		if n.exact == nil {
			n.exact = map[string]*rule{}
		}
		n.exact[name] = r
		return
	}
	n.written++
	w := &wildcard{parts: strings.Split(name, "*"), literals: len(name) - strings.Count(name, "*"), written: n.written, rule: r}
	first, last := w.parts[0], w.parts[len(w.parts)-1]
	middle := slices.DeleteFunc(slices.Clone(w.parts), func(s string) bool { return s == "" })
	switch {
	case first != "":
		n.prefixed.add(first, w)
	case last != "":
		n.suffixed.add(reversed(last), w)
	case len(middle) == 1:
		n.infixed.add(middle[0], w)
	case len(middle) > 1:
		n.several = append(n.several, w)
	case n.any == nil:
		n.any = w
	}
}

// find returns the rule for a name, or nil.
func (n *names) find(name string) *rule {
	if r := n.exact[name]; r != nil {
		return r
	}
	if w := n.findWildcard(name); w != nil {
		return w.rule
	}
	return nil
}

// patternOf returns the name, as the policy writes it, by which find finds the rule for a name.
func (n *names) patternOf(name string) string {
	if w := n.findWildcard(name); n.exact[name] == nil && w != nil {
		return strings.Join(w.parts, "*")
	}
	return name
}

// findWildcard returns the best wildcard for a name, or nil.
func (n *names) findWildcard(name string) *wildcard {
	best := n.any
	best = n.prefixed.find(best, name, 0, +1)
	best = n.suffixed.find(best, name, len(name)-1, -1)
	if n.infixed.edges != nil {
		for i := range len(name) {
			best = n.infixed.find(best, name, i, +1)
		}
	}
	// In the tree each of these would be tried at every place of its first literal: quadratic in the name.
	for _, w := range n.several {
		if w.beats(best) && w.matches(name) {
			best = w
		}
	}
	return best
}

// beats says whether w is the more specific wildcard. A nil other is beaten by any.
func (w *wildcard) beats(other *wildcard) bool {
	return other == nil || w.literals > other.literals || w.literals == other.literals && w.written < other.written
}

// matches finds the parts in their order. Taking each at the earliest place finds a match if there is one, in time linear in the name.
func (w *wildcard) matches(name string) bool {
	first, last := w.parts[0], w.parts[len(w.parts)-1]
	if len(name) < w.literals || !strings.HasPrefix(name, first) || !strings.HasSuffix(name, last) {
		return false
	}
	name = name[len(first) : len(name)-len(last)]
	for _, part := range w.parts[1 : len(w.parts)-1] {
		i := strings.Index(name, part)
		if i < 0 {
			return false
		}
		name = name[i+len(part):]
	}
	return true
}

// tree holds wildcards by a literal, its edges labelled with the literal's parts (a radix tree).
type tree struct {
	edges     []edge // by first byte of the label, ascending
	wildcards []*wildcard
}

type edge struct {
	label string
	to    *tree
}

func (t *tree) edge(c byte) (int, bool) {
	return slices.BinarySearchFunc(t.edges, c, func(e edge, c byte) int { return int(e.label[0]) - int(c) })
}

func (t *tree) add(literal string, w *wildcard) {
	for literal != "" {
		i, found := t.edge(literal[0])
		if !found {
			t.edges = slices.Insert(t.edges, i, edge{literal, &tree{}})
		}
		e := &t.edges[i]
		common := 1
		for common < len(e.label) && common < len(literal) && e.label[common] == literal[common] {
			common++
		}
		if common < len(e.label) { // split the edge
			e.to = &tree{edges: []edge{{e.label[common:], e.to}}}
			e.label = e.label[:common]
		}
		t, literal = e.to, literal[common:]
	}
	t.wildcards = append(t.wildcards, w)
}

// find walks name from index i in steps of +1 or -1, and returns the best of the wildcards met on the way that match, or best.
func (t *tree) find(best *wildcard, name string, i, step int) *wildcard {
	for {
		for _, w := range t.wildcards {
			if w.beats(best) && w.matches(name) {
				best = w
			}
		}
		if i < 0 || i >= len(name) {
			return best
		}
		n, found := t.edge(name[i])
		if !found {
			return best
		}
		for k := range len(t.edges[n].label) {
			if i < 0 || i >= len(name) || name[i] != t.edges[n].label[k] {
				return best
			}
			i += step
		}
		t = t.edges[n].to
	}
}

func reversed(s string) string {
	b := []byte(s)
	slices.Reverse(b)
	return string(b)
}
