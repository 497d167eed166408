package wire

import (
	"strings"
	"testing"
	"time"
)

const (
	epochExpires  = "; Expires=Thu, 01 Jan 1970 00:00:00 GMT"
	futureExpires = "; Expires=Thu, 01 Jan 2099 00:00:00 GMT"
)

func TestDeletesByMaxAge(t *testing.T) {
	const past, future = epochExpires, futureExpires
	over := strings.Repeat("1", 1025)
	for _, c := range []struct {
		what, attributes string
		want             bool
	}{
		{"zero", "; Max-Age=0", true},
		{"zeros", "; Max-Age=000", true},
		{"minus zero", "; Max-Age=-0", true},
		{"minus one", "; Max-Age=-1", true},
		{"minus one with leading zeros", "; Max-Age=-0001", true},
		{"negative number past int64", "; Max-Age=-99999999999999999999999", true},
		{"blanks around zero", "; Max-Age = \t0 ", true},
		{"any case of the attribute's name", "; mAX-aGE=0", true},
		{"1024 zeros", "; Max-Age=" + strings.Repeat("0", 1024), true},
		{"other attributes do not matter",
			"; Domain=elsewhere.example; Path=/x; Max-Age=0; Secure", true},
		{"zero, Expires in the future", "; Max-Age=0" + future, true},
		{"zero after a lifetime", "; Max-Age=60; Max-Age=0", true},
		{"zero before a value that is too long to count", "; Max-Age=0; Max-Age=" + over, true},
		{"none, Expires in the past", past, true},
		{"blank, Expires in the past", "; Max-Age= " + past, true},
		{"1025 zeros, which do not count, Expires in the past",
			"; Max-Age=" + strings.Repeat("0", 1025) + past, true},

		{"none", "", false},
		{"a second", "; Max-Age=1", false},
		{"a second, Expires in the past", "; Max-Age=1" + past, false},
		{"a second with leading zeros", "; Max-Age=0001", false},
		{"a number past int64", "; Max-Age=99999999999999999999999", false},
		{"a lifetime after zero", "; Max-Age=0; Max-Age=60", false},
		{"1025 zeros, which do not count", "; Max-Age=" + strings.Repeat("0", 1025), false},
		{"blank", "; Max-Age=", false},
		{"no value", "; Max-Age", false},
		{"fraction", "; Max-Age=0.0", false},
		{"plus sign", "; Max-Age=+0", false},
		{"minus sign only", "; Max-Age=-", false},
		{"two minus signs", "; Max-Age=--1", false},
		{"blank after the minus sign", "; Max-Age=- 1", false},
		{"word", "; Max-Age=abc", false},
		{"word after zero", "; Max-Age=0; Max-Age=abc", false},
		{"blank after zero", "; Max-Age=0; Max-Age=", false},
		{"exponent", "; Max-Age=0e0", false},
		{"hexadecimal", "; Max-Age=0x0", false},
		{"quotes", `; Max-Age="0"`, false},
		{"comma and another cookie", "; Max-Age=0, sessionid=x", false},
		{"digits that are not ASCII", "; Max-Age=٠", false},
		{"word, Expires in the past", "; Max-Age=abc" + past, true},
		{"fraction, Expires in the past", "; Max-Age=1.5" + past, true},
		{"number past int64 before a word, Expires in the past",
			"; Max-Age=99999999999999999999x" + past, false},
		{"largest int64 before a word", "; Max-Age=9223372036854775807x" + past, false},
		{"largest int64 before a fraction", "; Max-Age=9223372036854775807.0" + past, false},
		{"number past int64 before a blank and a number",
			"; Max-Age=99999999999999999999 1" + past, false},
		{"zeros and a number past int64 before a word",
			"; Max-Age=00099999999999999999999x" + past, false},
		{"plus and a number past int64 before a word",
			"; Max-Age=+99999999999999999999x" + past, false},
		{"one less than the largest int64 before a word, which is no number",
			"; Max-Age=9223372036854775806x" + past, true},
		{"ten times the largest int64 before a word", "; Max-Age=92233720368547758070x" + past, false},
		{"zero, and digits past int64 after a word", "; Max-Age=0x99999999999999999999" + past, true},
		{"plus and zero", "; Max-Age=+0" + past, false},
		{"plus and a word, which is no number", "; Max-Age=+0x" + past, true},
		{"plus only", "; Max-Age=+" + past, true},
		{"two minus signs, Expires in the past", "; Max-Age=--1" + past, true},
		{"two minus signs, Expires in the future", "; Max-Age=--1" + future, false},
		{"smallest int64 before a word", "; Max-Age=-9223372036854775808x" + future, true},
		{"one more than the smallest int64 before a word",
			"; Max-Age=-9223372036854775807x" + future, false},
		{"Expires in the future", future, false},
		{"Expires in the past, then in the future", past + future, false},
		{"Expires in the past, then no date", past + "; Expires=never", false},
	} {
		t.Run(c.what, func(t *testing.T) {
			if line := "_ga=1" + c.attributes; isDeletion(line, clockAtNoon()) != c.want {
				t.Errorf("%.200q: Deletes is %t", line, !c.want)
			}
		})
	}
}

