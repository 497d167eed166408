package e2e

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// rawPortal is a portal on a bare socket: its header lines go out byte for byte as a test has them, and it keeps those of requests as they
// came. net/http would do neither. One port speaks both HTTP and HTTPS.
type rawPortal struct {
	addr    string // host and port
	tls     *tls.Config
	respond func(path string) (a answer, ok bool) // what is not ok is not found

	mu      sync.Mutex
	cookies map[string][]string // the Cookie lines of the last request for a path
}

// answer is what a path is answered with.
type answer struct {
	header []string // its lines
	body   string   // HTML; nothing means 204, upon which a browser stays on the page where it is
}

// startRawPortal runs a portal until the test ends.
func startRawPortal(t testing.TB, certificate tls.Certificate, respond func(path string) (answer, bool)) *rawPortal {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &rawPortal{
		addr:    l.Addr().String(),
		tls:     &tls.Config{Certificates: []tls.Certificate{certificate}},
		respond: respond,
		cookies: map[string][]string{},
	}
	open := map[net.Conn]bool{}
	closed := false
	var mu sync.Mutex
	var connections sync.WaitGroup
	connections.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			if closed {
				conn.Close()
			} else {
				open[conn] = true
				connections.Go(func() {
					p.serve(conn)
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
	return p
}

// port is the portal's, for URLs of other host names.
func (p *rawPortal) port() string {
	_, port, _ := net.SplitHostPort(p.addr)
	return port
}

// received returns the Cookie lines of the last request for a path, and forgets them.
func (p *rawPortal) received(path string) (lines []string, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	lines, ok = p.cookies[path]
	delete(p.cookies, path)
	return lines, ok
}

// peeked is a connection of which the first byte has been looked at.
type peeked struct {
	net.Conn
	r *bufio.Reader
}

func (c peeked) Read(b []byte) (int, error) { return c.r.Read(b) }

// serve answers the requests of one connection.
func (p *rawPortal) serve(conn net.Conn) {
	r := bufio.NewReaderSize(conn, 1<<16)
	first, err := r.Peek(1)
	if err != nil {
		return
	}
	if first[0] == 22 { // a record of a TLS handshake
		conn = tls.Server(peeked{conn, r}, p.tls)
		r = bufio.NewReaderSize(conn, 1<<16)
	}
	for {
		path, cookies, err := readRequest(r)
		if err != nil {
			return
		}
		p.mu.Lock()
		p.cookies[path] = cookies
		p.mu.Unlock()
		a, ok := p.respond(path)
		var b bytes.Buffer
		switch {
		case !ok:
			b.WriteString("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n")
		case a.body == "":
			b.WriteString("HTTP/1.1 204 No Content\r\n")
		default:
			fmt.Fprintf(&b, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n", len(a.body))
		}
		for _, line := range a.header {
			b.WriteString(line + "\r\n")
		}
		b.WriteString("\r\n" + a.body)
		if _, err := conn.Write(b.Bytes()); err != nil {
			return
		}
	}
}

// readRequest reads the header of a request. The tests send no bodies.
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

// newCertificate makes a certificate for some hosts, signed by itself, and files of it. Browsers are told not to mind who signed it.
func newCertificate(t testing.TB, hosts []string) (certificate tls.Certificate, certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		DNSNames:     hosts,
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(48 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, certFile, keyFile
}
