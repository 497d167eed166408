package observe_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

func unlistedReport(origin string, at time.Time) observe.OriginReport {
	return observe.OriginReport{Origin: origin, Category: observe.Unlisted, Directive: "img-src", Host: "data.city.example",
		Mode: observe.Report, Verdict: observe.Refused, Now: at}
}

// A million made-up origins neither grow memory nor push out one that pages really load from, nor what a
// rule names.
func TestOriginsUnderAttack(t *testing.T) {
	o := observe.New(noon)
	o.SetSites([]string{"data.city.example"})
	listed := unlistedReport("https://*.video.example", noon)
	listed.Listed, listed.Category, listed.Consent = true, policy.ThirdParty, policy.Granted
	o.CountOrigin(listed)
	before := heap()
	pad := strings.Repeat("x", 200)
	const forged, real = 100_000, 1_000
	at := noon
	for i := range forged {
		o.CountOrigin(unlistedReport(fmt.Sprintf("https://%d%s.example", i, pad), at))
		if i%(forged/real) == 0 {
			at = at.Add(5 * time.Minute)
			o.CountOrigin(unlistedReport("https://tracker.example", at))
		}
	}
	if grown := heap() - before; grown > 1<<20 {
		t.Errorf("the Observer grew by %d bytes", grown)
	}
	origins := map[string]observe.OriginSighting{}
	for _, s := range o.Origins() {
		origins[s.Origin] = s
	}
	tracker := origins["https://tracker.example"]
	if len(origins) != 201 || origins["https://*.video.example"].Reports != 1 {
		t.Errorf("%d origins are known", len(origins))
	}
	if tracker.Reports > real || tracker.Reports+tracker.Missed < real || !tracker.Established() {
		t.Errorf("the tracker came %d times: %+v", real, tracker)
	}
}

// What is written is read again, and what no Observer could have written is not.
func TestOriginsRestore(t *testing.T) {
	o := observe.New(noon)
	o.SetSites([]string{"data.city.example"})
	for day := range 4 {
		o.CountOrigin(unlistedReport("https://tracker.example", noon.AddDate(0, 0, day)))
	}
	for _, origin := range []string{"http://tracker.example:8080", observe.Redirect} {
		o.CountOrigin(unlistedReport(origin, noon))
	}
	for _, origin := range []string{"https://*.video.example", "https://tiles.example:8443"} {
		listed := unlistedReport(origin, noon)
		listed.Listed = true
		o.CountOrigin(listed)
	}
	o.CountDropped("malformed", 3)
	later := noon.AddDate(0, 0, 5)
	b, err := json.Marshal(o.State())
	if err != nil {
		t.Fatal(err)
	}
	var state observe.State
	if err := json.Unmarshal(b, &state); err != nil {
		t.Fatal(err)
	}
	for _, forged := range []string{"", "https://a\nb.example", strings.Repeat("x", 1000), "=HYPERLINK(1)", "t.example",
		"https://t.example/path?q", "https://T.example", "https://t.example:443", "https://user@t.example",
		"https://192.0.2.1", "https://[2001:db8::1]", "https://localhost", "https://" + strings.Repeat("x", 300) + ".example",
		"ftp://t.example", "https://*.t.example", "(more)"} {
		state.Origins = append(state.Origins, observe.OriginState{Origin: observe.Text(forged), Reports: 1})
	}
	for _, forged := range []string{"https://*", "https://*.com", "https://a.*.example", "http://t.example", observe.Redirect} {
		state.Origins = append(state.Origins, observe.OriginState{Origin: observe.Text(forged), Listed: true, Reports: 1})
	}
	restored := observe.New(later)
	restored.Restore(&state, later)
	if got, want := restored.Origins(), o.Origins(); !reflect.DeepEqual(got, want) {
		t.Errorf("restored is %+v, want %+v", got, want)
	}
	if got, want := restored.Counters(), o.Counters(); !reflect.DeepEqual(got.Loads, want.Loads) || got.Dropped["malformed"] != 3 {
		t.Errorf("restored is %+v, want %+v", got, want)
	}
	restored.CountOrigin(unlistedReport("https://tracker.example", noon.AddDate(0, 0, 3)))
	for _, s := range restored.Origins() {
		if s.Origin == "https://tracker.example" && s.Days != 4 {
			t.Errorf("the same day counts again: %d", s.Days)
		}
	}
}

func TestAllowReports(t *testing.T) {
	o := observe.New(noon)
	allowed := func(at time.Time) (n int) {
		for range 1000 {
			if o.AllowReports(1, at) {
				n++
			}
		}
		return n
	}
	for i, c := range []struct {
		at   time.Time
		want int
	}{{noon, 200}, {noon.Add(time.Second), 20}, {noon.Add(time.Hour), 200}, {noon, 200}} {
		if got := allowed(c.at); got != c.want {
			t.Errorf("%d: %d of 1000 reports are allowed, want %d", i, got, c.want)
		}
	}
	if o.AllowReports(51, noon) {
		t.Error("a body of many reports is one report")
	}
}
