package published

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// Lifetime is how long a page says that a cookie lives.
type Lifetime struct {
	Words    string          `json:"words,omitempty"`    // as they stand on the page
	Duration policy.Duration `json:"duration,omitempty"` // 0 if the words are none
	Session  bool            `json:"session,omitempty"`  // ends with the browser

	// Problem says why the words are neither a duration nor a session.
	Problem string `json:"problem,omitempty"`

	rest   bool // the words say more than the duration
	listed bool // the duration is the sum of some that nothing but commas joins
}

const (
	minute = policy.Duration(time.Minute)
	hour   = policy.Duration(time.Hour)
	day    = 24 * hour
)

// unitNames are units of time in the seven languages, folded. Months have no fixed length: see
// months.
var unitNames = func() map[string]unit {
	m := map[string]unit{}
	for _, u := range []struct {
		unit  unit
		names string
	}{
		{unitSecond, "s sec secs second seconds seconde secondes seconden sek sekunde sekunden segundo " +
			"segundos secondo secondi seg"},
		{unitMinute, "min mins minute minutes minuut minuten minuto minutos minuti minuta"},
		{unitHour, "h hr hrs hour hours heure heures std stunde stunden uur uren hora horas ora ore"},
		{unitDay, "d day days jour jours j tag tage tagen tg dag dagen dia dias giorno giorni gg"},
		{unitWeek, "w wk week weeks semaine semaines woche wochen weken semana semanas settimana settimane sem"},
		{unitMonth, "month months mois monat monate monaten mon maand maanden mes meses mese mesi mth mths"},
		{unitYear, "y yr yrs year years an ans annee annees jahr jahre jahren jaar jaren ano anos anno anni"},
	} {
		for _, name := range strings.Fields(u.names) {
			m[name] = u.unit
		}
	}
	return m
}()

type unit int

const (
	noUnit unit = iota
	unitSecond
	unitMinute
	unitHour
	unitDay
	unitWeek
	unitMonth
	unitYear
)

// singulars are English units that stand behind 1 only.
var singulars = wordSet("second minute hour day week month year")

// numberWords are numbers that pages write out, folded.
var numberWords = func() map[string]int64 {
	m := map[string]int64{}
	for n, words := range map[int64]string{
		1: "a an one un une ein eine einen einem een uno una um uma", 2: "two deux zwei twee dos due dois duas",
		3: "three trois drei drie tres tre", 4: "four quatre vier cuatro quattro quatro",
		5: "five cinq funf vijf cinco cinque", 6: "six sechs zes seis sei", 7: "seven sept sieben zeven siete sette sete",
		8: "eight huit acht ocho otto oito", 9: "nine neuf neun negen nueve nove", 10: "ten dix zehn tien diez dieci dez",
		12: "twelve douze zwolf twaalf doce dodici doze", 13: "thirteen treize dreizehn dertien trece tredici treze",
		14: "fourteen quatorze vierzehn veertien catorce quattordici",
		15: "fifteen quinze funfzehn vijftien quince quindici",
		18: "eighteen achtzehn achttien dieciocho diciotto dezoito",
		20: "twenty vingt zwanzig twintig veinte venti vinte", 24: "vierundzwanzig vierentwintig",
		30: "thirty trente dreissig dertig treinta trenta trinta",
	} {
		for _, w := range strings.Fields(words) {
			m[w] = n
		}
	}
	return m
}()

