package explain

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/cookie-policy/caddy-cookie-policy/enforcer"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/policy"
	"github.com/cookie-policy/caddy-cookie-policy/enforcer/report"
)

// Print shows an explanation to people, as of now.
func Print(w io.Writer, x *enforcer.Explanation, now time.Time) error {
	p := printer{w: tabwriter.NewWriter(w, 0, 8, 2, ' ', 0), now: now}
	scheme := "http"
	if x.HTTPS {
		scheme = "https"
	}
	site := "a host that was not named (--host), by " + scheme
	if x.Host != "" {
		site = scheme + "://" + x.Host
	}
	p.line("Policy %s, digest %.8s, mode %s, for %s", x.Policy, x.Digest, x.Mode, site)
	p.line("")
	p.visitor(x)
	p.verdicts(x)
	if len(x.Origins) > 0 {
		p.line("")
		p.line("PAGES LOAD FROM\tVERDICT\tWHY")
	}
	for i := range x.Origins {
		v := &x.Origins[i]
		p.line("%s\t%s\t%s", v.Cookie, strings.ReplaceAll(v.Verdict, "_", " "), v.Text)
		for _, more := range details(v, x.Mode) {
			p.line("\t\t  %s", more)
		}
	}
	if len(x.Caches) > 0 {
		p.line("")
	}
	for _, c := range x.Caches {
		if c.Value == "" {
			p.line("Caches: %s is removed: %s", c.Field, c.Why)
		} else {
			p.line("Caches: %s becomes %s: %s", c.Field, c.Value, c.Why)
		}
	}
	return p.flush()
}

// printer writes lines, and keeps the first error.
type printer struct {
	w   *tabwriter.Writer
	now time.Time
	err error
}

// line writes a line. Texts are shown without characters that a terminal would act on.
func (p *printer) line(format string, args ...any) {
	for i, arg := range args {
		if text, ok := arg.(string); ok {
			args[i] = report.Printable(text)
		}
	}
	if _, err := fmt.Fprintf(p.w, format+"\n", args...); err != nil && p.err == nil {
		p.err = err
	}
}

// visitor shows what the visitor chose.
func (p *printer) visitor(x *enforcer.Explanation) {
	for i := range x.Preferences {
		preference := &x.Preferences[i]
		from := "of the request"
		if preference.FromResponse {
			from = "that the response writes"
		}
		p.line("Preference %s %s: %s", preference.Cookie, from, p.state(preference))
	}
	for _, s := range x.Signals {
		p.line("Signal %s: the browser sends %s: 1", s.Signal, s.Header)
	}
	for _, cookie := range x.Renewed {
		p.line("Preference %s is sent again for what is left of its max_age", cookie)
	}
	if len(x.Preferences)+len(x.Signals)+len(x.Renewed) > 0 {
		p.line("")
	}
}

// state says what a preference came to.
func (p *printer) state(x *enforcer.ExplainedPreference) string {
	said := []string{strings.ReplaceAll(x.State, "_", " ")}
	if x.Failure != "" {
		said[0] += ": " + x.Failure
	}
	switch {
	case x.Encoded:
		said[0] += fmt.Sprintf(", at byte %d of the value", x.Byte)
	case x.Byte > 0:
		said[0] += fmt.Sprintf(", at byte %d of the decoded value", x.Byte)
	}
	if x.Made != nil {
		age := p.now.Sub(*x.Made).Truncate(time.Minute)
		if day := 24 * time.Hour; age >= 2*day {
			age = age.Truncate(day)
		}
		when := fmt.Sprintf("made %s (%s ago)", x.Made.Format("2006-01-02 15:04 MST"), policy.Duration(age))
		if age < 0 {
			when = fmt.Sprintf("made %s (in the future)", x.Made.Format("2006-01-02 15:04 MST"))
		}
		said = append(said, when)
	}
	if x.MaxAge > 0 {
		said = append(said, "counts "+policy.Duration(time.Duration(x.MaxAge)*time.Second).String())
	}
	if x.State == policy.PreferenceValid.String() && len(x.Keys) == 0 {
		said = append(said, "names no consent key of the policy")
	}
	for _, key := range slices.Sorted(maps.Keys(x.Keys)) {
		said = append(said, key+" is "+x.Keys[key])
	}
	return strings.Join(said, ", ")
}

