// Package cookiepolicy is a Caddy HTTP handler that enforces a published cookie policy at the edge:
// in front of an open-data portal, it lets through the cookies that the policy names, under the
// conditions that it names, and no others.
//
// This package is thin. Package enforcer, which does not know Caddy, decides and filters.
package cookiepolicy

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
)

func init() {
	caddy.RegisterModule(new(Handler))
}

// Handler enforces a cookie policy on three channels:
//
//   - set: of the `Set-Cookie` lines of a response, the visitor gets those that the policy and the
//     visitor's own stored preference let through.
//   - read: of the cookies in a request, the portal sees the same ones only.
//   - expire: cookies that a rule names and the visitor does not grant are removed from the browser,
//     with the next page.
//
// Lines are read as browsers read them. What is let through stays byte for byte and in order, and so
// does every line that is a deletion in all browsers. The handler filters final responses of any
// status, informational ones and trailers, whether the portal, another handler or Caddy itself set
// the cookie. Error routes run outside the handler: a `handle_errors` that sets cookies needs a
// `cookie_policy` of its own.
//
// Directives that run inside it can use the placeholders `{http.cookie_policy.consent.<key>}`:
// `granted`, `refused` or `undecided`.
type Handler struct {
	policy.Policy

	running *runningPolicy
	logger  *zap.Logger
}

// CaddyModule returns the Caddy module information.
func (*Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.cookie_policy",
		New: func() caddy.Module { return new(Handler) },
	}
}

// Provision compiles the policy. The error holds all of its faults, each with its path in the
// config: it judges the policy too, so Handler is no [caddy.Validator].
func (h *Handler) Provision(ctx caddy.Context) error {
	compiled, err := enforcer.Compile(h.Policy, time.Now)
	if err != nil {
		return err
	}
	h.logger = ctx.Logger()
	app, err := ctx.App("cookie_policy")
	if err != nil {
		return err
	}
	if h.running, err = app.(*App).use(compiled, h.Policy); err != nil {
		if where := writtenAt(&h.Policy, "name"); where != "" {
			err = fmt.Errorf("%s: %w", where, err)
		}
		return err
	}
	app.(*App).logWarnings(h.running, &h.Policy)
	return nil
}

// ServeHTTP filters the request, calls the next handler, and filters its response.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	vars, _ := r.Context().Value(caddyhttp.VarsCtxKey).(map[string]any)
	request := enforcer.Request{Header: r.Header, Host: r.Host, HTTPS: isHTTPS(r, vars)}
	if h.running.enforcer.AsksForReports() {
		request.Path = originalURL(r).Path
	}
	fw := &responseWriter{
		ResponseWriterWrapper: caddyhttp.ResponseWriterWrapper{ResponseWriter: w},
		handler:               h,
		http1:                 r.ProtoMajor == 1,
	}
	h.running.enforcer.Begin(&fw.visit, &request)
	if h.logger.Core().Enabled(zapcore.DebugLevel) {
		fw.visit.Trace()
	}
	outer := fw.resolvePlaceholders(r, vars)
	earlier := fw.earlier()
	if earlier != nil {
		fw.visit.Continue(&earlier.visit)
	}
	fw.visit.FilterRequest()
	if r.Trailer != nil {
		fw.visit.FilterRequestTrailer(r.Trailer)
		r.Body = &requestBody{ReadCloser: r.Body, request: r, visit: &fw.visit}
	}
	defer func() { // also if the handler panics, as reverse_proxy does when a body breaks off
		fw.finish()
		fw.returned = true
		h.log(&fw.visit, r)
		if earlier != nil {
			earlier.visit.Resume(&fw.visit)
		}
	}()
	if h.isReport(r) {
		fw.serveReport(r)
		return nil
	}
	err := next.ServeHTTP(fw, r)
	if err == nil && outer != nil { // after an error, its routes ask this writer, unless they have a policy
		fw.outermost.innermost = outer
	}
	return err
}

// requestBody removes cookies from the request's trailer, which is complete once the body has been
// read.
type requestBody struct {
	io.ReadCloser
	request *http.Request
	visit   *enforcer.Visit
}

// Read reads the body.
func (b *requestBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.visit.FilterRequestTrailer(b.request.Trailer)
	}
	return n, err
}

// firstWriterVar is the request's variable for the first of its writers: handlers can be nested, and
// error routes can have handlers too.
const firstWriterVar = "http.handlers.cookie_policy.first"

// resolvePlaceholders makes the writer resolve the request's placeholders, in place of the outer
// writer, which it returns.
func (w *responseWriter) resolvePlaceholders(r *http.Request, vars map[string]any) (outer *responseWriter) {
	if first, ok := vars[firstWriterVar].(*responseWriter); ok {
		w.outermost, outer = first, first.innermost
		first.innermost = w
		first.others = append(first.others, w)
		return outer
	}
	w.outermost, w.innermost = w, w
	if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		repl.Map(w.placeholder)
	}
	if vars != nil {
		vars[firstWriterVar] = w
	}
	return nil
}

