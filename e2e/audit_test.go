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
	"syscall"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/audit"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
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
		"--resolve", auditedHost + ":443:" + address, "--settle", "2s", "--runs", "1",
	}
	for _, host := range otherHosts {
		args = append(args, "--resolve", host+":443:"+s.address)
	}
	if s.spki != "" {
		args = append(args, "--accept-certificate", s.spki)
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
	t.Parallel()
	site := &auditedSite{behave: misbehave, trackers: track}
	site.start(t)
	enforced := strings.Replace(auditedPolicy, "name audited", "name audited\n\tlifetimes enforce", 1)
	for _, c := range []struct {
		what, address string
		mends         bool
	}{{"alone", site.address, false}, {"with the gateway", site.gateway(t, enforced), true}} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			a := runAudit(t, site, c.address, "https://"+auditedHost+"/", "--canaries")
			if a.status != 1 {
				t.Errorf("the status is %d", a.status)
			}
			if o := a.report.Origin; o.Address != c.address || o.Certificate != site.sum || o.PublicIP != nil {
				t.Errorf("the portal is at %+v, want %s, %s", o, c.address, site.sum)
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
				if has := slices.Contains(s.Made, "cookies_preferences"); has != (s.By == audit.ByStored) {
					t.Errorf("state %s: the audit stored %q", s.State, s.Made)
				}
			}
			a.holdsNoValue(t)
		})
	}
}

// A portal that sets what it likes by header keeps it after a withdrawal. The gateway alone makes every
// state hold, canaries included.
func TestAuditOfWithdrawal(t *testing.T) {
	t.Parallel()
	site := &auditedSite{trackers: track, behave: func(w http.ResponseWriter, r *http.Request, _ map[string]bool, _ bool) {
		setCookie(w, "stat_header=v1; Path=/; Secure; Max-Age=86400")
		setCookie(w, "ad_header=v2; Path=/; Secure; Max-Age=86400")
		if _, err := r.Cookie("exempt"); err != nil {
			setCookie(w, "exempt=v3; Path=/; Secure; Max-Age=30000000")
		}
		writePage(w, "")
	}}
	site.policy = strings.Replace(auditedPolicy, "consent ads", "consent ads\n\t\tdomain city.test", 1)
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
	domains := map[string]bool{}
	for _, c := range a.report.Cookies {
		domains[c.Name+" "+c.Domain] = true
	}
	if !domains["ad_audit .city.test"] || !domains["ad_audit "+auditedHost] || domains["stat_audit .city.test"] {
		t.Errorf("the canaries are those of %v", domains)
	}
	// One response removes what 20 lines can: with a domain for each of these cookies that would take two.
	site.policy = ""
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
	t.Parallel()
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
			t.Parallel()
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

// What a click opens in another window counts, and is closed with the page.
func TestAuditOfPopup(t *testing.T) {
	t.Parallel()
	site := &auditedSite{trackers: trackWithConsent, behave: func(w http.ResponseWriter, r *http.Request,
		choice map[string]bool, chosen bool) {
		switch r.URL.Path {
		case "/":
			writePage(w, strings.Replace(banner(allYes, allNo), "id=refuse onclick=\"",
				"id=refuse onclick=\"window.open('/popup'); ", 1))
		case "/popup":
			setCookie(w, "popup_header=v1; Path=/; Secure")
			writePage(w, `<script>document.cookie = "popup_script=v2; Path=/; Secure"; alert(1);
				setInterval(() => fetch("/ping"), 100);</script>`)
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	}}
	site.start(t)
	a := runAudit(t, site, site.address, "--by", "clicked", "--state", "refused", "--refuse", "#refuse",
		"--settle", "500ms", "https://"+auditedHost+"/")
	for name, setter := range map[string]string{"popup_header": "header", "popup_script": "script"} {
		if f := a.finding("unlisted", "refused", name); f == nil || f.Setter == nil || f.Setter.Kind != setter {
			t.Errorf("%s: %+v", name, f)
		}
	}
	s := a.report.States[0]
	if s.Integrity != (audit.Integrity{}) || !s.Pages[len(s.Pages)-1].Quiet || a.status != 1 {
		t.Errorf("status %d, %+v", a.status, s)
	}
}

// A banner that lies and one that is only hidden are told apart.
func TestAuditOfBanners(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ what, refuse, finding string }{
		{"lies", allYes, "choice_contrary"}, {"hides", "", "choice_missing"},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
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

// In state gpc the browser says so to the portal and to its scripts, and the policy counts it as a refusal.
func TestAuditOfGPC(t *testing.T) {
	t.Parallel()
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
	a := runAudit(t, site, site.address, "--state", "none,gpc", "--runs", "2", "--screenshots", "--settle", "200ms",
		"https://"+auditedHost+"/")
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

// A Django portal sets trackers whatever the visitor chose. With the gateway in front every state holds.
func TestAuditOfDjango(t *testing.T) {
	t.Parallel()
	portal := startDjango(t)
	port := portaltest.FreePort(t)
	gateway := fmt.Sprintf("127.0.0.1:%d", port)
	const policy = "cookie_policy opendatasoft matomo"
	startGateway(t, "http://"+gateway, fmt.Sprintf("http://:%d {\n\tbind 127.0.0.1\n\t%s\n\treverse_proxy %s\n}\n",
		port, policy, portal))
	site := &auditedSite{address: portal, policy: policy}
	for address, want := range map[string]int{portal: 1, gateway: 0} {
		_, port, _ := strings.Cut(address, ":")
		a := runAudit(t, site, address, "--settle", "500ms", "http://localhost:"+port+"/trackers/")
		if a.status != want || len(a.report.States) != 4 {
			t.Errorf("%s: the status is %d, want %d", address, a.status, want)
		}
		for _, w := range []struct{ kind, state, name string }{
			{"set_refused", "none", "_pk_id.1.abcd"}, {"set_refused", "refused", "_pk_id.1.abcd"},
			{"unlisted", "granted", "visitor_tag"}, {"kept_after_withdrawal", "withdrawn", "_pk_id.1.abcd"},
		} {
			if found := a.finding(w.kind, w.state, w.name) != nil; found != (want == 1) {
				t.Errorf("%s: %s of %s in state %s: %t", address, w.kind, w.name, w.state, found)
			}
		}
		for _, s := range a.report.States {
			if want == 0 && s.Verdict != audit.Holds {
				t.Errorf("%s: state %s: %s, %q", address, s.State, s.Verdict, s.Reasons)
			}
		}
	}
}
