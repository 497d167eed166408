package evidence

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
)

// Scopes of an answer.
const (
	ScopeInstance = "instance" // what this gateway has observed
	ScopeFleet    = "fleet"    // what all gateways on one storage have observed
)

// Question is what is asked about a policy's evidence.
type Question struct {
	Policy  *policy.Resolved // in force on the gateway that answers
	Own     *Record          // the evidence of that gateway
	Storage Storage          // for the scope of a fleet; nil for the gateway alone
	Now     time.Time
}

func (q *Question) scope() string {
	if q.Storage == nil {
		return ScopeInstance
	}
	return ScopeFleet
}

// observed returns an observer with what a record has, and the policy by which it is to be judged: that of
// the gateway if it still runs, otherwise the one in force now. It returns no policy if that of the gateway
// cannot be read.
func (q *Question) observed(r *Record, i Instance) (*observe.Observer, *policy.Resolved) {
	o := observe.New(q.Now)
	o.Restore(&r.Observer, q.Now)
	if i.Self || !i.Live || i.Digest == q.Policy.Digest() {
		return o, q.Policy
	}
	p, err := readPolicy(r.History.Policies[i.Digest])
	if err != nil || p.Digest() != i.Digest {
		return o, nil
	}
	return o, p
}

// readPolicy reads a policy of a history.
func readPolicy(content json.RawMessage) (*policy.Resolved, error) {
	var p policy.Policy
	if err := json.Unmarshal(content, &p); err != nil {
		return nil, err
	}
	return p.Resolve()
}

// Inventory is the inventory of a fleet, and from which instances it is.
type Inventory struct {
	report.Inventory
	About
}

// Drift is the drift of a fleet, and from which instances it is.
type Drift struct {
	report.Drift
	About
}

// About says from where an answer for a fleet is.
type About struct {
	Scope     string     `json:"scope"`
	Instances []Instance `json:"instances"`
	Problems  []string   `json:"problems,omitempty"` // records that could not be read
	Aside     []string   `json:"aside,omitempty"`    // keys of records that were set aside; of a fleet only
}

func (q *Question) about(f *Fleet) About {
	return About{Scope: q.scope(), Instances: f.Instances, Problems: f.Problems, Aside: f.Aside}
}

// ask collects what each instance says, and passes it on to be merged.
func ask[T report.Inventory | report.Drift](
	ctx context.Context, q *Question, make func(*policy.Resolved, *observe.Observer, time.Time) T,
	merge func(string, []report.Answer[T], []report.Finding) T,
) (merged T, about About, err error) {
	var answers []report.Answer[T]
	var findings []report.Finding
	f, err := Collect(ctx, q.Storage, q.Policy.Name(), q.Own, q.Now, func(r *Record, i Instance) error {
		o, p := q.observed(r, i)
		if p == nil {
			findings = append(findings, report.Finding{Kind: report.Unanswered,
				Detail: i.Instance + ": this program cannot read the policy that is in force there"})
			return nil
		}
		answers = append(answers, report.Answer[T]{Gateway: i.Instance, Report: make(p, o, r.Written)})
		return nil
	})
	if err != nil {
		return merged, about, err
	}
	return merge(q.Policy.Name(), answers, findings), q.about(f), nil
}

// Inventory adds up the inventories of all instances. Those that no longer run are judged by the policy that
// is in force now.
func (q *Question) Inventory(ctx context.Context) (Inventory, error) {
	i, about, err := ask(ctx, q, report.NewInventory, report.MergeInventories)
	return Inventory{i, about}, err
}

// Drift joins the drift of all instances. Those that no longer run are judged by the policy that is in force
// now.
func (q *Question) Drift(ctx context.Context) (Drift, error) {
	d, about, err := ask(ctx, q, report.NewDrift, report.MergeDrifts)
	return Drift{d, about}, err
}

// HistoryAnswer is the policies of one name that came into force.
type HistoryAnswer struct {
	Policy string `json:"policy"` // the name
	About
	Periods []PeriodAnswer `json:"periods"`
	Dropped int            `json:"dropped,omitempty"` // earlier periods for which there was no room
}

