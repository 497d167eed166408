package observe_test

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
)

// restarted returns the site as a process that was restarted has it: with a new Observer that took over
// what the one before wrote as JSON.
func (s *site) restarted(t *testing.T) *site {
	t.Helper()
	after := newSite(t)
	after.now = s.now.Add(time.Minute)
	after.observer.Restore(written(t, s.observer), after.now)
	return after
}

// written returns the Observer's state after it was JSON.
func written(t *testing.T, o *observe.Observer) *observe.State {
	t.Helper()
	b, err := json.Marshal(o.State())
	if err != nil {
		t.Fatal(err)
	}
	var state observe.State
	if err := json.Unmarshal(b, &state); err != nil {
		t.Fatalf("%v in %s", err, b)
	}
	return &state
}

// sorted returns the Observer's state with its names in order.
func sorted(o *observe.Observer) observe.State {
	s := o.State()
	for _, names := range [...]observe.Names{s.Set, s.Read, s.Unlisted, s.Listed} {
		slices.SortFunc(names, func(a, b observe.NameState) int { return strings.Compare(string(a.Name), string(b.Name)) })
	}
	return s
}

// served returns a site that has met names of all kinds, on all channels.
func served(t *testing.T) *site {
	t.Helper()
	s := newSite(t)
	for range 4 {
		for range 60 {
			s.serve("data.city.example", "_ga=1; sessionid=2; _pk_id.1=3; rare=4; \xff\xfe=5; base64:x=6; late=7",
				"sessionid=1; Path=/; HttpOnly", "hit=2; Domain=.city.example; Path=/p; Max-Age=86400; SameSite=odd",
				"_pk_ses=1; Secure; Max-Age=60", "late=1", "=nameless")
			s.now = s.now.Add(time.Second)
		}
		s.now = s.now.Add(24 * time.Hour)
	}
	s.observer.CountSaved("matomo", true)
	s.observer.CountSaved("matomo", false)
	s.observer.CountSaved("matomo", false)
	return s
}

// After a restart everything that was counted and met is there, and goes on from there.
func TestStateSurvivesRestart(t *testing.T) {
	before := served(t)
	after := before.restarted(t)
	want, got := sorted(before.observer), sorted(after.observer)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
	inventory := func(s *site) any {
		return report.NewInventory(s.enforcer.Policy(), s.observer, noon).Cookies
	}
	if got, want := asJSON(t, inventory(after)), asJSON(t, inventory(before)); got != want {
		t.Errorf("the inventory is\n%s\nand was\n%s", got, want)
	}
	if got, want := after.observer.Saved("matomo"), (observe.SavedAnswers{Granted: 1, Refused: 2}); got != want {
		t.Errorf("saved were %+v", got)
	}
	if len(want.Set) < 5 || len(want.Read) < 2 || len(want.Unlisted) < 3 || len(want.Listed) < 1 {
		t.Errorf("this tests too little: %+v", want)
	}

	after.serve("data.city.example", "_ga=1; sessionid=2", "hit=2")
	requests, last := after.observer.Requests()
	if n, _ := before.observer.Requests(); requests != n+1 || !last.Equal(after.now.Truncate(time.Second)) {
		t.Errorf("%d requests, the last at %v", requests, last)
	}
}

// No name that was reported before a restart is reported after it, and one that had to wait is.
func TestStateKeepsWhatWasReported(t *testing.T) {
	s := newSite(t)
	for range 99 {
		s.serve("data.city.example", "_ga=1; campaign=1", "hit=1")
	}
	s.serve("data.city.example", "_ga=1", "hit=1")
	want := []string{"hit", "_ga"}
	if !slices.Equal(s.discoveries, want) {
		t.Fatalf("reported were %q, want %q", s.discoveries, want)
	}
	after := s.restarted(t)
	after.serve("data.city.example", "_ga=1; campaign=1", "hit=1", "new=1")
	if want := []string{"campaign", "new"}; !slices.Equal(after.discoveries, want) {
		t.Errorf("after the restart reported were %q, want %q", after.discoveries, want)
	}
}

// While what was met before is not restored, no name is reported; those that had to wait come later.
func TestHold(t *testing.T) {
	before := newSite(t)
	before.serve("data.city.example", "", "known=1")
	after := newSite(t)
	after.observer.Hold()
	after.serve("data.city.example", "", "known=1", "new=1")
	if len(after.discoveries) > 0 {
		t.Errorf("reported were %q", after.discoveries)
	}
	after.observer.Restore(written(t, before.observer), noon)
	after.observer.Resume()
	after.serve("data.city.example", "", "known=1", "new=1")
	if want := []string{"new"}; !slices.Equal(after.discoveries, want) {
		t.Errorf("reported were %q, want %q", after.discoveries, want)
	}
}

// What is restored while requests are counted is added to what they counted.
func TestRestoreAdds(t *testing.T) {
	before, after := served(t), served(t)
	after.observer.Restore(written(t, before.observer), after.now)
	state := after.observer.State()
	if want := 2 * before.observer.State().Requests; state.Requests != want {
		t.Errorf("%d requests, want %d", state.Requests, want)
	}
	for _, s := range after.observer.Sightings() {
		for _, b := range before.observer.Sightings() {
			if s.Name == b.Name && s.Channel == b.Channel &&
				s.Counts.Total(observe.Enforce) != 2*b.Counts.Total(observe.Enforce) {
				t.Errorf("%s %s: %v, and before %v", s.Channel, s.Name, s.Counts, b.Counts)
			}
		}
	}
}

