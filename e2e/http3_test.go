package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"
)

// sitePair is a site of a gateway, once with an access log and once without.
type sitePair struct {
	urls      map[string]string // by what tells the one from the other
	transport *http3.Transport
}

// startHTTP3 runs a gateway and returns a client that speaks HTTP/3 to it.
func startHTTP3(t testing.TB, binary, directives string) sitePair {
	t.Helper()
	p := sitePair{map[string]string{}, &http3.Transport{TLSClientConfig: anyCertificate(), DisableCompression: true, MaxResponseHeaderBytes: 16 << 20}}
	var sites string
	var urls []string
	for what, log := range map[string]string{"": "", ", logged": "log {\noutput discard\n}\n"} {
		port := freePort(t)
		sites += fmt.Sprintf("https://localhost:%d {\n%s%s\n}\n", port, log, directives)
		p.urls[what] = fmt.Sprintf("https://127.0.0.1:%d", port)
		urls = append(urls, fmt.Sprintf("https://localhost:%d", port))
	}
	startSites(t, binary, "", sites, urls)
	t.Cleanup(func() { p.transport.Close() })
	return p
}

// Whatever sets a cookie, and on whatever way it takes through Caddy: over HTTP/3, too, the visitor gets the lines that the policy lets through,
// and the same status and body as ever.
func TestHTTP3EveryPath(t *testing.T) {
	root := t.TempDir()
	index := "{{.RespHeader.Add \"Set-Cookie\" `" + google + "`}}{{.RespHeader.Add \"Set-Cookie\" `" + session + "`}}hello"
	if err := os.WriteFile(filepath.Join(root, "index.html"), []byte(index), 0o600); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("hello ", 10_000)
	setsCookies := func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Set-Cookie"] = []string{google, session}
		switch r.URL.Path {
		case "/denied":
			w.Header().Set("Location", "/login")
			w.WriteHeader(http.StatusFound)
		case "/long":
			io.WriteString(w, long)
			return
		}
		io.WriteString(w, "hello")
	}
	words := strings.NewReplacer("PORTAL", startUpstream(t, setsCookies), "PHP", startFastCGI(t, setsCookies), "SITE", root, "GOOGLE", "`"+google+"`", "SESSION", "`"+session+"`", "MATOMO", "`"+matomo+"`", "CSRF", "`"+csrf+"`")
	rows := []struct {
		name, directives string
		status           int
		cookies          []string
		body             string
	}{
		{"proxied", "reverse_proxy PORTAL", 200, []string{session}, "hello"},
		{"proxied, a larger body", "rewrite /long\nreverse_proxy PORTAL", 200, []string{session}, long},
		{"header", "header {\n+Set-Cookie GOOGLE\n+Set-Cookie SESSION\n}\nrespond hello", 200, []string{session}, "hello"},
		{"header, deferred", "header {\n+Set-Cookie GOOGLE\n+Set-Cookie SESSION\ndefer\n}\nrespond hello", 200, []string{session}, "hello"},
		{"header that makes a tracker of a necessary cookie", "header >Set-Cookie sessionid _ga\nreverse_proxy PORTAL", 200, nil, "hello"},
		{"header_down", "reverse_proxy PORTAL {\nheader_down +Set-Cookie MATOMO\nheader_down +Set-Cookie CSRF\n}", 200, []string{session, csrf}, "hello"},
		{"redir", "header Set-Cookie GOOGLE\nredir * /elsewhere 308", 308, nil, ""},
		{"copy_response_headers", "reverse_proxy PORTAL {\nhandle_response {\ncopy_response_headers {\nexclude Content-Length\n}\nrespond bye 404\n}\n}", 404, []string{session}, "bye"},
		{"copy_response", "reverse_proxy PORTAL {\nhandle_response {\nheader +Set-Cookie MATOMO\ncopy_response 418\n}\n}", 418, []string{session}, "hello"},
		{"forward_auth that lets pass", "forward_auth PORTAL {\nuri /passed\nlb_policy cookie balancer secret\n}\nreverse_proxy PORTAL", 200, []string{session}, "hello"},
		{"forward_auth that redirects", "forward_auth PORTAL {\nuri /denied\n}\nreverse_proxy PORTAL", 302, []string{session}, "hello"},
		{"intercept, another status", "intercept {\nreplace_status 410\n}\nreverse_proxy PORTAL", 410, []string{session}, "hello"},
		{"intercept, a route that sets cookies", "intercept {\nhandle_response {\nheader +Set-Cookie MATOMO\nheader +Set-Cookie CSRF\nrespond howdy 203\n}\n}\nreverse_proxy PORTAL", 203, []string{session, csrf}, "howdy"},
		{"templates", "root SITE\nrewrite /index.html\ntemplates\nfile_server", 200, []string{session}, "hello"},
		{"a FastCGI transport", "root SITE\nreverse_proxy PHP {\ntransport fastcgi\n}", 200, []string{session}, "hello"},
		{"encode", "encode gzip\nrewrite /long\nreverse_proxy PORTAL", 200, []string{session}, long},
		{"lb_policy cookie", "reverse_proxy PORTAL {\nlb_policy cookie lb secret\n}", 200, []string{session}, "hello"},
		{"an error after headers of the portal", "reverse_proxy PORTAL {\nhandle_response {\ncopy_response_headers {\nexclude Content-Length\n}\nerror 500\n}\n}", 500, []string{session, csrf}, "oops"},
		{"an error", "header +Set-Cookie GOOGLE\nheader +Set-Cookie SESSION\nerror 503", 503, []string{session, csrf}, "oops"},
		{"nested", "route {\ncookie_policy opendatasoft {\nallow necessary _ga\n}\nreverse_proxy PORTAL\n}", 200, []string{session}, "hello"},
	}
	var directives strings.Builder
	for i, row := range rows {
		fmt.Fprintf(&directives, "handle /%d {\ncookie_policy opendatasoft\n%s\n}\n", i, words.Replace(row.directives))
	}
	directives.WriteString(words.Replace("handle_errors {\ncookie_policy opendatasoft\nheader +Set-Cookie MATOMO\nheader +Set-Cookie CSRF\nrespond oops\n}\n"))
	gateway := startHTTP3(t, caddy, directives.String())
	for i, row := range rows {
		for log, url := range gateway.urls {
			got := ask(t, gateway.transport, http.MethodGet, fmt.Sprintf("%s/%d", url, i), nil)
			if got.status != row.status || got.body != row.body {
				t.Errorf("%s%s: got status %d, body %.99q, want %d, %.99q", row.name, log, got.status, got.body, row.status, row.body)
			}
			if !slices.Equal(got.header["Set-Cookie"], row.cookies) {
				t.Errorf("%s%s: got %q, want %q", row.name, log, got.header["Set-Cookie"], row.cookies)
			}
		}
	}
}

