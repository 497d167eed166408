// Package portaltest holds what tests of the gateway need around it: portals whose answers go out byte for byte, clients
// that see what came back byte for byte, and scenarios that must hold over every version of HTTP. It imports neither Caddy
// nor the gateway; package caddytest runs them.
package portaltest

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Cookies of the published policy, and some that it does not name.
const (
	Session  = "sessionid=s3cr3t; Path=/; HttpOnly"
	CSRF     = "csrftoken=t0k3n; Path=/; SameSite=Lax"
	Language = "django_language=fr; Path=/"
	Choices  = "cookies_preferences=%7B%22matomo%22%3Afalse%7D; Path=/"
	Matomo   = "_pk_id.1.1fff=v1s1t0r; Path=/"
	Google   = "_ga=GA1.1; Path=/"
	Unlisted = "campaign=spring"
)

// GrantsMatomo is a request cookie with which a visitor accepts Matomo.
const GrantsMatomo = "cookies_preferences=%7B%22matomo%22%3Atrue%7D"

var published = []string{"sessionid", "csrftoken", "django_language", "cookies_preferences"}

// Published returns the Set-Cookie lines whose cookies the published policy names.
func Published(lines []string) (kept []string) {
	for _, line := range lines {
		if name, _, _ := strings.Cut(line, "="); slices.Contains(published, strings.Trim(name, " \t")) {
			kept = append(kept, line)
		}
	}
	return kept
}

var given struct {
	sync.Mutex
	ports map[int]bool
}

// FreePort returns a TCP port of the loopback interface. Nobody listens on it nor on the next one, and neither is returned
// to another caller.
func FreePort(t testing.TB) int {
	t.Helper()
	given.Lock()
	defer given.Unlock()
	if given.ports == nil {
		given.ports = map[int]bool{}
	}
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatalf("no port is free: %v", err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		next, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+1))
		l.Close()
		if err != nil {
			continue
		}
		next.Close()
		if !given.ports[port] && !given.ports[port+1] {
			given.ports[port], given.ports[port+1] = true, true
			return port
		}
	}
}
