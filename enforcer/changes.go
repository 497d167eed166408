package enforcer

import (
	"encoding/json"
	"slices"
)

// Counts are how much a policy says, its presets included.
type Counts struct{ Rules, Cookies, Preferences int }

// Counts counts rules, the names in them, and cookies that hold a preference.
func (e *Enforcer) Counts() Counts {
	c := Counts{Rules: len(e.declared), Preferences: len(e.preferences)}
	for _, r := range e.declared {
		c.Cookies += len(r.declared.Cookies)
	}
	return c
}

// ChangesSince tells people in which words this policy differs from another: rules by their category and names, all else by the word of the
// configuration. Two policies with one digest do not differ.
func (e *Enforcer) ChangesSince(before *Enforcer) (changes []string) {
	if e.digest == before.digest {
		return nil
	}
	for _, r := range e.declared {
		i := slices.IndexFunc(before.declared, func(b *rule) bool { return b.label == r.label })
		switch {
		case i < 0:
			changes = append(changes, "added: allow "+r.label)
		case !sameJSON(r.declared, before.declared[i].declared):
			changes = append(changes, "changed: allow "+r.label)
		}
	}
	for _, b := range before.declared {
		if !slices.ContainsFunc(e.declared, func(r *rule) bool { return r.label == b.label }) {
			changes = append(changes, "removed: allow "+b.label)
		}
	}
	now, was := &e.policy, &before.policy
	for _, setting := range []struct{ word, now, was string }{
		{"mode", now.Mode, was.Mode}, {"unlisted", now.Unlisted, was.Unlisted},
		{"lifetimes", now.Lifetimes, was.Lifetimes}, {"shared_cache", now.SharedCache, was.SharedCache},
	} {
		if setting.now != setting.was {
			changes = append(changes, setting.word+" "+setting.now+", was "+setting.was)
		}
	}
	for _, list := range []struct {
		word     string
		now, was any
	}{{"preference", now.Preference, was.Preference}, {"signal", now.Signal, was.Signal}, {"rewrite_domain", now.RewriteDomain, was.RewriteDomain}} {
		if !sameJSON(list.now, list.was) {
			changes = append(changes, "changed: "+list.word)
		}
	}
	if len(changes) == 0 {
		changes = append(changes, "changed: the order of rules")
	}
	return changes
}

func sameJSON(a, b any) bool {
	first, err := json.Marshal(a)
	second, err2 := json.Marshal(b)
	return err == nil && err2 == nil && string(first) == string(second)
}
