package har

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func failure(t *testing.T, r io.Reader) string {
	t.Helper()
	summary, err := Read(r, func(*Entry) error {
		t.Error("an entry of a faulty file was visited")
		return nil
	})
	if err == nil || summary != nil {
		t.Fatalf("read without an error: %+v", summary)
	}
	if e := (*Error)(nil); !errors.As(err, &e) {
		t.Errorf("a %T", err)
	}
	return err.Error()
}

// entries is a file with some entries, each with a URL and whatever else.
func entries(members ...string) string {
	for i, more := range members {
		members[i] = `{"request":{"method":"GET","url":"https://a.test/"}` + more + `}`
	}
	return `{"log":{"entries":[` + strings.Join(members, ",") + `]}}`
}

func TestReadFaults(t *testing.T) {
	const begin = `{"log":{"entries":[`
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", "line 1, column 1: expected an object, found the end of the file"},
		{"one byte", "{", "line 1, column 2: expected ',' or '}', found the end of the file"},
		{"white space", " \n ", "line 2, column 2: expected an object, found the end of the file"},
		{"null", "null", "line 1, column 5: expected an object, found null"},
		{"an array", "[]", "line 1, column 1: expected an object, found an array"},
		{"a web page", "<!DOCTYPE html>", "line 1, column 1: expected an object, found something that is not JSON"},
		{"UTF-16", "\xff\xfe{\x00", "line 1, column 1: expected UTF-8, found UTF-16"},
		{"no log", "{\n}", "line 2, column 2: log is missing or null; every HAR file has it"},
		{"log is null", `{"log":null}`, "line 1, column 13: log is missing or null; every HAR file has it"},
		{"log is a string", `{"log":"x"}`, "line 1, column 8, log: expected an object, found a string"},
		{"another case", `{"LOG":{"entries":[]}}`, "line 1, column 23: log is missing or null; every HAR file has it"},
		{"no entries", `{"log":{}}`, "line 1, column 10, log: entries is missing or null; every HAR file has it"},
		{"entries are an object", `{"log":{"entries":{}}}`,
			"line 1, column 19, log.entries: expected an array, found an object"},
		{"an entry is null", begin + `null]}}`, "line 1, column 24, log.entries[0]: the entry is missing or null; every HAR file has it"},
		{"an entry is a number", begin + `1]}}`,
			"line 1, column 20, log.entries[0]: expected an object, found a number"},
		{"no request", begin + `{}]}}`, "line 1, column 22, log.entries[0]: request is missing or null; every HAR file has it"},
		{"no URL", begin + `{"request":{"method":"GET"}}]}}`,
			"line 1, column 47, log.entries[0].request: url is missing or null; every HAR file has it"},
		{"an empty URL", begin + `{"request":{"url":""}}]}}`,
			"line 1, column 41, log.entries[0].request: url is missing or null; every HAR file has it"},
		{"a name is a number", entries("", `,"response":{"headers":[{},{"name":1}]}`),
			"line 1, column 159, log.entries[1].response.headers[1].name: expected a string, found a number"},
		{"a value is true", entries(`,"response":{"cookies":[{"value":true}]}`),
			"line 1, column 104, log.entries[0].response.cookies[0].value: " +
				"expected a string, found true or false"},
		{"secure is a string", entries(`,"response":{"cookies":[{"secure":"no"}]}`),
			"line 1, column 105, log.entries[0].response.cookies[0].secure: " +
				"expected true or false, found a string"},
		{"a status is a string", entries(`,"response":{"status":"200"}`),
			"line 1, column 93, log.entries[0].response.status: expected a whole number, found a string"},
		{"a status is a fraction", entries(`,"response":{"status":200.5}`),
			"line 1, column 98, log.entries[0].response.status: expected a whole number of at most 32 bits"},
		{"a status is huge", entries(`,"response":{"status":1` + strings.Repeat("0", 99) + `}`),
			"line 1, column 193, log.entries[0].response.status: expected a whole number of at most 32 bits"},
		{"a time is no time", entries(`,"startedDateTime":"yesterday"`),
			"line 1, column 101, log.entries[0].startedDateTime: " +
				"expected a time such as 2009-07-24T19:20:30.45+01:00"},
		{"a member is there twice", entries(`,"request":{"url":"https://b.test/"}`),
			"line 1, column 81, log.entries[0]: the member \"request\" is there twice"},
		{"log is there twice", `{"log":{"entries":[]},"\u006cog":{"entries":[]}}`,
			"line 1, column 33: the member \"log\" is there twice"},
		{"something behind the file", `{"log":{"entries":[]}} {}`,
			"line 1, column 24: expected the end of the file, found an object"},
		{"a byte behind the file", `{"log":{"entries":[]}}` + "\x00",
			"line 1, column 23: expected the end of the file, found something that is not JSON"},
		{"a comma too much", `{"log":{"entries":[],}}`,
			"line 1, column 22, log: expected the name of a member, found '}'"},
		{"a comma too much in an array", `{"log":{"pages":[{},],"entries":[]}}`,
			"line 1, column 21, log.pages[1]: expected an object, found ']'"},
		{"no comma", "{\"log\":{\"entries\":[]\n\"x\":1}}",
			"line 2, column 1, log: expected ',' or '}', found a string"},
		{"no colon", `{"log" {}}`, "line 1, column 8: expected ':' after the name of a member"},
		{"a wrong end", `{"log":{"x":[1}}`, "line 1, column 15, log: expected ',' or ']', found '}'"},
		{"a name without quotes", `{log:{}}`,
			"line 1, column 2: expected the name of a member, found something that is not JSON"},
		{"a number with a leading zero", `{"x":01}`, "line 1, column 7: expected ',' or '}', found a number"},
		{"a number without digits", `{"x":-}`, "line 1, column 7: expected a digit"},
		{"a number without a fraction", `{"x":1.}`, "line 1, column 8: expected a digit"},
		{"a number without an exponent", `{"x":1e+}`, "line 1, column 9: expected a digit"},
		{"a word cut short", `{"x":tru}`, "line 1, column 9: expected true"},
		{"a line feed in a string", "{\"x\":\"a\nb\"}",
			"line 1, column 8: a string holds a control character, which has to be written as \\u000a"},
		{"a backslash before anything", `{"x":"\x"}`,
			`line 1, column 8: a string holds a backslash that is not of \" \\ \/ \b \f \n \r \t \u`},
		{"three digits", `{"x":"\u12g4"}`, `line 1, column 11: expected four hexadecimal digits after \u`},
		{"the end in a string", `{"x":"abc`,
			"line 1, column 10: expected the end of a string, found the end of the file"},
		{"the end behind a backslash", `{"x":"\`,
			"line 1, column 8: expected the end of a string, found the end of the file"},
		{"the end in a name", `{"lo`, "line 1, column 5: expected the end of a string, found the end of the file"},
		{"the end in an entry", begin + `{"request":{"url":"x"`,
			"line 1, column 41, log.entries[0].request: expected ',' or '}', found the end of the file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for how, r := range map[string]io.Reader{
				"whole":        strings.NewReader(c.text),
				"byte by byte": iotest.OneByteReader(strings.NewReader(c.text)),
			} {
				if got := failure(t, r); got != c.want {
					t.Errorf("%s:\n%s\nwant\n%s", how, got, c.want)
				}
			}
		})
	}
}

