package cookiepolicy

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

func TestMain(m *testing.M) { caddytest.Main(m) }

// Cookies of the published policy, and some that it does not name.
const (
	session, csrf        = portaltest.Session, portaltest.CSRF
	language, choices    = portaltest.Language, portaltest.Choices
	matomo, grantsMatomo = portaltest.Matomo, portaltest.GrantsMatomo
	google, unlisted     = portaltest.Google, portaltest.Unlisted
)

// What the policy lets through reaches the visitor byte for byte and in order, and nothing else
// does: whatever the lines look like, whatever the status, and whatever the visitor stored.
func TestHandlerSetCookie(t *testing.T) {
	for _, c := range readCases(t, "set_cookie") {
		t.Run(c.Name, func(t *testing.T) {
			portal := portaltest.StartPortal(t, portaltest.Response("200 OK", c.Notes("send"), "hello"))
			gateway := caddytest.Start(t, strings.ReplaceAll(c.Caddyfile, "PORTAL", portal.Address))
			answer := gateway.Get(t, c.Note("Cookie"))
			if got := answer.SetCookies(); !slices.Equal(got, c.Notes("want")) {
				t.Errorf("got  %q\nwant %q", got, c.Notes("want"))
			}
			if !strings.HasSuffix(answer.Raw, "hello") {
				t.Errorf("the body is %q", answer.Raw)
			}
		})
	}
}

// readCases reads an archive of cases from testdata, with the cookies in the places of their names.
func readCases(t *testing.T, name string) []portaltest.Case {
	t.Helper()
	return portaltest.ReadCases(t, filepath.Join("testdata", name+".txtar"),
		"SESSION", session, "CSRF", csrf, "LANGUAGE", language, "CHOICES", choices,
		"MATOMO", matomo, "GOOGLE", google, "GRANTS", grantsMatomo)
}

// Five portals publish the policy; one gateway enforces it for all of them, under five names.
func TestHandlerFivePolicies(t *testing.T) {
	portal := portaltest.StartPortal(t,
		portaltest.Response("200 OK", []string{session, matomo, language, google, csrf, choices,
			unlisted}, ""))
	sites := []string{"dashboard.paris", "opendata.paris.fr", "cityai.my.opendatasoft.com",
		"desidedatum-partners.opendatasoft.com", "data.city.example"}
	port := portaltest.FreePort(t)
	caddyfile := "(portal) {\ncookie_policy opendatasoft\nreverse_proxy " + portal.Address + "\n}\n"
	for _, site := range sites {
		caddyfile += fmt.Sprintf("http://%s:%d {\nimport portal\n}\n", site, port)
	}
	caddytest.Load(t, caddytest.DiscardLogs, caddyfile)
	for _, site := range sites {
		answer := portaltest.Gateway(port).Send(t,
			"GET / HTTP/1.1\r\nHost: "+site+"\r\nConnection: close\r\n\r\n")
		if got := answer.SetCookies(); !slices.Equal(got, []string{session, language, csrf, choices}) {
			t.Errorf("%s: got %q", site, got)
		}
	}
}

// Provision already judges the policy. As a [caddy.Validator] the handler would do so twice.
func TestHandlerIsNoValidator(t *testing.T) {
	if _, ok := any(new(Handler)).(caddy.Validator); ok {
		t.Error("Handler implements caddy.Validator")
	}
}
