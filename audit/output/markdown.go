package output

import (
	"fmt"
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
	b.WriteString("\n## Declared and not met\n\n")
	for _, f := range r.Never {
		fmt.Fprintf(&b, "- %s\n", md(f.Name))
	}
	if len(r.Never) == 0 {
		b.WriteString("None.\n")
	}
	fmt.Fprintf(&b, "\n%s\n", texts["en"]["limits"])
	return []byte(b.String()), nil
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