// TestDeletesInEveryBrowser is about lines that some browser does not store, or stores under another
// name: they delete nothing there.
func TestDeletesInEveryBrowser(t *testing.T) {
	for line, want := range map[string]bool{
		"_ga=; Max-Age=0":                                     true,
		"__Host-x=y; Max-Age=0":                               false, // needs Secure and Path=/
		"__Host-x=y; Max-Age=0; Secure; Path=/":               true,
		"Ünï cödé/[x]=y; Max-Age=0":                           true,
		"_ga=" + strings.Repeat("x", 4093) + "; Max-Age=0":    true,
		"_ga=" + strings.Repeat("x", 4094) + "; Max-Age=0":    false, // too long
		strings.Repeat("x", 5000) + "=; Max-Age=0":            false,
		"_ga; Max-Age=0":                                      false, // without a name in Chromium
		"=_ga; Max-Age=0":                                     false,
		"_ga=\x01; Max-Age=0":                                 false,
		"_ga=x\ty; Max-Age=0":                                 false, // Chromium rejects it
		"_\tga=x; Max-Age=0":                                  false,
		"_ga=x; Max-Age=0; Path=/\tx":                         false,
		"_ga=1, a=; Max-Age=0":                                true, // one cookie
		"_ga=\"x; Max-Age=0; y\"":                             true, // quotes mean nothing
		"_ga=Max-Age=0":                                       false,
		"Max-Age=0":                                           false,
		"_ga=1; x=Max-Age=0":                                  false,
		"_ga=1; Path=/; Comment=; Max-Age=0; SameSite=Strict": true,
		"_ga=1; Max-Age=0; SameSite=None":                     false, // needs Secure
		"_ga=1; Max-Age=0; Partitioned":                       false,
	} {
		if got := isDeletion(line, clockAtNoon()); got != want {
			t.Errorf("%.80q: Deletes is %t", line, got)
		}
	}
}

