package cookiepolicy

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// The placeholder, in every kind of directive, and at no cost to caches where nobody reads it.
func TestPlaceholders(t *testing.T) {
	portal := portaltest.StartPortal(t, portaltest.Page())
	for _, c := range readCases(t, "placeholders") {
		what := c.Name
		gateway := caddytest.Start(t, "cookie_policy opendatasoft matomo\n"+
			strings.ReplaceAll(c.Caddyfile, "PORTAL", portal.Address))
		for cookie, want := range map[string]string{
			"": "undecided", grantsMatomo: "granted",
			"cookies_preferences=%7B%22matomo%22%3Afalse%7D":                  "refused",
			"cookies_preferences=x":                                           "undecided",
			grantsMatomo + "; cookies_preferences=%7B%22matomo%22%3Afalse%7D": "refused",
		} {
			got := gateway.Get(t, cookie)
			shown := strings.TrimPrefix(got.Body(), "/")
			if what == "a portal's own map" {
				shown = strings.Join(portal.Last(t).Field("X-Consent"), " ")
			}
			if shown != want {
				t.Errorf("%s, with %q: got %q, want %q", what, cookie, shown, want)
			}
			if vary := got.Field("Vary"); what != "an error route" && !slices.Contains(vary, "Cookie") {
				t.Errorf("%s: the response depends on the preference, and Vary is %q", what, vary)
			}
		}
	}
	if vary := caddytest.Start(t, "cookie_policy opendatasoft matomo\nrespond ok").Get(t,
		grantsMatomo).Field("Vary"); vary != nil {
		t.Errorf("nobody asked, and Vary is %q", vary)
	}
}

// A key that nobody knows is undecided. One warning says so, and not one with every request.
func TestPlaceholdersUnknownKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "caddy.log")
	gateway := caddytest.StartAnyHost(t, "log {\noutput file "+file+"\nformat json\n}",
		"cookie_policy opendatasoft matomo {\nname city\n}\n"+
			"respond `{http.cookie_policy.consent.matomo} {http.cookie_policy.consent.matmo} "+
			"{http.cookie_policy.consent.video}`")
	for range 5 {
		if got := gateway.Fetch(t, false, "localhost", "/",
			"Cookie: cookies_preferences={\"video\":true}").Body(); got != "undecided undecided granted" {
			t.Errorf("got %q", got)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var warnings []string
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "consent key") {
			warnings = append(warnings, line)
		}
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], `"level":"warn"`) ||
		!strings.Contains(warnings[0], `"key":"matmo"`) || !strings.Contains(warnings[0], `"policy":"city"`) {
		t.Errorf("got %q", warnings)
	}
}

// Where policies lie in one another, or an error route has one of its own, the innermost answers,
// and its response says that it depends on the visitor's choice. After an error its routes still
// ask the policy in which the error came up.
func TestPlaceholdersInnermostPolicy(t *testing.T) {
	const (
		outer  = "cookie_policy opendatasoft {\nallow third_party y {\nconsent k\n}\nunlisted pass\n}\n"
		policy = "cookie_policy {\nallow third_party x {\nconsent k\n}\npreference mine\nunlisted pass\n}\n"
		shown  = "header X-Consent {http.cookie_policy.consent.k}\n"
		inner  = policy + shown
	)
	for _, c := range []struct {
		name, directives string
		want             string
		vary             bool
	}{
		{"one in another", "route {\n" + outer + inner + "respond ok\n}", "granted", true},
		{"one in an error route", outer + "error 500\nhandle_errors {\n" + inner +
			"respond oops\n}", "granted", true},
		{"one behind another that has ended well",
			"route {\n@never path /never\nroute @never {\ncookie_policy opendatasoft\n}\n" + inner +
				"respond ok\n}", "granted", true},
		{"an error in the inner one", "route {\n" + outer + policy +
			"error 500\n}\nhandle_errors {\n" + shown + "respond oops\n}", "granted", false},
		{"an error in the inner one, and a policy of its route",
			"route {\n" + outer + policy + "error 500\n}\nhandle_errors {\n" + outer + shown +
				"respond oops\n}", "refused", true},
		{"an error in the outer one", "route {\n" + outer + "@never path /never\nroute @never {\n" +
			policy + "}\nerror 500\n}\nhandle_errors {\n" + shown + "respond oops\n}", "refused", false},
		{"an error of the portal", "route {\n" + outer +
			"reverse_proxy 127.0.0.1:1\n}\nhandle_errors {\n" + shown + "respond oops\n}",
			"refused", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := caddytest.Start(t, c.directives).Get(t,
				`mine={"k":true}; cookies_preferences={"k":false}`)
			if !slices.Equal(got.Field("X-Consent"), []string{c.want}) ||
				c.vary && !slices.Contains(got.Field("Vary"), "Cookie") {
				t.Errorf("the answer is %q, want %s", got.Raw, c.want)
			}
		})
	}
}

// What runs in the outer policy after the inner one has ended well asks the outer one.
func TestPlaceholdersAfterTheInnerPolicy(t *testing.T) {
	const directives = "route {\ncookie_policy opendatasoft {\nallow third_party y {\nconsent k\n}\n" +
		"unlisted pass\n}\n" +
		"log_append seen {http.cookie_policy.consent.k}\n" +
		"cookie_policy {\nallow third_party x {\nconsent k\n}\npreference mine\nunlisted pass\n}\n%s\n}"
	for ending, want := range map[string]string{"respond ok": "refused", "error 500": "granted"} {
		w := caddytest.StartInstance(t, fmt.Sprintf(directives, ending))
		w.Get("/", `Cookie: mine={"k":true}; cookies_preferences={"k":false}`)
		caddytest.Stop(t) // the access log is written once the answer is out
		if got := caddytest.Pick(w.Log("all.log", "", "handled request"), "seen"); got != want+"\n" {
			t.Errorf("%s: behind the inner policy the choice is %q, want %s", ending, got, want)
		}
	}
}
