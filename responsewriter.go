package cookiepolicy

import (
	"bufio"
	"io"
	"net"
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
)

// responseWriter filters the header map at the last moment before it is sent. It overrides every
// method that can send a header first.
type responseWriter struct {
	caddyhttp.ResponseWriterWrapper

	handler *Handler
	visit   enforcer.Visit
	http1   bool
	http3   bool // holds the header back until a body of some size, or the end
	// A body has begun, and the header is out. Before that, encode and others may hold it back.
	sent     bool
	status   bool // WriteHeader was called with a final status
	switched bool // the connection speaks another protocol now

	outermost *responseWriter // of the request
	// Of the outermost: the one that resolves placeholders now, and all others of the request.
	innermost *responseWriter
	others    []*responseWriter
}

// WriteHeader filters at each informational status too: the sender restores its header map
// afterwards, and what was removed is there again. 101 is one of them. Over HTTP/1.1 nothing follows
// it; HTTP/2 and HTTP/3 send it like any other informational status.
func (w *responseWriter) WriteHeader(status int) {
	if 100 <= status && status <= 199 {
		w.visit.FilterResponse(w.Header())
		w.switched = w.switched || w.http1 && status == http.StatusSwitchingProtocols
	} else {
		w.complete()
		w.status = true
	}
	w.ResponseWriter.WriteHeader(status)
}

// begin sends the header if nothing has. A writer outside, such as encode, that was not told a status
// would take the header from the map only when its buffer is full, with what was added until then.
func (w *responseWriter) begin() {
	if w.status || w.switched {
		w.complete()
		return
	}
	w.WriteHeader(http.StatusOK)
}

// Write sends the header if nothing has, and writes to the body.
func (w *responseWriter) Write(b []byte) (int, error) {
	w.begin()
	n, err := w.ResponseWriter.Write(b)
	w.sent = w.sent || n > 0
	return n, err
}

// ReadFrom lets the connection use sendfile.
func (w *responseWriter) ReadFrom(r io.Reader) (int64, error) {
	w.begin()
	n, err := w.ResponseWriterWrapper.ReadFrom(r)
	w.sent = w.sent || n > 0
	return n, err
}

// FlushError sends the header if nothing else has done so.
func (w *responseWriter) FlushError() error {
	w.begin()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Flush implements [http.Flusher].
func (w *responseWriter) Flush() { _ = w.FlushError() }

// Hijack implements [http.Hijacker]. What a handler writes to the connection itself is not filtered.
func (w *responseWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

// finish filters what was set without anything being written, what is left in the map for an error
// route or for a writer that holds the response back, and trailers.
func (w *responseWriter) finish() {
	if !w.switched {
		w.visit.CompleteResponse(w.Header())
	}
}

// complete filters the final header and adds to it.
func (w *responseWriter) complete() {
	if !w.switched && (!w.sent || w.http3) {
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
