package cdp

import (
	"sync"
)

// maxTargets is how many pages, frames and workers are attached. Each more is closed before it runs.
const maxTargets = 1000

// Target is a page, a frame of another process, or a worker.
type Target struct {
	ID      string `json:"targetId"`
	Type    string `json:"type"` // page, iframe, worker, shared_worker, service_worker, …
	URL     string `json:"url"`
	Opener  string `json:"openerId"`
	Session string `json:"-"`
}

// Setup is a command that a target gets before it runs.
type Setup struct {
	Method string
	Params any
}

// Targets attaches to every target before it runs, those that other targets make included. It handles
// the events of the domain Target.
type Targets struct {
	setup func(Target) []Setup

	mu       sync.Mutex
	sessions map[string]*Target // by session, also those that have ended
	alive    map[string]bool    // sessions
	known    map[string]string  // the session in which a target's events are taken, by target
	closed   int                // beyond maxTargets
	crashed  int
}

// NewTargets returns Targets that send to each new target what setup returns.
func NewTargets(setup func(Target) []Setup) *Targets {
	return &Targets{setup: setup, sessions: map[string]*Target{}, alive: map[string]bool{}, known: map[string]string{}}
}

// autoAttach are the parameters that leave no target out. A tab is no target of its own here.
var autoAttach = map[string]any{
	"autoAttach": true, "waitForDebuggerOnStart": true, "flatten": true,
	"filter": []map[string]any{{"type": "browser", "exclude": true}, {"type": "tab", "exclude": true}, {}},
}

// Attach attaches to the browser's targets, now and later.
func (t *Targets) Attach(c *Conn) error {
	return c.Send("", "Target.setAutoAttach", autoAttach)
}

// Session returns the target of a session.
func (t *Targets) Session(session string) (target Target, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p := t.sessions[session]; p != nil {
		return *p, true
	}
	return Target{}, false
}

// SessionOf returns the session in which events of a target are taken, or "".
func (t *Targets) SessionOf(target string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.known[target]
}

// Lost returns how many targets crashed, and how many were closed because there were too many.
func (t *Targets) Lost() (crashed, closed int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.crashed, t.closed
}

// Handle handles an event, and reports whether it was one of targets.
func (t *Targets) Handle(c *Conn, e *Event) (handled bool, err error) {
	switch e.Method {
	case "Target.attachedToTarget":
		var attached struct {
			Session string `json:"sessionId"`
			Info    Target `json:"targetInfo"`
		}
		if err := e.Decode(&attached); err != nil {
			return true, err
		}
		attached.Info.Session = attached.Session
		return true, t.attached(c, attached.Info)
	case "Target.detachedFromTarget":
		var detached struct {
			Session string `json:"sessionId"`
		}
		if err := e.Decode(&detached); err != nil {
			return true, err
		}
		return true, t.detached(c, detached.Session)
	case "Inspector.targetCrashed", "Target.targetCrashed":
		t.mu.Lock()
		defer t.mu.Unlock()
		t.crashed++
		return true, nil
	}
	return false, nil
}

// Open returns the targets of a type that are there, such as pages.
func (t *Targets) Open(kind string) (open []Target) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, session := range t.known {
		if p := t.sessions[session]; p.Type == kind && id == p.ID {
			open = append(open, *p)
		}
	}
	return open
}

// detached forgets a session. Where the target has another one, its events are taken there from now on.
func (t *Targets) detached(c *Conn, session string) error {
	t.mu.Lock()
	delete(t.alive, session)
	p := t.sessions[session]
	if p == nil || t.known[p.ID] != session {
		t.mu.Unlock()
		return nil
	}
	delete(t.known, p.ID)
	var next *Target
	for other := range t.alive {
		if o := t.sessions[other]; o.ID == p.ID {
			next, t.known[p.ID] = o, other
			break
		}
	}
	t.mu.Unlock()
	if next == nil {
		return nil
	}
	return t.prepare(c, *next)
}

// prepare sends what a target gets before its events are taken.
func (t *Targets) prepare(c *Conn, target Target) error {
	for _, s := range t.setup(target) {
		if err := c.Send(target.Session, s.Method, s.Params); err != nil {
			return err
		}
	}
	return nil
}

// attached prepares a target and lets it run. Nothing is awaited: a paused target does not answer. The
// same worker is attached in two sessions, by its page and by the browser; its events are taken in the
// first.
func (t *Targets) attached(c *Conn, target Target) error {
	t.mu.Lock()
	_, again := t.known[target.ID]
	tooMany := len(t.sessions) >= maxTargets
	if tooMany {
		t.closed++
	} else {
		t.sessions[target.Session], t.alive[target.Session] = &target, true
		if !again {
			t.known[target.ID] = target.Session
		}
	}
	t.mu.Unlock()
	if tooMany {
		return c.Send("", "Target.closeTarget", map[string]any{"targetId": target.ID})
	}
	if !again {
		if err := t.prepare(c, target); err != nil {
			return err
		}
	}
	if err := c.Send(target.Session, "Target.setAutoAttach", autoAttach); err != nil {
		return err
	}
	return c.Send(target.Session, "Runtime.runIfWaitingForDebugger", nil)
}
