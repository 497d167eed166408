package e2e

//lint:file-ignore SA1019 net/http's own transport refuses the pseudo-header of an extended CONNECT

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
)

// A WebSocket over HTTP/2 and HTTP/3 begins with a CONNECT, whose 200 carries the cookies of the
// portal's 101 that the policy lets through. Afterwards bytes flow both ways, untouched and at
// once.
func TestHandlerExtendedConnect(t *testing.T) {
	portal := portaltest.StartWebSocket(t)
	addresses := map[string]string{}
	var sites string
	var urls []string
	for name, directives := range map[string]string{
		"plain":          "cookie_policy opendatasoft\n",
		"logged":         "log {\noutput discard\n}\ncookie_policy opendatasoft\n",
		"through encode": "cookie_policy opendatasoft\nencode gzip\n",
	} {
		port := portaltest.FreePort(t)
		addresses[name] = fmt.Sprintf("127.0.0.1:%d", port)
		site := fmt.Sprintf("https://localhost:%d", port)
		urls = append(urls, site)
		sites += fmt.Sprintf("%s {\n%sreverse_proxy %s\n}\n", site, directives, portal)
	}
	// Go's server offers it over HTTP/2 only to those who ask.
	startSites(t, caddy, "", sites, urls, "GODEBUG=http2xconnect=1")
	for name, address := range addresses {
		for protocol, connect := range map[string]func(testing.TB, context.Context,
			string) (*http.Response, io.Writer){"HTTP/2": connectHTTP2, "HTTP/3": connectHTTP3} {
			t.Run(name+", "+protocol, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				resp, out := connect(t, ctx, address)
				defer resp.Body.Close()
				if resp.StatusCode != 200 || !slices.Equal(resp.Header["Set-Cookie"], []string{session}) {
					t.Errorf("got %s with %q", resp.Status, resp.Header["Set-Cookie"])
				}
				portaltest.ExchangeFrames(t, "the stream", out, resp.Body)
			})
		}
	}
}

func connectRequest(address string) *http.Request {
	return &http.Request{
		Method: http.MethodConnect,
		Host:   "localhost",
		URL:    &url.URL{Scheme: "https", Host: address, Path: "/"},
		Header: http.Header{"Sec-Websocket-Version": {"13"}},
	}
}

func connectHTTP2(t testing.TB, ctx context.Context, address string) (*http.Response, io.Writer) {
	t.Helper()
	transport := &http2.Transport{TLSClientConfig: portaltest.AnyCertificate()}
	t.Cleanup(transport.CloseIdleConnections)
	in, out := io.Pipe()
	t.Cleanup(func() { out.Close() })
	req := connectRequest(address).WithContext(ctx)
	req.Header[":protocol"] = []string{"websocket"}
	req.Body = in
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp, out
}

func connectHTTP3(t testing.TB, ctx context.Context, address string) (*http.Response, io.Writer) {
	t.Helper()
	client := dialHTTP3(t, ctx, address)
	select {
	case <-client.ReceivedSettings():
	case <-ctx.Done():
		t.Fatal("no HTTP/3 settings arrived")
	}
	if !client.Settings().EnableExtendedConnect {
		t.Fatal("the gateway does not offer extended CONNECT over HTTP/3")
	}
	stream, err := client.OpenRequestStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	req := connectRequest(address).WithContext(ctx)
	req.Proto = "websocket"
	if err := stream.SendRequestHeader(req); err != nil {
		t.Fatal(err)
	}
	resp, err := stream.ReadResponse()
	if err != nil {
		t.Fatal(err)
	}
	return resp, stream
}
