package enforcer

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// observed is a policy without faults and the Observer that counts what it does.
func observed(tb testing.TB, p Policy) (*Enforcer, *Observer) {
	tb.Helper()
	e, o := compiled(tb, p), NewObserver(noon)
	e.Observe(o)
	return e, o
}

// portalPolicy has a rule of each kind that matters to evidence.
func portalPolicy() Policy {
	return Policy{
		Presets: []Preset{{Name: "opendatasoft"}},
		Allow: []Rule{
			{Category: Statistical, Cookies: []string{"_pk_*"}, RuleOptions: RuleOptions{Consent: []string{"matomo"}}},
			{Category: ThirdParty, Cookies: []string{"_ga"}, RuleOptions: RuleOptions{Consent: []string{"ga"}}},
		},
	}
}

const (
	refusesMatomo = "cookies_preferences=%7B%22matomo%22%3Afalse%7D"
	acceptsMatomo = "cookies_preferences=%7B%22matomo%22%3Atrue%7D"
)

// verdictsOf are the numbers that are not zero, written as channel/category/verdict.
func verdictsOf(o *Observer) map[string]uint64 {
	numbers := map[string]uint64{}
	o.Verdicts(func(channel Channel, category Category, verdict Verdict, n uint64) {
		if n > 0 {
			numbers[fmt.Sprintf("%s/%s/%s", channel, category, verdict)] = n
		}
	})
	return numbers
}

func preferencesOf(o *Observer) map[string]uint64 {
	numbers := map[string]uint64{}
	o.Preferences(func(state string, n uint64) {
		if n > 0 {
			numbers[state] = n
		}
	})
	return numbers
}

func wantNumbers(t *testing.T, what string, got, want map[string]uint64) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: counted %v, want %v", what, got, want)
	}
}

// What many goroutines count at once adds up, in the numbers and in the inventory, while others read them.
func TestCountingAddsUp(t *testing.T) {
	e, o := observed(t, portalPolicy())
	const visitors, pages = 8, 300
	done := make(chan struct{})
	var readers, wg sync.WaitGroup
	readers.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				e.Report(o)
				e.Drift(o)
				verdictsOf(o)
			}
		}
	})
	for visitor := range visitors {
		wg.Go(func() {
			for page := range pages {
				visit := e.Visit(Request{Header: http.Header{"Cookie": {acceptsMatomo + "; _ga=1; stray=1"}}, Host: fmt.Sprintf("site%d.example", visitor%3)})
				visit.FilterRequest()
				visit.CompleteResponse(http.Header{"Set-Cookie": {"sessionid=1; Path=/", fmt.Sprintf("_pk_id.%d=1", page%5), "_ga=1", "_gid=; Max-Age=0"}})
				visit.End()
			}
		})
	}
	wg.Wait()
	close(done)
	readers.Wait()
	const n = visitors * pages
	wantNumbers(t, "verdicts", verdictsOf(o), map[string]uint64{
		"set/necessary/let_through": n, "set/statistical/let_through": n, "set/third_party/refused": n, "set/unlisted/deletion": n,
		"read/necessary/let_through": n, "read/third_party/refused": n, "read/unlisted/refused": n,
	})
	wantNumbers(t, "preferences", preferencesOf(o), map[string]uint64{"valid": n})
	counts := map[string]uint64{}
	for _, item := range e.Report(o).Cookies {
		counts[item.Channel+" "+item.Name] = item.Count
		if len(item.Hosts) != 3 {
			t.Errorf("%s was met on %v", item.Name, item.Hosts)
		}
	}
	wantNumbers(t, "inventory", counts, map[string]uint64{
		"set sessionid": n, "set _ga": n, "set _gid": n, "read cookies_preferences": n, "read _ga": n, "read stray": n,
		"set _pk_id.0": n / 5, "set _pk_id.1": n / 5, "set _pk_id.2": n / 5, "set _pk_id.3": n / 5, "set _pk_id.4": n / 5,
	})
}

