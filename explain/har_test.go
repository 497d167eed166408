package explain_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/explain"
)

var update = flag.Bool("update", false, "write what is seen into the golden files")

var replayed = policy.Policy{
	Name: "city", Presets: []policy.Preset{{Name: "opendatasoft"}, {Name: "matomo"}},
}

// Each recording of package har's tests, replayed: what people see.
func TestReplay(t *testing.T) {
	files, err := filepath.Glob("../har/testdata/*.har")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range append(files, "testdata/visit.har") {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		recording, err := explain.Replay(f, replayed, nil, func(e *explain.Exchange) error {
			if _, err := json.Marshal(e); err != nil {
				t.Error(err)
			}
			return explain.PrintExchange(&got, e)
		})
		f.Close()
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if err := explain.PrintRecording(&got, recording); err != nil {
			t.Fatal(err)
		}
		text := digests.ReplaceAllString(got.String(), "digest ########") // texts of presets are in it
		golden := "testdata/" + strings.TrimSuffix(filepath.Base(file), ".har") + ".txt"
		if *update {
			if err := os.WriteFile(golden, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if text != string(want) {
			t.Errorf("%s: got\n%s\nwant\n%s", file, text, want)
		}
	}
}

var digests = regexp.MustCompile(`digest [0-9a-f]{8}`)

// The hosts choose the requests: exact names and those one label below a wildcard, without ports.
func TestReplayHosts(t *testing.T) {
	b, err := os.ReadFile("testdata/visit.har")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		hosts []string
		want  int
	}{
		{nil, 4}, {[]string{"DATA.example.org"}, 4}, {[]string{"data.example.org:443"}, 4},
		{[]string{"*.example.org"}, 4}, {[]string{"*.org"}, 0}, {[]string{"example.org"}, 0},
		{[]string{"stats.example.net", "data.example.org"}, 5},
	} {
		r, err := explain.Replay(bytes.NewReader(b), replayed, c.hosts, func(*explain.Exchange) error { return nil })
		if err != nil || r.Requests != c.want {
			t.Errorf("%q: %d requests, %v, want %d", c.hosts, r.Requests, err, c.want)
		}
		if isWarned := strings.Contains(strings.Join(r.Warnings, " "), "--host"); isWarned != (c.want == 0) {
			t.Errorf("%q: warnings %q", c.hosts, r.Warnings)
		}
	}
}

// Neither a value of a cookie nor a query is in anything that a replay shows.
func TestReplayValues(t *testing.T) {
	b, err := os.ReadFile("testdata/visit.har")
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	r, err := explain.Replay(bytes.NewReader(b), replayed, nil, func(e *explain.Exchange) error {
		return json.NewEncoder(&got).Encode(e)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewEncoder(&got).Encode(r); err != nil {
		t.Fatal(err)
	}
	if err := json.NewEncoder(&got).Encode(r.Inventory); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), "S3CR3T") || strings.Contains(got.String(), "S3CR3T") {
		t.Errorf("a value is shown: %s", got.String())
	}
}

// A URL is read as browsers write it, and shown without what can identify somebody.
func TestReplayURLs(t *testing.T) {
	for _, c := range []struct{ url, want string }{
		{"https://data.example.org/a%20b", "https://data.example.org/a%20b"},
		{"https://data.example.org/100%", "https://data.example.org/100%25"},
		{"https://data.example.org/%%zz%4", "https://data.example.org/%25%25zz%254"},
		{"https://data.example.org/a;jsessionid=S3CR3T/b;x?y#z", "https://data.example.org/a/b"},
		{"https://joe:S3CR3T@data.example.org", "https://data.example.org/"},
		{"wss://data.example.org:8443/socket", "wss://data.example.org:8443/socket"},
		{"data:text/plain,S3CR3T", ""},
		{"https://", ""},
	} {
		file := fmt.Sprintf(`{"log":{"entries":[{"request":{"url":%q},"response":{}}]}}`, c.url)
		got := ""
		r, err := explain.Replay(strings.NewReader(file), replayed, nil, func(e *explain.Exchange) error {
			got = e.URL
			return nil
		})
		if err != nil || got != c.want {
			t.Errorf("%s: got %q, %v, want %q", c.url, got, err, c.want)
		}
		if b, err := json.Marshal(r); err != nil || strings.Contains(string(b), "S3CR3T") {
			t.Errorf("%s: %s, %v", c.url, b, err)
		}
	}
}

// The summary is bounded, whatever a file has.
func TestReplayManyNames(t *testing.T) {
	var cookies strings.Builder
	const names = 25_000
	for i := range names {
		fmt.Fprintf(&cookies, "n%d=1; ", i)
	}
	entry := fmt.Sprintf(`{"request":{"url":"https://data.example.org/","headers":[{"name":"Cookie","value":%q}]},`+
		`"response":{}}`, cookies.String())
	verdicts := 0
	r, err := explain.Replay(strings.NewReader(`{"log":{"entries":[`+entry+","+entry+`]}}`), replayed, nil,
		func(e *explain.Exchange) error {
			verdicts += len(e.Explanation.Verdicts)
			return nil
		})
	if err != nil {
		t.Fatal(err)
	}
	counted := 0
	for _, c := range r.Cookies {
		counted += c.Count
	}
	warning := "the summary has room for 10000 cookies, and lacks 30000 verdicts on others"
	if verdicts != 2*names || counted != 20_000 || len(r.Cookies) != 10_000 || len(r.Unlisted) != 10_000 ||
		r.Pages[0].Stripped != 2*names || !slices.Contains(r.Warnings, warning) {
		t.Errorf("verdicts: %d, counted: %d of %d, unlisted: %d, %+v, %q",
			verdicts, counted, len(r.Cookies), len(r.Unlisted), r.Pages, r.Warnings)
	}
}

func TestReplayErrors(t *testing.T) {
	_, err := explain.Replay(strings.NewReader("{}"), replayed, nil, nil)
	if err == nil {
		t.Error("no HAR file, and no error")
	}
	if _, err := explain.Replay(strings.NewReader("{}"), policy.Policy{}, nil, nil); err == nil {
		t.Error("no rule, and no error")
	}
}
