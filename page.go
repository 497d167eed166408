package cookiepolicy

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
	"github.com/cookie-policy/caddy-cookie-policy/page"
)

func init() {
	caddy.RegisterModule(new(PageHandler))
}

// PageHandler answers every request with the page of the cookie policy that is around it: which cookies
// the policy lets through and on what condition, what the visitor has chosen, and, if `controller` is
// given and the preference can be written, a form to choose on. It needs no script.
//
// A request with `Accept: application/json` gets the same as data.
type PageHandler struct {
	page.Config

	page   *page.Page
	logger *zap.Logger
}

// CaddyModule returns the Caddy module information.
func (*PageHandler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.cookie_policy_page",
		New: func() caddy.Module { return new(PageHandler) },
	}
}

// Provision reads the template. The error holds all faults of the config, each with its path.
func (h *PageHandler) Provision(ctx caddy.Context) (err error) {
	h.logger = ctx.Logger()
	if h.page, err = page.New(h.Config, time.Now); err != nil {
		return err
	}
	_, err = ctx.App("cookie_policy") // which knows the policies, and checks where pages are
	return err
}

// ServeHTTP answers with the page.
func (h *PageHandler) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	around := policyAround(r)
	if around == nil {
		h.logger.Error(pageWithoutPolicyWarning, zap.String("host", report.Printable(r.Host)))
		return caddyhttp.Error(http.StatusInternalServerError, errors.New(pageWithoutPolicyWarning))
	}
	running := around.handler.running
	outcome := h.page.Serve(w, page.Request{
		Request: r, Enforcer: running.enforcer, Visit: &around.visit,
		InForce: running.timesInForce(), URL: originalURL(r),
	})
	for key, granted := range outcome.Saved {
		running.observer.CountSaved(key, granted)
	}
	if err := outcome.NotStored; err != nil && running.loggedNotStored.CompareAndSwap(false, true) {
		h.logger.Warn("a choice that a visitor made on the policy page could not be stored",
			zap.String("policy", running.name()), zap.Error(err))
	}
	if outcome.Err != nil {
		h.logger.Error("the template of the policy page failed, and the built-in page was shown",
			zap.String("policy", running.name()), zap.Error(outcome.Err))
	}
	return nil
}

// timesInForce returns when the policy came into force, and before it the first of its name.
func (p *runningPolicy) timesInForce() page.InForce {
	times := page.InForce{Since: p.since(), Changed: p.since()}
	if first := p.keeper.FirstSince(); !first.IsZero() && first.Before(times.Since) {
		times.Since = first
	}
	return times
}

// policyAround returns the writer of the policy that is around a request, the innermost if there are
// several, or nil.
func policyAround(r *http.Request) *responseWriter {
	vars, _ := r.Context().Value(caddyhttp.VarsCtxKey).(map[string]any)
	first, ok := vars[firstWriterVar].(*responseWriter)
	if !ok {
		return nil
	}
	for _, w := range slices.Backward(append([]*responseWriter{first}, first.others...)) {
		if !w.returned { // one that has returned is around other routes
			return w
		}
	}
	return nil
}

// originalURL returns the URL of a request before handlers such as rewrite and handle_path changed it.
func originalURL(r *http.Request) *url.URL {
	if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok && original.URL != nil {
		return original.URL
	}
	return r.URL
}

// Interface guards
var (
	_ caddy.Provisioner           = (*PageHandler)(nil)
	_ caddyhttp.MiddlewareHandler = (*PageHandler)(nil)
)
