package print

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/cookie-policy/caddy-cookie-policy/languages"
)

//go:embed en.json fr.json
var files embed.FS

// Languages are the tags of the languages in which documents are written.
var Languages = []string{"en", "fr"}

// texts are what a document says. Placeholders such as {count} are those of the English text.
type texts struct {
	Title         languages.Text `json:"title"`
	DocumentTitle languages.Text `json:"document_title"` // {policies}, {since}, {until}
	Contents      languages.Text `json:"contents"`
	Intro         languages.Text `json:"intro"`
	Unanswered    languages.Text `json:"unanswered"`
	Policy        languages.Text `json:"policy"`    // a heading; {policy}
	PolicyAt      languages.Text `json:"policy_at"` // where several gateways answered: {policy}, {address}

	Thousands languages.Text `json:"thousands"` // between groups of three digits
	None      languages.Text `json:"none"`
	Yes       languages.Text `json:"yes"`
	No        languages.Text `json:"no"`
	NoRecord  languages.Text `json:"no_record"`
	Days      languages.Text `json:"days"`  // {first}, {last}
	Value     languages.Text `json:"value"` // {name}, {value}

	Columns  columnTexts  `json:"columns"`
	Summary  summaryTexts `json:"summary"`
	Force    forceTexts   `json:"force"`
	Verdicts verdictTexts `json:"verdicts"`
	Cookies  cookieTexts  `json:"cookies"`
	Origins  originTexts  `json:"origins"`
	Choices  choiceTexts  `json:"choices"`
	Drift    driftTexts   `json:"drift"`
	Gateways gatewayTexts `json:"gateways"`
	Chain    chainTexts   `json:"chain"`
	Limits   limitTexts   `json:"limits"`
	Made     madeTexts    `json:"made"`

	Words words `json:"words"`
}

// columnTexts are the heads of columns.
type columnTexts struct {
	Day        languages.Text `json:"day"`
	Channel    languages.Text `json:"channel"`
	Category   languages.Text `json:"category"`
	Name       languages.Text `json:"name"`
	Rule       languages.Text `json:"rule"`
	First      languages.Text `json:"first"`
	Last       languages.Text `json:"last"`
	Count      languages.Text `json:"count"`
	Missed     languages.Text `json:"missed"`
	Lifetime   languages.Text `json:"lifetime"`
	Session    languages.Text `json:"session"`
	Insecure   languages.Text `json:"insecure"`
	NoHTTPOnly languages.Text `json:"no_http_only"`
	SameSite   languages.Text `json:"same_site"`
	Domains    languages.Text `json:"domains"`
	Paths      languages.Text `json:"paths"`
	Hosts      languages.Text `json:"hosts"`
	Key        languages.Text `json:"key"`
	Granted    languages.Text `json:"granted"`
	Refused    languages.Text `json:"refused"`
	Finding    languages.Text `json:"finding"`
	Detail     languages.Text `json:"detail"`
	Digest     languages.Text `json:"digest"`
	Mode       languages.Text `json:"mode"`
	Since      languages.Text `json:"since"`
	Until      languages.Text `json:"until"`
	Duration   languages.Text `json:"duration"`
	Instance   languages.Text `json:"instance"`
	Runs       languages.Text `json:"runs"`
	Requests   languages.Text `json:"requests"`
	Written    languages.Text `json:"written"`
	Holds      languages.Text `json:"holds"`
	DaysOver   languages.Text `json:"days_over"`
	FirstDay   languages.Text `json:"first_day"`
	LastDay    languages.Text `json:"last_day"`
	LastDigest languages.Text `json:"last_digest"`
	Broken     languages.Text `json:"broken"`
	Names      languages.Text `json:"names"`
	More       languages.Text `json:"more"`
	Fact       languages.Text `json:"fact"`
	What       languages.Text `json:"what"`
	Origin     languages.Text `json:"origin"`
	Subject    languages.Text `json:"subject"`
	SeenDays   languages.Text `json:"seen_days"`
	Reports    languages.Text `json:"reports"`
	HadGranted languages.Text `json:"had_granted"`
	HadRefused languages.Text `json:"had_refused"`
	Undecided  languages.Text `json:"undecided"`
	Directives languages.Text `json:"directives"`
}

