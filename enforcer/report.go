package enforcer

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Report is the inventory of a policy: every cookie name that was met since a given time, and not one value.
type Report struct {
	Policy   string    `json:"policy"`
	Digest   string    `json:"digest"`
	Since    time.Time `json:"since"` // since when it has been observed
	At       time.Time `json:"at"`
	Cookies  []Item    `json:"cookies"`
	Overflow uint64    `json:"overflow,omitempty"` // meetings with names for which there was no room
}

// Item is one cookie name on one side: `set` for what portals set, `read` for what browsers send (and are told to remove).
type Item struct {
	Name     string            `json:"name"`
	Channel  string            `json:"channel"`
	Category Category          `json:"category"`
	Rule     string            `json:"rule,omitempty"`
	First    time.Time         `json:"first"`
	Last     time.Time         `json:"last"`
	Count    uint64            `json:"count"`
	Verdicts map[string]uint64 `json:"verdicts"`
	Hosts    []string          `json:"hosts,omitempty"`

	// As sent; for set only. Lifetimes are in seconds: the longest that was met.
	Domains  []string `json:"domains,omitempty"`
	Paths    []string `json:"paths,omitempty"`
	SameSite []string `json:"same_site,omitempty"`
	Lifetime int64    `json:"lifetime,omitempty"`
	Session  bool     `json:"session,omitempty"`     // it was met without a lifetime
	Insecure bool     `json:"insecure,omitempty"`    // it was met without Secure
	Scripted bool     `json:"script_read,omitempty"` // it was met without HttpOnly

	name       string // as it came
	noSameSite bool   // it was met without SameSite
}

// Report writes down what an Observer saw, by the rules of this Enforcer.
func (e *Enforcer) Report(o *Observer) Report {
	r := Report{Policy: e.name, Digest: e.digest, Since: o.since, At: e.now(), Cookies: []Item{}}
	for _, side := range []struct {
		channel Channel
		*inventory
	}{{ChannelSet, &o.set}, {ChannelRead, &o.read}} {
		for name, entry := range side.all() {
			r.Cookies = append(r.Cookies, e.item(name, side.channel, entry))
		}
	}
	r.Overflow = o.overflow()
	sortItems(r.Cookies)
	return r
}

func (e *Enforcer) item(name string, channel Channel, entry *entry) Item {
	item := Item{Name: Printable(name), name: name, Channel: channel.String(), Category: Unlisted, First: entry.first, Verdicts: map[string]uint64{}}
	if r := e.ruleOf(name); r != nil {
		item.Category, item.Rule = r.category, r.label
	}
	var last int64
	for i := range entry.shards {
		s := &entry.shards[i]
		last = max(last, s.last.Load())
		for verdict := range verdicts {
			if n := s.verdicts[verdict].Load(); n > 0 {
				item.Verdicts[verdict.String()] += n
				if verdict != VerdictExpired {
					item.Count += n
				}
			}
		}
	}
	item.Last = time.Unix(last, 0).UTC()
	if item.Last.Before(item.First) {
		item.Last = item.First
	}
	f := entry.facts.Load()
	item.Hosts, item.Domains, item.Paths = printable(f.hosts), printable(f.domains), printable(f.paths)
	item.SameSite = printable(slices.DeleteFunc(slices.Clone(f.sameSite), func(s string) bool { return s == "" }))
	item.noSameSite = slices.Contains(f.sameSite, "")
	item.Lifetime = int64(f.longest / time.Second)
	item.Session, item.Insecure, item.Scripted = f.session, f.insecure, f.scripted
	return item
}

func printable(words []string) (clean []string) {
	for _, word := range words {
		clean = append(clean, Printable(word))
	}
	return clean
}

// Drift is where a portal and its policy differ.
type Drift struct {
	Policy   string    `json:"policy"`
	Digest   string    `json:"digest"`
	Since    time.Time `json:"since"`
	At       time.Time `json:"at"`
	Findings []Finding `json:"findings"`
}

// Finding is one difference.
type Finding struct {
	Kind   string `json:"kind"`
	Cookie string `json:"cookie"` // a name that was met, or one that the policy names
	Detail string `json:"detail"`
}

