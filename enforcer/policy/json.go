package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// MarshalJSON writes a preset without options as its name.
func (p Preset) MarshalJSON() ([]byte, error) {
	type plain Preset
	b, err := json.Marshal(plain(p))
	if err != nil {
		return nil, err
	}
	name, err := json.Marshal(map[string]string{"name": p.Name})
	if err == nil && bytes.Equal(b, name) {
		return json.Marshal(p.Name)
	}
	return b, err
}

// UnmarshalJSON reads a name, or an object with a name and options. Unknown fields are an error.
func (p *Preset) UnmarshalJSON(b []byte) error {
	if json.Unmarshal(b, &p.Name) == nil {
		return nil
	}
	type plain Preset
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode((*plain)(p))
}

// UnmarshalJSON reads a policy. Unknown fields are an error. A duration that is not one is kept as a
// fault, to be reported with all others by [Policy.Faults].
func (p *Policy) UnmarshalJSON(b []byte) error {
	type plain Policy
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode((*plain)(p)); err != nil {
		return err
	}
	p.badDurations = badDurations(b)
	return nil
}

// badDurations returns the text of each duration in a policy's JSON that is not one, by its path.
func badDurations(b []byte) map[string]string {
	type durations struct {
		Lifetime json.RawMessage `json:"lifetime"`
		MaxAge   json.RawMessage `json:"max_age"`
	}
	var lists struct{ Presets, Allow, Preference []json.RawMessage }
	_ = json.Unmarshal(b, &lists)
	var bad map[string]string
	for list, items := range map[string][]json.RawMessage{
		"presets": lists.Presets, "allow": lists.Allow, "preference": lists.Preference,
	} {
		for i, item := range items {
			var d durations
			_ = json.Unmarshal(item, &d) // the short form of a preset has none
			for field, raw := range map[string]json.RawMessage{"lifetime": d.Lifetime, "max_age": d.MaxAge} {
				var parsed Duration
				if len(raw) > 0 && json.Unmarshal(raw, &parsed) == nil && parsed == noDuration {
					text := string(raw)
					_ = json.Unmarshal(raw, &text)
					if bad == nil {
						bad = map[string]string{}
					}
					bad[fmt.Sprintf("%s[%d].%s", list, i, field)] = text
				}
			}
		}
	}
	return bad
}
