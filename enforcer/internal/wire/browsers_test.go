package wire

import (
	"encoding/json"
	"math"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// This file holds what browsers were seen to do with lifetimes, and a second opinion on it that
// shares no code with what it judges.

var signAndDigits = regexp.MustCompile(`(?s)^([+-]?)([0-9]*)(.*)$`)

// chromiumMaxAge reads a Max-Age as Chromium does: a sign and digits. At an end of the range of int64
// and beyond, anything may follow; otherwise nothing. Zero or less deletes.
func chromiumMaxAge(text string) (seconds int64, ok bool) {
	m := signAndDigits.FindStringSubmatch(text)
	n, _ := new(big.Int).SetString("0"+m[2], 10)
	if m[1] == "-" {
		n.Neg(n)
	}
	switch {
	case n.Cmp(big.NewInt(math.MaxInt64)) >= 0:
		return math.MaxInt64, true
	case n.Cmp(big.NewInt(math.MinInt64)) <= 0:
		return math.MinInt64, true
	}
	return n.Int64(), m[2] != "" && m[3] == ""
}

// firefoxMaxAge reads a Max-Age as Firefox does: anything that begins with a minus deletes. After
// digits beyond the range of int64 anything may follow; otherwise nothing.
func firefoxMaxAge(text string) (seconds int64, ok bool) {
	m := signAndDigits.FindStringSubmatch(text)
	n, _ := new(big.Int).SetString("0"+m[2], 10)
	switch {
	case m[1] == "-":
		return math.MinInt64, true
	case m[1] == "+":
		return 0, false
	case !n.IsInt64():
		return math.MaxInt64, true
	}
	return n.Int64(), m[2] != "" && m[3] == ""
}

// lastAttributes returns the values that count, by names in lower case.
func lastAttributes(line string) map[string]string {
	last := map[string]string{}
	for _, attribute := range strings.Split(line, ";")[1:] {
		name, value, _ := strings.Cut(attribute, "=")
		if value = trimmed(value); len(value) <= 1024 {
			last[strings.ToLower(trimmed(name))] = value
		}
	}
	return last
}

var (
	monthName = regexp.MustCompile(`(?i)(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)`)
	timeOfDay = regexp.MustCompile(`[0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}`)
	someDigit = regexp.MustCompile(`[0-9]+`)
)

// mayDeleteInAll reports whether a line could be a deletion in every browser: by its Max-Age, or if
// that is absent or no number, by an Expires with all parts of a date and a year that has begun.
func mayDeleteInAll(line string) bool {
	last := lastAttributes(line)
	chromium, inChromium := chromiumMaxAge(last["max-age"])
	firefox, inFirefox := firefoxMaxAge(last["max-age"])
	switch {
	case inChromium && inFirefox:
		return chromium <= 0 && firefox <= 0
	case inChromium, inFirefox && firefox > 0:
		return false
	}
	expires := last["expires"]
	if !monthName.MatchString(expires) || !timeOfDay.MatchString(expires) {
		return false
	}
	numbers := someDigit.FindAllString(timeOfDay.ReplaceAllString(expires, ""), -1)
	return slices.ContainsFunc(numbers, func(digits string) bool {
		year, _ := strconv.Atoi(digits)
		return len(digits) == 4 && 1601 < year && year <= noon.Year() ||
			len(digits) == 2 && (year >= 70 || year <= noon.Year()-2000)
	})
}

// FuzzMaxAge compares what is read in a Max-Age with what each browser reads.
func FuzzMaxAge(f *testing.F) {
	for _, text := range []string{
		"", "0", "-0", "-1", "3600", "0003600", "+5", "+", "-", "--1", "- 1", "-0.5", "1.5", "1e3",
		"0x10", "9 9", "9223372036854775806", "9223372036854775807", "9223372036854775808",
		"9223372036854775806x", "9223372036854775807x", "9223372036854775807.0",
		"99999999999999999999 1", "00099999999999999999999x", "+9223372036854775808x",
		"-9223372036854775807x", "-9223372036854775808x", "-9223372036854775808",
		"-99999999999999999999x", "92233720368547758070", "18446744073709551616x",
		"18446744073709551617", "+-1", "-+1", "++1",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := parseMaxAge(text)
		for _, b := range [...]struct {
			name string
			got  reading
			read func(string) (int64, bool)
		}{{"Chromium", got.chromium, chromiumMaxAge}, {"Firefox", got.firefox, firefoxMaxAge}} {
			seconds, ok := b.read(text)
			switch {
			case ok != b.got.isNumber:
				t.Errorf("%q in %s: a number is %t, want %t", text, b.name, b.got.isNumber, ok)
			case ok && (seconds > 0) != (b.got.seconds > 0), ok && seconds > 0 && seconds != b.got.seconds:
				t.Errorf("%q in %s: %d seconds, want %d", text, b.name, b.got.seconds, seconds)
			}
		}
	})
}

