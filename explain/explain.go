// Package explain asks a policy why it lets a cookie through or not: for single lines, for a request
// and its response, and for everything that a browser recorded. The engine gives the answers (package
// enforcer); this package puts the questions and shows the answers to people.
//
// It does no I/O but through the readers and writers that it is given.
package explain

import (
	"encoding/json"
	"net/textproto"
	"strings"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
)

// Question is a request and its response, to be explained. As JSON it is the body of
// POST /cookie-policy/<name>/explain; every member may be left out.
type Question struct {
	// Set-Cookie lines of the response.
	SetCookie []string `json:"set_cookie,omitempty"`

	// Cookie headers of the request.
	Cookie []string `json:"cookie,omitempty"`

	// Other fields of the request, such as Sec-GPC: each with a text or a list of texts. With an
	// X-Forwarded-Proto, the visitor's connection is taken for what it says, as from a trusted proxy.
	Headers Fields `json:"headers,omitempty"`

	// Other fields of the response, such as Date, Vary and Cache-Control.
	Response Fields `json:"response,omitempty"`

	// The host that the visitor asks for, with or without a port, and whether by HTTPS.
	Host  string `json:"host,omitempty"`
	HTTPS bool   `json:"https,omitempty"`

	// Whether the response is a page rather than an asset: only pages remove cookies from a browser.
	// Default: true, unless the fields of the request tell by Sec-Fetch-Mode.
	Page *bool `json:"page,omitempty"`
}

// Fields are header fields. In JSON a field with one line may be written as a text.
type Fields map[string][]string

// UnmarshalJSON reads an object whose members are texts or lists of texts.
func (f *Fields) UnmarshalJSON(b []byte) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(b, &members); err != nil {
		return err
	}
	*f = Fields{}
	for name, raw := range members {
		var lines []string
		var line string
		if json.Unmarshal(raw, &line) == nil {
			lines = []string{line}
		} else if err := json.Unmarshal(raw, &lines); err != nil {
			return err
		}
		f.Add(name, lines...)
	}
	return nil
}

// Add adds lines to a field, whose name may be in any case.
func (f Fields) Add(name string, lines ...string) {
	name = textproto.CanonicalMIMEHeaderKey(name)
	f[name] = append(f[name], lines...)
}

// Get returns the first line of a field, or "".
func (f Fields) Get(name string) string { return textproto.MIMEHeader(f).Get(name) }

// Ask puts the question to a policy.
func (q *Question) Ask(e *enforcer.Enforcer) *enforcer.Explanation {
	request, response := Fields{}, Fields{}
	for name, lines := range q.Headers {
		request.Add(name, lines...)
	}
	for name, lines := range q.Response {
		response.Add(name, lines...)
	}
	if len(q.Cookie) > 0 {
		request["Cookie"] = append(request["Cookie"], q.Cookie...)
	}
	if len(q.SetCookie) > 0 {
		response["Set-Cookie"] = append(response["Set-Cookie"], q.SetCookie...)
	}
	if q.Page != nil || request["Sec-Fetch-Mode"] == nil {
		mode := "navigate"
		if q.Page != nil && !*q.Page {
			mode = "no-cors"
		}
		request["Sec-Fetch-Mode"] = []string{mode}
		if mode == "navigate" && request["Sec-Fetch-Dest"] == nil {
			request["Sec-Fetch-Dest"] = []string{"document"}
		}
	}
	https := q.HTTPS
	if lines := request["X-Forwarded-Proto"]; len(lines) > 0 {
		first, _, _ := strings.Cut(lines[len(lines)-1], ",")
		https = strings.EqualFold(strings.TrimSpace(first), "https")
	}
	return e.Explain(enforcer.Request{Header: request, Host: q.Host, HTTPS: https}, response)
}

// Locate fills in where the rules of an explanation were written: where returns the file and line of
// a field by its path, or "".
func Locate(x *enforcer.Explanation, where func(path string) string) {
	for _, verdicts := range [][]enforcer.ExplainedVerdict{x.Verdicts, x.Origins} {
		for i := range verdicts {
			if rule := verdicts[i].Rule; rule != nil {
				rule.Where = where(rule.Path)
			}
		}
	}
}
