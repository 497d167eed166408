package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// node is an element as assistive technology gets it from Chromium.
type node struct{ role, name, description string }

// nodes returns the elements of some roles, in the order of the page. The types of package accessibility
// do not know all that Chromium says.
func (v *pageVisitor) nodes(roles ...string) (found []node) {
	v.Helper()
	type text struct {
		Value any `json:"value"`
	}
	var tree struct {
		Nodes []struct {
			Ignored     bool `json:"ignored"`
			Role        text `json:"role"`
			Name        text `json:"name"`
			Description text `json:"description"`
		} `json:"nodes"`
	}
	v.run(chromedp.ActionFunc(func(ctx context.Context) error {
		return cdp.Execute(ctx, accessibility.CommandGetFullAXTree, nil, &tree)
	}))
	for _, n := range tree.Nodes {
		role, _ := n.Role.Value.(string)
		name, _ := n.Name.Value.(string)
		description, _ := n.Description.Value.(string)
		if !n.Ignored && slices.Contains(roles, role) {
			found = append(found, node{role, name, description})
		}
	}
	return found
}

// What assistive technology gets: names and descriptions of the form, tables that are tables also where
// they are drawn as cards, landmarks, and languages. The statements A1, A2, A5, A6, A8 and A10.
func testPageAccessibility(t *testing.T, s *pageSites) {
	v := s.visitor(t, "https", "data")
	v.open("/cookies")
	for i, n := range v.nodes("radio") {
		want := []string{"No, I refuse", "Yes, I accept"}[i%2]
		if i/2 == 2 {
			want = []string{"Yes, I object", "No, I do not object"}[i%2]
		}
		if n.name != want {
			t.Errorf("the radio button %d is called %q, want %q", i, n.name, want)
		}
	}
	groups := v.nodes("group")
	for i, title := range []string{"Audience measurement with Matomo: do you accept these cookies?",
		"Audience measurement with AT Internet: do you accept these cookies?",
		"Audience measurement with Eulerian: do you object to these cookies?",
		"Font size: do you accept these cookies?", "mixpanel: do you accept these cookies?"} {
		if i >= len(groups) || groups[i].name != title {
			t.Errorf("the groups are %q; number %d has to be called %q", groups, i, title)
			continue
		}
		for _, words := range []string{"Cookies concerned: ", map[bool]string{
			false: "What a refusal changes", true: "What an objection changes"}[i == 2]} {
			if !strings.Contains(groups[i].description, words) {
				t.Errorf("the description of %q is without %q: %q", title, words, groups[i].description)
			}
		}
	}
	for _, language := range pageLanguages {
		v.open("/cookies?lang=" + language)
		v.is("the language", "document.documentElement.lang", language)
		v.is("the language of a text that is only there in German, in "+language,
			`[...document.querySelectorAll('td')].find(e => e.innerText === 'Werbung (alle Seiten)'
			).querySelector('span').lang`, map[string]string{"de": ""}[language]+map[bool]string{
				false: "de"}[language == "de"])
		// Out of their context, too, buttons and links say what they do: no two have one name.
		names := map[string]bool{}
		for _, n := range v.nodes("button", "link") {
			if n.name == "" || names[n.name] {
				t.Errorf("in %s, a %s is called %q, as another one is, or it has no name", language, n.role, n.name)
			}
			names[n.name] = true
		}
		if n := len(v.nodes("main")) + len(v.nodes("banner")); n != 2 {
			t.Errorf("in %s there are %d of main and header, want one of each", language, n)
		}
		for _, n := range v.nodes("navigation", "form", "region", "table", "RootWebArea") {
			if n.name == "" {
				t.Errorf("in %s, a %s has no name", language, n.role)
			}
		}
		v.must("there is one h1, and no level is left out", `(levels => levels[0] === 1 &&
			levels.every((level, i) => i === 0 || level > 1 && level <= levels[i-1] + 1)
			)([...document.querySelectorAll('h1, h2, h3, h4, h5, h6')].map(h => +h.localName[1]))`)
	}

	// Cards of a narrow window are still the cells of a table.
	for _, width := range []int64{1280, 320} {
		v.screen(width, 800, "light")
		v.open("/cookies")
		counts := map[string]int{}
		for _, n := range v.nodes("table", "columnheader", "rowheader", "row", "cell") {
			counts[n.role]++
		}
		want := map[string]int{"table": 4, "columnheader": 4 * 5, "rowheader": 21, "row": 4 + 21, "cell": 4 * 21}
		if fmt.Sprint(counts) != fmt.Sprint(want) {
			t.Errorf("%d px wide, there are %v, want %v", width, counts, want)
		}
	}

	// Necessary cookies have no control, not even a disabled one, and the page says so.
	v.is("above the necessary cookies", `document.querySelector('#necessary + p').innerText`, "Always active")
	v.must("nothing is disabled", `document.querySelectorAll(':disabled, [aria-disabled]').length === 0`)
}

