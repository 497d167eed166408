package enforcer

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// mending is what an operator asked for on lines that are let through. The zero mending changes nothing.
type mending struct {
	maxAge   time.Duration // a longer life is cut to this
	secure   bool
	httpOnly bool
	sameSite string // lower case
}

// mend returns a line with the changes that its rule and the policy ask for, and no others: what is not changed keeps its bytes. A deletion
// is left as it is.
func (v *Visit) mend(line string, j *judgement, long *past) string {
	c := &j.cookie
	var m mending
	if j.rule != nil && j.verdict == VerdictLetThrough {
		m = j.rule.mending
	}
	rewrites := len(v.enforcer.rewrites) > 0
	if !rewrites && m == (mending{}) {
		return line
	}
	e := editor{line: line}
	e.read(len(line) - len(c.attributes))
	if a := c.readAttributes(); a.deletes(long) {
		m = mending{} // but for its Domain, without which it would delete nothing
	}
	if rewrites && !hasPrefixFold(c.name, "__host-") && !v.hasMoved(line) { // such a cookie has no Domain
		e.rewriteDomain(v.enforcer.rewrites)
		v.checkDomain(c.name, e.domainNow())
	}
	if m.maxAge > 0 {
		e.cutLife(m.maxAge, long)
	}
	if m.sameSite != "" {
		e.raiseSameSite(m.sameSite, v.request.HTTPS)
	}
	if (m.secure || m.sameSite == "none") && v.request.HTTPS && e.secure == nil {
		e.append("Secure")
	}
	if m.httpOnly && e.httpOnly == nil {
		e.append("HttpOnly")
	}
	edited := e.edited()
	if e.domain != nil && e.domain.replaced || v.hasMoved(line) {
		v.noteMoved(edited)
	}
	return edited
}

// noteMoved remembers a line whose Domain is another than the portal sent. A header can be filtered more than once, and neither the rules'
// conditions nor other rewrites are meant for the new Domain.
func (v *Visit) noteMoved(line string) {
	d := v.details()
	if d.moved == nil {
		d.moved = map[string]bool{}
	}
	d.moved[line] = true
}

func (v *Visit) hasMoved(line string) bool { return v.extra != nil && v.extra.moved[line] }

// editor changes single attributes of a line.
type editor struct {
	line string

	// The attributes that count, the last of each name (RFC 6265bis section 5.7).
	domain, maxAge, expires, sameSite, secure, httpOnly *span

	spans []span
	added []string
}

// span is one attribute of a line: where it begins, with its semicolon, where it ends, and where its value stands between the two.
type span struct {
	name                             string
	start, end                       int
	valueStart, valueEnd             int
	replacement                      string
	bare, replaced, removed, counted bool // bare: without an equals sign
}

// read finds the attributes. The first begins at the given index, behind the semicolon that ends the pair.
func (e *editor) read(at int) {
	for at < len(e.line) || at == len(e.line) && len(e.line) > 0 && e.line[at-1] == ';' {
		end := len(e.line)
		if semicolon := strings.IndexByte(e.line[at:], ';'); semicolon >= 0 {
			end = at + semicolon
		}
		s := span{start: at - 1, end: end, valueStart: end, valueEnd: end, bare: true, counted: true}
		name := e.line[at:end]
		if equals := strings.IndexByte(name, '='); equals >= 0 {
			value := name[equals+1:]
			name = name[:equals]
			left := len(value) - len(trimLeft(value))
			s.bare = false
			s.valueStart = at + equals + 1 + left
			s.valueEnd = s.valueStart + len(trim(value))
		}
		s.name = trim(name)
		if s.valueEnd-s.valueStart > maxAttributeValue {
			s.counted = false
		}
		e.spans = append(e.spans, s)
		at = end + 1
	}
	for i := range e.spans {
		s := &e.spans[i]
		if !s.counted {
			continue
		}
		switch {
		case equalFold(s.name, "domain"):
			e.domain = s
		case equalFold(s.name, "max-age"):
			e.maxAge = s
		case equalFold(s.name, "expires"):
			e.expires = s
		case equalFold(s.name, "samesite"):
			e.sameSite = s
		case equalFold(s.name, "secure"):
			e.secure = s
		case equalFold(s.name, "httponly"):
			e.httpOnly = s
		}
	}
}

func (e *editor) value(s *span) string {
	if s == nil {
		return ""
	}
	return e.line[s.valueStart:s.valueEnd]
}

func (s *span) replace(value string) { s.replacement, s.replaced = value, true }

// remove takes all attributes of a name out: one of them alone, and an earlier one would count.
func (e *editor) remove(name string) {
	for i := range e.spans {
		s := &e.spans[i]
		s.removed = s.removed || equalFold(s.name, name)
	}
}

func (e *editor) append(attribute string) { e.added = append(e.added, attribute) }

