package cookiepolicy

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// startAnyHost runs directives as one site that answers for every host name, in the clear and over TLS, with global options of its own.
func startAnyHost(t testing.TB, options, directives string) gateway {
	t.Helper()
	g := gateway(freePort(t))
	caddyfile := fmt.Sprintf("http://:%d {\n%s\n}\nhttps://:%d {\ntls %s %s\n%s\n}", g, directives, g.httpsPort(), certificate, key, directives)
	if err := tryLoadWith(t, options, caddyfile); err != nil {
		t.Fatalf("%v\nin this Caddyfile:\n%s", err, caddyfile)
	}
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
	})
	return g
}

const discardLogs = "log {\noutput discard\n}"

// fetch asks for a path of a host with header lines, over TLS or not, and returns the answer as it stood on the wire.
func (g gateway) fetch(t testing.TB, https bool, host, path string, lines ...string) answer {
	t.Helper()
	request := "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n"
	for _, line := range lines {
		request += line + "\r\n"
	}
	request += "\r\n"
	if !https {
		return g.send(t, request)
	}
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 20 * time.Second}, "tcp", fmt.Sprintf("127.0.0.1:%d", g.httpsPort()),
		&tls.Config{InsecureSkipVerify: true, ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return answer{string(raw)}
}

// field returns the values of a field of the answer's header.
func (a answer) field(name string) (values []string) {
	head, _, _ := strings.Cut(a.raw, "\r\n\r\n")
	for line := range strings.SplitSeq(head, "\r\n") {
		if n, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(n, name) {
			values = append(values, strings.TrimPrefix(value, " "))
		}
	}
	return values
}

// body is what follows the header.
func (a answer) body() string {
	_, body, _ := strings.Cut(a.raw, "\r\n\r\n")
	return body
}

// cookies returns the Cookie lines of the last request that the portal got, as they stood on the wire.
func (p *portal) cookies(t testing.TB) []string {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.requests) == 0 {
		t.Fatal("no request has come to the portal")
	}
	return answer{p.requests[len(p.requests)-1]}.field("Cookie")
}

// page is a response of HTML, with header lines.
func page(lines ...string) string {
	const body = "<!doctype html>"
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: %d\r\n%s\r\n%s",
		len(body), strings.Join(append(lines, ""), "\r\n"), body)
}

const navigate = "Sec-Fetch-Mode: navigate"

const expired = "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"

// prefers is a Cookie header line with a choice made some days ago.
func prefers(days int, choices string) string {
	at := time.Now().AddDate(0, 0, -days).UnixMilli()
	return "Cookie: cookies_preferences=" + url.QueryEscape(fmt.Sprintf(`{%s,"timestamp":%d}`, choices, at))
}

// The portal gets the cookies that the policy lets through for this visitor, byte for byte and in order.
func TestThePortalReadsWhatThePolicyLetsThrough(t *testing.T) {
	portal := startPortal(t, page())
	refused := "cookies_preferences=%7B%22matomo%22%3Afalse%7D"
	for policy, cases := range map[string][]struct {
		what       string
		send, want []string
	}{
		"opendatasoft matomo": {
			{"nothing", nil, nil},
			{"necessary ones", []string{"sessionid=1; csrftoken=2"}, []string{"sessionid=1; csrftoken=2"}},
			{"without a choice", []string{"sessionid=1; _pk_id.1.1fff=2; csrftoken=3"}, []string{"sessionid=1; csrftoken=3"}},
			{"granted", []string{"_pk_id.1.1fff=2; " + grantsMatomo}, []string{"_pk_id.1.1fff=2; " + grantsMatomo}},
			{"refused", []string{"_pk_id.1.1fff=2; " + refused}, []string{refused}},
			{"granted and refused", []string{"_pk_id.1.1fff=2; " + refused + "; " + grantsMatomo}, []string{refused + "; " + grantsMatomo}},
			{"a choice that cannot be read stays in place", []string{`_pk_id.1.1fff=2; cookies_preferences={"matomo":true`}, []string{`cookies_preferences={"matomo":true`}},
			{"nothing left", []string{"_pk_id.1.1fff=2; _ga=3; campaign=4"}, nil},
			{"several lines", []string{"sessionid=1; _ga=2", "_ga=3", "csrftoken=4"}, []string{"sessionid=1", "csrftoken=4"}},
			{"bytes of any kind", []string{"_ga=1;\tsessionid = \"a, b\" =\xff\xe9;csrftoken={\"x\":1};_ga=2"}, []string{"sessionid = \"a, b\" =\xff\xe9;csrftoken={\"x\":1}"}},
			{"duplicates and pairs without a name", []string{"sessionid=1; sessionid; =sessionid; _ga=2; sessionid=3"}, []string{"sessionid=1; sessionid=3"}},
		},
		"opendatasoft {\nallow third_party _ga\nunlisted pass\n}": {
			{"unlisted ones pass, refused ones do not", []string{"campaign=1; _ga=2; _pk_id.1.1fff=3"}, []string{"campaign=1; _pk_id.1.1fff=3"}},
		},
		"opendatasoft {\npreset matomo {\nanonymous\n}\n}": {
			{"anonymous, without a choice", []string{"_pk_id.1.1fff=1"}, []string{"_pk_id.1.1fff=1"}},
			{"anonymous, and refused", []string{"_pk_id.1.1fff=1; " + refused}, []string{refused}},
			{"anonymous, and the choice cannot be read", []string{"_pk_id.1.1fff=1; cookies_preferences=x"}, []string{"cookies_preferences=x"}},
		},
	} {
		gateway := startGateway(t, "cookie_policy "+policy+"\nreverse_proxy "+portal.address)
		for _, c := range cases {
			t.Run(c.what, func(t *testing.T) {
				var lines []string
				for _, cookie := range c.send {
					lines = append(lines, "Cookie: "+cookie)
				}
				gateway.fetch(t, false, "localhost", "/", lines...)
				if got := portal.cookies(t); !slices.Equal(got, c.want) {
					t.Errorf("got  %q\nwant %q", got, c.want)
				}
				if len(c.send) != 1 || strings.Contains(c.send[0], "\t") {
					return // HTTP/2 has one line only, and trims
				}
				gateway.ask(t, protocols(t)["HTTP/2"], http.MethodGet, "/", http.Header{"Cookie": c.send}, nil)
				// Each pair is a field of its own there, and whoever joins them writes `; `.
				if got, want := portal.cookies(t), strings.Join(c.want, ""); strings.Join(got, "; ") != want {
					t.Errorf("over HTTP/2: got %q, want %q", got, want)
				}
			})
		}
	}
}

