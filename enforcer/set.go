package enforcer

import (
	"slices"
	"strings"
)

// FilterResponse takes out of a response's header map, in place, every cookie that the policy does not let through for this visitor:
// Set-Cookie lines under any spelling of the key, also as a trailer ([net/http.TrailerPrefix]), and Set-Cookie2 whole. What is let through
// stays byte for byte and in order. Filtering twice does no harm.
//
// Lines are moved within their slice; one whose lines are all let through is not touched. A handler must not share a slice of lines between
// responses.
func (v *Visit) FilterResponse(header map[string][]string) { v.filter(header) }

// filter is FilterResponse, and returns what it saw before.
func (v *Visit) filter(header map[string][]string) (f fields) {
	f = survey(header)
	v.carries = false
	switch {
	case !f.cookies:
		return f
	case v.settled(&f):
		v.carries = true
		return f
	}
	v.readNewest(header, &f)
	if !f.odd {
		v.filterField(header, "Set-Cookie", f.setCookie)
		return f
	}
	for key, lines := range header {
		switch kindOf(key) {
		case setCookieField:
			v.filterField(header, key, lines)
		case setCookie2Field:
			if !v.enforcer.reports {
				delete(header, key)
			}
		}
	}
	return f
}

func (v *Visit) filterField(header map[string][]string, key string, lines []string) {
	kept := v.filterLines(key, lines, header)
	if key != "Set-Cookie" && v.enforcer.observer != nil {
		v.noteJudged(key, kept)
	}
	switch {
	case len(kept) == 0 && !v.enforcer.reports:
		delete(header, key)
	case len(kept) < len(lines):
		header[key] = kept
	}
	v.carries = v.carries || len(kept) > 0
	if v.passedN = 0; len(kept) <= len(v.passed) {
		v.passedN = uint8(copy(v.passed[:], kept))
	}
}

// settled says whether the header carries just those lines that were let through before. The final header is filtered several times, because
// what is around the handler may hold it back for a while.
func (v *Visit) settled(f *fields) bool {
	return v.completed && v.passedN > 0 && !f.odd && slices.Equal(f.setCookie, v.passed[:v.passedN])
}

// CompleteResponse does what FilterResponse does, to the final header. The first time it also adds to it what belongs to a page: lines that
// remove refused cookies from the browser, and the preference where the policy says that it is sent again.
func (v *Visit) CompleteResponse(header map[string][]string) {
	f := v.filter(header)
	if !v.completed {
		v.completed = true
		v.addToPage(header)
	}
	if v.judged = nil; v.carries {
		v.judged = header["Set-Cookie"]
	}
	if v.enforcer.protects && !v.enforcer.reports {
		v.protect(header, &f)
	}
}

// addToPage adds lines that belong to pages only.
func (v *Visit) addToPage(header map[string][]string) {
	if !v.expirable && !v.enforcer.persists || !v.isNavigation(header) {
		return
	}
	if v.enforcer.persists && !v.enforcer.reports {
		v.persist(header)
	}
	if v.expirable {
		v.expire(header)
	}
}

// isNavigation says whether the response is a page rather than an asset: by the request's Sec-Fetch-Mode, and where the browser sends none
// (old ones, and all of them over plain HTTP) by the response's type.
func (v *Visit) isNavigation(header map[string][]string) bool {
	if mode := v.request.Header["Sec-Fetch-Mode"]; len(mode) > 0 {
		return len(mode) == 1 && mode[0] == "navigate"
	}
	types := header["Content-Type"]
	if len(types) != 1 {
		return false
	}
	media, _, _ := strings.Cut(types[0], ";")
	media = trim(media)
	return equalFold(media, "text/html") || equalFold(media, "application/xhtml+xml")
}

// filterLines moves the lines that are let through to the front, and returns them.
func (v *Visit) filterLines(key string, lines []string, header map[string][]string) []string {
	kept := 0
	judged := v.judgedLines(key)
	long := past{now: v.enforcer.now, header: header}
	for i, line := range lines {
		var j judgement
		v.judge(line, &long, &j)
		if v.enforcer.observer != nil && (i >= len(judged) || judged[i] != line) {
			v.observeLine(&j)
		}
		if v.enforcer.reports {
			if j.verdict != VerdictRefused && v.enforcer.mends {
				v.mend(line, &j, &long) // for what it finds
			}
			kept++
			continue
		}
		if j.verdict == VerdictRefused {
			continue
		}
		mended := line
		if v.enforcer.mends {
			mended = v.mend(line, &j, &long)
		}
		if kept < i || mended != line {
			lines[kept] = mended
		}
		kept++
	}
	return lines[:kept]
}

// judgement is the verdict on one Set-Cookie line, with what was read, the rule for its name, if there is one, and what else is known of it.
type judgement struct {
	cookie  setCookie // without a name where browsers read different ones, or none
	rule    *rule
	known   *known
	verdict Verdict
}

// judge reads a Set-Cookie line into an empty judgement, and gives the verdict on it. What costs most comes last: most lines need little.
func (v *Visit) judge(line string, long *past, j *judgement) {
	j.verdict = VerdictRefused
	c := &j.cookie
	if !c.read(line) {
		c.name = ""
		return
	}
	r, k := v.enforcer.meet(&v.enforcer.set, c.name)
	if k == nil && hasControl(c.name) {
		c.name = ""
		return
	}
	j.rule, j.known = r, k
	granted := r == nil && v.enforcer.unlisted || r != nil && v.grantsResponse(r)
	conditional := r != nil && (len(r.domains) > 0 || len(r.paths) > 0) && !v.hasMoved(line)
	switch {
	case granted && !conditional:
		if !hasControl(line) {
			j.verdict = VerdictLetThrough
		}
		return
	case !granted && c.outlives(long):
		return
	}
	switch a := c.readAttributes(); {
	case hasControl(line):
	case granted && r.accepts(&a):
		j.verdict = VerdictLetThrough
	case c.storable() && a.deletes(long):
		j.verdict = VerdictDeletion
	}
}

// grantsResponse is grants for what goes into the response, which then depends on what the visitor chose.
func (v *Visit) grantsResponse(r *rule) bool {
	granted := v.grants(r)
	if !r.always {
		for _, k := range r.keys {
			v.dependsOn(k)
		}
	}
	return granted
}

// dependsOn notes that the response depends on a key: on the preference, and on the signals that speak where it leaves the key undecided.
func (v *Visit) dependsOn(k int) {
	v.varies = true
	for i := range v.enforcer.signals {
		if v.enforcer.signals[i].keys.has(k) && !v.decided.has(k) && !v.preference.inDoubt() {
			v.signalled |= 1 << i
		}
	}
}
