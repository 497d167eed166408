package audit

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
)

// collector turns what one state came to into evidence and findings.
type collector struct {
	*audit
	out *outcome

	set   []setEvent
	lasts map[jarKey]*Setter // who set a cookie last
}

// setEvent is one time that a cookie was set, as a line or by a script.
type setEvent struct {
	step   int
	at     time.Time
	key    jarKey // the path may differ from that in the jar
	setter *Setter
	o      opinion
	found  bool // in a jar
}

// collect takes one state into the report.
func (a *audit) collect(out *outcome) {
	c := &collector{audit: a, out: out, lasts: map[jarKey]*Setter{}}
	for key := range out.canaries {
		c.lasts[key] = &Setter{Kind: "canary"}
	}
	for _, q := range out.requests {
		if q.step < len(out.steps) {
			c.request(q)
		}
	}
	for i := range out.writes {
		if w := &out.writes[i]; w.step < len(out.steps) {
			c.write(w)
		}
	}
	c.reads()
	c.jars()
	for i := range c.set {
		c.recordSet(&c.set[i])
	}
	c.end()
}

// choiceAt returns the visitor's choice at a time of a step.
func (s *step) choiceAt(at time.Time) *choice {
	if at.Before(s.chosen) {
		return &choice{preference: s.before.preference, gpc: s.choice.gpc}
	}
	return &s.choice
}

// grantedAt reports whether what happens in a step shows what consent leads to.
func (c *collector) isGranting(s *step) bool {
	state := c.out.state.State
	return state == Grant || strings.HasPrefix(state, grantOne) || s.phase == "granted"
}

func (c *collector) request(q *request) {
	s := &c.out.steps[q.step]
	visitor := s.choiceAt(q.at)
	c.contact(q, s)
	for _, sent := range q.sent {
		o := c.judge.name(visitor, q.url.Host, isSecure(q.url), sent.name)
		c.judge.sent(q.url.Host, sent.name)
		key := jarKey(sent)
		cookie := c.cookie(key, &o)
		seen := c.seen(cookie, Seen{Page: q.step, At: q.at, What: "sent", URL: shownURL(q.url)})
		c.meet(s, o.rule)
		if s.judged && !s.first && o.refused {
			c.find(SentRefused, cookie, &o, seen, "to "+seen.URL+": "+o.text)
		}
	}
	blocked := map[string][]string{}
	for _, b := range q.blocked {
		blocked[b.line] = append(blocked[b.line], b.reasons...)
	}
	for _, line := range q.lines {
		o := c.judge.line(visitor, q.url, line, c.isGranting(s) && s.phase == "" && blocked[line] == nil)
		setter := &Setter{Kind: "header", URL: shownURL(q.url), Initiator: q.initiator.URL}
		key := o.key(q.url)
		switch {
		case blocked[line] != nil:
			c.seen(c.cookie(key, &o), Seen{
				Page: q.step, At: q.at, What: "refused_by_browser", Reasons: blocked[line], Setter: setter})
		case o.deletion:
			c.seen(c.cookie(key, &o), Seen{Page: q.step, At: q.at, What: "deleted", Setter: setter})
		default:
			c.set = append(c.set, setEvent{step: q.step, at: q.at, key: key, setter: setter, o: o})
		}
	}
}

// key returns where a browser stores a line (RFC 6265bis section 5.7).
func (o *opinion) key(from *url.URL) jarKey {
	key := jarKey{name: o.raw, domain: strings.ToLower(from.Hostname()), path: "/"}
	if o.domain != "" {
		key.domain = "." + o.domain
	}
	if o.path != "" && o.path[0] == '/' {
		key.path = o.path
	} else if i := strings.LastIndexByte(from.EscapedPath(), '/'); i > 0 {
		key.path = from.EscapedPath()[:i]
	}
	return key
}

func (c *collector) write(w *write) {
	s := &c.out.steps[w.step]
	if w.kind != "document.cookie" && w.kind != "cookieStore" {
		c.stored(w, s)
		return
	}
	if w.where == nil {
		return // a document without cookies
	}
	o := c.judge.line(s.choiceAt(w.at), w.where, w.subject, c.isGranting(s) && s.phase == "")
	setter := &Setter{Kind: "script", URL: w.setter.URL, Line: w.setter.Line, Stack: w.setter.Stack}
	if o.deletion {
		c.seen(c.cookie(o.key(w.where), &o), Seen{Page: w.step, At: w.at, What: "deleted", Setter: setter})
		return
	}
	c.set = append(c.set, setEvent{step: w.step, at: w.at, key: o.key(w.where), setter: setter, o: o})
}

