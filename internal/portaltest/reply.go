package portaltest

import (
	"compress/gzip"
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
)

// Hint is an informational response.
type Hint struct {
	Status int
	Header http.Header
}

// Reply is what a request got back over any version of HTTP.
type Reply struct {
	Hints           []Hint
	Status          int
	Header, Trailer http.Header
	Body            string
}

// HintHeaders returns the headers of the informational responses.
func (r Reply) HintHeaders() (headers []http.Header) {
	for _, hint := range r.Hints {
		headers = append(headers, hint.Header)
	}
	return headers
}

// Text returns the body, decoded.
func (r Reply) Text(t testing.TB) string {
	t.Helper()
	if r.Header.Get("Content-Encoding") != "gzip" {
		return r.Body
	}
	z, err := gzip.NewReader(strings.NewReader(r.Body))
	if err != nil {
		t.Fatalf("%v: the body is %.99q", err, r.Body)
	}
	decoded, err := io.ReadAll(z)
	if err != nil {
		t.Fatalf("%v: the body is %.99q", err, r.Body)
	}
	return string(decoded)
}

// Protocols returns clients that speak one version of HTTP each, over TLS.
func Protocols(t testing.TB) map[string]*http.Transport {
	clients := map[string]*http.Transport{}
	for name, next := range map[string]string{"HTTP/1.1": "http/1.1", "HTTP/2": "h2"} {
		config := AnyCertificate()
		config.NextProtos = []string{next}
		transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: name == "HTTP/2"}
		t.Cleanup(transport.CloseIdleConnections)
		clients[name] = transport
	}
	return clients
}

// Ask makes a request to localhost at a URL, follows no redirect, and reads all that comes back.
func Ask(t testing.TB, client http.RoundTripper, method, url string, header http.Header,
	body io.Reader) Reply {
	t.Helper()
	r, err := TryAsk(t, client, method, url, header, body)
	if err != nil {
		t.Fatalf("%s: %v after %.300v", url, err, r)
	}
	return r
}

// TryAsk does what Ask does, and returns an error if the answer breaks off or does not come.
func TryAsk(t testing.TB, client http.RoundTripper, method, url string, header http.Header,
	body io.Reader) (r Reply, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	ctx = httptrace.WithClientTrace(ctx,
		&httptrace.ClientTrace{Got1xxResponse: func(status int, header textproto.MIMEHeader) error {
			r.Hints = append(r.Hints, Hint{status, http.Header(header)})
			return nil
		}})
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "localhost"
	maps.Copy(req.Header, header)
	resp, err := client.RoundTrip(req)
	if err != nil {
		return r, err
	}
	defer resp.Body.Close()
	r.Status, r.Header = resp.StatusCode, resp.Header
	b, err := io.ReadAll(resp.Body)
	r.Body, r.Trailer = string(b), resp.Trailer
	return r, err
}
