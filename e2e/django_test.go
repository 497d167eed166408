package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
)

// A visitor of a portal with the published policy logs in, changes the language, sends a form and
// logs out, and notices no gateway.
func TestDjangoVisit(t *testing.T) {
	v := newVisitor(t, gatewayBefore(t, startDjango(t), "cookie_policy opendatasoft matomo"))

	v.get("/admin/login/").wantSet(t, "csrftoken")
	anonymous := v.cookie("csrftoken")
	p := v.login()
	p.wantSet(t, "csrftoken", "sessionid")
	session := v.cookie("sessionid")
	if session == "" || v.cookie("csrftoken") == anonymous {
		t.Errorf("the browser stored the session %q, and the CSRF token of the login: %v", session,
			v.cookie("csrftoken") != anonymous)
	}
	if p := v.get("/admin/"); p.status != http.StatusOK ||
		!strings.Contains(p.body, "Site administration") {
		t.Errorf("the admin answers %d: %s", p.status, p.body)
	}

	p = v.submit("/subscribe/", "/i18n/setlang/", "language", "fr", "next", "/")
	p.wantSet(t, "django_language", "sessionid") // Django 3.2 keeps the language in both
	if p.status != http.StatusFound || v.cookie("django_language") != "fr" {
		t.Errorf("the choice of a language answers %d, and the browser stored %q", p.status,
			v.cookie("django_language"))
	}
	if p := v.get("/admin/"); !strings.Contains(p.body, "Site d’administration") {
		t.Errorf("the admin is not in French: %s", p.body)
	}

	if p := v.submit("/subscribe/", "/subscribe/", "dataset",
		"trees"); p.status != http.StatusFound || p.location != "/subscribe/" {
		t.Errorf("the form answers %d to %q: %s", p.status, p.location, p.body)
	}
	// The check that was passed is a real one.
	if p := v.do(http.MethodPost, "/subscribe/",
		url.Values{"dataset": {"trees"}}); p.status != http.StatusForbidden {
		t.Errorf("a form without a CSRF token answers %d", p.status)
	}

	k := v.known()
	for _, name := range []string{"sessionid", "csrftoken", "django_language"} {
		if k.Cookies[name] == "" || k.Cookies[name] != v.cookie(name) {
			t.Errorf("the portal received %s=%q, the browser stored %q", name, k.Cookies[name],
				v.cookie(name))
		}
	}
	if k.User != "editor" || k.Language != "fr" {
		t.Errorf("the portal takes the visitor for %q, who reads %q", k.User, k.Language)
	}

	p = v.get("/admin/logout/")
	p.wantSet(t, "sessionid")
	if len(p.setCookie) == 1 && !strings.Contains(p.setCookie[0], "Max-Age=0") {
		t.Errorf("the logout answers with %q, want a deletion", p.setCookie)
	}
	if stored := v.cookie("sessionid"); stored != "" {
		t.Errorf("after the logout the browser still stores the session %q", stored)
	}
	// The language was chosen by the visitor, not by the session.
	if k := v.known(); k.User != "" || k.Language != "fr" {
		t.Errorf("after the logout the portal takes the visitor for %q, who reads %q", k.User, k.Language)
	}
}

// The same portal sets trackers. Which of them arrive depends on what the visitor chose.
func TestDjangoTrackers(t *testing.T) {
	v := newVisitor(t, gatewayBefore(t, startDjango(t), "cookie_policy opendatasoft matomo"))
	v.login()

	const everything = `{"functional_cookies":true,"matomo":%t,"ga":true,"timestamp":%d}`
	for _, visit := range []struct {
		name, preference string
		want             []string
	}{
		{"no choice", "", nil},
		{"refused", fmt.Sprintf(everything, false, time.Now().UnixMilli()), nil},
		{"granted", fmt.Sprintf(everything, true, time.Now().UnixMilli()),
			[]string{"_pk_id.1.abcd", "_pk_ses.1.abcd"}},
		{"granted seven months ago", fmt.Sprintf(everything, true,
			time.Now().AddDate(0, -7, 0).UnixMilli()), nil},
		{"not readable", `{"matomo":true`, nil},
	} {
		t.Run(visit.name, func(t *testing.T) {
			if visit.preference != "" {
				v.choose(visit.preference)
			}
			p := v.get("/trackers/")
			// The portal also sets the visitor's language there, between two trackers.
			p.wantSet(t, slices.Insert(slices.Clone(visit.want), min(1, len(visit.want)),
				"django_language")...)
			if k := v.known(); k.User != "editor" {
				t.Errorf("the portal takes the visitor for %q", k.User)
			}
			if p.status != http.StatusOK || p.body != "trackers\n" {
				t.Errorf("the page answers %d: %s", p.status, p.body)
			}
		})
	}
}

