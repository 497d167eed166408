package enforcer_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// loading returns a policy with third parties under each condition. The choice counts for half a year.
func loading(mode string) policy.Policy {
	origin := func(category policy.Category, key string, anonymous bool, origins ...string) policy.Rule {
		r := policy.Rule{Category: category, RuleOptions: policy.RuleOptions{Origin: origins, Anonymous: anonymous}}
		if key != "" {
			r.Consent = []string{key}
		}
		return r
	}
	return policy.Policy{
		Allow: []policy.Rule{
			{Category: policy.Necessary, Cookies: []string{"sessionid"}},
			origin(policy.ThirdParty, "ads", false, "https://*.ads.example"),
			origin(policy.Necessary, "", false, "https://tiles.example.org"),
			origin(policy.Statistical, "stats", false, "https://stats.example.org:8443"),
			origin(policy.Statistical, "count", true, "https://count.example.org"),
			origin(policy.ThirdParty, "ads", false, "https://more-ads.example.org"),
		},
		Preference: []policy.Preference{{Cookies: []string{"prefs"}, Timestamp: "at", MaxAge: 183 * day}},
		Signal:     []policy.Signal{{Signal: policy.SignalGPC, Categories: []policy.Category{policy.ThirdParty}}},
		Load: policy.Load{Mode: mode, Open: []string{policy.OpenImage}, Except: []string{"/backoffice/*"},
			Sample: "0%"},
	}
}

const (
	openImages   = "; img-src * 'unsafe-inline' data: blob: mediastream: filesystem:"
	tileSources  = " https://tiles.example.org wss://tiles.example.org"
	statSources  = " https://stats.example.org:8443 wss://stats.example.org:8443"
	countSources = " https://count.example.org wss://count.example.org"
	refusedAll   = own + tileSources + openImages
)

// page is the header of a page of the portal.
func page() http.Header { return http.Header{"Content-Type": {"text/html; charset=utf-8"}} }

// asDocument returns the header of a request for a page.
func asDocument(lines ...string) http.Header { return asking("Sec-Fetch-Dest: document", lines...) }

// asking returns a header with the given lines.
func asking(first string, lines ...string) http.Header {
	h := http.Header{}
	for _, line := range append([]string{first}, lines...) {
		if name, value, ok := strings.Cut(line, ": "); ok {
			h[name] = append(h[name], value)
		}
	}
	return h
}

// passed passes a request and its response through a Visit, twice, as a body in parts does.
func passed(e *enforcer.Enforcer, r enforcer.Request, status int, response http.Header) http.Header {
	visit := e.Visit(r)
	visit.FilterRequest()
	if status == http.StatusNotModified {
		visit.NotModified()
	}
	visit.CompleteResponse(response)
	visit.CompleteResponse(response)
	return response
}

// A choice that the page itself stores counts for it.
func TestLoadByWrittenChoice(t *testing.T) {
	e := compiled(t, loading(policy.LoadEnforce))
	const grant, refusal = `prefs={"count":true,"stats":true}; Path=/`, `prefs={"count":false,"stats":false}; Path=/`
	granted := own + tileSources + statSources + countSources + openImages
	for _, c := range []struct{ what, cookie, line, want string }{
		{"a grant", "", grant, granted},
		{"a grant after a refusal", strings.TrimSuffix(refusal, "; Path=/"), grant, granted},
		{"a withdrawal", strings.TrimSuffix(grant, "; Path=/"), refusal, refusedAll},
	} {
		response := page()
		response["Set-Cookie"] = []string{c.line}
		got := passed(e, enforcer.Request{Header: asDocument("Cookie: " + c.cookie)}, 200, response)
		if lines := got["Content-Security-Policy"]; !slices.Equal(lines, []string{c.want}) {
			t.Errorf("%s: got %q, want %q", c.what, lines, c.want)
		}
	}
}

