package main

// The directive test_handler. Tests build it into cmd/caddy.
import _ "github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
