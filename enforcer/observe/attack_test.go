package observe_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
)

// maxClientMemory is the bound that the package states for the places of clients' names.
const maxClientMemory = 4 << 20

// site is a policy on a site, with a clock that the test sets.
type site struct {
	enforcer    *enforcer.Enforcer
	observer    *observe.Observer
	now         time.Time
	discoveries []string
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{now: noon, observer: observe.New(noon)}
	var err error
	s.enforcer, err = enforcer.Compile(policy.Policy{
		Presets: []policy.Preset{{Name: "opendatasoft"}},
		Allow:   []policy.Rule{{Category: policy.Statistical, Cookies: []string{"_pk_*"}}},
	}, func() time.Time { return s.now })
	if err != nil {
		t.Fatal(err)
	}
	s.observer.SetSites([]string{"data.city.example"})
	s.enforcer.Observe(s.observer)
	return s
}

// serve passes one request and its response through the policy.
func (s *site) serve(host, cookie string, lines ...string) {
	header := map[string][]string{"Cookie": {cookie}}
	visit := s.enforcer.Visit(enforcer.Request{Header: header, Host: host})
	visit.FilterRequest()
	visit.CompleteResponse(map[string][]string{"Set-Cookie": lines})
	discoveries := visit.End()
	for _, d := range discoveries {
		s.discoveries = append(s.discoveries, d.Name)
	}
}

// heap returns the bytes in use after a collection.
func heap() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// An attacker sends a million names, half of which a wildcard names, and as many hosts: first in
// bursts of a thousand names, then one with each request. Meanwhile a tracker that no rule names,
// one that a wildcard names, and the session arrive with 500 requests each.
func TestObserverUnderAttack(t *testing.T) {
	const bursts, slow, real = 900, 100_000, 500
	s := newSite(t)
	before := heap()
	pad := strings.Repeat("x", 80)
	madeUp := 0
	name := func() string {
		madeUp++
		return [...]string{"_pk_", "junk_"}[madeUp%2] + fmt.Sprint(madeUp) + pad + "=1"
	}
	visitors := 0
	realVisitor := func(at, of int) {
		if at%(of/(real/2)) == 0 && visitors < real {
			visitors++
			s.serve("data.city.example", "_ga=1; _pk_id.1=1; sessionid=1", "sessionid=1; Path=/")
		}
	}
	var burst strings.Builder
	for i := range bursts {
		burst.Reset()
		for range 1000 {
			burst.WriteString(name())
			burst.WriteString("; ")
		}
		s.serve(fmt.Sprintf("host%d.example", i), burst.String())
		s.now = s.now.Add(10 * time.Millisecond)
		realVisitor(i, bursts)
	}
	for i := range slow {
		s.serve(fmt.Sprintf("%d.data.city.example", i), name())
		s.now = s.now.Add(time.Second)
		realVisitor(i, slow)
	}
	s.serve("data.city.example", "", "late=1; Path=/", "_pk_late=1")
	if grown := heap() - before; grown > maxClientMemory {
		t.Errorf("the Observer grew by %d bytes", grown)
	}
	if madeUp != 1_000_000 || visitors != real {
		t.Fatalf("%d names and %d visitors are not the attack", madeUp, visitors)
	}

	items := map[string]report.Item{}
	for _, item := range report.NewInventory(s.enforcer.Policy(), s.observer, s.now).Cookies {
		items[item.Channel+" "+item.Name] = item
		for _, host := range item.Hosts {
			if host != "data.city.example" && host != observe.OtherHost {
				t.Errorf("%s was met at %s", item.Name, host)
			}
		}
	}
	for name, want := range map[string]uint64{
		"set sessionid": real, "read sessionid": real, "set late": 1, "set _pk_late": 1,
	} {
		if item := items[name]; item.Count != want || item.Missed != 0 {
			t.Errorf("%s: %+v, want %d", name, item, want)
		}
	}
	for _, name := range []string{"read _ga", "read _pk_id.1"} {
		if item := items[name]; item.Count > real || item.Count+item.Missed < real {
			t.Errorf("%s came %d times: %+v", name, real, item)
		}
	}
	var drift []string
	for _, f := range report.NewDrift(s.enforcer.Policy(), s.observer, s.now).Findings {
		if f.Kind == report.Unlisted {
			drift = append(drift, f.Cookie)
		}
	}
	if want := []string{"_ga", "late"}; !slices.Equal(drift, want) {
		t.Errorf("in drift are %q, want %q", drift, want)
	}
	if want := []string{"_ga", "late"}; !slices.Equal(s.discoveries, want) {
		t.Errorf("reported were %q, want %q", s.discoveries, want)
	}
	if n := report.CountUnlisted(s.enforcer.Policy(), s.observer); n != 2 {
		t.Errorf("%d unlisted names", n)
	}
}

// An attacker who repeats names gets at most ten of them into the log in a minute.
func TestObserverLimitsWarnings(t *testing.T) {
	s := newSite(t)
	var names [4]string
	for i := range 4 {
		for j := range observe.NamesPerRequest {
			names[i] += fmt.Sprintf("junk%d_%d=1; ", i, j)
		}
	}
	for minute := 1; minute <= 5; minute++ {
		for range 100 {
			for _, cookie := range names {
				s.serve("data.city.example", cookie)
			}
		}
		if n := len(s.discoveries); n != 10*minute {
			t.Errorf("%d names were reported in %d minutes", n, minute)
		}
		s.now = s.now.Add(time.Minute)
	}
	sorted := slices.Sorted(slices.Values(s.discoveries))
	if len(slices.Compact(sorted)) != len(s.discoveries) {
		t.Errorf("a name was reported twice: %q", s.discoveries)
	}
}

// More names than one request can bring in are counted as overflow, and names that have a place of
// their own are counted behind them all the same.
func TestObserverNamesPerRequest(t *testing.T) {
	s := newSite(t)
	var cookie strings.Builder
	for i := range observe.NamesPerRequest + 36 {
		fmt.Fprintf(&cookie, "junk%d=1; ", i)
	}
	s.serve("data.city.example", cookie.String()+"sessionid=1")
	inventory := report.NewInventory(s.enforcer.Policy(), s.observer, s.now)
	if n := len(inventory.Cookies); n != observe.NamesPerRequest+1 || inventory.Overflow != 36 {
		t.Errorf("%d names, and %d without a place", n, inventory.Overflow)
	}
}
