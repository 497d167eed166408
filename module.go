// Package cookiepolicy is a Caddy HTTP handler that enforces a published cookie policy at the edge: in front of an open-data portal it lets
// through the cookies that the policy names, under the conditions that it names, and no others.
//
// This package is thin. What a policy says and what follows from it is in package enforcer, which knows no Caddy.
package cookiepolicy

import (
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
)

func init() {
	caddy.RegisterModule(new(Handler))
}

// Handler enforces a cookie policy: of the `Set-Cookie` lines of a response, those reach the visitor that the policy and the visitor's own
// stored preference let through.
//
// Lines are read as browsers read them. What is let through stays byte for byte and in order, and so does every line on which all browsers
// would act as a deletion. It acts on final responses of any status, on informational ones and on trailers, whoever set the cookie:
// the portal, another handler, or Caddy itself. Error routes run outside the handler: a `handle_errors` that sets cookies needs one of its own.
type Handler struct {
	enforcer.Policy

	enforcer *enforcer.Enforcer
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
	if err != nil {
		return err
	}
	h.enforcer = compiled
	ctx.Logger().Info("cookie policy loaded",
		zap.String("policy", compiled.Name()),
		zap.String("digest", compiled.Digest()),
		zap.Int("rules", compiled.Rules()))
	return nil
}

// ServeHTTP hands the request on, and filters what comes back.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	fw := &responseWriter{
		ResponseWriterWrapper: caddyhttp.ResponseWriterWrapper{ResponseWriter: w},
		visit:                 h.enforcer.Visit(r.Header["Cookie"]),
		late:                  r.ProtoMajor == 3,
	}
	err := next.ServeHTTP(fw, r)
	fw.finish()
	return err
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
