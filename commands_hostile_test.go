package cookiepolicy

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
)

// An answer that is too large is refused. The command reads no more of it than its limit, whatever
// the gateway has to send.
func TestCommandLargeAnswer(t *testing.T) {
	var sent atomic.Int64
	item := []byte(`{"name": "` + strings.Repeat("x", 1<<16) + `"},`)
	gateway := portaltest.StartHandler(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/policies") {
			io.WriteString(w, `[{"name": "city"}]`)
			return
		}
		io.WriteString(w, `{"policy": "city", "cookies": [`)
		for sent.Store(0); sent.Load() < 4*maxAnswer; sent.Add(int64(len(item))) {
			if _, err := w.Write(item); err != nil {
				return // the command has closed the connection
			}
		}
	})
	for _, asJSON := range []bool{false, true} {
		for _, command := range []string{"inventory", "drift"} {
			var out bytes.Buffer
			status, err := ask(&query{addresses: []string{gateway}, json: asJSON}, command, &out)
			if status != exitFailed || err == nil || out.Len() > 0 ||
				!strings.Contains(err.Error(), "the answer has more than 64 MiB") {
				t.Errorf("%s: %d, %v, %d bytes of output", command, status, err, out.Len())
			}
			// What is more is in buffers of the two connections.
			if n := sent.Load(); n > maxAnswer+32<<20 {
				t.Errorf("%s: the gateway could send %d bytes", command, n)
			}
		}
	}
}

// hostile is text that would change what a terminal shows: control characters of C0 and C1, the
// direction of text, invisible characters and a separator.
const hostile = "\u009b31m\u202egnp.exe\u0085\u200b\u2028\u2066\U000e0041\ufeff"

