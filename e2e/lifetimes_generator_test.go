package e2e

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// The lines that the tests of lifetimes ask browsers about. Each is what follows the pair of a Set-Cookie line: "; Max-Age=3600; Path=/x".
//
// recordedLifetimes does not depend on the clock, so that what browsers answer can be recorded: a lifetime that is not over at once is 600 seconds
// or more, and a date is in 2020 or before, or in 2038 or later. currentLifetimes are dates around the present.

// lifetimesSeed makes every run generate the same lines.
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

// fill calls one, which adds a line at random, until n lines are new.
func (g *generator) fill(n int, one func()) {
	for n += len(g.lines); len(g.lines) < n; {
		one()
	}
}

func (g *generator) pick(from []string) string { return from[g.IntN(len(from))] }

// rarely picks from a list once in n times, and else returns what is usual.
func (g *generator) rarely(n int, usual string, from []string) string {
	if g.IntN(n) > 0 {
		return usual
	}
	return g.pick(from)
}

// Parts of a Max-Age. Without its first letters or its last, each number is still zero or at least 600.
var (
	numbers = []string{
		"0", "00", "3600", "007200", "86400", "34560000", "34560001", "2147483647", "2147483648", "4294967296", "9223372036", "9223372036854", "9223372036855",
		"9223372036854775", "9223372036854776", "9223372036854775806", "9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616",
		"99999999999999999999", strings.Repeat("9", 40), strings.Repeat("0", 30), strings.Repeat("0", 30) + "3600", strings.Repeat("0", 30) + "9223372036854775808",
	}
	longNumbers = []string{
		strings.Repeat("0", 1024), strings.Repeat("0", 1025), strings.Repeat("0", 1020) + "3600", strings.Repeat("0", 1021) + "3600", strings.Repeat("9", 1024),
		strings.Repeat("9", 1025), "-" + strings.Repeat("9", 1023), "-" + strings.Repeat("9", 1024), strings.Repeat("9", 1023) + "x", strings.Repeat("9", 1024) + "x",
	}
	signs       = []string{"", "-", "+", "--", "-+", "+-", "- ", "+ "}
	beforeSpent = []string{"x", "\"", "'", "=", ",", "0x", "\xa0", "\xc2\xa0", "(", "%20", "e", "\\", "/", "\xef\xbc\x91"}
	afterSpent  = []string{
		"", "x", ".", ".0", ".5", ".x", "e2", "E10", "e-10", " 0", " 3600", " x", " ", "\t", "\t3600", "\"", "'", ",", ", 0", ",000", "s", "h", "-", "-1", "+", "%", "%00", "\xa0",
		"\xc2\xa0", "\xff", "/0", ":00", "_000", "=", "=0", "()", "\\", "L", "\xef\xbc\x91",
	}
	words = []string{"", "-", "+", "\"\"", "\"3600\"", "\"0\"", "forever", "inf", "-inf", "NaN", "null", "true", "0x0", "-0x1", "0b0", "1h", ".0", "-.5", "−3600", "۳۶۰۰", "３６００"}
)

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

// attribute returns one attribute, mostly as everybody spells it.
func (g *generator) attribute(name, value string) string {
	if g.IntN(12) == 0 {
		name = g.pick([]string{strings.ToLower(name), strings.ToUpper(name), strings.ToUpper(name[:1]) + strings.ToLower(name[1:]), name[:len(name)-1] + strings.ToUpper(name[len(name)-1:])})
	}
	equals := g.rarely(16, "=", []string{" =", "= ", " = ", "\t=\t", "==", " = \t", ""})
	return g.rarely(16, "; ", []string{";", ";  ", ";;", "; ;", ";\t"}) + name + equals + value + g.rarely(16, "", []string{" ", "\t", "  ;", ";"})
}

