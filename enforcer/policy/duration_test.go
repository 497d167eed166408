package policy

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestParseDuration(t *testing.T) {
	const hour = time.Hour
	for text, want := range map[string]time.Duration{
		"0": 0, "0s": 0, "0d": 0, "30m": 30 * time.Minute, "36h": 36 * hour, "1d": 24 * hour,
		"183d": 183 * 24 * hour, "1d12h": 36 * hour, "0d5h": 5 * hour, "1.5h": 90 * time.Minute,
		"1d1h1m1s": 25*hour + time.Minute + time.Second,
		"50000d":   50000 * 24 * hour, "-50000d": -50000 * 24 * hour,
		"0d1200000h": 50000 * 24 * hour,
		"1200000h":   50000 * 24 * hour, "-1200000h": -50000 * 24 * hour,
		"-5d": -120 * hour, "-1d12h": -36 * hour, "-0d5h": -5 * hour, "-36h": -36 * hour,
	} {
		if got, err := ParseDuration(text); err != nil || got != Duration(want) {
			t.Errorf("%q was read as %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"session", "", "d", "-", "-d", "1", "1w", "1y", "1.5d", "1d1d", "1h1d", "1d-1h", "1d+1h", "1 d", " 1d",
		"1d ", "1D", "1e3s", "50001d", "-50001d", "1200001h", "-1200001h", "0d1200001h",
		"99999999999999999999d", "٣d",
	} {
		got, err := ParseDuration(text)
		if err == nil || got != 0 {
			t.Errorf("%q was read as %v, %v", text, got, err)
		}
	}
}

// What is said in words is written as a duration in the error.
func TestParseDurationInWords(t *testing.T) {
	for text, want := range map[string]string{
		"soon": anyDuration, "": anyDuration, "6 moons": anyDuration, "months": anyDuration, "0 days": anyDuration,
		"50001 days": anyDuration, "9999999999 years": anyDuration, "137 years": anyDuration, "1.5d": anyDuration,
		"-6 months": anyDuration, "6 months ago": anyDuration, strings.Repeat("1 day ", 20): anyDuration,
		"6 months": "write 183d", "6months": "write 183d", "6 Months": "write 183d", "12 months": "write 365d",
		"13 months": "write 395d", "1 month": "write 30d", "3 months": "write 91d", "24 months": "write 730d",
		"25 mo": "write 760d", "1 year": "write 365d", "2y": "write 730d", "136 years": "write 49640d",
		"1 year and 1 month": "write 395d", "1 year, 1 month": "write 395d", "2 weeks": "write 14d", "1w": "write 7d",
		"30 days": "write 30d", "183D": "write 183d", "1 day": "write 1d", "1d 12h": "write 1d12h",
		"36 hours": "write 1d12h", "12 hours": "write 12h", "90 minutes": "write 1h30m", "30 min": "write 30m",
		"90 seconds": "write 1m30s", "1 day 1 second": "write 1d1s", " 6 months ": "write 183d",
		"183": "write 183s for seconds, or 183d for days", "15811200": "write 15811200s for seconds",
	} {
		_, err := ParseDuration(text)
		f, _ := err.(Fault)
		if f.Word != text || f.Right != want || f.Problem == "" {
			t.Errorf("%q: the error is %v, want %s", text, err, want)
		}
		if suggested, found := strings.CutPrefix(f.Right, "write "); found && !strings.Contains(suggested, " ") {
			if _, err := ParseDuration(suggested); err != nil {
				t.Errorf("%q: %v", text, err)
			}
		}
	}
	const want = `"soon": this is not a duration; write one such as 30m, 12h or 183d`
	if _, err := ParseDuration("soon"); err == nil || err.Error() != want {
		t.Errorf("the error is %v, want %s", err, want)
	}
}

func TestParseLifetime(t *testing.T) {
	for text, want := range map[string]Duration{"session": Session, "183d": sixMonths, "30m": halfHour} {
		if got, err := ParseLifetime(text); err != nil || got != want {
			t.Errorf("%q was read as %v, %v; want %v", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"Session":  `"Session": no such lifetime; write session, or a duration such as 183d`,
		"sessions": `"sessions": no such lifetime; write session, or a duration such as 183d`,
		"6 months": `"6 months": this is not a duration; write 183d`,
		"forever":  `"forever": this is not a duration; write one such as 30m, 12h or 183d`,
	} {
		if _, err := ParseLifetime(text); err == nil || err.Error() != want {
			t.Errorf("%q: the error is %v, want %s", text, err, want)
		}
	}
}

func TestDurationString(t *testing.T) {
	for want, d := range map[string]Duration{
		"0s": 0, "session": Session, "1d": day, "-1d": -day, "183d": sixMonths, "36h0m0s": 36 * Duration(time.Hour), "1ns": 1,
	} {
		if got := d.String(); got != want {
			t.Errorf("%d is written as %q, want %q", d, got, want)
		}
	}
}

func TestDurationRoundTrip(t *testing.T) {
	const hour = Duration(time.Hour)
	for _, want := range []Duration{
		1, day, -day, 36 * hour, -36 * hour, sixMonths, twelveMonths, thirteenMonths, day + 1, maxDays * day,
	} {
		if got, err := ParseDuration(want.String()); err != nil || got != want {
			t.Errorf("%s was read back as %v, %v", want, got, err)
		}
		b, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got Duration
		if err := json.Unmarshal(b, &got); err != nil || got != want {
			t.Errorf("%s was read back as %v, %v", b, got, err)
		}
	}
}

func TestDurationUnmarshalJSON(t *testing.T) {
	for text, want := range map[string]Duration{
		`"session"`: Session, `"183d"`: sixMonths, `1000`: 1000, `86400000000000`: day, `null`: 7, `-1`: -1,
	} {
		got := Duration(7) // null leaves what is there
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
			t.Errorf("%s was read as %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{`""`, `"183"`, `1.5`, `true`, `[]`, `{}`, `0`, `"0s"`, `"soon"`, `1e99`,
		`"Session"`, `" session"`, fmt.Sprint(int64(Session))} {
		var got Duration // Policy.Faults refuses it, where the field's path is known
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != noDuration {
			t.Errorf("%s was read as %v, %v", text, got, err)
		}
	}
}
