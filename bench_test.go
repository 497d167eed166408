package cookiepolicy

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// sixLines are the cookies of a portal's page. The policy `opendatasoft matomo` refuses three of
// them to a visitor who made no choice, and two to one who granted matomo.
var sixLines = []string{
	"django_language=fr; Path=/",
	"_pk_id.1.1fff=0123456789abcdef.1768478400.; Path=/; Max-Age=33955200; SameSite=Lax",
	"csrftoken=0123456789abcdef0123456789abcdef; Max-Age=31449600; Path=/; SameSite=Lax; Secure; " +
		"expires=Thu, 14 Jan 2099 12:00:00 GMT",
	"campaign=spring; Path=/",
	"sessionid=0123456789abcdef0123456789abcdef; Max-Age=1209600; Path=/; SameSite=Lax; Secure; " +
		"HttpOnly; expires=Thu, 29 Jan 2099 12:00:00 GMT",
	"_ga=GA1.1.1234567890.1768478400; Path=/; expires=Sat, 15 Jan 2101 12:00:00 GMT",
}

// storedChoice are the cookies of a visitor who granted matomo.
const storedChoice = "sessionid=0123456789abcdef0123456789abcdef; " +
	"cookies_preferences=%7B%22functional_cookies%22%3Atrue%2C%22matomo%22%3Atrue%7D"

// memoryWriter is a response that goes nowhere: what is left is the cost of the handlers.
type memoryWriter struct{ header http.Header }

func (w *memoryWriter) Header() http.Header       { return w.header }
func (*memoryWriter) WriteHeader(int)             {}
func (*memoryWriter) Write(b []byte) (int, error) { return len(b), nil }

// requestContext gives every round of a benchmark a replacer and variables of its own, as Caddy does
// for every request: what a handler puts into them stays there.
type requestContext struct {
	context.Context
	replacer *caddy.Replacer
	vars     map[string]any
}

func (c *requestContext) Value(key any) any {
	switch key {
	case caddy.ReplacerCtxKey:
		return c.replacer
	case caddyhttp.VarsCtxKey:
		return c.vars
	}
	return c.Context.Value(key)
}

// BenchmarkHandler measures a handler of Caddy's chain without sockets: a request comes in, the
// next handler sets lines and answers. `none` is what the benchmark itself costs: the difference to
// it is the handler's. The peers are Caddy's own `header` with a regular expression, which can only
// name what is refused and leaves empty lines, and net/http's parser with a map of the names that
// are let through.
func BenchmarkHandler(b *testing.B) {
	caddytest.Start(b, "cookie_policy opendatasoft matomo\nrespond ok")
	handlers := []struct {
		name    string
		handler caddyhttp.MiddlewareHandler
		kept    int // of six lines, where the visitor made no choice
	}{
		{"none", passOn{}, 6},
		{"cookie_policy", provisioned(b, "cookie_policy", opendatasoftMatomo), 3},
		{"header", provisioned(b, "headers",
			`{"response": {"deferred": true, "replace": {"Set-Cookie": [{"search_regexp": `+
				`"^(?:_pk_|_ga=|campaign=).*$"}]}}}`), 6},
		{"net_http", netHTTP{"sessionid": true, "csrftoken": true, "django_language": true,
			"cookies_preferences": true}, 3},
	}
	for _, c := range []struct {
		lines      int    // a multiple of six
		preference string // none, or the visitor's choice
		cookie     string
	}{
		{0, "none", ""},
		{6, "none", ""},
		{6, "stored", storedChoice},
		{60, "none", ""},
	} {
		for _, h := range handlers {
			b.Run(fmt.Sprintf("lines=%d/preference=%s/%s", c.lines, c.preference, h.name),
				func(b *testing.B) {
					original := slices.Repeat(sixLines, c.lines/len(sixLines))
					lines := make([]string, len(original))
					next := caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
						header := w.Header()
						clear(header)
						header["Content-Type"] = []string{"text/html; charset=utf-8"}
						if copy(lines, original) > 0 {
							header["Set-Cookie"] = lines
						}
						w.WriteHeader(http.StatusOK)
						return nil
					})
					w := &memoryWriter{http.Header{}}
					r := httptest.NewRequest(http.MethodGet, "/", nil)
					if c.cookie != "" {
						r.Header.Set("Cookie", c.cookie)
					}
					r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, new(caddyhttp.Server))
					perRequest := &requestContext{Context: r.Context()}
					r = r.WithContext(perRequest)
					b.ReportAllocs()
					for b.Loop() {
						perRequest.replacer = caddy.NewReplacer()
						perRequest.replacer.Map(func(string) (any, bool) {
							return nil, false
						}) // Caddy's own `http.request.…`
						perRequest.vars = map[string]any{
							caddyhttp.TrustedProxyVarKey: false, caddyhttp.ClientIPVarKey: "192.0.2.1",
						}
						if err := h.handler.ServeHTTP(w, r, next); err != nil {
							b.Fatal(err)
						}
					}
					if got := len(w.header["Set-Cookie"]); c.cookie == "" && got != c.lines*h.kept/6 {
						b.Errorf("%d lines are left", got)
					}
				})
		}
	}
}

