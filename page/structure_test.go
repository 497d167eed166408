package page

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/languages"
)

// rich is a policy with each thing that a page can show.
func rich() policy.Policy {
	p := city()
	p.Presets = append(p.Presets, policy.Preset{Name: "at_internet"},
		policy.Preset{Name: "eulerian", RuleOptions: policy.RuleOptions{Anonymous: true}})
	p.Allow = []policy.Rule{
		{Category: policy.Necessary, Cookies: []string{"messages"},
			RuleOptions: policy.RuleOptions{Lifetime: policy.Session, Purpose: []policy.Text{{Text: "Notices"}}}},
		{Category: policy.ThirdParty, Cookies: []string{"mp_*_mixpanel", "<script>"}, RuleOptions: policy.RuleOptions{
			Consent: []string{"mixpanel", "marketing"}, MaxAge: policy.Duration(24 * 183 * 3600e9), Provider: `Mix & "Panel"`,
			Function: []policy.Text{{Language: "de", Text: "Werbung"}}}},
		{Category: policy.FirstParty, Cookies: []string{"comfort"}},
	}
	p.Key = []policy.Key{{Keys: []string{"mixpanel", "marketing"},
		Title: []policy.Text{{Language: "en", Text: "Marketing"}}}}
	p.Preference = []policy.Preference{{Cookies: []string{"site_choices"}}}
	p.Signal = []policy.Signal{{Signal: policy.SignalGPC, Categories: []policy.Category{policy.ThirdParty}}}
	return p
}

// pages are pages of all kinds: the request by which each is asked for.
func pages(t *testing.T, check func(t *testing.T, name string, doc *html.Node, body string, header http.Header)) {
	for _, l := range languages.All() {
		s := newSite(t, rich(), Config{Controller: `City of <b>Example</b> & "Sons"`, Contact: "/contact?a=b&c=d"})
		saved := s.post("/cookies", "choice=save&q1=granted&q2=refused&policy="+s.enforcer.Policy().Digest())
		jar := jarOf(saved.Header())
		for name, w := range map[string]*struct {
			target string
			lines  []string
			body   string
		}{
			"first visit":  {"/cookies", []string{"Referer: https://data.city.example/x?a=\"><script>", "Sec-GPC: 1"}, ""},
			"saved":        {saved.Header().Get("Location"), []string{"Cookie: " + jar}, ""},
			"not saved":    {saved.Header().Get("Location"), []string{"Sec-Fetch-Site: same-origin"}, ""},
			"unreadable":   {"/cookies", []string{"Cookie: cookies_preferences={"}, ""},
			"too old":      {"/cookies", []string{`Cookie: cookies_preferences={"matomo":true,"timestamp":1}`}, ""},
			"contradicted": {"/cookies", []string{`Cookie: cookies_preferences={"matomo":true,"matomo":false}`}, ""},
			"refused":      {"/cookies", nil, "choice=accept&back=/x"},
		} {
			t.Run(l.Tag+"/"+name, func(t *testing.T) {
				target, _, _ := strings.Cut(w.target, "#")
				lines := append(w.lines, "Accept-Language: "+l.Tag)
				r := s.get(target, lines...)
				if w.body != "" {
					r = s.post(target, w.body, lines...)
				}
				if s.outcome.Err != nil {
					t.Error(s.outcome.Err)
				}
				doc, err := html.Parse(strings.NewReader(r.Body.String()))
				if err != nil {
					t.Fatal(err)
				}
				check(t, name, doc, r.Body.String(), r.Header())
			})
		}
	}
}

// jarOf returns the Cookie header of a browser that has stored the cookies of an answer.
func jarOf(h http.Header) string {
	var pairs []string
	for _, line := range h["Set-Cookie"] {
		pair, attributes, _ := strings.Cut(line, ";")
		if !strings.Contains(attributes, "Max-Age=0") {
			pairs = append(pairs, pair)
		}
	}
	return strings.Join(pairs, "; ")
}

// elements returns the elements with one of the names, or all.
func elements(n *html.Node, names ...string) (found []*html.Node) {
	for d := range n.Descendants() {
		if d.Type == html.ElementNode && (len(names) == 0 || slices.Contains(names, d.Data)) {
			found = append(found, d)
		}
	}
	return found
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}

