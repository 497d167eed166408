package wire

import (
	"iter"
	"slices"
	"strings"
	"testing"
)

func TestPairs(t *testing.T) {
	type pair struct{ name, value string }
	for _, c := range []struct {
		what  string
		lines []string
		want  []pair
	}{
		{"no line", nil, nil},
		{"empty line", []string{""}, nil},
		{"two pairs", []string{"a=b; c=d"}, []pair{{"a", "b"}, {"c", "d"}}},
		{"no blanks, semicolon at the end", []string{"a=b;c=d;"}, []pair{{"a", "b"}, {"c", "d"}}},
		{"blanks", []string{"\ta\t=\tb c\t;  "}, []pair{{"a", "b c"}}},
		{"other blanks belong to the name", []string{"\u00a0c=d"}, []pair{{"\u00a0c", "d"}}},
		{"empty pairs", []string{";; ;\t;a=b"}, []pair{{"a", "b"}}},
		{"no equals sign", []string{"a; b=c"}, []pair{{"", "a"}, {"b", "c"}}},
		{"nothing before the equals sign", []string{"=b; ="}, []pair{{"", "b"}, {"", ""}}},
		{"nothing after it", []string{"a="}, []pair{{"a", ""}}},
		{"two equals signs", []string{"a==b=c"}, []pair{{"a", "=b=c"}}},
		{"quotes mean nothing", []string{`a="b; c"`}, []pair{{"a", `"b`}, {"", `c"`}}},
		{"a name twice", []string{"a=1; a=2"}, []pair{{"a", "1"}, {"a", "2"}}},
		{"several lines", []string{"a=b", "", "c=d;e"}, []pair{{"a", "b"}, {"c", "d"}, {"", "e"}}},
		{"bytes of any kind", []string{"\x00\xff=\xfe"}, []pair{{"\x00\xff", "\xfe"}}},
	} {
		t.Run(c.what, func(t *testing.T) {
			var got []pair
			for name, value := range Pairs(c.lines) {
				got = append(got, pair{name, value})
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%q was read as %q, want %q", c.lines, got, c.want)
			}
			for name, value := range Pairs(c.lines) { // and no more after a break
				if first := (pair{name, value}); first != c.want[0] {
					t.Errorf("the first pair is %q", first)
				}
				break
			}
		})
	}
}

func TestCountPairs(t *testing.T) {
	lines := []string{"a=1; b=2;a = 3", "A=4; a; =a", "a=; \u00a0a=5"}
	for name, want := range map[string]int{"a": 3, "b": 1, "A": 1, "c": 0, "": 2} {
		if got := CountPairs(lines, name); got != want {
			t.Errorf("CountPairs(%q, %q) = %d, want %d", lines, name, got, want)
		}
	}
}

// filterLines filters lines one by one, without those of which nothing is left.
func filterLines(lines []string, keep func(name string) bool) (kept []string) {
	for _, line := range lines {
		if left, changed := FilterPairs(line, keep); !changed || left != "" {
			kept = append(kept, left)
		}
	}
	return kept
}

func isTracker(name string) bool { return name == "_ga" || strings.HasPrefix(name, "_pk_") }