// Parts of dates. Years of two digits are those of 1970 to 1999, 2000 to 2020 and 2038 to 2069.
var (
	weekdays    = []string{"", "Thu, ", "Thu ", "Thursday, ", "Thursday ", "thu,", "Thu,", "THU, ", "Mon, ", "Do, ", "Xyz, ", "T, ", "Thu; ", "(Thu), ", "1, ", "Thu. ", "Thu-", "Thu/", "Thu, Fri, ", "GMT ", "Mar, "}
	days        = []string{"01", "1", "15", "28", "31", "30", "29", "00", "0", "32", "99", "001", "015", "1st", "15th", "-1", "x1", "1x", "+5"}
	months      = []string{"Jan", "Jan", "Feb", "Apr", "Dec", "JAN", "jan", "jAn", "January", "Janx", "Jan.", "xJan", "Ja", "J", "Januar", "M\xe4r", "Mai", "Sept", "Okt", "Dez", "1", "01", "12", "Jan1", "1Jan", "\"Jan\""}
	pastYears   = []string{"1970", "1970", "1971", "1999", "2000", "2019", "2020", "1969", "1900", "1800", "1602", "1601", "1600", "1000", "0999", "0070", "0001", "0000", "70", "99", "00", "01", "20", "070", "100", "970", "1", "0", "01970", "-1970", "x1970", "1970x"}
	futureYears = []string{
		"2038", "2038", "2039", "2040", "2099", "2100", "2399", "3000", "9999", "10000", "19999", "30827", "30828", "30829", "60056", "99999", "275760", "275761", "292278994", "999999999", "40", "69", "38", "040", "0040", "02040", "+2040", "2040x", "x2040",
		"2040AD", "20400", "2\xb2040",
	}
	times = []string{
		"12:00:00", "00:00:00", "23:59:59", "1:2:3", "01:02:03", "23:59:60", "23:59:61", "24:00:00", "25:00:00", "99:00:00", "12:60:00", "12:99:99", "12:00", "12", "12:00:", ":00:00", "012:00:00", "12:000:00", "12:00:000", "12:00:00.000",
		"12:00:00.5", "12:00:00:00", "12.00.00", "12-00-00", "-12:00:00", "12 :00:00", "12: 00:00", "12::00", "12:00:00Z", "T12:00:00", "T12:00:00Z", "12:00:00x", "x12:00:00", "12:00:00AM", "12:00:00PM", "11:00:00 PM", "1:00:00 AM",
		"13:00:00 PM", "12:00:00 p.m.", "12h00m00s", "120000", "12:0:0", "0:0:0", "", "",
	}
	zones = []string{
		"", " GMT", " gmt", " UTC", " UT", " Z", " EST", " EDT", " CST", " MST", " PST", " PDT", " CET", " CEST", " MET", " EET", " JST", " AST", " NST", " +0000", " -0000", " +0200", " -0200", " +0530", " GMT+0200", " GMT-0800", " GMT +0200", " GMT+2",
		" UTC+1", " EST+0500", " EST-0500", " +02:00", " +2", " -8", " +1200", " -1200", " +1201", " +2400", " -2400", " +9999", " -9999", " +99999", " -99999", " GMT-9999", " GMT+9999", " GMT-99999", " +0060", " +0099", " \xe2\x88\x920200", " AM", " PM",
		" GMT AM", " (GMT)", " GMT (comment)", " (comment", " comment)", " GMT x", " GMT more words", ", GMT", "-GMT", "/GMT", "GMT", " GMT,", " GMT.", " GMT;", " GMT\"", " GMT, sessionid=2", " GMT 0", " GMT 1", " GMT 99", " GMT Feb", " GMT 1999",
		" GMT 2045", " GMT 00:00:00", " GMT 23:00:00", " dst", " EST EDT", " GMT+0200 (CEST)", " GMT\xa0", " \xff", " %", " GMT%20", " =", " +", " -", " 1", " 45", " 2045", " 1999", " Feb 2045", " Thu", " 15", " 5 Feb 1999", " .5",
	}
	blanks = []string{"-", "/", ",", ", ", "  ", "\t", "+", "_", ".", "(", ")", "%20", "=", "&", "@", "'", "\"", "\x80", "\xc2\xa0", "T", "~", "|", ":", "--", " - ", "//", "-,", "\\", "[", "<", "`", "", " (x) ", " x ", " 7 "}
	// dates that are none of the forms below
	others = []string{
		"", " ", "0", "-1", "1", "3600", "4102444800", "253402300799", "1e10", "20400115", "20400115120000", "2040", "1970", "GMT", "Thu", "Jan", "never", "Session", "now", "tomorrow", "\"\"", "()", "%", "=", "Thu, 01 Jan 1970 00:00:00 GMT, Fri, 15 Jan 2040 12:00:00 GMT",
		"Fri, 15 Jan 2040 12:00:00 GMT, Thu, 01 Jan 1970 00:00:00 GMT", "Thu, 01 Jan 1970", "01 Jan", "Jan 2040", "15 2040 12:00:00", "12:00:00", "15 Jan 12:00:00 GMT", "Thu Jan 15 12:00:00 GMT 2040", "Thu Jan 15 12:00:00 EST 2040", "Thu Jan 15 2040 12:00:00 GMT+0100 (CET)",
		"2040-01-15T12:00:00Z", "2040-01-15T12:00:00.000Z", "2040-01-15T12:00:00+02:00", "2040-01-15 12:00:00", "2040-01-15", "1970-01-01T00:00:00Z", "1970-01-01 00:00:00", "1970-01-01", "20400115T120000Z", "2040-W03-1", "2040-015", "40-01-15", "70-01-01 00:00:00",
		"12/31/2040", "12/31/40", "31/12/2040", "31/12/40", "12/31/1970", "12/31/70", "31/12/70", "12-31-2040", "31-12-2040", "31-12-40", "40/12/31", "70/12/31", "2040/12/31", "1970/12/31", "12/31/2040 12:00:00", "12/31/2040 12:00:00 GMT", "12/31/40 12:00:00 GMT", "12/31/1970 00:00:00 GMT",
		"1/2/70 00:00:00 GMT", "31.12.2040 12:00:00", "31.12.1970 00:00:00", "31.12.2040", "13/13/2040", "12/31/20400", "1/1/1", "0/0/0", "12/31/2040 PST", "12/31/1970 -9999", "12 31 2040 12:00:00", "12/31/2040/5", "5/12/31/2040", "12:00:00 12/31/2040", "12/31/2040 12/31/1970",
	}
)

