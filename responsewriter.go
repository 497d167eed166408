package cookiepolicy

import (
	"bufio"
	"io"
	"net"
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
)

// responseWriter filters the header map at the last moment before it is sent. It overrides every method that can send a header first.
type responseWriter struct {
	caddyhttp.ResponseWriterWrapper

	handler *Handler
	visit   enforcer.Visit
	final   bool // the final header has been filtered, and given to the server
	late    bool // the server reads the header map later than that: HTTP/3 holds it back until a body of some size, or the end
}

// WriteHeader filters at each informational status too: whoever sent it restores its header map afterwards, and what was taken out is there again.
func (w *responseWriter) WriteHeader(status int) {
	informational := 100 <= status && status <= 199 && status != http.StatusSwitchingProtocols
	if informational && !w.final {
		w.visit.FilterResponse(w.Header())
	} else {
		w.complete()
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *responseWriter) Write(b []byte) (int, error) {
	w.complete()
	return w.ResponseWriter.Write(b)
}

// ReadFrom keeps sendfile within reach.
func (w *responseWriter) ReadFrom(r io.Reader) (int64, error) {
	w.complete()
	return w.ResponseWriterWrapper.ReadFrom(r)
}

// FlushError sends the header if nothing else has done so.
func (w *responseWriter) FlushError() error {
	w.complete()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Flush is for handlers that ask for an [http.Flusher].
func (w *responseWriter) Flush() { _ = w.FlushError() }

// Hijack is for handlers that ask for an [http.Hijacker]. What they write to the connection themselves is not filtered.
func (w *responseWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

// finish filters what was set without anything being written, what is left in the map for an error route, and trailers.
func (w *responseWriter) finish() { w.visit.CompleteResponse(w.Header()) }

// complete filters the final header, and completes it.
func (w *responseWriter) complete() {
	if !w.final || w.late {
		w.final = true
		w.visit.CompleteResponse(w.Header())
	}
}

// Interface guards
var (
	_ http.ResponseWriter = (*responseWriter)(nil)
	_ http.Flusher        = (*responseWriter)(nil)
	_ http.Hijacker       = (*responseWriter)(nil)
	_ io.ReaderFrom       = (*responseWriter)(nil)
)
