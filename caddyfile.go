package cookiepolicy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

func init() {
	httpcaddyfile.RegisterHandlerDirective("cookie_policy", parseDirective)
	// Outside everything that can set a cookie, and before the directives that want to know of
	// the visitor's consent.
	httpcaddyfile.RegisterDirectiveOrder("cookie_policy", httpcaddyfile.Before, "map")
}

func parseDirective(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	handler := new(Handler)
	return handler, handler.UnmarshalCaddyfile(h.Dispenser)
}

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens. All faults of the block are told
// at once. Syntax:
//
//	cookie_policy [<matcher>] [<preset...>] {
//		name       <label>
//		preset     <name...> {
//			<any option of allow>
//		}
//		allow      <category> <cookie...> {
//			consent   <key...>
//			anonymous
//			domain    <domain...>
//			path      <path...>
//			lifetime  <duration>
//			max_age   <duration>
//			secure
//			http_only
//			same_site lax|strict|none
//			provider  <text>
//			purpose   [<language>] <text>
//		}
//		preference <cookie...> {
//			format    json [<path>] [base64]
//			          pairs [<separator> [<assignment> [<list-key>]]]
//			          list [<separator>]
//			          flag <value> [<key...>]
//			granted   <word...>
//			timestamp <path>
//			max_age   <duration>
//			persist   [<path>]
//		}
//		signal     gpc|dnt <category...>
//		unlisted   block|pass
//		mode       enforce|report
//		lifetimes  report|enforce
//		rewrite_domain <from> [<to>]
//		shared_cache   protect|keep
//	}
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume the directive's name
	p := parser{Dispenser: d, written: map[string]caddyfile.Token{"": d.Token()}}
	for _, name := range d.RemainingArgsAsTokens() {
		p.presets(&h.Policy, []caddyfile.Token{name}, policy.RuleOptions{}, nil)
	}
	for d.NextBlock(0) {
		p.word(&h.Policy)
	}
	for _, f := range h.Faults() {
		p.faultAt(p.whereIs(f.Path), "%s", f.Message())
	}
	recordBlock(&h.Policy, p.written)
	return p.err()
}

// parser fills a policy from tokens, and remembers where each field was written.
type parser struct {
	*caddyfile.Dispenser
	written map[string]caddyfile.Token // by the field's path in the JSON config
	faults  []fault
}

// fault is one thing wrong at one place.
type fault struct {
	at      caddyfile.Token
	message string
}

func (p *parser) faultAt(at caddyfile.Token, format string, args ...any) {
	p.faults = append(p.faults, fault{at, fmt.Sprintf(format, args...)})
}

