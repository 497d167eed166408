package enforcer

import (
	"net/http"
	"slices"
	"testing"
)

// A response that itself sets or deletes the preference is judged by what it writes: that is the visitor's newest choice.
func TestAResponseIsJudgedByTheChoiceThatItWrites(t *testing.T) {
	policy := tracking(RuleOptions{Consent: []string{"stats"}}, "_ga")
	policy.Preference[0].Cookies = []string{"prefs", "more"}
	policy.Allow = append(policy.Allow, Rule{Category: Statistical, Cookies: []string{"counter"}, RuleOptions: RuleOptions{Consent: []string{"stats"}, Anonymous: true}})
	e := compiled(t, policy)
	const grant, refusal = `prefs={"stats":true}`, `prefs={"stats":false}`
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
		{"a grant after a refusal", refusal, []string{grant}, both},
		{"a grant, encoded, with attributes", refusal, []string{"prefs=%7B%22stats%22%3Atrue%7D; Path=/; Max-Age=15811200"}, both},
		{"a refusal", "", []string{refusal}, nil},
		{"a refusal after a grant", grant, []string{refusal}, nil},
		{"what cannot be read, after a grant", grant, []string{"prefs=yes"}, nil},
		{"what contradicts itself, after a grant", grant, []string{`prefs={"stats":true,"stats":true}`}, nil},
		{"no choice, after a grant", grant, []string{"prefs={}"}, []string{"counter"}},
		{"a deletion, after a grant", grant, []string{"prefs=; Max-Age=0"}, []string{"counter"}},
		{"a deletion by date, with the grant for a value", grant, []string{grant + "; Expires=Thu, 01 Jan 1970 00:00:00 GMT"}, []string{"counter"}},
		{"a deletion, after a refusal", refusal, []string{"prefs=; Max-Age=0"}, []string{"counter"}},
		{"a grant and a refusal", "", []string{grant, refusal + "; Path=/x"}, nil},
		{"a deletion and a grant", grant, []string{"prefs=; Max-Age=0", grant}, both},
		{"the refusal in one of two preferences", grant, []string{`more={"stats":false}`}, nil},
		{"the grant in one of two preferences, where the other refuses", refusal, []string{`more={"stats":true}`}, nil},
		{"a grant over two copies that refuse", refusal + "; " + refusal, []string{grant}, nil}, // over one of them: nobody knows which
		{"a grant over two copies that grant", grant + "; " + grant, []string{grant}, both},
		{"a refusal over two copies that grant", grant + "; " + grant, []string{refusal}, nil},
		{"another cookie whose name begins like it", refusal, []string{`prefs2={"stats":true}`}, nil},
		{"another cookie whose value looks like it", refusal, []string{`sessionid=prefs={"stats":true}`}, nil},
		{"one that browsers refuse", refusal, []string{"prefs={\"stats\":true}\x01"}, nil},
		{"one that browsers drop for its SameSite, after a refusal", refusal, []string{grant + "; SameSite=None"}, nil},
		{"one that browsers drop for its Domain, after a refusal", refusal, []string{grant + "; Domain=other.example"}, nil},
		{"one that some browsers may take for a deletion, after a refusal", refusal, []string{grant + "; Expires=Thu, 15 Jan 2026 11:00:00 GMT"}, nil},
		{"one without a name", refusal, []string{`={"stats":true}`}, nil},
		{"one with blanks around its name", refusal, []string{"\t prefs \t= {\"stats\":true}"}, both},
	} {
		for _, key := range []string{"Set-Cookie", "set-cookie"} {
			t.Run(c.what+" as "+key, func(t *testing.T) {
				for _, first := range []bool{false, true} { // the trackers before the preference, and behind it
					lines := []string{"_ga=1", "counter=1"}
					if lines = append(lines, c.response...); !first {
						lines = append(slices.Clone(c.response), "_ga=1", "counter=1")
					}
					var got []string
					header := http.Header{key: lines}
					filterResponse(e, []string{c.cookie}, header)
					for _, line := range header[key] {
						if read, _ := readSetCookie(line); read.name == "_ga" || read.name == "counter" {
							got = append(got, read.name)
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
func TestTheRequestIsJudgedByTheChoiceThatItCarries(t *testing.T) {
	e := compiled(t, tracking(RuleOptions{}, "_ga"))
	header := navigation(`_ga=1; prefs={"statistical":false}`)
	got := respond(e, Request{Header: header, Host: "localhost"}, http.Header{"Set-Cookie": {`prefs={"statistical":true}`, "_ga=2"}})
	if want := []string{`prefs={"statistical":true}`, "_ga=2"}; !slices.Equal(got, want) || !slices.Equal(header["Cookie"], []string{` prefs={"statistical":false}`[1:]}) {
		t.Errorf("got %q of the response, and %q of the request", got, header["Cookie"])
	}
}

// Browsers store no cookie of an informational response: a choice in one is not the visitor's.
func TestAChoiceInAnInformationalResponseDoesNotCount(t *testing.T) {
	e := compiled(t, tracking(RuleOptions{}, "_ga"))
	visit := visitWith(e, `prefs={"statistical":false}`)
	visit.FilterResponse(http.Header{"Set-Cookie": {`prefs={"statistical":true}`}})
	response := http.Header{"Set-Cookie": {"_ga=1", "sessionid=1"}}
	visit.CompleteResponse(response)
	if got := response["Set-Cookie"]; !slices.Equal(got, []string{"sessionid=1"}) {
		t.Errorf("got %q", got)
	}
}

// A signal refuses what the visitor left undecided, in its categories, and nothing else.
func TestSignals(t *testing.T) {
	policy := tracking(RuleOptions{Consent: []string{"stats"}}, "_ga")
	policy.Allow = append(policy.Allow,
		Rule{Category: Statistical, Cookies: []string{"counter"}, RuleOptions: RuleOptions{Consent: []string{"counts"}, Anonymous: true}},
		Rule{Category: ThirdParty, Cookies: []string{"outer"}, RuleOptions: RuleOptions{Consent: []string{"ads", "stats"}}})
	policy.Preference[0].Timestamp, policy.Preference[0].MaxAge = "timestamp", 183*day
	gpc, both := policy, policy
	gpc.Signal = []Signal{{Signal: SignalGPC, Categories: []Category{Statistical}}}
	both.Signal = append(slices.Clone(gpc.Signal), Signal{Signal: SignalDNT, Categories: []Category{ThirdParty}})
	objecting, all := http.Header{"Sec-Gpc": {"1"}}, http.Header{"Sec-Gpc": {"1"}, "Dnt": {"1"}}
	for _, c := range []struct {
		what       string
		policy     Policy
		header     http.Header
		preference string
		want       []string // let through
		refused    []string // keys
	}{
		{"nobody asks for it", policy, all, "", []string{"counter"}, nil},
		{"the browser does not say", gpc, http.Header{}, "", []string{"counter"}, nil},
		{"it objects, and there is no choice", gpc, objecting, "", nil, []string{"stats", "counts"}},
		{"it objects, and the choice says nothing of it", gpc, objecting, `{"x":true}`, nil, []string{"stats", "counts"}},
		{"it objects, and the visitor granted one", gpc, objecting, `{"counts":true}`, []string{"counter"}, []string{"stats"}},
		{"it objects, and the visitor granted the other", gpc, objecting, `{"stats":true}`, []string{"_ga", "outer"}, []string{"counts"}},
		{"it objects, and the choice is out of date", gpc, objecting, `{"stats":true,"timestamp":1500000000}`, nil, []string{"stats", "counts"}},
		{"it objects, and the choice cannot be read", gpc, objecting, `{`, nil, nil},
		{"it objects to another category", both, http.Header{"Dnt": {"1"}}, "", []string{"counter"}, []string{"ads", "stats"}},
		{"it objects in both ways", both, all, "", nil, []string{"ads", "stats", "counts"}},
		{"zero", gpc, http.Header{"Sec-Gpc": {"0"}}, "", []string{"counter"}, nil},
		{"a word", gpc, http.Header{"Sec-Gpc": {"true"}}, "", []string{"counter"}, nil},
		{"blanks around", gpc, http.Header{"Sec-Gpc": {" 1\t"}}, "", nil, []string{"stats", "counts"}},
		{"twice", gpc, http.Header{"Sec-Gpc": {"0", "1"}}, "", nil, []string{"stats", "counts"}},
		{"the other signal", gpc, http.Header{"Dnt": {"1"}}, "", []string{"counter"}, nil},
	} {
		t.Run(c.what, func(t *testing.T) {
			e := compiled(t, c.policy)
			request := c.header.Clone()
			if c.preference != "" {
				request["Cookie"] = []string{"prefs=" + c.preference}
			}
			response := http.Header{"Set-Cookie": {"_ga=1", "counter=1", "outer=1"}}
			visit := e.Visit(Request{Header: request})
			visit.FilterResponse(response)
			var got []string
			for _, line := range response["Set-Cookie"] {
				got = append(got, line[:len(line)-len("=1")])
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("let through are %q, want %q", got, c.want)
			}
			for _, key := range []string{"stats", "counts", "ads"} {
				if consent, _ := visit.Consent(key); (consent == Refused) != slices.Contains(c.refused, key) {
					t.Errorf("%s is %v", key, consent)
				}
			}
		})
	}
}

// What a placeholder shows, and whether anybody knows the key.
func TestConsent(t *testing.T) {
	policy := tracking(RuleOptions{Consent: []string{"stats"}}, "_ga")
	policy.Allow = append(policy.Allow, Rule{Category: ThirdParty, Cookies: []string{"outer"}})
	policy.Preference = append(policy.Preference, Preference{Cookies: []string{"flag"}, Format: FormatFlag, Value: "yes", Keys: []string{"maps"}})
	e := compiled(t, policy)
	for _, c := range []struct {
		cookie, key string
		want        Consent
		known       bool
	}{
		{"", "stats", Undecided, true},
		{`prefs={"stats":true}`, "stats", Granted, true},
		{`prefs={"stats":false}`, "stats", Refused, true},
		{`prefs={"stats":"yes"}`, "stats", Refused, true},
		{`prefs={"stats":true}; prefs={"stats":false}`, "stats", Refused, true},
		{`prefs={"stats":true`, "stats", Undecided, true},
		{"", "third_party", Undecided, true}, // the category's name, by default
		{`prefs={"third_party":true}`, "third_party", Granted, true},
		{"", "necessary", Undecided, false},
		{"", "statistical", Undecided, false}, // the rule has another key
		{`prefs={"video":true}`, "video", Granted, true},
		{`prefs={"video":false}`, "video", Refused, true},
		{`prefs={"video":true}; prefs={}`, "video", Undecided, false},
		{`prefs={"video":true`, "video", Undecided, false},
		{"", "video", Undecided, false},
		{"", "", Undecided, false},
		{"", "maps", Undecided, true}, // by the preference's own line
		{"flag=yes", "maps", Granted, true},
		{"flag=no", "maps", Refused, true},
	} {
		visit := visitWith(e, c.cookie)
		if consent, known := visit.Consent(c.key); consent != c.want || known != c.known {
			t.Errorf("%s with %q is %v, known %t; want %v, %t", c.key, c.cookie, consent, known, c.want, c.known)
		}
	}
}

// Who serves several hosts keeps no choice from one for the other: each request is judged by what it carries, be the policy the same.
func TestAChoiceIsTheRequestsOwn(t *testing.T) {
	e := compiled(t, tracking(RuleOptions{}, "_ga"))
	first := e.Visit(Request{Header: http.Header{"Cookie": {`prefs={"statistical":true}; _ga=1`}}, Host: "one.example"})
	first.FilterRequest()
	header := http.Header{"Cookie": {"_ga=1"}}
	second := e.Visit(Request{Header: header, Host: "two.example"})
	second.FilterRequest()
	if _, ok := header["Cookie"]; ok {
		t.Errorf("%q is left", header)
	}
}
