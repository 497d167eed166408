package enforcer

import "sync/atomic"

// known is what an Enforcer knows of a name that it has met: it is looked for once, and not with every request.
type known struct {
	rule  *rule                 // nil where none names it
	entry atomic.Pointer[entry] // in the inventory, once it is there
}

// meet returns the rule for a name, or nil, and what is known of the name. That is nil where there is no room for it.
func (e *Enforcer) meet(met *nameTable[known], name string) (*rule, *known) {
	if k := met.find(name); k != nil {
		return k.rule, k
	}
	r := e.find(name)
	if len(name) > maxWord || hasControl(name) {
		return r, nil
	}
	return r, met.add(name, e.kindOf(name, r), func(k *known) { k.rule = r })
}

// find returns the rule for a name, or nil. A name longer than browsers store has none.
func (e *Enforcer) find(name string) *rule {
	if len(name) > maxPair {
		return nil
	}
	return e.names.find(name)
}

// kindOf is how the policy knows a name for which it has this rule.
func (e *Enforcer) kindOf(name string, r *rule) nameKind {
	switch {
	case r == nil:
		return unknownName
	case e.names.exact[name] == r:
		return exactName
	}
	return wildcardName
}
