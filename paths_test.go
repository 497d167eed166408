package cookiepolicy

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/fcgi"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const logged = "log {\noutput discard\n}\n"

// Whatever sets a cookie, and on whatever way it takes through Caddy: with an access log and without, over HTTP/1.1 and HTTP/2, the visitor gets
// the lines that the policy lets through, and the same status and body as ever.
func TestEveryPath(t *testing.T) {
	long := strings.Repeat("hello ", 1000)
	site := t.TempDir()
	for name, content := range map[string]string{
		"index.html": "{{.RespHeader.Add \"Set-Cookie\" `" + google + "`}}{{.RespHeader.Add \"Set-Cookie\" `" + session + "`}}hello",
		"hello.txt":  "hello",
		"index.php":  "<?php",
	} {
		if err := os.WriteFile(filepath.Join(site, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	setsCookies := func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Set-Cookie"] = []string{google, session}
		switch r.URL.Path {
		case "/denied":
			w.Header().Set("Location", "/login")
			w.WriteHeader(http.StatusFound)
		case "/unauthorized":
			w.WriteHeader(http.StatusUnauthorized)
		case "/long":
			io.WriteString(w, long)
			return
		}
		io.WriteString(w, "hello")
	}
	words := strings.NewReplacer(
		"PORTAL", startUpstream(t, setsCookies),
		"AUTH", startUpstream(t, func(w http.ResponseWriter, r *http.Request) {
			setsCookies(w, r)
			w.Header()["Set-Cookie"] = []string{matomo, unlisted} // too late for this response, and for none else
		}),
		"PHP", startFastCGI(t, setsCookies),
		"SITE", site, "GOOGLE", "`"+google+"`", "SESSION", "`"+session+"`", "MATOMO", "`"+matomo+"`", "CSRF", "`"+csrf+"`")

	for _, c := range []struct {
		name, directives string
		status           int
		cookies          []string
		body             string
	}{
		{"header", "header {\n+Set-Cookie GOOGLE\n+Set-Cookie SESSION\n}\nrespond hello", 200, []string{session}, "hello"},
		{"header, deferred", "header {\n+Set-Cookie GOOGLE\n+Set-Cookie SESSION\ndefer\n}\nrespond hello", 200, []string{session}, "hello"},
		{"header, deferred to after the portal's", "header >Set-Cookie GOOGLE\nreverse_proxy PORTAL", 200, nil, "hello"},
		{"header that makes a tracker of a necessary cookie", "header >Set-Cookie sessionid _ga\nreverse_proxy PORTAL", 200, nil, "hello"},
		{"header that makes a necessary cookie of a tracker", "header >Set-Cookie _ga csrftoken\nreverse_proxy PORTAL", 200,
			[]string{strings.Replace(google, "_ga", "csrftoken", 1), session}, "hello"},
		{"header_down", "reverse_proxy PORTAL {\nheader_down +Set-Cookie MATOMO\nheader_down +Set-Cookie CSRF\n}", 200, []string{session, csrf}, "hello"},
		{"header_down that makes a tracker of a necessary cookie", "reverse_proxy PORTAL {\nheader_down Set-Cookie sessionid _ga\n}", 200, nil, "hello"},
		{"redir", "header Set-Cookie GOOGLE\nredir * /elsewhere 308", 308, nil, ""},
		{"file_server", "root SITE\nheader +Set-Cookie GOOGLE\nheader +Set-Cookie SESSION\nrewrite /hello.txt\nfile_server", 200, []string{session}, "hello"},
		{"handle_response", "reverse_proxy PORTAL {\nhandle_response {\nheader +Set-Cookie MATOMO\nheader +Set-Cookie CSRF\nrespond bye 203\n}\n}", 203, []string{csrf}, "bye"},
		{"copy_response_headers", "reverse_proxy PORTAL {\nhandle_response {\ncopy_response_headers {\nexclude Content-Length\n}\nrespond bye 404\n}\n}", 404, []string{session}, "bye"},
		{"copy_response_headers of cookies alone", "reverse_proxy PORTAL {\nhandle_response {\ncopy_response_headers {\ninclude Set-Cookie\n}\nrespond bye\n}\n}", 200, []string{session}, "bye"},
		{"copy_response", "reverse_proxy PORTAL {\nhandle_response {\nheader +Set-Cookie MATOMO\ncopy_response 418\n}\n}", 418, []string{session}, "hello"},
		{"replace_status", "reverse_proxy PORTAL {\nreplace_status 202\n}", 202, []string{session}, "hello"},
		{"forward_auth that lets pass", "forward_auth AUTH {\nuri /passed\n}\nreverse_proxy PORTAL", 200, []string{session}, "hello"},
		{"forward_auth that redirects", "forward_auth AUTH {\nuri /denied\n}\nreverse_proxy PORTAL", 302, []string{session}, "hello"},
		{"forward_auth that refuses", "forward_auth AUTH {\nuri /unauthorized\n}\nreverse_proxy PORTAL", 401, []string{session}, "hello"},
		{"forward_auth with a cookie of its own balancer", "forward_auth AUTH {\nuri /passed\nlb_policy cookie balancer secret\n}\nreverse_proxy PORTAL", 200, []string{session}, "hello"},
		{"intercept, another status", "intercept {\n@ok status 200\nreplace_status @ok 410\n}\nreverse_proxy PORTAL", 410, []string{session}, "hello"},
		{"intercept, a route that sets cookies", "intercept {\nhandle_response {\nheader +Set-Cookie MATOMO\nheader +Set-Cookie CSRF\nrespond howdy 203\n}\n}\nreverse_proxy PORTAL", 203, []string{session, csrf}, "howdy"},
		{"intercept, a route that sets cookies and keeps the body", "intercept {\nhandle_response {\nheader +Set-Cookie MATOMO\nheader +Set-Cookie CSRF\n}\n}\nreverse_proxy PORTAL", 200, []string{session, csrf}, "hello"},
		{"templates", "root SITE\ntemplates\nfile_server", 200, []string{session}, "hello"},
		{"templates around a portal", "templates\nreverse_proxy PORTAL", 200, []string{session}, "hello"},
		{"encode", "encode gzip\nrewrite /long\nreverse_proxy PORTAL", 200, []string{session}, long},
		{"encode of what is too short for it", "encode gzip\nreverse_proxy PORTAL", 200, []string{session}, "hello"},
		{"php_fastcgi", "root SITE\nphp_fastcgi PHP", 200, []string{session}, "hello"},
		{"a FastCGI transport", "root SITE\nreverse_proxy PHP {\ntransport fastcgi\n}", 200, []string{session}, "hello"},
		{"lb_policy cookie", "reverse_proxy PORTAL {\nlb_policy cookie lb secret\n}", 200, []string{session}, "hello"},
		{"lb_policy cookie that has a necessary cookie's name", "reverse_proxy PORTAL {\nlb_policy cookie csrftoken\n}", 200, []string{"csrftoken=", session}, "hello"},
		{"an error", "header Set-Cookie GOOGLE\nheader +Set-Cookie SESSION\nerror 503", 503, []string{session}, ""},
		{"an error after headers of the portal", "reverse_proxy PORTAL {\nhandle_response {\ncopy_response_headers {\nexclude Content-Length\n}\nerror 500\n}\n}", 500, []string{session}, ""},
		{"an error route without cookies of its own", "header +Set-Cookie GOOGLE\nheader +Set-Cookie SESSION\nerror 503\nhandle_errors {\nrespond oops 503\n}", 503, []string{session}, "oops"},
		{"an error route with a policy", "header +Set-Cookie GOOGLE\nerror 503\nhandle_errors {\ncookie_policy opendatasoft\nheader +Set-Cookie MATOMO\nheader +Set-Cookie CSRF\nrespond oops 503\n}", 503, []string{csrf}, "oops"},
		{"an error route that asks the portal", "error 404\nhandle_errors {\ncookie_policy opendatasoft\nreverse_proxy PORTAL\n}", 200, []string{session}, "hello"},
		{"an error route without a policy", "header +Set-Cookie GOOGLE\nerror 503\nhandle_errors {\nheader +Set-Cookie MATOMO\nheader +Set-Cookie CSRF\nrespond oops 503\n}", 503, []string{matomo, csrf}, "oops"},
		{"a portal that is not there", "header +Set-Cookie GOOGLE\nreverse_proxy 127.0.0.1:1 {\nlb_policy cookie lb secret\n}", 502, nil, ""},
		{"two policies, of which each lets through another tracker", "route {\ncookie_policy opendatasoft {\nallow necessary _ga\n}\ncookie_policy opendatasoft {\nallow necessary _pk_*\n}\nheader +Set-Cookie GOOGLE\n" +
			"header +Set-Cookie MATOMO\nheader +Set-Cookie SESSION\nrespond hello\n}", 200, []string{session}, "hello"},
		{"two policies, which both let a tracker through", "route {\ncookie_policy opendatasoft {\nallow necessary _ga\n}\ncookie_policy opendatasoft {\nallow necessary _ga\n}\nreverse_proxy PORTAL\n}", 200, []string{google, session}, "hello"},
		{"a handler before the policy", "route {\nheader +Set-Cookie GOOGLE\nheader +Set-Cookie CSRF\ncookie_policy opendatasoft\nreverse_proxy PORTAL\n}", 200, []string{csrf, session}, "hello"},
	} {
		for log, withLog := range map[string]string{"": "", ", logged": logged} {
			t.Run(c.name+log, func(t *testing.T) {
				policy := "cookie_policy opendatasoft\n"
				if strings.HasPrefix(c.directives, "route ") {
					policy = ""
				}
				gateway := startGateway(t, withLog+policy+words.Replace(c.directives))
				for protocol, client := range protocols(t) {
					got := gateway.ask(t, client, http.MethodGet, "/", http.Header{"Accept-Encoding": {"gzip"}}, nil)
					if got.status != c.status || got.text(t) != c.body {
						t.Errorf("%s: got status %d, body %.99q, want %d, %.99q", protocol, got.status, got.text(t), c.status, c.body)
					}
					if !slices.EqualFunc(got.header["Set-Cookie"], c.cookies, strings.HasPrefix) {
						t.Errorf("%s: got %q, want %q", protocol, got.header["Set-Cookie"], c.cookies)
					}
				}
			})
		}
	}
}

// A balancer's cookie passes where the policy names it, and where the request is none of the policy's.
func TestBalancerCookie(t *testing.T) {
	portal := startUpstream(t, func(w http.ResponseWriter, _ *http.Request) { w.Header()["Set-Cookie"] = []string{google, session} })
	balanced := "\nreverse_proxy " + portal + " {\nlb_policy cookie lb secret\n}"
	for policy, want := range map[string][]string{
		"cookie_policy opendatasoft":                                    {"sessionid="},
		"cookie_policy opendatasoft load_balancing":                     {"lb=", "sessionid="},
		"cookie_policy opendatasoft {\nallow necessary lb\n}":           {"lb=", "sessionid="},
		"cookie_policy opendatasoft {\nallow statistical lb\n}":         {"sessionid="},
		"cookie_policy /datasets/* opendatasoft":                        {"lb=", "_ga=", "sessionid="},
		"@page path /\ncookie_policy @page opendatasoft load_balancing": {"lb=", "sessionid="},
	} {
		gateway := startGateway(t, policy+balanced)
		for protocol, client := range protocols(t) {
			if got := gateway.ask(t, client, http.MethodGet, "/", nil, nil).header["Set-Cookie"]; !slices.EqualFunc(got, want, strings.HasPrefix) {
				t.Errorf("%s, over %s: got %q, want %q", policy, protocol, got, want)
			}
		}
	}
}

// Statuses with a body and without, and the answers to HEAD.
func TestEveryStatusAndMethod(t *testing.T) {
	gateway := startGateway(t, "cookie_policy opendatasoft\nreverse_proxy "+startUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Set-Cookie"] = []string{google, session, unlisted}
		w.Header().Set("Location", "/elsewhere")
		status, _ := strconv.Atoi(r.URL.Path[1:])
		w.WriteHeader(status)
		io.WriteString(w, "hello")
	}))
	for protocol, client := range protocols(t) {
		for _, status := range []int{200, 204, 206, 301, 302, 303, 304, 307, 308, 401, 404, 500} {
			for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
				got := gateway.ask(t, client, method, fmt.Sprintf("/%d", status), nil, nil)
				body := "hello"
				if method == http.MethodHead || status == 204 || status == 304 {
					body = ""
				}
				if got.status != status || got.body != body || !slices.Equal(got.header["Set-Cookie"], []string{session}) {
					t.Errorf("%s to %d over %s: got %d, %q, %q", method, status, protocol, got.status, got.header["Set-Cookie"], got.body)
				}
			}
		}
	}
}

