package enforcer_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// A response that sets or deletes the preference is judged by what it writes: the newest choice.
func TestWrittenChoice(t *testing.T) {
	p := tracking(policy.RuleOptions{Consent: []string{"stats"}}, "_ga")
	p.Preference[0].Cookies = []string{"prefs", "more"}
	p.Allow = append(p.Allow, policy.Rule{Category: policy.Statistical,
		Cookies: []string{"counter"}, RuleOptions: policy.RuleOptions{Consent: []string{"stats"},
			Anonymous: true}})
	e := compiled(t, p)
	const grant, refusal = `prefs={"stats":true}`, `prefs={"stats":false}`
	const root = "; Path=/"
	both := []string{"_ga", "counter"}
	for _, c := range []struct {
		what     string
		cookie   string
		response []string
		want     []string
	}{
		{"nothing, after a grant", grant, nil, both},
		{"nothing, after a refusal", refusal, nil, nil},
		{"a grant", "", []string{grant}, both},
		{"a grant after a refusal", refusal, []string{grant + root}, both},
		{"a grant, encoded, with attributes", refusal,
			[]string{"prefs=%7B%22stats%22%3Atrue%7D; Path=/; Max-Age=15811200"}, both},
		{"a refusal", "", []string{refusal}, nil},
		{"a refusal after a grant", grant, []string{refusal}, nil},
		{"what cannot be read, after a grant", grant, []string{"prefs=yes"}, nil},
		{"what contradicts itself, after a grant", grant,
			[]string{`prefs={"stats":true,"stats":true}`}, nil},
		{"no choice, after a grant", grant, []string{"prefs={}"}, []string{"counter"}},
		{"a deletion, after a grant", grant, []string{"prefs=; Max-Age=0" + root}, []string{"counter"}},
		{"a deletion by date, with the grant for a value", grant,
			[]string{grant + root + "; Expires=Thu, 01 Jan 1970 00:00:00 GMT"}, []string{"counter"}},
		{"a deletion, after a refusal", refusal, []string{"prefs=; Max-Age=0" + root},
			[]string{"counter"}},
		{"a grant and a refusal", "", []string{grant, refusal + "; Path=/x"}, nil},
		{"a deletion and a grant", grant, []string{"prefs=; Max-Age=0" + root, grant + root}, both},
		{"the refusal in one of two preferences", grant, []string{`more={"stats":false}` + root}, nil},
		{"the grant in one of two preferences, where the other refuses", refusal,
			[]string{`more={"stats":true}` + root}, nil},
		{"a grant over two copies that refuse", refusal + "; " + refusal, []string{grant + root},
			nil}, // of which it replaces one, and it is unknown which
		{"a grant over two copies that grant", grant + "; " + grant, []string{grant + root}, both},
		{"a refusal over two copies that grant", grant + "; " + grant, []string{refusal}, nil},
		{"another cookie whose name begins like it", refusal, []string{`prefs2={"stats":true}` + root},
			nil},
		{"another cookie whose value looks like it", refusal,
			[]string{`sessionid=prefs={"stats":true}`}, nil},
		{"one that browsers refuse", refusal, []string{"prefs={\"stats\":true}" + root + "\x01"}, nil},
		{"one that browsers drop for its SameSite, after a refusal", refusal,
			[]string{grant + root + "; SameSite=None"}, nil},
		{"one that browsers drop for its Domain, after a refusal", refusal,
			[]string{grant + root + "; Domain=other.example"}, nil},
		{"one that some browsers may take for a deletion, after a refusal", refusal,
			[]string{grant + root + "; Expires=Thu, 15 Jan 2026 11:00:00 GMT"}, nil},
		{"one without a name", refusal, []string{`={"stats":true}`}, nil},
		{"one with blanks around its name", refusal, []string{"\t prefs \t= {\"stats\":true}" + root},
			both},
	} {
		for _, key := range []string{"Set-Cookie", "set-cookie"} {
			t.Run(c.what+" as "+key, func(t *testing.T) {
				trackers := []string{"_ga=1", "counter=1"}
				for _, lines := range [][]string{ // the trackers before the preference, and behind it
					slices.Concat(trackers, c.response), slices.Concat(c.response, trackers),
				} {
					var got []string
					header := http.Header{key: lines}
					filterResponse(e, []string{c.cookie}, header)
					for _, line := range header[key] {
						if name, _, _ := strings.Cut(line, "="); name == "_ga" || name == "counter" {
							got = append(got, name)
						}
					}
					if !slices.Equal(got, c.want) {
						t.Errorf("let through are %q, want %q", got, c.want)
					}
				}
			})
		}
	}
}

