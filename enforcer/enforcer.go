package enforcer

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Enforcer is a compiled policy. It does not change, but for what it remembers of names that it met: any number of requests share it
// without a lock.
type Enforcer struct {
	policy      Policy // spelled out
	name        string
	digest      string
	declared    []*rule // in the order of the policy
	names       names
	set, sent   nameTable[known] // names that responses set, and that browsers sent
	keys        map[string]int   // consent keys and their numbers
	preferences []compiledPreference
	initials    [256]bool // first bytes of lines that may write a preference
	signals     []compiledSignal
	rewrites    []rewrite
	mends       bool // lines that are let through may be changed
	protects    bool // responses with cookies are kept out of shared caches
	unlisted    bool // unlisted cookies are let through
	persists    bool // a preference is sent again
	reports     bool // nothing is changed
	observer    *Observer
	now         func() time.Time
}

// rewrite is a Domain attribute that becomes another, or none.
type rewrite struct{ from, to string }

// compiledSignal is a request header that counts as refusal of undecided keys.
type compiledSignal struct {
	header string
	keys   keySet
}

// signalHeaders are the headers of the signals; each objects by the value 1. (W3C Global Privacy Control section 3; W3C Tracking Preference
// Expression section 5.)
var signalHeaders = map[string]string{SignalGPC: "Sec-Gpc", SignalDNT: "Dnt"}

// rule is what an Enforcer knows of a rule: the conditions.
type rule struct {
	label     string // for people: the category and the names
	declared  *Rule
	tracker   string // the preset it comes from, if that names the cookies of all versions of a tracker
	counter   int    // of its category
	category  Category
	always    bool // necessary
	anonymous bool
	keys      []int // any of which has to be granted
	domains   []string
	paths     []string
	mending   mending
}

// Compile judges the policy and makes an Enforcer of it. The error holds all the policy's [Faults].
// The clock now tells by which dates a cookie is a deletion; it may be called by many goroutines at once.
func Compile(p Policy, now func() time.Time) (*Enforcer, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	rules, preferences := p.resolve()
	spelled := p.spelledOut(rules, preferences)
	e := &Enforcer{policy: spelled, digest: spelled.digest(), keys: map[string]int{}, unlisted: p.Unlisted == UnlistedPass, protects: p.SharedCache != SharedCacheKeep, reports: p.Mode == ModeReport, now: now}
	e.name = cmp.Or(p.Name, e.digest[:8])
	for i := range rules {
		r := &rules[i]
		c := e.compile(r)
		if p.Lifetimes == LifetimesEnforce && r.MaxAge == 0 {
			c.mending.maxAge = time.Duration(r.Lifetime)
		}
		e.declared = append(e.declared, c)
		e.mends = e.mends || c.mending != (mending{})
		for _, name := range r.Cookies {
			e.names.add(name, c)
		}
	}
	for i := range spelled.Preference {
		e.compilePreference(&spelled.Preference[i])
	}
	for _, r := range p.RewriteDomain {
		e.rewrites, e.mends = append(e.rewrites, rewrite{normalDomain(r.From), normalDomain(r.To)}), true
	}
	for _, signal := range p.Signal {
		s := compiledSignal{header: signalHeaders[signal.Signal], keys: newKeySet(len(e.keys))}
		for _, r := range e.declared {
			if slices.Contains(signal.Categories, r.category) {
				for _, k := range r.keys {
					s.keys.add(k)
				}
			}
		}
		e.signals = append(e.signals, s)
	}
	return e, nil
}

// Observe makes the Enforcer count what it does in an Observer. It is not for an Enforcer that is in use.
func (e *Enforcer) Observe(o *Observer) { e.observer = o }

// Name is the policy's label, or the first eight digits of its digest.
func (e *Enforcer) Name() string { return e.name }

// Digest is a SHA-256 of what the policy says, its presets spelled out, but for its name: 64 hexadecimal digits.
func (e *Enforcer) Digest() string { return e.digest }

// Policy is what is enforced, with presets and defaults spelled out. It must not be changed.
func (e *Enforcer) Policy() Policy { return e.policy }

// Mode is `enforce` or `report`.
func (e *Enforcer) Mode() string { return e.policy.Mode }

// LacksPreference says whether rules wait for consent that nobody can give, because the policy names no preference: their cookies are never let
// through.
func (e *Enforcer) LacksPreference() bool {
	return len(e.preferences) == 0 && slices.ContainsFunc(e.declared, func(r *rule) bool { return !r.always && !r.anonymous })
}

