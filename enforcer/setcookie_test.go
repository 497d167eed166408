package enforcer

import (
	"strings"
	"testing"
)

func TestNameAndValueAreThoseThatBrowsersStore(t *testing.T) {
	long := strings.Repeat("x", 5000)
	for _, c := range []struct{ what, line, name, value string }{
		{"the pair ends at the first semicolon", "sessionid=x; Path=/", "sessionid", "x"},
		{"the name ends at the first equals sign", "a=b=c", "a", "b=c"},
		{"a value may be empty", "a=", "a", ""},
		{"a semicolon right after the name's equals sign ends the value", "a=;b", "a", ""},
		{"spaces and tabs are trimmed around the name", " \t sessionid \t =x", "sessionid", "x"},
		{"spaces and tabs are trimmed around the value", "sessionid= \t x \t ;", "sessionid", "x"},
		{"a space inside a name is a part of it", "my cookie=x", "my cookie", "x"},
		{"a tab inside a name is a part of it", "my\tcookie=x", "my\tcookie", "x"},
		{"a space inside a value is a part of it", "a=b c", "a", "b c"},
		{"quotes around a value are a part of it", `a="b c"`, "a", `"b c"`},
		{"quotes do not shield a semicolon", `sessionid="x; Domain=example.com; y"`, "sessionid", `"x`},
		{"quotes may stand in a name", `"a"=b`, `"a"`, "b"},
		{"a comma separates nothing", "_ga=1, sessionid=x", "_ga", "1, sessionid=x"},
		{"a comma may stand in a name", "a,sessionid=x", "a,sessionid", "x"},
		{"cookies melted into one line are one cookie", "a=1; Path=/, b=2; Path=/", "a", "1"},
		{"separators of HTTP may stand in a name", "a/b[c]@(d)=e", "a/b[c]@(d)", "e"},
		{"non-ASCII letters are kept in names and values", "café=crème", "café", "crème"},
		{"bytes that are no UTF-8 are kept", "a\xff\x80=\xfe", "a\xff\x80", "\xfe"},
		{"a no-break space is not trimmed", "\u00a0sessionid\u00a0=\u00a0x", "\u00a0sessionid\u00a0", "\u00a0x"},
		{"a next-line character is not trimmed", "\u0085sessionid=x", "\u0085sessionid", "x"},
		{"a zero-width space is not trimmed", "sessionid\u200b=x", "sessionid\u200b", "x"},
		{"a byte 0x85 or 0xA0 alone is not trimmed", "\xa0a\x85=x", "\xa0a\x85", "x"},
		{"percent-encoding is not decoded", "%61=%62", "%61", "%62"},
		{"case is kept", "SessionID=X", "SessionID", "X"},
		{"a name may look like an attribute", "Path=/; Domain=b", "Path", "/"},
		{"prefixes are a part of the name", "__Host-a=b", "__Host-a", "b"},
		{"a pair may be longer than browsers store", "a=" + long, "a", long},
	} {
		t.Run(c.what, func(t *testing.T) {
			got, ok := readSetCookie(c.line)
			if !ok || got.name != c.name || got.value != c.value {
				t.Errorf("%q was read as %q, %q, %t; want %q, %q", c.line, got.name, got.value, ok, c.name, c.value)
			}
		})
	}
}

func TestLinesThatBrowsersReadDifferentlyAreNotRead(t *testing.T) {
	for _, c := range []struct{ what, line string }{
		{"nothing at all", ""},
		{"blanks alone", " \t "},
		{"a semicolon alone", ";"},
		{"a bare token", "sessionid"},
		{"a bare token with attributes", "sessionid; Path=/"},
		{"an equals sign after the first semicolon", "sessionid; a=b"},
		{"nothing before the equals sign", "=x"},
		{"an equals sign alone", "="},
		{"blanks before the equals sign", " \t =x"},
		{"what looks like a pair behind a leading equals sign", "=sessionid=x"},
	} {
		t.Run(c.what, func(t *testing.T) {
			if got, ok := readSetCookie(c.line); ok {
				t.Errorf("%q was read as %q", c.line, got.name)
			}
		})
	}
}

func TestControlCharactersAnywhereMakeALineRefused(t *testing.T) {
	p := allowing("a*", "sess*")
	p.Unlisted = UnlistedPass
	e := compiled(t, p)
	for b := range 256 {
		control := b < ' ' && b != '\t' || b == 0x7f
		if b == ';' {
			continue // ends the pair
		}
		for _, line := range []string{
			"sess" + string([]byte{byte(b)}) + "ion=x",
			"a=x" + string([]byte{byte(b)}) + "y",
			"a=x; Path=/" + string([]byte{byte(b)}),
			"a=x; " + string([]byte{byte(b)}) + "; Secure",
			"other=" + string([]byte{byte(b)}) + "; Max-Age=0",
		} {
			if letThrough(e, nil, line) == control {
				t.Errorf("%q: let through is %t", line, !control)
			}
		}
	}
}

