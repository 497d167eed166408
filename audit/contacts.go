package audit

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
)

// Bounds of the lists in the report. What is more is cut.
const (
	maxContacts = 2000
	maxStored   = 5000
	maxList     = 30
)

// contact records a request to another host than the portal's, or to a port of it that a rule names, and judges
// it by its origin.
func (c *collector) contact(q *request, s *step) {
	if q.unsent {
		return
	}
	host := q.url.Hostname()
	party := partyOf(host, c.out.top.Hostname(), c.options.FirstParty)
	origin := originFor(q.url)
	c.meetOrigin(s, origin)
	if party == partyHost && (origin == originFor(c.out.top) || len(c.judge.resolved.RulesOf(origin)) == 0) {
		return
	}
	i, known := c.origins[origin]
	if !known {
		if len(c.report.Requests) >= maxContacts {
			c.out.state.Integrity.Dropped++
			return
		}
		i = len(c.report.Requests)
		c.origins[origin] = i
		c.report.Requests = append(c.report.Requests, c.newContact(origin, host, party))
	}
	r := &c.report.Requests[i]
	r.Count++
	addTo(&r.States, c.out.state.State)
	addTo(&r.Pages, s.page.URL)
	addTo(&r.Types, report.Printable(q.kind))
	addTo(&r.Initiators, q.initiator.URL)
	for _, key := range queryKeys(q.url) {
		addTo(&r.QueryKeys, key)
	}
	if !s.judged {
		return
	}
	at := q.at.UTC()
	f := Finding{Page: s.page.URL, At: &at, Request: &i,
		Detail: fmt.Sprintf("a request (%s) that %s asked for", report.Printable(q.kind), orPage(q.initiator.URL))}
	o := c.judge.load(s.choiceAt(q.at), c.out.top, origin)
	kind := c.findingOf(q, party, &o)
	if kind == Early && !s.chosen.IsZero() && !c.judge.load(s.choiceAt(s.page.Started), c.out.top, origin).refused {
		kind = "" // a page keeps the choice with which it was loaded: the next one counts
	}
	switch {
	case kind == Early:
		addTo(&r.Early, c.out.state.State)
		f.Finding, f.Level, f.Name = Early, LevelError, r.Origin
		f.Rule, f.Keys = o.rule.Label(), o.rule.ConsentKeys()
		f.Detail += ", without the consent of a key of its rule: " + strings.Join(f.Keys, ", ")
	case kind == Unlisted:
		f.Finding, f.Level, f.Name = Unlisted, LevelError, r.Origin
		f.Detail += "; no rule names the origin"
	case o.rule != nil && !o.refused: // a rule lets pages load from it
		return
	case party == partyThird && !c.isGranting(s):
		f.Finding, f.Level, f.Name = ThirdParty, LevelWarning, r.Host
	default:
		return
	}
	c.add(f)
}

// newContact returns the report's entry of an origin. What the rules say of it is in it if they name origins.
func (c *collector) newContact(origin, host, party string) Contact {
	r := Contact{
		Origin: report.Printable(origin), Host: report.Printable(host), Site: report.Printable(siteOf(host)), Party: party,
		States: []string{}, Pages: []string{}, Types: []string{}, Initiators: []string{}, QueryKeys: []string{},
	}
	if !c.judge.namesOrigins {
		return r
	}
	r.Category = string(observe.Unlisted)
	if rules := c.judge.resolved.RulesOf(origin); len(rules) > 0 {
		r.Category, r.Rule, r.Consent = string(rules[0].Category), rules[0].Label(), rules[0].ConsentKeys()
	}
	return r
}

// findingOf returns [Early] or [Unlisted] for a request that the policy's origins do not allow, or "". The page
// itself may go anywhere, as links do, and a Content-Security-Policy stops no report: CSP 3 has no directive for
// them. A frame of another party comes with all that it loads from origins in no rule: a page cannot say what it
// loads. Hosts of the portal's own site need no rule.
func (c *collector) findingOf(q *request, party string, o *opinion) string {
	load := &c.judge.resolved.Policy().Load
	switch {
	case !c.judge.namesOrigins || !o.refused, q.kind == "Document" && q.document == "",
		q.kind == "CSPViolationReport", load.IsOpen(directives[q.kind]):
		return ""
	case o.rule != nil:
		return Early
	}
	asker := parseURL(q.document)
	if party != partyThird || asker == nil ||
		partyOf(asker.Hostname(), c.out.top.Hostname(), c.options.FirstParty) == partyThird {
		return ""
	}
	return Unlisted
}

