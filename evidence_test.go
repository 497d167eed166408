package cookiepolicy

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/evidence"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// keeping returns an instance whose storage outlives stops, and the directory of that.
func keeping(t *testing.T) (w *caddytest.Instance, dir string) {
	t.Helper()
	w, dir = caddytest.NewInstance(t), t.TempDir()
	w.Storage = "storage file_system " + dir
	return w, dir
}

// tracked is a portal that sets the session and a cookie that no rule names.
func tracked(t *testing.T) string {
	portal := portaltest.StartPortal(t, portaltest.Response("200 OK", []string{google, session}, ""))
	return "\n}\nreverse_proxy " + portal.Address
}

func history(t *testing.T, w *caddytest.Instance, policy, query string) (answer evidence.HistoryAnswer) {
	t.Helper()
	w.AskJSON("/cookie-policy/"+policy+"/history"+query, &answer)
	return answer
}

// A restart loses nothing: numbers go on, a name that was logged is not logged again, and the policy is in
// force since it came into force first.
func TestEvidenceRestart(t *testing.T) {
	w, dir := keeping(t)
	site := "cookie_policy opendatasoft {\nname city" + tracked(t)
	w.Reload(site)
	for range 3 {
		w.Get("/", "Cookie: sessionid=1; sent=1")
	}
	begun := since(t, w, "city")
	before := inventory(t, w, "city")
	caddytest.Stop(t)
	want(t, "stored", files(t, dir), "[city 0.json.gz]")

	w.Reload(site)
	w.Get("/", "Cookie: sessionid=1; sent=1")
	for name, item := range inventory(t, w, "city") {
		if item.Count != before[name].Count+1 || !item.First.Equal(before[name].First.Truncate(time.Millisecond)) {
			t.Errorf("%s: %+v, and before the restart %+v", name, item, before[name])
		}
	}
	if now := since(t, w, "city"); !now.Equal(begun) {
		t.Errorf("in force since %v, and not %v", now, begun)
	}
	metrics := w.Metrics()
	want(t, "requests", metrics[`requests_total{policy="city"}`], 4)
	want(t, "the metric of since when", metrics[`in_force_since_timestamp_seconds{policy="city"}`], number(begun.Unix()))
	want(t, "refused", w.Verdicts("city")["set/unlisted/refused"], 4)
	w.Reload("cookie_policy opendatasoft {\nname city\nallow necessary new" + tracked(t))
	caddytest.Stop(t)
	w.Reload("cookie_policy opendatasoft {\nname city\nmode report\nallow necessary new" + tracked(t))
	want(t, "in force, and changes", caddytest.Pick(w.Log("all.log", appLog, "cookie policy in force"), "changes"),
		"[new]\n[]\n[added: allow necessary new]\n[mode report, was enforce]\n")
	want(t, "warnings about the cookie",
		len(w.Log("all.log", handlerLog, "met a cookie that the policy does not name")), 1)
	want(t, "warnings about evidence", len(w.Log("all.log", appLog, setAside))+
		len(w.Log("all.log", appLog, failing)), 0)

	var configured policyAsConfigured
	w.AskJSON("/cookie-policy/city/policy", &configured)
	if !configured.First.Equal(begun) || !configured.Since.After(begun) {
		t.Errorf("in force since %v and changed at %v, and it began at %v", configured.First, configured.Since, begun)
	}

	answer := history(t, w, "city", "")
	var periods []string
	for i, p := range answer.Periods {
		periods = append(periods, fmt.Sprint(p.Mode, p.Until.IsZero(), p.Changes, len(p.Policy) > 0))
		if i > 0 && answer.Periods[i-1].Until.After(p.Since) {
			t.Errorf("%v ends after the next one begins", answer.Periods[i-1])
		}
	}
	want(t, "the history", periods, "[enforcefalse [] true"+
		" enforcefalse [added: allow necessary new] true reporttrue [mode report, was enforce] true]")
	isInstance := regexp.MustCompile(`^[0-9a-f-]{36}-0$`).MatchString
	if len(answer.Instances) != 1 || !answer.Instances[0].Self || !isInstance(answer.Instances[0].Instance) {
		t.Errorf("the instances are %+v", answer.Instances)
	}
}

func number(n int64) string { // as Prometheus writes it
	b, _ := json.Marshal(float64(n))
	mantissa := strings.TrimRight(string(b), "0")
	return mantissa[:1] + "." + mantissa[1:] + fmt.Sprintf("e+%02d", len(string(b))-1)
}

