package har

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

var update = flag.Bool("update", false, "write what the files of browsers hold to testdata/*.txt")

// describeEntry writes all that an entry holds.
func describeEntry(e *Entry) string {
	var b strings.Builder
	page := "no page"
	if e.Page != nil {
		page = fmt.Sprintf("%s %q %s", e.Page.ID, e.Page.Title, e.Page.URL)
	}
	start := "-"
	if !e.Start.IsZero() {
		start = e.Start.UTC().Format("15:04:05.000")
	}
	fmt.Fprintf(&b, "%d %s %q cache=%t %s\n", e.Index, start, e.ResourceType, e.FromCache, page)
	header := func(h map[string][]string) {
		for _, name := range slices.Sorted(maps.Keys(h)) {
			for _, value := range h[name] {
				fmt.Fprintf(&b, "\t%s: %s\n", name, value)
			}
		}
	}
	r, a := &e.Request, &e.Response
	fmt.Fprintf(&b, "> %s %s %s host=%s %s\n", r.Method, r.URL, r.HTTPVersion, r.Host,
		sources(r.Cookies, r.Redacted))
	header(r.Header)
	fmt.Fprintf(&b, "< %d %s %s %s\n", a.Status, a.HTTPVersion, a.RedirectURL,
		sources(a.Cookies, a.Redacted))
	header(a.Header)
	return b.String()
}

func sources(s Source, redacted bool) string {
	text := [...]string{NoCookies: "none", FromHeader: "header", FromArray: "array"}[s]
	if redacted {
		text += ",redacted"
	}
	return text
}

// readAll reads a file and writes its entries.
func readAll(r io.Reader) (string, *Summary, error) {
	var b strings.Builder
	summary, err := Read(r, func(e *Entry) error {
		b.WriteString(describeEntry(e))
		return nil
	})
	return b.String(), summary, err
}

