package published

import (
	"slices"
	"strings"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

// claim is what a heading, or a cell of a column of kinds, says about the category of cookies.
type claim struct {
	category  policy.Category // "" if the text names none, or two that contradict each other
	anonymous bool            // statistics that the text calls exempt from consent
	party     bool            // the category is that of who sets the cookies, not of what they are for
	doubtful  bool            // the text speaks of a category of its own, which is not known
	silent    bool            // the text says nothing about categories
}

// categoryStems are the beginnings of words that name a category, folded. A stem that ends with a
// space is a whole word.
var categoryStems = []struct {
	topic topic
	stems []string
}{
	{topicNecessary, []string{"necessary ", "necessaire ", "necessaires ", "necessari ", "necessarie ",
		"necessaria ", "necessario ", "necessarios ", "necessarias ", "necesaria ", "necesarias ",
		"necesario ", "necesarios ", "notwendig", "erforderlich", "noodzakelijk", "essential ",
		"essentials ", "essentiel", "essenziell", "essenzial", "essentiell", "essentieel ", "essentiele ",
		"esencial", "essencia"}},
	{topicStatistical, []string{"statisti", "estadistic", "estatistic", "analytic", "analyti", "analytique",
		"analyse ", "analysen ", "analysecookies ", "analitic", "analise ", "analisis ", "analisi ",
		"audience", "audiencia", "performance", "rendimiento", "desempenho", "prestazion", "leistung",
		"prestatie", "reichweite", "messung ", "measurement", "mesure ", "medicion ", "misurazione ",
		"bereik", "webanaly"}},
	{topicFirstParty, []string{"preference", "preferenc", "preferenze ", "preferenza ", "voorkeur",
		"praferenz", "prefe", "functional", "functionality ", "functionalities ", "fonctionnel",
		"fonctionnalit",
		"funktional", "funktionell", "funktionscookie", "funktions ",
		"funktionier", "functiecookie", "functioneel", "functionele ", "functionaliteit", "funcional", "funzional",
		"confort ", "comfort", "komfort", "internal ", "internes ", "interne ", "internas ", "interni ",
		"internos ", "internal", "first party", "firstparty ", "erstanbieter", "eigene ", "eigen ",
		"proprie ", "propie", "propia ", "propias ", "proprio ", "proprios ", "propri ", "prima parte ",
		"prime parti ", "primeira parte ", "primeros ", "premiere partie "}},
	{topicThirdParty, []string{"marketing", "advert", "ads ", "targeting", "targeted ", "social ",
		"sociaux ", "sociales ", "sociais ", "sociali ", "soziale ", "sociale ", "socials ", "publicit",
		"publicid", "pubblicit", "werbung", "werbe", "werblich", "reclame", "advertentie", "ciblage",
		"ciblee", "zielgruppe", "third party", "thirdparty ", "third parties ", "tiers ", "tierce ",
		"tierces ", "drittanbieter", "dritter ", "dritten ", "drittpartei", "derden ", "derde ",
		"terceros ", "tercero ", "tercera ", "terze parti ", "terza parte ", "terzi ", "terceiros ",
		"profilazione ", "profiling ", "segmentacion ", "remarketing", "retargeting"}},
}

type topic int

const (
	topicNecessary topic = iota
	topicStatistical
	topicFirstParty
	topicThirdParty
)

// partyWords are the words that say who sets a cookie and nothing of what it is for.
var partyWords = wordSet(`internal internes interne internas interni internos first firstparty eigene
	eigen proprie propia propias proprio proprios propri primeira prime prima primeros premiere party
	third parties thirdparty tiers tierce tierces drittanbieter erstanbieter dritter dritten derden
	derde terceros tercero tercera terze terza terzi terceiros`)

// negators turn around a word that follows within a few words. exceptions do so for "necessary":
// "optional", "other than necessary".
var (
	negators = wordSet(`not non no nicht kein keine keiner niet geen pas sans ohne sin senza sem nao
		without nor`)
	optionalWords = wordSet(`optional optionally optionnel optionnels opcional opcionales opcionais opzionali optionale
		optionele facultatif facultatifs facultativi facultativas`)
	exceptions = wordSet(`optional optionnel optionnels opcional opcionales opcionais opzionali optionale
		optionele facultatif facultatifs facultativi facultativas other autres beyond hormis excepte
		except ausser anders distintas distintos otras otros outros outras altri altre diversi diverse
		sauf sonstige andere weitere overige less weniger moins menos meno minder`)
)

// doubtWords make a heading one of a category of its own, which is not one of the four.
var doubtWords = wordSet(`other others misc miscellaneous unclassified uncategorized uncategorised
	optional autres autre divers optionnels facultatifs sonstige andere weitere nicht ubrige overige
	otras otros otra outros outras altri altre opzionali unknown inconnus unbekannt various
	required requis obligatoire obligatoires mandatory indispensable indispensables imprescindible
	imprescindibles indispensabile indispensabili indispensaveis obligatorias obligatorie obbligatori
	obrigatorios unerlasslich unerlassliche zwingend verplichte vereiste
	experimental security securite sicherheit technical techniques technische technisch tecnicas
	tecnici tecnicos beveiliging seguridad sicurezza seguranca load`)

// plainWords are the words of a heading that announces a list and names no kind of cookie.
var plainWords = wordSet(`cookie cookies list liste lista lijst of the we use used our us site website
	web details detail table tableau tabelle tabla tabella following overview des les nous utilisons
	utilises sur ce le la der die das auf dieser unserer verwendete ubersicht wir verwenden lista de
	los las utilizadas utilizamos elenco dei utilizzati questo sito gebruikte overzicht van deze wij
	gebruiken utilizados neste on this in are here is and et und y e en that which`)

// claimOf reads a heading. Necessary is claimed only in so many words, without a negation and
// without another purpose beside it.
func claimOf(text string) claim {
	// What stands before a colon is the heading: "Statistics: cookies that …".
	if before, behind, ok := strings.Cut(text, ":"); ok && strings.TrimSpace(behind) != "" {
		if yes, ok := yesOrNo(behind); ok && !yes {
			return claim{doubtful: true} // "Necessary: no"
		}
		if c := claimOf(before); c.category != "" {
			return c
		}
	}
	words := strings.Fields(fold(strings.ReplaceAll(text, "/", " ")))
	var found [4]bool
	var byParty [4]bool // claimed by a word about who sets the cookie
	negated, purposes, doubt, plain := false, 0, false, true
	for i, w := range words {
		doubt = doubt || doubtWords[w]
		plain = plain && plainWords[w]
		t, party, ok := topicAt(words, i)
		if !ok {
			continue
		}
		if isNegated(words, i) || t == topicNecessary && doubted(words[:i]) {
			negated = true
			continue
		}
		if party {
			byParty[t] = true
		} else if !found[t] {
			found[t] = true
			purposes++
		}
	}
	c := claim{doubtful: doubt || negated}
	switch {
	case found[topicNecessary] && (negated || asksConsent(words) || strings.HasSuffix(strings.TrimSpace(text), "?") ||
		slices.ContainsFunc(words, func(w string) bool { return optionalWords[w] })):
		c.doubtful = true
	case found[topicNecessary] &&
		(found[topicStatistical] || found[topicThirdParty] || byParty[topicThirdParty]):
		c.doubtful = true
	case found[topicNecessary]: // "functional and necessary", "necessary internal cookies"
		c.category = policy.Necessary
	case purposes == 1:
		for t, is := range found {
			if is {
				c.category = policy.Categories[t]
			}
		}
	case purposes > 1:
		c.doubtful = true
	case byParty[topicFirstParty] != byParty[topicThirdParty]:
		c.category, c.party = policy.FirstParty, true
		if byParty[topicThirdParty] {
			c.category = policy.ThirdParty
		}
	case byParty[topicFirstParty]:
		c.doubtful = true
	}
	c.silent = c.category == "" && !c.doubtful && plain
	c.anonymous = c.category == policy.Statistical && saysExempt(words)
	return c
}

// topicAt returns the topic that the word at i, or it and the next one, names.
func topicAt(words []string, i int) (t topic, party, ok bool) {
	rest := words[i] + " "
	if i+1 < len(words) {
		rest += words[i+1] + " "
	}
	for _, c := range categoryStems {
		for _, stem := range c.stems {
			if strings.HasPrefix(rest, stem) {
				return c.topic, partyWords[words[i]], true
			}
		}
	}
	return 0, false, false
}

// isNegated reports whether a word shortly before the word at i turns it around.
func isNegated(words []string, i int) bool { return follows(words, i, negators) }

// doubted reports whether a word anywhere in front turns "necessary" around.
func doubted(words []string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return negators[w] || exceptions[w] })
}

