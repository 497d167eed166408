package evidence

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
)

// Over a restart nothing is lost but what came after the last write, the policy is in force since it came
// into force first, and the time between is a gap.
func TestKeeperRestart(t *testing.T) {
	storage, now := newDirectory(t), noon
	before := start(t, storage, "one-0", &now, "sessionid")
	before.read()
	before.serve("sessionid=secret-value", "_ga=secret-value")
	now = parse(t, "12:01")
	before.write()
	want := before.keeper.Record(now)
	before.serve("lost=1") // the process crashes before it is written

	now = parse(t, "12:05")
	after := start(t, storage, "one-0", &now, "sessionid")
	if aside := after.read(); aside != nil {
		t.Fatalf("set aside: %+v", aside)
	}
	got := after.keeper.Record(now)
	if len(got.Observer.Set) != 2 || sortedJSON(t, got.Observer) != sortedJSON(t, want.Observer) {
		t.Errorf("the observer has\n%s\nwant\n%s", asJSON(t, got.Observer), asJSON(t, want.Observer))
	}
	if !after.keeper.Since().Equal(noon) || !got.Since.Equal(noon) || !after.observer.Since().Equal(noon) {
		t.Errorf("in force since %v, observed since %v and %v", after.keeper.Since(), got.Since, after.observer.Since())
	}
	if want := (Gap{parse(t, "12:01"), now}); !slices.Equal(got.Gaps, gaps{want}) {
		t.Errorf("the gaps are %v, want %v", got.Gaps, want)
	}
	if len(got.History.Periods) != 1 || len(got.Days) != 1 || got.Days[0].Requests != 1 {
		t.Errorf("got %+v and %+v", got.History.Periods, got.Days)
	}
	if text := storage.text(t, key("city", "one-0")); strings.Contains(text, "secret-value") ||
		!strings.Contains(text, "_ga") {
		t.Errorf("in storage is %s", text)
	}
}

// Each day has what was counted on it, also where nothing was written at midnight, and the digest of the day
// before.
func TestKeeperDays(t *testing.T) {
	storage, now := newDirectory(t), parse(t, "23:58")
	g := start(t, storage, "one-0", &now, "sessionid")
	g.read()
	for _, at := range []string{"23:59", "2026-01-16 00:00", "2026-01-16 00:01", "2026-01-17 00:00", "2026-01-19 00:00"} {
		g.serve("sessionid=1", "met"+at[len(at)-1:]+"=1")
		now = parse(t, at)
		g.write()
	}
	now = now.Add(time.Minute)
	g = start(t, storage, "one-0", &now, "other")
	g.read()
	g.serve("sessionid=1")
	now = now.Add(24 * time.Hour)
	g.write()
	r := g.keeper.Record(now)
	var got []string
	for _, d := range r.Days {
		got = append(got, fmt.Sprint(d.Day, " ", d.Requests, " ", d.Verdicts["enforce/set/necessary/let_through"], " ",
			d.Verdicts["enforce/set/unlisted/refused"], " ", len(d.InForce)))
	}
	want := []string{"2026-01-15 2 2 2 1", "2026-01-16 2 2 2 1", "2026-01-17 1 1 1 1",
		"2026-01-19 1 0 1 2", "2026-01-20 0 0 0 1"}
	if !slices.Equal(got, want) {
		t.Errorf("the days are %q, want %q", got, want)
	}
	if got := fmt.Sprint(r.Days[0].Unlisted, r.Days[1].Unlisted, r.Days[2].Unlisted); got != "[met9 met0] [met1] []" {
		t.Errorf("the names that were new are %s", got)
	}

	chain := Verify("one-0", r.Days)
	if !chain.Holds || chain.Days != 4 || chain.First != "2026-01-15" || chain.Last != "2026-01-19" ||
		chain.Digest != r.Days[4].Previous {
		t.Errorf("the chain is %+v", chain)
	}
	for what, change := range map[string]func(days) days{
		"another count":   func(d days) days { d[1].Requests++; return d },
		"a verdict less":  func(d days) days { delete(d[0].Verdicts, "enforce/set/unlisted/refused"); return d },
		"a day less":      func(d days) days { return slices.Delete(d, 1, 2) },
		"days exchanged":  func(d days) days { d[1], d[2] = d[2], d[1]; return d },
		"another day":     func(d days) days { d[2].Day = "2026-01-18"; return d },
		"a name less":     func(d days) days { d[1].Unlisted = nil; return d },
		"a policy less":   func(d days) days { d[3].InForce = d[3].InForce[:1]; return d },
		"no day":          func(d days) days { d[0].Day = "yesterday"; return d },
		"another digest":  func(d days) days { d[2].Previous = d[1].Previous; return d },
		"the last of all": func(d days) days { d[4].Previous = ""; return d },
	} {
		b, _ := storage.Load(t.Context(), key("city", "one-0"))
		r, err := decode(b, "city", now)
		if err != nil || !Verify("", r.Days).Holds {
			t.Fatalf("%v", err)
		}
		if chain := Verify("one-0", change(r.Days)); chain.Holds || chain.Broken == "" {
			t.Errorf("%s: the chain is %+v", what, chain)
		}
	}
}

