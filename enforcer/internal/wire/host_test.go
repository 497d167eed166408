package wire

import "testing"

func TestHostName(t *testing.T) {
	for host, want := range map[string]string{
		"":                    "",
		"data.city.example":   "data.city.example",
		"Data.City.Example":   "data.city.example",
		"data.city.example:8": "data.city.example",
		"LOCALHOST:8080":      "localhost",
		"localhost:":          "localhost",
		"192.0.2.7:80":        "192.0.2.7",
		"[2001:DB8::1]":       "[2001:db8::1]",
		"[2001:db8::1]:443":   "[2001:db8::1]",
		":8080":               "",
	} {
		if got := HostName(host); got != want {
			t.Errorf("HostName(%q) = %q, want %q", host, got, want)
		}
	}
}

func TestNormalDomain(t *testing.T) {
	for domain, want := range map[string]string{
		"": "", ".": "", "example.com": "example.com", ".Example.COM": "example.com",
		"..example.com": ".example.com",
	} {
		if got := NormalDomain(domain); got != want {
			t.Errorf("NormalDomain(%q) = %q, want %q", domain, got, want)
		}
	}
}

func TestCookieDomain(t *testing.T) {
	for host, want := range map[string]string{
		"data.city.example":        "data.city.example",
		"Data.City.example:8443":   "data.city.example",
		"city.example":             "city.example",
		"my-city.example":          "my-city.example",
		"xn--bcher-kva.example":    "xn--bcher-kva.example",
		"1.city.example":           "1.city.example",
		"7.co":                     "7.co",
		"data.city.co.uk":          "data.city.co.uk",
		"city.co.uk":               "city.co.uk",
		"co.uk":                    "", // public suffixes
		"gov.uk":                   "",
		"github.io":                "",
		"me.github.io":             "me.github.io",
		"com":                      "",
		"localhost":                "", // a single label
		"localhost:8080":           "",
		"":                         "",
		"192.0.2.7":                "", // addresses
		"192.0.2.7:80":             "",
		"[2001:db8::1]:443":        "",
		"1.2":                      "",
		".city.example":            "", // empty labels
		"city..example":            "",
		"city.example.":            "",
		".":                        "",
		"data_portal.city.example": "", // other bytes
		"city.example; Secure":     "",
		"city.example,":            "",
		"city example":             "",
		"café.example":             "",
		"city.example\r\nx":        "",
	} {
		if got := CookieDomain(host); got != want {
			t.Errorf("CookieDomain(%q) = %q, want %q", host, got, want)
		}
	}
}

func TestAcceptsDomain(t *testing.T) {
	for _, c := range []struct {
		what, host, domain string
		want               bool
	}{
		{"the host itself", "data.city.example", "data.city.example", true},
		{"a port and another case", "Data.City.example:8443", "data.city.example", true},
		{"a domain above", "data.city.example", "city.example", true},
		{"no Domain", "data.city.example", "", true},
		{"another domain", "data.town.example", "city.example", false},
		{"a domain of the portal's own", "data.city.example", "other.example.org", false},
		{"a domain below", "city.example", "data.city.example", false},
		{"a domain that ends alike", "data.city.example", "ity.example", false},
		{"a public suffix", "data.city.co.uk", "co.uk", false},
		{"a public suffix of a company", "me.github.io", "github.io", false},
		{"a public suffix that is the host", "gov.uk", "gov.uk", true},
		{"a top-level domain", "data.city.com", "com", false},
		{"the end of an address", "192.0.2.7", "2.7", false},
		{"an address", "192.0.2.7:8080", "192.0.2.7", true},
		{"an address in version 6", "[2001:db8::1]:8080", "[2001:db8::1]", true},
		{"a host with an underscore", "data_portal.city.example", "city.example", true},
		{"a single label that is the host", "localhost:8080", "localhost", true},
		{"a single label above", "data.intranet", "intranet", true},
	} {
		t.Run(c.what, func(t *testing.T) {
			if got := AcceptsDomain(c.host, c.domain); got != c.want {
				t.Errorf("AcceptsDomain(%q, %q) = %t", c.host, c.domain, got)
			}
		})
	}
}

func TestIsPublicSuffix(t *testing.T) {
	for domain, want := range map[string]bool{
		"com": true, "fr": true, "co.uk": true, "gov.uk": true, "github.io": true,
		"example.com": false, "city.co.uk": false, "me.github.io": false,
		"example": false, "localhost": false, "intranet": false, // single labels that no list has
		"192.0.2.7": false, "2001:db8::1": false, "": false,
	} {
		if got := IsPublicSuffix(domain); got != want {
			t.Errorf("IsPublicSuffix(%q) = %t", domain, got)
		}
	}
}