// follows reports whether one of the three words before the word at i is in a set.
func follows(words []string, i int, set map[string]bool) bool {
	for j := max(0, i-3); j < i; j++ {
		if set[words[j]] {
			return true
		}
	}
	return false
}

// consentStems begin the words for consent, folded.
var consentStems = []string{"consent", "consenso", "einwillig", "zustimm", "toestemm", "accord", "permission"}

func isConsent(word string) bool {
	for _, stem := range consentStems {
		if strings.HasPrefix(word, stem) {
			return true
		}
	}
	return false
}

// asksConsent reports whether a heading says that consent is asked for: "Consent necessary". A
// negation on either side says the contrary.
func asksConsent(words []string) bool {
	for i, w := range words {
		if isConsent(w) {
			return !isNegated(words, i) && !isNegated(words, min(i+4, len(words))) && !saysExempt(words)
		}
	}
	return false
}

// saysExempt reports whether a folded text says that no consent is asked for.
func saysExempt(words []string) bool {
	for i, w := range words {
		for _, stem := range []string{"exempt", "exent", "esent", "isent", "vrijgesteld", "befreit", "dispens"} {
			if strings.HasPrefix(w, stem) && !isNegated(words, i) {
				return true
			}
		}
	}
	return false
}

// saysExemptFromConsent is saysExempt for a sentence, which must also say from what.
func saysExemptFromConsent(text string) bool {
	words := strings.Fields(fold(text))
	return saysExempt(words) &&
		slices.ContainsFunc(words, func(w string) bool { return isConsent(w) || w == "cnil" })
}

