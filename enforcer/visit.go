package enforcer

import (
	"slices"
	"strings"
	"time"
)

// Request is what a Visit has to know of a request.
type Request struct {
	// The header map. Visit.FilterRequest changes it in place.
	Header map[string][]string

	// The host that the visitor asked for, with or without a port.
	Host string

	// Whether the visitor's own connection is HTTPS, be it to a proxy in front.
	HTTPS bool
}

// Visit is one request under a policy: what the visitor prefers, read once and only when a verdict needs it, and the filters of request and
// response. A Visit belongs to one request; it is not for two goroutines at once.
type Visit struct {
	enforcer   *Enforcer
	request    Request
	own        [2]string // the request's Cookie header as it came, if it has no more lines
	ownN       int
	more       []string // and if it has
	preference preference
	decided    keySet // keys that the preference itself decides; known where the policy has signals
	read       bool   // the preference is
	rewritten  bool   // and is the one that the response writes
	removable  bool   // the request carries a cookie that a rule names and the visitor does not grant
	completed  bool   // the final header has been completed
	unusable   Unusable
	moved      map[string]bool // lines to which rewrite_domain gave another Domain
	fields     fields          // of the response's header
	carries    bool            // the response carries a cookie
	varies     bool            // the response depends on the preference
	signalled  uint8           // and on these signals, one bit each
	began      time.Time       // set where the policy needs it
	passed     [8]string       // lines that were let through, if they are so few
	passedN    int
	judged     []string // Set-Cookie lines of the final header that have been counted
	shard      *int     // in which the Observer counts
	told       *details // rarely needed
}

// Visit begins a request. If the Enforcer has an Observer, [Visit.End] has to end it.
func (e *Enforcer) Visit(r Request) Visit {
	v := Visit{enforcer: e, request: r}
	// A copy, for directives inside may change the header's lines in place, and the visitor's choice is read when it is needed.
	if lines := r.Header["Cookie"]; len(lines) <= len(v.own) {
		v.ownN = copy(v.own[:], lines)
	} else {
		v.more = slices.Clone(lines)
	}
	if e.persists || e.observer != nil {
		v.began = e.now()
	}
	if e.observer != nil {
		v.shard = e.observer.begin()
	}
	return v
}

// cookies are the lines of the request's Cookie header as they came.
func (v *Visit) cookies() []string {
	if v.more != nil {
		return v.more
	}
	return v.own[:v.ownN]
}

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
					pair = strings.TrimLeft(pair, " \t")
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
			v.observePair("", nil, false)
		}
		return false
	}
	r := v.enforcer.find(name)
	granted := r == nil && v.enforcer.unlisted || r != nil && v.grants(r)
	if v.enforcer.observer != nil {
		v.observePair(name, r, granted)
	}
	v.removable = v.removable || !granted && r != nil
	return granted
}

// FilterResponse takes out of a response's header map, in place, every cookie that the policy does not let through for this visitor:
// Set-Cookie lines under any spelling of the key, also as a trailer ([net/http.TrailerPrefix]), and Set-Cookie2 whole. What is let through
// stays byte for byte and in order. Filtering twice does no harm.
//
// Lines are moved within their slice; one whose lines are all let through is not touched. A handler must not share a slice of lines between
// responses.
func (v *Visit) FilterResponse(header map[string][]string) {
	v.fields = survey(header)
	v.carries = false
	switch {
	case !v.fields.cookies:
		return
	case v.settled(header):
		v.carries = true
		return
	}
	v.readNewest(header)
	if !v.fields.odd {
		v.filterField(header, "Set-Cookie", header["Set-Cookie"])
		return
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
		v.passedN = copy(v.passed[:], kept)
	}
}

// settled says whether the header carries just those lines that were let through before. The final header is filtered several times, because
// what is around the handler may hold it back for a while.
func (v *Visit) settled(header map[string][]string) bool {
	return v.completed && v.passedN > 0 && !v.fields.odd && slices.Equal(header["Set-Cookie"], v.passed[:v.passedN])
}

