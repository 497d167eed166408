package cookiepolicy

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// linesOver asks a gateway in every way there is, and returns the Set-Cookie lines by the way's name.
func (g gateway) linesOver(t testing.TB, cookie string) map[string][]string {
	t.Helper()
	lines := map[string][]string{"clear HTTP/1.1": g.get(t, cookie).setCookies()}
	for protocol, client := range protocols(t) {
		header := http.Header{}
		if cookie != "" {
			header.Set("Cookie", cookie)
		}
		lines[protocol] = g.ask(t, client, http.MethodGet, "/", header, nil).header["Set-Cookie"]
	}
	return lines
}

// Each word that mends something, as an operator writes it.
func TestMending(t *testing.T) {
	const granted = "cookies_preferences=%7B%22matomo%22%3Atrue%7D"
	for _, c := range []struct {
		name, policy, cookie string
		send, want           []string
		clear                []string // what arrives over plain HTTP, if that is something else
	}{
		{"max_age", "opendatasoft {\nallow necessary a b c d e {\nmax_age 1h\n}\n}", "",
			[]string{"a=1; Path=/ ;Max-Age= 7200;HttpOnly", "b=1; max-age=60; Expires=Thu, 01 Jan 2099 00:00:00 GMT", "c=1", "d=; Max-Age=0", "e=1; Expires=Thu, 01-Jan-70 00:00:00 GMT", session},
			[]string{"a=1; Path=/ ;Max-Age= 3600;HttpOnly", "b=1; max-age=60; Expires=Thu, 01 Jan 2099 00:00:00 GMT", "c=1", "d=; Max-Age=0", "e=1; Expires=Thu, 01-Jan-70 00:00:00 GMT", session}, nil},
		{"max_age of a preset", "opendatasoft {\npreset matomo {\nmax_age 30d\n}\n}", granted,
			[]string{matomo + "; Max-Age=34128000", session + "; Max-Age=34128000"}, []string{matomo + "; Max-Age=2592000", session + "; Max-Age=34128000"}, nil},
		{"a lifetime that is declared", "{\nallow necessary a {\nlifetime 1d\n}\n}", "", []string{"a=1; Max-Age=86401"}, []string{"a=1; Max-Age=86401"}, nil},
		{"lifetimes enforce", "{\nlifetimes enforce\nallow necessary a {\nlifetime 1d\n}\nallow necessary b {\nlifetime 1d\nmax_age 2d\n}\nallow necessary c\n}", "",
			[]string{"a=1; Max-Age=999999", "b=1; Max-Age=999999", "c=1; Max-Age=999999"}, []string{"a=1; Max-Age=86400", "b=1; Max-Age=172800", "c=1; Max-Age=999999"}, nil},
		{"lifetimes enforce, with the published ones", "opendatasoft matomo {\nlifetimes enforce\n}", granted, []string{matomo + "; Max-Age=63072000"}, []string{matomo + "; Max-Age=34128000"}, nil},
		{"secure", "{\nallow necessary a b {\nsecure\n}\n}", "", []string{"a=1; Path=/", "b=1; SECURE"}, []string{"a=1; Path=/; Secure", "b=1; SECURE"}, []string{"a=1; Path=/", "b=1; SECURE"}},
		{"http_only", "{\nallow necessary a b {\nhttp_only\n}\n}", "", []string{"a=1; Path=/", "b=1;httponly"}, []string{"a=1; Path=/; HttpOnly", "b=1;httponly"}, nil},
		{"same_site lax", "{\nallow necessary a b c {\nsame_site lax\n}\n}", "",
			[]string{"a=1", "b=1; SameSite=None; Secure", "c=1; SameSite=Strict"}, []string{"a=1; SameSite=Lax", "b=1; SameSite=Lax; Secure", "c=1; SameSite=Strict"}, nil},
		{"same_site strict", "{\nallow necessary a b {\nsame_site strict\n}\n}", "", []string{"a=1", "b=1; samesite=LAX; Path=/"}, []string{"a=1; SameSite=Strict", "b=1; samesite=Strict; Path=/"}, nil},
		{"same_site none", "{\nallow necessary a b {\nsame_site none\n}\n}", "",
			[]string{"a=1", "b=1; SameSite=Lax"}, []string{"a=1; SameSite=None; Secure", "b=1; SameSite=Lax; Secure"}, []string{"a=1", "b=1; SameSite=Lax"}},
		{"rewrite_domain to the visitor's host alone", "opendatasoft {\nrewrite_domain portal.example.org\n}", "",
			[]string{"sessionid=1; Domain=.Portal.example.org; Path=/", "_ga=; domain=portal.example.org; Max-Age=0", "csrftoken=1; Domain=other.example.org"},
			[]string{"sessionid=1; Path=/", "_ga=; Max-Age=0", "csrftoken=1; Domain=other.example.org"}, nil},
		{"rewrite_domain to another", "opendatasoft {\nrewrite_domain portal.example.org city.example\nallow necessary __Host-a\n}", "",
			[]string{"sessionid=1; Domain=portal.example.org; Path=/", "__Host-a=1; Secure; Path=/"}, []string{"sessionid=1; Domain=city.example; Path=/", "__Host-a=1; Secure; Path=/"}, nil},
		{"conditions are judged before rewriting", "{\nrewrite_domain portal.example.org city.example\nallow necessary a b {\ndomain portal.example.org\n}\n}", "",
			[]string{"a=1; Domain=portal.example.org", "b=1; Domain=city.example"}, []string{"a=1; Domain=city.example"}, nil},
		{"nothing is configured", "opendatasoft", "",
			[]string{" sessionid = x ;; max-AGE=99999999999 ; SameSite ; domain = .portal.example.org ;EXPIRES=1/2/2099; secure=no"},
			[]string{"sessionid = x ;; max-AGE=99999999999 ; SameSite ; domain = .portal.example.org ;EXPIRES=1/2/2099; secure=no"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			portal := startPortal(t, response("200 OK", c.send, "hello"))
			gateway := startGateway(t, "cookie_policy "+c.policy+"\nreverse_proxy "+portal.address)
			for protocol, got := range gateway.linesOver(t, c.cookie) {
				want := c.want
				if strings.HasPrefix(protocol, "clear") && c.clear != nil {
					want = c.clear
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s: got  %q\nwant %q", protocol, got, want)
				}
			}
		})
	}
}