func text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// What holds of the structure of each page, in each language: headings, landmarks, tables, labels, ids.
func TestHTMLStructure(t *testing.T) {
	pages(t, func(t *testing.T, name string, doc *html.Node, body string, header http.Header) {
		ids := map[string]*html.Node{}
		for _, e := range elements(doc) {
			if id := attribute(e, "id"); id != "" {
				if ids[id] != nil {
					t.Errorf("two elements have the id %s", id)
				}
				ids[id] = e
			}
			if has(e, "lang") && attribute(e, "lang") == "" || has(e, "style") || has(e, "disabled") {
				t.Errorf("a bad attribute in <%s %v>", e.Data, e.Attr)
			}
			for _, a := range e.Attr {
				if strings.HasPrefix(a.Key, "on") {
					t.Errorf("there is a script in <%s %v>", e.Data, e.Attr)
				}
			}
		}
		for _, e := range elements(doc) {
			for _, reference := range []string{"aria-labelledby", "aria-describedby", "for"} {
				for id := range strings.FieldsSeq(attribute(e, reference)) {
					if ids[id] == nil {
						t.Errorf("nothing has the id %s of %s", id, reference)
					}
				}
			}
			if href := attribute(e, "href"); strings.HasPrefix(href, "#") && ids[href[1:]] == nil {
				t.Errorf("nothing has the id %s of a link", href)
			}
		}
		level := 0
		for _, h := range elements(doc, "h1", "h2", "h3", "h4", "h5", "h6") {
			n := int(h.Data[1] - '0')
			if n > level+1 || n == 1 && level > 0 || text(h) == "" {
				t.Errorf("the heading %s %q comes after one of level %d", h.Data, text(h), level)
			}
			level = n
		}
		for element, n := range map[string]int{"h1": 1, "main": 1, "header": 1, "title": 1, "script": 0, "style": 1,
			"iframe": 0, "img": 0, "b": 0, "link": 0} {
			if got := len(elements(doc, element)); got != n {
				t.Errorf("there are %d elements %s, want %d", got, element, n)
			}
		}
		hash := sha256.Sum256([]byte(elements(doc, "style")[0].FirstChild.Data))
		if want := "'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'"; !strings.Contains(
			header.Get("Content-Security-Policy"), "style-src "+want+";") {
			t.Errorf("the style has the hash %s, which is not in %s", want, header.Get("Content-Security-Policy"))
		}
		if lang := attribute(elements(doc, "html")[0], "lang"); lang != header.Get("Content-Language") {
			t.Errorf("the page is in %s, and the header says %s", lang, header.Get("Content-Language"))
		}
		for _, table := range elements(doc, "table") {
			if len(elements(table, "caption")) != 1 || text(elements(table, "caption")[0]) == "" {
				t.Error("a table has no caption")
			}
			for _, th := range elements(table, "th") {
				if scope := attribute(th, "scope"); scope != "col" && scope != "row" {
					t.Errorf("the head %q has no scope", text(th))
				}
			}
			for _, row := range elements(table, "tr") {
				if n := len(elements(row, "th", "td")); n != 5 {
					t.Errorf("a row has %d cells", n)
				}
			}
		}
		title := text(elements(doc, "title")[0])
		wantPrefix := map[string]string{"saved": "Saved: ", "not saved": "Not saved: ", "refused": "Error: "}[name]
		if header.Get("Content-Language") == "en" && !strings.HasPrefix(title, wantPrefix) {
			t.Errorf("the title is %q", title)
		}
		if strings.Contains(body, "ZgotmplZ") || strings.Contains(body, "<no value>") || strings.Contains(body, "{") &&
			strings.Contains(text(elements(doc, "body")[0]), "{") {
			t.Error("a placeholder is left")
		}
	})
}

// What holds of the form: each control has a label, each question a legend, nothing is chosen that the
// visitor has not chosen, the buttons come in the right order and are equals.
func TestHTMLForm(t *testing.T) {
	pages(t, func(t *testing.T, name string, doc *html.Node, _ string, _ http.Header) {
		forms := elements(doc, "form")
		if len(forms) != 2 {
			t.Fatalf("there are %d forms", len(forms))
		}
		labels := map[string]string{}
		for _, l := range elements(doc, "label") {
			labels[attribute(l, "for")] = text(l)
		}
		for _, form := range forms {
			if attribute(form, "method") != "post" || attribute(form, "autocomplete") != "off" || has(form, "action") {
				t.Errorf("a form is <form %v>", form.Attr)
			}
		}
		for _, fieldset := range elements(doc, "fieldset") {
			if legends := elements(fieldset, "legend"); len(legends) != 1 || text(legends[0]) == "" {
				t.Error("a question has no legend")
			}
			if !has(fieldset, "aria-describedby") {
				t.Error("a question has no description")
			}
		}
		var checked, radios []string
		for _, input := range elements(doc, "input") {
			switch attribute(input, "type") {
			case "hidden":
			case "radio":
				radios = append(radios, attribute(input, "name")+"="+attribute(input, "value"))
				if labels[attribute(input, "id")] == "" {
					t.Errorf("<input %v> has no label", input.Attr)
				}
				if has(input, "checked") {
					checked = append(checked, attribute(input, "name")+"="+attribute(input, "value"))
				}
			default:
				t.Errorf("there is a control <input %v>", input.Attr)
			}
		}
		want := []string(nil)
		if name == "saved" {
			want = []string{"q1=granted", "q2=refused", "q3=refused", "q4=refused", "q5=refused"}
		}
		if !slices.Equal(checked, want) || len(radios) != 10 {
			t.Errorf("of %v are checked %v, want %v", radios, checked, want)
		}
		var buttons []string
		for i, form := range forms {
			for _, b := range elements(form, "button") {
				buttons = append(buttons, fmt.Sprintf("%d %s=%s %s", i, attribute(b, "name"), attribute(b, "value"),
					attribute(b, "class")))
			}
		}
		if want := []string{"0 choice=refuse ", "0 choice=accept ", "1 choice=save "}; !slices.Equal(buttons, want) {
			t.Errorf("the buttons are %q", buttons)
		}
	})
}

