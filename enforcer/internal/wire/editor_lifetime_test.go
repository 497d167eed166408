package wire

import (
	"strings"
	"testing"
	"time"
)

// limitToAnHour limits lifetimes to an hour, in a response with the given Date lines.
func limitToAnHour(dates ...string) func(*Editor) {
	return func(e *Editor) { e.LimitLifetime(time.Hour, clockAtNoon(dates...)) }
}

const (
	inAnHour = "Thu, 15 Jan 2026 13:00:00 GMT"
	inTwo    = "Thu, 15 Jan 2026 14:00:00 GMT"
	inAYear  = "Fri, 15 Jan 2027 12:00:00 GMT"

	hourAdded = "; Max-Age=3600"
)

func TestEditorLimitLifetime(t *testing.T) {
	over := strings.Repeat("9", 1025)
	checkEdits(t, []editCase{
		{"longer", "a=b; Max-Age=3601", "a=b; Max-Age=3600"},
		{"as long", "a=b; Max-Age=3600", ""},
		{"shorter", "a=b; Max-Age=3599", ""},
		{"a second", "a=b; Max-Age=1", ""},
		{"past int64", "a=b; Max-Age=99999999999999999999999999", "a=b; Max-Age=3600"},
		{"past int64 before a word", "a=b; Max-Age=9223372036854775808x", "a=b; Max-Age=3600"},
		{"zeros and the end of int64 before a fraction, a number to Chromium",
			"a=b; Max-Age=0009223372036854775807.5", "a=b"},
		{"zeros and a number past int64 before a fraction",
			"a=b; Max-Age=0009223372036854775808.5", "a=b; Max-Age=3600"},
		{"plus and a number past int64 before a number",
			"a=b; Max-Age=+99999999999999999999 1; Expires=" + inAYear,
			"a=b; Max-Age=3600; Expires=" + inAYear},
		{"leading zeros, longer", "a=b; Max-Age=0007200", "a=b; Max-Age=3600"},
		{"leading zeros, shorter", "a=b; Max-Age=0000600", ""},
		{"zero is a deletion", "a=b; Max-Age=0; Expires=" + inAYear, ""},
		{"a negative number is a deletion", "a=b; Max-Age=-1; Expires=" + inAYear, ""},
		{"a negative number past int64 is a deletion", "a=b; Max-Age=-99999999999999999999999999", ""},
		{"session cookie", "a=b", ""},
		{"session cookie with other attributes", "a=b; Path=/; HttpOnly; Secure", ""},
		{"only the bytes of the number change",
			` a = "b" ; max-AGE  =  7200 ;;Path=/ ; X`, ` a = "b" ; max-AGE  =  3600 ;;Path=/ ; X`},
		{"a line with a tab gets additions only",
			" a = \"b\" ; max-AGE \t=  7200 ;;Path=/ ; X",
			" a = \"b\" ; max-AGE \t=  7200 ;;Path=/ ; X; Max-Age=3600"},
		{"the last of two counts, longer", "a=b; Max-Age=60; Max-Age=7200", "a=b; Max-Age=60; Max-Age=3600"},
		{"the last of two counts, shorter", "a=b; Max-Age=7200; Max-Age=60", ""},
		{"the last of two counts, no number", "a=b; Max-Age=7200; Max-Age=abc", ""},
		{"the last is too long to count",
			"a=b; Max-Age=7200; Max-Age=" + over, "a=b; Max-Age=3600; Max-Age=" + over},
		{"Max-Age wins over Expires", "a=b; Expires=" + inAYear + "; Max-Age=60", ""},
		{"a longer Max-Age wins over Expires",
			"a=b; Max-Age=7200; Expires=" + inAYear, "a=b; Max-Age=3600; Expires=" + inAYear},
		{"a fraction is no number", "a=b; Max-Age=7200.5", ""},
		{"fraction, so Expires decides",
			"a=b; Max-Age=1.5; Expires=" + inAYear, "a=b; Max-Age=3600; Expires=" + inAYear},
		{"word, so Expires decides",
			"a=b; Max-Age=forever; Expires=" + inAYear, "a=b; Max-Age=3600; Expires=" + inAYear},
		{"blank, so Expires decides",
			"a=b; Max-Age=; Expires=" + inAYear, "a=b; Max-Age=3600; Expires=" + inAYear},
		{"no value, so Expires decides",
			"a=b; Max-Age; Expires=" + inAYear, "a=b; Max-Age=3600; Expires=" + inAYear},
		{"with a plus it is a number to Chromium alone: a session cookie to all",
			"a=b; Max-Age=+7200", "a=b"},
		{"shorter with a plus, and Expires decides in Firefox",
			"a=b; Max-Age=+60; Expires=" + inAYear, "a=b; Max-Age=+60"},
		{"shorter with a plus, and Expires in time", "a=b; Max-Age=+60; Expires=" + inAnHour, ""},
		{"a deletion in Firefox, and Expires decides in Chromium",
			"a=b; Max-Age=-x; Expires=" + inAYear, "a=b; Max-Age=-x"},
		{"the pair is no attribute", "a=Max-Age=7200", ""},
		{"names that only look like it", "a=b; XMax-Age=7200; Max-Ages=7200; Max Age=7200", ""},

		{"longer Expires", "a=b; Expires=" + inTwo, "a=b; Expires=" + inTwo + hourAdded},
		{"Expires as late", "a=b; Expires=" + inAnHour, ""},
		{"earlier Expires", "a=b; Expires=Thu, 15 Jan 2026 12:30:00 GMT", ""},
		{"Expires a minute ago", "a=b; Expires=Thu, 15 Jan 2026 11:59:00 GMT", ""},
		{"Expires long ago is a deletion", "a=b; Expires=Thu, 01 Jan 1970 00:00:00 GMT", ""},
		{"the last of two Expires counts",
			"a=b; Expires=" + inAnHour + "; Expires=" + inAYear,
			"a=b; Expires=" + inAnHour + "; Expires=" + inAYear + hourAdded},
		{"the bytes of the line stay",
			"a=b;EXPIRES= " + inAYear + " ;Path=/;", "a=b;EXPIRES= " + inAYear + " ;Path=/;" + hourAdded},
		{"no date", "a=b; Expires=never", ""},
		{"number", "a=b; Expires=0", ""},
		{"no year", "a=b; Expires=Fri, 15 Jan 12:00:00 GMT", ""},
		// In these there is a number that can be a year: perhaps some browser reads a date.
		{"seconds since 1970", "a=b; Expires=1800000000", "a=b"},
		{"ISO 8601", "a=b; Expires=2027-01-15T12:00:00Z", "a=b"},
		{"letters after the day", "a=b; Expires=15th Jan 2027 12:00:00 GMT", "a=b"},
		{"letters after the year", "a=b; Expires=15 Jan 2027AD 12:00:00 GMT", "a=b"},
		{"numbers between dots", "a=b; Expires=15.1.2027 12:00:00", "a=b"},
	}, limitToAnHour())
}

