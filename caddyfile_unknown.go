package cookiepolicy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// vocabulary is the words that can stand in one kind of block.
type vocabulary struct {
	what  string // what has no other word
	words []string
}

var (
	policyWords = vocabulary{"cookie_policy has no such word", []string{"name", "preset", "allow",
		"preference", "key", "signal", "unlisted", "mode", "lifetimes", "rewrite_domain", "shared_cache",
		"load", "evidence"}}
	ruleWords = vocabulary{"a rule has no such option", []string{"consent", "anonymous", "domain", "path",
		"lifetime", "max_age", "secure", "http_only", "same_site", "origin", "provider", "function",
		"purpose"}}
	preferenceWords = vocabulary{"a preference has no such option",
		[]string{"format", "granted", "timestamp", "max_age", "persist"}}
	keyWords      = vocabulary{"a key has no such option", []string{"title", "purpose", "refused"}}
	loadWords     = vocabulary{"load has no such option", []string{"open", "except", "sample"}}
	evidenceWords = vocabulary{"evidence has no such option", []string{"interval", "keep"}}
)

// unknown refuses a word that is none of those of its block, which the word block opens, and skips the
// block that it opens itself. It says which word is probably meant, or in which block it can stand.
// Caddy does not notice that the end of a block is missing: what follows then seems to be in it.
func (p *parser) unknown(word, block caddyfile.Token, v vocabulary) {
	p.skipBlock()
	closing := fmt.Sprintf("close the block of %s, which opens in %s, with a } before this line",
		block.Text, fileAndLine(block))
	outermost := v.what == policyWords.what
	right := "want " + list(v.words)
	near := policy.Near(word.Text, v.words)
	switch {
	case near != "":
		right = "did you mean " + near + "? " + right
	case !outermost && slices.Contains(policyWords.words, word.Text):
		right = "it is a word of cookie_policy: " + closing
	case outermost && ownersOf(word.Text) != nil:
		right = "it is an option of " + list(ownersOf(word.Text)) + ": write it into a block of that"
	case outermost && !p.mayBeOpen:
		p.mayBeOpen = true
		right += "; or " + closing
	}
	p.faultAt(word, "%q: %s; %s", word.Text, v.what, right)
}

// ownersOf returns the words of cookie_policy in whose block an option can stand.
func ownersOf(option string) (owners []string) {
	if slices.Contains(ruleWords.words, option) {
		owners = append(owners, "allow", "preset")
	}
	if slices.Contains(preferenceWords.words, option) {
		owners = append(owners, "preference")
	}
	if slices.Contains(keyWords.words, option) {
		owners = append(owners, "key")
	}
	if slices.Contains(loadWords.words, option) {
		owners = append(owners, "load")
	}
	if slices.Contains(evidenceWords.words, option) {
		owners = append(owners, "evidence")
	}
	return owners
}

// list writes words as a sentence does: a, b or c.
func list(words []string) string {
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
