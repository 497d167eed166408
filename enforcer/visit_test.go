package enforcer

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestEachCategoryHasItsVerdict(t *testing.T) {
	e := compiled(t, Policy{
		Presets: []Preset{{Name: "opendatasoft"}},
		Allow: []Rule{
			{Category: Necessary, Cookies: []string{"basket"}},
			{Category: Statistical, Cookies: []string{"by_category"}},
			{Category: FirstParty, Cookies: []string{"inner"}},
			{Category: ThirdParty, Cookies: []string{"outer"}},
			{Category: Statistical, Cookies: []string{"_pk_*"}, RuleOptions: RuleOptions{Consent: []string{"matomo"}}},
			{Category: Statistical, Cookies: []string{"at*"}, RuleOptions: RuleOptions{Consent: []string{"at", "xiti"}}},
			{Category: Statistical, Cookies: []string{"counter"}, RuleOptions: RuleOptions{Consent: []string{"counts", "figures"}, Anonymous: true}},
		},
	})
	names := []string{"sessionid", "csrftoken", "django_language", "basket", "by_category", "inner", "outer", "_pk_id.1", "atid", "counter", "unlisted"}
	necessary := []string{"sessionid", "csrftoken", "django_language", "basket"}
	for _, c := range []struct {
		what, preference string
		want             []string // besides the necessary ones
	}{
		{"no preference", "", []string{"counter"}},
		{"a preference that says nothing", `{}`, []string{"counter"}},
		{"an unreadable preference", `{`, nil},
		{"a preference that contradicts itself", `{"counts":true,"counts":true,"matomo":true}`, nil},
		{"everything granted by the categories' names", `{"necessary":true,"statistical":true,"first_party":true,"third_party":true}`, []string{"by_category", "inner", "outer", "counter"}},
		{"everything refused", `{"necessary":false,"statistical":false,"first_party":false,"third_party":false,"matomo":false,"at":false,"xiti":false,"counts":false,"figures":false,"functional_cookies":false}`, nil},
		{"one tracker granted", `{"matomo":true}`, []string{"_pk_id.1", "counter"}},
		{"one tracker refused", `{"matomo":false,"statistical":true}`, []string{"by_category", "counter"}},
		{"the first of two keys granted", `{"at":true}`, []string{"atid", "counter"}},
		{"the second of two keys granted", `{"xiti":true}`, []string{"atid", "counter"}},
		{"one of two keys granted, the other refused", `{"at":false,"xiti":true}`, []string{"atid", "counter"}},
		{"one of two keys refused, the other undecided", `{"at":false}`, []string{"counter"}},
		{"an anonymous rule's key refused", `{"counts":false}`, nil},
		{"an anonymous rule's second key refused", `{"figures":false}`, nil},
		{"an anonymous rule's key granted, the other refused", `{"counts":false,"figures":true}`, []string{"counter"}},
		{"a category's name does not stand for keys that are named", `{"statistical":false}`, []string{"counter"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			var cookies []string
			if c.preference != "" {
				cookies = []string{"cookies_preferences=" + encodeEvery(c.preference)}
			}
			for _, name := range names {
				want := slices.Contains(necessary, name) || slices.Contains(c.want, name)
				if got := letThrough(e, cookies, name+"=1; Path=/; Max-Age=60"); got != want {
					t.Errorf("%s: let through is %t", name, got)
				}
			}
		})
	}
}

