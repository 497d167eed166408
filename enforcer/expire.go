package enforcer

import (
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// Limits of what one response removes from a browser; the rest is removed by the next ones.
const (
	maxExpiries    = 20
	maxExpiryBytes = 4096
)

// expire adds lines that remove the cookies that the browser sent, that a rule names, and that this visitor does not grant. A name for which
// the response itself carries a line is left alone.
func (v *Visit) expire(header map[string][]string) {
	names := v.refusedNames(header)
	if len(names) == 0 {
		return
	}
	// A request may carry more names than any response has room for: which of them are looked at changes with the clock.
	if first := int(v.enforcer.now().Unix() % int64(len(names))); len(names) > maxExpiries {
		names = slices.Concat(names[first:], names[:first])[:maxExpiries]
	}
	host := domainOf(v.request.Host)
	expiries := make([][]string, len(names))
	for i, name := range names {
		expiries[i] = v.expiriesOf(name, host)
	}
	lines, told := v.thatFit(expiries), ""
	for _, line := range lines {
		if name, _, _ := strings.Cut(line, "="); name != told {
			v.observeExpired(name)
			told = name
		}
	}
	if len(lines) > 0 && !v.enforcer.reports {
		header["Set-Cookie"] = slices.Concat(header["Set-Cookie"], lines)
		v.carries = true
	}
}

// thatFit joins the lines for which one response has room, those for one name together. If that is not all of them, the first one changes with
// the clock: cookies that no line reaches stay in the browser, and would be tried again and again before all others.
func (v *Visit) thatFit(expiries [][]string) (lines []string) {
	if all := slices.Concat(expiries...); fitting(all) == len(all) {
		return all
	}
	now, names := v.enforcer.now().Unix(), int64(len(expiries))
	for i := range names {
		next := expiries[(now+i)%names]
		if more := slices.Concat(lines, next); fitting(more) == len(more) {
			lines = more
			continue
		}
		if len(lines) > 0 {
			break
		}
		// More lines than any response has room for, or longer ones.
		first := now / names % int64(len(next))
		next = slices.Concat(next[first:], next[:first])
		if lines = next[:fitting(next)]; len(lines) > 0 {
			break
		}
	}
	return lines
}

// fitting counts the lines, from the first one on, that one response has room for.
func fitting(lines []string) int {
	bytes := 0
	for i, line := range lines {
		bytes += len("Set-Cookie: ") + len(line) + len("\r\n")
		if i == maxExpiries || bytes > maxExpiryBytes {
			return i
		}
	}
	return len(lines)
}

// refusedNames are the names to be removed, each once.
func (v *Visit) refusedNames(header map[string][]string) (names []string) {
	seen := v.namesSet(header)
	for name := range cookiePairs(v.cookies()) {
		if name == "" || seen[name] {
			continue
		}
		seen[name] = true
		if r := v.enforcer.find(name); r != nil && !v.grants(r) {
			names = append(names, name)
		}
	}
	return names
}

// namesSet are the names for which the response carries a line when it goes out: a policy that only reports leaves those in it that it would
// take out.
func (v *Visit) namesSet(header map[string][]string) map[string]bool {
	set := map[string]bool{}
	long := past{now: v.enforcer.now, header: header}
	for key, lines := range header {
		if kindOf(key) != setCookieField {
			continue
		}
		for _, line := range lines {
			var j judgement
			if v.judge(line, &long, &j); j.verdict != VerdictRefused || !v.enforcer.reports {
				set[j.cookie.name] = true
			}
		}
	}
	return set
}

// expiriesOf are the lines that remove one cookie. A cookie is known by its name, its domain, its path and its partition, and a request shows
// only the name: each likely variant gets a line of its own.
func (v *Visit) expiriesOf(name, host string) (lines []string) {
	rule := v.enforcer.find(name)
	secure, httpOnly, hostOnly := demandsOf(name)
	domains := []string{""}
	if host != "" && !hostOnly {
		domains = append(domains, host)
		for _, domain := range rule.domains {
			domains = appendDomain(domains, domain, host)
		}
		for _, rewrite := range v.enforcer.rewrites {
			domains = appendDomain(domains, rewrite.to, host)
		}
	}
	paths := rule.paths
	if len(paths) == 0 || hostOnly {
		paths = []string{"/"}
	}
	for _, path := range paths {
		for _, domain := range domains {
			line := name + "=; Path=" + path
			if domain != "" {
				line += "; Domain=" + domain
			}
			line += "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"
			if httpOnly {
				line += "; HttpOnly"
			}
			if !v.request.HTTPS && !secure {
				lines = append(lines, line)
				continue
			}
			// SameSite=None, or the line would not be taken inside a frame on another site. There the cookie may be in a partition of its own
			// (CHIPS), which only a line with Partitioned reaches.
			line += "; Secure; SameSite=None"
			lines = append(lines, line, line+"; Partitioned")
		}
	}
	return lines
}

// appendDomain adds a domain above the host, once. One label alone belongs to many owners, be it on the list of public suffixes or not.
func appendDomain(domains []string, domain, host string) []string {
	if !strings.Contains(domain, ".") || !strings.HasSuffix(host, "."+domain) || slices.Contains(domains, domain) {
		return domains
	}
	return append(domains, domain)
}

// domainOf is the host as a Domain attribute may name it: without port, in lower case, made of letters, digits, dots and hyphens. It is empty
// for all others, for addresses, and for public suffixes, where browsers take no such attribute (RFC 6265bis section 5.7, step 9).
func domainOf(host string) string {
	host = hostName(host)
	labels, numeric := 1, true
	for i := range len(host) {
		switch c := host[i]; {
		case c == '.':
			if i == 0 || host[i-1] == '.' || i == len(host)-1 {
				return ""
			}
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
