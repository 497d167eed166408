// Package languages holds the texts of the cookie policy page and of the presets in each language,
// and writes durations and dates as the language does. A language is one JSON file in this
// directory; adding a file adds the language.
//
// A text may have placeholders such as {host}, which [Text.With] replaces. They are the same in all
// languages.
package languages

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"

	"golang.org/x/text/language"
)

//go:embed *.json
var files embed.FS

// Language is one language with all of its texts. It is shared and must not be changed.
type Language struct {
	// A BCP 47 tag, as in the lang attribute of HTML: "en".
	Tag string

	// The language's name in the language itself.
	Name string

	// The texts of the policy page.
	Page *Page

	file file
	tag  language.Tag
}

// file is what a language's file holds.
type file struct {
	Tag       string         `json:"tag"`
	Name      string         `json:"name"`
	Durations durations      `json:"durations"`
	Dates     dates          `json:"dates"`
	Page      Page           `json:"page"`
	Presets   map[string]Use `json:"presets"`
	Keys      map[string]Key `json:"keys"`

	// Paths of texts that are meant to be the same as in English, such as "page.errors.title".
	AsInEnglish []string `json:"as_in_english"`
}

// Use says what cookies of a preset are used for.
type Use struct {
	// The service, and where it is used.
	Function string `json:"function"`

	// What the cookies are for.
	Purpose string `json:"purpose"`
}

// Key describes a consent key: one switch of the visitor's preference.
type Key struct {
	// A short name of what is switched.
	Title string `json:"title"`

	// What the key's cookies are for.
	Purpose string `json:"purpose"`

	// What a refusal changes for the visitor.
	Refused string `json:"refused"`
}

// Preset returns the texts for cookies of a preset, by an identifier such as
// "opendatasoft.sessionid".
func (l *Language) Preset(id string) (Use, bool) {
	use, ok := l.file.Presets[id]
	return use, ok
}

// Presets returns all texts for cookies of presets, by their identifiers.
func (l *Language) Presets() iter.Seq2[string, Use] { return maps.All(l.file.Presets) }

// Key returns the texts for a consent key, by an identifier such as "matomo".
func (l *Language) Key(id string) (Key, bool) {
	key, ok := l.file.Keys[id]
	return key, ok
}

// Keys returns all texts for consent keys, by their identifiers.
func (l *Language) Keys() iter.Seq2[string, Key] { return maps.All(l.file.Keys) }

// All returns all languages: English first, the others sorted by tag.
func All() []*Language { return slices.Clone(all()) }

// ByTag returns the language with exactly this tag.
func ByTag(tag string) (*Language, bool) {
	i := slices.IndexFunc(all(), func(l *Language) bool { return l.Tag == tag })
	if i < 0 {
		return nil, false
	}
	return all()[i], true
}

// all reads the languages. A faulty file is a fault of the program.
var all = sync.OnceValue(func() []*Language {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(err)
	}
	var languages []*Language
	for _, entry := range entries {
		text, err := files.ReadFile(entry.Name())
		if err != nil {
			panic(err)
		}
		l, err := parse(text)
		if err != nil {
			panic(fmt.Sprintf("%s: %v", entry.Name(), err))
		}
		languages = append(languages, l)
	}
	slices.SortFunc(languages, func(a, b *Language) int {
		return cmp.Compare(rank(a), rank(b))
	})
	return languages
})

// rank is what languages are sorted by.
func rank(l *Language) string {
	if l.Tag == "en" {
		return ""
	}
	return l.Tag
}

// parse reads one language. Unknown fields are an error.
func parse(text []byte) (*Language, error) {
	var f file
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return nil, err
	}
	tag, err := language.Parse(f.Tag)
	if err != nil {
		return nil, fmt.Errorf("tag %q: %w", f.Tag, err)
	}
	return &Language{Tag: f.Tag, Name: f.Name, Page: &f.Page, file: f, tag: tag}, nil
}