// earlier returns the last writer of the same policy that the request had before w, or nil. Error
// routes have a writer of their own.
func (w *responseWriter) earlier() (earlier *responseWriter) {
	first := w.outermost
	if first == w {
		return nil
	}
	if first.handler.running == w.handler.running {
		earlier = first
	}
	for _, other := range first.others {
		if other != w && other.handler.running == w.handler.running {
			earlier = other
		}
	}
	return earlier
}

const placeholderPrefix = "http.cookie_policy.consent."

// placeholder returns the state of a consent key. A key that nobody knows is undecided, and logged
// once: it is likely to be misspelt.
func (w *responseWriter) placeholder(name string) (any, bool) {
	key, found := strings.CutPrefix(name, placeholderPrefix)
	if !found {
		return nil, false
	}
	h := w.innermost.handler
	consent, known := w.innermost.visit.Consent(key)
	if !known && h.running.loggedUnknownKey.CompareAndSwap(false, true) {
		h.logger.Warn("a placeholder names a consent key that neither a rule nor the visitor's preference knows; is it misspelt?",
			zap.String("policy", h.name()),
			zap.String("key", key))
	}
	return consent.String(), true
}

func (h *Handler) name() string { return h.running.enforcer.Policy().Name() }

// log ends a Visit and logs what is to be reported of it: names, never values.
func (h *Handler) log(visit *enforcer.Visit, r *http.Request) {
	for _, d := range visit.End() {
		h.logger.Warn("met a cookie that the policy does not name",
			zap.String("policy", h.name()),
			zap.String("cookie", d.Name),
			zap.Stringer("channel", d.Channel),
			zap.Uint64("requests", d.Requests),
			zap.String("attributes", d.Attributes),
			zap.String("host", d.Host))
	}
	if x := visit.Explanation(); x != nil {
		h.logVerdicts(x, r)
	}
	if u, met := visit.Unusable(); met && h.running.loggedUnusable.CompareAndSwap(false, true) {
		message := "no browser accepts a cookie of the portal from this host, because of its Domain; see rewrite_domain"
		if u.Rewritable {
			message = "no browser accepts a cookie of the portal from this host, because of its Domain: " +
				"mode report does not apply rewrite_domain; see the documentation of rewrite_domain for what to do until then"
		}
		h.logger.Warn(message,
			zap.String("policy", h.name()),
			zap.String("cookie", report.Printable(u.Name)),
			zap.String("domain", report.Printable(u.Domain)),
			zap.String("host", report.Printable(r.Host)))
	}
	if name, met := visit.NeedsHTTPS(); met && h.running.loggedNeedsHTTPS.CompareAndSwap(false, true) {
		h.logger.Warn("browsers accept SameSite=None over HTTPS only, and this visitor's connection is plain HTTP: "+
			"serve the site over HTTPS, name the proxies in front of it with trusted_proxies, or remove same_site none",
			zap.String("policy", h.name()),
			zap.String("cookie", report.Printable(name)),
			h.written(name, ".same_site"))
	}
}

// logVerdicts logs each verdict with what decided it, for debugging. The id is the same for all of one
// request, and the one that Caddy's access log can have.
func (h *Handler) logVerdicts(x *enforcer.Explanation, r *http.Request) {
	id := ""
	if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		id, _ = repl.GetString("http.request.uuid")
	}
	for i := range x.Verdicts {
		v := &x.Verdicts[i]
		var rule enforcer.ExplainedRule
		if v.Rule != nil {
			rule = *v.Rule
		}
		fields := []zap.Field{
			zap.String("policy", x.Policy),
			zap.String("id", id),
			zap.String("host", x.Host),
			zap.String("cookie", v.Cookie),
			zap.String("channel", v.Channel),
			zap.String("verdict", v.Verdict),
			zap.Stringer("reason", v.Reason),
			zap.String("rule", rule.Label),
			zap.String("path", rule.Path),
		}
		if len(v.Keys) > 0 {
			fields = append(fields, zap.Any("keys", v.Keys))
		}
		if v.Condition != nil { // its value may name a person, as a path can
			fields = append(fields, zap.String("condition", v.Condition.Attribute))
		}
		h.logger.Debug("verdict", fields...)
	}
}

// written is the log's field for the file and line where an option of a cookie's rule was written. It is
// left out where the config did not come from a Caddyfile.
func (h *Handler) written(cookie, option string) zap.Field {
	rule, _ := h.running.enforcer.Policy().Lookup(cookie)
	if rule == nil {
		return zap.Skip()
	}
	where := writtenAt(&h.Policy, rule.Place().Path+option)
	if where == "" {
		return zap.Skip()
	}
	return zap.String("written", where)
}

// isHTTPS reports whether the visitor's own connection is HTTPS. Behind a trusted proxy, that proxy
// knows.
func isHTTPS(r *http.Request, vars map[string]any) bool {
	if trusted, _ := vars[caddyhttp.TrustedProxyVarKey].(bool); trusted {
		if values := r.Header["X-Forwarded-Proto"]; len(values) > 0 {
			// Each further proxy may have added its own.
			visitors, _, _ := strings.Cut(values[len(values)-1], ",")
			return strings.EqualFold(strings.TrimSpace(visitors), "https")
		}
	}
	return r.TLS != nil
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
