package wire

import (
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// edited returns a line after the calls of edit.
func edited(tb testing.TB, line string, edit func(*Editor)) string {
	tb.Helper()
	c := mustParse(tb, line)
	e := NewEditor(line, &c)
	edit(e)
	return e.String()
}

// editCase is a line, and what becomes of it; the line itself if want is empty.
type editCase struct{ what, line, want string }

// checkEdits edits each line once, and what becomes of it once more.
func checkEdits(t *testing.T, cases []editCase, edit func(*Editor)) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.what, func(t *testing.T) {
			if c.want == "" {
				c.want = c.line
			}
			got := edited(t, c.line, edit)
			if got != c.want {
				t.Errorf("%.200q\nbecame %.200q\nwant   %.200q", c.line, got, c.want)
			}
			if again := edited(t, got, edit); again != got {
				t.Errorf("edited again it is %.200q", again)
			}
		})
	}
}

func secure(e *Editor)   { e.AddSecure() }
func httpOnly(e *Editor) { e.AddHTTPOnly() }

// sameSite returns what sets a stricter SameSite; `none` comes with Secure.
func sameSite(word string) func(*Editor) {
	return func(e *Editor) {
		e.RaiseSameSite(word)
		if word == "none" {
			e.AddSecure()
		}
	}
}

func TestEditorAddSecure(t *testing.T) {
	over := strings.Repeat("x", 1025)
	checkEdits(t, []editCase{
		{"absent", "a=b", "a=b; Secure"},
		{"present", "a=b; Secure; Path=/", ""},
		{"another case, blanks", "a=b; \tsECURE ", ""},
		{"a value means nothing", "a=b; Secure=false", ""},
		{"present, then too long to count", "a=b; Secure; Secure=" + over, ""},
		{"too long to count", "a=b; Secure=" + over, "a=b; Secure=" + over + "; Secure"},
		{"the value of the cookie", "a=Secure", "a=Secure; Secure"},
		{"part of a name", "a=b; Secured; InSecure", "a=b; Secured; InSecure; Secure"},
		{"semicolon at the end", "a=b;", "a=b;; Secure"},
		{"blanks at the end", "a=b; Path=/ \t", "a=b; Path=/ \t; Secure"},
	}, secure)
	twice := func(e *Editor) { e.AddSecure(); e.AddSecure() }
	checkEdits(t, []editCase{{"asked for twice", "a=b", "a=b; Secure"}}, twice)
}

func TestEditorAddHTTPOnly(t *testing.T) {
	checkEdits(t, []editCase{
		{"absent", "a=b; Path=/", "a=b; Path=/; HttpOnly"},
		{"another case", "a=b;HTTPONLY;Path=/", ""},
		{"twice", "a=b; HttpOnly; HttpOnly", ""},
	}, httpOnly)
}

