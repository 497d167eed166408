package evidence

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/observe"
)

// version is that of the format. It is raised with each change that an older program would read wrongly.
const version = 1

// Record is what one instance keeps about one policy.
type Record struct {
	Version  int       `json:"version"`
	Policy   string    `json:"policy"` // its name
	Instance string    `json:"instance"`
	Interval int64     `json:"interval"`          // how often it is written, in seconds
	Keep     int64     `json:"keep"`              // how long it is kept, in seconds
	Since    time.Time `json:"since"`             // the start of the observation
	Written  time.Time `json:"written"`           // until when the instance has observed
	Stopped  bool      `json:"stopped,omitempty"` // it has ended, and not crashed
	Days     days      `json:"days,omitempty"`    // the last one is not over
	Gaps     gaps      `json:"gaps,omitempty"`    // in which this instance did not observe
	History  History   `json:"history"`

	Observer observe.State `json:"observer"`
}

// Gap is a time in which nothing was observed.
type Gap struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// Bounds of what a record holds, beside those of the observer and of time.
const (
	maxGaps    = 1000
	maxPeriods = 500
	maxDays    = 3652
)

type (
	days    []Day
	gaps    []Gap
	periods []Period
)

func (d *days) UnmarshalJSON(b []byte) error    { return decodeList(b, maxDays, (*[]Day)(d)) }
func (g *gaps) UnmarshalJSON(b []byte) error    { return decodeList(b, maxGaps, (*[]Gap)(g)) }
func (p *periods) UnmarshalJSON(b []byte) error { return decodeList(b, maxPeriods, (*[]Period)(p)) }

// decodeList reads a list, and refuses one that is longer than any that is written: an empty element has two
// bytes in JSON and many in memory.
func decodeList[T any](b []byte, longest int, list *[]T) error {
	d := json.NewDecoder(bytes.NewReader(b))
	if opening, err := d.Token(); err != nil || opening != json.Delim('[') {
		return errors.New("days, gaps and periods are lists")
	}
	*list = nil
	for d.More() {
		if len(*list) == longest {
			return fmt.Errorf("a list has more than %d elements", longest)
		}
		*list = append(*list, *new(T))
		if err := d.Decode(&(*list)[len(*list)-1]); err != nil {
			return err
		}
	}
	return nil
}

// newer is the error of a record in a format that this program does not know.
type newer int

func (v newer) Error() string {
	return fmt.Sprintf("it is written in the format %d, and this program knows those up to %d", int(v), version)
}

// encode returns the record as it is stored: JSON, compressed with gzip, because some storages are small
// and all are written often. A record that would be too large loses the clients' names that came least
// often.
func (r *Record) encode() ([]byte, error) {
	text, err := r.text()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w := compressors.Get().(*gzip.Writer)
	defer compressors.Put(w)
	w.Reset(&b)
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// compressors are writers to use again: each has more than a megabyte of memory.
var compressors = sync.Pool{New: func() any {
	w, err := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
	if err != nil {
		panic("evidence: " + err.Error())
	}
	return w
}}

// text returns the record's JSON.
func (r *Record) text() ([]byte, error) {
	for {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(r); err != nil {
			return nil, err
		}
		if b.Len() <= maxSize {
			return b.Bytes(), nil
		}
		if len(r.Observer.Unlisted)+len(r.Observer.Listed) == 0 {
			return nil, fmt.Errorf("it has %d bytes, and more than %d are not kept", b.Len(), maxSize)
		}
		r.Observer.Unlisted = oftenest(r.Observer.Unlisted)
		r.Observer.Listed = oftenest(r.Observer.Listed)
	}
}

// oftenest returns the half of clients' names that came most often.
func oftenest(names observe.Names) observe.Names {
	slices.SortStableFunc(names, func(a, b observe.NameState) int {
		switch m, n := a.Requests+a.Missed, b.Requests+b.Missed; {
		case m > n:
			return -1
		case m < n:
			return 1
		}
		return 0
	})
	return names[:len(names)/2]
}

// decompress returns the JSON of what is stored.
func decompress(stored []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(stored))
	if err != nil {
		return nil, fmt.Errorf("it is not compressed with gzip: %w", err)
	}
	b, err := io.ReadAll(io.LimitReader(r, maxSize+1))
	if err != nil {
		return nil, fmt.Errorf("it is not complete: %w", err)
	}
	if len(b) > maxSize {
		return nil, errTooLarge
	}
	return b, nil
}

