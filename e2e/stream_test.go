package e2e

import (
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
)

// A body of 1 GiB streams through the gateway whole, and the gateway needs no more memory for it
// than for a small one.
func TestHandlerLargeBody(t *testing.T) {
	const size = 1 << 30
	part := make([]byte, 1<<20)
	for random, i := rand.New(rand.NewPCG(1, 2)), 0; i < len(part); i++ {
		part[i] = byte(random.Uint32())
	}
	sum := crc32.NewIEEE()
	for range size / len(part) {
		sum.Write(part)
	}
	portal := portaltest.StartHandler(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Set-Cookie"] = []string{google, session}
		if r.URL.Path == "/small" {
			return
		}
		if r.URL.Path == "/sized" {
			w.Header().Set("Content-Length", strconv.Itoa(size))
		}
		for range size / len(part) {
			if _, err := w.Write(part); err != nil {
				return
			}
		}
	})
	encrypted, clear := portaltest.FreePort(t), portaltest.FreePort(t)
	site := "cookie_policy opendatasoft\nreverse_proxy " + portal
	gateway := startSites(t, caddy, "",
		fmt.Sprintf("https://localhost:%d {\n%s\n}\nhttp://localhost:%d {\nlog {\noutput discard\n"+
			"}\n%s\n}\n", encrypted, site, clear, site),
		[]string{fmt.Sprintf("https://localhost:%d", encrypted), fmt.Sprintf("http://localhost:%d", clear)})

	one := &http.Transport{DisableCompression: true}
	two := &http.Transport{TLSClientConfig: portaltest.AnyCertificate(), ForceAttemptHTTP2: true,
		DisableCompression: true}
	three := &http3.Transport{TLSClientConfig: portaltest.AnyCertificate(), DisableCompression: true}
	t.Cleanup(one.CloseIdleConnections)
	t.Cleanup(two.CloseIdleConnections)
	t.Cleanup(func() { three.Close() })
	for _, c := range []struct {
		protocol string
		client   http.RoundTripper
		url      string
		path     string
	}{
		{"HTTP/1.1", one, fmt.Sprintf("http://127.0.0.1:%d", clear), "/sized"},
		{"HTTP/2.0", two, fmt.Sprintf("https://127.0.0.1:%d", encrypted), "/"},
		{"HTTP/3.0", three, fmt.Sprintf("https://127.0.0.1:%d", encrypted), "/"},
	} {
		portaltest.Ask(t, c.client, http.MethodGet, c.url+"/small", nil, nil)
		before := peak(t, gateway)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "localhost"
		resp, err := c.client.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		got := crc32.NewIEEE()
		n, err := io.Copy(got, resp.Body)
		resp.Body.Close()
		cancel()
		if n != size || err != nil || got.Sum32() != sum.Sum32() {
			t.Errorf("%s: %d bytes arrived, as they were sent: %v (%v)", c.protocol, n,
				got.Sum32() == sum.Sum32(), err)
		}
		if resp.Proto != c.protocol || !slices.Equal(resp.Header["Set-Cookie"], []string{session}) {
			t.Errorf("%s: got %q over %s", c.protocol, resp.Header["Set-Cookie"], resp.Proto)
		}
		after := peak(t, gateway)
		if after-before > 64<<20 {
			t.Errorf("%s: the gateway's memory grew from %d to %d bytes", c.protocol, before, after)
		}
	}
}

// peak returns the most memory that a process ever had in use, in bytes.
func peak(t testing.TB, p *os.Process) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Pid))
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^VmHWM:\s+(\d+) kB$`).FindSubmatch(status)
	if line == nil {
		t.Fatalf("no peak in %s", status)
	}
	kib, err := strconv.Atoi(string(line[1]))
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}
