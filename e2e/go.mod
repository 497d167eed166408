module github.com/cookie-policy/caddy-cookie-policy/e2e

go 1.26.0

require (
	github.com/chromedp/cdproto v0.0.0-20250724212937-08a3db8b4327
	github.com/chromedp/chromedp v0.14.1
	github.com/quic-go/quic-go v0.63.0
	golang.org/x/net v0.60.0
)

require (
	github.com/chromedp/sysutil v1.1.0 // indirect
	github.com/cookie-policy/caddy-cookie-policy v0.0.0
	github.com/go-json-experiment/json v0.0.0-20250725192818-e39067aee2d2 // indirect
	github.com/gobwas/httphead v0.1.0 // indirect
	github.com/gobwas/pool v0.2.1 // indirect
	github.com/gobwas/ws v1.4.0 // indirect
	github.com/quic-go/qpack v0.6.0 // indirect
	golang.org/x/crypto v0.57.0 // indirect
	golang.org/x/sys v0.48.0 // indirect
	golang.org/x/text v0.42.0 // indirect
)

replace github.com/cookie-policy/caddy-cookie-policy => ..
