package evidence

import (
	"encoding/json"
	"slices"
	"time"
)

// History is the policies of one name that came into force. Each policy is kept once.
type History struct {
	Periods  periods                    `json:"periods,omitempty"` // in the order of their times
	Policies map[string]json.RawMessage `json:"policies,omitempty"`
	Dropped  int                        `json:"dropped,omitempty"` // earlier periods for which there was no room
}

// Period is a time in which one policy was in force.
type Period struct {
	Digest string    `json:"digest"`
	Mode   string    `json:"mode"`
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until,omitzero"` // zero if it is in force, or was when it was last seen
}

// Policy is a policy that comes into force.
type Policy struct {
	Digest  string
	Mode    string
	Content json.RawMessage // as it was configured
}

// maxPolicies bounds the policies of a history, in bytes.
const maxPolicies = 2 << 20

// current returns the period that is not over, or nil.
func (h *History) current() *Period {
	if n := len(h.Periods); n > 0 && h.Periods[n-1].Until.IsZero() {
		return &h.Periods[n-1]
	}
	return nil
}

// begin records that a policy is in force from a time on, and returns since when. A policy that was in force
// when it was last seen is still the same one.
func (h *History) begin(p Policy, since, lastSeen time.Time) time.Time {
	if c := h.current(); c != nil {
		if c.Digest == p.Digest {
			return c.Since
		}
		c.Until = later(c.Since, lastSeen)
	}
	h.Periods = append(h.Periods, Period{Digest: p.Digest, Mode: p.Mode, Since: since})
	if h.Policies == nil {
		h.Policies = map[string]json.RawMessage{}
	}
	h.Policies[p.Digest] = p.Content
	h.limit()
	return since
}

// end records that the policy in force no longer is.
func (h *History) end(at time.Time) {
	if c := h.current(); c != nil {
		c.Until = at
	}
}

// append adds what happened after, and returns since when the policy in force is.
func (h *History) append(after History, lastSeen time.Time) {
	for _, p := range after.Periods {
		h.begin(Policy{p.Digest, p.Mode, after.Policies[p.Digest]}, p.Since, lastSeen)
		if !p.Until.IsZero() {
			h.end(p.Until)
		}
		lastSeen = p.Until
	}
}

// limit drops the oldest periods for which there is no room, but never the last.
func (h *History) limit() {
	h.dropUnused()
	size := 0
	for _, content := range h.Policies {
		size += len(content)
	}
	for len(h.Periods) > 1 && (len(h.Periods) > maxPeriods || size > maxPolicies) {
		oldest := h.Periods[0].Digest
		h.Periods = slices.Delete(h.Periods, 0, 1)
		h.Dropped++
		if !h.has(oldest) {
			size -= len(h.Policies[oldest])
			delete(h.Policies, oldest)
		}
	}
}

// forget removes periods that ended before a time.
func (h *History) forget(oldest time.Time) {
	h.Periods = slices.DeleteFunc(h.Periods, func(p Period) bool { return !p.Until.IsZero() && p.Until.Before(oldest) })
	h.dropUnused()
}

func (h *History) dropUnused() {
	used := map[string]bool{}
	for _, p := range h.Periods {
		used[p.Digest] = true
	}
	for digest := range h.Policies {
		if !used[digest] {
			delete(h.Policies, digest)
		}
	}
}

func (h *History) has(digest string) bool {
	return slices.ContainsFunc(h.Periods, func(p Period) bool { return p.Digest == digest })
}

// bound cuts a history that was read down to what one can hold.
func (h *History) bound(now time.Time) {
	h.Dropped = max(h.Dropped, 0)
	h.Periods = slices.DeleteFunc(h.Periods, func(p Period) bool {
		return len(p.Digest) > maxWord || len(p.Mode) > maxWord
	})
	for i := range h.Periods { // the clock was wrong then, or is now
		p := &h.Periods[i]
		p.Since = earlier(p.Since, now)
		if !p.Until.IsZero() {
			p.Until = later(p.Since, earlier(p.Until, now))
		}
	}
	slices.SortStableFunc(h.Periods, func(a, b Period) int { return a.Since.Compare(b.Since) })
	for i := range h.Periods[:max(0, len(h.Periods)-1)] { // only the last can be in force
		if p := &h.Periods[i]; p.Until.IsZero() {
			p.Until = h.Periods[i+1].Since
		}
	}
	h.limit()
}

// clone returns a copy that can be changed.
func (h *History) clone() History {
	c := History{Periods: slices.Clone(h.Periods), Policies: map[string]json.RawMessage{}, Dropped: h.Dropped}
	for digest, content := range h.Policies {
		c.Policies[digest] = content
	}
	return c
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