func TestEditorRaiseSameSite(t *testing.T) {
	over := strings.Repeat("x", 1025)
	for _, c := range []struct{ what, word, line, want string }{
		{"Lax is added", "lax", "a=b", "a=b; SameSite=Lax"},
		{"Strict is added", "strict", "a=b", "a=b; SameSite=Strict"},
		{"None becomes Lax", "lax", "a=b; SameSite=None; Secure", "a=b; SameSite=Lax; Secure"},
		{"None becomes Strict, in its place", "strict",
			"a=b; samesite = none ; Secure", "a=b; samesite = Strict ; Secure"},
		{"Lax becomes Strict", "strict", "a=b; SameSite=lax", "a=b; SameSite=Strict"},
		{"Lax stays Lax", "lax", "a=b; SameSite=LAX", ""},
		{"Strict stays Strict", "lax", "a=b; SameSite=strict", ""},
		{"the last of two counts, and stays", "lax", "a=b; SameSite=None; SameSite=Strict", ""},
		{"the last of two counts, and is raised", "lax",
			"a=b; SameSite=Strict; SameSite=None; Secure", "a=b; SameSite=Strict; SameSite=Lax; Secure"},
		{"a word that browsers do not know", "lax", "a=b; SameSite=Maybe", "a=b; SameSite=Lax"},
		{"empty", "lax", "a=b; SameSite=; Path=/", "a=b; SameSite=Lax; Path=/"},
		{"blanks", "lax", "a=b; SameSite=   ; Path=/", "a=b; SameSite=   Lax; Path=/"},
		{"blanks and a tab", "lax", "a=b; SameSite= \t ; Path=/", "a=b; SameSite= \t ; Path=/; SameSite=Lax"},
		{"no value", "strict", "a=b; SameSite; Path=/", "a=b; SameSite=Strict; Path=/"},
		{"no value, blanks", "strict", "a=b; SameSite ", "a=b; SameSite =Strict"},
		{"too long to count", "lax", "a=b; SameSite=" + over, "a=b; SameSite=" + over + "; SameSite=Lax"},
		{"None is added with Secure", "none", "a=b", "a=b; SameSite=None; Secure"},
		{"None is added, Secure is present", "none", "a=b; Secure", "a=b; Secure; SameSite=None"},
		{"None gets its Secure", "none", "a=b; SameSite=None", "a=b; SameSite=None; Secure"},
		{"None in place of an unknown word", "none", "a=b; SameSite=Maybe", "a=b; SameSite=None; Secure"},
		{"Lax is not lowered to None", "none", "a=b; SameSite=Lax; Secure", ""},
		{"Strict is not lowered to None", "none", "a=b; SameSite=Strict; Secure", ""},
	} {
		checkEdits(t, []editCase{{c.what, c.line, c.want}}, sameSite(c.word))
	}
}

// editAll does what the strictest rule asks for.
func editAll(clock *Clock) func(*Editor) {
	return func(e *Editor) {
		e.LimitLifetime(time.Hour, clock)
		e.RaiseSameSite("lax")
		e.AddSecure()
		e.AddHTTPOnly()
	}
}

// endSession makes a session cookie, in a response with the given Date lines.
func endSession(dates ...string) func(*Editor) {
	return func(e *Editor) { e.EndWithSession(clockAtNoon(dates...)) }
}

