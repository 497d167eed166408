package observe_test

import (
	"slices"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/wire"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
)

// Of a name that had nothing new for a thousand lines, one line in eight is looked at. Once there was
// something new, all are again. What is counted is exact.
func TestSampledAttributes(t *testing.T) {
	o := observe.New(noon)
	entry := o.SetEntry(observe.Name{Text: "sessionid", Kind: observe.Exact}, noon)
	p := o.Acquire()
	defer o.Release(p)
	at, host := observe.NewMoment(noon), observe.NewHost("data.city.example")
	lines := uint64(0)
	meet := func(attributes string) (looked bool) {
		lines++
		looked = entry.Count(p, observe.Enforce, observe.LetThrough, &at)
		if looked && !entry.IsKnown(p, attributes, &host) {
			o.RecordLine(entry, &wire.SetCookie{Name: "sessionid", Value: "1", Attributes: attributes},
				&host, nil, &at)
		}
		return looked
	}
	paths := func() []string {
		s, _ := sighting(o, observe.Set, "sessionid")
		return s.Paths
	}
	for range 500 {
		if !meet("Path=/; Secure; HttpOnly") {
			t.Fatal("a line is not looked at while the name is new")
		}
	}
	looked := 0
	for range 2000 {
		if meet("Path=/; Secure; HttpOnly") {
			looked++
		}
	}
	if looked < 500 || looked > 800 {
		t.Errorf("of 2500 lines that say the same, %d were looked at after the first 500", looked)
	}
	for range 8 {
		meet("Path=/app; Secure; HttpOnly")
	}
	if got := paths(); !slices.Equal(got, []string{"/", observe.OtherPath}) {
		t.Errorf("eight lines with another Path: the paths are %q", got)
	}
	for range 900 {
		if !meet("Path=/; Secure; HttpOnly") {
			t.Fatal("a line is not looked at though the name had something new")
		}
	}
	if s, _ := sighting(o, observe.Set, "sessionid"); s.Counts.Total(observe.Enforce) != lines {
		t.Errorf("%d lines are counted as %d", lines, s.Counts.Total(observe.Enforce))
	}
}
