package print

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
	"github.com/cookie-policy/caddy-cookie-policy/evidence"
	"github.com/cookie-policy/caddy-cookie-policy/languages"
)

// force shows which policies were in force, and how each differs from the one before.
func (w *writer) force(a *Answer) {
	f := &w.Force
	w.begin(3, "force", string(f.Title))
	if len(a.InForce) == 0 {
		w.paragraph(f.None)
		return
	}
	w.paragraph(f.About)
	t := &table{Caption: string(f.Caption), Columns: append(
		times(w.Columns.Since, w.Columns.Until), columns(w.Columns.Mode, w.Columns.Digest)...)}
	for _, p := range a.InForce {
		until := string(f.InForce)
		if !p.Until.IsZero() {
			until = stamp(p.Until)
		}
		t.add(text(stamp(p.Since)), text(until), text(word(w.Words.Modes, p.Mode)), code(p.Digest))
	}
	w.table(t)
	if a.Dropped > 0 {
		w.warning(f.Dropped, "count", w.number(uint64(a.Dropped)))
	}
	for i := range a.InForce {
		p := &a.InForce[i]
		w.begin(4, fmt.Sprintf("period-%d", i+1), w.say(f.Changes, "time", stamp(p.Since), "digest", short(p.Digest)))
		switch {
		case i > 0:
			w.changes(&a.InForce[i-1], p)
		case len(p.Changes) > 0:
			w.paragraph(f.Before)
			w.list(printedAll(p.Changes))
		default:
			w.paragraph(f.First)
			w.list(w.whole(p))
		}
	}
}

// cookies shows the names that were met, each mode by itself.
func (w *writer) cookies(a *Answer) {
	c, h := &w.Cookies, &w.Columns
	w.begin(3, "cookies", string(c.Title))
	if len(a.Cookies) == 0 {
		w.paragraph(c.None)
	} else {
		w.paragraph(c.About)
	}
	hasDigests := slices.ContainsFunc(a.Cookies, func(i report.Item) bool { return i.Digest != "" })
	hasMissed := slices.ContainsFunc(a.Cookies, func(i report.Item) bool { return i.Missed > 0 })
	var modes []string
	for _, item := range a.Cookies {
		modes = append(modes, item.Mode)
	}
	for _, mode := range sortedModes(modes) {
		items := slices.DeleteFunc(slices.Clone(a.Cookies), func(i report.Item) bool { return i.Mode != mode })
		var given []string
		for _, item := range items {
			given = append(given, slices.Collect(maps.Keys(item.Verdicts))...)
		}
		slices.Sort(given)
		verdicts := verdictsOf(mode, slices.Compact(given))
		t := &table{Caption: w.say(c.Caption, "mode", word(w.Words.Modes, mode)), Grouped: true, Columns: slices.Concat(
			columns(h.Name, h.Channel, h.Category, h.Rule), times(h.First, h.Last), numbers(h.Count),
			w.verdictColumns(verdicts))}
		if hasMissed {
			t.Columns = append(t.Columns, numbers(h.Missed)...)
		}
		if hasDigests {
			t.Columns = append(t.Columns, columns(h.Digest)...)
		}
		for _, item := range items {
			row := []cell{code(item.Name), text(word(w.Words.Channels, item.Channel)),
				text(word(w.Words.Categories, string(item.Category))), code(item.Rule),
				text(stamp(item.First)), text(stamp(item.Last)), w.count(item.Count)}
			for _, v := range verdicts {
				row = append(row, w.count(item.Verdicts[v]))
			}
			if hasMissed {
				row = append(row, w.count(item.Missed))
			}
			if hasDigests {
				row = append(row, cell{Text: short(item.Digest), Code: item.Digest != ""})
			}
			t.add(row...)
		}
		w.table(t)
	}
	w.attributes(a)
	w.unlisted(a)
	if a.Totals.Overflow > 0 {
		w.warning(c.Overflow, "count", w.number(a.Totals.Overflow))
	}
}

