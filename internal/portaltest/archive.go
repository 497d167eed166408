package portaltest

import (
	"os"
	"strings"
	"testing"
)

// File is a file of an archive.
type File struct{ Name, Text string }

// ReadArchive reads a txtar file: a comment, and then files, each of which begins with a line `-- name --`.
func ReadArchive(t testing.TB, path string) []File {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	files := ParseArchive(string(text))
	if len(files) == 0 {
		t.Fatalf("%s has no line `-- name --`", path)
	}
	return files
}

// ParseArchive returns the files of a text in the txtar format.
func ParseArchive(text string) (files []File) {
	for line := range strings.Lines(text) {
		trimmed := strings.TrimRight(line, "\r\n")
		if strings.HasPrefix(trimmed, "-- ") && strings.HasSuffix(trimmed, " --") && len(trimmed) > len("--  --") {
			files = append(files, File{Name: strings.TrimSpace(trimmed[len("-- ") : len(trimmed)-len(" --")])})
		} else if len(files) > 0 {
			files[len(files)-1].Text += line
		}
	}
	return files
}
