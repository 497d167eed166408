// Package audit visits a portal with a real browser, as an authority does, and compares what the browser
// stores and sends with the portal's cookie policy: before any answer, after a refusal, after consent,
// and after consent was withdrawn. Each verdict is one of the engine (package enforcer).
//
// «Refused, and nothing found» proves something only where the same pages led to the cookies with
// consent. What could not be observed makes a state incomplete. No value of a cookie is kept.
package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
)

// audit is an audit as it goes.
type audit struct {
	options *Options
	judge   *judge
	masker  *masker
	report  *Report

	index    map[jarKey]int        // in report.Cookies
	origins  map[string]int        // in report.Requests
	loaded   map[string]bool       // origins of rules from which something was loaded
	findings map[string]int        // in report.Findings, by id
	controls map[*policy.Rule]bool // met with consent
	exchange Recorded
}

// Recorded is called with the requests of each state, for a HAR file. It may be nil.
type Recorded func(state *State, exchanges []Exchange) error

// Exchange is one request and its response, without values.
type Exchange struct {
	Page      int
	At        time.Time
	Method    string
	URL       string // of the query the keys
	Type      string
	Status    int
	MIME      string
	Failed    string
	Initiator string
	Sent      []string // names of cookies
	Set       []string // lines, with [n bytes] in place of values
}

// Run carries an audit out. The error says why it could not be; what only part of it could is in the
// report, as a state that is incomplete.
func Run(ctx context.Context, o Options, recorded Recorded) (*Report, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	j, err := newJudge(o.Policy)
	if err != nil {
		return nil, err
	}
	a := &audit{options: &o, judge: j, masker: newMasker(), index: map[jarKey]int{}, origins: map[string]int{},
		loaded: map[string]bool{}, findings: map[string]int{}, controls: map[*policy.Rule]bool{}, exchange: recorded}
	a.report = o.newReport(j)
	before, err := a.askBefore()
	if err != nil {
		return nil, err
	}
	for run := 1; run <= o.Runs; run++ {
		for _, state := range o.States {
			for _, by := range o.ways(state) {
				if err := a.state(ctx, state, by, run); err != nil {
					return nil, err
				}
			}
		}
	}
	if err := a.askAfter(before); err != nil {
		return nil, err
	}
	a.conclude()
	return a.report, nil
}

// ways returns how a state is entered.
func (o *Options) ways(state string) []string {
	if state == None || state == GPC {
		return []string{""}
	}
	return o.By
}

func (a *audit) state(ctx context.Context, state, by string, run int) error {
	a.options.progress(strings.TrimSpace(fmt.Sprintf("run %d, state %s %s", run, state, by)))
	out, err := a.run(ctx, state, by, run)
	if err != nil {
		return fmt.Errorf("state %s: %w", state, err)
	}
	a.report.Browser = out.browser
	if a.report.Origin == (Origin{}) {
		a.report.Origin = out.from
	}
	a.collect(out)
	a.report.States = append(a.report.States, out.state)
	if a.exchange == nil {
		return nil
	}
	return a.exchange(&out.state, exchanges(out))
}

// complete checks the options, and fills in what was left out. The error holds all that is wrong.
func (o *Options) complete() error {
	var errs []error
	if len(o.Pages) == 0 {
		errs = append(errs, errors.New("there is no page to visit"))
	}
	for _, u := range o.Pages {
		if u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			errs = append(errs, fmt.Errorf("%q: want an address such as https://data.example.org/", u))
		}
	}
	for _, state := range o.States {
		switch state {
		case None, Refuse, Grant, Withdrawn, GPC:
		default:
			if !strings.HasPrefix(state, grantOne) {
				errs = append(errs, fmt.Errorf("state %q: want none, refused, granted, granted:<key>, withdrawn or gpc", state))
			}
		}
	}
	for _, by := range o.By {
		switch {
		case by != ByStored && by != ByClicked:
			errs = append(errs, fmt.Errorf("by %q: want stored, clicked or both", by))
		case by == ByClicked && slices.ContainsFunc(o.States, needsAccept) && o.Accept == "":
			errs = append(errs, errors.New("clicked: say what is clicked to accept, as a CSS selector"))
		case by == ByClicked && (slices.Contains(o.States, Refuse) || slices.Contains(o.States, Withdrawn)) && o.Refuse == "":
			errs = append(errs, errors.New("clicked: say what is clicked to refuse, as a CSS selector"))
		}
		if by == ByClicked && slices.ContainsFunc(o.States, func(s string) bool { return strings.HasPrefix(s, grantOne) }) {
			errs = append(errs, errors.New("clicked: a click on «accept» grants every key; granted:<key> can only be stored"))
		}
	}
	for _, r := range o.Resolve {
		if strings.Count(r, ":") < 2 {
			errs = append(errs, fmt.Errorf("resolve %q: want <host>:<port>:<address>", r))
		}
	}
	for i, d := range o.FirstParty {
		o.FirstParty[i] = strings.ToLower(strings.Trim(d, "."))
		if d = o.FirstParty[i]; d == "" || strings.ContainsAny(d, "/:* ") || isPublicSuffix(d) {
			errs = append(errs, fmt.Errorf("first party %q: want a domain such as cdn.example.org", d))
		}
	}
	if hidden := hidesBanners.FindString(o.UserAgent); hidden != "" {
		errs = append(errs, fmt.Errorf("user agent: consent tools show no banner to one with %q in it", hidden))
	}
	if o.UserAgent == "" {
		if o.UserAgent = defaultUserAgent(o.Browser); o.UserAgent == "" {
			errs = append(errs, fmt.Errorf("%s --version: this is no Chromium that runs here", o.Browser))
		}
	}
	return errors.Join(errs...)
}

