package evidence

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"
)

// Fleet is the evidence of one policy, of one instance or of all that have one storage.
type Fleet struct {
	Instances []Instance
	Days      []Day // added up, without digests
	Gaps      []Gap // in which no instance observed
	History   History
	Chains    []Chain
	Problems  []string // records that could not be read
	Aside     []string // keys of records that were set aside, if a storage was given

	watched []Gap // times in which instances observed
}

// Instance is one gateway of a fleet.
type Instance struct {
	Instance string    `json:"instance"`
	Self     bool      `json:"self,omitempty"` // it is the one that answers
	Live     bool      `json:"live"`           // it is likely to run
	Since    time.Time `json:"since"`
	Written  time.Time `json:"written"`          // until when its evidence is known
	Digest   string    `json:"digest,omitempty"` // of the policy that was in force last
	Mode     string    `json:"mode,omitempty"`
	Requests uint64    `json:"requests"`
}

// maxInstances is how many records of a policy are read.
const maxInstances = 1000

// Collect adds up the evidence of an instance, and, if a storage is given, that of all other instances on
// it. It calls each with each record, one after the other, so that they need not be in memory together.
func Collect(
	ctx context.Context, s Storage, policy string, own *Record, now time.Time, each func(*Record, Instance) error,
) (*Fleet, error) {
	now = now.UTC()
	f := new(Fleet)
	if own != nil {
		if err := f.add(own, true, now, each); err != nil {
			return nil, err
		}
	}
	if s != nil {
		keys, aside, err := recordKeys(ctx, s, prefix(policy))
		if err != nil {
			return nil, err
		}
		f.Aside = aside
		if len(keys) > maxInstances {
			f.Problems = append(f.Problems, fmt.Sprintf("%d records of more than %d were not read",
				len(keys)-maxInstances, maxInstances))
			keys = keys[:maxInstances]
		}
		for _, recordKey := range keys {
			if own != nil && recordKey == key(policy, own.Instance) {
				continue
			}
			r, err := readRecord(ctx, s, recordKey, policy, now)
			switch {
			case ctx.Err() != nil:
				return nil, ctx.Err()
			case errors.Is(err, fs.ErrNotExist): // deleted meanwhile
			case err != nil:
				f.Problems = append(f.Problems, recordKey+": "+err.Error())
			case r.isOver(now) || own != nil && r.Instance == own.Instance:
			default:
				if err := f.add(r, false, now, each); err != nil {
					return nil, err
				}
			}
		}
	}
	f.finish(now)
	return f, nil
}

func readRecord(ctx context.Context, s Storage, key, policy string, now time.Time) (*Record, error) {
	b, err := loadBounded(ctx, s, key)
	if err != nil {
		return nil, err
	}
	return decode(b, policy, now)
}

// recordKeys returns the keys of records under a prefix, and those of what was set aside, in their order.
func recordKeys(ctx context.Context, s Storage, prefix string) (keys, aside []string, err error) {
	all, err := s.List(ctx, prefix)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	slices.Sort(all)
	for _, key := range all {
		switch {
		case instanceOf(key) != "":
			keys = append(keys, key)
		case strings.Contains(key, suffix+asideSuffix) && len(aside) < maxInstances:
			aside = append(aside, key)
		}
	}
	return keys, aside, nil
}

func (f *Fleet) add(r *Record, self bool, now time.Time, each func(*Record, Instance) error) error {
	i := Instance{Instance: r.Instance, Self: self, Live: self || r.IsLive(now), Since: r.Since, Written: r.Written,
		Requests: r.Observer.Requests}
	h := r.History.clone()
	if n := len(h.Periods); n > 0 {
		last := &h.Periods[n-1]
		i.Digest, i.Mode = last.Digest, last.Mode
		if !i.Live && last.Until.IsZero() {
			last.Until = later(last.Since, r.Written)
		}
	}
	f.Instances = append(f.Instances, i)
	f.Chains = append(f.Chains, Verify(r.Instance, r.Days))
	f.History.Periods = append(f.History.Periods, h.Periods...)
	f.History.Dropped += h.Dropped
	if f.History.Policies == nil {
		f.History.Policies = map[string]json.RawMessage{}
	}
	maps.Copy(f.History.Policies, h.Policies)
	for _, d := range r.Days {
		f.addDay(d)
	}
	from := r.Since
	for _, g := range r.Gaps {
		f.watched = append(f.watched, Gap{from, g.From})
		from = g.To
	}
	f.watched = append(f.watched, Gap{from, r.Written})
	if each == nil {
		return nil
	}
	return each(r, i)
}