// A cookie that a handler sets after the status is not for the visitor, and if somebody around the policy holds the header back until there is a
// body, it does not get through either.
func TestCookiesAfterTheStatus(t *testing.T) {
	for outer, directive := range map[string]string{
		"alone":                    "",
		"within encode":            "encode {\ngzip\nminimum_length 1\n}\n",
		"within encode, too short": "encode gzip\n",
		"within templates":         "templates\n",
		"within intercept":         "intercept {\nreplace_status 200\n}\n",
	} {
		gateway := startGateway(t, "route {\n"+directive+"cookie_policy opendatasoft\ntest_handler\n}")
		for what, handler := range map[string]func(http.ResponseWriter, func()){
			"nothing":      func(_ http.ResponseWriter, set func()) { set() },
			"a small body": func(w http.ResponseWriter, set func()) { set(); io.WriteString(w, "hello") },
			"a large body": func(w http.ResponseWriter, set func()) { set(); w.Write(make([]byte, 1<<20)) },
			"a copied body": func(w http.ResponseWriter, set func()) {
				set()
				w.(io.ReaderFrom).ReadFrom(strings.NewReader("hello"))
			},
			"an empty, then a body": func(w http.ResponseWriter, set func()) { w.Write(nil); set(); io.WriteString(w, "hello") },
			"an empty copy, then a body": func(w http.ResponseWriter, set func()) {
				w.(io.ReaderFrom).ReadFrom(strings.NewReader(""))
				set()
				io.WriteString(w, "hello")
			},
			"a flush, then a body": func(w http.ResponseWriter, set func()) {
				http.NewResponseController(w).Flush()
				set()
				io.WriteString(w, "hello")
			},
			"a body, in between": func(w http.ResponseWriter, set func()) { io.WriteString(w, "hello"); set(); io.WriteString(w, "hello") },
		} {
			setHandler(t, func(w http.ResponseWriter, _ *http.Request) error {
				w.Header().Set("Content-Type", "text/plain")
				w.Header()["Set-Cookie"] = []string{session, matomo}
				w.WriteHeader(http.StatusOK)
				handler(w, func() {
					w.Header().Add("Set-Cookie", google)
					w.Header()["set-cookie"] = []string{unlisted}
				})
				return nil
			})
			for protocol, client := range protocols(t) {
				got := gateway.ask(t, client, http.MethodGet, "/", http.Header{"Accept-Encoding": {"gzip"}}, nil)
				if !slices.Equal(got.header["Set-Cookie"], []string{session}) {
					t.Errorf("%s, %s, over %s: got %q", outer, what, protocol, got.header["Set-Cookie"])
				}
			}
		}
	}
}

