package e2e

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
)

// gRPC passes through whole: messages both ways, one at a time; status and metadata in the
// trailers, or in the only header where there is no message. Cookies among them are subject to the
// policy.
func TestHandlerGRPC(t *testing.T) {
	portal := portaltest.StartHandler(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Set-Cookie"] = []string{google, session}
		w.Header().Set("Content-Type", "application/grpc")
		if r.ProtoMajor != 2 || r.Header.Get("Te") != "trailers" {
			w.Header().Set("Grpc-Status", "13")
			w.Header().Set("Grpc-Message", "this came over "+r.Proto)
			return
		}
		if r.URL.Path == "/only-a-header" {
			w.Header().Set("Grpc-Status", "5")
			w.Header().Set("Grpc-Message", "no such thing")
			return
		}
		trailer := http.Header{"Grpc-Status": {"0"}, "Grpc-Message": {"fine"},
			"Set-Cookie": {google, csrf}, "X-Binary-Bin": {"AAEC"}}
		prefix := http.TrailerPrefix
		if r.URL.Path == "/announced" {
			prefix = ""
			w.Header()["Set-Cookie"] = nil // the trailer would take it along
			w.Header()["Trailer"] = slices.Collect(maps.Keys(trailer))
		}
		control := http.NewResponseController(w)
		control.Flush()
		for {
			message, err := readMessage(r.Body)
			if err != nil {
				break
			}
			writeMessage(w, message)
			control.Flush()
		}
		for key, values := range trailer {
			w.Header()[prefix+key] = values
		}
	})
	encrypted, clear := portaltest.FreePort(t), portaltest.FreePort(t)
	site := "cookie_policy opendatasoft\nreverse_proxy h2c://" + portal
	startSites(t, caddy, "servers {\nprotocols h1 h2 h2c\n}",
		fmt.Sprintf("https://localhost:%d {\n%s\n}\nhttp://localhost:%d {\nlog {\noutput discard\n"+
			"}\n%s\n}\n", encrypted, site, clear, site),
		[]string{fmt.Sprintf("https://localhost:%d", encrypted), fmt.Sprintf("http://localhost:%d", clear)})
	for protocol, base := range map[string]string{"h2": fmt.Sprintf("https://127.0.0.1:%d",
		encrypted), "h2c": fmt.Sprintf("http://127.0.0.1:%d", clear)} {
		transport := &http.Transport{TLSClientConfig: portaltest.AnyCertificate(),
			Protocols: new(http.Protocols)}
		transport.Protocols.SetHTTP2(protocol == "h2")
		transport.Protocols.SetUnencryptedHTTP2(protocol == "h2c")
		t.Cleanup(transport.CloseIdleConnections)
		call := func(t *testing.T, path string) (*http.Response, io.WriteCloser) {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			t.Cleanup(cancel)
			in, out := io.Pipe()
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+path, in)
			if err != nil {
				t.Fatal(err)
			}
			req.Host = "localhost"
			req.Header = http.Header{"Content-Type": {"application/grpc"}, "Te": {"trailers"},
				"Accept-Encoding": {"identity"}}
			resp, err := transport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { resp.Body.Close() })
			if resp.StatusCode != 200 || resp.ProtoMajor != 2 {
				t.Errorf("got %s over %s", resp.Status, resp.Proto)
			}
			return resp, out
		}
		for _, path := range []string{"/announced", "/not-announced"} {
			t.Run(protocol+path, func(t *testing.T) {
				resp, out := call(t, path)
				for _, want := range []string{"one", "", strings.Repeat("large ", 100_000),
					"Set-Cookie: " + google} {
					writeMessage(out, want)
					if got, err := readMessage(resp.Body); err != nil || got != want {
						t.Fatalf("got the message %.99q, want %.99q (%v)", got, want, err)
					}
				}
				out.Close()
				if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) > 0 {
					t.Errorf("after the messages there is %q (%v)", rest, err)
				}
				want := []string{session}
				if path == "/announced" {
					want = nil
				}
				if got := resp.Header["Set-Cookie"]; !slices.Equal(got, want) {
					t.Errorf("got the cookies %q, want %q", got, want)
				}
				if !maps.EqualFunc(resp.Trailer,
					http.Header{"Grpc-Status": {"0"}, "Grpc-Message": {"fine"},
						"Set-Cookie": {csrf}, "X-Binary-Bin": {"AAEC"}}, slices.Equal[[]string]) {
					t.Errorf("got the trailer %q", resp.Trailer)
				}
			})
		}
		t.Run(protocol+"/only-a-header", func(t *testing.T) {
			resp, out := call(t, "/only-a-header")
			out.Close()
			if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) > 0 ||
				resp.Header.Get("Grpc-Status") != "5" ||
				resp.Header.Get("Grpc-Message") != "no such thing" {
				t.Errorf("got %q and %q (%v)", resp.Header, rest, err)
			}
			if got := resp.Header["Set-Cookie"]; !slices.Equal(got, []string{session}) {
				t.Errorf("got the cookies %q", got)
			}
		})
	}
}

// writeMessage writes a message as gRPC frames it. Its errors show on the other side.
func writeMessage(w io.Writer, message string) {
	io.WriteString(w, string(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))))+message)
}

func readMessage(r io.Reader) (string, error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return "", err
	}
	message := make([]byte, binary.BigEndian.Uint32(head[1:]))
	_, err := io.ReadFull(r, message)
	return string(message), err
}