// The header is changed in place: whoever runs inside the policy or in an error route sees the stripped one.
func TestEverybodyElseSeesTheStrippedHeader(t *testing.T) {
	portal := startPortal(t, page())
	const shown = "[{http.request.header.Cookie}] [{http.request.cookie._ga}] [{http.request.cookie.sessionid}]"
	const want = "[sessionid=2] [] [2]"
	for what, directives := range map[string]string{
		"respond":        "cookie_policy opendatasoft\nrespond `" + shown + "`",
		"header":         "cookie_policy opendatasoft\nheader X-Seen `" + shown + "`\nreverse_proxy " + portal.address,
		"header_up":      "cookie_policy opendatasoft\nheader X-Seen {http.request.header.X-Seen}\nrequest_header X-Seen `" + shown + "`\nreverse_proxy " + portal.address,
		"an error route": "cookie_policy opendatasoft\nerror 500\nhandle_errors {\nrespond `" + shown + "`\n}",
		"an error route with a policy of its own": "cookie_policy opendatasoft\nerror 500\nhandle_errors {\ncookie_policy opendatasoft\nrespond `" + shown + "`\n}",
		"a matcher":    "cookie_policy opendatasoft\n@tracked header Cookie *_ga*\nrespond @tracked tracked\nrespond `" + shown + "`",
		"handle":       "cookie_policy opendatasoft\nhandle {\nrespond `" + shown + "`\n}",
		"vars":         "cookie_policy opendatasoft\nvars seen `" + shown + "`\nrespond {vars.seen}",
		"map":          "cookie_policy opendatasoft\nmap {http.request.cookie._ga} {ga} {\n`` none\ndefault some\n}\nrespond `{ga}`",
		"a rewrite":    "cookie_policy opendatasoft\nrewrite /{http.request.cookie._ga}x\nrespond {uri}",
		"a Go handler": "route {\ncookie_policy opendatasoft\ntest_handler\n}",
	} {
		t.Run(what, func(t *testing.T) {
			setHandler(t, func(w http.ResponseWriter, r *http.Request) error {
				ga, _ := r.Cookie("_ga")
				session, _ := r.Cookie("sessionid")
				fmt.Fprintf(w, "[%s] [%v] [%s]", strings.Join(r.Header["Cookie"], ";"), map[bool]string{true: ""}[ga == nil], session.Value)
				return nil
			})
			got := startGateway(t, directives).fetch(t, false, "localhost", "/", "Cookie: _ga=1; sessionid=2", "X-Seen: x")
			seen, want := got.body(), want
			switch what {
			case "header":
				seen = strings.Join(got.field("X-Seen"), "")
			case "header_up":
				portal.mu.Lock()
				seen = strings.Join(answer{portal.requests[len(portal.requests)-1]}.field("X-Seen"), "")
				portal.mu.Unlock()
			case "map":
				want = "none"
			case "a rewrite":
				want = "/x"
			}
			if seen != want {
				t.Errorf("got %q, want %q\n%s", seen, want, got.raw)
			}
		})
	}
}

