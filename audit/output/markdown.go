package output

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/audit"
)

// Markdown returns the verdicts and the findings, for a ticket or a pull request.
func Markdown(r *audit.Report) ([]byte, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "# Audit of %s\n\n", md(strings.Join(r.Method.Pages[:min(1, len(r.Method.Pages))], "")))
	fmt.Fprintf(&b, "Policy %s, digest %s. %s to %s, with %s.\n\n", md(r.Policy.Name), md(r.Policy.Digest),
		r.Started.Format(time.RFC3339), r.Ended.Format(time.RFC3339), md(r.Browser.Product))
	b.WriteString("| state | by | run | verdict | why |\n|---|---|---|---|---|\n")
	for _, s := range r.States {
		fmt.Fprintf(&b, "| %s | %s | %d | %s | %s |\n", md(s.State), md(s.By), s.Run, md(s.Verdict),
			md(strings.Join(s.Reasons, "; ")))
	}
	b.WriteString("\n## Findings\n\n")
	if len(r.Findings) == 0 {
		b.WriteString("None.\n")
	} else {
		b.WriteString("| level | finding | state | name | domain | rule | set by | page | detail |\n" +
			"|---|---|---|---|---|---|---|---|---|\n")
	}
	for _, f := range r.Findings {
		setter := ""
		if f.Setter != nil {
			setter = f.Setter.Kind + " " + place(f.Setter)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", f.Level, f.Finding, md(f.State), md(f.Name),
			md(f.Domain), md(f.Rule), md(setter), md(f.Page), md(f.Detail))
	}
	origins(&b, r)
	b.WriteString("\n## Declared and not met\n\n")
	for _, f := range r.Never {
		fmt.Fprintf(&b, "- %s\n", md(f.Name))
	}
	if len(r.Never) == 0 {
		b.WriteString("None.\n")
	}
	method(&b, r)
	fmt.Fprintf(&b, "\n## Limits\n\n%s\n", texts["en"]["limits"])
	return []byte(b.String()), nil
}

// origins writes from which third parties pages loaded, if the policy says anything of them.
func origins(b *strings.Builder, r *audit.Report) {
	if !r.NamesOrigins() {
		return
	}
	b.WriteString("\n## Other hosts\n\n| origin | party | rule | consent | states | without consent |\n|---|---|---|---|---|---|\n")
	for _, c := range r.Requests[:min(len(r.Requests), maxRows)] {
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s |\n", md(c.Origin), md(c.Party), md(cmp.Or(c.Rule, c.Category)),
			md(strings.Join(c.Consent, ", ")), md(strings.Join(c.States, ", ")), md(strings.Join(c.Early, ", ")))
	}
}

// method writes how was audited.
func method(b *strings.Builder, r *audit.Report) {
	item := func(what string, words ...string) {
		if text := strings.Join(words, ", "); text != "" {
			fmt.Fprintf(b, "- %s: %s\n", what, md(text))
		}
	}
	b.WriteString("\n## Method\n\n")
	item("Policy", r.Policy.Name, r.Policy.Digest, "from "+r.Policy.Source, "mode "+r.Policy.Mode)
	item("Browser", r.Browser.Product, r.Browser.UserAgent, "language "+r.Browser.Language,
		"time zone "+r.Browser.TimeZone, "third-party cookies: "+r.Browser.ThirdPartyCookies)
	item("Command line", strings.Join(r.Browser.CommandLine, " "))
	item("Address of the portal", r.Origin.Address)
	item("Certificate, SHA-256", r.Origin.Certificate)
	item("Pages", r.Method.Pages...)
	item("Time on a page, limit, runs", r.Method.Settle, r.Method.Timeout, fmt.Sprint(r.Method.Runs))
	item("Fields sent to the portal alone", r.Method.Headers...)
	for _, s := range r.States {
		state := fmt.Sprintf("State %s, run %d", md(s.State), s.Run)
		if len(s.Made) > 0 {
			item(state+", cookies stored by the audit", s.Made...)
		}
		for _, key := range slices.Sorted(maps.Keys(s.ReadAs)) {
			item(state+", choice as the policy reads it", key+": "+s.ReadAs[key])
		}
		for _, c := range s.Clicks {
			item(state+", clicked", c.Selector, "in "+c.Frame, c.At.Format(time.RFC3339))
		}
	}
}

// md escapes a stranger's text.
func md(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '<':
			b.WriteString("&lt;")
		case r == '&':
			b.WriteString("&amp;")
		case r < ' ' || r == 0x7f:
			b.WriteByte(' ')
		case strings.ContainsRune("\\`*_{}[]()#+!|~>@:", r):
			b.WriteByte('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
