package enforcer

import (
	"slices"
	"time"
)

// MergeReports adds up what several gateways met. There is at least one. The answer speaks of the time that all of them
// observed.
func MergeReports(reports []Report) Report {
	merged := reports[0]
	for _, r := range reports[1:] {
		merged.Since, merged.At = later(merged.Since, r.Since), later(merged.At, r.At)
		merged.Overflow += r.Overflow
		if r.Digest != merged.Digest {
			merged.Digest = "different"
		}
		for _, item := range r.Cookies {
			i := slices.IndexFunc(merged.Cookies, func(m Item) bool { return m.Name == item.Name && m.Channel == item.Channel })
			if i < 0 {
				merged.Cookies = append(merged.Cookies, item)
			} else {
				mergeItem(&merged.Cookies[i], &item)
			}
		}
	}
	sortItems(merged.Cookies)
	return merged
}

func mergeItem(into, item *Item) {
	if item.First.Before(into.First) {
		into.First = item.First
	}
	into.Last = later(into.Last, item.Last)
	into.Count += item.Count
	if into.Verdicts == nil {
		into.Verdicts = map[string]uint64{}
	}
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
	into.Scripted = into.Scripted || item.Scripted
}

// MergeDrifts joins what several gateways found. There is at least one. That something was never met is true only if none of them
// met it.
func MergeDrifts(drifts []Drift) Drift {
	merged := drifts[0]
	merged.Findings = []Finding{}
	for _, d := range drifts {
		merged.Since, merged.At = later(merged.Since, d.Since), later(merged.At, d.At)
		if d.Digest != merged.Digest {
			merged.Digest = "different"
		}
	}
	for _, d := range drifts {
		for _, f := range d.Findings {
			missing := f.Kind == FindingNeverSeen || f.Kind == FindingNeverRead
			same := func(g Finding) bool {
				return g.Kind == f.Kind && g.Cookie == f.Cookie && (missing || g.Detail == f.Detail)
			}
			if slices.ContainsFunc(merged.Findings, same) || missing && !everyGatewayLacks(drifts, f) {
				continue
			}
			merged.Findings = append(merged.Findings, f)
		}
	}
	sortFindings(merged.Findings)
	return merged
}

// everyGatewayLacks says whether each gateway found the same, or never met the cookie at all.
func everyGatewayLacks(drifts []Drift, f Finding) bool {
	for _, d := range drifts {
		if !slices.ContainsFunc(d.Findings, func(g Finding) bool {
			return g.Cookie == f.Cookie && (g.Kind == f.Kind || g.Kind == FindingNeverSeen)
		}) {
			return false
		}
	}
	return true
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
