package enforcer_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

const (
	own     = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob: mediastream: filesystem:"
	tiles   = " https://tiles.example.org wss://tiles.example.org"
	stats   = " https://stats.example.org wss://stats.example.org"
	videos  = " https://*.video.example wss://*.video.example"
	counter = " https://counter.example.org wss://counter.example.org"
)

// loadingPolicy has origins of each kind of condition.
func loadingPolicy(load policy.Load) policy.Policy {
	from := func(category policy.Category, key string, anonymous bool, origins ...string) policy.Rule {
		return policy.Rule{Category: category, RuleOptions: policy.RuleOptions{
			Consent: strings.Fields(key), Anonymous: anonymous, Origin: origins}}
	}
	return policy.Policy{
		Presets: []policy.Preset{{Name: "opendatasoft"}},
		Allow: []policy.Rule{
			from(policy.Necessary, "", false, "https://tiles.example.org"),
			from(policy.Statistical, "matomo", false, "https://stats.example.org"),
			from(policy.ThirdParty, "video", false, "https://*.video.example"),
			from(policy.Statistical, "count", true, "https://counter.example.org"),
		},
		Signal: []policy.Signal{{Signal: policy.SignalGPC, Categories: []policy.Category{policy.Statistical}}},
		Load:   load,
	}
}

// pageRequest is a request for a page, with more header lines.
func pageRequest(lines ...string) map[string][]string {
	header := map[string][]string{"Sec-Fetch-Dest": {"document"}, "Sec-Fetch-Mode": {"navigate"}}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		if header[name] = []string{value}; value == "" {
			delete(header, name)
		}
	}
	return header
}

func choosing(choice string) string { return "Cookie: cookies_preferences=" + choice }

// answerTo passes a request and the header of its response through a policy.
func answerTo(e *enforcer.Enforcer, r enforcer.Request, header map[string][]string) map[string][]string {
	v := e.Visit(r)
	v.FilterRequest()
	v.CompleteResponse(header)
	v.CompleteResponse(header) // as before each part of the body
	v.End()
	return header
}

func html() map[string][]string {
	return map[string][]string{"Content-Type": {"text/html; charset=utf-8"}}
}

// What a page may load follows the visitor's choice.
func TestLoadEnforce(t *testing.T) {
	e := compiled(t, loadingPolicy(policy.Load{Mode: policy.LoadEnforce, Sample: "0%"}))
	for _, c := range []struct {
		name   string
		lines  []string
		want   string
		signal bool // decides
	}{
		{"no choice", nil, tiles + counter, true},
		{"a grant", []string{choosing(`{"matomo":true}`)}, tiles + stats + counter, true},
		{"two grants", []string{choosing(`{"matomo":true,"video":true,"count":true}`)}, tiles + stats + videos + counter, false},
		{"a refusal", []string{choosing(`{"matomo":false,"video":false,"count":false}`)}, tiles, false},
		{"unreadable", []string{choosing(`{"matomo":`)}, tiles, false},
		{"contradictory", []string{choosing(`{"matomo":true,"matomo":false}`)}, tiles, false},
		{"too old", []string{choosing(`{"matomo":true,"timestamp":1000000000}`)}, tiles + counter, true},
		{"a signal", []string{"Sec-Gpc: 1"}, tiles, true},
		{"a signal, and a grant", []string{"Sec-Gpc: 1", choosing(`{"matomo":true}`)}, tiles + stats, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := answerTo(e, enforcer.Request{Header: pageRequest(c.lines...), Path: "/", HTTPS: true}, html())
			wantVary := "Cookie"
			if c.signal {
				wantVary += ", Sec-Gpc"
			}
			if policies := got["Content-Security-Policy"]; !slices.Equal(policies, []string{own + c.want}) {
				t.Errorf("the page gets %q, want %q", policies, own+c.want)
			}
			if vary := strings.Join(got["Vary"], ", "); vary != wantVary {
				t.Errorf("it varies by %q, want %q", vary, wantVary)
			}
			if len(got) != 3 {
				t.Errorf("the header is %q", got)
			}
		})
	}
}

