package published

import (
	"regexp"
	"slices"
	"strings"
)

// entry is an entry of a list that begins with a name: "_ga: counts visitors (2 years)", or
// "_ga (2 years): counts visitors".
var entry = regexp.MustCompile(`^\*{0,2}([^\s:*]+(?:,\s[^\s:,]+)*[^\s:]*?)(?:\*\*)?(?:\s+\(([^()]*)\))?\s*(?::\s+|\s+[–—-]\s+|:$)(.*)$`)

// inBrackets is what stands in brackets at the end of an entry.
var inBrackets = regexp.MustCompile(`^(.*\S)\s*\(([^()]*)\)\.?$`)

// readList reads the entries of a list, each of which is a name and its purpose. One of the names must
// look like that of a cookie; without the marks of a list, all of them must.
func (r *reader) readList(items []item, i int) int {
	type found struct {
		line                  int
		name, remark, purpose string
		word                  bool // nothing but its place tells the name from a word
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
		all := pieces([]string{m[1]})
		if len(all) > 1 && slices.ContainsFunc(all, func(s string) bool { return !looksLikeName(s) }) {
			break
		}
		first := all[0]
		named := looksLikeName(first) && (isKnownName(first) || strings.ContainsAny(first, "_-"))
		if named {
			strong++
		} else if !it.listed {
			break
		}
		marked := slices.ContainsFunc(it.marks, func(mark string) bool { return clean(mark) == m[1] })
		word := !named && !looksLikeName(first) && !marked
		entries = append(entries, found{it.line, m[1], m[2], m[3], word})
		end = j + 1
	}
	if strong == 0 {
		return i
	}
	r.note(entries[0].line, Assumed, "the list that begins here is read as names and what they are for")
	for _, e := range entries {
		f := fields{}
		f.add(roleName, e.name)
		if saysLifetime(e.remark) {
			f.add(roleLifetime, e.remark)
		} else if p, ok := providerAt(e.remark); ok && p == e.remark {
			f.add(roleProvider, e.remark)
		} else if e.remark != "" {
			r.note(e.line, Assumed, "the remark behind the name is left out: %s", quoted(e.remark))
		}
		if m := inBrackets.FindStringSubmatch(e.purpose); m != nil {
			if saysLifetime(m[2]) {
				e.purpose = m[1]
				f.add(roleLifetime, m[2])
			}
		}
		f.takeParts(e.purpose)
		doubt := ""
		if e.word && len(f[roleLifetime]) == 0 {
			doubt = "it may be a word rather than the name of a cookie"
		}
		r.record(e.line, f, doubt)
	}
	return end
}
