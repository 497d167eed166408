package explain

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"mime"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
	"github.com/cookie-policy/caddy-cookie-policy/har"
)

// Recording is what a policy would have done to all that a browser recorded.
type Recording struct {
	Policy   string    `json:"policy"`
	Digest   string    `json:"digest"`
	Mode     string    `json:"mode"`
	Hosts    []string  `json:"hosts"`          // whose requests went through the policy
	First    time.Time `json:"first,omitzero"` // the first request of these hosts
	Requests int       `json:"requests"`       // of these hosts

	// What would have been refused, removed and changed, by page and by name.
	Pages   []PageSummary   `json:"pages"`
	Cookies []CookieSummary `json:"cookies"`

	// Names that no rule names.
	Unlisted []report.Finding `json:"unlisted"`

	// Hosts that are not the portal's.
	ThirdParties []ThirdParty `json:"third_parties"`

	// What has to be known of the file before drawing conclusions.
	Warnings []string `json:"warnings"`

	// All that was met, with attributes.
	Inventory report.Inventory `json:"-"`
}

// PageSummary counts what would have happened on one page and to what it loads.
type PageSummary struct {
	Page     string `json:"page"`
	Requests int    `json:"requests"`
	Refused  int    `json:"refused"`  // Set-Cookie lines
	Stripped int    `json:"stripped"` // cookies of requests
	Expired  int    `json:"expired"`  // cookies removed from the browser
	Changed  int    `json:"changed"`  // Set-Cookie lines that are let through with changes
}

// Differs reports whether any cookie was not let through as it is.
func (s PageSummary) Differs() bool { return s.Refused+s.Stripped+s.Expired+s.Changed > 0 }

// CookieSummary counts one verdict on one name. A policy in `mode report` has the words of that mode.
type CookieSummary struct {
	Name    string          `json:"name"`
	Channel string          `json:"channel"`
	Verdict string          `json:"verdict"`
	Reason  enforcer.Reason `json:"reason"`
	Rule    string          `json:"rule,omitempty"`
	Count   int             `json:"count"`
}

// ThirdParty is a host that is not the portal's.
type ThirdParty struct {
	Host     string `json:"host"`
	Requests int    `json:"requests"`
	Cookies  int    `json:"cookies"` // Set-Cookie lines that it sent
}

// Exchange is a recorded request and its response, explained.
type Exchange struct {
	Index       int                   `json:"index"` // in the file, from 0
	Time        time.Time             `json:"time"`
	Method      string                `json:"method"`
	URL         string                `json:"url"` // without its query
	Status      int                   `json:"status"`
	Explanation *enforcer.Explanation `json:"explanation"`
}

// Replay passes what a browser recorded through a policy, in the order of time, and tells what the
// policy would have done. Each verdict is given by the clock of its request. The requests are those to
// hosts, each with or without a leading "*.", or if there are none, to the host of the first page.
// Each exchange is passed to each; an error of it ends the replay.
func Replay(r io.Reader, p policy.Policy, hosts []string, each func(*Exchange) error) (*Recording, error) {
	player := player{hosts: hosts, pages: map[string]*PageSummary{}, unlisted: map[string]string{},
		cookies: map[CookieSummary]int{}, others: map[string]*ThirdParty{}, each: each}
	e, err := enforcer.Compile(p, func() time.Time { return player.now })
	if err != nil {
		return nil, err
	}
	player.enforcer = e
	summary, err := har.Read(r, player.entry)
	if err != nil {
		return nil, err
	}
	return player.recording(summary), nil
}

// maxCookies bounds the names that a replay keeps: a file can have millions.
const maxCookies = 10_000

// player is a replay as it goes.
type player struct {
	enforcer *enforcer.Enforcer
	observer *observe.Observer
	hosts    []string
	now      time.Time // of the entry
	first    time.Time
	requests int

	pages    map[string]*PageSummary
	order    []*PageSummary
	cookies  map[CookieSummary]int
	unlisted map[string]string // channels by name
	noRoom   int               // verdicts on cookies that are in neither
	others   map[string]*ThirdParty
	each     func(*Exchange) error
}

