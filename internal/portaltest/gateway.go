package portaltest

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"testing"
	"time"
)

// timeout is how long a client waits for an answer.
const timeout = 30 * time.Second

// Gateway is a site of a running gateway, by its port on the loopback interface. It speaks HTTP/1.1
// in the clear there, and HTTPS on the next port.
type Gateway int

// HTTPSPort returns the port on which the same site answers over TLS.
func (g Gateway) HTTPSPort() int { return int(g) + 1 }

// Get asks for / with a Cookie header, in the clear and on a connection of its own.
func (g Gateway) Get(t testing.TB, cookie string) Answer {
	t.Helper()
	if cookie == "" {
		return g.Fetch(t, false, "localhost", "/")
	}
	return g.Fetch(t, false, "localhost", "/", "Cookie: "+cookie)
}

// Send sends a request as it is, in the clear, and reads until the connection closes.
func (g Gateway) Send(t testing.TB, request string) Answer {
	t.Helper()
	a, err := g.Try(request)
	if err != nil {
		t.Fatalf("%v after %.300q", err, a.Raw)
	}
	return a
}

// Try does what Send does, and returns an error if the answer breaks off or does not come.
func (g Gateway) Try(request string) (Answer, error) {
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", g))
	if err != nil {
		return Answer{}, err
	}
	return exchange(conn, request)
}

// TryAgain sends a request until a byte of an answer arrives, ten times at most. A connection that
// a reloading Caddy had not accepted yet is reset; every client tries again then.
func (g Gateway) TryAgain(request string) (a Answer, err error) {
	for range 10 {
		if a, err = g.Try(request); a.Raw != "" {
			break
		}
	}
	return a, err
}

// Fetch asks for a path of a host with header lines, over TLS or in the clear, on a connection of
// its own.
func (g Gateway) Fetch(t testing.TB, https bool, host, path string, lines ...string) Answer {
	t.Helper()
	request := "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n"
	for _, line := range lines {
		request += line + "\r\n"
	}
	request += "\r\n"
	if !https {
		return g.Send(t, request)
	}
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: timeout}, "tcp",
		fmt.Sprintf("127.0.0.1:%d", g.HTTPSPort()), AnyCertificate())
	if err != nil {
		t.Fatal(err)
	}
	a, err := exchange(conn, request)
	if err != nil {
		t.Fatalf("%v after %.300q", err, a.Raw)
	}
	return a
}

func exchange(conn net.Conn, request string) (Answer, error) {
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(timeout))
	if _, err := io.WriteString(conn, request); err != nil {
		return Answer{}, err
	}
	raw, err := io.ReadAll(conn)
	return Answer{string(raw)}, err
}

// Dial opens a connection to the gateway, in the clear.
func (g Gateway) Dial(t testing.TB) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", g))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(timeout))
	return conn, bufio.NewReader(conn)
}

// Request returns a request to the gateway, over TLS.
func (g Gateway) Request(t testing.TB, ctx context.Context, method, path string, header http.Header,
	body io.Reader) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, g.url(path), body)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "localhost"
	maps.Copy(req.Header, header)
	return req
}

// Ask makes a request over TLS, follows no redirect, and reads all that comes back.
func (g Gateway) Ask(t testing.TB, client http.RoundTripper, method, path string,
	header http.Header, body io.Reader) Reply {
	t.Helper()
	return Ask(t, client, method, g.url(path), header, body)
}

// TryAsk does what Ask does, and returns an error if the answer breaks off or does not come.
func (g Gateway) TryAsk(t testing.TB, client http.RoundTripper, method, path string,
	header http.Header, body io.Reader) (Reply, error) {
	t.Helper()
	return TryAsk(t, client, method, g.url(path), header, body)
}

func (g Gateway) url(path string) string {
	return fmt.Sprintf("https://127.0.0.1:%d%s", g.HTTPSPort(), path)
}
