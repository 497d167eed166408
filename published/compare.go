package published

import (
	"slices"
	"strings"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// DifferenceKind tells in what a page and a policy differ.
type DifferenceKind string

// The kinds of differences. Purposes are worded for people: another one is told and not counted as a
// finding.
const (
	OnlyOnPage    DifferenceKind = "only_on_page"
	OnlyInPolicy  DifferenceKind = "only_in_policy"
	OtherCategory DifferenceKind = "category"
	OtherLifetime DifferenceKind = "lifetime"
	OtherPurpose  DifferenceKind = "purpose"
)

// Difference is one thing that a page and a policy do not say alike.
type Difference struct {
	Kind   DifferenceKind `json:"kind"`
	Name   string         `json:"name"`             // the cookie, as the side spells it that names it
	Line   int            `json:"line,omitempty"`   // on the page, if the name stands there
	Rule   string         `json:"rule,omitempty"`   // the name in the policy that it was compared with
	Page   string         `json:"page,omitempty"`   // what the page says
	Policy string         `json:"policy,omitempty"` // what the policy says
}

// Counts reports whether the difference is a finding.
func (d Difference) Counts() bool { return d.Kind != OtherPurpose }

// Compare returns what a page and a policy do not say alike: first the rows of the page in their
// order, then the names that only the policy has. A name is compared with the policy's rule for it,
// by a wildcard too; a wildcard with the one that lets the same names through, or more. A row in
// doubt is compared as far as it says something.
func Compare(page *Page, resolved *policy.Resolved) []Difference {
	differences := []Difference{}
	met := map[string]bool{} // the policy's names that stand on the page
	for i := range page.Rows {
		row := &page.Rows[i]
		for _, name := range row.Names {
			rule, pattern := resolved.Lookup(name.Pattern)
			if rule == nil || !covers(pattern, name.Pattern) {
				if below := coveredBy(resolved, name.Pattern); len(below) > 0 {
					// The page writes one wildcard for several names of the policy.
					for _, b := range below {
						met[b.name] = true
						differences = append(differences, compareRow(page, row, name, b.rule, b.name)...)
					}
					continue
				}
				differences = append(differences, Difference{Kind: OnlyOnPage, Name: name.Written, Line: row.Line,
					Page: string(row.Category)})
				continue
			}
			met[pattern] = true
			differences = append(differences, compareRow(page, row, name, rule, pattern)...)
		}
	}
	for _, rule := range resolved.Rules() {
		for _, name := range rule.Cookies {
			if !met[name] {
				differences = append(differences, Difference{Kind: OnlyInPolicy, Name: name, Rule: name,
					Policy: string(rule.Category)})
			}
		}
	}
	return differences
}

type covered struct {
	name string
	rule *policy.Rule
}

// coveredBy returns the policy's names that a wildcard of the page stands for.
func coveredBy(resolved *policy.Resolved, pattern string) (names []covered) {
	if !strings.Contains(pattern, "*") {
		return nil
	}
	for _, rule := range resolved.Rules() {
		for _, name := range rule.Cookies {
			if covers(pattern, name) {
				names = append(names, covered{name, rule})
			}
		}
	}
	return names
}

// covers reports whether a name or wildcard lets through all that another one does. What stands for
// any characters in the other is taken for a character that no name has.
func covers(pattern, other string) bool {
	if !strings.Contains(pattern, "*") {
		return pattern == other
	}
	parts := strings.Split(pattern, "*")
	other, prefixed := strings.CutPrefix(other, parts[0])
	if !prefixed {
		return false
	}
	last := parts[len(parts)-1]
	other, suffixed := strings.CutSuffix(other, last)
	if !suffixed {
		return false
	}
	for _, part := range parts[1 : len(parts)-1] {
		_, after, found := strings.Cut(other, part)
		if !found {
			return false
		}
		other = after
	}
	return true
}

// compareRow compares what a row says of a name with the policy's rule for it.
func compareRow(page *Page, row *Row, name Name, rule *policy.Rule, pattern string) (differences []Difference) {
	differ := func(kind DifferenceKind, onPage, inPolicy string) {
		differences = append(differences, Difference{Kind: kind, Name: name.Written, Line: row.Line, Rule: pattern,
			Page: onPage, Policy: inPolicy})
	}
	if row.Category != rule.Category {
		differ(OtherCategory, string(row.Category), string(rule.Category))
	}
	lifetime := row.Lifetime.Duration
	if row.Lifetime.Session {
		lifetime = policy.Session
	}
	// A page without lifetimes says nothing that a policy could contradict.
	if lifetime != rule.Lifetime && (lifetime != 0 || row.Lifetime.Words != "") {
		stated := ""
		if rule.Lifetime != 0 {
			stated = rule.Lifetime.String()
		}
		differ(OtherLifetime, row.Lifetime.Words, stated)
	}
	if row.Purpose != "" && len(rule.Purpose) > 0 &&
		!slices.ContainsFunc(rule.Purpose, func(t policy.Text) bool { return clean(t.Text) == row.Purpose }) {
		differ(OtherPurpose, row.Purpose, purposeIn(rule, page.Language))
	}
	return differences
}

// purposeIn returns a rule's purpose in a language, or its first one.
func purposeIn(rule *policy.Rule, language string) string {
	for _, t := range rule.Purpose {
		if t.Language == language {
			return t.Text
		}
	}
	return rule.Purpose[0].Text
}
