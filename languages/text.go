package languages

import (
	"fmt"
	"strings"
)

// Text is a text that may have placeholders such as {host}.
type Text string

// With returns the text with its placeholders replaced. The arguments are names, each followed by
// its value: With("host", "data.city.example"). Every placeholder of the text, and no other, must be
// named, so that a mistake in a template is seen the first time that it runs.
func (t Text) With(pairs ...string) (string, error) {
	if len(pairs)%2 != 0 {
		return "", fmt.Errorf("text %q: %d arguments; each name wants a value", string(t), len(pairs))
	}
	var out strings.Builder
	used := make(map[string]bool, len(pairs)/2)
	rest := string(t)
	for {
		before, after, found := strings.Cut(rest, "{")
		out.WriteString(before)
		if !found {
			break
		}
		var name string
		if name, rest, found = strings.Cut(after, "}"); !found {
			return "", fmt.Errorf("text %q: a placeholder has no end", string(t))
		}
		value, ok := named(pairs, name)
		if !ok {
			return "", fmt.Errorf("text %q: no value for {%s}", string(t), name)
		}
		out.WriteString(value)
		used[name] = true
	}
	for i := 0; i < len(pairs); i += 2 {
		if !used[pairs[i]] {
			return "", fmt.Errorf("text %q: there is no {%s}", string(t), pairs[i])
		}
	}
	return out.String(), nil
}

func named(pairs []string, name string) (string, bool) {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i] == name {
			return pairs[i+1], true
		}
	}
	return "", false
}