// A body that is read from somewhere, first of all, brings the header along.
func TestReadFrom(t *testing.T) {
	setHandler(t, func(w http.ResponseWriter, _ *http.Request) error {
		w.Header()["Set-Cookie"] = []string{google, session}
		_, err := w.(io.ReaderFrom).ReadFrom(strings.NewReader(strings.Repeat("hello", 10_000)))
		return err
	})
	for _, around := range []string{"", "encode gzip\n", logged} {
		gateway := startGateway(t, around+"route {\ncookie_policy opendatasoft\ntest_handler\n}")
		for protocol, client := range protocols(t) {
			got := gateway.ask(t, client, http.MethodGet, "/", nil, nil)
			if !slices.Equal(got.header["Set-Cookie"], []string{session}) || len(got.body) != 50_000 {
				t.Errorf("%q, %s: got %q and %d bytes", around, protocol, got.header["Set-Cookie"], len(got.body))
			}
		}
	}
}

// Over HTTP/2 a 101 is not the end of the header: what is set after it is filtered too.
func TestSwitchingProtocolsIsNotFinalOverHTTP2(t *testing.T) {
	setHandler(t, func(w http.ResponseWriter, _ *http.Request) error {
		w.Header()["Set-Cookie"] = []string{session, google}
		w.WriteHeader(http.StatusSwitchingProtocols)
		w.Header()["Set-Cookie"] = []string{google, csrf}
		w.WriteHeader(http.StatusOK)
		return nil
	})
	got := startGateway(t, "route {\ncookie_policy opendatasoft\ntest_handler\n}").ask(t, protocols(t)["HTTP/2"], http.MethodGet, "/", nil, nil)
	if !slices.Equal(got.header["Set-Cookie"], []string{csrf}) {
		t.Errorf("got %q", got.header["Set-Cookie"])
	}
}