// Nothing that a gateway answers reaches the output or the error text as it came: its status, the
// names of its policies, and every text of its answers.
func TestCommandHostileGateway(t *testing.T) {
	quoted, err := json.Marshal(hostile)
	if err != nil {
		t.Fatal(err)
	}
	text := string(quoted)
	withC0, _ := json.Marshal("\x1b[31m\x07\r\n\t" + hostile)
	item := strings.NewReplacer("TEXT", string(withC0)).Replace(`{"name": TEXT, "channel": TEXT, "mode": TEXT,
		"category": TEXT, "rule": TEXT, "first": "2026-01-01T00:00:00Z", "last": "2026-01-01T00:00:00Z",
		"count": 1, "verdicts": {TEXT: 1}, "hosts": [TEXT], "domains": [TEXT], "paths": [TEXT],
		"same_site": [TEXT]}`)
	finding := strings.ReplaceAll(`{"kind": TEXT, "cookie": TEXT, "detail": TEXT}`, "TEXT", string(withC0))
	head := `{"policy": ` + text + `, "digest": ` + text + `, "since": "2026-01-01T00:00:00Z", ` +
		`"at": "2026-01-01T00:00:00Z", `
	ok := func(body string) string {
		return fmt.Sprintf("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s",
			len(body), body)
	}
	onePolicy := ok(`[{"name": ` + text + `}]`)
	for _, c := range []struct {
		what             string
		policies, answer string
		status           int // of the command
		holds            string
	}{
		{"an inventory", onePolicy,
			ok(head + `"cookies": [` + item + `, ` + item + `]}`), exitDone, "gnp.exe"},
		{"a drift", onePolicy, ok(head + `"findings": [` + finding + `]}`), exitFindings, "gnp.exe"},
		{"an unlisted name", onePolicy, ok(head + `"findings": [{"kind": "unlisted", "cookie": ` + text +
			`, "detail": ` + string(withC0) + `}], "cookies": [` + item + `]}`), exitFindings, "gnp.exe"},
		{"several policies", ok(`[{"name": ` + text + `}, {"name": ` + string(withC0) + `}]`),
			ok(head + `"cookies": [` + item + `]}`), exitDone, "gnp.exe"},
		{"several policies without an answer",
			ok(`[{"name": ` + text + `}, {"name": ` + string(withC0) + `}]`), "", exitFailed, "gnp.exe"},
		{"a status", "HTTP/1.1 500 " + hostile + "\r\nConnection: close\r\n\r\n", "", exitFailed, "500"},
		{"a status, and an error", onePolicy, "HTTP/1.1 404 " + hostile +
			"\r\nConnection: close\r\n\r\n" + `{"error": ` + string(withC0) + `}`, exitFailed, "404"},
		{"a protocol that is none", hostile + "\r\n\r\n", "", exitFailed, "malformed"},
		{"a status code that is none", "HTTP/1.1 " + hostile + "\r\n\r\n", "", exitFailed, "malformed"},
		{"a header line that is none",
			"HTTP/1.1 200 OK\r\n" + hostile + "\r\n\r\n", "", exitFailed, "malformed"},
		{"a length that is none",
			"HTTP/1.1 200 OK\r\nContent-Length: " + hostile + "\r\n\r\n", "", exitFailed,
			"Content-Length"},
		{"a transfer encoding",
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: " + hostile + "\r\n\r\n", "", exitFailed,
			"encoding"},
		{"a redirect to a host", "HTTP/1.1 302 Found\r\nConnection: close\r\nLocation: http://" + hostile +
			"/x\r\n\r\n", "", exitFailed, ""},
		{"a redirect to a scheme", "HTTP/1.1 302 Found\r\nConnection: close\r\nLocation: x" + hostile +
			"://x/x\r\n\r\n", "", exitFailed, ""},
		{"no JSON", ok(hostile), "", exitFailed, "not an answer of a gateway"},
		{"JSON of another type", ok(`{` + text + `: 1}`), "", exitFailed, "not an answer of a gateway"},
		{"a time that is none", onePolicy, ok(`{"since": ` + text + `}`), exitFailed,
			"not an answer of a gateway"},
		{"bytes that are not UTF-8",
			ok("[{\"name\": \"\xff\x9b31m\"}, {\"name\": \"\x9b\"}]"), "", exitFailed, "policy"},
	} {
		gateway := portaltest.StartSocket(t, func(conn net.Conn, _ *bufio.Reader, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/policies") {
				io.WriteString(conn, c.policies)
			} else {
				io.WriteString(conn, c.answer)
			}
		})
		command := "inventory"
		if c.status == exitFindings {
			command = "drift"
		}
		for _, q := range []query{{}, {json: true}, {suggest: true}, {suggest: true, json: true}, {policy: "none"}} {
			var out bytes.Buffer
			q.addresses = []string{gateway}
			asJSON := q.json
			status, err := ask(&q, command, &out)
			if status != c.status && q.policy == "" {
				t.Errorf("%s: status %d (%v), want %d", c.what, status, err, c.status)
			}
			if q.policy != "" && status != exitFailed {
				t.Errorf("%s, for a policy that there is not: status %d (%v)", c.what, status, err)
			}
			if shown := fmt.Sprint(out.String(), err); !strings.Contains(shown, c.holds) && q.policy == "" &&
				(!q.suggest || c.status != exitFindings) { // which are only those about unlisted names
				t.Errorf("%s: not %q in %q", c.what, c.holds, shown)
			}
			if asJSON && status != exitFailed && !json.Valid(out.Bytes()) {
				t.Errorf("%s: no JSON: %q", c.what, out.String())
			}
			for where, shown := range map[string]string{
				"the output": out.String(), "the error": fmt.Sprint(err),
			} {
				if !utf8.ValidString(shown) {
					t.Errorf("%s, JSON %v: %s is not UTF-8: %q", c.what, asJSON, where, shown)
				}
				for _, r := range shown {
					if !unicode.IsGraphic(r) && r != '\n' && r != '\t' {
						t.Errorf("%s, JSON %v: %s has %q: %q", c.what, asJSON, where, r, shown)
						break
					}
				}
			}
		}
	}
}
