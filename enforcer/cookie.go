package enforcer

import "strings"

// cookiePairs goes through the pairs of a request's Cookie header, over all of its lines. A server joins lines with `; ` (RFC 6265bis
// section 5.8.4, RFC 9113 section 8.2.3), so that reading one line after the other is the same.
type cookiePairs struct {
	lines []string
	rest  string // of the line that is being read
}

// next returns the pair at hand, trimmed as browsers trim. A pair without `=` has no name. Empty pairs are passed over.
func (p *cookiePairs) next() (name, value string, ok bool) {
	for {
		for p.rest == "" {
			if len(p.lines) == 0 {
				return "", "", false
			}
			p.rest, p.lines = p.lines[0], p.lines[1:]
		}
		var pair string
		pair, p.rest, _ = strings.Cut(p.rest, ";")
		if pair = trim(pair); pair == "" {
			continue
		}
		equals := strings.IndexByte(pair, '=')
		if equals < 0 {
			return "", pair, true
		}
		return trim(pair[:equals]), trim(pair[equals+1:]), true
	}
}
