package enforcer

import (
	"hash/maphash"
	"math/bits"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

// Bounds of an entry: like names, clients and portals choose these.
const (
	maxWord     = 100 // bytes of a name, a domain or a path that are kept
	maxVariants = 8   // domains, paths or hosts of one name
)

// nameless stands for a cookie without a name: its text is a value, and values are not kept.
const nameless = "(nameless)"

// inventory holds one entry for each name met.
type inventory = nameTable[entry]

// entry is what is known of one name on one side.
type entry struct {
	shards []entryShard
	first  time.Time
	told   atomic.Bool // that no rule names it

	facts atomic.Pointer[facts]
	mu    sync.Mutex // of those who add facts
}

// facts are what is known of a name but for numbers. They are never changed: whoever learns more puts others in their place.
type facts struct {
	hosts    []string
	domains  []string
	paths    []string
	sameSite []string      // known ones in lower case; an empty one where a line had none
	longest  time.Duration // of the lives
	session  bool          // seen without a lifetime
	insecure bool          // seen without Secure
	scripted bool          // seen without HttpOnly
}

// entryShard is what one processor counts of one name, in cache lines of its own.
type entryShard struct {
	verdicts [verdicts]atomic.Uint64
	last     atomic.Int64      // Unix time, in seconds
	recent   [11]atomic.Uint64 // hashes of attributes and hosts as they came: nothing is new about these
}

// count counts one verdict.
func (e *entry) count(shard int, verdict Verdict, now time.Time) {
	s := &e.shards[shard]
	s.verdicts[verdict].Add(1)
	if seconds := now.Unix(); s.last.Load() != seconds {
		s.last.Store(seconds)
	}
}

// host is what a request's host is looked for by.
type host struct {
	name string
	hash uint64
}

// isNoted says whether this processor has already noted attributes and a host, and if not, that it has now.
func (e *entry) isNoted(shard int, attributes string, host host) bool {
	hash := bits.RotateLeft64(maphash.String(hashSeed, attributes), 1) ^ host.hash
	recent := &e.shards[shard].recent
	place := int(hash % uint64(len(recent)))
	for i := range recent { // most are found at once
		i = (place + i) % len(recent)
		switch recent[i].Load() {
		case hash:
			return true
		case 0:
			recent[i].Store(hash)
			return false
		}
	}
	recent[place].Store(hash)
	return false
}

// note keeps what is new about a line's attributes and its host. A line whose attributes came a moment ago costs a hash, and one that teaches
// nothing takes no lock. Of a deletion only the host counts: it has no life, and portals leave its other attributes out. If the attributes
// were new, it returns the Domain.
func (e *entry) note(shard int, c *setCookie, host host, now time.Time) (domain string, isNew bool) {
	if e.isNoted(shard, c.attributes, host) {
		return "", false
	}
	a := c.readAttributes()
	s := sighting{host: hostName(host.name), attributes: &a}
	if s.life, s.persistent = a.life(now); s.persistent && s.life <= 0 || c.name == "" {
		s.attributes = nil
	}
	e.learn(&s)
	return a.domain, true
}

// noteHost keeps the host of a request.
func (e *entry) noteHost(shard int, host host) {
	if !e.isNoted(shard, "", host) {
		e.learn(&sighting{host: hostName(host.name)})
	}
}

// sighting is what one line or pair shows of a name.
type sighting struct {
	host       string
	attributes *attributes // nil where there are none
	life       time.Duration
	persistent bool // it has a life
}

func (e *entry) learn(s *sighting) {
	if _, isNew := e.facts.Load().with(s); !isNew {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	f, _ := e.facts.Load().with(s)
	e.facts.Store(&f)
}

// with returns the facts with what a sighting adds to them, if it adds anything.
func (f facts) with(s *sighting) (more facts, isNew bool) {
	word := func(variants *[]string, variant string) {
		variant = cutWord(variant)
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
	if a.domain != "" {
		word(&f.domains, normalDomain(a.domain))
	}
	if a.path != "" {
		word(&f.paths, a.path)
	}
	sameSite := a.sameSite
	for _, known := range [...]string{SameSiteLax, SameSiteStrict, SameSiteNone} {
		if equalFold(sameSite, known) {
			sameSite = known
		}
	}
	word(&f.sameSite, sameSite)
	flag(&f.insecure, !a.secure)
	flag(&f.scripted, !a.httpOnly)
	flag(&f.session, !s.persistent)
	if s.persistent && s.life > f.longest {
		f.longest, isNew = s.life, true
	}
	return f, isNew
}

// hostName is a host without its port and in lower case.
func hostName(host string) string {
	if colon := strings.LastIndexByte(host, ':'); colon >= 0 && strings.IndexByte(host[colon:], ']') < 0 {
		host = host[:colon]
	}
	return strings.ToLower(host)
}

// cutWord cuts a long word, between two characters if it is UTF-8.
func cutWord(word string) string {
	if len(word) <= maxWord {
		return word
	}
	for end := maxWord; end > maxWord-utf8.UTFMax; end-- {
		if utf8.RuneStart(word[end]) {
			return word[:end]
		}
	}
	return word[:maxWord]
}

// life is how long a browser keeps a cookie with these attributes, as far as they say: without a lifetime it is one of the session.
func (a *attributes) life(now time.Time) (life time.Duration, persistent bool) {
	if m := parseMaxAge(a.maxAge); m.readBy != noBrowser {
		const longest = 100 * 365 * 24 * 60 * 60
		return time.Duration(max(0, min(m.seconds, longest))) * time.Second, true
	}
	if expires, ok := latestDate(a.expires); ok {
		return expires.Sub(now).Round(time.Minute), true // the portal's clock is not the gateway's
	}
	return 0, false
}

// Discovery is a name without a rule that was met for the first time.
type Discovery struct {
	Name       string
	Channel    Channel
	Host       string
	Attributes string // of a Set-Cookie line: names of attributes, with the values of Domain, Path, SameSite and lifetimes only
}
