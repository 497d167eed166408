package wire

import (
	"strings"
	"testing"
)

func TestParseSetCookie(t *testing.T) {
	long := strings.Repeat("x", 5000)
	const blank = "\u00a0"
	for _, c := range []struct{ what, line, name, value string }{
		{"the pair ends at the first semicolon", "sessionid=x; Path=/", "sessionid", "x"},
		{"the name ends at the first equals sign", "a=b=c", "a", "b=c"},
		{"empty value", "a=", "a", ""},
		{"semicolon right after the equals sign", "a=;b", "a", ""},
		{"spaces and tabs around the name", " \t sessionid \t =x", "sessionid", "x"},
		{"spaces and tabs around the value", "sessionid= \t x \t ;", "sessionid", "x"},
		{"space inside a name", "my cookie=x", "my cookie", "x"},
		{"tab inside a name", "my\tcookie=x", "my\tcookie", "x"},
		{"space inside a value", "a=b c", "a", "b c"},
		{"quotes around a value belong to it", `a="b c"`, "a", `"b c"`},
		{"quotes do not protect a semicolon", `sessionid="x; Domain=example.com; y"`, "sessionid", `"x`},
		{"quotes in a name", `"a"=b`, `"a"`, "b"},
		{"a comma separates nothing", "_ga=1, sessionid=x", "_ga", "1, sessionid=x"},
		{"comma in a name", "a,sessionid=x", "a,sessionid", "x"},
		{"cookies folded into one line are one cookie", "a=1; Path=/, b=2; Path=/", "a", "1"},
		{"separators of HTTP in a name", "a/b[c]@(d)=e", "a/b[c]@(d)", "e"},
		{"non-ASCII letters in name and value", "café=crème", "café", "crème"},
		{"bytes that are not UTF-8", "a\xff\x80=\xfe", "a\xff\x80", "\xfe"},
		{"no-break space is not trimmed", blank + "sessionid" + blank + "=" + blank + "x",
			blank + "sessionid" + blank, blank + "x"},
		{"next-line character is not trimmed", "\u0085sessionid=x", "\u0085sessionid", "x"},
		{"zero-width space is not trimmed", "sessionid\u200b=x", "sessionid\u200b", "x"},
		{"single bytes 0x85 and 0xA0 are not trimmed", "\xa0a\x85=x", "\xa0a\x85", "x"},
		{"percent-encoding is not decoded", "%61=%62", "%61", "%62"},
		{"case is kept", "SessionID=X", "SessionID", "X"},
		{"a name that looks like an attribute", "Path=/; Domain=b", "Path", "/"},
		{"a prefix belongs to the name", "__Host-a=b", "__Host-a", "b"},
		{"a pair longer than browsers store", "a=" + long, "a", long},
	} {
		t.Run(c.what, func(t *testing.T) {
			got, ok := ParseSetCookie(c.line)
			if !ok || got.Name != c.name || got.Value != c.value {
				t.Errorf("ParseSetCookie(%.99q) = %.99q, %.99q, %t; want %.99q, %.99q",
					c.line, got.Name, got.Value, ok, c.name, c.value)
			}
		})
	}
}

func TestParseSetCookieRejects(t *testing.T) {
	for _, c := range []struct{ what, line string }{
		{"nothing", ""},
		{"blanks only", " \t "},
		{"semicolon only", ";"},
		{"bare token", "sessionid"},
		{"bare token with attributes", "sessionid; Path=/"},
		{"equals sign after the first semicolon", "sessionid; a=b"},
		{"nothing before the equals sign", "=x"},
		{"equals sign only", "="},
		{"blanks before the equals sign", " \t =x"},
		{"what looks like a pair after a leading equals sign", "=sessionid=x"},
	} {
		t.Run(c.what, func(t *testing.T) {
			if got, ok := ParseSetCookie(c.line); ok {
				t.Errorf("ParseSetCookie(%q) = %q", c.line, got.Name)
			}
		})
	}
}

