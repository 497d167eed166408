package published

import (
	"strings"
)

// label is a word before a colon that says what follows, and what follows.
type label struct {
	role  role
	value string
}

// labelsIn splits a line into labels and values. ok is false if it does not begin with a label.
func labelsIn(text string) (labels []label, ok bool) {
	text = trimBullet(clean(text))
	if !strings.ContainsAny(text, ":：") {
		return nil, false
	}
	text = strings.NewReplacer("**", "", "：", ":").Replace(text)
	parts := strings.Split(text, ":")
	found, strict := lineHead(parts[0])
	if found == noRole || !strict {
		return nil, false
	}
	if len(parts) > 24 { // more than any row has
		parts = append(parts[:23:23], strings.Join(parts[23:], ":"))
	}
	labels = []label{{role: found}}
	for i, part := range parts[1:] {
		last := &labels[len(labels)-1]
		value, next, r := part, "", noRole
		if i+2 < len(parts) {
			value, next, r = trailingLabel(part)
		}
		if last.value != "" {
			last.value += ":"
		}
		last.value += value
		if next != "" {
			labels = append(labels, label{role: r})
		}
	}
	for i := range labels {
		labels[i].value = strings.Trim(strings.TrimSpace(labels[i].value), "|;,–- ")
	}
	return labels, true
}

// trailingLabel splits off the heading with which a text ends, of one to four words.
func trailingLabel(text string) (value, head string, r role) {
	fields := strings.Fields(text)
	for n := min(4, len(fields)); n > 0; n-- {
		head := strings.Join(fields[len(fields)-n:], " ")
		if found, strict := headCell(head); found != noRole && strict && startsUpper(head) {
			return strings.Join(fields[:len(fields)-n], " "), head, found
		}
	}
	return text, "", noRole
}

// readLabels reads lines that begin with labels: "Name: …", "Expiry: …". A cookie begins with its
// name, as a label or as the line above the labels, and ends where a label comes again.
func (r *reader) readLabels(items []item, i int) int {
	f := fields{}
	var names []string
	line, start := items[i].line, i
	if _, ok := labelsIn(items[i].text); !ok && !isTermLabel(items, i) {
		// The name alone, with labels below it.
		name := trimBullet(strings.TrimSpace(items[i].text))
		next := i + 1
		for next < len(items) && items[next].blank() && next < i+3 {
			next++
		}
		if next >= len(items) || items[next].table != nil || len(strings.Fields(name)) > 3 || !readsAsName(name) {
			return i
		}
		if items[i].term {
			return r.readTerm(items, i, name)
		}
		if below, ok := labelsIn(items[next].text); !ok || below[0].role == roleName || items[next].level > 0 {
			return i
		}
		names, start = []string{name}, next
		f.add(roleName, name)
	}
	end := i
	count := 0
	flush := func() {
		if len(f[roleName]) == 0 && count > 1 {
			r.note(line, NotUnderstood, "what stands here is left out: it names no cookie (%s)", quoted(f.summary()))
		} else if len(f[roleName]) > 0 {
			r.record(line, f, "")
		}
		f, count = fields{}, 0
	}
	blank, empty := false, false
	var last role
	for j := start; j < len(items); j++ {
		it := items[j]
		if it.blank() {
			blank = true
			continue
		}
		labels, ok := labelsIn(it.text)
		if it.table != nil || it.ends != 0 || it.level > 0 {
			break
		}
		if !ok && isTermLabel(items, j) {
			found, _ := headCell(it.text)
			labels, ok = []label{{found, clean(items[j+1].text)}}, true
			j++
		}
		if !ok {
			if empty && last != noRole { // the value stands below its label
				f.add(last, clean(it.text))
				end, empty, blank = j+1, false, false
				continue
			}
			head, _, found := strings.Cut(it.text, ":")
			if found && !blank && count > 0 && len(strings.Fields(head)) <= 4 && startsUpper(strings.TrimSpace(head)) {
				r.note(it.line, Assumed, "%s is left out: what it says is not known", quoted(it.text))
				end = j + 1
				continue
			}
			if !blank && last == rolePurpose && len(f[rolePurpose]) > 0 && goesOn(strings.TrimSpace(it.text)) {
				f[rolePurpose][len(f[rolePurpose])-1] = append(f[rolePurpose][len(f[rolePurpose])-1], clean(it.text))
				end = j + 1
				continue
			}
			break
		}
		for _, l := range labels {
			if l.role == roleName && !readsAsName(l.value) && len(f) == 0 && len(labels) == 1 &&
				len(candidates(l.value)) == 0 {
				return max(end, i) // "Cookies: small files that …"
			}
			again := len(f[l.role]) > 0 &&
				(l.role != rolePurpose || len(f[roleName]) > 0 && names == nil)
			if again && (l.role == roleName || count > 0) {
				flush()
				line = it.line
			}
			if len(f) == 0 || l.role == roleName {
				line = it.line
			}
			f.add(l.role, l.value)
			last, empty = l.role, l.value == ""
			count++
		}
		blank = false
		end = j + 1
	}
	if end == i && names == nil {
		return i
	}
	if names == nil && count == 1 && len(f[roleName]) == 0 {
		return i // one label alone is a sentence
	}
	flush()
	return end
}

// isTermLabel reports whether item i is a term of a list of definitions that is a label, with its value
// behind it.
func isTermLabel(items []item, i int) bool {
	if !items[i].term || i+1 >= len(items) {
		return false
	}
	found, strict := headCell(items[i].text)
	return found != noRole && strict && items[i+1].table == nil && !items[i+1].term && items[i+1].ends == 0
}

// readTerm reads a term that is a name, and its definitions: labels, or the purpose.
func (r *reader) readTerm(items []item, i int, name string) int {
	if !looksLikeName(strings.Fields(name)[0]) {
		return i
	}
	f := fields{}
	f.add(roleName, name)
	j := i + 1
	for ; j < len(items); j++ {
		it := items[j]
		if it.blank() {
			continue
		}
		if it.table != nil || it.ends != 0 || it.level > 0 || it.term {
			break
		}
		if !it.definition {
			break
		}
		labels, ok := labelsIn(it.text)
		if !ok {
			labels = []label{{rolePurpose, clean(it.text)}}
		}
		for _, l := range labels {
			f.add(l.role, l.value)
		}
	}
	r.record(items[i].line, f, "")
	return j
}
