package enforcer

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/consent"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/wire"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// Explanation tells why a Visit gave its verdicts. It is plain data for people and programs, and holds
// no value of any cookie: names are shown as they can be printed, and of a preference only the states
// of consent keys that the policy knows.
type Explanation struct {
	Policy string `json:"policy"`
	Digest string `json:"digest"`
	Mode   string `json:"mode"`
	Host   string `json:"host"`
	HTTPS  bool   `json:"https"`

	// Each copy of a preference cookie that counted, if a verdict needed one: those that the request
	// brought, and those that the response writes, which can take their place.
	Preferences []ExplainedPreference `json:"preferences"`

	// The signals of the policy by which the browser objects.
	Signals []ExplainedSignal `json:"signals"`

	// Each cookie on each channel, in the order of the headers.
	Verdicts []ExplainedVerdict `json:"verdicts"`

	// For each origin of the policy, whether a page may load from it, if the policy says load. It stands in
	// place of a cookie, and the channel is load.
	Origins []ExplainedVerdict `json:"origins,omitempty"`

	// Preferences that the response sends again (option persist).
	Renewed []string `json:"renewed"`

	// What the response tells caches besides what the portal said.
	Caches []ExplainedCache `json:"caches"`
}

// ExplainedPreference is what one copy of a preference cookie says.
type ExplainedPreference struct {
	Cookie       string `json:"cookie"`
	FromResponse bool   `json:"from_response"` // the response writes it
	State        string `json:"state"`         // valid, too_old, unreadable or contradictory

	// When the choice was made, if the preference tells, and how many seconds it counts; 0 if there is
	// no limit.
	Made   *time.Time `json:"made,omitempty"`
	MaxAge int64      `json:"max_age"`

	// Why it cannot be read or how it contradicts itself, in words, and the byte where reading
	// stopped, counted from 1; 0 if the fault is at no single place. The byte is one of the value as it
	// came if Encoded is set, and otherwise of what percent-encoding and quotes stand for.
	Failure string `json:"failure,omitempty"`
	Byte    int    `json:"byte,omitempty"`
	Encoded bool   `json:"encoded,omitempty"`

	// The consent keys of the policy that it decides: granted or refused.
	Keys map[string]string `json:"keys"`
}

// ExplainedSignal is a signal by which the browser objects.
type ExplainedSignal struct {
	Signal string `json:"signal"` // gpc or dnt
	Header string `json:"header"`
}

// ExplainedVerdict is the verdict on one cookie on one channel, and why it was given.
type ExplainedVerdict struct {
	Channel string `json:"channel"`
	Cookie  string `json:"cookie"`
	Verdict string `json:"verdict"`

	// Why, as a word and as a sentence. For a deletion it is why the line would be refused otherwise.
	Reason Reason `json:"reason"`
	Text   string `json:"text"`

	// The rule that names the cookie; nil if none does.
	Rule *ExplainedRule `json:"rule,omitempty"`

	// The rule's consent keys. A necessary rule has none.
	Keys []ExplainedKey `json:"keys,omitempty"`

	// The attribute that the rule does not accept.
	Condition *ExplainedCondition `json:"condition,omitempty"`

	// What is changed on the line, or in mode report, what would be.
	Changes []string `json:"changes,omitempty"`

	// Where the cookie is removed in the browser, or in mode report, where it would be.
	Removed []ExplainedRemoval `json:"removed,omitempty"`

	// What browsers do with the line that is sent besides: whether they store it, whether they agree
	// about it.
	Notes []string `json:"notes,omitempty"`
}

// ExplainedRule is a rule, and where it was written.
type ExplainedRule struct {
	Label    string          `json:"label"` // the category and the names
	Category policy.Category `json:"category"`
	Pattern  string          `json:"pattern"` // the name or wildcard that matches the cookie

	// The preset that has the rule, if one has, and the path of the field in the JSON config: of the
	// rule, of the preset, or of the preference that makes its cookie necessary.
	Preset string `json:"preset,omitempty"`
	Path   string `json:"path"`

	// The file and line in a Caddyfile, where they are known.
	Where string `json:"where,omitempty"`
}

// ExplainedKey is the state of one consent key, and what it comes from.
type ExplainedKey struct {
	Key   string `json:"key"`
	State string `json:"state"` // granted, refused or undecided

	// The preference cookies or the header of the signal that decide, or why nothing does.
	SaidBy []string `json:"said_by,omitempty"`
	Why    string   `json:"why,omitempty"`
}

// ExplainedCondition is an attribute that a rule does not accept.
type ExplainedCondition struct {
	Attribute string   `json:"attribute"` // Domain or Path
	Value     string   `json:"value"`
	Accepted  []string `json:"accepted"`
}

