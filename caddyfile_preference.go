package cookiepolicy

import (
	"fmt"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

func (p *parser) preference(into *policy.Policy, word caddyfile.Token, args []caddyfile.Token) {
	path := fmt.Sprintf("preference[%d]", len(into.Preference))
	p.written[path] = word
	var preference policy.Preference
	p.words(word, args, path+".cookies", &preference.Cookies)
	for nesting := p.Nesting(); p.NextBlock(nesting); {
		p.preferenceOption(word, path, &preference)
	}
	into.Preference = append(into.Preference, preference)
}

func (p *parser) preferenceOption(block caddyfile.Token, path string, preference *policy.Preference) {
	word, args := p.Token(), p.RemainingArgsAsTokens()
	switch word.Text {
	case "format":
		p.format(word, args, path, preference)
	case "granted":
		p.words(word, args, path+".granted", &preference.Granted)
	case "timestamp":
		p.text(word, args, path+".timestamp", &preference.Timestamp)
	case "max_age":
		p.duration(word, args, path+".max_age", &preference.MaxAge)
	case "persist":
		if len(args) == 0 && p.once(word, path+".persist") {
			preference.Persist = "/"
		} else if len(args) > 0 {
			p.text(word, args, path+".persist", &preference.Persist)
		}
	default:
		p.unknown(word, block, preferenceWords)
		return
	}
	p.noBlock(word)
}

// format reads the name of a format and what stands after it, which is different for each.
func (p *parser) format(
	word caddyfile.Token, args []caddyfile.Token, path string, preference *policy.Preference,
) {
	if !p.once(word, path+".format") {
		return
	}
	if len(args) == 0 {
		p.faultAt(word, "format wants a name after it; want json, pairs, list or flag")
		return
	}
	name, args := args[0], args[1:]
	p.written[path+".format"] = name
	preference.Format = name.Text
	var fields []*string
	var places []string
	switch name.Text {
	case policy.FormatJSON:
		if len(args) > 0 && args[len(args)-1].Text == "base64" {
			preference.Base64 = true
			args = args[:len(args)-1]
		}
		fields, places = []*string{&preference.Path}, []string{".path"}
	case policy.FormatPairs:
		fields = []*string{&preference.Separator, &preference.Assignment, &preference.ListKey}
		places = []string{".separator", ".assignment", ".list_key"}
	case policy.FormatList:
		fields, places = []*string{&preference.Separator}, []string{".separator"}
	case policy.FormatFlag:
		fields, places = []*string{&preference.Value}, []string{".value"}
		if len(args) > 1 {
			p.words(word, args[1:], path+".keys", &preference.Keys)
			args = args[:1]
		}
	default: // reported by the policy's own check
		return
	}
	for i, arg := range args {
		if i == len(fields) {
			p.faultAt(arg, "%q: the format %s takes no more words than those before it; remove it",
				arg.Text, name.Text)
			return
		}
		p.written[path+places[i]] = arg
		*fields[i] = arg.Text
	}
}