// PeriodAnswer is a period with the policy that was in force, and what changed with it.
type PeriodAnswer struct {
	Period
	Policy  json.RawMessage `json:"policy,omitempty"`  // as it was configured
	Changes []string        `json:"changes,omitempty"` // since the period before
}

// History returns the policies that came into force, in the order of their times.
func (q *Question) History(ctx context.Context) (HistoryAnswer, error) {
	f, err := Collect(ctx, q.Storage, q.Policy.Name(), q.Own, q.Now, nil)
	if err != nil {
		return HistoryAnswer{}, err
	}
	return HistoryAnswer{Policy: q.Policy.Name(), About: q.about(f),
		Periods: periodAnswers(&f.History), Dropped: f.History.Dropped}, nil
}

func periodAnswers(h *History) []PeriodAnswer {
	answers := []PeriodAnswer{}
	resolved := map[string]*policy.Resolved{}
	for digest, content := range h.Policies {
		if p, err := readPolicy(content); err == nil {
			resolved[digest] = p
		}
	}
	for i, p := range h.Periods {
		a := PeriodAnswer{Period: p, Policy: h.Policies[p.Digest]}
		if i > 0 {
			before, after := resolved[h.Periods[i-1].Digest], resolved[p.Digest]
			switch {
			case before != nil && after != nil:
				a.Changes = report.Changes(before, after)
			case h.Periods[i-1].Digest != p.Digest:
				a.Changes = []string{"changed: this program cannot read one of the two policies"}
			}
		}
		answers = append(answers, a)
	}
	return answers
}

// VerdictCount is how often one verdict was given.
type VerdictCount struct {
	Mode     string `json:"mode"`
	Channel  string `json:"channel"`
	Category string `json:"category"`
	Verdict  string `json:"verdict"`
	Count    uint64 `json:"count"`
}

// LoadCount is how often one verdict was given on browsers' reports that a page loads from a third party.
type LoadCount struct {
	Mode     string `json:"mode"` // enforce, or report for what was not kept from loading
	Category string `json:"category"`
	Verdict  string `json:"verdict"`
	Count    uint64 `json:"count"`
}

// ChoiceCount is how many answers about a consent key visitors saved on the policy page.
type ChoiceCount struct {
	Key     string `json:"key"`
	Granted uint64 `json:"granted"`
	Refused uint64 `json:"refused"`
}

// Counts are the numbers of a day, or of several.
type Counts struct {
	Requests    uint64            `json:"requests"`
	Verdicts    []VerdictCount    `json:"verdicts"`
	Preferences map[string]uint64 `json:"preferences"` // that were read, by state
	Choices     []ChoiceCount     `json:"choices"`
	Overflow    uint64            `json:"overflow,omitempty"`

	Loads   []LoadCount       `json:"load_reports,omitempty"`
	Dropped map[string]uint64 `json:"load_reports_dropped,omitempty"` // that were not counted, by reason
}

func newCounts(c observe.Counters) Counts {
	counts := Counts{Requests: c.Requests, Verdicts: []VerdictCount{}, Preferences: map[string]uint64{},
		Choices: []ChoiceCount{}, Overflow: c.Overflow, Dropped: maps.Clone(c.Dropped)}
	for _, key := range slices.Sorted(maps.Keys(c.Loads)) {
		mode, category, verdict := observe.CutLoadKey(key)
		counts.Loads = append(counts.Loads, LoadCount{mode, category, verdict, c.Loads[key]})
	}
	for _, key := range slices.Sorted(maps.Keys(c.Verdicts)) {
		mode, channel, category, verdict := observe.CutVerdictKey(key)
		counts.Verdicts = append(counts.Verdicts, VerdictCount{mode, channel, category, verdict, c.Verdicts[key]})
	}
	maps.Copy(counts.Preferences, c.Preferences)
	choices := map[string]ChoiceCount{}
	for saved, n := range c.Saved {
		key, outcome := observe.CutSavedKey(saved)
		choice := choices[key]
		choice.Key = key
		if outcome == policy.Granted.String() {
			choice.Granted = n
		} else {
			choice.Refused = n
		}
		choices[key] = choice
	}
	for _, key := range slices.Sorted(maps.Keys(choices)) {
		counts.Choices = append(counts.Choices, choices[key])
	}
	return counts
}

