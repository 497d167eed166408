package enforcer

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// cachePolicy has a rule of each kind: necessary, with consent that a signal can object to, and with consent that none can.
func cachePolicy() Policy {
	return Policy{
		Allow: []Rule{
			{Category: Necessary, Cookies: []string{"sid"}},
			{Category: Statistical, Cookies: []string{"stat"}, RuleOptions: RuleOptions{Consent: []string{"m"}}},
			{Category: ThirdParty, Cookies: []string{"ads"}, RuleOptions: RuleOptions{Consent: []string{"a"}}},
		},
		Preference: []Preference{{Cookies: []string{"prefs"}}},
		Signal:     []Signal{{SignalGPC, []Category{ThirdParty}}, {SignalDNT, []Category{ThirdParty}}},
	}
}

// completed gives a final header with some Set-Cookie lines to a visit, twice, as happens on some ways of sending one.
func completed(e *Enforcer, request http.Header, header http.Header, lines ...string) http.Header {
	visit := e.Visit(Request{Header: request, Host: "data.city.example"})
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

func TestAResponseWithCookiesIsPrivate(t *testing.T) {
	for _, c := range []struct {
		what      string
		given     []string
		want      string // one line
		untouched bool
	}{
		{"nothing was said", nil, "private", false},
		{"an empty line", []string{""}, "private", false},
		{"public", []string{"public"}, "private", false},
		{"public and a life", []string{"public, max-age=600"}, "private, max-age=600", false},
		{"a life for shared caches", []string{"s-maxage=600,max-age=60"}, "private, max-age=60", false},
		{"all that is for shared caches", []string{"public, s-maxage=600, proxy-revalidate, must-revalidate"}, "private, must-revalidate", false},
		{"another case, and blanks", []string{"PUBLIC ,\tS-MaxAge = 600 , Max-Age=60"}, "private, Max-Age=60", false},
		{"several lines", []string{"public", "max-age=60", "s-maxage=5, immutable"}, "private, max-age=60, immutable", false},
		{"empty members", []string{", public,, max-age=60 ,"}, "private, max-age=60", false},
		{"what browsers may do stays", []string{"no-cache, max-age=60, stale-while-revalidate=5, x=y"}, "private, no-cache, max-age=60, stale-while-revalidate=5, x=y", false},
		{"quotes", []string{`x="public, s-maxage=5", max-age=60`}, `private, x="public, s-maxage=5", max-age=60`, false},
		{"quotes in quotes", []string{`x="a\", public, ", public`}, `private, x="a\", public, "`, false},
		{"a quoted life", []string{`s-maxage="600", max-age=60`}, "private, max-age=60", false},
		{"a quote that does not close", []string{`max-age=60, x="public`, "public"}, `private, max-age=60, x="public`, false},
		{"private for some fields only", []string{`private="x-user", max-age=60`}, `private, private="x-user", max-age=60`, false},
		{"no-cache for some fields only", []string{`no-cache="set-cookie", max-age=60`}, `private, no-cache="set-cookie", max-age=60`, false},
		{"private already", []string{"private, max-age=60"}, "", true},
		{"private in another case", []string{"max-age=60", "Private"}, "", true},
		{"no-store already", []string{"no-store"}, "", true},
		{"no-store in another case", []string{"No-Store , max-age=0"}, "", true},
		{"private, and for shared caches too", []string{"private, s-maxage=600"}, "private", false},
		{"no-store, and public", []string{"public, no-store"}, "no-store", false},
		{"a name that only begins alike", []string{"private-ish, publicity=1"}, "private, private-ish, publicity=1", false},
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
			if got := completed(compiled(t, cachePolicy()), nil, header, "sid=1"); !slices.Equal(got["Cache-Control"], want) || len(got) != 2 {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestHeadersForCachesOfOneMakerGo(t *testing.T) {
	header := func() http.Header {
		return http.Header{
			"Cache-Control": {"public"}, "Surrogate-Control": {"max-age=600"}, "Cdn-Cache-Control": {"max-age=600"}, "CDN-Cache-Control": {"max-age=600"}, "X-Accel-Expires": {"600"},
			"cloudflare-CDN-cache-control": {"max-age=600"}, "Expires": {"Fri, 15 Jan 2027 12:00:00 GMT"}, "Etag": {`"v1"`}, "Last-Modified": {"Thu, 15 Jan 2026 12:00:00 GMT"},
			"Surrogate-Key": {"page"}, "Age": {"5"}, "Pragma": {"no-cache"},
		}
	}
	e := compiled(t, cachePolicy())
	want := header()
	for _, name := range []string{"Surrogate-Control", "Cdn-Cache-Control", "CDN-Cache-Control", "X-Accel-Expires", "cloudflare-CDN-cache-control"} {
		delete(want, name)
	}
	want["Cache-Control"], want["Set-Cookie"] = []string{"private"}, []string{"sid=1"}
	if got := completed(e, nil, header(), "sid=1", "unlisted=1"); !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := completed(e, nil, header(), "unlisted=1"); !maps.EqualFunc(got, header(), slices.Equal) {
		t.Errorf("without a cookie: got %q, want %q", got, header())
	}
}

// A map of a handler's own may hold names in any spelling, and net/http sends them all.
func TestOtherSpellingsOfCacheHeadersAreFound(t *testing.T) {
	header := http.Header{"cache-control": {"public, max-age=60"}, "CACHE-CONTROL": {"s-maxage=60"}, "vary": {"Accept"}}
	got := completed(compiled(t, cachePolicy()), nil, header, "sid=1", "stat=1")
	want := http.Header{"Cache-Control": {"private, max-age=60"}, "Vary": {"Accept, Cookie"}, "Set-Cookie": {"sid=1"}}
	if !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAResponseStaysAsCacheableAsThePortalSaid(t *testing.T) {
	given := http.Header{"Cache-Control": {"public, s-maxage=600"}, "Vary": {"Accept-Encoding"}, "Surrogate-Control": {"max-age=600"}}
	granted := http.Header{"Cookie": {`prefs={"m":true,"a":true}`}}
	for _, c := range []struct {
		what    string
		request http.Header
		lines   []string
	}{
		{"no cookies", granted, nil},
		{"unlisted cookies only", granted, []string{"campaign=spring", "=nameless", "nameless", "bad\x01=1"}},
		{"unlisted cookies only, and no preference", nil, []string{"campaign=spring"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			if got := completed(compiled(t, cachePolicy()), c.request, given, c.lines...); !maps.EqualFunc(got, given, slices.Equal) {
				t.Errorf("got %q, want %q", got, given)
			}
		})
	}
}

func TestAResponseVariesByWhatAVerdictDependedOn(t *testing.T) {
	for _, c := range []struct {
		what   string
		cookie string
		lines  []string
		want   string
	}{
		{"necessary cookies depend on nothing", `prefs={"m":true}`, []string{"sid=1", "prefs={}"}, ""},
		{"unlisted cookies depend on nothing", `prefs={"m":true}`, []string{"other=1"}, ""},
		{"a granted cookie", `prefs={"m":true}`, []string{"stat=1"}, "Cookie"},
		{"a refused cookie, of which nothing is left", `prefs={"m":false}`, []string{"stat=1"}, "Cookie"},
		{"no preference", "", []string{"sid=1", "stat=1"}, "Cookie"},
		{"a preference that cannot be read", "prefs={", []string{"stat=1"}, "Cookie"},
		{"a deletion, which another visitor might get as a cookie", "", []string{"stat=; Max-Age=0"}, "Cookie"},
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
			if vary := strings.Join(got["Vary"], "|"); vary != c.want || got["Completed-Again"] != nil {
				t.Errorf("got %q, want Vary %q", got, c.want)
			}
		})
	}
}

func TestAPlaceholderOfConsentMakesTheResponseVary(t *testing.T) {
	for _, c := range []struct{ what, key, want string }{
		{"of a key that a rule knows", "m", "Cookie"},
		{"of a key that a signal speaks for", "a", "Cookie, Sec-Gpc, Dnt"},
		{"of a key that nobody knows", "nobody", "Cookie"},
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
			if got := strings.Join(header["Vary"], "|"); got != c.want || header.Get("Cache-Control") != "public" {
				t.Errorf("got %q, want Vary %q", header, c.want)
			}
		})
	}
}

func TestVaryIsMergedAndNeverDoubled(t *testing.T) {
	for _, c := range []struct {
		what  string
		given []string
		want  []string
	}{
		{"none", nil, []string{"Cookie"}},
		{"an empty one", []string{""}, []string{"Cookie"}},
		{"blanks", []string{" \t"}, []string{"Cookie"}},
		{"another", []string{"Accept-Encoding"}, []string{"Accept-Encoding, Cookie"}},
		{"several in one line", []string{"Accept-Encoding, Accept-Language"}, []string{"Accept-Encoding, Accept-Language, Cookie"}},
		{"several lines", []string{"Accept-Encoding", "Origin"}, []string{"Accept-Encoding", "Origin, Cookie"}},
		{"an empty line at the end", []string{"Origin", ""}, []string{"Origin", "Cookie"}},
		{"there already", []string{"Cookie"}, []string{"Cookie"}},
		{"there already, in another case and place", []string{"Accept, cookie , Origin", "Accept-Encoding"}, []string{"Accept, cookie , Origin", "Accept-Encoding"}},
		{"everything", []string{"*"}, []string{"*"}},
		{"everything, beside others", []string{"Accept", "Origin, *"}, []string{"Accept", "Origin, *"}},
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

// An informational response says nothing about caching. What was found out before it counts for the final one.
func TestOnlyTheFinalHeaderTellsCaches(t *testing.T) {
	visit := visitWith(compiled(t, cachePolicy()), `prefs={"m":true}`)
	early := http.Header{"Link": {"</x>"}, "Set-Cookie": {"stat=1"}}
	visit.FilterResponse(early)
	if len(early) != 2 {
		t.Errorf("the informational header is %q", early)
	}
	final := http.Header{"Cache-Control": {"public"}}
	visit.CompleteResponse(final)
	if want := (http.Header{"Cache-Control": {"public"}, "Vary": {"Cookie"}}); !maps.EqualFunc(final, want, slices.Equal) {
		t.Errorf("the final header is %q, want %q", final, want)
	}
}

func TestSharedCacheKeepLeavesHeadersAsTheyAre(t *testing.T) {
	p := cachePolicy()
	p.SharedCache = SharedCacheKeep
	given := http.Header{"Cache-Control": {"public, s-maxage=600"}, "Vary": {"Origin"}, "Surrogate-Control": {"max-age=600"}}
	want := maps.Clone(given)
	want["Set-Cookie"] = []string{"sid=1", "stat=1"}
	if got := completed(compiled(t, p), http.Header{"Cookie": {`prefs={"m":true}`}}, given, "sid=1", "stat=1"); !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("got %q, want %q", got, want)
	}
	p.SharedCache = SharedCacheProtect
	if got := completed(compiled(t, p), nil, given, "sid=1"); got.Get("Cache-Control") != "private" {
		t.Errorf("the word for the default does not protect: %q", got)
	}
}

// Lines that the gateway adds are a visitor's own too.
func TestRemovalsMakeAResponsePrivate(t *testing.T) {
	request := http.Header{"Cookie": {"ads=1"}, "Sec-Fetch-Mode": {"navigate"}}
	e := compiled(t, cachePolicy())
	visit := e.Visit(Request{Header: request, Host: "data.city.example"})
	visit.FilterRequest()
	header := http.Header{"Cache-Control": {"public, max-age=60"}}
	visit.CompleteResponse(header)
	if len(header["Set-Cookie"]) == 0 || header.Get("Cache-Control") != "private, max-age=60" {
		t.Errorf("got %q", header)
	}
}

func TestATrailerWithCookiesMakesNobodyPublic(t *testing.T) {
	header := http.Header{"Cache-Control": {"public"}, http.TrailerPrefix + "Set-Cookie": {"sid=1", "other=1"}}
	visit := visitWith(compiled(t, cachePolicy()))
	visit.CompleteResponse(header)
	if header.Get("Cache-Control") != "private" || len(header[http.TrailerPrefix+"Set-Cookie"]) != 1 {
		t.Errorf("got %q", header)
	}
}