// Days, gaps and policies are kept for as long as the policy says.
func TestKeeperForgets(t *testing.T) {
	storage, now := newDirectory(t), noon
	g := start(t, storage, "one-0", &now, "first")
	g.keeper.Configure("one-0", time.Minute, 10*24*time.Hour)
	g.read()
	for i := range 30 {
		if i == 5 {
			g.load("second")
		}
		g.serve("_ga=1")
		now = now.Add(24 * time.Hour)
		g.write()
	}
	r := g.keeper.Record(now)
	if len(r.Days) != 11 || r.Days[0].Day != dayOf(now.Add(-10*24*time.Hour)) || !Verify("", r.Days).Holds {
		t.Errorf("%d days from %s on", len(r.Days), r.Days[0].Day)
	}
	if len(r.History.Periods) != 1 || len(r.History.Policies) != 1 {
		t.Errorf("the history is %+v", r.History)
	}
	for _, d := range r.Days {
		if len(d.Unlisted) > 0 {
			t.Errorf("a name that is old is new on %s", d.Day)
		}
	}
}

// What came into force when: over reloads, restarts, and where a policy was away meanwhile.
func TestKeeperHistory(t *testing.T) {
	storage, now := newDirectory(t), noon
	g := start(t, storage, "one-0", &now, "a")
	g.read()
	at := func(text string, f func()) {
		now = parse(t, text)
		f()
		g.write()
	}
	restart := func(names ...string) func() {
		return func() { g = start(t, storage, "one-0", &now, names...); g.read() }
	}
	at("12:01", func() { g.load("a") })
	at("12:02", func() { g.load("b") })
	at("12:03", restart("b"))
	at("12:05", restart("c")) // b was last seen at 12:03
	at("12:06", func() { g.keeper.End(now) })
	at("12:08", restart("c"))
	at("12:09", func() { g.load("a") })
	var got []string
	for _, p := range g.keeper.Record(now).History.Periods {
		until := "now"
		if !p.Until.IsZero() {
			until = p.Until.Format("15:04")
		}
		got = append(got, p.Since.Format("15:04")+"-"+until)
	}
	want := []string{"12:00-12:02", "12:02-12:03", "12:05-12:06", "12:08-12:09", "12:09-now"}
	if !slices.Equal(got, want) {
		t.Errorf("the periods are %q, want %q", got, want)
	}
	if n := len(g.keeper.Record(now).History.Policies); n != 3 {
		t.Errorf("%d policies are kept", n)
	}
}

// While storage cannot be read nothing is written, and what was kept before is added when it can be.
func TestKeeperReadsLate(t *testing.T) {
	storage, now := newDirectory(t), parse(t, "23:50")
	before := start(t, storage, "one-0", &now, "sessionid")
	before.read()
	before.serve("sessionid=1", "_ga=1")
	now = parse(t, "23:51")
	before.write()
	kept, _ := storage.Load(t.Context(), key("city", "one-0"))

	now = parse(t, "23:55")
	storage.failLoad = errors.New("the disk is on fire")
	g := start(t, storage, "one-0", &now, "sessionid")
	g.observer.Hold()
	g.serve("sessionid=1", "_ga=1")
	now = parse(t, "2026-01-16 00:05")
	if _, _, err := g.keeper.Write(t.Context(), storage, "test", now, false); !errors.Is(err, storage.failLoad) {
		t.Errorf("the error is %v", err)
	}
	g.serve("sessionid=1")
	now = parse(t, "2026-01-17 00:05")
	g.keeper.Record(now) // another day begins
	g.serve("sessionid=1")
	if b, _ := os.ReadFile(storage.file(key("city", "one-0"))); !bytes.Equal(b, kept) {
		t.Error("a record that could not be read was overwritten")
	}
	if g.keeper.IsRead() || !g.keeper.Stored().IsZero() {
		t.Error("the keeper says that it has read and written")
	}
	storage.failLoad = nil
	g.write()
	r := g.keeper.Record(now)
	var got []string
	for _, d := range r.Days {
		got = append(got, fmt.Sprint(d.Day, " ", d.Requests, " ", d.Unlisted))
	}
	if want := []string{"2026-01-15 2 [_ga]", "2026-01-16 1 []", "2026-01-17 1 []"}; !slices.Equal(got, want) {
		t.Errorf("the days are %q, want %q", got, want)
	}
	if !Verify("", r.Days).Holds || r.Observer.Requests != 4 || !g.keeper.Since().Equal(parse(t, "23:50")) ||
		!g.keeper.Stored().Equal(now) {
		t.Errorf("got %+v", r)
	}
	if n := len(r.Gaps); n != 1 || !r.Gaps[0].To.Equal(parse(t, "23:55")) {
		t.Errorf("the gaps are %v", r.Gaps)
	}
}