// jars compares what the browser had stored from one moment to the next.
func (c *collector) jars() {
	first := map[jarKey]stored{} // as each cookie was stored first
	var last *jar
	for i := range c.out.steps {
		s := &c.out.steps[i]
		if last == nil {
			last = s.before
		}
		for _, next := range []*jar{s.before, s.loaded, s.after} {
			for key, now := range next.cookies {
				was, known := last.cookies[key]
				if known && was.mac == now.mac && was.expires.Equal(now.expires) {
					continue
				}
				c.changed(i, next, key, now, next == s.before)
				if f, again := first[key]; !again {
					first[key] = now
				} else if now.expires.Sub(f.expires) > 500*time.Millisecond && !f.expires.IsZero() {
					c.renewed(i, next, key)
				}
			}
			for key := range last.cookies {
				if _, kept := next.cookies[key]; !kept {
					o := c.judge.name(&s.choice, c.out.top.Host, isSecure(c.out.top), key.name)
					c.seen(c.cookie(key, &o), Seen{Page: i, At: next.at, What: "deleted"})
				}
			}
			last = next
		}
	}
}

// changed joins a change of the jar with the events that tell of it, the last of which made it. A change
// without an event is one that nobody can be named for.
func (c *collector) changed(step int, j *jar, key jarKey, now stored, between bool) {
	if between && (c.judge.isPreference(key.name) || c.out.canaries[key]) {
		return // the audit's own
	}
	var by *setEvent
	for i := range c.set {
		e := &c.set[i]
		if e.key.name == key.name && e.key.domain == key.domain && e.step <= step && !e.at.After(j.at) &&
			(by == nil || e.at.After(by.at)) {
			by = e
		}
	}
	if by == nil || by.step < step && !between {
		s := &c.out.steps[step]
		from, line := lineOf(key, &now, j.at)
		o := c.judge.line(s.choiceAt(j.at), from, line, c.isGranting(s) && s.phase == "")
		c.set = append(c.set, setEvent{
			step: step, at: j.at, key: key, setter: &Setter{Kind: "unattributed"}, o: o})
		by = &c.set[len(c.set)-1]
		by.o.life, by.o.session = 0, false // nobody saw what it declares
	}
	by.key, by.found = key, true
	c.lasts[key] = by.setter
}

// lineOf returns a line by which a cookie of the jar could have been set, and a URL that could have sent
// it.
func lineOf(key jarKey, now *stored, at time.Time) (from *url.URL, line string) {
	from = &url.URL{Scheme: "http", Host: strings.TrimPrefix(key.domain, "."), Path: "/"}
	line = key.name + "=x"
	if strings.HasPrefix(key.domain, ".") {
		line += "; Domain=" + key.domain[1:]
	}
	if now.secure {
		from.Scheme, line = "https", line+"; Secure"
	}
	if now.httpOnly {
		line += "; HttpOnly"
	}
	if now.sameSite != "" {
		line += "; SameSite=" + now.sameSite
	}
	if !now.expires.IsZero() {
		line += fmt.Sprintf("; Max-Age=%d", max(1, int(now.expires.Sub(at)/time.Second)))
	}
	if key.partition != "" {
		line += "; Partitioned"
	}
	return from, line
}

// recordSet records that a cookie was set, and what the browser made of it.
func (c *collector) recordSet(e *setEvent) {
	s := &c.out.steps[e.step]
	cookie := c.cookie(e.key, &e.o)
	seen := Seen{Page: e.step, At: e.at, What: "set", Setter: e.setter}
	if e.o.life > 0 {
		seen.Declared = shownLife(e.o.life)
	} else if e.o.session {
		seen.Declared = "session"
	}
	for _, j := range []*jar{s.after, s.loaded} {
		if now, is := j.cookies[e.key]; is {
			seen.describe(&now, e.at)
		}
	}
	kept := c.seen(cookie, seen)
	c.meet(s, e.o.rule)
	if !s.judged || c.judge.isPreference(e.o.raw) && !e.o.refused {
		return
	}
	if e.o.refused {
		kind := SetRefused
		switch e.o.reason {
		case enforcer.NotListed, enforcer.NoName, enforcer.ControlCharacter:
			kind = Unlisted
		case enforcer.WrongDomain, enforcer.WrongPath:
			kind = Weaker
		}
		c.find(kind, cookie, &e.o, kept, e.o.text)
	}
	if e.setter.Kind == "unattributed" {
		c.find(Unattributed, cookie, &e.o, kept, "it was in the browser, and no response and no script that was seen set it")
	}
}

func (s *Seen) describe(now *stored, at time.Time) {
	s.Effective = "session"
	if !now.expires.IsZero() {
		s.Effective = shownLife(now.expires.Sub(at))
	}
	s.Flags = &Flags{Secure: now.secure, HTTPOnly: now.httpOnly, SameSite: now.sameSite}
	s.Length, s.MAC = now.length, now.mac
}

