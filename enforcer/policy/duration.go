package policy

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is a span of time. Written as text it takes the units of [time.ParseDuration] and `d`
// for days of 24 hours: `183d`, `36h`, `1d12h`. In JSON it is such a text, or a number of
// nanoseconds. A declared lifetime can also be [Session], which is written `session`.
type Duration time.Duration

// Session is the declared lifetime of a cookie that ends with the browser: one without Max-Age and
// Expires.
const Session = Duration(math.MinInt64 + 1)

const sessionWord = "session"

const day = Duration(24 * time.Hour)

// Spans that presets declare. Six, twelve and thirteen months are counted as cookie policies and
// authorities count them.
const (
	halfMinute     = Duration(30 * time.Second)
	oneMinute      = Duration(time.Minute)
	halfHour       = Duration(30 * time.Minute)
	sixMonths      = 183 * day
	twelveMonths   = 365 * day
	thirteenMonths = 395 * day
	thirtyYears    = 30 * 365 * day
)

// ParseDuration reads a duration such as `183d`, `36h` or `1d12h`. A sign before the days is that
// of the whole. The error is of type [Fault].
func ParseDuration(text string) (Duration, error) {
	before, rest, found := strings.Cut(text, "d")
	if !found {
		d, err := time.ParseDuration(text)
		if err != nil || Duration(d) > maxDays*day || Duration(d) < -maxDays*day {
			return 0, notDuration(text)
		}
		return Duration(d), nil
	}
	days, err := strconv.ParseInt(before, 10, 64)
	if err != nil || days < -maxDays || days > maxDays {
		return 0, notDuration(text)
	}
	if rest == "" {
		return Duration(days) * day, nil
	}
	d, err := time.ParseDuration(rest)
	if err != nil || rest[0] == '-' || rest[0] == '+' || Duration(d) > maxDays*day {
		return 0, notDuration(text)
	}
	if before[0] == '-' {
		d = -d
	}
	return Duration(days)*day + Duration(d), nil
}

// maxDays keeps sums of days and hours inside an int64 of nanoseconds.
const maxDays = 50_000

// ParseLifetime reads a declared lifetime: a duration, or `session`. The error is of type [Fault].
func ParseLifetime(text string) (Duration, error) {
	if text == sessionWord {
		return Session, nil
	}
	d, err := ParseDuration(text)
	if err != nil && Near(text, []string{sessionWord}) != "" {
		return 0, Fault{Word: text, Problem: "no such lifetime",
			Right: "write session, or a duration such as 183d"}
	}
	return d, err
}

// String writes whole days as `183d`, [Session] as `session`, everything else as [time.Duration] does.
func (d Duration) String() string {
	if d == Session {
		return sessionWord
	}
	if d != 0 && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	return time.Duration(d).String()
}

// MarshalJSON writes the duration as text.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(d.String()) }

// UnmarshalJSON reads a text, such as `183d` or `session`, or a number of nanoseconds. Null changes
// nothing. A value that is not a duration is stored as noDuration, which [Policy.Faults] reports.
func (d *Duration) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	var text string
	var err error
	switch {
	case json.Unmarshal(b, &text) != nil:
		if err = json.Unmarshal(b, (*int64)(d)); *d == Session {
			*d = noDuration
		}
	case text == sessionWord:
		*d = Session
	default:
		*d, err = ParseDuration(text)
	}
	if err != nil || *d == 0 {
		*d = noDuration
	}
	return nil
}

// noDuration stands for a value that is not a duration or is zero. [Policy.Faults] reports it.
const noDuration = Duration(math.MinInt64)