func TestUnlistedCookiesAreBlockedUnlessTheOperatorLetsThemPass(t *testing.T) {
	for _, c := range []struct {
		unlisted, line string
		want           bool
	}{
		{"", "unlisted=1", false},
		{UnlistedBlock, "unlisted=1", false},
		{UnlistedPass, "unlisted=1", true},
		{UnlistedPass, "Listed=1", true},                       // case counts: this is another name
		{UnlistedPass, "listed=1", false},                      // by its rule
		{UnlistedPass, "unlisted", false},                      // nameless in one browser, not in the other
		{UnlistedPass, "=unlisted", false},                     // likewise
		{UnlistedPass, "unlisted=\x00", false},                 // refused by browsers
		{UnlistedPass, "unlisted=1; Domain=elsewhere", true},   // there is no rule that says where
		{UnlistedBlock, "unlisted=1; Max-Age=0", true},         // a deletion
		{UnlistedBlock, "listed=1; Max-Age=0", true},           // likewise
		{UnlistedBlock, "listed=1; Max-Age=1", false},          // by its rule
		{UnlistedBlock, "sessionid=1; Max-Age=60", false},      // no preset was named
		{UnlistedBlock, "cookies_preferences={}", false},       // likewise
		{UnlistedBlock, "chosen=1; Max-Age=60", true},          // a preference is necessary by being named
		{UnlistedBlock, "\u00a0chosen=1; Max-Age=60", false},   // another name
		{UnlistedBlock, " chosen =1; Max-Age=60", true},        // the same name
		{UnlistedBlock, "_ga=1, chosen=1; Max-Age=60", false},  // one cookie, named _ga
		{UnlistedBlock, "chosen=1, _ga=1; Max-Age=60", true},   // one cookie, named chosen
		{UnlistedBlock, "chosen=\"1; _ga=1\"; Domain=x", true}, // likewise
	} {
		e := compiled(t, Policy{
			Allow:      []Rule{{Category: ThirdParty, Cookies: []string{"listed"}}},
			Preference: []Preference{{Cookies: []string{"chosen"}}},
			Unlisted:   c.unlisted,
		})
		if got := letThrough(e, nil, c.line); got != c.want {
			t.Errorf("unlisted %q: %q let through is %t", c.unlisted, c.line, got)
		}
	}
}

func TestDomainAndPathHaveToEqualOneOfTheRules(t *testing.T) {
	e := compiled(t, Policy{Allow: []Rule{
		{Category: Necessary, Cookies: []string{"free"}},
		{Category: Necessary, Cookies: []string{"home"}, RuleOptions: RuleOptions{Domain: []string{"Data.Example.org", ".example.net"}}},
		{Category: Necessary, Cookies: []string{"room"}, RuleOptions: RuleOptions{Path: []string{"/", "/api/v2"}}},
		{Category: Necessary, Cookies: []string{"both"}, RuleOptions: RuleOptions{Domain: []string{"example.org"}, Path: []string{"/x"}}},
	}})
	for line, want := range map[string]bool{
		"free=1; Domain=anywhere.example; Path=/at/all": true,

		"home=1":                                                           true,
		"home=1; Path=/x":                                                  true,
		"home=1; Domain":                                                   true,
		"home=1; Domain=":                                                  true,
		"home=1; Domain=data.example.org":                                  true,
		"home=1; domain = .DATA.example.ORG ":                              true,
		"home=1; Domain=example.net":                                       true,
		"home=1; Domain=..example.net":                                     false,
		"home=1; Domain=example.org":                                       false,
		"home=1; Domain=x.data.example.org":                                false,
		"home=1; Domain=xdata.example.org":                                 false,
		"home=1; Domain=data.example.org.evil.example":                     false,
		"home=1; Domain=\"data.example.org\"":                              false,
		"home=1; Domain=\u00a0data.example.org":                            false,
		"home=1; Domain=ｄata.example.org":                                  false, // an ASCII d in Chromium, refused by Firefox
		"home=1; Domain=data.example.org; Domain=evil.example":             false,
		"home=1; Domain=evil.example; Domain=data.example.org":             true,
		"home=\"1; Domain=evil.example; \"":                                false,
		"home=1; Domain=evil.example; Domain=" + strings.Repeat("x", 1025): false, // the last is too long to count

		"room=1":                    true,
		"room=1; Domain=anywhere":   true,
		"room=1; Path=/":            true,
		"room=1; PATH=/api/v2":      true,
		"room=1; Path=":             true,
		"room=1; Path":              true,
		"room=1; Path=api":          true, // no browser takes it
		"room=1; Path=\"/x\"":       true, // likewise
		"room=1; Path=/api":         false,
		"room=1; Path=/api/v2/":     false,
		"room=1; Path=/api/v2/more": false,
		"room=1; Path=/API/v2":      false,
		"room=1; Path=//":           false,
		"room=1; Path=/%61pi/v2":    false,
		"room=1; Path=/; Path=/x":   false,
		"room=1; Path=/x; Path=/":   true,

		"both=1; Domain=example.org; Path=/x": true,
		"both=1; Path=/x":                     true,
		"both=1; Domain=example.org":          true,
		"both=1; Domain=example.org; Path=/":  false,
		"both=1; Domain=example.com; Path=/x": false,

		"home=1; Domain=evil.example; Max-Age=0": true, // a deletion
		"room=1; Path=/elsewhere; Max-Age=0":     true,
	} {
		if got := letThrough(e, nil, line); got != want {
			t.Errorf("%.100q: let through is %t", line, got)
		}
	}
}

