package page

import (
	"html/template"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/languages"
)

// Data is all that the page shows. Templates are executed with it, and as JSON it is the answer to
// programs. An empty text is one that the policy does not state.
type Data struct {
	Language  string         `json:"language"`
	Languages []LanguageLink `json:"languages"`
	Title     Phrase         `json:"title"`
	Host      string         `json:"host,omitempty"` // that the visitor asked for, if it can be shown

	Policy     Policy   `json:"policy"`
	Controller string   `json:"controller,omitempty"`
	Contact    string   `json:"contact,omitempty"`
	Kinds      []Kind   `json:"kinds"`
	Providers  []string `json:"third_parties"` // of third-party cookies, each once
	Wildcards  bool     `json:"wildcards"`     // whether a cookie name contains *
	Choices    Choices  `json:"choices"`
	Form       *Form    `json:"-"` // nil if the page has none
	Manage     string   `json:"manage,omitempty"`
	ReadOnly   bool     `json:"read_only"`       // choices are made elsewhere
	Notice     string   `json:"-"`               // what became of a form: saved, not_kept, or error
	Error      string   `json:"error,omitempty"` // why a form was not accepted
	Back       string   `json:"-"`               // the path of the site's page that led here
	Stylesheet string   `json:"-"`
	Self       string   `json:"-"` // the path of the page, and its language if the visitor chose it

	ThirdParty   bool   `json:"-"` // whether the policy has third-party cookies
	ProviderList string `json:"-"` // the providers in one text

	T   *languages.Page `json:"-"` // the texts of the language
	CSS template.CSS    `json:"-"` // the built-in style, to be shown as it is in a style element
}

// Phrase is a text of the policy or of the operator. Its language is empty if it is that of the page, or
// unknown.
type Phrase struct {
	Text     string `json:"text"`
	Language string `json:"language,omitempty"`
}

// LanguageLink leads to the page in a language.
type LanguageLink struct {
	Tag     string `json:"tag"`
	Name    string `json:"name"`
	Href    string `json:"href"`
	Current bool   `json:"current"`
}

// Policy describes the policy in force.
type Policy struct {
	Name     string `json:"name"`
	Digest   string `json:"digest"`
	Mode     string `json:"mode"`
	Unlisted string `json:"unlisted"`
	Since    Date   `json:"in_force_since,omitzero"` // the first policy of this name
	Changed  Date   `json:"last_change,omitzero"`    // if it was another one before
}

// Date is a day, and the time in it.
type Date struct {
	Time time.Time `json:"time"`
	Text string    `json:"text"` // as the page's language writes the day
}

// IsZero reports whether there is no date.
func (d Date) IsZero() bool { return d.Time.IsZero() }

// Kind is one of the four kinds of cookies, with its rules.
type Kind struct {
	Category string `json:"category"`
	Name     string `json:"name"`
	About    string `json:"about"`
	Rules    []Rule `json:"rules"`
}

// Rule is one row of a table: cookies with one provider, function, purpose and lifetime.
type Rule struct {
	Cookies      []string `json:"cookies"`           // none if pages only load something
	Origins      []string `json:"origins,omitempty"` // third parties that pages may load from
	OriginList   string   `json:"-"`                 // the origins in one text
	Provider     string   `json:"provider"`
	Function     Phrase   `json:"function"`
	Purpose      Phrase   `json:"purpose"`
	Lifetime     Lifetime `json:"lifetime"`
	Keys         []string `json:"consent,omitempty"`
	Condition    string   `json:"condition"` // always, consent or until_objection
	NotProlonged bool     `json:"not_prolonged,omitempty"`
}

// Lifetime is how long a cookie lives, as far as the policy says so.
type Lifetime struct {
	Seconds int64  `json:"seconds,omitempty"`
	Session bool   `json:"session,omitempty"`
	AtMost  bool   `json:"at_most,omitempty"` // the gateway cuts a longer one
	Text    string `json:"text"`
}

// Choices are the visitor's choices for the host, as the gateway reads them.
type Choices struct {
	State     string   `json:"state"`              // none, too_old, valid, unreadable or contradictory
	Sentence  string   `json:"sentence,omitempty"` // about the state
	Made      *Date    `json:"made,omitempty"`
	Questions []Choice `json:"questions"`
	Signals   []Signal `json:"signals,omitempty"`
}

// Choice is what the visitor decides with one answer, and what it is now.
type Choice struct {
	Keys      []string          `json:"keys"`
	Title     Phrase            `json:"title"`
	Purpose   []Phrase          `json:"purpose"`
	Refused   Phrase            `json:"refused"`
	Cookies   []string          `json:"cookies"`
	Objection bool              `json:"objection"`
	State     string            `json:"state"` // granted, refused, undecided or mixed
	Text      string            `json:"text"`  // the state in words
	States    map[string]string `json:"states"`

	Field    string `json:"-"` // the name of the form's field
	Before   string `json:"-"` // what stands before and after the title in the question
	After    string `json:"-"`
	Names    string `json:"-"` // the cookies in words
	Selected string `json:"-"` // the answer that the visitor gave before: granted, refused or nothing
}

// Signal is a signal of the browser by which the visitor objects.
type Signal struct {
	Signal     string   `json:"signal"` // gpc or dnt
	Categories []string `json:"categories"`
	Text       string   `json:"text"`
}

// Form is what the form needs besides the questions.
type Form struct {
	Kept string // how long a choice is kept
}
