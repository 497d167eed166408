package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/audit"
)

// Each read of cookies by a script is counted, by the script and by whose cookies they are: a third party's
// script within the page reads the portal's. It is no finding.
func TestAuditOfReads(t *testing.T) {
	t.Parallel()
	site := &auditedSite{
		behave: func(w http.ResponseWriter, r *http.Request, _ map[string]bool, _ bool) {
			if r.URL.Path != "/" {
				w.WriteHeader(http.StatusNoContent)
				return
			}
			setCookie(w, "sessionid=v1; Path=/; Secure; HttpOnly")
			writePage(w, `<script src="https://`+trackerHost+`/reader.js?id=v123"></script>
				<script>document.cookie; cookieStore.get("a"); cookieStore.getAll();</script>
				<iframe src="https://`+widgetHost+`/"></iframe>`)
		},
		trackers: func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/reader.js" {
				w.Header().Set("Content-Type", "text/javascript")
				fmt.Fprint(w, `for (let i = 0; i < 1000; i++) document.cookie;`)
				return
			}
			writePage(w, `<script>if (document.cookie !== "") throw 1; window.got = document.cookie;</script>`)
		},
	}
	site.start(t)
	a := runAudit(t, site, site.address, "--state", "none", "--settle", "500ms", "https://"+auditedHost+"/")
	if a.status != 0 || a.report.States[0].Integrity != (audit.Integrity{}) {
		t.Errorf("status %d, %+v", a.status, a.report.States)
	}
	var got []string
	for _, r := range a.report.Reads {
		got = append(got, fmt.Sprint(r.Script, " ", r.Site, " ", r.Party, " ", r.Host, " ", r.Count))
	}
	want := []string{ // the first page is visited twice
		"https://" + auditedHost + "/ city.test host " + auditedHost + " 6",
		"https://" + trackerHost + "/reader.js?id tracker.test third " + auditedHost + " 2000",
		"https://" + widgetHost + "/ social.test third " + widgetHost + " 4",
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
