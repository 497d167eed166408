package cookiepolicy

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
)

// isHTTPS says whether the visitor's own connection is HTTPS. Behind a trusted proxy that proxy knows.
func isHTTPS(r *http.Request, vars map[string]any) bool {
	if trusted, _ := vars[caddyhttp.TrustedProxyVarKey].(bool); trusted {
		if values := r.Header["X-Forwarded-Proto"]; len(values) > 0 {
			visitors, _, _ := strings.Cut(values[len(values)-1], ",") // each further proxy may have added its own
			return strings.EqualFold(strings.TrimSpace(visitors), "https")
		}
	}
	return r.TLS != nil
}

// secureFaults are the rules that ask for SameSite=None where no visitor's connection can ever be HTTPS: browsers take it with Secure only,
// and Secure over HTTPS only (RFC 6265bis section 5.7). A policy may stand on a site of each kind; then it works on one of them.
func (h *Handler) secureFaults(ctx caddy.Context) (faults enforcer.Faults) {
	if mayServeHTTPS(ctx) {
		return nil
	}
	ask := func(path string, o *enforcer.RuleOptions) {
		if o.SameSite == enforcer.SameSiteNone {
			faults = append(faults, enforcer.Fault{Path: path + ".same_site", Word: o.SameSite,
				Problem: "browsers take SameSite=None over HTTPS only, and this config has neither a server with TLS nor a proxy that it trusts to tell of HTTPS",
				Right:   "serve the site over HTTPS, name the proxies in front of it with trusted_proxies, or remove this"})
		}
	}
	for i := range h.Presets {
		ask(fmt.Sprintf("presets[%d]", i), &h.Presets[i].RuleOptions)
	}
	for i := range h.Allow {
		ask(fmt.Sprintf("allow[%d]", i), &h.Allow[i].RuleOptions)
	}
	return faults
}

// mayServeHTTPS says whether visitors' connections can be HTTPS at any server of the config: only where that is out of the question it says no.
func mayServeHTTPS(ctx caddy.Context) bool {
	for _, module := range ctx.Modules() {
		app, ok := module.(*caddyhttp.App)
		if !ok {
			continue
		}
		for _, server := range app.Servers {
			if !isInTheClear(server) {
				return true
			}
		}
		return false
	}
	return true // not within a server
}

// isInTheClear says whether a server has no TLS, and nobody whom it would believe that a visitor's connection has.
func isInTheClear(server *caddyhttp.Server) bool {
	for _, address := range server.Listen {
		parsed, err := caddy.ParseNetworkAddress(address)
		if err != nil || !strings.HasPrefix(parsed.Network, "tcp") && !caddy.IsUnixNetwork(parsed.Network) {
			return false // other networks may bring TLS of their own
		}
	}
	return len(server.TLSConnPolicies) == 0 && !server.TrustedProxiesUnix &&
		server.TrustedProxiesRaw == nil && isUnset(server, "trustedProxies") &&
		server.ListenerWrappersRaw == nil && isUnset(server, "listenerWrappers")
}

// isUnset looks at a field that Caddy fills from the raw config, which it then forgets. Nobody else can be asked. Should the field one day be
// gone, nothing is known of it.
func isUnset(server *caddyhttp.Server, field string) bool {
	value := reflect.ValueOf(server).Elem().FieldByName(field)
	return value.IsValid() && value.IsZero()
}
