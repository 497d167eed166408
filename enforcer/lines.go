package enforcer

import (
	"slices"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/wire"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
)

// filterLines returns the lines that are let through, mended, and whether they differ from the lines
// that it was given. Then they are in a new slice: a handler may share one between responses.
func (f *responseFilter) filterLines(key string, lines []string) (kept []string, changed bool) {
	counted := f.countedLines(key)
	names := countedNames(counted, lines)
	kept = lines
	var j judgement
	for i, line := range lines {
		f.judge(line, &j)
		isCounted := i < len(counted)
		if names != nil {
			isCounted = names[j.cookie.Name] > 0
			names[j.cookie.Name]--
		}
		if f.tally.observer != nil && !isCounted {
			f.tally.countLine(&j, f.visitor, f.state)
		}
		if j.verdict == observe.Deletion { // it can depend on the Date
			f.state.settled = false
		}
		passes, mended := j.verdict != observe.Refused, line
		if passes && f.enforcer.mends {
			mended = f.mend(line, &j)
		}
		if f.visitor.trace != nil && !isCounted {
			f.visitor.trace.line(f, &j, mended)
		}
		if f.enforcer.reports || passes && mended == line {
			if changed {
				kept = append(kept, line)
			}
			continue
		}
		if !changed {
			changed = true
			kept = append(f.state.newLines(len(lines)), lines[:i]...)
		}
		if passes {
			kept = append(kept, mended)
		}
	}
	return kept, changed
}

// countedLines returns the lines that were counted under a key in an earlier pass over the final
// header, and left in it: each line counts once. Every header that goes out counts, informational
// ones too.
func (f *responseFilter) countedLines(key string) []string {
	switch {
	case !f.state.finalized && !f.state.continued:
		return nil
	case key == "Set-Cookie":
		return f.state.kept
	case f.state.rare != nil:
		return f.state.rare.counted[key]
	}
	return nil
}

// countedNames returns how many of the counted lines have each name. It returns nil if the lines begin
// with the counted ones, as they do unless a handler or another policy has changed them.
func countedNames(counted, lines []string) map[string]int {
	if len(counted) == 0 || len(counted) <= len(lines) && slices.Equal(counted, lines[:len(counted)]) {
		return nil
	}
	names := map[string]int{}
	for _, line := range counted {
		cookie, ok := wire.ParseSetCookie(line)
		if !ok || wire.HasControl(cookie.Name) {
			cookie.Name = ""
		}
		names[cookie.Name]++
	}
	return names
}

// judgement is the verdict on one Set-Cookie line, with what was read and looked up for it.
type judgement struct {
	cookie  wire.SetCookie // without a name if browsers read different ones, or none
	name    knownName
	verdict observe.Verdict
	reason  Reason   // of a deletion: why it would be refused otherwise
	changes []string // what mending changes, if the Visit is traced
}

// judge reads a Set-Cookie line and gives the verdict on it.
func (f *responseFilter) judge(line string, j *judgement) {
	var ok bool
	j.cookie, ok = wire.ParseSetCookie(line)
	j.verdict, j.changes = observe.Refused, nil
	if !ok {
		j.cookie.Name, j.name, j.reason = "", knownName{}, NoName
		return
	}
	if f.tally.lookupSet(j.cookie.Name, &j.name) {
		j.cookie.Name, j.name, j.reason = "", knownName{}, ControlCharacter
		return
	}
	f.judgeReadable(j, line)
	// Nobody stores a line with a control character, whatever its rule (RFC 6265bis section 5.6, step 1). Of
	// a refused line that is a reason only for those who ask.
	if (j.verdict != observe.Refused || f.visitor.trace != nil) && wire.HasControl(line) {
		j.verdict, j.reason = observe.Refused, ControlCharacter
	}
}

// judgeReadable gives the verdict on a line whose name is known.
func (f *responseFilter) judgeReadable(j *judgement, line string) {
	r := j.name.rule
	j.reason = f.visitor.judge(r)
	if r != nil && !r.always { // the response depends on the visitor's choice
		f.state.dependsOn(f.visitor, r.keys)
	}
	granted := j.reason.letsThrough()
	if granted && (!r.hasConditions() || f.state.wasRewritten(line)) {
		j.verdict = observe.LetThrough
		return
	}
	a := j.cookie.ParseAttributes()
	switch {
	case !granted:
	case !r.acceptsDomain(&a):
		j.reason = WrongDomain
	case !r.acceptsPath(&a):
		j.reason = WrongPath
	default:
		j.verdict = observe.LetThrough
		return
	}
	if a.Deletes(&f.clock) && j.cookie.Storable() {
		j.verdict = observe.Deletion
	}
}
