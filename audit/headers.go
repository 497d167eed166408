package audit

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/cookie-policy/caddy-cookie-policy/audit/cdp"
	"golang.org/x/net/http/httpguts"
)

// Header is a field that the browser sends with its requests to the audited origins, such as a credential.
// Its value is in no report and in no error.
type Header struct{ Name, Value string }

// ParseHeader reads a field as it is written on a command line, such as "Authorization: Basic …".
func ParseHeader(text string) (Header, error) {
	name, value, found := strings.Cut(text, ":")
	h := Header{strings.TrimSpace(name), strings.TrimSpace(value)}
	if !found || !httpguts.ValidHeaderFieldName(h.Name) || h.Value == "" || !httpguts.ValidHeaderFieldValue(h.Value) {
		return Header{}, errors.New("want '<name>: <value>', such as 'Authorization: Basic …'")
	}
	if slices.Contains([]string{"cookie", "host", "content-length", "transfer-encoding", "connection"},
		strings.ToLower(h.Name)) {
		return Header{}, fmt.Errorf("%s: the browser writes this field itself", h.Name)
	}
	return h, nil
}

// credentials are the fields of the audited origins, and what it takes to add them to these requests and
// to no others. Network.setExtraHTTPHeaders would send them to third parties, too.
type credentials struct {
	headers []Header
	origins []string
}

func (o *Options) credentials() credentials {
	c := credentials{headers: o.Headers}
	for _, page := range o.Pages {
		c.origins = append(c.origins, originOf(page))
	}
	return c
}

// originOf returns the origin of a URL, without a default port.
func originOf(u *url.URL) string {
	scheme, port := strings.ToLower(u.Scheme), u.Port()
	if scheme == "http" && port == "80" || scheme == "https" && port == "443" {
		port = ""
	}
	if port != "" {
		port = ":" + port
	}
	host := strings.ToLower(u.Hostname())
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return scheme + "://" + host + port
}

// setup returns the command by which a target's requests wait until they are continued: all of them, since
// what a redirect leads to inherits the fields of the hop before it.
// A dedicated worker's requests are among those of its page.
func (c *credentials) setup(t cdp.Target) (setup []cdp.Setup) {
	if len(c.headers) > 0 && slices.Contains([]string{"page", "iframe", "service_worker", "shared_worker"}, t.Type) {
		setup = append(setup, cdp.Setup{Method: "Fetch.enable", Params: map[string]any{
			"patterns": []map[string]any{{"urlPattern": "*", "requestStage": "Request"}}}})
	}
	return setup
}

type headerEntry struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// paused lets a request go on: with the fields if it goes to one of the audited origins, and without them
// if not. A field of these names that the page itself sends stays.
func (c *credentials) paused(conn *cdp.Conn, e *cdp.Event) error {
	var p struct {
		ID      string `json:"requestId"`
		Request struct {
			URL     string
			Headers map[string]string
		}
	}
	if err := e.Decode(&p); err != nil {
		return err
	}
	command := map[string]any{"requestId": p.ID}
	isOurs := false
	if u := parseURL(p.Request.URL); u != nil {
		isOurs = slices.Contains(c.origins, originOf(u))
	}
	entries, isChanged := []headerEntry{}, false
	own := map[string]bool{}
	for name, value := range p.Request.Headers {
		isSecret := func(h Header) bool { return strings.EqualFold(h.Name, name) && h.Value == value }
		if slices.ContainsFunc(c.headers, isSecret) {
			isChanged = true
			continue
		}
		own[strings.ToLower(name)] = true
		entries = append(entries, headerEntry{name, value})
	}
	for _, h := range c.headers {
		if isOurs && !own[strings.ToLower(h.Name)] {
			entries, isChanged = append(entries, headerEntry(h)), true
		}
	}
	if isChanged {
		command["headers"] = entries
	}
	return conn.Send(e.Session, "Fetch.continueRequest", command)
}
