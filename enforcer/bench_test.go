package enforcer

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// withRules is a policy with the four cookies of a portal, and n rules in all. Every second of the others is a wildcard.
func withRules(tb testing.TB, n int) *Enforcer {
	p := Policy{Preference: []Preference{{Cookies: []string{"cookies_preferences"}}}}
	for _, name := range []string{"sessionid", "csrftoken", "django_language", "cookies_preferences"} {
		p.Allow = append(p.Allow, Rule{Category: Necessary, Cookies: []string{name}})
	}
	for i := len(p.Allow); i < n; i++ {
		name := fmt.Sprintf("tracker_%d", i)
		if i%2 == 0 {
			name = fmt.Sprintf("_pk_%d_*", i)
		}
		p.Allow = append(p.Allow, Rule{Category: Statistical, Cookies: []string{name}, RuleOptions: RuleOptions{Consent: []string{"matomo"}}})
	}
	return compiled(tb, p)
}

// pageLines are the cookies of a portal's page. Every second one is refused.
func pageLines(n int) []string {
	lines := make([]string, n)
	for i := range lines {
		lines[i] = []string{
			"sessionid=0123456789abcdef0123456789abcdef; expires=Thu, 29 Jan 2026 12:00:00 GMT; HttpOnly; Max-Age=1209600; Path=/; SameSite=Lax; Secure",
			"_pk_4_1.abcd=0123456789abcdef.1768478400.; Path=/; Max-Age=33955200; SameSite=Lax",
			"csrftoken=0123456789abcdef0123456789abcdef; expires=Thu, 14 Jan 2027 12:00:00 GMT; Max-Age=31449600; Path=/; SameSite=Lax; Secure",
			"_ga=GA1.1.1234567890.1768478400; Domain=.example.org; Path=/; expires=Sat, 15 Jan 2028 12:00:00 GMT",
			"django_language=fr; Path=/",
			"campaign=spring; Path=/",
		}[i%6]
	}
	return lines
}

// benchmarkLines measures the filter on a response's lines, and net/http's parser on the same.
func benchmarkLines(b *testing.B, e *Enforcer, original []string) {
	var bytes int64
	for _, line := range original {
		bytes += int64(len(line))
	}
	b.Run("filter", func(b *testing.B) {
		b.SetBytes(bytes)
		b.ReportAllocs()
		lines := make([]string, len(original))
		header := http.Header{"Content-Type": {"text/html"}, "Date": {"Thu, 15 Jan 2026 12:00:00 GMT"}}
		for b.Loop() {
			copy(lines, original)
			header["Set-Cookie"] = lines
			visit := e.Visit(Request{})
			visit.FilterResponse(header)
		}
	})
	b.Run("net_http", func(b *testing.B) {
		b.SetBytes(bytes)
		b.ReportAllocs()
		for b.Loop() {
			for _, line := range original {
				_, _ = http.ParseSetCookie(line) // that it refuses lines is no part of the measurement
			}
		}
	})
}

func BenchmarkSetCookie(b *testing.B) {
	for _, rules := range []int{4, 100, 100_000} {
		e := withRules(b, rules)
		for _, lines := range []int{1, 6} {
			b.Run(fmt.Sprintf("rules=%d/lines=%d", rules, lines), func(b *testing.B) { benchmarkLines(b, e, pageLines(lines)) })
		}
	}
}

func BenchmarkHostileSetCookie(b *testing.B) {
	e := compiled(b, Policy{
		Presets: []Preset{{Name: "opendatasoft"}, {Name: "matomo"}},
		Allow:   []Rule{{Category: Necessary, Cookies: []string{"*a*b*", "home"}, RuleOptions: RuleOptions{Domain: []string{"example.org"}}}},
	})
	const mebibyte = 1 << 20
	for _, c := range []struct {
		what  string
		lines []string
	}{
		{"10000_lines", pageLines(10_000)},
		{"one_line_of_1MiB", []string{"home=" + strings.Repeat("x", mebibyte)}},
		{"a_name_of_1MiB", []string{strings.Repeat("a", mebibyte) + "=1"}},
		{"a_name_for_wildcards", []string{strings.Repeat("a", maxPair) + "=1"}},
		{"1MiB_of_attributes", []string{"home=1" + strings.Repeat("; Domain=x", mebibyte/len("; Domain=x"))}},
		{"1MiB_of_semicolons", []string{"home=1" + strings.Repeat(";", mebibyte)}},
		{"1MiB_of_blanks", []string{"home=1;" + strings.Repeat(" ", mebibyte) + "Domain=x"}},
		{"dates", []string{"_ga=1; Expires=" + strings.Repeat("Thu, ", 200)}},
	} {
		b.Run(c.what, func(b *testing.B) { benchmarkLines(b, e, c.lines) })
	}
}

func BenchmarkPreference(b *testing.B) {
	e := withRules(b, 100)
	const text = `{"functional_cookies":true,"ga":false,"matomo":true,"xiti":false,"at":false,"piano":false,"eulerian":false,"timestamp":1768478400000}`
	for _, c := range []struct{ what, value string }{
		{"raw", text},
		{"encoded", encodeEvery(text)},
		{"largest", `{"matomo":true,"x":"` + strings.Repeat("x", 4000) + `"}`},
		{"deepest", `{"matomo":true,"x":` + strings.Repeat("[", 4000)},
		{"most_members", "{" + strings.TrimSuffix(strings.Repeat(`"":0,`, 800), ",") + "}"},
		{"too_large", strings.Repeat("x", 1<<20)},
	} {
		b.Run(c.what, func(b *testing.B) {
			request := http.Header{"Cookie": {"a=b; cookies_preferences=" + c.value + "; c=d"}}
			lines := []string{""}
			header := http.Header{}
			b.SetBytes(int64(len(c.value)))
			b.ReportAllocs()
			for b.Loop() {
				lines[0] = "tracker_5=1"
				header["Set-Cookie"] = lines
				visit := e.Visit(Request{Header: request})
				visit.FilterResponse(header)
			}
		})
	}
}

func BenchmarkNoCookie(b *testing.B) {
	for _, rules := range []int{4, 100_000} {
		b.Run(fmt.Sprintf("rules=%d", rules), func(b *testing.B) {
			e := withRules(b, rules)
			header := http.Header{
				"Content-Type": {"text/html; charset=utf-8"}, "Content-Length": {"12345"}, "Date": {"Thu, 15 Jan 2026 12:00:00 GMT"}, "Etag": {`"x"`},
				"Strict-Transport-Security": {"max-age=31536000"}, "Server": {"nginx"}, "Vary": {"Accept-Encoding"}, "X-Frame-Options": {"DENY"},
			}
			b.ReportAllocs()
			for b.Loop() {
				visit := e.Visit(Request{})
				visit.FilterResponse(header)
			}
		})
	}
}
