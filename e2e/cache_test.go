package e2e

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
)

// Two visitors with different choices, whose requests go through a shared cache in any order: in
// front of the gateway, and between the gateway and the portal. Nobody gets what was meant for the
// other, and what carries no cookie comes from the cache.
//
// In front, the caches are told to keep responses that set cookies, which neither does unless told.
// All that stands between the two visitors then is what the gateway says of its responses; without
// it they do get each other's cookies, and that is seen here too.
func TestSharedCacheVisitors(t *testing.T) {
	for _, cache := range []struct {
		name  string
		start func(t *testing.T, backend string, keepsCookies bool) string
	}{
		{"nginx", startNginx},
		{"varnish", startVarnish},
	} {
		t.Run(cache.name+" in front of the gateway", func(t *testing.T) {
			address := cache.start(t, startGatewayOfCaches(t, startVisitedPortal(t), "protect"), true)
			for seed := range uint64(20) {
				for _, wrong := range askInAnyOrder(t, address, seed, true) {
					t.Errorf("order %d: %s", seed, wrong)
				}
			}
		})
		t.Run(cache.name+" in front of a gateway that does not protect", func(t *testing.T) {
			address := cache.start(t, startGatewayOfCaches(t, startVisitedPortal(t), "keep"), true)
			var all strings.Builder
			for seed := range uint64(5) {
				for _, wrong := range askInAnyOrder(t, address, seed, true) {
					fmt.Fprintln(&all, wrong)
				}
			}
			for _, leak := range []string{"/session/", "/tracked/", "/choice/"} {
				if !strings.Contains(all.String(), leak) {
					t.Errorf("nothing went wrong with %s, and this test would not notice if it did:\n%s",
						leak, &all)
				}
			}
		})
		t.Run(cache.name+" behind the gateway", func(t *testing.T) {
			address := startGatewayOfCaches(t, cache.start(t, startVisitedPortal(t), false), "protect")
			for seed := range uint64(20) {
				for _, wrong := range askInAnyOrder(t, address, seed, false) {
					t.Errorf("order %d: %s", seed, wrong)
				}
			}
		})
	}
}

// cacheVisitor is somebody who has chosen.
type cacheVisitor struct{ name, cookie, matomo string }

var cacheVisitors = []cacheVisitor{
	{"alice", `cookies_preferences={"matomo":true}`, "granted"},
	{"bob", `cookies_preferences={"matomo":false}`, "refused"},
}