// attributes shows what the portal sent with cookies. They are the same in all modes.
func (w *writer) attributes(a *Answer) {
	h := &w.Columns
	t := &table{Caption: string(w.Cookies.Attributes), Columns: columns(h.Name, h.Lifetime, h.Session, h.Insecure,
		h.NoHTTPOnly, h.SameSite, h.Domains, h.Paths, h.Hosts)}
	shown := map[[2]string]bool{}
	for _, item := range a.Cookies {
		key := [2]string{item.Name, item.Digest}
		if item.Channel != observe.Set.String() || shown[key] {
			continue
		}
		shown[key] = true
		lifetime := ""
		if item.Lifetime > 0 {
			lifetime = w.duration(time.Duration(min(item.Lifetime, longest)) * time.Second)
		}
		t.add(code(item.Name), text(lifetime), w.yesNo(item.Session), w.yesNo(item.Insecure), w.yesNo(item.MissingHTTPOnly),
			codes(item.SameSite), codes(item.Domains), codes(item.Paths), codes(item.Hosts))
	}
	if len(t.Rows) > 0 {
		w.table(t)
		w.paragraph(w.Cookies.Declared)
	}
}

// longest is the longest lifetime that is written, in seconds.
const longest = 100 * 365 * 24 * 60 * 60

// unlisted shows which names that no rule names were reported on which day.
func (w *writer) unlisted(a *Answer) {
	t := &table{Caption: string(w.Cookies.Unlisted),
		Columns: slices.Concat(times(w.Columns.Day), columns(w.Columns.Names), numbers(w.Columns.More))}
	for _, d := range a.Days {
		if len(d.Unlisted)+d.More > 0 {
			t.add(text(printable(d.Day)), codes(d.Unlisted), w.count(uint64(max(d.More, 0))))
		}
	}
	w.table(t)
}

// choices shows what visitors saved, and which preferences were read.
func (w *writer) choices(a *Answer) {
	c, h := &w.Choices, &w.Columns
	w.begin(3, "choices", string(c.Title))
	w.begin(4, "saved", string(c.Saved))
	if len(a.Totals.Choices) == 0 {
		w.paragraph(c.NoneSaved)
	} else {
		t := &table{Caption: string(c.Totals), Columns: append(columns(h.Key), numbers(h.Granted, h.Refused)...)}
		for _, choice := range a.Totals.Choices {
			t.add(code(choice.Key), w.count(choice.Granted), w.count(choice.Refused))
		}
		w.table(t)
		t = &table{Caption: string(c.ByDay), Grouped: true,
			Columns: slices.Concat(times(h.Day), columns(h.Key), numbers(h.Granted, h.Refused))}
		for _, d := range a.Days {
			for _, choice := range d.Choices {
				t.add(text(printable(d.Day)), code(choice.Key), w.count(choice.Granted), w.count(choice.Refused))
			}
		}
		w.table(t)
	}
	w.begin(4, "preferences", string(c.Preferences))
	states := preferenceStates(a.Totals.Preferences)
	if len(states) == 0 {
		w.paragraph(c.NoneRead)
		return
	}
	w.paragraph(c.About)
	t := &table{Caption: string(c.States), Columns: times(h.Day)}
	for _, state := range states {
		t.Columns = append(t.Columns, column{word(w.Words.States, state), numberColumn})
	}
	for _, d := range a.Days {
		if len(d.Preferences) == 0 {
			continue
		}
		row := []cell{text(printable(d.Day))}
		for _, state := range states {
			row = append(row, w.count(d.Preferences[state]))
		}
		t.add(row...)
	}
	w.table(t)
}

var stateOrder = []string{"valid", "none", "too_old", "unreadable", "contradictory"}

// preferenceStates returns the states that preferences had.
func preferenceStates(counts map[string]uint64) []string {
	return slices.SortedFunc(maps.Keys(counts), func(a, b string) int { return byRank(a, b, stateOrder) })
}

