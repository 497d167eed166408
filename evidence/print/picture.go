package print

import (
	"math"
	"strconv"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// picture is a picture of the verdicts of a mode by day: a stacked bar for each day. All coordinates are in
// units of the picture.
type picture struct {
	ID            string // of the picture; others begin with it
	Title, Desc   string
	About         string // how to read it
	Width, Height string
	Left, Right   string // of the bars
	Top, Bottom   string
	Parts         []rectangle // of bars
	Unrecorded    []rectangle // days without a record
	Gaps          []rectangle // times in which nothing was observed
	Lines         []line      // of the scale
	DaysY         string      // of their text
	Days          []mark
	Legend        []entry
}

// rectangle has a class, and a fill where the class has none.
type rectangle struct{ Class, Fill, X, Y, Width, Height string }

type line struct{ Y, TextY, Text string }

type mark struct{ X, Text string }

// entry is an entry of the legend.
type entry struct{ Class, Fill, X, TextX, Y, TextY, Text string }

// Places in the picture.
const (
	width, height = 960, 340
	left, right   = 84, width - 12
	top, bottom   = 60, height - 44
	gapY          = bottom + 4 // of the line for gaps
	gapHeight     = 5
	mostDays      = 3700 // of which a picture is drawn
	highest       = 1 << 60
)

// classes are the classes of the verdicts of each mode, by their place in verdictWords.
var classes = map[string][]string{
	policy.ModeEnforce: {"refused", "expired", "deletion", "passed"},
	policy.ModeReport:  {"noted", "noted-left", "deletion", "passed"},
}

// picture adds a picture of the verdicts in a mode, if the days are known and there are not too many.
func (w *writer) picture(a *Answer, mode string, verdicts []string) {
	since, err := time.Parse(time.DateOnly, a.Since)
	until, err2 := time.Parse(time.DateOnly, a.Until)
	days := int(until.Sub(since)/(24*time.Hour)) + 1
	if err != nil || err2 != nil || days < 1 || days > mostDays || classes[mode] == nil {
		return
	}
	verdicts = verdicts[:len(classes[mode])] // others cannot be drawn; the table has them
	p := &picture{
		ID: w.id + "picture-" + mode, Title: w.say(w.Verdicts.Picture, "mode", word(w.Words.Modes, mode)),
		About: string(w.Verdicts.Read), Width: unit(width), Height: unit(height),
		Left: unit(left), Right: unit(right), Top: unit(top), Bottom: unit(bottom), DaysY: unit(bottom + 28),
	}
	each := float64(right-left) / float64(days) // the width of a day
	gap := min(each*0.2, 4)
	x := func(t time.Time) float64 {
		return left + min(max(t.Sub(since).Hours()/24, 0), float64(days))*each
	}
	var most uint64
	mostDay := a.Since
	for i := range a.Days {
		var sum uint64
		for _, v := range verdicts {
			sum = add(sum, total(&a.Days[i].Counts, mode, v))
		}
		if sum > most {
			most, mostDay = sum, a.Days[i].Day
		}
	}
	most = min(most, highest)
	p.Desc = w.say(w.Verdicts.Desc, "since", printable(a.Since), "until", printable(a.Until),
		"day", printable(mostDay), "most", w.number(most))
	scale, step := scaleOf(most)
	for n := uint64(0); n <= scale; n += step {
		y := bottom - float64(n)/float64(scale)*(bottom-top)
		p.Lines = append(p.Lines, line{unit(y), unit(y + 4), w.number(n)})
	}
	for _, s := range spans(a) {
		first, err := time.Parse(time.DateOnly, s.first)
		last, err2 := time.Parse(time.DateOnly, s.last)
		if err != nil || err2 != nil || first.Before(since) || last.After(until) {
			continue
		}
		from, to := x(first), x(last.AddDate(0, 0, 1))
		if s.day == nil {
			p.Unrecorded = append(p.Unrecorded, rectangle{"", p.fill("unobserved"), unit(from), unit(top),
				unit(to - from), unit(bottom - top)})
			continue
		}
		y := float64(bottom)
		for i, v := range verdicts {
			n := min(total(&s.day.Counts, mode, v), scale)
			if n == 0 {
				continue
			}
			h := max(float64(n)/float64(scale)*(bottom-top), 1)
			y -= h
			p.Parts = append(p.Parts, rectangle{classes[mode][i], p.fill(classes[mode][i]), unit(from + gap/2), unit(y),
				unit(each - gap), unit(h)})
		}
	}
	for _, g := range a.Gaps {
		from, to := x(g.From), x(g.To)
		p.Gaps = append(p.Gaps, rectangle{"", "", unit(from), unit(gapY), unit(max(to-from, 1)), unit(gapHeight)})
	}
	p.Days = marks(since, days, each)
	w.legend(p, mode, verdicts)
	w.add(block{Picture: p})
}

// fill returns the fill of a class: a pattern, or nothing where the style has a colour for the class.
func (p *picture) fill(class string) string {
	switch class {
	case "noted", "noted-left", "unobserved":
		return "url(#" + p.ID + "-" + class + ")"
	}
	return ""
}

// legend adds what the colours mean.
func (w *writer) legend(p *picture, mode string, verdicts []string) {
	texts, all := []string{}, append(classes[mode][:len(verdicts):len(verdicts)], "unobserved")
	for _, v := range verdicts {
		texts = append(texts, word(w.Words.Verdicts, v))
	}
	texts = append(texts, string(w.Verdicts.GapLegend))
	const room = 310 // for an entry: there are three in a row
	for i := range texts {
		x, y := float64(left+i%3*room), float64(12+i/3*20)
		p.Legend = append(p.Legend, entry{all[i], p.fill(all[i]), unit(x), unit(x + 18), unit(y - 10), unit(y + 1), texts[i]})
	}
}

// scaleOf returns the end of a scale for numbers up to one, and the steps on it.
func scaleOf(most uint64) (scale, step uint64) {
	if most < 4 {
		return 4, 1
	}
	raw := float64(most) / 4
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, factor := range []float64{1, 2, 2.5, 5, 10} {
		s := factor * power
		if s >= raw && s == math.Trunc(s) {
			step = uint64(s)
			break
		}
	}
	return step * ((most-1)/step + 1), step
}

// marks returns the days that are named below the bars: as many as there is room for.
func marks(since time.Time, days int, each float64) (all []mark) {
	isMarked := func(int, time.Time) bool { return true }
	switch {
	case days > 1200:
		isMarked = func(_ int, t time.Time) bool { return t.YearDay() == 1 }
	case days > 100:
		every := (days + 365) / 366 // months
		isMarked = func(_ int, t time.Time) bool { return t.Day() == 1 && (int(t.Month())-1)%every == 0 }
	case days > 11:
		every := (days + 9) / 10
		isMarked = func(i int, _ time.Time) bool { return i%every == 0 }
	}
	for i := range days {
		t := since.AddDate(0, 0, i)
		if !isMarked(i, t) {
			continue
		}
		format := time.DateOnly
		if days > 100 {
			format = "2006-01"
		}
		x := left + (float64(i)+0.5)*each
		if x < right-20 {
			all = append(all, mark{unit(x), t.Format(format)})
		}
	}
	return all
}

// unit writes a coordinate.
func unit(f float64) string {
	return strconv.FormatFloat(math.Round(f*100)/100, 'f', -1, 64)
}
