package e2e

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/audit"
)

// audited is the result of the command.
type audited struct {
	report audit.Report
	status int
	output string
	dir    string
}

// runAudit runs the command against a site at an address.
func runAudit(t *testing.T, s *auditedSite, address string, flags ...string) audited {
	t.Helper()
	return runAuditUntil(t, nil, s, address, flags...)
}

// runAuditUntil does what runAudit does, and interrupts the command when something happens.
func runAuditUntil(t *testing.T, happens <-chan struct{}, s *auditedSite, address string, flags ...string) audited {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "Caddyfile")
	text := "https://" + auditedHost + " {\n" + cmp.Or(s.policy, auditedPolicy) + "\n\treverse_proxy localhost:1\n}\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	a := audited{dir: filepath.Join(dir, "out")}
	args := []string{
		"cookie-policy", "audit", "--config", config, "--output", a.dir, "--no-sandbox",
		"--browser", need(t, "chromium", "chromium-browser", "google-chrome"),
		"--resolve", auditedHost + ":443:" + address, "--resolve", trackerHost + ":443:" + s.address,
		"--resolve", widgetHost + ":443:" + s.address, "--accept-certificate", s.spki, "--settle", "2s", "--runs", "1",
	}
	temp, err := os.MkdirTemp("", "a") // the browser wants a short path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(temp) })
	cmd := exec.CommandContext(t.Context(), caddy, slices.Concat(args, flags)...)
	cmd.Env = append(os.Environ(), "TMPDIR="+temp)
	done := make(chan struct{})
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	go func() {
		select {
		case <-happens:
			// As Ctrl-C on a terminal does, which reaches all processes of the group.
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGINT)
		case <-done:
		}
	}()
	out, err := cmd.CombinedOutput()
	close(done)
	if exit := (*exec.ExitError)(nil); err != nil && !asExit(err, &exit) {
		t.Fatalf("%v\n%s", err, out)
	}
	a.status, a.output = cmd.ProcessState.ExitCode(), string(out)
	if text, err := os.ReadFile(filepath.Join(a.dir, "audit.json")); err == nil {
		if err := json.Unmarshal(text, &a.report); err != nil {
			t.Fatal(err)
		}
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("a profile is left behind: %v, %v", left, err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("status %d\n%s", a.status, a.output)
		}
	})
	return a
}

func asExit(err error, exit **exec.ExitError) bool {
	e, is := err.(*exec.ExitError)
	*exit = e
	return is
}

// finding returns the finding of a kind, in a state, about a name, or nil.
func (a *audited) finding(kind, state, name string) *audit.Finding {
	for i := range a.report.Findings {
		if f := &a.report.Findings[i]; f.Finding == kind && f.State == state && f.Name == name {
			return f
		}
	}
	return nil
}

// wrong is what a misbehaving portal does wrong, as the audit has to name it. What a gateway in front
// mends is gone with it.
var wrong = []struct {
	kind, state, name string
	setter, url       string // of who did it, where that can be known
	mended            bool
}{
	{"set_refused", "refused", "stat_header", "header", "/", true},
	{"set_refused", "none", "stat_header", "header", "/", true},
	{"set_refused", "refused", "stat_refuser", "header", "/", true},
	{"set_refused", "refused", "stat_redirect", "header", "/hop", true},
	{"set_refused", "refused", "stat_favicon", "header", "/favicon.ico", true},
	{"set_refused", "refused", "stat_worker", "header", "/from-worker", true},
	{"set_refused", "refused", "stat_beacon", "unattributed", "", true},
	{"unattributed", "refused", "stat_beacon", "unattributed", "", true},
	{"unlisted", "granted", "mystery", "header", "/", true},
	{"unlisted", "none", "mystery", "header", "/", true},
	{"longer", "granted", "stat_400", "header", "/", true},
	{"weaker", "granted", "sessionid", "header", "/", true},

	{"renewed", "none", "exempt", "header", "/", false},
	{"set_refused", "refused", "stat_late", "script", "/", false},
	{"set_refused", "refused", "stat_store", "script", "/", false},
	{"set_refused", "refused", "stat_own", "script", "/own.js", false},
	{"set_refused", "refused", "stat_sw", "unattributed", "", false},
	{"set_refused", "refused", "ad_header", "header", "/frame?uid", false},
	{"set_refused", "refused", "ad_chips", "header", "/frame?uid", false},
	{"set_refused", "refused", "ad_script", "script", "/frame?uid", false},
	{"kept_after_withdrawal", "withdrawn", "ad_chips", "header", "/frame?uid", false},
	{"storage", "refused", "visitor_id", "", "", false},
	{"third_party", "refused", trackerHost, "", "", false},
}

