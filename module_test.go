package cookiepolicy

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
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
)

// The four cookies of the published policy, and some it does not name.
const (
	session  = "sessionid=s3cr3t; Path=/; HttpOnly"
	csrf     = "csrftoken=t0k3n; Path=/; SameSite=Lax"
	language = "django_language=fr; Path=/"
	choices  = "cookies_preferences=%7B%22matomo%22%3Afalse%7D; Path=/"
	matomo   = "_pk_id.1.1fff=v1s1t0r; Path=/"
	google   = "_ga=GA1.1; Path=/"
	unlisted = "campaign=spring"
)

const grantsMatomo = "cookies_preferences=%7B%22matomo%22%3Atrue%7D"

// What the policy lets through reaches the visitor byte for byte and in order, and nothing else does: whatever the lines look like, whatever
// the status, and whatever the visitor stored.
func TestSetCookie(t *testing.T) {
	for _, c := range []struct {
		name       string
		policy     string
		cookie     string // the request's Cookie header
		send, want []string
	}{
		{"only what the policy names", "opendatasoft", "", []string{session, matomo, csrf, google, language, unlisted, choices}, []string{session, csrf, language, choices}},
		{"all refused leaves no header", "opendatasoft", "", []string{matomo, google, unlisted}, nil},
		{"statistics without a choice", "opendatasoft matomo", "", []string{matomo, session}, []string{session}},
		{"statistics that were granted", "opendatasoft matomo", grantsMatomo, []string{google, matomo, session}, []string{matomo, session}},
		{"statistics that were refused", "opendatasoft matomo", "cookies_preferences=%7B%22matomo%22%3Afalse%7D", []string{matomo}, nil},
		{"a choice in plain JSON", "opendatasoft matomo", `cookies_preferences={"matomo":true}`, []string{matomo}, []string{matomo}},
		{"a choice in quotes", "opendatasoft matomo", `cookies_preferences="%7B%22matomo%22%3Atrue%7D"`, []string{matomo}, []string{matomo}},
		{"a choice given twice, and once refused", "opendatasoft matomo", grantsMatomo + "; cookies_preferences=%7B%22matomo%22%3Afalse%7D", []string{matomo}, nil},
		{"a choice that cannot be read", "opendatasoft matomo", "cookies_preferences=yes", []string{matomo}, nil},
		{"anonymous statistics without a choice", "opendatasoft {\npreset matomo {\nanonymous\n}\n}", "", []string{matomo}, []string{matomo}},
		{"anonymous statistics that were refused", "opendatasoft {\npreset matomo {\nanonymous\n}\n}", "cookies_preferences=%7B%22matomo%22%3Afalse%7D", []string{matomo}, nil},
		{"anonymous statistics where the choice cannot be read", "opendatasoft {\npreset matomo {\nanonymous\n}\n}", "cookies_preferences=%", []string{matomo}, nil},
		{"a rule with a domain", "{\nallow necessary a b c d {\ndomain .Example.com\n}\n}", "",
			[]string{"a=1", "b=1; Domain=EXAMPLE.com", "c=1; domain = .example.com", "d=1; Domain=sub.example.com"},
			[]string{"a=1", "b=1; Domain=EXAMPLE.com", "c=1; domain = .example.com"}},
		{"a rule with a path", "{\nallow necessary a b c {\npath /app\n}\n}", "",
			[]string{"a=1; Path=/app", "b=1; Path=/app/x", "c=1"}, []string{"a=1; Path=/app", "c=1"}},
		{"unlisted cookies pass where the policy says so", "opendatasoft {\nunlisted pass\nallow third_party _ga\n}", "", []string{unlisted, google, session}, []string{unlisted, session}},
		{"deletions pass, whatever their name", "opendatasoft", "",
			[]string{"_ga=; Max-Age=0", "_gid=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Domain=.example.com", "x=; Max-Age=60; Max-Age=-1", "y=; Max-Age=0; Max-Age=60"},
			[]string{"_ga=; Max-Age=0", "_gid=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Domain=.example.com", "x=; Max-Age=60; Max-Age=-1"}},
		{"lines that net/http would lose or rewrite", "opendatasoft", "",
			[]string{`sessionid="a; Domain=x; b"`, "sessionid = a b,c ;Path = / ; Foo", "csrftoken=é\xff", "sessionid\u00a0=x", "=sessionid=x", "sessionid", `_ga=1, sessionid=2`, "SessionID=x"},
			[]string{`sessionid="a; Domain=x; b"`, "sessionid = a b,c ;Path = / ; Foo", "csrftoken=é\xff"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			portal := startPortal(t, response("200 OK", c.send, "hello"))
			gateway := startGateway(t, "cookie_policy "+c.policy+"\nreverse_proxy "+portal.address)
			answer := gateway.get(t, c.cookie)
			if got := answer.setCookies(); !slices.Equal(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
			if !strings.HasSuffix(answer.raw, "hello") {
				t.Errorf("the body is %q", answer.raw)
			}
		})
	}
}

// Every final status is filtered, with a body and without.
func TestEveryStatus(t *testing.T) {
	statuses := []string{"200 OK", "201 Created", "204 No Content", "206 Partial Content", "301 Moved Permanently", "302 Found", "303 See Other",
		"304 Not Modified", "307 Temporary Redirect", "308 Permanent Redirect", "401 Unauthorized", "404 Not Found", "418 I'm a teapot",
		"500 Internal Server Error", "503 Service Unavailable", "600 Beyond", "999 Beyond"}
	for _, status := range statuses {
		t.Run(status, func(t *testing.T) {
			portal := startPortal(t, response(status, []string{google, session}, ""))
			answer := startGateway(t, "cookie_policy opendatasoft\nreverse_proxy "+portal.address).get(t, "")
			if !strings.HasPrefix(answer.raw, "HTTP/1.1 "+status[:3]) {
				t.Errorf("the status is %.20q", answer.raw)
			}
			if got := answer.setCookies(); !slices.Equal(got, []string{session}) {
				t.Errorf("got %q", got)
			}
		})
	}
}

// A handler may send its header in any way there is.
func TestEveryWayToSendAHeader(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"sets headers and writes nothing": func(http.ResponseWriter, *http.Request) {},
		"writes a body first":             func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") },
		"writes a status first":           func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) },
		"flushes first":                   func(w http.ResponseWriter, _ *http.Request) { http.NewResponseController(w).Flush() },
		"flushes first, the old way":      func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush() },
		"copies from a reader first":      func(w http.ResponseWriter, _ *http.Request) { io.Copy(w, strings.NewReader("hello")) },
		"sends a file":                    func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, "module.go") },
		"sends early hints":               func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusEarlyHints) },
	} {
		for protocol, client := range protocols(t) {
			t.Run(name+" over "+protocol, func(t *testing.T) {
				setHandler(t, func(w http.ResponseWriter, r *http.Request) error {
					w.Header()["set-cookie"] = []string{google, language}
					w.Header()["Set-Cookie"] = []string{unlisted, session, matomo, csrf}
					w.Header()["Set-Cookie2"] = []string{session}
					handler(w, r)
					return nil
				})
				gateway := startGateway(t, "route {\ncookie_policy opendatasoft\ntest_handler\n}")
				header := gateway.do(t, client, nil)
				got := header["Set-Cookie"]
				slices.Sort(got)
				if want := []string{csrf, language, session}; !slices.Equal(got, want) {
					t.Errorf("got %q, want %q", got, want)
				}
				if header["Set-Cookie2"] != nil {
					t.Error("Set-Cookie2 got through")
				}
			})
		}
	}
}

