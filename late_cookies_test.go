package cookiepolicy

import (
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// A cookie that a handler sets after it began to write its body does not reach the visitor, though
// an encoder outside the policy holds the header back until a block of the body is full.
func TestHandlerLateCookiesWithinEncode(t *testing.T) {
	noise := newNoise()
	page := strings.Repeat("hello ", len(noise)/6)
	for _, encoding := range []string{"gzip", "zstd"} {
		gateway := caddytest.Start(t, "route {\nencode "+encoding+" {\nminimum_length 1\n}\n"+
			"cookie_policy opendatasoft\ntest_handler\n}")
		for what, write := range map[string]func(w http.ResponseWriter, late func()){
			"a small write, then a large one": func(w http.ResponseWriter, late func()) {
				io.WriteString(w, "hello")
				late()
				w.Write(noise)
			},
			"a write that is compressed away": func(w http.ResponseWriter, late func()) {
				io.WriteString(w, page)
				late()
				w.Write(noise)
			},
			"a copy, then a large write": func(w http.ResponseWriter, late func()) {
				w.(io.ReaderFrom).ReadFrom(strings.NewReader("hello"))
				late()
				w.Write(noise)
			},
			"an empty write, then a large copy": func(w http.ResponseWriter, late func()) {
				w.Write(nil)
				late()
				w.(io.ReaderFrom).ReadFrom(strings.NewReader(string(noise)))
			},
			"a write, then a flush": func(w http.ResponseWriter, late func()) {
				io.WriteString(w, "hello")
				late()
				http.NewResponseController(w).Flush()
				w.Write(noise)
			},
			"many writes": func(w http.ResponseWriter, late func()) {
				for part := range slices.Chunk(noise, 1000) {
					w.Write(part)
					late()
				}
			},
		} {
			caddytest.SetHandler(t, func(w http.ResponseWriter, _ *http.Request) error {
				header := w.Header()
				header.Set("Content-Type", "text/plain")
				header.Set("X-Exchanged", "1")
				header["Set-Cookie"] = []string{session, matomo}
				write(w, func() {
					header.Add("Set-Cookie", google)
					delete(header, "X-Exchanged") // so that there are as many fields as before
					header["set-cookie"] = []string{unlisted}
				})
				return nil
			})
			for protocol, client := range portaltest.Protocols(t) {
				got := gateway.Ask(t, client, http.MethodGet, "/",
					http.Header{"Accept-Encoding": {encoding}}, nil)
				if !slices.Equal(got.Header["Set-Cookie"], []string{session}) {
					t.Errorf("%s, encode %s, over %s: got %q",
						what, encoding, protocol, got.Header["Set-Cookie"])
				}
				if got.Header.Get("Content-Encoding") != encoding || len(got.Body) < 128<<10 {
					t.Errorf("%s, encode %s, over %s: the body has %d bytes, with the encoding %q", what,
						encoding, protocol, len(got.Body), got.Header.Get("Content-Encoding"))
				}
			}
		}
	}
}

// A cookie that takes the place of another field after the header was sent is none in a trailer either.
func TestHandlerExchangesFieldForCookie(t *testing.T) {
	gateway := caddytest.Start(t, "route {\ncookie_policy opendatasoft\ntest_handler\n}")
	for _, c := range []struct{ lines, length []string }{
		{nil, nil}, {[]string{session}, nil},
		{nil, []string{"10"}}, // which HTTP/1.1 sends without a trailer
		{nil, []string{"ten", "10"}},
	} {
		caddytest.SetHandler(t, func(w http.ResponseWriter, _ *http.Request) error {
			header := w.Header()
			header.Set("X-Exchanged", "1")
			header.Set("X-Exchanged-Too", "1")
			if c.lines != nil {
				header["Set-Cookie"] = c.lines
			}
			if c.length != nil {
				header["Content-Length"] = c.length
			}
			w.WriteHeader(http.StatusOK)
			io.WriteString(w, "hello")
			delete(header, "X-Exchanged")
			delete(header, "X-Exchanged-Too")
			header["Trailer:Set-Cookie"] = []string{unlisted}
			header["Trailer:X-Late"] = []string{"1"}
			http.NewResponseController(w).Flush()
			io.WriteString(w, "hello")
			return nil
		})
		for protocol, client := range portaltest.Protocols(t) {
			got := gateway.Ask(t, client, http.MethodGet, "/", nil, nil)
			none := protocol == "HTTP/1.1" && slices.Equal(c.length, []string{"10"})
			if len(got.Trailer["Set-Cookie"]) > 0 || (got.Trailer.Get("X-Late") != "1") != none ||
				string(got.Body) != "hellohello" {
				t.Errorf("%q, over %s: the trailer is %q, the body %q", c, protocol, got.Trailer, got.Body)
			}
		}
	}
}

// Whatever a handler does first, a cookie that it sets later goes out neither in the header nor in a
// trailer. An empty write sends no header, and a response that has a length can still come in chunks.
func TestHandlerLateCookies(t *testing.T) {
	late := func(w http.ResponseWriter) {
		w.Header().Add("Set-Cookie", unlisted)
		w.Header()["Trailer:Set-Cookie"] = []string{unlisted}
	}
	length := func(w http.ResponseWriter) { w.Header().Set("Content-Length", "5") }
	flush := func(w http.ResponseWriter) { http.NewResponseController(w).Flush() }
	hello := func(w http.ResponseWriter) { io.WriteString(w, "hello") }
	empty := func(w http.ResponseWriter) { w.Write(nil) }
	copied := func(w http.ResponseWriter) { w.(io.ReaderFrom).ReadFrom(strings.NewReader("hello")) }
	status := func(code int) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { w.WriteHeader(code) }
	}
	set := func(field, value string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { w.Header().Set(field, value) }
	}
	type steps []func(http.ResponseWriter)
	for what, steps := range map[string]steps{
		"an empty write, then a body":             {empty, late, hello},
		"an empty write, then a status":           {empty, late, status(404)},
		"an empty write, then a flush":            {empty, late, flush},
		"an empty write, then a copy":             {empty, length, late, copied},
		"an empty write, then nothing":            {set("Content-Length", "0"), empty, late},
		"a hint, then a body":                     {status(103), late, status(103), hello, late},
		"a status":                                {status(200), late, hello, late},
		"a status, nothing else":                  {status(204), late},
		"not modified":                            {status(304), late},
		"a length":                                {length, status(200), late, hello, late},
		"a length, in chunks":                     {length, set("Transfer-Encoding", "chunked"), hello, late},
		"a flush, then a length":                  {flush, length, hello, late},
		"a copy, then a length":                   {copied, length, hello, late},
		"a flush, then a length, an announcement": {set("Trailer", "Set-Cookie"), flush, length, hello, late},
	} {
		for where, directives := range map[string]string{
			"alone":                 "cookie_policy opendatasoft\ntest_handler\n",
			"within another policy": "cookie_policy opendatasoft {\nname outer\n}\ncookie_policy opendatasoft\ntest_handler\n",
		} {
			caddytest.SetHandler(t, func(w http.ResponseWriter, _ *http.Request) error {
				for _, step := range steps {
					step(w)
				}
				return nil
			})
			checkNoCookies(t, what+", "+where, "route {\n"+directives+"}")
		}
	}
}

