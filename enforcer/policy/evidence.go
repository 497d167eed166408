package policy

import (
	"cmp"
	"fmt"
	"time"
)

// Evidence says what is kept in Caddy's storage: the inventory, counts by day, and which policy was in
// force when. The zero Evidence keeps it with the defaults.
type Evidence struct {
	// Keep nothing in storage: what was observed ends with the process.
	Off bool `json:"off,omitempty"`

	// How often it is written. A crash loses what was observed since. Default: `1m`.
	Interval Duration `json:"interval,omitempty"`

	// How long days, past policies, and the evidence of gateways that no longer run are kept. Default:
	// `395d`.
	Keep Duration `json:"keep,omitempty"`
}

const (
	shortestInterval = Duration(time.Second)
	longestInterval  = day
	shortestKeep     = day
	longestKeep      = 3650 * day
)

// WithDefaults returns the evidence with its defaults written out.
func (e Evidence) WithDefaults() Evidence {
	e.Interval, e.Keep = cmp.Or(e.Interval, oneMinute), cmp.Or(e.Keep, thirteenMonths)
	return e
}

func (v *validator) evidence(e Evidence) {
	if e.Off && (e.Interval != 0 || e.Keep != 0) {
		v.fault("evidence.off", "off", "with off nothing is kept, and here is how to keep it",
			"remove off, or interval and keep")
	}
	for _, span := range []struct {
		path              string
		span              Duration
		shortest, longest Duration
	}{
		{"evidence.interval", e.Interval, shortestInterval, longestInterval},
		{"evidence.keep", e.Keep, shortestKeep, longestKeep},
	} {
		if v.duration(span.path, span.span) && (span.span < span.shortest || span.span > span.longest) {
			v.fault(span.path, span.span.String(), "this is not between the shortest and the longest time",
				fmt.Sprintf("want %s to %s", span.shortest, span.longest))
		}
	}
}
