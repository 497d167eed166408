package policy

import (
	"fmt"
	"slices"
)

// Key says what one switch of the visitor's preference is, for people.
type Key struct {
	// The consent keys of the switch, as rules name them. Several keys are one switch: the visitor
	// grants or refuses all of them together.
	Keys []string `json:"keys"`

	// What the switch is called.
	Title []Text `json:"title,omitempty"`

	// What the visitor's consent is asked for.
	Purpose []Text `json:"purpose,omitempty"`

	// What a refusal changes for the visitor.
	Refused []Text `json:"refused,omitempty"`
}

func (k Key) clone() Key {
	k.Keys = slices.Clone(k.Keys)
	k.Title, k.Purpose, k.Refused = slices.Clone(k.Title), slices.Clone(k.Purpose), slices.Clone(k.Refused)
	return k
}

// keyBlocks judges what the policy says about its switches. Which consent keys there are is known only
// if all presets are.
func (v *validator) keyBlocks(p *Policy, rules []Rule) {
	known := keysOf(rules)
	allKnown := !slices.ContainsFunc(p.Presets, func(q Preset) bool {
		_, ok := presetNamed(q.Name)
		return !ok
	})
	first := map[string]string{} // the path of each key
	for i := range p.Key {
		path := fmt.Sprintf("key[%d]", i)
		k := &p.Key[i]
		if len(k.Keys) == 0 {
			v.fault(path+".keys", "", "this key names no consent key",
				"name one after the word key, as rules name it in consent")
		}
		for j, key := range k.Keys {
			path := fmt.Sprintf("%s.keys[%d]", path, j)
			if before, twice := first[key]; twice {
				v.twice(path, key, "this consent key is named twice", before)
				continue
			}
			first[key] = path
			if v.key(path, key); key != "" && allKnown && !slices.Contains(known, key) {
				v.fault(path, key, "no rule of this policy has this consent key",
					wantOneOf(key, known, "remove it: the policy has no consent key"))
			}
		}
		v.texts(path+".title", k.Title)
		v.texts(path+".purpose", k.Purpose)
		v.texts(path+".refused", k.Refused)
	}
}

// keysOf returns the consent keys of rules, each once, in the order of the rules.
func keysOf(rules []Rule) (keys []string) {
	known := map[string]bool{}
	for i := range rules {
		for _, key := range rules[i].ConsentKeys() {
			if !known[key] {
				known[key] = true
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// resolveKeys writes out what presets and the policy say about switches, those of presets first. Each
// key stays in the one switch that counts: the policy's own before a preset's, an earlier preset's
// before a later one's. A switch of the policy's own takes the texts that it leaves out from a preset's
// switch with the same keys. A preset's keys that no rule has are left out: its options can replace them.
func (p *Policy) resolveKeys(rules []Rule) (keys []Key) {
	known := keysOf(rules)
	own := slices.Clone(p.Key)
	taken := map[string]bool{}
	for i := range own {
		for _, key := range own[i].Keys {
			taken[key] = true
		}
	}
	for i := range p.Presets {
		preset, _ := presetNamed(p.Presets[i].Name)
		for _, k := range preset.keys {
			k = k.clone()
			if j := slices.IndexFunc(own, k.sameKeys); j >= 0 {
				own[j] = own[j].or(k)
				continue
			}
			k.Keys = slices.DeleteFunc(k.Keys, func(key string) bool {
				return taken[key] || !slices.Contains(known, key)
			})
			if len(k.Keys) == 0 {
				continue
			}
			for _, key := range k.Keys {
				taken[key] = true
			}
			keys = append(keys, k)
		}
	}
	return append(keys, own...)
}

// sameKeys reports whether two switches have the same keys, in any order.
func (k Key) sameKeys(other Key) bool {
	return len(k.Keys) == len(other.Keys) &&
		!slices.ContainsFunc(k.Keys, func(key string) bool { return !slices.Contains(other.Keys, key) })
}

// or returns the switch with the texts of another where it has none.
func (k Key) or(other Key) Key {
	if len(k.Title) == 0 {
		k.Title = other.Title
	}
	if len(k.Purpose) == 0 {
		k.Purpose = other.Purpose
	}
	if len(k.Refused) == 0 {
		k.Refused = other.Refused
	}
	return k
}
