package page

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/languages"
)

// maxForm is the largest number of bytes of a form.
const maxForm = 16 << 10

// Fields of the form, and their values. A question's field is that of its [Choice]; its values are
// granted and refused.
const (
	fieldChoice = "choice" // a button
	fieldPolicy = "policy" // the digest of the policy that the visitor was shown
	fieldBack   = "back"   // the path of the page that led here

	choiceSave   = "save"
	choiceRefuse = "refuse"
	choiceAccept = "accept"
)

// post stores what the visitor chose, and leads back to the page.
func (a *answer) post() Outcome {
	t := a.language().Page.Errors
	if !fromThisSite(a.Request.Request) {
		return a.refuse(http.StatusForbidden, t.Foreign)
	}
	media, _, err := mime.ParseMediaType(a.Header.Get("Content-Type"))
	if err != nil || media != "application/x-www-form-urlencoded" || a.Header.Get("Content-Encoding") != "" {
		return a.refuse(http.StatusUnsupportedMediaType, t.Malformed)
	}
	body, err := io.ReadAll(http.MaxBytesReader(a.w, a.Body, maxForm))
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		return a.refuse(http.StatusRequestEntityTooLarge, t.TooLarge)
	} else if err != nil {
		return a.refuse(http.StatusBadRequest, t.Malformed)
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return a.refuse(http.StatusBadRequest, t.Malformed)
	}
	a.back = localPath(form.Get(fieldBack))
	answers, ok := a.answers(form)
	switch {
	case !ok:
		return a.refuse(http.StatusBadRequest, t.Malformed)
	case form.Get(fieldPolicy) != a.Enforcer.Policy().Digest():
		return a.refuse(http.StatusConflict, t.Changed)
	}
	lines, err := a.Visit.Choose(answers)
	if err != nil {
		problem := t.Malformed
		if u := (policy.Unwritable{}); errors.As(err, &u) && u.Reason == policy.ReasonTooLong {
			problem = t.NoRoom
		}
		outcome := a.refuse(http.StatusUnprocessableEntity, problem)
		outcome.NotStored = err
		return outcome
	}
	a.redirect(lines)
	return Outcome{Saved: answers}
}

// refuse shows the page with what was wrong with the form.
func (a *answer) refuse(status int, problem languages.Text) Outcome {
	return a.show(status, noticeError, string(problem))
}

// answers reads the answers to all questions. One that is not answered is refused. Fields that the form
// does not have are ignored.
func (a *answer) answers(form url.Values) (answers enforcer.Answers, ok bool) {
	for _, field := range []string{fieldChoice, fieldPolicy, fieldBack} {
		if len(form[field]) > 1 {
			return nil, false
		}
	}
	answers = enforcer.Answers{}
	for i, q := range a.Enforcer.Questions() {
		given := form["q"+strconv.Itoa(i+1)]
		granted := false
		switch {
		case len(given) > 1:
			return nil, false
		case len(given) == 1:
			granted = given[0] == policy.Granted.String()
			if !granted && given[0] != policy.Refused.String() {
				return nil, false
			}
		}
		switch form.Get(fieldChoice) {
		case choiceSave:
		case choiceRefuse:
			granted = false
		case choiceAccept:
			granted = true
		default:
			return nil, false
		}
		answers.Answer(&q, granted)
	}
	return answers, true
}

// redirect leads to the page itself, which shows what the browser has stored.
func (a *answer) redirect(lines []string) {
	h := a.w.Header()
	h["Set-Cookie"] = append(h["Set-Cookie"], lines...)
	stored := a.Enforcer.StoredBy(lines)
	saved := stored.Made()
	if saved.IsZero() {
		saved = a.page.now()
	}
	query := querySaved + "=" + strconv.FormatInt(saved.Unix(), 10) +
		backQuery(a.page.sealer.seal(a.back, a.Host))
	h.Set("Location", a.self(query)+"#saved")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", "0")
	a.w.WriteHeader(http.StatusSeeOther)
}
