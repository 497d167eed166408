package enforcer_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// persisting returns a policy whose preference is sent again.
func persisting() policy.Policy {
	return policy.Policy{
		Allow: []policy.Rule{{Category: policy.Statistical, Cookies: []string{"_ga"},
			RuleOptions: policy.RuleOptions{Consent: []string{"stats"}}}},
		Preference: []policy.Preference{{Cookies: []string{"prefs"}, Timestamp: "timestamp",
			MaxAge: 183 * day, Persist: "/"}},
	}
}

// chosen returns a preference that was stored some time before noon.
func chosen(ago time.Duration) string {
	return fmt.Sprintf(`prefs={"stats":true,"timestamp":%d}`, noon.Add(-ago).UnixMilli())
}

// The preference is sent again with its value unchanged, for what is left of its lifetime.
func TestPersistLifetime(t *testing.T) {
	const d = 24 * time.Hour
	e := compiled(t, persisting())
	for _, c := range []struct {
		what, cookie, lifetime string
	}{
		{"just now", chosen(0), "15811200"},
		{"a week ago", chosen(7 * d), "15206400"},
		{"in seconds", fmt.Sprintf(`prefs={"timestamp":%d}`, noon.Add(-7*d).Unix()), "15206400"},
		{"in ISO 8601", `prefs={"timestamp":"` + noon.Add(-7*d).Format(time.RFC3339) + `"}`,
			"15206400"},
		{"nearly six months ago", chosen(183*d - time.Second), "1"},
		{"less than a second before six months ago", chosen(183*d - time.Second/2), ""},
		{"six months ago", chosen(183 * d), ""},
		{"longer ago", chosen(184 * d), ""},
		{"by a clock that is ahead", chosen(-time.Hour), "15811200"},
		{"by a clock that is far ahead", chosen(-2 * time.Hour), ""},
		{"without a time", `prefs={"stats":true}`, ""},
		{"at a time that is none", `prefs={"timestamp":"soon"}`, ""},
		{"no preference", "sessionid=1", ""},
		{"one that cannot be read", chosen(0) + "x", ""},
		{"one that contradicts itself", `prefs={"stats":true,"stats":true,"timestamp":1768478400}`,
			""},
		{"two copies", chosen(0) + "; " + chosen(0), ""},
		{"two copies, one of them empty", "prefs=; " + chosen(0), ""},
		{"one that could be read in two ways",
			`prefs =  "%7B%22stats%22:true, \"timestamp\":1768478400000}" `, ""},
		{"encoded", `prefs=%7B%22stats%22%3Afalse%2C%22timestamp%22%3A1768478400000%7D`,
			"15811200"},
		{"in quotes, with blanks around", `prefs	= "{"timestamp":1768478400000}" `, "15811200"},
	} {
		t.Run(c.what, func(t *testing.T) {
			var want []string
			if c.lifetime != "" {
				_, value, _ := strings.Cut(c.cookie, "=")
				value = strings.Trim(value, " \t")
				want = []string{"prefs=" + value + "; Path=/; Max-Age=" + c.lifetime}
			}
			got := respond(e, enforcer.Request{Header: navigation("a=b; " + c.cookie),
				Host: "data.city.example"}, http.Header{})
			if !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestPersistConditions(t *testing.T) {
	week := chosen(7 * 24 * time.Hour)
	sent := "prefs=" + week[len("prefs="):] + "; Path=/; Max-Age=15206400; Secure"
	for _, c := range []struct {
		what     string
		request  http.Header
		response http.Header
		keep     bool // shared_cache keep
		want     bool
	}{
		{"a navigation", http.Header{"Sec-Fetch-Mode": {"navigate"}}, nil, false, true},
		{"HTML, from a browser that does not say", nil, http.Header{"Content-Type": {"text/html"}},
			false, true},
		{"no HTML, from a browser that does not say", nil,
			http.Header{"Content-Type": {"image/png"}}, false, false},
		{"an asset", http.Header{"Sec-Fetch-Mode": {"no-cors"}},
			http.Header{"Content-Type": {"text/html"}}, false, false},

		{"a prefetch", http.Header{"Sec-Fetch-Mode": {"navigate"}, "Sec-Purpose": {"prefetch"}},
			nil, false, false},
		{"a prerender", http.Header{"Sec-Fetch-Mode": {"navigate"},
			"Sec-Purpose": {"prefetch;prerender"}}, nil, false, false},
		{"an older browser's prefetch", http.Header{"Sec-Fetch-Mode": {"navigate"},
			"Purpose": {"Prefetch"}}, nil, false, false},
		{"an older Firefox's prefetch", http.Header{"Sec-Fetch-Mode": {"navigate"},
			"X-Moz": {"prefetch"}}, nil, false, false},
		{"another purpose", http.Header{"Sec-Fetch-Mode": {"navigate"}, "Purpose": {"navigation"}},
			nil, false, true},

		{"a response that sets it", http.Header{"Sec-Fetch-Mode": {"navigate"}},
			http.Header{"Set-Cookie": {`prefs={"stats":false}`}}, false, false},
		{"a response that deletes it", http.Header{"Sec-Fetch-Mode": {"navigate"}},
			http.Header{"Set-Cookie": {`prefs=; Max-Age=0`}}, false, false},
		{"a response that deletes it at another path", http.Header{"Sec-Fetch-Mode": {"navigate"}},
			http.Header{"set-cookie": {`prefs=; Max-Age=0; Path=/x`}}, false, false},

		{"a private response", http.Header{"Sec-Fetch-Mode": {"navigate"}},
			http.Header{"Cache-Control": {"private, max-age=60"}}, false, true},
		{"a response that no cache may store", http.Header{"Sec-Fetch-Mode": {"navigate"}},
			http.Header{"Cache-Control": {"max-age=60", "No-Store"}}, false, true},
		{"a public response", http.Header{"Sec-Fetch-Mode": {"navigate"}},
			http.Header{"Cache-Control": {"public"}}, false, false},
		{"a response that may be kept", http.Header{"Sec-Fetch-Mode": {"navigate"}},
			http.Header{"Cache-Control": {"no-transform, max-age=60"}}, false, false},
		{"a response that shared caches may keep", http.Header{"Sec-Fetch-Mode": {"navigate"}},
			http.Header{"Cache-Control": {"s-maxage=60"}}, false, false},
		{"a response that may be kept until a date", http.Header{"Sec-Fetch-Mode": {"navigate"}},
			http.Header{"Expires": {"Thu, 15 Jan 2026 13:00:00 GMT"}}, false, false},
		{"a response for a CDN", http.Header{"Sec-Fetch-Mode": {"navigate"}},
			http.Header{"Surrogate-Control": {"max-age=60"}}, false, false},
		{"a response for which the operator says nothing",
			http.Header{"Sec-Fetch-Mode": {"navigate"}}, nil, true, false},
		{"a private response, for which the operator says nothing",
			http.Header{"Sec-Fetch-Mode": {"navigate"}},
			http.Header{"Cache-Control": {"private"}}, true, true},
		{"a private response that a CDN may keep all the same",
			http.Header{"Sec-Fetch-Mode": {"navigate"}},
			http.Header{"Cache-Control": {"private"},
				"Surrogate-Control": {"max-age=60"}}, true, false},
		{"the same under a key in lower case", http.Header{"Sec-Fetch-Mode": {"navigate"}},
			http.Header{"Cache-Control": {"private"}, "surrogate-control": {"max-age=60"}}, true, false},
		{"a private response for a CDN, whose field the policy removes",
			http.Header{"Sec-Fetch-Mode": {"navigate"}},
			http.Header{"Cache-Control": {"private"}, "Surrogate-Control": {"max-age=60"}}, false, true},
	} {
		t.Run(c.what, func(t *testing.T) {
			p := persisting()
			if c.keep {
				p.SharedCache = policy.SharedCacheKeep
			}
			request, response := c.request.Clone(), c.response.Clone()
			if request == nil {
				request = http.Header{}
			}
			if response == nil {
				response = http.Header{}
			}
			request["Cookie"] = []string{week}
			got := slices.Contains(respond(compiled(t, p),
				enforcer.Request{Header: request, Host: "data.city.example",
					HTTPS: true}, response), sent)
			if got != c.want {
				t.Errorf("sent is %t: %q", got, response)
			}
			if got && !c.keep && !slices.ContainsFunc(response["Cache-Control"],
				func(line string) bool { return line != "" }) {
				t.Errorf("the response that carries it is left to shared caches: %q", response)
			}
		})
	}
}

// While a slow response is under way, the visitor may change the choice in another tab.
func TestPersistAfterSlowResponse(t *testing.T) {
	for took, want := range map[time.Duration]int{0: 1, 2 * time.Second: 1, 2*time.Second + 1: 0,
		time.Minute: 0} {
		clock := noon
		e, err := enforcer.Compile(persisting(), func() time.Time { return clock })
		if err != nil {
			t.Fatal(err)
		}
		visit := e.Visit(enforcer.Request{Header: navigation(chosen(time.Hour)), Host: "localhost"})
		visit.FilterRequest()
		clock = clock.Add(took)
		response := http.Header{}
		visit.CompleteResponse(response)
		if got := response["Set-Cookie"]; len(got) != want {
			t.Errorf("after %v: %q", took, got)
		}
	}
}

// The line has the path that the policy names, no Domain, and is readable by scripts.
func TestPersistLine(t *testing.T) {
	for _, c := range []struct {
		name, path string
		https      bool
		want       string
	}{
		{"prefs", "/", false, "; Path=/; Max-Age=15811200"},
		{"prefs", "/", true, "; Path=/; Max-Age=15811200; Secure"},
		{"prefs", "/portal", true, "; Path=/portal; Max-Age=15811200; Secure"},
		{"__Secure-prefs", "/", true,
			"; Path=/; Max-Age=15811200; Secure"}, // no browser takes it without
		{"__Host-prefs", "/", true, "; Path=/; Max-Age=15811200; Secure"},
	} {
		p := persisting()
		p.Preference[0].Cookies, p.Preference[0].Persist = []string{c.name}, c.path
		cookie := c.name + chosen(0)[len("prefs"):]
		got := respond(compiled(t, p), enforcer.Request{Header: navigation(cookie),
			Host: "data.city.example", HTTPS: c.https}, http.Header{})
		if want := []string{cookie + c.want}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestPersistEachPreference(t *testing.T) {
	p := persisting()
	p.Preference[0].Cookies = []string{"prefs", "more"}
	p.Preference = append(p.Preference, policy.Preference{Cookies: []string{"other"},
		Timestamp: "timestamp", MaxAge: 183 * day})
	value := chosen(0)[len("prefs="):]
	got := respond(compiled(t, p), enforcer.Request{Header: navigation("other=" + value +
		"; more=" + value + "; prefs=" + value + "; prefs=" + value)}, http.Header{})
	if want := []string{"more=" + value + "; Path=/; Max-Age=15811200"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPersistOnceBesideExpiries(t *testing.T) {
	e := compiled(t, persisting())
	refused := fmt.Sprintf(`prefs={"stats":false,"timestamp":%d}`, noon.UnixMilli())
	visit := e.Visit(enforcer.Request{Header: navigation(refused + "; _ga=1"), Host: "localhost"})
	visit.FilterRequest()
	response := http.Header{}
	for range 3 {
		visit.CompleteResponse(response)
	}
	if want := []string{refused + "; Path=/; Max-Age=15811200",
		"_ga=; Path=/" + expired}; !slices.Equal(response["Set-Cookie"], want) {
		t.Errorf("got %q, want %q", response["Set-Cookie"], want)
	}
}

// The line goes through what the preference's own rule asks for. It never lives longer than that
// says.
func TestPersistIsMended(t *testing.T) {
	for _, c := range []struct {
		what        string
		options     policy.RuleOptions
		ago         time.Duration
		https, http string
	}{
		{"a rule without options", policy.RuleOptions{}, 0, "Max-Age=15811200; Secure", "Max-Age=15811200"},
		{"max_age, shorter than what is left", policy.RuleOptions{MaxAge: 30 * day}, 7 * 24 * time.Hour,
			"Max-Age=2592000; Secure", "Max-Age=2592000"},
		{"max_age, longer than what is left", policy.RuleOptions{MaxAge: 30 * day}, 173 * 24 * time.Hour,
			"Max-Age=864000; Secure", "Max-Age=864000"},
		{"secure", policy.RuleOptions{Secure: true}, 0, "Max-Age=15811200; Secure", "Max-Age=15811200"},
		{"same_site strict", policy.RuleOptions{SameSite: policy.SameSiteStrict}, 0,
			"Max-Age=15811200; Secure; SameSite=Strict", "Max-Age=15811200; SameSite=Strict"},
		{"same_site none, over HTTPS only", policy.RuleOptions{SameSite: policy.SameSiteNone}, 0,
			"Max-Age=15811200; Secure; SameSite=None", "Max-Age=15811200"},
		{"all of them", policy.RuleOptions{MaxAge: day, Secure: true, SameSite: policy.SameSiteLax}, 0,
			"Max-Age=86400; Secure; SameSite=Lax", "Max-Age=86400; SameSite=Lax"},
	} {
		p := persisting()
		p.Allow = append(p.Allow, policy.Rule{
			Category: policy.Necessary, Cookies: []string{"prefs"}, RuleOptions: c.options,
		})
		e := compiled(t, p)
		for https, want := range map[bool]string{true: c.https, false: c.http} {
			cookie := chosen(c.ago)
			r := enforcer.Request{Header: navigation(cookie), Host: "data.city.example", HTTPS: https}
			got := respond(e, r, http.Header{})
			if want := []string{cookie + "; Path=/; " + want}; !slices.Equal(got, want) {
				t.Errorf("%s: got %q, want %q", c.what, got, want)
			}
		}
	}
}
