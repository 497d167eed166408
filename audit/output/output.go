// Package output writes an audit down: as JSON, as a page for people, as tables, as HAR files, and as
// the inspection.json of the Website Evidence Collector. It needs no browser, and holds no value of a
// cookie. Names, addresses and titles come from strangers: every format escapes them.
package output

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cookie-policy/caddy-cookie-policy/audit"
)

// Formats are the formats that can be asked for besides JSON, which is always written.
var Formats = []string{"html", "csv", "md", "har", "wec"}

// Directory is where an audit is written.
type Directory struct {
	path    string
	formats []string
	version string
	written []string // names of files
}

// Create makes a directory for an audit. One that exists and is not empty is an error, unless it is to
// be overwritten: then the files of an earlier audit are removed, and others stay.
func Create(path string, formats []string, overwrite bool, version string) (*Directory, error) {
	for _, format := range formats {
		if format != "json" && !slices.Contains(Formats, format) {
			return nil, fmt.Errorf("format %q: want json, %s", format, strings.Join(Formats, ", "))
		}
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	d := &Directory{path: path, formats: formats, version: version}
	if len(entries) == 0 {
		return d, nil
	}
	if !overwrite {
		return nil, fmt.Errorf("%s is not empty; to replace the audit in it, use --overwrite", path)
	}
	return d, d.removeEarlier()
}

// removeEarlier removes the files that the list of an earlier audit names.
func (d *Directory) removeEarlier() error {
	sums, err := os.ReadFile(filepath.Join(d.path, sumsName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	names := []string{sumsName}
	for line := range strings.Lines(string(sums)) {
		if _, name, found := strings.Cut(strings.TrimRight(line, "\r\n"), "  "); found && filepath.IsLocal(name) {
			names = append(names, name)
		}
	}
	for _, name := range names {
		if err := os.Remove(filepath.Join(d.path, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (d *Directory) has(format string) bool { return slices.Contains(d.formats, format) }

// HAR writes the requests of one state, if that was asked for.
func (d *Directory) HAR(s *audit.State, exchanges []audit.Exchange) error {
	if !d.has("har") {
		return nil
	}
	return d.json("requests-"+nameOf(s)+".har", har(s, exchanges, d.version))
}

// Screenshot writes a picture of a page, and returns the file's name.
func (d *Directory) Screenshot(s *audit.State, page int, png []byte) (name string, err error) {
	name = fmt.Sprintf("screenshot-%s-%d.png", nameOf(s), page+1)
	return name, d.file(name, png)
}

// nameOf returns what tells a state from others, as a part of a file's name.
func nameOf(s *audit.State) string {
	name := safe(s.State)
	if s.By != "" {
		name += "-" + safe(s.By)
	}
	return fmt.Sprintf("%s-%d", name, s.Run)
}

// safe returns a word as part of a file's name.
func safe(word string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_' {
			return r
		}
		return '-'
	}, word)
}

// Write writes all but the HAR files, and at last the list of all files with their SHA-256. It returns
// the SHA-256 of that list, which stands for all of them.
func (d *Directory) Write(r *audit.Report) (digest string, err error) {
	if err := d.json("audit.json", r); err != nil {
		return "", err
	}
	for _, f := range []struct {
		format, name string
		write        func(*audit.Report) ([]byte, error)
	}{
		{"html", "audit.en.html", func(r *audit.Report) ([]byte, error) { return HTML(r, "en") }},
		{"html", "audit.fr.html", func(r *audit.Report) ([]byte, error) { return HTML(r, "fr") }},
		{"csv", "cookies.csv", CSV},
		{"csv", "origins.csv", OriginsCSV},
		{"md", "audit.md", Markdown},
		{"wec", filepath.Join("wec", "inspection.json"), WEC},
	} {
		if !d.has(f.format) {
			continue
		}
		b, err := f.write(r)
		if err != nil {
			return "", fmt.Errorf("%s: %w", f.name, err)
		}
		if err := d.file(f.name, b); err != nil {
			return "", err
		}
	}
	return d.sums()
}

func (d *Directory) json(name string, v any) error {
	b, err := JSON(v)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return d.file(name, b)
}

// JSON returns v as an indented document.
func JSON(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetIndent("", "\t")
	err := encoder.Encode(v)
	return b.Bytes(), err
}

func (d *Directory) file(name string, content []byte) error {
	path := filepath.Join(d.path, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return err
	}
	d.written = append(d.written, name)
	return nil
}

// sumsName is the file that is written last. `sha256sum -c` reads it.
const sumsName = "SHA256SUMS"

func (d *Directory) sums() (digest string, err error) {
	var list strings.Builder
	slices.Sort(d.written)
	for _, name := range d.written {
		content, err := os.ReadFile(filepath.Join(d.path, name))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&list, "%s  %s\n", sum(content), filepath.ToSlash(name))
	}
	if err := os.WriteFile(filepath.Join(d.path, sumsName), []byte(list.String()), 0o600); err != nil {
		return "", err
	}
	return sum([]byte(list.String())), nil
}

func sum(content []byte) string {
	s := sha256.Sum256(content)
	return hex.EncodeToString(s[:])
}
