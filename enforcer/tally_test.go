package enforcer_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
)

// verdictsOf returns the counts of a mode that are not zero, as channel/category/verdict=n, sorted.
func verdictsOf(o *observe.Observer, mode observe.Mode) string {
	var counts []string
	o.Verdicts(mode, func(channel observe.Channel, category policy.Category, v observe.Verdict,
		n uint64) {
		if n > 0 {
			counts = append(counts, fmt.Sprintf("%s/%s/%s=%d", channel, category, v.Word(mode), n))
		}
	})
	slices.Sort(counts)
	return strings.Join(counts, " ")
}

// preferencesOf returns the counts of preferences that are not zero, as state=n.
func preferencesOf(o *observe.Observer) string {
	var counts []string
	o.Preferences(func(state policy.PreferenceState, n uint64) {
		if n > 0 {
			counts = append(counts, fmt.Sprintf("%s=%d", state, n))
		}
	})
	return strings.Join(counts, " ")
}

// What goroutines count at once adds up, in the metrics and in the inventory, while others read.
func TestTallyAddsUp(t *testing.T) {
	e, o := observed(t, portalPolicy())
	o.SetSites([]string{"site0.example", "site1.example", "site2.example"})
	const visitors, pages = 8, 300
	done := make(chan struct{})
	var readers, wg sync.WaitGroup
	readers.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				report.NewInventory(e.Policy(), o, noon)
				report.NewDrift(e.Policy(), o, noon)
				verdictsOf(o, observe.Enforce)
			}
		}
	})
	for visitor := range visitors {
		wg.Go(func() {
			for page := range pages {
				visit := e.Visit(enforcer.Request{
					Header: http.Header{"Cookie": {acceptsMatomo + "; _ga=1; stray=1"}},
					Host:   fmt.Sprintf("site%d.example", visitor%3),
				})
				visit.FilterRequest()
				matomo := fmt.Sprintf("_pk_id.%d=1", page%5)
				lines := []string{"sessionid=1; Path=/", matomo, "_ga=1", "_gid=; Max-Age=0"}
				visit.CompleteResponse(http.Header{"Set-Cookie": lines})
				visit.End()
			}
		})
	}
	wg.Wait()
	close(done)
	readers.Wait()
	const want = "read/necessary/let_through=2400 read/third_party/refused=2400 read/unlisted/refused=2400 " +
		"set/necessary/let_through=2400 set/statistical/let_through=2400 set/third_party/refused=2400 " +
		"set/unlisted/deletion=2400"
	if got := verdictsOf(o, observe.Enforce); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := preferencesOf(o); got != "valid=2400" {
		t.Errorf("preferences: %s", got)
	}
	if n, last := o.Requests(); n != visitors*pages || !last.Equal(noon) {
		t.Errorf("%d requests, the last one at %v", n, last)
	}
	var counts []string
	for _, item := range report.NewInventory(e.Policy(), o, noon).Cookies {
		counts = append(counts, fmt.Sprintf("%s %s=%d", item.Channel, item.Name, item.Count))
		if len(item.Hosts) != 3 {
			t.Errorf("%s was met on %v", item.Name, item.Hosts)
		}
	}
	slices.Sort(counts)
	const inventory = "read _ga=2400, read cookies_preferences=2400, read stray=2400, set _ga=2400, " +
		"set _gid=2400, set _pk_id.0=480, set _pk_id.1=480, set _pk_id.2=480, set _pk_id.3=480, " +
		"set _pk_id.4=480, set sessionid=2400"
	if got := strings.Join(counts, ", "); got != inventory {
		t.Errorf("got  %s\nwant %s", got, inventory)
	}
}