// recordedLifetime is a line of testdata/lifetimes.jsonl: what follows name and value, and what
// browsers do with it. An answer is "session", "deleted", "ignored", or a lifetime in seconds, to the
// nearest hundred. Browsers cut a lifetime to 400 days.
type recordedLifetime struct {
	Attributes        string
	Chromium, Firefox any
}

const (
	fourHundredDays = 34560000
	recordGrace     = 100 // seconds: lifetimes are rounded
)

// readLifetimes returns when browsers were asked, and their answers.
func readLifetimes(t *testing.T) (at time.Time, answers []recordedLifetime) {
	t.Helper()
	lines := readVectors[json.RawMessage](t, "lifetimes.jsonl")
	var header struct{ At time.Time }
	if err := json.Unmarshal(lines[0], &header); err != nil || header.At.IsZero() {
		t.Fatalf("the first line does not say when browsers were asked: %v", err)
	}
	for _, line := range lines[1:] {
		var v recordedLifetime
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatal(err)
		}
		v.Attributes = rawBytes(v.Attributes)
		answers = append(answers, v)
	}
	if len(answers) < 4000 {
		t.Errorf("%d lines are not the record", len(answers))
	}
	return header.At, answers
}

// recordedBrowser is what the record says of one browser.
type recordedBrowser struct {
	name       string
	maxAge     func(string) (int64, bool)
	rejectsTab bool
	of         func(*recordedLifetime) any
	byLine     map[string]any
	byExpires  map[string]any // answers of lines whose Expires decides
}

// recordedBrowsers returns both browsers, with all that was recorded of them.
func recordedBrowsers(answers []recordedLifetime) []*recordedBrowser {
	browsers := []*recordedBrowser{
		{name: "Chromium", maxAge: chromiumMaxAge, rejectsTab: true,
			of: func(v *recordedLifetime) any { return v.Chromium }},
		{name: "Firefox", maxAge: firefoxMaxAge,
			of: func(v *recordedLifetime) any { return v.Firefox }},
	}
	for _, b := range browsers {
		b.byLine, b.byExpires = map[string]any{}, map[string]any{}
		for i := range answers {
			v := &answers[i]
			answer, last := b.of(v), lastAttributes(v.Attributes)
			b.byLine[v.Attributes] = answer
			if _, ok := b.maxAge(last["max-age"]); !ok && answer != "ignored" {
				b.byExpires[last["expires"]] = answer
			}
		}
	}
	return browsers
}

// predict returns what the browser does with a line, from what it was seen to do with others.
func (b *recordedBrowser) predict(attributes string) (answer any, ok bool) {
	last := lastAttributes(attributes)
	if b.rejectsTab {
		separates := func(r rune) bool { return r == ';' || r == '=' }
		for _, attribute := range strings.FieldsFunc(attributes, separates) {
			// A name or a value; one that is cut at a second equals sign has its tab all the same.
			if strings.Contains(trimmed(attribute), "\t") {
				return "ignored", true
			}
		}
	}
	if seconds, ok := b.maxAge(last["max-age"]); ok && seconds <= 0 {
		return "deleted", true
	} else if ok {
		return float64(min(seconds, fourHundredDays)), true
	}
	if last["expires"] == "" {
		return "session", true
	}
	answer, ok = b.byExpires[last["expires"]]
	return answer, ok
}

// sameAnswer reports whether two answers are the same but for rounding.
func sameAnswer(a, b any) bool {
	x, isLifetime := a.(float64)
	y, alsoLifetime := b.(float64)
	return a == b || isLifetime && alsoLifetime && math.Abs(x-y) <= recordGrace
}

