package report

import (
	"slices"
	"time"
)

// Different stands for a digest if merged gateways have different policies.
const Different = "different"

// MergeInventories adds up the inventories of several gateways. Since is the latest start among them
// and At the latest answer; counts before Since are included. Without inventories it is empty.
func MergeInventories(inventories []Inventory) (merged Inventory) {
	type key struct{ name, channel, mode string }
	items := map[key]int{}
	merged.Cookies = []Item{}
	for i, inventory := range inventories {
		if i == 0 {
			merged.Policy, merged.Digest = inventory.Policy, inventory.Digest
		}
		merged.Since, merged.At = later(merged.Since, inventory.Since), later(merged.At, inventory.At)
		merged.Overflow += inventory.Overflow
		if inventory.Digest != merged.Digest {
			merged.Digest = Different
		}
		for _, item := range inventory.Cookies {
			k := key{item.Name, item.Channel, item.Mode}
			if at, known := items[k]; known {
				mergeItem(&merged.Cookies[at], &item)
				continue
			}
			items[k] = len(merged.Cookies)
			merged.Cookies = append(merged.Cookies, item.clone())
		}
	}
	sortItems(merged.Cookies)
	return merged
}

func (i Item) clone() Item {
	verdicts := i.Verdicts
	i.Verdicts = map[string]uint64{}
	for verdict, n := range verdicts {
		i.Verdicts[verdict] = n
	}
	i.Hosts, i.Domains = slices.Clip(i.Hosts), slices.Clip(i.Domains)
	i.Paths, i.SameSite = slices.Clip(i.Paths), slices.Clip(i.SameSite)
	return i
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

// MergeDrifts joins what several gateways found. That something was never met is true only if none
// of them met it. Without drifts the answer is empty.
func MergeDrifts(drifts []Drift) (merged Drift) {
	merged.Findings = []Finding{}
	type subject struct{ kind, cookie string }
	gateways := map[subject]int{} // how many found it; never_seen counts for never_read too
	for i, d := range drifts {
		if i == 0 {
			merged.Policy, merged.Digest = d.Policy, d.Digest
		}
		merged.Since, merged.At = later(merged.Since, d.Since), later(merged.At, d.At)
		if d.Digest != merged.Digest {
			merged.Digest = Different
		}
		counted := map[subject]bool{}
		for _, f := range d.Findings {
			kinds := []string{f.Kind}
			if f.Kind == NeverSeen {
				kinds = append(kinds, NeverRead)
			}
			for _, kind := range kinds {
				if s := (subject{kind, f.Cookie}); !counted[s] {
					counted[s] = true
					gateways[s]++
				}
			}
		}
	}
	added := map[Finding]bool{}
	for _, d := range drifts {
		for _, f := range d.Findings {
			key := f
			if f.Kind == NeverSeen || f.Kind == NeverRead {
				if gateways[subject{f.Kind, f.Cookie}] < len(drifts) {
					continue
				}
				key.Detail = "" // it tells a time, which differs from gateway to gateway
			}
			if !added[key] {
				added[key] = true
				merged.Findings = append(merged.Findings, f)
			}
		}
	}
	sortFindings(merged.Findings)
	return merged
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func union(a, b []string) []string {
	for _, s := range b {
		if !slices.Contains(a, s) {
			a = append(a, s)
		}
	}
	return a
}
