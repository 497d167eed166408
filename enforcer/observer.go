package enforcer

import (
	"math/bits"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Channel is where a cookie meets the gateway.
type Channel uint8

// The channels.
const (
	ChannelSet    Channel = iota // Set-Cookie lines of responses
	ChannelRead                  // the Cookie header of requests
	ChannelExpire                // removal from the browser
	channels
)

// String is the channel's word in logs, metrics and reports.
func (c Channel) String() string { return [...]string{"set", "read", "expire"}[c] }

// Verdict is what happens to one cookie on one channel.
type Verdict uint8

// The verdicts.
const (
	VerdictLetThrough Verdict = iota // by a rule, or because unlisted cookies pass
	VerdictRefused                   // taken out of the header
	VerdictDeletion                  // let through only because it deletes
	VerdictExpired                   // the browser is told to remove it
	verdicts
)

// String is the verdict's word in logs, metrics and reports.
func (v Verdict) String() string {
	return [...]string{"let_through", "refused", "deletion", "expired"}[v]
}

// Unlisted stands in the place of a category where no rule names a cookie.
const Unlisted Category = "unlisted"

// counted are the categories that are counted, in the order of their counters.
var counted = [...]Category{Necessary, Statistical, FirstParty, ThirdParty, Unlisted}

// preferenceStates are the words of a preference's states, in the order of their counters.
var preferenceStates = [...]string{"none", "too_old", "valid", "unreadable", "contradictory"}

// Observer counts what a policy meets, and keeps an inventory of it: names, never values. Any number of requests share it. Each processor
// counts in memory of its own, so that none waits for another; whoever asks adds up.
type Observer struct {
	since  time.Time
	shards []shard
	free   sync.Pool // of *int, indices of shards; a sync.Pool hands a processor what it gave back itself
	next   atomic.Uint32
	set    inventory
	read   inventory

	telling sync.Mutex // of names that no rule names; each is told once, be it on one side or on both
}

// shard is what one processor counts. The space behind it keeps neighbours out of its cache lines.
type shard struct {
	verdicts    [channels][len(counted)][verdicts]atomic.Uint64
	preferences [len(preferenceStates)]atomic.Uint64
	overflow    atomic.Uint64
	_           [128]byte
}

// NewObserver begins to observe. Give it to the Enforcers whose numbers belong together, such as one policy before and after a reload.
func NewObserver(now time.Time) *Observer {
	o := &Observer{since: now, shards: make([]shard, 1<<bits.Len(uint(runtime.GOMAXPROCS(0)-1)))}
	o.free.New = func() any {
		i := int(o.next.Add(1)-1) % len(o.shards)
		return &i
	}
	return o
}

// Since is when the Observer began.
func (o *Observer) Since() time.Time { return o.since }

// possible are the verdicts that there can be on a channel.
var possible = [channels][]Verdict{{VerdictLetThrough, VerdictRefused, VerdictDeletion}, {VerdictLetThrough, VerdictRefused}, {VerdictExpired}}

// Verdicts calls f with each number of verdicts that there can be, also where it is zero.
func (o *Observer) Verdicts(f func(Channel, Category, Verdict, uint64)) {
	for channel := range channels {
		for category := range counted {
			if channel == ChannelExpire && (counted[category] == Necessary || counted[category] == Unlisted) {
				continue
			}
			for _, verdict := range possible[channel] {
				var n uint64
				for i := range o.shards {
					n += o.shards[i].verdicts[channel][category][verdict].Load()
				}
				f(channel, counted[category], verdict, n)
			}
		}
	}
}

// Preferences calls f with the number of preferences that were read, by state: none, too_old, valid, unreadable, contradictory.
func (o *Observer) Preferences(f func(state string, n uint64)) {
	for state, word := range preferenceStates {
		var n uint64
		for i := range o.shards {
			n += o.shards[i].preferences[state].Load()
		}
		f(word, n)
	}
}

// UnlistedKnown is how many names without a rule are in the inventory.
func (o *Observer) UnlistedKnown(e *Enforcer) (n int) {
	for name := range o.set.all() {
		if e.ruleOf(name) == nil {
			n++
		}
	}
	for name := range o.read.all() {
		if e.ruleOf(name) == nil && o.set.find(name) == nil {
			n++
		}
	}
	return n
}

// ruleOf finds the rule for a name of the inventory.
func (e *Enforcer) ruleOf(name string) *rule {
	if name == nameless {
		return nil
	}
	return e.find(name)
}

// overflow is how many cookies were met whose names found no room.
func (o *Observer) overflow() (n uint64) {
	for i := range o.shards {
		n += o.shards[i].overflow.Load()
	}
	return n
}

// firstTold says, once for each name, that it has not been told yet that no rule names it.
func (o *Observer) firstTold(name string) bool {
	o.telling.Lock()
	defer o.telling.Unlock()
	told := false
	for _, side := range [...]*inventory{&o.set, &o.read} {
		if e := side.find(name); e != nil {
			told = e.told.Swap(true) || told
		}
	}
	return !told
}

// begin takes a shard for the time of a request.
func (o *Observer) begin() *int { return o.free.Get().(*int) }

// end gives the shard back.
func (o *Observer) end(shard *int) { o.free.Put(shard) }
