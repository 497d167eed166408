package enforcer

import (
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/wire"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
)

// tally passes the verdicts of one Visit to the observer, and keeps what is to be reported one by
// one. Without an observer it does nothing but look up names.
type tally struct {
	enforcer  *Enforcer
	observer  *observe.Observer  // nil if nothing is counted
	processor *observe.Processor // taken when there is something to count
	began     observe.Moment     // when that was; all that the Visit counts counts as seen then
	host      observe.Host
	site      string       // that serves the host, once it is needed
	visit     uint64       // identifies the request where clients' names are counted
	clients   int          // clients' names so far
	found     *[]Discovery // nil for most visits
	continued bool         // an earlier Visit has counted the request
	finished  bool         // the Visit has ended
	hashed    bool         // the host is
}

// Discovery is a name that no rule names, to be reported to the operator: one that the portal set for
// the first time, or one that clients sent often enough.
type Discovery struct {
	Name     string
	Channel  observe.Channel
	Host     string
	Requests uint64 // with which a client's name came; 0 for one that the portal set

	// Of a Set-Cookie line: the names of the attributes that browsers know, with the values of Domain,
	// SameSite and lifetimes.
	Attributes string
}

// End ends the Visit. It returns what is to be reported one by one: unlisted cookies.
func (v *Visit) End() []Discovery {
	t := &v.tally
	if t.observer != nil && !t.finished {
		t.finished = true
		t.begin()
		if v.visitor.wasRead && !t.continued {
			t.processor.CountPreference(v.visitor.state)
		}
		t.observer.Release(t.processor)
		t.processor = nil
	}
	if t.found == nil {
		return nil
	}
	return *t.found
}

// observes reports whether anybody wants to know the verdicts.
func (t *tally) observes(v *visitor) bool { return t.observer != nil || v.trace != nil }

// begin makes the tally ready to count. There must be an observer.
func (t *tally) begin() {
	if t.processor == nil {
		t.processor = t.observer.Acquire()
		t.time()
	}
}

// time returns when the Visit began to count.
func (t *tally) time() time.Time {
	if t.began.Time().IsZero() {
		t.began = observe.NewMoment(t.enforcer.now())
	}
	return t.began.Time()
}

// hostOf returns the host of the request, hashed once for all of its cookies.
func (t *tally) hostOf(v *visitor) *observe.Host {
	if !t.hashed {
		t.hashed, t.host = true, observe.NewHost(v.request.Host)
	}
	return &t.host
}

// siteOf returns the site that serves the host of the request.
func (t *tally) siteOf(v *visitor) string {
	if t.site == "" {
		t.site = t.observer.Site(v.request.Host)
	}
	return t.site
}

// countRequest counts the request.
func (t *tally) countRequest() {
	if t.observer != nil && !t.continued {
		t.begin()
		t.processor.CountRequest(&t.began)
	}
}

// lookupSet looks up a name of a Set-Cookie line. It reports whether the name is unreadable: it
// contains a control character.
func (t *tally) lookupSet(name string, k *knownName) (unreadable bool) {
	if known := t.enforcer.set.find(name); known != nil {
		*k = *known
		return false
	}
	if wire.HasControl(name) {
		return true
	}
	*k = t.enforcer.lookup(name)
	if o := t.observer; o != nil {
		k.entry = o.SetEntry(k.name, t.time())
		t.enforcer.set.add(k)
	}
	return false
}

// lookupRead looks up a name of a Cookie header.
func (t *tally) lookupRead(name string) knownName {
	if known := t.enforcer.read.find(name); known != nil {
		return *known
	}
	k := t.enforcer.lookup(name)
	if o := t.observer; o != nil {
		k.entry = o.ReadEntry(k.name, t.time())
		t.enforcer.read.add(&k)
	}
	return k
}

// counter returns the number of the counter for a rule's cookies.
func (r *rule) counter() int {
	if r == nil {
		return observe.UnlistedIndex
	}
	return r.category
}

