package page

import (
	"encoding/base64"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

var backLink = regexp.MustCompile(`<p class="back"><a href="([^"]*)">`)

// back returns where the page's link leads back to, and what the hidden field of its form says.
func back(t *testing.T, page string) string {
	t.Helper()
	link := ""
	if m := backLink.FindStringSubmatch(page); m != nil {
		link = m[1]
	}
	field := ""
	if m := regexp.MustCompile(`name="back" value="([^"]*)"`).FindStringSubmatch(page); m != nil {
		field = m[1]
	}
	if link != field {
		t.Errorf("the link leads to %q, and the form has %q", link, field)
	}
	return link
}

// After a choice was saved, and after another one, the page leads back to where the visitor came from.
// Its address does not show where that is.
func TestBackAfterSaving(t *testing.T) {
	s := newSite(t, city(), Config{Controller: "City"})
	const from = "/explore/dataset/secret-visit/?q=1"
	html := s.get("/cookies", "Referer: https://data.city.example"+from).Body.String()
	for range 2 {
		path := back(t, html)
		if path != from {
			t.Fatalf("the way back is %q", path)
		}
		form := url.Values{"choice": {"refuse"}, "policy": {s.enforcer.Policy().Digest()}, "back": {path}}
		w := s.post("/cookies?lang=fr", form.Encode())
		location := w.Header().Get("Location")
		if w.Code != http.StatusSeeOther || strings.Contains(location, "explore") || strings.Contains(location, "secret") {
			t.Fatalf("%d leads to %s", w.Code, location)
		}
		location, _, _ = strings.Cut(location, "#")
		html = s.get(location, "Referer: https://data.city.example/cookies?lang=fr",
			"Sec-Fetch-Site: same-origin").Body.String()
	}
}

// The page in another language leads back to where the visitor came from, too.
func TestBackFromAnotherLanguage(t *testing.T) {
	s := newSite(t, city(), Config{Controller: "City"})
	const from = "/explore/dataset/secret-visit/?q=1"
	link := regexp.MustCompile(`<a href="([^"]*)" lang="([a-z]+)"`)
	path, referer := "/cookies", "Referer: https://data.city.example"+from
	for _, language := range []string{"fr", "de", "en"} {
		page := s.get(path, referer).Body.String()
		if got := back(t, page); got != from {
			t.Fatalf("%s leads back to %q", path, got)
		}
		referer = "Referer: https://data.city.example" + path
		for _, m := range link.FindAllStringSubmatch(page, -1) {
			if strings.Contains(m[1], "secret") {
				t.Errorf("the link %s shows where the visitor came from", m[1])
			}
			if m[2] == language {
				path = "/cookies" + html.UnescapeString(m[1])
			}
		}
		if !strings.Contains(path, "lang="+language) {
			t.Fatalf("no link to %s", language)
		}
	}
	first := s.get("/cookies", "Referer: https://data.city.example"+from)
	again := s.get("/cookies", "Referer: https://data.city.example"+from,
		"If-None-Match: "+first.Header().Get("ETag"))
	if again.Code != http.StatusNotModified {
		t.Errorf("the same page with the same way back is %d", again.Code)
	}
	page := s.get("/cookies").Body.String()
	for _, m := range link.FindAllStringSubmatch(page, -1) {
		if m[1] != "?lang="+m[2] {
			t.Errorf("with no way back, the link to %s is %s", m[2], m[1])
		}
	}
}

// Only what this page sealed for this host becomes a link, and only if it is a path of the site.
func TestBackSealed(t *testing.T) {
	s, other := newSite(t, city(), Config{Controller: "City"}), newSite(t, city(), Config{})
	const host = "data.city.example"
	seal := s.page.sealer.seal
	good := seal("/explore/", host)
	damaged := []byte(good)
	damaged[10] ^= 1
	for _, c := range []struct{ name, token, want string }{
		{"a path", good, "/explore/"},
		{"nothing", "", ""},
		{"the path itself", url.QueryEscape("/explore/"), ""},
		{"the path, encoded", base64.RawURLEncoding.EncodeToString([]byte("/explore/")), ""},
		{"another page's", other.page.sealer.seal("/explore/", host), ""},
		{"another host's", seal("/explore/", "evil.example"), ""},
		{"damaged", string(damaged), ""},
		{"cut", good[:len(good)-1], ""},
		{"long", strings.Repeat(good, 100), ""},
		{"another site", seal("//evil.example/", host), ""},
		{"another site, as browsers read it", seal(`/\evil.example/`, host), ""},
		{"an address", seal("https://evil.example/", host), ""},
		{"a script", seal("javascript:alert(1)", host), ""},
		{"markup", seal(`/"><script>`, host), "/%22%3E%3Cscript%3E"},
	} {
		if got := back(t, s.get("/cookies?saved=1&back="+c.token).Body.String()); got != c.want {
			t.Errorf("%s leads to %q, want %q", c.name, got, c.want)
		}
	}
	if long := seal("/"+strings.Repeat("x", maxSealed), host); long != "" {
		t.Errorf("a long path is sealed as %d bytes", len(long))
	}
	if a, b := seal("/", host), seal("/", host); a == b {
		t.Error("the same path is sealed twice alike: logs would show that it is the same")
	}
}

// What is in force since when, and what changed, is shown as far as it is known.
func TestInForce(t *testing.T) {
	p, e := newPage(t, Config{}), compile(t, city())
	later := noon.AddDate(0, 0, 3)
	for _, c := range []struct {
		name           string
		in             InForce
		since, changed bool
	}{
		{"nothing is known", InForce{}, false, false},
		{"never changed", InForce{noon, noon}, true, false},
		{"changed", InForce{noon, later}, true, true},
	} {
		d, err := p.Data(e, c.in, Visitor{})
		if err != nil {
			t.Fatal(err)
		}
		html, err := p.HTML(d)
		if err != nil {
			t.Fatal(err)
		}
		since, changed := strings.Contains(string(html), string(d.T.Policy.Since)),
			strings.Contains(string(html), string(d.T.Policy.Changed))
		if since != c.since || changed != c.changed || d.Policy.Since.IsZero() == c.since ||
			d.Policy.Changed.IsZero() == c.changed {
			t.Errorf("%s: since %t, changed %t: %+v", c.name, since, changed, d.Policy)
		}
	}
}
