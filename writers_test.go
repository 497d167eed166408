package cookiepolicy

import (
	"io"
	"net/http"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// The policy knows when a header is sent, and that it may not be where somebody outside holds it back.
func TestWriterKnowsWhetherHeaderIsSent(t *testing.T) {
	for _, c := range []struct {
		what, around string
		sent         bool
	}{
		{"alone", "route {\n", true},
		{"with an access log", caddytest.DiscardLogs + "route {\n", true},
		{"within headers", "route {\nheader X-A b\n", true},
		{"within deferred headers", "route {\nheader >X-A b\n", false},
		{"within another policy", "route {\ncookie_policy opendatasoft\n", true},
		{"within encode", "route {\nencode gzip\n", false},
		{"within another policy within encode", "route {\nencode gzip\ncookie_policy opendatasoft\n", false},
		{"within templates", "route {\ntemplates\n", false},
		{"within intercept", "route {\nintercept {\nreplace_status 200\n}\n", false},
	} {
		gateway := caddytest.Start(t, c.around+"cookie_policy opendatasoft {\nname inner\n}\ntest_handler\n}")
		for how, send := range map[string]func(http.ResponseWriter){
			"by a status":      func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound) },
			"by an empty body": func(w http.ResponseWriter) { w.Write(nil) },
			"by a body":        func(w http.ResponseWriter) { io.WriteString(w, "hello") },
		} {
			var before, after bool
			caddytest.SetHandler(t, func(w http.ResponseWriter, _ *http.Request) error {
				writer := w.(*responseWriter)
				w.Header().Set("Content-Type", "text/html")
				w.WriteHeader(http.StatusEarlyHints)
				before = writer.sent
				send(w)
				after = writer.sent
				return nil
			})
			for protocol, client := range portaltest.Protocols(t) {
				gateway.Ask(t, client, http.MethodGet, "/", http.Header{"Accept-Encoding": {"gzip"}}, nil)
				if before || after != c.sent {
					t.Errorf("%s, %s, over %s: sent %t, want %t; after an informational status %t",
						c.what, how, protocol, after, c.sent, before)
				}
			}
		}
	}
}

func TestHasLength(t *testing.T) {
	for length, want := range map[string]bool{
		"0": true, "5": true, "0005": true, "123456789012345678": true,
		"": false, "1234567890123456789": false, "-1": false, "+5": false, " 5": false, "5 ": false,
		"5, 5": false, "five": false, "0x5": false,
	} {
		if got := hasLength(http.Header{"Content-Length": {length}}); got != want {
			t.Errorf("%q: got %t, want %t", length, got, want)
		}
	}
	if hasLength(http.Header{}) || hasLength(http.Header{"Content-Length": {}}) ||
		hasLength(http.Header{"Content-Length": {"5, 5", "5"}}) {
		t.Error("a header without a number has no length")
	}
}
