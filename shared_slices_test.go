package cookiepolicy

import (
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// sharedLines are header fields that a handler serves to all visitors from the same memory.
var sharedLines = http.Header{
	"Set-Cookie":    {session, matomo, google, csrf},
	"Vary":          {"Accept"},
	"Cache-Control": {"public, s-maxage=60", "max-age=60"},
}

// A handler may serve slices that it shares between requests: the policy does not change them, so
// that each of many visitors at once gets what their own choice lets through.
func TestHandlerSharedSlices(t *testing.T) {
	before := sharedLines.Clone()
	caddytest.SetHandler(t, func(w http.ResponseWriter, _ *http.Request) error {
		for key, lines := range sharedLines {
			w.Header()[key] = lines
		}
		w.WriteHeader(http.StatusEarlyHints)
		_, err := w.Write([]byte("hello"))
		return err
	})
	gateway := caddytest.Start(t, "route {\ncookie_policy opendatasoft matomo {\n"+
		"allow necessary csrftoken {\nmax_age 1h\nsecure\n}\n}\ntest_handler\n}")
	visitors := map[string][]string{
		"":           {session, csrf + "; Secure"},
		grantsMatomo: {session, matomo, csrf + "; Secure"},
		"cookies_preferences=%7B%22matomo%22%3Afalse%7D": {session, csrf + "; Secure"},
	}
	clients := portaltest.Protocols(t)
	var wg sync.WaitGroup
	for cookie, lines := range visitors {
		for protocol, client := range clients {
			header := http.Header{}
			if cookie != "" {
				header.Set("Cookie", cookie)
			}
			for range 3 {
				wg.Go(func() {
					for range 20 {
						got, err := gateway.TryAsk(t, client, http.MethodGet, "/", header, nil)
						if err != nil || !slices.Equal(got.Header["Set-Cookie"], lines) ||
							!slices.Equal(got.Header["Cache-Control"], []string{"private, max-age=60"}) {
							t.Errorf("with %q over %s: got %q (%v), want the cookies %q", cookie, protocol,
								got.Header, err, lines)
							return
						}
					}
				})
			}
		}
	}
	wg.Wait()
	want(t, "the shared slices", sharedLines, before)
}
