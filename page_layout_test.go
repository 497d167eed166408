package cookiepolicy

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// A page that no policy can be around is refused at load, and told by a validation.
func TestPageLayout(t *testing.T) {
	const policy, page = "cookie_policy opendatasoft\n", "cookie_policy_page\n"
	for _, c := range []struct {
		what, directives string
		refused          bool
	}{
		{"beside a policy", policy + page, false},
		{"before it in the site", page + policy, false}, // the order of directives is Caddy's
		{"with a matcher", policy + "cookie_policy_page /cookies", false},
		{"a policy with a matcher", "cookie_policy /x opendatasoft\n" + page, false},
		{"in a handle block", policy + "handle /cookies {\n" + page + "}", false},
		{"both in a handle block", "handle /cookies {\n" + policy + page + "}", false},
		{"behind a route", "route {\n" + policy + "}\n" + page, false},
		{"in error routes with a policy", "error 404\nhandle_errors {\n" + policy + page + "}", false},
		{"alone", page, true},
		{"in another handle block", "handle /x {\n" + policy + "}\nhandle {\n" + page + "}", true},
		{"before the policy in a route", "route {\n" + page + policy + "}", true},
		{"in error routes", policy + "error 404\nhandle_errors {\n" + page + "}", true},
		{"for answers of the portal", "reverse_proxy 127.0.0.1:1 {\nhandle_response {\n" + page + "}\n}", true},
		{"in place of answers", "intercept {\nhandle_response {\n" + page + "}\n}\nrespond ok", true},
	} {
		t.Run(c.what, func(t *testing.T) {
			i := caddytest.NewInstance(t)
			site := i.SiteWith(c.directives)
			err := i.TryLoad(site)
			refused := err != nil && strings.Contains(err.Error(), pageWithoutPolicyWarning)
			if refused != c.refused || !refused && err != nil {
				t.Errorf("loading gives %v", err)
			}
			caddytest.Stop(t)
			config, err := i.Adapt(site)
			if err != nil {
				t.Fatal(err)
			}
			before := len(i.Log("all.log", appLog, pageWithoutPolicyWarning))
			if err := caddytest.Validate(config); err != nil {
				t.Fatal(err)
			}
			told := len(i.Log("all.log", appLog, pageWithoutPolicyWarning)) - before
			want(t, "how often a validation tells it", told, map[bool]int{true: 1}[c.refused])
		})
	}
}

// Two sites, of which one has no policy.
func TestPageLayoutSites(t *testing.T) {
	i := caddytest.NewInstance(t)
	err := i.TryLoad(fmt.Sprintf("http://a.localhost:%d {\ncookie_policy opendatasoft\n}\n"+
		"http://b.localhost:%[1]d {\ncookie_policy_page\n}\n", i.Site))
	if err == nil || !strings.Contains(err.Error(), pageWithoutPolicyWarning) {
		t.Errorf("loading gives %v", err)
	}
	i.Load(fmt.Sprintf("&(page) {\ncookie_policy_page\n}\nhttp://localhost:%d {\ncookie_policy opendatasoft\n"+
		"invoke page\n}\n", i.Site))
	if answer := i.Get("/"); !strings.HasPrefix(answer.Raw, "HTTP/1.1 200 ") {
		t.Errorf("in a named route: %.200s", answer.Raw)
	}
}

// A request that passes the policy by gets an error, and the log says why.
func TestPageWithoutPolicyAtRequest(t *testing.T) {
	i := caddytest.StartInstance(t, "cookie_policy /shop/* opendatasoft\ncookie_policy_page")
	want(t, "through the policy", i.Get("/shop/cookies").Raw[:13], "HTTP/1.1 200 ")
	want(t, "past the policy", i.Get("/cookies").Raw[:13], "HTTP/1.1 500 ")
	want(t, "log entries", len(i.Log("all.log", pageLog, pageWithoutPolicyWarning)), 1)

	// The policy of the site is not around its error routes.
	i.Reload("cookie_policy opendatasoft\nroute /broken {\nerror 404\n}\nhandle_errors {\n" +
		"cookie_policy /never opendatasoft\ncookie_policy_page\n}")
	want(t, "error routes", i.Get("/broken").Raw[:13], "HTTP/1.1 404 ") // Caddy's own, of the first error
	want(t, "log entries", len(i.Log("all.log", pageLog, pageWithoutPolicyWarning)), 2)
	i.Reload("cookie_policy opendatasoft\nerror 404\nhandle_errors {\ncookie_policy opendatasoft\ncookie_policy_page\n}")
	want(t, "error routes with a policy", strings.Contains(i.Get("/broken").Raw, "<h1>Cookie policy</h1>"), true)
}

