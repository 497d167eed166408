package e2e

import (
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
)

// freePort is the name that readme_test.go has for [portaltest.FreePort].
func freePort(t testing.TB) int { return portaltest.FreePort(t) }
