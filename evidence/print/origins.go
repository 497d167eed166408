package print

import (
	"maps"
	"slices"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
	"github.com/cookie-policy/caddy-cookie-policy/evidence"
)

// origins shows what browsers reported of third parties, if they were asked to or did.
func (w *writer) origins(a *Answer) {
	if a.Load == "" && len(a.Origins)+len(a.Totals.Loads)+len(a.Totals.Dropped) == 0 {
		return
	}
	o := &w.Origins
	w.begin(3, "origins", string(o.Title))
	w.paragraph(o.About)
	var modes []string
	for _, l := range a.Totals.Loads {
		modes = append(modes, l.Mode)
	}
	if len(modes) == 0 {
		w.paragraph(o.NoReports)
	}
	for _, mode := range sortedModes(modes) {
		switch mode {
		case policy.LoadEnforce:
			w.paragraph(o.Enforced)
		case policy.LoadReport:
			w.warning(o.Noted)
		}
		shown := word(w.Words.Modes, mode)
		w.loads(w.say(o.Totals, "mode", shown), mode, []evidence.DayAnswer{{Counts: a.Totals}}, false)
		w.loads(w.say(o.ByDay, "mode", shown), mode, a.Days, true)
	}
	var discarded uint64
	for _, n := range a.Totals.Dropped {
		discarded = add(discarded, n)
	}
	if discarded > 0 {
		w.warning(o.Discarded, "count", w.number(discarded))
	}
	w.met(a)
}

// loads adds a table of reports by category, of one day or of several.
func (w *writer) loads(caption, mode string, days []evidence.DayAnswer, withDay bool) {
	var given []string
	for _, d := range days {
		for _, l := range d.Loads {
			if l.Mode == mode {
				given = append(given, l.Verdict)
			}
		}
	}
	slices.SortFunc(given, func(a, b string) int { return byRank(a, b, []string{"refused", "would_refuse", "let_through"}) })
	verdicts := slices.Compact(given)
	t := &table{Caption: caption, Grouped: withDay}
	if withDay {
		t.Columns = times(w.Columns.Day)
	}
	t.Columns = slices.Concat(t.Columns, columns(w.Columns.Category), w.verdictColumns(verdicts))
	for _, d := range days {
		counts := map[string]map[string]uint64{}
		for _, l := range d.Loads {
			if l.Mode != mode {
				continue
			}
			if counts[l.Category] == nil {
				counts[l.Category] = map[string]uint64{}
			}
			counts[l.Category][l.Verdict] = add(counts[l.Category][l.Verdict], l.Count)
		}
		for _, category := range slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
			return byRank(a, b, categoryOrder)
		}) {
			var row []cell
			if withDay {
				row = append(row, text(printable(d.Day)))
			}
			row = append(row, text(word(w.Words.Categories, category)))
			for _, v := range verdicts {
				row = append(row, w.count(counts[category][v]))
			}
			t.add(row...)
		}
	}
	w.table(t)
}

// met shows the origins that were reported.
func (w *writer) met(a *Answer) {
	o, h := &w.Origins, &w.Columns
	if len(a.Origins) == 0 {
		w.paragraph(o.NoOrigins)
		return
	}
	w.paragraph(o.AboutMet)
	hasDigests := slices.ContainsFunc(a.Origins, func(o report.Origin) bool { return o.Digest != "" })
	hasMissed := slices.ContainsFunc(a.Origins, func(o report.Origin) bool { return o.Missed > 0 })
	t := &table{Caption: string(o.Met), Columns: slices.Concat(columns(h.Origin, h.Category, h.Rule),
		times(h.First, h.Last), numbers(h.SeenDays, h.Reports), numbers(h.HadGranted, h.HadRefused, h.Undecided))}
	if hasMissed {
		t.Columns = append(t.Columns, numbers(h.Missed)...)
	}
	kinds := &table{Caption: string(o.Kinds), Columns: columns(h.Origin, h.Directives, h.Hosts)}
	if hasDigests {
		t.Columns = append(t.Columns, columns(h.Digest)...)
		kinds.Columns = append(kinds.Columns, columns(h.Digest)...)
	}
	for _, origin := range a.Origins {
		row := []cell{code(origin.Origin), text(word(w.Words.Categories, string(origin.Category))), code(origin.Rule),
			text(stamp(origin.First)), text(stamp(origin.Last)), w.count(uint64(max(origin.Days, 0))), w.count(origin.Count),
			w.count(origin.Granted), w.count(origin.Refused), w.count(origin.Undecided)}
		if hasMissed {
			row = append(row, w.count(origin.Missed))
		}
		loaded := []cell{code(origin.Origin), codes(origin.Directives), codes(origin.Hosts)}
		if hasDigests {
			digest := cell{Text: short(origin.Digest), Code: origin.Digest != ""}
			row, loaded = append(row, digest), append(loaded, digest)
		}
		t.add(row...)
		kinds.add(loaded...)
	}
	w.table(t)
	w.table(kinds)
}