// Which responses get a policy, and which requests lose their conditions.
func TestLoadPages(t *testing.T) {
	e := compiled(t, loadingPolicy(policy.Load{Mode: policy.LoadEnforce, Except: []string{"/backoffice/*"}, Sample: "100%"}))
	conditional := []string{"If-None-Match: x", "if-modified-since: x"}
	request := func(lines ...string) map[string][]string { return pageRequest(append(lines, conditional...)...) }
	asset := func(dest string, lines ...string) map[string][]string {
		return request(append(lines, "Sec-Fetch-Dest: "+dest, "Sec-Fetch-Mode: no-cors")...)
	}
	plain := func(lines ...string) map[string][]string { // over plain HTTP
		return request(append(lines, "Sec-Fetch-Dest: ", "Sec-Fetch-Mode: ")...)
	}
	for _, c := range []struct {
		name               string
		header             map[string][]string
		path, contentType  string
		policy, report     bool
		losesTheConditions bool
	}{
		{"a page", request(), "/", "text/html", true, true, true},
		{"a page, with parameters", request(), "/", " Text/HTML ;charset=utf-8", true, true, true},
		{"xhtml", request(), "/", "application/xhtml+xml", true, true, true},
		{"a frame", asset("iframe"), "/", "text/html", true, true, true},
		{"an embedded page", asset("embed"), "/", "text/html", true, true, true},
		{"a page without a type", request(), "/", "", true, true, true},
		{"no page", request(), "/data.json", "application/json", false, false, true},
		{"a picture", asset("image"), "/x.png", "image/png", false, false, false},
		{"a picture without a type", asset("image"), "/x.png", "", false, false, false},
		{"a page that a script fetches", asset("empty"), "/part", "text/html", true, true, false},
		{"a worker", asset("worker"), "/w.js", "text/javascript", true, false, true},
		{"a shared worker", asset("sharedworker"), "/w.js", "text/javascript", true, false, true},
		{"a service worker", asset("serviceworker"), "/w.js", "text/javascript", true, false, true},
		{"a service worker of old browsers", plain("Service-Worker: script"), "/w.js", "text/javascript", true, false, true},
		{"a page over plain HTTP", plain("Accept: text/html,*/*"), "/", "text/html", true, true, true},
		{"a picture over plain HTTP", plain("Accept: image/png"), "/x.png", "image/png", false, false, false},
		{"a page that is excepted", request(), "/backoffice/users", "text/html", false, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			header := map[string][]string{"Content-Type": {c.contentType}}
			if c.contentType == "" {
				delete(header, "Content-Type")
			}
			got := answerTo(e, enforcer.Request{Header: c.header, Path: c.path, HTTPS: true}, header)
			if has := len(got["Content-Security-Policy"]) == 1; has != c.policy {
				t.Errorf("it gets %q", got["Content-Security-Policy"])
			}
			if has := len(got["Content-Security-Policy-Report-Only"]) == 1; has != c.report {
				t.Errorf("it reports by %q", got["Content-Security-Policy-Report-Only"])
			}
			if has := len(got["Reporting-Endpoints"]) == 1; has != c.report {
				t.Errorf("it reports to %q", got["Reporting-Endpoints"])
			}
			_, tag := c.header["If-None-Match"]
			if _, time := c.header["if-modified-since"]; tag == c.losesTheConditions || time == c.losesTheConditions {
				t.Errorf("the request is %q", c.header)
			}
		})
	}
}

// A 103 (Early Hints) has the policy as long as it is sent, and shares no slice with the portal.
func TestLoadHints(t *testing.T) {
	enforcing := compiled(t, loadingPolicy(policy.Load{Mode: policy.LoadEnforce, Except: []string{"/backoffice/*"}}))
	shared := append(make([]string, 0, 4), "img-src *")
	for _, c := range []struct {
		name     string
		enforcer *enforcer.Enforcer
		path     string
		header   map[string][]string
		want     int // lines
	}{
		{"a hint", enforcing, "/", map[string][]string{}, 1},
		{"beside the portal's", enforcing, "/", map[string][]string{"Content-Security-Policy": shared}, 2},
		{"excepted", enforcing, "/backoffice/users", map[string][]string{}, 0},
		{"no header", enforcing, "/", nil, 0},
		{"report", compiled(t, loadingPolicy(policy.Load{Mode: policy.LoadReport})), "/", map[string][]string{}, 0},
		{"off", compiled(t, allowing("sid")), "/", map[string][]string{}, 0},
	} {
		before := maps.Clone(c.header)
		visit := c.enforcer.Visit(enforcer.Request{Header: pageRequest(), Path: c.path})
		remove := visit.AddToHints(c.header)
		if got := c.header["Content-Security-Policy"]; len(got) != c.want {
			t.Errorf("%s: it has %q", c.name, got)
		}
		if remove(); !maps.EqualFunc(before, c.header, slices.Equal) {
			t.Errorf("%s: afterwards the header is %q", c.name, c.header)
		}
	}
	if all := shared[:4]; all[1] != "" {
		t.Errorf("the portal's slice is %q", all)
	}
}