func TestParseAttributes(t *testing.T) {
	full, over := strings.Repeat("a", 1024), strings.Repeat("a", 1025)
	for _, c := range []struct {
		what, line                    string
		domain, path, maxAge, expires string
	}{
		{what: "no attribute", line: "a=b"},
		{"one of each", "a=b; Domain=example.com; Path=/x; Max-Age=60; Expires=tomorrow",
			"example.com", "/x", "60", "tomorrow"},
		{"case of names is ignored", "a=b;DOMAIN=Example.Com;pATH=/X;max-AGE=60;eXPIRES=Now",
			"Example.Com", "/X", "60", "Now"},
		{"spaces and tabs around names and values",
			"a=b; \tDomain \t=\t example.com \t; max-age\t=\t60 ", "example.com", "", "60", ""},
		{"other blanks belong to the name", "a=b; \u00a0Domain=example.com; Path\u00a0=/",
			"", "", "", ""},
		{"other blanks belong to the value", "a=b; Domain=\u00a0example.com; Path=/\u00a0",
			"\u00a0example.com", "/\u00a0", "", ""},
		{"equals sign in a value", "a=b; Path=/?x=y", "", "/?x=y", "", ""},
		{"comma in a value", "a=b; Path=/x, c=d; Domain=e", "e", "/x, c=d", "", ""},
		{"quotes protect nothing", `sessionid="x; Domain=example.com; y"`,
			"example.com", "", "", ""},
		{"quotes around a value belong to it", `a=b; Domain="example.com"`,
			`"example.com"`, "", "", ""},
		{"the last counts", "a=b; Domain=one; Path=/1; Domain=two; Path=/2; Max-Age=1; Max-Age=2; " +
			"Expires=x; Expires=y", "two", "/2", "2", "y"},
		{"the last counts even if it is not valid",
			"a=b; Max-Age=3600; Max-Age=abc; Path=/; Path=nowhere", "", "nowhere", "abc", ""},
		{"the last counts in another case", "a=b; Max-Age=1; MAX-AGE=2", "", "", "2", ""},
		{"1024 bytes count", "a=b; Domain=" + full + "; Path=/" + full[1:], full, "/" + full[1:], "", ""},
		{"1025 bytes count as absent", "a=b; Domain=" + over + "; Path=/" + full + "; Max-Age=" + over +
			"; Expires=" + over, "", "", "", ""},
		{"the one before a value that is too long counts",
			"a=b; Domain=example.com; Domain=" + over, "example.com", "", "", ""},
		{"blanks around a value do not count for its length", "a=b; Domain=  " + full + "\t",
			full, "", "", ""},
		{"no value", "a=b; Domain; Path=", "", "", "", ""},
		{"empty and unknown attributes", "a=b;;; ;Secure;HttpOnly;=x;Priority=High;Path=/",
			"", "/", "", ""},
		{"the pair is no attribute", "Domain=example.com", "", "", "", ""},
		{"parts of names", "a=b; Domains=x; Pat=/; Max_Age=1; Expire=y", "", "", "", ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			line := mustParse(t, c.line)
			a := line.ParseAttributes()
			if a.Domain != c.domain || a.Path != c.path || a.MaxAge != c.maxAge || a.Expires != c.expires {
				t.Errorf("%.200q was read as %.99q, %.99q, %q, %q",
					c.line, a.Domain, a.Path, a.MaxAge, a.Expires)
			}
		})
	}
}

// TestParseAttributesFlags is about the attributes that matter by their presence, and SameSite.
func TestParseAttributesFlags(t *testing.T) {
	over := strings.Repeat("a", 1025)
	for _, c := range []struct {
		line string
		want Attributes
	}{
		{"a=b", Attributes{}},
		{"a=b; Secure", Attributes{Secure: true}},
		{"a=b;\tSECURE\t=\tno", Attributes{Secure: true}},
		{"a=b; HttpOnly", Attributes{HTTPOnly: true}},
		{"a=b; httponly=false", Attributes{HTTPOnly: true}},
		{"a=b; Secure; Partitioned", Attributes{Secure: true, Partitioned: true}},
		{"a=b; SameSite=Lax", Attributes{SameSite: "Lax"}},
		{"a=b; SameSite=Lax; samesite = strict ", Attributes{SameSite: "strict"}},
		{"a=b; SameSite=Lax; SameSite", Attributes{}},
		{"a=b; Secured; InSecure; Http-Only; HttpOnly2; Partition", Attributes{}},
		{"a=b; Secure=" + over + "; HttpOnly=" + over, Attributes{}},
		{"a=b; \u017fecure", Attributes{}}, // the long s, which folds to s in Unicode
		{"Secure=b", Attributes{}},
	} {
		line := mustParse(t, c.line)
		if got := line.ParseAttributes(); got != c.want {
			t.Errorf("%.99q was read as %+v, want %+v", c.line, got, c.want)
		}
	}
}

