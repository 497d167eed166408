package cookiepolicy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// Each of several early hints carries the cookies that the policy lets through, those of the portal
// and those that Caddy sets beside them, and so does the final header: what was taken out of a hint
// is back in the header map by then.
func TestHandlerEarlyHints(t *testing.T) {
	directives := portaltest.StartHints(t)
	for log, withLog := range map[string]string{"": "", ", logged": caddytest.DiscardLogs} {
		gateway := caddytest.Start(t, withLog+directives)
		for protocol, client := range portaltest.Protocols(t) {
			portaltest.CheckHints(t, protocol+log, gateway.Ask(t, client, http.MethodGet, "/", nil, nil))
		}
	}
}

// A visitor who waits for 100 Continue gets it, with the cookies that the policy lets through, and
// then the body arrives at the portal.
func TestHandlerContinue(t *testing.T) {
	portal := portaltest.StartSocket(t, func(conn net.Conn, _ *bufio.Reader, request *http.Request) {
		io.WriteString(conn, "HTTP/1.1 100 Continue\r\nSet-Cookie: "+google+"\r\nSet-Cookie: "+
			session+"\r\n\r\n")
		body, _ := io.ReadAll(request.Body)
		io.WriteString(conn, portaltest.Response("200 OK", []string{google, csrf},
			"received "+string(body)))
	})
	gateway := caddytest.Start(t, "cookie_policy opendatasoft\nreverse_proxy "+portal)
	for protocol, client := range portaltest.Protocols(t) {
		client.ExpectContinueTimeout = time.Minute
		got := gateway.Ask(t, client, http.MethodPost, "/", http.Header{"Expect": {"100-continue"}},
			strings.NewReader("a form"))
		carried := false
		for _, hint := range got.Hints {
			lines := hint.Header["Set-Cookie"]
			carried = carried || slices.Equal(lines, []string{session})
			if hint.Status != 100 || !slices.Equal(lines, portaltest.Published(lines)) {
				t.Errorf("%s: got %v before the answer", protocol, hint)
			}
		}
		if !carried {
			t.Errorf("%s: the portal's 100 is not among %v", protocol, got.Hints)
		}
		if got.Status != 200 || got.Body != "received a form" ||
			!slices.Equal(got.Header["Set-Cookie"], []string{csrf}) {
			t.Errorf("%s: the answer is %+v", protocol, got)
		}
	}
}

// Over HTTP/2 a 101 is not the end of the header: what is set after it is filtered too.
func TestHandlerSwitchingProtocolsOverHTTP2(t *testing.T) {
	caddytest.SetHandler(t, func(w http.ResponseWriter, _ *http.Request) error {
		w.Header()["Set-Cookie"] = []string{session, google}
		w.WriteHeader(http.StatusSwitchingProtocols)
		w.Header()["Set-Cookie"] = []string{google, csrf}
		w.WriteHeader(http.StatusOK)
		return nil
	})
	got := caddytest.Start(t, "route {\ncookie_policy opendatasoft\ntest_handler\n}").Ask(t,
		portaltest.Protocols(t)["HTTP/2"], http.MethodGet, "/", nil, nil)
	if !slices.Equal(got.Header["Set-Cookie"], []string{csrf}) {
		t.Errorf("got %q", got.Header["Set-Cookie"])
	}
}
