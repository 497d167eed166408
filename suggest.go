package cookiepolicy

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/caddytext"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
)

// openCategory stands in suggested lines where the operator has to decide. It is no category, so that
// Caddy refuses lines that nobody has read.
const openCategory = "CATEGORY"

// suggest returns allow lines for the names of a drift that no rule names, with their attributes from
// the inventory of the same policy. Names that no line can hold are in comments.
func suggest(drift *report.Drift, inventories []report.Inventory) string {
	lines := []caddytext.Line{{Comment: fmt.Sprintf("Policy %s, digest %s, observed since %s.",
		drift.Policy, drift.Digest, drift.Since.UTC().Format(time.RFC3339))}}
	seen := map[string]*sighting{}
	var names []string
	var origins []report.Finding
	for _, f := range drift.Findings {
		switch f.Kind {
		case report.Differs, report.Missing, report.Unanswered:
			lines = append(lines, caddytext.Line{Comment: f.Kind + ": " + f.Detail})
		case report.Unlisted:
			if f.Origin != "" {
				origins = append(origins, f)
				continue
			}
			if seen[f.Cookie] == nil {
				seen[f.Cookie] = new(sighting)
				names = append(names, f.Cookie)
			}
			seen[f.Cookie].details = append(seen[f.Cookie].details, f.Detail)
		}
	}
	if len(names)+len(origins) == 0 {
		lines = append(lines, caddytext.Line{Comment: "Every cookie that was met has a rule."})
	} else {
		lines = append(lines, caddytext.Line{Comment: "Put necessary, statistical, first_party or third_party in " +
			"place of each " + openCategory + ",\nand delete what is not to pass. The config does not load before that."})
	}
	for _, inventory := range inventories {
		if inventory.Policy != drift.Policy {
			continue
		}
		for _, item := range inventory.Cookies {
			isUnlisted := item.Channel == observe.Set.String() && item.Category == observe.Unlisted
			if s := seen[item.Name]; s != nil && isUnlisted {
				s.add(&item)
			}
		}
	}
	for _, name := range names {
		lines = append(lines, caddytext.Line{}, seen[name].line(name))
	}
	for _, f := range origins {
		lines = append(lines, caddytext.Line{}, allowOrigin(&f))
	}
	text, err := caddytext.Text(lines)
	if err != nil {
		panic("cookiepolicy: a word was not checked: " + err.Error())
	}
	return text
}

// allowOrigin returns the line that lets pages load from a third party. A browser's report is no reason to
// do so: the operator has to know who that is.
func allowOrigin(f *report.Finding) caddytext.Line {
	rule := policy.Rule{Category: policy.ThirdParty, RuleOptions: policy.RuleOptions{Origin: []string{f.Origin}}}
	if faults := (&policy.Policy{Allow: []policy.Rule{rule}}).Faults(); len(faults) > 0 {
		return caddytext.Line{Comment: f.Detail + "\nNo line for " + f.Origin + ": " + faults[0].Problem + "."}
	}
	return caddytext.Line{Comment: f.Detail, Words: []string{"allow", openCategory},
		Block: []caddytext.Line{{Words: []string{"origin", f.Origin}}}}
}

// printSuggestions prints the lines that are suggested.
func printSuggestions(out io.Writer, d *driftAnswer) error {
	_, err := io.WriteString(out, d.Suggest)
	return err
}

// sighting is how a name was met.
type sighting struct {
	details        []string // of the findings
	set            bool     // by the portal; the rest is known only then
	session        bool
	lifetime       int64 // the longest, in seconds
	domains, paths []string
}

func (s *sighting) add(item *report.Item) {
	s.set = true
	s.session = s.session || item.Session
	s.lifetime = max(s.lifetime, item.Lifetime)
	s.domains = append(s.domains, item.Domains...)
	s.paths = append(s.paths, item.Paths...)
}

// line returns the line that allows a name.
func (s *sighting) line(name string) caddytext.Line {
	comments := slices.Clone(s.details)
	if problem := cannotAllow(name); problem != "" {
		return caddytext.Line{Comment: strings.Join(append(comments, "No line for "+name+": "+problem+"."), "\n")}
	}
	line := caddytext.Line{Words: []string{"allow", openCategory, name}}
	if !s.set {
		comments = append(comments, "Its domain, path and lifetime were not seen.")
	}
	domains, paths := distinct(s.domains), distinct(s.paths)
	for _, limit := range []struct {
		word    string
		values  []string
		options policy.RuleOptions
	}{
		{"domain", domains, policy.RuleOptions{Domain: domains}},
		{"path", paths, policy.RuleOptions{Path: paths}},
	} {
		switch {
		case len(limit.values) == 0:
		case canLimit(limit.values) && isValid(name, limit.options):
			line.Block = append(line.Block, caddytext.Line{Words: append([]string{limit.word}, limit.values...)})
		case slices.Contains(limit.values, observe.OtherPath):
			comments = append(comments, "Not limited by path: met with one other than /, which is not kept, "+
				"as it can name a person.")
		default:
			comments = append(comments, fmt.Sprintf("Not limited by %s: met with %s.",
				limit.word, strings.Join(limit.values, ", ")))
		}
	}
	if s.lifetime > 0 {
		line.Block = append(line.Block, caddytext.Line{Words: []string{"lifetime", seconds(s.lifetime).String()}})
	}
	if s.session {
		comments = append(comments, "It was set without a lifetime.")
	}
	line.Comment = strings.Join(comments, "\n")
	return line
}

// cannotAllow returns why no allow line can name a cookie that was reported under a name, or nothing if
// one can. Names are reported printable and cut.
func cannotAllow(name string) string {
	switch {
	case name == observe.Nameless:
		return "a cookie without a name is never let through"
	case strings.HasSuffix(name, "…"):
		return "it is longer than what is kept of a name; a wildcard such as name* can match it"
	case strings.Contains(name, `\`):
		return "it has a backslash, or a character that cannot be written in a Caddyfile"
	case strings.Contains(name, "*"):
		return "its * would be a wildcard, and match other names too"
	}
	if _, err := caddytext.Quote(name); err != nil {
		return errors.Unwrap(err).Error()
	}
	if !isValid(name, policy.RuleOptions{}) {
		return "no browser stores a cookie under it"
	}
	return ""
}

// canLimit reports whether values that were kept of an attribute are all that were met, and can be
// written: eight of a name are kept, of a hundred bytes each.
func canLimit(values []string) bool {
	return len(values) < 8 && !slices.ContainsFunc(values, func(value string) bool {
		_, err := caddytext.Quote(value)
		return err != nil || len(value) >= 100
	})
}

// isValid reports whether a rule can have a name and options.
func isValid(name string, options policy.RuleOptions) bool {
	p := policy.Policy{Allow: []policy.Rule{
		{Category: policy.Necessary, Cookies: []string{name}, RuleOptions: options}}}
	return len(p.Faults()) == 0
}

func distinct(words []string) []string { return slices.Compact(slices.Sorted(slices.Values(words))) }
