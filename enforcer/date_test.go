package enforcer

import (
	"net/http"
	"testing"
	"time"
)

func TestDatesInEveryFormOnWhichBrowsersAgreeAreRead(t *testing.T) {
	epoch := time.Unix(0, 0).UTC()
	for _, c := range []struct {
		what, text string
		want       time.Time
	}{
		{"RFC 1123", "Thu, 01 Jan 1970 00:00:00 GMT", epoch},
		{"RFC 850, with hyphens and two digits of year", "Thursday, 01-Jan-70 00:00:00 GMT", epoch},
		{"hyphens and four digits of year", "Thu, 01-Jan-1970 00:00:00 GMT", epoch},
		{"asctime", "Thu Jan  1 00:00:00 1970", epoch},
		{"an offset of nothing", "Thu, 01 Jan 1970 00:00:00 +0000", epoch},
		{"an offset, which is ignored", "Thu, 01 Jan 1970 00:00:00 -0700", epoch},
		{"an offset behind the name of a zone", "Thu Jan 01 1970 00:00:00 GMT+0100 (CET)", epoch},
		{"no weekday and no zone", "1 Jan 1970 0:0:0", epoch},
		{"the time first", "00:00:00 1 January 1970", epoch},
		{"any case", "thu, 01 jAN 1970 00:00:00 gmt", epoch},
		{"blanks, tabs and commas at will", "\t Thu,,01,\tJan , 1970 00:00:00", epoch},
		{"the last second of a day", "Wed, 14 Jan 2026 23:59:59 GMT", time.Date(2026, 1, 14, 23, 59, 59, 0, time.UTC)},
		{"a leap day", "Thu, 29 Feb 2024 12:00:00 GMT", time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)},
		{"two digits of year from 70 on are of the last century", "01 Jan 99 00:00:00", time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)},
		{"two digits of year up to 69 are of this century", "01 Jan 69 00:00:00", time.Date(2069, 1, 1, 0, 0, 0, 0, time.UTC)},
		{"the first year that every browser reads", "01 Jan 1602 00:00:00", time.Date(1602, 1, 1, 0, 0, 0, 0, time.UTC)},
		{"the last year of four digits", "31 Dec 9999 23:59:59", time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)},
	} {
		t.Run(c.what, func(t *testing.T) {
			if got, ok := parseDate(c.text); !ok || !got.Equal(c.want) {
				t.Errorf("%q was read as %v, %t; want %v", c.text, got, ok, c.want)
			}
		})
	}
}

func TestDatesThatSomeBrowserReadsOtherwiseAreNotRead(t *testing.T) {
	for _, c := range []struct{ what, text string }{
		{"nothing", ""},
		{"no date", "yesterday"},
		{"a number", "0"},
		{"a negative number", "-1"},
		{"seconds since 1970", "1000000000"},
		{"ISO 8601", "1970-01-01T00:00:00Z"},
		{"a month by its number", "01 01 1970 00:00:00"},
		{"no day", "Jan 1970 00:00:00"},
		{"no month", "Thu, 01 1970 00:00:00"},
		{"no year", "Thu, 01 Jan 00:00:00"},
		{"no time", "Thu, 01 Jan 1970"},
		{"no seconds", "Thu, 01 Jan 1970 00:00"},
		{"fractions of seconds", "Thu, 01 Jan 1970 00:00:00:00"},
		{"two times", "Thu, 01 Jan 1970 00:00:00 00:00:00"},
		{"a day that the month does not have", "30 Feb 2020 00:00:00"},
		{"a leap day of another year", "29 Feb 2023 00:00:00"},
		{"the day 0", "00 Jan 1970 00:00:00"},
		{"the day 32", "32 Jan 1970 00:00:00"},
		{"the hour 24", "01 Jan 1970 24:00:00"},
		{"the minute 60", "01 Jan 1970 00:60:00"},
		{"the second 60", "01 Jan 1970 00:00:60"},
		{"three digits of hour", "01 Jan 1970 000:00:00"},
		{"three digits of year", "01 Jan 970 00:00:00"},
		{"five digits of year", "01 Jan 01970 00:00:00"},
		{"the year 1601", "Mon, 01 Jan 1601 00:00:00 GMT"},
		{"the year 0", "01 Jan 0000 00:00:00"},
		{"the year 70 in four digits", "01 Jan 0070 00:00:00"},
		{"two years", "01 Jan 1970 2070 00:00:00"},
		{"a two-digit year before the day, which exceeds the month", "70 Jan 01 00:00:00"},
		{"letters after the day", "1st Jan 1970 00:00:00"},
		{"letters after the year", "01 Jan 1970AD 00:00:00"},
		{"letters after the time", "01 Jan 1970 00:00:00Z"},
		{"a month cut short", "01 Ja 1970 00:00:00"},
		{"an offset of two digits", "01 Jan 1970 00:00:00 +01"},
		{"an offset beyond any zone, that shifts the date by days", "01 Jan 1970 00:00:00 -9959"},
		{"an offset of more than half a day", "01 Jan 1970 00:00:00 -1201"},
		{"digits that are not ASCII", "٠١ Jan 1970 00:00:00"},
	} {
		t.Run(c.what, func(t *testing.T) {
			if got, ok := parseDate(c.text); ok {
				t.Errorf("%q was read as %v", c.text, got)
			}
		})
	}
}

func TestEveryDateOfNetHTTPIsReadAsItWasMeant(t *testing.T) {
	for at := time.Date(1971, 1, 31, 1, 2, 3, 0, time.UTC); at.Year() < 2068; at = at.Add(1234567 * time.Second) {
		for _, layout := range []string{http.TimeFormat, time.RFC850, time.ANSIC} {
			text := at.Format(layout)
			if got, ok := parseDate(text); !ok || !got.Equal(at) {
				t.Fatalf("%q was read as %v, %t", text, got, ok)
			}
		}
	}
}
