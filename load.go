package cookiepolicy

import (
	"io"
	"net/http"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/cspreport"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// isReport reports whether a request brings a browser's reports, which the portal never sees.
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
	// A body that breaks off is read as far as it came, and cannot be understood then.
	body, _ := io.ReadAll(io.LimitReader(r.Body, cspreport.MaxBody+1))
	reports, dropped := cspreport.Read(r.Header.Get("Content-Type"), body, r.Host)
	if !observer.AllowReports(1+len(reports), time.Now()) {
		reports, dropped = nil, map[string]int{cspreport.TooOften: 1}
	}
	for reason, n := range dropped {
		observer.CountDropped(reason, uint64(n))
	}
	for _, report := range reports {
		w.visit.CountLoad(report.Origin, report.Directive)
	}
	w.WriteHeader(http.StatusNoContent)
}
