package observe

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/wire"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// Redirect stands for the origin of something that a page asked its own host for, and that was
// redirected elsewhere.
const Redirect = "(redirect)"

// Bounds of what is kept of origins. Those that a policy names are as many as it has; a reload can bring
// others. All others come from clients.
const (
	maxListedOrigins   = 1000
	maxUnlistedOrigins = 200
	maxDirectives      = 16
	maxDirective       = 32 // bytes
)

// Reports come from anybody: more than these are not looked at.
const (
	reportsPerSecond = 20
	reportsAtOnce    = 200
)

// origins is what browsers report of the third parties that pages load from.
type origins struct {
	mu      sync.Mutex
	entries map[string]*originEntry
	numbers [2]int // of entries: unlisted and listed ones
	loads   map[string]uint64
	dropped map[string]uint64

	tokens float64 // how many reports are still looked at
	filled time.Time
}

type originEntry struct {
	OriginSighting
	lastDay int64
}

// weight tells which origin gives way to a new one, by the Space-Saving algorithm, as a client's name does.
func (e *originEntry) weight() uint64 { return e.Reports + e.Missed }

// OriginSighting is what an Observer knows of an origin.
type OriginSighting struct {
	Origin      string // as a rule names it, or as browsers reported it if none does
	Listed      bool   // a rule names it
	First, Last time.Time
	Reports     uint64
	Missed      uint64    // reports that may have come before First
	Days        int       // on which reports came
	Consents    [3]uint64 // reports, by what the visitor's preference said: a [policy.Consent]
	Counts      Counts
	Directives  []string
	Hosts       []string
}

// Established reports whether reports of the origin came on so many days that it is told to the operator:
// an extension of one visitor's browser causes reports too.
func (s *OriginSighting) Established() bool { return s.Days >= enoughDays }

// OriginReport is one report.
type OriginReport struct {
	Origin    string // as for an OriginSighting
	Listed    bool
	Category  policy.Category // or Unlisted
	Directive string
	Host      string // of the request
	Consent   policy.Consent
	Mode      Mode
	Verdict   Verdict
	Now       time.Time
}

// CountOrigin counts a report.
func (o *Observer) CountOrigin(r OriginReport) {
	site := o.Site(r.Host)
	s := &o.origins
	s.mu.Lock()
	defer s.mu.Unlock()
	count(&s.loads, LoadKey(r.Mode, r.Category, r.Verdict), 1)
	e := s.entry(r.Origin, r.Listed, r.Now)
	if e == nil {
		return
	}
	e.Reports++
	e.Consents[r.Consent]++
	e.Counts[r.Mode][r.Verdict]++
	e.Last = r.Now
	if day := r.Now.Unix() / (24 * 60 * 60); day != e.lastDay {
		e.lastDay = day
		e.Days++
	}
	addWord(&e.Directives, r.Directive, maxDirectives)
	addWord(&e.Hosts, site, maxVariants)
}

func count(counters *map[string]uint64, key string, n uint64) {
	if *counters == nil {
		*counters = map[string]uint64{}
	}
	(*counters)[key] += n
}

func addWord(words *[]string, word string, most int) {
	if len(*words) < most && !slices.Contains(*words, word) {
		*words = append(slices.Clip(*words), strings.Clone(word))
	}
}

// entry returns the entry of an origin. A new one that no rule names may take the place of the one of
// which fewest reports came.
func (s *origins) entry(origin string, listed bool, now time.Time) *originEntry {
	kind := 0
	if listed {
		kind = 1
	}
	e := s.entries[origin]
	if e != nil {
		if e.Listed != listed { // the policy is another one
			s.numbers[1-kind]--
			s.numbers[kind]++
			e.Listed = listed
		}
		return e
	}
	if s.entries == nil {
		s.entries = map[string]*originEntry{}
	}
	e = &originEntry{OriginSighting: OriginSighting{Origin: strings.Clone(origin), Listed: listed, First: now}}
	switch {
	case listed && s.numbers[1] >= maxListedOrigins:
		return nil
	case !listed && s.numbers[0] >= maxUnlistedOrigins:
		var least *originEntry
		for _, other := range s.entries {
			if !other.Listed && (least == nil || other.weight() < least.weight()) {
				least = other
			}
		}
		e.Missed = least.weight()
		delete(s.entries, least.Origin)
		s.numbers[0]--
	}
	s.numbers[kind]++
	s.entries[e.Origin] = e
	return e
}

// AllowReports reports whether so many more reports are counted now. Those that are not are counted as
// dropped by their reader.
func (o *Observer) AllowReports(n int, now time.Time) bool {
	s := &o.origins
	s.mu.Lock()
	defer s.mu.Unlock()
	if elapsed := now.Sub(s.filled).Seconds(); s.filled.IsZero() || elapsed < 0 {
		s.tokens = reportsAtOnce
	} else {
		s.tokens = min(reportsAtOnce, s.tokens+elapsed*reportsPerSecond)
	}
	s.filled = now
	if s.tokens < float64(n) {
		return false
	}
	s.tokens -= float64(n)
	return true
}

// CountDropped counts reports that were dropped for a reason. There are few reasons.
func (o *Observer) CountDropped(reason string, n uint64) {
	o.origins.mu.Lock()
	defer o.origins.mu.Unlock()
	count(&o.origins.dropped, reason, n)
}

// LoadKey names the counter of reports with a verdict, such as `report/unlisted/would_refuse`.
func LoadKey(m Mode, category policy.Category, v Verdict) string {
	return m.String() + "/" + string(category) + "/" + v.Word(m)
}

