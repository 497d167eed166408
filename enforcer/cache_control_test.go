package enforcer_test

import (
	"maps"
	"net/http"
	"slices"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// cachePolicy has a necessary rule, one with consent that no signal refuses, and one with consent
// that signals refuse.
func cachePolicy() policy.Policy {
	return policy.Policy{
		Allow: []policy.Rule{
			{Category: policy.Necessary, Cookies: []string{"sid"}},
			{Category: policy.Statistical, Cookies: []string{"stat"},
				RuleOptions: policy.RuleOptions{Consent: []string{"m"}}},
			{Category: policy.ThirdParty, Cookies: []string{"ads"},
				RuleOptions: policy.RuleOptions{Consent: []string{"a"}}},
		},
		Preference: []policy.Preference{{Cookies: []string{"prefs"}}},
		Signal: []policy.Signal{{Signal: policy.SignalGPC,
			Categories: []policy.Category{policy.ThirdParty}},
			{Signal: policy.SignalDNT, Categories: []policy.Category{policy.ThirdParty}}},
	}
}

// completed passes a final header through a Visit twice, as happens on some ways of sending one.
func completed(e *enforcer.Enforcer, request http.Header, header http.Header,
	lines ...string) http.Header {
	visit := e.Visit(enforcer.Request{Header: request, Host: "data.city.example"})
	if header = maps.Clone(header); header == nil {
		header = http.Header{}
	}
	if len(lines) > 0 {
		header["Set-Cookie"] = slices.Clone(lines)
	}
	visit.CompleteResponse(header)
	first := header.Clone()
	visit.CompleteResponse(header)
	if !maps.EqualFunc(first, header, slices.Equal) {
		header["Completed-Again"] = []string{"it became another"}
	}
	return header
}

func TestCacheControl(t *testing.T) {
	for _, c := range []struct {
		what      string
		given     []string
		want      string // one line
		untouched bool
	}{
		{"nothing was said", nil, "private", false},
		{"an empty line", []string{""}, "private", false},
		{"public", []string{"public"}, "private", false},
		{"public and a lifetime", []string{"public, max-age=600"}, "private, max-age=600", false},
		{"a lifetime for shared caches", []string{"s-maxage=600,max-age=60"}, "private, max-age=60",
			false},
		{"all that is for shared caches",
			[]string{"public, s-maxage=600, proxy-revalidate, must-revalidate"},
			"private, must-revalidate", false},
		{"another case, and blanks", []string{"PUBLIC ,\tS-MaxAge = 600 , Max-Age=60"},
			"private, Max-Age=60", false},
		{"several lines", []string{"public", "max-age=60", "s-maxage=5, immutable"},
			"private, max-age=60, immutable", false},
		{"empty members", []string{", public,, max-age=60 ,"}, "private, max-age=60", false},
		{"what browsers may do stays",
			[]string{"no-cache, max-age=60, stale-while-revalidate=5, x=y"},
			"private, no-cache, max-age=60, stale-while-revalidate=5, x=y", false},
		{"quotes", []string{`x="public, s-maxage=5", max-age=60`},
			`private, x="public, s-maxage=5", max-age=60`, false},
		{"quotes in quotes", []string{`x="a\", public, ", public`}, `private, x="a\", public, "`,
			false},
		{"a quoted lifetime", []string{`s-maxage="600", max-age=60`}, "private, max-age=60", false},
		{"a quote that does not close", []string{`max-age=60, x="public`, "public"},
			`private, max-age=60, x="public`, false},
		{"private for some fields only", []string{`private="x-user", max-age=60`},
			`private, private="x-user", max-age=60`, false},
		{"no-cache for some fields only", []string{`no-cache="set-cookie", max-age=60`},
			`private, no-cache="set-cookie", max-age=60`, false},
		{"private already", []string{"private, max-age=60"}, "", true},
		{"private in another case", []string{"max-age=60", "Private"}, "", true},
		{"no-store already", []string{"no-store"}, "", true},
		{"no-store in another case", []string{"No-Store , max-age=0"}, "", true},
		{"private, and for shared caches too", []string{"private, s-maxage=600"}, "private", false},
		{"no-store, and public", []string{"public, no-store"}, "no-store", false},
		{"a name that only begins alike", []string{"private-ish, publicity=1"},
			"private, private-ish, publicity=1", false},
	} {
		t.Run(c.what, func(t *testing.T) {
			header := http.Header{}
			if c.given != nil {
				header["Cache-Control"] = c.given
			}
			want := []string{c.want}
			if c.untouched {
				want = c.given
			}
			if got := completed(compiled(t, cachePolicy()), nil, header,
				"sid=1"); !slices.Equal(got["Cache-Control"], want) || len(got) != 2 {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestCacheControlOfCDNs(t *testing.T) {
	fields := []string{
		"Surrogate-Control", "Cdn-Cache-Control", "CDN-Cache-Control", "cloudflare-CDN-cache-control",
		"Vercel-Cdn-Cache-Control", "Netlify-CDN-Cache-Control", "Akamai-Cache-Control", "EDGE-CONTROL",
		"X-Accel-Expires", "X-LiteSpeed-Cache-Control", "x-litespeed-cache-control",
	}
	header := func() http.Header {
		h := http.Header{
			"Cache-Control": {"public"}, "Expires": {"Fri, 15 Jan 2027 12:00:00 GMT"}, "Etag": {`"v1"`},
			"Last-Modified": {"Thu, 15 Jan 2026 12:00:00 GMT"}, "Surrogate-Key": {"page"}, "Age": {"5"},
			"Pragma": {"no-cache"}, "X-Litespeed-Tag": {"page"}, "Cdn-Cache-Controls": {"max-age=600"},
		}
		for _, name := range fields {
			h[name] = []string{"max-age=600"}
		}
		return h
	}
	e := compiled(t, cachePolicy())
	want := header()
	for _, name := range fields {
		delete(want, name)
	}
	want["Cache-Control"], want["Set-Cookie"] = []string{"private"}, []string{"sid=1"}
	if got := completed(e, nil, header(), "sid=1", "unlisted=1"); !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := completed(e, nil, header(), "unlisted=1"); !maps.EqualFunc(got, header(), slices.Equal) {
		t.Errorf("without a cookie: got %q, want %q", got, header())
	}
	p := cachePolicy()
	p.SharedCache = policy.SharedCacheKeep
	want = header()
	want["Set-Cookie"] = []string{"sid=1"}
	if got := completed(compiled(t, p), nil, header(), "sid=1"); !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("shared_cache keep: got %q, want %q", got, want)
	}
}

// The header map of a handler may have keys in any case, and net/http sends them all.
func TestCacheControlKeys(t *testing.T) {
	header := http.Header{"cache-control": {"public, max-age=60"}, "CACHE-CONTROL": {"s-maxage=60"},
		"vary": {"Accept"}}
	got := completed(compiled(t, cachePolicy()), nil, header, "sid=1", "stat=1")
	want := http.Header{"Cache-Control": {"private, max-age=60"}, "Vary": {"Accept, Cookie"},
		"Set-Cookie": {"sid=1"}}
	if !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCacheControlUnchanged(t *testing.T) {
	given := http.Header{"Cache-Control": {"public, s-maxage=600"}, "Vary": {"Accept-Encoding"},
		"Surrogate-Control": {"max-age=600"}}
	granted := http.Header{"Cookie": {`prefs={"m":true,"a":true}`}}
	for _, c := range []struct {
		what    string
		request http.Header
		lines   []string
	}{
		{"no cookies", granted, nil},
		{"unlisted cookies only", granted, []string{"campaign=spring", "=nameless", "nameless",
			"bad\x01=1"}},
		{"unlisted cookies only, and no preference", nil, []string{"campaign=spring"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			if got := completed(compiled(t, cachePolicy()), c.request, given,
				c.lines...); !maps.EqualFunc(got, given, slices.Equal) {
				t.Errorf("got %q, want %q", got, given)
			}
		})
	}
}

// An informational response tells caches nothing. What it depended on counts for the final one.
func TestCacheControlOfInformationalResponse(t *testing.T) {
	visit := visitWith(compiled(t, cachePolicy()), `prefs={"m":true}`)
	early := http.Header{"Link": {"</x>"}, "Set-Cookie": {"stat=1"}}
	visit.FilterResponse(early)
	if len(early) != 2 {
		t.Errorf("the informational header is %q", early)
	}
	final := http.Header{"Cache-Control": {"public"}}
	visit.CompleteResponse(final)
	if want := (http.Header{"Cache-Control": {"public"},
		"Vary": {"Cookie"}}); !maps.EqualFunc(final, want, slices.Equal) {
		t.Errorf("the final header is %q, want %q", final, want)
	}
}

func TestSharedCacheKeep(t *testing.T) {
	p := cachePolicy()
	p.SharedCache = policy.SharedCacheKeep
	given := http.Header{"Cache-Control": {"public, s-maxage=600"}, "Vary": {"Origin"},
		"Surrogate-Control": {"max-age=600"}}
	want := maps.Clone(given)
	want["Set-Cookie"] = []string{"sid=1", "stat=1"}
	if got := completed(compiled(t, p), http.Header{"Cookie": {`prefs={"m":true}`}}, given, "sid=1",
		"stat=1"); !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("got %q, want %q", got, want)
	}
	p.SharedCache = policy.SharedCacheProtect
	if got := completed(compiled(t, p), nil, given,
		"sid=1"); got.Get("Cache-Control") != "private" {
		t.Errorf("the word for the default does not protect: %q", got)
	}
}

// Expiries are cookies of one visitor too.
func TestCacheControlWithExpiries(t *testing.T) {
	request := http.Header{"Cookie": {"ads=1"}, "Sec-Fetch-Mode": {"navigate"}}
	e := compiled(t, cachePolicy())
	visit := e.Visit(enforcer.Request{Header: request, Host: "data.city.example"})
	visit.FilterRequest()
	header := http.Header{"Cache-Control": {"public, max-age=60"}}
	visit.CompleteResponse(header)
	if len(header["Set-Cookie"]) == 0 || header.Get("Cache-Control") != "private, max-age=60" ||
		header.Get("Vary") != "Cookie, Sec-Gpc, Dnt" {
		t.Errorf("got %q", header)
	}
}

func TestCacheControlWithTrailer(t *testing.T) {
	header := http.Header{"Cache-Control": {"public"},
		http.TrailerPrefix + "Set-Cookie": {"sid=1", "other=1"}}
	visit := visitWith(compiled(t, cachePolicy()))
	visit.CompleteResponse(header)
	if header.Get("Cache-Control") != "private" ||
		len(header[http.TrailerPrefix+"Set-Cookie"]) != 1 {
		t.Errorf("got %q", header)
	}
}
