package evidence

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
)

// ask returns a question to a gateway.
func (g *gateway) ask() *Question {
	return &Question{Policy: g.enforcer.Policy(), Own: g.keeper.Record(*g.now), Storage: g.storage, Now: *g.now}
}

// One gateway answers for all: for one that runs, one that has another policy, one that crashed, and one
// that stopped; not for what cannot be read, which it tells.
func TestQuestionFleet(t *testing.T) {
	storage, now := newDirectory(t), noon
	dead := start(t, storage, "dead-0", &now, "old")
	dead.serve("old=1", "_ga=1")
	now = parse(t, "12:01")
	dead.write()
	now = parse(t, "12:30")
	stopped := start(t, storage, "stopped-0", &now, "sessionid")
	stopped.serve("sessionid=1")
	now = parse(t, "12:31")
	if _, _, err := stopped.keeper.Write(t.Context(), storage, "test", now, true); err != nil {
		t.Fatal(err)
	}
	now = parse(t, "12:31")
	own := start(t, storage, "own-0", &now, "sessionid")
	now = parse(t, "12:32")
	other := start(t, storage, "other-0", &now, "sessionid", "beta")
	other.serve("sessionid=1", "beta=1")
	other.write()
	own.serve("sessionid=1", "_ga=1")
	own.write()
	own.serve("sessionid=1") // which is not written yet
	for name, content := range map[string]string{"torn-0": "{", "newer-0": `{"version":9,"policy":"city"}`} {
		if err := storage.Store(t.Context(), key("city", name), compressed(t, content)); err != nil {
			t.Fatal(err)
		}
	}

	inventory, err := own.ask().Inventory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, i := range inventory.Instances {
		got = append(got, fmt.Sprintf("%s %t %t %s %s %d", i.Instance, i.Self, i.Live,
			i.Written.Format("15:04"), i.Digest[:4], i.Requests))
	}
	var digests []string
	for _, g := range []*gateway{dead, own, other} {
		digests = append(digests, g.enforcer.Policy().Digest()[:4])
	}
	want := []string{
		"dead-0 false false 12:01 " + digests[0] + " 1",
		"other-0 false true 12:32 " + digests[2] + " 1",
		"own-0 true true 12:32 " + digests[1] + " 2",
		"stopped-0 false false 12:31 " + digests[1] + " 1",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the instances are %q, want %q", got, want)
	}
	if text := strings.Join(inventory.Problems, "\n"); len(inventory.Problems) != 2 ||
		!strings.Contains(text, "torn-0") || !strings.Contains(text, "format 9") {
		t.Errorf("the problems are %q", inventory.Problems)
	}
	counts := map[string]uint64{}
	for _, item := range inventory.Cookies {
		counts[item.Channel+" "+item.Name+" "+item.Digest[:4]+" "+string(item.Category)] = item.Count
	}
	if counts["set sessionid "+digests[1]+" necessary"] != 3 || counts["set sessionid "+digests[2]+" necessary"] != 1 ||
		counts["set _ga "+digests[1]+" unlisted"] != 2 || counts["set old "+digests[1]+" unlisted"] != 1 {
		t.Errorf("counted are %v", counts)
	}
	drift, err := own.ask().Drift(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, f := range drift.Findings {
		kinds = append(kinds, f.Kind+" "+f.Cookie)
	}
	for _, want := range []string{report.Differs + " ", "unlisted old", "unlisted _ga"} {
		if !slices.Contains(kinds, want) {
			t.Errorf("the findings are %q, and not %q", kinds, want)
		}
	}

	answer, err := own.ask().Report(t.Context(), "2026-01-14", "2026-01-15")
	if err != nil {
		t.Fatal(err)
	}
	wantGaps := []Gap{{parse(t, "12:01"), parse(t, "12:30")}}
	if !slices.Equal(answer.Gaps, wantGaps) || len(answer.Days) != 1 || answer.Days[0].Requests != 5 ||
		answer.Totals.Requests != 5 || len(answer.Chains) != 4 || answer.Scope != ScopeFleet {
		t.Errorf("got %s", asJSON(t, answer))
	}
	var periods []string
	for _, p := range answer.InForce {
		periods = append(periods, p.Digest[:4]+" "+p.Since.Format("15:04")+" "+fmt.Sprint(p.Until.IsZero()))
	}
	want = []string{digests[0] + " 12:00 false", digests[1] + " 12:30 true", digests[2] + " 12:32 true"}
	if !slices.Equal(periods, want) {
		t.Errorf("in force were %q, want %q", periods, want)
	}
	if c := answer.InForce[1].Changes; !slices.Contains(c, "added: allow necessary sessionid") ||
		len(answer.InForce[1].Policy) == 0 {
		t.Errorf("the changes are %q", c)
	}

	alone := own.ask()
	alone.Storage = nil
	if i, err := alone.Inventory(t.Context()); err != nil || i.Scope != ScopeInstance || len(i.Instances) != 1 {
		t.Errorf("alone it answers %+v, %v", i.About, err)
	}
}

// A report is about its days, and counts modes apart.
func TestQuestionReportDays(t *testing.T) {
	storage, now := newDirectory(t), noon
	g := start(t, storage, "one-0", &now, "sessionid")
	for day := range 5 {
		mode := policy.ModeEnforce
		if day >= 3 {
			mode = policy.ModeReport
		}
		p := g.policy
		p.Mode = mode
		e, err := enforcer.Compile(p, func() time.Time { return now })
		if err != nil {
			t.Fatal(err)
		}
		g.enforcer = e
		g.enforcer.Observe(g.observer)
		g.keeper.Begin(Policy{e.Policy().Digest(), mode, []byte(asJSON(t, p))}, now)
		g.serve(fmt.Sprintf("day%d=1", day))
		g.observer.CountSaved("matomo", day%2 == 0)
		now = now.Add(24 * time.Hour)
		g.write()
	}
	q := g.ask()
	q.Storage = nil
	answer, err := q.Report(t.Context(), "2026-01-17", "2026-01-18")
	if err != nil {
		t.Fatal(err)
	}
	verdicts := map[string]uint64{}
	for _, v := range answer.Totals.Verdicts {
		verdicts[v.Mode+" "+v.Channel+" "+v.Verdict] = v.Count
	}
	if verdicts["enforce set refused"] != 1 || verdicts["report set would_refuse"] != 1 ||
		verdicts["report set refused"] != 0 {
		t.Errorf("the verdicts are %v", verdicts)
	}
	if want := []ChoiceCount{{"matomo", 1, 1}}; !slices.Equal(answer.Totals.Choices, want) {
		t.Errorf("the choices are %v", answer.Totals.Choices)
	}
	var names []string
	for _, item := range answer.Cookies {
		if item.Channel == "set" {
			names = append(names, item.Name)
		}
	}
	if want := []string{"day2", "day3"}; !slices.Equal(names, want) || len(answer.Days) != 2 || len(answer.InForce) != 2 {
		t.Errorf("met were %q, want %q; %d days, in force %v", names, want, len(answer.Days), answer.InForce)
	}
	if got := answer.InForce[1].Changes; !slices.Equal(got, []string{"mode report, was enforce"}) {
		t.Errorf("the changes are %q", got)
	}
	for _, days := range [][2]string{{"yesterday", "2026-01-18"}, {"2026-01-17", "2026-02-30"}} {
		if _, err := q.Report(t.Context(), days[0], days[1]); err == nil {
			t.Errorf("%q are days", days)
		}
	}
}

// What was set aside is told for a fleet, whose storage is read, and a report says how much of the history is
// missing.
func TestQuestionAside(t *testing.T) {
	storage, now := newDirectory(t), noon
	g := start(t, storage, "own-0", &now, "sessionid")
	aside := key("city", "torn-0") + asideSuffix + now.Format(asideTime)
	for _, k := range []string{aside, key("town", "torn-0") + asideSuffix + now.Format(asideTime), prefix("city") + "/notes.txt"} {
		if err := storage.Store(t.Context(), k, []byte("{")); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		storage Storage
		want    []string
	}{{storage, []string{aside}}, {nil, nil}} {
		q := g.ask()
		q.Storage, q.Own.History.Dropped = c.storage, 3
		r, err := q.Report(t.Context(), "2026-01-01", "2026-01-31")
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(r.Aside, c.want) || r.Problems != nil || r.Dropped != 3 {
			t.Errorf("aside are %q, want %q; problems %q; dropped %d", r.Aside, c.want, r.Problems, r.Dropped)
		}
	}
}

func TestGapsBetween(t *testing.T) {
	span := func(text string) (spans []Gap) {
		for word := range strings.FieldsSeq(text) {
			from, to, _ := strings.Cut(word, "-")
			spans = append(spans, Gap{parse(t, from), parse(t, to)})
		}
		return spans
	}
	for _, c := range []struct{ watched, gaps string }{
		{"", ""},
		{"10:00-12:00", ""},
		{"10:00-11:00", "11:00-12:00"},
		{"10:00-10:30 10:40-12:00", "10:30-10:40"},
		{"10:40-12:00 10:00-10:30 10:20-10:41", ""},
		{"10:00-12:00 10:10-10:20 10:30-10:40", ""},
		{"10:00-10:10 10:05-10:20 10:30-10:40", "10:20-10:30 10:40-12:00"},
	} {
		if got, want := gapsBetween(span(c.watched), noon), span(c.gaps); !slices.Equal(got, want) {
			t.Errorf("%s: the gaps are %v, want %v", c.watched, got, want)
		}
	}
}

// Of too many gaps the nearest are joined: none is filled.
func TestJoinGaps(t *testing.T) {
	var gaps []Gap
	at := noon
	for i := range maxGaps + 2 {
		step := time.Minute
		if i == 7 || i == 8 {
			step = time.Second
		}
		at = at.Add(step)
		gaps = append(gaps, Gap{at, at.Add(time.Second)})
		at = at.Add(time.Second)
	}
	first, last := gaps[6].From, gaps[8].To
	joined := joinGaps(gaps)
	if len(joined) != maxGaps || !joined[6].From.Equal(first) || !joined[6].To.Equal(last) {
		t.Errorf("%d gaps, %v", len(joined), joined[6])
	}
}

// Records are deleted once they have been kept for as long as their policy says, whatever policy that is.
func TestPrune(t *testing.T) {
	storage, now := newDirectory(t), noon
	for _, instance := range []string{"short-0", "long-0"} {
		g := start(t, storage, instance, &now, "a")
		if instance == "short-0" {
			g.keeper.Configure(instance, time.Minute, 48*time.Hour)
		}
		g.write()
	}
	others := []string{key("city", "torn-0"), Root + "/foreign.txt",
		key("city", "one-0") + asideSuffix + now.Format(asideTime)}
	for _, key := range others {
		if err := storage.Store(t.Context(), key, []byte("{")); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		after   time.Duration
		deleted int
	}{{47 * time.Hour, 0}, {49 * time.Hour, 1}, {49 * time.Hour, 0}, {396 * 24 * time.Hour, 2}} {
		if n, err := Prune(t.Context(), storage, now.Add(c.after)); n != c.deleted || err != nil {
			t.Errorf("after %v %d were deleted, %v; want %d", c.after, n, err, c.deleted)
		}
	}
	if got := storage.keys(t); !strings.Contains(got, "foreign.txt") || !strings.Contains(got, "torn-0.json.gz") ||
		len(strings.Fields(got)) != 2 {
		t.Errorf("there are %s", got)
	}
	if n, err := Prune(t.Context(), newDirectory(t), now); n != 0 || err != nil {
		t.Errorf("of nothing %d were deleted, %v", n, err)
	}
}

// hanging is a storage whose calls do not return until it is closed.
type hanging struct {
	Storage
	closed chan struct{}
}

func (h hanging) Load(context.Context, string) ([]byte, error)          { <-h.closed; return nil, nil }
func (h hanging) Size(context.Context, string) (int64, error)           { <-h.closed; return 0, nil }
func (h hanging) Store(context.Context, string, []byte) error           { <-h.closed; return nil }
func (h hanging) Delete(context.Context, string) error                  { <-h.closed; return nil }
func (h hanging) List(context.Context, string) (keys []string, _ error) { <-h.closed; return nil, nil }

// Calls of a storage that hangs return after a time, and those that were given up do not pile up.
func TestBounded(t *testing.T) {
	h := hanging{closed: make(chan struct{})}
	s := Bounded(h, time.Millisecond)
	for i := range 20 {
		_, loadErr := s.Load(t.Context(), "a")
		_, sizeErr := s.Size(t.Context(), "a")
		_, listErr := s.List(t.Context(), "a")
		for what, err := range map[string]error{"load": loadErr, "size": sizeErr, "list": listErr,
			"store": s.Store(t.Context(), "a", nil), "delete": s.Delete(t.Context(), "a")} {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", what, err)
			}
			if i > 4 && !strings.Contains(err.Error(), "busy with an earlier call") {
				t.Errorf("%s: %v, and not that it is busy", what, err)
			}
		}
	}
	close(h.closed)
	for { // the calls end, and others begin
		if err := s.Store(t.Context(), "a", nil); err == nil {
			break
		}
	}
	if b, err := Bounded(newDirectory(t), time.Minute).Load(t.Context(), "a"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %q, %v", b, err)
	}
}