// What the page cannot say, or cannot do, is told at load, once.
func TestPageWarnings(t *testing.T) {
	i := caddytest.StartInstance(t, "cookie_policy onetrust {\nname city\nallow statistical stats {\nconsent C0099\n}\n"+
		"key C0099 {\ntitle Statistics\n}\n}\ncookie_policy_page {\ncontroller City\n}")
	entries := i.Log("all.log", appLog, pageReadOnlyWarning)
	want(t, "no form", caddytest.Pick(entries, "level", "policy"), "warn|city\n")
	if len(entries) > 0 && !strings.Contains(fmt.Sprint(entries[0]["reason"]), "OneTrust") {
		t.Errorf("the reason is %s", entries[0]["reason"])
	}
	want(t, "not stated", caddytest.Pick(i.Log("all.log", appLog, pageNotStatedWarning), "level", "policy", "missing"),
		"warn|city|stats: provider, function, purpose, lifetime; C0099: refused\n")

	full := caddytest.StartInstance(t, "cookie_policy opendatasoft\ncookie_policy_page {\ncontroller City\n}")
	for _, message := range []string{pageReadOnlyWarning, pageNotStatedWarning} {
		want(t, message, full.Log("all.log", appLog, message), []caddytest.Entry(nil))
	}
}

// The audit log has the digest of each page that is published, in each language. It stays the same while
// the page does.
func TestPageAudit(t *testing.T) {
	const published = "policy page published"
	site := "cookie_policy opendatasoft {\nname city\n}\ncookie_policy_page {\nlanguages en fr\n"
	i := caddytest.StartInstance(t, site+"}")
	i.Reload(site + "}")
	i.Reload(site + "title \"Our cookies\"\n}")
	entries := i.Log("audit.log", "", published)
	want(t, "entries", caddytest.Pick(entries, "policy"), "city\ncity\ncity\n")
	var digests []map[string]any
	for _, e := range entries {
		pages, _ := e["pages"].(map[string]any)
		if len(pages) != 2 || len(fmt.Sprint(pages["en"])) != 64 || pages["en"] == pages["fr"] {
			t.Fatalf("the pages are %v", pages)
		}
		digests = append(digests, pages)
	}
	want(t, "after a reload", digests[1], digests[0])
	if digests[2]["en"] == digests[0]["en"] {
		t.Error("another title gives the same digest")
	}
}

// Of two policies around a request the page shows the inner one.
func TestPageOfTwoPolicies(t *testing.T) {
	i := caddytest.StartInstance(t, "route {\ncookie_policy opendatasoft matomo {\nname outer\n}\n"+
		"cookie_policy opendatasoft {\nname inner\n}\ncookie_policy_page\n}")
	if text := i.Get("/").Body(); !strings.Contains(text, "<dd translate=\"no\">inner</dd>") {
		t.Error("it shows another one")
	}
}

// Each stored answer counts by key and outcome, and nothing else does. A reload keeps the counts.
func TestPageCounter(t *testing.T) {
	site := "cookie_policy opendatasoft {\nname city\npreset matomo\npreset at_internet\n}\n" +
		"cookie_policy_page {\ncontroller City\n}"
	i := caddytest.StartInstance(t, site)
	digest := hiddenDigest.FindStringSubmatch(i.Get("/").Body())[1]
	for _, body := range []string{
		"choice=accept&policy=" + digest, "choice=refuse&policy=" + digest, "choice=save&q1=granted&policy=" + digest,
		"choice=accept", "choice=accept&policy=x",
	} {
		i.Site.Send(t, fmt.Sprintf("POST / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n"+
			"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
			len(body), body))
	}
	i.Reload(site)
	got := map[string]string{}
	for series, n := range i.Metrics() {
		if labels, ok := strings.CutPrefix(series, "choices_saved_total"); ok {
			got[labels] = n
		}
	}
	counted := map[string]string{}
	for _, c := range [][3]string{{"matomo", "granted", "2"}, {"matomo", "refused", "1"}, {"at", "granted", "1"},
		{"at", "refused", "2"}, {"xiti", "granted", "1"}, {"xiti", "refused", "2"}} {
		counted[fmt.Sprintf(`{key=%q,outcome=%q,policy="city"}`, c[0], c[1])] = c[2]
	}
	want(t, "counters", got, counted)
}

