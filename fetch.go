package cookiepolicy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"golang.org/x/net/html/charset"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
)

// Limits of a page that a command reads.
const (
	maxPageBytes  = 8 << 20
	maxRedirects  = 10
	fetchTimeout  = 30 * time.Second
	pageUserAgent = "caddy-cookie-policy"
)

// document is a page that a command reads, in UTF-8.
type document struct {
	text        []byte
	contentType string
}

// readDocument reads a page from a file, from an http or https address, or from the standard input
// ("-"). Addresses that are not public are asked only if local says so: the address of a page can come
// from anybody, and a redirect from its server.
func readDocument(ctx context.Context, place string, local bool) (d document, err error) {
	var in io.Reader
	switch {
	case place == "-":
		in = os.Stdin
	case strings.HasPrefix(place, "http://") || strings.HasPrefix(place, "https://"):
		resp, err := fetchDocument(ctx, place, local)
		if err != nil {
			return d, err
		}
		defer resp.Body.Close()
		in, d.contentType = resp.Body, resp.Header.Get("Content-Type")
	default:
		file, err := os.Open(place)
		if err != nil {
			return d, err
		}
		defer file.Close()
		in = file
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxPageBytes+1))
	if err != nil {
		return d, err
	}
	if len(raw) > maxPageBytes {
		return d, fmt.Errorf("%s: the page has more than %d MiB", place, maxPageBytes>>20)
	}
	// What is not declared is guessed from the first kilobyte, which can be all ASCII.
	encoding, _, declared := charset.DetermineEncoding(raw, d.contentType)
	if !declared && utf8.Valid(raw) {
		d.text = raw
		return d, nil
	}
	d.text, err = encoding.NewDecoder().Bytes(raw)
	return d, err
}

// fetchDocument asks a server for a page.
func fetchDocument(ctx context.Context, address string, local bool) (*http.Response, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil {
		return nil, fmt.Errorf("%q: want an address such as https://data.example.org/terms/cookies-policy/", address)
	}
	dialer := &net.Dialer{Timeout: fetchTimeout}
	transport := &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}
	if local {
		transport.Proxy = http.ProxyFromEnvironment
	} else {
		dialer.Control = refuseLocal
	}
	client := &http.Client{
		Timeout:   fetchTimeout,
		Transport: transport,
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return fmt.Errorf("more than %d redirects", maxRedirects)
			}
			return nil
		},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", pageUserAgent)
	req.Header.Set("Accept", "text/html,application/xhtml+xml,text/plain;q=0.9")
	resp, err := client.Do(req)
	if err != nil {
		return nil, errors.New(report.Printable(err.Error()))
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, fmt.Errorf("%s: %s", report.Printable(address), report.Printable(resp.Status))
	}
	return resp, nil
}

// refuseLocal refuses to connect to an address that is not public.
func refuseLocal(_, address string, _ syscall.RawConn) error {
	addrPort, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if !isPublic(addrPort.Addr()) {
		return fmt.Errorf("%s is not a public address; to ask it all the same, use --local", addrPort.Addr())
	}
	return nil
}

// notPublic are addresses that are no hosts of the public Internet, besides those that package netip
// knows (IANA IPv4 and IPv6 Special-Purpose Address Registries). Those that hold an IPv4 address, by
// which a gateway could lead to a local one, are among them.
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("64:ff9b::/96"),
	netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("2001::/32"),
	netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("2002::/16"),
	netip.MustParsePrefix("fec0::/10"),
}

// isPublic reports whether an address is one of the public Internet.
func isPublic(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	for _, prefix := range notPublic {
		if prefix.Contains(a) {
			return false
		}
	}
	return true
}