// join puts parts together with blanks, or, rarely, with something else in the place of one or all of them.
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

// date returns a value of Expires: one of the three forms that are known everywhere, or the same parts in another order; mostly with one or two
// parts that are unusual.
func (g *generator) date() string {
	if g.IntN(12) == 0 {
		return g.pick(others)
	}
	years := pastYears
	if g.IntN(2) == 0 {
		years = futureYears
	}
	weekday := g.rarely(4, "Thu, ", weekdays)
	day, month, year := g.rarely(4, "15", days), g.rarely(5, "Jan", months), g.rarely(3, years[0], years)
	timeOfDay, zone := g.rarely(4, "12:00:00", times), g.rarely(2, " GMT", zones)
	switch g.IntN(12) {
	case 0, 1, 2, 3:
		return weekday + g.join(day, month, year, timeOfDay) + zone
	case 4:
		return weekday + g.join(day+"-"+month+"-"+year, timeOfDay) + zone
	case 5:
		return weekday + g.join(day+"/"+month+"/"+year, timeOfDay) + zone
	case 6:
		return strings.TrimSuffix(weekday, ", ") + " " + g.join(month, day, timeOfDay, year) + strings.TrimSuffix(zone, " GMT")
	case 7:
		return g.join(month, day+",", year, timeOfDay) + zone
	case 8:
		return g.join(timeOfDay, day, month, year) + zone
	case 9:
		return g.join(year, month, day, timeOfDay) + zone
	case 10:
		return weekday + g.join(day, month, timeOfDay+zone, year)
	}
	parts := []string{day, month, year, timeOfDay, strings.TrimSpace(zone), strings.TrimSpace(weekday)}
	g.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	return g.join(parts[:4+g.IntN(3)]...)
}

