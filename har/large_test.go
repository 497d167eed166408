package har

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
)

// largeEntry is an entry in the shape of Chromium's whose bodies have n times 48 bytes, one in base64,
// one with many escapes.
func largeEntry(i, n int) io.Reader {
	return io.MultiReader(
		strings.NewReader(fmt.Sprintf(`{
        "_initiator": {"type": "script", "stack": {"callFrames": [{"url": "https://portal.example.org/a.js"}]}},
        "_resourceType": "xhr", "pageref": "page_1", "startedDateTime": "2026-05-04T09:00:%02d.100Z",
        "request": {"method": "POST", "url": "https://portal.example.org/api/%d", "httpVersion": "h2",
          "headers": [{"name": ":authority", "value": "portal.example.org"},
            {"name": "accept-language", "value": "fr"}, {"name": "cookie", "value": "sessionid=a1"}],
          "cookies": [{"name": "sessionid", "value": "a1"}], "postData": {"text": "`, i%60, i)),
		newRepeat(`{\"lorem\":\"ipsum dolor sit\",\"amet\":\"\u00e9\"}`, n/4),
		strings.NewReader(`"}}, "response": {"status": 200, "httpVersion": "h2",
          "headers": [{"name": "content-type", "value": "image/png"},
            {"name": "set-cookie", "value": "csrftoken=b2; Path=/; Secure"}],
          "content": {"mimeType": "image/png", "encoding": "base64", "text": "`),
		newRepeat(`iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAA`, n),
		strings.NewReader(`"}}, "cache": {}, "timings": {"send": 0.25, "wait": -1}}`),
	)
}

// large is a file of some entries, and its size is about entries times 60 n bytes.
func large(entries, n int) io.Reader {
	readers := []io.Reader{strings.NewReader(`{"log": {"version": "1.2", "entries": [`)}
	for i := range entries {
		if i > 0 {
			readers = append(readers, strings.NewReader(",\n"))
		}
		readers = append(readers, largeEntry(i, n))
	}
	return io.MultiReader(append(readers, strings.NewReader("]}}"))...)
}

type counter struct {
	io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}

// All that is allocated while a file of 100 MB is read is less than 2 MB, whatever the garbage
// collector does, and as much as for the same entries without bodies.
func TestReadLarge(t *testing.T) {
	allocated := func(entries, n int) (bytes uint64, size int64) {
		file := &counter{Reader: large(entries, n)}
		var before, after runtime.MemStats
		visits := 0
		runtime.ReadMemStats(&before)
		summary, err := Read(file, func(e *Entry) error {
			visits++
			if e.Request.Cookies != FromHeader || e.Response.Cookies != FromHeader {
				t.Errorf("entry %d lacks cookies", e.Index)
			}
			return nil
		})
		runtime.ReadMemStats(&after)
		if err != nil || summary.Entries != entries || visits != entries {
			t.Fatalf("%d visits, %+v, %v", visits, summary, err)
		}
		return after.TotalAlloc - before.TotalAlloc, file.n
	}
	without, _ := allocated(100, 0)
	with, size := allocated(100, 17_000)
	if size < 100e6 {
		t.Errorf("the file has %d bytes only", size)
	}
	if with > 2e6 || with > without+200_000 {
		t.Errorf("%d bytes were allocated for a file of %d bytes, %d without bodies", with, size, without)
	}
}

// Skipping a value allocates nothing, whatever its size.
func TestReadSkipsWithoutAllocating(t *testing.T) {
	text := strings.Repeat(`"\u00e9\n`+strings.Repeat("x", 1000)+`",[1.5e3,{"a":null,"b":[true,false]}],`, 500)
	text = "[" + text + "0]"
	r := strings.NewReader(text)
	s := newScanner(r)
	allocations := testing.AllocsPerRun(10, func() {
		r.Reset(text)
		*s = scanner{r: r, buf: s.buf, scratch: s.scratch}
		s.skip()
		if s.err != nil || s.pos != s.end {
			t.Error(s.err)
		}
	})
	if allocations > 0 {
		t.Errorf("%g allocations", allocations)
	}
}

// What stands for itself ends at each byte that does not, wherever that is.
func TestReadPlain(t *testing.T) {
	for c := range 256 {
		for at := range 20 {
			text := []byte(strings.Repeat("\x80 \u00ff~!", 4))
			text[at] = byte(c)
			want := len(text)
			if c < ' ' || c == '"' || c == '\\' {
				want = at
			}
			if got := plain(text); got != want {
				t.Errorf("%q: %d, want %d", text, got, want)
			}
		}
	}
}

func BenchmarkRead(b *testing.B) {
	for _, c := range []struct {
		name       string
		entries, n int
	}{{"headers", 1000, 0}, {"bodies", 20, 17_000}} {
		b.Run(c.name, func(b *testing.B) {
			size, err := io.Copy(io.Discard, large(c.entries, c.n))
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Read(large(c.entries, c.n), func(*Entry) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
