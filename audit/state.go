package audit

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
)

// Words of states and of how they are entered.
const (
	None      = "none"
	Refuse    = "refused"
	Grant     = "granted"
	Withdrawn = "withdrawn"
	GPC       = "gpc"

	ByStored  = "stored"
	ByClicked = "clicked"

	grantOne = "granted:" // and a consent key
)

// outcome is what one state came to, before it is judged.
type outcome struct {
	state    State
	top      *url.URL // the first page after redirects
	steps    []step
	requests []*request
	writes   []write
	reads    map[readKey]int
	canaries map[jarKey]bool
	browser  BrowserInfo
	from     Origin
	problems []problem
}

// problem is what went wrong with the choice itself.
type problem struct{ finding, detail string }

// run visits the pages in one state.
func (a *audit) run(ctx context.Context, state, by string, run int) (_ *outcome, err error) {
	o := a.options
	v, err := open(ctx, o, a.judge, a.masker, state == GPC)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, v.browser.Close()) }()
	out := &outcome{canaries: map[jarKey]bool{}}
	out.state = State{State: state, By: by, Run: run, Reasons: []string{}, ReadAs: map[string]string{}, Made: []string{},
		Clicks: []Click{}, Pages: []Page{}}
	v.state = &out.state
	out.browser, err = v.about(ctx)
	if err != nil {
		return nil, err
	}
	switch {
	case state == None || state == GPC:
		err = v.pages(ctx, o.Pages, step{choice: choice{gpc: state == GPC}, judged: true})
	case state == Withdrawn:
		err = v.withdraw(ctx, by, out)
	default:
		grants := a.grants(state)
		err = v.chosen(ctx, by, out, "", a.judge.answers(grants), o.Accept, state == Refuse)
	}
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		out.incomplete("the visit ended early: %v", err)
	}
	a.end(v, out)
	return out, nil
}

// grants returns which questions a state grants.
func (a *audit) grants(state string) func(*enforcer.Question) bool {
	return func(q *enforcer.Question) bool {
		key, one := strings.CutPrefix(state, grantOne)
		return state == Grant || one && slices.Contains(q.Keys, key)
	}
}

// end takes what was recorded.
func (a *audit) end(v *visit, out *outcome) {
	out.steps, out.from = v.steps, v.from
	out.state.Integrity = v.integrity()
	out.requests, out.writes = v.recorder.all()
	out.reads = v.recorder.reads // nothing is added any more
	if out.top = v.origin; len(v.steps) > 0 && v.steps[0].final != nil {
		out.top = v.steps[0].final
	}
	if out.state.By == ByStored && out.top.Hostname() != v.origin.Hostname() {
		out.incomplete("%s leads to %s, where the stored choice is not: audit that address",
			shownURL(v.origin), shownURL(out.top))
	}
	for _, q := range out.requests {
		if q.step < len(out.steps) {
			out.steps[q.step].page.Requests++
		}
	}
	for _, s := range out.steps {
		out.state.Pages = append(out.state.Pages, s.page)
		if s.page.Failure != "" {
			out.incomplete("%s: %s", s.page.URL, s.page.Failure)
		}
	}
	if n := out.state.Integrity; n != (Integrity{}) {
		text, _ := json.Marshal(n)
		out.incomplete("the browser's account has gaps: %s", text)
	}
}

func (out *outcome) incomplete(format string, args ...any) {
	out.state.Verdict = Incomplete
	out.state.Reasons = append(out.state.Reasons, fmt.Sprintf(format, args...))
}

// about returns what the browser says of itself.
func (v *visit) about(ctx context.Context) (info BrowserInfo, err error) {
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	var version struct{ Product, UserAgent string }
	if err := v.browser.Call(ctx, "", "Browser.getVersion", nil, &version); err != nil {
		return info, err
	}
	zone, _ := time.Now().Zone()
	info = BrowserInfo{
		Product: version.Product, UserAgent: version.UserAgent, CommandLine: v.browser.CommandLine(),
		ThirdPartyCookies: "allow", Language: v.options.Language, TimeZone: zone,
	}
	if v.options.BlockThirdParty {
		info.ThirdPartyCookies = "block"
	}
	return info, nil
}

