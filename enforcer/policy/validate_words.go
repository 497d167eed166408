package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/wire"
)

// duration reports whether a duration was given that can be judged. What is not one is refused.
func (v *validator) duration(path string, d Duration) bool {
	if d == noDuration {
		parse := ParseDuration
		if strings.HasSuffix(path, ".lifetime") {
			parse = ParseLifetime
		}
		text := v.badDurations[path]
		f := Fault{Word: text, Problem: "this is no time at all", Right: anyDuration}
		if _, err := parse(text); err != nil {
			f, _ = err.(Fault)
		}
		v.fault(path, f.Word, f.Problem, f.Right)
	}
	return d != 0 && d != noDuration
}

// oneOf accepts nothing, which means the default, or one of the words.
func (v *validator) oneOf(path, word string, words ...string) {
	if word == "" || slices.Contains(words, word) {
		return
	}
	if lower := strings.ToLower(word); slices.Contains(words, lower) {
		v.fault(path, word, "this word is all lower case", "write "+lower)
		return
	}
	v.fault(path, word, "no such "+path[strings.LastIndexByte(path, '.')+1:], wantOneOf(word, words, ""))
}

// category refuses a word that is none of the categories that can stand there.
func (v *validator) category(path string, c Category, categories []Category) {
	words := make([]string, len(categories))
	for i, c := range categories {
		words[i] = string(c)
	}
	v.fault(path, string(c), "no such category", wantOneOf(string(c), words, ""))
}

// cookieName refuses names under which no browser stores a cookie (RFC 6265bis section 5.7).
func (v *validator) cookieName(path, name string) {
	problem := ""
	switch {
	case name == "":
		problem = "a cookie without a name is read differently by different browsers, and never let through"
	case strings.ContainsAny(name, "=;"):
		problem = "no browser stores a name that holds = or ;"
	case wire.HasControl(name) || strings.Contains(name, "\t"):
		problem = "no browser stores a name that holds a control character"
	case wire.Trim(name) != name:
		problem = "browsers trim blanks around a name"
	case isExpression(name):
		problem = "this is a regular expression, and in a policy only * stands for other characters"
	case len(name) > wire.MaxPair:
		problem = fmt.Sprintf("no browser stores a name of more than %d bytes", wire.MaxPair)
	default:
		return
	}
	v.fault(path, name, problem, "write the name as it stands before the = of Set-Cookie")
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// oneOfThese writes words as a sentence does: a, b or c.
func oneOfThese(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// wantOneOf says which words are right in place of one, and which of them was probably meant. Where
// there are none, it says the other thing.
func wantOneOf(word string, words []string, none string) string {
	if len(words) == 0 {
		return none
	}
	want := "want " + oneOfThese(words)
	if near := Near(word, words); near != "" {
		return "did you mean " + near + "? " + want
	}
	return want
}

// twice refuses what stands somewhere else already.
func (v *validator) twice(path, word, problem, first string) {
	v.faults = append(v.faults,
		Fault{Path: path, Word: word, Problem: problem, Right: "keep one of the two", First: first})
}

// quote shows a word as Go does, and cuts what is too long to be read.
func quote(word string) string {
	const enough = 80
	if len(word) > enough {
		return fmt.Sprintf("%q…", word[:enough])
	}
	return fmt.Sprintf("%q", word)
}
