package policy

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/match"
)

// Load says what the gateway does about third parties that pages load from. The zero Load does
// nothing.
type Load struct {
	// `off` adds nothing to any response. `report` asks browsers, on a sample of pages, to report what
	// a page loads from origins that no necessary rule names: nothing is blocked. `enforce` lets pages
	// load from the origins only that the visitor's choice lets through, with a
	// `Content-Security-Policy` beside the portal's own, and asks for reports as `report` does. A
	// policy in `mode report` never enforces it. Default: `off`.
	Mode string `json:"mode,omitempty"`

	// What may come from anywhere where it is enforced: `image`, `font`, `media`, `style`. Trackers
	// that are pictures get out with `image`.
	Open []string `json:"open,omitempty"`

	// Paths of pages that get no header: exact, or with `*` for any run of characters.
	Except []string `json:"except,omitempty"`

	// The share of pages that ask browsers for reports, as a percentage with its sign. Default: `1%`.
	Sample string `json:"sample,omitempty"`
}

// Values of the words of a Load.
const (
	LoadOff     = "off"
	LoadReport  = "report"
	LoadEnforce = "enforce"
	OpenImage   = "image"
	OpenFont    = "font"
	OpenMedia   = "media"
	OpenStyle   = "style"
)

// ReportPath is where browsers send their reports, on the portal's own host. The portal never sees them.
const ReportPath = "/.cookie-policy/report"

// OpenKinds are the kinds of what pages load that can be open.
var OpenKinds = []string{OpenImage, OpenFont, OpenMedia, OpenStyle}

// openDirectives are the directives of the kinds (CSP 3 section 6.1).
var openDirectives = map[string]string{
	OpenImage: "img-src", OpenFont: "font-src", OpenMedia: "media-src", OpenStyle: "style-src",
}

const defaultSample = "1%"

// withDefaults returns the Load with its defaults written out: the zero Load if it is off.
func (l Load) withDefaults() Load {
	if cmp.Or(l.Mode, LoadOff) == LoadOff {
		return Load{}
	}
	l.Sample = cmp.Or(l.Sample, defaultSample)
	return l
}

// LoadMode returns what the policy does about third parties: `off`, `report` or `enforce`. A policy in
// mode `report` enforces nothing.
func (r *Resolved) LoadMode() string {
	mode := cmp.Or(r.policy.Load.Mode, LoadOff)
	if mode == LoadEnforce && r.Reports() {
		return LoadReport
	}
	return mode
}

// IsOpen reports whether what a directive is about, such as img-src, may come from anywhere.
func (l *Load) IsOpen(directive string) bool {
	return slices.ContainsFunc(l.Open, func(kind string) bool { return openDirectives[kind] == directive })
}

// Excepts returns a function that reports whether a page gets no header, by the path of its URL.
func (l *Load) Excepts() func(path string) bool {
	var paths match.Names[struct{}]
	for _, path := range l.Except {
		paths.Add(path, struct{}{})
	}
	paths.Sort()
	return func(path string) bool {
		_, _, ok := paths.Lookup(path)
		return ok
	}
}

// Share returns the share of pages that ask for reports, from 0 to 1.
func (l *Load) Share() float64 {
	share, _ := parseShare(l.Sample)
	return share
}

// What stands in the policies beside the origins, so that nothing breaks but what comes from third
// parties. Without a nonce, a hash or 'strict-dynamic' these words allow all that is inline, and they
// allow nothing that another policy of the page forbids (CSP 3 section 8.1).
const (
	ownSources  = "'self' 'unsafe-inline' 'unsafe-eval' data: blob: mediastream: filesystem:"
	openSources = "* 'unsafe-inline' data: blob: mediastream: filesystem:"
)

// Sources returns the Content-Security-Policy of pages that may load from the origins, and from
// anywhere what is open.
func Sources(origins, open []string) string {
	var b strings.Builder
	b.WriteString("default-src " + ownSources)
	for _, origin := range origins {
		// Chromium does not let https://host stand for wss://host.
		b.WriteString(" " + origin + " wss" + strings.TrimPrefix(origin, "https"))
	}
	for _, kind := range OpenKinds {
		if slices.Contains(open, kind) {
			b.WriteString("; " + openDirectives[kind] + " " + openSources)
		}
	}
	return b.String()
}

