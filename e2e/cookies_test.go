package e2e

import "github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"

// Cookies that the published policy names, and some that it does not.
const (
	session, csrf            = portaltest.Session, portaltest.CSRF
	matomo, google, unlisted = portaltest.Matomo, portaltest.Google, portaltest.Unlisted
)
