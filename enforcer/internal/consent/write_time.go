package consent

import (
	"strconv"
	"strings"
	"time"
)

// timeLike writes a time as the old one is written: in seconds or milliseconds since 1970, or in ISO
// 8601, with as many digits behind the seconds.
func timeLike(old string, now time.Time) string {
	if n, ok := timeNumber([]byte(old)); ok {
		if n < firstMilliseconds {
			return strconv.FormatInt(now.Unix(), 10)
		}
		return milliseconds(now)
	}
	layout := time.DateOnly
	date, clock := old, ""
	if len(old) > len(layout) {
		date, clock = old[:len(layout)], old[len(layout):]
	}
	if clock == "" || len(date) < len(layout) {
		return now.UTC().Format(layout)
	}
	layout += clock[:1] + "15:04:05"
	if point := strings.IndexAny(clock, ".,"); point >= 0 {
		digits := 0
		for point+1+digits < len(clock) && '0' <= clock[point+1+digits] && clock[point+1+digits] <= '9' {
			digits++
		}
		layout += "." + strings.Repeat("0", min(digits, 9))
	}
	switch {
	case strings.HasSuffix(clock, "Z"):
		layout += "Z"
	case strings.ContainsAny(clock, "+-"):
		layout += "+00:00"
	}
	return now.UTC().Format(layout)
}

// firstMilliseconds is the first number that is a time in milliseconds.
const firstMilliseconds = 1e11

// milliseconds writes a time as the scripts of most tools do.
func milliseconds(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

// isoTime writes a time as Python's isoformat and JavaScript's toISOString do, but for the digits.
func isoTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000+00:00") }
