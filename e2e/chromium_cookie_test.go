package e2e

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
)

// cookieVector is a line of enforcer/internal/wire/testdata/cookie.jsonl. In its strings, except for
// the scripts, each character stands for one byte.
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