// What the portal says stays as it is, and what is added is added once.
func TestLoadBesideThePortal(t *testing.T) {
	e := compiled(t, loadingPolicy(policy.Load{Mode: policy.LoadEnforce, Sample: "100%", Open: []string{policy.OpenImage}}))
	shared := []string{"script-src 'nonce-x' 'strict-dynamic'", "img-src *"}
	portal := map[string][]string{
		"Content-Type": {"text/html"}, "Content-Security-Policy": shared[:1],
		"content-security-policy":             {"frame-ancestors 'none'"},
		"Content-Security-Policy-Report-Only": {"default-src 'none'; report-uri /mine"},
		"Reporting-Endpoints":                 {`mine="/mine"`},
	}
	got := answerTo(e, enforcer.Request{Header: pageRequest(), HTTPS: true}, portal)
	for field, want := range map[string][]string{
		"Content-Security-Policy": {shared[0],
			own + tiles + counter + "; img-src * 'unsafe-inline' data: blob: mediastream: filesystem:"},
		"content-security-policy": {"frame-ancestors 'none'"},
		"Content-Security-Policy-Report-Only": {"default-src 'none'; report-uri /mine",
			own + tiles + "; report-uri /.cookie-policy/report; report-to cookie-policy"},
		"Reporting-Endpoints": {`mine="/mine"`, `cookie-policy="/.cookie-policy/report"`},
	} {
		if !slices.Equal(got[field], want) {
			t.Errorf("%s: %q, want %q", field, got[field], want)
		}
	}
	if shared[1] != "img-src *" {
		t.Error("the portal's own memory was written to")
	}
	again := answerTo(e, enforcer.Request{Header: pageRequest(), HTTPS: true}, maps.Clone(got)) // the routes of an error
	if len(again["Content-Security-Policy"]) != 2 || len(again["Reporting-Endpoints"]) != 2 {
		t.Errorf("another Visit makes it %q", again)
	}
	visit := e.Visit(enforcer.Request{Header: pageRequest()})
	visit.NotModified()
	notModified := html()
	if visit.CompleteResponse(notModified); len(notModified) != 1 {
		t.Errorf("an answer 304 gets %q", notModified)
	}
	informational := html()
	if visit.FilterResponse(informational); len(informational) != 1 {
		t.Errorf("an informational answer gets %q", informational)
	}
}

// Reports ask the same of everybody, so that caches keep pages, and off does nothing at all.
func TestLoadReport(t *testing.T) {
	enforcing := loadingPolicy(policy.Load{Mode: policy.LoadEnforce, Sample: "100%"})
	enforcing.Mode = policy.ModeReport
	for _, c := range []struct {
		name   string
		policy policy.Policy
		https  bool
		want   map[string][]string
	}{
		{"report", loadingPolicy(policy.Load{Mode: policy.LoadReport, Sample: "100%"}), true, map[string][]string{
			"Content-Security-Policy-Report-Only": {own + tiles + "; report-uri /.cookie-policy/report; report-to cookie-policy"},
			"Reporting-Endpoints":                 {`cookie-policy="/.cookie-policy/report"`}}},
		{"over plain HTTP", loadingPolicy(policy.Load{Mode: policy.LoadReport, Sample: "100%"}), false, map[string][]string{
			"Content-Security-Policy-Report-Only": {own + tiles + "; report-uri /.cookie-policy/report; report-to cookie-policy"}}},
		{"enforce in mode report", enforcing, false, map[string][]string{
			"Content-Security-Policy-Report-Only": {own + tiles + "; report-uri /.cookie-policy/report; report-to cookie-policy"}}},
		{"off", loadingPolicy(policy.Load{}), true, nil},
	} {
		for _, choice := range []string{`{"matomo":true}`, `{"matomo":false}`} {
			header := pageRequest(choosing(choice), "If-None-Match: x")
			got := answerTo(compiled(t, c.policy), enforcer.Request{Header: header, HTTPS: c.https}, html())
			delete(got, "Content-Type")
			if len(got) != len(c.want) || fmt.Sprint(got) != fmt.Sprint(c.want) && len(got) > 0 {
				t.Errorf("%s, %s: %q", c.name, choice, got)
			}
			if header["If-None-Match"] == nil {
				t.Errorf("%s: the request lost its condition", c.name)
			}
		}
	}
	sampled := 0
	e := compiled(t, loadingPolicy(policy.Load{Mode: policy.LoadReport, Sample: "20%"}))
	for range 2000 {
		if answerTo(e, enforcer.Request{Header: pageRequest()}, html())["Content-Security-Policy-Report-Only"] != nil {
			sampled++
		}
	}
	if sampled < 200 || sampled > 600 { // 400 are expected; outside is less likely than one in 10^25
		t.Errorf("%d of 2000 pages ask for reports", sampled)
	}
}

