package e2e

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"
)

// What browsers do with lifetimes is recorded in enforcer/internal/wire/testdata/lifetimes.jsonl, where the tests of that package read it. Its first
// line says when, and by which versions. Each other line is an object:
//
//	{"attributes":"; Max-Age=3600; Expires=never","chromium":3600,"firefox":3600}
//
// The attributes are what follows the pair of a Set-Cookie line; each character stands for one byte. The browser had a session cookie of the same
// name, domain and path when it got the line. Its answer is what it had then:
//
//	"session"  the line's cookie, as a session cookie
//	3600       the line's cookie, with a lifetime in seconds, to the nearest hundred (browsers end all lifetimes after 400 days: 34560000)
//	"deleted"  no cookie: the line was a deletion
//	"ignored"  the cookie that it had before: the line was refused as a whole
//
// Chromium is asked each time the test runs. With -update its answers are recorded, and with -firefox=/usr/bin/firefox-esr Firefox is asked too.

// lifetimesRecord is the path of the record.
var lifetimesRecord = filepath.Join("..", "enforcer", "internal", "wire", "testdata", "lifetimes.jsonl")

// lifetimesHeader is the first line of the record.
type lifetimesHeader struct {
	At       time.Time `json:"at"`
	Chromium string    `json:"chromium"` // its version
	Firefox  string    `json:"firefox"`
}

// lifetimeVector is any other line.
type lifetimeVector struct {
	Attributes string  `json:"attributes"`
	Chromium   outcome `json:"chromium"`
	Firefox    outcome `json:"firefox"`
}

// outcome is what a browser did with a line.
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

// subject is a browser that is asked about lifetimes.
type subject interface {
	version(t *testing.T) string
	// visit goes to a page that is answered with 204. When it returns, the cookies of its header are stored.
	visit(url string) error
	cookies() ([]lifetimeCookie, error)
}

// lifetimeCookie is what a browser tells about one of its cookies.
type lifetimeCookie struct {
	name, value, host string
	expires           float64 // seconds since 1970; zero for a session cookie
}

// chromium is a subject.
type chromium struct{ profile context.Context }

func (c chromium) version(t *testing.T) (product string) {
	t.Helper()
	err := chromedp.Run(c.profile, chromedp.ActionFunc(func(ctx context.Context) (err error) {
		_, product, _, _, _, err = browser.GetVersion().Do(ctx)
		return err
	}))
	if err != nil {
		t.Fatal(err)
	}
	_, version, _ := strings.Cut(product, "/")
	return version
}

func (c chromium) visit(url string) error { return visit(c.profile, url) }

func (c chromium) cookies() (cookies []lifetimeCookie, err error) {
	target := chromedp.FromContext(c.profile)
	got, err := storage.GetCookies().WithBrowserContextID(target.BrowserContextID).Do(cdp.WithExecutor(c.profile, target.Browser))
	for _, n := range got {
		cookie := lifetimeCookie{name: n.Name, value: n.Value, host: n.Domain}
		if !n.Session {
			cookie.expires = n.Expires
		}
		cookies = append(cookies, cookie)
	}
	return cookies, err
}

// lifetimesPerHost is less than what browsers keep for one host.
const lifetimesPerHost = 120

// interview is a portal that sends lines to browsers. For each batch of lines there is a host for each name, n.name.localhost.
type interview struct {
	portal *rawPortal
	lines  []string
}

func startInterview(t *testing.T, lines []string) *interview {
	t.Helper()
	i := &interview{lines: lines}
	i.portal = startRawPortal(t, tls.Certificate{}, func(path string) (a answer, ok bool) {
		// /<name>/<batch>/before or /<name>/<batch>/line
		part := strings.Split(path, "/")
		if len(part) != 4 {
			return a, false
		}
		batch, err := strconv.Atoi(part[2])
		if err != nil {
			return a, false
		}
		for n, line := range i.batch(batch) {
			if part[3] == "before" {
				line = ""
			}
			a.header = append(a.header, fmt.Sprintf("Set-Cookie: %s%d=%s%s", part[1], n, part[3], line))
		}
		return a, true
	})
	return i
}