// What gets the policy is a page or the script of a worker, and nothing else does.
func TestLoadOnWhat(t *testing.T) {
	e := compiled(t, loading(policy.LoadEnforce))
	const html = "Content-Type: text/html"
	const script = "Content-Type: text/javascript"
	for _, c := range []struct {
		what, request, response string
		path                    string
		status                  int
		want                    bool
	}{
		{"a page", "Sec-Fetch-Dest: document", html, "/", 200, true},
		{"a page with parameters, in any case", "", "Content-Type: Text/HTML ;charset=utf-8", "/", 200, true},
		{"XHTML", "", "Content-Type: application/xhtml+xml", "/", 200, true},
		{"a type under another spelling", "", "content-type: text/html", "/", 200, true},
		{"a part of a page", "Sec-Fetch-Dest: empty", html, "/", 200, true},
		{"an error", "Sec-Fetch-Dest: document", html, "/", 404, true},
		{"not modified", "Sec-Fetch-Dest: document", html, "/", 304, false},
		{"not modified, a worker", "Sec-Fetch-Dest: worker", script, "/", 304, false},
		{"a page that is excepted", "Sec-Fetch-Dest: document", html, "/backoffice/users", 200, false},
		{"a page beside those", "Sec-Fetch-Dest: document", html, "/backoffice", 200, true},
		{"a worker that is excepted", "Sec-Fetch-Dest: worker", script, "/backoffice/w.js", 200, false},
		{"a script", "Sec-Fetch-Dest: script", script, "/", 200, false},
		{"JSON", "Sec-Fetch-Dest: document", "Content-Type: application/json", "/", 200, false},
		{"a type that begins alike", "", "Content-Type: text/html5", "/", 200, false},
		{"a worker", "Sec-Fetch-Dest: worker", script, "/", 200, true},
		{"a shared worker", "Sec-Fetch-Dest: sharedworker", script, "/", 200, true},
		{"a service worker", "Sec-Fetch-Dest: serviceworker", script, "/", 200, true},
		{"a service worker of an old browser", "Service-Worker: script", script, "/", 200, true},
		{"a page without a type, which browsers guess", "Sec-Fetch-Dest: iframe", "", "/", 200, true},
		{"a page without a type, over plain HTTP", "Accept: image/png, text/html;q=0.9", "", "/", 200, true},
		{"something without a type", "Sec-Fetch-Dest: image", "", "/", 200, false},
		{"something without a type, over plain HTTP", "Accept: */*", "", "/", 200, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			got := passed(e, enforcer.Request{Header: asking(c.request), Path: c.path}, c.status, asking(c.response))
			if lines := got["Content-Security-Policy"]; (len(lines) == 1) != c.want || (got["Vary"] != nil) != c.want {
				t.Errorf("got %q", got)
			}
		})
	}
	visit := e.Visit(enforcer.Request{Header: asDocument()})
	visit.FilterRequest()
	hint := page()
	if visit.FilterResponse(hint); len(hint) != 1 {
		t.Errorf("an informational response became %q", hint)
	}
}