// ExplainedRemoval is one place in the browser from which a cookie is removed. A cookie without a
// domain belongs to the host.
type ExplainedRemoval struct {
	Domain      string `json:"domain,omitempty"`
	Path        string `json:"path"`
	Partitioned bool   `json:"partitioned,omitempty"`
}

// ExplainedCache is a header field for caches that the response gets, and why.
type ExplainedCache struct {
	Field string `json:"field"`
	Value string `json:"value"` // "" if the field is removed
	Why   string `json:"why"`
}

// Reason is why a verdict was given.
type Reason uint8

// The reasons. Up to UnlistedPasses cookies are let through.
const (
	RuleIsNecessary  Reason = iota // the rule's category
	Consented                      // a consent key of the rule is granted
	NotRefused                     // an anonymous rule, and no key is refused
	UnlistedPasses                 // no rule names the cookie, and the policy passes such
	NotConsented                   // no consent key of the rule is granted
	NotListed                      // no rule names the cookie
	WrongDomain                    // the rule does not accept the Domain attribute
	WrongPath                      // nor the Path attribute
	ControlCharacter               // the line contains one
	NoName                         // browsers read no name, or different ones
)

var reasons = [...]string{
	"necessary", "granted", "not_refused", "unlisted_passes", "not_granted", "unlisted",
	"domain", "path", "control_character", "no_name",
}

// String returns the reason's word.
func (r Reason) String() string { return reasons[r] }

// MarshalText writes the reason's word.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads the reason's word.
func (r *Reason) UnmarshalText(word []byte) error {
	i := slices.Index(reasons[:], string(word))
	if i < 0 {
		return fmt.Errorf("%q: no such reason", word)
	}
	*r = Reason(i)
	return nil
}

// letsThrough reports whether cookies are let through for this reason.
func (r Reason) letsThrough() bool { return r <= UnlistedPasses }

// Trace makes the Visit keep an explanation of each verdict. It must be called first, and costs
// memory.
func (v *Visit) Trace() {
	resolved := v.enforcer.policy
	v.visitor.trace = &trace{Explanation{
		Policy: resolved.Name(), Digest: resolved.Digest(), Mode: resolved.Policy().Mode,
		Host: displayHost(v.visitor.request.Host), HTTPS: v.visitor.request.HTTPS,
		Preferences: []ExplainedPreference{}, Signals: []ExplainedSignal{},
		Verdicts: []ExplainedVerdict{}, Renewed: []string{}, Caches: []ExplainedCache{},
	}}
}

// Explanation returns what Trace made the Visit keep, or nil.
func (v *Visit) Explanation() *Explanation {
	if v.visitor.trace == nil {
		return nil
	}
	return &v.visitor.trace.explanation
}

// Explain filters a request and its response as a Visit does, in place, and tells why each verdict was
// given. It counts nothing. A nil response is none.
func (e *Enforcer) Explain(r Request, response map[string][]string) *Explanation {
	v := e.Visit(r)
	v.tally.observer = nil
	v.Trace()
	v.FilterRequest()
	v.CompleteResponse(response)
	if v.visitor.asked == aPage || v.visitor.asked == aWorker {
		v.visitor.trace.origins(&v.visitor)
	}
	return v.Explanation()
}

// origins records whether a page may load from each origin of the policy.
func (t *trace) origins(v *visitor) {
	e := v.enforcer
	for _, origin := range e.policy.Origins(func(*policy.Rule) bool { return true }) {
		rule, reason := v.ruleFor(origin)
		verdict := observe.LetThrough
		if !reason.letsThrough() {
			verdict = observe.Refused
		}
		x := t.verdict(v, observe.Read, &knownName{rule: rule}, verdict, reason)
		x.Channel, x.Cookie, x.Rule.Pattern = "load", origin, origin
		if x.Verdict = verdict.Word(observe.Report); e.loading.enforces {
			x.Verdict = verdict.Word(observe.Enforce)
		}
		x.Text = x.sentence()
		t.explanation.Origins = append(t.explanation.Origins, x)
	}
}

// trace is the explanation of one Visit, as it grows.
type trace struct{ explanation Explanation }

// readings records what the copies of the preference and the signals say.
func (t *trace) readings(v *visitor, written []consent.Written) {
	x := &t.explanation
	x.Preferences = x.Preferences[:0]
	e := v.enforcer
	_, readings := e.preferences.ReadAll(e.keys, v.cookies(), written)
	for i := range readings {
		x.Preferences = append(x.Preferences, e.explainReading(&readings[i]))
	}
	x.Signals = x.Signals[:0]
	for i := range e.signals {
		if s := &e.signals[i]; v.objects(s.header) {
			x.Signals = append(x.Signals, ExplainedSignal{Signal: s.signal, Header: signalFields[s.signal]})
		}
	}
}

