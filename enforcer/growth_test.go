package enforcer_test

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// shape is a kind of hostile request or response, of which there can be n.
type shape struct {
	what     string
	request  func(n int) http.Header
	response func(n int) http.Header
}

// repeated returns n copies of a text, in one line.
func repeated(begin, text string) func(n int) http.Header {
	return func(n int) http.Header {
		return http.Header{"Cookie": {begin + strings.Repeat(text, n)}}
	}
}

// line returns a response with one line that ends with n copies of a text.
func line(begin, text string) func(n int) http.Header {
	return func(n int) http.Header {
		return http.Header{"Set-Cookie": {begin + strings.Repeat(text, n)}}
	}
}

// lines returns a response with n lines.
func lines(line string) func(n int) http.Header {
	return func(n int) http.Header {
		header := http.Header{}
		for i := range n {
			header["Set-Cookie"] = append(header["Set-Cookie"], strings.ReplaceAll(line, "%", fmt.Sprint(i)))
		}
		return header
	}
}

// beside adds n other header fields.
func beside(response func(n int) http.Header) func(n int) http.Header {
	return func(n int) http.Header {
		header := response(n)
		for i := range n {
			header[fmt.Sprintf("X-%d", i)] = []string{"1"}
		}
		return header
	}
}

const datedPreference = `prefs={"stats":true}; Path=/; Expires=Fri, 15 Jan 2027 12:00:00 GMT`

// shapes are those for which the work of a policy must be linear in the bytes.
var shapes = []shape{
	{"refused_lines", nil, lines("_ga%=1; Path=/; Max-Age=60")},
	{"kept_lines", nil, lines("sessionid=%; Path=/; Max-Age=600000")},
	{"deletions_by_date", nil, lines("_ga=%; Expires=Thu, 01 Jan 1970 00:00:00 GMT")},
	{"preference_lines", nil, lines(datedPreference)},
	{"preference_lines_and_fields", nil, beside(lines(datedPreference))},
	{"refused_lines_and_fields", nil, beside(lines("_ga=%"))},
	{"fields", nil, beside(func(int) http.Header { return http.Header{} })},
	{"long_value", nil, line("sessionid=", "x")},
	{"long_name", nil, line("sessionid", "x")},
	{"semicolons", nil, line("sessionid=1; Max-Age=600000", ";")},
	{"semicolons_and_a_tab", nil, line("sessionid=1;\tMax-Age=600000", ";")},
	{"attributes", nil, line("sessionid=1", "; Max-Age=600000")},
	{"dates", nil, line("sessionid=1", "; Expires=Fri, 15 Jan 2027 12:00:00 GMT")},
	{"domains", nil, line("sessionid=1", "; Domain=portal.example.org")},
	{"blanks", nil, line("sessionid=1;", " ")},
	{"vary", nil, func(n int) http.Header {
		return http.Header{"Set-Cookie": {"_ga=1"}, "Vary": {strings.Repeat("Accept, ", n)}}
	}},
	{"cache_control", nil, func(n int) http.Header {
		return http.Header{
			"Set-Cookie":    {"sessionid=1"},
			"Cache-Control": {strings.Repeat("s-maxage=1, ", n)},
		}
	}},
	{"trailers", nil, func(n int) http.Header {
		header := lines("_ga%=1")(n)
		header[http.TrailerPrefix+"Set-Cookie"] = lines("sessionid=%")(n)["Set-Cookie"]
		return header
	}},

	{"refused_pairs", repeated("", "_ga=1; "), nil},
	{"kept_pairs", repeated("", "sessionid=1; "), nil},
	{"both_pairs", repeated("", "sessionid=1; _ga=1; "), nil},
	{"names", func(n int) http.Header {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "junk%d=1; _pk_%d=1; ", i, i)
		}
		return http.Header{"Cookie": {b.String()}}
	}, nil},
	{"request_lines", func(n int) http.Header {
		return http.Header{"Cookie": strings.Split(strings.Repeat("_ga=1;sessionid=1\n", n), "\n")}
	}, nil},
	{"pair_semicolons", repeated("_ga=1", ";"), nil},
	{"pair_name", repeated("_pk_", "x"), nil},

	{"preferences", repeated("_ga=1; ", `prefs={"stats":true}; `), nil},
	{"long_preference", repeated(`_ga=1; prefs={"stats":true,"x":"`, "x"), nil},
	{"deep_preference", repeated(`_ga=1; prefs={"stats":true,"x":`, "["), nil},
	{"preference_members", repeated(`_ga=1; prefs={"stats":true`, `,"x":0`), nil},
	{"encoded_preference", repeated(`_ga=1; prefs=%7B%22stats%22%3Atrue%2C%22x%22%3A%22`, "%25"), nil},
}

