package cookiepolicy

import (
	"encoding/json"
	"fmt"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// adapted are the policies with warnings that this process has adapted from a Caddyfile, as JSON, and not loaded
// yet. Their warnings have been logged with file and line, and are not logged again when they are
// loaded. Then they are removed: loaded from JSON later, they are told again.
var adapted struct {
	sync.Mutex
	policies map[string]bool
}

// maxAdapted bounds the policies that are adapted and never loaded. Beyond it, they are forgotten, and
// a warning can be logged twice.
const maxAdapted = 1000

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
	adapted.Lock()
	defer adapted.Unlock()
	if adapted.policies == nil || len(adapted.policies) >= maxAdapted {
		adapted.policies = map[string]bool{}
	}
	adapted.policies[asJSON(p)] = true
}

// logWarnings logs the warnings of a policy that a config has, with the path of each field, once for
// each policy and load.
func (a *App) logWarnings(running *runningPolicy, p *policy.Policy) {
	warnings := p.Warnings()
	if len(warnings) == 0 {
		return
	}
	text := asJSON(p)
	adapted.Lock()
	told := adapted.policies[text]
	delete(adapted.policies, text)
	adapted.Unlock()
	if running.loggedWarnings.Swap(true) || told {
		return
	}
	for _, w := range warnings {
		a.logger.Warn(w.Message(), zap.String("policy", running.name()), zap.String("field", w.Path))
	}
}

func asJSON(p *policy.Policy) string {
	b, err := json.Marshal(p)
	if err != nil {
		panic("a policy is plain data: " + err.Error())
	}
	return string(b)
}
