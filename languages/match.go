package languages

import (
	"strings"

	"golang.org/x/text/language"
)

// Matcher chooses among some languages. Any number of goroutines may use it.
type Matcher struct {
	among   []*Language
	matcher language.Matcher
}

// NewMatcher returns a matcher that chooses among these languages, or among all if none is given.
// The first is chosen where nothing matches.
func NewMatcher(among ...*Language) *Matcher {
	if len(among) == 0 {
		among = All()
	}
	tags := make([]language.Tag, len(among))
	for i, l := range among {
		tags[i] = l.tag
	}
	return &Matcher{among, language.NewMatcher(tags)}
}

// Match returns the language for the first wish that one of the languages meets. A wish is a
// language tag, or a list of them with weights as in an Accept-Language header. Empty and malformed
// wishes are ignored.
func (m *Matcher) Match(wishes ...string) *Language {
	for _, wish := range wishes {
		if l, ok := m.Find(wish); ok {
			return l
		}
	}
	return m.among[0]
}

// Find returns the language for a wish, if one of the languages meets it.
func (m *Matcher) Find(wish string) (*Language, bool) {
	tags := wanted(wish)
	if len(tags) == 0 {
		return nil, false
	}
	_, i, confidence := m.matcher.Match(tags...)
	return m.among[i], confidence > language.No
}

// maxWish is how much of a wish is read. Reading language tags takes more than linear time.
const maxWish = 200

// wanted returns the languages of a wish, the most wanted first. Of a longer wish only the elements
// that are whole within maxWish are read. Malformed elements are left out.
func wanted(wish string) []language.Tag {
	if len(wish) > maxWish {
		wish = wish[:maxWish]
		wish = wish[:max(0, strings.LastIndexByte(wish, ','))]
	}
	tags, _, err := language.ParseAcceptLanguage(wish)
	if err == nil {
		return tags
	}
	var valid []string
	for element := range strings.SplitSeq(wish, ",") {
		if _, _, err := language.ParseAcceptLanguage(element); err == nil {
			valid = append(valid, element)
		}
	}
	tags, _, _ = language.ParseAcceptLanguage(strings.Join(valid, ","))
	return tags
}
