package observe_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/wire"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

var noon = time.Date(2026, time.January, 15, 12, 0, 0, 0, time.UTC)

// sighting returns what an Observer knows of a name on a side.
func sighting(o *observe.Observer, channel observe.Channel, name string) (s observe.Sighting, met bool) {
	for _, s := range o.Sightings() {
		if s.Name == name && s.Channel == channel {
			return s, true
		}
	}
	return s, false
}

// meetOnce counts one request of a client with a name that no rule names.
func meetOnce(o *observe.Observer, name string, now time.Time) (tell bool, requests uint64) {
	tell, requests, _ = o.CountClient(observe.ClientCookie{
		Name: observe.Name{Text: name}, Verdict: observe.Refused, Site: observe.OtherHost,
		Visit: o.NewVisit(), Now: now,
	})
	return tell, requests
}

// Of a name with a counter the true number of requests is between those that were counted and these
// plus those that may have been missed. A name with more than its share of the requests has a
// counter.
func TestClientCountsAreBounded(t *testing.T) {
	o := observe.New(noon)
	random := rand.New(rand.NewPCG(1, 2))
	zipf := rand.NewZipf(random, 1.2, 1, 100_000)
	want := map[string]uint64{}
	const requests = 60_000
	for range requests {
		name := fmt.Sprint(zipf.Uint64())
		want[name]++
		meetOnce(o, name, noon)
	}
	missed, found := 0, map[string]bool{}
	for _, s := range o.Sightings() {
		n := s.Counts.Total(observe.Enforce)
		if n > want[s.Name] || n+s.Missed < want[s.Name] {
			t.Errorf("%s came %d times: %d, and %d missed", s.Name, want[s.Name], n, s.Missed)
		}
		if s.Missed > 0 {
			missed++
		}
		found[s.Name] = true
	}
	if len(want) < 4096+1000 || len(found) != 4096 || missed == 0 {
		t.Errorf("of %d names %d have a place, %d with an error", len(want), len(found), missed)
	}
	for name, n := range want {
		if n > requests/(4096/16) && !found[name] {
			t.Errorf("%s, which came %d times, has no place", name, n)
		}
	}
}

// When the portal sets a name, what was known of it from clients is kept, in a place of its own.
func TestReadEntryTakesOver(t *testing.T) {
	o := observe.New(noon)
	name := observe.Name{Text: "stray"}
	if o.ReadEntry(name, noon) != nil {
		t.Fatal("a client's name has a place of its own")
	}
	for i := range 30 {
		meetOnce(o, "stray", noon.Add(time.Duration(i)*time.Second))
	}
	o.CountExpired(name, observe.Report)
	later := noon.Add(time.Hour)
	o.SetEntry(name, later)
	entry := o.ReadEntry(name, later)
	if entry == nil {
		t.Fatal("a name that the portal set has no place")
	}
	p := o.Acquire()
	at := observe.NewMoment(later)
	entry.Count(p, observe.Enforce, observe.LetThrough, &at)
	o.Release(p)
	s, _ := sighting(o, observe.Read, "stray")
	want := observe.Counts{{1, 30, 0, 0}, {0, 0, 0, 1}}
	if s.Counts != want || !s.First.Equal(noon) || !s.Last.Equal(later) || !s.Established {
		t.Errorf("got %+v", s)
	}
	if n := len(o.Sightings()); n != 2 {
		t.Errorf("%d sightings of one name", n)
	}
}

func TestObserverSite(t *testing.T) {
	o := observe.New(noon)
	if got := o.Site("data.city.example"); got != observe.OtherHost {
		t.Errorf("without sites: %s", got)
	}
	sites := []string{"*.city.example", "data.city.example", "city.example", "*.*.deep.example", "192.0.2.7"}
	o.SetSites(sites)
	sites[0] = "changed"
	for host, want := range map[string]string{
		"data.city.example":         "data.city.example",
		"DATA.City.example:8443":    "data.city.example",
		"open.city.example":         "*.city.example",
		"a.open.city.example":       observe.OtherHost,
		"city.example":              "city.example",
		"xcity.example":             observe.OtherHost,
		"city.example.evil.example": observe.OtherHost,
		"192.0.2.7:80":              "192.0.2.7",
		"x;=1+1":                    observe.OtherHost,
		"":                          observe.OtherHost,
		strings.Repeat("x", 1<<16):  observe.OtherHost,
	} {
		if got := o.Site(host); got != want {
			t.Errorf("%.50s is served by %s, want %s", host, got, want)
		}
	}
}