// Words that give a lifetime another sense.
var (
	sessionWords = wordSet(`session sessions sitzung sitzungen sitzungsende sitzungsdauer browsersitzung
		sessione sessioni sesion sesiones sessao sessoes sessie sessiecookie sessieduur sessions
		sitzungscookie browsersession`)
	endlessWords = wordSet(`never forever permanently
		jamais toujours indefini indefinie illimite illimitee nie niemals unbegrenzt unbefristet
		nooit onbeperkt permanentemente nunca siempre indefinido indefinida ilimitado mai
		illimitato indefinito sempre infinite indefinite indefinitely unlimited eternal always`)
	negativeWords   = wordSet(`no none kein keine pas sans geen sin sem senza`) // without a number
	persistentWords = wordSet(`persistent persistente persistentes persistant persistants persistente
		permanent permanente permanentes dauerhaft persistenti`)
	vagueWords = wordSet(`half demi demie halb halbe halbes halber halve media medio mezza mezzo meia meio
		quarter quart viertel kwart anderthalb eineinhalb anderhalf couple few several quelques einige
		mehrere paar algunos algunas alcuni alcune alguns varies variable variabel`)
	rangeWords   = wordSet(`to a bis tot hasta al or ou oder of o oppure between entre zwischen tussen tra`)
	sumWords     = wordSet(`and et und en y e plus`)
	browserWords = []string{"browser", "navigateur", "navegador", "navigatore"}
	closeWords   = []string{"clos", "ferm", "quit", "schlie", "sluit", "cerr", "cierr", "chiu", "fech", "ende", "end"}
)

// harmless words around a duration change nothing in it: an upper bound, or from when it counts.
var harmless = wordSet(`d l s up to max maximum maximal maximale maximaal at most about approximately ca circa
	environ jusqu jusqua jusque a au bis zu hochstens tot hasta maximo massimo fino ad al no than
	longer from set update updated last visit after the of for since first use creation in le dernier
	derniere visite apres a partir de la du des depot ab dem letzten besuch nach seit setzen der des
	einer eines von vanaf het laatste bezoek na desde ultima ultima visita despues tras dalla dall
	dopo ultimo prima dalle apos da do as is expires expire caduca expira verloopt lauft il les i
	pendant durant wahrend gedurende durante per por valid cookie conserve conservation duration duree
	roughly around approx aprox etwa ongeveer aproximadamente and or installazione aggiornamento
	primera instalacion installation mise jour update o consent consentement choix choice your
	their storage stored este dieser cette date dated retention lifetime`)

// quantity is a number with its unit, and where it stands among the tokens.
type quantity struct {
	n           int64
	unit        unit
	first, last int
}

// readLifetime reads what a page says about how long a cookie lives. The words of a Lifetime with a
// problem go into a comment.
func readLifetime(text string) Lifetime {
	l := Lifetime{Words: clean(text)}
	if isBlankCell(text) {
		return Lifetime{}
	}
	tokens := lifetimeTokens(text)
	var quantities []quantity
	used := make([]bool, len(tokens))
	var session, endless, vague, persistent, stray bool
	for i := 0; i < len(tokens); i++ {
		t := tokens[i]
		if q, ok := quantityAt(tokens, i); ok {
			if q.n > 1 && singulars[tokens[q.last]] {
				l.Problem = "the number and the unit do not agree"
			}
			for j := q.first; j <= q.last; j++ {
				used[j] = true
			}
			quantities = append(quantities, q)
			i = q.last
			continue
		}
		session = session || sessionWords[t]
		endless = endless || endlessWords[t]
		vague, stray = vague || vagueWords[t], stray || isNumber(t)
		persistent = persistent || persistentWords[t]
		used[i] = harmless[t] || sumWords[t] || persistentWords[t] || strings.Contains("-–—/.,+~&()", t) ||
			negativeWords[t] && i+1 < len(tokens) && tokens[i+1] == "maximo"
	}
	session = session || len(quantities) == 0 && closesBrowser(tokens)
	endless = endless || len(quantities) == 0 &&
		slices.ContainsFunc(tokens, func(t string) bool { return negativeWords[t] })
	values := sums(tokens, quantities)
	switch {
	case l.Problem != "":
	case vague:
		l.Problem = "this is not exact"
	case len(values) > 1:
		l.Problem = "these are several durations"
	case session && len(values) > 0:
		l.Problem = "this says a session and a duration"
	case len(values) == 1 && isRange(tokens, quantities[0]):
		l.Problem = "this is a range"
	case len(values) == 1 && stray:
		l.Problem = "this has a number that is not understood"
	case len(values) == 1 && endless && !says(tokens, upperBounds):
		l.Problem = "this says a duration and none"
	case len(values) == 1 && says(tokens, lowerBounds) && !says(tokens, upperBounds):
		l.Problem = "this is a lower bound"
	case len(values) == 1 && (values[0] < policy.Duration(time.Second) || values[0] > 36500*day):
		l.Problem = "this is no lifetime that a cookie can have"
	case len(values) == 1:
		l.Duration = values[0]
		l.listed = len(quantities) > 1 && slices.Contains(tokens, ",") &&
			!slices.ContainsFunc(tokens, func(t string) bool { return sumWords[t] || t == "+" || t == "&" })
		for i := range tokens {
			l.rest = l.rest || !used[i]
		}
	case session && endless:
		l.Problem = "this says a session and none"
	case session && !hasDigit(text):
		l.Session = true
	case endless || persistent:
		l.Problem = "this is no duration"
	default:
		l.Problem = "this is not understood as a lifetime"
	}
	return l
}

