package cookiepolicy

import (
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// A reload under load loses no request, and the new policy is in force afterwards. A connection
// that Caddy's old socket had not yet accepted when it closed is reset before anything was
// answered; that is Caddy's way with or without this module, and every client tries again then.
func TestReloadUnderLoad(t *testing.T) {
	portal := portaltest.StartPortal(t, portaltest.Response("200 OK", []string{session, google}, "hello"))
	site := "reverse_proxy " + portal.Address
	gateway := caddytest.Start(t, "cookie_policy opendatasoft\n"+site)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				answer, err := gateway.TryAgain("GET / HTTP/1.1\r\nHost: localhost\r\n" +
					"Connection: close\r\n\r\n")
				if err != nil || !strings.HasSuffix(answer.Raw, "hello") {
					t.Errorf("a request was lost: %q, %v", answer.Raw, err)
					return
				}
				if !slices.Contains(answer.SetCookies(), session) {
					t.Errorf("the session was lost: %q", answer.Raw)
					return
				}
			}
		})
	}
	for i := range 10 {
		policy := "cookie_policy opendatasoft\n"
		if i%2 == 0 {
			policy = "cookie_policy opendatasoft {\nallow necessary _ga\n}\n"
		}
		caddytest.Reload(t, gateway, policy+site)
		want := 1 + (i+1)%2
		answer, err := gateway.TryAgain("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		if got := answer.SetCookies(); err != nil || len(got) != want {
			t.Errorf("after reload %d: got %q, %v", i, got, err)
		}
	}
	close(stop)
	wg.Wait()
}

// Each load logs, for each policy, what is in force and what has changed.
func TestReloadIsLogged(t *testing.T) {
	w := caddytest.StartInstance(t, "cookie_policy opendatasoft {\nname city\n}\nrespond ok")
	w.Reload("cookie_policy opendatasoft {\nname city\n}\nrespond again")
	w.Reload("cookie_policy opendatasoft {\nname city\nmode report\nallow third_party _ga\n}\nrespond ok")
	w.Reload("cookie_policy opendatasoft {\nname town\nmode report\nallow third_party _ga\n}\nrespond ok")
	lines := w.Log("all.log", appLog, "cookie policy in force")
	got := caddytest.Pick(lines, "level", "policy", "mode", "rules", "cookies", "preferences", "changes")
	want(t, "the lines", got, `info|city|enforce|4|4|1|[new]
info|city|enforce|4|4|1|[]
info|city|report|5|5|1|[added: allow third_party _ga mode report, was enforce]
info|town|report|5|5|1|[new]
`)
	digests := regexp.MustCompile(`(?m)^[0-9a-f]{64}$`).FindAllString(caddytest.Pick(lines, "digest"), -1)
	if len(digests) != 4 || digests[0] != digests[1] || digests[1] == digests[2] || digests[2] != digests[3] {
		t.Errorf("the digests are %q", caddytest.Pick(lines, "digest"))
	}
}

// A thousand reloads leave nothing behind, and the numbers go on.
func TestReloadManyTimes(t *testing.T) {
	w := portaltest.Gateway(portaltest.FreePort(t))
	config := func(i int) []byte {
		mode := []string{"enforce", "report"}[i%2]
		return fmt.Appendf(nil, `{
			"admin": {"disabled": true, "config": {"persist": false}},
			"logging": {"logs": {"default": {"level": "ERROR"}}},
			"apps": {"http": {"grace_period": "5s", "servers": {"s": {
				"listen": ["127.0.0.1:%d"],
				"automatic_https": {"disable": true},
				"routes": [
					{"handle": [
						{"handler": "cookie_policy", "name": "city", "presets": ["opendatasoft"], "mode": %q},
						{"handler": "headers", "response": {"set": {"Set-Cookie": ["_ga=1"]}}},
						{"handler": "static_response", "body": "%d"}
					]},
					{"handle": [{"handler": "cookie_policy", "presets": ["opendatasoft"], "evidence": {"off": true},
						"allow": [{"category": "necessary", "cookies": ["c%d"]}]}]}
				]
			}}}}
		}`, w, mode, i, i)
	}
	reload := func(i int) {
		if err := caddy.Load(config(i), true); err != nil {
			t.Fatal(err)
		}
	}
	visited := map[observe.Mode]uint64{} // the config from before may answer for a moment
	visit := func() {
		answer, err := w.TryAgain("GET / HTTP/1.1\r\nHost: localhost\r\nCookie: _ga=1\r\n" +
			"Connection: close\r\n\r\n")
		if err != nil {
			t.Fatal(err)
		}
		answered, err := strconv.Atoi(answer.Body())
		if err != nil {
			t.Fatal(err)
		}
		visited[observe.Mode(answered%2)]++
	}
	t.Cleanup(func() { caddy.Stop() })
	for i := range 100 {
		reload(i)
		visit()
	}
	goroutines, heap := runtime.NumGoroutine(), heapAfterGC()
	for i := range 1000 {
		reload(i)
		if i%100 == 0 {
			visit()
		}
	}
	p, ok := policyNamed("city")
	if !ok {
		t.Fatal("the policy is gone")
	}
	refused := map[observe.Mode]uint64{}
	for _, mode := range []observe.Mode{observe.Enforce, observe.Report} {
		p.observer.Verdicts(mode, func(channel observe.Channel, _ policy.Category,
			verdict observe.Verdict, n uint64) {
			if channel == observe.Set && verdict == observe.Refused {
				refused[mode] += n
			}
		})
	}
	want(t, "refused over all reloads, by mode", refused, visited)
	references := 0
	observers.Range(func(key, _ any) bool { references++; return true })
	want(t, "observers", references, 2)
	// What a config leaves running ends by and by; no event says when.
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for runtime.NumGoroutine() > goroutines+5 {
		select {
		case <-deadline.C:
			t.Fatalf("%d goroutines were %d", runtime.NumGoroutine(), goroutines)
		case <-tick.C:
		}
	}
	if now := heapAfterGC(); now > heap+4<<20 {
		t.Errorf("the heap has grown from %d to %d bytes", heap, now)
	}
}

func heapAfterGC() uint64 {
	var m runtime.MemStats
	for range 3 { // finalizers, and what they let go of
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