const opendatasoftMatomo = `{"presets": [{"name": "opendatasoft"}, {"name": "matomo"}]}`

// provisioned returns a handler by itself, made from its JSON within the Caddy that runs.
func provisioned(b *testing.B, id, config string) caddyhttp.MiddlewareHandler {
	ctx, cancel := caddy.NewContext(caddy.ActiveContext())
	b.Cleanup(cancel)
	module, err := ctx.LoadModuleByID("http.handlers."+id, []byte(config))
	if err != nil {
		b.Fatal(err)
	}
	return module.(caddyhttp.MiddlewareHandler)
}

// passOn does nothing.
type passOn struct{}

func (passOn) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	return next.ServeHTTP(w, r)
}

// netHTTP is what a handler looks like that leaves the reading to net/http. It lets through these
// names, and loses lines that browsers store.
type netHTTP map[string]bool

func (names netHTTP) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	return next.ServeHTTP(&netHTTPWriter{caddyhttp.ResponseWriterWrapper{ResponseWriter: w}, names}, r)
}

type netHTTPWriter struct {
	caddyhttp.ResponseWriterWrapper
	names netHTTP
}

func (w *netHTTPWriter) WriteHeader(status int) {
	header := w.Header()
	if header["Set-Cookie"] != nil {
		cookies := (&http.Response{Header: header}).Cookies()
		header["Set-Cookie"] = header["Set-Cookie"][:0]
		for _, cookie := range cookies {
			if w.names[cookie.Name] {
				header["Set-Cookie"] = append(header["Set-Cookie"], cookie.Raw)
			}
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

// BenchmarkLargeFile sends a file over a socket, and before that makes sure that its bytes get past
// the policy by `ReadFrom`, which is where net/http puts sendfile. `copied` is a writer that hides
// it. On a loopback socket copying can win, as nothing there takes pages over from a file; what
// sendfile saves is seen in front of a network card.
func BenchmarkLargeFile(b *testing.B) {
	const size = 64 << 20
	dir := b.TempDir()
	file := filepath.Join(dir, "large.bin")
	if err := os.WriteFile(file, make([]byte, size), 0o600); err != nil {
		b.Fatal(err)
	}
	caddytest.SetHandler(b, func(w http.ResponseWriter, r *http.Request) error {
		http.ServeFile(struct{ http.ResponseWriter }{w}, r, file)
		return nil
	})
	for _, c := range []struct{ name, directives string }{
		{"policy=off", "root " + dir + "\nfile_server"},
		{"policy=on", "cookie_policy opendatasoft matomo\nroot " + dir + "\nfile_server"},
		{"copied", "route {\ntest_handler\n}"},
	} {
		b.Run(c.name, func(b *testing.B) {
			gateway := caddytest.Start(b, c.directives)
			if c.name == "policy=on" {
				fileServer := provisioned(b, "file_server", fmt.Sprintf(`{"root": %q}`, dir))
				w := &readFromWriter{memoryWriter: memoryWriter{http.Header{}}}
				r := caddyhttp.PrepareRequest(httptest.NewRequest(http.MethodGet, "/large.bin",
					nil), caddy.NewReplacer(), w, new(caddyhttp.Server))
				err := provisioned(b, "cookie_policy", opendatasoftMatomo).ServeHTTP(w, r,
					caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
						return fileServer.ServeHTTP(w, r, nil)
					}))
				if err != nil || w.taken != size {
					b.Fatalf("ReadFrom took %d bytes of %d, %v", w.taken, size, err)
				}
			}
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			url := fmt.Sprintf("http://localhost:%d/large.bin", gateway)
			buffer := make([]byte, 1<<20)
			b.SetBytes(size)
			for b.Loop() {
				resp, err := client.Get(url)
				if err != nil {
					b.Fatal(err)
				}
				n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard},
					struct{ io.Reader }{resp.Body}, buffer)
				if resp.Body.Close(); err != nil || n != size {
					b.Fatalf("got %d bytes, %v", n, err)
				}
			}
		})
	}
}

// readFromWriter counts what is copied into it from a reader, all at once.
type readFromWriter struct {
	memoryWriter
	taken int64
}

func (w *readFromWriter) ReadFrom(r io.Reader) (int64, error) {
	n, err := io.Copy(io.Discard, r)
	w.taken += n
	return n, err
}