// TestDeletesByExpires: Expires must be a day or more in the past, by the gateway's clock and by the
// response's Date.
func TestDeletesByExpires(t *testing.T) {
	const (
		today          = "Thu, 15 Jan 2026 12:00:00 GMT" // what the gateway's clock shows
		underOneDayAgo = "Wed, 14 Jan 2026 12:00:01 GMT"
		oneDayAgo      = "Wed, 14 Jan 2026 12:00:00 GMT"
		overOneDayAgo  = "Wed, 14 Jan 2026 11:59:59 GMT"
		twoDaysAgo     = "Tue, 13 Jan 2026 12:00:00 GMT"
		longAgo        = "Thu, 01 Jan 1970 00:00:00 GMT"
	)
	for _, c := range []struct {
		what    string
		dates   []string
		expires string
		want    bool
	}{
		{"in the future", nil, "Fri, 16 Jan 2026 12:00:00 GMT", false},
		{"now", nil, today, false},
		{"less than a day ago", nil, underOneDayAgo, false},
		{"a day ago", nil, oneDayAgo, true},
		{"more than a day ago", nil, overOneDayAgo, true},
		{"1970", nil, longAgo, true},
		{"1601, which some browsers do not read", nil, "Mon, 01 Jan 1601 00:00:00 GMT", false},
		{"the year 70", nil, "Thu, 01-Jan-70 00:00:00 GMT", true},
		{"the year 25", nil, "Wed, 01-Jan-25 00:00:00 GMT", true},
		{"the year 69", nil, "Tue, 01-Jan-69 00:00:00 GMT", false},
		{"asctime", nil, "Thu Jan  1 00:00:01 1970", true},
		{"offset of zero", nil, "Thu, 01 Jan 1970 00:00:00 +0000", true},
		{"zero", nil, "0", false},
		{"minus one", nil, "-1", false},
		{"nothing", nil, "", false},
		{"comma and another cookie", nil, longAgo + ", sessionid=2", false},
		{"Date agrees", []string{today}, oneDayAgo, true},
		{"less than a day before Date", []string{oneDayAgo}, oneDayAgo, false},
		{"a day before Date", []string{oneDayAgo}, twoDaysAgo, true},
		{"a day before Date, not before the clock", []string{"Fri, 15 Jan 2027 12:00:00 GMT"}, today, false},
		{"Date in asctime", []string{"Wed Jan 14 12:00:00 2026"}, oneDayAgo, false},
		{"Date long ago", []string{longAgo}, longAgo, false},
		{"the earlier of two Dates counts", []string{today, oneDayAgo}, oneDayAgo, false},
		{"the earlier of two Dates counts in any order", []string{oneDayAgo, today}, oneDayAgo, false},
		{"Date that is no date", []string{"yesterday"}, longAgo, false},
		{"empty Date", []string{""}, longAgo, false},
		{"Date that is no date before one that is", []string{"yesterday", today}, longAgo, false},
		{"Date that is no date after one that is", []string{today, "yesterday"}, longAgo, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			line := "_ga=; Path=/; Expires=" + c.expires
			if got := isDeletion(line, clockAtNoon(c.dates...)); got != c.want {
				t.Errorf("Expires=%s with Date %q: Deletes is %t", c.expires, c.dates, got)
			}
		})
	}
}

func TestDeletesByMaxAgeNeedsNoClock(t *testing.T) {
	noClock := NewClock(func() time.Time {
		t.Error("the clock was read")
		return noon
	}, []string{"yesterday"})
	if !isDeletion("_ga=; Max-Age=0", &noClock) {
		t.Error("a deletion by Max-Age depends on a Date that is no date")
	}
}

func TestClockIsReadOnce(t *testing.T) {
	reads := 0
	clock := NewClock(func() time.Time { reads++; return noon }, nil)
	for range 3 {
		isDeletion("_ga="+epochExpires, &clock)
	}
	if reads != 1 {
		t.Errorf("the clock was read %d times", reads)
	}
}

