package audit

import (
	_ "embed"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/cookie-policy/caddy-cookie-policy/audit/cdp"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
)

//go:embed hook.js
var hookSource string

// hook is what runs in pages and workers before their own scripts. Its names are those of the run, so
// that pages do not know them.
type hook struct {
	binding, source string
	gpc             bool
}

func (h *hook) script() string {
	script := strings.NewReplacer("BINDING", h.binding, "SOURCE", h.source).Replace(hookSource)
	if h.gpc {
		script = "try { Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', " +
			"{ get: () => true, configurable: true, enumerable: true }); } catch {}\n" + script
	}
	return script
}

// setup returns what a target gets before it runs.
func (h *hook) setup(t cdp.Target) (setup []cdp.Setup) {
	add := func(method string, params any) { setup = append(setup, cdp.Setup{Method: method, Params: params}) }
	network := func() {
		add("Network.enable", map[string]any{"maxPostDataSize": 0})
		if h.gpc {
			add("Network.setExtraHTTPHeaders", map[string]any{"headers": map[string]string{"Sec-GPC": "1"}})
		}
	}
	switch t.Type {
	case "page", "iframe":
		network()
		add("Inspector.enable", nil)
		add("Page.enable", nil)
		add("DOMStorage.enable", nil)
		add("ServiceWorker.enable", nil)
		add("Runtime.enable", nil) // a binding does not last in the next process without it
		add("Runtime.addBinding", map[string]any{"name": h.binding})
		add("Page.addScriptToEvaluateOnNewDocument", map[string]any{"source": h.script(), "runImmediately": true})
	case "worker", "shared_worker", "service_worker":
		network()
		add("Runtime.enable", nil)
		add("Runtime.addBinding", map[string]any{"name": h.binding})
		add("Runtime.evaluate", map[string]any{"expression": h.script()})
	}
	return setup
}

// frame is a line of a stack: URL, line and column.
var frame = regexp.MustCompile(`(?:\(|at |@)(?:async )?((?:https?|blob|file)[^\s()]*|<anonymous>):(\d+):\d+\)?$`)

// scriptOf returns the script that a stack of the hook shows, or the document for a script without an
// address of its own.
func (h *hook) scriptOf(stack, document string) setter {
	s := setter{Kind: "script"}
	for line := range strings.Lines(stack) {
		line = strings.TrimSpace(line)
		if strings.Contains(line, h.source) {
			continue
		}
		m := frame.FindStringSubmatch(line)
		if m == nil || len(s.Stack) == maxStack {
			continue
		}
		at := shownText(m[1])
		if s.URL == "" && at != "<anonymous>" {
			s.URL = at
			s.Line, _ = strconv.Atoi(m[2])
		}
		s.Stack = append(s.Stack, at+":"+m[2])
	}
	if s.URL == "" {
		s.URL = shownText(document)
	}
	return s
}

const maxStack = 10

// initiator is what the browser says about who asked for a request.
type initiator struct {
	Type, URL  string
	LineNumber float64 // from 0
	Stack      *stackTrace
}

type stackTrace struct {
	CallFrames []struct {
		URL        string
		LineNumber int // from 0
	}
	Parent *stackTrace
}

func (i *initiator) setter() setter {
	s := setter{Kind: i.Type, URL: shownText(i.URL), Line: int(i.LineNumber) + 1}
	for trace := i.Stack; trace != nil; trace = trace.Parent {
		for _, f := range trace.CallFrames {
			if f.URL == "" || len(s.Stack) == maxStack {
				continue
			}
			at := shownText(f.URL)
			if s.URL == "" {
				s.URL, s.Line = at, f.LineNumber+1
			}
			s.Stack = append(s.Stack, at+":"+strconv.Itoa(f.LineNumber+1))
		}
	}
	if s.URL == "" {
		s.Line = 0
	}
	return s
}

// parseURL returns the URL of something that is sent over a network, or nil.
func parseURL(text string) *url.URL {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return nil
	}
	switch u.Scheme {
	case "http", "https", "ws", "wss":
		return u
	}
	return nil
}

// urlOfFields returns the origin to which a request with these fields goes, or nil.
func urlOfFields(fields map[string]string) *url.URL {
	scheme, host := "https", ""
	for name, value := range fields {
		switch strings.ToLower(name) {
		case ":authority", "host":
			host = value
		case ":scheme":
			scheme = value
		}
	}
	return parseURL(scheme + "://" + host + "/")
}

// shownText returns a URL as it can be shown.
func shownText(text string) string {
	if u := parseURL(strings.TrimPrefix(text, "blob:")); u != nil {
		return shownURL(u)
	}
	return report.Printable(text)
}

// shownURL returns a URL without what can be personal: user, values of the query, and fragment. Of the
// query the keys stay.
func shownURL(u *url.URL) string {
	shown := u.Scheme + "://" + u.Host + u.EscapedPath()
	if u.EscapedPath() == "" {
		shown += "/"
	}
	if keys := queryKeys(u); len(keys) > 0 {
		shown += "?" + strings.Join(keys, "&")
	}
	return report.Printable(shown)
}

// queryKeys returns the keys of a query, sorted.
func queryKeys(u *url.URL) (keys []string) {
	const most = 50
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		// A query without "=" is a value, and not a key.
		key, _, isPair := strings.Cut(pair, "=")
		if !isPair || key == "" || slices.Contains(keys, key) || len(keys) == most {
			continue
		}
		keys = append(keys, report.Printable(key))
	}
	slices.Sort(keys)
	return keys
}
