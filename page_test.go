package cookiepolicy

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

const pageDirectives = "cookie_policy opendatasoft matomo {\nname city\n}\n" +
	"cookie_policy_page /cookies {\ncontroller \"City of Example\"\ncontact mailto:dpo@city.example\n}\n"

// reader is a visitor with a browser: it keeps cookies of the host and its path /, and follows the
// answer to a form as browsers do.
type reader struct {
	t       *testing.T
	gateway portaltest.Gateway
	jar     map[string]string
	blocks  bool // cookies
}

func newReader(t *testing.T, g portaltest.Gateway) *reader {
	return &reader{t: t, gateway: g, jar: map[string]string{}}
}

// ask makes a request over TLS with header lines, and keeps the cookies of the answer.
func (v *reader) ask(method, path, body string, lines ...string) portaltest.Reply {
	v.t.Helper()
	header := http.Header{"Accept": {"text/html"}, "Sec-Fetch-Mode": {"navigate"}}
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(v.jar)) {
		pairs = append(pairs, name+"="+v.jar[name])
	}
	if len(pairs) > 0 {
		header.Set("Cookie", strings.Join(pairs, "; "))
	}
	if method == http.MethodPost {
		header.Set("Content-Type", "application/x-www-form-urlencoded")
		header.Set("Origin", "https://localhost")
		header.Set("Sec-Fetch-Site", "same-origin")
	}
	for _, line := range lines { // without a value: the line is left out
		name, value, _ := strings.Cut(line, ": ")
		if header.Del(name); value != "" {
			header.Set(name, value)
		}
	}
	client := portaltest.Protocols(v.t)["HTTP/1.1"]
	reply := v.gateway.Ask(v.t, client, method, path, header, strings.NewReader(body))
	for _, line := range reply.Header["Set-Cookie"] {
		pair, attributes, _ := strings.Cut(line, ";")
		name, value, _ := strings.Cut(pair, "=")
		switch {
		case v.blocks || strings.Contains(attributes, "Domain="):
		case strings.Contains(attributes, "Max-Age=0"):
			delete(v.jar, name)
		default:
			v.jar[name] = value
		}
	}
	return reply
}

var hiddenDigest = regexp.MustCompile(`name="policy" value="([0-9a-f]{64})"`)

// choose opens the page, sends its form with some fields, and returns the answer and the page that it
// leads to.
func (v *reader) choose(path, fields string) (answer, after portaltest.Reply) {
	v.t.Helper()
	digest := hiddenDigest.FindStringSubmatch(v.ask(http.MethodGet, path, "").Text(v.t))
	if digest == nil {
		v.t.Fatalf("%s has no form", path)
	}
	answer = v.ask(http.MethodPost, path, fields+"&policy="+digest[1])
	if answer.Status != http.StatusSeeOther {
		v.t.Fatalf("%d: %s", answer.Status, answer.Text(v.t))
	}
	base, _ := url.Parse("https://localhost" + path)
	location, err := base.Parse(answer.Header.Get("Location"))
	if err != nil {
		v.t.Fatal(err)
	}
	return answer, v.ask(http.MethodGet, location.RequestURI(), "", "Sec-Fetch-Site: same-origin")
}

func (v *reader) preference() string {
	v.t.Helper()
	value, err := url.QueryUnescape(v.jar["cookies_preferences"])
	if err != nil {
		v.t.Fatal(err)
	}
	return regexp.MustCompile(`"timestamp":\d+`).ReplaceAllString(value, `"timestamp":T`)
}