// Where no origin waits for consent, a page is the same for everybody.
func TestLoadWithoutConsent(t *testing.T) {
	p := loadingPolicy(policy.Load{Mode: policy.LoadEnforce, Sample: "0%"})
	p.Allow = p.Allow[:1]
	got := answerTo(compiled(t, p), enforcer.Request{Header: pageRequest(choosing(`{"matomo":true}`))}, html())
	if len(got["Vary"]) > 0 || !slices.Equal(got["Content-Security-Policy"], []string{own + tiles}) {
		t.Errorf("the header is %q", got)
	}
}

// A visitor who makes up choices does not make the gateway keep a policy for each.
func TestLoadBoundsMemory(t *testing.T) {
	p := loadingPolicy(policy.Load{Mode: policy.LoadEnforce, Sample: "0%"})
	for i := range 40 {
		p.Allow = append(p.Allow, policy.Rule{Category: policy.ThirdParty, RuleOptions: policy.RuleOptions{
			Consent: []string{fmt.Sprint("k", i)}, Origin: []string{fmt.Sprintf("https://h%d.example.org", i)}}})
	}
	e := compiled(t, p)
	for i := range 2000 {
		choice := `{"k0":true`
		for bit := range 11 {
			if i&(1<<bit) != 0 {
				choice += fmt.Sprintf(`,"k%d":true`, bit+1)
			}
		}
		got := answerTo(e, enforcer.Request{Header: pageRequest(choosing(choice + "}"))}, html())["Content-Security-Policy"][0]
		for bit := range 11 {
			if origin := fmt.Sprintf(" https://h%d.example.org ", bit+1); strings.Contains(got+" ", origin) != (i&(1<<bit) != 0) {
				t.Fatalf("with %s} a page may load from %s", choice, got)
			}
		}
	}
	if n := enforcer.KeptSources(e); n > 256 {
		t.Errorf("%d policies are kept", n)
	}
}

// An explanation tells of each origin whether a page may load from it, and why.
func TestLoadExplained(t *testing.T) {
	for load, refused := range map[string]string{policy.LoadEnforce: "refused", policy.LoadReport: "would_refuse"} {
		e := compiled(t, loadingPolicy(policy.Load{Mode: load}))
		x := e.Explain(enforcer.Request{Header: pageRequest(choosing(`{"matomo":true,"video":false}`))}, html())
		var got []string
		for _, o := range x.Origins {
			got = append(got, fmt.Sprint(o.Channel, " ", o.Cookie, " ", o.Verdict, " ", o.Rule.Path, ": ", o.Text))
		}
		want := []string{
			"load https://tiles.example.org let_through allow[0]: its category is necessary",
			"load https://stats.example.org let_through allow[1]: the visitor consents: matomo is granted by cookies_preferences",
			"load https://*.video.example " + refused +
				" allow[2]: the visitor has not consented: video is refused by cookies_preferences",
			"load https://counter.example.org let_through allow[3]: the rule is anonymous, and the visitor does not object: " +
				"count is undecided: cookies_preferences does not name it",
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s:\n%s\nwant\n%s", load, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	asset := map[string][]string{"Sec-Fetch-Dest": {"image"}}
	e := compiled(t, loadingPolicy(policy.Load{Mode: policy.LoadEnforce}))
	if x := e.Explain(enforcer.Request{Header: asset}, nil); len(x.Origins) > 0 {
		t.Errorf("a picture is told of origins: %+v", x.Origins)
	}
}
