package e2e

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
)

// sitePair is a site of a gateway, once with an access log and once without.
type sitePair struct {
	urls      map[string]string // by what distinguishes the two
	transport *http3.Transport
}

// startHTTP3 runs a gateway with a site, and returns a client that speaks HTTP/3 to it.
func startHTTP3(t testing.TB, binary, directives string) sitePair {
	t.Helper()
	return startHTTP3Sites(t, binary, directives)[0]
}

// startHTTP3Sites runs a gateway with several sites, given the directives of each.
func startHTTP3Sites(t testing.TB, binary string, directives ...string) (pairs []sitePair) {
	t.Helper()
	var sites strings.Builder
	var urls []string
	transport := &http3.Transport{
		TLSClientConfig:        portaltest.AnyCertificate(),
		DisableCompression:     true,
		MaxResponseHeaderBytes: 16 << 20,
	}
	for _, directives := range directives {
		pair := sitePair{map[string]string{}, transport}
		for what, log := range map[string]string{"": "", ", logged": "log {\noutput discard\n}\n"} {
			port := portaltest.FreePort(t)
			fmt.Fprintf(&sites, "https://localhost:%d {\n%s%s\n}\n", port, log, directives)
			pair.urls[what] = fmt.Sprintf("https://127.0.0.1:%d", port)
			urls = append(urls, fmt.Sprintf("https://localhost:%d", port))
		}
		pairs = append(pairs, pair)
	}
	startSites(t, binary, "", sites.String(), urls)
	t.Cleanup(func() { transport.Close() })
	return pairs
}

// Whatever sets a cookie, and on whatever way it takes through Caddy: over HTTP/3, too, the visitor
// gets the lines that the policy lets through, and the same status and body as ever.
func TestHTTP3EveryPath(t *testing.T) {
	paths := portaltest.Paths(t)
	directives := make([]string, len(paths))
	for i := range paths {
		directives[i] = paths[i].Directives
	}
	for i, gateway := range startHTTP3Sites(t, caddy, directives...) {
		for log, url := range gateway.urls {
			header := http.Header{"Accept-Encoding": {"gzip"}}
			paths[i].Check(t, paths[i].Name+log,
				portaltest.Ask(t, gateway.transport, http.MethodGet, url, header, nil))
		}
	}
}

// Statuses with a body and without, and the answers to HEAD.
func TestHTTP3EveryStatusAndMethod(t *testing.T) {
	gateway := startHTTP3(t, caddy, "cookie_policy opendatasoft\nreverse_proxy "+
		portaltest.StartStatuses(t))
	for log, url := range gateway.urls {
		portaltest.CheckStatuses(t, "HTTP/3"+log, func(method, path string) portaltest.Reply {
			return portaltest.Ask(t, gateway.transport, method, url+path, nil, nil)
		})
	}
}

// Each of several early hints carries the cookies that the policy lets through, and so does the
// final header.
func TestHTTP3EarlyHints(t *testing.T) {
	gateway := startHTTP3(t, caddy, portaltest.StartHints(t))
	for log, url := range gateway.urls {
		portaltest.CheckHints(t, "HTTP/3"+log, portaltest.Ask(t, gateway.transport, http.MethodGet,
			url, nil, nil))
	}
}

// Trailers pass, announced or not, and of the cookies among them those that the policy lets
// through.
func TestHTTP3Trailers(t *testing.T) {
	trailers := portaltest.Trailers()
	directives := make([]string, len(trailers))
	for i := range trailers {
		directives[i] = "cookie_policy opendatasoft\nreverse_proxy " + portaltest.StartPortal(t,
			trailers[i].Response).Address
	}
	for i, gateway := range startHTTP3Sites(t, caddy, directives...) {
		for log, url := range gateway.urls {
			header := http.Header{"Te": {"trailers"}}
			trailers[i].Check(t, "HTTP/3"+log, portaltest.Ask(t, gateway.transport, http.MethodGet,
				url, header, nil))
		}
	}
}

// Server-sent events arrive one by one: the next is not sent until the one before has arrived.
func TestHTTP3ServerSentEvents(t *testing.T) {
	events := portaltest.StartEvents(t)
	gateway := startHTTP3(t, caddy, "cookie_policy opendatasoft\nencode gzip\nreverse_proxy "+
		events.Address)
	for log, url := range gateway.urls {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "localhost"
		events.Check(t, "HTTP/3"+log, gateway.transport, req)
		cancel()
	}
}

// A portal that does not speak HTTP well: over HTTP/3, too, the visitor gets what they would get
// without the policy, except cookies.
func TestHTTP3Garbage(t *testing.T) {
	var directives strings.Builder
	paths := map[string]string{}
	for name, response := range portaltest.Garbage() {
		paths[name] = fmt.Sprint("/", len(paths))
		portal := portaltest.StartPortal(t, response).Address
		fmt.Fprintf(&directives, "handle %s/with {\ncookie_policy opendatasoft\nreverse_proxy %s\n"+
			"}\nhandle %[1]s/without {\nreverse_proxy %[2]s\n}\n", paths[name], portal)
	}
	gateway := startHTTP3(t, caddy, directives.String())
	for name, path := range paths {
		got, gotErr := portaltest.TryAsk(t, gateway.transport, http.MethodGet,
			gateway.urls[""]+path+"/with", nil, nil)
		bare, bareErr := portaltest.TryAsk(t, gateway.transport, http.MethodGet,
			gateway.urls[""]+path+"/without", nil, nil)
		if bareErr != nil {
			// A stream that is reset may take with it what came before. What does arrive is without
			// refused cookies. A key with a blank cannot be sent, and the policy removes it.
			unsendable := strings.HasSuffix(name, "before the colon")
			if kept := portaltest.Published(got.Header["Set-Cookie"]); gotErr == nil && !unsendable ||
				len(kept) < len(got.Header["Set-Cookie"]) {
				t.Errorf("%s: got %.300v, and without the policy %v", name, got, bareErr)
			}
			continue
		}
		if gotErr != nil || got.Status != bare.Status || got.Body != bare.Body ||
			got.Header.Get("X-Other") != bare.Header.Get("X-Other") {
			t.Errorf("%s: got %.300v (%v), and without the policy %.300v (%v)", name, got, gotErr,
				bare, bareErr)
		}
		want := portaltest.Published(bare.Header["Set-Cookie"])
		if !slices.Equal(got.Header["Set-Cookie"], want) {
			t.Errorf("%s: got %.300q, want %.300q", name, got.Header["Set-Cookie"], want)
		}
		for i := range min(len(got.Hints), len(bare.Hints)) {
			want := portaltest.Published(bare.Hints[i].Header["Set-Cookie"])
			if !slices.Equal(got.Hints[i].Header["Set-Cookie"], want) {
				t.Errorf("%s: got %.300q with a hint, want %.300q", name,
					got.Hints[i].Header["Set-Cookie"], want)
			}
		}
	}
}
