package wire

import (
	"strings"
	"time"
)

// ParseDate reads a cookie date in every form on which browsers agree, and no other.
//
// RFC 6265bis section 5.6.1 is forgiving: any order, any delimiters. Chromium follows it except for
// tokens that are not plain numbers; Firefox has a parser of its own, which gives up at delimiters
// that it does not expect. ParseDate reads what they have in common: one day of month, one month by
// its English name, one year of two or four digits, and one time of day, in any order but with the
// day before a two-digit year, separated by spaces, tabs and commas, or by one hyphen or slash in the
// order 31-Dec-1999.
//
// It ignores names of weekdays and time zones, and an offset such as +0200 at the end: zones shift a
// date by half a day at most, which is why callers allow a day's margin. Some browsers would shift a
// date by days for a larger offset, so such a date is not read. Neither is a year up to 1601, which
// some browsers do not read, nor a text of more than 128 bytes, which no server writes.
func ParseDate(text string) (time.Time, bool) {
	if date, ok := parseFixedDate(text); ok {
		return date, true
	}
	return parseAnyDate(text)
}

// parseFixedDate reads a date in the form in which HTTP asks servers to write it, such as
// `Thu, 01 Jan 1970 00:00:00 GMT` (RFC 9110 section 5.6.7). Almost all dates have it. It reports false for
// any other date, and for one that may be wrong.
func parseFixedDate(text string) (date time.Time, ok bool) {
	if len(text) != len("Thu, 01 Jan 1970 00:00:00 GMT") || text[3:5] != ", " || text[7] != ' ' ||
		text[11] != ' ' || text[16] != ' ' || text[19] != ':' || text[22] != ':' || text[25:] != " GMT" {
		return date, false
	}
	switch text[:3] {
	case "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun":
	default:
		return date, false
	}
	var numbers [6]int // day, century, year, hour, minute, second
	for i, place := range [...]int{5, 12, 14, 17, 20, 23} {
		tens, ones := text[place]-'0', text[place+1]-'0'
		if tens > 9 || ones > 9 {
			return date, false
		}
		numbers[i] = 10*int(tens) + int(ones)
	}
	month := monthNamed(text[8:11])
	day, year := numbers[0], 100*numbers[1]+numbers[2]
	hour, minute, second := numbers[3], numbers[4], numbers[5]
	if month == 0 || day == 0 || day > 28 && day > daysIn(month, year) || year <= 1601 ||
		hour > 23 || minute > 59 || second > 59 {
		return date, false
	}
	return time.Date(year, month, day, hour, minute, second, 0, time.UTC), true
}

