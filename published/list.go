package published

import (
	"regexp"
	"strings"
)

// entry is an entry of a list that begins with a name: "_ga: counts visitors (2 years)", or
// "_ga (2 years): counts visitors".
var entry = regexp.MustCompile(`^\*{0,2}([^\s:*]+[^\s:]*?)(?:\*\*)?(?:\s+\(([^()]*)\))?\s*(?::\s+|\s+[–—-]\s+|:$)(.*)$`)

// inBrackets is what stands in brackets at the end of an entry.
var inBrackets = regexp.MustCompile(`^(.*\S)\s*\(([^()]*)\)\.?$`)

// readList reads the entries of a list, each of which is a name and its purpose. One of the names must
// look like that of a cookie; without the marks of a list, all of them must.
func (r *reader) readList(items []item, i int) int {
	type found struct {
		line                  int
		name, remark, purpose string
	}
	var entries []found
	strong := 0
	end := i
	for j := i; j < len(items); j++ {
		it := items[j]
		if it.blank() && it.ends == 0 {
			continue
		}
		if it.table != nil || it.ends != 0 || it.level > 0 || it.listed != items[i].listed || len(it.text) > 600 {
			break
		}
		m := entry.FindStringSubmatch(trimBullet(clean(it.text)))
		if m == nil || !readsAsName(m[1]) {
			break
		}
		if looksLikeName(m[1]) && (isKnownName(m[1]) || strings.ContainsAny(m[1], "_-")) {
			strong++
		} else if !it.listed {
			break
		}
		entries = append(entries, found{it.line, m[1], m[2], m[3]})
		end = j + 1
	}
	if strong == 0 {
		return i
	}
	r.note(entries[0].line, Assumed, "the list that begins here is read as names and what they are for")
	for _, e := range entries {
		f := fields{}
		f.add(roleName, e.name)
		if _, ok := isLifetime(e.remark); ok {
			f.add(roleLifetime, e.remark)
		} else if e.remark != "" {
			r.note(e.line, Assumed, "the remark behind the name is left out: %s", quoted(e.remark))
		}
		if m := inBrackets.FindStringSubmatch(e.purpose); m != nil {
			if _, ok := isLifetime(m[2]); ok {
				e.purpose = m[1]
				f.add(roleLifetime, m[2])
			}
		}
		f.add(rolePurpose, e.purpose)
		r.record(e.line, f, false)
	}
	return end
}