// Cookies are found under every spelling of the key, in the header and as a trailer, and Set-Cookie2 never gets through.
func TestKeysThatAreNotCanonical(t *testing.T) {
	gateway := startGateway(t, "route {\ncookie_policy opendatasoft\ntest_handler\n}")
	for _, key := range []string{"Set-Cookie", "set-cookie", "SET-COOKIE", "sEt-cOOkIE", "Set-Cookie ", " Set-Cookie", "\tset-cookie\t",
		"Set-Cookie2", "set-cookie2", "SET-COOKIE2 "} {
		for _, prefix := range []string{"", http.TrailerPrefix} {
			setHandler(t, func(w http.ResponseWriter, _ *http.Request) error {
				w.Header()[prefix+key] = []string{google, session, unlisted}
				w.Header().Set("X-Other", google)
				io.WriteString(w, "hello")
				http.NewResponseController(w).Flush()
				w.Header()[http.TrailerPrefix+"X-Checksum"] = []string{"5d41"}
				return nil
			})
			want := []string{session}
			if trimmed := strings.TrimSpace(key); strings.HasSuffix(trimmed, "2") || trimmed != key { // the server does not write the latter
				want = nil
			}
			for protocol, client := range protocols(t) {
				got := gateway.ask(t, client, http.MethodGet, "/", nil, nil)
				where := got.header
				if prefix != "" {
					where = got.trailer
				}
				if !slices.Equal(where["Set-Cookie"], want) || len(where["Set-Cookie2"]) > 0 {
					t.Errorf("%q over %s: got %q, want %q", prefix+key, protocol, where, want)
				}
				if got.body != "hello" || got.header.Get("X-Other") != google || got.trailer.Get("X-Checksum") != "5d41" {
					t.Errorf("%q over %s: the rest is %+v", prefix+key, protocol, got)
				}
			}
		}
	}
}

// Each of several early hints carries the cookies that the policy lets through, those of the portal and those that Caddy sets beside them, and
// so does the final header: what was taken out of a hint is back in the header map by then.
func TestEarlyHints(t *testing.T) {
	portal := startPortal(t, "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nSet-Cookie: "+google+"\r\nSet-Cookie: "+session+"\r\n\r\n"+
		"HTTP/1.1 103 Early Hints\r\nLink: </b.css>\r\nset-cookie: "+matomo+"\r\nSet-Cookie2: "+session+"\r\n\r\n"+
		"HTTP/1.1 102 Processing\r\nSet-Cookie: "+csrf+"\r\nSet-Cookie: "+unlisted+"\r\n\r\n"+
		response("200 OK", []string{matomo, choices, google}, "hello"))
	for log, withLog := range map[string]string{"": "", ", logged": logged} {
		gateway := startGateway(t, withLog+"cookie_policy opendatasoft\nencode gzip\nheader +Set-Cookie `"+unlisted+"`\nheader +Set-Cookie `"+language+"`\nreverse_proxy "+portal.address)
		for protocol, client := range protocols(t) {
			got := gateway.ask(t, client, http.MethodGet, "/", nil, nil)
			if len(got.early) != 3 {
				t.Fatalf("%s: got the hints %v", protocol+log, got.early)
			}
			for i, want := range []early{
				{103, http.Header{"Link": {"</a.css>"}, "Set-Cookie": {language, session}}},
				{103, http.Header{"Link": {"</b.css>"}, "Set-Cookie": {language}}},
				{102, http.Header{"Set-Cookie": {language, csrf}}},
			} {
				hint := got.early[i]
				if hint.status != want.status || !slices.Equal(hint.header["Link"], want.header["Link"]) ||
					!slices.Equal(hint.header["Set-Cookie"], want.header["Set-Cookie"]) || hint.header["Set-Cookie2"] != nil {
					t.Errorf("%s: hint %d is %v, want %v", protocol+log, i, hint, want)
				}
			}
			if !slices.Equal(got.header["Set-Cookie"], []string{language, choices}) || got.status != 200 || got.body != "hello" {
				t.Errorf("%s: the final answer is %+v", protocol+log, got)
			}
		}
	}
}

