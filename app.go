package cookiepolicy

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
	"github.com/cookie-policy/caddy-cookie-policy/evidence"
	"github.com/cookie-policy/caddy-cookie-policy/page"
)

func init() {
	caddy.RegisterModule(new(App))
}

// App knows the policies that run. It is not configured: the handlers load it.
//
// A config that is only validated, or that fails to load, provisions handlers too, and may even start
// some of its apps. The policies of a config run from the event on with which Caddy says that all of
// its apps have started. What was observed outlives a reload, under the policy's name.
type App struct {
	ctx      caddy.Context
	mu       sync.Mutex
	policies map[string]*runningPolicy
	logger   *zap.Logger
	audit    *zap.Logger
	started  bool
	before   *App // the one that runs until this one has taken over

	evidence *evidenceKeeper // once the config has started
	inForce  chan struct{}   // closed once its policies are
}

// runningPolicy is one policy of the config, on any number of sites.
type runningPolicy struct {
	enforcer   *enforcer.Enforcer
	configured policy.Policy
	observer   *observe.Observer
	keeper     *evidence.Keeper
	storage    evidence.Storage // where evidence is; nil if none is kept
	undo       func()           // that the policy came into force
	sites      []string         // hosts of the sites that have it, known when the config has started
	page       *page.Config     // of a page that it is around, likewise; nil if there is none
	inForce    atomic.Int64     // since when, in nanoseconds of Unix time

	// Logged once for each load, because it would come again with every site or request.
	loggedWarnings   atomic.Bool
	loggedUnknownKey atomic.Bool
	loggedUnusable   atomic.Bool
	loggedNeedsHTTPS atomic.Bool
	loggedNotStored  atomic.Bool
}

func (p *runningPolicy) name() string     { return p.enforcer.Policy().Name() }
func (p *runningPolicy) digest() string   { return p.enforcer.Policy().Digest() }
func (p *runningPolicy) mode() string     { return p.enforcer.Policy().Policy().Mode }
func (p *runningPolicy) reports() bool    { return p.enforcer.Policy().Reports() }
func (p *runningPolicy) since() time.Time { return time.Unix(0, p.inForce.Load()) }

// observers are those of all configs that have not ended, by the policy's name.
var observers = caddy.NewUsagePool()

// running is the app of the config that runs. The admin routes and the metrics, which outlive
// configs, ask it.
var running struct {
	sync.RWMutex
	app *App
}

// pooledObserver is an Observer in the pool, with the evidence of what it observed.
type pooledObserver struct {
	*observe.Observer
	keeper *evidence.Keeper
}

// newPooledObserver returns an Observer for a policy. It reports no names before what was known of them
// before has been read.
func newPooledObserver(policy string) (caddy.Destructor, error) {
	now := time.Now()
	o := observe.New(now)
	o.Hold()
	return pooledObserver{o, evidence.NewKeeper(policy, o, now)}, nil
}

// Destruct implements [caddy.Destructor]. An Observer holds nothing but memory.
func (pooledObserver) Destruct() error { return nil }

// CaddyModule returns the Caddy module information.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "cookie_policy", New: func() caddy.Module { return new(App) }}
}

