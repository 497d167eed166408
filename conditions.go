package cookiepolicy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// condition is what is known of the requests at one place of the routes: they match any of the sets,
// or none of them. What a rewrite does to a path is not considered.
type condition struct {
	sets  caddyhttp.MatcherSets
	not   bool
	text  string         // of the sets: the same for equal ones
	parts [][]*condition // of each set, unless there is one matcher only
}

func newCondition(sets caddyhttp.MatcherSets, not bool) *condition {
	c := &condition{sets: sets, not: not, text: textOf(sets)}
	if len(sets) > 1 || len(sets) == 1 && len(sets[0]) > 1 {
		for _, set := range sets {
			c.parts = append(c.parts, allOf(caddyhttp.MatcherSets{set}))
		}
	}
	return c
}

func (c *condition) opposite() *condition {
	opposite := *c
	opposite.not = !c.not
	return &opposite
}

// textOf writes matchers as text. They cannot be compared themselves: some hold a logger.
func textOf(sets caddyhttp.MatcherSets) string {
	var b strings.Builder
	for _, set := range sets {
		b.WriteString("(")
		for _, matcher := range set {
			if not, ok := matcher.(*caddyhttp.MatchNot); ok {
				b.WriteString("not" + textOf(not.MatcherSets)) // a MatchNot writes no JSON once it is provisioned
				continue
			}
			config, err := json.Marshal(matcher)
			if err != nil {
				config = fmt.Appendf(nil, "%p", matcher) // equal to itself
			}
			fmt.Fprintf(&b, "%T%s", matcher, config)
		}
		b.WriteString(")")
	}
	return b.String()
}

// allOf returns what holds for the requests that a route's matchers accept: all of the conditions.
func allOf(sets caddyhttp.MatcherSets) (conditions []*condition) {
	switch len(sets) {
	case 0:
		return nil
	case 1:
		for _, matcher := range sets[0] {
			if not, ok := matcher.(*caddyhttp.MatchNot); ok {
				conditions = append(conditions, noneOf(not.MatcherSets)...)
			} else {
				conditions = append(conditions, newCondition(caddyhttp.MatcherSets{{matcher}}, false))
			}
		}
		return conditions
	}
	return []*condition{newCondition(sets, false)}
}

// noneOf returns what holds for the requests that a route's matchers do not accept. The patterns of a
// path are apart, as other routes may name them one by one.
func noneOf(sets caddyhttp.MatcherSets) (conditions []*condition) {
	for _, set := range sets {
		if len(set) == 1 {
			switch matcher := set[0].(type) {
			case *caddyhttp.MatchNot:
				conditions = append(conditions, newCondition(matcher.MatcherSets, false))
				continue
			case *caddyhttp.MatchPath:
				for _, pattern := range *matcher {
					path := &caddyhttp.MatchPath{pattern}
					conditions = append(conditions, newCondition(caddyhttp.MatcherSets{{path}}, true))
				}
				continue
			}
		}
		conditions = append(conditions, newCondition(caddyhttp.MatcherSets{set}, true))
	}
	return conditions
}

// implies reports whether b certainly holds where a does.
func (c *condition) implies(b *condition) bool {
	switch {
	case c == b:
		return true
	case c.not && b.not:
		return b.opposite().implies(c.opposite())
	case c.not:
		return false
	case b.not:
		return disjoint(pathsOf(c.sets), pathsOf(b.sets)) || disjointHosts(onlyHosts(c.sets), onlyHosts(b.sets))
	case c.text == b.text:
		return true
	}
	if hosts := onlyHosts(c.sets); len(hosts) > 0 {
		return within(hosts, onlyHosts(b.sets))
	}
	paths, others := pathsOf(c.sets), pathsOf(b.sets)
	return len(paths) > 0 && all(paths, func(path string) bool {
		return slices.ContainsFunc(others, func(pattern string) bool { return covers(pattern, path) })
	})
}

// holds reports whether c certainly holds where some conditions are known to.
func (c *condition) holds(known []*condition) bool {
	if slices.Contains(known, c) || slices.ContainsFunc(known, func(k *condition) bool { return k.implies(c) }) {
		return true
	}
	holds := func(part *condition) bool { return part.holds(known) }
	fails := func(part *condition) bool { return part.opposite().holds(known) }
	if c.not {
		return len(c.parts) > 0 && all(c.parts, func(set []*condition) bool { return slices.ContainsFunc(set, fails) })
	}
	return slices.ContainsFunc(c.parts, func(set []*condition) bool { return all(set, holds) })
}

