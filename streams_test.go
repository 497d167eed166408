package cookiepolicy

import (
	"context"
	"io"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// The 101 of a WebSocket carries the cookies that the policy lets through, and afterwards bytes
// flow both ways, untouched and at once.
func TestHandlerWebSocket(t *testing.T) {
	portal := portaltest.StartWebSocket(t)
	for path, directives := range map[string]string{
		"proxied": "cookie_policy opendatasoft\nreverse_proxy " + portal,
		"proxied, logged": caddytest.DiscardLogs +
			"cookie_policy opendatasoft\nreverse_proxy " + portal,
		"proxied, through encode": "cookie_policy opendatasoft\nencode gzip\nreverse_proxy " + portal,
		"by a handler":            "route {\ncookie_policy opendatasoft\ntest_handler\n}",
		"by a handler, logged": caddytest.DiscardLogs +
			"route {\ncookie_policy opendatasoft\ntest_handler\n}",
	} {
		caddytest.SetHandler(t, func(w http.ResponseWriter, _ *http.Request) error {
			maps.Copy(w.Header(), http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"},
				"Set-Cookie": {google, session}, "set-cookie": {unlisted}})
			w.WriteHeader(http.StatusSwitchingProtocols)
			conn, buffered, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return err
			}
			defer conn.Close()
			portaltest.EchoFrames(conn, buffered.Reader)
			return nil
		})
		gateway := caddytest.Start(t, directives)
		conn, in := gateway.Dial(t)
		io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"+
			"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"+
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
		got, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if got.StatusCode != 101 || !slices.Equal(got.Header["Set-Cookie"], []string{session}) {
			t.Errorf("%s: got %s with %q", path, got.Status, got.Header["Set-Cookie"])
		}
		portaltest.ExchangeFrames(t, path, conn, in)
		conn.Close()
	}
}

// Server-sent events arrive one by one: the next is not sent until the one before has arrived.
func TestHandlerServerSentEvents(t *testing.T) {
	events := portaltest.StartEvents(t)
	for path, directives := range map[string]string{
		"plain":          "cookie_policy opendatasoft\n",
		"logged":         caddytest.DiscardLogs + "cookie_policy opendatasoft\n",
		"through encode": "cookie_policy opendatasoft\nencode gzip\n",
		"nested":         "cookie_policy opendatasoft\ncookie_policy opendatasoft matomo\n",
	} {
		gateway := caddytest.Start(t, directives+"reverse_proxy "+events.Address)
		for protocol, client := range portaltest.Protocols(t) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			request := gateway.Request(t, ctx, http.MethodGet, "/",
				http.Header{"Accept-Encoding": {"identity"}}, nil)
			events.Check(t, path+", "+protocol, client, request)
			cancel()
		}
	}
}
