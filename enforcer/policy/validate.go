package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/match"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/wire"
)

// Faults returns everything that is wrong with the policy, in the order of its fields.
func (p *Policy) Faults() Faults {
	v := &validator{allowed: map[string]allowed{}, badDurations: p.badDurations}
	v.policy(p)
	return v.faults
}

type validator struct {
	faults  Faults
	allowed map[string]allowed // names in the block's own rules

	badDurations map[string]string // the words that are no durations, by path
}

type allowed struct {
	path     string
	category Category
}

func (v *validator) fault(path, word, problem, right string) {
	v.faults = append(v.faults, Fault{Path: path, Word: word, Problem: problem, Right: right})
}

func (v *validator) policy(p *Policy) {
	if len(p.Presets) == 0 && len(p.Allow) == 0 {
		v.fault("", "", "this policy lets no cookie through",
			"name a preset such as opendatasoft, or write an allow line")
	}
	v.label("name", p.Name)
	for i := range p.Presets {
		path := fmt.Sprintf("presets[%d]", i)
		v.preset(path, &p.Presets[i])
		same := func(q Preset) bool { return q.Name == p.Presets[i].Name }
		if j := slices.IndexFunc(p.Presets[:i], same); j >= 0 {
			v.twice(path, p.Presets[i].Name, "this preset is named twice", fmt.Sprintf("presets[%d]", j))
		}
	}
	for i := range p.Allow {
		v.rule(fmt.Sprintf("allow[%d]", i), &p.Allow[i])
	}
	for i := range p.Presets {
		known, _ := presetNamed(p.Presets[i].Name)
		for _, preference := range known.preference {
			for _, name := range preference.Cookies {
				v.necessary(name)
			}
		}
	}
	v.preferences(p.Preference)
	v.signals(p.Signal)
	v.oneOf("unlisted", p.Unlisted, UnlistedBlock, UnlistedPass)
	v.oneOf("mode", p.Mode, ModeEnforce, ModeReport)
	v.oneOf("lifetimes", p.Lifetimes, LifetimesReport, LifetimesEnforce)
	v.rewrites(p.RewriteDomain)
	v.oneOf("shared_cache", p.SharedCache, SharedCacheProtect, SharedCacheKeep)
	v.load(p)
	v.evidence(p.Evidence)
	v.resolved(p)
}

// label accepts what can stand unquoted in logs, metrics and addresses.
func (v *validator) label(path, label string) {
	if label == "." || label == ".." {
		v.fault(path, label, "this name cannot stand in the path of an address",
			"use letters or digits too")
	}
	for _, c := range []byte(label) {
		if !isAlphanumeric(c) && c != '.' && c != '-' && c != '_' {
			v.fault(path, label, "a name cannot hold "+quote(string(rune(c))),
				"use letters, digits, dots, hyphens and underscores")
			return
		}
	}
	if len(label) > maxLabel {
		v.fault(path, label, fmt.Sprintf("a name of %d bytes is too long", len(label)),
			fmt.Sprintf("use at most %d", maxLabel))
	}
}

const maxLabel = 64

func (v *validator) preset(path string, p *Preset) {
	known, ok := presetNamed(p.Name)
	if !ok {
		v.fault(path, p.Name, "no such preset", wantOneOf(p.Name, Presets(), ""))
		v.options(path, &p.RuleOptions)
		return
	}
	has := func(c Category) bool {
		return slices.ContainsFunc(known.rules, func(r Rule) bool { return r.Category == c })
	}
	if p.Anonymous && !has(Statistical) {
		v.fault(path+".anonymous", "anonymous", "the preset "+p.Name+" has no statistical cookies",
			"remove it: only they can be anonymous")
	}
	if len(p.Consent) > 0 && !has(Statistical) && !has(FirstParty) && !has(ThirdParty) {
		v.fault(path+".consent", p.Consent[0],
			"the preset "+p.Name+" has necessary cookies only, which need no consent", "remove it")
	}
	v.options(path, &p.RuleOptions)
}