func TestFilterPairs(t *testing.T) {
	long := "_pk_" + strings.Repeat("x", MaxPair) + "=1"
	blank := "\u00a0sessionid=1; \u00a0_ga=2"
	for _, c := range []struct {
		what  string
		lines []string
		want  []string // with the names sessionid, prefs and those that are granted
		pass  []string // with all names but trackers' and those that are granted; nil for the same
		grant []string
	}{
		{what: "none"},
		{"kept names only", []string{"sessionid=1; prefs=x"}, []string{"sessionid=1; prefs=x"}, nil, nil},
		{"the first goes", []string{"_ga=1; sessionid=2"}, []string{"sessionid=2"}, nil, nil},
		{"one between goes", []string{"prefs=x; _ga=1; sessionid=2"},
			[]string{"prefs=x; sessionid=2"}, nil, nil},
		{"the last goes", []string{"sessionid=2; _ga=1"}, []string{"sessionid=2"}, nil, nil},
		{"all go", []string{"_ga=1; _pk_id.1=2"}, nil, nil, nil},
		{"unlisted names", []string{"a=1; sessionid=2; b=3"},
			[]string{"sessionid=2"}, []string{"a=1; sessionid=2; b=3"}, nil},
		{"unlisted names among those that go", []string{"a=1; _ga=2; b=3"},
			nil, []string{"a=1; b=3"}, nil},
		{"another case is another name", []string{"SessionID=1; _GA=2"},
			nil, []string{"SessionID=1; _GA=2"}, nil},
		{"granted", []string{`prefs={"stats":true}; _ga=1; _pk_id=2`},
			[]string{`prefs={"stats":true}; _ga=1; _pk_id=2`}, nil, []string{"_ga", "_pk_id"}},
		{"refused", []string{`prefs={"stats":false}; _ga=1; _pk_id=2`},
			[]string{`prefs={"stats":false}`}, nil, nil},
		{"granted, in another line", []string{"_ga=1", `prefs={"stats":true}`},
			[]string{"_ga=1", `prefs={"stats":true}`}, nil, []string{"_ga"}},
		{"unreadable JSON", []string{`_ga=1; prefs={"stats":true; _pk_id=1`},
			[]string{`prefs={"stats":true`}, nil, nil},
		{"one granted, one not",
			[]string{"counter=1; _ga=1"}, []string{"counter=1"}, nil, []string{"counter"}},
		{"one kept, one not", []string{`_ga=1; prefs={"counts":false}`},
			[]string{`prefs={"counts":false}`}, nil, nil},

		{"a name twice", []string{"sessionid=1; _ga=2; sessionid=3; _ga=4"},
			[]string{"sessionid=1; sessionid=3"}, nil, nil},
		{"several lines", []string{"sessionid=1; _ga=2", "_ga=3", "prefs=x"},
			[]string{"sessionid=1", "prefs=x"}, nil, nil},
		{"several lines, the first unchanged", []string{"sessionid=1 ;;", " prefs=x;_ga=3"},
			[]string{"sessionid=1 ;;", " prefs=x"}, nil, nil},
		{"several lines, all go", []string{"_ga=2", "_ga=3"}, nil, nil, nil},

		{"no blanks", []string{"_ga=1;sessionid=2;_ga=3;prefs=x"}, []string{"sessionid=2;prefs=x"}, nil, nil},
		{"blanks and tabs", []string{"\t_ga = 1 ; sessionid\t=  2 \t;  prefs = x "},
			[]string{"sessionid\t=  2 \t;  prefs = x "}, nil, nil},
		{"quotes, commas, equals signs and bytes of any kind",
			[]string{"_ga=1; sessionid=\"a, _ga=b\"==\xff%20é; _ga=\"1"},
			[]string{"sessionid=\"a, _ga=b\"==\xff%20é"}, nil, nil},
		{"semicolon within quotes", []string{`sessionid="1; _ga=2; x"`}, []string{`sessionid="1`}, nil, nil},
		{"empty value", []string{"sessionid=; _ga="}, []string{"sessionid="}, nil, nil},
		{"comma before a name", []string{"sessionid=1, _ga=2"}, []string{"sessionid=1, _ga=2"}, nil, nil},
		{"name after a comma", []string{"_ga=1, sessionid=2"}, nil, nil, nil},
		{"no name", []string{"sessionid; =sessionid; =; sessionid=1"}, []string{"sessionid=1"}, nil, nil},
		{"a blank that browsers do not trim", []string{blank}, nil, []string{blank}, nil},
		{"empty pairs only", []string{"; ;"}, []string{"; ;"}, nil, nil},
		{"empty pairs before and after what goes", []string{"; ;_ga=1; ;"}, nil, nil, nil},
		{"empty pairs around what stays", []string{";;_ga=1;; sessionid=2;;"},
			[]string{";;; sessionid=2;;"}, nil, nil},
		{"a name longer than browsers store", []string{long + "; sessionid=2"},
			[]string{"sessionid=2"}, nil, nil},
	} {
		t.Run(c.what, func(t *testing.T) {
			granted := func(name string) bool { return slices.Contains(c.grant, name) }
			if c.pass == nil {
				c.pass = c.want
			}
			listed := func(name string) bool {
				return name == "sessionid" || name == "prefs" || granted(name)
			}
			if got := filterLines(c.lines, listed); !slices.Equal(got, c.want) {
				t.Errorf("got  %.200q\nwant %.200q", got, c.want)
			}
			unlisted := func(name string) bool { return name != "" && !isTracker(name) || granted(name) }
			if got := filterLines(c.lines, unlisted); !slices.Equal(got, c.pass) {
				t.Errorf("unlisted names pass: got  %.200q\nwant %.200q", got, c.pass)
			}
		})
	}
}