// A date is cut by the clock.
func TestMendingOfExpires(t *testing.T) {
	const most = 24 * time.Hour
	now := time.Now()
	short := "a=1; Expires=" + now.Add(most-time.Hour).UTC().Format(http.TimeFormat) + "; Path=/"
	portal := startPortal(t, response("200 OK", []string{"a=1; expires=\"Fri, 31-Dec-2099 23:59:59 GMT\"; Path=/", "a=1; Expires=Fri, 31-Dec-2099 23:59:59 GMT; Path=/", short, "a=1; Expires=1/31/2099; Path=/"}, ""))
	gateway := startGateway(t, "cookie_policy {\nallow necessary a {\nmax_age 1d\n}\n}\nreverse_proxy "+portal.address)
	for protocol, got := range gateway.linesOver(t, "") {
		if len(got) != 4 || got[2] != short || got[3] != "a=1; Path=/" {
			t.Fatalf("%s: got %q", protocol, got)
		}
		for i, attribute := range []string{"expires", "Expires"} {
			date, before := strings.CutPrefix(strings.TrimSuffix(got[i], "; Path=/"), "a=1; "+attribute+"=")
			cut, err := http.ParseTime(date)
			if err != nil || !before || cut.Before(now.Add(most-time.Minute)) || cut.After(time.Now().Add(most)) {
				t.Errorf("%s: got %q, want a date in a day", protocol, got[i])
			}
		}
	}
}

