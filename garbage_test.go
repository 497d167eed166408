package cookiepolicy

import (
	"net/http"
	"slices"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// A portal that does not speak HTTP well: the visitor gets what they would get without the policy,
// except cookies.
func TestHandlerGarbage(t *testing.T) {
	for name, response := range portaltest.Garbage() {
		t.Run(name, func(t *testing.T) {
			with, without := caddytest.StartBoth(t, "cookie_policy opendatasoft",
				"reverse_proxy "+portaltest.StartPortal(t, response).Address)
			const get = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
			// An answer that breaks off may end in a reset: what came before it counts.
			got, _ := with.Try(get)
			bare, _ := without.Try(get)
			gotHeads, gotRest, gotCookies := got.Dissect()
			wantHeads, wantRest, wantCookies := bare.Dissect()
			if !slices.Equal(gotHeads, wantHeads) || gotRest != wantRest {
				t.Errorf("HTTP/1.1: got %.300q and %.99q, and without the policy %.300q and %.99q",
					gotHeads, gotRest, wantHeads, wantRest)
			}
			if want := portaltest.Published(wantCookies); !slices.Equal(gotCookies, want) {
				t.Errorf("HTTP/1.1: got the cookies %.300q, want %.300q", gotCookies, want)
			}
			client := portaltest.Protocols(t)["HTTP/2"]
			h2, h2Err := with.TryAsk(t, client, http.MethodGet, "/", nil, nil)
			bare2, bare2Err := without.TryAsk(t, client, http.MethodGet, "/", nil, nil)
			if h2.Status != bare2.Status || h2.Body != bare2.Body ||
				(h2Err == nil) != (bare2Err == nil) || len(h2.Hints) != len(bare2.Hints) {
				t.Errorf("HTTP/2: got %.300v (%v), and without the policy %.300v (%v)", h2, h2Err,
					bare2, bare2Err)
			}
			for i, header := range append([]http.Header{h2.Header, h2.Trailer}, h2.HintHeaders()...) {
				bare := append([]http.Header{bare2.Header, bare2.Trailer}, bare2.HintHeaders()...)[i]
				want := portaltest.Published(bare["Set-Cookie"])
				if !slices.Equal(header["Set-Cookie"], want) {
					t.Errorf("HTTP/2: got the cookies %.300q, want %.300q", header["Set-Cookie"], want)
				}
				if header["X-Other"] == nil != (bare["X-Other"] == nil) ||
					len(header.Get("X-Other")) != len(bare.Get("X-Other")) {
					t.Errorf("HTTP/2: got %.300q, and without the policy %.300q", header["X-Other"],
						bare["X-Other"])
				}
			}
		})
	}
}
