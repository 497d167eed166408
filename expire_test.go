package cookiepolicy

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

const navigate = "Sec-Fetch-Mode: navigate"

const expired = "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"

// Lines by which a browser gives up a refused cookie: these, in this order, behind the portal's
// own.
func TestHandlerExpire(t *testing.T) {
	portal := portaltest.StartPortal(t, portaltest.Page("Set-Cookie: "+session, "Set-Cookie: "+google))
	const policy = "cookie_policy opendatasoft google_analytics {\nallow third_party outer {\n" +
		"domain city.example other.example\npath /app /\n}\n" +
		"allow third_party __Host-a __Secure-a\n}\nreverse_proxy "
	gateway := caddytest.StartAnyHost(t, caddytest.DiscardLogs, policy+portal.Address)
	for _, c := range []struct {
		what, host string
		cookie     string
		removed    []string // without the attributes that all removals have
		secure     bool     // those over HTTP have the attributes of those over HTTPS
	}{
		{"a host of several labels", "data.city.example", "_ga=1",
			[]string{"_ga=; Path=/", "_ga=; Path=/; Domain=data.city.example"}, false},
		{"domains and paths of the rule", "data.city.example", "outer=1", []string{
			"outer=; Path=/app", "outer=; Path=/app; Domain=data.city.example",
			"outer=; Path=/app; Domain=city.example",
			"outer=; Path=/", "outer=; Path=/; Domain=data.city.example",
			"outer=; Path=/; Domain=city.example"}, false},
		{"names with prefixes", "data.city.example", "__Host-a=1; __Secure-a=2",
			[]string{"__Host-a=; Path=/", "__Secure-a=; Path=/",
				"__Secure-a=; Path=/; Domain=data.city.example"}, true},
		{"a single label", "localhost", "_ga=1; _gid=2", []string{"_ga=; Path=/", "_gid=; Path=/"}, false},
		{"an address", "127.0.0.1", "_ga=1", []string{"_ga=; Path=/"}, false},
		{"an address of version 6", "[::1]:8080", "_ga=1", []string{"_ga=; Path=/"}, false},
		{"an underscore", "data_1.city.example", "_ga=1", []string{"_ga=; Path=/"}, false},
		{"a public suffix", "co.uk", "_ga=1", []string{"_ga=; Path=/"}, false},
		{"the same name twice", "localhost", "_ga=1; _ga=2", []string{"_ga=; Path=/"}, false},
		{"necessary, unlisted and nameless ones", "localhost",
			"sessionid=1; campaign=2; _ga; cookies_preferences=x", nil, false},
		{"none", "localhost", "", nil, false},
	} {
		for _, https := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, https %t", c.what, https), func(t *testing.T) {
				want := []string{session}
				for _, line := range c.removed {
					if !https && !c.secure {
						want = append(want, line+expired)
						continue
					}
					want = append(want, line+expired+"; Secure; SameSite=None",
						line+expired+"; Secure; SameSite=None; Partitioned")
				}
				got := gateway.Fetch(t, https, c.host, "/", navigate, "Cookie: "+c.cookie).SetCookies()
				if !slices.Equal(got, want) {
					t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
			})
		}
	}
}