func (v *validator) rule(path string, r *Rule) {
	if !slices.Contains(Categories, r.Category) {
		v.category(path+".category", r.Category, Categories)
	}
	if len(r.Cookies) == 0 && len(r.Origin) == 0 {
		v.fault(path+".cookies", "", "this rule names no cookie",
			"name at least one after the category, or an origin in the rule's block")
	}
	for i, name := range r.Cookies {
		path := fmt.Sprintf("%s.cookies[%d]", path, i)
		v.cookieName(path, name)
		if wire.HasPrefixFold(name, "__host-") && len(r.Path) > 0 && !slices.Contains(r.Path, "/") {
			v.fault(path, name,
				"this rule could never match: browsers take a __Host- cookie with Path=/ only",
				"add / to the rule's paths")
		}
		if before, twice := v.allowed[name]; twice {
			v.twice(path, name, "this name is allowed twice", before.path)
			continue
		}
		v.allowed[name] = allowed{path, r.Category}
	}
	if r.Anonymous && r.Category != Statistical {
		v.fault(path+".anonymous", "anonymous", "only statistical cookies can be anonymous",
			"move them to the category statistical, or remove it")
	}
	if len(r.Consent) > 0 && r.Category == Necessary {
		v.fault(path+".consent", r.Consent[0], "necessary cookies need no consent",
			"remove it, or choose another category")
	}
	v.options(path, &r.RuleOptions)
}

func (v *validator) options(path string, o *RuleOptions) {
	v.distinct(path+".consent", o.Consent, v.key)
	v.distinct(path+".domain", o.Domain, v.domain)
	v.distinct(path+".origin", o.Origin, v.origin)
	v.distinct(path+".path", o.Path, v.path)
	if v.duration(path+".lifetime", o.Lifetime) && o.Lifetime != Session && o.Lifetime < Duration(time.Second) {
		v.fault(path+".lifetime", o.Lifetime.String(), "a lifetime of less than a second is none",
			"write one such as 183d, or session for a cookie that ends with the browser")
	}
	switch given := v.duration(path+".max_age", o.MaxAge); {
	case given && o.MaxAge == Session:
		v.fault(path+".max_age", sessionWord, "this is no limit of a lifetime",
			"write a duration such as 183d; for a session cookie write lifetime session in the rule, "+
				"and lifetimes enforce in the policy")
	case given && o.MaxAge < Duration(time.Second):
		v.fault(path+".max_age", o.MaxAge.String(), "a lifetime of less than a second is none",
			"write one such as 183d, or remove it: a cookie is refused by not naming it")
	}
	v.oneOf(path+".same_site", o.SameSite, SameSiteLax, SameSiteStrict, SameSiteNone)
	if o.Provider != "" {
		v.text(path+".provider", "provider", o.Provider)
	}
	v.texts(path+".function", o.Function)
	v.texts(path+".purpose", o.Purpose)
}

// key accepts what can stand in a preference.
func (v *validator) key(path, key string) {
	if key == "" || wire.HasControl(key) {
		v.fault(path, key, "this cannot stand in a preference",
			"write it as it stands in the visitor's preference")
	}
}

func (v *validator) path(path, p string) {
	ok := strings.HasPrefix(p, "/") && !wire.HasControl(p) && !strings.Contains(p, ";") &&
		wire.Trim(p) == p && len(p) <= wire.MaxAttributeValue
	if !ok {
		v.fault(path, p, "no browser takes this for a Path",
			"begin it with /, and without semicolons, blanks around it or more than 1024 bytes")
	}
}

func (v *validator) signals(signals []Signal) {
	for i, s := range signals {
		path := fmt.Sprintf("signal[%d]", i)
		if s.Signal == "" {
			v.fault(path+".signal", "", "this signal has no name", "want gpc or dnt")
		}
		v.oneOf(path+".signal", s.Signal, SignalGPC, SignalDNT)
		if len(s.Categories) == 0 {
			v.fault(path+".categories", s.Signal, "this signal objects to nothing",
				"name the categories it refuses")
		}
		for j, c := range s.Categories {
			path := fmt.Sprintf("%s.categories[%d]", path, j)
			switch {
			case !slices.Contains(Categories, c):
				v.category(path, c, Categories[1:])
			case c == Necessary:
				v.fault(path, string(c),
					"necessary cookies need no consent, and nobody can object to them",
					"want statistical, first_party or third_party")
			case slices.Contains(s.Categories[:j], c):
				v.twice(path, string(c), "this is given twice",
					fmt.Sprintf("signal[%d].categories[%d]", i, slices.Index(s.Categories, c)))
			}
		}
	}
}

// distinct judges each word, and refuses those that stand in the list already.
func (v *validator) distinct(path string, words []string, judge func(path, word string)) {
	for i, word := range words {
		list, path := path, fmt.Sprintf("%s[%d]", path, i)
		judge(path, word)
		if j := slices.Index(words[:i], word); j >= 0 {
			v.twice(path, word, "this is given twice", fmt.Sprintf("%s[%d]", list, j))
		}
	}
}

