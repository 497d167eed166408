package cookiepolicy

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// trailerPortal keeps what the last request brought: its cookies, the names that it announced for its
// trailer, and the fields of the trailer.
type trailerPortal struct {
	address string

	mu        sync.Mutex
	cookies   []string // of the header
	body      string
	announced []string
	trailer   http.Header
}

func startTrailerPortal(t *testing.T) *trailerPortal {
	t.Helper()
	p := new(trailerPortal)
	p.address = portaltest.StartHandler(t, func(_ http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.cookies, p.announced = slices.Clone(r.Header["Cookie"]), slices.Sorted(maps.Keys(r.Trailer))
		body, _ := io.ReadAll(r.Body)
		p.body, p.trailer = string(body), r.Trailer.Clone()
	})
	return p
}

// seen returns what the last request brought, as text.
func (p *trailerPortal) seen() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Sprintf("cookies %q, body %q, announced %q, trailer %q",
		p.cookies, p.body, p.announced, p.trailer)
}

// A request's trailer brings the portal no cookie, in any spelling and over any version of HTTP, and
// does not announce one. Other fields arrive unchanged. In mode report all of them do.
func TestHandlerRequestTrailers(t *testing.T) {
	const head = "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nCookie: sessionid=1\r\n" +
		"Transfer-Encoding: chunked\r\n"
	const chunks = "\r\n5\r\nhello\r\n0\r\n"
	portal := startTrailerPortal(t)
	for transport, upstream := range map[string]string{
		"HTTP/1.1": "reverse_proxy " + portal.address,
		"h2c":      "reverse_proxy h2c://" + portal.address,
	} {
		for _, c := range []struct {
			what, mode, announce, trailer string
			announced                     []string
			want                          http.Header
		}{
			{"Cookie", "enforce", "Cookie", "Cookie: _ga=1\r\n", nil, http.Header{}},
			{"a listed cookie", "enforce", "Cookie, X-Checksum",
				"Cookie: sessionid=2\r\nX-Checksum: 5d41\r\n",
				[]string{"X-Checksum"}, http.Header{"X-Checksum": {"5d41"}}},
			{"another case", "enforce", "x-checksum, cOOkIE", "X-CHECKSUM: 5d41\r\nCOOKIE: _ga=1\r\n",
				[]string{"X-Checksum"}, http.Header{"X-Checksum": {"5d41"}}},
			{"not announced", "enforce", "X-Checksum", "cookie: _ga=1\r\nX-Checksum: 5d41\r\n",
				[]string{"X-Checksum"}, http.Header{"X-Checksum": {"5d41"}}},
			{"announced, and not there", "enforce", "Cookie, X-Checksum", "X-Checksum: 5d41\r\n",
				[]string{"X-Checksum"}, http.Header{"X-Checksum": {"5d41"}}},
			{"other fields", "enforce", "X-Checksum, Cookie2",
				"X-Checksum: 5d41\r\nX-Checksum: 5d42\r\nCookie2: a\r\n",
				[]string{"Cookie2", "X-Checksum"},
				http.Header{"X-Checksum": {"5d41", "5d42"}, "Cookie2": {"a"}}},
			{"mode report", "report", "Cookie, X-Checksum", "Cookie: _ga=1\r\nX-Checksum: 5d41\r\n",
				[]string{"Cookie", "X-Checksum"}, http.Header{"Cookie": {"_ga=1"}, "X-Checksum": {"5d41"}}},
		} {
			t.Run(c.what+", to the portal over "+transport, func(t *testing.T) {
				gateway := caddytest.Start(t, "cookie_policy opendatasoft {\nmode "+c.mode+"\n}\n"+upstream)
				want := fmt.Sprintf("cookies %q, body %q, announced %q, trailer %q",
					[]string{"sessionid=1"}, "hello",
					c.announced, c.want)
				gateway.Send(t, head+"Trailer: "+c.announce+"\r\n"+chunks+c.trailer+"\r\n")
				if got := portal.seen(); got != want {
					t.Errorf("HTTP/1.1: got  %s\nwant %s", got, want)
				}
				if !strings.Contains(strings.ToLower(c.announce), "cookie") {
					return // Go's client sends no field that it does not announce
				}
				gateway.Ask(t, trailing{portaltest.Protocols(t)["HTTP/2"], c.announce, c.trailer},
					http.MethodPost, "/", http.Header{"Cookie": {"sessionid=1"}}, strings.NewReader("hello"))
				if got := portal.seen(); got != want {
					t.Errorf("HTTP/2: got  %s\nwant %s", got, want)
				}
			})
		}
	}
}

// trailing adds a trailer to each request.
type trailing struct {
	client            http.RoundTripper
	announce, trailer string
}

func (c trailing) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Trailer = http.Header{}
	for name := range strings.SplitSeq(c.announce, ", ") {
		r.Trailer[name] = nil
	}
	for line := range strings.SplitSeq(strings.TrimSpace(c.trailer), "\r\n") {
		name, value, _ := strings.Cut(line, ": ")
		for announced := range r.Trailer {
			if strings.EqualFold(announced, name) {
				r.Trailer[announced] = append(r.Trailer[announced], value)
			}
		}
	}
	r.ContentLength = -1
	return c.client.RoundTrip(r)
}

// A handler within the policy reads the request's trailer as the portal does.
func TestHandlerRequestTrailersOfHandlers(t *testing.T) {
	gateway := caddytest.Start(t, "route {\ncookie_policy opendatasoft\ntest_handler\n}")
	var seen []string
	caddytest.SetHandler(t, func(_ http.ResponseWriter, r *http.Request) error {
		announced := slices.Sorted(maps.Keys(r.Trailer))
		body, err := io.ReadAll(r.Body)
		seen = append(seen, fmt.Sprintf("%q %q %q", announced, body, r.Trailer))
		return err
	})
	gateway.Send(t, "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"+
		"Trailer: Cookie\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nCookie: _ga=1\r\n"+
		"cookie: _ga=2\r\nX-Checksum: 5d41\r\n\r\n")
	want(t, "the handler", seen, []string{`[] "hello" map["X-Checksum":["5d41"]]`})
}
