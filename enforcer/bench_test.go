package enforcer_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/wire"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// withRules compiles a policy with the four cookies of a portal, and n rules in all, half of the
// others with a wildcard.
func withRules(tb testing.TB, n int) *enforcer.Enforcer {
	p := policy.Policy{Preference: []policy.Preference{{Cookies: []string{"cookies_preferences"}}}}
	for _, name := range []string{"sessionid", "csrftoken", "django_language",
		"cookies_preferences"} {
		p.Allow = append(p.Allow, policy.Rule{Category: policy.Necessary, Cookies: []string{name}})
	}
	for i := len(p.Allow); i < n; i++ {
		name := fmt.Sprintf("tracker_%d", i)
		if i%2 == 0 {
			name = fmt.Sprintf("_pk_%d_*", i)
		}
		p.Allow = append(p.Allow, policy.Rule{Category: policy.Statistical, Cookies: []string{name},
			RuleOptions: policy.RuleOptions{Consent: []string{"matomo"}}})
	}
	return compiled(tb, p)
}

// pageLines returns Set-Cookie lines like those of a portal's page. Every second one is refused.
func pageLines(n int) []string {
	lines := make([]string, n)
	for i := range lines {
		lines[i] = []string{
			"sessionid=0123456789abcdef0123456789abcdef; expires=Thu, 29 Jan 2026 12:00:00 GMT; " +
				"HttpOnly; Max-Age=1209600; Path=/; SameSite=Lax; Secure",
			"_pk_4_1.abcd=0123456789abcdef.1768478400.; Path=/; Max-Age=33955200; SameSite=Lax",
			"csrftoken=0123456789abcdef0123456789abcdef; expires=Thu, 14 Jan 2027 12:00:00 GMT; " +
				"Max-Age=31449600; Path=/; SameSite=Lax; Secure",
			"_ga=GA1.1.1234567890.1768478400; Domain=.example.org; Path=/; " +
				"expires=Sat, 15 Jan 2028 12:00:00 GMT",
			"django_language=fr; Path=/",
			"campaign=spring; Path=/",
		}[i%6]
	}
	return lines
}

// benchmarkLines measures the filter, and net/http's parser on the same lines.
func benchmarkLines(b *testing.B, e *enforcer.Enforcer, original []string) {
	var bytes int64
	for _, line := range original {
		bytes += int64(len(line))
	}
	b.Run("filter", func(b *testing.B) {
		b.SetBytes(bytes)
		b.ReportAllocs()
		lines := make([]string, len(original))
		header := http.Header{"Content-Type": {"text/html"},
			"Date": {"Thu, 15 Jan 2026 12:00:00 GMT"}}
		for b.Loop() {
			copy(lines, original)
			header["Set-Cookie"] = lines
			visit := e.Visit(enforcer.Request{})
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
			b.Run(fmt.Sprintf("rules=%d/lines=%d", rules, lines),
				func(b *testing.B) { benchmarkLines(b, e, pageLines(lines)) })
		}
	}
}

func BenchmarkHostileSetCookie(b *testing.B) {
	e := compiled(b, policy.Policy{
		Presets: []policy.Preset{{Name: "opendatasoft"}, {Name: "matomo"}},
		Allow: []policy.Rule{{Category: policy.Necessary, Cookies: []string{"*a*b*", "home"},
			RuleOptions: policy.RuleOptions{Domain: []string{"example.org"}}}},
	})
	const mebibyte = 1 << 20
	for _, c := range []struct {
		what  string
		lines []string
	}{
		{"10000_lines", pageLines(10_000)},
		{"one_line_of_1MiB", []string{"home=" + strings.Repeat("x", mebibyte)}},
		{"a_name_of_1MiB", []string{strings.Repeat("a", mebibyte) + "=1"}},
		{"a_name_for_wildcards", []string{strings.Repeat("a", wire.MaxPair) + "=1"}},
		{"1MiB_of_attributes", []string{"home=1" +
			strings.Repeat("; Domain=x", mebibyte/len("; Domain=x"))}},
		{"1MiB_of_semicolons", []string{"home=1" + strings.Repeat(";", mebibyte)}},
		{"1MiB_of_blanks", []string{"home=1;" + strings.Repeat(" ", mebibyte) + "Domain=x"}},
		{"dates", []string{"_ga=1; Expires=" + strings.Repeat("Thu, ", 200)}},
	} {
		b.Run(c.what, func(b *testing.B) { benchmarkLines(b, e, c.lines) })
	}
}

func BenchmarkPreference(b *testing.B) {
	e := withRules(b, 100)
	const text = `{"functional_cookies":true,"ga":false,"matomo":true,"xiti":false,"at":false,` +
		`"piano":false,"eulerian":false,"timestamp":1768478400000}`
	for _, c := range []struct{ what, value string }{
		{"raw", text},
		{"encoded", url.PathEscape(text)},
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
				visit := e.Visit(enforcer.Request{Header: request})
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
				"Content-Type": {"text/html; charset=utf-8"}, "Content-Length": {"12345"},
				"Date": {"Thu, 15 Jan 2026 12:00:00 GMT"}, "Etag": {`"x"`},
				"Strict-Transport-Security": {"max-age=31536000"}, "Server": {"nginx"},
				"Vary": {"Accept-Encoding"}, "X-Frame-Options": {"DENY"},
			}
			b.ReportAllocs()
			for b.Loop() {
				visit := e.Visit(enforcer.Request{})
				visit.FilterResponse(header)
			}
		})
	}
}