func (i *interview) batch(n int) []string {
	return i.lines[min(n*lifetimesPerHost, len(i.lines)):min((n+1)*lifetimesPerHost, len(i.lines))]
}

// ask gives each line to a browser, as one that sets a cookie whose name begins with the given one, and returns what the browser does with it.
// The line comes by way of the given port; what is there before comes from the portal itself.
func (i *interview) ask(t *testing.T, b subject, name, port string) []outcome {
	t.Helper()
	type key struct{ host, name string }
	at := map[key]int{}
	sent := make([]time.Time, len(i.lines))
	outcomes := make([]outcome, len(i.lines))
	for batch := 0; batch*lifetimesPerHost < len(i.lines); batch++ {
		host := fmt.Sprintf("%s%d.localhost", strings.Trim(name, "_"), batch)
		for n := range i.batch(batch) {
			line := batch*lifetimesPerHost + n
			at[key{host, fmt.Sprintf("%s%d", name, n)}] = line
			sent[line] = time.Now()
			outcomes[line] = asDeleted
		}
		for _, visit := range [][2]string{{i.portal.port(), "before"}, {port, "line"}} {
			if err := b.visit(fmt.Sprintf("http://%s:%s/%s/%d/%s", host, visit[0], name, batch, visit[1])); err != nil {
				t.Fatal(err)
			}
		}
		if _, ok := i.portal.received(fmt.Sprintf("/%s/%d/line", name, batch)); !ok {
			t.Fatalf("batch %d of %s was not asked for", batch, name)
		}
	}
	cookies, err := b.cookies()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cookies {
		line, ok := at[key{c.host, c.name}]
		switch {
		case !ok:
		case c.value == "before":
			outcomes[line] = asIgnored
		case c.value != "line":
			t.Errorf("%q has the value %q", i.lines[line], c.value)
		case c.expires != 0 && c.expires <= float64(time.Now().Unix()): // Firefox may list it for a while
		case c.expires == 0:
			outcomes[line] = asSession
		default:
			lifetime := c.expires - float64(sent[line].UnixMilli())/1000
			outcomes[line] = outcome{seconds: 100 * int64(math.Round(lifetime/100))}
		}
	}
	return outcomes
}

// TestLifetimesAreRecorded compares what browsers do with the record.
func TestLifetimesAreRecorded(t *testing.T) {
	header, recorded := readLifetimes(t)
	old := map[string]lifetimeVector{}
	for _, v := range recorded {
		old[v.Attributes] = v
	}
	vectors := make([]lifetimeVector, 0, len(recorded))
	lines := recordedLifetimes()
	for _, line := range lines {
		v := old[written(line)]
		v.Attributes = written(line)
		vectors = append(vectors, v)
	}
	i := startInterview(t, lines)
	compare := func(b subject, version *string, answerOf func(*lifetimeVector) *outcome) {
		*version = b.version(t)
		for n, got := range i.ask(t, b, "direct", i.portal.port()) {
			was := answerOf(&vectors[n])
			if !*update && *was != got {
				t.Errorf("%.200q: the answer is %v, recorded is %v", lines[n], got, *was)
			}
			*was = got
		}
	}
	compare(chromium{startChromium(t)}, &header.Chromium, func(v *lifetimeVector) *outcome { return &v.Chromium })
	if *firefoxPath != "" {
		compare(startFirefox(t), &header.Firefox, func(v *lifetimeVector) *outcome { return &v.Firefox })
	}
	for _, v := range vectors {
		if v.Firefox == (outcome{}) {
			t.Errorf("%.200q: what Firefox does is not recorded; run this with -update -firefox=<its path>", v.Attributes)
		}
	}
	if *update && !t.Failed() {
		header.At = time.Now().UTC().Truncate(time.Second)
		all := []any{header}
		for _, v := range vectors {
			all = append(all, v)
		}
		writeVectors(t, lifetimesRecord, all)
	} else if len(recorded) != len(vectors) {
		t.Errorf("the record has %d lines, and %d are generated", len(recorded), len(vectors))
	}
}

