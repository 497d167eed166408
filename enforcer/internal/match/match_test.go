package match

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// namesOf returns Names in which each pattern has itself as its value.
func namesOf(patterns ...string) *Names[string] {
	var n Names[string]
	for _, pattern := range patterns {
		n.Add(pattern, pattern)
	}
	n.Sort()
	return &n
}

// checkLookup checks what is found for a name. Each pattern must have itself as its value.
func checkLookup(t *testing.T, n *Names[string], name, want string, found bool) {
	t.Helper()
	value, pattern, ok := n.Lookup(name)
	if ok != found || value != want || pattern != want {
		t.Errorf("Lookup(%.99q) = %q, %q, %t; want %q, %t", name, value, pattern, ok, want, found)
	}
}

func TestLookupWildcard(t *testing.T) {
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
		{"*", []string{"a", "_ga", "é", "*", ""}, nil},
		{"***", []string{"a", "abc", ""}, nil},
		{"é*", []string{"é", "élan"}, []string{"e", "\xc3"}},
		{"_pk_*.*.1", []string{"_pk_id.1.1", "_pk_..1"}, []string{"_pk_id.1", "_pk_.1"}},
	} {
		t.Run(c.pattern, func(t *testing.T) {
			n := namesOf(c.pattern)
			for _, name := range c.matches {
				checkLookup(t, n, name, c.pattern, true)
			}
			for _, name := range c.misses {
				checkLookup(t, n, name, "", false)
			}
		})
	}
}

// TestLookupBest: the first pattern of each row is the one that must be found.
func TestLookupBest(t *testing.T) {
	for _, c := range []struct {
		what     string
		patterns []string // in the order in which they are added
		name     string
		want     string
	}{
		{"an exact name beats a wildcard added before", []string{"a*", "abc"}, "abc", "abc"},
		{"an exact name beats a wildcard with as many literals", []string{"abc*", "abc"}, "abc", "abc"},
		{"more literal bytes beat fewer", []string{"a*", "ab*"}, "abc", "ab*"},
		{"more literal bytes beat fewer, at the other end", []string{"ab*", "*xyz"}, "abxyz", "*xyz"},
		{"more literal bytes beat fewer, in the middle", []string{"a*", "*z", "*mmm*"}, "ammmz", "*mmm*"},
		{"literal bytes of all parts are added", []string{"ab*", "a*y*z"}, "abyz", "a*y*z"},
		{"bytes count, not letters", []string{"*e", "é*"}, "ée", "é*"},
		{"the first added wins among equals", []string{"a*", "*c"}, "abc", "a*"},
		{"the first added wins among equals, from the other end", []string{"*c", "a*"}, "abc", "*c"},
		{"the first added wins among equals, in the middle", []string{"*b*", "a*", "*c"}, "abc", "*b*"},
		{"the first added wins among equals, two parts", []string{"*b*c*", "*a*b*"}, "abc", "*b*c*"},
		{"any wildcard beats a lone star", []string{"*", "*b*"}, "abc", "*b*"},
		{"the first of two lone stars wins", []string{"*", "**"}, "abc", "*"},
		// Names of a policy's block are added before those of its presets.
		{"a name of the block beats a wildcard of a preset",
			[]string{"_ga_1", "_ga", "_ga_*"}, "_ga_1", "_ga_1"},
		{"a wildcard of the block with more literals beats one of a preset",
			[]string{"_ga_1*", "_ga", "_ga_*"}, "_ga_12", "_ga_1*"},
		{"a name of a preset beats a wildcard of the block",
			[]string{"session*", "sessionid"}, "sessionid", "sessionid"},
	} {
		t.Run(c.what, func(t *testing.T) {
			checkLookup(t, namesOf(c.patterns...), c.name, c.want, true)
		})
	}
}

func TestExact(t *testing.T) {
	n := namesOf("a*", "abc", "*")
	for name, want := range map[string]bool{"abc": true, "ab": false, "a*": false, "*": false, "": false} {
		if value, ok := n.Exact(name); ok != want || ok && value != name {
			t.Errorf("Exact(%q) = %q, %t", name, value, ok)
		}
	}
}

func TestLookupEmpty(t *testing.T) {
	var n Names[int]
	n.Sort()
	if value, pattern, ok := n.Lookup("a"); ok || value != 0 || pattern != "" {
		t.Errorf("without names, Lookup returns %d, %q, %t", value, pattern, ok)
	}
	if _, ok := n.Exact("a"); ok {
		t.Error("without names, Exact finds one")
	}
}