// isBlankCell reports whether a cell holds nothing, or a mark or a word for nothing.
func isBlankCell(text string) bool {
	switch fold(text) {
	case "", "n a", "na", "not stated", "not specified", "non precise", "non precisee", "nicht angegeben",
		"keine angabe", "no indicado", "no indicada", "non indicato", "non indicata", "niet vermeld",
		"niet opgegeven", "nao indicado", "nao indicada", "non renseigne", "nao especificado":
		return true
	}
	return false
}

// lifetimeTokens splits a text into folded words, numbers and the signs that join numbers.
func lifetimeTokens(text string) []string {
	var tokens []string
	var word strings.Builder
	flush := func() {
		if word.Len() > 0 {
			tokens = append(tokens, fold(word.String()))
			word.Reset()
		}
	}
	runes := []rune(text)
	digits := false // the word so far is a number
	for i, r := range runes {
		switch {
		case unicode.IsDigit(r):
			if word.Len() > 0 && !digits {
				flush()
			}
			digits = true
			word.WriteRune(r)
		case unicode.IsLetter(r), r >= 0x300 && r <= 0x36f:
			if word.Len() > 0 && digits {
				flush()
			}
			digits = false
			word.WriteRune(r)
		case digits && word.Len() > 0 && isGroup(runes, i):
			// 1,825 days: the separator joins the digits
		default:
			flush()
			digits = false
			if strings.ContainsRune("-–—/.,+~&()", r) {
				tokens = append(tokens, string(r))
			}
		}
	}
	flush()
	out := tokens[:0]
	for _, t := range tokens {
		if t != "" {
			out = append(out, t)
		}
	}
	return out
}

// isGroup reports whether the separator at i stands before a group of exactly three digits.
func isGroup(runes []rune, i int) bool {
	if !strings.ContainsRune(",.'’\u00a0\u202f ", runes[i]) || i == 0 || !unicode.IsDigit(runes[i-1]) {
		return false
	}
	for j := 1; j <= 3; j++ {
		if i+j >= len(runes) || !unicode.IsDigit(runes[i+j]) {
			return false
		}
	}
	return i+4 >= len(runes) || !unicode.IsDigit(runes[i+4])
}

// quantityAt reads a number and a unit.
func quantityAt(tokens []string, i int) (quantity, bool) {
	n, ok := numberAt(tokens[i])
	if !ok || i+1 >= len(tokens) {
		return quantity{}, false
	}
	// A decimal fraction is not read: 1.5 years.
	if i >= 2 && (tokens[i-1] == "." || tokens[i-1] == ",") && isNumber(tokens[i-2]) && isNumber(tokens[i]) {
		return quantity{}, false
	}
	u := unitNames[tokens[i+1]]
	if u == noUnit {
		return quantity{}, false
	}
	return quantity{n, u, i, i + 1}, true
}

func isNumber(token string) bool { return token[0] >= '0' && token[0] <= '9' }

func numberAt(token string) (int64, bool) {
	if n, ok := numberWords[token]; ok {
		return n, true
	}
	n, err := strconv.ParseInt(token, 10, 32)
	return n, err == nil
}

