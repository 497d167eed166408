package audit

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/audit/cdp"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
)

func TestPartyOf(t *testing.T) {
	for _, c := range []struct{ host, top, want string }{
		{"data.city.example", "data.city.example", partyHost},
		{".data.city.example", "data.city.example", partyHost},
		{"DATA.city.example", "data.city.example", partyHost},
		{"www.city.example", "data.city.example", partySite},
		{".city.example", "data.city.example", partySite},
		{"evilcity.example", "data.city.example", partyThird},
		{"city.example.evil.test", "data.city.example", partyThird},
		{"a.github.io", "b.github.io", partyThird},
		{"a.co.uk", "b.co.uk", partyThird},
		{"cdn.partner.test", "data.city.example", partySite},
		{"notpartner.test", "data.city.example", partyThird},
		{"127.0.0.1", "127.0.0.2", partyThird},
		{"localhost", "localhost", partyHost},
	} {
		if got := partyOf(c.host, c.top, []string{"partner.test"}); got != c.want {
			t.Errorf("%s on %s: %s, want %s", c.host, c.top, got, c.want)
		}
	}
}

// What is wrong with a field is said without its value.
func TestParseHeader(t *testing.T) {
	for text, want := range map[string]string{
		"Authorization: Basic secret": "", "X-Staging:secret": "", "secret": "want '<name>: <value>'",
		": secret": "want '<name>: <value>'", "X-Staging:": "want '<name>: <value>'", "a b: secret": "want '<name>: <value>'",
		"X-A: secret\r\nX-B: 1": "want '<name>: <value>'", "cookie: secret": "cookie: the browser writes this field itself",
	} {
		h, err := ParseHeader(text)
		switch {
		case want == "" && (err != nil || !strings.HasSuffix(h.Value, "secret") || strings.ContainsAny(h.Name+h.Value, ":")):
			t.Errorf("%q: %+v, %v", text, h, err)
		case want != "" && (err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "secret")):
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

func TestStorageKey(t *testing.T) {
	for key, want := range map[string]string{
		"https://a.test/": "https://a.test/ ", "https://a.test/^0https://b.test": "https://a.test/ https://b.test",
		"https://a.test/^31": "https://a.test/ ", "https://a.test/^0https://b.test^31": "https://a.test/ https://b.test",
		"": " ", "null": " ", "^0": " ",
	} {
		u, partition := storageKey(key)
		got := " " + partition
		if u != nil {
			got = u.String() + got
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", key, got, want)
		}
	}
}

func TestOriginOf(t *testing.T) {
	for link, want := range map[string]string{
		"https://A.test:443/p": "https://a.test", "http://a.test:80": "http://a.test",
		"https://a.test:80/":                       "https://a.test:80",
		"https://user:secret@a.test.evil.example/": "https://a.test.evil.example", "http://[::1]:8080/": "http://[::1]:8080",
	} {
		u, err := url.Parse(link)
		if err != nil || originOf(u) != want {
			t.Errorf("%s: got %s, %v, want %s", link, originOf(u), err, want)
		}
	}
}

func TestShownURL(t *testing.T) {
	for link, want := range map[string]string{
		"https://user:secret@a.test/p?id=12345&b=&flag#frag": "https://a.test/p?b&id",
		"https://a.test":                      "https://a.test/",
		"https://a.test/?id=1&id=2&%1b[31m=x": "https://a.test/?%1b[31m&id",
	} {
		u, err := url.Parse(link)
		if err != nil {
			t.Fatal(err)
		}
		if got := shownURL(u); got != want {
			t.Errorf("%s: got %s, want %s", link, got, want)
		}
	}
}

func TestWithoutValue(t *testing.T) {
	for line, want := range map[string]string{
		"a=secret; Path=/; Secure": "a=[6 bytes]; Path=/; Secure",
		"a=b=c":                    "a=[3 bytes]",
		"secret":                   "=[6 bytes]",
		"=secret; Path=/":          "=[6 bytes]; Path=/",
		"a=\x1b[31m":               "a=[5 bytes]",
	} {
		if got := withoutValue(line); got != want {
			t.Errorf("%q: got %q, want %q", line, got, want)
		}
	}
}

// The script that is named is the innermost that is not the hook itself.
func TestScriptOf(t *testing.T) {
	h := &hook{source: "sHOOK"}
	for _, c := range []struct {
		what, stack, url string
		line, depth      int
	}{
		{"a file", "Error\n    at stack (sHOOK:15:22)\n    at HTMLDocument.cookie (sHOOK:54:4)\n" +
			"    at track (https://cdn.test/a.js?v=123:7:12)\n    at https://a.test/:3:1", "https://cdn.test/a.js?v", 7, 2},
		{"inline", "Error\n    at sHOOK:1:1\n    at https://a.test/page:12:5", "https://a.test/page", 12, 1},
		{"eval", "Error\n    at eval (<anonymous>:1:1)\n    at https://a.test/b.js:2:1", "https://a.test/b.js", 2, 2},
		{"async", "Error\n    at async f (https://a.test/c.js:9:1)", "https://a.test/c.js", 9, 1},
		{"none", "", "https://a.test/doc", 0, 0},
		{"what a page made up", "\x1b[31m at https://a.test/d.js", "https://a.test/doc", 0, 0},
	} {
		got := h.scriptOf(c.stack, "https://a.test/doc")
		if got.Kind != "script" || got.URL != c.url || got.Line != c.line || len(got.Stack) != c.depth {
			t.Errorf("%s: got %+v", c.what, got)
		}
	}
}

// tell passes events of a page to a recorder.
func tell(t *testing.T, r *recorder, events ...string) {
	t.Helper()
	for _, e := range events {
		method, params, _ := strings.Cut(e, " ")
		if err := r.event(&cdp.Event{Session: "S", Method: method, Params: json.RawMessage(params)}); err != nil {
			t.Errorf("%s: %v", e, err)
		}
	}
}

func newTestRecorder(t *testing.T) *recorder {
	t.Helper()
	r := newRecorder(hook{binding: "b", source: "s"}, credentials{})
	in, out := newPipe(t)
	r.conn = cdp.NewConn(in, out, r.event)
	if err := r.event(&cdp.Event{Method: "Target.attachedToTarget", Params: json.RawMessage(
		`{"sessionId":"S","targetInfo":{"targetId":"T","type":"page","url":"about:blank"}}`)}); err != nil {
		t.Fatal(err)
	}
	return r
}

// Each hop of a redirect has the cookies of its own, in whatever order the events come, also where a hop
// from a cache has none.
func TestRecorderHops(t *testing.T) {
	hop := `Network.requestWillBeSent {"requestId":"1","type":"Image",` +
		`"request":{"url":"https://a.test/%s","method":"GET"}%s}`
	redirect := `,"redirectResponse":{"status":302},"redirectHasExtraInfo":%t`
	sent := `Network.requestWillBeSentExtraInfo {"requestId":"1","associatedCookies":[` +
		`{"cookie":{"name":"%s"},"blockedReasons":[]},{"cookie":{"name":"blocked"},"blockedReasons":["SecureOnly"]}]}`
	received := `Network.responseReceivedExtraInfo {"requestId":"1","headers":{"Set-Cookie":"%s=1\nmore=2"},` +
		`"blockedCookies":[]}`
	response := `Network.responseReceived {"requestId":"1","hasExtraInfo":true,` +
		`"response":{"status":200,"mimeType":"image/png"}}`
	for _, c := range []struct {
		what   string
		events []string
		want   []string
	}{
		{"in order", []string{
			fmt.Sprintf(hop, "1", ""), fmt.Sprintf(sent, "a"), fmt.Sprintf(received, "x"),
			fmt.Sprintf(hop, "2", fmt.Sprintf(redirect, true)), fmt.Sprintf(sent, "b"), fmt.Sprintf(received, "y"), response,
		}, []string{"/1 302 a x", "/2 200 b y"}},
		{"cookies first", []string{
			fmt.Sprintf(sent, "a"), fmt.Sprintf(received, "x"), fmt.Sprintf(sent, "b"), fmt.Sprintf(received, "y"),
			fmt.Sprintf(hop, "1", ""), fmt.Sprintf(hop, "2", fmt.Sprintf(redirect, true)), response,
		}, []string{"/1 302 a x", "/2 200 b y"}},
		{"a hop without", []string{
			fmt.Sprintf(hop, "1", ""), fmt.Sprintf(hop, "2", fmt.Sprintf(redirect, false)), fmt.Sprintf(sent, "b"),
			fmt.Sprintf(received, "y"), response,
		}, []string{"/1 302  ", "/2 200 b y"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			r := newTestRecorder(t)
			tell(t, r, c.events...)
			requests, _ := r.all()
			var got []string
			for _, q := range requests {
				name, line := "", ""
				if len(q.sent) > 0 {
					name = q.sent[0].name
				}
				if len(q.lines) == 2 {
					line = strings.TrimSuffix(q.lines[0], "=1")
				}
				got = append(got, fmt.Sprintf("%s %d %s %s", q.url.Path, q.status, name, line))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// A request of which the browser tells nothing but its cookies is recorded, too.
func TestRecorderUnshown(t *testing.T) {
	r := newTestRecorder(t)
	tell(t, r, `Network.requestWillBeSentExtraInfo {"requestId":"9","headers":{":authority":"a.test",":scheme":"https"},`+
		`"associatedCookies":[{"cookie":{"name":"a"},"blockedReasons":[]}]}`,
		`Network.responseReceivedExtraInfo {"requestId":"9","headers":{"set-cookie":"b=1"},"blockedCookies":[]}`)
	requests, _ := r.all()
	if len(requests) != 1 || requests[0].url.Host != "a.test" || requests[0].sent[0].name != "a" ||
		requests[0].lines[0] != "b=1" {
		t.Errorf("got %+v", requests)
	}
}

// What a portal makes the browser tell is bounded, and what is beyond is counted.
func TestRecorderBounds(t *testing.T) {
	r := newTestRecorder(t)
	for i := range maxWrites + 5 {
		r.addWrite(write{subject: fmt.Sprint(i)})
	}
	if _, writes := r.all(); len(writes) != maxWrites || r.dropped != 5 {
		t.Errorf("%d writes, %d dropped", len(writes), r.dropped)
	}
	r = newTestRecorder(t)
	r.bytes = maxBytes - 3*maxLine
	line := strings.Repeat("x", 10*maxLine)
	for i := range 4 {
		tell(t, r, fmt.Sprintf(
			`Network.responseReceivedExtraInfo {"requestId":"%d","headers":{"set-cookie":"a=%s"},"blockedCookies":[]}`, i, line))
	}
	if r.bytes > maxBytes || r.dropped != 1 {
		t.Errorf("%d bytes, %d dropped", r.bytes, r.dropped)
	}
}

func newPipe(t *testing.T) (io.Reader, io.Writer) {
	in, out := io.Pipe()
	t.Cleanup(func() { _ = out.Close() })
	return in, io.Discard
}

// The report has what gateways counted between the two inventories.
func TestGateway(t *testing.T) {
	a := newAudit(t)
	inventory := func(refused, expired uint64) report.Inventory {
		return report.Inventory{At: begun, Cookies: []report.Item{
			{Name: "a", Channel: "read", Verdicts: map[string]uint64{"refused": refused, "expired": expired}},
			{Name: "b", Channel: "read", Verdicts: map[string]uint64{"refused": 1, "let_through": 4}},
			{Name: "a", Channel: "set", Verdicts: map[string]uint64{"refused": 2 * refused}},
		}}
	}
	answers := []report.Inventory{inventory(1, 0), inventory(4, 2)}
	a.options.Inventory = func() (next report.Inventory, err error) {
		next, answers = answers[0], answers[1:]
		return next, nil
	}
	before, err := a.askBefore()
	if err != nil {
		t.Fatal(err)
	}
	if err := a.askAfter(before); err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(a.report.Gateway.Delta)
	if want := "map[expire:map[expired:2] read:map[refused:3] set:map[refused:6]]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	a.options.Inventory = func() (report.Inventory, error) { return report.Inventory{}, io.ErrUnexpectedEOF }
	if _, err := a.askBefore(); err == nil {
		t.Error("a gateway that does not answer is no error")
	}
}
