package enforcer_test

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// Counting known names allocates nothing. There is one allocation for the Visit, and one for a
// slice from which a line was removed.
func TestTallyAllocations(t *testing.T) {
	e, _ := observed(t, portalPolicy())
	request := http.Header{"Cookie": {"sessionid=1; csrftoken=2; django_language=fr"}}
	response := http.Header{"Content-Type": {"application/json"}}
	for _, c := range []struct {
		lines []string
		want  float64
	}{
		{[]string{"sessionid=1; Path=/; HttpOnly", "csrftoken=2; Path=/; Max-Age=31449600"}, 1},
		{[]string{
			"sessionid=1; Path=/; HttpOnly", "csrftoken=2; Path=/; Max-Age=31449600",
			"_ga=1; Domain=.city.example", "stray=1; Expires=Thu, 29 Jan 2026 12:00:00 GMT",
		}, 2},
	} {
		got := testing.AllocsPerRun(1000, func() {
			response["Set-Cookie"] = c.lines
			visit := e.Visit(enforcer.Request{Header: request, Host: "data.city.example"})
			visit.FilterRequest()
			visit.FilterResponse(response)
			visit.End()
		})
		if got > c.want {
			t.Errorf("%v allocations for %d lines, want %v", got, len(c.lines), c.want)
		}
	}
}

// A name of the portal that no rule names is reported once: not again on the other channel, and not
// by the policy after a reload. A client's name is reported later, see TestDiscoveryOfClientNames.
func TestDiscovery(t *testing.T) {
	e, o := observed(t, portalPolicy())
	meet := func(e *enforcer.Enforcer, cookie string, lines ...string) []enforcer.Discovery {
		header := http.Header{"Cookie": {cookie}}
		visit := e.Visit(enforcer.Request{Header: header, Host: "Data.city.example:8443"})
		visit.FilterRequest()
		visit.CompleteResponse(http.Header{"Set-Cookie": lines})
		discoveries := visit.End()
		return discoveries
	}
	const attributes = "a=1; path=/x; Secure=s3cr3t; HTTPONLY; token=s3cr3t; SameSite=Lax; Max-Age=60; " +
		"Domain=.city.example; s3cr3t; Expires="
	got := meet(e, "b=1; s3cr3t", attributes, "b=1; s3cr3t", "sessionid=1", "s3cr3t")
	const host = "data.city.example"
	want := []enforcer.Discovery{
		{Name: "a", Channel: observe.Set, Host: host,
			Attributes: "path=(other); Secure; HTTPONLY; SameSite=Lax; Max-Age=60; " +
				"Domain=.city.example; Expires"},
		{Name: "b", Channel: observe.Set, Host: host},
		{Name: "(nameless)", Channel: observe.Set, Host: host},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got := meet(e, "a=2; b=2; s3cr3t", "a=3", "b=3", "s3cr3t"); len(got) > 0 {
		t.Errorf("reported again: %+v", got)
	}

	// The policy after a reload has fewer rules: what they named is reported.
	p := portalPolicy()
	p.Presets = nil
	after := compiled(t, p)
	after.Observe(o)
	if got := meet(after, "a=2", "sessionid=1; Path=/"); len(got) != 1 ||
		got[0].Name != "sessionid" {
		t.Errorf("after a reload: %+v", got)
	}
	if got := meet(after, "a=2", "sessionid=1; Path=/"); len(got) > 0 {
		t.Errorf("reported again: %+v", got)
	}

	// Of many requests at once, one reports.
	var wg sync.WaitGroup
	reported := make(chan enforcer.Discovery, 100)
	for range 8 {
		wg.Go(func() {
			for _, d := range meet(e, "new=1", "new=1") {
				reported <- d
			}
		})
	}
	wg.Wait()
	if len(reported) != 1 {
		t.Errorf("reported %d times", len(reported))
	}
}

// A client's name is reported at its 100th request, or at its tenth once it came on three days. A
// request counts once, however often it brings the name.
func TestDiscoveryOfClientNames(t *testing.T) {
	for _, c := range []struct {
		what   string
		pause  time.Duration // between requests
		cookie string
		want   uint64 // the request that reports
	}{
		{"on one day", time.Second, "stray=1; stray=2", 100},
		{"on three days, ten times before the third ends", 8 * time.Hour, "stray=1", 10},
		{"each day", 24 * time.Hour, "stray=1", 10},
		{"ten times a day", 144 * time.Minute, "stray=1", 16},
	} {
		t.Run(c.what, func(t *testing.T) {
			now := noon
			e, err := enforcer.Compile(portalPolicy(), func() time.Time { return now })
			if err != nil {
				t.Fatal(err)
			}
			e.Observe(observe.New(noon))
			for i := range uint64(120) {
				visit := visitWith(e, c.cookie)
				visit.FilterRequest()
				discoveries := visit.End()
				reports := len(discoveries) == 1
				if reports && (discoveries[0].Name != "stray" ||
					discoveries[0].Requests != c.want) {
					t.Errorf("reported %+v", discoveries)
				}
				if reports != (i+1 == c.want) {
					t.Errorf("request %d reports %+v", i+1, discoveries)
				}
				now = now.Add(c.pause)
			}
		})
	}
}

// At most ten names are reported in a minute. The others are reported when they come again.
func TestDiscoveryIsLimited(t *testing.T) {
	now := noon
	e, err := enforcer.Compile(portalPolicy(), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	e.Observe(observe.New(noon))
	var lines []string
	for i := range 25 {
		lines = append(lines, fmt.Sprintf("stray%d=1", i))
	}
	var got []int
	for range 4 {
		visit := visitWith(e)
		visit.CompleteResponse(http.Header{"Set-Cookie": lines})
		discoveries := visit.End()
		got = append(got, len(discoveries))
		now = now.Add(time.Minute)
	}
	if want := []int{10, 10, 5, 0}; !slices.Equal(got, want) {
		t.Errorf("reported %v, want %v", got, want)
	}
}

// A name that a rule once named is reported like any other of a client's, once it came often.
func TestDiscoveryOfFormerName(t *testing.T) {
	o := observe.New(noon)
	allow := func(name string) *enforcer.Enforcer {
		e := compiled(t, policy.Policy{
			Allow: []policy.Rule{{Category: policy.Necessary, Cookies: []string{name}}},
		})
		e.Observe(o)
		return e
	}
	before, after := allow("trk"), allow("other")
	discovered := 0
	for i := range 151 {
		e := after
		if i == 0 {
			e = before
		}
		visit := e.Visit(enforcer.Request{Header: map[string][]string{"Cookie": {"trk=1"}}})
		visit.FilterRequest()
		discoveries := visit.End()
		discovered += len(discoveries)
	}
	if discovered != 1 {
		t.Errorf("it was reported %d times", discovered)
	}
}