func TestOptionsOfAPresetHoldForAllOfItsRules(t *testing.T) {
	google := func(o RuleOptions) Policy {
		return Policy{Presets: []Preset{{Name: "google_analytics", RuleOptions: o}}, Preference: []Preference{{Cookies: []string{"p"}}}}
	}
	for _, c := range []struct {
		what       string
		options    RuleOptions
		preference string
		attributes string
		want       bool
	}{
		{"none: not without consent", RuleOptions{}, `{}`, "", false},
		{"none: with the preset's key", RuleOptions{}, `{"ga":true}`, "", true},
		{"another key takes the place of the preset's", RuleOptions{Consent: []string{"stats"}}, `{"ga":true}`, "", false},
		{"another key grants", RuleOptions{Consent: []string{"stats"}}, `{"stats":true}`, "", true},
		{"anonymous: without consent", RuleOptions{Anonymous: true}, `{}`, "", true},
		{"anonymous: not where it is refused", RuleOptions{Anonymous: true}, `{"ga":false}`, "", false},
		{"domain: another one", RuleOptions{Domain: []string{"example.org"}}, `{"ga":true}`, "; Domain=example.com", false},
		{"domain: the same", RuleOptions{Domain: []string{"example.org"}}, `{"ga":true}`, "; Domain=example.org", true},
		{"path: another one", RuleOptions{Path: []string{"/x"}}, `{"ga":true}`, "; Path=/", false},
		{"path: the same", RuleOptions{Path: []string{"/x"}}, `{"ga":true}`, "; Path=/x", true},
	} {
		t.Run(c.what, func(t *testing.T) {
			e := compiled(t, google(c.options))
			for _, name := range []string{"_ga", "_ga_1", "_gid", "_gat_x"} {
				if got := letThrough(e, []string{"p=" + c.preference}, name+"=1"+c.attributes); got != c.want {
					t.Errorf("%s let through is %t", name, got)
				}
			}
		})
	}
}

