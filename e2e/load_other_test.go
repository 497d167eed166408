package e2e

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// websiteB is the third party's domain. Each kind of request has a host of its own below it, so that what the
// third party sees can be told apart.
const websiteB = "b.test"

// other is a third party that knows, for each of its hosts, whether it was asked for something, and whether
// somebody only connected.
type other struct {
	port, stun string

	mu        sync.Mutex
	happened  chan struct{} // closed when something has happened
	asked     map[string]bool
	connected map[string]bool
	told      map[string]string // by the page: the directive that stopped it
}

// startOther serves the third party until the test ends.
func startOther(t *testing.T, certificate tls.Certificate) *other {
	t.Helper()
	o := &other{happened: make(chan struct{}),
		asked: map[string]bool{}, connected: map[string]bool{}, told: map[string]string{}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o.port = port(listener.Addr().String())
	config := &tls.Config{Certificates: []tls.Certificate{certificate}}
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		o.happens(func() { o.connected[kindOf(hello.ServerName)] = true })
		return nil, nil
	}
	server := &http.Server{TLSConfig: config, Handler: o, ErrorLog: log.New(io.Discard, "", 0),
		Protocols: new(http.Protocols)}
	// Over HTTP/2 a browser asks several hosts of one certificate through one connection.
	server.Protocols.SetHTTP1(true)
	go func() { _ = server.ServeTLS(listener, "", "") }()
	t.Cleanup(func() { _ = server.Close() })

	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o.stun = port(packets.LocalAddr().String())
	t.Cleanup(func() { _ = packets.Close() })
	go func() {
		for buffer := make([]byte, 1500); ; {
			if _, _, err := packets.ReadFrom(buffer); err != nil {
				return
			}
			o.happens(func() { o.asked["stun"] = true })
		}
	}()
	return o
}

func (o *other) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.happens(func() { o.asked[kindOf(r.Host)] = true })
	w.Header().Set("Access-Control-Allow-Origin", "*")
	serveWanted(w, r)
}

// serveWanted answers with what a browser can use as what it asks for.
func serveWanted(w http.ResponseWriter, r *http.Request) {
	wanted := map[string]struct{ contentType, body string }{
		"document": {"text/html", " "},
		"iframe":   {"text/html", `<script>parent.postMessage("framed", "*")</script>`},
		"image":    {"image/svg+xml", `<svg xmlns="http://www.w3.org/2000/svg"/>`},
		"manifest": {"application/manifest+json", "{}"},
		"script":   {"text/javascript", " "},
		"style":    {"text/css", " "},
	}[r.Header.Get("Sec-Fetch-Dest")]
	w.Header().Set("Content-Type", wanted.contentType)
	fmt.Fprint(w, wanted.body)
}

// address is that of a host, for the scheme https or wss.
func (o *other) address(scheme, kind string) string {
	return scheme + "://" + kind + "." + websiteB + ":" + o.port + "/"
}

func kindOf(host string) string {
	kind, _, _ := strings.Cut(host, ".")
	return kind
}

func (o *other) happens(what func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	what()
	close(o.happened)
	o.happened = make(chan struct{})
}

func (o *other) wasAsked(kind string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.asked[kind]
}

// await returns when something has happened, which has tells, and reports whether it has by then.
func (o *other) await(patience time.Duration, has func() bool) bool {
	for deadline := time.After(patience); ; {
		o.mu.Lock()
		done, happened := has(), o.happened
		o.mu.Unlock()
		if done {
			return true
		}
		select {
		case <-happened:
		case <-deadline:
			return false
		}
	}
}
