package print

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
	"github.com/cookie-policy/caddy-cookie-policy/evidence"
)

// newContent returns what a document about a report says.
func newContent(r *Report, tag string) (*content, error) {
	w, err := newWriter(tag)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, a := range r.Policies {
		names = append(names, printable(a.Policy))
	}
	since, until := "", ""
	if len(r.Policies) > 0 {
		since, until = printable(r.Policies[0].Since), printable(r.Policies[0].Until)
	}
	w.content.Title = w.say(w.DocumentTitle, "policies", strings.Join(slices.Compact(names), ", "), "since", since,
		"until", until)
	w.paragraph(w.Intro)
	if len(r.Unanswered) > 0 {
		w.warning(w.Unanswered)
		w.list(printedAll(r.Unanswered))
	}
	for i := range r.Policies {
		a := &r.Policies[i]
		w.id = ""
		title := w.say(w.Policy, "policy", printable(a.Policy))
		if len(r.Addresses) > 1 {
			title = w.say(w.PolicyAt, "policy", printable(a.Policy), "address", printable(a.Address))
		}
		w.id = fmt.Sprintf("policy-%d-", i+1)
		w.begin(2, "heading", title)
		w.summary(a)
		w.force(a)
		w.verdicts(a)
		w.cookies(a)
		w.origins(a)
		w.choices(a)
		w.drift(a)
		w.gateways(a)
		w.chain(a)
		w.begin(3, "limits", string(w.Limits.Title))
		w.listOf(w.Limits.List)
	}
	w.id = ""
	w.made(r)
	return &w.content, w.err
}

// printedAll makes texts printable.
func printedAll(all []string) (clean []string) {
	for _, t := range all {
		clean = append(clean, printable(t))
	}
	return clean
}

// total returns how often a verdict was given in a mode.
func total(c *evidence.Counts, mode, verdict string) (n uint64) {
	for _, v := range c.Verdicts {
		if v.Mode == mode && v.Verdict == verdict {
			n = add(n, v.Count)
		}
	}
	return n
}

// summary says in a few sentences what the rest shows.
func (w *writer) summary(a *Answer) {
	s, t := &w.Summary, &a.Totals
	w.begin(3, "summary", string(s.Title))
	items := []string{w.say(s.Range, "since", printable(a.Since), "until", printable(a.Until), "at", stamp(a.At))}
	if a.Scope == evidence.ScopeFleet {
		items = append(items, w.say(s.Fleet, "count", w.number(uint64(len(a.Instances)))))
	} else {
		items = append(items, string(s.Instance))
	}
	items = append(items, w.say(s.Now, "mode", printable(a.Mode), "digest", short(a.Digest)),
		w.say(s.Periods, "count", w.number(uint64(len(a.InForce)))), w.say(s.Requests, "count", w.number(t.Requests)))
	of := func(mode string, verdicts ...string) (pairs []string) {
		for _, v := range verdicts {
			pairs = append(pairs, v, w.number(total(t, mode, v)))
		}
		return pairs
	}
	modes := modesOf(t)
	if len(modes) == 0 {
		items = append(items, string(s.Nothing))
	}
	if slices.Contains(modes, policy.ModeEnforce) {
		items = append(items, w.say(s.Enforce, of(policy.ModeEnforce, "refused", "expired", "let_through", "deletion")...))
	}
	if slices.Contains(modes, policy.ModeReport) {
		items = append(items, w.say(s.Report, of(policy.ModeReport, "would_refuse", "would_expire", "let_through",
			"deletion")...))
	}
	if len(a.Gaps) == 0 {
		items = append(items, string(s.NoGaps))
	} else {
		var length time.Duration
		for _, g := range a.Gaps {
			length += g.To.Sub(g.From)
		}
		items = append(items, w.say(s.Gaps, "count", w.number(uint64(len(a.Gaps))), "duration", w.duration(length)))
	}
	if n := len(a.Problems); n > 0 {
		items = append(items, w.say(s.Problems, "count", w.number(uint64(n))))
	}
	if n := len(a.Aside); n > 0 {
		items = append(items, w.say(s.SetAside, "count", w.number(uint64(n))))
	}
	switch {
	case !slices.ContainsFunc(a.Chains, func(c evidence.Chain) bool { return c.Days > 0 }):
		items = append(items, string(s.NoChains))
	case slices.ContainsFunc(a.Chains, func(c evidence.Chain) bool { return !c.Holds }):
		items = append(items, string(s.ChainNot))
	default:
		items = append(items, string(s.Chain))
	}
	items = append(items, w.say(s.Drift, "count", w.number(uint64(report.Counted(a.Findings)))))
	if today := a.At.UTC().Format(time.DateOnly); a.Since <= today && today <= a.Until {
		items = append(items, w.say(s.NotOver, "day", today))
	}
	w.list(items)
}

