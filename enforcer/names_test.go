package enforcer

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAWildcardStandsForAnyRunOfCharacters(t *testing.T) {
	for _, c := range []struct {
		pattern string
		matches []string
		misses  []string
	}{
		{"_ga", []string{"_ga"}, []string{"_g", "_gaa", "_GA", "_ga*", ""}},
		{"_ga*", []string{"_ga", "_ga_1", "_ga*", "_ga\xff"}, []string{"_g", "x_ga", "_Ga_1"}},
		{"*_ga", []string{"_ga", "x_ga", "_ga_ga"}, []string{"_ga_", "ga"}},
		{"*_ga*", []string{"_ga", "x_ga", "_gax", "x_gax"}, []string{"_g", "a_g"}},
		{"a*b", []string{"ab", "aXb", "abab"}, []string{"a", "b", "aba", "bab"}},
		{"ab*ba", []string{"abba", "ab-ba"}, []string{"aba", "ab", "ba"}},
		{"a*b*c", []string{"abc", "aXbYc", "abbcc"}, []string{"acb", "ac", "abcd"}},
		{"*a*b*", []string{"ab", "ba-ab", "xaxbx"}, []string{"ba", "bba", "a"}},
		{"*ab*ba*", []string{"abba", "xabxbax"}, []string{"aba", "baab"}},
		{"a**b", []string{"ab", "axb"}, []string{"a", "b"}},
		{"*", []string{"a", "_ga", "é", "*"}, nil},
		{"***", []string{"a", "abc"}, nil},
		{"é*", []string{"é", "élan"}, []string{"e", "\xc3"}},
		{"_pk_*.*.1", []string{"_pk_id.1.1", "_pk_..1"}, []string{"_pk_id.1", "_pk_.1"}},
	} {
		t.Run(c.pattern, func(t *testing.T) {
			e := compiled(t, allowing(c.pattern))
			for _, name := range c.matches {
				if !letThrough(e, nil, name+"=1") {
					t.Errorf("%q was refused", name)
				}
			}
			for _, name := range c.misses {
				if letThrough(e, nil, name+"=1") {
					t.Errorf("%q was let through", name)
				}
			}
		})
	}
}

func TestTheMostSpecificRuleCounts(t *testing.T) {
	// The rule that should count is the one without conditions; the others need a consent that nobody gave.
	closed := func(names ...string) Rule { return Rule{Category: ThirdParty, Cookies: names} }
	open := func(names ...string) Rule { return Rule{Category: Necessary, Cookies: names} }
	google := []Preset{{Name: "google_analytics"}}
	for _, c := range []struct {
		what   string
		policy Policy
		name   string
	}{
		{"an exact name beats a wildcard written before", Policy{Allow: []Rule{closed("a*"), open("abc")}}, "abc"},
		{"an exact name beats a wildcard with as many literals", Policy{Allow: []Rule{closed("abc*"), open("abc")}}, "abc"},
		{"more literal bytes beat fewer", Policy{Allow: []Rule{closed("a*"), open("ab*")}}, "abc"},
		{"more literal bytes beat fewer, at the other end", Policy{Allow: []Rule{closed("ab*"), open("*xyz")}}, "abxyz"},
		{"more literal bytes beat fewer, in the middle", Policy{Allow: []Rule{closed("a*", "*z"), open("*mmm*")}}, "ammmz"},
		{"literal bytes are added up over the parts", Policy{Allow: []Rule{closed("ab*"), open("a*y*z")}}, "abyz"},
		{"bytes count, not letters", Policy{Allow: []Rule{closed("*e"), open("é*")}}, "ée"},
		{"the first written counts among equals", Policy{Allow: []Rule{open("a*"), closed("*c")}}, "abc"},
		{"the first written counts among equals, from the other end", Policy{Allow: []Rule{open("*c"), closed("a*")}}, "abc"},
		{"the first written counts among equals, in the middle", Policy{Allow: []Rule{open("*b*"), closed("a*", "*c")}}, "abc"},
		{"the first written counts among equals, within the middle", Policy{Allow: []Rule{open("*b*c*"), closed("*a*b*")}}, "abc"},
		{"anything beats a lone wildcard", Policy{Allow: []Rule{closed("*"), open("*b*")}}, "abc"},
		{"the first of two lone wildcards counts", Policy{Allow: []Rule{open("*"), closed("**")}}, "abc"},
		{"the block's name beats the same name of a preset", Policy{Presets: google, Allow: []Rule{open("_ga")}}, "_ga"},
		{"the block's wildcard beats the same wildcard of a preset", Policy{Presets: google, Allow: []Rule{open("_ga_*")}}, "_ga_1"},
		{"the block's exact name beats a preset's wildcard", Policy{Presets: google, Allow: []Rule{open("_ga_1")}}, "_ga_1"},
		{"the block's wildcard with more literals beats a preset's", Policy{Presets: google, Allow: []Rule{open("_ga_1*")}}, "_ga_12"},
		{"a preset's exact name beats the block's wildcard", Policy{Presets: []Preset{{Name: "opendatasoft"}}, Allow: []Rule{closed("session*")}}, "sessionid"},
	} {
		t.Run(c.what, func(t *testing.T) {
			if !letThrough(compiled(t, c.policy), nil, c.name+"=1") {
				t.Errorf("%s was refused: another rule counted", c.name)
			}
		})
	}
}

