package portaltest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// StartStatuses runs a portal that sets cookies and answers with the status that a path names, and
// returns its address.
func StartStatuses(t testing.TB) string {
	t.Helper()
	return StartHandler(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Set-Cookie"] = []string{Google, Session, Unlisted}
		w.Header().Set("Location", "/elsewhere")
		status, _ := strconv.Atoi(r.URL.Path[1:])
		w.WriteHeader(max(status, 200))
		io.WriteString(w, "hello")
	})
}

// CheckStatuses asks for each status, by several methods, through a gateway with the published
// policy.
func CheckStatuses(t testing.TB, what string, ask func(method, path string) Reply) {
	t.Helper()
	for _, status := range []int{200, 204, 206, 301, 302, 303, 304, 307, 308, 401, 404, 500} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
			got := ask(method, fmt.Sprintf("/%d", status))
			body := "hello"
			if method == http.MethodHead || status == 204 || status == 304 {
				body = ""
			}
			if got.Status != status || got.Body != body ||
				!slices.Equal(got.Header["Set-Cookie"], []string{Session}) {
				t.Errorf("%s: %s to %d: got %d, %q, %q", what, method, status, got.Status,
					got.Header["Set-Cookie"], got.Body)
			}
		}
	}
}

// StartHints runs a portal that sends several informational responses before its answer, and
// returns the directives of a site with the published policy, where the gateway sets cookies beside
// the portal's.
func StartHints(t testing.TB) (directives string) {
	t.Helper()
	portal := StartPortal(t, "HTTP/1.1 100 Continue\r\nSet-Cookie: "+Google+"\r\nSet-Cookie: "+CSRF+
		"\r\n\r\n"+
		"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nSet-Cookie: "+Google+"\r\nSet-Cookie: "+
		Session+"\r\n\r\n"+
		"HTTP/1.1 103 Early Hints\r\nLink: </b.css>\r\nset-cookie: "+Matomo+"\r\nSet-Cookie2: "+
		Session+"\r\n\r\n"+
		"HTTP/1.1 102 Processing\r\nSet-Cookie: "+CSRF+"\r\nSet-Cookie: "+Unlisted+"\r\n\r\n"+
		Response("200 OK", []string{Matomo, Choices, Google}, "hello"))
	return "cookie_policy opendatasoft\nencode gzip\nheader +Set-Cookie `" + Unlisted + "`\n" +
		"header +Set-Cookie `" + Language + "`\nreverse_proxy " + portal.Address
}

// CheckHints checks what came through the site of [StartHints]: each hint carries the cookies that
// the policy lets through, those of the portal and those that Caddy sets beside them, and so does
// the final header.
func CheckHints(t testing.TB, what string, got Reply) {
	t.Helper()
	want := []Hint{
		{100, http.Header{"Set-Cookie": {Language, CSRF}}},
		{103, http.Header{"Link": {"</a.css>"}, "Set-Cookie": {Language, Session}}},
		{103, http.Header{"Link": {"</b.css>"}, "Set-Cookie": {Language}}},
		{102, http.Header{"Set-Cookie": {Language, CSRF}}},
	}
	if !slices.EqualFunc(got.Hints, want, func(got, want Hint) bool {
		return got.Status == want.Status && slices.Equal(got.Header["Link"], want.Header["Link"]) &&
			slices.Equal(got.Header["Set-Cookie"], want.Header["Set-Cookie"]) &&
			got.Header["Set-Cookie2"] == nil
	}) {
		t.Errorf("%s: got the hints %v, want %v", what, got.Hints, want)
	}
	if got.Status != 200 || got.Body != "hello" ||
		!slices.Equal(got.Header["Set-Cookie"], []string{Language, Choices}) {
		t.Errorf("%s: the final answer is %+v", what, got)
	}
}

// Trailer is a response with cookies among its trailers.
type Trailer struct {
	Name, Response string

	header, trailer []string // the cookies that the published policy lets through
}

