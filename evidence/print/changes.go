package print

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/evidence"
)

// fields are the fields of a part of a policy, as JSON.
type fields map[string]json.RawMessage

// changes says how a policy differs from the one before.
func (w *writer) changes(before, after *evidence.PeriodAnswer) {
	if before.Digest == after.Digest {
		w.paragraph(w.Force.Same)
		return
	}
	was, ok := resolve(before.Policy)
	is, ok2 := resolve(after.Policy)
	if !ok || !ok2 {
		w.paragraph(w.Force.Unread)
		w.list(printedAll(after.Changes))
		return
	}
	changes := append(w.ruleChanges(was, is), w.settingChanges(fieldsOf(was), fieldsOf(is))...)
	if len(changes) == 0 {
		changes = []string{string(w.Force.Order)}
	}
	w.paragraph(w.Force.Compared)
	w.list(changes)
}

// whole lists the rules and settings of a policy.
func (w *writer) whole(p *evidence.PeriodAnswer) (list []string) {
	resolved, ok := resolve(p.Policy)
	if !ok {
		return nil
	}
	for i := range resolved.Allow {
		list = append(list, w.rule(&resolved.Allow[i]))
	}
	settings := fieldsOf(resolved)
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		setting := settings[name]
		switch {
		case isOther(name):
		case isObjects(setting):
			for _, element := range elements(setting) {
				list = append(list, w.say(w.Value, "name", printable(name), "value", value(element)))
			}
		default:
			list = append(list, w.say(w.Value, "name", printable(name), "value", value(setting)))
		}
	}
	return list
}

// resolve returns a policy with its presets and defaults spelled out.
func resolve(content json.RawMessage) (*policy.Policy, bool) {
	var p policy.Policy
	if json.Unmarshal(content, &p) != nil {
		return nil, false
	}
	resolved, err := p.Resolve()
	if err != nil {
		return nil, false
	}
	return resolved.Policy(), true
}

func fieldsOf(v any) fields {
	b, err := json.Marshal(v)
	f := fields{}
	if err != nil || json.Unmarshal(b, &f) != nil {
		return fields{}
	}
	return f
}

// rule names a rule, with its options but for the texts for people.
func (w *writer) rule(r *policy.Rule) string {
	f := fieldsOf(r)
	var options []string
	for _, name := range slices.Sorted(maps.Keys(f)) {
		if !isName(name) && !isText(name) {
			options = append(options, w.say(w.Value, "name", name, "value", value(f[name])))
		}
	}
	if len(options) == 0 {
		return printable(r.Label())
	}
	return printable(r.Label()) + " (" + joined(options) + ")"
}

func isName(field string) bool { return field == "category" || field == "cookies" }

// isText reports whether a field is a text for people.
func isText(field string) bool {
	return slices.Contains([]string{"provider", "function", "purpose", "title", "refused"}, field)
}

// isOther reports whether a field of a policy is shown elsewhere, or is spelled out in other fields.
func isOther(field string) bool { return slices.Contains([]string{"name", "allow", "presets"}, field) }

// ruleChanges says which rules were added, removed and changed, as enforcer/report does, and what of them.
func (w *writer) ruleChanges(was, is *policy.Policy) (changes []string) {
	old, kept := map[string]*policy.Rule{}, map[string]bool{}
	for i := range was.Allow {
		old[was.Allow[i].Label()] = &was.Allow[i]
	}
	for i := range is.Allow {
		rule := &is.Allow[i]
		kept[rule.Label()] = true
		before := old[rule.Label()]
		if before == nil {
			changes = append(changes, w.say(w.Force.Added, "rule", w.rule(rule)))
			continue
		}
		if parts := w.settingChanges(fieldsOf(before), fieldsOf(rule)); len(parts) > 0 {
			changes = append(changes, w.say(w.Force.Changed, "rule", printable(rule.Label()), "changes", joined(parts)))
		}
	}
	for i := range was.Allow {
		if label := was.Allow[i].Label(); !kept[label] {
			changes = append(changes, w.say(w.Force.Removed, "rule", printable(label)))
		}
	}
	return changes
}

// settingChanges says which fields differ. Lists of objects are compared by their elements.
func (w *writer) settingChanges(was, is fields) (changes []string) {
	names := maps.Clone(was)
	maps.Copy(names, is)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		switch before, after := was[name], is[name]; {
		case bytes.Equal(before, after) || isOther(name):
		case isText(name):
			changes = append(changes, w.say(w.Force.Texts, "word", printable(name)))
		case isObjects(before) || isObjects(after):
			changes = append(changes, w.elementChanges(name, elements(before), elements(after))...)
		default:
			changes = append(changes, w.say(w.Force.Setting, "word", printable(name), "was", w.valueOrNone(before),
				"is", w.valueOrNone(after)))
		}
	}
	return changes
}

// elementChanges says which elements of a list of objects were added, removed and changed. An element is known
// by the names in it.
func (w *writer) elementChanges(list string, was, is []json.RawMessage) (changes []string) {
	old, kept := map[string]json.RawMessage{}, map[string]bool{}
	for _, element := range was {
		old[nameOf(element)] = element
	}
	for _, element := range is {
		name := nameOf(element)
		kept[name] = true
		before, known := old[name]
		if !known {
			changes = append(changes, w.say(w.Force.Gained, "word", printable(list), "value", value(element)))
			continue
		}
		if parts := w.settingChanges(objectOf(before), objectOf(element)); len(parts) > 0 {
			changes = append(changes, w.say(w.Force.Altered, "word", printable(list), "value", cut(name), "changes",
				joined(parts)))
		}
	}
	for _, element := range was {
		if !kept[nameOf(element)] {
			changes = append(changes, w.say(w.Force.Lost, "word", printable(list), "value", value(element)))
		}
	}
	return changes
}

// nameOf returns what an element of a list is known by: no two elements have the same names.
func nameOf(element json.RawMessage) string {
	object := objectOf(element)
	for _, field := range []string{"cookies", "keys", "signal", "from"} {
		if name, ok := object[field]; ok {
			return value(name)
		}
	}
	return string(element)
}

func objectOf(b json.RawMessage) fields {
	object := fields{}
	if json.Unmarshal(b, &object) != nil {
		return fields{}
	}
	return object
}

func isObjects(b json.RawMessage) bool { return bytes.HasPrefix(b, []byte("[{")) }

// elements returns the elements of a list.
func elements(b json.RawMessage) (list []json.RawMessage) {
	if json.Unmarshal(b, &list) != nil {
		return nil
	}
	return list
}

func (w *writer) valueOrNone(b json.RawMessage) string {
	if len(b) == 0 {
		return string(w.Force.NotSet)
	}
	return value(b)
}

// value writes a value of JSON: words without quotes, lists of words with spaces between them, and objects as
// their fields but for texts for people.
func value(b json.RawMessage) string {
	var text string
	if json.Unmarshal(b, &text) == nil {
		return cut(text)
	}
	var list []string
	if json.Unmarshal(b, &list) == nil {
		return cut(strings.Join(list, " "))
	}
	var object fields
	if json.Unmarshal(b, &object) == nil && object != nil {
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(object)) {
			if !isText(name) {
				parts = append(parts, name+" "+value(object[name]))
			}
		}
		return cut(strings.Join(parts, ", "))
	}
	return cut(string(b))
}

// cut cuts a text that is long, and makes it printable.
func cut(text string) string {
	const enough = 300
	if characters := []rune(text); len(characters) > enough {
		text = string(characters[:enough]) + "…"
	}
	return printable(text)
}
