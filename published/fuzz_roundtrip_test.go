package published_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cookie-policy/caddy-cookie-policy/caddytext"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/languages"
	"github.com/cookie-policy/caddy-cookie-policy/page"
	"github.com/cookie-policy/caddy-cookie-policy/published"
)

// maker makes parts of a policy of bytes.
type maker struct {
	bytes []byte
	texts []string
}

func (m *maker) n(limit int) int {
	if len(m.bytes) == 0 {
		return 0
	}
	n := int(m.bytes[0]) % limit
	m.bytes = m.bytes[1:]
	return n
}

func (m *maker) text() string { return m.texts[m.n(len(m.texts))] }

// names are the names that fuzzed policies have beside their own: known ones, words, numbers, wildcards,
// and what stands for other characters on the pages of others.
var names = []string{"sessionid", "_ga", "_ga_*", "name", "Cookie", "Matomo", "session", "1234", "x.com", "a#b",
	"UA-XXXX-X",
	"__Host-sid", "_pk_id.*", "abc*def", "*_abc", "a|b_c", "~x!$%&'+-.^`", "localStorage", "deadbeef", "ga", "test",
	"necessary", "starting", "_", "__", "a,b", "<x>", "two words", `quo"te`, "[0-9]", "été", "a/b", "{x_y", "yes"}

// lifetimes are lifetimes of whole seconds: the page writes a fraction of one as a whole one.
var lifetimes = []policy.Duration{0, policy.Session, 1e9, 59e9, 60e9, 61e9, 3600e9, 86400e9, 90061e9, 86460e9,
	183 * 86400e9, 364 * 86400e9, 365 * 86400e9, 366 * 86400e9, 395 * 86400e9, 730 * 86400e9, 36500 * 86400e9}

// origins are origins of the rule with a number.
var origins = []string{"https://cdn%d.example", "https://*.tiles%d.example.org", "https://cdn%d.example:8443"}

// policyOf makes a policy of bytes and texts.
func policyOf(m *maker) policy.Policy {
	p := policy.Policy{}
	for i, preset := range policy.Presets() {
		if m.n(16) == i%16+1 {
			p.Presets = append(p.Presets, policy.Preset{Name: preset})
		}
	}
	tags := []string{"", "en", "fr", "de", "es", "it", "nl", "pt", "pt-BR", "ja", "ar"}
	texts := func() (texts []policy.Text) {
		for range m.n(3) {
			texts = append(texts, policy.Text{Language: tags[m.n(len(tags))], Text: m.text()})
		}
		return texts
	}
	seen := map[string]bool{}
	for i := range 1 + m.n(5) {
		r := policy.Rule{Category: policy.Categories[m.n(4)]}
		for range 1 + m.n(4) {
			switch m.n(4) {
			case 0:
				r.Cookies = append(r.Cookies, names[m.n(len(names))])
			case 1:
				r.Cookies = append(r.Cookies, fmt.Sprintf("own_%d_*", m.n(50)))
			case 2:
				r.Cookies = append(r.Cookies, fmt.Sprintf("own%d-%d", i, m.n(50)))
			default:
				r.Cookies = append(r.Cookies, m.text())
			}
		}
		if m.n(2) == 1 {
			r.Provider = m.text()
		}
		r.Function, r.Purpose = texts(), texts()
		r.Lifetime = lifetimes[m.n(len(lifetimes))]
		if m.n(4) == 1 {
			r.Lifetime = policy.Duration(m.n(256)*65536+m.n(256)*256+m.n(256)+1) * 1e9
		}
		r.Anonymous = r.Category == policy.Statistical && m.n(3) == 1
		for range max(0, m.n(6)-3) {
			r.Origin = append(r.Origin, fmt.Sprintf(origins[m.n(len(origins))], i))
		}
		if len(r.Origin) > 0 && m.n(3) == 1 {
			r.Cookies, r.Lifetime = nil, 0
		}
		r.Cookies = slices.DeleteFunc(r.Cookies, func(name string) bool {
			taken := seen[name]
			seen[name] = true
			return taken
		})
		if alone := (policy.Policy{Allow: []policy.Rule{r}}); len(alone.Faults()) == 0 {
			p.Allow = append(p.Allow, r)
		}
	}
	p.Mode = []string{"", "report", "enforce"}[m.n(3)]
	return p
}

// shown is a text as the reader of a page sees it: characters that show nothing or change the direction
// of a text are no part of what is imported.
func shown(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) && r < 0xe0000 || unicode.IsControl(r) {
			return -1
		}
		return r
	}, text)
	return strings.Join(strings.Fields(text), " ")
}

// canReturn reports whether a name is one that import takes from the page of a policy. It takes no
// wildcard with fewer than three fixed bytes, and nothing that a Caddyfile cannot hold or a reader cannot
// see.
func canReturn(name string) bool {
	fixed := strings.ReplaceAll(name, "*", "")
	_, err := caddytext.Quote(name)
	return err == nil && shown(name) == name && (fixed == name || len(fixed) >= 3)
}

