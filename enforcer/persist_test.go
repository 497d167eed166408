package enforcer

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"
)

// persisting is a policy whose preference is sent again.
func persisting() Policy {
	return Policy{
		Allow:      []Rule{{Category: Statistical, Cookies: []string{"_ga"}, RuleOptions: RuleOptions{Consent: []string{"stats"}}}},
		Preference: []Preference{{Cookies: []string{"prefs"}, Timestamp: "timestamp", MaxAge: 183 * day, Persist: "/"}},
	}
}

// chosen is a preference that was stored some time before noon.
func chosen(ago time.Duration) string {
	return fmt.Sprintf(`prefs={"stats":true,"timestamp":%d}`, noon.Add(-ago).UnixMilli())
}

// The preference is sent again unchanged, for what is left of its life and never for longer.
func TestAPreferenceIsSentAgainForWhatIsLeftOfItsLife(t *testing.T) {
	const d = 24 * time.Hour
	e := compiled(t, persisting())
	for _, c := range []struct {
		what, cookie, life string
	}{
		{"just now", chosen(0), "15811200"},
		{"a week ago", chosen(7 * d), "15206400"},
		{"in seconds", fmt.Sprintf(`prefs={"timestamp":%d}`, noon.Add(-7*d).Unix()), "15206400"},
		{"in ISO 8601", `prefs={"timestamp":"` + noon.Add(-7*d).Format(time.RFC3339) + `"}`, "15206400"},
		{"nearly six months ago", chosen(183*d - time.Second), "1"},
		{"less than a second before six months ago", chosen(183*d - time.Second/2), ""},
		{"six months ago", chosen(183 * d), ""},
		{"longer ago", chosen(184 * d), ""},
		{"by a clock that is ahead", chosen(-time.Hour), "15811200"},
		{"by a clock that is far ahead", chosen(-2 * time.Hour), ""},
		{"nobody knows when", `prefs={"stats":true}`, ""},
		{"at a time that is none", `prefs={"timestamp":"soon"}`, ""},
		{"no preference", "sessionid=1", ""},
		{"one that cannot be read", chosen(0) + "x", ""},
		{"one that contradicts itself", `prefs={"stats":true,"stats":true,"timestamp":1768478400}`, ""},
		{"two copies", chosen(0) + "; " + chosen(0), ""},
		{"two copies, one of them empty", "prefs=; " + chosen(0), ""},
		{"one that could be read in two ways", `prefs =  "%7B%22stats%22:true, \"timestamp\":1768478400000}" `, ""},
		{"encoded", `prefs=%7B%22stats%22%3Afalse%2C%22timestamp%22%3A1768478400000%7D`, "15811200"},
		{"in quotes, with blanks around", `prefs	= "{"timestamp":1768478400000}" `, "15811200"},
	} {
		t.Run(c.what, func(t *testing.T) {
			var want []string
			if c.life != "" {
				for _, value := range cookiePairs([]string{c.cookie}) {
					want = []string{"prefs=" + value + "; Path=/; Max-Age=" + c.life}
					break
				}
			}
			got := respond(e, Request{Header: navigation("a=b; " + c.cookie), Host: "data.city.example"}, http.Header{})
			if !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// Every condition under which it is not sent, one by one.
func TestWhenAPreferenceIsSentAgain(t *testing.T) {
	week := chosen(7 * 24 * time.Hour)
	sent := "prefs=" + week[len("prefs="):] + "; Path=/; Max-Age=15206400"
	for _, c := range []struct {
		what     string
		request  http.Header
		response http.Header
		keep     bool // shared_cache keep
		want     bool
	}{
		{"a navigation", http.Header{"Sec-Fetch-Mode": {"navigate"}}, nil, false, true},
		{"HTML, from a browser that does not say", nil, http.Header{"Content-Type": {"text/html"}}, false, true},
		{"no HTML, from a browser that does not say", nil, http.Header{"Content-Type": {"image/png"}}, false, false},
		{"an asset", http.Header{"Sec-Fetch-Mode": {"no-cors"}}, http.Header{"Content-Type": {"text/html"}}, false, false},

		{"a prefetch", http.Header{"Sec-Fetch-Mode": {"navigate"}, "Sec-Purpose": {"prefetch"}}, nil, false, false},
		{"a prerender", http.Header{"Sec-Fetch-Mode": {"navigate"}, "Sec-Purpose": {"prefetch;prerender"}}, nil, false, false},
		{"an older browser's prefetch", http.Header{"Sec-Fetch-Mode": {"navigate"}, "Purpose": {"Prefetch"}}, nil, false, false},
		{"an older Firefox's prefetch", http.Header{"Sec-Fetch-Mode": {"navigate"}, "X-Moz": {"prefetch"}}, nil, false, false},
		{"another purpose", http.Header{"Sec-Fetch-Mode": {"navigate"}, "Purpose": {"navigation"}}, nil, false, true},

		{"a response that sets it", http.Header{"Sec-Fetch-Mode": {"navigate"}}, http.Header{"Set-Cookie": {`prefs={"stats":false}`}}, false, false},
		{"a response that deletes it", http.Header{"Sec-Fetch-Mode": {"navigate"}}, http.Header{"Set-Cookie": {`prefs=; Max-Age=0`}}, false, false},
		{"a response that deletes it at another path", http.Header{"Sec-Fetch-Mode": {"navigate"}}, http.Header{"set-cookie": {`prefs=; Max-Age=0; Path=/x`}}, false, false},

		{"a private response", http.Header{"Sec-Fetch-Mode": {"navigate"}}, http.Header{"Cache-Control": {"private, max-age=60"}}, false, true},
		{"a response that nobody may keep", http.Header{"Sec-Fetch-Mode": {"navigate"}}, http.Header{"Cache-Control": {"max-age=60", "No-Store"}}, false, true},
		{"a public response", http.Header{"Sec-Fetch-Mode": {"navigate"}}, http.Header{"Cache-Control": {"public"}}, false, false},
		{"a response that may be kept", http.Header{"Sec-Fetch-Mode": {"navigate"}}, http.Header{"Cache-Control": {"no-transform, max-age=60"}}, false, false},
		{"a response that shared caches may keep", http.Header{"Sec-Fetch-Mode": {"navigate"}}, http.Header{"Cache-Control": {"s-maxage=60"}}, false, false},
		{"a response that may be kept until a date", http.Header{"Sec-Fetch-Mode": {"navigate"}}, http.Header{"Expires": {"Thu, 15 Jan 2026 13:00:00 GMT"}}, false, false},
		{"a response for a CDN", http.Header{"Sec-Fetch-Mode": {"navigate"}}, http.Header{"Surrogate-Control": {"max-age=60"}}, false, false},
		{"a response for which the operator says nothing", http.Header{"Sec-Fetch-Mode": {"navigate"}}, nil, true, false},
		{"a private response, for which the operator says nothing", http.Header{"Sec-Fetch-Mode": {"navigate"}}, http.Header{"Cache-Control": {"private"}}, true, true},
		{"a private response that a CDN may keep all the same", http.Header{"Sec-Fetch-Mode": {"navigate"}},
			http.Header{"Cache-Control": {"private"}, "Surrogate-Control": {"max-age=60"}}, true, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			policy := persisting()
			if c.keep {
				policy.SharedCache = SharedCacheKeep
			}
			request, response := c.request.Clone(), c.response.Clone()
			if request == nil {
				request = http.Header{}
			}
			if response == nil {
				response = http.Header{}
			}
			request["Cookie"] = []string{week}
			got := slices.Contains(respond(compiled(t, policy), Request{Header: request, Host: "data.city.example", HTTPS: true}, response), sent)
			if got != c.want {
				t.Errorf("sent is %t: %q", got, response)
			}
			if got && !c.keep && !slices.ContainsFunc(response["Cache-Control"], func(line string) bool { return line != "" }) {
				t.Errorf("the response that carries it is left to shared caches: %q", response)
			}
		})
	}
}

// While a slow response is under way, the visitor may have changed the choice in another tab.
func TestASlowResponseDoesNotBringAnOldChoiceBack(t *testing.T) {
	for took, want := range map[time.Duration]int{0: 1, 2 * time.Second: 1, 2*time.Second + 1: 0, time.Minute: 0} {
		clock := noon
		e, err := Compile(persisting(), func() time.Time { return clock })
		if err != nil {
			t.Fatal(err)
		}
		visit := e.Visit(Request{Header: navigation(chosen(time.Hour)), Host: "localhost"})
		visit.FilterRequest()
		clock = clock.Add(took)
		response := http.Header{}
		visit.CompleteResponse(response)
		if got := response["Set-Cookie"]; len(got) != want {
			t.Errorf("after %v: %q", took, got)
		}
	}
}

// It is sent at the path that the policy names, for the host alone, and so that scripts can read it.
func TestHowAPreferenceIsSentAgain(t *testing.T) {
	for _, c := range []struct {
		name, path string
		https      bool
		want       string
	}{
		{"prefs", "/", false, "; Path=/; Max-Age=15811200"},
		{"prefs", "/", true, "; Path=/; Max-Age=15811200"},
		{"prefs", "/portal", true, "; Path=/portal; Max-Age=15811200"},
		{"__Secure-prefs", "/", true, "; Path=/; Max-Age=15811200; Secure"}, // no browser takes it without
		{"__Host-prefs", "/", true, "; Path=/; Max-Age=15811200; Secure"},
	} {
		policy := persisting()
		policy.Preference[0].Cookies, policy.Preference[0].Persist = []string{c.name}, c.path
		cookie := c.name + chosen(0)[len("prefs"):]
		got := respond(compiled(t, policy), Request{Header: navigation(cookie), Host: "data.city.example", HTTPS: c.https}, http.Header{})
		if want := []string{cookie + c.want}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// Two preferences are judged each for itself, and one that is not to persist does not.
func TestEachPreferenceIsSentForItself(t *testing.T) {
	policy := persisting()
	policy.Preference[0].Cookies = []string{"prefs", "more"}
	policy.Preference = append(policy.Preference, Preference{Cookies: []string{"other"}, Timestamp: "timestamp", MaxAge: 183 * day})
	value := chosen(0)[len("prefs="):]
	got := respond(compiled(t, policy), Request{Header: navigation("other=" + value + "; more=" + value + "; prefs=" + value + "; prefs=" + value)}, http.Header{})
	if want := []string{"more=" + value + "; Path=/; Max-Age=15811200"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// However often the header is filtered, and where refused cookies are removed beside it.
func TestAPreferenceIsSentOnceAndBesideRemovals(t *testing.T) {
	e := compiled(t, persisting())
	refused := fmt.Sprintf(`prefs={"stats":false,"timestamp":%d}`, noon.UnixMilli())
	visit := e.Visit(Request{Header: navigation(refused + "; _ga=1"), Host: "localhost"})
	visit.FilterRequest()
	response := http.Header{}
	for range 3 {
		visit.CompleteResponse(response)
	}
	if want := []string{refused + "; Path=/; Max-Age=15811200", "_ga=; Path=/" + expired}; !slices.Equal(response["Set-Cookie"], want) {
		t.Errorf("got %q, want %q", response["Set-Cookie"], want)
	}
}

// A choice counts for as long as the policy says, whatever the unit of its timestamp.
func TestHowLongAChoiceCounts(t *testing.T) {
	const d = 24 * time.Hour
	policy := persisting()
	policy.Preference[0].Persist = ""
	policy.Allow = append(policy.Allow, Rule{Category: Statistical, Cookies: []string{"counter"}, RuleOptions: RuleOptions{Consent: []string{"counts"}, Anonymous: true}})
	e := compiled(t, policy)
	for what, form := range map[string]func(time.Time) string{
		"seconds":                  func(t time.Time) string { return fmt.Sprint(t.Unix()) },
		"milliseconds":             func(t time.Time) string { return fmt.Sprint(t.UnixMilli()) },
		"milliseconds as a text":   func(t time.Time) string { return fmt.Sprintf(`"%d"`, t.UnixMilli()) },
		"milliseconds as JSON may": func(t time.Time) string { return fmt.Sprintf("%d.0e3", t.Unix()) },
		"ISO 8601":                 func(t time.Time) string { return `"` + t.Format(time.RFC3339Nano) + `"` },
		"ISO 8601, elsewhere":      func(t time.Time) string { return `"` + t.In(time.FixedZone("", 7*3600)).Format(time.RFC3339) + `"` },
	} {
		for ago, counts := range map[time.Duration]bool{
			0: true, time.Second: true, 100 * d: true, 183 * d: true, 183*d + time.Second: false, 213 * d: false, 5000 * d: false,
			-time.Minute: true, -time.Hour: true, -time.Hour - time.Second: false, -300 * d: false,
		} {
			cookie := `prefs={"stats":true,"counts":false,"timestamp":` + form(noon.Add(-ago)) + `}`
			if got := letThrough(e, []string{cookie}, "_ga=1"); got != counts {
				t.Errorf("%s, %v ago: granted is %t", what, ago, got)
			}
			// A refusal is no choice any more either, and what is anonymous passes until the next one.
			if got := letThrough(e, []string{cookie}, "counter=1"); got == counts {
				t.Errorf("%s, %v ago: refused is %t", what, ago, !got)
			}
		}
	}
	for value, counts := range map[string]bool{
		`{"stats":true}`: true, `{"stats":true,"timestamp":""}`: false, `{"stats":true,"timestamp":null}`: false, `{"stats":true,"timestamp":true}`: false,
		`{"stats":true,"timestamp":0}`: false, `{"stats":true,"timestamp":-1768478400}`: false, `{"stats":true,"timestamp":1768478400000000}`: false,
		`{"stats":true,"timestamp":"NaN"}`: false, `{"stats":true,"timestamp":"Infinity"}`: false, `{"stats":true,"timestamp":"soon"}`: false,
		`{"stats":true,"timestamp":[1768478400]}`: false, `{"stats":true,"timestamp":{"a":1768478400}}`: false,
		`{"stats":true,"timestamp":1768478400,"timestamp":1768478400}`: false, `{"stats":true,"Timestamp":1}`: true, `{"stats":true,"x":{"timestamp":1}}`: true,
	} {
		if got := letThrough(e, []string{"prefs=" + value}, "_ga=1"); got != counts {
			t.Errorf("%s: granted is %t", value, got)
		}
		if got := letThrough(e, []string{"prefs=" + value}, "counter=1"); got != counts {
			t.Errorf("%s: let through until refused is %t", value, got)
		}
	}
}