// The access log is what came and what went out: all cookies are there, and none with its value.
func TestTheAccessLogKeepsTheOriginalRedacted(t *testing.T) {
	portal := startPortal(t, page("Set-Cookie: "+session, "Set-Cookie: "+google))
	file := filepath.Join(t.TempDir(), "access.log")
	gateway := startGateway(t, "log {\noutput file "+file+"\n}\ncookie_policy opendatasoft\nreverse_proxy "+portal.address)
	gateway.fetch(t, false, "localhost", "/", navigate, "Cookie: _ga=s3cr3t-visitor; sessionid=s3cr3t-session")
	if err := caddy.Stop(); err != nil { // it writes once the answer is out
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var entry struct {
		Request struct{ Headers http.Header }
		Headers http.Header `json:"resp_headers"`
	}
	if err := json.Unmarshal(text, &entry); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	if got := entry.Request.Headers["Cookie"]; !slices.Equal(got, []string{"REDACTED"}) || strings.Contains(string(text), "s3cr3t") {
		t.Errorf("the log has the request's cookies %q:\n%s", got, text)
	}
}

// Lines by which a browser gives up a refused cookie: these, in this order, behind the portal's own.
func TestRefusedCookiesAreRemoved(t *testing.T) {
	portal := startPortal(t, page("Set-Cookie: "+session, "Set-Cookie: "+google))
	inFrames := func(lines ...string) (all []string) {
		for _, line := range lines {
			all = append(all, line+expired+"; Secure; SameSite=None", line+expired+"; Secure; SameSite=None; Partitioned")
		}
		return all
	}
	plain := func(lines ...string) (all []string) {
		for _, line := range lines {
			all = append(all, line+expired)
		}
		return all
	}
	const policy = "cookie_policy opendatasoft google_analytics {\nallow third_party outer {\ndomain city.example other.example\npath /app /\n}\n" +
		"allow third_party __Host-a __Secure-a\n}\nreverse_proxy "
	gateway := startAnyHost(t, discardLogs, policy+portal.address)
	for _, c := range []struct {
		what, host string
		cookie     string
		http       []string
		https      []string
	}{
		{"a host of several labels", "data.city.example", "_ga=1",
			plain("_ga=; Path=/", "_ga=; Path=/; Domain=data.city.example"), inFrames("_ga=; Path=/", "_ga=; Path=/; Domain=data.city.example")},
		{"domains and paths of the rule", "data.city.example", "outer=1", plain(
			"outer=; Path=/app", "outer=; Path=/app; Domain=data.city.example", "outer=; Path=/app; Domain=city.example",
			"outer=; Path=/", "outer=; Path=/; Domain=data.city.example", "outer=; Path=/; Domain=city.example"), inFrames(
			"outer=; Path=/app", "outer=; Path=/app; Domain=data.city.example", "outer=; Path=/app; Domain=city.example",
			"outer=; Path=/", "outer=; Path=/; Domain=data.city.example", "outer=; Path=/; Domain=city.example")},
		{"names with prefixes", "data.city.example", "__Host-a=1; __Secure-a=2",
			inFrames("__Host-a=; Path=/", "__Secure-a=; Path=/", "__Secure-a=; Path=/; Domain=data.city.example"),
			inFrames("__Host-a=; Path=/", "__Secure-a=; Path=/", "__Secure-a=; Path=/; Domain=data.city.example")},
		{"a single label", "localhost", "_ga=1; _gid=2", plain("_ga=; Path=/", "_gid=; Path=/"), inFrames("_ga=; Path=/", "_gid=; Path=/")},
		{"an address", "127.0.0.1", "_ga=1", plain("_ga=; Path=/"), inFrames("_ga=; Path=/")},
		{"an address of version 6", "[::1]:8080", "_ga=1", plain("_ga=; Path=/"), inFrames("_ga=; Path=/")},
		{"an underscore", "data_1.city.example", "_ga=1", plain("_ga=; Path=/"), inFrames("_ga=; Path=/")},
		{"a public suffix", "co.uk", "_ga=1", plain("_ga=; Path=/"), inFrames("_ga=; Path=/")},
		{"the same name twice", "localhost", "_ga=1; _ga=2", plain("_ga=; Path=/"), inFrames("_ga=; Path=/")},
		{"necessary, unlisted and nameless ones", "localhost", "sessionid=1; campaign=2; _ga; cookies_preferences=x", nil, nil},
		{"none", "localhost", "", nil, nil},
	} {
		for https, want := range map[bool][]string{false: c.http, true: c.https} {
			t.Run(fmt.Sprintf("%s, https %t", c.what, https), func(t *testing.T) {
				got := gateway.fetch(t, https, c.host, "/", navigate, "Cookie: "+c.cookie)
				if want := append([]string{session}, want...); !slices.Equal(got.setCookies(), want) {
					t.Errorf("got\n%s\nwant\n%s", strings.Join(got.setCookies(), "\n"), strings.Join(want, "\n"))
				}
			})
		}
	}
}

// Over HTTPS is what the visitor's connection is: behind a trusted proxy, what that proxy says.
func TestRemovalsKnowTheVisitorsConnection(t *testing.T) {
	portal := startPortal(t, page())
	const trusting = discardLogs + "\nservers {\ntrusted_proxies static 127.0.0.1/32\n}"
	for _, c := range []struct {
		options   string
		https     bool
		forwarded string
		want      bool
	}{
		{discardLogs, false, "", false},
		{discardLogs, true, "", true},
		{discardLogs, false, "https", false}, // nobody said that it may be believed
		{discardLogs, true, "http", true},
		{trusting, false, "", false},
		{trusting, true, "", true},
		{trusting, false, "https", true},
		{trusting, false, "HTTPS", true},
		{trusting, true, "http", false},
		{trusting, false, "https, http", true}, // the first is the visitor's
		{trusting, true, "http, https", false},
	} {
		gateway := startAnyHost(t, c.options, "cookie_policy opendatasoft google_analytics\nreverse_proxy "+portal.address)
		lines := []string{navigate, "Cookie: _ga=1"}
		if c.forwarded != "" {
			lines = append(lines, "X-Forwarded-Proto: "+c.forwarded)
		}
		got := gateway.fetch(t, c.https, "localhost", "/", lines...).setCookies()
		if len(got) == 0 || strings.Contains(got[0], "; Secure") != c.want {
			t.Errorf("https %t, forwarded %q, trusted %t: got %q", c.https, c.forwarded, c.options == trusting, got)
		}
	}
}

// On pages only, once in a response, and not where the response itself has a line for that name.
func TestWhichResponsesRemoveCookies(t *testing.T) {
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
		{"a navigation", response("200 OK", nil, "x"), "", []string{navigate}, "_ga=1", []string{removal}},
		{"a navigation that is redirected", response("302 Found", nil, ""), "", []string{navigate}, "_ga=1", []string{removal}},
		{"a navigation to what is not there", response("404 Not Found", nil, "x"), "", []string{navigate}, "_ga=1", []string{removal}},
		{"a navigation to what has not changed", response("304 Not Modified", nil, ""), "", []string{navigate}, "_ga=1", []string{removal}},
		{"HTML, where the browser does not say", page(), "", nil, "_ga=1", []string{removal}},
		{"no HTML, where the browser does not say", response("200 OK", nil, "x"), "", nil, "_ga=1", nil},
		{"HTML for a script", page(), "", []string{"Sec-Fetch-Mode: cors"}, "_ga=1", nil},
		{"an image", page(), "", []string{"Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"}, "_ga=1", nil},
		{"early hints before a page", "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n" + page(), "", []string{navigate}, "_ga=1", []string{removal}},
		{"granted", page(), "", []string{navigate}, "_ga=1; cookies_preferences=%7B%22ga%22%3Atrue%7D", nil},
		{"the portal deletes it", page("Set-Cookie: _ga=; Max-Age=0"), "", []string{navigate}, "_ga=1", []string{"_ga=; Max-Age=0"}},
		{"the portal sets it in vain", page("Set-Cookie: _ga=2"), "", []string{navigate}, "_ga=1", []string{removal}},
		{"the portal grants it", page("Set-Cookie: cookies_preferences={\"ga\":true}", "Set-Cookie: _ga=2"), "", []string{navigate}, "_ga=1", []string{"cookies_preferences={\"ga\":true}", "_ga=2"}},
		{"the portal withdraws it", page("Set-Cookie: cookies_preferences={\"ga\":false}", "Set-Cookie: _ga=2"), "", []string{navigate},
			"_ga=1; cookies_preferences=%7B%22ga%22%3Atrue%7D", []string{"cookies_preferences={\"ga\":false}", removal}},
		{"nothing written", "", policy + "header X-A b", []string{navigate}, "_ga=1", []string{removal}},
		{"an error", "", policy + "error 500", []string{navigate}, "_ga=1", []string{removal}},
		{"an error and its route", "", policy + "error 500\nhandle_errors {\nrespond oops\n}", []string{navigate}, "_ga=1", []string{removal}},
		{"an error and its route, which has a policy", "", policy + "error 500\nhandle_errors {\n" + policy + "respond oops\n}", []string{navigate}, "_ga=1", []string{removal}},
		{"within encode", page(), "route {\nencode gzip\n" + policy + "reverse_proxy PORTAL\n}", []string{navigate, "Accept-Encoding: gzip"}, "_ga=1", []string{removal}},
		{"two policies", page(), "route {\n" + policy + policy + "reverse_proxy PORTAL\n}", []string{navigate}, "_ga=1", []string{removal}},
		{"two policies, of which the inner one names it", page(), "route {\ncookie_policy opendatasoft {\nunlisted pass\n}\n" + policy + "reverse_proxy PORTAL\n}", []string{navigate}, "_ga=1", []string{removal}},
		{"two policies, of which the outer one names it", page(), "route {\n" + policy + "cookie_policy opendatasoft\nreverse_proxy PORTAL\n}", []string{navigate}, "_ga=1", []string{removal}},
	} {
		t.Run(c.what, func(t *testing.T) {
			portal := startPortal(t, c.response)
			directives := c.directives
			if directives == "" {
				directives = policy + "reverse_proxy PORTAL"
			}
			gateway := startGateway(t, strings.ReplaceAll(directives, "PORTAL", portal.address))
			got := gateway.fetch(t, false, "localhost", "/", append(c.lines, "Cookie: "+c.cookie)...)
			_, final, early := strings.Cut(got.raw, "\r\n\r\n") // behind an informational response
			if !strings.HasPrefix(got.raw, "HTTP/1.1 103") {
				final, early = got.raw, false
			}
			if set := (answer{final}).setCookies(); !slices.Equal(set, c.want) || early && got.setCookies() != nil {
				t.Errorf("got %q, want %q\n%s", set, c.want, got.raw)
			}
		})
	}
}

