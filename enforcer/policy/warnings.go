package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Warning is something in a policy that weakens it or changes nothing. It can be meant, so the policy
// is not refused. The fields are those of a [Fault].
type Warning Fault

// Message returns the warning without its path.
func (w Warning) Message() string { return Fault(w).Message() }

// What is wrong, in the words of a [Warning]. Words of the policy are not part of them.
const (
	noPreferenceWarning = "this waits for consent, and the policy names no preference to read it from: " +
		"its cookies are never let through"
	onlyKeyWarning = "no preference of this policy can hold this consent key, and the rule has no other: " +
		"its cookies are never let through"
	oneKeyWarning       = "no preference of this policy can hold this consent key"
	anonymousKeyWarning = "no preference of this policy can hold this consent key: " +
		"no choice of a visitor refuses these cookies"
	nearKeyWarning    = "this is not a consent key that is known, but nearly one"
	everyNameWarning  = "this wildcard matches every cookie name"
	manyNamesWarning  = "this wildcard has fewer than three bytes that are not *, and matches many cookie names"
	expressionWarning = "this looks like a regular expression or a shell pattern: " +
		"* stands for any run of characters, and everything else for itself"
	longAnonymousWarning = "statistics without consent may follow a visitor for thirteen months, " +
		"and this cookie lives longer"
	idleSignalWarning  = "the policy has no rule of this category: the signal changes nothing"
	selfHostedWarning  = "load knows the origins of this tool at its maker only, and many sites have it elsewhere"
	takenOriginWarning = "another rule with another condition lets pages load from this origin: " +
		"it does not count for this preset"
	secondSignalWarning = "this signal has the category already: the second time changes nothing"
)

// leastLiterals is the number of bytes beside * from which on a wildcard says what it means.
const leastLiterals = 3

// Warnings returns what in the policy is likely to be a mistake: what lets nearly everything
// through, and what has no effect. The policy has no [Policy.Faults].
func (p *Policy) Warnings() []Warning {
	w := warner{policy: p, owners: map[string]string{}, given: map[string]bool{}}
	w.rules, w.preferences = p.resolve()
	for i := range p.Presets {
		path := fmt.Sprintf("presets[%d]", i)
		w.owners[path] = p.Presets[i].Name
		w.given[path] = len(p.Presets[i].Consent) > 0
	}
	for i := range p.Allow {
		w.given[fmt.Sprintf("allow[%d]", i)] = len(p.Allow[i].Consent) > 0
	}
	w.consent()
	w.wildcards()
	w.lifetimes()
	w.signals()
	w.origins()
	return w.warnings
}

type warner struct {
	policy      *Policy
	rules       []Rule
	preferences []Preference
	owners      map[string]string // the presets' names, by the path of their field
	given       map[string]bool   // the presets and rules with consent keys of their own, by path
	warnings    []Warning
}

// warn adds a warning, once for each word: a preset's rules are all written in one place.
func (w *warner) warn(path, word, problem, right string) {
	if !slices.ContainsFunc(w.warnings, func(x Warning) bool { return x.Path == path && x.Word == word }) {
		w.warnings = append(w.warnings, Warning{Path: path, Word: word, Problem: problem, Right: right})
	}
}

// consent warns of consent keys that no preference can hold.
func (w *warner) consent() {
	for i := range w.rules {
		r := &w.rules[i]
		keys := r.ConsentKeys()
		if len(w.preferences) == 0 {
			if len(keys) > 0 && !r.Anonymous {
				w.warn(r.place.Path, w.written(r), noPreferenceWarning,
					"name the preset of the tool that asks for consent, or write a preference")
				return // the remedy is the same for all rules
			}
			continue
		}
		held := slices.ContainsFunc(keys, w.canHold)
		for j, key := range keys {
			path := r.place.Path
			if w.given[path] {
				path = fmt.Sprintf("%s.consent[%d]", path, j)
			}
			switch {
			case w.canHold(key):
				w.near(path, key)
			case held:
				w.warn(path, key, oneKeyWarning, w.holds(r, key))
			case r.Anonymous:
				w.warn(path, key, anonymousKeyWarning, w.holds(r, key))
			default:
				w.warn(path, key, onlyKeyWarning, w.holds(r, key))
			}
		}
	}
}

