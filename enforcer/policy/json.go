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
	var fields struct {
		Presets, Allow, Preference []json.RawMessage
		Evidence                   json.RawMessage
	}
	_ = json.Unmarshal(b, &fields)
	var bad map[string]string
	look := func(path string, object json.RawMessage, names ...string) {
		var members map[string]json.RawMessage
		_ = json.Unmarshal(object, &members) // the short form of a preset has none
		for _, name := range names {
			var parsed Duration
			raw := members[name]
			if len(raw) > 0 && json.Unmarshal(raw, &parsed) == nil && parsed == noDuration {
				text := string(raw)
				_ = json.Unmarshal(raw, &text)
				if bad == nil {
					bad = map[string]string{}
				}
				bad[path+"."+name] = text
			}
		}
	}
	for list, items := range map[string][]json.RawMessage{
		"presets": fields.Presets, "allow": fields.Allow, "preference": fields.Preference,
	} {
		for i, item := range items {
			look(fmt.Sprintf("%s[%d]", list, i), item, "lifetime", "max_age")
		}
	}
	look("evidence", fields.Evidence, "interval", "keep")
	return bad
}
