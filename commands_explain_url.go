package cookiepolicy

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
	"github.com/cookie-policy/caddy-cookie-policy/explain"
)

// maxHops is how many requests --url sends: browsers follow 20 redirects.
const maxHops = 21

// hop is one answer on the way to a page, and its explanation.
type hop struct {
	URL         string                `json:"url"` // without its query
	Status      int                   `json:"status"`
	Explanation *enforcer.Explanation `json:"explanation"`
}

// explainURL fetches a URL as a browser does that has the cookies of the flags, and explains each
// answer, also those before one that did not come.
func (q *explainQuery) explainURL(out io.Writer, policies []configuredPolicy, question *explain.Question) error {
	visit, failure := fetch(q.url, question)
	if len(visit) == 0 {
		return failure
	}
	type answer struct {
		Policy string `json:"policy"`
		Hops   []hop  `json:"hops"`
	}
	answers := make([]answer, len(policies))
	for i, p := range policies {
		e, err := enforcer.Compile(p.Policy, time.Now)
		if err != nil {
			return err
		}
		answers[i].Policy = p.Resolved.Name()
		for _, f := range visit {
			asked := f.question
			if q.host != "" {
				asked.Host = q.host
			}
			asked.HTTPS = asked.HTTPS || q.https
			x := asked.Ask(e)
			explain.Locate(x, p.Where)
			answers[i].Hops = append(answers[i].Hops, hop{f.url, f.status, x})
		}
	}
	err := writeDocuments(q.query, out, answers, func(a answer) error {
		for i, h := range a.Hops {
			if i > 0 {
				fmt.Fprintln(out)
			}
			fmt.Fprintf(out, "%s  %d\n", h.URL, h.Status)
			if err := explain.Print(out, h.Explanation, time.Now()); err != nil {
				return err
			}
		}
		return nil
	})
	return errors.Join(err, failure)
}

// fetched is one answer on the way.
type fetched struct {
	url      string
	status   int
	question explain.Question
}

// fetch gets a URL, follows redirects, and returns each request with its answer. Bodies are not read.
// Errors hold no URL but without its query.
func fetch(address string, first *explain.Question) (visit []fetched, err error) {
	u, err := url.Parse(address)
	if inner := errors.Unwrap(err); inner != nil {
		return nil, fmt.Errorf("--url: want an address such as https://data.example.org/: %w", inner)
	}
	if err != nil || !isWeb(u) {
		return nil, errors.New("--url: want an address such as https://data.example.org/")
	}
	jar, err := cookiejar.New(&cookiejar.Options{PublicSuffixList: publicsuffix.List})
	if err != nil {
		return nil, err
	}
	for _, header := range first.Cookie {
		for pair := range strings.SplitSeq(header, ";") {
			jar.SetCookies(u, stored([]string{pair + "; Path=/"}))
		}
	}
	client := &http.Client{
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	host := u.Hostname()
	for range maxHops {
		asked := explain.Question{Headers: explain.Fields{}, Host: u.Host, HTTPS: u.Scheme == "https"}
		req, err := http.NewRequest(http.MethodGet, u.String(), nil)
		if err != nil {
			return visit, err
		}
		req.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
		req.Header.Set("User-Agent", "caddy-cookie-policy")
		for name, lines := range first.Headers {
			if u.Hostname() == host || !isCredential(name) {
				asked.Headers.Add(name, lines...)
				req.Header[name] = lines
			}
		}
		if asked.Cookie = first.Cookie; len(visit) > 0 || len(first.Cookie) == 0 {
			asked.Cookie = cookieHeader(jar.Cookies(u))
		}
		if len(asked.Cookie) > 0 {
			req.Header["Cookie"] = asked.Cookie
		}
		resp, err := client.Do(req)
		if err != nil {
			if inner := errors.Unwrap(err); inner != nil { // without the query
				err = inner
			}
			return visit, fmt.Errorf("%s: %s", explain.WithoutQuery(u), report.Printable(err.Error()))
		}
		resp.Body.Close()
		jar.SetCookies(u, stored(resp.Header["Set-Cookie"]))
		asked.Response = explain.Fields(resp.Header)
		isPage := explain.IsPage(resp.StatusCode, asked.Response)
		if asked.Page = &isPage; first.Page != nil {
			asked.Page = first.Page
		}
		visit = append(visit, fetched{explain.WithoutQuery(u), resp.StatusCode, asked})
		if !redirects(resp) {
			return visit, nil
		}
		next, err := resp.Location()
		if err != nil || !isWeb(next) {
			return visit, fmt.Errorf("%s: its Location is no address that can be fetched", explain.WithoutQuery(u))
		}
		u = next
	}
	return visit, fmt.Errorf("--url: more than %d redirects", maxHops-1)
}

func isWeb(u *url.URL) bool { return u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") }

// redirects reports whether browsers follow the Location of a response.
func redirects(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return resp.Header.Get("Location") != ""
	}
	return false
}

// isCredential reports whether a field is for one host alone.
func isCredential(field string) bool {
	return strings.EqualFold(field, "Authorization") || strings.EqualFold(field, "Proxy-Authorization")
}

// cookieHeader returns the Cookie header with some cookies, if there are any.
func cookieHeader(cookies []*http.Cookie) []string {
	if len(cookies) == 0 {
		return nil
	}
	pairs := make([]string, len(cookies))
	for i, c := range cookies {
		pairs[i] = c.Name + "=" + c.Value
	}
	return []string{strings.Join(pairs, "; ")}
}

// stored returns the cookies of Set-Cookie lines. Unlike net/http, browsers store what is no valid name
// or value, such as JSON.
func stored(lines []string) (cookies []*http.Cookie) {
	for _, line := range lines {
		pair, attributes, _ := strings.Cut(line, ";")
		name, value, found := strings.Cut(pair, "=")
		c, err := http.ParseSetCookie("name=;" + attributes)
		if name = strings.Trim(name, " \t"); !found || name == "" || err != nil {
			continue
		}
		c.Name, c.Value = name, strings.Trim(value, " \t")
		cookies = append(cookies, c)
	}
	return cookies
}