// Statuses with a body and without, and the answers to HEAD.
func TestHTTP3EveryStatusAndMethod(t *testing.T) {
	gateway := startHTTP3(t, caddy, "cookie_policy opendatasoft\nreverse_proxy "+startUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Set-Cookie"] = []string{google, session, unlisted}
		w.Header().Set("Location", "/elsewhere")
		status, _ := strconv.Atoi(r.URL.Path[1:])
		w.WriteHeader(max(status, 200))
		io.WriteString(w, "hello")
	}))
	for _, status := range []int{200, 204, 206, 301, 302, 303, 304, 307, 308, 401, 404, 500} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			for log, url := range gateway.urls {
				got := ask(t, gateway.transport, method, fmt.Sprintf("%s/%d", url, status), nil)
				body := "hello"
				if method == http.MethodHead || status == 204 || status == 304 {
					body = ""
				}
				if got.status != status || got.body != body || !slices.Equal(got.header["Set-Cookie"], []string{session}) {
					t.Errorf("%s to %d%s: got %d, %q, %q", method, status, log, got.status, got.header["Set-Cookie"], got.body)
				}
			}
		}
	}
}

// A handler may send its header in any way there is. The HTTP/3 server reads the header map late, when a body has some size or at the end: what is
// set until then is filtered, and under every spelling of the key.
func TestHTTP3EveryWayToSendAHeader(t *testing.T) {
	gateway := startHTTP3(t, caddyWithHandler(t), "handle /encoded {\nroute {\nencode {\ngzip\nminimum_length 1\n}\ncookie_policy opendatasoft\ntest_handler\n}\n}\n"+
		"handle /templates {\nroute {\ntemplates\ncookie_policy opendatasoft\ntest_handler\n}\n}\nroute {\ncookie_policy opendatasoft\ntest_handler\n}")
	const (
		first = "set Set-Cookie=" + google + "|set Set-Cookie=" + session
		later = "set Set-Cookie=" + google + "|set set-cookie=" + unlisted + "|set SET-COOKIE=" + matomo + "|set Set-Cookie2=" + session
		once  = "status 200|write 5"
	)
	for _, c := range []struct {
		name, steps string
		body        int
	}{
		{"sets headers and writes nothing", first, 0},
		{"writes a small body", first + "|write 5", 5},
		{"writes a large body", first + "|write 100000", 100000},
		{"writes a status", first + "|status 418", 0},
		{"flushes", first + "|flush", 0},
		{"copies from a reader", first + "|copy 5000", 5000},
		{"sends early hints", first + "|status 103|write 5", 5},
		{"sends early hints, and then sets more", first + "|status 103|" + later + "|write 5", 5},
		{"sets more after the status, before nothing", first + "|status 200|" + later, 0},
		{"sets more after the status, before a small body", first + "|status 200|" + later + "|write 5", 5},
		{"sets more after the status, before a large body", first + "|status 200|" + later + "|write 100000", 100000},
		{"sets more after the status, before a copied body", first + "|status 200|" + later + "|copy 100000", 100000},
		{"sets more after the status, before a flush", first + "|status 200|" + later + "|flush|write 5", 5},
		{"sets more after a small body", first + "|" + once + "|" + later, 5},
		{"sets more between small bodies", first + "|" + once + "|" + later + "|write 5", 10},
		{"sets more between a small body and a flush", first + "|" + once + "|" + later + "|flush", 5},
		{"sets more between a small and a large body", first + "|" + once + "|" + later + "|write 100000", 100005},
		{"sets more between a small and a copied body", first + "|" + once + "|" + later + "|copy 100000", 100005},
		{"sets more again and again", first + "|" + once + "|" + later + "|write 2000|" + later + "|write 2000|" + later + "|write 2000|" + later, 6005},
		{"sets more after a large body", first + "|write 100000|" + later, 100000},
		{"a key in small letters", "set set-cookie=" + google + "|set set-cookie=" + session + "|write 5", 5},
		{"a key in capitals", "set SET-COOKIE=" + google + "|set SET-COOKIE=" + session + "|write 5", 5},
		{"Set-Cookie2", first + "|set Set-Cookie2=" + session + "|set set-cookie2=" + session + "|write 5", 5},
		{"an error", first + "|error 404", 0},
		{"trailers", first + "|set Trailer=Set-Cookie2|write 5|flush|set Trailer:Set-Cookie=" + google + "|set Set-Cookie2=" + session, 5},
	} {
		for _, path := range []string{"/", "/encoded", "/templates"} {
			for log, base := range gateway.urls {
				query := url.Values{"do": append([]string{"set Content-Type=text/plain"}, strings.Split(c.steps, "|")...)}
				got := ask(t, gateway.transport, http.MethodGet, base+path+"?"+query.Encode(), http.Header{"Accept-Encoding": {"identity"}})
				if !slices.Equal(got.header["Set-Cookie"], []string{session}) || got.header["Set-Cookie2"] != nil {
					t.Errorf("%s, at %s%s: got %q", c.name, path, log, got.header)
				}
				if len(got.trailer["Set-Cookie"])+len(got.trailer["Set-Cookie2"]) > 0 {
					t.Errorf("%s, at %s%s: got the trailer %q", c.name, path, log, got.trailer)
				}
				for _, h := range got.hints {
					if !slices.Equal(h.header["Set-Cookie"], []string{session}) {
						t.Errorf("%s, at %s%s: got %d with %q", c.name, path, log, h.status, h.header)
					}
				}
				if len(got.body) != c.body {
					t.Errorf("%s, at %s%s: got a body of %d bytes, want %d", c.name, path, log, len(got.body), c.body)
				}
			}
		}
	}
}

