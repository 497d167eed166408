package page

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

const day = policy.Duration(24 * time.Hour)

// The lifetime of a cookie on the page is what holds: the declared one, or the limit that cuts it.
func TestDataLifetime(t *testing.T) {
	for _, c := range []struct {
		what            string
		declared, limit policy.Duration
		lifetimes, mode string
		want            string
	}{
		{"nothing", 0, 0, "", "", "not stated"},
		{"declared", 14 * day, 0, "", "", "14 days"},
		{"session", policy.Session, 0, "", "", "session (until the browser is closed)"},
		{"a limit alone", 0, 183 * day, "", "", "at most 6 months"},
		{"a shorter limit", 365 * day, 183 * day, "", "", "at most 6 months"},
		{"an equal limit", 365 * day, 365 * day, "", "", "at most 12 months"},
		{"a longer limit", 183 * day, 365 * day, "", "", "6 months"},
		{"enforced", 395 * day, 0, policy.LifetimesEnforce, "", "at most 13 months"},
		{"an enforced session", policy.Session, 0, policy.LifetimesEnforce, "", "session (until the browser is closed)"},
		{"a limit in mode report", 365 * day, 183 * day, "", policy.ModeReport, "12 months"},
		{"a limit alone in mode report", 0, 183 * day, "", policy.ModeReport, "not stated"},
		{"enforced in mode report", 365 * day, 0, policy.LifetimesEnforce, policy.ModeReport, "12 months"},
	} {
		e := compile(t, policy.Policy{Lifetimes: c.lifetimes, Mode: c.mode, Allow: []policy.Rule{{
			Category: policy.Necessary, Cookies: []string{"a"},
			RuleOptions: policy.RuleOptions{Lifetime: c.declared, MaxAge: c.limit}}}})
		d, err := newPage(t, Config{}).Data(e, InForce{Since: noon}, Visitor{})
		if err != nil {
			t.Fatal(err)
		}
		if got := d.Kinds[0].Rules[0].Lifetime.Text; got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}
}

// What the page says about unlisted cookies and enforcement is what the policy does.
func TestHTMLPolicy(t *testing.T) {
	const blocked, passed, enforced, observes = "not listed here are blocked", "not listed here are let through",
		"enforces this policy", "does not enforce this policy"
	for _, c := range []struct {
		unlisted, mode string
		says           []string
	}{
		{"", "", []string{blocked, enforced}},
		{policy.UnlistedPass, "", []string{passed, enforced}},
		{"", policy.ModeReport, []string{observes}},
		{policy.UnlistedPass, policy.ModeReport, []string{passed, observes}},
	} {
		p := city()
		p.Unlisted, p.Mode = c.unlisted, c.mode
		text := newSite(t, p, Config{}).get("/").Body.String()
		for _, sentence := range []string{blocked, passed, enforced, observes} {
			want := strings.Contains(strings.Join(c.says, "\n"), sentence)
			if strings.Contains(text, sentence) != want {
				t.Errorf("unlisted %q, mode %q: %q is on the page: %t", c.unlisted, c.mode, sentence, !want)
			}
		}
		if i := strings.Index(text, observes); i > strings.Index(text, "<table") {
			t.Errorf("mode %q: that nothing is enforced is said behind the first table", c.mode)
		}
		if strings.Contains(text, "lets no") {
			t.Errorf("unlisted %q, mode %q: the page says that something is not let through", c.unlisted, c.mode)
		}
	}
}