func TestReadReaderFails(t *testing.T) {
	broken := errors.New("input/output error")
	for _, text := range []string{"", "{", `{"log":`, `{"log":{"entries":[]}}`, `{"x":"abc`, `{"x":12`} {
		_, err := Read(io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken)), nil)
		if !errors.Is(err, broken) || !strings.HasSuffix(err.Error(), ": reading the file: input/output error") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// Whatever is wrong with a file, and wherever, no error shows what it holds.
func TestReadErrorsHoldNoValue(t *testing.T) {
	const marker = "SECRET"
	text := strings.ReplaceAll(`{"*":"*","log":{"creator":{"name":"*"},"pages":[{"id":"*","title":"*"}],
		"entries":[{"pageref":"*","startedDateTime":"2026-05-04T09:00:00Z","_resourceType":"*","*":["*"],
		"request":{"method":"*","url":"*","headers":[{"name":"Cookie*","value":"*"}],
		"cookies":[{"name":"*","value":"*","expires":"*","path":"*"}]},
		"response":{"status":200,"redirectURL":"*","headers":[{"name":"Set-Cookie","value":"*\n*"}]}}]}}`,
		"*", marker)
	if _, _, err := readAll(strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	check := func(text string) {
		_, _, err := readAll(strings.NewReader(text))
		if err == nil {
			return
		}
		for i := 0; i+2 <= len(marker); i++ {
			if strings.Contains(err.Error(), marker[i:i+2]) {
				t.Fatalf("%v\nof\n%s", err, text)
			}
		}
	}
	for i := range len(text) {
		check(text[:i])
		for _, c := range []string{"", `"`, "\x00", "{"} {
			check(text[:i] + c + text[i+1:])
		}
	}
	check(strings.Replace(text, "2026-05-04T09:00:00Z", marker, 1))
}

// repeat reads a text many times over.
type repeat struct {
	text string
	left int // bytes
	at   int
}

func newRepeat(text string, times int) *repeat {
	return &repeat{text: strings.Repeat(text, min(times, 1<<14/len(text)+1)), left: len(text) * times}
}

func (r *repeat) Read(p []byte) (n int, err error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	p = p[:min(len(p), r.left)]
	for n < len(p) {
		k := copy(p[n:], r.text[r.at:])
		n += k
		r.at = (r.at + k) % len(r.text)
	}
	r.left -= n
	return n, nil
}

// between is a reader of a text many times over between two others.
func between(before, text string, times int, after string) io.Reader {
	return io.MultiReader(strings.NewReader(before), newRepeat(text, times), strings.NewReader(after))
}

func TestReadLimits(t *testing.T) {
	const entry = `{"request":{"url":"x"}},`
	t.Run("at the limit", func(t *testing.T) {
		for name, r := range map[string]io.Reader{
			"entries": between(`{"log":{"entries":[`, entry, maxEntries-1, entry[:len(entry)-1]+`]}}`),
			"pages":   between(`{"log":{"pages":[`, `{},`, maxPages-1, `{}],"entries":[]}}`),
			"depth": io.MultiReader(newRepeat(`{"log":`, 1), strings.NewReader(`{"entries":[],"x":`),
				newRepeat("[", maxDepth-2), newRepeat("]", maxDepth-2), strings.NewReader("}}")),
			"text":      between(`{"log":{"entries":[{"request":{"url":"`, "x", maxText, `"}}]}}`),
			"title":     between(`{"log":{"pages":[{"title":"`, "x", 2<<20, `"}],"entries":[]}}`),
			"data URL":  between(`{"log":{"entries":[{"request":{"url":"DATA:`, "x", 2<<20, `"}}]}}`),
			"name":      between(`{"log":{"entries":[],"`, "x", 2<<20, `":1}}`),
			"number":    between(`{"log":{"entries":[],"x":`, "1", 2<<20, `}}`),
			"many keys": between(`{"log":{"entries":[]`, `,"x":1`, 1<<16, `}}`),
		} {
			if _, err := Read(r, func(*Entry) error { return nil }); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	for _, c := range []struct {
		name, want string
		r          io.Reader
	}{
		{"entries", "log.entries[100000]: there are more than 100000 entries: export a part of the recording",
			between(`{"log":{"entries":[`, entry, maxEntries, entry+`]}}`)},
		{"pages", "log.pages[10000]: there are more than 10000 pages",
			between(`{"log":{"pages":[`, `{},`, maxPages, `{}]}}`)},
		{"arrays", "objects and arrays are nested more than 1000 deep", between(`{"x":`, "[", 1<<20, "")},
		{"objects", "objects and arrays are nested more than 1000 deep", between("", `{"x":`, 1<<20, "")},
		{"URL", "log.entries[0].request.url: the URL is longer than 1048576 bytes",
			between(`{"log":{"entries":[{"request":{"url":"`, "x", maxText+1, `"}}]}}`)},
		{"value", "log.entries[0].request.headers[0].value: the string is longer than 1048576 bytes",
			between(`{"log":{"entries":[{"request":{"url":"x","headers":[{"value":"`, "é", maxText, `"}]}}]}}`)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := failure(t, c.r); !strings.HasSuffix(got, c.want) {
				t.Errorf("%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// Everything that is kept counts. The limit is lower here, to be fast.
func TestReadKeptCounts(t *testing.T) {
	const request = `{"log":{"entries":[{"request":{"url":"x",`
	for _, c := range []struct{ name, before, part string }{
		{"entries", `{"log":{"entries":[`, `{"request":{"url":"x"}},`},
		{"pages", `{"log":{"pages":[`, `{},`},
		{"headers", request + `"headers":[`, `{},`},
		{"cookies", request + `"cookies":[`, `{},`},
		{"texts", request + `"headers":[{"value":"`, strings.Repeat("x", 1<<10)},
	} {
		f := newFile(between(c.before, c.part, 1<<9, `"`))
		f.room = 1 << 13
		if err := f.read(); err == nil || !strings.Contains(err.Error(), ": the headers and URLs up to here") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
