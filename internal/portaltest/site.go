package portaltest

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
)

// Site is a portal for browsers: it keeps connections open, speaks HTTP and HTTPS on one port, and
// answers each path in its own way. Its header lines go out byte for byte, and it keeps the Cookie
// lines as they came.
type Site struct {
	Address string // host and port

	mu      sync.Mutex
	cookies map[string][]string // the Cookie lines of the last request for a path
}

// SiteAnswer is what a path is answered with.
type SiteAnswer struct {
	Header []string // its lines
	Body   string   // HTML; none means 204, upon which a browser stays on the page where it is
}

// StartSite runs a portal until the test ends. Where respond reports false, the answer is 404.
func StartSite(t testing.TB, certificate tls.Certificate,
	respond func(path string) (SiteAnswer, bool)) *Site {
	t.Helper()
	s := &Site{cookies: map[string][]string{}}
	config := &tls.Config{Certificates: []tls.Certificate{certificate}}
	s.Address = Listen(t, func(conn net.Conn) { s.serve(conn, config, respond) })
	return s
}

// Port returns the portal's port, for URLs of other host names.
func (s *Site) Port() string {
	_, port, _ := net.SplitHostPort(s.Address)
	return port
}

// Received returns the Cookie lines of the last request for a path, and forgets them. It reports
// whether there was one.
func (s *Site) Received(path string) (lines []string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	lines, ok = s.cookies[path]
	delete(s.cookies, path)
	return lines, ok
}

// peeked is a connection of which the first byte has been looked at.
type peeked struct {
	net.Conn
	r *bufio.Reader
}

func (c peeked) Read(b []byte) (int, error) { return c.r.Read(b) }

// serve answers the requests of one connection.
func (s *Site) serve(conn net.Conn, config *tls.Config, respond func(path string) (SiteAnswer, bool)) {
	r := bufio.NewReaderSize(conn, 1<<16)
	first, err := r.Peek(1)
	if err != nil {
		return
	}
	if first[0] == 22 { // a record of a TLS handshake
		conn = tls.Server(peeked{conn, r}, config)
		r = bufio.NewReaderSize(conn, 1<<16)
	}
	for {
		path, cookies, err := readRequest(r)
		if err != nil {
			return
		}
		s.mu.Lock()
		s.cookies[path] = cookies
		s.mu.Unlock()
		a, ok := respond(path)
		var b bytes.Buffer
		switch {
		case !ok:
			b.WriteString("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n")
		case a.Body == "":
			b.WriteString("HTTP/1.1 204 No Content\r\n")
		default:
			fmt.Fprintf(&b, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n",
				len(a.Body))
		}
		for _, line := range a.Header {
			b.WriteString(line + "\r\n")
		}
		b.WriteString("\r\n" + a.Body)
		if _, err := conn.Write(b.Bytes()); err != nil {
			return
		}
	}
}

// readRequest reads the header of a request. Tests send no bodies to a Site.
func readRequest(r *bufio.Reader) (path string, cookies []string, err error) {
	for n := 0; ; n++ {
		line, err := r.ReadString('\n')
		if err != nil {
			return "", nil, err
		}
		switch line = strings.TrimRight(line, "\r\n"); {
		case n == 0:
			if fields := strings.Fields(line); len(fields) > 1 {
				path = fields[1]
			}
		case line == "":
			return path, cookies, nil
		default:
			if name, value, _ := strings.Cut(line, ":"); strings.EqualFold(name, "cookie") {
				cookies = append(cookies, strings.TrimPrefix(value, " "))
			}
		}
	}
}