// fields are what a look at the keys of a header map tells.
type fields struct {
	cookies bool // there are cookies
	odd     bool // and some of them under another key than Set-Cookie
	caches  bool // there are fields for caches under other keys than Cache-Control and Vary
}

// survey looks at the keys of a header map, once: most responses need no more.
func survey(header map[string][]string) (f fields) {
	for key := range header {
		switch kindOf(key) {
		case setCookieField:
			f.cookies, f.odd = true, f.odd || key != "Set-Cookie"
		case setCookie2Field:
			f.cookies, f.odd = true, true
		case cacheField:
			f.caches = true
		}
	}
	return f
}

// CompleteResponse does what FilterResponse does, to the final header. The first time it also adds to it what belongs to a page: lines that
// remove refused cookies from the browser, and the preference where the policy says that it is sent again.
func (v *Visit) CompleteResponse(header map[string][]string) {
	v.FilterResponse(header)
	if !v.completed {
		v.completed = true
		v.addToPage(header)
	}
	v.judged = header["Set-Cookie"]
	if v.enforcer.protects && !v.enforcer.reports {
		v.protect(header)
	}
}

// addToPage adds lines that belong to pages only.
func (v *Visit) addToPage(header map[string][]string) {
	if !v.removable && !v.enforcer.persists || !v.isNavigation(header) {
		return
	}
	if v.enforcer.persists && !v.enforcer.reports {
		v.persist(header)
	}
	if v.removable {
		v.remove(header)
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

// fieldKind tells the header fields that matter from all others.
type fieldKind uint8

const (
	otherField fieldKind = iota
	setCookieField
	setCookie2Field // RFC 6265 section 9.4 retired it; browsers ignore it, other clients may not
	cacheField      // for caches, under another key than Cache-Control and Vary
)

// kindOf reads a key of a header map. Keys that carry cookies may be in any case, with blanks around them, or with the prefix of a trailer.
func kindOf(key string) fieldKind {
	if isCacheField(key) {
		return cacheField
	}
	if len(key) < len("Set-Cookie") {
		return otherField
	}
	switch key[0] {
	case 'S', 's', 'T', ' ', '\t':
	default:
		return otherField
	}
	// Letters outside ASCII count too: HTTP/3 servers lower the case of a key, and the Kelvin sign becomes a k.
	switch name := trim(strings.TrimPrefix(key, "Trailer:")); {
	case strings.EqualFold(name, "set-cookie"):
		return setCookieField
	case strings.EqualFold(name, "set-cookie2"):
		return setCookie2Field
	}
	return otherField
}

// filterLines moves the lines that are let through to the front, and returns them.
func (v *Visit) filterLines(key string, lines []string, header map[string][]string) []string {
	kept := 0
	judged := v.judgedLines(key)
	long := past{now: v.enforcer.now, header: header}
	for i, line := range lines {
		j := v.judge(line, &long)
		if v.enforcer.observer != nil && (i >= len(judged) || judged[i] != line) {
			v.observeLine(&j)
		}
		if v.enforcer.reports {
			if j.verdict != VerdictRefused && len(v.enforcer.rewrites) > 0 {
				v.mend(line, &j, &long) // for what it finds
			}
			kept++
			continue
		}
		if j.verdict == VerdictRefused {
			continue
		}
		if mended := v.mend(line, &j, &long); kept < i || len(mended) != len(line) || mended != line {
			lines[kept] = mended
		}
		kept++
	}
	return lines[:kept]
}

// judgement is the verdict on one Set-Cookie line, with what was read and the rule for its name, if there is one.
type judgement struct {
	cookie  setCookie // without a name where browsers read different ones, or none
	rule    *rule
	verdict Verdict
}

// judge reads a Set-Cookie line and gives the verdict on it.
func (v *Visit) judge(line string, long *past) judgement {
	c, ok := readSetCookie(line)
	if !ok {
		return judgement{verdict: VerdictRefused}
	}
	r := v.enforcer.find(c.name)
	granted := r == nil && v.enforcer.unlisted || r != nil && v.grantsResponse(r)
	if granted && (r == nil || len(r.domains) == 0 && len(r.paths) == 0 || v.moved[line]) {
		return judgement{c, r, VerdictLetThrough}
	}
	switch a := c.readAttributes(); {
	case granted && r.accepts(&a):
		return judgement{c, r, VerdictLetThrough}
	case c.storable() && a.deletes(long):
		return judgement{c, r, VerdictDeletion}
	}
	return judgement{c, r, VerdictRefused}
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

// find returns the rule for a name, or nil. A name longer than browsers store has none.
func (e *Enforcer) find(name string) *rule {
	if len(name) > maxPair {
		return nil
	}
	return e.names.find(name)
}

// grants says whether the visitor's choices let a rule's cookies through.
func (v *Visit) grants(r *rule) bool {
	if r.always {
		return true
	}
	v.readOnce()
	p := &v.preference
	refused := false
	for _, k := range r.keys {
		if p.granted.has(k) {
			return true
		}
		refused = refused || p.refused.has(k)
	}
	return r.anonymous && !refused && !p.inDoubt()
}

// Consent is what the visitor's preference says about a key, and whether the policy or the preference itself knows the key.
// Whoever asks makes the response depend on it.
func (v *Visit) Consent(key string) (consent Consent, known bool) {
	v.varies = true
	if k, ok := v.enforcer.keys[key]; ok {
		v.readOnce()
		v.dependsOn(k)
		return v.preference.consent(k), true
	}
	p := v.enforcer.readPreference(map[string]int{key: 0}, v.cookies(), nil)
	consent = p.consent(0)
	return consent, consent != Undecided || slices.ContainsFunc(v.enforcer.preferences, func(p compiledPreference) bool { return slices.Contains(p.keys, key) })
}

// readOnce reads the visitor's preference, and lets signals refuse what it leaves undecided.
func (v *Visit) readOnce() {
	if v.read {
		return
	}
	v.read = true
	v.readPreference(nil)
}

func (v *Visit) readPreference(written []newest) {
	v.preference = v.enforcer.readPreference(v.enforcer.keys, v.cookies(), written)
	if len(v.enforcer.signals) > 0 {
		v.decided = v.preference.granted.clone()
		v.decided.addAll(v.preference.refused)
	}
	for i := range v.enforcer.signals {
		if s := &v.enforcer.signals[i]; v.objects(s.header) && !v.preference.inDoubt() {
			objected := s.keys.clone()
			objected.removeAll(v.preference.granted)
			v.preference.refused.addAll(objected)
		}
	}
}

// objects says whether the request carries a signal. Any single field of it is enough.
func (v *Visit) objects(header string) bool {
	for _, value := range v.request.Header[header] {
		if trim(value) == "1" {
			return true
		}
	}
	return false
}

// readNewest looks for lines by which the response itself sets or deletes the preference: they carry the visitor's newest choice, by which
// the response's own cookies are judged.
func (v *Visit) readNewest(header map[string][]string) {
	if len(v.enforcer.preferences) == 0 {
		return
	}
	written := v.newestIn(nil, header, header["Set-Cookie"])
	if v.fields.odd {
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
		v.removable = v.removable || len(v.cookies()) > 0
	case v.rewritten: // by an informational response, whose cookies browsers do not store
		v.read, v.rewritten = false, false
	}
}

func (v *Visit) newestIn(written []newest, header map[string][]string, lines []string) []newest {
	long := past{now: v.enforcer.now, header: header}
	for _, line := range lines {
		cookie := v.enforcer.preferenceNamed(line)
		if cookie == "" {
			continue
		}
		if j := v.judge(line, &long); j.verdict != VerdictRefused {
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

// preferenceNamed returns the name of the preference that a line writes, or nothing. It costs next to nothing where it writes none.
func (e *Enforcer) preferenceNamed(line string) string {
	for line != "" && (line[0] == ' ' || line[0] == '\t') {
		line = line[1:]
	}
	for i := range e.preferences {
		if rest, found := strings.CutPrefix(line, e.preferences[i].cookie); found {
			if name, _, _ := strings.Cut(rest, "="); len(name) < len(rest) && trim(name) == "" {
				return e.preferences[i].cookie
			}
		}
	}
	return ""
}
