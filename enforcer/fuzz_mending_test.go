package enforcer_test

import (
	"math"
	"math/big"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/wire"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// FuzzMend passes one line through a Visit whose rule asks for everything. What is let through is
// read as the same cookie, mending it again changes nothing, no other attribute is touched, and
// what was asked for holds.
func FuzzMend(f *testing.F) {
	for _, line := range linesSeen(f) {
		f.Add(line, "")
	}
	for _, line := range []string{
		"a=b; Max-Age=99999; Expires=" + inAYear,
		"a=b; Max-Age=+5; Expires=" + inAYear,
		"a=b;Expires=1/31/27;expires=31-1-27",
		"a=b; SameSite ; SameSite",
		"a=b; samesite=  ;",
		"a=b; Domain=portal.example.org; Domain=x",
		"a=b; Secure; HttpOnly; SameSite=None",
		"a=b;domain = .PORTAL.example.org ;;max-age=\t86401",
		"__Host-a=b; Domain=portal.example.org",
		"a=b; Expires=Thu, 15 Jan 2026 12:30:00 -0800",
	} {
		f.Add(line, inAnHour)
		f.Add(line, "")
	}
	hardened := policy.RuleOptions{
		MaxAge: policy.Duration(time.Hour), Secure: true, HTTPOnly: true, SameSite: policy.SameSiteLax,
	}
	readable := hardened
	readable.HTTPOnly = false
	hardening := func(to string) *enforcer.Enforcer {
		return compiled(f, policy.Policy{
			Allow: []policy.Rule{
				{Category: policy.Necessary, Cookies: []string{"*"}, RuleOptions: hardened},
				{Category: policy.Necessary, Cookies: []string{"csrftoken"}, RuleOptions: readable},
			},
			RewriteDomain: []policy.Rewrite{{From: "portal.example.org", To: to}},
		})
	}
	enforcers := []*enforcer.Enforcer{hardening(""), hardening("city.example")}
	sessions := compiled(f, policy.Policy{
		Allow: []policy.Rule{{Category: policy.Necessary, Cookies: []string{"*"},
			RuleOptions: policy.RuleOptions{Lifetime: policy.Session}}},
		Lifetimes: policy.LifetimesEnforce,
	})
	f.Fuzz(func(t *testing.T, line, date string) {
		for _, e := range enforcers {
			for _, https := range []bool{true, false} {
				got := mended(e, https, line, http.Header{"Date": {date}})
				if got == "" {
					c, ok := wire.ParseSetCookie(line)
					if ok && len(c.Name) <= wire.MaxPair && !wire.HasControl(line) {
						t.Errorf("%q was refused", line)
					}
					continue
				}
				if again := mended(e, https, got, http.Header{"Date": {date}}); again != got {
					t.Errorf("%q became %q, and then %q", line, got, again)
				}
				checkMended(t, line, got, date, https)
			}
		}
		checkEnded(t, sessions, line, date)
	})
}

// checkMended checks a line that was mended as FuzzMend asks.
func checkMended(t *testing.T, line, got, date string, https bool) {
	before, _ := wire.ParseSetCookie(line)
	after, ok := wire.ParseSetCookie(got)
	pair := line[:len(line)-len(before.Attributes)]
	if !ok || before.Name != after.Name || before.Value != after.Value ||
		!strings.HasPrefix(got, pair) {
		t.Errorf("%q became %q, another cookie", line, got)
	}
	if was, is := untouched(line), untouched(got); !slices.Equal(was, is) {
		t.Errorf("%q became %q: other attributes were %q, and are %q", line, got, was, is)
	}
	was, is := before.ParseAttributes(), after.ParseAttributes()
	if is.Rejected && !was.Rejected {
		t.Errorf("%q became %q, which browsers reject", line, got)
	}
	if hasTab(before.Attributes) && !is.Rejected {
		t.Errorf("%q became %q, which Chromium does not reject", line, got)
	}
	clock := wire.NewClock(atNoon, []string{date})
	if was.Deletes(&clock) {
		if !is.Deletes(&clock) {
			t.Errorf("%q became %q, which is no deletion", line, got)
		}
		return
	}
	sameSite := wire.Strictness(is.SameSite)
	if !is.HTTPOnly && before.Name != "csrftoken" || is.Secure != (was.Secure || https) ||
		sameSite < wire.Strictness("lax") || sameSite < wire.Strictness(was.SameSite) {
		t.Errorf("%q became %q, and is not hardened", line, got)
	}
	hostOnly := wire.PrefixRequirements(before.Name).HostOnly
	if !hostOnly && wire.NormalDomain(is.Domain) == "portal.example.org" {
		t.Errorf("%q became %q, and has the portal's domain", line, got)
	}
	if mayExceedHour(&is) {
		t.Errorf("%q became %q, and lives longer than an hour in some browser", line, got)
	}
}

// hasTab reports whether there is a tab in the name or the value of an attribute, for which Chromium rejects
// the line. One around them is not part of them.
func hasTab(attributes string) bool {
	for attribute := range strings.SplitSeq(attributes, ";") {
		name, value, _ := strings.Cut(attribute, "=")
		if strings.Contains(wire.Trim(name), "\t") || strings.Contains(wire.Trim(value), "\t") {
			return true
		}
	}
	return false
}

// checkEnded passes one line through a policy that declares session cookies and enforces lifetimes. A
// deletion keeps its bytes; no other line outlives the browser's session, and nothing but its
// lifetimes changes.
func checkEnded(t *testing.T, e *enforcer.Enforcer, line, date string) {
	got := mended(e, true, line, http.Header{"Date": {date}})
	if got == "" {
		return // refused, as the policies of FuzzMend check
	}
	if again := mended(e, true, got, http.Header{"Date": {date}}); again != got {
		t.Errorf("%q became %q, and then %q", line, got, again)
	}
	before, _ := wire.ParseSetCookie(line)
	after, ok := wire.ParseSetCookie(got)
	if !ok || before.Name != after.Name || before.Value != after.Value {
		t.Errorf("%q became %q, another cookie", line, got)
	}
	lifetimes := regexp.MustCompile(`^[ \t]*(max-age|expires)[ \t]*(=|$)`)
	kept := func(line string) []string {
		return slices.DeleteFunc(strings.Split(line, ";")[1:], func(attribute string) bool {
			return lifetimes.MatchString(strings.ToLower(attribute))
		})
	}
	if was, is := kept(line), kept(got); !slices.Equal(was, is) {
		t.Errorf("%q became %q: other attributes were %q, and are %q", line, got, was, is)
	}
	was, is := before.ParseAttributes(), after.ParseAttributes()
	clock := wire.NewClock(atNoon, []string{date})
	lifetime, persists := is.Lifetime(noon)
	switch {
	case was.Deletes(&clock):
		if got != line {
			t.Errorf("the deletion %q became %q", line, got)
		}
	case is.Rejected != was.Rejected:
		t.Errorf("%q became %q: browsers reject only one of them", line, got)
	case persists && lifetime > 0:
		t.Errorf("%q became %q, which lives %v", line, got, lifetime)
	}
}

// mayExceedHour reports whether some browser keeps a cookie with these attributes for more than an
// hour from noon: by a number at the beginning of Max-Age, or, unless that is one in every browser,
// by Expires.
func mayExceedHour(a *wire.Attributes) bool {
	if m := plainMaxAge.FindStringSubmatch(a.MaxAge); m != nil && m[1] != "-" {
		seconds, _ := new(big.Int).SetString(m[2], 10)
		whole := m[3] == ""
		counts := whole || seconds.Cmp(big.NewInt(math.MaxInt64)) >= 0
		switch longer := seconds.Cmp(big.NewInt(60*60)) > 0; {
		case counts && longer:
			return true
		case whole && m[1] == "": // a plus is a sign to Chromium only
			return false
		}
	} else if m != nil && m[3] == "" {
		return false
	}
	expires, ok := wire.ParseDate(a.Expires)
	return ok && expires.After(noon.Add(time.Hour))
}

// mendable matches an attribute, in lower case, that mending may change.
var mendable = regexp.MustCompile(
	`^[ \t]*(max-age|expires|samesite|secure|httponly|domain)[ \t]*(=|$)`)

// untouched returns the attributes of a line that mending must not change, byte for byte.
func untouched(line string) []string {
	return slices.DeleteFunc(strings.Split(line, ";")[1:], func(attribute string) bool {
		return mendable.MatchString(strings.ToLower(attribute))
	})
}