// daysIn returns the number of days of a month.
func daysIn(month time.Month, year int) int {
	return time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// parseAnyDate reads a date in any form.
func parseAnyDate(text string) (time.Time, bool) {
	if len(text) > maxDate {
		return time.Time{}, false
	}
	var (
		dayOfMonth, year, hour, minute, second int
		month                                  time.Month
		hasDay, hasYear, hasTime               bool
		before                                 datePart // the part that was read last
	)
	for rest := text; ; {
		token, after := nextToken(rest)
		delimiters := rest[:len(rest)-len(after)-len(token)]
		rest = after
		plain := isPlainDelimiter(delimiters)
		joined := delimiters == "-" || delimiters == "/"
		// Behind the time of day both parsers skip everything that is not a number, if nothing is missing.
		complete := before == timePart && hasDay && month != 0 && hasYear
		if token == "" {
			if !plain && !complete {
				return time.Time{}, false
			}
			break
		}
		switch {
		case token[0] < '0' || token[0] > '9':
			m := monthNamed(token)
			switch {
			case complete:
			case m != 0 && month == 0 && (plain || joined && before == dayPart):
				month, before = m, monthPart
			case m != 0 && month == 0, !plain && before != noPart:
				return time.Time{}, false
			default:
				before = wordPart
			}
		case strings.IndexByte(token, ':') >= 0:
			var ok bool
			if hour, minute, second, ok = parseTimeOfDay(token); !ok || hasTime || !plain {
				return time.Time{}, false
			}
			hasTime, before = true, timePart
		default:
			n, ok := number(token)
			switch {
			case ok && len(token) <= 2 && !hasDay && plain:
				dayOfMonth, hasDay, before = n, true, dayPart
			case ok && (len(token) == 2 || len(token) == 4) && !hasYear &&
				(plain || joined && before == monthPart && hasDay):
				year, hasYear, before = n, true, yearPart
				if len(token) == 2 {
					year = fullYear(n)
				}
			case ok && len(token) == 4 && n <= maxOffset && complete &&
				(strings.HasSuffix(delimiters, "+") || strings.HasSuffix(delimiters, "-")):
			default:
				return time.Time{}, false
			}
		}
	}
	if !hasDay || month == 0 || !hasYear || !hasTime || year <= 1601 {
		return time.Time{}, false
	}
	date := time.Date(year, month, dayOfMonth, hour, minute, second, 0, time.UTC)
	if date.Day() != dayOfMonth { // the month has no such day
		return time.Time{}, false
	}
	return date, true
}

// maxDate bounds the work for a date, in bytes.
const maxDate = 128

// datePart is what a token of a date was read as.
type datePart uint8

const (
	noPart datePart = iota
	wordPart
	dayPart
	monthPart
	yearPart
	timePart
)

// maxOffset is the largest offset of a zone that is read, in hours and minutes.
const maxOffset = 1200

// nextToken returns the first run of non-delimiters in s and what follows it.
func nextToken(s string) (token, rest string) {
	start := 0
	for start < len(s) && dateDelimiters[s[start]] {
		start++
	}
	end := start
	for end < len(s) && !dateDelimiters[s[end]] {
		end++
	}
	return s[start:end], s[end:]
}

// dateDelimiters are the delimiters of the grammar of RFC 6265bis section 5.6.1.
var dateDelimiters = func() (delimiters [256]bool) {
	for c := range delimiters {
		delimiters[c] = c == '\t' || ' ' <= c && c <= '/' || ';' <= c && c <= '@' ||
			'[' <= c && c <= '`' || '{' <= c && c <= '~'
	}
	return delimiters
}()

// isPlainDelimiter reports whether there are only spaces, tabs and commas.
func isPlainDelimiter(delimiters string) bool {
	for i := range len(delimiters) {
		if c := delimiters[i]; c != ' ' && c != '\t' && c != ',' {
			return false
		}
	}
	return true
}

// monthNamed returns the month with whose English name, or the first three letters of it, a token
// begins, or 0. Firefox does not read a token with a digit in it.
func monthNamed(token string) time.Month {
	if len(token) < 3 {
		return 0
	}
	month := monthOf([3]byte{token[0] | 0x20, token[1] | 0x20, token[2] | 0x20}) // in lower case
	if month != 0 && strings.ContainsAny(token[3:], "0123456789") {
		return 0
	}
	return month
}

func monthOf(abbreviation [3]byte) time.Month {
	switch abbreviation {
	case [3]byte{'j', 'a', 'n'}:
		return time.January
	case [3]byte{'f', 'e', 'b'}:
		return time.February
	case [3]byte{'m', 'a', 'r'}:
		return time.March
	case [3]byte{'a', 'p', 'r'}:
		return time.April
	case [3]byte{'m', 'a', 'y'}:
		return time.May
	case [3]byte{'j', 'u', 'n'}:
		return time.June
	case [3]byte{'j', 'u', 'l'}:
		return time.July
	case [3]byte{'a', 'u', 'g'}:
		return time.August
	case [3]byte{'s', 'e', 'p'}:
		return time.September
	case [3]byte{'o', 'c', 't'}:
		return time.October
	case [3]byte{'n', 'o', 'v'}:
		return time.November
	case [3]byte{'d', 'e', 'c'}:
		return time.December
	}
	return 0
}

func parseTimeOfDay(token string) (hour, minute, second int, ok bool) {
	h, rest, _ := strings.Cut(token, ":")
	m, s, _ := strings.Cut(rest, ":")
	hour, ok1 := number(h)
	minute, ok2 := number(m)
	second, ok3 := number(s)
	fit := len(h) <= 2 && len(m) <= 2 && len(s) <= 2 && hour < 24 && minute < 60 && second < 60
	return hour, minute, second, ok1 && ok2 && ok3 && fit
}

// fullYear adds the century to a year of two digits (RFC 6265bis section 5.6.1, steps 3 and 4).
func fullYear(year int) int {
	if year < 70 {
		return year + 2000
	}
	return year + 1900
}

// number reads up to four digits and nothing else.
func number(s string) (n int, ok bool) {
	if s == "" || len(s) > 4 {
		return 0, false
	}
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return n, true
}

// hasMonth reports whether a token of text is the name of a month.
func hasMonth(text string) bool {
	for token, rest := nextToken(text); token != ""; token, rest = nextToken(rest) {
		if monthNamed(token) != 0 {
			return true
		}
	}
	return false
}

// maxZoneShift is how much later than in GMT a date can be to Firefox, which applies time zones of
// any four digits, AM and PM.
const maxZoneShift = 101 * time.Hour

// isInGMT reports whether every browser reads a date as one in GMT: nothing but that, and perhaps the
// year, follows its time of day.
func isInGMT(text string) bool {
	zone := Trim(strings.TrimLeft(text[strings.LastIndexByte(text, ':')+1:], "0123456789 \t"))
	return zone == "" || EqualFold(zone, "gmt") || EqualFold(zone, "utc")
}

// mayBeFuture reports whether some browser may read a date after last year in text: whether there is
// a number in it that can be such a year. Firefox reads numbers in places where nobody expects them.
func mayBeFuture(text string, thisYear int) bool {
	for i := 0; i < len(text); {
		if !isDigit(text, i) {
			i++
			continue
		}
		start, year := i, 0
		for ; isDigit(text, i); i++ {
			year = min(10*year+int(text[i]-'0'), 1e6)
		}
		inTime := start > 0 && text[start-1] == ':' || i < len(text) && text[i] == ':'
		if year < 100 {
			year = fullYear(year)
		}
		if !inTime && year >= thisYear-1 {
			return true
		}
	}
	return false
}