// verdictWords are the verdicts that there are in each mode, in the order of columns.
var verdictWords = map[string][]string{
	policy.ModeEnforce: {"refused", "expired", "deletion", "let_through"},
	policy.ModeReport:  {"would_refuse", "would_expire", "deletion", "let_through"},
}

// verdictsOf returns the verdicts of a mode, with those that this program does not know at the end.
func verdictsOf(mode string, given []string) []string {
	slices.Sort(given)
	all := slices.Clone(verdictWords[mode])
	for _, v := range given {
		if !slices.Contains(all, v) {
			all = append(all, v)
		}
	}
	return all
}

// modesOf returns the modes in which verdicts were given: enforce first, then report.
func modesOf(c *evidence.Counts) (modes []string) {
	for _, v := range c.Verdicts {
		modes = append(modes, v.Mode)
	}
	return sortedModes(modes)
}

func sortedModes(modes []string) []string {
	slices.SortFunc(modes, func(a, b string) int {
		rank := func(mode string) int { return slices.Index([]string{policy.ModeReport, policy.ModeEnforce}, mode) }
		return cmp.Or(rank(b)-rank(a), strings.Compare(a, b))
	})
	return slices.Compact(modes)
}

// verdicts shows the verdicts of each mode by itself.
func (w *writer) verdicts(a *Answer) {
	t := &w.Verdicts
	w.begin(3, "verdicts", string(t.Title))
	modes := modesOf(&a.Totals)
	if len(modes) == 0 {
		w.paragraph(t.None)
		return
	}
	w.paragraph(t.About)
	for i, mode := range modes {
		shown := word(w.Words.Modes, mode)
		switch id := fmt.Sprintf("mode-%d", i+1); mode {
		case policy.ModeEnforce:
			w.begin(4, id, string(t.Enforce))
			w.paragraph(t.EnforceIs)
		case policy.ModeReport:
			w.begin(4, id, string(t.Report))
			w.warning(t.ReportIs)
		default:
			w.begin(4, id, w.say(t.Other, "mode", shown))
		}
		var given []string
		for _, v := range a.Totals.Verdicts {
			if v.Mode == mode {
				given = append(given, v.Verdict)
			}
		}
		verdicts := verdictsOf(mode, given)
		w.picture(a, mode, verdicts)
		w.byDay(a, mode, verdicts)
		w.byCategory(w.say(t.Totals, "mode", shown), mode, verdicts, []evidence.DayAnswer{{Counts: a.Totals}}, false)
		w.byCategory(w.say(t.ByDay, "mode", shown), mode, verdicts, a.Days, true)
	}
}

func (w *writer) verdictColumns(verdicts []string) (all []column) {
	for _, v := range verdicts {
		all = append(all, column{word(w.Words.Verdicts, v), numberColumn})
	}
	return all
}

// byDay adds a table of the verdicts of all channels and categories by day, in which days without a record
// are named.
func (w *writer) byDay(a *Answer, mode string, verdicts []string) {
	t := &table{Caption: w.say(w.Verdicts.Numbers, "mode", word(w.Words.Modes, mode)),
		Columns: append(times(w.Columns.Day), w.verdictColumns(verdicts)...)}
	for _, span := range spans(a) {
		row := []cell{text(w.span(span))}
		for i, v := range verdicts {
			switch {
			case span.day != nil:
				row = append(row, w.count(total(&span.day.Counts, mode, v)))
			case i == 0:
				row = append(row, text(string(w.NoRecord)))
			default:
				row = append(row, text("–"))
			}
		}
		t.add(row...)
	}
	w.table(t)
}

// span is a day with a record, or several days without one.
type span struct {
	first, last string
	day         *evidence.DayAnswer
}

func (w *writer) span(s span) string {
	if s.first == s.last {
		return printable(s.first)
	}
	return w.say(w.Days, "first", printable(s.first), "last", printable(s.last))
}