// Policies have keys of their own on every storage, whatever their names.
func TestKey(t *testing.T) {
	seen := map[string]string{}
	for _, name := range []string{"city", "City", "CITY", "city.", "con", "a-b", "a_b", strings.Repeat("x", 64)} {
		got := key(name, "6c5f1c1e-0000-4000-8000-000000000000-12")
		if strings.ToLower(got) != got || strings.Contains(got, "..") || strings.Count(got, "/") != 2 {
			t.Errorf("the key of %s is %s", name, got)
		}
		if other, taken := seen[got]; taken {
			t.Errorf("%s and %s have one key", name, other)
		}
		seen[got] = name
		if instanceOf(got) != "6c5f1c1e-0000-4000-8000-000000000000-12" {
			t.Errorf("the key %s is of the instance %q", got, instanceOf(got))
		}
	}
}

// large is the record of a gateway that has met 2,000 names on both sides, over 400 days.
func large(t testing.TB) (*gateway, *Record) {
	now := noon
	g := start(t, newDirectory(t), "6c5f1c1e-0000-4000-8000-000000000000-0", &now, "sessionid", "_pk_*")
	g.keeper.Configure("6c5f1c1e-0000-4000-8000-000000000000-0", time.Minute, 500*24*time.Hour)
	g.observer.SetSites([]string{"data.city.example"})
	names := make([]string, 0, 2000)
	for i := range 1000 {
		names = append(names, fmt.Sprintf("_pk_id.%d.1fff", i), fmt.Sprintf("tracker_%d", i))
	}
	for day := range 400 {
		for i := range 5 {
			name := names[(5*day+i)%2000]
			visit := g.enforcer.Visit(enforcer.Request{Host: "data.city.example",
				Header: map[string][]string{"Cookie": {name + "=1; sessionid=1"}}})
			visit.FilterRequest()
			visit.CompleteResponse(map[string][]string{"Set-Cookie": {
				name + "=1; Path=/; Domain=.city.example; Max-Age=86400; SameSite=Lax; HttpOnly"}})
			visit.End()
		}
		p := g.observer.Acquire()
		for m := range 2 {
			for category := range 5 {
				for v := range 3 {
					p.Count(observe.Mode(m), observe.Set, category, observe.Verdict(v))
					p.Count(observe.Mode(m), observe.Read, category, observe.Verdict(v%2))
				}
			}
		}
		for s := range policy.PreferenceStates {
			p.CountPreference(policy.PreferenceState(s))
		}
		g.observer.Release(p)
		for _, key := range []string{"matomo", "ga", "xiti", "piano"} {
			g.observer.CountSaved(key, true)
			g.observer.CountSaved(key, false)
		}
		now = now.Add(24 * time.Hour)
		g.keeper.Record(now)
	}
	return g, g.keeper.Record(now)
}