// What does not fit is removed next time: here until a browser's jar is empty.
func TestManyRefusedCookiesAreRemovedInTheEnd(t *testing.T) {
	portal := startPortal(t, page())
	gateway := startAnyHost(t, discardLogs, "cookie_policy opendatasoft {\nallow third_party t_*\n}\nreverse_proxy "+portal.address)
	var jar []string
	for i := range 60 {
		jar = append(jar, fmt.Sprintf("t_%d_%s", i, strings.Repeat("x", i)))
	}
	responses := 0
	for ; len(jar) > 0 && responses < 60; responses++ {
		got := gateway.fetch(t, true, "data.city.example", "/", navigate, "Cookie: "+strings.Join(jar, "=1; ")+"=1").setCookies()
		size := 0
		for _, line := range got {
			size += len("Set-Cookie: ") + len(line) + len("\r\n")
		}
		if len(got) == 0 || len(got) > 20 || size > 4096 {
			t.Fatalf("%d lines of %d bytes", len(got), size)
		}
		before := len(jar)
		jar = slices.DeleteFunc(jar, func(name string) bool {
			return slices.Contains(got, name+"=; Path=/; Domain=data.city.example"+expired+"; Secure; SameSite=None")
		})
		if len(jar) == before {
			t.Fatalf("nothing was removed by %q", got)
		}
	}
	t.Logf("%d responses", responses)
}

