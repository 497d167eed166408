package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
)

// A portal that knows itself as portal.example.test, visited as data.city.test. What the operator
// asked for is what Chromium has in its jar.
func TestChromiumHardenedCookies(t *testing.T) {
	const day = 24 * time.Hour
	lines := []string{
		"plain=1; Path=/",
		"secured=1; Path=/",
		"scriptless=1; Path=/",
		"lax=1; Path=/",
		"strict=1; Path=/; SameSite=None; Secure",
		"embedded=1; Path=/",
		"strict_already=1; Path=/; SameSite=Strict; Secure; HttpOnly",
		"aged=1; Path=/; Max-Age=31536000",
		"dated=1; Path=/; Expires=Thu, 31 Dec 2099 23:59:59 GMT",
		"dated_oddly=1; Path=/; Expires=31_Dec_2099_23:59:59",
		"declared=1; Path=/; Max-Age=31536000",
		"short=1; Path=/; Max-Age=3600",
		"session=1; Path=/",
		"moved=1; Path=/; Domain=portal.example.test",
		"narrowed=1; Path=/; Domain=.old.example.test",
		"__Host-own=1; Path=/; Secure",
	}
	portal := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/set":
			w.Header()["Set-Cookie"] = lines
		case "/end":
			w.Header()["Set-Cookie"] = []string{"moved=; Path=/; Domain=portal.example.test; " +
				"Max-Age=0", "narrowed=; Path=/; Domain=old.example.test; Expires=Thu, 01 Jan 1970 " +
				"00:00:00 GMT"}
		}
		w.WriteHeader(http.StatusNoContent) // no page, so that the browser has nothing to paint
	}))
	t.Cleanup(portal.Close)

	const host = "data.city.test"
	_, certFile, keyFile := portaltest.NewCertificate(t, host)
	clear, tls, unpoliced := portaltest.FreePort(t), portaltest.FreePort(t), portaltest.FreePort(t)
	startGateway(t, fmt.Sprintf("http://127.0.0.1:%d/", clear), fmt.Sprintf(`(portal) {
	bind 127.0.0.1
	reverse_proxy %s
}
(policy) {
	cookie_policy {
		allow necessary plain session moved narrowed __Host-own
		allow necessary secured {
			secure
		}
		allow necessary scriptless {
			http_only
		}
		allow necessary lax strict_already {
			same_site lax
		}
		allow necessary strict {
			same_site strict
		}
		allow necessary embedded {
			same_site none
		}
		allow necessary aged dated dated_oddly short {
			max_age 1d
		}
		allow necessary declared {
			lifetime 2d
		}
		lifetimes enforce
		rewrite_domain portal.example.test city.test
		rewrite_domain old.example.test
	}
	import portal
}
http://:%d {
	import policy
}
https://:%d {
	tls %s %s
	import policy
}
https://:%d {
	tls %s %s
	import portal
}
`, portal.Listener.Addr(), clear, tls, certFile, keyFile, unpoliced, certFile, keyFile))

	browser := startChromium(t)
	asked := time.Now()
	overHTTPS := stored(t, browser, fmt.Sprintf("https://%s:%d/set", host, tls))
	overHTTP := stored(t, browser, fmt.Sprintf("http://%s:%d/set", host, clear))
	asSent := stored(t, browser, fmt.Sprintf("https://%s:%d/set", host, unpoliced))
	ended := stored(t, browser, fmt.Sprintf("https://%s:%d/set", host, tls),
		fmt.Sprintf("https://%s:%d/end", host, tls))

	const (
		none   = network.CookieSameSiteNone
		lax    = network.CookieSameSiteLax
		strict = network.CookieSameSiteStrict
	)
	for _, want := range []struct {
		name             string
		domain           string
		secure, httpOnly bool
		sameSite         network.CookieSameSite
		life             time.Duration // 0: the session's
	}{
		{"plain", host, false, false, "", 0},
		{"secured", host, true, false, "", 0},
		{"scriptless", host, false, true, "", 0},
		{"lax", host, false, false, lax, 0},
		{"strict", host, true, false, strict, 0},
		{"embedded", host, true, false, none, 0},
		{"strict_already", host, true, true, strict, 0},
		{"aged", host, false, false, "", day},
		{"dated", host, false, false, "", day},
		{"dated_oddly", host, false, false, "", 0}, // Firefox does not read the date
		{"declared", host, false, false, "", 2 * day},
		{"short", host, false, false, "", time.Hour},
		{"session", host, false, false, "", 0},
		{"moved", ".city.test", false, false, "", 0},
		{"narrowed", host, false, false, "", 0},
		{"__Host-own", host, true, false, "", 0},
	} {
		c := overHTTPS[want.name]
		if c == nil {
			t.Errorf("Chromium has no %s", want.name)
			continue
		}
		if c.Value != "1" || c.Domain != want.domain || c.Path != "/" || c.Secure != want.secure ||
			c.HTTPOnly != want.httpOnly || c.SameSite != want.sameSite || c.Session != (want.life == 0) {
			t.Errorf("Chromium has %+v, want %+v", c, want)
		}
		if end := time.Unix(int64(c.Expires), 0); want.life > 0 &&
			(end.Before(asked.Add(want.life-time.Minute)) || end.After(time.Now().Add(want.life))) {
			t.Errorf("%s ends at %v, want in %v", want.name, end, want.life)
		}
	}
	if len(overHTTPS) != len(lines) {
		t.Errorf("Chromium has %d cookies of %d", len(overHTTPS), len(lines))
	}

	if c := overHTTP["secured"]; c == nil || c.Secure {
		t.Errorf("over HTTP Chromium has %+v, want it without Secure", c)
	}
	if c := overHTTP["embedded"]; c == nil || c.Secure || c.SameSite != "" {
		t.Errorf("over HTTP Chromium has %+v, want it without Secure and SameSite", c)
	}
	// Without the gateway's mending the browser takes no cookie of another domain, and lets the
	// others live as long as it ever does.
	if asSent["moved"] != nil || asSent["narrowed"] != nil {
		t.Errorf("as they were sent, Chromium takes %+v and %+v", asSent["moved"], asSent["narrowed"])
	}
	for _, name := range []string{"aged", "dated", "dated_oddly", "declared"} {
		if c := asSent[name]; c == nil || time.Unix(int64(c.Expires), 0).Before(asked.Add(300*day)) {
			t.Errorf("as it was sent, Chromium has %+v", c)
		}
	}
	if ended["moved"] != nil || ended["narrowed"] != nil || ended["plain"] == nil {
		t.Errorf("after the portal deleted two cookies, Chromium has %v", ended)
	}
}

// stored visits addresses with a profile of its own, and returns what it has then, by name.
func stored(t *testing.T, browser context.Context, addresses ...string) map[string]*network.Cookie {
	t.Helper()
	profile := newProfile(t, browser)
	for _, address := range addresses {
		if err := visit(profile, address); err != nil {
			t.Fatalf("%s: %v", address, err)
		}
	}
	c := chromedp.FromContext(profile)
	cookies, err := storage.GetCookies().WithBrowserContextID(c.BrowserContextID).
		Do(cdp.WithExecutor(profile, c.Browser))
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]*network.Cookie{}
	for _, cookie := range cookies {
		byName[cookie.Name] = cookie
	}
	return byName
}
