package enforcer_test

import (
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// rewriting returns a policy that allows all cookies and rewrites domains, given in pairs.
func rewriting(pairs ...string) policy.Policy {
	p := allowing("*")
	for i := 0; i < len(pairs); i += 2 {
		p.RewriteDomain = append(p.RewriteDomain, policy.Rewrite{From: pairs[i], To: pairs[i+1]})
	}
	return p
}

// Package wire tests how a Domain is replaced.
func TestRewriteDomain(t *testing.T) {
	to := compiled(t, rewriting("portal.example.org", "city.example"))
	without := compiled(t, rewriting(".Portal.Example.org", ""))
	for line, want := range map[string][2]string{
		"a=b; Domain=.Portal.EXAMPLE.org; Path=/": {"a=b; Domain=city.example; Path=/", "a=b; Path=/"},
		"a=b; Path=/":  {"a=b; Path=/", "a=b; Path=/"},
		"a=b; Domain=": {"a=b; Domain=", "a=b; Domain="},
		"a=b; Domain=www.portal.example.org": {
			"a=b; Domain=www.portal.example.org", "a=b; Domain=www.portal.example.org"},
		"a=; Domain=portal.example.org; Max-Age=0": {"a=; Domain=city.example; Max-Age=0", "a=; Max-Age=0"},
		// A cookie with the prefix __Host- has no Domain.
		"__Host-a=b; Domain=portal.example.org; Secure": {
			"__Host-a=b; Domain=portal.example.org; Secure", "__Host-a=b; Domain=portal.example.org; Secure"},
		"__hOST-a=b; Domain=portal.example.org": {
			"__hOST-a=b; Domain=portal.example.org", "__hOST-a=b; Domain=portal.example.org"},
		"__Secure-a=b; Domain=portal.example.org; Secure": {
			"__Secure-a=b; Domain=city.example; Secure", "__Secure-a=b; Secure"},
	} {
		for i, e := range []*enforcer.Enforcer{to, without} {
			if got := mended(e, true, line, nil); got != want[i] {
				t.Errorf("%q became %q, want %q", line, got, want[i])
			}
		}
	}
}

func TestRewriteDomainOnUnlistedCookies(t *testing.T) {
	p := rewriting("portal.example.org", "city.example", "old.example.org", "", "city.example",
		"elsewhere.example")
	p.Allow = []policy.Rule{{Category: policy.Necessary, Cookies: []string{"a"}}}
	p.Unlisted = policy.UnlistedPass
	got := keptLines(compiled(t, p), nil, "a=1; Domain=portal.example.org",
		"other=1; Domain=old.example.org", "b=1; Domain=city.example")
	if want := []string{"a=1; Domain=city.example", "other=1",
		"b=1; Domain=elsewhere.example"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	p.Unlisted = policy.UnlistedBlock
	got = keptLines(compiled(t, p), nil, "other=1; Domain=old.example.org",
		"other=; Domain=old.example.org; Max-Age=0")
	if want := []string{"other=; Max-Age=0"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// The conditions of a rule are about what the portal sends, however often a header is filtered.
func TestRewriteDomainAfterConditions(t *testing.T) {
	p := rewriting("portal.example.org", "city.example", "city.example", "elsewhere.example")
	p.Allow = []policy.Rule{{Category: policy.Necessary, Cookies: []string{"a"},
		RuleOptions: policy.RuleOptions{Domain: []string{"portal.example.org"},
			MaxAge: policy.Duration(time.Hour)}}}
	e := compiled(t, p)
	visit := visitWith(e)
	header := http.Header{"Set-Cookie": {"a=1; Domain=portal.example.org; Max-Age=7200",
		"a=2; Domain=city.example", "a=3"}}
	want := []string{"a=1; Domain=city.example; Max-Age=3600", "a=3"}
	visit.FilterResponse(header) // a 103, say
	for range 2 {
		if got := header["Set-Cookie"]; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		visit.CompleteResponse(header)
	}
	// Another visit knows nothing of it.
	if got := keptLines(e, nil, want...); !slices.Equal(got, want[1:]) {
		t.Errorf("got %q, want %q", got, want[1:])
	}
}

// A line that was rewritten needs consent like any other.
func TestRewriteDomainNeedsConsent(t *testing.T) {
	p := rewriting("portal.example.org", "city.example")
	p.Allow = []policy.Rule{{Category: policy.ThirdParty, Cookies: []string{"a"},
		RuleOptions: policy.RuleOptions{Consent: []string{"k"},
			Domain: []string{"portal.example.org"}}}}
	p.Preference = []policy.Preference{{Cookies: []string{"prefs"}}}
	visit := visitWith(compiled(t, p), `prefs={"k":true}`)
	header := http.Header{"Set-Cookie": {"a=1; Domain=portal.example.org"}}
	visit.FilterResponse(header)
	if got := header["Set-Cookie"]; !slices.Equal(got, []string{"a=1; Domain=city.example"}) {
		t.Fatalf("got %q", got)
	}
	refusal := `prefs={"k":false}`
	header["Set-Cookie"] = append(header["Set-Cookie"], refusal)
	visit.CompleteResponse(header)
	if got := header["Set-Cookie"]; !slices.Equal(got, []string{refusal}) {
		t.Errorf("got %q, want %q alone", got, refusal)
	}
}

func TestUnusable(t *testing.T) {
	for _, c := range []struct{ what, host, line, domain, report string }{
		{"the host itself", "data.city.example", "a=b; Domain=data.city.example", "", ""},
		{"the host itself, with a port and in another case",
			"Data.City.example:8443", "a=b; Domain=.DATA.city.example", "", ""},
		{"a domain above", "data.city.example", "a=b; Domain=city.example", "", ""},
		{"none", "data.city.example", "a=b", "", ""},
		{"one that is rewritten to a domain above",
			"data.city.example", "a=b; Domain=portal.example.org", "", "portal.example.org, rewritable"},
		{"one that is rewritten to another domain", "data.town.example",
			"a=b; Domain=portal.example.org", "city.example", "portal.example.org, rewritable"},
		{"one that is removed",
			"data.city.example", "a=b; Domain=old.example.org", "", "old.example.org, rewritable"},
		{"one that the portal uses and no rewrite replaces", "data.city.example",
			"a=b; Domain=.Other.example.org", "other.example.org", "other.example.org"},
		{"a domain below", "city.example",
			"a=b; Domain=data.city.example", "data.city.example", "data.city.example"},
		{"one that ends alike", "data.city.example", "a=b; Domain=ity.example", "ity.example", "ity.example"},
		{"a public suffix", "data.city.co.uk", "a=b; Domain=co.uk", "co.uk", "co.uk"},
		{"a public suffix that is the host", "gov.uk", "a=b; Domain=gov.uk", "", ""},
		{"the end of an address", "192.0.2.7", "a=b; Domain=2.7", "2.7", "2.7"},
		{"an address", "192.0.2.7:8080", "a=b; Domain=192.0.2.7", "", ""},
		{"a host with an underscore", "data_portal.city.example", "a=b; Domain=city.example", "", ""},
		{"a cookie that is refused", "data.city.example", "b=b; Domain=other.example.org", "", ""},
	} {
		for mode, want := range map[string]string{policy.ModeEnforce: c.domain, policy.ModeReport: c.report} {
			t.Run(c.what+" in mode "+mode, func(t *testing.T) {
				p := rewriting("portal.example.org", "city.example", "old.example.org", "")
				p.Allow = []policy.Rule{{Category: policy.Necessary, Cookies: []string{"a"}}}
				p.Mode = mode
				visit := compiled(t, p).Visit(enforcer.Request{Host: c.host})
				header := http.Header{"Set-Cookie": {c.line}}
				visit.FilterResponse(header)
				got, met := visit.Unusable()
				domain, rewritable := strings.CutSuffix(want, ", rewritable")
				expected := enforcer.Unusable{Name: "a", Domain: domain, Rewritable: rewritable}
				if want == "" {
					expected = enforcer.Unusable{}
				}
				if got != expected || met != (want != "") {
					t.Errorf("got %+v, %t; want %+v", got, met, expected)
				}
				if lines := header["Set-Cookie"]; mode == policy.ModeReport && lines[0] != c.line {
					t.Errorf("mode report changed the line to %q", lines)
				}
			})
		}
	}
}

// A policy without rewrites checks a Domain when the attributes are new, so that it costs nothing
// later.
func TestUnusableWithoutRewrites(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // each processor gets to know attributes by itself
	e, _ := observed(t, allowing("a", "b", "c"))
	for _, c := range []struct{ line, name, domain string }{
		{"a=b; Domain=city.example", "", ""},
		{"a=b; Domain=.Portal.example.org; Path=/", "a", "portal.example.org"},
		{"a=c; Domain=.Portal.example.org; Path=/", "", ""}, // known by now
		{"b=b; Domain=portal.example.org", "b", "portal.example.org"},
		{"c=; Domain=portal.example.org; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
			"c", "portal.example.org"},
		{"refused=b; Domain=portal.example.org", "", ""},
	} {
		visit := e.Visit(enforcer.Request{Host: "data.city.example"})
		visit.CompleteResponse(http.Header{"Set-Cookie": {c.line}})
		want := enforcer.Unusable{Name: c.name, Domain: c.domain}
		if got, met := visit.Unusable(); got != want || met != (c.name != "") {
			t.Errorf("%s: got %+v, %t; want %+v", c.line, got, met, want)
		}
		visit.End()
	}
}
