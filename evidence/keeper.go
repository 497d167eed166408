package evidence

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"sync"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
)

// Keeper keeps the evidence of one policy of this process. It begins without knowing what was kept before,
// because a storage can be slow, and adds that as soon as it is read. Nothing is written before: a record
// that could not be read is never overwritten.
type Keeper struct {
	observer *observe.Observer

	writing sync.Mutex // held while storage is read or written

	mu      sync.Mutex
	record  Record           // without the observer's state
	counted observe.Counters // that are in the days
	known   map[string]bool  // names that no rule names and that were reported
	key     string           // of the record; "" until it is read
	source  string           // the storage from which it was read
	stored  time.Time        // until when the evidence is in storage
	ended   uint64           // requests when it was written as stopped; more than any if it was not
	fleet   *seen            // what other instances knew when this one had no record yet
}

// seen is the policy that was in force last on other instances.
type seen struct {
	policy Policy
	since  time.Time
}

// Aside is a record that could not be read as one, and was kept under another key.
type Aside struct {
	Key    string
	Aside  string // its new key; "" if it was left where it is, and another key is used
	Reason string
}

// NewKeeper returns a Keeper for a policy. The observer has counted nothing yet.
func NewKeeper(policy string, o *observe.Observer, now time.Time) *Keeper {
	now = now.UTC()
	return &Keeper{
		observer: o,
		known:    map[string]bool{},
		ended:    math.MaxUint64,
		record: Record{Version: version, Policy: policy, Interval: 60,
			Keep: int64(maxDays * 24 * time.Hour / time.Second), Since: now, Written: now},
	}
}

// Configure sets which instance this is, how often the evidence is written, and how long it is kept.
func (k *Keeper) Configure(instance string, interval, keep time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.record.Instance = instance
	k.record.Interval, k.record.Keep = max(1, int64(interval/time.Second)), int64(keep/time.Second)
}

// Begin records that a policy is in force. The function that it returns undoes that, as if the policy had
// not been recorded.
func (k *Keeper) Begin(p Policy, now time.Time) (undo func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now = now.UTC()
	k.advance(now)
	before := k.record.History.clone()
	since := now
	if len(k.record.History.Periods) == 0 && k.fleet != nil && k.fleet.policy.Digest == p.Digest {
		since = k.fleet.since
	}
	k.record.History.begin(p, since, now)
	k.record.Days[len(k.record.Days)-1].addInForce(p.Digest)
	return func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.record.History = before
	}
}

// Last returns the policy that came into force last, here or, if nothing was kept here, on another instance;
// or a Policy without a digest if none is known. It also returns whether it still was in force when it was
// last seen.
func (k *Keeper) Last() (p Policy, inForce bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	h := &k.record.History
	if len(h.Periods) == 0 {
		if k.fleet != nil {
			return k.fleet.policy, true
		}
		return Policy{}, false
	}
	last := h.Periods[len(h.Periods)-1]
	return Policy{last.Digest, last.Mode, h.Policies[last.Digest]}, last.Until.IsZero()
}

// End records that the policy is no longer in force.
func (k *Keeper) End(now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.record.History.end(now.UTC())
}

// Instance returns the name of this instance.
func (k *Keeper) Instance() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.record.Instance
}

// Since returns since when the policy has been in force, or the zero time if none is.
func (k *Keeper) Since() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	if c := k.record.History.current(); c != nil {
		return c.Since
	}
	return time.Time{}
}

// FirstSince returns since when a policy of this name has been in force, as far as the history goes back, or
// the zero time if none is.
func (k *Keeper) FirstSince() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	if h := &k.record.History; h.current() != nil {
		return h.Periods[0].Since
	}
	return time.Time{}
}

// Stored returns until when the evidence is in storage, or the zero time if none is.
func (k *Keeper) Stored() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.stored
}

// IsEnded reports whether the evidence was written as that of an instance that has stopped, and no request
// came since.
func (k *Keeper) IsEnded() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	requests, _ := k.observer.Requests()
	return requests == k.ended
}

// IsRead reports whether what was kept before has been read.
func (k *Keeper) IsRead() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.key != ""
}

// Record returns the evidence as it is now.
func (k *Keeper) Record(now time.Time) *Record {
	k.mu.Lock()
	defer k.mu.Unlock()
	state := k.advance(now.UTC())
	return k.snapshot(state)
}