// Each verdict counts once, however often a header is filtered, and a policy that only reports counts what an enforcing one would.
func TestEachVerdictCountsOnce(t *testing.T) {
	for _, c := range []struct {
		what    string
		cookie  string
		respond func(complete, inform func(map[string][]string))
		want    map[string]uint64
	}{
		{"a header that is filtered three times", "", func(complete, _ func(map[string][]string)) {
			h := http.Header{"Set-Cookie": {"_ga=1", "sessionid=1", "stray=1", "old=; Max-Age=0"}}
			complete(h)
			complete(h)
			complete(h)
		}, map[string]uint64{"set/third_party/refused": 1, "set/necessary/let_through": 1, "set/unlisted/refused": 1, "set/unlisted/deletion": 1}},
		{"the same line twice in one header", "", func(complete, _ func(map[string][]string)) {
			h := http.Header{"Set-Cookie": {"sessionid=1", "sessionid=1", "_ga=1", "_ga=1"}}
			complete(h)
			complete(h)
		}, map[string]uint64{"set/third_party/refused": 2, "set/necessary/let_through": 2}},
		{"more lines than are recognised at a glance", "", func(complete, _ func(map[string][]string)) {
			h := http.Header{"Set-Cookie": slices.Concat(slices.Repeat([]string{"sessionid=1"}, 12), []string{"_ga=1"})}
			complete(h)
			complete(h)
		}, map[string]uint64{"set/necessary/let_through": 12, "set/third_party/refused": 1}},
		{"other spellings of the key", "", func(complete, _ func(map[string][]string)) {
			h := http.Header{"set-cookie": {"sessionid=1", "_ga=1"}, "Set-Cookie": {"csrftoken=1"}}
			complete(h)
			complete(h)
		}, map[string]uint64{"set/third_party/refused": 1, "set/necessary/let_through": 2}},
		{"trailers", "", func(complete, _ func(map[string][]string)) {
			h := http.Header{"Set-Cookie": {"sessionid=1"}}
			complete(h)
			h[http.TrailerPrefix+"Set-Cookie"] = []string{"csrftoken=1", "_ga=1"}
			complete(h)
			complete(h)
		}, map[string]uint64{"set/third_party/refused": 1, "set/necessary/let_through": 2}},
		{"announced trailers", "", func(complete, _ func(map[string][]string)) {
			h := http.Header{"Set-Cookie": {"sessionid=1"}, "Trailer": {"Set-Cookie"}}
			complete(h)
			h["Set-Cookie"] = append(h["Set-Cookie"], "csrftoken=1", "_ga=1")
			complete(h)
			complete(h)
		}, map[string]uint64{"set/third_party/refused": 1, "set/necessary/let_through": 2}},
		{"a line that takes the place of another", "", func(complete, _ func(map[string][]string)) {
			h := http.Header{"Set-Cookie": {"sessionid=1"}}
			complete(h)
			h["Set-Cookie"] = []string{"csrftoken=1"}
			complete(h)
		}, map[string]uint64{"set/necessary/let_through": 2}},
		{"early hints, each of which goes out, after which the header map is restored", "", func(complete, inform func(map[string][]string)) {
			for range 2 {
				inform(http.Header{"Set-Cookie": {"_ga=1", "sessionid=1"}})
			}
			complete(http.Header{"Set-Cookie": {"_ga=1", "sessionid=1"}})
		}, map[string]uint64{"set/third_party/refused": 3, "set/necessary/let_through": 3}},
		{"cookies that are removed from the browser", refusesMatomo + "; _pk_id.1=1; _ga=1; stray=1; _ga=2", func(complete, _ func(map[string][]string)) {
			h := http.Header{"Content-Type": {"text/html"}}
			complete(h)
			complete(h)
		}, map[string]uint64{"read/necessary/let_through": 1, "read/statistical/refused": 1, "read/third_party/refused": 2, "read/unlisted/refused": 1,
			"expire/statistical/expired": 1, "expire/third_party/expired": 1}},
		{"a refused cookie that the response sets as well", "_ga=1", func(complete, _ func(map[string][]string)) {
			complete(http.Header{"Content-Type": {"text/html"}, "Set-Cookie": {"_ga=1"}})
		}, map[string]uint64{"read/third_party/refused": 1, "set/third_party/refused": 1, "expire/third_party/expired": 1}},
		{"a refused cookie that the response deletes itself", "_ga=1", func(complete, _ func(map[string][]string)) {
			complete(http.Header{"Content-Type": {"text/html"}, "Set-Cookie": {"_ga=; Max-Age=0"}})
		}, map[string]uint64{"read/third_party/refused": 1, "set/third_party/deletion": 1}},
		{"nameless pairs and lines, and one that no browser takes", "s3cr3t; =s3cr3t; ;", func(complete, _ func(map[string][]string)) {
			complete(http.Header{"Set-Cookie": {"s3cr3t", "=s3cr3t", "session\x01id=", "sessionid=\x01"}})
		}, map[string]uint64{"read/unlisted/refused": 2, "set/unlisted/refused": 3, "set/necessary/refused": 1}},
	} {
		for _, mode := range []string{ModeEnforce, ModeReport} {
			p := portalPolicy()
			p.Mode = mode
			e, o := observed(t, p)
			header := http.Header{}
			if c.cookie != "" {
				header["Cookie"] = []string{c.cookie}
			}
			visit := e.Visit(Request{Header: header, Host: "data.city.example"})
			visit.FilterRequest()
			c.respond(visit.CompleteResponse, visit.FilterResponse)
			visit.End()
			wantNumbers(t, c.what+", "+mode, verdictsOf(o), c.want)
		}
	}
}