func TestEditorEndWithSession(t *testing.T) {
	over := strings.Repeat("9", 1025)
	checkEdits(t, []editCase{
		{"Max-Age", "a=b; Max-Age=1", "a=b"},
		{"Expires", "a=b; Expires=" + inAYear, "a=b"},
		{"both, and bytes between them", ` a = "b" ; max-AGE = 60 ;; Path=/ ;EXPIRES=` + inAYear + `; X`,
			` a = "b" ;; Path=/ ; X`},
		{"all of both", "a=b; Max-Age=x; Max-Age=60; Expires=" + inAYear + "; Expires=x", "a=b"},
		{"Max-Age, which wins over an Expires that has passed",
			"a=b; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "a=b"},
		{"Expires beside a Max-Age that is no number", "a=b; Max-Age=1.5; Expires=" + inAYear, "a=b"},
		{"a number past int64 before a word", "a=b; Max-Age=9223372036854775808x", "a=b"},
		{"a Max-Age that Chromium reads only", "a=b; Max-Age=+60", "a=b"},
		{"a deletion in Chromium only", "a=b; Max-Age=+0; Expires=" + inAYear, "a=b"},
		{"a date that some browser may read", "a=b; Expires=01/15/2027", "a=b"},
		{"a date in another zone", "a=b; Expires=Thu, 15 Jan 2026 11:30:00 PST", "a=b"},
		{"a tab, for which Chromium rejects the line",
			"a=b;\tMax-Age=60;Expires=" + inAYear, "a=b;\tMax-Age=60;Expires=" + inAYear + "; Max-Age=; Expires="},
		{"a tab, and no Expires", "a=b;\tMax-Age=60", "a=b;\tMax-Age=60; Max-Age="},

		{"a session cookie", "a=b; Path=/; Secure", ""},
		{"a Max-Age that is no number", "a=b; Max-Age=x", ""},
		{"no value", "a=b; Max-Age; Expires=", ""},
		{"a Max-Age that is too long to count", "a=b; Max-Age=" + over, ""},
		{"in the value", "a=Max-Age=60", ""},
		{"a deletion", "a=; Max-Age=0; Expires=" + inAYear, ""},
		{"a negative number", "a=; Max-Age=-1", ""},
		{"a deletion by date", "a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT", ""},
		{"an hour ago", "a=; Expires=Thu, 15 Jan 2026 11:00:00 GMT", ""},
	}, endSession())
	const hourAgo = "Thu, 15 Jan 2026 11:00:00 GMT"
	checkEdits(t, []editCase{
		{"a date that is in the future by the server's clock", "a=b; Expires=Thu, 15 Jan 2026 11:30:00 GMT", "a=b"},
		{"a date that has passed by both clocks", "a=b; Expires=Thu, 15 Jan 2026 10:30:00 GMT", ""},
	}, endSession(hourAgo))
}

func TestEditorOrder(t *testing.T) {
	const line, want = "a=b; Max-Age=7200", "a=b; Max-Age=3600; SameSite=Lax; Secure; HttpOnly"
	checkEdits(t, []editCase{{"all edits", line, want}}, editAll(clockAtNoon()))
}

// replacePortal returns what replaces portal.example.org, or removes it if to is empty.
func replacePortal(t *testing.T, to string) func(*Editor) {
	return func(e *Editor) {
		if before := e.Domain(); before == "portal.example.org" {
			if e.ReplaceDomain(to); e.Domain() != to {
				t.Errorf("the Domain is %q, want %q", e.Domain(), to)
			}
		}
	}
}

func TestEditorReplaceDomain(t *testing.T) {
	over := strings.Repeat("x", 1025)
	for _, c := range []struct{ what, line, to, without string }{
		{"a Domain",
			"a=b; Domain=portal.example.org; Path=/", "a=b; Domain=city.example; Path=/", "a=b; Path=/"},
		{"leading dot", "a=b; Domain=.portal.example.org", "a=b; Domain=city.example", "a=b"},
		{"another case", "a=b; DOMAIN=Portal.EXAMPLE.org", "a=b; DOMAIN=city.example", "a=b"},
		{"blanks", "a=b; Domain = portal.example.org ;Path=/",
			"a=b; Domain = city.example ;Path=/", "a=b;Path=/"},
		{"a tab", "a=b;\tDomain = portal.example.org ;Path=/",
			"a=b;\tDomain = portal.example.org ;Path=/; Domain=city.example",
			"a=b;\tDomain = portal.example.org ;Path=/; Domain="},
		{"none", "a=b; Path=/", "", ""},
		{"empty", "a=b; Domain=", "", ""},
		{"another one", "a=b; Domain=example.org", "", ""},
		{"one below", "a=b; Domain=www.portal.example.org", "", ""},
		{"one that ends alike", "a=b; Domain=myportal.example.org", "", ""},
		{"in the value", "a=Domain=portal.example.org", "", ""},
		{"the last counts", "a=b; Domain=other.example; Domain=portal.example.org",
			"a=b; Domain=other.example; Domain=city.example", "a=b"},
		{"the last counts, and is another", "a=b; Domain=portal.example.org; Domain=other.example", "", ""},
		{"the last is too long to count", "a=b; Domain=portal.example.org; Domain=" + over,
			"a=b; Domain=city.example; Domain=" + over, "a=b"},
		{"deletion", "a=; Domain=portal.example.org; Max-Age=0",
			"a=; Domain=city.example; Max-Age=0", "a=; Max-Age=0"},
		{"__Secure- prefix", "__Secure-a=b; Domain=portal.example.org; Secure",
			"__Secure-a=b; Domain=city.example; Secure", "__Secure-a=b; Secure"},
	} {
		checkEdits(t, []editCase{{c.what, c.line, c.to}}, replacePortal(t, "city.example"))
		checkEdits(t, []editCase{{c.what + ", removed", c.line, c.without}}, replacePortal(t, ""))
	}
	absent := func(e *Editor) {
		if e.ReplaceDomain("city.example"); e.Domain() != "" {
			t.Errorf("a line without a Domain has %q", e.Domain())
		}
	}
	checkEdits(t, []editCase{{"a line without a Domain gets none", "a=b; Path=/", ""}}, absent)
}

// TestEditorIsLinear measures what is allocated for a line of a megabyte.
func TestEditorIsLinear(t *testing.T) {
	const size = 1 << 20
	fill := func(s string) string { return strings.Repeat(s, size/len(s)) }
	for _, c := range []struct {
		what, line string
		most       uint64 // bytes
	}{
		{"semicolons", "a=b" + fill(";"), 3 * size},
		{"semicolons before a lifetime", "a=b" + fill(";") + "; Max-Age=7200", 3 * size},
		{"semicolons after a lifetime", "a=b; Max-Age=7200" + fill(";"), 3 * size},
		{"blanks", "a=b;" + fill(" ") + "; Max-Age=7200", 3 * size},
		{"lifetimes", "a=b" + fill("; Max-Age=7200"), 3 * size},
		{"dates", "a=b" + fill("; Expires="+inAYear), 3 * size},
		{"dates that are removed", "a=b" + fill("; X=y; Expires=15.1.2027"), 3 * size},
		{"domains that are removed", "a=b" + fill(";X;Domain=portal.example.org"), 3 * size},
		{"domains in a line with a tab", "a=b;\t" + fill(";Domain=portal.example.org"), 3 * size},
	} {
		t.Run(c.what, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			got := edited(t, c.line, func(e *Editor) {
				replacePortal(t, "")(e)
				editAll(clockAtNoon())(e)
			})
			runtime.ReadMemStats(&after)
			if n := after.TotalAlloc - before.TotalAlloc; n >= c.most {
				t.Errorf("%d bytes are allocated for %d", n, len(c.line))
			}
			if len(got) > len(c.line)+200 {
				t.Errorf("%d bytes became %d", len(c.line), len(got))
			}
		})
	}
}

