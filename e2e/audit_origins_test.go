package e2e

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/audit"
)

// originPolicy names third parties, and no cookie of them.
const originPolicy = `cookie_policy {
	name audited
	allow necessary sessionid {
		secure
		http_only
	}
	allow third_party {
		consent ads
		origin https://` + trackerHost + `
	}
	allow third_party {
		consent video
		origin https://*.social.test
	}
	preference cookies_preferences {
		timestamp timestamp
		max_age 183d
	}
	load enforce
}`

// loadAll is a portal that loads from third parties whatever the visitor chose, in each way there is.
func loadAll(w http.ResponseWriter, r *http.Request, _ map[string]bool, _ bool) {
	switch r.URL.Path {
	case "/":
		setCookie(w, "sessionid=s1; Path=/; Secure; HttpOnly")
		writePage(w, `<img src=/hop><script src=/hop></script><iframe src=/hop></iframe><iframe src="https://`+widgetHost+`/frame"></iframe>
			<link rel=stylesheet href="https://`+fontsHost+`/a.css">
			<script>
				fetch("/hop", { mode: "no-cors" }).catch(() => {});
				fetch("https://`+trackerHost+`/fetch?uid=12345678", { mode: "no-cors" }).catch(() => {});
				new WebSocket("wss://`+trackerHost+`/socket");
				navigator.sendBeacon("https://`+trackerHost+`/beacon");
			</script>`)
	case "/hop":
		http.Redirect(w, r, "https://"+trackerHost+"/pixel", http.StatusFound)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// frameAll is a third party whose frame loads from another one.
func frameAll(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/frame" {
		writePage(w, `<img src="https://`+framedHost+`/pixel"><iframe src="https://`+framedHost+`/nested"></iframe>`)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// Third parties have the rule that names their origin. Without consent they are early, in no rule unlisted, and
// with the gateway in front pages load from neither.
func TestAuditOfOrigins(t *testing.T) {
	t.Parallel()
	site := &auditedSite{behave: loadAll, trackers: frameAll, policy: originPolicy}
	site.start(t)
	tracker, widget, fonts, framed := "https://"+trackerHost, "https://"+widgetHost, "https://"+fontsHost, "https://"+framedHost
	for _, c := range []struct {
		what, address string
		status        int
		verdict       string
		findings      []string
		contacts      []string
	}{
		{"alone", site.address, 1, audit.Broken, []string{
			"early none " + tracker, "early none " + widget, "early refused " + tracker, "early refused " + widget,
			"early withdrawn " + tracker, "early withdrawn " + widget, "third_party none " + framedHost,
			"third_party refused " + framedHost, "third_party withdrawn " + framedHost, "unlisted granted " + fonts,
			"unlisted none " + fonts, "unlisted refused " + fonts, "unlisted withdrawn " + fonts,
		}, []string{
			framed + ": unlisted, in none refused granted withdrawn, early in ",
			fonts + ": unlisted, in none refused granted withdrawn, early in ",
			tracker + ": third_party " + tracker + ", in none refused granted withdrawn, early in none refused withdrawn",
			widget + ": third_party https://*.social.test, in none refused granted withdrawn, early in none refused withdrawn",
		}},
		{"with the gateway", site.gateway(t, originPolicy), 0, audit.Holds, nil, []string{
			framed + ": unlisted, in granted withdrawn, early in ",
			tracker + ": third_party " + tracker + ", in granted withdrawn, early in ",
			widget + ": third_party https://*.social.test, in granted withdrawn, early in ",
		}},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			a := runAudit(t, site, c.address, "--settle", "500ms", "https://"+auditedHost+"/")
			if a.status != c.status {
				t.Errorf("the status is %d, want %d", a.status, c.status)
			}
			for _, s := range a.report.States {
				if want := c.verdict; s.Verdict != want {
					t.Errorf("state %s: %s, %q, want %s", s.State, s.Verdict, s.Reasons, want)
				}
			}
			var findings []string
			for _, f := range a.report.Findings {
				findings = append(findings, f.Finding+" "+f.State+" "+f.Name)
			}
			slices.Sort(findings)
			if !slices.Equal(findings, c.findings) {
				t.Errorf("found\n%s\nwant\n%s", strings.Join(findings, "\n"), strings.Join(c.findings, "\n"))
			}
			var contacts []string
			for _, r := range a.report.Requests {
				contacts = append(contacts, fmt.Sprintf("%s: %s, in %s, early in %s", r.Origin, cmp.Or(r.Rule, r.Category),
					strings.Join(r.States, " "), strings.Join(r.Early, " ")))
			}
			slices.Sort(contacts)
			slices.Sort(c.contacts)
			if !slices.Equal(contacts, c.contacts) {
				t.Errorf("contacts\n%s\nwant\n%s", strings.Join(contacts, "\n"), strings.Join(c.contacts, "\n"))
			}
			text, err := os.ReadFile(filepath.Join(a.dir, "origins.csv"))
			if err != nil {
				t.Fatal(err)
			}
			rows, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
			if err != nil || len(rows) != 1+len(c.contacts) {
				t.Errorf("origins.csv has %d rows, %v", len(rows), err)
			}
			for _, file := range []string{"audit.md", "audit.en.html", "audit.fr.html", "origins.csv"} {
				text, err := os.ReadFile(filepath.Join(a.dir, file))
				if err != nil || !strings.Contains(strings.ReplaceAll(string(text), "\\", ""), "*.social.test") ||
					strings.Contains(string(text), "12345678") {
					t.Errorf("%s: %v\n%s", file, err, text)
				}
			}
			if !strings.Contains(a.output, "https://*.social.test") {
				t.Errorf("the table does not name the rule:\n%s", a.output)
			}
		})
	}
}
