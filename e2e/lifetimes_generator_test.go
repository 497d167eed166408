package e2e

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// This file generates the lines that browsers are asked about, or rather what follows name and value
// in each: "; Max-Age=3600; Expires=never". lifetimes_test.go says what is done with them.

// lifetimesSeed is fixed, so that every run generates the same lines.
const lifetimesSeed = 6265

// generator collects different lines.
type generator struct {
	*rand.Rand
	lines []string
	known map[string]bool
}

func newGenerator() *generator {
	return &generator{Rand: rand.New(rand.NewPCG(lifetimesSeed, 0)), known: map[string]bool{}}
}

func (g *generator) add(attributes string) {
	if !g.known[attributes] {
		g.known[attributes] = true
		g.lines = append(g.lines, attributes)
	}
}

// fill calls one, which adds a random line, until there are n more.
func (g *generator) fill(n int, one func()) {
	for n += len(g.lines); len(g.lines) < n; {
		one()
	}
}

func (g *generator) pick(from []string) string { return from[g.IntN(len(from))] }

// rarely returns the usual part, and once in n times one of the others.
func (g *generator) rarely(n int, usual string, others []string) string {
	if g.IntN(n) > 0 {
		return usual
	}
	return g.pick(others)
}

// maxAge returns a value of Max-Age.
func (g *generator) maxAge() string {
	switch g.IntN(30) {
	case 0:
		return g.pick(words)
	case 1, 2:
		return g.pick(beforeSpent) + g.pick(signs) + g.pick(numbers) + g.pick(afterSpent)
	}
	return g.rarely(2, "", signs) + g.pick(numbers) + g.rarely(2, "", afterSpent)
}

// attribute returns one attribute, mostly in the usual spelling.
func (g *generator) attribute(name, value string) string {
	if g.IntN(12) == 0 {
		last := len(name) - 1
		name = g.pick([]string{
			strings.ToLower(name), strings.ToUpper(name), name[:last] + strings.ToUpper(name[last:]),
		})
	}
	equals := g.rarely(16, "=", []string{" =", "= ", " = ", "\t=\t", "==", " = \t", ""})
	before := g.rarely(16, "; ", []string{";", ";  ", ";;", "; ;", ";\t"})
	after := g.rarely(16, "", []string{" ", "\t", "  ;", ";"})
	return before + name + equals + value + after
}

// join joins parts by blanks, and sometimes by something else.
func (g *generator) join(parts ...string) string {
	parts = slices.DeleteFunc(parts, func(part string) bool { return part == "" })
	every := g.rarely(12, " ", blanks)
	var b strings.Builder
	for i, part := range parts {
		if i > 0 {
			b.WriteString(g.rarely(20, every, blanks))
		}
		b.WriteString(part)
	}
	return b.String()
}

// date returns a value of Expires: one of the three forms of RFC 9110 section 5.6.7, or the same parts
// in another order, mostly with one or two unusual parts.
func (g *generator) date() string {
	if g.IntN(12) == 0 {
		return g.pick(others)
	}
	years := pastYears
	if g.IntN(2) == 0 {
		years = futureYears
	}
	weekday := g.rarely(4, "Thu, ", weekdays)
	day, month := g.rarely(4, "15", days), g.rarely(5, "Jan", months)
	year, timeOfDay := g.rarely(3, years[0], years), g.rarely(4, "12:00:00", times)
	zone := g.rarely(2, " GMT", zones)
	switch g.IntN(12) {
	case 0, 1, 2, 3:
		return weekday + g.join(day, month, year, timeOfDay) + zone
	case 4:
		return weekday + g.join(day+"-"+month+"-"+year, timeOfDay) + zone
	case 5:
		return weekday + g.join(day+"/"+month+"/"+year, timeOfDay) + zone
	case 6:
		date := g.join(month, day, timeOfDay, year)
		return strings.TrimSuffix(weekday, ", ") + " " + date + strings.TrimSuffix(zone, " GMT")
	case 7:
		return g.join(month, day+",", year, timeOfDay) + zone
	case 8:
		return g.join(timeOfDay, day, month, year) + zone
	case 9:
		return g.join(year, month, day, timeOfDay) + zone
	case 10:
		return weekday + g.join(day, month, timeOfDay+zone, year)
	}
	zone, weekday = strings.TrimSpace(zone), strings.TrimSpace(weekday)
	parts := []string{day, month, year, timeOfDay, zone, weekday}
	g.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	return g.join(parts[:4+g.IntN(3)]...)
}