// FuzzEditor edits one line as a rule that asks for everything. Whatever it is: it stays the same
// cookie, editing it again changes nothing, other attributes keep their bytes, a deletion stays one,
// and what was asked for holds.
func FuzzEditor(f *testing.F) {
	for _, line := range linesSeen(f) {
		f.Add(line, "")
	}
	for _, line := range []string{
		"a=b; Max-Age=99999; Expires=" + inAYear, "a=b; Max-Age=+5; Expires=" + inAYear,
		"a=b;Expires=1/31/27;expires=31-1-27", "a=b; SameSite ; SameSite", "a=b; samesite=  ;",
		"a=b; Domain=portal.example.org; Domain=x", "a=b; Secure; HttpOnly; SameSite=None",
		"a=b;domain = .PORTAL.example.org ;;max-age=\t86401",
		"__Host-a=b; Domain=portal.example.org", "a=b; Expires=Thu, 15 Jan 2026 12:30:00 -0800",
		"a=b; Max-Age=--0; Expires=" + inAYear, "a=b; Max-Age=+7200; Expires=" + inAnHour,
		"a=b; Path=/\tx; Max-Age=7200; Domain=portal.example.org",
	} {
		f.Add(line, inAnHour)
		f.Add(line, "")
	}
	f.Fuzz(func(t *testing.T, line, date string) {
		before, ok := ParseSetCookie(line)
		if !ok {
			return
		}
		was := before.ParseAttributes()
		for _, to := range []string{"", "city.example"} {
			deletes := was.Deletes(clockAtNoon(date))
			edit := func(e *Editor) {
				replacePortal(t, to)(e)
				if !deletes {
					editAll(clockAtNoon(date))(e)
				}
			}
			got := edited(t, line, edit)
			after, ok := ParseSetCookie(got)
			if !ok || before.Name != after.Name || before.Value != after.Value ||
				!strings.HasPrefix(got, line[:len(line)-len(before.Attributes)]) {
				t.Errorf("%q became %q, another cookie", line, got)
			}
			if kept := keptAttributes(got); !slices.Equal(keptAttributes(line), kept) {
				t.Errorf("%q became %q: other attributes are %q", line, got, kept)
			}
			if len(got) > len(line)+200 {
				t.Errorf("%d bytes became %d", len(line), len(got))
			}
			is := after.ParseAttributes()
			if NormalDomain(is.Domain) == "portal.example.org" {
				t.Errorf("%q became %q, with the portal's domain", line, got)
			}
			if hasTab(line) != hasTab(got) {
				t.Errorf("%q became %q: a tab in an attribute was %t", line, got, hasTab(line))
			}
			if deletes {
				if !was.Rejected && !is.Deletes(clockAtNoon(date)) {
					t.Errorf("%q became %q, and no longer deletes", line, got)
				}
				continue
			}
			if again := edited(t, got, edit); again != got && !is.Deletes(clockAtNoon(date)) {
				t.Errorf("%q became %q, and then %q", line, got, again)
			}
			checkHardened(t, got, &was, &is)
		}
		checkSession(t, line, date, &was)
	})
}