// What the page says about the stored choice.
func TestHTMLChoices(t *testing.T) {
	for _, c := range []struct{ cookie, want, state string }{
		{"", "You have not chosen yet.", "not decided"},
		{`cookies_preferences={"matomo":true,"timestamp":1768000000000}`, "You made them on 9 January 2026.", "accepted"},
		{`cookies_preferences={"matomo":false,"timestamp":1768000000}`, "You made them on 9 January 2026.", "refused"},
		{`cookies_preferences={"matomo":false}`, "The date of your choices is not recorded.", "refused"},
		{`cookies_preferences={}`, "The date of your choices is not recorded.", "not decided"},
		{`cookies_preferences={"matomo":true,"timestamp":1700000000}`,
			"Your choices, dated 14 November 2023, no longer count: a choice is valid for 6 months.", "not decided"},
		{`cookies_preferences={"matomo":true,"timestamp":1800000000}`, "cannot be read", "not decided"},
		{`cookies_preferences={`, "cannot be read", "not decided"},
		{`cookies_preferences={"matomo":true,"matomo":false}`, "contradict each other", "not decided"},
		{`cookies_preferences={"matomo":true}; cookies_preferences={"matomo":false}`, "contradict each other", "refused"},
	} {
		text := newSite(t, city(), Config{}).get("/", "Cookie: "+c.cookie).Body.String()
		if !strings.Contains(text, c.want) || !strings.Contains(text, "<dd>"+c.state+"</dd>") {
			t.Errorf("%s: the page does not say %q and %q", c.cookie, c.want, c.state)
		}
	}
	necessary := policy.Policy{Presets: []policy.Preset{{Name: "opendatasoft"}}}
	text := newSite(t, necessary, Config{Controller: "City"}).get("/").Body.String()
	if !strings.Contains(text, "there is nothing to choose") || strings.Contains(text, "<form") {
		t.Error("a policy of necessary cookies has something to choose")
	}
	nowhere := policy.Policy{Allow: []policy.Rule{{Category: policy.Statistical, Cookies: []string{"x"}}}}
	text = newSite(t, nowhere, Config{Controller: "City"}).get("/").Body.String()
	if !strings.Contains(text, "This site stores no choices.") || strings.Contains(text, "until you give it") {
		t.Error("a policy without a preference promises that a choice is possible")
	}
}

// What a warning tells at load is what the page calls "not stated".
func TestNotStated(t *testing.T) {
	text := []policy.Text{{Text: "x"}}
	rule := policy.Rule{Category: policy.Statistical, Cookies: []string{"a"}, RuleOptions: policy.RuleOptions{
		Provider: "x", Function: text, Purpose: text, MaxAge: day}}
	bare := policy.Rule{Category: policy.Necessary, Cookies: []string{"b", "c"}}
	key := policy.Key{Keys: []string{"statistical"}, Refused: text}
	for _, c := range []struct {
		p    policy.Policy
		want []string
	}{
		{policy.Policy{Allow: []policy.Rule{rule}, Key: []policy.Key{key}}, nil},
		{policy.Policy{Allow: []policy.Rule{rule}, Key: []policy.Key{key}, Mode: policy.ModeReport}, []string{"a: lifetime"}},
		{policy.Policy{Allow: []policy.Rule{rule, bare}},
			[]string{"b c: provider, function, purpose, lifetime", "statistical: refused"}},
	} {
		e := compile(t, c.p)
		missing := NotStated(e)
		if !slices.Equal(missing, c.want) {
			t.Errorf("got %q, want %q", missing, c.want)
		}
		d, err := newPage(t, Config{Controller: "City"}).Data(e, InForce{Since: noon}, Visitor{})
		if err != nil {
			t.Fatal(err)
		}
		for _, kind := range d.Kinds {
			for _, r := range kind.Rules {
				says := strings.Contains(strings.Join(missing, "\n"), strings.Join(r.Cookies, " ")+": ")
				if lacks := r.Lifetime.Seconds == 0; lacks != says {
					t.Errorf("%v: the lifetime is %q", r.Cookies, r.Lifetime.Text)
				}
			}
		}
	}
}

