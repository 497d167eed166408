package policy

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/match"
)

// Resolved is a policy without faults, its presets and defaults written out. It is immutable.
type Resolved struct {
	policy   Policy
	name     string
	digest   string
	implicit []Rule // for the preference's cookies that no rule of the policy names
	names    match.Names[*Rule]
}

// Place is where a rule was written.
type Place struct {
	Preset string // the preset's name, or "" for a rule of the policy's own
	Path   string // the field's path in the JSON config, such as allow[0] or presets[1]

	// Implicit is set for the rule that a preference makes for its cookie.
	Implicit bool
}

// Resolve checks the policy and writes its presets and defaults out. The error is of type [Faults].
// The Resolved shares no memory with the policy.
func (p *Policy) Resolve() (*Resolved, error) {
	if faults := p.Faults(); len(faults) > 0 {
		return nil, faults
	}
	own := p.clone()
	rules, preferences := own.resolve()
	r := &Resolved{policy: Policy{
		Name:          own.Name,
		Allow:         rules,
		Preference:    preferences,
		Key:           own.resolveKeys(rules),
		Signal:        mergeSignals(own.Signal),
		Unlisted:      cmp.Or(own.Unlisted, UnlistedBlock),
		Mode:          cmp.Or(own.Mode, ModeEnforce),
		Lifetimes:     cmp.Or(own.Lifetimes, LifetimesReport),
		RewriteDomain: own.RewriteDomain,
		SharedCache:   cmp.Or(own.SharedCache, SharedCacheProtect),
		Load:          own.Load.withDefaults(),
	}}
	for i := range rules {
		rules[i].Consent = rules[i].ConsentKeys()
		for _, name := range rules[i].Cookies {
			r.names.Add(name, &rules[i])
		}
	}
	for i := range preferences {
		preferences[i] = preferences[i].withDefaults()
		for _, name := range preferences[i].Cookies {
			// A wildcard has no say about a preference, and a preset no say about its category.
			if rule, named := r.names.Exact(name); !named || rule.Category != Necessary {
				r.implicit = append(r.implicit, Rule{Category: Necessary, Cookies: []string{name},
					place: Place{Path: preferences[i].place, Implicit: true}})
			}
		}
	}
	for i := range r.implicit {
		r.names.Add(r.implicit[i].Cookies[0], &r.implicit[i])
	}
	r.names.Sort()
	r.digest = digest(r.policy)
	r.name = cmp.Or(own.Name, r.digest[:8])
	return r, nil
}

// Name returns the policy's label, or the first eight digits of its digest.
func (r *Resolved) Name() string { return r.name }

// Digest returns a SHA-256 of what the policy says, presets and defaults included and the name
// excluded: 64 hexadecimal digits.
func (r *Resolved) Digest() string { return r.digest }

// Policy returns the policy with presets and defaults written out. It must not be changed.
func (r *Resolved) Policy() *Policy { return &r.policy }

// Reports reports whether the mode is `report`.
func (r *Resolved) Reports() bool { return r.policy.Mode == ModeReport }

// Rules returns the rules in their order, those of presets first, and behind them a rule for each
// preference cookie that no other rule names. They must not be changed.
func (r *Resolved) Rules() []*Rule {
	rules := make([]*Rule, 0, len(r.policy.Allow)+len(r.implicit))
	for i := range r.policy.Allow {
		rules = append(rules, &r.policy.Allow[i])
	}
	for i := range r.implicit {
		rules = append(rules, &r.implicit[i])
	}
	return rules
}

// ConsentKeys returns the consent keys of all rules, each once, in the order of the rules.
func (r *Resolved) ConsentKeys() []string { return keysOf(r.policy.Allow) }

// Lookup returns the rule for a cookie name and the name or wildcard in the rule that matches it. It
// returns nil if no rule does.
func (r *Resolved) Lookup(name string) (rule *Rule, pattern string) {
	rule, pattern, _ = r.names.Lookup(name)
	return rule, pattern
}

// Counts is the number of rules, of names in them, and of cookies that hold a preference.
type Counts struct{ Rules, Cookies, Preferences int }

// Counts counts what the policy says, presets included.
func (r *Resolved) Counts() Counts {
	c := Counts{Rules: len(r.policy.Allow)}
	for i := range r.policy.Allow {
		c.Cookies += len(r.policy.Allow[i].Cookies)
	}
	for i := range r.policy.Preference {
		c.Preferences += len(r.policy.Preference[i].Cookies)
	}
	return c
}

