package e2e

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
)

// lifetimesRecord is the file that holds what browsers do with lifetimes. Its first line says when
// they were asked, and which versions. Each other line is an object:
//
//	{"attributes":"; Max-Age=3600; Expires=never","chromium":3600,"firefox":3600}
//
// The attributes are what follows the name and the value in a Set-Cookie line; each character stands
// for one byte. The browser has a session cookie of the same name, domain and path when the line
// comes. The answer is what it has afterwards:
//
//	"session"  the line's cookie, as a session cookie
//	3600       the line's cookie, with a lifetime in seconds, to the nearest hundred;
//	           both browsers cut every lifetime to 400 days, 34560000
//	"deleted"  no cookie: the line is a deletion
//	"ignored"  the earlier cookie: the line was refused as a whole
//
// The answers do not depend on when the browsers are asked, until 2036; see recordedLifetimes.
//
// TestLifetimesAreRecorded asks Chromium every time. To record the answers of both browsers:
//
//	go test -run TestLifetimesAreRecorded -update -firefox=/usr/bin/firefox-esr .
const lifetimesRecord = "../enforcer/internal/wire/testdata/lifetimes.jsonl"

// lifetimesHeader is the first line of the record.
type lifetimesHeader struct {
	At       time.Time `json:"at"`
	Chromium string    `json:"chromium"` // its version
	Firefox  string    `json:"firefox"`
}

// lifetimeVector is any other line of the record.
type lifetimeVector struct {
	Attributes string  `json:"attributes"`
	Chromium   outcome `json:"chromium"`
	Firefox    outcome `json:"firefox"`
}

// outcome is what a browser does with a line. The zero outcome is unknown.
type outcome struct {
	kind    string // session, deleted or ignored; empty for a lifetime
	seconds int64
}

var (
	asSession = outcome{kind: "session"}
	asDeleted = outcome{kind: "deleted"}
	asIgnored = outcome{kind: "ignored"}
)

func (o outcome) String() string { return cmp.Or(o.kind, fmt.Sprintf("%ds", o.seconds)) }

// stored reports whether the browser has the line's cookie.
func (o outcome) stored() bool { return o == asSession || o.kind == "" }

func (o outcome) MarshalJSON() ([]byte, error) {
	if o.kind != "" {
		return json.Marshal(o.kind)
	}
	return json.Marshal(o.seconds)
}

func (o *outcome) UnmarshalJSON(text []byte) error {
	*o = outcome{}
	if text[0] == '"' {
		return json.Unmarshal(text, &o.kind)
	}
	return json.Unmarshal(text, &o.seconds)
}

// lifetimeBrowser is a browser that is asked about lifetimes.
type lifetimeBrowser interface {
	version() (string, error)
	// visit requests a page that is answered with 204. When it returns, the cookies are stored.
	visit(url string) error
	cookies() ([]lifetimeCookie, error)
}

// lifetimeCookie is a cookie that a browser has stored.
type lifetimeCookie struct {
	name, value, host string
	expires           float64 // seconds since 1970; zero for a session cookie
}

// chromium is a lifetimeBrowser.
type chromium struct{ tab context.Context }

func (c chromium) version() (version string, err error) {
	err = chromedp.Run(c.tab, chromedp.ActionFunc(func(ctx context.Context) error {
		_, product, _, _, _, err := browser.GetVersion().Do(ctx)
		_, version, _ = strings.Cut(product, "/")
		return err
	}))
	return version, err
}

func (c chromium) visit(url string) error { return visit(c.tab, url) }

func (c chromium) cookies() (cookies []lifetimeCookie, err error) {
	ctx := chromedp.FromContext(c.tab)
	got, err := storage.GetCookies().Do(cdp.WithExecutor(c.tab, ctx.Browser))
	for _, g := range got {
		cookie := lifetimeCookie{name: g.Name, value: g.Value, host: g.Domain}
		if !g.Session {
			cookie.expires = g.Expires
		}
		cookies = append(cookies, cookie)
	}
	return cookies, err
}

// lifetimesPerHost is how many lines one host sends. Browsers keep some 180 cookies per host.
const lifetimesPerHost = 120

// lifetimePortal sends lines to browsers.
type lifetimePortal struct {
	*portaltest.Site
	lines []string // what follows name and value
}

