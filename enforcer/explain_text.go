package enforcer

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/consent"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/wire"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// explainReading returns what one copy of a preference cookie says.
func (e *Enforcer) explainReading(r *consent.Reading) ExplainedPreference {
	x := ExplainedPreference{
		Cookie: r.Cookie, FromResponse: r.FromResponse, State: r.State.String(),
		MaxAge: int64(r.MaxAge / time.Second), Failure: r.Failure.Reason, Byte: r.Failure.Byte,
		Encoded: r.Failure.Coded && r.Failure.Byte > 0,
		Keys:    map[string]string{},
	}
	if r.Failure.Key != "" {
		x.Failure += ": " + r.Failure.Key
	}
	if !r.Made.IsZero() {
		made := r.Made.UTC()
		x.Made = &made
	}
	for key, k := range e.keys {
		switch {
		case r.Granted.Has(k):
			x.Keys[key] = policy.Granted.String()
		case r.Refused.Has(k):
			x.Keys[key] = policy.Refused.String()
		}
	}
	return x
}

// undecided returns why a consent key is undecided.
func (t *trace) undecided(v *visitor, key string) string {
	var cookies []string // that leave the key undecided
	grants := false
	for _, p := range t.explanation.Preferences {
		switch p.State {
		case policy.PreferenceUnreadable.String(), policy.PreferenceContradictory.String():
			return fmt.Sprintf("%s is %s and grants nothing: %s", p.Cookie, p.State, p.Failure)
		case policy.PreferenceTooOld.String():
			if p.Made != nil && p.Made.After(v.enforcer.now()) {
				return p.Cookie + " is from the future and counts as no choice"
			}
			return p.Cookie + " is older than its max_age and counts as no choice"
		}
		if !slices.Contains(cookies, p.Cookie) {
			cookies = append(cookies, p.Cookie)
		}
		grants = grants || p.Keys[key] != ""
	}
	switch {
	case len(cookies) == 0:
		return "the visitor has no stored preference"
	case grants:
		return "not every copy of " + allOfThese(cookies) + " grants it"
	case len(cookies) == 1:
		return cookies[0] + " does not name it"
	}
	return allOfThese(cookies) + " do not name it"
}

// notes returns what browsers do with a line besides the verdict.
func (f *responseFilter) notes(c *wire.SetCookie, a *wire.Attributes, verdict observe.Verdict) (notes []string) {
	deletes := a.Deletes(&f.clock)
	switch {
	case !c.Storable():
		notes = append(notes, "no browser stores it: it is too long, or has a tab in its name or value")
	case a.Rejected:
		notes = append(notes, "not every browser stores it: the prefix of its name, SameSite=None or "+
			"Partitioned requires other attributes, or there is a tab in an attribute")
	case f.visitor.request.Host != "" && !wire.AcceptsDomain(f.visitor.request.Host, wire.NormalDomain(a.Domain)):
		notes = append(notes, "no browser stores it: its Domain does not contain the host")
	case verdict == observe.LetThrough && deletes:
		notes = append(notes, "it is a deletion")
	}
	if verdict == observe.Refused && !deletes && a.MayDelete(f.enforcer.now()) {
		notes = append(notes, "not every browser reads it as a deletion, so it does not pass as one")
	}
	return notes
}

// sentence says why the verdict was given.
func (x *ExplainedVerdict) sentence() string {
	why := x.why()
	switch x.Verdict {
	case observe.Deletion.Word(observe.Enforce):
		return "every browser reads it as a deletion; it would be refused otherwise: " + why
	case observe.Expired.Word(observe.Enforce), observe.Expired.Word(observe.Report):
		return "the browser sent it, and " + why
	}
	return why
}

func (x *ExplainedVerdict) why() string {
	switch x.Reason {
	case RuleIsNecessary:
		if x.Rule != nil && strings.HasPrefix(x.Rule.Path, "preference") {
			return "it holds the visitor's preference, which makes it necessary"
		}
		return "its category is necessary"
	case Consented:
		return "the visitor consents: " + describeKeys(x.Keys, policy.Granted)
	case NotRefused:
		return "the rule is anonymous, and the visitor does not object: " + describeKeys(x.Keys, policy.Undecided)
	case NotConsented:
		return "the visitor has not consented: " + describeKeys(x.Keys, policy.Refused, policy.Undecided)
	case UnlistedPasses:
		return "no rule names it, and the policy lets unlisted cookies pass"
	case NotListed:
		return "no rule names it"
	case WrongDomain, WrongPath:
		return fmt.Sprintf("the rule does not accept %s=%s; it accepts %s",
			x.Condition.Attribute, x.Condition.Value, strings.Join(x.Condition.Accepted, ", "))
	case ControlCharacter:
		return "the line contains a control character, by which browsers end or reject it"
	default:
		return "browsers read no name in it, or different ones"
	}
}

// describeKeys says in which states keys are, for the given states. Keys of one state and cause are
// told together.
func describeKeys(keys []ExplainedKey, states ...policy.Consent) string {
	type cause struct{ state, text string }
	var causes []cause
	named := map[cause][]string{}
	for _, key := range keys {
		if !slices.ContainsFunc(states, func(s policy.Consent) bool { return s.String() == key.State }) {
			continue
		}
		c := cause{state: key.State}
		switch {
		case len(key.SaidBy) > 0:
			c.text = " by " + allOfThese(key.SaidBy)
		case key.Why != "":
			c.text = ": " + key.Why
		}
		if named[c] == nil {
			causes = append(causes, c)
		}
		named[c] = append(named[c], key.Key)
	}
	said := make([]string, len(causes))
	for i, c := range causes {
		verb := " is "
		if len(named[c]) > 1 {
			verb = " are "
		}
		said[i] = allOfThese(named[c]) + verb + c.state + c.text
	}
	return strings.Join(said, "; ")
}

// allOfThese writes words as a sentence does: a, b and c.
func allOfThese(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

// removalOf returns what a line of an expiry removes.
func removalOf(line string) ExplainedRemoval {
	cookie, _ := wire.ParseSetCookie(line)
	a := cookie.ParseAttributes()
	return ExplainedRemoval{Domain: a.Domain, Path: a.Path, Partitioned: a.Partitioned}
}

func printable(text string) string { return wire.Printable(wire.Shorten(text)) }

func displayHost(host string) string { return wire.Printable(wire.Shorten(host)) }
