package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
)

// A handler may send its header in any way there is, and set cookies under every spelling of the
// key. The HTTP/3 server reads the header map late, when a body has some size or at the end: what
// is set until then is filtered.
func TestHandlerHTTP3EveryWayToSendAHeader(t *testing.T) {
	gateway := startHTTP3(t, caddyWithHandler(t),
		"handle /encoded {\nroute {\nencode {\ngzip\nminimum_length 1\n}\n"+
			"cookie_policy opendatasoft\ntest_handler\n}\n}\n"+
			"handle /templates {\nroute {\ntemplates\ncookie_policy opendatasoft\ntest_handler\n}\n"+
			"}\nroute {\ncookie_policy opendatasoft\ntest_handler\n}")
	clients := map[string]http.RoundTripper{"HTTP/2": portaltest.Protocols(t)["HTTP/2"],
		"HTTP/3": gateway.transport}
	const (
		first = "set Set-Cookie=" + google + "|set Set-Cookie=" + session
		later = "set Set-Cookie=" + google + "|set set-cookie=" + unlisted + "|set SET-COOKIE=" +
			matomo + "|set Set-Cookie2=" + session
		once = "status 200|write 5"
	)
	for _, c := range []struct {
		name, steps string
		body        int
	}{
		{"sets headers and writes nothing", first, 0},
		{"writes a small body", first + "|write 5", 5},
		{"writes a large body", first + "|write 100000", 100000},
		{"writes a status", first + "|status 418", 0},
		{"flushes", first + "|flush", 0},
		{"copies from a reader", first + "|copy 5000", 5000},
		{"sends early hints", first + "|status 103|write 5", 5},
		{"sends early hints, and then sets more", first + "|status 103|" + later + "|write 5", 5},
		{"sets more after the status, before nothing", first + "|status 200|" + later, 0},
		{"sets more after the status, before a small body", first + "|status 200|" + later + "|write 5", 5},
		{"sets more after the status, before a large body",
			first + "|status 200|" + later + "|write 100000", 100000},
		{"sets more after the status, before a copied body",
			first + "|status 200|" + later + "|copy 100000", 100000},
		{"sets more after the status, before a flush",
			first + "|status 200|" + later + "|flush|write 5", 5},
		{"sets more after a small body", first + "|" + once + "|" + later, 5},
		{"sets more between small bodies", first + "|" + once + "|" + later + "|write 5", 10},
		{"sets more between a small body and a flush", first + "|" + once + "|" + later + "|flush", 5},
		{"sets more between a small and a large body",
			first + "|" + once + "|" + later + "|write 100000", 100005},
		{"sets more between a small and a copied body",
			first + "|" + once + "|" + later + "|copy 100000", 100005},
		{"sets more again and again", first + "|" + once + "|" + later + "|write 2000|" + later +
			"|write 2000|" + later + "|write 2000|" + later, 6005},
		{"sets more after a large body", first + "|write 100000|" + later, 100000},
		{"a key in small letters", "set set-cookie=" + google + "|set set-cookie=" + session +
			"|write 5", 5},
		{"a key in capitals", "set SET-COOKIE=" + google + "|set SET-COOKIE=" + session + "|write 5", 5},
		{"Set-Cookie2", first + "|set Set-Cookie2=" + session + "|set set-cookie2=" + session +
			"|write 5", 5},
		{"an error", first + "|error 404", 0},
		{"trailers", first + "|set Trailer=Set-Cookie2|write 5|flush|set Trailer:Set-Cookie=" +
			google + "|set Set-Cookie2=" + session, 5},
	} {
		query := url.Values{"do": append([]string{"set Content-Type=text/plain"},
			strings.Split(c.steps, "|")...)}
		for _, path := range []string{"/", "/encoded", "/templates"} {
			for log, base := range gateway.urls {
				for protocol, client := range clients {
					what := fmt.Sprintf("%s, at %s%s over %s", c.name, path, log, protocol)
					header := http.Header{"Accept-Encoding": {"identity"}}
					got := portaltest.Ask(t, client, http.MethodGet, base+path+"?"+query.Encode(),
						header, nil)
					if !slices.Equal(got.Header["Set-Cookie"], []string{session}) ||
						got.Header["Set-Cookie2"] != nil {
						t.Errorf("%s: got %q", what, got.Header)
					}
					if len(got.Trailer["Set-Cookie"])+len(got.Trailer["Set-Cookie2"]) > 0 {
						t.Errorf("%s: got the trailer %q", what, got.Trailer)
					}
					for _, h := range got.Hints {
						if !slices.Equal(h.Header["Set-Cookie"], []string{session}) {
							t.Errorf("%s: got %d with %q", what, h.Status, h.Header)
						}
					}
					if len(got.Body) != c.body {
						t.Errorf("%s: got a body of %d bytes, want %d", what, len(got.Body), c.body)
					}
				}
			}
		}
	}
}