// Label returns the rule's category and names, for people; for a rule without names, its category and
// origins.
func (r *Rule) Label() string {
	names := r.Cookies
	if len(names) == 0 {
		names = r.Origin
	}
	return string(r.Category) + " " + strings.Join(names, " ")
}

// Place returns where the rule was written. It is known of a resolved policy's rules.
func (r *Rule) Place() Place { return r.place }

// ConsentKeys returns the rule's consent keys, by default the name of its category. A necessary rule
// has none.
func (r *Rule) ConsentKeys() []string {
	if len(r.Consent) == 0 && r.Category != Necessary {
		return []string{string(r.Category)}
	}
	return r.Consent
}

// resolve writes the presets out. Each name stays in the one rule, and each cookie in the one
// preference, that counts: the policy's own before a preset's, an earlier preset's before a later
// one's.
func (p *Policy) resolve() (rules []Rule, preferences []Preference) {
	taken := map[string]bool{}
	free := func(names []string) []string { // of a copy
		return slices.DeleteFunc(names, func(name string) bool { return taken[name] })
	}
	take := func(names []string) {
		for _, name := range names {
			taken[name] = true
		}
	}
	origins := takenOrigins{}
	for i := range p.Allow {
		take(p.Allow[i].Cookies)
		origins.take(&p.Allow[i])
	}
	for i := range p.Presets {
		known, _ := presetNamed(p.Presets[i].Name)
		for _, r := range known.rules {
			if p.Load.withDefaults().Mode != "" { // else the policy is what it was without the word
				r.Origin = known.origins
			}
			r = r.with(p.Presets[i].RuleOptions).clone()
			r.place = Place{Preset: known.name, Path: fmt.Sprintf("presets[%d]", i)}
			if r.Cookies = free(r.Cookies); len(r.Cookies) > 0 {
				take(r.Cookies)
				if len(p.Presets[i].Origin) == 0 {
					r.Origin = slices.DeleteFunc(r.Origin, origins.isTakenFrom(&r))
				}
				origins.take(&r)
				rules = append(rules, r)
			}
		}
	}
	for i, r := range p.Allow {
		r.place.Path = fmt.Sprintf("allow[%d]", i)
		rules = append(rules, r)
	}

	clear(taken)
	for _, preference := range p.Preference {
		take(preference.Cookies)
	}
	for i := range p.Presets {
		known, _ := presetNamed(p.Presets[i].Name)
		for _, preference := range known.preference {
			preference = preference.clone()
			preference.place = fmt.Sprintf("presets[%d]", i)
			if preference.Cookies = free(preference.Cookies); len(preference.Cookies) > 0 {
				take(preference.Cookies)
				preferences = append(preferences, preference)
			}
		}
	}
	for i, preference := range p.Preference {
		preference.place = fmt.Sprintf("preference[%d]", i)
		preferences = append(preferences, preference)
	}
	return rules, preferences
}

// takenOrigins are the origins that rules name, and the condition of the first that does.
type takenOrigins map[string]string

func (t takenOrigins) take(r *Rule) {
	for _, origin := range r.Origin {
		if _, taken := t[origin]; !taken {
			t[origin] = r.condition()
		}
	}
}

// isTakenFrom returns a function that reports whether a rule of the policy's own, or of an earlier
// preset, names an origin on another condition than a preset's rule.
func (t takenOrigins) isTakenFrom(r *Rule) func(origin string) bool {
	condition := r.condition()
	return func(origin string) bool {
		other, taken := t[origin]
		return taken && other != condition
	}
}

// mergeSignals makes one entry of all lines of a signal.
func mergeSignals(signals []Signal) (merged []Signal) {
	for _, s := range signals {
		i := slices.IndexFunc(merged, func(m Signal) bool { return m.Signal == s.Signal })
		if i < 0 {
			merged = append(merged, s)
			continue
		}
		for _, category := range s.Categories {
			if !slices.Contains(merged[i].Categories, category) {
				merged[i].Categories = append(merged[i].Categories, category)
			}
		}
	}
	return merged
}

// digest hashes what the policy says as JSON, except for its name.
func digest(p Policy) string {
	p.Name = ""
	b, err := json.Marshal(&p)
	if err != nil {
		panic("policy: a policy is plain data: " + err.Error())
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
