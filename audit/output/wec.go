package output

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/audit"
)

// WEC returns the audit in the format of the inspection.json of the Website Evidence Collector of the
// European Data Protection Supervisor, which the Website Auditing Tool opens. It has no states there:
// cookies and hosts are those of all states.
func WEC(r *audit.Report) ([]byte, error) {
	type object = map[string]any
	first := ""
	if len(r.Method.Pages) > 0 {
		first = r.Method.Pages[0]
	}
	host, secure := "", object{}
	if u, err := url.Parse(first); err == nil {
		host = u.Hostname()
		secure = object{"https_support": u.Scheme == "https"}
	}
	history := []string{}
	for _, s := range r.States {
		for _, p := range s.Pages {
			history = append(history, p.URL)
		}
	}
	cookies := object{"firstParty": []object{}, "thirdParty": []object{}}
	for _, c := range r.Cookies {
		party := "firstParty"
		if c.Party == "third" {
			party = "thirdParty"
		}
		cookies[party] = append(cookies[party].([]object), wecCookie(r, &c, c.Party != "third"))
	}
	requests := object{"firstParty": []string{}, "thirdParty": []string{}}
	for _, q := range r.Requests {
		party := "firstParty"
		if q.Party == "third" {
			party = "thirdParty"
		}
		requests[party] = append(requests[party].([]string), q.Host)
	}
	storage := object{}
	for _, s := range r.Storage {
		if s.Kind != "local" {
			continue
		}
		if storage[s.Origin] == nil {
			storage[s.Origin] = object{}
		}
		storage[s.Origin].(object)[s.Key] = object{"firstPartyStorage": s.Party != "third", "value": "", "log": object{}}
	}
	return JSON(object{
		"title": "caddy-cookie-policy audit", "task_description": nil, "uri_ins": first, "uri_dest": first, "host": host,
		"start_time": r.Started.Format(time.RFC3339), "end_time": r.Ended.Format(time.RFC3339),
		"script": object{"host": "", "version": object{"npm": r.Tool.Version, "commit": nil}, "environment": nil},
		"browser": object{
			"name": "Chromium", "version": r.Browser.Product, "user_agent": r.Browser.UserAgent,
			"platform": object{}, "extra_headers": object{}, "preset_cookies": object{},
		},
		"browsing_history": history,
		"hosts":            object{"requests": requests, "beacons": object{}, "cookies": object{}, "localStorage": object{}, "links": object{}},
		"cookies":          slices.Concat(cookies["firstParty"].([]object), cookies["thirdParty"].([]object)),
		"beacons":          []object{}, "localStorage": storage, "secure_connection": secure, "unsafeForms": []object{},
		"websockets": object{}, "links": object{"firstParty": []object{}, "thirdParty": []object{}},
	})
}

func wecCookie(r *audit.Report, c *audit.Cookie, first bool) map[string]any {
	cookie := map[string]any{
		"name": c.Name, "value": "", "domain": c.Domain, "path": c.Path, "firstPartyStorage": first, "session": false,
		"log": map[string]any{"stack": []any{}, "type": "", "location": ""},
	}
	for _, s := range c.Seen {
		if s.What != "set" {
			continue
		}
		cookie["session"] = s.Effective == "session" || s.Declared == "session"
		if s.Flags != nil {
			cookie["secure"], cookie["httpOnly"] = s.Flags.Secure, s.Flags.HTTPOnly
			cookie["sameSite"], cookie["size"] = s.Flags.SameSite, s.Length+len(c.Name)
		}
		if s.Setter != nil {
			kind := "Cookie.HTTP"
			if s.Setter.Kind == "script" {
				kind = "Cookie.JS"
			}
			stack := []map[string]any{{"fileName": s.Setter.URL, "lineNumber": s.Setter.Line}}
			cookie["log"] = map[string]any{
				"type": kind, "stack": stack, "location": pageOf(r, &s), "timestamp": s.At.Format(time.RFC3339),
			}
		}
		break
	}
	if strings.HasPrefix(c.Domain, ".") {
		cookie["domain"] = c.Domain
	}
	return cookie
}