func BenchmarkFilterRequest(b *testing.B) {
	e := compiled(b, policy.Policy{Presets: []policy.Preset{{Name: "opendatasoft"},
		{Name: "matomo"}, {Name: "google_analytics"}}})
	const mebibyte = 1 << 20
	const necessary = "sessionid=0123456789abcdef0123456789abcdef; " +
		"csrftoken=0123456789abcdef0123456789abcdef; django_language=fr; "
	for _, c := range []struct{ what, cookies string }{
		{"six_and_all_stay", necessary + "sessionid=1; csrftoken=2; django_language=en"},
		{"six_of_which_three_go", necessary + "_ga=GA1.1.1234567890.1768478400; " +
			"_pk_id.1.1fff=0123456789abcdef.1768478400.; _pk_ses.1.1fff=1"},
		{"1MiB_of_one_that_goes", strings.Repeat("_ga=1; ", mebibyte/7)},
		{"1MiB_of_one_that_stays", strings.Repeat("sessionid=1; ", mebibyte/13)},
		{"1MiB_of_both", strings.Repeat("sessionid=1; _ga=1; ", mebibyte/20)},
		{"1MiB_of_semicolons", "_ga=1" + strings.Repeat(";", mebibyte)},
		{"1MiB_of_blanks", "_ga=1;" + strings.Repeat(" ", mebibyte)},
		{"1MiB_of_name", strings.Repeat("_pk_id", mebibyte/6) + "=1"},
		{"1MiB_of_names_for_wildcards", strings.Repeat("_pk_id"+strings.Repeat("x", 1000)+"=;",
			mebibyte/1008)},
		{"1MiB_of_preferences", strings.Repeat("cookies_preferences={};", mebibyte/23) + "_ga=1"},
	} {
		b.Run(c.what, func(b *testing.B) {
			lines, header := []string{c.cookies}, http.Header{}
			b.SetBytes(int64(len(c.cookies)))
			b.ReportAllocs()
			for b.Loop() {
				header["Cookie"] = lines
				visit := e.Visit(enforcer.Request{Header: header})
				visit.FilterRequest()
			}
		})
	}
}

func BenchmarkExpire(b *testing.B) {
	e := compiled(b, tracking(policy.RuleOptions{}, "t_*"))
	var many strings.Builder
	for i := 0; many.Len() < 1<<20; i++ {
		fmt.Fprintf(&many, "t_%d=; ", i)
	}
	for what, cookies := range map[string]string{
		"one": "sessionid=1; t_1=1", "six": "t_1=1; t_2=1; t_3=1; t_4=1; t_5=1; t_6=1",
		"1MiB_of_names": many.String(), "1MiB_of_one_name": strings.Repeat("t_1=;",
			1<<20/5),
	} {
		b.Run(what, func(b *testing.B) {
			b.SetBytes(int64(len(cookies)))
			b.ReportAllocs()
			for b.Loop() {
				respond(e, enforcer.Request{Header: navigation(cookies), Host: "data.city.example",
					HTTPS: true}, http.Header{})
			}
		})
	}
}

// BenchmarkObserved measures a request and its response, with an Observer and without. Run it with
// -cpu 1,2,4,8: each processor has counters of its own.
func BenchmarkObserved(b *testing.B) {
	for _, lines := range []int{0, 6, 50} {
		for _, observes := range []bool{false, true} {
			b.Run(fmt.Sprintf("lines=%d/observer=%t", lines, observes), func(b *testing.B) {
				e := withRules(b, 100)
				if observes {
					e.Observe(observe.New(time.Now()))
				}
				original := pageLines(lines)
				cookie := []string{"sessionid=0123456789abcdef; csrftoken=0123456789abcdef; " +
					"_pk_4_1.abcd=0; _ga=GA1.1.1; " + acceptsMatomo}
				hosts := []string{"dashboard.paris", "opendata.paris.fr",
					"cityai.my.opendatasoft.com", "data.city.example", "open.town.example"}
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
						visit := e.Visit(enforcer.Request{Header: request,
							Host: hosts[i%len(hosts)]})
						visit.FilterRequest()
						visit.CompleteResponse(response)
						visit.End()
					}
				})
			})
		}
	}
}
