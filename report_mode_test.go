package cookiepolicy

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// A policy in mode report changes no byte on either wire, over all paths and channels. What it would
// refuse and expire is what a policy in mode enforce refuses and expires.
func TestReportModeChangesNoByte(t *testing.T) {
	const policy = "cookie_policy opendatasoft matomo {\nname city\nmode %s\n" +
		"allow third_party _ga {\nconsent ga\n}\n" +
		"allow necessary mended {\nmax_age 1h\nsecure\nhttp_only\nsame_site strict\n}\n" +
		"allow necessary csrftoken {\nlifetime 1h\n}\nlifetimes enforce\n" +
		"rewrite_domain portal.example localhost\nsignal gpc statistical\n" +
		"preference cookies_preferences {\ntimestamp timestamp\nmax_age 183d\npersist\n}\n}\n"
	cookies := []string{session, matomo, csrf + "; Max-Age=9999999", google, unlisted,
		"mended=1; Max-Age=86400", "moved=1; Domain=portal.example", "sessionid=2; Domain=.portal.example",
		"s3cr3t", "_gid=; Max-Age=0", strings.Repeat("n", 5000) + "=1", "\xff=1"}
	page := strings.Replace(portaltest.Response("200 OK", cookies, "hello"), "text/plain",
		"text/html\r\nCache-Control: public, s-maxage=60\r\nSurrogate-Control: max-age=5\r\n"+
			"Vary: Accept\r\nset-COOKIE: _ga=1\r\nSet-Cookie2: a=b", 1)
	choice := fmt.Sprintf(`cookies_preferences={"matomo":false,"timestamp":%d}`,
		time.Now().Add(-time.Hour).Unix())
	for _, c := range []struct {
		what     string
		around   string // directives; POLICY and PORTAL are put in
		response string
		request  []string
	}{
		{"a page", "POLICY reverse_proxy PORTAL", page, nil},
		{"a page for one who refused", "POLICY reverse_proxy PORTAL", page,
			[]string{"Cookie: sessionid=1; _pk_id.1=2; _ga=3;; stray=1; s3cr3t; " + choice,
				"Sec-Fetch-Mode: navigate"}},
		{"a page for one who granted", "POLICY reverse_proxy PORTAL", page,
			[]string{"Cookie: " + grantsMatomo + "; _pk_id.1=2", "Cookie: =x;  a=b ;", "Sec-Gpc: 1"}},
		{"a page for one who objects", "POLICY reverse_proxy PORTAL", page,
			[]string{"Sec-Gpc: 1", "Cookie: _pk_id.1=2"}},
		{"a choice that is sent again", "POLICY reverse_proxy PORTAL",
			portaltest.Response("200 OK", nil, "hello"),
			[]string{"Cookie: " + choice, "Sec-Fetch-Mode: navigate"}},
		{"a choice that the response writes", "POLICY reverse_proxy PORTAL",
			portaltest.Response("200 OK", []string{matomo, grantsMatomo}, "hello"),
			[]string{"Cookie: _pk_id.1=2"}},
		{"a redirect", "POLICY reverse_proxy PORTAL",
			strings.Replace(portaltest.Response("302 Found", cookies, ""), "text/plain",
				"text/plain\r\nLocation: /x\r\nContent-Length: 0", 1), nil},
		{"no change", "POLICY reverse_proxy PORTAL",
			portaltest.Response("304 Not Modified", cookies, ""), nil},
		{"an error of the portal", "POLICY reverse_proxy PORTAL",
			portaltest.Response("500 Internal Server Error", cookies, "oops"), nil},
		{"early hints", "POLICY header +Set-Cookie `" + google + "`\nreverse_proxy PORTAL",
			"HTTP/1.1 103 Early Hints\r\nSet-Cookie: " + google + "\r\nSet-Cookie: " + session +
				"\r\n\r\n" + page, nil},
		{"trailers", "POLICY reverse_proxy PORTAL",
			"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\n" +
				"Trailer: Set-Cookie\r\nTransfer-Encoding: chunked\r\nSet-Cookie: " + session +
				"\r\n\r\n5\r\nhello\r\n0\r\nSet-Cookie: " + google + "\r\n\r\n", nil},
		// Bodies of unknown length have a type of their own: whether Go finds one out for them is a
		// matter of time.
		{"a body in chunks", "POLICY reverse_proxy PORTAL",
			"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\n" +
				"Transfer-Encoding: chunked\r\nSet-Cookie: " + google +
				"\r\n\r\n5\r\nhello\r\n5\r\nthere\r\n0\r\n\r\n", nil},
		{"a body until the end", "POLICY reverse_proxy PORTAL",
			"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\nSet-Cookie: " +
				google + "\r\n\r\nhello", nil},
		{"another protocol", "POLICY reverse_proxy PORTAL",
			"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n" +
				"Set-Cookie: " + google + "\r\nSet-Cookie: " + session + "\r\n\r\nhello",
			[]string{"Connection: Upgrade", "Upgrade: chat", "Cookie: _ga=1"}},
		{"encode", "POLICY encode gzip\nreverse_proxy PORTAL",
			portaltest.Response("200 OK", cookies, strings.Repeat("hello ", 500)),
			[]string{"Accept-Encoding: gzip"}},
		{"header", "POLICY header {\n+Set-Cookie `" + google + "`\n+Set-Cookie `" + session +
			"`\ndefer\n}\nrespond hello", "", []string{"Cookie: _ga=1"}},
		{"a placeholder", "POLICY vars consent {http.cookie_policy.consent.matomo}\n" +
			"reverse_proxy PORTAL", page, nil},
		{"lb_policy cookie", "POLICY reverse_proxy PORTAL {\nlb_policy cookie lb secret\n}", page, nil},
		{"handle_response", "POLICY reverse_proxy PORTAL {\nhandle_response {\n" +
			"copy_response_headers\nrespond bye\n}\n}", portaltest.Response("200 OK", cookies, ""), nil},
		{"an error", "POLICY header +Set-Cookie `" + google + "`\nerror 503", "",
			[]string{"Cookie: _ga=1"}},
		{"an error route", "POLICY header +Set-Cookie `" + google +
			"`\nerror 503\nhandle_errors {\nPOLICY header +Set-Cookie `" + matomo +
			"`\nrespond oops 503\n}", "", []string{"Cookie: _ga=1"}},
		{"what a handler may do", "route {\nPOLICY test_handler\n}", "", []string{"Cookie: _ga=1"}},
		{"no portal", "POLICY header +Set-Cookie `" + google + "`\nreverse_proxy 127.0.0.1:1", "",
			[]string{"Cookie: _ga=1"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			caddytest.SetHandler(t, func(w http.ResponseWriter, r *http.Request) error {
				w.Header()["set-cookie"] = []string{google, session}
				w.Header()["Set-Cookie"] = []string{matomo, csrf}
				w.Write([]byte(strings.Join(r.Header["Cookie"], "|")))
				http.NewResponseController(w).Flush()
				w.Header()[http.TrailerPrefix+"Set-Cookie"] = []string{google, session}
				return nil
			})
			site := caddytest.NewInstance(t)
			wires := map[string]string{}
			numbers := map[string]string{}
			for _, mode := range []string{"", "report", "enforce"} {
				portal := portaltest.StartPortal(t, c.response)
				p := ""
				if mode != "" {
					p = fmt.Sprintf(policy, mode)
				}
				site.Reload(strings.NewReplacer("POLICY ", p, "PORTAL", portal.Address).Replace(c.around))
				answer := site.Get("/", c.request...)
				requests := strings.ReplaceAll(strings.Join(portal.Requests(), "\n"), portal.Address, "")
				wires[mode] = requests + "\n-----\n" +
					regexp.MustCompile(`Date: .*\r\n`).ReplaceAllString(answer.Raw, "")
				// Another port is another balancer's cookie.
				wires[mode] = regexp.MustCompile(`lb=\w+`).ReplaceAllString(wires[mode], "lb=")
				numbers[mode] = fmt.Sprint(asEnforced(site.Verdicts("city")))
				caddytest.Stop(t) // the numbers begin anew
			}
			if wires["report"] != wires[""] {
				t.Error(difference(wires["report"], wires[""]))
			}
			// Where two policies judge one after the other, an enforcing one leaves nothing to the
			// second.
			twice := c.what == "an error route"
			if !twice && numbers["report"] != numbers["enforce"] ||
				numbers["report"] == "map[]" {
				t.Errorf("counted\n%s, enforcing\n%s", numbers["report"],
					numbers["enforce"])
			}
			if wires["enforce"] == wires[""] {
				t.Errorf("nothing was there to change:\n%q", wires[""])
			}
		})
	}
}

