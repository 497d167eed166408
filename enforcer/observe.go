package enforcer

import "strings"

// observeLine notes a verdict on a Set-Cookie line. The final header is filtered again when the handler has ended, for trailers and for what
// came late: lines that were let through before are not counted a second time.
func (v *Visit) observeLine(j *judgement) {
	if v.completed && (j.verdict != VerdictRefused || v.enforcer.reports) {
		return
	}
	o := v.enforcer.observer
	v.tally(ChannelSet, j.rule, j.verdict)
	v.trace(ChannelSet, j.cookie.name, j.rule, j.verdict)
	e, isNew := v.entry(&o.set, j.cookie.name)
	if e == nil {
		return
	}
	e.count(*v.observed.shard, j.verdict, v.began)
	e.note(&j.cookie, v.request.Host, v.began)
	if isNew && j.rule == nil {
		v.discover(ChannelSet, &j.cookie)
	}
}

// observePair notes a verdict on a pair of the Cookie header.
func (v *Visit) observePair(name string, r *rule, granted bool) {
	verdict := VerdictRefused
	if granted {
		verdict = VerdictLetThrough
	}
	v.tally(ChannelRead, r, verdict)
	v.trace(ChannelRead, name, r, verdict)
	e, isNew := v.entry(&v.enforcer.observer.read, name)
	if e == nil {
		return
	}
	e.count(*v.observed.shard, verdict, v.began)
	e.noteHost(v.request.Host)
	if isNew && r == nil {
		v.discover(ChannelRead, &setCookie{name: name})
	}
}

// observeExpired notes that a cookie is removed from the browser.
func (v *Visit) observeExpired(name string) {
	if v.enforcer.observer == nil {
		return
	}
	r := v.enforcer.find(name)
	v.tally(ChannelExpire, r, VerdictExpired)
	v.trace(ChannelExpire, name, r, VerdictExpired)
	if e, _ := v.entry(&v.enforcer.observer.read, name); e != nil {
		e.count(*v.observed.shard, VerdictExpired, v.began)
	}
}

func (v *Visit) tally(channel Channel, r *rule, verdict Verdict) {
	category := len(counted) - 1
	if r != nil {
		category = r.counter
	}
	v.observed.tally[channel][category][verdict]++
	v.observed.met |= 1 << channel
}

// entry finds or makes the entry of a name. There is none where there is no room.
func (v *Visit) entry(i *inventory, name string) (e *entry, isNew bool) {
	if name == "" {
		name = nameless
	}
	name = cutWord(name)
	if e = i.find(name); e != nil {
		return e, false
	}
	if i.full() {
		i.overflow.Add(1)
		return nil, false
	}
	return i.add(name, len(v.enforcer.observer.shards), v.began)
}

// discover keeps the first meeting with an unlisted cookie, to be told.
func (v *Visit) discover(channel Channel, c *setCookie) {
	name := c.name
	if name == "" {
		name = nameless
	}
	v.details().discoveries = append(v.details().discoveries, Discovery{strings.Clone(cutWord(name)), channel, describe(c.attributes)})
}

// describe writes down attributes without what a portal may have put into those that browsers do not know.
func describe(attributes string) string {
	var b strings.Builder
	for av := range strings.SplitSeq(attributes, ";") {
		name, value, found := strings.Cut(av, "=")
		name = trim(name)
		known := false
		for _, k := range [...]string{"domain", "path", "max-age", "expires", "samesite", "secure", "httponly", "partitioned"} {
			known = known || equalFold(name, k)
		}
		if !known {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("; ")
		}
		b.WriteString(name)
		if found {
			b.WriteString("=" + cutWord(trim(value)))
		}
	}
	return cutWord(b.String())
}

// details are what is told one by one, and rarely: they cost memory.
type details struct {
	discoveries []Discovery
	traced      []Traced
	tracing     bool
}

// Traced is one verdict with all that led to it.
type Traced struct {
	Channel Channel
	Cookie  string
	Verdict Verdict
	Rule    string // category and names; empty for an unlisted cookie
}

func (v *Visit) details() *details {
	if v.told == nil {
		v.told = new(details)
	}
	return v.told
}

// Trace makes the Visit keep each verdict. It costs memory: it is for debugging.
func (v *Visit) Trace() { v.details().tracing = true }

func (v *Visit) trace(channel Channel, name string, r *rule, verdict Verdict) {
	if v.told == nil || !v.told.tracing {
		return
	}
	if name == "" {
		name = nameless
	}
	t := Traced{Channel: channel, Cookie: strings.Clone(cutWord(name)), Verdict: verdict}
	if r != nil {
		t.Rule = r.label
	}
	v.told.traced = append(v.told.traced, t)
}

// End ends the Visit: its numbers are added up. It returns what is to be told one by one: unlisted cookies that were never met before, and,
// if the Visit is traced, each verdict.
func (v *Visit) End() (discoveries []Discovery, traced []Traced) {
	if o := v.enforcer.observer; o != nil && v.observed.shard != nil {
		if v.read {
			o.shards[*v.observed.shard].preferences[v.preference.state].Add(1)
		}
		o.end(&v.observed)
	}
	if v.told == nil {
		return nil, nil
	}
	return v.told.discoveries, v.told.traced
}
