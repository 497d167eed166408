package cookiepolicy

import (
	"bytes"
	"encoding/json"
	"fmt"
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
		what   string
		c      command
		args   []string
		status int
		err    string
		says   []string
	}{
		{"a table", command{addresses: addresses{w.Admin}}, []string{"inventory"}, 0, "", []string{
			`^Policy city, digest [0-9a-f]{64}, observed since \S+Z\n\n`,
			`\nCOOKIE +CHANNEL +CATEGORY +COUNT +LET THROUGH +REFUSED +DELETIONS +EXPIRED +LIFETIME ` +
				`+LAST +HOSTS\n`,
			`\n_ga +set +unlisted +1 +0 +1 +0 +0 +session +\S+Z +localhost\n`,
			`\nlong +set +unlisted +1 +0 +1 +0 +0 +1h0m0s +`,
			`\nsessionid +set +necessary +1 +1 +0 +0 +0 +session +\S+Z +localhost\n` +
				`sessionid +read +necessary +1 `}},
		{"one gateway twice", command{addresses: addresses{w.Admin, again}, policy: "city"},
			[]string{"inventory"}, 0, "", []string{`\n_ga +set +unlisted +2 +0 +2 +0 +0 +session`}},
		{"JSON", command{addresses: addresses{w.Admin}, json: true}, []string{"inventory"}, 0, "",
			[]string{`^\{\n\t"policy": "city",`, `"name": "_ga",`}},
		{"drift", command{addresses: addresses{w.Admin}}, []string{"drift"}, 1,
			"the portal and the policy differ; findings: 3", []string{
				`\nFINDING +COOKIE +DETAIL\n`,
				`\nnever_read +csrftoken +set, and never sent back by a browser\n` +
					`unlisted +_ga +met on set, at localhost\nunlisted +long `}},
		{"drift of one gateway twice", command{addresses: addresses{w.Admin, again}},
			[]string{"drift"}, 1, "findings: 3", nil},
		{"drift in JSON", command{addresses: addresses{w.Admin}, json: true}, []string{"drift"}, 1,
			"findings: 3", []string{`"kind": "never_read"`}},
		{"nobody there", command{addresses: addresses{nobody}}, []string{"drift"}, 2, nobody, nil},
		{"one of two not there", command{addresses: addresses{w.Admin, nobody}},
			[]string{"inventory"}, 2, nobody, nil},
		{"no gateway of this kind", command{addresses: addresses{hung.Listener.Addr().String()}},
			[]string{"inventory"}, 2, "404", nil},
		{"no such policy", command{addresses: addresses{w.Admin}, policy: "town"},
			[]string{"drift"}, 2, "no policy of this name is in force", nil},
		{"a name that is none", command{addresses: addresses{w.Admin}, policy: "../config"},
			[]string{"drift"}, 2, "404", nil},
		{"no address", command{addresses: addresses{"::::"}}, []string{"drift"}, 2, "::::", nil},
		{"no word", command{}, nil, 2, "say what to show", nil},
		{"another word", command{}, []string{"policies"}, 2, "say what to show", nil},
		{"too many words", command{}, []string{"drift", "inventory"}, 2, "say what to show", nil},
	} {
		var out bytes.Buffer
		status, err := c.c.run(c.args, &out)
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
		if status == exitNotAsked && out.Len() > 0 {
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
	one := command{addresses: addresses{w.Admin}}
	if status, err := one.run([]string{"drift"}, &out); status != exitNotAsked ||
		!strings.Contains(err.Error(), "2 policies (city, town)") {
		t.Errorf("%d, %v", status, err)
	}
	one.policy = "city"
	if status, err := one.run([]string{"drift"}, &out); status != exitNoDrift || err != nil ||
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
	c := command{addresses: addresses{w.Admin}}
	if status, err := c.run([]string{"inventory"}, &out); status != exitNoDrift || err != nil ||
		!strings.HasPrefix(out.String(), "Policy city,") {
		t.Errorf("%d, %v, %s", status, err, out.String())
	}
}