// A policy that only reports leaves header maps as they are, to the last slice.
func TestReportChangesNothing(t *testing.T) {
	p := portalPolicy()
	p.Mode = ModeReport
	p.RewriteDomain = []Rewrite{{From: "portal.example"}}
	p.Allow = append(p.Allow, Rule{Category: Necessary, Cookies: []string{"mended"}, RuleOptions: RuleOptions{
		MaxAge: day, Secure: true, HTTPOnly: true, SameSite: SameSiteStrict}})
	p.Preference = []Preference{{Cookies: []string{"cookies_preferences"}, Timestamp: "timestamp", MaxAge: 183 * day, Persist: "/"}}
	e, _ := observed(t, p)
	request := http.Header{"Cookie": {"_ga=1; sessionid=1; x", "cookies_preferences={\"matomo\":false,\"timestamp\":1768400000}; _pk_id.1=2"}, "Sec-Fetch-Mode": {"navigate"}}
	response := http.Header{
		"Set-Cookie": {"_ga=1", "sessionid=1; Domain=portal.example", "mended=1; Max-Age=9999999", "x", "_pk_id.1=1"}, "set-cookie": {"_ga=2"}, "Set-Cookie2": {"a=b"},
		"Cache-Control": {"public, max-age=60"}, "Vary": {"Accept"}, "Content-Type": {"text/html"}, http.TrailerPrefix + "Set-Cookie": {"_ga=3"},
	}
	before := fmt.Sprint(request, response)
	visit := e.Visit(Request{Header: request, Host: "data.city.example", HTTPS: true})
	visit.FilterRequest()
	visit.FilterResponse(response)
	visit.CompleteResponse(response)
	visit.CompleteResponse(response)
	visit.End()
	if after := fmt.Sprint(request, response); after != before {
		t.Errorf("became\n%s\nwas\n%s", after, before)
	}
}

