package enforcer

import (
	"iter"
	"maps"
	"slices"
	"strings"
)

// protect keeps a response out of shared caches, if it carries cookies, and tells caches what else it depends on.
//
// RFC 9111 lets a shared cache keep a response with Set-Cookie and replay it to others. One that carries cookies becomes private. One from
// which nothing was taken by consent stays as cacheable as the portal said; one on which a verdict depended on consent varies by Cookie,
// and by the header of a signal where that could have decided.
func (v *Visit) protect(header map[string][]string, f *fields) {
	if f.caches && (v.varies || v.carries) {
		f.vary = gather(header, "Vary")
		f.cacheControl = gather(header, "Cache-Control")
	}
	if v.varies {
		f.vary = addVary(header, f.vary, "Cookie")
		for i := range v.enforcer.signals {
			if v.signalled&(1<<i) != 0 {
				f.vary = addVary(header, f.vary, v.enforcer.signals[i].header)
			}
		}
	}
	if v.carries {
		if f.caches { // only those of one maker are left under other keys
			maps.DeleteFunc(header, func(key string, _ []string) bool { return kindOf(key) == cacheField })
		}
		makePrivate(header, f.cacheControl)
	}
}

// cacheFields tell caches what to keep: the two that are for all of them, and behind these those for caches of one maker, or near the server
// (RFC 9213 and its forerunners).
var cacheFields = [...]string{"Cache-Control", "Vary", "Surrogate-Control", "Cdn-Cache-Control", "Cloudflare-Cdn-Cache-Control",
	"Vercel-Cdn-Cache-Control", "Netlify-Cdn-Cache-Control", "Akamai-Cache-Control", "Edge-Control", "X-Accel-Expires"}

// cdnFields are those of one maker.
var cdnFields = cacheFields[2:]

// makePrivate takes from a response what lets shared caches keep it, and forbids them to. What browsers may do stays as it was.
func makePrivate(header map[string][]string, lines []string) {
	switch {
	case len(lines) == 0:
		header["Cache-Control"] = []string{"private"}
		return
	case len(lines) == 1 && lines[0] == "private":
		return
	}
	private, shared := false, false
	for _, line := range lines {
		for d := range directives(line) {
			private = private || equalFold(d, "private") || equalFold(d, "no-store")
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
	header["Cache-Control"] = []string{strings.Join(kept, ", ")}
}

// gather puts the lines of a header field that stand under other spellings of its name under the canonical one, and returns all of them.
func gather(header map[string][]string, name string) []string {
	for key, lines := range header {
		if key != name && isField(key, name) {
			delete(header, key)
			header[name] = append(slices.Clip(header[name]), lines...)
		}
	}
	return header[name]
}

// isShared says whether a directive of Cache-Control speaks to shared caches only (RFC 9111 section 5.2.2).
func isShared(directive string) bool {
	name, _, _ := strings.Cut(directive, "=")
	name = trim(name)
	return equalFold(name, "public") || equalFold(name, "s-maxage") || equalFold(name, "proxy-revalidate")
}

// directives goes through the members of a Cache-Control line. A comma in quotes separates nothing.
func directives(line string) iter.Seq[string] {
	return func(yield func(string) bool) {
		start, quoted := 0, false
		for i := 0; i <= len(line); i++ {
			switch {
			case i == len(line) || line[i] == ',' && !quoted:
				if d := trim(line[start:i]); d != "" && !yield(d) {
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

// addVary adds a field's name to the lines of Vary, where it is not there yet, and returns the lines.
func addVary(header map[string][]string, lines []string, name string) []string {
	for _, line := range lines {
		for rest, more := line, true; more; {
			var member string
			member, rest, more = strings.Cut(rest, ",")
			if member = trim(member); member == "*" || len(member) == len(name) && strings.EqualFold(member, name) {
				return lines
			}
		}
	}
	if len(lines) == 0 || trim(lines[len(lines)-1]) == "" {
		lines = append(slices.Clone(lines[:max(0, len(lines)-1)]), name)
	} else {
		lines = slices.Clone(lines)
		lines[len(lines)-1] += ", " + name
	}
	header["Vary"] = lines
	return lines
}

// mayBeShared says whether the portal meant shared caches to keep the response. Where it said nothing, a line that is added makes it private,
// if the policy protects; otherwise a cache might keep it all the same.
func (v *Visit) mayBeShared(header map[string][]string) bool {
	shared, private := !v.enforcer.protects, false
	for _, line := range header["Cache-Control"] {
		for d := range directives(line) {
			name, _, _ := strings.Cut(d, "=")
			private = private || equalFold(d, "private") || equalFold(d, "no-store")
			shared = shared || isShared(d) || equalFold(trim(name), "max-age")
		}
	}
	forCDN := slices.ContainsFunc(cdnFields, func(name string) bool { return len(header[name]) > 0 })
	if private { // to all caches but those that are told otherwise
		return forCDN && !v.enforcer.protects
	}
	return shared || forCDN || len(header["Expires"]) > 0
}
