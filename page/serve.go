package page

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/languages"
)

// Request is a request for the page, under the policy that it is about.
type Request struct {
	*http.Request

	Enforcer *enforcer.Enforcer
	Visit    *enforcer.Visit
	InForce  InForce

	// The URL as the visitor's browser has it, where handlers have changed that of the request.
	URL *url.URL
}

// Outcome is what became of a request.
type Outcome struct {
	// The answers that were stored, by consent key.
	Saved enforcer.Answers

	// Why a choice that the visitor made was not stored.
	NotStored error

	// Why the operator's template was not used.
	Err error
}

// Serve answers a request. Whatever the request is, the answer to GET and HEAD is the page.
func (p *Page) Serve(w http.ResponseWriter, r Request) Outcome {
	a := answer{page: p, Request: r, w: w, stored: r.Visit.Stored(), unwritable: r.Visit.Unwritable()}
	a.setHeader()
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		return a.get()
	case http.MethodPost:
		if a.hasForm() {
			return a.post()
		}
	}
	allowed := "GET, HEAD"
	if a.hasForm() {
		allowed += ", POST"
	}
	w.Header().Set("Allow", allowed)
	return a.show(http.StatusMethodNotAllowed, "", "")
}

// answer answers one request.
type answer struct {
	Request
	page       *Page
	w          http.ResponseWriter
	stored     enforcer.Stored
	unwritable []policy.Unwritable
	back       string
}

func (a *answer) hasForm() bool {
	return a.page.config.Controller != "" && len(a.unwritable) == 0 && len(a.Enforcer.Questions()) > 0
}

// setHeader sets the fields that each answer has. They take the place of the operator's: without them the
// page is not safe, or its form does not work.
func (a *answer) setHeader() {
	h := a.w.Header()
	vary := "Cookie, Accept-Language, Accept"
	for _, signal := range a.Enforcer.Policy().Policy().Signal {
		vary += ", " + map[string]string{policy.SignalGPC: "Sec-GPC", policy.SignalDNT: "DNT"}[signal.Signal]
	}
	h.Add("Vary", vary)
	for name, value := range map[string]string{
		"Content-Security-Policy": a.page.security,
		"X-Frame-Options":         "DENY",
		"X-Content-Type-Options":  "nosniff",
		// With no-referrer browsers would send the form with Origin: null (Fetch standard, serializing a
		// request origin). The page's meta element says the same, for where this header is replaced.
		"Referrer-Policy": "same-origin",
	} {
		h.Set(name, value)
	}
}

// get shows the page.
func (a *answer) get() Outcome {
	a.back = localPath(a.page.sealer.open(a.URL.Query().Get(queryBack), a.Host))
	if back := refererPath(a.Request.Request); back != "" && pathOf(back) != a.URL.Path {
		a.back = back
	}
	return a.show(http.StatusOK, a.notice(), "")
}

func pathOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return u.Path
}

// Notices.
const (
	noticeSaved   = "saved"
	noticeNotKept = "not_kept"
	noticeError   = "error"
)

// justNow is how long after a form was sent its answer tells what became of a choice without a time.
const justNow = 5 * time.Minute

// Names in the page's query.
const (
	querySaved = "saved" // in the answer to a form: when the choice was made
	queryBack  = "back"  // the path of the page that led here, sealed
)

// notice returns what became of a form, after the answer to it led here. The address alone proves
// nothing: anybody can make a link with it. What counts is what the browser has stored.
func (a *answer) notice() string {
	seconds, err := strconv.ParseInt(a.URL.Query().Get(querySaved), 10, 64)
	if err != nil {
		return ""
	}
	saved := time.Unix(seconds, 0)
	age := a.page.now().Sub(saved)
	fresh := -time.Minute < age && age < justNow
	valid, made := a.stored.State == policy.PreferenceValid, a.stored.Made()
	switch {
	case valid && !made.IsZero() && made.Unix() == seconds:
		return noticeSaved
	case !fresh || !a.cameFromHere():
		return ""
	case valid && made.IsZero():
		return noticeSaved
	case !valid || made.Before(saved):
		return noticeNotKept
	}
	return ""
}

