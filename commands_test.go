package cookiepolicy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// The command asks gateways, merges what they say, and shows it to people or to machines. Its exit
// status says how it went.
func TestCommand(t *testing.T) {
	portal := portaltest.StartPortal(t,
		portaltest.Response("200 OK", []string{session, csrf, language, choices, google,
			"long=1; Max-Age=3600"}, ""))
	w := caddytest.StartInstance(t, "cookie_policy opendatasoft {\nname city\n}\nreverse_proxy "+
		portal.Address)
	w.Get("/", "Cookie: sessionid=1; django_language=fr; cookies_preferences=1")
	hung := httptest.NewServer(http.NotFoundHandler())
	defer hung.Close()
	nobody := fmt.Sprintf("127.0.0.1:%d", portaltest.FreePort(t))
	again := "http://" + w.Admin + "/"
	for _, c := range []struct {
		what    string
		c       query
		command string
		status  int
		err     string
		says    []string
	}{
		{"a table", query{addresses: []string{w.Admin}}, "inventory", 0, "", []string{
			`^Policy city, digest [0-9a-f]{64}, observed since \S+Z\n\n`,
			`\nCOOKIE +CHANNEL +MODE +CATEGORY +COUNT +LET THROUGH +REFUSED +DELETIONS +EXPIRED ` +
				`+WOULD REFUSE +WOULD EXPIRE +LIFETIME +LAST +HOSTS\n`,
			`\n_ga +set +enforce +unlisted +1 +0 +1 +0 +0 +0 +0 +session +\S+Z +localhost\n`,
			`\nlong +set +enforce +unlisted +1 +0 +1 +0 +0 +0 +0 +1h0m0s +`,
			`\nsessionid +set +enforce +necessary +1 +1 +0 +0 +0 +0 +0 +session +\S+Z +localhost\n` +
				`sessionid +read +enforce +necessary +1 `}},
		{"one gateway twice", query{addresses: []string{w.Admin, again}, policy: "city"},
			"inventory", 0, "", []string{`\n_ga +set +enforce +unlisted +2 +0 +2 +0 +0 +0 +0 +session`}},
		{"JSON", query{addresses: []string{w.Admin}, json: true}, "inventory", 0, "",
			[]string{`^\{\n\t"policies": \[\n\t\t\{\n\t\t\t"policy": "city",`, `"name": "_ga",`}},
		{"JSON of one policy", query{addresses: []string{w.Admin}, policy: "city", json: true}, "inventory", 0, "",
			[]string{`^\{\n\t"policy": "city",`, `"name": "_ga",`}},
		{"drift", query{addresses: []string{w.Admin}}, "drift", 1,
			"the portal and the policy differ; findings: 3", []string{
				`\nFINDING +COOKIE +DETAIL\n`,
				`\nnever_read +csrftoken +set, and never sent back by a browser\n` +
					`unlisted +_ga +met on set once, at localhost\nunlisted +long `}},
		{"drift of one gateway twice", query{addresses: []string{w.Admin, again}},
			"drift", 1, "findings: 3", nil},
		{"drift in JSON", query{addresses: []string{w.Admin}, json: true}, "drift", 1,
			"findings: 3", []string{`"kind": "never_read"`}},
		{"nobody there", query{addresses: []string{nobody}}, "drift", 2, nobody, nil},
		{"one of two not there", query{addresses: []string{w.Admin, nobody}}, "inventory", 2, nobody, []string{
			`\nFINDING +COOKIE +DETAIL\nunanswered +` + nobody + `: .*connection refused\n\nCOOKIE`, `\n_ga +set `}},
		{"one of two not there, for drift", query{addresses: []string{nobody, w.Admin}}, "drift", 2, nobody, []string{
			`\nunanswered +` + nobody + `: .*connection refused\nunlisted +_ga`}},
		{"no gateway of this kind", query{addresses: []string{hung.Listener.Addr().String()}},
			"inventory", 2, "404", nil},
		{"no such policy", query{addresses: []string{w.Admin}, policy: "town"},
			"drift", 2, "no policy of this name is in force", nil},
		{"a name that is none", query{addresses: []string{w.Admin}, policy: "../config"},
			"drift", 2, `"../config": no policy of this name is in force; there are city`, nil},
		{"no address", query{addresses: []string{"::::"}}, "drift", 2, "::::", nil},
	} {
		var out bytes.Buffer
		status, err := ask(&c.c, c.command, &out)
		if status != c.status || (err == nil) != (c.err == "") ||
			err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %d, %v, want %d, %s", c.what, status, err, c.status, c.err)
		}
		for _, says := range c.says {
			if !regexp.MustCompile(says).MatchString(out.String()) {
				t.Errorf("%s: not %s in\n%s", c.what, says, out.String())
			}
		}
		if c.c.json && !json.Valid(out.Bytes()) {
			t.Errorf("%s: no JSON: %s", c.what, out.String())
		}
		if status == exitFailed && out.Len() > 0 && c.says == nil {
			t.Errorf("%s: an answer all the same: %s", c.what, out.String())
		}
	}

	w.Get("/", "Cookie: csrftoken=1")
	w.Load(w.SiteWith("cookie_policy opendatasoft {\nname city\nallow necessary _ga long\n}\n"+
		"reverse_proxy "+portal.Address) +
		fmt.Sprintf("http://localhost:%d {\ncookie_policy opendatasoft {\nname town\n}\n}",
			portaltest.FreePort(t)))
	w.Get("/", "Cookie: _ga=1; long=1")
	var out bytes.Buffer
	one := query{addresses: []string{w.Admin}}
	if status, err := one.drift(&out); status != exitFindings ||
		!strings.HasSuffix(err.Error(), "findings: 4") {
		t.Errorf("%d, %v", status, err)
	}
	if !regexp.MustCompile(`^Policy city, .*\n\nThe portal and the policy do not differ.\n\n` +
		`Policy town, .*\n\nFINDING +COOKIE +DETAIL\nnever_seen +cookies_preferences `).MatchString(out.String()) {
		t.Errorf("of two policies: %s", out.String())
	}
	out.Reset()
	one.policy = "city"
	if status, err := one.drift(&out); status != exitDone || err != nil ||
		!strings.Contains(out.String(), "The portal and the policy do not differ.") {
		t.Errorf("%d, %v, %s", status, err, out.String())
	}
}

// A gateway whose admin endpoint is a socket in the file system is asked as Caddy's own commands
// ask it.
func TestCommandOverUnixSocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "admin") // a socket's path has to be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	w := caddytest.NewInstance(t)
	w.Admin = "unix/" + filepath.Join(dir, "s")
	w.Load(w.SiteWith("cookie_policy opendatasoft {\nname city\n}\nrespond ok"))
	var out bytes.Buffer
	c := query{addresses: []string{w.Admin}}
	if status, err := c.inventory(&out); status != exitDone || err != nil ||
		!strings.HasPrefix(out.String(), "Policy city,") {
		t.Errorf("%d, %v, %s", status, err, out.String())
	}
}

// ask carries out a command by its name.
func ask(q *query, command string, out io.Writer) (int, error) {
	if command == "drift" {
		return q.drift(out)
	}
	return q.inventory(out)
}
