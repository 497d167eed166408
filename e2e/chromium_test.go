package e2e

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	devtools "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
)

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
