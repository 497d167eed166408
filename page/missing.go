package page

import (
	"slices"
	"strings"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/languages"
)

// NotStated returns what the page has to call "not stated", for people: the cookies of each rule that
// lacks something, and the consent keys of which nobody says what a refusal changes.
func NotStated(e *enforcer.Enforcer) (missing []string) {
	add := func(names []string, words ...string) {
		if words = slices.DeleteFunc(words, func(w string) bool { return w == "" }); len(words) > 0 {
			missing = append(missing, strings.Join(names, " ")+": "+strings.Join(words, ", "))
		}
	}
	lacks := func(missing bool, word string) string {
		if missing {
			return word
		}
		return ""
	}
	for _, rule := range e.Policy().Rules() {
		add(rule.Cookies, lacks(rule.Provider == "", "provider"), lacks(len(rule.Function) == 0, "function"),
			lacks(len(rule.Purpose) == 0, "purpose"), lacks(rule.Lifetime == 0 && (rule.MaxAge == 0 || e.Policy().Reports()), "lifetime"))
	}
	for _, q := range e.Questions() {
		add(q.Keys, lacks(!saysRefused(&q), "refused"))
	}
	return missing
}

// saysRefused reports whether the policy, or a built-in text, says what a refusal changes.
func saysRefused(q *enforcer.Question) bool {
	return slices.ContainsFunc(q.Switches, func(k *policy.Key) bool { return len(k.Refused) > 0 }) ||
		slices.ContainsFunc(q.Keys, func(key string) bool {
			_, builtIn := languages.All()[0].Key(key)
			return builtIn
		})
}