// directives are those of a Content-Security-Policy for the kinds of requests that a policy can open.
var directives = map[string]string{
	"Image": "img-src", "Font": "font-src", "Media": "media-src", "TextTrack": "media-src", "Stylesheet": "style-src",
}

// originFor returns the origin of a URL as a policy names it, or, where a policy cannot, as it is.
func originFor(u *url.URL) string {
	shown := u.Scheme + "://" + u.Host
	if origin, ok := policy.OriginOf(shown); ok {
		return origin
	}
	return shown
}

// meetOrigin notes which rules' origins were met, and which rules were met by an origin where consent was granted:
// the positive control of rules that name no cookie.
func (c *collector) meetOrigin(s *step, origin string) {
	for _, rule := range c.judge.resolved.RulesOf(origin) {
		c.loaded[rule.OriginFor(origin)] = true
		if len(rule.Cookies) == 0 {
			c.meet(s, rule)
		}
	}
}

func orPage(url string) string {
	if url == "" {
		return "the page"
	}
	return url
}

// stored records what was stored otherwise than as a cookie.
func (c *collector) stored(w *write, s *step) {
	origin := ""
	party := partyHost
	if w.where != nil {
		origin = report.Printable(w.where.Scheme + "://" + w.where.Host)
		party = partyOf(w.where.Hostname(), c.out.top.Hostname(), c.options.FirstParty)
	}
	item := Stored{Origin: origin, Partition: report.Printable(w.partition), Party: party, Kind: w.kind,
		Key: report.Printable(w.subject), Size: w.size}
	i := slices.IndexFunc(c.report.Storage, func(k Stored) bool {
		return k.Origin == item.Origin && k.Kind == item.Kind && k.Key == item.Key &&
			(k.Partition == item.Partition || k.Partition == "" || item.Partition == "")
	})
	if i < 0 {
		if len(c.report.Storage) >= maxStored {
			c.out.state.Integrity.Dropped++
			return
		}
		item.Setters, item.States = []string{}, []string{}
		i = len(c.report.Storage)
		c.report.Storage = append(c.report.Storage, item)
	}
	k := &c.report.Storage[i]
	k.Size = max(k.Size, w.size)
	if k.Partition == "" { // a script does not know it
		k.Partition = item.Partition
	}
	addTo(&k.Setters, w.setter.URL)
	addTo(&k.States, c.out.state.State)
	if s.judged && !c.isGranting(s) {
		at := w.at.UTC()
		c.add(Finding{Finding: StorageUsed, Level: LevelWarning, Name: k.Key, Domain: origin, Page: s.page.URL, At: &at,
			Detail: w.kind + " storage"})
	}
}

// reads records which scripts read cookies.
func (c *collector) reads() {
	for key, n := range c.out.reads {
		if key.step >= len(c.out.steps) {
			continue
		}
		i := slices.IndexFunc(c.report.Reads, func(r Read) bool { return r.Script == key.script && r.Host == key.host })
		if i < 0 {
			if len(c.report.Reads) >= maxContacts {
				c.out.state.Integrity.Dropped++
				continue
			}
			r := Read{Script: key.script, Host: report.Printable(key.host), Party: partyHost, States: []string{},
				Pages: []string{}}
			if u := parseURL(key.script); u != nil {
				r.Site, r.Party = siteOf(u.Hostname()), partyOf(u.Hostname(), c.out.top.Hostname(), c.options.FirstParty)
			}
			i = len(c.report.Reads)
			c.report.Reads = append(c.report.Reads, r)
		}
		r := &c.report.Reads[i]
		r.Count += n
		addTo(&r.States, c.out.state.State)
		addTo(&r.Pages, c.out.steps[key.step].page.URL)
	}
}

// addTo adds a word to a list, once.
func addTo(list *[]string, word string) {
	if word != "" && len(*list) < maxList && !slices.Contains(*list, word) {
		*list = append(*list, word)
	}
}
