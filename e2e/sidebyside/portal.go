package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
)

// The Set-Cookie lines of the portal. The policy `opendatasoft matomo` lets three of these six
// through, and a fourth for a visitor who granted matomo.
const (
	session = "sessionid=0123456789abcdef0123456789abcdef; HttpOnly; Max-Age=1209600; Path=/; " +
		"SameSite=Lax"
	matomo   = "_pk_id.1.1fff=0123456789abcdef.1768478400.; Max-Age=33955200; Path=/; SameSite=Lax"
	csrf     = "csrftoken=0123456789abcdef0123456789abcdef; Max-Age=31449600; Path=/; SameSite=Lax"
	google   = "_ga=GA1.1.1234567890.1768478400; Max-Age=63072000; Path=/"
	language = "django_language=fr; Max-Age=31536000; Path=/"
	campaign = "campaign=spring; Path=/"
)

var (
	sixLines    = []string{session, matomo, csrf, google, language, campaign}
	plainPath   = "/plain" // sets no cookies
	portalPages = map[string][]byte{"/": page(sixLines), plainPath: page(nil)}
)

const body = "<!DOCTYPE html><title>Portal</title>"

// page returns a response as it is on the wire.
func page(setCookies []string) []byte {
	var b bytes.Buffer
	b.WriteString("HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n")
	fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	for _, line := range setCookies {
		fmt.Fprintf(&b, "Set-Cookie: %s\r\n", line)
	}
	b.WriteString("\r\n" + body)
	return b.Bytes()
}

// servePortal answers requests without a body until the listener is closed. It does as little work
// as possible, because it shares the processor with the proxies that are measured.
func servePortal(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			_ = answerAll(conn) // ends with an error when the proxy closes the connection
		}()
	}
}

// answerAll answers the requests on a connection until reading or writing fails.
func answerAll(conn io.ReadWriter) error {
	r := bufio.NewReader(conn)
	for {
		requestLine, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		_, target, _ := bytes.Cut(requestLine, []byte(" "))
		target, _, _ = bytes.Cut(target, []byte(" "))
		answer, ok := portalPages[string(target)]
		if !ok {
			return fmt.Errorf("there is no page %q", target)
		}
		for {
			line, err := r.ReadSlice('\n')
			if err != nil {
				return err
			}
			if len(bytes.TrimRight(line, "\r\n")) == 0 {
				break
			}
		}
		if _, err := conn.Write(answer); err != nil {
			return err
		}
	}
}