// A policy that gets another name begins anew, and what was known under the old one is kept, with its end.
// A policy that a reload took away and brought back was not in force in between.
func TestEvidenceRenameAndReturn(t *testing.T) {
	w, dir := keeping(t)
	portal := tracked(t)
	w.Reload("cookie_policy opendatasoft {\nname city" + portal)
	w.Get("/")
	w.Reload("cookie_policy opendatasoft {\nname town" + portal)
	w.Get("/")
	want(t, "of the new name", inventory(t, w, "town")["set _ga"].Count, 1)
	old := storedIn(t, dir)["city 0.json.gz"]
	if !strings.Contains(old, `"until":"20`) || !strings.Contains(old, `"stopped":true`) ||
		!strings.Contains(old, `"_ga"`) {
		t.Errorf("of the old name is stored %s", old)
	}
	w.Reload("cookie_policy opendatasoft {\nname city" + portal)
	w.Get("/")
	want(t, "of the old name", inventory(t, w, "city")["set _ga"].Count, 2)
	periods := history(t, w, "city", "").Periods
	if len(periods) != 2 || periods[0].Until.IsZero() || !periods[1].Until.IsZero() {
		t.Errorf("the periods are %+v", periods)
	}
	want(t, "in force, and changes",
		caddytest.Pick(w.Log("all.log", appLog, "cookie policy in force"), "policy", "changes"),
		"city|[new]\ntown|[new]\ncity|[new]\n")
	caddytest.Stop(t)
	want(t, "stored", files(t, dir), "[city 0.json.gz town 0.json.gz]")
}

