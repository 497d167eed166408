package observe

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// State is all that an [Observer] has counted and met, as plain data: names, never values. What one
// Observer wrote another one can take over, see [Observer.Restore].
type State struct {
	Counters

	Since int64 `json:"since"`          // Unix time, in milliseconds
	Last  int64 `json:"last,omitempty"` // Unix time of the last request, in seconds

	Set      Names `json:"set,omitempty"`      // names that the portal set
	Read     Names `json:"read,omitempty"`     // names that browsers sent and that have an entry
	Unlisted Names `json:"unlisted,omitempty"` // clients' names that no rule names
	Listed   Names `json:"listed,omitempty"`   // clients' names that a wildcard names

	Origins []OriginState `json:"origins,omitempty"` // that pages load from
}

// Names are what is known of some names.
type Names []NameState

// maxNameStates is how many names of each sort are written and read. An empty name has two bytes in JSON and
// some hundreds in memory.
const maxNameStates = 20_000

// UnmarshalJSON reads names, and refuses more than there can be before they take memory.
func (n *Names) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	if opening, err := d.Token(); err != nil || opening != json.Delim('[') {
		if err == nil && opening == nil {
			return nil // null
		}
		return errors.New("names are a list")
	}
	*n = nil
	for d.More() {
		if len(*n) == maxNameStates {
			return fmt.Errorf("there are more than %d names", maxNameStates)
		}
		*n = append(*n, NameState{})
		if err := d.Decode(&(*n)[len(*n)-1]); err != nil {
			return err
		}
	}
	return nil
}

// NameState is what is known of one name on one side.
type NameState struct {
	Name     Text   `json:"name"`
	Kind     string `json:"kind,omitempty"` // how the policy knew it first: `exact`, `wildcard`, or nothing
	First    int64  `json:"first"`          // Unix time, in milliseconds
	Last     int64  `json:"last"`           // Unix time, in milliseconds
	Missed   uint64 `json:"missed,omitempty"`
	Reported bool   `json:"reported,omitempty"`

	Enforce map[string]uint64 `json:"enforce,omitempty"` // numbers of verdicts in this mode, by word
	Report  map[string]uint64 `json:"report,omitempty"`

	Hosts []Text `json:"hosts,omitempty"`

	// Of clients' names.
	Requests uint64 `json:"requests,omitempty"`
	Days     int    `json:"days,omitempty"`

	// Of names that the portal set.
	Domains    []Text `json:"domains,omitempty"`
	Paths      []Text `json:"paths,omitempty"`
	SameSite   []Text `json:"same_site,omitempty"`
	Longest    int64  `json:"longest,omitempty"` // lifetime, in seconds
	Session    bool   `json:"session,omitempty"`
	NoSecure   bool   `json:"no_secure,omitempty"`
	NoHTTPOnly bool   `json:"no_http_only,omitempty"`
}

// Text is a string from the wire. In JSON one that is not UTF-8 is in base64, behind `base64:`.
type Text string

const base64Prefix = "base64:"

// MarshalText implements [encoding.TextMarshaler].
func (t Text) MarshalText() ([]byte, error) {
	if utf8.ValidString(string(t)) && !strings.HasPrefix(string(t), base64Prefix) {
		return []byte(t), nil
	}
	return base64.StdEncoding.AppendEncode([]byte(base64Prefix), []byte(t)), nil
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (t *Text) UnmarshalText(b []byte) error {
	encoded, found := strings.CutPrefix(string(b), base64Prefix)
	if !found {
		*t = Text(b)
		return nil
	}
	decoded, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return errors.New("a text behind base64: is not base64")
	}
	*t = Text(decoded)
	return nil
}

func texts(words []string) (texts []Text) {
	for _, word := range words {
		texts = append(texts, Text(word))
	}
	return texts
}

// The words of [NameState.Kind].
var kindWords = [kinds]string{Unknown: "", Wildcard: "wildcard", Exact: "exact"}

// State returns all that the Observer has counted and met. Names come in no order. What is met
// meanwhile may be in the counters and not yet in the names.
func (o *Observer) State() State {
	s := State{Since: o.Since().UnixMilli()}
	o.set.all(func(e *Entry) { s.Set = append(s.Set, e.state()) })
	o.read.all(func(e *Entry) { s.Read = append(s.Read, e.state()) })
	o.unlisted.all(func(c *client) { s.Unlisted = append(s.Unlisted, c.state()) })
	o.listed.all(func(c *client) { s.Listed = append(s.Listed, c.state()) })
	for _, names := range [...]*Names{&s.Set, &s.Read, &s.Unlisted, &s.Listed} {
		*names = (*names)[:min(len(*names), maxNameStates)]
	}
	s.Origins = o.originStates()
	s.Counters = o.Counters()
	if _, last := o.Requests(); !last.IsZero() {
		s.Last = last.Unix()
	}
	return s
}

func (e *Entry) state() NameState {
	s := e.snapshot(Set)
	return NameState{
		Name: Text(e.name), Kind: kindWords[e.kind], First: s.First.UnixMilli(), Last: s.Last.UnixMilli(),
		Missed: s.Missed, Reported: e.reported.Load(),
		Enforce: s.Counts.Words(Enforce), Report: s.Counts.Words(Report), Hosts: texts(s.Hosts),
		Domains: texts(s.Domains), Paths: texts(s.Paths), SameSite: texts(s.SameSite),
		Longest: int64(s.Longest / time.Second), Session: s.Session, NoSecure: s.NoSecure, NoHTTPOnly: s.NoHTTPOnly,
	}
}

func (c *client) state() NameState {
	return NameState{
		Name: Text(c.name), First: c.first.UnixMilli(), Last: c.last.UnixMilli(), Missed: c.missed,
		Reported: c.reported, Enforce: c.verdicts.Words(Enforce), Report: c.verdicts.Words(Report),
		Hosts: texts(c.hosts), Requests: c.requests, Days: c.days,
	}
}