// What is no record of this version, policy and instance is set aside, byte for byte, and told.
func TestKeeperSetsAside(t *testing.T) {
	now := noon
	good := func() string {
		s := newDirectory(t)
		g := start(t, s, "one-0", &now, "a")
		g.serve("_ga=1")
		g.write()
		return s.text(t, key("city", "one-0"))
	}()
	const isPlain = "not compressed with gzip"
	torn := string(compressed(t, good))
	for what, c := range map[string]struct{ content, reason string }{
		"nothing":        {"", isPlain},
		"no compression": {good, isPlain},
		"zeros":          {strings.Repeat("\x00", 4096), isPlain},
		"torn":           {torn[:len(torn)/2], "not complete"},
		"a bit flipped":  {torn[:len(torn)-8] + "x" + torn[len(torn)-7:], "not complete"},
		"torn JSON":      {good[:len(good)/2], "not the JSON of a record"},
		"too large":      {strings.Repeat(" ", maxSize) + good, "more than 8388608 bytes"},
		"another JSON":   {`{"version":1}`, "not the record of this policy"},
		"no version":     {`{"policy":"city"}`, "not the record of this policy"},
		"a list":         {`[]`, "not the JSON of a record"},
		"a newer version": {strings.Replace(good, `{"version":1,`, `{"version":2,"days":"new",`, 1),
			"written in the format 2"},
		"another policy":   {strings.Replace(good, `"policy":"city"`, `"policy":"town"`, 1), "not the record of this policy"},
		"another instance": {strings.Replace(good, `"one-0"`, `"two-0"`, 1), "record of another instance"},
		"wrong types":      {strings.Replace(good, `"requests":1`, `"requests":"many"`, 1), "not the JSON of a record"},
		"a negative count": {strings.Replace(good, `"requests":1`, `"requests":-1`, 1), "not the JSON of a record"},
		"too many days":    {strings.Replace(good, `"days":[`, `"days":[`+strings.Repeat(`{},`, 4000), 1), "more than 3652"},
		"too many gaps": {strings.Replace(good, `"history"`, `"gaps":[`+strings.Repeat(`{},`, 4000)+`{}],"history"`, 1),
			"more than 1000"},
		"no times": {`{"version":1,"policy":"city","instance":"one-0"}`, "times are impossible"},
	} {
		storage := newDirectory(t)
		if c.reason != isPlain && c.reason != "not complete" {
			c.content = string(compressed(t, c.content))
		}
		if err := storage.Store(t.Context(), key("city", "one-0"), []byte(c.content)); err != nil {
			t.Fatal(err)
		}
		g := start(t, storage, "one-0", &now, "a")

		storage.failStore = errors.New("the disk is full")
		if _, err := g.keeper.Read(t.Context(), storage, "test", now); !errors.Is(err, storage.failStore) {
			t.Errorf("%s: the error is %v", what, err)
		}
		if b, _ := storage.Load(t.Context(), key("city", "one-0")); string(b) != c.content {
			t.Errorf("%s: it is gone though it could not be set aside", what)
		}
		storage.failStore = nil
		g.serve("_ga=1")
		aside := g.write()
		if aside == nil || !strings.Contains(aside.Reason, c.reason) || aside.Key != key("city", "one-0") {
			t.Errorf("%s: told was %+v", what, aside)
			continue
		}
		if b, err := storage.Load(t.Context(), aside.Aside); err != nil || string(b) != c.content {
			t.Errorf("%s: aside are %d bytes, %v", what, len(b), err)
		}
		if want := "one-0.json.gz one-0.json.gz.aside-20260115T120000Z"; storage.keys(t) != want {
			t.Errorf("%s: the keys are %s", what, storage.keys(t))
		}
		again := start(t, storage, "one-0", &now, "a")
		if aside := again.read(); aside != nil || again.keeper.Record(now).Observer.Requests != 1 {
			t.Errorf("%s: the next process has %+v", what, aside)
		}
	}
}