// A header that is filtered more than once is mended once: by hints, by a writer around the gateway that holds the header back, and at the end.
func TestMendingTwiceIsMendingOnce(t *testing.T) {
	const sent = "sessionid=1; Domain=portal.example.org; Max-Age=7200"
	const want = "sessionid=1; Domain=city.example; Max-Age=3600; SameSite=Strict; Secure; HttpOnly"
	policy := "cookie_policy {\nallow necessary sessionid {\ndomain portal.example.org\nmax_age 1h\nsecure\nhttp_only\nsame_site strict\n}\nrewrite_domain portal.example.org city.example\nrewrite_domain city.example elsewhere.example\n}\n"
	hints := startPortal(t, "HTTP/1.1 103 Early Hints\r\nSet-Cookie: "+sent+"\r\n\r\n"+response("200 OK", []string{sent}, "hello"))
	for name, directives := range map[string]string{
		"hints of the portal":    policy + "reverse_proxy " + hints.address,
		"within encode":          "route {\nencode {\ngzip\nminimum_length 1\n}\n" + policy + "test_handler\n}",
		"within templates":       "route {\ntemplates\n" + policy + "test_handler\n}",
		"hints of a handler":     "route {\n" + policy + "test_handler\n}",
		"an error of a handler":  "route {\n" + policy + "header Set-Cookie `" + sent + "`\nerror 500\n}",
		"deferred by a handler":  policy + "header >Set-Cookie `" + sent + "`\nrespond hello",
		"a policy within itself": "route {\n" + policy + strings.NewReplacer("domain portal.example.org", "path /", "rewrite_domain portal.example.org city.example\n", "", "rewrite_domain city.example elsewhere.example\n", "").Replace(policy) + "test_handler\n}",
	} {
		t.Run(name, func(t *testing.T) {
			setHandler(t, func(w http.ResponseWriter, _ *http.Request) error {
				w.Header()["Set-Cookie"] = []string{sent}
				if strings.HasPrefix(name, "hints") {
					w.WriteHeader(http.StatusEarlyHints)
				}
				w.Header().Set("Content-Type", "text/html")
				w.WriteHeader(http.StatusOK)
				io.WriteString(w, "hello")
				io.WriteString(w, "hello")
				return nil
			})
			gateway := startGateway(t, directives)
			for protocol, client := range protocols(t) {
				got := gateway.ask(t, client, http.MethodGet, "/", nil, nil)
				for _, header := range append(got.earlyHeaders(), got.header) {
					if !slices.Equal(header["Set-Cookie"], []string{want}) {
						t.Errorf("%s: got %q, want %q", protocol, header["Set-Cookie"], want)
					}
				}
			}
		})
	}
}

// loadWith is load with global options of the test's own, and returns the file of Caddy's log.
func loadWith(t testing.TB, options, caddyfile string) (log string) {
	t.Helper()
	log = filepath.Join(t.TempDir(), "caddy.log")
	options = fmt.Sprintf("{\nadmin off\npersist_config off\nskip_install_trust\nauto_https disable_redirects\ndefault_bind 127.0.0.1\n"+
		"storage file_system %s\nlog {\noutput file %s\n}\n%s\n}\n", storage, log, options)
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(options+caddyfile), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Load(config, true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
	})
	return log
}

// Secure is for visitors whose own connection is HTTPS. A proxy in front knows that, if it is one that Caddy trusts.
func TestSecureIsForVisitorsOverHTTPS(t *testing.T) {
	portal := startPortal(t, response("200 OK", []string{"a=1"}, ""))
	const trusting, doubting = "servers {\ntrusted_proxies static 127.0.0.1/32\n}", "servers {\ntrusted_proxies static 192.0.2.0/24\n}"
	for _, c := range []struct {
		what, options string
		tls           bool
		proto         []string // X-Forwarded-Proto
		secure        bool
	}{
		{"HTTP", doubting, false, nil, false},
		{"HTTPS", doubting, true, nil, true},
		{"HTTP, and an untrusted proxy says HTTPS", doubting, false, []string{"https"}, false},
		{"HTTPS, and an untrusted proxy says HTTP", doubting, true, []string{"http"}, true},
		{"HTTP, and a trusted proxy says HTTPS", trusting, false, []string{"https"}, true},
		{"HTTP, and a trusted proxy says HTTPS loudly", trusting, false, []string{"HTTPS"}, true},
		{"HTTP, and a trusted proxy says HTTP", trusting, false, []string{"http"}, false},
		{"HTTP, and a trusted proxy says nothing", trusting, false, nil, false},
		{"HTTPS, and a trusted proxy says HTTP", trusting, true, []string{"http"}, false},
		{"HTTPS, and a trusted proxy says nothing", trusting, true, nil, true},
		{"HTTP, and a trusted proxy adds its word to the visitor's", trusting, false, []string{"https", "http"}, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			g := gateway(freePort(t))
			site := "cookie_policy {\nallow necessary a {\nsecure\n}\n}\nreverse_proxy " + portal.address
			loadWith(t, c.options, fmt.Sprintf("http://localhost:%d {\n%s\n}\nhttps://localhost:%d {\ntls %s %s\n%s\n}", g, site, g.httpsPort(), certificate, key, site))
			want := "a=1"
			if c.secure {
				want = "a=1; Secure"
			}
			got := map[string][]string{}
			if c.tls {
				for protocol, client := range protocols(t) {
					got[protocol] = g.ask(t, client, http.MethodGet, "/", http.Header{"X-Forwarded-Proto": c.proto}, nil).header["Set-Cookie"]
				}
			} else {
				request := "GET / HTTP/1.1\r\nHost: localhost\r\n"
				for _, proto := range c.proto {
					request += "X-Forwarded-Proto: " + proto + "\r\n"
				}
				got["HTTP/1.1"] = g.send(t, request+"Connection: close\r\n\r\n").setCookies()
			}
			for protocol, lines := range got {
				if !slices.Equal(lines, []string{want}) {
					t.Errorf("%s: got %q, want %q", protocol, lines, want)
				}
			}
		})
	}
}

