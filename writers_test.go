package cookiepolicy

import (
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
		var before, after bool
		caddytest.SetHandler(t, func(w http.ResponseWriter, _ *http.Request) error {
			writer := w.(*responseWriter)
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusEarlyHints)
			w.Write(nil) // which Caddy does not always pass on
			before = writer.sent
			w.WriteHeader(http.StatusNotFound)
			after = writer.sent
			return nil
		})
		for protocol, client := range portaltest.Protocols(t) {
			gateway.Ask(t, client, http.MethodGet, "/", http.Header{"Accept-Encoding": {"gzip"}}, nil)
			if before || after != c.sent {
				t.Errorf("%s, over %s: sent %t, want %t; before the status %t", c.what, protocol, after, c.sent,
					before)
			}
		}
	}
}