// What is too large is never read, and left where it is; the evidence is kept beside it.
func TestKeeperLeavesWhatIsTooLarge(t *testing.T) {
	storage, now := newDirectory(t), noon
	file := storage.file(key("city", "one-0"))
	if err := storage.Store(t.Context(), key("city", "one-0"), nil); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, 1<<30); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		g := start(t, storage, "one-0", &now, "a")
		before := allocated()
		aside := g.read()
		if grown := allocated() - before; grown > 1<<20 {
			t.Errorf("reading took %d bytes", grown)
		}
		if aside == nil || aside.Aside != "" || !strings.Contains(aside.Reason, "8388608 bytes") {
			t.Errorf("told was %+v", aside)
		}
		g.serve("_ga=1")
		g.write()
		if n := g.keeper.Record(now).Observer.Requests; n != uint64(i+1) {
			t.Errorf("%d requests after %d processes", n, i+1)
		}
	}
	if info, err := os.Stat(file); err != nil || info.Size() != 1<<30 ||
		storage.keys(t) != "one-0.2.json.gz one-0.json.gz" {
		t.Errorf("the keys are %s, %v", storage.keys(t), err)
	}
}

// allocated returns the bytes that were allocated since the process began.
func allocated() int64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.TotalAlloc)
}

// A record with as many elements as fit takes a bounded amount of memory for each of its bytes.
func TestDecodeForged(t *testing.T) {
	const size = maxSize / 16
	head := `{"version":1,"policy":"city","instance":"one-0",` +
		`"since":"2026-01-01T00:00:00Z","written":"2026-01-15T00:00:00Z",`
	fill := func(before, element, after string) string {
		n := (size - len(head) - len(before) - len(after)) / len(element)
		return head + before + strings.Repeat(element, n) + after
	}
	numbers := func(open, element, after string) string {
		var b strings.Builder
		b.WriteString(head + open)
		for i := 0; b.Len() < size-100; i++ {
			fmt.Fprintf(&b, element, i)
		}
		return b.String() + after
	}
	for what, text := range map[string]string{
		"days":        fill(`"days":[`, `{},`, `{}]}`),
		"gaps":        fill(`"gaps":[`, `{},`, `{}]}`),
		"periods":     fill(`"history":{"periods":[`, `{},`, `{}]}}`),
		"policies":    numbers(`"history":{"policies":{`, `"%d":0,`, `"":0}}}`),
		"names":       fill(`"observer":{"set":[`, `{},`, `{}]}}`),
		"clients":     fill(`"observer":{"unlisted":[`, `{},`, `{}]}}`),
		"hosts":       fill(`"observer":{"set":[{"name":"a","hosts":[`, `"",`, `""]}]}}`),
		"verdicts":    numbers(`"observer":{"verdicts":{`, `"%d":1,`, `"":1}}}`),
		"saved":       numbers(`"observer":{"saved":{`, `"granted/%d":1,`, `"":1}}}`),
		"words":       numbers(`"observer":{"set":[{"name":"a","enforce":{`, `"%d":1,`, `"":1}}]}}`),
		"in a day":    numbers(`"days":[{"day":"2026-01-02","saved":{`, `"granted/%d":1,`, `"":1}}]}`),
		"a name":      fill(`"observer":{"set":[{"name":"`, `x`, `"}]}}`),
		"nesting":     fill(`"observer":`, `[`, `}`),
		"names of it": fill(`"days":[{"day":"2026-01-02","unlisted":[`, `"",`, `""]}]}`),
	} {
		if len(text) > size {
			t.Fatalf("%s: %d bytes", what, len(text))
		}
		before := allocated()
		r, err := decode(compressed(t, text), "city", noon)
		if err == nil {
			o := observe.New(noon)
			o.Restore(&r.Observer, noon)
			r.Observer = o.State()
			b, err := r.encode()
			if err != nil || len(b) > maxSize {
				t.Errorf("%s: written are %d bytes, %v", what, len(b), err)
			}
		}
		if grown := allocated() - before; grown > 60*size { // the Observer has 4 MiB of its own
			t.Errorf("%s: %d MiB were allocated for %d KiB", what, grown>>20, len(text)>>10)
		}
	}
}

// A record that would be too large loses the clients' names that came least often, and nothing else.
func TestEncodeTooLarge(t *testing.T) {
	r := &Record{Version: version, Policy: "city", Since: noon, Written: noon}
	for i := range 20_000 {
		r.Observer.Unlisted = append(r.Observer.Unlisted, observe.NameState{
			Name: observe.Text(fmt.Sprint(strings.Repeat("<", 500), i)), Requests: uint64(i)})
	}
	r.Observer.Set = r.Observer.Unlisted[:3]
	b, err := r.encode()
	if err != nil || len(b) > maxSize {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	got, err := decode(b, "city", noon)
	if err != nil || len(got.Observer.Set) != 3 || len(got.Observer.Unlisted) != 10_000 ||
		got.Observer.Unlisted[0].Requests != 19_999 {
		t.Errorf("%d and %d names are kept, %v", len(got.Observer.Set), len(got.Observer.Unlisted), err)
	}
	r.History.Policies = map[string]json.RawMessage{"x": []byte(`"` + strings.Repeat("x", maxSize) + `"`)}
	if _, err := r.encode(); err == nil {
		t.Error("a record that is too large was written")
	}
}
