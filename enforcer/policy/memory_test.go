package policy

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestResolveLeavesThePolicyAsItWas(t *testing.T) {
	p, want := complete(), complete()
	p.Presets = append(p.Presets, Preset{Name: "opendatasoft"})
	want.Presets = append(want.Presets, Preset{Name: "opendatasoft"})
	p.Signal, want.Signal = slices.Repeat(p.Signal, 2), slices.Repeat(want.Signal, 2)
	resolved(t, p)
	if !reflect.DeepEqual(p, want) {
		t.Errorf("the policy became %+v", p)
	}
}

// scramble changes each string, number and bool in a value, also in slices and in the spare room behind
// their last element. Unexported fields stay as they are.
func scramble(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		scramble(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				scramble(v.Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			scramble(v.Index(i))
		}
		if whole := v.Slice(0, v.Cap()); v.Len() < v.Cap() { // the room behind it too
			for i := v.Len(); i < whole.Len(); i++ {
				scramble(whole.Index(i))
			}
		}
	case reflect.String:
		v.SetString("scrambled " + v.String())
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Int64:
		v.SetInt(v.Int() + 1)
	}
}

// roomy returns a policy whose slices have room for more.
func roomy() Policy {
	p := complete()
	p.Presets = append(p.Presets, Preset{Name: "opendatasoft", RuleOptions: RuleOptions{
		Domain: []string{"a.example"}, Path: []string{"/"}, Purpose: []Text{{"en", "x"}}}})
	p.Preference = append(p.Preference,
		Preference{Cookies: []string{"flag"}, Format: FormatFlag, Value: "y", Keys: []string{"k"}},
		Preference{Cookies: []string{"pairs"}, Format: FormatPairs, Granted: []string{"y"}})
	p.Signal = append(p.Signal, Signal{SignalGPC, []Category{FirstParty}})
	p.Key[0].Keys, p.Key[0].Title = slices.Grow(p.Key[0].Keys, 4), slices.Grow(p.Key[0].Title, 4)
	p.Allow[0].Function = slices.Grow(p.Allow[0].Function, 4)
	for i := range p.Signal {
		p.Signal[i].Categories = slices.Grow(p.Signal[i].Categories, 4)
	}
	for i := range p.Allow {
		p.Allow[i].Cookies = slices.Grow(p.Allow[i].Cookies, 4)
	}
	return p
}

// A Resolved shares no memory with the policy, with another Resolved, or with the presets' tables.
func TestResolveSharesNoMemory(t *testing.T) {
	p := roomy()
	r, other := resolved(t, p), resolved(t, p)
	want := r.Digest()
	unchanged := func(what string, r *Resolved) {
		t.Helper()
		if got := digest(r.policy); got != want {
			t.Errorf("%s changes the policy", what)
		}
		for _, name := range []string{"a", "_pk_id.1", "cookies_preferences", "flag", "sessionid"} {
			if rule, _ := r.Lookup(name); rule == nil || strings.Contains(rule.Label(), "scrambled") {
				t.Errorf("%s changes the rule of %s to %v", what, name, rule)
			}
		}
	}
	scramble(reflect.ValueOf(&p))
	unchanged("scrambling the input", r)
	unchanged("scrambling the input", other)

	scramble(reflect.ValueOf(other.Policy()))
	for _, rule := range other.Rules() {
		scramble(reflect.ValueOf(rule))
	}
	unchanged("scrambling another Resolved", r)
	again := resolved(t, roomy())
	if again.Digest() != want {
		t.Error("scrambling a Resolved changes the presets")
	}
	unchanged("scrambling a Resolved", again)
}

// Each preset, resolved and scrambled, is the same the next time.
func TestResolveSharesNoMemoryWithPresets(t *testing.T) {
	for _, name := range Presets() {
		p := withPreset(name, RuleOptions{})
		r := resolved(t, p)
		scramble(reflect.ValueOf(r.Policy()))
		if got := resolved(t, p).Digest(); got != r.Digest() {
			t.Errorf("scrambling the resolved preset %s changes its table", name)
		}
	}
}
