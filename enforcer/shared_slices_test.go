package enforcer_test

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// A handler may serve the same slices to many visitors, such as a cache or one with variables of
// its package. They are never changed, and each visitor gets the lines of their own choice. Run it
// under the race detector.
func TestSharedSlices(t *testing.T) {
	lines := []string{
		"first=1", "sessionid=1; Domain=portal.example.org; Max-Age=7200; SameSite=None", "_ga=1",
		"stray=1", "sessionid=2; Path=/", "_pk_id=1", "_ga=; Max-Age=0",
	}
	shared := map[string][]string{
		"Set-Cookie": append(slices.Clone(lines), "behind the length")[:len(lines)],
		"set-cookie": {"_ga=2", "sessionid=3"}, "Vary": {"Accept", "Origin"},
		"Cache-Control": {"public, max-age=60"}, "Content-Type": {"text/html"},
		"cdn-cache-control": {"max-age=60"},
	}
	requested := []string{"_ga=1; sessionid=1", "_pk_id=1"}
	unchanged := fmt.Sprintf("%q %q", shared, requested)
	p := tracking(policy.RuleOptions{Consent: []string{"stats"}, MaxAge: day}, "_ga", "_pk_*")
	p.Allow[0].RuleOptions = policy.RuleOptions{
		MaxAge: policy.Duration(60 * 60 * 1e9), Secure: true, SameSite: policy.SameSiteLax,
	}
	p.RewriteDomain = []policy.Rewrite{{From: "portal.example.org", To: "city.example"}}
	e, _ := observed(t, p)
	const session = "sessionid=1; Domain=city.example; Max-Age=3600; SameSite=Lax; Secure"
	const other = "sessionid=2; Path=/; SameSite=Lax; Secure"
	var wg sync.WaitGroup
	for visitor := range 8 {
		wg.Go(func() {
			preference, want := `prefs={"stats":true}`, []string{
				session, "_ga=1", other, "_pk_id=1", "_ga=; Max-Age=0",
			}
			if visitor%2 == 1 {
				preference, want = `prefs={"stats":false}`, []string{session, other, "_ga=; Max-Age=0"}
			}
			for range 200 {
				header := http.Header{}
				for key, values := range shared {
					header[key] = values
				}
				visit := e.Visit(enforcer.Request{
					Header: http.Header{"Cookie": append(slices.Clip(requested), preference)},
					Host:   "data.city.example", HTTPS: true,
				})
				visit.FilterRequest()
				visit.FilterResponse(header)
				visit.CompleteResponse(header)
				visit.End()
				got := header["Set-Cookie"]
				if len(got) < len(want) || !slices.Equal(got[:len(want)], want) {
					t.Errorf("visitor %d got %q, want %q", visitor, got, want)
					return
				}
			}
		})
	}
	wg.Wait()
	if now := fmt.Sprintf("%q %q", shared, requested); now != unchanged {
		t.Errorf("the slices were\n%s\nand are\n%s", unchanged, now)
	}
	if behind := shared["Set-Cookie"][:len(lines)+1][len(lines)]; behind != "behind the length" {
		t.Errorf("behind the length of the slice: %q", behind)
	}
}
