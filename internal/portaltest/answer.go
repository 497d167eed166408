package portaltest

import (
	"strings"
)

// Answer is a response as it stood on the wire.
type Answer struct{ Raw string }

// SetCookies returns the values of the Set-Cookie fields of the first header, whatever the case of
// their names and the blanks around them.
func (a Answer) SetCookies() (values []string) {
	head, _, _ := strings.Cut(a.Raw, "\r\n\r\n")
	for line := range strings.SplitSeq(head, "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		if strings.EqualFold(strings.TrimSpace(name), "set-cookie") {
			values = append(values, strings.TrimPrefix(value, " "))
		}
	}
	return values
}

// Field returns the values of a field of the first header.
func (a Answer) Field(name string) (values []string) {
	head, _, _ := strings.Cut(a.Raw, "\r\n\r\n")
	for line := range strings.SplitSeq(head, "\r\n") {
		if n, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(n, name) {
			values = append(values, strings.TrimPrefix(value, " "))
		}
	}
	return values
}

// Body returns what follows the first header.
func (a Answer) Body() string {
	_, body, _ := strings.Cut(a.Raw, "\r\n\r\n")
	return body
}

// Dissect parts an answer into the fields of its headers and trailers that have nothing to do with
// cookies, the rest, and the cookies.
func (a Answer) Dissect() (fields []string, rest string, cookies []string) {
	var others []string
	for line := range strings.SplitSeq(a.Raw, "\r\n") {
		name, value, isField := strings.Cut(line, ":")
		switch name = strings.ToLower(strings.TrimSpace(name)); {
		case !isField || strings.ContainsAny(name, "\x00 \t"):
			others = append(others, line)
		case name == "set-cookie":
			cookies = append(cookies, strings.TrimPrefix(value, " "))
		case name == "date", name == "vary", name == "cache-control":
		default:
			fields = append(fields, line)
		}
	}
	return fields, strings.Join(others, "\r\n"), cookies
}
