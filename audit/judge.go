package audit

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
)

// judge puts what the browser did to the engine: every name is matched, every line read and every choice
// understood there, so that the audit and the gateway never disagree.
type judge struct {
	policy   policy.Policy
	engine   *enforcer.Enforcer
	resolved *policy.Resolved

	// The policy says which third parties pages load from.
	namesOrigins bool

	met     keeper // of all that was met in any state
	granted keeper // of what was set while consent was granted
}

// keeper is the policy with an observer, for its inventory and drift.
type keeper struct {
	engine   *enforcer.Enforcer
	observer *observe.Observer
}

func newKeeper(p policy.Policy) (k keeper, err error) {
	k.observer = observe.New(time.Now())
	if k.engine, err = enforcer.Compile(p, nil); err == nil {
		k.engine.Observe(k.observer)
	}
	return k, err
}

// keep records a line that was set, or a name that was sent.
func (k *keeper) keep(r enforcer.Request, line string) {
	v := k.engine.Visit(r)
	v.FilterRequest()
	if line != "" {
		v.FilterResponse(map[string][]string{"Set-Cookie": {line}})
	}
	v.End()
}

func newJudge(p policy.Policy) (*judge, error) {
	engine, err := enforcer.Compile(p, nil)
	if err != nil {
		return nil, err
	}
	j := &judge{policy: p, engine: engine, resolved: engine.Policy()}
	j.namesOrigins = j.resolved.LoadMode() != policy.LoadOff ||
		len(j.resolved.Origins(func(*policy.Rule) bool { return true })) > 0
	if j.met, err = newKeeper(p); err != nil {
		return nil, err
	}
	j.granted, err = newKeeper(p)
	return j, err
}

// choice is what the gateway knows of a visitor.
type choice struct {
	preference string // the Cookie header that holds it; "" for none
	gpc        bool
}

func (c *choice) header(more string) map[string][]string {
	header := map[string][]string{}
	cookies := c.preference
	if cookies != "" && more != "" {
		cookies += "; "
	}
	if cookies += more; cookies != "" {
		header["Cookie"] = []string{cookies}
	}
	if c.gpc {
		header["Sec-Gpc"] = []string{"1"}
	}
	return header
}

// opinion is what the policy says about a cookie that was set or sent.
type opinion struct {
	name    string // as it can be shown
	raw     string // as it came
	rule    *policy.Rule
	reason  enforcer.Reason
	refused bool
	text    string

	// Of a line.
	deletion bool
	life     time.Duration
	session  bool
	domain   string // "" for a cookie of the host alone
	path     string
}

// line judges a Set-Cookie line, or what a script wrote as one. A state whose consent is granted keeps
// it for the comparison with what the policy declares.
func (j *judge) line(c *choice, from *url.URL, line string, granted bool) opinion {
	request := enforcer.Request{Header: c.header(""), Host: from.Host, HTTPS: isSecure(from)}
	x := explain(j.engine, request, map[string][]string{"Set-Cookie": {line}})
	o := opinion{}
	for _, v := range x.Verdicts {
		if v.Channel == observe.Set.String() {
			o.take(&v)
			o.raw, o.deletion = v.Cookie, v.Verdict == observe.Deletion.Word(observe.Enforce)
		}
	}
	if s := readLine(from, line); s != nil {
		o.raw, o.life, o.session = s.Name, s.Longest, s.Session
		o.domain, o.path = strings.Join(s.Domains, ""), strings.Join(s.Paths, "")
		o.deletion = o.deletion || !s.Session && s.Longest == 0
	}
	o.rule = j.ruleOf(o.raw)
	bare := enforcer.Request{Header: map[string][]string{}, Host: from.Host, HTTPS: isSecure(from)}
	j.met.keep(bare, line)
	if granted {
		j.granted.keep(bare, line)
	}
	return o
}

// readLine returns what the engine reads in a line, or nil if that is nothing. It asks an observer, the
// only exported part of the engine that returns attributes, under a policy that names every cookie.
func readLine(from *url.URL, line string) *observe.Sighting {
	k, err := newKeeper(policy.Policy{Allow: []policy.Rule{{Category: policy.Necessary, Cookies: []string{"*"}}}})
	if err != nil {
		return nil
	}
	k.keep(enforcer.Request{Header: map[string][]string{}, Host: from.Host, HTTPS: isSecure(from)}, line)
	for _, s := range k.observer.Sightings() {
		if s.Channel == observe.Set && s.Name != observe.Nameless {
			return &s
		}
	}
	return nil
}