// startVisitedPortal runs a portal that calls all its pages good for every cache, and gives each
// visitor cookies that name the visitor and are never given again. It returns the portal's host and
// port.
func startVisitedPortal(t *testing.T) string {
	var given atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		value := fmt.Sprintf("%s.%d; Path=/", r.Header.Get("X-Visitor"), given.Add(1))
		w.Header().Set("Cache-Control", "public, max-age=600, s-maxage=600")
		w.Header().Set("Content-Type", "text/plain")
		switch page, _, _ := strings.Cut(r.URL.Path[1:], "/"); page {
		case "session":
			w.Header().Add("Set-Cookie", "sessionid="+value)
			w.Header().Add("Set-Cookie", "_ga="+value)
		case "tracked":
			w.Header().Add("Set-Cookie", "_pk_id.1.1fff="+value)
		case "unlisted":
			w.Header().Add("Set-Cookie", "campaign="+value)
		}
		io.WriteString(w, "hello")
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// startGatewayOfCaches runs a gateway before a backend, and returns its host and port. Its answers
// to /choice/ show what the visitor chose.
func startGatewayOfCaches(t *testing.T, backend, sharedCache string) string {
	address := fmt.Sprintf("127.0.0.1:%d", portaltest.FreePort(t))
	startGateway(t, "http://"+address+"/ready", fmt.Sprintf(`http://%s {
	bind 127.0.0.1
	cookie_policy opendatasoft matomo {
		shared_cache %s
	}
	header /choice/* X-Matomo {http.cookie_policy.consent.matomo}
	reverse_proxy %s
}
`, address, sharedCache, backend))
	return address
}

// startNginx runs a cache before a backend, and returns its host and port.
func startNginx(t *testing.T, backend string, keepsCookies bool) string {
	dir, address := t.TempDir(), fmt.Sprintf("127.0.0.1:%d", portaltest.FreePort(t))
	ignore := ""
	if keepsCookies {
		ignore = "proxy_ignore_headers Set-Cookie;"
	}
	writeFile(t, dir, "nginx.conf", fmt.Sprintf(`
daemon off;
master_process off;
pid nginx.pid;
error_log stderr;
events {}
http {
	access_log off;
	client_body_temp_path body;
	proxy_temp_path proxy;
	fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi;
	scgi_temp_path scgi;
	proxy_cache_path cache keys_zone=pages:1m;
	server {
		listen %s;
		location / {
			proxy_pass http://%s;
			proxy_http_version 1.1;
			proxy_set_header Host $http_host;
			proxy_cache pages;
			%s
			add_header X-Cache $upstream_cache_status always;
		}
	}
}
`, address, backend, ignore))
	start(t, exec.Command(need(t, "nginx", "/usr/sbin/nginx"), "-p", dir, "-c", "nginx.conf", "-e",
		"stderr"))
	waitFor(t, "http://"+address+"/ready")
	return address
}

// startVarnish runs a cache before a backend, and returns its host and port. It looks up pages for
// requests with cookies too, which Varnish does not unless told.
func startVarnish(t *testing.T, backend string, keepsCookies bool) string {
	dir, address := t.TempDir(), fmt.Sprintf("127.0.0.1:%d", portaltest.FreePort(t))
	keep := ""
	if keepsCookies {
		keep = "sub vcl_beresp_cookie { return; }"
	}
	host, port, _ := strings.Cut(backend, ":")
	file := writeFile(t, dir, "default.vcl", fmt.Sprintf(`
vcl 4.1;
backend default { .host = "%s"; .port = "%s"; }
sub vcl_req_cookie { return; }
%s
sub vcl_deliver {
	set resp.http.X-Cache = "MISS";
	if (obj.hits > 0) { set resp.http.X-Cache = "HIT"; }
}
`, host, port, keep))
	start(t, exec.Command(need(t, "varnishd", "/usr/sbin/varnishd"), "-F", "-j", "none", "-n",
		filepath.Join(dir, "work"), "-a", address, "-f", file, "-s", "malloc,16m",
		"-p", "thread_pools=1", "-p", "thread_pool_min=10", "-p", "vsl_space=1m"))
	waitFor(t, "http://"+address+"/ready")
	return address
}

func writeFile(t *testing.T, dir, name, text string) (path string) {
	t.Helper()
	path = filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// askInAnyOrder has each visitor ask for each page three times, in the order that a seed gives, and
// returns all that went wrong. The pages of one seed are not those of another.
func askInAnyOrder(t *testing.T, address string, seed uint64, inFront bool) (wrong []string) {
	type request struct {
		visitor cacheVisitor
		page    string
	}
	var requests []request
	for _, visitor := range cacheVisitors {
		for _, page := range []string{"page", "unlisted", "session", "tracked", "choice"} {
			for range 3 {
				requests = append(requests, request{visitor, page})
			}
		}
	}
	rand.New(rand.NewPCG(seed, 5)).Shuffle(len(requests), func(i, j int) {
		requests[i], requests[j] = requests[j], requests[i]
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	seen := map[string]bool{} // what the cache has by now, and the cookies that somebody has got
	for i, r := range requests {
		path := fmt.Sprintf("/%s/%d", r.page, seed)
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header = http.Header{"Cookie": {r.visitor.cookie}, "X-Visitor": {r.visitor.name}}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || string(body) != "hello" {
			t.Fatalf("%s: %d %q, %v", path, resp.StatusCode, body, err)
		}
		tell := func(format string, args ...any) {
			wrong = append(wrong, fmt.Sprintf("%s, asked for by %s (request %d): %s", path,
				r.visitor.name, i+1, fmt.Sprintf(format, args...)))
		}

		var names []string
		for _, line := range resp.Header["Set-Cookie"] {
			name, value, _ := strings.Cut(line, "=")
			names = append(names, name)
			if !strings.HasPrefix(value, r.visitor.name+".") {
				tell("got the cookie of somebody else, %q", line)
			} else if seen[line] {
				tell("got the cookie %q again", line)
			}
			seen[line] = true
		}
		want := ""
		switch {
		case r.page == "session":
			want = "sessionid"
		case r.page == "tracked" && r.visitor.matomo == "granted":
			want = "_pk_id.1.1fff"
		}
		if got := strings.Join(names, " "); got != want {
			tell("got the cookies %q, want %q", got, want)
		}
		shown := resp.Header.Get("X-Matomo")
		if r.page == "choice" && shown != r.visitor.matomo {
			tell("is told that Matomo is %s, and it is %s", shown, r.visitor.matomo)
		}

		// A page without cookies is a hit the second time, to whomever; one that depends on the
		// choice, to whom it came before.
		hit := strings.HasPrefix(resp.Header.Get("X-Cache"), "HIT")
		stored := path
		if inFront && r.page == "choice" {
			stored += " " + r.visitor.name
		}
		cached := r.page == "page" || r.page == "choice" || r.page == "unlisted" && inFront
		if cached && hit != seen[stored] {
			tell("hit is %t, want %t: %q", hit, seen[stored], resp.Header)
		}
		if want != "" && hit {
			tell("a response with cookies came from the cache")
		}
		seen[stored] = true
	}
	return wrong
}
