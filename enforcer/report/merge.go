package report

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Different stands for a digest if the policies of several gateways have one name and different
// digests.
const Different = "different"

// Answer is what one gateway answered about a policy.
type Answer[T Inventory | Drift] struct {
	Gateway string // its address
	Report  T
}

// MergeInventories adds up what several gateways answered about the policy of one name. Since is the
// latest start among them and At the latest answer; counts before Since are included. Inventories of
// different digests are not added up: each item and origin then has the digest under which it was
// counted. The findings about the gateways are added to those of the merging.
func MergeInventories(policy string, answers []Answer[Inventory], gateways []Finding) Inventory {
	merged := Inventory{Policy: policy, Cookies: []Item{}, Findings: slices.Clone(gateways)}
	groups := byDigest(answers, func(i Inventory) string { return i.Digest })
	for _, g := range groups {
		for _, inventory := range g.reports {
			merged.Since, merged.At = later(merged.Since, inventory.Since), later(merged.At, inventory.At)
			merged.Overflow += inventory.Overflow
		}
		merged.Digest = g.digest
		items, origins := mergeItems(g.reports), mergeOrigins(g.reports)
		if len(groups) > 1 {
			for i := range items {
				items[i].Digest = g.digest
			}
			for i := range origins {
				origins[i].Digest = g.digest
			}
		}
		merged.Cookies = append(merged.Cookies, items...)
		merged.Origins = append(merged.Origins, origins...)
	}
	if len(groups) > 1 {
		merged.Digest = Different
		merged.Findings = append(merged.Findings, differs(groups))
	}
	sortItems(merged.Cookies)
	sortOrigins(merged.Origins)
	sortFindings(merged.Findings)
	return merged
}

// MergeDrifts joins what several gateways found about the policy of one name. That something was never
// met is true only if none of the gateways with the same digest met it. If digests differ, each
// finding has its own. The findings about the gateways are added to those of the merging.
func MergeDrifts(policy string, answers []Answer[Drift], gateways []Finding) Drift {
	merged := Drift{Policy: policy, Findings: append([]Finding{}, gateways...)}
	groups := byDigest(answers, func(d Drift) string { return d.Digest })
	for _, g := range groups {
		for _, drift := range g.reports {
			merged.Since, merged.At = later(merged.Since, drift.Since), later(merged.At, drift.At)
		}
		merged.Digest = g.digest
		findings := mergeFindings(g.reports)
		if len(groups) > 1 {
			for i := range findings {
				findings[i].Digest = g.digest
			}
		}
		merged.Findings = append(merged.Findings, findings...)
	}
	if len(groups) > 1 {
		merged.Digest = Different
		merged.Findings = append(merged.Findings, differs(groups))
	}
	sortFindings(merged.Findings)
	return merged
}

// group is the answers of all gateways whose policy has one digest.
type group[T Inventory | Drift] struct {
	digest   string
	gateways []string
	reports  []T
}

// byDigest returns the answers in groups, in the order of the digests.
func byDigest[T Inventory | Drift](answers []Answer[T], digest func(T) string) (groups []*group[T]) {
	known := map[string]*group[T]{}
	for _, a := range answers {
		d := digest(a.Report)
		if known[d] == nil {
			known[d] = &group[T]{digest: d}
		}
		known[d].gateways = append(known[d].gateways, a.Gateway)
		known[d].reports = append(known[d].reports, a.Report)
	}
	for _, d := range slices.Sorted(maps.Keys(known)) {
		groups = append(groups, known[d])
	}
	return groups
}

// differs returns the finding that the digests of gateways differ.
func differs[T Inventory | Drift](groups []*group[T]) Finding {
	var parts []string
	for _, g := range groups {
		gateways := slices.Sorted(slices.Values(g.gateways))
		parts = append(parts, "digest "+g.digest+" on "+strings.Join(gateways, ", "))
	}
	return Finding{Kind: Differs, Detail: strings.Join(parts, "; ")}
}

// mergeItems adds up the items of inventories with one digest.
func mergeItems(inventories []Inventory) (merged []Item) {
	type key struct{ name, channel, mode string }
	items := map[key]int{}
	for _, inventory := range inventories {
		for _, item := range inventory.Cookies {
			k := key{item.Name, item.Channel, item.Mode}
			if at, known := items[k]; known {
				mergeItem(&merged[at], &item)
				continue
			}
			items[k] = len(merged)
			verdicts := map[string]uint64{}
			maps.Copy(verdicts, item.Verdicts)
			item.Verdicts = verdicts
			merged = append(merged, item)
		}
	}
	return merged
}

func mergeItem(into, item *Item) {
	if item.First.Before(into.First) {
		into.First = item.First
	}
	into.Last = later(into.Last, item.Last)
	into.Count += item.Count
	into.Missed += item.Missed
	for verdict, n := range item.Verdicts {
		into.Verdicts[verdict] += n
	}
	into.Hosts = union(into.Hosts, item.Hosts)
	into.Domains = union(into.Domains, item.Domains)
	into.Paths = union(into.Paths, item.Paths)
	into.SameSite = union(into.SameSite, item.SameSite)
	into.Lifetime = max(into.Lifetime, item.Lifetime)
	into.Session = into.Session || item.Session
	into.Insecure = into.Insecure || item.Insecure
	into.MissingHTTPOnly = into.MissingHTTPOnly || item.MissingHTTPOnly
}

// mergeFindings joins the findings of drifts with one digest.
func mergeFindings(drifts []Drift) (merged []Finding) {
	type subject struct{ kind, cookie string }
	gateways := map[subject]int{} // how many found it; never_seen counts for never_read too
	for _, d := range drifts {
		counted := map[subject]bool{}
		for _, f := range d.Findings {
			kinds := []string{f.Kind}
			if f.Kind == NeverSeen {
				kinds = append(kinds, NeverRead)
			}
			for _, kind := range kinds {
				if s := (subject{kind, f.Subject()}); !counted[s] {
					counted[s] = true
					gateways[s]++
				}
			}
		}
	}
	often := map[string]bool{} // origins that are not rare on all gateways
	for _, d := range drifts {
		for _, f := range d.Findings {
			often[f.Origin] = often[f.Origin] || f.Counts() && f.Kind != NeverSeen
		}
	}
	added := map[Finding]int{}
	for _, d := range drifts {
		for _, f := range d.Findings {
			if f.Kind == Rare && often[f.Origin] {
				continue
			}
			key := f
			if f.Kind == NeverSeen || f.Kind == NeverRead {
				if gateways[subject{f.Kind, f.Subject()}] < len(drifts) {
					continue
				}
				key.Detail = "" // it tells a time, which differs from gateway to gateway
			}
			at, known := added[key]
			if !known {
				added[key] = len(merged)
				merged = append(merged, f)
				continue
			}
			merged[at].Detail = max(merged[at].Detail, f.Detail) // of the latest time, since when all observe
		}
	}
	return merged
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// union returns the strings of both lists in their order.
func union(a, b []string) []string {
	if len(b) == 0 {
		return a
	}
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
