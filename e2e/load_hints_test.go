package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
)

// hintingPortal names a script of a third party and one of its own in a 103 (Early Hints), and sends the page
// once the browser has asked for its own.
type hintingPortal struct{ *other }

func (p hintingPortal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	place, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch place {
	case "own":
		p.happens(func() { p.asked["own-"+name] = true })
		w.Header().Set("Content-Type", "text/javascript")
	case "page":
		w.Header()["Link"] = []string{
			fmt.Sprintf("<%s>; rel=preload; as=script", p.address("https", name)),
			fmt.Sprintf("</own/%s>; rel=preload; as=script", name),
		}
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		p.await(3*time.Second, func() bool { return p.asked["own-"+name] })
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<!DOCTYPE html><link rel=icon href='data:,'>hello")
	}
}

// A browser does not ask a third party that the policy refuses for what a 103 names. Chromium preloads for
// some hints and not for others, so pages are opened until enough of them were preloaded.
func TestLoadOfHints(t *testing.T) {
	certificate, certFile, keyFile := portaltest.NewCertificate(t, auditedHost, "*."+websiteB)
	for _, c := range []struct {
		name, policy string
		enough       func(own, others int) bool
		asked        bool
	}{
		{"without load", "", func(_, others int) bool { return others > 0 }, true},
		{"load enforce", fmt.Sprintf(kindsPolicy, "", ""), func(own, _ int) bool { return own >= 5 }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := startOther(t, certificate)
			portal := httptest.NewServer(hintingPortal{o})
			t.Cleanup(portal.Close)
			origin := startLoadGateway(t, portal.URL, certFile, keyFile, c.policy)
			tab := startLoadBrowser(t, spkiOf(t, certificate))
			own, others := 0, 0
			for i := 0; !c.enough(own, others); i++ {
				if i == 40 {
					t.Fatalf("of %d hints the portal was asked for %d, and the third party for %d", i, own, others)
				}
				if err := visit(tab, fmt.Sprintf("%s/page/hint%d", origin, i)); err != nil {
					t.Fatal(err)
				}
				own, others = 0, 0
				for j := range i + 1 {
					if o.wasAsked(fmt.Sprintf("own-hint%d", j)) {
						own++
					}
					if o.wasAsked(fmt.Sprintf("hint%d", j)) {
						others++
					}
				}
			}
			if (others > 0) != c.asked {
				t.Errorf("the portal was asked for %d, and the third party for %d", own, others)
			}
		})
	}
}
