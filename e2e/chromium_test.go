package e2e

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/chromedp/cdproto/cdp"
	devtools "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
)

var update = flag.Bool("update", false,
	"record what Chromium does in enforcer/internal/wire/testdata, where the tests of that package read it")

// The four cookies of the published policy.
var published = []string{"sessionid", "csrftoken", "django_language", "cookies_preferences"}

// setCookieVector is a line of enforcer/internal/wire/testdata/setcookie.jsonl. In its strings each character
// stands for one byte, so that JSON can hold bytes that are no UTF-8.
type setCookieVector struct {
	ID      string   `json:"id"`
	Note    string   `json:"note"`
	HTTPS   bool     `json:"https,omitempty"`
	Host    string   `json:"host,omitempty"`    // default: www.<id>.test
	Headers []string `json:"headers,omitempty"` // other lines of the response's header
	Before  []string `json:"before,omitempty"`  // Set-Cookie lines of cookies that the browser has already
	Lines   []string `json:"lines"`             // Set-Cookie lines
	Kept    []bool   `json:"kept"`              // whether the policy lets each line through
	Doubt   string   `json:"doubt,omitempty"`   // why a deletion Chromium acts on is not let through
	Stored  []cookie `json:"stored"`            // what Chromium has then
	Caddy   []cookie `json:"caddy,omitempty"`   // what it has through Caddy, if that is something else
	Lost    bool     `json:"lost,omitempty"`    // Caddy answers with an error: what it has then is in Caddy
}

// cookie is what Chromium tells about one. In its strings, too, each character stands for one byte.
type cookie struct {
	Name        string `json:"name"`
	Value       string `json:"value"`
	Domain      string `json:"domain"` // with a leading dot unless it is the host's only
	Path        string `json:"path"`
	Session     bool   `json:"session,omitempty"`
	Secure      bool   `json:"secure,omitempty"`
	HTTPOnly    bool   `json:"http_only,omitempty"`
	SameSite    string `json:"same_site,omitempty"`
	Partitioned bool   `json:"partitioned,omitempty"`
}

func (c cookie) key() string { return c.Name + "\x00" + c.Domain + "\x00" + c.Path }

func (v *setCookieVector) host() string { return cmp.Or(v.Host, "www."+v.ID+".test") }

// site is the domain under which all the vector's cookies are.
func (v *setCookieVector) site() string { return v.ID + ".test" }

// throughCaddy is what Chromium has where the response came through Caddy.
func (v *setCookieVector) throughCaddy() []cookie {
	if v.Caddy != nil || v.Lost {
		return v.Caddy
	}
	return v.Stored
}

// gates are the addresses of the portal: by itself, behind Caddy, and behind Caddy with the
// published policy; each for HTTP and for HTTPS.
type gates [3]struct{ http, https string }

const (
	direct = iota
	plain
	policed
)

// startGates runs a portal and a Caddy before it.
func startGates(t *testing.T, hosts []string, respond func(path string) (portaltest.SiteAnswer,
	bool)) (*portaltest.Site, gates) {
	t.Helper()
	certificate, certFile, keyFile := portaltest.NewCertificate(t, hosts...)
	portal := portaltest.StartSite(t, certificate, respond)
	var g gates
	g[direct].http, g[direct].https = portal.Port(), portal.Port()
	var caddyfile strings.Builder
	for i, policy := range []string{plain: "", policed: "cookie_policy opendatasoft"} {
		if i == direct {
			continue
		}
		g[i].http, g[i].https = fmt.Sprint(portaltest.FreePort(t)), fmt.Sprint(portaltest.FreePort(t))
		for address, certificate := range map[string]string{"http://:" + g[i].http: "",
			"https://:" + g[i].https: "tls " + certFile + " " + keyFile} {
			fmt.Fprintf(&caddyfile, "%s {\n\tbind 127.0.0.1\n\t%s\n\t%s\n\treverse_proxy %s\n}\n",
				address, certificate, policy, portal.Address)
		}
	}
	startGateway(t, "http://127.0.0.1:"+g[policed].http, caddyfile.String())
	return portal, g
}

