package languages

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/feature/plural"
)

// texts returns all texts of a language's file by their path, without those of plural forms.
func texts(f file) map[string]string {
	f.Tag, f.Name, f.AsInEnglish = "", "", nil
	all := map[string]string{}
	flatten(reflect.ValueOf(f), "", all)
	delete(all, "tag")
	delete(all, "name")
	return all
}

func flatten(v reflect.Value, path string, all map[string]string) {
	under := func(name string) string { return strings.TrimPrefix(path+"."+name, ".") }
	if _, ok := v.Interface().(unit); ok {
		return
	}
	switch v.Kind() {
	case reflect.String:
		all[path] = v.String()
	case reflect.Slice:
		for i := range v.Len() {
			flatten(v.Index(i), under(fmt.Sprint(i)), all)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			flatten(v.MapIndex(key), under(key.String()), all)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			flatten(v.Field(i), under(v.Type().Field(i).Tag.Get("json")), all)
		}
	default:
		panic("texts of an unknown kind at " + path)
	}
}

func english(t *testing.T) *Language {
	t.Helper()
	l, ok := ByTag("en")
	if !ok {
		t.Fatal("there is no English")
	}
	return l
}

// Each file is named after its tag, and English comes first.
func TestAll(t *testing.T) {
	entries, err := files.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, entry := range entries {
		if tag := strings.TrimSuffix(entry.Name(), ".json"); tag != "en" {
			want = append(want, tag)
		}
	}
	names := map[string]bool{}
	for _, l := range All() {
		got = append(got, l.Tag)
		if l.Tag != l.tag.String() {
			t.Errorf("the tag %s is written %s", l.Tag, l.tag)
		}
		if l.Name == "" || names[l.Name] {
			t.Errorf("%s: the name %q is empty, or that of another language too", l.Tag, l.Name)
		}
		names[l.Name] = true
	}
	if want = append([]string{"en"}, want...); !slices.Equal(got, want) {
		t.Errorf("the languages are %q, want %q", got, want)
	}
	for _, tag := range []string{"en", "fr", "de", "es", "it", "nl", "pt"} {
		if _, ok := ByTag(tag); !ok {
			t.Errorf("%s is missing", tag)
		}
	}
	All()[0] = nil
	if All()[0] == nil {
		t.Error("the list is not the caller's own")
	}
	if l, ok := ByTag("EN"); ok {
		t.Errorf("EN is the tag of %v", l)
	}
}

// A language has every text that English has, and no other.
func TestTextsComplete(t *testing.T) {
	want := texts(english(t).file)
	if len(want) < 100 {
		t.Fatalf("only %d texts were found", len(want))
	}
	for _, l := range All() {
		got := texts(l.file)
		for path := range want {
			if got[path] == "" {
				t.Errorf("%s.json: %s is missing or empty", l.Tag, path)
			}
		}
		for path := range got {
			if _, ok := want[path]; !ok {
				t.Errorf("%s.json: %s is not in en.json", l.Tag, path)
			}
		}
		if n := len(l.file.Dates.Months); n != 12 {
			t.Errorf("%s.json: there are %d months", l.Tag, n)
		}
	}
}

var placeholder = regexp.MustCompile(`\{[^{}]*\}`)

func placeholders(text string) []string {
	found := placeholder.FindAllString(text, -1)
	slices.Sort(found)
	return slices.Compact(found)
}

// A text has the placeholders of the English one, and no lone brace.
func TestTextsPlaceholders(t *testing.T) {
	want := texts(english(t).file)
	for _, l := range All() {
		for path, text := range texts(l.file) {
			if got := placeholders(text); !slices.Equal(got, placeholders(want[path])) {
				t.Errorf("%s.json: %s has %q, want %q", l.Tag, path, got, placeholders(want[path]))
			}
			if strings.ContainsAny(placeholder.ReplaceAllString(text, ""), "{}") {
				t.Errorf("%s.json: %s has a brace on its own: %q", l.Tag, path, text)
			}
		}
	}
}

// A text differs from the English one, except for those that the file names.
func TestTextsAsInEnglish(t *testing.T) {
	want := texts(english(t).file)
	for _, l := range All()[1:] {
		var same []string
		for path, text := range texts(l.file) {
			if text == want[path] {
				same = append(same, path)
			}
		}
		slices.Sort(same)
		named := slices.Sorted(slices.Values(l.file.AsInEnglish))
		if !slices.Equal(same, named) {
			t.Errorf("%s.json: the same as in English are\n%q, and as_in_english has\n%q", l.Tag, same, named)
		}
	}
	if e := english(t).file.AsInEnglish; e != nil {
		t.Errorf("en.json names %q as the same as in English", e)
	}
}

