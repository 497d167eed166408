package cookiepolicy

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// prefers is a Cookie header line with a choice made some days ago.
func prefers(days int, choices string) string {
	at := time.Now().AddDate(0, 0, -days).UnixMilli()
	return "Cookie: cookies_preferences=" + url.QueryEscape(fmt.Sprintf(`{%s,"timestamp":%d}`, choices, at))
}

// Each format of the preference as the Caddyfile says it, from there to what the visitor and the
// portal get.
func TestPreferenceFormats(t *testing.T) {
	const rules = "{\nallow statistical stats {\nconsent statistics\n}\nallow third_party ads {\n" +
		"consent marketing\n}\n"
	portal := portaltest.StartPortal(t, portaltest.Response("200 OK", []string{"stats=1", "ads=2"}, "x"))
	for _, c := range []struct {
		what, preference string
		granted          map[string]string // what is let through, by the preference's value
	}{
		{"json, by default", "preference choice", map[string]string{
			`{"statistics":true}`: "stats", `{"statistics":true,"marketing":true}`: "stats ads",
			`%7B%22marketing%22%3Atrue%7D`: "ads",
			`"{"statistics":true}"`:        "stats", `{"statistics":false}`: "",
			`{"statistics":1}`: "", `["statistics"]`: "stats", `"statistics"`: "", `{`: "", ``: "",
		}},
		{"json at a path", "preference choice {\nformat json purposes.enabled\n}", map[string]string{
			`{"purposes":{"enabled":{"statistics":true}}}`: "stats",
			`{"purposes":{"enabled":["marketing"]}}`:       "ads", `{"statistics":true}`: "",
			`{"purposes":{"disabled":["marketing"]}}`: "", `{"purposes":{"enabled":true}}`: "",
		}},
		{"json in base64", "preference choice {\nformat json base64\n}", map[string]string{
			"eyJzdGF0aXN0aWNzIjp0cnVlfQ==": "stats", "eyJzdGF0aXN0aWNzIjp0cnVlfQ": "stats",
			"eyJzdGF0aXN0aWNzIjp0cnVlfQ%3D%3D": "stats", `{"statistics":true}`: "",
		}},
		{"json at a path in base64", "preference choice {\nformat json purposes.enabled base64\n}",
			map[string]string{
				"eyJwdXJwb3NlcyI6eyJlbmFibGVkIjpbIm1hcmtldGluZyJdfX0=": "ads",
				"eyJzdGF0aXN0aWNzIjp0cnVlfQ==":                         "",
			}},
		{"json with a word", "preference choice {\nformat json\ngranted yes accepted\n}", map[string]string{
			`{"statistics":"yes","marketing":"no"}`:      "stats",
			`{"statistics":"accepted","marketing":true}`: "stats ads", `{"statistics":"Yes"}`: "",
		}},
		{"pairs", "preference choice {\nformat pairs\n}", map[string]string{
			"statistics=true&marketing=false": "stats", "statistics=1&marketing=yes": "stats ads",
			"statistics=allow&marketing=accept": "stats ads", "statistics=on": "", "statistics": "",
		}},
		{"pairs of other separators", "preference choice {\nformat pairs | :\n}", map[string]string{
			"statistics:true|marketing:false": "stats", "statistics:false|marketing:true": "ads",
			"statistics%3Atrue%7Cmarketing%3Atrue": "stats ads", "statistics=true": "",
		}},
		{"pairs that each begin with a separator", "preference choice {\nformat pairs ! =\n}",
			map[string]string{"!statistics=true!marketing=wait": "stats", "!": ""}},
		{"a query string with an inner list",
			"preference choice {\nformat pairs & = groups\ngranted 1\n}", map[string]string{
				"v=6&groups=statistics:1,marketing:0&x=y": "stats",
				"groups=statistics%3A0%2Cmarketing%3A1":   "ads", "statistics=1": "",
				"groups=statistics:true": "",
			}},
		{"list", "preference choice {\nformat list\n}",
			map[string]string{"necessary,statistics": "stats",
				"statistics%2Cmarketing": "stats ads", "necessary": "", "": ""}},
		{"list of another separator", "preference choice {\nformat list |\ngranted all\n}",
			map[string]string{"necessary|marketing": "ads", "all": "stats ads", "none": ""}},
		{"flag", "preference choice {\nformat flag yes\n}",
			map[string]string{"yes": "stats ads", "no": "", "Yes": "", "": "", "yes%20": ""}},
		{"flag of a key", "preference choice {\nformat flag allow statistics\n}\n" +
			"preference other {\nformat flag allow marketing\n}", map[string]string{
			"allow": "stats", "deny": "", "allow; other=allow": "stats ads", "deny; other=allow": "ads",
		}},
	} {
		gateway := caddytest.Start(t, "cookie_policy "+rules+c.preference+"\n}\nreverse_proxy "+
			portal.Address)
		for value, want := range c.granted {
			answer := gateway.Fetch(t, false, "localhost", "/", "Cookie: stats=3; ads=4; choice="+value)
			var got []string
			for _, line := range answer.SetCookies() {
				name, _, _ := strings.Cut(line, "=")
				got = append(got, name)
			}
			if strings.Join(got, " ") != want {
				t.Errorf("%s: %s lets through %q, want %q", c.what, value, got, want)
			}
			received := strings.Join(portal.Cookies(t), "; ")
			for _, name := range []string{"stats", "ads"} {
				if strings.Contains(received, name+"=") != strings.Contains(want, name) {
					t.Errorf("%s: with %s the portal got %q, want %q", c.what, value, received, want)
				}
			}
			if !strings.Contains(received, "choice="+value) {
				t.Errorf("%s: with %s the portal got %q", c.what, value, received)
			}
		}
	}
}

