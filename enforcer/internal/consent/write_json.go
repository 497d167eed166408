package consent

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// editJSON puts the answers into a JSON value.
func (p *preference) editJSON(old string, a *answers) (value string, ok bool) {
	inside, escapes := unquote(old)
	text := decoded(inside, escapes)
	alphabet := base64Of(string(text))
	if p.base64 {
		text, _ = decodeBase64(text)
	}
	edited, ok := p.editText(text, a)
	e := encodingOf(old, !p.convention().raw && !p.base64)
	switch {
	case p.base64:
		edited = []byte(alphabet.EncodeToString(edited))
	case !e.clear.has('"') && !e.percent.has('"'): // an empty object does not show how it is encoded
		e.clear, e.percent = byteSet{}, byteSet{}
		if !e.component {
			e.clear.add('"')
		}
	}
	return e.wrap(e.encode(string(edited))), ok
}

// freshJSON returns a JSON object of the answers.
func (p *preference) freshJSON(a *answers) (value string, ok bool) {
	object := "{}"
	if p.base64 {
		object = base64.StdEncoding.EncodeToString([]byte(object))
	}
	return p.editJSON(object, a)
}

// editText puts the answers into JSON text that was read without doubt. It is not ok if the text has
// no place for them, or not what the tool needs.
func (p *preference) editText(text []byte, a *answers) (edited []byte, ok bool) {
	e := jsonEditor{
		jsonReader: jsonReader{text: text}, preference: p, answers: a, convention: p.convention(),
		out: make([]byte, 0, len(text)+256),
	}
	e.copyBlanks()
	if len(p.path) == 0 && e.next() == '[' {
		e.array()
	} else {
		e.object(p.path, p.timestamp, true)
	}
	e.copyBlanks()
	return e.out, e.placed && (e.convention.needs == "" || e.satisfied)
}

// jsonEditor copies JSON text and changes what the answers change. It follows the paths as [jsonReader]
// does.
type jsonEditor struct {
	jsonReader // of the old text, whose syntax was checked
	*preference
	*answers
	convention convention
	out        []byte

	placed    bool // the place of the choices was met
	satisfied bool // and what the tool needs
}

// next returns the byte that is to be read next, or 0 at the end.
func (e *jsonEditor) next() byte {
	if e.i < len(e.text) {
		return e.text[e.i]
	}
	return 0
}

// copyFrom copies what was read since start.
func (e *jsonEditor) copyFrom(start int) { e.out = append(e.out, e.text[start:e.i]...) }

func (e *jsonEditor) copyBlanks() {
	start := e.i
	e.blanks()
	e.copyFrom(start)
}

// each copies an object or an array. It calls f at each member or element; one for which f reports
// false is left out, with its comma. It reports whether there were others.
func (e *jsonEditor) each(end byte, f func() bool) (others bool) {
	e.out = append(e.out, e.next())
	e.i++
	for more := !e.closes(end); more; {
		mark := len(e.out)
		if others {
			e.out = append(e.out, ',')
		}
		e.copyBlanks()
		kept := f()
		e.copyBlanks()
		if !kept {
			e.out = e.out[:mark]
		}
		others = others || kept
		more = e.next() == ','
		e.i++ // the comma, or the end
	}
	return others
}

// closes skips blanks and the end of an object or array, if they are next.
func (e *jsonEditor) closes(end byte) bool {
	start := e.i
	e.blanks()
	if e.next() == end {
		e.i++
		return true
	}
	e.i = start
	return false
}

// copyKey copies the key of a member and what is before the value.
func (e *jsonEditor) copyKey() string {
	start := e.i
	key, _ := e.string()
	e.take(':')
	e.blanks()
	e.copyFrom(start)
	return string(unescaped(key))
}

func (e *jsonEditor) copyValue() {
	start := e.i
	e.jsonReader.value()
	e.copyFrom(start)
}