func TestMayDelete(t *testing.T) {
	for _, c := range []struct {
		attributes string
		want       bool
	}{
		{"", false},
		{"; Max-Age=60", false},
		{"; Max-Age=60" + epochExpires, false},
		{"; Max-Age=99999999999999999999x" + epochExpires, false},
		{"; Max-Age=0", true},
		{"; Max-Age=-1" + futureExpires, true},
		{"; Max-Age=+0", true},                     // Chromium
		{"; Max-Age=-x", true},                     // Firefox
		{"; Max-Age=+60" + epochExpires, true},     // Firefox
		{"; Max-Age=+60" + futureExpires, false},   // in no browser
		{"; Max-Age=+60", false},                   // a session cookie in Firefox
		{"; Max-Age=never" + epochExpires, true},   // in both
		{"; Max-Age=never" + futureExpires, false}, // in none
		{epochExpires, true},                       //
		{futureExpires, false},                     //
		{"; Expires=Thu, 15 Jan 2026 11:00:00 GMT", true},
		{"; Expires=Fri, 16 Jan 2026 11:00:00 GMT", true},  // a clock that is a day ahead
		{"; Expires=Sun, 25 Jan 2026 12:00:00 GMT", false}, // ten days from now
		{"; Expires=01/01/1970 00:00:00", true},            // Firefox
		{"; Expires=never", true},                          // perhaps
		{"; Expires=", false},
	} {
		line := mustParse(t, "a=b"+c.attributes)
		a := line.ParseAttributes()
		if got := a.MayDelete(noon); got != c.want {
			t.Errorf("%q: MayDelete is %t", c.attributes, got)
		}
		if a.Deletes(clockAtNoon()) && !a.MayDelete(noon) {
			t.Errorf("%q: every browser deletes, and none may", c.attributes)
		}
	}
}

func TestLifetime(t *testing.T) {
	const second = time.Second
	for _, c := range []struct {
		attributes string
		want       time.Duration
		persistent bool
	}{
		{"", 0, false},
		{"; Path=/; Secure", 0, false},
		{"; Max-Age=60", 60 * second, true},
		{"; Max-Age=0060", 60 * second, true},
		{"; Max-Age=60" + futureExpires, 60 * second, true},
		{"; Max-Age=0" + futureExpires, 0, true},
		{"; Max-Age=-60" + futureExpires, 0, true},
		{"; Max-Age=+60", 60 * second, true}, // in Chromium
		{"; Max-Age=99999999999999999999", longestLifetime, true},
		{"; Max-Age=99999999999999999999x", longestLifetime, true},
		{"; Max-Age=9223372036854775807", longestLifetime, true},
		{"; Max-Age=never", 0, false},
		{"; Max-Age=never; Expires=Thu, 15 Jan 2026 13:00:00 GMT", time.Hour, true},
		{"; Max-Age=60.5; Expires=Thu, 15 Jan 2026 13:00:00 GMT", time.Hour, true},
		{"; Expires=Thu, 15 Jan 2026 13:00:29 GMT", time.Hour, true}, // to the minute
		{"; Expires=Thu, 15 Jan 2026 11:00:00 GMT", -time.Hour, true},
		{"; Expires=never", 0, false},
		{"; Expires=", 0, false},
	} {
		line := mustParse(t, "a=b"+c.attributes)
		a := line.ParseAttributes()
		if got, persistent := a.Lifetime(noon); got != c.want || persistent != c.persistent {
			t.Errorf("%q: Lifetime is %v, %t; want %v, %t",
				c.attributes, got, persistent, c.want, c.persistent)
		}
	}
}

// TestLifetimeOfOddDates: some browser reads these dates. The lifetime is not shorter than it reads.
func TestLifetimeOfOddDates(t *testing.T) {
	for _, c := range []struct {
		attributes string
		least      time.Duration
	}{
		{"; Expires=15.Jan.2026 13:00:00", time.Hour},           // Chromium
		{"; Expires=15-Jan1-2026 13:00:00", time.Hour},          // Chromium
		{"; Expires=Fri, 16 Jan 2026", 12 * time.Hour},          // Firefox
		{"; Expires=01/16/2026", 12 * time.Hour},                // Firefox
		{"; Max-Age=+60; Expires=" + inAnHour, time.Hour},       // Firefox
		{"; Max-Age=-0.; Expires=" + inAnHour, time.Hour},       // Chromium
		{"; Max-Age=+7200; Expires=" + inAnHour, 2 * time.Hour}, // Chromium
	} {
		line := mustParse(t, "a=b"+c.attributes)
		a := line.ParseAttributes()
		if got, persistent := a.Lifetime(noon); got < c.least || !persistent {
			t.Errorf("%q: Lifetime is %v, %t; want %v or more", c.attributes, got, persistent, c.least)
		}
	}
}
