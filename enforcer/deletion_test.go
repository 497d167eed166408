package enforcer_test

import (
	"net/http"
	"strings"
	"testing"
)

const (
	longAgo   = "; Expires=Thu, 01 Jan 1970 00:00:00 GMT"
	oneDayAgo = "; Expires=Wed, 14 Jan 2026 12:00:00 GMT"
)

// A line without consent passes if every browser acts on it as a deletion. Package wire tests which
// lines these are.
func TestDeletion(t *testing.T) {
	e := compiled(t, allowing("sessionid"))
	for line, want := range map[string]bool{
		"_ga=; Max-Age=0": true,
		"_ga=1; Max-Age=0; Domain=elsewhere.example; Path=/x": true,
		"_ga=1; Max-Age=60; Max-Age=-1":                       true,
		"_ga=" + longAgo:                                      true,
		"_ga=" + oneDayAgo:                                    true,
		"_ga=1":                                               false,
		"_ga=1; Max-Age=1" + longAgo:                          false,
		"_ga=1; Max-Age=0; Max-Age=abc":                       false,
		"_ga=; Expires=Wed, 14 Jan 2026 12:00:01 GMT":         false,
		"_ga=1; Max-Age=+0" + longAgo:                         false, // Firefox goes on to Expires
		"_ga=1; Max-Age=99999999999999999999x" + longAgo:      false, // a lifetime in every browser
		"_ga=1; Max-Age=9223372036854775807.0" + longAgo:      false,
		"_ga=1; Max-Age=9223372036854775806x" + longAgo:       true, // a number in no browser
		"_ga=" + strings.Repeat("x", 4093) + "; Max-Age=0":    true,
		"_ga=" + strings.Repeat("x", 4094) + "; Max-Age=0":    false, // rejected as a whole
		strings.Repeat("x", 5000) + "=; Max-Age=0":            false,
		"_ga; Max-Age=0":                                      false, // a name in Firefox only
		"=_ga; Max-Age=0":                                     false,
		"_ga=\x01; Max-Age=0":                                 false,
		"_ga=x\ty; Max-Age=0":                                 false, // rejected by Chromium only
		"_ga=; Max-Age=0; X=\t1":                              true,  // the tab is trimmed
		"_ga=; Max-Age=0; X=a\tb":                             false,
		"__Host-x=y; Max-Age=0":                               false, // without Secure
		"__Host-x=y; Max-Age=0; Secure; Path=/":               true,
		"_ga=; Max-Age=0; SameSite=None":                      false, // without Secure
		"_ga=; Max-Age=0; SameSite=None; Secure":              true,
	} {
		if got := letThrough(e, nil, line); got != want {
			t.Errorf("%.80q: let through is %t", line, got)
		}
	}
}

// A date is one of a deletion by the clock of the gateway and by the Date of the response. Max-Age
// needs neither.
func TestDeletionByBothClocks(t *testing.T) {
	e := compiled(t, allowing("sessionid"))
	for _, c := range []struct {
		attributes string
		dates      []string
		want       bool
	}{
		{oneDayAgo, []string{"Thu, 15 Jan 2026 12:00:00 GMT"}, true},
		{oneDayAgo, []string{"Wed, 14 Jan 2026 12:00:00 GMT"}, false},
		{oneDayAgo, []string{"Thu, 15 Jan 2026 12:00:00 GMT", "Wed, 14 Jan 2026 12:00:00 GMT"}, false},
		{longAgo, []string{"yesterday"}, false},
		{longAgo, []string{"Thu, 15 Jan 2026 12:00:00 GMT", ""}, false},
		{"; Max-Age=0", []string{"yesterday"}, true},
	} {
		header := http.Header{"Set-Cookie": {"_ga=; Path=/" + c.attributes}, "Date": c.dates}
		filterResponse(e, nil, header)
		if got := len(header["Set-Cookie"]) == 1; got != c.want {
			t.Errorf("%s with Date %q: let through is %t", c.attributes, c.dates, got)
		}
	}
}