// TestEditorLimitLifetimeDates is about forms of a date in the far future. Where every browser reads
// it, Max-Age is added; otherwise Expires goes.
func TestEditorLimitLifetimeDates(t *testing.T) {
	for _, date := range []string{
		"Fri, 15 Jan 2027 12:00:00 GMT", "Friday, 15-Jan-27 12:00:00 GMT", "Fri Jan 15 12:00:00 2027",
		"15 jan 2027 12:00:00", "JANUARY 15, 2027 12:00:00", "15/Jan/2027 12:00:00 UTC",
		"12:00:00 15 Jan 2027", "Fri, 15 Jan 2027 1:2:3 GMT", "31 Dec 9999 23:59:59 GMT",
		"15 Jan 2027 12:00:00 +0200", "2027 Jan 15 12:00:00", "\tFri, 15 Jan 2027 12:00:00\t",
	} {
		line := "a=b; Expires=" + date + "; Path=/"
		if got, want := edited(t, line, limitToAnHour()), line+hourAdded; got != want {
			t.Errorf("%q became %q, want %q", line, got, want)
		}
	}
	tab := "a=b; Expires=\tFri,\t15 Jan 2027 12:00:00\t; Path=/" // rejected by Chromium
	if got, want := edited(t, tab, limitToAnHour()), tab+hourAdded; got != want {
		t.Errorf("%q became %q, want %q", tab, got, want)
	}
	for _, date := range []string{
		"15 Jan 02027 12:00:00", "15 Jan 2027 12:00:00 2030",
		"15 Jan 2027 012:00:00", "15 Jan 2027 12:00:00.000Z",
		// Chromium alone
		"15_Jan_2027_12:00:00", "15.Jan.2027 12:00:00", "15+Jan+2027 12:00:00", "15 Jan 027 12:00:00",
		"15 Jan 99999 12:00:00", "15-Jan1-2027 12:00:00",
		// Firefox alone
		"Fri, 15 Jan 2027", "Jan 15 2027", "15 Jan 2027 12:00", "15 Jan 2027 12:00:00AM",
		"15 Jan 2027 12:00:00Z", "15 Jan 2027 24:00:00", "30 Feb 2027 12:00:00", "0 Jan 2027 12:00:00",
		"15 Jan 2027 x12:00:00", "01/15/2027", "1/15/2027 12:00:00", "15/1/27", "15-01-2027 12:00:00",
		"Fri, 01-15-27 12:00 PM", "31-12-99", "1/31/2030 Jan 1 1999 00:00:00",
	} {
		for _, line := range []string{
			"a=b; Expires=" + date + "; Path=/",
			"a=b; Expires=" + inAYear + "; Expires=" + date + "; Path=/",
		} {
			got := edited(t, line, limitToAnHour())
			if want := "a=b; Path=/"; got != want {
				t.Errorf("%q became %q, want %q", line, got, want)
			}
		}
	}
}

