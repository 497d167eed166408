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

// Parts of a Max-Age. Each number is zero or at least 600, even if a browser reads only its beginning.
var (
	numbers = []string{
		"0", "00", "3600", "007200", "86400", "34560000", "34560001", "2147483647", "2147483648",
		"4294967296", "9223372036", "9223372036854", "9223372036855", "9223372036854775",
		"9223372036854776", "9223372036854775806", "9223372036854775807", "9223372036854775808",
		"18446744073709551615", "18446744073709551616", "99999999999999999999",
		strings.Repeat("9", 40), strings.Repeat("0", 30), strings.Repeat("0", 30) + "3600",
		strings.Repeat("0", 30) + "9223372036854775808",
	}
	longNumbers = []string{
		strings.Repeat("0", 1024), strings.Repeat("0", 1025), strings.Repeat("0", 1020) + "3600",
		strings.Repeat("0", 1021) + "3600", strings.Repeat("9", 1024), strings.Repeat("9", 1025),
		"-" + strings.Repeat("9", 1023), "-" + strings.Repeat("9", 1024),
		strings.Repeat("9", 1023) + "x", strings.Repeat("9", 1024) + "x",
	}
	signs       = []string{"", "-", "+", "--", "-+", "+-", "- ", "+ "}
	beforeSpent = []string{
		"x", "\"", "'", "=", ",", "0x", "\xa0", "\xc2\xa0", "(", "%20", "e", "\\", "/",
		"\xef\xbc\x91",
	}
	afterSpent = []string{
		"", "x", ".", ".0", ".5", ".x", "e2", "E10", "e-10", " 0", " 3600", " x", " ", "\t",
		"\t3600", "\"", "'", ",", ", 0", ",000", "s", "h", "-", "-1", "+", "%", "%00", "\xa0",
		"\xc2\xa0", "\xff", "/0", ":00", "_000", "=", "=0", "()", "\\", "L", "\xef\xbc\x91",
	}
	words = []string{
		"", "-", "+", "\"\"", "\"3600\"", "\"0\"", "forever", "inf", "-inf", "NaN", "null", "true",
		"0x0", "-0x1", "0b0", "1h", ".0", "-.5", "−3600", "۳۶۰۰", "３６００",
	}
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

// Parts of dates. Years of two digits are not between 20 and 38.
var (
	weekdays = []string{
		"", "Thu, ", "Thu ", "Thursday, ", "Thursday ", "thu,", "Thu,", "THU, ", "Mon, ", "Do, ",
		"Xyz, ", "T, ", "Thu; ", "(Thu), ", "1, ", "Thu. ", "Thu-", "Thu/", "Thu, Fri, ", "GMT ",
		"Mar, ",
	}
	days = []string{
		"01", "1", "15", "28", "31", "30", "29", "00", "0", "32", "99", "001", "015", "1st", "15th",
		"-1", "x1", "1x", "+5",
	}
	months = []string{
		"Jan", "Jan", "Feb", "Apr", "Dec", "JAN", "jan", "jAn", "January", "Janx", "Jan.", "xJan",
		"Ja", "J", "Januar", "M\xe4r", "Mai", "Sept", "Okt", "Dez", "1", "01", "12", "Jan1", "1Jan",
		"\"Jan\"",
	}
	pastYears = []string{
		"1970", "1970", "1971", "1999", "2000", "2019", "2020", "1969", "1900", "1800", "1602",
		"1601", "1600", "1000", "0999", "0070", "0001", "0000", "70", "99", "00", "01", "20", "070",
		"100", "970", "1", "0", "01970", "-1970", "x1970", "1970x",
	}
	futureYears = []string{
		"2038", "2038", "2039", "2040", "2099", "2100", "2399", "3000", "9999", "10000", "19999",
		"30827", "30828", "30829", "60056", "99999", "275760", "275761", "292278994", "999999999",
		"40", "69", "38", "040", "0040", "02040", "+2040", "2040x", "x2040", "2040AD", "20400",
		"2\xb2040",
	}
	times = []string{
		"12:00:00", "00:00:00", "23:59:59", "1:2:3", "01:02:03", "23:59:60", "23:59:61", "24:00:00",
		"25:00:00", "99:00:00", "12:60:00", "12:99:99", "12:00", "12", "12:00:", ":00:00",
		"012:00:00", "12:000:00", "12:00:000", "12:00:00.000", "12:00:00.5", "12:00:00:00",
		"12.00.00", "12-00-00", "-12:00:00", "12 :00:00", "12: 00:00", "12::00", "12:00:00Z",
		"T12:00:00", "T12:00:00Z", "12:00:00x", "x12:00:00", "12:00:00AM", "12:00:00PM",
		"11:00:00 PM", "1:00:00 AM", "13:00:00 PM", "12:00:00 p.m.", "12h00m00s", "120000",
		"12:0:0", "0:0:0", "", "",
	}
	zones = []string{
		"", " GMT", " gmt", " UTC", " UT", " Z", " EST", " EDT", " CST", " MST", " PST", " PDT",
		" CET", " CEST", " MET", " EET", " JST", " AST", " NST", " +0000", " -0000", " +0200",
		" -0200", " +0530", " GMT+0200", " GMT-0800", " GMT +0200", " GMT+2", " UTC+1", " EST+0500",
		" EST-0500", " +02:00", " +2", " -8", " +1200", " -1200", " +1201", " +2400", " -2400",
		" +9999", " -9999", " +99999", " -99999", " GMT-9999", " GMT+9999", " GMT-99999", " +0060",
		" +0099", " \xe2\x88\x920200", " AM", " PM", " GMT AM", " (GMT)", " GMT (comment)",
		" (comment", " comment)", " GMT x", " GMT more words", ", GMT", "-GMT", "/GMT", "GMT",
		" GMT,", " GMT.", " GMT;", " GMT\"", " GMT, sessionid=2", " GMT 0", " GMT 1", " GMT 99",
		" GMT Feb", " GMT 1999", " GMT 2045", " GMT 00:00:00", " GMT 23:00:00", " dst", " EST EDT",
		" GMT+0200 (CEST)", " GMT\xa0", " \xff", " %", " GMT%20", " =", " +", " -", " 1", " 45",
		" 2045", " 1999", " Feb 2045", " Thu", " 15", " 5 Feb 1999", " .5",
	}
	blanks = []string{
		"-", "/", ",", ", ", "  ", "\t", "+", "_", ".", "(", ")", "%20", "=", "&", "@", "'", "\"",
		"\x80", "\xc2\xa0", "T", "~", "|", ":", "--", " - ", "//", "-,", "\\", "[", "<", "`", "",
		" (x) ", " x ", " 7 ",
	}
	// Dates in none of the forms below.
	others = []string{
		"", " ", "0", "-1", "1", "3600", "4102444800", "253402300799", "1e10", "20400115",
		"20400115120000", "2040", "1970", "GMT", "Thu", "Jan", "never", "Session", "now",
		"tomorrow", "\"\"", "()", "%", "=",
		"Thu, 01 Jan 1970 00:00:00 GMT, Fri, 15 Jan 2040 12:00:00 GMT",
		"Fri, 15 Jan 2040 12:00:00 GMT, Thu, 01 Jan 1970 00:00:00 GMT", "Thu, 01 Jan 1970",
		"01 Jan", "Jan 2040", "15 2040 12:00:00", "12:00:00", "15 Jan 12:00:00 GMT",
		"Thu Jan 15 12:00:00 GMT 2040", "Thu Jan 15 12:00:00 EST 2040",
		"Thu Jan 15 2040 12:00:00 GMT+0100 (CET)", "2040-01-15T12:00:00Z",
		"2040-01-15T12:00:00.000Z", "2040-01-15T12:00:00+02:00", "2040-01-15 12:00:00",
		"2040-01-15", "1970-01-01T00:00:00Z", "1970-01-01 00:00:00", "1970-01-01",
		"20400115T120000Z", "2040-W03-1", "2040-015", "40-01-15", "70-01-01 00:00:00", "12/31/2040",
		"12/31/40", "31/12/2040", "31/12/40", "12/31/1970", "12/31/70", "31/12/70", "12-31-2040",
		"31-12-2040", "31-12-40", "40/12/31", "70/12/31", "2040/12/31", "1970/12/31",
		"12/31/2040 12:00:00", "12/31/2040 12:00:00 GMT", "12/31/40 12:00:00 GMT",
		"12/31/1970 00:00:00 GMT", "1/2/70 00:00:00 GMT", "31.12.2040 12:00:00",
		"31.12.1970 00:00:00", "31.12.2040", "13/13/2040", "12/31/20400", "1/1/1", "0/0/0",
		"12/31/2040 PST", "12/31/1970 -9999", "12 31 2040 12:00:00", "12/31/2040/5", "5/12/31/2040",
		"12:00:00 12/31/2040", "12/31/2040 12/31/1970",
	}
	// Dates on which browsers disagree. A longer search, with other seeds, found them.
	found = []string{
		"Friday, 15-Jan4-00 12:00:00 GMT", "Thu, 15-Jan0-70 12:00:00 GMT",
		"Thu, 29-Jan2-00 12:00:00 GMT", "Thu, 15-Jann2-1970 12:00:00 GMT",
		"12:00:00 15 Jan0-1970 GMT", "Thu, 15 Jan1-1970 12:00:00 +0099",
		"Thu,1 5 Jan 2038 12:00:00 +2400", "Thu, 15 Jan 7 2038 12:00:00 45",
		"Fri Jan 1/5 12:00:00 9170", "Fri Jan 1~5 12:00:00 2040", "Thu Jan 15 12:00:0,0 2038",
		"Thu Jan 15 7 12:00:00 19700", "Thu, 11 Jan 12:00:00 GMT+0200 21030",
		"Thu ,15 Jan 12:00:00 GMT%20 2038", "THU, 15 jAn`20 12:00:00 2045",
		"GMT  Jan 15 12:00:00.5 2038 +99999", "201 7 Jan 31 12:00:00 (comment",
		"(Thu, 15 Jan 0 12:00:00/GMT) 1 Feb 2045 12:00:00", "Thu, 15 Jan 203812:00:00 AM",
		"Thu, 15--Jan 203812:00:00 GMT", "Thu, 00/Jan/12:00:00 +0000/2038",
		"GMT Thu, 69 Apr 15 12:00:00", "Thu,1 5 Jan3 2308 12:00:00Z -9999",
		"2399 Jan 15\xc2 12:99:99 EDT", "Jan 15,0 40 120000 PDT", "Thu, 350-Jan-2038 12 :000:0 GMT",
		"69)Jan)15)12:00:00 GMT", "15 7 Jan 7 2038 GMT", "Thu, 51 Jan[01 12:00:00 \xff",
		"Tu, 51  Jan 1970 1:00:00 AM 1", "Thu, 001 Jan 2038 12.00.0V0  MT",
		"12.00.000 15O JAN 9170 GMT", "Fri, 1%205 Jan 2040 12:00:00 GMT",
		"Jan\t1,5\t2038\t124:00:  GMT", "Fri, 11\t5 Jan 2040 12:00:00 GMT",
		"Thu, 15\tJan\t12:00:00 1\t69",
	}
)

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

// plainDates are a date of the past and one of the future that every browser reads.
var plainDates = []string{"Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 15 Jan 2040 12:00:00 GMT"}

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