// What no Observer can have written does not panic, does not exceed its bounds, and leaves it usable.
func TestRestoreForged(t *testing.T) {
	huge := map[string]uint64{"let_through": math.MaxUint64, "refused": math.MaxUint64, "no such word": 1}
	many := func(n int) (names []observe.NameState) {
		pad := strings.Repeat("x", 80)
		for i := range n {
			words := make([]observe.Text, 10)
			for j := range words {
				words[j] = observe.Text(fmt.Sprint(i, j, pad))
			}
			names = append(names, observe.NameState{Name: observe.Text(fmt.Sprint(pad, i)), Kind: "exact",
				First: math.MinInt64, Last: math.MaxInt64, Missed: math.MaxUint64, Requests: math.MaxUint64,
				Enforce: huge, Report: huge, Days: math.MinInt, Longest: math.MaxInt64,
				Hosts: words, Domains: words, Paths: words, SameSite: words})
		}
		return names
	}
	odd := []observe.NameState{{}, {Name: "a\nb"}, {Name: observe.Text(strings.Repeat("x", 5000))},
		{Name: "ok", Kind: "no such kind"}, {Name: "negative", Days: -1, Longest: -1}}
	for what, state := range map[string]observe.State{
		"numbers": {Since: math.MinInt64, Last: math.MaxInt64, Counters: observe.Counters{
			Requests: math.MaxUint64, Overflow: math.MaxUint64,
			Verdicts:    map[string]uint64{"enforce/set/unlisted/refused": math.MaxUint64, "a/b/c/d": 1, "": 2},
			Preferences: map[string]uint64{"valid": math.MaxUint64, "odd": 1},
			Saved:       map[string]uint64{"granted/k": math.MaxUint64, "undecided/k": 1, "k": 1, "": 1}}},
		"times": {Since: math.MaxInt64, Last: math.MinInt64},
		"names": {Set: odd, Read: odd, Unlisted: odd, Listed: odd},
	} {
		s := newSite(t)
		for range 3 {
			s.observer.Restore(&state, noon)
		}
		s.serve("data.city.example", "ok=1; negative=1", "ok=1; Path=/")
		got := s.observer.State()
		if got.Requests == 0 || got.Since > noon.UnixMilli() || got.Last != noon.Unix() {
			t.Errorf("%s: %+v", what, got)
		}
		if _, met := sighting(s.observer, observe.Set, "ok"); !met {
			t.Errorf("%s: what was served is not in the inventory", what)
		}
	}

	state := observe.State{Set: many(8000), Unlisted: many(8000)}
	state.Read, state.Listed = state.Set, state.Unlisted
	before := heap()
	s := newSite(t)
	s.observer.Restore(&state, noon)
	grown := heap() - before
	runtime.KeepAlive(&state)
	if grown > 64<<20 { // 16,000 names with up to 32 texts each
		t.Errorf("the Observer has grown by %d bytes", grown)
	}
	got := s.observer.State()
	if len(got.Set) > 6000 || len(got.Read) > 6000 || len(got.Unlisted) > 4096 || len(got.Listed) > 1024 {
		t.Errorf("%d, %d, %d and %d names are kept", len(got.Set), len(got.Read), len(got.Unlisted), len(got.Listed))
	}
	runtime.KeepAlive(s)
}

// Numbers that are restored and written again and again stay what they are.
func TestCountersSince(t *testing.T) {
	o := served(t).observer
	earlier := o.Counters()
	o.Acquire().Count(observe.Report, observe.Read, observe.UnlistedIndex, observe.Refused)
	got := o.Counters().Since(earlier)
	want := observe.Counters{Verdicts: map[string]uint64{"report/read/unlisted/would_refuse": 1}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if d := earlier.Since(o.Counters()); !reflect.DeepEqual(d, observe.Counters{}) {
		t.Errorf("numbers went down: %+v", d)
	}
	sum := earlier.Since(observe.Counters{})
	sum.Add(got)
	if !reflect.DeepEqual(sum, o.Counters()) {
		t.Errorf("the sum is %+v, want %+v", sum, o.Counters())
	}
	mode, channel, category, verdict := observe.CutVerdictKey(
		observe.VerdictKey(observe.Report, observe.Expire, policy.ThirdParty, observe.Expired))
	if mode+channel+category+verdict != "reportexpirethird_partywould_expire" {
		t.Errorf("got %s %s %s %s", mode, channel, category, verdict)
	}
}

func FuzzRestore(f *testing.F) {
	f.Add(`{"since":1,"requests":3,"set":[{"name":"a","first":1,"last":2}],"unlisted":[{"name":"base64:/w=="}]}`)
	f.Add(`{"verdicts":{"enforce/set/unlisted/refused":18446744073709551615},"saved":{"granted/":1}}`)
	f.Fuzz(func(t *testing.T, text string) {
		var state observe.State
		if json.Unmarshal([]byte(text), &state) != nil {
			return
		}
		o := observe.New(noon)
		o.Restore(&state, noon)
		again := written(t, o)
		second := observe.New(noon)
		second.Restore(again, noon)
		if got, want := sorted(second), sorted(o); !reflect.DeepEqual(got, want) {
			t.Errorf("got\n%+v\nwant\n%+v", got, want)
		}
	})
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