// line records the verdict on a Set-Cookie line, which mending changes to another one.
func (t *trace) line(f *responseFilter, j *judgement, mended string) {
	x := t.verdict(f.visitor, observe.Set, &j.name, j.verdict, j.reason)
	if j.reason == NoName || j.cookie.Name == "" {
		x.Cookie = observe.Nameless
	}
	a := j.cookie.ParseAttributes()
	if r := j.name.rule; j.reason == WrongDomain {
		x.Condition = &ExplainedCondition{"Domain", printable(a.Domain), r.domains}
	} else if j.reason == WrongPath {
		x.Condition = &ExplainedCondition{"Path", printable(a.Path), r.declared.Path}
	}
	x.Changes = j.changes
	if j.cookie.Name != "" && j.reason != ControlCharacter {
		sent := j.cookie
		if !f.enforcer.reports {
			sent, _ = wire.ParseSetCookie(mended)
		}
		a = sent.ParseAttributes()
		x.Notes = f.notes(&sent, &a, j.verdict)
	}
	t.add(x)
}

// pair records the verdict on a cookie of the request.
func (t *trace) pair(v *visitor, c *knownName, verdict observe.Verdict, reason Reason) {
	t.add(t.verdict(v, observe.Read, c, verdict, reason))
}

// expiry records that a cookie is removed from the browser.
func (t *trace) expiry(v *visitor, e *expiry) {
	x := t.verdict(v, observe.Expire, &e.name, observe.Expired, NotConsented)
	for _, line := range e.lines {
		x.Removed = append(x.Removed, removalOf(line))
	}
	t.add(x)
}

func (t *trace) add(x ExplainedVerdict) {
	x.Text = x.sentence()
	t.explanation.Verdicts = append(t.explanation.Verdicts, x)
}

func (t *trace) verdict(
	v *visitor, channel observe.Channel, c *knownName, verdict observe.Verdict, reason Reason,
) ExplainedVerdict {
	x := ExplainedVerdict{
		Channel: channel.String(), Cookie: displayName(c.name.Text),
		Verdict: verdict.Word(v.enforcer.mode), Reason: reason,
	}
	if c.rule == nil {
		return x
	}
	declared := c.rule.declared
	place := declared.Place()
	x.Rule = &ExplainedRule{
		Label: declared.Label(), Category: declared.Category, Pattern: c.name.Pattern,
		Preset: place.Preset, Path: place.Path,
	}
	if x.Rule.Pattern == "" {
		x.Rule.Pattern = displayName(c.name.Text)
	}
	if !c.rule.always {
		v.readOnce()
		for _, key := range declared.ConsentKeys() {
			x.Keys = append(x.Keys, t.key(v, key))
		}
	}
	return x
}

// key returns the state of a consent key, and what it comes from.
func (t *trace) key(v *visitor, key string) ExplainedKey {
	k := v.enforcer.keys[key]
	state := v.choice.Consent(k)
	x := ExplainedKey{Key: key, State: state.String()}
	switch {
	case state == policy.Undecided:
		x.Why = t.undecided(v, key)
	case v.decided.Has(k):
		for _, p := range t.explanation.Preferences {
			if p.Keys[key] == x.State {
				x.SaidBy = append(x.SaidBy, p.Cookie)
			}
		}
	default:
		for i := range v.enforcer.signals {
			if s := &v.enforcer.signals[i]; s.keys.Has(k) && v.objects(s.header) {
				x.SaidBy = append(x.SaidBy, signalFields[s.signal])
			}
		}
	}
	return x
}

// renewed records a preference that is sent again.
func (t *trace) renewed(cookie string) {
	t.explanation.Renewed = append(t.explanation.Renewed, cookie)
}

// protect makes the changes for caches, and records them.
func (t *trace) protect(f *responseFilter) {
	before := map[string]string{}
	for key, lines := range f.header {
		if isCacheField(key) {
			before[key] = strings.Join(lines, ", ")
		}
	}
	f.protect()
	for _, key := range slices.Sorted(maps.Keys(f.header)) {
		if isCacheField(key) {
			value := strings.Join(f.header[key], ", ")
			if old, had := before[key]; !had || old != value {
				t.cache(f, key, value)
			}
			delete(before, key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(before)) {
		t.cache(f, key, "")
	}
}

func (t *trace) cache(f *responseFilter, field, value string) {
	why := "the response has cookies, which a shared cache must not replay to others"
	if isField(field, "Vary") {
		why = "a verdict depended on the visitor's choice"
		if f.state.signals != 0 {
			why += ", and a signal decides where it says nothing"
		}
	}
	t.explanation.Caches = append(t.explanation.Caches,
		ExplainedCache{Field: field, Value: printable(value), Why: why})
}

func isCacheField(key string) bool {
	switch fieldOf(key) {
	case cacheControlField, varyField, otherCachingField:
		return true
	}
	return false
}