// hidesBanners matches what consent tools take for a machine, such as orestbida/cookieconsent with its
// option hideFromBots.
var hidesBanners = regexp.MustCompile(`(?i)bot|crawl|spider|slurp|teoma|headless`)

func needsAccept(state string) bool { return state == Grant || state == Withdrawn }

func (o *Options) newReport(j *judge) *Report {
	r := &Report{
		Schema: Schema, Tool: Tool{o.Version}, Started: time.Now().UTC(),
		Policy: PolicyInfo{Name: j.resolved.Name(), Digest: "sha256:" + j.resolved.Digest(), Source: o.Source,
			Mode: j.resolved.Policy().Mode},
		Method: Method{
			Pages: []string{}, FirstParty: append([]string{}, o.FirstParty...), Runs: o.Runs, Settle: o.Settle.String(),
			Timeout: o.Timeout.String(), Canaries: o.Canaries, Certificates: append([]string{}, o.AcceptCertificate...),
			Resolve: append([]string{}, o.Resolve...), Headers: []string{},
		},
		States: []State{}, Cookies: []Cookie{}, Requests: []Contact{}, Storage: []Stored{}, Reads: []Read{},
		Never:    []Finding{},
		Findings: []Finding{},
	}
	for _, h := range o.Headers {
		addTo(&r.Method.Headers, h.Name)
	}
	for _, u := range o.Pages {
		r.Method.Pages = append(r.Method.Pages, shownURL(u))
	}
	return r
}

// find adds a finding about a cookie.
func (c *collector) find(kind string, cookie int, o *opinion, seen *Seen, detail string) {
	entry := &c.report.Cookies[cookie]
	level := LevelError
	if kind == Unattributed {
		level = LevelWarning
	}
	f := Finding{
		Finding: kind, Level: level, Cookie: &cookie, Name: entry.Name, Domain: entry.Domain, Rule: entry.Rule,
		Page: c.out.steps[seen.Page].page.URL, At: &seen.At, Setter: seen.Setter, Detail: report.Printable(detail),
	}
	if o.rule != nil {
		f.Keys = o.rule.ConsentKeys()
	}
	// An unlisted name that is sent is the same finding as one that is set.
	if kind == SentRefused && o.reason == enforcer.NotListed {
		f.Finding = Unlisted
	}
	c.add(f)
}

// maxFindings bounds the list of findings. What is more makes the state incomplete.
const maxFindings = 5000

// add adds a finding, once for all that happened in a state.
func (c *collector) add(f Finding) {
	f.State = c.out.state.State
	if f.Level == LevelError {
		c.out.state.broken = append(c.out.state.broken, f.Keys)
	}
	if !c.audit.add(f, c.out.state.Run) {
		c.out.state.Integrity.Dropped++
	}
}

func (a *audit) add(f Finding, run int) bool {
	f.ID = fmt.Sprintf("%s:%s@%s:%s", f.Finding, f.Name, f.Domain, f.State)
	f.Runs = []int{run}
	if i, again := a.findings[f.ID]; again {
		known := &a.report.Findings[i]
		if !slices.Contains(known.Runs, run) {
			known.Runs = append(known.Runs, run)
		}
		// Who set a cookie says more than where it was sent.
		if known.Setter == nil && f.Setter != nil {
			known.Setter, known.Page, known.At, known.Detail = f.Setter, f.Page, f.At, f.Detail
		}
		return true
	}
	if len(a.report.Findings) >= maxFindings {
		return false
	}
	a.findings[f.ID] = len(a.report.Findings)
	a.report.Findings = append(a.report.Findings, f)
	return true
}

// id tells setters apart.
func (s *Setter) id() string {
	if s == nil {
		return ""
	}
	return fmt.Sprint(s.Kind, s.URL, s.Line)
}

// exchanges returns the requests of a state without values.
func exchanges(out *outcome) (all []Exchange) {
	for _, q := range out.requests {
		e := Exchange{
			Page: q.step, At: q.at.UTC(), Method: report.Printable(cmp.Or(q.method, "GET")), URL: shownURL(q.url),
			Type: report.Printable(q.kind), Status: q.status, MIME: report.Printable(q.mime),
			Failed: report.Printable(q.failed), Initiator: q.initiator.URL,
		}
		for _, c := range q.sent {
			e.Sent = append(e.Sent, report.Printable(c.name))
		}
		for _, line := range q.lines {
			e.Set = append(e.Set, withoutValue(line))
		}
		all = append(all, e)
	}
	return all
}

// withoutValue returns a Set-Cookie line with its length in place of the value. What stands before the
// first "=" of a line without a name is a value, too.
func withoutValue(line string) string {
	pair, attributes, more := strings.Cut(line, ";")
	name, value, found := strings.Cut(pair, "=")
	if !found {
		name, value = "", pair
	}
	shown := fmt.Sprintf("%s=[%d bytes]", report.Printable(strings.TrimSpace(name)), len(strings.TrimSpace(value)))
	if more {
		shown += ";" + report.Printable(attributes)
	}
	return shown
}
