// Command rediscaddy is Caddy with the gateway and a storage in Redis, for tests: the storage modules that
// people use are not dependencies of this project.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/cookie-policy/caddy-cookie-policy"
)

func main() { caddycmd.Main() }
