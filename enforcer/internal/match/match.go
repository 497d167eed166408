// Package match finds what a policy says about a cookie name: a value for an exact name, or for the
// best wildcard. It knows nothing of policies.
package match

import (
	"cmp"
	"slices"
	"strings"
)

// Names maps exact names and wildcards to values. An exact name beats a wildcard; among wildcards
// the one with more literal bytes wins, then the one that was added first.
//
// All names are added before the first lookup.
type Names[T any] struct {
	exact     map[string]T
	wildcards []wildcard[T] // the best first
}

// wildcard is a name with at least one * in it, which stands for any run of bytes.
type wildcard[T any] struct {
	pattern  string
	parts    []string // what stands before, between and after the *
	literals int      // bytes that are not *
	value    T
}

// Add gives a name or a wildcard its value. It must not have been added before.
func (n *Names[T]) Add(name string, value T) {
	if !strings.Contains(name, "*") {
		if n.exact == nil {
			n.exact = map[string]T{}
		}
		n.exact[name] = value
		return
	}
	literals := len(name) - strings.Count(name, "*")
	n.wildcards = append(n.wildcards, wildcard[T]{name, strings.Split(name, "*"), literals, value})
}

// Sort puts the wildcards in order. It must be called once, after the last Add.
func (n *Names[T]) Sort() {
	slices.SortStableFunc(n.wildcards, func(a, b wildcard[T]) int {
		return cmp.Compare(b.literals, a.literals)
	})
}

// Exact returns the value of a name that was added without wildcards.
func (n *Names[T]) Exact(name string) (value T, ok bool) {
	value, ok = n.exact[name]
	return value, ok
}

// Lookup returns the value for a name, and the name or wildcard that was added with it.
func (n *Names[T]) Lookup(name string) (value T, pattern string, ok bool) {
	if value, ok = n.exact[name]; ok {
		return value, name, true
	}
	for i := range n.wildcards {
		if w := &n.wildcards[i]; w.matches(name) {
			return w.value, w.pattern, true
		}
	}
	return value, "", false
}

// matches looks for the parts in their order. Taking each at the earliest place finds a match if
// there is one, in time linear in the name.
func (w *wildcard[T]) matches(name string) bool {
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
