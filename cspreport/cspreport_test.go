package cspreport

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

const (
	host   = "data.city.example"
	oldCSP = "application/csp-report"
	newCSP = "application/reports+json; charset=utf-8"
)

func older(document, blocked, effective, violated string) string {
	b, _ := json.Marshal(map[string]any{"csp-report": map[string]any{
		"document-uri": document, "blocked-uri": blocked, "effective-directive": effective,
		"violated-directive": violated, "referrer": "https://secret.example", "status-code": 200,
	}})
	return string(b)
}

func newer(reports ...[3]string) string {
	var all []any
	for _, r := range reports {
		all = append(all, map[string]any{"type": "csp-violation", "age": 1, "url": r[0], "user_agent": "secret",
			"body": map[string]any{"documentURL": r[0], "blockedURL": r[1], "effectiveDirective": r[2], "sample": "secret"}})
	}
	b, _ := json.Marshal(all)
	return string(b)
}

func TestRead(t *testing.T) {
	const page = "https://data.city.example/explore/?q=secret"
	report := func(origin, directive string) []Report { return []Report{{origin, directive}} }
	many := make([][3]string, 60)
	for i := range many {
		many[i] = [3]string{page, fmt.Sprintf("https://h%d.example/x", i), "img-src"}
	}
	for _, c := range []struct {
		name, contentType, body string
		want                    []Report
		dropped                 string
	}{
		{"an old report", oldCSP, older(page, "https://b.example/p.gif?id=secret", "img-src", ""),
			report("https://b.example", "img-src"), ""},
		{"an older one", "application/json", older(page, "https://b.example", "", "default-src 'self' https://x.example"),
			report("https://b.example", "default-src"), ""},
		{"new ones, of several types", newCSP, `[{"type":"deprecation","body":{"id":"x"}},` +
			newer([3]string{page, "wss://live.b.example/s", "connect-src"})[1:], report("https://live.b.example", "connect-src"), ""},
		{"a redirect of the site", oldCSP, older(page, "https://data.city.example/out", "frame-src", ""), report("", "frame-src"), ""},
		{"with a port", oldCSP, older("https://data.city.example:8443/", "https://b.example:444/", "script-src-elem", ""),
			report("https://b.example:444", "script-src-elem"), ""},
		{"another page", oldCSP, older("https://evil.example/", "https://b.example", "img-src", ""), nil, "other_page:1"},
		{"no page", oldCSP, older("about:blank", "https://b.example", "img-src", ""), nil, "other_page:1"},
		{"another directive", oldCSP, older(page, "https://b.example", "form-action", ""), nil, "other_policy:1"},
		{"inline", oldCSP, older(page, "inline", "script-src-elem", ""), nil, "no_origin:1"},
		{"an extension", oldCSP, older(page, "chrome-extension://abcdef", "script-src-elem", ""), nil, "no_origin:1"},
		{"an address", oldCSP, older(page, "https://192.0.2.1/x", "img-src", ""), nil, "no_origin:1"},
		{"no report", oldCSP, `{}`, nil, "malformed:1"},
		{"no object", oldCSP, `[]`, nil, "malformed:1"},
		{"no list", newCSP, `{}`, nil, "malformed:1"},
		{"no JSON", newCSP, `[`, nil, "malformed:1"},
		{"deep JSON", newCSP, strings.Repeat("[", 16000), nil, "malformed:1"},
		{"another type", "text/plain", older(page, "https://b.example", "img-src", ""), nil, "type:1"},
		{"no type", "", "", nil, "type:1"},
		{"too large", oldCSP, strings.Repeat(" ", MaxBody+1), nil, "too_large:1"},
		{"more behind the list", newCSP, `[]x`, nil, "malformed:1"},
		{"a frame in Safari", oldCSP, older(page, "https://b.example", "child-src", ""), report("https://b.example", "frame-src"), ""},
		{"nothing", newCSP, `[]`, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, dropped := Read(c.contentType, []byte(c.body), host)
			if !slices.Equal(got, c.want) {
				t.Errorf("read %+v, want %+v", got, c.want)
			}
			if said := strings.TrimSuffix(strings.TrimPrefix(fmt.Sprint(dropped), "map["), "]"); said != c.dropped {
				t.Errorf("dropped %q, want %q", said, c.dropped)
			}
		})
	}
	// Other types of reports have what they want in their bodies.
	mixed := `[{"type":"x","body":{"documentURL":7}},{"type":"y","body":[1]},{"type":"z"},` +
		`{"type":"csp-violation","body":{"blockedURL":7}},` + newer([3]string{page, "https://b.example", "img-src"})[1:]
	if got, dropped := Read(newCSP, []byte(mixed), host); len(got) != 1 || dropped[Malformed] != 1 || len(dropped) != 1 {
		t.Errorf("%+v are read of mixed types, and %v dropped", got, dropped)
	}
	// Chromium sends 120 map tiles as one list.
	tiles := slices.Repeat([][3]string{{page, "https://tile.example/" + strings.Repeat("x", 300), "img-src"}}, 120)
	first := [][3]string{{page, "https://first.example/", "script-src-elem"}}
	if got, dropped := Read(newCSP, []byte(newer(append(first, tiles...)...)), host); !slices.Equal(got, []Report{
		{"https://first.example", "script-src-elem"}, {"https://tile.example", "img-src"}}) ||
		dropped[TooLarge] != 1 || dropped[Repeated] < 20 || len(dropped) != 2 {
		t.Errorf("%+v are read of a long list, and %v dropped", got, dropped)
	}
	// Only what is the same in all that is kept is the same. Repeated ones are read, too.
	short := slices.Repeat([][3]string{{page, "https://t.example/1", "img-src"}, {page, "https://t.example/2", "font-src"},
		{page, "https://t.example/3", "img-src"}, {page, page, "img-src"}, {page, page, "img-src"}}, 12)
	if got, dropped := Read(newCSP, []byte(newer(short...)), host); !slices.Equal(got, []Report{
		{"https://t.example", "img-src"}, {"https://t.example", "font-src"}, {"", "img-src"}}) ||
		dropped[Repeated] != 47 || dropped[TooMany] != 10 || len(dropped) != 2 {
		t.Errorf("%+v are read, and %v dropped", got, dropped)
	}
	got, dropped := Read(newCSP, []byte(newer(many...)), host)
	if len(got) != 50 || dropped[TooMany] != 10 {
		t.Errorf("%d reports are read, and %v dropped", len(got), dropped)
	}
}

