package wire

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestParseDate(t *testing.T) {
	epoch := time.Unix(0, 0).UTC()
	for _, c := range []struct {
		what, text string
		want       time.Time
	}{
		{"RFC 1123", "Thu, 01 Jan 1970 00:00:00 GMT", epoch},
		{"RFC 850, with hyphens and two digits of year", "Thursday, 01-Jan-70 00:00:00 GMT", epoch},
		{"hyphens and four digits of year", "Thu, 01-Jan-1970 00:00:00 GMT", epoch},
		{"asctime", "Thu Jan  1 00:00:00 1970", epoch},
		{"offset of zero", "Thu, 01 Jan 1970 00:00:00 +0000", epoch},
		{"an offset is ignored", "Thu, 01 Jan 1970 00:00:00 -0700", epoch},
		{"offset after the name of a zone", "Thu Jan 01 1970 00:00:00 GMT+0100 (CET)", epoch},
		{"no weekday and no zone", "1 Jan 1970 0:0:0", epoch},
		{"time first", "00:00:00 1 January 1970", epoch},
		{"any case", "thu, 01 jAN 1970 00:00:00 gmt", epoch},
		{"any blanks and commas", "\t Thu,,01,\tJan , 1970 00:00:00", epoch},
		{"last second of a day", "Wed, 14 Jan 2026 23:59:59 GMT",
			time.Date(2026, 1, 14, 23, 59, 59, 0, time.UTC)},
		{"leap day", "Thu, 29 Feb 2024 12:00:00 GMT", time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)},
		{"two digits of year from 70 on: last century", "01 Jan 99 00:00:00",
			time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)},
		{"two digits of year up to 69: this century", "01 Jan 69 00:00:00",
			time.Date(2069, 1, 1, 0, 0, 0, 0, time.UTC)},
		{"first year that every browser reads", "01 Jan 1602 00:00:00",
			time.Date(1602, 1, 1, 0, 0, 0, 0, time.UTC)},
		{"last year of four digits", "31 Dec 9999 23:59:59",
			time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)},
	} {
		t.Run(c.what, func(t *testing.T) {
			if got, ok := ParseDate(c.text); !ok || !got.Equal(c.want) {
				t.Errorf("ParseDate(%q) = %v, %t; want %v", c.text, got, ok, c.want)
			}
		})
	}
}

// TestParseDateRejects: some browser reads these dates differently, or not at all.
func TestParseDateRejects(t *testing.T) {
	for _, c := range []struct{ what, text string }{
		{"nothing", ""},
		{"no date", "yesterday"},
		{"number", "0"},
		{"negative number", "-1"},
		{"seconds since 1970", "1000000000"},
		{"ISO 8601", "1970-01-01T00:00:00Z"},
		{"month as a number", "01 01 1970 00:00:00"},
		{"no day", "Jan 1970 00:00:00"},
		{"no month", "Thu, 01 1970 00:00:00"},
		{"no year", "Thu, 01 Jan 00:00:00"},
		{"no time", "Thu, 01 Jan 1970"},
		{"no seconds", "Thu, 01 Jan 1970 00:00"},
		{"fractions of seconds", "Thu, 01 Jan 1970 00:00:00:00"},
		{"two times", "Thu, 01 Jan 1970 00:00:00 00:00:00"},
		{"a day that the month does not have", "30 Feb 2020 00:00:00"},
		{"leap day of another year", "29 Feb 2023 00:00:00"},
		{"day 0", "00 Jan 1970 00:00:00"},
		{"day 32", "32 Jan 1970 00:00:00"},
		{"hour 24", "01 Jan 1970 24:00:00"},
		{"minute 60", "01 Jan 1970 00:60:00"},
		{"second 60", "01 Jan 1970 00:00:60"},
		{"three digits of hour", "01 Jan 1970 000:00:00"},
		{"three digits of year", "01 Jan 970 00:00:00"},
		{"five digits of year", "01 Jan 01970 00:00:00"},
		{"year 1601", "Mon, 01 Jan 1601 00:00:00 GMT"},
		{"year 0", "01 Jan 0000 00:00:00"},
		{"year 70 in four digits", "01 Jan 0070 00:00:00"},
		{"two years", "01 Jan 1970 2070 00:00:00"},
		{"two-digit year before the day", "70 Jan 01 00:00:00"},
		{"letters after the day", "1st Jan 1970 00:00:00"},
		{"letters after the year", "01 Jan 1970AD 00:00:00"},
		{"letters after the time", "01 Jan 1970 00:00:00Z"},
		{"month cut short", "01 Ja 1970 00:00:00"},
		{"digit after the month", "15 Jan1-1970 12:00:00"},
		{"digit in the month", "15 Janu4ry 1970 12:00:00"},
		{"offset of two digits", "01 Jan 1970 00:00:00 +01"},
		{"an offset that shifts the date by days", "01 Jan 1970 00:00:00 -9959"},
		{"offset of more than half a day", "01 Jan 1970 00:00:00 -1201"},
		{"digits that are not ASCII", "٠١ Jan 1970 00:00:00"},
	} {
		t.Run(c.what, func(t *testing.T) {
			if got, ok := ParseDate(c.text); ok {
				t.Errorf("ParseDate(%q) = %v", c.text, got)
			}
		})
	}
}