// edited puts the line together again.
func (e *editor) edited() string {
	changed := len(e.added) > 0
	for i := range e.spans {
		changed = changed || e.spans[i].replaced || e.spans[i].removed
	}
	if !changed {
		return e.line
	}
	var b strings.Builder
	at := 0
	for i := range e.spans {
		s := &e.spans[i]
		switch {
		case s.removed:
			b.WriteString(e.line[at:s.start])
			at = s.end
		case s.replaced:
			b.WriteString(e.line[at:s.valueStart])
			if s.bare {
				b.WriteByte('=')
			}
			b.WriteString(s.replacement)
			at = s.valueEnd
		}
	}
	b.WriteString(e.line[at:])
	for _, attribute := range e.added {
		b.WriteString("; ")
		b.WriteString(attribute)
	}
	return b.String()
}

// rewriteDomain puts another Domain in the place of one that the portal uses for its own name, or takes it out.
func (e *editor) rewriteDomain(rewrites []rewrite) {
	if e.domain == nil {
		return
	}
	domain := normalDomain(e.value(e.domain))
	for _, r := range rewrites {
		if r.from != domain {
			continue
		}
		if r.to != "" {
			e.domain.replace(r.to)
		} else {
			e.remove("domain")
		}
		return
	}
}

// domainNow is the line's Domain after rewriting; empty if it has none.
func (e *editor) domainNow() string {
	switch {
	case e.domain == nil || e.domain.removed:
		return ""
	case e.domain.replaced:
		return e.domain.replacement
	}
	return normalDomain(e.value(e.domain))
}

// checkDomain notes a cookie that no browser takes from the visitor's host (RFC 6265bis section 5.7, steps 9 and 10): its Domain has to be that
// host, or one above it that somebody owns.
func (v *Visit) checkDomain(name, domain string) {
	if !v.acceptsDomain(domain) {
		v.details().unusable = Unusable{Name: name, Domain: domain}
	}
}

// acceptsDomain says whether browsers accept a Domain, as they compare it, from the visitor's host.
func (v *Visit) acceptsDomain(domain string) bool {
	host := hostName(v.request.Host)
	_, err := netip.ParseAddr(host)
	isAddress := err == nil // nothing is above it
	return domain == "" || domain == host || !isAddress && strings.HasSuffix(host, "."+domain) && !isPublicSuffix(domain)
}

// Unusable is a cookie of the response whose Domain no browser accepts from the visitor's host.
type Unusable struct{ Name, Domain string }

// Unusable returns such a cookie, if one was met: with each response where the policy rewrites domains, and else, where there is an Observer, with
// the first that brings such attributes.
func (v *Visit) Unusable() (u Unusable, met bool) {
	if v.extra != nil {
		u = v.extra.unusable
	}
	return u, u.Name != ""
}

// cutLife shortens a longer life. Max-Age decides where it is a number, and Expires where it is not (RFC 6265bis section 5.7, step 8).
// A cookie of the session has neither, and stays one.
func (e *editor) cutLife(most time.Duration, long *past) {
	if m := parseMaxAge(e.value(e.maxAge)); m.readBy != noBrowser {
		if limit := int64(most / time.Second); m.seconds > limit {
			e.maxAge.replace(strconv.FormatInt(limit, 10))
			return
		}
		if m.readBy == everyBrowser {
			return
		}
	}
	text := e.value(e.expires)
	if hasDateOfNumbers(text) { // Firefox reads it; to other browsers this is a cookie of the session, and then it is one to all of them
		e.remove("expires")
		return
	}
	if expires, ok := latestDate(text); ok {
		limit := long.earliest().Add(most)
		latest := expires
		if !isInGMT(text) {
			latest = latest.Add(maxZoneShift)
		}
		if !latest.After(limit) {
			return
		}
		if expires.After(limit) {
			expires = limit
		}
		e.expires.replace(expires.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT"))
	}
}

// strictness orders the values of SameSite. One that browsers do not know is as if the attribute were not there: Lax to Chromium, nothing to
// Firefox.
func strictness(sameSite string) int {
	switch {
	case equalFold(sameSite, "none"):
		return 1
	case equalFold(sameSite, "lax"):
		return 2
	case equalFold(sameSite, "strict"):
		return 3
	}
	return 0
}

// raiseSameSite gives a line a stricter SameSite than it has. A line that has none gets what is asked for: not every browser treats it as Lax,
// and `none` is asked for where embedding portals need it; browsers take that over HTTPS only.
func (e *editor) raiseSameSite(sameSite string, https bool) {
	if sameSite == "none" && !https {
		return
	}
	word := strings.ToUpper(sameSite[:1]) + sameSite[1:]
	switch {
	case e.sameSite == nil:
		e.append("SameSite=" + word)
	case strictness(sameSite) > strictness(e.value(e.sameSite)):
		e.sameSite.replace(word)
	}
}