// serve returns a function that passes n of a shape through a new Visit, and the bytes of them.
func (s *shape) serve(tb testing.TB, n int) (run func(), bytes int64) {
	p := tracking(policy.RuleOptions{Consent: []string{"stats"}}, "_ga", "_pk_*")
	p.Allow[0].RuleOptions = policy.RuleOptions{MaxAge: day, Secure: true, SameSite: policy.SameSiteLax}
	p.RewriteDomain = []policy.Rewrite{{From: "portal.example.org", To: "city.example"}}
	e := compiled(tb, p)
	e.Observe(observe.New(noon))
	request, response := http.Header{"Sec-Fetch-Mode": {"navigate"}}, http.Header{}
	if s.request != nil {
		request["Cookie"] = s.request(n)["Cookie"]
	} else {
		response = s.response(n)
	}
	for _, header := range []http.Header{request, response} {
		for key, values := range header {
			for _, value := range values {
				bytes += int64(len(key) + len(value) + len(": \r\n"))
			}
		}
	}
	cookies, setCookies := request["Cookie"], response["Set-Cookie"]
	vary, cacheControl := response["Vary"], response["Cache-Control"]
	restore := func(header http.Header, key string, values []string) {
		if delete(header, key); values != nil {
			header[key] = values
		}
	}
	return func() {
		restore(request, "Cookie", cookies)
		restore(response, "Set-Cookie", setCookies)
		restore(response, "Vary", vary)
		restore(response, "Cache-Control", cacheControl)
		visit := e.Visit(enforcer.Request{Header: request, Host: "data.city.example", HTTPS: true})
		visit.FilterRequest()
		visit.CompleteResponse(response)
		visit.CompleteResponse(response)
		visit.End()
	}, bytes
}

const (
	growthSmall  = 1_000
	growthFactor = 16
)

// BenchmarkGrowth measures each shape at two sizes. The metric growth is the time for a byte of the
// larger one, divided by that for a byte of the smaller one: about 1 where the work is linear, and
// about 16 where it is the square.
func BenchmarkGrowth(b *testing.B) {
	for i := range shapes {
		s := &shapes[i]
		b.Run(s.what, func(b *testing.B) {
			small, smallBytes := s.serve(b, growthSmall)
			large, largeBytes := s.serve(b, growthSmall*growthFactor)
			var smallTime, largeTime time.Duration
			small()
			large()
			for b.Loop() {
				start := time.Now()
				for range growthFactor {
					small()
				}
				middle := time.Now()
				large()
				smallTime, largeTime = smallTime+middle.Sub(start), largeTime+time.Since(middle)
			}
			b.SetBytes(smallBytes*growthFactor + largeBytes)
			perByte := smallTime.Seconds() / float64(growthFactor*smallBytes)
			b.ReportMetric(largeTime.Seconds()/float64(largeBytes)/perByte, "growth")
		})
	}
}

// The memory that is allocated for each shape is linear in its bytes, and a small multiple of them.
func TestGrowthOfMemory(t *testing.T) {
	allocated := func(run func()) float64 {
		run() // what is kept of the names is allocated once
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		run()
		runtime.ReadMemStats(&after)
		return float64(after.TotalAlloc - before.TotalAlloc)
	}
	for i := range shapes {
		s := &shapes[i]
		t.Run(s.what, func(t *testing.T) {
			small, smallBytes := s.serve(t, growthSmall)
			large, largeBytes := s.serve(t, 4*growthSmall)
			const fixed = 64 << 10 // whatever the size
			one, many := allocated(small), allocated(large)
			if perByte := many / float64(largeBytes); many > fixed && perByte > 40 {
				t.Errorf("%.0f bytes for each of %d", perByte, largeBytes)
			}
			ratio := float64(largeBytes) / float64(smallBytes)
			if many > fixed && many > 2*ratio*(one+1024) {
				t.Errorf("%.0f bytes for %d, and %.0f for %d", many, largeBytes, one, smallBytes)
			}
		})
	}
}
