package languages

import (
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/feature/plural"
)

// durations are the words for spans of time.
type durations struct {
	Second unit `json:"second"`
	Minute unit `json:"minute"`
	Hour   unit `json:"hour"`
	Day    unit `json:"day"`
	Month  unit `json:"month"`
	Year   unit `json:"year"`

	// What stands between two parts: "1 day, 12 hours".
	Separator string `json:"separator"`
}

// unit is a text for each plural form of the language (CLDR: zero, one, two, few, many, other), with
// the number as {n}.
type unit map[string]Text

var formNames = map[plural.Form]string{
	plural.Zero: "zero", plural.One: "one", plural.Two: "two", plural.Few: "few",
	plural.Many: "many", plural.Other: "other",
}

const day = 24 * time.Hour

// months are the spans that cookie policies and authorities call so many months.
var months = map[time.Duration]int{183 * day: 6, 365 * day: 12, 395 * day: 13}

// Duration writes a span of time exactly, a fraction of a second as a whole one. 183, 365 and 395
// days are six, twelve and thirteen months; whole years of 365 days from two on are years; all else
// is days, hours, minutes and seconds.
func (l *Language) Duration(d time.Duration) string {
	const year = 365 * day
	d = max(d, 0)
	if n, ok := months[d]; ok {
		return l.count(n, l.file.Durations.Month)
	}
	if d > year && d%year == 0 {
		return l.count(int(d/year), l.file.Durations.Year)
	}
	seconds := int64(d / time.Second)
	if d%time.Second > 0 {
		seconds++
	}
	var parts []string
	for _, u := range []struct {
		seconds int64
		words   unit
	}{
		{24 * 60 * 60, l.file.Durations.Day}, {60 * 60, l.file.Durations.Hour},
		{60, l.file.Durations.Minute}, {1, l.file.Durations.Second},
	} {
		if n := int(seconds / u.seconds); n > 0 {
			parts = append(parts, l.count(n, u.words))
			seconds %= u.seconds
		}
	}
	if len(parts) == 0 {
		return l.count(0, l.file.Durations.Second)
	}
	return strings.Join(parts, l.file.Durations.Separator)
}

// count writes a number of something.
func (l *Language) count(n int, u unit) string {
	form := plural.Cardinal.MatchPlural(l.tag, n, 0, 0, 0, 0)
	text, ok := u[formNames[form]]
	if !ok {
		text = u["other"]
	}
	return strings.Replace(string(text), "{n}", strconv.Itoa(n), 1)
}

// dates are the words for days.
type dates struct {
	// The order of {day}, {month} and {year}.
	Pattern Text `json:"pattern"`

	// The first day of a month: "1", "1er".
	FirstDay string `json:"first_day"`

	// The months as they stand in a date, from January on.
	Months []string `json:"months"`
}

// Date writes the day of a time, in the time's own location.
func (l *Language) Date(t time.Time) string {
	number := strconv.Itoa(t.Day())
	if t.Day() == 1 {
		number = l.file.Dates.FirstDay
	}
	return strings.NewReplacer(
		"{day}", number, "{month}", l.file.Dates.Months[t.Month()-1], "{year}", strconv.Itoa(t.Year()),
	).Replace(string(l.file.Dates.Pattern))
}