// A handler that leaves the status and the type of its response to the server, or sets them late, gets
// the same response over HTTP/3 with the policy as without it.
func TestHandlerHTTP3StatusAndType(t *testing.T) {
	gateway := startHTTP3(t, caddyWithHandler(t), "handle /with {\nroute {\ncookie_policy opendatasoft\n"+
		"test_handler\n}\n}\nhandle /without {\nroute {\ntest_handler\n}\n}")
	for _, steps := range []string{
		"write 9000", "copy 5000", "write 5", "write 0|status 404|write 1", "copy 0|status 404|write 1",
		"write 0|set X-Late=1|write 5", "flush|status 404|write 1", "flush|write 9000",
	} {
		query := url.Values{"do": strings.Split(steps, "|")}.Encode()
		for log, base := range gateway.urls {
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				ask := func(path string) portaltest.Reply {
					got := portaltest.Ask(t, gateway.transport, method, base+path+"?"+query, nil, nil)
					got.Header.Del("Date")
					return got
				}
				got, bare := ask("/with"), ask("/without")
				if got.Status != bare.Status || got.Body != bare.Body ||
					fmt.Sprint(got.Header) != fmt.Sprint(bare.Header) {
					t.Errorf("%s %s%s: got %d %v, and without the policy %d %v", method, steps, log,
						got.Status, got.Header, bare.Status, bare.Header)
				}
			}
		}
	}
}

// Over HTTP/2 and HTTP/3 a 101 is one more informational response: what is set after it is filtered
// too, also where nothing is written any more.
func TestHandlerSwitchingProtocols(t *testing.T) {
	gateway := startHTTP3(t, caddyWithHandler(t), "route {\ncookie_policy opendatasoft\ntest_handler\n}")
	const (
		first = "set Set-Cookie=" + google + "|set Set-Cookie=" + session + "|status 101|"
		later = "replace Set-Cookie=" + google + "|set Set-Cookie=" + csrf + "|set set-cookie=" + unlisted
	)
	for name, steps := range map[string]string{
		"nothing":      first + later,
		"a status":     first + later + "|status 200",
		"a small body": first + later + "|write 5",
		"a large body": first + later + "|write 100000",
		"a flush":      first + later + "|flush",
	} {
		query := url.Values{"do": append([]string{"set Content-Type=text/plain"},
			strings.Split(steps, "|")...)}
		for log, base := range gateway.urls {
			target := base + "/?" + query.Encode()
			for protocol, got := range map[string]portaltest.Reply{
				"HTTP/2": portaltest.Ask(t, portaltest.Protocols(t)["HTTP/2"], http.MethodGet,
					target, nil, nil),
				"HTTP/3": askRawHTTP3(t, target),
			} {
				if len(got.Hints) != 1 || got.Hints[0].Status != 101 ||
					!slices.Equal(got.Hints[0].Header["Set-Cookie"], []string{session}) {
					t.Errorf("%s, over %s%s: before the answer there is %+v", name, protocol, log,
						got.Hints)
				}
				if got.Status != 200 || !slices.Equal(got.Header["Set-Cookie"], []string{csrf}) {
					t.Errorf("%s, over %s%s: the answer is %d with %q", name, protocol, log,
						got.Status, got.Header)
				}
			}
		}
	}
}

// askRawHTTP3 reads all headers up to a final one. quic-go's own client takes a 101 for a final
// one.
func askRawHTTP3(t testing.TB, target string) (r portaltest.Reply) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := dialHTTP3(t, ctx, req.URL.Host)
	req.Host = "localhost"
	stream, err := client.OpenRequestStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.SendRequestHeader(req); err != nil {
		t.Fatal(err)
	}
	for {
		resp, err := stream.ReadResponse()
		if err != nil {
			t.Fatalf("%v after %+v", err, r)
		}
		if resp.StatusCode >= 200 {
			r.Status, r.Header = resp.StatusCode, resp.Header
			return r
		}
		r.Hints = append(r.Hints, portaltest.Hint{Status: resp.StatusCode, Header: resp.Header})
	}
}

// dialHTTP3 opens a connection to a gateway.
func dialHTTP3(t testing.TB, ctx context.Context, address string) *http3.ClientConn {
	t.Helper()
	config := portaltest.AnyCertificate()
	config.NextProtos = []string{http3.NextProtoH3}
	conn, err := quic.DialAddr(ctx, address, config, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "") })
	return new(http3.Transport).NewClientConn(conn)
}
