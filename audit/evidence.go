package audit

import (
	"slices"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
)

// Schema names the format of audit.json. The JSON Schema is in audit/schema.
const Schema = "audit-1"

// Verdicts on a state, or on one purpose in it.
const (
	Holds           = "holds"
	Broken          = "broken"
	NotDemonstrated = "not_demonstrated"
	Incomplete      = "incomplete"
)

// Report is an audit: what was seen, and what follows from it. It is audit.json. It holds no value of a
// cookie.
type Report struct {
	Schema   string    `json:"schema"`
	Tool     Tool      `json:"tool"`
	Started  time.Time `json:"started"`
	Ended    time.Time `json:"ended"`
	Complete bool      `json:"complete"`

	Policy  PolicyInfo  `json:"policy"`
	Browser BrowserInfo `json:"browser"`
	Method  Method      `json:"method"`
	Origin  Origin      `json:"origin"`

	// What gateways did meanwhile; nil if none was asked.
	Gateway *Gateway `json:"gateway,omitempty"`

	States   []State   `json:"states"`
	Cookies  []Cookie  `json:"cookies"`
	Requests []Contact `json:"requests"`
	Storage  []Stored  `json:"storage"`
	Reads    []Read    `json:"reads"`
	Never    []Finding `json:"never_seen"`
	Findings []Finding `json:"findings"`
}

// Tool is this program.
type Tool struct {
	Version string `json:"version"`
}

// PolicyInfo is the policy against which was audited.
type PolicyInfo struct {
	Name   string `json:"name"`
	Digest string `json:"digest"`
	Source string `json:"source"` // admin, config or file
	Mode   string `json:"mode"`
}

// BrowserInfo is the browser with which was audited.
type BrowserInfo struct {
	Product           string   `json:"product"`
	CommandLine       []string `json:"command_line"`
	UserAgent         string   `json:"user_agent"`
	ThirdPartyCookies string   `json:"third_party_cookies"` // allow or block
	Language          string   `json:"language"`
	TimeZone          string   `json:"time_zone"`
}

// Origin is where the first page came from, as the browser tells it.
type Origin struct {
	Address     string `json:"address"`            // IP address and port
	Certificate string `json:"certificate_sha256"` // of the DER form, in hexadecimal; "" without HTTPS

	// The address from which the browser's requests came: null, since nobody is asked for it.
	PublicIP *string `json:"public_ip"`
}

// Gateway is what the gateways in front of the portal counted during the audit, of all visitors: the side
// that cannot be seen from outside.
type Gateway struct {
	Before time.Time                    `json:"before"`
	After  time.Time                    `json:"after"`
	Delta  map[string]map[string]uint64 `json:"delta"` // by channel and verdict
}

// Method is how was audited.
type Method struct {
	Pages        []string `json:"pages"`
	FirstParty   []string `json:"first_party"` // domains, besides the portal's own, that count as its site
	Runs         int      `json:"runs"`
	Settle       string   `json:"settle"`
	Timeout      string   `json:"timeout"`
	Canaries     bool     `json:"canaries"`
	Certificates []string `json:"accepted_certificates"` // SHA-256 of public keys, in base64
	Resolve      []string `json:"resolve"`
	Headers      []string `json:"headers"` // names of fields that were sent to the audited origins
}

// State is one visitor: a new profile of the browser, a choice, and the pages.
type State struct {
	State    string            `json:"state"` // none, refused, granted, granted:<key>, withdrawn or gpc
	By       string            `json:"by"`    // stored, clicked, or "" where nothing is chosen
	Run      int               `json:"run"`   // from 1
	Verdict  string            `json:"verdict"`
	Reasons  []string          `json:"reasons"` // why it is incomplete or not demonstrated
	Purposes []Purpose         `json:"purposes"`
	ReadAs   map[string]string `json:"read_as"` // the choice by consent key, as the engine reads it
	AtEnd    string            `json:"at_end"`  // same, changed, or "" where nothing was chosen
	Made     []string          `json:"made"`    // names of cookies that the audit itself stored
	Clicks   []Click           `json:"clicks"`
	Pages    []Page            `json:"pages"`

	Integrity Integrity `json:"integrity"`

	broken [][]string // the consent keys of each finding of the level error
}