// The portal must not answer a request for a page with 304: that would keep the policy of an earlier
// choice, or replace the portal's own.
func TestLoadDropsConditions(t *testing.T) {
	enforced, capped := compiled(t, loading(policy.LoadEnforce)), loading(policy.LoadEnforce)
	capped.Mode = policy.ModeReport
	reported := compiled(t, capped)
	for _, c := range []struct {
		request, path string
		want          bool // dropped
	}{
		{"Sec-Fetch-Dest: document", "/", true},
		{"Sec-Fetch-Dest: iframe", "/", true},
		{"Sec-Fetch-Dest: frame", "/", true},
		{"Sec-Fetch-Dest: embed", "/", true},
		{"Sec-Fetch-Dest: object", "/", true},
		{"Sec-Fetch-Mode: navigate", "/", true},
		{"Sec-Fetch-Dest: worker", "/", true},
		{"Sec-Fetch-Dest: sharedworker", "/", true},
		{"Sec-Fetch-Dest: serviceworker", "/", true},
		{"Service-Worker: script", "/", true},
		{"Accept: text/html,application/xhtml+xml,*/*;q=0.8", "/", true},
		{"Accept: application/xml, TEXT/HTML;q=0.9", "/", true},
		{"Accept: */*", "/", false},
		{"Accept: text/htmlx", "/", false},
		{"Sec-Fetch-Dest: script", "/", false},
		{"Sec-Fetch-Dest: empty", "/", false},
		{"", "/", false},
		{"Sec-Fetch-Dest: document", "/backoffice/users", false},
		{"Sec-Fetch-Dest: worker", "/backoffice/w.js", false},
	} {
		for _, key := range []string{"If-None-Match", "If-Modified-Since", "if-none-match", "IF-MODIFIED-SINCE"} {
			for e, want := range map[*enforcer.Enforcer]bool{enforced: c.want, reported: false} {
				header := asking(c.request, key+": x", "If-Match: y")
				visit := e.Visit(enforcer.Request{Header: header, Path: c.path})
				visit.FilterRequest()
				if _, kept := header[key]; kept == want || header["If-Match"] == nil {
					t.Errorf("%s %s with %s, enforced %t: left are %q", c.request, c.path, key, e == enforced, header)
				}
			}
		}
	}
	header := asDocument("If-None-Match: x", "Accept: text/html")
	header["Sec-Fetch-Dest"] = []string{"script"}
	visit := enforced.Visit(enforcer.Request{Header: header})
	if visit.FilterRequest(); header["If-None-Match"] == nil {
		t.Error("a browser that says script was taken for one that says nothing")
	}
}

// Whether a page asks for reports is decided once for each page, and for about as many as the policy says.
func TestLoadSample(t *testing.T) {
	p := loading(policy.LoadReport)
	p.Load.Sample = "50%"
	e := compiled(t, p)
	asking := 0
	const pages = 1000
	for range pages {
		visit := e.Visit(enforcer.Request{Header: asDocument()})
		visit.FilterRequest()
		first := page()
		visit.CompleteResponse(first)
		visit.CompleteResponse(first)
		routes := e.Visit(enforcer.Request{Header: asDocument()})
		routes.Continue(&visit)
		routes.FilterRequest()
		second := page()
		routes.CompleteResponse(second)
		if a, b := len(first["Content-Security-Policy-Report-Only"]),
			len(second["Content-Security-Policy-Report-Only"]); a != b || a > 1 {
			t.Fatalf("%d lines, and %d in an error route", a, b)
		}
		asking += len(first["Content-Security-Policy-Report-Only"])
	}
	if asking < pages/3 || asking > pages*2/3 { // ten standard deviations
		t.Errorf("%d of %d pages ask for reports", asking, pages)
	}
}

// An error route goes on with the same header map.
func TestLoadAddsOnce(t *testing.T) {
	p := loading(policy.LoadEnforce)
	p.Load.Sample = "100%"
	e := compiled(t, p)
	request := enforcer.Request{Header: asDocument(), HTTPS: true}
	for what, first := range map[string]http.Header{"a page": page(), "nothing yet": {}} {
		outer := e.Visit(request)
		outer.FilterRequest()
		outer.CompleteResponse(first)
		inner := e.Visit(request)
		inner.Continue(&outer)
		inner.FilterRequest()
		first["Content-Type"] = page()["Content-Type"]

		inner.CompleteResponse(first)
		outer.Resume(&inner)
		outer.CompleteResponse(first)
		for _, field := range []string{"Content-Security-Policy", "Content-Security-Policy-Report-Only",
			"Reporting-Endpoints", "Vary"} {
			if len(first[field]) != 1 {
				t.Errorf("%s: %s is %q", what, field, first[field])
			}
		}
	}
}