// whereIs finds the token of a field, or of the innermost field around it that was written.
func (p *parser) whereIs(path string) caddyfile.Token {
	for {
		if token, ok := p.written[path]; ok {
			return token
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
}

// err joins all faults in the order of their lines: file, line and what is wrong.
func (p *parser) err() error {
	if len(p.faults) == 0 {
		return nil
	}
	slices.SortStableFunc(p.faults, func(a, b fault) int { return a.at.Line - b.at.Line })
	errs := make([]error, len(p.faults))
	for i, f := range p.faults {
		errs[i] = fmt.Errorf("%s:%d: %s", f.at.File, f.at.Line, f.message)
	}
	return errors.Join(errs...)
}

// word reads one line of the directive's block.
func (p *parser) word(into *policy.Policy) {
	word, args := p.Token(), p.RemainingArgsAsTokens()
	switch word.Text {
	case "name":
		p.text(word, args, "name", &into.Name)
	case "preset":
		if len(args) == 0 {
			p.faultAt(word, "preset wants a name; want one or more of %s",
				strings.Join(policy.Presets(), ", "))
		}
		var options policy.RuleOptions
		inner := p.options(&options)
		p.presets(into, args, options, inner)
		return
	case "allow":
		p.allow(into, word, args)
		return
	case "preference":
		p.preference(into, word, args)
		return
	case "signal":
		p.signal(into, word, args)
	case "unlisted":
		p.text(word, args, "unlisted", &into.Unlisted)
	case "mode":
		p.text(word, args, "mode", &into.Mode)
	case "lifetimes":
		p.text(word, args, "lifetimes", &into.Lifetimes)
	case "rewrite_domain":
		p.rewrite(into, word, args)
	case "shared_cache":
		p.text(word, args, "shared_cache", &into.SharedCache)
	default:
		p.faultAt(word,
			"%q: cookie_policy has no such word; want name, preset, allow, preference, signal, unlisted, "+
				"mode, lifetimes, rewrite_domain or shared_cache",
			word.Text)
		p.skipBlock()
		return
	}
	p.noBlock(word)
}

// presets adds presets by name, each with the same options, which were written where inner says.
func (p *parser) presets(into *policy.Policy, names []caddyfile.Token,
	options policy.RuleOptions, inner map[string]caddyfile.Token) {
	for _, name := range names {
		path := fmt.Sprintf("presets[%d]", len(into.Presets))
		p.written[path] = name
		for option, token := range inner {
			p.written[path+option] = token
		}
		into.Presets = append(into.Presets, policy.Preset{Name: name.Text, RuleOptions: options})
	}
}

func (p *parser) allow(into *policy.Policy, word caddyfile.Token, args []caddyfile.Token) {
	path := fmt.Sprintf("allow[%d]", len(into.Allow))
	p.written[path] = word
	var rule policy.Rule
	if len(args) > 0 {
		p.written[path+".category"] = args[0]
		rule.Category = policy.Category(args[0].Text)
		p.words(word, args[1:], path+".cookies", &rule.Cookies)
	} else {
		p.faultAt(word,
			"allow wants a category and the names of cookies; write one such as: allow necessary sessionid")
	}
	for option, token := range p.options(&rule.RuleOptions) {
		p.written[path+option] = token
	}
	if len(args) > 0 { // an allow with nothing after it has been told already
		into.Allow = append(into.Allow, rule)
	}
}

// options reads the block of an allow or a preset, and returns where each option was written, by
// its path within the rule.
func (p *parser) options(o *policy.RuleOptions) map[string]caddyfile.Token {
	inner := parser{Dispenser: p.Dispenser, written: map[string]caddyfile.Token{}}
	for nesting := p.Nesting(); p.NextBlock(nesting); {
		inner.option(o)
	}
	p.faults = append(p.faults, inner.faults...)
	return inner.written
}

func (p *parser) option(o *policy.RuleOptions) {
	word, args := p.Token(), p.RemainingArgsAsTokens()
	switch word.Text {
	case "consent":
		p.words(word, args, ".consent", &o.Consent)
	case "anonymous":
		p.flag(word, args, ".anonymous", &o.Anonymous)
	case "domain":
		p.words(word, args, ".domain", &o.Domain)
	case "path":
		p.words(word, args, ".path", &o.Path)
	case "lifetime":
		p.duration(word, args, ".lifetime", &o.Lifetime)
	case "max_age":
		p.duration(word, args, ".max_age", &o.MaxAge)
	case "secure":
		p.flag(word, args, ".secure", &o.Secure)
	case "http_only":
		p.flag(word, args, ".http_only", &o.HTTPOnly)
	case "same_site":
		p.text(word, args, ".same_site", &o.SameSite)
	case "provider":
		p.text(word, args, ".provider", &o.Provider)
	case "purpose":
		p.written[fmt.Sprintf(".purpose[%d]", len(o.Purpose))] = word
		switch len(args) {
		case 1:
			o.Purpose = append(o.Purpose, policy.Purpose{Text: args[0].Text})
		case 2:
			o.Purpose = append(o.Purpose, policy.Purpose{Language: args[0].Text, Text: args[1].Text})
		default:
			p.faultAt(word,
				"purpose takes a text, or a language and a text, and here are %d words; put the text in quotes",
				len(args))
		}
	default:
		p.faultAt(word,
			"%q: a rule has no such option; want consent, anonymous, domain, path, lifetime, max_age, "+
				"secure, http_only, same_site, provider or purpose",
			word.Text)
		p.skipBlock()
		return
	}
	p.noBlock(word)
}

func (p *parser) signal(into *policy.Policy, word caddyfile.Token, args []caddyfile.Token) {
	path := fmt.Sprintf("signal[%d]", len(into.Signal))
	p.written[path] = word
	if len(args) == 0 {
		p.faultAt(word,
			"signal wants gpc or dnt, and the categories it refuses; write one such as: signal gpc third_party")
		return
	}
	p.written[path+".signal"] = args[0]
	signal := policy.Signal{Signal: args[0].Text}
	for i, category := range args[1:] {
		p.written[fmt.Sprintf("%s.categories[%d]", path, i)] = category
		signal.Categories = append(signal.Categories, policy.Category(category.Text))
	}
	into.Signal = append(into.Signal, signal)
}

func (p *parser) rewrite(into *policy.Policy, word caddyfile.Token, args []caddyfile.Token) {
	path := fmt.Sprintf("rewrite_domain[%d]", len(into.RewriteDomain))
	p.written[path] = word
	if len(args) == 0 || len(args) > 2 {
		p.faultAt(word,
			"rewrite_domain takes the portal's domain and, perhaps, the visitors', and here are %d words",
			len(args))
		return
	}
	rewrite := policy.Rewrite{From: args[0].Text}
	p.written[path+".from"] = args[0]
	if len(args) == 2 {
		rewrite.To = args[1].Text
		p.written[path+".to"] = args[1]
	}
	into.RewriteDomain = append(into.RewriteDomain, rewrite)
}

// text reads a word that takes one argument and stands once in its block.
func (p *parser) text(word caddyfile.Token, args []caddyfile.Token, path string, text *string) {
	if !p.once(word, path) {
		return
	}
	if len(args) != 1 || args[0].Text == "" {
		p.faultAt(word, "%s takes one word, and here are %d; put a text of several words in quotes",
			word.Text, len(args))
		return
	}
	p.written[path] = args[0]
	*text = args[0].Text
}

// words reads a word that takes one argument or more. Written again, it adds to what it said
// before.
func (p *parser) words(word caddyfile.Token, args []caddyfile.Token, path string, words *[]string) {
	// A rule without cookies is reported by the policy's own check.
	if len(args) == 0 && !strings.HasSuffix(path, ".cookies") {
		p.faultAt(word, "%s wants at least one word after it", word.Text)
	}
	for _, arg := range args {
		p.written[fmt.Sprintf("%s[%d]", path, len(*words))] = arg
		*words = append(*words, arg.Text)
	}
}

// flag reads a word that stands for itself.
func (p *parser) flag(word caddyfile.Token, args []caddyfile.Token, path string, flag *bool) {
	if len(args) > 0 {
		p.faultAt(word, "%s takes no word after it; remove %q", word.Text, args[0].Text)
	}
	*flag = true
	p.once(word, path)
}

func (p *parser) duration(
	word caddyfile.Token, args []caddyfile.Token, path string, duration *policy.Duration,
) {
	var text string
	p.text(word, args, path, &text)
	if text == "" {
		return
	}
	d, err := policy.ParseDuration(text)
	if err == nil && d <= 0 {
		err = fmt.Errorf("%q is no time at all; write one such as 30m, 12h or 183d", text)
	}
	if err != nil {
		p.faultAt(word, "%s: %v", word.Text, err)
		return
	}
	*duration = d
}

// once notes where a word stands, and refuses it where it stood before.
func (p *parser) once(word caddyfile.Token, path string) bool {
	if before, twice := p.written[path]; twice {
		p.faultAt(word, "%s is given twice, first in line %d; keep one of the two", word.Text,
			before.Line)
		return false
	}
	p.written[path] = word
	return true
}

// noBlock refuses a block after a word that takes none.
func (p *parser) noBlock(word caddyfile.Token) {
	if p.skipBlock() {
		p.faultAt(word, "%s takes no block; remove the braces and what is in them", word.Text)
	}
}

// skipBlock skips the block that opens here, if one does, and reports whether it did.
func (p *parser) skipBlock() (opened bool) {
	for nesting := p.Nesting(); p.NextBlock(nesting); {
		opened = true
	}
	return opened
}

// Interface guard
var _ caddyfile.Unmarshaler = (*Handler)(nil)