// Firefox applies time zones, AM and PM, which the standard ignores. A date that is too late in one
// reading and not in the other is removed.
func TestEditorLimitLifetimeZones(t *testing.T) {
	zone := func(what, date, added string) editCase {
		return editCase{what, "a=b; Expires=" + date, "a=b; Expires=" + date + added}
	}
	checkEdits(t, []editCase{
		{"west of Greenwich", "a=b; Expires=Thu, 15 Jan 2026 12:30:00 -0800", "a=b"},
		{"west of Greenwich, by name", "a=b; Expires=Thu, 15 Jan 2026 12:30:00 PST", "a=b"},
		{"further west than any land", "a=b; Expires=Thu, 15 Jan 2026 12:30:00 -9959", "a=b"},
		{"in the afternoon", "a=b; Expires=15 Jan 2026 12:30:00 PM", "a=b"},
		{"too early in GMT, perhaps not in the zone", "a=b; Expires=Thu, 15 Jan 2026 11:30:00 -0800", "a=b"},
		zone("long after the limit", "15 Jan 2027 12:30:00 -0800", "; Max-Age=3600"),
		zone("long before the limit", "01 Jan 2026 12:30:00 -0800", ""),
		zone("GMT in lower case", "15 Jan 2026 12:30:00 gmt", ""),
		zone("UTC", "15-Jan-2026 12:30:00 UTC", ""),
		zone("no zone", "15 Jan 2026 12:30:00", ""),
		zone("no zone, the year last", "Thu Jan 15 12:30:00 2026", ""),
	}, limitToAnHour())
}