// A choice is kept as long as the shortest-lived of the cookies that store it.
func TestHTMLKept(t *testing.T) {
	choices := func(name string, maxAge policy.Duration) policy.Preference {
		return policy.Preference{Cookies: []string{name}, Timestamp: "time", MaxAge: maxAge}
	}
	rule := policy.Rule{Category: policy.Necessary, Cookies: []string{"choices"}}
	cut, declared := rule, rule
	cut.MaxAge, declared.Lifetime = 30*day, 60*day
	for want, p := range map[string]policy.Policy{
		"6 months":  {Preference: []policy.Preference{choices("choices", 0)}},
		"12 months": {Preference: []policy.Preference{choices("choices", 365*day)}},
		"90 days":   {Preference: []policy.Preference{choices("choices", 0), choices("others", 90*day)}},
		"30 days": {Preference: []policy.Preference{choices("choices", 90*day)},
			Allow: []policy.Rule{cut}},
		"60 days": {Preference: []policy.Preference{choices("choices", 90*day)},
			Allow: []policy.Rule{declared}, Lifetimes: policy.LifetimesEnforce},
		"91 days": {Preference: []policy.Preference{choices("choices", 91*day)},
			Allow: []policy.Rule{declared}},
	} {
		p.Allow = append(p.Allow, policy.Rule{Category: policy.Statistical, Cookies: []string{"x"}})
		s := newSite(t, p, Config{Controller: "City"})
		if text := s.get("/").Body.String(); !strings.Contains(text, "Your choices are kept for "+want+",") {
			t.Errorf("the page does not say that choices are kept for %s", want)
		}
	}
}

// An objection is worded as one, and what becomes of silence is said.
func TestHTMLObjection(t *testing.T) {
	p := city()
	p.Presets[1].Anonymous = true
	text := newSite(t, p, Config{Controller: "City"}).get("/").Body.String()
	for sentence, want := range map[string]bool{
		"do you object to these cookies?": true, "What an objection changes": true, "Yes, I object": true,
		"Left unanswered, the question is saved as an objection.": true,
		"What a refusal changes":                                  false, "Yes, I accept": false,
	} {
		if strings.Contains(text, sentence) != want {
			t.Errorf("%q is on the page: %t", sentence, !want)
		}
	}
}

// What became of a form is told by what the browser has stored, and not by the address.
func TestServeSaved(t *testing.T) {
	const saved, notKept, neither = "<title>Saved", "<title>Not saved", "<title>Cookie policy"
	now, here := "?saved=1768478400", "Sec-Fetch-Site: same-origin" // noon
	for _, c := range []struct {
		what, query, cookie, site, want string
	}{
		{"stored", now, `cookies_preferences={"matomo":true,"timestamp":1768478400123}`, here, saved},
		{"stored, after a reload", now, `cookies_preferences={"matomo":true,"timestamp":1768478400123}`,
			"Sec-Fetch-Site: none", saved},
		{"stored, without a time", now, `cookies_preferences={"matomo":true}`, here, saved},
		{"nothing stored", now, "", here, notKept},
		{"an older choice stays", now, `cookies_preferences={"matomo":true,"timestamp":1768000000}`, here, notKept},
		{"what is stored cannot be read", now, `cookies_preferences={`, here, notKept},
		{"a newer choice", now, `cookies_preferences={"matomo":true,"timestamp":1768478460}`, here, neither},
		{"a link of another site", now, "", "Sec-Fetch-Site: cross-site", neither},
		{"a link of a sibling", now, `cookies_preferences={"matomo":true}`, "Sec-Fetch-Site: same-site", neither},
		{"a link in a letter", now, "", "Sec-Fetch-Site: none", neither},
		{"an old address", "?saved=1768000000", "", here, neither},
		{"an address of the future", "?saved=1769000000", "", here, neither},
		{"no time", "?saved=yes", "", here, neither},
		{"no address", "", `cookies_preferences={"matomo":true,"timestamp":1768478400123}`, here, neither},
	} {
		text := newSite(t, city(), Config{Controller: "City"}).
			get("/cookies"+c.query, "Cookie: "+c.cookie, c.site).Body.String()
		if !strings.Contains(text, c.want) {
			t.Errorf("%s: the page is not %s", c.what, c.want)
		}
	}
}

// A choice that does not fit into a cookie is refused with a page that says so.
func TestServeNoRoom(t *testing.T) {
	p := city()
	for i := range 60 {
		p.Allow = append(p.Allow, policy.Rule{Category: policy.ThirdParty, Cookies: []string{fmt.Sprint("ad", i)},
			RuleOptions: policy.RuleOptions{Consent: []string{fmt.Sprint(strings.Repeat("k", 90), i)}}})
	}
	s := newSite(t, p, Config{Controller: "City"})
	w := s.post("/", "choice=accept&policy="+s.enforcer.Policy().Digest())
	if w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "do not fit into the cookie") ||
		len(w.Header()["Set-Cookie"]) > 0 || s.outcome.NotStored == nil {
		t.Errorf("%d, %q, %v", w.Code, w.Header()["Set-Cookie"], s.outcome.NotStored)
	}
}