// TestParseAttributesRejected is about lines that some browser does not store.
func TestParseAttributesRejected(t *testing.T) {
	for _, c := range []struct {
		line string
		want bool
	}{
		{"a=b; Path=/", false},
		{"a=b; SameSite=None", true},
		{"a=b; samesite=NONE; secure", false},
		{"a=b; SameSite=None; SameSite=Lax", false},
		{"a=b; Partitioned", true},
		{"a=b; Partitioned; Secure", false},
		{"a=b; Path=/\tx", true},
		{"a=b; unknown\tattribute=x", true},
		{"a=b; unknown=x\ty", true},
		{"a=b;\tPath\t=\t/\t;\t", false}, // trimmed
		{"__Secure-a=b", true},
		{"__Secure-a=b; Secure", false},
		{"__secure-a=b; Domain=example.com; Path=/x; Secure", false},
		{"__Host-a=b; Secure", true}, // no Path
		{"__Host-a=b; Secure; Path=/x", true},
		{"__Host-a=b; Path=/", true},
		{"__Host-a=b; Secure; Path=/; Domain=example.com", true},
		{"__Host-a=b; Secure; Path=/; Domain=", false},
		{"__hOST-a=b; Secure; Path=/", false},
		{"__Http-a=b; Secure", true},
		{"__Http-a=b; HttpOnly", true},
		{"__Http-a=b; Secure; HttpOnly; Domain=example.com", false},
		{"__Host-Http-a=b; Secure; Path=/", true},
		{"__Host-Http-a=b; Secure; HttpOnly; Path=/", false},
		{"__Hosta=b", false},
		{"_Host-a=b", false},
	} {
		line := mustParse(t, c.line)
		if got := line.ParseAttributes(); got.Rejected != c.want {
			t.Errorf("%q: Rejected is %t", c.line, got.Rejected)
		}
	}
}

func TestPrefixRequirements(t *testing.T) {
	for name, want := range map[string]Requirements{
		"a":             {},
		"":              {},
		"__":            {},
		"__Host":        {},
		"_Host-a":       {},
		"x__Host-a":     {},
		"__Secure-":     {Secure: true},
		"__sECURE-a":    {Secure: true},
		"__Host-a":      {Secure: true, HostOnly: true},
		"__hOST-":       {Secure: true, HostOnly: true},
		"__Http-a":      {Secure: true, HTTPOnly: true},
		"__Host-Http-a": {Secure: true, HTTPOnly: true, HostOnly: true},
		"__HOST-HTTP-":  {Secure: true, HTTPOnly: true, HostOnly: true},
		"__Http-Host-a": {Secure: true, HTTPOnly: true},
	} {
		if got := PrefixRequirements(name); got != want {
			t.Errorf("PrefixRequirements(%q) = %+v, want %+v", name, got, want)
		}
	}
}

func TestStrictness(t *testing.T) {
	for sameSite, want := range map[string]int{
		"strict": 3, "STRICT": 3, "Lax": 2, "lax": 2, "None": 1, "none": 1,
		"": 0, "maybe": 0, "stric": 0, "lax ": 0, `"Lax"`: 0,
	} {
		if got := Strictness(sameSite); got != want {
			t.Errorf("Strictness(%q) = %d, want %d", sameSite, got, want)
		}
	}
}

