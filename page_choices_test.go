package cookiepolicy

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// For each consent tool whose cookie the gateway can write, the page says what was saved, and the policy
// reads it.
func TestPageTools(t *testing.T) {
	portal := portaltest.StartPortal(t, portaltest.Page("Set-Cookie: stats=1; Path=/", "Set-Cookie: ads=1; Path=/"))
	for tool, keys := range map[string][2]string{
		"opendatasoft": {"matomo", "ga"}, "klaro": {"matomo", "ads"}, "tarteaucitron": {"matomo", "ads"},
		"complianz": {"statistics", "marketing"}, "govuk": {"usage", "campaigns"},
		"django_cookie_consent": {"analytics", "social"}, "orejime": {"matomo", "ads"},
	} {
		t.Run(tool, func(t *testing.T) {
			v := newReader(t, caddytest.Start(t, fmt.Sprintf("cookie_policy %s {\nallow statistical stats {\n"+
				"consent %s\n}\nallow third_party ads {\nconsent %s\n}\n}\ncookie_policy_page /cookies {\n"+
				"controller City\n}\nreverse_proxy %s", tool, keys[0], keys[1], portal.Address)))
			for _, c := range []struct{ fields, passes string }{
				{"choice=refuse", ""}, {"choice=save&q1=granted", "stats"}, {"choice=accept", "ads stats"},
				{"choice=save&q2=granted", "ads"}, {"choice=save", ""},
			} {
				_, after := v.choose("/cookies", c.fields)
				if text := after.Text(t); !strings.Contains(text, "<title>Saved: ") {
					t.Errorf("%s: the page does not say that it is saved", c.fields)
				}
				passes := []string{}
				v.ask(http.MethodGet, "/", "")
				for _, name := range []string{"ads", "stats"} {
					if _, kept := v.jar[name]; kept {
						passes = append(passes, name)
					}
				}
				want(t, c.fields, strings.Join(passes, " "), c.passes)
			}
		})
	}
}

// A choice that only the consent tool itself can write is shown, and not asked for.
func TestPageReadOnly(t *testing.T) {
	v := newReader(t, caddytest.Start(t, "cookie_policy onetrust {\nallow statistical stats {\nconsent C0002\n}\n}\n"+
		"cookie_policy_page {\ncontroller City\nmanage https://consent.example/open\n}"))
	v.jar["OptanonConsent"] = "groups=C0001:1,C0002:1"
	text := v.ask("GET", "/", "").Text(t)
	for _, part := range []string{"<dd>accepted</dd>", `<a href="https://consent.example/open">`} {
		if !strings.Contains(text, part) {
			t.Errorf("the page does not say %s", part)
		}
	}
	if strings.Contains(text, "<form") || strings.Contains(text, "<input") {
		t.Error("there is a form")
	}
	want(t, "POST", v.ask("POST", "/", "choice=accept").Status, http.StatusMethodNotAllowed)
}

// Statistics that need no consent are asked for as an objection, are shown as active, and stop when the
// visitor objects.
func TestPageObjection(t *testing.T) {
	portal := portaltest.StartPortal(t, portaltest.Page("Set-Cookie: "+matomo))
	v := newReader(t, caddytest.Start(t, "cookie_policy opendatasoft {\npreset matomo {\nanonymous\n}\n}\n"+
		"cookie_policy_page /cookies {\ncontroller City\n}\nreverse_proxy "+portal.Address))
	v.ask("GET", "/", "")
	text := v.ask("GET", "/cookies", "").Text(t)
	for _, part := range []string{"do you object", "<dd>active, no objection</dd>", "Active unless you object",
		"not prolonged by further visits"} {
		if !strings.Contains(text, part) {
			t.Errorf("the page does not say %q", part)
		}
	}
	if strings.Contains(text, " checked") || strings.Contains(text, "do you accept") {
		t.Error("the page asks for consent, or an answer is given already")
	}
	_, after := v.choose("/cookies", "choice=save&q1=refused")
	if !strings.Contains(after.Text(t), "<dd>objected</dd>") || v.jar["_pk_id.1.1fff"] != "" {
		t.Error("the objection has no effect")
	}
}

// In mode report the page does not claim that anything is enforced, and stores choices all the same.
func TestPageReportMode(t *testing.T) {
	v := newReader(t, caddytest.Start(t, "cookie_policy opendatasoft matomo {\nmode report\n}\n"+
		"cookie_policy_page {\ncontroller City\n}"))
	v.jar["_pk_id.1.1fff"] = "x"
	text := v.ask("GET", "/", "").Text(t)
	if !strings.Contains(text, "only observes, and does not enforce") || strings.Contains(text, "enforces this policy") ||
		strings.Contains(text, "are blocked") || strings.Contains(text, "deletes") {
		t.Errorf("the page claims more than it does: %s", text)
	}
	v.choose("/", "choice=refuse")
	want(t, "the preference", v.preference(), `{"functional_cookies":true,"matomo":false,"timestamp":T}`)
	want(t, "the tracker's cookie", v.jar["_pk_id.1.1fff"], "x")
}

// What was withdrawn is removed by the answer to the form: cookies of scripts and HttpOnly ones, and
// those for a domain that the rule names.
func TestPageWithdrawal(t *testing.T) {
	v := newReader(t, caddytest.Start(t, pageDirectives))
	v.jar["_pk_id.1.1fff"], v.jar["_pk_ses.1.1fff"] = "x", "y"
	v.choose("/cookies", "choice=accept")
	v.jar["_pk_id.1.1fff"] = "x"
	answer, _ := v.choose("/cookies", "choice=refuse")
	if v.jar["_pk_id.1.1fff"] != "" {
		t.Errorf("%q leaves the cookie", answer.Header["Set-Cookie"])
	}
	// Other copies of the preference go first.
	lines := answer.Header["Set-Cookie"]
	if len(lines) < 2 || !strings.HasPrefix(lines[0], "cookies_preferences=; ") ||
		!strings.HasPrefix(lines[1], "cookies_preferences=%7B") {
		t.Errorf("the lines are %q", lines)
	}
}

