package cookiepolicy

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() {
	httpcaddyfile.RegisterHandlerDirective("cookie_policy_page", parsePageDirective)
	// Among the handlers that answer, inside header, encode and basic_auth.
	httpcaddyfile.RegisterDirectiveOrder("cookie_policy_page", httpcaddyfile.Before, "respond")
}

func parsePageDirective(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	handler := new(PageHandler)
	return handler, handler.UnmarshalCaddyfile(h.Dispenser)
}

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens. All faults of the block are told at
// once. Syntax:
//
//	cookie_policy_page [<matcher>] {
//		controller <text>
//		contact    <url>
//		languages  <tag...>
//		title      [<language>] <text>
//		stylesheet <url>
//		template   <file>
//		manage     <url>
//	}
func (h *PageHandler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume the directive's name
	p, directive := newParser(d), d.Token()
	p.written[""] = directive
	for _, arg := range d.RemainingArgsAsTokens() {
		p.faultAt(arg, "%q: cookie_policy_page takes a matcher and nothing else before its block; "+
			"begin a path with /, and a matcher's name with @", arg.Text)
	}
	for d.NextBlock(0) {
		p.pageWord(h, directive)
	}
	for _, f := range h.Faults() {
		if f.First != "" {
			f.First = fileAndLine(p.written.find(f.First))
		}
		p.faultAt(p.written.find(f.Path), "%s", f.Message())
	}
	return p.err()
}

var pageWords = vocabulary{"cookie_policy_page has no such word",
	[]string{"controller", "contact", "languages", "title", "stylesheet", "template", "manage"}}

// pageWord reads one line of the block of cookie_policy_page.
func (p *parser) pageWord(h *PageHandler, directive caddyfile.Token) {
	word, args := p.Token(), p.RemainingArgsAsTokens()
	switch word.Text {
	case "controller":
		p.text(word, args, "controller", &h.Controller)
	case "contact":
		p.text(word, args, "contact", &h.Contact)
	case "languages":
		p.words(word, args, "languages", &h.Languages)
	case "title":
		p.texts(word, args, "title", &h.Title)
	case "stylesheet":
		p.text(word, args, "stylesheet", &h.Stylesheet)
	case "template":
		p.text(word, args, "template", &h.Template)
	case "manage":
		p.text(word, args, "manage", &h.Manage)
	default:
		p.unknown(word, directive, pageWords)
		return
	}
	p.noBlock(word)
}

// Interface guard
var _ caddyfile.Unmarshaler = (*PageHandler)(nil)