// Each format of the preference as the Caddyfile says it, from there to what the visitor and the portal get.
func TestPreferenceFormats(t *testing.T) {
	const rules = "{\nallow statistical stats {\nconsent statistics\n}\nallow third_party ads {\nconsent marketing\n}\n"
	portal := startPortal(t, response("200 OK", []string{"stats=1", "ads=2"}, "x"))
	for _, c := range []struct {
		what, preference string
		granted          map[string]string // what is let through, by the preference's value
	}{
		{"json, by default", "preference choice", map[string]string{
			`{"statistics":true}`: "stats", `{"statistics":true,"marketing":true}`: "stats ads", `%7B%22marketing%22%3Atrue%7D`: "ads",
			`"{"statistics":true}"`: "stats", `{"statistics":false}`: "", `{"statistics":1}`: "", `["statistics"]`: "stats", `"statistics"`: "", `{`: "", ``: "",
		}},
		{"json at a path", "preference choice {\nformat json purposes.enabled\n}", map[string]string{
			`{"purposes":{"enabled":{"statistics":true}}}`: "stats", `{"purposes":{"enabled":["marketing"]}}`: "ads", `{"statistics":true}`: "",
			`{"purposes":{"disabled":["marketing"]}}`: "", `{"purposes":{"enabled":true}}`: "",
		}},
		{"json in base64", "preference choice {\nformat json base64\n}", map[string]string{
			"eyJzdGF0aXN0aWNzIjp0cnVlfQ==": "stats", "eyJzdGF0aXN0aWNzIjp0cnVlfQ": "stats", "eyJzdGF0aXN0aWNzIjp0cnVlfQ%3D%3D": "stats", `{"statistics":true}`: "",
		}},
		{"json at a path in base64", "preference choice {\nformat json purposes.enabled base64\n}", map[string]string{
			"eyJwdXJwb3NlcyI6eyJlbmFibGVkIjpbIm1hcmtldGluZyJdfX0=": "ads", "eyJzdGF0aXN0aWNzIjp0cnVlfQ==": "",
		}},
		{"json with a word", "preference choice {\nformat json\ngranted yes accepted\n}", map[string]string{
			`{"statistics":"yes","marketing":"no"}`: "stats", `{"statistics":"accepted","marketing":true}`: "stats ads", `{"statistics":"Yes"}`: "",
		}},
		{"pairs", "preference choice {\nformat pairs\n}", map[string]string{
			"statistics=true&marketing=false": "stats", "statistics=1&marketing=yes": "stats ads", "statistics=allow&marketing=accept": "stats ads", "statistics=on": "", "statistics": "",
		}},
		{"pairs of other separators", "preference choice {\nformat pairs | :\n}", map[string]string{
			"statistics:true|marketing:false": "stats", "statistics:false|marketing:true": "ads", "statistics%3Atrue%7Cmarketing%3Atrue": "stats ads", "statistics=true": "",
		}},
		{"pairs that each begin with a separator", "preference choice {\nformat pairs ! =\n}", map[string]string{"!statistics=true!marketing=wait": "stats", "!": ""}},
		{"a query string with an inner list", "preference choice {\nformat pairs & = groups\ngranted 1\n}", map[string]string{
			"v=6&groups=statistics:1,marketing:0&x=y": "stats", "groups=statistics%3A0%2Cmarketing%3A1": "ads", "statistics=1": "", "groups=statistics:true": "",
		}},
		{"list", "preference choice {\nformat list\n}", map[string]string{"necessary,statistics": "stats", "statistics%2Cmarketing": "stats ads", "necessary": "", "": ""}},
		{"list of another separator", "preference choice {\nformat list |\ngranted all\n}", map[string]string{"necessary|marketing": "ads", "all": "stats ads", "none": ""}},
		{"flag", "preference choice {\nformat flag yes\n}", map[string]string{"yes": "stats ads", "no": "", "Yes": "", "": "", "yes%20": ""}},
		{"flag of a key", "preference choice {\nformat flag allow statistics\n}\npreference other {\nformat flag allow marketing\n}", map[string]string{
			"allow": "stats", "deny": "", "allow; other=allow": "stats ads", "deny; other=allow": "ads",
		}},
	} {
		gateway := startGateway(t, "cookie_policy "+rules+c.preference+"\n}\nreverse_proxy "+portal.address)
		for value, want := range c.granted {
			answer := gateway.fetch(t, false, "localhost", "/", "Cookie: stats=3; ads=4; choice="+value)
			var got []string
			for _, line := range answer.setCookies() {
				name, _, _ := strings.Cut(line, "=")
				got = append(got, name)
			}
			if strings.Join(got, " ") != want {
				t.Errorf("%s: %s lets through %q, want %q", c.what, value, got, want)
			}
			received := strings.Join(portal.cookies(t), "; ")
			for _, name := range []string{"stats", "ads"} {
				if strings.Contains(received, name+"=") != strings.Contains(want, name) {
					t.Errorf("%s: with %s the portal got %q, want %q", c.what, value, received, want)
				}
			}
			if !strings.Contains(received, "choice="+value) {
				t.Errorf("%s: with %s the portal got %q", c.what, value, received)
			}
		}
	}
}

