package enforcer

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/consent"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/wire"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// Question is what visitors decide with one answer.
type Question struct {
	// The consent keys that the answer grants or refuses, all of them, in the order of the policy.
	Keys []string

	// The rules that the answer decides, in the order of the policy.
	Rules []*policy.Rule

	// The categories of these rules, in the order of the first ones.
	Categories []policy.Category

	// What the policy says about these keys, for people. Usually it is one switch.
	Switches []*policy.Key

	// Whether the visitor is asked to object: every rule is anonymous, and lets its cookies through
	// until they are refused. Otherwise the visitor is asked to consent.
	Objection bool
}

// Questions returns the questions that the policy has for visitors, in the order of its rules. Necessary
// rules have none.
//
// A rule with several keys is granted by any of them, so only all of them together can refuse it: they
// make one question. Rules that share a key, keys that the policy calls one switch, and keys that one
// value of a preference stands for are in one question too. So each answer means the same whatever the
// others are.
func (e *Enforcer) Questions() []Question {
	sets := keySets{}
	for _, rule := range e.policy.Rules() {
		sets.join(rule.ConsentKeys())
	}
	full := e.policy.Policy()
	for i := range full.Key {
		sets.join(full.Key[i].Keys)
	}
	for i := range full.Preference {
		if p := &full.Preference[i]; p.Format == policy.FormatFlag {
			sets.join(e.flagKeys(p))
		}
	}
	var questions []Question
	index := map[string]int{} // of questions, by the first key of the set
	for _, rule := range e.policy.Rules() {
		keys := rule.ConsentKeys()
		if len(keys) == 0 {
			continue
		}
		first := sets.find(keys[0])
		i, ok := index[first]
		if !ok {
			i = len(questions)
			index[first] = i
			questions = append(questions, Question{Objection: true})
		}
		q := &questions[i]
		q.Rules = append(q.Rules, rule)
		q.Objection = q.Objection && rule.Anonymous
		if !slices.Contains(q.Categories, rule.Category) {
			q.Categories = append(q.Categories, rule.Category)
		}
		for _, key := range keys {
			if !slices.Contains(q.Keys, key) {
				q.Keys = append(q.Keys, key)
			}
		}
	}
	for i := range full.Key {
		if q, ok := index[sets.find(full.Key[i].Keys[0])]; ok {
			questions[q].Switches = append(questions[q].Switches, &full.Key[i])
		}
	}
	return questions
}

