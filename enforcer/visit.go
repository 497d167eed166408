package enforcer

import "strings"

// Visit is one request under a policy: what the visitor prefers, read once and only when a verdict needs it, and the response's filter.
// A Visit belongs to one request; it is not for two goroutines at once.
type Visit struct {
	enforcer   *Enforcer
	cookies    []string
	preference preference
	read       bool // the preference is
}

// Visit begins a request, given the lines of its Cookie header. They are read later, and must not change until then.
func (e *Enforcer) Visit(cookies []string) Visit { return Visit{enforcer: e, cookies: cookies} }

// FilterResponse takes out of a response's header map, in place, every cookie that the policy does not let through for this visitor:
// Set-Cookie lines under any spelling of the key, also as a trailer ([net/http.TrailerPrefix]), and Set-Cookie2 whole. What is let through
// stays byte for byte and in order; a slice of lines that are all let through is not touched. Filtering twice does no harm.
func (v *Visit) FilterResponse(header map[string][]string) {
	for key, lines := range header {
		if len(key) < len("Set-Cookie") {
			continue
		}
		switch key[0] {
		case 'S', 's', 'T', ' ', '\t':
			v.filterField(header, key, lines)
		}
	}
}

func (v *Visit) filterField(header map[string][]string, key string, lines []string) {
	name := trim(strings.TrimPrefix(key, "Trailer:"))
	if equalFold(name, "set-cookie2") { // RFC 6265 section 9.4 retired it; browsers ignore it, other clients may not
		delete(header, key)
		return
	}
	if !equalFold(name, "set-cookie") {
		return
	}
	switch kept := v.filterLines(lines, header["Date"]); {
	case len(kept) == 0:
		delete(header, key)
	case len(kept) < len(lines):
		header[key] = kept
	}
}

// filterLines moves the lines that are let through to the front, and returns them.
func (v *Visit) filterLines(lines, dates []string) []string {
	kept := 0
	long := past{now: v.enforcer.now, dates: dates}
	for i, line := range lines {
		if !v.letsThrough(line, &long) {
			continue
		}
		if kept < i {
			lines[kept] = line
		}
		kept++
	}
	return lines[:kept]
}

// letsThrough is the verdict on one Set-Cookie line.
func (v *Visit) letsThrough(line string, long *past) bool {
	c, ok := readSetCookie(line)
	if !ok {
		return false
	}
	var r *rule
	if len(c.name) <= maxPair {
		r = v.enforcer.names.find(c.name)
	}
	granted := r == nil && v.enforcer.unlisted || r != nil && v.grants(r)
	if granted && (r == nil || len(r.domains) == 0 && len(r.paths) == 0) {
		return true
	}
	a := c.readAttributes()
	return granted && r.accepts(&a) || c.storable() && a.deletes(long)
}

// grants says whether the visitor's choices let a rule's cookies through.
func (v *Visit) grants(r *rule) bool {
	if r.always {
		return true
	}
	if !v.read {
		v.preference, v.read = v.enforcer.readPreference(v.cookies), true
	}
	p := &v.preference
	refused := false
	for _, k := range r.keys {
		if p.granted.has(k) {
			return true
		}
		refused = refused || p.refused.has(k)
	}
	return r.anonymous && !refused && (p.state == preferenceNone || p.state == preferenceValid)
}