// Every rule in force is on the page once, and so is each of its names.
func TestHTMLHasEveryRule(t *testing.T) {
	for _, preset := range append(policy.Presets(), "") {
		p := rich()
		if preset != "" {
			p = policy.Policy{Presets: []policy.Preset{{Name: preset}}}
		}
		s := newSite(t, p, Config{})
		doc, err := html.Parse(strings.NewReader(s.get("/").Body.String()))
		if err != nil {
			t.Fatal(err)
		}
		shown := map[string]int{}
		rows := 0
		for _, th := range elements(doc, "th") {
			if attribute(th, "scope") == "row" {
				rows++
				for _, code := range elements(th, "code") {
					shown[text(code)]++
				}
			}
		}
		rules := s.enforcer.Policy().Rules()
		if rows != len(rules) {
			t.Errorf("%s: %d rows for %d rules", preset, rows, len(rules))
		}
		names := 0
		for _, rule := range rules {
			for _, cookie := range rule.Cookies {
				if names++; shown[cookie] != 1 {
					t.Errorf("%s: %s is on the page %d times", preset, cookie, shown[cookie])
				}
			}
		}
		if names != len(shown) {
			t.Errorf("%s: names are on the page that no rule has: %v", preset, shown)
		}
	}
}

// A text that is not in the page's language says in which it is.
func TestHTMLLanguageOfTexts(t *testing.T) {
	s := newSite(t, rich(), Config{Languages: []string{"nl", "fr"}, Title: []policy.Text{{Text: "Onze cookies"}}})
	doc, err := html.Parse(strings.NewReader(s.get("/?lang=fr").Body.String()))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, e := range elements(doc, "span", "dt", "p", "h1") {
		if lang := attribute(e, "lang"); lang != "" {
			found[text(e)] = lang
			if attribute(e, "dir") != "auto" { // it can be written from right to left
				t.Errorf("%q does not have its own direction", text(e))
			}
		}
	}
	want := map[string]string{"Werbung": "de", "Notices": "nl", "Marketing": "en", "Onze cookies": "nl"}
	if fmt.Sprint(found) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", found, want)
	}
}

// FuzzServe sends anything to the page. It never fails, never reflects markup, never sets a cookie on a
// GET, and leads nowhere else.
func FuzzServe(f *testing.F) {
	f.Add("/cookies?lang=fr&saved=1", "choice=accept", "data.city.example", `{"matomo":true}`,
		"https://data.city.example/x", "fr")
	f.Add("/\\evil?lang=\"><script>", "choice=save&q1=granted", "\"><script>", "%7B", "javascript:alert(1)",
		"x-\"><script>")
	f.Add("//evil.example", "q1=granted&q1=refused&choice=save&back=//evil", "a:b:c", "", "//x", "*;q=2,,")
	s := newSite(f, rich(), Config{Controller: "City"})
	digest := s.enforcer.Policy().Digest()
	f.Fuzz(func(t *testing.T, target, body, host, preference, referer, accept string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			r := request(method, "/", body+"&policy="+digest, "Content-Type: application/x-www-form-urlencoded",
				"Sec-Fetch-Site: same-origin")
			r.URL, r.Host = u, host
			for name, value := range map[string]string{"Cookie": "cookies_preferences=" + preference,
				"Referer": referer, "Accept-Language": accept, "Accept": accept, "If-None-Match": accept} {
				r.Header[name] = []string{value}
			}
			s.t = t
			w := s.serve(r)
			switch {
			case s.outcome.Err != nil, w.Code >= 500:
				t.Fatalf("%d: %v", w.Code, s.outcome.Err)
			case method == http.MethodGet && (w.Code != http.StatusOK && w.Code != http.StatusNotModified ||
				w.Header()["Set-Cookie"] != nil):
				t.Fatalf("GET: %d, %q", w.Code, w.Header()["Set-Cookie"])
			case strings.Contains(w.Body.String(), "<script>"):
				t.Fatalf("markup is reflected: %s", w.Body)
			}
			if location := w.Header().Get("Location"); location != "" {
				base, _ := url.Parse("https://data.city.example/")
				to, err := base.Parse(location)
				if err != nil || to.Host != "data.city.example" || strings.HasPrefix(location, "//") ||
					strings.ContainsAny(location, "\\\r\n\t") {
					t.Fatalf("the answer leads to %q", location)
				}
			}
		}
	})
}
