package enforcer

import (
	"net/netip"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// Limits of what one response removes from a browser; the rest is removed by the next ones.
const (
	maxRemovals     = 20
	maxRemovalBytes = 4096
)

// remove adds lines that expire the cookies that the browser sent, that a rule names, and that this visitor does not grant. A name for which
// the response itself carries a line is left alone.
//
// A cookie is known by its name, its domain, its path and its partition, and a request shows only the name: each likely variant gets a line
// of its own. Cookies that cannot be met that way stay in the browser and would be tried again and again before all others; that is why the
// first one tried changes with the clock.
func (v *Visit) remove(header map[string][]string) {
	names := v.removals(header)
	if len(names) == 0 {
		return
	}
	if v.enforcer.reports {
		for _, name := range names {
			v.observeExpired(name)
		}
		return
	}
	r := remover{visit: v, host: domainOf(v.request.Host)}
	first := int(v.enforcer.now().Unix() % int64(len(names)))
	for i := range names {
		name := names[(first+i)%len(names)]
		if !r.add(name) {
			break
		}
		v.observeExpired(name)
	}
	header["Set-Cookie"] = append(header["Set-Cookie"], r.lines...)
	v.carries = v.carries || len(r.lines) > 0
}

// removals are the names to be removed, each once: at most so many that a response has room for one line each.
func (v *Visit) removals(header map[string][]string) (names []string) {
	pairs := cookiePairs{lines: v.cookies}
	for name, _, ok := pairs.next(); ok && len(names) < maxRemovals; name, _, ok = pairs.next() {
		if name == "" || contains(names, name) {
			continue
		}
		if r := v.enforcer.find(name); r != nil && !v.grants(r) && !setsCookie(header, name) {
			names = append(names, name)
		}
	}
	return names
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

// setsCookie says whether a response carries a line for a name.
func setsCookie(header map[string][]string, name string) bool {
	for key, lines := range header {
		if kindOf(key) != setCookieField {
			continue
		}
		for _, line := range lines {
			if c, ok := readSetCookie(line); ok && c.name == name {
				return true
			}
		}
	}
	return false
}

// remover collects the lines that one response has room for.
type remover struct {
	visit *Visit
	host  string // for Domain attributes; empty where browsers take none
	lines []string
	bytes int
}

// add adds the lines for one name, and says whether there was room for all of them.
func (r *remover) add(name string) bool {
	rule := r.visit.enforcer.find(name)
	domains := []string{""}
	if r.host != "" && !hasPrefixFold(name, "__host-") {
		domains = append(domains, r.host)
		for _, d := range rule.domains {
			domains = r.addDomain(domains, d)
		}
		for _, rewrite := range r.visit.enforcer.rewrites {
			domains = r.addDomain(domains, rewrite.to)
		}
	}
	paths := rule.paths
	if len(paths) == 0 || hasPrefixFold(name, "__host-") {
		paths = []string{"/"}
	}
	for _, path := range paths {
		for _, domain := range domains {
			line := name + "=; Path=" + path
			if domain != "" {
				line += "; Domain=" + domain
			}
			line += "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"
			if !r.visit.request.HTTPS {
				if !r.line(line) {
					return false
				}
				continue
			}
			// SameSite=None, or the line would not be taken inside a frame on another site. There the cookie may be in a partition of its own
			// (CHIPS), which only a line with Partitioned reaches.
			line += "; Secure; SameSite=None"
			if !r.line(line) || !r.line(line+"; Partitioned") {
				return false
			}
		}
	}
	return true
}

// addDomain adds a domain above the host, once.
func (r *remover) addDomain(domains []string, domain string) []string {
	if domain == "" || !strings.HasSuffix(r.host, "."+domain) || contains(domains, domain) {
		return domains
	}
	return append(domains, domain)
}

func (r *remover) line(line string) bool {
	if len(r.lines) == maxRemovals || r.bytes+len(line) > maxRemovalBytes {
		return false
	}
	r.lines = append(r.lines, line)
	r.bytes += len(line)
	return true
}

// domainOf is the host as a Domain attribute may name it: without port, in lower case, made of letters, digits, dots and hyphens. It is empty
// for all others, for addresses, and for public suffixes, where browsers take no such attribute (RFC 6265bis section 5.7, step 9).
func domainOf(host string) string {
	if colon := strings.LastIndexByte(host, ':'); colon >= 0 {
		host = host[:colon]
	}
	host = strings.ToLower(host)
	labels, numeric := 1, true
	for i := range len(host) {
		switch c := host[i]; {
		case c == '.':
			labels++
		case '0' <= c && c <= '9':
		case 'a' <= c && c <= 'z' || c == '-':
			numeric = false
		default:
			return ""
		}
	}
	if labels == 1 || numeric || isPublicSuffix(host) {
		return ""
	}
	return host
}

// isPublicSuffix says whether nobody can own the domain as a whole.
func isPublicSuffix(domain string) bool {
	if _, err := netip.ParseAddr(domain); err == nil {
		return false
	}
	suffix, icann := publicsuffix.PublicSuffix(domain)
	return suffix == domain && (icann || strings.Contains(domain, ".")) // a single label that the list does not know is a private name
}

func hasPrefixFold(s, lower string) bool {
	return len(s) >= len(lower) && equalFold(s[:len(lower)], lower)
}
