package enforcer

import (
	"iter"
	"strings"
)

// cookiePairs goes through the pairs of a request's Cookie header, over all of its lines. A server joins lines with `; ` (RFC 6265bis
// section 5.8.4, RFC 9113 section 8.2.3), so that reading one line after the other is the same. Pairs are trimmed as browsers trim. A pair
// without `=` has no name. Empty pairs are passed over.
func cookiePairs(lines []string) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for _, line := range lines {
			for rest, more := line, true; more; {
				var pair string
				pair, rest, more = strings.Cut(rest, ";")
				if pair = trim(pair); pair == "" {
					continue
				}
				name, value := "", pair
				if equals := strings.IndexByte(pair, '='); equals >= 0 {
					name, value = trim(pair[:equals]), trim(pair[equals+1:])
				}
				if !yield(name, value) {
					return
				}
			}
		}
	}
}
