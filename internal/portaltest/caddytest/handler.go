package caddytest

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// handler is the directive test_handler. Within the process of a test it is the function given to
// [SetHandler]; elsewhere it does, step by step, what the request's query says.
type handler struct{}

var function atomic.Pointer[func(http.ResponseWriter, *http.Request) error]

// SetHandler gives the directive test_handler a function, for the time of a test.
func SetHandler(t testing.TB, f func(http.ResponseWriter, *http.Request) error) {
	function.Store(&f)
	t.Cleanup(func() { function.Store(nil) })
}

func init() {
	caddy.RegisterModule(handler{})
	httpcaddyfile.RegisterHandlerDirective("test_handler",
		func(httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
			return handler{}, nil
		})
}

// CaddyModule returns the Caddy module information.
func (handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.test_handler", New: func() caddy.Module {
		return new(handler)
	}}
}

func (handler) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	if f := function.Load(); f != nil {
		return (*f)(w, r)
	}
	for _, step := range r.URL.Query()["do"] {
		if err := do(w, step); err != nil {
			return err
		}
	}
	return nil
}

// do takes one step: a word and its argument.
func do(w http.ResponseWriter, step string) error {
	what, argument, _ := strings.Cut(step, " ")
	n, _ := strconv.Atoi(argument)
	switch what {
	case "set": // key=line
		key, line, _ := strings.Cut(argument, "=")
		w.Header()[key] = append(w.Header()[key], line)
	case "replace": // key=line, in place of all that was set
		key, line, _ := strings.Cut(argument, "=")
		w.Header()[key] = []string{line}
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
	return nil
}
