package portaltest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/fcgi"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Portal is an upstream that answers every request with the same bytes, and keeps the requests.
type Portal struct {
	Address string // host and port

	mu       sync.Mutex
	requests []string
}

// StartPortal runs a portal until the test ends. It closes each connection after its answer.
func StartPortal(t testing.TB, response string) *Portal {
	t.Helper()
	p := new(Portal)
	p.Address = Listen(t, func(conn net.Conn) {
		var head bytes.Buffer
		for r := bufio.NewReader(conn); !bytes.HasSuffix(head.Bytes(), []byte("\r\n\r\n")); {
			b, err := r.ReadByte()
			if err != nil {
				return
			}
			head.WriteByte(b)
		}
		p.mu.Lock()
		p.requests = append(p.requests, head.String())
		p.mu.Unlock()
		io.WriteString(conn, response)
	})
	return p
}

// Requests returns the heads of all requests, as they stood on the wire.
func (p *Portal) Requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requests)
}

// Last returns the last request, whose fields can be read like an answer's.
func (p *Portal) Last(t testing.TB) Answer {
	t.Helper()
	requests := p.Requests()
	if len(requests) == 0 {
		t.Fatal("no request has come to the portal")
	}
	return Answer{requests[len(requests)-1]}
}

// Cookies returns the Cookie lines of the last request, as they stood on the wire.
func (p *Portal) Cookies(t testing.TB) []string {
	t.Helper()
	return p.Last(t).Field("Cookie")
}

// Response writes an HTTP/1.1 response of plain text, after which the connection closes.
func Response(status string, setCookies []string, body string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %s\r\nConnection: close\r\nContent-Type: text/plain\r\n", status)
	if body != "" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	for _, line := range setCookies {
		fmt.Fprintf(&b, "Set-Cookie: %s\r\n", line)
	}
	return b.String() + "\r\n" + body
}

// Page writes an HTTP/1.1 response of HTML with more header lines, after which the connection
// closes.
func Page(lines ...string) string {
	const body = "<!doctype html>"
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nConnection: close\r\n"+
		"Content-Type: text/html; charset=utf-8\r\nContent-Length: %d\r\n%s\r\n%s",
		len(body), strings.Join(append(lines, ""), "\r\n"), body)
}

// StartHandler runs a portal that speaks HTTP/1.1, and HTTP/2 in the clear, and returns its host
// and port.
func StartHandler(t testing.TB, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// startFastCGI runs a portal that speaks FastCGI, and returns its host and port.
func startFastCGI(t testing.TB, handler http.HandlerFunc) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() { fcgi.Serve(l, handler) })
	t.Cleanup(func() {
		l.Close()
		serving.Wait()
	})
	return l.Addr().String()
}

// StartSocket runs a portal that reads the head of a request on each connection, and then does what
// serve does. It returns its host and port.
func StartSocket(t testing.TB, serve func(conn net.Conn, in *bufio.Reader, request *http.Request)) string {
	t.Helper()
	return Listen(t, func(conn net.Conn) {
		in := bufio.NewReader(conn)
		if request, err := http.ReadRequest(in); err == nil {
			serve(conn, in, request)
		}
	})
}

// Listen serves connections until the test ends. It closes each one when serve returns, and all of
// them at the end.
func Listen(t testing.TB, serve func(net.Conn)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	open := map[net.Conn]bool{}
	closed := false
	var mu sync.Mutex
	var connections sync.WaitGroup
	connections.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // closed, below
			}
			mu.Lock()
			if closed {
				conn.Close()
			} else {
				open[conn] = true
				connections.Go(func() {
					serve(conn)
					conn.Close()
					mu.Lock()
					delete(open, conn)
					mu.Unlock()
				})
			}
			mu.Unlock()
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		closed = true
		for conn := range open {
			conn.Close()
		}
		mu.Unlock()
		connections.Wait()
	})
	return l.Addr().String()
}