// spans returns the days of a report, with those between that have no record.
func spans(a *Answer) (all []span) {
	unrecorded := func(after, before time.Time) {
		if first, last := after.AddDate(0, 0, 1), before.AddDate(0, 0, -1); !first.After(last) {
			all = append(all, span{first: first.Format(time.DateOnly), last: last.Format(time.DateOnly)})
		}
	}
	since, err := time.Parse(time.DateOnly, a.Since)
	until, err2 := time.Parse(time.DateOnly, a.Until)
	isKnown := err == nil && err2 == nil
	until = earlier(until, a.At.UTC().Truncate(24*time.Hour))
	before := since.AddDate(0, 0, -1)
	for i := range a.Days {
		d := &a.Days[i]
		if at, err := time.Parse(time.DateOnly, d.Day); err == nil && isKnown {
			unrecorded(before, at)
			before = at
		}
		all = append(all, span{d.Day, d.Day, d})
	}
	if isKnown {
		unrecorded(before, until.AddDate(0, 0, 1))
	}
	return all
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// byCategory adds a table of verdicts by channel and category, of one day or of several.
func (w *writer) byCategory(caption, mode string, verdicts []string, days []evidence.DayAnswer, withDay bool) {
	t := &table{Caption: caption, Grouped: true}
	if withDay {
		t.Columns = times(w.Columns.Day)
	}
	t.Columns = slices.Concat(t.Columns, columns(w.Columns.Channel, w.Columns.Category), w.verdictColumns(verdicts))
	type place struct{ channel, category string }
	for _, d := range days {
		counts := map[place]map[string]uint64{}
		for _, v := range d.Verdicts {
			if v.Mode != mode {
				continue
			}
			at := place{v.Channel, v.Category}
			if counts[at] == nil {
				counts[at] = map[string]uint64{}
			}
			counts[at][v.Verdict] = add(counts[at][v.Verdict], v.Count)
		}
		places := slices.SortedFunc(maps.Keys(counts), func(a, b place) int {
			return cmp.Or(byRank(a.channel, b.channel, channelOrder), byRank(a.category, b.category, categoryOrder))
		})
		for _, at := range places {
			var row []cell
			if withDay {
				row = append(row, text(printable(d.Day)))
			}
			row = append(row, text(word(w.Words.Channels, at.channel)), text(word(w.Words.Categories, at.category)))
			for _, v := range verdicts {
				row = append(row, w.count(counts[at][v]))
			}
			t.add(row...)
		}
	}
	w.table(t)
}

// Orders of rows: what is not in them comes last.
var (
	channelOrder  = []string{observe.Set.String(), observe.Read.String(), observe.Expire.String()}
	categoryOrder = []string{
		string(policy.Necessary), string(policy.Statistical), string(policy.FirstParty), string(policy.ThirdParty),
		string(observe.Unlisted),
	}
)

func byRank(a, b string, order []string) int {
	rank := func(word string) int {
		if i := slices.Index(order, word); i >= 0 {
			return i
		}
		return len(order)
	}
	return cmp.Or(rank(a)-rank(b), strings.Compare(a, b))
}

// drift lists the differences between the portal and the policy.
func (w *writer) drift(a *Answer) {
	w.begin(3, "drift", string(w.Drift.Title))
	if len(a.Findings) == 0 {
		w.paragraph(w.Drift.None)
		return
	}
	w.paragraph(w.Drift.About)
	hasDigests := slices.ContainsFunc(a.Findings, func(f report.Finding) bool { return f.Digest != "" })
	t := &table{Caption: string(w.Drift.Caption), Columns: columns(w.Columns.Finding, w.Columns.Subject,
		w.Columns.Detail), Grouped: true}
	if hasDigests {
		t.Columns = append(t.Columns, columns(w.Columns.Digest)...)
	}
	for _, f := range a.Findings {
		row := []cell{text(word(w.Words.Findings, f.Kind)), code(f.Subject()), text(printable(f.Detail))}
		if hasDigests {
			row = append(row, cell{Text: short(f.Digest), Code: f.Digest != ""})
		}
		t.add(row...)
	}
	w.table(t)
}

// made says how the report was made.
func (w *writer) made(r *Report) {
	w.begin(2, "made", string(w.Made.Title))
	t := &table{Caption: string(w.Made.Caption), Columns: columns(w.Columns.Fact, w.Columns.What)}
	t.add(text(string(w.Made.Tool)), text(printable(r.Program)))
	t.add(text(string(w.Made.At)), text(stamp(r.At)+" UTC"))
	t.add(text(string(w.Made.Command)), code(r.Command))
	t.add(text(string(w.Made.Addresses)), codes(r.Addresses))
	w.table(t)
	w.paragraph(w.Made.Repeat)
}