// name judges a cookie that the browser sent or has, by its name.
func (j *judge) name(c *choice, host string, https bool, name string) opinion {
	header := c.header(name + "=x")
	x := explain(j.engine, enforcer.Request{Header: header, Host: host, HTTPS: https}, nil)
	o := opinion{raw: name, rule: j.ruleOf(name)}
	for _, v := range x.Verdicts {
		if v.Channel == observe.Read.String() {
			o.take(&v) // the last is that of the name: it stands behind the preference
		}
	}
	return o
}

func (o *opinion) take(v *enforcer.ExplainedVerdict) {
	o.name, o.reason, o.text = v.Cookie, v.Reason, v.Text
	o.refused = v.Reason > enforcer.UnlistedPasses
}

// explain is [enforcer.Enforcer.Explain] without what belongs to pages.
func explain(e *enforcer.Enforcer, r enforcer.Request, response map[string][]string) *enforcer.Explanation {
	v := e.Visit(r)
	v.Trace()
	v.FilterRequest()
	if response != nil {
		v.FilterResponse(response)
	}
	v.End()
	return v.Explanation()
}

// load judges a request of a page of the portal to an origin.
func (j *judge) load(c *choice, portal *url.URL, origin string) opinion {
	v := j.engine.Visit(enforcer.Request{Header: c.header(""), Host: portal.Host, HTTPS: isSecure(portal)})
	defer v.End()
	rule, reason := v.MayLoad(origin)
	return opinion{rule: rule, reason: reason, refused: reason > enforcer.UnlistedPasses}
}

// sent records that a name was sent, for what was never met.
func (j *judge) sent(host, name string) {
	j.met.keep(enforcer.Request{Header: map[string][]string{"Cookie": {name + "=x"}}, Host: host}, "")
}

func (j *judge) ruleOf(name string) *policy.Rule {
	rule, _ := j.resolved.Lookup(name)
	return rule
}

// drift returns the findings of one kind.
func (k *keeper) drift(kinds ...string) (found []report.Finding) {
	for _, f := range report.NewDrift(k.engine.Policy(), k.observer, time.Now()).Findings {
		if slices.Contains(kinds, f.Kind) {
			found = append(found, f)
		}
	}
	return found
}

func (j *judge) isPreference(name string) bool {
	for i := range j.resolved.Policy().Preference {
		if slices.Contains(j.resolved.Policy().Preference[i].Cookies, name) {
			return true
		}
	}
	return false
}

// answers are those of a state: granted is nil for none, and holds the keys whose questions are granted.
func (j *judge) answers(grants func(q *enforcer.Question) bool) enforcer.Answers {
	answers := enforcer.Answers{}
	questions := j.engine.Questions()
	for i := range questions {
		answers.Answer(&questions[i], grants(&questions[i]))
	}
	return answers
}

// write returns the lines that store answers, as the gateway itself writes them.
func (j *judge) write(c *choice, origin *url.URL, answers enforcer.Answers) ([]string, error) {
	v := j.engine.Visit(enforcer.Request{Header: c.header(""), Host: origin.Host, HTTPS: isSecure(origin)})
	defer v.End()
	return v.Choose(answers)
}

// read returns what a choice says about each consent key.
func (j *judge) read(c *choice, origin *url.URL) map[string]string {
	v := j.engine.Visit(enforcer.Request{Header: c.header(""), Host: origin.Host, HTTPS: isSecure(origin)})
	defer v.End()
	said := map[string]string{}
	for _, q := range j.engine.Questions() {
		for _, key := range q.Keys {
			state, _ := v.Consent(key)
			said[key] = state.String()
		}
	}
	return said
}

// differs returns where a choice is not what was wished. A format that lists what is granted leaves the
// rest undecided, which refuses all but anonymous cookies.
func (j *judge) differs(c *choice, origin *url.URL, wished enforcer.Answers) (differences []string) {
	said := j.read(c, origin)
	for _, q := range j.engine.Questions() {
		for _, key := range q.Keys {
			want, got := policy.Refused.String(), said[key]
			if wished[key] {
				want = policy.Granted.String()
			}
			anonymous := slices.ContainsFunc(q.Rules, func(r *policy.Rule) bool { return r.Anonymous })
			if got == want || !wished[key] && !anonymous && got == policy.Undecided.String() {
				continue
			}
			differences = append(differences, fmt.Sprintf("%s is %s and not %s", key, got, want))
		}
	}
	return differences
}

func isSecure(u *url.URL) bool { return u.Scheme == "https" || u.Scheme == "wss" }