type summaryTexts struct {
	Title    languages.Text `json:"title"`
	Range    languages.Text `json:"range"`    // {since}, {until}, {at}
	Instance languages.Text `json:"instance"` // the scope
	Fleet    languages.Text `json:"fleet"`    // {count}
	Now      languages.Text `json:"now"`      // {mode}, {digest}
	Periods  languages.Text `json:"periods"`  // {count}
	Requests languages.Text `json:"requests"` // {count}
	Enforce  languages.Text `json:"enforce"`  // {refused}, {expired}, {let_through}, {deletion}
	Report   languages.Text `json:"report"`   // {would_refuse}, {would_expire}, {let_through}, {deletion}
	Nothing  languages.Text `json:"nothing"`
	Gaps     languages.Text `json:"gaps"` // {count}, {duration}
	NoGaps   languages.Text `json:"no_gaps"`
	Chain    languages.Text `json:"chain"`
	ChainNot languages.Text `json:"chain_not"`
	Drift    languages.Text `json:"drift"` // {count}
	NotOver  languages.Text `json:"not_over"`
	Problems languages.Text `json:"problems"`  // {count}
	SetAside languages.Text `json:"set_aside"` // {count}
	NoChains languages.Text `json:"no_chains"`
}

type forceTexts struct {
	Title    languages.Text `json:"title"`
	About    languages.Text `json:"about"`
	None     languages.Text `json:"none"`
	Caption  languages.Text `json:"caption"`
	InForce  languages.Text `json:"in_force"` // in place of an end
	Dropped  languages.Text `json:"dropped"`  // {count}
	Changes  languages.Text `json:"changes"`  // a heading; {time}, {digest}
	First    languages.Text `json:"first"`
	Compared languages.Text `json:"compared"`
	Before   languages.Text `json:"before"` // the policy before is not in the report
	Same     languages.Text `json:"same"`   // the same policy came back
	Unread   languages.Text `json:"unread"`
	Added    languages.Text `json:"added"`   // {rule}
	Removed  languages.Text `json:"removed"` // {rule}
	Changed  languages.Text `json:"changed"` // {rule}, {changes}
	Setting  languages.Text `json:"setting"` // {word}, {was}, {is}
	Gained   languages.Text `json:"gained"`  // of a list: {word}, {value}
	Lost     languages.Text `json:"lost"`    // of a list: {word}, {value}
	Altered  languages.Text `json:"altered"` // of a list: {word}, {value}, {changes}
	Texts    languages.Text `json:"texts"`   // texts for people: {word}
	NotSet   languages.Text `json:"not_set"`
	Order    languages.Text `json:"order"` // of rules
}

type verdictTexts struct {
	Title     languages.Text `json:"title"`
	About     languages.Text `json:"about"`
	None      languages.Text `json:"none"`
	Enforce   languages.Text `json:"enforce"` // headings
	Report    languages.Text `json:"report"`
	Other     languages.Text `json:"other"` // {mode}
	EnforceIs languages.Text `json:"enforce_is"`
	ReportIs  languages.Text `json:"report_is"`
	Totals    languages.Text `json:"totals"`      // captions; {mode}
	ByDay     languages.Text `json:"by_day"`      // {mode}
	Picture   languages.Text `json:"picture"`     // {mode}
	Desc      languages.Text `json:"description"` // {since}, {until}, {most}, {day}
	Read      languages.Text `json:"how_to_read"`
	Numbers   languages.Text `json:"numbers"` // {mode}
	GapLegend languages.Text `json:"gap_legend"`
}

type cookieTexts struct {
	Title      languages.Text `json:"title"`
	About      languages.Text `json:"about"`
	None       languages.Text `json:"none"`
	Caption    languages.Text `json:"caption"` // {mode}
	Attributes languages.Text `json:"attributes"`
	Declared   languages.Text `json:"about_attributes"`
	Unlisted   languages.Text `json:"unlisted"`
	Overflow   languages.Text `json:"overflow"` // {count}
}

type originTexts struct {
	Title     languages.Text `json:"title"`
	About     languages.Text `json:"about"`
	Enforced  languages.Text `json:"enforced"` // in load enforce
	Noted     languages.Text `json:"noted"`    // in load report
	NoReports languages.Text `json:"no_reports"`
	Totals    languages.Text `json:"totals"` // captions; {mode}
	ByDay     languages.Text `json:"by_day"` // {mode}
	NoOrigins languages.Text `json:"no_origins"`
	AboutMet  languages.Text `json:"about_met"`
	Met       languages.Text `json:"met"`       // captions
	Kinds     languages.Text `json:"kinds"`     // what was loaded
	Discarded languages.Text `json:"discarded"` // {count}
}

