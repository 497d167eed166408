package enforcer

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The tables in testdata hold what Chromium stores and sends; the end-to-end tests record them. In their strings each character stands for one
// byte. What is not read here is for those tests alone.

type setCookieVector struct {
	ID      string
	Note    string
	Headers []string
	Before  []string
	Lines   []string
	Kept    []bool
	Stored  []storedCookie
}

type cookieVector struct {
	ID     string
	Note   string
	Jar    []storedCookie
	Sent   []string
	Policy []string
}

type storedCookie struct{ Name, Value, Domain, Path string }

func published(tb testing.TB) *Enforcer {
	return compiled(tb, Policy{Presets: []Preset{{Name: "opendatasoft"}}})
}

func isPublished(name string) bool {
	return slices.Contains([]string{"sessionid", "csrftoken", "django_language", "cookies_preferences"}, name)
}

func TestWhatChromiumStoresUnderOtherNamesIsNotLetThrough(t *testing.T) {
	e := published(t)
	vectors := readVectors[setCookieVector](t, "setcookie.jsonl")
	if len(vectors) < 300 {
		t.Errorf("%d vectors are not the table", len(vectors))
	}
	for _, v := range vectors {
		t.Run(v.ID, func(t *testing.T) {
			header := http.Header{}
			for _, line := range v.Headers {
				name, value, _ := strings.Cut(line, ": ")
				header.Add(name, rawBytes(value))
			}
			var want []string
			for i, line := range v.Lines {
				if line = rawBytes(line); v.Kept[i] {
					want = append(want, line)
				}
				header["Set-Cookie"] = append(header["Set-Cookie"], line)
			}
			filterResponse(e, nil, header)
			if got := header["Set-Cookie"]; !slices.Equal(got, want) {
				t.Errorf("%s: let through are %q, want %q", v.Note, got, want)
			}
			if len(v.Lines) == 1 && v.Before == nil && len(v.Stored) == 1 {
				v.compare(t)
			}
		})
	}
}

// compare holds what was read of a line against the one cookie that Chromium made of it.
func (v *setCookieVector) compare(t *testing.T) {
	stored := v.Stored[0]
	if v.Kept[0] != isPublished(rawBytes(stored.Name)) {
		t.Errorf("%s: let through is %t, and Chromium stores it under %q", v.Note, v.Kept[0], stored.Name)
	}
	c, ok := readSetCookie(rawBytes(v.Lines[0]))
	if !ok {
		if stored.Name != "" {
			t.Errorf("%s: not read, and Chromium stores it under %q", v.Note, stored.Name)
		}
		return
	}
	if c.name != rawBytes(stored.Name) || c.value != rawBytes(stored.Value) || !c.storable() {
		t.Errorf("%s: read as %.99q = %.99q, and Chromium stores %.99q = %.99q", v.Note, c.name, c.value, stored.Name, stored.Value)
	}
	a := c.readAttributes()
	if a.refused {
		t.Errorf("%s: its attributes are taken for such as browsers refuse, and Chromium stores it", v.Note)
	}
	if given := strings.HasPrefix(stored.Domain, "."); given != (a.domain != "") {
		t.Errorf("%s: Domain is read as %q, and Chromium has %q", v.Note, a.domain, stored.Domain)
	}
	if strings.HasPrefix(a.path, "/") && !equalPath(a.path, rawBytes(stored.Path)) || !strings.HasPrefix(a.path, "/") && stored.Path != "/a/"+v.ID {
		t.Errorf("%s: Path is read as %q, and Chromium has %q", v.Note, a.path, stored.Path)
	}
}

// equalPath compares a Path with a stored one, in which the DevTools protocol leaves out what is no UTF-8.
func equalPath(path, stored string) bool { return strings.ToValidUTF8(path, "") == stored }

func TestWhatChromiumSendsIsReadAsItMeansIt(t *testing.T) {
	e := published(t)
	for _, v := range readVectors[cookieVector](t, "cookie.jsonl") {
		t.Run(v.ID, func(t *testing.T) {
			var sent, want []string
			for _, line := range v.Sent {
				sent = append(sent, rawBytes(line))
			}
			for _, line := range v.Policy {
				want = append(want, rawBytes(line))
			}
			var jar, read []storedCookie
			for _, c := range v.Jar {
				jar = append(jar, storedCookie{Name: rawBytes(c.Name), Value: rawBytes(c.Value)})
			}
			for name, value := range cookiePairs(sent) {
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

			request := Request{Header: http.Header{}}
			if sent != nil {
				request.Header["Cookie"] = sent
			}
			visit := e.Visit(request)
			visit.FilterRequest()
			if got := request.Header["Cookie"]; !slices.Equal(got, want) {
				t.Errorf("%s: the portal gets %q, want %q", v.Note, got, want)
			}
		})
	}
}

func readVectors[V any](tb testing.TB, file string) (vectors []V) {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		tb.Fatal(err)
	}
	for n, line := range bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n")) {
		var v V
		if err := json.Unmarshal(line, &v); err != nil {
			tb.Fatalf("%s:%d: %v", file, n+1, err)
		}
		vectors = append(vectors, v)
	}
	return vectors
}

// rawBytes turns characters into the bytes that they stand for.
func rawBytes(s string) string {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		b = append(b, byte(r))
	}
	return string(b)
}