// Of what the site itself is asked for, a report means a redirect: 'self' matches it (CSP 3 section
// 6.7.2.8). It does not match another port, nor http where the page came over https: these are origins
// like others.
func TestReadOfOwnHost(t *testing.T) {
	for _, c := range []struct{ page, blocked, want string }{
		{"https://data.city.example/", "https://data.city.example/out", "self"},
		{"https://data.city.example/", "https://DATA.city.example:443/out", "self"},
		{"https://data.city.example/", "wss://data.city.example/live", "self"},
		{"https://data.city.example/", "https://data.city.example:8443/out", "https://data.city.example:8443"},
		{"https://data.city.example/", "wss://data.city.example:8443/live", "https://data.city.example:8443"},
		{"https://data.city.example/", "http://data.city.example/out", "http://data.city.example"},
		{"https://data.city.example/", "https://data.city.example:80/out", "https://data.city.example:80"},
		{"https://data.city.example:8443/", "https://data.city.example:8443/out", "self"},
		{"https://data.city.example:8443/", "https://data.city.example/out", "https://data.city.example"},
		{"http://data.city.example/", "http://data.city.example:80/out", "self"},
		{"http://data.city.example/", "https://data.city.example/out", "self"},
		{"http://data.city.example/", "ws://data.city.example/live", "self"},
		{"http://data.city.example/", "wss://data.city.example/live", "self"},
		{"http://data.city.example:8080/", "ws://data.city.example:8080/live", "self"},
		{"http://data.city.example:8080/", "https://data.city.example:8080/out", "self"},
		{"http://data.city.example:8080/", "https://data.city.example/out", "https://data.city.example"},
		{"http://data.city.example:8080/", "http://data.city.example/out", "http://data.city.example"},
		{"https://data.city.example/", "ftp://data.city.example/out", "nothing"},
		{"https://data.city.example/", "https://data.city.example:x/out", "nothing"},
	} {
		got := "nothing"
		if reports, _ := Read(oldCSP, []byte(older(c.page, c.blocked, "img-src", "")), host); len(reports) == 1 {
			got = cmp.Or(reports[0].Origin, "self")
		}
		if got != c.want {
			t.Errorf("%s on %s is %s, want %s", c.blocked, c.page, got, c.want)
		}
	}
}

// No body makes more reports than there may be, or anything that is no origin and no known word.
func FuzzRead(f *testing.F) {
	f.Add(oldCSP, older("https://data.city.example/", "https://b.example/x", "img-src", ""))
	f.Add(newCSP, newer([3]string{"https://data.city.example/", "https://b.example/x", "img-src"}))
	f.Fuzz(func(t *testing.T, contentType, body string) {
		reports, dropped := Read(contentType, []byte(body), host)
		if len(reports) > maxReports {
			t.Fatalf("%d reports", len(reports))
		}
		for _, r := range reports {
			if origin, _ := policy.OriginOf(r.Origin); origin != r.Origin || !slices.Contains(directives, r.Directive) {
				t.Errorf("%+v", r)
			}
		}
		for reason := range maps.Keys(dropped) {
			if !slices.Contains(Reasons, reason) {
				t.Errorf("dropped as %q", reason)
			}
		}
	})
}
