package page

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
)

var noon = time.Date(2026, time.January, 15, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return noon }

// city is a policy with presets, texts of its own, and things left out.
func city() policy.Policy {
	return policy.Policy{
		Name:    "city-data",
		Presets: []policy.Preset{{Name: "opendatasoft"}, {Name: "matomo"}},
	}
}

func compile(t testing.TB, p policy.Policy) *enforcer.Enforcer {
	t.Helper()
	e, err := enforcer.Compile(p, clock)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func newPage(t testing.TB, c Config) *Page {
	t.Helper()
	p, err := New(c, clock)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// site is a page of a policy, as visitors reach it.
type site struct {
	t        testing.TB
	page     *Page
	enforcer *enforcer.Enforcer
	outcome  Outcome // of the last request
}

func newSite(t testing.TB, p policy.Policy, c Config) *site {
	t.Helper()
	return &site{t: t, page: newPage(t, c), enforcer: compile(t, p)}
}

// serve answers a request as the gateway does: what the policy refuses is removed on both ways.
func (s *site) serve(r *http.Request) *httptest.ResponseRecorder {
	visit := s.enforcer.Visit(enforcer.Request{Header: r.Header, Host: r.Host, HTTPS: r.TLS != nil})
	visit.FilterRequest()
	w := httptest.NewRecorder()
	s.outcome = s.page.Serve(w, Request{Request: r, Enforcer: s.enforcer, Visit: &visit, InForce: InForce{Since: noon}, URL: r.URL})
	visit.CompleteResponse(w.Header())
	return w
}

// get asks for an address with header lines.
func (s *site) get(target string, lines ...string) *httptest.ResponseRecorder {
	return s.serve(request(http.MethodGet, target, "", lines...))
}

// post sends a form, as a browser does from the page itself unless the lines say otherwise.
func (s *site) post(target, body string, lines ...string) *httptest.ResponseRecorder {
	return s.serve(request(http.MethodPost, target, body, append([]string{
		"Content-Type: application/x-www-form-urlencoded", "Sec-Fetch-Site: same-origin",
		"Origin: https://data.city.example"}, lines...)...))
}

// request makes a request over HTTPS. A line replaces an earlier one of the same name, and one without
// a value removes it.
func request(method, target, body string, lines ...string) *http.Request {
	r := httptest.NewRequest(method, "https://data.city.example"+target, strings.NewReader(body))
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		if r.Header.Del(name); value != "" {
			r.Header.Set(name, value)
		}
	}
	return r
}
