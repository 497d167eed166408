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

	handler  *Handler
	visit    enforcer.Visit
	http1    bool
	switched bool // the connection speaks another protocol now
	returned bool // the handler has: what runs now is outside of it
	sent     bool // the header is: what is set now can only be a trailer

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
		header := w.ResponseWriter.Header()
		w.visit.FilterResponse(header)
		if status == http.StatusEarlyHints {
			defer w.visit.AddToHints(header)()
		}
		w.switched = w.switched || w.http1 && status == http.StatusSwitchingProtocols
		w.ResponseWriter.WriteHeader(status)
		return
	}
	if status == http.StatusNotModified {
		w.visit.NotModified()
	}
	w.complete()
	w.ResponseWriter.WriteHeader(status)
	w.sent = w.sent || !w.switched && isSent(w.ResponseWriter)
}

// Write filters before each part of the body: a writer outside, such as encode, can hold the header
// back until its buffer is full, and HTTP/3 until a body of some size.
func (w *responseWriter) Write(b []byte) (int, error) {
	w.complete()
	return w.ResponseWriter.Write(b)
}

// ReadFrom lets the connection use sendfile.
func (w *responseWriter) ReadFrom(r io.Reader) (int64, error) {
	w.complete()
	return w.ResponseWriterWrapper.ReadFrom(r)
}

// FlushError sends the header if nothing else has done so.
func (w *responseWriter) FlushError() error {
	w.complete()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Flush implements [http.Flusher].
func (w *responseWriter) Flush() { _ = w.FlushError() }

// Hijack implements [http.Hijacker]. What a handler writes to the connection itself is not filtered.
func (w *responseWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

// complete filters the final header and adds to it, as long as it is not sent.
func (w *responseWriter) complete() {
	if !w.switched && !w.sent {
		w.visit.CompleteResponse(w.ResponseWriter.Header())
	}
}

// finish filters what is in the header map when the handler has returned: what was set without anything
// being written, what is left for an error route or for a writer that holds the response back, and
// trailers.
func (w *responseWriter) finish() {
	if w.sent {
		w.visit.CompleteTrailers(w.ResponseWriter.Header())
		return
	}
	w.complete()
}

// Interface guards
var (
	_ http.ResponseWriter = (*responseWriter)(nil)
	_ http.Flusher        = (*responseWriter)(nil)
	_ http.Hijacker       = (*responseWriter)(nil)
	_ io.ReaderFrom       = (*responseWriter)(nil)
)
