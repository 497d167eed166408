package e2e

//lint:file-ignore SA1019 net/http's own transport refuses the pseudo-header of an extended CONNECT

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"golang.org/x/net/http2"
)

// A WebSocket over HTTP/2 and HTTP/3 begins with a CONNECT, whose 200 carries the cookies of the portal's 101 that the policy lets through.
// Afterwards bytes flow both ways, untouched and at once.
func TestExtendedConnect(t *testing.T) {
	portal := startSocketPortal(t, func(conn net.Conn, in *bufio.Reader) {
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"+
			"Set-Cookie: "+google+"\r\nSet-Cookie: "+session+"\r\nset-cookie: "+unlisted+"\r\n\r\n\x81\x05hello")
		io.Copy(conn, in)
	})
	addresses := map[string]string{}
	var sites string
	var urls []string
	for name, directives := range map[string]string{
		"plain":          "cookie_policy opendatasoft\n",
		"logged":         "log {\noutput discard\n}\ncookie_policy opendatasoft\n",
		"through encode": "cookie_policy opendatasoft\nencode gzip\n",
	} {
		port := freePort(t)
		addresses[name] = fmt.Sprintf("127.0.0.1:%d", port)
		site := fmt.Sprintf("https://localhost:%d", port)
		urls = append(urls, site)
		sites += fmt.Sprintf("%s {\n%sreverse_proxy %s\n}\n", site, directives, portal)
	}
	// Go's server offers it over HTTP/2 only to those who ask.
	startSites(t, caddy, "", sites, urls, "GODEBUG=http2xconnect=1")
	for name, address := range addresses {
		for protocol, connect := range map[string]func(testing.TB, context.Context, string) (*http.Response, io.Writer){"HTTP/2": connectHTTP2, "HTTP/3": connectHTTP3} {
			t.Run(name+", "+protocol, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				resp, out := connect(t, ctx, address)
				defer resp.Body.Close()
				if resp.StatusCode != 200 || !slices.Equal(resp.Header["Set-Cookie"], []string{session}) {
					t.Errorf("got %s with %q", resp.Status, resp.Header["Set-Cookie"])
				}
				want := "\x81\x05hello"
				for range 3 {
					got := make([]byte, len(want))
					if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != want {
						t.Fatalf("got the frame %q, want %q (%v)", got, want, err)
					}
					want = "\x82\x7e\x01\x00Set-Cookie: " + google + "\r\n\r\n" + strings.Repeat("\x00\xff", 100)
					if _, err := io.WriteString(out, want); err != nil {
						t.Fatal(err)
					}
				}
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
	transport := &http2.Transport{TLSClientConfig: anyCertificate()}
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
	conf := anyCertificate()
	conf.NextProtos = []string{http3.NextProtoH3}
	conn, err := quic.DialAddr(ctx, address, conf, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "") })
	client := new(http3.Transport).NewClientConn(conn)
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
