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

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

const twoPolicies = `http://data.example.org, http://*.data.example.org {
	cookie_policy opendatasoft {
		name city
		allow third_party _ga* {
			consent ga
			domain example.org
		}
	}
}
http://map.example.org {
	cookie_policy opendatasoft matomo {
		name map
		unlisted pass
	}
}
`

// The command explains lines by each policy of a config, by lines of its file, or by those of a gateway.
func TestExplainCommand(t *testing.T) {
	config := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(config, []byte(twoPolicies), 0o600); err != nil {
		t.Fatal(err)
	}
	nobody := fmt.Sprintf("http://127.0.0.1:%d/", portaltest.FreePort(t))
	portal := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			w.Header().Add("Set-Cookie", "step=1; Path=/")
			w.Header().Add("Set-Cookie", `cookies_preferences={"ga":true,"x":false}; Path=/`)
			http.Redirect(w, r, "/home?token=S3CR3T", http.StatusFound)
			return
		case "/away":
			http.Redirect(w, r, nobody+"?token=S3CR3T", http.StatusFound)
			return
		case "/mail":
			w.Header().Set("Location", "mailto:S3CR3T@example.org")
			w.WriteHeader(http.StatusFound)
			return
		case "/other":
			http.Redirect(w, r, strings.Replace("http://"+r.Host+"/home", "127.0.0.1", "localhost", 1), http.StatusFound)
			return
		}
		if strings.HasPrefix(r.Host, "localhost") && (r.Header.Get("Authorization") != "" || r.Header.Get("Cookie") != "") {
			t.Errorf("another host was sent %v", r.Header)
		}
		w.Header().Set("Content-Type", "text/html")
		w.Header()["Set-Cookie"] = []string{"_ga=S3CR3T; Domain=example.com"}
	}))
	defer portal.Close()
	loop := httptest.NewServer(http.RedirectHandler("/", http.StatusFound))
	defer loop.Close()
	gateway := caddytest.StartInstance(t, "cookie_policy opendatasoft {\nname city\n}\nrespond hello")
	visit := "explain/testdata/visit.har"
	for _, c := range []struct {
		what   string
		q      explainQuery
		status int
		says   []string // regular expressions
	}{
		{"lines, by every policy",
			explainQuery{query: &query{config: config}, setCookie: []string{"_ga=1; Domain=example.com", "stray=S3CR3T"},
				cookie: []string{`cookies_preferences={"ga":true}`}, host: "data.example.org", https: true}, 0, []string{
				`(?m)^Policy city, digest [0-9a-f]{8}, mode enforce, for https://data\.example\.org$`,
				`set +_ga +refused +the rule does not accept Domain=example\.com; it accepts example\.org\n`,
				`rule "third_party _ga\*", \S*Caddyfile:4\n`,
				`of the preset opendatasoft, \S*Caddyfile:2\n`,
				`(?s)Policy map, .*set +stray +let through +no rule names it, and the policy lets unlisted cookies pass\n`}},
		{"one policy, as JSON",
			explainQuery{query: &query{config: config, policy: "city", json: true}, cookie: []string{"_ga=1"}}, 0,
			[]string{`^\{\n\t"policy": "city"`, `"reason": "not_granted"`, `"where": "\S*Caddyfile:4"`}},
		{"a signal", explainQuery{query: &query{config: config}, headers: []string{"Cookie: _ga=1", "Sec-GPC: 1"}}, 0,
			[]string{`read +_ga +refused`}},
		{"an asset", explainQuery{query: &query{config: config, policy: "map"}, cookie: []string{"_pk_id.1=1"}, asset: true}, 0,
			[]string{`read +_pk_id\.1 +refused[^\n]*\n[^\n]*\n$`}},
		{"a gateway", explainQuery{query: &query{addresses: []string{gateway.Admin}}, cookie: []string{"_ga=1"}}, 0,
			[]string{`Policy city, `, `read +_ga +refused +no rule names it\n`}},
		{"a recording", explainQuery{query: &query{config: config}, har: visit}, 0, []string{
			`(?s)^Policy city, cookies .*set +_ga +refused +the visitor has not consented.*Policy city, [^\n]* on a recording of ` +
				`\*\.data\.example\.org, data\.example\.org: requests: 4\n`,
			`allow CATEGORY _gid\n`, `(?s)Policy map, cookies[^\n]*\n\nNone\.\n\nPolicy map[^\n]* of map\.example\.org: requests: 0\nWarning: no request went`}},
		{"a recording, as JSON", explainQuery{query: &query{config: config, json: true}, har: visit}, 0,
			[]string{`^\{"policies":\[\{"exchanges":\[\{"index":1,`, `"suggest":"# Policy city`,
				`"policy":"map","digest":"\w+","mode":"enforce","hosts":\["map.example.org"\],"requests":0,.*"suggest":""`}},
		{"a URL", explainQuery{query: &query{config: config, policy: "city"}, url: portal.URL + "/?x=S3CR3T", host: "data.example.org"}, 0,
			[]string{`(?m)^http://127\.0\.0\.1:\d+/  302$`, `set +step +refused`, `(?m)^http://127\.0\.0\.1:\d+/home  200$`,
				`read +step +refused`, `set +_ga +refused +the rule does not accept Domain`}},
		{"a URL, with a choice that the answer replaces", explainQuery{query: &query{config: config, policy: "city"}, url: portal.URL,
			cookie: []string{"cookies_preferences=%7B%22ga%22%3Afalse%7D; _ga=S3CR3T"}}, 0, []string{
			`(?s)_ga +refused +the visitor has not consented: ga is refused.*/home  200.*_ga +let through +the visitor consents`}},
		{"a URL of which a redirect leads nowhere", explainQuery{query: &query{config: config}, url: portal.URL + "/away"}, 2,
			[]string{`(?s)/away  302.*Policy map.*http://127\.0\.0\.1:\d+/: .*connection refused`}},
		{"a redirect to what is no page", explainQuery{query: &query{config: config}, url: portal.URL + "/mail"}, 2,
			[]string{`(?s)/mail  302.*/mail: its Location is no address`}},
		{"a redirect to another host", explainQuery{query: &query{config: config}, url: portal.URL + "/other",
			headers: []string{"Authorization: S3CR3T"}, cookie: []string{"a=S3CR3T"}}, 0, []string{`http://localhost:\d+/home  200`}},
		{"a URL, as JSON", explainQuery{query: &query{config: config, json: true}, url: portal.URL}, 0,
			[]string{`"policy": "map"`, `"status": 302`}},
		{"nothing", explainQuery{query: &query{config: config}}, 2, []string{"say what to explain"}},
		{"all that is wrong with the flags", explainQuery{query: &query{config: config}, headers: []string{"Sec-GPC"},
			page: true, asset: true, har: "x"}, 2, []string{`--header: want a field`, "one of the two", "remove the other flags"}},
		{"a header that is no field", explainQuery{query: &query{config: config}, headers: []string{"Cookie a=S3CR3T"}}, 2,
			[]string{`--header: want a field and its line, such as "Sec-GPC: 1"`}},
		{"headers that have a flag", explainQuery{query: &query{config: config}, headers: []string{"host: a", "set-cookie: a=1"}}, 2,
			[]string{"write --host", "write --set-cookie"}},
		{"lines with the name of their field", explainQuery{query: &query{config: config},
			setCookie: []string{"set-cookie: a=S3CR3T"}, cookie: []string{"a=1", "Cookie: a=S3CR3T"}}, 2,
			[]string{"--set-cookie: write the line without Set-Cookie: before it", "--cookie: write the line without Cookie:"}},
		{"a recording has its own URLs", explainQuery{query: &query{config: config}, har: visit, https: true}, 2,
			[]string{"remove the other flags"}},
		{"lines for a URL", explainQuery{query: &query{config: config}, url: portal.URL, setCookie: []string{"a=1"}}, 2,
			[]string{"remove --set-cookie"}},
		{"no URL", explainQuery{query: &query{config: config}, url: "data.example.org?S3CR3T"}, 2, []string{"want an address such as"}},
		{"a URL with a stray percent sign", explainQuery{query: &query{config: config}, url: portal.URL + "/100%"}, 2,
			[]string{`invalid URL escape "%"`}},
		{"a loop", explainQuery{query: &query{config: config}, url: loop.URL}, 2, []string{"more than 20 redirects"}},
		{"nobody there", explainQuery{query: &query{config: config},
			url: nobody + "?S3CR3T"}, 2, []string{"^http://127.*connection refused"}},
		{"no HAR", explainQuery{query: &query{config: config}, har: config}, 2, []string{`^\S*Caddyfile: `}},
		{"no HAR, as JSON", explainQuery{query: &query{config: config, json: true}, har: config}, 2, []string{`^\S*Caddyfile: `}},
		{"no file", explainQuery{query: &query{config: config}, har: config + "x"}, 2, []string{`no such file`}},
		{"no such policy", explainQuery{query: &query{config: config, policy: "town"}, cookie: []string{"a=1"}}, 2,
			[]string{`"town": there is no policy of this name; there are city, map`}},
		{"no gateway", explainQuery{query: &query{addresses: []string{
			fmt.Sprintf("127.0.0.1:%d", portaltest.FreePort(t))}}, cookie: []string{"a=1"}}, 2, []string{"use --config"}},
	} {
		var out bytes.Buffer
		status, err := c.q.explain(&out)
		if status != c.status {
			t.Errorf("%s: status %d, %v", c.what, status, err)
		}
		text := out.String()
		if err != nil {
			text += err.Error()
		}
		for _, says := range c.says {
			if !regexp.MustCompile(says).MatchString(text) {
				t.Errorf("%s: not %s in\n%s", c.what, says, text)
			}
		}
		if c.q.json && out.Len() > 0 && !json.Valid(out.Bytes()) {
			t.Errorf("%s: no JSON: %s", c.what, text)
		}
		if strings.Contains(text, "S3CR3T") {
			t.Errorf("%s: a value is shown:\n%s", c.what, text)
		}
	}
}

