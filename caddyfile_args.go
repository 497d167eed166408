package cookiepolicy

import (
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// text reads a word that takes one argument and stands once in its block.
func (p *parser) text(word caddyfile.Token, args []caddyfile.Token, path string, text *string) {
	if !p.once(word, path) {
		return
	}
	switch {
	case len(args) == 0 || args[0].Text == "" && len(args) == 1:
		p.faultAt(word, "%s wants a word after it", word.Text)
	case len(args) > 1:
		p.faultAt(word, "%s takes one word, and here are %d; put a text of several words in quotes",
			word.Text, len(args))
	default:
		p.written[path] = args[0]
		*text = args[0].Text
	}
}

// words reads a word that takes one argument or more. Written again, it adds to what it said
// before.
func (p *parser) words(word caddyfile.Token, args []caddyfile.Token, path string, words *[]string) {
	// A rule without cookies, and a key without keys, are reported by the policy's own check.
	if len(args) == 0 && !strings.HasSuffix(path, ".cookies") && !strings.HasSuffix(path, ".keys") {
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

// texts reads a word that takes a text, or a language and a text, and can stand once for each language.
func (p *parser) texts(word caddyfile.Token, args []caddyfile.Token, path string, texts *[]policy.Text) {
	p.written[fmt.Sprintf("%s[%d]", path, len(*texts))] = word
	switch len(args) {
	case 1:
		*texts = append(*texts, policy.Text{Text: args[0].Text})
	case 2:
		*texts = append(*texts, policy.Text{Language: args[0].Text, Text: args[1].Text})
	default:
		p.faultAt(word, "%s takes a text, or a language and a text, and here are %d words; "+
			"put the text in quotes", word.Text, len(args))
	}
}

// duration reads a duration, or `session`: where that may stand is known to the policy's own check.
func (p *parser) duration(
	word caddyfile.Token, args []caddyfile.Token, path string, duration *policy.Duration,
) {
	if !p.once(word, path) {
		return
	}
	words := make([]string, len(args))
	for i, arg := range args {
		words[i] = arg.Text
	}
	text := strings.Join(words, " ")
	if text == "" {
		p.faultAt(word, "%s wants a duration after it; write one such as 30m, 12h or 183d", word.Text)
		return
	}
	p.written[path] = args[0]
	parse := policy.ParseDuration
	if strings.HasSuffix(path, ".lifetime") || text == policy.Session.String() {
		parse = policy.ParseLifetime
	}
	d, err := parse(text)
	switch {
	case err != nil:
		p.faultAt(word, "%v", err)
	case d <= 0 && d != policy.Session:
		p.faultAt(word, "%q: this is no time at all; write one such as 30m, 12h or 183d", text)
	default:
		*duration = d
	}
}

// once notes where a word stands, and refuses it where it stood before.
func (p *parser) once(word caddyfile.Token, path string) bool {
	if before, twice := p.written[path]; twice {
		p.faultAt(word, "%s is given twice; keep one of the two; the first is %s", word.Text, fileAndLine(before))
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