// The same holds for an error route whose response comes behind a part of another one.
func TestHandlerLateCookiesOfErrorRoute(t *testing.T) {
	const policy = "cookie_policy opendatasoft\n"
	for what, first := range map[string]string{"with a policy": policy, "without a policy": ""} {
		calls := 0
		caddytest.SetHandler(t, func(w http.ResponseWriter, _ *http.Request) error {
			if calls++; calls%2 == 1 {
				io.WriteString(w, strings.Repeat("hello", 1000))
				return errors.New("broken")
			}
			w.Header().Set("Content-Length", "5")
			w.WriteHeader(http.StatusInternalServerError)
			io.WriteString(w, "hello")
			w.Header()["Trailer:Set-Cookie"] = []string{unlisted}
			return nil
		})
		checkNoCookies(t, what, "route {\n"+first+"test_handler\n}\nhandle_errors {\nroute {\n"+policy+
			"test_handler\n}\n}")
	}
}

// A policy that comes twice around a handler, with another request in between, judges the inner one's lines
// anew.
func TestHandlerLateCookiesOfGrantWithin(t *testing.T) {
	const twice = "cookie_policy opendatasoft matomo\nrequest_header Cookie \"" + grantsMatomo + "\"\n" +
		"cookie_policy opendatasoft matomo\ntest_handler\n"
	for what, around := range map[string]string{"alone": "", "within encode": "encode gzip {\nminimum_length 1\n}\n"} {
		for _, first := range []int{0, http.StatusOK} {
			caddytest.SetHandler(t, func(w http.ResponseWriter, _ *http.Request) error {
				w.Header().Set("Content-Type", "text/plain")
				w.Header().Set("Trailer", "Set-Cookie")
				if first != 0 {
					w.WriteHeader(first)
				}
				io.WriteString(w, "hello")
				w.Header()["Set-Cookie"] = []string{matomo}
				if first != 0 {
					io.WriteString(w, "hello")
				}
				return nil
			})
			checkNoCookies(t, what, "route {\n"+around+twice+"}")
		}
	}
}