type choiceTexts struct {
	Title       languages.Text `json:"title"`
	Saved       languages.Text `json:"saved"`
	NoneSaved   languages.Text `json:"none_saved"`
	Totals      languages.Text `json:"totals"`
	ByDay       languages.Text `json:"by_day"`
	Preferences languages.Text `json:"preferences"`
	NoneRead    languages.Text `json:"none_read"`
	States      languages.Text `json:"states"`
	About       languages.Text `json:"about"`
}

type driftTexts struct {
	Title   languages.Text `json:"title"`
	About   languages.Text `json:"about"`
	None    languages.Text `json:"none"`
	Caption languages.Text `json:"caption"`
}

type gatewayTexts struct {
	Title       languages.Text `json:"title"`
	Caption     languages.Text `json:"caption"`
	Self        languages.Text `json:"self"` // {instance}
	Others      languages.Text `json:"others"`
	Alone       languages.Text `json:"alone"`
	Differ      languages.Text `json:"differ"`
	Gaps        languages.Text `json:"gaps"` // a heading
	AboutGaps   languages.Text `json:"about_gaps"`
	GapCaption  languages.Text `json:"gap_caption"`
	NoGaps      languages.Text `json:"no_gaps"`
	Before      languages.Text `json:"before"` // {time}
	Unrecorded  languages.Text `json:"unrecorded"`
	Aside       languages.Text `json:"aside"` // a heading
	NoneAside   languages.Text `json:"none_aside"`
	AsideAre    languages.Text `json:"aside_are"`
	AsideAlone  languages.Text `json:"aside_alone"`
	ProblemsAre languages.Text `json:"problems_are"`
}

type chainTexts struct {
	Title   languages.Text   `json:"title"`
	Caption languages.Text   `json:"caption"`
	None    languages.Text   `json:"none"`
	About   languages.Text   `json:"about"`
	Holds   languages.Text   `json:"holds"`
	Broken  languages.Text   `json:"broken"` // {instance}, {day}
	Proves  languages.Text   `json:"proves"` // headings
	Not     languages.Text   `json:"not"`
	IsSo    []languages.Text `json:"is_so"`
	IsNotSo []languages.Text `json:"is_not_so"`
}

type limitTexts struct {
	Title languages.Text   `json:"title"`
	List  []languages.Text `json:"list"`
}

type madeTexts struct {
	Title     languages.Text `json:"title"`
	Caption   languages.Text `json:"caption"`
	Tool      languages.Text `json:"tool"`
	At        languages.Text `json:"at"`
	Command   languages.Text `json:"command"`
	Addresses languages.Text `json:"addresses"`
	Repeat    languages.Text `json:"repeat"`
}

// words are texts for the words of the data. A word without a text is shown as it is.
type words struct {
	Modes      map[string]languages.Text `json:"modes"`
	Channels   map[string]languages.Text `json:"channels"`
	Categories map[string]languages.Text `json:"categories"`
	Verdicts   map[string]languages.Text `json:"verdicts"`
	States     map[string]languages.Text `json:"states"`
	Findings   map[string]languages.Text `json:"findings"`
}

// textsOf returns the texts of a language. A faulty file is a fault of the program.
var textsOf = func() func(string) (*texts, error) {
	all := sync.OnceValue(func() map[string]*texts {
		all := map[string]*texts{}
		for _, tag := range Languages {
			b, err := files.ReadFile(tag + ".json")
			if err != nil {
				panic(err)
			}
			t := new(texts)
			d := json.NewDecoder(bytes.NewReader(b))
			d.DisallowUnknownFields()
			if err := d.Decode(t); err != nil {
				panic(fmt.Sprintf("%s.json: %v", tag, err))
			}
			all[tag] = t
		}
		return all
	})
	return func(tag string) (*texts, error) {
		t, ok := all()[tag]
		if !ok {
			return nil, fmt.Errorf("%q: there is no report in this language; want en or fr", tag)
		}
		return t, nil
	}
}()
