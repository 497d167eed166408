package published

import (
	"regexp"
	"strings"
)

// A page without a column for lifetimes or providers says them in other places: behind a label in the
// cell of purposes, or between dashes. What is found there is taken out of the purpose, but only for
// what the page says nowhere else.

// takeLabels takes lines of the purpose that begin with a label out of it.
func (f fields) takeLabels() {
	taken := fields{}
	var rest [][]string
	for _, lines := range f[rolePurpose] {
		var kept []string
		for _, line := range lines {
			labels, ok := labelsIn(line)
			for _, l := range labels {
				ok = ok && l.role != roleName && (l.role == rolePurpose || len(f[l.role]) == 0)
			}
			if !ok {
				kept = append(kept, line)
				continue
			}
			for _, l := range labels {
				taken.add(l.role, l.value)
			}
		}
		if len(kept) > 0 {
			rest = append(rest, kept)
		}
	}
	if len(taken) == len(taken[rolePurpose]) { // the purpose alone: the page may well mean the words
		return
	}
	f[rolePurpose] = append(rest, taken[rolePurpose]...)
	delete(taken, rolePurpose)
	for r, cells := range taken {
		f[r] = cells
	}
}

// labelled is a label and its value at the end of a text.
var labelled = regexp.MustCompile(`^(|.*[.;,)–—-]\s*)([\p{L} ]{3,40}):\s*([^:.;]{1,60})\.?$`)

// takeLifetime takes the lifetime off the end of the purpose: "Counts visitors. Duration: 2 years",
// "Counts visitors (2 years)".
func (f fields) takeLifetime() {
	if len(f[roleLifetime]) > 0 || len(f[rolePurpose]) != 1 {
		return
	}
	text := f.text(rolePurpose)
	if m := labelled.FindStringSubmatch(text); m != nil {
		if r, strict := headCell(m[2]); r == roleLifetime && strict {
			if saysLifetime(m[3]) {
				f[rolePurpose] = nil
				f.add(rolePurpose, strings.TrimRight(m[1], " ;,–—-"))
				f.add(roleLifetime, m[3])
			}
		}
	}
}

// dashes, and semicolons, stand between the parts of an entry of a list.
var dashes = regexp.MustCompile(`\s+[–—-]\s+|\s+\|\s+|;\s+`)

// takeParts takes the lifetime, the kind and the provider out of an entry of a list whose parts are
// divided by dashes: "Google – 2 years – counts visitors".
func (f fields) takeParts(text string) {
	parts := dashes.Split(text, -1)
	if len(parts) > 12 {
		f.add(rolePurpose, text)
		return
	}
	lifetime := -1
	for i, part := range parts {
		if saysLifetime(part) {
			if lifetime >= 0 || len(f[roleLifetime]) > 0 { // two of them: nothing tells which counts
				f.add(rolePurpose, text)
				return
			}
			lifetime = i
		}
	}
	var purpose []string
	for i, part := range parts {
		provider, known := providerAt(part)
		switch {
		case i == lifetime:
			f.add(roleLifetime, part)
		case len(strings.Fields(part)) <= 4 && claimOf(part).party:
			f.add(roleKind, part)
		case i == 0 && len(f[roleProvider]) == 0 && (known && provider == part || hostName.MatchString(part)):
			f.add(roleProvider, part)
		default:
			purpose = append(purpose, part)
		}
	}
	// Of three parts, one of which is the lifetime, the first says who and the last says why.
	if lifetime >= 0 && len(purpose) == 2 && len(f[roleProvider]) == 0 && len(strings.Fields(purpose[0])) <= 3 &&
		(startsUpper(purpose[0]) || len(strings.Fields(purpose[0])) == 1) {
		f.add(roleProvider, purpose[0])
		purpose = purpose[1:]
	}
	text = strings.Join(purpose, " – ")
	if at := strings.LastIndex(text, ", "); at >= 0 && len(f[roleLifetime]) == 0 && saysLifetime(text[at+2:]) {
		f.add(roleLifetime, text[at+2:])
		text = text[:at]
	}
	f.add(rolePurpose, text)
}

// saysLifetime is isLifetime for a text that may as well be a purpose: "keeps the session" is none.
func saysLifetime(text string) bool {
	session, ok := isLifetime(text)
	if !ok || !session {
		return ok
	}
	tokens := lifetimeTokens(text)
	if closesBrowser(tokens) {
		return len(tokens) <= 6
	}
	for _, t := range tokens {
		if !sessionWords[t] && !besideSession[t] && !harmless[t] {
			return false
		}
	}
	return true
}

// besideSession are words that stand beside those for a session.
var besideSession = wordSet(`cookie cookies de di do http only temporaneo temporaire temporary end fin fine fim
	ende einde`)