// checkSession ends one line with the session: nothing but its lifetimes is removed, a deletion keeps
// its bytes, and no browser keeps the cookie longer.
func checkSession(t *testing.T, line, date string, was *Attributes) {
	t.Helper()
	end := func(e *Editor) { e.EndWithSession(clockAtNoon(date)) }
	got := edited(t, line, end)
	if was.Deletes(clockAtNoon(date)) {
		if got != line {
			t.Errorf("the deletion %q became %q", line, got)
		}
		return
	}
	if again := edited(t, got, end); again != got {
		t.Errorf("%q became %q, and then %q", line, got, again)
	}
	lifetimes := func(a string) bool {
		name, _, _ := strings.Cut(a, "=")
		name = strings.ToLower(trimmed(name))
		return name == "max-age" || name == "expires"
	}
	parts := strings.Split(line, ";")
	kept := append(parts[:1:1], slices.DeleteFunc(parts[1:], lifetimes)...)
	switch without := strings.Join(kept, ";"); {
	case got == line || got == without:
	case strings.Contains(line, "\t") && slices.Contains([]string{"; Max-Age=", "; Expires=", "; Max-Age=; Expires="},
		strings.TrimPrefix(got, line)):
	default:
		t.Errorf("%q became %q", line, got)
	}
	after, _ := ParseSetCookie(got)
	is := after.ParseAttributes()
	if lifetime, persists := is.Lifetime(noon); persists && lifetime > 0 {
		t.Errorf("%q became %q, which lives %v", line, got, lifetime)
	}
}

// checkHardened checks that a line has what editAll asks for.
func checkHardened(t *testing.T, line string, was, is *Attributes) {
	t.Helper()
	raised := Strictness(is.SameSite) >= max(2, Strictness(was.SameSite))
	if !is.HTTPOnly || !is.Secure || !raised || is.Partitioned != was.Partitioned || is.Path != was.Path {
		t.Errorf("%q has %+v and had %+v", line, is, was)
	}
	for browser, read := range map[string]func(string) (int64, bool){
		"Chromium": chromiumMaxAge, "Firefox": firefoxMaxAge,
	} {
		seconds, ok := read(is.MaxAge)
		lives := (&Attributes{Expires: is.Expires}).Lifetime
		if left, isDate := lives(noon); ok && seconds > 3600 || !ok && isDate && left > time.Hour {
			t.Errorf("%q lives too long in %s", line, browser)
		}
	}
}

// keptAttributes returns the attributes of a line that an Editor does not change, byte for byte.
func keptAttributes(line string) (attributes []string) {
	for _, attribute := range strings.Split(line, ";")[1:] {
		name, _, _ := strings.Cut(attribute, "=")
		switch strings.ToLower(trimmed(name)) {
		case "max-age", "expires", "samesite", "secure", "httponly", "domain":
		default:
			attributes = append(attributes, attribute)
		}
	}
	return attributes
}

// hasTab reports whether there is a tab in an attribute's name or value, which Chromium rejects.
func hasTab(line string) bool {
	return slices.ContainsFunc(strings.Split(line, ";")[1:], func(attribute string) bool {
		name, value, _ := strings.Cut(attribute, "=")
		return strings.Contains(trimmed(name), "\t") || strings.Contains(trimmed(value), "\t")
	})
}
