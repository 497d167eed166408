package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/cookie-policy/caddy-cookie-policy/audit"
)

// Every kind of storage is found: what the portal's scripts write, what a frame of another site does, which
// is kept apart by site, and what a worker does. No value is kept.
func TestAuditOfStorage(t *testing.T) {
	t.Parallel()
	const store = `<script>
		localStorage.setItem("local_key", "v1234567");
		localStorage.property = "v12345678";
		sessionStorage.setItem("session_key", "v123");
		indexedDB.open("database");
		caches.open("cache");
	</script>`
	site := &auditedSite{
		behave: func(w http.ResponseWriter, r *http.Request, _ map[string]bool, _ bool) {
			switch r.URL.Path {
			case "/":
				writePage(w, store+`<iframe src="https://`+widgetHost+`/"></iframe><script>
					new Worker("/worker.js");
					navigator.serviceWorker.register("/area/sw.js");
				</script>`)
			case "/worker.js":
				w.Header().Set("Content-Type", "text/javascript")
				fmt.Fprint(w, `indexedDB.open("of_worker");`)
			case "/area/sw.js":
				w.Header().Set("Content-Type", "text/javascript")
			default:
				w.WriteHeader(http.StatusNoContent)
			}
		},
		trackers: func(w http.ResponseWriter, r *http.Request) { writePage(w, store) },
	}
	site.start(t)
	a := runAudit(t, site, site.address, "--state", "none", "--settle", "500ms", "https://"+auditedHost+"/")
	if s := a.report.States[0]; a.status != 0 || s.Integrity != (audit.Integrity{}) {
		t.Errorf("status %d, %+v, %q", a.status, s.Integrity, s.Reasons)
	}
	var got []string
	for _, s := range a.report.Storage {
		got = append(got, strings.Join([]string{s.Party, s.Partition, s.Kind, s.Key, fmt.Sprint(s.Size)}, " "))
		if s.Party == "host" && s.Key != "property" && s.Kind != "worker" && len(s.Setters) == 0 {
			t.Errorf("%s %s: no script is named", s.Kind, s.Key)
		}
	}
	slices.Sort(got)
	const apart = "third https://city.test "
	want := []string{
		"host  cache cache 0", "host  indexeddb database 0", "host  indexeddb of_worker 0",
		"host  local local_key 8", "host  local property 9", "host  session session_key 4",
		"host  worker https://data.city.test/area/ 0",
		apart + "cache cache 0", apart + "indexeddb database 0", apart + "local local_key 8",
		apart + "local property 9", apart + "session session_key 4",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if a.finding("storage", "none", "of_worker") == nil {
		t.Error("a database of a worker is no finding")
	}
	a.lacks(t, "v1234567", "v123")
}
