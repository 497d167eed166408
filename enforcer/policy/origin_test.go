package policy

import (
	"slices"
	"strings"
	"testing"
)

func TestOriginFaults(t *testing.T) {
	for _, c := range []struct{ origin, problem, right string }{
		{"https://cdn.example.org", "", ""},
		{"https://*.example.org", "", ""},
		{"https://cdn.example.org:8443", "", ""},
		{"https://a_b.example.org", "", ""},
		{"https://xn--bcher-kva.example", "", ""},

		{"", "no origin", "https://cdn.example.org"},
		{"*", "every host", "https://*.example.org"},
		{"https://*", "every host", "https://*.example.org"},
		{"'self'", "own host", "remove"},
		{"'unsafe-inline'", "word of a Content-Security-Policy", "write one"},
		{"data:", "word of a Content-Security-Policy", "write one"},
		{"cdn.example.org", "begins with its scheme", "write https://cdn.example.org"},
		{"*.Example.org", "begins with its scheme", "write https://*.example.org"},
		{"not an origin", "no origin", "write one"},
		{"http://cdn.example.org", "https only", "write https://cdn.example.org"},
		{"wss://live.example.org", "count as https", "write https://live.example.org"},
		{"https://cdn.example.org/", "ends with its host", "write https://cdn.example.org"},
		{"https://cdn.example.org/lib.js", "no path", "write https://cdn.example.org"},
		{"https://cdn.example.org?x", "no host name", "write one"},
		{"https://u@cdn.example.org", "no host name", "write one"},
		{"https://CDN.example.org", "lower case", "write https://cdn.example.org"},
		{"https://bücher.example", "ASCII", "write https://xn--bcher-kva.example"},
		{"https://*.bücher.example", "ASCII", "write https://*.xn--bcher-kva.example"},
		{"https://192.0.2.1", "no address", "write one"},
		{"https://[2001:db8::1]", "no address", "write one"},
		{"https://0x7f.1", "no address", "write one"},
		{"https://localhost", "dot in it", "write one"},
		{"https://cdn..example.org", "no host name", "write one"},
		{"https://.example.org", "no host name", "write one"},
		{"https://example.org.", "dot at its end", "write https://example.org"},
		{"https://c*.example.org", "whole labels", "write one"},
		{"https://*.*.example.org", "whole labels", "write one"},
		{"https://*.com", "dot in it", "write one"},
		{"https://*.co.uk", "many owners", "https://cdn.co.uk"},
		{"https://*.github.io", "many owners", "https://cdn.github.io"},
		{"https://example.org:443", "left out", "write https://example.org"},
		{"https://example.org:0", "no port", "1 to 65535"},
		{"https://example.org:99999", "no port", "1 to 65535"},
		{"https://example.org:*", "no port", "1 to 65535"},
		{"https://example.org:", "no port", "1 to 65535"},
		{"https://" + strings.Repeat("a.", 127) + "org", "no host name", "write one"},
	} {
		problem, right := originFault(c.origin)
		if c.problem == "" && problem != "" || !strings.Contains(problem, c.problem) || !strings.Contains(right, c.right) {
			t.Errorf("%q: %q; %q, want %q; %q", c.origin, problem, right, c.problem, c.right)
		}
	}
}

func TestOriginOf(t *testing.T) {
	for url, want := range map[string]string{
		"https://cdn.example.org/lib.js?id=1":   "https://cdn.example.org",
		"HTTPS://CDN.Example.org":               "https://cdn.example.org",
		"https://cdn.example.org:443/":          "https://cdn.example.org",
		"https://cdn.example.org:8443/":         "https://cdn.example.org:8443",
		"https://cdn.example.org./":             "https://cdn.example.org",
		"wss://live.example.org/x":              "https://live.example.org",
		"http://old.example.org:80/pixel":       "http://old.example.org",
		"ws://old.example.org":                  "http://old.example.org",
		"https://cdn.example.org?x":             "https://cdn.example.org",
		`https://cdn.example.org\@evil.example`: "https://cdn.example.org",
		"data:text/html,x":                      "",
		"inline":                                "",
		"":                                      "",
		"chrome-extension://abcdef":             "",
		"https://localhost/":                    "",
		"https://192.0.2.1/":                    "",
		"https://user@cdn.example.org/":         "",
		"https://cdn.example.org:x/":            "",
		"https:///lib.js":                       "",
		"https://*.example.org":                 "",
	} {
		if got, ok := OriginOf(url); got != want || ok != (want != "") {
			t.Errorf("%q is of %q, %t, want %q", url, got, ok, want)
		}
	}
}

