package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
)

// A visitor refuses, accepts and withdraws on the page. What the portal receives and what is in the jar
// follows at once, trackers that no script can delete included. The statements U3 to U5, and design §10.
func testPageVisitor(t *testing.T, s *pageSites) {
	const (
		necessary = "etuix sessionid" // and what counts visits until somebody objects
		refused   = "cookies_preferences sessionid"
		accepted  = "_pk_id.1.abcd atuserid cookies_preferences etuix sessionid"
	)
	for _, scheme := range []string{"http", "https"} {
		t.Run(scheme, func(t *testing.T) {
			v := s.visitor(t, scheme, "data")
			v.open("/")
			v.wantStored("the jar on the first visit", necessary)
			v.wantReceived("cookies at the portal before any choice", necessary)

			v.submits(chromedp.Click("a", chromedp.ByQuery)) // in the portal's footer
			v.presses("refuse")
			v.wantStored("the jar after the refusal", refused)
			v.wantReceived("cookies at the portal after the refusal", refused)
			v.wantStored("the jar, a page later", refused)

			v.open("/cookies")
			v.presses("accept")
			v.open("/")
			v.wantStored("the jar after the consent", accepted)
			v.wantReceived("cookies at the portal after the consent", accepted)

			c := v.stored()["cookies_preferences"]
			got := fmt.Sprintf("%s%s Secure=%t HttpOnly=%t SameSite=%s", c.Domain, c.Path, c.Secure, c.HTTPOnly, c.SameSite)
			want := fmt.Sprintf("data.city.test/ Secure=%t HttpOnly=false SameSite=Lax", scheme == "https")
			if got != want {
				t.Errorf("the choice is stored as %s, want %s", got, want)
			}
			v.must("scripts can read it", `document.cookie.includes('cookies_preferences=')`)
			if !v.stored()["_pk_id.1.abcd"].HTTPOnly {
				t.Error("the tracker can be deleted by scripts: this tests nothing")
			}

			// A withdrawal takes as many steps, and the answer to the form already empties the jar. The
			// browser follows it with the next request, which the portal does not see.
			v.open("/cookies")
			v.presses("refuse")
			v.wantStored("the jar after the withdrawal", refused)
			v.wantReceived("cookies at the portal after the withdrawal", refused)

			// By one question, too.
			v.open("/cookies")
			v.answers("#q1-granted")
			v.open("/")
			v.wantReceived("cookies at the portal after one consent",
				"_pk_id.1.abcd cookies_preferences sessionid")
		})
	}
}

// A copy of the choice that a banner left for the whole domain does not survive: two copies would
// contradict each other for ever.
func testPageCopies(t *testing.T, s *pageSites) {
	v := s.visitor(t, "https", "data")
	v.open("/")
	v.script(fmt.Sprintf(`document.cookie = 'cookies_preferences=' + encodeURIComponent(JSON.stringify(
		{functional_cookies: true, matomo: true, newsletter: 'weekly', timestamp: %d})) +
		'; path=/; secure; max-age=10000; domain=data.city.test'; document.cookie`, time.Now().UnixMilli()), nil)
	v.open("/cookies")
	v.is("the states", stateWords, "accepted, not decided, active, no objection, not decided, not decided")
	v.presses("refuse")
	v.wantChoices("the one copy", v.preference(), "at=false comfort=false eulerian=false "+
		"functional_cookies=true matomo=false mixpanel=false newsletter=weekly xiti=false")
	if c := v.stored()["cookies_preferences"]; c.Domain != "data.city.test" {
		t.Errorf("the choice is of the domain %s, want the host alone", c.Domain)
	}
}

// The Django portal works with the page before it: the login, a form with a CSRF token, the language,
// which the page shares, and the choice.
func testPageDjango(t *testing.T, s *pageSites) {
	origin := fmt.Sprintf("https://localhost:%d", portaltest.FreePort(t))
	startSites(t, caddy, "log {\nlevel ERROR\n}", fmt.Sprintf(
		"%s {\nbind 127.0.0.1\ncookie_policy opendatasoft matomo\n%sreverse_proxy %s\n}\n",
		origin, pageOptions, startDjango(t)), []string{origin})
	v := s.visitor(t, "https", "data")
	v.origin, v.host = origin, "localhost"

	v.open("/admin/login/?next=/admin/")
	v.run(chromedp.SendKeys("#id_username", "editor", chromedp.ByQuery),
		chromedp.SendKeys("#id_password", "correct horse", chromedp.ByQuery))
	v.submits(chromedp.Submit("#id_password", chromedp.ByQuery))
	v.is("after the login", "location.pathname", "/admin/")

	knows := func(what, user, language, cookies string) {
		t.Helper()
		var k known
		if text := v.open("/"); json.Unmarshal([]byte(text), &k) != nil {
			t.Fatalf("%s: the portal answers %s", what, text)
		}
		v.want(what+": cookies at the portal", slices.Sorted(maps.Keys(k.Cookies)), cookies)
		if k.User != user || k.Language != language {
			t.Errorf("%s: the portal takes the visitor for %q, who reads %q", what, k.User, k.Language)
		}
	}
	v.open("/cookies")
	v.presses("accept")
	v.open("/trackers/")
	knows("after the consent", "editor", "en",
		"_pk_id.1.abcd _pk_ses.1.abcd cookies_preferences csrftoken django_language sessionid")

	// A form of the portal, with its token, sets the language; the page is then in it.
	v.open("/subscribe/")
	v.script(`(form => { form.action = '/i18n/setlang/'; form.innerHTML +=
		'<input name=language value=fr><input name=next value=/subscribe/>' })(document.forms[0])`, nil)
	v.submits(chromedp.Click("button", chromedp.ByQuery))
	v.is("after the choice of a language", "location.pathname", "/subscribe/")
	v.open("/cookies")
	v.is("the page's language", "document.documentElement.lang", "fr")
	v.is("the states", stateWords, "accepté")
	v.presses("refuse")
	v.is("the title", "document.title", "Choix enregistrés\u00a0: Charte cookies – localhost")
	v.wantStored("the jar after the withdrawal", "cookies_preferences csrftoken django_language sessionid")
	knows("after the withdrawal", "editor", "fr", "cookies_preferences csrftoken django_language sessionid")
	v.open("/trackers/")
	v.wantStored("the jar after a page with trackers", "cookies_preferences csrftoken django_language sessionid")

	v.open("/subscribe/")
	v.run(chromedp.SendKeys("[name=dataset]", "trees", chromedp.ByQuery))
	v.submits(chromedp.Click("button", chromedp.ByQuery))
	if text := v.text("document.body.innerText"); strings.Contains(text, "CSRF") ||
		v.text("location.pathname") != "/subscribe/" {
		t.Errorf("the portal's form leads to %s", text)
	}
}