// A gateway answers questions, and counts none of them.
func TestExplainRoute(t *testing.T) {
	w := caddytest.StartInstance(t, "cookie_policy opendatasoft {\nname city\n}\nrespond hello")
	post := func(path, body string) (*http.Response, []byte) {
		t.Helper()
		resp, err := http.Post("http://"+w.Admin+"/cookie-policy/"+path, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var b bytes.Buffer
		if _, err := b.ReadFrom(resp.Body); err != nil {
			t.Fatal(err)
		}
		return resp, b.Bytes()
	}
	resp, b := post("city/explain", `{"set_cookie": ["_ga=1", "sessionid=2"], "cookie": ["stray=1"],
		"headers": {"Sec-GPC": "1"}, "host": "data.example.org", "https": true, "page": true}`)
	var x enforcer.Explanation
	if err := json.Unmarshal(b, &x); err != nil || resp.StatusCode != http.StatusOK || len(x.Verdicts) != 3 {
		t.Fatalf("%s, %v, %s", resp.Status, err, b)
	}
	if v := x.Verdicts[1]; v.Cookie != "_ga" || v.Verdict != "refused" || v.Reason != enforcer.NotListed || x.Host != "data.example.org" {
		t.Errorf("%s", b)
	}
	for _, c := range []struct {
		path, body string
		status     int
		says       string
	}{
		{"city/explain", "", 400, "want an object"},
		{"city/explain", `{"set_cookies": []}`, 400, "set_cookies"},
		{"city/explain", `{"cookie": "a=1"}`, 400, ": cookie: found another kind of value: string"},
		{"city/explain", `{"headers": {"a": 1}}`, 400, ": headers: found another kind of value: number"},
		{"city/explain", `[]`, 400, ": found another kind of value: array"},
		{"city/explain", `{} {}`, 400, "there is more behind the object"},
		{"city/explain", `{"cookie": ["` + strings.Repeat("a", maxQuestion) + `"]}`, 400, "too large"},
		{"town/explain", "{}", 404, "no policy of this name"},
		{"city/drift", "{}", 405, "use GET"},
		{"city/explain", "{}", 200, `"verdicts": []`},
	} {
		if resp, b := post(c.path, c.body); resp.StatusCode != c.status || !strings.Contains(string(b), c.says) {
			t.Errorf("%s %.40s: %s, %s", c.path, c.body, resp.Status, b)
		}
	}
	if resp, err := http.Get("http://" + w.Admin + "/cookie-policy/city/explain"); err != nil || resp.StatusCode != 405 ||
		resp.Header.Get("Allow") != "POST" {
		t.Errorf("GET: %v, %v", resp, err)
	}
	if got := inventory(t, w, "city"); len(got) != 0 {
		t.Errorf("what was explained was counted: %v", got)
	}
}
