package languages

import (
	"strings"
	"testing"
	"time"
)

func TestDuration(t *testing.T) {
	const nbsp = "\u00a0"
	for _, c := range []struct {
		d    time.Duration
		want map[string]string
	}{
		{183 * day, map[string]string{
			"en": "6 months", "fr": "6" + nbsp + "mois", "de": "6 Monate", "es": "6 meses", "it": "6 mesi",
			"nl": "6 maanden", "pt": "6 meses",
		}},
		{365 * day, map[string]string{"en": "12 months", "de": "12 Monate"}},
		{395 * day, map[string]string{"en": "13 months", "fr": "13" + nbsp + "mois"}},
		{182 * day, map[string]string{"en": "182 days", "de": "182 Tage", "nl": "182 dagen"}},
		{400 * day, map[string]string{"en": "400 days", "pt": "400 dias"}},
		{730 * day, map[string]string{
			"en": "2 years", "fr": "2" + nbsp + "ans", "de": "2 Jahre", "es": "2 años", "it": "2 anni",
			"nl": "2 jaar", "pt": "2 anos",
		}},
		{731 * day, map[string]string{"en": "731 days"}},
		{day, map[string]string{
			"en": "1 day", "fr": "1" + nbsp + "jour", "de": "1 Tag", "es": "1 día", "it": "1 giorno",
			"nl": "1 dag", "pt": "1 dia",
		}},
		{14 * day, map[string]string{"en": "14 days", "de": "14 Tage", "it": "14 giorni"}},
		{day + 12*time.Hour, map[string]string{"en": "1 day, 12 hours", "nl": "1 dag, 12 uur"}},
		{24*time.Hour - time.Second, map[string]string{"en": "23 hours, 59 minutes, 59 seconds"}},
		{time.Hour, map[string]string{"en": "1 hour", "es": "1 hora"}},
		{30 * time.Minute, map[string]string{"en": "30 minutes", "it": "30 minuti"}},
		{time.Second, map[string]string{"en": "1 second", "pt": "1 segundo"}},
		{1500 * time.Millisecond, map[string]string{"en": "2 seconds"}},
		{1, map[string]string{"en": "1 second"}},
		// Zero is one in French and Portuguese (CLDR, plural rules), and other elsewhere.
		{0, map[string]string{"en": "0 seconds", "fr": "0" + nbsp + "seconde", "pt": "0 segundo", "es": "0 segundos"}},
		{-day, map[string]string{"en": "0 seconds"}},
		{1<<63 - 1, map[string]string{"en": "106751 days, 23 hours, 47 minutes, 17 seconds"}},
	} {
		for tag, want := range c.want {
			l, _ := ByTag(tag)
			if got := l.Duration(c.d); got != want {
				t.Errorf("%s: %s is %q, want %q", tag, c.d, got, want)
			}
		}
	}
}

