package enforcer

import (
	"strings"
	"time"
)

// newest is a preference cookie that the response itself sets or deletes: it carries a newer choice than the request.
type newest struct {
	cookie   string
	value    string
	deleted  bool
	doubtful bool // some browsers keep it, some may take it for a deletion: then what the request brought counts as well
}

// readNewest looks for lines by which the response itself sets or deletes the preference: they carry the visitor's newest choice, by which
// the response's own cookies are judged.
func (v *Visit) readNewest(header map[string][]string, f *fields) {
	if len(v.enforcer.preferences) == 0 {
		return
	}
	written := v.newestIn(nil, header, f.setCookie)
	if f.odd {
		for key, lines := range header {
			if key != "Set-Cookie" && kindOf(key) == setCookieField {
				written = v.newestIn(written, header, lines)
			}
		}
	}
	switch {
	case written != nil:
		v.read, v.rewritten = true, true
		v.readPreference(written)
		// Cookies that were granted when the request came may not be now.
		v.expirable = v.expirable || len(v.cookies()) > 0
	case v.rewritten: // by an informational response, whose cookies browsers do not store
		v.read, v.rewritten = false, false
	}
}

func (v *Visit) newestIn(written []newest, header map[string][]string, lines []string) []newest {
	for _, line := range lines {
		if line == "" || !v.enforcer.initials[line[0]] {
			continue // most lines
		}
		cookie := v.enforcer.preferenceNamed(line)
		if cookie == "" {
			continue
		}
		long := past{now: v.enforcer.now, header: header}
		var j judgement
		if v.judge(line, &long, &j); j.verdict != VerdictRefused {
			a := j.cookie.readAttributes()
			if !j.cookie.storable() || a.refused || !v.acceptsDomain(normalDomain(a.domain)) {
				continue // browsers drop it, and keep what they have
			}
			n := newest{cookie: cookie, value: j.cookie.value, deleted: a.deletes(&long)}
			if expires, ok := latestDate(a.expires); ok && !n.deleted {
				n.doubtful = !expires.After(v.enforcer.now().Add(time.Duration(day)))
			}
			written = append(written, n)
		}
	}
	return written
}

// preferenceNamed returns the name of the preference that a line writes, or nothing.
func (e *Enforcer) preferenceNamed(line string) string {
	line = trimLeft(line)
	for i := range e.preferences {
		cookie := e.preferences[i].cookie
		if strings.HasPrefix(line, cookie) {
			if name, _, found := strings.Cut(line[len(cookie):], "="); found && trim(name) == "" {
				return cookie
			}
		}
	}
	return ""
}
