package output

import (
	"strings"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/audit"
)

type pair struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// har returns the requests of a state in the HTTP Archive format 1.2, without values and bodies.
func har(s *audit.State, exchanges []audit.Exchange, version string) any {
	pages, entries := []object{}, []object{}
	for i, p := range s.Pages {
		pages = append(pages, object{
			"id": pageID(i), "title": p.URL, "startedDateTime": p.Started.Format(time.RFC3339Nano), "pageTimings": object{},
		})
	}
	for _, e := range exchanges {
		requestHeaders, responseHeaders := []pair{}, []pair{}
		requestCookies, responseCookies := []pair{}, []pair{}
		for _, name := range e.Sent {
			requestCookies = append(requestCookies, pair{Name: name})
		}
		if len(e.Sent) > 0 {
			requestHeaders = append(requestHeaders, pair{"Cookie", strings.Join(e.Sent, "=[removed]; ") + "=[removed]"})
		}
		for _, line := range e.Set {
			name, _, _ := strings.Cut(line, "=")
			responseCookies = append(responseCookies, pair{Name: name})
			responseHeaders = append(responseHeaders, pair{"Set-Cookie", line})
		}
		query := []pair{}
		if _, keys, found := strings.Cut(e.URL, "?"); found {
			for key := range strings.SplitSeq(keys, "&") {
				query = append(query, pair{Name: key})
			}
		}
		entries = append(entries, object{
			"pageref": pageID(e.Page), "startedDateTime": e.At.Format(time.RFC3339Nano), "time": 0,
			"_initiator": e.Initiator, "_resourceType": strings.ToLower(e.Type), "_error": e.Failed,
			"request": object{
				"method": e.Method, "url": e.URL, "httpVersion": "", "cookies": requestCookies, "headers": requestHeaders,
				"queryString": query, "headersSize": -1, "bodySize": -1,
			},
			"response": object{
				"status": e.Status, "statusText": "", "httpVersion": "", "cookies": responseCookies,
				"headers": responseHeaders, "content": object{"size": 0, "mimeType": e.MIME}, "redirectURL": "",
				"headersSize": -1, "bodySize": -1,
			},
			"cache": object{}, "timings": object{"send": 0, "wait": 0, "receive": 0},
		})
	}
	return object{"log": object{
		"version": "1.2", "creator": object{"name": "caddy-cookie-policy", "version": version},
		"comment": "without the values of cookies and queries, and without bodies",
		"pages":   pages, "entries": entries,
	}}
}

func pageID(i int) string {
	return "page_" + string(rune('0'+i/100%10)) + string(rune('0'+i/10%10)) + string(rune('0'+i%10))
}
