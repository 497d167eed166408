package caddytest

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// listening are the addresses of the config that runs.
var listening []string

// Stop stops Caddy, and returns when it no longer listens.
func Stop(t testing.TB) {
	t.Helper()
	if err := replace(nil, caddy.Stop); err != nil {
		t.Error(err)
	}
	stops++
}

// run loads a config, and returns when the one before no longer listens. Caddy itself does not wait
// for that: until then either of the two may answer.
func run(config []byte) error {
	var parsed struct {
		Apps struct {
			HTTP struct {
				Servers map[string]struct{ Listen []string }
			}
		}
	}
	if err := json.Unmarshal(config, &parsed); err != nil {
		return err
	}
	var addresses []string
	for _, server := range parsed.Apps.HTTP.Servers {
		addresses = append(addresses, server.Listen...)
	}
	return replace(addresses, func() error { return caddy.Load(config, true) })
}

// replace makes a change after which other addresses are listened on, and waits for the listeners
// of before to close.
func replace(addresses []string, change func() error) error {
	listeners := map[string]int{}
	for _, address := range append(listening, addresses...) {
		listeners[address] = caddy.ListenerUsage("tcp", address)
	}
	for _, address := range listening {
		listeners[address]--
	}
	for _, address := range addresses {
		listeners[address]++
	}
	if err := change(); err != nil {
		return err
	}
	listening = addresses
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for address, want := range listeners {
		for caddy.ListenerUsage("tcp", address) > want {
			select {
			case <-tick.C:
			case <-deadline.C:
				return fmt.Errorf("%s: after 10 seconds Caddy still has %d listeners, want %d", address,
					caddy.ListenerUsage("tcp", address), want)
			}
		}
	}
	return nil
}
