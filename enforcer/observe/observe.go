// Package observe counts the verdicts of a policy and keeps an inventory of the cookie names that it
// met: names, never values.
//
// Any number of requests share an [Observer]. Its memory is bounded, whatever portals and clients
// send: a name that a rule names in full has an entry of its own, and so have the names that the
// portal sets, up to a bound. All other names come from clients and compete for the counters of a
// sketch that keeps the most frequent ones (see [ClientCookie]).
//
// The package does not judge cookies and does not know Caddy. It reads no clock.
package observe

import (
	"math/bits"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/wire"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// Channel is where a cookie meets the gateway.
type Channel uint8

// The channels.
const (
	Set    Channel = iota // Set-Cookie lines of responses
	Read                  // the Cookie header of requests
	Expire                // removal from the browser
	channels
)

// String returns the channel's word in logs, metrics and reports.
func (c Channel) String() string { return [...]string{"set", "read", "expire"}[c] }

// Verdict is what happens to one cookie on one channel.
type Verdict uint8

// The verdicts.
const (
	LetThrough Verdict = iota // by a rule, or because unlisted cookies pass
	Refused                   // removed from the header
	Deletion                  // let through only because it deletes
	Expired                   // the browser is told to remove it
	verdicts
)

// Mode is the policy's mode when a verdict was given.
type Mode uint8

// The modes.
const (
	Enforce Mode = iota // the verdict was carried out
	Report              // nothing was changed
	modes
)

// String returns the mode's word: `enforce` or `report`.
func (m Mode) String() string { return [...]string{policy.ModeEnforce, policy.ModeReport}[m] }

// Word returns the verdict's word in logs, metrics and reports. In mode report a cookie that would
// have been refused was let through, so its word is another one.
func (v Verdict) Word(m Mode) string {
	if m == Report && v == Refused {
		return "would_refuse"
	}
	if m == Report && v == Expired {
		return "would_expire"
	}
	return [...]string{"let_through", "refused", "deletion", "expired"}[v]
}

// Unlisted stands in place of a category if no rule names a cookie.
const Unlisted policy.Category = "unlisted"

// counted are the categories in the order of their counters.
var counted = append(slices.Clone(policy.Categories), Unlisted)

const categories = 5

// CategoryIndex returns the number of the counter for a category.
func CategoryIndex(c policy.Category) int { return slices.Index(counted, c) }

// UnlistedIndex is the number of the counter for cookies that no rule names.
const UnlistedIndex = categories - 1

// Observer counts what a policy meets, and keeps an inventory of it.
type Observer struct {
	since      atomic.Int64 // Unix time, in nanoseconds
	processors []Processor
	free       sync.Pool // of *Processor; a sync.Pool hands a processor what it put back itself
	next       atomic.Uint32

	set, read inventory
	listed    sketch // clients' names that a wildcard names
	unlisted  sketch // clients' names that no rule names

	visits   atomic.Uint64 // the last number that a visit got
	sites    atomic.Pointer[sites]
	warnings limiter
	saved    saved
	origins  origins
}

// Processor holds what one processor counts. Each has memory of its own, so that none waits for
// another; a reader adds them up. The padding keeps neighbours out of its cache lines.
type Processor struct {
	index       int
	verdicts    [modes][channels][categories][verdicts]atomic.Uint64
	preferences [policy.PreferenceStates]atomic.Uint64
	requests    atomic.Uint64
	last        atomic.Int64 // Unix time of the last request, in seconds
	overflow    atomic.Uint64
	_           [128]byte
}

// New returns an Observer that begins at a time. Give it to the enforcers whose counts belong
// together, such as those of one policy before and after a reload.
func New(now time.Time) *Observer {
	n := 1 << bits.Len(uint(runtime.GOMAXPROCS(0)-1))
	o := &Observer{processors: make([]Processor, n)}
	o.since.Store(now.UnixNano())
	for i := range o.processors {
		o.processors[i].index = i
	}
	o.free.New = func() any { return &o.processors[int(o.next.Add(1)-1)%n] }
	o.listed.init(listedCounters)
	o.unlisted.init(unlistedCounters)
	o.SetSites(nil)
	return o
}

// Since returns when the Observer began.
func (o *Observer) Since() time.Time { return time.Unix(0, o.since.Load()).UTC() }

// Acquire takes a Processor for the time of a request. [Observer.Release] gives it back.
func (o *Observer) Acquire() *Processor { return o.free.Get().(*Processor) }

// Release gives a Processor back.
func (o *Observer) Release(p *Processor) { o.free.Put(p) }

// Count counts a verdict on a cookie of a category.
func (p *Processor) Count(m Mode, c Channel, category int, v Verdict) {
	p.verdicts[m][c][category][v].Add(1)
}

// CountPreference counts a preference that was read, by its state.
func (p *Processor) CountPreference(s policy.PreferenceState) { p.preferences[s].Add(1) }

// CountRequest counts a request.
func (p *Processor) CountRequest(at *Moment) {
	p.requests.Add(1)
	if p.last.Load() < at.seconds {
		p.last.Store(at.seconds)
	}
}

// channelVerdicts are the verdicts that there can be on each channel.
var channelVerdicts = [channels][]Verdict{{LetThrough, Refused, Deletion}, {LetThrough, Refused}, {Expired}}

// Verdicts calls f with the number of each verdict that there can be in a mode, even if it is zero.
func (o *Observer) Verdicts(m Mode, f func(Channel, policy.Category, Verdict, uint64)) {
	for channel := range channels {
		for category := range counted {
			c := counted[category]
			if channel == Expire && (c == policy.Necessary || c == Unlisted) {
				continue
			}
			for _, verdict := range channelVerdicts[channel] {
				var n uint64
				for i := range o.processors {
					n += o.processors[i].verdicts[m][channel][category][verdict].Load()
				}
				f(channel, c, verdict, n)
			}
		}
	}
}

// Preferences calls f with the number of preferences that were read, by state.
func (o *Observer) Preferences(f func(policy.PreferenceState, uint64)) {
	for state := range policy.PreferenceState(policy.PreferenceStates) {
		var n uint64
		for i := range o.processors {
			n += o.processors[i].preferences[state].Load()
		}
		f(state, n)
	}
}

// Requests returns the number of requests and the time of the last one, which is zero if there was
// none.
func (o *Observer) Requests() (n uint64, last time.Time) {
	var seconds int64
	for i := range o.processors {
		n += o.processors[i].requests.Load()
		seconds = max(seconds, o.processors[i].last.Load())
	}
	if n > 0 {
		last = time.Unix(seconds, 0).UTC()
	}
	return n, last
}

// Overflow returns the number of cookies for whose names the inventory had no room.
func (o *Observer) Overflow() (n uint64) {
	for i := range o.processors {
		n += o.processors[i].overflow.Load()
	}
	return n
}

// sites are the names of the sites that hold a policy.
type sites struct {
	names     map[string]bool
	wildcards []string // the longest first
}

// SetSites sets the names of the sites that hold the policy, such as data.example.org or
// *.example.org. Hosts are recorded only as one of these: clients choose the Host header.
func (o *Observer) SetSites(names []string) {
	s := &sites{names: map[string]bool{}}
	for _, name := range names {
		if s.names[name] = true; strings.Contains(name, "*") {
			s.wildcards = append(s.wildcards, name)
		}
	}
	slices.SortFunc(s.wildcards, func(a, b string) int { return len(b) - len(a) })
	o.sites.Store(s)
}

// OtherHost stands for a host that is not the name of a site, and OtherPath for a Path other than /
// that the policy does not name.
const (
	OtherHost = "(other)"
	OtherPath = "(other)"
)

// Site returns the name of the site that serves a host, or [OtherHost].
func (o *Observer) Site(host string) string {
	host = wire.HostName(host)
	s := o.sites.Load()
	if s.names[host] {
		return host
	}
	for _, name := range s.wildcards {
		if matchesSite(name, host) {
			return name
		}
	}
	return OtherHost
}

// matchesSite reports whether a host is one of a site's with a wildcard, as Caddy's host matcher does:
// a label * stands for any label.
func matchesSite(site, host string) bool {
	for {
		want, siteRest, more := strings.Cut(site, ".")
		got, hostRest, moreHost := strings.Cut(host, ".")
		if want != "*" && want != got || more != moreHost {
			return false
		}
		if !more {
			return true
		}
		site, host = siteRest, hostRest
	}
}

// limiter lets a few warnings through in each period.
type limiter struct {
	held  atomic.Bool
	mu    sync.Mutex
	start time.Time
	n     int
}

const (
	warningsPerPeriod = 10
	warningPeriod     = time.Minute
)

func (l *limiter) allow(now time.Time) bool {
	if l.held.Load() {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.start) >= warningPeriod || now.Before(l.start) {
		l.start, l.n = now, 0
	}
	l.n++
	return l.n <= warningsPerPeriod
}