// A hint between two parts of a body does not make the lines before it those of the header after it.
func TestHandlerLateCookiesAfterHint(t *testing.T) {
	noise := newNoise()
	caddytest.SetHandler(t, func(w http.ResponseWriter, _ *http.Request) error {
		header := w.Header()
		header.Set("Content-Type", "text/plain")
		header["Set-Cookie"] = []string{matomo}
		header["set-cookie"] = []string{grantsMatomo + "; Path=/"}
		io.WriteString(w, "hello")
		delete(header, "Set-Cookie")
		delete(header, "set-cookie")
		w.WriteHeader(http.StatusEarlyHints)
		header["Set-Cookie"] = []string{matomo}
		w.Write(noise)
		return nil
	})
	checkNoCookies(t, "within encode", "route {\nencode zstd {\nminimum_length 1\n}\ncookie_policy opendatasoft matomo\ntest_handler\n}")
}

// A server of HTTP/2 takes the prefix off a trailer's key, and can then find the key with another prefix.
func TestHandlerTrailersWithTwoPrefixes(t *testing.T) {
	caddytest.SetHandler(t, func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusOK)
		io.WriteString(w, "hello")
		w.Header()["Trailer:X-Late"] = []string{"1"}
		w.Header()["Trailer:Trailer:Set-Cookie"] = []string{unlisted}
		w.Header()["Trailer:Trailer:Trailer:set-cookie"] = []string{unlisted}
		return nil
	})
	for range 10 { // it depends on the order of a map
		checkNoCookies(t, "two prefixes", "route {\ncookie_policy opendatasoft\ntest_handler\n}")
	}
}

// newNoise returns a body that no encoder makes smaller.
func newNoise() []byte {
	noise := make([]byte, 256<<10)
	rand.NewChaCha8([32]byte{}).Read(noise)
	return noise
}

// checkNoCookies checks that no cookie gets through a gateway with directives, over any protocol.
func checkNoCookies(t *testing.T, what, directives string) {
	t.Helper()
	gateway := caddytest.Start(t, directives)
	for protocol, client := range portaltest.Protocols(t) {
		got := gateway.Ask(t, client, http.MethodGet, "/",
			http.Header{"Accept-Encoding": {"gzip, zstd"}}, nil)
		if len(got.Header["Set-Cookie"])+len(got.Trailer["Set-Cookie"]) > 0 {
			t.Errorf("%s, over %s: the header has %q, the trailer %q", what, protocol, got.Header["Set-Cookie"],
				got.Trailer["Set-Cookie"])
		}
	}
}