// entry passes one entry through the policy.
func (p *player) entry(e *har.Entry) error {
	u, ok := parseURL(e.Request.URL)
	if !ok || e.FromCache {
		return nil
	}
	host := cmp.Or(e.Request.Host, u.Host)
	now := e.Start
	if now.IsZero() {
		now = time.Now()
	}
	if p.observer == nil {
		p.observe(firstHost(e, u), now)
	}
	if p.observer.Site(host) == observe.OtherHost {
		p.thirdParty(nameOf(u.Host), len(e.Response.Header["Set-Cookie"]))
		return nil
	}
	if p.now = now; p.requests == 0 {
		p.first = now
	}
	p.requests++
	request := map[string][]string(e.Request.Header)
	visit := p.enforcer.Visit(enforcer.Request{
		Header: request, Host: host, HTTPS: u.Scheme == "https" || u.Scheme == "wss",
	})
	visit.Trace()
	visit.FilterRequest()
	if e.Response.Status != 0 {
		visit.CompleteResponse(e.Response.Header)
	}
	visit.End()
	x := visit.Explanation()
	p.count(e, u, x)
	return p.each(&Exchange{
		Index: e.Index, Time: e.Start.UTC(), Method: report.Printable(e.Request.Method), URL: WithoutQuery(u),
		Status: e.Response.Status, Explanation: x,
	})
}

// observe begins to observe the hosts, as a gateway does with the names of its sites. If none was named, it
// is the host of the first page.
func (p *player) observe(first string, now time.Time) {
	if len(p.hosts) == 0 {
		p.hosts = []string{nameOf(first)}
	}
	var sites []string
	for _, host := range p.hosts {
		sites = append(sites, strings.ToLower(nameOf(host)))
	}
	p.observer = observe.New(now)
	p.observer.SetSites(sites)
	p.enforcer.Observe(p.observer)
}

// firstHost returns the host of the entry's page, or else the entry's own.
func firstHost(e *har.Entry, u *url.URL) string {
	if e.Page != nil {
		if page, ok := parseURL(e.Page.URL); ok {
			return page.Host
		}
	}
	return u.Host
}

func (p *player) thirdParty(host string, cookies int) {
	host = report.Printable(host)
	if p.others[host] == nil {
		p.others[host] = &ThirdParty{Host: host}
	}
	p.others[host].Requests++
	p.others[host].Cookies += cookies
}

// count counts what became of an entry's cookies.
func (p *player) count(e *har.Entry, u *url.URL, x *enforcer.Explanation) {
	page := p.page(e, u)
	page.Requests++
	for _, v := range x.Verdicts {
		s := CookieSummary{Name: v.Cookie, Channel: v.Channel, Verdict: v.Verdict, Reason: v.Reason}
		if v.Rule != nil {
			s.Rule = v.Rule.Label
		}
		if _, known := p.cookies[s]; known || len(p.cookies) < maxCookies {
			p.cookies[s]++
		} else {
			p.noRoom++
		}
		isRefused := v.Verdict == "refused" || v.Verdict == "would_refuse"
		switch {
		case isRefused && v.Channel == observe.Set.String():
			page.Refused++
		case isRefused:
			page.Stripped++
		case v.Channel == observe.Expire.String():
			page.Expired++
		case len(v.Changes) > 0:
			page.Changed++
		}
		isListed := v.Reason != enforcer.NotListed && v.Reason != enforcer.UnlistedPasses
		known, isKnown := p.unlisted[v.Cookie]
		hasRoom := isKnown || len(p.unlisted) < maxCookies
		if !isListed && hasRoom && !strings.Contains(known, v.Channel) {
			p.unlisted[v.Cookie] = strings.TrimSpace(known + " " + v.Channel)
		}
	}
}

