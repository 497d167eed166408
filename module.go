// Package cookiepolicy is a Caddy HTTP handler that enforces a published cookie policy at the edge: in front of an open-data portal it lets
// through the cookies that the policy names, under the conditions that it names, and no others.
//
// This package is thin. What a policy says and what follows from it is in package enforcer, which knows no Caddy.
package cookiepolicy

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
)

func init() {
	caddy.RegisterModule(new(Handler))
}

// Handler enforces a cookie policy on three channels:
//
//   - set: of the `Set-Cookie` lines of a response, those reach the visitor that the policy and the visitor's own stored preference let through.
//   - read: of the cookies in a request, the portal sees the same ones only.
//   - expire: cookies that a rule names and the visitor does not grant are removed from the browser, with the next page.
//
// Lines are read as browsers read them. What is let through stays byte for byte and in order, and so does every line on which all browsers
// would act as a deletion. It acts on final responses of any status, on informational ones and on trailers, whoever set the cookie:
// the portal, another handler, or Caddy itself. Error routes run outside the handler: a `handle_errors` that sets cookies needs one of its own.
//
// Directives that run inside it see the placeholders `{http.cookie_policy.consent.<key>}`: `granted`, `refused` or `undecided`.
type Handler struct {
	enforcer.Policy

	enforcer *enforcer.Enforcer
	logger   *zap.Logger

	// Told once for each load, for they come again with every request.
	toldUnknownKey *atomic.Bool
	toldUnusable   *atomic.Bool
}

// CaddyModule returns the Caddy module information.
func (*Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.cookie_policy",
		New: func() caddy.Module { return new(Handler) },
	}
}

// Provision compiles the policy. The error tells all faults at once, each with its path in the config.
func (h *Handler) Provision(ctx caddy.Context) error {
	compiled, err := enforcer.Compile(h.Policy, time.Now)
	var faults enforcer.Faults
	if err != nil && !errors.As(err, &faults) {
		return err
	}
	if faults = append(faults, h.secureFaults(ctx)...); faults != nil {
		return faults
	}
	h.enforcer, h.logger = compiled, ctx.Logger()
	h.toldUnknownKey, h.toldUnusable = new(atomic.Bool), new(atomic.Bool)
	if compiled.LacksPreference() {
		h.logger.Warn("rules wait for consent, and the policy names no preference to read it from: their cookies are never let through",
			zap.String("policy", compiled.Name()))
	}
	app, err := ctx.App("cookie_policy")
	if err != nil {
		return err
	}
	return app.(*App).use(compiled)
}

// ServeHTTP filters the request, hands it on, and filters what comes back.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	vars, _ := r.Context().Value(caddyhttp.VarsCtxKey).(map[string]any)
	fw := &responseWriter{
		ResponseWriterWrapper: caddyhttp.ResponseWriterWrapper{ResponseWriter: w},
		handler:               h,
		visit:                 h.enforcer.Visit(enforcer.Request{Header: r.Header, Host: r.Host, HTTPS: isHTTPS(r, vars)}),
		late:                  r.ProtoMajor == 3,
		http1:                 r.ProtoMajor == 1,
	}
	if h.logger.Core().Enabled(zapcore.DebugLevel) {
		fw.visit.Trace()
	}
	fw.visit.FilterRequest()
	around := fw.answer(r, vars)
	defer func() { // also where the handler panics, as reverse_proxy does when a body breaks off
		fw.finish()
		h.tell(&fw.visit, r)
	}()
	err := next.ServeHTTP(fw, r)
	if err == nil && around != nil { // after an error its routes go on asking this one, unless they have a policy of their own
		fw.first.answering = around
	}
	return err
}

// visitVar is the request's variable for the first of its writers: handlers can lie in one another, and in error routes.
const visitVar = "http.handlers.cookie_policy.first"

// answer makes the writer answer the request's placeholders, in the place of the one around it, which it returns.
func (w *responseWriter) answer(r *http.Request, vars map[string]any) (around *responseWriter) {
	if first, ok := vars[visitVar].(*responseWriter); ok {
		w.first, around = first, first.answering
		first.answering = w
		return around
	}
	w.first, w.answering = w, w
	if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		repl.Map(w.placeholder)
	}
	if vars != nil {
		vars[visitVar] = w
	}
	return nil
}

// tell ends a Visit and writes down what is to be told of it: names, never values.
func (h *Handler) tell(visit *enforcer.Visit, r *http.Request) {
	discoveries, traced := visit.End()
	for _, d := range discoveries {
		h.logger.Warn("met a cookie that the policy does not name",
			zap.String("policy", h.enforcer.Name()),
			zap.String("cookie", d.Name),
			zap.Stringer("channel", d.Channel),
			zap.String("attributes", d.Attributes),
			zap.String("host", d.Host))
	}
	for _, t := range traced {
		h.logger.Debug("verdict",
			zap.String("policy", h.enforcer.Name()),
			zap.String("cookie", t.Cookie),
			zap.Stringer("channel", t.Channel),
			zap.Stringer("verdict", t.Verdict),
			zap.String("rule", t.Rule))
	}
	if unusable, met := visit.Unusable(); met && h.toldUnusable.CompareAndSwap(false, true) {
		h.logger.Warn("no browser accepts a cookie of the portal from this host, because of its Domain; see rewrite_domain",
			zap.String("policy", h.enforcer.Name()),
			zap.String("cookie", enforcer.Printable(unusable.Name)),
			zap.String("domain", enforcer.Printable(unusable.Domain)),
			zap.String("host", enforcer.Printable(r.Host)))
	}
}

const placeholderPrefix = "http.cookie_policy.consent."

// placeholder answers for a consent key. A key that nobody knows is undecided, and told once: it is likely to be misspelt.
func (w *responseWriter) placeholder(name string) (any, bool) {
	key, found := strings.CutPrefix(name, placeholderPrefix)
	if !found {
		return nil, false
	}
	h := w.answering.handler
	consent, known := w.answering.visit.Consent(key)
	if !known && h.toldUnknownKey.CompareAndSwap(false, true) {
		h.logger.Warn("a placeholder asks for a consent key that neither a rule nor the visitor's preference knows; is it misspelt?",
			zap.String("policy", h.enforcer.Name()),
			zap.String("key", key))
	}
	return consent.String(), true
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
