package cookiepolicy

import (
	"net/http"
	"reflect"
	"slices"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// writerKind is what a response writer does with a header.
type writerKind uint8

const (
	otherWriter    writerKind = iota // it may hold the header back
	serverWriter                     // it sends it, or takes a copy, as [http.ResponseWriter] says
	passingWriter                    // it passes it on
	recorderWriter                   // it passes it on, unless it says that it holds the response back
)

// writerKinds are the response writers around most handlers, by package and name: few are exported.
var writerKinds = map[[2]string]writerKind{
	{"net/http", "response"}:                     serverWriter,
	{"net/http", "http2responseWriter"}:          serverWriter,
	{"golang.org/x/net/http2", "responseWriter"}: serverWriter,
	{caddyPackage, "readDeadlineWriter"}:         passingWriter,
	{caddyPackage, "IdleTimeoutWriter"}:          passingWriter,
	{caddyPackage, "responseRecorder"}:           recorderWriter,
}

var caddyPackage = reflect.TypeFor[caddyhttp.ResponseWriterWrapper]().PkgPath()

// knownWriters are the types that were met, which are few. The slice is never changed, but replaced.
var knownWriters atomic.Pointer[[]knownWriter]

type knownWriter struct {
	writer reflect.Type
	kind   writerKind
}

// kindOf returns the kind of a response writer, by its type.
func kindOf(w http.ResponseWriter) writerKind {
	t := reflect.TypeOf(w)
	var known []knownWriter
	if met := knownWriters.Load(); met != nil {
		known = *met
	}
	for i := range known {
		if known[i].writer == t {
			return known[i].kind
		}
	}
	kind := otherWriter
	if t.Kind() == reflect.Pointer {
		kind = writerKinds[[2]string{t.Elem().PkgPath(), t.Elem().Name()}]
	}
	more := append(slices.Clip(known), knownWriter{t, kind})
	knownWriters.Store(&more) // if another goroutine does so now, one of the two is added later
	return kind
}

// isSent reports whether the header that was given to w is on its way, so that what handlers still set
// can only be a trailer. It may be asked when WriteHeader has returned: Caddy's IdleTimeoutWriter does not
// pass on an empty Write. Where a handler outside may hold the header back, as encode does, it reports
// false.
//
// Not looking through such a header again before each part of the body saves 14 % of what the policy adds to
// BenchmarkServed without cookies.
func isSent(w http.ResponseWriter) bool {
	for {
		if policy, ok := w.(*responseWriter); ok {
			return policy.sent
		}
		switch kindOf(w) {
		case serverWriter:
			return true
		case recorderWriter:
			if w.(caddyhttp.ResponseRecorder).Buffered() {
				return false
			}
		case otherWriter:
			return false
		}
		w = w.(interface{ Unwrap() http.ResponseWriter }).Unwrap()
	}
}
