package cookiepolicy

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

func (p *parser) load(into *policy.Policy, word caddyfile.Token, args []caddyfile.Token) {
	if !p.once(word, "load.mode") {
		p.skipBlock()
		return
	}
	if len(args) != 1 {
		p.faultAt(word, "load takes one word, and here are %d; want off, report or enforce", len(args))
	}
	if len(args) > 0 {
		p.written["load.mode"] = args[0]
		into.Load.Mode = args[0].Text
	}
	for nesting := p.Nesting(); p.NextBlock(nesting); {
		option, args := p.Token(), p.RemainingArgsAsTokens()
		switch option.Text {
		case "open":
			p.words(option, args, "load.open", &into.Load.Open)
		case "except":
			p.words(option, args, "load.except", &into.Load.Except)
		case "sample":
			p.text(option, args, "load.sample", &into.Load.Sample)
		default:
			p.unknown(option, word, loadWords)
			continue
		}
		p.noBlock(option)
	}
}