// resolve spells out the presets. Each name is left in the one rule, and each cookie in the one preference, that counts: the policy's own before
// a preset's, an earlier preset's before a later one's.
func (p *Policy) resolve() (rules []Rule, preferences []Preference) {
	taken := map[string]bool{}
	free := func(names []string) []string {
		return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return taken[name] })
	}
	take := func(names []string) {
		for _, name := range names {
			taken[name] = true
		}
	}
	for _, r := range p.Allow {
		take(r.Cookies)
	}
	for i := range p.Presets {
		known, _ := presetNamed(p.Presets[i].Name)
		for _, r := range known.rules {
			r = r.with(p.Presets[i].RuleOptions)
			if r.Cookies = free(r.Cookies); len(r.Cookies) > 0 {
				if r.Category != Necessary {
					r.tracker = known.name
				}
				take(r.Cookies)
				rules = append(rules, r)
			}
		}
	}
	rules = append(rules, p.Allow...)

	clear(taken)
	for _, preference := range p.Preference {
		take(preference.Cookies)
	}
	for i := range p.Presets {
		known, _ := presetNamed(p.Presets[i].Name)
		for _, preference := range known.preference {
			if preference.Cookies = free(preference.Cookies); len(preference.Cookies) > 0 {
				take(preference.Cookies)
				preferences = append(preferences, preference)
			}
		}
	}
	return rules, append(preferences, p.Preference...)
}

// spelledOut is the policy with its presets and its defaults written down.
func (p *Policy) spelledOut(rules []Rule, preferences []Preference) Policy {
	spelled := Policy{
		Name:          p.Name,
		Allow:         slices.Clone(rules),
		Preference:    slices.Clone(preferences),
		Signal:        p.Signal,
		Unlisted:      cmp.Or(p.Unlisted, UnlistedBlock),
		Mode:          cmp.Or(p.Mode, ModeEnforce),
		Lifetimes:     cmp.Or(p.Lifetimes, LifetimesReport),
		RewriteDomain: p.RewriteDomain,
		SharedCache:   cmp.Or(p.SharedCache, SharedCacheProtect),
	}
	for i := range spelled.Preference {
		spelled.Preference[i] = spelled.Preference[i].withDefaults()
	}
	for i := range spelled.Allow {
		spelled.Allow[i].Consent = spelled.Allow[i].consent()
	}
	return spelled
}

// digest hashes what the policy says, but for its name, as JSON.
func (p Policy) digest() string {
	p.Name = ""
	b, err := json.Marshal(&p)
	if err != nil {
		panic("enforcer: a policy is plain data: " + err.Error())
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func (e *Enforcer) compile(r *Rule) *rule {
	compiled := &rule{
		label: string(r.Category) + " " + strings.Join(r.Cookies, " "), declared: r, tracker: r.tracker, counter: slices.Index(counted[:], r.Category),
		category: r.Category, always: r.Category == Necessary, anonymous: r.Anonymous, paths: slices.Clone(r.Path),
	}
	compiled.mending = mending{maxAge: time.Duration(r.MaxAge), secure: r.Secure, httpOnly: r.HTTPOnly, sameSite: r.SameSite}
	for _, domain := range r.Domain {
		compiled.domains = append(compiled.domains, normalDomain(domain))
	}
	if compiled.always {
		return compiled
	}
	for _, key := range r.consent() {
		k, known := e.keys[key]
		if !known {
			k = len(e.keys)
			e.keys[key] = k
		}
		compiled.keys = append(compiled.keys, k)
	}
	return compiled
}

// compilePreference adds the cookies of a preference, its defaults spelled out, and lets them through.
func (e *Enforcer) compilePreference(spelled *Preference) {
	for _, name := range spelled.Cookies {
		compiled := compiledPreference{
			cookie: name, format: spelled.Format, path: splitPath(spelled.Path), base64: spelled.Base64,
			separator: spelled.Separator, assignment: spelled.Assignment, listKey: spelled.ListKey,
			value: spelled.Value, keys: spelled.Keys, words: spelled.Granted,
			maxAge: time.Duration(spelled.MaxAge), persist: spelled.Persist,
		}
		switch {
		case spelled.Timestamp == "":
		case spelled.Format == FormatPairs:
			compiled.timestamp = []string{spelled.Timestamp}
		default:
			compiled.timestamp = splitPath(spelled.Timestamp)
		}
		e.preferences = append(e.preferences, compiled)
		e.initials[name[0]], e.initials[' '], e.initials['\t'] = true, true, true
		e.persists = e.persists || compiled.persist != ""
		if r := e.names.exact[name]; r == nil || !r.always {
			e.names.add(name, e.compile(&Rule{Category: Necessary, Cookies: []string{name}}))
		}
	}
}

// consent are the rule's consent keys, by default the name of its category. Necessary cookies have none.
func (r *Rule) consent() []string {
	if len(r.Consent) == 0 && r.Category != Necessary {
		return []string{string(r.Category)}
	}
	return r.Consent
}

// normalDomain is a Domain as browsers compare it: without a leading dot and in lower case (RFC 6265bis section 5.6.3).
func normalDomain(domain string) string { return strings.ToLower(strings.TrimPrefix(domain, ".")) }

// accepts says whether the attributes lie within the rule's domains and paths. Attributes that browsers ignore count as not given: an empty
// Domain, and a Path that does not begin with a slash (RFC 6265bis sections 5.6.3 and 5.6.4).
func (r *rule) accepts(a *attributes) bool {
	if len(r.domains) > 0 && a.domain != "" && !slices.ContainsFunc(r.domains, func(d string) bool {
		return equalFold(strings.TrimPrefix(a.domain, "."), d)
	}) {
		return false
	}
	return len(r.paths) == 0 || !strings.HasPrefix(a.path, "/") || slices.Contains(r.paths, a.path)
}
