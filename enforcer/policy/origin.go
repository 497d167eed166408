package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/idna"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/wire"
)

const originScheme = "https://"

// OriginOf returns the origin of what a page loads, as a policy names it: https://host, with a port
// that is not the scheme's own. A WebSocket counts as what it begins with, so wss is https and ws is
// http. It reports whether the URL has such an origin: one with the scheme http, https, ws or wss and a
// host name with a dot in it.
func OriginOf(rawURL string) (origin string, ok bool) {
	scheme, rest, found := strings.Cut(rawURL, "://")
	if !found {
		return "", false
	}
	port := ""
	switch scheme = strings.ToLower(scheme); scheme {
	case "https", "wss":
		scheme, port = "https", ":443"
	case "http", "ws":
		scheme, port = "http", ":80"
	default:
		return "", false
	}
	authority, _, _ := strings.Cut(rest, "/")
	if i := strings.IndexAny(authority, `?#\`); i >= 0 {
		authority = authority[:i]
	}
	authority = strings.TrimSuffix(strings.ToLower(authority), port)
	host, digits, hasPort := strings.Cut(authority, ":")
	if host = strings.TrimSuffix(host, "."); hostFault(host) != "" || hasPort && portFault(digits) != "" {
		return "", false
	}
	if hasPort {
		host += ":" + digits
	}
	return scheme + "://" + host, true
}

// covers reports whether an origin of a rule stands for the origin of something loaded (CSP 3 section
// 6.7.2.8, matching of a host source). *.example.org is every host below example.org, and not that host.
func covers(pattern, origin string) bool {
	host, wild := strings.CutPrefix(pattern, originScheme+"*")
	if !wild {
		return pattern == origin
	}
	return strings.HasPrefix(origin, originScheme) && strings.HasSuffix(origin, host)
}

// RulesOf returns the rules that let pages load from an origin, in their order. The origin is as
// [OriginOf] returns it, or one that a rule names.
func (r *Resolved) RulesOf(origin string) (rules []*Rule) {
	for i := range r.policy.Allow {
		rule := &r.policy.Allow[i]
		if rule.OriginFor(origin) != "" {
			rules = append(rules, rule)
		}
	}
	return rules
}

// OriginFor returns the rule's origin that stands for another, or "" if none does.
func (r *Rule) OriginFor(origin string) string {
	if i := slices.IndexFunc(r.Origin, func(pattern string) bool { return covers(pattern, origin) }); i >= 0 {
		return r.Origin[i]
	}
	return ""
}

// Origins returns the origins of the rules that are let through, each once, in the order of the rules.
func (r *Resolved) Origins(letThrough func(*Rule) bool) []string {
	return originsOf(r.policy.Allow, letThrough)
}

func originsOf(rules []Rule, letThrough func(*Rule) bool) (origins []string) {
	for i := range rules {
		if len(rules[i].Origin) == 0 || !letThrough(&rules[i]) {
			continue
		}
		for _, origin := range rules[i].Origin {
			if !slices.Contains(origins, origin) {
				origins = append(origins, origin)
			}
		}
	}
	return origins
}

// condition returns what decides about the rule, so that two rules with the same condition are always
// let through together.
func (r *Rule) condition() string {
	if r.Category == Necessary {
		return ""
	}
	keys := slices.Clone(r.ConsentKeys())
	slices.Sort(keys)
	return fmt.Sprintf("%t %q", r.Anonymous, slices.Compact(keys))
}

// origin accepts what can stand for a third party in a Content-Security-Policy (CSP 3 section 2.3.1),
// and no more of it than the origin of a page: https, a host name, and perhaps a port.
func (v *validator) origin(path, origin string) {
	if problem, right := originFault(origin); problem != "" {
		v.fault(path, origin, problem, right)
	}
}

const anyOrigin = "write one such as https://cdn.example.org or https://*.example.org"

// IsOrigin reports whether a rule can have an origin.
func IsOrigin(origin string) bool {
	problem, _ := originFault(origin)
	return problem == ""
}

// originFault returns what is wrong with an origin, and what would be right.
func originFault(origin string) (problem, right string) {
	scheme, rest, found := strings.Cut(origin, "://")
	switch {
	case origin == "'self'" || origin == "self":
		return "the site's own host is always let through", "remove it"
	case origin == "*" || rest == "*":
		return "this stands for every host there is", anyOrigin
	case strings.HasPrefix(origin, "'") || !found && strings.HasSuffix(origin, ":"):
		return "this is a word of a Content-Security-Policy, and no origin", anyOrigin
	case !found:
		if hostFault(strings.TrimPrefix(strings.ToLower(origin), "*.")) == "" {
			return "an origin begins with its scheme", "write https://" + strings.ToLower(origin)
		}
		return "this is no origin", anyOrigin
	case scheme == "wss":
		return "WebSockets count as https, which stands for both", "write https://" + rest
	case scheme != "https":
		return "pages load third parties over https only", "write https://" + rest
	}
	if authority, more, _ := strings.Cut(rest, "/"); authority != rest {
		if more == "" {
			return "an origin ends with its host", "write https://" + authority
		}
		return "an origin has no path: browsers ignore it after a redirect",
			"write https://" + authority
	}
	host, port, hasPort := strings.Cut(rest, ":")
	if strings.HasPrefix(rest, "[") {
		host, hasPort = rest, false
	}
	host, wild := strings.CutPrefix(host, "*.")
	if problem := hostFault(host); problem != "" {
		return problem, rightHost(host, wild)
	}
	if wild && wire.IsPublicSuffix(host) {
		return "this stands for the hosts of many owners", "name one of them, such as https://cdn." + host
	}
	if hasPort {
		if problem := portFault(port); problem != "" {
			return problem, "write a number from 1 to 65535 after the colon, or leave it out for 443"
		}
		if port == "443" {
			return "443 is the port of https, and is left out", "write " + strings.TrimSuffix(origin, ":443")
		}
	}
	return "", ""
}

// rightHost says what would be right in place of a host that has a fault.
func rightHost(host string, wild bool) string {
	ascii, err := idna.Lookup.ToASCII(strings.TrimSuffix(host, "."))
	if err != nil || ascii == host || hostFault(ascii) != "" {
		return anyOrigin
	}
	if wild {
		ascii = "*." + ascii
	}
	return "write https://" + ascii
}

// maxHost is the length of the longest host name (RFC 1035 section 3.1).
const maxHost = 253

// hostFault returns what is wrong with a host name as a Content-Security-Policy can name it.
func hostFault(host string) string {
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return "browsers let no address stand for a host in a Content-Security-Policy"
	}
	for _, c := range []byte(host) {
		switch {
		case 'A' <= c && c <= 'Z':
			return "a host name is written in lower case"
		case c >= 0x80:
			return "browsers know this host by a name in ASCII"
		case c == '*':
			return "* stands for whole labels at the beginning only"
		case !isAlphanumeric(c) && c != '.' && c != '-' && c != '_':
			return "this is no host name"
		}
	}
	switch last := host[strings.LastIndexByte(host, '.')+1:]; {
	case strings.HasSuffix(host, "."):
		return "a host name has no dot at its end"
	case host == "" || strings.HasPrefix(host, ".") || strings.Contains(host, "..") || len(host) > maxHost:
		return "this is no host name"
	case last == host:
		return "the host name of a third party has a dot in it"
	case strings.Trim(last, "0123456789") == "":
		return "browsers let no address stand for a host in a Content-Security-Policy"
	}
	return ""
}

// portFault returns what is wrong with a port.
func portFault(port string) string {
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
		return "this is no port"
	}
	return ""
}
