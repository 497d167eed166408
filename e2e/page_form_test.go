package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

func sorted[V any](names map[string]V) []string { return slices.Sorted(maps.Keys(names)) }

// The page says before any choice what is enforced, on whom it depends, and how to choose: the
// statements P1 to P6 of what the law asks for, as far as they can be seen.
func testPageContent(t *testing.T, s *pageSites) {
	v := s.visitor(t, "https", "data")
	v.open("/cookies")

	// Each rule in force is in one row, with presets; a row says five things.
	names := strings.Fields(v.text(
		`[...document.querySelectorAll('tbody th code')].map(e => e.innerText).sort().join(' ')`))
	want := strings.Fields("sessionid csrftoken django_language cookies_preferences " +
		"_pk_id* _pk_ref* _pk_ses* _pk_cvar* _pk_hsr* _pk_uid* _pk_testcookie* mtm_consent* matomo_ignore " +
		"piwik_ignore matomo_sessid atuserid atid atidvisitor atreman atredir atsession etuix comfort mp_*_mixpanel")
	slices.Sort(names)
	slices.Sort(want)
	v.want("the cookies in the tables", names, strings.Join(want, " "))
	v.must("every cell of the tables has a text",
		`[...document.querySelectorAll('tbody tr')].every(row => row.cells.length === 5 &&
			[...row.cells].every(cell => cell.innerText.trim() !== ''))`)

	row := func(name string) string {
		return v.text(fmt.Sprintf(`[...document.querySelectorAll('tbody tr')].find(row =>
			row.cells[2].innerText === %q).innerText.replace(/\s+/g, ' ')`, name))
	}
	for name, says := range map[string][]string{
		"comfort": {"City of Example", "Font size (all pages)", "session (until the browser is closed)",
			"Only with your consent"},
		"mp_*_mixpanel": {"Mixpanel", "Werbung (alle Seiten)", "not stated", "at most 6 months"},
		"etuix":         {"Eulerian", "Active unless you object", "13 months", "not prolonged by further visits"},
		"sessionid":     {"Opendatasoft", "14 days"},
	} {
		for _, words := range says {
			if got := row(name); !strings.Contains(got, words) {
				t.Errorf("the row of %s is %q, without %q", name, got, words)
			}
		}
	}
	text := v.text("document.body.innerText")
	for what, words := range map[string]string{
		"the controller":         "City of Example is responsible for this site",
		"who the others are":     "content from third parties, are provided by: Mixpanel.",
		"how to choose":          "Answer all questions at once",
		"what a refusal changes": "These cookies may not be used to measure your visits with Matomo.",
		"the right to withdraw":  "You can withdraw your consent on this page at any time",
		"what a * is":            "* stands for any characters",
		"the policy's name":      "data",
		"that it is enforced":    "enforces this policy",
		"that others are not":    "Cookies that are not listed here are blocked",
		"for which address":      "These are your choices for data.city.test",
		"how long":               "Your choices are kept for 6 months, whether you accept or refuse.",
		"how to keep the page":   "save it as a PDF",
	} {
		if !strings.Contains(text, words) {
			t.Errorf("the page does not say %s: %q", what, words)
		}
	}
	v.must("the page has a digest", `/\b[0-9a-f]{64}\b/.test(document.body.innerText)`)
	v.must("the page says since when", fmt.Sprintf(`document.querySelector('time').dateTime.startsWith(%q)`,
		time.Now().UTC().Format("2006-01-02")))

	v = s.visitor(t, "https", "observed")
	if text := v.open("/cookies"); !strings.Contains(text, "only observes, and does not enforce") ||
		strings.Contains(text, "gateway tells your browser to delete") {
		t.Errorf("in mode report the page claims to enforce: %s", text)
	}
}

