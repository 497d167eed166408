package enforcer_test

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// bytesOf returns a header as it is sent.
func bytesOf(t *testing.T, header http.Header) string {
	t.Helper()
	var b bytes.Buffer
	if err := header.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// In mode report no byte changes, whatever the policy asks for. Expiries that would be added are
// counted.
func TestReportModeChangesNoByte(t *testing.T) {
	p := portalPolicy()
	p.Mode = policy.ModeReport
	p.RewriteDomain = []policy.Rewrite{{From: "portal.example"}}
	p.Allow = append(p.Allow, policy.Rule{
		Category: policy.Necessary, Cookies: []string{"mended"},
		RuleOptions: policy.RuleOptions{
			MaxAge: day, Secure: true, HTTPOnly: true, SameSite: policy.SameSiteStrict,
		},
	})
	p.Preference = []policy.Preference{{
		Cookies: []string{"cookies_preferences"}, Timestamp: "timestamp", MaxAge: 183 * day, Persist: "/",
	}}
	e, o := observed(t, p)
	request := http.Header{"Sec-Fetch-Mode": {"navigate"}, "Cookie": {
		"_ga=1; sessionid=1; x", `cookies_preferences={"matomo":false,"timestamp":1768400000}; _pk_id.1=2`,
	}}
	response := http.Header{
		"Set-Cookie": {
			"_ga=1", "sessionid=1; Domain=portal.example", "mended=1; Max-Age=9999999", "x", "_pk_id.1=1",
			"mended=2; Expires=01/15/2027",
		},
		"set-cookie": {"_ga=2"}, "Set-Cookie2": {"a=b"}, "Set-Cookie ": {"a=b"},
		"Cache-Control": {"public, max-age=60"}, "Vary": {"Accept"}, "Content-Type": {"text/html"},
		"Surrogate-Control": {"max-age=60"}, http.TrailerPrefix + "Set-Cookie": {"_ga=3"},
	}
	trailer := http.Header{"Cookie": {"_ga=1"}}
	before := [...]string{bytesOf(t, request), bytesOf(t, response), bytesOf(t, trailer)}
	visit := e.Visit(enforcer.Request{Header: request, Host: "data.city.example", HTTPS: true})
	visit.FilterRequest()
	visit.FilterRequestTrailer(trailer)
	visit.FilterResponse(response)
	visit.CompleteResponse(response)
	visit.CompleteResponse(response)
	visit.End()
	after := [...]string{bytesOf(t, request), bytesOf(t, response), bytesOf(t, trailer)}
	for i, was := range before {
		if is := after[i]; is != was {
			t.Errorf("became\n%s\nwas\n%s", is, was)
		}
	}
	if len(response["Set-Cookie "]) != 1 || len(response["Set-Cookie2"]) != 1 {
		t.Errorf("lines under keys that are not sent are gone: %q", response)
	}
	// The informational header and the final one count, and the final one once.
	const want = "expire/statistical/would_expire=1 expire/third_party/would_expire=1 " +
		"read/necessary/let_through=2 read/statistical/would_refuse=1 " +
		"read/third_party/would_refuse=1 read/unlisted/would_refuse=1 " +
		"set/necessary/let_through=6 set/statistical/would_refuse=2 " +
		"set/third_party/would_refuse=6 set/unlisted/would_refuse=2"
	if got := verdictsOf(o, observe.Report); got != want {
		t.Errorf("counted %s", got)
	}
}

// An expiry in mode report is counted as would_expire, and no line is added.
func TestReportModeCountsExpiries(t *testing.T) {
	p := portalPolicy()
	p.Mode = policy.ModeReport
	e, o := observed(t, p)
	visit := visitWith(e, refusesMatomo+"; _pk_id.1=1; _ga=1")
	visit.FilterRequest()
	header := http.Header{"Content-Type": {"text/html"}}
	visit.CompleteResponse(header)
	visit.CompleteResponse(header)
	visit.End()
	if len(header) != 1 {
		t.Errorf("the response became %q", header)
	}
	const want = "expire/statistical/would_expire=1 expire/third_party/would_expire=1 " +
		"read/necessary/let_through=1 read/statistical/would_refuse=1 read/third_party/would_refuse=1"
	if got := verdictsOf(o, observe.Report); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
