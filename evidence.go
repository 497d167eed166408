package cookiepolicy

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/cookie-policy/caddy-cookie-policy/evidence"
)

// Times for which storage is waited for. What is not read then is read later, and added.
const (
	longestStart = 2 * time.Second
	longestStop  = 3 * time.Second
	longestPrune = time.Minute
)

// loggedNoInstance is set once it has been logged that the process has no instance of its own.
var loggedNoInstance atomic.Bool

// evidenceKeeper writes the evidence of a config's policies to storage.
type evidenceKeeper struct {
	app      *App
	policies []*runningPolicy // those that keep evidence
	storage  evidence.Storage
	source   string // which storage

	stop chan struct{} // closed to end the goroutine
	done chan struct{} // closed when it has ended
	once sync.Once

	hopeless bool // storage did not answer when the config stopped
}

// trouble is which storage fails. That has been logged, and is not logged again by the next config.
var trouble struct {
	sync.Mutex
	source string // "" if none does
}

// startEvidence reads what was kept of the config's policies before, and begins to write. It returns after
// some time, also if storage does not answer.
func (a *App) startEvidence() {
	k := &evidenceKeeper{app: a, storage: newStorage(a.ctx.Storage()), source: storageName(a.ctx.Storage()),
		stop: make(chan struct{}), done: make(chan struct{})}
	a.evidence = k
	for _, p := range a.list() {
		settings := p.configured.Evidence.WithDefaults()
		if settings.Off {
			p.observer.Resume()
			continue
		}
		id, err := instanceID()
		if err != nil && !loggedNoInstance.Swap(true) {
			a.logger.Warn("the data directory cannot be used, so each start of this process is another instance in the evidence",
				zap.Error(err))
		}
		p.keeper.Configure(id, time.Duration(settings.Interval), time.Duration(settings.Keep))
		p.storage = k.storage
		k.policies = append(k.policies, p)
	}
	if len(k.policies) == 0 {
		close(k.done)
		return
	}
	read := make(chan struct{})
	go k.run(read)
	timer := time.NewTimer(longestStart)
	defer timer.Stop()
	select {
	case <-read:
	case <-timer.C:
		k.tell(context.DeadlineExceeded)
	}
	for _, p := range k.policies {
		p.observer.Resume()
	}
}

// run reads what was kept before, and then writes at every interval and at midnight.
func (k *evidenceKeeper) run(read chan<- struct{}) {
	defer close(k.done)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-k.stop
		cancel()
	}()
	for _, p := range k.policies {
		aside, err := p.keeper.Read(ctx, k.storage, k.source, time.Now())
		if k.told(p, aside); err != nil && ctx.Err() == nil { // only writing shows that all is well again
			k.tell(err)
		}
	}
	close(read)
	select {
	case <-k.app.inForce: // so that the first write says so
	case <-k.stop:
		return
	}
	due := map[*runningPolicy]time.Time{}
	today := time.Now().UTC().Format(time.DateOnly)
	for {
		now := time.Now()
		day := now.UTC().Format(time.DateOnly)
		for _, p := range k.policies {
			if now.Before(due[p]) && day == today {
				continue
			}
			k.write(ctx, p, false)
			due[p] = now.Add(time.Duration(p.configured.Evidence.WithDefaults().Interval))
		}
		today = day
		k.prune(ctx, now)
		timer := time.NewTimer(untilNext(due, time.Now()))
		select {
		case <-timer.C:
		case <-k.stop:
			timer.Stop()
			return
		}
	}
}

// pruned is when which storage was pruned last. All records of it are read for that, so it is done once a day
// and not with each reload.
var pruned struct {
	sync.Mutex
	source string
	at     time.Time
}

// prune deletes what has been kept for long enough.
func (k *evidenceKeeper) prune(ctx context.Context, now time.Time) {
	pruned.Lock()
	isDone := pruned.source == k.source && now.Sub(pruned.at) < 24*time.Hour
	if !isDone {
		pruned.source, pruned.at = k.source, now
	}
	pruned.Unlock()
	if isDone {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, longestPrune)
	defer cancel()
	if _, err := evidence.Prune(ctx, k.storage, now); err != nil && ctx.Err() == nil {
		k.app.logger.Warn("evidence that is older than keep could not be deleted from storage", zap.Error(err))
	}
}

// untilNext returns how long it is until the next policy is due or a day begins. Clocks can be set, so it is
// never long.
func untilNext(due map[*runningPolicy]time.Time, now time.Time) time.Duration {
	next := min(time.Minute, now.UTC().Truncate(24*time.Hour).Add(24*time.Hour).Sub(now))
	for _, at := range due {
		next = min(next, at.Sub(now))
	}
	return max(next, time.Millisecond)
}

// write writes the evidence of one policy.
func (k *evidenceKeeper) write(ctx context.Context, p *runningPolicy, stopped bool) {
	over, aside, err := p.keeper.Write(ctx, k.storage, k.source, time.Now(), stopped)
	if k.told(p, aside); ctx.Err() == nil || stopped {
		k.tell(err)
	}
	for i := range over {
		k.app.audit.Info("a day of evidence is complete",
			zap.String("policy", p.name()),
			zap.String("instance", p.keeper.Instance()),
			zap.String("day", over[i].Day),
			zap.String("digest", over[i].Digest()))
	}
}

// told logs what was set aside, and notes since when the policy is in force: storage may have answered late.
func (k *evidenceKeeper) told(p *runningPolicy, aside *evidence.Aside) {
	if aside != nil {
		k.app.logger.Warn("evidence in storage could not be read, and was set aside",
			zap.String("policy", p.name()),
			zap.String("key", aside.Key),
			zap.String("aside", aside.Aside),
			zap.String("reason", aside.Reason))
	}
	if since := p.keeper.Since(); k.app.isRunning() && !since.IsZero() {
		p.inForce.Store(since.UnixNano())
	}
}

// tell logs once that storage fails, and once that it no longer does.
func (k *evidenceKeeper) tell(err error) {
	trouble.Lock()
	defer trouble.Unlock()
	failing := trouble.source == k.source
	switch {
	case err != nil && !failing:
		trouble.source = k.source
		k.app.logger.Warn("evidence cannot be kept in storage; it is kept in memory, and written when storage answers",
			zap.Error(err))
	case err == nil && failing:
		trouble.source = ""
		k.app.logger.Info("evidence is kept in storage again")
	}
}

// end ends the goroutine, and writes the evidence of policies that no other config has.
func (k *evidenceKeeper) end(policies []*runningPolicy) {
	if k == nil { // the config has not started
		return
	}
	k.once.Do(func() { close(k.stop) })
	ctx, cancel := context.WithTimeout(context.Background(), longestStop)
	defer cancel()
	select {
	case <-k.done:
	case <-ctx.Done():
	}
	for _, p := range policies {
		if slices.Contains(k.policies, p) && !k.hopeless && !p.keeper.IsEnded() {
			k.write(ctx, p, true)
		}
	}
	k.hopeless = ctx.Err() != nil
}

// isStopping reports whether Caddy stops, so that no other config takes over: the policies are still those
// that are in force when it starts again.
func isStopping() bool {
	return caddy.Exiting() || caddy.ActiveContext().Context == nil
}

// evidencePolicy returns the policy as the history keeps it.
func (p *runningPolicy) evidencePolicy() evidence.Policy {
	content, err := json.Marshal(p.configured)
	if err != nil {
		panic("cookie_policy: a policy is plain data: " + err.Error())
	}
	return evidence.Policy{Digest: p.digest(), Mode: p.mode(), Content: content}
}