// A choice is asked for again once it is older than the policy page promises.
func TestPreferenceMaxAge(t *testing.T) {
	portal := portaltest.StartPortal(t, portaltest.Page("Set-Cookie: "+matomo))
	for policy, counts := range map[string]map[int]bool{
		"opendatasoft matomo": {0: true, 182: true, 184: false, 213: false, -1: false},
		"opendatasoft matomo {\npreference cookies_preferences {\ntimestamp timestamp\n" +
			"max_age 365d\n}\n}": {0: true, 184: true, 364: true, 366: false},
		"opendatasoft matomo {\npreference cookies_preferences\n}": {0: true, 184: true, 4000: true,
			-1: true},
	} {
		gateway := caddytest.Start(t, "cookie_policy "+policy+"\nreverse_proxy "+portal.Address)
		for days, counts := range counts {
			got := gateway.Fetch(t, false, "localhost", "/", prefers(days, `"matomo":true`)).SetCookies()
			if (len(got) == 1) != counts {
				t.Errorf("%s: a choice made %d days ago lets through %q", policy, days, got)
			}
		}
	}
}

// persist, as the Caddyfile says it.
func TestPreferencePersist(t *testing.T) {
	portal := portaltest.StartPortal(t, portaltest.Page())
	gateway := caddytest.Start(t, "cookie_policy {\nallow necessary sessionid\npreference choice {\n"+
		"timestamp at\nmax_age 183d\npersist\n}\npreference other {\ntimestamp at\nmax_age 10d\n"+
		"persist /portal\n}\n}\n"+
		"reverse_proxy "+portal.Address)
	value := fmt.Sprintf("%%7B%%22at%%22%%3A%d%%7D", time.Now().Add(-24*time.Hour).Unix())
	got := gateway.Fetch(t, false, "localhost", "/", navigate, "Cookie: choice="+value+"; other="+value)
	var lifes []int
	for i, line := range got.SetCookies() {
		var life int
		format := []string{"choice=", "other="}[i] + strings.ReplaceAll(value, "%", "%%") +
			[]string{"; Path=/; Max-Age=%d", "; Path=/portal; Max-Age=%d"}[i]
		if _, err := fmt.Sscanf(line, format, &life); err != nil || strings.HasSuffix(line, ";") {
			t.Errorf("%q is not like %q", line, format)
		}
		lifes = append(lifes, life)
	}
	const day = 86400
	if len(lifes) != 2 || lifes[0] > 182*day || lifes[0] < 182*day-60 || lifes[1] > 9*day ||
		lifes[1] < 9*day-60 {
		t.Errorf("got %q", got.SetCookies())
	}
	if got := got.Field("Cache-Control"); !slices.Equal(got, []string{"private"}) {
		t.Errorf("shared caches are told %q", got)
	}
	for _, lines := range [][]string{{"Sec-Fetch-Mode: cors"}, {navigate, "Sec-Purpose: prefetch"}} {
		if got := gateway.Fetch(t, false, "localhost", "/",
			append(lines, "Cookie: choice="+value)...).SetCookies(); got != nil {
			t.Errorf("%q: got %q", lines, got)
		}
	}
}