func TestLoadVary(t *testing.T) {
	for _, c := range []struct {
		what   string
		change func(*policy.Policy)
		want   string
	}{
		{"consent decides", func(*policy.Policy) {}, "Cookie, Sec-Gpc"},
		{"nothing depends on consent", func(p *policy.Policy) {
			p.Allow = slices.DeleteFunc(p.Allow, func(r policy.Rule) bool { return r.Category != policy.Necessary })
			p.Signal = nil
		}, ""},
		{"no signal is asked", func(p *policy.Policy) { p.Signal = nil }, "Cookie"},
		{"headers are left as they are", func(p *policy.Policy) { p.SharedCache = policy.SharedCacheKeep }, ""},
	} {
		p := loading(policy.LoadEnforce)
		c.change(&p)
		got := passed(compiled(t, p), enforcer.Request{Header: asDocument()}, 200, page())
		if vary := strings.Join(got["Vary"], "|"); vary != c.want || len(got["Content-Security-Policy"]) != 1 {
			t.Errorf("%s: got %q, want Vary %q", c.what, got, c.want)
		}
	}
}

// Visitors choose which policies there are. All of them are right, whether or not one is kept, and what
// is kept is bounded. Run it under the race detector.
func TestLoadManyChoices(t *testing.T) {
	const rules = 12 // 4096 sets
	p := policy.Policy{Preference: []policy.Preference{{Cookies: []string{"prefs"}}},
		Load: policy.Load{Mode: policy.LoadEnforce, Sample: "0%"}}
	for i := range rules {
		p.Allow = append(p.Allow, policy.Rule{Category: policy.ThirdParty, RuleOptions: policy.RuleOptions{
			Consent: []string{fmt.Sprint("k", i)}, Origin: []string{fmt.Sprintf("https://h%d.example", i)}}})
	}
	e := compiled(t, p)
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for set := worker; set < 1<<rules; set += 3 {
				var choice, want strings.Builder
				want.WriteString(own)
				for i := range rules {
					fmt.Fprintf(&choice, `,"k%d":%t`, i, set>>i&1 == 1)
					if set>>i&1 == 1 {
						fmt.Fprintf(&want, " https://h%d.example wss://h%[1]d.example", i)
					}
				}
				got := passed(e, enforcer.Request{Header: asDocument("Cookie: prefs={" + choice.String()[1:] + "}")},
					200, page())
				if lines := got["Content-Security-Policy"]; !slices.Equal(lines, []string{want.String()}) {
					t.Errorf("set %b: got %q, want %q", set, lines, want.String())
				}
			}
		})
	}
	wg.Wait()
}

// Beside the Visit, and what Vary needs where there is consent, one slice is allocated for each field.
func TestLoadAllocations(t *testing.T) {
	measure := func(mode, sample string) float64 {
		p := loading(mode)
		if p.Load.Sample = sample; mode == policy.LoadOff {
			p.Load = policy.Load{}
		}
		p.SharedCache = policy.SharedCacheKeep
		e := compiled(t, p)
		request := enforcer.Request{Header: asDocument("Cookie: sessionid=1"), HTTPS: true, Path: "/"}
		response := page()
		return testing.AllocsPerRun(1000, func() {
			for _, field := range []string{"Content-Security-Policy", "Content-Security-Policy-Report-Only",
				"Reporting-Endpoints"} {
				delete(response, field)
			}
			visit := e.Visit(request)
			visit.FilterRequest()
			visit.CompleteResponse(response)
			visit.CompleteResponse(response)
		})
	}
	off := measure(policy.LoadOff, "")
	for _, c := range []struct {
		mode, sample string
		more         float64
	}{{policy.LoadReport, "100%", 2}, {policy.LoadEnforce, "0%", 1}, {policy.LoadEnforce, "100%", 3}} {
		if got := measure(c.mode, c.sample); got > off+c.more {
			t.Errorf("load %s with a sample of %s: %v allocations, and %v with off", c.mode, c.sample, got, off)
		}
	}
}