// Provision sets up loggers and metrics.
func (a *App) Provision(ctx caddy.Context) error {
	a.ctx = ctx
	// Before any app starts: Caddy's TLS app asks for the id as well, and where there is none yet, each would
	// make one, and only one of them would be known after a restart.
	_, _ = caddy.InstanceID()
	a.policies = map[string]*runningPolicy{}
	a.inForce = make(chan struct{})
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

// use returns the running policy for a handler's policy. The same policy can be on several sites,
// which then share it; two different ones under one name are an error.
func (a *App) use(e *enforcer.Enforcer, configured policy.Policy) (*runningPolicy, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	name := e.Policy().Name()
	if known, ok := a.policies[name]; ok {
		if known.digest() != e.Policy().Digest() {
			return nil, fmt.Errorf("name: %q: two different policies have this name; "+
				"give each a name of its own, or make them one with a snippet", name)
		}
		if known.configured.Evidence != configured.Evidence {
			return nil, fmt.Errorf("evidence: the policy %q keeps its evidence in two ways; "+
				"write the same evidence wherever it stands, or make it one policy with a snippet", name)
		}
		return known, nil
	}
	value, _, err := observers.LoadOrNew(name, func() (caddy.Destructor, error) { return newPooledObserver(name) })
	if err != nil {
		return nil, err
	}
	pooled := value.(pooledObserver)
	p := &runningPolicy{enforcer: e, configured: configured, observer: pooled.Observer, keeper: pooled.keeper}
	e.Observe(p.observer)
	a.policies[name] = p
	return p, nil
}

// Start implements [caddy.App]. Other apps of the config may still fail to start, so nothing is
// recorded here.
func (a *App) Start() error { return a.pagesHavePolicies() }

// Handle takes over when all apps have started: it records the policies that come into force, and
// what changed since the config before.
func (a *App) Handle(context.Context, caddy.Event) error {
	if a.started {
		return nil
	}
	a.started = true
	a.checkLayout()
	a.startEvidence()
	running.Lock()
	defer running.Unlock()
	a.before, running.app = running.app, a
	defer close(a.inForce)
	for _, p := range a.list() {
		isNew, changes := true, p.changesSinceLastSeen()
		if old := a.before.policy(p.name()); old != nil {
			changes = report.Changes(old.enforcer.Policy(), p.enforcer.Policy())
			isNew = len(changes) > 0
		}
		p.undo = p.keeper.Begin(p.evidencePolicy(), time.Now())
		p.inForce.Store(p.keeper.Since().UnixNano())
		counts := p.enforcer.Policy().Counts()
		a.logger.Info("cookie policy in force",
			zap.String("policy", p.name()),
			zap.String("digest", p.digest()),
			zap.String("mode", p.mode()),
			zap.Int("rules", counts.Rules),
			zap.Int("cookies", counts.Cookies),
			zap.Int("preferences", counts.Preferences),
			zap.Time("since", p.since()),
			zap.Strings("changes", changes))
		if isNew {
			a.audit.Info("policy comes into force",
				zap.String("policy", p.name()),
				zap.String("digest", p.digest()),
				zap.Time("time", p.since()),
				zap.Any("content", p.enforcer.Policy().Policy()))
		}
	}
	a.auditPages()
	return nil
}

// changesSinceLastSeen tells people how the policy differs from the one of its name that was in force last,
// in an earlier process.
func (p *runningPolicy) changesSinceLastSeen() []string {
	last, inForce := p.keeper.Last()
	if last.Digest == "" || !inForce {
		return []string{"new"}
	}
	if last.Digest == p.digest() {
		return nil
	}
	var before policy.Policy
	if err := json.Unmarshal(last.Content, &before); err == nil {
		if resolved, err := before.Resolve(); err == nil && resolved.Digest() == last.Digest {
			return report.Changes(resolved, p.enforcer.Policy())
		}
	}
	return []string{"changed: this program cannot read the policy that was in force before"}
}

// isRunning reports whether the app is that of the config that runs.
func (a *App) isRunning() bool {
	running.RLock()
	defer running.RUnlock()
	return running.app == a
}

// checkLayout finds the sites of each policy, and logs what in the config keeps a policy from
// seeing cookies.
func (a *App) checkLayout() {
	app, err := a.ctx.AppIfConfigured("http")
	if err != nil {
		return
	}
	http, ok := app.(*caddyhttp.App)
	if !ok {
		return
	}
	layout := newLayout(http)
	for _, p := range a.list() {
		p.sites = layout.sites[p]
		p.observer.SetSites(p.sites)
	}
	for _, warning := range layout.warnings {
		fields := []zap.Field{zap.String("policy", warning.policy), zap.String("server", warning.server)}
		if warning.outer != "" {
			fields = append(fields, zap.String("outer", warning.outer))
		}
		a.logger.Warn(warning.message, fields...)
	}
	a.checkPages()
}

// Stop records the policies that end: those that the config after this one does not have. Nothing
// ends if this config never took over, or if the one after it failed to start.
func (a *App) Stop() error {
	a.evidence.end(a.endPolicies())
	return nil
}

// endPolicies records the policies that end, and returns those that the config after this one does not have
// under any digest.
func (a *App) endPolicies() (ended []*runningPolicy) {
	running.Lock()
	defer running.Unlock()
	failed := false // to load, after all of its apps had started
	switch {
	case running.app == a:
		failed = a.before != nil
		running.app, a.before = a.before, nil
	case running.app != nil && running.app.before == a:
		running.app.before = nil
	default:
		return nil
	}
	stopping := isStopping()
	for _, p := range a.list() {
		after := running.app.policy(p.name())
		if after == nil {
			ended = append(ended, p)
		}
		if after != nil && after.digest() == p.digest() {
			continue
		}
		a.audit.Info("policy ends",
			zap.String("policy", p.name()),
			zap.String("digest", p.digest()),
			zap.Time("time", time.Now()),
			zap.Time("since", p.since()))
		switch {
		case failed && after != nil:
			p.undo()
		case after == nil && !stopping: // otherwise it is in force again when Caddy starts again
			p.keeper.End(time.Now())
		}
	}
	return ended
}

// Cleanup releases the observers. Caddy does not stop a config if something failed after all of its
// apps had started. Requests that were still answered when the app stopped are counted by now.
func (a *App) Cleanup() error {
	// The cause of a config that failed to load wraps an error, that of a validated one does not.
	if !a.started && errors.Unwrap(context.Cause(a.ctx)) == nil {
		a.checkLayout()
	}
	if err := a.Stop(); err != nil {
		return err
	}
	var last []*runningPolicy // that no other config has
	for _, p := range a.list() {
		if n, _ := observers.References(p.name()); n == 1 {
			last = append(last, p)
		}
	}
	a.evidence.end(last)
	for _, p := range a.list() {
		if _, err := observers.Delete(p.name()); err != nil {
			return err
		}
	}
	return nil
}

// list returns the policies in the order of their names.
func (a *App) list() []*runningPolicy {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.SortedFunc(maps.Values(a.policies), func(p, q *runningPolicy) int {
		return cmp.Compare(p.name(), q.name())
	})
}

// policy returns the policy with a name, or nil. A nil App has none.
func (a *App) policy(name string) *runningPolicy {
	if a == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.policies[name]
}

// policiesRunning returns the policies of the config that runs.
func policiesRunning() []*runningPolicy {
	running.RLock()
	defer running.RUnlock()
	if running.app == nil {
		return nil
	}
	return running.app.list()
}

// policyNamed returns a policy of the config that runs.
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