// Each of several early hints carries the cookies that the policy lets through, and so does the final header.
func TestHTTP3EarlyHints(t *testing.T) {
	portal := startSocketPortal(t, answering("HTTP/1.1 100 Continue\r\nSet-Cookie: "+google+"\r\nSet-Cookie: "+csrf+"\r\n\r\n"+
		"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nSet-Cookie: "+google+"\r\nSet-Cookie: "+session+"\r\n\r\n"+
		"HTTP/1.1 103 Early Hints\r\nLink: </b.css>\r\nset-cookie: "+matomo+"\r\nSet-Cookie2: "+session+"\r\n\r\n"+
		"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\nSet-Cookie: "+matomo+"\r\nSet-Cookie: "+csrf+"\r\n\r\nhello"))
	gateway := startHTTP3(t, caddy, "cookie_policy opendatasoft\nencode gzip\nheader +Set-Cookie `"+unlisted+"`\nheader +Set-Cookie `"+language+"`\nreverse_proxy "+portal)
	for log, url := range gateway.urls {
		got := ask(t, gateway.transport, http.MethodGet, url, nil)
		want := []hint{
			{100, http.Header{"Set-Cookie": {language, csrf}}},
			{103, http.Header{"Link": {"</a.css>"}, "Set-Cookie": {language, session}}},
			{103, http.Header{"Link": {"</b.css>"}, "Set-Cookie": {language}}},
		}
		if !slices.EqualFunc(got.hints, want, func(got, want hint) bool {
			return got.status == want.status && slices.Equal(got.header["Link"], want.header["Link"]) &&
				slices.Equal(got.header["Set-Cookie"], want.header["Set-Cookie"]) && got.header["Set-Cookie2"] == nil
		}) {
			t.Errorf("got the hints %v, want %v%s", got.hints, want, log)
		}
		if got.status != 200 || got.body != "hello" || !slices.Equal(got.header["Set-Cookie"], []string{language, csrf}) {
			t.Errorf("the final answer is %+v%s", got, log)
		}
	}
}

