package portaltest

import (
	"slices"
	"testing"
)

func TestParseArchive(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []File
	}{
		"files": {"comment\n-- a --\nx\ny\n-- b c --\n-- d --\nz",
			[]File{{"a", "x\ny\n"}, {"b c", ""}, {"d", "z"}}},
		"no file": {"comment\n", nil},
		"a line like a file's": {"-- a --\n--b --\n-- c--\n--  --\n -- d --\n",
			[]File{{"a", "--b --\n-- c--\n--  --\n -- d --\n"}}},
		"lines that end in CR":  {"-- a --\r\nx\r\n", []File{{"a", "x\r\n"}}},
		"blanks around a name ": {"--  a  --\nx\n", []File{{"a", "x\n"}}},
	} {
		if got := ParseArchive(c.text); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