// gateways shows which gateways the numbers are of, and when nothing was observed.
func (w *writer) gateways(a *Answer) {
	g, h := &w.Gateways, &w.Columns
	w.begin(3, "gateways", string(g.Title))
	t := &table{Caption: string(g.Caption), Columns: slices.Concat(
		columns(h.Instance, h.Runs), times(h.Since, h.Written), columns(h.Mode, h.Digest), numbers(h.Requests))}
	digests := map[string]bool{}
	var began time.Time
	for i, instance := range a.Instances {
		if instance.Self {
			w.paragraph(g.Self, "instance", printable(instance.Instance))
		}
		if instance.Live {
			digests[instance.Digest] = true
		}
		if i == 0 || instance.Since.Before(began) {
			began = instance.Since
		}
		t.add(code(instance.Instance), w.yesNo(instance.Live), text(stamp(instance.Since)), text(stamp(instance.Written)),
			text(word(w.Words.Modes, instance.Mode)), cell{Text: short(instance.Digest), Code: instance.Digest != ""},
			w.count(instance.Requests))
	}
	if a.Scope == evidence.ScopeFleet {
		w.paragraph(g.Others)
	} else {
		w.paragraph(g.Alone)
	}
	if len(digests) > 1 {
		w.warning(g.Differ)
	}
	w.table(t)

	w.begin(4, "gaps", string(g.Gaps))
	w.paragraph(g.AboutGaps)
	if since, err := time.Parse(time.DateOnly, a.Since); err == nil && since.Before(began) {
		w.warning(g.Before, "time", stamp(began))
	}
	if len(a.Gaps) == 0 {
		w.paragraph(g.NoGaps)
	} else {
		t := &table{Caption: string(g.GapCaption), Columns: append(times(h.Since, h.Until), numbers(h.Duration)...)}
		for _, gap := range a.Gaps {
			t.add(text(stamp(gap.From)), text(stamp(gap.To)), text(w.duration(gap.To.Sub(gap.From))))
		}
		w.table(t)
	}
	var unrecorded []string
	for _, s := range spans(a) {
		if s.day == nil {
			unrecorded = append(unrecorded, w.span(s))
		}
	}
	if len(unrecorded) > 0 {
		w.paragraph(g.Unrecorded)
		w.list(unrecorded)
	}
	w.aside(a)
}

// aside lists the records that are not in the report.
func (w *writer) aside(a *Answer) {
	g := &w.Gateways
	w.begin(4, "aside", string(g.Aside))
	for _, part := range []struct {
		about   languages.Text
		records []string
	}{{g.AsideAre, a.Aside}, {g.ProblemsAre, a.Problems}} {
		if len(part.records) > 0 {
			w.warning(part.about)
			w.list(printedAll(part.records))
		}
	}
	switch {
	case a.Scope != evidence.ScopeFleet:
		w.paragraph(g.AsideAlone)
	case len(a.Aside)+len(a.Problems) == 0:
		w.paragraph(g.NoneAside)
	}
}

// chain shows whether the chains of days hold, and what that means.
func (w *writer) chain(a *Answer) {
	c, h := &w.Chain, &w.Columns
	w.begin(3, "chain", string(c.Title))
	chains := slices.DeleteFunc(slices.Clone(a.Chains), func(c evidence.Chain) bool { return c.Days == 0 && c.Holds })
	if len(chains) == 0 {
		w.paragraph(c.None)
		return
	}
	w.paragraph(c.About)
	t := &table{Caption: string(c.Caption), Columns: slices.Concat(columns(h.Instance, h.Holds), numbers(h.DaysOver),
		times(h.FirstDay, h.LastDay), columns(h.LastDigest, h.Broken))}
	holds := true
	for _, chain := range chains {
		if !chain.Holds {
			holds = false
			w.warning(c.Broken, "instance", printable(chain.Instance), "day", printable(cmp.Or(chain.Broken, "?")))
		}
		t.add(code(chain.Instance), w.yesNo(chain.Holds), w.count(uint64(max(chain.Days, 0))),
			text(printable(chain.First)), text(printable(chain.Last)), code(chain.Digest), text(printable(chain.Broken)))
	}
	if holds {
		w.paragraph(c.Holds)
	}
	w.table(t)
	w.begin(4, "proves", string(c.Proves))
	w.listOf(c.IsSo)
	w.begin(4, "proves-not", string(c.Not))
	w.listOf(c.IsNotSo)
}

// joined returns texts in one, with the separators of a list.
func joined(all []string) string { return strings.Join(all, "; ") }
