package enforcer

import (
	"slices"
	"strings"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/consent"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/wire"
)

// Limits of what one response removes from a browser. The next responses remove the rest.
const (
	maxExpiries    = 20
	maxExpiryBytes = 4096
)

// expiry is one cookie to remove, and the lines that do it.
type expiry struct {
	name  knownName
	lines []string
}

// expire adds lines that remove cookies that the browser sent, that a rule names, and that this
// visitor does not grant. A name for which the response itself has a line is left alone.
func (f *responseFilter) expire() {
	names := f.namesToExpire()
	if len(names) == 0 {
		return
	}
	// A request may have more names than fit into one response. Which ones are tried changes with the
	// clock.
	if first := int(f.seconds() % uint64(len(names))); len(names) > maxExpiries {
		names = slices.Concat(names[first:], names[:first])[:maxExpiries]
	}
	expiries := make([]expiry, len(names))
	for i, name := range names {
		expiries[i] = expiry{name, f.expiryLines(&name)}
	}
	var lines []string
	var keys consent.Set
	for _, e := range f.selectExpiries(expiries) {
		lines = append(lines, e.lines...)
		keys |= e.name.rule.keys
		f.tally.countExpiry(&e.name)
		if f.visitor.trace != nil {
			f.visitor.trace.expiry(f.visitor, &e)
		}
	}
	if len(lines) > 0 && !f.enforcer.reports {
		f.addLines(lines)
		f.state.dependsOn(f.visitor, keys)
	}
}

// selectExpiries returns the expiries for which one response has room. If that is not all of them,
// the first one changes with the clock: a cookie that no line reaches stays in the browser, and would
// be tried again and again before all others.
func (f *responseFilter) selectExpiries(expiries []expiry) (selected []expiry) {
	all := make([]string, 0, maxExpiries)
	for _, e := range expiries {
		all = append(all, e.lines...)
	}
	if countFitting(all) == len(all) {
		return expiries
	}
	now, names := f.seconds(), uint64(len(expiries))
	var lines []string
	for i := range names {
		next := expiries[(now+i)%names]
		if more := slices.Concat(lines, next.lines); countFitting(more) == len(more) {
			lines, selected = more, append(selected, next)
			continue
		}
		if len(selected) > 0 {
			break
		}
		// More lines than any response has room for, or longer ones.
		first := now / names % uint64(len(next.lines))
		next.lines = slices.Concat(next.lines[first:], next.lines[:first])
		if next.lines = next.lines[:countFitting(next.lines)]; len(next.lines) > 0 {
			return []expiry{next}
		}
	}
	return selected
}

// seconds returns the clock as a number that is not negative.
func (f *responseFilter) seconds() uint64 { return uint64(f.enforcer.now().Unix()) }

// countFitting returns how many lines, from the first one on, fit into one response.
func countFitting(lines []string) int {
	bytes := 0
	for i, line := range lines {
		bytes += len("Set-Cookie: ") + len(line) + len("\r\n")
		if i == maxExpiries || bytes > maxExpiryBytes {
			return i
		}
	}
	return len(lines)
}

// namesToExpire returns the names to remove from the browser, each once.
func (f *responseFilter) namesToExpire() (names []knownName) {
	seen := f.presentNames()
	for name := range wire.Pairs(f.visitor.cookies()) {
		if name == "" || seen[name] {
			continue
		}
		seen[name] = true
		if c := f.tally.lookupRead(name); c.rule != nil && !f.visitor.grants(c.rule).letsThrough() {
			names = append(names, c)
		}
	}
	return names
}

// expiryLines returns the lines that remove one cookie. A cookie is identified by its name, domain,
// path and partition, and a request shows only the name: each likely variant gets a line.
func (f *responseFilter) expiryLines(c *knownName) (lines []string) {
	name, rule, host := c.name.Text, c.rule, wire.CookieDomain(f.visitor.request.Host)
	require := wire.PrefixRequirements(name)
	domains := []string{""}
	if host != "" && !require.HostOnly {
		domains = append(domains, host)
		for _, domain := range rule.domains {
			domains = appendDomain(domains, domain, host)
		}
		for _, rewrite := range f.enforcer.rewrites {
			domains = appendDomain(domains, rewrite.to, host)
		}
	}
	paths := rule.declared.Path
	if len(paths) == 0 || require.HostOnly {
		paths = []string{"/"}
	}
	for _, path := range paths {
		for _, domain := range domains {
			line := name + "=; Path=" + path
			if domain != "" {
				line += "; Domain=" + domain
			}
			line += "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"
			if require.HTTPOnly {
				line += "; HttpOnly"
			}
			if !f.visitor.request.HTTPS && !require.Secure {
				lines = append(lines, line)
				continue
			}
			// Without SameSite=None the line would not be accepted in a frame on another site. There the
			// cookie may be in a partition of its own (CHIPS), which only a line with Partitioned reaches.
			line += "; Secure; SameSite=None"
			lines = append(lines, line, line+"; Partitioned")
		}
	}
	return lines
}

// appendDomain adds a domain above the host, once. A single label has many owners, whether or not it
// is on the list of public suffixes.
func appendDomain(domains []string, domain, host string) []string {
	if !strings.Contains(domain, ".") || !strings.HasSuffix(host, "."+domain) ||
		slices.Contains(domains, domain) {
		return domains
	}
	return append(domains, domain)
}