// Choices are made by a form that needs no script, and nothing is chosen for a visitor: the statements
// U1 to U8.
func testPageForm(t *testing.T, s *pageSites) {
	// The weight of the two buttons, as Chromium draws them.
	v := s.visitor(t, "https", "data")
	for _, width := range []int64{1280, 320} {
		v.screen(width, 800, "light")
		for _, language := range pageLanguages {
			v.open("/cookies?lang=" + language)
			v.is(fmt.Sprintf("the order of the buttons, %s, %d px", language, width),
				`[...document.querySelectorAll('button')].map(b => b.value).join(' ')`, "refuse accept save")
			v.is(fmt.Sprintf("how refuse and accept differ, %s, %d px", language, width), `(() => {
				const [refuse, accept] = document.querySelectorAll('button');
				const a = getComputedStyle(refuse), b = getComputedStyle(accept);
				const differ = [...a].filter(p => a.getPropertyValue(p) !== b.getPropertyValue(p));
				const [r, s] = [refuse, accept].map(e => e.getBoundingClientRect());
				if (r.width !== s.width || r.height !== s.height) differ.push('size');
				return differ.join(' ');
			})()`, "")
		}
	}
	v.screen(1280, 800, "light")

	for _, scripts := range []bool{true, false} {
		t.Run(fmt.Sprintf("scripts %t", scripts), func(t *testing.T) {
			v := s.visitor(t, "https", "data")
			v.run(emulation.SetScriptExecutionDisabled(!scripts))
			v.open("/cookies")
			v.is("what is selected on the first visit", checkedIDs, "")
			v.is("the controls", `[...new Set([...document.querySelectorAll('input, select, textarea, button')]
				.map(e => e.type + (e.disabled ? ' disabled' : '')))].sort().join(', ')`, "hidden, radio, submit")
			v.is("the states on the first visit", stateWords, allUndecided)

			// Silence is a refusal, and it is written down.
			v.presses("save")
			refused := v.preference()
			v.wantChoices("saved without an answer", refused, "at=false comfort=false eulerian=false "+
				"functional_cookies=true matomo=false mixpanel=false xiti=false")
			v.wantLife("refusal")

			// One answer for all.
			v.presses("accept")
			v.wantChoices("all accepted", v.preference(), "at=true comfort=true eulerian=true "+
				"functional_cookies=true matomo=true mixpanel=true xiti=true")
			v.wantLife("consent")
			v.is("the states after accept all", stateWords, allAccepted)

			// One question by itself, and the others stay as they are shown.
			v.answers("#q2-refused")
			v.wantChoices("one refused", v.preference(), "at=false comfort=true eulerian=true "+
				"functional_cookies=true matomo=true mixpanel=true xiti=false")
			v.is("what is selected then", checkedIDs, "q1-granted q2-refused q3-granted q4-granted q5-granted")

			v.presses("refuse")
			v.wantChoices("all refused", v.preference(), "at=false comfort=false eulerian=false "+
				"functional_cookies=true matomo=false mixpanel=false xiti=false")
			v.is("the states after refuse all", stateWords, allRefused)
		})
	}

	// Whatever the browser has stored, there is the page, and no error in its place.
	t.Run("no wall", func(t *testing.T) {
		v := s.visitor(t, "https", "data")
		for _, value := range []string{"", "{", "%7B%22matomo%22", "matomo", "{}", `{"matomo":true,"matomo":false}`,
			`{"matomo":true,"timestamp":1}`, strings.Repeat("x", 3000)} {
			v.run(network.SetCookie("cookies_preferences", value).WithURL(v.origin))
			status := v.submits(chromedp.Navigate(v.origin + "/cookies"))
			if status != http.StatusOK {
				t.Errorf("with the choice %.30q the page answers %d", value, status)
			}
			v.is(fmt.Sprintf("what is selected with the choice %.30q", value), checkedIDs, "")
			v.must("there is a form", `document.forms.length === 2`)
		}
	})
}

const (
	checkedIDs = `[...document.querySelectorAll(':checked')].map(e => e.id).join(' ')`
	stateWords = `[...document.querySelectorAll('section[aria-labelledby=choices] .states dd')]` +
		`.map(e => e.innerText).join(', ')`
)

// answers selects an answer, and saves.
func (v *pageVisitor) answers(answer string) {
	v.Helper()
	v.run(chromedp.Click(answer, chromedp.ByQuery))
	v.presses("save")
}

