package policy

import "strings"

// Near returns the one of the words that somebody who wrote word is likely to have meant: the same in
// another case, one that differs by a letter or two, or the only one that begins with it. It returns
// "" if there is none.
func Near(word string, words []string) string {
	const longest = 64 // of the words that there are
	if len(word) < 2 || len(word) > longest {
		return ""
	}
	lower := strings.ToLower(word)
	near, least, begin := "", 3, []string(nil)
	for _, candidate := range words {
		other := strings.ToLower(candidate)
		most := 2
		switch shorter := min(len(lower), len(other)); {
		case shorter < 3:
			most = 0
		case shorter < 6:
			most = 1
		}
		if d := distance(lower, other); d <= most && d < least {
			near, least = candidate, d
		}
		if len(lower) >= 3 && strings.HasPrefix(other, lower) {
			begin = append(begin, candidate)
		}
	}
	if near == "" && len(begin) == 1 {
		return begin[0]
	}
	return near
}

// distance counts the letters that are added, left out, replaced, or exchanged with their neighbour
// between two words (the optimal string alignment).
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