// cameFromHere reports whether the page itself led here, as far as the browser says.
func (a *answer) cameFromHere() bool {
	site := a.Header.Get("Sec-Fetch-Site")
	return site == "same-origin" || site == "" && pathOf(refererPath(a.Request.Request)) == a.URL.Path
}

// show answers with the page, as HTML or JSON.
func (a *answer) show(status int, notice, problem string) Outcome {
	l := a.language()
	d, err := a.page.Data(a.Enforcer, a.InForce, Visitor{
		Host: a.Host, Language: l.Tag, Stored: a.stored, Unwritable: a.unwritable,
		Disagreeing: len(a.Visit.Disagreeing()) > 0,
	})
	if err != nil {
		return a.fail(err)
	}
	d.Notice, d.Error, d.Back, d.Self = notice, problem, a.back, a.self("")
	h := a.w.Header()
	h.Set("Content-Language", l.Tag)
	var body []byte
	var sealed string // the way back in the links to other languages
	var outcome Outcome
	if wantsJSON(a.Header) {
		h.Set("Content-Type", "application/json")
		if body, err = json.MarshalIndent(d, "", "\t"); err != nil {
			return a.fail(err)
		}
		body = append(body, '\n')
	} else {
		sealed = a.page.sealer.seal(a.back, a.Host)
		for i := range d.Languages {
			d.Languages[i].Href += backQuery(sealed)
		}
		h.Set("Content-Type", "text/html; charset=utf-8")
		if body, outcome.Err = a.page.HTML(d); body == nil {
			return a.fail(outcome.Err)
		}
	}
	if status != http.StatusOK || notice != "" || a.stored.State != policy.PreferenceNone {
		h.Set("Cache-Control", "no-store")
	} else {
		h.Set("Cache-Control", "private, no-cache")
		stable := body
		if sealed != "" { // it differs each time
			stable = bytes.ReplaceAll(body, []byte(sealed), nil)
		}
		hash := sha256.Sum256(stable)
		tag := `"` + base64.RawURLEncoding.EncodeToString(hash[:16]) + `"`
		h.Set("ETag", tag)
		if matchesETag(a.Header, tag) {
			h.Del("Content-Type")
			a.w.WriteHeader(http.StatusNotModified)
			return outcome
		}
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	a.w.WriteHeader(status)
	if a.Method != http.MethodHead {
		_, _ = a.w.Write(body) // the visitor has gone
	}
	return outcome
}

// fail answers where no page could be made, which is a fault of the program.
func (a *answer) fail(err error) Outcome {
	a.w.Header().Set("Cache-Control", "no-store")
	http.Error(a.w, "The cookie policy cannot be shown.", http.StatusInternalServerError)
	return Outcome{Err: err}
}

// language chooses the page's language.
func (a *answer) language() *languages.Language {
	return a.page.matcher.Match(a.URL.Query().Get("lang"), a.portalLanguage(),
		strings.Join(a.Header["Accept-Language"], ","))
}

// portalLanguage returns the language that the visitor chose on the portal, if the policy lets the cookie
// through.
func (a *answer) portalLanguage() string {
	cookie, err := a.Cookie("django_language")
	if err != nil {
		return ""
	}
	return cookie.Value
}

// backQuery returns what adds the sealed way back to a query, if there is one.
func backQuery(sealed string) string {
	if sealed == "" {
		return ""
	}
	return "&" + queryBack + "=" + sealed
}

// self returns a reference to the page: its path, the language if the address names one, and a query.
func (a *answer) self(query string) string {
	path := a.URL.EscapedPath()
	if !isPath(path) || localPath(path) != path {
		path = "" // the reference stays on the page, whatever its address is
	}
	values := []string{}
	if l, ok := a.page.matcher.Find(a.URL.Query().Get("lang")); ok {
		values = append(values, "lang="+l.Tag)
	}
	if query != "" {
		values = append(values, query)
	}
	if len(values) == 0 && path != "" {
		return path
	}
	return path + "?" + strings.Join(values, "&")
}