// A visitor who waits for 100 Continue gets it, with the cookies that the policy lets through, and then the body arrives at the portal.
func TestContinue(t *testing.T) {
	portal := startRawPortal(t, func(conn net.Conn, in *bufio.Reader) {
		request, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		io.WriteString(conn, "HTTP/1.1 100 Continue\r\nSet-Cookie: "+google+"\r\nSet-Cookie: "+session+"\r\n\r\n")
		body, _ := io.ReadAll(request.Body)
		io.WriteString(conn, response("200 OK", []string{google, csrf}, "received "+string(body)))
	})
	gateway := startGateway(t, "cookie_policy opendatasoft\nreverse_proxy "+portal)
	for protocol, client := range protocols(t) {
		client.Transport.(*http.Transport).ExpectContinueTimeout = time.Minute
		got := gateway.ask(t, client, http.MethodPost, "/", http.Header{"Expect": {"100-continue"}}, strings.NewReader("a form"))
		carried := false
		for _, hint := range got.early {
			lines := hint.header["Set-Cookie"]
			carried = carried || slices.Equal(lines, []string{session})
			if hint.status != 100 || !slices.Equal(lines, minus(lines)) {
				t.Errorf("%s: got %v before the answer", protocol, hint)
			}
		}
		if !carried {
			t.Errorf("%s: the portal's 100 is not among %v", protocol, got.early)
		}
		if got.status != 200 || got.body != "received a form" || !slices.Equal(got.header["Set-Cookie"], []string{csrf}) {
			t.Errorf("%s: the answer is %+v", protocol, got)
		}
	}
}

// The 101 of a WebSocket carries the cookies that the policy lets through, and afterwards bytes flow both ways, untouched and at once.
func TestWebSocket(t *testing.T) {
	portal := startRawPortal(t, func(conn net.Conn, in *bufio.Reader) {
		if _, err := http.ReadRequest(in); err != nil {
			return
		}
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"+
			"Set-Cookie: "+google+"\r\nSet-Cookie: "+session+"\r\nset-cookie: "+unlisted+"\r\n\r\n")
		echoFrames(conn, in)
	})
	for path, directives := range map[string]string{
		"proxied":                 "cookie_policy opendatasoft\nreverse_proxy " + portal,
		"proxied, logged":         logged + "cookie_policy opendatasoft\nreverse_proxy " + portal,
		"proxied, through encode": "cookie_policy opendatasoft\nencode gzip\nreverse_proxy " + portal,
		"by a handler":            "route {\ncookie_policy opendatasoft\ntest_handler\n}",
		"by a handler, logged":    logged + "route {\ncookie_policy opendatasoft\ntest_handler\n}",
	} {
		setHandler(t, func(w http.ResponseWriter, _ *http.Request) error {
			maps.Copy(w.Header(), http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Set-Cookie": {google, session}, "set-cookie": {unlisted}})
			w.WriteHeader(http.StatusSwitchingProtocols)
			conn, buffered, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return err
			}
			defer conn.Close()
			echoFrames(conn, buffered.Reader)
			return nil
		})
		gateway := startGateway(t, directives)
		conn, in := gateway.dial(t)
		io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
		got, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if got.StatusCode != 101 || !slices.Equal(got.Header["Set-Cookie"], []string{session}) {
			t.Errorf("%s: got %s with %q", path, got.Status, got.Header["Set-Cookie"])
		}
		exchangeFrames(t, path, conn, in)
		conn.Close()
	}
}

// echoFrames greets, and sends back what it gets until there is no more.
func echoFrames(out io.Writer, in io.Reader) {
	io.WriteString(out, "\x81\x05hello")
	io.Copy(out, in)
}

// exchangeFrames is the other side of echoFrames. What it sends looks like a frame, and like a header: it is neither to the gateway.
func exchangeFrames(t *testing.T, path string, out io.Writer, in io.Reader) {
	t.Helper()
	want := "\x81\x05hello"
	for range 3 {
		got := make([]byte, len(want))
		if _, err := io.ReadFull(in, got); err != nil || string(got) != want {
			t.Errorf("%s: got the frame %q, want %q (%v)", path, got, want, err)
			return
		}
		want = "\x82\x7e\x01\x00Set-Cookie: " + google + "\r\n\r\n" + strings.Repeat("\x00\xff", 100)
		io.WriteString(out, want)
	}
}

// Server-sent events arrive one by one: the next is not sent until the one before has arrived.
func TestServerSentEvents(t *testing.T) {
	arrived := make(chan struct{})
	portal := startUpstream(t, func(w http.ResponseWriter, r *http.Request) {
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
	})
	for path, directives := range map[string]string{
		"plain":          "cookie_policy opendatasoft\n",
		"logged":         logged + "cookie_policy opendatasoft\n",
		"through encode": "cookie_policy opendatasoft\nencode gzip\n",
		"nested":         "cookie_policy opendatasoft\ncookie_policy opendatasoft matomo\n",
	} {
		gateway := startGateway(t, directives+"reverse_proxy "+portal)
		for protocol, client := range protocols(t) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			resp, err := client.Transport.RoundTrip(gateway.request(t, ctx, http.MethodGet, "/", http.Header{"Accept-Encoding": {"identity"}}, nil))
			if err != nil {
				t.Fatal(err)
			}
			if got := resp.Header["Set-Cookie"]; !slices.Equal(got, []string{session}) {
				t.Errorf("%s, %s: got %q", path, protocol, got)
			}
			in := bufio.NewReader(resp.Body)
			for i := range 3 {
				event := make([]byte, len("data: 0\n\n"))
				if _, err := io.ReadFull(in, event); err != nil || string(event) != fmt.Sprintf("data: %d\n\n", i) {
					t.Errorf("%s, %s: event %d is %q (%v)", path, protocol, i, event, err)
					break
				}
				arrived <- struct{}{}
			}
			resp.Body.Close()
			cancel()
		}
	}
}

