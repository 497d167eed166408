// Package portaltest holds what tests of the gateway need around it: portals whose answers go out
// byte for byte, clients that see what came back byte for byte, and scenarios that must hold over
// every version of HTTP. It imports neither Caddy nor the gateway; package caddytest runs them.
package portaltest

import (
	"fmt"
	"net"
	"os"
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

// Ports lie below those that a system gives to connections, and to listeners that ask for none: a
// portal that starts before the gateway listens, or while it reloads, could get the gateway's. Each
// process has a block of them for itself, as packages are tested at the same time.
const (
	lowestPort = 10_000
	blocks     = 50
	blockSize  = 440
)

var ports struct {
	sync.Mutex
	next int // in the block
}

// FreePort returns a TCP port of the loopback interface. Nobody listens on it nor on the next one,
// and it is a while until either is returned again.
func FreePort(t testing.TB) int {
	t.Helper()
	ports.Lock()
	defer ports.Unlock()
	lowest := lowestPort + os.Getpid()%blocks*blockSize
	for range blockSize / 2 {
		port := lowest + ports.next
		ports.next = (ports.next + 2) % blockSize
		if isFree(port) && isFree(port+1) {
			return port
		}
	}
	t.Fatalf("no port from %d to %d is free", lowest, lowest+blockSize-1)
	return 0
}

func isFree(port int) bool {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	l.Close()
	return true
}