// What Caddy itself and its other handlers set is filtered like what the portal sets.
func TestCookiesOfOtherDirectives(t *testing.T) {
	portal := startPortal(t, response("200 OK", []string{google, session}, ""))
	for name, c := range map[string]struct {
		caddyfile string
		want      []string
	}{
		"header":             {"cookie_policy opendatasoft\nheader Set-Cookie `" + google + "`\nrespond ok", nil},
		"header, deferred":   {"cookie_policy opendatasoft\nheader >Set-Cookie `" + google + "`\nrespond ok", nil},
		"header_down":        {"cookie_policy opendatasoft\nreverse_proxy " + portal.address + " {\nheader_down +Set-Cookie `" + matomo + "`\n}", []string{session}},
		"lb_policy cookie":   {"cookie_policy opendatasoft\nreverse_proxy " + portal.address + " {\nlb_policy cookie lb secret\n}", []string{session}},
		"handle_response":    {"cookie_policy opendatasoft\nreverse_proxy " + portal.address + " {\nhandle_response {\ncopy_response_headers\nrespond ok\n}\n}", []string{session}},
		"an error, no route": {"cookie_policy opendatasoft\nheader Set-Cookie `" + google + "`\nerror 500", nil},
		"an error route": {"cookie_policy opendatasoft\nheader Set-Cookie `" + google + "`\nerror 500\nhandle_errors {\ncookie_policy opendatasoft\n" +
			"header +Set-Cookie `" + matomo + "`\nheader +Set-Cookie `" + session + "`\nrespond oops\n}", []string{session}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := startGateway(t, c.caddyfile).get(t, "").setCookies(); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	// A cookie of the load balancer passes once the operator names it.
	got := startGateway(t, "cookie_policy opendatasoft load_balancing\nreverse_proxy "+portal.address+" {\nlb_policy cookie lb secret\n}").get(t, "").setCookies()
	if len(got) != 2 || !strings.HasPrefix(got[0], "lb=") {
		t.Errorf("got %q, want the cookie lb and the session", got)
	}
}

// Five portals publish the policy; one gateway enforces it for all of them, under five names.
func TestFivePublishedPolicies(t *testing.T) {
	portal := startPortal(t, response("200 OK", []string{session, matomo, language, google, csrf, choices, unlisted}, ""))
	sites := []string{"dashboard.paris", "opendata.paris.fr", "cityai.my.opendatasoft.com", "desidedatum-partners.opendatasoft.com", "data.city.example"}
	port := freePort(t)
	caddyfile := "(portal) {\ncookie_policy opendatasoft\nreverse_proxy " + portal.address + "\n}\n"
	for _, site := range sites {
		caddyfile += fmt.Sprintf("http://%s:%d {\nimport portal\n}\n", site, port)
	}
	load(t, caddyfile)
	for _, site := range sites {
		answer := gateway(port).send(t, "GET / HTTP/1.1\r\nHost: "+site+"\r\nConnection: close\r\n\r\n")
		if got := answer.setCookies(); !slices.Equal(got, []string{session, language, csrf, choices}) {
			t.Errorf("%s: got %q", site, got)
		}
	}
}

// A reload under load loses no request, and the new policy is in force afterwards. A connection that Caddy's old socket had not yet accepted when
// it closed is reset before anything was answered; that is Caddy's way with or without this module, and every client tries again then.
func TestReloadUnderLoad(t *testing.T) {
	portal := startPortal(t, response("200 OK", []string{session, google}, "hello"))
	site := "reverse_proxy " + portal.address
	gateway := startGateway(t, "cookie_policy opendatasoft\n"+site)
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
				answer, err := gateway.tryAgain("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
				if err != nil || !strings.HasSuffix(answer.raw, "hello") {
					t.Errorf("a request was lost: %q, %v", answer.raw, err)
					return
				}
				if !slices.Contains(answer.setCookies(), session) {
					t.Errorf("the session was lost: %q", answer.raw)
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
		gateway.reload(t, policy+site)
		want := 1 + (i+1)%2
		answer, err := gateway.tryAgain("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		if got := answer.setCookies(); err != nil || len(got) != want {
			t.Errorf("after reload %d: got %q, %v", i, got, err)
		}
	}
	close(stop)
	wg.Wait()
}

// Access logs wrap the writer once more; nothing changes.
func TestAccessLog(t *testing.T) {
	portal := startPortal(t, response("200 OK", []string{session, google}, "hello"))
	answer := startGateway(t, "log {\noutput discard\n}\ncookie_policy opendatasoft\nreverse_proxy "+portal.address).get(t, "")
	if got := answer.setCookies(); !slices.Equal(got, []string{session}) || !strings.HasSuffix(answer.raw, "hello") {
		t.Errorf("got %q", answer.raw)
	}
}

// gateway is a running Caddy's site on a port of the loopback interface.
type gateway int

// startGateway runs Caddy in this process with one site, given its directives.
func startGateway(t testing.TB, directives string) gateway {
	t.Helper()
	g := gateway(freePort(t))
	g.reload(t, directives)
	return g
}

// reload gives the site other directives. It answers in the clear on one port; `https` clients are served there too, see load.
func (g gateway) reload(t testing.TB, directives string) {
	t.Helper()
	load(t, fmt.Sprintf("http://localhost:%d {\n%s\n}\nhttps://localhost:%d {\ntls %s %s\n%s\n}", g, directives, g.httpsPort(), certificate, key, directives))
}

// httpsPort is the port on which the same site answers over TLS.
func (g gateway) httpsPort() int { return int(g) + 1 }

// load runs Caddy in this process with a Caddyfile, until the test ends or another is loaded. It listens on the loopback interface only.
func load(t testing.TB, caddyfile string) {
	t.Helper()
	if err := tryLoad(t, caddyfile); err != nil {
		t.Fatalf("%v\nin this Caddyfile:\n%s", err, caddyfile)
	}
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
	})
}

// Files for the tests' time: where Caddy keeps what it stores, and a certificate, which is there at once where Caddy's own would come later.
var storage, certificate, key string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "cookie-policy")
	if err != nil {
		panic(err)
	}
	storage, certificate, key = dir, filepath.Join(dir, "localhost.crt"), filepath.Join(dir, "localhost.key")
	writeCertificate()
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

