package audit

import (
	"encoding/json"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/audit/cdp"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
)

func (r *recorder) requestWillBeSent(e *cdp.Event) error {
	var p struct {
		ID       string `json:"requestId"`
		Document string `json:"documentURL"`
		Type     string
		Frame    string `json:"frameId"`
		Request  struct {
			URL, Method string
		}
		Initiator        initiator
		RedirectResponse *responseInfo
		RedirectHasExtra bool `json:"redirectHasExtraInfo"`
	}
	if err := e.Decode(&p); err != nil {
		return err
	}
	if hops := r.hops[p.ID]; len(hops) > 0 && p.RedirectResponse != nil {
		last := hops[len(hops)-1]
		last.received(p.RedirectResponse, p.RedirectHasExtra)
	}
	u := parseURL(p.Request.URL)
	if u == nil {
		return nil // data:, blob: and so on: nothing leaves the browser
	}
	r.add(&request{
		id: p.ID, session: e.Session, url: u, method: p.Request.Method, kind: p.Type, frame: p.Frame,
		document: p.Document, initiator: p.Initiator.setter(),
	})
	if p.Type != "EventSource" && p.Type != "WebSocket" {
		r.inFlight[p.ID] = e.Session
	}
	return nil
}

func (r *recorder) webSocket(e *cdp.Event, target cdp.Target) error {
	var p struct {
		ID        string `json:"requestId"`
		URL       string
		Initiator initiator
	}
	if err := e.Decode(&p); err != nil {
		return err
	}
	if u := parseURL(p.URL); u != nil {
		r.add(&request{id: p.ID, session: e.Session, url: u, method: "GET", kind: "WebSocket",
			frame: target.ID, initiator: p.Initiator.setter()})
	}
	return nil
}

func (r *recorder) add(q *request) {
	if r.active = time.Now(); !r.hasRoom(len(r.requests), maxRequests, len(q.url.Path)+len(q.url.RawQuery)) {
		return
	}
	q.step, q.at = r.step, r.active
	r.requests = append(r.requests, q)
	r.hops[q.id] = append(r.hops[q.id], q)
}

type responseInfo struct {
	Status   int
	MimeType string
	Address  string `json:"remoteIPAddress"`
	Port     int    `json:"remotePort"`
	Headers  map[string]json.RawMessage
}

func (q *request) received(p *responseInfo, hasExtra bool) {
	q.status, q.mime, q.hasExtra = p.Status, p.MimeType, &hasExtra
	if q.address = report.Printable(p.Address); q.address != "" {
		q.address = net.JoinHostPort(strings.Trim(q.address, "[]"), strconv.Itoa(p.Port))
	}
	for name := range p.Headers {
		// What answers is a firewall's question, whatever the status.
		if name = strings.ToLower(name); name == "cf-mitigated" || name == "x-amzn-waf-action" {
			q.firewall = name
		}
	}
}

func (r *recorder) response(e *cdp.Event) error {
	var p struct {
		ID       string `json:"requestId"`
		Response responseInfo
		HasExtra bool `json:"hasExtraInfo"`
	}
	if err := e.Decode(&p); err != nil {
		return err
	}
	if hops := r.hops[p.ID]; len(hops) > 0 {
		hops[len(hops)-1].received(&p.Response, p.HasExtra)
	}
	return nil
}

func (r *recorder) finished(e *cdp.Event) error {
	var p struct {
		ID            string `json:"requestId"`
		ErrorText     string
		BlockedReason string
		Canceled      bool
	}
	if err := e.Decode(&p); err != nil {
		return err
	}
	r.active = time.Now()
	delete(r.inFlight, p.ID)
	if hops := r.hops[p.ID]; len(hops) > 0 {
		last := hops[len(hops)-1]
		last.failed = p.ErrorText
		// Chromium says «canceled» where a redirect leads to what the page's policy forbids.
		last.held = p.BlockedReason == "csp" || p.ErrorText == "net::ERR_BLOCKED_BY_CSP" || p.Canceled && len(hops) > 1
	}
	return nil
}

type cdpCookie struct {
	Name, Value, Domain, Path, SameSite string
	Expires                             float64
	Session, Secure, HTTPOnly           bool
	PartitionKey                        json.RawMessage
}

// partition returns the site of the partition, "" for a cookie without one.
func (c *cdpCookie) partition() string {
	var key struct{ TopLevelSite string }
	var site string
	switch {
	case len(c.PartitionKey) == 0:
		return ""
	case json.Unmarshal(c.PartitionKey, &key) == nil:
		return key.TopLevelSite
	case json.Unmarshal(c.PartitionKey, &site) == nil: // as older browsers write it
		return site
	}
	return "?"
}

func (r *recorder) requestExtra(e *cdp.Event) error {
	var p struct {
		ID      string `json:"requestId"`
		Headers map[string]string
		Cookies []struct {
			Cookie         cdpCookie
			BlockedReasons []string
		} `json:"associatedCookies"`
	}
	if err := e.Decode(&p); err != nil {
		return err
	}
	sent := sentExtra{url: urlOfFields(p.Headers), step: r.step, at: time.Now()}
	size := 0
	for _, c := range p.Cookies {
		if len(c.BlockedReasons) == 0 {
			sent.cookies = append(sent.cookies,
				sentCookie{c.Cookie.Name, c.Cookie.Domain, c.Cookie.Path, c.Cookie.partition()})
			size += len(c.Cookie.Name) + len(c.Cookie.Domain) + len(c.Cookie.Path)
		}
	}
	if !r.hasRoom(len(r.reqExtra), maxRequests, size) {
		return nil
	}
	r.reqExtra[p.ID] = append(r.reqExtra[p.ID], sent)
	return nil
}

func (r *recorder) responseExtra(e *cdp.Event) error {
	var p struct {
		ID      string            `json:"requestId"`
		Headers map[string]string `json:"headers"`
		Blocked []struct {
			BlockedReasons []string
			CookieLine     string
		} `json:"blockedCookies"`
	}
	if err := e.Decode(&p); err != nil {
		return err
	}
	extra, size := receivedExtra{}, 0
	for name, value := range p.Headers {
		if !strings.EqualFold(name, "set-cookie") {
			continue
		}
		for line := range strings.SplitSeq(value, "\n") {
			if len(line) > maxLine {
				line = line[:maxLine] // no browser stores it
			}
			extra.lines = append(extra.lines, line)
			size += len(line)
		}
	}
	for _, b := range p.Blocked {
		if len(b.CookieLine) > maxLine {
			b.CookieLine = b.CookieLine[:maxLine]
		}
		extra.blocked = append(extra.blocked, blockedLine{b.CookieLine, b.BlockedReasons})
	}
	if !r.hasRoom(len(r.resExtra), maxRequests, size) {
		return nil
	}
	r.resExtra[p.ID] = append(r.resExtra[p.ID], extra)
	return nil
}