// written returns the word by which a rule was written: the name of its preset, or of a cookie.
func (w *warner) written(r *Rule) string {
	if r.place.Preset != "" || len(r.Cookies) == 0 {
		return r.place.Preset
	}
	return r.Cookies[0]
}

// fixed returns the keys that a preference can hold, and who fixes them: a preset or the cookie's
// name. It reports whether the site cannot choose others.
func (w *warner) fixed(p *Preference) (owner string, keys toolKeys, ok bool) {
	owner = w.owners[p.place]
	if keys, ok = keysOfTools[owner]; ok {
		return owner, keys, true
	}
	if owner == "" && len(p.Cookies) > 0 {
		owner = p.Cookies[0]
	}
	return owner, toolKeys{keys: p.Keys}, p.Format == FormatFlag && len(p.Keys) > 0
}

// canHold reports whether any preference can hold a key.
func (w *warner) canHold(key string) bool {
	return slices.ContainsFunc(w.preferences, func(p Preference) bool {
		_, keys, fixed := w.fixed(&p)
		return !fixed || keys.can(key)
	})
}

// holds says what would be right in place of a key that no preference can hold.
func (w *warner) holds(r *Rule, key string) string {
	var owners, known []string
	byOwner := map[string][]string{}
	for i := range w.preferences {
		owner, tool, _ := w.fixed(&w.preferences[i]) // all are, or they could hold the key
		if _, told := byOwner[owner]; !told {
			owners = append(owners, owner)
		}
		if tool.identifier != nil {
			tool.keys = []string{"identifiers such as " + tool.keys[1]}
		} else {
			known = append(known, tool.keys...)
		}
		byOwner[owner] = append(byOwner[owner], tool.keys...)
	}
	var right strings.Builder
	if near := Near(key, known); near != "" {
		fmt.Fprintf(&right, "did you mean %s? ", near)
	}
	if !w.given[r.place.Path] {
		right.WriteString("name another with consent: ")
	}
	for i, owner := range owners {
		if i > 0 {
			right.WriteString(", and ")
		}
		fmt.Fprintf(&right, "%s has %s", owner, allOfThese(byOwner[owner]))
	}
	return right.String()
}

// near warns of a key that a site may have chosen, if it is nearly one that is known. A number at
// its end is no slip.
func (w *warner) near(path, key string) {
	if !strings.Contains(path, ".consent[") {
		return // a preset's own key, or the category's name
	}
	known := openKeys(w.preferences)
	for i := range w.preferences {
		p := &w.preferences[i]
		_, tool, fixed := w.fixed(p)
		if known = append(known, tool.keys...); tool.can(key) || p.Format == FormatFlag && !fixed {
			return // a flag without keys grants this one too, whatever its name
		}
	}
	near := Near(key, known)
	if near == "" || slices.Contains(known, key) || strings.TrimRight(key, "0123456789") == near {
		return
	}
	w.warn(path, key, nearKeyWarning, fmt.Sprintf("did you mean %s?", near))
}

// expression matches what nobody writes in a cookie's name, though it could stand there. A dot before
// a * is not among them (_pk_id.*), nor are brackets around a word (PHP writes prefs[key]).
var expression = regexp.MustCompile(
	`^/?\^|\$/?$|[?\\]|\.\+|\(.*\|.*\)|\{.*,.*\}|\[[!^]?(\w-\w)+[_.-]*\]`)

// isExpression accepts what can only be a regular expression: both of its ends are anchored. A cookie
// of such a name could still be written with a wildcard.
func isExpression(name string) bool {
	return len(name) > 1 && name[0] == '^' && name[len(name)-1] == '$'
}

