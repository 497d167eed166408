package observe

import (
	"slices"
	"time"
)

// Counts are numbers of verdicts, by mode and verdict.
type Counts [modes][verdicts]uint64

// Total returns how often the name was met in a mode. Removals from the browser are not meetings.
func (c *Counts) Total(m Mode) (n uint64) {
	for v, count := range c[m] {
		if Verdict(v) != Expired {
			n += count
		}
	}
	return n
}

// Words returns the numbers that are not zero, by the verdict's word in a mode.
func (c *Counts) Words(m Mode) map[string]uint64 {
	words := map[string]uint64{}
	for v, n := range c[m] {
		if n > 0 {
			words[Verdict(v).Word(m)] = n
		}
	}
	return words
}

// Sighting is what an Observer knows of a name on one side, at one moment.
type Sighting struct {
	Name        string // as it came
	Channel     Channel
	First, Last time.Time
	Counts      Counts

	// A client's name without an entry of its own came with at most Missed more requests before First.
	// It is Established once it came often enough to be reported; all others are at once.
	Missed      uint64
	Established bool

	// Hosts are names of sites, as [Observer.SetSites] was given them.
	Hosts []string

	// As portals set it, for the channel set only.
	Domains    []string
	Paths      []string
	SameSite   []string      // known ones in lower case; an empty one where a line had none
	Longest    time.Duration // lifetime
	Session    bool          // seen without a lifetime
	NoSecure   bool          // seen without Secure
	NoHTTPOnly bool          // seen without HttpOnly
}

// Sightings returns what is known of each name, in no order. Strings are as they came from the wire.
func (o *Observer) Sightings() (names []Sighting) {
	for channel, side := range map[Channel]*inventory{Set: &o.set, Read: &o.read} {
		side.all(func(e *Entry) {
			s := e.snapshot(channel)
			// Anybody can send a cookie. One without a name counts only if the portal sets some too.
			s.Established = channel == Set || o.set.find(e.name) != nil || e.name != Nameless &&
				s.Counts.Total(Enforce)+s.Counts.Total(Report) >= enoughRequests
			names = append(names, s)
		})
	}
	seen := func(name string) bool { return o.read.find(name) != nil }
	for _, s := range [...]*sketch{&o.unlisted, &o.listed} {
		s.all(func(c *client) {
			if !seen(c.name) { // it got an entry of its own meanwhile
				names = append(names, Sighting{
					Name: c.name, Channel: Read, First: c.first, Last: c.last, Counts: c.verdicts,
					Missed: c.missed, Established: c.isEstablished(), Hosts: slices.Clone(c.hosts),
				})
			}
		})
	}
	return names
}

func (e *Entry) snapshot(channel Channel) Sighting {
	n := Sighting{
		Name: e.name, Channel: channel, First: time.Unix(0, e.first.Load()).UTC(), Missed: e.missed.Load(),
	}
	var last int64
	for i := range e.stripes {
		s := &e.stripes[i]
		last = max(last, s.last.Load())
		for m := range modes {
			for v := range verdicts {
				n.Counts[m][v] += s.verdicts[m][v].Load()
			}
		}
	}
	if n.Last = time.Unix(last, 0).UTC(); n.Last.Before(n.First) {
		n.Last = n.First
	}
	f := e.facts.Load()
	n.Hosts, n.Domains, n.Paths, n.SameSite = f.hosts, f.domains, f.paths, f.sameSite
	n.Longest, n.Session, n.NoSecure, n.NoHTTPOnly = f.longest, f.session, f.noSecure, f.noHTTPOnly
	return n
}

// ReportOnce reports whether an unlisted name that the portal set is to be reported to the operator:
// once for each name, and not while too many were reported shortly before.
func (o *Observer) ReportOnce(e *Entry, now time.Time) bool {
	if e.reported.Load() || !o.warnings.allow(now) {
		return false
	}
	already := e.reported.Swap(true)
	for _, side := range [...]*inventory{&o.set, &o.read} {
		if other := side.find(e.name); other != nil && other != e {
			already = other.reported.Swap(true) || already
		}
	}
	return !already
}
