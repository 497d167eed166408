package wire

import (
	"net/netip"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// HostName returns a host without its port and in lower case.
func HostName(host string) string {
	colon := strings.LastIndexByte(host, ':')
	if colon >= 0 && strings.IndexByte(host[colon:], ']') < 0 {
		host = host[:colon]
	}
	return strings.ToLower(host)
}

// NormalDomain returns a Domain as browsers compare it: without a leading dot and in lower case
// (RFC 6265bis section 5.6.3).
func NormalDomain(domain string) string {
	return strings.ToLower(strings.TrimPrefix(domain, "."))
}

// CookieDomain returns a host as a Domain attribute can name it: without port and in lower case. It
// returns "" for a host with bytes other than letters, digits, dots and hyphens, for an address and
// for a public suffix: browsers accept no such Domain (RFC 6265bis section 5.7, step 9).
func CookieDomain(host string) string {
	host = HostName(host)
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
	if labels == 1 || numeric || IsPublicSuffix(host) {
		return ""
	}
	return host
}

// AcceptsDomain reports whether browsers accept a Domain, as [NormalDomain] writes it, on a cookie
// from a host: it must be that host, or a domain above it that is not a public suffix (RFC 6265bis
// section 5.7, steps 9 and 10). No Domain is accepted from every host.
func AcceptsDomain(host, domain string) bool {
	host = HostName(host)
	_, err := netip.ParseAddr(host)
	isAddress := err == nil // there is no domain above it
	return domain == "" || domain == host ||
		!isAddress && strings.HasSuffix(host, "."+domain) && !IsPublicSuffix(domain)
}

// IsPublicSuffix reports whether a domain has many owners below it, so that none can own it.
func IsPublicSuffix(domain string) bool {
	if _, err := netip.ParseAddr(domain); err == nil {
		return false
	}
	suffix, icann := publicsuffix.PublicSuffix(domain)
	// A single label that the list does not contain is a private name.
	return suffix == domain && (icann || strings.Contains(domain, "."))
}
