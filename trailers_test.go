package cookiepolicy

import (
	"net/http"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// Trailers pass, announced or not, and of the cookies among them those that the policy lets
// through.
func TestHandlerTrailers(t *testing.T) {
	for _, c := range portaltest.Trailers() {
		portal := portaltest.StartPortal(t, c.Response)
		gateway := caddytest.Start(t, "cookie_policy opendatasoft\nreverse_proxy "+portal.Address)
		for protocol, client := range portaltest.Protocols(t) {
			c.Check(t, protocol, gateway.Ask(t, client, http.MethodGet, "/",
				http.Header{"Te": {"trailers"}}, nil))
		}
	}
}