// url is that of a path of a host behind a gate.
func (g *gates) url(gate int, https bool, host, path string) string {
	if https {
		return "https://" + host + ":" + g[gate].https + path
	}
	return "http://" + host + ":" + g[gate].http + path
}

// startChromium runs a browser with a fresh profile until the test ends.
func startChromium(t *testing.T, more ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(need(t, "chromium", "chromium-browser", "google-chrome")),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.NoSandbox,
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("ignore-certificate-errors", true),
		chromedp.Flag("host-resolver-rules", "MAP *.test 127.0.0.1, MAP *.test. 127.0.0.1"),
		chromedp.Flag("disable-features", "HttpsUpgrades,site-per-process,Translate,BlinkGenPropertyTrees"),
		chromedp.WSURLReadTimeout(60*time.Second),
	)
	ctx, cancel := context.WithTimeout(context.Background(),
		5*time.Minute) // the test's own context ends before its cleanups
	t.Cleanup(cancel)
	ctx, _ = chromedp.NewExecAllocator(ctx, append(options, more...)...)
	ctx, _ = chromedp.NewContext(ctx)
	if err := chromedp.Run(ctx); err != nil {
		t.Fatalf("starting Chromium: %v", err)
	}
	// Cleanups run last to first: the browser is asked to close before the directory of its profile
	// goes.
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Logf("closing Chromium: %v", err)
		}
	})
	return ctx
}

