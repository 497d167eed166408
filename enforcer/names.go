package enforcer

import (
	"maps"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/wire"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
)

// knownName is what looking up a cookie name comes to: its rule, and its entry in the inventory.
type knownName struct {
	rule  *rule // nil if none names it
	name  observe.Name
	entry *observe.Entry // nil if the name has no entry of its own
}

// lookup returns what is known of a name, but for its entry. A name longer than browsers store has no
// rule.
func (e *Enforcer) lookup(name string) (k knownName) {
	k.name.Text = name
	if len(name) > wire.MaxPair {
		return k
	}
	declared, pattern := e.policy.Lookup(name)
	switch {
	case declared == nil:
		return k
	case pattern == name:
		k.name.Kind = observe.Exact
	default:
		k.name.Kind, k.name.Pattern = observe.Wildcard, pattern
	}
	k.rule = e.rules[declared]
	return k
}

// names remembers lookups on one side, so that one step finds a name's rule and its entry. It remembers
// only names that have an entry of their own, which the inventory bounds: nobody can make it grow.
//
// Readers take no lock: they read a map that is never changed. New names wait in another one until
// as many lookups have missed as there are names, and then both become one.
type names struct {
	settled atomic.Pointer[map[string]*knownName]
	waiting atomic.Bool // there are names that are not in settled

	mu      sync.Mutex
	all     map[string]*knownName // nil if nothing waits
	lookups int                   // since then
}

// find returns what is remembered of a name, or nil.
func (n *names) find(name string) *knownName {
	if settled := n.settled.Load(); settled != nil {
		if k := (*settled)[name]; k != nil {
			return k
		}
	}
	if n.waiting.Load() {
		return n.findWaiting(name)
	}
	return nil
}

func (n *names) findWaiting(name string) *knownName {
	n.mu.Lock()
	defer n.mu.Unlock()
	k := n.all[name]
	if n.lookups++; n.lookups >= len(n.all) && n.all != nil {
		all := n.all
		n.settled.Store(&all)
		n.all, n.lookups = nil, 0
		n.waiting.Store(false)
	}
	return k
}

// add remembers a lookup.
func (n *names) add(k *knownName) {
	if k.entry == nil || len(k.name.Text) > wire.MaxWord {
		return
	}
	stored := *k
	stored.name.Text = strings.Clone(k.name.Text) // a substring would keep the whole header alive
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.all == nil {
		n.all = map[string]*knownName{}
		if settled := n.settled.Load(); settled != nil {
			n.all = maps.Clone(*settled)
		}
	}
	n.all[stored.name.Text] = &stored
	n.waiting.Store(true)
}
