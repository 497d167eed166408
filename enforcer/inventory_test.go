package enforcer

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// meet serves one request for a host, and returns what is told of it.
func meet(e *Enforcer, host, cookie string, lines ...string) []Discovery {
	header := http.Header{}
	if cookie != "" {
		header["Cookie"] = []string{cookie}
	}
	visit := e.Visit(Request{Header: header, Host: host})
	visit.FilterRequest()
	visit.CompleteResponse(http.Header{"Set-Cookie": lines})
	told, _ := visit.End()
	return told
}

// itemOf finds a cookie in the inventory; it is empty where it was not met.
func itemOf(e *Enforcer, o *Observer, channel Channel, name string) (item Item) {
	for _, item := range e.Report(o).Cookies {
		if item.Name == name && item.Channel == channel.String() {
			return item
		}
	}
	return Item{}
}

// Clients choose names: they cannot grow the inventory, nor keep out what portals set, nor what the policy names.
func TestInventoryIsBounded(t *testing.T) {
	e, o := observed(t, portalPolicy())
	told := 0
	for i := range 3 * maxNames / 2 {
		told += len(meet(e, fmt.Sprintf("%d.example", i), fmt.Sprintf("junk%d=1", i)))
	}
	if told != maxNames {
		t.Errorf("told of %d names, want %d", told, maxNames)
	}
	for i := range 2 * maxNames {
		meet(e, "data.city.example", fmt.Sprintf("_pk_%d=1", i))
	}
	meet(e, "data.city.example", "sessionid=1; s3cr3t", "stray=1", "sessionid=1")
	report := e.Report(o)
	rows := map[string]int{}
	for _, item := range report.Cookies {
		rows[item.Channel+" "+string(item.Category)]++
		if len(item.Hosts) > maxVariants {
			t.Errorf("%s has %d hosts", item.Name, len(item.Hosts))
		}
	}
	want := map[string]int{"read unlisted": maxNames + 1, "read statistical": maxNames, "read necessary": 1, "set unlisted": 1, "set necessary": 1}
	if fmt.Sprint(rows) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", rows, want)
	}
	if want := uint64(maxNames/2 + maxNames); report.Overflow != want {
		t.Errorf("%d found no room, want %d", report.Overflow, want)
	}
	if n := o.UnlistedKnown(e); n != maxNames+2 { // with `stray` and `(nameless)`
		t.Errorf("%d unlisted names are known", n)
	}
}

// Variants of what is known of one name are bounded as well, and so is each of them.
func TestVariantsAreBounded(t *testing.T) {
	e, o := observed(t, portalPolicy())
	for i := range 100 {
		long := strings.Repeat("x", 500)
		meet(e, fmt.Sprintf("%d.%s.example", i, long), "sessionid=1",
			fmt.Sprintf("sessionid=1; Domain=%d.%s; Path=/%d%s; SameSite=%d%s", i, long, i, long, i, long))
	}
	item := itemOf(e, o, ChannelSet, "sessionid")
	for what, words := range map[string][]string{"hosts": item.Hosts, "domains": item.Domains, "paths": item.Paths, "same_site": item.SameSite,
		"hosts read on": itemOf(e, o, ChannelRead, "sessionid").Hosts} {
		if len(words) != maxVariants || slices.ContainsFunc(words, func(word string) bool { return len(word) > maxWord }) {
			t.Errorf("%s: %d, the first of %d bytes", what, len(words), len(words[0]))
		}
	}
	if item.Count != 100 {
		t.Errorf("counted %d", item.Count)
	}
}

// What is kept of attributes is what was sent, whatever the policy made of it; of deletions only the host.
func TestAttributesAsSent(t *testing.T) {
	e, o := observed(t, portalPolicy())
	for _, line := range []string{
		"sessionid=1; Path=/; Secure; HttpOnly; SameSite=LAX; Max-Age=60",
		"sessionid=1; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=1209600; Expires=Thu, 15 Jan 2099 12:00:00 GMT",
		"sessionid=1; Domain=.City.example; path=/app; secure; httponly; samesite=lax; Expires=Thu, 15 Jan 2026 13:00:00 GMT",
		"sessionid=; Path=/old; Domain=old.example; Max-Age=0",
		"sessionid=; Path=/old; Domain=old.example; Max-Age=-9223372036854775000",
		"sessionid=; Path=/old; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
	} {
		meet(e, "Data.City.example:8443", "", line)
	}
	item := itemOf(e, o, ChannelSet, "sessionid")
	got := fmt.Sprint(item.Hosts, item.Domains, item.Paths, item.SameSite, item.Lifetime, item.Session, item.Insecure, item.Scripted)
	if want := "[data.city.example] [city.example] [/ /app] [lax] 1209600 false false false"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	meet(e, "[2001:db8::1]:443", "", "sessionid=1")
	item = itemOf(e, o, ChannelSet, "sessionid")
	if !item.Session || !item.Insecure || !item.Scripted || !slices.Contains(item.Hosts, "[2001:db8::1]") {
		t.Errorf("got %+v", item)
	}
}