// checkRoundTrip makes the page of a policy in each language, imports it, and compares.
func checkRoundTrip(t *testing.T, p policy.Policy) {
	t.Helper()
	noon := func() time.Time { return time.Date(2026, time.January, 15, 12, 0, 0, 0, time.UTC) }
	e, err := enforcer.Compile(p, noon)
	if err != nil {
		return // no policy
	}
	resolved, err := p.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	pages, err := page.New(page.Config{}, noon)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range languages.All() {
		data, err := pages.Data(e, page.InForce{Since: noon()}, page.Visitor{Host: "data.example.org", Language: l.Tag})
		if err != nil {
			t.Fatal(err)
		}
		html, err := pages.HTML(data)
		if err != nil {
			t.Fatal(err)
		}
		read := published.Read(html, published.HTML)
		if read.Language != l.Tag {
			t.Errorf("%s: the page's language is read as %q", l.Tag, read.Language)
		}
		rules := map[string]page.Rule{} // by their first name, or their first origin if they have none
		categories := map[string]string{}
		for _, kind := range data.Kinds {
			for _, r := range kind.Rules {
				names := slices.DeleteFunc(slices.Clone(r.Cookies), func(n string) bool { return !canReturn(n) })
				if r.Cookies = names; len(names)+len(r.Origins) > 0 {
					key := slices.Concat(names, r.Origins)[0]
					rules[key], categories[key] = r, string(kind.Category)
				}
			}
		}
		if len(read.Rows) != len(rules) {
			t.Errorf("%s: %d rules are %d rows", l.Tag, len(rules), len(read.Rows))
		}
		for i := range read.Rows {
			row := &read.Rows[i]
			names := []string{}
			for _, n := range row.Names {
				names = append(names, n.Pattern)
			}
			key := slices.Concat(names, row.Origins)[0]
			r, ok := rules[key]
			if !ok {
				t.Errorf("%s: the policy has no %q", l.Tag, key)
				continue
			}
			checkRow(t, l.Tag, row, names, categories[key], r)
			if rule, _ := resolved.Lookup(key); len(names) > 0 && rule != nil && rule.MaxAge == 0 {
				lifetime := row.Lifetime.Duration
				if row.Lifetime.Session {
					lifetime = policy.Session
				}
				if lifetime != rule.Lifetime {
					t.Errorf("%s: %q lives %s rather than %s", l.Tag, names, lifetime, rule.Lifetime)
				}
			}
		}
		for _, d := range published.Compare(read, resolved) {
			if d.Counts() && canReturn(d.Name) {
				t.Errorf("%s: %+v", l.Tag, d)
			}
		}
		block, _ := read.Block("")
		q := adapt(t, block)
		if q == nil {
			if len(read.Rows) > 0 {
				t.Errorf("%s: no policy from\n%s", l.Tag, block)
			}
			continue
		}
		if _, err := q.Resolve(); err != nil {
			t.Errorf("%s: %v", l.Tag, err)
		}
		for _, rule := range q.Allow {
			r := rules[slices.Concat(rule.Cookies, rule.Origin)[0]]
			want := r.Purpose.Text
			if len(rule.Purpose) > 0 {
				if _, err := caddytext.Quote(shown(want)); err == nil && rule.Purpose[0].Text != shown(want) {
					t.Errorf("%s: the purpose %q is written as %q", l.Tag, want, rule.Purpose[0].Text)
				}
			} else if shown(want) != "" {
				t.Errorf("%s: the purpose %q is not written", l.Tag, want)
			}
			if !slices.Equal(rule.Cookies, r.Cookies) || !slices.Equal(rule.Origin, r.Origins) {
				t.Errorf("%s: %q %q is written as %q %q", l.Tag, r.Cookies, r.Origins, rule.Cookies, rule.Origin)
			}
		}
	}
}

func checkRow(t *testing.T, tag string, row *published.Row, names []string, category string, r page.Rule) {
	t.Helper()
	if row.Doubt != "" || string(row.Category) != category || !slices.Equal(names, r.Cookies) ||
		row.Provider != shown(r.Provider) || row.Function != shown(r.Function.Text) ||
		row.Purpose != shown(r.Purpose.Text) || !slices.Equal(row.Origins, r.Origins) {
		t.Errorf("%s: %+v\nis read as %+v", tag, r, row)
	}
	if row.Purpose != "" && row.PurposeLanguage != r.Purpose.Language ||
		row.Function != "" && row.FunctionLanguage != r.Function.Language {
		t.Errorf("%s: the languages %q and %q are read as %q and %q", tag, r.Function.Language, r.Purpose.Language,
			row.FunctionLanguage, row.PurposeLanguage)
	}
}

func FuzzRoundTrip(f *testing.F) {
	for i := range 4 {
		seed := make([]byte, 80)
		for j := range seed {
			seed[j] = byte(i*j*7 + j*j + i)
		}
		f.Add(seed, "Remembers what was searched for.", "n/a", `{$HOME} "quoted" \ } {`)
		f.Add(seed, "Durée : 2 ans; _ga – Google", "Third party", "Only with your consent")
		f.Add(seed, "localStorage | Pixel", "Purpose: x", "一二三  \u00a0x\u202e\u200b")
		f.Add(seed, "Name", "Type", "Cookies") // a row that reads as headings
		f.Add(seed, "Pages may then load content from: https://words.example.", "no cookie", "—")
		f.Add(seed, "🍪", "<b>&amp;</b>", "1 day, 12 hours")
	}
	f.Fuzz(func(t *testing.T, b []byte, first, second, third string) {
		stated := map[string]bool{}
		for _, l := range languages.All() {
			stated[shown(string(l.Page.Cookies.NotStated))] = true
		}
		m := &maker{bytes: b}
		for _, text := range []string{first, second, third} {
			// A page cannot show a text that says that there is none, nor one that nobody can see or that is no
			// UTF-8.
			if s := shown(text); s == "" || stated[s] || !utf8.ValidString(text) {
				text = "A text"
			}
			m.texts = append(m.texts, text)
		}
		checkRoundTrip(t, policyOf(m))
	})
}
