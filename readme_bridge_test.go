package cookiepolicy

import (
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// These are the names that readme_test.go has for what package portaltest has under others.

type gateway portaltest.Gateway

type answer struct{ portaltest.Answer }

func (g gateway) send(t testing.TB, request string) answer {
	t.Helper()
	return answer{portaltest.Gateway(g).Send(t, request)}
}

func (a answer) setCookies() []string { return a.SetCookies() }

func freePort(t testing.TB) int { return portaltest.FreePort(t) }

func load(t testing.TB, caddyfile string) {
	t.Helper()
	caddytest.Load(t, caddytest.DiscardLogs, caddyfile)
}

func adapt(text string) ([]byte, []caddyconfig.Warning, error) { return caddytest.Adapt(text) }
