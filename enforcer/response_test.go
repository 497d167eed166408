package enforcer_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

func TestFilterResponseKeepsBytesAndOrder(t *testing.T) {
	e := compiled(t, allowing("a", "b", "é"))
	lines := []string{
		"  b = x ;;  PATH = /; secure;HTTPONLY;SameSite=None; Unknown=\"1\";", "x=1", "a=1", "a=2",
		"y=1", "\ta\t=\t\"q\" \t", "a=\xff\xfe; Expires=x", "z",
		"é=è", "b=", "a=1, b=2; Max-Age=60", "a=1",
	}
	want := []string{lines[0], lines[2], lines[3], lines[5], lines[6], lines[8], lines[9],
		lines[10], lines[11]}
	if got := keptLines(e, nil, lines...); !slices.Equal(got, want) {
		t.Errorf("let through is %q, want %q", got, want)
	}
}

func TestFilterResponseKeepsSlice(t *testing.T) {
	e := compiled(t, allowing("a"))
	lines := append(make([]string, 0, 5), "a=1", "a=2", "x=; Max-Age=0")
	header := http.Header{"Set-Cookie": lines}
	filterResponse(e, nil, header)
	if got := header["Set-Cookie"]; len(got) != 3 || cap(got) != 5 || &got[0] != &lines[0] {
		t.Errorf("the slice became %q", got)
	}
}

func TestFilterResponseTwice(t *testing.T) {
	e := compiled(t, policy.Policy{Presets: []policy.Preset{{Name: "opendatasoft"},
		{Name: "matomo"}}})
	visit := visitWith(e, `cookies_preferences={"matomo":true}`)
	header := http.Header{"Set-Cookie": {"sessionid=1", "_ga=1", "_pk_id.1=1", "_ga=; Max-Age=0"}}
	for range 3 {
		visit.FilterResponse(header)
		if want := []string{"sessionid=1", "_pk_id.1=1",
			"_ga=; Max-Age=0"}; !slices.Equal(header["Set-Cookie"], want) {
			t.Fatalf("let through is %q, want %q", header["Set-Cookie"], want)
		}
	}
	header["Set-Cookie"] = []string{"_ga=1", "sessionid=2"} // as after a snapshot is restored
	visit.FilterResponse(header)
	if want := []string{"sessionid=2"}; !slices.Equal(header["Set-Cookie"], want) {
		t.Errorf("let through is %q, want %q", header["Set-Cookie"], want)
	}
}

func TestFilterResponseThousandsOfLines(t *testing.T) {
	e := compiled(t, allowing("a"))
	lines := slices.Repeat([]string{"x=1", "a=1"}, 5000)
	if got := keptLines(e, nil, lines...); !slices.Equal(got,
		slices.Repeat([]string{"a=1"}, 5000)) {
		t.Errorf("%d of 10000 lines were let through, want 5000", len(got))
	}
}

func TestFilterResponseAllocations(t *testing.T) {
	e := compiled(t, policy.Policy{
		Presets: []policy.Preset{{Name: "opendatasoft"}, {Name: "matomo"},
			{Name: "google_analytics"}},
		Allow: []policy.Rule{{Category: policy.Necessary,
			Cookies: []string{"*a*b*", "*x",
				"*mm*"}, RuleOptions: policy.RuleOptions{Domain: []string{"example.org"}}}},
	})
	choice := []string{"a=b; cookies_preferences=%7B%22matomo%22%3Atrue%2C%22ga%22%3Afalse%2C" +
		"%22timestamp%22%3A1768478400%7D; _ga=1"}
	for _, c := range []struct {
		what    string
		cookies []string
		lines   []string
		want    int // lines
	}{
		{"where no cookie is present", nil, nil, 0},
		{"where no cookie is set", choice, nil, 0},
		{"where every line is let through", nil,
			[]string{"sessionid=1; Path=/", "csrftoken=2; Path=/; Secure"}, 2},
		{"where some lines are refused", nil, []string{"_ga=1; Domain=.example.org",
			"sessionid=1; Path=/", "unlisted=1; Expires=Thu, 15 Jan 2026 12:00:00 GMT"}, 1},
		{"where a line is refused for its Domain", nil,
			[]string{"x=1; Domain=example.com", "sessionid=1"}, 1},
		{"where the preference decides", choice,
			[]string{"_pk_id.1.1fff=1; Path=/", "_ga=1; Path=/"}, 1},
		{"where deletions are let through", nil,
			[]string{"_ga=; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "_gid=; Max-Age=0"}, 2},
	} {
		t.Run(c.what, func(t *testing.T) {
			header := http.Header{"Content-Type": {"text/html"},
				"Date": {"Thu, 15 Jan 2026 12:00:00 GMT"}}
			request := enforcer.Request{Header: http.Header{"Cookie": c.cookies}}
			allocations := testing.AllocsPerRun(100, func() {
				if len(c.lines) > 0 {
					header["Set-Cookie"] = c.lines
				}
				visit := e.Visit(request)
				visit.FilterResponse(header)
			})
			want := 1.0 // the Visit
			if c.want < len(c.lines) {
				want++ // a slice of the lines that are let through
			}
			if allocations > want {
				t.Errorf("%v allocations, want %v", allocations, want)
			}
			if got := header["Set-Cookie"]; len(got) != c.want {
				t.Errorf("%q was let through, want %d lines", got, c.want)
			}
		})
	}
}

// A hundred thousand lines, with a megabyte of attributes among them, are filtered with few
// allocations.
func TestFilterResponseHundredThousandLines(t *testing.T) {
	e := compiled(t, policy.Policy{Presets: []policy.Preset{{Name: "opendatasoft"},
		{Name: "matomo"}}})
	var all, want []string
	for i := range 100_000 {
		switch line := "_ga=1, sessionid=2; Path=/"; i % 10_000 { // one cookie, named _ga
		case 0:
			line = "sessionid=1; Path=/"
			all, want = append(all, line), append(want, line)
		case 1:
			line = "_pk_id.1=1" + strings.Repeat("; Max-Age=0; Max-Age=1", 5_000)
			all = append(all, line)
		case 2:
			line = "_pk_id.1=1" + strings.Repeat("; Max-Age=1; Max-Age=0", 5_000)
			all, want = append(all, line), append(want, line)
		default:
			all = append(all, line)
		}
	}
	header := http.Header{}
	allocations := testing.AllocsPerRun(1, func() {
		header["Set-Cookie"] = all
		visit := visitWith(e)
		visit.FilterResponse(header)
	})
	if got := header["Set-Cookie"]; !slices.Equal(got, want) {
		t.Errorf("%d lines are let through, want %d", len(got), len(want))
	}
	if allocations > 10 {
		t.Errorf("%v allocations", allocations)
	}
}
