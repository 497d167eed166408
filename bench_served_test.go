package cookiepolicy

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// BenchmarkServed measures a response of Caddy over one connection of HTTP/1.1, with a header like that
// of a portal's page. The difference between `on` and `off` is the policy's.
func BenchmarkServed(b *testing.B) {
	body := bytes.Repeat([]byte("hello"), 400)
	caddytest.SetHandler(b, func(w http.ResponseWriter, r *http.Request) error {
		header := w.Header()
		for name, value := range map[string]string{
			"Content-Type":              "text/html; charset=utf-8",
			"Content-Language":          "fr",
			"Content-Length":            strconv.Itoa(len(body)),
			"Content-Security-Policy":   "frame-ancestors 'self'",
			"Date":                      "Thu, 14 Jan 2027 12:00:00 GMT",
			"Referrer-Policy":           "same-origin",
			"Strict-Transport-Security": "max-age=315360000",
			"X-Frame-Options":           "DENY",
		} {
			header[name] = []string{value}
		}
		if r.URL.Path == "/six" {
			header["Set-Cookie"] = slices.Clone(sixLines)
		}
		w.WriteHeader(http.StatusOK)
		_, err := w.Write(body)
		return err
	})
	for _, c := range []struct{ name, path, cookie string }{
		{"lines=0/preference=none", "/", ""},
		{"lines=6/preference=none", "/six", ""},
		{"lines=6/preference=stored", "/six", "Cookie: " + storedChoice + "\r\n"},
	} {
		for _, policy := range []struct{ name, directive string }{
			{"off", ""}, {"on", "cookie_policy opendatasoft matomo\n"},
		} {
			b.Run(c.name+"/policy="+policy.name, func(b *testing.B) {
				gateway := caddytest.Start(b, "route {\n"+policy.directive+"test_handler\n}")
				conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", gateway))
				if err != nil {
					b.Fatal(err)
				}
				defer conn.Close()
				request := "GET " + c.path + " HTTP/1.1\r\nHost: localhost\r\n" + c.cookie + "\r\n"
				answer := bufio.NewReader(conn)
				for b.Loop() {
					if _, err := io.WriteString(conn, request); err != nil {
						b.Fatal(err)
					}
					for {
						line, err := answer.ReadSlice('\n')
						if err != nil {
							b.Fatal(err)
						}
						if len(line) == len("\r\n") {
							break
						}
					}
					if _, err := answer.Discard(len(body)); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
