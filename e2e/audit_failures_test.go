package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/audit"
)

// What could not be observed is never green, and takes a bounded time.
func TestAuditOfFailingPages(t *testing.T) {
	t.Parallel()
	loop := func(w http.ResponseWriter, r *http.Request, _ map[string]bool, _ bool) {
		http.Redirect(w, r, "/?"+r.URL.RawQuery+"x", http.StatusFound)
	}
	status := func(code int, fields ...string) func(http.ResponseWriter, *http.Request, map[string]bool, bool) {
		return func(w http.ResponseWriter, r *http.Request, _ map[string]bool, _ bool) {
			for _, f := range fields {
				w.Header().Set(f, "challenge")
			}
			w.WriteHeader(code)
			fmt.Fprint(w, "<p>no")
		}
	}
	page := func(body string) func(http.ResponseWriter, *http.Request, map[string]bool, bool) {
		return func(w http.ResponseWriter, r *http.Request, _ map[string]bool, _ bool) { writePage(w, body) }
	}
	for _, c := range []struct {
		what   string
		behave func(http.ResponseWriter, *http.Request, map[string]bool, bool)
		reason string
	}{
		{"an error", status(500), "status 500"},
		{"a firewall", status(403), "status 403"},
		{"a firewall's question", status(200, "Cf-Mitigated"), "a firewall's question"},
		{"endless redirects", loop, "ERR_TOO_MANY_REDIRECTS"},
		{"an endless page", endless, "was not loaded within"},
		{"a download", func(w http.ResponseWriter, r *http.Request, _ map[string]bool, _ bool) {
			w.Header().Set("Content-Disposition", "attachment")
			fmt.Fprint(w, strings.Repeat("x", 1<<20))
		}, "could not load it"},
		{"a page that leads to an error", func(w http.ResponseWriter, r *http.Request, _ map[string]bool, _ bool) {
			if r.URL.Path == "/blocked" {
				w.WriteHeader(403)
				return
			}
			writePage(w, `<script>location = "/blocked";</script>`)
		}, "status 403"},
		{"a script without end", page("<script>for (;;);</script>"), "was not loaded within"},
		{"dialogs", page(`<script>alert(1); confirm(2); prompt(3);
			addEventListener("beforeunload", (e) => e.preventDefault());</script>`), ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			site := &auditedSite{behave: c.behave, trackers: track}
			site.start(t)
			timeout := "30s"
			if strings.Contains(c.reason, "not loaded within") {
				timeout = "4s"
			}
			began := time.Now()
			a := runAudit(t, site, site.address, "--state", "none", "--settle", "200ms", "--timeout", timeout,
				"https://"+auditedHost+"/")
			if took := time.Since(began); took > 2*time.Minute {
				t.Errorf("it takes %v", took)
			}
			want := 2
			if c.reason == "" {
				want = 0
			}
			if len(a.report.States) != 1 || a.status != want {
				t.Fatalf("the status is %d, want %d", a.status, want)
			}
			s := a.report.States[0]
			if c.reason != "" && (s.Verdict != audit.Incomplete || !strings.Contains(strings.Join(s.Reasons, "\n"), c.reason)) {
				t.Errorf("%s, %q", s.Verdict, s.Reasons)
			}
		})
	}
}

// A choice that is stored where the portal does not look for it shows nothing.
func TestAuditOfAnotherHost(t *testing.T) {
	t.Parallel()
	site := &auditedSite{trackers: func(w http.ResponseWriter, r *http.Request) { writePage(w, "") },
		behave: func(w http.ResponseWriter, r *http.Request, _ map[string]bool, _ bool) {
			http.Redirect(w, r, "https://"+widgetHost+"/", http.StatusFound)
		}}
	site.start(t)
	a := runAudit(t, site, site.address, "--state", "refused", "--settle", "200ms", "https://"+auditedHost+"/")
	if s := a.report.States[0]; a.status != 2 || s.Verdict != audit.Incomplete ||
		!strings.Contains(strings.Join(s.Reasons, "\n"), "leads to https://"+widgetHost+"/") {
		t.Errorf("status %d, %s, %q", a.status, s.Verdict, s.Reasons)
	}
}

// Ctrl-C ends the browser, and leaves neither a process nor a profile nor a report.
func TestAuditInterrupted(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{})
	var once sync.Once
	site := &auditedSite{trackers: track, behave: func(w http.ResponseWriter, r *http.Request, choice map[string]bool,
		chosen bool) {
		once.Do(func() { close(asked) })
		endless(w, r, choice, chosen)
	}}
	site.start(t)
	began := time.Now()
	a := runAuditUntil(t, asked, site, site.address, "https://"+auditedHost+"/")
	if a.status != 2 || !strings.Contains(a.output, "interrupted") || time.Since(began) > 25*time.Second {
		t.Errorf("status %d after %v", a.status, time.Since(began))
	}
	if entries, err := os.ReadDir(a.dir); err != nil || len(entries) > 0 {
		t.Errorf("written: %v, %v", entries, err)
	}
	processes, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range processes {
		if line, err := os.ReadFile(p); err == nil && strings.Contains(string(line), site.spki) {
			t.Errorf("a process is left behind: %q", line)
		}
	}
}

// A portal that floods the browser is audited in a bounded time, and what is beyond the bounds is told.
func TestAuditOfFlood(t *testing.T) {
	t.Parallel()
	site := &auditedSite{trackers: track, behave: func(w http.ResponseWriter, r *http.Request, _ map[string]bool, _ bool) {
		switch r.URL.Path {
		case "/":
			for i := range 300 {
				setCookie(w, fmt.Sprintf("stat_%d=v%d; Path=/; Secure", i, i))
			}
			writePage(w, `<script>
				for (let i = 0; i < 10000; i++) document.cookie = "w" + i + "=v1; Path=/; Secure";
				for (let i = 0; i < 20; i++) open("/popup");
				fetch("/large");
			</script>`)
		case "/large":
			w.Header().Set("Content-Type", "text/plain")
			for range 100 {
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					return
				}
			}
		case "/popup":
			setCookie(w, "popup=v1; Path=/; Secure")
			writePage(w, "")
		}
	}}
	site.start(t)
	began := time.Now()
	a := runAudit(t, site, site.address, "--state", "none", "--settle", "500ms", "https://"+auditedHost+"/")
	if a.status != 1 || a.finding("unlisted", "none", "w9999") == nil ||
		a.finding("set_refused", "none", "stat_299") == nil {
		t.Errorf("status %d, %d findings", a.status, len(a.report.Findings))
	}
	if took := time.Since(began); took > 3*time.Minute {
		t.Errorf("it takes %v", took)
	}
	t.Logf("%v, %d cookies, %d findings, %+v", time.Since(began), len(a.report.Cookies), len(a.report.Findings),
		a.report.States[0].Integrity)
}
