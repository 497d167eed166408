package cookiepolicy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

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
		SetCookie: q.setCookie, Cookie: slices.Clone(q.cookie), Host: q.host, HTTPS: q.https, Headers: explain.Fields{},
	}
	if q.page || q.asset {
		question.Page = &q.page
	}
	var errs []error
	for _, header := range q.headers {
		name, line, found := strings.Cut(header, ":")
		name, line = strings.TrimSpace(name), strings.TrimSpace(line)
		switch {
		case !found || name == "" || strings.ContainsAny(name, " \t;,="): // not shown: it can hold a value
			errs = append(errs, errors.New("--header: want a field and its line, such as \"Sec-GPC: 1\""))
		case strings.EqualFold(name, "Cookie"):
			question.Cookie = append(question.Cookie, line)
		case strings.EqualFold(name, "Host"):
			errs = append(errs, errors.New("--header Host: write --host"))
		case strings.EqualFold(name, "Set-Cookie"):
			errs = append(errs, errors.New("--header Set-Cookie: responses have it; write --set-cookie"))
		default:
			question.Headers.Add(name, line)
		}
	}
	errs = append(errs, withoutField("--set-cookie", "Set-Cookie", q.setCookie))
	errs = append(errs, withoutField("--cookie", "Cookie", q.cookie))
	lines := len(q.setCookie)+len(q.cookie)+len(q.headers) > 0
	switch {
	case q.har != "" && (q.url != "" || lines || q.page || q.asset || q.https):
		errs = append(errs, errors.New("--har: the file has lines, headers, types and URLs; remove the other flags"))
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

// withoutField refuses lines that begin with the name of their field, as they are copied from tools:
// the cookie's name would be another one.
func withoutField(flag, field string, lines []string) error {
	for _, line := range lines {
		name, _, found := strings.Cut(line, ":")
		if found && strings.EqualFold(strings.TrimSpace(name), field) {
			return fmt.Errorf("%s: write the line without %s: before it", flag, field)
		}
	}
	return nil
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

// explainHAR explains a recording. The exchanges are written as they are read: there may be many.
func (q *explainQuery) explainHAR(out io.Writer, policies []configuredPolicy) error {
	w := jsonWriter{out: out}
	several := q.policy == ""
	for i, p := range policies {
		head := ""
		switch {
		case q.json && several && i == 0:
			head = `{"policies":[`
		case q.json && i > 0:
			head = ","
		case i > 0:
			head = "\n"
		}
		if err := q.replay(&w, head, p); err != nil {
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

// replay writes what one policy would have done to a recording, and a text before that. For a file that
// cannot be read it writes nothing.
func (q *explainQuery) replay(w *jsonWriter, head string, p configuredPolicy) error {
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
		head += `{"exchanges":[`
	} else {
		head += "Policy " + p.Resolved.Name() + ", cookies that are not let through as they are:\n\n"
	}
	begin := sync.OnceFunc(func() { w.text(head) }) // the file was read
	n := 0
	recording, err := explain.Replay(file, p.Policy, hosts, func(e *explain.Exchange) error {
		begin()
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
	begin()
	lines := ""
	if len(recording.Unlisted) > 0 {
		lines = suggest(&report.Drift{
			Policy: recording.Policy, Digest: recording.Digest, Since: recording.First, Findings: recording.Unlisted,
		}, []report.Inventory{recording.Inventory})
	}
	if q.json {
		w.text(`],"summary":`)
		w.value(recording)
		w.text(`,"suggest":`)
		w.value(lines)
		w.text("}")
		return w.err
	}
	if !slices.ContainsFunc(recording.Pages, explain.PageSummary.Differs) {
		w.text("None.\n")
	}
	if err := explain.PrintRecording(w.out, recording); err != nil {
		return err
	}
	if lines != "" {
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
