package consent

import (
	"strings"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/internal/wire"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// editPairs puts the answers into pairs. Pairs that do not change keep their bytes, unless the whole
// value is encoded: see [preference.readPairs].
func (p *preference) editPairs(old string, a *answers) string {
	inside, escapes := unquote(old)
	e := pairsEditor{preference: p, answers: a, encoding: encodingOf(old, false)}
	e.apart = strings.Contains(inside, p.separator)
	text := inside
	if !e.apart {
		text = string(decoded(inside, escapes))
		if e.percent != (byteSet{}) { // a separator in the clear would make each pair a value of its own
			for i := range len(p.separator) {
				e.percent.add(p.separator[i])
			}
		}
	}
	text = wire.Trim(text)
	inner, _ := unbrace(text)
	braced := len(inner) < len(text)
	for rest, more := inner, true; more; {
		var pair string
		pair, rest, more = strings.Cut(rest, p.separator)
		text := pair
		if e.apart {
			text = string(decoded(pair, escapes))
		}
		e.pair(pair, text)
	}
	e.addMissing()
	text = strings.Join(e.out, p.separator)
	if braced {
		text = "{" + text + "}"
	}
	if !e.apart {
		text = e.encode(text)
	}
	return e.wrap(text)
}

// freshPairs returns pairs of the answers.
func (p *preference) freshPairs(a *answers) string {
	e := pairsEditor{preference: p, answers: a, apart: true}
	if p.convention().separated {
		e.out = []string{""}
		e.last = len(e.out)
	}
	e.addMissing()
	return strings.Join(e.out, p.separator)
}

// pairsEditor copies pairs and changes what the answers change.
type pairsEditor struct {
	*preference
	*answers
	encoding
	apart bool // pairs are encoded one by one

	out   []string
	last  int // the number of pairs up to the last that is not empty
	seen  Set
	timed bool
	list  bool     // the list key was met
	style yesAndNo // the words of the first choice in the old value, for those that are added
}

// pair copies or changes one pair.
func (e *pairsEditor) pair(pair, decoded string) {
	before, value, _ := strings.Cut(decoded, e.assignment)
	key := wire.Trim(before)
	blank := wire.Trim(decoded) == ""
	changed := value
	switch {
	case blank:
	case e.timestamp != nil && key == e.timestamp[0]:
		e.timed = true
		changed = timeLike(wire.Trim(value), e.now)
	case e.listKey == "":
		var stays bool
		if changed, stays = e.choice(key, value); !stays {
			return
		}
	case key == e.listKey:
		e.list = true
		changed = e.editInner(value)
	}
	if changed != value || e.apart && !storable(pair) {
		pair = decoded
		if !blank {
			pair = before + e.assignment + changed
		}
		pair = e.encoded(pair)
	}
	e.out = append(e.out, pair)
	if !blank {
		e.last = len(e.out)
	}
}

// encoded encodes a pair, if pairs are encoded one by one.
func (e *pairsEditor) encoded(pair string) string {
	if e.apart {
		return e.encode(pair)
	}
	return pair
}

// choice returns the value that a key gets, and whether its pair stays.
func (e *pairsEditor) choice(key, value string) (changed string, stays bool) {
	if k, known := e.answers.keys[key]; known {
		e.seen.Add(k)
		if words, recognized := e.wordsFor(wire.Trim(value)); recognized && e.style.yes == "" {
			e.style = words
		}
	}
	switch e.about(key) {
	case grant:
		counts := parsed{words: e.words}
		trimmed := wire.Trim(value)
		if _, isTime := parseTime(trimmed); counts.isYes([]byte(trimmed)) && !isTime {
			return value, true
		}
		return e.word(value, true), true
	case refuse:
		return e.word(value, false), true
	case remove:
		return "", false
	}
	return value, true
}

// word returns the word for what is granted or refused in place of an old one.
func (e *pairsEditor) word(old string, granted bool) string {
	words, recognized := e.wordsFor(wire.Trim(old))
	if !recognized && e.style.yes != "" {
		words = e.style
	}
	switch {
	case !granted:
		return words.no
	case words.yes == policy.AnyTime:
		return isoTime(e.now)
	}
	return words.yes
}

// editInner edits the list of choices within the value of the list key.
func (e *pairsEditor) editInner(value string) string {
	var out []string
	for rest := value; rest != ""; {
		var inner string
		inner, rest, _ = strings.Cut(rest, ",")
		before, word, _ := strings.Cut(inner, ":")
		changed, stays := e.choice(wire.Trim(before), word)
		if !stays {
			continue
		}
		if changed != word {
			inner = before + ":" + changed
		}
		out = append(out, inner)
	}
	return strings.Join(append(out, e.innerMissing()...), ",")
}

// innerMissing returns the members of the list for the answers that it does not have yet.
func (e *pairsEditor) innerMissing() (members []string) {
	e.missing(e.seen, func(key string, granted bool) {
		members = append(members, key+":"+e.word("", granted))
	})
	e.seen |= e.granted | e.refused
	return members
}

// addMissing adds pairs for what the old value does not have, before empty ones at its end.
func (e *pairsEditor) addMissing() {
	var added []string
	if e.listKey != "" {
		if !e.list {
			added = append(added, e.encoded(e.listKey+e.assignment+strings.Join(e.innerMissing(), ",")))
		}
	} else {
		e.missing(e.seen, func(key string, granted bool) {
			added = append(added, e.encoded(key+e.assignment+e.word("", granted)))
		})
	}
	if e.timestamp != nil && !e.timed {
		added = append(added, e.encoded(e.timestamp[0]+e.assignment+milliseconds(e.now)))
	}
	e.out = append(append(append([]string(nil), e.out[:e.last]...), added...), e.out[e.last:]...)
}

// editList puts the answers into a list of the granted keys. A word that grants every key gives way to
// the keys themselves if one of them is refused.
func (p *preference) editList(old string, a *answers) string {
	inside, escapes := unquote(old)
	text := decoded(inside, escapes)
	counts := parsed{words: p.words}
	var out []string
	var seen Set
	all := false
	for rest, more := string(text), len(text) > 0; more; {
		var word string
		word, rest, more = strings.Cut(rest, p.separator)
		key := wire.Trim(word)
		k, known := a.keys[key]
		switch {
		case known && a.about(key) == refuse:
			continue
		case known:
			seen.Add(k)
		case counts.isYes([]byte(key)):
			if all = true; a.refused != 0 {
				continue
			}
		}
		out = append(out, word)
	}
	for k, name := range a.names {
		granted := a.granted.Has(k) || all && !a.refused.Has(k)
		if granted && !seen.Has(k) && (!all || a.refused != 0) {
			out = append(out, name)
		}
	}
	e := encodingOf(old, false)
	return e.wrap(e.encode(strings.Join(out, p.separator)))
}
