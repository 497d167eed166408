package wire

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTrim(t *testing.T) {
	for s, want := range map[string]string{
		"": "", " ": "", " \t \t": "", "a": "a", "\t a b\t": "a b", "a ": "a", " a": "a",
		"\u00a0a\u0085": "\u00a0a\u0085", "\na\r": "\na\r", "\xa0": "\xa0",
	} {
		if got := Trim(s); got != want {
			t.Errorf("Trim(%q) = %q, want %q", s, got, want)
		}
	}
}

// TestHasControl puts every byte at every place of strings of every length up to three blocks.
func TestHasControl(t *testing.T) {
	for _, filler := range []byte{' ', 'a', '~', '\t', 0x80, 0x9f, 0xff} {
		buffer := []byte(strings.Repeat(string([]byte{filler}), 100))
		for length := range len(buffer) + 1 {
			if HasControl(string(buffer[:length])) {
				t.Fatalf("%d bytes %#x have a control character", length, filler)
			}
		}
		for at := range buffer {
			for b := range 256 {
				buffer[at] = byte(b)
				want := b < ' ' && b != '\t' || b == 0x7f
				for _, end := range []int{at + 1, min(at+8, len(buffer)), len(buffer)} {
					if got := HasControl(string(buffer[:end])); got != want {
						t.Fatalf("byte %#x at %d of %d bytes %#x: HasControl is %t", b, at, end, filler, got)
					}
				}
			}
			buffer[at] = filler
		}
	}
}

// TestHasControlInLines puts every byte into each part of a line.
func TestHasControlInLines(t *testing.T) {
	for b := range 256 {
		control := b < ' ' && b != '\t' || b == 0x7f
		c := string([]byte{byte(b)})
		for _, line := range []string{
			"sess" + c + "ion=x", "a=x" + c + "y", "a=x; Path=/" + c, "a=x; " + c + "; Secure",
			"other=" + c + "; Max-Age=0",
		} {
			if HasControl(line) != control {
				t.Errorf("%q: HasControl is %t", line, !control)
			}
		}
	}
}

func TestEqualFold(t *testing.T) {
	for _, c := range []struct {
		s, lower string
		want     bool
	}{
		{"", "", true},
		{"secure", "secure", true},
		{"SECURE", "secure", true},
		{"sEcUrE", "secure", true},
		{"max-age", "max-age", true},
		{"MAX-AGE", "max-age", true},
		{"secur", "secure", false},
		{"secures", "secure", false},
		{"", "a", false},
		{"max\x0dage", "max-age", false}, // the hyphen without a bit
		{"@", "`", false},
		{"[", "{", false},
		{"\u017fecure", "\u017fecure", true},
		{"\u017fecure", "secure", false},    // the long s
		{"\u212aey", "key", false},          // the Kelvin sign
		{"\xe9", "\xc9", false},             // Latin-1 letters
		{"httponl\xd9", "httponly", false},  // Y with the high bit
		{"Domain\x00", "domain", false},     // a longer word
		{"do\xffmain", "do\xffmain", true},  // any bytes
		{"DO\xffMAIN", "do\xffmain", true},  // any bytes, in upper case
		{"do\xdfmain", "do\xffmain", false}, // no letters of ASCII
	} {
		if got := EqualFold(c.s, c.lower); got != c.want {
			t.Errorf("EqualFold(%q, %q) = %t", c.s, c.lower, got)
		}
	}
}

func TestHasPrefixFold(t *testing.T) {
	for _, c := range []struct {
		s, lower string
		want     bool
	}{
		{"", "", true}, {"a", "", true}, {"", "a", false}, {"__Host-a", "__host-", true},
		{"__HOST-", "__host-", true}, {"__Host", "__host-", false}, {"x__host-", "__host-", false},
		{"__hos\u212a", "__hosk", false},
	} {
		if got := HasPrefixFold(c.s, c.lower); got != c.want {
			t.Errorf("HasPrefixFold(%q, %q) = %t", c.s, c.lower, got)
		}
	}
}

func TestShorten(t *testing.T) {
	x := strings.Repeat
	for _, c := range []struct{ what, s, want string }{
		{"nothing", "", ""},
		{"100 bytes", x("x", 100), x("x", 100)},
		{"101 bytes", x("x", 101), x("x", 100)},
		{"a character of two bytes ends at 100", x("x", 98) + "éé", x("x", 98) + "é"},
		{"a character of two bytes ends at 101", x("x", 99) + "é", x("x", 99)},
		{"a character of three bytes ends at 101", x("x", 98) + "日", x("x", 98)},
		{"a character of three bytes ends at 102", x("x", 99) + "日", x("x", 99)},
		{"a character of four bytes ends at 101", x("x", 97) + "🍪", x("x", 97)},
		{"a character of four bytes ends at 102", x("x", 98) + "🍪", x("x", 98)},
		{"a character of four bytes ends at 103", x("x", 99) + "🍪", x("x", 99)},
		{"bytes that are not UTF-8", x("\x80", 200), x("\x80", 100)},
	} {
		t.Run(c.what, func(t *testing.T) {
			if got := Shorten(c.s); got != c.want {
				t.Errorf("Shorten(%q) = %q, want %q", c.s, got, c.want)
			}
		})
	}
}

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"":                          "",
		"sessionid":                 "sessionid",
		`a"b\c`:                     `a"b\c`,
		"é\u00a0日":                  "é\u00a0日",
		"<script>":                  "<script>",
		"a\x1b[31mb":                `a\x1b[31mb`,
		"a\u009b31mb":               `a\u009b31mb`,
		"a\x7fb":                    `a\x7fb`,
		"a\r\nb\tc":                 `a\r\nb\tc`,
		"a\u202eb":                  `a\u202eb`,
		"a\u2028b\ufeffc":           `a\u2028b\ufeffc`,
		"a\xff\xfeb":                `a\xff\xfeb`,
		"a\ufffdb":                  "a\ufffdb",
		"\x00" + `"\`:               `\x00"\`,
		strings.Repeat("x", 10_000): strings.Repeat("x", 100),
		strings.Repeat("x", 1000):   strings.Repeat("x", 1000),
	} {
		if got := Printable(text); got != want {
			t.Errorf("Printable(%q) = %q, want %q", text, got, want)
		}
	}
}

// FuzzPrintable: what is shown has no control characters, is UTF-8 and is bounded.
func FuzzPrintable(f *testing.F) {
	for _, text := range []string{"a\x1b[31mb\u202e", "\xff\"\\\u009b", strings.Repeat("é", 501)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := Printable(text)
		if HasControl(got) || strings.ContainsAny(got, "\t\u009b\u202e\u2066") || !utf8.ValidString(got) {
			t.Errorf("Printable(%q) = %q", text, got)
		}
		if len(got) > 10*MaxWord*len(`\U0010ffff`) {
			t.Errorf("%d bytes are shown in %d", len(text), len(got))
		}
	})
}
