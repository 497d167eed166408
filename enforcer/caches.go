package enforcer

import (
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/wire"
)

// protect keeps a response out of shared caches if it has cookies or shows a visitor's choice, and
// tells caches what else it depends on.
//
// RFC 9111 lets a shared cache store a response with Set-Cookie and replay it to others, and many caches
// do not heed Vary. Such a response becomes private. A response on which a verdict depended on consent varies by Cookie,
// and by the header of each signal that could have decided. Any other response keeps the portal's
// caching headers.
func (f *responseFilter) protect() {
	private := f.state.hasSetCookie || f.state.personal
	if f.scan.otherCaching && (f.state.varies || private) {
		f.scan.vary = gather(f.header, "Vary")
		f.scan.cacheControl = gather(f.header, "Cache-Control")
	}
	if f.state.varies {
		f.addVary("Cookie")
		for i := range f.enforcer.signals {
			if f.state.signals&(1<<i) != 0 {
				f.addVary(f.enforcer.signals[i].header)
			}
		}
	}
	if private {
		if f.scan.otherCaching { // gather has moved the others to their canonical keys
			maps.DeleteFunc(f.header, func(key string, _ []string) bool {
				return fieldOf(key) == otherCachingField
			})
		}
		f.makePrivate()
	}
}

// cacheFields tell caches what to store: the two that are for all caches, and behind these the fields
// for caches of single vendors or near the server (RFC 9213 and its predecessors).
var cacheFields = [...]string{
	"Cache-Control", "Vary",
	"Surrogate-Control", "Cdn-Cache-Control", "Cloudflare-Cdn-Cache-Control",
	"Vercel-Cdn-Cache-Control", "Netlify-Cdn-Cache-Control", "Akamai-Cache-Control", "Edge-Control",
	"X-Accel-Expires", "X-Litespeed-Cache-Control",
}

// makePrivate removes what lets shared caches store a response, and adds private. What browsers may
// do stays as it was.
func (f *responseFilter) makePrivate() {
	lines := f.scan.cacheControl
	switch {
	case len(lines) == 0:
		f.setCacheControl("private")
		return
	case len(lines) == 1 && lines[0] == "private":
		return
	}
	private, shared := false, false
	for _, line := range lines {
		for d := range directives(line) {
			private = private || wire.EqualFold(d, "private") || wire.EqualFold(d, "no-store")
			shared = shared || isShared(d)
		}
	}
	if private && !shared {
		return
	}
	var kept []string
	if !private {
		kept = append(kept, "private") // first: what follows may open a quote that never closes
	}
	for _, line := range lines {
		for d := range directives(line) {
			if !isShared(d) {
				kept = append(kept, d)
			}
		}
	}
	f.setCacheControl(strings.Join(kept, ", "))
}

func (f *responseFilter) setCacheControl(value string) {
	f.scan.cacheControl = f.state.newValue(cacheControlField, value)
	f.header["Cache-Control"] = f.scan.cacheControl
}

// gather moves the lines under other spellings of a header field to the canonical one, and returns all
// of its lines.
func gather(header map[string][]string, name string) []string {
	for key, lines := range header {
		if key != name && isField(key, name) {
			delete(header, key)
			header[name] = append(slices.Clip(header[name]), lines...)
		}
	}
	return header[name]
}

// isShared reports whether a directive of Cache-Control is for shared caches only (RFC 9111 section
// 5.2.2).
func isShared(directive string) bool {
	name, _, _ := strings.Cut(directive, "=")
	name = wire.Trim(name)
	return wire.EqualFold(name, "public") || wire.EqualFold(name, "s-maxage") || wire.EqualFold(name, "proxy-revalidate")
}

// directives iterates over the members of a Cache-Control line. A comma in quotes does not separate.
func directives(line string) iter.Seq[string] {
	return func(yield func(string) bool) {
		start, quoted := 0, false
		for i := 0; i <= len(line); i++ {
			switch {
			case i == len(line) || line[i] == ',' && !quoted:
				if d := wire.Trim(line[start:i]); d != "" && !yield(d) {
					return
				}
				start = i + 1
			case line[i] == '\\' && quoted:
				i++
			case line[i] == '"':
				quoted = !quoted
			}
		}
	}
}

// addVary adds the name of a field to Vary, if it is not there yet.
func (f *responseFilter) addVary(name string) {
	lines := f.scan.vary
	for _, line := range lines {
		for rest, more := line, true; more; {
			var member string
			member, rest, more = strings.Cut(rest, ",")
			if member = wire.Trim(member); member == "*" ||
				len(member) == len(name) && strings.EqualFold(member, name) {
				return
			}
		}
	}
	last := len(lines) - 1
	switch {
	case last < 0:
		lines = f.state.newValue(varyField, name)
	case wire.Trim(lines[last]) == "":
		lines = append(slices.Clone(lines[:last]), name)
	default:
		lines = slices.Clone(lines)
		lines[last] += ", " + name
	}
	f.scan.vary, f.header["Vary"] = lines, lines
}

// mayBeShared reports whether a shared cache may store the response. If the portal said nothing about
// that, adding a line makes the response private, provided that the policy protects; otherwise a cache
// might store it.
func (f *responseFilter) mayBeShared() bool {
	shared, private := !f.enforcer.protects, false
	for _, line := range f.header["Cache-Control"] {
		for d := range directives(line) {
			name, _, _ := strings.Cut(d, "=")
			private = private || wire.EqualFold(d, "private") || wire.EqualFold(d, "no-store")
			shared = shared || isShared(d) || wire.EqualFold(wire.Trim(name), "max-age")
		}
	}
	forCDN := false
	if f.scan.otherCaching {
		for key, lines := range f.header {
			forCDN = forCDN || fieldOf(key) == otherCachingField && len(lines) > 0
		}
	}
	if private { // except for caches with a field of their own
		return forCDN && !f.enforcer.protects
	}
	return shared || forCDN || len(f.header["Expires"]) > 0
}