// snapshot returns a copy of the record, which shares no memory with it that changes.
func (k *Keeper) snapshot(state observe.State) *Record {
	r := k.record
	r.Observer = state
	r.History = r.History.clone()
	r.Gaps = append(gaps(nil), r.Gaps...)
	r.Days = append(days(nil), r.Days...)
	if n := len(r.Days); n > 0 { // only the last one changes
		last := &r.Days[n-1]
		counters := last.Counters
		last.Counters = observe.Counters{}
		last.Counters.Add(counters)
		last.InForce, last.Unlisted = append([]string(nil), last.InForce...), append([]string(nil), last.Unlisted...)
	}
	return &r
}

// advance adds what was counted since the last time to the day on which that was, and begins another day
// if one has begun.
func (k *Keeper) advance(now time.Time) observe.State {
	r, state := &k.record, k.observer.State()
	d := r.Days.begin(dayOf(r.Written))
	d.Counters.Add(state.Counters.Since(k.counted))
	k.counted = observe.Counters{}
	k.counted.Add(state.Counters)
	for _, names := range [...]observe.Names{state.Set, state.Read, state.Unlisted} {
		for i := range names {
			if name := string(names[i].Name); names[i].Reported && !k.known[name] {
				k.known[name] = true
				d.addUnlisted(report.Printable(name))
			}
		}
	}
	d = r.Days.begin(dayOf(now))
	if c := r.History.current(); c != nil {
		d.addInForce(c.Digest)
	}
	if now.After(r.Written) {
		r.Written = now
	}
	r.forget(now)
	return state
}

// begin returns a day, which is the last one. If the clock was set back, it is the last one that there is.
func (d *days) begin(day string) *Day {
	if n := len(*d); n == 0 {
		*d = append(*d, Day{Day: day})
	} else if last := &(*d)[n-1]; last.Day < day {
		*d = append(*d, Day{Day: day, Previous: last.Digest()})
	}
	return &(*d)[len(*d)-1]
}

// Read reads what was kept before, unless it has been read, and adds it. The source names the storage.
func (k *Keeper) Read(ctx context.Context, s Storage, source string, now time.Time) (*Aside, error) {
	k.writing.Lock()
	defer k.writing.Unlock()
	return k.read(ctx, s, source, now.UTC())
}

func (k *Keeper) read(ctx context.Context, s Storage, source string, now time.Time) (*Aside, error) {
	k.mu.Lock()
	policy, instance, known, isSame := k.record.Policy, k.record.Instance, k.key != "", k.source == source
	stored := k.stored
	k.mu.Unlock()
	if known && isSame {
		return nil, nil
	}
	recordKey, b, aside, err := load(ctx, s, policy, instance)
	if err != nil {
		return nil, err
	}
	var r *Record
	if b != nil {
		if r, err = decode(b, policy, now); err == nil && r.Instance != instance {
			err = errors.New("it is the record of another instance")
		}
		if err == nil && known && !r.Written.Equal(stored) {
			err = errors.New("this process has read its evidence from another storage")
		}
		if err != nil {
			if aside, err = setAside(ctx, s, recordKey, b, err, now); err != nil {
				return nil, err
			}
			r = nil
		}
	}
	var fleet *seen
	if r == nil && !known {
		fleet = lastOfFleet(ctx, s, policy, now)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case known:
	case r != nil && !r.isOver(now):
		k.add(r, now)
	default:
		k.join(fleet)
	}
	k.key, k.source = recordKey, source
	k.observer.Resume()
	return aside, nil
}

// lastOfFleet returns the policy that was in force last on other instances, or nil if none is known. A new
// instance can do without.
func lastOfFleet(ctx context.Context, s Storage, policy string, now time.Time) *seen {
	f, err := Collect(ctx, s, policy, nil, now, nil)
	if err != nil || len(f.History.Periods) == 0 {
		return nil
	}
	last := f.History.Periods[len(f.History.Periods)-1]
	return &seen{Policy{last.Digest, last.Mode, f.History.Policies[last.Digest]}, last.Since}
}

// join notes what other instances know: a policy that is in force there already is not new with this one.
func (k *Keeper) join(fleet *seen) {
	k.fleet = fleet
	h := &k.record.History
	if fleet != nil && len(h.Periods) > 0 && h.Periods[0].Digest == fleet.policy.Digest {
		h.Periods[0].Since = earlier(h.Periods[0].Since, fleet.since)
	}
}