// All that a policy that only reports would do can be read from its log, its numbers and its
// inventory.
func TestReportModeTellsAll(t *testing.T) {
	page := strings.Replace(portaltest.Response("200 OK",
		[]string{session, matomo, google, "_gid=; Max-Age=0"}, "hello"), "text/plain", "text/html", 1)
	w := caddytest.StartInstance(t,
		"cookie_policy opendatasoft matomo {\nname city\nmode report\n}\nreverse_proxy "+
			portaltest.StartPortal(t, page).Address)
	w.Get("/", "Cookie: sessionid=1; _pk_id.1=2; stray=3")
	want(t, "verdicts", w.Verdicts("city"), map[string]string{
		"report set/necessary/let_through":       "1",
		"report set/statistical/would_refuse":    "1",
		"report set/unlisted/would_refuse":       "1",
		"report set/unlisted/deletion":           "1",
		"report read/necessary/let_through":      "1",
		"report read/statistical/would_refuse":   "1",
		"report read/unlisted/would_refuse":      "1",
		"report expire/statistical/would_expire": "1",
	})
	want(t, "the log", caddytest.Pick(w.Log("all.log", handlerLog, "verdict"), "level", "policy",
		"host", "cookie", "channel", "verdict", "reason", "rule"),
		`debug|city|localhost|sessionid|read|let_through|necessary|necessary sessionid
debug|city|localhost|_pk_id.1|read|would_refuse|not_granted|statistical _pk_id*
debug|city|localhost|stray|read|would_refuse|unlisted|
debug|city|localhost|sessionid|set|let_through|necessary|necessary sessionid
debug|city|localhost|_pk_id.1.1fff|set|would_refuse|not_granted|statistical _pk_id*
debug|city|localhost|_ga|set|would_refuse|unlisted|
debug|city|localhost|_gid|set|deletion|unlisted|
debug|city|localhost|_pk_id.1|expire|would_expire|not_granted|statistical _pk_id*
`)
	ids := strings.Fields(caddytest.Pick(w.Log("all.log", handlerLog, "verdict"), "id"))
	if ids[0] == "" || len(slices.Compact(ids)) != 1 {
		t.Errorf("the verdicts of one request have the ids %q", ids)
	}
	got := inventory(t, w, "city")
	want(t, "the inventory", slices.Sorted(maps.Keys(got)),
		[]string{"report read _pk_id.1", "report read sessionid", "report read stray",
			"report set _ga", "report set _gid", "report set _pk_id.1.1fff", "report set sessionid"})
	want(t, "a removal", got["report read _pk_id.1"].Verdicts,
		map[string]uint64{"would_expire": 1, "would_refuse": 1})
	want(t, "the mode", caddytest.Pick(w.Log("all.log", appLog, "cookie policy in force"), "mode"),
		"report\n")
}

