package audit

import (
	"fmt"
	"slices"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
)

// Bounds of the lists in the report. What is more is cut.
const (
	maxContacts = 2000
	maxStored   = 5000
	maxList     = 30
)

// contact records a request to another host than the portal's.
func (c *collector) contact(q *request, s *step) {
	host := q.url.Hostname()
	party := partyOf(host, c.out.top.Hostname(), c.options.FirstParty)
	if party == partyHost {
		return
	}
	i, known := c.hosts[host]
	if !known {
		if len(c.report.Requests) >= maxContacts {
			c.out.state.Integrity.Dropped++
			return
		}
		i = len(c.report.Requests)
		c.hosts[host] = i
		c.report.Requests = append(c.report.Requests, Contact{
			Host: report.Printable(host), Site: report.Printable(siteOf(host)), Party: party, States: []string{},
			Pages: []string{}, Types: []string{}, Initiators: []string{}, QueryKeys: []string{},
		})
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
	if party == partyThird && s.judged && c.judge.refusesContact(q.url, c.isGranting(s)) {
		at := q.at.UTC()
		c.add(Finding{Finding: ThirdParty, Level: LevelWarning, Name: r.Host, Page: s.page.URL, At: &at,
			Detail: fmt.Sprintf("a request (%s) that %s asked for", report.Printable(q.kind), orPage(q.initiator.URL))})
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