// sums adds up the quantities that belong together, from the greatest unit down: one year, one
// month and four days. Equal values are one: 1 year (365 days).
func sums(tokens []string, quantities []quantity) []policy.Duration {
	var values []policy.Duration
	var sum policy.Duration
	flush := func() {
		for _, v := range values {
			if v == sum {
				return
			}
		}
		values = append(values, sum)
	}
	for i, q := range quantities {
		joined := i > 0 && q.unit < quantities[i-1].unit && q.n < mostOf[q.unit]
		for j := 0; joined && i > 0 && j < q.first-quantities[i-1].last-1; j++ {
			t := tokens[quantities[i-1].last+1+j]
			joined = sumWords[t] || t == "," || t == "+" || t == "&"
		}
		if i > 0 && !joined {
			flush()
			sum = 0
		}
		sum += q.duration()
	}
	if len(quantities) > 0 {
		flush()
	}
	return values
}

// mostOf are numbers from which on a unit is not the smaller part of a sum: 2 years, 24 hours.
var mostOf = map[unit]int64{unitSecond: 60, unitMinute: 60, unitHour: 24, unitDay: 366, unitWeek: 53, unitMonth: 12}

// oneEach reads a cell of lifetimes that has one for each of n cookies, in their order. It returns nil
// if it has not.
func oneEach(cells [][]string, n int) (each []Lifetime) {
	if n < 2 {
		return nil
	}
	for _, lines := range cells {
		for _, line := range lines {
			for _, part := range strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(",;/|", r) }) {
				if strings.TrimSpace(part) == "" {
					continue
				}
				l := readLifetime(part)
				if l.Problem != "" || l.rest || l.Words == "" || len(each) == n {
					return nil
				}
				each = append(each, l)
			}
		}
	}
	if len(each) != n {
		return nil
	}
	return each
}

// duration returns the length of a quantity. Six, twelve and thirteen months are 183, 365 and 395
// days, as authorities count them.
func (q quantity) duration() policy.Duration {
	const most = 50_000 // days, which is longer than any cookie lives and still a duration
	n := q.n
	var d int64
	switch q.unit {
	case unitSecond:
		return policy.Duration(min(n, most*24*60*60)) * policy.Duration(time.Second)
	case unitMinute:
		return policy.Duration(min(n, most*24*60)) * minute
	case unitHour:
		return policy.Duration(min(n, most*24)) * hour
	case unitDay:
		d = n
	case unitWeek:
		d = 7 * n
	case unitMonth:
		d = (n*365*2 + 12) / 24
	case unitYear:
		d = 365 * n
	}
	return policy.Duration(min(d, most)) * day
}

// isRange reports whether another number stands before a quantity: 6-12 months, 1 to 2 years.
func isRange(tokens []string, q quantity) bool {
	i := q.first
	if i >= 1 && isNumber(tokens[i-1]) {
		return true
	}
	if i < 2 || !isNumber(tokens[i-2]) {
		return false
	}
	t := tokens[i-1]
	return rangeWords[t] || sumWords[t] || strings.ContainsAny(t, "-–—/.,~")
}

// Phrases that make a duration a bound.
var (
	upperBounds = phrasesOf("no more than", "not more than", "no longer than", "au plus", "pas plus de",
		"nicht mehr als", "nicht langer als", "niet meer dan", "no mas de", "non piu di", "nao mais de",
		"no maximo", "at most")
	lowerBounds = phrasesOf("at least", "minimum", "more than", "over", "longer than", "au moins", "plus de",
		"mindestens", "mehr als", "ten minste", "minstens", "minimaal", "meer dan", "al menos", "mas de",
		"almeno", "piu di", "pelo menos", "mais de")
)

// says reports whether one of the phrases stands among the words.
func says(tokens []string, p phrases) bool {
	_, ok := p.in(strings.Join(tokens, " "))
	return ok
}

// closesBrowser reports whether the words speak of the browser being closed.
func closesBrowser(tokens []string) bool {
	browser, closed := false, false
	for _, t := range tokens {
		for _, w := range browserWords {
			browser = browser || strings.HasPrefix(t, w)
		}
		for _, w := range closeWords {
			closed = closed || strings.Contains(t, w)
		}
	}
	return browser && closed
}

func hasDigit(text string) bool { return strings.ContainsAny(text, "0123456789") }