// newProfile opens a tab with a cookie jar of its own.
func newProfile(t *testing.T, browser context.Context) context.Context {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	if err := chromedp.Run(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// visit goes to a page that is no page (204), which is much faster, and returns when its header has
// been read: by then its cookies are stored. An answer that the browser refuses is fine.
func visit(ctx context.Context, url string) error {
	return chromedp.Run(ctx, chromedp.ActionFunc(func(ctx context.Context) error {
		_, _, _, _, err := devtools.Navigate(url).Do(ctx)
		return err
	}))
}

// jar returns all that a profile has stored.
func jar(ctx context.Context) (cookies []cookie, err error) {
	c := chromedp.FromContext(ctx)
	got, err := storage.GetCookies().WithBrowserContextID(c.BrowserContextID).
		Do(cdp.WithExecutor(ctx, c.Browser))
	for _, n := range got {
		cookies = append(cookies, cookie{
			Name: written(n.Name), Value: written(n.Value), Domain: written(n.Domain),
			Path: written(n.Path), Session: n.Session, Secure: n.Secure, HTTPOnly: n.HTTPOnly,
			SameSite: string(n.SameSite), Partitioned: n.PartitionKey != nil,
		})
	}
	slices.SortFunc(cookies, func(a, b cookie) int { return cmp.Compare(a.key(), b.key()) })
	return cookies, err
}

// of picks the cookies of one site.
func of(cookies []cookie, site string) []cookie {
	picked := []cookie{}
	for _, c := range cookies {
		domain := strings.TrimSuffix(c.Domain, ".")
		if domain == site || strings.HasSuffix(domain, "."+site) {
			picked = append(picked, c)
		}
	}
	return picked
}

// restore puts into a jar what the browser sends of a site's only cookie: the DevTools protocol
// leaves out of names and values what is no UTF-8.
func restore(site, all []cookie, sent []string) {
	if len(site) != 1 || len(sent) != 1 || strings.Contains(sent[0], ";") {
		return
	}
	if name, value, found := strings.Cut(sent[0], "="); found {
		i := slices.Index(all, site[0])
		all[i].Name, all[i].Value = written(name), written(value)
	}
}

// TestChromiumStoresWhatThePolicyLetsThrough shows every vector to Chromium three times. What it
// stores where the policy is enforced is what it stores where it is not, but for the cookies that
// the policy does not name.
func TestChromiumStoresWhatThePolicyLetsThrough(t *testing.T) {
	file := filepath.Join("..", "enforcer", "internal", "wire", "testdata", "setcookie.jsonl")
	vectors := readVectors[setCookieVector](t, file)
	if len(vectors) < 300 {
		t.Fatalf("%d vectors are not the table", len(vectors))
	}
	byID := map[string]*setCookieVector{}
	var hosts []string
	for i := range vectors {
		byID[vectors[i].ID] = &vectors[i]
		if vectors[i].HTTPS {
			hosts = append(hosts, vectors[i].host())
		}
	}
	portal, gates := startGates(t, hosts, func(path string) (a portaltest.SiteAnswer, ok bool) {
		id, act, _ := strings.Cut(strings.TrimPrefix(path, "/a/"), "/")
		v := byID[id]
		if v == nil || strings.HasPrefix(act, "read") {
			return a, v != nil
		}
		lines := v.Before
		if act == "set" {
			lines = v.Lines
			for _, line := range v.Headers {
				a.Header = append(a.Header, raw(line))
			}
		}
		for _, line := range lines {
			a.Header = append(a.Header, "Set-Cookie: "+raw(line))
		}
		return a, true
	})

	browser := startChromium(t)
	var before, after [3][]cookie
	var runs sync.WaitGroup
	for gate := range gates {
		profile := newProfile(t, browser)
		runs.Go(func() {
			err := func() (err error) {
				// Cookies know no ports: what the browser has before comes from the portal itself
				// in all three runs.
				for _, v := range vectors {
					if v.Before != nil {
						if err := visit(profile, gates.url(direct, v.HTTPS, v.host(),
							"/a/"+v.ID+"/before")); err != nil {
							return fmt.Errorf("%s, before: %w", v.ID, err)
						}
					}
				}
				if before[gate], err = jar(profile); err != nil {
					return err
				}
				for _, v := range vectors {
					if err := visit(profile, gates.url(gate, v.HTTPS, v.host(),
						"/a/"+v.ID+"/set")); err != nil {
						return fmt.Errorf("%s: %w", v.ID, err)
					}
				}
				if after[gate], err = jar(profile); err != nil {
					return err
				}
				for _, v := range vectors {
					if utf8.ValidString(raw(strings.Join(v.Lines, ""))) {
						continue
					}
					path := fmt.Sprintf("/a/%s/read%d", v.ID, gate)
					if err := visit(profile, gates.url(direct, v.HTTPS, v.host(), path)); err != nil {
						return fmt.Errorf("%s, after: %w", v.ID, err)
					}
					sent, _ := portal.Received(path)
					restore(of(after[gate], v.site()), after[gate], sent)
				}
				return nil
			}()
			if err != nil {
				t.Error(err)
			}
		})
	}
	runs.Wait()
	if t.Failed() {
		return
	}

	for i := range vectors {
		v := &vectors[i]
		var jars [3][]cookie
		for gate := range jars {
			jars[gate] = of(after[gate], v.site())
		}
		stored, through := v.Stored, v.throughCaddy()
		v.Stored, v.Caddy, v.Lost = jars[direct], nil, false
		if !slices.Equal(jars[plain], jars[direct]) {
			v.Caddy, v.Lost = jars[plain], len(jars[plain]) == 0
		}
		if !*update && !slices.Equal(stored, jars[direct]) {
			t.Errorf("%s (%s): Chromium has\n\t%+v\nrecorded is\n\t%+v", v.ID, v.Note, jars[direct], stored)
		}
		if !*update && !slices.Equal(through, jars[plain]) {
			t.Errorf("%s (%s): through Caddy Chromium has\n\t%+v\nrecorded is\n\t%+v", v.ID, v.Note,
				jars[plain], through)
		}
		had := of(before[plain], v.site())
		if !slices.Equal(had, of(before[policed], v.site())) ||
			!slices.Equal(had, of(before[direct], v.site())) {
			t.Errorf("%s (%s): the three runs do not begin with the same cookies", v.ID, v.Note)
		}
		if want, doubted := v.expected(had, jars[plain]); !slices.Equal(jars[policed], want) {
			t.Errorf("%s (%s): under the policy Chromium has\n\t%+v\nand should have\n\t%+v", v.ID,
				v.Note, jars[policed], want)
		} else if doubted != (v.Doubt != "") {
			t.Errorf("%s (%s): a deletion that Chromium acts on is refused: %t; the reason "+
				"given is %q", v.ID, v.Note, doubted, v.Doubt)
		}
	}
	if *update && !t.Failed() {
		writeVectors(t, file, vectors)
	}
}

// expected is what Chromium has to have under the policy, given what it had before and what it has
// without the policy: the cookies that the policy names, and of the others none that is new. One
// that it had stays as it was, unless a deletion of it is let through; doubted says that Chromium
// would have acted on one that is not.
func (v *setCookieVector) expected(had, plain []cookie) (want []cookie, doubted bool) {
	want = []cookie{}
	for _, c := range plain {
		if slices.Contains(published, c.Name) {
			want = append(want, c)
		}
	}
	for _, c := range had {
		if slices.Contains(published, c.Name) {
			continue
		}
		gone := !slices.ContainsFunc(plain, func(p cookie) bool { return p.key() == c.key() })
		if slices.Contains(plain, c) || !v.deletesUnlisted() {
			want = append(want, c)
			doubted = doubted || gone
		}
	}
	slices.SortFunc(want, func(a, b cookie) int { return cmp.Compare(a.key(), b.key()) })
	return want, doubted
}

// deletesUnlisted says whether a line is let through though the policy does not name its cookie.
func (v *setCookieVector) deletesUnlisted() bool {
	for i, line := range v.Lines {
		name, _, _ := strings.Cut(line, "=")
		if v.Kept[i] && !slices.Contains(published, strings.Trim(name, " \t")) {
			return true
		}
	}
	return false
}

// cookieVector is a line of enforcer/internal/wire/testdata/cookie.jsonl. In its strings, but for the scripts,
// each character stands for one byte.
type cookieVector struct {
	ID     string   `json:"id"`
	Note   string   `json:"note"`
	Lines  []string `json:"lines,omitempty"`  // Set-Cookie lines
	Script []string `json:"script,omitempty"` // what a page writes into document.cookie
	Jar    []cookie `json:"jar"`              // what Chromium has then
	Sent   []string `json:"sent"`             // the Cookie lines that it sends to the portal
	Caddy  []string `json:"caddy,omitempty"`  // those that arrive through Caddy, over HTTP/2, if others
	Policy []string `json:"policy"`           // those that it gets where the policy is enforced
}

func (v *cookieVector) host() string { return "www." + v.ID + ".test" }

// TestChromiumSendsWhatIsReadAsCookies puts cookies into Chromium by header and by script, and
// records the bytes that it sends: to the portal over HTTP/1.1, and through Caddy over HTTP/2,
// where browsers send a line for each cookie.
func TestChromiumSendsWhatIsReadAsCookies(t *testing.T) {
	file := filepath.Join("..", "enforcer", "internal", "wire", "testdata", "cookie.jsonl")
	vectors := readVectors[cookieVector](t, file)
	byID := map[string]*cookieVector{}
	var hosts []string
	for i := range vectors {
		byID[vectors[i].ID] = &vectors[i]
		hosts = append(hosts, vectors[i].host())
	}
	portal, gates := startGates(t, hosts, func(path string) (a portaltest.SiteAnswer, ok bool) {
		id, act, _ := strings.Cut(strings.TrimPrefix(path, "/a/"), "/")
		v := byID[id]
		if v == nil {
			return a, false
		}
		switch act {
		case "set":
			for _, line := range v.Lines {
				a.Header = append(a.Header, "Set-Cookie: "+raw(line))
			}
		case "page":
			a.Body = "<!doctype html><title>portal</title>"
		}
		return a, true
	})

	profile := newProfile(t, startChromium(t))
	for i := range vectors {
		v := &vectors[i]
		read := func(gate int) (lines []string) {
			path := fmt.Sprintf("/a/%s/read%d", v.ID, gate)
			if err := visit(profile, gates.url(gate, gate != direct, v.host(), path)); err != nil {
				t.Fatalf("%s: %v", v.ID, err)
			}
			got, ok := portal.Received(path)
			if !ok {
				t.Fatalf("%s: the portal was not asked", v.ID)
			}
			for _, line := range got {
				lines = append(lines, written(line))
			}
			return lines
		}
		if err := visit(profile, gates.url(direct, false, v.host(), "/a/"+v.ID+"/set")); err != nil {
			t.Fatalf("%s: %v", v.ID, err)
		}
		if len(v.Script) > 0 {
			actions := chromedp.Tasks{chromedp.Navigate(gates.url(direct, false, v.host(),
				"/a/"+v.ID+"/page"))}
			for _, written := range v.Script {
				quoted, err := json.Marshal(written)
				if err != nil {
					t.Fatal(err)
				}
				actions = append(actions, chromedp.Evaluate("document.cookie = "+string(quoted), nil))
			}
			if err := chromedp.Run(profile, actions); err != nil {
				t.Fatalf("%s: %v", v.ID, err)
			}
		}
		// What a script writes reaches the jar a little later; what is sent has reached it.
		sent := read(direct)
		all, err := jar(profile)
		if err != nil {
			t.Fatal(err)
		}
		got := cookieVector{ID: v.ID, Note: v.Note, Lines: v.Lines, Script: v.Script,
			Jar: of(all, v.ID+".test"), Sent: sent, Caddy: read(plain), Policy: read(policed)}
		if slices.Equal(got.Caddy, got.Sent) {
			got.Caddy = nil
		}
		if *update {
			*v = got
		} else if !reflect.DeepEqual(got, *v) {
			t.Errorf("%s (%s): Chromium has or sends\n\t%+v\nrecorded is\n\t%+v", v.ID, v.Note, got, *v)
		}
	}
	if *update && !t.Failed() {
		writeVectors(t, file, vectors)
	}
}

// raw turns characters into the bytes that they stand for.
func raw(s string) string {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xff {
			panic(fmt.Sprintf("%q: each character stands for a byte", s))
		}
		b = append(b, byte(r))
	}
	return string(b)
}

// written is the reverse of raw.
func written(s string) string {
	runes := make([]rune, len(s))
	for i := range len(s) {
		runes[i] = rune(s[i])
	}
	return string(runes)
}

func readVectors[V any](t *testing.T, file string) (vectors []V) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for n, line := range bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n")) {
		decoder := json.NewDecoder(bytes.NewReader(line))
		decoder.DisallowUnknownFields()
		var v V
		if err := decoder.Decode(&v); err != nil {
			t.Fatalf("%s:%d: %v", file, n+1, err)
		}
		vectors = append(vectors, v)
	}
	return vectors
}

// writeVectors writes them in ASCII alone, so that no tool and no reader mistakes a byte.
func writeVectors[V any](t *testing.T, file string, vectors []V) {
	t.Helper()
	var b bytes.Buffer
	for _, v := range vectors {
		var line bytes.Buffer
		encoder := json.NewEncoder(&line)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(v); err != nil {
			t.Fatal(err)
		}
		for _, r := range line.String() {
			if r < 0x7f {
				b.WriteRune(r)
			} else if r < 0x10000 {
				fmt.Fprintf(&b, `\u%04x`, r)
			} else {
				r -= 0x10000
				fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
			}
		}
	}
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
