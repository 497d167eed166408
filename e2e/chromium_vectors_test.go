package e2e

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "record what Chromium does in "+
	"enforcer/internal/wire/testdata, where the tests of that package read it, and in testdata")

// raw turns characters into the bytes that they stand for.
func raw(s string) string {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xff {
			panic(fmt.Sprintf("%q: each character stands for a byte", s))
		}
		b = append(b, byte(r))
	}
	return string(b)
}

// written is the reverse of raw.
func written(s string) string {
	runes := make([]rune, len(s))
	for i := range len(s) {
		runes[i] = rune(s[i])
	}
	return string(runes)
}

func readVectors[V any](t *testing.T, file string) (vectors []V) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for n, line := range bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n")) {
		decoder := json.NewDecoder(bytes.NewReader(line))
		decoder.DisallowUnknownFields()
		var v V
		if err := decoder.Decode(&v); err != nil {
			t.Fatalf("%s:%d: %v", file, n+1, err)
		}
		vectors = append(vectors, v)
	}
	return vectors
}

// writeVectors writes them in ASCII alone, so that no tool and no reader mistakes a byte.
func writeVectors[V any](t *testing.T, file string, vectors []V) {
	t.Helper()
	var b bytes.Buffer
	for _, v := range vectors {
		var line bytes.Buffer
		encoder := json.NewEncoder(&line)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(v); err != nil {
			t.Fatal(err)
		}
		for _, r := range line.String() {
			if r < 0x7f {
				b.WriteRune(r)
			} else if r < 0x10000 {
				fmt.Fprintf(&b, `\u%04x`, r)
			} else {
				r -= 0x10000
				fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
			}
		}
	}
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
