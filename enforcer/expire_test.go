package enforcer

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// navigation is what a browser sends with the request for a page.
func navigation(cookies ...string) http.Header {
	return http.Header{"Cookie": cookies, "Sec-Fetch-Mode": {"navigate"}}
}

// respond takes a request and its final response through a visit, and returns the response's Set-Cookie lines.
func respond(e *Enforcer, r Request, response http.Header) []string {
	visit := e.Visit(r)
	visit.FilterRequest()
	visit.CompleteResponse(response)
	return response["Set-Cookie"]
}

// tracking is a policy with one necessary cookie, a preference, and trackers that wait for consent.
func tracking(options RuleOptions, trackers ...string) Policy {
	return Policy{
		Allow: []Rule{
			{Category: Necessary, Cookies: []string{"sessionid"}},
			{Category: Statistical, Cookies: trackers, RuleOptions: options},
		},
		Preference: []Preference{{Cookies: []string{"prefs"}}},
	}
}

const expired = "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"

// Each likely variant of a cookie gets a line: of the host alone and of its domains, at each path, and over HTTPS inside a partition too.
func TestTheLinesThatRemoveACookie(t *testing.T) {
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
	for _, c := range []struct {
		what    string
		cookie  string
		options RuleOptions
		host    string
		https   bool
		want    []string
	}{
		{"over HTTP", "_ga", RuleOptions{}, "data.city.example", false, plain("_ga=; Path=/", "_ga=; Path=/; Domain=data.city.example")},
		{"over HTTPS", "_ga", RuleOptions{}, "data.city.example", true, inFrames("_ga=; Path=/", "_ga=; Path=/; Domain=data.city.example")},
		{"a host with a port", "_ga", RuleOptions{}, "data.city.example:8443", false, plain("_ga=; Path=/", "_ga=; Path=/; Domain=data.city.example")},
		{"a host in capitals", "_ga", RuleOptions{}, "Data.City.EXAMPLE", false, plain("_ga=; Path=/", "_ga=; Path=/; Domain=data.city.example")},
		{"a host with a hyphen and digits", "_ga", RuleOptions{}, "open-data.2go.example", false, plain("_ga=; Path=/", "_ga=; Path=/; Domain=open-data.2go.example")},
		{"a host in another script", "_ga", RuleOptions{}, "xn--donnes-dva.example", false, plain("_ga=; Path=/", "_ga=; Path=/; Domain=xn--donnes-dva.example")},
		{"the rule's paths", "_ga", RuleOptions{Path: []string{"/app", "/"}}, "localhost", false, plain("_ga=; Path=/app", "_ga=; Path=/")},
		{"the rule's domains, where they are the host's", "_ga", RuleOptions{Domain: []string{".City.example", "other.example", "data.city.example", "xcity.example", "a.data.city.example"}},
			"data.city.example", false, plain("_ga=; Path=/", "_ga=; Path=/; Domain=data.city.example", "_ga=; Path=/; Domain=city.example")},
		{"domains and paths", "_ga", RuleOptions{Domain: []string{"city.example"}, Path: []string{"/a", "/b"}}, "data.city.example", false, plain(
			"_ga=; Path=/a", "_ga=; Path=/a; Domain=data.city.example", "_ga=; Path=/a; Domain=city.example",
			"_ga=; Path=/b", "_ga=; Path=/b; Domain=data.city.example", "_ga=; Path=/b; Domain=city.example")},
		{"a wildcard", "_pk_id.1.1fff", RuleOptions{}, "localhost", false, plain("_pk_id.1.1fff=; Path=/")},

		// Hosts that browsers take no Domain for.
		{"a single label", "_ga", RuleOptions{}, "localhost", true, inFrames("_ga=; Path=/")},
		{"a single label with a port", "_ga", RuleOptions{}, "portal:8080", false, plain("_ga=; Path=/")},
		{"an IPv4 address", "_ga", RuleOptions{}, "192.0.2.1:80", false, plain("_ga=; Path=/")},
		{"an IPv6 address", "_ga", RuleOptions{}, "[2001:db8::1]", false, plain("_ga=; Path=/")},
		{"an IPv6 address with a port", "_ga", RuleOptions{}, "[2001:db8::1]:443", false, plain("_ga=; Path=/")},
		{"an underscore", "_ga", RuleOptions{}, "data_1.city.example", false, plain("_ga=; Path=/")},
		{"a public suffix", "_ga", RuleOptions{}, "co.uk", false, plain("_ga=; Path=/")},
		{"a public suffix of a hoster", "_ga", RuleOptions{}, "github.io", false, plain("_ga=; Path=/")},
		{"a name below one", "_ga", RuleOptions{}, "city.github.io", false, plain("_ga=; Path=/", "_ga=; Path=/; Domain=city.github.io")},
		{"a dot at the end", "_ga", RuleOptions{}, "data.city.example.", false, plain("_ga=; Path=/")},
		{"a public suffix and a dot", "_ga", RuleOptions{}, "co.uk.", false, plain("_ga=; Path=/")},
		{"an empty label", "_ga", RuleOptions{}, "data..example", false, plain("_ga=; Path=/")},
		{"a semicolon", "_ga", RuleOptions{}, "data.city.example;x", false, plain("_ga=; Path=/")},
		{"letters beyond ASCII", "_ga", RuleOptions{}, "données.example", false, plain("_ga=; Path=/")},
		{"no host", "_ga", RuleOptions{}, "", false, plain("_ga=; Path=/")},

		// Names that browsers demand attributes for. That such a cookie came shows that the browser takes the connection for a secure one.
		{"__Secure-", "__Secure-ga", RuleOptions{}, "data.city.example", true, inFrames("__Secure-ga=; Path=/", "__Secure-ga=; Path=/; Domain=data.city.example")},
		{"__Secure- in any case, over HTTP", "__SECURE-ga", RuleOptions{}, "data.city.example", false, inFrames("__SECURE-ga=; Path=/", "__SECURE-ga=; Path=/; Domain=data.city.example")},
		{"__Host-", "__Host-ga", RuleOptions{Domain: []string{"city.example"}, Path: []string{"/", "/x"}}, "data.city.example", true, inFrames("__Host-ga=; Path=/")},
		{"__Host- in any case, over HTTP", "__hOST-ga", RuleOptions{}, "data.city.example", false, inFrames("__hOST-ga=; Path=/")},
		{"__Http-", "__Http-ga", RuleOptions{}, "localhost", true, []string{
			"__Http-ga=; Path=/" + expired + "; HttpOnly; Secure; SameSite=None", "__Http-ga=; Path=/" + expired + "; HttpOnly; Secure; SameSite=None; Partitioned"}},
		{"__Host-Http-", "__Host-Http-ga", RuleOptions{}, "data.city.example", true, []string{
			"__Host-Http-ga=; Path=/" + expired + "; HttpOnly; Secure; SameSite=None", "__Host-Http-ga=; Path=/" + expired + "; HttpOnly; Secure; SameSite=None; Partitioned"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			tracker := c.cookie
			if strings.HasPrefix(tracker, "_pk_") {
				tracker = "_pk_*"
			}
			e := compiled(t, tracking(c.options, tracker))
			got := respond(e, Request{Header: navigation(c.cookie + "=1"), Host: c.host, HTTPS: c.https}, http.Header{})
			if !slices.Equal(got, c.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
			for _, line := range got {
				if read, ok := readSetCookie(line); !ok || read.name != c.cookie {
					t.Errorf("%q is not read as one of %s", line, c.cookie)
				} else if a := read.readAttributes(); !a.deletes(&past{now: atNoon}) {
					t.Errorf("%q is no deletion in every browser", line)
				}
			}
		})
	}
}

// With rewrite_domain the portal's cookies stand under the visitors' domain, and that is where they are removed too.
func TestACookieIsRemovedWhereItsDomainWasRewrittenTo(t *testing.T) {
	p := tracking(RuleOptions{}, "_ga")
	p.RewriteDomain = []Rewrite{{From: "portal.example.net", To: "city.example"}, {From: "old.example.net"}}
	got := respond(compiled(t, p), Request{Header: navigation("_ga=1"), Host: "data.city.example"}, http.Header{})
	if want := "_ga=; Path=/; Domain=city.example" + expired; !slices.Contains(got, want) {
		t.Errorf("got %q, without %q", got, want)
	}
}

// Some suffixes are public that the list of them does not name: the last label alone.
func TestNoLineHasADomainThatManyOwn(t *testing.T) {
	e := compiled(t, tracking(RuleOptions{Domain: []string{"example"}}, "_ga"))
	for _, line := range respond(e, Request{Header: navigation("_ga=1"), Host: "data.city.example"}, http.Header{}) {
		if strings.Contains(line, "Domain=example;") {
			t.Errorf("got %q", line)
		}
	}
}

// Which cookies are removed, and in which responses.
func TestWhatIsRemovedAndWhen(t *testing.T) {
	policy := tracking(RuleOptions{Consent: []string{"stats"}}, "_ga", "_pk_*")
	policy.Allow = append(policy.Allow, Rule{Category: Statistical, Cookies: []string{"counter"}, RuleOptions: RuleOptions{Consent: []string{"counts"}, Anonymous: true}})
	html := http.Header{"Content-Type": {"text/html; charset=utf-8"}}
	type given struct {
		what     string
		request  http.Header
		response http.Header
		want     []string // names, in order, each once
	}
	cases := []given{
		{"no choice", navigation("_ga=1"), nil, []string{"_ga"}},
		{"refused", navigation(`prefs={"stats":false}; _ga=1`), nil, []string{"_ga"}},
		{"granted", navigation(`prefs={"stats":true}; _ga=1`), nil, nil},
		{"unreadable", navigation(`prefs=x; _ga=1; counter=1`), nil, []string{"_ga", "counter"}},
		{"anonymous and undecided", navigation("counter=1"), nil, nil},
		{"anonymous and refused", navigation(`prefs={"counts":false}; counter=1`), nil, []string{"counter"}},
		{"necessary, unlisted, nameless and the preference", navigation("sessionid=1; prefs=x; campaign=1; _ga; =_ga"), nil, nil},
		{"several, in several lines, some twice", navigation("_pk_id=1; _ga=2; _pk_id=3", "_pk_ses=4; _ga=5"), nil, []string{"_pk_id", "_ga", "_pk_ses"}},
		{"none sent", navigation(), nil, nil},

		{"a response that deletes it", navigation("_ga=1; _pk_id=1"), http.Header{"Set-Cookie": {"_ga=; Max-Age=0"}}, []string{"_pk_id"}},
		{"a response that deletes it under another key", navigation("_ga=1; _pk_id=1"), http.Header{"set-cookie": {"_ga=; Max-Age=0"}}, []string{"_pk_id"}},
		{"a response that would set it, in vain", navigation("_ga=1"), http.Header{"Set-Cookie": {"_ga=2"}}, []string{"_ga"}},
		{"a response that sets another", navigation("_ga=1"), http.Header{"Set-Cookie": {"sessionid=2"}}, []string{"_ga"}},
		{"a response with a withdrawal", navigation(`prefs={"stats":true}; _ga=1`), http.Header{"Set-Cookie": {`prefs={"stats":false}`}}, []string{"_ga"}},
		{"a response that deletes the preference", navigation(`prefs={"stats":true}; _ga=1`), http.Header{"Set-Cookie": {`prefs=; Max-Age=0`}}, []string{"_ga"}},
		{"a response with a grant", navigation(`prefs={"stats":false}; _ga=1`), http.Header{"Set-Cookie": {`prefs={"stats":true}`}}, nil},

		{"HTML, from a browser that does not say", http.Header{"Cookie": {"_ga=1"}}, html, []string{"_ga"}},
		{"XHTML, from a browser that does not say", http.Header{"Cookie": {"_ga=1"}}, http.Header{"Content-Type": {"Application/XHTML+XML"}}, []string{"_ga"}},
		{"JSON, from a browser that does not say", http.Header{"Cookie": {"_ga=1"}}, http.Header{"Content-Type": {"application/json"}}, nil},
		{"no type, from a browser that does not say", http.Header{"Cookie": {"_ga=1"}}, nil, nil},
		{"a navigation to what is not HTML", navigation("_ga=1"), http.Header{"Content-Type": {"application/json"}}, []string{"_ga"}},
		{"two modes", http.Header{"Cookie": {"_ga=1"}, "Sec-Fetch-Mode": {"navigate", "cors"}}, html, nil},
	}
	for _, mode := range []string{"no-cors", "cors", "same-origin", "websocket", "", "Navigate"} {
		cases = append(cases, given{"HTML for " + mode, http.Header{"Cookie": {"_ga=1"}, "Sec-Fetch-Mode": {mode}}, html, nil})
	}
	e := compiled(t, policy)
	for _, c := range cases {
		t.Run(c.what, func(t *testing.T) {
			response := c.response.Clone()
			if response == nil {
				response = http.Header{}
			}
			var names []string
			for _, line := range respond(e, Request{Header: c.request.Clone(), Host: "localhost"}, response) {
				if name, rest, _ := strings.Cut(line, "="); rest == "; Path=/"+expired {
					names = append(names, name)
				}
			}
			if !slices.Equal(names, c.want) {
				t.Errorf("removed are %q, want %q", names, c.want)
			}
		})
	}
}

// A response says it once, however often its header is filtered.
func TestACookieIsRemovedOnceInAResponse(t *testing.T) {
	e := compiled(t, tracking(RuleOptions{}, "_ga"))
	visit := e.Visit(Request{Header: navigation("_ga=1"), Host: "localhost"})
	visit.FilterRequest()
	response := http.Header{"Link": {"</style.css>; rel=preload"}}
	visit.FilterResponse(response) // an early hint: no browser takes its cookies
	if got := response["Set-Cookie"]; got != nil {
		t.Errorf("an informational response got %q", got)
	}
	for range 3 {
		visit.CompleteResponse(response)
	}
	if got := response["Set-Cookie"]; len(got) != 1 {
		t.Errorf("got %q", got)
	}
	// Another response of the same visit, as an error route writes it: it has been said.
	other := http.Header{}
	visit.CompleteResponse(other)
	if got := other["Set-Cookie"]; got != nil {
		t.Errorf("and again %q", got)
	}
}

// Of two handlers, the inner one does not see what the outer one has stripped, and the outer one leaves alone what the inner one removes.
func TestTwoPoliciesRemoveACookieOnce(t *testing.T) {
	google, all := compiled(t, tracking(RuleOptions{}, "_ga")), compiled(t, tracking(RuleOptions{}, "_ga", "_pk_id"))
	for _, nested := range [][2]*Enforcer{{google, all}, {all, google}, {all, all}} {
		header := navigation("_ga=1; _pk_id=1; sessionid=1")
		r := Request{Header: header, Host: "localhost"}
		outer := nested[0].Visit(r)
		outer.FilterRequest()
		inner := nested[1].Visit(r)
		inner.FilterRequest()
		response := http.Header{}
		inner.CompleteResponse(response)
		outer.CompleteResponse(response)
		checkLimits(t, response["Set-Cookie"])
		if !slices.Contains(response["Set-Cookie"], "_ga=; Path=/"+expired) {
			t.Errorf("got %q", response["Set-Cookie"])
		}
	}
}

// checkLimits checks what one response may hold.
func checkLimits(t *testing.T, lines []string) {
	t.Helper()
	size := 0
	for _, line := range lines {
		size += len("Set-Cookie: ") + len(line) + len("\r\n")
	}
	if len(lines) > 20 || size > 4096 {
		t.Errorf("%d lines of %d bytes", len(lines), size)
	}
	if sorted := slices.Sorted(slices.Values(lines)); len(slices.Compact(sorted)) != len(lines) {
		t.Errorf("a line comes twice in %q", lines)
	}
}

// What does not fit into one response is removed by the next ones. The jar is a browser's: each cookie has one variant, which one of the lines hits.
func TestManyCookiesAreRemovedByOneResponseAfterTheOther(t *testing.T) {
	for _, c := range []struct {
		what    string
		cookies int
		length  int // of their names
		options RuleOptions
	}{
		{"a few", 3, 8, RuleOptions{}},
		{"as many as fit", 5, 8, RuleOptions{}},
		{"one more", 6, 8, RuleOptions{}},
		{"as many as browsers store", 180, 8, RuleOptions{}},
		{"long names", 12, 600, RuleOptions{}},
		{"very long names", 3, 3800, RuleOptions{}},
		{"more variants than lines", 2, 8, RuleOptions{Path: []string{"/", "/a", "/b", "/c", "/d", "/e", "/f"}, Domain: []string{"city.example"}}},
	} {
		t.Run(c.what, func(t *testing.T) {
			clock := noon
			e, err := Compile(tracking(c.options, "t_*"), func() time.Time { return clock })
			if err != nil {
				t.Fatal(err)
			}
			jar := map[string]string{} // the line that removes it, by name
			var names []string
			for i := range c.cookies {
				name := fmt.Sprintf("t_%03d", i)
				name += strings.Repeat("x", c.length-len(name))
				names = append(names, name)
				// Now a variant of the host alone at the first path, now a partitioned one of the domain at the last.
				jar[name] = name + "=; Path=/" + expired + "; Secure; SameSite=None"
				if paths := c.options.Path; i%2 == 1 && len(paths) > 0 {
					jar[name] = name + "=; Path=" + paths[len(paths)-1] + "; Domain=city.example" + expired + "; Secure; SameSite=None; Partitioned"
				}
			}
			responses := 0
			for ; len(jar) > 0 && responses < 1000; responses++ {
				var cookies []string
				for _, name := range names {
					if _, ok := jar[name]; ok {
						cookies = append(cookies, name+"=1")
					}
				}
				lines := respond(e, Request{Header: navigation(strings.Join(cookies, "; ")), Host: "data.city.example", HTTPS: true}, http.Header{})
				checkLimits(t, lines)
				for _, line := range lines {
					name, _, _ := strings.Cut(line, "=")
					if jar[name] == line {
						delete(jar, name)
					}
				}
				clock = clock.Add(time.Second)
			}
			if len(jar) > 0 {
				t.Errorf("%d of %d cookies are left after %d responses", len(jar), c.cookies, responses)
			}
			if c.cookies <= 5 && c.length < 100 && c.options.Path == nil && responses != 1 {
				t.Errorf("%d cookies took %d responses", c.cookies, responses)
			}
		})
	}
}

// A cookie that no line reaches, at some path of its own, does not keep the others in the browser.
func TestACookieThatCannotBeRemovedDoesNotHinderOthers(t *testing.T) {
	clock := noon
	e, err := Compile(tracking(RuleOptions{}, "t_*", "_ga"), func() time.Time { return clock })
	if err != nil {
		t.Fatal(err)
	}
	var cookies []string
	for i := range 15 {
		cookies = append(cookies, fmt.Sprintf("t_%d=1", i))
	}
	cookies = append(cookies, "t_"+strings.Repeat("x", 4000)+"=1", "_ga=1")
	for range 100 {
		lines := respond(e, Request{Header: navigation(strings.Join(cookies, "; ")), Host: "data.city.example", HTTPS: true}, http.Header{})
		checkLimits(t, lines)
		if slices.Contains(lines, "_ga=; Path=/"+expired+"; Secure; SameSite=None") {
			return
		}
		clock = clock.Add(time.Second)
	}
	t.Error("_ga was never removed")
}

// Lines are added to the response's own, and to no memory that the handler may have set aside for other things.
func TestExpiriesDoNotWriteBehindTheLinesOfTheHandler(t *testing.T) {
	e := compiled(t, tracking(RuleOptions{}, "_ga"))
	lines := []string{"sessionid=1", "of another response"}
	got := respond(e, Request{Header: navigation("_ga=1"), Host: "localhost"}, http.Header{"Set-Cookie": lines[:1]})
	if len(got) != 2 || got[0] != "sessionid=1" || lines[1] != "of another response" {
		t.Errorf("got %q, and %q behind it", got, lines[1])
	}
}

// What a hostile request costs is linear in its bytes.
func BenchmarkExpire(b *testing.B) {
	e := compiled(b, tracking(RuleOptions{}, "t_*"))
	var many strings.Builder
	for i := 0; many.Len() < 1<<20; i++ {
		fmt.Fprintf(&many, "t_%d=; ", i)
	}
	for what, cookies := range map[string]string{
		"one": "sessionid=1; t_1=1", "six": "t_1=1; t_2=1; t_3=1; t_4=1; t_5=1; t_6=1", "1MiB_of_names": many.String(), "1MiB_of_one_name": strings.Repeat("t_1=;", 1<<20/5),
	} {
		b.Run(what, func(b *testing.B) {
			b.SetBytes(int64(len(cookies)))
			b.ReportAllocs()
			for b.Loop() {
				respond(e, Request{Header: navigation(cookies), Host: "data.city.example", HTTPS: true}, http.Header{})
			}
		})
	}
}