// decode reads a record of a policy. What cannot be one is an error, and what exceeds the bounds is cut.
func decode(stored []byte, policy string, now time.Time) (*Record, error) {
	b, err := decompress(stored)
	if err != nil {
		return nil, err
	}
	var head struct {
		Version int    `json:"version"`
		Policy  string `json:"policy"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return nil, fmt.Errorf("it is not the JSON of a record: %w", err)
	}
	if head.Version > version {
		return nil, newer(head.Version)
	}
	if head.Version < 1 || head.Policy != policy {
		return nil, errors.New("it is not the record of this policy")
	}
	r := new(Record)
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("it is not the JSON of a record: %w", err)
	}
	if r.Written.IsZero() || r.Since.After(r.Written) {
		return nil, errors.New("its times are impossible")
	}
	r.bound(now)
	return r, nil
}

// bound cuts what was read down to what a record can hold.
func (r *Record) bound(now time.Time) {
	r.Interval = min(max(r.Interval, 1), int64(24*time.Hour/time.Second))
	r.Keep = min(max(r.Keep, 1), int64(maxDays*24*time.Hour/time.Second))
	r.Written = earlier(r.Written, now) // the clock was wrong then, or is now
	r.Since = earlier(r.Since, r.Written)
	r.Observer.Counters.Bound()
	last := dayOf(now.Add(48 * time.Hour)) // a clock that is a bit ahead does not lose a day
	r.Days = slices.DeleteFunc(r.Days, func(d Day) bool { return d.Day > last })
	for i := range r.Days {
		r.Days[i].bound()
	}
	for i := range r.Gaps {
		r.Gaps[i].To = earlier(r.Gaps[i].To, now)
	}
	r.Gaps = slices.DeleteFunc(r.Gaps, func(g Gap) bool { return !g.From.Before(g.To) })
	slices.SortFunc(r.Gaps, func(a, b Gap) int { return a.From.Compare(b.From) })
	r.History.bound(now)
}

// joinGaps joins gaps until there are as few as are kept, the nearest ones first: what was observed between
// them is no longer claimed then.
func joinGaps(gaps []Gap) []Gap {
	for len(gaps) > maxGaps {
		nearest := 0
		for i := range len(gaps) - 1 {
			if gaps[i+1].From.Sub(gaps[i].To) < gaps[nearest+1].From.Sub(gaps[nearest].To) {
				nearest = i
			}
		}
		gaps[nearest].To = gaps[nearest+1].To
		gaps = slices.Delete(gaps, nearest+1, nearest+2)
	}
	return gaps
}

// forget removes what is older than the record is kept.
func (r *Record) forget(now time.Time) {
	oldest := now.Add(-time.Duration(r.Keep) * time.Second)
	first := dayOf(oldest)
	r.Days = slices.DeleteFunc(r.Days, func(d Day) bool { return d.Day < first })
	r.Gaps = slices.DeleteFunc(r.Gaps, func(g Gap) bool { return g.To.Before(oldest) })
	r.History.forget(oldest)
}

// isOver reports whether nothing of the record is to be kept any longer.
func (r *Record) isOver(now time.Time) bool {
	return now.Sub(r.Written) > time.Duration(r.Keep)*time.Second
}

// IsLive reports whether the instance is likely to run: it has not stopped, and was written lately.
func (r *Record) IsLive(now time.Time) bool {
	return !r.Stopped && now.Sub(r.Written) < 3*time.Duration(r.Interval)*time.Second+time.Minute
}
