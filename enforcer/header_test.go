package enforcer_test

import (
	"maps"
	"net/http"
	"slices"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// A key of a header map can be in any case, or have the prefix of a trailer. HTTP/3 servers lower
// the case of letters outside ASCII too: the Kelvin sign becomes a k.
func TestHeaderKeys(t *testing.T) {
	e := compiled(t, allowing("sessionid"))
	for _, key := range []string{
		"Set-Cookie", "set-cookie", "SET-COOKIE", "sET-cOOKIE",
		"Set-Coo\u212aie", "set-coo\u212aie",
		http.TrailerPrefix + "Set-Cookie", http.TrailerPrefix + "set-cookie",
		http.TrailerPrefix + "Set-Coo\u212aie",
	} {
		header := http.Header{key: {"_ga=1", "sessionid=2", "_gid=3"}}
		if filterResponse(e, nil, header); !slices.Equal(header[key], []string{"sessionid=2"}) {
			t.Errorf("under %q %q is left", key, header[key])
		}
		header = http.Header{key: {"_ga=1", "_gid=3"}}
		if filterResponse(e, nil, header); len(header) != 0 {
			t.Errorf("under %q %q is left", key, header[key])
		}
	}
}

// Nobody can send a key with a blank in it, and no client acts on Set-Cookie2 as on Set-Cookie:
// they are removed whole.
func TestHeaderKeysRemoved(t *testing.T) {
	e := compiled(t, allowing("sessionid"))
	for _, key := range []string{
		"Set-Cookie ", "Set-Cookie\t", " Set-Cookie", "\tset-cookie ", http.TrailerPrefix + " SET-COOKIE ",
		" Set-Coo\u212aie",
		"Set-Cookie2", "set-cookie2", "SET-COOKIE2 ", http.TrailerPrefix + "Set-Cookie2", "Set-Coo\u212aie2",
	} {
		header := http.Header{key: {"sessionid=2"}}
		if filterResponse(e, nil, header); len(header) != 0 {
			t.Errorf("%q is left", key)
		}
	}
}

func TestHeaderKeysLeftAlone(t *testing.T) {
	e := compiled(t, allowing("sessionid"))
	header := http.Header{}
	for _, key := range []string{
		"Cookie", "X-Set-Cookie", "Set-Cookie3", "Set-Cookies", "Set_Cookie", "Set-Cookie-", "Set-Coo",
		"Server-Timing", "", "S", "T", " ", "Trailer:", "Strict-Transport-Security", "Trailer", "D", "d",
	} {
		header[key] = []string{"_ga=1"}
	}
	header["Content-Type"], header["Trailer"] = []string{"text/html"}, []string{"Set-Cookie"}
	want := header.Clone()
	if filterResponse(e, nil, header); !maps.EqualFunc(header, want, slices.Equal) {
		t.Errorf("%q is left of %q", header, want)
	}
}

func TestHeaderKeysTogether(t *testing.T) {
	e := compiled(t, allowing("sessionid"))
	header := http.Header{
		"Set-Cookie": {"sessionid=1", "_ga=1"}, "set-cookie": {"_ga=2", "sessionid=2"},
		"Set-Cookie2": {"x=y"}, http.TrailerPrefix + "Set-Cookie": {"_ga=3"}, "Date": {"x"},
		"Set-Cookie ": {"sessionid=4"},
	}
	filterResponse(e, nil, header)
	want := http.Header{"Set-Cookie": {"sessionid=1"}, "set-cookie": {"sessionid=2"}, "Date": {"x"}}
	if !maps.EqualFunc(header, want, slices.Equal) {
		t.Errorf("%q is left", header)
	}
}

// The Date by which a deletion is judged is found under any key, and all of them count.
func TestHeaderKeysOfDate(t *testing.T) {
	e := compiled(t, allowing("sessionid"))
	const line = "_ga=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"
	for _, c := range []struct {
		header http.Header
		want   bool
	}{
		{http.Header{"Date": {"Thu, 15 Jan 2026 12:00:00 GMT"}}, true},
		{http.Header{"Date": {"Thu, 01 Jan 1970 00:00:00 GMT"}}, false},
		{http.Header{"date": {"Thu, 01 Jan 1970 00:00:00 GMT"}}, false},
		{http.Header{"DATE": {"yesterday"}}, false},
		{http.Header{"Date": {"Thu, 15 Jan 2026 12:00:00 GMT"}, "dAtE": {"yesterday"}}, false},
		{http.Header{"X-Date": {"yesterday"}, "Data": {"yesterday"}}, true},
	} {
		c.header["Set-Cookie"] = []string{line}
		filterResponse(e, nil, c.header)
		if got := len(c.header["Set-Cookie"]) == 1; got != c.want {
			t.Errorf("%q: let through is %t", c.header, got)
		}
	}
}

// What Cookie the request announces for its trailer, or brings there, is removed in any spelling.
func TestFilterRequestTrailer(t *testing.T) {
	for mode, kept := range map[string]bool{policy.ModeEnforce: false, policy.ModeReport: true} {
		p := allowing("sessionid")
		p.Mode = mode
		visit := compiled(t, p).Visit(enforcer.Request{})
		for _, key := range []string{"Cookie", "cookie", "COOKIE", " Cookie", "Cookie\t", "coo\u212aie"} {
			for _, lines := range [][]string{nil, {"sessionid=1"}, {"_ga=1", "sessionid=1"}} {
				trailer := http.Header{key: lines, "X-Checksum": {"1"}, "Cookie2": {"1"}}
				visit.FilterRequestTrailer(trailer)
				if _, ok := trailer[key]; ok != kept || len(trailer["X-Checksum"]) != 1 {
					t.Errorf("mode %s: %q is left", mode, trailer)
				}
			}
		}
		visit.FilterRequestTrailer(nil)
	}
}
