package cookiepolicy

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// places says where the fields of a policy were written, each by its path in the JSON config.
type places map[string]caddyfile.Token

// find returns the token of a field, or of the innermost field around it that was written.
func (p places) find(path string) caddyfile.Token {
	for {
		if token, ok := p[path]; ok {
			return token
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
}

// fileAndLine says where a token stands.
func fileAndLine(at caddyfile.Token) string { return fmt.Sprintf("%s:%d", at.File, at.Line) }

// adapted holds the places of the policies that this process read from a Caddyfile. Their JSON, which
// is what a handler gets, does not say where it was written.
var adapted struct {
	sync.Mutex
	places map[[sha256.Size]byte]places // by the policy's JSON
}

// maxAdapted bounds how many policies are remembered: a process can read Caddyfiles without end.
const maxAdapted = 1000

// rememberedKey is where the fingerprints of the policies of one Caddyfile are kept while it is read.
const rememberedKey = "cookie_policy.remembered"

// remember keeps where the fields of a policy were written. A Caddyfile that is read again may have it
// in another place; if one Caddyfile has it in several places, the first counts.
func remember(state map[string]any, p *policy.Policy, where places) {
	this := fingerprint(p)
	seen, _ := state[rememberedKey].(map[[sha256.Size]byte]bool)
	if seen == nil {
		seen = map[[sha256.Size]byte]bool{}
		state[rememberedKey] = seen
	}
	if seen[this] {
		return
	}
	seen[this] = true
	adapted.Lock()
	defer adapted.Unlock()
	if adapted.places == nil || len(adapted.places) >= maxAdapted {
		adapted.places = map[[sha256.Size]byte]places{}
	}
	adapted.places[this] = where
}

// writtenAt returns the file and line where a field of a policy was written, or of the field around it,
// if this process read the policy from a Caddyfile. Otherwise it returns "".
func writtenAt(p *policy.Policy, path string) string {
	adapted.Lock()
	defer adapted.Unlock()
	where, ok := adapted.places[fingerprint(p)]
	if !ok {
		return ""
	}
	return fileAndLine(where.find(path))
}

func fingerprint(p *policy.Policy) [sha256.Size]byte {
	b, err := json.Marshal(p)
	if err != nil {
		panic("cookie_policy: a policy is plain data: " + err.Error())
	}
	return sha256.Sum256(b)
}

// namedPolicy is a policy that a Caddyfile gives a name.
type namedPolicy struct{ digest, where string }

// namesKey is where the policies of one Caddyfile are kept, by name, while it is read.
const namesKey = "cookie_policy.names"

// oneName refuses a second policy of a name that differs from the first, as loading the config does.
func oneName(state map[string]any, p *policy.Policy, where places) error {
	if p.Name == "" { // then its name is its digest
		return nil
	}
	resolved, err := p.Resolve()
	if err != nil {
		return err
	}
	known, _ := state[namesKey].(map[string]namedPolicy)
	if known == nil {
		known = map[string]namedPolicy{}
		state[namesKey] = known
	}
	here := namedPolicy{resolved.Digest(), fileAndLine(where.find("name"))}
	first, taken := known[p.Name]
	switch {
	case !taken:
		known[p.Name] = here
	case first.digest != here.digest:
		return fmt.Errorf("%s: %q: two different policies have this name; give each a name of its own, "+
			"or make them one with a snippet; the first is %s", here.where, p.Name, first.where)
	}
	return nil
}