// TestEditorLimitLifetimeClocks: browsers correct Expires for the difference between the server's
// clock and their own. A lifetime must not be too long whether they do or not.
func TestEditorLimitLifetimeClocks(t *testing.T) {
	for _, c := range []struct {
		what       string
		dates      []string
		line, want string
	}{
		{"clocks that agree", []string{"Thu, 15 Jan 2026 12:00:00 GMT"},
			"a=b; Expires=" + inTwo, "a=b; Expires=" + inTwo + hourAdded},
		{"no Date", nil, "a=b; Expires=" + inTwo, "a=b; Expires=" + inTwo + hourAdded},
		{"a Date that is no date", []string{"yesterday"},
			"a=b; Expires=" + inTwo, "a=b; Expires=" + inTwo + hourAdded},
		{"server behind", []string{"Thu, 15 Jan 2026 11:30:00 GMT"},
			"a=b; Expires=" + inAnHour, "a=b; Expires=" + inAnHour + hourAdded},
		{"server behind, and as short by its clock", []string{"Thu, 15 Jan 2026 11:30:00 GMT"},
			"a=b; Expires=Thu, 15 Jan 2026 12:30:00 GMT", "a=b; Expires=Thu, 15 Jan 2026 12:30:00 GMT"},
		{"server ahead", []string{"Thu, 15 Jan 2026 12:30:00 GMT"},
			"a=b; Expires=" + inTwo, "a=b; Expires=" + inTwo + hourAdded},
		{"server an hour ahead, and a lifetime of half an hour", []string{inAnHour},
			"a=b; Expires=Thu, 15 Jan 2026 13:30:00 GMT",
			"a=b; Expires=Thu, 15 Jan 2026 13:30:00 GMT" + hourAdded},
		{"two Dates", []string{"Thu, 15 Jan 2026 12:30:00 GMT", "Thu, 15 Jan 2026 11:30:00 GMT"},
			"a=b; Expires=" + inTwo, "a=b; Expires=" + inTwo + hourAdded},
		{"Max-Age needs no clock", []string{"Thu, 15 Jan 2026 11:30:00 GMT"},
			"a=b; Max-Age=7200", "a=b; Max-Age=3600"},
	} {
		checkEdits(t, []editCase{{c.what, c.line, c.want}}, limitToAnHour(c.dates...))
	}
}

// TestEditorLimitLifetimeKeeps is about cookies that must neither be lost nor be kept for longer.
func TestEditorLimitLifetimeKeeps(t *testing.T) {
	checkEdits(t, []editCase{
		{"a lifetime in Chromium, a deletion in Firefox",
			"a=b; Max-Age=+7200; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "a=b"},
		{"a deletion two days ago, west of Greenwich",
			"a=b; Expires=Tue, 13 Jan 2026 12:00:00 -0800", ""},
	}, limitToAnHour())
	almost := NewClock(func() time.Time { return noon.Add(-time.Millisecond) }, nil)
	got := edited(t, "a=b; Expires=Thu, 15 Jan 2026 12:00:00 PST", func(e *Editor) {
		e.LimitLifetime(time.Hour, &almost)
	})
	if strings.Contains(got, "Max-Age=0") {
		t.Errorf("a date a millisecond from now became a deletion: %q", got)
	}
}

// TestEditorLimitLifetimeTabs: Chromium rejects a line for a tab in an attribute. It must go on doing
// so, and other browsers get the limit.
func TestEditorLimitLifetimeTabs(t *testing.T) {
	checkEdits(t, []editCase{
		{"in Max-Age",
			"a=b; Max-Age=99999999999999999999\tx", "a=b; Max-Age=99999999999999999999\tx; Max-Age=3600"},
		{"in Expires, which no browser reads alike", "a=b; Expires=15.1.2027\t12:00:00",
			"a=b; Expires=15.1.2027\t12:00:00; Expires="},
		{"in another attribute",
			"a=b; Path=/\tx; Max-Age=7200", "a=b; Path=/\tx; Max-Age=7200; Max-Age=3600"},
		{"in an unknown attribute",
			"a=b; \tx\ty; Expires=" + inAYear, "a=b; \tx\ty; Expires=" + inAYear + hourAdded},
		{"with a plus", "a=b; Max-Age=+7200\t; X=\t", "a=b; Max-Age=+7200\t; X=\t; Max-Age="},
		{"shorter", "a=b; Max-Age=60; Path=/\tx", ""},
	}, limitToAnHour())
}
