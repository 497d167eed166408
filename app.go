package cookiepolicy

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
)

func init() {
	caddy.RegisterModule(new(App))
}

// App keeps account of the policies that really run. It is not configured: the handlers load it. A config that is only validated, or that fails
// to load, provisions handlers too, but never starts an app; that is why the audit log is written here.
//
// What was observed outlives a reload, under the policy's name.
type App struct {
	mu       sync.Mutex
	policies map[string]*runningPolicy
	logger   *zap.Logger
	audit    *zap.Logger
	before   *App // the one that runs until this one has started
}

// runningPolicy is one policy of the config, on any number of sites.
type runningPolicy struct {
	enforcer *enforcer.Enforcer
	observer *enforcer.Observer
	inForce  atomic.Int64 // since when, in nanoseconds of Unix time
}

func (p *runningPolicy) since() time.Time { return time.Unix(0, p.inForce.Load()) }

// observers are those of all configs that have not ended, by the policy's name.
var observers = caddy.NewUsagePool()

// running is the app of the config that runs. The admin routes, which outlive configs, ask it.
var running struct {
	sync.RWMutex
	app *App
}

// observed makes an Observer fit for the pool.
type observed struct{ *enforcer.Observer }

// Destruct has nothing to do: the memory is all there is.
func (observed) Destruct() error { return nil }

// CaddyModule returns the Caddy module information.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "cookie_policy", New: func() caddy.Module { return new(App) }}
}

// Provision sets up loggers and metrics.
func (a *App) Provision(ctx caddy.Context) error {
	a.policies = map[string]*runningPolicy{}
	a.logger = ctx.Logger()
	a.audit = ctx.Logger(new(Handler)).Named("audit")
	return ctx.GetMetricsRegistry().Register(&collector{app: a})
}

// use takes a handler's policy into account. The same policy may stand on several sites; two different ones under one name are an error.
func (a *App) use(e *enforcer.Enforcer) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if known, ok := a.policies[e.Name()]; ok {
		if known.enforcer.Digest() != e.Digest() {
			return fmt.Errorf("name: %q: two different policies have this name; give each a name of its own, or make them one with a snippet", e.Name())
		}
		e.Observe(known.observer)
		return nil
	}
	value, _, err := observers.LoadOrNew(e.Name(), func() (caddy.Destructor, error) {
		return observed{enforcer.NewObserver(time.Now())}, nil
	})
	if err != nil {
		return err
	}
	observer := value.(observed).Observer
	e.Observe(observer)
	a.policies[e.Name()] = &runningPolicy{enforcer: e, observer: observer}
	return nil
}

// Start records the policies that come into force, and what changed since the config before.
func (a *App) Start() error {
	running.Lock()
	a.before, running.app = running.app, a
	before := a.before
	running.Unlock()
	for _, name := range a.names() {
		p := a.policies[name]
		p.inForce.Store(time.Now().UnixNano())
		change := "new"
		if before != nil && before.policies[name] != nil {
			old := before.policies[name]
			if change = "replaces " + old.enforcer.Digest(); old.enforcer.Digest() == p.enforcer.Digest() {
				change = "none"
				p.inForce.Store(old.inForce.Load())
			}
		}
		a.logger.Info("cookie policy in force",
			zap.String("policy", name),
			zap.String("digest", p.enforcer.Digest()),
			zap.Int("rules", p.enforcer.Rules()),
			zap.String("change", change))
		if change != "none" {
			a.audit.Info("policy comes into force",
				zap.String("policy", name),
				zap.String("digest", p.enforcer.Digest()),
				zap.Time("time", p.since()),
				zap.Any("content", p.enforcer.Policy()))
		}
	}
	return nil
}

// Stop records the policies that end: those that the config after this one does not have. Where that one failed to start, the one before it
// goes on running.
func (a *App) Stop() error {
	running.Lock()
	if running.app == a {
		running.app = a.before
	} else if running.app != nil && running.app.before == a {
		running.app.before = nil
	}
	after := running.app
	running.Unlock()
	for _, name := range a.names() {
		p := a.policies[name]
		if after != nil && after.policies[name] != nil && after.policies[name].enforcer.Digest() == p.enforcer.Digest() {
			continue
		}
		a.audit.Info("policy ends",
			zap.String("policy", name),
			zap.String("digest", p.enforcer.Digest()),
			zap.Time("time", time.Now()),
			zap.Time("since", p.since()))
	}
	return nil
}

// Cleanup lets go of the observers.
func (a *App) Cleanup() error {
	for _, name := range a.names() {
		if _, err := observers.Delete(name); err != nil {
			return err
		}
	}
	return nil
}

// names are the policies' names in order.
func (a *App) names() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Sorted(maps.Keys(a.policies))
}

// policyNamed finds a policy of the config that runs.
func policyNamed(name string) (*runningPolicy, bool) {
	running.RLock()
	defer running.RUnlock()
	if running.app == nil {
		return nil, false
	}
	p, ok := running.app.policies[name]
	return p, ok
}

// Interface guards
var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