// pages visits all pages.
func (v *visit) pages(ctx context.Context, pages []*url.URL, s step) error {
	// A second visit shows whether lives begin anew.
	for _, u := range append(slices.Clone(pages), pages[0]) {
		if err := v.stay(ctx, u, s, nil); err != nil {
			return err
		}
		s.first = false
	}
	return nil
}

// chosen makes a choice, and visits the pages with it.
func (v *visit) chosen(
	ctx context.Context, by string, out *outcome, phase string, wished enforcer.Answers, selector string, refused bool,
) error {
	s := step{phase: phase, judged: phase != "granted", first: phase == "refused" || by == ByClicked}
	pages := v.options.Pages
	if refused {
		selector = v.options.Refuse
	}
	if by == ByStored {
		if err := v.store(ctx, wished); err != nil {
			out.incomplete("the choice could not be stored: %v", err)
			return nil
		}
		j, err := v.jar(ctx)
		if err != nil {
			return err
		}
		s.choice = choice{preference: j.preference}
		if differences := v.judge.differs(&s.choice, v.origin, wished); len(differences) > 0 {
			out.incomplete("the stored choice is read otherwise: %s", strings.Join(differences, ", "))
			return nil
		}
	} else {
		taken := false
		err := v.stay(ctx, pages[0], s, func(ctx context.Context, s *step) (err error) {
			taken, err = v.click(ctx, out, phase, selector, wished, s)
			return err
		})
		if err != nil || !taken {
			return err
		}
		// What the next page is asked for with was stored before the choice.
		s.choice, s.first = v.steps[len(v.steps)-1].choice, true
	}
	out.state.ReadAs = v.judge.read(&s.choice, v.origin)
	if err := v.pages(ctx, pages, s); err != nil {
		return err
	}
	last := choice{preference: v.steps[len(v.steps)-1].after.preference}
	out.state.AtEnd = "same"
	if differences := v.judge.differs(&last, v.origin, wished); len(differences) > 0 {
		out.state.AtEnd = "changed"
		out.problems = append(out.problems, problem{ChoiceLost, "at the end " + strings.Join(differences, ", ")})
	}
	return nil
}

// withdraw grants, visits the pages, refuses, and visits them again, all in one profile.
func (v *visit) withdraw(ctx context.Context, by string, out *outcome) error {
	all := v.judge.answers(func(*enforcer.Question) bool { return true })
	if err := v.chosen(ctx, by, out, "granted", all, v.options.Accept, false); err != nil || out.state.Verdict != "" ||
		len(out.problems) > 0 {
		return err
	}
	none := v.judge.answers(func(*enforcer.Question) bool { return false })
	if v.options.Canaries {
		if err := v.putCanaries(ctx, out); err != nil {
			return err
		}
	}
	return v.chosen(ctx, by, out, "refused", none, "", true)
}

// store puts a choice into the browser, as the gateway writes it.
func (v *visit) store(ctx context.Context, wished enforcer.Answers) error {
	j, err := v.jar(ctx)
	if err != nil {
		return err
	}
	lines, err := v.judge.write(&choice{preference: j.preference}, v.origin, wished)
	if err != nil {
		return err
	}
	var cookies []map[string]any
	for _, line := range lines {
		if c := ownCookie(line, v.origin); c != nil {
			cookies = append(cookies, c)
			addTo(&v.state.Made, report.Printable(c["name"].(string)))
		}
	}
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	return v.browser.Call(ctx, "", "Storage.setCookies", map[string]any{"cookies": cookies}, nil)
}