// A choice is not sent again with a response that shared caches may keep. The gateway makes private
// what the portal says nothing of, unless shared_cache keep leaves that alone; what a portal tells
// a CDN counts for the CDN alone.
func TestPreferencePersistAndSharedCaches(t *testing.T) {
	cookie := fmt.Sprintf("Cookie: choice=%%7B%%22at%%22%%3A%d%%7D", time.Now().Add(-24*time.Hour).Unix())
	const (
		private = "Cache-Control: private"
		public  = "Cache-Control: public, max-age=600"
		expires = "Expires: Thu, 31 Dec 2099 23:59:59 GMT"
	)
	cdn := []string{"Surrogate-Control: max-age=600", "CDN-Cache-Control: max-age=600",
		"X-Accel-Expires: 600"}
	type response struct {
		header []string
		sent   bool
	}
	cases := map[string][]response{
		"protect": {{nil, true}, {[]string{private}, true}, {[]string{public}, false},
			{[]string{expires}, false},
			{[]string{"Cache-Control: no-store"}, true}, {[]string{"Cache-Control: max-age=60"}, false}},
		"keep": {{nil, false}, {[]string{private}, true}, {[]string{public}, false},
			{[]string{expires}, false},
			{[]string{"Cache-Control: no-store"}, true}, {[]string{"Cache-Control: max-age=60"}, false}},
	}
	for _, field := range cdn {
		cases["protect"] = append(cases["protect"], response{[]string{field}, false},
			response{[]string{private, field}, true})
		cases["keep"] = append(cases["keep"], response{[]string{field}, false},
			response{[]string{private, field}, false})
	}
	for sharedCache, responses := range cases {
		for _, c := range responses {
			portal := portaltest.StartPortal(t, portaltest.Page(c.header...))
			gateway := caddytest.Start(t, "cookie_policy {\nallow necessary sessionid\n"+
				"shared_cache "+sharedCache+
				"\npreference choice {\ntimestamp at\nmax_age 183d\npersist\n}\n}\nreverse_proxy "+
				portal.Address)
			got := gateway.Fetch(t, false, "localhost", "/", navigate, cookie)
			if sent := len(got.SetCookies()) > 0; sent != c.sent {
				t.Errorf("%s, %q: the choice is sent again: %t, want %t", sharedCache, c.header,
					sent, c.sent)
			}
			for _, line := range c.header {
				name, value, _ := strings.Cut(line, ": ")
				want := []string{value}
				// what is for one visitor is for no cache
				if c.sent && sharedCache == "protect" && name != "Cache-Control" {
					want = nil
				}
				if got := got.Field(name); !slices.Equal(got, want) {
					t.Errorf("%s, %q: %s is %q, want %q", sharedCache, c.header, name, got, want)
				}
			}
		}
	}
}