// The whole page with the keys Tab, Space, Enter and the arrows alone, with scripts switched off: the
// focus is always seen, nothing holds it, and Enter saves what is shown. The statements U6 and A7.
func testPageKeyboard(t *testing.T, s *pageSites) {
	v := s.visitor(t, "https", "data")
	v.run(emulation.SetScriptExecutionDisabled(true))
	v.open("/cookies?lang=en")
	press := func(keys ...string) {
		for _, key := range keys {
			v.run(chromedp.KeyEvent(key))
		}
	}
	const focused = `(e => e.id || e.value || e.innerText)(document.activeElement)`

	press(kb.Tab)
	v.is("the first stop", focused, "Skip to main content")
	v.must("it is in sight", `(r => r.left >= 0 && r.top >= 0)(document.activeElement.getBoundingClientRect())`)
	press(kb.Enter)
	v.is("after the skip link", focused, "main")
	var stops []string
	for range 100 {
		press(kb.Tab)
		stop := v.text(focused)
		if v.holds("document.activeElement === document.body") {
			break
		}
		stops = append(stops, stop)
		v.must("the focus is seen at "+stop, `(s => s.outlineStyle === 'solid' && parseFloat(s.outlineWidth) >= 2
			)(getComputedStyle(document.activeElement))`)
		v.must("nothing is over "+stop, `(r => document.activeElement.contains(document.elementFromPoint(
			r.left + r.width / 2, r.top + Math.min(r.height, 20) / 2)))(document.activeElement.getClientRects()[0])`)
	}
	v.want("the stops", stops, "Cookies used on data.city.test Your choices Who is responsible "+
		"refuse accept q1-refused q2-refused q3-refused q4-refused q5-refused save Contact City of Example")

	// To the first question, and with an arrow to its second answer; from there by Tab to the third.
	v.open("/cookies?lang=en")
	for range 100 {
		if v.text(focused) == "q1-refused" {
			break
		}
		press(kb.Tab)
	}
	press(kb.ArrowDown)
	v.is("after an arrow", checkedIDs, "q1-granted")
	press(kb.Tab, kb.Tab, " ")
	v.is("after a space", checkedIDs, "q1-granted q3-refused")
	v.submits(chromedp.KeyEvent(kb.Enter))
	v.is("after Enter", checkedIDs, "q1-granted q2-refused q3-refused q4-refused q5-refused")
	v.is("where the focus is", focused, "saved")
	v.wantChoices("after Enter", v.preference(), "at=false comfort=false eulerian=false functional_cookies=true "+
		"matomo=true mixpanel=false xiti=false")
}

// What is seen: no sideways scroll at 320 px, targets of 24 px, and 200 % and text spacing without loss.
// The statement A7.
func testPageLayout(t *testing.T, s *pageSites) {
	for _, site := range []string{"data", "readonly", "long"} {
		v := s.visitor(t, "https", site)
		for _, language := range pageLanguages {
			for _, width := range []int64{320, 640, 1280} {
				v.screen(width, 800, "light")
				if width == 320 {
					v.open("/cookies?lang=" + language)
				}
				what := fmt.Sprintf("%s in %s, %d px wide", site, language, width)
				v.is(what+": what is wider than the window", `[...document.querySelectorAll('body *')].filter(e => {
					const r = e.getBoundingClientRect();
					return r.width > 1 && (r.right > innerWidth + .5 || e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 1 &&
						getComputedStyle(e).display !== 'inline') && !e.closest('.skip, thead');
				}).map(e => e.outerHTML.slice(0, 80)).join('\n')`, "")
				v.must(what+": no sideways scroll", `document.documentElement.scrollWidth <= innerWidth`)
				v.is(what+": small targets", `[...document.querySelectorAll('a, button, input:not([type=hidden]), label')]
					.filter(e => !e.closest('.skip')).filter(e => {
						const r = e.getBoundingClientRect();
						return r.width < 24 || r.height < 24;
					}).map(e => e.outerHTML).join('\n')`, "")
				v.must(what+": each answer is in one line with its circle", `[...document.querySelectorAll('.answers div')]
					.every(e => { const [i, l] = [...e.children].map(c => c.getBoundingClientRect());
						return i.bottom > l.top && l.bottom > i.top && i.right <= l.left + 1; })`)
			}
		}
		// WCAG 1.4.12: text spacing that the visitor sets.
		v.screen(320, 800, "light")
		v.script(`(s => { s.replaceSync('* { line-height: 1.5 !important; letter-spacing: .12em !important; '+
			'word-spacing: .16em !important } p { margin-bottom: 2em !important }');
			document.adoptedStyleSheets = [s] })(new CSSStyleSheet())`, nil)
		v.must(site+": no sideways scroll with text spacing", `document.documentElement.scrollWidth <= innerWidth`)
	}
}

// What operators' headers do to the page. It takes the place of those that were set before; of those that
// come later, a second Content-Security-Policy takes the style, and nothing else.
func testPageHeaders(t *testing.T, s *pageSites) {
	for scheme, sites := range map[string]map[string]bool{
		"https": {"csp": true, "second-csp": false, "no-referrer": true, "late-noreferrer": true},
		"http":  {"no-referrer": true, "late-noreferrer": true},
	} {
		for site, styled := range sites {
			v := s.visitor(t, scheme, site)
			what := scheme + ", " + site
			v.open("/")
			v.submits(chromedp.Click("a", chromedp.ByQuery))
			if got := v.holds(`getComputedStyle(document.querySelector('button')).fontWeight === '600'`); got != styled {
				t.Errorf("%s: the style holds: %t, want %t", what, got, styled)
			}
			v.must(what+": no text is hidden or out of sight", `[...document.querySelectorAll('main *')].every(
				e => e.innerText === '' || e.getClientRects().length > 0)`)
			v.answers("#q1-granted")
			v.is(what+": the title", "document.title", "Saved: Cookie policy – "+site+pageDomain)
			v.is(what+": what is selected", checkedIDs,
				"q1-granted q2-refused q3-refused q4-refused q5-refused")
		}
	}
}
