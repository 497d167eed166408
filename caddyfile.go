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
	where, err := handler.parse(h.Dispenser)
	if err == nil {
		err = oneName(h.State, &handler.Policy, where)
	}
	if err != nil {
		return nil, err
	}
	remember(h.State, &handler.Policy, where)
	logAdapted(&handler.Policy, h.State, where.find)
	return handler, nil
}

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens. All faults of the block are told
// at once. Syntax:
//
//	cookie_policy [<matcher>] [<preset...>] {
//		name       <label>
//		preset     <name...> {
//			<any option of allow>
//		}
//		allow      <category> [<cookie...>] {
//			consent   <key...>
//			anonymous
//			domain    <domain...>
//			path      <path...>
//			lifetime  <duration>|session
//			max_age   <duration>
//			secure
//			http_only
//			same_site lax|strict|none
//			origin    <origin...>
//			provider  <text>
//			function  [<language>] <text>
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
//		key        <consent-key...> {
//			title     [<language>] <text>
//			purpose   [<language>] <text>
//			refused   [<language>] <text>
//		}
//		signal     gpc|dnt <category...>
//		unlisted   block|pass
//		mode       enforce|report
//		lifetimes  report|enforce
//		rewrite_domain <from> [<to>]
//		shared_cache   protect|keep
//		load       off|report|enforce {
//			open      <kind...>
//			except    <path...>
//			sample    <percent>
//		}
//		evidence   [off] {
//			interval  <duration>
//			keep      <duration>
//		}
//	}
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	_, err := h.parse(d)
	return err
}

// parse sets up the handler, and returns where its fields were written.
func (h *Handler) parse(d *caddyfile.Dispenser) (places, error) {
	d.Next() // consume the directive's name
	p := newParser(d)
	p.written[""] = d.Token()
	p.arguments(&h.Policy, d.RemainingArgsAsTokens())
	for d.NextBlock(0) {
		p.word(&h.Policy)
	}
	for _, f := range h.Faults() {
		at := p.written.find(f.Path)
		if f.First != "" {
			f.First = fileAndLine(p.written.find(f.First))
		}
		if at.Text == "persist" && strings.HasSuffix(f.Path, ".persist") { // alone: its path is a default
			f.Word = at.Text
		}
		p.faultAt(at, "%s", f.Message())
	}
	return p.written, p.err()
}

// arguments reads the presets that stand behind the directive's name. Caddy has taken a matcher away
// that stood before them.
func (p *parser) arguments(into *policy.Policy, args []caddyfile.Token) {
	isMatcher := func(arg caddyfile.Token) bool {
		return arg.Text == "*" || strings.HasPrefix(arg.Text, "@") || strings.HasPrefix(arg.Text, "/")
	}
	var names []string
	for _, arg := range args {
		if !isMatcher(arg) {
			names = append(names, arg.Text)
			p.presets(into, []caddyfile.Token{arg}, policy.RuleOptions{}, nil)
		}
	}
	for _, arg := range args {
		if isMatcher(arg) {
			p.faultAt(arg, "%q: a matcher comes first, and there can be one; write cookie_policy %s", arg.Text,
				strings.Join(append([]string{arg.Text}, names...), " "))
		}
	}
}

// parser fills a policy from tokens, and remembers where each field was written.
type parser struct {
	*caddyfile.Dispenser
	written places
	faults  []fault

	mayBeOpen bool // it was told that the end of the directive's block may be missing
}

func newParser(d *caddyfile.Dispenser) *parser {
	return &parser{Dispenser: d, written: places{}}
}

// fault is one thing wrong at one place.
type fault struct {
	at      caddyfile.Token
	message string
}

func (p *parser) faultAt(at caddyfile.Token, format string, args ...any) {
	p.faults = append(p.faults, fault{at, fmt.Sprintf(format, args...)})
}

// err joins all faults in the order of their lines: file, line and what is wrong.
func (p *parser) err() error {
	if len(p.faults) == 0 {
		return nil
	}
	slices.SortStableFunc(p.faults, func(a, b fault) int { return a.at.Line - b.at.Line })
	errs := make([]error, len(p.faults))
	for i, f := range p.faults {
		errs[i] = fmt.Errorf("%s: %s", fileAndLine(f.at), f.message)
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
		inner := p.options(word, &options)
		p.presets(into, args, options, inner)
		return
	case "allow":
		p.allow(into, word, args)
		return
	case "preference":
		p.preference(into, word, args)
		return
	case "key":
		p.key(into, word, args)
		return
	case "load":
		p.load(into, word, args)
		return
	case "evidence":
		p.evidence(into, word, args)
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
		p.unknown(word, p.written[""], policyWords)
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

// Interface guard
var _ caddyfile.Unmarshaler = (*Handler)(nil)