func TestEverySpellingOfTheHeaderIsFiltered(t *testing.T) {
	e := compiled(t, allowing("sessionid"))
	for _, key := range []string{
		"Set-Cookie", "set-cookie", "SET-COOKIE", "sET-cOOKIE", "Set-Cookie ", "Set-Cookie\t", " Set-Cookie", "\tset-cookie ",
		http.TrailerPrefix + "Set-Cookie", http.TrailerPrefix + "set-cookie", http.TrailerPrefix + " SET-COOKIE ",
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
	for _, key := range []string{"Set-Cookie2", "set-cookie2", "SET-COOKIE2 ", http.TrailerPrefix + "Set-Cookie2"} {
		header := http.Header{key: {"sessionid=2"}}
		if filterResponse(e, nil, header); len(header) != 0 {
			t.Errorf("%q is left", key)
		}
	}
}

func TestOtherHeadersAreLeftAlone(t *testing.T) {
	e := compiled(t, allowing("sessionid"))
	header := http.Header{
		"Content-Type": {"text/html"}, "Cookie": {"_ga=1"}, "X-Set-Cookie": {"_ga=1"}, "Set-Cookie3": {"_ga=1"}, "Set-Cookies": {"_ga=1"}, "Set_Cookie": {"_ga=1"},
		"Set-Cookie-": {"_ga=1"}, "Trailer": {"Set-Cookie"}, "Server-Timing": {"_ga=1"}, "": {"_ga=1"}, "S": {"_ga=1"}, "Strict-Transport-Security": {"max-age=1"},
	}
	want := header.Clone()
	if filterResponse(e, nil, header); !maps.EqualFunc(header, want, slices.Equal) {
		t.Errorf("%q is left of %q", header, want)
	}
}

func TestEverySpellingIsFilteredAtOnce(t *testing.T) {
	e := compiled(t, allowing("sessionid"))
	header := http.Header{
		"Set-Cookie": {"sessionid=1", "_ga=1"}, "set-cookie": {"_ga=2", "sessionid=2"}, "Set-Cookie2": {"x=y"}, http.TrailerPrefix + "Set-Cookie": {"_ga=3"}, "Date": {"x"},
	}
	filterResponse(e, nil, header)
	want := http.Header{"Set-Cookie": {"sessionid=1"}, "set-cookie": {"sessionid=2"}, "Date": {"x"}}
	if !maps.EqualFunc(header, want, slices.Equal) {
		t.Errorf("%q is left", header)
	}
}

func TestWhatIsLetThroughKeepsItsBytesAndItsOrder(t *testing.T) {
	e := compiled(t, allowing("a", "b", "é"))
	lines := []string{
		"  b = x ;;  PATH = /; secure;HTTPONLY;SameSite=None; Unknown=\"1\";", "x=1", "a=1", "a=2", "y=1", "\ta\t=\t\"q\" \t", "a=\xff\xfe; Expires=x", "z",
		"é=è", "b=", "a=1, b=2; Max-Age=60", "a=1",
	}
	want := []string{lines[0], lines[2], lines[3], lines[5], lines[6], lines[8], lines[9], lines[10], lines[11]}
	if got := keptLines(e, nil, lines...); !slices.Equal(got, want) {
		t.Errorf("let through is %q, want %q", got, want)
	}
}

func TestLinesThatAreAllLetThroughAreNotTouched(t *testing.T) {
	e := compiled(t, allowing("a"))
	lines := append(make([]string, 0, 5), "a=1", "a=2", "x=; Max-Age=0")
	header := http.Header{"Set-Cookie": lines}
	filterResponse(e, nil, header)
	if got := header["Set-Cookie"]; len(got) != 3 || cap(got) != 5 || &got[0] != &lines[0] {
		t.Errorf("the slice became %q", got)
	}
}

func TestFilteringTwiceDoesNoHarm(t *testing.T) {
	e := compiled(t, Policy{Presets: []Preset{{Name: "opendatasoft"}, {Name: "matomo"}}})
	visit := visitWith(e, `cookies_preferences={"matomo":true}`)
	header := http.Header{"Set-Cookie": {"sessionid=1", "_ga=1", "_pk_id.1=1", "_ga=; Max-Age=0"}}
	for range 3 {
		visit.FilterResponse(header)
		if want := []string{"sessionid=1", "_pk_id.1=1", "_ga=; Max-Age=0"}; !slices.Equal(header["Set-Cookie"], want) {
			t.Fatalf("let through is %q, want %q", header["Set-Cookie"], want)
		}
	}
	header["Set-Cookie"] = []string{"_ga=1", "sessionid=2"} // as after a snapshot is restored
	visit.FilterResponse(header)
	if want := []string{"sessionid=2"}; !slices.Equal(header["Set-Cookie"], want) {
		t.Errorf("let through is %q, want %q", header["Set-Cookie"], want)
	}
}

func TestVisitsDoNotShareAPreference(t *testing.T) {
	e := compiled(t, Policy{Presets: []Preset{{Name: "opendatasoft"}, {Name: "matomo"}}})
	for i := range 4 {
		cookies, want := []string{`cookies_preferences={"matomo":true}`}, true
		if i%2 == 1 {
			cookies, want = nil, false
		}
		if got := letThrough(e, cookies, "_pk_id=1"); got != want {
			t.Errorf("visit %d: let through is %t", i, got)
		}
	}
}

func TestThousandsOfLinesAreAllFiltered(t *testing.T) {
	e := compiled(t, allowing("a"))
	lines := slices.Repeat([]string{"x=1", "a=1"}, 5000)
	if got := keptLines(e, nil, lines...); !slices.Equal(got, slices.Repeat([]string{"a=1"}, 5000)) {
		t.Errorf("%d of 10000 lines were let through, want 5000", len(got))
	}
}

func TestFilteringTakesNoMemory(t *testing.T) {
	e := compiled(t, Policy{
		Presets: []Preset{{Name: "opendatasoft"}, {Name: "matomo"}, {Name: "google_analytics"}},
		Allow:   []Rule{{Category: Necessary, Cookies: []string{"*a*b*", "*x", "*mm*"}, RuleOptions: RuleOptions{Domain: []string{"example.org"}}}},
	})
	choice := []string{`a=b; cookies_preferences=%7B%22matomo%22%3Atrue%2C%22ga%22%3Afalse%2C%22timestamp%22%3A1768478400%7D; _ga=1`}
	for _, c := range []struct {
		what    string
		cookies []string
		lines   []string
		want    int // lines
	}{
		{"where no cookie is present", nil, nil, 0},
		{"where no cookie is set", choice, nil, 0},
		{"where every line is let through", nil, []string{"sessionid=1; Path=/", "csrftoken=2; Path=/; Secure"}, 2},
		{"where some lines are refused", nil, []string{"_ga=1; Domain=.example.org", "sessionid=1; Path=/", "unlisted=1; Expires=Thu, 15 Jan 2026 12:00:00 GMT"}, 1},
		{"where a line is refused for its Domain", nil, []string{"x=1; Domain=example.com", "sessionid=1"}, 1},
		{"where the preference decides", choice, []string{"_pk_id.1.1fff=1; Path=/", "_ga=1; Path=/"}, 1},
		{"where deletions are let through", nil, []string{"_ga=; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "_gid=; Max-Age=0"}, 2},
	} {
		t.Run(c.what, func(t *testing.T) {
			header := http.Header{"Content-Type": {"text/html"}, "Date": {"Thu, 15 Jan 2026 12:00:00 GMT"}}
			lines := slices.Clone(c.lines)
			request := Request{Header: http.Header{"Cookie": c.cookies}}
			allocations := testing.AllocsPerRun(100, func() {
				if len(c.lines) > 0 {
					copy(lines, c.lines)
					header["Set-Cookie"] = lines
				}
				visit := e.Visit(request)
				visit.FilterResponse(header)
			})
			if allocations != 0 {
				t.Errorf("%v allocations", allocations)
			}
			if got := header["Set-Cookie"]; len(got) != c.want {
				t.Errorf("%q was let through, want %d lines", got, c.want)
			}
		})
	}
}

// A response of a hundred thousand lines, with a megabyte of attributes among them, is answered rightly, and refusing costs no memory.
func TestAHundredThousandLines(t *testing.T) {
	e := compiled(t, Policy{Presets: []Preset{{Name: "opendatasoft"}, {Name: "matomo"}}})
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
	lines := make([]string, len(all))
	header := http.Header{}
	allocations := testing.AllocsPerRun(1, func() {
		copy(lines, all)
		header["Set-Cookie"] = lines
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
