package e2e

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
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
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Cookies that the published policy names, and some that it does not.
const (
	session  = "sessionid=s3cr3t; Path=/; HttpOnly"
	csrf     = "csrftoken=t0k3n; Path=/; SameSite=Lax"
	language = "django_language=fr; Path=/"
	matomo   = "_pk_id.1.1fff=v1s1t0r; Path=/"
	google   = "_ga=GA1.1; Path=/"
	unlisted = "campaign=spring"
)

// buildHandler builds the Caddy under test once more, with the directive test_handler in it.
var buildHandler = sync.OnceValues(func() (string, error) {
	root, err := filepath.Abs("..")
	if err != nil {
		return "", err
	}
	dir := filepath.Dir(caddy)
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{
		filepath.Join(root, "cmd", "caddy", "handler.go"): filepath.Join(root, "e2e", "testdata", "handler.go"),
	}})
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "caddy-with-handler")
	out, err := exec.Command("go", "build", "-C", root, "-overlay", filepath.Join(dir, "overlay.json"), "-o", binary, "./cmd/caddy").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building the gateway: %w\n%s", err, out)
	}
	return binary, nil
})

// caddyWithHandler is the path of a Caddy that has the directive test_handler, too.
func caddyWithHandler(t testing.TB) string {
	t.Helper()
	binary, err := buildHandler()
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

// startSites runs a Caddy with sites, and with global options beside those that every test needs, and returns its process when all urls answer.
func startSites(t testing.TB, binary, options, sites string, urls []string, env ...string) *os.Process {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "Caddyfile")
	options = fmt.Sprintf("{\nadmin off\npersist_config off\nskip_install_trust\nlocal_certs\nauto_https disable_redirects\ndefault_bind 127.0.0.1\n"+
		"grace_period 1s\nstorage file_system %s\n%s\n}\n", dir, options)
	if err := os.WriteFile(config, []byte(options+sites), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "run", "--adapter", "caddyfile", "--config", config)
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir)
	cmd.Env = append(cmd.Env, env...)
	start(t, cmd)
	for _, url := range urls {
		waitFor(t, url)
	}
	return cmd.Process
}

// startFastCGI runs a portal that speaks FastCGI, and returns its address.
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

// anyCertificate is for clients of a gateway whose authority was made for this run.
func anyCertificate() *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, ServerName: "localhost"}
}

// hint is an informational response.
type hint struct {
	status int
	header http.Header
}

// reply is what a request got back over any version of HTTP.
type reply struct {
	hints           []hint
	status          int
	header, trailer http.Header
	body            string
}

// ask makes a request, follows no redirect, and reads all that comes back.
func ask(t testing.TB, transport http.RoundTripper, method, url string, header http.Header) reply {
	t.Helper()
	r, err := tryAsk(t, transport, method, url, header)
	if err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	return r
}

func tryAsk(t testing.TB, transport http.RoundTripper, method, url string, header http.Header) (r reply, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{Got1xxResponse: func(status int, header textproto.MIMEHeader) error {
		r.hints = append(r.hints, hint{status, http.Header(header)})
		return nil
	}})
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "localhost"
	maps.Copy(req.Header, header)
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return r, err
	}
	defer resp.Body.Close()
	r.status, r.header = resp.StatusCode, resp.Header
	b, err := io.ReadAll(resp.Body)
	r.body, r.trailer = string(b), resp.Trailer
	return r, err
}

// startUpstream runs a portal, which speaks HTTP/1.1 and HTTP/2 in the clear, and returns its address.
func startUpstream(t testing.TB, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// startSocketPortal runs one that reads the head of a request on each connection, and then does whatever the test wants.
func startSocketPortal(t testing.TB, serve func(conn net.Conn, in *bufio.Reader)) string {
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
				in := bufio.NewReader(conn)
				if _, err := http.ReadRequest(in); err == nil {
					serve(conn, in)
				}
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		serving.Wait()
	})
	return l.Addr().String()
}

// answering is a raw portal that always sends the same bytes.
func answering(response string) func(net.Conn, *bufio.Reader) {
	return func(conn net.Conn, _ *bufio.Reader) { io.WriteString(conn, response) }
}

// minus is what the published policy leaves of lines.
func minus(lines []string) (kept []string) {
	for _, line := range lines {
		switch name, _, _ := strings.Cut(line, "="); name {
		case "sessionid", "csrftoken", "django_language", "cookies_preferences":
			kept = append(kept, line)
		}
	}
	return kept
}