// A language with other plural forms needs no code.
func TestDurationForms(t *testing.T) {
	polish, err := parse([]byte(`{"tag": "pl", "durations": {"day": {
		"one": "{n} dzień", "few": "{n} dni", "many": "{n} dni.", "other": "{n} dnia"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for days, want := range map[int]string{1: "1 dzień", 3: "3 dni", 14: "14 dni.", 22: "22 dni"} {
		if got := polish.Duration(time.Duration(days) * day); got != want {
			t.Errorf("%d days are %q, want %q", days, got, want)
		}
	}
}

func TestDate(t *testing.T) {
	november := time.Date(2026, time.November, 26, 23, 30, 0, 0, time.UTC)
	first := time.Date(2027, time.March, 1, 0, 0, 0, 0, time.UTC)
	for tag, want := range map[string][2]string{
		"en": {"26 November 2026", "1 March 2027"},
		"fr": {"26 novembre 2026", "1er mars 2027"},
		"de": {"26. November 2026", "1. März 2027"},
		"es": {"26 de noviembre de 2026", "1 de marzo de 2027"},
		"it": {"26 novembre 2026", "1º marzo 2027"},
		"nl": {"26 november 2026", "1 maart 2027"},
		"pt": {"26 de novembro de 2026", "1 de março de 2027"},
	} {
		l, _ := ByTag(tag)
		if got := [2]string{l.Date(november), l.Date(first)}; got != want {
			t.Errorf("%s: the dates are %q, want %q", tag, got, want)
		}
	}
	paris := time.FixedZone("", 3600)
	if got := english(t).Date(november.In(paris)); got != "27 November 2026" {
		t.Errorf("in its own zone the day is %q", got)
	}
}

func TestMatcher(t *testing.T) {
	long := strings.Repeat("x1-", 80)
	for _, c := range []struct {
		name   string
		among  string // tags; empty: all
		wishes []string
		want   string
	}{
		{"no wish", "", nil, "en"},
		{"no wish, among some", "fr en", nil, "fr"},
		{"empty wishes", "fr en", []string{"", " ", ","}, "fr"},
		{"a tag", "", []string{"de"}, "de"},
		{"upper case", "", []string{"DE"}, "de"},
		{"a region", "", []string{"fr-CA"}, "fr"},
		{"Django's way", "", []string{"pt-br"}, "pt"},
		{"an underscore", "", []string{"nl_BE"}, "nl"},
		{"weights", "", []string{"en;q=0.5, it;q=0.9, nl;q=0.7"}, "it"},
		{"a weight of zero", "de en", []string{"de;q=0, en;q=0.1"}, "en"},
		{"the first unknown", "", []string{"ja, es;q=0.8"}, "es"},
		{"all unknown", "fr en", []string{"ja"}, "fr"},
		{"any", "fr en", []string{"*"}, "fr"},
		{"the first wish wins", "", []string{"nl", "fr"}, "nl"},
		{"an unknown wish is passed over", "", []string{"ja", "fr"}, "fr"},
		{"a malformed wish is passed over", "", []string{"<script>", "fr"}, "fr"},
		{"a malformed element", "", []string{"a_very_long_subtag!, it"}, "it"},
		{"a malformed weight", "", []string{"de;q=high, it"}, "it"},
		{"only what is offered", "fr en", []string{"de, en;q=0.1"}, "en"},
		{"a close language", "fr de", []string{"gsw"}, "de"},
		{"cut at an element", "", []string{"fr," + long}, "fr"},
		{"one element, too long", "", []string{long + ",fr"}, "en"},
		{"a megabyte", "", []string{"it," + strings.Repeat("en-a-bcd-", 1<<17)}, "it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var among []*Language
			for _, tag := range strings.Fields(c.among) {
				l, ok := ByTag(tag)
				if !ok {
					t.Fatal(tag)
				}
				among = append(among, l)
			}
			if got := NewMatcher(among...).Match(c.wishes...); got.Tag != c.want {
				t.Errorf("%.60q gives %s, want %s", c.wishes, got.Tag, c.want)
			}
		})
	}
}

func FuzzMatcher(f *testing.F) {
	f.Add("fr-CA, en;q=0.8")
	f.Add("a,,;q=,*;q=0")
	m := NewMatcher()
	f.Fuzz(func(t *testing.T, wish string) {
		if m.Match(wish) == nil {
			t.Error("no language")
		}
	})
}

func TestTextWith(t *testing.T) {
	for _, c := range []struct {
		text  Text
		pairs []string
		want  string
		err   string
	}{
		{"plain", nil, "plain", ""},
		{"for {host}.", []string{"host", "data.city.example"}, "for data.city.example.", ""},
		{"{a}{b}{a}", []string{"a", "1", "b", "2"}, "121", ""},
		{"{a} and {b}", []string{"a", "{b}", "b", "{a}"}, "{b} and {a}", ""},
		{"{a}", []string{"a", ""}, "", ""},
		{"{a}", nil, "", "no value for {a}"},
		{"{a}", []string{"b", "1"}, "", "no value for {a}"},
		{"{a}", []string{"a", "1", "b", "2"}, "", "there is no {b}"},
		{"{a}", []string{"a"}, "", "1 arguments"},
		{"{a", []string{"a", "1"}, "", "has no end"},
	} {
		got, err := c.text.With(c.pairs...)
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%q with %q is %q, %v; want %q, %q", c.text, c.pairs, got, err, c.want, c.err)
		}
	}
}

func TestLookups(t *testing.T) {
	for _, l := range All() {
		for id, want := range l.file.Presets {
			if got, ok := l.Preset(id); !ok || got != want {
				t.Errorf("%s: %s is %v", l.Tag, id, got)
			}
		}
		if _, ok := l.Preset("none"); ok {
			t.Errorf("%s has texts for no preset", l.Tag)
		}
		if _, ok := l.Key("none"); ok {
			t.Errorf("%s has texts for no key", l.Tag)
		}
	}
}
