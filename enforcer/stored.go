package enforcer

import (
	"strings"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// Stored is what a visitor's stored preferences say, as the policy reads them. It holds no value of any
// cookie.
type Stored struct {
	// What reading all preferences came to.
	State policy.PreferenceState

	// Each copy of a preference cookie.
	Preferences []ExplainedPreference

	// The consent keys of the policy that a preference or a signal decides.
	Keys map[string]StoredKey

	// The signals of the policy by which the browser objects.
	Signals []ExplainedSignal
}

// StoredKey is the state of a consent key.
type StoredKey struct {
	Consent policy.Consent

	// The browser's signal refuses the key, which the visitor left undecided.
	BySignal bool
}

// Made returns when the newest choice that counts was made. It is zero if no preference tells.
func (s *Stored) Made() (made time.Time) {
	for i := range s.Preferences {
		p := &s.Preferences[i]
		if p.State == policy.PreferenceValid.String() && p.Made != nil && p.Made.After(made) {
			made = *p.Made
		}
	}
	return made
}

// Stored returns what the stored preferences of the request say. The response depends on them, and on
// signals, from then on. [Visit.CompleteResponse] takes it for one that shows them, and keeps it
// out of shared caches.
func (v *Visit) Stored() Stored {
	e := v.enforcer
	choice, readings := e.preferences.ReadAll(e.keys, v.visitor.cookies(), nil)
	s := Stored{State: choice.State, Keys: map[string]StoredKey{}}
	for i := range readings {
		s.Preferences = append(s.Preferences, e.explainReading(&readings[i]))
	}
	for key, k := range e.keys {
		if c := choice.Consent(k); c != policy.Undecided {
			s.Keys[key] = StoredKey{Consent: c}
		}
	}
	for i := range e.signals {
		signal := &e.signals[i]
		if !v.visitor.objects(signal.header) {
			continue
		}
		s.Signals = append(s.Signals, ExplainedSignal{Signal: signal.signal, Header: signalFields[signal.signal]})
		for key, k := range e.keys {
			if _, decided := s.Keys[key]; signal.keys.Has(k) && !decided && !choice.InDoubt() {
				s.Keys[key] = StoredKey{Consent: policy.Refused, BySignal: true}
			}
		}
	}
	v.visitor.readOnce()
	v.response.varies, v.response.personal = true, true
	for _, k := range e.keys {
		v.response.dependsOn(&v.visitor, 1<<k)
	}
	return s
}

// StoredBy returns what the preferences would say in a browser that has stored these Set-Cookie lines,
// and no other cookie.
func (e *Enforcer) StoredBy(lines []string) Stored {
	var pairs []string
	for _, line := range lines {
		pair, attributes, _ := strings.Cut(line, ";")
		if !strings.Contains(attributes, "Max-Age=0") {
			pairs = append(pairs, pair)
		}
	}
	v := e.Visit(Request{Header: map[string][]string{"Cookie": {strings.Join(pairs, "; ")}}})
	v.tally.observer = nil
	return v.Stored()
}

// DefaultChoiceLife is how long a choice that [Visit.Choose] stores is kept if the preference has no
// max_age.
const DefaultChoiceLife = defaultChoiceLife