// A choice is asked for again once it is older than the policy page promises.
func TestAnOldChoiceIsNoChoice(t *testing.T) {
	portal := startPortal(t, page("Set-Cookie: "+matomo))
	for policy, counts := range map[string]map[int]bool{
		"opendatasoft matomo": {0: true, 182: true, 184: false, 213: false, -1: false},
		"opendatasoft matomo {\npreference cookies_preferences {\ntimestamp timestamp\nmax_age 365d\n}\n}": {0: true, 184: true, 364: true, 366: false},
		"opendatasoft matomo {\npreference cookies_preferences\n}":                                         {0: true, 184: true, 4000: true, -1: true},
	} {
		gateway := startGateway(t, "cookie_policy "+policy+"\nreverse_proxy "+portal.address)
		for days, counts := range counts {
			got := gateway.fetch(t, false, "localhost", "/", prefers(days, `"matomo":true`)).setCookies()
			if (len(got) == 1) != counts {
				t.Errorf("%s: a choice made %d days ago lets through %q", policy, days, got)
			}
		}
	}
}

// persist, as the Caddyfile says it.
func TestPersist(t *testing.T) {
	portal := startPortal(t, page())
	gateway := startGateway(t, "cookie_policy {\nallow necessary sessionid\npreference choice {\ntimestamp at\nmax_age 183d\npersist\n}\npreference other {\ntimestamp at\nmax_age 10d\npersist /portal\n}\n}\n"+
		"reverse_proxy "+portal.address)
	value := fmt.Sprintf("%%7B%%22at%%22%%3A%d%%7D", time.Now().Add(-24*time.Hour).Unix())
	got := gateway.fetch(t, false, "localhost", "/", navigate, "Cookie: choice="+value+"; other="+value)
	var lifes []int
	for i, line := range got.setCookies() {
		var life int
		format := []string{"choice=", "other="}[i] + strings.ReplaceAll(value, "%", "%%") + []string{"; Path=/; Max-Age=%d", "; Path=/portal; Max-Age=%d"}[i]
		if _, err := fmt.Sscanf(line, format, &life); err != nil || strings.HasSuffix(line, ";") {
			t.Errorf("%q is not like %q", line, format)
		}
		lifes = append(lifes, life)
	}
	const day = 86400
	if len(lifes) != 2 || lifes[0] > 182*day || lifes[0] < 182*day-60 || lifes[1] > 9*day || lifes[1] < 9*day-60 {
		t.Errorf("got %q", got.setCookies())
	}
	if got := got.field("Cache-Control"); !slices.Equal(got, []string{"private"}) {
		t.Errorf("shared caches are told %q", got)
	}
	for _, lines := range [][]string{{"Sec-Fetch-Mode: cors"}, {navigate, "Sec-Purpose: prefetch"}} {
		if got := gateway.fetch(t, false, "localhost", "/", append(lines, "Cookie: choice="+value)...).setCookies(); got != nil {
			t.Errorf("%q: got %q", lines, got)
		}
	}
	public := startGateway(t, "cookie_policy {\nallow necessary sessionid\npreference choice {\ntimestamp at\nmax_age 183d\npersist\n}\n}\nreverse_proxy "+startPortal(t, page("Cache-Control: public, max-age=600")).address)
	if got := public.fetch(t, false, "localhost", "/", navigate, "Cookie: choice="+value); got.setCookies() != nil || !slices.Equal(got.field("Cache-Control"), []string{"public, max-age=600"}) {
		t.Errorf("got %q, %q", got.setCookies(), got.field("Cache-Control"))
	}
}

// Browsers that object: by Sec-GPC or DNT, to the categories that the operator names, until the visitor says otherwise.
func TestSignals(t *testing.T) {
	portal := startPortal(t, response("200 OK", []string{matomo, google}, "x"))
	gateway := startGateway(t, "cookie_policy opendatasoft {\npreset matomo {\nanonymous\n}\nallow third_party _ga {\nconsent ga\n}\nsignal gpc statistical\nsignal dnt third_party\n}\nreverse_proxy "+portal.address)
	for _, c := range []struct {
		lines      []string
		pass, vary string
	}{
		{nil, "_pk_id.1.1fff", "Cookie, Sec-Gpc, Dnt"},
		{[]string{"Sec-GPC: 1"}, "", "Cookie, Sec-Gpc, Dnt"},
		{[]string{"DNT: 1"}, "_pk_id.1.1fff", "Cookie, Sec-Gpc, Dnt"},
		{[]string{"Sec-GPC: 0"}, "_pk_id.1.1fff", "Cookie, Sec-Gpc, Dnt"},
		{[]string{"Sec-GPC: 1", prefers(1, `"matomo":true`)}, "_pk_id.1.1fff", "Cookie, Dnt"},
		{[]string{"Sec-GPC: 1", "DNT: 1", prefers(1, `"matomo":true,"ga":true`)}, "_pk_id.1.1fff _ga", "Cookie"},
		{[]string{"Sec-GPC: 1", prefers(213, `"matomo":true`)}, "", "Cookie, Sec-Gpc, Dnt"},
	} {
		got := gateway.fetch(t, false, "localhost", "/", append(c.lines, "Cookie: _pk_id.1.1fff=1; _ga=2")...)
		var names []string
		for _, line := range got.setCookies() {
			name, _, _ := strings.Cut(line, "=")
			names = append(names, name)
		}
		if strings.Join(names, " ") != c.pass {
			t.Errorf("%q: let through are %q, want %q", c.lines, names, c.pass)
		}
		received := strings.Join(portal.cookies(t), "; ")
		for _, name := range []string{"_pk_id.1.1fff", "_ga"} {
			if strings.Contains(received, name+"=") != strings.Contains(c.pass, name) {
				t.Errorf("%q: the portal got %q", c.lines, received)
			}
		}
		if vary := strings.Join(got.field("Vary"), ", "); vary != c.vary {
			t.Errorf("%q: Vary is %q, want %q", c.lines, vary, c.vary)
		}
	}
}

