package published

import "strings"

// languageWords are frequent words that tell the seven languages apart, folded.
var languageWords = map[string]map[string]bool{
	"en": wordSet(`the of and to is are this that which your you we from with not website visitor user
		used when has by provider purpose expiry remembers stores for lifetime necessary
		name`),
	"fr": wordSet(`le les des du et est sont ce cette vous votre nous pour dans sur avec pas une site
		qui au aux par permet visiteur utilisateur finalite duree nom necessaires se
		souvenir prestataire`),
	"de": wordSet(`der die das und ist sind dieser sie ihre wir fur mit nicht ein eine von auf den dem
		zu wird werden seite besucher zweck anbieter speichert dauer laufzeit notwendige`),
	"es": wordSet(`el los las del y es son este esta usted su para con no una sitio que por usuario
		finalidad duracion visitante caducidad proveedor necesarias al nombre`),
	"it": wordSet(`il lo gli della dei e sono questo questa per con non una sito che di utente scopo
		durata visitatore scadenza fornitore necessari dal nome alla`),
	"nl": wordSet(`de het een en is zijn deze dit u uw wij voor met niet van op die wordt worden
		bezoeker doel aanbieder bewaartermijn noodzakelijke naam onthoudt`),
	"pt": wordSet(`o os as do da dos das e sao este esta voce seu para com nao uma site que por
		utilizador finalidade duracao visitante validade fornecedor necessarios ao nome`),
}

// languageOf takes the language of a page from its frequent words if it declares none, or if they are
// clearly those of another of the seven: templates declare the language they were made in.
func (r *reader) languageOf(items []item) {
	declared := r.page.Language
	counts := wordsOf(items)
	shown := ahead(counts)
	switch {
	case declared == "":
		r.page.Language = shown
	case shown != declared && languageWords[declared] != nil && counts[shown] >= 10 &&
		counts[shown] >= 3*counts[declared]:
		r.page.Language = shown
		r.note(1, Assumed, "the page says that its language is %s, and its words are those of %s", quoted(declared), shown)
	}
}

// wordsOf counts the frequent words of each language.
func wordsOf(items []item) map[string]int {
	counts := map[string]int{}
	count := func(text string) {
		for _, w := range strings.Fields(fold(text)) {
			for language, words := range languageWords {
				if words[w] {
					counts[language]++
				}
			}
		}
	}
	for _, it := range items {
		count(it.text)
		if it.table != nil {
			for _, row := range it.table.rows {
				for _, c := range row.cells {
					if !c.repeated {
						count(strings.Join(c.lines, " "))
					}
				}
			}
		}
	}
	return counts
}

// ahead returns the language that has the most words, or "" where none is clearly ahead.
func ahead(counts map[string]int) string {
	best, second := "", 0
	for language, n := range counts {
		switch {
		case n > counts[best] || n == counts[best] && language < best:
			if best != "" {
				second = max(second, counts[best])
			}
			best = language
		default:
			second = max(second, n)
		}
	}
	if counts[best] < 3 || counts[best] <= second {
		return ""
	}
	return best
}
