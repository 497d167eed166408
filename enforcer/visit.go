package enforcer

import (
	"slices"
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
	cookie     [1]string // the request's Cookie header as it came, if it is one line
	preference preference
	decided    keySet    // keys that the preference itself decides; known where the policy has signals
	began      time.Time // set where the policy needs it, and where something was observed
	passed     [4]string // lines that were let through, if they are so few
	judged     []string  // Set-Cookie lines of the final header that have been counted
	shard      *int      // in which the Observer counts
	hostHash   uint64    // of the request's host, once it is needed
	extra      *details  // what most requests have no need of

	read      bool  // the preference is
	rewritten bool  // and is the one that the response writes
	expirable bool  // the request carries a cookie that a rule names and the visitor does not grant
	completed bool  // the final header has been completed
	ended     bool  // what was counted has been told
	carries   bool  // the response carries a cookie
	varies    bool  // the response depends on the preference
	signalled uint8 // and on these signals, one bit each
	cookieN   uint8 // how many lines the Cookie header has, of one
	passedN   uint8 // how many passed, of a few
}

// Visit begins a request. If the Enforcer has an Observer, [Visit.End] has to end it.
func (e *Enforcer) Visit(r Request) Visit {
	v := Visit{enforcer: e, request: r}
	// A copy, for directives inside may change the header's lines in place, and the visitor's choice is read when it is needed.
	if lines := r.Header["Cookie"]; len(lines) <= len(v.cookie) {
		v.cookieN = uint8(copy(v.cookie[:], lines))
	} else {
		v.details().cookies = slices.Clone(lines)
	}
	if e.persists {
		v.began = e.now()
	}
	return v
}

// cookies are the lines of the request's Cookie header as they came.
func (v *Visit) cookies() []string {
	if v.extra != nil && v.extra.cookies != nil {
		return v.extra.cookies
	}
	return v.cookie[:v.cookieN]
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