// A signal of the browser is shown with what it refuses; an explicit choice counts more.
func TestPageSignal(t *testing.T) {
	v := newReader(t, caddytest.Start(t, "cookie_policy opendatasoft matomo {\nsignal gpc statistical\n}\n"+
		"cookie_policy_page {\ncontroller City\n}"))
	reply := v.ask("GET", "/", "", "Sec-GPC: 1")
	text := reply.Text(t)
	if !strings.Contains(text, "Global Privacy Control") || !strings.Contains(text, "<dd>refused</dd>") ||
		!strings.Contains(text, "takes precedence") || strings.Contains(text, " checked") {
		t.Errorf("the page does not show the signal: %s", text)
	}
	want(t, "Vary", reply.Header["Vary"], []string{"Cookie, Accept-Language, Accept, Sec-GPC"})
	if strings.Contains(v.ask("GET", "/", "").Text(t), "Global Privacy Control") {
		t.Error("the page shows a signal that the browser does not send")
	}
	v.choose("/", "choice=accept")
	if text := v.ask("GET", "/", "", "Sec-GPC: 1").Text(t); !strings.Contains(text, "<dd>accepted</dd>") {
		t.Error("the signal counts more than the choice")
	}
}

// Over plain HTTP browsers send no Sec-Fetch-Site, and the cookie is not Secure.
func TestPagePlainHTTP(t *testing.T) {
	gateway := caddytest.Start(t, pageDirectives)
	digest := hiddenDigest.FindStringSubmatch(gateway.Fetch(t, false, "localhost", "/cookies").Body())[1]
	body := "choice=accept&policy=" + digest
	post := func(origin string) portaltest.Answer {
		return gateway.Send(t, fmt.Sprintf("POST /cookies HTTP/1.1\r\nHost: localhost\r\n%s"+
			"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
			origin, len(body), body))
	}
	answer := post("Origin: http://localhost\r\n")
	if lines := answer.SetCookies(); len(lines) != 1 || strings.Contains(lines[0], "Secure") {
		t.Errorf("%q of %s", lines, answer.Raw)
	}
	want(t, "Origin: null", post("Origin: null\r\n").Raw[:13], "HTTP/1.1 403 ")
	want(t, "no Origin", post("").Raw[:13], "HTTP/1.1 403 ")
}

// What operators put around the page: compression, and headers that come later than the page's own.
func TestPageInsideOtherDirectives(t *testing.T) {
	v := newReader(t, caddytest.Start(t, "encode gzip\nheader >Referrer-Policy no-referrer\n"+
		"header +Content-Security-Policy \"style-src 'self'\"\n"+pageDirectives))
	reply := v.ask("GET", "/cookies", "", "Accept-Encoding: gzip")
	want(t, "Content-Encoding", reply.Header["Content-Encoding"], []string{"gzip"})
	if !strings.Contains(reply.Text(t), `<meta name="referrer" content="same-origin">`) {
		t.Error("no-referrer would make browsers send the form without an origin")
	}
	again := v.ask("GET", "/cookies", "", "Accept-Encoding: gzip", "If-None-Match: "+reply.Header.Get("ETag"))
	want(t, "the tag of the compressed page", again.Status, http.StatusNotModified)
	v.choose("/cookies", "choice=accept")
}

// An operator's template takes the place of the built-in one. If it fails with a page, that page is the
// built-in one, and the log says why.
func TestPageTemplate(t *testing.T) {
	file := filepath.Join(t.TempDir(), "own.html")
	own := `own {{.Title.Text}}{{if .Form}}{{.T.Kinds.Caption.With "no" "such"}}{{end}}`
	if err := os.WriteFile(file, []byte(own), 0o600); err != nil {
		t.Fatal(err)
	}
	site := "cookie_policy opendatasoft matomo\ncookie_policy_page {\ntitle \"Our cookies\"\ntemplate " + file +
		"\nCONTROLLER\n}"
	i := caddytest.StartInstance(t, strings.Replace(site, "CONTROLLER", "", 1))
	want(t, "the page", i.Get("/").Body(), "own Our cookies")
	i.Reload(strings.Replace(site, "CONTROLLER", "controller City", 1))
	if text := i.Get("/").Body(); !strings.Contains(text, "<h1>Our cookies</h1>") {
		t.Errorf("the template's fault gives %s", text)
	}
	want(t, "log entries", len(i.Log("all.log", pageLog, "")), 1)
}

// An operator's stylesheet is a source of styles.
func TestPageStylesheet(t *testing.T) {
	for stylesheet, source := range map[string]string{
		"/own.css": "'self'", "https://static.city.example/own.css": "https://static.city.example",
	} {
		reply := newReader(t, caddytest.Start(t, "cookie_policy opendatasoft\ncookie_policy_page {\nstylesheet "+
			stylesheet+"\n}")).ask("GET", "/", "")
		csp := reply.Header.Get("Content-Security-Policy")
		if !regexp.MustCompile(`style-src 'sha256-[^']+' `+regexp.QuoteMeta(source)+";").MatchString(csp) ||
			!strings.Contains(reply.Text(t), `<link rel="stylesheet" href="`+stylesheet+`">`) {
			t.Errorf("%s: %s", stylesheet, csp)
		}
	}
}
