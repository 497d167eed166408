// Command caddy is Caddy's standard distribution with cookie_policy compiled in.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	_ "github.com/caddyserver/caddy/v2/modules/standard"
	_ "github.com/cookie-policy/caddy-cookie-policy"
)

func main() { caddycmd.Main() }