// startLifetimePortal runs a portal until the test ends. It answers /NAME/BATCH/line with a batch of
// lines, and /NAME/BATCH/before with session cookies of the same names.
func startLifetimePortal(t *testing.T, lines []string) *lifetimePortal {
	t.Helper()
	p := &lifetimePortal{lines: lines}
	p.Site = portaltest.StartSite(t, tls.Certificate{}, func(path string) (a portaltest.SiteAnswer, ok bool) {
		parts := strings.Split(path, "/")
		if len(parts) != 4 {
			return a, false
		}
		name, what := parts[1], parts[3]
		batch, err := strconv.Atoi(parts[2])
		if err != nil {
			return a, false
		}
		for n, attributes := range p.batch(batch) {
			if what == "before" {
				attributes = ""
			}
			line := fmt.Sprintf("Set-Cookie: %s%d=%s%s", name, n, what, attributes)
			a.Header = append(a.Header, line)
		}
		return a, true
	})
	return p
}

func (p *lifetimePortal) batch(n int) []string {
	begin := min(n*lifetimesPerHost, len(p.lines))
	return p.lines[begin:min(begin+lifetimesPerHost, len(p.lines))]
}

// ask gives each line to a browser, and returns what the browser does with it. The names of the
// cookies begin with name. The lines come by way of the given port; the earlier cookies come from the
// portal itself.
func (p *lifetimePortal) ask(t *testing.T, b lifetimeBrowser, name, port string) []outcome {
	t.Helper()
	type key struct{ host, name string }
	lineOf := map[key]int{}
	var sent []time.Time
	var outcomes []outcome
	for batch := 0; len(p.batch(batch)) > 0; batch++ {
		host := fmt.Sprintf("%s%d.localhost", strings.Trim(name, "_"), batch)
		for n := range p.batch(batch) {
			lineOf[key{host, fmt.Sprint(name, n)}] = len(sent)
			sent = append(sent, time.Now())
			outcomes = append(outcomes, asDeleted)
		}
		path := fmt.Sprintf("/%s/%d/", name, batch)
		for _, url := range []string{
			"http://" + host + ":" + p.Port() + path + "before",
			"http://" + host + ":" + port + path + "line",
		} {
			if err := b.visit(url); err != nil {
				t.Fatal(err)
			}
		}
		if _, ok := p.Received(path + "line"); !ok {
			t.Fatalf("the portal was not asked for %sline", path)
		}
	}
	cookies, err := b.cookies()
	if err != nil {
		t.Fatal(err)
	}
	now := float64(time.Now().Unix())
	for _, c := range cookies {
		line, ok := lineOf[key{c.host, c.name}]
		switch {
		case !ok: // of an earlier call
		case c.value == "before":
			outcomes[line] = asIgnored
		case c.expires == 0:
			outcomes[line] = asSession
		case c.expires > now: // Firefox lists expired cookies for a while
			lifetime := c.expires - float64(sent[line].Unix())
			outcomes[line] = outcome{seconds: 100 * int64(math.Round(lifetime/100))}
		}
	}
	return outcomes
}

// TestLifetimesAreRecorded compares what browsers do with lifetimes with the record.
func TestLifetimesAreRecorded(t *testing.T) {
	header, recorded := readLifetimes(t)
	old := map[string]lifetimeVector{}
	for _, v := range recorded {
		old[v.Attributes] = v
	}
	lines := recordedLifetimes()
	vectors := make([]lifetimeVector, len(lines))
	for n, line := range lines {
		vectors[n] = old[written(line)]
		vectors[n].Attributes = written(line)
	}
	portal := startLifetimePortal(t, lines)
	compare := func(b lifetimeBrowser, version *string, of func(*lifetimeVector) *outcome) {
		var err error
		if *version, err = b.version(); err != nil {
			t.Fatal(err)
		}
		for n, got := range portal.ask(t, b, "direct", portal.Port()) {
			was := of(&vectors[n])
			if !*update && got != *was {
				t.Errorf("%.200q: the answer is %v, the record says %v", lines[n], got, *was)
			}
			*was = got
		}
	}
	compare(chromium{startChromium(t)}, &header.Chromium,
		func(v *lifetimeVector) *outcome { return &v.Chromium })
	if *firefoxPath != "" {
		compare(startFirefox(t), &header.Firefox,
			func(v *lifetimeVector) *outcome { return &v.Firefox })
	}
	for _, v := range vectors {
		if v.Firefox == (outcome{}) {
			t.Fatalf("%.200q: Firefox was not asked; run this with -update and -firefox", v.Attributes)
		}
	}
	if !*update && len(recorded) != len(vectors) {
		t.Errorf("the record has %d lines, and %d are generated", len(recorded), len(vectors))
	}
	if *update && !t.Failed() {
		header.At = time.Now().UTC().Truncate(time.Second)
		all := []any{header}
		for _, v := range vectors {
			all = append(all, v)
		}
		writeVectors(t, lifetimesRecord, all)
	}
}

