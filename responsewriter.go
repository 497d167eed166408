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
	sent    bool // a body has begun, and the header is out; before that, whoever is around this writer may hold it back: encode does
	late    bool // not even then: HTTP/3 holds it back until a body of some size, or the end
	http1   bool

	first     *responseWriter // of the request
	answering *responseWriter // of the first: the one that answers placeholders now
	ended     bool            // the connection speaks another protocol now
}

// WriteHeader filters at each informational status too: whoever sent it restores its header map afterwards, and what was taken out is there again.
// 101 is one of them. Over HTTP/1.1 nothing follows it; HTTP/2 and HTTP/3 take it for a hint.
func (w *responseWriter) WriteHeader(status int) {
	if 100 <= status && status <= 199 {
		w.visit.FilterResponse(w.Header())
		w.ended = w.ended || w.http1 && status == http.StatusSwitchingProtocols
	} else {
		w.complete()
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *responseWriter) Write(b []byte) (int, error) {
	w.complete()
	n, err := w.ResponseWriter.Write(b)
	w.sent = w.sent || n > 0
	return n, err
}

// ReadFrom keeps sendfile within reach.
func (w *responseWriter) ReadFrom(r io.Reader) (int64, error) {
	w.complete()
	n, err := w.ResponseWriterWrapper.ReadFrom(r)
	w.sent = w.sent || n > 0
	return n, err
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

// finish filters what was set without anything being written, what is left in the map for an error route or for whoever holds the response
// back, and trailers.
func (w *responseWriter) finish() {
	if !w.ended {
		w.visit.CompleteResponse(w.Header())
	}
}

// complete filters the final header, and completes it.
func (w *responseWriter) complete() {
	if !w.sent || w.late {
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