// Whatever a URL is, its origin is one that a rule may name, except for its scheme, and is the origin of
// itself.
func FuzzOriginOf(f *testing.F) {
	for _, seed := range []string{"https://a.b:1/", "wss://a.b", "http://A.b.", "https://a.b:443", "x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, url string) {
		origin, ok := OriginOf(url)
		if !ok {
			return
		}
		if again, ok := OriginOf(origin); !ok || again != origin {
			t.Errorf("%q is of %q, which is of %q", url, origin, again)
		}
		if secure, isSecure := strings.CutPrefix(origin, "http://"); isSecure {
			origin = "https://" + secure
		}
		if problem, _ := originFault(origin); problem != "" && problem != "443 is the port of https, and is left out" {
			t.Errorf("%q is of %q: %s", url, origin, problem)
		}
	})
}

func TestRulesOfOrigin(t *testing.T) {
	r := resolved(t, Policy{
		Presets: []Preset{{Name: "opendatasoft"}, {Name: "google_analytics"}},
		Allow: []Rule{
			{Category: Necessary, RuleOptions: RuleOptions{Origin: []string{"https://tiles.example.org"}}},
			{Category: ThirdParty, Cookies: []string{"v"}, RuleOptions: RuleOptions{
				Origin: []string{"https://*.video.example", "https://live.video.example:8443"}}},
		},
		Load: Load{Mode: LoadReport},
	})
	for origin, want := range map[string][]string{
		"https://tiles.example.org":       {"necessary https://tiles.example.org"},
		"https://www.video.example":       {"third_party v"},
		"https://a.b.video.example":       {"third_party v"},
		"https://live.video.example:8443": {"third_party v"},
		"https://*.video.example":         {"third_party v"},
		"https://www.google-analytics.com": {"statistical _ga _ga_*", "statistical _gid",
			"statistical _gat*"},
		"https://video.example":            nil,
		"https://evilvideo.example":        nil,
		"https://www.video.example:8443":   nil,
		"http://tiles.example.org":         nil,
		"https://tiles.example.org:8443":   nil,
		"https://sub.tiles.example.org":    nil,
		"https://www.video.example.evil.x": nil,
	} {
		var got []string
		for _, rule := range r.RulesOf(origin) {
			got = append(got, rule.Label())
		}
		if !slices.Equal(got, want) {
			t.Errorf("pages load from %s by %q, want %q", origin, got, want)
		}
	}
	necessary := r.Origins(func(rule *Rule) bool { return rule.Category == Necessary })
	if !slices.Equal(necessary, []string{"https://tiles.example.org"}) {
		t.Errorf("the necessary origins are %q", necessary)
	}
}

// A preset's origins count where load is on. What the operator writes takes their place, and an origin
// that stands under another condition already is not the preset's any more.
func TestPresetOrigins(t *testing.T) {
	const tag = "https://tag.aticdn.net"
	origins := func(p Policy, preset string) (origins []string) {
		for _, rule := range resolved(t, p).Rules() {
			if rule.Place().Preset == preset {
				return rule.Origin
			}
		}
		return nil
	}
	piano := func(load string, others ...string) Policy {
		p := Policy{Load: Load{Mode: load}}
		for _, name := range append(others, "piano") {
			p.Presets = append(p.Presets, Preset{Name: name})
		}
		return p
	}
	known, _ := presetNamed("piano")
	if got := origins(piano(""), "piano"); got != nil {
		t.Errorf("without load the origins are %q", got)
	}
	if got := origins(piano(LoadReport), "piano"); !slices.Equal(got, known.origins) {
		t.Errorf("the origins are %q", got)
	}
	if got := origins(piano(LoadReport, "at_internet"), "piano"); slices.Contains(got, tag) || len(got) == 0 {
		t.Errorf("behind at_internet the origins are %q", got)
	}
	own := piano(LoadEnforce)
	own.Presets[0].Origin = []string{"https://stats.city.example"}
	if got := origins(own, "piano"); !slices.Equal(got, own.Presets[0].Origin) {
		t.Errorf("with an own one the origins are %q", got)
	}
	for _, p := range presets {
		for _, origin := range p.origins {
			if problem, _ := originFault(origin); problem != "" {
				t.Errorf("the preset %s names %s: %s", p.name, origin, problem)
			}
		}
	}
}
