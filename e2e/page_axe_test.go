package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// axe looks for what breaks WCAG 2.2 at the levels A and AA, and says where: nothing at all if all is
// well. What axe cannot decide counts, too.
const axe = `axe.run({
	runOnly: %s, resultTypes: ['violations', 'incomplete'],
}).then(r => [...r.violations, ...r.incomplete].flatMap(rule => rule.nodes.map(node =>
	rule.id + ': ' + node.target + ': ' + (node.failureSummary || rule.help))).join('\n'))`

// The rules that axe runs: all that WCAG asks for, and those that colours matter to.
const (
	axeWCAG    = `['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']`
	axeColours = `{type: 'rule', values: ['color-contrast', 'link-in-text-block']}`
)

// axe-core finds nothing, in no language and no state of the page, in a wide and a narrow window, with
// light and with dark colours.
func TestPageAxe(t *testing.T) {
	s := startPageSites(t)
	script := string(axeCore.files(t)["axe.min.js"])
	runs := 0
	for _, state := range []struct {
		name, site string
		reach      func(v *pageVisitor, language string)
	}{
		{"first visit", "data", func(v *pageVisitor, language string) { v.open("/cookies?lang=" + language) }},
		{"saved", "data", func(v *pageVisitor, language string) {
			v.open("/cookies?lang=" + language)
			v.presses("accept")
		}},
		{"refused", "data", func(v *pageVisitor, language string) {
			v.open("/datasets")
			v.run(chromedp.Evaluate(fmt.Sprintf("document.links[0].href += '?lang=%s'", language), nil))
			v.submits(chromedp.Click("a", chromedp.ByQuery))
			v.presses("refuse")
			v.submits(chromedp.Navigate(v.origin + "/cookies?lang=" + language))
		}},
		{"error", "data", func(v *pageVisitor, language string) {
			v.open("/cookies?lang=" + language)
			v.script(`document.querySelectorAll('[name=policy]').forEach(e => e.value = 'of yesterday')`, nil)
			v.submits(chromedp.Click(button("accept"), chromedp.ByQuery))
		}},
		{"mode report", "observed", func(v *pageVisitor, language string) { v.open("/cookies?lang=" + language) }},
		{"read-only", "readonly", func(v *pageVisitor, language string) { v.open("/cookies?lang=" + language) }},
	} {
		v := s.visitor(t, "https", state.site)
		for _, language := range pageLanguages {
			v.screen(1280, 800, "light")
			state.reach(v, language)
			v.is(state.name+": the language", "document.documentElement.lang", language)
			v.script(script, nil)
			for _, screen := range []struct {
				width          int64
				colours, rules string
			}{{1280, "light", axeWCAG}, {320, "light", axeWCAG}, {1280, "dark", axeColours}} {
				v.screen(screen.width, 800, screen.colours)
				v.must("axe looks at the colours", fmt.Sprintf(
					`(getComputedStyle(document.body).backgroundColor === 'rgb(255, 255, 255)') === (%q === 'light')`,
					screen.colours))
				runs++
				if found := v.text(fmt.Sprintf(axe, screen.rules)); found != "" {
					t.Errorf("%s in %s, %d px, %s:\n%s", state.name, language, screen.width, screen.colours,
						strings.TrimSpace(found))
				}
			}
		}
	}
	// axe does find faults: without labels, and with grey on grey.
	v := s.visitor(t, "https", "data")
	v.open("/cookies")
	v.script(script, nil)
	v.script(`document.querySelectorAll('label').forEach(e => e.remove());
		document.querySelector('h1').style.cssText = 'color: #999; background: #aaa'`, nil)
	found := v.text(fmt.Sprintf(axe, axeWCAG))
	if !strings.Contains(found, "label: #q1-granted") || !strings.Contains(found, "color-contrast: h1") {
		t.Errorf("axe does not find faults that are there: %s", found)
	}
	if want := 6 * 3 * len(pageLanguages); runs != want {
		t.Errorf("axe ran %d times, want %d", runs, want)
	}
}
