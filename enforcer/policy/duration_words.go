package policy

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const anyDuration = "write one such as 30m, 12h or 183d"

// notDuration is the fault of a text that is not a duration. It says which duration is meant where the
// text says that in words.
func notDuration(text string) Fault {
	f := Fault{Word: text, Problem: "this is not a duration", Right: anyDuration}
	if d, ok := inWords(text); ok {
		f.Right = "write " + shortest(d)
	} else if n, err := strconv.ParseInt(text, 10, 64); err == nil && n > 0 {
		f.Problem = "this duration has no unit"
		f.Right = fmt.Sprintf("write %ds for seconds", n)
		if n <= maxDays {
			f.Right += fmt.Sprintf(", or %dd for days", n)
		}
	}
	return f
}

// A span in words, such as `6 months`, `1 year and 1 month` or `2w`.
var (
	spanInWords  = regexp.MustCompile(`^(?:([0-9]{1,9}) *([a-z]+)(?: *,? *(?:and )? *)?)+$`)
	partsInWords = regexp.MustCompile(`([0-9]+) *([a-z]+)`)
)

// inWords reads a span in words. Six, twelve and thirteen months are 183, 365 and 395 days, and others
// as many days as that makes of them.
func inWords(text string) (Duration, bool) {
	text = strings.ToLower(strings.TrimSpace(text))
	if len(text) > 64 || !spanInWords.MatchString(text) {
		return 0, false
	}
	var total time.Duration
	for _, part := range partsInWords.FindAllStringSubmatch(text, -1) {
		n, _ := strconv.ParseInt(part[1], 10, 64)
		unit := time.Duration(day)
		switch part[2] {
		case "s", "sec", "secs", "second", "seconds":
			unit = time.Second
		case "m", "min", "mins", "minute", "minutes":
			unit = time.Minute
		case "h", "hr", "hrs", "hour", "hours":
			unit = time.Hour
		case "d", "day", "days":
		case "w", "week", "weeks":
			n *= 7
		case "mo", "month", "months":
			n = (365*n + 6) / 12
		case "y", "yr", "yrs", "year", "years":
			n *= 365
		default:
			return 0, false
		}
		const most = maxDays * time.Duration(day)
		if time.Duration(n) > most/unit {
			return 0, false
		}
		if total += time.Duration(n) * unit; total <= 0 || total > most {
			return 0, false
		}
	}
	return Duration(total), true
}

// shortest writes a duration as people do: 183d, 1d12h, 30m.
func shortest(d Duration) string {
	days := ""
	if d >= day {
		days = strconv.Itoa(int(d/day)) + "d"
	}
	rest := time.Duration(d % day).String()
	if strings.HasSuffix(rest, "m0s") {
		rest = strings.TrimSuffix(rest, "0s")
	}
	if strings.HasSuffix(rest, "h0m") {
		rest = strings.TrimSuffix(rest, "0m")
	}
	if rest == "0s" && days != "" {
		rest = ""
	}
	return days + rest
}