func TestAttributesAreThoseThatBrowsersTake(t *testing.T) {
	full, over := strings.Repeat("a", 1024), strings.Repeat("a", 1025)
	for _, c := range []struct {
		what, line                    string
		domain, path, maxAge, expires string
	}{
		{what: "none is given", line: "a=b"},
		{"each is read", "a=b; Domain=example.com; Path=/x; Max-Age=60; Expires=tomorrow", "example.com", "/x", "60", "tomorrow"},
		{"their case means nothing", "a=b;DOMAIN=Example.Com;pATH=/X;max-AGE=60;eXPIRES=Now", "Example.Com", "/X", "60", "Now"},
		{"spaces and tabs are trimmed around names and values", "a=b; \tDomain \t=\t example.com \t; max-age\t=\t60 ", "example.com", "", "60", ""},
		{"other blanks make another name of it", "a=b; \u00a0Domain=example.com; Path\u00a0=/", "", "", "", ""},
		{"other blanks are a part of the value", "a=b; Domain=\u00a0example.com; Path=/\u00a0", "\u00a0example.com", "/\u00a0", "", ""},
		{"a value may hold equals signs", "a=b; Path=/?x=y", "", "/?x=y", "", ""},
		{"a value may hold commas", "a=b; Path=/x, c=d; Domain=e", "e", "/x, c=d", "", ""},
		{"quotes shield nothing", `sessionid="x; Domain=example.com; y"`, "example.com", "", "", ""},
		{"quotes around a value are a part of it", `a=b; Domain="example.com"`, `"example.com"`, "", "", ""},
		{"the last counts", "a=b; Domain=one; Path=/1; Domain=two; Path=/2; Max-Age=1; Max-Age=2; Expires=x; Expires=y", "two", "/2", "2", "y"},
		{"the last counts though it is not valid", "a=b; Max-Age=3600; Max-Age=abc; Path=/; Path=nowhere", "", "nowhere", "abc", ""},
		{"the last counts though its case is another", "a=b; Max-Age=1; MAX-AGE=2", "", "", "2", ""},
		{"1024 bytes are taken", "a=b; Domain=" + full + "; Path=/" + full[1:], full, "/" + full[1:], "", ""},
		{"1025 bytes count as if the attribute were not there", "a=b; Domain=" + over + "; Path=/" + full + "; Max-Age=" + over + "; Expires=" + over, "", "", "", ""},
		{"a value too long leaves the one before in force", "a=b; Domain=example.com; Domain=" + over, "example.com", "", "", ""},
		{"blanks around a value do not count for its length", "a=b; Domain=  " + full + "\t", full, "", "", ""},
		{"one without a value is empty", "a=b; Domain; Path=", "", "", "", ""},
		{"empty ones and unknown ones are passed over", "a=b;;; ;Secure;HttpOnly;=x;Priority=High;Path=/", "", "/", "", ""},
		{"those of the pair do not count", "Domain=example.com", "", "", "", ""},
		{"a name has to be whole", "a=b; Domains=x; Pat=/; Max_Age=1; Expire=y", "", "", "", ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			line, ok := readSetCookie(c.line)
			if !ok {
				t.Fatalf("%q was not read", c.line)
			}
			a := line.readAttributes()
			if a.domain != c.domain || a.path != c.path || a.maxAge != c.maxAge || a.expires != c.expires {
				t.Errorf("%q was read as %q, %q, %q, %q", c.line, a.domain, a.path, a.maxAge, a.expires)
			}
		})
	}
}

func TestPairsOfMoreThan4096BytesAreNotStored(t *testing.T) {
	for _, c := range []struct {
		what string
		line string
		want bool
	}{
		{"4096 bytes of value and name", "a=" + strings.Repeat("x", 4095), true},
		{"4097 bytes of value and name", "a=" + strings.Repeat("x", 4096), false},
		{"4096 bytes of name", strings.Repeat("x", 4096) + "=", true},
		{"4097 bytes of name", strings.Repeat("x", 4097) + "=", false},
		{"blanks around them do not count", "  " + strings.Repeat("x", 4096) + "  =  ", true},
		{"attributes do not count", "a=b; Path=/" + strings.Repeat("x", 5000), true},
	} {
		t.Run(c.what, func(t *testing.T) {
			line, ok := readSetCookie(c.line)
			if got := line.storable(); !ok || got != c.want {
				t.Errorf("storable is %t, read is %t", got, ok)
			}
		})
	}
}

func TestATabInsideAPairIsNotStoredByEveryBrowser(t *testing.T) {
	for line, want := range map[string]bool{
		"a\tb=c":             false,
		"a=b\tc":             false,
		"\ta\t=\tb\t":        true, // trimmed
		"a=b; Path=/\tx; \t": true, // not in the pair
	} {
		c, ok := readSetCookie(line)
		if got := c.storable(); !ok || got != want {
			t.Errorf("%q: storable is %t, read is %t", line, got, ok)
		}
	}
}