// A Domain that no browser takes from the host that the visitor typed is told in the log: once, and without the value.
func TestAnUnusableDomainIsTold(t *testing.T) {
	portal := startPortal(t, response("200 OK", []string{"sessionid=s3cr3t; Domain=portal.example.org", "csrftoken=s3cr3t; Domain=localhost"}, ""))
	for policy, want := range map[string]int{
		"":                                 1,
		"rewrite_domain other.example.org": 1,
		"rewrite_domain portal.example.org city.example":   1,
		"rewrite_domain portal.example.org data.localhost": 1,
		"rewrite_domain portal.example.org localhost":      0,
		"rewrite_domain portal.example.org":                0,
	} {
		g := gateway(freePort(t))
		log := loadWith(t, "", fmt.Sprintf("http://localhost:%d {\ncookie_policy opendatasoft {\n%s\n}\nreverse_proxy %s\n}", g, policy, portal.address))
		g.get(t, "")
		g.get(t, "")
		if err := caddy.Stop(); err != nil { // which writes the log's last lines
			t.Fatal(err)
		}
		text, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(string(text), "no browser accepts a cookie of the portal"); got != want {
			t.Errorf("%s: told %d times, want %d:\n%s", policy, got, want, text)
		}
		if want > 0 && (!strings.Contains(string(text), `"cookie":"sessionid"`) || !strings.Contains(string(text), `"host":"localhost`)) || strings.Contains(string(text), "s3cr3t") {
			t.Errorf("%s: the log is\n%s", policy, text)
		}
	}
}

