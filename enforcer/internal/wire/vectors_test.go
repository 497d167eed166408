package wire

import (
	"cmp"
	"slices"
	"strings"
	"testing"
)

// The tables setcookie.jsonl and cookie.jsonl in testdata hold what Chromium stores and sends; the
// end-to-end tests record them. In their strings each character stands for one byte. Fields that are
// not read here are for those tests only.

type setCookieVector struct {
	ID      string
	Note    string
	Headers []string // Date lines
	Before  []string
	Lines   []string
	Kept    []bool // by a policy that lists four names
	Stored  []storedCookie
}

type cookieVector struct {
	ID     string
	Note   string
	Jar    []storedCookie
	Sent   []string
	Policy []string // what such a policy keeps of them
}

type storedCookie struct{ Name, Value, Domain, Path string }

func isListed(name string) bool {
	return slices.Contains([]string{"sessionid", "csrftoken", "django_language", "cookies_preferences"}, name)
}

// TestChromiumStores holds what is read in a line against what Chromium stores.
func TestChromiumStores(t *testing.T) {
	vectors := readVectors[setCookieVector](t, "setcookie.jsonl")
	if len(vectors) < 300 {
		t.Errorf("%d vectors are not the table", len(vectors))
	}
	for _, v := range vectors {
		t.Run(v.ID, func(t *testing.T) {
			var dates []string
			for _, header := range v.Headers {
				date, ok := strings.CutPrefix(header, "Date: ")
				if !ok {
					t.Fatalf("%q is no Date", header)
				}
				dates = append(dates, rawBytes(date))
			}
			for i, line := range rawLines(v.Lines) {
				c, ok := ParseSetCookie(line)
				listed := ok && !HasControl(line) && isListed(c.Name)
				if got := listed || isDeletion(line, clockAtNoon(dates...)); got != v.Kept[i] {
					t.Errorf("%s: %q is listed or a deletion: %t", v.Note, line, got)
				}
			}
			if len(v.Lines) == 1 && v.Before == nil && len(v.Stored) == 1 {
				v.compare(t)
			}
		})
	}
}

// compare holds what was read in a line against the one cookie that Chromium made of it.
func (v *setCookieVector) compare(t *testing.T) {
	stored := v.Stored[0]
	name, value := rawBytes(stored.Name), rawBytes(stored.Value)
	if v.Kept[0] != isListed(name) {
		t.Errorf("%s: kept is %t, and Chromium stores %q", v.Note, v.Kept[0], name)
	}
	c, ok := ParseSetCookie(rawBytes(v.Lines[0]))
	if !ok {
		if name != "" {
			t.Errorf("%s: not read, and Chromium stores %q", v.Note, name)
		}
		return
	}
	if c.Name != name || c.Value != value || !c.Storable() {
		t.Errorf("%s: read as %.99q = %.99q, and Chromium stores %.99q = %.99q",
			v.Note, c.Name, c.Value, name, value)
	}
	a := c.ParseAttributes()
	if a.Rejected {
		t.Errorf("%s: Rejected is true, and Chromium stores the cookie", v.Note)
	}
	if given := strings.HasPrefix(stored.Domain, "."); given != (a.Domain != "") {
		t.Errorf("%s: Domain is read as %q, and Chromium has %q", v.Note, a.Domain, stored.Domain)
	}
	path := "/a/" + v.ID // the default
	if strings.HasPrefix(a.Path, "/") {
		path = strings.ToValidUTF8(a.Path, "") // DevTools leaves out the rest
	}
	if path != rawBytes(stored.Path) {
		t.Errorf("%s: Path is read as %q, and Chromium has %q", v.Note, a.Path, stored.Path)
	}
}

// TestChromiumSends holds what is read in a Cookie header against the cookies that Chromium has.
func TestChromiumSends(t *testing.T) {
	vectors := readVectors[cookieVector](t, "cookie.jsonl")
	if len(vectors) < 30 {
		t.Errorf("%d vectors are not the table", len(vectors))
	}
	for _, v := range vectors {
		t.Run(v.ID, func(t *testing.T) {
			sent := rawLines(v.Sent)
			var jar, read []storedCookie
			for _, c := range v.Jar {
				jar = append(jar, storedCookie{Name: rawBytes(c.Name), Value: rawBytes(c.Value)})
			}
			for name, value := range Pairs(sent) {
				read = append(read, storedCookie{Name: name, Value: value})
			}
			for _, cookies := range [][]storedCookie{jar, read} {
				slices.SortFunc(cookies, func(a, b storedCookie) int {
					return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Value, b.Value))
				})
			}
			if !slices.Equal(read, jar) {
				t.Errorf("%s: %q was read as %q, and Chromium has %q", v.Note, sent, read, jar)
			}
			if got, want := filterLines(sent, isListed), rawLines(v.Policy); !slices.Equal(got, want) {
				t.Errorf("%s: kept are %q, want %q", v.Note, got, want)
			}
		})
	}
}

// linesSeen returns the Set-Cookie lines of the table.
func linesSeen(tb testing.TB) (lines []string) {
	tb.Helper()
	for _, v := range readVectors[setCookieVector](tb, "setcookie.jsonl") {
		lines = append(lines, rawLines(v.Lines)...)
	}
	if len(lines) < 300 {
		tb.Fatalf("%d lines are not the table", len(lines))
	}
	return lines
}

// TestEditorKeepsLines: a line with which nothing is done stays as it is, whatever it looks like.
func TestEditorKeepsLines(t *testing.T) {
	for _, line := range linesSeen(t) {
		c, ok := ParseSetCookie(line)
		if !ok {
			continue
		}
		if got := NewEditor(line, &c).String(); got != line {
			t.Errorf("%q became %q", line, got)
		}
		lower := strings.ToLower(line)
		if strings.Contains(lower, "max-age") || strings.Contains(lower, "expires") {
			continue
		}
		if got := edited(t, line, limitToAnHour()); got != line {
			t.Errorf("%q, a session cookie, became %q", line, got)
		}
	}
}
