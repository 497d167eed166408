package wire

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// noon is the time that the clock shows in these tests: a Thursday.
var noon = time.Date(2026, time.January, 15, 12, 0, 0, 0, time.UTC)

// clockAtNoon returns a Clock for a response with the given Date lines.
func clockAtNoon(dates ...string) *Clock {
	c := NewClock(func() time.Time { return noon }, dates)
	return &c
}

// mustParse reads a line that must be readable.
func mustParse(tb testing.TB, line string) SetCookie {
	tb.Helper()
	c, ok := ParseSetCookie(line)
	if !ok {
		tb.Fatalf("%.200q was not read", line)
	}
	return c
}

// isDeletion reports whether every browser acts on a line as a deletion, as the enforcer asks it.
func isDeletion(line string, clock *Clock) bool {
	c, ok := ParseSetCookie(line)
	if !ok || HasControl(line) || !c.Storable() {
		return false
	}
	a := c.ParseAttributes()
	return a.Deletes(clock)
}

// readVectors reads a file of testdata with a JSON value on each line.
func readVectors[V any](tb testing.TB, file string) (vectors []V) {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		tb.Fatal(err)
	}
	for n, line := range bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n")) {
		var v V
		if err := json.Unmarshal(line, &v); err != nil {
			tb.Fatalf("%s:%d: %v", file, n+1, err)
		}
		vectors = append(vectors, v)
	}
	return vectors
}

// rawBytes turns characters into the bytes that they stand for.
func rawBytes(s string) string {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		b = append(b, byte(r))
	}
	return string(b)
}

func rawLines(lines []string) (raw []string) {
	for _, line := range lines {
		raw = append(raw, rawBytes(line))
	}
	return raw
}

// trimmed removes spaces and tabs around s. It is the tests' own.
func trimmed(s string) string { return strings.Trim(s, " \t") }