func TestABlocksNameLeavesTheRestOfAPresetInForce(t *testing.T) {
	e := compiled(t, Policy{Presets: []Preset{{Name: "google_analytics"}}, Allow: []Rule{{Category: Necessary, Cookies: []string{"_gid", "_ga_*"}}}})
	for name, want := range map[string]bool{"_gid": true, "_ga_1": true, "_ga": false, "_gat": false} {
		if got := letThrough(e, nil, name+"=1"); got != want {
			t.Errorf("%s: let through is %t", name, got)
		}
	}
}

func TestNamesAreFoundAsANaiveSearchFindsThem(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	word := func(alphabet string, longest int) string {
		b := make([]byte, 1+random.IntN(longest))
		for i := range b {
			b[i] = alphabet[random.IntN(len(alphabet))]
		}
		return string(b)
	}
	for round := range 2000 {
		var n names
		rules := map[*rule]string{}
		var patterns []string
		for range 1 + random.IntN(20) {
			pattern := word("ab*", 6)
			if slices.Contains(patterns, pattern) {
				continue
			}
			r := &rule{}
			n.add(pattern, r)
			rules[r] = pattern
			patterns = append(patterns, pattern)
		}
		for range 50 {
			name := word("abc", 9)
			got, found := rules[n.find(name)]
			want, wanted := naiveFind(patterns, name)
			if got != want || found != wanted {
				t.Fatalf("round %d: for %q among %q the rule %q was found, want %q", round, name, patterns, got, want)
			}
		}
	}
}

// naiveFind tries one pattern after the other.
func naiveFind(patterns []string, name string) (best string, found bool) {
	for _, pattern := range patterns {
		if !strings.Contains(pattern, "*") && pattern == name {
			return pattern, true
		}
	}
	literals := func(pattern string) int { return len(strings.ReplaceAll(pattern, "*", "")) }
	for _, pattern := range patterns {
		if strings.Contains(pattern, "*") && naiveMatch(pattern, name) && (!found || literals(pattern) > literals(best)) {
			best, found = pattern, true
		}
	}
	return best, found
}

// naiveMatch tries every run of characters for every *.
func naiveMatch(pattern, name string) bool {
	switch {
	case pattern == "":
		return name == ""
	case pattern[0] == '*':
		return naiveMatch(pattern[1:], name) || name != "" && naiveMatch(pattern, name[1:])
	}
	return name != "" && name[0] == pattern[0] && naiveMatch(pattern[1:], name[1:])
}

func TestManyNamesAreAllFound(t *testing.T) {
	var p Policy
	for i := range 5000 {
		p.Allow = append(p.Allow, Rule{Category: Necessary, Cookies: []string{
			fmt.Sprintf("exact%d", i), fmt.Sprintf("prefix%d_*", i), fmt.Sprintf("*_suffix%d", i), fmt.Sprintf("*_middle%d_*", i),
		}})
	}
	e := compiled(t, p)
	for i := range 5000 {
		for _, name := range []string{"exact%d", "prefix%d_x", "x_suffix%d", "x_middle%d_x"} {
			if name = fmt.Sprintf(name, i); !letThrough(e, nil, name+"=1") {
				t.Errorf("%s was refused", name)
			}
		}
	}
	for _, name := range []string{"exact5000", "prefix5000_x", "x_suffix5000", "x_middle5000_x", "exact", "x"} {
		if letThrough(e, nil, name+"=1") {
			t.Errorf("%s was let through", name)
		}
	}
}

func TestAHostileNameCostsTimeLinearInItsLength(t *testing.T) {
	var n names
	for _, pattern := range []string{"*a*b*", "*a*a*b*", "a*a*b", "*a*b", "a*b*", "*aa*ab*ba*"} {
		n.add(pattern, &rule{})
	}
	name := strings.Repeat("a", 256<<10) // in quadratic time this takes tens of seconds, in linear time a millisecond
	begin := time.Now()
	if n.find(name) != nil {
		t.Error("a name without b was found")
	}
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("looking up %d bytes took %v", len(name), took)
	}
}
