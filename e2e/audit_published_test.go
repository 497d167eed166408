package e2e

import (
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/audit"
)

// A portal that sets the cookies of its published page, and one more: the page is imported, and the audit
// names the stranger. With a gateway that has the imported policy nothing is left to find.
func TestAuditOfPublishedPolicies(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../published/testdata/portals/*.txt")
	if err != nil || len(pages) != 5 {
		t.Fatalf("%q, %v", pages, err)
	}
	names := []string{"cookies_preferences", "csrftoken", "django_language", "sessionid"}
	site := &auditedSite{trackers: track, behave: func(w http.ResponseWriter, r *http.Request, _ map[string]bool, _ bool) {
		for _, name := range names {
			setCookie(w, name+"=1; Path=/; Secure")
		}
		setCookie(w, "stranger=1; Path=/; Secure")
		writePage(w, "")
	}}
	site.start(t)
	for _, page := range pages {
		t.Run(strings.TrimSuffix(filepath.Base(page), ".txt"), func(t *testing.T) {
			t.Parallel()
			policy, err := exec.Command(caddy, "cookie-policy", "import", page).Output()
			if err != nil {
				t.Fatalf("import: %v\n%s", err, policy)
			}
			portal := *site
			portal.policy = string(policy)
			for address, want := range map[string]int{site.address: 1, site.gateway(t, portal.policy): 0} {
				a := runAudit(t, &portal, address, "--state", "none", "--settle", "0s", "https://"+auditedHost+"/")
				if a.status != want || len(a.report.States) != 1 || a.report.States[0].Integrity != (audit.Integrity{}) {
					t.Errorf("status %d, want %d: %+v", a.status, want, a.report.States)
				}
				var found, met []string
				for _, f := range a.report.Findings {
					found = append(found, f.Finding+" "+f.Name)
				}
				for _, c := range a.report.Cookies {
					if c.Category == "necessary" {
						met = append(met, c.Name)
					}
				}
				if slices.Sort(met); !slices.Equal(met, names) || len(a.report.Never) > 0 {
					t.Errorf("met %q, and not %+v", met, a.report.Never)
				}
				if slices.Contains(found, "unlisted stranger") != (want == 1) || len(found) != want {
					t.Errorf("found %q", found)
				}
			}
		})
	}
}