// Trailers returns responses with trailers, announced and not.
func Trailers() []Trailer {
	const (
		head   = "HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"
		chunks = "\r\n5\r\nhello\r\n0\r\n"
		status = "X-Checksum: 5d41\r\nGrpc-Status: 0\r\n\r\n"
		all    = "Set-Cookie: " + Google + "\r\nset-cookie: " + Session + "\r\nSet-Cookie2: " +
			Session + "\r\n" +
			"Set-Cookie: " + Unlisted + "\r\n" + status
		refused = "Set-Cookie: " + Google + "\r\n" + status
		cookies = "Set-Cookie: " + Matomo + "\r\nSet-Cookie: " + CSRF + "\r\n"
	)
	return []Trailer{
		{"announced", head + "Trailer: X-Checksum, Grpc-Status, Set-Cookie, Set-Cookie2\r\n" + chunks + all,
			nil, []string{Session}},
		{"not announced", head + chunks + all,
			nil, []string{Session}},
		{"some announced", head + "Trailer: X-Checksum\r\n" + chunks + all,
			nil, []string{Session}},
		{"not announced, beside a cookie", head + cookies + chunks + all,
			[]string{CSRF}, []string{Session}},
		{"announced, beside a refused cookie",
			head + "Set-Cookie: " + Matomo + "\r\nTrailer: X-Checksum, Set-Cookie\r\n" + chunks + all,
			nil, []string{Session}},
		{"announced, and only refused ones",
			head + "Trailer: Set-Cookie, X-Checksum, Grpc-Status\r\n" + chunks + refused,
			nil, nil},
		{"not announced, and only refused ones", head + chunks + refused,
			nil, nil},
	}
}

// Check checks what came through a gateway with the published policy.
func (c *Trailer) Check(t testing.TB, what string, got Reply) {
	t.Helper()
	if got.Body != "hello" || got.Trailer.Get("X-Checksum") != "5d41" ||
		got.Trailer.Get("Grpc-Status") != "0" {
		t.Errorf("%s, %s: the rest is %+v", c.Name, what, got)
	}
	if !slices.Equal(got.Header["Set-Cookie"], c.header) ||
		!slices.Equal(got.Trailer["Set-Cookie"], c.trailer) ||
		len(got.Trailer["Set-Cookie2"]) > 0 {
		t.Errorf("%s, %s: got the header %q, the trailer %q", c.Name, what, got.Header, got.Trailer)
	}
}

// Events is a portal of server-sent events: it does not send the next until the one before has
// arrived.
type Events struct {
	Address string // host and port

	arrived chan struct{}
}

const events = 3

// StartEvents runs a portal of server-sent events.
func StartEvents(t testing.TB) *Events {
	t.Helper()
	e := &Events{arrived: make(chan struct{})}
	e.Address = StartHandler(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Set-Cookie"] = []string{Google, Session}
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range events {
			fmt.Fprintf(w, "data: %d\n\n", i)
			http.NewResponseController(w).Flush()
			select {
			case <-e.arrived:
			case <-r.Context().Done():
				return
			}
		}
	})
	return e
}

// Check reads the events, one by one, as they come through a gateway with the published policy.
func (e *Events) Check(t testing.TB, what string, client http.RoundTripper, req *http.Request) {
	t.Helper()
	resp, err := client.RoundTrip(req)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	defer resp.Body.Close()
	if got := resp.Header["Set-Cookie"]; !slices.Equal(got, []string{Session}) {
		t.Errorf("%s: got %q", what, got)
	}
	in := bufio.NewReader(resp.Body)
	for i := range events {
		event := make([]byte, len("data: 0\n\n"))
		if _, err := io.ReadFull(in, event); err != nil || string(event) != fmt.Sprintf("data: %d\n\n", i) {
			t.Errorf("%s: event %d is %q (%v)", what, i, event, err)
			return
		}
		e.arrived <- struct{}{}
	}
}

// StartWebSocket runs a portal that switches to WebSocket, with cookies, and returns its address.
func StartWebSocket(t testing.TB) string {
	t.Helper()
	return StartSocket(t, func(conn net.Conn, in *bufio.Reader, _ *http.Request) {
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"+
			"Connection: Upgrade\r\n"+
			"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"+
			"Set-Cookie: "+Google+"\r\nSet-Cookie: "+Session+"\r\nset-cookie: "+Unlisted+"\r\n\r\n")
		EchoFrames(conn, in)
	})
}

// EchoFrames greets, and sends back what it gets until there is no more.
func EchoFrames(out io.Writer, in io.Reader) {
	io.WriteString(out, "\x81\x05hello")
	io.Copy(out, in)
}

// ExchangeFrames checks that the other side does what [EchoFrames] does. It sends what looks like a
// frame, and like a header: it is neither to the gateway.
func ExchangeFrames(t testing.TB, what string, out io.Writer, in io.Reader) {
	t.Helper()
	want := "\x81\x05hello"
	for range 3 {
		got := make([]byte, len(want))
		if _, err := io.ReadFull(in, got); err != nil || string(got) != want {
			t.Errorf("%s: got the frame %q, want %q (%v)", what, got, want, err)
			return
		}
		want = "\x82\x7e\x01\x00Set-Cookie: " + Google + "\r\n\r\n" + strings.Repeat("\x00\xff", 100)
		if _, err := io.WriteString(out, want); err != nil {
			t.Errorf("%s: %v", what, err)
			return
		}
	}
}
