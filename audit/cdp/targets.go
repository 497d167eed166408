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
	sessions map[string]*Target // by session
	known    map[string]string  // sessions by target
	closed   int                // beyond maxTargets
	crashed  int
}

// NewTargets returns Targets that send to each new target what setup returns.
func NewTargets(setup func(Target) []Setup) *Targets {
	return &Targets{setup: setup, sessions: map[string]*Target{}, known: map[string]string{}}
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
		t.mu.Lock()
		defer t.mu.Unlock()
		if p := t.sessions[detached.Session]; p != nil && t.known[p.ID] == p.Session {
			delete(t.known, p.ID)
		}
		return true, nil
	case "Inspector.targetCrashed", "Target.targetCrashed":
		t.mu.Lock()
		defer t.mu.Unlock()
		t.crashed++
		return true, nil
	}
	return false, nil
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
		t.sessions[target.Session] = &target
		if !again {
			t.known[target.ID] = target.Session
		}
	}
	t.mu.Unlock()
	if tooMany {
		return c.Send("", "Target.closeTarget", map[string]any{"targetId": target.ID})
	}
	if !again {
		for _, s := range t.setup(target) {
			if err := c.Send(target.Session, s.Method, s.Params); err != nil {
				return err
			}
		}
	}
	if err := c.Send(target.Session, "Target.setAutoAttach", autoAttach); err != nil {
		return err
	}
	return c.Send(target.Session, "Runtime.runIfWaitingForDebugger", nil)
}
