package e2e

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
)

// banners are what the portal's pages have on some sites, by site: a banner of another maker, as its
// manual says, with two services that the policy has as consent keys. Those of tarteaucitron have names
// of their own, because it brings services called matomo and ga.
var banners = map[string]string{
	"klaro": `<script>
		var klaroConfig = {lang: 'en', default: false, services: [
			{name: 'matomo', title: 'Matomo', purposes: ['statistics']},
			{name: 'ga', title: 'Google Analytics', purposes: ['statistics']}]};
		</script><script src=/npm/klaro/dist/klaro.js></script>`,
	"tarteaucitron": `<script src=/npm/tarteaucitronjs/tarteaucitron.js></script><script>
		var tarteaucitronForceLanguage = 'en', ran = [];
		for (const key of ['stats', 'ads']) tarteaucitron.services[key] = {key, type: 'analytic', name: key,
			uri: '/', needConsent: true, cookies: [], js() { ran.push(key) }};
		tarteaucitron.init({privacyUrl: '/cookies', orientation: 'bottom', showIcon: false});
		(tarteaucitron.job = tarteaucitron.job || []).push('stats');
		tarteaucitron.job.push('ads');
		</script>`,
	"cookieconsent": `<script src=/npm/vanilla-cookieconsent/dist/cookieconsent.umd.js></script>
		<link rel=stylesheet href=/npm/vanilla-cookieconsent/dist/cookieconsent.css><script>
		var ready = CookieConsent.run({
			hideFromBots: false, // which browsers under test are to it
			categories: {necessary: {readOnly: true, enabled: true}, matomo: {}, ga: {}},
			language: {default: 'en', translations: {en: {
				consentModal: {title: 'Cookies', acceptAllBtn: 'Accept', acceptNecessaryBtn: 'Reject'},
				preferencesModal: {sections: []},
			}}},
		});</script>`,
}

// consentTool is a banner of another maker, on a site of which it has the name.
type consentTool struct {
	site   string
	npm    npmPackage
	shows  string // a script that promises whether the banner is there, once the tool has decided
	says   string // a script: what the tool takes as granted
	accept string // the banner's buttons
	reject string

	answered string // a regular expression of what scripts see of the tool's cookie after that
}

// run lets a visitor choose on the policy page and in the banner, by turns.
func (c *consentTool) run(t *testing.T, s *pageSites) {
	files := map[string][]byte{}
	for path, file := range c.npm.files(t) {
		files[c.npm.name+"/"+path] = file
	}
	s.portal.offer(files)
	v := s.visitor(t, "https", c.site)
	shows := func(what string, want bool) {
		t.Helper()
		if got := v.holds(c.shows); got != want {
			t.Errorf("%s: the banner is shown: %t, want %t", what, got, want)
		}
	}
	granted := func(what, want string) {
		t.Helper()
		v.open("/")
		shows(what, false)
		v.is(what+": what the tool takes as granted", c.says, want)
		v.open("/") // what it lets load has set its cookies by then
		trackers := map[string]string{"matomo": "_pk_id.1.abcd", "ga": "_ga"}
		stored := sorted(v.stored())
		for key, tracker := range trackers {
			_, has := v.stored()[tracker]
			if wants := want == "matomo ga" || want == key; has != wants {
				t.Errorf("%s: the jar has %s: %t, want %t; it has %q", what, tracker, has, wants, stored)
			}
		}
	}
	v.open("/")
	shows("the first visit", true)

	// What the banner writes, the gateway reads.
	// A banner may take a while to listen to its buttons, and says nothing when it does.
	press := func(button string) {
		v.must("the banner stores a choice", fmt.Sprintf(`new Promise(done => { const press = () => {
			document.querySelector(%q)?.click();
			%s.test(document.cookie) ? done(true) : setTimeout(press, 10) }; press() })`, button, c.answered))
	}
	press(c.reject)
	granted("rejected in the banner", "")
	v.open("/cookies")
	if undecided := v.text(stateWords); undecided != "refused, refused" && undecided != "not decided, not decided" {
		t.Errorf("rejected in the banner: the page says %s", undecided)
	}

	// What the page writes, the banner reads, and does not come again.
	v.presses("accept")
	granted("accepted on the page", "matomo ga")
	v.open("/cookies")
	v.presses("refuse")
	granted("refused on the page", "")
	v.open("/cookies")
	v.run(chromedp.Click("#q2-granted", chromedp.ByQuery))
	v.answers("#q1-refused")
	granted("one of two on the page", "ga")

	// Where there was nothing, the page begins, if the tool can go on from there.
	v = s.visitor(t, "https", c.site)
	v.open("/cookies")
	if v.holds("document.forms.length > 0") {
		v.answers("#q1-granted")
		granted("chosen on the page before the banner was seen", "matomo")
	} else {
		v.open("/")
		shows("before any choice", true)
		press(c.accept)
		granted("accepted in the banner", "matomo ga")
		v.open("/cookies")
		v.is("accepted in the banner", stateWords, "accepted, accepted")
	}
}

func testPageKlaro(t *testing.T, s *pageSites) {
	(&consentTool{site: "klaro", npm: klaro,
		shows: `new Promise(done => { const look = () => document.querySelector('#klaro .klaro') ?
			done(!!document.querySelector('.cookie-notice:not(.cookie-notice-hidden)')) :
			setTimeout(look, 10); look() })`,
		says:   `['matomo', 'ga'].filter(key => klaro.getManager().getConsent(key)).join(' ')`,
		accept: ".cm-btn-success", reject: ".cn-decline", answered: "/klaro=/",
	}).run(t, s)
}

func testPageTarteaucitron(t *testing.T, s *pageSites) {
	(&consentTool{site: "tarteaucitron", npm: tarteaucitron,
		shows: `new Promise(done => { const look = () => tarteaucitron.isAjax ?
			done(document.querySelector('#tarteaucitronAlertBig').style.display === 'block') :
			setTimeout(look, 10); look() })`,
		says:   `['stats', 'ads'].filter(key => ran.includes(key)).join(' ').replace('stats', 'matomo').replace('ads', 'ga')`,
		accept: "#tarteaucitronPersonalize2", reject: "#tarteaucitronAllDenied2", answered: "/=true|=false/",
	}).run(t, s)
}

func testPageCookieConsent(t *testing.T, s *pageSites) {
	(&consentTool{site: "cookieconsent", npm: cookieConsent,
		shows:  `ready.then(() => !!document.querySelector('#cc-main .cm'))`,
		says:   `['matomo', 'ga'].filter(key => CookieConsent.acceptedCategory(key)).join(' ')`,
		accept: "#cc-main .cm__btn[data-role=all]", reject: "#cc-main .cm__btn[data-role=necessary]",
		answered: "/cc_cookie=/",
	}).run(t, s)
}