// The portal has read the request by then: what it writes changes nothing there.
func TestWrittenChoiceAndRequest(t *testing.T) {
	e := compiled(t, tracking(policy.RuleOptions{}, "_ga"))
	header := navigation(`_ga=1; prefs={"statistical":false}`)
	got := respond(e, enforcer.Request{Header: header, Host: "localhost"},
		http.Header{"Set-Cookie": {`prefs={"statistical":true}; Path=/`, "_ga=2"}})
	if want := []string{`prefs={"statistical":true}; Path=/`, "_ga=2"}; !slices.Equal(got, want) ||
		!slices.Equal(header["Cookie"], []string{`prefs={"statistical":false}`}) {
		t.Errorf("got %q of the response, and %q of the request", got, header["Cookie"])
	}
}

// Browsers store no cookie of an informational response.
func TestWrittenChoiceInInformationalResponse(t *testing.T) {
	e := compiled(t, tracking(policy.RuleOptions{}, "_ga"))
	visit := visitWith(e, `prefs={"statistical":false}`)
	visit.FilterResponse(http.Header{"Set-Cookie": {`prefs={"statistical":true}; Path=/`}})
	response := http.Header{"Set-Cookie": {"_ga=1", "sessionid=1"}}
	visit.CompleteResponse(response)
	if got := response["Set-Cookie"]; !slices.Equal(got, []string{"sessionid=1"}) {
		t.Errorf("got %q", got)
	}
}

// Where not every browser keeps what a response writes in place of what the request brought, both
// count: a refusal wins, and a deletion takes no grant back.
func TestWrittenChoiceInDoubt(t *testing.T) {
	e := compiled(t, tracking(policy.RuleOptions{Consent: []string{"stats"}}, "_ga"))
	const grant, refusal = `prefs={"stats":true}`, `prefs={"stats":false}`
	const deletion = "prefs=; Max-Age=0"
	for _, c := range []struct {
		what       string
		attributes string
		https      bool
		doubtful   bool
	}{
		{"the plain line", "; Path=/", false, false},
		{"Secure over HTTPS", "; Path=/; Secure", true, false},
		{"Secure over HTTP, which browsers drop", "; Path=/; Secure", false, true},
		{"a Domain, which makes another cookie", "; Path=/; Domain=data.city.example", true, true},
		{"a Domain above", "; Path=/; Domain=city.example", true, true},
		{"an empty Domain", "; Path=/; Domain=", true, false},
		{"a deeper Path", "; Path=/app", true, true},
		{"no Path, which is that of the page", "", true, true},
		{"a Path that browsers ignore", "; Path=app", true, true},
		{"the last Path is /", "; Path=/app; Path=/", true, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			for _, stored := range []struct{ cookie, line, certain, doubtful string }{
				{refusal, grant, "_ga", ""},
				{grant, refusal, "", ""},
				{"", grant, "_ga", "_ga"},
				{grant, deletion, "", "_ga"},
				{refusal, deletion, "", ""},
			} {
				want := stored.certain
				if c.doubtful {
					want = stored.doubtful
				}
				visit := e.Visit(enforcer.Request{
					Header: http.Header{"Cookie": {stored.cookie}},
					Host:   "data.city.example", HTTPS: c.https,
				})
				line := stored.line + c.attributes
				header := http.Header{"Set-Cookie": {line, "_ga=1"}}
				visit.CompleteResponse(header)
				got := ""
				if slices.Contains(header["Set-Cookie"], "_ga=1") {
					got = "_ga"
				}
				if got != want || !slices.Contains(header["Set-Cookie"], line) {
					t.Errorf("%q after %q: let through are %q", line, stored.cookie, header["Set-Cookie"])
				}
			}
		})
	}
}

// A browser whose clock is a day ahead, or that reads a date in the time zone farthest west, may
// delete what is written with an Expires close to now: the grant counts from 125 hours on.
func TestWrittenChoiceMargin(t *testing.T) {
	e := compiled(t, tracking(policy.RuleOptions{Consent: []string{"stats"}}, "_ga"))
	for lifetime, want := range map[time.Duration]bool{
		-time.Hour: false, time.Hour: false, 24 * time.Hour: false, 125 * time.Hour: false,
		125*time.Hour + time.Second: true, 183 * 24 * time.Hour: true,
	} {
		expires := noon.Add(lifetime).Format(http.TimeFormat)
		lines := keptLines(e, []string{`prefs={"stats":false}`},
			`prefs={"stats":true}; Path=/; Expires=`+expires, "_ga=1")
		if got := slices.Contains(lines, "_ga=1"); got != want {
			t.Errorf("with a lifetime of %v: granted is %t", lifetime, got)
		}
	}
}
