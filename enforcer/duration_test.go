package enforcer

import (
	"encoding/json"
	"testing"
	"time"
)

func TestADurationIsReadAsItIsWritten(t *testing.T) {
	const hour = time.Hour
	for text, want := range map[string]time.Duration{
		"0": 0, "0s": 0, "0d": 0, "30m": 30 * time.Minute, "36h": 36 * hour, "1d": 24 * hour, "183d": 183 * 24 * hour, "1d12h": 36 * hour, "0d5h": 5 * hour,
		"1d1h1m1s": 25*hour + time.Minute + time.Second, "1.5h": 90 * time.Minute, "50000d": 50000 * 24 * hour,
		"-5d": -120 * hour, "-1d12h": -36 * hour, "-0d5h": -5 * hour, "-36h": -36 * hour,
	} {
		if got, err := ParseDuration(text); err != nil || got != Duration(want) {
			t.Errorf("%q was read as %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "d", "-", "-d", "1", "1w", "1y", "1.5d", "1d1d", "1h1d", "1d-1h", "1d+1h", "1 d", " 1d", "1d ", "1D", "1e3s", "50001d", "-50001d", "1200001h", "99999999999999999999d", "٣d",
	} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%q was read as %v", text, got)
		}
	}
}

func TestADurationIsReadBackFromItsText(t *testing.T) {
	for _, want := range []Duration{1, day, -day, 36 * Duration(time.Hour), -36 * Duration(time.Hour), sixMonths, twelveMonths, thirteenMonths, day + 1, maxDays * day} {
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

func TestADurationInJSONIsATextOrNanoseconds(t *testing.T) {
	for text, want := range map[string]Duration{`"183d"`: sixMonths, `1000`: 1000, `86400000000000`: day, `null`: 7} {
		got := Duration(7) // null leaves what is there
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
			t.Errorf("%s was read as %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{`""`, `"183"`, `1.5`, `true`, `[]`, `{}`, `0`, `"0s"`} {
		var got Duration // the policy's own check refuses it, where it knows the field's path
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != noDuration {
			t.Errorf("%s was read as %v, %v", text, got, err)
		}
	}
}
