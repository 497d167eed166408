package cookiepolicy

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"go.uber.org/zap"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
)

func init() {
	caddy.RegisterModule(new(App))
}

// App keeps account of the policies that really run. It is not configured: the handlers load it. A config that is only validated, or that fails
// to load, provisions handlers too, and may even start some of its apps: what runs is told by the event with which Caddy says that all of them
// have started.
//
// What was observed outlives a reload, under the policy's name.
type App struct {
	mu       sync.Mutex
	policies map[string]*runningPolicy
	logger   *zap.Logger
	audit    *zap.Logger
	before   *App // the one that runs until this one has taken over
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

// running is the app of the config that runs. The admin routes and the metrics, which outlive configs, ask it.
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
	if err := register(ctx.GetMetricsRegistry()); err != nil {
		return err
	}
	events, err := ctx.App("events")
	if err != nil {
		return err
	}
	return events.(*caddyevents.App).On("started", a)
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

// Start has nothing to do: other apps of the config may still fail to.
func (*App) Start() error { return nil }

// Handle takes over when all apps have started: it records the policies that come into force, and what changed since the config before.
func (a *App) Handle(context.Context, caddy.Event) error {
	running.Lock()
	defer running.Unlock()
	if running.app == a {
		return nil
	}
	a.before, running.app = running.app, a
	for _, p := range a.list() {
		name := p.enforcer.Name()
		p.inForce.Store(time.Now().UnixNano())
		changes := []string{"new"}
		if old := a.before.policy(name); old != nil {
			if changes = p.enforcer.ChangesSince(old.enforcer); len(changes) == 0 {
				p.inForce.Store(old.inForce.Load())
			}
		}
		counts := p.enforcer.Counts()
		a.logger.Info("cookie policy in force",
			zap.String("policy", name),
			zap.String("digest", p.enforcer.Digest()),
			zap.String("mode", p.enforcer.Mode()),
			zap.Int("rules", counts.Rules),
			zap.Int("cookies", counts.Cookies),
			zap.Int("preferences", counts.Preferences),
			zap.Strings("changes", changes))
		if len(changes) > 0 {
			a.audit.Info("policy comes into force",
				zap.String("policy", name),
				zap.String("digest", p.enforcer.Digest()),
				zap.Time("time", p.since()),
				zap.Any("content", p.enforcer.Policy()))
		}
	}
	return nil
}

// Stop records the policies that end: those that the config after this one does not have. Nothing ends where this one never took over, or where
// the one after it failed to start.
func (a *App) Stop() error {
	running.Lock()
	defer running.Unlock()
	switch {
	case running.app == a:
		running.app, a.before = a.before, nil
	case running.app != nil && running.app.before == a:
		running.app.before = nil
	default:
		return nil
	}
	for _, p := range a.list() {
		if after := running.app.policy(p.enforcer.Name()); after != nil && after.enforcer.Digest() == p.enforcer.Digest() {
			continue
		}
		a.audit.Info("policy ends",
			zap.String("policy", p.enforcer.Name()),
			zap.String("digest", p.enforcer.Digest()),
			zap.Time("time", time.Now()),
			zap.Time("since", p.since()))
	}
	return nil
}

// Cleanup lets go of the observers. Where something failed after all apps had started, Caddy does not stop them.
func (a *App) Cleanup() error {
	if err := a.Stop(); err != nil {
		return err
	}
	for _, p := range a.list() {
		if _, err := observers.Delete(p.enforcer.Name()); err != nil {
			return err
		}
	}
	return nil
}

// list returns the policies in the order of their names.
func (a *App) list() []*runningPolicy {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.SortedFunc(maps.Values(a.policies), func(p, q *runningPolicy) int { return cmp.Compare(p.enforcer.Name(), q.enforcer.Name()) })
}

// policy finds a policy by its name. No app has none.
func (a *App) policy(name string) *runningPolicy {
	if a == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.policies[name]
}

// policiesRunning are those of the config that runs.
func policiesRunning() []*runningPolicy {
	running.RLock()
	defer running.RUnlock()
	if running.app == nil {
		return nil
	}
	return running.app.list()
}

// policyNamed finds a policy of the config that runs.
func policyNamed(name string) (*runningPolicy, bool) {
	running.RLock()
	defer running.RUnlock()
	p := running.app.policy(name)
	return p, p != nil
}

// Interface guards
var (
	_ caddy.App           = (*App)(nil)
	_ caddy.Provisioner   = (*App)(nil)
	_ caddy.CleanerUpper  = (*App)(nil)
	_ caddyevents.Handler = (*App)(nil)
)
