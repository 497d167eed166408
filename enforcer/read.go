package enforcer

import "strings"

// FilterRequest takes out of the request's Cookie header every cookie that the policy does not let through for this visitor, in place in the
// header map. What stays is byte for byte and in order; nothing left means no header.
func (v *Visit) FilterRequest() {
	if v.enforcer.reports {
		for _, line := range v.cookies() {
			v.filterCookies(line)
		}
		return
	}
	for i, line := range v.cookies() {
		kept, changed := v.filterCookies(line)
		if !changed {
			continue
		}
		// The lines as they came are still needed; the header gets a slice of its own.
		lines := append(make([]string, 0, len(v.cookies())), v.cookies()[:i]...)
		if kept != "" {
			lines = append(lines, kept)
		}
		for _, line := range v.cookies()[i+1:] {
			if kept, _ := v.filterCookies(line); kept != "" {
				lines = append(lines, kept)
			}
		}
		if len(lines) == 0 {
			delete(v.request.Header, "Cookie")
		} else {
			v.request.Header["Cookie"] = lines
		}
		return
	}
}

// filterCookies returns a Cookie line without what is not let through, and whether anything was taken out.
func (v *Visit) filterCookies(line string) (kept string, changed bool) {
	var b strings.Builder
	for start := 0; start <= len(line); {
		end := len(line)
		if semicolon := strings.IndexByte(line[start:], ';'); semicolon >= 0 {
			end = start + semicolon
		}
		pair := line[start:end]
		switch {
		case v.letsRead(pair):
			if changed {
				if b.Len() > 0 {
					b.WriteByte(';')
				} else {
					pair = trimLeft(pair)
				}
				b.WriteString(pair)
			}
		case !changed:
			changed = true
			b.Grow(len(line))
			b.WriteString(strings.TrimSuffix(line[:start], ";"))
		}
		start = end + 1
	}
	if !changed {
		return line, false
	}
	if kept = b.String(); strings.Trim(kept, "; \t") == "" {
		kept = "" // separators of nothing
	}
	return kept, true
}

// letsRead is the verdict on one pair of a Cookie header. A pair without a name is never let through, an empty one holds nothing to refuse.
func (v *Visit) letsRead(pair string) bool {
	name, _, found := strings.Cut(pair, "=")
	if name = trim(name); !found || name == "" {
		if name == "" && !found {
			return true
		}
		if v.enforcer.observer != nil {
			v.observePair("", nil, nil, false)
		}
		return false
	}
	r, k := v.enforcer.meet(&v.enforcer.sent, name)
	granted := r == nil && v.enforcer.unlisted || r != nil && v.grants(r)
	if v.enforcer.observer != nil {
		v.observePair(name, k, r, granted)
	}
	v.expirable = v.expirable || !granted && r != nil
	return granted
}
