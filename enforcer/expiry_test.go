package enforcer_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/wire"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// expired ends each line that removes a cookie over HTTP.
const expired = "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"

// Each likely variant of a cookie gets a line: of the host alone and of its domains, at each path,
// and over HTTPS in a partition too.
func TestExpiryLines(t *testing.T) {
	inFrames := func(lines ...string) (all []string) {
		for _, line := range lines {
			all = append(all, line+expired+"; Secure; SameSite=None",
				line+expired+"; Secure; SameSite=None; Partitioned")
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
		options policy.RuleOptions
		host    string
		https   bool
		want    []string
	}{
		{"over HTTP", "_ga", policy.RuleOptions{}, "data.city.example", false,
			plain("_ga=; Path=/", "_ga=; Path=/; Domain=data.city.example")},
		{"over HTTPS", "_ga", policy.RuleOptions{}, "data.city.example", true,
			inFrames("_ga=; Path=/", "_ga=; Path=/; Domain=data.city.example")},
		{"a host with a port", "_ga", policy.RuleOptions{}, "data.city.example:8443", false,
			plain("_ga=; Path=/", "_ga=; Path=/; Domain=data.city.example")},
		{"a host in capitals", "_ga", policy.RuleOptions{}, "Data.City.EXAMPLE", false,
			plain("_ga=; Path=/", "_ga=; Path=/; Domain=data.city.example")},
		{"a host with a hyphen and digits", "_ga", policy.RuleOptions{}, "open-data.2go.example",
			false, plain("_ga=; Path=/", "_ga=; Path=/; Domain=open-data.2go.example")},
		{"a host in another script", "_ga", policy.RuleOptions{}, "xn--donnes-dva.example", false,
			plain("_ga=; Path=/", "_ga=; Path=/; Domain=xn--donnes-dva.example")},
		{"the rule's paths", "_ga", policy.RuleOptions{Path: []string{"/app", "/"}}, "localhost",
			false, plain("_ga=; Path=/app", "_ga=; Path=/")},
		{"the rule's domains, where they are the host's", "_ga",
			policy.RuleOptions{Domain: []string{".City.example", "other.example",
				"data.city.example", "xcity.example", "a.data.city.example"}},
			"data.city.example", false, plain("_ga=; Path=/",
				"_ga=; Path=/; Domain=data.city.example", "_ga=; Path=/; Domain=city.example")},
		{"domains and paths", "_ga", policy.RuleOptions{Domain: []string{"city.example"},
			Path: []string{"/a", "/b"}}, "data.city.example", false, plain(
			"_ga=; Path=/a", "_ga=; Path=/a; Domain=data.city.example", "_ga=; Path=/a; Domain=city.example",
			"_ga=; Path=/b",
			"_ga=; Path=/b; Domain=data.city.example", "_ga=; Path=/b; Domain=city.example")},
		{"a wildcard", "_pk_id.1.1fff", policy.RuleOptions{}, "localhost", false,
			plain("_pk_id.1.1fff=; Path=/")},

		// Hosts that browsers take no Domain for.
		{"a single label", "_ga", policy.RuleOptions{}, "localhost", true,
			inFrames("_ga=; Path=/")},
		{"a single label with a port", "_ga", policy.RuleOptions{}, "portal:8080", false,
			plain("_ga=; Path=/")},
		{"an IPv4 address", "_ga", policy.RuleOptions{}, "192.0.2.1:80", false,
			plain("_ga=; Path=/")},
		{"an IPv6 address", "_ga", policy.RuleOptions{}, "[2001:db8::1]", false,
			plain("_ga=; Path=/")},
		{"an IPv6 address with a port", "_ga", policy.RuleOptions{}, "[2001:db8::1]:443", false,
			plain("_ga=; Path=/")},
		{"an underscore", "_ga", policy.RuleOptions{}, "data_1.city.example", false,
			plain("_ga=; Path=/")},
		{"a public suffix", "_ga", policy.RuleOptions{}, "co.uk", false, plain("_ga=; Path=/")},
		{"a public suffix of a hoster", "_ga", policy.RuleOptions{}, "github.io", false,
			plain("_ga=; Path=/")},
		{"a name below one", "_ga", policy.RuleOptions{}, "city.github.io", false,
			plain("_ga=; Path=/", "_ga=; Path=/; Domain=city.github.io")},
		{"a dot at the end", "_ga", policy.RuleOptions{}, "data.city.example.", false,
			plain("_ga=; Path=/")},
		{"a public suffix and a dot", "_ga", policy.RuleOptions{}, "co.uk.", false,
			plain("_ga=; Path=/")},
		{"an empty label", "_ga", policy.RuleOptions{}, "data..example", false,
			plain("_ga=; Path=/")},
		{"a semicolon", "_ga", policy.RuleOptions{}, "data.city.example;x", false,
			plain("_ga=; Path=/")},
		{"letters beyond ASCII", "_ga", policy.RuleOptions{}, "données.example", false,
			plain("_ga=; Path=/")},
		{"no host", "_ga", policy.RuleOptions{}, "", false, plain("_ga=; Path=/")},

		// Names that browsers demand attributes for. That such a cookie came shows that the browser
		// takes the connection for a secure one.
		{"__Secure-", "__Secure-ga", policy.RuleOptions{}, "data.city.example", true,
			inFrames("__Secure-ga=; Path=/", "__Secure-ga=; Path=/; Domain=data.city.example")},
		{"__Secure- in any case, over HTTP", "__SECURE-ga", policy.RuleOptions{},
			"data.city.example", false, inFrames("__SECURE-ga=; Path=/",
				"__SECURE-ga=; Path=/; Domain=data.city.example")},
		{"__Host-", "__Host-ga", policy.RuleOptions{Domain: []string{"city.example"},
			Path: []string{"/", "/x"}}, "data.city.example", true, inFrames("__Host-ga=; Path=/")},
		{"__Host- in any case, over HTTP", "__hOST-ga", policy.RuleOptions{}, "data.city.example",
			false, inFrames("__hOST-ga=; Path=/")},
		{"__Http-", "__Http-ga", policy.RuleOptions{}, "localhost", true, []string{
			"__Http-ga=; Path=/" + expired +
				"; HttpOnly; Secure; SameSite=None", "__Http-ga=; Path=/" + expired +
				"; HttpOnly; Secure; SameSite=None; Partitioned"}},
		{"__Host-Http-", "__Host-Http-ga", policy.RuleOptions{}, "data.city.example", true,
			[]string{
				"__Host-Http-ga=; Path=/" + expired +
					"; HttpOnly; Secure; SameSite=None", "__Host-Http-ga=; Path=/" + expired +
					"; HttpOnly; Secure; SameSite=None; Partitioned"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			tracker := c.cookie
			if strings.HasPrefix(tracker, "_pk_") {
				tracker = "_pk_*"
			}
			e := compiled(t, tracking(c.options, tracker))
			got := respond(e, enforcer.Request{Header: navigation(c.cookie + "=1"), Host: c.host,
				HTTPS: c.https}, http.Header{})
			if !slices.Equal(got, c.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
			for _, line := range got {
				read, ok := wire.ParseSetCookie(line)
				if !ok || read.Name != c.cookie {
					t.Errorf("%q is not read as one of %s", line, c.cookie)
				}
				clock := wire.NewClock(atNoon, nil)
				if a := read.ParseAttributes(); !a.Deletes(&clock) {
					t.Errorf("%q is no deletion in every browser", line)
				}
			}
		})
	}
}

// With rewrite_domain the browser has the cookie under the new Domain.
func TestExpiryLinesOfRewrittenDomains(t *testing.T) {
	p := tracking(policy.RuleOptions{}, "_ga")
	p.RewriteDomain = []policy.Rewrite{{From: "portal.example.net", To: "city.example"},
		{From: "old.example.net"}}
	got := respond(compiled(t, p), enforcer.Request{Header: navigation("_ga=1"),
		Host: "data.city.example"}, http.Header{})
	if want := "_ga=; Path=/; Domain=city.example" + expired; !slices.Contains(got, want) {
		t.Errorf("got %q, without %q", got, want)
	}
}

// A single label has many owners, also if it is not on the list of public suffixes.
func TestExpiryLinesOfSingleLabels(t *testing.T) {
	e := compiled(t, tracking(policy.RuleOptions{Domain: []string{"example"}}, "_ga"))
	for _, line := range respond(e, enforcer.Request{Header: navigation("_ga=1"),
		Host: "data.city.example"}, http.Header{}) {
		if strings.Contains(line, "Domain=example;") {
			t.Errorf("got %q", line)
		}
	}
}

func TestExpiry(t *testing.T) {
	p := tracking(policy.RuleOptions{Consent: []string{"stats"}}, "_ga", "_pk_*")
	p.Allow = append(p.Allow, policy.Rule{Category: policy.Statistical,
		Cookies: []string{"counter"}, RuleOptions: policy.RuleOptions{Consent: []string{"counts"},
			Anonymous: true}})
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
		{"anonymous and refused", navigation(`prefs={"counts":false}; counter=1`), nil,
			[]string{"counter"}},
		{"necessary, unlisted, nameless and the preference",
			navigation("sessionid=1; prefs=x; campaign=1; _ga; =_ga"), nil, nil},
		{"several, in several lines, some twice",
			navigation("_pk_id=1; _ga=2; _pk_id=3", "_pk_ses=4; _ga=5"), nil, []string{"_pk_id",
				"_ga", "_pk_ses"}},
		{"none sent", navigation(), nil, nil},

		{"a response that deletes it", navigation("_ga=1; _pk_id=1"),
			http.Header{"Set-Cookie": {"_ga=; Max-Age=0"}}, []string{"_pk_id"}},
		{"a response that deletes it under another key", navigation("_ga=1; _pk_id=1"),
			http.Header{"set-cookie": {"_ga=; Max-Age=0"}}, []string{"_pk_id"}},
		{"a response that would set it, in vain", navigation("_ga=1"),
			http.Header{"Set-Cookie": {"_ga=2"}}, []string{"_ga"}},
		{"a response that sets another", navigation("_ga=1"),
			http.Header{"Set-Cookie": {"sessionid=2"}}, []string{"_ga"}},
		{"a response with a withdrawal", navigation(`prefs={"stats":true}; _ga=1`),
			http.Header{"Set-Cookie": {`prefs={"stats":false}`}}, []string{"_ga"}},
		{"a response that deletes the preference", navigation(`prefs={"stats":true}; _ga=1`),
			http.Header{"Set-Cookie": {`prefs=; Max-Age=0; Path=/`}}, []string{"_ga"}},
		{"a response with a grant", navigation(`prefs={"stats":false}; _ga=1`),
			http.Header{"Set-Cookie": {`prefs={"stats":true}; Path=/`}}, nil},

		{"HTML, from a browser that does not say", http.Header{"Cookie": {"_ga=1"}}, html,
			[]string{"_ga"}},
		{"XHTML, from a browser that does not say", http.Header{"Cookie": {"_ga=1"}},
			http.Header{"Content-Type": {"Application/XHTML+XML"}}, []string{"_ga"}},
		{"JSON, from a browser that does not say", http.Header{"Cookie": {"_ga=1"}},
			http.Header{"Content-Type": {"application/json"}}, nil},
		{"no type, from a browser that does not say", http.Header{"Cookie": {"_ga=1"}}, nil, nil},
		{"a navigation to what is not HTML", navigation("_ga=1"),
			http.Header{"Content-Type": {"application/json"}}, []string{"_ga"}},
		{"two modes", http.Header{"Cookie": {"_ga=1"}, "Sec-Fetch-Mode": {"navigate", "cors"}},
			html, nil},
	}
	for _, mode := range []string{"no-cors", "cors", "same-origin", "websocket", "", "Navigate"} {
		cases = append(cases, given{"HTML for " + mode,
			http.Header{"Cookie": {"_ga=1"}, "Sec-Fetch-Mode": {mode}}, html, nil})
	}
	e := compiled(t, p)
	for _, c := range cases {
		t.Run(c.what, func(t *testing.T) {
			response := c.response.Clone()
			if response == nil {
				response = http.Header{}
			}
			var names []string
			for _, line := range respond(e, enforcer.Request{Header: c.request.Clone(),
				Host: "localhost"}, response) {
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
