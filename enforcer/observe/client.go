package observe

import (
	"container/heap"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"time"
)

// Counters for clients' names. The memory of an Observer for them stays below 4 MB.
const (
	listedCounters   = 1024
	unlistedCounters = 4096
	sketchShards     = 16

	// NamesPerRequest is how many clients' names one request can bring into the sketch. Browsers keep
	// about 180 cookies for a host, and few sites use more than some dozens.
	NamesPerRequest = 64
)

// A client's name is reported once it came often enough, so that nobody can fill logs and reports
// with names of their own in a few requests.
const (
	enoughRequests       = 100 // at any time
	enoughRequestsOnDays = 10  // if they came on enoughDays
	enoughDays           = 3
)

// sketch keeps the names that came with most requests, by the Space-Saving algorithm (Metwally,
// Agrawal, El Abbadi 2005): a new name takes the counter of the one that came least often, and
// inherits its weight as the error of its own. With n counters, a name that makes up more than one
// in n of all sightings has a counter, whatever other names come in between.
//
// It is split by a hash of the name, so that requests seldom wait for each other.
type sketch struct {
	shards [sketchShards]sketchShard
}

type sketchShard struct {
	mu       sync.Mutex
	counters int
	names    map[string]*client
	least    clientHeap
}

// client is what is known of a name that has no entry of its own. Its counts begin when it took its
// counter: before that it came with at most missed requests.
type client struct {
	name     string
	requests uint64 // since it took its counter
	missed   uint64
	visit    uint64 // the request that counted last
	verdicts Counts
	first    time.Time
	last     time.Time
	lastDay  int64
	days     int // on which it came
	hosts    []string
	reported bool
	index    int // in the heap
}

func (c *client) weight() uint64 { return c.requests + c.missed }

// isEstablished reports whether the name came often enough to be reported.
func (c *client) isEstablished() bool {
	return c.requests >= enoughRequests || c.requests >= enoughRequestsOnDays && c.days >= enoughDays
}

func (s *sketch) init(counters int) {
	for i := range s.shards {
		s.shards[i].counters = counters / sketchShards
		s.shards[i].names = map[string]*client{}
	}
}

func (s *sketch) shard(name string) *sketchShard {
	return &s.shards[maphash.String(hashSeed, name)%sketchShards]
}

func (o *Observer) sketch(kind Kind) *sketch {
	if kind == Unknown {
		return &o.unlisted
	}
	return &o.listed
}

func (o *Observer) otherSketch(kind Kind) *sketch {
	if kind == Unknown {
		return &o.listed
	}
	return &o.unlisted
}

// add adds what is known of the same name from another sketch.
func (c *client) add(d *client) {
	c.requests += d.requests
	c.missed = max(c.missed, d.missed)
	c.days = max(c.days, d.days)
	c.lastDay = max(c.lastDay, d.lastDay)
	c.verdicts.add(&d.verdicts)
	if d.first.Before(c.first) {
		c.first = d.first
	}
	for _, host := range d.hosts {
		c.addHost(host)
	}
	c.reported = c.reported || d.reported
}

// NewVisit returns a number for a request that brings names without entries of their own.
func (o *Observer) NewVisit() uint64 { return o.visits.Add(1) }

// ClientCookie is one cookie of a request whose name has no entry of its own.
type ClientCookie struct {
	Name    Name
	Mode    Mode
	Verdict Verdict
	Site    string // that serves the host; see [Observer.Site]
	Visit   uint64 // the request: a name counts once for each
	Now     time.Time
}

// CountClient counts a name that has no entry of its own, and reports whether the name is to be
// reported to the operator now, and with how many requests it came. If the name has got an entry
// meanwhile, it returns that, and counts nothing.
func (o *Observer) CountClient(m ClientCookie) (tell bool, requests uint64, e *Entry) {
	name, kind := m.Name.key()
	shard := o.sketch(kind).shard(name)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	c := shard.names[name]
	if c == nil {
		// Policies change: another one may have had the name in the other sketch.
		shard.mu.Unlock()
		moved := o.otherSketch(kind).remove(name)
		shard.mu.Lock()
		if e := o.read.find(name); e != nil && o.set.find(name) != nil {
			return false, 0, e
		}
		if c = shard.names[name]; c == nil {
			c = shard.take(name, m.Now)
		}
		if moved != nil {
			c.add(moved)
			heap.Fix(&shard.least, c.index)
		}
	}
	if c.visit != m.Visit {
		c.visit = m.Visit
		c.requests++
		heap.Fix(&shard.least, c.index)
		if day := m.Now.Unix() / (24 * 60 * 60); day != c.lastDay {
			c.lastDay = day
			c.days++
		}
	}
	c.verdicts[m.Mode][m.Verdict]++
	c.last = m.Now
	c.addHost(m.Site)
	if kind != Unknown || c.reported || !c.isEstablished() || !o.warnings.allow(m.Now) {
		return false, 0, nil
	}
	c.reported = true
	return true, c.requests, nil
}

// CountExpired counts that a cookie is removed from the browser, if its name has a counter.
func (o *Observer) CountExpired(name Name, m Mode) {
	key, kind := name.key()
	shard := o.sketch(kind).shard(key)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if c := shard.names[key]; c != nil {
		c.verdicts[m][Expired]++
	}
}

// take gives a name a counter, if need be that of the name that came least often.
func (s *sketchShard) take(name string, now time.Time) *client {
	c := &client{name: strings.Clone(name), first: now}
	if len(s.least) < s.counters {
		heap.Push(&s.least, c)
	} else {
		least := s.least[0]
		delete(s.names, least.name)
		c.missed = least.weight()
		s.least[0] = c
	}
	s.names[c.name] = c
	return c
}

func (c *client) addHost(host string) {
	if len(c.hosts) < maxVariants && !slices.Contains(c.hosts, host) {
		c.hosts = append(c.hosts, host)
	}
}

// remove takes a name out of the sketch and returns what is known of it, or nil.
func (s *sketch) remove(name string) *client {
	shard := s.shard(name)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	c := shard.names[name]
	if c != nil {
		delete(shard.names, name)
		heap.Remove(&shard.least, c.index)
	}
	return c
}

// takeOver adds what is known of a client's name to the entry that it gets.
func (e *Entry) takeOver(c *client) {
	stripe := &e.stripes[0]
	for m := range modes {
		for v := range verdicts {
			stripe.verdicts[m][v].Add(c.verdicts[m][v])
		}
	}
	stripe.last.Store(c.last.Unix())
	for _, host := range c.hosts {
		e.addFacts(&observation{host: host})
	}
	e.reported.Store(c.reported)
	e.first.Store(c.first.UnixNano())
	e.missed.Store(c.missed)
}

// all calls f with each name, in no order.
func (s *sketch) all(f func(*client)) {
	for i := range s.shards {
		shard := &s.shards[i]
		shard.mu.Lock()
		for _, c := range shard.names {
			f(c)
		}
		shard.mu.Unlock()
	}
}

// clientHeap has the name that came least often on top.
type clientHeap []*client

func (h clientHeap) Len() int           { return len(h) }
func (h clientHeap) Less(i, j int) bool { return h[i].weight() < h[j].weight() }
func (h clientHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *clientHeap) Push(c any) {
	c.(*client).index = len(*h)
	*h = append(*h, c.(*client))
}

func (h *clientHeap) Pop() any {
	old := *h
	c := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return c
}
