package har

import "fmt"

// A Summary is what a file tells as a whole.
type Summary struct {
	Creator        string // the program that wrote the file
	CreatorVersion string
	Pages          []*Page // in the order of the file
	Entries        int
	// Requests and Responses say how many of them have cookies, and which.
	Requests, Responses Count
}

// A Count is a number of requests or responses.
type Count struct {
	FromHeader int // with cookies from the header
	FromArray  int // with cookies from the array alone
	Redacted   int // with cookies or values that were replaced
}

// Cookies reports whether any has a cookie.
func (c Count) Cookies() bool { return c.FromHeader+c.FromArray > 0 }

func (c *Count) add(source Source, redacted bool) {
	switch source {
	case FromHeader:
		c.FromHeader++
	case FromArray:
		c.FromArray++
	}
	if redacted {
		c.Redacted++
	}
}

func (s *Summary) count(e *Entry) {
	s.Entries++
	s.Requests.add(e.Request.Cookies, e.Request.Redacted)
	s.Responses.add(e.Response.Cookies, e.Response.Redacted)
}

// Redacted reports whether cookies or their values were replaced anywhere.
func (s *Summary) Redacted() bool { return s.Requests.Redacted+s.Responses.Redacted > 0 }

// Warnings says in sentences what a reader has to know before drawing conclusions from the cookies
// that the file has, and from those that it does not have.
func (s *Summary) Warnings() []string {
	var warnings []string
	if s.Redacted() {
		warnings = append(warnings, fmt.Sprintf("cookies or their values were replaced in %d requests "+
			"and %d responses: what depends on a value, such as the visitor's choice, is unknown",
			s.Requests.Redacted, s.Responses.Redacted))
	}
	switch requests, responses := s.Requests.Cookies(), s.Responses.Cookies(); {
	case s.Entries == 0:
		warnings = append(warnings, "the file has no entries")
	case !requests && !responses && !s.Redacted():
		warnings = append(warnings, "no request and no response has a cookie: either there were none, "+
			"or the file was exported without them; Chromium leaves them out unless its setting "+
			`"Allow to generate HAR with sensitive data" is on`)
	case !requests && responses && s.Requests.Redacted == 0:
		warnings = append(warnings, "responses set cookies, but no request has one: either the browser "+
			"sent none, or the file lacks the Cookie headers, as some of Safari do")
	}
	if n := s.Requests.FromArray + s.Responses.FromArray; n > 0 {
		warnings = append(warnings, fmt.Sprintf("the cookies of %d requests and %d responses are known "+
			"from the parsed arrays only: their lines are made up of those, and attributes may be missing",
			s.Requests.FromArray, s.Responses.FromArray))
	}
	return warnings
}