// kindOfStorage tells whether a cell names a kind of storage that is no cookie, and which.
func kindOfStorage(text string) (what string, other bool) {
	folded := fold(text)
	compact := strings.ReplaceAll(folded, " ", "")
	for _, s := range []struct{ stem, what string }{
		{"localstorage", "local storage"}, {"sessionstorage", "session storage"},
		{"stockagelocal", "local storage"}, {"almacenamientolocal", "local storage"},
		{"armazenamentolocal", "local storage"}, {"archiviazionelocale", "local storage"},
		{"lokalerspeicher", "local storage"}, {"lokaleopslag", "local storage"},
		{"webstorage", "web storage"}, {"htmllocal", "local storage"}, {"htmlsession", "session storage"},
		{"indexeddb", "IndexedDB"}, {"serviceworker", "a service worker"},
		{"pixel", "a pixel"}, {"beacon", "a beacon"}, {"webbeacon", "a beacon"},
	} {
		if strings.Contains(compact, s.stem) {
			return s.what, true
		}
	}
	return "", false
}

// requiredWords say in a column of consents that it is asked for.
var requiredWords = wordSet(`required needed necessary asked opt requis requise necessaire demande oui
	erforderlich notwendig vereist nodig noodzakelijk requerido requerida necesario necesaria richiesto necessario obrigatorio`)

// asksForConsent reports whether a cell of a column of consents says that it is asked for.
func asksForConsent(cell string) bool {
	if yes, ok := yesOrNo(cell); ok {
		return yes
	}
	words := strings.Fields(fold(cell))
	for i, w := range words {
		if requiredWords[w] && !isNegated(words, i) && !isNegated(words, min(i+2, len(words))) {
			return true
		}
	}
	return false
}

// yesOrNo reads a cell of a column that asks a question.
func yesOrNo(text string) (yes, ok bool) {
	switch first, _, _ := strings.Cut(fold(text), " "); first {
	case "yes", "y", "oui", "ja", "si", "sim", "true":
		return true, true
	case "no", "n", "non", "nein", "nee", "nao", "false":
		return false, true
	}
	switch strings.TrimSpace(text) {
	case "✓", "✔", "☑", "✅":
		return true, true
	case "✗", "✘", "❌", "☒":
		return false, true
	}
	return false, false
}