// The state of the preference is counted where it was read, once for each request.
func TestPreferenceStates(t *testing.T) {
	p := portalPolicy()
	p.Preference = []Preference{{Cookies: []string{"cookies_preferences"}, Timestamp: "timestamp", MaxAge: 183 * day}}
	for cookie, want := range map[string]map[string]uint64{
		"":                  {"none": 1},
		acceptsMatomo:       {"valid": 1},
		refusesMatomo:       {"valid": 1},
		acceptsMatomo + "%": {"unreadable": 1},
		`cookies_preferences={"matomo":true,"matomo":false}`:         {"contradictory": 1},
		`cookies_preferences={"matomo":true,"timestamp":1500000000}`: {"too_old": 1},
	} {
		e, o := observed(t, p)
		visit := visitWith(e, cookie)
		visit.FilterRequest()
		visit.CompleteResponse(http.Header{"Set-Cookie": {"_ga=1", "_pk_id.1=1"}})
		visit.End()
		wantNumbers(t, cookie, preferencesOf(o), want)
	}
	e, o := observed(t, p)
	visit := visitWith(e, "sessionid=1")
	visit.FilterRequest()
	visit.CompleteResponse(http.Header{"Set-Cookie": {"sessionid=1"}})
	visit.End()
	wantNumbers(t, "no verdict needs it", preferencesOf(o), map[string]uint64{})
}

// A traced visit keeps each verdict with its rule.
func TestTrace(t *testing.T) {
	e, _ := observed(t, portalPolicy())
	visit := visitWith(e, "_ga=1; stray=1; nameless")
	visit.Trace()
	visit.FilterRequest()
	visit.CompleteResponse(http.Header{"Set-Cookie": {"sessionid=1", "_pk_id.1=1", "x\x1b[2J=1", "\u202ex=1"}, "Content-Type": {"text/html"}})
	_, traced := visit.End()
	want := []Traced{
		{ChannelRead, "_ga", VerdictRefused, "third_party _ga"},
		{ChannelRead, "stray", VerdictRefused, ""},
		{ChannelRead, "(nameless)", VerdictRefused, ""},
		{ChannelSet, "sessionid", VerdictLetThrough, "necessary sessionid"},
		{ChannelSet, "_pk_id.1", VerdictRefused, "statistical _pk_*"},
		{ChannelSet, "(nameless)", VerdictRefused, ""},
		{ChannelSet, `\u202ex`, VerdictRefused, ""},
		{ChannelExpire, "_ga", VerdictExpired, "third_party _ga"},
	}
	if !slices.Equal(traced, want) {
		t.Errorf("got  %v\nwant %v", traced, want)
	}
}

