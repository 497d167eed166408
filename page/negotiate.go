package page

import (
	"net/http"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxHeader is how much is read of a header field that chooses the form of the answer.
const maxHeader = 1000

// wantsJSON reports whether the client wants JSON rather than HTML, by the weights of its Accept header
// (RFC 9110 section 12.5.1). Whoever wants both alike gets HTML.
func wantsJSON(header http.Header) bool {
	accept := strings.Join(header["Accept"], ",")
	json, html := weight(accept, "application", "json"), weight(accept, "text", "html")
	return json > html
}

// weight returns the weight of a media type in an Accept header: that of the most specific range.
func weight(accept, kind, subtype string) (q float64) {
	best := 0
	for element := range strings.SplitSeq(accept[:min(len(accept), maxHeader)], ",") {
		media, parameters, _ := strings.Cut(element, ";")
		media = strings.ToLower(strings.TrimSpace(media))
		specific := 0
		switch media {
		case kind + "/" + subtype:
			specific = 3
		case kind + "/*":
			specific = 2
		case "*/*":
			specific = 1
		}
		if specific <= best {
			continue
		}
		best, q = specific, 1
		for parameter := range strings.SplitSeq(parameters, ";") {
			name, value, _ := strings.Cut(parameter, "=")
			if strings.EqualFold(strings.TrimSpace(name), "q") {
				var err error
				if q, err = strconv.ParseFloat(strings.TrimSpace(value), 64); err != nil || !(q >= 0 && q <= 1) {
					q = 0
				}
			}
		}
	}
	return q
}

// matchesETag reports whether an If-None-Match header names an entity tag (RFC 9110 section 13.1.2).
func matchesETag(header http.Header, tag string) bool {
	for _, line := range header["If-None-Match"] {
		for element := range strings.SplitSeq(line, ",") {
			element = strings.TrimPrefix(strings.TrimSpace(element), "W/")
			if element == tag || element == "*" {
				return true
			}
		}
	}
	return false
}

// isPrintable reports whether text is UTF-8 without control characters.
func isPrintable(text string) bool {
	return utf8.ValidString(text) && strings.IndexFunc(text, unicode.IsControl) < 0
}