func (f *Fleet) addDay(d Day) {
	at, known := slices.BinarySearchFunc(f.Days, d.Day, func(d Day, day string) int { return cmp.Compare(d.Day, day) })
	if !known {
		f.Days = slices.Insert(f.Days, at, Day{Day: d.Day})
	}
	into := &f.Days[at]
	into.Counters.Add(d.Counters)
	for _, digest := range d.InForce {
		into.addInForce(digest)
	}
	into.addUnlisted(d.Unlisted...)
	into.More += d.More
}

// finish joins what was added of each instance.
func (f *Fleet) finish(now time.Time) {
	slices.SortStableFunc(f.Instances, func(a, b Instance) int { return cmp.Compare(a.Instance, b.Instance) })
	slices.SortStableFunc(f.Chains, func(a, b Chain) int { return cmp.Compare(a.Instance, b.Instance) })
	f.Gaps = gapsBetween(f.watched, now)
	if len(f.Instances) > 1 {
		f.History.Periods = joinPeriods(f.History.Periods)
	}
}

// gapsBetween returns the times between spans, and from the last one until now. A second is none.
func gapsBetween(spans []Gap, now time.Time) (between []Gap) {
	slices.SortFunc(spans, func(a, b Gap) int { return a.From.Compare(b.From) })
	var end time.Time
	for i, span := range spans {
		if i > 0 && span.From.After(end) {
			between = append(between, Gap{end, span.From})
		}
		end = later(end, span.To)
	}
	if len(spans) > 0 && now.Sub(end) > time.Second {
		between = append(between, Gap{end, now})
	}
	return between
}

// joinPeriods joins the periods of one policy on several instances: it has been in force all the time
// unless another policy came between. That nothing was observed meanwhile is in the gaps.
func joinPeriods(all []Period) (joined []Period) {
	slices.SortStableFunc(all, func(a, b Period) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Digest, b.Digest))
	})
	lasts := map[string]int{} // the last period of each policy
	for _, p := range all {
		last, known := lasts[p.Digest]
		if !known || last < len(joined)-1 && !joined[last].Until.IsZero() && joined[last].Until.Before(p.Since) {
			lasts[p.Digest] = len(joined)
			joined = append(joined, p)
			continue
		}
		if into := &joined[last]; p.Until.IsZero() || into.Until.IsZero() {
			into.Until = time.Time{}
		} else {
			into.Until = later(into.Until, p.Until)
		}
	}
	return joined
}

// Prune deletes the records of all policies that have been kept for as long as they are to be, and what was
// set aside as long ago. It returns how many keys it has deleted.
func Prune(ctx context.Context, s Storage, now time.Time) (deleted int, err error) {
	all, err := s.List(ctx, Root)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return 0, nil
		}
		return 0, err
	}
	for _, key := range all {
		if !isOver(ctx, s, key, now) {
			continue
		}
		if err := s.Delete(ctx, key); err != nil {
			return deleted, err
		}
		deleted++
	}
	return deleted, ctx.Err()
}

// isOver reports whether what is stored under a key has been kept for long enough.
func isOver(ctx context.Context, s Storage, key string, now time.Time) bool {
	const asLongAs = 395 * 24 * time.Hour // by default
	if at := len(key) - len(asideTime); at > 0 {
		if t, err := time.Parse(asideTime, key[at:]); err == nil {
			return now.Sub(t) > asLongAs
		}
	}
	if instanceOf(key) == "" {
		return false
	}
	stored, err := loadBounded(ctx, s, key)
	if err != nil {
		return false
	}
	b, err := decompress(stored)
	if err != nil {
		return false
	}
	var r struct {
		Version int
		Written time.Time
		Keep    int64
	}
	if json.Unmarshal(b, &r) != nil || r.Version < 1 || r.Version > version || r.Written.IsZero() || r.Keep < 1 {
		return false
	}
	return now.Sub(r.Written) > time.Duration(min(r.Keep, int64(maxDays*24*time.Hour/time.Second)))*time.Second
}