// A response that writes the preference carries the newest choice, and is judged by it.
func TestTheNewestChoice(t *testing.T) {
	const grant, refusal = "cookies_preferences=%7B%22matomo%22%3Atrue%7D; Path=/", "cookies_preferences=%7B%22matomo%22%3Afalse%7D; Path=/"
	for _, c := range []struct {
		cookie string
		send   []string
		want   []string
	}{
		{"", []string{matomo, grant, session}, []string{matomo, grant, session}},
		{refusal[:strings.Index(refusal, ";")], []string{matomo, grant}, []string{matomo, grant}},
		{grantsMatomo, []string{matomo, refusal, session}, []string{refusal, session}},
		{grantsMatomo, []string{matomo, "cookies_preferences=; Max-Age=0; Path=/"}, []string{"cookies_preferences=; Max-Age=0; Path=/"}},
		{grantsMatomo, []string{matomo, "cookies_preferences=x"}, []string{"cookies_preferences=x"}},
	} {
		gateway := startGateway(t, "cookie_policy opendatasoft matomo\nreverse_proxy "+startPortal(t, response("200 OK", c.send, "x")).address)
		if got := gateway.get(t, c.cookie).setCookies(); !slices.Equal(got, c.want) {
			t.Errorf("%q and %q: got %q, want %q", c.cookie, c.send, got, c.want)
		}
	}
}

// One gateway, one connection, several hosts: what a visitor granted on one is not granted on the other.
func TestConsentIsPerHost(t *testing.T) {
	portal := startUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["X-Cookie"] = r.Header["Cookie"]
		w.Header()["Set-Cookie"] = []string{matomo}
	})
	gateway := startAnyHost(t, discardLogs, "cookie_policy opendatasoft matomo\nheader X-Consent {http.cookie_policy.consent.matomo}\nreverse_proxy "+portal)
	for protocol, client := range protocols(t) {
		for i := range 6 {
			req := gateway.request(t, t.Context(), http.MethodGet, "/", nil, nil)
			granted := i%2 == 0
			if req.Host = "two.example"; granted {
				req.Host = "one.example"
				req.Header.Set("Cookie", grantsMatomo+"; _pk_id.1.1fff=1")
			} else {
				req.Header.Set("Cookie", "_pk_id.1.1fff=1")
			}
			resp, err := client.Transport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			want := map[bool]string{true: "granted", false: "undecided"}[granted]
			if got := resp.Header.Get("X-Consent"); got != want || (resp.Header["Set-Cookie"] != nil) != granted || (resp.Header["X-Cookie"] != nil) != granted {
				t.Errorf("%s, %s: %s, %q, %q", protocol, req.Host, got, resp.Header["Set-Cookie"], resp.Header["X-Cookie"])
			}
		}
	}
}

// The placeholder, in every kind of directive, and at no cost to caches where nobody reads it.
func TestPlaceholders(t *testing.T) {
	portal := startPortal(t, page())
	const key = "{http.cookie_policy.consent.matomo}"
	for what, directives := range map[string]string{
		"respond":            "respond " + key,
		"header":             "header X-Consent " + key + "\nrespond {http.response.header.X-Consent}",
		"map":                "map " + key + " {shown} {\ngranted granted\nrefused refused\ndefault undecided\n}\nrespond {shown}",
		"vars":               "vars shown " + key + "\nrespond {vars.shown}",
		"a matcher of vars":  "@granted vars " + key + " granted\n@refused vars " + key + " refused\nrespond @granted granted\nrespond @refused refused\nrespond undecided",
		"expression":         "@granted expression `{http.cookie_policy.consent.matomo} == 'granted'`\n@refused expression `{http.cookie_policy.consent.matomo} == 'refused'`\nrespond @granted granted\nrespond @refused refused\nrespond undecided",
		"handle":             "handle {\nrespond " + key + "\n}",
		"rewrite":            "rewrite /" + key + "\nuri strip_prefix /\nrespond {path}",
		"templates":          "header Content-Type text/html\ntemplates\nrespond `{{placeholder \"http.cookie_policy.consent.matomo\"}}`",
		"an error route":     "error 500\nhandle_errors {\nrespond " + key + "\n}",
		"within a route":     "route {\nrespond " + key + "\n}",
		"request_header":     "request_header X-Consent " + key + "\nrespond {http.request.header.X-Consent}",
		"a portal's own map": "reverse_proxy " + portal.address + " {\nheader_up X-Consent " + key + "\nheader_down X-Consent {http.request.header.X-Consent}\n}",
	} {
		gateway := startGateway(t, "cookie_policy opendatasoft matomo\n"+directives)
		for cookie, want := range map[string]string{
			"": "undecided", grantsMatomo: "granted", "cookies_preferences=%7B%22matomo%22%3Afalse%7D": "refused", "cookies_preferences=x": "undecided",
			grantsMatomo + "; cookies_preferences=%7B%22matomo%22%3Afalse%7D": "refused",
		} {
			got := gateway.get(t, cookie)
			shown := strings.TrimPrefix(got.body(), "/")
			if what == "a portal's own map" {
				portal.mu.Lock()
				shown = strings.Join(answer{portal.requests[len(portal.requests)-1]}.field("X-Consent"), " ")
				portal.mu.Unlock()
			}
			if shown != want {
				t.Errorf("%s, with %q: got %q, want %q", what, cookie, shown, want)
			}
			if vary := got.field("Vary"); what != "an error route" && !slices.Contains(vary, "Cookie") {
				t.Errorf("%s: the response depends on the preference, and Vary is %q", what, vary)
			}
		}
	}
	if vary := startGateway(t, "cookie_policy opendatasoft matomo\nrespond ok").get(t, grantsMatomo).field("Vary"); vary != nil {
		t.Errorf("nobody asked, and Vary is %q", vary)
	}
}