// With `evidence off` nothing is stored, and the rest works as it did.
func TestEvidenceOff(t *testing.T) {
	w, dir := keeping(t)
	w.Reload("cookie_policy opendatasoft {\nname city\nevidence off" + tracked(t))
	w.Get("/")
	want(t, "met", inventory(t, w, "city")["set _ga"].Count, 1)
	want(t, "warnings", len(w.Log("all.log", handlerLog, "met a cookie that the policy does not name")), 1)
	want(t, "periods", len(history(t, w, "city", "").Periods), 1)
	for _, path := range []string{"report", "history?scope=fleet", "inventory?scope=fleet"} {
		status, _, body := w.Ask(http.MethodGet, "/cookie-policy/city/"+path)
		if status != http.StatusNotFound || !strings.Contains(body, "evidence off") {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	caddytest.Stop(t)
	want(t, "stored", files(t, dir), "[]")
}

// Validating a config reads and writes no evidence, and takes no slot.
func TestEvidenceValidate(t *testing.T) {
	w, _ := keeping(t)
	asked := 0
	setHook(t, func(string, string) error { asked++; return nil })
	w.Storage = "storage hooked " + t.TempDir()
	config, err := w.Adapt(w.SiteWith("cookie_policy opendatasoft {\nname city" + tracked(t)))
	if err != nil {
		t.Fatal(err)
	}
	if err := caddytest.Validate(config); err != nil || asked != 0 {
		t.Errorf("storage was asked %d times, %v", asked, err)
	}
}

const (
	failing   = "evidence cannot be kept in storage; it is kept in memory, and written when storage answers"
	recovered = "evidence is kept in storage again"
	setAside  = "evidence in storage could not be read, and was set aside"
)

// A storage that fails, is full, can only be read or hangs costs one warning. Requests, reloads and stops go
// on, and nothing is lost once it works again.
func TestEvidenceStorageFails(t *testing.T) {
	errFull := errors.New("no space left on device")
	hang := make(chan struct{})
	release := sync.OnceFunc(func() { close(hang) })
	t.Cleanup(release)
	for what, f := range map[string]func(operation, key string) error{
		"fails": func(string, string) error { return errors.New("connection refused") },
		"full":  func(operation, _ string) error { return map[string]error{"store": errFull}[operation] },
		"read-only": func(operation, _ string) error {
			return map[string]error{"store": os.ErrPermission, "delete": os.ErrPermission}[operation]
		},
		"no lists": func(operation, _ string) error { return map[string]error{"list": os.ErrPermission}[operation] },
		"hangs":    func(string, string) error { <-hang; return nil },
	} {
		t.Run(what, func(t *testing.T) {
			w, dir := caddytest.NewInstance(t), t.TempDir()
			w.Storage = "storage hooked " + dir
			site := "cookie_policy opendatasoft {\nname city\nevidence {\ninterval 1s\n}" + tracked(t)
			setHook(t, f)
			began := time.Now()
			w.Reload(site)
			w.Get("/")
			w.Reload(site + "\nheader X-Again 1")
			w.Get("/")
			if took := time.Since(began); took > 3*(longestStart+longestStop)+10*time.Second {
				t.Errorf("loading took %v", took)
			}
			want(t, "met", inventory(t, w, "city")["set _ga"].Count, 2)
			if status, _, body := w.Ask(http.MethodGet, "/cookie-policy/city/history"); status != http.StatusOK {
				t.Errorf("%d %s", status, body)
			}
			warning := failing
			if what == "no lists" {
				warning = "evidence that is older than keep could not be deleted from storage"
			}
			await(t, "a warning", func() bool { return len(w.Log("all.log", appLog, warning)) > 0 })
			if what == "hangs" { // it goes on to
				began := time.Now()
				caddytest.Stop(t)
				if took := time.Since(began); took > 2*longestStop+5*time.Second {
					t.Errorf("stopping took %v", took)
				}
				release()
				return
			}
			setHook(t, func(string, string) error { return nil })
			w.Get("/")
			if what != "no lists" { // which are not asked for again so soon
				await(t, "that it works again", func() bool { return len(w.Log("all.log", appLog, recovered)) > 0 })
			}
			want(t, "warnings", len(w.Log("all.log", appLog, warning)), 1)
			caddytest.Stop(t)
			if text := storedIn(t, dir)["city 0.json.gz"]; !strings.Contains(text, `"requests":3,`) {
				t.Errorf("stored is %s", text)
			}
		})
	}
}

// await waits until something holds, and fails the test if that takes long.
func await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// A file that is torn, foreign, newer or much too large does not keep the gateway from starting, is told, and
// is not lost.
func TestEvidenceForgedFiles(t *testing.T) {
	for what, forge := range map[string]func(path string) error{
		"torn":    func(path string) error { return os.Truncate(path, 100) },
		"foreign": func(path string) error { return os.WriteFile(path, []byte("PK\x03\x04"), 0o600) },
		"1 GiB":   func(path string) error { return os.Truncate(path, 1<<30) },
	} {
		w, dir := keeping(t)
		site := "cookie_policy opendatasoft {\nname city" + tracked(t)
		w.Reload(site)
		w.Get("/")
		caddytest.Stop(t)
		paths, err := filepath.Glob(filepath.Join(dir, "cookie_policy", "city-*", "*-0.json.gz"))
		if err != nil || len(paths) != 1 {
			t.Fatalf("stored are %q, %v", paths, err)
		}
		if err := forge(paths[0]); err != nil {
			t.Fatal(err)
		}
		before := heapAfterGC()
		w.Reload(site)
		w.Get("/")
		if now := heapAfterGC(); now > before+32<<20 {
			t.Errorf("%s: the heap has grown from %d to %d", what, before, now)
		}
		want(t, what+": met", inventory(t, w, "city")["set _ga"].Count, 1)
		want(t, what+": warnings", len(w.Log("all.log", appLog, setAside)), 1)
		caddytest.Stop(t)
		kept := files(t, dir)
		if what == "1 GiB" {
			want(t, what+": stored", kept, "[city 0.2.json.gz city 0.json.gz]")
		} else if !regexp.MustCompile(`^\[city 0\.json\.gz city 0\.json\.gz\.aside-\d{8}T\d{6}Z\]$`).MatchString(kept) {
			t.Errorf("%s: stored is %s", what, kept)
		}
	}
}

// The report has the days, modes apart, and the chain; what is asked wrongly is explained.
func TestEvidenceReport(t *testing.T) {
	w, _ := keeping(t)
	site := "cookie_policy opendatasoft {\nname city\nmode %s" + tracked(t)
	w.Reload(fmt.Sprintf(site, "enforce"))
	w.Get("/", "Cookie: sessionid=1")
	w.Reload(fmt.Sprintf(site, "report"))
	w.Get("/")
	w.Get("/")
	for _, query := range []string{"", "?scope=instance", "?scope=fleet"} {
		var answer evidence.Report
		w.AskJSON("/cookie-policy/city/report"+query, &answer)
		verdicts := map[string]uint64{}
		for _, v := range answer.Totals.Verdicts {
			verdicts[v.Mode+" "+v.Channel+" "+v.Category+" "+v.Verdict] = v.Count
		}
		want(t, query+": verdicts", verdicts, map[string]uint64{
			"enforce set unlisted refused": 1, "enforce set necessary let_through": 1, "enforce read necessary let_through": 1,
			"report set unlisted would_refuse": 2, "report set necessary let_through": 2})
		requests := uint64(0)
		for _, d := range answer.Days {
			requests += d.Requests
		}
		if requests != 3 || len(answer.InForce) != 2 || len(answer.Cookies) == 0 ||
			len(answer.Chains) != 1 || !answer.Chains[0].Holds {
			t.Errorf("%s: %+v", query, answer)
		}
	}
	var empty evidence.Report
	w.AskJSON("/cookie-policy/city/report?since=2001-01-01&until=2001-02-01", &empty)
	if len(empty.Days)+len(empty.InForce)+len(empty.Cookies) != 0 {
		t.Errorf("of 2001 it knows %+v", empty)
	}
	for query, said := range map[string]string{
		"report?since=yesterday":                   "write one such as 2026-01-15",
		"report?until=2026-02-30":                  "write one such as 2026-01-15",
		"report?since=2026-02-02&until=2026-02-01": "is after until",
		"report?scope=all":                         "want instance or fleet",
		"history?scope=all":                        "want instance or fleet",
		"inventory?scope=Fleet":                    "want instance or fleet",
	} {
		status, _, body := w.Ask(http.MethodGet, "/cookie-policy/city/"+query)
		if status != http.StatusBadRequest || !strings.Contains(body, said) {
			t.Errorf("%s: %d %s", query, status, body)
		}
	}
}