// A verdict counts once, however often a header is filtered. A policy in mode report counts what an
// enforcing one would, in words of its own, and under its mode only.
func TestTallyCountsOnce(t *testing.T) {
	type filter func(map[string][]string)
	page := func(lines ...string) http.Header {
		return http.Header{"Content-Type": {"text/html"}, "Set-Cookie": lines}
	}
	for _, c := range []struct {
		what    string
		cookie  string
		respond func(complete, inform filter)
		want    string
	}{
		{"a header that is filtered three times", "", func(complete, _ filter) {
			h := http.Header{"Set-Cookie": {"_ga=1", "sessionid=1", "stray=1", "old=; Max-Age=0"}}
			complete(h)
			complete(h)
			complete(h)
		}, "set/necessary/let_through=1 set/third_party/refused=1 set/unlisted/deletion=1 " +
			"set/unlisted/refused=1"},
		{"the same line twice in one header", "", func(complete, _ filter) {
			h := http.Header{"Set-Cookie": {"sessionid=1", "sessionid=1", "_ga=1", "_ga=1"}}
			complete(h)
			complete(h)
		}, "set/necessary/let_through=2 set/third_party/refused=2"},
		{"many lines", "", func(complete, _ filter) {
			lines := append(slices.Repeat([]string{"sessionid=1"}, 12), "_ga=1")
			h := http.Header{"Set-Cookie": lines}
			complete(h)
			complete(h)
		}, "set/necessary/let_through=12 set/third_party/refused=1"},
		{"other spellings of the key", "", func(complete, _ filter) {
			h := http.Header{"set-cookie": {"sessionid=1", "_ga=1"}, "Set-Cookie": {"csrftoken=1"}}
			complete(h)
			complete(h)
		}, "set/necessary/let_through=2 set/third_party/refused=1"},
		{"trailers", "", func(complete, _ filter) {
			h := http.Header{"Set-Cookie": {"sessionid=1"}}
			complete(h)
			h[http.TrailerPrefix+"Set-Cookie"] = []string{"csrftoken=1", "_ga=1"}
			complete(h)
			complete(h)
		}, "set/necessary/let_through=2 set/third_party/refused=1"},
		{"announced trailers", "", func(complete, _ filter) {
			h := http.Header{"Set-Cookie": {"sessionid=1"}, "Trailer": {"Set-Cookie"}}
			complete(h)
			h["Set-Cookie"] = append(h["Set-Cookie"], "csrftoken=1", "_ga=1")
			complete(h)
			complete(h)
		}, "set/necessary/let_through=2 set/third_party/refused=1"},
		{"a line that takes the place of another", "", func(complete, _ filter) {
			h := http.Header{"Set-Cookie": {"sessionid=1"}}
			complete(h)
			h["Set-Cookie"] = []string{"csrftoken=1"}
			complete(h)
		}, "set/necessary/let_through=2"},
		{"informational responses, each of which is sent, then the same lines", "",
			func(complete, inform filter) {
				for range 2 {
					inform(http.Header{"Set-Cookie": {"_ga=1", "sessionid=1"}})
				}
				complete(http.Header{"Set-Cookie": {"_ga=1", "sessionid=1"}})
			}, "set/necessary/let_through=3 set/third_party/refused=3"},
		{"a 101, which has no other header behind it", "", func(complete, _ filter) {
			complete(http.Header{"Upgrade": {"websocket"}, "Set-Cookie": {"_ga=1", "sessionid=1"}})
		}, "set/necessary/let_through=1 set/third_party/refused=1"},
		{"cookies that are removed from the browser",
			refusesMatomo + "; _pk_id.1=1; _ga=1; stray=1; _ga=2",
			func(complete, _ filter) {
				h := page()
				complete(h)
				complete(h)
			}, "expire/statistical/expired=1 expire/third_party/expired=1 read/necessary/let_through=1 " +
				"read/statistical/refused=1 read/third_party/refused=2 read/unlisted/refused=1"},
		{"a refused cookie that the response sets as well", "_ga=1",
			func(complete, _ filter) { complete(page("_ga=1")) },
			"expire/third_party/expired=1 read/third_party/refused=1 set/third_party/refused=1"},
		{"a refused cookie that the response deletes itself", "_ga=1",
			func(complete, _ filter) { complete(page("_ga=; Max-Age=0")) },
			"read/third_party/refused=1 set/third_party/deletion=1"},
		{"nameless pairs and lines, and one that browsers reject", "s3cr3t; =s3cr3t; ;",
			func(complete, _ filter) {
				lines := []string{"s3cr3t", "=s3cr3t", "session\x01id=", "sessionid=\x01"}
				complete(http.Header{"Set-Cookie": lines})
			}, "read/unlisted/refused=2 set/necessary/refused=1 set/unlisted/refused=3"},
	} {
		for mode, word := range map[observe.Mode]string{
			observe.Enforce: policy.ModeEnforce, observe.Report: policy.ModeReport,
		} {
			t.Run(c.what+" in mode "+word, func(t *testing.T) {
				p := portalPolicy()
				p.Mode = word
				e, o := observed(t, p)
				header := http.Header{}
				if c.cookie != "" {
					header["Cookie"] = []string{c.cookie}
				}
				visit := e.Visit(enforcer.Request{Header: header, Host: "data.city.example"})
				visit.FilterRequest()
				c.respond(visit.CompleteResponse, visit.FilterResponse)
				visit.End()
				want := c.want
				if mode == observe.Report {
					want = strings.ReplaceAll(want, "/refused=", "/would_refuse=")
					want = strings.ReplaceAll(want, "/expired=", "/would_expire=")
				}
				if got := verdictsOf(o, mode); got != want {
					t.Errorf("got  %s\nwant %s", got, want)
				}
				if got := verdictsOf(o, 1-mode); got != "" {
					t.Errorf("under the other mode: %s", got)
				}
			})
		}
	}
}