// DayAnswer is one day of a report.
type DayAnswer struct {
	Day string `json:"day"`
	Counts
	InForce  []string `json:"in_force"`           // digests
	Unlisted []string `json:"unlisted,omitempty"` // names that no rule names, reported on this day
	More     int      `json:"more,omitempty"`     // how many more such names there were
}

// Report is the evidence of some days as data.
type Report struct {
	Policy string `json:"policy"` // the name
	Digest string `json:"digest"` // of the policy that is in force now
	Mode   string `json:"mode"`
	Load   string `json:"load,omitempty"` // what it does about third parties: report or enforce
	About
	Since    string           `json:"since"` // the first day
	Until    string           `json:"until"` // the last day
	At       time.Time        `json:"at"`
	InForce  []PeriodAnswer   `json:"in_force"`
	Dropped  int              `json:"dropped,omitempty"` // earlier periods for which there was no room
	Totals   Counts           `json:"totals"`            // of the days
	Days     []DayAnswer      `json:"days"`
	Cookies  []report.Item    `json:"cookies"`           // that were met in these days; the numbers are of all days
	Origins  []report.Origin  `json:"origins,omitempty"` // likewise, of third parties that browsers reported
	Findings []report.Finding `json:"findings"`
	Gaps     []Gap            `json:"gaps"`
	Chains   []Chain          `json:"chains"`
}

// Report returns the evidence of the days from one to another, which are given as 2026-01-15.
func (q *Question) Report(ctx context.Context, since, until string) (*Report, error) {
	var inventories []report.Answer[report.Inventory]
	var drifts []report.Answer[report.Drift]
	f, err := Collect(ctx, q.Storage, q.Policy.Name(), q.Own, q.Now, func(r *Record, i Instance) error {
		if o, p := q.observed(r, i); p != nil {
			inventories = append(inventories, report.Answer[report.Inventory]{
				Gateway: i.Instance, Report: report.NewInventory(p, o, r.Written)})
			drifts = append(drifts, report.Answer[report.Drift]{
				Gateway: i.Instance, Report: report.NewDrift(p, o, r.Written)})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	from, err := time.Parse(time.DateOnly, since)
	if err != nil {
		return nil, err
	}
	to, err := time.Parse(time.DateOnly, until)
	if err != nil {
		return nil, err
	}
	to = to.Add(24 * time.Hour)
	within := func(first, last time.Time) bool { return first.Before(to) && !last.Before(from) }
	name := q.Policy.Name()
	answer := &Report{
		Policy: name, Digest: q.Policy.Digest(), Mode: q.Policy.Policy().Mode, About: q.about(f),
		Since: since, Until: until, At: q.Now, InForce: []PeriodAnswer{}, Days: []DayAnswer{},
		Cookies: []report.Item{}, Gaps: []Gap{}, Chains: f.Chains, Dropped: f.History.Dropped,
		Findings: report.MergeDrifts(name, drifts, nil).Findings,
	}
	for _, p := range periodAnswers(&f.History) {
		if end := cmp.Or(p.Until, q.Now); within(p.Since, end) {
			answer.InForce = append(answer.InForce, p)
		}
	}
	var totals observe.Counters
	for _, d := range f.Days {
		if d.Day >= since && d.Day <= until {
			totals.Add(d.Counters)
			answer.Days = append(answer.Days, DayAnswer{Day: d.Day, Counts: newCounts(d.Counters),
				InForce: d.InForce, Unlisted: d.Unlisted, More: d.More})
		}
	}
	answer.Totals = newCounts(totals)
	inventory := report.MergeInventories(name, inventories, nil)
	for _, item := range inventory.Cookies {
		if within(item.First, item.Last) {
			answer.Cookies = append(answer.Cookies, item)
		}
	}
	for _, origin := range inventory.Origins {
		if within(origin.First, origin.Last) {
			answer.Origins = append(answer.Origins, origin)
		}
	}
	if mode := q.Policy.LoadMode(); mode != policy.LoadOff {
		answer.Load = mode
	}
	for _, g := range f.Gaps {
		if within(g.From, g.To) {
			answer.Gaps = append(answer.Gaps, g)
		}
	}
	return answer, nil
}
