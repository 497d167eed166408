package cookiepolicy

import (
	"fmt"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// presets adds presets by name, each with the same options, which were written where inner says.
func (p *parser) presets(into *policy.Policy, names []caddyfile.Token,
	options policy.RuleOptions, inner places) {
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
	for option, token := range p.options(word, &rule.RuleOptions) {
		p.written[path+option] = token
	}
	if len(args) > 0 { // an allow with nothing after it has been told already
		into.Allow = append(into.Allow, rule)
	}
}

// options reads the block that an allow or a preset opens, and returns where each option was written,
// by its path within the rule.
func (p *parser) options(block caddyfile.Token, o *policy.RuleOptions) places {
	inner := newParser(p.Dispenser)
	for nesting := p.Nesting(); p.NextBlock(nesting); {
		inner.option(block, o)
	}
	p.faults = append(p.faults, inner.faults...)
	return inner.written
}

func (p *parser) option(block caddyfile.Token, o *policy.RuleOptions) {
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
	case "origin":
		p.words(word, args, ".origin", &o.Origin)
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
	case "function":
		p.texts(word, args, ".function", &o.Function)
	case "purpose":
		p.texts(word, args, ".purpose", &o.Purpose)
	default:
		p.unknown(word, block, ruleWords)
		return
	}
	p.noBlock(word)
}

func (p *parser) key(into *policy.Policy, word caddyfile.Token, args []caddyfile.Token) {
	path := fmt.Sprintf("key[%d]", len(into.Key))
	p.written[path] = word
	var key policy.Key
	p.words(word, args, path+".keys", &key.Keys)
	for nesting := p.Nesting(); p.NextBlock(nesting); {
		p.keyOption(word, path, &key)
	}
	into.Key = append(into.Key, key)
}

func (p *parser) keyOption(block caddyfile.Token, path string, key *policy.Key) {
	word, args := p.Token(), p.RemainingArgsAsTokens()
	switch word.Text {
	case "title":
		p.texts(word, args, path+".title", &key.Title)
	case "purpose":
		p.texts(word, args, path+".purpose", &key.Purpose)
	case "refused":
		p.texts(word, args, path+".refused", &key.Refused)
	default:
		p.unknown(word, block, keyWords)
		return
	}
	p.noBlock(word)
}