// damaged returns a date in which one or two characters are missing, doubled, exchanged or new.
func (g *generator) damaged() string {
	date := g.pick([]string{
		"Thu, 15 Jan 1970 12:00:00 GMT", "Fri, 15 Jan 2040 12:00:00 GMT",
		"Friday, 15-Jan-70 12:00:00 GMT", "Friday, 15-Jan-40 12:00:00 GMT",
		"Fri Jan 15 12:00:00 1970", "Fri Jan 15 12:00:00 2040",
	})
	for range 1 + g.IntN(2) {
		i := 1 + g.IntN(len(date)-1)
		switch g.IntN(4) {
		case 0:
			date = date[:i] + date[i+1:]
		case 1:
			date = date[:i] + date[i:i+1] + date[i:]
		case 2:
			date = date[:i-1] + date[i:i+1] + date[i-1:i] + date[i+1:]
		case 3:
			one := string("0x:.,-+/ ()\"'%\t"[g.IntN(15)])
			date = date[:i] + g.rarely(2, one, blanks) + date[i:]
		}
	}
	return date
}

// quoted puts a date into quotes or parentheses, or a part of it into a comment.
func (g *generator) quoted() string {
	date := g.date()
	around := [][2]string{
		{"\"", "\""}, {"'", "'"}, {"\"", ""}, {"", "\""}, {"(", ")"}, {"(", ""}, {"", ")"},
		{"(x) ", ""}, {"", " (x)"}, {"((x) ", ""}, {"[", "]"}, {"(", ") 1 Feb 2045 12:00:00"},
		{"(1 Feb 2045 12:00:00) ", ""}, {"%", ""}, {"=", ""}, {"x ", ""}, {"5 ", ""}, {"-", ""},
		{"+", ""},
	}
	a := around[g.IntN(len(around))]
	return a[0] + date + a[1]
}

func (g *generator) expires() string {
	switch g.IntN(8) {
	case 0:
		return g.damaged()
	case 1:
		return g.quoted()
	}
	return g.date()
}

