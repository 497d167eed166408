package published

import "strings"

// role is what a column, or the value behind a label, says about a cookie.
type role string

const (
	noRole       role = ""
	roleName     role = "name"
	roleProvider role = "provider"
	roleFunction role = "function" // the service and where it is used
	rolePurpose  role = "purpose"
	roleLifetime role = "lifetime"
	roleKind     role = "kind"      // the category, the kind of storage, or first or third party
	roleNeeded   role = "necessary" // yes or no
	roleConsent  role = "consent"   // whether consent is asked for: yes or no
	roleExact    role = "exact"     // the names to the letter, in a generated table
	roleOther    role = "other"     // known and of no use to a policy: privacy policies, transfers
)

// headPhrases are headings of columns that their single words would tell wrongly, folded.
var headPhrases = []struct {
	phrase string
	role   role
}{
	{"function and location", roleFunction}, {"service and location", roleFunction},
	{"service et emplacement", roleFunction}, {"fonction et emplacement", roleFunction},
	{"funktion und ort", roleFunction}, {"funktion und einsatzort", roleFunction},
	{"functie en plaats", roleFunction}, {"dienst und ort", roleFunction},
	{"funcion y ubicacion", roleFunction}, {"servicio y ubicacion", roleFunction},
	{"funzione e posizione", roleFunction}, {"funzione e collocazione", roleFunction},
	{"servizio e posizione", roleFunction},
	{"functie en locatie", roleFunction}, {"dienst en locatie", roleFunction},
	{"funcao e localizacao", roleFunction}, {"servico e localizacao", roleFunction},
	{"first or third party", roleKind}, {"first party or third party", roleKind},
	{"internal or third party", roleKind}, {"interne ou tiers", roleKind},
	{"internes ou tiers", roleKind}, {"interne ou tierce", roleKind},
	{"propia o de tercero", roleKind}, {"propias o de terceros", roleKind},
	{"propia o de terceros", roleKind}, {"prima o terza parte", roleKind},
	{"session or persistent", roleLifetime}, {"persistent or session", roleLifetime},
	{"lasts for", roleLifetime}, {"how long", roleLifetime}, {"wie lange", roleLifetime},
	{"hoe lang", roleLifetime}, {"time to live", roleLifetime},
	{"set by", roleProvider}, {"placed by", roleProvider}, {"depose par", roleProvider},
	{"deposes par", roleProvider}, {"emis par", roleProvider}, {"gesetzt von", roleProvider},
	{"geplaatst door", roleProvider}, {"who sets it", roleProvider}, {"impostato da", roleProvider},
	{"what it does", rolePurpose}, {"what they do", rolePurpose}, {"what it is for", rolePurpose}, {"used for", rolePurpose},
	{"what for", rolePurpose}, {"a quoi il sert", rolePurpose}, {"a quoi sert il", rolePurpose},
	{"waarvoor", rolePurpose}, {"wofur", rolePurpose}, {"para que sirve", rolePurpose},
	{"strictly necessary", roleNeeded}, {"strictement necessaire", roleNeeded},
	{"unbedingt erforderlich", roleNeeded}, {"strikt noodzakelijk", roleNeeded},
	{"estrictamente necesaria", roleNeeded}, {"strettamente necessario", roleNeeded},
	{"estritamente necessario", roleNeeded},
	{"privacy policy", roleOther}, {"privacy notice", roleOther}, {"legal basis", roleOther},
	{"more information", roleOther}, {"further information", roleOther}, {"plus d informations", roleOther},
	{"weitere informationen", roleOther}, {"meer informatie", roleOther},
	{"mas informacion", roleOther}, {"maggiori informazioni", roleOther},
	{"mais informacoes", roleOther}, {"data collected", roleOther},
}

// headPhraseTexts and headPhraseRoles are headPhrases for lookups.
var headPhraseTexts, headPhraseRoles = func() (texts phrases, roles map[string]role) {
	roles = map[string]role{}
	for _, p := range headPhrases {
		texts, roles[p.phrase] = append(texts, phrasesOf(p.phrase)...), p.role
	}
	return texts, roles
}()