// preference returns the choice that the browser has stored.
func (v *pageVisitor) preference() map[string]any {
	v.Helper()
	c := v.stored()["cookies_preferences"]
	if c == nil {
		v.Fatal("the browser has no choice")
	}
	text, err := url.PathUnescape(c.Value)
	if err != nil {
		v.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal([]byte(text), &members); err != nil {
		v.Fatal(err)
	}
	return members
}

// wantChoices compares the members of a preference, but for the time, which has to be now.
func (v *pageVisitor) wantChoices(what string, preference map[string]any, want string) {
	v.Helper()
	var members []string
	for name, value := range preference {
		if name != "timestamp" {
			members = append(members, fmt.Sprintf("%s=%v", name, value))
		}
	}
	slices.Sort(members)
	v.want(what, members, want)
	made, _ := preference["timestamp"].(float64)
	if age := time.Since(time.UnixMilli(int64(made))); age < -time.Second || age > time.Minute {
		v.Errorf("%s: it was made %s ago", what, age)
	}
}

// wantLife checks how long the browser keeps the choice.
func (v *pageVisitor) wantLife(what string) {
	v.Helper()
	life := time.Until(time.UnixMilli(int64(v.stored()["cookies_preferences"].Expires * 1000)))
	if life > choiceLife || life < choiceLife-time.Minute {
		v.Errorf("a %s is kept for %s, want %s", what, life, choiceLife)
	}
}

// Statistics that need no consent are objected to, and browsers can do that with a signal: the
// statements U7 and U9.
func testPageObjection(t *testing.T, s *pageSites) {
	v := s.visitor(t, "https", "data")
	v.open("/cookies")
	v.is("the question", `document.querySelector('fieldset:has(#q3-refused) legend').innerText`,
		"Audience measurement with Eulerian: do you object to these cookies?")
	v.is("the answers", `[...document.querySelectorAll('fieldset:has(#q3-refused) label')].map(
		e => e.innerText).join('; ')`, "Yes, I object; No, I do not object")
	v.wantReceived("cookies before an objection", "")
	v.wantReceived("cookies of the next page", "etuix sessionid")
	v.open("/cookies")
	v.answers("#q3-refused")
	v.wantReceived("cookies after the objection", "cookies_preferences sessionid")
	v.wantStored("the jar after the objection", "cookies_preferences sessionid")

	// A signal objects to what no choice was made about, and an explicit yes counts more.
	v = s.visitor(t, "https", "data")
	v.run(network.Enable(), network.SetExtraHTTPHeaders(network.Headers{"Sec-GPC": "1"}))
	text := v.open("/cookies")
	for _, words := range []string{"Your browser sends the “Global Privacy Control” signal.",
		"it counts as a refusal of: Statistical cookies.",
		"If you accept explicitly, your choice takes precedence over this signal."} {
		if !strings.Contains(text, words) {
			t.Errorf("with the signal the page does not say %q", words)
		}
	}
	v.is("the states with the signal", stateWords, "refused, refused, objected, not decided, not decided")
	v.is("what is selected with the signal", checkedIDs, "")
	v.open("/")
	v.wantReceived("cookies with the signal", "sessionid")
	v.open("/cookies")
	v.answers("#q3-granted")
	v.is("the states after an explicit yes", stateWords, "refused, refused, active, no objection, refused, refused")
	v.open("/")
	v.wantReceived("cookies with the signal, and an explicit yes", "cookies_preferences etuix sessionid")
}

// What became of a form is said first, is true, and stays true: the statements A3 and A4, reload and
// back.
func testPageNotices(t *testing.T, s *pageSites) {
	for _, scheme := range []string{"http", "https"} {
		t.Run(scheme, func(t *testing.T) { testPageSaved(t, s.visitor(t, scheme, "data")) })
	}

	// The visitor came from a page of the portal, and finds a link back to it, and no redirect.
	v := s.visitor(t, "https", "data")
	v.open("/datasets?q=trees")
	v.submits(chromedp.Click("a", chromedp.ByQuery))
	v.is("the way back", `document.querySelector('.back a').href`, v.origin+"/datasets?q=trees")
	v.submits(chromedp.Click(".back a", chromedp.ByQuery))
	v.is("where it leads", "location.href", v.origin+"/datasets?q=trees")

	// A link that says saved proves nothing.
	v.open(fmt.Sprintf("/cookies?saved=%d", time.Now().Unix()))
	v.is("the title of a forged link", "document.title", "Cookie policy – data.city.test")

	// A browser that does not keep the choice.
	v = s.visitor(t, "https", "forgetful")
	v.open("/cookies")
	v.presses("accept")
	v.is("the title where nothing is kept", "document.title", "Not saved: Cookie policy – forgetful.city.test")
	v.is("where the focus is then", "document.activeElement.id", "saved")
	v.wantAnswers("where nothing is kept", allUndecided, "")

	// A policy that has changed since the page was opened.
	v = s.visitor(t, "https", "data")
	v.open("/cookies")
	v.script(`document.querySelectorAll('[name=policy]').forEach(e => e.value = 'of yesterday')`, nil)
	if status := v.submits(chromedp.Click(button("accept"), chromedp.ByQuery)); status != http.StatusConflict {
		t.Errorf("a form of yesterday's policy is answered with %d", status)
	}
	v.is("the title of an error", "document.title", "Error: Cookie policy – data.city.test")
	v.is("the error", "document.getElementById('error').innerText.replace(/\\s+/g, ' ')",
		"Your choices were not saved The cookie policy has changed since you opened this page. "+
			"Please check the questions and save again. Open the cookie policy again")
	v.is("its role", "document.getElementById('error').role", "alert")
	v.is("what is selected then", checkedIDs, "")
	v.wantStored("the jar then", "")

	// A form of another site, or of a sibling, chooses for nobody; the visitor gets a page that helps.
	for _, scheme := range []string{"http", "https"} {
		v := s.visitor(t, scheme, "data")
		v.open("/cookies")
		digest := v.text("document.querySelector('[name=policy]').value")
		for _, from := range []string{"no-referrer", "elsewhere"} {
			v.run(chromedp.Navigate(s.origin(scheme, from)))
			v.script(fmt.Sprintf(`document.body.innerHTML = '<form method=post action="%s/cookies">' +
				'<input name=policy value=%s><button name=choice value=accept>x</button></form>'`,
				v.origin, digest), nil)
			if status := v.submits(chromedp.Click("button", chromedp.ByQuery)); status != http.StatusForbidden {
				t.Errorf("over %s, a form of %s is answered with %d", scheme, from, status)
			}
			v.is("the title of that page", "document.title", "Error: Cookie policy – data.city.test")
			v.is("what is selected on it", checkedIDs, "")
			if slices.Contains(sorted(v.stored()), "cookies_preferences") {
				t.Errorf("over %s, a form of %s chose", scheme, from)
			}
		}
	}
}

// wantAnswers compares what the page says of the stored choice, and what is selected.
func (v *pageVisitor) wantAnswers(what, states, selected string) {
	v.Helper()
	v.is(what+": states", stateWords, states)
	v.is(what+": what is selected", checkedIDs, selected)
}

// What the page says about no answer, and about the same answer to all of its questions.
const (
	allUndecided     = "not decided, not decided, active, no objection, not decided, not decided"
	allAccepted      = "accepted, accepted, active, no objection, accepted, accepted"
	allRefused       = "refused, refused, objected, refused, refused"
	grantsSelected   = "q1-granted q2-granted q3-granted q4-granted q5-granted"
	refusalsSelected = "q1-refused q2-refused q3-refused q4-refused q5-refused"
)

// testPageSaved saves, reloads, and moves in the history of the tab.
func testPageSaved(t *testing.T, v *pageVisitor) {
	t.Helper()
	v.open("/")
	v.run(chromedp.Navigate(v.origin + "/cookies"))
	v.presses("accept")
	v.wantAnswers("after saving", allAccepted, grantsSelected)
	v.is("the title", "document.title", "Saved: Cookie policy – data.city.test")
	v.is("where the focus is", "document.activeElement.id", "saved")
	v.is("the notice", "document.getElementById('saved').innerText", "Your choices have been saved.")
	v.is("its role", "document.getElementById('saved').role", "status")
	v.must("it stands before the heading", `!!(document.getElementById('saved').compareDocumentPosition(
		document.querySelector('h1')) & Node.DOCUMENT_POSITION_FOLLOWING)`)
	v.must("it is in sight", `(r => r.top >= 0 && r.bottom <= innerHeight)(
		document.getElementById('saved').getBoundingClientRect())`)
	v.is("the date", `document.body.innerText.match(/You made them on (.*)\./)[1]`,
		time.Now().Format("2 January 2006"))

	// Reloaded, and left and gone back to.
	v.run(chromedp.Reload())
	v.wantAnswers("after a reload", allAccepted, grantsSelected)
	v.is("the title after a reload", "document.title", "Saved: Cookie policy – data.city.test")
	v.goes(-1) // to the page before any choice, which the browser may show as it was
	v.run(chromedp.Reload())
	v.wantAnswers("on the page before, gone back to and reloaded", allAccepted, grantsSelected)
	v.presses("refuse")
	v.wantAnswers("after the refusal", allRefused, refusalsSelected)
	v.open("/")
	v.goes(-1)
	v.wantAnswers("gone back to from the portal", allRefused, refusalsSelected)
	v.goes(-1)
	v.goes(1)
	v.wantAnswers("and forward", allRefused, refusalsSelected)
}