// readLifetimes reads the record. There may be none where it is to be written.
func readLifetimes(t *testing.T) (header lifetimesHeader, vectors []lifetimeVector) {
	t.Helper()
	if _, err := os.Stat(lifetimesRecord); err != nil && *update {
		return header, nil
	}
	for n, text := range readVectors[json.RawMessage](t, lifetimesRecord) {
		var v lifetimeVector
		var err error
		if n == 0 {
			err = json.Unmarshal(text, &header)
		} else {
			err = json.Unmarshal(text, &v)
			vectors = append(vectors, v)
		}
		if err != nil {
			t.Fatalf("%s:%d: %v", lifetimesRecord, n+1, err)
		}
	}
	return header, vectors
}

// mostSeconds is the max_age of the policy below, and graceSeconds what a browser may count on top.
const (
	mostSeconds  = 3600
	graceSeconds = 120
)

// TestLifetimesThroughTheGateway compares what a browser does with a line that came through the gateway with what it does with the line itself, for
// an unlisted cookie and for one whose lifetime the policy bounds.
func TestLifetimesThroughTheGateway(t *testing.T) {
	lines := slices.Concat(recordedLifetimes(), currentLifetimes(time.Now()))
	deletions := map[string]bool{} // in both browsers
	_, recorded := readLifetimes(t)
	for _, v := range recorded {
		deletions[raw(v.Attributes)] = v.Chromium == asDeleted && v.Firefox == asDeleted
	}
	i := startInterview(t, lines)
	port := strconv.Itoa(freePort(t))
	startGateway(t, "http://127.0.0.1:"+port, fmt.Sprintf(
		"http://:%s {\n\tbind 127.0.0.1\n\tcookie_policy {\n\t\tallow necessary keep* {\n\t\t\tmax_age 1h\n\t\t}\n\t}\n\treverse_proxy %s\n}\n", port, i.portal.addr))
	subjects := map[string]subject{"Chromium": chromium{startChromium(t)}}
	if *firefoxPath != "" {
		subjects["Firefox"] = startFirefox(t)
	}
	for name, b := range subjects {
		t.Run(name, func(t *testing.T) {
			direct := i.ask(t, b, "direct", i.portal.port())
			unlisted := i.ask(t, b, "_ga", port)
			bounded := i.ask(t, b, "keep", port)
			for n, line := range lines {
				if fault := unlistedFault(direct[n], unlisted[n]); fault != "" {
					t.Errorf("_ga=x%.200q: %s: %v, without the gateway %v", line, fault, unlisted[n], direct[n])
				}
				if fault := boundedFault(direct[n], bounded[n], deletions[line]); fault != "" {
					t.Errorf("keep=x%.200q: %s: %v, without the gateway %v", line, fault, bounded[n], direct[n])
				}
			}
		})
	}
}

// unlistedFault returns what is wrong with a browser's answer to a line of an unlisted cookie, if anything is: it must never be stored, and be
// deleted by a deletion only.
func unlistedFault(direct, got outcome) string {
	switch {
	case got.stored():
		return "an unlisted cookie is stored"
	case got == asDeleted && direct != asDeleted:
		return "a line that is no deletion deletes an unlisted cookie"
	}
	return ""
}

// boundedFault returns what is wrong with a browser's answer to a line of a cookie whose lifetime is bounded, if anything is. Where browsers do
// not agree on a lifetime, the gateway may make a session cookie of it in all of them. It may not lengthen a lifetime, turn a session cookie into one
// with a lifetime, or lose a cookie. What is a deletion in both browsers stays one.
func boundedFault(direct, got outcome, deletion bool) string {
	switch {
	case got.seconds > mostSeconds+graceSeconds:
		return "it lives longer than the policy allows"
	case direct == asSession && got.kind == "":
		return "a session cookie gets a lifetime"
	case direct.kind == "" && got.seconds > direct.seconds+graceSeconds:
		return "it lives longer than without the gateway"
	case direct.stored() && !got.stored():
		return "the cookie is lost"
	case direct == asIgnored && got.stored():
		return "a line that the browser refuses is stored"
	case deletion && got.stored():
		return "a deletion is stored"
	}
	return ""
}