func writeCertificate() {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, private.Public(), private)
	if err != nil {
		panic(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		panic(err)
	}
	for file, block := range map[string]*pem.Block{certificate: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			panic(err)
		}
	}
}

func tryLoad(t testing.TB, caddyfile string) error {
	t.Helper()
	return tryLoadWith(t, "log {\noutput discard\n}", caddyfile)
}

// tryLoadWith loads a Caddyfile with global options of its own.
func tryLoadWith(t testing.TB, options, caddyfile string) error {
	t.Helper()
	options = fmt.Sprintf("{\nadmin off\npersist_config off\nskip_install_trust\nauto_https disable_redirects\ndefault_bind 127.0.0.1\n"+
		"grace_period 5s\nstorage file_system %s\n%s\n}\n", storage, options)
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(options+caddyfile), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		return err
	}
	return caddy.Load(config, true)
}

// answer is a response as it stood on the wire.
type answer struct{ raw string }

// setCookies are the values of the Set-Cookie fields of all of the answer's headers, whatever the case of their names.
func (a answer) setCookies() (values []string) {
	head, _, _ := strings.Cut(a.raw, "\r\n\r\n")
	for line := range strings.SplitSeq(head, "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		if strings.EqualFold(strings.TrimSpace(name), "set-cookie") {
			values = append(values, strings.TrimPrefix(value, " "))
		}
	}
	return values
}