// CutLoadKey returns the words that a [LoadKey] names: mode, category and verdict.
func CutLoadKey(key string) (mode, category, verdict string) {
	words := append(strings.Split(key, "/"), "", "", "")
	return words[0], words[1], words[2]
}

// Loads calls f with the number of reports with each verdict that there can be, by its word, even if it is
// zero.
func (o *Observer) Loads(f func(c policy.Category, verdict string, n uint64)) {
	o.origins.mu.Lock()
	defer o.origins.mu.Unlock()
	n := func(m Mode, c policy.Category, v Verdict) uint64 { return o.origins.loads[LoadKey(m, c, v)] }
	for _, c := range counted {
		f(c, LetThrough.Word(Enforce), n(Enforce, c, LetThrough)+n(Report, c, LetThrough))
		f(c, Refused.Word(Enforce), n(Enforce, c, Refused))
		f(c, Refused.Word(Report), n(Report, c, Refused))
	}
}

// Dropped returns the number of reports that were dropped for a reason.
func (o *Observer) Dropped(reason string) uint64 {
	o.origins.mu.Lock()
	defer o.origins.mu.Unlock()
	return o.origins.dropped[reason]
}

// Origins returns what is known of each origin, in the order of the origins.
func (o *Observer) Origins() (sightings []OriginSighting) {
	o.origins.mu.Lock()
	defer o.origins.mu.Unlock()
	for _, e := range o.origins.entries {
		sightings = append(sightings, e.OriginSighting)
	}
	slices.SortFunc(sightings, func(a, b OriginSighting) int { return cmp.Compare(a.Origin, b.Origin) })
	return sightings
}

// OriginState is what is known of one origin, as plain data.
type OriginState struct {
	Origin     Text              `json:"origin"`
	Listed     bool              `json:"listed,omitempty"`
	First      int64             `json:"first"` // Unix time, in milliseconds
	Last       int64             `json:"last"`  // Unix time, in milliseconds
	Reports    uint64            `json:"reports"`
	Missed     uint64            `json:"missed,omitempty"`
	Days       int               `json:"days"`
	Granted    uint64            `json:"granted,omitempty"` // reports, by what the preference said
	Refused    uint64            `json:"refused,omitempty"`
	Undecided  uint64            `json:"undecided,omitempty"`
	Enforce    map[string]uint64 `json:"enforce,omitempty"` // numbers of verdicts in this mode, by word
	Report     map[string]uint64 `json:"report,omitempty"`
	Directives []Text            `json:"directives,omitempty"`
	Hosts      []Text            `json:"hosts,omitempty"`
}

func (o *Observer) originStates() (states []OriginState) {
	for _, s := range o.Origins() {
		states = append(states, OriginState{
			Origin: Text(s.Origin), Listed: s.Listed, First: s.First.UnixMilli(), Last: s.Last.UnixMilli(),
			Reports: s.Reports, Missed: s.Missed, Days: s.Days, Granted: s.Consents[policy.Granted],
			Refused: s.Consents[policy.Refused], Undecided: s.Consents[policy.Undecided],
			Enforce: s.Counts.Words(Enforce), Report: s.Counts.Words(Report),
			Directives: texts(s.Directives), Hosts: texts(s.Hosts),
		})
	}
	return states
}

// restoreOrigins adds what was known before, those of which most reports came first.
func (o *Observer) restoreOrigins(states []OriginState, now time.Time) {
	states = slices.Clone(states[:min(len(states), maxListedOrigins+maxUnlistedOrigins)])
	slices.SortStableFunc(states, func(a, b OriginState) int { return cmp.Compare(b.Reports, a.Reports) })
	s := &o.origins
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range states {
		n := &states[i]
		if !n.isValid() {
			continue
		}
		known := s.entries[string(n.Origin)] != nil
		if !known && !n.Listed && s.numbers[0] >= maxUnlistedOrigins {
			continue
		}
		first, last := moment(n.First, now), moment(n.Last, now)
		e := s.entry(string(n.Origin), n.Listed || known && s.entries[string(n.Origin)].Listed, first)
		if e == nil {
			continue
		}
		e.First = earlierOf(e.First, first)
		if last.After(e.Last) {
			e.Last, e.lastDay = last, last.Unix()/(24*60*60)
		}
		e.Reports += min(n.Reports, maxCount)
		e.Missed = max(e.Missed, min(n.Missed, maxCount))
		e.Days = max(e.Days, min(max(n.Days, 0), maxDays))
		for consent, reports := range map[policy.Consent]uint64{
			policy.Granted: n.Granted, policy.Refused: n.Refused, policy.Undecided: n.Undecided,
		} {
			e.Consents[consent] += min(reports, maxCount)
		}
		counts := (&NameState{Enforce: n.Enforce, Report: n.Report}).counts()
		e.Counts.add(&counts)
		for _, word := range n.Directives {
			if len(word) <= maxDirective && !wire.HasControl(string(word)) {
				addWord(&e.Directives, string(word), maxDirectives)
			}
		}
		e.Hosts = restoreWords(e.Hosts, n.Hosts)
	}
}

// isValid reports whether an Observer can have written the origin.
func (n *OriginState) isValid() bool {
	switch {
	case n.Listed:
		return policy.IsOrigin(string(n.Origin))
	case n.Origin == Redirect:
		return true
	}
	origin, ok := policy.OriginOf(string(n.Origin))
	return ok && origin == string(n.Origin)
}

func earlierOf(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
