package cookiepolicy

import (
	"io"
	"net/http"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/cspreport"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// maxDiscarded is how many bytes of a body are taken in beside those that are read.
const maxDiscarded = 64 << 10

// isReport reports whether a request brings a browser's reports, which the portal never sees. It goes by
// the path that the browser asked for: handlers before this one may have changed it for the portal.
func (h *Handler) isReport(r *http.Request) bool {
	return h.running.enforcer.AsksForReports() && originalURL(r).Path == policy.ReportPath
}

// serveReport counts the reports of a request. Whatever is in it, the answer is the same: nobody can tell
// what was counted.
func (w *responseWriter) serveReport(r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	observer := w.handler.running.observer
	defer func() {
		// A connection that closes with unread bytes can take the answer with it.
		_, _ = io.CopyN(io.Discard, r.Body, maxDiscarded)
		w.WriteHeader(http.StatusNoContent)
	}()
	if !observer.AllowReports(1, time.Now()) { // nothing is looked at
		observer.CountDropped(cspreport.TooOften, 1)
		return
	}
	// A body that breaks off is read as far as it came.
	body, _ := io.ReadAll(io.LimitReader(r.Body, cspreport.MaxBody+1))
	reports, dropped := cspreport.Read(r.Header.Get("Content-Type"), body, r.Host)
	if more := len(reports) - 1; more > 0 && !observer.AllowReports(more, time.Now()) {
		dropped[cspreport.TooOften] += more
		reports = reports[:1]
	}
	for reason, n := range dropped {
		observer.CountDropped(reason, uint64(n))
	}
	for _, report := range reports {
		w.visit.CountLoad(report.Origin, report.Directive)
	}
}
