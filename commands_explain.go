package cookiepolicy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/net/publicsuffix"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
	"github.com/cookie-policy/caddy-cookie-policy/explain"
)

// explainQuery is what the explain command is asked.
type explainQuery struct {
	*query
	setCookie, cookie, headers []string
	host                       string
	https, page, asset         bool
	har, url                   string
}

func explainCommand(q *query) *cobra.Command {
	x := &explainQuery{query: q}
	cmd := &cobra.Command{
		Use: "explain [--config <file> [--adapter <name>] | --address <host:port>...] [--policy <name>] " +
			"[--set-cookie <line>]... [--cookie <header>]... [--header <field>]... [--host <name>] [--https] " +
			"[--page | --asset] | --har <file> | --url <url> [--json]",
		Short: "Tells why a cookie is let through or refused",
		Long: `Tells why a cookie is let through or refused: for lines, for all that a browser recorded, or for what
a URL answers now. For each cookie it shows the verdict, the rule and where it is written, the state of
each consent key and what it comes from, the condition that failed, and what is changed or removed.
Values of cookies are never shown.

The policies are those of a config file (--config) or of running gateways (--address). Without --policy
every policy is answered for. With --har and without --host, the recorded requests are those to the
hosts of the policy's sites, or else to the host of the first page.

The exit status is 0 if the command was carried out, and 2 if not.`,
		Args: noArgs,
		RunE: q.run(x.explain),
	}
	q.configFlags(cmd)
	flags := cmd.Flags()
	flags.StringArrayVar(&x.setCookie, "set-cookie", nil, "a Set-Cookie line of the response, without the field's name")
	flags.StringArrayVar(&x.cookie, "cookie", nil, "a Cookie header of the request, without the field's name")
	flags.StringArrayVar(&x.headers, "header", nil, `another field of the request, such as "Sec-GPC: 1"`)
	flags.StringVar(&x.host, "host", "", "the host that the visitor asks for")
	flags.BoolVar(&x.https, "https", false, "the visitor's connection is HTTPS")
	flags.BoolVar(&x.page, "page", false, "the response is a page (the default)")
	flags.BoolVar(&x.asset, "asset", false, "the response is an asset, which removes no cookies from the browser")
	flags.StringVar(&x.har, "har", "", "a HAR file that a browser recorded")
	flags.StringVar(&x.url, "url", "", "a URL to fetch; redirects are followed, and each is explained")
	return cmd
}

func (q *explainQuery) explain(out io.Writer) (int, error) {
	question, err := q.question()
	if err != nil {
		return exitFailed, err
	}
	policies, err := q.policies()
	if err != nil {
		return exitFailed, err
	}
	switch {
	case q.har != "":
		err = q.explainHAR(out, policies)
	case q.url != "":
		err = q.explainURL(out, policies, question)
	default:
		err = q.explainLines(out, policies, question)
	}
	if err != nil {
		return exitFailed, err
	}
	return exitDone, nil
}

// question returns what the flags ask. The error holds all that is wrong with them.
func (q *explainQuery) question() (*explain.Question, error) {
	question := &explain.Question{
		SetCookie: q.setCookie, Cookie: q.cookie, Host: q.host, HTTPS: q.https, Headers: explain.Fields{},
	}
	if q.page || q.asset {
		question.Page = &q.page
	}
	var errs []error
	for _, header := range q.headers {
		name, line, found := strings.Cut(header, ":")
		if name = strings.TrimSpace(name); !found || name == "" {
			errs = append(errs, fmt.Errorf("--header %q: want a field and its line, such as \"Sec-GPC: 1\"", header))
			continue
		}
		question.Headers.Add(name, strings.TrimSpace(line))
	}
	lines := len(q.setCookie)+len(q.cookie)+len(q.headers) > 0
	switch {
	case q.har != "" && (q.url != "" || lines || q.page || q.asset):
		errs = append(errs, errors.New("--har: the file has lines, headers and types; remove the other flags"))
	case q.url != "" && len(q.setCookie) > 0:
		errs = append(errs, errors.New("--url: the lines are those of the answer; remove --set-cookie"))
	case q.har == "" && q.url == "" && !lines:
		errs = append(errs, errors.New("say what to explain: --set-cookie, --cookie, --header, --har or --url"))
	}
	if q.page && q.asset {
		errs = append(errs, errors.New("--page and --asset: want one of the two"))
	}
	return question, errors.Join(errs...)
}

// explainLines explains the lines of the flags.
func (q *explainQuery) explainLines(out io.Writer, policies []configuredPolicy, question *explain.Question) error {
	answers := make([]*enforcer.Explanation, len(policies))
	for i, p := range policies {
		e, err := enforcer.Compile(p.Policy, time.Now)
		if err != nil {
			return err
		}
		answers[i] = question.Ask(e)
		explain.Locate(answers[i], p.Where)
	}
	return writeDocuments(q.query, out, answers, func(x *enforcer.Explanation) error {
		return explain.Print(out, x, time.Now())
	})
}

// writeDocuments writes one document for each policy, as [writeReports] does.
func writeDocuments[T any](q *query, out io.Writer, answers []T, text func(T) error) error {
	if q.json {
		return writeReports[T](q, out, answers, nil)
	}
	for i, answer := range answers {
		if i > 0 {
			fmt.Fprintln(out)
		}
		if err := text(answer); err != nil {
			return err
		}
	}
	return nil
}

// maxHops is how many requests --url sends: browsers follow 20 redirects.
const maxHops = 21

