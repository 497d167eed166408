package enforcer_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// matomoPolicy is the published policy with Matomo.
func matomoPolicy() policy.Policy {
	return policy.Policy{Presets: []policy.Preset{{Name: "opendatasoft"}, {Name: "matomo"}}}
}

// Browsers ignore the cookies of an informational response, so a preference in one decides nothing
// about the final response, also if that has no cookies.
func TestCompleteResponseAfterInformationalPreference(t *testing.T) {
	for _, c := range []struct {
		stored, informational string
		expires               bool
		consent               policy.Consent
	}{
		{acceptsMatomo, refusesMatomo, false, policy.Granted},
		{refusesMatomo, acceptsMatomo, true, policy.Refused},
	} {
		e := compiled(t, matomoPolicy())
		visit := e.Visit(enforcer.Request{Host: "data.city.example", Header: http.Header{
			"Cookie": {c.stored + "; _pk_id=1"}, "Sec-Fetch-Mode": {"navigate"},
		}})
		visit.FilterRequest()
		visit.FilterResponse(http.Header{"Set-Cookie": {c.informational + "; Path=/"}})
		final := http.Header{"Content-Type": {"text/html"}}
		visit.CompleteResponse(final)
		if got := len(final["Set-Cookie"]) > 0; got != c.expires {
			t.Errorf("%s, then %s in a 103: the final header is %v", c.stored, c.informational, final)
		}
		if got, _ := visit.Consent("matomo"); got != c.consent {
			t.Errorf("%s, then %s in a 103: consent is %v", c.stored, c.informational, got)
		}
	}
}

// Browsers ignore the cookies of trailers too.
func TestCompleteResponseWithPreferenceInTrailer(t *testing.T) {
	e := compiled(t, matomoPolicy())
	visit := e.Visit(enforcer.Request{})
	header := http.Header{
		http.TrailerPrefix + "Set-Cookie": {acceptsMatomo + "; Path=/"}, "Set-Cookie": {"_pk_id=1"},
	}
	visit.CompleteResponse(header)
	if got := header["Set-Cookie"]; len(got) > 0 {
		t.Errorf("a preference in a trailer let %q through", got)
	}
}

// Whether a date has passed depends on the Date, which can be added between two passes.
func TestCompleteResponseWithLateDate(t *testing.T) {
	e := compiled(t, matomoPolicy())
	visit := e.Visit(enforcer.Request{})
	twoDaysAgo := noon.Add(-48 * time.Hour).Format(http.TimeFormat)
	header := http.Header{"Set-Cookie": {"_ga=1; Expires=" + twoDaysAgo}}
	visit.CompleteResponse(header)
	if len(header["Set-Cookie"]) != 1 {
		t.Fatal("a deletion was refused")
	}
	header["Date"] = []string{noon.Add(-72 * time.Hour).Format(http.TimeFormat)}
	visit.CompleteResponse(header)
	if got := header["Set-Cookie"]; len(got) > 0 {
		t.Errorf("%q lives by the response's own clock, and was let through", got)
	}
}

// A preference that is removed between two passes grants nothing in the second one, under whatever
// key it was.
func TestCompleteResponseWithPreferenceRemoved(t *testing.T) {
	for range 50 { // maps have no order
		e := compiled(t, matomoPolicy())
		visit := e.Visit(enforcer.Request{})
		header := http.Header{"set-cookie": {acceptsMatomo + "; Path=/"}, "Set-Cookie": {"_pk_id=1"}}
		visit.CompleteResponse(header)
		delete(header, "set-cookie")
		visit.CompleteResponse(header)
		if got := header["Set-Cookie"]; len(got) > 0 {
			t.Fatalf("%q was let through", got)
		}
	}
}