// headWords are the words that tell what a column says. The earlier role wins where a heading has
// words of two, as in "name of the provider" and "cookie duration".
var headWords = []struct {
	role  role
	words map[string]bool
}{
	{roleOther, wordSet(`link links lien liens url datenschutz privacy opt optout country pays land
		transfer transfert rechtsgrundlage no nr`)},
	{roleConsent, wordSet(`consent consentement einwilligung zustimmung toestemming consentimiento
		consenso consentimento`)},
	{roleNeeded, wordSet(`necessary essential required mandatory necessaire essentiel obligatoire
		notwendig erforderlich essenziell noodzakelijk vereist necesaria necesario esencial obligatorio
		necessario essenziale obbligatorio obrigatorio essencial necessaria`)},
	{roleLifetime, wordSet(`duration expires expiry expiration expire lifetime lifespan life retention
		period persistence ttl validity duree echeance conservation peremption validite expiracion
		bewaartermijn bewaarduur looptijd levensduur geldigheid geldigheidsduur vervaltermijn
		vervaldatum verloopt vervalt deadline laufzeit speicherdauer lebensdauer ablauf ablaufzeit
		ablaufdatum gultigkeit gultigkeitsdauer speicherfrist aufbewahrungsdauer cookielaufzeit dauer
		duracion caducidad vencimiento vigencia plazo scadenza durata conservazione validade duracao
		expiracao expira prazo duur opslagtermijn opslagduur periode periodo aufbewahrungsfrist`)},
	{roleProvider, wordSet(`subgroup provider providers supplier vendor source host hosts domain domaine dominio
		domein publisher owner company prestataire prestataires fournisseur fournisseurs editeur
		emetteur emetteurs societe aanbieder leverancier domeinnaam anbieter herausgeber hersteller
		proveedor proveedores titular emisor responsable fornitore fornitori titolare fornecedor
		prestador prestadora entidade herkunft eigentumer partner partenaire partenaires controller
		setter gestore`)},
	{roleKind, wordSet(`type types category categories kind classification categorie kategorie tipo
		tipos typ art soort categoria categorias tipologia party typologie speicherart cookietyp
		cookiekategorie klasse classe`)},
	{rolePurpose, wordSet(`purpose purposes description descriptions usage use uses goal goals why reason
		finalite finalites objectif objectifs but buts utilisation utilite pourquoi role explication
		zweck zwecke beschreibung verwendung verwendungszweck erlauterung nutzen doel doeleinde
		doeleinden omschrijving beschrijving gebruik uitleg toelichting finalidad finalidades
		descripcion uso utilidad proposito informacion objetivo motivo scopo scopi finalita descrizione
		utilizzo finalidade descricao objetivos utilizacao fin fines infos information informations
		informazioni details`)},
	{roleFunction, wordSet(`service services dienst servicio servizio servico emplacement location
		tool outil werkzeug standort`)},
	{rolePurpose, wordSet(`function functions functionality fonction fonctions fonctionnalite funktion
		funktionen funktionalitat functie functionaliteit funcion funciones funzione funzioni funzionalita
		funcao funcoes funcionalidade`)},
	{roleName, wordSet(`name names nom noms naam namen nombre nombres nome nomi nomes cookie cookies
		cookiename cookienamen cookienaam identifiant identifier bezeichnung cookiebezeichnung
		traceur traceurs tracker trackers intitule denominazione denominacion denominacao designation`)},
}

// headFillers are words that say nothing about a column.
var headFillers = wordSet(`of the a an and or s its our this used in on for to by it is are we
	du des de la le les l d ou et un une utilise utilises depose deposes concerne ce
	der die das den dem und oder von vom fur verwendete gesetzte eines
	het van en gebruikte voor
	del los las el y o utilizadas usadas
	dei delle della di il lo gli e per
	do da dos das os as utilizados
	after apres nach na despues dopo apos tras
	maximum max maximale maximal date day time default temps datum tage default data vie storage`)

// headCell tells what the heading of a column says. strict is set if each word is one that headings
// are made of. A heading of many words is none.
func headCell(text string) (r role, strict bool) {
	if len(text) > 90 || strings.Contains(strings.Trim(text, "_"), "_") { // cookie_name is no heading
		return noRole, false
	}
	folded := fold(text)
	words := strings.Fields(folded)
	if len(words) == 0 || len(words) > 8 {
		return noRole, false
	}
	if len(words) > 1 {
		if phrase, ok := headPhraseTexts.in(folded); ok {
			return headPhraseRoles[phrase], len(words) <= len(strings.Fields(phrase))+2
		}
	}
	strict = true
	rank := len(headWords)
	for _, w := range words {
		known := headFillers[w] || w == "id" || w == "key" || len(w) == 1 // the plural in "name(s)"
		for i, h := range headWords {
			if h.words[w] {
				known = true
				rank = min(rank, i)
			}
		}
		strict = strict && known
	}
	if rank == len(headWords) {
		return noRole, false
	}
	r = headWords[rank].role
	if r == roleNeeded && saysCookie(text) && !strings.Contains(text, "?") {
		return noRole, false // "Necessary cookies"
	}
	if r == roleName && !strict {
		return noRole, false // "Choices related to your cookie preferences"
	}
	return r, strict
}

// lineHead is headCell for a line of text that may as well be a heading for what follows: "Necessary"
// and "Essential cookies" are headings of columns only as a question.
func lineHead(text string) (r role, strict bool) {
	r, strict = headCell(text)
	if r == roleNeeded && !strings.HasSuffix(strings.TrimSpace(text), "?") {
		return noRole, false
	}
	return r, strict
}

// saysCookie reports whether a heading of names speaks of cookies: "Cookie name" rather than "Name".
func saysCookie(text string) bool { return strings.Contains(fold(text), "cookie") }

// headRow tells what the columns are if a row is one of headings, which has a heading for names and
// one for something else. alone is enough where the page itself marks the row as headings.
func headRow(cells []string, alone bool) (roles []role, ok bool) {
	roles = make([]role, len(cells))
	names, others, filled := 0, 0, 0
	for i, cell := range cells {
		r, strict := headCell(cell)
		if strings.TrimSpace(cell) != "" {
			filled++
		}
		roles[i] = r
		switch {
		case r == roleName && strict:
			names++
		case r != noRole && strict:
			others++
		}
	}
	if names == 0 || others == 0 && (!alone || filled > names) {
		return nil, false
	}
	settle(roles, cells)
	return roles, true
}

// settle leaves one column of names: the first one that speaks of cookies, otherwise the first. The
// others name a service.
func settle(roles []role, cells []string) {
	best := -1
	for i, r := range roles {
		if r == roleName && (best < 0 || saysCookie(cells[i]) && !saysCookie(cells[best])) {
			best = i
		}
	}
	for i, r := range roles {
		if r == roleName && i != best {
			roles[i] = roleFunction
		}
	}
}

// column returns the first column with a role, or -1.
func column(roles []role, r role) int {
	for i := range roles {
		if roles[i] == r {
			return i
		}
	}
	return -1
}
