package enforcer

import (
	"net/http"
	"strings"
	"testing"
)

func TestMaxAgeOfZeroOrLessIsADeletion(t *testing.T) {
	e := compiled(t, allowing("sessionid"))
	const past, future = "; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "; Expires=Thu, 01 Jan 2099 00:00:00 GMT"
	for _, c := range []struct {
		what, attributes string
		want             bool
	}{
		{"zero", "; Max-Age=0", true},
		{"zeros", "; Max-Age=000", true},
		{"minus zero", "; Max-Age=-0", true},
		{"minus one", "; Max-Age=-1", true},
		{"minus one with zeros before", "; Max-Age=-0001", true},
		{"a negative number beyond int64", "; Max-Age=-99999999999999999999999", true},
		{"blanks around zero", "; Max-Age = \t0 ", true},
		{"any case of the attribute's name", "; mAX-aGE=0", true},
		{"1024 zeros", "; Max-Age=" + strings.Repeat("0", 1024), true},
		{"zero, whatever Domain and Path say", "; Domain=elsewhere.example; Path=/x; Max-Age=0; Secure", true},
		{"zero, though Expires lies in the future", "; Max-Age=0" + future, true},
		{"zero after a life", "; Max-Age=60; Max-Age=0", true},
		{"zero before a value that is too long to count", "; Max-Age=0; Max-Age=" + strings.Repeat("1", 1025), true},
		{"none, with Expires in the past", past, true},
		{"blank, with Expires in the past", "; Max-Age= " + past, true},
		{"1025 zeros, which do not count, with Expires in the past", "; Max-Age=" + strings.Repeat("0", 1025) + past, true},

		{"none", "", false},
		{"a life", "; Max-Age=1", false},
		{"a life, though Expires lies in the past", "; Max-Age=1" + past, false},
		{"a life with zeros before", "; Max-Age=0001", false},
		{"a life beyond int64", "; Max-Age=99999999999999999999999", false},
		{"a life after zero", "; Max-Age=0; Max-Age=60", false},
		{"1025 zeros, which do not count", "; Max-Age=" + strings.Repeat("0", 1025), false},
		{"blank", "; Max-Age=", false},
		{"no value", "; Max-Age", false},
		{"a fraction", "; Max-Age=0.0", false},
		{"a plus sign", "; Max-Age=+0", false},
		{"a minus sign alone", "; Max-Age=-", false},
		{"two minus signs", "; Max-Age=--1", false},
		{"a blank after the minus sign", "; Max-Age=- 1", false},
		{"a word", "; Max-Age=abc", false},
		{"a word after zero", "; Max-Age=0; Max-Age=abc", false},
		{"nothing after zero", "; Max-Age=0; Max-Age=", false},
		{"an exponent", "; Max-Age=0e0", false},
		{"hexadecimal", "; Max-Age=0x0", false},
		{"quotes", `; Max-Age="0"`, false},
		{"a comma and another cookie melted to it", "; Max-Age=0, sessionid=x", false},
		{"digits that are not ASCII", "; Max-Age=٠", false},
		{"a word, and Expires lies in the past", "; Max-Age=abc" + past, true},
		{"a fraction, and Expires lies in the past", "; Max-Age=1.5" + past, true},
		{"a number past int64 before a word, which browsers clip, and Expires lies in the past", "; Max-Age=99999999999999999999x" + past, false},
		{"the largest int64 before a word", "; Max-Age=9223372036854775807x" + past, false},
		{"the largest int64 before a fraction", "; Max-Age=9223372036854775807.0" + past, false},
		{"a number past int64 before a blank and a number", "; Max-Age=99999999999999999999 1" + past, false},
		{"zeros, and a number past int64 before a word", "; Max-Age=00099999999999999999999x" + past, false},
		{"a plus, and a number past int64 before a word", "; Max-Age=+99999999999999999999x" + past, false},
		{"one less than the largest int64 before a word, which is no number", "; Max-Age=9223372036854775806x" + past, true},
		{"ten times the largest int64 before a word", "; Max-Age=92233720368547758070x" + past, false},
		{"zero, and digits past int64 behind a word", "; Max-Age=0x99999999999999999999" + past, true},
		{"a plus and a number", "; Max-Age=+0" + past, false},
		{"a plus and a word, which is no number", "; Max-Age=+0x" + past, true},
		{"a plus alone", "; Max-Age=+" + past, true},
		{"Expires in the future", future, false},
		{"Expires in the past, then in the future", past + future, false},
		{"Expires in the past, then no date", past + "; Expires=never", false},
	} {
		t.Run(c.what, func(t *testing.T) {
			if line := "_ga=1" + c.attributes; letThrough(e, nil, line) != c.want {
				t.Errorf("%q: let through is %t", line, !c.want)
			}
		})
	}
}