// readmeSite is the one example in the README that holds a text, with the site's address and its portal's in their places.
func readmeSite(t *testing.T, holding, address, portal string) string {
	t.Helper()
	var found []string
	for _, text := range fenced(t, "caddyfile") {
		if strings.Contains(text, holding) {
			found = append(found, strings.NewReplacer("data.city.example {", address+" {", "https://portal.example.org", portal).Replace(text))
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d examples in the README hold %s", len(found), holding)
	}
	return found[0]
}

// The README's example: a tracker's script is there once the visitor grants it, and empty until then.
func TestREADMEGatesAScript(t *testing.T) {
	portal := startPortal(t, response("200 OK", nil, "script"))
	port := freePort(t)
	load(t, readmeSite(t, "/matomo.js", fmt.Sprintf("http://localhost:%d", port), portal.address))
	for cookie, want := range map[string]string{"": "204", grantsMatomo: "200", "cookies_preferences=%7B%22matomo%22%3Afalse%7D": "204", "cookies_preferences=x": "204"} {
		got := gateway(port).fetch(t, false, "localhost", "/matomo.js", "Cookie: "+cookie)
		if !strings.HasPrefix(got.raw, "HTTP/1.1 "+want) || (got.body() == "script") != (want == "200") {
			t.Errorf("with %q: got %q", cookie, got.raw)
		}
		if !slices.Contains(got.field("Vary"), "Cookie") {
			t.Errorf("with %q: Vary is %q", cookie, got.field("Vary"))
		}
		if other := gateway(port).fetch(t, false, "localhost", "/other.js", "Cookie: "+cookie); !strings.HasPrefix(other.raw, "HTTP/1.1 200") {
			t.Errorf("with %q: another script is %q", cookie, other.raw)
		}
	}
}

// The README's example: the tracker's host is in the Content-Security-Policy once the visitor grants it.
func TestREADMEBuildsAContentSecurityPolicy(t *testing.T) {
	portal := startPortal(t, page("Content-Security-Policy: default-src *"))
	port := freePort(t)
	load(t, readmeSite(t, "Content-Security-Policy", fmt.Sprintf("http://localhost:%d", port), portal.address))
	for cookie, want := range map[string]bool{"": false, grantsMatomo: true, "cookies_preferences=%7B%22matomo%22%3Afalse%7D": false} {
		got := gateway(port).get(t, cookie).field("Content-Security-Policy")
		if len(got) != 1 || !strings.Contains(got[0], "script-src 'self'") || strings.Contains(got[0], "https://matomo.city.example") != want {
			t.Errorf("with %q: got %q", cookie, got)
		}
	}
}

// A key that nobody knows is undecided. One warning says so, and not one with every request.
func TestAKeyThatNobodyKnowsIsToldOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "caddy.log")
	gateway := startAnyHost(t, "log {\noutput file "+file+"\nformat json\n}",
		"cookie_policy opendatasoft matomo {\nname city\n}\nrespond `{http.cookie_policy.consent.matomo} {http.cookie_policy.consent.matmo} {http.cookie_policy.consent.video}`")
	for range 5 {
		if got := gateway.fetch(t, false, "localhost", "/", "Cookie: cookies_preferences={\"video\":true}").body(); got != "undecided undecided granted" {
			t.Errorf("got %q", got)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "consent key") {
			told = append(told, line)
		}
	}
	if len(told) != 1 || !strings.Contains(told[0], `"level":"warn"`) || !strings.Contains(told[0], `"key":"matmo"`) || !strings.Contains(told[0], `"policy":"city"`) {
		t.Errorf("got %q", told)
	}
}

// Where policies lie in one another, or an error route has one of its own, the innermost answers, and its response says that it depends on the
// visitor's choice.
func TestPlaceholdersAreAnsweredByTheInnermostPolicy(t *testing.T) {
	const inner = "cookie_policy {\nallow third_party x {\nconsent k\n}\npreference mine\nunlisted pass\n}\nheader X-Consent {http.cookie_policy.consent.k}\n"
	for name, directives := range map[string]string{
		"one in another":                         "route {\ncookie_policy opendatasoft {\nallow third_party y {\nconsent k\n}\nunlisted pass\n}\n" + inner + "respond ok\n}",
		"one in an error route":                  "cookie_policy opendatasoft {\nallow third_party y {\nconsent k\n}\nunlisted pass\n}\nerror 500\nhandle_errors {\n" + inner + "respond oops\n}",
		"one behind another that has ended well": "route {\n@never path /never\nroute @never {\ncookie_policy opendatasoft\n}\n" + inner + "respond ok\n}",
	} {
		t.Run(name, func(t *testing.T) {
			raw := startGateway(t, directives).get(t, `mine={"k":true}; cookies_preferences={"k":false}`).raw
			if !strings.Contains(raw, "\r\nX-Consent: granted\r\n") || !strings.Contains(raw, "\r\nVary: Cookie\r\n") {
				t.Errorf("the answer is %q", raw)
			}
		})
	}
}