// Trailers pass, announced or not, and of the cookies among them those that the policy lets through.
func TestTrailers(t *testing.T) {
	const chunks = "5\r\nhello\r\n0\r\n"
	trailers := "X-Checksum: 5d41\r\nSet-Cookie: " + google + "\r\nset-cookie: " + session + "\r\nSet-Cookie2: " + session + "\r\nSet-Cookie: " + unlisted + "\r\nGrpc-Status: 0\r\n\r\n"
	head := "HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"
	for name, c := range map[string]struct {
		response        string
		header, trailer []string
	}{
		"announced":                            {head + "Trailer: X-Checksum, Grpc-Status, Set-Cookie, Set-Cookie2\r\n\r\n" + chunks + trailers, nil, []string{session}},
		"not announced":                        {head + "\r\n" + chunks + trailers, nil, []string{session}},
		"some announced":                       {head + "Trailer: X-Checksum\r\n\r\n" + chunks + trailers, nil, []string{session}},
		"not announced, beside a cookie":       {head + "Set-Cookie: " + matomo + "\r\nSet-Cookie: " + csrf + "\r\n\r\n" + chunks + trailers, []string{csrf}, []string{session}},
		"announced, and only refused ones":     {head + "Trailer: Set-Cookie, X-Checksum, Grpc-Status\r\n\r\n" + chunks + "Set-Cookie: " + google + "\r\nX-Checksum: 5d41\r\nGrpc-Status: 0\r\n\r\n", nil, nil},
		"not announced, and only refused ones": {head + "\r\n" + chunks + "Set-Cookie: " + google + "\r\nX-Checksum: 5d41\r\nGrpc-Status: 0\r\n\r\n", nil, nil},
	} {
		gateway := startGateway(t, "cookie_policy opendatasoft\nreverse_proxy "+startPortal(t, c.response).address)
		for protocol, client := range protocols(t) {
			got := gateway.ask(t, client, http.MethodGet, "/", http.Header{"Te": {"trailers"}}, nil)
			if got.body != "hello" || got.trailer.Get("X-Checksum") != "5d41" || got.trailer.Get("Grpc-Status") != "0" {
				t.Errorf("%s, %s: the rest is %+v", name, protocol, got)
			}
			if !slices.Equal(got.header["Set-Cookie"], c.header) || !slices.Equal(got.trailer["Set-Cookie"], c.trailer) || len(got.trailer["Set-Cookie2"]) > 0 {
				t.Errorf("%s, %s: got the header %q, the trailer %q", name, protocol, got.header, got.trailer)
			}
		}
	}
}

// A handler gets from http.ResponseController, io.ReaderFrom and the older interfaces what it would get without the policy.
func TestInterfaces(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	with, without := startWithAndWithout(t, "test_handler")
	for protocol, client := range protocols(t) {
		var did []string
		setHandler(t, func(w http.ResponseWriter, r *http.Request) error {
			control := http.NewResponseController(w)
			w.Header()["Set-Cookie"] = []string{google, session}
			did = append(did, fmt.Sprint("read deadline: ", control.SetReadDeadline(time.Now().Add(time.Minute))))
			did = append(did, fmt.Sprint("write deadline: ", control.SetWriteDeadline(time.Now().Add(time.Minute))))
			did = append(did, fmt.Sprint("full duplex: ", control.EnableFullDuplex()))
			if r.ProtoMajor == 2 {
				_, _, err := control.Hijack()
				did = append(did, fmt.Sprint("hijack: ", err))
			}
			did = append(did, fmt.Sprint("flush: ", control.Flush()))
			f, err := os.Open(file)
			if err != nil {
				return err
			}
			defer f.Close()
			n, err := io.Copy(w, io.LimitReader(f, 1<<19))
			did = append(did, fmt.Sprint("limited copy: ", n, err))
			n, err = io.Copy(w, f)
			did = append(did, fmt.Sprint("copy: ", n, err))
			did = append(did, fmt.Sprint("write deadline: ", control.SetWriteDeadline(time.Time{})))
			return nil
		})
		bare := without.ask(t, client, http.MethodGet, "/", nil, nil)
		want := did
		did = nil
		got := with.ask(t, client, http.MethodGet, "/", nil, nil)
		if !slices.Equal(did, want) {
			t.Errorf("%s: got %q, and without the policy %q", protocol, did, want)
		}
		if !slices.Equal(got.header["Set-Cookie"], []string{session}) || !slices.Equal(bare.header["Set-Cookie"], []string{google, session}) {
			t.Errorf("%s: got %q, and without the policy %q", protocol, got.header, bare.header)
		}
		if got.body != string(content) || bare.body != string(content) {
			t.Errorf("%s: of %d bytes arrived %d, and without the policy %d", protocol, len(content), len(got.body), len(bare.body))
		}
	}
}