// object edits an object on the path to the choices, to the timestamp or to both: see
// [jsonReader.object].
func (e *jsonEditor) object(path, timestamp []string, top bool) {
	here := path != nil && len(path) == 0 // the choices are members of this object
	e.placed = e.placed || here
	var seen Set
	timed, always := len(timestamp) == 0, !here || !top || e.convention.always == ""
	others := e.each('}', func() bool {
		key := e.copyKey()
		always = always || key == e.convention.always
		toTime := len(timestamp) > 0 && key == timestamp[0]
		timed = timed || toTime
		toChoices := len(path) > 0 && key == path[0]
		switch {
		case toTime && len(timestamp) == 1:
			e.time()
		case here && toTime:
			e.object(nil, timestamp[1:], false)
		case here:
			if k, known := e.answers.keys[key]; known {
				seen.Add(k)
			}
			return e.choice(e.about(key))
		case toChoices && len(path) == 1 && e.next() == '[':
			e.array()
		case toChoices || toTime:
			e.object(below(path, toChoices), below(timestamp, toTime), false)
		case top && key == e.convention.services && e.next() == '{':
			e.clearServices()
		default:
			start := e.i
			e.copyValue()
			e.satisfied = e.satisfied || top && key == e.convention.needs && len(`""`) < e.i-start &&
				e.text[start] == '"'
		}
		return true
	})
	add := func(key, value string) {
		if others {
			e.out = append(e.out, ',')
		}
		others = true
		e.out = append(append(appendString(e.out, key), ':'), value...)
	}
	if _, known := e.answers.keys[e.convention.always]; !always && !known {
		add(e.convention.always, "true")
	}
	if here {
		e.missing(seen, func(key string, granted bool) { add(key, e.word("", granted)) })
	}
	if !timed {
		add(timestamp[0], nested(timestamp[1:], milliseconds(e.now)))
	}
	e.out = append(e.out, '}')
}

// nested returns a value within objects.
func nested(path []string, value string) string {
	for i := len(path) - 1; i >= 0; i-- {
		value = "{" + string(appendString(nil, path[i])) + ":" + value + "}"
	}
	return value
}

// time replaces the time of the choice.
func (e *jsonEditor) time() {
	old, _ := e.valueText()
	inside := bytes.Trim(old, `"`)
	time := timeLike(string(inside), e.now)
	if len(inside) < len(old) {
		time = `"` + time + `"`
	}
	e.out = append(e.out, time...)
}

// choice replaces the value of one key. It reports whether the member stays.
func (e *jsonEditor) choice(a answer) bool {
	if a == keep {
		e.copyValue()
		return true
	}
	old, _ := e.valueText()
	e.out = append(e.out, e.wordLike(string(old), a == grant)...)
	return a != remove
}

// wordLike returns the value for what is granted or refused, as the old one is written.
func (e *jsonEditor) wordLike(old string, granted bool) string {
	inside := strings.Trim(old, `"`)
	words := parsed{words: e.words}
	yes := old == "true" || words.isYes([]byte(inside))
	switch _, isTime := parseTime(inside); {
	case granted && yes && isTime:
		return `"` + timeLike(inside, e.now) + `"`
	case granted && yes:
		return old
	case old == "true" || old == "false":
		return strconv.FormatBool(granted)
	}
	return e.word(old, granted)
}

// word returns the value for what is granted or refused, with the words that belong to the old value.
func (e *jsonEditor) word(old string, granted bool) string {
	inside := strings.Trim(old, `"`)
	words, recognized := e.wordsFor(inside)
	word := words.no
	if granted {
		word = words.yes
	}
	switch {
	case words.yes == policy.AnyTime && granted:
		return `"` + isoTime(e.now) + `"`
	case len(e.words) == 0 || words.yes == policy.AnyTime, strings.ContainsAny(words.yes, `"\`):
		return strconv.FormatBool(granted)
	case recognized && len(inside) < len(old), !json.Valid([]byte(word)):
		return string(appendString(nil, word))
	}
	return word // a number or a literal
}

// array edits an array of the granted keys.
func (e *jsonEditor) array() {
	e.placed, e.listed = true, true
	var seen Set
	others := e.each(']', func() bool {
		start := e.i
		e.copyValue()
		if e.text[start] != '"' {
			return true
		}
		key := string(unescaped(e.text[start+1 : e.i-1]))
		a := e.about(key)
		if a == grant {
			seen.Add(e.answers.keys[key])
		}
		return a == keep || a == grant
	})
	e.missing(seen, func(key string, granted bool) {
		if !granted {
			return
		}
		if others {
			e.out = append(e.out, ',')
		}
		others = true
		e.out = appendString(e.out, key)
	})
	e.out = append(e.out, ']')
}

// clearServices empties the arrays of services of keys that are not granted any more.
func (e *jsonEditor) clearServices() {
	e.each('}', func() bool {
		switch a := e.about(e.copyKey()); {
		case e.next() == '[' && (a == refuse || a == remove):
			e.jsonReader.value()
			e.out = append(e.out, "[]"...)
		default:
			e.copyValue()
		}
		return true
	})
	e.out = append(e.out, '}')
}

// appendString appends a JSON string.
func appendString(out []byte, s string) []byte {
	if strings.ContainsAny(s, "\"\\\t") {
		quoted, _ := json.Marshal(s) // of valid UTF-8 it has no error
		return append(out, quoted...)
	}
	return append(append(append(out, '"'), s...), '"')
}