// shownLife returns a lifetime that was measured, without the seconds that measuring takes.
func shownLife(life time.Duration) string {
	const day = 24 * time.Hour
	unit := time.Second
	if life > 2*time.Hour {
		unit = 10 * time.Minute
	}
	life = life.Round(unit)
	if life > day && life%day != 0 {
		return policy.Duration(life.Truncate(day)).String() + strings.TrimSuffix((life%day).String(), "0s")
	}
	return policy.Duration(life).String()
}

// renewed adds a finding for a cookie that needs no consent because nobody can be traced by it, and whose
// life does not end at the time that was set first.
func (c *collector) renewed(step int, j *jar, key jarKey) {
	s := &c.out.steps[step]
	o := c.judge.name(s.choiceAt(j.at), c.out.top.Host, isSecure(c.out.top), key.name)
	if o.rule == nil || !o.rule.Anonymous || !s.judged {
		return
	}
	cookie := c.cookie(key, &o)
	seen := c.seen(cookie, Seen{Page: step, At: j.at, What: "set", Setter: c.lasts[key]})
	c.find(Renewed, cookie, &o, seen, "a later page makes its life begin anew")
}

// end records what is left in the browser at the end.
func (c *collector) end() {
	if len(c.out.steps) == 0 {
		return
	}
	s := &c.out.steps[len(c.out.steps)-1]
	for key, now := range s.after.cookies {
		o := c.judge.name(&s.choice, c.out.top.Host, isSecure(c.out.top), key.name)
		cookie := c.cookie(key, &o)
		seen := Seen{Page: len(c.out.steps) - 1, At: s.after.at, What: "kept", Setter: c.lasts[key]}
		seen.describe(&now, s.after.at)
		kept := c.seen(cookie, seen)
		if c.out.state.State == Withdrawn && s.phase == "refused" && o.refused && o.rule != nil {
			c.find(Kept, cookie, &o, kept, "after the withdrawal and all pages it is still in the browser")
		}
	}
	for _, p := range c.out.problems {
		c.add(Finding{Finding: p.finding, Level: LevelError, Name: c.out.state.By, Detail: p.detail,
			Page: s.page.URL, At: &s.page.Started})
	}
}

// meet notes that a rule's cookie was met where consent was granted: the positive control.
func (c *collector) meet(s *step, rule *policy.Rule) {
	if rule != nil && c.isGranting(s) {
		key, one := strings.CutPrefix(c.out.state.State, grantOne)
		if !one || slices.Contains(rule.ConsentKeys(), key) {
			c.controls[rule] = true
		}
	}
}

// cookie returns the report's entry of a cookie, by its index.
func (c *collector) cookie(key jarKey, o *opinion) int {
	if i, known := c.index[key]; known {
		return i
	}
	entry := Cookie{
		Name: o.name, Domain: report.Printable(key.domain), Path: report.Printable(key.path),
		Partition: report.Printable(key.partition), Consent: []string{}, Seen: []Seen{},
		Party: partyOf(key.domain, c.out.top.Hostname(), c.options.FirstParty), Category: "unlisted",
	}
	if entry.Name == "" {
		entry.Name = report.Printable(key.name)
	}
	if o.rule != nil {
		entry.Rule, entry.Category = o.rule.Label(), string(o.rule.Category)
		entry.Consent = append(entry.Consent, o.rule.ConsentKeys()...)
		entry.Provider = o.rule.Provider
		if len(o.rule.Purpose) > 0 {
			entry.Purpose = o.rule.Purpose[0].Text
		}
	}
	c.index[key] = len(c.report.Cookies)
	c.report.Cookies = append(c.report.Cookies, entry)
	return len(c.report.Cookies) - 1
}

// maxSeen bounds what is kept of one cookie.
const maxSeen = 2000

// seen records what happened to a cookie. The same on the same page is counted.
func (c *collector) seen(cookie int, s Seen) *Seen {
	s.State, s.Run, s.Count, s.At = c.out.state.State, c.out.state.Run, 1, s.At.UTC()
	entry := &c.report.Cookies[cookie]
	for i := range entry.Seen {
		old := &entry.Seen[i]
		if old.State == s.State && old.Run == s.Run && old.Page == s.Page && old.What == s.What &&
			(s.What == "sent" || old.Setter.id() == s.Setter.id()) {
			old.Count++
			return old
		}
	}
	if len(entry.Seen) < maxSeen {
		entry.Seen = append(entry.Seen, s)
		return &entry.Seen[len(entry.Seen)-1]
	}
	return &s
}