// Trailers pass, announced or not, and of the cookies among them those that the policy lets through.
func TestHTTP3Trailers(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nSet-Cookie: " + matomo + "\r\n"
	const rest = "\r\n5\r\nhello\r\n0\r\nX-Checksum: 5d41\r\nSet-Cookie: " + google + "\r\nset-cookie: " + session + "\r\nSet-Cookie2: " + session + "\r\n\r\n"
	for name, response := range map[string]string{
		"announced":     head + "Trailer: X-Checksum, Set-Cookie, Set-Cookie2\r\n" + rest,
		"not announced": head + rest,
	} {
		gateway := startHTTP3(t, caddy, "cookie_policy opendatasoft\nreverse_proxy "+startSocketPortal(t, answering(response)))
		for log, url := range gateway.urls {
			got := ask(t, gateway.transport, http.MethodGet, url, http.Header{"Te": {"trailers"}})
			if got.body != "hello" || got.trailer.Get("X-Checksum") != "5d41" || got.header["Set-Cookie"] != nil ||
				!slices.Equal(got.trailer["Set-Cookie"], []string{session}) || len(got.trailer["Set-Cookie2"]) > 0 {
				t.Errorf("%s%s: got %+v", name, log, got)
			}
		}
	}
}

// Server-sent events arrive one by one: the next is not sent until the one before has arrived.
func TestHTTP3ServerSentEvents(t *testing.T) {
	arrived := make(chan struct{})
	gateway := startHTTP3(t, caddy, "cookie_policy opendatasoft\nencode gzip\nreverse_proxy "+startUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Set-Cookie"] = []string{google, session}
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 {
			fmt.Fprintf(w, "data: %d\n\n", i)
			http.NewResponseController(w).Flush()
			select {
			case <-arrived:
			case <-r.Context().Done():
				return
			}
		}
	}))
	for log, url := range gateway.urls {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "localhost"
		resp, err := gateway.transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		if got := resp.Header["Set-Cookie"]; !slices.Equal(got, []string{session}) {
			t.Errorf("got %q%s", got, log)
		}
		in := bufio.NewReader(resp.Body)
		for i := range 3 {
			event := make([]byte, len("data: 0\n\n"))
			if _, err := io.ReadFull(in, event); err != nil || string(event) != fmt.Sprintf("data: %d\n\n", i) {
				t.Errorf("event %d is %q (%v)%s", i, event, err, log)
				break
			}
			arrived <- struct{}{}
		}
		resp.Body.Close()
		cancel()
	}
}

