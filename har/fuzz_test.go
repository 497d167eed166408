package har

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

// FuzzRead compares what is kept of a file with what encoding/json reads in it, and what is skipped
// with what encoding/json takes for JSON.
func FuzzRead(f *testing.F) {
	files, err := filepath.Glob("testdata/*.har")
	if err != nil || len(files) == 0 {
		f.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	for _, text := range []string{
		entries(`,"response":{"cookies":[{"name":"a","value":"\ud83d\ude00\ud83d","partitionKey":{}}]}`),
		entries(`,"request":{}`, `,"startedDateTime":"2026-05-04T11:00:00+02:00","_fetchType":"Disk Cache"`),
		"\ufeff" + one(`,"headers":[{"name":"cookie","value":"[redacted]"}]`, `,"status":null,"x":[-0.5e+7]`),
		`{"log":{"pages":[{"id":"1","title":"http://a.test/"},null],"entries":[]}}`,
		"[\"\xff\",\"\\u00e9\\/\"]", "-1.5E-3", "[[[[]]]]", `"\ud800\u0041"`, "\xff\xfe[\x00]\x00",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		skips(t, text)

		got := newFile(bytes.NewReader(text))
		err := got.read()
		slow := newFile(iotest.HalfReader(bytes.NewReader(text)))
		if slowErr := slow.read(); !reflect.DeepEqual(err, slowErr) {
			t.Errorf("%v, but %v from a slow reader", err, slowErr)
		}
		if e := (*Error)(nil); err != nil {
			if !errors.As(err, &e) || e.Line < 1 || e.Column < 1 || e.Offset < 0 ||
				e.Offset > int64(len(text)) || e.Problem == "" {
				t.Errorf("%#v", err)
			}
			return
		}
		if want := oracle(t, text); !reflect.DeepEqual(kept(got), want) {
			t.Errorf("read\n%v\nwant\n%v", kept(got), want)
		}
		last := -1
		var previous *Entry
		summary, err := Read(bytes.NewReader(text), func(e *Entry) error {
			last++
			if previous != nil && !e.Start.IsZero() && e.Start.Before(previous.Start) {
				t.Errorf("entry %d comes after %d", e.Index, previous.Index)
			}
			previous = e
			for name, values := range e.Response.Header {
				if strings.ContainsAny(name+strings.Join(values, ""), "\n") {
					t.Errorf("a header of entry %d has a newline", e.Index)
				}
			}
			return nil
		})
		if err != nil || summary.Entries != last+1 {
			t.Errorf("%d entries, %+v, %v", last+1, summary, err)
		}
		summary.Warnings()
	})
}

// skips checks that what the scanner skips is JSON, and only that.
func skips(t *testing.T, text []byte) {
	s := newScanner(bytes.NewReader(text))
	s.begin()
	s.skip()
	s.finish()
	if s.err != nil && strings.Contains(s.err.Error(), "nested more than") {
		return
	}
	if valid := json.Valid(bytes.TrimPrefix(text, []byte("\ufeff"))); valid != (s.err == nil) {
		t.Errorf("encoding/json says %t, but %v", valid, s.err)
	}
}

// kept writes what is kept of a file in the shape of oracle.
func kept(f *file) (all []any) {
	for _, p := range f.summary.Pages {
		all = append(all, []any{p.ID, p.Title})
	}
	for _, e := range f.entries {
		all = append(all, []any{e.page, e.resourceType, e.method, e.url, e.status, e.redirectURL})
		for _, m := range []message{e.request, e.response} {
			all = append(all, m.httpVersion)
			for _, h := range m.fields {
				all = append(all, h)
			}
			for _, c := range m.cookies {
				all = append(all, c)
			}
		}
	}
	return all
}

// oracle reads with encoding/json what Read keeps.
func oracle(t *testing.T, text []byte) (all []any) {
	var root any
	d := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(text, []byte("\ufeff"))))
	d.UseNumber()
	if err := d.Decode(&root); err != nil {
		t.Fatalf("encoding/json cannot read it: %v", err)
	}
	if _, err := d.Token(); err != io.EOF {
		t.Fatalf("encoding/json finds more behind it: %v", err)
	}
	object := func(v any) map[string]any { m, _ := v.(map[string]any); return m }
	array := func(v any) []any { a, _ := v.([]any); return a }
	text1 := func(v any) string { s, _ := v.(string); return s }
	flag := func(v any) bool { b, _ := v.(bool); return b }
	url := func(v any) string {
		s := text1(v)
		if len(s) > maxDataURL && strings.EqualFold(s[:5], "data:") {
			return strings.ToValidUTF8(s[:maxDataURL], "")
		}
		return s
	}
	log := object(object(root)["log"])
	for _, p := range array(log["pages"]) {
		title := text1(object(p)["title"])
		if len(title) > maxTitle {
			title = strings.TrimRight(strings.ToValidUTF8(title[:maxTitle], "\ufffd"), "\ufffd")
		}
		all = append(all, []any{text1(object(p)["id"]), title})
	}
	for _, e := range array(log["entries"]) {
		e := object(e)
		request, response := object(e["request"]), object(e["response"])
		number, _ := response["status"].(json.Number)
		status, _ := number.Int64()
		all = append(all, []any{text1(e["pageref"]), text1(e["_resourceType"]), text1(request["method"]),
			url(request["url"]), max(int(status), 0), url(response["redirectURL"])})
		for i, m := range []map[string]any{request, response} {
			all = append(all, text1(m["httpVersion"]))
			known := false
			for _, h := range array(m["headers"]) {
				h := field{text1(object(h)["name"]), text1(object(h)["value"])}
				all = append(all, h)
				known = known || strings.EqualFold(h.name, []string{"cookie", "set-cookie"}[i]) &&
					!replacedField(h.value)
			}
			if known {
				continue
			}
			for _, c := range array(m["cookies"]) {
				c := object(c)
				all = append(all, cookie{name: text1(c["name"]), value: text1(c["value"]),
					path: text1(c["path"]), domain: text1(c["domain"]), expires: text1(c["expires"]),
					sameSite: text1(c["sameSite"]), httpOnly: flag(c["httpOnly"]), secure: flag(c["secure"]),
					partitioned: c["partitionKey"] != nil})
			}
		}
	}
	return all
}