func TestReadBrowsers(t *testing.T) {
	for _, c := range []struct {
		file      string
		creator   string
		requests  Count
		responses Count
		warnings  []string // the start of each
	}{{
		file: "chromium", creator: "WebInspector 537.36",
		requests: Count{FromHeader: 1}, responses: Count{FromHeader: 1},
	}, {
		file: "chromium_sanitized", creator: "WebInspector 537.36",
		warnings: []string{"no request and no response has a cookie"},
	}, {
		file: "firefox", creator: "Firefox 140.4.0",
		requests: Count{FromHeader: 1, FromArray: 1}, responses: Count{FromHeader: 1, FromArray: 1},
		warnings: []string{"the cookies of 1 requests and 1 responses are known from the parsed arrays"},
	}, {
		file: "safari", creator: "WebKit Web Inspector 1.0", responses: Count{FromHeader: 1},
		warnings: []string{"responses set cookies, but no request has one"},
	}} {
		t.Run(c.file, func(t *testing.T) {
			content, err := os.ReadFile(filepath.Join("testdata", c.file+".har"))
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", c.file+".txt")
			if *update {
				text, _, _ := readAll(bytes.NewReader(content))
				if err := os.WriteFile(golden, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			for how, r := range map[string]io.Reader{
				"whole":        bytes.NewReader(content),
				"byte by byte": iotest.OneByteReader(bytes.NewReader(content)),
				"with the end": iotest.DataErrReader(bytes.NewReader(content)),
				"with a BOM":   strings.NewReader("\ufeff" + string(content)),
				"with CR LF":   strings.NewReader(strings.ReplaceAll(string(content), "\n", "\r\n")),
			} {
				got, s, err := readAll(r)
				if err != nil {
					t.Fatalf("%s: %v", how, err)
				}
				if got != string(want) {
					t.Errorf("%s:\n%s\nwant\n%s", how, got, want)
				}
				if creator := s.Creator + " " + s.CreatorVersion; creator != c.creator {
					t.Errorf("%s: creator %q", how, creator)
				}
				if s.Requests != c.requests || s.Responses != c.responses {
					t.Errorf("%s: %+v", how, s)
				}
				if !slices.EqualFunc(s.Warnings(), c.warnings, strings.HasPrefix) {
					t.Errorf("%s: warnings %q", how, s.Warnings())
				}
			}
		})
	}
}

// one is a file with one entry whose request or response has some members.
func one(request, response string) string {
	return `{"log":{"entries":[{"request":{"method":"GET","url":"https://a.test/x"` + request +
		`},"response":{"status":200` + response + `}}]}}`
}

func TestReadCookies(t *testing.T) {
	const request, response = true, false
	for _, c := range []struct {
		name    string
		of      bool
		members string
		want    []string
		source  string
	}{
		{"nothing is known", request, ``, nil, "none"},
		{"null", response, `"headers":null,"cookies":null`, nil, "none"},
		{"lower case", request, `"headers":[{"name":"cookie","value":"a=1"}]`, []string{"a=1"}, "header"},
		{"two Cookie headers", request,
			`"headers":[{"name":"cookie","value":"a=1"},{"name":"cookie","value":"b=2"}]`,
			[]string{"a=1", "b=2"}, "header"},
		{"the array before the header", request,
			`"cookies":[{"name":"b","value":"2"}],"headers":[{"name":"Cookie","value":"a=1"}]`,
			[]string{"a=1"}, "header"},
		{"joined with newlines", response,
			`"headers":[{"name":"SET-COOKIE","value":"a=1; Path=/\nb=2\r\nc\n"}]`,
			[]string{"a=1; Path=/", "b=2", "c"}, "header"},
		{"a comma where no Safari wrote it", response,
			`"headers":[{"name":"Set-Cookie","value":"a=1, b=2"}]`, []string{"a=1, b=2"}, "header"},
		{"all attributes", response, `"cookies":[{"name":"a","value":"1","path":"/x","domain":".a.test",
			"expires":"2027-05-03T11:00:00.500+02:00","httpOnly":true,"secure":true,"sameSite":"None",
			"partitionKey":{"topLevelSite":"https://a.test"},"comment":""}]`,
			[]string{"a=1; Domain=.a.test; Path=/x; Expires=Mon, 03 May 2027 09:00:00 GMT; Secure; " +
				"HttpOnly; SameSite=None; Partitioned"}, "array"},
		{"Chromium's Domain of a host-only cookie", response,
			`"cookies":[{"name":"a","value":"1","path":"/","domain":"a.test","expires":null}]`,
			[]string{"a=1; Path=/"}, "array"},
		{"an Expires that is no ISO date", response,
			`"cookies":[{"name":"a","value":"1","expires":"Thu, 01 Jan 1970 00:00:00 GMT"}]`,
			[]string{"a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT"}, "array"},
		{"characters that would end a part of the line", response,
			`"cookies":[{"name":"a=b;","value":"1; Domain=x\r\nc\u0000","path":"/;Secure"}]`,
			[]string{"a%3Db%3B=1%3B Domain=x%0D%0Ac%00; Path=/%3BSecure"}, "array"},
		{"no name", request, `"cookies":[{"value":"1"},{"name":"b","value":"2"}]`,
			[]string{"=1; b=2"}, "array"},
		{"a header that was replaced", request, `"headers":[{"name":"Cookie","value":"[redacted]"}]`,
			nil, "none,redacted"},
		{"an empty header", request, `"headers":[{"name":"Cookie","value":""}]`, nil, "none,redacted"},
		{"a header that was replaced, and the array", request,
			`"headers":[{"name":"Cookie","value":"***"}],"cookies":[{"name":"a","value":"[a redacted]"}]`,
			[]string{"a=[a redacted]"}, "array,redacted"},
		{"a value that was replaced", response,
			`"headers":[{"name":"Set-Cookie","value":"a=<redacted>; Path=/"}]`,
			[]string{"a=<redacted>; Path=/"}, "header,redacted"},
		{"a line that was replaced among others", response,
			`"headers":[{"name":"Set-Cookie","value":"__REMOVED__"},{"name":"Set-Cookie","value":"a=1"}]`,
			[]string{"a=1"}, "header,redacted"},
		{"values that only look a little like it", request,
			`"headers":[{"name":"Cookie","value":"a=removed; b=**; c=; d=[1]; e=predacted"}]`,
			[]string{"a=removed; b=**; c=; d=[1]; e=predacted"}, "header"},
		{"escapes", request, `"\u0068eaders":[{"name":"\u0043ookie","value":"a=\"\\\/\ud83d\ude00\ud800\""}]`,
			[]string{"a=\"\\/\U0001f600\ufffd\""}, "header"},
		{"what is not UTF-8", request, "\"headers\":[{\"name\":\"Cookie\",\"value\":\"a=\xff\xc3(\"}]",
			[]string{"a=\ufffd\ufffd("}, "header"},
		{"names that no header has", request, `"headers":[{"name":":path","value":"/"},
			{"name":"a b","value":"1"},{"name":"","value":"1"},{"value":"1"},null]`, nil, "none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			members := c.members
			if members != "" {
				members = "," + members
			}
			text, name := one(members, ""), "Cookie"
			if c.of == response {
				text, name = one("", members), "Set-Cookie"
			}
			summary, err := Read(strings.NewReader(text), func(e *Entry) error {
				h, source := e.Request.Header, sources(e.Request.Cookies, e.Request.Redacted)
				if c.of == response {
					h, source = e.Response.Header, sources(e.Response.Cookies, e.Response.Redacted)
				}
				if got := h.Values(name); !slices.Equal(got, c.want) || source != c.source {
					t.Errorf("%q from %s, want %q from %s", got, source, c.want, c.source)
				}
				delete(h, name)
				if len(h) > 0 {
					t.Errorf("other headers: %v", h)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if summary.Redacted() != strings.Contains(c.source, "redacted") {
				t.Errorf("%+v", summary)
			}
		})
	}
}

func TestHostOf(t *testing.T) {
	for url, want := range map[string]string{
		"https://a.test/x": "a.test", "https://a.test:8443?x": "a.test", "https://a.test/100%": "a.test",
		"https://[::1]:80/": "::1", "https://a%zz/": "", "a.test/x": "", "": "",
	} {
		if got := hostOf(url); got != want {
			t.Errorf("%s: got %q, want %q", url, got, want)
		}
	}
}

// The commas of Safari.
func TestReadJoined(t *testing.T) {
	for _, c := range []struct {
		value string
		want  []string
	}{
		{"a=1", []string{"a=1"}},
		{"a=1, b=2; Path=/,c=3", []string{"a=1", "b=2; Path=/", "c=3"}},
		{"a=1; Expires=Tue, 03-Oct-2017 04:39:21 GMT, 2b=2",
			[]string{"a=1; Expires=Tue, 03-Oct-2017 04:39:21 GMT", "2b=2"}},
		{"a=1; Expires=Tue, 03 Oct 2017 04:39:21 GMT; Path=/",
			[]string{"a=1; Expires=Tue, 03 Oct 2017 04:39:21 GMT; Path=/"}},
		{"a=x,y,z; Path=/", []string{"a=x,y,z; Path=/"}},
		{`a={"k":1,"l":2}`, []string{`a={"k":1,"l":2}`}},
		{"a=1, ", []string{"a=1,"}},
		{",", []string{","}},
	} {
		if got := splitJoined(c.value); !slices.Equal(got, c.want) {
			t.Errorf("%q: %q", c.value, got)
		}
	}
}

// Entries come in the order of their start; those without one stay behind the one before them. Pages
// and the creator may stand behind the entries.
func TestReadOrder(t *testing.T) {
	entry := func(url, start, page string) string {
		return fmt.Sprintf(`{"request":{"url":"https://a.test/%s"},"startedDateTime":%s,"pageref":"%s"}`,
			url, start, page)
	}
	text := `{"other":[1],"log":{"entries":[` + strings.Join([]string{
		entry("4", `"2026-05-04T11:00:00+02:00"`, "p2"),
		entry("5", `""`, "p2"),
		entry("1", `"2026-05-04T08:59:59.999Z"`, "p1"),
		entry("2", `null`, "nowhere"),
		entry("3", `"2026-05-04T10:00:00.000+0100"`, "p1"),
		entry("6", `"2026-05-04T09:00:00Z"`, "p2"),
	}, ",") + `],"pages":[{"id":"p1","title":"One"},{"id":"p2","title":"` + strings.Repeat("é", 600) +
		`"},{"id":"p1","title":"again"}],"creator":{"name":"x"}}}`
	var got []string
	summary, err := Read(strings.NewReader(text), func(e *Entry) error {
		page := "none"
		if e.Page != nil {
			page = e.Page.ID + " " + e.Page.URL
		}
		got = append(got, strings.TrimPrefix(e.Request.URL, "https://a.test/")+" "+page)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"1 p1 https://a.test/1", "2 none", "4 p2 https://a.test/4", "5 p2 https://a.test/4",
		"3 p1 https://a.test/1", "6 p2 https://a.test/4"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if len(summary.Pages) != 3 || summary.Entries != 6 || summary.Creator != "x" {
		t.Errorf("%+v", summary)
	}
	if title := summary.Pages[1].Title; title != strings.Repeat("é", maxTitle/2) {
		t.Errorf("the title has %d bytes", len(title))
	}
}

// Chromium writes a character for each byte, except in the array of a request, and only Chromium.
func TestReadBytes(t *testing.T) {
	header := func(name, value string) string {
		return fmt.Sprintf(`,"headers":[{"name":"%s","value":"a=%s"}]`, name, value)
	}
	array := func(value string) string {
		return fmt.Sprintf(`,"cookies":[{"name":"a","value":"%s"}]`, value)
	}
	const two, large = "\u00c3\u00a9", "\u00c3\u0100"
	for _, c := range []struct{ creator, request, response, cookie, line string }{
		{chromium, header("cookie", two), header("set-cookie", two), "a=\xc3\xa9", "a=\xc3\xa9"},
		{chromium, array("\u00e9"), array(two), "a=\u00e9", "a=\xc3\xa9"},
		{chromium, header("cookie", large), array(large), "a=" + large, "a=" + large},
		{"Firefox", header("cookie", two), array(two), "a=" + two, "a=" + two},
	} {
		text := strings.Replace(one(c.request, c.response), `"entries"`,
			`"creator":{"name":"`+c.creator+`"},"entries"`, 1)
		_, err := Read(strings.NewReader(text), func(e *Entry) error {
			cookie, line := e.Request.Header.Get("Cookie"), e.Response.Header.Get("Set-Cookie")
			if cookie != c.cookie || line != c.line {
				t.Errorf("%s: %q and %q, want %q and %q", text, cookie, line, c.cookie, c.line)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func TestReadVisitError(t *testing.T) {
	stop := errors.New("stop")
	visits := 0
	_, err := Read(strings.NewReader(`{"log":{"entries":[{"request":{"url":"x"}},{"request":{"url":"y"}}]}}`),
		func(*Entry) error { visits++; return stop })
	if err != stop || visits != 1 {
		t.Errorf("%d visits, %v", visits, err)
	}
}