func TestLocalPath(t *testing.T) {
	for text, want := range map[string]string{
		"/":                     "/",
		"/explore/?q=a%20b&c=d": "/explore/?q=a%20b&c=d",
		"/a#b":                  "/a",
		"/é":                    "/%C3%A9",
		"/?{{env `HOME`}}[[<":   "/?%7B%7Benv%20%60HOME%60%7D%7D%5B%5B%3C",
		"/?é=a+b&c=d/e?f:@":     "/?%C3%A9=a+b&c=d/e?f:@",
		"/{{now}}":              "/%7B%7Bnow%7D%7D",
		"/%2Fexplore":           "",
		"":                      "", "explore": "", "?q": "", "//evil.example": "", `/\evil.example`: "",
		"/\t/evil.example": "", "/\n": "", `/a\b`: "", "https://evil.example/": "", "javascript:alert(1)": "",
		"https:evil": "", "/%zz": "", "/" + strings.Repeat("x", maxBack): "", "/\xff": "",
	} {
		if got := localPath(text); got != want {
			t.Errorf("%.40q: %q, want %q", text, got, want)
		}
	}
}

func TestWantsJSON(t *testing.T) {
	for accept, want := range map[string]bool{
		"": false, "*/*": false, "text/html": false, "application/json": true, "APPLICATION/JSON": true,
		"application/json, text/html": false, "application/json;q=0.9, text/html;q=0.8": true,
		"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": false,
		"application/*": true, "application/json;q=0": false, "application/json;q=2": false,
		"application/json, */*": false, "application/json, */*;q=0.1": true, "application/json;q=x": false,
	} {
		if got := wantsJSON(http.Header{"Accept": {accept}}); got != want {
			t.Errorf("%q: %t", accept, got)
		}
	}
}

// All faults of a config are told, in the order of its fields.
func TestConfigFaults(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "broken.html")
	if err := os.WriteFile(broken, []byte("{{if}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what   string
		config Config
		want   []string // paths
	}{
		{"none", Config{Controller: "City", Contact: "mailto:dpo@city.example", Languages: []string{"fr", "en"},
			Title:      []policy.Text{{Text: "x"}, {Language: "fr", Text: "y"}},
			Stylesheet: "/x.css", Manage: "https://x.example/"}, nil},
		{"all", Config{Controller: "a\nb", Contact: "mailto:nobody", Languages: []string{"xx"},
			Title:      []policy.Text{{Language: "en", Text: "x"}, {Language: "EN", Text: "y"}, {Language: "e_", Text: "z"}},
			Stylesheet: "x.css", Template: broken, Manage: "ftp://x.example/"},
			[]string{"controller", "contact", "languages[0]", "title[1]", "title[2]", "stylesheet", "template", "manage"}},
		{"URLs that are none", Config{Stylesheet: "https://x.example/a;b", Manage: "javascript:alert(1)"},
			[]string{"stylesheet", "manage"}},
		{"more such", Config{Stylesheet: "https://u:p@x.example/", Manage: `/\evil.example`},
			[]string{"stylesheet", "manage"}},
		{"paths of other hosts", Config{Stylesheet: "//x.example/a", Manage: "mailto:a@b"}, []string{"stylesheet", "manage"}},
		{"no such file", Config{Template: broken + "x"}, []string{"template"}},
	} {
		var got []string
		for _, f := range c.config.Faults() {
			got = append(got, f.Path)
			if f.Problem == "" || f.Right == "" {
				t.Errorf("%s: %v does not say what would be right", c.what, f)
			}
		}
		if strings.Join(got, " ") != strings.Join(c.want, " ") {
			t.Errorf("%s: faults at %q, want %q", c.what, got, c.want)
		}
	}
}