// A visitor accepts, refuses and saves on the page. The portal gets what the page says, from the next
// request on, and the answer to the form removes what was withdrawn.
func TestPageChoices(t *testing.T) {
	portal := portaltest.StartPortal(t, portaltest.Page("Set-Cookie: "+matomo))
	v := newReader(t, caddytest.Start(t, pageDirectives+"reverse_proxy "+portal.Address))
	steps := []struct{ fields, preference, state string }{
		{"choice=save", `{"functional_cookies":true,"matomo":false,"timestamp":T}`, "refused"},
		{"choice=accept", `{"functional_cookies":true,"matomo":true,"timestamp":T}`, "accepted"},
		{"choice=refuse", `{"functional_cookies":true,"matomo":false,"timestamp":T}`, "refused"},
		{"choice=save&q1=granted", `{"functional_cookies":true,"matomo":true,"timestamp":T}`, "accepted"},
		{"choice=save&q1=refused", `{"functional_cookies":true,"matomo":false,"timestamp":T}`, "refused"},
	}
	for _, step := range steps {
		before := v.jar["_pk_id.1.1fff"]
		answer, after := v.choose("/cookies", step.fields)
		if !regexp.MustCompile(`^/cookies\?saved=\d+#saved$`).MatchString(answer.Header.Get("Location")) {
			t.Errorf("%s leads to %s", step.fields, answer.Header.Get("Location"))
		}
		want(t, step.fields+": the preference", v.preference(), step.preference)
		text := after.Text(t)
		if !strings.Contains(text, `id="saved" role="status"`) || !strings.Contains(text, "<title>Saved: ") ||
			!strings.Contains(text, "<dd>"+step.state+"</dd>") {
			t.Errorf("%s: the page does not say so: %s", step.fields, text)
		}
		if step.state == "refused" && before != "" && v.jar["_pk_id.1.1fff"] != "" {
			t.Errorf("%s: the tracker's cookie is still there after the answer to the form", step.fields)
		}
		v.ask(http.MethodGet, "/", "") // the portal sets the tracker's cookie
		v.ask(http.MethodGet, "/", "")
		sent := strings.Join(portal.Cookies(t), "")
		if got := strings.Contains(sent, "_pk_id"); got != (step.state == "accepted") {
			t.Errorf("%s: the portal received %s", step.fields, sent)
		}
	}
}

// The line that stores a choice is for this host alone, for the life of the preference, and readable by
// scripts.
func TestPageChoiceLine(t *testing.T) {
	v := newReader(t, caddytest.Start(t, pageDirectives))
	answer, _ := v.choose("/cookies", "choice=refuse")
	lines := answer.Header["Set-Cookie"]
	if len(lines) != 1 {
		t.Fatalf("%q", lines)
	}
	_, attributes, _ := strings.Cut(lines[0], ";")
	want(t, "attributes", attributes, " Path=/; Max-Age=15811200; SameSite=Lax; Secure")
	want(t, "Cache-Control", answer.Header["Cache-Control"], []string{"no-store"})
}

// A browser that blocks cookies is told so, and a link that says "saved" proves nothing.
func TestPageNotKept(t *testing.T) {
	v := newReader(t, caddytest.Start(t, pageDirectives))
	v.blocks = true
	_, after := v.choose("/cookies", "choice=accept")
	if text := after.Text(t); !strings.Contains(text, "<title>Not saved: ") || strings.Contains(text, "<title>Saved") {
		t.Errorf("the page says %s", text)
	}
	for _, path := range []string{"/cookies?saved=1769309526", "/cookies?saved=x", "/cookies?saved=9999999999999999999"} {
		text := v.ask(http.MethodGet, path, "").Text(t)
		if strings.Contains(text, `role="status"`) || !strings.Contains(text, "<title>Cookie policy") {
			t.Errorf("%s shows a notice", path)
		}
	}
}

// The header fields of the page, and what caches may do with it.
func TestPageHeader(t *testing.T) {
	v := newReader(t, caddytest.Start(t, "header Referrer-Policy no-referrer\n"+pageDirectives))
	first := v.ask(http.MethodGet, "/cookies", "")
	for name, value := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "X-Frame-Options": "DENY",
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Content-Language": "en",
		"Cache-Control": "private, no-cache", "Vary": "Cookie, Accept-Language, Accept",
	} {
		want(t, name, first.Header[name], []string{value})
	}
	csp := first.Header.Get("Content-Security-Policy")
	if !regexp.MustCompile(`^default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]{43}='; img-src 'self'; ` +
		`form-action 'self'; frame-ancestors 'none'; base-uri 'none'$`).MatchString(csp) {
		t.Errorf("Content-Security-Policy: %s", csp)
	}
	want(t, "cookies", first.Header["Set-Cookie"], []string(nil))

	tag := first.Header.Get("ETag")
	again := v.ask(http.MethodGet, "/cookies", "", "If-None-Match: "+tag)
	if tag == "" || again.Status != http.StatusNotModified || again.Body != "" {
		t.Errorf("the tag %s is answered by %d", tag, again.Status)
	}
	want(t, "another language", v.ask(http.MethodGet, "/cookies", "", "If-None-Match: "+tag,
		"Accept-Language: fr").Status, http.StatusOK)
	head := v.ask(http.MethodHead, "/cookies", "")
	want(t, "HEAD", []any{head.Status, head.Body, head.Header["Content-Length"]},
		[]any{http.StatusOK, "", first.Header["Content-Length"]})

	_, after := v.choose("/cookies", "choice=refuse")
	for what, reply := range map[string]portaltest.Reply{
		"after a choice": after, "with a choice": v.ask(http.MethodGet, "/cookies", "", "If-None-Match: *"),
	} {
		want(t, what, []any{reply.Status, reply.Header["Cache-Control"], reply.Header["Etag"]},
			[]any{http.StatusOK, []string{"no-store"}, []string(nil)})
	}
}