// TestLifetimesRecordIsPredictable holds the second opinion against the record.
func TestLifetimesRecordIsPredictable(t *testing.T) {
	_, answers := readLifetimes(t)
	for _, b := range recordedBrowsers(answers) {
		for i := range answers {
			v := &answers[i]
			if predicted, ok := b.predict(v.Attributes); !ok || !sameAnswer(predicted, b.of(v)) {
				t.Errorf("%.200q: %s says %v; predicted is %v, %t",
					v.Attributes, b.name, b.of(v), predicted, ok)
			}
		}
	}
}

// TestLifetimesRecord holds what is read in a line against what browsers do with it.
func TestLifetimesRecord(t *testing.T) {
	at, answers := readLifetimes(t)
	deletions := 0
	for i := range answers {
		v := &answers[i]
		line := mustParse(t, "a=b"+v.Attributes)
		a := line.ParseAttributes()
		clock := NewClock(func() time.Time { return at }, nil)
		deletes := a.Deletes(&clock)
		lifetime, persistent := a.Lifetime(at)
		if deletes {
			deletions++
		}
		ignored := v.Chromium == "ignored" || v.Firefox == "ignored"
		if ignored != a.Rejected {
			t.Errorf("%.200q: Rejected is %t", v.Attributes, a.Rejected)
		}
		for name, answer := range map[string]any{"Chromium": v.Chromium, "Firefox": v.Firefox} {
			if deletes && answer != "deleted" {
				t.Errorf("%.200q deletes, and %s says %v", v.Attributes, name, answer)
			}
			if answer == "deleted" && !a.MayDelete(at) {
				t.Errorf("%.200q may not delete, and %s says %v", v.Attributes, name, answer)
			}
			seconds, ok := answer.(float64)
			if ok && (!persistent || lifetime.Seconds() < seconds-recordGrace) {
				t.Errorf("%.200q: the lifetime is %v, %t; %s says %v",
					v.Attributes, lifetime, persistent, name, answer)
			}
		}
	}
	if deletions < 500 {
		t.Errorf("only %d lines are deletions", deletions)
	}
}

// TestLifetimesRecordLimited holds lines whose lifetime is limited to an hour against what browsers
// do with them.
func TestLifetimesRecordLimited(t *testing.T) {
	at, answers := readLifetimes(t)
	browsers := recordedBrowsers(answers)
	changed, unknown, odd := 0, 0, 0
	for i := range answers {
		v := &answers[i]
		line := "a=b" + v.Attributes
		c := mustParse(t, line)
		clock := NewClock(func() time.Time { return at }, nil)
		e := NewEditor(line, &c)
		e.LimitLifetime(time.Hour, &clock)
		limited := e.String()
		if limited != line {
			changed++
			if v.Chromium == "deleted" && v.Firefox == "deleted" {
				// A date in a form that may be one to come is removed: a session cookie to all.
				if _, ok := ParseDate(lastAttributes(line)["expires"]); ok {
					t.Errorf("%.200q is a deletion, and became %.200q", line, limited)
				}
				odd++
			}
		}
		for _, b := range browsers {
			was, is := b.of(v), b.of(v)
			if limited != line {
				var ok bool
				if is, ok = b.predict(strings.TrimPrefix(limited, "a=b")); !ok {
					unknown++
					t.Errorf("%.200q became %.200q, which nobody asked %s about", line, limited, b.name)
					continue
				}
			}
			if fault := limitFault(was, is); fault != "" {
				t.Errorf("%.200q became %.200q: %s in %s: %v, was %v", line, limited, fault, b.name, is, was)
			}
		}
	}
	if changed < 500 || unknown > 0 || odd > 50 {
		t.Errorf("%d lines changed, nobody asked browsers about %d, and %d are deletions",
			changed, unknown, odd)
	}
}

// limitFault returns what is wrong with a browser's answer to a line whose lifetime was limited to an
// hour.
func limitFault(was, is any) string {
	before, _ := was.(float64)
	after, persistent := is.(float64)
	switch {
	case after > 3600:
		return "it lives too long"
	case persistent && was == "session":
		return "a session cookie gets a lifetime"
	case persistent && before > 0 && after > before+recordGrace:
		return "it lives longer than before"
	case was == "ignored" && is != "ignored":
		return "a rejected line is stored"
	case is == "deleted" && was != "deleted":
		return "the cookie is lost"
	case is == "ignored" && was != "ignored":
		return "the line is rejected"
	}
	return ""
}
