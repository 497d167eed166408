package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/wire"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// Origin is a third party that pages load from, as browsers reported it.
type Origin struct {
	Origin     string            `json:"origin"` // as the rule names it, or `(redirect)`
	Category   policy.Category   `json:"category"`
	Rule       string            `json:"rule,omitempty"`
	Digest     string            `json:"digest,omitempty"` // if those of several gateways differ
	Directives []string          `json:"directives"`       // kinds of what was loaded, such as img-src
	First      time.Time         `json:"first"`
	Last       time.Time         `json:"last"`
	Days       int               `json:"days"`             // on which reports came
	Count      uint64            `json:"count"`            // of reports
	Missed     uint64            `json:"missed,omitempty"` // reports that may have come before First
	Granted    uint64            `json:"granted"`          // reports, by what the visitor's preference said
	Refused    uint64            `json:"refused"`
	Undecided  uint64            `json:"undecided"`
	Verdicts   map[string]uint64 `json:"verdicts"`
	Hosts      []string          `json:"hosts,omitempty"` // names of the policy's sites
}

func newOrigins(p *policy.Resolved, o *observe.Observer) (origins []Origin) {
	for _, s := range o.Origins() {
		origin := Origin{
			Origin: wire.Printable(s.Origin), Category: observe.Unlisted, Directives: printable(s.Directives),
			First: s.First, Last: s.Last, Days: s.Days, Count: s.Reports, Missed: s.Missed,
			Granted: s.Consents[policy.Granted], Refused: s.Consents[policy.Refused],
			Undecided: s.Consents[policy.Undecided], Verdicts: s.Counts.Words(observe.Enforce), Hosts: printable(s.Hosts),
		}
		for word, n := range s.Counts.Words(observe.Report) {
			origin.Verdicts[word] += n
		}
		if rules := p.RulesOf(s.Origin); len(rules) > 0 {
			origin.Category, origin.Rule = rules[0].Category, rules[0].Label()
		}
		origins = append(origins, origin)
	}
	return origins
}

// mergeOrigins adds up what several gateways with one digest were told of origins.
func mergeOrigins(inventories []Inventory) (merged []Origin) {
	for _, inventory := range inventories {
		for _, origin := range inventory.Origins {
			i := slices.IndexFunc(merged, func(m Origin) bool { return m.Origin == origin.Origin })
			if i < 0 {
				verdicts := map[string]uint64{}
				for word, n := range origin.Verdicts {
					verdicts[word] = n
				}
				origin.Verdicts = verdicts
				merged = append(merged, origin)
				continue
			}
			into := &merged[i]
			if origin.First.Before(into.First) {
				into.First = origin.First
			}
			into.Last, into.Days = later(into.Last, origin.Last), max(into.Days, origin.Days)
			into.Count += origin.Count
			into.Missed += origin.Missed
			into.Granted += origin.Granted
			into.Refused += origin.Refused
			into.Undecided += origin.Undecided
			for word, n := range origin.Verdicts {
				into.Verdicts[word] += n
			}
			into.Directives, into.Hosts = union(into.Directives, origin.Directives), union(into.Hosts, origin.Hosts)
		}
	}
	return merged
}

// sortOrigins sorts by origin, then by digest.
func sortOrigins(origins []Origin) {
	slices.SortFunc(origins, func(a, b Origin) int {
		return cmp.Or(cmp.Compare(a.Origin, b.Origin), cmp.Compare(a.Digest, b.Digest))
	})
}

// Kinds of findings about origins. Unlisted is one too: no rule names the origin.
const (
	// A rule names the origin, and a page loaded from it without the visitor's consent.
	Early = "early"
	// A page asked its own host for something, and was redirected to another one.
	Redirects = "redirects"
	// One of these findings about an origin that was reported on few days: an extension of one visitor's
	// browser causes reports too, and anybody can send one. It does not count.
	Rare = "rare"
)

// enoughReports is how many reports there have to be, on several days, before an origin that is in none of
// them counts as never seen.
const enoughReports = 100

// origins adds what browsers reported.
func (d *Drift) origins(p *policy.Resolved, o *observe.Observer) {
	sightings := o.Origins()
	d.originsNeverSeen(p, sightings)
	for _, s := range sightings {
		refused := s.Counts[observe.Enforce][observe.Refused] + s.Counts[observe.Report][observe.Refused]
		detail := fmt.Sprintf("%s, loaded as %s, at %s", reported(refused, s.Days), strings.Join(printable(s.Directives), ", "),
			strings.Join(printable(s.Hosts), ", "))
		kind := Early
		switch {
		case refused == 0: // open, or let through by now
			continue
		case s.Origin == observe.Redirect:
			kind = Redirects
		case len(p.RulesOf(s.Origin)) == 0:
			kind = Unlisted
		default:
			detail += ", without consent"
		}
		if !s.Established() {
			kind, detail = Rare, kind+": "+detail
		}
		d.addOrigin(kind, s.Origin, detail)
	}
}

// originsNeverSeen adds the origins of rules that wait for consent and that no report is about, if there are
// enough reports. Those of necessary rules are not asked for.
func (d *Drift) originsNeverSeen(p *policy.Resolved, sightings []observe.OriginSighting) {
	if p.LoadMode() == policy.LoadOff {
		return
	}
	var reports uint64
	established := false
	seen := map[string]bool{}
	trackers := map[string]bool{} // presets of which an origin was met, or that have a finding
	for i := range sightings {
		s := &sightings[i]
		reports += s.Reports
		established = established || s.Established()
		for _, rule := range p.RulesOf(s.Origin) {
			seen[rule.OriginFor(s.Origin)] = true
			trackers[tracker(rule)] = true
		}
	}
	if reports < enoughReports || !established {
		return
	}
	for _, rule := range p.Rules() {
		preset := tracker(rule)
		for _, origin := range rule.Origin {
			if rule.Category == policy.Necessary || seen[origin] || preset != "" && trackers[preset] {
				continue
			}
			detail := "no report is about it"
			if preset != "" {
				trackers[preset] = true
				detail = "no report is about this or another origin of the preset " + preset
			}
			d.addOrigin(NeverSeen, origin, detail+" since "+d.Since.UTC().Format(time.RFC3339))
		}
	}
}

func reported(reports uint64, days int) string {
	if days == 1 {
		return fmt.Sprintf("reported %s on one day", plural(reports, "time"))
	}
	return fmt.Sprintf("reported %s on %d days", plural(reports, "time"), days)
}

func (d *Drift) addOrigin(kind, origin, detail string) {
	d.Findings = append(d.Findings, Finding{Kind: kind, Origin: wire.Printable(origin), Detail: detail})
}
