package languages

import "fmt"

// Page is all that the policy page says. The placeholders of a text are those of the English one, in
// en.json.
type Page struct {
	Title     Text `json:"title"`
	Skip      Text `json:"skip"`      // the link over the navigation
	Languages Text `json:"languages"` // the name of the list of languages
	Intro     Text `json:"intro"`

	What         What         `json:"what"`
	Kinds        Kinds        `json:"kinds"`
	Cookies      Cookies      `json:"cookies"`
	ThirdParties ThirdParties `json:"third_parties"`
	Choices      Choices      `json:"choices"`
	Form         Form         `json:"form"`
	Saved        Saved        `json:"saved"`
	Errors       Errors       `json:"errors"`
	Elsewhere    Elsewhere    `json:"elsewhere"`
	Responsible  Responsible  `json:"responsible"`
	Policy       Policy       `json:"policy"`
}

// What says what a cookie is.
type What struct {
	Title Text `json:"title"`
	Text  Text `json:"text"`
}

// Kinds explains the four categories of cookies.
type Kinds struct {
	Title   Text `json:"title"`
	None    Text `json:"none"`    // in place of a table
	Caption Text `json:"caption"` // of a table; {kind} is a kind's name

	Necessary   Kind `json:"necessary"`
	Statistical Kind `json:"statistical"`
	FirstParty  Kind `json:"first_party"`
	ThirdParty  Kind `json:"third_party"`
}

// Kind explains one category.
type Kind struct {
	Name  Text `json:"name"`
	About Text `json:"about"`
}

// Of returns the kind for a category's word in a policy, such as "first_party".
func (k Kinds) Of(category string) (Kind, error) {
	switch category {
	case "necessary":
		return k.Necessary, nil
	case "statistical":
		return k.Statistical, nil
	case "first_party":
		return k.FirstParty, nil
	case "third_party":
		return k.ThirdParty, nil
	}
	return Kind{}, fmt.Errorf("there is no category %q", category)
}

// Cookies are the words of the tables of cookies.
type Cookies struct {
	Title     Text `json:"title"`
	TitleHost Text `json:"title_host"` // where {host} is known

	Provider Text `json:"provider"` // the heads of the columns
	Function Text `json:"function"`
	Names    Text `json:"names"`
	Purpose  Text `json:"purpose"`
	Lifetime Text `json:"lifetime"`

	NoCookie     Text `json:"no_cookie"` // the name, in a rule that only lets pages load something
	NotStated    Text `json:"not_stated"`
	Session      Text `json:"session"` // the lifetime of a session cookie
	AtMost       Text `json:"at_most"` // an enforced lifetime; {duration}
	NotProlonged Text `json:"not_prolonged"`

	Always         Text `json:"always"`       // the condition of necessary cookies
	WithConsent    Text `json:"with_consent"` // of cookies that need consent
	UntilObjection Text `json:"until_objection"`

	Wildcard Text `json:"wildcard"` // the legend for * in names
	Case     Text `json:"case"`
	Origins  Text `json:"origins"` // what pages may load; {origins}
}

// ThirdParties says who else receives data.
type ThirdParties struct {
	Title      Text `json:"title"`
	Listed     Text `json:"listed"` // {providers}
	None       Text `json:"none"`
	Recipients Text `json:"recipients"`
	Transfers  Text `json:"transfers"`
}

// Choices shows the visitor's choices.
type Choices struct {
	Title   Text `json:"title"`
	Host    Text `json:"host"` // for which {host} they apply
	Date    Text `json:"date"` // when they were made: {date}
	Undated Text `json:"undated"`

	None          Text `json:"none"`          // the states of the preference
	NoPreference  Text `json:"no_preference"` // where the policy names none
	Unreadable    Text `json:"unreadable"`
	Contradictory Text `json:"contradictory"`
	TooOld        Text `json:"too_old"` // {date}, and {duration} for which a choice is valid
	Nothing       Text `json:"nothing"` // no cookie needs consent

	Granted   Text `json:"granted"` // the states of a consent key
	Refused   Text `json:"refused"`
	Undecided Text `json:"undecided"`
	Active    Text `json:"active"` // an anonymous key that is not refused
	Objected  Text `json:"objected"`

	GPC      Text `json:"gpc"` // {kinds} that the signal refuses
	DNT      Text `json:"dnt"`
	Explicit Text `json:"explicit"`
}

// Form asks the visitor.
type Form struct {
	Title Text `json:"title"`
	Intro Text `json:"intro"`

	Consent Text `json:"consent"` // the question for a set of keys; {title}
	Accept  Text `json:"accept"`
	Refuse  Text `json:"refuse"`

	Objection      Text `json:"objection"` // the question for anonymous statistics; {title}
	Object         Text `json:"object"`
	NotObject      Text `json:"not_object"`
	ObjectionAbout Text `json:"objection_about"`

	Names      Text `json:"names"`       // the cookies that a question is about; {names}
	IfRefused  Text `json:"if_refused"`  // the heading over what a refusal changes
	IfObjected Text `json:"if_objected"` // and over what an objection changes

	Save      Text `json:"save"`
	All       Text `json:"all"` // the heading over the next two buttons
	RefuseAll Text `json:"refuse_all"`
	AcceptAll Text `json:"accept_all"`

	Kept     Text `json:"kept"` // {duration}
	Withdraw Text `json:"withdraw"`
	Removed  Text `json:"removed"` // true only where the policy is enforced
}

// Saved answers a form that was accepted.
type Saved struct {
	Title        Text `json:"title"` // the document's title; {title} is that of the page
	Text         Text `json:"text"`
	NotKeptTitle Text `json:"not_kept_title"`
	NotKept      Text `json:"not_kept"`
	Back         Text `json:"back"` // the link to where the visitor came from
}

// Errors answers a form that was not accepted.
type Errors struct {
	Title     Text `json:"title"` // the document's title; {title} is that of the page
	Heading   Text `json:"heading"`
	Foreign   Text `json:"foreign"`
	TooLarge  Text `json:"too_large"`
	Malformed Text `json:"malformed"`
	Changed   Text `json:"changed"` // the policy is another one than when the page was opened
	NoRoom    Text `json:"no_room"` // the preference would become larger than a cookie can be
	Again     Text `json:"again"`   // the link back to the page
}

// Elsewhere stands in place of the form where the page cannot write the preference.
type Elsewhere struct {
	Text   Text `json:"text"`
	Manage Text `json:"manage"`  // the link to the consent tool
	NoLink Text `json:"no_link"` // where no link is known
}

// Responsible says who answers for the site.
type Responsible struct {
	Title      Text `json:"title"`
	Controller Text `json:"controller"` // {controller}
	Contact    Text `json:"contact"`    // a link; {controller}
}

// Policy describes the policy itself.
type Policy struct {
	Title       Text `json:"title"`
	Name        Text `json:"name"`
	Digest      Text `json:"digest"`
	DigestAbout Text `json:"digest_about"`
	Since       Text `json:"since"`   // before a date
	Changed     Text `json:"changed"` // before a date

	Enforced      Text `json:"enforced"`       // mode enforce
	UnlistedBlock Text `json:"unlisted_block"` // mode enforce only
	UnlistedPass  Text `json:"unlisted_pass"`
	Scripts       Text `json:"scripts"` // mode enforce only
	Report        Text `json:"report"`  // mode report

	Print Text `json:"print"`
}