// verdicts shows each verdict, and below it what belongs to it.
func (p *printer) verdicts(x *enforcer.Explanation) {
	if len(x.Verdicts) == 0 {
		p.line("There are no cookies.")
		return
	}
	p.line("CHANNEL\tCOOKIE\tVERDICT\tWHY")
	for i := range x.Verdicts {
		v := &x.Verdicts[i]
		p.line("%s\t%s\t%s\t%s", v.Channel, v.Cookie, strings.ReplaceAll(v.Verdict, "_", " "), v.Text)
		for _, more := range details(v, x.Mode) {
			p.line("\t\t\t  %s", more)
		}
	}
}

// details returns what belongs to a verdict besides its reason.
func details(v *enforcer.ExplainedVerdict, mode string) (lines []string) {
	would := ""
	if mode == policy.ModeReport {
		would = "would be "
	}
	if r := v.Rule; r != nil {
		place := r.Path
		if r.Where != "" {
			place = r.Where
		}
		rule := fmt.Sprintf("rule %q, %s", r.Label, place)
		if r.Preset != "" {
			rule = fmt.Sprintf("rule %q of the preset %s, %s", r.Label, r.Preset, place)
		}
		lines = append(lines, rule)
	}
	for _, change := range v.Changes {
		lines = append(lines, would+"changed: "+change)
	}
	for _, removed := range v.Removed {
		at := would + "removed: Path " + removed.Path
		if removed.Domain != "" {
			at += ", Domain " + removed.Domain
		}
		if removed.Partitioned {
			at += ", in the site's own partition"
		}
		lines = append(lines, at)
	}
	for _, note := range v.Notes {
		lines = append(lines, "note: "+note)
	}
	return lines
}

// PrintExchange shows a recorded request to people, if anything of it is not let through as it is.
func PrintExchange(w io.Writer, e *Exchange) error {
	p := printer{w: tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)}
	first := true
	for i := range e.Explanation.Verdicts {
		if v := &e.Explanation.Verdicts[i]; v.Verdict != "let_through" || len(v.Changes) > 0 {
			if first {
				p.line("%d  %s %s  %d", e.Index, e.Method, e.URL, e.Status)
				first = false
			}
			p.line("   %s\t%s\t%s\t%s", v.Channel, v.Cookie, strings.ReplaceAll(v.Verdict, "_", " "),
				strings.Join(append([]string{v.Text}, v.Changes...), "; "))
		}
	}
	return p.flush()
}

// PrintRecording shows the summary of a replay to people.
func PrintRecording(w io.Writer, r *Recording) error {
	p := printer{w: tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)}
	p.line("")
	p.line("Policy %s, digest %.8s, mode %s, on a recording of %s: requests: %d", r.Policy, r.Digest, r.Mode,
		strings.Join(r.Hosts, ", "), r.Requests)
	for _, warning := range r.Warnings {
		p.line("Warning: %s.", warning)
	}
	p.line("")
	if len(r.Pages) > 0 {
		p.line("PAGE\tREQUESTS\tREFUSED\tSTRIPPED\tEXPIRED\tCHANGED")
		for _, page := range r.Pages {
			p.line("%s\t%d\t%d\t%d\t%d\t%d",
				page.Page, page.Requests, page.Refused, page.Stripped, page.Expired, page.Changed)
		}
		p.line("")
	}
	if len(r.Cookies) > 0 {
		p.line("COOKIE\tCHANNEL\tVERDICT\tREASON\tRULE\tCOUNT")
		for _, c := range r.Cookies {
			p.line("%s\t%s\t%s\t%s\t%s\t%d", c.Name, c.Channel, strings.ReplaceAll(c.Verdict, "_", " "),
				c.Reason.String(), c.Rule, c.Count)
		}
		p.line("")
	}
	if len(r.ThirdParties) > 0 {
		p.line("THIRD PARTY\tREQUESTS\tSET-COOKIE LINES")
		for _, t := range r.ThirdParties {
			p.line("%s\t%d\t%d", t.Host, t.Requests, t.Cookies)
		}
	}
	return p.flush()
}

func (p *printer) flush() error {
	if p.err != nil {
		return p.err
	}
	return p.w.Flush()
}
