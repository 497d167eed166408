package main

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// handler is the directive test_handler: within Caddy it does, step by step, what the request's query says. The tests build it into cmd/caddy.
type handler struct{}

func init() {
	caddy.RegisterModule(handler{})
	httpcaddyfile.RegisterHandlerDirective("test_handler", func(httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		return handler{}, nil
	})
}

func (handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.test_handler", New: func() caddy.Module { return new(handler) }}
}

func (handler) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	for _, step := range r.URL.Query()["do"] {
		what, argument, _ := strings.Cut(step, " ")
		n, _ := strconv.Atoi(argument)
		switch what {
		case "set": // key=line
			key, line, _ := strings.Cut(argument, "=")
			w.Header()[key] = append(w.Header()[key], line)
		case "status":
			w.WriteHeader(n)
		case "write":
			w.Write([]byte(strings.Repeat("x", n)))
		case "copy":
			w.(io.ReaderFrom).ReadFrom(strings.NewReader(strings.Repeat("x", n)))
		case "flush":
			http.NewResponseController(w).Flush()
		case "error":
			return caddyhttp.Error(n, nil)
		default:
			return fmt.Errorf("no such step: %s", step)
		}
	}
	return nil
}