// Over HTTPS is what the visitor's connection is: behind a trusted proxy, what that proxy says.
func TestHandlerExpireKnowsTheConnection(t *testing.T) {
	portal := portaltest.StartPortal(t, portaltest.Page())
	const trusting = caddytest.DiscardLogs + "\nservers {\ntrusted_proxies static 127.0.0.1/32\n}"
	for _, c := range []struct {
		options   string
		https     bool
		forwarded string
		want      bool
	}{
		{caddytest.DiscardLogs, false, "", false},
		{caddytest.DiscardLogs, true, "", true},
		{caddytest.DiscardLogs, false, "https", false}, // nobody said that it may be believed
		{caddytest.DiscardLogs, true, "http", true},
		{trusting, false, "", false},
		{trusting, true, "", true},
		{trusting, false, "https", true},
		{trusting, false, "HTTPS", true},
		{trusting, true, "http", false},
		{trusting, false, "https, http", true}, // the first is the visitor's
		{trusting, true, "http, https", false},
	} {
		gateway := caddytest.StartAnyHost(t, c.options,
			"cookie_policy opendatasoft google_analytics\nreverse_proxy "+portal.Address)
		lines := []string{navigate, "Cookie: _ga=1"}
		if c.forwarded != "" {
			lines = append(lines, "X-Forwarded-Proto: "+c.forwarded)
		}
		got := gateway.Fetch(t, c.https, "localhost", "/", lines...).SetCookies()
		if len(got) == 0 || strings.Contains(got[0], "; Secure") != c.want {
			t.Errorf("https %t, forwarded %q, trusted %t: got %q", c.https, c.forwarded,
				c.options == trusting, got)
		}
	}
}

// On pages only, once in a response, and not where the response itself has a line for that name.
func TestHandlerExpireInWhichResponses(t *testing.T) {
	const policy = "cookie_policy opendatasoft google_analytics\n"
	removal := "_ga=; Path=/" + expired
	for _, c := range []struct {
		what       string
		response   string
		directives string // in place of the policy and the portal
		lines      []string
		cookie     string
		want       []string
	}{
		{"a navigation", portaltest.Response("200 OK", nil, "x"), "", []string{navigate}, "_ga=1",
			[]string{removal}},
		{"a navigation that is redirected", portaltest.Response("302 Found", nil, ""), "",
			[]string{navigate}, "_ga=1", []string{removal}},
		{"a navigation to what is not there", portaltest.Response("404 Not Found", nil, "x"), "",
			[]string{navigate}, "_ga=1", []string{removal}},
		{"a navigation to what has not changed", portaltest.Response("304 Not Modified", nil, ""),
			"", []string{navigate}, "_ga=1", []string{removal}},
		{"HTML, where the browser does not say", portaltest.Page(), "", nil, "_ga=1", []string{removal}},
		{"no HTML, where the browser does not say", portaltest.Response("200 OK", nil, "x"), "",
			nil, "_ga=1", nil},
		{"HTML for a script", portaltest.Page(), "", []string{"Sec-Fetch-Mode: cors"}, "_ga=1", nil},
		{"an image", portaltest.Page(), "",
			[]string{"Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"}, "_ga=1", nil},
		{"early hints before a page", "HTTP/1.1 103 Early Hints\r\n" +
			"Link: </a.css>; rel=preload\r\n\r\n" + portaltest.Page(), "", []string{navigate},
			"_ga=1", []string{removal}},
		{"granted", portaltest.Page(), "", []string{navigate},
			"_ga=1; cookies_preferences=%7B%22ga%22%3Atrue%7D", nil},
		{"the portal deletes it", portaltest.Page("Set-Cookie: _ga=; Max-Age=0"), "",
			[]string{navigate}, "_ga=1", []string{"_ga=; Max-Age=0"}},
		{"the portal sets it in vain", portaltest.Page("Set-Cookie: _ga=2"), "", []string{navigate},
			"_ga=1", []string{removal}},
		{"the portal grants it", portaltest.Page("Set-Cookie: cookies_preferences={\"ga\":true}",
			"Set-Cookie: _ga=2"), "", []string{navigate}, "_ga=1",
			[]string{"cookies_preferences={\"ga\":true}", "_ga=2"}},
		{"the portal withdraws it", portaltest.Page("Set-Cookie: "+
			"cookies_preferences={\"ga\":false}", "Set-Cookie: _ga=2"), "", []string{navigate},
			"_ga=1; cookies_preferences=%7B%22ga%22%3Atrue%7D",
			[]string{"cookies_preferences={\"ga\":false}", removal}},
		{"nothing written", "", policy + "header X-A b", []string{navigate}, "_ga=1", []string{removal}},
		{"an error", "", policy + "error 500", []string{navigate}, "_ga=1", []string{removal}},
		{"an error and its route", "", policy + "error 500\nhandle_errors {\nrespond oops\n}",
			[]string{navigate}, "_ga=1", []string{removal}},
		{"an error and its route, which has a policy", "",
			policy + "error 500\nhandle_errors {\n" + policy + "respond oops\n}",
			[]string{navigate}, "_ga=1", []string{removal}},
		{"within encode", portaltest.Page(),
			"route {\nencode gzip\n" + policy + "reverse_proxy PORTAL\n}",
			[]string{navigate, "Accept-Encoding: gzip"}, "_ga=1", []string{removal}},
		{"two policies", portaltest.Page(),
			"route {\n" + policy + policy + "reverse_proxy PORTAL\n}", []string{navigate}, "_ga=1",
			[]string{removal}},
		{"two policies, of which the inner one names it", portaltest.Page(),
			"route {\ncookie_policy opendatasoft {\nunlisted pass\n}\n" + policy +
				"reverse_proxy PORTAL\n}", []string{navigate}, "_ga=1", []string{removal}},
		{"two policies, of which the outer one names it", portaltest.Page(),
			"route {\n" + policy + "cookie_policy opendatasoft\nreverse_proxy PORTAL\n}",
			[]string{navigate}, "_ga=1", []string{removal}},
	} {
		t.Run(c.what, func(t *testing.T) {
			portal := portaltest.StartPortal(t, c.response)
			directives := c.directives
			if directives == "" {
				directives = policy + "reverse_proxy PORTAL"
			}
			gateway := caddytest.Start(t, strings.ReplaceAll(directives, "PORTAL", portal.Address))
			got := gateway.Fetch(t, false, "localhost", "/", append(c.lines, "Cookie: "+c.cookie)...)
			_, final, early := strings.Cut(got.Raw, "\r\n\r\n") // behind an informational response
			if !strings.HasPrefix(got.Raw, "HTTP/1.1 103") {
				final, early = got.Raw, false
			}
			if set := (portaltest.Answer{Raw: final}).SetCookies(); !slices.Equal(set, c.want) ||
				early && got.SetCookies() != nil {
				t.Errorf("got %q, want %q\n%s", set, c.want, got.Raw)
			}
		})
	}
}