// All faults of a block are told at once; in JSON with the path of the field.
func TestPageJSONFaults(t *testing.T) {
	config := `{"apps": {"http": {"servers": {"s": {"listen": ["127.0.0.1:0"], "routes": [{"handle": [` +
		`{"handler": "cookie_policy", "presets": ["opendatasoft"]}, {"handler": "cookie_policy_page", ` +
		`"contact": "x", "languages": ["fr", "eo", "fr"], "title": [{"text": ""}], "manage": "//evil.example"}]}]}}}}}`
	err := caddytest.Validate([]byte(config))
	if err == nil {
		t.Fatal("the config was accepted")
	}
	for _, line := range []string{
		`contact: "x": the page does not say who this is the contact of; add controller`,
		`contact: "x": this is not the URL of a page; write an https or mailto URL, or a path of the site such as /contact`,
		`languages[1]: "eo": there is no such language; want one or more of en, de, es, fr, it, nl, pt`,
		`languages[2]: "fr": this language is named twice; name it once`,
		`title[0]: this text is empty; write the page's title, in one line`,
		`manage: "//evil.example": this is not the URL of a page; write an https URL, or a path of the site such as /manage`,
	} {
		if !strings.Contains(err.Error(), line) {
			t.Errorf("%s\nis not in\n%v", line, err)
		}
	}
	if err := caddytest.Validate([]byte(strings.Replace(config, `"contact"`, `"contacts"`, 1))); err == nil ||
		!strings.Contains(err.Error(), `unknown field "contacts"`) {
		t.Errorf("an unknown field gives %v", err)
	}
}

// The directive stands before respond, and inside what operators put around pages.
func TestPagePlaceInTheChain(t *testing.T) {
	config, _, err := caddytest.Adapt(":80\nrespond ok\ncookie_policy_page\nheader X y\nencode gzip\n" +
		"cookie_policy opendatasoft\nreverse_proxy a:1\n")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`"handler":"(\w+)"`).FindAllStringSubmatch(string(config), -1)
	var order []string
	for _, m := range found {
		order = append(order, m[1])
	}
	want(t, "the order", strings.Join(order, " "),
		"cookie_policy headers encode cookie_policy_page static_response reverse_proxy")
}

// The words of the Caddyfile are the fields of the JSON.
func TestPageCaddyfile(t *testing.T) {
	template := filepath.Join("testdata", "page.html")
	config, _, err := caddytest.Adapt(":80\ncookie_policy opendatasoft\ncookie_policy_page /cookies {\n" +
		"controller \"City of Example\"\ncontact /contact\nlanguages fr en\nlanguages de\ntitle \"Our cookies\"\n" +
		"title fr \"Nos cookies\"\nstylesheet /style.css\ntemplate " + template +
		"\nmanage https://consent.example/open\n}\n")
	if err != nil {
		t.Fatal(err)
	}
	handler := regexp.MustCompile(
		`\{[^{}]*(\{[^{}]*\}[^{}]*)*"handler":"cookie_policy_page"[^{}]*(\{[^{}]*\}[^{}]*)*\}`)
	want(t, "the handler", handler.FindString(string(config)),
		`{"contact":"/contact","controller":"City of Example","handler":"cookie_policy_page",`+
			`"languages":["fr","en","de"],"manage":"https://consent.example/open","stylesheet":"/style.css",`+
			`"template":"testdata/page.html","title":[{"text":"Our cookies"},{"language":"fr","text":"Nos cookies"}]}`)
	if err := caddytest.Validate(config); err != nil {
		t.Error(err)
	}
}

const pageLog = "http.handlers.cookie_policy_page"