func TestStorable(t *testing.T) {
	x := strings.Repeat
	for _, c := range []struct {
		what string
		line string
		want bool
	}{
		{"4096 bytes of value and name", "a=" + x("x", 4095), true},
		{"4097 bytes of value and name", "a=" + x("x", 4096), false},
		{"4096 bytes of name", x("x", 4096) + "=", true},
		{"4097 bytes of name", x("x", 4097) + "=", false},
		{"blanks around them do not count", "  " + x("x", 4096) + "  =  ", true},
		{"attributes do not count", "a=b; Path=/" + x("x", 5000), true},
		{"tab inside a name", "a\tb=c", false},
		{"tab inside a value", "a=b\tc", false},
		{"tabs around name and value", "\ta\t=\tb\t", true},
		{"tabs in the attributes", "a=b; Path=/\tx; \t", true},
	} {
		t.Run(c.what, func(t *testing.T) {
			line := mustParse(t, c.line)
			if got := line.Storable(); got != c.want {
				t.Errorf("Storable is %t", got)
			}
		})
	}
}

func TestDescribe(t *testing.T) {
	over := strings.Repeat("x", 101)
	for _, c := range []struct{ line, want string }{
		{"a=secret", ""},
		{"a=secret;", ""},
		{"a=secret; Path=/; Secure", "Path=/; Secure"},
		{"a=secret;path = / ;HTTPONLY", "path=/; HTTPONLY"},
		{"a=secret; Path=/secret", "Path=(other)"},
		{"a=secret; Path=secret", "Path=(other)"},
		{"a=secret; Domain=example.com; Max-Age=60; Expires=never; SameSite=Lax; Partitioned",
			"Domain=example.com; Max-Age=60; Expires=never; SameSite=Lax; Partitioned"},
		{"a=secret; Secure=secret; HttpOnly=secret; Partitioned=secret", "Secure; HttpOnly; Partitioned"},
		{"a=secret; Comment=secret; secret; =secret; Priority=High; Path=/", "Path=/"},
		{"a=secret; SameSite=; Domain", "SameSite; Domain"},
		{"a=secret; Domain=a=b", "Domain=a=b"},
		{"a=secret; Domain=" + over, "Domain=" + over[:100]},
	} {
		line := mustParse(t, c.line)
		if got := line.Describe(); got != c.want {
			t.Errorf("%q: Describe is %q, want %q", c.line, got, c.want)
		}
	}
	many := mustParse(t, "a=b"+strings.Repeat("; Domain="+over, 1000))
	if got := many.Describe(); len(got) > 10*MaxWord {
		t.Errorf("the description of %d attributes has %d bytes", 1000, len(got))
	}
}

// FuzzParseSetCookie compares the name and the value with a plain reading, and the deletions with a
// second reader's.
func FuzzParseSetCookie(f *testing.F) {
	const long = "\tsessionid\t=\x80; Max-Age="
	for _, line := range []string{
		"sessionid=x; Path=/; HttpOnly", "_ga=1; Max-Age=600", "home=1; Domain=.Example.org",
		"home=2; Domain=example.com", "=x", "x", ";", "", "=", "_ga=; Max-Age=0", "_ga=; Max-Age=-0",
		`_ga="; Expires=Thu, 01-Jan-70 00:00:00 GMT`,
		"_pk_id.1=x; expires=Thu Jan  1 00:00:00 1970; max-age=",
		long + strings.Repeat("0", 1025), "\u00a0sessionid=x", "sessionid\x01=x",
		"_ga=1, sessionid=x", "sessionid=x, _ga=1; Max-Age=0, b=2",
	} {
		f.Add(line, "Thu, 15 Jan 2026 12:00:00 GMT")
		f.Add(line, "")
	}
	f.Fuzz(func(t *testing.T, line, date string) {
		pair, attributes, _ := strings.Cut(line, ";")
		name, value, found := strings.Cut(pair, "=")
		name, value = trimmed(name), trimmed(value)
		got, ok := ParseSetCookie(line)
		if ok != (found && name != "") {
			t.Fatalf("%q was read: %t", line, ok)
		}
		if want := (SetCookie{name, value, attributes}); ok && got != want {
			t.Errorf("%q was read as %q, want %q", line, got, want)
		}
		if !ok {
			return
		}
		if n := len(got.Describe()); n > 10*MaxWord {
			t.Errorf("%q is described in %d bytes", line, n)
		}
		if a := got.ParseAttributes(); a.Deletes(clockAtNoon(date)) && !mayDeleteInAll(line) {
			t.Errorf("%q deletes, and not in every browser", line)
		}
	})
}