// TestFilterPairsChanged: a line of which nothing goes is returned as it is, without an allocation.
func TestFilterPairsChanged(t *testing.T) {
	line := " sessionid=1 ;; prefs=x;"
	all := func(string) bool { return true }
	if kept, changed := FilterPairs(line, all); kept != line || changed {
		t.Errorf("%q became %q, %t", line, kept, changed)
	}
	if n := testing.AllocsPerRun(100, func() { FilterPairs(line, all) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
	if kept, changed := FilterPairs(line, func(string) bool { return false }); kept != "" || !changed {
		t.Errorf("of %q %q is left, %t", line, kept, changed)
	}
}

// FuzzCookie gives a Cookie header, one line for each line of the text, to Pairs and FilterPairs.
// Pairs must find what splitting and trimming find. FilterPairs must keep the pairs that it is told
// to keep, byte for byte and in order.
func FuzzCookie(f *testing.F) {
	for _, text := range []string{
		"", "a=b; c=d", "a=b;c=d;", ";; a ; =b; c=; =", "\ta\t=\tb\t;\u00a0c=d", "a=b\n\nc=d;e",
		"prefs={}; prefs={\"m\":true}", "prefs", "prefs=x\nprefs=y", "a=\"b; c\"; \x00\xff=",
		"sessionid=1; _ga=2", "_ga=1;sessionid=2;;", ";; _ga=1 ;", `prefs={"stats":true}; _ga=1; x`,
		"\t_ga = 1 ;\tsessionid=2\n_ga=3\n\nprefs={}", "=sessionid; sessionid", "a=b; \xff=; _ga",
		`_ga=1; prefs={"stats":true}` + "\n" + `prefs={"stats":false}; sessionid="a; b"`,
		"\u00a0sessionid=1; sessionid\x00=2", `prefs=%7B%22stats%22%3Atrue%7D`,
	} {
		f.Add(text)
	}
	keep := func(name string) bool { return name != "" && !isTracker(name) }
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Split(text, "\n")
		next, stop := iter.Pull2(Pairs(lines))
		defer stop()
		for pair := range strings.SplitSeq(strings.Join(lines, ";"), ";") {
			if pair = trimmed(pair); pair == "" {
				continue
			}
			name, value, found := strings.Cut(pair, "=")
			if !found {
				name, value = "", pair
			}
			name, value = trimmed(name), trimmed(value)
			if gotName, gotValue, ok := next(); !ok || gotName != name || gotValue != value {
				t.Fatalf("of %q the pair %q=%q was read as %q=%q, %t",
					lines, name, value, gotName, gotValue, ok)
			}
		}
		if name, value, ok := next(); ok {
			t.Errorf("of %q one pair too many was read: %q=%q", lines, name, value)
		}
		for _, line := range lines {
			checkFilterPairs(t, line, keep)
		}
	})
}

// checkFilterPairs compares what FilterPairs keeps of a line with the pairs that it must keep.
func checkFilterPairs(t *testing.T, line string, keep func(string) bool) {
	t.Helper()
	var want []string
	lost := false
	for pair := range strings.SplitSeq(line, ";") {
		name, _, found := strings.Cut(pair, "=")
		switch {
		case trimmed(pair) == "": // may stay or go
		case found && keep(trimmed(name)):
			want = append(want, pair)
		default:
			lost = true
		}
	}
	kept, changed := FilterPairs(line, keep)
	if changed != lost || !changed && kept != line {
		t.Errorf("%q became %q, %t", line, kept, changed)
	}
	var got []string
	for pair := range strings.SplitSeq(kept, ";") {
		if trimmed(pair) != "" {
			got = append(got, pair)
		}
	}
	if len(got) > 0 && len(want) > 0 && got[0] == strings.TrimLeft(want[0], " \t") {
		got[0] = want[0] // the first of a line may lose its blanks
	}
	if !slices.Equal(got, want) {
		t.Errorf("of %q %q is left, want %q", line, got, want)
	}
	if changed && kept != "" && len(got) == 0 || len(kept) > len(line) {
		t.Errorf("%q became %q", line, kept)
	}
	if again, changed := FilterPairs(kept, keep); changed || again != kept {
		t.Errorf("%q, filtered again, is %q", kept, again)
	}
}
