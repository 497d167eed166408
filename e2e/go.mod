module github.com/cookie-policy/caddy-cookie-policy/e2e

go 1.26.0
