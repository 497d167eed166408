package cookiepolicy

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// Lines are suggested for what no rule names. They do not load before each has its category, and with
// it they let through what was met. Names that no line can hold are told.
func TestSuggest(t *testing.T) {
	portal := portaltest.StartPortal(t, portaltest.Response("200 OK", []string{
		"sessionid=1",
		"_ga=1; Domain=.City.example; Path=/; Max-Age=34128000",
		"_ga=1; Domain=example; Path=/; Max-Age=60",
		"app=1; Domain=data.city.example; Domain=city.example; Path=/app; Max-Age=86400",
		`we"ird{=1; Path=/`,
		"fré#quent \u00a0ation=1",
		"a b=1; Max-Age=3600",
		"public=1; Domain=co.uk",
		"_x*=1", "{$HOME}=1", "{host}=1", `back\slash=1`, "gnp\u202e=1", "=nameless",
		strings.Repeat("n", 200) + "=1",
	}, ""))
	site := "cookie_policy {\nname city\nallow necessary sessionid\n%\n}\nreverse_proxy " + portal.Address
	w := caddytest.StartInstance(t, strings.Replace(site, "%", "", 1))
	w.Get("/", "Cookie: sessionid=1")
	for range 100 {
		w.Get("/other", "Cookie: script=1")
	}
	var out bytes.Buffer
	q := query{addresses: []string{w.Admin}, suggest: true}
	if status, err := q.drift(&out); status != exitFindings {
		t.Fatalf("%d, %v", status, err)
	}
	lines := out.String()
	if formatted := string(caddyfile.Format([]byte(lines))); formatted != lines {
		t.Errorf("caddy fmt writes it as\n%s", formatted)
	}
	got := regexp.MustCompile(`\d+ times`).ReplaceAllString(lines, "N times")
	got = regexp.MustCompile(`[0-9a-f]{64}, observed since \S+Z\.`).ReplaceAllString(got, "D, observed since T.")
	want(t, "lines", got, `# Policy city, digest D, observed since T.
# Put necessary, statistical, first_party or third_party in place of each CATEGORY,
# and delete what is not to pass. The config does not load before that.

# met on set N times, at localhost
# No line for (nameless): a cookie without a name is never let through.

# met on set N times, at localhost
allow CATEGORY _ga {
	domain city.example example
	path /
	lifetime 395d
}

# met on set N times, at localhost
# No line for _x*: its * would be a wildcard, and match other names too.

# met on set N times, at localhost
allow CATEGORY "a b" {
	lifetime 1h0m0s
}

# met on set N times, at localhost
# Not limited by path: met with one other than /, which is not kept, as it can name a person.
allow CATEGORY app {
	domain city.example
	lifetime 1d
}

# met on set N times, at localhost
# No line for back\slash: it has a backslash, or a character that cannot be written in a Caddyfile.

# met on set N times, at localhost
# It was set without a lifetime.
allow CATEGORY "fré#quent`+" \u00a0"+`ation"

# met on set N times, at localhost
# No line for gnp\u202e: it has a backslash, or a character that cannot be written in a Caddyfile.

# met on set N times, at localhost
# No line for `+strings.Repeat("n", 100)+`…: it is longer than what is kept of a name; a wildcard such as name* can match it.

# met on set N times, at localhost
# Not limited by domain: met with co.uk.
# It was set without a lifetime.
allow CATEGORY public

# met on read N times, at localhost
# Its domain, path and lifetime were not seen.
allow CATEGORY script

# met on set N times, at localhost
# It was set without a lifetime.
allow CATEGORY "we\"ird{" {
	path /
}

# met on set N times, at localhost
# No line for { $HOME}: after the brace and the dollar sign Caddy would read an environment variable.

# met on set N times, at localhost
# No line for {host}: its braces could be read as a placeholder.
`)

	if err := w.TryLoad(w.SiteWith(strings.Replace(site, "%", lines, 1))); err == nil ||
		!strings.Contains(err.Error(), `"CATEGORY": no such category; want necessary, statistical, first_party or third_party`) {
		t.Errorf("lines without categories: %v", err)
	}
	w.Reload(strings.Replace(site, "%", strings.ReplaceAll(lines, "allow CATEGORY", "allow necessary"), 1))
	answer := w.Get("/", "Cookie: sessionid=1")
	var passed []string
	for _, line := range answer.SetCookies() {
		name, _, _ := strings.Cut(line, "=")
		passed = append(passed, name)
	}
	want(t, "what passes", passed, []string{
		"sessionid", "_ga", "_ga", "app", `we"ird{`, "fré#quent \u00a0ation", "a b", "public"})

	q.json, q.policy = true, "city"
	out.Reset()
	status, err := q.drift(&out)
	var answered driftAnswer
	if jsonErr := json.Unmarshal(out.Bytes(), &answered); jsonErr != nil || status != exitFindings ||
		strings.Contains(answered.Suggest, "allow ") || !strings.Contains(answered.Suggest, "No line for _x*") {
		t.Errorf("%v, %d, %v, %s", jsonErr, status, err, out.String())
	}
}