func all[T any](list []T, holds func(T) bool) bool {
	return !slices.ContainsFunc(list, func(v T) bool { return !holds(v) })
}

// unknown returns the conditions that those that are known do not imply. It reports whether all of
// them can hold, as far as can be told.
func unknown(conditions, known []*condition) (rest []*condition, possible bool) {
	for _, c := range conditions {
		if c.holds(known) {
			continue
		}
		if c.opposite().holds(known) {
			return nil, false
		}
		rest = append(rest, c)
	}
	return rest, true
}

// maxSteps bounds what certain tries. What takes more is no config that people write.
const maxSteps = 10000

// certain reports whether, where some conditions are known, all of at least one of the lists hold
// whatever the request. It tries both sides of each condition that is not known. Where no step is
// left it returns true, and nobody is warned.
func certain(known []*condition, lists [][]*condition, steps *int) bool {
	if *steps--; *steps < 0 {
		return true
	}
	if noHostIsLeft(known) {
		return true // of no request
	}
	var open [][]*condition
	for _, list := range lists {
		rest, possible := unknown(list, known)
		if possible && len(rest) == 0 {
			return true
		}
		if possible {
			open = append(open, rest)
		}
	}
	if len(open) == 0 {
		return false
	}
	c := open[0][0]
	return certain(slices.Concat(known, c.opposite().split()), open, steps) &&
		certain(slices.Concat(known, c.split()), open, steps)
}

// split returns the conditions that all hold where c does.
func (c *condition) split() []*condition {
	if !c.not && len(c.parts) == 1 {
		return c.parts[0]
	}
	return []*condition{c}
}

// pathsOf returns the patterns of matchers that look at the path only.
func pathsOf(sets caddyhttp.MatcherSets) []string {
	if len(sets) == 1 && len(sets[0]) == 1 {
		if paths, ok := sets[0][0].(*caddyhttp.MatchPath); ok {
			return *paths
		}
	}
	return nil
}

// onlyHosts returns the hosts of matchers that look at the host only.
func onlyHosts(sets caddyhttp.MatcherSets) []string {
	if len(sets) == 1 && len(sets[0]) == 1 {
		return hostsOf(sets)
	}
	return nil
}

// within reports whether each host is one of others, as it is written.
func within(hosts, others []string) bool {
	return all(hosts, func(host string) bool {
		return slices.ContainsFunc(others, func(other string) bool { return strings.EqualFold(host, other) })
	})
}

// disjointHosts reports whether certainly no host matches patterns of both lists.
func disjointHosts(hosts, others []string) bool {
	isName := func(host string) bool { return !strings.ContainsAny(host, "*{") }
	return len(hosts) > 0 && len(others) > 0 && all(hosts, isName) && all(others, isName) &&
		all(hosts, func(host string) bool { return !within([]string{host}, others) })
}

// noHostIsLeft reports whether conditions name hosts and rule each of them out.
func noHostIsLeft(conditions []*condition) bool {
	var out []string
	for _, c := range conditions {
		if c.not {
			out = append(out, onlyHosts(c.sets)...)
		}
	}
	return slices.ContainsFunc(conditions, func(c *condition) bool {
		hosts := onlyHosts(c.sets)
		return !c.not && len(hosts) > 0 && within(hosts, out)
	})
}

// covers reports whether a pattern certainly matches every path that another one matches.
func covers(pattern, other string) bool {
	prefix, wildcard := strings.CutSuffix(pattern, "*")
	return pattern == other || wildcard && !strings.Contains(prefix, "*") && strings.HasPrefix(other, prefix)
}

// disjoint reports whether certainly no path matches patterns of both lists.
func disjoint(paths, others []string) bool {
	return len(paths) > 0 && len(others) > 0 && all(paths, func(p string) bool {
		return all(others, func(q string) bool { return !overlap(p, q) })
	})
}

// overlap reports whether two patterns can match the same path.
func overlap(p, q string) bool {
	p, anyP := strings.CutSuffix(p, "*")
	q, anyQ := strings.CutSuffix(q, "*")
	switch {
	case strings.Contains(p+q, "*"):
		return true
	case anyP && anyQ:
		return strings.HasPrefix(p, q) || strings.HasPrefix(q, p)
	case anyP:
		return strings.HasPrefix(q, p)
	case anyQ:
		return strings.HasPrefix(p, q)
	}
	return p == q
}