// A long name is kept cut, or under the wildcard that names it. Names without a text share an entry.
func TestEntryLongNames(t *testing.T) {
	long := strings.Repeat("x", 3*wire.MaxWord)
	for _, c := range []struct {
		name observe.Name
		want string
	}{
		{observe.Name{Text: long}, long[:wire.MaxWord] + "…"},
		{observe.Name{Text: long[:wire.MaxWord]}, long[:wire.MaxWord]},
		{observe.Name{Text: "_pk_" + long, Kind: observe.Wildcard, Pattern: "_pk_*"}, "_pk_*"},
		{observe.Name{Text: "_pk_id", Kind: observe.Wildcard, Pattern: "_pk_*"}, "_pk_id"},
		{observe.Name{Text: long, Kind: observe.Exact}, long},
		{observe.Name{}, observe.Nameless},
	} {
		o := observe.New(noon)
		entry := o.SetEntry(c.name, noon)
		if entry == nil || o.SetEntry(c.name, noon) != entry || o.ReadEntry(c.name, noon) == nil {
			t.Errorf("%.20q has no place", c.name.Text)
		}
		for _, channel := range []observe.Channel{observe.Set, observe.Read} {
			if _, met := sighting(o, channel, c.want); !met {
				t.Errorf("%.20q on %s is not kept as %.20q", c.name.Text, channel, c.want)
			}
		}
	}
}

// A thousand names of the portal that no rule names have places, and a thousand that wildcards
// name. Names that rules name in full always have theirs.
func TestSetEntryBounds(t *testing.T) {
	for kind, want := range map[observe.Kind]int{
		observe.Unknown: 1000, observe.Wildcard: 1000, observe.Exact: 1500,
	} {
		o := observe.New(noon)
		n := 0
		for i := range 1500 {
			name := observe.Name{Text: fmt.Sprint(i), Kind: kind, Pattern: "*"}
			if o.SetEntry(name, noon) != nil {
				n++
			}
		}
		if n != want {
			t.Errorf("kind %d: %d names have a place, want %d", kind, n, want)
		}
		if o.SetEntry(observe.Name{}, noon) == nil {
			t.Errorf("kind %d: names without a text have no place", kind)
		}
	}
}

// The memory for a name does not grow with the number of processors.
func TestEntryMemory(t *testing.T) {
	perName := func(processors int) int64 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
		o := observe.New(noon)
		before := heap()
		for i := range 1000 {
			o.SetEntry(observe.Name{Text: fmt.Sprintf("name%d", i)}, noon)
		}
		grown := heap() - before
		runtime.KeepAlive(o)
		return grown / 1000
	}
	one, many := perName(1), perName(64)
	if many > one+one/4 || many > 2048 {
		t.Errorf("a name takes %d bytes on one processor, and %d on 64", one, many)
	}
}

func TestVerdictWord(t *testing.T) {
	for mode, want := range map[observe.Mode][]string{
		observe.Enforce: {"let_through", "refused", "deletion", "expired"},
		observe.Report:  {"let_through", "would_refuse", "deletion", "would_expire"},
	} {
		for i, verdict := range []observe.Verdict{
			observe.LetThrough, observe.Refused, observe.Deletion, observe.Expired,
		} {
			if got := verdict.Word(mode); got != want[i] {
				t.Errorf("in mode %s: %s, want %s", mode, got, want[i])
			}
		}
	}
	if observe.Enforce.String() != policy.ModeEnforce || observe.Report.String() != policy.ModeReport {
		t.Error("the modes have other words than those of a policy")
	}
}

// Every verdict that there can be is listed, also those that did not happen, in both modes.
func TestVerdictsOfNothing(t *testing.T) {
	o := observe.New(noon)
	for _, mode := range []observe.Mode{observe.Enforce, observe.Report} {
		var got []string
		o.Verdicts(mode, func(channel observe.Channel, c policy.Category, v observe.Verdict, n uint64) {
			if n != 0 {
				t.Errorf("%s %s %s: %d", channel, c, v.Word(mode), n)
			}
			got = append(got, fmt.Sprint(channel, c, v))
		})
		if len(slices.Compact(slices.Sorted(slices.Values(got)))) != 5*3+5*2+3 {
			t.Errorf("got %q", got)
		}
	}
	if n, last := o.Requests(); n != 0 || !last.IsZero() || o.Overflow() != 0 || len(o.Sightings()) != 0 {
		t.Errorf("%d requests, the last at %v", n, last)
	}
	if !o.Since().Equal(noon) {
		t.Errorf("began at %v", o.Since())
	}
}

// The states of a preference are listed in the order of package consent.
func TestPreferences(t *testing.T) {
	o := observe.New(noon)
	p := o.Acquire()
	p.CountPreference(2)
	o.Release(p)
	var got []string
	o.Preferences(func(state policy.PreferenceState, n uint64) {
		got = append(got, fmt.Sprint(state, " ", n))
	})
	want := []string{"none 0", "too_old 0", "valid 1", "unreadable 0", "contradictory 0"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