// After a switch to mode enforce, what was counted in mode report stays what it was.
func TestTallyKeepsModesApart(t *testing.T) {
	reporting := portalPolicy()
	reporting.Mode = policy.ModeReport
	first, o := observed(t, reporting)
	second := compiled(t, portalPolicy())
	second.Observe(o)
	for _, e := range []*enforcer.Enforcer{first, second, second} {
		visit := visitWith(e, "_ga=1; stray=1")
		visit.FilterRequest()
		visit.CompleteResponse(http.Header{"Content-Type": {"text/html"}, "Set-Cookie": {"_ga=1"}})
		visit.End()
	}
	for mode, want := range map[observe.Mode]string{
		observe.Report: "expire/third_party/would_expire=1 read/third_party/would_refuse=1 " +
			"read/unlisted/would_refuse=1 set/third_party/would_refuse=1",
		observe.Enforce: "expire/third_party/expired=2 read/third_party/refused=2 " +
			"read/unlisted/refused=2 set/third_party/refused=2",
	} {
		if got := verdictsOf(o, mode); got != want {
			t.Errorf("mode %s: got %s, want %s", mode, got, want)
		}
	}
	got := map[string]string{}
	for _, item := range report.NewInventory(second.Policy(), o, noon).Cookies {
		got[item.Channel+" "+item.Name+" "+item.Mode] = fmt.Sprint(item.Count, item.Verdicts)
	}
	want := map[string]string{
		"set _ga report": "1 map[would_refuse:1]", "set _ga enforce": "2 map[refused:2]",
		"read _ga report":    "1 map[would_expire:1 would_refuse:1]",
		"read _ga enforce":   "2 map[expired:2 refused:2]",
		"read stray report":  "1 map[would_refuse:1]",
		"read stray enforce": "2 map[refused:2]",
	}
	if !maps.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// The state of a preference is counted where it was read, once for each request.
func TestTallyOfPreferences(t *testing.T) {
	p := portalPolicy()
	p.Preference = []policy.Preference{
		{Cookies: []string{"cookies_preferences"}, Timestamp: "timestamp", MaxAge: 183 * day},
	}
	tracker, necessary := []string{"_ga=1", "_pk_id.1=1"}, []string{"sessionid=1"}
	for _, c := range []struct {
		cookie string
		lines  []string
		want   string
	}{
		{"", tracker, "none=1"},
		{acceptsMatomo, tracker, "valid=1"},
		{refusesMatomo, tracker, "valid=1"},
		{acceptsMatomo + "%", tracker, "unreadable=1"},
		{`cookies_preferences={"matomo":true,"matomo":false}`, tracker, "contradictory=1"},
		{`cookies_preferences={"matomo":true,"timestamp":1500000000}`, tracker, "too_old=1"},
		{"sessionid=1", necessary, ""}, // no verdict needs it
	} {
		e, o := observed(t, p)
		visit := visitWith(e, c.cookie)
		visit.FilterRequest()
		visit.CompleteResponse(http.Header{"Set-Cookie": c.lines})
		visit.End()
		if got := preferencesOf(o); got != c.want {
			t.Errorf("%s: got %s, want %s", c.cookie, got, c.want)
		}
	}
}

// A line counts once for each response, also if a policy around this one changes it or removes
// another before the last pass.
func TestTallyOfLinesThatAreChanged(t *testing.T) {
	e := compiled(t, policy.Policy{
		Mode:  policy.ModeReport,
		Allow: []policy.Rule{{Category: policy.Necessary, Cookies: []string{"a", "b"}}},
	})
	o := observe.New(noon)
	e.Observe(o)
	header := http.Header{"Set-Cookie": {"x=0", "a=1; Domain=portal.example", "b=2"}}
	visit := e.Visit(enforcer.Request{})
	visit.CompleteResponse(header)
	header["Set-Cookie"] = []string{"a=1; Domain=city.example", "b=2"}
	visit.CompleteResponse(header)
	header["Set-Cookie"] = append(header["Set-Cookie"], "b=3")
	visit.CompleteResponse(header)
	visit.End()
	got := map[string]uint64{}
	for _, s := range o.Sightings() {
		got[s.Name] = s.Counts.Total(observe.Report)
	}
	if got["x"] != 1 || got["a"] != 1 || got["b"] != 2 {
		t.Errorf("counted %v", got)
	}
}
