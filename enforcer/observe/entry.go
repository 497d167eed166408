package observe

import (
	"hash/maphash"
	"math/bits"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/wire"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// Nameless stands for a cookie without a name: its text is a value, and values are not kept.
const Nameless = "(nameless)"

// Kind is how a policy knows a name.
type Kind uint8

// The kinds.
const (
	Unknown  Kind = iota // no rule names it
	Wildcard             // a wildcard of a rule names it
	Exact                // a rule names it in full
	kinds
)

// maxNames is how many names that are not [Exact] have an entry: portals choose them.
const maxNames = 1000

// inventory holds the entries of one side.
type inventory struct {
	entries sync.Map // of *Entry by name
	taken   [kinds]atomic.Int32
	mu      sync.Mutex // held to add an entry
}

func (i *inventory) find(name string) *Entry {
	if e, ok := i.entries.Load(name); ok {
		return e.(*Entry)
	}
	return nil
}

// add finds or adds an entry, and calls added if it is new. It returns nil if there is no room for
// another.
func (i *inventory) add(name string, kind Kind, now time.Time, added func(*Entry)) *Entry {
	if e := i.find(name); e != nil {
		return e
	}
	if i.full(kind) { // so that no request waits for a lock to find that out
		return nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if e := i.find(name); e != nil {
		return e
	}
	if i.full(kind) {
		return nil
	}
	i.taken[kind].Add(1)
	e := newEntry(strings.Clone(name), kind, now) // a substring would keep the whole header alive
	i.entries.Store(e.name, e)
	added(e)
	return e
}

func (i *inventory) full(kind Kind) bool {
	return kind != Exact && i.taken[kind].Load() >= maxNames
}

// all calls f with each entry, in no order.
func (i *inventory) all(f func(*Entry)) {
	i.entries.Range(func(_, e any) bool {
		f(e.(*Entry))
		return true
	})
}

// Entry is what is known of one name on one side.
type Entry struct {
	name     string
	kind     Kind          // when it was added
	first    atomic.Int64  // Unix time, in nanoseconds
	missed   atomic.Uint64 // see [Sighting.Missed]
	settled  atomic.Uint64 // see [Entry.Count]
	reported atomic.Bool   // that no rule names it
	stripes  [stripes]stripe
	facts    atomic.Pointer[facts]
	mu       sync.Mutex // held to add facts
}

// stripes is how many processors can count a name without sharing cache lines. It is fixed, so that
// the memory for a name does not grow with the number of processors.
const stripes = 4

// stripe is what some of the processors count of one name, in cache lines of its own.
type stripe struct {
	verdicts [modes][verdicts]atomic.Uint64
	last     atomic.Int64     // Unix time, in seconds
	recent   [7]atomic.Uint64 // hashes of attributes and hosts that are known already
}

// facts is what is known of a name besides counts. It is never changed, but replaced as a whole.
type facts struct {
	hosts      []string
	domains    []string
	paths      []string
	sameSite   []string      // known ones in lower case; an empty one where a line had none
	longest    time.Duration // of the lifetimes
	session    bool          // seen without a lifetime
	noSecure   bool          // seen without Secure
	noHTTPOnly bool          // seen without HttpOnly
}

// maxVariants is how many domains, paths or hosts of one name are kept.
const maxVariants = 8

func newEntry(name string, kind Kind, now time.Time) *Entry {
	e := &Entry{name: name, kind: kind}
	e.first.Store(now.UnixNano())
	e.settled.Store(settledAfter)
	e.facts.Store(new(facts))
	return e
}

// Name is a cookie name as a policy knows it.
type Name struct {
	Text    string // "" for a cookie without a name
	Kind    Kind
	Pattern string // the wildcard that names it, if Kind is Wildcard
}

// SetEntry returns the entry of a name that the portal sets, or nil if there is no room for it.
func (o *Observer) SetEntry(name Name, now time.Time) *Entry {
	key, kind := name.key()
	return o.set.add(key, kind, now, func(*Entry) {})
}

// ReadEntry returns the entry of a name that browsers send, if it has one: a rule names it in
// full, or the portal sets it. All others are counted by [Observer.CountClient].
func (o *Observer) ReadEntry(name Name, now time.Time) *Entry {
	key, kind := name.key()
	if kind != Exact && o.set.find(key) == nil {
		return nil
	}
	if e := o.read.find(key); e != nil {
		return e
	}
	return o.read.add(key, Exact, now, o.takeOverClient) // what the portal sets is bounded already
}

// takeOverClient adds to a new entry what was known of the name when it was a client's.
func (o *Observer) takeOverClient(e *Entry) {
	for _, s := range [...]*sketch{&o.unlisted, &o.listed} {
		if c := s.remove(e.name); c != nil {
			e.takeOver(c)
		}
	}
}

// key returns the text under which a name is kept. A long name is kept under the wildcard that names
// it, or cut. Cookies without a name share one entry, which they always have.
func (n *Name) key() (string, Kind) {
	switch {
	case n.Text == "":
		return Nameless, Exact
	case n.Kind == Exact || len(n.Text) <= wire.MaxWord:
		return n.Text, n.Kind
	case n.Kind == Wildcard:
		return n.Pattern, n.Kind
	}
	return wire.Shorten(n.Text) + "…", n.Kind // which no wildcard takes for the whole name
}

// Overflow counts a cookie for whose name there is no room.
func (p *Processor) Overflow() { p.overflow.Add(1) }

// Moment is when a request's cookies count as seen.
type Moment struct {
	time    time.Time
	seconds int64 // the same as Unix time
}

// NewMoment returns the Moment of a time.
func NewMoment(now time.Time) Moment { return Moment{now, now.Unix()} }

// Time returns the time of the Moment.
func (m *Moment) Time() time.Time { return m.time }

// Once a name was counted settledAfter times without anything new about its attributes and hosts, only one
// in sampled is looked at for them.
const (
	settledAfter = 1000
	sampled      = 8
)

// Count counts one verdict, and reports whether [Entry.IsKnown] is to be asked about what came with it. Of a
// name about which there was nothing new for long it is asked in a sample only: that saves 6 % of what a
// response with six lines costs, and more where each line has another date.
func (e *Entry) Count(p *Processor, m Mode, v Verdict, at *Moment) (mayBeNew bool) {
	s := &e.stripes[p.index%stripes]
	n := s.verdicts[m][v].Add(1)
	if s.last.Load() < at.seconds {
		s.last.Store(at.seconds)
	}
	return n <= e.settled.Load() || n%sampled == 0
}

// unsettle makes each processor look at all that comes with the name, until it was counted settledAfter
// times more.
func (e *Entry) unsettle() {
	var most uint64
	for i := range e.stripes {
		for m := range modes {
			for v := range verdicts {
				most = max(most, e.stripes[i].verdicts[m][v].Load())
			}
		}
	}
	e.settled.Store(most + settledAfter)
}

// hashSeed makes hashes that nobody outside can predict.
var hashSeed = maphash.MakeSeed()

// Host is the host of a request, with its hash, which is used for all of the request's cookies.
type Host struct {
	name string
	hash uint64
}

// NewHost returns the Host for the value of a Host header.
func NewHost(host string) Host { return Host{host, maphash.String(hashSeed, host)} }

// IsKnown reports whether attributes have been noted lately together with a host. If not, they count as
// noted from now on, and [Observer.RecordLine] or [Observer.RecordHost] must note them.
func (e *Entry) IsKnown(p *Processor, attributes string, host *Host) bool {
	hash := host.hash
	if attributes != "" {
		hash ^= bits.RotateLeft64(maphash.String(hashSeed, attributes), 1)
	}
	recent := &e.stripes[p.index%stripes].recent
	place := uint64(uint32(hash)) * uint64(len(recent)) >> 32
	return recent[place].Load() == hash || isKnown(recent, hash, place)
}

// isKnown looks for a hash in all other places than the one where most are.
func isKnown(recent *[7]atomic.Uint64, hash, place uint64) bool {
	for i := range uint64(len(recent)) {
		switch r := &recent[(place+i)%uint64(len(recent))]; r.Load() {
		case hash:
			return true
		case 0:
			r.Store(hash)
			return false
		}
	}
	recent[place].Store(hash)
	return false
}

// RecordLine keeps what is new about a line's attributes and its host, and returns the Domain. Of a
// deletion only the host is kept: it has no lifetime, and portals omit its other attributes. The paths
// are those that the policy names for the cookie; others are kept as [OtherPath], because they may
// contain names of people.
func (o *Observer) RecordLine(
	e *Entry, c *wire.SetCookie, host *Host, paths []string, at *Moment,
) (domain string) {
	a := c.ParseAttributes()
	if a.Path != "" && a.Path != "/" && !slices.Contains(paths, a.Path) {
		a.Path = OtherPath
	}
	s := observation{host: o.Site(host.name), attributes: &a}
	if s.lifetime, s.persistent = a.Lifetime(at.time); s.persistent && s.lifetime <= 0 || c.Name == "" {
		s.attributes = nil
	}
	e.addFacts(&s)
	return a.Domain
}

// RecordHost keeps the host of a request.
func (o *Observer) RecordHost(e *Entry, host *Host) {
	e.addFacts(&observation{host: o.Site(host.name)})
}

// observation is what one line or pair shows of a name.
type observation struct {
	host       string
	attributes *wire.Attributes // nil if there are none
	lifetime   time.Duration
	persistent bool // it has a lifetime
}

func (e *Entry) addFacts(s *observation) {
	if _, isNew := e.facts.Load().with(s); !isNew {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	f, _ := e.facts.Load().with(s)
	e.facts.Store(&f)
	e.unsettle()
}

// with returns the facts together with what a observation adds, and whether it adds anything.
func (f facts) with(s *observation) (more facts, isNew bool) {
	word := func(variants *[]string, variant string) {
		variant = wire.Shorten(variant)
		if len(*variants) < maxVariants && !slices.Contains(*variants, variant) {
			*variants, isNew = append(slices.Clip(*variants), strings.Clone(variant)), true
		}
	}
	flag := func(f *bool, now bool) {
		if now && !*f {
			*f, isNew = true, true
		}
	}
	word(&f.hosts, s.host)
	a := s.attributes
	if a == nil {
		return f, isNew
	}
	if a.Domain != "" {
		word(&f.domains, wire.NormalDomain(a.Domain))
	}
	if a.Path != "" {
		word(&f.paths, a.Path)
	}
	sameSite := a.SameSite
	for _, known := range [...]string{policy.SameSiteLax, policy.SameSiteStrict, policy.SameSiteNone} {
		if wire.EqualFold(sameSite, known) {
			sameSite = known
		}
	}
	word(&f.sameSite, sameSite)
	flag(&f.noSecure, !a.Secure)
	flag(&f.noHTTPOnly, !a.HTTPOnly)
	flag(&f.session, !s.persistent)
	if s.persistent && s.lifetime > f.longest {
		f.longest, isNew = s.lifetime, true
	}
	return f, isNew
}
