package cookiepolicy

import (
	"fmt"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func paths(patterns ...string) caddyhttp.MatcherSet {
	m := caddyhttp.MatchPath(patterns)
	return caddyhttp.MatcherSet{&m}
}

func not(sets ...caddyhttp.MatcherSet) caddyhttp.MatcherSet {
	return caddyhttp.MatcherSet{&caddyhttp.MatchNot{MatcherSets: sets}}
}

func method(name string) caddyhttp.MatcherSet {
	return caddyhttp.MatcherSet{&caddyhttp.MatchMethod{name}}
}

func hosts(names ...string) caddyhttp.MatcherSet {
	m := caddyhttp.MatchHost(names)
	return caddyhttp.MatcherSet{&m}
}

// A policy behind some matchers is certain for requests behind others, or it is not known.
func TestConditionsCertain(t *testing.T) {
	type sets = caddyhttp.MatcherSets
	both, others := append(paths("/a/*"), method("GET")...), append(paths("/b/*"), method("GET")...)
	for _, c := range []struct {
		what  string
		known caddyhttp.MatcherSets
		lists []caddyhttp.MatcherSets
		want  bool
	}{
		{"no policy", nil, nil, false},
		{"no matcher", nil, []sets{nil}, true},
		{"the same path", sets{paths("/a/*")}, []sets{{paths("/a/*")}}, true},
		{"a path below", sets{paths("/a/b/*")}, []sets{{paths("/a/*")}}, true},
		{"a path above", sets{paths("/a/*")}, []sets{{paths("/a/b/*")}}, false},
		{"one of two paths", sets{paths("/a/x")}, []sets{{paths("/b/*", "/a/*")}}, true},
		{"two paths, of which one is left out", sets{paths("/a/x", "/c")}, []sets{{paths("/b/*", "/a/*")}}, false},
		{"every path", sets{paths("/a/*")}, []sets{{paths("/*")}}, true},
		{"all other paths", sets{paths("/a/*")}, []sets{{not(paths("/b/*"))}}, true},
		{"all other paths but one below", sets{paths("/a/*")}, []sets{{not(paths("/a/b"))}}, false},
		{"all but a path with a wildcard in it", sets{paths("/a/*")}, []sets{{not(paths("*.php"))}}, false},
		{"all but less", sets{not(paths("/a/*"))}, []sets{{not(paths("/a/b/*"))}}, true},
		{"all but more", sets{not(paths("/a/b/*"))}, []sets{{not(paths("/a/*"))}}, false},
		{"nothing is known", nil, []sets{{paths("/a/*")}}, false},
		{"a matcher and its opposite", nil, []sets{{method("GET")}, {not(method("GET"))}}, true},
		{"opposites for a part", nil, []sets{{both}, {not(method("GET"))}}, false},
		{"two matchers at once, and its opposite", nil, []sets{{both}, {not(both)}}, true},
		{"the opposite of two matchers at once, and the two", nil, []sets{{not(both)}, {both}}, true},
		{"two matchers at once, and the opposite of others", nil, []sets{{both}, {not(others)}}, false},
		{"two matchers at once, and all that one of them lacks", nil,
			[]sets{{both}, {not(method("GET"))}, {not(paths("/a/*"))}}, true},
		{"either of two sets", sets{method("GET"), method("HEAD")},
			[]sets{{method("GET"), method("HEAD")}}, true},
		{"either of two sets, for one of them", sets{method("GET")}, []sets{{method("GET"), method("HEAD")}}, true},
		{"one of two sets, for either", sets{method("GET"), method("HEAD")}, []sets{{method("GET")}}, false},
		{"neither of two sets", sets{not(method("GET"), method("HEAD"))}, []sets{{not(method("GET"))}}, true},
		{"not what is not so", sets{method("GET")}, []sets{{not(not(method("GET")))}}, true},
		{"other methods", sets{method("GET")}, []sets{{method("HEAD")}}, false},
		{"one host of the site's", sets{hosts("a.test", "b.test")}, []sets{{hosts("a.test")}}, false},
		{"each host of the site's", sets{hosts("a.test", "B.test")}, []sets{{hosts("a.test")}, {hosts("b.test")}}, true},
		{"each host, and a path of one", sets{hosts("a.test", "b.test")},
			[]sets{{hosts("a.test")}, {append(hosts("b.test"), paths("/a/*")...)}}, false},
		{"the hosts around", sets{hosts("a.test")}, []sets{{hosts("b.test", "a.test")}}, true},
		{"all other hosts", sets{hosts("a.test")}, []sets{{not(hosts("b.test"))}}, true},
		{"all other hosts, with a wildcard", sets{hosts("*.test")}, []sets{{not(hosts("b.test"))}}, false},
		{"each host, without a site's", nil, []sets{{hosts("a.test")}, {hosts("b.test")}}, false},
		{"a host, and all others", nil, []sets{{hosts("a.test")}, {not(hosts("a.test"))}}, true},
	} {
		lists := make([][]*condition, len(c.lists))
		for i, list := range c.lists {
			lists[i] = allOf(list)
		}
		steps := maxSteps
		if got := certain(allOf(c.known), lists, &steps); got != c.want || steps < maxSteps-20 {
			t.Errorf("%s: %t after %d steps", c.what, got, maxSteps-steps)
		}
	}
}

// Whether requests meet one of many policies is found without trying all combinations.
func TestConditionsCertainBounded(t *testing.T) {
	var lists [][]*condition
	var all []caddyhttp.MatcherSet
	for i := range 40 {
		set := append(paths(fmt.Sprintf("/*/%d", i)), method(fmt.Sprint("A", i))...)
		lists, all = append(lists, allOf(caddyhttp.MatcherSets{set})), append(all, set)
	}
	steps := maxSteps
	if certain(nil, lists, &steps) || steps < maxSteps-100 {
		t.Errorf("40 policies with matchers meet every request, after %d steps", maxSteps-steps)
	}
	if !certain(nil, append(lists, allOf(caddyhttp.MatcherSets{not(all...)})), &steps) {
		t.Error("40 policies with matchers and one for all other requests do not meet every request")
	}
}

func TestPatternsOverlap(t *testing.T) {
	for _, c := range []struct {
		p, q            string
		overlap, covers bool
	}{
		{"/a", "/a", true, true},
		{"/a", "/b", false, false},
		{"/a*", "/a", true, true},
		{"/a", "/a*", true, false},
		{"/a/*", "/a", false, false},
		{"/a/*", "/a/b/*", true, true},
		{"/a/b/*", "/a/*", true, false},
		{"/a/*", "/b/*", false, false},
		{"*", "/b/*", true, true},
		{"*.php", "/b/*", true, false},
		{"/a/*/c", "/a/*/c", true, true},
		{"/a/*/c*", "/a/*/cd", true, false},
	} {
		if got := overlap(c.p, c.q); got != c.overlap || overlap(c.q, c.p) != got {
			t.Errorf("overlap(%s, %s) = %t", c.p, c.q, got)
		}
		if got := covers(c.p, c.q); got != c.covers {
			t.Errorf("covers(%s, %s) = %t", c.p, c.q, got)
		}
	}
}
