package enforcer

import (
	"slices"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/consent"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/wire"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// Request is what a Visit needs to know of a request.
type Request struct {
	// The header map. [Visit.FilterRequest] changes it in place.
	Header map[string][]string

	// The host that the visitor asked for, with or without a port.
	Host string

	// The path of the URL that the visitor asked for. It is wanted where the policy says load.
	Path string

	// Whether the visitor's own connection is HTTPS, perhaps to a proxy in front.
	HTTPS bool
}

// Visit is one request under a policy. It belongs to one goroutine at a time.
type Visit struct {
	enforcer *Enforcer
	visitor  visitor
	response response
	tally    tally
	began    time.Time // set if the policy persists a preference
}

// Visit begins a request. If the Enforcer has an observer, [Visit.End] must end it.
func (e *Enforcer) Visit(r Request) (v Visit) {
	e.Begin(&v, &r)
	return v
}

// Begin does what [Enforcer.Visit] does, with a Visit that is part of something else. It must be new.
func (e *Enforcer) Begin(v *Visit, r *Request) {
	v.enforcer, v.visitor.enforcer, v.tally.enforcer = e, e, e
	v.visitor.request = *r
	v.tally.observer = e.observer
	v.visitor.keepCookies()
	if e.loading != nil { // handlers may change the header
		v.visitor.asked = e.loading.askedBy(r)
	}
	if e.persists {
		v.began = e.now()
	}
}

// Continue makes the Visit go on with a request that an earlier Visit of the same policy has seen, such
// as in Caddy's error routes: what that one counted is not counted again. It must be called first.
func (v *Visit) Continue(earlier *Visit) {
	v.tally.continued = true
	v.response.adoptCounted(&earlier.response)
}

// Resume makes the Visit go on after one that continued it: the lines that that one counted are not
// counted again.
func (v *Visit) Resume(inner *Visit) { v.response.adoptCounted(&inner.response) }

// forgetWritten forgets a choice that a response wrote: an informational one, whose cookies browsers
// do not store.
func (v *visitor) forgetWritten() {
	if v.fromResponse {
		v.read, v.fromResponse = false, false
	}
}

// mayExpire reports whether the request may have a cookie to remove from the browser. A choice that
// the response writes can refuse what the request's choice granted.
func (v *visitor) mayExpire() bool { return v.expirable || v.fromResponse && len(v.cookies()) > 0 }

// Consent returns what the visitor's preference says about a key, and whether the policy or the
// preference itself knows the key. The response depends on it from then on.
func (v *Visit) Consent(key string) (state policy.Consent, known bool) {
	e := v.enforcer
	v.response.varies = true
	if k, ok := e.keys[key]; ok {
		v.visitor.readOnce()
		v.response.dependsOn(&v.visitor, 1<<k)
		return v.visitor.choice.Consent(k), true
	}
	choice := e.preferences.Read(consent.Keys{key: 0}, v.visitor.cookies(), nil)
	state = choice.Consent(0)
	return state, state != policy.Undecided || e.preferences.Knows(key)
}

// visitor is who makes the request: its header as it came, and the stored choice, which is read once
// and only when a verdict needs it.
type visitor struct {
	enforcer *Enforcer
	request  Request

	// The lines of the Cookie header as they came: almost always one.
	line  [1]string
	lines []string // if there are more

	choice  consent.Choice
	decided consent.Set // the keys that the preference itself decides

	state        policy.PreferenceState // when the choice was read first, for the counts
	lineCount    uint8
	wasRead      bool // the choice was, at some time
	read         bool // the choice is
	fromResponse bool // and it is the one that the response writes
	asked        asked
	expirable    bool // the request has a cookie that a rule names and the request's choice refuses

	trace *trace // nil unless somebody asks why
}

// keepCookies keeps the request's cookies as they came: handlers may change the lines in place.
func (v *visitor) keepCookies() {
	switch lines := v.request.Header["Cookie"]; len(lines) {
	case 0:
	case 1:
		v.line[0], v.lineCount = lines[0], 1
	default:
		v.lines = slices.Clone(lines)
	}
}

// cookies returns the lines of the request's Cookie header as they came.
func (v *visitor) cookies() []string {
	if v.lines != nil {
		return v.lines
	}
	return v.line[:v.lineCount]
}

// grants returns whether the visitor's choice lets a rule's cookies through, as the reason.
func (v *visitor) grants(r *rule) Reason {
	if r.always {
		return RuleIsNecessary
	}
	v.readOnce()
	switch {
	case r.keys&v.choice.Granted != 0:
		return Consented
	case r.anonymous && r.keys&v.choice.Refused == 0 && !v.choice.InDoubt():
		return NotRefused
	}
	return NotConsented
}

// judge returns whether a cookie is let through by its rule, or without one, as the reason.
func (v *visitor) judge(r *rule) Reason {
	switch {
	case r != nil:
		return v.grants(r)
	case v.enforcer.passesUnlisted:
		return UnlistedPasses
	}
	return NotListed
}

// readOnce reads the visitor's choice from the request.
func (v *visitor) readOnce() {
	if !v.read {
		v.read = true
		v.readChoice(nil)
	}
}

// readChoice reads the choice from the request and from what the response writes. Signals refuse the
// keys that it leaves undecided.
func (v *visitor) readChoice(written []consent.Written) {
	v.choice = v.enforcer.preferences.Read(v.enforcer.keys, v.cookies(), written)
	if !v.wasRead {
		v.wasRead, v.state = true, v.choice.State
	}
	v.decided = v.choice.Granted | v.choice.Refused
	for i := range v.enforcer.signals {
		if s := &v.enforcer.signals[i]; v.objects(s.header) && !v.choice.InDoubt() {
			v.choice.Refused |= s.keys &^ v.choice.Granted
		}
	}
	if v.trace != nil {
		v.trace.readings(v, written)
	}
}

// objects reports whether the request has a signal. One field of it is enough.
func (v *visitor) objects(header string) bool {
	for _, value := range v.request.Header[header] {
		if wire.Trim(value) == "1" {
			return true
		}
	}
	return false
}
