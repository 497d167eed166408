package output

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/audit"
)

type object = map[string]any

// notInspected is shown where the format has room for a remark: that a list is empty there means nothing.
const notInspected = "From caddy-cookie-policy: cookies and hosts are those of all states together. Web beacons by " +
	"filter lists, links, web forms, redirects to HTTPS and TLS were not inspected. Values were not kept."

// WEC returns the audit in the format of the inspection.json of the Website Evidence Collector of the
// European Data Protection Supervisor, which the Website Auditing Tool opens. It has no states there:
// cookies and hosts are those of all states.
func WEC(r *audit.Report) ([]byte, error) {
	first := strings.Join(r.Method.Pages[:min(1, len(r.Method.Pages))], "")
	host := ""
	secure := object{"https_support": nil, "https_redirect": nil, "redirects": []string{},
		"https_error": nil, "http_error": nil}
	if u, err := url.Parse(first); err == nil {
		host = u.Hostname()
		if u.Scheme == "https" {
			secure["https_support"] = true
		}
	}
	history, last := []string{}, first // without repetitions
	for _, s := range r.States {
		for i, p := range s.Pages {
			if !slices.Contains(history, p.URL) {
				history = append(history, p.URL)
			}
			if i == 0 && p.Final != "" {
				last = p.Final
			}
		}
	}
	requests, cookieHosts, storageHosts := newParties(), newParties(), newParties()
	if host != "" {
		requests.add(true, host)
	}
	for _, q := range r.Requests {
		requests.add(q.Party != "third", q.Host)
	}
	cookies := []object{}
	for _, c := range r.Cookies {
		cookies = append(cookies, wecCookie(r, &c))
		cookieHosts.add(c.Party != "third", strings.TrimPrefix(c.Domain, "."))
	}
	storage := object{}
	for _, s := range r.Storage {
		if s.Kind != "local" {
			continue
		}
		if storage[s.Origin] == nil {
			storage[s.Origin] = object{}
		}
		log := wecLog("Storage.LocalStorage", first, r.Started, s.Setters...)
		storage[s.Origin].(object)[s.Key] = object{
			"firstPartyStorage": s.Party != "third", "value": "", "log": log,
			"event": object{"origin": s.Origin, "raw": object{}, "timestamp": log["timestamp"], "type": log["type"],
				"location": log["location"], "stack": log["stack"]},
		}
		if u, err := url.Parse(s.Origin); err == nil {
			storageHosts.add(s.Party != "third", u.Hostname())
		}
	}
	return JSON(object{
		"title": "Website Evidence Collection", "task_description": notInspected,
		"uri_ins": first, "uri_refs": r.Method.Pages[:min(1, len(r.Method.Pages))], "uri_dest": last,
		"uri_redirects": []string{}, "host": host, "secure_connection": secure, "testSSL": nil,
		"start_time": r.Started.Format(time.RFC3339), "end_time": r.Ended.Format(time.RFC3339),
		"script": object{"host": "", "config": object{}, "cmd_args": "", "environment": object{}, "node_version": "",
			"version": object{"npm": "caddy-cookie-policy " + r.Tool.Version, "commit": nil}},
		"browser": object{
			"name": "Chromium", "version": r.Browser.Product, "user_agent": r.Browser.UserAgent,
			"platform":      object{"name": "", "version": ""},
			"extra_headers": object{"dnt": 0}, "preset_cookies": object{},
		},
		"browsing_history": history,
		"hosts": object{
			"requests": requests, "beacons": newParties(), "cookies": cookieHosts, "localStorage": storageHosts,
			"links": newParties(), "contentSecurityPolicy": newParties(),
		},
		"cookies": cookies, "beacons": []object{}, "localStorage": storage, "unsafeForms": []object{},
		"websockets": object{}, "websocketLog": object{},
		"links": object{"firstParty": []object{}, "thirdParty": []object{}, "social": []object{}, "keywords": []object{}},
	})
}

// parties are hosts by party.
type parties struct {
	First []string `json:"firstParty"`
	Third []string `json:"thirdParty"`
}

func newParties() *parties { return &parties{First: []string{}, Third: []string{}} }

func (p *parties) add(first bool, host string) {
	list := &p.Third
	if first {
		list = &p.First
	}
	if !slices.Contains(*list, host) {
		*list = append(*list, host)
	}
}

// wecLog says who did something, and where.
func wecLog(kind, location string, at time.Time, scripts ...string) object {
	stack := []object{}
	for _, script := range scripts {
		stack = append(stack, object{"fileName": script, "source": script})
	}
	return object{"type": kind, "stack": stack, "location": location, "timestamp": at.Format(time.RFC3339)}
}

func wecCookie(r *audit.Report, c *audit.Cookie) object {
	cookie := object{
		"name": c.Name, "value": "", "domain": strings.TrimPrefix(c.Domain, "."), "path": c.Path,
		"firstPartyStorage": c.Party != "third", "session": false, "expires": -1, "size": len(c.Name),
		"httpOnly": false, "secure": false, "log": wecLog("", "", r.Started),
	}
	if c.Partition != "" {
		cookie["partitionKey"] = c.Partition
	}
	for _, s := range c.Seen {
		if s.What != "set" {
			continue
		}
		cookie["session"] = s.Effective == "session" || s.Effective == "" && s.Declared == "session"
		if life, ok := lifeOf(s.Effective); ok {
			end := s.At.Add(life)
			cookie["expires"], cookie["expiresUTC"] = end.Unix(), end.UTC().Format(time.RFC3339)
			cookie["expiresDays"] = int(life.Round(24*time.Hour) / (24 * time.Hour))
		}
		if s.Flags != nil {
			cookie["secure"], cookie["httpOnly"] = s.Flags.Secure, s.Flags.HTTPOnly
			if same := s.Flags.SameSite; same != "" {
				cookie["sameSite"] = strings.ToUpper(same[:1]) + same[1:]
			}
			cookie["size"] = s.Length + len(c.Name)
		}
		if s.Setter != nil {
			kind, source := "Cookie.HTTP", "set in Set-Cookie HTTP response header for "+s.Setter.URL
			if s.Setter.Kind != "header" {
				kind, source = "Cookie.JS", s.Setter.Kind+" "+place(s.Setter)
			}
			log := wecLog(kind, pageOf(r, &s), s.At)
			log["stack"] = []object{{"fileName": s.Setter.URL, "lineNumber": s.Setter.Line, "source": source}}
			cookie["log"] = log
		}
		break
	}
	return cookie
}

// lifeOf reads a lifetime as the report writes it, such as 395d or 1d3h0m.
func lifeOf(text string) (life time.Duration, ok bool) {
	if days, rest, found := strings.Cut(text, "d"); found {
		n, err := strconv.Atoi(days)
		if err != nil {
			return 0, false
		}
		life, text = time.Duration(n)*24*time.Hour, rest
		if rest == "" {
			return life, true
		}
	}
	rest, err := time.ParseDuration(text)
	return life + rest, err == nil
}