// Kinds of findings.
const (
	FindingUnlisted  = "unlisted"   // met, and no rule names it
	FindingNeverSeen = "never_seen" // named by a rule, and not met since the Observer began; one for all names of a tracker's preset
	FindingLonger    = "longer"     // set for longer than declared
	FindingWeaker    = "weaker"     // set with weaker attributes, or a wider Domain, than the rule says
	FindingNeverRead = "never_read" // necessary, set, and never sent back by a browser
)

// Drift compares what an Observer saw with what the policy says.
func (e *Enforcer) Drift(o *Observer) Drift {
	d := Drift{Policy: e.name, Digest: e.digest, Since: o.since, At: e.now(), Findings: []Finding{}}
	report := e.Report(o)
	seen := map[*rule]map[string]bool{} // rules, and which of their names were met
	for _, item := range report.Cookies {
		r := e.ruleOf(item.name)
		if r == nil {
			where := "met on " + item.Channel + ", at " + strings.Join(item.Hosts, ", ")
			if n := len(d.Findings); n > 0 && d.Findings[n-1].Kind == FindingUnlisted && d.Findings[n-1].Cookie == item.Name {
				d.Findings[n-1].Detail += "; " + where
			} else {
				d.add(FindingUnlisted, item.Name, where)
			}
			continue
		}
		if seen[r] == nil {
			seen[r] = map[string]bool{}
		}
		seen[r][e.names.patternOf(item.name)] = true
		if item.Channel == ChannelSet.String() {
			d.compare(&item, r)
			lives := item.Session || item.Lifetime > 0
			if r.always && lives && item.Verdicts[VerdictLetThrough.String()] > 0 && o.read.find(item.name) == nil {
				d.add(FindingNeverRead, item.Name, "set, and never sent back by a browser")
			}
		}
	}
	since := " since " + d.Since.UTC().Format(time.RFC3339)
	trackers := map[string]bool{} // of which something was met, or it was told that nothing was
	for r := range seen {
		trackers[r.tracker] = true
	}
	for _, r := range e.declared {
		switch {
		case r.tracker == "":
			for _, name := range r.declared.Cookies {
				if !seen[r][name] {
					d.add(FindingNeverSeen, name, "not met"+since)
				}
			}
		case !trackers[r.tracker]:
			trackers[r.tracker] = true
			d.add(FindingNeverSeen, r.declared.Cookies[0], "neither this nor another name of the preset "+r.tracker+" was met"+since)
		}
	}
	sortFindings(d.Findings)
	return d
}

func (d *Drift) add(kind, cookie, detail string) {
	d.Findings = append(d.Findings, Finding{kind, cookie, detail})
}

// compare looks at one cookie that a rule names.
func (d *Drift) compare(item *Item, r *rule) {
	declared := r.declared
	if most := int64(time.Duration(declared.Lifetime) / time.Second); most > 0 && item.Lifetime > most {
		d.add(FindingLonger, item.Name, "lives "+(Duration(item.Lifetime)*Duration(time.Second)).String()+", declared are "+declared.Lifetime.String())
	}
	if declared.Secure && item.Insecure {
		d.add(FindingWeaker, item.Name, "sent without Secure")
	}
	if declared.HTTPOnly && item.Scripted {
		d.add(FindingWeaker, item.Name, "sent without HttpOnly")
	}
	if item.noSameSite && strictness("") < strictness(declared.SameSite) {
		d.add(FindingWeaker, item.Name, "sent without SameSite, declared is "+declared.SameSite)
	}
	for _, sameSite := range item.SameSite {
		if declared.SameSite != "" && strictness(sameSite) < strictness(declared.SameSite) {
			d.add(FindingWeaker, item.Name, "sent with SameSite="+sameSite+", declared is "+declared.SameSite)
		}
	}
	for _, domain := range item.Domains {
		if len(r.domains) > 0 && !slices.Contains(r.domains, domain) {
			d.add(FindingWeaker, item.Name, "sent with Domain="+domain+", declared are "+strings.Join(r.domains, ", "))
		}
	}
}

// sortItems sorts by name, what the portal sets before what browsers send.
func sortItems(items []Item) {
	slices.SortFunc(items, func(a, b Item) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(b.Channel, a.Channel))
	})
}

// sortFindings sorts by kind, then by cookie.
func sortFindings(findings []Finding) {
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Cookie, b.Cookie))
	})
}