func (v *validator) domain(path, domain string) {
	host := strings.TrimPrefix(domain, ".")
	for _, c := range []byte(host) {
		if !isAlphanumeric(c) && c != '.' && c != '-' && c != '_' {
			v.fault(path, domain, "no browser takes this for a Domain",
				"write the host name alone, in ASCII (xn--… for others), without scheme, port or path")
			return
		}
	}
	if host == "" || strings.HasPrefix(host, ".") || strings.Contains(host, "..") {
		v.fault(path, domain, "no browser takes this for a Domain",
			"write a host name such as data.example.org")
	} else if wire.IsPublicSuffix(strings.TrimSuffix(wire.NormalDomain(host), ".")) {
		v.fault(path, domain,
			"no browser takes a public suffix for a Domain: it belongs to many owners",
			"write a name below it, such as example."+host)
	}
}

func (v *validator) rewrites(rewrites []Rewrite) {
	for i, r := range rewrites {
		path := fmt.Sprintf("rewrite_domain[%d]", i)
		v.domain(path+".from", r.From)
		if r.To != "" {
			v.domain(path+".to", r.To)
		}
		if r.To != "" && wire.NormalDomain(r.From) == wire.NormalDomain(r.To) {
			v.fault(path+".to", r.To, "this domain stays what it is",
				"remove the line, or name another domain")
		}
		from := wire.NormalDomain(r.From)
		same := func(q Rewrite) bool { return wire.NormalDomain(q.From) == from }
		if j := slices.IndexFunc(rewrites[:i], same); j >= 0 {
			v.twice(path+".from", r.From, "this domain is rewritten twice",
				fmt.Sprintf("rewrite_domain[%d].from", j))
		}
	}
}

// resolved judges what shows only once the presets are written out.
func (v *validator) resolved(p *Policy) {
	rules, preferences := p.resolve()
	var names match.Names[*Rule]
	for i := range rules {
		for _, name := range rules[i].Cookies {
			names.Add(name, &rules[i])
		}
	}
	names.Sort()
	if r, _, ok := names.Lookup("csrftoken"); ok {
		v.scriptReadable("csrftoken", r)
	}
	for i := range preferences {
		for _, name := range preferences[i].Cookies {
			if r, ok := names.Exact(name); ok { // wildcards have no say in a preference
				v.scriptReadable(name, r)
				v.persistPath(&preferences[i], name, r)
			}
		}
	}
	v.keys(rules)
	v.keyBlocks(p, rules)
	v.loadEnforced(p, rules)
}

// scriptReadable refuses HttpOnly on a cookie that scripts have to read: the portal's own script sends
// csrftoken back with its API calls, and its banner reads and writes the preference.
func (v *validator) scriptReadable(name string, r *Rule) {
	if r.HTTPOnly {
		v.fault(r.place.Path+".http_only", name,
			"scripts of the portal have to read this cookie, and HttpOnly would hide it from them",
			"put the other cookies into a rule of their own, with http_only there")
	}
}

// persistPath refuses a preference that is sent again at a path that its own rule does not accept.
func (v *validator) persistPath(p *Preference, name string, r *Rule) {
	if p.Persist != "" && r.Lifetime == Session {
		v.fault(p.place+".persist", p.Persist,
			"the rule for "+name+" declares that it ends with the browser, and persist keeps it longer",
			"remove persist, or declare another lifetime")
	}
	if p.Persist != "" && len(r.Path) > 0 && !slices.Contains(r.Path, p.Persist) {
		v.fault(p.place+".persist", p.Persist,
			"the rule for "+name+" does not accept the path "+p.Persist+": the line would be refused",
			"name one of the rule's paths: "+strings.Join(r.Path, ", "))
	}
}

// MaxKeys is the largest number of consent keys of a policy.
const MaxKeys = 64

// keys refuses more consent keys than a policy can have.
func (v *validator) keys(rules []Rule) {
	known := map[string]bool{}
	for i := range rules {
		for _, key := range rules[i].ConsentKeys() {
			if known[key] = true; len(known) > MaxKeys {
				v.fault(rules[i].place.Path+".consent", key,
					fmt.Sprintf("this is one consent key too many: a policy has %d at most", MaxKeys),
					"let rules that are chosen together share a key")
				return
			}
		}
	}
}
