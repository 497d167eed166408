package report_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
)

// Names that clients choose cannot grow the inventory, nor take the places of names that the portal
// sets or the policy names.
func TestInventoryIsBounded(t *testing.T) {
	g := portal(t)
	for i := range 6000 {
		g.serve(fmt.Sprintf("%d.example", i), fmt.Sprintf("junk%d=1; _pk_%d=1", i, i))
	}
	g.serve("data.city.example", "sessionid=1; s3cr3t", "stray=1", "sessionid=1")
	inventory := g.inventory()
	rows := map[string]int{}
	for _, item := range inventory.Cookies {
		rows[item.Channel+" "+string(item.Category)]++
		if len(item.Hosts) != 1 {
			t.Errorf("%s has the hosts %q", item.Name, item.Hosts)
		}
	}
	want := map[string]int{
		"read unlisted":    4096 + 1, // with (nameless)
		"read statistical": 1024, "read necessary": 1, "set unlisted": 1, "set necessary": 1,
	}
	if fmt.Sprint(rows) != fmt.Sprint(want) || inventory.Overflow != 0 {
		t.Errorf("got %v, want %v, and %d without a place", rows, want, inventory.Overflow)
	}
}

// A client's name counts as unlisted once it came often enough.
func TestCountUnlisted(t *testing.T) {
	g := portal(t)
	for i := range 100 {
		if n := report.CountUnlisted(g.Policy(), g.observer); n != 0 {
			t.Fatalf("after %d requests: %d", i, n)
		}
		g.serve("data.city.example", "junk=1; sessionid=1; _pk_id=1; _ga=1", "sessionid=1")
	}
	g.serve("data.city.example", "other=1; stray=1", "stray=1", "stray=2", "s3cr3t")
	if n := report.CountUnlisted(g.Policy(), g.observer); n != 3 { // junk, stray and (nameless)
		t.Errorf("%d unlisted names", n)
	}
}

// Eight variants of what is known of a name are kept, each of at most a hundred bytes.
func TestInventoryVariants(t *testing.T) {
	var sites []string
	for i := range 20 {
		sites = append(sites, fmt.Sprintf("%d.example", i))
	}
	long := strings.Repeat("x", 500)
	p := policy.Policy{Allow: []policy.Rule{{Category: policy.Necessary,
		Cookies: []string{"sessionid"}}}}
	for i := range 20 {
		p.Allow[0].Path = append(p.Allow[0].Path, fmt.Sprintf("/%d%s", i, long))
	}
	g := newGateway(t, p, sites...)
	for i := range 20 {
		g.serve(sites[i], "sessionid=1",
			fmt.Sprintf("sessionid=1; Domain=%d.%s; Path=/%d%s; SameSite=%d%s",
				i, long, i, long, i, long))
	}
	item := g.item(observe.Set, "sessionid")
	for what, words := range map[string][]string{
		"hosts": item.Hosts, "domains": item.Domains, "paths": item.Paths,
		"same_site":     item.SameSite,
		"hosts on read": g.item(observe.Read, "sessionid").Hosts,
	} {
		tooLong := func(word string) bool { return len(word) > 100 }
		if len(words) != 8 || slices.ContainsFunc(words, tooLong) {
			t.Errorf("%s: %d, the first of %d bytes", what, len(words), len(words[0]))
		}
	}
	if item.Count != 20 {
		t.Errorf("counted %d", item.Count)
	}
}

