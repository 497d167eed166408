package cookiepolicy

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/evidence"
	"github.com/cookie-policy/caddy-cookie-policy/internal/portaltest/caddytest"
)

// requests returns how many requests the policy saw.
func requests(t *testing.T, w *caddytest.Instance, policy string) uint64 {
	t.Helper()
	var policies []policyInForce
	w.AskJSON("/cookie-policy/policies", &policies)
	for _, p := range policies {
		if p.Name == policy {
			return p.Requests
		}
	}
	t.Fatalf("%s is not in force", policy)
	return 0
}

// storedUntil returns until when the evidence of a policy is in storage, in Unix time.
func storedUntil(t *testing.T, w *caddytest.Instance, policy string) (seconds int64) {
	t.Helper()
	var at float64
	fmt.Sscan(w.Metrics()[fmt.Sprintf("evidence_stored_timestamp_seconds{policy=%q}", policy)], &at)
	return int64(at)
}

// fleet returns the instances that an instance of the fleet knows, and the numbers of the inventory of all.
func fleet(t *testing.T, w *caddytest.Instance) (evidence.Inventory, map[string]uint64) {
	t.Helper()
	var answer evidence.Inventory
	w.AskJSON("/cookie-policy/city/inventory?scope=fleet", &answer)
	counts := map[string]uint64{}
	for _, item := range answer.Cookies {
		counts[item.Channel+" "+item.Name] += item.Count
	}
	return answer, counts
}

// load sends requests without end until the function that is returned is called, which returns how many were
// answered.
func load(w *caddytest.Instance) (stop func() uint64) {
	var answered atomic.Uint64
	stopping, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stopping:
				return
			default:
			}
			a, err := w.Site.Try("GET / HTTP/1.1\r\nHost: localhost\r\nCookie: sessionid=1\r\nConnection: close\r\n\r\n")
			if err == nil && a.Raw != "" {
				answered.Add(1)
			}
		}
	}()
	return func() uint64 {
		close(stopping)
		<-done
		return answered.Load()
	}
}

// kill -9 under load loses what came since the last write and nothing else: nothing is torn, and the next
// process has the same instance.
func TestEvidenceKilledProcess(t *testing.T) {
	w, dir := keeping(t)
	data := t.TempDir()
	site := w.SiteWith("cookie_policy opendatasoft {\nname city\nevidence {\ninterval 1s\n}" + tracked(t))
	var before, sent uint64
	for round := range 3 {
		p := w.StartProcess(data, site)
		now := requests(t, w, "city")
		if now < before || now > sent {
			t.Errorf("round %d: %d requests are known, and %d were before; sent were %d", round, now, before, sent)
		}
		stop := load(w)
		await(t, "requests", func() bool { return requests(t, w, "city") > now+20 })
		before = requests(t, w, "city")
		written := time.Now().Unix() + 1 // the time in storage has whole seconds
		await(t, "a write", func() bool { return storedUntil(t, w, "city") >= written })
		p.Kill9()
		sent += stop()
		if n := len(w.Log("all.log", appLog, failing)) + len(w.Log("all.log", appLog, setAside)); n > 0 {
			t.Errorf("round %d: %d warnings", round, n)
		}
	}
	p := w.StartProcess(data, site)
	var answer evidence.Report
	w.AskJSON("/cookie-policy/city/report", &answer)
	if len(answer.Instances) != 1 || len(answer.Gaps) != 3 || !answer.Chains[0].Holds || len(answer.InForce) != 1 ||
		answer.Totals.Requests < before || answer.Totals.Requests > sent {
		t.Errorf("after %d of %d requests: %+v", before, sent, answer)
	}
	p.Interrupt(t)
	want(t, "stored", files(t, dir), "[city 0.json.gz]")
	if !strings.Contains(storedIn(t, dir)["city 0.json.gz"], `"stopped":true`) {
		t.Error("the end of the process is not stored")
	}
}