// A portal's clock may be ahead of the gateway's by some seconds: a life is not longer by that.
func TestClocksDiffer(t *testing.T) {
	for _, seconds := range []time.Duration{-20, -1, 0, 1, 20} {
		e, o := observed(t, portalPolicy())
		meet(e, "data.city.example", "", "sessionid=1; Expires="+noon.Add(time.Duration(365*day)+seconds*time.Second).Format(http.TimeFormat))
		if got := itemOf(e, o, ChannelSet, "sessionid").Lifetime; got != 365*24*60*60 {
			t.Errorf("%d seconds ahead: %d", seconds, got)
		}
	}
}

// Times and numbers of what is met: first and last, whatever else is going on.
func TestFirstAndLast(t *testing.T) {
	e, o := observed(t, portalPolicy())
	now := noon
	e.now = func() time.Time { return now }
	meet(e, "data.city.example", "", "stray=1")
	now = noon.Add(time.Hour)
	meet(e, "data.city.example", "stray=1", "stray=1")
	now = noon.Add(2 * time.Hour)
	item := itemOf(e, o, ChannelSet, "stray")
	if !item.First.Equal(noon) || !item.Last.Equal(noon.Add(time.Hour)) || item.Count != 2 || item.Verdicts["refused"] != 2 || item.Rule != "" || item.Category != Unlisted {
		t.Errorf("got %+v", item)
	}
	report := e.Report(o)
	if !report.Since.Equal(noon) || !report.At.Equal(now) || report.Digest != e.Digest() || report.Policy != e.Name() {
		t.Errorf("got %+v", report)
	}
}

// Names that mean harm are kept cut, and shown without harm; no text that is a value is kept at all.
func TestHostileNames(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{strings.Repeat("x", 4000), strings.Repeat("x", maxWord)},
		{strings.Repeat("é", 2000), strings.Repeat("é", maxWord/2)},
		{"x" + strings.Repeat("é", 2000), "x" + strings.Repeat("é", maxWord/2-1)},
		{"x" + strings.Repeat("\xbf", 2000), "x" + strings.Repeat(`\xbf`, maxWord-1)},
		{"<script>alert(1)</script>", "<script>alert(1)</script>"},
		{"=HYPERLINK(1)", "(nameless)"},
		{"@SUM(1)", "@SUM(1)"},
		{"\u009b31mred", `\u009b31mred`},
		{"\u202egnp.exe", `\u202egnp.exe`},
		{"(nameless)", "(nameless)"},
	} {
		e, o := observed(t, portalPolicy())
		told := meet(e, "data.city.example", c.name+"=1", c.name+"=1")
		if len(told) != 1 || told[0].Name != c.want {
			t.Errorf("%.50q: told %q", c.name, told)
		}
		for _, channel := range []Channel{ChannelSet, ChannelRead} {
			if item := itemOf(e, o, channel, c.want); item.Count != 1 || item.Category != Unlisted {
				t.Errorf("%.50q on %s: %+v in %+v", c.name, channel, item, e.Report(o))
			}
		}
		b, err := json.Marshal(e.Report(o))
		if err != nil || !utf8.Valid(b) {
			t.Errorf("%.50q: %v", c.name, err)
		}
	}
	// A rule for all names does not name what has none.
	e, o := observed(t, allowing("*"))
	meet(e, "data.city.example", "s3cr3t", "s3cr3t")
	if item := itemOf(e, o, ChannelSet, nameless); item.Category != Unlisted || item.Verdicts["refused"] != 1 || o.UnlistedKnown(e) != 1 {
		t.Errorf("got %+v", item)
	}
}
