package e2e

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
)

// The four cookies of the published policy.
var published = []string{"sessionid", "csrftoken", "django_language", "cookies_preferences"}

// setCookieVector is a line of enforcer/internal/wire/testdata/setcookie.jsonl. In its strings each
// character stands for one byte, so that JSON can hold bytes that are no UTF-8.
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
// stores where the policy is enforced is what it stores where it is not, except for the cookies that
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

// deletesUnlisted reports whether a line is let through though the policy does not name its cookie.
func (v *setCookieVector) deletesUnlisted() bool {
	for i, line := range v.Lines {
		name, _, _ := strings.Cut(line, "=")
		if v.Kept[i] && !slices.Contains(published, strings.Trim(name, " \t")) {
			return true
		}
	}
	return false
}
