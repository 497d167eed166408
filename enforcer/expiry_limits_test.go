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

// An expiry is added once, however often the header is filtered.
func TestExpiryOncePerResponse(t *testing.T) {
	e := compiled(t, tracking(policy.RuleOptions{}, "_ga"))
	visit := e.Visit(enforcer.Request{Header: navigation("_ga=1"), Host: "localhost"})
	visit.FilterRequest()
	response := http.Header{"Link": {"</style.css>; rel=preload"}}
	visit.FilterResponse(response) // an early hint: no browser takes its cookies
	if got := response["Set-Cookie"]; got != nil {
		t.Errorf("an informational response got %q", got)
	}
	for range 3 {
		visit.CompleteResponse(response)
	}
	if got := response["Set-Cookie"]; len(got) != 1 {
		t.Errorf("got %q", got)
	}
	// Another response of the same visit, as an error route writes it: it has been said.
	other := http.Header{}
	visit.CompleteResponse(other)
	if got := other["Set-Cookie"]; got != nil {
		t.Errorf("and again %q", got)
	}
}

// Of two nested handlers, the inner one does not see what the outer one removed from the request,
// and the outer one adds no line for a name that has one.
func TestExpiryByTwoPolicies(t *testing.T) {
	google, all := compiled(t, tracking(policy.RuleOptions{}, "_ga")), compiled(t,
		tracking(policy.RuleOptions{}, "_ga", "_pk_id"))
	for _, nested := range [][2]*enforcer.Enforcer{{google, all}, {all, google}, {all, all}} {
		header := navigation("_ga=1; _pk_id=1; sessionid=1")
		r := enforcer.Request{Header: header, Host: "localhost"}
		outer := nested[0].Visit(r)
		outer.FilterRequest()
		inner := nested[1].Visit(r)
		inner.FilterRequest()
		response := http.Header{}
		inner.CompleteResponse(response)
		outer.CompleteResponse(response)
		checkLimits(t, response["Set-Cookie"])
		if !slices.Contains(response["Set-Cookie"], "_ga=; Path=/"+expired) {
			t.Errorf("got %q", response["Set-Cookie"])
		}
	}
}

// checkLimits checks the limits of what one response may have.
func checkLimits(t *testing.T, lines []string) {
	t.Helper()
	size := 0
	for _, line := range lines {
		size += len("Set-Cookie: ") + len(line) + len("\r\n")
	}
	if len(lines) > 20 || size > 4096 {
		t.Errorf("%d lines of %d bytes", len(lines), size)
	}
	if sorted := slices.Sorted(slices.Values(lines)); len(slices.Compact(sorted)) != len(lines) {
		t.Errorf("a line comes twice in %q", lines)
	}
}

// What has no room in one response is removed by the next ones. Each cookie of this jar has one
// variant, which one of the lines removes.
func TestExpiryOfManyCookies(t *testing.T) {
	for _, c := range []struct {
		what    string
		cookies int
		length  int // of their names
		options policy.RuleOptions
	}{
		{"a few", 3, 8, policy.RuleOptions{}},
		{"as many as fit", 5, 8, policy.RuleOptions{}},
		{"one more", 6, 8, policy.RuleOptions{}},
		{"as many as browsers store", 180, 8, policy.RuleOptions{}},
		{"long names", 12, 600, policy.RuleOptions{}},
		{"very long names", 3, 3800, policy.RuleOptions{}},
		{"more variants than lines", 2, 8, policy.RuleOptions{Path: []string{"/", "/a", "/b", "/c",
			"/d", "/e", "/f"}, Domain: []string{"city.example"}}},
	} {
		t.Run(c.what, func(t *testing.T) {
			clock := noon
			e, err := enforcer.Compile(tracking(c.options, "t_*"),
				func() time.Time { return clock })
			if err != nil {
				t.Fatal(err)
			}
			jar := map[string]string{} // the line that removes it, by name
			var names []string
			for i := range c.cookies {
				name := fmt.Sprintf("t_%03d", i)
				name += strings.Repeat("x", c.length-len(name))
				names = append(names, name)
				// Now a variant of the host alone at the first path, now a partitioned one of the
				// domain at the last.
				jar[name] = name + "=; Path=/" + expired + "; Secure; SameSite=None"
				if paths := c.options.Path; i%2 == 1 && len(paths) > 0 {
					jar[name] = name + "=; Path=" + paths[len(paths)-1] + "; Domain=city.example" +
						expired + "; Secure; SameSite=None; Partitioned"
				}
			}
			responses := 0
			for ; len(jar) > 0 && responses < 1000; responses++ {
				var cookies []string
				for _, name := range names {
					if _, ok := jar[name]; ok {
						cookies = append(cookies, name+"=1")
					}
				}
				lines := respond(e, enforcer.Request{Header: navigation(strings.Join(cookies,
					"; ")), Host: "data.city.example", HTTPS: true}, http.Header{})
				checkLimits(t, lines)
				for _, line := range lines {
					name, _, _ := strings.Cut(line, "=")
					if jar[name] == line {
						delete(jar, name)
					}
				}
				clock = clock.Add(time.Second)
			}
			if len(jar) > 0 {
				t.Errorf("%d of %d cookies are left after %d responses", len(jar), c.cookies,
					responses)
			}
			if c.cookies <= 5 && c.length < 100 && c.options.Path == nil && responses != 1 {
				t.Errorf("%d cookies took %d responses", c.cookies, responses)
			}
		})
	}
}

// A cookie that no line reaches, at a path of its own, does not keep the others in the browser.
func TestExpiryOfUnreachableCookie(t *testing.T) {
	clock := noon
	e, err := enforcer.Compile(tracking(policy.RuleOptions{}, "t_*", "_ga"),
		func() time.Time { return clock })
	if err != nil {
		t.Fatal(err)
	}
	var cookies []string
	for i := range 15 {
		cookies = append(cookies, fmt.Sprintf("t_%d=1", i))
	}
	cookies = append(cookies, "t_"+strings.Repeat("x", 4000)+"=1", "_ga=1")
	for range 100 {
		lines := respond(e, enforcer.Request{Header: navigation(strings.Join(cookies, "; ")),
			Host: "data.city.example", HTTPS: true}, http.Header{})
		checkLimits(t, lines)
		if slices.Contains(lines, "_ga=; Path=/"+expired+"; Secure; SameSite=None") {
			return
		}
		clock = clock.Add(time.Second)
	}
	t.Error("_ga was never removed")
}

// Lines are added to the response, and not to the capacity of the handler's slice.
func TestExpiryDoesNotWriteBehindSlice(t *testing.T) {
	e := compiled(t, tracking(policy.RuleOptions{}, "_ga"))
	lines := []string{"sessionid=1", "of another response"}
	got := respond(e, enforcer.Request{Header: navigation("_ga=1"), Host: "localhost"},
		http.Header{"Set-Cookie": lines[:1]})
	if len(got) != 2 || got[0] != "sessionid=1" || lines[1] != "of another response" {
		t.Errorf("got %q, and %q behind it", got, lines[1])
	}
}