// The published policy does not name the cookie in which Django keeps messages from one page to the
// next. Without the cookie the portal works and shows no message. An operator who wants the message
// allows the cookie.
func TestDjangoMessages(t *testing.T) {
	django := startDjango(t)
	for _, gateway := range []struct {
		name, policy string
		shown        bool
	}{
		{"published policy", "cookie_policy opendatasoft", false},
		{"with an allow line", "cookie_policy opendatasoft {\n\t\tallow necessary messages\n\t}", true},
	} {
		t.Run(gateway.name, func(t *testing.T) {
			v := newVisitor(t, gatewayBefore(t, django, gateway.policy))
			p := v.submit("/subscribe/", "/subscribe/", "dataset", "trees")
			if p.status != http.StatusFound {
				t.Fatalf("the form answers %d: %s", p.status, p.body)
			}
			if !gateway.shown {
				p.wantSet(t)
				if p := v.get(p.location); strings.Contains(p.body, "Subscribed") {
					t.Errorf("the message is shown: %s", p.body)
				}
				return
			}
			p.wantSet(t, "messages")
			p = v.get(p.location)
			if !strings.Contains(p.body, "Subscribed to trees") {
				t.Errorf("the message is not shown: %s", p.body)
			}
			p.wantSet(t, "messages", "csrftoken")
			if stored := v.cookie("messages"); stored != "" {
				t.Errorf("a message that was shown is still stored: %q", stored)
			}
			if p := v.get("/subscribe/"); strings.Contains(p.body, "Subscribed") {
				t.Errorf("the message is shown again: %s", p.body)
			}
		})
	}
}

// The lines that a visitor receives are, byte for byte and in their order, those that Django wrote:
// all of them but the trackers'.
func TestDjangoBytes(t *testing.T) {
	portal, written := record(t, startDjango(t))
	gateway := fmt.Sprintf("localhost:%d", portaltest.FreePort(t))
	startGateway(t, "http://"+gateway,
		fmt.Sprintf("http://%s {\n\tbind 127.0.0.1\n\tcookie_policy opendatasoft\n"+
			"\treverse_proxy %s\n}\n", gateway, portal))
	visited, arrived := record(t, gateway)
	before := len(written.setCookie()) // what was sent to see whether the gateway answers

	v := newVisitor(t, "http://"+visited)
	v.login()
	v.submit("/subscribe/", "/i18n/setlang/", "language", "fr", "next", "/")
	v.get("/trackers/")
	v.get("/admin/logout/")

	var kept, refused []string
	for _, line := range written.setCookie()[before:] {
		switch name, _, _ := strings.Cut(line, "="); name {
		case "sessionid", "csrftoken", "django_language", "cookies_preferences":
			kept = append(kept, line)
		default:
			refused = append(refused, line)
		}
	}
	if got := arrived.setCookie(); !slices.Equal(got, kept) {
		t.Errorf("the visitor received\n%s\nand Django wrote, of what the policy names,\n%s",
			strings.Join(got, "\n"), strings.Join(kept, "\n"))
	}
	// The comparison is of something: each cookie, a value in quotes, a deletion, and trackers.
	for _, want := range []string{"csrftoken=", "sessionid=", "django_language=fr;",
		`django_language="fr\054en"`, `sessionid=""`} {
		if !slices.ContainsFunc(kept, func(line string) bool { return strings.HasPrefix(line, want) }) {
			t.Errorf("Django wrote no line that begins with %s", want)
		}
	}
	if len(refused) != 4 {
		t.Errorf("Django wrote %d trackers, want 4: %q", len(refused), refused)
	}
}

// tape keeps what came back through a relay.
type tape struct {
	mu       sync.Mutex
	recorded bytes.Buffer
}

// record relays TCP to an address, and keeps what comes back. The tape makes sense of visitors who
// do one thing after the other.
func record(t *testing.T, to string) (addr string, kept *tape) {
	t.Helper()
	kept = new(tape)
	relay := portaltest.Listen(t, func(visitor net.Conn) {
		server, err := net.Dial("tcp", to)
		if err != nil {
			return
		}
		var sending sync.WaitGroup
		sending.Go(func() {
			defer server.Close()
			_, _ = io.Copy(server, visitor)
		})
		// The tape gets an answer before the visitor does, so a test that has read the answer finds it there.
		_, _ = io.Copy(visitor, io.TeeReader(server, kept))
		visitor.Close()
		sending.Wait()
	})
	_, port, _ := net.SplitHostPort(relay)
	return net.JoinHostPort("localhost", port), kept
}

func (t *tape) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.recorded.Write(b)
}

// setCookie returns the Set-Cookie lines as they stand on the tape.
func (t *tape) setCookie() (lines []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for line := range strings.SplitSeq(t.recorded.String(), "\r\n") {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(name, "Set-Cookie") {
			lines = append(lines, strings.TrimLeft(value, " \t"))
		}
	}
	return lines
}