// What caches in front of the gateway are told.
func TestSharedCaches(t *testing.T) {
	const forAll = "Cache-Control: public, s-maxage=600, max-age=60\r\nSurrogate-Control: max-age=600\r\nCDN-Cache-Control: max-age=600\r\nX-Accel-Expires: 600\r\nVary: Accept-Encoding\r\nETag: \"v1\"\r\n"
	kept := http.Header{"Cache-Control": {"public, s-maxage=600, max-age=60"}, "Surrogate-Control": {"max-age=600"}, "Cdn-Cache-Control": {"max-age=600"},
		"X-Accel-Expires": {"600"}, "Vary": {"Accept-Encoding"}, "Etag": {`"v1"`}}
	with := func(changes ...string) http.Header {
		header := kept.Clone()
		for i := 0; i < len(changes); i += 2 {
			if header.Del(changes[i]); changes[i+1] != "" {
				header.Set(changes[i], changes[i+1])
			}
		}
		return header
	}
	private := []string{"Cache-Control", "private, max-age=60", "Surrogate-Control", "", "Cdn-Cache-Control", "", "X-Accel-Expires", ""}
	for _, c := range []struct {
		name, policy, more string
		send               []string
		request            http.Header
		want               http.Header
	}{
		{"a cookie", "opendatasoft", "", []string{session}, nil, with(private...)},
		{"no cookie", "opendatasoft", "", nil, nil, kept},
		{"unlisted cookies only", "opendatasoft", "", []string{google, unlisted}, nil, kept},
		{"a cookie that was refused", "opendatasoft matomo", "", []string{matomo}, nil, with("Vary", "Accept-Encoding, Cookie")},
		{"a cookie that was granted", "opendatasoft matomo", "", []string{matomo}, http.Header{"Cookie": {grantsMatomo}}, with(append(private, "Vary", "Accept-Encoding, Cookie")...)},
		{"a signal that decided", "opendatasoft matomo {\nsignal gpc statistical\n}", "", []string{matomo}, http.Header{"Sec-Gpc": {"1"}}, with("Vary", "Accept-Encoding, Cookie, Sec-Gpc")},
		{"a signal that a choice overrides", "opendatasoft matomo {\nsignal gpc statistical\n}", "", []string{matomo}, http.Header{"Sec-Gpc": {"1"}, "Cookie": {"cookies_preferences={\"matomo\":false}"}}, with("Vary", "Accept-Encoding, Cookie")},
		{"a placeholder", "opendatasoft matomo", "header X-Matomo {http.cookie_policy.consent.matomo}\n", nil, nil, with("Vary", "Accept-Encoding, Cookie", "X-Matomo", "undecided")},
		{"shared_cache protect", "opendatasoft {\nshared_cache protect\n}", "", []string{session}, nil, with(private...)},
		{"shared_cache keep", "opendatasoft matomo {\nshared_cache keep\n}", "", []string{session, matomo}, nil, kept},
	} {
		t.Run(c.name, func(t *testing.T) {
			portal := startPortal(t, strings.Replace(response("200 OK", c.send, "hello"), "\r\n\r\n", "\r\n"+forAll+"\r\n", 1))
			hinting := startPortal(t, "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nVary: Origin\r\nSet-Cookie: "+matomo+"\r\n\r\n"+
				strings.Replace(response("304 Not Modified", c.send, ""), "\r\n\r\n", "\r\n"+forAll+"\r\n", 1))
			for upstream, address := range map[string]string{"a page": portal.address, "not modified": hinting.address} {
				gateway := startGateway(t, "cookie_policy "+c.policy+"\n"+c.more+"reverse_proxy "+address)
				for protocol, client := range protocols(t) {
					got := gateway.ask(t, client, http.MethodGet, "/", c.request, nil)
					want := c.want
					// The hint carried Matomo's cookie: the answer may depend on the visitor's choice from then on.
					if address == hinting.address && strings.Contains(c.policy, "matomo") && !strings.Contains(c.policy, "keep") {
						want = want.Clone()
						if !strings.Contains(want.Get("Vary"), "Cookie") {
							want.Set("Vary", "Accept-Encoding, Cookie")
						}
					}
					for _, name := range []string{"Cache-Control", "Surrogate-Control", "Cdn-Cache-Control", "X-Accel-Expires", "Vary", "Etag", "X-Matomo"} {
						if !slices.Equal(got.header[name], want[name]) {
							t.Errorf("%s over %s: %s is %q, want %q", upstream, protocol, name, got.header[name], want[name])
						}
					}
				}
			}
		})
	}
}

// What encode adds to Vary and what the gateway adds stand side by side, whichever of the two is around the other, also behind a 103.
func TestVaryOfEncode(t *testing.T) {
	long := strings.Repeat("hello ", 1000)
	portal := startPortal(t, "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nSet-Cookie: "+session+"\r\n\r\n"+response("200 OK", []string{matomo}, long))
	for name, directives := range map[string]string{
		"the gateway around it": "cookie_policy opendatasoft matomo\nencode gzip\nreverse_proxy ",
		"it around the gateway": "route {\nencode gzip\ncookie_policy opendatasoft matomo\nreverse_proxy ",
	} {
		end := strings.Repeat("\n}", strings.Count(directives, "{"))
		gateway := startGateway(t, directives+portal.address+end)
		for protocol, client := range protocols(t) {
			got := gateway.ask(t, client, http.MethodGet, "/", http.Header{"Accept-Encoding": {"gzip"}}, nil)
			var vary []string
			for _, line := range got.header["Vary"] {
				vary = append(vary, strings.Split(line, ", ")...)
			}
			slices.Sort(vary)
			if !slices.Equal(vary, []string{"Accept-Encoding", "Cookie"}) || got.header.Get("Content-Encoding") != "gzip" || got.text(t) != long {
				t.Errorf("%s, over %s: Vary is %q, the encoding %q", name, protocol, got.header["Vary"], got.header["Content-Encoding"])
			}
		}
	}
}