// Click is a click on an element of a page.
type Click struct {
	Selector string    `json:"selector"`
	Frame    string    `json:"frame"` // address of the document that holds the element: the page or a frame in it
	At       time.Time `json:"at"`
}

// Purpose is the verdict on the consent keys of one question.
type Purpose struct {
	Keys    []string `json:"keys"`
	Verdict string   `json:"verdict"`
}

// Page is one visit of a page.
type Page struct {
	URL      string     `json:"url"`
	Final    string     `json:"final"` // after redirects
	Status   int        `json:"status"`
	Phase    string     `json:"phase,omitempty"` // of withdrawn: granted or refused
	Started  time.Time  `json:"started"`
	Loaded   *time.Time `json:"loaded,omitempty"`
	Left     time.Time  `json:"left"`
	Quiet    bool       `json:"quiet"` // no request was under way any more
	Requests int        `json:"requests"`
	Cookies  int        `json:"cookies"` // in the browser after it
	Failure  string     `json:"failure,omitempty"`

	Screenshot string `json:"screenshot,omitempty"` // a file
}

// Integrity counts what was lost. Anything but zero makes a state incomplete.
type Integrity struct {
	Undecoded int `json:"undecoded"`
	Oversized int `json:"oversized"`
	Refused   int `json:"refused_commands"`
	Dropped   int `json:"dropped"` // beyond the bounds of what is recorded
	Lost      int `json:"lost_targets"`
	Crashes   int `json:"crashes"`
	Timeouts  int `json:"timeouts"`
}

// Cookie is a cookie that was met.
type Cookie struct {
	Name      string   `json:"name"`
	Domain    string   `json:"domain"` // with a leading dot, unless it is the host's alone
	Path      string   `json:"path"`
	Partition string   `json:"partition,omitempty"`
	Party     string   `json:"party"` // host, site or third
	Rule      string   `json:"rule"`  // "" if none names it
	Category  string   `json:"category"`
	Consent   []string `json:"consent"`
	Provider  string   `json:"provider,omitempty"`
	Purpose   string   `json:"purpose,omitempty"`
	Seen      []Seen   `json:"seen"`
}

// Seen is what happened to a cookie in one state, on one page.
type Seen struct {
	State   string    `json:"state"`
	Run     int       `json:"run"`
	Page    int       `json:"page"` // in the state's pages
	At      time.Time `json:"at"`   // the first time
	What    string    `json:"what"` // set, sent, kept, deleted or refused_by_browser
	Count   int       `json:"count"`
	Reasons []string  `json:"reasons,omitempty"` // the browser's, for refused_by_browser
	URL     string    `json:"url,omitempty"`     // of the request, for sent
	Setter  *Setter   `json:"setter,omitempty"`

	Declared  string `json:"declared_life,omitempty"`  // as the line says it
	Effective string `json:"effective_life,omitempty"` // as the browser keeps it
	Flags     *Flags `json:"flags,omitempty"`
	Length    int    `json:"length,omitempty"` // of the value, in bytes
	MAC       string `json:"mac,omitempty"`    // of the value, with a key that was thrown away
}

// Setter is who set a cookie.
type Setter struct {
	Kind      string   `json:"kind"` // header, script, canary or unattributed
	URL       string   `json:"url"`
	Line      int      `json:"line,omitempty"`
	Stack     []string `json:"stack,omitempty"`
	Initiator string   `json:"initiator,omitempty"` // for a header: who asked for it
}

// Flags are the attributes of a cookie in the browser.
type Flags struct {
	Secure   bool   `json:"secure"`
	HTTPOnly bool   `json:"http_only"`
	SameSite string `json:"same_site"`
}

