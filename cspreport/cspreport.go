// Package cspreport reads the reports that browsers send about a Content-Security-Policy: which origins a
// page loads from, and nothing else of them. Reports come from anybody, and a report has full addresses:
// of the page that was visited, and of trackers with their identifiers. Each is cut to an origin while it
// is read.
package cspreport

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// MaxBody is the largest number of bytes of a body, and maxReports of reports in it, that are read. Chromium
// sends all reports of a page in one body, with some 500 bytes each: of a longer list, the reports within
// MaxBody are read.
const (
	MaxBody    = 16 << 10
	maxReports = 50
)

// Report says that a page asked for something that the policy does not name.
type Report struct {
	// The origin, as [policy.OriginOf] returns it. It is empty if the page asked its own site, and was
	// redirected elsewhere: browsers do not tell where.
	Origin string

	// The directive of the Content-Security-Policy for what was asked for, such as img-src.
	Directive string
}

// Why a report is dropped. There are no other reasons.
const (
	TooLarge    = "too_large"    // the body goes on behind MaxBody bytes
	TooMany     = "too_many"     // the body has more reports than are read
	WrongType   = "type"         // the body's type is none of reports
	Malformed   = "malformed"    // the body cannot be read
	OtherPage   = "other_page"   // it is about a page of another host
	OtherPolicy = "other_policy" // it is about a directive that the gateway does not ask about
	NoOrigin    = "no_origin"    // what was asked for has no origin: inline, data, an extension
	TooOften    = "too_often"    // more reports came than are counted
	Repeated    = "repeated"     // another report of the body says the same
)

// Reasons are all of them.
var Reasons = []string{TooLarge, TooMany, WrongType, Malformed, OtherPage, OtherPolicy, NoOrigin, TooOften, Repeated}

// directives are those that fall back to default-src (CSP 3 section 6.1).
var directives = []string{
	"connect-src", "default-src", "font-src", "frame-src", "img-src", "manifest-src", "media-src", "object-src",
	"prefetch-src", "script-src", "script-src-attr", "script-src-elem", "style-src", "style-src-attr",
	"style-src-elem", "worker-src",
}

// oldReport is a body of the type application/csp-report (CSP 3 section 5.3).
type oldReport struct {
	Report *struct {
		Document  string `json:"document-uri"`
		Blocked   string `json:"blocked-uri"`
		Effective string `json:"effective-directive"`
		Violated  string `json:"violated-directive"`
	} `json:"csp-report"`
}

// newMember is a member of a body of the type application/reports+json, whose body depends on its type.
type newMember struct {
	Type string          `json:"type"`
	Body json.RawMessage `json:"body"`
}

// newReport is the body of a member of a body of the type application/reports+json (Reporting API section 2.5, CSP 3
// section 5.3).
type newReport struct {
	Document  string `json:"documentURL"`
	Blocked   string `json:"blockedURL"`
	Effective string `json:"effectiveDirective"`
}

// Read reads the reports of a body about pages of a host, and returns how many were dropped, by reason.
// Reports of other types, which come in the same bodies, are ignored, and of those that say the same one
// is read.
func Read(contentType string, body []byte, host string) (reports []Report, dropped map[string]int) {
	dropped = map[string]int{}
	broken := Malformed // why a body that breaks off cannot be read
	if len(body) > MaxBody {
		body, broken = body[:MaxBody], TooLarge
	}
	one := func(document, blocked, directive string) {
		if len(reports)+dropped[Repeated] == maxReports {
			dropped[TooMany]++
			return
		}
		r, reason := newReportOf(document, blocked, directive, host)
		if reason != "" {
			dropped[reason]++
			return
		}
		if slices.Contains(reports, r) { // a map has many tiles, and is loaded from one origin
			dropped[Repeated]++
			return
		}
		reports = append(reports, r)
	}
	media, _, _ := mime.ParseMediaType(contentType)
	switch media {
	case "application/csp-report", "application/json": // old Firefox sends the latter
		var old oldReport
		if json.Unmarshal(body, &old) != nil || old.Report == nil {
			dropped[broken]++
			return nil, dropped
		}
		directive := old.Report.Effective
		if directive == "" { // old Firefox: the directive with its sources
			directive, _, _ = strings.Cut(old.Report.Violated, " ")
		}
		one(old.Report.Document, old.Report.Blocked, directive)
	case "application/reports+json":
		err := eachMember(body, func(member *newMember) {
			var r newReport
			switch {
			case member.Type != "csp-violation":
			case json.Unmarshal(member.Body, &r) != nil:
				dropped[Malformed]++
			default:
				one(r.Document, r.Blocked, r.Effective)
			}
		})
		if err != nil {
			dropped[broken]++
		}
	default:
		dropped[WrongType]++
	}
	return reports, dropped
}

// eachMember calls f with each member of a list, as far as it can be read.
func eachMember(body []byte, f func(*newMember)) error {
	d := json.NewDecoder(bytes.NewReader(body))
	if opening, err := d.Token(); err != nil || opening != json.Delim('[') {
		return errors.New("no list")
	}
	for d.More() {
		var member newMember
		if err := d.Decode(&member); err != nil {
			return err
		}
		f(&member)
	}
	if _, err := d.Token(); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("there is more behind the list")
	}
	return nil
}

// newReportOf returns a report, or why it is dropped.
func newReportOf(document, blocked, directive, host string) (r Report, reason string) {
	page, err := url.Parse(document)
	if err != nil || page.Host == "" || hostname(page.Host) != hostname(host) {
		return r, OtherPage
	}
	if directive == "child-src" { // in whose name some browsers report frames
		directive = "frame-src"
	}
	i := slices.Index(directives, directive)
	if i < 0 {
		return r, OtherPolicy
	}
	r.Directive = directives[i]
	if asked, err := url.Parse(blocked); err == nil && isSelf(page, asked) {
		return r, ""
	}
	origin, ok := policy.OriginOf(blocked)
	if !ok {
		return r, NoOrigin
	}
	r.Origin = origin
	return r, ""
}

// defaultPorts are the ports of the schemes that have an origin, where a URL names none.
var defaultPorts = map[string]string{"http": "80", "ws": "80", "https": "443", "wss": "443"}

// isSelf reports whether 'self' matches a URL on a page: one of the page's own origin, or of the same host
// over a scheme that is as secure (CSP 3 section 6.7.2.8).
func isSelf(page, asked *url.URL) bool {
	from, to := defaultPorts[page.Scheme], defaultPorts[asked.Scheme]
	if from == "" || to == "" || !strings.EqualFold(page.Hostname(), asked.Hostname()) {
		return false
	}
	fromPort, toPort := cmp.Or(page.Port(), from), cmp.Or(asked.Port(), to)
	samePort := fromPort == toPort || fromPort == from && toPort == to
	return samePort && (to == "443" || page.Scheme == "http")
}

// hostname returns a host without its port, in lower case.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(host)
}
