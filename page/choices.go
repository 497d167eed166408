package page

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/languages"
)

// mixed is the state of a question whose keys are not all in the same state.
const mixed = "mixed"

// choices shows the visitor's choices, a question for each set of keys.
func (b *builder) choices(d *Data) {
	t, stored := b.language.Page.Choices, &b.visitor.Stored
	c := &d.Choices
	c.State, c.Questions = stored.State.String(), []Choice{}
	for i, q := range b.enforcer.Questions() {
		c.Questions = append(c.Questions, b.choice(&q, fmt.Sprintf("q%d", i+1)))
	}
	for i := range stored.Signals {
		c.Signals = append(c.Signals, b.signal(stored.Signals[i].Signal))
	}
	if len(c.Questions) == 0 {
		c.Sentence = string(t.Nothing)
		return
	}
	if len(b.policy.Policy().Preference) == 0 {
		c.Sentence = string(t.NoPreference)
		return
	}
	switch stored.State {
	case policy.PreferenceNone:
		c.Sentence = string(t.None)
	case policy.PreferenceTooOld:
		c.Sentence = b.tooOld()
	case policy.PreferenceUnreadable:
		c.Sentence = string(t.Unreadable)
	case policy.PreferenceContradictory:
		c.Sentence = string(t.Contradictory)
	case policy.PreferenceValid:
		if b.visitor.Disagreeing {
			c.Sentence = string(t.Contradictory)
		} else if made := b.date(stored.Made()); made.IsZero() {
			c.Sentence = string(t.Undated)
		} else {
			c.Made = &made
			c.Sentence = b.with(t.Date, "date", made.Text)
		}
	}
}

// tooOld says when a choice was made that no longer counts. Nobody can tell the age of one that is dated in
// the future.
func (b *builder) tooOld() string {
	for _, p := range b.visitor.Stored.Preferences {
		if p.State == policy.PreferenceTooOld.String() && p.Made != nil {
			if p.Made.After(b.page.now()) {
				return string(b.language.Page.Choices.Unreadable)
			}
			return b.with(b.language.Page.Choices.TooOld, "date", b.date(*p.Made).Text,
				"duration", b.language.Duration(time.Duration(p.MaxAge)*time.Second))
		}
	}
	return string(b.language.Page.Choices.None)
}

func (b *builder) signal(word string) Signal {
	s := Signal{Signal: word, Categories: []string{}}
	var kinds []string
	for _, declared := range b.policy.Policy().Signal {
		if declared.Signal != word {
			continue
		}
		for _, category := range declared.Categories {
			s.Categories = append(s.Categories, string(category))
			kinds = append(kinds, b.kindName(category))
		}
	}
	text := b.language.Page.Choices.GPC
	if word == policy.SignalDNT {
		text = b.language.Page.Choices.DNT
	}
	s.Text = b.with(text, "kinds", strings.Join(kinds, ", "))
	return s
}

func (b *builder) kindName(category policy.Category) string {
	kind, err := b.language.Page.Kinds.Of(string(category))
	if err != nil && b.err == nil {
		b.err = err
	}
	return string(kind.Name)
}

// choice shows one question and its state.
func (b *builder) choice(q *enforcer.Question, field string) Choice {
	c := Choice{Keys: q.Keys, Objection: q.Objection, Cookies: []string{}, States: map[string]string{},
		Purpose: []Phrase{}, Field: field}
	for _, rule := range q.Rules {
		c.Cookies = append(c.Cookies, rule.Cookies...)
	}
	b.describe(q, &c)

	bySignal := false
	for _, key := range q.Keys {
		k := b.visitor.Stored.Keys[key]
		c.States[key] = k.Consent.String()
		bySignal = bySignal || k.BySignal
		if key == q.Keys[0] {
			c.State = k.Consent.String()
		} else if c.State != k.Consent.String() {
			c.State = mixed
		}
	}
	if b.visitor.Stored.State == policy.PreferenceValid && !bySignal && c.State != mixed {
		if c.State != policy.Undecided.String() {
			c.Selected = c.State
		}
	}
	c.Text = b.stateText(&c)

	t := b.language.Page.Form
	question := t.Consent
	if c.Objection {
		question = t.Objection
	}
	const title = "\x00" // its place
	c.Before, c.After, _ = strings.Cut(b.with(question, "title", title), title)
	c.Names = b.with(t.Names, "names", strings.Join(c.Cookies, ", "))
	return c
}

// describe takes the words for a question from the policy's switches, and where it has none, from the
// built-in ones and the rules.
func (b *builder) describe(q *enforcer.Question, c *Choice) {
	var titles, names []string
	add := func(purpose Phrase) {
		if purpose.Text != "" && !slices.Contains(c.Purpose, purpose) {
			c.Purpose = append(c.Purpose, purpose)
		}
	}
	for _, k := range q.Switches {
		names = append(names, k.Keys...)
		if title := b.page.phrase(k.Title, b.language); title.Text != "" {
			titles = append(titles, title.Text)
			c.Title.Language = title.Language
		}
		add(b.page.phrase(k.Purpose, b.language))
		if refused := b.page.phrase(k.Refused, b.language); c.Refused.Text == "" {
			c.Refused = refused
		}
	}
	for _, key := range q.Keys {
		if slices.Contains(names, key) {
			continue
		}
		title, builtIn := key, languages.Key{}
		if slices.Contains(policy.Categories, policy.Category(key)) {
			title = b.kindName(policy.Category(key))
		} else if known, ok := b.language.Key(key); ok {
			title, builtIn = known.Title, known
			if c.Refused.Text == "" {
				c.Refused.Text = builtIn.Refused
			}
		}
		titles = append(titles, title)
		add(Phrase{Text: builtIn.Purpose})
	}
	if len(titles) == 0 {
		titles = q.Keys
	}
	c.Title.Text = strings.Join(titles, ", ")
	if len(c.Purpose) == 0 {
		for _, rule := range q.Rules {
			add(b.page.phrase(rule.Purpose, b.language))
		}
	}
}

// stateText returns the state of a question in words.
func (b *builder) stateText(c *Choice) string {
	t := b.language.Page.Choices
	word := func(state string) string {
		switch {
		case state == policy.Granted.String() && !c.Objection:
			return string(t.Granted)
		case state == policy.Refused.String() && c.Objection:
			return string(t.Objected)
		case c.Objection && !b.visitor.Stored.State.InDoubt():
			return string(t.Active)
		case state == policy.Undecided.String() && !c.Objection:
			return string(t.Undecided)
		}
		return string(t.Refused)
	}
	if c.State != mixed {
		return word(c.State)
	}
	var words []string
	for _, key := range c.Keys {
		words = append(words, key+": "+word(c.States[key]))
	}
	return strings.Join(words, "; ")
}