// get asks for / with a Cookie header, in the clear and on a connection of its own.
func (g gateway) get(t testing.TB, cookie string) answer {
	t.Helper()
	if cookie != "" {
		cookie = "Cookie: " + cookie + "\r\n"
	}
	return g.send(t, "GET / HTTP/1.1\r\nHost: localhost\r\n"+cookie+"Connection: close\r\n\r\n")
}

func (g gateway) send(t testing.TB, request string) answer {
	t.Helper()
	a, err := g.try(request)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// try sends a request as it is, and reads until the connection closes.
func (g gateway) try(request string) (answer, error) {
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", g))
	if err != nil {
		return answer{}, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(conn, request); err != nil {
		return answer{}, err
	}
	raw, err := io.ReadAll(conn)
	return answer{string(raw)}, err
}

// tryAgain sends a request until a byte of an answer arrives, ten times at most.
func (g gateway) tryAgain(request string) (a answer, err error) {
	for range 10 {
		if a, err = g.try(request); a.raw != "" {
			break
		}
	}
	return a, err
}

// protocols are clients that speak one version of HTTP each.
func protocols(t testing.TB) map[string]*http.Client {
	clients := map[string]*http.Client{}
	for name, next := range map[string][]string{"HTTP/1.1": {"http/1.1"}, "HTTP/2": {"h2"}} {
		transport := &http.Transport{
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true, NextProtos: next, ServerName: "localhost"},
			ForceAttemptHTTP2: name == "HTTP/2",
		}
		t.Cleanup(transport.CloseIdleConnections)
		clients[name] = &http.Client{Transport: transport}
	}
	return clients
}

// do asks for / over TLS, with a header, and returns the header of the answer after its body was read.
func (g gateway) do(t testing.TB, client *http.Client, header http.Header) http.Header {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("https://127.0.0.1:%d/", g.httpsPort()), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "localhost"
	req.Header = header
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.Header
}

// freePort returns a port on the loopback interface of which it and the next one are free.
func freePort(t testing.TB) int {
	t.Helper()
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		next, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+1))
		l.Close()
		if err == nil {
			next.Close()
			return port
		}
	}
}