// countLine counts a verdict on a Set-Cookie line.
func (t *tally) countLine(j *judgement, v *visitor, state *response) {
	t.begin()
	o, p, rule, entry := t.observer, t.processor, j.name.rule, j.name.entry
	p.Count(t.enforcer.mode, observe.Set, rule.counter(), j.verdict)
	if j.cookie.Name == "" {
		entry = o.SetEntry(observe.Name{}, t.time())
	}
	if entry == nil {
		p.Overflow()
		return
	}
	mayBeNew := entry.Count(p, t.enforcer.mode, j.verdict, &t.began)
	if mayBeNew && !entry.IsKnown(p, j.cookie.Attributes, t.hostOf(v)) {
		var paths []string
		if rule != nil {
			paths = rule.declared.Path
		}
		domain := o.RecordLine(entry, &j.cookie, t.hostOf(v), paths, &t.began)
		if j.verdict == observe.LetThrough && len(t.enforcer.rewrites) == 0 {
			state.checkDomain(v, j.cookie.Name, wire.NormalDomain(domain))
		}
	}
	if rule == nil && o.ReportOnce(entry, t.time()) {
		attributes := wire.Printable(j.cookie.Describe())
		t.discover(observe.Set, j.cookie.Name, v, Discovery{Attributes: attributes})
	}
}

// countPair counts a verdict on a pair of the Cookie header.
func (t *tally) countPair(k *knownName, verdict observe.Verdict, reason Reason, v *visitor) {
	if t.continued {
		return
	}
	if v.trace != nil {
		v.trace.pair(v, k, verdict, reason)
	}
	o := t.observer
	if o == nil {
		return
	}
	t.begin()
	p, entry := t.processor, k.entry
	p.Count(t.enforcer.mode, observe.Read, k.rule.counter(), verdict)
	if k.name.Text == "" {
		entry = o.ReadEntry(k.name, t.time())
	}
	if entry != nil {
		mayBeNew := entry.Count(p, t.enforcer.mode, verdict, &t.began)
		if mayBeNew && !entry.IsKnown(p, "", t.hostOf(v)) {
			o.RecordHost(entry, t.hostOf(v))
		}
		return
	}
	if t.clients++; t.clients > observe.NamesPerRequest {
		p.Overflow()
		return
	}
	if t.visit == 0 {
		t.visit = o.NewVisit()
	}
	tell, requests, entry := o.CountClient(observe.ClientCookie{
		Name: k.name, Mode: t.enforcer.mode, Verdict: verdict, Site: t.siteOf(v),
		Visit: t.visit, Now: t.time(),
	})
	if entry != nil {
		entry.Count(p, t.enforcer.mode, verdict, &t.began)
	}
	if tell {
		t.discover(observe.Read, k.name.Text, v, Discovery{Requests: requests})
	}
}

// countExpiry counts that a cookie is removed from the browser.
func (t *tally) countExpiry(k *knownName) {
	o := t.observer
	if o == nil {
		return
	}
	t.begin()
	t.processor.Count(t.enforcer.mode, observe.Expire, k.rule.counter(), observe.Expired)
	if k.entry != nil {
		k.entry.Count(t.processor, t.enforcer.mode, observe.Expired, &t.began)
	} else {
		o.CountExpired(k.name, t.enforcer.mode)
	}
}

// discover keeps an unlisted cookie to be reported.
func (t *tally) discover(channel observe.Channel, name string, v *visitor, d Discovery) {
	d.Name, d.Channel = displayName(name), channel
	d.Host = wire.Printable(t.siteOf(v))
	if t.found == nil {
		t.found = new([]Discovery)
	}
	*t.found = append(*t.found, d)
}

// displayName returns a name as it can be shown to people.
func displayName(name string) string {
	if name == "" {
		return observe.Nameless
	}
	return wire.Printable(wire.Shorten(name))
}