// Each thing that the portal does wrong is found under its own name, and with the gateway in front what
// a gateway can mend is found no more.
func TestAuditOfMisbehavingPortal(t *testing.T) {
	site := &auditedSite{behave: misbehave, trackers: track}
	site.start(t)
	enforced := strings.Replace(auditedPolicy, "name audited", "name audited\n\tlifetimes enforce", 1)
	for _, c := range []struct {
		what, address string
		mends         bool
	}{{"alone", site.address, false}, {"with the gateway", site.gateway(t, enforced), true}} {
		t.Run(c.what, func(t *testing.T) {
			a := runAudit(t, site, c.address, "https://"+auditedHost+"/", "--canaries")
			if a.status != 1 {
				t.Errorf("the status is %d", a.status)
			}
			for _, w := range wrong {
				f := a.finding(w.kind, w.state, w.name)
				if c.mends && w.mended {
					if f != nil {
						t.Errorf("%s of %s in state %s is still there: %+v", w.kind, w.name, w.state, f.Setter)
					}
					continue
				}
				if f == nil {
					t.Errorf("%s of %s in state %s is not found", w.kind, w.name, w.state)
				} else if w.setter != "" && (f.Setter == nil || f.Setter.Kind != w.setter ||
					!strings.HasSuffix(f.Setter.URL, w.url)) {
					t.Errorf("%s of %s in state %s: set by %+v, want %s %s", w.kind, w.name, w.state, f.Setter, w.setter, w.url)
				}
			}
			for _, s := range a.report.States {
				if s.Integrity != (audit.Integrity{}) || len(s.Reasons) > 0 {
					t.Errorf("state %s: %+v, %q", s.State, s.Integrity, s.Reasons)
				}
			}
			a.holdsNoValue(t)
		})
	}
}

// A portal that sets what it likes by header keeps it after a withdrawal. The gateway alone makes every
// state hold, canaries included.
func TestAuditOfWithdrawal(t *testing.T) {
	site := &auditedSite{trackers: track, behave: func(w http.ResponseWriter, r *http.Request, _ map[string]bool, _ bool) {
		setCookie(w, "stat_header=v1; Path=/; Secure; Max-Age=86400")
		setCookie(w, "ad_header=v2; Path=/; Secure; Max-Age=86400")
		if _, err := r.Cookie("exempt"); err != nil {
			setCookie(w, "exempt=v3; Path=/; Secure; Max-Age=30000000")
		}
		writePage(w, "")
	}}
	site.start(t)
	a := runAudit(t, site, site.address, "--state", "withdrawn", "--canaries", "--settle", "300ms",
		"https://"+auditedHost+"/")
	for _, name := range []string{"stat_header", "ad_header", "exempt", "stat_audit", "ad_audit"} {
		for _, kind := range []string{"kept_after_withdrawal", "sent_refused"} {
			if a.finding(kind, "withdrawn", name) == nil {
				t.Errorf("%s of %s is not found", kind, name)
			}
		}
	}
	if f := a.finding("kept_after_withdrawal", "withdrawn", "ad_audit"); f != nil && f.Setter.Kind != "canary" {
		t.Errorf("the canary is set by %+v", f.Setter)
	}
	a = runAudit(t, site, site.gateway(t, auditedPolicy), "--canaries", "--settle", "300ms", "https://"+auditedHost+"/")
	if a.status != 0 || len(a.report.States) != 4 {
		t.Errorf("with the gateway the status is %d", a.status)
	}
	for _, s := range a.report.States {
		if s.Verdict != audit.Holds {
			t.Errorf("with the gateway state %s: %s, %q", s.State, s.Verdict, s.Reasons)
		}
	}
}

// holdsNoValue checks every file of an audit for what the portal stored, and for its escapes.
func (a *audited) holdsNoValue(t *testing.T) {
	t.Helper()
	values := regexp.MustCompile(`=v\d+|"v\d+"|12345678|\x1b|<script>x`)
	files := 0
	err := filepath.WalkDir(a.dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files++
		text, err := os.ReadFile(path)
		if found := values.Find(text); found != nil {
			t.Errorf("%s holds %q", filepath.Base(path), found)
		}
		return err
	})
	if err != nil || files < 8 {
		t.Errorf("%d files, %v", files, err)
	}
	if found := values.FindString(a.output); found != "" {
		t.Errorf("the output holds %q", found)
	}
	check := exec.Command("sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS")
	check.Dir = a.dir
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("SHA256SUMS: %v\n%s", err, out)
	}
}