// readLifetimes reads the record. With -update there may be none yet.
func readLifetimes(t *testing.T) (header lifetimesHeader, vectors []lifetimeVector) {
	t.Helper()
	if _, err := os.Stat(lifetimesRecord); err != nil && *update {
		return header, nil
	}
	lines := readVectors[json.RawMessage](t, lifetimesRecord)
	if err := json.Unmarshal(lines[0], &header); err != nil {
		t.Fatalf("%s:1: %v", lifetimesRecord, err)
	}
	vectors = make([]lifetimeVector, len(lines)-1)
	for n, line := range lines[1:] {
		if err := json.Unmarshal(line, &vectors[n]); err != nil {
			t.Fatalf("%s:%d: %v", lifetimesRecord, n+2, err)
		}
	}
	return header, vectors
}

const (
	maxAgeSeconds = 3600 // the max_age of the policy below
	graceSeconds  = 120  // between the answers of two runs, and for rounding
)

// TestLifetimesThroughTheGateway compares what a browser does with a line that came through the
// gateway with what it does with the same line without it: for an unlisted cookie, and for one whose
// lifetime the policy bounds.
func TestLifetimesThroughTheGateway(t *testing.T) {
	lines := slices.Concat(recordedLifetimes(), currentLifetimes(time.Now()))
	deletions := map[string]bool{} // in both browsers
	_, recorded := readLifetimes(t)
	for _, v := range recorded {
		deletions[raw(v.Attributes)] = v.Chromium == asDeleted && v.Firefox == asDeleted
	}
	portal := startLifetimePortal(t, lines)
	port := fmt.Sprint(portaltest.FreePort(t))
	startGateway(t, "http://127.0.0.1:"+port, `http://:`+port+` {
	bind 127.0.0.1
	cookie_policy {
		allow necessary keep* {
			max_age 1h
		}
	}
	reverse_proxy `+portal.Address+`
}
`)
	browsers := map[string]lifetimeBrowser{"Chromium": chromium{startChromium(t)}}
	if *firefoxPath != "" {
		browsers["Firefox"] = startFirefox(t)
	}
	for name, b := range browsers {
		t.Run(name, func(t *testing.T) {
			direct := portal.ask(t, b, "direct", portal.Port())
			unlisted := portal.ask(t, b, "_ga", port)
			bounded := portal.ask(t, b, "keep", port)
			lost := 0
			for n, line := range lines {
				was := direct[n]
				if fault := unlistedFault(was, unlisted[n]); fault != "" {
					t.Errorf("_ga%.200q: %s: %v, directly %v", line, fault, unlisted[n], was)
				}
				if deletions[line] && bounded[n] == asSession {
					lost++ // both browsers read a date that the gateway does not, and delete the cookie
				}
				if fault := boundedFault(was, bounded[n]); fault != "" {
					t.Errorf("keep%.200q: %s: %v, directly %v", line, fault, bounded[n], was)
				}
			}
			if lost > len(deletions)/40 {
				t.Errorf("of %d lines, %d that delete in both browsers became session cookies",
					len(deletions), lost)
			}
		})
	}
}

// unlistedFault returns what is wrong with a browser's answer to a line of an unlisted cookie. It
// must never be stored, and only a deletion may delete it.
func unlistedFault(direct, got outcome) string {
	switch {
	case got.stored():
		return "an unlisted cookie is stored"
	case got == asDeleted && direct != asDeleted:
		return "a line that is no deletion deletes an unlisted cookie"
	}
	return ""
}

// boundedFault returns what is wrong with a browser's answer to a line of a cookie whose lifetime is
// bounded. Where browsers disagree on a lifetime, the gateway may take it away, which makes a session
// cookie in all of them. It may not lengthen a lifetime, give one to a session cookie, or lose a
// cookie. What is a deletion in both browsers stays one.
func boundedFault(direct, got outcome) string {
	switch {
	case got.seconds > maxAgeSeconds+graceSeconds:
		return "it lives longer than the policy allows"
	case direct == asSession && got.kind == "":
		return "a session cookie gets a lifetime"
	case direct.kind == "" && got.seconds > direct.seconds+graceSeconds:
		return "it lives longer than without the gateway"
	case direct.stored() && !got.stored():
		return "the cookie is lost"
	case direct == asIgnored && got.stored():
		return "a line that the browser refuses is stored"
	}
	return ""
}
