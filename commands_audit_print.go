package cookiepolicy

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/audit"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
)

// printAudit prints the verdicts and the findings, and which third parties were met.
func printAudit(out io.Writer, r *audit.Report, excused func(*audit.Finding) bool) {
	w := columns(out)
	fmt.Fprintf(w, "Policy %s, digest %s, %s to %s\n\n", report.Printable(r.Policy.Name),
		report.Printable(r.Policy.Digest), r.Started.Format(time.RFC3339), r.Ended.Format(time.RFC3339))
	fmt.Fprintln(w, "STATE\tBY\tRUN\tVERDICT\tWHY")
	for _, s := range r.States {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\n", report.Printable(s.State), s.By, s.Run, s.Verdict,
			printableWords(strings.Join(s.Reasons, "; ")))
	}
	_ = w.Flush()
	if len(r.Findings) > 0 {
		printAuditFindings(out, r, excused)
	}
	printAuditOrigins(out, r)
}

func printAuditFindings(out io.Writer, r *audit.Report, excused func(*audit.Finding) bool) {
	w := columns(out)
	fmt.Fprintln(w, "\nLEVEL\tFINDING\tSTATE\tNAME\tSET BY\tDETAIL")
	for i := range r.Findings {
		f := &r.Findings[i]
		level, setter := f.Level, ""
		if excused(f) {
			level = "known"
		}
		if f.Setter != nil {
			setter = f.Setter.Kind + " " + f.Setter.URL
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", level, f.Finding, report.Printable(f.State), report.Printable(f.Name),
			printableWords(setter), printableWords(f.Detail))
	}
	_ = w.Flush()
}

// printAuditOrigins prints from which third parties pages loaded, if the policy says anything of them.
func printAuditOrigins(out io.Writer, r *audit.Report) {
	if !r.NamesOrigins() {
		return
	}
	w := columns(out)
	fmt.Fprintln(w, "\nORIGIN\tPARTY\tRULE\tSTATES\tEARLY")
	for _, c := range r.Requests {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", report.Printable(c.Origin), c.Party,
			printableWords(cmp.Or(c.Rule, c.Category)), printableWords(strings.Join(c.States, ", ")),
			printableWords(strings.Join(c.Early, ", ")))
	}
	_ = w.Flush()
}