func TestOnlyLinesThatEveryBrowserActsOnAreDeletions(t *testing.T) {
	e := compiled(t, allowing("sessionid"))
	for line, want := range map[string]bool{
		"_ga=; Max-Age=0":                                     true,
		"__Host-x=y; Max-Age=0":                               false, // refused whole: such a name wants Secure and Path=/
		"__Host-x=y; Max-Age=0; Secure; Path=/":               true,
		"Ünï cödé/[x]=y; Max-Age=0":                           true,
		"_ga=" + strings.Repeat("x", 4093) + "; Max-Age=0":    true,
		"_ga=" + strings.Repeat("x", 4094) + "; Max-Age=0":    false, // too long: refused whole
		strings.Repeat("x", 5000) + "=; Max-Age=0":            false,
		"_ga; Max-Age=0":                                      false, // a name in Firefox, none in Chromium
		"=_ga; Max-Age=0":                                     false,
		"_ga=\x01; Max-Age=0":                                 false,
		"_ga=x\ty; Max-Age=0":                                 false, // Chromium refuses it, Firefox deletes
		"_\tga=x; Max-Age=0":                                  false,
		"_ga=1, a=; Max-Age=0":                                true, // one cookie
		"_ga=\"x; Max-Age=0; y\"":                             true, // quotes mean nothing
		"_ga=Max-Age=0":                                       false,
		"Max-Age=0":                                           false,
		"_ga=1; x=Max-Age=0":                                  false,
		"_ga=1; Path=/; Comment=; Max-Age=0; SameSite=Strict": true,
	} {
		if got := letThrough(e, nil, line); got != want {
			t.Errorf("%.80q: let through is %t", line, got)
		}
	}
}

func TestExpiresIsADeletionADayInThePastByBothClocks(t *testing.T) {
	e := compiled(t, allowing("sessionid"))
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
		{"under one day ago", nil, underOneDayAgo, false},
		{"one day ago", nil, oneDayAgo, true},
		{"over one day ago", nil, overOneDayAgo, true},
		{"1970", nil, longAgo, true},
		{"1601, which some browsers take for no date", nil, "Mon, 01 Jan 1601 00:00:00 GMT", false},
		{"the year 70", nil, "Thu, 01-Jan-70 00:00:00 GMT", true},
		{"the year 25", nil, "Wed, 01-Jan-25 00:00:00 GMT", true},
		{"the year 69", nil, "Tue, 01-Jan-69 00:00:00 GMT", false},
		{"asctime", nil, "Thu Jan  1 00:00:01 1970", true},
		{"an offset of nothing", nil, "Thu, 01 Jan 1970 00:00:00 +0000", true},
		{"zero", nil, "0", false},
		{"minus one", nil, "-1", false},
		{"nothing", nil, "", false},
		{"another cookie melted to it", nil, longAgo + ", sessionid=2", false},
		{"the response's Date agrees", []string{today}, oneDayAgo, true},
		{"under one day before the response's Date", []string{oneDayAgo}, oneDayAgo, false},
		{"one day before the response's Date", []string{oneDayAgo}, twoDaysAgo, true},
		{"one day before the response's Date, not before the clock", []string{"Fri, 15 Jan 2027 12:00:00 GMT"}, today, false},
		{"a Date in asctime", []string{"Wed Jan 14 12:00:00 2026"}, oneDayAgo, false},
		{"a Date of long ago", []string{longAgo}, longAgo, false},
		{"of two Dates the earlier counts", []string{today, oneDayAgo}, oneDayAgo, false},
		{"of two Dates the earlier counts in any order", []string{oneDayAgo, today}, oneDayAgo, false},
		{"a Date that is no date", []string{"yesterday"}, longAgo, false},
		{"an empty Date", []string{""}, longAgo, false},
		{"a Date that is no date before one that is", []string{"yesterday", today}, longAgo, false},
		{"a Date that is no date behind one that is", []string{today, "yesterday"}, longAgo, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			header := http.Header{"Set-Cookie": {"_ga=; Path=/; Expires=" + c.expires}}
			if c.dates != nil {
				header["Date"] = c.dates
			}
			filterResponse(e, nil, header)
			if got := len(header["Set-Cookie"]) == 1; got != c.want {
				t.Errorf("Expires=%s with Date %q: let through is %t", c.expires, c.dates, got)
			}
		})
	}
}

func TestMaxAgeNeedsNoClock(t *testing.T) {
	e := compiled(t, allowing("sessionid"))
	header := http.Header{"Set-Cookie": {"_ga=; Max-Age=0"}, "Date": {"yesterday"}}
	if filterResponse(e, nil, header); len(header["Set-Cookie"]) != 1 {
		t.Error("a deletion by Max-Age was refused because of a Date that is no date")
	}
}