// A portal that does not speak HTTP well: the visitor gets what they would get without the policy, but for cookies.
func TestGarbage(t *testing.T) {
	// The type is named: whether Go tells it from the body depends on when Caddy flushes.
	const ok = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\n"
	cookies := "Set-Cookie: " + google + "\r\nSet-Cookie: " + session + "\r\n"
	rest := cookies + "Content-Length: 5\r\n\r\nhello"
	long := strings.Repeat("x", 2<<20)
	for name, response := range map[string]string{
		"no colon":                       ok + "Set-Cookie " + google + "\r\n" + rest,
		"no name":                        ok + ": " + google + "\r\n" + rest,
		"NUL in a cookie":                ok + "Set-Cookie: sessionid=a\x00b\r\n" + rest,
		"NUL in a refused cookie":        ok + "Set-Cookie: _ga=a\x00b\r\n" + rest,
		"NUL in a name":                  ok + "Set-\x00Cookie: _ga=1\r\n" + rest,
		"NUL in another field":           ok + "X-Other: a\x00b\r\n" + rest,
		"a control character":            ok + "Set-Cookie: sessionid=a\x01b\r\n" + rest,
		"a tab":                          ok + "Set-Cookie:\t_ga=1\t;\tPath=/\r\n" + rest,
		"bare CR in a cookie":            ok + "Set-Cookie: sessionid=a\rSet-Cookie: _ga=1\r\n" + rest,
		"bare CR in another field":       ok + "X-Other: a\rSet-Cookie: _ga=1\r\n" + rest,
		"bare LF":                        strings.ReplaceAll(ok+rest, "\r\n", "\n"),
		"a folded cookie":                ok + "Set-Cookie: sessionid=1;\r\n Path=/;\r\n\tSecure\r\n" + rest,
		"a fold that could be a cookie":  ok + "X-Other: a\r\n Set-Cookie: _ga=1\r\n" + rest,
		"a folded refused cookie":        ok + "Set-Cookie:\r\n _ga=1\r\n" + rest,
		"a fold before all else":         "HTTP/1.1 200 OK\r\n Set-Cookie: _ga=1\r\n" + rest,
		"a blank before the colon":       ok + "Set-Cookie : _ga=1\r\nSet-Cookie : sessionid=2\r\n" + rest,
		"a tab before the colon":         ok + "Set-Cookie\t: _ga=1\r\n" + rest,
		"8-bit characters":               ok + "Set-Cookie: sessionid=\xe9\xff\r\nSet-Cookie: _ga\xe9=1\r\n" + rest,
		"8-bit characters in a name":     ok + "Set-Coo\xe2\x84\xaaie: _ga=1\r\n" + rest,
		"a cookie of 2 MiB":              ok + "Set-Cookie: _ga=" + long + "\r\n" + rest,
		"attributes of 2 MiB":            ok + "Set-Cookie: _ga=1; " + long + "\r\n" + rest,
		"a necessary cookie of 2 MiB":    ok + "Set-Cookie: sessionid=" + long + "\r\n" + rest,
		"another field of 2 MiB":         ok + "X-Other: " + long + "\r\n" + rest,
		"a name of 2 MiB":                ok + "X-" + long + ": 1\r\n" + rest,
		"2 MiB of refused cookies":       ok + strings.Repeat("Set-Cookie: _ga=1\r\n", 110_000) + rest,
		"a header past Caddy's limit":    ok + "X-Other: " + strings.Repeat(long, 6) + "\r\n" + rest,
		"two lengths":                    ok + "Content-Length: 4\r\n" + rest,
		"a length that is no number":     ok + "Content-Length: many\r\n" + rest,
		"a body that is cut short":       ok + cookies + "Content-Length: 50\r\n\r\nhello",
		"a bad chunk":                    ok + cookies + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n",
		"a chunk that is cut short":      ok + cookies + "Transfer-Encoding: chunked\r\n\r\n50\r\nhello",
		"a header that is cut short":     ok + "Set-Cookie: _ga=1\r\nSet-Coo",
		"no reason":                      "HTTP/1.1 200\r\n" + rest,
		"no status":                      "HTTP/1.1 \r\n" + rest,
		"a status out of range":          "HTTP/1.1 1000 OK\r\n" + rest,
		"a status below the range":       "HTTP/1.1 000 OK\r\n" + rest,
		"another protocol":               "SSH-2.0-OpenSSH_9.9\r\n",
		"an older protocol":              "HTTP/1.0 200 OK\r\n" + rest,
		"a protocol to come":             "HTTP/9.7 200 OK\r\n" + rest,
		"nothing":                        "",
		"a switch that nobody asked for": "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n" + cookies + "\r\n",
		"a switch to nothing":            "HTTP/1.1 101 Switching Protocols\r\n" + cookies + "\r\n",
		"hints, and then nothing":        "HTTP/1.1 103 Early Hints\r\n" + cookies + "\r\n",
		"hints without end":              strings.Repeat("HTTP/1.1 103 Early Hints\r\n"+cookies+"\r\n", 100),
		"trailers that are no fields":    ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nSet-Cookie _ga=1\r\n\r\n",
		"trailers where none should be":  ok + "Trailer: Content-Length, Set-Cookie\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n" + cookies + "Content-Length: 3\r\n\r\n",
		"a body where none should be":    "HTTP/1.1 204 No Content\r\n" + rest,
	} {
		t.Run(name, func(t *testing.T) {
			with, without := startWithAndWithout(t, "reverse_proxy "+startPortal(t, response).address)
			const get = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
			// An answer that breaks off may end in a reset: what came before it counts.
			got, _ := with.try(get)
			bare, _ := without.try(get)
			gotHeads, gotRest, gotCookies := got.dissect()
			wantHeads, wantRest, wantCookies := bare.dissect()
			if !slices.Equal(gotHeads, wantHeads) || gotRest != wantRest {
				t.Errorf("HTTP/1.1: got %.300q and %.99q, and without the policy %.300q and %.99q", gotHeads, gotRest, wantHeads, wantRest)
			}
			if want := minus(wantCookies); !slices.Equal(gotCookies, want) {
				t.Errorf("HTTP/1.1: got the cookies %.300q, want %.300q", gotCookies, want)
			}
			client := protocols(t)["HTTP/2"]
			h2, h2Err := with.tryAsk(t, client, http.MethodGet, "/", nil, nil)
			bare2, bare2Err := without.tryAsk(t, client, http.MethodGet, "/", nil, nil)
			if h2.status != bare2.status || h2.body != bare2.body || (h2Err == nil) != (bare2Err == nil) || len(h2.early) != len(bare2.early) {
				t.Errorf("HTTP/2: got %.300v (%v), and without the policy %.300v (%v)", h2, h2Err, bare2, bare2Err)
			}
			for i, header := range append([]http.Header{h2.header, h2.trailer}, h2.earlyHeaders()...) {
				bare := append([]http.Header{bare2.header, bare2.trailer}, bare2.earlyHeaders()...)[i]
				if want := minus(bare["Set-Cookie"]); !slices.Equal(header["Set-Cookie"], want) {
					t.Errorf("HTTP/2: got the cookies %.300q, want %.300q", header["Set-Cookie"], want)
				}
				if header["X-Other"] == nil != (bare["X-Other"] == nil) || len(header.Get("X-Other")) != len(bare.Get("X-Other")) {
					t.Errorf("HTTP/2: got %.300q, and without the policy %.300q", header["X-Other"], bare["X-Other"])
				}
			}
		})
	}
}

