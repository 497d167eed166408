package enforcer_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
)

func TestVary(t *testing.T) {
	for _, c := range []struct {
		what   string
		cookie string
		lines  []string
		want   string
	}{
		{"necessary cookies depend on nothing", `prefs={"m":true}`, []string{"sid=1", "prefs={}"},
			""},
		{"unlisted cookies depend on nothing", `prefs={"m":true}`, []string{"other=1"}, ""},
		{"a granted cookie", `prefs={"m":true}`, []string{"stat=1"}, "Cookie"},
		{"a refused cookie, of which nothing is left", `prefs={"m":false}`, []string{"stat=1"},
			"Cookie"},
		{"no preference", "", []string{"sid=1", "stat=1"}, "Cookie"},
		{"a preference that cannot be read", "prefs={", []string{"stat=1"}, "Cookie"},
		{"a deletion, which another visitor might get as a cookie", "",
			[]string{"stat=; Max-Age=0"}, "Cookie"},
		{"signals that could have decided", "", []string{"ads=1"}, "Cookie, Sec-Gpc, Dnt"},
		{"signals for another key", "", []string{"stat=1"}, "Cookie"},
		{"signals that a choice overrides", `prefs={"a":true}`, []string{"ads=1"}, "Cookie"},
		{"signals that a refusal makes idle", `prefs={"a":false}`, []string{"ads=1"}, "Cookie"},
		{"signals beside a preference in doubt", "prefs={", []string{"ads=1"}, "Cookie"},
	} {
		t.Run(c.what, func(t *testing.T) {
			request := http.Header{}
			if c.cookie != "" {
				request["Cookie"] = []string{c.cookie}
			}
			got := completed(compiled(t, cachePolicy()), request, nil, c.lines...)
			if vary := strings.Join(got["Vary"], "|"); vary != c.want ||
				got["Completed-Again"] != nil {
				t.Errorf("got %q, want Vary %q", got, c.want)
			}
		})
	}
}

func TestVaryByConsent(t *testing.T) {
	for _, c := range []struct{ what, key, want string }{
		{"of a key that a rule knows", "m", "Cookie"},
		{"of a key that a signal speaks for", "a", "Cookie, Sec-Gpc, Dnt"},
		{"of an unknown key", "nobody", "Cookie"},
	} {
		t.Run(c.what, func(t *testing.T) {
			e := compiled(t, cachePolicy())
			visit := visitWith(e)
			visit.Consent(c.key)
			header := http.Header{"Cache-Control": {"public"}}
			visit.FilterResponse(header) // an informational response
			if len(header) != 1 {
				t.Errorf("before the final header: %q", header)
			}
			visit.CompleteResponse(header)
			if got := strings.Join(header["Vary"], "|"); got != c.want ||
				header.Get("Cache-Control") != "public" {
				t.Errorf("got %q, want Vary %q", header, c.want)
			}
		})
	}
}

func TestVaryIsMerged(t *testing.T) {
	for _, c := range []struct {
		what  string
		given []string
		want  []string
	}{
		{"none", nil, []string{"Cookie"}},
		{"an empty one", []string{""}, []string{"Cookie"}},
		{"blanks", []string{" \t"}, []string{"Cookie"}},
		{"another", []string{"Accept-Encoding"}, []string{"Accept-Encoding, Cookie"}},
		{"several in one line", []string{"Accept-Encoding, Accept-Language"},
			[]string{"Accept-Encoding, Accept-Language, Cookie"}},
		{"several lines", []string{"Accept-Encoding", "Origin"},
			[]string{"Accept-Encoding", "Origin, Cookie"}},
		{"an empty line at the end", []string{"Origin", ""}, []string{"Origin", "Cookie"}},
		{"there already", []string{"Cookie"}, []string{"Cookie"}},
		{"there already, in another case and place",
			[]string{"Accept, cookie , Origin",
				"Accept-Encoding"}, []string{"Accept, cookie , Origin", "Accept-Encoding"}},
		{"everything", []string{"*"}, []string{"*"}},
		{"everything, beside others", []string{"Accept", "Origin, *"},
			[]string{"Accept", "Origin, *"}},
		{"one that ends alike", []string{"X-Cookie"}, []string{"X-Cookie, Cookie"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			header := http.Header{}
			if c.given != nil {
				header["Vary"] = slices.Clone(c.given)
			}
			got := completed(compiled(t, cachePolicy()), nil, header, "stat=1")
			if !slices.Equal(got["Vary"], c.want) || got["Completed-Again"] != nil {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if c.given != nil && !slices.Equal(header["Vary"], c.given) {
				t.Errorf("a slice of somebody else's became %q", header["Vary"])
			}
		})
	}
}

// A writer may hold back a header that is complete: what the response comes to depend on afterwards is
// still told to caches, and what others tell them in its place is put right.
func TestVaryAfterCompletion(t *testing.T) {
	for what, change := range map[string]func(visit *enforcer.Visit, header http.Header){
		"a placeholder is asked for": func(visit *enforcer.Visit, header http.Header) { visit.Consent("m") },
		"Vary is removed": func(visit *enforcer.Visit, header http.Header) {
			visit.Consent("m")
			visit.CompleteResponse(header)
			header["X-Other"] = header["Vary"]
			delete(header, "Vary")
		},
		"a cache may store it after all": func(visit *enforcer.Visit, header http.Header) {
			visit.Consent("m")
			header["Cache-Control"][0] = "public"
		},
		"a cache gets a field of its own": func(visit *enforcer.Visit, header http.Header) {
			visit.Consent("m")
			delete(header, "Etag")
			header["Surrogate-Control"] = []string{"max-age=60"}
		},
	} {
		t.Run(what, func(t *testing.T) {
			header := http.Header{"Set-Cookie": {"sid=1"}, "Etag": {`"x"`}}
			visit := visitWith(compiled(t, cachePolicy()))
			visit.CompleteResponse(header)
			change(&visit, header)
			visit.CompleteResponse(header)
			if vary, cacheControl := header["Vary"], header["Cache-Control"]; !slices.Equal(vary, []string{"Cookie"}) ||
				!slices.Equal(cacheControl, []string{"private"}) || header["Surrogate-Control"] != nil {
				t.Errorf("Vary %q, Cache-Control %q, Surrogate-Control %q",
					vary, cacheControl, header["Surrogate-Control"])
			}
		})
	}
}
