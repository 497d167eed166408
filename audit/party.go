package audit

import (
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// Parties, as seen from the portal's host.
const (
	partyHost  = "host"  // the same host
	partySite  = "site"  // another host of the same site, or of a domain that was named
	partyThird = "third" // all others
)

// siteOf returns the registrable domain of a host, or the host itself where there is none.
func siteOf(host string) string {
	host = strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(host, "."), "."))
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return host
	}
	if site, err := publicsuffix.EffectiveTLDPlusOne(host); err == nil {
		return site
	}
	return host
}

// isPublicSuffix reports whether anybody can have a domain below this one. A single word that is in no list
// is a host of a local network.
func isPublicSuffix(domain string) bool {
	suffix, isListed := publicsuffix.PublicSuffix(domain)
	return suffix == domain && (isListed || strings.Contains(domain, "."))
}

// partyOf returns the party of a host or of a cookie's domain.
func partyOf(host, top string, firstParty []string) string {
	host = strings.ToLower(strings.TrimPrefix(host, "."))
	site := siteOf(host)
	switch {
	case strings.EqualFold(host, top):
		return partyHost
	case site == siteOf(top), slices.ContainsFunc(firstParty, func(d string) bool {
		return host == d || strings.HasSuffix(host, "."+d)
	}):
		return partySite
	}
	return partyThird
}
