package cookiepolicy

import (
	"crypto/sha256"
	"fmt"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// warned are the policies with warnings that this process has adapted from a Caddyfile and not loaded
// yet. Their warnings have been logged with file and line, and are not logged again when they are
// loaded. Then they are removed: loaded from JSON later, they are told again.
var warned struct {
	sync.Mutex
	policies map[[sha256.Size]byte]bool
}

// logAdapted logs the warnings of a policy that was read from a Caddyfile, with file and line. What
// is imported at several places is told once in each adaptation, to which the state belongs.
func logAdapted(p *policy.Policy, state map[string]any, whereIs func(path string) caddyfile.Token) {
	warnings := p.Warnings()
	if len(warnings) == 0 {
		return
	}
	for _, w := range warnings {
		at, message := whereIs(w.Path), w.Message()
		told := fmt.Sprintf("cookie_policy warning %s:%d: %s", at.File, at.Line, message)
		if state[told] == nil {
			state[told] = true
			caddy.Log().Named("cookie_policy").Warn(message,
				zap.String("file", at.File), zap.Int("line", at.Line))
		}
	}
	warned.Lock()
	defer warned.Unlock()
	if warned.policies == nil || len(warned.policies) >= maxAdapted { // then a warning can come twice
		warned.policies = map[[sha256.Size]byte]bool{}
	}
	warned.policies[fingerprint(p)] = true
}

// logWarnings logs the warnings of a policy that a config has, with the path of each field, once for
// each policy and load.
func (a *App) logWarnings(running *runningPolicy, p *policy.Policy) {
	warnings := p.Warnings()
	if len(warnings) == 0 {
		return
	}
	this := fingerprint(p)
	warned.Lock()
	told := warned.policies[this]
	delete(warned.policies, this)
	warned.Unlock()
	if running.loggedWarnings.Swap(true) || told {
		return
	}
	for _, w := range warnings {
		a.logger.Warn(w.Message(), zap.String("policy", running.name()), zap.String("field", w.Path))
	}
}
