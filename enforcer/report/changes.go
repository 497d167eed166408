package report

import (
	"encoding/json"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// Changes tells people how a policy differs from the one before: rules by their category and names,
// everything else by the word of the configuration. It is empty if the digests are the same.
func Changes(before, after *policy.Resolved) (changes []string) {
	if before.Digest() == after.Digest() {
		return nil
	}
	was, is := before.Policy(), after.Policy()
	old, kept := map[string]*policy.Rule{}, map[string]bool{}
	for i := range was.Allow {
		old[was.Allow[i].Label()] = &was.Allow[i]
	}
	for i := range is.Allow {
		rule := &is.Allow[i]
		kept[rule.Label()] = true
		switch b := old[rule.Label()]; {
		case b == nil:
			changes = append(changes, "added: allow "+rule.Label())
		case !sameJSON(rule, b):
			changes = append(changes, "changed: allow "+rule.Label())
		}
	}
	for i := range was.Allow {
		if label := was.Allow[i].Label(); !kept[label] {
			changes = append(changes, "removed: allow "+label)
		}
	}
	for _, setting := range []struct{ word, was, is string }{
		{"mode", was.Mode, is.Mode},
		{"unlisted", was.Unlisted, is.Unlisted},
		{"lifetimes", was.Lifetimes, is.Lifetimes},
		{"shared_cache", was.SharedCache, is.SharedCache},
	} {
		if setting.was != setting.is {
			changes = append(changes, setting.word+" "+setting.is+", was "+setting.was)
		}
	}
	for _, list := range []struct {
		word    string
		was, is any
	}{
		{"preference", was.Preference, is.Preference},
		{"key", was.Key, is.Key},
		{"signal", was.Signal, is.Signal},
		{"rewrite_domain", was.RewriteDomain, is.RewriteDomain},
	} {
		if !sameJSON(list.was, list.is) {
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
