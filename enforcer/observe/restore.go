package observe

import (
	"cmp"
	"container/heap"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/wire"
)

// Bounds of what is restored, beside those that an Observer has at any time: names that a policy writes
// out are as many as it has, which a State cannot prove.
const (
	maxExactNames  = 4000
	maxName        = wire.MaxPair
	maxClientName  = wire.MaxWord + len("…")
	maxDays        = 100_000
	maxLifetime    = 400 * 24 * time.Hour // see [wire.Attributes.Lifetime]
	earliestSecond = 946684800            // the year 2000
)

// Hold keeps names from being reported to the operator until [Observer.Resume] is called: while what
// was met before is not restored, a known name would be reported as new. A name that has to wait is
// reported when it is met again.
func (o *Observer) Hold() { o.warnings.held.Store(true) }

// Resume ends what [Observer.Hold] began.
func (o *Observer) Resume() { o.warnings.held.Store(false) }

// Restore adds what another Observer had counted and met, such as the one of the process before. It can
// be called while requests are counted. The State may come from anywhere: what no Observer could have
// counted is left out, and so is what exceeds the Observer's bounds. The State's counters are cut down to
// what was added.
//
// The places of clients' names are split by another hash in each process. Where all places of a part
// are taken, the names that came least often are left out.
func (o *Observer) Restore(s *State, now time.Time) {
	s.Counters.Bound()
	o.restoreCounters(s.Counters)
	if since := moment(s.Since, now).UnixNano(); since < o.since.Load() {
		o.since.Store(since)
	}
	if s.Last > earliestSecond && s.Last <= now.Unix() {
		raise(&o.processors[0].last, s.Last)
	}
	room := map[string]int{kindWords[Unknown]: maxNames, kindWords[Wildcard]: maxNames, kindWords[Exact]: maxExactNames}
	for i := range s.Set {
		n := &s.Set[i]
		if !n.isName(maxName) || room[n.Kind] == 0 {
			continue
		}
		room[n.Kind]--
		kind := Kind(slices.Index(kindWords[:], n.Kind))
		if e := o.set.add(string(n.Name), kind, moment(n.First, now), func(*Entry) {}); e != nil {
			e.restore(n, now)
		}
	}
	for i := range s.Read[:min(len(s.Read), maxExactNames+2*maxNames)] {
		n := &s.Read[i]
		n.Domains, n.Paths, n.SameSite = nil, nil, nil // browsers send none
		if n.isName(maxName) {
			o.read.add(string(n.Name), Exact, moment(n.First, now), o.takeOverClient).restore(n, now)
		}
	}
	o.restoreClients(&o.unlisted, s.Unlisted, now)
	o.restoreClients(&o.listed, s.Listed, now)
	o.restoreOrigins(s.Origins, now)
}

// raise sets a number that only grows.
func raise(number *atomic.Int64, to int64) {
	for {
		if n := number.Load(); n >= to || number.CompareAndSwap(n, to) {
			return
		}
	}
}

// isName reports whether an Observer can have kept a name.
func (n *NameState) isName(longest int) bool {
	return n.Name != "" && len(n.Name) <= longest && !wire.HasControl(string(n.Name))
}

// moment returns a time in milliseconds, or now if an Observer cannot have met anything then.
func moment(milliseconds int64, now time.Time) time.Time {
	if milliseconds < earliestSecond*1000 || milliseconds > now.UnixMilli() {
		return now
	}
	return time.UnixMilli(milliseconds).UTC()
}

// counts returns the numbers of verdicts, bounded.
func (n *NameState) counts() (c Counts) {
	for m, words := range map[Mode]map[string]uint64{Enforce: n.Enforce, Report: n.Report} {
		for v := range verdicts {
			c[m][v] = min(words[v.Word(m)], maxCount)
		}
	}
	return c
}

// restore adds what was known of the name before.
func (e *Entry) restore(n *NameState, now time.Time) {
	stripe := &e.stripes[0]
	counts := n.counts()
	for m := range modes {
		for v := range verdicts {
			stripe.verdicts[m][v].Add(counts[m][v])
		}
	}
	raise(&stripe.last, moment(n.Last, now).Unix())
	for first := moment(n.First, now).UnixNano(); ; {
		if known := e.first.Load(); known <= first || e.first.CompareAndSwap(known, first) {
			break
		}
	}
	for missed := min(n.Missed, maxCount); ; {
		if known := e.missed.Load(); known >= missed || e.missed.CompareAndSwap(known, missed) {
			break
		}
	}
	if n.Reported {
		e.reported.Store(true)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	f := *e.facts.Load()
	f.hosts = restoreWords(f.hosts, n.Hosts)
	f.domains = restoreWords(f.domains, n.Domains)
	f.paths = restoreWords(f.paths, n.Paths)
	f.sameSite = restoreWords(f.sameSite, n.SameSite)
	f.session = f.session || n.Session
	f.noSecure = f.noSecure || n.NoSecure
	f.noHTTPOnly = f.noHTTPOnly || n.NoHTTPOnly
	if n.Longest > 0 {
		f.longest = max(f.longest, time.Duration(min(n.Longest, int64(maxLifetime/time.Second)))*time.Second)
	}
	e.facts.Store(&f)
}

// restoreWords adds variants to those that are known, as far as there is room.
func restoreWords(known []string, words []Text) []string {
	for _, word := range words[:min(len(words), maxVariants)] {
		word := wire.Shorten(string(word))
		if len(known) < maxVariants && !slices.Contains(known, word) {
			known = append(slices.Clip(known), strings.Clone(word))
		}
	}
	return known
}

// restoreClients adds clients' names, those that came most often first.
func (o *Observer) restoreClients(s *sketch, names []NameState, now time.Time) {
	order := make([]*NameState, 0, len(names))
	for i := range names {
		n := &names[i]
		n.Requests, n.Missed = min(n.Requests, maxCount), min(n.Missed, maxCount)
		if n.isName(maxClientName) {
			order = append(order, n)
		}
	}
	slices.SortStableFunc(order, func(a, b *NameState) int {
		return cmp.Compare(b.Requests+b.Missed, a.Requests+a.Missed)
	})
	for _, n := range order {
		if e := o.read.find(string(n.Name)); e != nil { // it has an entry by now
			e.restore(n, now)
			continue
		}
		s.restore(n, now)
	}
}

// restore adds what was known of a client's name before, if the name has a counter or there is one left.
func (s *sketch) restore(n *NameState, now time.Time) {
	shard := s.shard(string(n.Name))
	shard.mu.Lock()
	defer shard.mu.Unlock()
	c := shard.names[string(n.Name)]
	if c == nil {
		if len(shard.least) >= shard.counters {
			return
		}
		c = shard.take(string(n.Name), now)
	}
	last := moment(n.Last, now)
	before := client{
		requests: n.Requests, missed: n.Missed, verdicts: n.counts(), first: moment(n.First, now),
		lastDay: last.Unix() / (24 * 60 * 60), days: min(max(n.Days, 0), maxDays), reported: n.Reported,
		hosts: restoreWords(nil, n.Hosts),
	}
	c.add(&before)
	if last.After(c.last) {
		c.last = last
	}
	heap.Fix(&shard.least, c.index)
}