// A policy that only reports removes no cookie, and counts the removals that an enforcing one
// makes: once for each name, with pages only, and not where the portal sets or deletes the cookie
// itself.
func TestReportModeExpire(t *testing.T) {
	removal := "_ga=; Path=/" + expired
	for _, c := range []struct {
		what, response string
		lines          []string
		set, enforced  []string
		expired        string
	}{
		{"a page", portaltest.Page("Set-Cookie: " + session), []string{navigate}, []string{session},
			[]string{session, removal}, "1"},
		{"a page for a script", portaltest.Page(), []string{"Sec-Fetch-Mode: cors"}, nil, nil, ""},
		{"no page", portaltest.Response("200 OK", nil, "x"), nil, nil, nil, ""},
		{"a page that deletes it", portaltest.Page("Set-Cookie: _ga=; Max-Age=0"),
			[]string{navigate}, []string{"_ga=; Max-Age=0"}, []string{"_ga=; Max-Age=0"}, ""},
		{"a page that sets it in vain", portaltest.Page("Set-Cookie: " + google),
			[]string{navigate}, []string{google}, []string{removal}, "1"},
	} {
		for mode, set := range map[string][]string{"report": c.set, "enforce": c.enforced} {
			t.Run(c.what+", "+mode, func(t *testing.T) {
				portal := portaltest.StartPortal(t, c.response)
				w := caddytest.StartInstance(t,
					"cookie_policy opendatasoft google_analytics {\nname city\nmode "+mode+
						"\n}\nreverse_proxy "+portal.Address)
				if got := w.Get("/", append(c.lines,
					"Cookie: _ga=1; _ga=2")...).SetCookies(); !slices.Equal(got, set) {
					t.Errorf("got %q, want %q", got, set)
				}
				counter := map[string]string{
					"report":  "report expire/statistical/would_expire",
					"enforce": "expire/statistical/expired",
				}[mode]
				if got := w.Verdicts("city")[counter]; got != c.expired {
					t.Errorf("counted are %q removals, want %q, among %v", got, c.expired,
						w.Verdicts("city"))
				}
				if sent := portal.Cookies(t); (len(sent) > 0) != (mode == "report") {
					t.Errorf("the portal got %q", sent)
				}
			})
		}
	}
}

// asEnforced returns the counters of mode report under the keys that they have in mode enforce.
func asEnforced(numbers map[string]string) map[string]string {
	words := strings.NewReplacer("would_refuse", "refused", "would_expire", "expired")
	enforced := map[string]string{}
	for key, n := range numbers {
		enforced[words.Replace(strings.TrimPrefix(key, "report "))] = n
	}
	return enforced
}

// difference says where two wires differ, and shows both.
func difference(with, without string) string {
	at := 0
	for at < min(len(with), len(without)) && with[at] == without[at] {
		at++
	}
	around := func(wire string) string { return wire[max(0, at-100):min(len(wire), at+100)] }
	return fmt.Sprintf("at byte %d there is, with the module:\n%q\nwithout:\n%q\n"+
		"All that there is with the module:\n%q\nwithout:\n%q",
		at, around(with), around(without), with, without)
}