// damaged returns a date in which one or two characters are missing, doubled, exchanged or new.
func (g *generator) damaged() string {
	date := g.pick([]string{
		"Thu, 15 Jan 1970 12:00:00 GMT", "Fri, 15 Jan 2040 12:00:00 GMT", "Friday, 15-Jan-70 12:00:00 GMT", "Friday, 15-Jan-40 12:00:00 GMT", "Fri Jan 15 12:00:00 1970", "Fri Jan 15 12:00:00 2040",
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
			date = date[:i] + g.rarely(2, string("0x:.,-+/ ()\"'%\t"[g.IntN(15)]), blanks) + date[i:]
		}
	}
	return date
}

// quoted puts a date into quotes or parentheses, or a part of it into a comment.
func (g *generator) quoted() string {
	date := g.date()
	around := [][2]string{{"\"", "\""}, {"'", "'"}, {"\"", ""}, {"", "\""}, {"(", ")"}, {"(", ""}, {"", ")"}, {"(x) ", ""}, {"", " (x)"}, {"((x) ", ""}, {"[", "]"}, {"(", ") 1 Feb 2045 12:00:00"}, {"(1 Feb 2045 12:00:00) ", ""}, {"%", ""}, {"=", ""}, {"x ", ""}, {"5 ", ""}, {"-", ""}, {"+", ""}}
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

// plainDates are two that every browser reads, of the past and of the future.
var plainDates = []string{"Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 15 Jan 2040 12:00:00 GMT"}

// recordedLifetimes returns some 4,000 lines.
func recordedLifetimes() []string {
	g := newGenerator()
	for _, lines := range []string{"", "; Max-Age", "; Expires", "; Max-Age; Expires=" + plainDates[0], "; Expires; Max-Age=3600", "; Max-Age:3600", "; Max-Age=3600, Expires=" + plainDates[0]} {
		g.add(lines)
	}
	// Every number with what is behind it in turn, alone and beside a date of the past: is what overflows still a number?
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
	for _, long := range []string{strings.Repeat(" ", 1100) + plainDates[1], plainDates[1] + strings.Repeat(" x", 498), plainDates[1] + strings.Repeat(" x", 499)} {
		g.add("; Expires=" + long)
		g.add("; Expires=" + plainDates[0] + "; Expires=" + long)
	}
	// Every part of a date in turn, the others as usual.
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
			g.add("; Expires=" + strings.ReplaceAll("Thu, 15 Jan "+usual+" 12:00:00 GMT", " ", blank))
		}
	}
	for _, other := range others {
		g.add("; Expires=" + other)
	}

	g.fill(250, func() { g.add(g.attribute("Max-Age", g.maxAge())) })
	g.fill(450, func() { g.add(g.attribute("Expires", g.expires())) })
	g.fill(200, func() { g.add(g.attribute("Max-Age", g.maxAge()) + g.attribute("Expires", g.expires())) })
	g.fill(100, func() { g.add(g.attribute("Expires", g.expires()) + g.attribute("Max-Age", g.maxAge())) })
	g.fill(100, func() {
		g.add(g.attribute("Max-Age", g.maxAge()) + g.attribute("Max-Age", g.maxAge()) + g.attribute("Expires", g.pick(plainDates)))
	})
	g.fill(100, func() { g.add(g.attribute("Expires", g.expires()) + g.attribute("Expires", g.expires())) })
	return g.lines
}

// currentLifetimes returns dates around the present, in many forms and time zones.
func currentLifetimes(now time.Time) []string {
	g := newGenerator()
	for _, hours := range []float64{-24 * 30, -49, -25, -23.5, -13, -6, -3, -1.5, -0.3, 0.4, 0.75, 1.5, 3, 6, 13, 25, 24 * 30, 24 * 300} {
		then := now.Add(time.Duration(hours * float64(time.Hour))).UTC()
		for _, layout := range []string{
			"Mon, 02 Jan 2006 15:04:05", "Monday, 02-Jan-06 15:04:05", "Mon Jan _2 15:04:05 2006", "2 Jan 2006 03:04:05 PM", "01/02/2006 15:04:05", "2006-01-02 15:04:05", "02/Jan/2006 15:04", "15:04:05 2 Jan 2006",
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