// maxSources bounds the header, so that proxies in front of the gateway and browsers take it.
const maxSources = 4 << 10

func (v *validator) load(p *Policy) {
	l := &p.Load
	v.oneOf("load.mode", l.Mode, LoadOff, LoadReport, LoadEnforce)
	if cmp.Or(l.Mode, LoadOff) == LoadOff && (len(l.Open) > 0 || len(l.Except) > 0 || l.Sample != "") {
		v.fault("load.mode", l.Mode, "with off nothing is added to pages, and here is how to add it",
			"write load report or load enforce, or remove what is in its block")
	}
	v.distinct("load.open", l.Open, func(path, kind string) {
		if !slices.Contains(OpenKinds, kind) {
			v.fault(path, kind, "no such kind of what pages load", wantOneOf(kind, OpenKinds, ""))
		}
	})
	v.distinct("load.except", l.Except, func(path, except string) {
		if !strings.HasPrefix(except, "/") {
			v.fault(path, except, "a path begins with /", "write one such as /backoffice/*")
		}
	})
	if l.Sample == "" {
		return
	}
	share, ok := parseShare(l.Sample)
	switch {
	case !ok:
		v.fault("load.sample", l.Sample, "this is no percentage", "write one from 0% to 100%, such as 1%")
	case share == 0 && l.Mode == LoadReport:
		v.fault("load.sample", l.Sample, "no page asks for reports, and load report does nothing else",
			"write a share such as 1%, or load off")
	}
}

// loadEnforced refuses what a Content-Security-Policy cannot say, once the presets are written out.
func (v *validator) loadEnforced(p *Policy, rules []Rule) {
	if p.Load.Mode != LoadEnforce {
		return
	}
	if p.Unlisted == UnlistedPass {
		v.fault("load.mode", LoadEnforce, "with unlisted pass pages may load from everywhere, "+
			"and a Content-Security-Policy names what they may load from",
			"remove unlisted pass, or write load report")
	}
	type named struct {
		origin, path, preset string
		condition            string
	}
	var before []named
	for i := range rules {
		r := &rules[i]
		for j, origin := range r.Origin {
			this := named{origin, fmt.Sprintf("%s.origin[%d]", r.place.Path, j), r.place.Preset, r.condition()}
			// That of a preset is not written down, unless the operator gave the preset's rules origins.
			if k := slices.IndexFunc(before, func(b named) bool {
				return b.condition != this.condition && (covers(b.origin, origin) || covers(origin, b.origin))
			}); k >= 0 {
				first := before[k]
				if this.preset != "" && first.preset == "" {
					this, first = first, this
				}
				v.conflict(this.path, this.origin, first.origin, first.preset, first.path)
				break
			}
			before = append(before, this)
		}
	}
	if len(v.faults) > 0 {
		return
	}
	all := originsOf(rules, func(*Rule) bool { return true })
	if n := len(Sources(all, p.Load.Open)); n > maxSources {
		v.fault("load.mode", LoadEnforce, fmt.Sprintf(
			"with all origins granted the Content-Security-Policy has %d bytes, and %d are the most", n, maxSources),
			"name fewer origins: one with *. stands for all hosts below a name")
	}
}

// conflict refuses an origin that stands under two conditions.
func (v *validator) conflict(path, origin, other, preset, first string) {
	problem := "another rule with another condition lets pages load from it too"
	if origin != other {
		problem = "another rule with another condition lets pages load from " + other +
			", and a Content-Security-Policy cannot take a host out of a wildcard"
	}
	if preset != "" {
		problem += " (the preset " + preset + ")"
	}
	v.faults = append(v.faults, Fault{Path: path, Word: origin, Problem: problem,
		Right: "give both rules the same consent keys, or name the hosts of each", First: first})
}

// parseShare reads a percentage with its sign.
func parseShare(text string) (share float64, ok bool) {
	number, found := strings.CutSuffix(text, "%")
	percent, err := strconv.ParseFloat(number, 64)
	if !found || err != nil || !(percent >= 0 && percent <= 100) || strings.ContainsAny(number, "eExXnN_+-") {
		return 0, false
	}
	return math.Min(percent/100, 1), true
}