func TestRecordSize(t *testing.T) {
	_, r := large(t)
	b, err := r.encode()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, list := range []observe.Names{r.Observer.Set, r.Observer.Read, r.Observer.Unlisted, r.Observer.Listed} {
		for _, n := range list {
			names[string(n.Name)] = true
		}
	}
	if len(names) < 2000 || len(r.Days) < 400 || len(b) >= 1<<20 {
		t.Errorf("%d names and %d days have %d bytes", len(names), len(r.Days), len(b))
	}
	if got, err := decode(b, "city", r.Written); err != nil || asJSON(t, got) != asJSON(t, r) ||
		!Verify("", got.Days).Holds {
		t.Errorf("it is read in another way than it was written: %v", err)
	}
}

// nowhere is a storage that keeps nothing.
type nowhere struct{ *directory }

func (nowhere) Store(context.Context, string, []byte) error { return nil }

// BenchmarkWrite writes 2,000 names and 400 days, without the storage.
func BenchmarkWrite(b *testing.B) {
	g, r := large(b)
	for b.Loop() {
		if _, _, err := g.keeper.Write(b.Context(), nowhere{newDirectory(b)}, "test", r.Written, false); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRead reads the same.
func BenchmarkRead(b *testing.B) {
	_, r := large(b)
	text, err := r.encode()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := decode(text, "city", r.Written); err != nil {
			b.Fatal(err)
		}
	}
}

// A new instance goes on with the policy that is in force on the others: it has been in force since then.
func TestKeeperJoinsFleet(t *testing.T) {
	for _, isLate := range []bool{false, true} {
		storage, now := newDirectory(t), noon
		start(t, storage, "one-0", &now, "old").write()
		now = parse(t, "12:10")
		one := start(t, storage, "one-0", &now, "a")
		one.read()
		one.write()
		now = parse(t, "12:30")
		two := &gateway{t: t, storage: storage, now: &now, observer: observe.New(now)}
		two.keeper = NewKeeper("city", two.observer, now)
		two.keeper.Configure("two-0", time.Minute, 24*time.Hour)
		if isLate {
			two.load("a")
		}
		two.read()
		if last, inForce := two.keeper.Last(); last.Digest != one.enforcer.Policy().Digest() || !inForce {
			t.Errorf("the last policy is %s, in force %t", last.Digest, inForce)
		}
		two.load("a")
		if since := two.keeper.Since(); !since.Equal(parse(t, "12:10")) {
			t.Errorf("in force since %v", since)
		}
		two.load("b")
		if since := two.keeper.Since(); !since.Equal(now) {
			t.Errorf("another policy is in force since %v", since)
		}
	}
}
