package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/audit"
)

// credential is what --header is given: no report may hold it, and no third party may see it.
const credential = "YWxpY2U6b3BlbiBzZXNhbWU="

// A page behind basic authentication makes the run incomplete, and with the credential what it does wrong
// is found. The credential goes to the audited origin, and to nobody else: neither to a frame, nor to
// where a redirect leads, nor into a report.
func TestAuditBehindLogin(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	with, without := map[string]bool{}, map[string]bool{} // by host and path
	note := func(r *http.Request) (authorized bool) {
		mu.Lock()
		defer mu.Unlock()
		host, _, _ := strings.Cut(r.Host, ":")
		authorized = r.Header.Get("Authorization") == "Basic "+credential && r.Header.Get("X-Staging") == credential
		if authorized {
			with[host+r.URL.Path] = true
		} else if r.Header.Get("Authorization") != "" || r.Header.Get("X-Staging") != "" {
			t.Errorf("%s%s has a part of the fields", host, r.URL.Path)
		} else {
			without[host+r.URL.Path] = true
		}
		return authorized
	}
	site := &auditedSite{
		behave: func(w http.ResponseWriter, r *http.Request, _ map[string]bool, _ bool) {
			authorized := note(r)
			switch r.URL.Path {
			case "/":
				writePage(w, "")
			case "/login/":
				if !authorized {
					w.Header().Set("WWW-Authenticate", `Basic realm="staging"`)
					w.WriteHeader(http.StatusUnauthorized)
					return
				}
				setCookie(w, "stat_inside=v1; Path=/; Secure; Max-Age=86400")
				writePage(w, `<img src=/away><img src="https://`+trackerHost+`/back">
					<iframe src="https://`+trackerHost+`/frame"></iframe>
					<script>
						fetch("https://`+trackerHost+`/fetched", { mode: "no-cors" });
						new Worker("/worker.js");
						new SharedWorker("/shared.js");
						navigator.serviceWorker.register("/service.js");
						addEventListener("pagehide", () => navigator.sendBeacon("/beacon"));
					</script>`)
			case "/away":
				http.Redirect(w, r, "https://"+trackerHost+"/pixel", http.StatusFound)
			case "/worker.js", "/shared.js", "/service.js":
				w.Header().Set("Content-Type", "text/javascript")
				from := "/from" + strings.TrimSuffix(r.URL.Path, ".js")
				fmt.Fprintf(w, `fetch(%q); fetch("https://%s%s", { mode: "no-cors" });`, from, trackerHost, from)
			default:
				w.WriteHeader(http.StatusNoContent)
			}
		},
		trackers: func(w http.ResponseWriter, r *http.Request) {
			note(r)
			switch r.URL.Path {
			case "/back":
				http.Redirect(w, r, "https://"+auditedHost+"/again", http.StatusFound)
			case "/frame":
				writePage(w, `<img src="https://`+auditedHost+`/from-frame">`)
			default:
				w.WriteHeader(http.StatusNoContent)
			}
		},
	}
	site.start(t)
	pages := []string{"--state", "none", "--settle", "1s", "https://" + auditedHost + "/",
		"https://" + auditedHost + "/login/"}
	a := runAudit(t, site, site.address, pages...)
	if s := a.report.States[0]; a.status != 2 || s.Verdict != audit.Incomplete ||
		!strings.Contains(strings.Join(s.Reasons, "\n"), "/login/: the portal answered with status 401") {
		t.Errorf("without the credential: status %d, %s, %q", a.status, s.Verdict, s.Reasons)
	}
	if len(with) > 0 {
		t.Errorf("somebody has the credential: %v", with)
	}

	clear(without)
	a = runAudit(t, site, site.address, append(pages, "--header", "Authorization: Basic "+credential,
		"--header", "X-Staging: "+credential)...)
	if f := a.finding("set_refused", "none", "stat_inside"); a.status != 1 || f == nil || f.Setter.Kind != "header" {
		t.Errorf("with the credential: status %d, %+v", a.status, f)
	}
	if s := a.report.States[0]; s.Integrity != (audit.Integrity{}) || len(s.Reasons) > 0 {
		t.Errorf("%+v, %q", s.Integrity, s.Reasons)
	}
	for _, path := range []string{"/", "/login/", "/away", "/again", "/from-frame", "/beacon",
		"/worker.js", "/shared.js", "/service.js", "/from/worker", "/from/shared", "/from/service"} {
		if !with[auditedHost+path] {
			t.Errorf("%s is asked for without the credential", path)
		}
	}
	for _, path := range []string{"/pixel", "/back", "/frame", "/fetched", "/from/worker", "/from/shared",
		"/from/service"} {
		if with[trackerHost+path] || !without[trackerHost+path] {
			t.Errorf("%s of the third party: with the credential %t, without %t", path, with[trackerHost+path],
				without[trackerHost+path])
		}
	}
	if got, want := a.report.Method.Headers, []string{"Authorization", "X-Staging"}; !slices.Equal(got, want) {
		t.Errorf("the report names the fields %q, want %q", got, want)
	}
	a.lacks(t, credential, "alice", "open sesame")
}

// lacks checks that no file of an audit, and nothing that it printed, holds any of the texts.
func (a *audited) lacks(t *testing.T, texts ...string) {
	t.Helper()
	err := filepath.WalkDir(a.dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		for _, text := range texts {
			if strings.Contains(string(b), text) {
				t.Errorf("%s holds %q", filepath.Base(path), text)
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	for _, text := range texts {
		if strings.Contains(a.output, text) {
			t.Errorf("the output holds %q", text)
		}
	}
}
