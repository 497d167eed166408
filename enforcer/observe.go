package enforcer

import (
	"hash/maphash"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// observeLine notes a verdict on a Set-Cookie line.
func (v *Visit) observeLine(j *judgement) {
	v.tally(ChannelSet, j.rule, j.verdict)
	v.trace(ChannelSet, j.cookie.name, j.rule, j.verdict)
	e := v.entry(&v.enforcer.observer.set, j.known, j.cookie.name, j.rule)
	if e == nil {
		return
	}
	e.count(v.processor(), j.verdict, v.met())
	domain, isNew := e.note(v.processor(), &j.cookie, v.host(), v.began)
	if isNew && j.verdict == VerdictLetThrough && len(v.enforcer.rewrites) == 0 {
		v.checkDomain(j.cookie.name, normalDomain(domain))
	}
	if j.rule == nil && !e.told.Load() {
		v.discover(ChannelSet, &j.cookie)
	}
}

// judgedLines are the lines that were counted before under a key of the header: the final one is filtered again when the handler has ended, for
// trailers and for what came late, and each line counts once. Each header that goes out counts, informational ones too.
func (v *Visit) judgedLines(key string) []string {
	switch {
	case !v.completed:
		return nil
	case key == "Set-Cookie":
		return v.judged
	case v.extra != nil:
		return v.extra.lines[key]
	}
	return nil
}

// noteJudged keeps the lines that were counted, and are left, under another key than Set-Cookie.
func (v *Visit) noteJudged(key string, lines []string) {
	d := v.details()
	if d.lines == nil {
		d.lines = map[string][]string{}
	}
	d.lines[key] = lines
}

// observePair notes a verdict on a pair of the Cookie header.
func (v *Visit) observePair(name string, k *known, r *rule, granted bool) {
	verdict := VerdictRefused
	if granted {
		verdict = VerdictLetThrough
	}
	v.tally(ChannelRead, r, verdict)
	v.trace(ChannelRead, name, r, verdict)
	e := v.entry(&v.enforcer.observer.read, k, name, r)
	if e == nil {
		return
	}
	e.count(v.processor(), verdict, v.met())
	e.noteHost(v.processor(), v.host())
	if r == nil && !e.told.Load() {
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
	if e := v.entry(&v.enforcer.observer.read, nil, name, r); e != nil {
		e.count(v.processor(), VerdictExpired, v.met())
	}
}

// processor is the number of the shard in which the Visit counts, taken when there is something to count.
func (v *Visit) processor() int {
	if v.shard == nil {
		v.shard = v.enforcer.observer.begin()
	}
	return *v.shard
}

// host is the request's, hashed once for all of its cookies.
func (v *Visit) host() host {
	if v.hostHash == 0 {
		v.hostHash = maphash.String(hashSeed, v.request.Host)
	}
	return host{v.request.Host, v.hostHash}
}

// met is when the Visit met its first cookie: all of them count as met then.
func (v *Visit) met() time.Time {
	if v.began.IsZero() {
		v.began = v.enforcer.now()
	}
	return v.began
}

func (v *Visit) tally(channel Channel, r *rule, verdict Verdict) {
	category := len(counted) - 1
	if r != nil {
		category = r.counter
	}
	v.enforcer.observer.shards[v.processor()].verdicts[channel][category][verdict].Add(1)
}

// entry finds or makes the entry of a name. There is none where there is no room.
func (v *Visit) entry(i *inventory, k *known, name string, r *rule) *entry {
	if k != nil {
		if e := k.entry.Load(); e != nil {
			return e
		}
	}
	o, kind := v.enforcer.observer, exactName
	if name = nameOf(name); name != nameless {
		kind = v.enforcer.kindOf(name, r)
	}
	e := i.add(name, kind, func(e *entry) {
		e.shards, e.first = make([]entryShard, len(o.shards)), v.met()
		e.facts.Store(new(facts))
	})
	switch {
	case e == nil:
		o.shards[v.processor()].overflow.Add(1)
	case k != nil:
		k.entry.Store(e)
	}
	return e
}

// nameOf is the name under which a cookie is kept.
func nameOf(name string) string {
	if name == "" {
		return nameless
	}
	return cutWord(name)
}

// discover keeps the first meeting with an unlisted cookie, to be told.
func (v *Visit) discover(channel Channel, c *setCookie) {
	if name := nameOf(c.name); v.enforcer.observer.firstTold(name) {
		d := Discovery{Printable(name), channel, Printable(hostName(v.request.Host)), Printable(describe(c.attributes))}
		v.details().discoveries = append(v.details().discoveries, d)
	}
}

// describe writes down attributes without what a portal may have put into those that browsers do not know, or that have no value.
func describe(attributes string) string {
	var b strings.Builder
	for av := range strings.SplitSeq(attributes, ";") {
		name, value, _ := strings.Cut(av, "=")
		name = trim(name)
		known, hasValue := false, false
		for i, k := range [...]string{"domain", "path", "max-age", "expires", "samesite", "secure", "httponly", "partitioned"} {
			if equalFold(name, k) {
				known, hasValue = true, i < 5
			}
		}
		if !known {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("; ")
		}
		b.WriteString(name)
		if value = trim(value); hasValue && value != "" {
			b.WriteString("=" + cutWord(value))
		}
		if b.Len() > 4*maxWord {
			break
		}
	}
	return b.String()
}

// Printable is a text from the wire as it may be shown to people: cut if it is long, and with escapes in the place of control characters, of
// others that show nothing or turn text around, and of what is no UTF-8.
func Printable(text string) string {
	if len(text) > 10*maxWord {
		text = cutWord(text)
	}
	clean := true
	for i, r := range text {
		_, size := utf8.DecodeRuneInString(text[i:])
		clean = clean && strconv.IsGraphic(r) && (r != utf8.RuneError || size > 1)
	}
	if clean {
		return strings.Clone(text) // a part of a header would keep all of it alive
	}
	quoted := strconv.QuoteToGraphic(text)
	return strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(quoted[1 : len(quoted)-1])
}

// details are what most requests have no need of: they cost memory.
type details struct {
	cookies     []string            // the request's Cookie header as it came, if it is several lines
	lines       map[string][]string // judged, under keys other than Set-Cookie
	moved       map[string]bool     // lines to which rewrite_domain gave another Domain
	unusable    Unusable
	discoveries []Discovery
	tracing     bool
	traced      []Traced
}

// Traced is one verdict with all that led to it.
type Traced struct {
	Channel Channel
	Cookie  string
	Verdict Verdict
	Rule    string // category and names; empty for an unlisted cookie
}

func (v *Visit) details() *details {
	if v.extra == nil {
		v.extra = new(details)
	}
	return v.extra
}

// Trace makes the Visit keep each verdict. It costs memory: it is for debugging.
func (v *Visit) Trace() { v.details().tracing = true }

func (v *Visit) trace(channel Channel, name string, r *rule, verdict Verdict) {
	if v.extra == nil || !v.extra.tracing {
		return
	}
	t := Traced{Channel: channel, Cookie: Printable(nameOf(name)), Verdict: verdict}
	if r != nil {
		t.Rule = r.label
	}
	v.extra.traced = append(v.extra.traced, t)
}

// End ends the Visit: its numbers are added up. It returns what is to be told one by one: unlisted cookies that were never met before, and,
// if the Visit is traced, each verdict.
func (v *Visit) End() (discoveries []Discovery, traced []Traced) {
	if o := v.enforcer.observer; o != nil && !v.ended {
		v.ended = true
		if v.read {
			o.shards[v.processor()].preferences[v.preference.state].Add(1)
		}
		if v.shard != nil {
			o.end(v.shard)
			v.shard = nil
		}
	}
	if v.extra == nil {
		return nil, nil
	}
	return v.extra.discoveries, v.extra.traced
}