func TestLookupRandom(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	word := func(alphabet string, longest int) string {
		b := make([]byte, 1+random.IntN(longest))
		for i := range b {
			b[i] = alphabet[random.IntN(len(alphabet))]
		}
		return string(b)
	}
	for round := range 2000 {
		var patterns []string
		for range 1 + random.IntN(20) {
			if pattern := word("ab*", 6); !slices.Contains(patterns, pattern) {
				patterns = append(patterns, pattern)
			}
		}
		n := namesOf(patterns...)
		for range 50 {
			name := word("abc", 9)
			want, found := naiveLookup(patterns, name)
			if checkLookup(t, n, name, want, found); t.Failed() {
				t.Fatalf("round %d: the patterns are %q", round, patterns)
			}
		}
	}
}

// FuzzLookup compares what is found with a naive search. Each line of the text is a pattern.
func FuzzLookup(f *testing.F) {
	for _, text := range []string{"_ga\n_ga*\n*", "a*b*c\n*b*\nab*", "**\n*", "é*\n*\xa9", ""} {
		f.Add(text, "_ga_1")
		f.Add(text, "abbc")
		f.Add(text, "é")
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		var patterns []string
		for pattern := range strings.SplitSeq(text, "\n") {
			if strings.Count(pattern, "*") > 8 || len(name) > 100 {
				return // the naive search takes exponential time
			}
			if !slices.Contains(patterns, pattern) {
				patterns = append(patterns, pattern)
			}
		}
		want, found := naiveLookup(patterns, name)
		checkLookup(t, namesOf(patterns...), name, want, found)
	})
}

// naiveLookup tries one pattern after the other.
func naiveLookup(patterns []string, name string) (best string, found bool) {
	for _, pattern := range patterns {
		if !strings.Contains(pattern, "*") && pattern == name {
			return pattern, true
		}
	}
	literals := func(pattern string) int { return len(strings.ReplaceAll(pattern, "*", "")) }
	for _, pattern := range patterns {
		better := !found || literals(pattern) > literals(best)
		if strings.Contains(pattern, "*") && better && naiveMatch(pattern, name) {
			best, found = pattern, true
		}
	}
	return best, found
}

// naiveMatch tries every run of bytes for every *.
func naiveMatch(pattern, name string) bool {
	switch {
	case pattern == "":
		return name == ""
	case pattern[0] == '*':
		return naiveMatch(pattern[1:], name) || name != "" && naiveMatch(pattern, name[1:])
	}
	return name != "" && name[0] == pattern[0] && naiveMatch(pattern[1:], name[1:])
}

func TestLookupMany(t *testing.T) {
	const count = 2000
	var patterns []string
	for i := range count {
		patterns = append(patterns, fmt.Sprintf("exact%d", i), fmt.Sprintf("prefix%d_*", i),
			fmt.Sprintf("*_suffix%d", i), fmt.Sprintf("*_middle%d_*", i))
	}
	n := namesOf(patterns...)
	for i := range count {
		for k, format := range []string{"exact%d", "prefix%d_x", "x_suffix%d", "x_middle%d_x"} {
			checkLookup(t, n, fmt.Sprintf(format, i), patterns[4*i+k], true)
		}
	}
	for _, format := range []string{"exact%d", "prefix%d_x", "x_suffix%d", "x_middle%d_x"} {
		checkLookup(t, n, fmt.Sprintf(format, count), "", false)
	}
	checkLookup(t, n, "exact", "", false)
	checkLookup(t, n, "x", "", false)
}

// TestLookupIsLinear: in quadratic time this name takes tens of seconds, in linear time a
// millisecond.
func TestLookupIsLinear(t *testing.T) {
	n := namesOf("*a*b*", "*a*a*b*", "a*a*b", "*a*b", "a*b*", "*aa*ab*ba*")
	name := strings.Repeat("a", 256<<10)
	begin := time.Now()
	checkLookup(t, n, name, "", false)
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("the lookup of %d bytes took %v", len(name), took)
	}
}

func BenchmarkLookup(b *testing.B) {
	var patterns []string
	for i := range 1000 {
		patterns = append(patterns, fmt.Sprintf("_tracker%d_*", i), fmt.Sprintf("*_suffix%d", i))
	}
	n := namesOf(append(patterns, "sessionid")...)
	for _, name := range []string{"sessionid", "_tracker500_x", "unlisted_name"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				n.Lookup(name)
			}
		})
	}
}