// flagKeys returns the keys of the rules that a flag stands for.
func (e *Enforcer) flagKeys(p *policy.Preference) (keys []string) {
	for _, rule := range e.policy.Rules() {
		for _, key := range rule.ConsentKeys() {
			if p.Holds(key) {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// keySets are disjoint sets of consent keys: each key leads to another of its set, or to itself.
type keySets map[string]string

// find returns the key that stands for the set of a key.
func (s keySets) find(key string) string {
	if _, known := s[key]; !known {
		s[key] = key
	}
	for s[key] != key {
		s[key] = s[s[key]]
		key = s[key]
	}
	return key
}

// join makes one set of all the sets in which the keys are.
func (s keySets) join(keys []string) {
	for _, key := range keys {
		s[s.find(key)] = s.find(keys[0])
	}
}

// Answers are a visitor's answers, by consent key: whether it is granted.
type Answers map[string]bool

// Answer answers a question.
func (a Answers) Answer(q *Question, granted bool) {
	for _, key := range q.Keys {
		a[key] = granted
	}
}

// defaultChoiceLife is how long a choice is kept where the preference has no max_age: six months.
const defaultChoiceLife = 183 * 24 * time.Hour

// Choose returns the Set-Cookie lines that store a visitor's answers in the policy's preferences, for the
// response to the form in which they were given. What visitors chose before about questions without an
// answer stays.
//
// The lines first remove other copies of the cookies: those of the host's domain, and those of the
// domains and paths that the rules name. [Visit.CompleteResponse] lets them through as they are, judges
// all other lines by the new choice, and removes from the browser what was withdrawn: the response
// counts as a page from now on, whatever its type.
//
// The error is of type [policy.Unwritable] if the gateway cannot write the choice.
func (v *Visit) Choose(answers Answers) (lines []string, err error) {
	e := v.enforcer
	granted, refused, objected, err := e.answered(answers)
	if err != nil {
		return nil, err
	}
	if reasons := v.Unwritable(); len(reasons) > 0 {
		return nil, reasons[0]
	}
	changes, choice, err := e.preferences.Write(e.keys, granted, refused, v.visitor.cookies())
	if err != nil {
		return nil, err
	}
	for key, k := range e.keys {
		if objected.Has(k) && choice.Consent(k) != policy.Refused {
			return nil, policy.Unwritable{Reason: policy.ReasonObjection, Key: key}
		}
	}
	f := v.filterOf(nil)
	f.clock = wire.NewClock(e.now, nil)
	for i := range changes {
		lines = append(lines, f.choiceLines(&changes[i])...)
	}
	v.response.chosen, v.response.varies = true, true
	return lines, nil
}

// answered returns the keys that answers grant and refuse, and those of the refused that let anonymous
// cookies through unless they are refused.
func (e *Enforcer) answered(answers Answers) (granted, refused, objected consent.Set, err error) {
	for key := range answers {
		if _, known := e.keys[key]; !known {
			return 0, 0, 0, fmt.Errorf("no rule of the policy asks for the consent key %q", key)
		}
	}
	for _, q := range e.Questions() {
		yes, ok := answers[q.Keys[0]]
		for _, key := range q.Keys {
			if also, too := answers[key]; also != yes || too != ok {
				return 0, 0, 0, fmt.Errorf("the consent keys %q have one answer, and not several", q.Keys)
			}
			if ok && yes {
				granted.Add(e.keys[key])
			} else if ok {
				refused.Add(e.keys[key])
			}
		}
		for _, rule := range q.Rules {
			if ok && !yes && rule.Anonymous {
				objected |= e.rules[rule].keys
			}
		}
	}
	return granted, refused, objected, nil
}

// choiceLines returns the lines that store one cookie of a choice: for the host alone, at the root, and
// as the rule for the cookie asks.
func (f *responseFilter) choiceLines(c *consent.Change) (lines []string) {
	name, https := f.enforcer.lookup(c.Cookie), f.visitor.request.HTTPS
	path := "/"
	if name.rule != nil {
		if paths := name.rule.declared.Path; len(paths) > 0 && !slices.Contains(paths, path) {
			path = paths[0] // no other is let through
		}
		if wire.CountPairs(f.visitor.cookies(), c.Cookie) > 0 {
			lines = f.otherCopies(&name, path)
		}
	}
	life := cmp.Or(c.MaxAge, defaultChoiceLife)
	line := c.Cookie + "=" + c.Value + "; Path=" + path +
		"; Max-Age=" + strconv.FormatInt(int64(life/time.Second), 10) + "; SameSite=Lax"
	if https {
		line += "; Secure"
	}
	if c.HTTPOnly || wire.PrefixRequirements(c.Cookie).HTTPOnly {
		line += "; HttpOnly"
	}
	var j judgement
	if f.judge(line, &j); j.verdict == observe.Refused {
		return nil // the policy does not name the cookie that tells the tool of the answer
	}
	if name.rule != nil {
		e := wire.NewEditor(line, &j.cookie)
		name.rule.mending.apply(e, &f.clock, https)
		line = e.String()
	}
	return append(lines, line)
}

// otherCopies returns lines that remove a cookie from where the browser may have it, except for the
// place to which it is written.
func (f *responseFilter) otherCopies(c *knownName, path string) (lines []string) {
	for _, line := range f.expiryLines(c) {
		cookie, _ := wire.ParseSetCookie(line)
		a := cookie.ParseAttributes()
		if a.Domain == "" && a.Path == path && !a.Partitioned {
			continue
		}
		lines = append(lines, line)
		domain := wire.NormalDomain(a.Domain)
		if slices.ContainsFunc(f.enforcer.rewrites, func(r rewrite) bool { return r.from == domain }) {
			f.state.needRare().rewritten[line] = true // this Domain is the visitor's, and not the portal's
		}
	}
	return lines[:countFitting(lines)]
}

// Unwritable returns why the gateway cannot write this visitor's choice. Without a reason, [Visit.Choose]
// can. The response depends on the visitor's cookies from then on.
func (v *Visit) Unwritable() (reasons []policy.Unwritable) {
	e, cookies := v.enforcer, v.visitor.cookies()
	for _, u := range e.policy.Unwritable() {
		if u.Reason == policy.ReasonExistingOnly {
			v.response.varies = true
			if e.preferences.CanEdit(u.Cookie, e.keys, cookies) {
				continue
			}
		}
		reasons = append(reasons, u)
	}
	if v.visitor.request.HTTPS {
		return reasons
	}
	for i := range e.policy.Policy().Preference {
		for _, name := range e.policy.Policy().Preference[i].Cookies {
			if wire.PrefixRequirements(name).Secure {
				reasons = append(reasons, policy.Unwritable{Reason: policy.ReasonHTTPS, Cookie: name})
			}
		}
	}
	return reasons
}

// Disagreeing returns the preference cookies that the browser sent more than once, from different paths
// or domains, with choices that are not the same. Such a visitor's choice is what all copies grant, and
// [Visit.Choose] may not reach all of them.
func (v *Visit) Disagreeing() []string {
	v.response.varies = true
	return v.enforcer.preferences.Disagree(v.enforcer.keys, v.visitor.cookies())
}
