package enforcer

import (
	"hash/maphash"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of an inventory: clients and portals choose names, and must not be able to grow it.
const (
	maxNames    = 1000 // for what portals set, and as many for what clients send
	maxWord     = 100  // bytes of a name, a domain or a path that are kept
	maxVariants = 8    // domains, paths or hosts of one name
)

// nameless stands for a cookie without a name: its text is a value, and values are not kept.
const nameless = "(nameless)"

// inventory holds one entry for each name met. It is read without a lock: names are added to a copy, which takes the place of the old one.
type inventory struct {
	entries  atomic.Pointer[map[string]*entry]
	mu       sync.Mutex // of those who add
	overflow atomic.Uint64
}

// entry is what is known of one name on one side.
type entry struct {
	shards []entryShard
	first  time.Time

	recent [4]atomic.Uint64 // hashes of attributes as they came: these have been noted
	oldest atomic.Uint32    // of the hashes

	mu       sync.Mutex
	domains  []string
	paths    []string
	hosts    []string
	longest  time.Duration
	session  bool // seen without a lifetime
	sends    int  // lines noted
	insecure bool // seen without Secure
	scripted bool // seen without HttpOnly
	sameSite []string
}

// entryShard is what one processor counts of one name, in a cache line of its own.
type entryShard struct {
	verdicts [verdicts]atomic.Uint64
	last     atomic.Int64 // Unix time, in seconds
	_        [24]byte
}

func (i *inventory) find(name string) *entry {
	if entries := i.entries.Load(); entries != nil {
		return (*entries)[name]
	}
	return nil
}

func (i *inventory) all() iter.Seq2[string, *entry] {
	return func(yield func(string, *entry) bool) {
		entries := i.entries.Load()
		if entries == nil {
			return
		}
		for name, e := range *entries {
			if !yield(name, e) {
				return
			}
		}
	}
}

// add gives a name an entry, if there is room, and says whether it is new.
func (i *inventory) add(name string, shards int, now time.Time) (e *entry, isNew bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if e := i.find(name); e != nil {
		return e, false
	}
	old := i.entries.Load()
	more := map[string]*entry{}
	if old != nil {
		if len(*old) >= maxNames {
			i.overflow.Add(1)
			return nil, false
		}
		for n, e := range *old {
			more[n] = e
		}
	}
	e = &entry{shards: make([]entryShard, shards), first: now}
	more[strings.Clone(name)] = e // a part of the header would keep the value alive
	i.entries.Store(&more)
	return e, true
}

// full says whether there is no room, so that nobody has to wait for a lock to learn it.
func (i *inventory) full() bool {
	entries := i.entries.Load()
	return entries != nil && len(*entries) >= maxNames
}

// count counts one verdict.
func (e *entry) count(shard int, verdict Verdict, now time.Time) {
	s := &e.shards[shard]
	s.verdicts[verdict].Add(1)
	if seconds := now.Unix(); s.last.Load() != seconds {
		s.last.Store(seconds)
	}
}

var attributesSeed = maphash.MakeSeed()

// note keeps what is new about a line's attributes and its host. A line whose attributes came a moment ago costs a hash.
func (e *entry) note(c *setCookie, host string, now time.Time) {
	var h maphash.Hash
	h.SetSeed(attributesSeed)
	h.WriteString(c.attributes)
	h.WriteByte(0)
	h.WriteString(host)
	hash := h.Sum64()
	for i := range e.recent {
		if e.recent[i].Load() == hash {
			return
		}
	}
	e.recent[e.oldest.Add(1)%uint32(len(e.recent))].Store(hash)

	a := c.readAttributes()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sends++
	e.hosts = addVariant(e.hosts, host)
	if a.domain != "" {
		e.domains = addVariant(e.domains, normalDomain(a.domain))
	}
	if a.path != "" {
		e.paths = addVariant(e.paths, a.path)
	}
	if a.sameSite != "" || len(e.sameSite) == 0 {
		e.sameSite = addVariant(e.sameSite, strings.ToLower(a.sameSite))
	}
	e.insecure = e.insecure || !a.secure
	e.scripted = e.scripted || !a.httpOnly
	switch life, persistent := a.life(now); {
	case !persistent:
		e.session = true
	case life > e.longest:
		e.longest = life
	}
}

// noteHost keeps the host of a request.
func (e *entry) noteHost(host string) {
	hash := maphash.String(attributesSeed, host)
	for i := range e.recent {
		if e.recent[i].Load() == hash {
			return
		}
	}
	e.recent[e.oldest.Add(1)%uint32(len(e.recent))].Store(hash)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.hosts = addVariant(e.hosts, host)
}

func addVariant(variants []string, variant string) []string {
	variant = cutWord(variant)
	if len(variants) == maxVariants || slices.Contains(variants, variant) {
		return variants
	}
	return append(variants, strings.Clone(variant))
}

func cutWord(word string) string { return word[:min(len(word), maxWord)] }

// life is how long a browser keeps a cookie with these attributes, as far as they say: without a lifetime it is one of the session.
func (a *attributes) life(now time.Time) (life time.Duration, persistent bool) {
	if seconds, ok := lifeSeconds(a.maxAge); ok {
		const longest = 100 * 365 * 24 * 60 * 60
		return time.Duration(min(seconds, longest)) * time.Second, true
	}
	if expires, ok := latestDate(a.expires); ok {
		return expires.Sub(now), true
	}
	return 0, false
}

// Discovery is a name without a rule that was met for the first time.
type Discovery struct {
	Name       string
	Channel    Channel
	Attributes string // of a Set-Cookie line: names of attributes, with the values of Domain, Path, SameSite and lifetimes only
}
