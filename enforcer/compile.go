package enforcer

import (
	"slices"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/consent"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/wire"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// Enforcer is a compiled policy. Any number of requests share it without a lock.
type Enforcer struct {
	policy      *policy.Resolved
	rules       map[*policy.Rule]*rule
	keys        consent.Keys
	preferences *consent.Reader
	signals     []signal
	rewrites    []rewrite

	mends          bool // some rule or the policy changes lines that are let through
	protects       bool // responses with cookies are kept out of shared caches
	passesUnlisted bool
	persists       bool // some preference is sent again
	reports        bool // nothing is changed

	loading *loading // nil if nothing is done about third parties

	observer *observe.Observer
	mode     observe.Mode
	now      func() time.Time

	set, read names // that were looked up
}

// rule is a compiled rule.
type rule struct {
	declared  *policy.Rule
	category  int // the number of its counter
	always    bool
	anonymous bool
	keys      consent.Set // any of which has to be granted
	domains   []string
	mending   mending
}

// signal is a request header that counts as a refusal of undecided keys.
type signal struct {
	signal string // its word in the policy
	header string
	keys   consent.Set
}

// signalHeaders are the headers of the signals, as header maps have them. Each objects by the value 1
// (W3C Global Privacy Control section 3, W3C Tracking Preference Expression section 5).
var signalHeaders = map[string]string{policy.SignalGPC: "Sec-Gpc", policy.SignalDNT: "Dnt"}

// signalFields are the same headers as the standards write them.
var signalFields = map[string]string{policy.SignalGPC: "Sec-GPC", policy.SignalDNT: "DNT"}

// rewrite replaces a Domain attribute by another, or removes it.
type rewrite struct{ from, to string }

// Compile checks a policy and makes an Enforcer of it. The error is of type [policy.Faults] and holds
// everything that is wrong with the policy. The Enforcer shares no memory with the policy.
//
// The clock now is used to tell which dates are in the past. It must be safe for concurrent use. A nil
// clock is [time.Now].
func Compile(p policy.Policy, now func() time.Time) (*Enforcer, error) {
	if now == nil {
		now = time.Now
	}
	resolved, err := p.Resolve()
	if err != nil {
		return nil, err
	}
	full := resolved.Policy()
	e := &Enforcer{
		policy:         resolved,
		rules:          map[*policy.Rule]*rule{},
		keys:           consent.Keys{},
		preferences:    consent.NewReader(full.Preference, now),
		protects:       full.SharedCache == policy.SharedCacheProtect,
		passesUnlisted: full.Unlisted == policy.UnlistedPass,
		reports:        resolved.Reports(),
		now:            now,
	}
	if e.reports {
		e.mode = observe.Report
	}
	e.persists = e.preferences.Persists()
	for _, declared := range resolved.Rules() {
		r := e.compile(declared)
		if full.Lifetimes == policy.LifetimesEnforce && declared.MaxAge == 0 {
			if r.mending.session = declared.Lifetime == policy.Session; !r.mending.session {
				r.mending.maxAge = time.Duration(declared.Lifetime)
			}
		}
		e.rules[declared] = r
		e.mends = e.mends || r.mending != mending{}
	}
	for _, r := range full.RewriteDomain {
		e.rewrites = append(e.rewrites, rewrite{wire.NormalDomain(r.From), wire.NormalDomain(r.To)})
		e.mends = true
	}
	for _, s := range full.Signal {
		compiled := signal{signal: s.Signal, header: signalHeaders[s.Signal]}
		for _, r := range e.rules {
			for _, category := range s.Categories {
				if r.declared.Category == category {
					compiled.keys |= r.keys
				}
			}
		}
		e.signals = append(e.signals, compiled)
	}
	e.loading = e.newLoading()
	return e, nil
}

func (e *Enforcer) compile(declared *policy.Rule) *rule {
	r := &rule{
		declared:  declared,
		category:  observe.CategoryIndex(declared.Category),
		always:    declared.Category == policy.Necessary,
		anonymous: declared.Anonymous,
		mending: mending{
			maxAge: time.Duration(declared.MaxAge), secure: declared.Secure,
			httpOnly: declared.HTTPOnly, sameSite: declared.SameSite,
		},
	}
	for _, domain := range declared.Domain {
		r.domains = append(r.domains, wire.NormalDomain(domain))
	}
	for _, key := range declared.ConsentKeys() {
		if _, known := e.keys[key]; !known {
			e.keys[key] = len(e.keys)
		}
		r.keys.Add(e.keys[key])
	}
	return r
}

// Observe makes the Enforcer count what it does in an Observer. It must be called before the first
// Visit.
func (e *Enforcer) Observe(o *observe.Observer) { e.observer = o }

// Policy returns the policy that is enforced, with presets and defaults written out.
func (e *Enforcer) Policy() *policy.Resolved { return e.policy }

// acceptsDomain reports whether the Domain attribute is one of the rule's. An empty one counts as
// absent, as in browsers (RFC 6265bis section 5.6.3).
func (r *rule) acceptsDomain(a *wire.Attributes) bool {
	return len(r.domains) == 0 || a.Domain == "" || slices.Contains(r.domains, wire.NormalDomain(a.Domain))
}

// acceptsPath reports whether the Path attribute is one of the rule's. One that does not begin with a
// slash counts as absent, as in browsers (RFC 6265bis section 5.6.4).
func (r *rule) acceptsPath(a *wire.Attributes) bool {
	paths := r.declared.Path
	return len(paths) == 0 || a.Path == "" || a.Path[0] != '/' || slices.Contains(paths, a.Path)
}

// hasConditions reports whether the rule limits Domain or Path. A nil rule does not.
func (r *rule) hasConditions() bool {
	return r != nil && (len(r.domains) > 0 || len(r.declared.Path) > 0)
}
