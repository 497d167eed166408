package observe

import (
	"slices"
	"time"
)

// Counts are numbers of verdicts, by mode and verdict.
type Counts [modes][verdicts]uint64

func (c *Counts) add(d *Counts) {
	for m := range modes {
		for v := range verdicts {
			c[m][v] += d[m][v]
		}
	}
}

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
func (o *Observer) Sightings() (sightings []Sighting) {
	o.set.all(func(e *Entry) { sightings = append(sightings, e.snapshot(Set)) })
	read := map[string]int{} // indices
	add := func(s Sighting) {
		// A name can have been that of a client, of the portal or of a rule by turns.
		if i, known := read[s.Name]; known {
			sightings[i].add(&s)
			return
		}
		read[s.Name] = len(sightings)
		sightings = append(sightings, s)
	}
	o.read.all(func(e *Entry) {
		s := e.snapshot(Read)
		s.Established = o.set.find(e.name) != nil // otherwise anybody can send it
		add(s)
	})
	for _, sketch := range [...]*sketch{&o.unlisted, &o.listed} {
		sketch.all(func(c *client) {
			add(Sighting{
				Name: c.name, Channel: Read, First: c.first, Last: c.last, Counts: c.verdicts,
				Missed: c.missed, Established: c.isEstablished(), Hosts: slices.Clone(c.hosts),
			})
		})
	}
	return sightings
}

// add adds what is known of the same name on the side of browsers.
func (s *Sighting) add(t *Sighting) {
	if t.First.Before(s.First) {
		s.First = t.First
	}
	if t.Last.After(s.Last) {
		s.Last = t.Last
	}
	s.Counts.add(&t.Counts)
	s.Missed = max(s.Missed, t.Missed)
	s.Established = s.Established || t.Established
	for _, host := range t.Hosts {
		if !slices.Contains(s.Hosts, host) {
			s.Hosts = append(slices.Clip(s.Hosts), host)
		}
	}
}

func (e *Entry) snapshot(channel Channel) Sighting {
	n := Sighting{
		Name: e.name, Channel: channel, First: time.Unix(0, e.first.Load()).UTC(), Missed: e.missed.Load(),
		Established: true,
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
