package wire

import (
	"iter"
	"strings"
)

// Pairs iterates over the names and values of a request's Cookie header, over all of its lines. A
// server joins lines with `; ` (RFC 6265bis section 5.8.4, RFC 9113 section 8.2.3), so reading one
// line after the other is the same. Pairs are trimmed as browsers trim. A pair without an equals
// sign has no name. Empty pairs are skipped.
func Pairs(lines []string) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for _, line := range lines {
			for rest, more := line, true; more; {
				var pair string
				pair, rest, more = strings.Cut(rest, ";")
				if pair = Trim(pair); pair == "" {
					continue
				}
				name, value := "", pair
				if equals := strings.IndexByte(pair, '='); equals >= 0 {
					name, value = Trim(pair[:equals]), Trim(pair[equals+1:])
				}
				if !yield(name, value) {
					return
				}
			}
		}
	}
}

// CountPairs returns the number of pairs with a name.
func CountPairs(lines []string, name string) (n int) {
	for pair := range Pairs(lines) {
		if pair == name {
			n++
		}
	}
	return n
}

// FilterPairs returns a Cookie line without the pairs that keep rejects, and whether any was
// rejected. What is kept stays byte for byte and in order. keep is called with each name, "" for a
// pair without one; an empty pair is kept.
func FilterPairs(line string, keep func(name string) bool) (kept string, changed bool) {
	var b strings.Builder
	for start := 0; start <= len(line); {
		end := len(line)
		if semicolon := strings.IndexByte(line[start:], ';'); semicolon >= 0 {
			end = start + semicolon
		}
		pair := line[start:end]
		name, _, found := strings.Cut(pair, "=")
		name = Trim(name)
		empty := !found && name == "" // "=x" is a pair without a name
		if !found {
			name = ""
		}
		switch {
		case empty || keep(name):
			if changed {
				if b.Len() > 0 {
					b.WriteByte(';')
				} else {
					pair = trimLeft(pair)
				}
				b.WriteString(pair)
			}
		case !changed:
			changed = true
			b.Grow(len(line))
			b.WriteString(strings.TrimSuffix(line[:start], ";"))
		}
		start = end + 1
	}
	if !changed {
		return line, false
	}
	if kept = b.String(); strings.Trim(kept, "; \t") == "" {
		kept = "" // only separators are left
	}
	return kept, true
}