// A line that a handler changes in place between two passes is judged and counted again.
func TestCompleteResponseOfLinesChangedInPlace(t *testing.T) {
	e := compiled(t, matomoPolicy())
	o := observe.New(noon)
	e.Observe(o)
	visit := e.Visit(enforcer.Request{})
	lines := []string{"sessionid=1", "csrftoken=2"}
	header := http.Header{"Set-Cookie": lines}
	visit.CompleteResponse(header)
	lines[0] = "_ga=1"
	visit.CompleteResponse(header)
	visit.End()
	if got := header["Set-Cookie"]; !slices.Equal(got, []string{"csrftoken=2"}) {
		t.Errorf("%q was let through", got)
	}
	counts := map[string]uint64{}
	for _, s := range o.Sightings() {
		counts[s.Name] = s.Counts.Total(observe.Enforce)
	}
	if counts["_ga"] != 1 || counts["sessionid"] != 1 || counts["csrftoken"] != 1 {
		t.Errorf("counted %v", counts)
	}
}

// A request counts once, also if a second Visit continues with it, as in error routes.
func TestVisitContinue(t *testing.T) {
	e := compiled(t, matomoPolicy())
	o := observe.New(noon)
	e.Observe(o)
	request := enforcer.Request{Header: http.Header{"Cookie": {"sessionid=1; _ga=2; " + refusesMatomo}}}
	header := http.Header{"Set-Cookie": {"_ga=1", "csrftoken=2"}}
	first := e.Visit(request)
	first.FilterRequest()
	first.CompleteResponse(header)
	first.End()

	second := e.Visit(request)
	second.Continue(&first)
	second.FilterRequest()
	header["Set-Cookie"] = append(header["Set-Cookie"], "django_language=en", "_gid=1")
	second.CompleteResponse(header)
	second.End()

	if got := strings.Join(header["Set-Cookie"], " "); got != "csrftoken=2 django_language=en" {
		t.Errorf("%s was let through", got)
	}
	checkCountedOnce(t, o)
}

// The time of the last request does not go back when a long request ends.
func TestObserverLastRequest(t *testing.T) {
	now := noon
	e, err := enforcer.Compile(matomoPolicy(), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	o := observe.New(noon)
	e.Observe(o)
	open := e.Visit(enforcer.Request{})
	open.FilterRequest()
	now = noon.Add(time.Hour)
	short := e.Visit(enforcer.Request{})
	short.FilterRequest()
	if n, last := o.Requests(); n != 2 || !last.Equal(now) {
		t.Errorf("%d requests, the last at %v", n, last)
	}
	open.End()
	short.End()
	if n, last := o.Requests(); n != 2 || !last.Equal(now) {
		t.Errorf("in the end %d requests, the last at %v", n, last)
	}
}

// Two handlers of one policy around one request count it once, and each line once.
func TestVisitResume(t *testing.T) {
	e := compiled(t, matomoPolicy())
	o := observe.New(noon)
	e.Observe(o)
	request := enforcer.Request{Header: http.Header{"Cookie": {"sessionid=1; " + refusesMatomo}}}
	header := http.Header{"Set-Cookie": {"_ga=1", "csrftoken=2"}}
	outer := e.Visit(request)
	outer.FilterRequest()
	inner := e.Visit(request)
	inner.Continue(&outer)
	inner.FilterRequest()
	inner.CompleteResponse(header)
	inner.End()
	outer.Resume(&inner)
	outer.CompleteResponse(header)
	outer.End()
	checkCountedOnce(t, o)
}

// A preference that was read is counted, also if a 103 wrote another one.
func TestPreferenceIsCountedBesideInformational(t *testing.T) {
	e := compiled(t, matomoPolicy())
	o := observe.New(noon)
	e.Observe(o)
	visit := e.Visit(enforcer.Request{Header: http.Header{"Cookie": {acceptsMatomo + "; _pk_id=1"}}})
	visit.FilterRequest()
	visit.FilterResponse(http.Header{"Set-Cookie": {refusesMatomo + "; Path=/"}})
	visit.CompleteResponse(http.Header{})
	visit.End()
	if got := preferencesOf(o); got != "valid=1" {
		t.Errorf("counted %s", got)
	}
}

// checkCountedOnce checks that one request was counted, and each of its names once.
func checkCountedOnce(t *testing.T, o *observe.Observer) {
	t.Helper()
	if requests, _ := o.Requests(); requests != 1 {
		t.Errorf("%d requests were counted", requests)
	}
	for _, s := range o.Sightings() {
		if n := s.Counts.Total(observe.Enforce); n != 1 {
			t.Errorf("%s on %s was counted %d times", s.Name, s.Channel, n)
		}
	}
}
