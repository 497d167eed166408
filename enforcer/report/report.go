// Package report writes down what an observer saw, by the rules of a policy: the inventory of cookie
// names, the drift between portal and policy, both for one gateway or merged for several, and the
// changes from one policy to another.
//
// It holds plain data for JSON, CSV and tables. It does not observe and does not know Caddy.
package report

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/wire"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// Inventory lists every cookie name that was met since a time, and no values.
type Inventory struct {
	Policy   string    `json:"policy"`
	Digest   string    `json:"digest"`
	Since    time.Time `json:"since"` // the start of the observation
	At       time.Time `json:"at"`
	Cookies  []Item    `json:"cookies"`
	Origins  []Origin  `json:"origins,omitempty"`  // third parties that pages load from
	Overflow uint64    `json:"overflow,omitempty"` // cookies for whose names there was no room
	Findings []Finding `json:"findings,omitempty"` // about gateways; of several that were merged
}

// Item is one cookie name on one side and in one mode. The side is `set` for what portals set, `read`
// for what browsers send and are told to remove.
type Item struct {
	Name     string          `json:"name"`
	Channel  string          `json:"channel"`
	Mode     string          `json:"mode"` // `enforce`, or `report` for verdicts that were not carried out
	Category policy.Category `json:"category"`
	Rule     string          `json:"rule,omitempty"`
	Digest   string          `json:"digest,omitempty"` // if those of several gateways differ
	First    time.Time       `json:"first"`
	Last     time.Time       `json:"last"`
	Count    uint64          `json:"count"`

	// The name may have come with this many more requests before First: it is a client's name, and
	// took the counter of another one then.
	Missed uint64 `json:"missed,omitempty"`

	Verdicts map[string]uint64 `json:"verdicts"`
	Hosts    []string          `json:"hosts,omitempty"` // names of the policy's sites

	// As portals sent it; for set only. The lifetime is the longest that was met, in seconds.
	Domains         []string `json:"domains,omitempty"`
	Paths           []string `json:"paths,omitempty"`
	SameSite        []string `json:"same_site,omitempty"`
	Lifetime        int64    `json:"lifetime,omitempty"`
	Session         bool     `json:"session,omitempty"`           // it was met without a lifetime
	Insecure        bool     `json:"insecure,omitempty"`          // it was met without Secure
	MissingHTTPOnly bool     `json:"missing_http_only,omitempty"` // it was met without HttpOnly
}

// NewInventory writes down what an observer saw, by the rules of a policy.
func NewInventory(p *policy.Resolved, o *observe.Observer, at time.Time) Inventory {
	inventory := Inventory{
		Policy: p.Name(), Digest: p.Digest(), Since: o.Since(), At: at,
		Cookies: []Item{}, Overflow: o.Overflow(),
	}
	for _, s := range o.Sightings() {
		for _, mode := range []observe.Mode{observe.Enforce, observe.Report} {
			if words := s.Counts.Words(mode); len(words) > 0 {
				inventory.Cookies = append(inventory.Cookies, newItem(p, &s, mode, words))
			}
		}
	}
	sortItems(inventory.Cookies)
	inventory.Origins = newOrigins(p, o)
	return inventory
}

func newItem(p *policy.Resolved, s *observe.Sighting, mode observe.Mode, words map[string]uint64) Item {
	item := Item{
		Name: wire.Printable(s.Name), Channel: s.Channel.String(), Mode: mode.String(),
		Category: observe.Unlisted, First: s.First, Last: s.Last,
		Count: s.Counts.Total(mode), Missed: s.Missed, Verdicts: words,
		Hosts: printable(s.Hosts), Domains: printable(s.Domains), Paths: printable(s.Paths),
		SameSite: printable(slices.DeleteFunc(slices.Clone(s.SameSite), isEmpty)),
		Lifetime: int64(s.Longest / time.Second), Session: s.Session,
		Insecure: s.NoSecure, MissingHTTPOnly: s.NoHTTPOnly,
	}
	if rule := ruleOf(p, s.Name); rule != nil {
		item.Category, item.Rule = rule.Category, rule.Label()
	}
	return item
}

// ruleOf returns the rule for a name of the inventory.
func ruleOf(p *policy.Resolved, name string) *policy.Rule {
	if name == observe.Nameless {
		return nil
	}
	rule, _ := p.Lookup(name)
	return rule
}

func isEmpty(s string) bool { return s == "" }

func printable(words []string) (clean []string) {
	for _, word := range words {
		clean = append(clean, wire.Printable(word))
	}
	return clean
}

// CountUnlisted returns the number of names that no rule names. A client's name counts once it came
// often enough to be reported.
func CountUnlisted(p *policy.Resolved, o *observe.Observer) int {
	unlisted := map[string]bool{}
	for _, s := range o.Sightings() {
		if s.Established && ruleOf(p, s.Name) == nil {
			unlisted[s.Name] = true
		}
	}
	return len(unlisted)
}

// sortItems sorts by name, set before read, enforce before report.
func sortItems(items []Item) {
	slices.SortFunc(items, func(a, b Item) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(b.Channel, a.Channel),
			strings.Compare(a.Mode, b.Mode), strings.Compare(a.Digest, b.Digest))
	})
}

// Printable returns text from the wire as it can be shown to people: cut if it is long, and with
// escapes in place of control characters, of other characters that are invisible or change the
// direction of text, and of bytes that are not UTF-8.
func Printable(text string) string { return wire.Printable(text) }