// Attributes are kept as the portal sent them, whatever the policy made of them. Of deletions, and
// of cookies without a name, only the host is kept.
func TestInventoryAttributes(t *testing.T) {
	g := newGateway(t, policy.Policy{
		Presets: []policy.Preset{{Name: "opendatasoft"}},
		Allow: []policy.Rule{
			{Category: policy.Necessary, Cookies: []string{"paths"},
				RuleOptions: policy.RuleOptions{Path: []string{"/app"}}},
		},
	}, "[2001:db8::1]")
	for _, line := range []string{
		"sessionid=1; Path=/; Secure; HttpOnly; SameSite=LAX; Max-Age=60",
		"sessionid=1; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=1209600; " +
			"Expires=Thu, 15 Jan 2099 12:00:00 GMT",
		"sessionid=1; Domain=.City.example; path=/app; secure; httponly; samesite=lax; " +
			"Expires=Thu, 15 Jan 2026 13:00:00 GMT",
		"sessionid=; Path=/old; Domain=old.example; Max-Age=0",
		"sessionid=; Path=/old; Domain=old.example; Max-Age=-9223372036854775000",
		"sessionid=; Path=/old; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
		"s3cr3t; Path=/s3cr3t; Domain=s3cr3t.example; Max-Age=60; SameSite=s3cr3t",
		"=s3cr3t; Path=/s3cr3t; Domain=s3cr3t.example",
		"paths=1; Path=/app", "paths=1; Path=/users/s3cr3t", "paths=1; Path=/", "paths=1",
	} {
		g.serve("Data.City.example:8443", "", line)
	}
	describe := func(item report.Item) string {
		return fmt.Sprint(item.Hosts, item.Domains, item.Paths, item.SameSite, item.Lifetime,
			item.Session, item.Insecure, item.MissingHTTPOnly)
	}
	for name, want := range map[string]string{
		"sessionid":      "[data.city.example] [city.example] [/ (other)] [lax] 1209600 false false false",
		observe.Nameless: "[data.city.example] [] [] [] 0 false false false",
		"paths":          "[data.city.example] [] [/app (other) /] [] 0 true true true",
	} {
		if got := describe(g.item(observe.Set, name)); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	g.serve("[2001:db8::1]:443", "", "sessionid=1")
	g.serve("elsewhere.example", "", "sessionid=1")
	item := g.item(observe.Set, "sessionid")
	wantHosts := []string{"data.city.example", "[2001:db8::1]", observe.OtherHost}
	if !item.Session || !item.Insecure || !item.MissingHTTPOnly ||
		!slices.Equal(item.Hosts, wantHosts) {
		t.Errorf("got %+v", item)
	}
	b, err := json.Marshal(g.inventory())
	if err != nil || strings.Contains(string(b), "s3cr3t") {
		t.Errorf("a value is in the inventory: %s, %v", b, err)
	}
}

// A portal's clock may be ahead of the gateway's by some seconds: the lifetime is not longer by
// that.
func TestInventoryLifetimeByClocks(t *testing.T) {
	for _, seconds := range []time.Duration{-20, -1, 0, 1, 20} {
		g := portal(t)
		expires := noon.Add(time.Duration(365*day) + seconds*time.Second).Format(http.TimeFormat)
		g.serve("data.city.example", "", "sessionid=1; Expires="+expires)
		if got := g.item(observe.Set, "sessionid").Lifetime; got != 365*24*60*60 {
			t.Errorf("%d seconds ahead: %d", seconds, got)
		}
	}
}

func TestInventoryFirstAndLast(t *testing.T) {
	g := portal(t)
	g.serve("data.city.example", "", "stray=1")
	g.now = noon.Add(time.Hour)
	g.serve("data.city.example", "stray=1", "stray=1")
	g.now = noon.Add(2 * time.Hour)
	item := g.item(observe.Set, "stray")
	if !item.First.Equal(noon) || !item.Last.Equal(noon.Add(time.Hour)) || item.Count != 2 ||
		item.Verdicts["refused"] != 2 || item.Rule != "" || item.Category != observe.Unlisted {
		t.Errorf("got %+v", item)
	}
	if rule := g.item(observe.Read, "stray"); rule.Count != 1 ||
		!rule.First.Equal(noon.Add(time.Hour)) {
		t.Errorf("got %+v", rule)
	}
	i := g.inventory()
	if !i.Since.Equal(noon) || !i.At.Equal(g.now) || i.Digest != g.Policy().Digest() ||
		i.Policy != g.Policy().Name() {
		t.Errorf("got %+v", i)
	}
}

// Names are kept cut and shown without harm. What has no name is a value, and is not kept.
func TestInventoryOfHostileNames(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{strings.Repeat("x", 4000), strings.Repeat("x", 100) + "…"},
		{strings.Repeat("é", 2000), strings.Repeat("é", 50) + "…"},
		{"x" + strings.Repeat("é", 2000), "x" + strings.Repeat("é", 49) + "…"},
		{"x" + strings.Repeat("\xbf", 2000), "x" + strings.Repeat(`\xbf`, 99) + "…"},
		{"<script>alert(1)</script>", "<script>alert(1)</script>"},
		{"=HYPERLINK(1)", "(nameless)"},
		{"@SUM(1)", "@SUM(1)"},
		{"\u009b31mred", `\u009b31mred`},
		{"\u202egnp.exe", `\u202egnp.exe`},
		{"(nameless)", "(nameless)"},
	} {
		g := portal(t)
		g.serve("data.city.example", c.name+"=1", c.name+"=1")
		for _, channel := range []observe.Channel{observe.Set, observe.Read} {
			if item := g.item(channel, c.want); item.Count != 1 ||
				item.Category != observe.Unlisted {
				t.Errorf("%.50q on %s: %+v in %+v", c.name, channel, item, g.inventory())
			}
		}
		b, err := json.Marshal(g.inventory())
		if err != nil || !utf8.Valid(b) {
			t.Errorf("%.50q: %v", c.name, err)
		}
	}
	// A rule for all names does not name what has none.
	g := newGateway(t, policy.Policy{
		Allow: []policy.Rule{{Category: policy.Necessary, Cookies: []string{"*"}}},
	})
	g.serve("data.city.example", "s3cr3t", "s3cr3t")
	item := g.item(observe.Set, observe.Nameless)
	n := report.CountUnlisted(g.Policy(), g.observer)
	if item.Category != observe.Unlisted || item.Verdicts["refused"] != 1 || n != 1 {
		t.Errorf("got %+v, and %d unlisted names", item, n)
	}
}

// A name over a hundred bytes that a wildcard names is kept under the wildcard, with its rule.
func TestInventoryOfLongNames(t *testing.T) {
	g := portal(t)
	long := "_pk_" + strings.Repeat("x", 200)
	for range 2 {
		g.serve("data.city.example", long+"=1", long+"=1", long+"y=1")
	}
	for channel, want := range map[observe.Channel]uint64{observe.Set: 4, observe.Read: 2} {
		item := g.item(channel, "_pk_*")
		if item.Count != want || item.Rule != "statistical _pk_*" ||
			item.Category != policy.Statistical {
			t.Errorf("on %s: %+v in %+v", channel, item, g.inventory())
		}
	}
	for _, f := range g.drift() {
		if f.Kind == report.Unlisted || f.Cookie == "_pk_*" {
			t.Errorf("drift: %+v", f)
		}
	}
}

// Items are sorted by name, set before read, enforce before report. Programs read empty lists, not
// absent ones.
func TestInventoryOrder(t *testing.T) {
	g := portal(t)
	if i := g.inventory(); i.Cookies == nil || len(i.Cookies) != 0 {
		t.Errorf("the inventory of nothing is %+v", i)
	}
	g.serve("data.city.example", "sessionid=1; a=1", "sessionid=1", "b=1")
	var got []string
	for _, item := range g.inventory().Cookies {
		got = append(got, item.Name+" "+item.Channel+" "+item.Mode)
	}
	want := []string{"a read enforce", "b set enforce", "sessionid set enforce",
		"sessionid read enforce"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
