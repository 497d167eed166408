package observe

import (
	"maps"
	"strings"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// Counters are the numbers of an [Observer] that only grow, as plain data. Numbers that are zero are
// left out.
type Counters struct {
	Requests    uint64            `json:"requests,omitempty"`
	Verdicts    map[string]uint64 `json:"verdicts,omitempty"`    // by [VerdictKey]
	Preferences map[string]uint64 `json:"preferences,omitempty"` // that were read, by state
	Saved       map[string]uint64 `json:"saved,omitempty"`       // answers, by [SavedKey]
	Loads       map[string]uint64 `json:"loads,omitempty"`       // reports of browsers, by [LoadKey]
	Dropped     map[string]uint64 `json:"dropped,omitempty"`     // reports that were dropped, by reason
	Overflow    uint64            `json:"overflow,omitempty"`
}

// VerdictKey names the counter of a verdict, such as `enforce/set/unlisted/refused`.
func VerdictKey(m Mode, ch Channel, category policy.Category, v Verdict) string {
	return m.String() + "/" + ch.String() + "/" + string(category) + "/" + v.Word(m)
}

// SavedKey names the counter of the answers about a consent key, such as `granted/matomo`.
func SavedKey(key string, outcome policy.Consent) string { return outcome.String() + "/" + key }

// CutSavedKey returns the consent key and the outcome that a [SavedKey] names.
func CutSavedKey(savedKey string) (key, outcome string) {
	outcome, key, _ = strings.Cut(savedKey, "/")
	return key, outcome
}

// maxCount bounds the numbers that are restored, so that nothing that is added to them overflows.
const maxCount = 1 << 56

// Counters returns the numbers as they are now.
func (o *Observer) Counters() Counters {
	c := Counters{Verdicts: map[string]uint64{}, Preferences: map[string]uint64{}, Saved: map[string]uint64{}}
	put := func(counters map[string]uint64, key string, n uint64) {
		if n > 0 {
			counters[key] = n
		}
	}
	for m := range modes {
		o.Verdicts(m, func(ch Channel, category policy.Category, v Verdict, n uint64) {
			put(c.Verdicts, VerdictKey(m, ch, category, v), n)
		})
	}
	o.Preferences(func(s policy.PreferenceState, n uint64) { put(c.Preferences, s.String(), n) })
	o.saved.mu.Lock()
	for key, answers := range o.saved.answers {
		put(c.Saved, SavedKey(key, policy.Granted), answers.Granted)
		put(c.Saved, SavedKey(key, policy.Refused), answers.Refused)
	}
	o.saved.mu.Unlock()
	o.origins.mu.Lock()
	c.Loads, c.Dropped = maps.Clone(o.origins.loads), maps.Clone(o.origins.dropped)
	o.origins.mu.Unlock()
	c.Requests, _ = o.Requests()
	c.Overflow = o.Overflow()
	return c
}

// Add adds other numbers.
func (c *Counters) Add(d Counters) {
	c.Requests += d.Requests
	c.Overflow += d.Overflow
	for _, pair := range [...]struct {
		into *map[string]uint64
		from map[string]uint64
	}{{&c.Verdicts, d.Verdicts}, {&c.Preferences, d.Preferences}, {&c.Saved, d.Saved},
		{&c.Loads, d.Loads}, {&c.Dropped, d.Dropped}} {
		for key, n := range pair.from {
			if *pair.into == nil {
				*pair.into = map[string]uint64{}
			}
			(*pair.into)[key] += n
		}
	}
}

// Since returns what was counted after earlier numbers of the same Observer.
func (c Counters) Since(earlier Counters) (d Counters) {
	less := func(a, b uint64) uint64 { return a - min(a, b) }
	rest := func(all, earlier map[string]uint64) (rest map[string]uint64) {
		for key, n := range all {
			if n = less(n, earlier[key]); n > 0 {
				if rest == nil {
					rest = map[string]uint64{}
				}
				rest[key] = n
			}
		}
		return rest
	}
	return Counters{
		Requests: less(c.Requests, earlier.Requests), Overflow: less(c.Overflow, earlier.Overflow),
		Verdicts: rest(c.Verdicts, earlier.Verdicts), Preferences: rest(c.Preferences, earlier.Preferences),
		Saved: rest(c.Saved, earlier.Saved),
		Loads: rest(c.Loads, earlier.Loads), Dropped: rest(c.Dropped, earlier.Dropped),
	}
}

// knownVerdicts and knownStates are the names of all counters that there can be.
var knownVerdicts, knownStates = func() (verdicts map[string]place, states map[string]policy.PreferenceState) {
	verdicts, states = map[string]place{}, map[string]policy.PreferenceState{}
	for m := range modes {
		for ch := range channels {
			for category := range counted {
				for _, v := range channelVerdicts[ch] {
					verdicts[VerdictKey(m, ch, counted[category], v)] = place{m, ch, category, v}
				}
			}
		}
	}
	for s := range policy.PreferenceState(policy.PreferenceStates) {
		states[s.String()] = s
	}
	return verdicts, states
}()

// knownLoads are the names of all counters of reports that there can be.
var knownLoads = func() map[string]bool {
	known := map[string]bool{}
	for m := range modes {
		for _, category := range counted {
			for _, v := range [...]Verdict{LetThrough, Refused} {
				known[LoadKey(m, category, v)] = true
			}
		}
	}
	return known
}()

// maxReasons and maxReason bound the reasons for which reports were dropped.
const maxReasons, maxReason = 16, 32

// place is where a verdict is counted.
type place struct {
	mode     Mode
	channel  Channel
	category int
	verdict  Verdict
}

// Bound removes the numbers that no Observer has, and cuts the others down to what one can hold. It is
// for numbers that were read from somewhere.
func (c *Counters) Bound() {
	c.Requests, c.Overflow = min(c.Requests, maxCount), min(c.Overflow, maxCount)
	bound := func(counters map[string]uint64, isKnown func(key string) bool) {
		for key, n := range counters {
			if !isKnown(key) {
				delete(counters, key)
				continue
			}
			counters[key] = min(n, maxCount)
		}
	}
	bound(c.Verdicts, func(key string) bool { _, known := knownVerdicts[key]; return known })
	bound(c.Preferences, func(key string) bool { _, known := knownStates[key]; return known })
	bound(c.Loads, func(key string) bool { return knownLoads[key] })
	reasons := 0
	bound(c.Dropped, func(reason string) bool {
		reasons++
		return reasons <= maxReasons && len(reason) <= maxReason
	})
	keys := map[string]bool{}
	bound(c.Saved, func(saved string) bool {
		key, outcome := CutSavedKey(saved)
		isOutcome := outcome == policy.Granted.String() || outcome == policy.Refused.String()
		if !isOutcome || len(key) > maxSavedKey || !keys[key] && len(keys) == maxSavedKeys {
			return false
		}
		keys[key] = true
		return true
	})
}

// maxSavedKey is the length of the longest consent key of which answers are restored.
const maxSavedKey = 256

// restoreCounters adds numbers that are bounded.
func (o *Observer) restoreCounters(c Counters) {
	p := &o.processors[0]
	for key, n := range c.Verdicts {
		if at, known := knownVerdicts[key]; known {
			p.verdicts[at.mode][at.channel][at.category][at.verdict].Add(n)
		}
	}
	for key, n := range c.Preferences {
		if s, known := knownStates[key]; known {
			p.preferences[s].Add(n)
		}
	}
	o.origins.mu.Lock()
	for key, n := range c.Loads {
		count(&o.origins.loads, key, n)
	}
	for reason, n := range c.Dropped {
		count(&o.origins.dropped, reason, n)
	}
	o.origins.mu.Unlock()
	p.requests.Add(c.Requests)
	p.overflow.Add(c.Overflow)
	o.saved.mu.Lock()
	defer o.saved.mu.Unlock()
	for savedKey, n := range c.Saved {
		key, outcome := CutSavedKey(savedKey)
		a := o.saved.answers[key]
		if a == nil {
			if len(o.saved.answers) == maxSavedKeys {
				continue
			}
			if o.saved.answers == nil {
				o.saved.answers = map[string]*SavedAnswers{}
			}
			a = new(SavedAnswers)
			o.saved.answers[key] = a
		}
		if outcome == policy.Granted.String() {
			a.Granted += n
		} else {
			a.Refused += n
		}
	}
}

// CutVerdictKey returns the words that a [VerdictKey] names: mode, channel, category and verdict.
func CutVerdictKey(key string) (mode, channel, category, verdict string) {
	words := append(strings.Split(key, "/"), "", "", "", "")
	return words[0], words[1], words[2], words[3]
}
