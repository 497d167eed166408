package page

import (
	"cmp"
	"html/template"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/languages"
)

// Visitor is who reads the page. The zero Visitor is nobody: a page for printing.
type Visitor struct {
	Host     string // as the request has it
	Language string // the tag of a language of the page; empty for the first
	Stored   enforcer.Stored

	// Whether copies of the preference do not say the same, and why the choice cannot be written.
	Disagreeing bool
	Unwritable  []policy.Unwritable
}

// InForce is when a policy came into force, as far as is known.
type InForce struct {
	Since   time.Time // when the first policy of this name did
	Changed time.Time // when the policy as it is did
}

// Data returns what the page shows of a policy to a visitor.
func (p *Page) Data(e *enforcer.Enforcer, in InForce, v Visitor) (*Data, error) {
	l := p.languages[0]
	for _, shown := range p.languages {
		if shown.Tag == v.Language {
			l = shown
		}
	}
	b := builder{page: p, language: l, enforcer: e, policy: e.Policy(), visitor: &v}
	return b.data(in)
}

// builder makes the Data of one page.
type builder struct {
	page     *Page
	language *languages.Language
	enforcer *enforcer.Enforcer
	policy   *policy.Resolved
	visitor  *Visitor
	err      error // of the first text that could not be made
}

// with fills in a text.
func (b *builder) with(t languages.Text, pairs ...string) string {
	text, err := t.With(pairs...)
	if err != nil && b.err == nil {
		b.err = err
	}
	return text
}

func (b *builder) date(t time.Time) Date {
	if t.IsZero() {
		return Date{}
	}
	return Date{Time: t.UTC(), Text: b.language.Date(t.Local())}
}

func (b *builder) data(in InForce) (*Data, error) {
	full, t := b.policy.Policy(), b.language.Page
	d := &Data{
		Language: b.language.Tag,
		Title:    b.page.phrase(b.page.config.Title, b.language),
		Host:     shownHost(b.visitor.Host),
		Policy: Policy{Name: b.policy.Name(), Digest: b.policy.Digest(), Mode: full.Mode,
			Unlisted: full.Unlisted, Since: b.date(in.Since)},
		Controller: b.page.config.Controller,
		Contact:    b.page.config.Contact,
		Providers:  []string{},
		Stylesheet: b.page.config.Stylesheet,
		T:          t,
		CSS:        template.CSS(css),
	}
	if in.Changed.After(in.Since) {
		d.Policy.Changed = b.date(in.Changed)
	}
	if d.Title.Text == "" {
		d.Title.Text = string(t.Title)
	}
	for _, l := range b.page.languages {
		d.Languages = append(d.Languages, LanguageLink{l.Tag, l.Name, "?lang=" + l.Tag, l == b.language})
	}
	b.kinds(d)
	b.choices(d)
	questions := len(d.Choices.Questions) > 0
	switch {
	case questions && b.page.config.Controller != "" && len(b.visitor.Unwritable) == 0:
		d.Form = &Form{Kept: b.language.Duration(b.kept())}
	case questions && len(full.Preference) > 0:
		d.ReadOnly, d.Manage = true, b.page.config.Manage
	}
	return d, b.err
}

// kept returns how long a choice is kept that the page writes: as long as the shortest-lived of the
// cookies that store it, whose rules can cut what the preference asks for.
func (b *builder) kept() time.Duration {
	full := b.policy.Policy()
	kept := policy.Duration(math.MaxInt64)
	for _, p := range full.Preference {
		kept = min(kept, cmp.Or(p.MaxAge, policy.Duration(enforcer.DefaultChoiceLife)))
		for _, name := range p.Cookies {
			rule, _ := b.policy.Lookup(name)
			if rule != nil && rule.MaxAge > 0 {
				kept = min(kept, rule.MaxAge)
			}
			if rule != nil && rule.Lifetime > 0 && full.Lifetimes == policy.LifetimesEnforce {
				kept = min(kept, rule.Lifetime)
			}
		}
	}
	return time.Duration(kept)
}

// kinds sorts the rules into the four kinds, each once.
func (b *builder) kinds(d *Data) {
	for _, category := range policy.Categories {
		words, err := b.language.Page.Kinds.Of(string(category))
		if err != nil && b.err == nil {
			b.err = err
		}
		kind := Kind{Category: string(category), Name: string(words.Name), About: string(words.About),
			Rules: []Rule{}}
		for _, rule := range b.policy.Rules() {
			if rule.Category != category {
				continue
			}
			kind.Rules = append(kind.Rules, b.rule(rule))
			d.Wildcards = d.Wildcards || slices.ContainsFunc(rule.Cookies, func(name string) bool {
				return strings.Contains(name, "*")
			})
			if category == policy.ThirdParty && rule.Provider != "" && !slices.Contains(d.Providers, rule.Provider) {
				d.Providers = append(d.Providers, rule.Provider)
			}
		}
		d.Kinds = append(d.Kinds, kind)
		d.ThirdParty = category == policy.ThirdParty && len(kind.Rules) > 0
	}
	if d.ProviderList = strings.Join(d.Providers, ", "); d.ProviderList == "" {
		d.ProviderList = string(b.language.Page.Cookies.NotStated)
	}
}

func (b *builder) rule(rule *policy.Rule) Rule {
	r := Rule{
		Cookies: slices.Concat([]string{}, rule.Cookies),
		Origins: rule.Origin, OriginList: strings.Join(rule.Origin, ", "),
		Provider: rule.Provider,
		Function: b.page.phrase(rule.Function, b.language),
		Purpose:  b.page.phrase(rule.Purpose, b.language),
		Lifetime: b.lifetime(rule),
		Keys:     rule.ConsentKeys(),
	}
	switch {
	case rule.Category == policy.Necessary:
		r.Condition = "always"
	case rule.Anonymous:
		r.Condition = "until_objection"
		r.NotProlonged = r.Lifetime.Seconds > 0
	default:
		r.Condition = "consent"
	}
	return r
}

// lifetime returns what holds: the declared lifetime, or what the gateway cuts a longer one to.
func (b *builder) lifetime(rule *policy.Rule) Lifetime {
	full, t := b.policy.Policy(), b.language.Page.Cookies
	declared, limit := rule.Lifetime, rule.MaxAge
	if b.policy.Reports() { // nothing is cut
		limit = 0
	} else if limit == 0 && declared > 0 && full.Lifetimes == policy.LifetimesEnforce {
		limit = declared
	}
	atMost := limit > 0 && (declared == 0 || declared >= limit)
	switch {
	case declared == policy.Session:
		return Lifetime{Session: true, Text: string(t.Session)}
	case atMost:
		text := b.with(t.AtMost, "duration", b.language.Duration(time.Duration(limit)))
		return Lifetime{Seconds: int64(time.Duration(limit) / time.Second), AtMost: true, Text: text}
	case declared > 0:
		return Lifetime{Seconds: int64(time.Duration(declared) / time.Second),
			Text: b.language.Duration(time.Duration(declared))}
	}
	return Lifetime{Text: string(t.NotStated)}
}

// shownHost returns a host without its port, if it is one that can be shown: clients choose it.
func shownHost(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	if len(host) > 253 || strings.Trim(strings.ToLower(host), "abcdefghijklmnopqrstuvwxyz0123456789.-_:[]") != "" {
		return ""
	}
	return strings.ToLower(host)
}