// The page answers with 200 whatever the visitor brings.
func TestPageAlwaysAnswers(t *testing.T) {
	gateway := caddytest.Start(t, pageDirectives)
	for _, cookie := range []string{
		"", "cookies_preferences=", "cookies_preferences=%", "cookies_preferences={",
		"cookies_preferences=%7B%22matomo%22%3A", `cookies_preferences={"matomo":true,"matomo":false}`,
		"cookies_preferences=\xff", "=x; ;;", strings.Repeat("a=b; ", 500),
		`cookies_preferences={"matomo":true,"timestamp":1}`, `cookies_preferences={"matomo":true}; cookies_preferences={}`,
	} {
		answer := gateway.Fetch(t, true, "localhost", "/cookies", "Cookie: "+cookie, "Accept-Language: \xff;q=x,,",
			"Referer: \x80:", "If-None-Match: x")
		if !strings.HasPrefix(answer.Raw, "HTTP/1.1 200 ") || !strings.Contains(answer.Raw, "<h1>Cookie policy</h1>") {
			t.Errorf("%.80q is answered by %.300s", cookie, answer.Raw)
		}
		if lines := answer.SetCookies(); len(lines) > 0 {
			t.Errorf("%.80q gets %q", cookie, lines)
		}
	}
}

// Which language the page is in.
func TestPageLanguages(t *testing.T) {
	gateway := caddytest.Start(t, "cookie_policy opendatasoft\ncookie_policy_page {\nlanguages fr en nl\n}")
	for _, c := range []struct {
		what, query string
		lines       []string
		want        string
	}{
		{"the first", "", nil, "fr"},
		{"of the browser", "", []string{"Accept-Language: de;q=0.9, en-GB;q=0.8"}, "en"},
		{"of the portal", "", []string{"Accept-Language: en", "Cookie: django_language=nl"}, "nl"},
		{"of the address", "?lang=en", []string{"Accept-Language: fr", "Cookie: django_language=nl"}, "en"},
		{"one that the page does not have", "?lang=de", []string{"Accept-Language: it"}, "fr"},
		{"long", "", []string{"Accept-Language: " + strings.Repeat("x-", 4000)}, "fr"},
	} {
		reply := newReader(t, gateway).ask("GET", "/"+c.query, "", c.lines...)
		want(t, c.what, reply.Header.Get("Content-Language"), c.want)
		want(t, c.what+": lang", strings.Contains(reply.Text(t), `<html lang="`+c.want+`">`), true)
	}
}

// What the page says is there as data too.
func TestPageJSON(t *testing.T) {
	v := newReader(t, caddytest.Start(t, pageDirectives))
	v.choose("/cookies", "choice=accept")
	reply := v.ask("GET", "/cookies", "", "Accept: application/json")
	want(t, "Content-Type", reply.Header["Content-Type"], []string{"application/json"})
	var data struct {
		Policy struct{ Name, Mode string }
		Kinds  []struct {
			Category string
			Rules    []struct{ Cookies []string }
		}
		Choices struct {
			State     string
			Questions []struct {
				Keys  []string
				State string
			}
		}
	}
	if err := json.Unmarshal([]byte(reply.Text(t)), &data); err != nil {
		t.Fatal(err)
	}
	var cookies []string
	for _, kind := range data.Kinds {
		for _, rule := range kind.Rules {
			cookies = append(cookies, rule.Cookies...)
		}
	}
	want(t, "the policy", fmt.Sprint(data.Policy, len(data.Kinds)), "{city enforce} 4")
	want(t, "cookies", cookies[:5],
		[]string{"sessionid", "csrftoken", "django_language", "cookies_preferences", "_pk_id*"})
	want(t, "choices", fmt.Sprint(data.Choices), "{valid [{[matomo] granted}]}")
	want(t, "HTML is preferred", v.ask("GET", "/cookies", "", "Accept: application/json;q=0.9, */*").
		Header["Content-Type"], []string{"text/html; charset=utf-8"})
}