// ownCookie returns a line of the engine's own as a cookie of the protocol, or nil for a deletion.
func ownCookie(line string, origin *url.URL) map[string]any {
	pair, rest, _ := strings.Cut(line, ";")
	name, value, _ := strings.Cut(pair, "=")
	c := map[string]any{"name": name, "value": value, "url": origin.String()}
	for attribute := range strings.SplitSeq(rest, ";") {
		key, text, _ := strings.Cut(strings.TrimSpace(attribute), "=")
		switch key {
		case "Path":
			c["path"] = text
		case "Max-Age":
			seconds, err := strconv.Atoi(text)
			if err != nil || seconds <= 0 {
				return nil
			}
			c["expires"] = time.Now().Add(time.Duration(seconds) * time.Second).Unix()
		case "Secure":
			c["secure"] = true
		case "HttpOnly":
			c["httpOnly"] = true
		case "SameSite":
			c["sameSite"] = text
		case "Domain":
			c["domain"] = text
		}
	}
	return c
}

// putCanaries stores a cookie for each rule that needs consent, for the portal's host and for each of
// the rule's domains that the host belongs to. What becomes of them shows what is removed after the withdrawal, whether or not a page sets such cookies.
func (v *visit) putCanaries(ctx context.Context, out *outcome) error {
	var cookies []map[string]any
	for i, rule := range v.judge.resolved.Rules() {
		if rule.Category == policy.Necessary || len(rule.Cookies) == 0 {
			continue
		}
		name := strings.ReplaceAll(rule.Cookies[0], "*", "audit")
		path := "/"
		if len(rule.Path) > 0 {
			path = rule.Path[0]
		}
		if v.judge.ruleOf(name) != rule {
			continue
		}
		addTo(&out.state.Made, report.Printable(name))
		domains := []string{v.origin.Hostname()}
		for _, d := range rule.Domain {
			if d = "." + strings.ToLower(strings.Trim(d, ".")); domainMatches(v.origin.Hostname(), d) {
				domains = append(domains, d)
			}
		}
		for _, domain := range domains {
			out.canaries[jarKey{name: name, domain: domain, path: path}] = true
			cookie := map[string]any{
				"name": name, "value": rand.Text(), "url": v.origin.String(), "path": path, "httpOnly": i%2 == 1,
				"secure": isSecure(v.origin), "expires": time.Now().Add(24 * time.Hour).Unix(),
			}
			if strings.HasPrefix(domain, ".") {
				cookie["domain"] = domain
			}
			cookies = append(cookies, cookie)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	return v.browser.Call(ctx, "", "Storage.setCookies", map[string]any{"cookies": cookies}, nil)
}

// click answers the banner of a page, and reads back what that stored. Without a result it says why.
func (v *visit) click(
	ctx context.Context, out *outcome, phase, selector string, wished enforcer.Answers, s *step,
) (taken bool, err error) {
	if phase == "refused" && v.options.Reopen != "" {
		if err := v.press(ctx, out, v.options.Reopen); err != nil {
			out.incomplete("the settings could not be opened again: %v", err)
			return false, ctx.Err()
		}
	}
	before, err := v.jar(ctx)
	if err != nil {
		return false, err
	}
	s.chosen = time.Now()
	if err := v.press(ctx, out, selector); err != nil {
		out.incomplete("the choice could not be made: %v", err)
		return false, ctx.Err()
	}
	const patience = 5 * time.Second
	limit, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		after, err := v.jar(ctx)
		if err != nil {
			return false, err
		}
		s.choice = choice{preference: after.preference}
		differences := v.judge.differs(&s.choice, v.origin, wished)
		if len(differences) == 0 && after.preference != "" {
			return true, nil
		}
		select {
		case <-time.After(100 * time.Millisecond):
			continue
		case <-limit.Done():
		}
		switch {
		case ctx.Err() != nil:
			return false, ctx.Err()
		case after.preference == before.preference:
			out.problems = append(out.problems, problem{ChoiceMissing,
				"after the click on " + selector + " the browser has no choice that it did not have before"})
		default:
			out.problems = append(out.problems, problem{ChoiceContrary,
				"after the click on " + selector + " " + strings.Join(differences, ", ")})
		}
		out.state.ReadAs = v.judge.read(&s.choice, v.origin)
		return false, nil
	}
}