// early is an informational response.
type early struct {
	status int
	header http.Header
}

// reply is what a request got back over any version of HTTP.
type reply struct {
	early           []early
	status          int
	header, trailer http.Header
	body            string
}

func (r reply) earlyHeaders() (headers []http.Header) {
	for _, e := range r.early {
		headers = append(headers, e.header)
	}
	return headers
}

// text is the body, decoded.
func (r reply) text(t testing.TB) string {
	t.Helper()
	if r.header.Get("Content-Encoding") != "gzip" {
		return r.body
	}
	z, err := gzip.NewReader(strings.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(decoded)
}

// request is one to the gateway, over TLS.
func (g gateway) request(t testing.TB, ctx context.Context, method, path string, header http.Header, body io.Reader) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, fmt.Sprintf("https://127.0.0.1:%d%s", g.httpsPort(), path), body)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "localhost"
	maps.Copy(req.Header, header)
	return req
}

// ask makes a request, follows no redirect, and reads all that comes back.
func (g gateway) ask(t testing.TB, client *http.Client, method, path string, header http.Header, body io.Reader) reply {
	t.Helper()
	r, err := g.tryAsk(t, client, method, path, header, body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (g gateway) tryAsk(t testing.TB, client *http.Client, method, path string, header http.Header, body io.Reader) (r reply, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{Got1xxResponse: func(status int, header textproto.MIMEHeader) error {
		r.early = append(r.early, early{status, http.Header(header)})
		return nil
	}})
	resp, err := client.Transport.RoundTrip(g.request(t, ctx, method, path, header, body))
	if err != nil {
		return r, err
	}
	defer resp.Body.Close()
	r.status, r.header = resp.StatusCode, resp.Header
	b, err := io.ReadAll(resp.Body)
	r.body, r.trailer = string(b), resp.Trailer
	return r, err
}

// dial opens a connection to the gateway, in the clear.
func (g gateway) dial(t testing.TB) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", g))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	return conn, bufio.NewReader(conn)
}

// dissect parts an answer into the fields of its headers and trailers that have nothing to do with cookies, the rest, and the cookies.
func (a answer) dissect() (fields []string, rest string, cookies []string) {
	var others []string
	for line := range strings.SplitSeq(a.raw, "\r\n") {
		name, value, isField := strings.Cut(line, ":")
		switch name = strings.ToLower(strings.TrimSpace(name)); {
		case !isField || strings.ContainsAny(name, "\x00 \t"):
			others = append(others, line)
		case name == "set-cookie":
			cookies = append(cookies, strings.TrimPrefix(value, " "))
		case name == "date", name == "vary", name == "cache-control":
		default:
			fields = append(fields, line)
		}
	}
	return fields, strings.Join(others, "\r\n"), cookies
}

// minus is what the published policy leaves of lines.
func minus(lines []string) (kept []string) {
	for _, line := range lines {
		name, _, _ := strings.Cut(line, "=")
		if slices.Contains([]string{"sessionid", "csrftoken", "django_language", "cookies_preferences"}, strings.Trim(name, " \t")) {
			kept = append(kept, line)
		}
	}
	return kept
}

// startWithAndWithout runs the same directives twice, behind the published policy and on their own.
func startWithAndWithout(t testing.TB, directives string) (with, without gateway) {
	t.Helper()
	with, without = gateway(freePort(t)), gateway(freePort(t))
	var caddyfile strings.Builder
	for g, policy := range map[gateway]string{with: "cookie_policy opendatasoft\n", without: ""} {
		for _, address := range []string{fmt.Sprintf("http://localhost:%d {\n", g), fmt.Sprintf("https://localhost:%d {\ntls %s %s\n", g.httpsPort(), certificate, key)} {
			fmt.Fprintf(&caddyfile, "%sroute {\n%s%s\n}\n}\n", address, policy, directives)
		}
	}
	load(t, caddyfile.String())
	return with, without
}

// startUpstream runs a portal that speaks HTTP well, and returns its address.
func startUpstream(t testing.TB, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// startFastCGI runs one that speaks FastCGI.
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

// startRawPortal runs one that does on each connection whatever the test wants.
func startRawPortal(t testing.TB, serve func(conn net.Conn, in *bufio.Reader)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // closed, below
			}
			serving.Go(func() {
				defer conn.Close()
				serve(conn, bufio.NewReader(conn))
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		serving.Wait()
	})
	return l.Addr().String()
}