// load returns the key of a record, and what is stored there, or nil if nothing is. What is too large to be
// read is left where it is, and another key is used.
func load(ctx context.Context, s Storage, policy, instance string) (string, []byte, *Aside, error) {
	var aside *Aside
	for _, suffix := range [...]string{"", ".2", ".3"} {
		recordKey := key(policy, instance+suffix)
		b, err := loadBounded(ctx, s, recordKey)
		if errors.Is(err, fs.ErrNotExist) {
			return recordKey, nil, aside, nil
		}
		if !errors.Is(err, errTooLarge) {
			return recordKey, b, aside, err
		}
		aside = &Aside{Key: recordKey, Reason: err.Error()}
	}
	return "", nil, nil, fmt.Errorf("%s and the keys beside it: %w", aside.Key, errTooLarge)
}

var errTooLarge = fmt.Errorf("it has more than %d bytes", maxSize)

// loadBounded returns what is stored under a key, unless it is too large.
func loadBounded(ctx context.Context, s Storage, key string) ([]byte, error) {
	size, err := s.Size(ctx, key)
	if err != nil {
		return nil, err
	}
	if size > maxSize {
		return nil, errTooLarge
	}
	b, err := s.Load(ctx, key)
	if err == nil && len(b) > maxSize { // some storages do not know sizes
		return nil, errTooLarge
	}
	if err == nil && b == nil {
		b = []byte{}
	}
	return b, err
}

// setAside keeps what is not a record under another key.
func setAside(ctx context.Context, s Storage, key string, b []byte, reason error, now time.Time) (*Aside, error) {
	aside := &Aside{Key: key, Aside: key + asideSuffix + now.Format(asideTime), Reason: reason.Error()}
	if err := s.Store(ctx, aside.Aside, b); err != nil {
		return nil, fmt.Errorf("%w; it could not be set aside: %w", reason, err)
	}
	if err := s.Delete(ctx, key); err != nil {
		return nil, fmt.Errorf("%w; it could not be deleted: %w", reason, err)
	}
	return aside, nil
}

const asideTime = "-20060102T150405Z"

// add puts what was kept before in front of what this process has recorded.
func (k *Keeper) add(before *Record, now time.Time) {
	live := k.record
	state := before.Observer
	for _, names := range [...]observe.Names{state.Set, state.Read, state.Unlisted} {
		for i := range names {
			if names[i].Reported {
				k.known[string(names[i].Name)] = true
			}
		}
	}
	k.observer.Restore(&state, now)
	k.counted.Add(state.Counters)

	k.record = *before
	r := &k.record
	r.Observer = observe.State{}
	r.Version, r.Interval, r.Keep, r.Stopped = version, live.Interval, live.Keep, false
	if before.Written.Before(live.Since) {
		r.Gaps = append(r.Gaps, Gap{before.Written, live.Since})
	}
	r.Gaps = joinGaps(append(r.Gaps, live.Gaps...))
	for i := range live.Days {
		d := &live.Days[i]
		into := r.Days.begin(d.Day)
		into.Counters.Add(d.Counters)
		into.addUnlisted(d.Unlisted...)
		into.More += d.More
		for _, digest := range d.InForce {
			into.addInForce(digest)
		}
	}
	r.History.append(live.History, before.Written)
	r.Written = live.Written
	r.forget(now)
}

// Write writes the evidence. If what was kept before could not be read yet, it is read first. It returns the
// days that are over since it was written last.
func (k *Keeper) Write(
	ctx context.Context, s Storage, source string, now time.Time, stopped bool,
) (over []Day, aside *Aside, err error) {
	k.writing.Lock()
	defer k.writing.Unlock()
	now = now.UTC()
	k.mu.Lock()
	stored := k.stored
	state := k.advance(now) // also if storage fails, so that each day has what was counted on it
	isRead := k.key != "" && k.source == source
	k.mu.Unlock()
	if !isRead {
		if aside, err = k.read(ctx, s, source, now); err != nil {
			return nil, nil, err
		}
	}
	k.mu.Lock()
	if !isRead {
		state = k.advance(now)
	}
	r, recordKey := k.snapshot(state), k.key
	k.mu.Unlock()
	r.Stopped = stopped
	b, err := r.encode()
	if err != nil {
		return nil, aside, err
	}
	if err := s.Store(ctx, recordKey, b); err != nil {
		return nil, aside, err
	}
	k.mu.Lock()
	k.stored, k.ended = r.Written, math.MaxUint64
	if stopped {
		k.ended = r.Observer.Requests
	}
	k.mu.Unlock()
	for _, d := range r.Days[:max(0, len(r.Days)-1)] {
		if !stored.IsZero() && d.Day >= dayOf(stored) {
			over = append(over, d)
		}
	}
	return over, aside, nil
}