// Browsers that object: by Sec-GPC or DNT, to the categories that the operator names, until the
// visitor says otherwise.
func TestPreferenceAndSignals(t *testing.T) {
	portal := portaltest.StartPortal(t, portaltest.Response("200 OK", []string{matomo, google}, "x"))
	gateway := caddytest.Start(t, "cookie_policy opendatasoft {\npreset matomo {\nanonymous\n}\n"+
		"allow third_party _ga {\nconsent ga\n}\nsignal gpc statistical\nsignal dnt third_party\n}\n"+
		"reverse_proxy "+portal.Address)
	for _, c := range []struct {
		lines      []string
		pass, vary string
	}{
		{nil, "_pk_id.1.1fff", "Cookie, Sec-Gpc, Dnt"},
		{[]string{"Sec-GPC: 1"}, "", "Cookie, Sec-Gpc, Dnt"},
		{[]string{"DNT: 1"}, "_pk_id.1.1fff", "Cookie, Sec-Gpc, Dnt"},
		{[]string{"Sec-GPC: 0"}, "_pk_id.1.1fff", "Cookie, Sec-Gpc, Dnt"},
		{[]string{"Sec-GPC: 1", prefers(1, `"matomo":true`)}, "_pk_id.1.1fff", "Cookie, Dnt"},
		{[]string{"Sec-GPC: 1", "DNT: 1", prefers(1, `"matomo":true,"ga":true`)},
			"_pk_id.1.1fff _ga", "Cookie"},
		{[]string{"Sec-GPC: 1", prefers(213, `"matomo":true`)}, "", "Cookie, Sec-Gpc, Dnt"},
	} {
		got := gateway.Fetch(t, false, "localhost", "/",
			append(c.lines, "Cookie: _pk_id.1.1fff=1; _ga=2")...)
		var names []string
		for _, line := range got.SetCookies() {
			name, _, _ := strings.Cut(line, "=")
			names = append(names, name)
		}
		if strings.Join(names, " ") != c.pass {
			t.Errorf("%q: let through are %q, want %q", c.lines, names, c.pass)
		}
		received := strings.Join(portal.Cookies(t), "; ")
		for _, name := range []string{"_pk_id.1.1fff", "_ga"} {
			if strings.Contains(received, name+"=") != strings.Contains(c.pass, name) {
				t.Errorf("%q: the portal got %q", c.lines, received)
			}
		}
		if vary := strings.Join(got.Field("Vary"), ", "); vary != c.vary {
			t.Errorf("%q: Vary is %q, want %q", c.lines, vary, c.vary)
		}
	}
}

// A response that writes the preference carries the newest choice, and is judged by it.
func TestPreferenceInTheResponse(t *testing.T) {
	const (
		grant   = grantsMatomo + "; Path=/"
		refusal = "cookies_preferences=%7B%22matomo%22%3Afalse%7D; Path=/"
	)
	for _, c := range []struct {
		cookie string
		send   []string
		want   []string
	}{
		{"", []string{matomo, grant, session}, []string{matomo, grant, session}},
		{refusal[:strings.Index(refusal, ";")], []string{matomo, grant}, []string{matomo, grant}},
		{grantsMatomo, []string{matomo, refusal, session}, []string{refusal, session}},
		{grantsMatomo, []string{matomo, "cookies_preferences=; Max-Age=0; Path=/"},
			[]string{"cookies_preferences=; Max-Age=0; Path=/"}},
		{grantsMatomo, []string{matomo, "cookies_preferences=x"}, []string{"cookies_preferences=x"}},
	} {
		gateway := caddytest.Start(t, "cookie_policy opendatasoft matomo\nreverse_proxy "+
			portaltest.StartPortal(t, portaltest.Response("200 OK", c.send, "x")).Address)
		if got := gateway.Get(t, c.cookie).SetCookies(); !slices.Equal(got, c.want) {
			t.Errorf("%q and %q: got %q, want %q", c.cookie, c.send, got, c.want)
		}
	}
}

// One gateway, one connection, several hosts: what a visitor granted on one is not granted on the
// other.
func TestPreferenceIsPerHost(t *testing.T) {
	portal := portaltest.StartHandler(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["X-Cookie"] = r.Header["Cookie"]
		w.Header()["Set-Cookie"] = []string{matomo}
	})
	gateway := caddytest.StartAnyHost(t, caddytest.DiscardLogs,
		"cookie_policy opendatasoft matomo\nheader X-Consent {http.cookie_policy.consent.matomo}\n"+
			"reverse_proxy "+portal)
	for protocol, client := range portaltest.Protocols(t) {
		for i := range 6 {
			req := gateway.Request(t, t.Context(), http.MethodGet, "/", nil, nil)
			granted := i%2 == 0
			if req.Host = "two.example"; granted {
				req.Host = "one.example"
				req.Header.Set("Cookie", grantsMatomo+"; _pk_id.1.1fff=1")
			} else {
				req.Header.Set("Cookie", "_pk_id.1.1fff=1")
			}
			resp, err := client.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			want := map[bool]string{true: "granted", false: "undecided"}[granted]
			if got := resp.Header.Get("X-Consent"); got != want ||
				(resp.Header["Set-Cookie"] != nil) != granted ||
				(resp.Header["X-Cookie"] != nil) != granted {
				t.Errorf("%s, %s: %s, %q, %q", protocol, req.Host, got, resp.Header["Set-Cookie"],
					resp.Header["X-Cookie"])
			}
		}
	}
}