// A browser that has the page already is told so, with the portal's ETag; and one that has not gets it with the same.
func TestConditionalRequests(t *testing.T) {
	upstream := startUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `W/"v1"`)
		w.Header().Set("Cache-Control", "public, max-age=60")
		w.Header()["Set-Cookie"] = []string{google}
		if r.URL.Path == "/session" {
			w.Header().Add("Set-Cookie", session)
		}
		http.ServeContent(w, r, "page.txt", time.Time{}, strings.NewReader("hello"))
	})
	gateway := startGateway(t, "cookie_policy opendatasoft\nreverse_proxy "+upstream)
	for protocol, client := range protocols(t) {
		for _, c := range []struct {
			path, etag string
			status     int
			cache      string
			cookies    []string
		}{
			{"/", "", 200, "public, max-age=60", nil},
			{"/", `W/"v1"`, 304, "public, max-age=60", nil},
			{"/", `W/"v0"`, 200, "public, max-age=60", nil},
			{"/session", "", 200, "private, max-age=60", []string{session}},
			{"/session", `W/"v1"`, 304, "private, max-age=60", []string{session}},
		} {
			header := http.Header{}
			if c.etag != "" {
				header.Set("If-None-Match", c.etag)
			}
			got := gateway.ask(t, client, http.MethodGet, c.path, header, nil)
			if got.status != c.status || got.header.Get("ETag") != `W/"v1"` || got.header.Get("Cache-Control") != c.cache || !slices.Equal(got.header["Set-Cookie"], c.cookies) || got.header["Vary"] != nil {
				t.Errorf("%s with %q over %s: got %d %q", c.path, c.etag, protocol, got.status, got.header)
			}
		}
	}
}

// What can never act is refused at load: SameSite=None where no visitor comes over HTTPS.
func TestSameSiteNoneWantsHTTPS(t *testing.T) {
	const (
		none  = "cookie_policy {\nallow necessary a {\nsame_site none\n}\n}\n"
		clear = "http://localhost:8080 {\n" + none + "}\n"
		fault = `allow[0].same_site: "none": browsers take SameSite=None over HTTPS only, and this config has neither a server with TLS nor a proxy that it trusts to tell of HTTPS; ` +
			`serve the site over HTTPS, name the proxies in front of it with trusted_proxies, or remove this`
	)
	secure := fmt.Sprintf("https://localhost:8443 {\ntls %s %s\nrespond ok\n}\n", certificate, key)
	for _, c := range []struct{ name, caddyfile, want string }{
		{"in the clear", clear, fault},
		{"without a name", ":8080 {\n" + none + "}", fault},
		{"on a socket", "http://localhost {\nbind unix//tmp/x.sock\n" + none + "}", fault},
		{"on several sites in the clear", clear + "http://other.example:8081 {\n" + none + "}", fault},
		{"within a route", "http://localhost:8080 {\nroute /a {\n" + none + "}\n}", fault},
		{"asked for with a preset, and with other faults", "http://localhost:8080 {\nroute {\ncookie_policy matomo {\npreset opendatasoft {\nsame_site none\n}\n}\n}\n}", strings.Replace(fault, "allow[0]", "presets[1]", 1)},
		{"same_site lax", strings.ReplaceAll(clear, "none", "lax"), ""},
		{"over HTTPS", strings.Replace(secure, "respond ok", none, 1), ""},
		{"with a site of each kind", clear + secure, ""},
		{"with a name, which gets HTTPS by itself", "data.city.example {\n" + none + "}", ""},
		{"with a name, and no HTTPS by itself", "{\nauto_https off\n}\nhttp://data.city.example {\n" + none + "}", fault},
		{"behind proxies that are trusted", "{\nservers {\ntrusted_proxies static private_ranges\n}\n}\n" + clear, ""},
		{"behind a proxy on a socket", "{\nservers {\ntrusted_proxies_unix\n}\n}\n" + clear, ""},
		{"behind a listener that may know more", "{\nservers {\nlistener_wrappers {\nproxy_protocol\n}\n}\n}\n" + clear, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			config, _, err := adapt("{\nstorage file_system " + storage + "\n}\n" + c.caddyfile)
			if strings.HasPrefix(c.caddyfile, "{") {
				config, _, err = adapt("{\nstorage file_system " + storage + c.caddyfile[1:])
			}
			if err != nil {
				t.Fatal(err)
			}
			var parsed caddy.Config
			if err := json.Unmarshal(config, &parsed); err != nil {
				t.Fatal(err)
			}
			switch err := caddy.Validate(&parsed); {
			case c.want == "" && err != nil:
				t.Errorf("got %v, want no fault", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}