// recordedLifetimes returns some 4,400 lines. What browsers do with them does not depend on the clock:
// years are 2020 at most or 2038 at least, so that a lifetime is over or is longer than 400 days. A
// positive Max-Age is a multiple of 100, or cut to 400 days.
func recordedLifetimes() []string {
	g := newGenerator()
	for _, line := range []string{
		"", "; Max-Age", "; Expires", "; Max-Age; Expires=" + plainDates[0], "; Expires; Max-Age=3600",
		"; Max-Age:3600", "; Max-Age=3600, Expires=" + plainDates[0],
	} {
		g.add(line)
	}
	// Every number, with every sign before it and everything else behind it.
	for i, number := range numbers {
		for j, sign := range signs {
			g.add("; Max-Age=" + sign + number)
			g.add("; Max-Age=" + sign + number + "; Expires=" + plainDates[(i+j)%2])
		}
		for j, after := range afterSpent {
			g.add("; Max-Age=" + number + after + "; Expires=" + plainDates[0])
			if (i+j)%2 == 0 {
				g.add("; Max-Age=-" + number + after + "; Expires=" + plainDates[j%4/2])
			}
		}
	}
	for _, word := range words {
		g.add("; Max-Age=" + word)
		g.add("; Max-Age=" + word + "; Expires=" + plainDates[0])
		g.add("; Max-Age=" + word + "; Expires=" + plainDates[1])
	}
	for i, number := range longNumbers {
		g.add("; Max-Age=" + number + "; Expires=" + plainDates[i%2])
		g.add("; Max-Age=3600; Max-Age=" + number)
	}
	for _, long := range []string{
		strings.Repeat(" ", 1100) + plainDates[1],
		plainDates[1] + strings.Repeat(" x", 497), // 1023 bytes
		plainDates[1] + strings.Repeat(" x", 498), // 1025 bytes
	} {
		g.add("; Expires=" + long)
		g.add("; Expires=" + plainDates[0] + "; Expires=" + long)
	}
	// Every unusual part of a date, the others being usual.
	for i, years := range [][]string{pastYears, futureYears} {
		usual := [...]string{"1970", "2040"}[i]
		for _, weekday := range weekdays {
			g.add("; Expires=" + weekday + "15 Jan " + usual + " 12:00:00 GMT")
		}
		for _, day := range days {
			g.add("; Expires=Thu, " + day + " Jan " + usual + " 12:00:00 GMT")
			g.add("; Expires=Thu, " + day + "-Feb-" + usual + " 12:00:00 GMT")
			g.add("; Expires=Thu Apr " + day + " 12:00:00 " + usual)
		}
		for _, month := range months {
			g.add("; Expires=Thu, 15 " + month + " " + usual + " 12:00:00 GMT")
			g.add("; Expires=Thu, 15-" + month + "-" + usual + " 12:00:00 GMT")
		}
		for _, year := range years {
			g.add("; Expires=Thu, 15 Jan " + year + " 12:00:00 GMT")
			g.add("; Expires=Thursday, 15-Jan-" + year + " 12:00:00 GMT")
			g.add("; Expires=Thu Jan 15 12:00:00 " + year)
		}
		for _, timeOfDay := range times {
			g.add("; Expires=Thu, 15 Jan " + usual + " " + timeOfDay + " GMT")
			g.add("; Expires=Thu Jan 15 " + timeOfDay + " " + usual)
		}
		for _, zone := range zones {
			g.add("; Expires=Thu, 15 Jan " + usual + " 12:00:00" + zone)
			g.add("; Expires=Thu Jan 15 12:00:00 " + usual + zone)
		}
		for _, blank := range blanks {
			g.add("; Expires=Thu, 15" + blank + "Jan" + blank + usual + " 12:00:00 GMT")
			g.add("; Expires=Thu, 15 Jan " + usual + blank + "12:00:00 GMT")
			date := "Thu, 15 Jan " + usual + " 12:00:00 GMT"
			g.add("; Expires=" + strings.ReplaceAll(date, " ", blank))
		}
	}
	for _, date := range slices.Concat(others, found) {
		g.add("; Expires=" + date)
	}

	maxAge := func() string { return g.attribute("Max-Age", g.maxAge()) }
	expires := func() string { return g.attribute("Expires", g.expires()) }
	plain := func() string { return g.attribute("Expires", g.pick(plainDates)) }
	g.fill(250, func() { g.add(maxAge()) })
	g.fill(450, func() { g.add(expires()) })
	g.fill(200, func() { g.add(maxAge() + expires()) })
	g.fill(100, func() { g.add(expires() + maxAge()) })
	g.fill(100, func() { g.add(maxAge() + maxAge() + plain()) })
	g.fill(100, func() { g.add(expires() + expires()) })
	return g.lines
}

// currentLifetimes returns dates around the present, in many forms and time zones.
func currentLifetimes(now time.Time) []string {
	g := newGenerator()
	for _, hours := range []float64{
		-24 * 30, -100, -49, -25, -23.5, -13, -6, -3, -1.5, -0.3,
		0.4, 0.75, 1.5, 3, 6, 13, 25, 24 * 30, 24 * 300,
	} {
		then := now.Add(time.Duration(hours * float64(time.Hour))).UTC()
		for _, layout := range []string{
			"Mon, 02 Jan 2006 15:04:05", "Monday, 02-Jan-06 15:04:05", "Mon Jan _2 15:04:05 2006",
			"2 Jan 2006 03:04:05 PM", "01/02/2006 15:04:05", "2006-01-02 15:04:05",
			"02/Jan/2006 15:04", "15:04:05 2 Jan 2006",
		} {
			date := then.Format(layout)
			g.add("; Expires=" + date)
			g.add("; Expires=" + date + " GMT")
			for range 4 {
				g.add("; Expires=" + date + g.pick(zones))
			}
			g.add("; Max-Age=" + g.maxAge() + "; Expires=" + date + g.rarely(3, " GMT", zones))
			g.add(fmt.Sprintf("; Max-Age=%d; Expires=%s", 600*(1+g.IntN(20)), date))
		}
	}
	return g.lines
}