func TestParseDateReadsNetHTTP(t *testing.T) {
	at := time.Date(1971, 1, 31, 1, 2, 3, 0, time.UTC)
	for ; at.Year() < 2068; at = at.Add(1234567 * time.Second) {
		for _, layout := range []string{http.TimeFormat, time.RFC850, time.ANSIC} {
			text := at.Format(layout)
			if got, ok := ParseDate(text); !ok || !got.Equal(at) {
				t.Fatalf("ParseDate(%q) = %v, %t", text, got, ok)
			}
		}
	}
}

var (
	standardTime = regexp.MustCompile(`^(\d{1,2}):(\d{1,2}):(\d{1,2})(\D|$)`)
	standardDay  = regexp.MustCompile(`^(\d{1,2})(\D|$)`)
	standardYear = regexp.MustCompile(`^(\d{2,4})(\D|$)`)
	standardDate = regexp.MustCompile(`[^\t\x20-\x2f\x3b-\x40\x5b-\x60\x7b-\x7e]+`) // a token
)

// readStandardDate reads a date by RFC 6265bis section 5.6.1, word for word.
func readStandardDate(text string) (date time.Time, ok bool) {
	const months = "jan feb mar apr may jun jul aug sep oct nov dec "
	var times, days, years []string
	month := 0
	for _, token := range standardDate.FindAllString(text, -1) {
		prefix := strings.ToLower(token[:min(3, len(token))]) + " "
		switch {
		case times == nil && standardTime.MatchString(token):
			times = standardTime.FindStringSubmatch(token)
		case days == nil && standardDay.MatchString(token):
			days = standardDay.FindStringSubmatch(token)
		case month == 0 && len(prefix) == 4 && strings.Contains(months, prefix):
			month = strings.Index(months, prefix)/4 + 1
		case years == nil && standardYear.MatchString(token):
			years = standardYear.FindStringSubmatch(token)
		}
	}
	if times == nil || days == nil || month == 0 || years == nil {
		return date, false
	}
	n := map[string]int{}
	for name, digits := range map[string]string{
		"hour": times[1], "minute": times[2], "second": times[3], "day": days[1], "year": years[1],
	} {
		n[name], _ = strconv.Atoi(digits)
	}
	switch year := n["year"]; {
	case year <= 69:
		n["year"] += 2000
	case year <= 99:
		n["year"] += 1900
	}
	date = time.Date(n["year"], time.Month(month), n["day"], n["hour"], n["minute"], n["second"], 0, time.UTC)
	exists := date.Day() == n["day"] && n["hour"] < 24 && n["minute"] < 60 && n["second"] < 60
	return date, exists && n["year"] >= 1601
}

// FuzzParseDate: a date that is read is the one that the standard reads; the most forgiving reader
// reads it alike.
func FuzzParseDate(f *testing.F) {
	for _, text := range []string{
		"Thu, 01 Jan 1970 00:00:00 GMT", "Thursday, 01-Jan-70 00:00:00 GMT",
		"Thu Jan  1 00:00:00 1970", "Thu Jan 01 1970 00:00:00 GMT+0100 (CET)",
		"00:00:00 1 January 1970", "15/Jan/2040 12:00:00", "15 Jan1-1970 12:00:00",
		"15 Jan 2027 12:00:00 2030", "2027 Jan 15 12:00:00", "JAn 1 0:0:0 00", "30 Feb 2027 12:00:00",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		date, ok := ParseDate(text)
		if !ok {
			return
		}
		if standard, ok := readStandardDate(text); !ok || !standard.Equal(date) {
			t.Errorf("ParseDate(%q) = %v; by the standard it is %v, %t", text, date, standard, ok)
		}
		if any, ok := parseAnyDate(text); !ok || !any.Equal(date) {
			t.Errorf("ParseDate(%q) = %v; without a look at its form it is %v, %t", text, date, any, ok)
		}
		if date.Year() >= noon.Year() && !mayBeFuture(text, noon.Year()) {
			t.Errorf("ParseDate(%q) = %v, and mayBeFuture is false", text, date)
		}
	})
}

// A date of more than 128 bytes is not read: the work for one is bounded.
func TestParseDateIsBounded(t *testing.T) {
	const date = "Thu, 01 Jan 1970 00:00:00 GMT"
	for _, c := range []struct {
		bytes int
		want  bool
	}{{128, true}, {129, false}} {
		if _, ok := ParseDate(strings.Repeat(" ", c.bytes-len(date)) + date); ok != c.want {
			t.Errorf("%d bytes: read is %t", c.bytes, ok)
		}
	}
}