// A portal that does what it says passes, whether the choice is stored or clicked.
func TestAuditOfGoodPortal(t *testing.T) {
	site := &auditedSite{behave: behave, trackers: trackWithConsent}
	site.start(t)
	for _, c := range []struct {
		how   string
		flags []string
	}{
		{"stored", []string{"--state", "none,refused,granted,withdrawn,granted:stats"}},
		{"clicked", []string{"--by", "clicked", "--accept", "#accept", "--refuse", "#refuse", "--reopen", "#reopen"}},
	} {
		t.Run(c.how, func(t *testing.T) {
			a := runAudit(t, site, site.address, append(c.flags, "--settle", "500ms", "https://"+auditedHost+"/",
				"https://"+auditedHost+"/explore/")...)
			if a.status != 0 {
				t.Errorf("the status is %d", a.status)
			}
			for _, s := range a.report.States {
				if s.Verdict != audit.Holds || s.AtEnd == "changed" || len(s.Pages) < 3 {
					t.Errorf("state %s %s: %+v", s.State, s.By, s)
				}
			}
			// Without the positive control a refusal shows nothing.
			if a := runAudit(t, site, site.address, "--state", "refused", "--settle", "500ms",
				"https://"+auditedHost+"/"); c.how == "stored" &&
				(a.status != 2 || a.report.States[0].Verdict != audit.NotDemonstrated) {
				t.Errorf("a refusal without a control: status %d, %+v", a.status, a.report.States)
			}
		})
	}
}

// A banner that lies and one that is only hidden are told apart.
func TestAuditOfBanners(t *testing.T) {
	for _, c := range []struct{ what, refuse, finding string }{
		{"lies", allYes, "choice_contrary"}, {"hides", "", "choice_missing"},
	} {
		t.Run(c.what, func(t *testing.T) {
			site := &auditedSite{trackers: trackWithConsent, behave: func(w http.ResponseWriter, r *http.Request,
				choice map[string]bool, chosen bool) {
				body := ""
				if !chosen {
					body = banner(allYes, c.refuse)
				}
				writePage(w, body)
			}}
			site.start(t)
			a := runAudit(t, site, site.address, "--by", "clicked", "--state", "refused", "--refuse", "#refuse",
				"--settle", "200ms", "https://"+auditedHost+"/")
			if a.status != 1 || a.finding(c.finding, "refused", "clicked") == nil {
				t.Errorf("the status is %d, findings are %+v", a.status, a.report.Findings)
			}
		})
	}
}

// What could not be observed is never green, and takes a bounded time.
func TestAuditOfFailingPages(t *testing.T) {
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
			site := &auditedSite{behave: c.behave, trackers: track}
			site.start(t)
			began := time.Now()
			a := runAudit(t, site, site.address, "--state", "none", "--settle", "200ms", "--timeout", "4s",
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
	if a.status != 1 || a.finding("unlisted", "none", "w9999") == nil || a.finding("set_refused", "none", "stat_299") == nil {
		t.Errorf("status %d, %d findings", a.status, len(a.report.Findings))
	}
	if took := time.Since(began); took > 3*time.Minute {
		t.Errorf("it takes %v", took)
	}
	t.Logf("%v, %d cookies, %d findings, %+v", time.Since(began), len(a.report.Cookies), len(a.report.Findings),
		a.report.States[0].Integrity)
}

// In state gpc the browser says so to the portal and to its scripts, and the policy counts it as a refusal.
func TestAuditOfGPC(t *testing.T) {
	site := &auditedSite{trackers: track, behave: func(w http.ResponseWriter, r *http.Request, _ map[string]bool, _ bool) {
		if r.URL.Path != "/" {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		setCookie(w, "exempt=v1; Path=/; Secure; Max-Age=86400")
		setCookie(w, "header_"+r.Header.Get("Sec-Gpc")+"=v2; Path=/; Secure")
		writePage(w, `<script>document.cookie = "script_" + navigator.globalPrivacyControl + "=v3; Path=/; Secure";</script>`)
	}}
	site.start(t)
	site.policy = strings.Replace(auditedPolicy, "preference", "signal gpc statistical\n\tpreference", 1)
	a := runAudit(t, site, site.address, "--state", "none,gpc", "--runs", "2", "--screenshots", "--settle", "200ms", "https://"+auditedHost+"/")
	for _, name := range []string{"header_1", "script_true"} {
		if f := a.finding("unlisted", "gpc", name); f == nil || !slices.Equal(f.Runs, []int{1, 2}) {
			t.Errorf("%s: %+v", name, f)
		}
	}
	if a.finding("set_refused", "gpc", "exempt") == nil || a.finding("set_refused", "none", "exempt") != nil {
		t.Error("the signal does not refuse the anonymous cookie, or is there in state none")
	}
	if png, err := os.ReadFile(filepath.Join(a.dir, "screenshot-gpc-2-1.png")); err != nil || !bytes.HasPrefix(png,
		[]byte("\x89PNG")) || a.report.States[3].Pages[0].Screenshot != "screenshot-gpc-2-1.png" {
		t.Errorf("the picture: %d bytes, %v", len(png), err)
	}
	if len(a.report.States) != 4 || a.status != 1 {
		t.Errorf("status %d, states %+v", a.status, a.report.States)
	}
}
