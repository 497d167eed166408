package policy

import (
	"encoding/json"
	"fmt"
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
	const want = `"soon" is not a duration; write one such as 30m, 12h or 183d`
	if _, err := ParseDuration("soon"); err == nil || err.Error() != want {
		t.Errorf("the error is %v, want %s", err, want)
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