// Contact is an origin of another host than the portal's, or of another port of it that a rule names, to which the
// browser sent requests. Its category, rule and consent keys are empty where the policy names no origins.
type Contact struct {
	Origin     string   `json:"origin"` // as a policy names it
	Host       string   `json:"host"`
	Site       string   `json:"site"`
	Party      string   `json:"party"` // host, site or third
	States     []string `json:"states"`
	Pages      []string `json:"pages"`
	Types      []string `json:"types"`
	Initiators []string `json:"initiators"`
	QueryKeys  []string `json:"query_keys"`
	Count      int      `json:"count"`
	Category   string   `json:"category,omitempty"` // of the rule that names the origin, or unlisted
	Rule       string   `json:"rule,omitempty"`
	Consent    []string `json:"consent,omitempty"`
	Early      []string `json:"early,omitempty"` // states in which it was asked for without consent
}

// NamesOrigins reports whether the policy said from which third parties pages load. Without any request that
// cannot be told.
func (r *Report) NamesOrigins() bool {
	return slices.ContainsFunc(r.Requests, func(c Contact) bool { return c.Category != "" })
}

// Stored is what was stored otherwise than as a cookie.
type Stored struct {
	Origin    string   `json:"origin"`
	Partition string   `json:"partition,omitempty"` // the site of the page within which it is kept apart
	Party     string   `json:"party"`
	Kind      string   `json:"kind"` // local, session, indexeddb, cache or worker
	Key       string   `json:"key"`  // of an item; the name of a database or cache; the scope of a worker
	Size      int      `json:"size"` // of an item's value, in bytes
	Setters   []string `json:"setters"`
	States    []string `json:"states"`
}

// Read is a script that read cookies: a fact, and no finding. Whether a script that is let into the page may
// read what the page's own scripts can is decided where it is let in.
type Read struct {
	Script string   `json:"script"` // its address; that of the document for one without
	Site   string   `json:"site"`   // of the script
	Party  string   `json:"party"`  // of the script: host, site or third
	Host   string   `json:"host"`   // whose cookies were read
	Count  int      `json:"count"`
	States []string `json:"states"`
	Pages  []string `json:"pages"`
}

// Levels of findings.
const (
	LevelError   = "error"   // the state does not hold
	LevelWarning = "warning" // to be looked at; the state can hold
)

// Kinds of findings.
const (
	SetRefused      = "set_refused"           // set without the visitor's consent
	SentRefused     = "sent_refused"          // sent without the visitor's consent
	Kept            = "kept_after_withdrawal" // still in the browser after the withdrawal
	Unlisted        = "unlisted"              // no rule names the cookie, or the origin that a page loads from
	Early           = report.Early            // a page loads from an origin of a rule without the visitor's consent
	Longer          = "longer"                // it lives longer than declared
	Weaker          = "weaker"                // its attributes are weaker than declared, or not accepted
	Renewed         = "renewed"               // an exempt cookie whose life begins anew at a later page
	ChoiceMissing   = "choice_missing"        // the click stored no choice
	ChoiceContrary  = "choice_contrary"       // the click stored another choice
	ChoiceLost      = "choice_lost"           // the choice did not last until the end
	Unattributed    = "unattributed"          // nothing that the browser tells shows who set it
	ThirdParty      = "third_party"           // another site was spoken to without consent
	StorageUsed     = "storage"               // something was stored without consent, otherwise than as a cookie
	NeverSeen       = "never_seen"            // a cookie or an origin that is declared, and was not met
	ControlNotShown = "not_demonstrated"      // with consent the cookies were not met either
)

// Finding is something that the operator should know.
type Finding struct {
	ID      string `json:"id"` // the same from audit to audit
	Finding string `json:"finding"`
	Level   string `json:"level"`
	State   string `json:"state"`
	Runs    []int  `json:"runs"`
	Cookie  *int   `json:"cookie,omitempty"`  // in cookies
	Request *int   `json:"request,omitempty"` // in requests
	Name    string `json:"name"`              // of the cookie, origin, host, key or consent keys
	Domain  string `json:"domain,omitempty"`
	Rule    string `json:"rule,omitempty"`

	Keys   []string   `json:"keys,omitempty"` // the consent keys of the rule
	Page   string     `json:"page,omitempty"`
	At     *time.Time `json:"at,omitempty"`
	Setter *Setter    `json:"setter,omitempty"`
	Detail string     `json:"detail"`
}