// Quotation marks, apostrophes and spaces are those of print, and there is no markup.
func TestTextsTypography(t *testing.T) {
	faults := regexp.MustCompile(`["'<>&]|  |\.\.\.|^\s|\s$`)
	french := regexp.MustCompile(`[^\x{a0}](:|»)|[^\x{202f}][;?!]|«[^\x{a0}]`)
	for _, l := range All() {
		for path, text := range texts(l.file) {
			if path == "durations.separator" {
				continue
			}
			if fault := faults.FindString(text); fault != "" {
				t.Errorf("%s.json: %s has %q: %s", l.Tag, path, fault, text)
			}
			if fault := french.FindString(text); l.Tag == "fr" && fault != "" {
				t.Errorf("fr.json: %s has %q: %s", path, fault, text)
			}
		}
	}
}

// A unit has a text for each plural form that its language has, with the number.
func TestUnitsForms(t *testing.T) {
	for _, l := range All() {
		forms := map[string]bool{"other": true}
		for n := range 1000 {
			forms[formNames[plural.Cardinal.MatchPlural(l.tag, n, 0, 0, 0, 0)]] = true
		}
		want := slices.Sorted(maps.Keys(forms))
		d := l.file.Durations
		for name, u := range map[string]unit{
			"second": d.Second, "minute": d.Minute, "hour": d.Hour, "day": d.Day, "month": d.Month,
			"year": d.Year,
		} {
			if got := slices.Sorted(maps.Keys(u)); !slices.Equal(got, want) {
				t.Errorf("%s.json: durations.%s has the forms %q, want %q", l.Tag, name, got, want)
			}
			for form, text := range u {
				if strings.Count(string(text), "{n}") != 1 || len(placeholders(string(text))) != 1 {
					t.Errorf("%s.json: durations.%s.%s is %q, without one {n}", l.Tag, name, form, text)
				}
			}
		}
	}
}

// Texts between which a visitor chooses are not the same.
func TestTextsDistinct(t *testing.T) {
	for _, l := range All() {
		f, c, p := l.Page.Form, l.Page.Choices, l.Page
		for name, group := range map[string][]Text{
			"answers": {f.Accept, f.Refuse, f.Object, f.NotObject},
			"buttons": {f.Save, f.RefuseAll, f.AcceptAll},
			"states":  {c.Granted, c.Refused, c.Undecided, c.Active, c.Objected},
			"titles":  {p.Saved.Title, p.Saved.NotKeptTitle, p.Errors.Title, "{title}"},
			"kinds": {p.Kinds.Necessary.Name, p.Kinds.Statistical.Name, p.Kinds.FirstParty.Name,
				p.Kinds.ThirdParty.Name},
			"unlisted": {p.Policy.UnlistedBlock, p.Policy.UnlistedPass},
			"lives":    {p.Cookies.NotStated, p.Cookies.Session, p.Cookies.AtMost},
		} {
			slices.Sort(group)
			if n := len(slices.Compact(slices.Clone(group))); n != len(group) {
				t.Errorf("%s.json: the %s %q are not distinct", l.Tag, name, group)
			}
		}
	}
}

// A month's name is not that of another month.
func TestMonths(t *testing.T) {
	for _, l := range All() {
		names := slices.Sorted(slices.Values(l.file.Dates.Months))
		if len(slices.Compact(names)) != 12 {
			t.Errorf("%s.json: the months are %q", l.Tag, l.file.Dates.Months)
		}
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`{"tag": "pl", "page": {"title": "x"}}`, ""},
		{`{"tag": "pl", "page": {"titel": "x"}}`, `unknown field "titel"`},
		{`{"tag": "pl", "tags": "x"}`, `unknown field "tags"`},
		{`{"tag": "not a tag"}`, `tag "not a tag"`},
		{`{"tag": 1}`, "cannot unmarshal number"},
		{``, "EOF"},
	} {
		_, err := parse([]byte(c.text))
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: the error is %v, want %q", c.text, err, c.want)
		}
	}
}

func TestKindsOf(t *testing.T) {
	k := english(t).Page.Kinds
	for category, want := range map[string]Kind{
		"necessary": k.Necessary, "statistical": k.Statistical, "first_party": k.FirstParty,
		"third_party": k.ThirdParty,
	} {
		if got, err := k.Of(category); err != nil || got != want || got.Name == "" {
			t.Errorf("%s is %v, %v", category, got, err)
		}
	}
	if _, err := k.Of("other"); err == nil {
		t.Error("there is a kind for no category")
	}
}
