package portaltest

import (
	"slices"
	"testing"
)

func TestParseArchive(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []archiveFile
	}{
		"files": {"comment\n-- a --\nx\ny\n-- b c --\n-- d --\nz",
			[]archiveFile{{"a", "x\ny\n"}, {"b c", ""}, {"d", "z"}}},
		"no file": {"comment\n", nil},
		"a line like a file's": {"-- a --\n--b --\n-- c--\n--  --\n -- d --\n",
			[]archiveFile{{"a", "--b --\n-- c--\n--  --\n -- d --\n"}}},
		"lines that end in CR":  {"-- a --\r\nx\r\n", []archiveFile{{"a", "x\r\n"}}},
		"blanks around a name ": {"--  a  --\nx\n", []archiveFile{{"a", "x\n"}}},
	} {
		if got := parseArchive(c.text); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestParseCases(t *testing.T) {
	cases := parseCases(t, "-- a --\n# send: WORD=1\n# send: \"b\\xff \"\n# empty:\nfirst WORD\n"+
		"# no note: x\n-- b --\nsecond\n",
		"WORD", "word")
	if len(cases) != 2 || cases[0].Name != "a" || cases[0].Caddyfile != "first word\n# no note: x\n" ||
		cases[1].Caddyfile != "second\n" || cases[1].Notes("send") != nil {
		t.Errorf("got %+v", cases)
	}
	if got := cases[0].Notes("send"); !slices.Equal(got, []string{"word=1", "b\xff "}) {
		t.Errorf("got %q", got)
	}
	if got := cases[0].Notes("empty"); !slices.Equal(got, []string{""}) || cases[0].Note("empty") != "" {
		t.Errorf("got %q", got)
	}
}
