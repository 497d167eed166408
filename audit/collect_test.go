package audit

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

const day = 24 * time.Hour

// testPolicy asks for consent to statistics and to advertising, and for no consent to an audience cookie.
func testPolicy() policy.Policy {
	return policy.Policy{
		Name: "test",
		Allow: []policy.Rule{
			{Category: policy.Necessary, Cookies: []string{"sessionid"},
				RuleOptions: policy.RuleOptions{Lifetime: policy.Session, HTTPOnly: true}},
			{Category: policy.Statistical, Cookies: []string{"exempt"},
				RuleOptions: policy.RuleOptions{Anonymous: true, Consent: []string{"audience"}}},
			{Category: policy.FirstParty, Cookies: []string{"stat_*"}, RuleOptions: policy.RuleOptions{
				Consent: []string{"stats"}, Lifetime: policy.Duration(30 * day), Domain: []string{"city.example"},
				Provider: "Stats Ltd", Purpose: []policy.Text{{Text: "Statistics"}}}},
		},
		Preference: []policy.Preference{{Cookies: []string{"choice"}}},
	}
}

const (
	grantsAll  = `choice={"stats":true,"audience":true}`
	refusesAll = `choice={"stats":false,"audience":false}`
)

func address(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func newAudit(t *testing.T) *audit {
	t.Helper()
	return newAuditOf(t, testPolicy())
}

func newAuditOf(t *testing.T, p policy.Policy) *audit {
	t.Helper()
	o := Options{Policy: p, Runs: 1, Pages: []*url.URL{address(t, "https://data.city.example/")}}
	j, err := newJudge(o.Policy)
	if err != nil {
		t.Fatal(err)
	}
	return &audit{options: &o, judge: j, masker: newMasker(), index: map[jarKey]int{}, origins: map[string]int{},
		loaded: map[string]bool{}, findings: map[string]int{}, controls: map[*policy.Rule]bool{}, report: o.newReport(j)}
}

// begun is when the states of these tests begin.
var begun = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// newOutcome is a state with n pages, each of a minute, whose jars are empty.
func newOutcome(t *testing.T, state, preference string, n int) *outcome {
	t.Helper()
	out := &outcome{canaries: map[jarKey]bool{}, top: address(t, "https://data.city.example/")}
	out.state = State{State: state, Run: 1, Reasons: []string{}}
	for i := range n {
		at := begun.Add(time.Duration(i) * time.Minute)
		empty := func(after time.Duration) *jar { return &jar{at: at.Add(after), cookies: map[jarKey]stored{}} }
		out.steps = append(out.steps, step{
			page: Page{URL: "https://data.city.example/", Started: at}, final: out.top, judged: true,
			choice: choice{preference: preference},
			before: empty(0), loaded: empty(30 * time.Second), after: empty(50 * time.Second),
		})
	}
	return out
}

// request is one for a URL on a page, a second after the page began.
func (out *outcome) request(t *testing.T, page int, link string, lines ...string) *request {
	q := &request{step: page, at: begun.Add(time.Duration(page)*time.Minute + time.Second), url: address(t, link),
		kind: "Document", lines: lines}
	out.requests = append(out.requests, q)
	return q
}

// keep puts a cookie into all jars from a page's end on.
func (out *outcome) keep(page int, key jarKey, s stored) {
	for i := range out.steps {
		if i > page {
			out.steps[i].before.cookies[key] = s
		}
		if i >= page {
			out.steps[i].loaded.cookies[key], out.steps[i].after.cookies[key] = s, s
		}
	}
}

func (a *audit) kinds() (all []string) {
	for _, f := range a.report.Findings {
		all = append(all, f.Finding+" "+f.Name)
	}
	slices.Sort(all)
	return all
}

// Each verdict is that of the engine: by name, wildcard, Domain and the choice at the time.
func TestCollect(t *testing.T) {
	for _, c := range []struct {
		what, state, preference string
		lines                   []string
		want                    []string
	}{
		{"nothing", None, "", nil, nil},
		{"necessary", None, "", []string{"sessionid=1; HttpOnly"}, nil},
		{"the preference", Refuse, refusesAll, []string{refusesAll + "; Max-Age=1000"}, nil},
		{"a wildcard without consent", None, "", []string{"stat_1=1"}, []string{"set_refused stat_1"}},
		{"a wildcard with consent", Grant, grantsAll, []string{"stat_1=1; Max-Age=1000"}, nil},
		{"case", None, "", []string{"SessionID=1"}, []string{"unlisted SessionID"}},
		{"anonymous, undecided", None, "", []string{"exempt=1"}, nil},
		{"anonymous, refused", Refuse, refusesAll, []string{"exempt=1"}, []string{"set_refused exempt"}},
		{"another Domain", Grant, grantsAll, []string{"stat_1=1; Domain=data.city.example"},
			[]string{"weaker stat_1"}},
		{"a deletion", Refuse, refusesAll, []string{"stat_1=; Max-Age=0"}, nil},
		{"a longer life", Grant, grantsAll, []string{"stat_1=1; Max-Age=99999999"}, []string{"longer stat_1"}},
		{"weaker attributes", Grant, grantsAll, []string{"sessionid=1"}, []string{"weaker sessionid"}},
		{"a choice that cannot be read", Grant, "choice={", []string{"stat_1=1"}, []string{"set_refused stat_1"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			a := newAudit(t)
			out := newOutcome(t, c.state, c.preference, 1)
			out.request(t, 0, "https://data.city.example/", c.lines...)
			a.collect(out)
			a.report.States = append(a.report.States, out.state)
			a.conclude()
			got := slices.DeleteFunc(a.kinds(), func(k string) bool { return strings.HasPrefix(k, ControlNotShown) })
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// What the browser refused is told, and is no finding; values are kept nowhere.
func TestCollectBlocked(t *testing.T) {
	a := newAudit(t)
	out := newOutcome(t, None, "", 1)
	q := out.request(t, 0, "https://data.city.example/", "stat_1=secret; SameSite=None")
	q.blocked = []blockedLine{{"stat_1=secret; SameSite=None", []string{"SameSiteNoneInsecure"}}}
	a.collect(out)
	if len(a.report.Findings) > 0 {
		t.Errorf("findings: %q", a.kinds())
	}
	c := a.report.Cookies[0]
	if s := c.Seen[0]; s.What != "refused_by_browser" || !slices.Equal(s.Reasons, []string{"SameSiteNoneInsecure"}) {
		t.Errorf("got %+v", s)
	}
	if c.Provider != "Stats Ltd" || c.Purpose != "Statistics" || c.Party != partyHost || c.Consent[0] != "stats" {
		t.Errorf("got %+v", c)
	}
	if e := exchanges(out)[0].Set[0]; e != "stat_1=[6 bytes]; SameSite=None" {
		t.Errorf("the line is shown as %q", e)
	}
}

// A cookie that appears in the jar is joined with what set it. Where nothing did, nobody is named.
func TestCollectJar(t *testing.T) {
	a := newAudit(t)
	out := newOutcome(t, None, "", 2)
	out.request(t, 0, "https://data.city.example/", "stat_header=1; Max-Age=1000")
	out.writes = []write{{step: 0, at: begun.Add(2 * time.Second), kind: "document.cookie", subject: "stat_script=1",
		where: out.top, setter: setter{Kind: "script", URL: "https://cdn.example/a.js", Line: 7}}}
	for name, expires := range map[string]time.Time{
		"stat_header": begun.Add(1001 * time.Second), "stat_script": {}, "stat_beacon": {},
	} {
		out.keep(0, jarKey{name: name, domain: "data.city.example", path: "/"},
			stored{mac: "m", length: 1, expires: expires, session: expires.IsZero()})
	}
	a.collect(out)
	want := []string{"set_refused stat_beacon", "set_refused stat_header", "set_refused stat_script",
		"unattributed stat_beacon"}
	if got := a.kinds(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, c := range a.report.Cookies {
		i := slices.IndexFunc(c.Seen, func(s Seen) bool { return s.What == "set" })
		s := c.Seen[i]
		want := map[string]string{"stat_header": "header https://data.city.example/ 0 16m40s 16m40s",
			"stat_script": "script https://cdn.example/a.js 7 session session",
			"stat_beacon": "unattributed  0  session"}[c.Name]
		got := strings.Join([]string{s.Setter.Kind, s.Setter.URL, string(rune('0' + s.Setter.Line)), s.Declared,
			s.Effective}, " ")
		if got != want {
			t.Errorf("%s: got %q, want %q", c.Name, got, want)
		}
	}
}

// An exempt cookie that is extended at a later page is found, one that keeps its end is not.
func TestCollectRenewed(t *testing.T) {
	for _, renewed := range []bool{true, false} {
		a := newAudit(t)
		out := newOutcome(t, None, "", 2)
		for i := range out.steps {
			out.request(t, i, "https://data.city.example/", "exempt=1; Max-Age=1000000")
			expires := begun.Add(1_000_000 * time.Second)
			if renewed {
				expires = expires.Add(time.Duration(i) * time.Minute)
			}
			out.keep(i, jarKey{name: "exempt", domain: "data.city.example", path: "/"}, stored{mac: "m", expires: expires})
		}
		a.collect(out)
		if got := slices.Equal(a.kinds(), []string{"renewed exempt"}); got != renewed {
			t.Errorf("renewed is %t, findings are %q", renewed, a.kinds())
		}
	}
}

// What is sent by the first navigation after a withdrawal was chosen before; what is sent later was not.
func TestCollectWithdrawal(t *testing.T) {
	a := newAudit(t)
	out := newOutcome(t, Withdrawn, refusesAll, 2)
	out.steps[0].phase, out.steps[0].first, out.steps[1].phase = "refused", true, "refused"
	key := jarKey{name: "stat_1", domain: "data.city.example", path: "/"}
	out.canaries[key] = true
	out.steps[0].before.cookies[key] = stored{mac: "m"}
	out.keep(0, key, stored{mac: "m"})
	for i, name := range []string{"stat_gone", "stat_1"} {
		out.request(t, i, "https://data.city.example/").sent = []sentCookie{{name: name, domain: key.domain, path: "/"}}
	}
	a.collect(out)
	want := []string{"kept_after_withdrawal stat_1", "sent_refused stat_1"}
	if got := a.kinds(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A refusal holds only where the same cookies were met with consent.
func TestVerdict(t *testing.T) {
	for _, c := range []struct {
		what    string
		states  []string
		granted []string // lines with consent
		refused []string // lines without
		failed  bool
		want    string // of the last state
		status  int
	}{
		{"no control", []string{Refuse}, nil, nil, false, NotDemonstrated, StatusIncomplete},
		{"none without a granted run", []string{None}, nil, nil, false, Holds, StatusHolds},
		{"a part of the control", []string{Grant, Refuse}, []string{"stat_1=1"}, nil, false, NotDemonstrated,
			StatusIncomplete},
		{"the control", []string{Grant, Refuse}, []string{"stat_1=1", "exempt=1"}, nil, false, Holds, StatusHolds},
		{"a finding", []string{Grant, Refuse}, []string{"stat_1=1", "exempt=1"}, []string{"stat_1=1"}, false, Broken,
			StatusFindings},
		{"a page that failed", []string{Grant, Refuse}, []string{"stat_1=1", "exempt=1"}, nil, true, Incomplete,
			StatusIncomplete},
		{"a finding and a page that failed", []string{Refuse}, nil, []string{"stat_1=1"}, true, Broken, StatusFindings},
	} {
		t.Run(c.what, func(t *testing.T) {
			a := newAudit(t)
			for _, state := range c.states {
				lines, preference := c.refused, refusesAll
				if state == Grant {
					lines, preference = c.granted, grantsAll
				}
				out := newOutcome(t, state, preference, 1)
				out.request(t, 0, "https://data.city.example/", lines...)
				if c.failed && state != Grant {
					out.incomplete("the page failed")
				}
				a.collect(out)
				a.report.States = append(a.report.States, out.state)
			}
			a.conclude()
			last := a.report.States[len(a.report.States)-1]
			status, why := a.report.Status(nil, func(*Finding) bool { return false })
			if last.Verdict != c.want || status != c.status || a.report.Complete == c.failed {
				t.Errorf("%s, status %d (%s), complete %t; want %s, %d", last.Verdict, status, why, a.report.Complete,
					c.want, c.status)
			}
		})
	}
}

func TestStatus(t *testing.T) {
	r := &Report{States: []State{{State: Refuse, Verdict: NotDemonstrated}},
		Findings: []Finding{{ID: "x", Finding: Longer, Level: LevelError}, {Finding: ThirdParty, Level: LevelWarning}}}
	for _, c := range []struct {
		failOn []string
		known  bool
		want   int
	}{
		{nil, false, StatusFindings}, {nil, true, StatusIncomplete}, {[]string{ThirdParty}, true, StatusFindings},
		{[]string{SetRefused}, false, StatusHolds}, {[]string{SetRefused, ControlNotShown}, false, StatusIncomplete},
	} {
		if got, why := r.Status(c.failOn, func(f *Finding) bool { return c.known && f.ID == "x" }); got != c.want {
			t.Errorf("%q, known %t: %d (%s), want %d", c.failOn, c.known, got, why, c.want)
		}
	}
}

// A choice that is stored means what was wished, and one that says otherwise is noticed.
func TestChoice(t *testing.T) {
	a := newAudit(t)
	origin := address(t, "https://data.city.example/")
	for _, granted := range []bool{true, false} {
		wished := a.judge.answers(func(*enforcer.Question) bool { return granted })
		lines, err := a.judge.write(&choice{}, origin, wished)
		if err != nil || len(lines) != 1 {
			t.Fatalf("%q, %v", lines, err)
		}
		c := ownCookie(lines[0], origin)
		if c["name"] != "choice" || c["secure"] != true || c["path"] != "/" || c["sameSite"] != "Lax" || c["expires"] == nil {
			t.Errorf("%q is stored as %v", lines[0], c)
		}
		stored := choice{preference: c["name"].(string) + "=" + c["value"].(string)}
		if d := a.judge.differs(&stored, origin, wished); len(d) > 0 {
			t.Errorf("%q: %q", stored.preference, d)
		}
		other := a.judge.answers(func(*enforcer.Question) bool { return !granted })
		if d := a.judge.differs(&stored, origin, other); len(d) != 2 {
			t.Errorf("%q: %q", stored.preference, d)
		}
	}
	refusal := a.judge.answers(func(*enforcer.Question) bool { return false })
	if d := a.judge.differs(&choice{}, origin, refusal); len(d) != 1 {
		t.Errorf("no choice refuses all but anonymous cookies: %q", d)
	}
	if c := ownCookie("choice=; Path=/; Max-Age=0", origin); c != nil {
		t.Errorf("a deletion is stored as %v", c)
	}
}