// hop is one answer on the way to a page, and its explanation.
type hop struct {
	URL         string                `json:"url"` // without its query
	Status      int                   `json:"status"`
	Explanation *enforcer.Explanation `json:"explanation"`
}

// explainURL fetches a URL as a browser does that has the cookies of the flags, and explains each answer.
func (q *explainQuery) explainURL(out io.Writer, policies []configuredPolicy, question *explain.Question) error {
	questions, urls, err := fetch(q.url, question)
	if err != nil {
		return err
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
		for j, asked := range questions {
			if q.host != "" {
				asked.Host = q.host
			}
			asked.HTTPS = asked.HTTPS || q.https
			x := asked.Ask(e)
			explain.Locate(x, p.Where)
			answers[i].Hops = append(answers[i].Hops, hop{urls[j].url, urls[j].status, x})
		}
	}
	return writeDocuments(q.query, out, answers, func(a answer) error {
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
}

// fetched is one answer on the way.
type fetched struct {
	url    string
	status int
}

// fetch gets a URL, follows redirects, and returns each request with its answer. Bodies are not read.
func fetch(address string, first *explain.Question) (questions []explain.Question, answers []fetched, err error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, nil, fmt.Errorf("--url %q: want an address such as https://data.example.org/", address)
	}
	jar, err := cookiejar.New(&cookiejar.Options{PublicSuffixList: publicsuffix.List})
	if err != nil {
		return nil, nil, err
	}
	client := &http.Client{
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	firstHost := u.Host
	for range maxHops {
		asked := explain.Question{Headers: explain.Fields{}, Host: u.Host, HTTPS: u.Scheme == "https"}
		req, err := http.NewRequest(http.MethodGet, u.String(), nil)
		if err != nil {
			return nil, nil, err
		}
		req.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
		req.Header.Set("User-Agent", "caddy-cookie-policy")
		for name, lines := range first.Headers {
			asked.Headers.Add(name, lines...)
			req.Header[name] = lines
		}
		var cookies []string
		if u.Host == firstHost {
			cookies = slices.Clone(first.Cookie)
		}
		for _, c := range jar.Cookies(u) {
			cookies = append(cookies, c.Name+"="+c.Value)
		}
		if len(cookies) > 0 {
			asked.Cookie = []string{strings.Join(cookies, "; ")}
			req.Header["Cookie"] = asked.Cookie
		}
		resp, err := client.Do(req)
		if err != nil {
			return nil, nil, errors.New(report.Printable(err.Error()))
		}
		resp.Body.Close()
		jar.SetCookies(u, resp.Cookies())
		asked.Response = explain.Fields(resp.Header)
		isPage := explain.IsPage(resp.StatusCode, asked.Response)
		if asked.Page = &isPage; first.Page != nil {
			asked.Page = first.Page
		}
		questions = append(questions, asked)
		answers = append(answers, fetched{explain.WithoutQuery(u), resp.StatusCode})
		next, err := resp.Location()
		if err != nil || resp.StatusCode < 300 || resp.StatusCode > 399 {
			return questions, answers, nil
		}
		u = next
	}
	return nil, nil, fmt.Errorf("--url: more than %d redirects", maxHops-1)
}

// explainHAR explains a recording. The exchanges are written as they are read: there may be many.
func (q *explainQuery) explainHAR(out io.Writer, policies []configuredPolicy) error {
	w := jsonWriter{out: out}
	several := q.policy == ""
	if q.json && several {
		w.text(`{"policies":[`)
	}
	for i, p := range policies {
		if i > 0 {
			w.text(map[bool]string{true: ",", false: "\n"}[q.json])
		}
		if err := q.replay(&w, p); err != nil {
			return err
		}
	}
	if q.json && several {
		w.text("]}")
	}
	if q.json {
		w.text("\n")
	}
	return w.err
}

// replay writes what one policy would have done to a recording.
func (q *explainQuery) replay(w *jsonWriter, p configuredPolicy) error {
	file, err := os.Open(q.har)
	if err != nil {
		return err
	}
	defer file.Close()
	hosts := p.Hosts
	if q.host != "" {
		hosts = []string{q.host}
	}
	if q.json {
		w.text(`{"exchanges":[`)
	} else {
		w.text("Policy " + p.Resolved.Name() + ", cookies that are not let through as they are:\n\n")
	}
	n := 0
	recording, err := explain.Replay(file, p.Policy, hosts, func(e *explain.Exchange) error {
		explain.Locate(e.Explanation, p.Where)
		if !q.json {
			return explain.PrintExchange(w.out, e)
		}
		if n++; n > 1 {
			w.text(",")
		}
		w.value(e)
		return w.err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", q.har, err)
	}
	lines := suggest(&report.Drift{
		Policy: recording.Policy, Digest: recording.Digest, Since: recording.First, Findings: recording.Unlisted,
	}, []report.Inventory{recording.Inventory})
	if q.json {
		w.text(`],"summary":`)
		w.value(recording)
		w.text(`,"suggest":`)
		w.value(lines)
		w.text("}")
		return w.err
	}
	if err := explain.PrintRecording(w.out, recording); err != nil {
		return err
	}
	if len(recording.Unlisted) > 0 {
		w.text("\n" + lines)
	}
	return w.err
}

// jsonWriter writes a document in parts, and keeps the first error.
type jsonWriter struct {
	out io.Writer
	err error
}

func (w *jsonWriter) text(text string) {
	if w.err == nil {
		_, w.err = io.WriteString(w.out, text)
	}
}

func (w *jsonWriter) value(v any) {
	b, err := json.Marshal(v)
	if err != nil && w.err == nil {
		w.err = err
	}
	w.text(string(escapeInvisible(b)))
}
