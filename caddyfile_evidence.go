package cookiepolicy

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

func (p *parser) evidence(into *policy.Policy, word caddyfile.Token, args []caddyfile.Token) {
	if !p.once(word, "evidence") {
		p.skipBlock()
		return
	}
	if len(args) > 0 && args[0].Text == "off" {
		p.written["evidence.off"] = args[0]
		into.Evidence.Off = true
		args = args[1:]
	}
	if len(args) > 0 {
		p.faultAt(args[0], "%q: evidence takes no such word; want off, or nothing", args[0].Text)
	}
	for nesting := p.Nesting(); p.NextBlock(nesting); {
		option, args := p.Token(), p.RemainingArgsAsTokens()
		switch option.Text {
		case "interval":
			p.duration(option, args, "evidence.interval", &into.Evidence.Interval)
		case "keep":
			p.duration(option, args, "evidence.keep", &into.Evidence.Keep)
		default:
			p.unknown(option, word, evidenceWords)
			continue
		}
		p.noBlock(option)
	}
}