// page returns the summary of the page to which an entry belongs.
func (p *player) page(e *har.Entry, u *url.URL) *PageSummary {
	name := ""
	if e.Page != nil {
		if page, ok := parseURL(e.Page.URL); ok {
			name = WithoutQuery(page)
		} else {
			name = report.Printable(e.Page.Title)
		}
	}
	if name == "" {
		name = u.Scheme + "://" + report.Printable(u.Host)
	}
	if p.pages[name] == nil {
		p.pages[name] = &PageSummary{Page: name}
		p.order = append(p.order, p.pages[name])
	}
	return p.pages[name]
}

func (p *player) recording(summary *har.Summary) *Recording {
	resolved := p.enforcer.Policy()
	r := &Recording{
		Policy: resolved.Name(), Digest: resolved.Digest(), Mode: resolved.Policy().Mode,
		Hosts: []string{}, First: p.first.UTC(), Requests: p.requests, Pages: []PageSummary{},
		Cookies: []CookieSummary{}, Unlisted: []report.Finding{}, ThirdParties: []ThirdParty{},
		Warnings: append([]string{}, summary.Warnings()...),
	}
	for _, host := range p.hosts {
		r.Hosts = append(r.Hosts, report.Printable(host))
	}
	for _, page := range p.order {
		r.Pages = append(r.Pages, *page)
	}
	for c, n := range p.cookies {
		c.Count = n
		r.Cookies = append(r.Cookies, c)
	}
	slices.SortFunc(r.Cookies, func(a, b CookieSummary) int {
		return cmp.Or(strings.Compare(a.Channel, b.Channel), strings.Compare(a.Verdict, b.Verdict),
			strings.Compare(a.Name, b.Name), int(a.Reason)-int(b.Reason))
	})
	for _, name := range slices.Sorted(maps.Keys(p.unlisted)) {
		r.Unlisted = append(r.Unlisted, report.Finding{
			Kind: report.Unlisted, Cookie: name, Detail: "met on " + p.unlisted[name]})
	}
	for _, host := range slices.Sorted(maps.Keys(p.others)) {
		r.ThirdParties = append(r.ThirdParties, *p.others[host])
	}
	if p.noRoom > 0 {
		r.Warnings = append(r.Warnings, fmt.Sprintf("the summary has room for %d cookies, and lacks %d verdicts "+
			"on others", maxCookies, p.noRoom))
	}
	if p.requests == 0 {
		r.Warnings = append(r.Warnings, "no request went to these hosts; name the portal's with --host")
	} else {
		r.Inventory = report.NewInventory(resolved, p.observer, p.now)
	}
	return r
}

// nameOf returns a host without its port.
func nameOf(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.Trim(host, "[]")
}

// WithoutQuery returns a URL that can be shown: a query can hold anything, and so can parameters in the
// path, as in /page;jsessionid=1.
func WithoutQuery(u *url.URL) string {
	segments := strings.Split(cmp.Or(u.EscapedPath(), "/"), "/")
	for i, segment := range segments {
		segments[i], _, _ = strings.Cut(segment, ";")
	}
	return report.Printable(u.Scheme + "://" + u.Host + strings.Join(segments, "/"))
}

// parseURL reads a URL that has a host. Browsers leave a percent sign that begins no escape as it is,
// which [url.Parse] refuses.
func parseURL(text string) (u *url.URL, ok bool) {
	u, err := url.Parse(text)
	if err != nil {
		u, err = url.Parse(escapePercent(text))
	}
	return u, err == nil && u.Host != ""
}

// escapePercent escapes the percent signs that begin no escape.
func escapePercent(text string) string {
	before, rest, found := strings.Cut(text, "%")
	var b strings.Builder
	for b.WriteString(before); found; b.WriteString(before) {
		if b.WriteString("%"); len(rest) < 2 || !isHex(rest[0]) || !isHex(rest[1]) {
			b.WriteString("25")
		}
		before, rest, found = strings.Cut(rest, "%")
	}
	return b.String()
}

func isHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f' }

// IsPage reports whether a response is a page by its type, or a redirect.
func IsPage(status int, response Fields) bool {
	if 300 <= status && status <= 399 {
		return true
	}
	media, _, _ := mime.ParseMediaType(response.Get("Content-Type"))
	return media == "text/html" || media == "application/xhtml+xml"
}