// Two processes with one data directory and one storage directory never write one key. Each answers for both,
// also when one has been killed, and the next process takes the place of that.
func TestEvidenceTwoProcesses(t *testing.T) {
	one, dir := keeping(t)
	two := caddytest.NewInstance(t)
	two.Storage = one.Storage
	data := t.TempDir()
	directives := "cookie_policy opendatasoft {\nname city\nevidence {\ninterval 1s\n}" + tracked(t)
	first := one.StartProcess(data, one.SiteWith(directives))
	two.StartProcess(data, two.SiteWith(directives))
	one.Get("/")
	for range 2 {
		two.Get("/")
	}
	for _, w := range []*caddytest.Instance{one, two} {
		await(t, "the other's evidence", func() bool {
			_, counts := fleet(t, w)
			return counts["set _ga"] == 3
		})
		answer, _ := fleet(t, w)
		if len(answer.Instances) != 2 || !answer.Instances[0].Live || !answer.Instances[1].Live ||
			answer.Digest == "different" || answer.Instances[0].Self == answer.Instances[1].Self {
			t.Errorf("the instances are %+v", answer.Instances)
		}
	}
	want(t, "stored", files(t, dir), "[city 0.json.gz city 1.json.gz]")

	first.Kill9()
	if _, counts := fleet(t, two); counts["set _ga"] != 3 {
		t.Errorf("of both are counted %v", counts)
	}
	one.StartProcess(data, one.SiteWith(directives))
	want(t, "what the killed process had", inventory(t, one, "city")["set _ga"].Count, 1)
	answer, counts := fleet(t, one)
	if len(answer.Instances) != 2 || counts["set _ga"] != 3 || !strings.HasSuffix(answer.Instances[0].Instance, "-0") ||
		!answer.Instances[0].Self {
		t.Errorf("the instances are %+v, and counted are %v", answer.Instances, counts)
	}
	locks, err := filepath.Glob(filepath.Join(data, "caddy", "cookie_policy-*.lock"))
	if err != nil || len(locks) != 2 {
		t.Errorf("the locks are %q, %v", locks, err)
	}
}

// Without a data directory the evidence is kept under a name of the process, which is told once.
func TestEvidenceWithoutDataDirectory(t *testing.T) {
	w, dir := keeping(t)
	p := w.StartProcess("/dev/null", w.SiteWith("cookie_policy opendatasoft {\nname city"+tracked(t)))
	w.Get("/")
	answer, counts := fleet(t, w)
	if len(answer.Instances) != 1 || !strings.HasPrefix(answer.Instances[0].Instance, "random-") ||
		counts["set _ga"] != 1 {
		t.Errorf("the instances are %+v, and counted are %v", answer.Instances, counts)
	}
	want(t, "warnings", len(w.Log("all.log", appLog,
		"the data directory cannot be used, so each start of this process is another instance in the evidence")), 1)
	p.Interrupt(t)
	if text := files(t, dir); !strings.Contains(text, "city ") {
		t.Errorf("stored is %s", text)
	}
}

// The commands answer for a fleet with --fleet, and say from where that is.
func TestCommandsFleet(t *testing.T) {
	w, _ := keeping(t)
	w.Reload("cookie_policy opendatasoft {\nname city" + tracked(t))
	w.Get("/")
	other := caddytest.NewInstance(t)
	other.Storage = w.Storage
	data := t.TempDir()
	p := other.StartProcess(data, other.SiteWith("cookie_policy opendatasoft {\nname city"+tracked(t)))
	other.Get("/")
	p.Interrupt(t)
	for _, asked := range []string{"inventory", "drift"} {
		var table, document strings.Builder
		_, tableErr := ask(&query{addresses: []string{w.Admin}, fleet: true}, asked, &table)
		status, err := ask(&query{addresses: []string{w.Admin}, fleet: true, json: true, policy: "city"}, asked, &document)
		if fmt.Sprint(err) != fmt.Sprint(tableErr) || status == exitFailed {
			t.Errorf("%s: %d, %v and %v", asked, status, err, tableErr)
		}
		for _, word := range []string{"INSTANCE", "runs", "gone", "_ga"} {
			if !strings.Contains(table.String(), word) {
				t.Errorf("%s: the table has no %s:\n%s", asked, word, table.String())
			}
		}
		if !strings.Contains(document.String(), `"scope": "fleet"`) ||
			!strings.Contains(document.String(), `"instances": [`) {
			t.Errorf("%s: the document is %s", asked, document.String())
		}
		if asked == "inventory" && !strings.Contains(document.String(), `"count": 2`) {
			t.Errorf("both are not added up in %s", document.String())
		}
	}
}