// wildcards warns of names that match more or less than they seem to. A policy that lets everything
// through and rewrites domains is meant: it stands beside one that only reports.
func (w *warner) wildcards() {
	rewritesOnly := len(w.rules) == 1 && w.rules[0].Category == Necessary && len(w.policy.RewriteDomain) > 0
	for i := range w.policy.Allow {
		for j, name := range w.policy.Allow[i].Cookies {
			path := fmt.Sprintf("allow[%d].cookies[%d]", i, j)
			stars := strings.Count(name, "*")
			switch literals := len(name) - stars; {
			case expression.MatchString(name):
				w.warn(path, name, expressionWarning, "write names, or a wildcard such as _ga*")
			case stars > 0 && literals == 0 && !rewritesOnly:
				w.warn(path, name, everyNameWarning, "write names, or a wildcard such as _ga*")
			case literals > 0 && stars > 0 && literals < leastLiterals:
				w.warn(path, name, manyNamesWarning, "write more of the name, such as _ga*")
			}
		}
	}
}

// answers are cookies in which Matomo keeps what the visitor answered, and nothing by which it could
// tell visitors apart. They live for thirty years.
var answers = []string{"mtm_consent*", "matomo_ignore", "piwik_ignore"}

// lifetimes warns of anonymous statistics that live too long.
func (w *warner) lifetimes() {
	for i := range w.rules {
		r := &w.rules[i]
		lifetime := r.Lifetime
		if r.MaxAge != 0 {
			lifetime = r.MaxAge
		}
		isTracker := slices.ContainsFunc(r.Cookies, func(name string) bool { return !slices.Contains(answers, name) })
		if r.Anonymous && isTracker && lifetime > thirteenMonths {
			w.warn(r.place.Path+".anonymous", lifetime.String(), longAnonymousWarning,
				"add max_age "+thirteenMonths.String()+", or remove anonymous")
		}
	}
}

// signals warns of signals that object to nothing, or once more to the same.
func (w *warner) signals() {
	type objection struct {
		signal   string
		category Category
	}
	seen := map[objection]bool{}
	for i, s := range w.policy.Signal {
		for j, category := range s.Categories {
			this := objection{s.Signal, category}
			if seen[this] {
				w.warn(fmt.Sprintf("signal[%d].categories[%d]", i, j), string(category), secondSignalWarning, "remove it")
				continue
			}
			seen[this] = true
			if !slices.ContainsFunc(w.rules, func(r Rule) bool { return r.Category == category }) {
				w.warn(fmt.Sprintf("signal[%d].categories[%d]", i, j), string(category), idleSignalWarning,
					"remove it, or write the rule")
			}
		}
	}
}

// origins warns of presets whose origins are likely to be others, or to be another rule's.
func (w *warner) origins() {
	if w.policy.Load.withDefaults().Mode == "" {
		return
	}
	for i := range w.policy.Presets {
		known, _ := presetNamed(w.policy.Presets[i].Name)
		path := fmt.Sprintf("presets[%d]", i)
		if len(w.policy.Presets[i].Origin) > 0 || len(known.origins) == 0 {
			continue
		}
		if known.selfHosted {
			w.warn(path, known.name, selfHostedWarning, fmt.Sprintf(
				"add origin to the preset: https://%s.city.example if yours is at that host, or %s",
				known.name, strings.Join(known.origins, " ")))
		}
		for _, origin := range known.origins {
			if !slices.ContainsFunc(w.rules, func(r Rule) bool {
				return r.place.Path == path && slices.Contains(r.Origin, origin)
			}) {
				w.warn(path, origin, takenOriginWarning,
					"give both the same consent keys, if a choice about one is meant for both")
			}
		}
	}
}

// allOfThese writes words as a sentence does: a, b and c.
func allOfThese(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " and " + words[last]
}