// What does not fit is removed next time: here until a browser's jar is empty.
func TestHandlerExpireManyCookies(t *testing.T) {
	portal := portaltest.StartPortal(t, portaltest.Page())
	gateway := caddytest.StartAnyHost(t, caddytest.DiscardLogs,
		"cookie_policy opendatasoft {\nallow third_party t_*\n}\nreverse_proxy "+portal.Address)
	var jar []string
	for i := range 60 {
		jar = append(jar, fmt.Sprintf("t_%d_%s", i, strings.Repeat("x", i)))
	}
	responses := 0
	for ; len(jar) > 0 && responses < 60; responses++ {
		got := gateway.Fetch(t, true, "data.city.example", "/", navigate,
			"Cookie: "+strings.Join(jar, "=1; ")+"=1").SetCookies()
		size := 0
		for _, line := range got {
			size += len("Set-Cookie: ") + len(line) + len("\r\n")
		}
		if len(got) == 0 || len(got) > 20 || size > 4096 {
			t.Fatalf("%d lines of %d bytes", len(got), size)
		}
		before := len(jar)
		jar = slices.DeleteFunc(jar, func(name string) bool {
			return slices.Contains(got, name+"=; Path=/; Domain=data.city.example"+expired+
				"; Secure; SameSite=None")
		})
		if len(jar) == before {
			t.Fatalf("nothing was removed by %q", got)
		}
	}
	// Four lines remove one of these cookies, so that a response has room for five of them.
	if len(jar) > 0 || responses > 12 {
		t.Errorf("after %d responses the jar still has %q", responses, jar)
	}
}