// A portal that does not speak HTTP well: over HTTP/3, too, the visitor gets what they would get without the policy, but for cookies.
func TestHTTP3Garbage(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\n"
	cookies := "Set-Cookie: " + google + "\r\nSet-Cookie: " + session + "\r\n"
	rest := cookies + "Content-Length: 5\r\n\r\nhello"
	long := strings.Repeat("x", 2<<20)
	responses := map[string]string{
		"no colon":                       ok + "Set-Cookie " + google + "\r\n" + rest,
		"NUL in a cookie":                ok + "Set-Cookie: sessionid=a\x00b\r\n" + rest,
		"a tab":                          ok + "Set-Cookie:\t_ga=1\t;\tPath=/\r\n" + rest,
		"bare CR":                        ok + "Set-Cookie: sessionid=a\rSet-Cookie: _ga=1\r\n" + rest,
		"bare LF":                        strings.ReplaceAll(ok+rest, "\r\n", "\n"),
		"a folded cookie":                ok + "Set-Cookie: sessionid=1;\r\n Path=/;\r\n\tSecure\r\n" + rest,
		"a fold that could be a cookie":  ok + "X-Other: a\r\n Set-Cookie: _ga=1\r\n" + rest,
		"8-bit characters":               ok + "Set-Cookie: sessionid=\xe9\xff\r\nSet-Cookie: _ga\xe9=1\r\n" + rest,
		"a cookie of 2 MiB":              ok + "Set-Cookie: _ga=1; " + long + "\r\n" + rest,
		"another field of 2 MiB":         ok + "X-Other: " + long + "\r\n" + rest,
		"a header past Caddy's limit":    ok + "X-Other: " + strings.Repeat(long, 6) + "\r\n" + rest,
		"a body that is cut short":       ok + cookies + "Content-Length: 50\r\n\r\nhello",
		"a bad chunk":                    ok + cookies + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n",
		"a status out of range":          "HTTP/1.1 1000 OK\r\n" + rest,
		"nothing":                        "",
		"a switch that nobody asked for": "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n" + cookies + "\r\n",
		"a switch to nothing":            "HTTP/1.1 101 Switching Protocols\r\n" + cookies + "\r\n",
		"hints, and then nothing":        "HTTP/1.1 103 Early Hints\r\n" + cookies + "\r\n",
		"hints without end":              strings.Repeat("HTTP/1.1 103 Early Hints\r\n"+cookies+"\r\n", 100),
	}
	var directives strings.Builder
	paths := map[string]string{}
	for name, response := range responses {
		paths[name] = fmt.Sprint("/", len(paths))
		portal := startSocketPortal(t, answering(response))
		fmt.Fprintf(&directives, "handle %s/with {\ncookie_policy opendatasoft\nreverse_proxy %s\n}\nhandle %[1]s/without {\nreverse_proxy %[2]s\n}\n", paths[name], portal)
	}
	gateway := startHTTP3(t, caddy, directives.String())
	for name, path := range paths {
		got, gotErr := tryAsk(t, gateway.transport, http.MethodGet, gateway.urls[""]+path+"/with", nil)
		bare, bareErr := tryAsk(t, gateway.transport, http.MethodGet, gateway.urls[""]+path+"/without", nil)
		if bareErr != nil {
			// A stream that is reset may take with it what came before. What does arrive is without refused cookies all the same.
			if kept := minus(got.header["Set-Cookie"]); gotErr == nil || len(kept) < len(got.header["Set-Cookie"]) {
				t.Errorf("%s: got %.300v, and without the policy %v", name, got, bareErr)
			}
			continue
		}
		if gotErr != nil || got.status != bare.status || got.body != bare.body || got.header.Get("X-Other") != bare.header.Get("X-Other") {
			t.Errorf("%s: got %.300v (%v), and without the policy %.300v (%v)", name, got, gotErr, bare, bareErr)
		}
		if want := minus(bare.header["Set-Cookie"]); !slices.Equal(got.header["Set-Cookie"], want) {
			t.Errorf("%s: got %.300q, want %.300q", name, got.header["Set-Cookie"], want)
		}
		for i := range min(len(got.hints), len(bare.hints)) {
			if want := minus(bare.hints[i].header["Set-Cookie"]); !slices.Equal(got.hints[i].header["Set-Cookie"], want) {
				t.Errorf("%s: got %.300q with a hint, want %.300q", name, got.hints[i].header["Set-Cookie"], want)
			}
		}
	}
}
