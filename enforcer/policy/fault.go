package policy

import "strings"

// Fault is one thing wrong with a policy.
type Fault struct {
	// The field's path in the JSON config, such as allow[0].cookies[1]; empty for the policy as a whole.
	Path string

	Word    string // the offending word, if there is one
	Problem string // what is wrong with it
	Right   string // what would be right

	// For what can be given once and is given again: the path of the first.
	First string
}

// Message returns the fault without its path.
func (f Fault) Message() string {
	var b strings.Builder
	if f.Word != "" {
		b.WriteString(quote(f.Word))
		b.WriteString(": ")
	}
	b.WriteString(f.Problem)
	if f.Right != "" {
		b.WriteString("; ")
		b.WriteString(f.Right)
	}
	if f.First != "" {
		b.WriteString("; the first is ")
		b.WriteString(f.First)
	}
	return b.String()
}

// Error returns the fault with its path.
func (f Fault) Error() string {
	if f.Path == "" {
		return f.Message()
	}
	return f.Path + ": " + f.Message()
}

// Faults are all that is wrong with a policy, in the order of its fields.
type Faults []Fault

// Error returns one line for each fault.
func (fs Faults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}