// What is known already costs no memory.
func TestKnownNamesCostNoMemory(t *testing.T) {
	e, _ := observed(t, portalPolicy())
	cookies := []string{"sessionid=1; csrftoken=2; django_language=fr"}
	original := []string{"sessionid=1; Path=/; HttpOnly", "csrftoken=2; Path=/; Max-Age=31449600", "_ga=1; Domain=.city.example", "stray=1; Expires=Thu, 29 Jan 2026 12:00:00 GMT"}
	lines := make([]string, len(original))
	request, response := http.Header{"Cookie": cookies}, http.Header{"Content-Type": {"application/json"}}
	serve := func() {
		copy(lines, original)
		response["Set-Cookie"] = lines
		visit := e.Visit(Request{Header: request, Host: "data.city.example"})
		visit.FilterRequest()
		visit.FilterResponse(response)
		visit.End()
	}
	if n := testing.AllocsPerRun(1000, serve); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// A name without a rule is told once: not again on the other channel, and not by the policy that comes after a reload.
func TestDiscoveriesAreToldOnce(t *testing.T) {
	e, o := observed(t, portalPolicy())
	meet := func(e *Enforcer, cookie string, lines ...string) (told []Discovery) {
		visit := e.Visit(Request{Header: http.Header{"Cookie": {cookie}}, Host: "Data.city.example:8443"})
		visit.FilterRequest()
		visit.CompleteResponse(http.Header{"Set-Cookie": lines})
		told, _ = visit.End()
		return told
	}
	const attributes = "a=1; path=/x; Secure=s3cr3t; HTTPONLY; token=s3cr3t; SameSite=Lax; Max-Age=60; Domain=.city.example; s3cr3t; Expires="
	got := meet(e, "b=1; s3cr3t", attributes, "b=1", "sessionid=1")
	want := []Discovery{
		{"b", ChannelRead, "data.city.example", ""},
		{"(nameless)", ChannelRead, "data.city.example", ""},
		{"a", ChannelSet, "data.city.example", "path=/x; Secure; HTTPONLY; SameSite=Lax; Max-Age=60; Domain=.city.example; Expires"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got := meet(e, "a=2; b=2; s3cr3t", "a=3", "b=3"); len(got) > 0 {
		t.Errorf("told again: %q", got)
	}

	// The policy after this one names other cookies: what was named before, and is not now, is told.
	p := portalPolicy()
	p.Presets = nil
	after := compiled(t, p)
	after.Observe(o)
	if got := meet(after, "a=2", "sessionid=1; Path=/"); len(got) != 1 || got[0].Name != "sessionid" {
		t.Errorf("after a reload: %q", got)
	}
	if got := meet(after, "a=2", "sessionid=1; Path=/"); len(got) > 0 {
		t.Errorf("told again: %q", got)
	}

	// Of many requests at once, one tells.
	var wg sync.WaitGroup
	told := make(chan Discovery, 100)
	for range 8 {
		wg.Go(func() {
			for _, d := range meet(e, "new=1", "new=1") {
				told <- d
			}
		})
	}
	wg.Wait()
	if len(told) != 1 {
		t.Errorf("told %d times", len(told))
	}
}

// BenchmarkObserved is a request and its response, with an Observer and without. Run it with -cpu 1,2,4,8: what each processor counts is its
// own, so that more of them do not make it slower.
func BenchmarkObserved(b *testing.B) {
	for _, lines := range []int{0, 6, 50} {
		for _, observes := range []bool{false, true} {
			b.Run(fmt.Sprintf("lines=%d/observer=%t", lines, observes), func(b *testing.B) {
				e := withRules(b, 100)
				e.now = time.Now
				if observes {
					e.Observe(NewObserver(noon))
				}
				original := pageLines(lines)
				cookie := []string{"sessionid=0123456789abcdef; csrftoken=0123456789abcdef; _pk_4_1.abcd=0; _ga=GA1.1.1; " + acceptsMatomo}
				hosts := []string{"dashboard.paris", "opendata.paris.fr", "cityai.my.opendatasoft.com", "data.city.example", "open.town.example"}
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					kept := make([]string, lines)
					request, response := http.Header{}, http.Header{"Content-Type": {"application/json"}}
					for i := 0; pb.Next(); i++ {
						copy(kept, original)
						request["Cookie"] = cookie
						if lines > 0 {
							response["Set-Cookie"] = kept
						}
						visit := e.Visit(Request{Header: request, Host: hosts[i%len(hosts)]})
						visit.FilterRequest()
						visit.CompleteResponse(response)
						visit.End()
					}
				})
			})
		}
	}
}

// Printable shows what is printable as it is, and nothing else.
func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"":                          "",
		"sessionid":                 "sessionid",
		`a"b\c`:                     `a"b\c`,
		"é\u00a0日":                  "é\u00a0日",
		"<script>":                  "<script>",
		"a\x1b[31mb":                `a\x1b[31mb`,
		"a\u009b31mb":               `a\u009b31mb`,
		"a\x7fb":                    `a\x7fb`,
		"a\r\nb\tc":                 `a\r\nb\tc`,
		"a\u202eb":                  `a\u202eb`,
		"a\u2028b\ufeffc":           `a\u2028b\ufeffc`,
		"a\xff\xfeb":                `a\xff\xfeb`,
		"a\ufffdb":                  "a\ufffdb",
		"\x00" + `"\`:               `\x00"\`,
		strings.Repeat("x", 10_000): strings.Repeat("x", 100),
	} {
		if got := Printable(text); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
}