// portal is an upstream that answers every request with the same bytes, and keeps the requests it got.
type portal struct {
	address  string
	mu       sync.Mutex
	requests []string
}

func startPortal(t testing.TB, response string) *portal {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &portal{address: l.Addr().String()}
	var wg sync.WaitGroup
	t.Cleanup(func() { l.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				var head bytes.Buffer
				for r := bufio.NewReader(conn); !bytes.HasSuffix(head.Bytes(), []byte("\r\n\r\n")); {
					b, err := r.ReadByte()
					if err != nil {
						return
					}
					head.WriteByte(b)
				}
				p.mu.Lock()
				p.requests = append(p.requests, head.String())
				p.mu.Unlock()
				io.WriteString(conn, response)
			})
		}
	})
	return p
}

// response writes an HTTP/1.1 response after which the connection closes.
func response(status string, setCookies []string, body string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %s\r\nConnection: close\r\nContent-Type: text/plain\r\n", status)
	if body != "" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	for _, line := range setCookies {
		fmt.Fprintf(&b, "Set-Cookie: %s\r\n", line)
	}
	return b.String() + "\r\n" + body
}

// testHandler is the directive test_handler: a Go function within a running Caddy.
type testHandler struct{}

var handlerUnderTest func(http.ResponseWriter, *http.Request) error

// setHandler gives the directive test_handler its function, for the time of a test.
func setHandler(t testing.TB, f func(http.ResponseWriter, *http.Request) error) {
	handlerUnderTest = f
	t.Cleanup(func() { handlerUnderTest = nil })
}

func init() {
	caddy.RegisterModule(testHandler{})
	httpcaddyfile.RegisterHandlerDirective("test_handler", func(httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		return testHandler{}, nil
	})
}

func (testHandler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.test_handler", New: func() caddy.Module { return new(testHandler) }}
}

func (testHandler) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	return handlerUnderTest(w, r)
}
